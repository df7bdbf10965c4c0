// SPDX-License-Identifier: BSD-3-Clause
// Buffers are few, as a card's are, and stay in the cache; heads are as many as flows are drawn
// from, and are fetched a burst ahead. A pool is a plain ring without a cache: whatever port it is,
// frames leave in the order in which they came back.
#include "prepared.h"

#include "proto/channel_data.h"

#include <errno.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>
#include <sys/mman.h>

// Some drivers refuse smaller buffers.
#define BUFFER_MIN_LEN 256

static const char *const pool_names[DIRECTION_COUNT] = {"to peers", "to clients"};

struct filling {
    struct media *media;
    enum direction direction;
};

int prepared_open(struct prepared *prepared, uint16_t ring_len, uint16_t longest_payload)
{
    size_t len = frame_headers_len(IP_FAMILY_V6) + CHANNEL_DATA_HEADER_LEN + longest_payload;
    size_t room = RTE_PKTMBUF_HEADROOM + RTE_CACHE_LINE_ROUNDUP(RTE_MAX(len, BUFFER_MIN_LEN));
    // One less than a power of two, as a ring holds them.
    unsigned count = rte_align32pow2(2u * ring_len) - 1;

    *prepared = (struct prepared){0};
    for (unsigned i = 0; i < DIRECTION_COUNT; i++) {
        prepared->pools[i] = rte_pktmbuf_pool_create_by_ops(
            pool_names[i], count, 0, 0, (uint16_t)room, SOCKET_ID_ANY, "ring_sp_sc");
        if (!prepared->pools[i]) {
            prepared_close(prepared);
            return -ENOMEM;
        }
    }
    return 0;
}

void prepared_close(struct prepared *prepared)
{
    for (unsigned i = 0; i < DIRECTION_COUNT; i++)
        rte_mempool_free(prepared->pools[i]);
    if (prepared->heads)
        munmap(prepared->heads, prepared->heads_len);
    *prepared = (struct prepared){0};
}

static void set_lens(struct prepared *prepared, const struct media *media, bool is_reflected)
{
    const struct flows *flows = media->config.flows;
    size_t of_client = frame_headers_len(flows->clients.prefix.ip.family) + CHANNEL_DATA_HEADER_LEN;
    size_t of_peer = frame_headers_len(flows->peers.prefix.ip.family);

    prepared->sent_lens[TO_PEER] = (uint16_t)(of_client + media->config.lens[0]);
    prepared->sent_lens[TO_CLIENT] = (uint16_t)(of_peer + media->config.lens[0]);
    prepared->received_lens[TO_PEER] = prepared->sent_lens[is_reflected ? TO_PEER : TO_CLIENT];
    prepared->received_lens[TO_CLIENT] = prepared->sent_lens[is_reflected ? TO_CLIENT : TO_PEER];
    prepared->head_len =
        RTE_CACHE_LINE_ROUNDUP(RTE_MAX(of_client, of_peer) +
                               payload_head_len(media->config.lens[0]) - ETHERNET_HEADER_LEN);
}

static uint8_t *head_of(const struct prepared *prepared, uint32_t flow, enum direction direction)
{
    return prepared->heads + ((uint64_t)flow * DIRECTION_COUNT + direction) * prepared->head_len;
}

static int fill_heads(struct prepared *prepared, struct media *media)
{
    const struct flows *flows = media->config.flows;
    uint8_t frame[MEDIA_FRAME_MAX_LEN] = {0};
    void *heads;

    prepared->heads_len = (uint64_t)flows->ready_count * DIRECTION_COUNT * prepared->head_len;
    heads =
        mmap(NULL, prepared->heads_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (heads == MAP_FAILED)
        return -ENOMEM;
    madvise(heads, prepared->heads_len, MADV_HUGEPAGE);
    prepared->heads = heads;
    for (uint32_t i = 0; i < flows->ready_count; i++) {
        for (enum direction direction = TO_PEER; direction < DIRECTION_COUNT; direction++) {
            media_write_unnumbered(media, frame, flows->ready[i], direction);
            memcpy(head_of(prepared, i, direction), frame + ETHERNET_HEADER_LEN,
                   prepared->head_len);
        }
    }
    return 0;
}

static void fill_frame(struct rte_mempool *pool, void *context, void *object, unsigned index)
{
    const struct filling *filling = context;
    struct rte_mbuf *frame = object;
    size_t len;

    (void)pool;
    (void)index;
    rte_pktmbuf_reset(frame);
    len = media_write_unnumbered(filling->media, rte_pktmbuf_mtod(frame, uint8_t *),
                                 filling->media->config.flows->ready[0], filling->direction);
    frame->data_len = (uint16_t)len;
    frame->pkt_len = (uint32_t)len;
}

static enum direction turn(const struct prepared *prepared, uint32_t number)
{
    return prepared->turns[number % 2];
}

// Place number of those drawn.
static void draw(struct prepared *prepared, struct media *media, uint32_t number)
{
    const uint8_t *head = head_of(prepared, picker_draw(&media->picker), turn(prepared, number));

    rte_prefetch0(head);
    prepared->drawn[number] = head;
}

int prepared_fill(struct prepared *prepared, struct media *media, bool is_reflected)
{
    int error;

    set_lens(prepared, media, is_reflected);
    error = fill_heads(prepared, media);
    if (error)
        return error;
    for (enum direction direction = TO_PEER; direction < DIRECTION_COUNT; direction++) {
        struct filling filling = {media, direction};
        rte_mempool_obj_iter(prepared->pools[direction], fill_frame, &filling);
    }
    prepared->turns[0] = media->config.directions[TO_PEER] ? TO_PEER : TO_CLIENT;
    prepared->turns[1] = media->config.directions[TO_CLIENT] ? TO_CLIENT : TO_PEER;
    for (uint32_t i = 0; i < DEVICE_BURST; i++)
        draw(prepared, media, i);
    return 0;
}

// A ring that is asked for nothing says that it has not got it.
static bool take(struct rte_mempool *pool, struct rte_mbuf **ret_frames, unsigned count)
{
    return count == 0 || rte_mempool_get_bulk(pool, (void **)ret_frames, count) == 0;
}

// counts: how many of each direction. False, and none are taken, when there are not so many.
static bool take_frames(struct prepared *prepared, const unsigned counts[DIRECTION_COUNT],
                        struct rte_mbuf *ret_frames[DIRECTION_COUNT][DEVICE_BURST])
{
    if (!take(prepared->pools[TO_PEER], ret_frames[TO_PEER], counts[TO_PEER]))
        return false;
    if (take(prepared->pools[TO_CLIENT], ret_frames[TO_CLIENT], counts[TO_CLIENT]))
        return true;
    rte_pktmbuf_free_bulk(ret_frames[TO_PEER], counts[TO_PEER]);
    return false;
}

static void put_head(struct prepared *prepared, struct media *media, struct rte_mbuf *frame)
{
    const uint8_t *head = prepared->drawn[prepared->next];
    uint8_t *place = rte_pktmbuf_mtod_offset(frame, uint8_t *, ETHERNET_HEADER_LEN);

    for (size_t at = 0; at < prepared->head_len; at += RTE_CACHE_LINE_SIZE)
        memcpy(place + at, head + at, RTE_CACHE_LINE_SIZE);
    draw(prepared, media, prepared->next);
    prepared->next = (prepared->next + 1) % DEVICE_BURST;
}

void prepared_send(struct prepared *prepared, struct media *media, struct device *device,
                   unsigned max)
{
    struct rte_mbuf *frames[DIRECTION_COUNT][DEVICE_BURST];
    unsigned counts[DIRECTION_COUNT] = {0}, used[DIRECTION_COUNT] = {0};

    for (unsigned i = 0; i < max; i++)
        counts[turn(prepared, prepared->next + i)]++;
    if (!take_frames(prepared, counts, frames))
        return;
    for (unsigned i = 0; i < max; i++) {
        enum direction direction = turn(prepared, prepared->next);
        struct rte_mbuf *frame = frames[direction][used[direction]++];

        put_head(prepared, media, frame);
        device->queued[device->queued_count++] = frame;
    }
    for (unsigned i = 0; i < DIRECTION_COUNT; i++) {
        media->counts[i].sent += counts[i];
        media->counts[i].sent_len += (uint64_t)counts[i] * media->config.lens[0];
    }
}
