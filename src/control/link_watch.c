// SPDX-License-Identifier: BSD-3-Clause
// See control/link_watch.h.
#include "control/link_watch.h"

#include "base/log.h"
#include "platform/port_counters.h"
#include "platform/twins.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

struct link_watch {
    struct link_watch_config config;
    struct event *timer;
    bool is_up[PORT_DEVICES_MAX];
};

static const struct timeval interval = {.tv_usec = LINK_WATCH_INTERVAL_MS * 1000};

static void look_at(struct link_watch *watch, unsigned index)
{
    const char *name = watch->config.ports->devices[index].name;
    struct port_link link;

    // Who does not say has a link.
    if (!ports_get_link(watch->config.ports, index, &link) || link.is_up == watch->is_up[index])
        return;
    watch->is_up[index] = link.is_up;
    twin_set_carrier(watch->config.twins->at[index], link.is_up);
    if (link.is_up)
        log_message(LOG_LEVEL_INFO, "link_up", "%s has a link", name);
    else
        log_message(LOG_LEVEL_WARNING, "link_down", "%s has no link", name);
}

void link_watch_look(struct link_watch *watch)
{
    for (unsigned i = 0; i < watch->config.twins->count; i++)
        look_at(watch, i);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    link_watch_look(context);
}

int link_watch_create(const struct link_watch_config *config, struct link_watch **ret_watch)
{
    struct link_watch *watch = calloc(1, sizeof(*watch));

    if (!watch)
        return -ENOMEM;
    watch->config = *config;
    for (unsigned i = 0; i < PORT_DEVICES_MAX; i++)
        watch->is_up[i] = true; // as a new twin's
    watch->timer = event_new(config->base, -1, EV_PERSIST, on_timer, watch);
    if (!watch->timer || event_add(watch->timer, &interval) < 0) {
        link_watch_destroy(watch);
        return -ENOMEM;
    }
    link_watch_look(watch);
    *ret_watch = watch;
    return 0;
}

void link_watch_destroy(struct link_watch *watch)
{
    if (watch->timer)
        event_free(watch->timer);
    free(watch);
}
