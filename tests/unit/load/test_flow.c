// SPDX-License-Identifier: BSD-3-Clause
// bench/load/flow.h.
#include "flow.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct endpoint_range range_of(const char *prefix, uint16_t last_port)
{
    struct endpoint_range range = {.first_port = 1, .last_port = last_port};
    assert_int_equal(ip_prefix_parse(prefix, &range.prefix), 0);
    return range;
}

static const struct transport_address server = {{{192, 0, 2, 1}, IP_FAMILY_V4}, 3478};

static void every_flow_needs_a_client_and_a_peer_of_its_own(void **state)
{
    (void)state;
    struct endpoint_range ten = range_of("198.18.0.1", 10), many = range_of("198.19.0.0/16", 10);
    struct flows flows;
    assert_int_equal(flows_init(&flows, 11, &server, &ten, &many), -ERANGE);
    assert_int_equal(flows_init(&flows, 11, &server, &many, &ten), -ERANGE);
    assert_int_equal(flows_init(&flows, 10, &server, &many, &ten), 0);
    flows_done(&flows);
}

static void losses_are_told_by_flow(void **state)
{
    (void)state;
    struct endpoint_range range = range_of("198.18.0.1", 4);
    struct flow_losses losses;
    struct flows flows;
    assert_int_equal(flows_init(&flows, 4, &server, &range, &range), 0);
    flows.table[0].sent[TO_PEER] = 10;
    flows.table[0].received[TO_PEER].received = 10;
    flows.table[1].sent[TO_PEER] = 10;
    flows.table[1].received[TO_PEER].received = 8;
    flows.table[2].sent[TO_PEER] = 10;
    flows.table[2].received[TO_PEER].received = 3;
    flows.table[2].received[TO_PEER].reordered = 1;
    flows.table[3].sent[TO_CLIENT] = 10;
    // What is older than the window and came twice.
    flows.table[3].received[TO_PEER].received = 1;
    flows_count_losses(&flows, TO_PEER, &losses);
    assert_int_equal(losses.lost, 9);
    assert_int_equal(losses.flows_used, 3);
    assert_int_equal(losses.flows_with_loss, 2);
    assert_int_equal(losses.flows_with_reordering, 1);
    assert_int_equal(losses.worst_flow, 2);
    assert_int_equal(losses.worst_lost, 7);
    flows_count_losses(&flows, TO_CLIENT, &losses);
    assert_int_equal(losses.lost, 10);
    flows_done(&flows);
}

static void those_that_are_ready_are_gathered(void **state)
{
    (void)state;
    struct endpoint_range range = range_of("198.18.0.1", 4);
    struct flows flows;
    assert_int_equal(flows_init(&flows, 4, &server, &range, &range), 0);
    flows.table[1].state = FLOW_READY;
    flows.table[2].state = FLOW_ALLOCATED;
    flows.table[3].state = FLOW_READY;
    flows_gather(&flows);
    flows_gather(&flows);
    assert_int_equal(flows.ready_count, 2);
    assert_int_equal(flows.ready[0], 1);
    assert_int_equal(flows.ready[1], 3);
    flows_done(&flows);
}

static void without_a_relay_all_are_ready(void **state)
{
    (void)state;
    struct endpoint_range range = range_of("198.18.0.1", 4);
    struct flows flows;
    assert_int_equal(flows_init(&flows, 4, &server, &range, &range), 0);
    flows_pretend(&flows);
    flows_gather(&flows);
    assert_int_equal(flows.ready_count, 4);
    assert_true(ip_address_equal(&flows.table[1].relayed.ip, &server.ip));
    assert_int_not_equal(flows.table[0].relayed.port, flows.table[1].relayed.port);
    flows_done(&flows);
}

static void channels_are_of_the_range_and_neighbours_differ(void **state)
{
    (void)state;
    assert_int_equal(flow_channel(0), TURN_CHANNEL_MIN);
    assert_int_equal(flow_channel(4095), TURN_CHANNEL_MAX);
    assert_int_equal(flow_channel(4096), TURN_CHANNEL_MIN);
    assert_int_not_equal(flow_channel(7), flow_channel(8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flow_needs_a_client_and_a_peer_of_its_own),
        cmocka_unit_test(losses_are_told_by_flow),
        cmocka_unit_test(those_that_are_ready_are_gathered),
        cmocka_unit_test(without_a_relay_all_are_ready),
        cmocka_unit_test(channels_are_of_the_range_and_neighbours_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
