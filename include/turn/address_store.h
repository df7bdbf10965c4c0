// SPDX-License-Identifier: BSD-3-Clause
// IP addresses in four bytes: an IPv4 address as it is, an IPv6 address as its place in a table
// that keeps each one once. Whoever keeps the four bytes keeps the family beside them.
#pragma once

#include "base/address.h"
#include "base/index_map.h"
#include "base/index_pool.h"

#include <stdbool.h>
#include <stdint.h>

struct address_place {
    uint8_t bytes[16];
    uint32_t references;
};

struct address_store {
    struct address_place *at;
    struct index_pool pool;
    struct index_map by_bytes;
};

// capacity: IPv6 addresses at once, each as often as it is taken. 0, -ENOMEM.
int address_store_init(struct address_store *store, uint32_t capacity,
                       const struct siphash_key *key);
void address_store_done(struct address_store *store);

// False when nobody keeps this address, which can only be an IPv6 one.
bool address_store_find(const struct address_store *store, const struct ip_address *ip,
                        uint32_t *ret_stored);

// Fewer than capacity are taken.
uint32_t address_store_take(struct address_store *store, const struct ip_address *ip);
void address_store_give(struct address_store *store, uint16_t family, uint32_t stored);

struct ip_address address_store_get(const struct address_store *store, uint16_t family,
                                    uint32_t stored);
