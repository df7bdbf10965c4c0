// SPDX-License-Identifier: BSD-3-Clause
// Loads and attaches the XDP program, and gives the AF_XDP driver's sockets to it. The 22.11 driver
// can load a program itself, but then attaches it in whatever mode the kernel prefers, without a
// fallback, leaves it attached when the process is killed, and loads it anew for every port. So the
// program is ours from beginning to end, and the driver gets none.
#include "platform/xdp_filter.h"

#include "base/bytes.h"
#include "base/log.h"
#include "base/port_slice.h"
#include "platform/xdp_filter_rules.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xdp/xsk.h>

#define PROGRAM_NAME "turnpike"

static_assert(PLANE_LISTENERS_MAX + PLANE_RELAYS_MAX <= XDP_FILTER_RANGES_MAX, "every range fits");

struct xdp_filter {
    struct bpf_object *object;
    int program_fd; // of the object
    int sockets_fd; // xsks_map, of the object
    int link_fd;    // -1: not attached
    enum xdp_filter_mode mode;
    int sockets[PORT_SLICE_COUNT]; // of the queues; -1: none
    unsigned socket_count;
    unsigned zero_copy_count;
};

extern const char xdp_filter_object[];
extern const char xdp_filter_object_end[];

// The driver gives its sockets no context, so the filter that they belong to is known to the
// process.
static struct xdp_filter *attached;

static void range_init(struct xdp_filter_range *range, const struct ip_address *ip,
                       uint16_t min_port, uint16_t max_port, bool relayed)
{
    *range = (struct xdp_filter_range){
        .family = ip->family, .min_port = min_port, .max_port = max_port, .relayed = relayed};
    memcpy(range->address, ip->bytes, sizeof(ip->bytes));
}

void xdp_filter_make_rules(const struct plane_config *config, struct xdp_filter_rules *ret_rules)
{
    struct xdp_filter_rules rules = {};

    for (unsigned i = 0; i < config->listener_count; i++) {
        const struct transport_address *listener = &config->listeners[i];

        range_init(&rules.ranges[rules.range_count++], &listener->ip, listener->port,
                   listener->port, false);
    }
    for (unsigned i = 0; i < config->relay_count; i++) {
        const struct plane_relay *relay = &config->relays[i];

        range_init(&rules.ranges[rules.range_count++], &relay->local, relay->min_port,
                   relay->max_port, true);
    }
    *ret_rules = rules;
}

static int print_nothing(enum libbpf_print_level level, const char *format, va_list arguments)
{
    (void)level;
    (void)format;
    (void)arguments;
    return 0;
}

static struct xdp_filter_address address_of(const struct xdp_filter_range *range)
{
    struct xdp_filter_address address = {.family = range->family};

    memcpy(address.words, range->address, sizeof(address.words));
    return address;
}

// The address of a range, once: several may have it. Its place in the order of addresses.
static int address_add(int addresses_fd, const struct xdp_filter_range *range,
                       uint32_t *address_count, uint32_t *ret_first)
{
    const struct xdp_filter_address address = address_of(range);

    if (bpf_map_lookup_elem(addresses_fd, &address, ret_first) == 0)
        return 0;
    *ret_first = *address_count * XDP_FILTER_WORDS_AN_ADDRESS;
    (*address_count)++;
    return bpf_map_update_elem(addresses_fd, &address, ret_first, BPF_NOEXIST);
}

static uint64_t bits_of_word(const struct xdp_filter_range *range, uint32_t word)
{
    uint64_t kind = range->relayed ? XDP_FILTER_OURS | XDP_FILTER_RELAYED : XDP_FILTER_OURS;
    uint64_t bits = 0;

    for (uint32_t i = 0; i < XDP_FILTER_PORTS_A_WORD; i++) {
        uint32_t port = word * XDP_FILTER_PORTS_A_WORD + i;

        if (port >= range->min_port && port <= range->max_port)
            bits |= kind << i * 2;
    }
    return bits;
}

static int ports_add(int ports_fd, const struct xdp_filter_range *range, uint32_t first)
{
    int error = 0;

    for (uint32_t word = range->min_port / XDP_FILTER_PORTS_A_WORD;
         !error && word <= range->max_port / XDP_FILTER_PORTS_A_WORD; word++) {
        uint32_t place = first + word;
        uint64_t bits;

        error = bpf_map_lookup_elem(ports_fd, &place, &bits);
        if (error)
            break;
        bits |= bits_of_word(range, word);
        error = bpf_map_update_elem(ports_fd, &place, &bits, BPF_ANY);
    }
    return error;
}

// Before anything is attached.
static int rules_tell(const struct xdp_filter_rules *rules, int addresses_fd, int ports_fd)
{
    uint32_t address_count = 0, first = 0;
    int error = 0;

    for (uint32_t i = 0; !error && i < rules->range_count; i++) {
        error = address_add(addresses_fd, &rules->ranges[i], &address_count, &first);
        if (!error)
            error = ports_add(ports_fd, &rules->ranges[i], first);
    }
    return error;
}

// 0, or -errno with nothing left behind.
static int object_load(const struct xdp_filter_rules *rules, struct bpf_object **ret_object)
{
    LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = PROGRAM_NAME);
    struct bpf_object *object;
    struct bpf_map *addresses, *ports;
    uint32_t most = rules->range_count > 0 ? rules->range_count : 1; // addresses
    int error;

    object = bpf_object__open_mem(xdp_filter_object,
                                  (size_t)(xdp_filter_object_end - xdp_filter_object), &options);
    if (!object)
        return -errno;
    addresses = bpf_object__find_map_by_name(object, "addresses");
    ports = bpf_object__find_map_by_name(object, "ports");
    error = addresses && ports ? bpf_map__set_max_entries(addresses, most) : -ENOENT;
    if (!error)
        error = bpf_map__set_max_entries(ports, most * XDP_FILTER_WORDS_AN_ADDRESS);
    if (!error)
        error = bpf_object__load(object);
    if (!error)
        error = rules_tell(rules, bpf_map__fd(addresses), bpf_map__fd(ports));
    if (error) {
        bpf_object__close(object);
        return error;
    }
    *ret_object = object;
    return 0;
}

// -EBUSY and a log line when the interface has a program.
static int refuse_other_program(const char *interface, int index)
{
    LIBBPF_OPTS(bpf_xdp_query_opts, query);
    struct bpf_prog_info info = {};
    uint32_t info_len = sizeof(info);
    int error = bpf_xdp_query(index, 0, &query);
    uint32_t id = query.prog_id;
    int fd;

    if (error || query.attach_mode == XDP_ATTACHED_NONE)
        return 0; // a kernel that cannot say will refuse the attachment
    fd = bpf_prog_get_fd_by_id(id);
    if (fd >= 0) {
        if (bpf_obj_get_info_by_fd(fd, &info, &info_len))
            info.name[0] = '\0';
        close(fd);
    }
    if (strcmp(info.name, PROGRAM_NAME) == 0)
        log_message(LOG_LEVEL_ERROR, "interface_busy",
                    "%s is in use by another turnpike process: stop that one first", interface);
    else
        log_message(LOG_LEVEL_ERROR, "interface_busy",
                    "%s has an XDP program already (%s, id %u), and it cannot be shared: find its "
                    "owner with "
                    "'bpftool net show', or remove it with 'ip link set dev %s xdp off'",
                    interface, info.name[0] ? info.name : "unnamed", id, interface);
    return -EBUSY;
}

static int link_create(int program_fd, int index, uint32_t flags)
{
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);
    int fd = bpf_link_create(program_fd, index, BPF_XDP, &options);

    return fd < 0 ? -errno : fd;
}

int xdp_filter_create(const struct plane_config *config, struct xdp_filter **ret_filter)
{
    struct xdp_filter_rules rules;
    struct xdp_filter *filter = calloc(1, sizeof(*filter));
    int error;

    if (!filter)
        return -ENOMEM;
    // libbpf's lines are for programmers of BPF; what matters here is said in our own words.
    libbpf_set_print(print_nothing);
    xdp_filter_make_rules(config, &rules);
    error = object_load(&rules, &filter->object);
    if (error) {
        log_message(LOG_LEVEL_ERROR, "xdp_load", "the kernel does not load our XDP program: %s",
                    strerror(-error));
        free(filter);
        return error;
    }
    filter->program_fd = bpf_program__fd(bpf_object__next_program(filter->object, NULL));
    filter->sockets_fd = bpf_object__find_map_fd_by_name(filter->object, "xsks_map");
    filter->link_fd = -1;
    memset(filter->sockets, -1, sizeof(filter->sockets));
    *ret_filter = filter;
    return 0;
}

void xdp_filter_destroy(struct xdp_filter *filter)
{
    if (attached == filter)
        attached = NULL;
    if (filter->link_fd >= 0)
        close(filter->link_fd);
    bpf_object__close(filter->object);
    free(filter);
}

int xdp_filter_attach(struct xdp_filter *filter, const char *interface, enum xdp_filter_mode mode)
{
    int index = (int)if_nametoindex(interface);
    int fd = -EOPNOTSUPP;
    int error = refuse_other_program(interface, index);

    assert(!attached);
    if (error)
        return error;
    if (mode != XDP_FILTER_GENERIC) {
        filter->mode = XDP_FILTER_NATIVE;
        fd = link_create(filter->program_fd, index, XDP_FLAGS_DRV_MODE);
        if (fd < 0 && mode == XDP_FILTER_AUTO)
            log_message(LOG_LEVEL_WARNING, "xdp_generic",
                        "the driver of %s refuses XDP (%s): using generic XDP, which is slower",
                        interface, strerror(-fd));
    }
    if (fd < 0 && mode != XDP_FILTER_NATIVE) {
        filter->mode = XDP_FILTER_GENERIC;
        fd = link_create(filter->program_fd, index, XDP_FLAGS_SKB_MODE);
    }
    if (fd < 0) {
        log_message(LOG_LEVEL_ERROR, "xdp_refused",
                    "%s does not take our XDP program in %s mode: %s%s", interface,
                    mode == XDP_FILTER_NATIVE ? "native" : "generic", strerror(-fd),
                    mode == XDP_FILTER_NATIVE ? "; xdp_mode = \"auto\" falls back to generic" : "");
        filter->mode = XDP_FILTER_AUTO;
        return fd;
    }
    filter->link_fd = fd;
    attached = filter;
    return 0;
}

static bool socket_is_zero_copy(int fd)
{
    struct xdp_options options = {};
    socklen_t len = sizeof(options);

    return getsockopt(fd, SOL_XDP, XDP_OPTIONS, &options, &len) == 0 &&
           (options.flags & XDP_OPTIONS_ZEROCOPY);
}

int xdp_filter_add_socket(struct xdp_filter *filter, uint32_t queue, int fd)
{
    int error;

    if (queue >= PORT_SLICE_COUNT)
        return -ERANGE;
    error = bpf_map_update_elem(filter->sockets_fd, &queue, &fd, 0);
    if (error)
        return error;
    filter->sockets[queue] = fd;
    filter->socket_count++;
    filter->zero_copy_count += socket_is_zero_copy(fd);
    return 0;
}

int xdp_filter_socket(const struct xdp_filter *filter, uint32_t queue)
{
    return queue < PORT_SLICE_COUNT ? filter->sockets[queue] : -1;
}

int xdp_filter_program(const struct xdp_filter *filter)
{
    return filter->program_fd;
}

enum xdp_filter_mode xdp_filter_mode(const struct xdp_filter *filter)
{
    return filter->mode;
}

unsigned xdp_filter_socket_count(const struct xdp_filter *filter)
{
    return filter->socket_count;
}

bool xdp_filter_is_zero_copy(const struct xdp_filter *filter)
{
    return filter->socket_count > 0 && filter->zero_copy_count == filter->socket_count;
}

// The AF_XDP driver's call to libxdp lands here: the executable comes before libraries when symbols
// are bound. Left alone, libxdp would attach a program of its own, which takes every packet.
int xsk_socket__create(struct xsk_socket **ret_socket, const char *interface, uint32_t queue,
                       struct xsk_umem *umem, struct xsk_ring_cons *rx, struct xsk_ring_prod *tx,
                       const struct xsk_socket_config *config)
{
    typeof(&xsk_socket__create) create =
        (typeof(&xsk_socket__create))dlsym(RTLD_NEXT, "xsk_socket__create");
    struct xsk_socket_config ours = *config;
    int error;

    if (!attached || !create)
        return -ENOTSUP;
    ours.libxdp_flags |= XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD;
    if (attached->mode == XDP_FILTER_GENERIC)
        ours.bind_flags = (uint16_t)((ours.bind_flags & ~XDP_ZEROCOPY) | XDP_COPY);
    error = create(ret_socket, interface, queue, umem, rx, tx, &ours);
    if (error)
        return error;
    error = xdp_filter_add_socket(attached, queue, xsk_socket__fd(*ret_socket));
    if (error)
        xsk_socket__delete(*ret_socket);
    return error;
}
