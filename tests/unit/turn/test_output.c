// SPDX-License-Identifier: BSD-3-Clause
// turn/output.h.
#include "turn/output.h"

#include "turn_fixture.h"

static struct address_store addresses;
static struct allocation_table table;
static struct quota users;

static int setup(void **state)
{
    static const struct siphash_key key = {{1, 2}};
    struct five_tuple tuple = client_make(1000).five_tuple;
    assert_int_equal(address_store_init(&addresses, 4, &key), 0);
    assert_int_equal(allocation_table_init(&table, 8, 8, 4, &addresses, &key), 0);
    assert_int_equal(quota_init(&users, 4, &(struct quota_limits){.total = 8}, &key), 0);
    quota_take(&users, QUOTA_ALLOCATIONS, text_span("alice"));
    uint32_t bob = quota_take(&users, QUOTA_ALLOCATIONS, text_span("bob"));
    for (unsigned i = 0; i < 8; i++) {
        tuple.client.port = (uint16_t)(1000 + i);
        struct allocation *allocation = allocation_create(&table, &tuple, 3);
        allocation->received_by = 5;
        allocation->user = bob;
        allocation->relayed[RELAYED_V4] =
            (struct relayed){.address = {.relay = 1, .port = 50000}, .state = RELAYED_LIVE};
        allocation->relayed[RELAYED_V6] =
            (struct relayed){.address = {.relay = 2, .port = 50002}, .state = RELAYED_LIVE};
    }
    *state = &table.at[7];
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    allocation_table_done(&table);
    quota_done(&users);
    address_store_done(&addresses);
    return 0;
}

static void commands_name_allocation_and_owner(void **state)
{
    struct allocation *allocation = *state;
    static struct turn_output output;
    struct ip_address permitted = ip("8.8.8.8");
    struct transport_address bound = address("8.8.8.8:5000");
    turn_output_reset(&output);
    turn_output_install_allocation(&output, &table, &users, allocation);
    turn_output_permission(&output, TURN_COMMAND_INSTALL_PERMISSION, allocation, &permitted);
    turn_output_channel(&output, TURN_COMMAND_INSTALL_CHANNEL, allocation, 0x4000, &bound);
    turn_output_channel(&output, TURN_COMMAND_REMOVE_CHANNEL, allocation, 0x4000, &bound);
    turn_output_permission(&output, TURN_COMMAND_REMOVE_PERMISSION, allocation, &permitted);
    turn_output_remove_relay(&output, allocation, RELAYED_V6);
    turn_output_remove_allocation(&output, &table, allocation);
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
    struct five_tuple tuple = client_make(1007).five_tuple;
    assert_true(five_tuple_equal(&output.commands[0].allocation_info.five_tuple, &tuple));
    assert_int_equal(output.commands[0].allocation_info.user, 1);
    assert_int_equal(output.commands[0].allocation_info.user_tag, quota_user_tag(&users, 1));
    assert_true(ip_address_equal(&output.commands[1].permission, &permitted));
    assert_int_equal(output.commands[2].channel.number, 0x4000);
    assert_true(transport_address_equal(&output.commands[2].channel.peer, &bound));
    assert_int_equal(output.commands[5].removed_relay.relay, 2);
    assert_int_equal(output.commands[5].removed_relay.port, 50002);
    assert_int_equal(output.commands[6].allocation_info.received_by, 5);
}

static void only_live_relayed_addresses_are_named(void **state)
{
    struct allocation *allocation = *state;
    static struct turn_output output;
    allocation->relayed[RELAYED_V4].state = RELAYED_REMOVING;
    turn_output_reset(&output);
    turn_output_install_allocation(&output, &table, &users, allocation);
    assert_int_equal(output.commands[0].allocation_info.relayed_v4.port, 0);
    assert_int_equal(output.commands[0].allocation_info.relayed_v6.port, 50002);
}

static void reset_empties_it_and_room_ends_at_the_maximum(void **state)
{
    struct allocation *allocation = *state;
    static struct turn_output output;
    turn_output_reset(&output);
    for (unsigned i = 0; i < TURN_OUTPUT_COMMANDS_MAX; i++) {
        assert_true(turn_output_has_room(&output));
        turn_output_install_allocation(&output, &table, &users, allocation);
    }
    assert_false(turn_output_has_room(&output));
    output.response_len = 5;
    output.response_error = 400;
    output.request_method = 3;
    output.refusal = QUOTA_REFUSED_TOTAL;
    output.response_to.transport = FIVE_TUPLE_TCP;
    turn_output_reset(&output);
    assert_int_equal(output.command_count, 0);
    assert_int_equal(output.response_len, 0);
    assert_int_equal(output.response_error, 0);
    assert_int_equal(output.request_method, 0);
    assert_int_equal(output.refusal, QUOTA_NOT_REFUSED);
    assert_int_equal(output.response_to.transport, 0);
}

static void of_a_tcp_allocation_only_sockets_are_spoken_of(void **state)
{
    struct allocation *allocation = *state;
    static struct turn_output output;
    struct ip_address permitted = ip("8.8.8.8");
    struct transport_address peer = address("8.8.8.8:5000");
    struct five_tuple data = client_make_tcp(2000).five_tuple;
    allocation->is_tcp = 1;
    turn_output_reset(&output);
    turn_output_install_allocation(&output, &table, &users, allocation);
    turn_output_permission(&output, TURN_COMMAND_INSTALL_PERMISSION, allocation, &permitted);
    turn_output_permission(&output, TURN_COMMAND_REMOVE_PERMISSION, allocation, &permitted);
    assert_int_equal(output.command_count, 0);
    turn_output_tcp_connect(&output, allocation, 77, &peer,
                            (struct turn_relayed_address){.relay = 1, .port = 50000});
    turn_output_tcp_bind(&output, &users, allocation, 77, &data);
    turn_output_tcp_close(&output, allocation, 77);
    turn_output_tcp_unlisten(&output, allocation, 1u << RELAYED_V6);
    assert_int_equal(output.command_count, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(output.commands[i].kind, TURN_COMMAND_TCP_CONNECT + i);
        assert_int_equal(output.commands[i].allocation, 7);
        assert_true(turn_command_is_tcp(&output.commands[i]));
    }
    assert_int_equal(output.commands[0].tcp_connect.connection, 77);
    assert_int_equal(output.commands[0].tcp_connect.from.port, 50000);
    assert_true(transport_address_equal(&output.commands[0].tcp_connect.peer, &peer));
    assert_true(five_tuple_equal(&output.commands[1].tcp_bind.client, &data));
    assert_int_equal(output.commands[1].tcp_bind.user, 1);
    assert_int_equal(output.commands[1].tcp_bind.user_tag, quota_user_tag(&users, 1));
    assert_int_equal(output.commands[2].tcp_close, 77);
    assert_int_equal(output.commands[3].tcp_unlisten.relayed_v4.port, 0);
    assert_int_equal(output.commands[3].tcp_unlisten.relayed_v6.port, 50002);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commands_name_allocation_and_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(of_a_tcp_allocation_only_sockets_are_spoken_of, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(only_live_relayed_addresses_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(reset_empties_it_and_room_ends_at_the_maximum, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
