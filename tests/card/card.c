// SPDX-License-Identifier: BSD-3-Clause
// See card.h.
#include "card.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RULES_MAX    4096
#define QUEUES_MAX   64
#define TAG_LEN      4
#define ETHERNET_LEN 14
#define EXACT_PORT   RTE_BE16(0xFFFF)

struct rte_flow {
    bool is_live;
    int vlan; // -1: any, or none
    uint8_t family;
    uint8_t address[16];
    int protocol; // -1: any
    bool fragments;
    bool has_port;
    uint16_t port, port_mask;
    int icmp_type, icmp_code; // -1: any
    uint16_t queues[QUEUES_MAX];
    unsigned queue_count;
};

struct card card;
static struct rte_flow own_rules[RULES_MAX];
static struct rte_flow *rules = own_rules;

void card_reset(void)
{
    memset(rules, 0, RULES_MAX * sizeof(*rules));
    card = (struct card){
        .knows_rules = true, .knows_masks = true, .can_isolate = true, .capacity = RULES_MAX};
}

bool card_keep(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void *kept = MAP_FAILED;

    if (fd < 0)
        return false;
    if (ftruncate(fd, sizeof(own_rules)) == 0)
        kept = mmap(NULL, sizeof(own_rules), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (kept == MAP_FAILED)
        return false;
    rules = kept;
    card.live = 0;
    for (unsigned i = 0; i < RULES_MAX; i++)
        card.live += rules[i].is_live;
    return true;
}

static bool read_ipv4(const struct rte_flow_item *item, struct rte_flow *rule)
{
    const struct rte_flow_item_ipv4 *spec = item->spec, *mask = item->mask, *last = item->last;

    if (!spec || mask->hdr.dst_addr != UINT32_MAX || mask->hdr.src_addr)
        return false;
    rule->family = 4;
    memcpy(rule->address, &spec->hdr.dst_addr, 4);
    if (mask->hdr.next_proto_id)
        rule->protocol = spec->hdr.next_proto_id;
    if (!mask->hdr.fragment_offset)
        return true;
    // The one range that mlx5 takes.
    rule->fragments = true;
    return mask->hdr.fragment_offset == RTE_BE16(0x3FFF) &&
           spec->hdr.fragment_offset == RTE_BE16(1) && last &&
           last->hdr.fragment_offset == RTE_BE16(0x3FFF) &&
           last->hdr.dst_addr == spec->hdr.dst_addr;
}

static bool read_ipv6(const struct rte_flow_item *item, struct rte_flow *rule)
{
    const struct rte_flow_item_ipv6 *spec = item->spec, *mask = item->mask;

    if (!spec || item->last)
        return false;
    for (unsigned i = 0; i < 16; i++) {
        if (mask->hdr.dst_addr[i] != UINT8_MAX || mask->hdr.src_addr[i])
            return false;
    }
    rule->family = 6;
    memcpy(rule->address, spec->hdr.dst_addr, 16);
    return true;
}

static bool read_fragment(const struct rte_flow_item *item, struct rte_flow *rule)
{
    const struct rte_flow_item_ipv6_frag_ext *spec = item->spec, *mask = item->mask;

    if (rule->family != 6 || mask->hdr.next_header != UINT8_MAX || mask->hdr.frag_data)
        return false;
    rule->fragments = true;
    rule->protocol = spec->hdr.next_header;
    return true;
}

static bool read_udp(const struct rte_flow_item *item, struct rte_flow *rule)
{
    const struct rte_flow_item_udp *spec = item->spec, *mask = item->mask;

    if (!rule->family || rule->fragments || mask->hdr.src_port ||
        (spec->hdr.dst_port & ~mask->hdr.dst_port) ||
        (!card.knows_masks && mask->hdr.dst_port != EXACT_PORT))
        return false;
    rule->protocol = IPPROTO_UDP;
    rule->has_port = true;
    rule->port = ntohs(spec->hdr.dst_port);
    rule->port_mask = ntohs(mask->hdr.dst_port);
    return true;
}

static bool read_vlan(const struct rte_flow_item *item, struct rte_flow *rule)
{
    const struct rte_flow_item_vlan *spec = item->spec, *mask = item->mask;

    rule->vlan = ntohs(spec->tci);
    return !rule->family && mask->tci == RTE_BE16(0x0FFF);
}

static bool read_icmp(const struct rte_flow_item *item, struct rte_flow *rule)
{
    const struct rte_flow_item_icmp *spec = item->spec, *mask = item->mask;

    rule->protocol = IPPROTO_ICMP;
    rule->icmp_type = spec->hdr.icmp_type;
    if (mask->hdr.icmp_code)
        rule->icmp_code = spec->hdr.icmp_code;
    return rule->family == 4 && mask->hdr.icmp_type == UINT8_MAX &&
           (!mask->hdr.icmp_code || mask->hdr.icmp_code == UINT8_MAX);
}

static bool read_icmp6(const struct rte_flow_item *item, struct rte_flow *rule)
{
    const struct rte_flow_item_icmp6 *spec = item->spec, *mask = item->mask;

    rule->protocol = IPPROTO_ICMPV6;
    rule->icmp_type = spec->type;
    if (mask->code)
        rule->icmp_code = spec->code;
    return rule->family == 6 && mask->type == UINT8_MAX && (!mask->code || mask->code == UINT8_MAX);
}

static bool read_item(const struct rte_flow_item *item, struct rte_flow *rule)
{
    switch ((int)item->type) {
    case RTE_FLOW_ITEM_TYPE_ETH:
        return !item->spec && !item->mask;
    case RTE_FLOW_ITEM_TYPE_VLAN:
        return read_vlan(item, rule);
    case RTE_FLOW_ITEM_TYPE_IPV4:
        return read_ipv4(item, rule);
    case RTE_FLOW_ITEM_TYPE_IPV6:
        return read_ipv6(item, rule);
    case RTE_FLOW_ITEM_TYPE_IPV6_FRAG_EXT:
        return read_fragment(item, rule);
    case RTE_FLOW_ITEM_TYPE_UDP:
        return read_udp(item, rule);
    case RTE_FLOW_ITEM_TYPE_ICMP:
        return read_icmp(item, rule);
    case RTE_FLOW_ITEM_TYPE_ICMP6:
        return read_icmp6(item, rule);
    default:
        return false;
    }
}

static bool read_action(const struct rte_flow_action *action, struct rte_flow *rule)
{
    const struct rte_flow_action_rss *spread = action->conf;

    if (action->type == RTE_FLOW_ACTION_TYPE_QUEUE) {
        rule->queues[0] = ((const struct rte_flow_action_queue *)action->conf)->index;
        rule->queue_count = 1;
        return true;
    }
    if (action->type != RTE_FLOW_ACTION_TYPE_RSS || spread->types == 0)
        return false;
    rule->queue_count = spread->queue_num;
    memcpy(rule->queues, spread->queue, spread->queue_num * sizeof(rule->queues[0]));
    return true;
}

static bool read_rule(const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
                      struct rte_flow *ret_rule)
{
    *ret_rule = (struct rte_flow){
        .is_live = true, .vlan = -1, .protocol = -1, .icmp_type = -1, .icmp_code = -1};
    for (; pattern->type != RTE_FLOW_ITEM_TYPE_END; pattern++) {
        if (!read_item(pattern, ret_rule))
            return false;
    }
    return ret_rule->family && read_action(actions, ret_rule) &&
           actions[1].type == RTE_FLOW_ACTION_TYPE_END;
}

static int refuse(struct rte_flow_error *error, int code, const char *why)
{
    *error = (struct rte_flow_error){.message = why};
    rte_errno = code;
    return -code;
}

// As drivers without rules do, and as ethdev says it for them.
static int refuse_all(struct rte_flow_error *error)
{
    return refuse(error, ENOSYS, strerror(ENOSYS));
}

int rte_flow_validate(uint16_t port, const struct rte_flow_attr *attributes,
                      const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
                      struct rte_flow_error *error)
{
    struct rte_flow rule;

    (void)port;
    if (!card.knows_rules)
        return refuse_all(error);
    if (!attributes->ingress || !read_rule(pattern, actions, &rule))
        return refuse(error, ENOTSUP, "the card cannot do that");
    return 0;
}

static bool is_same(const struct rte_flow *a, const struct rte_flow *b)
{
    return a->is_live && a->vlan == b->vlan && a->family == b->family &&
           memcmp(a->address, b->address, sizeof(a->address)) == 0 && a->protocol == b->protocol &&
           a->fragments == b->fragments && a->port == b->port && a->port_mask == b->port_mask &&
           a->icmp_type == b->icmp_type && a->icmp_code == b->icmp_code;
}

struct rte_flow *rte_flow_create(uint16_t port, const struct rte_flow_attr *attributes,
                                 const struct rte_flow_item pattern[],
                                 const struct rte_flow_action actions[],
                                 struct rte_flow_error *error)
{
    struct rte_flow rule;
    unsigned place = 0;

    if (rte_flow_validate(port, attributes, pattern, actions, error) < 0)
        return NULL;
    read_rule(pattern, actions, &rule);
    for (unsigned i = 0; i < RULES_MAX; i++) {
        if (is_same(&rules[i], &rule)) {
            refuse(error, EEXIST, "there is such a rule");
            return NULL;
        }
    }
    if (card.live == card.capacity || card.made + 1 == card.fails_at) {
        refuse(error, ENOSPC, "no place for a rule");
        return NULL;
    }
    while (rules[place].is_live)
        place++;
    rules[place] = rule;
    card.made++;
    card.live++;
    if (card.on_rule)
        card.on_rule(port);
    return &rules[place];
}

int rte_flow_destroy(uint16_t port, struct rte_flow *flow, struct rte_flow_error *error)
{
    (void)port;
    if (!flow->is_live)
        return refuse(error, ENOENT, "there is no such rule");
    flow->is_live = false;
    card.live--;
    return 0;
}

int rte_flow_flush(uint16_t port, struct rte_flow_error *error)
{
    (void)port;
    if (!card.knows_rules)
        return refuse_all(error);
    for (unsigned i = 0; i < RULES_MAX; i++)
        rules[i].is_live = false;
    card.live = 0;
    return 0;
}

int rte_flow_isolate(uint16_t port, int set, struct rte_flow_error *error)
{
    (void)port;
    if (!card.can_isolate)
        return refuse_all(error);
    card.is_isolated = set;
    return 0;
}

// What the card sees of a frame.
struct seen {
    int vlan;
    uint8_t family;
    const uint8_t *source, *destination;
    uint8_t protocol;
    bool is_fragment, is_later;
    const uint8_t *upper;
    size_t upper_len;
};

static bool see_ipv4(const uint8_t *ip, size_t len, struct seen *seen)
{
    size_t header_len = len < 20 ? 0 : (ip[0] & 15) * 4u;
    uint16_t offset;

    if (header_len < 20 || header_len > len)
        return false;
    offset = (uint16_t)((ip[6] << 8 | ip[7]) & 0x3FFF);
    seen->family = 4;
    seen->source = ip + 12;
    seen->destination = ip + 16;
    seen->protocol = ip[9];
    seen->is_fragment = offset != 0;
    seen->is_later = (offset & 0x1FFF) != 0;
    seen->upper = ip + header_len;
    seen->upper_len = len - header_len;
    return true;
}

static bool see_ipv6(const uint8_t *ip, size_t len, struct seen *seen)
{
    if (len < 48)
        return false;
    seen->family = 6;
    seen->source = ip + 8;
    seen->destination = ip + 24;
    seen->protocol = ip[6];
    seen->upper = ip + 40;
    seen->upper_len = len - 40;
    if (seen->protocol != IPPROTO_FRAGMENT)
        return true;
    seen->protocol = ip[40];
    seen->is_fragment = true;
    seen->is_later = ((ip[42] << 8 | ip[43]) & 0xFFF8) != 0;
    seen->upper += 8;
    seen->upper_len -= 8;
    return true;
}

static bool see(const uint8_t *frame, size_t len, int vlan, struct seen *seen)
{
    uint16_t type;

    *seen = (struct seen){.vlan = vlan};
    if (len < ETHERNET_LEN + TAG_LEN)
        return false;
    type = (uint16_t)(frame[12] << 8 | frame[13]);
    if (type == RTE_ETHER_TYPE_VLAN) {
        seen->vlan = (frame[14] << 8 | frame[15]) & 0x0FFF;
        type = (uint16_t)(frame[16] << 8 | frame[17]);
        frame += TAG_LEN;
        len -= TAG_LEN;
    }
    if (type == RTE_ETHER_TYPE_IPV4)
        return see_ipv4(frame + ETHERNET_LEN, len - ETHERNET_LEN, seen);
    return type == RTE_ETHER_TYPE_IPV6 && see_ipv6(frame + ETHERNET_LEN, len - ETHERNET_LEN, seen);
}

static bool has_upper(const struct seen *seen)
{
    return seen->upper_len >= 8 && !seen->is_later &&
           (!seen->is_fragment || card.sees_first_fragments);
}

static bool matches(const struct rte_flow *rule, const struct seen *seen)
{
    uint16_t port = has_upper(seen) ? (uint16_t)(seen->upper[2] << 8 | seen->upper[3]) : 0;

    return rule->is_live && (rule->vlan < 0 || rule->vlan == seen->vlan) &&
           rule->family == seen->family &&
           memcmp(rule->address, seen->destination, rule->family == 4 ? 4 : 16) == 0 &&
           (rule->protocol < 0 || rule->protocol == seen->protocol) &&
           (!rule->fragments || seen->is_fragment) &&
           (!rule->has_port || (has_upper(seen) && (port & rule->port_mask) == rule->port)) &&
           (rule->icmp_type < 0 || (has_upper(seen) && seen->upper[0] == rule->icmp_type)) &&
           (rule->icmp_code < 0 || (has_upper(seen) && seen->upper[1] == rule->icmp_code));
}

// As cards do: where there are no ports, by addresses alone.
static uint16_t spread(const struct rte_flow *rule, const struct seen *seen)
{
    unsigned sum = 0, len = seen->family == 4 ? 4 : 16;

    for (unsigned i = 0; i < len; i++)
        sum += seen->source[i];
    if (rule->has_port)
        sum += seen->upper[0] + seen->upper[1];
    return rule->queues[sum % rule->queue_count];
}

int card_queue_of(const uint8_t *frame, size_t len, int vlan, uint16_t arrival)
{
    struct seen seen;

    for (unsigned i = 0; see(frame, len, vlan, &seen) && i < RULES_MAX; i++) {
        if (matches(&rules[i], &seen))
            return spread(&rules[i], &seen);
    }
    return card.is_isolated ? CARD_NOWHERE : arrival;
}
