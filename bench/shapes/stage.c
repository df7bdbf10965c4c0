// SPDX-License-Identifier: BSD-3-Clause
// Runs of one worker, timed and checked.
#include "stage.h"

#include "../check.h"
#include "../fail.h"
#include "../rest.h"
#include "../slices.h"
#include "../subject.h"
#include "dataplane/classify.h"
#include "dataplane/worker_state.h"
#include "edge.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#define PREFETCH_AHEAD 8 // as the worker's
// So many of the table's datagrams are under way when it is called full. The last places are found
// by chance only.
#define FULL      (REASSEMBLY_DATAGRAMS * 15 / 16)
#define STRAY_LEN 640

void stage_init(struct stage *stage, const struct stand *stand)
{
    uint32_t count = stand->traffic->count;
    stage->stand = *stand;
    pieces_create(&stage->pieces, "pieces", count * (PIECES_MAX - 1), count * PIECES_MAX);
    pieces_create(&stage->strays, "strays", count, count);
}

void stage_done(struct stage *stage)
{
    pieces_destroy(&stage->pieces);
    pieces_destroy(&stage->strays);
}

static struct worker *worker_of(const struct stage *stage)
{
    return stage->stand.subject->workers[0];
}

static const char *name_of(const struct stage *stage)
{
    return stage->stand.subject->scenario->name;
}

// What has been sent so far is kept.
static void load(const struct stage *stage, const struct port_arrival *arrivals, uint32_t count)
{
    uint32_t sent_count = stage->stand.port->sent_count;
    port_load(stage->stand.port, arrivals, count, STAGE_BURST);
    stage->stand.port->sent_count = sent_count;
}

static void poll_all(const struct stage *stage)
{
    while (port_has_more(stage->stand.port))
        worker_poll(worker_of(stage));
}

static void poll_slices(const struct stage *stage, struct slices *slices)
{
    const struct port *port = stage->stand.port;
    while (port_has_more(port)) {
        uint32_t before = port->delivered;
        slice_begin(slices);
        for (unsigned i = 0; i < SLICE_POLLS && port_has_more(port); i++)
            worker_poll(worker_of(stage));
        slice_end(slices, port->delivered - before);
    }
}

static void draw(struct stage *stage)
{
    traffic_draw(stage->stand.traffic);
    traffic_restore(stage->stand.traffic);
    pieces_aim(&stage->strays, stage->stand.traffic);
    stage->stand.port->sent_count = 0;
}

// What a run found, and how it ended.

struct run {
    struct worker_counters before;
    struct slices slices;
    uint32_t strays;
};

static struct run run_begin(struct stage *stage)
{
    struct run run = {.before = *worker_of(stage)->counters};
    slices_begin(&run.slices, stage->stand.rest);
    return run;
}

static uint64_t counted(const struct run *run, const struct worker_counters *after,
                        enum counter counter)
{
    return after->counters[counter] - run->before.counters[counter];
}

// Strangers' fragments have either been dropped or are under way; those are forgotten. Returns the
// counters without them.
static struct worker_counters strays_settle(struct stage *stage, const struct run *run)
{
    struct worker_counters after = *worker_of(stage)->counters;
    struct reassembly *reassembly = &worker_of(stage)->reassembly;
    uint64_t dropped = after.drops[DROP_FRAGMENT] - run->before.drops[DROP_FRAGMENT];
    uint32_t left = reassembly->in_use;
    uint32_t forgotten = reassembly_expire(reassembly, UINT64_MAX);
    reassembly->sweep_due_tsc = 0;
    if (dropped + left != run->strays || forgotten != left)
        fail("%s: of %u fragments of datagrams that were not completed %ju were dropped, %u kept, "
             "%u forgotten",
             name_of(stage), run->strays, (uintmax_t)dropped, left, forgotten);
    after.drops[DROP_FRAGMENT] = run->before.drops[DROP_FRAGMENT];
    pieces_check(&stage->strays);
    return after;
}

static void check_put_together(const struct stage *stage, const struct run *run,
                               const struct worker_counters *after, unsigned number)
{
    uint32_t count = stage->stand.traffic->count;
    uint64_t reassembled = counted(run, after, COUNTER_REASSEMBLED);
    uint64_t merged = counted(run, after, COUNTER_FRAGMENTS_MERGED);
    if (reassembled != count || merged != (uint64_t)count * (number - 1))
        fail("%s: of %u datagrams in %u fragments %ju were put together, of %ju and the last",
             name_of(stage), count, number, (uintmax_t)reassembled, (uintmax_t)merged);
    pieces_check(&stage->pieces);
}

static void check_relaying(const struct stage *stage, const struct run *run,
                           const struct worker_counters *after)
{
    edge_check(stage->stand.port, stage->stand.traffic, &run->before, after);
    check_counters(stage->stand.traffic, &run->before, after);
    check_relayed(stage->stand.traffic, stage->stand.port);
}

// Runs.

double stage_whole(struct stage *stage, bool *rested)
{
    const struct traffic *traffic = stage->stand.traffic;
    draw(stage);
    load(stage, traffic->arrivals, traffic->count);
    struct run run = run_begin(stage);
    poll_slices(stage, &run.slices);
    check_relaying(stage, &run, worker_of(stage)->counters);
    return slices_end(&run.slices, rested);
}

static void classify_burst(struct worker *worker, struct rte_mbuf **frames, unsigned count,
                           uint32_t *kinds)
{
    struct packet packets[STAGE_BURST];
    for (unsigned i = 0; i < count && i < PREFETCH_AHEAD; i++)
        rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
    for (unsigned i = 0; i < count; i++) {
        if (i + PREFETCH_AHEAD < count)
            rte_prefetch0(rte_pktmbuf_mtod(frames[i + PREFETCH_AHEAD], void *));
        classify(&worker->local_v4, &worker->local_v6, frames[i], &packets[i]);
        kinds[packets[i].kind]++;
    }
}

static void check_kinds(const struct stage *stage, const uint32_t *kinds)
{
    const struct traffic *traffic = stage->stand.traffic;
    uint32_t from_peers = 0;
    for (uint32_t i = 0; i < traffic->count; i++)
        from_peers += traffic->packets[i].role == ROLE_PEER_TO_CHANNEL;
    if (kinds[PACKET_PEER] != from_peers ||
        kinds[PACKET_CHANNEL_DATA] != traffic->count - from_peers)
        fail("%s: of %u packets %u were taken for ChannelData, %u for peers'", name_of(stage),
             traffic->count, kinds[PACKET_CHANNEL_DATA], kinds[PACKET_PEER]);
}

double stage_classify(struct stage *stage, bool *rested)
{
    const struct traffic *traffic = stage->stand.traffic;
    struct rte_mbuf *frames[STAGE_BURST];
    uint32_t kinds[PACKET_KIND_COUNT] = {0};
    struct slices slices;
    draw(stage);
    load(stage, traffic->arrivals, traffic->count);
    slices_begin(&slices, stage->stand.rest);
    while (port_has_more(stage->stand.port)) {
        uint32_t before = stage->stand.port->delivered;
        slice_begin(&slices);
        for (unsigned i = 0; i < SLICE_POLLS && port_has_more(stage->stand.port); i++) {
            unsigned count = rte_eth_rx_burst(PORT_ID, 0, frames, STAGE_BURST);
            classify_burst(worker_of(stage), frames, count, kinds);
        }
        slice_end(&slices, stage->stand.port->delivered - before);
    }
    check_kinds(stage, kinds);
    return slices_end(&slices, rested);
}

static void send_strays(struct stage *stage, struct run *run, uint32_t count, uint16_t len)
{
    pieces_stray(&stage->strays, count, len);
    load(stage, stage->strays.arrivals, count);
    run->strays += count;
}

static void fill_table(struct stage *stage, struct run *run)
{
    while (worker_of(stage)->reassembly.in_use < FULL) {
        send_strays(stage, run, STAGE_BURST, STRAY_LEN);
        poll_all(stage);
    }
}

// Burst by burst: each finds the table full.
static void poll_beside_strays(struct stage *stage, struct run *run)
{
    const struct pieces *pieces = &stage->pieces;
    for (uint32_t at = 0; at < pieces->count; at += STAGE_BURST) {
        fill_table(stage, run);
        load(stage, pieces->arrivals + at, RTE_MIN((uint32_t)STAGE_BURST, pieces->count - at));
        poll_slices(stage, &run->slices);
    }
}

double stage_pieces(struct stage *stage, unsigned number, enum pieces_order order, bool is_full,
                    bool *rested)
{
    struct traffic *traffic = stage->stand.traffic;
    draw(stage);
    pieces_cut(&stage->pieces, traffic, number, order);
    struct run run = run_begin(stage);
    if (is_full) {
        poll_beside_strays(stage, &run);
    } else {
        load(stage, stage->pieces.arrivals, stage->pieces.count);
        poll_slices(stage, &run.slices);
    }
    double cycles_a_piece = slices_end(&run.slices, rested);
    struct worker_counters after = strays_settle(stage, &run);
    check_put_together(stage, &run, &after, number);
    check_relaying(stage, &run, &after);
    return cycles_a_piece * number;
}

double stage_flood(struct stage *stage, uint16_t len, bool *rested)
{
    uint32_t count = stage->stand.traffic->count;
    draw(stage);
    struct run run = run_begin(stage);
    fill_table(stage, &run);
    send_strays(stage, &run, count, len);
    poll_slices(stage, &run.slices);
    (void)strays_settle(stage, &run);
    if (stage->stand.port->sent_count != 0)
        fail("%s: a packet left that never was whole", name_of(stage));
    return slices_end(&run.slices, rested);
}
