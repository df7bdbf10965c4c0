// SPDX-License-Identifier: BSD-3-Clause
// Addresses are computed from the flow's number; what it takes of the table is one cache line.
#include "media.h"

#include "proto/builder.h"
#include "proto/channel_data.h"

#include <string.h>

#define XOR_PEER_ADDRESS_MAX_LEN 24
#define ATTRIBUTE_HEADER_LEN     4

static_assert(ETHERNET_HEADER_LEN + IPV6_HEADER_LEN + UDP_HEADER_LEN + STUN_HEADER_LEN +
                      XOR_PEER_ADDRESS_MAX_LEN + ATTRIBUTE_HEADER_LEN + PAYLOAD_MAX_LEN + 3 <=
                  MEDIA_FRAME_MAX_LEN,
              "padding included");

int media_init(struct media *media, const struct media_config *config)
{
    memset(media, 0, sizeof(*media));
    media->config = *config;
    media->random = random_seeded(config->seed);
    return picker_init(&media->picker, config->flows->ready_count, config->zipf, config->seed + 1);
}

void media_done(struct media *media)
{
    picker_done(&media->picker);
}

static enum direction choose_direction(const struct media *media)
{
    if (media->config.directions[TO_PEER] && media->config.directions[TO_CLIENT])
        return media->written & 1 ? TO_CLIENT : TO_PEER;
    return media->config.directions[TO_PEER] ? TO_PEER : TO_CLIENT;
}

static size_t choose_len(struct media *media)
{
    if (media->config.len_count == 1)
        return media->config.lens[0];
    return media->config.lens[random_below(&media->random, media->config.len_count)];
}

// The payload, now and then with one wrong byte.
static void write_payload(struct media *media, uint8_t *bytes, size_t len,
                          const struct payload *payload)
{
    payload_write(bytes, len, payload);
    if (media->config.damage_every > 0 &&
        random_below(&media->random, media->config.damage_every) == 0) {
        bytes[random_below(&media->random, (uint32_t)len)] ^= 1;
        media->counts[payload->direction].damaged++;
    }
}

static size_t write_channel_data(struct media *media, uint8_t *bytes, size_t len,
                                 const struct payload *payload)
{
    channel_data_write_header(bytes, flow_channel(payload->flow), (uint16_t)len);
    write_payload(media, bytes + CHANNEL_DATA_HEADER_LEN, len, payload);
    return CHANNEL_DATA_HEADER_LEN + len;
}

static size_t write_send_indication(struct media *media, uint8_t *bytes, size_t len,
                                    const struct payload *payload)
{
    struct transport_address peer = flow_peer(media->config.flows, payload->flow);
    uint8_t id[STUN_TRANSACTION_ID_LEN] = {0}, data[PAYLOAD_MAX_LEN];
    struct stun_builder builder;

    store_be64(id + 4, media->transaction++);
    write_payload(media, data, len, payload);
    stun_builder_init(&builder, bytes, MEDIA_FRAME_MAX_LEN - frame_headers_len(IP_FAMILY_V6),
                      STUN_CLASS_INDICATION, STUN_METHOD_SEND, id);
    stun_add_xor_address(&builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer);
    stun_add_bytes(&builder, STUN_ATTRIBUTE_DATA, data, len);
    return stun_builder_finish(&builder);
}

static size_t write_to_peer(struct media *media, uint8_t *frame, size_t len,
                            const struct payload *payload)
{
    const struct media_config *config = &media->config;
    struct transport_address client = flow_client(config->flows, payload->flow);
    uint8_t *bytes = frame + frame_headers_len(client.ip.family);

    if (config->framing == MEDIA_CHANNEL)
        len = write_channel_data(media, bytes, len, payload);
    else
        len = write_send_indication(media, bytes, len, payload);
    return frame_write(frame, config->link, &client, &config->flows->server, len,
                       config->has_checksum);
}

static size_t write_to_client(struct media *media, uint8_t *frame, size_t len,
                              const struct payload *payload)
{
    const struct media_config *config = &media->config;
    struct transport_address peer = flow_peer(config->flows, payload->flow);

    write_payload(media, frame + frame_headers_len(peer.ip.family), len, payload);
    return frame_write(frame, config->link, &peer, &config->flows->table[payload->flow].relayed,
                       len, config->has_checksum);
}

static size_t write_frame(struct media *media, uint8_t *frame, size_t len,
                          const struct payload *payload)
{
    if (payload->direction == TO_PEER)
        return write_to_peer(media, frame, len, payload);
    return write_to_client(media, frame, len, payload);
}

size_t media_write_unnumbered(struct media *media, uint8_t *frame, uint32_t flow,
                              enum direction direction)
{
    struct payload payload = {.flow = flow, .direction = direction, .has_common_pattern = true};

    return write_frame(media, frame, media->config.lens[0], &payload);
}

size_t media_write(struct media *media, uint8_t *frame, uint64_t now)
{
    const struct flows *flows = media->config.flows;
    enum direction direction = choose_direction(media);
    uint32_t number = flows->ready[picker_draw(&media->picker)];
    struct payload payload = {
        .flow = number,
        .number = flows->table[number].sent[direction]++,
        .sent = now,
        .direction = direction,
    };
    size_t len = choose_len(media), frame_len = write_frame(media, frame, len, &payload);

    media->written++;
    media->counts[direction].sent++;
    media->counts[direction].sent_len += len;
    return frame_len;
}

// False, and counted, when it is not what the direction may carry.
static bool read_payload(struct media *media, enum direction direction, struct span bytes,
                         struct payload *ret_payload)
{
    struct media_counts *counts = &media->counts[direction];

    if (!payload_read(bytes.data, bytes.len, ret_payload)) {
        counts->wrong++;
        return false;
    }
    if (ret_payload->direction != direction || ret_payload->flow >= media->config.flows->count) {
        counts->misdirected++;
        return false;
    }
    return true;
}

static void take(struct media *media, const struct payload *payload, size_t len, bool is_the_flows,
                 uint64_t now)
{
    struct flow *flow = &media->config.flows->table[payload->flow];
    struct media_counts *counts = &media->counts[payload->direction];

    if (!is_the_flows) {
        counts->misdirected++;
        return;
    }
    if (media->config.is_prepared) {
        counts->checked++;
        counts->received++;
        counts->received_len += len;
        return;
    }
    switch (sequence_receive(&flow->received[payload->direction], payload->number)) {
    case SEQUENCE_DUPLICATE:
        counts->duplicates++;
        return;
    case SEQUENCE_REORDERED:
        counts->reordered++;
        break;
    case SEQUENCE_NEXT:
        break;
    }
    counts->received++;
    counts->received_len += len;
    if (payload_is_timed(len))
        histogram_record(&media->ticks[payload->direction], now - payload->sent);
}

void media_receive_peer(struct media *media, const struct datagram *datagram, uint64_t now)
{
    const struct flows *flows = media->config.flows;
    struct transport_address peer;
    struct payload payload;

    if (!read_payload(media, TO_PEER, datagram->payload, &payload))
        return;
    peer = flow_peer(flows, payload.flow);
    take(media, &payload, datagram->payload.len,
         transport_address_equal(&datagram->destination, &peer) &&
             transport_address_equal(&datagram->source, &flows->table[payload.flow].relayed),
         now);
}

static bool is_at_client(const struct media *media, const struct datagram *datagram, uint32_t flow)
{
    struct transport_address client = flow_client(media->config.flows, flow);

    return transport_address_equal(&datagram->destination, &client);
}

void media_receive_channel(struct media *media, const struct datagram *datagram, uint64_t now)
{
    struct channel_data message;
    struct payload payload;

    if (!channel_data_parse(datagram->payload, false, &message)) {
        media->counts[TO_CLIENT].wrong++;
        return;
    }
    if (!read_payload(media, TO_CLIENT, message.payload, &payload))
        return;
    take(media, &payload, message.payload.len,
         message.channel == flow_channel(payload.flow) &&
             is_at_client(media, datagram, payload.flow),
         now);
}

static bool is_swapped(const struct link *link, const uint8_t *frame)
{
    return memcmp(frame, link->own, ETHERNET_ADDRESS_LEN) == 0 &&
           memcmp(frame + ETHERNET_ADDRESS_LEN, link->next_hop, ETHERNET_ADDRESS_LEN) == 0;
}

void media_receive_swapped(struct media *media, const uint8_t *frame,
                           const struct datagram *datagram, uint64_t now)
{
    const struct flows *flows = media->config.flows;
    bool is_to_peer = transport_address_equal(&datagram->destination, &flows->server);
    enum direction direction = is_to_peer ? TO_PEER : TO_CLIENT;
    struct channel_data message = {.payload = datagram->payload};
    struct transport_address source;
    struct payload payload;

    if (is_to_peer && !channel_data_parse(datagram->payload, false, &message)) {
        media->counts[direction].wrong++;
        return;
    }
    if (!read_payload(media, direction, message.payload, &payload))
        return;
    source = is_to_peer ? flow_client(flows, payload.flow) : flow_peer(flows, payload.flow);
    take(media, &payload, message.payload.len,
         is_swapped(media->config.link, frame) &&
             transport_address_equal(&datagram->source, &source) &&
             (!is_to_peer || message.channel == flow_channel(payload.flow)) &&
             (is_to_peer ||
              transport_address_equal(&datagram->destination, &flows->table[payload.flow].relayed)),
         now);
}

void media_receive_data(struct media *media, const struct datagram *datagram,
                        const struct stun_message *message, uint64_t now)
{
    struct transport_address peer, expected;
    struct payload payload;
    struct span data;

    if (!stun_message_find(message, STUN_ATTRIBUTE_DATA, &data) ||
        stun_message_xor_address(message, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer) !=
            STUN_VALUE_OK) {
        media->counts[TO_CLIENT].wrong++;
        return;
    }
    if (!read_payload(media, TO_CLIENT, data, &payload))
        return;
    expected = flow_peer(media->config.flows, payload.flow);
    take(media, &payload, data.len,
         transport_address_equal(&peer, &expected) && is_at_client(media, datagram, payload.flow),
         now);
}
