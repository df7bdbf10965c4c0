// SPDX-License-Identifier: BSD-3-Clause
// Holds the table of flows and adds up what they lost.
#include "flow.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_LEN (2u << 20)
// Of no relay; more flows than there are ports share them.
#define PRETENDED_FIRST_PORT 4096u
#define PRETENDED_PORTS      (65536u - PRETENDED_FIRST_PORT)

// Zeroed, and in huge pages where the kernel gives them: flows are drawn at random.
static void *table_create(uint64_t len)
{
    void *table;

    len = (len + HUGE_LEN - 1) & ~(uint64_t)(HUGE_LEN - 1);
    table = aligned_alloc(HUGE_LEN, len);
    if (table) {
        madvise(table, len, MADV_HUGEPAGE);
        memset(table, 0, len);
    }
    return table;
}

int flows_init(struct flows *flows, uint32_t count, const struct transport_address *server,
               const struct endpoint_range *clients, const struct endpoint_range *peers)
{
    struct flows made = {.count = count, .clients = *clients, .peers = *peers, .server = *server};

    if (count > endpoint_range_count(clients) || count > endpoint_range_count(peers))
        return -ERANGE;
    made.table = table_create((uint64_t)count * sizeof(*made.table));
    made.nonces = calloc(count, sizeof(*made.nonces));
    made.ready = calloc(count, sizeof(*made.ready));
    if (count > 0 && (!made.table || !made.nonces || !made.ready)) {
        flows_done(&made);
        return -ENOMEM;
    }
    *flows = made;
    return 0;
}

void flows_done(struct flows *flows)
{
    free(flows->table);
    free(flows->nonces);
    free(flows->ready);
    *flows = (struct flows){0};
}

void flows_gather(struct flows *flows)
{
    flows->ready_count = 0;
    for (uint32_t i = 0; i < flows->count; i++) {
        if (flows->table[i].state == FLOW_READY)
            flows->ready[flows->ready_count++] = i;
    }
}

void flows_pretend(struct flows *flows)
{
    for (uint32_t i = 0; i < flows->count; i++) {
        uint16_t port = (uint16_t)(PRETENDED_FIRST_PORT + i % PRETENDED_PORTS);
        flows->table[i].relayed = (struct transport_address){flows->server.ip, port};
        flows->table[i].state = FLOW_READY;
    }
}

void flows_count_losses(const struct flows *flows, enum direction direction,
                        struct flow_losses *ret_losses)
{
    struct flow_losses losses = {0};

    for (uint32_t i = 0; i < flows->count; i++) {
        const struct flow *flow = &flows->table[i];
        const struct sequence *received = &flow->received[direction];
        uint32_t lost = flow->sent[direction] - received->received;

        // More than was sent, when what is older than the window comes twice.
        if (received->received > flow->sent[direction])
            lost = 0;
        losses.lost += lost;
        losses.flows_used += flow->sent[direction] > 0;
        losses.flows_with_loss += lost > 0;
        losses.flows_with_reordering += received->reordered > 0;
        losses.flows_with_duplicates += received->duplicates > 0;
        if (lost > losses.worst_lost) {
            losses.worst_lost = lost;
            losses.worst_flow = i;
        }
    }
    *ret_losses = losses;
}
