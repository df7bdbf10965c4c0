// SPDX-License-Identifier: BSD-3-Clause
// Access to a punted frame for the control plane, which knows nothing of packet buffers.
#include "exchange/punt.h"

#include <rte_mbuf.h>

struct span punt_bytes(const struct punt *punt)
{
    return (struct span){
        .data = rte_pktmbuf_mtod_offset(punt->message.frame, const uint8_t *,
                                        punt->message.message_offset),
        .len = punt->message.message_len,
    };
}

void punt_discard(const struct punt *punt)
{
    rte_pktmbuf_free(punt->message.frame);
}
