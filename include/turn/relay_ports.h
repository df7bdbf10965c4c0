// SPDX-License-Identifier: BSD-3-Clause
// The free ports of every relay address, by owning worker: taken at random (RFC 6056, RFC 8656
// section 7.2) in constant time, however few are left.
#pragma once

#include "base/random.h"

#include <stdbool.h>
#include <stdint.h>

struct turn_relay;

enum relay_port_kind {
    RELAY_PORT_ANY,
    RELAY_PORT_EVEN, // EVEN-PORT without reservation
    RELAY_PORT_PAIR, // EVEN-PORT with the R bit: the even port and the one above it
};

// Ports that are free, in no order, each with its place known: a random one, or a given one, goes
// in constant time.
struct relay_port_set {
    uint16_t *ports;
    uint32_t count;
};

// What one worker owns of one relay address.
struct relay_slice {
    struct relay_port_set even;
    struct relay_port_set odd;
    struct relay_port_set pairs; // by the even port: both are free
    uint32_t capacity;
};

struct relay_ports {
    struct relay_slice *slices;      // by relay, then worker
    uint16_t **places;               // by relay: of each port in its even or odd set
    uint16_t **pair_places;          // by relay: of each even port in its pairs set
    const struct turn_relay *relays; // borrowed
    uint16_t relay_count;
    uint16_t worker_count;
    uint32_t taken_count;
};

// -EINVAL when a worker has no port of some relay; -ENOMEM.
int relay_ports_init(struct relay_ports *ports, const struct turn_relay *relays,
                     uint16_t relay_count, uint16_t worker_count);
void relay_ports_done(struct relay_ports *ports);

// Of the worker's ports of one relay.
uint32_t relay_ports_taken(const struct relay_ports *ports, uint16_t relay, uint16_t worker);
uint32_t relay_ports_capacity(const struct relay_ports *ports, uint16_t relay, uint16_t worker);

// How many ports of this kind there are to take; of pairs, how many pairs.
uint32_t relay_ports_free(const struct relay_ports *ports, uint16_t relay, uint16_t worker,
                          enum relay_port_kind kind);
// Of a pair the even port is returned and the odd one is taken with it. False when there is none of
// this kind.
bool relay_ports_take(struct relay_ports *ports, uint16_t relay, uint16_t worker,
                      enum relay_port_kind kind, const struct random_source *random,
                      uint16_t *ret_port);
// False: it is free, or not of the relay.
bool relay_ports_is_taken(const struct relay_ports *ports, uint16_t relay, uint16_t port);
void relay_ports_give(struct relay_ports *ports, uint16_t relay, uint16_t port);
