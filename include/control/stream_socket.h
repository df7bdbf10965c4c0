// SPDX-License-Identifier: BSD-3-Clause
// A client's socket, with TLS on it or without, that never blocks.
#pragma once

#include "control/stream_buffer.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

struct stream_socket {
    int fd;
    SSL *ssl;                    // NULL: plain TCP
    struct stream_buffer sealed; // records that the kernel has yet to take
    uint32_t message_left;       // of the message that was begun, bytes
    bool is_broken;              // TLS has nothing to say any more
};

// Both are the socket's from here on. False: no memory, and both are the caller's still.
bool stream_socket_secure(struct stream_socket *socket, SSL *ssl);
// The TLS handshake. 0: done; -EAGAIN: wait for the socket; -EPROTO: it failed.
int stream_socket_shake(struct stream_socket *socket);

// A ticket to resume the session with goes before what is written next (RFC 8446 section 4.6.1). Nothing, where there
// is no TLS, or one whose handshake had it.
void stream_socket_give_ticket(struct stream_socket *socket);

// 0, and at least one byte, or none at the end of the stream; -EAGAIN: wait for the socket; else -errno: it is over.
int stream_socket_read(struct stream_socket *socket, void *bytes, size_t len, size_t *ret_len);
// 0, and at least one byte went; else as above. With TLS what comes after -EAGAIN begins with the same bytes.
int stream_socket_write(struct stream_socket *socket, const void *bytes, size_t len, size_t *ret_len);
// The same of whole messages, one behind the other, padded, if nothing else is ever written: each gets TLS records of
// its own, for there are clients that take a record for a message, and all are sent at once.
int stream_socket_write_messages(struct stream_socket *socket, const void *bytes, size_t len, size_t *ret_len);
// 0: nothing is left that was written; else as above.
int stream_socket_flush(struct stream_socket *socket);

// Nothing more will be written, and the other side hears of it. 0; -EAGAIN: wait for the socket, and say so again; else
// as above.
int stream_socket_end(struct stream_socket *socket);

// Bytes that have come may be read without another word of the kernel's.
bool stream_socket_has_pending(const struct stream_socket *socket);
// What waits for the socket waits for room to write.
bool stream_socket_wants_write(const struct stream_socket *socket);

// Says good-bye, where TLS has words for it.
void stream_socket_close(struct stream_socket *socket);
