// SPDX-License-Identifier: BSD-3-Clause
// Sockets that listen, one a thread and address: the kernel spreads connections over those that
// share a port.
#include "control/stream_listener.h"

#include "base/log.h"
#include "control/socket_address.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define BACKLOG 4096
// A client that is gone without a word: noticed within two minutes, and within half a one where we
// have sent something.
#define KEEPALIVE_IDLE_S     60
#define KEEPALIVE_INTERVAL_S 15
#define KEEPALIVE_PROBES     4
#define USER_TIMEOUT_MS      30000

static int set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0 ? 0 : -errno;
}

static int set_options(int fd, const struct transport_address *address, bool is_shared)
{
    const struct {
        int level, option, value;
    } options[] = {
        {SOL_SOCKET, SO_REUSEADDR, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS},
    };
    bool is_v6 = address->ip.family == IP_FAMILY_V6;
    int error = 0;

    for (unsigned i = 0; !error && i < sizeof(options) / sizeof(options[0]); i++)
        error = set(fd, options[i].level, options[i].option, options[i].value);
    if (!error && is_shared)
        error = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (!error && is_v6)
        error = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    // A twin gets its addresses behind the relay's start, and an IPv6 address is tentative for a
    // while.
    if (!error)
        error =
            is_v6 ? set(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1) : set(fd, IPPROTO_IP, IP_FREEBIND, 1);
    return error;
}

static int open_bound(const struct transport_address *address, bool is_shared, int *ret_fd)
{
    union socket_address name;
    socklen_t name_len = socket_address_write(address, &name);
    int fd = socket(name.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    int error;

    if (fd < 0)
        return -errno;
    error = set_options(fd, address, is_shared);
    if (!error && bind(fd, &name.any, name_len) != 0)
        error = -errno;
    if (!error && listen(fd, BACKLOG) != 0)
        error = -errno;
    if (error) {
        close(fd);
        return error;
    }
    *ret_fd = fd;
    return 0;
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

int stream_listener_accept(int listener, int *ret_fd, struct transport_address *ret_client)
{
    union socket_address name;
    socklen_t name_len = sizeof(name);
    int fd;

    do
        fd = accept4(listener, &name.any, &name_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    *ret_client = socket_address_read(&name);
    return 0;
}
