// SPDX-License-Identifier: BSD-3-Clause
// What comes is cut where it is read, and only what is not whole, or finds no room, is kept.
#include "control/stream_input.h"

#include "control/stream_connection.h"
#include "exchange/client_home.h"
#include "exchange/plane.h"
#include "exchange/stream.h"
#include "proto/stream_framing.h"

#include <errno.h>

// Of a client without an allocation. Its requests are shorter; what other protocols begin with may
// look like long ChannelData.
#define STRANGERS_MESSAGE_MAX_LEN 4096
// Bytes of one connection in one turn.
#define TURN_LEN (64 * 1024)

// 0, also for what is dropped; else try again.
static int pass_on(struct stream_thread *thread, struct stream_connection *connection,
                   struct span message)
{
    const struct client_key *client = &connection->client;
    uint16_t worker = client_home(client->address.ip.bytes, client->address.port,
                                  thread->plane->config.worker_count);
    int error = stream_send_message(thread->plane, thread->index, worker, client, message);

    if (error == -EMSGSIZE) {
        stream_count(&thread->counters.too_long, 1);
        return 0;
    }
    if (error)
        return error;
    connection->has_spoken = true;
    stream_count(&thread->counters.messages_in, 1);
    stream_count(&thread->counters.bytes_in, message.len);
    return 0;
}

static size_t message_max_len(const struct stream_connection *connection)
{
    return connection->has_allocation ? STREAM_FRAME_MAX_LEN : STRANGERS_MESSAGE_MAX_LEN;
}

// *ret_len: bytes that are done with.
static enum stream_cut cut_messages(struct stream_thread *thread,
                                    struct stream_connection *connection, struct span bytes,
                                    size_t *ret_len)
{
    struct stream_frame frame;
    enum stream_frame_verdict verdict;

    for (*ret_len = 0; *ret_len < bytes.len; *ret_len += frame.framed_len) {
        struct span rest = {bytes.data + *ret_len, bytes.len - *ret_len};

        if (connection->is_binding)
            return STREAM_CUT_WAIT;
        verdict = stream_frame_next(rest, message_max_len(connection),
                                    thread->plane->config.rfc5766_channels, &frame);
        if (verdict != STREAM_FRAME_WHOLE)
            return verdict == STREAM_FRAME_BAD ? STREAM_CUT_BAD : STREAM_CUT_ALL;
        connection->is_blocked = pass_on(thread, connection, frame.message) != 0;
        if (connection->is_blocked)
            return STREAM_CUT_WAIT;
        connection->frame_s = thread->now_s;
        if (stream_message_is(frame.message, STUN_CONNECTION_BIND_REQUEST_TYPE)) {
            connection->is_binding = true;
            connection->bound_s = thread->now_s;
        }
    }
    return STREAM_CUT_ALL;
}

// Bytes that begin with what waits already. Those that are not done with wait from here on.
static enum stream_cut take_bytes(struct stream_thread *thread,
                                  struct stream_connection *connection, struct span bytes)
{
    size_t len, waited_len = connection->in.len;
    enum stream_cut cut = cut_messages(thread, connection, bytes, &len);
    struct span rest = {bytes.data + len, bytes.len - len};

    if (cut == STREAM_CUT_BAD) {
        stream_count(&thread->counters.bad_framing, 1);
        return cut;
    }
    if (len == 0 && waited_len > 0)
        rest = (struct span){bytes.data + waited_len, bytes.len - waited_len};
    else
        stream_buffer_done(&connection->in);
    if (waited_len == 0 || len > 0)
        connection->frame_s = thread->now_s;
    if (stream_buffer_append(&connection->in, rest, 0) != 0) {
        stream_count(&thread->counters.no_memory, 1);
        return STREAM_CUT_BAD;
    }
    if (connection->is_blocked)
        stream_connection_wait(thread, connection);
    return cut;
}

enum stream_cut stream_input_take_waiting(struct stream_thread *thread,
                                          struct stream_connection *connection)
{
    struct span bytes = stream_buffer_bytes(&connection->in);
    size_t len;
    enum stream_cut cut;

    connection->is_blocked = false;
    cut = cut_messages(thread, connection, bytes, &len);
    if (len > 0) {
        stream_buffer_consume(&connection->in, len);
        connection->frame_s = thread->now_s;
    }
    if (cut == STREAM_CUT_BAD)
        stream_count(&thread->counters.bad_framing, 1);
    if (connection->is_blocked)
        stream_connection_wait(thread, connection);
    return cut;
}

int stream_input_receive(struct stream_thread *thread, struct stream_connection *connection)
{
    size_t taken_len = 0;

    while (taken_len < TURN_LEN) {
        size_t start = connection->in.len, room = STREAM_RECEIVE_LEN - start, len;
        int error = stream_socket_read(&connection->socket, thread->received + start, room, &len);
        enum stream_cut cut;

        stream_count(&thread->counters.reads, 1);
        if (error == -EAGAIN)
            return 0;
        if (error || len == 0)
            return error ? error : -ECONNRESET;
        if (start > 0)
            memcpy(thread->received, stream_buffer_bytes(&connection->in).data, start);
        connection->heard_s = thread->now_s;
        taken_len += len;
        cut = take_bytes(thread, connection, (struct span){thread->received, start + len});
        if (cut == STREAM_CUT_BAD)
            return -EPROTO;
        if (cut == STREAM_CUT_WAIT)
            return 0;
        if (!connection->socket.ssl && len < room)
            return 0;
    }
    // What OpenSSL has read already, no event tells of.
    if (stream_socket_has_pending(&connection->socket)) {
        thread->hurries = true;
        stream_connection_wait(thread, connection);
    }
    return 0;
}
