// SPDX-License-Identifier: BSD-3-Clause
// Claims about asking the kernel for an interface, with the one that every host has.
#include "platform/interface.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct ip_address ip(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

static void an_interface_that_is_not_there_is_refused(void **state)
{
    struct interface interface = {.mtu = 42};

    (void)state;
    assert_int_equal(interface_query("nonexistent0", &interface), -ENODEV);
    assert_int_equal(interface.mtu, 42);
}

static void an_interface_without_ethernet_is_refused(void **state)
{
    struct interface interface;

    (void)state;
    assert_int_equal(interface_query("lo", &interface), -EINVAL);
}

static void it_has_to_be_up_and_have_a_queue_for_each_worker(void **state)
{
    struct interface interface = {.name = "eth0", .up = true, .queue_count = 2};

    (void)state;
    assert_int_equal(interface_check(&interface, 2), 0);
    assert_int_equal(interface_check(&interface, 1), -EINVAL);
    assert_int_equal(interface_check(&interface, 3), -EINVAL);
    interface.up = false;
    assert_int_equal(interface_check(&interface, 2), -ENETDOWN);
}

static void it_has_the_addresses_that_it_has(void **state)
{
    const struct interface interface = {.address_count = 2,
                                        .addresses = {ip("192.0.2.1"), ip("2001:db8::1")}};
    const struct ip_address v6 = ip("2001:db8::1"), other = ip("192.0.2.2");

    (void)state;
    assert_true(interface_has_address(&interface, &v6));
    assert_false(interface_has_address(&interface, &other));
}

static void the_host_has_loopback_and_no_documentation_address(void **state)
{
    const struct ip_address loopback = ip("127.0.0.1"), other_v4 = ip("203.0.113.253"),
                            other_v6 = ip("2001:db8::fade");

    (void)state;
    assert_true(interface_host_has_address(&loopback));
    assert_false(interface_host_has_address(&other_v4));
    assert_false(interface_host_has_address(&other_v6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interface_that_is_not_there_is_refused),
        cmocka_unit_test(an_interface_without_ethernet_is_refused),
        cmocka_unit_test(it_has_to_be_up_and_have_a_queue_for_each_worker),
        cmocka_unit_test(it_has_the_addresses_that_it_has),
        cmocka_unit_test(the_host_has_loopback_and_no_documentation_address),
    };

    return cmocka_run_group_tests_name("platform/interface", tests, NULL, NULL);
}
