// SPDX-License-Identifier: BSD-3-Clause
// Channels' datagrams in as few steps as can be (RFC 8656 sections 12.6, 12.7, 13, 14). The whole
// burst goes through one stage after the other, so that what one stage fetches from memory is there
// in the next; and where packets differ in an unpredictable way, in their direction, they are told
// apart without a branch.
//
// A datagram goes this way when its headers are as they nearly always are: no options, no fragment,
// a checksum, lengths that fit exactly, hops left. Then what is written is, but for addresses,
// ports and lengths, what was read, and its checksums are the old ones with what changes.
#include "dataplane/media.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "dataplane/allowance.h"
#include "dataplane/fetch.h"
#include "dataplane/foreign.h"
#include "dataplane/handoff.h"
#include "dataplane/indications.h"
#include "dataplane/lanes.h"
#include "dataplane/leg.h"
#include "dataplane/plain.h"
#include "dataplane/stateless_answer.h"
#include "dataplane/transmit.h"
#include "proto/stun.h"

#include <netinet/in.h>
#include <rte_byteorder.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#define LEAST_LEN (PACKET_ETHERNET_LEN + PACKET_UDP_LEN + CHANNEL_DATA_HEADER_LEN)

// So many frames are sorted before their buckets are asked for. Fewer wait longer at loops' ends,
// all of a burst for the first of its buckets.
#define SORT_PART 32u

#define ETHERNET_TYPE_IPV6_BE 0xDD86

// What a port may have said about checksums that keeps a datagram from this way, or saves a sum.
#define VERDICTS (RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_BAD)

// What is common about an IPv4 header, from the Ethernet header's type on, and the bits that say
// so: type, version and length; no fragment; UDP.
#define IPV4_COMMON      ((lanes){0x08, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 0, IPPROTO_UDP, 0, 0, 0, 0})
#define IPV4_COMMON_BITS ((lanes){0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0xBF, 0xFF, 0, 0xFF, 0, 0, 0, 0})

// The first eight bytes of an IPv6 header, as a number: version, class, label; length, next header,
// hop limit.
#define IPV6_MASK        UINT64_C(0xF00000000000FF00)
#define IPV6_COMMON      UINT64_C(0x6000000000001100)
#define IPV6_LABEL_SHIFT 32
#define IPV6_LEN_SHIFT   16

// Of one family.
struct media {
    struct plain_clients clients;
    struct plain_peers peers;
    struct plain_list senders;  // Send indications; of IPv4 clients only
    struct plain_list requests; // the same
    struct plain_list unbound;  // of peers whose channel, if any, is not the guessed one
    // Where there are other workers: clients whose channel was found, and those whose is not here,
    // as far as can be seen.
    struct plain_choice known;
    struct plain_choice unknown;
    // The first of the clients and of the peers were handed over, the clients' with their bucket.
    unsigned handed_clients;
    unsigned handed_peers;
    const struct relay_slot *unbound_slots[WORKER_BURST];
};

// A burst on its way.
struct media_burst {
    struct media ipv4;
    struct media ipv6;
    struct plain_list rest;
};

static void media_init(struct media *media)
{
    media->clients.count = 0;
    media->peers.count = 0;
    media->senders.count = 0;
    media->requests.count = 0;
    media->unbound.count = 0;
    media->unknown.count = 0;
    media->handed_clients = 0;
    media->handed_peers = 0;
}

static __rte_always_inline void media_burst_init(struct media_burst *burst)
{
    burst->rest.count = 0;
    media_init(&burst->ipv4);
    media_init(&burst->ipv6);
}

static __rte_always_inline size_t source_offset(enum ip_family family)
{
    return family == IP_FAMILY_V4 ? 12 : 8;
}

static __rte_always_inline size_t address_len(enum ip_family family)
{
    return family == IP_FAMILY_V4 ? 4 : 16;
}

// First stage: what it is.

// The first eight bytes, whose last two are one of two words, and four more carry nothing.
static __rte_always_inline bool ipv4_sum_is_right(const uint8_t *ip)
{
    uint64_t sum = plain_load_u64(ip) + plain_load_u32(ip + 8);
    return checksum_is_right(checksum_carry_u64(sum, plain_load_u64(ip + 12)));
}

// Whether the headers are as usual. ip_room: what the frame has from ip on; enough for headers.
static __rte_always_inline bool ipv4_is_common(const uint8_t *ip, uint32_t ip_room)
{
    const uint32_t headers_len = PACKET_IPV4_LEN + PACKET_UDP_LEN;
    uint32_t data_len = (uint16_t)load_be32(ip) - headers_len; // huge: too short
    uint32_t udp = load_be32(ip + PACKET_IPV4_LEN + 4);
    return !unlikely(lanes_have(lanes_load(ip - 2) ^ IPV4_COMMON, IPV4_COMMON_BITS) || ip[8] <= 1 ||
                     data_len > ip_room - headers_len || data_len + PACKET_UDP_LEN != udp >> 16 ||
                     (uint16_t)udp == 0);
}

static __rte_always_inline bool ipv6_is_common(const uint8_t *ip, uint32_t len)
{
    uint64_t first = load_be64(ip);
    uint32_t udp_len = load_be16(ip + PACKET_IPV6_LEN + 4);
    return plain_load_u16(ip - 2) == ETHERNET_TYPE_IPV6_BE && (first & IPV6_MASK) == IPV6_COMMON &&
           (uint8_t)first > 1 && (uint16_t)(first >> IPV6_LEN_SHIFT) == udp_len &&
           udp_len >= PACKET_UDP_LEN && PACKET_IPV6_LEN + udp_len <= len;
}

static __rte_always_inline const struct local_address *
local_of(enum ip_family family, const struct local_addresses *locals, const uint8_t *ip)
{
    return local_addresses_find(locals, ip + source_offset(family) + address_len(family),
                                address_len(family), load_be16(ip + plain_ip_len(family) + 2));
}

static __rte_noinline bool is_listener(enum ip_family family, const struct local_addresses *locals,
                                       const uint8_t *ip)
{
    const struct local_address *local = local_of(family, locals, ip);
    return local != NULL && local->kind == LOCAL_LISTENER;
}

// A datagram of neither, by its first two bytes. False: it is nothing that is known here. What an
// answer takes is asked for here and not when it is made: by then it has come.
static __rte_always_inline bool sort_message(const struct worker *worker, struct media *media,
                                             struct rte_mbuf *frame, const uint8_t *message)
{
    uint16_t type = load_be16(message);
    if (stateless_answer_is_request(type)) {
        answer_lines_prefetch(answer_lines_of(worker, frame, message));
        plain_list_add(&media->requests, frame);
        return true;
    }
    rte_prefetch0(plain_next_line(frame)); // all else is read further
    if (type != STUN_SEND_INDICATION_TYPE)
        return false;
    plain_list_add(&media->senders, frame);
    return true;
}

// How many of a burst are clients' and peers', while it is sorted.
struct sorted {
    size_t clients;
    size_t peers;
};

// Written to both lists, of which one grows.
static __rte_always_inline void sorted_add(struct sorted *sorted, struct media *media,
                                           struct rte_mbuf *frame, const struct relay_slot *slot,
                                           uint64_t of_peer)
{
    media->clients.frames[sorted->clients] = frame;
    media->peers.frames[sorted->peers] = frame;
    media->peers.slots[sorted->peers] = slot;
    sorted->clients += 1 - of_peer;
    sorted->peers += of_peer;
}

// Whose it is: of a relay port, or else, when its payload begins with 64..127 as ChannelData does,
// of a client. Which listeners and numbers there are, the lookup knows. False: neither.
static __rte_always_inline bool sort_datagram(enum ip_family family, const struct worker *worker,
                                              struct media *media, struct sorted *sorted,
                                              struct rte_mbuf *frame, const uint8_t *ip)
{
    const struct local_addresses *locals =
        family == IP_FAMILY_V4 ? &worker->local_v4 : &worker->local_v6;
    const uint8_t *udp = ip + plain_ip_len(family);
    const struct local_host *host = local_host_find(
        locals, ip + source_offset(family) + address_len(family), address_len(family));
    uint32_t place = (uint32_t)load_be16(udp + 2) - host->min_port;
    uint64_t of_peer = -(uint64_t)(place < host->port_count); // all bits
    if (unlikely(host->is_mixed))
        of_peer &= -(uint64_t)!is_listener(family, locals, ip);
    // Of this the compiler shall know nothing, or it makes branches of it after all.
    __asm__("" : "+r"(of_peer));
    if (unlikely(((udp[PACKET_UDP_LEN] ^ 0x40) & 0xC0) > (uint8_t)of_peer)) {
        if (family == IP_FAMILY_V4)
            return sort_message(worker, media, frame, udp + PACKET_UDP_LEN);
        rte_prefetch0(plain_next_line(frame)); // it is read further
        return false;
    }
    // Not an element: there may be none.
    const struct relay_slot *slot =
        (const void *)((uintptr_t)host->slots + (place & of_peer) * sizeof(*slot));
    rte_prefetch0(slot);
    sorted_add(sorted, media, frame, slot, -of_peer);
    return true;
}

static __rte_always_inline bool sort_ipv6(const struct worker *worker, struct media *media,
                                          struct sorted *sorted, struct rte_mbuf *frame)
{
    const uint8_t *ip = plain_ip_of(frame);
    uint32_t len = rte_pktmbuf_data_len(frame);
    return len >= LEAST_LEN + PACKET_IPV6_LEN && ipv6_is_common(ip, len - PACKET_ETHERNET_LEN) &&
           !(frame->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_BAD) &&
           plain_load_u16(ip + PACKET_IPV6_LEN + 6) != 0 &&
           sort_datagram(IP_FAMILY_V6, worker, media, sorted, frame, ip);
}

static __rte_noinline void sort_all_ipv6(const struct worker *worker, struct media *media,
                                         const struct plain_list *frames, struct plain_list *rest)
{
    struct sorted sorted = {media->clients.count, media->peers.count};
    for (unsigned i = 0; i < frames->count; i++)
        fetch_line(plain_next_line(frames->frames[i]));
    for (unsigned i = 0; i < frames->count; i++) {
        if (!sort_ipv6(worker, media, &sorted, frames->frames[i]))
            plain_list_add(rest, frames->frames[i]);
    }
    media->clients.count = sorted.clients;
    media->peers.count = sorted.peers;
}

// others: what may be IPv6, whose headers go beyond the first line.
static __rte_always_inline bool sort_frame(const struct worker *worker, struct media *ipv4,
                                           struct sorted *sorted, struct plain_list *others,
                                           struct rte_mbuf *frame)
{
    const uint8_t *ip = plain_ip_of(frame);
    uint32_t len = rte_pktmbuf_data_len(frame);
    if (unlikely(len < LEAST_LEN + PACKET_IPV4_LEN || frame->nb_segs != 1 ||
                 (ip[-PACKET_ETHERNET_LEN] & 1)))
        return false;
    if (unlikely(!ipv4_is_common(ip, len - PACKET_ETHERNET_LEN))) {
        rte_prefetch0(plain_next_line(frame));
        plain_list_add(others, frame);
        return true;
    }
    if (unlikely(frame->ol_flags & VERDICTS)) {
        if ((frame->ol_flags & VERDICTS) != RTE_MBUF_F_RX_IP_CKSUM_GOOD)
            return false;
    } else if (unlikely(!ipv4_sum_is_right(ip))) {
        return false;
    }
    return sort_datagram(IP_FAMILY_V4, worker, ipv4, sorted, frame, ip);
}

static __rte_always_inline void sort(const struct worker *worker, struct media_burst *burst,
                                     struct rte_mbuf **frames, unsigned count)
{
    struct sorted sorted = {burst->ipv4.clients.count, burst->ipv4.peers.count};
    struct plain_list others;
    others.count = 0; // of the rest nothing is read
    for (unsigned i = 0; i < count; i++) {
        struct rte_mbuf *frame = frames[i];
        if (unlikely(!sort_frame(worker, &burst->ipv4, &sorted, &others, frame)))
            plain_list_add(&burst->rest, frame);
    }
    burst->ipv4.clients.count = sorted.clients;
    burst->ipv4.peers.count = sorted.peers;
    if (unlikely(others.count > 0))
        sort_all_ipv6(worker, &burst->ipv6, &others, &burst->rest);
}

// What another worker of ours has sorted is not sorted again. It comes in runs of one kind, as that
// worker hands over a burst's peers and then its clients. How many are of another family, or are
// not sorted; they may take the others' place. Another core wrote the headers last, and this one
// will write them: their lines are asked for as its own.
static __rte_always_inline unsigned sort_handed_of(enum ip_family family,
                                                   const struct worker *worker, struct media *media,
                                                   const struct handoff *handed, unsigned count,
                                                   struct handoff *ret_others)
{
    const struct tables *tables = &worker->tables;
    unsigned clients = 0, peers = 0, others = 0, i = 0;
    while (i < count) {
        for (; i < count && handed[i].kind == handoff_peer_kind(family); i++) {
            struct rte_mbuf *frame = handed[i].frame;
            const struct relay_slot *slot = tables_numbered_slot(tables, handed[i].place);
            __builtin_prefetch(rte_pktmbuf_mtod(frame, void *), 1);
            rte_prefetch0(slot);
            media->peers.frames[peers] = frame;
            media->peers.slots[peers++] = slot;
        }
        for (; i < count && handed[i].kind == handoff_client_kind(family); i++) {
            struct rte_mbuf *frame = handed[i].frame;
            struct plain_client *client = &media->clients.ways[clients];
            __builtin_prefetch(rte_pktmbuf_mtod(frame, void *), 1);
            client->hash = (uint64_t)handed[i].tag << FLOW_TAG_SHIFT;
            client->bucket = &tables->flows.buckets[handed[i].place];
            rte_prefetch0(client->bucket);
            media->clients.frames[clients++] = frame;
        }
        for (; i < count && handoff_is_other(&handed[i], family); i++)
            ret_others[others++] = handed[i];
    }
    media->clients.count = media->handed_clients = clients;
    media->peers.count = media->handed_peers = peers;
    return others;
}

static __rte_noinline void sort_other_handed(const struct worker *worker, struct media_burst *burst,
                                             struct handoff *handed, unsigned count)
{
    struct rte_mbuf *unsorted[WORKER_BURST];
    count = sort_handed_of(IP_FAMILY_V6, worker, &burst->ipv6, handed, count, handed);
    for (unsigned i = 0; i < count; i++) {
        unsorted[i] = handed[i].frame;
        rte_prefetch0(rte_pktmbuf_mtod(unsorted[i], void *));
    }
    sort(worker, burst, unsorted, count);
}

// What is IPv4's and sorted goes where the port's datagrams will go, all else into a burst of its
// own.
static __rte_always_inline void sort_handed(const struct worker *worker, struct media_burst *burst,
                                            struct media_burst *ret_others,
                                            const struct handoff *handed, unsigned count)
{
    struct handoff others[WORKER_BURST];
    unsigned other_count =
        sort_handed_of(IP_FAMILY_V4, worker, &burst->ipv4, handed, count, others);
    if (unlikely(other_count > 0))
        sort_other_handed(worker, ret_others, others, other_count);
}

// Then: where its channel is.

// The key of a client's packet, but for an IPv6 address; see struct flow_key. Over IPv4 it is what
// the packet says, and its kind.
static __rte_always_inline lanes client_key(enum ip_family family, const struct worker *worker,
                                            const uint8_t *ip)
{
    const uint8_t *udp = ip + plain_ip_len(family);
    const uint16_t type = (uint16_t)(flow_key_type(FLOW_KEY_CLIENT, family) >> FLOW_KEY_KIND_SHIFT);
    uint16_t number_be = plain_load_u16(udp + PACKET_UDP_LEN);
    if (family == IP_FAMILY_V4)
        return lanes_set_u16(lanes_set_u16(lanes_load(ip + 12), 6, number_be), 7, type);
    const struct local_address *local = local_of(family, &worker->local_v6, ip);
    bool is_listener = local != NULL && local->kind == LOCAL_LISTENER;
    const uint64_t words[2] = {
        (uint64_t)(is_listener ? local->index : UINT32_MAX) << 32,
        plain_load_u32(udp) | (uint64_t)number_be << FLOW_KEY_NUMBER_SHIFT |
            (uint64_t)type << FLOW_KEY_KIND_SHIFT,
    };
    return lanes_load(words);
}

// Its words and its hash, of those that were not handed over with a bucket.
static __rte_always_inline void clients_hash(enum ip_family family, const struct worker *worker,
                                             struct media *media, unsigned from)
{
    const struct flow_table *flows = &worker->tables.flows;
    const size_t count = media->clients.count;
    for (size_t i = from; i < count; i++) {
        struct plain_client *client = &media->clients.ways[i];
        const uint8_t *ip = plain_ip_of(media->clients.frames[i]);
        lanes_store(client->words, client_key(family, worker, ip));
        client->hash = family == IP_FAMILY_V4
                           ? flow_hash_short_at(&flows->hash_keys, client->words)
                           : flow_hash_long(&flows->hash_keys, client->words[0], client->words[1],
                                            ip + source_offset(family));
        client->bucket = flow_table_home(flows, client->hash);
        rte_prefetch0(client->bucket);
    }
}

static __rte_always_inline void prefetch_channel(enum ip_family family,
                                                 const struct channel_table *channels,
                                                 const struct channel *channel)
{
    rte_prefetch0(channel);
    if (family == IP_FAMILY_V6 && channels->ips != NULL)
        rte_prefetch0(&channels->ips[channel - channels->at]);
}

// For what reads all of them next.
static __rte_always_inline void fetch_channel(enum ip_family family,
                                              const struct channel_table *channels,
                                              const struct channel *channel)
{
    fetch_line(channel);
    if (family == IP_FAMILY_V6 && channels->ips != NULL)
        fetch_line(&channels->ips[channel - channels->at]);
}

static __rte_always_inline void
peers_fetch(enum ip_family family, const struct channel_table *channels, struct media *media)
{
    const size_t count = media->peers.count;
    for (size_t i = 0; i < count; i++) {
        uint32_t guess = media->peers.slots[i]->guess;
        struct channel *channel = &channels->at[table_guess(guess, channels->pool.capacity)];
        media->peers.channels[i] = channel;
        prefetch_channel(family, channels, channel);
    }
}

// What came from a port, in parts: while one is sorted, the buckets of the one before are on their
// way.
static __rte_always_inline void sort_and_hash(const struct worker *worker,
                                              struct media_burst *burst, struct rte_mbuf **frames,
                                              unsigned count)
{
    for (unsigned i = 0; i < count; i += SORT_PART) {
        unsigned first = burst->ipv4.clients.count;
        sort(worker, burst, frames + i, RTE_MIN(count - i, SORT_PART));
        clients_hash(IP_FAMILY_V4, worker, &burst->ipv4, first);
    }
}

// What is found may be another's, or no channel at all: then it will not match. count: of the
// first.
static __rte_always_inline void clients_find(enum ip_family family, const struct tables *tables,
                                             struct media *media, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fetch_line(media->clients.ways[i].bucket);
    for (size_t i = 0; i < count; i++) {
        struct plain_client *client = &media->clients.ways[i];
        uint32_t index = tables_guess(client->bucket, client->hash, TABLE_VALUE_CHANNEL,
                                      tables->channels.pool.capacity);
        client->channel = &tables->channels.at[index];
        prefetch_channel(family, &tables->channels, client->channel);
    }
}

// Where other workers are, it may be a steering, which is fetched as well; of what came from the
// port.
static __rte_always_inline void
clients_find_either(enum ip_family family, const struct tables *tables, struct media *media)
{
    const struct steering_table *steerings = &tables->steerings;
    for (unsigned i = media->handed_clients; i < media->clients.count; i++)
        fetch_line(media->clients.ways[i].bucket);
    for (unsigned i = media->handed_clients; i < media->clients.count; i++) {
        struct plain_client *client = &media->clients.ways[i];
        unsigned hits = flow_bucket_hits(client->bucket, flow_table_tag(client->hash));
        uint32_t value = flow_bucket_value(client->bucket, hits);
        uint32_t index = tables_index(value, TABLE_VALUE_CHANNEL, tables->channels.pool.capacity);
        client->value = value;
        client->hits = hits;
        client->channel = &tables->channels.at[index];
        prefetch_channel(family, &tables->channels, client->channel);
        index = tables_index(value, TABLE_VALUE_STEERING, steerings->pool.capacity);
        rte_prefetch0(&steerings->at[index]);
    }
}

// And clients of theirs are told apart without a branch, too.
static __rte_always_inline void clients_part(struct media *media)
{
    unsigned known = 0, unknown = 0;
    for (unsigned i = media->handed_clients; i < media->clients.count; i++) {
        struct plain_client *way = &media->clients.ways[i];
        struct rte_mbuf *frame = media->clients.frames[i];
        uint32_t is_known = ((way->channel->client[0] ^ way->words[0]) |
                             (way->channel->client[1] ^ way->words[1])) == 0;
        __asm__("" : "+r"(is_known));
        media->known.ways[known] = way;
        media->known.frames[known] = frame;
        media->unknown.ways[unknown] = way;
        media->unknown.frames[unknown] = frame;
        known += is_known;
        unknown += is_known ^ 1;
    }
    media->known.count = known;
    media->unknown.count = unknown;
}

// Last: the rewrite.

struct media_sum {
    struct rte_mbuf **sent; // the end of what is to be transmitted
    uint32_t bytes;
};

// What a datagram gets. Constants where it is inlined: the first two.
struct media_turn {
    enum ip_family family;
    enum direction direction;
    struct channel *channel;
    // IPv6 only:
    const uint8_t *source_ip;
    const uint8_t *destination_ip;
    uint32_t ports;  // source and destination, as in memory
    uint16_t number; // of the channel, towards the client
};

// Addresses and ports, and towards the client the channel's number. The entry has those of what
// comes from there. Lengths and checksum come over the other bytes.
static __rte_always_inline void write_ipv4_flow(uint8_t *ip, const struct media_turn *turn)
{
    if (turn->direction == DIRECTION_TO_PEER) {
        lanes flow = lanes_load_aligned(turn->channel->peer);
        flow = __builtin_shufflevector(flow, flow, 4, 5, 6, 7, 0, 1, 2, 3, 10, 11, 8, 9, 12, 13, 14,
                                       15);
        lanes_store(ip + 12, flow);
    } else {
        lanes flow = lanes_load_aligned(turn->channel->client);
        lanes rest = __builtin_shufflevector(flow, flow, 0, 1, 2, 3, 10, 11, 8, 9, 0, 1, 2, 3, 12,
                                             13, 14, 15);
        memcpy(ip + 12, (const uint8_t *)&flow + 4, 4);
        lanes_store(ip + 16, rest);
    }
}

// All but UDP's length and checksum. What was there is read first: it lies where this is written.
static __rte_always_inline void write_ipv4(struct worker *worker, uint8_t *from, uint8_t *ip,
                                           const struct adjacency *adjacency,
                                           const struct media_turn *turn, uint32_t total_len)
{
    bool to_peer = turn->direction == DIRECTION_TO_PEER;
    const struct channel_way *way = to_peer ? &turn->channel->to_peer : &turn->channel->to_client;
    lanes header = plain_next_ipv4(worker, from, way->ip_change, total_len);
    lanes_store(ip - PACKET_ETHERNET_LEN, lanes_load_aligned(adjacency));
    lanes_store(ip - 2, header);
    write_ipv4_flow(ip, turn);
}

static __rte_always_inline void write_ipv6(uint8_t *from, uint8_t *ip,
                                           const struct adjacency *adjacency,
                                           const struct media_turn *turn, int grows)
{
    uint64_t first = load_be64(from);
    uint64_t addresses[4];
    memcpy(addresses, turn->source_ip, 16);
    memcpy(addresses + 2, turn->destination_ip, 16);
    uint64_t sum = checksum_add_u64(checksum_add_u64(0, addresses[0]), addresses[1]);
    sum = checksum_add_u64(checksum_add_u64(sum, addresses[2]), addresses[3]);
    sum += (turn->ports & UINT16_MAX) + (turn->ports >> 16);
    uint64_t label_mask = UINT64_C(0xFFFFF) << IPV6_LABEL_SHIFT;
    first = (first & ~label_mask) | (uint64_t)leg_flow_label(sum) << IPV6_LABEL_SHIFT;
    uint16_t type_be = ETHERNET_TYPE_IPV6_BE;
    memcpy(ip - PACKET_ETHERNET_LEN, adjacency, 12); // destination, source
    memcpy(ip - 2, &type_be, sizeof(type_be));
    store_be64(ip, first + ((uint64_t)(int64_t)grows << IPV6_LEN_SHIFT) - 1); // a hop less
    memcpy(ip + 8, addresses, sizeof(addresses));
    memcpy(ip + PACKET_IPV6_LEN, &turn->ports, sizeof(turn->ports));
}

// RFC 1624, on the checksum itself, which is the complement of a sum. It is not 0, so that what
// comes out is not either.
static __rte_always_inline uint32_t next_udp(uint32_t old, const struct media_turn *turn,
                                             uint32_t data_len, int grows)
{
    uint32_t sum =
        (uint16_t)old + (turn->direction == DIRECTION_TO_PEER
                             ? turn->channel->udp_change_to_peer + data_len
                             : turn->channel->udp_change_to_client + UINT16_MAX - data_len);
    return ((old & 0xFFFF0000) + ((uint32_t)grows << 16)) | checksum_fold_u32(sum);
}

// Over IPv4 the number is there already.
static __rte_always_inline void write_channel_data(uint8_t *header, const struct media_turn *turn,
                                                   uint32_t data_len)
{
    if (turn->family == IP_FAMILY_V6)
        store_be16(header, turn->number);
    store_be16(header + 2, (uint16_t)data_len);
}

// False: the frame is as it was, and goes the long way.
static __rte_always_inline bool turn(struct worker *worker, struct rte_mbuf *frame, uint8_t *from,
                                     const struct media_turn *turn, struct media_sum *sum)
{
    struct channel *channel = turn->channel;
    bool to_peer = turn->direction == DIRECTION_TO_PEER;
    int grows = to_peer ? -CHANNEL_DATA_HEADER_LEN : CHANNEL_DATA_HEADER_LEN;
    uint32_t ip_len = plain_ip_len(turn->family);
    const struct channel_way *way = to_peer ? &channel->to_peer : &channel->to_client;
    const struct adjacency *adjacency = &worker->adjacencies[way->adjacency];
    uint32_t old_udp = load_be32(from + ip_len + 4);
    uint32_t udp_len = (old_udp >> 16) + (uint32_t)grows;
    uint32_t total_len = ip_len + udp_len;
    uint32_t data_len = udp_len - PACKET_UDP_LEN - (to_peer ? 0 : CHANNEL_DATA_HEADER_LEN);
    // What is not resolved lets nothing pass: its MTU is 0 (see commands_apply()).
    if (unlikely(total_len > adjacency->mtu ||
                 (to_peer ? load_be16(from + ip_len + PACKET_UDP_LEN + 2) != data_len
                          : frame->data_off < CHANNEL_DATA_HEADER_LEN)))
        return false;
    if (unlikely(!allowance_spend(worker, channel, turn->direction, data_len))) {
        allowance_drop(worker, frame);
        return true;
    }
    uint32_t new_udp = next_udp(old_udp, turn, data_len, grows);
    uint8_t *ip = from - grows;
    sum->bytes += data_len;
    if (turn->family == IP_FAMILY_V4)
        write_ipv4(worker, from, ip, adjacency, turn, total_len);
    else
        write_ipv6(from, ip, adjacency, turn, grows);
    store_be32(ip + ip_len + 4, new_udp);
    if (!to_peer)
        write_channel_data(ip + ip_len + PACKET_UDP_LEN, turn, data_len);
    uint32_t frame_len = PACKET_ETHERNET_LEN + total_len;
    frame->data_off = (uint16_t)(frame->data_off - grows);
    frame->data_len = (uint16_t)frame_len;
    frame->pkt_len = frame_len;
    frame->port = adjacency->port;
    // Nothing is left to the port, so it reads no tx_offload; that is in the mbuf's second line,
    // which is not touched.
    frame->ol_flags = 0;
    *sum->sent++ = frame;
    return true;
}

// key: its first words.
static __rte_always_inline bool client_turn(enum ip_family family, struct worker *worker,
                                            struct rte_mbuf *frame, lanes key,
                                            struct channel *channel, struct media_sum *sum)
{
    uint8_t *ip = plain_ip_of(frame);
    if (unlikely(lanes_differ(key, lanes_load_aligned(channel->client)) || !channel->is_plain))
        return false;
    struct media_turn how = {
        .family = family,
        .direction = DIRECTION_TO_PEER,
        .channel = channel,
    };
    if (family == IP_FAMILY_V6) {
        const struct channel_table *channels = &worker->tables.channels;
        const struct channel_ips *ips = &channels->ips[channel - channels->at];
        if (memcmp(ip + source_offset(family), ips->client, 16) != 0)
            return false;
        how.ports = plain_swap_halves_u32((uint32_t)channel->peer[1]);
        how.source_ip = worker->config->relays[channel->relay].local.bytes;
        how.destination_ip = ips->peer;
    }
    return turn(worker, frame, ip, &how, sum);
}

// Of the peer's packets: IPv4 addresses and ports.
#define PEER_BITS                                                                                  \
    ((lanes){0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0})

static __rte_always_inline bool is_of_peer(enum ip_family family, const struct channel *channel,
                                           const uint8_t *ip)
{
    if (family == IP_FAMILY_V4)
        return !lanes_have(lanes_load(ip + 12) ^ lanes_load_aligned(channel->peer), PEER_BITS);
    return channel->peer[0] == 0 &&
           (uint32_t)channel->peer[1] == plain_load_u32(ip + PACKET_IPV6_LEN);
}

static __rte_always_inline bool peer_turn(enum ip_family family, struct worker *worker,
                                          struct rte_mbuf *frame, const struct relay_slot *slot,
                                          struct channel *channel, struct media_sum *sum)
{
    uint8_t *ip = plain_ip_of(frame);
    if (unlikely(!is_of_peer(family, channel, ip) || !channel->is_plain))
        return false;
    struct media_turn how = {
        .family = family,
        .direction = DIRECTION_TO_CLIENT,
        .channel = channel,
    };
    if (family == IP_FAMILY_V6) {
        const struct channel_table *channels = &worker->tables.channels;
        const struct channel_ips *ips = &channels->ips[channel - channels->at];
        if (channel_allocation(channel) != slot->allocation ||
            memcmp(ip + source_offset(family), ips->peer, 16) != 0)
            return false;
        how.number = channel_number(channel);
        how.ports = plain_swap_halves_u32((uint32_t)channel->client[1]);
        how.source_ip = channel_listener_ip(worker->config, channel);
        how.destination_ip = ips->client;
    }
    return turn(worker, frame, ip, &how, sum);
}

static struct media_sum sum_begin(struct worker *worker)
{
    return (struct media_sum){transmit_begin(worker), 0};
}

static void sum_end(struct worker *worker, enum ip_family family, enum direction direction,
                    const struct media_sum *sum)
{
    bool to_peer = direction == DIRECTION_TO_PEER;
    uint32_t packets = transmit_count(worker, sum->sent);
    uint32_t headers_len = PACKET_ETHERNET_LEN + plain_ip_len(family) + PACKET_UDP_LEN +
                           (to_peer ? 0 : CHANNEL_DATA_HEADER_LEN);
    transmit_end(worker, sum->sent, sum->bytes + (uint64_t)packets * headers_len);
    worker_count_add(worker, to_peer ? COUNTER_CHANNEL_TO_PEER : COUNTER_PEER_TO_CHANNEL, packets);
    worker_count_add(worker, to_peer ? COUNTER_TO_PEER_BYTES : COUNTER_TO_CLIENT_BYTES, sum->bytes);
}

// Those that were handed over come with a bucket alone.
static __rte_always_inline void handed_clients_forward(enum ip_family family, struct worker *worker,
                                                       const struct media *media,
                                                       struct plain_list *rest)
{
    struct media_sum sum = sum_begin(worker);
    const size_t count = media->handed_clients;
    for (size_t i = 0; i < count; i++) {
        struct rte_mbuf *frame = media->clients.frames[i];
        lanes key = client_key(family, worker, plain_ip_of(frame));
        if (unlikely(
                !client_turn(family, worker, frame, key, media->clients.ways[i].channel, &sum)))
            plain_list_add(rest, frame);
    }
    sum_end(worker, family, DIRECTION_TO_PEER, &sum);
}

static __rte_always_inline void clients_forward(enum ip_family family, struct worker *worker,
                                                const struct media *media, size_t from,
                                                struct plain_list *rest)
{
    struct media_sum sum = sum_begin(worker);
    const size_t count = media->clients.count;
    for (size_t i = from; i < count; i++)
        fetch_channel(family, &worker->tables.channels, media->clients.ways[i].channel);
    for (size_t i = from; i < count; i++) {
        struct rte_mbuf *frame = media->clients.frames[i];
        const struct plain_client *way = &media->clients.ways[i];
        if (unlikely(
                !client_turn(family, worker, frame, lanes_load(way->words), way->channel, &sum)))
            plain_list_add(rest, frame);
    }
    sum_end(worker, family, DIRECTION_TO_PEER, &sum);
}

static __rte_always_inline void known_forward(enum ip_family family, struct worker *worker,
                                              const struct plain_choice *known,
                                              struct plain_list *rest)
{
    struct media_sum sum = sum_begin(worker);
    for (unsigned i = 0; i < known->count; i++) {
        struct rte_mbuf *frame = known->frames[i];
        const struct plain_client *way = known->ways[i];
        if (unlikely(
                !client_turn(family, worker, frame, lanes_load(way->words), way->channel, &sum)))
            plain_list_add(rest, frame);
    }
    sum_end(worker, family, DIRECTION_TO_PEER, &sum);
}

// handed: where those go that were handed over and are not of the guessed channel.
static __rte_always_inline void peers_forward(enum ip_family family, struct worker *worker,
                                              struct media *media, struct media *handed)
{
    struct media_sum sum = sum_begin(worker);
    const size_t count = media->peers.count;
    for (size_t i = 0; i < count; i++)
        fetch_channel(family, &worker->tables.channels, media->peers.channels[i]);
    for (size_t i = 0; i < count; i++) {
        struct rte_mbuf *frame = media->peers.frames[i];
        const struct relay_slot *slot = media->peers.slots[i];
        if (unlikely(!peer_turn(family, worker, frame, slot, media->peers.channels[i], &sum))) {
            struct media *owner = i < media->handed_peers ? handed : media;
            if (family == IP_FAMILY_V4)
                indications_fetch(&worker->tables, slot);
            owner->unbound_slots[owner->unbound.count] = slot;
            plain_list_add(&owner->unbound, frame);
        }
    }
    sum_end(worker, family, DIRECTION_TO_CLIENT, &sum);
}

static __rte_always_inline void process(enum ip_family family, struct worker *worker,
                                        struct media *media, struct plain_list *rest)
{
    peers_fetch(family, &worker->tables.channels, media);
    clients_find(family, &worker->tables, media, media->clients.count);
    peers_forward(family, worker, media, media);
    clients_forward(family, worker, media, 0, rest);
}

// The same where there are other workers: for what came from the wire, and with it for what was
// handed over. What is left of that goes into handed and handed_rest.
static __rte_always_inline void process_beside(enum ip_family family, struct worker *worker,
                                               struct media *media, struct plain_list *rest,
                                               struct media *handed, struct plain_list *handed_rest)
{
    const struct tables *tables = &worker->tables;
    foreign_peers(worker, family, &media->peers, media->handed_peers);
    clients_find(family, tables, media, media->handed_clients);
    peers_fetch(family, &tables->channels, media);
    clients_find_either(family, tables, media);
    peers_forward(family, worker, media, handed);
    handed_clients_forward(family, worker, media, handed_rest);
    clients_part(media);
    known_forward(family, worker, &media->known, rest);
    if (unlikely(media->unknown.count > 0))
        foreign_clients(worker, family, &media->unknown, rest);
}

static void rest_add_all(struct plain_list *rest, const struct plain_list *frames)
{
    for (unsigned i = 0; i < frames->count; i++)
        plain_list_add(rest, frames->frames[i]);
}

static __rte_noinline void process_ipv6(struct worker *worker, struct media *media,
                                        struct plain_list *rest)
{
    clients_hash(IP_FAMILY_V6, worker, media, 0);
    if (worker->may_hand_on)
        process_beside(IP_FAMILY_V6, worker, media, rest, media, rest);
    else
        process(IP_FAMILY_V6, worker, media, rest);
    rest_add_all(rest, &media->unbound);
}

// What was handed over and does not go with the port's burst, in two steps: between them, its
// channels are on their way.

static __rte_always_inline bool media_has_any(const struct media *media)
{
    return media->clients.count + media->peers.count > 0;
}

static __rte_always_inline void handed_find(enum ip_family family, const struct worker *worker,
                                            struct media *media)
{
    clients_hash(family, worker, media, media->handed_clients);
    peers_fetch(family, &worker->tables.channels, media);
    clients_find(family, &worker->tables, media, media->clients.count);
}

static __rte_always_inline void handed_forward(enum ip_family family, struct worker *worker,
                                               struct media *media, struct plain_list *rest)
{
    peers_forward(family, worker, media, media);
    handed_clients_forward(family, worker, media, rest);
    clients_forward(family, worker, media, media->handed_clients, rest);
}

static __rte_noinline void others_find(const struct worker *worker, struct media_burst *burst)
{
    handed_find(IP_FAMILY_V4, worker, &burst->ipv4);
    handed_find(IP_FAMILY_V6, worker, &burst->ipv6);
}

static __rte_noinline void others_forward(struct worker *worker, struct media_burst *burst)
{
    handed_forward(IP_FAMILY_V4, worker, &burst->ipv4, &burst->rest);
    handed_forward(IP_FAMILY_V6, worker, &burst->ipv6, &burst->rest);
    rest_add_all(&burst->rest, &burst->ipv6.unbound);
}

static __rte_always_inline bool has_ipv6(const struct media_burst *burst)
{
    return unlikely(media_has_any(&burst->ipv6));
}

// What was sorted and is no channel's.
static __rte_always_inline void process_others(struct worker *worker, struct media_burst *burst)
{
    struct media *ipv4 = &burst->ipv4;
    if (unlikely(ipv4->unbound.count > 0))
        indications_to_clients(worker, &ipv4->unbound, ipv4->unbound_slots, &burst->rest);
    if (unlikely(ipv4->senders.count > 0))
        indications_to_peers(worker, &ipv4->senders, &burst->rest);
    if (unlikely(ipv4->requests.count > 0))
        stateless_answer_plain(worker, &ipv4->requests, &burst->rest);
}

static unsigned take_rest(const struct plain_list *rest, struct rte_mbuf **ret_frames)
{
    for (unsigned i = 0; i < rest->count; i++)
        ret_frames[i] = rest->frames[i];
    return rest->count;
}

unsigned media_forward(struct worker *worker, struct rte_mbuf **frames, unsigned count)
{
    struct media_burst burst;
    media_burst_init(&burst);
    sort_and_hash(worker, &burst, frames, count);
    transmit_reserve(worker, count);
    if (unlikely(worker->may_hand_on))
        process_beside(IP_FAMILY_V4, worker, &burst.ipv4, &burst.rest, &burst.ipv4, &burst.rest);
    else
        process(IP_FAMILY_V4, worker, &burst.ipv4, &burst.rest);
    if (has_ipv6(&burst))
        process_ipv6(worker, &burst.ipv6, &burst.rest);
    process_others(worker, &burst);
    return take_rest(&burst.rest, frames);
}

unsigned media_forward_both(struct worker *worker, struct rte_mbuf **frames, unsigned count,
                            const struct handoff *handed, unsigned handed_count,
                            struct rte_mbuf **ret_handed_rest, unsigned *ret_handed_rest_count)
{
    struct media_burst burst, others;
    media_burst_init(&burst);
    media_burst_init(&others);
    sort_handed(worker, &burst, &others, handed, handed_count);
    sort_and_hash(worker, &burst, frames, count);
    bool has_others = unlikely(media_has_any(&others.ipv4) || media_has_any(&others.ipv6));
    if (has_others)
        others_find(worker, &others);
    transmit_reserve(worker, count + handed_count);
    process_beside(IP_FAMILY_V4, worker, &burst.ipv4, &burst.rest, &others.ipv4, &others.rest);
    if (has_ipv6(&burst))
        process_ipv6(worker, &burst.ipv6, &burst.rest);
    process_others(worker, &burst);
    if (has_others)
        others_forward(worker, &others);
    process_others(worker, &others);
    *ret_handed_rest_count = take_rest(&others.rest, ret_handed_rest);
    return take_rest(&burst.rest, frames);
}
