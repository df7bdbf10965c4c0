// SPDX-License-Identifier: BSD-3-Clause
#include "rig.h"

#include "dataplane/worker_state.h"
#include "exchange/client_home.h"

#include <rte_cycles.h>
#include <stdio.h>

#define WORKERS 3
#define OWNER   1
#define PORT    50112

static int set_up(void **state)
{
    struct plane_config config;
    rig_config(&config, WORKERS);
    *state = rig_create(&config);
    return 0;
}

// A client whose home is that worker; over IPv6 when ipv6 is set.
static const char *client_of_home(uint16_t home, bool ipv6)
{
    static char text[TRANSPORT_ADDRESS_TEXT_LEN];
    struct client_key client;
    unsigned port = 40000;
    do {
        snprintf(text, sizeof(text), ipv6 ? "[2001:db8:77::7]:%u" : "192.0.2.7:%u", port++);
        client = rig_client(text);
    } while (client_home(client.address.ip.bytes, client.address.port, WORKERS) != home);
    return text;
}

static void steer(struct rig *rig, enum command_kind kind, unsigned worker, const char *client,
                  uint16_t owner)
{
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = kind;
    command.steering.client = rig_client(client);
    command.steering.owner = owner;
    rig_command(rig, worker, &command);
    rig_poll(rig);
    assert_int_equal(rig_counter(rig, COUNTER_COMMAND_FAILURES), 0);
}

static void install(struct rig *rig, const char *client)
{
    rig_allocation(rig, OWNER, 1, client, PORT, 0);
    rig_channel(rig, OWNER, 1, 0x4000, PEER_V4);
    rig_poll(rig);
}

static void receive(struct rig *rig, unsigned worker, const char *client, const uint8_t *message,
                    size_t len)
{
    struct wire wire = {.source = client,
                        .destination = client[0] == '[' ? LISTENER_V6 : LISTENER_V4,
                        .payload = message,
                        .len = len};
    rig_process_wire(rig, worker, &wire);
}

static void receive_channel_data(struct rig *rig, unsigned worker, const char *client)
{
    uint8_t message[64];
    receive(rig, worker, client, message, message_channel_data(message, 0x4000, rig_data, 7));
}

static void receive_send(struct rig *rig, unsigned worker, const char *client)
{
    uint8_t message[128];
    receive(rig, worker, client, message, message_send(message, PEER_V4, rig_data, 7, false));
}

static void assert_relayed(struct rig *rig, uint64_t handed)
{
    struct wire_seen seen;
    rig_sent_wire(rig, OWNER, &seen);
    rig_sent_nothing(rig);
    assert_string_equal(seen.source, RELAY_V4_LOCAL ":50112");
    assert_string_equal(seen.destination, PEER_V4);
    assert_int_equal(seen.len, 7);
    assert_memory_equal(seen.payload, rig_data, 7);
    assert_int_equal(rig_counter(rig, COUNTER_HANDOFF_OUT), handed);
    assert_int_equal(rig_counter(rig, COUNTER_HANDOFF_IN), handed);
}

static void assert_dropped(struct rig *rig, enum drop drop, unsigned worker, uint64_t handed)
{
    rig_sent_nothing(rig);
    rig_dropped_once(rig, drop);
    assert_int_equal(rig->plane->counters[worker].drops[drop], 1);
    assert_int_equal(rig_counter(rig, COUNTER_HANDOFF_OUT), handed);
}

static void where_it_is_steered_one_step_leads_to_the_owner(void **state)
{
    struct rig *rig = *state;
    const char *client = client_of_home(2, false);
    install(rig, client);
    steer(rig, COMMAND_INSTALL_STEERING, 0, client, OWNER);
    receive_channel_data(rig, 0, client);
    assert_relayed(rig, 1);
    receive_send(rig, 0, client);
    assert_relayed(rig, 2);
}

static void from_anywhere_else_the_way_leads_by_its_home(void **state)
{
    struct rig *rig = *state;
    const char *client = client_of_home(2, false);
    install(rig, client);
    steer(rig, COMMAND_INSTALL_STEERING, 2, client, OWNER);
    receive_channel_data(rig, 0, client);
    assert_relayed(rig, 2);
    receive_send(rig, 0, client);
    assert_relayed(rig, 4);
}

// How long a packet is here counts from where it was received.
static void two_steps_are_one_stay(void **state)
{
    struct rig *rig = *state;
    const char *client = client_of_home(2, false);
    uint8_t message[64];
    struct wire wire = {.source = client, .destination = LISTENER_V4, .payload = message};
    wire.len = message_channel_data(message, 0x4000, rig_data, 7);
    install(rig, client);
    steer(rig, COMMAND_INSTALL_STEERING, 2, client, OWNER);
    rig_receive_wire(rig, 0, &wire);
    worker_poll(rig->workers[0]);
    uint64_t received_tsc = rte_rdtsc();
    while (rte_rdtsc() < received_tsc + rte_get_tsc_hz() / 10000)
        ;
    worker_poll(rig->workers[2]);
    worker_poll(rig->workers[OWNER]);
    assert_relayed(rig, 2);
    assert_true(rig->workers[2]->round.handed_wait_tsc > 0);
    assert_true(rig->workers[OWNER]->round.handed_wait_tsc >=
                rig->workers[2]->round.handed_wait_tsc);
}

static void every_client_has_its_home(void **state)
{
    struct rig *rig = *state;
    for (unsigned i = 0; i < 2 * WORKERS; i++) {
        uint16_t home = (uint16_t)(i % WORKERS);
        const uint64_t *drops = &rig->plane->counters[home].drops[DROP_UNBOUND_CHANNEL];
        uint64_t before = *drops;
        receive_channel_data(rig, (home + 1) % WORKERS, client_of_home(home, i < WORKERS));
        assert_int_equal(*drops, before + 1);
    }
}

static void landing_at_its_home_one_step_is_left(void **state)
{
    struct rig *rig = *state;
    const char *client = client_of_home(0, false);
    install(rig, client);
    steer(rig, COMMAND_INSTALL_STEERING, 0, client, OWNER);
    receive_channel_data(rig, 0, client);
    assert_relayed(rig, 1);
}

static void an_owner_that_is_the_home_needs_no_steering(void **state)
{
    struct rig *rig = *state;
    const char *client = client_of_home(OWNER, false);
    install(rig, client);
    receive_channel_data(rig, 2, client);
    assert_relayed(rig, 1);
}

static void a_stranger_dies_at_its_home(void **state)
{
    receive_channel_data(*state, 0, client_of_home(2, false));
    assert_dropped(*state, DROP_UNBOUND_CHANNEL, 2, 1);
}

static void a_stranger_that_lands_at_its_home_dies_there(void **state)
{
    receive_send(*state, 2, client_of_home(2, false));
    assert_dropped(*state, DROP_NO_ALLOCATION, 2, 0);
}

static void another_port_of_a_steered_client_is_a_stranger(void **state)
{
    struct rig *rig = *state;
    steer(rig, COMMAND_INSTALL_STEERING, 0, "192.0.2.7:39999", OWNER);
    receive_channel_data(rig, 0, client_of_home(0, false));
    assert_dropped(rig, DROP_UNBOUND_CHANNEL, 0, 0);
}

static void an_unbound_channel_of_a_client_that_is_known_goes_nowhere(void **state)
{
    struct rig *rig = *state;
    const char *client = client_of_home(2, false);
    uint8_t message[64];
    install(rig, client);
    steer(rig, COMMAND_INSTALL_STEERING, 2, client, OWNER);
    receive(rig, OWNER, client, message, message_channel_data(message, 0x4001, rig_data, 7));
    assert_dropped(rig, DROP_UNBOUND_CHANNEL, OWNER, 0);
}

// Two workers that mean each other, as they may for a moment while an allocation ends and another
// begins: the packet would go round for ever.
static void no_packet_goes_round(void **state)
{
    struct rig *rig = *state;
    const char *client = client_of_home(2, false);
    steer(rig, COMMAND_INSTALL_STEERING, 2, client, 1);
    steer(rig, COMMAND_INSTALL_STEERING, 1, client, 2);
    receive_channel_data(rig, 1, client);
    assert_dropped(rig, DROP_UNBOUND_CHANNEL, 1, 2);
    receive_channel_data(rig, 2, client);
    assert_int_equal(rig->plane->counters[1].drops[DROP_UNBOUND_CHANNEL], 2);
    assert_int_equal(rig_counter(rig, COUNTER_HANDOFF_OUT), 3);
}

static void after_its_steering_is_removed_it_is_a_stranger(void **state)
{
    struct rig *rig = *state;
    const char *client = client_of_home(0, false);
    struct worker_usage usage;
    steer(rig, COMMAND_INSTALL_STEERING, 0, client, OWNER);
    steer(rig, COMMAND_REMOVE_STEERING, 0, client, OWNER);
    receive_channel_data(rig, 0, client);
    assert_dropped(rig, DROP_UNBOUND_CHANNEL, 0, 0);
    worker_get_usage(rig->workers[0], &usage);
    assert_int_equal(usage.steerings, 0);
}

// The other half is for packets of peers, and of clients that are steered.
static void strangers_fill_half_a_ring(void **state)
{
    struct rig *rig = *state;
    const char *client = client_of_home(OWNER, false);
    uint8_t message[64], frame[256];
    struct wire wire = {.source = client,
                        .destination = LISTENER_V4,
                        .payload = message,
                        .len = message_channel_data(message, 0x4000, rig_data, 7)};
    size_t len = wire_write(&wire, frame);
    for (unsigned i = 0; i < 200; i++)
        rig_receive(rig, 0, frame, len);
    while (worker_poll(rig->workers[0]) > 0)
        ;
    assert_int_equal(rig_counter(rig, COUNTER_HANDOFF_OUT), 32);
    assert_int_equal(rig_drops(rig, DROP_UNBOUND_CHANNEL), 200 - 32);
    struct wire media = {
        .source = PEER_V4, .destination = RELAY_V4_LOCAL ":50112", .payload = rig_data, .len = 5};
    rig_receive_wire(rig, 0, &media);
    worker_poll(rig->workers[0]);
    assert_int_equal(rig_counter(rig, COUNTER_HANDOFF_OUT), 33);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(where_it_is_steered_one_step_leads_to_the_owner),
        TEST(from_anywhere_else_the_way_leads_by_its_home),
        TEST(two_steps_are_one_stay),
        TEST(every_client_has_its_home),
        TEST(landing_at_its_home_one_step_is_left),
        TEST(an_owner_that_is_the_home_needs_no_steering),
        TEST(a_stranger_dies_at_its_home),
        TEST(a_stranger_that_lands_at_its_home_dies_there),
        TEST(another_port_of_a_steered_client_is_a_stranger),
        TEST(an_unbound_channel_of_a_client_that_is_known_goes_nowhere),
        TEST(no_packet_goes_round),
        TEST(after_its_steering_is_removed_it_is_a_stranger),
        TEST(strangers_fill_half_a_ring),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
