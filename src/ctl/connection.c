// SPDX-License-Identifier: BSD-3-Clause
// What goes wrong here is what operators see first, so each error says what to do about it.
#include "ctl/connection.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    GREETING_LEN_MAX = 1024, // as DPDK's own client has it
    ANSWER_LEN_MAX = 1 << 20,
};

struct connection {
    int descriptor;
    size_t answer_len_max; // 0: not greeted yet
    char *answer;          // one byte longer; NULL until then
    char greeting[GREETING_LEN_MAX + 1];
};

static const char *group_name(gid_t gid, char *text, size_t len)
{
    const struct group *group = getgrgid(gid);

    if (group)
        snprintf(text, len, "%s", group->gr_name);
    else
        snprintf(text, len, "%u", gid);
    return text;
}

static enum ctl_status refuse_permission(const char *path, struct problem *problem)
{
    char group[64];
    struct stat file;

    if (stat(path, &file) == 0)
        return problem_set(problem, CTL_UNREACHABLE,
                           "%s: permission denied; only root and the group '%s' may connect", path,
                           group_name(file.st_gid, group, sizeof(group)));
    return problem_set(problem, CTL_UNREACHABLE,
                       "%s: permission denied; only root and the relay's group may connect", path);
}

// error: of connect(2).
static enum ctl_status refuse_path(const char *path, int error, struct problem *problem)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return problem_set(problem, CTL_UNREACHABLE,
                           "%s: no such socket; is the relay running? (--socket says where it is)",
                           path);
    case ECONNREFUSED:
        return problem_set(problem, CTL_UNREACHABLE,
                           "%s: nobody listens; the relay has ended without its usual end", path);
    case EACCES:
    case EPERM:
        return refuse_permission(path, problem);
    case EAGAIN:
        return problem_set(problem, CTL_UNREACHABLE,
                           "%s: too many connect at the same time; try again", path);
    case EPROTOTYPE:
    case ENOTSOCK:
        return problem_set(problem, CTL_UNREACHABLE, "%s: no telemetry socket of DPDK", path);
    default:
        return problem_set(problem, CTL_UNREACHABLE, "%s: %s", path, strerror(error));
    }
}

// A relay that is asked by many at once keeps some waiting; the wait is bounded here, and what
// comes after it never blocks.
static int connect_within(const struct sockaddr_un *address, int timeout_ms)
{
    const struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    int descriptor = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int error;

    if (descriptor < 0)
        return -errno;
    if ((timeout_ms == 0 && fcntl(descriptor, F_SETFL, O_NONBLOCK) < 0) ||
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
        connect(descriptor, (const struct sockaddr *)address, sizeof(*address)) < 0 ||
        fcntl(descriptor, F_SETFL, O_NONBLOCK) < 0) {
        error = -errno;
        close(descriptor);
        return error;
    }
    return descriptor;
}

enum ctl_status connection_open(const char *path, int timeout_ms,
                                struct connection **ret_connection, struct problem *problem)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct connection *connection;
    int descriptor;

    if (strlen(path) >= sizeof(address.sun_path))
        return problem_set(problem, CTL_USAGE, "--socket: a path of a socket has at most %zu bytes",
                           sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, path, strlen(path));
    descriptor = connect_within(&address, timeout_ms);
    if (descriptor < 0)
        return refuse_path(path, -descriptor, problem);
    connection = calloc(1, sizeof(*connection));
    if (!connection) {
        close(descriptor);
        return problem_set(problem, CTL_UNREACHABLE, "no memory");
    }
    connection->descriptor = descriptor;
    *ret_connection = connection;
    return CTL_DONE;
}

void connection_close(struct connection *connection)
{
    if (!connection)
        return;
    close(connection->descriptor);
    free(connection->answer);
    free(connection);
}

int connection_descriptor(const struct connection *connection)
{
    return connection->descriptor;
}

bool connection_is_greeted(const struct connection *connection)
{
    return connection->answer_len_max > 0;
}

enum ctl_status connection_send(struct connection *connection, const struct question *question,
                                struct problem *problem)
{
    ssize_t sent;

    do {
        sent = send(connection->descriptor, question->text, question->len, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return problem_set(problem, CTL_UNREACHABLE, "the relay takes no question: %s",
                           strerror(errno));
    return CTL_DONE;
}

// {"version": ..., "pid": ..., "max_output_len": ...}; of these only the last matters.
static enum ctl_status take_greeting(struct connection *connection, size_t len,
                                     struct problem *problem)
{
    json_t *greeting = json_loadb(connection->greeting, len, 0, NULL);
    json_int_t answer_len_max = json_integer_value(json_object_get(greeting, "max_output_len"));

    json_decref(greeting);
    if (answer_len_max <= 0 || answer_len_max > ANSWER_LEN_MAX)
        return problem_set(problem, CTL_GARBLED,
                           "what listens there does not greet as DPDK's telemetry does");
    connection->answer = malloc((size_t)answer_len_max + 1);
    if (!connection->answer)
        return problem_set(problem, CTL_UNREACHABLE, "no memory");
    connection->answer_len_max = (size_t)answer_len_max;
    return CTL_DONE;
}

static enum ctl_status say_it_went(const struct connection *connection, struct problem *problem)
{
    if (connection_is_greeted(connection))
        return problem_set(problem, CTL_UNREACHABLE, "the relay has gone away");
    // DPDK accepts, and closes at once.
    return problem_set(problem, CTL_UNREACHABLE,
                       "the relay hangs up at once: it serves ten connections and no more");
}

enum ctl_status connection_receive(struct connection *connection, const char **ret_text,
                                   size_t *ret_len, struct problem *problem)
{
    bool greeted = connection_is_greeted(connection);
    size_t room = greeted ? connection->answer_len_max : GREETING_LEN_MAX;
    char *text = greeted ? connection->answer : connection->greeting;
    ssize_t len = recv(connection->descriptor, text, room, MSG_TRUNC);

    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        *ret_text = NULL;
        return CTL_DONE;
    }
    if (len == 0 || (len < 0 && (errno == ECONNRESET || errno == EPIPE)))
        return say_it_went(connection, problem);
    if (len < 0)
        return problem_set(problem, CTL_UNREACHABLE, "no answer is to be had: %s", strerror(errno));
    if ((size_t)len > room)
        return problem_set(problem, CTL_GARBLED,
                           "an answer of %zd bytes, where at most %zu were announced", len, room);
    text[len] = '\0';
    *ret_text = greeted ? text : NULL;
    if (!greeted)
        return take_greeting(connection, (size_t)len, problem);
    *ret_len = (size_t)len;
    return CTL_DONE;
}

static enum ctl_status wait_for_input(const struct connection *connection, uint64_t deadline_ms,
                                      struct problem *problem)
{
    for (;;) {
        struct pollfd entry = {.fd = connection->descriptor, .events = POLLIN};
        uint64_t now_ms = clock_monotonic_ms();
        int found = now_ms < deadline_ms ? poll(&entry, 1, (int)(deadline_ms - now_ms)) : 0;

        if (found > 0)
            return CTL_DONE;
        if (found == 0)
            return problem_set(problem, CTL_UNREACHABLE,
                               "the relay does not answer; is its process stopped?");
        if (errno != EINTR)
            return problem_set(problem, CTL_UNREACHABLE, "poll: %s", strerror(errno));
    }
}

enum ctl_status connection_ask(struct connection *connection, const struct question *question,
                               int timeout_ms, const char **ret_text, size_t *ret_len,
                               struct problem *problem)
{
    uint64_t deadline_ms = clock_monotonic_ms() + (uint64_t)timeout_ms;
    enum ctl_status status = CTL_DONE;
    const char *text = NULL;
    size_t len = 0;

    while (status == CTL_DONE && !connection_is_greeted(connection)) {
        status = wait_for_input(connection, deadline_ms, problem);
        if (status == CTL_DONE)
            status = connection_receive(connection, &text, &len, problem);
    }
    if (status == CTL_DONE)
        status = connection_send(connection, question, problem);
    while (status == CTL_DONE && !text) {
        status = wait_for_input(connection, deadline_ms, problem);
        if (status == CTL_DONE)
            status = connection_receive(connection, &text, &len, problem);
    }
    if (status != CTL_DONE)
        return status;
    *ret_text = text;
    *ret_len = len;
    return CTL_DONE;
}
