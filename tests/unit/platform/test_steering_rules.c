// SPDX-License-Identifier: BSD-3-Clause
// Claims about what a device is asked to deliver where: every relay port to its worker, and no
// listener's port to any.
#include "platform/steering_rules.h"

#include "base/port_slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct plane_config config;
static struct steering_rules rules;

static struct ip_address address_of(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

static void add_listener(const char *address, uint16_t port)
{
    config.listeners[config.listener_count++] =
        (struct transport_address){address_of(address), port};
}

static void add_relay(const char *address, uint16_t min_port, uint16_t max_port)
{
    config.relays[config.relay_count++] = (struct plane_relay){
        .local = address_of(address), .min_port = min_port, .max_port = max_port};
}

static int set_up(void **state)
{
    (void)state;
    config = (struct plane_config){.worker_count = 2};
    return 0;
}

static bool is_relay_port(const struct ip_address *address, uint16_t port)
{
    for (unsigned i = 0; i < config.relay_count; i++) {
        const struct plane_relay *relay = &config.relays[i];

        if (ip_address_equal(&relay->local, address) && port >= relay->min_port &&
            port <= relay->max_port)
            return true;
    }
    return false;
}

static bool is_listener(const struct ip_address *address, uint16_t port)
{
    for (unsigned i = 0; i < config.listener_count; i++) {
        if (ip_address_equal(&config.listeners[i].ip, address) && config.listeners[i].port == port)
            return true;
    }
    return false;
}

// How many rules of the kind match; the last of them, NULL: none.
static unsigned find(enum steering_rule_kind kind, const struct ip_address *address, uint16_t port,
                     const struct steering_rule **ret_rule)
{
    unsigned count = 0;

    *ret_rule = NULL;
    for (unsigned i = 0; i < rules.count; i++) {
        const struct steering_rule *rule = &rules.at[i];

        if (rule->kind != kind || !ip_address_equal(&rule->destination, address) ||
            (port & rule->port_mask) != rule->port)
            continue;
        *ret_rule = rule;
        count++;
    }
    return count;
}

// Whatever the rules say of every port of an address is right.
static void assert_right(const char *text, bool exactly)
{
    struct ip_address address = address_of(text);

    assert_in_range(rules.count, 1, STEERING_RULES_MAX);
    for (uint32_t port = 0; port <= UINT16_MAX; port++) {
        const struct steering_rule *rule;
        unsigned count = find(STEERING_RELAY, &address, (uint16_t)port, &rule);
        bool is_ours = is_relay_port(&address, (uint16_t)port);

        assert_in_range(count, is_ours, 1);
        if (count == 1)
            assert_int_equal(rule->queue, port_slice_worker((uint16_t)port, config.worker_count));
        if (exactly)
            assert_int_equal(count, is_ours);
        if (is_listener(&address, (uint16_t)port))
            assert_int_equal(count, 0);
    }
}

static void one_masked_rule_covers_the_slice_of_each_of_so_many_workers(void **state)
{
    (void)state;
    add_listener("192.0.2.1", 3478);
    add_relay("192.0.2.1", 49152, 65535);
    add_relay("2001:db8::1", 49152, 65535);
    for (uint16_t workers = 1; workers <= PORT_SLICE_COUNT; workers *= 2) {
        config.worker_count = workers;
        steering_rules_make(&config, &rules);
        assert_int_equal(rules.count, 2 * workers);
        assert_right("192.0.2.1", false);
        assert_right("2001:db8::1", false);
    }
}

static void any_number_of_workers_is_served(void **state)
{
    (void)state;
    add_listener("192.0.2.1", 3478);
    add_relay("192.0.2.1", 50000, 60001);
    for (uint16_t workers = 1; workers <= PORT_SLICE_COUNT; workers++) {
        config.worker_count = workers;
        steering_rules_make(&config, &rules);
        assert_right("192.0.2.1", false);
        // Ports beyond the range are nobody's: it need not be met.
        assert_in_range(rules.count, workers, 2 * PORT_SLICE_COUNT);
    }
}

static void ports_of_listeners_are_left_alone_however_close(void **state)
{
    (void)state;
    config.worker_count = 4;
    add_listener("192.0.2.1", 49999);
    add_listener("192.0.2.1", 50130);
    add_listener("192.0.2.2", 50001);
    add_relay("192.0.2.1", 50000, 50129);
    steering_rules_make(&config, &rules);
    assert_right("192.0.2.1", false);
}

static void ranges_of_one_address_are_one_range(void **state)
{
    (void)state;
    add_listener("192.0.2.1", 3478);
    add_relay("192.0.2.1", 50000, 51000);
    add_relay("192.0.2.1", 50500, 52000);
    add_relay("192.0.2.1", 1024, 2047);
    steering_rules_make(&config, &rules);
    assert_right("192.0.2.1", false);
    steering_rules_make_all(&config, &rules);
    assert_right("192.0.2.1", true);
}

static void what_leaves_the_rest_to_the_kernel_takes_no_port_but_ours(void **state)
{
    static const uint16_t ranges[][2] = {
        {49152, 65535}, {50000, 60000}, {1025, 1155}, {3479, 65534}, {0, 65535}};

    (void)state;
    for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        for (uint16_t workers = 1; workers <= 8; workers++) {
            config = (struct plane_config){.worker_count = workers};
            add_relay("2001:db8::1", ranges[i][0], ranges[i][1]);
            steering_rules_make_all(&config, &rules);
            assert_right("2001:db8::1", true);
        }
    }
}

static unsigned count_of(enum steering_rule_kind kind, const char *text)
{
    struct ip_address address = address_of(text);
    unsigned count = 0;

    for (unsigned i = 0; i < rules.count; i++)
        count += rules.at[i].kind == kind && ip_address_equal(&rules.at[i].destination, &address);
    return count;
}

static void it_takes_listeners_fragments_and_errors_too(void **state)
{
    const struct steering_rule *rule;
    struct ip_address address = address_of("192.0.2.1");

    (void)state;
    add_listener("192.0.2.1", 3478);
    add_listener("192.0.2.1", 5349);
    add_listener("192.0.2.9", 3478);
    add_listener("192.0.2.9", 5349);
    add_listener("2001:db8::9", 3478);
    add_relay("192.0.2.1", 49152, 65535);
    add_relay("2001:db8::1", 49152, 65535);
    steering_rules_make_all(&config, &rules);
    for (uint32_t port = 0; port <= UINT16_MAX; port++)
        assert_int_equal(find(STEERING_LISTENER, &address, (uint16_t)port, &rule),
                         is_listener(&address, (uint16_t)port));
    assert_int_equal(count_of(STEERING_FRAGMENTS, "192.0.2.1"), 1);
    assert_int_equal(count_of(STEERING_FRAGMENTS, "192.0.2.9"), 1);
    assert_int_equal(count_of(STEERING_FRAGMENTS, "2001:db8::1"), 1);
    // Unreachable and time exceeded; of IPv6, packet too big too.
    assert_int_equal(count_of(STEERING_ERRORS, "192.0.2.1"), 2);
    assert_int_equal(count_of(STEERING_ERRORS, "2001:db8::1"), 3);
    // Where there are listeners alone, what is too big for the path to a client.
    assert_int_equal(count_of(STEERING_ERRORS, "192.0.2.9"), 1);
    assert_int_equal(count_of(STEERING_ERRORS, "2001:db8::9"), 1);
}

static void more_rules_than_there_may_be_are_counted_and_not_written(void **state)
{
    (void)state;
    config.worker_count = PORT_SLICE_COUNT;
    for (unsigned i = 0; i < PLANE_RELAYS_MAX; i++) {
        char text[IP_ADDRESS_TEXT_LEN] = "192.0.2.";

        text[8] = (char)('1' + i / 10);
        text[9] = (char)('0' + i % 10);
        add_relay(text, 49152, 65535);
    }
    steering_rules_make(&config, &rules);
    assert_int_equal(rules.count, PLANE_RELAYS_MAX * PORT_SLICE_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_masked_rule_covers_the_slice_of_each_of_so_many_workers, set_up),
        cmocka_unit_test_setup(any_number_of_workers_is_served, set_up),
        cmocka_unit_test_setup(ports_of_listeners_are_left_alone_however_close, set_up),
        cmocka_unit_test_setup(ranges_of_one_address_are_one_range, set_up),
        cmocka_unit_test_setup(what_leaves_the_rest_to_the_kernel_takes_no_port_but_ours, set_up),
        cmocka_unit_test_setup(it_takes_listeners_fragments_and_errors_too, set_up),
        cmocka_unit_test_setup(more_rules_than_there_may_be_are_counted_and_not_written, set_up),
    };

    return cmocka_run_group_tests_name("platform/steering_rules", tests, NULL, NULL);
}
