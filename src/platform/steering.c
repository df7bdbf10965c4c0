// SPDX-License-Identifier: BSD-3-Clause
// See platform/steering.h. What a driver takes cannot be known but by asking it, and whether its
// device does so, but by looking: so all rules are tried, made and, once packets come, held against
// where these arrive.
#include "platform/steering.h"

#include "base/log.h"
#include "platform/steering_rules.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX     5
#define VLAN_ID_BITS  0x0FFF
#define FRAGMENT_BITS (RTE_IPV4_HDR_OFFSET_MASK | RTE_IPV4_HDR_MF_FLAG)
#define ERROR_LEN     64

// A device that does otherwise is one that does so with more than one packet in a hundred; a few
// come before it has its rules, and some that no rule may match, behind IP options.
#define STRAYS_MIN     1000
#define STRAYS_PERCENT 1

struct steering {
    uint16_t port;
    bool is_distrusted; // and that was said
    unsigned count;
    struct rte_flow *flows[];
};

// A rule as DPDK has it: pattern and actions point into the rest.
struct flow {
    struct rte_flow_item pattern[ITEMS_MAX + 1];
    unsigned item_count;
    struct rte_flow_item_vlan vlan, vlan_mask;
    struct rte_flow_item_ipv4 ipv4, ipv4_last, ipv4_mask;
    struct rte_flow_item_ipv6 ipv6, ipv6_mask;
    struct rte_flow_item_ipv6_frag_ext fragment, fragment_mask;
    struct rte_flow_item_udp udp, udp_mask;
    struct rte_flow_item_icmp icmp, icmp_mask;
    struct rte_flow_item_icmp6 icmp6, icmp6_mask;
    struct rte_flow_action actions[2];
    struct rte_flow_action_queue queue;
    struct rte_flow_action_rss spread;
    uint16_t queues[PLANE_WORKERS_MAX];
};

static const struct rte_flow_attr attributes = {.ingress = 1};

static struct rte_flow_item *add_item(struct flow *flow, enum rte_flow_item_type type,
                                      const void *spec, const void *mask)
{
    struct rte_flow_item *item = &flow->pattern[flow->item_count++];

    *item = (struct rte_flow_item){.type = type, .spec = spec, .mask = mask};
    return item;
}

static void add_ipv4(struct flow *flow, const struct steering_rule *rule)
{
    struct rte_flow_item *item =
        add_item(flow, RTE_FLOW_ITEM_TYPE_IPV4, &flow->ipv4, &flow->ipv4_mask);

    memcpy(&flow->ipv4.hdr.dst_addr, rule->destination.bytes, sizeof(flow->ipv4.hdr.dst_addr));
    flow->ipv4_mask.hdr.dst_addr = UINT32_MAX;
    if (rule->kind != STEERING_FRAGMENTS)
        return;
    // Any offset, or more to come.
    flow->ipv4.hdr.next_proto_id = IPPROTO_UDP;
    flow->ipv4_mask.hdr.next_proto_id = UINT8_MAX;
    flow->ipv4.hdr.fragment_offset = RTE_BE16(1);
    flow->ipv4_mask.hdr.fragment_offset = RTE_BE16(FRAGMENT_BITS);
    flow->ipv4_last = flow->ipv4;
    flow->ipv4_last.hdr.fragment_offset = RTE_BE16(FRAGMENT_BITS);
    item->last = &flow->ipv4_last;
}

static void add_ipv6(struct flow *flow, const struct steering_rule *rule)
{
    add_item(flow, RTE_FLOW_ITEM_TYPE_IPV6, &flow->ipv6, &flow->ipv6_mask);
    memcpy(flow->ipv6.hdr.dst_addr, rule->destination.bytes, sizeof(flow->ipv6.hdr.dst_addr));
    memset(flow->ipv6_mask.hdr.dst_addr, UINT8_MAX, sizeof(flow->ipv6_mask.hdr.dst_addr));
    if (rule->kind != STEERING_FRAGMENTS)
        return;
    flow->fragment.hdr.next_header = IPPROTO_UDP;
    flow->fragment_mask.hdr.next_header = UINT8_MAX;
    add_item(flow, RTE_FLOW_ITEM_TYPE_IPV6_FRAG_EXT, &flow->fragment, &flow->fragment_mask);
}

static void add_udp(struct flow *flow, const struct steering_rule *rule)
{
    flow->udp.hdr.dst_port = htons(rule->port);
    flow->udp_mask.hdr.dst_port = htons(rule->port_mask);
    add_item(flow, RTE_FLOW_ITEM_TYPE_UDP, &flow->udp, &flow->udp_mask);
}

static void add_icmp(struct flow *flow, const struct steering_rule *rule)
{
    if (rule->destination.family == IP_FAMILY_V4) {
        flow->icmp.hdr.icmp_type = rule->icmp_type;
        flow->icmp_mask.hdr.icmp_type = UINT8_MAX;
        flow->icmp.hdr.icmp_code = rule->icmp_code;
        flow->icmp_mask.hdr.icmp_code = rule->icmp_code_mask;
        add_item(flow, RTE_FLOW_ITEM_TYPE_ICMP, &flow->icmp, &flow->icmp_mask);
    } else {
        flow->icmp6.type = rule->icmp_type;
        flow->icmp6_mask.type = UINT8_MAX;
        flow->icmp6.code = rule->icmp_code;
        flow->icmp6_mask.code = rule->icmp_code_mask;
        add_item(flow, RTE_FLOW_ITEM_TYPE_ICMP6, &flow->icmp6, &flow->icmp6_mask);
    }
}

static void make_pattern(const struct steering_rule *rule, uint16_t vlan, struct flow *flow)
{
    add_item(flow, RTE_FLOW_ITEM_TYPE_ETH, NULL, NULL);
    if (vlan > 0) {
        flow->vlan.tci = htons(vlan);
        flow->vlan_mask.tci = RTE_BE16(VLAN_ID_BITS);
        add_item(flow, RTE_FLOW_ITEM_TYPE_VLAN, &flow->vlan, &flow->vlan_mask);
    }
    if (rule->destination.family == IP_FAMILY_V4)
        add_ipv4(flow, rule);
    else
        add_ipv6(flow, rule);
    if (rule->kind == STEERING_RELAY || rule->kind == STEERING_LISTENER)
        add_udp(flow, rule);
    else if (rule->kind == STEERING_ERRORS)
        add_icmp(flow, rule);
    add_item(flow, RTE_FLOW_ITEM_TYPE_END, NULL, NULL);
}

static uint64_t spread_types(const struct steering_rule *rule)
{
    bool is_v4 = rule->destination.family == IP_FAMILY_V4;

    if (rule->kind == STEERING_FRAGMENTS)
        return is_v4 ? RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4
                     : RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_FRAG_IPV6;
    return is_v4 ? RTE_ETH_RSS_NONFRAG_IPV4_UDP : RTE_ETH_RSS_NONFRAG_IPV6_UDP;
}

static void make_actions(const struct steering_rule *rule, uint16_t queue_count, struct flow *flow)
{
    bool is_spread =
        queue_count > 1 && (rule->kind == STEERING_LISTENER || rule->kind == STEERING_FRAGMENTS);

    flow->queue.index = rule->queue;
    flow->actions[0] =
        (struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &flow->queue};
    flow->actions[1] = (struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_END};
    if (!is_spread)
        return;
    for (uint16_t i = 0; i < queue_count; i++)
        flow->queues[i] = i;
    flow->spread = (struct rte_flow_action_rss){
        .types = spread_types(rule), .queue_num = queue_count, .queue = flow->queues};
    flow->actions[0] =
        (struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_RSS, .conf = &flow->spread};
}

static void make_flow(const struct steering_config *config, const struct steering_rule *rule,
                      struct flow *ret_flow)
{
    memset(ret_flow, 0, sizeof(*ret_flow));
    make_pattern(rule, config->vlan, ret_flow);
    make_actions(rule, config->plane->worker_count, ret_flow);
}

static int say_why(const struct rte_flow_error *error, int code, char text[ERROR_LEN])
{
    snprintf(text, ERROR_LEN, "%s", error->message ? error->message : strerror(code));
    return -code;
}

static int try_rules(const struct steering_config *config, const struct steering_rules *rules,
                     char why[ERROR_LEN])
{
    for (unsigned i = 0; i < rules->count; i++) {
        struct rte_flow_error error = {};
        struct flow flow;
        int result;

        make_flow(config, &rules->at[i], &flow);
        result = rte_flow_validate(config->port, &attributes, flow.pattern, flow.actions, &error);
        if (result < 0)
            return say_why(&error, -result, why);
    }
    return 0;
}

static int make_rules(const struct steering_config *config, const struct steering_rules *rules,
                      struct steering *steering, char why[ERROR_LEN])
{
    while (steering->count < rules->count) {
        struct rte_flow_error error = {};
        struct flow flow;
        struct rte_flow *made;

        make_flow(config, &rules->at[steering->count], &flow);
        made = rte_flow_create(config->port, &attributes, flow.pattern, flow.actions, &error);
        if (!made)
            return say_why(&error, rte_errno ? rte_errno : EIO, why);
        steering->flows[steering->count++] = made;
    }
    return 0;
}

// Nothing is left of what failed.
static int establish(const struct steering_config *config, const struct steering_rules *rules,
                     struct steering **ret_steering, char why[ERROR_LEN])
{
    struct steering *steering;
    int error;

    if (rules->count > STEERING_RULES_MAX) {
        snprintf(why, ERROR_LEN, "it would take %u, more than %d", rules->count,
                 STEERING_RULES_MAX);
        return -E2BIG;
    }
    error = try_rules(config, rules, why);
    if (error)
        return error;
    steering = calloc(1, sizeof(*steering) + rules->count * sizeof(steering->flows[0]));
    if (!steering) {
        snprintf(why, ERROR_LEN, "%s", strerror(ENOMEM));
        return -ENOMEM;
    }
    steering->port = config->port;
    error = make_rules(config, rules, steering, why);
    if (error)
        steering_destroy(steering);
    else
        *ret_steering = steering;
    return error;
}

static void add_outcome(const struct steering_config *config, const struct steering *steering,
                        const char *why_not, struct port_facts *facts)
{
    struct port_fact *fact;

    if (!steering) {
        port_facts_add_steering(facts);
        fact = &facts->at[facts->count - 1];
        snprintf(fact->why, sizeof(fact->why), "no rules: %s; what is others' goes by ring",
                 why_not);
        return;
    }
    fact = port_facts_add(facts, "steering");
    snprintf(fact->used, sizeof(fact->used), "rte_flow, %u rules", steering->count);
    snprintf(fact->why, sizeof(fact->why), "%s",
             config->is_isolated ? "all that is the relay's, the rest is the kernel's"
                                 : "what is for a relay port comes to its worker");
}

static int steer(const struct steering_config *config, struct port_facts *facts,
                 struct steering **ret_steering)
{
    struct steering_rules *rules = malloc(sizeof(*rules));
    struct steering *steering = NULL;
    char why[ERROR_LEN] = "";
    int error = -ENOMEM;

    if (rules) {
        if (config->is_isolated)
            steering_rules_make_all(config->plane, rules);
        else
            steering_rules_make(config->plane, rules);
        error = establish(config, rules, &steering, why);
        free(rules);
    }
    if (error && config->is_isolated) {
        log_message(LOG_LEVEL_ERROR, "steering",
                    "%s refuses rules, without which it delivers nothing: %s; without "
                    "flow_isolation the kernel gets a twin",
                    config->device, why);
        return error;
    }
    add_outcome(config, steering, why, facts);
    *ret_steering = steering;
    return 0;
}

// Of a relay that was killed, where the device has outlived it: they send what is for us to queues
// of its, and are in the way of ours. Of a driver without rules nothing is to be learned here.
static void remove_rules_of_others(uint16_t port)
{
    struct rte_flow_error error;

    (void)rte_flow_flush(port, &error);
}

int steering_create(const struct steering_config *config, struct port_facts *facts,
                    struct steering **ret_steering)
{
    struct port_fact *fact;

    remove_rules_of_others(config->port);
    if (config->plane->worker_count > 1 || config->is_isolated)
        return steer(config, facts, ret_steering);
    fact = port_facts_add(facts, "steering");
    snprintf(fact->used, sizeof(fact->used), "no");
    snprintf(fact->why, sizeof(fact->why), "there is one worker");
    *ret_steering = NULL;
    return 0;
}

void steering_destroy(struct steering *steering)
{
    struct rte_flow_error error;

    while (steering->count > 0)
        (void)rte_flow_destroy(steering->port, steering->flows[--steering->count], &error);
    free(steering);
}

int steering_isolate(const char *device, uint16_t port)
{
    struct rte_flow_error error = {};
    int result = rte_flow_isolate(port, 1, &error);
    char why[ERROR_LEN];

    if (result == 0)
        return 0;
    say_why(&error, -result, why);
    log_message(LOG_LEVEL_ERROR, "steering",
                "%s is no device that the kernel keeps beside us: %s; without flow_isolation the "
                "kernel gets a twin",
                device, why);
    return result;
}

// Datagrams of peers that came to another worker than their port's, but for what was in fragments,
// which no rule steers.
static uint64_t count_strays(const struct worker_counters *sum)
{
    uint64_t foreign = sum->counters[COUNTER_FOREIGN_PEERS];
    uint64_t reassembled = sum->counters[COUNTER_REASSEMBLED];

    return foreign > reassembled ? foreign - reassembled : 0;
}

static void distrust(struct steering *steering, uint64_t strays, struct port_facts *facts)
{
    log_message(LOG_LEVEL_WARNING, "steering_ignored",
                "the device has taken rules and does otherwise: %" PRIu64
                " datagrams for relay ports came to other workers, which hand them on",
                strays);
    steering->is_distrusted = true;
    for (unsigned i = 0; i < facts->count; i++) {
        struct port_fact *fact = &facts->at[i];

        if (strcmp(fact->item, "steering") != 0)
            continue;
        snprintf(fact->used, sizeof(fact->used), "hand-off");
        snprintf(fact->why, sizeof(fact->why),
                 "the device has taken %u rules and does otherwise: what is others' goes by ring",
                 steering->count);
    }
}

void steering_look(struct steering *steering, const struct plane *plane, struct port_facts *facts)
{
    struct worker_counters sum;
    uint64_t strays, relayed;

    if (!steering || steering->is_distrusted || plane->config.worker_count == 1)
        return;
    worker_counters_sum(plane->counters, plane->config.worker_count, &sum);
    strays = count_strays(&sum);
    relayed = sum.counters[COUNTER_PEER_TO_CHANNEL] + sum.counters[COUNTER_PEER_TO_DATA];
    if (strays >= STRAYS_MIN && strays * 100 > relayed * STRAYS_PERCENT)
        distrust(steering, strays, facts);
}
