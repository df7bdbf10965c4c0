// SPDX-License-Identifier: BSD-3-Clause
// Many UDP datagrams of one length in one system call (Linux's UDP_SEGMENT and UDP_GRO).
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define SEGMENTS_MAX 64

// Room for the one control message.
struct segments_control {
    _Alignas(struct cmsghdr) char bytes[64];
};

// The socket gives received datagrams together where the kernel has put them together.
void segments_join(int fd);
// Makes the message say how long its datagrams are.
void segments_describe(struct msghdr *message, struct segments_control *control, size_t segment);
// How long they are of what was received.
size_t segments_length(struct msghdr *message, size_t received);

// to NULL: of a connected socket. As sendmsg(2) and recvmsg(2).
ssize_t segments_send(int fd, const void *to, socklen_t to_len, void *bytes, size_t len,
                      size_t segment);
ssize_t segments_receive(int fd, void *buffer, size_t capacity, size_t *ret_segment);
