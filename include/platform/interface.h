// SPDX-License-Identifier: BSD-3-Clause
// What the kernel says about the configured network interface.
#pragma once

#include "base/address.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define INTERFACE_ADDRESSES_MAX 64

struct nlmsghdr;

struct interface {
    char name[IF_NAMESIZE];
    uint32_t index;
    uint8_t mac[6];
    uint16_t mtu;         // of the IP packet, bytes
    uint16_t queue_count; // that receive and transmit
    bool up;
    uint16_t address_count;
    struct ip_address addresses[INTERFACE_ADDRESSES_MAX]; // of global scope, in the kernel's order
};

// Logs what went wrong. 0; -ENODEV: no such interface; -EINVAL: not one that Ethernet frames go
// over; another -errno.
int interface_query(const char *name, struct interface *ret_interface);

// Of a list of all addresses (rtnetlink, RTM_NEWADDR) one: added to the interface's where it is of
// it, of global scope and there to stay, and there is room.
void interface_take_address(const struct nlmsghdr *message, struct interface *interface);

// Fit to serve so many workers: up, and with one queue for each. Logs why not. 0; -ENETDOWN,
// -EINVAL.
int interface_check(const struct interface *interface, uint32_t workers);

bool interface_has_address(const struct interface *interface, const struct ip_address *ip);

// On any interface.
bool interface_host_has_address(const struct ip_address *ip);
