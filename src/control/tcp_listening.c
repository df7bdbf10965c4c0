// SPDX-License-Identifier: BSD-3-Clause
// Places by port, and turns of bounded length.
#include "control/tcp_listening.h"

#include "base/netns.h"
#include "control/session_log.h"
#include "control/stream_account.h"
#include "control/tcp_peer.h"
#include "control/tcp_socket.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 16 // of one

static struct tcp_listening **place_of(const struct tcp_relay *relay,
                                       struct turn_relayed_address address)
{
    const struct plane_relay *range = &relay->config.plane->config.relays[address.relay];

    assert(address.port >= range->min_port && address.port <= range->max_port);
    return &relay->by_port[address.relay][address.port - range->min_port];
}

struct tcp_listening *tcp_listening_at(const struct tcp_relay *relay,
                                       struct turn_relayed_address address)
{
    return *place_of(relay, address);
}

struct transport_address tcp_listening_address(const struct tcp_relay *relay,
                                               struct turn_relayed_address address)
{
    return (struct transport_address){relay->config.plane->config.relays[address.relay].local,
                                      address.port};
}

// The TURN server says who may stay: RFC 6062 section 5.3 has the others accepted and closed.
static void take_peer(struct tcp_relay *relay, struct tcp_listening *listener, int fd,
                      const struct transport_address *peer)
{
    const struct turn_time now = tcp_relay_now();
    struct tcp_peer *connection;
    uint32_t id;

    if (!turn_server_tcp_accepted(relay->config.server, &now, listener->allocation,
                                  listener->address, peer, &relay->output, &id)) {
        close(fd);
        relay->counters.refused++;
        return;
    }
    relay->counters.accepted++;
    connection = tcp_peer_take(relay, listener, id, fd, TCP_PEER_UNBOUND); // there is room
    if (tcp_relay_watch(relay, EPOLL_CTL_ADD, &connection->watched, EPOLLRDHUP) != 0)
        tcp_peer_is_over(relay, connection);
    tcp_relay_answer(relay);
}

// True: nobody else waits there.
static bool accept_some(struct tcp_relay *relay, struct tcp_listening *listener)
{
    for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct transport_address peer;
        int fd, error;

        if (index_pool_free(&relay->pool) == 0 || !forwarder_is_ready(relay->config.forwarder))
            return false;
        error = tcp_socket_accept(listener->watched.fd, &fd, &peer);
        if (error == -EAGAIN)
            return true;
        if (tcp_socket_is_shortage(error)) {
            relay->lacks_files = true;
            relay->counters.accept_pauses++;
            tcp_relay_complain(relay, error);
            return false;
        }
        if (!error)
            take_peer(relay, listener, fd, &peer);
    }
    return false;
}

static void leave_accepting(struct tcp_relay *relay, struct tcp_listening *listener)
{
    if (listener->is_accepting)
        TAILQ_REMOVE(&relay->accepting, listener, accepting);
    listener->is_accepting = false;
}

bool tcp_listening_accept_all(struct tcp_relay *relay)
{
    struct tcp_listening *listener, *last = TAILQ_LAST(&relay->accepting, tcp_listenings);
    bool more = last != NULL;

    relay->lacks_files = false;
    while (more && !relay->lacks_files) {
        listener = TAILQ_FIRST(&relay->accepting);
        more = listener != last;
        leave_accepting(relay, listener);
        if (accept_some(relay, listener)) {
            tcp_relay_watch(relay, EPOLL_CTL_MOD, &listener->watched, EPOLLIN);
        } else {
            TAILQ_INSERT_TAIL(&relay->accepting, listener, accepting);
            listener->is_accepting = true;
        }
    }
    return TAILQ_EMPTY(&relay->accepting);
}

void tcp_listening_note(struct tcp_relay *relay, struct tcp_listening *listener)
{
    if (!listener->is_accepting)
        TAILQ_INSERT_TAIL(&relay->accepting, listener, accepting);
    listener->is_accepting = true;
}

struct listen_call {
    struct transport_address address;
    int *ret_fd;
};

static int listen_there(void *context)
{
    const struct listen_call *call = context;

    return tcp_socket_listen(&call->address, call->ret_fd);
}

static int open_listener(struct tcp_relay *relay, struct tcp_listening *listener)
{
    struct listen_call call = {tcp_listening_address(relay, listener->address),
                               &listener->watched.fd};
    int error = netns_call(relay->config.netns, listen_there, &call);

    if (!error)
        error = tcp_relay_watch(relay, EPOLL_CTL_ADD, &listener->watched, EPOLLIN);
    return error;
}

// The addresses of one allocation are listened at one after the other.
static struct stream_account *account_for(const struct tcp_relay *relay, uint32_t allocation)
{
    if (relay->latest && relay->latest->allocation == allocation)
        return stream_account_share(relay->latest->account);
    return stream_account_create();
}

int tcp_listening_open(struct tcp_relay *relay, uint32_t allocation,
                       struct turn_relayed_address address)
{
    struct tcp_listening *listener = calloc(1, sizeof(*listener));
    int error;

    if (!listener)
        return -ENOMEM;
    *listener =
        (struct tcp_listening){.watched = {-1, true}, .allocation = allocation, .address = address};
    TAILQ_INIT(&listener->connections);
    error = open_listener(relay, listener);
    if (error) {
        if (error != -EADDRINUSE) {
            relay->counters.listen_failures++;
            tcp_relay_complain(relay, error);
        }
        tcp_relay_close_socket(&listener->watched);
        free(listener);
        return error;
    }
    listener->account = account_for(relay, allocation);
    *place_of(relay, address) = listener;
    relay->latest = listener;
    relay->counters.listeners++;
    return 0;
}

// Its first relayed address goes, and with it the allocation: whoever gives up the last share tells
// of it.
static void end_account(const struct tcp_relay *relay, const struct tcp_listening *listener)
{
    static const struct session_log_tcp_traffic uncounted;
    struct session_log *sessions = relay->config.sessions;
    struct session_record *record =
        sessions ? session_log_take(sessions, listener->allocation) : NULL;

    if (record && listener->account)
        stream_account_end(listener->account, sessions, record);
    else if (record)
        session_log_carried_tcp(sessions, record, &uncounted);
}

void tcp_listening_close(struct tcp_relay *relay, struct turn_relayed_address address,
                         const struct client_key *gone)
{
    struct tcp_listening *listener;

    if (address.port == 0)
        return;
    listener = *place_of(relay, address);
    *place_of(relay, address) = NULL;
    while (!TAILQ_EMPTY(&listener->connections))
        tcp_peer_end(relay, TAILQ_FIRST(&listener->connections), gone,
                     &relay->counters.connects_given_up);
    leave_accepting(relay, listener);
    tcp_relay_close_socket(&listener->watched);
    end_account(relay, listener);
    stream_account_give(listener->account);
    relay->counters.listeners--;
    if (relay->latest == listener)
        relay->latest = NULL;
    free(listener);
}

int tcp_listenings_init(struct tcp_relay *relay)
{
    const struct plane_config *plane = &relay->config.plane->config;

    for (unsigned i = 0; i < plane->relay_count; i++) {
        size_t count = (size_t)plane->relays[i].max_port - plane->relays[i].min_port + 1;

        relay->by_port[i] = calloc(count, sizeof(*relay->by_port[i]));
        if (!relay->by_port[i])
            return -ENOMEM;
    }
    return 0;
}

static void close_all(struct tcp_relay *relay, unsigned index)
{
    const struct plane_relay *range = &relay->config.plane->config.relays[index];
    struct tcp_listening **places = relay->by_port[index];

    for (unsigned i = 0; places && i <= (unsigned)(range->max_port - range->min_port); i++) {
        if (!places[i])
            continue;
        tcp_relay_close_socket(&places[i]->watched);
        stream_account_give(places[i]->account);
        free(places[i]);
    }
    free(places);
}

void tcp_listenings_done(struct tcp_relay *relay)
{
    for (unsigned i = 0; i < relay->config.plane->config.relay_count; i++)
        close_all(relay, i);
}
