// SPDX-License-Identifier: BSD-3-Clause
// The one worker that can say whose a client is. A client's packets land where the port's hash of their 5-tuple sends
// them, and that worker owns its allocation; but fragments are spread by their addresses alone, and a port may begin to
// spread differently. Whoever gets a packet of a client that it does not know asks the client's home. Both planes
// compute it, so it is a pure function of the client's address.
#pragma once

#include <stdint.h>
#include <string.h>

// ip: as in struct ip_address; port in host byte order. No key: no table is indexed by it, and who aims at one worker
// can do so with relay ports as well.
static inline uint16_t client_home(const uint8_t ip[16], uint16_t port, uint16_t worker_count)
{
    uint64_t halves[2];
    memcpy(halves, ip, sizeof(halves));
    // Odd constants with well mixed bits (of the golden ratio, of SplitMix64).
    uint64_t hash = (halves[0] ^ port) * UINT64_C(0x9E3779B97F4A7C15) + halves[1];
    hash = (hash ^ hash >> 32) * UINT64_C(0xBF58476D1CE4E5B9);
    return (uint16_t)((hash >> 32) * worker_count >> 32);
}
