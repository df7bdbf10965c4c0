// SPDX-License-Identifier: BSD-3-Clause
// A request's transaction id says that it is of the flood and when it left; nothing else is kept.
#include "flood.h"

#include "proto/builder.h"

#include <netinet/in.h>
#include <string.h>

// No transaction of a session begins like this: it would be a place in the window.
#define MARK UINT32_MAX

void flood_init(struct flood *flood, const struct flood_config *config)
{
    memset(flood, 0, sizeof(*flood));
    flood->config = *config;
    flood->random = random_seeded(config->seed);
    flood->source_count = endpoint_range_count(&config->sources);
}

size_t flood_write(struct flood *flood, uint8_t *frame, uint64_t now)
{
    const struct flood_config *config = &flood->config;
    struct transport_address source =
        endpoint_at(&config->sources, random_below(&flood->random, flood->source_count));
    size_t headers_len = frame_headers_len(source.ip.family);
    uint8_t id[STUN_TRANSACTION_ID_LEN];
    struct stun_builder builder;

    store_be32(id, MARK);
    store_be64(id + 4, now);
    stun_builder_init(
        &builder, frame + headers_len, FLOOD_FRAME_MAX_LEN - headers_len, STUN_CLASS_REQUEST,
        config->kind == FLOOD_BINDING ? STUN_METHOD_BINDING : STUN_METHOD_ALLOCATE, id);
    if (config->kind == FLOOD_ALLOCATE)
        stun_add_requested_transport(&builder, IPPROTO_UDP);
    flood->counts.sent++;
    return frame_write(frame, config->link, &source, &config->server, stun_builder_finish(&builder),
                       true);
}

static bool is_right(const struct flood *flood, const struct datagram *datagram,
                     const struct stun_message *message)
{
    struct transport_address mapped;
    struct span text;
    unsigned error;

    if (flood->config.kind == FLOOD_BINDING)
        return message->method == STUN_METHOD_BINDING &&
               message->message_class == STUN_CLASS_SUCCESS &&
               stun_message_xor_address(message, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &mapped) ==
                   STUN_VALUE_OK &&
               transport_address_equal(&mapped, &datagram->destination);
    return message->method == STUN_METHOD_ALLOCATE && message->message_class == STUN_CLASS_ERROR &&
           stun_message_error_code(message, &error, &text) == STUN_VALUE_OK &&
           error == STUN_ERROR_UNAUTHENTICATED &&
           stun_message_string(message, STUN_ATTRIBUTE_NONCE, &text) == STUN_VALUE_OK;
}

bool flood_receive(struct flood *flood, const struct datagram *datagram,
                   const struct stun_message *message, uint64_t now)
{
    if (flood->config.kind == FLOOD_NONE || load_be32(message->transaction_id) != MARK)
        return false;
    if (!is_right(flood, datagram, message)) {
        flood->counts.wrong++;
        return true;
    }
    flood->counts.answered++;
    histogram_record(&flood->ticks, now - load_be64(message->transaction_id + 4));
    return true;
}
