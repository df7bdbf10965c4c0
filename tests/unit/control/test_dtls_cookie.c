// SPDX-License-Identifier: BSD-3-Clause
// Claims about cookies: whose they are, and for how long.
#include "control/dtls_cookie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS 5000

static struct dtls_cookie_keys keys;
static struct transport_address client, server;
static uint8_t cookie[DTLS_COOKIE_LEN];

static int set_up(void **state)
{
    (void)state;
    dtls_cookie_keys_init(&keys, NOW_MS);
    assert_int_equal(transport_address_parse("192.0.2.1:1000", &client), 0);
    assert_int_equal(transport_address_parse("192.0.2.2:5349", &server), 0);
    dtls_cookie_make(&keys, &client, &server, cookie);
    return 0;
}

static bool is_good(void)
{
    return dtls_cookie_verify(&keys, &client, &server, (struct span){cookie, sizeof(cookie)});
}

static void a_cookie_is_good_for_both_addresses_and_ports(void **state)
{
    (void)state;
    assert_true(is_good());
    client.port++;
    assert_false(is_good());
    client.port--;
    client.ip.bytes[0] ^= 1;
    assert_false(is_good());
    client.ip.bytes[0] ^= 1;
    server.port++;
    assert_false(is_good());
    server.port--;
    server.ip.bytes[3] ^= 1;
    assert_false(is_good());
    server.ip.bytes[3] ^= 1;
    assert_true(is_good());
}

static void no_bit_of_a_cookie_may_differ(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 8 * DTLS_COOKIE_LEN; bit++) {
        cookie[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(is_good());
        cookie[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(is_good());
}

static void a_cookie_has_its_length(void **state)
{
    uint8_t longer[DTLS_COOKIE_LEN + 1] = {0};

    (void)state;
    memcpy(longer, cookie, sizeof(cookie));
    for (size_t len = 0; len <= sizeof(longer); len++)
        assert_int_equal(dtls_cookie_verify(&keys, &client, &server, (struct span){longer, len}),
                         len == DTLS_COOKIE_LEN);
}

static void a_cookie_outlives_its_key_once(void **state)
{
    uint8_t later[DTLS_COOKIE_LEN];

    (void)state;
    dtls_cookie_keys_rotate(&keys, NOW_MS + DTLS_COOKIE_LIFETIME_MS - 1);
    dtls_cookie_make(&keys, &client, &server, later);
    assert_memory_equal(later, cookie, sizeof(cookie));
    dtls_cookie_keys_rotate(&keys, NOW_MS + DTLS_COOKIE_LIFETIME_MS);
    dtls_cookie_make(&keys, &client, &server, later);
    assert_memory_not_equal(later, cookie, sizeof(cookie));
    assert_true(is_good());
    dtls_cookie_keys_rotate(&keys, NOW_MS + 2 * DTLS_COOKIE_LIFETIME_MS);
    assert_false(is_good());
}

static void after_a_long_time_no_cookie_is_good(void **state)
{
    (void)state;
    dtls_cookie_keys_rotate(&keys, NOW_MS + 2 * DTLS_COOKIE_LIFETIME_MS);
    assert_false(is_good());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_cookie_is_good_for_both_addresses_and_ports, set_up),
        cmocka_unit_test_setup(no_bit_of_a_cookie_may_differ, set_up),
        cmocka_unit_test_setup(a_cookie_has_its_length, set_up),
        cmocka_unit_test_setup(a_cookie_outlives_its_key_once, set_up),
        cmocka_unit_test_setup(after_a_long_time_no_cookie_is_good, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
