// SPDX-License-Identifier: BSD-3-Clause
// Control messages of UDP sockets: udp(7).
#include "segments.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

void segments_join(int fd)
{
    int on = 1;

    setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
}

void segments_describe(struct msghdr *message, struct segments_control *control, size_t segment)
{
    uint16_t length = (uint16_t)segment;
    struct cmsghdr *part;

    memset(control, 0, sizeof(*control));
    message->msg_control = control->bytes;
    message->msg_controllen = CMSG_SPACE(sizeof(length));
    part = CMSG_FIRSTHDR(message);
    part->cmsg_level = IPPROTO_UDP;
    part->cmsg_type = UDP_SEGMENT;
    part->cmsg_len = CMSG_LEN(sizeof(length));
    memcpy(CMSG_DATA(part), &length, sizeof(length));
}

size_t segments_length(struct msghdr *message, size_t received)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        int length;
        if (part->cmsg_level != IPPROTO_UDP || part->cmsg_type != UDP_GRO)
            continue;
        memcpy(&length, CMSG_DATA(part), sizeof(length));
        return (size_t)length;
    }
    return received;
}

ssize_t segments_send(int fd, const void *to, socklen_t to_len, void *bytes, size_t len,
                      size_t segment)
{
    struct iovec part = {bytes, len};
    struct msghdr message = {
        .msg_name = (void *)to, .msg_namelen = to_len, .msg_iov = &part, .msg_iovlen = 1};
    struct segments_control control;

    if (segment < len)
        segments_describe(&message, &control, segment);
    return sendmsg(fd, &message, 0);
}

ssize_t segments_receive(int fd, void *buffer, size_t capacity, size_t *ret_segment)
{
    struct iovec part = {buffer, capacity};
    struct segments_control control;
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    ssize_t received = recvmsg(fd, &message, 0);

    if (received > 0)
        *ret_segment = segments_length(&message, (size_t)received);
    return received;
}
