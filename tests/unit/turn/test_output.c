// SPDX-License-Identifier: BSD-3-Clause
// turn/output.h.
#include "turn/output.h"

#include "turn_fixture.h"

static struct allocation make_allocation(void)
{
    return (struct allocation){
        .five_tuple = client_make(1000).five_tuple,
        .id = 7,
        .worker = 3,
        .received_by = 5,
        .relayed = {[RELAYED_V4] = {.address = {.relay = 1, .port = 50000}, .state = RELAYED_LIVE},
                    [RELAYED_V6] = {.address = {.relay = 2, .port = 50002}, .state = RELAYED_LIVE}},
    };
}

static void commands_name_allocation_and_owner(void **state)
{
    (void)state;
    static struct turn_output output;
    struct allocation allocation = make_allocation();
    struct permission permission = {.peer = ip("8.8.8.8")};
    struct channel channel = {.number = 0x4000, .peer = address("8.8.8.8:5000")};
    turn_output_reset(&output);
    turn_output_install_allocation(&output, &allocation);
    turn_output_permission(&output, TURN_COMMAND_INSTALL_PERMISSION, &allocation, &permission);
    turn_output_channel(&output, TURN_COMMAND_INSTALL_CHANNEL, &allocation, &channel);
    turn_output_channel(&output, TURN_COMMAND_REMOVE_CHANNEL, &allocation, &channel);
    turn_output_permission(&output, TURN_COMMAND_REMOVE_PERMISSION, &allocation, &permission);
    turn_output_remove_relay(&output, &allocation, RELAYED_V6);
    turn_output_remove_allocation(&output, &allocation);
    static const enum turn_command_kind kinds[] = {
        TURN_COMMAND_INSTALL_ALLOCATION, TURN_COMMAND_INSTALL_PERMISSION,
        TURN_COMMAND_INSTALL_CHANNEL,    TURN_COMMAND_REMOVE_CHANNEL,
        TURN_COMMAND_REMOVE_PERMISSION,  TURN_COMMAND_REMOVE_RELAY,
        TURN_COMMAND_REMOVE_ALLOCATION,
    };
    assert_int_equal(output.command_count, 7);
    for (unsigned i = 0; i < 7; i++) {
        assert_int_equal(output.commands[i].kind, kinds[i]);
        assert_int_equal(output.commands[i].allocation, 7);
        assert_int_equal(output.commands[i].worker, 3);
    }
    assert_int_equal(output.commands[5].removed_relay.relay, 2);
    assert_int_equal(output.commands[5].removed_relay.port, 50002);
    assert_int_equal(output.commands[6].allocation_info.received_by, 5);
}

static void only_live_relayed_addresses_are_named(void **state)
{
    (void)state;
    static struct turn_output output;
    struct allocation allocation = make_allocation();
    allocation.relayed[RELAYED_V4].state = RELAYED_REMOVING;
    turn_output_reset(&output);
    turn_output_install_allocation(&output, &allocation);
    assert_int_equal(output.commands[0].allocation_info.relayed_v4.port, 0);
    assert_int_equal(output.commands[0].allocation_info.relayed_v6.port, 50002);
}

static void reset_empties_it_and_room_ends_at_the_maximum(void **state)
{
    (void)state;
    static struct turn_output output;
    struct allocation allocation = make_allocation();
    turn_output_reset(&output);
    for (unsigned i = 0; i < TURN_OUTPUT_COMMANDS_MAX; i++) {
        assert_true(turn_output_has_room(&output));
        turn_output_install_allocation(&output, &allocation);
    }
    assert_false(turn_output_has_room(&output));
    output.response_len = 5;
    output.response_error = 400;
    output.request_method = 3;
    turn_output_reset(&output);
    assert_int_equal(output.command_count, 0);
    assert_int_equal(output.response_len, 0);
    assert_int_equal(output.response_error, 0);
    assert_int_equal(output.request_method, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_name_allocation_and_owner),
        cmocka_unit_test(only_live_relayed_addresses_are_named),
        cmocka_unit_test(reset_empties_it_and_room_ends_at_the_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
