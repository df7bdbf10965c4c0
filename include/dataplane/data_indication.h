// SPDX-License-Identifier: BSD-3-Clause
// The head of a Data indication: everything up to the peer's bytes, or the whole of one that
// reports an ICMP error (RFC 8656 sections 11.3, 11.5, 18.13).
#pragma once

#include "dataplane/token_stream.h"

#include <stddef.h>
#include <stdint.h>

// Header, XOR-PEER-ADDRESS of an IPv6 peer, and the DATA attribute's header or a whole ICMP
// attribute.
#define DATA_INDICATION_HEAD_MAX_LEN (20 + 24 + 12)

// ip: as many bytes as the family has. data_len: of what follows the head, without the padding that
// this counts in. Returns the head's length.
size_t data_indication_head(struct token_stream *tokens, uint8_t family, const uint8_t *ip,
                            uint16_t port, size_t data_len,
                            uint8_t head[DATA_INDICATION_HEAD_MAX_LEN]);

size_t data_indication_icmp(struct token_stream *tokens, uint8_t family, const uint8_t *ip,
                            uint16_t port, uint8_t icmp_type, uint8_t icmp_code,
                            uint32_t error_data, uint8_t message[DATA_INDICATION_HEAD_MAX_LEN]);
