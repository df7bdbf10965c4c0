// SPDX-License-Identifier: BSD-3-Clause
// Several datagrams to one address make one message of sendmmsg(2), and several addresses one call.
#include "peer.h"

#include "../fail.h"
#include "proto/channel_data.h"
#include "segments.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGES     64
#define RECEIVED_MAX 65536
#define BUFFER_BYTES (64 << 20)
#define BURST        16 // datagrams to one client, at once

struct peer {
    int fd;
    struct transport_address address;
    uint32_t payload_len;
    uint32_t next; // client that is served first
    uint64_t strangers;
    struct mmsghdr messages[MESSAGES];
    struct iovec parts[MESSAGES];
    struct segments_control controls[MESSAGES];
    struct sockaddr_storage from[MESSAGES];
    uint8_t out[MESSAGES][BURST * STAMP_PAYLOAD_MAX];
    uint8_t in[MESSAGES][RECEIVED_MAX];
};

static void bind_to(struct peer *peer, const struct ip_address *address)
{
    struct transport_address any = {.ip = *address};
    struct sockaddr_storage sockaddr;
    socklen_t len = wire_sockaddr(&any, &sockaddr);
    int bytes = BUFFER_BYTES;

    peer->fd = socket(sockaddr.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (peer->fd < 0 || bind(peer->fd, (const struct sockaddr *)&sockaddr, len) < 0 ||
        getsockname(peer->fd, (struct sockaddr *)&sockaddr, &len) < 0)
        fail("no socket for the peer: %s", strerror(errno));
    // The port is at the same place in either family.
    peer->address = any;
    peer->address.port = ntohs(((const struct sockaddr_in *)&sockaddr)->sin_port);
    if (setsockopt(peer->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
        setsockopt(peer->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    setsockopt(peer->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
    segments_join(peer->fd);
}

struct peer *peer_open(const struct ip_address *address, uint32_t payload_len)
{
    struct peer *peer = calloc(1, sizeof(*peer));

    if (!peer)
        fail("no memory");
    peer->payload_len = payload_len;
    bind_to(peer, address);
    return peer;
}

void peer_close(struct peer *peer)
{
    close(peer->fd);
    free(peer);
}

int peer_socket(const struct peer *peer)
{
    return peer->fd;
}

struct transport_address peer_address(const struct peer *peer)
{
    return peer->address;
}

static void add_burst(struct peer *peer, unsigned slot, struct client *client, uint32_t count)
{
    struct stamps *stamps = &client->ways[TO_CLIENT];
    struct msghdr *message = &peer->messages[slot].msg_hdr;
    uint32_t len = peer->payload_len;

    for (uint32_t i = 0; i < count; i++) {
        memcpy(peer->out[slot] + i * len, client->expected, len);
        stamp_number(peer->out[slot] + i * len, ++stamps->sent);
    }
    peer->parts[slot] = (struct iovec){peer->out[slot], (size_t)count * len};
    *message = (struct msghdr){.msg_name = &client->relayed_sockaddr,
                               .msg_namelen = client->relayed_sockaddr_len,
                               .msg_iov = &peer->parts[slot],
                               .msg_iovlen = 1};
    if (count > 1)
        segments_describe(message, &peer->controls[slot], len);
}

// What the kernel does not take is lost, and counted so.
static void send_slots(struct peer *peer, unsigned count)
{
    for (unsigned done = 0; done < count;) {
        int taken = sendmmsg(peer->fd, peer->messages + done, count - done, 0);
        if (taken <= 0 && errno != EAGAIN && errno != ENOBUFS && errno != ECONNREFUSED)
            fail("the peer cannot send: %s", strerror(errno));
        done += taken > 0 ? (unsigned)taken : 1;
    }
}

uint64_t peer_send(struct peer *peer, struct client *clients, uint32_t count, uint32_t window)
{
    uint32_t burst = BURST < window ? BURST : window,
             most = SEGMENTS_MAX * 1000 / peer->payload_len;
    uint64_t sent = 0;
    unsigned slots = 0;

    if (burst > most && most > 0)
        burst = most;
    for (uint32_t i = 0; i < count && slots < MESSAGES; i++) {
        struct client *client = &clients[(peer->next + i) % count];
        struct stamps *stamps = &client->ways[TO_CLIENT];
        if (stamps_on_their_way(stamps) + burst > window)
            continue;
        add_burst(peer, slots++, client, burst);
        sent += burst;
    }
    peer->next = (peer->next + 1) % count;
    send_slots(peer, slots);
    return sent;
}

// The payload says whose it is; the address that it comes from must say the same.
static void take_payload(struct peer *peer, struct client *clients, uint32_t count,
                         struct span payload, const struct sockaddr_storage *from)
{
    uint32_t number = payload.len >= STAMP_LEN ? stamp_client(payload.data) : count;
    struct client *client = &clients[number];

    if (number >= count ||
        memcmp(from, &client->relayed_sockaddr, sizeof(struct sockaddr_in)) != 0) {
        peer->strangers++;
        return;
    }
    stamp_check(&client->ways[TO_PEER], payload, client->bulk + CHANNEL_DATA_HEADER_LEN,
                client->payload_len);
}

static uint64_t take_slot(struct peer *peer, struct client *clients, uint32_t count, unsigned slot)
{
    size_t len = peer->messages[slot].msg_len, done = 0;
    size_t segment = segments_length(&peer->messages[slot].msg_hdr, len);
    uint64_t packets = 0;

    for (; done < len; done += segment, packets++) {
        struct span payload = {peer->in[slot] + done, segment < len - done ? segment : len - done};
        take_payload(peer, clients, count, payload, &peer->from[slot]);
    }
    return packets;
}

uint64_t peer_receive(struct peer *peer, struct client *clients, uint32_t count)
{
    uint64_t packets = 0;
    int got;

    for (unsigned i = 0; i < MESSAGES; i++) {
        peer->parts[i] = (struct iovec){peer->in[i], RECEIVED_MAX};
        peer->messages[i].msg_hdr =
            (struct msghdr){.msg_name = &peer->from[i],
                            .msg_namelen = sizeof(peer->from[i]),
                            .msg_iov = &peer->parts[i],
                            .msg_iovlen = 1,
                            .msg_control = peer->controls[i].bytes,
                            .msg_controllen = sizeof(peer->controls[i].bytes)};
    }
    got = recvmmsg(peer->fd, peer->messages, MESSAGES, 0, NULL);
    for (int i = 0; i < got; i++)
        packets += take_slot(peer, clients, count, (unsigned)i);
    return packets;
}

uint64_t peer_dropped(const struct peer *peer)
{
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof(memory);

    getsockopt(peer->fd, SOL_SOCKET, SO_MEMINFO, memory, &len);
    return memory[SK_MEMINFO_DROPS];
}

uint64_t peer_strangers(const struct peer *peer)
{
    return peer->strangers;
}
