// SPDX-License-Identifier: BSD-3-Clause
// A hand-off that errs, linked in the place of the right one: what a worker receives is damaged as
// DAMAGE says, so that a test sees whether the benchmark notices.
#include "dataplane/handoff.h"

#include <stdlib.h>
#include <string.h>

unsigned __real_handoff_gather(struct worker *worker, struct handoff *ret_handed);
unsigned __wrap_handoff_gather(struct worker *worker, struct handoff *ret_handed);

unsigned __wrap_handoff_gather(struct worker *worker, struct handoff *ret_handed)
{
    const char *damage = getenv("DAMAGE");
    unsigned count = __real_handoff_gather(worker, ret_handed);
    if (damage == NULL || count == 0)
        return count;
    struct rte_mbuf *frame = ret_handed[count - 1].frame;
    if (strcmp(damage, "payload") == 0)
        rte_pktmbuf_mtod(frame, uint8_t *)[frame->data_len - 1u] ^= 1;
    else if (strcmp(damage, "uncounted") == 0)
        worker_count_add(worker, COUNTER_HANDOFF_IN, UINT64_MAX);
    return count;
}
