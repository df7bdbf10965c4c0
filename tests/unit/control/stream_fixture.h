// SPDX-License-Identifier: BSD-3-Clause
// A stream thread on loopback sockets, with a clock, clients and workers that the test plays.
#pragma once

#include "control/session_log.h"
#include "control/stream_thread.h"
#include "control/stream_thread_state.h"
#include "exchange/command.h"
#include "exchange/plane.h"

#include <openssl/types.h>
#include <stdint.h>

// What the session log, a fake, was told last of a TCP allocation, and how often it was told.
extern struct session_log_tcp_traffic stream_fixture_told;
extern unsigned stream_fixture_told_count;

#define STREAM_FIXTURE_RING_LEN 64 // one less fits

enum {
    STREAM_FIXTURE_TCP, // of the sockets that listen
    STREAM_FIXTURE_TLS,
};

struct stream_fixture {
    struct stream_thread_config config; // to be changed before stream_fixture_start
    struct stream_thread *thread;
    struct plane *plane;
};

// The environment of a group of tests, with a certificate.
int stream_fixture_group_set_up(void **state);
int stream_fixture_group_tear_down(void **state);

// Each gives a test its struct stream_fixture, with the thread not yet made.
int stream_fixture_set_up(void **state);
int stream_fixture_tear_down(void **state);

const struct stream_counters *stream_fixture_counters(const struct stream_fixture *fixture);

void stream_fixture_start(struct stream_fixture *fixture);
// The thread does what there is to do.
void stream_fixture_run(struct stream_fixture *fixture);
// Time passes, and the thread notices.
void stream_fixture_pass(struct stream_fixture *fixture, unsigned seconds);

// A client's socket, which does not block.
int stream_fixture_connect(struct stream_fixture *fixture, unsigned listener);
// By its socket, as workers know it.
struct client_key stream_fixture_client(const struct stream_fixture *fixture, unsigned listener, int fd);
void stream_fixture_write(struct stream_fixture *fixture, int fd, const void *bytes, size_t len);
// What has come, after the thread has run. 0: nothing.
size_t stream_fixture_read(struct stream_fixture *fixture, int fd, void *ret_bytes, size_t size);
// Did the thread close it? What else comes is lost.
bool stream_fixture_is_closed(struct stream_fixture *fixture, int fd);

// TLS on a client's socket, its handshake done or, where the thread does not go along, not.
SSL *stream_fixture_secure(struct stream_fixture *fixture, int fd);
void stream_fixture_unsecure(SSL *ssl);

// A worker takes a message of a client's; its length, 0: there is none.
size_t stream_fixture_take(struct stream_fixture *fixture, uint8_t *ret_bytes, struct client_key *ret_client);
// A worker has a message for a client. False: its ring is full.
bool stream_fixture_give(struct stream_fixture *fixture, const struct client_key *client, const void *bytes,
                         size_t len);
// The control plane hears of a connection that is gone.
bool stream_fixture_hears(struct stream_fixture *fixture, struct client_key *ret_client);

// A Binding request, or another message of no attributes.
size_t stream_fixture_stun(uint8_t *ret_bytes, uint16_t type);
// ChannelData without its padding.
size_t stream_fixture_channel_data(uint8_t *ret_bytes, uint16_t channel, size_t payload_len);

// Over plain TCP, with its name among workers.
int stream_fixture_connect_tcp(struct stream_fixture *fixture, struct client_key *ret_client);
// A worker takes this message next; there is none to take.
void stream_fixture_takes(struct stream_fixture *fixture, const struct client_key *client, const void *message,
                          size_t len);
void stream_fixture_takes_nothing(struct stream_fixture *fixture);
// The client gets an Allocate success.
void stream_fixture_allocate(struct stream_fixture *fixture, const struct client_key *client);
