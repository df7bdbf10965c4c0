// SPDX-License-Identifier: BSD-3-Clause
// The header that a proxy puts in front of a TCP connection to say whose it is (HAProxy's PROXY protocol, version 2).
#pragma once

#include "base/address.h"
#include "base/bytes.h"

// The longest header that we take, in bytes. Addresses end at 232; the rest are TLVs, of which we read the checksum.
#define PROXY_HEADER_MAX_LEN 1024

enum proxy_header_verdict {
    PROXY_HEADER_NEED_MORE,
    PROXY_HEADER_BAD,     // the connection is of no use: nothing says where its contents begin
    PROXY_HEADER_LOCAL,   // gives no TCP addresses: those of the connection's socket hold
    PROXY_HEADER_PROXIED, // gives the addresses of the connection that the proxy accepted
};

struct proxy_header {
    struct transport_address source;      // the client. Both only when PROXIED, else zero
    struct transport_address destination; // where the client connected to
    size_t len;                           // bytes that the header takes; what follows is the client's
};

// The header at the start of what has been received. The verdict does not depend on how the stream is split; BAD is
// said as soon as the bytes at hand show it. NEED_MORE: the header is whole when len bytes are there, or its length is
// known when that many are. *ret_header is untouched on BAD. Says nothing of whether the sender may be believed.
// BAD: version 1, which is text; more than PROXY_HEADER_MAX_LEN; TLVs that do not end where the header ends; a checksum
// (PP2_TYPE_CRC32C) that is wrong or there twice; a command, family or transport that the protocol does not have.
// LOCAL: the command LOCAL, whatever comes with it; and PROXY for an unspecified family or transport, for AF_UNIX and
// for datagrams. Wherever PROXY names a family, the TLVs behind its addresses are checked.
enum proxy_header_verdict proxy_header_parse(struct span received, struct proxy_header *ret_header);
