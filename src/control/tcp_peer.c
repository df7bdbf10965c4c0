// SPDX-License-Identifier: BSD-3-Clause
// Sockets towards peers, from the command or the peer that begins one to the order that gives it
// away. Orders for the threads of streams wait for room in their rings.
#include "control/tcp_peer.h"

#include "base/netns.h"
#include "base/random.h"
#include "control/stream_account.h"
#include "control/tcp_listening.h"
#include "control/tcp_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define REPORTS_PER_TURN 256

static uint32_t hash_of(const struct tcp_relay *relay, uint32_t id)
{
    return index_map_hash(&relay->by_id, &id, sizeof(id));
}

static uint32_t index_of(const struct tcp_relay *relay, const struct tcp_peer *connection)
{
    return (uint32_t)(connection - relay->connections);
}

struct tcp_peer *tcp_peer_find(const struct tcp_relay *relay, uint32_t id)
{
    struct index_map_walk walk;
    uint32_t at = index_map_first(&relay->by_id, hash_of(relay, id), &walk);

    while (at != INDEX_NONE && relay->connections[at].id != id)
        at = index_map_next(&relay->by_id, &walk);
    return at == INDEX_NONE ? NULL : &relay->connections[at];
}

struct tcp_peer *tcp_peer_take(struct tcp_relay *relay, struct tcp_listening *listener, uint32_t id,
                               int fd, enum tcp_peer_phase phase)
{
    uint32_t index = index_pool_take(&relay->pool);
    struct tcp_peer *connection;

    if (index == INDEX_NONE)
        return NULL;
    connection = &relay->connections[index];
    *connection = (struct tcp_peer){
        .watched.fd = fd, .listener = listener, .id = id, .phase = (uint8_t)phase};
    TAILQ_INSERT_TAIL(&listener->connections, connection, sibling);
    relay->counters.connections++;
    index_map_insert(&relay->by_id, hash_of(relay, id), index);
    return connection;
}

static void give_if_done(struct tcp_relay *relay, struct tcp_peer *connection)
{
    if (connection->listener || connection->has_order)
        return;
    stream_account_give(connection->account);
    connection->account = NULL;
    index_pool_give(&relay->pool, index_of(relay, connection));
}

static void report(struct tcp_relay *relay, struct tcp_peer *connection)
{
    if (!connection->has_report)
        TAILQ_INSERT_TAIL(&relay->reports, connection, reported);
    connection->has_report = true;
}

static void unreport(struct tcp_relay *relay, struct tcp_peer *connection)
{
    if (connection->has_report)
        TAILQ_REMOVE(&relay->reports, connection, reported);
    connection->has_report = false;
}

static void order(struct tcp_relay *relay, struct tcp_peer *connection, enum stream_order_kind kind)
{
    if (!connection->has_order)
        TAILQ_INSERT_TAIL(&relay->orders[connection->thread], connection, ordered);
    connection->has_order = true;
    connection->order = (uint8_t)kind;
}

static void unorder(struct tcp_relay *relay, struct tcp_peer *connection)
{
    if (connection->has_order)
        TAILQ_REMOVE(&relay->orders[connection->thread], connection, ordered);
    connection->has_order = false;
}

void tcp_peer_is_over(struct tcp_relay *relay, struct tcp_peer *connection)
{
    if (connection->phase == TCP_PEER_UNBOUND)
        relay->counters.unbound++;
    tcp_relay_close_socket(&connection->watched);
    connection->phase = TCP_PEER_OVER;
    report(relay, connection);
}

// The TURN server knows it no more.
static void forget(struct tcp_relay *relay, struct tcp_peer *connection)
{
    tcp_relay_close_socket(&connection->watched);
    unreport(relay, connection);
    index_map_remove(&relay->by_id, hash_of(relay, connection->id), index_of(relay, connection));
    TAILQ_REMOVE(&connection->listener->connections, connection, sibling);
    relay->counters.connections--;
    connection->listener = NULL;
    give_if_done(relay, connection);
}

static bool is_same_client(const struct client_key *a, const struct client_key *b)
{
    return a->listener == b->listener && transport_address_equal(&a->address, &b->address);
}

void tcp_peer_end(struct tcp_relay *relay, struct tcp_peer *connection,
                  const struct client_key *gone, uint64_t *unmade)
{
    if (connection->phase == TCP_PEER_CONNECTING)
        (*unmade)++;
    if (connection->phase == TCP_PEER_UNBOUND)
        relay->counters.unbound++;
    if (connection->phase == TCP_PEER_JOINED) {
        if (gone && is_same_client(gone, &connection->client))
            unorder(relay, connection);
        else
            order(relay, connection, STREAM_ORDER_CLOSE);
    }
    forget(relay, connection);
}

// Orders for the threads of streams.

static struct stream_account *account_to_send(const struct tcp_peer *connection)
{
    return connection->order == STREAM_ORDER_JOIN ? connection->account : NULL;
}

static bool send_orders_to(struct tcp_relay *relay, uint16_t thread)
{
    struct tcp_peer *connection;

    while ((connection = TAILQ_FIRST(&relay->orders[thread]))) {
        const struct stream_order message = {.kind = connection->order,
                                             .socket = connection->watched.fd,
                                             .client = connection->client,
                                             .account = account_to_send(connection)};

        if (stream_order_send(relay->config.plane, thread, &message) != 0)
            return false;
        if (connection->order == STREAM_ORDER_JOIN) {
            connection->watched.fd = -1;
            connection->account = NULL;
        }
        unorder(relay, connection);
        give_if_done(relay, connection);
    }
    return true;
}

bool tcp_peer_send_orders(struct tcp_relay *relay)
{
    bool all = true;

    for (uint16_t i = 0; i < relay->config.plane->config.stream_thread_count; i++)
        all &= send_orders_to(relay, i);
    return all;
}

// What the TURN server is told, with room for its answer.

static void tell(struct tcp_relay *relay, struct tcp_peer *connection)
{
    const struct turn_time now = tcp_relay_now();

    unreport(relay, connection);
    if (connection->phase == TCP_PEER_OVER) {
        turn_server_tcp_closed(relay->config.server, &now, connection->id, &relay->output);
        forget(relay, connection);
    } else {
        connection->phase = TCP_PEER_UNBOUND;
        relay->counters.connects_made++;
        tcp_relay_watch(relay, EPOLL_CTL_MOD, &connection->watched, EPOLLRDHUP);
        turn_server_tcp_connected(relay->config.server, &now, connection->id, &relay->output);
    }
    tcp_relay_answer(relay);
}

bool tcp_peer_tell_all(struct tcp_relay *relay)
{
    struct tcp_peer *connection;

    for (unsigned i = 0; i < REPORTS_PER_TURN; i++) {
        connection = TAILQ_FIRST(&relay->reports);
        if (!connection)
            return true;
        if (!forwarder_is_ready(relay->config.forwarder))
            return false;
        tell(relay, connection);
    }
    return TAILQ_EMPTY(&relay->reports);
}

// News of sockets.

static uint64_t *failure_counter(struct tcp_relay_counters *counters, int error)
{
    switch (error) {
    case -ECONNREFUSED:
        return &counters->connects_refused;
    case -EHOSTUNREACH:
    case -ENETUNREACH:
        return &counters->connects_unreachable;
    case -ETIMEDOUT:
        return &counters->connects_timed_out;
    default:
        return &counters->connects_failed;
    }
}

static void has_failed(struct tcp_relay *relay, struct tcp_peer *connection, int error)
{
    (*failure_counter(&relay->counters, error))++;
    tcp_peer_is_over(relay, connection);
}

static void note_connected(struct tcp_relay *relay, struct tcp_peer *connection)
{
    int error = tcp_socket_error(connection->watched.fd);

    if (error)
        has_failed(relay, connection, error);
    else
        report(relay, connection);
}

// What a peer has sent before it closed its side, its client may still have.
static void note_closed(struct tcp_relay *relay, struct tcp_peer *connection, uint32_t events)
{
    if ((events & (EPOLLERR | EPOLLHUP)) || !tcp_socket_has_bytes(connection->watched.fd))
        tcp_peer_is_over(relay, connection);
    else
        tcp_relay_watch(relay, EPOLL_CTL_MOD, &connection->watched, 0);
}

void tcp_peer_note(struct tcp_relay *relay, struct tcp_peer *connection, uint32_t events)
{
    if (connection->phase == TCP_PEER_CONNECTING)
        note_connected(relay, connection);
    else if (connection->phase == TCP_PEER_UNBOUND)
        note_closed(relay, connection, events);
}

// Commands.

// What goes wrong at once is told later: the TURN server is not done with the event yet. Where
// there is no place for it, the server's own time runs out.
struct connect_call {
    struct transport_address from, to;
    int *ret_fd;
};

static int connect_there(void *context)
{
    const struct connect_call *call = context;

    return tcp_socket_connect(&call->from, &call->to, call->ret_fd);
}

void tcp_peer_connect(struct tcp_relay *relay, const struct turn_command *command)
{
    struct connect_call call = {tcp_listening_address(relay, command->tcp_connect.from),
                                command->tcp_connect.peer, NULL};
    struct tcp_listening *listener = tcp_listening_at(relay, command->tcp_connect.from);
    struct tcp_peer *connection =
        tcp_peer_take(relay, listener, command->tcp_connect.connection, -1, TCP_PEER_CONNECTING);
    int error;

    relay->counters.connects++;
    if (!connection) {
        relay->counters.connects_failed++;
        return;
    }
    call.ret_fd = &connection->watched.fd;
    error = netns_call(relay->config.netns, connect_there, &call);
    if (!error)
        error = tcp_relay_watch(relay, EPOLL_CTL_ADD, &connection->watched, EPOLLOUT);
    if (tcp_socket_is_shortage(error))
        tcp_relay_complain(relay, error);
    if (error)
        has_failed(relay, connection, error);
}

static struct stream_account *share_account(const struct tcp_relay *relay,
                                            struct stream_account *account,
                                            const struct turn_command *command)
{
    struct shared_bandwidth *users = relay->config.plane->user_bandwidth;

    if (users)
        shared_bandwidth_begin(&users[command->tcp_bind.user], command->tcp_bind.user_tag);
    stream_account_set_user(account, command->tcp_bind.user);
    return stream_account_share(account);
}

// The server knows nothing yet of the end of one that is over; its client's is to come.
void tcp_peer_bind(struct tcp_relay *relay, const struct turn_command *command)
{
    struct tcp_peer *connection = tcp_peer_find(relay, command->tcp_bind.connection);

    connection->client = forwarder_client_key(relay->config.forwarder, &command->tcp_bind.client);
    connection->thread = command->tcp_bind.client.thread;
    if (connection->phase == TCP_PEER_OVER) {
        relay->counters.bound_late++;
        order(relay, connection, STREAM_ORDER_CLOSE);
        return;
    }
    epoll_ctl(relay->epoll, EPOLL_CTL_DEL, connection->watched.fd, NULL);
    connection->phase = TCP_PEER_JOINED;
    connection->account = share_account(relay, connection->listener->account, command);
    relay->counters.bound++;
    order(relay, connection, STREAM_ORDER_JOIN);
}

// From the beginning to the end.

int tcp_peers_init(struct tcp_relay *relay)
{
    uint32_t capacity = 2 * relay->config.connections;
    struct siphash_key key;

    random_fill(&random_system, &key, sizeof(key));
    relay->connections = calloc(capacity ? capacity : 1, sizeof(*relay->connections));
    if (!relay->connections || index_pool_init(&relay->pool, capacity) != 0 ||
        index_map_init(&relay->by_id, capacity, &key) != 0)
        return -ENOMEM;
    return 0;
}

void tcp_peers_done(struct tcp_relay *relay)
{
    // Of those that went back to the pool none has a socket, nor a share.
    for (uint32_t i = 0; i < relay->pool.fresh; i++) {
        tcp_relay_close_socket(&relay->connections[i].watched);
        stream_account_give(relay->connections[i].account);
    }
    free(relay->connections);
    index_pool_done(&relay->pool);
    index_map_done(&relay->by_id);
}
