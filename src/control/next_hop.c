// SPDX-License-Identifier: BSD-3-Clause
// Destinations point to neighbours, and neighbours are adjacencies. The kernel decides both; this
// remembers what it said, and forgets what a walk over all allocations no longer asks for. A
// destination is a whole range of addresses that the routes treat alike (control/route_ranges.h),
// or one address where the range is on the link, or where nothing is known of ranges.
#include "control/next_hop.h"

#include "base/index_map.h"
#include "base/index_pool.h"
#include "base/log.h"
#include "base/netns.h"
#include "base/random.h"
#include "control/netlink.h"
#include "control/route_ranges.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Routes that change while they are listed are listed again so many times.
#define LISTINGS_MAX 3

// Of those that do not answer, so many are asked again at a time: every so many turns, and at every
// turn in the two seconds after the link came up. Linux at the other end, for one, looks at its
// links once a second, and hears nothing before.
#define INSIST_MAX   64
#define INSIST_TURNS 10
#define EAGER_TURNS  (2000 / NEXT_HOPS_INSIST_MS)

#define NUD_USABLE (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

struct neighbour_key {
    struct ip_address ip;
    uint16_t mtu;   // of the route: it may be smaller than the interface's
    uint16_t place; // of the interface among ours
};

struct neighbour {
    struct neighbour_key key;
    uint8_t mac[6];
    bool used;
    bool resolved;
    bool failed;  // it was asked as often as the kernel asks, and has not answered since
    bool ours;    // the kernel's entry is there for our sake
    bool changed; // in the queue of those to be told
    uint32_t references;
    uint32_t listed; // the last listing of routes that had it for a gateway, 0: none; a reference
    uint32_t next_changed;
};

struct destination_key {
    struct ip_address ip; // of a range its start
    struct ip_address source;
    uint32_t is_range;
};

// In place of an adjacency: workers were told nothing; a range without a gateway, each of whose
// addresses is a destination.
#define ADJACENCY_UNTOLD  UINT32_MAX
#define ADJACENCY_ON_LINK (UINT32_MAX - 1)

struct destination {
    struct destination_key key;
    uint32_t adjacency; // holds a reference
    uint32_t before;    // what it was in the generation before
    uint32_t walk;      // the last one that began before it was asked for
    uint32_t route;     // generation of the answer
    bool used;
};

static_assert(sizeof(struct neighbour_key) == 22, "no padding: hashed as bytes");
static_assert(sizeof(struct destination_key) == 40, "no padding: hashed as bytes");

// Of an interface of ours.
struct link {
    bool is_running;
    uint32_t eager_turns; // left
};

struct next_hops {
    struct next_hops_config config;
    struct netlink questions;
    struct netlink news;
    struct neighbour *neighbours; // by adjacency; 0 is ADJACENCY_NONE
    struct index_pool neighbour_pool;
    struct index_map neighbour_map;
    struct destination *destinations;
    struct index_pool destination_pool;
    struct index_map destination_map;
    struct route_ranges ranges;
    struct route_ranges ranges_before; // those that workers were told by, while routes are walked
    uint32_t first_changed;
    uint32_t last_changed;
    uint32_t failed_count;
    uint32_t gateway_count;
    uint32_t listing;  // counts listings of routes
    uint32_t insisted; // the last one that was asked again
    uint32_t turn;
    struct link links[NEXT_HOPS_INTERFACES_MAX]; // by place
    uint32_t walk;
    uint32_t route; // generation: counts changes of routes
    bool walking;
    bool rerouting; // the walk is for changed routes
    bool kernel_manages;
    bool routes_changed;
    bool interface_gone;
    bool said_full;
};

// Of the place of an interface: ours end there.
static unsigned find_interface(const struct next_hops *hops, uint32_t interface)
{
    unsigned place = 0;

    while (place < hops->config.interface_count &&
           hops->config.interfaces[place].index != interface)
        place++;
    return place;
}

static bool is_ours(const struct next_hops *hops, unsigned place)
{
    return place < hops->config.interface_count;
}

static uint32_t interface_of(const struct next_hops *hops, const struct neighbour *neighbour)
{
    return hops->config.interfaces[neighbour->key.place].index;
}

static void mark_changed(struct next_hops *hops, uint32_t index)
{
    struct neighbour *neighbour = &hops->neighbours[index];

    if (neighbour->changed)
        return;
    neighbour->changed = true;
    neighbour->next_changed = INDEX_NONE;
    if (hops->first_changed == INDEX_NONE)
        hops->first_changed = index;
    else
        hops->neighbours[hops->last_changed].next_changed = index;
    hops->last_changed = index;
}

static void set_failed(struct next_hops *hops, struct neighbour *neighbour, bool failed)
{
    hops->failed_count += (uint32_t)failed - (uint32_t)neighbour->failed;
    neighbour->failed = failed;
}

// What the kernel says of a neighbour now.
static void update_neighbour(struct next_hops *hops, uint32_t index,
                             const struct netlink_neighbour *said)
{
    struct neighbour *neighbour = &hops->neighbours[index];
    bool resolved = (said->state & NUD_USABLE) != 0;

    // An answer ends it, no other change does.
    set_failed(hops, neighbour, !resolved && (neighbour->failed || (said->state & NUD_FAILED)));
    if (resolved == neighbour->resolved &&
        (!resolved || memcmp(neighbour->mac, said->mac, sizeof(said->mac)) == 0))
        return;
    neighbour->resolved = resolved;
    if (resolved)
        memcpy(neighbour->mac, said->mac, sizeof(said->mac));
    mark_changed(hops, index);
}

// By the administrator or another program.
static bool is_kept_by_others(const struct netlink_neighbour *said)
{
    return (said->state & NUD_PERMANENT) ||
           (((said->state & NUD_NOARP) || said->managed) && said->protocol != NETLINK_PROTOCOL);
}

static void manage_neighbour(struct next_hops *hops, uint32_t index)
{
    struct neighbour *neighbour = &hops->neighbours[index];
    const struct ip_address *ip = &neighbour->key.ip;
    uint32_t interface = interface_of(hops, neighbour);
    struct netlink_neighbour said = {};
    char text[IP_ADDRESS_TEXT_LEN];
    int error;

    // What others keep is used as it is.
    if (netlink_get_neighbour(&hops->questions, interface, ip, &said) == 0 &&
        is_kept_by_others(&said)) {
        neighbour->ours = false;
        update_neighbour(hops, index, &said);
        return;
    }
    error = netlink_manage_neighbour(&hops->questions, interface, ip);
    if (error) {
        log_message(LOG_LEVEL_WARNING, "neighbour", "the kernel does not resolve %s: %s",
                    ip_address_format(ip, text), strerror(-error));
        return;
    }
    neighbour->ours = true;
    if (netlink_get_neighbour(&hops->questions, interface, ip, &said) == 0) {
        hops->kernel_manages = said.managed;
        update_neighbour(hops, index, &said);
    }
}

// All MTUs of one neighbour are under one hash.
static uint32_t neighbour_hash(const struct next_hops *hops, const struct ip_address *ip)
{
    return index_map_hash(&hops->neighbour_map, ip, sizeof(*ip));
}

static uint32_t find_neighbour(const struct next_hops *hops, const struct neighbour_key *key)
{
    struct index_map_walk walk;
    uint32_t index = index_map_first(&hops->neighbour_map, neighbour_hash(hops, &key->ip), &walk);

    while (index != INDEX_NONE && memcmp(&hops->neighbours[index].key, key, sizeof(*key)) != 0)
        index = index_map_next(&hops->neighbour_map, &walk);
    return index;
}

static void say_full(struct next_hops *hops, const char *what)
{
    if (!hops->said_full)
        log_message(LOG_LEVEL_WARNING, "next_hops_full",
                    "too many %s at once: some packets find no way", what);
    hops->said_full = true;
}

// Counts a reference.
static uint32_t take_neighbour(struct next_hops *hops, const struct neighbour_key *key)
{
    uint32_t index = find_neighbour(hops, key);

    if (index == INDEX_NONE) {
        index = index_pool_take(&hops->neighbour_pool);
        if (index == INDEX_NONE) {
            say_full(hops, "next hops");
            return ADJACENCY_NONE;
        }
        // The place may still be in the queue for its last owner's end.
        hops->neighbours[index] = (struct neighbour){
            .key = *key,
            .used = true,
            .changed = hops->neighbours[index].changed,
            .next_changed = hops->neighbours[index].next_changed,
        };
        index_map_insert(&hops->neighbour_map, neighbour_hash(hops, &key->ip), index);
        mark_changed(hops, index);
        manage_neighbour(hops, index);
    }
    hops->neighbours[index].references++;
    return index;
}

// On the same interface, with another MTU.
static bool is_needed_elsewhere(const struct next_hops *hops, uint32_t index)
{
    const struct neighbour_key *key = &hops->neighbours[index].key;
    const struct ip_address *ip = &key->ip;
    struct index_map_walk walk;
    uint32_t other = index_map_first(&hops->neighbour_map, neighbour_hash(hops, ip), &walk);

    while (other != INDEX_NONE &&
           (other == index || !ip_address_equal(&hops->neighbours[other].key.ip, ip) ||
            hops->neighbours[other].key.place != key->place))
        other = index_map_next(&hops->neighbour_map, &walk);
    return other != INDEX_NONE;
}

static void forget_neighbour(struct next_hops *hops, uint32_t index)
{
    struct neighbour *neighbour = &hops->neighbours[index];

    if (neighbour->ours && !is_needed_elsewhere(hops, index))
        netlink_delete_neighbour(&hops->questions, interface_of(hops, neighbour),
                                 &neighbour->key.ip);
    index_map_remove(&hops->neighbour_map, neighbour_hash(hops, &neighbour->key.ip), index);
    index_pool_give(&hops->neighbour_pool, index);
    set_failed(hops, neighbour, false);
    neighbour->used = false;
    neighbour->resolved = false;
    mark_changed(hops, index);
}

// During a walk workers still send to adjacencies that have lost their destinations: their numbers
// are not given anew before all is said.
static void give_neighbour(struct next_hops *hops, uint32_t index)
{
    if (index != ADJACENCY_NONE && index != ADJACENCY_ON_LINK &&
        --hops->neighbours[index].references == 0 && !hops->walking)
        forget_neighbour(hops, index);
}

// The address to ask for. Of a range it is one that is hardly anybody's, so that what the kernel
// has learned of a single host, such as its path MTU, is not taken for the whole range's. The
// lowest address of all means something else.
static const struct ip_address *address_to_ask(const struct destination_key *key,
                                               const struct ip_address *destination)
{
    const struct ip_address lowest = {.family = key->ip.family};

    return ip_address_equal(&key->ip, &lowest) ? destination : &key->ip;
}

static struct neighbour_key neighbour_key(const struct next_hops *hops, const struct ip_address *ip,
                                          const struct netlink_route *route, unsigned place)
{
    uint16_t mtu = hops->config.interfaces[place].mtu;

    return (struct neighbour_key){
        .ip = *ip,
        .mtu = route->mtu > 0 && route->mtu < mtu ? (uint16_t)route->mtu : mtu,
        .place = (uint16_t)place,
    };
}

// Ask the kernel. Counts a reference.
static uint32_t take_route(struct next_hops *hops, const struct destination_key *key,
                           const struct ip_address *destination)
{
    const struct ip_address *asked = address_to_ask(key, destination);
    struct netlink_route route;
    struct neighbour_key neighbour;
    char text[IP_ADDRESS_TEXT_LEN];
    unsigned place;
    int error = netlink_get_route(&hops->questions, asked, &key->source, &route);

    // The source may be an address that is no local one, but routed to us.
    if (error == -EINVAL)
        error = netlink_get_route(&hops->questions, asked, NULL, &route);
    place = error ? hops->config.interface_count : find_interface(hops, route.interface);
    if (!is_ours(hops, place)) {
        log_message(LOG_LEVEL_DEBUG, "no_route", "%s: %s", ip_address_format(asked, text),
                    error ? strerror(-error) : "the route leaves through no interface of ours");
        return ADJACENCY_NONE;
    }
    if (route.gateway.family == IP_FAMILY_NONE && key->is_range)
        return ADJACENCY_ON_LINK;
    neighbour = neighbour_key(hops, route.gateway.family == IP_FAMILY_NONE ? asked : &route.gateway,
                              &route, place);
    return take_neighbour(hops, &neighbour);
}

static uint32_t destination_hash(const struct next_hops *hops, const struct destination_key *key)
{
    return index_map_hash(&hops->destination_map, key, sizeof(*key));
}

static uint32_t find_destination(const struct next_hops *hops, const struct destination_key *key)
{
    struct index_map_walk walk;
    uint32_t index = index_map_first(&hops->destination_map, destination_hash(hops, key), &walk);

    while (index != INDEX_NONE && memcmp(&hops->destinations[index].key, key, sizeof(*key)) != 0)
        index = index_map_next(&hops->destination_map, &walk);
    return index;
}

static uint32_t add_destination(struct next_hops *hops, const struct destination_key *key,
                                const struct ip_address *destination)
{
    uint32_t index = index_pool_take(&hops->destination_pool);

    if (index == INDEX_NONE)
        return INDEX_NONE;
    hops->destinations[index] = (struct destination){
        .key = *key,
        .adjacency = take_route(hops, key, destination),
        .before = ADJACENCY_UNTOLD,
        .route = hops->route,
        .used = true,
    };
    index_map_insert(&hops->destination_map, destination_hash(hops, key), index);
    return index;
}

static void reroute_destination(struct next_hops *hops, struct destination *found,
                                const struct ip_address *destination)
{
    found->before = found->adjacency;
    found->adjacency = take_route(hops, &found->key, destination);
    found->route = hops->route;
    give_neighbour(hops, found->before);
}

// ADJACENCY_NONE in want of room.
static uint32_t ask(struct next_hops *hops, const struct destination_key *key,
                    const struct ip_address *destination)
{
    uint32_t index = find_destination(hops, key);
    struct destination *found;

    if (index == INDEX_NONE)
        index = add_destination(hops, key, destination);
    if (index == INDEX_NONE) {
        say_full(hops, "clients and peers");
        return ADJACENCY_NONE;
    }
    found = &hops->destinations[index];
    if (found->route != hops->route)
        reroute_destination(hops, found, destination);
    found->walk = hops->walk;
    return found->adjacency;
}

// What was said of it before the routes changed.
static uint32_t recall(struct next_hops *hops, const struct destination_key *key,
                       const struct ip_address *destination)
{
    uint32_t index = find_destination(hops, key);
    const struct destination *found;

    (void)destination;
    if (index == INDEX_NONE)
        return ADJACENCY_UNTOLD;
    found = &hops->destinations[index];
    return found->route == hops->route ? found->before : found->adjacency;
}

// By its range, if there is one, else by itself.
static uint32_t look_up(struct next_hops *hops, const struct route_ranges *ranges,
                        const struct ip_address *destination, const struct ip_address *source,
                        uint32_t (*say)(struct next_hops *hops, const struct destination_key *key,
                                        const struct ip_address *destination))
{
    const struct destination_key alone = {*destination, *source, false};
    uint32_t adjacency = ADJACENCY_ON_LINK;

    if (ranges->is_known) {
        const struct destination_key range = {route_ranges_start(ranges, destination), *source,
                                              true};

        adjacency = say(hops, &range, destination);
    }
    return adjacency == ADJACENCY_ON_LINK ? say(hops, &alone, destination) : adjacency;
}

uint32_t next_hops_resolve(struct next_hops *hops, const struct ip_address *destination,
                           const struct ip_address *source, bool *ret_changed)
{
    uint32_t before = ADJACENCY_NONE, now;

    if (hops->rerouting)
        before = look_up(hops, &hops->ranges_before, destination, source, recall);
    now = look_up(hops, &hops->ranges, destination, source, ask);
    *ret_changed = hops->rerouting && now != before;
    return now;
}

bool next_hops_have_changed(const struct next_hops *hops)
{
    return hops->first_changed != INDEX_NONE;
}

bool next_hops_take_changed(struct next_hops *hops, uint32_t *ret_index,
                            struct adjacency *ret_adjacency)
{
    uint32_t index = hops->first_changed;
    struct neighbour *neighbour;
    struct adjacency adjacency = {};

    if (index == INDEX_NONE)
        return false;
    neighbour = &hops->neighbours[index];
    hops->first_changed = neighbour->next_changed;
    neighbour->changed = false;
    memcpy(adjacency.destination_mac, neighbour->mac, sizeof(adjacency.destination_mac));
    memcpy(adjacency.source_mac, hops->config.interfaces[neighbour->key.place].mac,
           sizeof(adjacency.source_mac));
    adjacency.mtu = neighbour->key.mtu;
    adjacency.port = (uint8_t)neighbour->key.place;
    adjacency.resolved = neighbour->resolved;
    *ret_index = index;
    *ret_adjacency = adjacency;
    return true;
}

static void take_news(const struct netlink_neighbour *said, void *context)
{
    struct next_hops *hops = context;
    unsigned place = find_interface(hops, said->interface);
    struct index_map_walk walk;

    if (!is_ours(hops, place))
        return;
    for (uint32_t index =
             index_map_first(&hops->neighbour_map, neighbour_hash(hops, &said->ip), &walk);
         index != INDEX_NONE; index = index_map_next(&hops->neighbour_map, &walk)) {
        const struct neighbour_key *key = &hops->neighbours[index].key;

        if (!ip_address_equal(&key->ip, &said->ip) || key->place != place)
            continue;
        update_neighbour(hops, index, said);
        if (is_kept_by_others(said))
            hops->neighbours[index].ours = false;
        // Flushed, not by us.
        if (said->state == NUD_NONE)
            manage_neighbour(hops, index);
    }
}

// It is more than a gateway that nobody is behind.
static bool has_destinations(const struct neighbour *neighbour)
{
    return neighbour->references > (neighbour->listed != 0);
}

// Anew, at once: where the kernel has asked, it waits for longer and longer. It may have had an
// answer that is yet to be told of. With an entry go the host's packets that wait there, so that of
// a gateway that nobody is behind stays.
static void ask_again(struct next_hops *hops, uint32_t index)
{
    struct neighbour *neighbour = &hops->neighbours[index];
    const struct ip_address *ip = &neighbour->key.ip;
    uint32_t interface = interface_of(hops, neighbour);
    struct netlink_neighbour said;

    if (neighbour->ours && has_destinations(neighbour) &&
        netlink_get_neighbour(&hops->questions, interface, ip, &said) == 0 &&
        !(said.state & NUD_USABLE))
        netlink_delete_neighbour(&hops->questions, interface, ip);
    manage_neighbour(hops, index);
    set_failed(hops, neighbour, !neighbour->resolved);
}

// Whose links are eager in this turn, a bit each.
static uint32_t take_eager_turns(struct next_hops *hops)
{
    uint32_t eager = 0;

    for (unsigned place = 0; place < hops->config.interface_count; place++) {
        struct link *link = &hops->links[place];

        if (link->eager_turns == 0)
            continue;
        link->eager_turns--;
        eager |= UINT32_C(1) << place;
    }
    return eager;
}

static bool is_to_be_asked(const struct next_hops *hops, const struct neighbour *neighbour,
                           uint32_t eager, bool is_due)
{
    if (!neighbour->used || neighbour->resolved || !has_destinations(neighbour) ||
        !hops->links[neighbour->key.place].is_running)
        return false;
    return (eager >> neighbour->key.place & 1) || (is_due && neighbour->failed);
}

void next_hops_insist(struct next_hops *hops)
{
    uint32_t eager = take_eager_turns(hops);
    bool is_due = hops->failed_count > 0 && ++hops->turn % INSIST_TURNS == 0;
    unsigned asked = 0;

    if (eager == 0 && !is_due)
        return;
    for (uint32_t i = 1; i < hops->neighbour_pool.fresh && asked < INSIST_MAX; i++) {
        if (++hops->insisted >= hops->neighbour_pool.fresh)
            hops->insisted = 1;
        if (!is_to_be_asked(hops, &hops->neighbours[hops->insisted], eager, is_due))
            continue;
        ask_again(hops, hops->insisted);
        asked++;
    }
}

// What was asked without a carrier nobody has heard.
static void ask_all_again(struct next_hops *hops, unsigned place)
{
    for (uint32_t index = 1; index < hops->neighbour_pool.fresh; index++) {
        const struct neighbour *neighbour = &hops->neighbours[index];

        if (neighbour->used && !neighbour->resolved && neighbour->key.place == place)
            ask_again(hops, index);
    }
}

static void set_link(struct next_hops *hops, unsigned place, bool is_running)
{
    struct link *link = &hops->links[place];
    bool came_up = is_running && !link->is_running;

    link->is_running = is_running;
    if (!came_up)
        return;
    link->eager_turns = EAGER_TURNS;
    ask_all_again(hops, place);
}

static void note_link(uint32_t interface, bool is_running, void *context)
{
    struct next_hops *hops = context;
    unsigned place = find_interface(hops, interface);

    if (is_ours(hops, place))
        set_link(hops, place, is_running);
}

static void manage_all(struct next_hops *hops)
{
    for (uint32_t index = 1; index < hops->neighbour_pool.fresh; index++) {
        if (hops->neighbours[index].used)
            manage_neighbour(hops, index);
    }
}

static void read_link(struct next_hops *hops, unsigned place)
{
    bool is_running;
    int error =
        netlink_get_link(&hops->questions, hops->config.interfaces[place].index, &is_running);

    hops->interface_gone |= error == -ENODEV;
    if (!error)
        set_link(hops, place, is_running);
}

// Anything may have happened. Routes are asked for by the walk that follows.
static void read_anew(struct next_hops *hops)
{
    manage_all(hops);
    hops->routes_changed = true;
    for (unsigned place = 0; place < hops->config.interface_count; place++)
        read_link(hops, place);
}

static void note_route_change(void *context)
{
    struct next_hops *hops = context;

    hops->routes_changed = true;
}

static void note_link_gone(uint32_t interface, void *context)
{
    struct next_hops *hops = context;

    hops->interface_gone |= is_ours(hops, find_interface(hops, interface));
}

int next_hops_fd(const struct next_hops *hops)
{
    return mnl_socket_get_fd(hops->news.socket);
}

bool next_hops_receive(struct next_hops *hops)
{
    const struct netlink_news news = {take_news, note_route_change, note_link, note_link_gone,
                                      hops};
    bool changed;

    if (netlink_receive(&hops->news, &news) == -ENOBUFS)
        read_anew(hops);
    changed = hops->routes_changed;
    hops->routes_changed = false;
    return changed;
}

bool next_hops_interface_is_gone(const struct next_hops *hops)
{
    return hops->interface_gone;
}

static int open_there(void *context)
{
    return netlink_open(context);
}

static int open_questions(const struct next_hops *hops, struct netlink *netlink)
{
    return netns_call(hops->config.netns, open_there, netlink);
}

struct listing {
    struct next_hops *hops;
    bool is_whole;
};

static bool list_prefix(const struct ip_prefix *prefix, bool spreads, void *context)
{
    struct listing *listing = context;

    listing->is_whole = !spreads && route_ranges_add(&listing->hops->ranges, prefix);
    return listing->is_whole;
}

// Gateways are asked for before anybody is behind them, and kept when nobody is any more: the first
// packet that way need not wait for the answer, and none can.
static void list_gateway(const struct netlink_route *route, void *context)
{
    struct next_hops *hops = ((struct listing *)context)->hops;
    unsigned place = find_interface(hops, route->interface);
    struct neighbour_key key;
    uint32_t index;

    if (!is_ours(hops, place))
        return;
    key = neighbour_key(hops, &route->gateway, route, place);
    index = find_neighbour(hops, &key);
    if (index == INDEX_NONE || hops->neighbours[index].listed == 0) {
        // Half of the room is for neighbours on the link.
        if (hops->gateway_count >= hops->config.adjacencies / 2)
            return;
        index = take_neighbour(hops, &key);
        if (index == ADJACENCY_NONE)
            return;
        hops->gateway_count++;
    }
    hops->neighbours[index].listed = hops->listing;
}

static void give_unlisted_gateways(struct next_hops *hops)
{
    for (uint32_t index = 1; index < hops->neighbour_pool.fresh; index++) {
        struct neighbour *neighbour = &hops->neighbours[index];

        if (!neighbour->used || neighbour->listed == 0 || neighbour->listed == hops->listing)
            continue;
        neighbour->listed = 0;
        hops->gateway_count--;
        give_neighbour(hops, index);
    }
}

// With a socket of its own, which a list that is broken off leaves unusable.
static int list_routes_once(struct listing *listing)
{
    const struct netlink_route_reader reader = {list_prefix, list_gateway, listing};
    struct next_hops *hops = listing->hops;
    struct netlink netlink;
    int error = open_questions(hops, &netlink);

    if (error)
        return error;
    listing->is_whole = true;
    hops->listing++;
    route_ranges_begin(&hops->ranges);
    error = netlink_list_routes(&netlink, &reader);
    netlink_close(&netlink);
    return error;
}

static void list_routes(struct next_hops *hops)
{
    struct listing listing = {.hops = hops};
    int error = -EINTR;

    for (unsigned i = 0; i < LISTINGS_MAX && error == -EINTR; i++)
        error = list_routes_once(&listing);
    route_ranges_end(&hops->ranges, !error && listing.is_whole);
    if (!error)
        give_unlisted_gateways(hops);
}

// What is new since is told of by news.
static void relist_routes(struct next_hops *hops)
{
    struct route_ranges before = hops->ranges;

    hops->ranges = hops->ranges_before;
    hops->ranges_before = before;
    list_routes(hops);
}

void next_hops_begin_walk(struct next_hops *hops, bool reroute)
{
    hops->walk++;
    hops->walking = true;
    hops->rerouting = reroute;
    hops->said_full = false;
    if (!reroute)
        return;
    hops->route++;
    relist_routes(hops);
    // A link that went down took its neighbours with it.
    manage_all(hops);
}

void next_hops_end_walk(struct next_hops *hops)
{
    hops->walking = false;
    hops->rerouting = false;
    for (uint32_t index = 0; index < hops->destination_pool.fresh; index++) {
        struct destination *destination = &hops->destinations[index];

        if (!destination->used || destination->walk == hops->walk)
            continue;
        give_neighbour(hops, destination->adjacency);
        index_map_remove(&hops->destination_map, destination_hash(hops, &destination->key), index);
        index_pool_give(&hops->destination_pool, index);
        destination->used = false;
    }
    for (uint32_t index = 1; index < hops->neighbour_pool.fresh; index++) {
        if (hops->neighbours[index].used && hops->neighbours[index].references == 0)
            forget_neighbour(hops, index);
    }
}

bool next_hops_lack_room(const struct next_hops *hops)
{
    return hops->said_full;
}

void next_hops_refresh(struct next_hops *hops)
{
    if (!hops->kernel_manages)
        manage_all(hops);
}

void next_hops_get_usage(const struct next_hops *hops, struct next_hops_usage *ret_usage)
{
    struct next_hops_usage usage = {
        .adjacencies = index_pool_used(&hops->neighbour_pool) - 1,
        .destinations = index_pool_used(&hops->destination_pool),
    };

    for (uint32_t index = 1; index < hops->neighbour_pool.fresh; index++)
        usage.resolved += hops->neighbours[index].resolved;
    *ret_usage = usage;
}

struct leftovers {
    struct netlink netlink; // not the socket that the list is read from
    uint32_t interface;
};

static void delete_leftover(const struct netlink_neighbour *said, void *context)
{
    struct leftovers *leftovers = context;

    if (said->protocol == NETLINK_PROTOCOL)
        netlink_delete_neighbour(&leftovers->netlink, leftovers->interface, &said->ip);
}

static void delete_leftovers(struct next_hops *hops, uint32_t interface)
{
    struct leftovers leftovers = {.interface = interface};

    if (open_questions(hops, &leftovers.netlink) < 0)
        return;
    netlink_list_neighbours(&hops->questions, interface, delete_leftover, &leftovers);
    netlink_close(&leftovers.netlink);
}

static void begin_interface(struct next_hops *hops, unsigned place)
{
    uint32_t interface = hops->config.interfaces[place].index;

    if (netlink_get_link(&hops->questions, interface, &hops->links[place].is_running) != 0)
        hops->links[place].is_running = true;
    delete_leftovers(hops, interface);
}

static int tables_init(struct next_hops *hops)
{
    struct siphash_key key;

    route_ranges_init(&hops->ranges);
    route_ranges_init(&hops->ranges_before);
    random_fill(&random_system, &key, sizeof(key));
    hops->neighbours = calloc(hops->config.adjacencies, sizeof(*hops->neighbours));
    hops->destinations = calloc(hops->config.destinations, sizeof(*hops->destinations));
    if (!hops->neighbours || !hops->destinations ||
        index_pool_init(&hops->neighbour_pool, hops->config.adjacencies) < 0 ||
        index_pool_init(&hops->destination_pool, hops->config.destinations) < 0 ||
        index_map_init(&hops->neighbour_map, hops->config.adjacencies, &key) < 0 ||
        index_map_init(&hops->destination_map, hops->config.destinations, &key) < 0)
        return -ENOMEM;
    index_pool_take(&hops->neighbour_pool); // ADJACENCY_NONE
    return 0;
}

static void tables_done(struct next_hops *hops)
{
    index_map_done(&hops->destination_map);
    index_map_done(&hops->neighbour_map);
    index_pool_done(&hops->destination_pool);
    index_pool_done(&hops->neighbour_pool);
    route_ranges_done(&hops->ranges_before);
    route_ranges_done(&hops->ranges);
    free(hops->destinations);
    free(hops->neighbours);
}

static int subscribe_there(void *context)
{
    return netlink_subscribe(context);
}

static int sockets_open(struct next_hops *hops)
{
    int error = open_questions(hops, &hops->questions);

    if (!error) {
        error = netns_call(hops->config.netns, subscribe_there, &hops->news);
        if (error)
            netlink_close(&hops->questions);
    }
    if (error)
        log_message(LOG_LEVEL_ERROR, "netlink",
                    "cannot ask the kernel for routes and neighbours: %s", strerror(-error));
    return error;
}

int next_hops_create(const struct next_hops_config *config, struct next_hops **ret_hops)
{
    struct next_hops *hops = calloc(1, sizeof(*hops));
    int error;

    if (!hops)
        return -ENOMEM;
    hops->config = *config;
    hops->first_changed = INDEX_NONE;
    hops->kernel_manages = true;
    error = tables_init(hops);
    if (error)
        log_message(LOG_LEVEL_ERROR, "no_memory",
                    "no memory for the next hops of %u clients and peers; see total_quota, "
                    "permissions_per_allocation",
                    hops->config.destinations);
    else
        error = sockets_open(hops);
    if (error) {
        tables_done(hops);
        free(hops);
        return error;
    }
    for (unsigned place = 0; place < config->interface_count; place++)
        begin_interface(hops, place);
    list_routes(hops);
    *ret_hops = hops;
    return 0;
}

void next_hops_destroy(struct next_hops *hops)
{
    for (uint32_t index = 1; index < hops->neighbour_pool.fresh; index++) {
        const struct neighbour *neighbour = &hops->neighbours[index];

        if (neighbour->used && neighbour->ours)
            netlink_delete_neighbour(&hops->questions, interface_of(hops, neighbour),
                                     &neighbour->key.ip);
    }
    netlink_close(&hops->news);
    netlink_close(&hops->questions);
    tables_done(hops);
    free(hops);
}
