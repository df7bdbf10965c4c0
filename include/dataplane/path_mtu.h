// SPDX-License-Identifier: BSD-3-Clause
// What routers have said of the ways to peers and clients: the longest packet that gets there (RFC
// 1191, RFC 8201; to be heeded by RFC 8656 sections 13 and 14). It is known of a permission, or of
// an allocation, so whoever forges such an error harms one client's traffic, with one address or
// with all of its peers, and what nobody sends too much to costs nothing: a permission or an
// allocation, and its channels, carry a bit, which keeps them out of the short ways
// (dataplane/media.h), and only where it is set is the table looked at. Written and read by one
// worker alone.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PATH_MTU_SETS     1024
#define PATH_MTU_SET_SIZE 4
// RFC 1191 section 6.3, RFC 8201 section 4: then a larger one is tried.
#define PATH_MTU_LIFETIME_S 600
// No less is believed: RFC 8201 section 4; over IPv4 it is what every host takes (RFC 791 section
// 3.1), and media fits into it.
#define PATH_MTU_IPV4_MIN 576
#define PATH_MTU_IPV6_MIN 1280

struct path_mtu {
    uint32_t index;     // of a permission or an allocation: each kind has a table of its own
    uint32_t expires_s; // monotonic; 0: free
    uint16_t mtu;       // of the IP packet, bytes
};

struct path_mtu_table {
    struct path_mtu at[PATH_MTU_SETS][PATH_MTU_SET_SIZE];
};

// What an error says of a datagram of ours of that length: the MTU to go by, 0 for nothing. family:
// of the path, enum ip_family. mtu: as in the error; over IPv4 0 comes from routers older than RFC
// 1191.
uint16_t path_mtu_told(uint8_t family, uint32_t mtu, uint16_t sent_len);

// From now on, for so long. Whoever expires next makes room.
void path_mtu_table_set(struct path_mtu_table *table, uint32_t index, uint16_t mtu, uint32_t now_s);
// 0: not known, or not any more.
uint16_t path_mtu_table_get(const struct path_mtu_table *table, uint32_t index, uint32_t now_s);

struct worker;

// The path to the peer of this permission, or to the client of this allocation, has that MTU, unless
// a smaller one is known.
void path_mtu_learn_peer(struct worker *worker, uint32_t permission, uint16_t mtu);
void path_mtu_learn_client(struct worker *worker, uint32_t allocation, uint16_t mtu);
// Of one whose path is narrow: 0 when that was long ago, and then it is not any more.
uint16_t path_mtu_of_peer(struct worker *worker, uint32_t permission);
uint16_t path_mtu_of_client(struct worker *worker, uint32_t allocation);
