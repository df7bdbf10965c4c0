// SPDX-License-Identifier: BSD-3-Clause
// See control/address_watch.h. Of the news only that there are some is of use: they may be lost,
// and a list of all addresses is short.
#include "control/address_watch.h"

#include "base/log.h"
#include "base/netns.h"
#include "control/netlink.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

struct address_watch {
    struct address_watch_config config;
    struct netlink questions;
    struct netlink news;
    struct event *on_news;
    struct event *again; // after a question that had no answer
};

static const struct timeval one_second = {.tv_sec = 1};

static bool are_alike(const struct interface *a, const struct interface *b)
{
    return a->address_count == b->address_count &&
           memcmp(a->addresses, b->addresses, a->address_count * sizeof(a->addresses[0])) == 0;
}

static int look_at(struct address_watch *watch, unsigned index, bool *changed)
{
    struct interface *interface = &watch->config.interfaces[index];
    struct interface now = *interface;
    int error = netlink_list_addresses(&watch->questions, &now);

    if (error)
        return error;
    *changed |= !are_alike(interface, &now);
    *interface = now;
    return 0;
}

static void look(struct address_watch *watch)
{
    bool changed = false;
    int error = 0;

    for (unsigned i = 0; !error && i < watch->config.interface_count; i++)
        error = look_at(watch, i, &changed);
    if (changed)
        watch->config.changed(watch->config.context);
    if (!error)
        return;
    log_message(LOG_LEVEL_WARNING, "netlink", "the kernel does not list its addresses: %s",
                strerror(-error));
    event_add(watch->again, &one_second);
}

static void on_news(evutil_socket_t fd, short what, void *context)
{
    struct address_watch *watch = context;

    (void)fd;
    (void)what;
    netlink_drain(&watch->news);
    look(watch);
}

static void on_again(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    look(context);
}

// News come from before the first look on.
static int open_there(void *context)
{
    struct address_watch *watch = context;
    int error = netlink_open(&watch->questions);

    if (!error) {
        error = netlink_subscribe_addresses(&watch->news);
        if (error)
            netlink_close(&watch->questions);
    }
    return error;
}

static int make_events(struct address_watch *watch)
{
    struct event_base *base = watch->config.base;

    watch->on_news = event_new(base, mnl_socket_get_fd(watch->news.socket), EV_READ | EV_PERSIST,
                               on_news, watch);
    watch->again = evtimer_new(base, on_again, watch);
    return watch->on_news && watch->again && event_add(watch->on_news, NULL) == 0 ? 0 : -ENOMEM;
}

int address_watch_create(const struct address_watch_config *config,
                         struct address_watch **ret_watch)
{
    struct address_watch *watch = calloc(1, sizeof(*watch));
    int error;

    if (!watch)
        return -ENOMEM;
    watch->config = *config;
    error = netns_call(config->netns, open_there, watch);
    if (error) {
        log_message(LOG_LEVEL_ERROR, "netlink", "cannot ask the kernel for addresses: %s",
                    strerror(-error));
        free(watch);
        return error;
    }
    error = make_events(watch);
    if (error) {
        address_watch_destroy(watch);
        return error;
    }
    look(watch);
    *ret_watch = watch;
    return 0;
}

void address_watch_destroy(struct address_watch *watch)
{
    if (watch->again)
        event_free(watch->again);
    if (watch->on_news)
        event_free(watch->on_news);
    netlink_close(&watch->news);
    netlink_close(&watch->questions);
    free(watch);
}
