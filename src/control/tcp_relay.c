// SPDX-License-Identifier: BSD-3-Clause
// An epoll of its own says which sockets have news; these are noted first and dealt with then, so
// that nothing ends while it is still to be looked at. The TURN server is told when the workers'
// rings have room for its answer, and orders for the threads of streams wait for room in theirs.
#include "control/tcp_relay.h"

#include "base/log.h"
#include "control/session_log.h"
#include "control/stream_account.h"
#include "control/tcp_listening.h"
#include "control/tcp_peer.h"
#include "control/tcp_relay_state.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_PER_TURN 64
// A worker applies commands between two bursts.
#define RETRY_US 200
// Without file descriptors: how long to wait for some, and how often to complain.
#define ACCEPT_PAUSE_S     1
#define COMPLAINT_EVERY_MS 60000

static const struct timeval at_once = {};
static const struct timeval shortly = {.tv_usec = RETRY_US};
static const struct timeval pause_over = {.tv_sec = ACCEPT_PAUSE_S};

void tcp_relay_complain(struct tcp_relay *relay, int error)
{
    uint64_t now_ms = clock_monotonic_ms();

    if (relay->complained_ms > 0 && now_ms < relay->complained_ms + COMPLAINT_EVERY_MS)
        return;
    relay->complained_ms = now_ms;
    log_message(LOG_LEVEL_WARNING, "tcp_relay", "no socket towards peers: %s%s", strerror(-error),
                error == -EMFILE ? ": raise the limit of open files (LimitNOFILE=, ulimit -n)"
                                 : "");
}

// Waiting for sockets. One word of each, until it is asked for again.

int tcp_relay_watch(struct tcp_relay *relay, int operation, struct tcp_watched *watched,
                    uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLONESHOT, .data.ptr = watched};

    return epoll_ctl(relay->epoll, operation, watched->fd, &event) == 0 ? 0 : -errno;
}

void tcp_relay_close_socket(struct tcp_watched *watched)
{
    if (watched->fd >= 0)
        close(watched->fd);
    watched->fd = -1;
}

void tcp_relay_answer(struct tcp_relay *relay)
{
    assert(relay->output.command_count == 0);
    forwarder_carry_out(relay->config.forwarder, &relay->output, NULL);
}

static void turn(struct tcp_relay *relay)
{
    bool done = tcp_peer_send_orders(relay);

    done &= tcp_peer_tell_all(relay);
    if (!tcp_listening_accept_all(relay))
        event_add(relay->again, relay->lacks_files && done ? &pause_over : &shortly);
    else if (!done)
        event_add(relay->again, &shortly);
}

static void on_again(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    turn(context);
}

// News of sockets.

static void note(struct tcp_relay *relay, struct tcp_watched *watched, uint32_t events)
{
    if (watched->is_listener)
        tcp_listening_note(relay, (struct tcp_listening *)watched);
    else
        tcp_peer_note(relay, (struct tcp_peer *)watched, events);
}

static void on_sockets(evutil_socket_t fd, short what, void *context)
{
    struct tcp_relay *relay = context;
    struct epoll_event events[EVENTS_PER_TURN];
    int count = epoll_wait(fd, events, EVENTS_PER_TURN, 0);

    (void)what;
    for (int i = 0; i < count; i++)
        note(relay, events[i].data.ptr, events[i].events);
    turn(relay);
}

// Commands.

static void close_connection(struct tcp_relay *relay, uint32_t id, const struct client_key *gone)
{
    struct tcp_peer *connection = tcp_peer_find(relay, id);

    if (connection)
        tcp_peer_end(relay, connection, gone, &relay->counters.connects_timed_out);
}

static void carry_out(struct tcp_relay *relay, const struct turn_command *command,
                      const struct client_key *gone)
{
    switch (command->kind) {
    case TURN_COMMAND_TCP_CONNECT:
        tcp_peer_connect(relay, command);
        break;
    case TURN_COMMAND_TCP_BIND:
        tcp_peer_bind(relay, command);
        break;
    case TURN_COMMAND_TCP_CLOSE:
        close_connection(relay, command->tcp_close, gone);
        break;
    case TURN_COMMAND_TCP_UNLISTEN:
        tcp_listening_close(relay, command->tcp_unlisten.relayed_v4, gone);
        tcp_listening_close(relay, command->tcp_unlisten.relayed_v6, gone);
        break;
    }
}

void tcp_relay_carry_out(struct tcp_relay *relay, const struct turn_output *output,
                         const struct client_key *gone)
{
    for (unsigned i = 0; i < output->command_count; i++)
        carry_out(relay, &output->commands[i], gone);
    if (!tcp_peer_send_orders(relay))
        event_add(relay->again, &shortly);
    else if (!TAILQ_EMPTY(&relay->reports))
        event_add(relay->again, &at_once);
}

// From the beginning to the end.

int tcp_relay_listen(struct tcp_relay *relay, uint32_t allocation,
                     struct turn_relayed_address address)
{
    return tcp_listening_open(relay, allocation, address);
}

int tcp_relay_create(const struct tcp_relay_config *config, struct tcp_relay **ret_relay)
{
    struct tcp_relay *relay = calloc(1, sizeof(*relay));
    int error;

    if (!relay)
        return -ENOMEM;
    relay->config = *config;
    TAILQ_INIT(&relay->reports);
    TAILQ_INIT(&relay->accepting);
    for (unsigned i = 0; i < PLANE_STREAM_THREADS_MAX; i++)
        TAILQ_INIT(&relay->orders[i]);
    relay->epoll = epoll_create1(EPOLL_CLOEXEC);
    error = relay->epoll < 0 ? -errno : tcp_listenings_init(relay);
    if (!error)
        error = tcp_peers_init(relay);
    if (error) {
        log_message(LOG_LEVEL_ERROR, "tcp_relay", "cannot be set up: %s; see tcp_connections",
                    strerror(-error));
        tcp_relay_destroy(relay);
        return error;
    }
    *ret_relay = relay;
    return 0;
}

int tcp_relay_start(struct tcp_relay *relay, struct event_base *base)
{
    relay->sockets = event_new(base, relay->epoll, EV_READ | EV_PERSIST, on_sockets, relay);
    relay->again = evtimer_new(base, on_again, relay);
    if (!relay->sockets || !relay->again)
        return -ENOMEM;
    event_add(relay->sockets, NULL);
    return 0;
}

void tcp_relay_destroy(struct tcp_relay *relay)
{
    if (relay->sockets)
        event_free(relay->sockets);
    if (relay->again)
        event_free(relay->again);
    tcp_peers_done(relay);
    tcp_listenings_done(relay);
    if (relay->epoll >= 0)
        close(relay->epoll);
    free(relay);
}

bool tcp_relay_get_traffic(const struct tcp_relay *relay, uint32_t allocation,
                           struct allocation_traffic *ret_traffic)
{
    struct turn_relayed_address address;
    struct session_log_tcp_traffic carried;

    if (!turn_server_tcp_relayed(relay->config.server, allocation, &address))
        return false;
    stream_account_carried(tcp_listening_at(relay, address)->account, &carried);
    *ret_traffic = (struct allocation_traffic){.to_peer_bytes = carried.to_peer_bytes,
                                               .to_client_bytes = carried.to_client_bytes};
    return true;
}

const struct tcp_relay_counters *tcp_relay_counters(const struct tcp_relay *relay)
{
    return &relay->counters;
}
