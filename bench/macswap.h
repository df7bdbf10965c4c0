// SPDX-License-Identifier: BSD-3-Clause
// The floor: what testpmd's macswap engine does, and no relaying. Receive, swap the two MAC addresses, transmit.
#pragma once

#include <rte_mbuf.h>
#include <string.h>

#ifdef __SSSE3__
#include <tmmintrin.h>
#endif

// One burst of PORT_ID.
void macswap_poll(void);

#ifdef __SSSE3__

// Addresses and what follows them in one load, one shuffle and one store.
static inline void macswap_addresses(struct rte_mbuf *frame)
{
    const __m128i order = _mm_setr_epi8(6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 12, 13, 14, 15);
    __m128i *ethernet = rte_pktmbuf_mtod(frame, __m128i *);
    _mm_storeu_si128(ethernet, _mm_shuffle_epi8(_mm_loadu_si128(ethernet), order));
}

#else

static inline void macswap_addresses(struct rte_mbuf *frame)
{
    uint8_t *ethernet = rte_pktmbuf_mtod(frame, uint8_t *);
    uint8_t addresses[12];
    memcpy(addresses, ethernet + 6, 6);
    memcpy(addresses + 6, ethernet, 6);
    memcpy(ethernet, addresses, sizeof(addresses));
}

#endif

static inline void macswap_frame(struct rte_mbuf *frame)
{
    macswap_addresses(frame);
    frame->ol_flags = 0;
}
