// SPDX-License-Identifier: BSD-3-Clause
// The XDP program that takes what is the relay's off a shared interface, and nothing else: UDP to
// listening addresses and relay ranges, their fragments, and ICMP errors about relayed datagrams
// (RFC 8656 sections 11.5 and 13). Whatever it does not understand goes on to the kernel.
#include "platform/xdp_filter_rules.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define EXTENSION_HEADERS_MAX 6
#define HOST_DATAGRAMS_MAX    1024

#define IPV4_OFFSET_MASK    0x1fff
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV6_OFFSET_MASK    0xfff8
#define IPV6_MORE_FRAGMENTS 0x0001

// Written before the program is attached, and never again; the loader says how many there are.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_RDONLY_PROG);
    __uint(max_entries, 1);
    __type(key, struct xdp_filter_address);
    __type(value, __u32);
} addresses SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_RDONLY_PROG);
    __uint(max_entries, XDP_FILTER_WORDS_AN_ADDRESS);
    __type(key, __u32);
    __type(value, __u64);
} ports SEC(".maps");

// One AF_XDP socket a queue. A queue without one, or whose relay has died, falls back to the
// kernel.
struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, 64);
    __type(key, __u32);
    __type(value, __u32);
} xsks_map SEC(".maps");

// Datagrams of the host itself that arrive in fragments. Later fragments have no ports, so all that
// are addressed to the relay's addresses would be taken; those of a datagram whose first fragment
// went to the kernel follow it.
struct datagram {
    __u32 source[4];
    __u32 destination[4];
    __u32 id;
    __u32 family;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, HOST_DATAGRAMS_MAX);
    __type(key, struct datagram);
    __type(value, __u8);
} host_datagrams SEC(".maps");

struct extension_header {
    __u8 next_header;
    __u8 length; // in 8 bytes, without the first 8
};

struct fragment_header {
    __u8 next_header;
    __u8 reserved;
    __be16 offset;
    __be32 id;
};

struct icmp_header {
    __u8 type;
    __u8 code;
    __be16 checksum;
    __be32 rest;
};

// What of a packet decides.
struct flow {
    struct datagram datagram;
    void *upper; // behind the IP headers
    __u8 protocol;
    __u8 later_fragment;
    __u8 more_fragments;
};

// Where its ports begin; NULL: not ours.
static __always_inline const __u32 *find_address(const __u32 address[4], __u16 family)
{
    struct xdp_filter_address key = {.family = family};

    __builtin_memcpy(key.words, address, sizeof(key.words));
    return bpf_map_lookup_elem(&addresses, &key);
}

static __always_inline int is_our_address(const __u32 address[4], __u16 family)
{
    return find_address(address, family) != 0;
}

static __always_inline int is_our_port(const __u32 address[4], __u16 family, __u16 port,
                                       int relayed_only)
{
    const __u32 *first = find_address(address, family);
    const __u64 *word;
    __u32 place;

    if (!first)
        return 0;
    place = *first + port / XDP_FILTER_PORTS_A_WORD;
    word = bpf_map_lookup_elem(&ports, &place);
    return word && (*word >> port % XDP_FILTER_PORTS_A_WORD * 2 &
                    (relayed_only ? XDP_FILTER_RELAYED : XDP_FILTER_OURS));
}

// The IP headers at ip. Returns 0 when ret_flow is filled in, -1 when this is nothing that we know.
static __always_inline int parse_ipv4(void *ip, void *end, struct flow *ret_flow)
{
    struct iphdr *header = ip;
    __u16 fragment;

    if ((void *)(header + 1) > end || header->version != 4 || header->ihl < 5)
        return -1;
    fragment = bpf_ntohs(header->frag_off);
    ret_flow->datagram.source[0] = header->saddr;
    ret_flow->datagram.destination[0] = header->daddr;
    ret_flow->datagram.id = header->id;
    ret_flow->datagram.family = 4;
    ret_flow->protocol = header->protocol;
    ret_flow->later_fragment = (fragment & IPV4_OFFSET_MASK) != 0;
    ret_flow->more_fragments = (fragment & IPV4_MORE_FRAGMENTS) != 0;
    ret_flow->upper = ip + header->ihl * 4;
    return 0;
}

static __always_inline int parse_ipv6(void *ip, void *end, struct flow *ret_flow)
{
    struct ipv6hdr *header = ip;
    void *cursor = header + 1;
    __u8 next_header;

    if (cursor > end || header->version != 6)
        return -1;
    __builtin_memcpy(ret_flow->datagram.source, &header->saddr, 16);
    __builtin_memcpy(ret_flow->datagram.destination, &header->daddr, 16);
    ret_flow->datagram.family = 6;
    next_header = header->nexthdr;
#pragma unroll
    for (int i = 0; i < EXTENSION_HEADERS_MAX; i++) {
        if (next_header == IPPROTO_FRAGMENT) {
            struct fragment_header *fragment = cursor;

            if ((void *)(fragment + 1) > end)
                return -1;
            ret_flow->datagram.id = fragment->id;
            ret_flow->later_fragment = (bpf_ntohs(fragment->offset) & IPV6_OFFSET_MASK) != 0;
            ret_flow->more_fragments = (bpf_ntohs(fragment->offset) & IPV6_MORE_FRAGMENTS) != 0;
            next_header = fragment->next_header;
            cursor = fragment + 1;
            if (ret_flow->later_fragment)
                break;
        } else if (next_header == IPPROTO_HOPOPTS || next_header == IPPROTO_ROUTING ||
                   next_header == IPPROTO_DSTOPTS) {
            struct extension_header *extension = cursor;

            if ((void *)(extension + 1) > end)
                return -1;
            next_header = extension->next_header;
            cursor += 8 + extension->length * 8;
        } else {
            break;
        }
    }
    ret_flow->protocol = next_header;
    ret_flow->upper = cursor;
    return 0;
}

static __always_inline int parse_ip(void *ip, void *end, int family, struct flow *ret_flow)
{
    return family == 4 ? parse_ipv4(ip, end, ret_flow) : parse_ipv6(ip, end, ret_flow);
}

// Only of our addresses are later fragments ever asked about. Ids come round again: what is ours
// now must not follow a datagram of the host long ago.
static __always_inline void remember_first_fragment(const struct flow *flow, int ours)
{
    __u8 host = 1;

    if (ours)
        bpf_map_delete_elem(&host_datagrams, &flow->datagram);
    else if (is_our_address(flow->datagram.destination, flow->datagram.family))
        bpf_map_update_elem(&host_datagrams, &flow->datagram, &host, BPF_ANY);
}

// Whether what is cut up is UDP a later piece does not say where destination options come first: it
// names the options. What is not UDP is the host's by its first piece.
static __always_inline int later_fragment_is_ours(const struct flow *flow)
{
    int may_be_udp = flow->protocol == IPPROTO_UDP ||
                     (flow->datagram.family == 6 && flow->protocol == IPPROTO_DSTOPTS);

    return may_be_udp && is_our_address(flow->datagram.destination, flow->datagram.family) &&
           !bpf_map_lookup_elem(&host_datagrams, &flow->datagram);
}

static __always_inline int udp_is_ours(const struct flow *flow, void *end)
{
    struct udphdr *udp = flow->upper;
    int ours;

    if ((void *)(udp + 1) > end)
        return 0;
    ours = is_our_port(flow->datagram.destination, flow->datagram.family, bpf_ntohs(udp->dest), 0);
    if (flow->more_fragments)
        remember_first_fragment(flow, ours);
    return ours;
}

static __always_inline int icmp_type_is_relayed(int family, __u8 type)
{
    if (family == 4)
        return type == 3 || type == 11;
    return type >= 1 && type <= 3;
}

static __always_inline int icmp_is_too_big(int family, const struct icmp_header *icmp)
{
    return family == 4 ? icmp->type == 3 && icmp->code == 4 : icmp->type == 2;
}

// An ICMP error about a datagram that was sent from a relay port, or one that says how much the
// path to a client has.
static __always_inline int icmp_is_ours(const struct flow *flow, void *end, int family)
{
    struct icmp_header *icmp = flow->upper;
    struct flow embedded = {};
    struct udphdr *udp;

    if ((void *)(icmp + 1) > end || !icmp_type_is_relayed(family, icmp->type))
        return 0;
    if (parse_ip(icmp + 1, end, family, &embedded) < 0 || embedded.protocol != IPPROTO_UDP ||
        embedded.later_fragment)
        return 0;
    udp = embedded.upper;
    // Four bytes are enough, and an old router may quote no more than eight.
    if ((void *)udp + 4 > end)
        return 0;
    return is_our_port(embedded.datagram.source, family, bpf_ntohs(udp->source),
                       !icmp_is_too_big(family, icmp));
}

static __always_inline int packet_is_ours(void *ip, void *end, int family)
{
    struct flow flow = {};

    if (parse_ip(ip, end, family, &flow) < 0)
        return 0;
    if (flow.later_fragment)
        return later_fragment_is_ours(&flow);
    if (flow.protocol == IPPROTO_UDP)
        return udp_is_ours(&flow, end);
    if (flow.more_fragments)
        remember_first_fragment(&flow, 0);
    if (flow.protocol == (family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
        return icmp_is_ours(&flow, end, family);
    return 0;
}

SEC("xdp")
int turnpike(struct xdp_md *context)
{
    void *data = (void *)(long)context->data;
    void *end = (void *)(long)context->data_end;
    struct ethhdr *ethernet = data;
    int ours = 0;

    if ((void *)(ethernet + 1) > end)
        return XDP_PASS;
    if (ethernet->h_proto == bpf_htons(ETH_P_IP))
        ours = packet_is_ours(ethernet + 1, end, 4);
    else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6))
        ours = packet_is_ours(ethernet + 1, end, 6);
    if (!ours)
        return XDP_PASS;
    return bpf_redirect_map(&xsks_map, context->rx_queue_index, XDP_PASS);
}

char program_license[] SEC("license") = "BSD";
