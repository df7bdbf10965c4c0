// SPDX-License-Identifier: BSD-3-Clause
// Claims about how many connections one source may have.
#include "control/stream_sources.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define CAPACITY 8

static struct stream_sources sources;

static struct ip_address ip(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

static bool take(const char *text)
{
    const struct ip_address address = ip(text);

    return stream_sources_take(&sources, &address);
}

static void give(const char *text)
{
    const struct ip_address address = ip(text);

    stream_sources_give(&sources, &address);
}

static void a_source_has_no_more_than_it_may(void **state)
{
    (void)state;
    assert_int_equal(stream_sources_init(&sources, CAPACITY, 2), 0);
    assert_true(take("192.0.2.1"));
    assert_true(take("192.0.2.1"));
    assert_false(take("192.0.2.1"));
    assert_true(take("192.0.2.2"));
    give("192.0.2.1");
    assert_true(take("192.0.2.1"));
    assert_false(take("192.0.2.1"));
    stream_sources_done(&sources);
}

static void an_ipv6_host_is_its_prefix(void **state)
{
    (void)state;
    assert_int_equal(stream_sources_init(&sources, CAPACITY, 1), 0);
    assert_true(take("2001:db8::1"));
    assert_false(take("2001:db8::ffff:1"));
    assert_true(take("2001:db8:0:1::1"));
    give("2001:db8::1");
    assert_true(take("2001:db8::ffff:1"));
    stream_sources_done(&sources);
}

static void places_come_back(void **state)
{
    (void)state;
    assert_int_equal(stream_sources_init(&sources, CAPACITY, 1), 0);
    for (unsigned round = 0; round < 3 * CAPACITY; round++) {
        char text[] = "192.0.2.1";

        for (unsigned i = 0; i < CAPACITY; i++) {
            text[8] = (char)('1' + i);
            assert_true(take(text));
        }
        for (unsigned i = 0; i < CAPACITY; i++) {
            text[8] = (char)('1' + i);
            give(text);
        }
    }
    assert_int_equal(index_pool_used(&sources.pool), 0);
    stream_sources_done(&sources);
}

static void without_a_bound_a_source_has_any_number(void **state)
{
    (void)state;
    assert_int_equal(stream_sources_init(&sources, CAPACITY, 0), 0);
    for (unsigned i = 0; i < 100000; i++)
        assert_true(take("192.0.2.1"));
    stream_sources_done(&sources);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_has_no_more_than_it_may),
        cmocka_unit_test(an_ipv6_host_is_its_prefix),
        cmocka_unit_test(places_come_back),
        cmocka_unit_test(without_a_bound_a_source_has_any_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
