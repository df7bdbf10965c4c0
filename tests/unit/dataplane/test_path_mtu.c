// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/path_mtu.h"

#include "dataplane/worker_state.h"
#include "exchange/client_home.h"
#include "exchange/stream.h"
#include "rig.h"

static uint8_t payload[3000];

static int set_up(void **state)
{
    rig_set_up_channels(state);
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)(i * 7);
    return 0;
}

// What is believed of an error

static void believes_what_is_less_than_what_was_sent(void **state)
{
    (void)state;
    assert_int_equal(path_mtu_told(IP_FAMILY_V4, 1400, 1500), 1400);
    assert_int_equal(path_mtu_told(IP_FAMILY_V4, 1500, 1500), 0);
    assert_int_equal(path_mtu_told(IP_FAMILY_V4, 1400, 0), 0);
    assert_int_equal(path_mtu_told(IP_FAMILY_V6, 1400, 1500), 1400);
    assert_int_equal(path_mtu_told(IP_FAMILY_V6, 1500, 1500), 0);
    assert_int_equal(path_mtu_told(IP_FAMILY_V6, 0x00010578, 1500), 0);
}

static void believes_no_less_than_media_needs(void **state)
{
    (void)state;
    assert_int_equal(path_mtu_told(IP_FAMILY_V4, 1, 1500), 576);
    assert_int_equal(path_mtu_told(IP_FAMILY_V4, 575, 577), 576);
    assert_int_equal(path_mtu_told(IP_FAMILY_V4, 68, 576), 0);
    assert_int_equal(path_mtu_told(IP_FAMILY_V6, 1279, 1500), 0); // RFC 8201 section 4
    assert_int_equal(path_mtu_told(IP_FAMILY_V6, 0, 1500), 0);
    assert_int_equal(path_mtu_told(IP_FAMILY_V6, 1280, 1500), 1280);
}

// RFC 1191 section 7.1.
static void guesses_where_an_old_router_does_not_say(void **state)
{
    (void)state;
    assert_int_equal(path_mtu_told(IP_FAMILY_V4, 0, 1500), 1492);
    assert_int_equal(path_mtu_told(IP_FAMILY_V4, 0, 1492), 1006);
    assert_int_equal(path_mtu_told(IP_FAMILY_V4, 0, 9000), 8166);
    assert_int_equal(path_mtu_told(IP_FAMILY_V4, 0, 600), 576);
    assert_int_equal(path_mtu_told(IP_FAMILY_V4, 0, 576), 0);
}

// The table

static void keeps_a_path_for_its_lifetime(void **state)
{
    static struct path_mtu_table table;
    (void)state;
    assert_int_equal(path_mtu_table_get(&table, 0, 0), 0);
    path_mtu_table_set(&table, 7, 1400, 100);
    assert_int_equal(path_mtu_table_get(&table, 7, 100), 1400);
    assert_int_equal(path_mtu_table_get(&table, 7, 699), 1400);
    assert_int_equal(path_mtu_table_get(&table, 7, 700), 0);
    assert_int_equal(path_mtu_table_get(&table, 8, 100), 0);
    path_mtu_table_set(&table, 7, 1300, 500);
    assert_int_equal(path_mtu_table_get(&table, 7, 1099), 1300);
}

static void gives_the_place_of_whoever_expires_next(void **state)
{
    static struct path_mtu_table table;
    const uint32_t all = PATH_MTU_SETS * PATH_MTU_SET_SIZE;
    uint32_t kept = 0, lately = 0;
    (void)state;
    for (uint32_t i = 0; i < 2 * all; i++)
        path_mtu_table_set(&table, i, (uint16_t)(1000 + i % 400), 100 + i / 64);
    for (uint32_t i = 0; i < 2 * all; i++) {
        uint16_t mtu = path_mtu_table_get(&table, i, 100 + 2 * all / 64);
        assert_true(mtu == 0 || mtu == 1000 + i % 400);
        kept += mtu != 0;
        lately += mtu != 0 && i >= all;
    }
    assert_int_equal(kept, all);
    assert_true(lately > all * 3 / 4);
}

// A worker

struct sent {
    const char *client;
    uint16_t number;
    size_t len;
    bool may_be_cut;
};

static void send_channel_data(struct rig *rig, const struct sent *sent)
{
    struct wire wire = {.source = sent->client,
                        .destination = sent->client[0] == '[' ? LISTENER_V6 : LISTENER_V4,
                        .payload = payload,
                        .len = 4 + sent->len,
                        .dont_fragment = !sent->may_be_cut};
    store_be16(payload, sent->number);
    store_be16(payload + 2, (uint16_t)sent->len);
    rig_process_wire(rig, 0, &wire);
}

static void send_indication(struct rig *rig, const char *client, const char *peer, size_t len,
                            bool attribute, bool dont_fragment)
{
    static uint8_t message[3000];
    struct wire wire = {.source = client,
                        .destination = client[0] == '[' ? LISTENER_V6 : LISTENER_V4,
                        .payload = message,
                        .len = message_send(message, peer, payload, len, attribute),
                        .dont_fragment = dont_fragment};
    rig_process_wire(rig, 0, &wire);
}

// The error of a router on the way of a datagram of so many bytes, with its first bytes quoted.
// flags: IPv4's, of the quote.
struct too_big {
    const char *relay;
    const char *peer;
    size_t len;
    uint32_t mtu;
    uint16_t flags;
    unsigned worker; // that gets it
};

static void receive_too_big(struct rig *rig, const struct too_big *error)
{
    static uint8_t quoted[3000], frame[RIG_FRAME_MAX];
    struct wire datagram = {
        .source = error->relay, .destination = error->peer, .payload = payload, .len = error->len};
    wire_write(&datagram, quoted);
    bool is_v4 = quoted[14] >> 4 == 4;
    store_be16(quoted + 20, is_v4 ? error->flags : load_be16(quoted + 20));
    struct wire wire = {.source = is_v4 ? "192.0.2.1:9" : "[2001:db8:ff::1]:9",
                        .destination = is_v4 ? RELAY_V4_LOCAL ":9" : "[" RELAY_V6 "]:9",
                        .payload = quoted + 14,
                        .len = 100};
    size_t len = wire_write(&wire, frame);
    uint8_t *icmp = frame + (is_v4 ? 34 : 54);
    uint32_t pseudo = 0;
    icmp[0] = is_v4 ? 3 : 2;
    icmp[1] = is_v4 ? 4 : 0;
    store_be16(icmp + 2, 0);
    store_be32(icmp + 4, error->mtu);
    frame[is_v4 ? 23 : 20] = is_v4 ? 1 : 58;
    if (is_v4) {
        wire_fix_ipv4(frame);
    } else {
        pseudo = 58 + 108;
        for (unsigned i = 22; i < 54; i += 2)
            pseudo += load_be16(frame + i);
        pseudo = (pseudo & 0xFFFF) + (pseudo >> 16);
    }
    store_be16(icmp + 2, wire_checksum(icmp, 108, pseudo));
    rig_receive(rig, error->worker, frame, len);
    rig_poll(rig);
}

#define OF_FIRST_V4                                                                                \
    {                                                                                              \
        RELAY_V4_LOCAL ":50001", PEER_V4, 1472, 1400, 0x4000, 0                                    \
    }
#define OF_FIRST_V6                                                                                \
    {                                                                                              \
        "[" RELAY_V6 "]:50002", PEER_V6, 1452, 1400, 0, 0                                          \
    }

// And the client has been told.
static void learn(struct rig *rig, const struct too_big *error)
{
    struct wire_seen seen;
    struct data_seen data;
    uint64_t learned = rig_counter(rig, COUNTER_PATH_MTU);
    receive_too_big(rig, error);
    rig_sent_wire(rig, 0, &seen);
    message_read_data(seen.payload, seen.len, &data);
    assert_true(data.has_icmp);
    assert_int_equal(data.icmp_data, error->mtu);
    assert_int_equal(rig_counter(rig, COUNTER_PATH_MTU), learned + 1);
}

static void receive_in_vain(struct rig *rig, const struct too_big *error)
{
    static uint8_t frame[RIG_FRAME_MAX];
    receive_too_big(rig, error);
    while (rig_sent(rig, 0, frame) > 0)
        ;
    assert_int_equal(rig_counter(rig, COUNTER_PATH_MTU), 0);
}

static void assert_passes(struct rig *rig, const char *destination, size_t len)
{
    struct wire_seen seen;
    rig_sent_wire(rig, 0, &seen);
    assert_string_equal(seen.destination, destination);
    assert_int_equal(seen.len, len);
}

// An ICMP error with that MTU, to the client.
static void assert_answered(struct rig *rig, bool is_v4, uint32_t mtu)
{
    static uint8_t frame[RIG_FRAME_MAX];
    assert_true(rig_sent(rig, 0, frame) > 0);
    rig_sent_nothing(rig);
    const uint8_t *icmp = frame + (is_v4 ? 34 : 54);
    assert_int_equal(frame[is_v4 ? 23 : 20], is_v4 ? 1 : 58);
    assert_int_equal(icmp[0], is_v4 ? 3 : 2);
    assert_int_equal(icmp[1], is_v4 ? 4 : 0);
    assert_int_equal(load_be32(icmp + 4), mtu);
}

// Returns the longest packet.
static size_t assert_cut(struct rig *rig, unsigned count)
{
    static uint8_t frame[RIG_FRAME_MAX];
    size_t longest = 0, len;
    for (unsigned i = 0; i < count; i++) {
        len = rig_sent(rig, 0, frame);
        assert_true(len > 0);
        longest = len - 14 > longest ? len - 14 : longest;
    }
    rig_sent_nothing(rig);
    return longest;
}

static void a_channels_datagrams_are_answered_by_what_the_path_has(void **state)
{
    struct rig *rig = *state;
    learn(rig, &(struct too_big)OF_FIRST_V4);
    send_channel_data(rig, &(struct sent){CLIENT_V4, 0x4000, 1400 - 28, false});
    assert_passes(rig, PEER_V4, 1400 - 28);
    send_channel_data(rig, &(struct sent){CLIENT_V4, 0x4000, 1400 - 27, false});
    assert_answered(rig, true, 1400);
    learn(rig, &(struct too_big)OF_FIRST_V6);
    send_channel_data(rig, &(struct sent){CLIENT_V4, 0x4001, 1400 - 48, false});
    assert_passes(rig, PEER_V6, 1400 - 48);
    send_channel_data(rig, &(struct sent){CLIENT_V4, 0x4001, 1400 - 47, false});
    assert_answered(rig, true, 1380); // IPv4's header is shorter
}

static void what_may_be_cut_is_cut_to_what_the_path_has(void **state)
{
    struct rig *rig = *state;
    learn(rig, &(struct too_big)OF_FIRST_V4);
    send_channel_data(rig, &(struct sent){CLIENT_V4, 0x4000, 1470, true});
    assert_int_equal(assert_cut(rig, 2), 1396); // in blocks of eight
    assert_int_equal(rig_counter(rig, COUNTER_FRAGMENTED), 1);
}

static void send_indications_go_by_it_as_well(void **state)
{
    struct rig *rig = *state;
    send_indication(rig, CLIENT_V4, PEER_V4, 1420, false, true);
    assert_passes(rig, PEER_V4, 1420);
    learn(rig, &(struct too_big)OF_FIRST_V4);
    send_indication(rig, CLIENT_V4, PEER_V4, 1372, false, true);
    assert_passes(rig, PEER_V4, 1372);
    send_indication(rig, CLIENT_V4, PEER_V4, 1373, false, true);
    assert_answered(rig, true, 1400);
    send_indication(rig, CLIENT_V4, PEER_V4, 1420, false, false);
    assert_int_equal(assert_cut(rig, 2), 1396);
    // Any port there.
    send_indication(rig, CLIENT_V4, "192.0.2.200:7", 1373, false, true);
    assert_answered(rig, true, 1400);
}

// RFC 8656 section 14: the client's own packet may be as long as it is.
static void who_asked_for_df_is_told_as_by_a_router(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    struct data_seen data;
    learn(rig, &(struct too_big)OF_FIRST_V4);
    send_indication(rig, CLIENT_V4, PEER_V4, 1373, true, false);
    rig_sent_wire(rig, 0, &seen);
    assert_string_equal(seen.destination, CLIENT_V4);
    message_read_data(seen.payload, seen.len, &data);
    assert_true(data.has_icmp);
    assert_string_equal(data.peer, PEER_V4);
    assert_int_equal(data.icmp_type, 3);
    assert_int_equal(data.icmp_code, 4);
    assert_int_equal(data.icmp_data, 1400);
    send_indication(rig, CLIENT_V4, PEER_V4, 1372, true, false);
    rig_sent_wire(rig, 0, &seen);
    assert_string_equal(seen.destination, PEER_V4);
    assert_true(seen.dont_fragment);
}

// RFC 8656 section 13: DONT-FRAGMENT says nothing between families.
static void dont_fragment_counts_within_ipv4_alone(void **state)
{
    struct rig *rig = *state;
    learn(rig, &(struct too_big)OF_FIRST_V6);
    send_indication(rig, CLIENT_V4, PEER_V6, 1400, true, false);
    assert_int_equal(assert_cut(rig, 2), 1280);
}

static void one_clients_errors_are_not_anothers(void **state)
{
    struct rig *rig = *state;
    learn(rig, &(struct too_big)OF_FIRST_V4);
    send_channel_data(rig, &(struct sent){CLIENT_V6, 0x4000, 1440, false});
    assert_passes(rig, PEER_V4, 1440);
}

static void only_less_is_learned(void **state)
{
    struct rig *rig = *state;
    struct too_big error = OF_FIRST_V4;
    learn(rig, &error);
    error.len = 1372;
    error.mtu = 1300;
    learn(rig, &error);
    error.len = 1472;
    error.mtu = 1400;
    receive_too_big(rig, &error);
    assert_int_equal(rig_counter(rig, COUNTER_PATH_MTU), 2);
    (void)assert_cut(rig, 1);
    send_channel_data(rig, &(struct sent){CLIENT_V4, 0x4000, 1350, false});
    assert_answered(rig, true, 1300);
}

static void nothing_is_learned_from_what_cannot_be(void **state)
{
    struct rig *rig = *state;
    struct too_big error = OF_FIRST_V4;
    error.mtu = 1500;
    receive_in_vain(rig, &error); // it had passed
    error = (struct too_big)OF_FIRST_V4;
    error.flags = 0;
    receive_in_vain(rig, &error); // it would have been cut
    error.flags = 0x6000;
    receive_in_vain(rig, &error); // never sent so
    error = (struct too_big)OF_FIRST_V4;
    error.peer = "192.0.2.201:50000";
    receive_in_vain(rig, &error); // no permission
    error = (struct too_big)OF_FIRST_V6;
    error.mtu = 1279;
    receive_in_vain(rig, &error);
    send_channel_data(rig, &(struct sent){CLIENT_V4, 0x4000, 1440, false});
    assert_passes(rig, PEER_V4, 1440);
}

// Of the first client, the permission of PEER_V4.
static bool first_is_narrow(const struct worker *worker)
{
    const struct tables *tables = &worker->tables;
    const uint8_t ip[] = {192, 0, 2, 200};
    uint32_t allocation = allocation_table_find(&tables->allocations, 1);
    uint32_t index = permission_table_find(tables, allocation, IP_FAMILY_V4, ip);
    assert_int_not_equal(index, TABLE_NONE);
    return tables->permissions.at[index].is_narrow;
}

static void a_larger_packet_is_tried_when_it_is_long_ago(void **state)
{
    struct rig *rig = *state;
    struct worker *worker = rig->workers[0];
    learn(rig, &(struct too_big)OF_FIRST_V4);
    assert_true(first_is_narrow(worker));
    for (unsigned set = 0; set < PATH_MTU_SETS; set++) {
        for (unsigned i = 0; i < PATH_MTU_SET_SIZE; i++) {
            if (worker->path_mtus_of_peers.at[set][i].expires_s > 0)
                worker->path_mtus_of_peers.at[set][i].expires_s = worker->now_s;
        }
    }
    send_channel_data(rig, &(struct sent){CLIENT_V4, 0x4000, 1440, false});
    assert_passes(rig, PEER_V4, 1440);
    assert_false(first_is_narrow(worker)); // and from here on the short way
    learn(rig, &(struct too_big)OF_FIRST_V4);
    send_channel_data(rig, &(struct sent){CLIENT_V4, 0x4000, 1440, false});
    assert_answered(rig, true, 1400);
}

static void a_channel_that_comes_later_has_it_from_its_permission(void **state)
{
    struct rig *rig = *state;
    learn(rig, &(struct too_big)OF_FIRST_V4);
    rig_channel(rig, 0, 1, 0x4005, "192.0.2.200:50005");
    rig_channel(rig, 0, 1, 0x4000, PEER_V4);
    rig_permission(rig, 0, 1, "192.0.2.200");
    rig_poll(rig);
    send_channel_data(rig, &(struct sent){CLIENT_V4, 0x4005, 1440, false});
    assert_answered(rig, true, 1400);
    send_channel_data(rig, &(struct sent){CLIENT_V4, 0x4000, 1440, false});
    assert_answered(rig, true, 1400);
}

// Its place is given anew, and what was known of it with it.
static void the_next_owner_of_a_permissions_place_knows_nothing(void **state)
{
    struct rig *rig = *state;
    struct too_big error = OF_FIRST_V4;
    error.mtu = 1290;
    learn(rig, &error);
    error = (struct too_big)OF_FIRST_V6; // whichever place comes next
    error.mtu = 1290;
    learn(rig, &error);
    rig_remove(rig, 0, 1);
    rig_poll(rig);
    rig_allocation(rig, 0, 1, CLIENT_V4, 50001, 50002);
    rig_channel(rig, 0, 1, 0x4000, PEER_V4);
    rig_permission(rig, 0, 1, "192.0.2.200");
    rig_poll(rig);
    send_channel_data(rig, &(struct sent){CLIENT_V4, 0x4000, 1440, false});
    assert_passes(rig, PEER_V4, 1440);
    learn(rig, &(struct too_big)OF_FIRST_V4);
    send_channel_data(rig, &(struct sent){CLIENT_V4, 0x4000, 1440, false});
    assert_answered(rig, true, 1400);
}

// The way to a client

#define OF_CLIENT_V4                                                                               \
    {                                                                                              \
        LISTENER_V4, CLIENT_V4, 1472, 1400, 0x4000, 0                                              \
    }
#define OF_CLIENT_V6                                                                               \
    {                                                                                              \
        LISTENER_V6, CLIENT_V6, 1452, 1400, 0, 0                                                   \
    }

// And nobody is told.
static void learn_of_client(struct rig *rig, const struct too_big *error)
{
    uint64_t learned = rig_counter(rig, COUNTER_PATH_MTU);
    uint64_t dropped = rig_drops(rig, DROP_ICMP_OF_CLIENT);
    receive_too_big(rig, error);
    rig_sent_nothing(rig);
    assert_int_equal(rig_counter(rig, COUNTER_PATH_MTU), learned + 1);
    assert_int_equal(rig_drops(rig, DROP_ICMP_OF_CLIENT), dropped + 1);
}

// A peer's datagram to a relayed address.
static void send_from_peer(struct rig *rig, const char *peer, const char *relayed, size_t len,
                           bool may_be_cut)
{
    struct wire wire = {.source = peer,
                        .destination = relayed,
                        .payload = payload,
                        .len = len,
                        .dont_fragment = !may_be_cut};
    rig_process_wire(rig, 0, &wire);
}

#define TO_FIRST_V4  RELAY_V4_LOCAL ":50001"
#define TO_SECOND_V6 "[" RELAY_V6 "]:50004"

// A peer is told of 48 bytes less (RFC 8656 section 13.2).
static void what_peers_send_is_answered_by_what_the_clients_path_has(void **state)
{
    struct rig *rig = *state;
    learn_of_client(rig, &(struct too_big)OF_CLIENT_V4);
    send_from_peer(rig, PEER_V4, TO_FIRST_V4, 1400 - 28 - 4, false);
    assert_passes(rig, CLIENT_V4, 1400 - 28);
    send_from_peer(rig, PEER_V4, TO_FIRST_V4, 1400 - 28 - 3, false);
    assert_answered(rig, true, 1400 - 48);
    learn_of_client(rig, &(struct too_big)OF_CLIENT_V6);
    send_from_peer(rig, PEER_V6, TO_SECOND_V6, 1400 - 48 - 4, false);
    assert_passes(rig, CLIENT_V6, 1400 - 48);
    send_from_peer(rig, PEER_V6, TO_SECOND_V6, 1400 - 48 - 3, false);
    assert_answered(rig, false, 1400 - 48);
}

static void what_may_be_cut_is_cut_to_what_the_clients_path_has(void **state)
{
    struct rig *rig = *state;
    learn_of_client(rig, &(struct too_big)OF_CLIENT_V4);
    send_from_peer(rig, PEER_V4, TO_FIRST_V4, 1440, true);
    assert_int_equal(assert_cut(rig, 2), 1396); // in blocks of eight
}

// 36 bytes of a Data indication are not the peer's.
static void data_indications_go_by_it_as_well(void **state)
{
    struct rig *rig = *state;
    const char *peer = "192.0.2.200:7";
    send_from_peer(rig, peer, TO_FIRST_V4, 1400, false);
    assert_passes(rig, CLIENT_V4, 1436);
    learn_of_client(rig, &(struct too_big)OF_CLIENT_V4);
    send_from_peer(rig, peer, TO_FIRST_V4, 1400 - 28 - 36, false);
    assert_passes(rig, CLIENT_V4, 1400 - 28);
    send_from_peer(rig, peer, TO_FIRST_V4, 1400 - 28 - 36 + 4, false);
    assert_answered(rig, true, 1400 - 48);
}

static void what_the_client_sends_is_not_held_to_it(void **state)
{
    struct rig *rig = *state;
    learn_of_client(rig, &(struct too_big)OF_CLIENT_V4);
    send_channel_data(rig, &(struct sent){CLIENT_V4, 0x4000, 1440, false});
    assert_passes(rig, PEER_V4, 1440);
    send_indication(rig, CLIENT_V4, PEER_V4, 1420, false, true);
    assert_passes(rig, PEER_V4, 1420);
}

static void one_clients_path_is_not_anothers(void **state)
{
    struct rig *rig = *state;
    learn_of_client(rig, &(struct too_big)OF_CLIENT_V4);
    send_from_peer(rig, PEER_V4, RELAY_V4_LOCAL ":50003", 1440, false);
    assert_passes(rig, CLIENT_V6, 1444);
}

static void of_a_client_nothing_is_learned_from_what_cannot_be(void **state)
{
    struct rig *rig = *state;
    struct too_big error = OF_CLIENT_V4;
    error.mtu = 1500;
    receive_in_vain(rig, &error); // it had passed
    error = (struct too_big)OF_CLIENT_V4;
    error.flags = 0;
    receive_in_vain(rig, &error); // it would have been cut
    error = (struct too_big)OF_CLIENT_V6;
    error.mtu = 1279;
    receive_in_vain(rig, &error);
    assert_int_equal(rig_drops(rig, DROP_ICMP_OF_CLIENT), 3);
    error = (struct too_big)OF_CLIENT_V4;
    error.peer = "192.0.2.7:40001";
    receive_in_vain(rig, &error); // nobody's address
    error = (struct too_big)OF_CLIENT_V4;
    error.relay = "203.0.113.1:3479";
    receive_in_vain(rig, &error); // nor a listener's
    assert_int_equal(rig_drops(rig, DROP_BAD_ICMP), 2);
    send_from_peer(rig, PEER_V4, TO_FIRST_V4, 1440, false);
    assert_passes(rig, CLIENT_V4, 1444);
}

static void no_error_makes_a_clients_path_too_narrow_for_media(void **state)
{
    struct rig *rig = *state;
    struct too_big error = OF_CLIENT_V4;
    error.mtu = 68;
    learn_of_client(rig, &error);
    send_from_peer(rig, PEER_V4, TO_FIRST_V4, 576 - 28 - 4, false);
    assert_passes(rig, CLIENT_V4, 576 - 28);
    send_from_peer(rig, PEER_V4, TO_FIRST_V4, 576 - 28 - 3, false);
    assert_answered(rig, true, 576 - 48);
}

static bool channel_is_plain(const struct worker *worker, uint16_t relay_port)
{
    const struct tables *tables = &worker->tables;
    uint32_t channel = tables_relay_slot(tables, RIG_RELAY_V4, relay_port)->guess;
    assert_int_not_equal(channel, TABLE_NONE);
    return tables->channels.at[channel].is_plain;
}

static void a_larger_one_is_tried_on_a_client_when_it_is_long_ago(void **state)
{
    struct rig *rig = *state;
    struct worker *worker = rig->workers[0];
    assert_true(channel_is_plain(worker, 50001));
    learn_of_client(rig, &(struct too_big)OF_CLIENT_V4);
    assert_false(channel_is_plain(worker, 50001));
    for (unsigned set = 0; set < PATH_MTU_SETS; set++) {
        for (unsigned i = 0; i < PATH_MTU_SET_SIZE; i++) {
            if (worker->path_mtus_of_clients.at[set][i].expires_s > 0)
                worker->path_mtus_of_clients.at[set][i].expires_s = worker->now_s;
        }
    }
    send_from_peer(rig, PEER_V4, TO_FIRST_V4, 1440, false);
    assert_passes(rig, CLIENT_V4, 1444);
    assert_true(channel_is_plain(worker, 50001));
    learn_of_client(rig, &(struct too_big)OF_CLIENT_V4);
    send_from_peer(rig, PEER_V4, TO_FIRST_V4, 1440, false);
    assert_answered(rig, true, 1400 - 48);
}

static void a_channel_that_comes_later_has_it_from_its_allocation(void **state)
{
    struct rig *rig = *state;
    learn_of_client(rig, &(struct too_big)OF_CLIENT_V4);
    rig_channel(rig, 0, 1, 0x4005, "192.0.2.200:50005");
    rig_poll(rig);
    send_from_peer(rig, "192.0.2.200:50005", TO_FIRST_V4, 1440, false);
    assert_answered(rig, true, 1400 - 48);
}

static void the_next_owner_of_an_allocations_place_knows_nothing(void **state)
{
    struct rig *rig = *state;
    learn_of_client(rig, &(struct too_big)OF_CLIENT_V4);
    rig_remove(rig, 0, 1);
    rig_poll(rig);
    rig_allocation(rig, 0, 1, CLIENT_V4, 50001, 50002);
    rig_permission(rig, 0, 1, "192.0.2.200");
    rig_channel(rig, 0, 1, 0x4000, PEER_V4);
    rig_poll(rig);
    send_from_peer(rig, PEER_V4, TO_FIRST_V4, 1440, false);
    assert_passes(rig, CLIENT_V4, 1444);
}

// By way of that next hop.
static void install_peer_by(struct rig *rig, uint32_t adjacency)
{
    struct command command = {
        .kind = COMMAND_INSTALL_PERMISSION,
        .allocation = 1,
        .permission = {.path = {.adjacency = adjacency, .relay = RELAY_NONE}},
    };
    assert_int_equal(ip_address_parse("192.0.2.200", &command.permission.peer), 0);
    rig_command(rig, 0, &command);
    rig_poll(rig);
}

static void install_client_by(struct rig *rig, uint32_t adjacency)
{
    struct command command = {
        .kind = COMMAND_INSTALL_ALLOCATION,
        .allocation = 1,
        .install_allocation = {.client = rig_client(CLIENT_V4),
                               .adjacency = adjacency,
                               .relay_v4 = RIG_RELAY_V4,
                               .relay_v4_port = 50001,
                               .relay_v6 = RIG_RELAY_V6,
                               .relay_v6_port = 50002},
    };
    rig_command(rig, 0, &command);
    rig_poll(rig);
    assert_int_equal(rig_counter(rig, COUNTER_COMMAND_FAILURES), 0);
}

static void another_next_hop_is_another_path(void **state)
{
    struct rig *rig = *state;
    learn(rig, &(struct too_big)OF_FIRST_V4);
    install_peer_by(rig, RIG_TO_PEERS);
    send_channel_data(rig, &(struct sent){CLIENT_V4, 0x4000, 1440, false});
    assert_answered(rig, true, 1400);
    install_peer_by(rig, RIG_TO_CLIENTS);
    send_channel_data(rig, &(struct sent){CLIENT_V4, 0x4000, 1440, false});
    assert_passes(rig, PEER_V4, 1440);

    learn_of_client(rig, &(struct too_big)OF_CLIENT_V4);
    install_client_by(rig, RIG_TO_CLIENTS);
    send_from_peer(rig, PEER_V4, TO_FIRST_V4, 1440, false);
    assert_answered(rig, true, 1400 - 48);
    install_client_by(rig, RIG_TO_PEERS);
    send_from_peer(rig, PEER_V4, TO_FIRST_V4, 1440, false);
    assert_passes(rig, CLIENT_V4, 1444);
}

// Its records have the listener's address and port.
static int set_up_dtls(void **state)
{
    struct plane_config config;
    rig_config(&config, 1);
    unsigned listener = config.listener_count;
    config.stream_thread_count = 1;
    config.stream_ring_len = 64;
    config.dtls = true;
    config.stream_listeners[config.stream_listener_count++] =
        (struct plane_stream_listener){STREAM_DTLS, 0};
    assert_int_equal(transport_address_parse(LISTENER_V6, &config.listeners[listener]), 0);
    struct rig *rig = rig_create(&config);
    struct client_key client = rig_client(CLIENT_V6);
    client.listener = (uint16_t)listener;
    struct command command = {
        .kind = COMMAND_INSTALL_ALLOCATION,
        .allocation = 1,
        .install_allocation = {.client = client,
                               .adjacency = RIG_TO_CLIENTS,
                               .relay_v4 = RIG_RELAY_V4,
                               .relay_v4_port = 50001,
                               .relay_v6 = RELAY_NONE},
    };
    rig_command(rig, 0, &command);
    rig_channel(rig, 0, 1, 0x4000, PEER_V4);
    rig_permission(rig, 0, 1, "192.0.2.200");
    rig_poll(rig);
    *state = rig;
    return 0;
}

static void a_record_for_a_client_of_dtls_goes_by_it(void **state)
{
    struct rig *rig = *state;
    struct rte_mbuf *frames[2];
    const size_t most = 1400 - 48 - STREAM_DTLS_RECORD_LEN - 4;
    learn_of_client(rig, &(struct too_big)OF_CLIENT_V6);
    send_from_peer(rig, PEER_V4, TO_FIRST_V4, most, false);
    assert_int_equal(stream_receive(rig->plane, 0, 0, frames, 2), 1);
    struct stream_packet packet;
    assert_true(stream_packet_read(frames[0], &packet));
    assert_int_equal(packet.hop.mtu, 1400); // by which its thread cuts what comes out longer
    stream_packet_free(frames[0]);
    send_from_peer(rig, PEER_V4, TO_FIRST_V4, most + 1, false);
    assert_int_equal(stream_receive(rig->plane, 0, 0, frames, 2), 0);
    static uint8_t frame[RIG_FRAME_MAX];
    assert_true(rig_sent(rig, 0, frame) > 0);
    assert_int_equal(load_be16(frame + 34), 3 << 8 | 4);
}

static int set_up_three(void **state)
{
    struct plane_config config;
    rig_config(&config, 3);
    *state = rig_create(&config);
    return 0;
}

// Errors are spread by their routers' addresses: the client's home knows whose it is.
static void an_error_on_the_wrong_worker_finds_its_clients_owner(void **state)
{
    struct rig *rig = *state;
    const struct client_key client = rig_client(CLIENT_V4);
    uint16_t home = client_home(client.address.ip.bytes, client.address.port, 3);
    unsigned owner = (home + 1u) % 3, other = (home + 2u) % 3;
    struct command command = {.kind = COMMAND_INSTALL_STEERING,
                              .steering = {.client = client, .owner = (uint16_t)owner}};
    rig_allocation(rig, owner, 1, CLIENT_V4, 0, 0);
    rig_command(rig, home, &command);
    rig_poll(rig);
    struct too_big error = OF_CLIENT_V4;
    error.worker = other;
    learn_of_client(rig, &error);
    assert_int_equal(rig->plane->counters[owner].drops[DROP_ICMP_OF_CLIENT], 1);
    assert_int_equal(rig_counter(rig, COUNTER_HANDOFF_OUT), 2);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(believes_what_is_less_than_what_was_sent),
        cmocka_unit_test(believes_no_less_than_media_needs),
        cmocka_unit_test(guesses_where_an_old_router_does_not_say),
        cmocka_unit_test(keeps_a_path_for_its_lifetime),
        cmocka_unit_test(gives_the_place_of_whoever_expires_next),
        TEST(a_channels_datagrams_are_answered_by_what_the_path_has),
        TEST(what_may_be_cut_is_cut_to_what_the_path_has),
        TEST(send_indications_go_by_it_as_well),
        TEST(who_asked_for_df_is_told_as_by_a_router),
        TEST(dont_fragment_counts_within_ipv4_alone),
        TEST(one_clients_errors_are_not_anothers),
        TEST(only_less_is_learned),
        TEST(nothing_is_learned_from_what_cannot_be),
        TEST(a_larger_packet_is_tried_when_it_is_long_ago),
        TEST(a_channel_that_comes_later_has_it_from_its_permission),
        TEST(the_next_owner_of_a_permissions_place_knows_nothing),
        TEST(what_peers_send_is_answered_by_what_the_clients_path_has),
        TEST(what_may_be_cut_is_cut_to_what_the_clients_path_has),
        TEST(data_indications_go_by_it_as_well),
        TEST(what_the_client_sends_is_not_held_to_it),
        TEST(one_clients_path_is_not_anothers),
        TEST(of_a_client_nothing_is_learned_from_what_cannot_be),
        TEST(no_error_makes_a_clients_path_too_narrow_for_media),
        TEST(a_larger_one_is_tried_on_a_client_when_it_is_long_ago),
        TEST(a_channel_that_comes_later_has_it_from_its_allocation),
        TEST(the_next_owner_of_an_allocations_place_knows_nothing),
        TEST(another_next_hop_is_another_path),
        cmocka_unit_test_setup_teardown(a_record_for_a_client_of_dtls_goes_by_it, set_up_dtls,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(an_error_on_the_wrong_worker_finds_its_clients_owner,
                                        set_up_three, rig_tear_down),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
