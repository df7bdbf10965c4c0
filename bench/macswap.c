// SPDX-License-Identifier: BSD-3-Clause
// The least a forwarding program can do to a packet.
#include "macswap.h"

#include "fail.h"
#include "port.h"

#include <rte_ethdev.h>
#include <rte_prefetch.h>

#define BURST          64
#define PREFETCH_AHEAD 4

void macswap_poll(void)
{
    struct rte_mbuf *frames[BURST];
    uint16_t count = rte_eth_rx_burst(PORT_ID, 0, frames, BURST);
    for (uint16_t i = 0; i < count && i < PREFETCH_AHEAD; i++)
        rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
    for (uint16_t i = 0; i < count; i++) {
        if (i + PREFETCH_AHEAD < count)
            rte_prefetch0(rte_pktmbuf_mtod(frames[i + PREFETCH_AHEAD], void *));
        macswap_frame(frames[i]);
    }
    if (rte_eth_tx_burst(PORT_ID, 0, frames, count) != count)
        fail("macswap: not all was sent");
}
