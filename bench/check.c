// SPDX-License-Identifier: BSD-3-Clause
// Looks at what left as whoever receives it would, checksums included.
#include "check.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "exchange/counters.h"
#include "fail.h"
#include "proto/channel_data.h"
#include "proto/message.h"
#include "traffic.h"

#include <netinet/in.h>
#include <rte_mbuf.h>
#include <string.h>

#define SENT_TTL     64
#define ASKED_FROM   7 // the last byte of the MAC address that everything comes from
#define ETHERNET_LEN 14

// A frame on its way out, the packet it came in as, and what it should bear.
struct departure {
    const char *forwarder;
    const struct traffic *traffic;
    const struct traffic_packet *packet;
    struct way way;
    uint8_t hop; // HOP_TO_...
    uint8_t ttl;
    const uint8_t *frame;
    size_t len;
};

static void expect(const struct departure *departure, bool condition, const char *what)
{
    if (!condition)
        fail("%s, %s, flow %u: a packet left with %s", departure->forwarder,
             departure->traffic->scenario->name, departure->packet->flow, what);
}

static bool is_answer(enum packet_role role)
{
    return role == ROLE_BINDING || role == ROLE_UNAUTHENTICATED;
}

static void check_ethernet(const struct departure *departure)
{
    bool is_v4 = departure->way.source.ip.family == IP_FAMILY_V4;
    uint8_t macs[12] = {2, 0, 0, 0, 0, departure->hop, 2, 0, 0, 0, 1, 0};
    expect(departure, departure->len > ETHERNET_LEN, "no Ethernet header");
    expect(departure, memcmp(departure->frame, macs, sizeof(macs)) == 0, "wrong MAC addresses");
    expect(departure, load_be16(departure->frame + 12) == (is_v4 ? 0x0800 : 0x86DD),
           "the wrong EtherType");
}

static struct span check_ipv4(const struct departure *departure, const uint8_t *ip, size_t len)
{
    expect(departure, len >= 20 && ip[0] == 0x45 && load_be16(ip + 2) == len,
           "a wrong IPv4 header");
    expect(departure, ip[9] == IPPROTO_UDP, "no UDP datagram");
    expect(departure, ip[8] == departure->ttl, "a wrong TTL");
    expect(departure, checksum_fold(checksum_add_bytes(0, ip, 20)) == 0xFFFF,
           "a wrong IPv4 checksum");
    expect(departure,
           memcmp(ip + 12, departure->way.source.ip.bytes, 4) == 0 &&
               memcmp(ip + 16, departure->way.destination.ip.bytes, 4) == 0,
           "wrong IPv4 addresses");
    return (struct span){ip + 20, len - 20};
}

static struct span check_ipv6(const struct departure *departure, const uint8_t *ip, size_t len)
{
    expect(departure, len >= 40 && ip[0] == 0x60 && load_be16(ip + 4) == len - 40,
           "a wrong IPv6 header");
    expect(departure, ip[6] == IPPROTO_UDP, "no UDP datagram");
    expect(departure, ip[7] == departure->ttl, "a wrong hop limit");
    expect(departure,
           memcmp(ip + 8, departure->way.source.ip.bytes, 16) == 0 &&
               memcmp(ip + 24, departure->way.destination.ip.bytes, 16) == 0,
           "wrong IPv6 addresses");
    return (struct span){ip + 40, len - 40};
}

static struct span check_udp(const struct departure *departure, struct span udp)
{
    const struct way *way = &departure->way;
    expect(departure, udp.len >= 8 && load_be16(udp.data + 4) == udp.len, "a wrong UDP length");
    expect(departure,
           load_be16(udp.data) == way->source.port &&
               load_be16(udp.data + 2) == way->destination.port,
           "wrong ports");
    uint64_t sum = checksum_add_bytes(0, udp.data, udp.len);
    sum = checksum_add_16_bytes(sum, way->source.ip.bytes);
    sum = checksum_add_16_bytes(sum, way->destination.ip.bytes);
    sum += htons(IPPROTO_UDP) + (uint64_t)htons((uint16_t)udp.len);
    expect(departure, load_be16(udp.data + 6) != 0 && checksum_fold(sum) == 0xFFFF,
           "a wrong UDP checksum");
    return (struct span){udp.data + 8, udp.len - 8};
}

static void check_payload(const struct departure *departure, struct span payload)
{
    expect(departure,
           payload.len == departure->traffic->payload_len &&
               memcmp(payload.data, departure->packet->payload, payload.len) == 0,
           "another payload");
}

static void check_channel_data(const struct departure *departure, struct span content)
{
    struct channel_data message;
    expect(departure,
           channel_data_parse(content, false, &message) && message.channel == TURN_CHANNEL_MIN &&
               content.len == CHANNEL_DATA_HEADER_LEN + message.payload.len,
           "no ChannelData of its channel");
    check_payload(departure, message.payload);
}

static void check_data_indication(const struct departure *departure, struct span content)
{
    const struct traffic *traffic = departure->traffic;
    struct way in =
        way_in(traffic->scenario, ROLE_PEER_TO_DATA, departure->packet->flow, traffic->flow_count);
    struct stun_message message;
    struct transport_address peer;
    struct span data = {NULL, 0};
    expect(departure,
           stun_message_parse(content, &message) == STUN_VALID &&
               message.method == STUN_METHOD_DATA &&
               message.message_class == STUN_CLASS_INDICATION &&
               stun_message_xor_address(&message, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer) ==
                   STUN_VALUE_OK &&
               transport_address_equal(&peer, &in.source) &&
               stun_message_find(&message, STUN_ATTRIBUTE_DATA, &data),
           "no Data indication of its peer");
    check_payload(departure, data);
}

static void check_answer(const struct departure *departure, struct span content)
{
    bool is_binding = departure->packet->role == ROLE_BINDING;
    struct stun_message message;
    struct transport_address mapped;
    struct span reason;
    unsigned error;
    expect(departure,
           stun_message_parse(content, &message) == STUN_VALID &&
               message.method == (is_binding ? STUN_METHOD_BINDING : STUN_METHOD_ALLOCATE) &&
               message.has_fingerprint,
           "no STUN answer with a FINGERPRINT");
    if (is_binding)
        expect(departure,
               message.message_class == STUN_CLASS_SUCCESS &&
                   stun_message_xor_address(&message, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &mapped) ==
                       STUN_VALUE_OK &&
                   transport_address_equal(&mapped, &departure->way.destination),
               "no Binding response of its client");
    else
        expect(departure,
               message.message_class == STUN_CLASS_ERROR &&
                   stun_message_error_code(&message, &error, &reason) == STUN_VALUE_OK &&
                   error == STUN_ERROR_UNAUTHENTICATED &&
                   stun_message_has(&message, STUN_ATTRIBUTE_NONCE),
               "no 401 with a nonce");
}

static void check_content(const struct departure *departure, struct span content)
{
    switch ((enum packet_role)departure->packet->role) {
    case ROLE_CHANNEL_TO_PEER:
    case ROLE_SEND_TO_PEER:
        check_payload(departure, content);
        break;
    case ROLE_PEER_TO_CHANNEL:
    case ROLE_HAIRPIN:
        check_channel_data(departure, content);
        break;
    case ROLE_PEER_TO_DATA:
        check_data_indication(departure, content);
        break;
    default:
        check_answer(departure, content);
    }
}

// Returns what the UDP datagram carries.
static struct span check_headers(const struct departure *departure)
{
    check_ethernet(departure);
    const uint8_t *ip = departure->frame + ETHERNET_LEN;
    size_t len = departure->len - ETHERNET_LEN;
    struct span udp = departure->way.source.ip.family == IP_FAMILY_V4
                          ? check_ipv4(departure, ip, len)
                          : check_ipv6(departure, ip, len);
    return check_udp(departure, udp);
}

// The i-th of what was sent: which packet it is. Each leaves once.
static uint32_t packet_of(struct traffic *traffic, struct rte_mbuf *frame)
{
    uint32_t i;
    memcpy(&i, rte_mbuf_to_priv(frame), sizeof(i));
    if (i >= traffic->count || traffic->arrivals[i].frame != frame)
        fail("%s: a frame left that never came", traffic->scenario->name);
    if (traffic->seen[i])
        fail("%s: a frame left twice", traffic->scenario->name);
    traffic->seen[i] = 1;
    return i;
}

static void check_count(struct traffic *traffic, const struct port *port)
{
    if (port->sent_count != traffic->count)
        fail("%s: of %u packets %u left", traffic->scenario->name, traffic->count,
             port->sent_count);
    memset(traffic->seen, 0, traffic->count);
}

static struct departure departure_of(struct traffic *traffic, struct rte_mbuf *frame)
{
    const struct traffic_packet *packet = &traffic->packets[packet_of(traffic, frame)];
    return (struct departure){
        .traffic = traffic,
        .packet = packet,
        .hop = role_next_hop((enum packet_role)packet->role),
        .ttl = SENT_TTL - 1,
        .frame = rte_pktmbuf_mtod(frame, const uint8_t *),
        .len = frame->pkt_len,
    };
}

void check_relayed(struct traffic *traffic, const struct port *port)
{
    check_count(traffic, port);
    for (uint32_t i = 0; i < traffic->count; i++) {
        struct departure departure = departure_of(traffic, port->sent[i]);
        enum packet_role role = (enum packet_role)departure.packet->role;
        departure.forwarder = "relay";
        departure.way =
            way_out(traffic->scenario, role, departure.packet->flow, traffic->flow_count);
        // An answer goes back to where its request came from, and is a new packet; a relayed
        // datagram has one hop less to go, through the hairpin two.
        if (is_answer(role)) {
            departure.hop = ASKED_FROM;
            departure.ttl = SENT_TTL;
        } else if (role == ROLE_HAIRPIN) {
            departure.ttl = SENT_TTL - 2;
        }
        check_content(&departure, check_headers(&departure));
    }
}

void check_routed(struct traffic *traffic, const struct port *port)
{
    check_count(traffic, port);
    for (uint32_t i = 0; i < traffic->count; i++) {
        struct departure departure = departure_of(traffic, port->sent[i]);
        departure.forwarder = "l3fwd";
        departure.way = way_in(traffic->scenario, (enum packet_role)departure.packet->role,
                               departure.packet->flow, traffic->flow_count);
        expect(&departure,
               departure.len == traffic->arrivals[departure.packet - traffic->packets].len,
               "another length");
        check_headers(&departure);
    }
}

void check_swapped(struct traffic *traffic, const struct port *port)
{
    check_count(traffic, port);
    for (uint32_t i = 0; i < traffic->count; i++) {
        struct rte_mbuf *frame = port->sent[i];
        uint32_t at = packet_of(traffic, frame);
        if (frame->pkt_len != traffic->arrivals[at].len ||
            memcmp(rte_pktmbuf_mtod(frame, const uint8_t *), "\2\0\0\0\0\7\2\0\0\0\1\0", 12) != 0)
            fail("macswap: MAC addresses that are not swapped");
    }
}

static enum counter role_counter(enum packet_role role)
{
    static const enum counter counters[ROLE_COUNT] = {
        [ROLE_CHANNEL_TO_PEER] = COUNTER_CHANNEL_TO_PEER,
        [ROLE_PEER_TO_CHANNEL] = COUNTER_PEER_TO_CHANNEL,
        [ROLE_SEND_TO_PEER] = COUNTER_SEND_TO_PEER,
        [ROLE_PEER_TO_DATA] = COUNTER_PEER_TO_DATA,
        [ROLE_HAIRPIN] = COUNTER_HAIRPIN,
        [ROLE_BINDING] = COUNTER_BINDING,
        [ROLE_UNAUTHENTICATED] = COUNTER_UNAUTHENTICATED,
    };
    return counters[role];
}

void check_counters(const struct traffic *traffic, const struct worker_counters *before,
                    const struct worker_counters *after)
{
    uint32_t count = traffic->count;
    const struct scenario *scenario = traffic->scenario;
    for (unsigned drop = 0; drop < DROP_COUNT; drop++) {
        if (after->drops[drop] != before->drops[drop])
            fail("%s: %ju packets dropped: %s", scenario->name,
                 (uintmax_t)(after->drops[drop] - before->drops[drop]), drop_help((enum drop)drop));
    }
    enum counter first = role_counter((enum packet_role)scenario->roles[0]);
    enum counter second = role_counter((enum packet_role)scenario->roles[1]);
    uint64_t counted = after->counters[first] - before->counters[first];
    if (second != first)
        counted += after->counters[second] - before->counters[second];
    uint64_t bytes =
        after->counters[COUNTER_TO_PEER_BYTES] - before->counters[COUNTER_TO_PEER_BYTES] +
        after->counters[COUNTER_TO_CLIENT_BYTES] - before->counters[COUNTER_TO_CLIENT_BYTES];
    uint64_t times = scenario_is_hairpin(scenario) ? 2 : 1; // to a peer, and to a client
    if (counted != count || bytes != times * count * traffic->payload_len)
        fail("%s: of %u packets the worker counted %ju, of %ju bytes", scenario->name, count,
             (uintmax_t)counted, (uintmax_t)bytes);
}
