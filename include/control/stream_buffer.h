// SPDX-License-Identifier: BSD-3-Clause
// Bytes of a connection that wait. A connection for which none wait has no memory for them.
#pragma once

#include "base/bytes.h"

#include <stdint.h>

// All zero: empty.
struct stream_buffer {
    uint8_t *memory;
    uint32_t start; // of what waits
    uint32_t len;
    uint32_t capacity;
};

static inline struct span stream_buffer_bytes(const struct stream_buffer *buffer)
{
    return (struct span){buffer->len > 0 ? buffer->memory + buffer->start : NULL, buffer->len};
}

// The bytes and then so many zeros. 0; -ENOMEM: nothing was added.
int stream_buffer_append(struct stream_buffer *buffer, struct span bytes, unsigned zeros);
// The first len bytes are done with.
void stream_buffer_consume(struct stream_buffer *buffer, size_t len);
void stream_buffer_done(struct stream_buffer *buffer);
