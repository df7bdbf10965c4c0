// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/local_addresses.h"

#include "rig.h"

static struct local_addresses addresses;

static const struct local_address *find(const char *text)
{
    struct transport_address address;
    assert_int_equal(transport_address_parse(text, &address), 0);
    return local_addresses_find(&addresses, address.ip.bytes, ip_address_len(&address.ip),
                                address.port);
}

static void assert_is(const char *text, enum local_kind kind, unsigned index)
{
    const struct local_address *found = find(text);
    assert_non_null(found);
    assert_int_equal(found->kind, kind);
    assert_int_equal(found->index, index);
}

static void tells_listeners_from_relay_ports_of_one_family(void **state)
{
    (void)state;
    struct plane_config config;
    rig_config(&config, 1);
    local_addresses_init(&addresses, &config, IP_FAMILY_V4, NULL);
    assert_is(LISTENER_V4, LOCAL_LISTENER, RIG_LISTENER_V4);
    assert_is(RELAY_V4_LOCAL ":49152", LOCAL_RELAY, RIG_RELAY_V4);
    assert_is(RELAY_V4_LOCAL ":65535", LOCAL_RELAY, RIG_RELAY_V4);
    assert_null(find(RELAY_V4_LOCAL ":49151"));
    assert_null(find(RELAY_V4_ADVERTISED ":50000"));
    assert_null(find("203.0.113.1:3479"));
    local_addresses_init(&addresses, &config, IP_FAMILY_V6, NULL);
    assert_is(LISTENER_V6, LOCAL_LISTENER, RIG_LISTENER_V6);
    assert_is("[" RELAY_V6 "]:50000", LOCAL_RELAY, RIG_RELAY_V6);
    assert_null(find("[2001:db8::2]:3478"));
}

static void a_listener_comes_before_a_relay_range_that_covers_it(void **state)
{
    (void)state;
    struct plane_config config;
    rig_config(&config, 1);
    assert_int_equal(transport_address_parse(RELAY_V4_LOCAL ":50000",
                                             &config.listeners[config.listener_count++]),
                     0);
    local_addresses_init(&addresses, &config, IP_FAMILY_V4, NULL);
    assert_is(RELAY_V4_LOCAL ":50000", LOCAL_LISTENER, 2);
    assert_is(RELAY_V4_LOCAL ":50001", LOCAL_RELAY, RIG_RELAY_V4);
}

static const struct local_host *host_of(const char *text)
{
    struct ip_address ip;
    assert_int_equal(ip_address_parse(text, &ip), 0);
    const struct local_host *host = local_host_find(&addresses, ip.bytes, ip_address_len(&ip));
    bool is_it = memcmp(host->ip, ip.bytes, ip_address_len(&ip)) == 0;
    return is_it ? host : NULL;
}

static void an_address_is_a_host_once_whether_clients_or_peers_send_there(void **state)
{
    (void)state;
    struct plane_config config;
    const struct relay_slot *slots = (const void *)&config; // never looked at
    const struct relay_slot *const slots_of[PLANE_RELAYS_MAX] = {[RIG_RELAY_V4] = slots};
    rig_config(&config, 1);
    assert_int_equal(
        transport_address_parse(RELAY_V4_LOCAL ":3478", &config.listeners[config.listener_count++]),
        0);
    local_addresses_init(&addresses, &config, IP_FAMILY_V4, slots_of);
    const struct local_host *relay = host_of(RELAY_V4_LOCAL);
    assert_non_null(relay);
    assert_int_equal(relay->port_count, 65536 - 49152);
    assert_ptr_equal(relay->slots, slots);
    const struct local_host *listener = host_of("203.0.113.1");
    assert_non_null(listener);
    assert_int_equal(listener->port_count, 0);
    assert_int_equal(addresses.host_count, 2);
    assert_null(host_of("203.0.113.2"));
}

static void one_address_may_have_several_relay_ranges(void **state)
{
    (void)state;
    struct plane_config config;
    rig_config(&config, 1);
    config.relays[RIG_RELAY_V4].max_port = 50000;
    config.relays[config.relay_count] = config.relays[RIG_RELAY_V4];
    config.relays[config.relay_count].min_port = 60000;
    config.relays[config.relay_count++].max_port = 60010;
    local_addresses_init(&addresses, &config, IP_FAMILY_V4, NULL);
    assert_is(RELAY_V4_LOCAL ":50000", LOCAL_RELAY, RIG_RELAY_V4);
    assert_null(find(RELAY_V4_LOCAL ":50001"));
    assert_is(RELAY_V4_LOCAL ":60010", LOCAL_RELAY, 2);
}

// Some share a bucket.
static void finds_each_of_as_many_as_there_can_be(void **state)
{
    (void)state;
    struct plane_config config = {.listener_count = PLANE_LISTENERS_MAX,
                                  .relay_count = PLANE_RELAYS_MAX};
    uint8_t ip[4] = {10, 0, 0, 0};
    for (uint8_t i = 0; i < LOCAL_ADDRESSES_MAX; i++) {
        ip[2] = (uint8_t)(91 * i);
        ip[3] = i;
        struct ip_address address = ip_address_from_bytes(IP_FAMILY_V4, ip);
        if (i < PLANE_LISTENERS_MAX)
            config.listeners[i] = (struct transport_address){address, 3478};
        else
            config.relays[i - PLANE_LISTENERS_MAX] =
                (struct plane_relay){address, address, 49152, 65535};
    }
    local_addresses_init(&addresses, &config, IP_FAMILY_V4, NULL);
    bool is_shared = false;
    for (unsigned i = 0; i < LOCAL_ADDRESSES_MAX; i++) {
        ip[2] = (uint8_t)(91 * i);
        ip[3] = (uint8_t)i;
        bool is_listener = i < PLANE_LISTENERS_MAX;
        const struct local_address *found =
            local_addresses_find(&addresses, ip, sizeof(ip), is_listener ? 3478 : 49152);
        assert_non_null(found);
        assert_memory_equal(found->ip, ip, sizeof(ip));
        assert_int_equal(found->index, is_listener ? i : i - PLANE_LISTENERS_MAX);
        assert_null(local_addresses_find(&addresses, ip, sizeof(ip), is_listener ? 49152 : 3478));
        assert_true(local_addresses_has(&addresses, ip, sizeof(ip)));
        is_shared |= found->next != 0;
    }
    assert_true(is_shared);
    ip[3] = LOCAL_ADDRESSES_MAX;
    assert_null(local_addresses_find(&addresses, ip, sizeof(ip), 49152));
    assert_false(local_addresses_has(&addresses, ip, sizeof(ip)));
}

static void knows_its_addresses_whatever_the_port(void **state)
{
    (void)state;
    struct plane_config config;
    static const uint8_t relay[4] = {10, 0, 0, 5}, listener[4] = {203, 0, 113, 1},
                         other[4] = {10, 0, 0, 6};
    rig_config(&config, 1);
    local_addresses_init(&addresses, &config, IP_FAMILY_V4, NULL);
    assert_true(local_addresses_has(&addresses, relay, 4));
    assert_true(local_addresses_has(&addresses, listener, 4));
    assert_false(local_addresses_has(&addresses, other, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_listeners_from_relay_ports_of_one_family),
        cmocka_unit_test(a_listener_comes_before_a_relay_range_that_covers_it),
        cmocka_unit_test(an_address_is_a_host_once_whether_clients_or_peers_send_there),
        cmocka_unit_test(one_address_may_have_several_relay_ranges),
        cmocka_unit_test(finds_each_of_as_many_as_there_can_be),
        cmocka_unit_test(knows_its_addresses_whatever_the_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
