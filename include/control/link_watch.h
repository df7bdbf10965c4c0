// SPDX-License-Identifier: BSD-3-Clause
// Has the kernel's twin of each device lose its carrier with the device's link, and get it back,
// so that the kernel and whoever routes on it notice. Polled: the way that every driver has, and a
// link is a matter of a few reads. Control thread only.
#pragma once

struct event_base;
struct link_watch;
struct ports;
struct twins;

#define LINK_WATCH_INTERVAL_MS 25

struct link_watch_config { // borrowed
    struct event_base *base;
    const struct ports *ports;
    const struct twins *twins; // of its devices
};

// Looks at once, and from then on by itself. 0 or -ENOMEM.
int link_watch_create(const struct link_watch_config *config, struct link_watch **ret_watch);
void link_watch_destroy(struct link_watch *watch);

// What it does every LINK_WATCH_INTERVAL_MS.
void link_watch_look(struct link_watch *watch);
