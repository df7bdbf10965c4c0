// SPDX-License-Identifier: BSD-3-Clause
// A client's TCP connection: its phases, what it waits for, and its end (RFC 8656 section 2.1, RFC 6062 section 4.3).
// How it gets in is stream_entrance's, what comes stream_input's and what goes stream_output's. All functions: its
// thread's only. Those that may close the connection say so; it is not to be touched after that.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "control/stream_thread_state.h"
#include "exchange/stream.h"

#include <stdint.h>

// The socket is ready for these of epoll's events. May close.
void stream_connection_serve(struct stream_thread *thread, struct stream_connection *connection, uint32_t events);
// The peer's socket is, of one that is joined. May close.
void stream_connection_serve_peer(struct stream_thread *thread, struct stream_connection *connection, uint32_t events);
// It was taken from the thread's waiting. May close.
void stream_connection_resume(struct stream_thread *thread, struct stream_connection *connection);
// One that is paused is to be looked at, whether there is bandwidth for it again. May close.
void stream_connection_unpause(struct stream_thread *thread, struct stream_connection *connection);
// A timer of its is due. May close.
void stream_connection_expire(struct stream_thread *thread, struct stream_connection *connection);

// A worker's message, whole and without padding, to be written by stream_connection_flush().
void stream_connection_send(struct stream_thread *thread, struct stream_connection *connection, struct span message);
// May close.
void stream_connection_flush(struct stream_thread *thread, struct stream_connection *connection);

// An order to join, of which socket and share are the connection's from here on: it is joined once the client has the
// answer to its ConnectionBind. May close.
void stream_connection_join(struct stream_thread *thread, struct stream_connection *connection,
                            const struct stream_order *order);

// What can be written at once is written. The control plane hears of it.
void stream_connection_close(struct stream_thread *thread, struct stream_connection *connection);
// One of those gone: has the control plane heard of it now? Then it is no more.
bool stream_connection_tell(struct stream_thread *thread, struct stream_connection *connection);

// For the files that make up a connection.

void stream_connection_enter(struct stream_thread *thread, struct stream_connection *connection,
                             enum stream_phase phase);
// Its client is known, and TLS, if any, is up. May close.
void stream_connection_open(struct stream_thread *thread, struct stream_connection *connection);
// It waits for words of its socket and for time, as its state says. Does not close.
void stream_connection_settle(struct stream_thread *thread, struct stream_connection *connection);
// It is to be resumed without another word of its socket.
void stream_connection_wait(struct stream_thread *thread, struct stream_connection *connection);
// For a reason that is counted.
void stream_connection_close_for(struct stream_thread *thread, struct stream_connection *connection, uint64_t *counter);
// For epoll's events.
uint64_t stream_connection_tag(const struct stream_thread *thread, const struct stream_connection *connection,
                               enum stream_tag tag);
