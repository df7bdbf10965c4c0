// SPDX-License-Identifier: BSD-3-Clause
// The rewrite for everything but the channels' common case (RFC 8656 sections 13, 14).
#include "dataplane/forward.h"

#include "dataplane/hairpin.h"

// The sum of the relayed bytes alone: the datagram's, as its sender made it, less everything else
// in it (RFC 1624). Bytes that were damaged on the way here are as damaged on the way on. A right
// datagram sums up to nothing, its checksum included: so what is relayed sums up to the negation of
// all the rest.
static uint64_t data_sum(const struct packet *packet)
{
    const uint8_t *payload = packet_payload(packet);
    if (packet->checksum == 0)
        return checksum_add_bytes(0, payload + packet->data_offset, packet->data_len);
    uint64_t other = forward_addresses_sum(0, packet->family, packet->source_ip);
    other = checksum_add_8_bytes(other, packet->l4);
    other += htons(IPPROTO_UDP) + (uint64_t)htons(packet->l4_len);
    other = checksum_add_bytes(other, payload, packet->data_offset);
    size_t end = (size_t)packet->data_offset + packet->data_len;
    uint64_t behind = checksum_add_bytes(0, payload + end, packet_payload_len(packet) - end);
    return checksum_negate(other + (end & 1 ? checksum_shift(behind) : behind));
}

// An absent checksum stays absent, where IP allows it.
static uint16_t checksum_of(const struct packet *packet, const struct leg *leg,
                            const struct forward_lens *lens, const uint8_t *prefix,
                            size_t prefix_len, uint64_t flow_sum)
{
    if (packet->checksum == 0 && leg->family == IP_FAMILY_V4 && !leg->made_here)
        return 0;
    uint64_t sum =
        data_sum(packet) + flow_sum + htons(IPPROTO_UDP) + 2 * (uint64_t)htons((uint16_t)lens->udp);
    return checksum_udp_field(prefix_len > 0 ? checksum_add_bytes(sum, prefix, prefix_len) : sum);
}

bool forward(struct worker *worker, const struct packet *packet, const struct leg *leg,
             const uint8_t *prefix, size_t prefix_len, size_t padding_len)
{
    struct forward_lens lens = forward_measure(packet, leg, prefix_len, padding_len);
    if (!forward_check(worker, packet, leg, &lens, padding_len))
        return false;
    uint64_t flow_sum = leg_flow_sum(leg);
    uint16_t checksum = checksum_of(packet, leg, &lens, prefix, prefix_len, flow_sum);
    memset(packet_payload(packet) + packet->data_offset + packet->data_len, 0, padding_len);
    uint8_t *ip = forward_write(worker, packet, leg, &lens, prefix, prefix_len, checksum,
                                leg_flow_label(flow_sum));
    if (leg->hairpin == TABLE_RELAY_NONE) {
        forward_to_wire(worker, packet->mbuf, leg, ip, lens.packet);
        return true;
    }
    memset(ip - PACKET_ETHERNET_LEN, 0, 12);
    hairpin_turn(worker, packet->mbuf, leg->destination_port_be);
    return true;
}
