// SPDX-License-Identifier: BSD-3-Clause
// A frame of any content meets the classifier, and where that takes it for an ICMP error, whoever
// reads those. What must hold: nothing is read past the frame's end, and whatever is said of the
// frame lies within it.
#include "dataplane/classify.h"
#include "dataplane/icmp_to_client.h"

#include "base/address.h"
#include "base/checksum.h"
#include "fuzz.h"

#include <netinet/in.h>
#include <rte_mbuf.h>
#include <string.h>

enum {
    HEADER_SUM_GOOD = 1, // as a port says: sums are hard to guess
    UDP_SUM_BAD = 2,
    FROM_HAIRPIN = 8,
    CHANNELS_OF_RFC5766 = 16,
    DTLS = 32,
};

static struct local_addresses v4, v6;

static struct transport_address address(const char *text)
{
    struct transport_address result;

    REQUIRE(transport_address_parse(text, &result) == 0);
    return result;
}

static void start_once(void)
{
    static struct plane_config config;

    if (config.worker_count > 0)
        return;
    config.worker_count = 1;
    config.listener_count = 2;
    config.listeners[0] = address("203.0.113.1:3478");
    config.listeners[1] = address("[2001:db8:1::1]:3478");
    config.relay_count = 2;
    config.relays[0] =
        (struct plane_relay){address("10.0.0.5:1").ip, address("198.51.100.5:1").ip, 50000, 50255};
    config.relays[1] = (struct plane_relay){address("[2001:db8:5::5]:1").ip,
                                            address("[2001:db8:5::5]:1").ip, 50000, 50255};
    local_addresses_init(&v4, &config, IP_FAMILY_V4, NULL);
    local_addresses_init(&v6, &config, IP_FAMILY_V6, NULL);
}

struct within {
    const uint8_t *bytes;
    size_t len;
};

static void require_within(const struct within *frame, const uint8_t *at, size_t len)
{
    REQUIRE(at >= frame->bytes && at <= frame->bytes + frame->len &&
            len <= (size_t)(frame->bytes + frame->len - at));
}

static void check_udp(const struct within *frame, const struct packet *packet)
{
    REQUIRE(packet->l4_len >= PACKET_UDP_LEN);
    if (packet->kind == PACKET_PEER || packet->kind == PACKET_CHANNEL_DATA) {
        REQUIRE(packet->data_offset + packet->data_len <= packet_payload_len(packet));
        require_within(frame, packet_payload(packet) + packet->data_offset, packet->data_len);
    }
    REQUIRE(packet->source_port_be != 0);
}

static void check_fragment(const struct packet *packet)
{
    REQUIRE(packet->fragment_offset % 8 == 0);
    REQUIRE(packet->fragment_offset > 0 || packet->fragment_more);
}

static void make_sum_right(struct packet *packet)
{
    uint64_t sum = 0;
    uint16_t field;

    memset(packet->l4 + 2, 0, 2);
    if (packet->family == IP_FAMILY_V6)
        sum = checksum_add_bytes(htons(IPPROTO_ICMPV6) + (uint64_t)htons(packet->l4_len),
                                 packet->source_ip, 32);
    field = checksum_field(checksum_add_bytes(sum, packet->l4, packet->l4_len));
    memcpy(packet->l4 + 2, &field, sizeof(field));
}

static void check_icmp(const struct within *frame, struct packet *packet)
{
    struct icmp_error error;

    if (packet->l4_len < 4)
        return;
    make_sum_right(packet);
    if (!icmp_error_read(packet->family == IP_FAMILY_V4 ? &v4 : &v6, packet, &error))
        return;
    require_within(frame, error.peer_ip, packet->family == IP_FAMILY_V4 ? 4 : 16);
    REQUIRE(error.family == packet->family);
    REQUIRE(error.relay == (packet->family == IP_FAMILY_V4 ? 0 : 1));
    REQUIRE(error.is_to_client || (error.relay_port >= 50000 && error.relay_port <= 50255));
    REQUIRE(!error.is_to_client || error.relay_port == 3478);
    REQUIRE(error.path_mtu == 0 || error.path_mtu >= (packet->family == IP_FAMILY_V4 ? 576 : 1280));
    REQUIRE(error.path_mtu == 0 || error.data <= error.path_mtu);
}

static void check(const struct within *frame, struct packet *packet)
{
    size_t ip_len = packet->family == IP_FAMILY_V4 ? 4 : 16;

    if (packet->kind == PACKET_DROP) {
        REQUIRE(packet->drop < DROP_COUNT);
        return;
    }
    REQUIRE(packet->kind < PACKET_KIND_COUNT);
    REQUIRE(packet->family == IP_FAMILY_V4 || packet->family == IP_FAMILY_V6);
    require_within(frame, packet->ip, 0);
    require_within(frame, packet->source_ip, 2 * ip_len);
    require_within(frame, packet->l4, packet->l4_len);
    if (packet->kind == PACKET_FRAGMENT)
        check_fragment(packet);
    else if (packet->kind == PACKET_ICMP)
        check_icmp(frame, packet);
    else
        check_udp(frame, packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rte_mbuf mbuf;
    struct packet packet;
    uint8_t *bytes;
    size_t len;

    start_once();
    if (size == 0 || size > 4096)
        return 0;
    len = size - 1;
    bytes = malloc(len + 1); // of its own, so that a sanitizer sees its end
    REQUIRE(bytes != NULL);
    memcpy(bytes + 1, data + 1, len);
    memset(&mbuf, 0, sizeof(mbuf));
    mbuf.buf_addr = bytes;
    mbuf.buf_len = (uint16_t)size;
    mbuf.data_off = 1;
    mbuf.data_len = (uint16_t)len;
    mbuf.pkt_len = (uint32_t)len;
    mbuf.nb_segs = 1;
    mbuf.ol_flags = (data[0] & HEADER_SUM_GOOD ? RTE_MBUF_F_RX_IP_CKSUM_GOOD : 0) |
                    (data[0] & UDP_SUM_BAD ? RTE_MBUF_F_RX_L4_CKSUM_BAD : 0);
    mbuf.port = data[0] & FROM_HAIRPIN ? PACKET_PORT_LOCAL : 0;
    v4.dtls = v6.dtls = data[0] & DTLS;
    v4.rfc5766_channels = v6.rfc5766_channels = data[0] & CHANNELS_OF_RFC5766;
    memset(&packet, 0xEE, sizeof(packet));
    classify(&v4, &v6, &mbuf, &packet);
    check(&(struct within){bytes + 1, len}, &packet);
    free(bytes);
    return 0;
}
