// SPDX-License-Identifier: BSD-3-Clause
// A piece of the heap that grows, and goes with its last byte.
#include "control/stream_buffer.h"

#include <errno.h>
#include <stdlib.h>

#define CAPACITY_MIN 512

// Room for so many more bytes behind what waits.
static int make_room(struct stream_buffer *buffer, size_t more)
{
    size_t wanted = buffer->len + more;
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : CAPACITY_MIN;
    uint8_t *memory;

    if (buffer->start > 0 && buffer->start + wanted > buffer->capacity) {
        memmove(buffer->memory, buffer->memory + buffer->start, buffer->len);
        buffer->start = 0;
    }
    if (buffer->start + wanted <= buffer->capacity)
        return 0;
    while (capacity < wanted)
        capacity *= 2;
    if (capacity > UINT32_MAX / 2)
        return -ENOMEM;
    memory = realloc(buffer->memory, capacity);
    if (!memory)
        return -ENOMEM;
    buffer->memory = memory;
    buffer->capacity = (uint32_t)capacity;
    return 0;
}

int stream_buffer_append(struct stream_buffer *buffer, struct span bytes, unsigned zeros)
{
    uint8_t *end;
    int error;

    if (bytes.len + zeros == 0)
        return 0;
    error = make_room(buffer, bytes.len + zeros);
    if (error)
        return error;
    end = buffer->memory + buffer->start + buffer->len;
    if (bytes.len > 0)
        memcpy(end, bytes.data, bytes.len);
    memset(end + bytes.len, 0, zeros);
    buffer->len += (uint32_t)(bytes.len + zeros);
    return 0;
}

void stream_buffer_consume(struct stream_buffer *buffer, size_t len)
{
    if (len == buffer->len) {
        stream_buffer_done(buffer);
        return;
    }
    buffer->start += (uint32_t)len;
    buffer->len -= (uint32_t)len;
}

void stream_buffer_done(struct stream_buffer *buffer)
{
    free(buffer->memory);
    *buffer = (struct stream_buffer){0};
}
