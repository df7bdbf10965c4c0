// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/reassembly.h"

#include "dataplane/classify.h"
#include "rig.h"

#include <stdlib.h>

#define HZ 1000000u // TSC ticks a second, for these tests

#define SOURCE_V4      "192.0.2.200:50000"
#define DESTINATION_V4 "10.0.0.5:50001"
#define SOURCE_V6      "[2001:db8:e::9]:50000"
#define DESTINATION_V6 "[2001:db8:5::5]:50002"

struct fixture {
    struct reassembly reassembly;
    uint8_t whole[66000]; // the frame before it was cut
    size_t whole_len;
    uint8_t joined[66000];
    size_t joined_len;
    uint64_t now;
    uint32_t dropped;
    uint32_t merged;
    uint32_t id;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    assert_int_equal(reassembly_init(&fixture->reassembly, HZ, SOCKET_ID_ANY), 0);
    fixture->now = 1;
    fixture->id = 7;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    reassembly_done(&fixture->reassembly);
    free(fixture);
    return 0;
}

static void make_whole(struct fixture *fixture, const char *source, const char *destination,
                       size_t payload_len)
{
    static uint8_t payload[66000];
    for (size_t i = 0; i < payload_len; i++)
        payload[i] = (uint8_t)(i * 31 + (i >> 8));
    struct wire wire = {
        .source = source, .destination = destination, .payload = payload, .len = payload_len};
    wire.traffic_class = 0x46;
    wire.ttl = 17;
    fixture->whole_len = wire_write(&wire, fixture->whole);
}

static size_t headers_len(const struct fixture *fixture)
{
    return fixture->whole[14] >> 4 == 4 ? 34 : 54;
}

// The bytes [offset, end) of what follows the IP header, as a fragment.
static struct packet fragment_of(struct fixture *fixture, size_t offset, size_t end, bool more)
{
    struct packet packet;
    bool is_v4 = fixture->whole[14] >> 4 == 4;
    memset(&packet, 0, sizeof(packet));
    packet.kind = PACKET_FRAGMENT;
    packet.ip = fixture->whole + 14;
    packet.l4 = fixture->whole + headers_len(fixture) + offset;
    packet.l4_len = (uint16_t)(end - offset);
    packet.family = is_v4 ? IP_FAMILY_V4 : IP_FAMILY_V6;
    packet.source_ip = packet.ip + (is_v4 ? 12 : 8);
    packet.traffic_class = 0x46;
    packet.fragment_id = fixture->id;
    packet.fragment_protocol = 17;
    packet.fragment_offset = (uint16_t)offset;
    packet.fragment_more = more;
    return packet;
}

static bool take_packet(struct fixture *fixture, const struct packet *packet)
{
    struct reassembly_result result;
    reassembly_take(&fixture->reassembly, packet, fixture->now, &result);
    fixture->dropped += result.dropped;
    fixture->merged += result.merged;
    if (!result.complete)
        return false;
    fixture->joined_len = result.frame_len;
    memset(fixture->joined, 0xEE, sizeof(fixture->joined));
    reassembly_write(&fixture->reassembly, fixture->joined);
    return true;
}

static bool take(struct fixture *fixture, size_t offset, size_t end, bool more)
{
    struct packet packet = fragment_of(fixture, offset, end, more);
    return take_packet(fixture, &packet);
}

static void assert_joined(struct fixture *fixture)
{
    size_t headers = headers_len(fixture);
    size_t body_len = fixture->whole_len - headers;
    const uint8_t *ip = fixture->joined + 14;
    assert_memory_equal(fixture->joined, fixture->whole, 14);
    if (headers == 34) {
        struct wire_seen seen;
        wire_read(fixture->joined, fixture->joined_len, &seen);
        assert_int_equal(fixture->joined_len, fixture->whole_len);
        assert_int_equal(seen.ttl, 17);
        assert_int_equal(seen.traffic_class, 0x46);
        assert_memory_equal(fixture->joined + 34, fixture->whole + 34, body_len);
        return;
    }
    assert_int_equal(fixture->joined_len, fixture->whole_len + 8);
    assert_int_equal(load_be16(ip + 4), 8 + body_len);
    assert_int_equal(ip[6], 44);
    assert_memory_equal(ip, fixture->whole + 14, 4);
    assert_memory_equal(ip + 7, fixture->whole + 14 + 7, 33);
    assert_int_equal(ip[40], 17);
    assert_int_equal(load_be16(ip + 42), 0); // atomic
    assert_memory_equal(ip + 48, fixture->whole + 54, body_len);
}

static void joins_in_any_order(void **state)
{
    struct fixture *fixture = *state;
    static const unsigned orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                          {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    static const size_t cuts[4] = {0, 1000, 1600, 2009};
    for (unsigned order = 0; order < 12; order++) {
        if (order < 6)
            make_whole(fixture, SOURCE_V4, DESTINATION_V4, 2001);
        else
            make_whole(fixture, SOURCE_V6, DESTINATION_V6, 2001);
        for (unsigned i = 0; i < 3; i++) {
            unsigned part = orders[order % 6][i];
            assert_int_equal(take(fixture, cuts[part], cuts[part + 1], part < 2), i == 2);
        }
        assert_joined(fixture);
        assert_int_equal(fixture->reassembly.in_use, 0);
    }
    assert_int_equal(fixture->merged, 12 * 2);
    assert_int_equal(fixture->dropped, 0);
}

static void joins_the_longest_datagrams(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned family = 0; family < 2; family++) {
        size_t payload_len = family == 0 ? 65535 - 20 - 8 : 65527 - 8;
        make_whole(fixture, family == 0 ? SOURCE_V4 : SOURCE_V6,
                   family == 0 ? DESTINATION_V4 : DESTINATION_V6, payload_len);
        size_t body_len = 8 + payload_len;
        bool complete = false;
        for (size_t offset = 0; offset < body_len; offset += 1480) {
            assert_false(complete);
            bool more = body_len - offset > 1480;
            complete = take(fixture, offset, more ? offset + 1480 : body_len, more);
        }
        assert_true(complete);
        if (family == 0)
            assert_memory_equal(fixture->joined + 34, fixture->whole + 34, body_len);
        else
            assert_memory_equal(fixture->joined + 62, fixture->whole + 54, body_len);
    }
}

static void keeps_datagrams_apart(void **state)
{
    struct fixture *fixture = *state;
    make_whole(fixture, SOURCE_V4, DESTINATION_V4, 992);
    assert_false(take(fixture, 0, 800, true));
    fixture->id = 8;
    assert_false(take(fixture, 800, 1000, false));
    make_whole(fixture, "192.0.2.201:50000", DESTINATION_V4, 992);
    fixture->id = 7;
    assert_false(take(fixture, 800, 1000, false));
    assert_int_equal(fixture->reassembly.in_use, 3);
    assert_int_equal(fixture->dropped, 0);
}

// RFC 5722.
static void an_overlap_ends_the_datagram(void **state)
{
    struct fixture *fixture = *state;
    make_whole(fixture, SOURCE_V6, DESTINATION_V6, 1992);
    assert_false(take(fixture, 0, 800, true));
    assert_false(take(fixture, 792, 1600, true));
    assert_int_equal(fixture->dropped, 2);
    assert_int_equal(fixture->reassembly.in_use, 0);
}

static void the_same_fragment_twice_counts_once(void **state)
{
    struct fixture *fixture = *state;
    make_whole(fixture, SOURCE_V6, DESTINATION_V6, 1992);
    assert_false(take(fixture, 0, 800, true));
    assert_false(take(fixture, 0, 800, true));
    assert_int_equal(fixture->dropped, 1);
    assert_true(take(fixture, 800, 2000, false));
    assert_joined(fixture);
    assert_int_equal(fixture->merged, 1);
}

static void the_same_place_with_other_bytes_ends_the_datagram(void **state)
{
    struct fixture *fixture = *state;
    make_whole(fixture, SOURCE_V6, DESTINATION_V6, 1992);
    assert_false(take(fixture, 0, 800, true));
    fixture->whole[100] ^= 1;
    assert_false(take(fixture, 0, 800, true));
    assert_int_equal(fixture->dropped, 2);
    assert_int_equal(fixture->reassembly.in_use, 0);
}

static void two_ends_or_bytes_past_the_end_end_the_datagram(void **state)
{
    struct fixture *fixture = *state;
    make_whole(fixture, SOURCE_V4, DESTINATION_V4, 1992);
    assert_false(take(fixture, 1600, 2000, false));
    assert_false(take(fixture, 800, 1200, false));
    assert_int_equal(fixture->dropped, 2);
    assert_false(take(fixture, 800, 1200, false));
    assert_false(take(fixture, 1600, 1800, true));
    assert_int_equal(fixture->dropped, 4);
    assert_false(take(fixture, 1600, 1800, true));
    assert_false(take(fixture, 800, 1200, false)); // an end before what was seen
    assert_int_equal(fixture->dropped, 6);
    assert_int_equal(fixture->reassembly.in_use, 0);
}

// Though every byte of it has been seen.
static void another_end_within_what_was_seen_ends_the_datagram(void **state)
{
    struct fixture *fixture = *state;
    make_whole(fixture, SOURCE_V6, DESTINATION_V6, 1992);
    assert_false(take(fixture, 800, 2000, false));
    assert_false(take(fixture, 800, 1600, false));
    assert_int_equal(fixture->dropped, 2);
    assert_false(take(fixture, 800, 2000, false));
    assert_false(take(fixture, 800, 2000, true)); // no end where there was one
    assert_int_equal(fixture->dropped, 4);
    assert_false(take(fixture, 800, 2000, true));
    assert_false(take(fixture, 800, 2000, false));
    assert_int_equal(fixture->dropped, 6);
    assert_int_equal(fixture->reassembly.in_use, 0);
}

// On both sides of where 64 blocks of 8 bytes end, which are kept together.
static const size_t edges[] = {0,    8,    16,   496,  504,  512,  520,  528,
                               1016, 1024, 1032, 1528, 1536, 1544, 2040, 2048};

#define EDGES     (sizeof(edges) / sizeof(edges[0]))
#define EDGED_LEN 2600 // of a datagram that they are of

// Dropped as seen, or taken as new.
static void assert_seen(struct fixture *fixture, size_t offset, size_t end, bool seen)
{
    uint32_t before = fixture->dropped;
    assert_false(take(fixture, offset, end, true));
    assert_int_equal(fixture->dropped - before, seen ? 1 : 0);
    assert_int_equal(fixture->reassembly.in_use, 1);
}

static void assert_joined_from(struct fixture *fixture, size_t offset)
{
    assert_true(take(fixture, offset, EDGED_LEN, false));
    assert_joined(fixture);
    assert_int_equal(fixture->reassembly.in_use, 0);
}

static void of_ranges_from_edge_to_edge_each_block_is_seen_and_no_other(void **state)
{
    struct fixture *fixture = *state;
    make_whole(fixture, SOURCE_V6, DESTINATION_V6, EDGED_LEN - 8);
    for (size_t i = 0; i < EDGES; i++) {
        for (size_t j = i + 1; j < EDGES; j++) {
            size_t first = edges[i], end = edges[j];
            fixture->id++;
            assert_seen(fixture, first, end, false);
            for (size_t at = first; at < end; at += 8)
                assert_seen(fixture, at, at + 8, true);
            assert_seen(fixture, first, end, true);
            if (first > 16)
                assert_seen(fixture, 0, first - 8, false);
            if (first > 0)
                assert_seen(fixture, first > 16 ? first - 8 : 0, first, false);
            assert_seen(fixture, end, end + 8, false);
            assert_seen(fixture, 0, end + 8, true);
            assert_joined_from(fixture, end + 8);
        }
    }
}

static void what_reaches_a_block_over_an_edge_is_an_overlap(void **state)
{
    struct fixture *fixture = *state;
    make_whole(fixture, SOURCE_V6, DESTINATION_V6, EDGED_LEN - 8);
    for (size_t i = 1; i < EDGES; i++) {
        for (size_t j = i + 1; j < EDGES; j++) {
            uint32_t before = fixture->dropped;
            fixture->id++;
            assert_seen(fixture, edges[i], edges[j], false);
            assert_false(take(fixture, edges[i] - 8, edges[i] + 8, true));
            assert_int_equal(fixture->dropped, before + 2);
            assert_seen(fixture, edges[i], edges[j], false);
            assert_false(take(fixture, edges[j] - 8, edges[j] + 8, true));
            assert_int_equal(fixture->dropped, before + 4);
            assert_int_equal(fixture->reassembly.in_use, 0);
        }
    }
}

// The place of a datagram that was forgotten is the next one's.
static void nothing_is_left_of_a_datagram_that_was_forgotten(void **state)
{
    struct fixture *fixture = *state;
    make_whole(fixture, SOURCE_V6, DESTINATION_V6, EDGED_LEN - 8);
    for (size_t i = 2; i < EDGES; i++) {
        assert_false(take(fixture, edges[i] - 8, edges[i], i % 2 == 0));
        fixture->now += 2 * HZ;
        assert_int_equal(reassembly_expire(&fixture->reassembly, fixture->now), 1);
        assert_seen(fixture, 0, edges[i], false);
        assert_joined_from(fixture, edges[i]);
    }
    assert_int_equal(fixture->dropped, 0);
}

static void take_up(struct fixture *fixture, uint32_t id)
{
    fixture->id = id;
    for (size_t i = headers_len(fixture); i < fixture->whole_len; i++)
        fixture->whole[i] = (uint8_t)(id * 7 + i * 31 + (i >> 8));
}

// As many as a set has, so that none is pushed out.
static void datagrams_in_work_keep_their_bytes_whichever_is_complete_first(void **state)
{
    struct fixture *fixture = *state;
    uint32_t in_work[REASSEMBLY_SET_SIZE];
    make_whole(fixture, SOURCE_V6, DESTINATION_V6, 1992);
    for (uint32_t i = 0; i < REASSEMBLY_SET_SIZE; i++) {
        take_up(fixture, in_work[i] = i);
        assert_false(take(fixture, 0, 800, true));
    }
    for (uint32_t id = REASSEMBLY_SET_SIZE; id < 1000; id++) {
        uint32_t *next = &in_work[id * id / 7 % REASSEMBLY_SET_SIZE];
        take_up(fixture, *next);
        assert_true(take(fixture, 800, 2000, false));
        assert_joined(fixture);
        take_up(fixture, *next = id);
        assert_false(take(fixture, 0, 800, true));
    }
    assert_int_equal(fixture->dropped, 0);
}

// RFC 8200 section 4.5.
static void refuses_a_first_fragment_without_the_udp_header(void **state)
{
    struct fixture *fixture = *state;
    make_whole(fixture, SOURCE_V6, DESTINATION_V6, 1992);
    uint8_t *options = fixture->whole + headers_len(fixture); // destination options, 8 bytes
    memset(options, 0, 8);
    options[0] = 17;
    struct packet packet = fragment_of(fixture, 0, 8, true);
    packet.fragment_protocol = 60;
    assert_false(take_packet(fixture, &packet));
    packet = fragment_of(fixture, 0, 16, true);
    packet.fragment_protocol = 60;
    options[1] = 1; // now 16 bytes
    assert_false(take_packet(fixture, &packet));
    options[1] = 2; // more than there is
    assert_false(take_packet(fixture, &packet));
    assert_int_equal(fixture->dropped, 3);
    assert_int_equal(fixture->reassembly.in_use, 0);
    options[1] = 0;
    assert_false(take_packet(fixture, &packet));
    assert_int_equal(fixture->dropped, 3);
    assert_int_equal(fixture->reassembly.in_use, 1);
}

static void refuses_fragments_that_cannot_be(void **state)
{
    struct fixture *fixture = *state;
    make_whole(fixture, SOURCE_V4, DESTINATION_V4, 1992);
    assert_false(take(fixture, 0, 801, true)); // not in blocks
    assert_false(take(fixture, 0, 0, true));
    assert_false(take(fixture, 8, 8, false));
    struct packet packet = fragment_of(fixture, 0, 800, false);
    packet.fragment_offset = 65528 - 792;
    assert_false(take_packet(fixture, &packet)); // past what a datagram can hold
    packet = fragment_of(fixture, 0, 800, true);
    packet.fragment_protocol = 6;
    assert_false(take_packet(fixture, &packet));
    assert_int_equal(fixture->dropped, 5);
    assert_int_equal(fixture->reassembly.in_use, 0);
}

static void a_whole_that_is_too_long_to_say_is_dropped(void **state)
{
    struct fixture *fixture = *state;
    make_whole(fixture, SOURCE_V4, DESTINATION_V4, 65535 - 20 - 8);
    size_t body_len = 65516; // 20 + 65516 is one more than 16 bits hold
    for (size_t offset = 0; offset < 65512; offset += 8189 / 8 * 8) {
        bool more = offset + 8184 < body_len;
        assert_false(take(fixture, offset, more ? offset + 8184 : body_len, more));
    }
    assert_int_equal(fixture->dropped, 9);
    assert_int_equal(fixture->reassembly.in_use, 0);
}

static void too_many_fragments_end_the_datagram(void **state)
{
    struct fixture *fixture = *state;
    make_whole(fixture, SOURCE_V4, DESTINATION_V4, 1992);
    for (unsigned i = 0; i < REASSEMBLY_FRAGMENTS_MAX; i++)
        assert_false(take(fixture, i * 8, i * 8 + 8, true));
    assert_int_equal(fixture->dropped, 0);
    assert_false(
        take(fixture, REASSEMBLY_FRAGMENTS_MAX * 8, REASSEMBLY_FRAGMENTS_MAX * 8 + 8, true));
    assert_int_equal(fixture->dropped, REASSEMBLY_FRAGMENTS_MAX + 1);
}

static void forgets_what_is_overdue(void **state)
{
    struct fixture *fixture = *state;
    make_whole(fixture, SOURCE_V4, DESTINATION_V4, 1992);
    assert_false(take(fixture, 0, 800, true));
    assert_false(take(fixture, 800, 1600, true));
    uint64_t timeout = (uint64_t)HZ / 1000 * REASSEMBLY_TIMEOUT_MS;
    assert_int_equal(reassembly_expire(&fixture->reassembly, fixture->now + timeout - 1), 0);
    assert_int_equal(fixture->reassembly.in_use, 1);
    assert_int_equal(reassembly_expire(&fixture->reassembly, fixture->now + 2 * timeout), 2);
    assert_int_equal(fixture->reassembly.in_use, 0);
    assert_int_equal(reassembly_expire(&fixture->reassembly, fixture->now + 4 * timeout), 0);
}

static void a_late_fragment_starts_anew(void **state)
{
    struct fixture *fixture = *state;
    make_whole(fixture, SOURCE_V4, DESTINATION_V4, 1992);
    assert_false(take(fixture, 0, 800, true));
    fixture->now += HZ + 1;
    assert_false(take(fixture, 800, 2000, false));
    assert_int_equal(fixture->dropped, 1);
    assert_true(take(fixture, 0, 800, true));
    assert_joined(fixture);
}

static void is_bounded_and_gives_up_the_oldest(void **state)
{
    struct fixture *fixture = *state;
    make_whole(fixture, SOURCE_V4, DESTINATION_V4, 1992);
    for (fixture->id = 0; fixture->id < 20000; fixture->id++) {
        fixture->now = fixture->id + 1;
        assert_false(take(fixture, 0, 800, true));
    }
    assert_int_equal(fixture->reassembly.in_use, REASSEMBLY_DATAGRAMS);
    assert_int_equal(fixture->dropped, 20000 - REASSEMBLY_DATAGRAMS);
    fixture->id = 19999;
    assert_true(take(fixture, 800, 2000, false));
    assert_joined(fixture);
}

static void assert_ecn(struct fixture *fixture, unsigned first, unsigned second, int joined)
{
    for (unsigned family = 0; family < 2; family++) {
        make_whole(fixture, family == 0 ? SOURCE_V4 : SOURCE_V6,
                   family == 0 ? DESTINATION_V4 : DESTINATION_V6, 1992);
        if (family == 0)
            fixture->whole[15] = (uint8_t)(0x44 | first);
        else
            fixture->whole[15] = (uint8_t)((fixture->whole[15] & 0x0F) | (4 | first) << 4);
        struct packet packet = fragment_of(fixture, 0, 800, true);
        packet.traffic_class = (uint8_t)(0x44 | first);
        assert_false(take_packet(fixture, &packet));
        packet = fragment_of(fixture, 800, 2000, false);
        packet.traffic_class = (uint8_t)(0x44 | second);
        assert_int_equal(take_packet(fixture, &packet), joined >= 0);
        if (joined >= 0)
            assert_int_equal((load_be16(fixture->joined + 14) >> (family == 0 ? 0 : 4) & 0xFF),
                             0x44 | joined);
    }
}

// RFC 3168 section 5.3.
static void congestion_of_one_fragment_is_the_datagrams(void **state)
{
    assert_ecn(*state, 2, 2, 2);
    assert_ecn(*state, 2, 3, 3);
    assert_ecn(*state, 3, 2, 3);
    assert_ecn(*state, 1, 3, 3);
    assert_ecn(*state, 0, 0, 0);
    assert_ecn(*state, 0, 3, -1);
    assert_ecn(*state, 3, 0, -1);
}

// Through a worker.

static void receive_fragment(struct rig *rig, const uint8_t *whole, size_t whole_len, size_t offset,
                             size_t end)
{
    static uint8_t frame[RIG_FRAME_MAX];
    bool is_v4 = whole[14] >> 4 == 4;
    size_t headers = is_v4 ? 34 : 54;
    size_t extra = is_v4 ? 0 : 8;
    bool more = headers + end < whole_len;
    memcpy(frame, whole, headers);
    memcpy(frame + headers + extra, whole + headers + offset, end - offset);
    if (is_v4) {
        store_be16(frame + 16, (uint16_t)(20 + end - offset));
        store_be16(frame + 20, (uint16_t)(offset / 8 | (more ? 0x2000 : 0)));
        wire_fix_ipv4(frame);
    } else {
        store_be16(frame + 18, (uint16_t)(8 + end - offset));
        frame[20] = 44;
        memset(frame + 54, 0, 8);
        frame[54] = 17;
        store_be16(frame + 56, (uint16_t)(offset | more));
        store_be32(frame + 58, 0xFEED);
    }
    rig_receive(rig, 0, frame, headers + extra + end - offset);
}

static void receive_cut(struct rig *rig, const struct wire *wire, size_t chunk_len)
{
    static uint8_t whole[RIG_FRAME_MAX];
    size_t whole_len = wire_write(wire, whole);
    size_t body_len = whole_len - (whole[14] >> 4 == 4 ? 34 : 54);
    for (size_t offset = 0; offset < body_len; offset += chunk_len)
        receive_fragment(rig, whole, whole_len, offset,
                         offset + chunk_len < body_len ? offset + chunk_len : body_len);
    rig_poll(rig);
}

static void install(struct rig *rig)
{
    rig_allocation(rig, 0, 1, "192.0.2.7:40000", 50001, 50002);
    rig_channel(rig, 0, 1, 0x4000, SOURCE_V4);
    rig_channel(rig, 0, 1, 0x4001, SOURCE_V6);
    rig_poll(rig);
}

static void a_worker_relays_what_came_in_fragments(void **state)
{
    struct rig *rig = *state;
    uint8_t payload[1000];
    struct wire_seen seen;
    memset(payload, 0x3C, sizeof(payload));
    install(rig);
    struct wire wire = {
        .source = SOURCE_V4, .destination = DESTINATION_V4, .payload = payload, .len = 999};
    for (size_t chunk_len = 8; chunk_len <= 1008;
         chunk_len += 40) { // the smallest cuts through every header
        receive_cut(rig, &wire, chunk_len);
        rig_sent_wire(rig, 0, &seen);
        assert_int_equal(load_be16(seen.payload), 0x4000);
        assert_memory_equal(seen.payload + 4, payload, 999);
    }
    wire.source = SOURCE_V6;
    wire.destination = DESTINATION_V6;
    receive_cut(rig, &wire, 504);
    rig_sent_wire(rig, 0, &seen);
    assert_int_equal(load_be16(seen.payload), 0x4001);
    assert_memory_equal(seen.payload + 4, payload, 999);
    assert_true(rig_counter(rig, COUNTER_REASSEMBLED) > 20);
}

static void a_worker_takes_datagrams_longer_than_a_buffer(void **state)
{
    struct rig *rig = *state;
    static uint8_t message[60000], frame[RIG_FRAME_MAX];
    install(rig);
    struct wire wire = {
        .source = "192.0.2.7:40000", .destination = LISTENER_V4, .payload = message};
    wire.len = message_channel_data(message, 0x4000, message + 4, sizeof(message) - 4);
    receive_cut(rig, &wire, 1480);
    size_t total = 0;
    for (size_t len; (len = rig_sent(rig, 0, frame)) > 0;)
        total += len - 34;
    assert_int_equal(total, 8 + sizeof(message) - 4);
    assert_int_equal(rig_counter(rig, COUNTER_CHANNEL_TO_PEER), 1);
    assert_int_equal(rig_counter(rig, COUNTER_FRAGMENTED), 1);
}

static void fragments_for_others_are_not_ours(void **state)
{
    struct rig *rig = *state;
    uint8_t payload[100] = {0};
    struct wire wire = {
        .source = SOURCE_V4, .destination = "10.0.0.6:50001", .payload = payload, .len = 100};
    receive_cut(rig, &wire, 56);
    assert_int_equal(rig_drops(rig, DROP_NOT_OURS), 2);
}

static void what_never_completes_stays_within_bounds(void **state)
{
    struct rig *rig = *state;
    static uint8_t whole[RIG_FRAME_MAX];
    uint8_t payload[100] = {0};
    struct wire wire = {
        .source = SOURCE_V4, .destination = DESTINATION_V4, .payload = payload, .len = 100};
    size_t whole_len = wire_write(&wire, whole);
    receive_fragment(rig, whole, whole_len, 0, 56);
    rig_poll(rig);
    struct worker_usage usage;
    worker_get_usage(rig->workers[0], &usage);
    assert_int_equal(usage.fragments, 1);
    assert_int_equal(rte_mempool_avail_count(rig_pool),
                     rig->frames_free); // the buffer is back already
    receive_fragment(rig, whole, whole_len, 56, 108);
    rig_poll(rig);
    rig_dropped_once(rig, DROP_NO_RELAYED_ADDRESS);
}

// One of two fragments, next_header's, of an IPv6 datagram to a relay port.
static void receive_piece(struct rig *rig, uint32_t id, uint8_t next_header, uint16_t offset_more,
                          const uint8_t *bytes, size_t len)
{
    uint8_t options[9] = {44, next_header, 0};
    uint8_t frame[512];
    struct wire wire = {.source = SOURCE_V6,
                        .destination = DESTINATION_V6,
                        .payload = "",
                        .options = options,
                        .options_len = sizeof(options)};
    store_be16(options + 3, offset_more);
    store_be32(options + 5, id);
    wire_write(&wire, frame);
    store_be16(frame + 18, (uint16_t)(8 + len));
    memcpy(frame + 62, bytes, len);
    rig_receive(rig, 0, frame, 62 + len);
}

// A datagram in two fragments that is, behind destination options, itself a fragment.
static void receive_nested(struct rig *rig, uint32_t id, uint32_t inner_id,
                           uint16_t inner_offset_more)
{
    uint8_t bytes[16 + 16] = {44, 0, 1, 4, 0, 0, 0, 0, 17};
    store_be16(bytes + 10, inner_offset_more);
    store_be32(bytes + 12, inner_id);
    receive_piece(rig, id, 60, 1, bytes, 16);
    receive_piece(rig, id, 17, 16, bytes + 16, 16);
}

// RFC 8200 section 4.1: at most one Fragment header. Put together again and again, what one burst
// completes would have no bound.
static void a_fragment_within_a_datagram_put_together_is_refused(void **state)
{
    struct rig *rig = *state;
    struct worker_usage usage;
    for (uint32_t pair = 0; pair < 40; pair++) {
        receive_nested(rig, 3 * pair, 3 * pair + 2, 1);
        receive_nested(rig, 3 * pair + 1, 3 * pair + 2, 16);
    }
    rig_poll(rig);
    worker_get_usage(rig->workers[0], &usage);
    assert_int_equal(usage.fragments, 0);
    assert_int_equal(rig_counter(rig, COUNTER_REASSEMBLED), 80);
    assert_int_equal(rig_drops(rig, DROP_IP_OPTIONS), 80);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define RIG(test)  cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(joins_in_any_order),
        TEST(joins_the_longest_datagrams),
        TEST(keeps_datagrams_apart),
        TEST(an_overlap_ends_the_datagram),
        TEST(the_same_fragment_twice_counts_once),
        TEST(the_same_place_with_other_bytes_ends_the_datagram),
        TEST(two_ends_or_bytes_past_the_end_end_the_datagram),
        TEST(another_end_within_what_was_seen_ends_the_datagram),
        TEST(of_ranges_from_edge_to_edge_each_block_is_seen_and_no_other),
        TEST(what_reaches_a_block_over_an_edge_is_an_overlap),
        TEST(nothing_is_left_of_a_datagram_that_was_forgotten),
        TEST(datagrams_in_work_keep_their_bytes_whichever_is_complete_first),
        TEST(refuses_a_first_fragment_without_the_udp_header),
        TEST(refuses_fragments_that_cannot_be),
        TEST(a_whole_that_is_too_long_to_say_is_dropped),
        TEST(too_many_fragments_end_the_datagram),
        TEST(forgets_what_is_overdue),
        TEST(a_late_fragment_starts_anew),
        TEST(is_bounded_and_gives_up_the_oldest),
        TEST(congestion_of_one_fragment_is_the_datagrams),
        RIG(a_worker_relays_what_came_in_fragments),
        RIG(a_worker_takes_datagrams_longer_than_a_buffer),
        RIG(fragments_for_others_are_not_ours),
        RIG(what_never_completes_stays_within_bounds),
        RIG(a_fragment_within_a_datagram_put_together_is_refused),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
