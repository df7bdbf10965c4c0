// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/allowance.h"

#include "base/port_slice.h"
#include "rig.h"

#include <pthread.h>
#include <stdio.h>

#define CHARGE(len) ((len) + ALLOWANCE_PACKET_LEN)

// One worker, allocation 1 and its channels 0x4000 and 0x4001.
struct fixture {
    struct rig *rig;
    struct worker *worker;
    struct channel *channel;
    struct channel *other;
};

static struct fixture fixture;

static struct channel *channel_of(const struct worker *worker, const char *client, uint16_t number)
{
    struct transport_address address;
    struct flow_key key;
    assert_int_equal(transport_address_parse(client, &address), 0);

    tables_client_key(&worker->tables, &key, RIG_LISTENER_V4, IP_FAMILY_V4, address.ip.bytes,
                      __builtin_bswap16(address.port), number);
    uint32_t index = tables_find(&worker->tables, &key);
    assert_int_not_equal(index, TABLE_NONE);
    return &worker->tables.channels.at[index];
}

static struct channel *channel_at(const struct worker *worker, uint16_t number)
{
    return channel_of(worker, CLIENT_V4, number);
}

static void fixture_of(struct rig *rig)
{
    fixture.rig = rig;
    fixture.worker = rig->workers[0];
    fixture.channel = channel_at(fixture.worker, 0x4000);
    fixture.other = channel_at(fixture.worker, 0x4001);
}

static int set_up(void **state)
{
    rig_set_up_channels(state);
    fixture_of(*state);
    return 0;
}

static int set_up_limited(void **state)
{
    rig_set_up_limited(state);
    fixture_of(*state);
    return 0;
}

static uint64_t spend_all_at(struct worker *worker, struct channel *channel,
                             enum direction direction, size_t len)
{
    uint64_t packets = 0;
    while (packets < 1000000 && allowance_spend(worker, channel, direction, len))
        packets++;
    return packets;
}

static uint64_t spend_all(struct channel *channel, enum direction direction, size_t len)
{
    return spend_all_at(fixture.worker, channel, direction, len);
}

// What the allocation has carried when its channels go.
static struct allocation_traffic settled(void)
{
    struct tables *tables = &fixture.worker->tables;
    allowance_settle(tables, fixture.channel);
    allowance_settle(tables, fixture.other);
    return tables->allocations.at[channel_allocation(fixture.channel)].traffic;
}

static void without_a_limit_nothing_is_refused_and_all_is_counted(void **state)
{
    (void)state;
    assert_int_equal(spend_all(fixture.channel, DIRECTION_TO_PEER, 1200), 1000000);
    assert_int_equal(spend_all(fixture.channel, DIRECTION_TO_CLIENT, 0), 1000000);
    for (unsigned len = 0; len < 65000; len += 1000)
        assert_true(allowance_spend(fixture.worker, fixture.channel, DIRECTION_TO_CLIENT, len));
    struct allocation_traffic traffic = settled();
    assert_int_equal(traffic.to_peer_packets, 1000000);
    assert_int_equal(traffic.to_peer_bytes, 1200000000);
    assert_int_equal(traffic.to_client_packets, 1000065);
    assert_int_equal(traffic.to_client_bytes, 1000 * (64 * 65 / 2));
}

static void a_limit_is_of_each_allocation_alone(void **state)
{
    (void)state;
    struct worker *worker = fixture.worker;
    const struct allocation *first =
        &worker->tables.allocations.at[channel_allocation(fixture.channel)];
    const struct allocation *second = first + 1;
    assert_int_equal(index_pool_used(&worker->tables.allocations.pool), 2);
    worker->bandwidth = token_rate_make(100000, 2000, 1000000000);
    assert_true(allowance_spend_direct(worker, first, DIRECTION_TO_PEER, 1900));
    assert_false(allowance_spend_direct(worker, first, DIRECTION_TO_PEER, 1900));
    assert_true(allowance_spend_direct(worker, first, DIRECTION_TO_CLIENT, 1900));
    assert_true(allowance_spend_direct(worker, second, DIRECTION_TO_PEER, 1900));
}

static void an_allocation_begins_with_its_whole_bandwidth(void **state)
{
    struct rig *rig = *state;
    struct worker *worker = fixture.worker;
    uint32_t index = channel_allocation(fixture.channel);
    struct command command = {.kind = COMMAND_REMOVE_ALLOCATION, .allocation = 1};
    worker->bandwidth = token_rate_make(100000, 2000, 1000000000);
    assert_true(allowance_spend_direct(worker, &worker->tables.allocations.at[index],
                                       DIRECTION_TO_PEER, 1900));
    rig_command(rig, 0, &command);
    rig_poll(rig);
    rig_allocation(rig, 0, 3, CLIENT_V4, 50001, 50002);
    rig_poll(rig);
    assert_int_equal(allocation_table_find(&worker->tables.allocations, 3), index);
    assert_true(allowance_spend_direct(worker, &worker->tables.allocations.at[index],
                                       DIRECTION_TO_PEER, 1900));
}

static void channels_of_an_allocation_are_counted_together_and_once(void **state)
{
    (void)state;
    fixture.worker->allowance_piece_len = 4096;
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(allowance_spend(fixture.worker, fixture.channel, DIRECTION_TO_PEER, i));
        assert_true(allowance_spend(fixture.worker, fixture.other, DIRECTION_TO_PEER, 7));
        assert_true(allowance_spend(fixture.worker, fixture.other, DIRECTION_TO_CLIENT, 1));
    }
    struct allocation_traffic traffic = settled();
    assert_int_equal(traffic.to_peer_packets, 2000);
    assert_int_equal(traffic.to_peer_bytes, 999 * 1000 / 2 + 7000);
    assert_int_equal(traffic.to_client_packets, 1000);
    assert_int_equal(traffic.to_client_bytes, 1000);
    traffic = settled();
    assert_int_equal(traffic.to_peer_packets, 2000);
    assert_int_equal(traffic.to_peer_bytes, 999 * 1000 / 2 + 7000);
}

static void what_did_not_go_on_is_not_counted(void **state)
{
    (void)state;
    assert_true(allowance_spend(fixture.worker, fixture.channel, DIRECTION_TO_PEER, 100));
    assert_true(allowance_spend(fixture.worker, fixture.channel, DIRECTION_TO_PEER, 50));
    allowance_give_back(fixture.channel, DIRECTION_TO_PEER, 100);
    struct allocation_traffic traffic = settled();
    assert_int_equal(traffic.to_peer_packets, 1);
    assert_int_equal(traffic.to_peer_bytes, 50);
}

static void an_allocations_channels_share_its_bandwidth(void **state)
{
    (void)state;
    struct worker *worker = fixture.worker;
    const uint64_t burst = 200000, rate = 100000;
    worker->bandwidth = token_rate_make(rate, burst, 1000000000);
    worker->allowance_piece_len = allowance_piece_len(burst);
    worker->now_tsc = 5;
    uint64_t first = spend_all(fixture.channel, DIRECTION_TO_PEER, 996) * CHARGE(996);
    assert_in_range(first, burst - 2 * worker->allowance_piece_len, burst);
    uint64_t second = spend_all(fixture.other, DIRECTION_TO_PEER, 996) * CHARGE(996);
    assert_in_range(first + second, burst - CHARGE(996), burst);
    // The other direction has a bucket of its own.
    assert_true(allowance_spend(worker, fixture.channel, DIRECTION_TO_CLIENT, 996));
    // A second later as much is there as the rate says, however it is divided.
    worker->now_tsc += 1000000000;
    uint64_t third = spend_all(fixture.other, DIRECTION_TO_PEER, 996) * CHARGE(996) +
                     spend_all(fixture.channel, DIRECTION_TO_PEER, 996) * CHARGE(996);
    assert_in_range(first + second + third, burst + rate - 3 * CHARGE(996), burst + rate);
}

// What a silent channel keeps is lost to the others, a small part of what there is.
static void a_piece_is_a_part_of_what_an_idle_bucket_holds(void **state)
{
    (void)state;
    assert_int_equal(allowance_piece_len(131072), 4096);
    assert_int_equal(allowance_piece_len(1 << 20), 32768);
    assert_int_equal(allowance_piece_len(UINT64_C(1) << 40), ALLOWANCE_PIECE_LEN);
}

static void indications_take_from_the_same_bandwidth(void **state)
{
    (void)state;
    struct worker *worker = fixture.worker;
    struct allocation *allocation =
        &worker->tables.allocations.at[channel_allocation(fixture.channel)];
    worker->bandwidth = token_rate_make(100000, 200000, 1000000000);
    worker->allowance_piece_len = allowance_piece_len(200000);
    unsigned packets = 0;
    while (packets < 1000 && allowance_spend_direct(worker, allocation, DIRECTION_TO_PEER, 996))
        packets++;
    assert_in_range(packets, 198, 200);
    assert_false(allowance_spend(worker, fixture.channel, DIRECTION_TO_PEER, 996));
}

static void what_is_above_is_dropped_on_every_way(void **state)
{
    struct rig *rig = *state;
    uint8_t message[128];
    fixture.worker->bandwidth = token_rate_make(1, 30, rte_get_tsc_hz());
    fixture.worker->allowance_piece_len = allowance_piece_len(30);
    struct wire wires[4] = {
        {.source = CLIENT_V4, .destination = LISTENER_V4},
        {.source = PEER_V4, .destination = RELAY_V4_LOCAL ":50001"},
        {.source = PEER_V4, .destination = RELAY_V4_LOCAL ":50001", .no_checksum = true},
        {.source = CLIENT_V4, .destination = LISTENER_V4, .no_checksum = true},
    };
    for (unsigned i = 0; i < 4; i++) {
        wires[i].payload = i == 1 || i == 2 ? rig_data : message;
        wires[i].len = i == 1 || i == 2 ? sizeof(rig_data)
                                        : message_channel_data(message, 0x4000, rig_data, 40);
        rig_process_wire(rig, 0, &wires[i]);
        assert_int_equal(rig_drops(rig, DROP_BANDWIDTH), i + 1);
    }
    struct wire send = {.source = CLIENT_V4, .destination = LISTENER_V4, .payload = message};
    send.len = message_send(message, PEER_V4, rig_data, 40, false);
    rig_process_wire(rig, 0, &send);
    assert_int_equal(rig_drops(rig, DROP_BANDWIDTH), 5);
    rig_sent_nothing(rig);
    assert_int_equal(rig_counter(rig, COUNTER_CHANNEL_TO_PEER), 0);
    assert_int_equal(rig_counter(rig, COUNTER_PEER_TO_CHANNEL), 0);
}

static void set_limit(uint64_t max_bps)
{
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = COMMAND_SET_RATES;
    command.set_rates.max_bps = max_bps;
    rig_command(fixture.rig, 0, &command);
    rig_poll(fixture.rig);
}

static void a_new_limit_holds_for_what_there_is(void **state)
{
    (void)state;
    uint64_t before = spend_all(fixture.channel, DIRECTION_TO_PEER, 1200);
    assert_in_range(before, 1, 30000);
    set_limit(0);
    assert_int_equal(spend_all(fixture.channel, DIRECTION_TO_PEER, 1200), 1000000);
    assert_true(allowance_spend_direct(
        fixture.worker, fixture.worker->tables.allocations.at + channel_allocation(fixture.channel),
        DIRECTION_TO_PEER, 1200));
    set_limit(100000000);
    assert_in_range(spend_all(fixture.channel, DIRECTION_TO_PEER, 1200), 0, 30000);
    assert_int_equal(rig_counter(fixture.rig, COUNTER_COMMAND_FAILURES), 0);
}

// A bucket that a low limit has emptied would take a minute to fill.
static void a_higher_limit_does_not_wait_for_a_lower_one(void **state)
{
    (void)state;
    struct worker *worker = fixture.worker;
    set_limit(1000);
    worker->now_tsc = rte_get_tsc_cycles();
    spend_all(fixture.channel, DIRECTION_TO_PEER, 1200);
    set_limit(100000000);
    worker->now_tsc += worker->tsc_hz / 100;
    spend_all(fixture.channel, DIRECTION_TO_PEER, 1200); // the first to ask is refused still
    worker->now_tsc += worker->tsc_hz / 4;
    assert_in_range(spend_all(fixture.channel, DIRECTION_TO_PEER, 1200), 10000, 30000);
}

static void no_limit_comes_where_there_is_no_room_for_one(void **state)
{
    (void)state;
    set_limit(1000);
    assert_int_equal(rig_counter(fixture.rig, COUNTER_COMMAND_FAILURES), 1);
    assert_int_equal(spend_all(fixture.channel, DIRECTION_TO_PEER, 1200), 1000000);
}

// What users and all allocations share. Two workers: of user 3 an allocation at each, 1 and 2, and
// of user 4 allocation 3 at the second.

#define USER_BPS   2000000
#define TOTAL_BPS  2400000
#define BURST(bps) ((bps) / 4)
#define LEN        996 // of a packet's data
#define SECOND     "192.0.2.8:40000"
#define STRANGER   "192.0.2.9:40000"

struct shared {
    struct worker *workers[2];
    struct channel *first;    // of user 3, at workers[0]
    struct channel *other;    // of the same allocation
    struct channel *second;   // of user 3, at workers[1]
    struct channel *stranger; // of user 4, at workers[1]
};

static struct shared shared;

static void shared_set_time(uint64_t now_tsc)
{
    shared.workers[0]->now_tsc = shared.workers[1]->now_tsc = now_tsc;
}

// A relay port of that worker's.
static uint16_t port_of(unsigned worker)
{
    uint16_t port = 50000;
    while (port_slice_worker(port, 2) != worker)
        port++;
    return port;
}

static int shared_set_up(void **state, uint64_t max_bps, uint64_t user_max_bps,
                         uint64_t total_max_bps)
{
    struct plane_config config;
    rig_config(&config, 2);
    config.max_bps = max_bps;
    config.user_max_bps = user_max_bps;
    config.total_max_bps = total_max_bps;
    config.users = 8;
    struct rig *rig = *state = rig_create(&config);
    rig_allocation_of(rig, 0, 1, 3, CLIENT_V4, port_of(0), 0);
    rig_allocation_of(rig, 1, 2, 3, SECOND, port_of(1), 0);
    rig_allocation_of(rig, 1, 3, 4, STRANGER, port_of(1) + 1, 0);
    rig_channel(rig, 0, 1, 0x4000, PEER_V4);
    rig_channel(rig, 0, 1, 0x4001, "192.0.2.201:50000");
    rig_channel(rig, 1, 2, 0x4000, PEER_V4);
    rig_channel(rig, 1, 3, 0x4000, PEER_V4);
    rig_poll(rig);
    assert_int_equal(rig_counter(rig, COUNTER_COMMAND_FAILURES), 0);
    shared = (struct shared){
        .workers = {rig->workers[0], rig->workers[1]},
        .first = channel_of(rig->workers[0], CLIENT_V4, 0x4000),
        .other = channel_of(rig->workers[0], CLIENT_V4, 0x4001),
        .second = channel_of(rig->workers[1], SECOND, 0x4000),
        .stranger = channel_of(rig->workers[1], STRANGER, 0x4000),
    };
    fixture.rig = rig;
    fixture.worker = rig->workers[0];
    shared_set_time(1000 * fixture.worker->tsc_hz);
    return 0;
}

static int set_up_users(void **state)
{
    return shared_set_up(state, 0, USER_BPS, 0);
}

static int set_up_total(void **state)
{
    return shared_set_up(state, 0, 0, TOTAL_BPS);
}

static int set_up_all_three(void **state)
{
    return shared_set_up(state, USER_BPS / 2, USER_BPS, TOTAL_BPS);
}

static struct allocation *allocation_of(unsigned worker, const struct channel *channel)
{
    return &shared.workers[worker]->tables.allocations.at[channel_allocation(channel)];
}

static uint64_t flood(unsigned worker, struct channel *channel)
{
    return spend_all_at(shared.workers[worker], channel, DIRECTION_TO_PEER, LEN) * CHARGE(LEN);
}

static uint64_t flood_direct(unsigned worker, const struct channel *channel)
{
    uint64_t bytes = 0;
    while (bytes < 1000000000 &&
           allowance_spend_direct(shared.workers[worker], allocation_of(worker, channel),
                                  DIRECTION_TO_PEER, LEN))
        bytes += CHARGE(LEN);
    return bytes;
}

static void a_users_allocations_share_its_bandwidth_across_workers(void **state)
{
    (void)state;
    uint64_t first = flood(0, shared.first);
    assert_in_range(first, BURST(USER_BPS) - CHARGE(LEN), BURST(USER_BPS));
    assert_int_equal(flood(1, shared.second), 0);
    assert_int_equal(shared.workers[1]->bandwidth_refusal, DROP_USER_BANDWIDTH);
    assert_int_equal(flood_direct(1, shared.second), 0);
    // The other direction, and other users, have theirs.
    assert_true(allowance_spend(shared.workers[1], shared.second, DIRECTION_TO_CLIENT, LEN));
    assert_in_range(flood(1, shared.stranger), BURST(USER_BPS) - CHARGE(LEN), BURST(USER_BPS));
    // A tenth of a second later there is a tenth of what a second brings, for both together.
    shared_set_time(shared.workers[0]->now_tsc + shared.workers[0]->tsc_hz / 10);
    uint64_t later = flood(1, shared.second);
    later += flood(0, shared.first) + flood_direct(0, shared.first);
    assert_in_range(first + later, BURST(USER_BPS) + USER_BPS / 10 - 2 * CHARGE(LEN),
                    BURST(USER_BPS) + USER_BPS / 10);
}

static void everybody_shares_what_there_is_in_all(void **state)
{
    (void)state;
    uint64_t sum = flood(1, shared.stranger) + flood(0, shared.first);
    assert_in_range(sum, BURST(TOTAL_BPS) - 2 * CHARGE(LEN), BURST(TOTAL_BPS) + CHARGE(LEN));
    assert_int_equal(flood_direct(1, shared.second), 0);
    assert_int_equal(shared.workers[1]->bandwidth_refusal, DROP_TOTAL_BANDWIDTH);
}

// Each channel keeps a piece at most, and none once half is gone.
static void pieces_of_the_silent_are_few_and_end_with_plenty(void **state)
{
    (void)state;
    struct worker *worker = shared.workers[0];
    uint32_t piece = worker->allowance_piece_len;
    assert_int_equal(piece, BURST(USER_BPS) / BANDWIDTH_PIECES);
    assert_true(allowance_spend(worker, shared.first, DIRECTION_TO_PEER, LEN));
    assert_int_equal(shared.first->to_peer.allowance, piece - CHARGE(LEN));
    uint64_t others = flood_direct(1, shared.second);
    assert_in_range(others, BURST(USER_BPS) - piece - CHARGE(LEN), BURST(USER_BPS) - piece);
    shared_set_time(worker->now_tsc + worker->tsc_hz / 100);
    assert_true(allowance_spend(worker, shared.other, DIRECTION_TO_PEER, LEN));
    assert_int_equal(shared.other->to_peer.allowance, 0);
    assert_int_equal(worker->tables.allocations.shares[channel_allocation(shared.other)]
                         .stock[DIRECTION_TO_PEER],
                     0);
}

// Packets without a channel come out of a piece, too: the shared line is touched once in many.
static void indications_take_pieces(void **state)
{
    (void)state;
    struct worker *worker = shared.workers[1];
    struct shared_bandwidth *line = &fixture.rig->plane->user_bandwidth[3];
    unsigned changes = 0;
    for (unsigned i = 0; i < 100; i++) {
        uint64_t before = line->full_tsc[DIRECTION_TO_PEER];
        assert_true(allowance_spend_direct(worker, allocation_of(1, shared.second),
                                           DIRECTION_TO_PEER, LEN));
        changes += line->full_tsc[DIRECTION_TO_PEER] != before;
    }
    assert_in_range(changes, 7, 8); // 15 packets a piece
}

static void what_one_limit_refuses_the_others_get_back(void **state)
{
    (void)state;
    struct worker *worker = shared.workers[0];
    // A worker may have a piece left of what all have. An allocation alone ends at its own limit,
    // two of them at the user's, and all at everybody's.
    uint64_t first = flood(0, shared.first);
    assert_in_range(first, BURST(USER_BPS / 2) - CHARGE(LEN), BURST(USER_BPS / 2));
    assert_int_equal(worker->bandwidth_refusal, DROP_BANDWIDTH);
    uint64_t second = flood(1, shared.second);
    assert_in_range(first + second, BURST(USER_BPS) - 2 * CHARGE(LEN), BURST(USER_BPS));
    uint64_t stranger = flood(1, shared.stranger);
    assert_in_range(first + second + stranger,
                    BURST(TOTAL_BPS) - BURST(TOTAL_BPS) / BANDWIDTH_PIECES - 3 * CHARGE(LEN),
                    BURST(TOTAL_BPS) + CHARGE(LEN));
    assert_int_equal(shared.workers[1]->bandwidth_refusal, DROP_TOTAL_BANDWIDTH);
    // However often the stranger is refused, it loses nothing of its own by it.
    for (unsigned i = 0; i < 100000; i++)
        assert_false(allowance_spend(shared.workers[1], shared.stranger, DIRECTION_TO_PEER, LEN));
    allowance_set_limits(shared.workers[1], &(struct bandwidth_limits){.max_bps = USER_BPS / 2,
                                                                       .user_max_bps = USER_BPS});
    uint64_t rest = flood(1, shared.stranger);
    assert_in_range(stranger + rest, BURST(USER_BPS / 2) - 2 * CHARGE(LEN), BURST(USER_BPS / 2));
}

static void a_user_who_comes_back_finds_its_bucket_and_another_user_a_full_one(void **state)
{
    struct rig *rig = *state;
    struct shared_bandwidth *line = &rig->plane->user_bandwidth[3];
    struct command again = {.kind = COMMAND_REMOVE_ALLOCATION, .allocation = 1};
    flood(0, shared.first);
    shared.workers[0]->bandwidth_refusal = DROP_USER_BANDWIDTH;
    assert_false(allowance_spend(shared.workers[0], shared.first, DIRECTION_TO_PEER, LEN));
    uint64_t full_tsc = line->full_tsc[DIRECTION_TO_PEER];
    uint64_t dropped = plane_user_dropped(rig->plane, 3);
    assert_true(full_tsc > shared.workers[0]->now_tsc && dropped > 0);
    rig_command(rig, 0, &again);
    rig_poll(rig);
    rig_allocation_of(rig, 0, 5, 3, CLIENT_V4, port_of(0), 0);
    rig_poll(rig);
    assert_int_equal(line->full_tsc[DIRECTION_TO_PEER], full_tsc);
    assert_int_equal(plane_user_dropped(rig->plane, 3), dropped);
    shared_bandwidth_begin(line, 77);
    assert_int_equal(line->full_tsc[DIRECTION_TO_PEER], 0);
    assert_int_equal(plane_user_dropped(rig->plane, 3), 0);
    assert_int_equal(plane_user_dropped(rig->plane, 4), 0);
}

static void what_a_user_or_all_may_not_is_counted_apart_on_every_way(void **state)
{
    struct rig *rig = *state;
    uint8_t message[128];
    char relayed[32];
    snprintf(relayed, sizeof(relayed), RELAY_V4_LOCAL ":%u", port_of(0));
    for (unsigned limit = 0; limit < 2; limit++) {
        enum drop reason = limit == 0 ? DROP_USER_BANDWIDTH : DROP_TOTAL_BANDWIDTH;
        const struct bandwidth_limits limits = {.user_max_bps = limit == 0 ? 2 : 0,
                                                .total_max_bps = limit == 0 ? 0 : 2};
        struct worker *worker = shared.workers[0];
        allowance_set_limits(worker, &limits);
        worker->user_bandwidth.burst_cycles = worker->total_bandwidth.burst_cycles = 10;
        struct wire wires[4] = {
            {.source = CLIENT_V4, .destination = LISTENER_V4},
            {.source = PEER_V4, .destination = relayed},
            {.source = PEER_V4, .destination = relayed, .no_checksum = true},
            {.source = CLIENT_V4, .destination = LISTENER_V4, .no_checksum = true},
        };
        for (unsigned i = 0; i < 4; i++) {
            wires[i].payload = i == 1 || i == 2 ? rig_data : message;
            wires[i].len = i == 1 || i == 2 ? sizeof(rig_data)
                                            : message_channel_data(message, 0x4000, rig_data, 40);
            rig_process_wire(rig, 0, &wires[i]);
            assert_int_equal(rig_drops(rig, reason), i + 1);
        }
        struct wire send = {.source = CLIENT_V4, .destination = LISTENER_V4, .payload = message};
        send.len = message_send(message, PEER_V4, rig_data, 40, false);
        rig_process_wire(rig, 0, &send);
        assert_int_equal(rig_drops(rig, reason), 5);
    }
    assert_int_equal(rig_drops(rig, DROP_BANDWIDTH), 0);
    assert_int_equal(plane_user_dropped(rig->plane, 3), 5);
    rig_sent_nothing(rig);
}

static void set_limits(const struct bandwidth_limits *limits)
{
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = COMMAND_SET_RATES;
    command.set_rates.max_bps = limits->max_bps;
    command.set_rates.user_max_bps = limits->user_max_bps;
    command.set_rates.total_max_bps = limits->total_max_bps;
    for (unsigned worker = 0; worker < 2; worker++)
        rig_command(fixture.rig, worker, &command);
    uint64_t now_tsc = shared.workers[0]->now_tsc;
    rig_poll(fixture.rig);
    shared_set_time(now_tsc);
}

static void new_limits_of_users_and_all_hold_for_what_there_is(void **state)
{
    (void)state;
    uint64_t now_tsc = shared.workers[0]->now_tsc;
    flood(0, shared.first);
    set_limits(&(struct bandwidth_limits){});
    assert_int_equal(spend_all(shared.first, DIRECTION_TO_PEER, LEN), 1000000);
    set_limits(&(struct bandwidth_limits){.user_max_bps = 8 * USER_BPS});
    shared_set_time(now_tsc + 2 * shared.workers[0]->tsc_hz);
    assert_in_range(flood(0, shared.first) + flood(1, shared.second), BURST(8 * USER_BPS) - 65536,
                    BURST(8 * USER_BPS) + 65536);
    set_limits(&(struct bandwidth_limits){.total_max_bps = USER_BPS});
    flood(0, shared.first);
    assert_in_range(flood(0, shared.first) + flood(1, shared.stranger), 0, 65536);
    assert_int_equal(rig_counter(fixture.rig, COUNTER_COMMAND_FAILURES), 0);
}

// A bucket that a low limit has emptied would take a minute to fill.
static void a_users_higher_limit_does_not_wait_for_a_lower_one(void **state)
{
    (void)state;
    set_limits(&(struct bandwidth_limits){.user_max_bps = 1000});
    flood(0, shared.first);
    set_limits(&(struct bandwidth_limits){.user_max_bps = USER_BPS});
    flood(1, shared.second);
    shared_set_time(shared.workers[0]->now_tsc + shared.workers[0]->tsc_hz / 4 + 1000);
    assert_in_range(flood(1, shared.second), BURST(USER_BPS) - CHARGE(LEN), BURST(USER_BPS));
}

static void users_have_a_limit_only_where_there_is_room_and_all_have_it_anywhere(void **state)
{
    (void)state;
    set_limits(&(struct bandwidth_limits){.user_max_bps = 1000});
    assert_int_equal(rig_counter(fixture.rig, COUNTER_COMMAND_FAILURES), 2);
    set_limits(&(struct bandwidth_limits){});
    assert_int_equal(spend_all(shared.first, DIRECTION_TO_PEER, LEN), 1000000);
    set_limits(&(struct bandwidth_limits){.total_max_bps = 1000});
    assert_in_range(spend_all(shared.first, DIRECTION_TO_PEER, LEN), 0, 300);
    assert_int_equal(rig_counter(fixture.rig, COUNTER_COMMAND_FAILURES), 2);
}

static void an_allocation_of_a_user_that_cannot_be_is_refused(void **state)
{
    struct rig *rig = *state;
    rig_allocation_of(rig, 0, 9, 8, "192.0.2.10:40000", port_of(0) + 1, 0);
    rig_poll(rig);
    assert_int_equal(rig_counter(rig, COUNTER_COMMAND_FAILURES), 1);
}

#define THREADS 4

struct taker {
    uint64_t *full_tsc;
    const struct token_rate *rate;
    uint64_t taken;
};

static void *take_all(void *argument)
{
    struct taker *taker = argument;
    while (token_bucket_take_shared(taker->full_tsc, taker->rate, 1000, 7, 0))
        taker->taken++;
    return NULL;
}

static void of_a_bucket_many_threads_take_what_is_in_it_and_no_more(void **state)
{
    (void)state;
    const struct token_rate rate = token_rate_make(1000000000, 7000000, 1000000000);
    uint64_t full_tsc = 0, sum = 0;
    struct taker takers[THREADS];
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        takers[i] = (struct taker){&full_tsc, &rate, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, take_all, &takers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += takers[i].taken;
    }
    assert_int_equal(sum, 1000000);
    assert_false(token_bucket_take_shared(&full_tsc, &rate, 1000, 1, 0));
}

int main(void)
{
#define TEST(test)           cmocka_unit_test_setup_teardown(test, set_up, rig_tear_down)
#define LIMITED(test)        cmocka_unit_test_setup_teardown(test, set_up_limited, rig_tear_down)
#define SHARED(test, set_up) cmocka_unit_test_setup_teardown(test, set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(without_a_limit_nothing_is_refused_and_all_is_counted),
        TEST(channels_of_an_allocation_are_counted_together_and_once),
        LIMITED(channels_of_an_allocation_are_counted_together_and_once),
        TEST(what_did_not_go_on_is_not_counted),
        LIMITED(an_allocations_channels_share_its_bandwidth),
        LIMITED(a_limit_is_of_each_allocation_alone),
        LIMITED(an_allocation_begins_with_its_whole_bandwidth),
        LIMITED(a_piece_is_a_part_of_what_an_idle_bucket_holds),
        LIMITED(indications_take_from_the_same_bandwidth),
        LIMITED(what_is_above_is_dropped_on_every_way),
        LIMITED(a_new_limit_holds_for_what_there_is),
        LIMITED(a_higher_limit_does_not_wait_for_a_lower_one),
        TEST(no_limit_comes_where_there_is_no_room_for_one),
        SHARED(a_users_allocations_share_its_bandwidth_across_workers, set_up_users),
        SHARED(everybody_shares_what_there_is_in_all, set_up_total),
        SHARED(pieces_of_the_silent_are_few_and_end_with_plenty, set_up_users),
        SHARED(indications_take_pieces, set_up_users),
        SHARED(what_one_limit_refuses_the_others_get_back, set_up_all_three),
        SHARED(a_user_who_comes_back_finds_its_bucket_and_another_user_a_full_one, set_up_users),
        SHARED(what_a_user_or_all_may_not_is_counted_apart_on_every_way, set_up_users),
        SHARED(new_limits_of_users_and_all_hold_for_what_there_is, set_up_users),
        SHARED(a_users_higher_limit_does_not_wait_for_a_lower_one, set_up_users),
        SHARED(users_have_a_limit_only_where_there_is_room_and_all_have_it_anywhere, set_up_total),
        cmocka_unit_test(of_a_bucket_many_threads_take_what_is_in_it_and_no_more),
        SHARED(an_allocation_of_a_user_that_cannot_be_is_refused, set_up_users),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
