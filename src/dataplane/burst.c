// SPDX-License-Identifier: BSD-3-Clause
// One burst of frames from the first look to the last. At a million allocations nearly every bucket
// and entry is a cache miss, so lookups go in stages over the whole burst: hash all and fetch the
// buckets, compare tags and fetch the entries, then rewrite.
#include "dataplane/burst.h"

#include "dataplane/channel_to_peer.h"
#include "dataplane/classify.h"
#include "dataplane/fetch.h"
#include "dataplane/handoff.h"
#include "dataplane/icmp_to_client.h"
#include "dataplane/kernel_path.h"
#include "dataplane/media.h"
#include "dataplane/peer_to_client.h"
#include "dataplane/send_to_peer.h"
#include "dataplane/stateless_answer.h"
#include "dataplane/stray_client.h"
#include "dataplane/stream_path.h"
#include "exchange/client_home.h"

#include <netinet/in.h>
#include <rte_prefetch.h>

#define PREFETCH_AHEAD 8

// Which worker has this relay port; whether that is another one, and the frame may go there.
static bool hand_to_port_owner(struct worker *worker, struct rte_mbuf *frame, uint16_t port)
{
    if (!worker->may_hand_on)
        return false;
    unsigned owner = port_slice_worker(port, worker->config->worker_count);
    if (owner == worker->id)
        return false;
    handoff_send(worker, owner, handoff_unsorted(frame));
    return true;
}

// Where the key of this packet goes.
static inline struct flow_key *lookup_add(struct worker_lookups *lookups, struct packet *packet)
{
    lookups->packets[lookups->count] = packet;
    return &lookups->keys[lookups->count++];
}

static inline void add_unguessed(struct worker *worker, struct packet *packet)
{
    rte_prefetch0(&worker->tables.allocations.at[packet->allocation]);
    worker->unguessed.packets[worker->unguessed.count++] = packet;
}

// What a value leads to; where that is nothing which is read here, a line that is there.
static inline const void *entry_of(const struct tables *tables, uint32_t value)
{
    uint32_t index = table_value_index(value);
    switch (table_value_kind(value)) {
    case TABLE_VALUE_CHANNEL:
        return &tables->channels.at[index];
    case TABLE_VALUE_ALLOCATION:
        return &tables->allocations.at[index];
    default:
        return tables->channels.at;
    }
}

// The stages of a lookup: between two of them, what they have fetched is on its way.

static void lookup_hash(struct worker *worker, struct worker_lookups *lookups)
{
    flow_table_hash(&worker->tables.flows, lookups->keys, lookups->count, lookups->hashes);
}

static void lookup_find(struct worker *worker, struct worker_lookups *lookups)
{
    const struct tables *tables = &worker->tables;
    flow_table_find(&tables->flows, lookups->hashes, lookups->count, lookups->values);
    for (unsigned i = 0; i < lookups->count; i++)
        fetch_line(entry_of(tables, lookups->values[i]));
}

// The index of what the i-th lookup found, TABLE_NONE. is_match: the first candidate was looked at,
// and is the one.
static inline uint32_t lookup_index(const struct worker *worker,
                                    const struct worker_lookups *lookups, unsigned i, bool is_match)
{
    uint32_t value = lookups->values[i];
    if (unlikely(!is_match && value != FLOW_NONE))
        value = flow_table_lookup(&worker->tables.flows, &lookups->keys[i], lookups->hashes[i],
                                  tables_match, &worker->tables);
    return value == FLOW_NONE ? TABLE_NONE : table_value_index(value);
}

// First round: the channel or the allocation of a client, the guessed channel of a peer. The
// lookups stand in the order of their kinds, so that no branch depends on the kind of a single
// packet.

static void first_channel_data(struct worker *worker, unsigned count)
{
    const struct worker_lookups *lookups = &worker->lookups;
    for (unsigned i = 0; i < count; i++) {
        uint32_t value = lookups->values[i];
        bool is_match = table_value_kind(value) == TABLE_VALUE_CHANNEL &&
                        channel_is_of_client(&worker->tables.channels,
                                             &worker->tables.channels.at[table_value_index(value)],
                                             &lookups->keys[i]);
        uint32_t index = lookup_index(worker, lookups, i, is_match);
        if (unlikely(index == TABLE_NONE))
            stray_client(worker, lookups->packets[i], DROP_UNBOUND_CHANNEL);
        else
            channel_to_peer(worker, lookups->packets[i], &worker->tables.channels.at[index]);
    }
}

static void first_guessed(struct worker *worker)
{
    const struct worker_packets *guessed = &worker->guessed;
    for (unsigned i = 0; i < guessed->count; i++)
        fetch_line(&worker->tables.channels.at[guessed->packets[i]->guess]);
    for (unsigned i = 0; i < guessed->count; i++) {
        struct packet *packet = guessed->packets[i];
        struct channel *channel = &worker->tables.channels.at[packet->guess];
        if (likely(channel_is_of_peer(&worker->tables.channels, channel, packet->allocation,
                                      packet->family, packet->source_ip, packet->source_port_be)))
            peer_to_channel(worker, packet, channel);
        else
            add_unguessed(worker, packet);
    }
}

static void first_send(struct worker *worker, unsigned from, struct send_request *sends)
{
    for (unsigned i = from; i < worker->lookups.count; i++) {
        struct packet *packet = worker->lookups.packets[i];
        struct send_request *request = &sends[worker->peers.count];
        bool is_match =
            tables_match(&worker->tables, worker->lookups.values[i], &worker->lookups.keys[i]);
        uint32_t index = lookup_index(worker, &worker->lookups, i, is_match);
        if (index == TABLE_NONE) {
            stray_client(worker, packet, DROP_NO_ALLOCATION);
        } else if (send_to_peer_parse(worker, packet, request)) {
            packet->allocation = index;
            worker->peers.packets[worker->peers.count++] = packet;
        }
    }
}

// Second round: the permission of a peer's address and, of what comes from there, the channel of
// its port. Sends come first, so that sends[i] is of packet i. In stages, too.

static uint8_t peer_family(const struct packet *packet, const struct send_request *request)
{
    return packet->kind == PACKET_PEER ? packet->family : (uint8_t)request->peer.family;
}

static void peers_fetch(struct worker *worker, const struct send_request *sends)
{
    const struct tables *tables = &worker->tables;
    const struct worker_peers *peers = &worker->peers;
    for (unsigned i = 0; i < peers->count; i++) {
        const struct packet *packet = peers->packets[i];
        uint32_t root =
            *tables_permissions(tables, packet->allocation, peer_family(packet, &sends[i]));
        if (root != TABLE_NONE)
            rte_prefetch0(&tables->permissions.at[root]);
    }
}

static void peers_find_permissions(struct worker *worker, const struct send_request *sends)
{
    const struct tables *tables = &worker->tables;
    struct worker_peers *peers = &worker->peers;
    for (unsigned i = 0; i < peers->count; i++) {
        const struct packet *packet = peers->packets[i];
        bool is_of_peer = packet->kind == PACKET_PEER;
        uint32_t index =
            permission_table_find(tables, packet->allocation, peer_family(packet, &sends[i]),
                                  is_of_peer ? packet->source_ip : sends[i].peer.bytes);
        peers->permissions[i] = index;
        uint32_t root = index == TABLE_NONE ? TABLE_NONE : tables->permissions.at[index].channels;
        if (is_of_peer && root != TABLE_NONE)
            rte_prefetch0(&tables->channels.places[root]);
    }
}

static void peers_find_channels(struct worker *worker)
{
    const struct tables *tables = &worker->tables;
    struct worker_peers *peers = &worker->peers;
    for (unsigned i = 0; i < peers->count; i++) {
        const struct packet *packet = peers->packets[i];
        peers->channels[i] = TABLE_NONE;
        if (packet->kind != PACKET_PEER || peers->permissions[i] == TABLE_NONE)
            continue;
        peers->channels[i] = channel_table_of_port(
            &tables->channels, tables->permissions.at[peers->permissions[i]].channels,
            packet->source_port_be);
        if (peers->channels[i] != TABLE_NONE)
            rte_prefetch0(&tables->channels.at[peers->channels[i]]);
    }
}

static void peer_settle(struct worker *worker, unsigned i, const struct send_request *request)
{
    const struct tables *tables = &worker->tables;
    struct packet *packet = worker->peers.packets[i];
    uint32_t permission = worker->peers.permissions[i], channel = worker->peers.channels[i];
    if (channel != TABLE_NONE) {
        uint16_t port = ntohs(packet->destination_port_be);
        tables_relay_slot(tables, packet->local, port)->guess = channel;
        peer_to_channel(worker, packet, &tables->channels.at[channel]);
        return;
    }
    if (permission == TABLE_NONE || !tables->permissions.at[permission].is_live) {
        worker_drop(worker, packet->mbuf, DROP_NO_PERMISSION);
        return;
    }
    tables->allocations.at[packet->allocation].guess = permission;
    if (packet->kind == PACKET_PEER)
        peer_to_data(worker, packet);
    else
        send_to_peer(worker, packet, request, &tables->permissions.at[permission]);
}

static void second_round(struct worker *worker, const struct send_request *sends)
{
    peers_fetch(worker, sends);
    peers_find_permissions(worker, sends);
    peers_find_channels(worker);
    for (unsigned i = 0; i < worker->peers.count; i++)
        peer_settle(worker, i, &sends[i]);
}

// Before the first round: what is looked up, and what is done with at once.

static void start_channel_data(struct worker *worker, const struct worker_packets *list)
{
    for (unsigned i = 0; i < list->count; i++) {
        struct packet *packet = list->packets[i];
        tables_client_key(&worker->tables, lookup_add(&worker->lookups, packet), packet->local,
                          packet->family, packet->source_ip, packet->source_port_be,
                          load_be16(packet_payload(packet)));
    }
}

static void start_send(struct worker *worker, const struct worker_packets *list)
{
    for (unsigned i = 0; i < list->count; i++) {
        struct packet *packet = list->packets[i];
        tables_client_key(&worker->tables, lookup_add(&worker->lookups, packet), packet->local,
                          packet->family, packet->source_ip, packet->source_port_be, 0);
    }
}

static void start_peer(struct worker *worker, const struct worker_packets *list)
{
    for (unsigned i = 0; i < list->count; i++) {
        struct packet *packet = list->packets[i];
        uint16_t port = ntohs(packet->destination_port_be);
        if (hand_to_port_owner(worker, packet->mbuf, port)) {
            worker_count(worker, COUNTER_FOREIGN_PEERS);
            continue;
        }
        const struct relay_slot *slot = tables_relay_slot(&worker->tables, packet->local, port);
        packet->allocation = slot->allocation;
        packet->guess = slot->guess;
        if (unlikely(packet->allocation == TABLE_NONE)) {
            worker_drop(worker, packet->mbuf, DROP_NO_RELAYED_ADDRESS);
        } else if (likely(packet->guess != TABLE_NONE)) {
            rte_prefetch0(&worker->tables.channels.at[packet->guess]);
            worker->guessed.packets[worker->guessed.count++] = packet;
        } else {
            add_unguessed(worker, packet);
        }
    }
}

static uint32_t allocation_of(const struct worker *worker, const struct icmp_error *error,
                              unsigned listener)
{
    struct flow_key key;
    tables_client_key(&worker->tables, &key, (uint8_t)listener, error->family, error->peer_ip,
                      htons(error->peer_port), 0);
    uint32_t value = tables_lookup(&worker->tables, &key);
    return value == FLOW_NONE ? TABLE_NONE : table_value_index(value);
}

// What it was sent by: the listener, or, at the same address, a thread that has DTLS clients.
static uint32_t allocation_of_client(const struct worker *worker, const struct icmp_error *error)
{
    const struct plane_config *config = worker->config;
    const struct transport_address *listener = &config->listeners[error->relay];
    uint32_t allocation = allocation_of(worker, error, error->relay);
    for (unsigned i = config->listener_count;
         allocation == TABLE_NONE && i < plane_listener_total(config); i++) {
        if (plane_stream_listener(config, i)->transport == STREAM_DTLS &&
            transport_address_equal(&config->listeners[i], listener))
            allocation = allocation_of(worker, error, i);
    }
    return allocation;
}

// Where it is not known it goes the way of its client's own packets.
static void learn_of_client(struct worker *worker, struct packet *packet,
                            const struct icmp_error *error)
{
    uint32_t allocation = allocation_of_client(worker, error);
    if (allocation == TABLE_NONE) {
        packet->local = error->relay;
        packet->source_ip = error->peer_ip;
        packet->source_port_be = htons(error->peer_port);
        stray_client(worker, packet, DROP_BAD_ICMP);
        return;
    }
    if (error->path_mtu != 0)
        path_mtu_learn_client(worker, allocation, error->path_mtu);
    worker_drop(worker, packet->mbuf, DROP_ICMP_OF_CLIENT);
}

static void start_icmp(struct worker *worker, struct packet *packet)
{
    const struct local_addresses *locals =
        packet->family == IP_FAMILY_V4 ? &worker->local_v4 : &worker->local_v6;
    struct icmp_error error;
    if (!icmp_error_read(locals, packet, &error)) {
        kernel_path_send(worker, packet->mbuf, DROP_BAD_ICMP);
        return;
    }
    if (error.is_to_client) {
        learn_of_client(worker, packet, &error);
        return;
    }
    if (hand_to_port_owner(worker, packet->mbuf, error.relay_port))
        return;
    packet->allocation =
        tables_relay_slot(&worker->tables, error.relay, error.relay_port)->allocation;
    if (packet->allocation == TABLE_NONE) {
        worker_drop(worker, packet->mbuf, DROP_BAD_ICMP);
        return;
    }
    uint32_t permission =
        permission_table_find(&worker->tables, packet->allocation, packet->family, error.peer_ip);
    if (permission == TABLE_NONE || !worker->tables.permissions.at[permission].is_live) {
        worker_drop(worker, packet->mbuf, DROP_NO_PERMISSION);
        return;
    }
    if (error.path_mtu != 0)
        path_mtu_learn_peer(worker, permission, error.path_mtu);
    icmp_to_client(worker, packet, &error);
}

// A buffer that a datagram of that length fits into: the one at hand, or a jumbo. NULL: none.
static struct rte_mbuf *frame_room(struct worker *worker, struct rte_mbuf *at_hand, uint32_t len)
{
    struct rte_mbuf *frame = at_hand;
    if ((uint32_t)at_hand->buf_len < RTE_PKTMBUF_HEADROOM + len) {
        frame = rte_pktmbuf_alloc(worker->jumbo);
        if (frame == NULL || (uint32_t)frame->buf_len < RTE_PKTMBUF_HEADROOM + len) {
            rte_pktmbuf_free(frame);
            return NULL;
        }
        frame->port = at_hand->port;
    }
    frame->data_off = RTE_PKTMBUF_HEADROOM;
    return frame;
}

// Ports that steer may do so with the first fragment alone, as no other has ports: a datagram comes
// together where all of its sender's do.
static bool hand_to_meeting(struct worker *worker, const struct packet *packet)
{
    if (likely(!worker->plane->steers) || !worker->may_hand_on)
        return false;
    uint8_t ip[16] = {0};
    memcpy(ip, packet->source_ip, packet->family == IP_FAMILY_V4 ? 4 : sizeof(ip));
    unsigned meeting = client_home(ip, 0, worker->config->worker_count);
    if (meeting == worker->id)
        return false;
    // Anyone can send fragments: they are not to fill a ring that others' media needs.
    if (handoff_is_half_empty(worker, meeting))
        handoff_send(worker, meeting, handoff_unsorted(packet->mbuf));
    else
        worker_drop(worker, packet->mbuf, DROP_HANDOFF_FULL);
    return true;
}

static void start_fragment(struct worker *worker, const struct packet *packet)
{
    struct rte_mbuf *frame = packet->mbuf;
    struct reassembly_result result;
    if (!reassembly_serves(packet)) {
        kernel_path_send(worker, frame, DROP_FRAGMENT);
        return;
    }
    if (hand_to_meeting(worker, packet))
        return;
    reassembly_take(&worker->reassembly, packet, worker->now_tsc, &result);
    worker->counters->drops[DROP_FRAGMENT] += result.dropped;
    worker_count_add(worker, COUNTER_FRAGMENTS_MERGED, result.merged);
    if (!result.complete) {
        rte_pktmbuf_free(frame);
        return;
    }
    struct rte_mbuf *whole = frame_room(worker, frame, result.frame_len);
    if (whole == NULL) {
        reassembly_write(&worker->reassembly, NULL);
        worker_drop(worker, frame, DROP_NO_BUFFER);
        return;
    }
    reassembly_write(&worker->reassembly, rte_pktmbuf_mtod(whole, uint8_t *));
    whole->data_len = (uint16_t)result.frame_len;
    whole->pkt_len = result.frame_len;
    whole->ol_flags = 0; // what the port said was of the fragment
    if (whole != frame)
        rte_pktmbuf_free(frame);
    worker_count(worker, COUNTER_REASSEMBLED);
    worker->reassembled.frames[worker->reassembled.count++] = whole;
}

// A port may deliver a frame in several buffers; from here on it is in one. NULL: dropped.
static struct rte_mbuf *frame_in_one_buffer(struct worker *worker, struct rte_mbuf *frame)
{
    if (likely(frame->nb_segs == 1) || rte_pktmbuf_linearize(frame) == 0)
        return frame;
    uint32_t len = rte_pktmbuf_pkt_len(frame);
    struct rte_mbuf *whole = rte_pktmbuf_alloc(worker->jumbo);
    if (whole == NULL || len > (uint32_t)whole->buf_len - whole->data_off) {
        rte_pktmbuf_free(whole);
        worker_drop(worker, frame, DROP_NO_BUFFER);
        return NULL;
    }
    const void *bytes = rte_pktmbuf_read(frame, 0, len, rte_pktmbuf_mtod(whole, void *));
    (void)bytes; // several buffers: always copied
    whole->data_len = (uint16_t)len;
    whole->pkt_len = len;
    whole->port = frame->port;
    whole->ol_flags = frame->ol_flags & (RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK);
    rte_pktmbuf_free(frame);
    return whole;
}

static void classify_all(struct worker *worker, struct rte_mbuf **frames, unsigned count)
{
    for (unsigned kind = 0; kind < PACKET_KIND_COUNT; kind++)
        worker->by_kind[kind].count = 0;
    for (unsigned i = 0; i < count && i < PREFETCH_AHEAD; i++)
        rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
    for (unsigned i = 0; i < count; i++) {
        if (i + PREFETCH_AHEAD < count)
            rte_prefetch0(rte_pktmbuf_mtod(frames[i + PREFETCH_AHEAD], void *));
        struct rte_mbuf *frame = frame_in_one_buffer(worker, frames[i]);
        if (unlikely(frame == NULL))
            continue;
        struct packet *packet = &worker->packets[i];
        classify(&worker->local_v4, &worker->local_v6, frame, packet);
        if (packet->kind == PACKET_STUN)
            answer_lines_prefetch(answer_lines_of(worker, frame, packet_payload(packet)));
        struct worker_packets *list = &worker->by_kind[packet->kind];
        list->packets[list->count++] = packet;
    }
}

// What needs no table, or is too rare to be looked up together.
static void process_others(struct worker *worker)
{
    const struct worker_packets *list = &worker->by_kind[PACKET_DROP];
    for (unsigned i = 0; i < list->count; i++)
        kernel_path_refuse(worker, list->packets[i]);
    stateless_answer(worker, &worker->by_kind[PACKET_STUN]);
    list = &worker->by_kind[PACKET_ICMP];
    for (unsigned i = 0; i < list->count; i++)
        start_icmp(worker, list->packets[i]);
    list = &worker->by_kind[PACKET_FRAGMENT];
    for (unsigned i = 0; i < list->count; i++)
        start_fragment(worker, list->packets[i]);
    list = &worker->by_kind[PACKET_DTLS];
    for (unsigned i = 0; i < list->count; i++)
        stream_path_send_datagram(worker, list->packets[i]);
}

// What the short way left.
static __rte_noinline void go_the_long_way(struct worker *worker, struct rte_mbuf **frames,
                                           unsigned count)
{
    struct send_request sends[WORKER_BURST];
    worker->lookups.count = 0;
    worker->peers.count = 0;
    worker->guessed.count = 0;
    worker->unguessed.count = 0;
    classify_all(worker, frames, count);
    start_channel_data(worker, &worker->by_kind[PACKET_CHANNEL_DATA]);
    unsigned first_of_sends = worker->lookups.count;
    start_send(worker, &worker->by_kind[PACKET_SEND]);
    lookup_hash(worker, &worker->lookups);
    start_peer(worker, &worker->by_kind[PACKET_PEER]);
    lookup_find(worker, &worker->lookups);
    first_guessed(worker); // their channels were fetched first
    first_channel_data(worker, first_of_sends);
    first_send(worker, first_of_sends, sends);
    for (unsigned i = 0; i < worker->unguessed.count; i++)
        worker->peers.packets[worker->peers.count++] = worker->unguessed.packets[i];
    if (worker->peers.count > 0)
        second_round(worker, sends);
    process_others(worker);
}

void burst_process(struct worker *worker, struct rte_mbuf **frames, unsigned count,
                   bool may_hand_on)
{
    worker->may_hand_on = may_hand_on;
    count = media_forward(worker, frames, count);
    if (unlikely(count > 0))
        go_the_long_way(worker, frames, count);
}

unsigned burst_process_both(struct worker *worker, struct rte_mbuf **frames, unsigned count,
                            const struct handoff *handed, unsigned handed_count,
                            struct rte_mbuf **ret_rest)
{
    unsigned rest_count;
    worker->may_hand_on = true;
    count = media_forward_both(worker, frames, count, handed, handed_count, ret_rest, &rest_count);
    if (unlikely(count > 0))
        go_the_long_way(worker, frames, count);
    return rest_count;
}

void burst_process_rest(struct worker *worker, struct rte_mbuf **frames, unsigned count)
{
    worker->may_hand_on = false;
    if (unlikely(count > 0))
        go_the_long_way(worker, frames, count);
}
