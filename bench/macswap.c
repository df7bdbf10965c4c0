// SPDX-License-Identifier: BSD-3-Clause
// The least a forwarding program can do to a packet.
#include "macswap.h"

#include "fail.h"
#include "port.h"

#include <rte_ethdev.h>
#include <rte_prefetch.h>
#include <string.h>
#include <tmmintrin.h>

#define BURST          64
#define PREFETCH_AHEAD 4

// Addresses and what follows them in one load, one shuffle and one store.
static void swap(struct rte_mbuf *frame)
{
    const __m128i order = _mm_setr_epi8(6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 12, 13, 14, 15);
    __m128i *ethernet = rte_pktmbuf_mtod(frame, __m128i *);
    _mm_storeu_si128(ethernet, _mm_shuffle_epi8(_mm_loadu_si128(ethernet), order));
    frame->ol_flags = 0;
}

void macswap_poll(void)
{
    struct rte_mbuf *frames[BURST];
    uint16_t count = rte_eth_rx_burst(PORT_ID, 0, frames, BURST);
    for (uint16_t i = 0; i < count && i < PREFETCH_AHEAD; i++)
        rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
    for (uint16_t i = 0; i < count; i++) {
        if (i + PREFETCH_AHEAD < count)
            rte_prefetch0(rte_pktmbuf_mtod(frames[i + PREFETCH_AHEAD], void *));
        swap(frames[i]);
    }
    if (rte_eth_tx_burst(PORT_ID, 0, frames, count) != count)
        fail("macswap: not all was sent");
}
