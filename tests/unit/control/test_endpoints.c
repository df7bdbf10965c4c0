// SPDX-License-Identifier: BSD-3-Clause
// Claims about where the relay listens and what it relays from. The interface is a fake.
#include "control/endpoints.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct ip_address ip(const char *text)
{
    struct ip_address address;

    assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

bool interface_has_address(const struct interface *interface, const struct ip_address *address)
{
    for (unsigned i = 0; i < interface->address_count; i++) {
        if (ip_address_equal(&interface->addresses[i], address))
            return true;
    }
    return false;
}

// 192.0.2.99 is on lo.
bool interface_host_has_address(const struct ip_address *address)
{
    struct ip_address on_lo = ip("192.0.2.99");

    return ip_address_equal(address, &on_lo);
}

static struct interface make_interface(const char *const *addresses)
{
    struct interface interface = {.name = "eth0"};

    for (; *addresses; addresses++)
        interface.addresses[interface.address_count++] = ip(*addresses);
    return interface;
}

static const char *const dual[] = {"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", NULL};
static const struct settings usual = {.min_port = 49152, .max_port = 65535};

static void assert_ip(const struct ip_address *address, const char *expected)
{
    char text[IP_ADDRESS_TEXT_LEN];

    assert_string_equal(ip_address_format(address, text), expected);
}

static void listens_on_every_address_and_relays_from_one_of_each_family(void **state)
{
    const struct interface interface = make_interface(dual);
    struct plane_config config = {};

    (void)state;
    assert_int_equal(endpoints_resolve(&usual, &interface, &config), 0);
    assert_int_equal(config.listener_count, 4);
    assert_ip(&config.listeners[3].ip, "2001:db8::2");
    assert_int_equal(config.listeners[3].port, 3478);
    assert_int_equal(config.relay_count, 2);
    assert_ip(&config.relays[0].local, "192.0.2.1");
    assert_ip(&config.relays[0].advertised, "192.0.2.1");
    assert_int_equal(config.relays[0].min_port, 49152);
    assert_int_equal(config.relays[0].max_port, 65535);
    assert_ip(&config.relays[1].local, "2001:db8::1");
}

static struct settings_certificate certificate;

static unsigned count_streams(const struct plane_config *config, enum stream_transport transport,
                              uint16_t thread, uint16_t port)
{
    unsigned count = 0;

    for (unsigned i = 0; i < config->stream_listener_count; i++)
        count += config->stream_listeners[i].transport == transport &&
                 config->stream_listeners[i].thread == thread &&
                 config->listeners[config->listener_count + i].port == port;
    return count;
}

static void tcp_is_taken_where_udp_is(void **state)
{
    const struct interface interface = make_interface(dual);
    struct settings settings = usual;
    struct plane_config config = {};

    (void)state;
    settings.tcp = true;
    settings.tls_port = 5349;
    settings.dtls = true;
    assert_int_equal(endpoints_resolve(&settings, &interface, &config), 0);
    assert_int_equal(config.listener_count, 4);
    assert_int_equal(config.stream_listener_count, 4); // nothing that needs a certificate
    assert_int_equal(count_streams(&config, STREAM_TCP, 0, 3478), 4);
    assert_int_equal(config.stream_thread_count, 1);
    assert_false(config.dtls);
    assert_ip(&config.listeners[4 + 3].ip, "2001:db8::2");
}

static void with_a_certificate_each_address_has_tls_and_dtls(void **state)
{
    const struct interface interface = make_interface(dual);
    struct settings_listener listen[] = {
        {ip("192.0.2.1"), 3478}, {ip("192.0.2.1"), 80}, {ip("2001:db8::1"), 3478}};
    struct settings_listener further[] = {{ip("192.0.2.1"), 443}};
    struct settings settings = usual;
    struct plane_config config = {};

    (void)state;
    settings.tcp = true;
    settings.tls_port = 5349;
    settings.dtls = true;
    settings.tls_threads = 2;
    settings.listen = (struct setting_list){listen, 3};
    settings.tls_listen = (struct setting_list){further, 1};
    settings.certificates = (struct setting_list){&certificate, 1};
    assert_int_equal(endpoints_resolve(&settings, &interface, &config), 0);
    assert_int_equal(config.listener_count, 3 + 2); // UDP for DTLS, once an address
    assert_true(config.dtls);
    assert_int_equal(config.stream_thread_count, 2);
    for (uint16_t thread = 0; thread < 2; thread++) {
        assert_int_equal(count_streams(&config, STREAM_TCP, thread, 3478), 2);
        assert_int_equal(count_streams(&config, STREAM_TCP, thread, 80), 1);
        assert_int_equal(count_streams(&config, STREAM_TLS, thread, 5349), 2);
        assert_int_equal(count_streams(&config, STREAM_TLS, thread, 443), 1);
        assert_int_equal(count_streams(&config, STREAM_DTLS, thread, 3478), 2);
        assert_int_equal(count_streams(&config, STREAM_DTLS, thread, 80), 1);
        assert_int_equal(count_streams(&config, STREAM_DTLS, thread, 5349), 2);
    }
    assert_int_equal(config.stream_listener_count, 2 * 11);
    settings.tls_port = 0;
    settings.dtls = false;
    assert_int_equal(endpoints_resolve(&settings, &interface, &config), 0);
    assert_int_equal(config.listener_count, 3);
    assert_int_equal(config.stream_listener_count, 2 * 4);
    settings.tls_threads = PLANE_STREAM_THREADS_MAX;
    settings.tls_port = 5349;
    settings.dtls = true;
    assert_int_equal(endpoints_resolve(&settings, &interface, &config), -E2BIG);
}

static void the_external_address_is_for_its_family(void **state)
{
    const struct interface interface = make_interface(dual);
    struct settings settings = usual;
    struct plane_config config = {};

    (void)state;
    settings.external_address = ip("203.0.113.7");
    assert_int_equal(endpoints_resolve(&settings, &interface, &config), 0);
    assert_ip(&config.relays[0].local, "192.0.2.1");
    assert_ip(&config.relays[0].advertised, "203.0.113.7");
    assert_ip(&config.relays[1].advertised, "2001:db8::1");
}

static void an_external_address_that_serves_nothing_is_refused(void **state)
{
    static const char *const v4[] = {"192.0.2.1", NULL};
    const struct interface interface = make_interface(v4);
    struct settings settings = usual;
    struct plane_config config = {};

    (void)state;
    settings.external_address = ip("2001:db8::7");
    assert_int_equal(endpoints_resolve(&settings, &interface, &config), -EADDRNOTAVAIL);
    assert_int_equal(config.listener_count, 0);
}

static void what_the_configuration_names_is_taken(void **state)
{
    const struct interface interface = make_interface(dual);
    struct settings_listener listeners[] = {{ip("192.0.2.2"), 443}};
    struct settings_relay relays[] = {
        {.address = ip("192.0.2.2"),
         .external_address = ip("203.0.113.7"),
         .min_port = 50000,
         .max_port = 50999},
        {.address = ip("192.0.2.99")},
    };
    struct settings settings = usual;
    struct plane_config config = {};

    (void)state;
    settings.listen = (struct setting_list){listeners, 1};
    settings.relay = (struct setting_list){relays, 2};
    assert_int_equal(endpoints_resolve(&settings, &interface, &config), 0);
    assert_int_equal(config.listener_count, 1);
    assert_int_equal(config.listeners[0].port, 443);
    assert_int_equal(config.relay_count, 2);
    assert_ip(&config.relays[0].advertised, "203.0.113.7");
    assert_int_equal(config.relays[0].min_port, 50000);
    assert_int_equal(config.relays[0].max_port, 50999);
    assert_ip(&config.relays[1].advertised, "192.0.2.99");
    assert_int_equal(config.relays[1].min_port, 49152);
}

static void an_address_that_the_host_does_not_have_is_refused(void **state)
{
    const struct interface interface = make_interface(dual);
    struct settings_listener listeners[] = {{ip("192.0.2.200"), 3478}};
    struct settings_relay relays[] = {{.address = ip("192.0.2.200")}};
    struct settings settings = usual;
    struct plane_config config = {};

    (void)state;
    settings.listen = (struct setting_list){listeners, 1};
    assert_int_equal(endpoints_resolve(&settings, &interface, &config), -EADDRNOTAVAIL);
    settings.listen = (struct setting_list){};
    settings.relay = (struct setting_list){relays, 1};
    assert_int_equal(endpoints_resolve(&settings, &interface, &config), -EADDRNOTAVAIL);
}

static void the_addresses_of_a_twin_may_come_later(void **state)
{
    const struct interface interface = {.mtu = 1500};
    struct settings_listener listeners[] = {{ip("192.0.2.200"), 3478}};
    struct settings_relay relays[] = {{.address = ip("192.0.2.200")}};
    struct settings settings = usual;
    struct plane_config config = {};
    char device[] = "net_memif0";

    (void)state;
    settings.device = device;
    settings.listen = (struct setting_list){listeners, 1};
    settings.relay = (struct setting_list){relays, 1};
    assert_int_equal(endpoints_resolve(&settings, &interface, &config), 0);
    assert_int_equal(config.listener_count, 1);
    assert_ip(&config.relays[0].local, "192.0.2.200");
}

static void an_interface_without_addresses_is_refused(void **state)
{
    static const char *const none[] = {NULL};
    const struct interface interface = make_interface(none);
    struct plane_config config = {};

    (void)state;
    assert_int_equal(endpoints_resolve(&usual, &interface, &config), -EADDRNOTAVAIL);
}

static void a_relay_range_with_a_listening_port_is_refused(void **state)
{
    const struct interface interface = make_interface(dual);
    struct settings settings = usual;
    struct plane_config config = {};

    (void)state;
    settings.min_port = 3478;
    assert_int_equal(endpoints_resolve(&settings, &interface, &config), -EINVAL);
    settings.min_port = 1024;
    settings.max_port = 3478;
    assert_int_equal(endpoints_resolve(&settings, &interface, &config), -EINVAL);
    settings.max_port = 3477;
    assert_int_equal(endpoints_resolve(&settings, &interface, &config), 0);
    settings.min_port = 3479;
    settings.max_port = 65535;
    assert_int_equal(endpoints_resolve(&settings, &interface, &config), 0);
    // What was there before is replaced.
    assert_int_equal(config.listener_count, 4);
    assert_int_equal(config.relay_count, 2);
}

static void more_addresses_than_fit_are_refused(void **state)
{
    struct interface interface = {.name = "eth0"};
    struct plane_config config = {};

    (void)state;
    for (uint8_t i = 0; i <= PLANE_LISTENERS_MAX; i++) {
        const uint8_t bytes[4] = {192, 0, 2, i};

        interface.addresses[interface.address_count++] = ip_address_from_bytes(IP_FAMILY_V4, bytes);
    }
    assert_int_equal(endpoints_resolve(&usual, &interface, &config), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listens_on_every_address_and_relays_from_one_of_each_family),
        cmocka_unit_test(tcp_is_taken_where_udp_is),
        cmocka_unit_test(with_a_certificate_each_address_has_tls_and_dtls),
        cmocka_unit_test(the_external_address_is_for_its_family),
        cmocka_unit_test(an_external_address_that_serves_nothing_is_refused),
        cmocka_unit_test(what_the_configuration_names_is_taken),
        cmocka_unit_test(an_address_that_the_host_does_not_have_is_refused),
        cmocka_unit_test(the_addresses_of_a_twin_may_come_later),
        cmocka_unit_test(an_interface_without_addresses_is_refused),
        cmocka_unit_test(a_relay_range_with_a_listening_port_is_refused),
        cmocka_unit_test(more_addresses_than_fit_are_refused),
    };

    return cmocka_run_group_tests_name("control/endpoints", tests, NULL, NULL);
}
