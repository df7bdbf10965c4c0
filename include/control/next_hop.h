// SPDX-License-Identifier: BSD-3-Clause
// Next hops: which way the kernel would send to a client or peer, and the MAC address of the
// neighbour there, as numbered adjacencies for the workers. One adjacency a neighbour, however many
// destinations are behind it. Control thread only.
#pragma once

#include "base/address.h"
#include "exchange/adjacency.h"

#include <stdbool.h>
#include <stdint.h>

struct netns;
struct next_hops;

#define NEXT_HOPS_INTERFACES_MAX 2

// One that packets may leave through.
struct next_hops_interface {
    uint32_t index;
    uint8_t mac[6];
    uint16_t mtu; // bytes
};

struct next_hops_config {
    struct netns *netns; // borrowed; of the interfaces, NULL: ours
    struct next_hops_interface interfaces[NEXT_HOPS_INTERFACES_MAX];
    unsigned interface_count; // 1 at least
    uint32_t adjacencies;     // at most, index 0 included
    uint32_t destinations;    // at most
};

// Neighbour entries that a killed relay left are taken back first. Logs what went wrong. 0 or
// -errno.
int next_hops_create(const struct next_hops_config *config, struct next_hops **ret_hops);
// The kernel is left as it was found.
void next_hops_destroy(struct next_hops *hops);

// The adjacency towards a destination, ADJACENCY_NONE when there is no way through our interfaces.
// *ret_changed: it is another one than before the routes changed, so whatever uses it has to be
// installed again.
uint32_t next_hops_resolve(struct next_hops *hops, const struct ip_address *destination,
                           const struct ip_address *source, bool *ret_changed);

// The next adjacency that workers have not been told of. Its port is the place of its interface
// among ours: the ethdev's is the caller's to know. False: there is none.
bool next_hops_take_changed(struct next_hops *hops, uint32_t *ret_index,
                            struct adjacency *ret_adjacency);
bool next_hops_have_changed(const struct next_hops *hops);

// Becomes readable when the kernel has news; read them. True: routes have changed: ask again for
// everything in use.
int next_hops_fd(const struct next_hops *hops);
bool next_hops_receive(struct next_hops *hops);
// One of the interfaces has been deleted, or moved to another network namespace: it will not work
// again.
bool next_hops_interface_is_gone(const struct next_hops *hops);

// What is not resolved between begin and end is no longer in use, and is forgotten. Routes are
// asked for anew when reroute is set.
void next_hops_begin_walk(struct next_hops *hops, bool reroute);
void next_hops_end_walk(struct next_hops *hops);

// Some destination was given no adjacency since the last walk began, for there was no room: a walk
// makes room of what is no longer in use, and after it one for routes says who has a way now.
bool next_hops_lack_room(const struct next_hops *hops);

// Call it every NEXT_HOPS_REFRESH_S: for kernels that do not manage neighbours by themselves.
#define NEXT_HOPS_REFRESH_S 10
void next_hops_refresh(struct next_hops *hops);

// Call it every NEXT_HOPS_INSIST_MS: neighbours that have stopped answering are asked again, some
// at a time, so that they are back as soon as they answer.
#define NEXT_HOPS_INSIST_MS 50
void next_hops_insist(struct next_hops *hops);

struct next_hops_usage {
    uint32_t adjacencies;
    uint32_t resolved;
    uint32_t destinations;
};
void next_hops_get_usage(const struct next_hops *hops, struct next_hops_usage *ret_usage);
