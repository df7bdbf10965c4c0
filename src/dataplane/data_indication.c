// SPDX-License-Identifier: BSD-3-Clause
// The head of a Data indication (RFC 8656 sections 11.3, 11.5, 18.13).
#include "dataplane/data_indication.h"

#include "base/bytes.h"
#include "proto/builder.h"
#include "proto/channel_data.h"

static void start(struct stun_builder *builder, struct token_stream *tokens, uint8_t family,
                  const uint8_t *ip, uint16_t port, uint8_t *buffer, size_t capacity)
{
    uint64_t transaction_id[2] = {token_stream_next(tokens), token_stream_next(tokens)};
    struct transport_address peer = {ip_address_from_bytes((enum ip_family)family, ip), port};
    stun_builder_init(builder, buffer, capacity, STUN_CLASS_INDICATION, STUN_METHOD_DATA,
                      (const uint8_t *)transaction_id);
    stun_add_xor_address(builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer);
}

size_t data_indication_head(struct token_stream *tokens, uint8_t family, const uint8_t *ip,
                            uint16_t port, size_t data_len,
                            uint8_t head[DATA_INDICATION_HEAD_MAX_LEN])
{
    struct stun_builder builder;
    start(&builder, tokens, family, ip, port, head, DATA_INDICATION_HEAD_MAX_LEN);
    size_t len = stun_builder_finish(&builder);
    store_be16(head + len, STUN_ATTRIBUTE_DATA);
    store_be16(head + len + 2, (uint16_t)data_len);
    len += STUN_ATTRIBUTE_HEADER_LEN;
    size_t padded_len = (data_len + 3) & ~(size_t)3;
    store_be16(head + 2, (uint16_t)(len - STUN_HEADER_LEN + padded_len));
    return len;
}

size_t data_indication_icmp(struct token_stream *tokens, uint8_t family, const uint8_t *ip,
                            uint16_t port, uint8_t icmp_type, uint8_t icmp_code,
                            uint32_t error_data, uint8_t message[DATA_INDICATION_HEAD_MAX_LEN])
{
    struct stun_builder builder;
    start(&builder, tokens, family, ip, port, message, DATA_INDICATION_HEAD_MAX_LEN);
    stun_add_icmp(&builder, icmp_type, icmp_code, error_data);
    return stun_builder_finish(&builder);
}
