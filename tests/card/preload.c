// SPDX-License-Identifier: BSD-3-Clause
// The card in a running relay, by LD_PRELOAD: behind whatever device there is, frames go to the
// queues that the rules say. CARD in the environment has words on what it cannot do, CARD_RULES the
// name of a file that keeps its rules when the relay is killed, CARD_LOG that of one that says at
// the end what became of them.
#include "card.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RING_LEN   1024
#define QUEUES_MAX 64

static struct rte_ring *steered[QUEUES_MAX]; // by queue: frames of it that came by another
static bool ignores;                         // takes rules and does otherwise
static unsigned found;                       // rules of another's

static uint16_t deliver(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t count,
                        uint16_t max, void *context)
{
    uint16_t kept = 0;

    (void)port;
    (void)context;
    for (uint16_t i = 0; i < count; i++) {
        struct rte_mbuf *frame = frames[i];
        int vlan = frame->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED ? frame->vlan_tci & 0x0FFF : -1;
        int owner = card_queue_of(rte_pktmbuf_mtod(frame, const uint8_t *),
                                  rte_pktmbuf_data_len(frame), vlan, queue);

        if (owner == queue || (ignores && owner != CARD_NOWHERE))
            frames[kept++] = frame;
        else if (owner == CARD_NOWHERE || rte_ring_mp_enqueue(steered[owner], frame) != 0)
            rte_pktmbuf_free(frame);
    }
    return (uint16_t)(kept + rte_ring_sc_dequeue_burst(steered[queue], (void **)&frames[kept],
                                                       max - kept, NULL));
}

static void hook(uint16_t port)
{
    struct rte_eth_dev_info info;
    char name[RTE_RING_NAMESIZE];

    card.on_rule = NULL;
    if (rte_eth_dev_info_get(port, &info) != 0)
        abort();
    for (uint16_t queue = 0; queue < info.nb_rx_queues; queue++) {
        snprintf(name, sizeof(name), "card%u", queue);
        steered[queue] = rte_ring_create(name, RING_LEN, SOCKET_ID_ANY, RING_F_SC_DEQ);
        if (!steered[queue] || !rte_eth_add_rx_callback(port, queue, deliver, NULL))
            abort();
    }
}

static bool is_told(const char *word)
{
    const char *words = getenv("CARD");

    return words && strstr(words, word);
}

static void __attribute__((constructor)) begin(void)
{
    const char *kept = getenv("CARD_RULES");

    card_reset();
    if (kept && !card_keep(kept))
        abort();
    found = card.live;
    card.knows_masks = !is_told("no_masks");
    card.can_isolate = !is_told("no_isolation");
    card.sees_first_fragments = is_told("sees_first_fragments");
    ignores = is_told("ignores");
    card.on_rule = hook;
}

static void __attribute__((destructor)) end(void)
{
    const char *name = getenv("CARD_LOG");
    FILE *file = name ? fopen(name, "w") : NULL;

    if (!file)
        return;
    fprintf(file, "found %u made %u left %u\n", found, card.made, card.live);
    fclose(file);
}
