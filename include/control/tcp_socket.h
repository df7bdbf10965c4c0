// SPDX-License-Identifier: BSD-3-Clause
// TCP sockets, of which none blocks: what all have in common, and those of a relayed address that TCP peers are reached
// from (RFC 6062 sections 5.1 and 5.2), where one listens and others connect from the same address and port.
#pragma once

#include "base/address.h"

#include <stdbool.h>

// One of the address's family, not bound yet, that notices within minutes who is gone without a word. 0 or -errno.
int tcp_socket_open(const struct transport_address *address, int *ret_fd);
// setsockopt() of a number. 0 or -errno.
int tcp_socket_set(int fd, int level, int option, int value);
// 0 or -errno.
int tcp_socket_bind(int fd, const struct transport_address *address);

// 0; -EADDRINUSE: somebody else has that port; else -errno.
int tcp_socket_listen(const struct transport_address *address, int *ret_fd);
// A connection from where one listens, under way: it can be written to when that has ended. 0 or -errno.
int tcp_socket_connect(const struct transport_address *from, const struct transport_address *to, int *ret_fd);
// A peer's connection. 0; -EAGAIN: none waits; else -errno.
int tcp_socket_accept(int listener, int *ret_fd, struct transport_address *ret_peer);

// How connecting has ended: 0 or -errno.
int tcp_socket_error(int fd);
// Bytes that nobody has read.
bool tcp_socket_has_bytes(int fd);
// Of descriptors or memory, which others may give back.
bool tcp_socket_is_shortage(int error);
