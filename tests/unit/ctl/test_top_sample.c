// SPDX-License-Identifier: BSD-3-Clause
// Claims about what top takes from answers.
#include "ctl/top_sample.h"

#include "support.h"

static struct top_sample sample;

static int forget(void **state)
{
    (void)state;
    memset(&sample, 0, sizeof(sample));
    return 0;
}

static void take(void (*taker)(struct top_sample *, const json_t *, uint64_t), const char *json)
{
    json_t *body = json_loads(json, 0, NULL);

    assert_non_null(body);
    taker(&sample, body, 42);
    json_decref(body);
}

static void takes_the_status(void **state)
{
    (void)state;
    take(top_sample_take_status,
         "{\"pid\": 7, \"uptime_seconds\": 5, \"allocations\": 3, \"allocations_max\": 100, "
         "\"permissions\": 4, \"channels\": 2, \"users\": 1, \"version\": \"0.1.0\", "
         "\"device\": \"eth0\", \"state\": \"draining\"}");
    assert_int_equal(sample.status_ms, 42);
    assert_int_equal(sample.status.pid, 7);
    assert_int_equal(sample.status.uptime_s, 5);
    assert_int_equal(sample.status.allocations, 3);
    assert_int_equal(sample.status.allocations_max, 100);
    assert_int_equal(sample.status.permissions, 4);
    assert_int_equal(sample.status.channels, 2);
    assert_int_equal(sample.status.users, 1);
    assert_string_equal(sample.status.version, "0.1.0");
    assert_string_equal(sample.status.device, "eth0");
    assert_string_equal(sample.status.state, "draining");
}

static void takes_what_is_said_of_peers_over_tcp(void **state)
{
    (void)state;
    take(top_sample_take_status, "{\"tcp_connections\": 5}");
    assert_false(sample.status.relays_tcp);
    take(top_sample_take_status, "{\"tcp_allocations\": 0, \"tcp_connections\": 5, "
                                 "\"tcp_bytes_to_peer\": 6, \"tcp_bytes_to_client\": 7}");
    assert_true(sample.status.relays_tcp);
    assert_int_equal(sample.status.tcp_allocations, 0);
    assert_int_equal(sample.status.tcp_connections, 5);
    assert_int_equal(sample.status.tcp_bytes_to_peer, 6);
    assert_int_equal(sample.status.tcp_bytes_to_client, 7);
    take(top_sample_take_status, "{\"tcp_allocations\": 8}");
    assert_int_equal(sample.status.tcp_allocations, 8);
    take(top_sample_take_status, "{}"); // of a relay that was started anew
    assert_false(sample.status.relays_tcp);
    assert_int_equal(sample.status.tcp_allocations, 0);
    take(top_sample_take_allocations,
         "{\"allocations\": {\"0000000100000002\": {\"peers\": \"tcp\", \"connections\": 9}}}");
    assert_string_equal(sample.allocations[0].peers, "tcp");
    assert_int_equal(sample.allocations[0].connections, 9);
}

static void takes_workers(void **state)
{
    (void)state;
    take(top_sample_take_workers, "{\"workers\": {\"0\": {\"cpu\": 2, \"allocations\": 3, "
                                  "\"packets_received\": 4, \"bytes_received\": 5, "
                                  "\"packets_transmitted\": 6, \"bytes_transmitted\": 7, "
                                  "\"dropped\": 8, \"busy_cycles\": 9, \"idle_cycles\": 10}, "
                                  "\"1\": {\"stuck\": 1}}}");
    assert_int_equal(sample.workers_ms, 42);
    assert_int_equal(sample.worker_count, 2);
    assert_int_equal(sample.workers[0].cpu, 2);
    assert_int_equal(sample.workers[0].allocations, 3);
    assert_int_equal(sample.workers[0].rx_packets, 4);
    assert_int_equal(sample.workers[0].rx_bytes, 5);
    assert_int_equal(sample.workers[0].tx_packets, 6);
    assert_int_equal(sample.workers[0].tx_bytes, 7);
    assert_int_equal(sample.workers[0].dropped, 8);
    assert_int_equal(sample.workers[0].busy_cycles, 9);
    assert_int_equal(sample.workers[0].idle_cycles, 10);
    assert_false(sample.workers[0].is_stuck);
    assert_int_equal(sample.workers[1].worker, 1);
    assert_true(sample.workers[1].is_stuck);
    assert_int_equal(sample.workers[1].busy_cycles, 0);
}

static void takes_drops_that_are_numbers(void **state)
{
    (void)state;
    take(top_sample_take_drops,
         "{\"drops\": {\"not_ours\": 5, \"odd\": \"x\", \"less\": -1, \"bad\\u001b\": 6}}");
    assert_int_equal(sample.drop_count, 2);
    assert_string_equal(sample.drops[0].reason, "not_ours");
    assert_int_equal(sample.drops[0].count, 5);
    assert_string_equal(sample.drops[1].reason, "bad\\x1b");
}

static void takes_allocations_fit_for_a_terminal(void **state)
{
    (void)state;
    take(top_sample_take_allocations, "{\"allocations\": {\"0000000100000002\": {\"user\": "
                                      "\"a\\u001b[2J\", \"client\": \"192.0.2.1:5\", "
                                      "\"relayed\": \"192.0.2.9:7\", \"age_seconds\": 3, "
                                      "\"packets_to_peer\": 4, \"bytes_to_peer\": 5, "
                                      "\"packets_to_client\": 6, \"bytes_to_client\": 7}}}");
    assert_int_equal(sample.allocation_count, 1);
    assert_string_equal(sample.allocations[0].session, "0000000100000002");
    assert_string_equal(sample.allocations[0].user, "a\\x1b[2J");
    assert_string_equal(sample.allocations[0].client, "192.0.2.1:5");
    assert_string_equal(sample.allocations[0].relayed, "192.0.2.9:7");
    assert_int_equal(sample.allocations[0].age_s, 3);
    assert_int_equal(sample.allocations[0].packets_to_peer, 4);
    assert_int_equal(sample.allocations[0].bytes_to_peer, 5);
    assert_int_equal(sample.allocations[0].packets_to_client, 6);
    assert_int_equal(sample.allocations[0].bytes_to_client, 7);
}

static void take_many(void (*taker)(struct top_sample *, const json_t *, uint64_t),
                      const char *name, bool is_row)
{
    json_t *body = json_object(), *list = json_object();

    for (unsigned i = 0; i < 200; i++) {
        char key[16];

        snprintf(key, sizeof(key), "%u", i);
        json_object_set_new(list, key, is_row ? json_object() : json_integer(i));
    }
    json_object_set_new(body, name, list);
    taker(&sample, body, 42);
    json_decref(body);
}

static void leaves_out_what_there_is_no_room_for(void **state)
{
    (void)state;
    take_many(top_sample_take_workers, "workers", true);
    take_many(top_sample_take_drops, "drops", false);
    take_many(top_sample_take_allocations, "allocations", true);
    assert_int_equal(sample.worker_count, TOP_WORKERS_MAX);
    assert_int_equal(sample.drop_count, TOP_DROPS_MAX);
    assert_int_equal(sample.allocation_count, TOP_ALLOCATIONS_MAX);
}

static void finds_nothing_in_an_answer_of_nothing(void **state)
{
    (void)state;
    sample.worker_count = sample.drop_count = sample.allocation_count = 5;
    take(top_sample_take_status, "{}");
    take(top_sample_take_workers, "{\"workers\": 5}");
    take(top_sample_take_drops, "{\"drops\": [1]}");
    take(top_sample_take_allocations, "{}");
    assert_string_equal(sample.status.version, "");
    assert_int_equal(sample.worker_count + sample.drop_count + sample.allocation_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(takes_the_status, forget),
        cmocka_unit_test_setup(takes_what_is_said_of_peers_over_tcp, forget),
        cmocka_unit_test_setup(takes_workers, forget),
        cmocka_unit_test_setup(takes_drops_that_are_numbers, forget),
        cmocka_unit_test_setup(takes_allocations_fit_for_a_terminal, forget),
        cmocka_unit_test_setup(leaves_out_what_there_is_no_room_for, forget),
        cmocka_unit_test_setup(finds_nothing_in_an_answer_of_nothing, forget),
    };

    return cmocka_run_group_tests_name("ctl/top_sample", tests, NULL, NULL);
}
