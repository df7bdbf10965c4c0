// SPDX-License-Identifier: BSD-3-Clause
// Messages are gathered, and written to the socket together.
#include "control/stream_output.h"

#include "proto/channel_data.h"
#include "proto/stream_framing.h"

uint32_t stream_output_len(const struct stream_connection *connection)
{
    return connection->out.len + connection->socket.sealed.len;
}

bool stream_output_write(struct stream_thread *thread, struct stream_connection *connection,
                         int *ret_error)
{
    int error = 0;

    while (!error && connection->out.len > 0) {
        struct span bytes = stream_buffer_bytes(&connection->out);
        size_t written;

        error = stream_socket_write_messages(&connection->socket, bytes.data, bytes.len, &written);
        stream_count(&thread->counters.writes, 1);
        if (error)
            break;
        stream_buffer_consume(&connection->out, written);
        connection->stuck_s = thread->now_s;
    }
    if (!error)
        error = stream_socket_flush(&connection->socket);
    *ret_error = error;
    return !error;
}

// Media, that is: whoever sent it does not count on its coming.
static bool may_be_lost(struct span message)
{
    return (message.data[0] & 0xC0) != 0 || stream_message_is(message, STUN_DATA_INDICATION_TYPE);
}

static bool has_room(const struct stream_thread *thread, const struct stream_connection *connection,
                     struct span message)
{
    uint64_t limit = thread->limits.out_len;

    return stream_output_len(connection) + message.len <=
           (may_be_lost(message) ? limit : 2 * limit);
}

bool stream_output_put(struct stream_thread *thread, struct stream_connection *connection,
                       struct span message)
{
    unsigned padding = channel_data_stream_padding(message.len);

    if (!has_room(thread, connection, message)) {
        stream_count(&thread->counters.slow_reader, 1);
        return false;
    }
    if (stream_output_len(connection) == 0)
        connection->stuck_s = thread->now_s;
    if (stream_buffer_append(&connection->out, message, padding) != 0) {
        stream_count(&thread->counters.no_memory, 1);
        return false;
    }
    stream_count(&thread->counters.messages_out, 1);
    stream_count(&thread->counters.bytes_out, message.len + padding);
    return true;
}
