// SPDX-License-Identifier: BSD-3-Clause
// Sockets that listen, one a thread and address: the kernel spreads connections over those that
// share a port.
#include "control/stream_listener.h"

#include "base/log.h"
#include "control/tcp_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096
// A client that is gone without a word: noticed within half a minute where we have sent something.
#define USER_TIMEOUT_MS 30000

// What clients' connections have beside what all TCP sockets have.
static int set_options(int fd, bool is_v6, bool is_shared)
{
    int error = tcp_socket_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);

    if (!error && is_shared)
        error = tcp_socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    // A twin gets its addresses behind the relay's start, and an IPv6 address is tentative for a
    // while.
    if (!error)
        error = is_v6 ? tcp_socket_set(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1)
                      : tcp_socket_set(fd, IPPROTO_IP, IP_FREEBIND, 1);
    return error;
}

static int open_bound(const struct transport_address *address, bool is_shared, int *ret_fd)
{
    int fd, error = tcp_socket_open(address, &fd);

    if (error)
        return error;
    error = set_options(fd, address->ip.family == IP_FAMILY_V6, is_shared);
    if (!error)
        error = tcp_socket_bind(fd, address);
    if (!error && listen(fd, BACKLOG) != 0)
        error = -errno;
    if (error)
        close(fd);
    else
        *ret_fd = fd;
    return error;
}

static const char *advice(int error)
{
    switch (-error) {
    case EADDRINUSE:
        return ": another program listens there, 'ss -ltnp' shows which";
    case EACCES:
        return ": ports below 1024 need CAP_NET_BIND_SERVICE";
    case EMFILE:
        return ": raise the limit of open files (LimitNOFILE=, ulimit -n)";
    default:
        return "";
    }
}

static int open_or_say(const struct transport_address *address, bool is_shared, int *ret_fd)
{
    char text[TRANSPORT_ADDRESS_TEXT_LEN];
    int error = open_bound(address, is_shared, ret_fd);

    if (error)
        log_message(LOG_LEVEL_ERROR, "stream_listener", "cannot listen on TCP %s: %s%s",
                    transport_address_format(address, text), strerror(-error), advice(error));
    return error;
}

int stream_listener_probe(const struct transport_address *address)
{
    int fd, error = open_or_say(address, false, &fd);

    if (!error)
        close(fd);
    return error;
}

int stream_listener_open(const struct transport_address *address, bool is_shared, int *ret_fd)
{
    return open_or_say(address, is_shared, ret_fd);
}
