// SPDX-License-Identifier: BSD-3-Clause
// The peer of all clients: one UDP socket.
#pragma once

#include "client.h"

struct peer;

// On a free port of the address. The process ends when it cannot be had.
struct peer *peer_open(const struct ip_address *address, uint32_t payload_len);
void peer_close(struct peer *peer);
int peer_socket(const struct peer *peer);
struct transport_address peer_address(const struct peer *peer);

// To every client that has room in its window. The packets that the kernel took.
uint64_t peer_send(struct peer *peer, struct client *clients, uint32_t count, uint32_t window);
// All that is there, checked. The packets.
uint64_t peer_receive(struct peer *peer, struct client *clients, uint32_t count);
// Packets that were for the socket while it was full.
uint64_t peer_dropped(const struct peer *peer);
// Packets that say they are of no client at all.
uint64_t peer_strangers(const struct peer *peer);
