// SPDX-License-Identifier: BSD-3-Clause
// bench/load/media.h: what it writes is handed back as a relay would.
#include "media.h"

#include "proto/builder.h"
#include "proto/channel_data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FLOWS 5

static const struct link link_of = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};

static struct flows flows;
static struct media media;
static uint8_t frame[MEDIA_FRAME_MAX_LEN], answer[MEDIA_FRAME_MAX_LEN];

static void start(enum media_framing framing, enum direction direction)
{
    struct media_config config = {.flows = &flows,
                                  .link = &link_of,
                                  .framing = framing,
                                  .lens = {160},
                                  .len_count = 1,
                                  .has_checksum = true,
                                  .seed = 1};
    struct endpoint_range clients = {.first_port = 1, .last_port = 9};
    struct endpoint_range peers = {.first_port = 1, .last_port = 9};
    struct transport_address server;
    assert_int_equal(ip_prefix_parse("198.18.0.0/16", &clients.prefix), 0);
    assert_int_equal(ip_prefix_parse("198.19.0.0/16", &peers.prefix), 0);
    assert_int_equal(transport_address_parse("192.0.2.1:3478", &server), 0);
    assert_int_equal(flows_init(&flows, FLOWS, &server, &clients, &peers), 0);
    for (uint32_t i = 0; i < FLOWS; i++) {
        flows.table[i].relayed = (struct transport_address){server.ip, (uint16_t)(50000 + i)};
        flows.table[i].state = i == 2 ? FLOW_ALLOCATED : FLOW_READY;
    }
    flows_gather(&flows);
    config.directions[direction] = true;
    payload_setup(1);
    assert_int_equal(media_init(&media, &config), 0);
}

static int end(void **state)
{
    (void)state;
    media_done(&media);
    flows_done(&flows);
    return 0;
}

static struct datagram write_one(uint64_t now)
{
    struct datagram datagram;
    size_t len = media_write(&media, frame, now);
    assert_int_equal(frame_read(frame, len, &datagram), FRAME_UDP);
    return datagram;
}

// The flow of what a client sent.
static uint32_t flow_of(const struct transport_address *client)
{
    for (uint32_t i = 0; i < FLOWS; i++) {
        struct transport_address other = flow_client(&flows, i);
        if (transport_address_equal(client, &other))
            return i;
    }
    fail();
    return 0;
}

static struct channel_data channel_data_of(const struct datagram *datagram)
{
    struct channel_data message;
    assert_true(channel_data_parse(datagram->payload, false, &message));
    return message;
}

// What the relay makes of a client's ChannelData.
static struct datagram relay_to_peer(const struct datagram *datagram)
{
    uint32_t flow = flow_of(&datagram->source);
    return (struct datagram){flows.table[flow].relayed, flow_peer(&flows, flow),
                             channel_data_of(datagram).payload};
}

// What the relay makes of a peer's datagram: ChannelData.
static struct datagram relay_to_client(const struct datagram *datagram)
{
    uint32_t flow = datagram->destination.port - 50000u;
    size_t len = datagram->payload.len;
    channel_data_write_header(answer, flow_channel(flow), (uint16_t)len);
    memcpy(answer + CHANNEL_DATA_HEADER_LEN, datagram->payload.data, len);
    return (struct datagram){
        flows.server, flow_client(&flows, flow), {answer, CHANNEL_DATA_HEADER_LEN + len}};
}

static void what_the_peer_gets_unchanged_is_received(void **state)
{
    (void)state;
    start(MEDIA_CHANNEL, TO_PEER);
    for (unsigned i = 0; i < 100; i++) {
        struct datagram datagram = write_one(1000);
        assert_true(transport_address_equal(&datagram.destination, &flows.server));
        assert_int_equal(channel_data_of(&datagram).channel,
                         flow_channel(flow_of(&datagram.source)));
        struct datagram relayed = relay_to_peer(&datagram);
        media_receive_peer(&media, &relayed, 1030);
    }
    assert_int_equal(media.counts[TO_PEER].received, 100);
    assert_int_equal(media.counts[TO_PEER].sent, 100);
    assert_int_equal(media.counts[TO_PEER].received_len, 100 * 160);
    assert_int_equal(histogram_quantile(&media.ticks[TO_PEER], 1), 30);
}

static void what_the_client_gets_in_its_channel_is_received(void **state)
{
    (void)state;
    start(MEDIA_CHANNEL, TO_CLIENT);
    for (unsigned i = 0; i < 100; i++) {
        struct datagram datagram = write_one(1);
        struct datagram relayed = relay_to_client(&datagram);
        media_receive_channel(&media, &relayed, 2);
    }
    assert_int_equal(media.counts[TO_CLIENT].received, 100);
}

static void only_flows_that_are_ready_are_used(void **state)
{
    struct flow_losses losses;
    (void)state;
    start(MEDIA_CHANNEL, TO_PEER);
    for (unsigned i = 0; i < 200; i++)
        write_one(1);
    assert_int_equal(flows.table[2].sent[TO_PEER], 0);
    flows_count_losses(&flows, TO_PEER, &losses);
    assert_int_equal(losses.flows_used, FLOWS - 1);
    assert_int_equal(losses.lost, 200);
    assert_int_equal(losses.flows_with_loss, FLOWS - 1);
}

static void another_source_destination_or_channel_is_misdirected(void **state)
{
    (void)state;
    start(MEDIA_CHANNEL, TO_PEER);
    struct datagram datagram = write_one(1), relayed = relay_to_peer(&datagram);
    relayed.source.port++;
    media_receive_peer(&media, &relayed, 2);
    relayed.source.port--;
    relayed.destination.port++;
    media_receive_peer(&media, &relayed, 2);
    assert_int_equal(media.counts[TO_PEER].misdirected, 2);
    end(NULL);
    start(MEDIA_CHANNEL, TO_CLIENT);
    datagram = write_one(1);
    relayed = relay_to_client(&datagram);
    relayed.destination.port++;
    media_receive_channel(&media, &relayed, 2);
    relayed.destination.port--;
    answer[1] ^= 1;
    media_receive_channel(&media, &relayed, 2);
    assert_int_equal(media.counts[TO_CLIENT].misdirected, 2);
    assert_int_equal(media.counts[TO_CLIENT].received, 0);
}

static void a_payload_of_the_other_direction_is_misdirected(void **state)
{
    (void)state;
    start(MEDIA_CHANNEL, TO_CLIENT);
    struct datagram datagram = write_one(1);
    media_receive_peer(&media, &datagram, 2);
    assert_int_equal(media.counts[TO_PEER].misdirected, 1);
}

static void one_changed_byte_is_wrong(void **state)
{
    (void)state;
    start(MEDIA_CHANNEL, TO_CLIENT);
    struct datagram datagram = write_one(1), relayed = relay_to_client(&datagram);
    answer[100] ^= 4;
    media_receive_channel(&media, &relayed, 2);
    assert_int_equal(media.counts[TO_CLIENT].wrong, 1);
    assert_int_equal(media.counts[TO_CLIENT].received, 0);
}

static void what_comes_twice_or_late_is_counted(void **state)
{
    (void)state;
    struct datagram relayed[2];
    static uint8_t kept[160];
    start(MEDIA_CHANNEL, TO_PEER);
    picker_done(&media.picker);
    assert_int_equal(picker_init(&media.picker, 1, 0, 1), 0); // one flow alone
    struct datagram first = write_one(1);
    relayed[0] = relay_to_peer(&first);
    memcpy(kept, relayed[0].payload.data, sizeof(kept));
    relayed[0].payload.data = kept;
    struct datagram second = write_one(1);
    relayed[1] = relay_to_peer(&second);
    media_receive_peer(&media, &relayed[1], 2);
    media_receive_peer(&media, &relayed[0], 2);
    media_receive_peer(&media, &relayed[0], 2);
    assert_int_equal(media.counts[TO_PEER].received, 2);
    assert_int_equal(media.counts[TO_PEER].reordered, 1);
    assert_int_equal(media.counts[TO_PEER].duplicates, 1);
}

static void a_send_indication_names_the_peer(void **state)
{
    (void)state;
    struct transport_address peer, expected;
    struct stun_message message;
    struct payload payload;
    struct span data;
    start(MEDIA_INDICATION, TO_PEER);
    struct datagram datagram = write_one(1);
    assert_int_equal(stun_message_parse(datagram.payload, &message), STUN_VALID);
    assert_int_equal(message.method, STUN_METHOD_SEND);
    assert_true(stun_message_find(&message, STUN_ATTRIBUTE_DATA, &data));
    assert_true(payload_read(data.data, data.len, &payload));
    assert_int_equal(stun_message_xor_address(&message, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer),
                     STUN_VALUE_OK);
    expected = flow_peer(&flows, payload.flow);
    assert_true(transport_address_equal(&peer, &expected));
}

// Of flow and peer.
static void receive_data(const struct datagram *datagram, const struct transport_address *peer)
{
    uint32_t flow = datagram->destination.port - 50000u;
    uint8_t id[STUN_TRANSACTION_ID_LEN] = {0};
    struct datagram relayed = {flows.server, flow_client(&flows, flow), {answer, 0}};
    struct stun_message message;
    struct stun_builder builder;
    stun_builder_init(&builder, answer, sizeof(answer), STUN_CLASS_INDICATION, STUN_METHOD_DATA,
                      id);
    stun_add_xor_address(&builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, peer);
    stun_add_bytes(&builder, STUN_ATTRIBUTE_DATA, datagram->payload.data, datagram->payload.len);
    relayed.payload.len = stun_builder_finish(&builder);
    assert_int_equal(stun_message_parse(relayed.payload, &message), STUN_VALID);
    media_receive_data(&media, &relayed, &message, 2);
}

static void a_data_indication_of_the_right_peer_is_received(void **state)
{
    (void)state;
    start(MEDIA_INDICATION, TO_CLIENT);
    struct datagram datagram = write_one(1);
    struct transport_address other = datagram.source;
    other.port++;
    receive_data(&datagram, &other);
    assert_int_equal(media.counts[TO_CLIENT].misdirected, 1);
    receive_data(&datagram, &datagram.source);
    assert_int_equal(media.counts[TO_CLIENT].received, 1);
}

static void damage_is_counted_and_found(void **state)
{
    (void)state;
    start(MEDIA_CHANNEL, TO_PEER);
    media.config.damage_every = 4;
    for (unsigned i = 0; i < 400; i++) {
        struct datagram datagram = write_one(1), relayed = relay_to_peer(&datagram);
        media_receive_peer(&media, &relayed, 2);
    }
    assert_in_range(media.counts[TO_PEER].damaged, 60, 140);
    assert_int_equal(media.counts[TO_PEER].wrong, media.counts[TO_PEER].damaged);
    assert_int_equal(media.counts[TO_PEER].received, 400 - media.counts[TO_PEER].damaged);
}

static void the_lengths_are_those_that_were_given(void **state)
{
    (void)state;
    bool is_seen[2] = {false, false};
    start(MEDIA_CHANNEL, TO_CLIENT);
    media.config.lens[0] = 24;
    media.config.lens[1] = 1400;
    media.config.len_count = 2;
    for (unsigned i = 0; i < 50; i++) {
        struct datagram datagram = write_one(1);
        assert_true(datagram.payload.len == 24 || datagram.payload.len == 1400);
        is_seen[datagram.payload.len == 1400] = true;
    }
    assert_true(is_seen[0] && is_seen[1]);
}

static void swap_macs(const struct link *link)
{
    memcpy(frame, link->own, ETHERNET_ADDRESS_LEN);
    memcpy(frame + ETHERNET_ADDRESS_LEN, link->next_hop, ETHERNET_ADDRESS_LEN);
}

static void what_comes_back_with_macs_swapped_is_received(void **state)
{
    (void)state;
    for (enum direction direction = TO_PEER; direction < DIRECTION_COUNT; direction++) {
        start(MEDIA_CHANNEL, direction);
        struct datagram datagram = write_one(1);
        media_receive_swapped(&media, frame, &datagram, 2);
        assert_int_equal(media.counts[direction].misdirected, 1);
        swap_macs(&link_of);
        media_receive_swapped(&media, frame, &datagram, 2);
        assert_int_equal(media.counts[direction].received, 1);
        datagram.source.port++;
        media_receive_swapped(&media, frame, &datagram, 2);
        assert_int_equal(media.counts[direction].misdirected, 2);
        frame[150] ^= 1;
        media_receive_swapped(&media, frame, &datagram, 2);
        assert_int_equal(media.counts[direction].wrong, 1);
        end(NULL);
    }
    start(MEDIA_CHANNEL, TO_PEER);
}

static void prepared_frames_may_come_again(void **state)
{
    (void)state;
    start(MEDIA_CHANNEL, TO_PEER);
    media.config.is_prepared = true;
    struct datagram datagram = write_one(1), relayed = relay_to_peer(&datagram);
    media_receive_peer(&media, &relayed, 2);
    media_receive_peer(&media, &relayed, 2);
    assert_int_equal(media.counts[TO_PEER].received, 2);
    assert_int_equal(media.counts[TO_PEER].checked, 2);
    assert_int_equal(media.counts[TO_PEER].duplicates, 0);
    assert_int_equal(media.ticks[TO_PEER].count, 0);
}

#define CASE(name) cmocka_unit_test_teardown(name, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_the_peer_gets_unchanged_is_received),
        CASE(what_the_client_gets_in_its_channel_is_received),
        CASE(only_flows_that_are_ready_are_used),
        CASE(another_source_destination_or_channel_is_misdirected),
        CASE(a_payload_of_the_other_direction_is_misdirected),
        CASE(one_changed_byte_is_wrong),
        CASE(what_comes_twice_or_late_is_counted),
        CASE(a_send_indication_names_the_peer),
        CASE(a_data_indication_of_the_right_peer_is_received),
        CASE(damage_is_counted_and_found),
        CASE(what_comes_back_with_macs_swapped_is_received),
        CASE(prepared_frames_may_come_again),
        CASE(the_lengths_are_those_that_were_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
