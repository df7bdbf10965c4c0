// SPDX-License-Identifier: BSD-3-Clause
// The sockets of TCP allocations over loopback. The TURN server, the forwarder, the rings of orders and the log are
// fakes.
#pragma once

#include "control/tcp_relay.h"
#include "exchange/stream.h"

#include <stdbool.h>
#include <stdint.h>

#define TCP_FIXTURE_ALLOCATION 7
#define TCP_FIXTURE_EVENTS_MAX 64

// What the fakes were told, and what they are to do.
struct tcp_fixture {
    uint32_t connected[TCP_FIXTURE_EVENTS_MAX], closed[TCP_FIXTURE_EVENTS_MAX];
    unsigned connected_count, closed_count, accepted_count, answers;
    struct transport_address peer; // the last one that was accepted
    uint32_t next_id;
    bool refuses;
    bool has_no_room; // the workers' rings
    bool order_ring_is_full;
    struct stream_order orders[TCP_FIXTURE_EVENTS_MAX];
    uint16_t threads[TCP_FIXTURE_EVENTS_MAX];
    unsigned order_count;
    char ended[128]; // what the session log is told of the allocation
    bool record_is_taken;
};

extern struct tcp_fixture tcp_fixture;
extern struct plane tcp_fixture_plane;
extern struct tcp_relay *tcp_fixture_relay;
extern struct turn_relayed_address tcp_fixture_at; // where it listens
extern const struct client_key tcp_fixture_client_key; // who binds

// One relayed address listens.
int tcp_fixture_set_up(void **state);
int tcp_fixture_tear_down(void **state);
// Where it listens.
struct transport_address tcp_fixture_relayed(void);
// Other processes may have some ports. 0 or -errno.
int tcp_fixture_listen_somewhere(void);
void tcp_fixture_go_round(void);
// Until there are so many.
void tcp_fixture_wait_for(const unsigned *count, unsigned wanted);
// A while in which something could happen that must not.
void tcp_fixture_let_time_pass(void);
// gone: as for tcp_relay_carry_out().
void tcp_fixture_carry_out_but(const struct turn_command *command, const struct client_key *gone);
void tcp_fixture_carry_out(const struct turn_command *command);
void tcp_fixture_connect_to(const struct transport_address *peer, uint32_t id);
void tcp_fixture_bind_client(uint32_t id);
void tcp_fixture_close_connection(uint32_t id);
void tcp_fixture_unlisten(void);
// A peer of the test's own.
int tcp_fixture_peer_listens(struct transport_address *ret_address);
int tcp_fixture_peer_connects(void);
int tcp_fixture_peer_accepts(int listener);
// Or reset.
bool tcp_fixture_is_closed(int fd);
