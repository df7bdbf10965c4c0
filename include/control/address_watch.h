// SPDX-License-Identifier: BSD-3-Clause
// Keeps the addresses of the relay's interfaces as the kernel has them, also while they change: no
// peer may have one, whoever adds it and whenever. Control thread only.
#pragma once

#include "platform/interface.h"

struct address_watch;
struct event_base;
struct netns;

struct address_watch_config { // borrowed
    struct event_base *base;
    struct netns *netns;          // of the interfaces; NULL: ours
    struct interface *interfaces; // whose addresses are kept
    unsigned interface_count;
    void (*changed)(void *context); // some interface has others than before
    void *context;
};

// Looks at once, and from then on whenever the kernel says that addresses have changed. Logs what
// went wrong. 0 or -errno.
int address_watch_create(const struct address_watch_config *config,
                         struct address_watch **ret_watch);
void address_watch_destroy(struct address_watch *watch);
