// SPDX-License-Identifier: BSD-3-Clause
#include "rig.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static uint8_t message[512];

// One frame of every kind there is: what it should be without damage.
struct sample {
    uint8_t frame[600];
    size_t len;
};

static struct sample samples[16];
static unsigned sample_count;

static void sample_add(const char *source, const char *destination, const uint8_t *payload,
                       size_t len)
{
    struct wire wire = {
        .source = source, .destination = destination, .payload = payload, .len = len};
    samples[sample_count].len = wire_write(&wire, samples[sample_count].frame);
    sample_count++;
}

static void sample_add_icmp(void)
{
    struct sample *sample = &samples[sample_count];
    uint8_t quoted[128];
    struct wire sent = {
        .source = RELAY_V4_LOCAL ":50048", .destination = PEER_V4, .payload = message, .len = 8};
    wire_write(&sent, quoted);
    sample_add("192.0.2.1:1", RELAY_V4_LOCAL ":1", quoted + 14, 36);
    sample->frame[23] = 1;
    wire_fix_ipv4(sample->frame);
    memset(sample->frame + 34, 0, 8);
    sample->frame[34] = 3;
    store_be16(sample->frame + 36, wire_checksum(sample->frame + 34, sample->len - 34, 0));
}

static void sample_add_fragment(void)
{
    struct sample *sample = &samples[sample_count];
    sample_add(PEER_V4, RELAY_V4_LOCAL ":50048", message, 64);
    sample->frame[20] = 0x20;
    wire_fix_ipv4(sample->frame);
}

static const uint8_t binding[20] = {0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 1,  2,
                                    3, 4, 5, 6, 7,    8,    9,    10,   11, 12};

static void samples_make(void)
{
    uint8_t data[64];
    memset(data, 0x77, sizeof(data));
    sample_count = 0;
    sample_add(CLIENT_V4, LISTENER_V4, message, message_channel_data(message, 0x4000, data, 33));
    sample_add(CLIENT_V4, LISTENER_V4, message, message_channel_data(message, 0x4001, data, 33));
    sample_add(CLIENT_V6, LISTENER_V6, message, message_channel_data(message, 0x4000, data, 33));
    sample_add(CLIENT_V4, LISTENER_V4, message, message_send(message, PEER_V4, data, 33, true));
    sample_add(CLIENT_V6, LISTENER_V6, message, message_send(message, PEER_V6, data, 33, false));
    sample_add(CLIENT_V4, LISTENER_V4, message,
               message_send(message, RELAY_V4_ADVERTISED ":50048", data, 33,
                            false)); // to itself, by the hairpin
    sample_add(PEER_V4, RELAY_V4_LOCAL ":50048", data, 33);
    sample_add(PEER_V6, "[" RELAY_V6 "]:50050", data, 33);
    sample_add("192.0.2.200:2", RELAY_V4_LOCAL ":50048", data, 33);
    sample_add(CLIENT_V4, LISTENER_V4, binding, sizeof(binding));
    sample_add(CLIENT_V6, LISTENER_V6, binding, sizeof(binding));
    sample_add_icmp();
    sample_add_fragment();
}

static int set_up_with(void **state, uint32_t kernel_ring_len)
{
    struct plane_config config;
    rig_config(&config, 2);
    config.kernel_ring_len = kernel_ring_len;
    struct rig *rig = rig_create(&config);
    *state = rig;
    // Worker 0 owns both ports: bit 6 of 50048 and 50050 is clear.
    rig_allocation(rig, 0, 1, CLIENT_V4, 50048, 50050);
    rig_allocation(rig, 0, 2, CLIENT_V6, 50052, 50054);
    for (uint32_t id = 1; id <= 2; id++) {
        rig_channel(rig, 0, id, 0x4000, PEER_V4);
        rig_channel(rig, 0, id, 0x4001, PEER_V6);
        rig_permission_hairpin(rig, 0, id, RELAY_V4_ADVERTISED, RIG_RELAY_V4);
    }
    rig_poll(rig);
    samples_make();
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, 0);
}

static int set_up_with_twin(void **state)
{
    return set_up_with(state, 64);
}

static void drain(struct rig *rig)
{
    static uint8_t frame[RIG_FRAME_MAX];
    rig_poll(rig);
    for (unsigned worker = 0; worker < rig->plane->config.worker_count; worker++) {
        while (rig_sent(rig, worker, frame) > 0 || rig_to_kernel(rig, worker, frame) > 0)
            ;
    }
}

static void assert_all_accounted_for(struct rig *rig)
{
    struct worker_usage usage;
    uint64_t out = rig_counter(rig, COUNTER_TX_PACKETS) + rig_counter(rig, COUNTER_HANDOFF_OUT) +
                   rig_counter(rig, COUNTER_TO_KERNEL) + rig_counter(rig, COUNTER_PUNTED) +
                   rig_counter(rig, COUNTER_FRAGMENTS_MERGED);
    for (unsigned drop = 0; drop < DROP_COUNT; drop++)
        out += rig_drops(rig, (enum drop)drop);
    uint64_t in = rig_counter(rig, COUNTER_RX_PACKETS) + rig_counter(rig, COUNTER_HANDOFF_IN) +
                  rig_counter(rig, COUNTER_FRAGMENTS_MADE);
    uint64_t in_reassembly = 0;
    for (unsigned worker = 0; worker < 2; worker++) {
        worker_get_usage(rig->workers[worker], &usage);
        in_reassembly += usage.fragments;
    }
    assert_true(in >= out);
    assert_true(in_reassembly > 0 ? in > out : in == out);
    assert_int_equal(rte_mempool_avail_count(rig_pool), rig->frames_free);
}

// The samples' IPv4 header checksum is kept right, so that damage gets past the first check.
static void receive_damaged(struct rig *rig, unsigned worker, struct sample *sample, size_t len,
                            bool fix)
{
    if (fix && sample->len >= 34 && load_be16(sample->frame + 12) == 0x0800 &&
        (sample->frame[14] & 0xF) == 5)
        wire_fix_ipv4(sample->frame);
    rig_receive(rig, worker, sample->frame, len);
}

static void a_frame_cut_short_anywhere_is_accounted_for(void **state)
{
    struct rig *rig = *state;
    for (unsigned i = 0; i < sample_count; i++) {
        for (size_t cut = 1; cut <= samples[i].len; cut++) {
            rig_receive(rig, cut & 1, samples[i].frame, cut);
            if (cut % 100 == 0)
                drain(rig);
        }
        drain(rig);
        assert_all_accounted_for(rig);
    }
}

// The IP header's length goes along: the cut is in what the packet says, too.
static void a_packet_cut_short_anywhere_is_accounted_for(void **state)
{
    struct rig *rig = *state;
    for (unsigned i = 0; i < sample_count; i++) {
        bool is_v4 = samples[i].frame[14] >> 4 == 4;
        size_t headers = is_v4 ? 34 : 54;
        for (size_t len = headers; len <= samples[i].len; len++) {
            struct sample cut = samples[i];
            if (is_v4)
                store_be16(cut.frame + 16, (uint16_t)(len - 14));
            else
                store_be16(cut.frame + 18, (uint16_t)(len - 54));
            if (len >= headers + 8)
                store_be16(cut.frame + headers + 4, (uint16_t)(len - headers));
            receive_damaged(rig, 0, &cut, len, true);
            if (len % 100 == 0)
                drain(rig);
        }
        drain(rig);
        assert_all_accounted_for(rig);
    }
}

static void every_byte_at_every_extreme_is_accounted_for(void **state)
{
    struct rig *rig = *state;
    static const uint8_t extremes[] = {0x00, 0x01, 0x7F, 0x80, 0xFF};
    for (unsigned i = 0; i < sample_count; i++) {
        for (size_t at = 0; at < samples[i].len; at++) {
            for (unsigned extreme = 0; extreme < sizeof(extremes); extreme++) {
                struct sample damaged = samples[i];
                damaged.frame[at] = extremes[extreme];
                receive_damaged(rig, at & 1, &damaged, damaged.len,
                                at >= 14 && at != 24 && at != 25);
            }
            drain(rig);
        }
        assert_all_accounted_for(rig);
    }
}

static void random_damage_is_accounted_for(void **state)
{
    struct rig *rig = *state;
    srand(11);
    for (unsigned round = 0; round < 100000; round++) {
        struct sample damaged = samples[(unsigned)rand() % sample_count];
        for (int change = rand() % 4; change > 0; change--)
            damaged.frame[(size_t)rand() % damaged.len] = (uint8_t)rand();
        size_t len = rand() % 4 == 0 ? 1 + (size_t)rand() % damaged.len : damaged.len;
        receive_damaged(rig, (unsigned)rand() % 2, &damaged, len, rand() % 4 != 0);
        if (round % 60 == 0)
            drain(rig);
        if (round % 6000 == 0)
            assert_all_accounted_for(rig);
    }
    drain(rig);
    assert_all_accounted_for(rig);
}

static void a_frame_of_several_buffers_is_taken_whole(void **state)
{
    struct rig *rig = *state;
    static uint8_t big[9000];
    struct wire_seen seen;
    struct wire wire = {.source = CLIENT_V4, .destination = LISTENER_V4, .payload = big};
    wire.len = message_channel_data(big, 0x4000, big + 4, 1400);
    rig_process_wire(rig, 0, &wire);
    rig_sent_wire(rig, 0, &seen);
    assert_int_equal(seen.len, 1400);
    wire.len = message_channel_data(big, 0x4000, big + 4, 8000);
    rig_receive_wire(rig, 0, &wire);
    drain(rig);
    assert_int_equal(rig_counter(rig, COUNTER_FRAGMENTED), 1);
    assert_int_equal(rig_counter(rig, COUNTER_TO_PEER_BYTES), 9400);
}

static void counts_polls(void **state)
{
    struct rig *rig = *state;
    uint64_t busy = rig->plane->counters[0].busy_polls;
    uint64_t idle = rig->plane->counters[0].idle_polls;
    assert_int_equal(worker_poll(rig->workers[0]), 0);
    assert_int_equal(rig->plane->counters[0].idle_polls, idle + 1);
    rig_receive(rig, 0, samples[0].frame, samples[0].len);
    assert_int_equal(worker_poll(rig->workers[0]), 1);
    assert_int_equal(rig->plane->counters[0].busy_polls, busy + 1);
    drain(rig);
}

static uint64_t times_sum(const struct worker_times *times)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < COUNTERS_TIME_BUCKETS; i++)
        count += times->buckets[i];
    return count;
}

static void tells_how_its_time_goes(void **state)
{
    struct rig *rig = *state;
    const struct worker_counters *counters = &rig->plane->counters[0];
    uint64_t idle = counters->idle_tsc, busy = counters->busy_tsc, empty = counters->bursts[0];
    worker_poll(rig->workers[0]);
    worker_poll(rig->workers[0]);
    assert_true(counters->idle_tsc > idle);
    assert_int_equal(counters->busy_tsc, busy);
    assert_int_equal(counters->bursts[0], empty + 2);
    for (unsigned i = 0; i < 3; i++)
        rig_receive(rig, 0, samples[0].frame, samples[0].len);
    worker_poll(rig->workers[0]);
    assert_int_equal(counters->bursts[3], 1);
    assert_int_equal(times_sum(&counters->direct), 0); // the round is over with the next
    worker_poll(rig->workers[0]);
    assert_true(counters->busy_tsc > busy);
    assert_int_equal(times_sum(&counters->direct), 3);
    assert_true(counters->direct.sum_tsc >= 3 * (counters->busy_tsc - busy));
    assert_int_equal(times_sum(&counters->handed), 0);
    drain(rig);
}

static void *run(void *worker)
{
    return (void *)(intptr_t)worker_run(worker);
}

static void runs_until_the_plane_stops(void **state)
{
    struct rig *rig = *state;
    struct wire_seen seen;
    pthread_t thread;
    void *result;
    rig_receive(rig, 0, samples[0].frame, samples[0].len);
    assert_int_equal(pthread_create(&thread, NULL, run, rig->workers[0]), 0);
    while (__atomic_load_n(&rig->plane->counters[0].counters[COUNTER_TX_PACKETS],
                           __ATOMIC_RELAXED) == 0)
        usleep(100);
    while (__atomic_load_n(&rig->plane->counters[0].sleeps, __ATOMIC_RELAXED) == 0)
        usleep(100); // adaptive: it has nothing to do
    __atomic_store_n(&rig->plane->running, 0, __ATOMIC_RELAXED);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_null(result);
    rig_sent_wire(rig, 0, &seen);
    assert_string_equal(seen.destination, PEER_V4);
}

static int set_up_adaptive(void **state)
{
    int error = set_up(state);
    ((struct rig *)*state)->plane->config.idle_sleep_us = 50;
    return error;
}

// Worker 0, to worker 1.
static void hand(struct plane *plane, struct rte_mbuf *frame)
{
    struct handoff handoff = {.frame = frame, .kind = HANDOFF_UNSORTED};
    assert_int_equal(rte_ring_sp_enqueue_elem(plane->handoffs[0][1], &handoff, sizeof(handoff)), 0);
}

// What is on its way in the rings is given back.
static void destroys_with_frames_under_way(void **state)
{
    (void)state;
    struct plane_config config;
    rig_config(&config, 2);
    config.kernel_ring_len = 4;
    unsigned before = rte_mempool_avail_count(rig_pool);
    struct plane *plane;
    struct worker *worker;
    assert_int_equal(plane_create(&config, &plane), 0);
    struct worker_config worker_config = {
        .plane = plane, .id = 1, .socket = SOCKET_ID_ANY, .pool = rig_pool};
    assert_int_equal(worker_create(&worker_config, &worker), 0);
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = COMMAND_TRANSMIT;
    command.transmit.frame = rte_pktmbuf_alloc(rig_pool);
    assert_int_equal(plane_command_send(plane, 1, &command), 0);
    hand(plane, rte_pktmbuf_alloc(rig_pool));
    struct rte_mbuf *frame = rte_pktmbuf_alloc(rig_pool);
    assert_int_equal(plane_to_kernel_send(plane, 0, 0, &frame, 1), 1);
    assert_int_equal(plane_from_kernel_send(plane, 0, rte_pktmbuf_alloc(rig_pool)), 0);
    struct punt punt;
    memset(&punt, 0, sizeof(punt));
    punt.kind = PUNT_MESSAGE;
    punt.message.frame = rte_pktmbuf_alloc(rig_pool);
    assert_int_equal(plane_punt_send(plane, 1, &punt), 0);
    punt.kind = PUNT_REMOVED;
    assert_int_equal(plane_punt_send(plane, 1, &punt), 0);
    worker_destroy(worker);
    plane_destroy(plane);
    assert_int_equal(rte_mempool_avail_count(rig_pool), before);
}

// In whichever order: a frame in one worker's rings may lie in a buffer of another's.
static void destroys_the_worker_whose_buffers_are_under_way(void **state)
{
    (void)state;
    struct plane_config config;
    rig_config(&config, 2);
    struct plane *plane;
    struct worker *workers[2];
    assert_int_equal(plane_create(&config, &plane), 0);
    for (uint16_t id = 0; id < 2; id++) {
        struct worker_config worker_config = {
            .plane = plane, .id = id, .socket = SOCKET_ID_ANY, .pool = rig_pool};
        assert_int_equal(worker_create(&worker_config, &workers[id]), 0);
    }
    struct rte_mempool *jumbo = rte_mempool_lookup("jumbo_0");
    assert_non_null(jumbo);
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = COMMAND_TRANSMIT;
    command.transmit.frame = rte_pktmbuf_alloc(jumbo);
    assert_int_equal(plane_command_send(plane, 1, &command), 0);
    hand(plane, rte_pktmbuf_alloc(jumbo));
    worker_destroy(workers[0]);
    assert_true(rte_ring_empty(plane->commands[1]));
    assert_true(rte_ring_empty(plane->handoffs[0][1]));
    worker_destroy(workers[1]);
    plane_destroy(plane);
}

static void refuses_sizes_that_it_cannot_have(void **state)
{
    (void)state;
    struct plane_config config;
    struct plane *plane;
    struct worker *worker = NULL;
    rig_config(&config, 1);
    config.channels_per_worker = UINT32_MAX;
    assert_int_equal(plane_create(&config, &plane), 0);
    struct worker_config worker_config = {
        .plane = plane, .socket = SOCKET_ID_ANY, .pool = rig_pool};
    assert_int_equal(worker_create(&worker_config, &worker), -EINVAL);
    assert_null(worker);
    plane_destroy(plane);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_frame_cut_short_anywhere_is_accounted_for),
        TEST(a_packet_cut_short_anywhere_is_accounted_for),
        TEST(every_byte_at_every_extreme_is_accounted_for),
        TEST(random_damage_is_accounted_for),
#define WITH_TWIN(test) cmocka_unit_test_setup_teardown(test, set_up_with_twin, rig_tear_down)
        WITH_TWIN(a_frame_cut_short_anywhere_is_accounted_for),
        WITH_TWIN(every_byte_at_every_extreme_is_accounted_for),
        WITH_TWIN(random_damage_is_accounted_for),
        TEST(a_frame_of_several_buffers_is_taken_whole),
        TEST(counts_polls),
        TEST(tells_how_its_time_goes),
        cmocka_unit_test_setup_teardown(runs_until_the_plane_stops, set_up_adaptive, rig_tear_down),
        cmocka_unit_test(destroys_with_frames_under_way),
        cmocka_unit_test(destroys_the_worker_whose_buffers_are_under_way),
        cmocka_unit_test(refuses_sizes_that_it_cannot_have),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
