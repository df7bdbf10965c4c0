// SPDX-License-Identifier: BSD-3-Clause
// An epoll of its own says which sockets have news; these are noted first and dealt with then, so
// that nothing ends while it is still to be looked at. The TURN server is told when the workers'
// rings have room for its answer, and orders for the threads of streams wait for room in theirs.
#include "control/tcp_relay.h"

#include "base/clock.h"
#include "base/index_map.h"
#include "base/log.h"
#include "base/random.h"
#include "control/stream_account.h"
#include "control/tcp_socket.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <unistd.h>

#define EVENTS_PER_TURN  64
#define REPORTS_PER_TURN 256
#define ACCEPTS_PER_TURN 16 // of one listener
// A worker applies commands between two bursts.
#define RETRY_US 200
// Without file descriptors: how long to wait for some, and how often to complain.
#define ACCEPT_PAUSE_S     1
#define COMPLAINT_EVERY_MS 60000

static const struct timeval at_once = {};
static const struct timeval shortly = {.tv_usec = RETRY_US};
static const struct timeval pause_over = {.tv_sec = ACCEPT_PAUSE_S};

// What an event of the epoll is of.
struct watched {
    int fd; // -1: closed, or a thread's
    bool is_listener;
};

enum phase {
    PHASE_CONNECTING,
    PHASE_UNBOUND,
    PHASE_JOINED, // the socket is the thread's, or will be when it takes the order
    PHASE_OVER,   // closed; the TURN server has to hear of it yet
};

struct connection {
    struct watched watched;
    struct listener *listener; // NULL: the TURN server knows it no more, and only an order is left
    TAILQ_ENTRY(connection) sibling;
    TAILQ_ENTRY(connection) reported;
    TAILQ_ENTRY(connection) ordered;
    uint32_t id;
    struct stream_account *account; // a share for the thread, once it is bound
    struct client_key client;       // its data connection, once it is bound
    uint16_t thread;                // that has this
    uint8_t phase;                  // enum phase
    uint8_t order;                  // enum stream_order_kind, where has_order
    bool has_order : 1;             // in that list
    bool has_report : 1;            // in that list: it stands, or it is over
};

TAILQ_HEAD(connections, connection);

struct listener {
    struct watched watched;
    uint32_t allocation;
    struct turn_relayed_address address;
    struct connections connections;
    struct stream_account *account; // one share; NULL: none
    TAILQ_ENTRY(listener) accepting;
    bool is_accepting; // in that list
};

TAILQ_HEAD(listeners, listener);

struct tcp_relay {
    struct tcp_relay_config config;
    int epoll;
    struct event *sockets;
    struct event *again;
    struct listener **by_port[PLANE_RELAYS_MAX]; // from the relay's first port on
    struct connection *connections;
    struct index_pool pool; // twice as many as the TURN server may know: orders may outlive them
    struct index_map by_id;
    struct connections reports;
    struct connections orders[PLANE_STREAM_THREADS_MAX];
    struct listeners accepting;
    uint64_t complained_ms;
    bool lacks_files;              // to accept
    const struct listener *latest; // NULL: it has gone
    struct tcp_relay_counters counters;
    struct turn_output output;
};

static struct turn_time time_now(void)
{
    return (struct turn_time){.monotonic_ms = clock_monotonic_ms(), .wall_s = clock_wall_s()};
}

static bool is_shortage(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -ENOBUFS;
}

static void complain(struct tcp_relay *relay, int error)
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

static int watch(struct tcp_relay *relay, int operation, struct watched *watched, uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLONESHOT, .data.ptr = watched};

    return epoll_ctl(relay->epoll, operation, watched->fd, &event) == 0 ? 0 : -errno;
}

static void close_socket(struct watched *watched)
{
    if (watched->fd >= 0)
        close(watched->fd);
    watched->fd = -1;
}

// Connections.

static uint32_t hash_of(const struct tcp_relay *relay, uint32_t id)
{
    return index_map_hash(&relay->by_id, &id, sizeof(id));
}

static uint32_t index_of(const struct tcp_relay *relay, const struct connection *connection)
{
    return (uint32_t)(connection - relay->connections);
}

// NULL: its socket has been given up.
static struct connection *find(const struct tcp_relay *relay, uint32_t id)
{
    struct index_map_walk walk;
    uint32_t at = index_map_first(&relay->by_id, hash_of(relay, id), &walk);

    while (at != INDEX_NONE && relay->connections[at].id != id)
        at = index_map_next(&relay->by_id, &walk);
    return at == INDEX_NONE ? NULL : &relay->connections[at];
}

// NULL: there are too many.
static struct connection *take(struct tcp_relay *relay, struct listener *listener, uint32_t id,
                               int fd, enum phase phase)
{
    uint32_t index = index_pool_take(&relay->pool);
    struct connection *connection;

    if (index == INDEX_NONE)
        return NULL;
    connection = &relay->connections[index];
    *connection = (struct connection){
        .watched.fd = fd, .listener = listener, .id = id, .phase = (uint8_t)phase};
    TAILQ_INSERT_TAIL(&listener->connections, connection, sibling);
    relay->counters.connections++;
    index_map_insert(&relay->by_id, hash_of(relay, id), index);
    return connection;
}

static void give_if_done(struct tcp_relay *relay, struct connection *connection)
{
    if (connection->listener || connection->has_order)
        return;
    stream_account_give(connection->account);
    connection->account = NULL;
    index_pool_give(&relay->pool, index_of(relay, connection));
}

static void report(struct tcp_relay *relay, struct connection *connection)
{
    if (!connection->has_report)
        TAILQ_INSERT_TAIL(&relay->reports, connection, reported);
    connection->has_report = true;
}

static void unreport(struct tcp_relay *relay, struct connection *connection)
{
    if (connection->has_report)
        TAILQ_REMOVE(&relay->reports, connection, reported);
    connection->has_report = false;
}

static void order(struct tcp_relay *relay, struct connection *connection,
                  enum stream_order_kind kind)
{
    if (!connection->has_order)
        TAILQ_INSERT_TAIL(&relay->orders[connection->thread], connection, ordered);
    connection->has_order = true;
    connection->order = (uint8_t)kind;
}

static void unorder(struct tcp_relay *relay, struct connection *connection)
{
    if (connection->has_order)
        TAILQ_REMOVE(&relay->orders[connection->thread], connection, ordered);
    connection->has_order = false;
}

static void is_over(struct tcp_relay *relay, struct connection *connection)
{
    if (connection->phase == PHASE_UNBOUND)
        relay->counters.unbound++;
    close_socket(&connection->watched);
    connection->phase = PHASE_OVER;
    report(relay, connection);
}

// The TURN server knows it no more.
static void forget(struct tcp_relay *relay, struct connection *connection)
{
    close_socket(&connection->watched);
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

// At the TURN server's word: the peer's side, and the client's data connection. unmade: counts it
// where it does not stand yet.
static void end(struct tcp_relay *relay, struct connection *connection,
                const struct client_key *gone, uint64_t *unmade)
{
    if (connection->phase == PHASE_CONNECTING)
        (*unmade)++;
    if (connection->phase == PHASE_UNBOUND)
        relay->counters.unbound++;
    if (connection->phase == PHASE_JOINED) {
        if (gone && is_same_client(gone, &connection->client))
            unorder(relay, connection);
        else
            order(relay, connection, STREAM_ORDER_CLOSE);
    }
    forget(relay, connection);
}

// Orders for the threads of streams. True: all are sent.

static struct stream_account *account_to_send(const struct connection *connection)
{
    return connection->order == STREAM_ORDER_JOIN ? connection->account : NULL;
}

static bool send_orders_to(struct tcp_relay *relay, uint16_t thread)
{
    struct connection *connection;

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

static bool send_orders(struct tcp_relay *relay)
{
    bool all = true;

    for (uint16_t i = 0; i < relay->config.plane->config.stream_thread_count; i++)
        all &= send_orders_to(relay, i);
    return all;
}

// What the TURN server is told, with room for its answer.

static void carry_out_answer(struct tcp_relay *relay)
{
    assert(relay->output.command_count == 0);
    forwarder_carry_out(relay->config.forwarder, &relay->output, NULL);
}

static void tell(struct tcp_relay *relay, struct connection *connection)
{
    const struct turn_time now = time_now();

    unreport(relay, connection);
    if (connection->phase == PHASE_OVER) {
        turn_server_tcp_closed(relay->config.server, &now, connection->id, &relay->output);
        forget(relay, connection);
    } else {
        connection->phase = PHASE_UNBOUND;
        relay->counters.connects_made++;
        watch(relay, EPOLL_CTL_MOD, &connection->watched, EPOLLRDHUP);
        turn_server_tcp_connected(relay->config.server, &now, connection->id, &relay->output);
    }
    carry_out_answer(relay);
}

// False: there is more to tell.
static bool tell_all(struct tcp_relay *relay)
{
    struct connection *connection;

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

// The TURN server says who may stay: RFC 6062 section 5.3 has the others accepted and closed.
static void take_peer(struct tcp_relay *relay, struct listener *listener, int fd,
                      const struct transport_address *peer)
{
    const struct turn_time now = time_now();
    struct connection *connection;
    uint32_t id;

    if (!turn_server_tcp_accepted(relay->config.server, &now, listener->allocation,
                                  listener->address, peer, &relay->output, &id)) {
        close(fd);
        relay->counters.refused++;
        return;
    }
    relay->counters.accepted++;
    connection = take(relay, listener, id, fd, PHASE_UNBOUND); // there is room
    if (watch(relay, EPOLL_CTL_ADD, &connection->watched, EPOLLRDHUP) != 0)
        is_over(relay, connection);
    carry_out_answer(relay);
}

// True: nobody else waits there.
static bool accept_some(struct tcp_relay *relay, struct listener *listener)
{
    for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct transport_address peer;
        int fd, error;

        if (index_pool_free(&relay->pool) == 0 || !forwarder_is_ready(relay->config.forwarder))
            return false;
        error = tcp_socket_accept(listener->watched.fd, &fd, &peer);
        if (error == -EAGAIN)
            return true;
        if (is_shortage(error)) {
            relay->lacks_files = true;
            relay->counters.accept_pauses++;
            complain(relay, error);
            return false;
        }
        if (!error)
            take_peer(relay, listener, fd, &peer);
    }
    return false;
}

static void leave_accepting(struct tcp_relay *relay, struct listener *listener)
{
    if (listener->is_accepting)
        TAILQ_REMOVE(&relay->accepting, listener, accepting);
    listener->is_accepting = false;
}

// Those that are not done come behind. False: there are some.
static bool accept_all(struct tcp_relay *relay)
{
    struct listener *listener, *last = TAILQ_LAST(&relay->accepting, listeners);
    bool more = last != NULL;

    relay->lacks_files = false;
    while (more && !relay->lacks_files) {
        listener = TAILQ_FIRST(&relay->accepting);
        more = listener != last;
        leave_accepting(relay, listener);
        if (accept_some(relay, listener)) {
            watch(relay, EPOLL_CTL_MOD, &listener->watched, EPOLLIN);
        } else {
            TAILQ_INSERT_TAIL(&relay->accepting, listener, accepting);
            listener->is_accepting = true;
        }
    }
    return TAILQ_EMPTY(&relay->accepting);
}

static void turn(struct tcp_relay *relay)
{
    bool done = send_orders(relay);

    done &= tell_all(relay);
    if (!accept_all(relay))
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

static void note_peer(struct tcp_relay *relay, struct listener *listener)
{
    if (!listener->is_accepting)
        TAILQ_INSERT_TAIL(&relay->accepting, listener, accepting);
    listener->is_accepting = true;
}

static void has_failed(struct tcp_relay *relay, struct connection *connection, int error)
{
    (*failure_counter(&relay->counters, error))++;
    is_over(relay, connection);
}

static void note_connected(struct tcp_relay *relay, struct connection *connection)
{
    int error = tcp_socket_error(connection->watched.fd);

    if (error)
        has_failed(relay, connection, error);
    else
        report(relay, connection);
}

// What a peer has sent before it closed its side, its client may still have.
static void note_closed(struct tcp_relay *relay, struct connection *connection, uint32_t events)
{
    if ((events & (EPOLLERR | EPOLLHUP)) || !tcp_socket_has_bytes(connection->watched.fd))
        is_over(relay, connection);
    else
        watch(relay, EPOLL_CTL_MOD, &connection->watched, 0);
}

static void note(struct tcp_relay *relay, struct watched *watched, uint32_t events)
{
    struct connection *connection = (struct connection *)watched;

    if (watched->is_listener)
        note_peer(relay, (struct listener *)watched);
    else if (connection->phase == PHASE_CONNECTING)
        note_connected(relay, connection);
    else if (connection->phase == PHASE_UNBOUND)
        note_closed(relay, connection, events);
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

static struct listener **place_of(const struct tcp_relay *relay,
                                  struct turn_relayed_address address)
{
    const struct plane_relay *range = &relay->config.plane->config.relays[address.relay];

    assert(address.port >= range->min_port && address.port <= range->max_port);
    return &relay->by_port[address.relay][address.port - range->min_port];
}

static struct transport_address local_address(const struct tcp_relay *relay,
                                              struct turn_relayed_address address)
{
    return (struct transport_address){relay->config.plane->config.relays[address.relay].local,
                                      address.port};
}

static int open_listener(struct tcp_relay *relay, struct listener *listener)
{
    const struct transport_address address = local_address(relay, listener->address);
    int error = tcp_socket_listen(&address, &listener->watched.fd);

    if (!error)
        error = watch(relay, EPOLL_CTL_ADD, &listener->watched, EPOLLIN);
    return error;
}

// The addresses of one allocation are listened at one after the other.
static struct stream_account *account_for(const struct tcp_relay *relay, uint32_t allocation)
{
    if (relay->latest && relay->latest->allocation == allocation)
        return stream_account_share(relay->latest->account);
    return stream_account_create(allocation);
}

int tcp_relay_listen(struct tcp_relay *relay, uint32_t allocation,
                     struct turn_relayed_address address)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    int error;

    if (!listener)
        return -ENOMEM;
    *listener =
        (struct listener){.watched = {-1, true}, .allocation = allocation, .address = address};
    TAILQ_INIT(&listener->connections);
    error = open_listener(relay, listener);
    if (error) {
        if (error != -EADDRINUSE) {
            relay->counters.listen_failures++;
            complain(relay, error);
        }
        close_socket(&listener->watched);
        free(listener);
        return error;
    }
    listener->account = account_for(relay, allocation);
    *place_of(relay, address) = listener;
    relay->latest = listener;
    relay->counters.listeners++;
    return 0;
}

static void unlisten(struct tcp_relay *relay, struct turn_relayed_address address,
                     const struct client_key *gone)
{
    struct listener *listener;

    if (address.port == 0)
        return;
    listener = *place_of(relay, address);
    *place_of(relay, address) = NULL;
    while (!TAILQ_EMPTY(&listener->connections))
        end(relay, TAILQ_FIRST(&listener->connections), gone, &relay->counters.connects_given_up);
    leave_accepting(relay, listener);
    close_socket(&listener->watched);
    stream_account_give(listener->account);
    relay->counters.listeners--;
    if (relay->latest == listener)
        relay->latest = NULL;
    free(listener);
}

// What goes wrong at once is told later: the TURN server is not done with the event yet. Where
// there is no place for it, the server's own time runs out.
static void connect_peer(struct tcp_relay *relay, const struct turn_command *command)
{
    const struct transport_address from = local_address(relay, command->tcp_connect.from);
    struct listener *listener = *place_of(relay, command->tcp_connect.from);
    struct connection *connection =
        take(relay, listener, command->tcp_connect.connection, -1, PHASE_CONNECTING);
    int error;

    relay->counters.connects++;
    if (!connection) {
        relay->counters.connects_failed++;
        return;
    }
    error = tcp_socket_connect(&from, &command->tcp_connect.peer, &connection->watched.fd);
    if (!error)
        error = watch(relay, EPOLL_CTL_ADD, &connection->watched, EPOLLOUT);
    if (is_shortage(error))
        complain(relay, error);
    if (error)
        has_failed(relay, connection, error);
}

// The server knows nothing yet of the end of one that is over; its client's is to come.
static void bind_client(struct tcp_relay *relay, const struct turn_command *command)
{
    struct connection *connection = find(relay, command->tcp_bind.connection);

    connection->client = forwarder_client_key(relay->config.forwarder, &command->tcp_bind.client);
    connection->thread = command->tcp_bind.client.thread;
    if (connection->phase == PHASE_OVER) {
        relay->counters.bound_late++;
        order(relay, connection, STREAM_ORDER_CLOSE);
        return;
    }
    epoll_ctl(relay->epoll, EPOLL_CTL_DEL, connection->watched.fd, NULL);
    connection->phase = PHASE_JOINED;
    connection->account = stream_account_share(connection->listener->account);
    relay->counters.bound++;
    order(relay, connection, STREAM_ORDER_JOIN);
}

static void close_connection(struct tcp_relay *relay, uint32_t id, const struct client_key *gone)
{
    struct connection *connection = find(relay, id);

    if (connection)
        end(relay, connection, gone, &relay->counters.connects_timed_out);
}

static void carry_out(struct tcp_relay *relay, const struct turn_command *command,
                      const struct client_key *gone)
{
    switch (command->kind) {
    case TURN_COMMAND_TCP_CONNECT:
        connect_peer(relay, command);
        break;
    case TURN_COMMAND_TCP_BIND:
        bind_client(relay, command);
        break;
    case TURN_COMMAND_TCP_CLOSE:
        close_connection(relay, command->tcp_close, gone);
        break;
    case TURN_COMMAND_TCP_UNLISTEN:
        unlisten(relay, command->tcp_unlisten.relayed_v4, gone);
        unlisten(relay, command->tcp_unlisten.relayed_v6, gone);
        break;
    }
}

void tcp_relay_carry_out(struct tcp_relay *relay, const struct turn_output *output,
                         const struct client_key *gone)
{
    for (unsigned i = 0; i < output->command_count; i++)
        carry_out(relay, &output->commands[i], gone);
    if (!send_orders(relay))
        event_add(relay->again, &shortly);
    else if (!TAILQ_EMPTY(&relay->reports))
        event_add(relay->again, &at_once);
}

// From the beginning to the end.

static int make_places(struct tcp_relay *relay)
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

static int make_connections(struct tcp_relay *relay)
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
    error = relay->epoll < 0 ? -errno : make_places(relay);
    if (!error)
        error = make_connections(relay);
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

static void close_all(struct tcp_relay *relay, unsigned index)
{
    const struct plane_relay *range = &relay->config.plane->config.relays[index];
    struct listener **places = relay->by_port[index];

    for (unsigned i = 0; places && i <= (unsigned)(range->max_port - range->min_port); i++) {
        if (!places[i])
            continue;
        close_socket(&places[i]->watched);
        stream_account_give(places[i]->account);
        free(places[i]);
    }
    free(places);
}

void tcp_relay_destroy(struct tcp_relay *relay)
{
    if (relay->sockets)
        event_free(relay->sockets);
    if (relay->again)
        event_free(relay->again);
    // Of those that went back to the pool none has a socket, nor a share.
    for (uint32_t i = 0; i < relay->pool.fresh; i++) {
        close_socket(&relay->connections[i].watched);
        stream_account_give(relay->connections[i].account);
    }
    for (unsigned i = 0; i < relay->config.plane->config.relay_count; i++)
        close_all(relay, i);
    if (relay->epoll >= 0)
        close(relay->epoll);
    free(relay->connections);
    index_pool_done(&relay->pool);
    index_map_done(&relay->by_id);
    free(relay);
}

const struct tcp_relay_counters *tcp_relay_counters(const struct tcp_relay *relay)
{
    return &relay->counters;
}
