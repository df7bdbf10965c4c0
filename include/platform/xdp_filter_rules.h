// SPDX-License-Identifier: BSD-3-Clause
// What the XDP program is told about this run, and the maps that tell it: shared by the program,
// compiled for BPF, and by its loader.
#pragma once

#include <linux/types.h>

#define XDP_FILTER_RANGES_MAX 80

// UDP to address, min_port..max_port, is the relay's. An IPv4 address occupies the first word, the
// others are zero. The words are in network order, the ports in host order.
struct xdp_filter_range {
    __u32 address[4];
    __u16 family; // 4 or 6
    __u16 min_port;
    __u16 max_port; // inclusive
    __u16 relayed;  // a relay range: ICMP errors about what is sent from it are the relay's too
};

struct xdp_filter_rules {
    struct xdp_filter_range ranges[XDP_FILTER_RANGES_MAX];
    __u32 range_count;
};

// Map addresses: of each of our addresses, where its words begin in the map ports.
struct xdp_filter_address {
    __u32 words[4]; // as in a range
    __u32 family;
};

// Map ports: a word for so many ports, two bits for each of them, the lowest port's lowest. So a
// packet costs two lookups, however many addresses and ranges there are.
#define XDP_FILTER_PORTS_A_WORD     32
#define XDP_FILTER_WORDS_AN_ADDRESS (65536 / XDP_FILTER_PORTS_A_WORD)
#define XDP_FILTER_OURS             1
#define XDP_FILTER_RELAYED          2
