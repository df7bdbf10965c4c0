// SPDX-License-Identifier: BSD-3-Clause
// Send and Data indications in few steps (RFC 8656 sections 11.2, 11.3, 13, 14; RFC 8489 section
// 5). As with channels, a burst goes through one stage after the other, and checksums are the old
// ones with what changes (RFC 1624).
#include "dataplane/indications.h"

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

#define IPV4_ETHERNET_LEN (PACKET_ETHERNET_LEN + PACKET_IPV4_LEN)

// XOR-PEER-ADDRESS of an IPv4 peer, up to the port: type, length, family.
#define PEER_ATTRIBUTE ((uint64_t)STUN_ATTRIBUTE_XOR_PEER_ADDRESS << 32 | 8 << 16 | 1)

// Where a datagram goes, and as whose.
struct indication_leg {
    uint64_t addresses; // source and destination, as in memory
    uint32_t ports;     // the same
    const struct adjacency *adjacency;
};

// What the addresses, ports and both lengths add to a UDP checksum.
static inline uint64_t flow_sum(uint64_t addresses, uint32_t ports, uint32_t udp_len)
{
    return checksum_add_u64(0, addresses) + ports +
           2 * (uint64_t)__builtin_bswap16((uint16_t)udp_len);
}

static inline uint64_t head_sum(const uint8_t *head)
{
    uint64_t sum = checksum_add_16_bytes(checksum_add_16_bytes(0, head), head + 16);
    return checksum_add_4_bytes(sum, head + 32);
}

static inline uint32_t padding_of(uint32_t data_len)
{
    return -data_len & 3;
}

// New headers in front of the payload, which stands where it will be sent. sum: of everything under
// UDP's checksum. old_ip: the header as it was; read before anything is written.
static void write_headers(struct worker *worker, struct rte_mbuf *frame, const uint8_t *old_ip,
                          uint8_t *payload, uint32_t payload_len, const struct indication_leg *leg,
                          uint64_t sum)
{
    uint32_t udp_len = PACKET_UDP_LEN + payload_len;
    uint32_t packet_len = PACKET_IPV4_LEN + udp_len;
    uint8_t traffic_class = old_ip[1], ttl = old_ip[8];
    bool dont_fragment = (old_ip[6] & 0x40) != 0;
    uint16_t id = dont_fragment ? 0 : worker->ipv4_id++; // RFC 6864
    uint64_t first = (uint64_t)0x0800 << 48 | (uint64_t)0x45 << 40 | (uint64_t)traffic_class << 32 |
                     (uint64_t)packet_len << 16 | id;
    uint64_t second =
        (uint64_t)dont_fragment << 62 | (uint64_t)(ttl - 1) << 40 | (uint64_t)IPPROTO_UDP << 32;
    uint64_t ip_sum = 0x4500 + traffic_class + packet_len + id + (second >> 48) +
                      ((second >> 32) & 0xFFFF) +
                      __builtin_bswap16(checksum_fold(checksum_add_u64(0, leg->addresses)));
    second |= (uint64_t)checksum_field(ip_sum) << 16;
    uint8_t *udp = payload - PACKET_UDP_LEN;
    uint8_t *ip = udp - PACKET_IPV4_LEN;
    uint64_t udp_header = leg->ports | (uint64_t)__builtin_bswap16((uint16_t)udp_len) << 32 |
                          (uint64_t)checksum_udp_field(sum) << 48;
    store_be64(ip - 2, first);
    store_be64(ip + 6, second); // the addresses come over its end
    memcpy(ip + 12, &leg->addresses, sizeof(leg->addresses));
    memcpy(udp, &udp_header, sizeof(udp_header));
    memcpy(ip - PACKET_ETHERNET_LEN, leg->adjacency, 12); // destination, source
    frame->data_off = (uint16_t)(ip - PACKET_ETHERNET_LEN - (uint8_t *)frame->buf_addr);
    frame->data_len = (uint16_t)(PACKET_ETHERNET_LEN + packet_len);
    frame->pkt_len = frame->data_len;
    frame->port = leg->adjacency->port;
    frame->ol_flags = 0;
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
    struct flow_key key;
    if (allocation->client_family != IP_FAMILY_V4)
        return false;
    tables_client_key(&worker->tables, &key, allocation->listener, IP_FAMILY_V4,
                      (const uint8_t *)&allocation->client_ipv4, allocation->client_port_be, 0);
    return key.words[0] == sender->words[0] && key.words[1] == sender->words[1];
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

static bool send_one(struct worker *worker, struct rte_mbuf *frame, const struct sender *sender)
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
    uint64_t old =
        flow_sum(sender->words[0], (uint32_t)sender->words[1], old_udp_len) + head_sum(message);
    uint64_t sum = (uint16_t)~plain_load_u16(ip + PACKET_IPV4_LEN + 6) + checksum_negate(old) +
                   flow_sum(leg.addresses, leg.ports, PACKET_UDP_LEN + data_len);
    write_headers(worker, frame, ip, message + HEAD_LEN, data_len, &leg, sum);
    allocation->traffic.to_peer_packets++;
    allocation->traffic.to_peer_bytes += data_len;
    worker_count(worker, COUNTER_SEND_TO_PEER);
    worker_count_add(worker, COUNTER_TO_PEER_BYTES, data_len);
    transmit(worker, frame);
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
    for (unsigned i = 0; i < list->count; i++) {
        if (!send_one(worker, list->frames[i], &senders[i]))
            plain_list_add(rest, list->frames[i]);
    }
}

// Towards clients.

// Returns what it adds to a checksum: to read what has just been written in other pieces would be
// to wait until it has reached the cache.
static uint64_t write_head(struct worker *worker, uint8_t *head, uint32_t peer_ip,
                           uint16_t peer_port_be, uint32_t data_len)
{
    uint32_t attributes_len = HEAD_LEN - STUN_HEADER_LEN + data_len + padding_of(data_len);
    uint64_t header = __builtin_bswap64((uint64_t)STUN_DATA_INDICATION_TYPE << 48 |
                                        (uint64_t)attributes_len << 32 | STUN_MAGIC_COOKIE);
    uint64_t id = token_stream_next(&worker->tokens);
    uint32_t id_end = (uint32_t)token_stream_next(&worker->tokens);
    uint16_t port = __builtin_bswap16(peer_port_be) ^ (STUN_MAGIC_COOKIE >> 16);
    uint64_t peer = __builtin_bswap64(PEER_ATTRIBUTE << 16 | port);
    uint32_t address = peer_ip ^ __builtin_bswap32(STUN_MAGIC_COOKIE);
    uint32_t data = __builtin_bswap32((uint32_t)STUN_ATTRIBUTE_DATA << 16 | data_len);
    memcpy(head, &header, sizeof(header));
    memcpy(head + 8, &id, sizeof(id));
    memcpy(head + 16, &id_end, sizeof(id_end));
    memcpy(head + PEER_ATTRIBUTE_AT, &peer, sizeof(peer));
    memcpy(head + PEER_ATTRIBUTE_AT + 8, &address, sizeof(address));
    memcpy(head + DATA_ATTRIBUTE_AT, &data, sizeof(data));
    uint64_t sum = checksum_add_u64(checksum_add_u64(checksum_add_u64(0, header), id), peer);
    return sum + id_end + address + data;
}

// What comes from a channel's peer is not for here.
static bool has_channel(const struct tables *tables, const struct permission *permission,
                        uint16_t peer_port_be)
{
    return channel_table_of_port(&tables->channels, permission->channels, peer_port_be) !=
           TABLE_NONE;
}

static bool wrap_one(struct worker *worker, struct rte_mbuf *frame, uint32_t index,
                     const struct permission *permission)
{
    struct tables *tables = &worker->tables;
    struct allocation *allocation = &tables->allocations.at[index];
    const struct transport_address *listener = &worker->config->listeners[allocation->listener];
    uint8_t *ip = plain_ip_of(frame);
    uint8_t *data = ip + PACKET_IPV4_LEN + PACKET_UDP_LEN;
    uint64_t old_addresses = plain_load_u64(ip + 12);
    uint32_t old_ports = plain_load_u32(ip + PACKET_IPV4_LEN);
    uint32_t old_udp_len = load_be16(ip + PACKET_IPV4_LEN + 4);
    uint32_t data_len = old_udp_len - PACKET_UDP_LEN;
    uint32_t payload_len = HEAD_LEN + data_len + padding_of(data_len);
    uint32_t peer_ip = (uint32_t)old_addresses;
    uint16_t peer_port_be = (uint16_t)old_ports;
    if (!permits(permission, index, peer_ip) || has_channel(tables, permission, peer_port_be) ||
        allocation->client_family != IP_FAMILY_V4 || allocation->is_narrow || peer_port_be == 0 ||
        plane_listener_is_stream(worker->config, allocation->listener))
        return false;
    const struct indication_leg leg = {
        .addresses = plain_load_u32(listener->ip.bytes) | (uint64_t)allocation->client_ipv4 << 32,
        .ports = __builtin_bswap16(listener->port) | (uint32_t)allocation->client_port_be << 16,
        .adjacency = &worker->adjacencies[allocation->adjacency],
    };
    size_t room_before = (size_t)(data - (uint8_t *)frame->buf_addr);
    if (PACKET_IPV4_LEN + PACKET_UDP_LEN + payload_len > leg.adjacency->mtu ||
        room_before < IPV4_ETHERNET_LEN + PACKET_UDP_LEN + HEAD_LEN ||
        frame->buf_len - room_before < data_len + padding_of(data_len))
        return false;
    if (!allowance_spend_own(worker, allocation, DIRECTION_TO_CLIENT, data_len)) {
        allowance_drop(worker, frame);
        return true;
    }
    uint16_t old_checksum = plain_load_u16(ip + PACKET_IPV4_LEN + 6);
    uint8_t old_ip[PACKET_IPV4_LEN];
    memcpy(old_ip, ip, sizeof(old_ip)); // the head comes over it
    uint64_t sum = write_head(worker, data - HEAD_LEN, peer_ip, peer_port_be, data_len);
    memset(data + data_len, 0, padding_of(data_len));
    sum += (uint16_t)~old_checksum +
           checksum_negate(flow_sum(old_addresses, old_ports, old_udp_len)) +
           flow_sum(leg.addresses, leg.ports, PACKET_UDP_LEN + payload_len);
    write_headers(worker, frame, old_ip, data - HEAD_LEN, payload_len, &leg, sum);
    allocation->traffic.to_client_packets++;
    allocation->traffic.to_client_bytes += data_len;
    worker_count(worker, COUNTER_PEER_TO_DATA);
    worker_count_add(worker, COUNTER_TO_CLIENT_BYTES, data_len);
    transmit(worker, frame);
    return true;
}

// The head comes in front of the frame, in a line that nobody has looked at.
static void unbound_fetch(const struct tables *tables, const struct plain_list *unbound,
                          const struct relay_slot *const *slots)
{
    for (unsigned i = 0; i < unbound->count; i++) {
        rte_prefetch0(plain_ip_of(unbound->frames[i]) - PACKET_ETHERNET_LEN - HEAD_LEN);
        allocation_prefetch(&tables->allocations, slots[i]->allocation);
    }
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
    }
}

// The first of the peer's channels, if there are any.
static void unbound_fetch_channels(const struct tables *tables, unsigned count,
                                   const struct permission *const *permissions)
{
    for (unsigned i = 0; i < count; i++)
        rte_prefetch0(&tables->channels.places[permissions[i]->channels]);
}

void indications_to_clients(struct worker *worker, const struct plain_list *unbound,
                            const struct relay_slot *const *slots, struct plain_list *rest)
{
    const struct permission *permissions[WORKER_BURST];
    if (leave_shared(worker, unbound, rest))
        return;
    unbound_fetch(&worker->tables, unbound, slots);
    unbound_fetch_permissions(&worker->tables, unbound->count, slots, permissions);
    unbound_fetch_channels(&worker->tables, unbound->count, permissions);
    for (unsigned i = 0; i < unbound->count; i++) {
        struct rte_mbuf *frame = unbound->frames[i];
        uint32_t allocation = slots[i]->allocation;
        if (allocation == TABLE_NONE || !wrap_one(worker, frame, allocation, permissions[i]))
            plain_list_add(rest, frame);
    }
}
