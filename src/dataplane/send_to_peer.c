// SPDX-License-Identifier: BSD-3-Clause
// Send indications from a client to any peer it has a permission for (RFC 8656 section 11.2).
#include "dataplane/send_to_peer.h"

#include "base/bytes.h"
#include "dataplane/allowance.h"
#include "dataplane/forward.h"
#include "proto/message.h"

#include <netinet/in.h>

static enum drop parse(struct packet *packet, struct send_request *ret_request)
{
    struct span bytes = {packet_payload(packet), packet_payload_len(packet)};
    struct stun_message message;
    if (stun_message_parse(bytes, &message) != STUN_VALID)
        return DROP_BAD_STUN;
    struct transport_address peer;
    struct span data;
    // RFC 8489 section 6.3.2: an indication with unknown comprehension-required attributes is
    // discarded.
    if (message.unknown_count > 0 ||
        stun_message_xor_address(&message, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer) !=
            STUN_VALUE_OK ||
        !stun_message_find(&message, STUN_ATTRIBUTE_DATA, &data) || peer.port == 0)
        return DROP_BAD_SEND;
    packet->data_offset = (uint16_t)(data.data - bytes.data);
    packet->data_len = (uint16_t)data.len;
    ret_request->peer = peer.ip;
    ret_request->peer_port_be = htons(peer.port);
    ret_request->dont_fragment = stun_message_has(&message, STUN_ATTRIBUTE_DONT_FRAGMENT);
    return DROP_COUNT;
}

bool send_to_peer_parse(struct worker *worker, struct packet *packet,
                        struct send_request *ret_request)
{
    enum drop drop = parse(packet, ret_request);
    if (drop == DROP_COUNT)
        return true;
    worker_drop(worker, packet->mbuf, drop);
    return false;
}

// RFC 8656 sections 13 to 15: of DONT-FRAGMENT, which between families of UDP there is nothing to
// set by.
static bool is_heard(const struct packet *packet, const struct send_request *request)
{
    return stream_port_is_inner(packet->mbuf->port) ||
           (packet->family == IP_FAMILY_V4 && request->peer.family == IP_FAMILY_V4);
}

void send_to_peer(struct worker *worker, const struct packet *packet,
                  const struct send_request *request, const struct permission *permission)
{
    struct allocation *allocation = &worker->tables.allocations.at[packet->allocation];
    const struct table_relayed *relayed =
        &allocation->relayed[request->peer.family == IP_FAMILY_V4 ? TABLE_V4 : TABLE_V6];
    if (!table_relayed_is_there(relayed)) {
        worker_drop(worker, packet->mbuf, DROP_NO_PERMISSION); // going: its permissions go next
        return;
    }
    const struct plane_relay *relays = worker->config->relays;
    struct leg leg = {
        .source_ip = relays[relayed->relay].local.bytes,
        .destination_ip = request->peer.bytes,
        .source_port_be = relayed->port_be,
        .destination_port_be = request->peer_port_be,
        .family = (uint8_t)request->peer.family,
        .hairpin = TABLE_RELAY_NONE,
        .dont_fragment = request->dont_fragment && is_heard(packet, request),
        .adjacency = ADJACENCY_NONE,
    };
    if (permission->is_hairpin) {
        leg.source_ip = relays[relayed->relay].advertised.bytes;
        leg.destination_ip = relays[permission->relay].local.bytes;
        leg.hairpin = (uint8_t)permission->relay;
    } else {
        leg.adjacency = permission->adjacency;
        if (permission->is_narrow)
            leg.path_mtu =
                path_mtu_of_peer(worker, (uint32_t)(permission - worker->tables.permissions.at));
    }
    if (!allowance_spend_direct(worker, allocation, DIRECTION_TO_PEER, packet->data_len)) {
        allowance_drop(worker, packet->mbuf);
        return;
    }
    if (!forward(worker, packet, &leg, NULL, 0, 0))
        return;
    allocation->traffic.to_peer_packets++;
    allocation->traffic.to_peer_bytes += packet->data_len;
    worker_count(worker, COUNTER_SEND_TO_PEER);
    worker_count_add(worker, COUNTER_TO_PEER_BYTES, packet->data_len);
}
