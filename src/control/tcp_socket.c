// SPDX-License-Identifier: BSD-3-Clause
// On Linux sockets may connect from where another one listens when both have SO_REUSEPORT, and are
// of one user: those that do not listen are sent no connections. The one that listens gets it only
// once it does, so that two that are bound at one moment, which SO_REUSEADDR allows, are not both
// let listen, and a port that somebody else shares among sockets of his is not taken.
#include "control/tcp_socket.h"

#include "control/socket_address.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

// Peers that wait to be accepted.
#define BACKLOG 64
// A peer that is gone without a word is noticed within two minutes.
#define KEEPALIVE_IDLE_S     60
#define KEEPALIVE_INTERVAL_S 15
#define KEEPALIVE_PROBES     4

int tcp_socket_set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0 ? 0 : -errno;
}

// Those that are accepted inherit them.
static int set_options(int fd, enum ip_family family)
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
    };
    int error = 0;

    for (unsigned i = 0; !error && i < sizeof(options) / sizeof(options[0]); i++)
        error = tcp_socket_set(fd, options[i].level, options[i].option, options[i].value);
    if (!error && family == IP_FAMILY_V6)
        error = tcp_socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    return error;
}

static int give(int fd, int error, int *ret_fd)
{
    if (error)
        close(fd);
    else
        *ret_fd = fd;
    return error;
}

int tcp_socket_open(const struct transport_address *address, int *ret_fd)
{
    int domain = address->ip.family == IP_FAMILY_V4 ? AF_INET : AF_INET6;
    int fd = socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

    if (fd < 0)
        return -errno;
    return give(fd, set_options(fd, (enum ip_family)address->ip.family), ret_fd);
}

int tcp_socket_bind(int fd, const struct transport_address *address)
{
    union socket_address name;
    socklen_t name_len = socket_address_write(address, &name);

    return bind(fd, &name.any, name_len) == 0 ? 0 : -errno;
}

static int share_port(int fd)
{
    return tcp_socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
}

int tcp_socket_listen(const struct transport_address *address, int *ret_fd)
{
    int fd, error = tcp_socket_open(address, &fd);

    if (error)
        return error;
    error = tcp_socket_bind(fd, address);
    if (!error && listen(fd, BACKLOG) != 0)
        error = -errno;
    if (!error)
        error = share_port(fd);
    return give(fd, error, ret_fd);
}

static int begin_connecting(int fd, const struct transport_address *to)
{
    union socket_address name;
    socklen_t name_len = socket_address_write(to, &name);

    return connect(fd, &name.any, name_len) == 0 || errno == EINPROGRESS ? 0 : -errno;
}

int tcp_socket_connect(const struct transport_address *from, const struct transport_address *to,
                       int *ret_fd)
{
    int fd, error = tcp_socket_open(from, &fd);

    if (error)
        return error;
    error = share_port(fd);
    if (!error)
        error = tcp_socket_bind(fd, from);
    if (!error)
        error = begin_connecting(fd, to);
    return give(fd, error, ret_fd);
}

int tcp_socket_accept(int listener, int *ret_fd, struct transport_address *ret_peer)
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
    *ret_peer = socket_address_read(&name);
    return 0;
}

int tcp_socket_error(int fd)
{
    int error;
    socklen_t error_len = sizeof(error);

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len) == 0 ? -error : -errno;
}

bool tcp_socket_has_bytes(int fd)
{
    char byte;

    return recv(fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool tcp_socket_is_shortage(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -ENOBUFS;
}
