// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/foreign.h"

#include "base/port_slice.h"
#include "dataplane/burst.h"
#include "dataplane/media.h"
#include "dataplane/stray_client.h"
#include "rig.h"

#include <stdio.h>

#define WORKERS 3
#define NUMBER  0x4000
#define LEN     20
#define BURST   40
#define TRIES   16384 // of clients, until two look alike; some thousand will do

static int set_up(void **state)
{
    struct plane_config config;
    rig_config(&config, WORKERS);
    *state = rig_create(&config);
    return 0;
}

static void steer(struct rig *rig, const char *client, uint16_t owner)
{
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = COMMAND_INSTALL_STEERING;
    command.steering.client = rig_client(client);
    command.steering.owner = owner;
    rig_command(rig, 0, &command);
    rig_poll(rig);
    assert_int_equal(rig_counter(rig, COUNTER_COMMAND_FAILURES), 0);
}

static struct rte_mbuf *frame_of_channel(const char *client, const char *listener, uint16_t number)
{
    static uint8_t message[64];
    struct wire wire = {.source = client, .destination = listener, .payload = message};
    wire.len = message_channel_data(message, number, rig_data, LEN);
    return rig_frame(&wire, false);
}

static struct rte_mbuf *frame_of_client(const char *client, const char *listener)
{
    return frame_of_channel(client, listener, NUMBER);
}

static struct rte_mbuf *frame_of_peer(bool is_v6, unsigned port)
{
    char relayed[TRANSPORT_ADDRESS_TEXT_LEN];
    if (is_v6)
        snprintf(relayed, sizeof(relayed), "[" RELAY_V6 "]:%u", port);
    else
        snprintf(relayed, sizeof(relayed), RELAY_V4_LOCAL ":%u", port);
    struct wire wire = {.source = is_v6 ? PEER_V6 : PEER_V4,
                        .destination = relayed,
                        .payload = rig_data,
                        .len = LEN};
    return rig_frame(&wire, false);
}

// Worker 0 takes this burst the short way, as from the wire; how many it leaves.
static unsigned forward(struct rig *rig, struct rte_mbuf **frames, unsigned count)
{
    rig->workers[0]->may_hand_on = true;
    rig->transmit_commands += count; // they come from no port
    return media_forward(rig->workers[0], frames, count);
}

// NULL: it is not left.
static struct rte_mbuf *forward_client(struct rig *rig, const char *client, const char *listener)
{
    struct rte_mbuf *frame = frame_of_client(client, listener);
    return forward(rig, &frame, 1) > 0 ? frame : NULL;
}

static void assert_left(struct rig *rig, const char *client, const char *listener)
{
    struct rte_mbuf *frame = forward_client(rig, client, listener);
    assert_non_null(frame);
    rte_pktmbuf_free(frame);
    rig->transmit_commands--; // it came to nothing
}

static unsigned handed(const struct rig *rig, unsigned owner)
{
    return rig->workers[0]->handoffs[owner].count;
}

static void peers_datagrams_go_to_their_ports_owners_in_order(void **state)
{
    struct rig *rig = *state;
    for (unsigned is_v6 = 0; is_v6 < 2; is_v6++) {
        struct rte_mbuf *frames[BURST], *expected[WORKERS][BURST];
        unsigned counts[WORKERS] = {0, 0, 0};
        for (unsigned i = 0; i < BURST; i++) {
            unsigned port = RELAY_MIN_PORT + 37 * i;
            unsigned owner = port_slice_worker((uint16_t)port, WORKERS);
            frames[i] = frame_of_peer(is_v6, port);
            expected[owner][counts[owner]++] = frames[i];
        }
        unsigned left = forward(rig, frames, BURST);
        assert_int_equal(left, counts[0]); // nobody has those ports
        assert_memory_equal(frames, expected[0], left * sizeof(*frames));
        for (unsigned owner = 1; owner < WORKERS; owner++) {
            assert_true(counts[owner] > 0);
            assert_int_equal(handed(rig, owner), counts[owner]);
            for (unsigned i = 0; i < counts[owner]; i++)
                assert_ptr_equal(rig->workers[0]->handoffs[owner].at[i].frame, expected[owner][i]);
        }
        burst_process(rig->workers[0], frames, left, true);
        rig_poll(rig);
    }
    assert_int_equal(rig_counter(rig, COUNTER_HANDOFF_IN), rig_counter(rig, COUNTER_HANDOFF_OUT));
    assert_int_equal(rig_drops(rig, DROP_NO_RELAYED_ADDRESS), 2 * BURST);
}

// The slots go with the frames.
static void a_datagram_between_others_finds_its_own_channel(void **state)
{
    struct rig *rig = *state;
    rig_allocation(rig, 0, 1, CLIENT_V4, 49152, 0);
    rig_channel(rig, 0, 1, NUMBER, PEER_V4);
    rig_poll(rig);
    for (unsigned round = 0; round < 2; round++) { // the first tells which channel it is
        struct rte_mbuf *frames[3] = {frame_of_peer(false, 49152 + 60), frame_of_peer(false, 49152),
                                      frame_of_peer(false, 49152 + 62)};
        unsigned left = forward(rig, frames, 3);
        if (round == 0 && left > 0)
            burst_process(rig->workers[0], frames, left, true);
        else
            assert_int_equal(left, 0);
        rig_poll(rig);
        struct wire_seen seen;
        rig_sent_wire(rig, 0, &seen);
        assert_string_equal(seen.destination, CLIENT_V4);
    }
    assert_int_equal(rig_counter(rig, COUNTER_HANDOFF_OUT), 4);
}

static void a_steered_client_goes_to_its_owner(void **state)
{
    struct rig *rig = *state;
    steer(rig, CLIENT_V4, 1);
    steer(rig, CLIENT_V6, 2);
    assert_null(forward_client(rig, CLIENT_V4, LISTENER_V4));
    assert_int_equal(handed(rig, 1), 1);
    assert_null(forward_client(rig, CLIENT_V6, LISTENER_V6));
    assert_int_equal(handed(rig, 2), 1);
}

static uint64_t hash_of_client(const struct tables *tables, enum ip_family family,
                               const char *client, uint16_t number)
{
    struct client_key address = rig_client(client);
    struct flow_key key;
    tables_client_key(tables, &key, family == IP_FAMILY_V4 ? RIG_LISTENER_V4 : RIG_LISTENER_V6,
                      family, address.address.ip.bytes, __builtin_bswap16(address.address.port),
                      number);
    return flow_table_hash_of(&tables->flows, &key);
}

// What its owner is told of it.
static void assert_told(const struct rig *rig, unsigned owner, enum handoff_kind kind,
                        uint32_t place, uint16_t tag)
{
    const struct worker_handoffs *queue = &rig->workers[0]->handoffs[owner];
    assert_true(queue->count > 0);
    const struct handoff *last = &queue->at[queue->count - 1];
    assert_int_equal(last->kind, kind);
    assert_int_equal(last->place, place);
    assert_int_equal(last->tag, tag);
}

static void a_client_is_steered_whatever_its_channel(void **state)
{
    struct rig *rig = *state;
    steer(rig, CLIENT_V4, 1);
    steer(rig, CLIENT_V6, 2);
    static const uint16_t numbers[] = {0x4001, 0x4FFF, NUMBER, 0x4ABC};
    for (unsigned i = 0; i < 4; i++) {
        struct rte_mbuf *frames[2] = {frame_of_channel(CLIENT_V4, LISTENER_V4, numbers[i]),
                                      frame_of_channel(CLIENT_V6, LISTENER_V6, numbers[i])};
        assert_int_equal(forward(rig, frames, 2), 0);
        assert_int_equal(handed(rig, 1), i + 1);
        assert_int_equal(handed(rig, 2), i + 1);
        const struct tables *owners = &rig->workers[1]->tables;
        uint64_t hash = hash_of_client(owners, IP_FAMILY_V4, CLIENT_V4, numbers[i]);
        assert_told(rig, 1, HANDOFF_CLIENT_V4, flow_table_home_number(&owners->flows, hash),
                    flow_table_tag(hash));
    }
}

static void an_owner_is_told_what_a_plain_datagram_is(void **state)
{
    struct rig *rig = *state;
    const struct tables *owners = &rig->workers[1]->tables;
    unsigned port = 49152 + 60;
    steer(rig, CLIENT_V4, 1);
    steer(rig, CLIENT_V6, 1);
    for (unsigned is_v6 = 0; is_v6 < 2; is_v6++) {
        enum ip_family family = is_v6 ? IP_FAMILY_V6 : IP_FAMILY_V4;
        unsigned relay = is_v6 ? RIG_RELAY_V6 : RIG_RELAY_V4;
        struct rte_mbuf *frame = frame_of_peer(is_v6, port);
        assert_int_equal(forward(rig, &frame, 1), 0);
        uint32_t slot =
            tables_slot_number(owners, tables_relay_slot(owners, relay, (uint16_t)port));
        assert_ptr_equal(tables_numbered_slot(owners, slot),
                         tables_relay_slot(owners, relay, (uint16_t)port));
        assert_told(rig, 1, is_v6 ? HANDOFF_PEER_V6 : HANDOFF_PEER_V4, slot, 0);
        assert_null(is_v6 ? forward_client(rig, CLIENT_V6, LISTENER_V6)
                          : forward_client(rig, CLIENT_V4, LISTENER_V4));
        uint64_t hash = hash_of_client(owners, family, is_v6 ? CLIENT_V6 : CLIENT_V4, NUMBER);
        assert_told(rig, 1, is_v6 ? HANDOFF_CLIENT_V6 : HANDOFF_CLIENT_V4,
                    flow_table_home_number(&owners->flows, hash), flow_table_tag(hash));
    }
}

// Their owner has to look at them from the first byte on.
static void what_is_not_plain_is_handed_over_unsorted(void **state)
{
    struct rig *rig = *state;
    static const uint8_t no_operation[4] = {1, 1, 1, 1};
    uint8_t message[64];
    steer(rig, CLIENT_V4, 1);
    struct wire of_peer = {
        .source = PEER_V4, .destination = RELAY_V4_LOCAL ":49212", .payload = rig_data, .len = LEN};
    struct wire of_client = {.source = CLIENT_V4, .destination = LISTENER_V4, .payload = message};
    of_client.len = message_channel_data(message, NUMBER, rig_data, LEN);
    struct wire *wires[2] = {&of_peer, &of_client};
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned how = 0; how < 3; how++) {
            struct wire wire = *wires[i];
            wire.ttl = how == 0 ? 1 : 64;
            wire.no_checksum = how == 1;
            wire.options = how == 2 ? no_operation : NULL;
            wire.options_len = how == 2 ? sizeof(no_operation) : 0;
            struct rte_mbuf *frame = rig_frame(&wire, false);
            unsigned before = handed(rig, 1);
            assert_int_equal(forward(rig, &frame, 1), 1);
            burst_process(rig->workers[0], &frame, 1, true);
            stray_clients_settle(rig->workers[0]);
            assert_int_equal(handed(rig, 1), before + 1);
            assert_told(rig, 1, HANDOFF_UNSORTED, 0, 0);
        }
    }
}

static void a_client_between_others_finds_its_own_channel(void **state)
{
    struct rig *rig = *state;
    rig_allocation(rig, 0, 1, CLIENT_V4, 49152, 0);
    rig_channel(rig, 0, 1, NUMBER, PEER_V4);
    steer(rig, "192.0.2.8:1", 1);
    struct rte_mbuf *frames[3] = {frame_of_client("192.0.2.8:1", LISTENER_V4),
                                  frame_of_client(CLIENT_V4, LISTENER_V4),
                                  frame_of_client("192.0.2.8:1", LISTENER_V4)};
    assert_int_equal(forward(rig, frames, 3), 0);
    assert_int_equal(handed(rig, 1), 2);
    rig_poll(rig);
    struct wire_seen seen;
    rig_sent_wire(rig, 0, &seen);
    assert_string_equal(seen.destination, PEER_V4);
}

// Relay 1 has the port that listener 1 has.
static int set_up_with_a_relay_like_a_listener(void **state)
{
    struct plane_config config;
    rig_config(&config, WORKERS);
    config.relays[2] = config.relays[RIG_RELAY_V6];
    config.relays[RIG_RELAY_V6].min_port = 3000;
    config.relays[RIG_RELAY_V6].max_port = 4000;
    config.relay_count = 3;
    *state = rig_create(&config);
    return 0;
}

static void a_relays_address_is_no_listeners(void **state)
{
    struct rig *rig = *state;
    steer(rig, CLIENT_V6, 1);
    assert_left(rig, CLIENT_V6, "[" RELAY_V6 "]:3478");
}

static void another_client_or_listener_is_left(void **state)
{
    struct rig *rig = *state;
    steer(rig, CLIENT_V4, 1);
    steer(rig, CLIENT_V6, 1);
    assert_left(rig, "192.0.2.8:40000", LISTENER_V4);
    assert_left(rig, "192.0.2.7:40001", LISTENER_V4);
    assert_left(rig, CLIENT_V4, "203.0.113.1:3479");
    assert_left(rig, CLIENT_V4, "203.0.113.2:3478");
    assert_left(rig, "[2001:db8:c::8]:40000", LISTENER_V6);
    assert_left(rig, CLIENT_V6, "[2001:db8::1]:3479");
}

static void what_another_worker_handed_over_stays(void **state)
{
    struct rig *rig = *state;
    steer(rig, CLIENT_V4, 1);
    struct rte_mbuf *frames[2] = {frame_of_client(CLIENT_V4, LISTENER_V4),
                                  frame_of_peer(false, 49152 + 62)};
    rig->workers[0]->may_hand_on = false;
    rig->transmit_commands += 2;
    assert_int_equal(media_forward(rig->workers[0], frames, 2), 2);
    assert_int_equal(handed(rig, 1) + handed(rig, 2), 0);
    rte_pktmbuf_free(frames[0]);
    rte_pktmbuf_free(frames[1]);
    rig->transmit_commands -= 2;
}

static void a_client_that_is_steered_no_more_is_left(void **state)
{
    struct rig *rig = *state;
    struct command command;
    steer(rig, CLIENT_V4, 1);
    memset(&command, 0, sizeof(command));
    command.kind = COMMAND_REMOVE_STEERING;
    command.steering.client = rig_client(CLIENT_V4);
    rig_command(rig, 0, &command);
    rig_poll(rig);
    assert_left(rig, CLIENT_V4, LISTENER_V4);
}

// Two clients with one bucket and one tag: what is found first is the other's.
static void find_alike(const struct tables *tables, char ret_clients[2][32])
{
    static uint64_t hashes[TRIES];
    for (unsigned i = 0; i < TRIES; i++) {
        snprintf(ret_clients[0], 32, "192.0.2.7:%u", 1000 + i);
        hashes[i] = hash_of_client(tables, IP_FAMILY_V4, ret_clients[0], NUMBER);
        for (unsigned j = 0; j < i; j++) {
            if (flow_table_tag(hashes[i]) == flow_table_tag(hashes[j]) &&
                flow_table_home(&tables->flows, hashes[i]) ==
                    flow_table_home(&tables->flows, hashes[j])) {
                snprintf(ret_clients[1], 32, "192.0.2.7:%u", 1000 + j);
                return;
            }
        }
    }
    fail_msg("no two clients look alike");
}

// As for a moment while one allocation of a client ends and another begins.
static void a_channel_comes_before_a_steering(void **state)
{
    struct rig *rig = *state;
    char clients[2][32];
    find_alike(&rig->workers[0]->tables, clients);
    for (unsigned i = 0; i < 2; i++) {
        rig_allocation(rig, 0, 1 + i, clients[i], (uint16_t)(49152 + i), 0);
        rig_channel(rig, 0, 1 + i, NUMBER, PEER_V4);
        steer(rig, clients[i], 1);
    }
    for (unsigned i = 0; i < 2; i++) {
        struct rte_mbuf *frame = forward_client(rig, clients[i], LISTENER_V4);
        if (frame != NULL)
            burst_process(rig->workers[0], &frame, 1, true);
    }
    assert_int_equal(handed(rig, 1), 0);
    assert_int_equal(rig_counter(rig, COUNTER_CHANNEL_TO_PEER), 2);
}

// A channel in the bucket after the one that it should be in, where its client's steering is.
static void a_channel_without_room_comes_before_a_steering(void **state)
{
    struct rig *rig = *state;
    const struct flow_table *flows = &rig->workers[0]->tables.flows;
    uint64_t wanted = hash_of_client(&rig->workers[0]->tables, IP_FAMILY_V4, CLIENT_V4, NUMBER);
    struct flow_bucket *bucket = flow_table_home(flows, wanted);
    steer(rig, CLIENT_V4, 1);
    rig_allocation(rig, 0, 1, "192.0.2.8:1", 49152, 0);
    rig_allocation(rig, 0, 2, CLIENT_V4, 49154, 0);
    rig_poll(rig);
    for (uint16_t i = 0; flow_bucket_hits(bucket, 0) != 0; i++) {
        char peer[32];
        uint64_t hash =
            hash_of_client(&rig->workers[0]->tables, IP_FAMILY_V4, "192.0.2.8:1", NUMBER + i);
        assert_true(i < 0x1000);
        if (flow_table_home(flows, hash) != bucket ||
            flow_table_tag(hash) == flow_table_tag(wanted))
            continue;
        snprintf(peer, sizeof(peer), "192.0.2.200:%u", 1000u + i);
        rig_channel(rig, 0, 1, NUMBER + i, peer);
        rig_poll(rig);
    }
    rig_channel(rig, 0, 2, NUMBER, PEER_V4);
    rig_poll(rig);
    assert_int_equal(rig_counter(rig, COUNTER_COMMAND_FAILURES), 0);
    assert_true(bucket->passed > 0);
    struct rte_mbuf *frame = forward_client(rig, CLIENT_V4, LISTENER_V4);
    if (frame != NULL)
        burst_process(rig->workers[0], &frame, 1, true);
    assert_int_equal(handed(rig, 1), 0);
    assert_int_equal(rig_counter(rig, COUNTER_CHANNEL_TO_PEER), 1);
}

static void a_channel_that_rests_is_not_steered_elsewhere(void **state)
{
    struct rig *rig = *state;
    struct command command;
    struct transport_address peer;
    rig_allocation(rig, 0, 1, CLIENT_V4, 49152, 0);
    rig_channel(rig, 0, 1, NUMBER, PEER_V4);
    steer(rig, CLIENT_V4, 1);
    memset(&command, 0, sizeof(command));
    command.kind = COMMAND_REMOVE_PERMISSION;
    command.allocation = 1;
    assert_int_equal(transport_address_parse(PEER_V4, &peer), 0);
    command.permission.peer = peer.ip;
    rig_command(rig, 0, &command);
    rig_poll(rig);
    assert_left(rig, CLIENT_V4, LISTENER_V4);
    assert_int_equal(handed(rig, 1), 0);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(peers_datagrams_go_to_their_ports_owners_in_order),
        TEST(a_datagram_between_others_finds_its_own_channel),
        TEST(a_steered_client_goes_to_its_owner),
        TEST(a_client_is_steered_whatever_its_channel),
        TEST(an_owner_is_told_what_a_plain_datagram_is),
        TEST(what_is_not_plain_is_handed_over_unsorted),
        TEST(a_client_between_others_finds_its_own_channel),
        cmocka_unit_test_setup_teardown(a_relays_address_is_no_listeners,
                                        set_up_with_a_relay_like_a_listener, rig_tear_down),
        TEST(another_client_or_listener_is_left),
        TEST(what_another_worker_handed_over_stays),
        TEST(a_client_that_is_steered_no_more_is_left),
        TEST(a_channel_comes_before_a_steering),
        TEST(a_channel_without_room_comes_before_a_steering),
        TEST(a_channel_that_rests_is_not_steered_elsewhere),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
