// SPDX-License-Identifier: BSD-3-Clause
// See turn/relay_ports.h.
#include "turn/relay_ports.h"

#include "base/port_slice.h"
#include "turn/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// No place: a set holds at most every second port.
#define NOWHERE UINT16_MAX

static struct relay_slice *slice_at(const struct relay_ports *ports, uint16_t relay,
                                    uint16_t worker)
{
    return &ports->slices[(size_t)relay * ports->worker_count + worker];
}

static struct relay_slice *slice_of(const struct relay_ports *ports, uint16_t relay, uint16_t port)
{
    return slice_at(ports, relay, port_slice_worker(port, ports->worker_count));
}

static struct relay_port_set *parity_set(struct relay_slice *slice, uint16_t port)
{
    return port & 1 ? &slice->odd : &slice->even;
}

// Where the relay's first port is place 0.
static uint16_t *place_of(const struct relay_ports *ports, uint16_t *const *places, uint16_t relay,
                          uint16_t port)
{
    return &places[relay][port - ports->relays[relay].min_port];
}

static bool port_is_in_range(const struct relay_ports *ports, uint16_t relay, uint16_t port)
{
    const struct turn_relay *range = &ports->relays[relay];
    return port >= range->min_port && port <= range->max_port;
}

static bool port_is_free(const struct relay_ports *ports, uint16_t relay, uint16_t port)
{
    return port_is_in_range(ports, relay, port) &&
           *place_of(ports, ports->places, relay, port) != NOWHERE;
}

static void add_to(struct relay_ports *ports, struct relay_port_set *set, uint16_t *const *places,
                   uint16_t relay, uint16_t port)
{
    *place_of(ports, places, relay, port) = (uint16_t)set->count;
    set->ports[set->count++] = port;
}

// The last of the set takes the place of the one that goes.
static void remove_from(struct relay_ports *ports, struct relay_port_set *set,
                        uint16_t *const *places, uint16_t relay, uint16_t port)
{
    uint16_t *place = place_of(ports, places, relay, port);
    uint16_t last = set->ports[--set->count];
    set->ports[*place] = last;
    *place_of(ports, places, relay, last) = *place;
    *place = NOWHERE;
}

// Make a port free, and its pair when the other half is.
static void add_port(struct relay_ports *ports, uint16_t relay, uint16_t port)
{
    struct relay_slice *slice = slice_of(ports, relay, port);
    add_to(ports, parity_set(slice, port), ports->places, relay, port);
    if (port_is_free(ports, relay, port ^ 1))
        add_to(ports, &slice->pairs, ports->pair_places, relay, port & ~1);
}

static void remove_port(struct relay_ports *ports, uint16_t relay, uint16_t port)
{
    struct relay_slice *slice = slice_of(ports, relay, port);
    if (port_is_free(ports, relay, port ^ 1))
        remove_from(ports, &slice->pairs, ports->pair_places, relay, port & ~1);
    remove_from(ports, parity_set(slice, port), ports->places, relay, port);
}

static int alloc_set(struct relay_port_set *set, uint32_t capacity)
{
    set->ports = calloc(capacity ? capacity : 1, sizeof(*set->ports));
    return set->ports != NULL ? 0 : -ENOMEM;
}

static int alloc_slices(struct relay_ports *ports, uint16_t relay)
{
    uint32_t even_count[PORT_SLICE_COUNT] = {0};
    uint32_t odd_count[PORT_SLICE_COUNT] = {0};
    const struct turn_relay *range = &ports->relays[relay];
    for (uint32_t port = range->min_port; port <= range->max_port; port++)
        (port & 1 ? odd_count
                  : even_count)[port_slice_worker((uint16_t)port, ports->worker_count)]++;

    for (uint16_t worker = 0; worker < ports->worker_count; worker++) {
        struct relay_slice *slice = slice_at(ports, relay, worker);
        if (even_count[worker] + odd_count[worker] == 0)
            return -EINVAL;
        slice->capacity = even_count[worker] + odd_count[worker];
        if (alloc_set(&slice->even, even_count[worker]) != 0 ||
            alloc_set(&slice->odd, odd_count[worker]) != 0 ||
            alloc_set(&slice->pairs, even_count[worker]) != 0)
            return -ENOMEM;
    }
    return 0;
}

static int alloc_places(uint32_t count, uint16_t **ret_places)
{
    uint16_t *places = malloc(count * sizeof(*places));
    if (places == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++)
        places[i] = NOWHERE;
    *ret_places = places;
    return 0;
}

static int init_relay(struct relay_ports *ports, uint16_t relay)
{
    const struct turn_relay *range = &ports->relays[relay];
    uint32_t count = (uint32_t)range->max_port - range->min_port + 1;
    int error = alloc_slices(ports, relay);
    if (error == 0)
        error = alloc_places(count, &ports->places[relay]);
    if (error == 0)
        error = alloc_places(count, &ports->pair_places[relay]);
    if (error != 0)
        return error;
    for (uint32_t port = range->min_port; port <= range->max_port; port++)
        add_port(ports, relay, (uint16_t)port);
    return 0;
}

int relay_ports_init(struct relay_ports *ports, const struct turn_relay *relays,
                     uint16_t relay_count, uint16_t worker_count)
{
    struct relay_ports made = {
        .slices = calloc((size_t)relay_count * worker_count + 1, sizeof(*made.slices)),
        .places = calloc((size_t)relay_count + 1, sizeof(*made.places)),
        .pair_places = calloc((size_t)relay_count + 1, sizeof(*made.pair_places)),
        .relays = relays,
        .relay_count = relay_count,
        .worker_count = worker_count,
    };
    int error = made.slices && made.places && made.pair_places ? 0 : -ENOMEM;
    for (uint16_t relay = 0; relay < relay_count && error == 0; relay++)
        error = init_relay(&made, relay);
    if (error != 0) {
        relay_ports_done(&made);
        return error;
    }
    *ports = made;
    return 0;
}

void relay_ports_done(struct relay_ports *ports)
{
    for (size_t i = 0; ports->slices && i < (size_t)ports->relay_count * ports->worker_count; i++) {
        free(ports->slices[i].even.ports);
        free(ports->slices[i].odd.ports);
        free(ports->slices[i].pairs.ports);
    }
    for (uint16_t relay = 0; ports->places && ports->pair_places && relay < ports->relay_count;
         relay++) {
        free(ports->places[relay]);
        free(ports->pair_places[relay]);
    }
    free(ports->slices);
    free(ports->places);
    free(ports->pair_places);
    memset(ports, 0, sizeof(*ports));
}

static const struct relay_port_set *even_set(const struct relay_slice *slice,
                                             enum relay_port_kind kind)
{
    return kind == RELAY_PORT_PAIR ? &slice->pairs : &slice->even;
}

static uint32_t count_free(const struct relay_slice *slice, enum relay_port_kind kind)
{
    return even_set(slice, kind)->count + (kind == RELAY_PORT_ANY ? slice->odd.count : 0);
}

// Every free port of the kind is as likely as any other.
static bool choose(const struct relay_slice *slice, enum relay_port_kind kind,
                   const struct random_source *random, uint16_t *ret_port)
{
    const struct relay_port_set *set = even_set(slice, kind);
    uint32_t count = count_free(slice, kind);
    if (count == 0)
        return false;
    uint32_t choice = random_below(random, count);
    *ret_port = choice < set->count ? set->ports[choice] : slice->odd.ports[choice - set->count];
    return true;
}

uint32_t relay_ports_capacity(const struct relay_ports *ports, uint16_t relay, uint16_t worker)
{
    return slice_at(ports, relay, worker)->capacity;
}

uint32_t relay_ports_taken(const struct relay_ports *ports, uint16_t relay, uint16_t worker)
{
    const struct relay_slice *slice = slice_at(ports, relay, worker);
    return slice->capacity - count_free(slice, RELAY_PORT_ANY);
}

uint32_t relay_ports_free(const struct relay_ports *ports, uint16_t relay, uint16_t worker,
                          enum relay_port_kind kind)
{
    return count_free(slice_at(ports, relay, worker), kind);
}

bool relay_ports_take(struct relay_ports *ports, uint16_t relay, uint16_t worker,
                      enum relay_port_kind kind, const struct random_source *random,
                      uint16_t *ret_port)
{
    uint16_t port;
    if (!choose(slice_at(ports, relay, worker), kind, random, &port))
        return false;
    remove_port(ports, relay, port);
    ports->taken_count++;
    if (kind == RELAY_PORT_PAIR) {
        remove_port(ports, relay, port + 1);
        ports->taken_count++;
    }
    *ret_port = port;
    return true;
}

bool relay_ports_is_taken(const struct relay_ports *ports, uint16_t relay, uint16_t port)
{
    return port_is_in_range(ports, relay, port) && !port_is_free(ports, relay, port);
}

void relay_ports_give(struct relay_ports *ports, uint16_t relay, uint16_t port)
{
    add_port(ports, relay, port);
    ports->taken_count--;
}
