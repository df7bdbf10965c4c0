// SPDX-License-Identifier: BSD-3-Clause
// Claims about the traffic of allocations that go on.
#include "dataplane/live_traffic.h"

#include "dataplane/allowance.h"
#include "rig.h"

// One worker, allocation 1 and its channels 0x4000 and 0x4001.
static struct worker *worker;
static struct allocation *allocation;
static struct channel *channels[2];

static int set_up(void **state)
{
    struct rig *rig;
    uint32_t index;

    rig_set_up_channels(state);
    rig = *state;
    worker = rig->workers[0];
    index = allocation_table_find(&worker->tables.allocations, 1);
    allocation = &worker->tables.allocations.at[index];
    for (unsigned i = 0; i < worker->tables.channels.pool.fresh; i++) {
        struct channel *channel = &worker->tables.channels.at[i];

        if (channel_allocation(channel) == index && channel_number(channel) <= 0x4001)
            channels[channel_number(channel) & 1] = channel;
    }
    return 0;
}

static void assert_traffic(uint64_t to_peer_packets, uint64_t to_peer_bytes,
                           uint64_t to_client_packets, uint64_t to_client_bytes)
{
    struct allocation_traffic traffic;

    assert_true(worker_get_traffic(worker, 1, &traffic));
    assert_int_equal(traffic.to_peer_packets, to_peer_packets);
    assert_int_equal(traffic.to_peer_bytes, to_peer_bytes);
    assert_int_equal(traffic.to_client_packets, to_client_packets);
    assert_int_equal(traffic.to_client_bytes, to_client_bytes);
}

static void what_channels_have_taken_and_not_spent_does_not_count(void **state)
{
    (void)state;
    assert_traffic(0, 0, 0, 0);
    assert_true(allowance_spend(worker, channels[0], DIRECTION_TO_PEER, 100));
    assert_true(allowance_spend(worker, channels[1], DIRECTION_TO_PEER, 11));
    assert_true(allowance_spend(worker, channels[1], DIRECTION_TO_CLIENT, 0));
    assert_traffic(2, 111, 1, 0);
}

static void it_stays_right_over_many_pieces_and_at_the_end(void **state)
{
    uint64_t bytes = 0;

    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        assert_true(allowance_spend(worker, channels[0], DIRECTION_TO_CLIENT, i % 1400));
        bytes += i % 1400;
        if (i % 613 == 0)
            assert_traffic(0, 0, i + 1, bytes);
    }
    allowance_settle(&worker->tables, channels[0]);
    assert_traffic(0, 0, 5000, bytes);
    assert_int_equal(allocation->traffic.to_client_bytes, bytes);
}

static void indications_count_beside_channels(void **state)
{
    (void)state;
    allocation->traffic.to_peer_packets += 3;
    allocation->traffic.to_peer_bytes += 300;
    assert_true(allowance_spend(worker, channels[0], DIRECTION_TO_PEER, 20));
    assert_traffic(4, 320, 0, 0);
}

static void of_what_is_not_installed_nothing_is_known(void **state)
{
    struct allocation_traffic traffic;

    (void)state;
    assert_false(worker_get_traffic(worker, 5, &traffic));
    assert_false(worker_get_traffic(worker, UINT32_MAX, &traffic));
}

// As a reader may see it who comes at the wrong moment.
static void a_tree_that_leads_anywhere_leads_out_of_nothing(void **state)
{
    struct channel_place *places = worker->tables.channels.places;
    uint32_t first = (uint32_t)(channels[0] - worker->tables.channels.at);
    struct allocation_traffic traffic;
    struct index_tree_node kept[2] = {places[first].node, {}};

    (void)state;
    assert_true(allowance_spend(worker, channels[0], DIRECTION_TO_PEER, 100));
    places[first].node = (struct index_tree_node){{first, first}};
    assert_true(worker_get_traffic(worker, 1, &traffic));
    places[first].node = (struct index_tree_node){{UINT32_MAX - 1, 1u << 30}};
    assert_true(worker_get_traffic(worker, 1, &traffic));
    places[first].node = kept[0];
    channels[1]->peer[1] = channels[1]->peer[1] ^ (1ull << 40); // another allocation's
    assert_traffic(1, 100, 0, 0);
    channels[1]->peer[1] = channels[1]->peer[1] ^ (1ull << 40);
}

#define TEST(claim) cmocka_unit_test_setup_teardown(claim, set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_channels_have_taken_and_not_spent_does_not_count),
        TEST(it_stays_right_over_many_pieces_and_at_the_end),
        TEST(indications_count_beside_channels),
        TEST(of_what_is_not_installed_nothing_is_known),
        TEST(a_tree_that_leads_anywhere_leads_out_of_nothing),
    };

    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
