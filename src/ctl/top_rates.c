// SPDX-License-Identifier: BSD-3-Clause
// Workers are told apart by number, drops by reason, allocations by session id: lists change
// between two looks.
#include "ctl/top_rates.h"

#include <string.h>

// A counter that went back is of a table that was made anew: nothing can be said of it.
static double rate(uint64_t before, uint64_t now, double seconds)
{
    return now > before ? (double)(now - before) / seconds : 0;
}

// 0 where there is no time to divide by.
static double seconds_between(uint64_t before_ms, uint64_t now_ms)
{
    return before_ms > 0 && now_ms > before_ms ? (double)(now_ms - before_ms) / 1000 : 0;
}

static const struct top_worker *find_worker(const struct top_sample *sample, uint64_t worker)
{
    for (unsigned i = 0; i < sample->worker_count; i++) {
        if (sample->workers[i].worker == worker)
            return &sample->workers[i];
    }
    return NULL;
}

static void compute_worker(const struct top_worker *before, const struct top_worker *now,
                           double seconds, struct top_flow *ret_flow)
{
    *ret_flow = (struct top_flow){
        .known = true,
        .rx_packets = rate(before->rx_packets, now->rx_packets, seconds),
        .rx_bits = 8 * rate(before->rx_bytes, now->rx_bytes, seconds),
        .tx_packets = rate(before->tx_packets, now->tx_packets, seconds),
        .tx_bits = 8 * rate(before->tx_bytes, now->tx_bytes, seconds),
        .dropped = rate(before->dropped, now->dropped, seconds),
    };
}

static void compute_busy(const struct top_worker *before, const struct top_worker *now,
                         struct top_flow *flow)
{
    double busy = rate(before->busy_cycles, now->busy_cycles, 1);
    double idle = rate(before->idle_cycles, now->idle_cycles, 1);

    if (busy + idle <= 0)
        return;
    flow->busy_is_known = true;
    flow->busy_percent = 100 * busy / (busy + idle);
}

static void add_flow(struct top_flow *all, const struct top_flow *flow)
{
    all->known |= flow->known;
    all->rx_packets += flow->rx_packets;
    all->rx_bits += flow->rx_bits;
    all->tx_packets += flow->tx_packets;
    all->tx_bits += flow->tx_bits;
    all->dropped += flow->dropped;
}

static void compute_workers(const struct top_sample *before, const struct top_sample *now,
                            struct top_rates *rates)
{
    double seconds = seconds_between(before->workers_ms, now->workers_ms);

    for (unsigned i = 0; seconds > 0 && i < now->worker_count; i++) {
        const struct top_worker *earlier = find_worker(before, now->workers[i].worker);

        if (!earlier)
            continue;
        compute_worker(earlier, &now->workers[i], seconds, &rates->workers[i]);
        compute_busy(earlier, &now->workers[i], &rates->workers[i]);
        add_flow(&rates->all, &rates->workers[i]);
    }
}

static void compute_tcp(const struct top_sample *before, const struct top_sample *now,
                        struct top_tcp_flow *flow)
{
    double seconds = seconds_between(before->status_ms, now->status_ms);
    const struct top_status *earlier = &before->status, *later = &now->status;

    if (seconds <= 0)
        return;
    *flow = (struct top_tcp_flow){
        .known = true,
        .bits_to_peer = 8 * rate(earlier->tcp_bytes_to_peer, later->tcp_bytes_to_peer, seconds),
        .bits_to_client =
            8 * rate(earlier->tcp_bytes_to_client, later->tcp_bytes_to_client, seconds),
    };
}

// Only reasons above 0 are said: one that was not said before was 0.
static uint64_t earlier_drops(const struct top_sample *sample, const char *reason)
{
    for (unsigned i = 0; i < sample->drop_count; i++) {
        if (strcmp(sample->drops[i].reason, reason) == 0)
            return sample->drops[i].count;
    }
    return 0;
}

static void compute_drops(const struct top_sample *before, const struct top_sample *now,
                          struct top_rates *rates)
{
    double seconds = seconds_between(before->drops_ms, now->drops_ms);

    for (unsigned i = 0; seconds > 0 && i < now->drop_count; i++)
        rates->drops[i] =
            rate(earlier_drops(before, now->drops[i].reason), now->drops[i].count, seconds);
}

static const struct top_allocation *find_allocation(const struct top_sample *sample,
                                                    const char *session)
{
    for (unsigned i = 0; i < sample->allocation_count; i++) {
        if (strcmp(sample->allocations[i].session, session) == 0)
            return &sample->allocations[i];
    }
    return NULL;
}

static void compute_allocations(const struct top_sample *before, const struct top_sample *now,
                                struct top_rates *rates)
{
    double seconds = seconds_between(before->allocations_ms, now->allocations_ms);

    for (unsigned i = 0; seconds > 0 && i < now->allocation_count; i++) {
        const struct top_allocation *later = &now->allocations[i];
        const struct top_allocation *earlier = find_allocation(before, later->session);

        if (!earlier)
            continue;
        rates->allocations[i] = (struct top_allocation_flow){
            .known = true,
            .packets_to_peer = rate(earlier->packets_to_peer, later->packets_to_peer, seconds),
            .bits_to_peer = 8 * rate(earlier->bytes_to_peer, later->bytes_to_peer, seconds),
            .packets_to_client =
                rate(earlier->packets_to_client, later->packets_to_client, seconds),
            .bits_to_client = 8 * rate(earlier->bytes_to_client, later->bytes_to_client, seconds),
        };
    }
}

void top_rates_compute(const struct top_sample *before, const struct top_sample *now,
                       struct top_rates *ret_rates)
{
    memset(ret_rates, 0, sizeof(*ret_rates));
    // In a container a relay that was started anew has the id of the one before.
    if (before->status.pid != now->status.pid || before->status.uptime_s > now->status.uptime_s)
        return;
    compute_workers(before, now, ret_rates);
    compute_tcp(before, now, &ret_rates->tcp);
    compute_drops(before, now, ret_rates);
    compute_allocations(before, now, ret_rates);
}
