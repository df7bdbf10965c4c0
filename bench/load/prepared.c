// SPDX-License-Identifier: BSD-3-Clause
// The pool is a plain ring without a cache: frames leave in the order in which they came back, so
// that all of them are used, and none is at hand because it was just sent.
#include "prepared.h"

#include "proto/channel_data.h"

#include <errno.h>
#include <rte_mbuf.h>
#include <stdlib.h>

#define FRAMES_MIN (16u << 10)
#define FRAMES_MAX (512u << 10)
// Some drivers refuse smaller buffers.
#define BUFFER_MIN_LEN 256

// One less than a power of two, as a ring holds them.
static unsigned frame_count(uint32_t flows)
{
    unsigned count = FRAMES_MIN;

    while (count < flows && count < FRAMES_MAX)
        count *= 2;
    return count - 1;
}

int prepared_open(struct prepared *prepared, uint32_t flows, uint16_t longest_payload)
{
    size_t len = frame_headers_len(IP_FAMILY_V6) + CHANNEL_DATA_HEADER_LEN + longest_payload;
    size_t room = RTE_PKTMBUF_HEADROOM + RTE_CACHE_LINE_ROUNDUP(RTE_MAX(len, BUFFER_MIN_LEN));

    *prepared = (struct prepared){
        .pool = rte_pktmbuf_pool_create_by_ops("prepared", frame_count(flows), 0, 0, (uint16_t)room,
                                               SOCKET_ID_ANY, "ring_sp_sc"),
    };
    return prepared->pool ? 0 : -ENOMEM;
}

void prepared_close(struct prepared *prepared)
{
    rte_mempool_free(prepared->pool);
    prepared->pool = NULL;
}

static uint16_t payload_family(const struct media *media, enum direction direction)
{
    const struct flows *flows = media->config.flows;

    return (direction == TO_PEER ? flows->clients : flows->peers).prefix.ip.family;
}

static void set_lens(struct prepared *prepared, const struct media *media, bool is_reflected)
{
    size_t len = media->config.lens[0];
    size_t of_client = frame_headers_len(payload_family(media, TO_PEER)) + CHANNEL_DATA_HEADER_LEN;
    size_t of_peer = frame_headers_len(payload_family(media, TO_CLIENT));

    prepared->sent_lens[TO_PEER] = (uint16_t)(of_client + len);
    prepared->sent_lens[TO_CLIENT] = (uint16_t)(of_peer + len);
    prepared->received_lens[TO_PEER] = prepared->sent_lens[is_reflected ? TO_PEER : TO_CLIENT];
    prepared->received_lens[TO_CLIENT] = prepared->sent_lens[is_reflected ? TO_CLIENT : TO_PEER];
}

static void write_frame(struct media *media, struct rte_mbuf *frame)
{
    size_t len;

    rte_pktmbuf_reset(frame);
    len = media_write(media, rte_pktmbuf_mtod(frame, uint8_t *), 0);
    frame->data_len = (uint16_t)len;
    frame->pkt_len = (uint32_t)len;
}

int prepared_fill(struct prepared *prepared, struct media *media, bool is_reflected)
{
    unsigned count = rte_mempool_avail_count(prepared->pool);
    void **frames = calloc(count, sizeof(*frames));

    if (!frames || rte_mempool_get_bulk(prepared->pool, frames, count) != 0) {
        free(frames);
        return -ENOMEM;
    }
    set_lens(prepared, media, is_reflected);
    for (unsigned i = 0; i < count; i++)
        write_frame(media, frames[i]);
    // None of them has been sent.
    for (unsigned i = 0; i < DIRECTION_COUNT; i++)
        media->counts[i] = (struct media_counts){0};
    rte_mempool_put_bulk(prepared->pool, frames, count);
    free(frames);
    return 0;
}

void prepared_send(struct prepared *prepared, struct media *media, struct device *device,
                   unsigned max)
{
    struct rte_mbuf **frames = device->queued + device->queued_count;
    unsigned available = rte_mempool_avail_count(prepared->pool), to_peer = 0;

    max = RTE_MIN(max, available);
    if (max == 0 || rte_mempool_get_bulk(prepared->pool, (void **)frames, max) != 0)
        return;
    for (unsigned i = 0; i < max; i++)
        to_peer += frames[i]->data_len == prepared->sent_lens[TO_PEER];
    device->queued_count += max;
    media->counts[TO_PEER].sent += to_peer;
    media->counts[TO_PEER].sent_len += (uint64_t)to_peer * media->config.lens[0];
    media->counts[TO_CLIENT].sent += max - to_peer;
    media->counts[TO_CLIENT].sent_len += (uint64_t)(max - to_peer) * media->config.lens[0];
}
