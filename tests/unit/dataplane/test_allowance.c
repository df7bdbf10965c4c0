// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/allowance.h"

#include "rig.h"

#define CHARGE(len) ((len) + ALLOWANCE_PACKET_LEN)

// One worker, allocation 1 and its channels 0x4000 and 0x4001.
struct fixture {
    struct rig *rig;
    struct worker *worker;
    struct channel *channel;
    struct channel *other;
};

static struct fixture fixture;

static struct channel *channel_at(struct worker *worker, uint16_t number)
{

    struct transport_address address;
    struct flow_key key;
    assert_int_equal(transport_address_parse(CLIENT_V4, &address), 0);

    tables_client_key(&worker->tables, &key, RIG_LISTENER_V4, IP_FAMILY_V4, address.ip.bytes,
                      __builtin_bswap16(address.port), number);
    uint32_t index = tables_find(&worker->tables, &key);
    assert_int_not_equal(index, TABLE_NONE);
    return &worker->tables.channels.at[index];
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

static uint64_t spend_all(struct channel *channel, enum direction direction, size_t len)
{
    uint64_t packets = 0;
    while (packets < 1000000 && allowance_spend(fixture.worker, channel, direction, len))
        packets++;
    return packets;
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

int main(void)
{
#define TEST(test)    cmocka_unit_test_setup_teardown(test, set_up, rig_tear_down)
#define LIMITED(test) cmocka_unit_test_setup_teardown(test, set_up_limited, rig_tear_down)
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
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
