// SPDX-License-Identifier: BSD-3-Clause
// Send and Data indications in few steps (RFC 8656 sections 11.2, 11.3, 13, 14; RFC 8489 section
// 5). As with channels, a burst goes through one stage after the other, and checksums are the old
// ones with what changes (RFC 1624).
#include "dataplane/indications.h"

#include "dataplane/fetch.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "dataplane/allowance.h"
#include "dataplane/transmit.h"
#include "proto/stun.h"

#include <netinet/in.h>
#include <rte_prefetch.h>

// What stands around the peer's bytes: the header, XOR-PEER-ADDRESS of IPv4, DATA's header.
#define HEAD_LEN          (STUN_HEADER_LEN + 12 + STUN_ATTRIBUTE_HEADER_LEN)
#define PEER_ATTRIBUTE_AT STUN_HEADER_LEN
#define DATA_ATTRIBUTE_AT (STUN_HEADER_LEN + 12)

#define HEADERS_LEN (PACKET_ETHERNET_LEN + PACKET_IPV4_LEN + PACKET_UDP_LEN)

// XOR-PEER-ADDRESS of an IPv4 peer, up to the port: type, length, family.
#define PEER_ATTRIBUTE ((uint64_t)STUN_ATTRIBUTE_XOR_PEER_ADDRESS << 32 | 8 << 16 | 1)

// Where a datagram goes, and as whose.
struct indication_leg {
    uint64_t addresses; // source and destination, as in memory
    uint32_t ports;     // the same
    const struct adjacency *adjacency;
};

// What is sent, while a list is gone through.
struct indication_sum {
    struct rte_mbuf **sent; // the end of what is to be transmitted
    uint64_t payload_bytes; // of UDP
    uint64_t data_bytes;
};

static struct indication_sum sum_begin(struct worker *worker)
{
    return (struct indication_sum){transmit_begin(worker), 0, 0};
}

static void sum_end(struct worker *worker, const struct indication_sum *sum, enum counter packets,
                    enum counter bytes)
{
    unsigned count = transmit_count(worker, sum->sent);
    worker_count_add(worker, packets, count);
    worker_count_add(worker, bytes, sum->data_bytes);
    transmit_end(worker, sum->sent, sum->payload_bytes + (uint64_t)count * HEADERS_LEN);
}

static inline uint32_t padding_of(uint32_t data_len)
{
    return -data_len & 3;
}

// New headers, of a datagram whose payload begins so much further on than the old one did; the old
// ones begin with ip. longer_be: by how much it is longer, as a word that is added to a checksum.
// change: what the new payload sums up to, less what the old one did. Sums are ones' complement
// ones of 64 bits, in which the complement is the negation.
static __rte_always_inline void write_headers(struct worker *worker, struct rte_mbuf *frame,
                                              uint8_t *ip, int further, uint32_t payload_len,
                                              uint32_t longer_be, const struct indication_leg *leg,
                                              uint64_t change)
{
    const uint32_t hop_be = __builtin_bswap16(0x0100); // of the word that begins with TTL
    uint32_t udp_len = PACKET_UDP_LEN + payload_len;
    uint32_t total_len = PACKET_IPV4_LEN + udp_len;
    uint64_t old_udp = plain_load_u64(ip + PACKET_IPV4_LEN);
    uint64_t udp = leg->ports | (uint64_t)__builtin_bswap32(udp_len) << 16;
    uint64_t addresses = checksum_carry_u64(leg->addresses, ~plain_load_u64(ip + 12));
    lanes header = plain_next_ipv4(
        worker, ip, checksum_fold(~addresses) + UINT16_MAX - longer_be + hop_be, total_len);
    // The old checksum is the negation of what it was made of. It is not 0, so the sum is not
    // either and never comes out as no checksum at all (RFC 768).
    uint64_t udp_sum = checksum_carry_u64(checksum_carry_u64(addresses, change), udp);
    udp_sum = checksum_carry_u64(~checksum_carry_u64(udp_sum, longer_be), old_udp);
    udp |= (uint64_t)checksum_fold(udp_sum) << 48;
    uint8_t *to = ip + further;
    lanes_store(to - PACKET_ETHERNET_LEN, lanes_load_aligned(leg->adjacency));
    lanes_store(to - 2, header);
    memcpy(to + 12, &leg->addresses, sizeof(leg->addresses));
    memcpy(to + PACKET_IPV4_LEN, &udp, sizeof(udp));
    uint32_t frame_len = PACKET_ETHERNET_LEN + total_len;
    frame->data_off = (uint16_t)(frame->data_off + further);
    frame->data_len = (uint16_t)frame_len;
    frame->pkt_len = frame_len;
    frame->port = leg->adjacency->port;
    frame->ol_flags = 0;
}

// A head and padding: what they add, in a checksum, to a length.
static inline uint32_t head_len_be(uint32_t padding)
{
    return (HEAD_LEN + padding) << 8;
}

static uint16_t relay_ipv4_port_be(const struct allocation *allocation)
{
    return allocation->relayed[TABLE_V4].port_be;
}

// No index leads to the first entry, which permits nobody else.
static const struct permission *permission_at(const struct tables *tables, uint32_t index)
{
    return &tables->permissions.at[index < tables->permissions.pool.capacity ? index : 0];
}

// Towards peers.

struct sender {
    uint64_t words[2]; // of the key
    uint64_t hash;
    struct allocation *allocation; // that it may be of
    const struct permission *permission;
};

static void senders_hash(const struct flow_table *flows, const struct plain_list *list,
                         struct sender *senders)
{
    for (unsigned i = 0; i < list->count; i++) {
        const uint8_t *ip = plain_ip_of(list->frames[i]);
        uint64_t first = plain_load_u64(ip + 12);
        uint64_t second =
            plain_load_u32(ip + PACKET_IPV4_LEN) | flow_key_type(FLOW_KEY_CLIENT, IP_FAMILY_V4);
        senders[i].words[0] = first;
        senders[i].words[1] = second;
        senders[i].hash = flow_hash_short(&flows->hash_keys, first, second);
        rte_prefetch0(flow_table_home(flows, senders[i].hash));
    }
}

// What is found may be another's, or nothing that is in use: then it will not match.
static void senders_find(const struct tables *tables, unsigned count, struct sender *senders)
{
    for (unsigned i = 0; i < count; i++)
        fetch_line(flow_table_home(&tables->flows, senders[i].hash));
    for (unsigned i = 0; i < count; i++) {
        const struct flow_bucket *bucket = flow_table_home(&tables->flows, senders[i].hash);
        uint32_t index = tables_guess(bucket, senders[i].hash, TABLE_VALUE_ALLOCATION,
                                      tables->allocations.pool.capacity);
        senders[i].allocation = &tables->allocations.at[index];
        allocation_prefetch(&tables->allocations, index);
    }
}

static void senders_fetch(const struct tables *tables, unsigned count, struct sender *senders)
{
    for (unsigned i = 0; i < count; i++) {
        senders[i].permission = permission_at(tables, senders[i].allocation->guess);
        rte_prefetch0(senders[i].permission);
    }
}

static bool is_of_client(const struct worker *worker, const struct sender *sender)
{
    const struct allocation *allocation = sender->allocation;
    uint64_t listener = worker->listener_ends[allocation->listener];
    uint32_t ports = allocation->client_port_be | (uint32_t)(listener >> 32) << 16;
    return allocation->client_family == IP_FAMILY_V4 && listener != 0 &&
           sender->words[0] == (allocation->client_ipv4 | listener << 32) &&
           (uint32_t)sender->words[1] == ports;
}

// The peer of an indication that is the header, XOR-PEER-ADDRESS, DATA, zeros as padding, and no
// more: its address and port as in memory. False: it is another, or none. message_len: 4 at least.
static bool read_send(const uint8_t *message, uint32_t message_len, uint32_t *ret_ip,
                      uint16_t *ret_port_be, uint32_t *ret_data_len)
{
    if (message_len < HEAD_LEN ||
        load_be32(message) != (STUN_SEND_INDICATION_TYPE << 16 | (message_len - STUN_HEADER_LEN)) ||
        load_be32(message + 4) != STUN_MAGIC_COOKIE ||
        load_be64(message + PEER_ATTRIBUTE_AT) >> 16 != PEER_ATTRIBUTE ||
        load_be16(message + DATA_ATTRIBUTE_AT) != STUN_ATTRIBUTE_DATA)
        return false;
    uint32_t data_len = load_be16(message + DATA_ATTRIBUTE_AT + 2);
    uint32_t padding = padding_of(data_len);
    if (HEAD_LEN + data_len + padding != message_len)
        return false;
    for (uint32_t i = 0; i < padding; i++) {
        if (message[message_len - 1 - i] != 0)
            return false;
    }
    uint16_t port = load_be16(message + PEER_ATTRIBUTE_AT + 6) ^ (STUN_MAGIC_COOKIE >> 16);
    *ret_ip =
        plain_load_u32(message + PEER_ATTRIBUTE_AT + 8) ^ __builtin_bswap32(STUN_MAGIC_COOKIE);
    *ret_port_be = __builtin_bswap16(port);
    *ret_data_len = data_len;
    return port != 0;
}

static inline uint64_t head_sum(const uint8_t *head)
{
    uint64_t sum = plain_load_u32(head + DATA_ATTRIBUTE_AT);
    for (unsigned i = 0; i < DATA_ATTRIBUTE_AT; i += 8)
        sum = checksum_carry_u64(sum, plain_load_u64(head + i));
    return sum;
}

static bool permits(const struct permission *permission, uint32_t allocation, uint32_t peer_ip)
{
    return permission->peer_ipv4 == peer_ip && permission->allocation == allocation &&
           permission->is_live && !permission->is_ipv6;
}

// Bandwidth that is shared takes a call to be spent, and registers, which those without such limits
// would pay for: the long way spends it.
static bool leave_shared(const struct worker *worker, const struct plain_list *list,
                         struct plain_list *rest)
{
    if (likely(!worker->shares_bandwidth))
        return false;
    for (unsigned i = 0; i < list->count; i++)
        plain_list_add(rest, list->frames[i]);
    return true;
}

static __rte_always_inline bool send_one(struct worker *worker, struct rte_mbuf *frame,
                                         const struct sender *sender, struct indication_sum *sum)
{
    const struct tables *tables = &worker->tables;
    struct allocation *allocation = sender->allocation;
    const struct permission *permission = sender->permission;
    const struct table_relayed *relayed = &allocation->relayed[TABLE_V4];
    uint8_t *ip = plain_ip_of(frame);
    uint8_t *message = ip + PACKET_IPV4_LEN + PACKET_UDP_LEN;
    uint32_t old_udp_len = load_be16(ip + PACKET_IPV4_LEN + 4);
    uint32_t peer_ip, data_len;
    uint16_t peer_port_be;
    if (!is_of_client(worker, sender) ||
        !read_send(message, old_udp_len - PACKET_UDP_LEN, &peer_ip, &peer_port_be, &data_len) ||
        !permits(permission, (uint32_t)(allocation - tables->allocations.at), peer_ip) ||
        (permission->is_hairpin | permission->is_narrow) || !table_relayed_is_there(relayed))
        return false;
    const struct indication_leg leg = {
        .addresses = plain_load_u32(worker->config->relays[relayed->relay].local.bytes) |
                     (uint64_t)peer_ip << 32,
        .ports = relay_ipv4_port_be(allocation) | (uint32_t)peer_port_be << 16,
        .adjacency = &worker->adjacencies[permission->adjacency],
    };
    if (PACKET_IPV4_LEN + PACKET_UDP_LEN + data_len > leg.adjacency->mtu)
        return false;
    if (!allowance_spend_own(worker, allocation, DIRECTION_TO_PEER, data_len)) {
        allowance_drop(worker, frame);
        return true;
    }
    allocation->traffic.to_peer_packets++;
    write_headers(worker, frame, ip, HEAD_LEN, data_len,
                  UINT16_MAX - head_len_be(padding_of(data_len)), &leg, ~head_sum(message));
    allocation->traffic.to_peer_bytes += data_len;
    sum->payload_bytes += data_len;
    sum->data_bytes += data_len;
    *sum->sent++ = frame;
    return true;
}

void indications_to_peers(struct worker *worker, const struct plain_list *list,
                          struct plain_list *rest)
{
    struct sender senders[WORKER_BURST];
    if (leave_shared(worker, list, rest))
        return;
    senders_hash(&worker->tables.flows, list, senders);
    senders_find(&worker->tables, list->count, senders);
    senders_fetch(&worker->tables, list->count, senders);
    struct indication_sum sum = sum_begin(worker);
    for (unsigned i = 0; i < list->count; i++) {
        fetch_line(senders[i].permission);
        fetch_line(plain_next_line(list->frames[i]));
    }
    for (unsigned i = 0; i < list->count; i++) {
        if (!send_one(worker, list->frames[i], &senders[i], &sum))
            plain_list_add(rest, list->frames[i]);
    }
    sum_end(worker, &sum, COUNTER_SEND_TO_PEER, COUNTER_TO_PEER_BYTES);
}

// Towards clients.

// Of a head, what is the same in all: numbers, but for PEER_WORD, which is in memory's order. Type
// and cookie of the header, with the length of no data; type and length of XOR-PEER-ADDRESS; its
// family, and what port and address are masked with; DATA's type.
#define HEAD_HEADER                                                                                \
    ((uint64_t)STUN_DATA_INDICATION_TYPE << 48 | (uint64_t)(HEAD_LEN - STUN_HEADER_LEN) << 32 |    \
     STUN_MAGIC_COOKIE)
#define PEER_WORD __builtin_bswap32((uint32_t)(PEER_ATTRIBUTE >> 16))
#define PEER_MASK                                                                                  \
    ((PEER_ATTRIBUTE & 0xFFFF) << 48 | (uint64_t)(STUN_MAGIC_COOKIE >> 16) << 32 |                 \
     STUN_MAGIC_COOKIE)
#define DATA_HEADER ((uint32_t)STUN_ATTRIBUTE_DATA << 16)

// A head before it is written: to sum it up from there, in other pieces than it was written in,
// would be to wait until it has reached the cache.
struct head {
    uint64_t header;
    lanes id; // and the first word of XOR-PEER-ADDRESS
    uint64_t peer;
    uint32_t data;
    uint64_t sum;
};

// block: random bytes, of which the transaction id is made (RFC 8489 section 5).
static __rte_always_inline struct head make_head(const uint64_t *block, uint32_t peer_ip,
                                                 uint16_t peer_port_be, uint32_t data_len,
                                                 uint32_t padded_len)
{
    typedef uint32_t lanes_of_four __attribute__((vector_size(16)));
    lanes_of_four id = (lanes_of_four)lanes_load(block);
    id[3] = PEER_WORD;
    struct head head = {
        .header = __builtin_bswap64(HEAD_HEADER + ((uint64_t)padded_len << 32)),
        .id = (lanes)id,
        .peer =
            __builtin_bswap64(PEER_MASK) ^ ((uint64_t)peer_ip << 32 | (uint32_t)peer_port_be << 16),
        .data = __builtin_bswap32(DATA_HEADER + data_len),
    };
    head.sum = (uint64_t)head.data + PEER_WORD + (uint32_t)block[1];
    head.sum = checksum_carry_u64(head.sum, block[0]);
    head.sum = checksum_carry_u64(head.sum, head.header);
    head.sum = checksum_carry_u64(head.sum, head.peer);
    return head;
}

static __rte_always_inline void write_head(uint8_t *to, const struct head *head)
{
    memcpy(to, &head->header, sizeof(head->header));
    lanes_store(to + 8, head->id);
    memcpy(to + PEER_ATTRIBUTE_AT + 4, &head->peer, sizeof(head->peer));
    memcpy(to + DATA_ATTRIBUTE_AT, &head->data, sizeof(head->data));
}

// What comes from a channel's peer is not for here.
static bool has_channel(const struct tables *tables, const struct permission *permission,
                        uint16_t peer_port_be)
{
    return channel_table_of_port(&tables->channels, permission->channels, peer_port_be) !=
           TABLE_NONE;
}

// A peer's datagram on its way to the client.
struct wrapped {
    struct rte_mbuf *frame;
    uint8_t *ip; // the header
    struct allocation *allocation;
    struct indication_leg leg;
    uint32_t data_len;
    uint32_t padded_len;
};

// Of a burst, so many go through the stages at once: what is fetched for all of it would not fit
// into a first cache of 32K.
#define TO_CLIENTS_PART 32u

// False: it is for the long way. Refused by the bandwidth, it is gone and not in the list.
static __rte_always_inline bool admit(struct worker *worker, struct rte_mbuf *frame, uint32_t index,
                                      const struct permission *permission, struct wrapped **end)
{
    struct tables *tables = &worker->tables;
    uint8_t *ip = plain_ip_of(frame);
    uint16_t peer_port_be = plain_load_u16(ip + PACKET_IPV4_LEN);
    // Without an allocation there is no permission either.
    if (!permits(permission, index, plain_load_u32(ip + 12)) ||
        has_channel(tables, permission, peer_port_be) || peer_port_be == 0)
        return false;
    struct allocation *allocation = &tables->allocations.at[index];
    const struct adjacency *adjacency = &worker->adjacencies[allocation->adjacency];
    uint64_t listener = worker->listener_ends[allocation->listener];
    uint32_t data_len = load_be16(ip + PACKET_IPV4_LEN + 4) - (uint32_t)PACKET_UDP_LEN;
    uint32_t padded_len = data_len + padding_of(data_len);
    if (allocation->client_family != IP_FAMILY_V4 || allocation->is_narrow || listener == 0 ||
        PACKET_IPV4_LEN + PACKET_UDP_LEN + HEAD_LEN + padded_len > adjacency->mtu ||
        frame->data_off < HEAD_LEN || frame->data_off + HEADERS_LEN + padded_len > frame->buf_len)
        return false;
    if (!allowance_spend_own(worker, allocation, DIRECTION_TO_CLIENT, data_len)) {
        allowance_drop(worker, frame);
        return true;
    }
    // The head comes in front of the frame, in a line that nobody has looked at.
    rte_prefetch0(ip - PACKET_ETHERNET_LEN - HEAD_LEN);
    *(*end)++ = (struct wrapped){
        .frame = frame,
        .ip = ip,
        .allocation = allocation,
        .leg = {.addresses = (uint32_t)listener | (uint64_t)allocation->client_ipv4 << 32,
                .ports = (uint32_t)(listener >> 32) | (uint32_t)allocation->client_port_be << 16,
                .adjacency = adjacency},
        .data_len = data_len,
        .padded_len = padded_len,
    };
    return true;
}

static __rte_always_inline void wrap_one(struct worker *worker, const struct wrapped *wrapped,
                                         const uint64_t *block, struct indication_sum *sum)
{
    uint32_t data_len = wrapped->data_len, padded_len = wrapped->padded_len;
    uint8_t *ip = wrapped->ip, *data = ip + PACKET_IPV4_LEN + PACKET_UDP_LEN;
    const struct head head = make_head(block, plain_load_u32(ip + 12),
                                       plain_load_u16(ip + PACKET_IPV4_LEN), data_len, padded_len);
    wrapped->allocation->traffic.to_client_packets++;
    write_headers(worker, wrapped->frame, ip, -HEAD_LEN, HEAD_LEN + padded_len,
                  head_len_be(padded_len - data_len), &wrapped->leg, head.sum);
    write_head(data - HEAD_LEN, &head);
    for (uint32_t i = data_len; i < padded_len; i++)
        data[i] = 0;
    wrapped->allocation->traffic.to_client_bytes += data_len;
    sum->payload_bytes += HEAD_LEN + padded_len;
    sum->data_bytes += data_len;
    *sum->sent++ = wrapped->frame;
}

static void unbound_fetch_permissions(const struct tables *tables, unsigned count,
                                      const struct relay_slot *const *slots,
                                      const struct permission **ret_permissions)
{
    for (unsigned i = 0; i < count; i++) {
        uint32_t allocation = slots[i]->allocation;
        uint32_t guess =
            allocation == TABLE_NONE ? TABLE_NONE : tables->allocations.at[allocation].guess;
        ret_permissions[i] = permission_at(tables, guess);
        rte_prefetch0(ret_permissions[i]);
        if (tables->allocations.buckets != NULL)
            rte_prefetch0(&tables->allocations.buckets[allocation]);
    }
}

// The first of the peer's channels, if there are any.
static void unbound_fetch_channels(const struct tables *tables, unsigned count,
                                   const struct permission *const *permissions)
{
    for (unsigned i = 0; i < count; i++)
        rte_prefetch0(&tables->channels.places[permissions[i]->channels]);
}

// What has been asked for, and admit() reads.
static void unbound_fetch(const struct tables *tables, unsigned count,
                          const struct relay_slot *const *slots,
                          const struct permission *const *permissions)
{
    const struct allocation_table *allocations = &tables->allocations;
    for (unsigned i = 0; i < count; i++) {
        uint32_t place = table_guess(permissions[i]->channels, tables->channels.pool.capacity);
        fetch_line(&tables->channels.places[place]);
        if (allocations->buckets != NULL) {
            uint32_t index = table_guess(slots[i]->allocation, allocations->pool.capacity);
            fetch_line(&allocations->buckets[index]);
        }
    }
}

static __rte_always_inline void to_clients(struct worker *worker, struct rte_mbuf *const *frames,
                                           const struct relay_slot *const *slots, unsigned count,
                                           struct plain_list *rest)
{
    const struct permission *permissions[TO_CLIENTS_PART];
    uint64_t blocks[TO_CLIENTS_PART][2];
    struct wrapped list[TO_CLIENTS_PART], *end = list;
    unbound_fetch_permissions(&worker->tables, count, slots, permissions);
    unbound_fetch_channels(&worker->tables, count, permissions);
    token_stream_blocks(&worker->tokens, count, blocks); // while they come
    unbound_fetch(&worker->tables, count, slots, permissions);
    for (unsigned i = 0; i < count; i++) {
        if (!admit(worker, frames[i], slots[i]->allocation, permissions[i], &end))
            plain_list_add(rest, frames[i]);
    }
    struct indication_sum sum = sum_begin(worker);
    const uint64_t *block = blocks[0];
    for (const struct wrapped *one = list; one != end; one++, block += 2)
        wrap_one(worker, one, block, &sum);
    sum_end(worker, &sum, COUNTER_PEER_TO_DATA, COUNTER_TO_CLIENT_BYTES);
}

void indications_to_clients(struct worker *worker, const struct plain_list *unbound,
                            const struct relay_slot *const *slots, struct plain_list *rest)
{
    if (leave_shared(worker, unbound, rest))
        return;
    for (unsigned i = 0; i < unbound->count; i += TO_CLIENTS_PART)
        to_clients(worker, unbound->frames + i, slots + i,
                   RTE_MIN(unbound->count - i, TO_CLIENTS_PART), rest);
}
