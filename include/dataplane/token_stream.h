// SPDX-License-Identifier: BSD-3-Clause
// Values that nobody outside can foretell, one after the other, at the cost of a hash: transaction
// ids of Data indications (RFC 8489 section 5), nonce salts, IPv6 fragment identifications (RFC
// 7739).
#pragma once

#include "base/random.h"
#include "base/siphash.h"

#include <stdint.h>

struct token_stream {
    struct siphash_key key;
    uint64_t counter;
};

static inline void token_stream_init(struct token_stream *stream)
{
    random_fill(&random_system, stream, sizeof(*stream));
}

static inline uint64_t token_stream_next(struct token_stream *stream)
{
    uint64_t counter = stream->counter++;
    return siphash(&stream->key, &counter, sizeof(counter));
}
