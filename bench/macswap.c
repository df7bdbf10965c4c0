// SPDX-License-Identifier: BSD-3-Clause
// The least a forwarding program can do to a packet.
#include "macswap.h"

#include "fail.h"
#include "port.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>
#include <string.h>

#ifdef __SSSE3__
#include <tmmintrin.h>
#endif

#define BURST          64
#define PREFETCH_AHEAD 4

#ifdef __SSSE3__

// Addresses and what follows them in one load, one shuffle and one store.
static void swap_addresses(struct rte_mbuf *frame)
{
    const __m128i order = _mm_setr_epi8(6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 12, 13, 14, 15);
    __m128i *ethernet = rte_pktmbuf_mtod(frame, __m128i *);
    _mm_storeu_si128(ethernet, _mm_shuffle_epi8(_mm_loadu_si128(ethernet), order));
}

#else

static void swap_addresses(struct rte_mbuf *frame)
{
    uint8_t *ethernet = rte_pktmbuf_mtod(frame, uint8_t *);
    uint8_t addresses[12];
    memcpy(addresses, ethernet + 6, 6);
    memcpy(addresses + 6, ethernet, 6);
    memcpy(ethernet, addresses, sizeof(addresses));
}

#endif

static void swap(struct rte_mbuf *frame)
{
    swap_addresses(frame);
    frame->ol_flags = 0;
}

void macswap_send(uint16_t port, struct rte_mbuf **frames, uint16_t count)
{
    for (uint16_t i = 0; i < count && i < PREFETCH_AHEAD; i++)
        rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
    for (uint16_t i = 0; i < count; i++) {
        if (i + PREFETCH_AHEAD < count)
            rte_prefetch0(rte_pktmbuf_mtod(frames[i + PREFETCH_AHEAD], void *));
        swap(frames[i]);
    }
    if (count > 0 && rte_eth_tx_burst(port, 0, frames, count) != count)
        fail("macswap: not all was sent");
}

void macswap_poll(void)
{
    struct rte_mbuf *frames[BURST];
    macswap_send(PORT_ID, frames, rte_eth_rx_burst(PORT_ID, 0, frames, BURST));
}
