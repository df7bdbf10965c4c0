// SPDX-License-Identifier: BSD-3-Clause
// Turn a received frame round into the one that answers it, in its own buffer: what a response
// leaves in, on either plane (RFC 8489 section 6.3.1: from the address and port the request was
// sent to, back to where it came from).
#pragma once

#include <stddef.h>
#include <stdint.h>

struct rte_mbuf;

#define REPLY_TTL 64

// frame: a whole Ethernet frame with a UDP datagram whose payload starts message_offset bytes in.
// MAC addresses, IP addresses and ports change places; IPv4 options and IPv6 extension headers go;
// lengths and checksums are made anew, in software; the traffic class is the request's without its
// ECN bits. response must not lie in the frame. 0; -EINVAL: no UDP datagram there; -ENOSPC: the
// buffer is too small. On failure the frame is as it was.
int reply_frame(struct rte_mbuf *frame, uint16_t message_offset, const uint8_t *response,
                size_t response_len);

// The same for a response that is where the request was, message_offset bytes in; there is a UDP
// datagram. response_sum: checksum_add_bytes() of it.
void reply_in_place(struct rte_mbuf *frame, uint16_t message_offset, size_t response_len,
                    uint64_t response_sum);

// The same for a frame of one segment that begins with Ethernet, an IPv4 header without options and UDP.
void reply_to_plain(struct rte_mbuf *frame, size_t response_len, uint64_t response_sum);
