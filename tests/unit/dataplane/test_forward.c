// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/forward.h"

#include "rig.h"

#include <netinet/in.h>
#include <stdlib.h>

static uint8_t frame_bytes[2048];

static void random_bytes(uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)rand();
}

static struct transport_address random_address(enum ip_family family)
{
    uint8_t bytes[16];
    random_bytes(bytes, sizeof(bytes));
    bytes[0] = family == IP_FAMILY_V4 ? 11 : 0x20;
    return (struct transport_address){ip_address_from_bytes(family, bytes),
                                      (uint16_t)(1 + rand() % 65535)};
}

struct datagram {
    struct transport_address source;
    struct transport_address destination;
    size_t len;
    size_t frame_len;
};

static void datagram_write(struct datagram *datagram, enum ip_family family)
{
    char source[TRANSPORT_ADDRESS_TEXT_LEN], destination[TRANSPORT_ADDRESS_TEXT_LEN];
    uint8_t payload[600];
    datagram->source = random_address(family);
    datagram->destination = random_address(family);
    datagram->len = 4 + (size_t)rand() % 500;
    random_bytes(payload, datagram->len);
    struct wire wire = {.source = transport_address_format(&datagram->source, source),
                        .destination =
                            transport_address_format(&datagram->destination, destination),
                        .payload = payload,
                        .len = datagram->len};
    datagram->frame_len = wire_write(&wire, frame_bytes);
}

static void packet_of(const struct datagram *datagram, struct rte_mbuf *frame,
                      struct packet *ret_packet)
{
    bool is_v4 = datagram->source.ip.family == IP_FAMILY_V4;
    memset(ret_packet, 0, sizeof(*ret_packet));
    memcpy(rte_pktmbuf_append(frame, (uint16_t)datagram->frame_len), frame_bytes,
           datagram->frame_len);
    ret_packet->mbuf = frame;
    ret_packet->ip = rte_pktmbuf_mtod_offset(frame, uint8_t *, 14);
    ret_packet->l4 = ret_packet->ip + (is_v4 ? 20 : 40);
    ret_packet->source_ip = ret_packet->ip + (is_v4 ? 12 : 8);
    ret_packet->l4_len = (uint16_t)(8 + datagram->len);
    memcpy(&ret_packet->checksum, ret_packet->l4 + 6, 2);
    ret_packet->family = (uint8_t)datagram->source.ip.family;
    ret_packet->ttl = 9;
    ret_packet->traffic_class = 0x1A;
    ret_packet->flags = PACKET_DONT_FRAGMENT;
    ret_packet->data_offset = 4;
    ret_packet->data_len = (uint16_t)(datagram->len - 4);
}

// rig_sent() and wire_read() assert that all lengths and checksums are right.
static void keeps_the_bytes_and_their_checksum_behind_any_prefix(void **state)
{
    struct rig *rig = *state;
    static uint8_t sent[RIG_FRAME_MAX];
    srand(5);
    for (unsigned round = 0; round < 4000; round++) {
        struct datagram datagram;
        struct packet packet;
        uint8_t prefix[4];
        enum ip_family family_out = round & 2 ? IP_FAMILY_V4 : IP_FAMILY_V6;
        struct transport_address from = random_address(family_out), to = random_address(family_out);
        struct leg leg = {.source_ip = from.ip.bytes,
                          .destination_ip = to.ip.bytes,
                          .source_port_be = htons(from.port),
                          .destination_port_be = htons(to.port),
                          .family = (uint8_t)family_out,
                          .hairpin = TABLE_RELAY_NONE,
                          .adjacency = RIG_TO_PEERS};
        random_bytes(prefix, sizeof(prefix));
        datagram_write(&datagram, round & 1 ? IP_FAMILY_V4 : IP_FAMILY_V6);
        rig->transmit_commands++; // the frame comes from no port
        packet_of(&datagram, rte_pktmbuf_alloc(rig_pool), &packet);
        size_t header_len = (size_t)(packet.l4 - packet.ip);
        uint8_t payload[600];
        memcpy(payload, frame_bytes + 14 + header_len + 8, datagram.len);
        assert_true(forward(rig->workers[0], &packet, &leg, prefix, sizeof(prefix), 0));
        rig_poll(rig);
        size_t len = rig_sent(rig, 0, sent);
        struct wire_seen seen;
        wire_read(sent, len, &seen);
        assert_memory_equal(seen.payload, prefix, 4);
        assert_memory_equal(seen.payload + 4, payload + 4, datagram.len - 4);
        assert_int_equal(seen.len, datagram.len);
        assert_int_equal(seen.ttl, 8);
        assert_int_equal(seen.traffic_class, 0x1A);
    }
}

static void drops_when_the_buffer_has_no_room(void **state)
{
    struct rig *rig = *state;
    struct datagram datagram;
    struct packet packet;
    uint8_t prefix[48] = {0};
    struct transport_address from = random_address(IP_FAMILY_V6), to = random_address(IP_FAMILY_V6);
    struct leg leg = {.source_ip = from.ip.bytes,
                      .destination_ip = to.ip.bytes,
                      .family = IP_FAMILY_V6,
                      .hairpin = TABLE_RELAY_NONE,
                      .adjacency = RIG_TO_PEERS};
    for (unsigned side = 0; side < 2; side++) {
        struct rte_mbuf *frame = rte_pktmbuf_alloc(rig_pool);
        datagram_write(&datagram, IP_FAMILY_V4);
        frame->data_off = side == 0 ? 0 : (uint16_t)(frame->buf_len - datagram.frame_len);
        packet_of(&datagram, frame, &packet);
        rig->transmit_commands++;
        assert_false(
            forward(rig->workers[0], &packet, &leg, prefix, sizeof(prefix), side == 0 ? 0 : 1));
        assert_int_equal(rig_drops(rig, DROP_NO_BUFFER), side + 1);
    }
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(keeps_the_bytes_and_their_checksum_behind_any_prefix),
        TEST(drops_when_the_buffer_has_no_room),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
