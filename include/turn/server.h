// SPDX-License-Identifier: BSD-3-Clause
// The TURN server as a pure state machine (RFC 8656, RFC 6062): in goes one event and the time, out come a response and
// forwarding commands. No socket, no clock, no global; used by one thread at a time. The same code runs under the
// control thread, under a model-based test with a virtual clock, and under a fuzzer.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "base/random.h"
#include "proto/five_tuple.h"
#include "proto/stateless.h"
#include "turn/command.h"
#include "turn/credentials.h"
#include "turn/end.h"
#include "turn/peer_policy.h"
#include "turn/quota.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// RFC 8656 sections 9 and 12: fixed.
#define TURN_PERMISSION_LIFETIME_S 300
#define TURN_CHANNEL_LIFETIME_S    600
// RFC 8656 section 7.2: at least 30 s.
#define TURN_RESERVATION_LIFETIME_S 30

// RFC 6062 sections 5.2 and 5.3: at least 30 s to connect, and 30 s to bind.
#define TURN_TCP_CONNECT_TIMEOUT_S 30
#define TURN_TCP_BIND_TIMEOUT_S    30

#define TURN_RELAYS_MAX 64

// One address that relayed transport addresses are made of.
struct turn_relay {
    struct ip_address local;      // on the interface
    struct ip_address advertised; // what clients and peers are told; equal to local without a 1:1 NAT
    uint16_t min_port;
    uint16_t max_port; // inclusive
};

struct turn_limits {
    uint32_t allocations;                // in all
    uint32_t allocations_per_worker;
    uint32_t permissions_per_worker;     // in all allocations of one worker
    uint32_t channels_per_worker;
    uint32_t allocations_per_user;       // 0: no limit
    uint64_t max_bps;                    // bytes a second that each allocation takes of bps_capacity
    uint64_t bps_capacity;               // 0: no limit
    uint32_t permissions_per_allocation;
    uint32_t channels_per_allocation;
    uint32_t default_lifetime_s;
    uint32_t max_lifetime_s;
    uint32_t tcp_connections;            // to peers, in all TCP allocations (RFC 6062)
    uint32_t tcp_connections_per_allocation;
};

// How many users there are at most: each allocation may be another's, and each port that is held for EVEN-PORT.
static inline uint32_t turn_limits_users(const struct turn_limits *limits)
{
    return 2 * limits->allocations;
}

// How a TCP allocation gets its relayed address: from the kernel, whose answer the response waits for, and which has it
// at once. So this is a function, like the source of randomness, and called during turn_server_receive() only; what
// takes time in TCP relaying is commands and events.
struct turn_tcp_listener {
    // Listen at the relay's local address and this port, for turn_server_tcp_accepted(). 0; -EADDRINUSE: some other
    // ports will be tried; any other -errno: 508 for the client.
    int (*listen)(void *context, uint32_t allocation, struct turn_relayed_address address);
    void *context;
};

struct turn_config {
    struct stateless_policy stateless;
    struct turn_limits limits;
    struct turn_relay relays[TURN_RELAYS_MAX];
    uint16_t relay_count;
    uint16_t worker_count;
    bool rfc5766_channels;                 // channel numbers up to TURN_CHANNEL_MAX_RFC5766
    bool allow_tcp_relay;                  // TCP allocations, on ports of their own; without it they get 442
    struct turn_tcp_listener tcp_listener; // needed with allow_tcp_relay
    const struct credentials *credentials; // borrowed: outlives the server
    const struct peer_policy *peer_policy; // borrowed: outlives the server
    struct random_source random;
    struct turn_watcher watcher;
};

// Time as the caller reads it for one event.
struct turn_time {
    uint64_t monotonic_ms;
    uint64_t wall_s; // only for REST timestamps
};

// A STUN message from a client. bytes is one whole message.
struct turn_packet {
    struct five_tuple five_tuple;
    struct span bytes;
    uint16_t worker; // that received it: a new allocation takes its ports from this worker's slice, if there is room
};

// The longest response: an Allocate success with two relayed addresses, or a 420 with every unknown attribute.
#define TURN_RESPONSE_MAX_LEN 1024
// XOR-PEER-ADDRESS attributes taken from one CreatePermission; more get 508.
#define TURN_PEERS_PER_REQUEST_MAX 120
// The most commands that one event makes.
#define TURN_OUTPUT_COMMANDS_MAX (TURN_PEERS_PER_REQUEST_MAX + 8)

// Where an event's results go. Every call that takes it resets it first; it needs no setup.
struct turn_output {
    uint8_t response[TURN_RESPONSE_MAX_LEN];
    size_t response_len; // 0: nothing to send
    unsigned response_error; // the ERROR-CODE it carries, 0 for a success: for counters and logs
    uint16_t request_method; // of the message that made it
    enum credentials_verdict login; // of the message's credentials, for logs; CREDENTIALS_OK: they were not
    struct span login_user; // who was refused, in the message's bytes: what it says, and nobody's promise
    bool has_started;    // the message has made an allocation
    uint32_t started_id; // of this id
    enum quota_refusal refusal; // of an Allocate that was answered 486: the quota that there is no room in
    uint32_t refused_user;      // with QUOTA_REFUSED_USER: whose quota, as for turn_server_user()
    // Whom the response is for, when it is not the sender of this event's message: a Connect's late response or a
    // ConnectionAttempt, to a control connection. transport 0: the sender.
    struct five_tuple response_to;
    struct turn_command commands[TURN_OUTPUT_COMMANDS_MAX]; // to be carried out before the response is sent
    unsigned command_count;
};

struct turn_server;

// 0; -ENOMEM; -EINVAL when config cannot serve: no worker, relay, allocation or lifetime, a longest lifetime below the
// default, one relay address twice, a relay without a port for some worker, more state than can be numbered.
int turn_server_create(const struct turn_config *config, struct turn_server **ret_server);
void turn_server_destroy(struct turn_server *server);

// Who is told of ends from now on.
void turn_server_set_watcher(struct turn_server *server, const struct turn_watcher *watcher);

// New nonce keys, a new realm. Keys of another realm count as those of users who are gone: see turn_server_set_access.
void turn_server_set_stateless(struct turn_server *server, const struct stateless_policy *policy);

// A new configuration's users and peer policy, borrowed as the old ones were, which are not used any more. Allocations
// keep their keys, but requests with one that its user has no longer get 401: a user who is gone keeps what there is
// until it expires, and one with a new password goes on with that. Permissions, channels and connections that the
// policy now denies go with turn_server_revoke.
void turn_server_set_access(struct turn_server *server, const struct credentials *credentials,
                            const struct peer_policy *peer_policy);

// New limits. What allocations hold already they keep; of bps_capacity all of them take the new max_bps. Those that
// tables are sized by stay as they were, and of allocations and tcp_connections there are never more than at first.
void turn_server_set_limits(struct turn_server *server, const struct turn_limits *limits);

// Remove what the peer policy denies, some at each call; there may be a response. *cursor starts at 0. True when more
// is left.
bool turn_server_revoke(struct turn_server *server, uint64_t *cursor, struct turn_output *output);

// Handle one message: Binding, Allocate, Refresh, CreatePermission, ChannelBind, Connect, ConnectionBind; the rest
// yields nothing, nor does anything from a data connection (TURN_COMMAND_TCP_BIND). A Connect that is under way has no
// response yet. Send indications and ChannelData are the forwarding plane's.
void turn_server_receive(struct turn_server *server, const struct turn_time *now, const struct turn_packet *packet,
                         struct turn_output *output);

// Expire what is due, as many as the output holds, and with one response at most. True when more is due: call again.
// Until it is expired here, a thing lives, and a request may still refresh it.
bool turn_server_expire(struct turn_server *server, const struct turn_time *now, struct turn_output *output);

// When the next expiry is due, in monotonic milliseconds; UINT64_MAX when nothing is.
uint64_t turn_server_next_expiry_ms(const struct turn_server *server);

// The worker has carried out REMOVE_ALLOCATION or REMOVE_RELAY: its ports, and an allocation's id, may be used again.
void turn_server_removed(struct turn_server *server, const struct turn_time *now, uint32_t allocation,
                         const struct turn_relayed_address *relay); // relay NULL: the allocation

// A client's transport connection is gone (TCP, TLS, DTLS): its allocation goes too, or the connection to a peer whose
// data connection it was.
void turn_server_disconnected(struct turn_server *server, const struct turn_time *now,
                              const struct five_tuple *five_tuple, struct turn_output *output);

// End a live allocation, as far as it is one: KILLED or SHUT_DOWN.
void turn_server_end(struct turn_server *server, uint32_t allocation, enum turn_end end, struct turn_output *output);

#include "turn/drain.h"
#include "turn/search.h"
#include "turn/tcp_events.h"
#include "turn/view.h"
