// SPDX-License-Identifier: BSD-3-Clause
#include "exchange/client_home.h"

#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define CLIENTS 8192

typedef void (*make_client)(unsigned number, uint8_t ip[16], uint16_t *ret_port);

static void ports_of_one_nat(unsigned number, uint8_t ip[16], uint16_t *ret_port)
{
    store_be32(ip, 0xC6336407);
    *ret_port = (uint16_t)(1024 + number);
}

static void hosts_of_one_ipv4_network(unsigned number, uint8_t ip[16], uint16_t *ret_port)
{
    store_be32(ip, 0x0A000000 + number);
    *ret_port = 40000;
}

static void hosts_of_one_ipv6_network(unsigned number, uint8_t ip[16], uint16_t *ret_port)
{
    store_be64(ip, UINT64_C(0x20010db800000001));
    store_be64(ip + 8, number);
    *ret_port = 40000;
}

static void networks_of_ipv6(unsigned number, uint8_t ip[16], uint16_t *ret_port)
{
    store_be64(ip, UINT64_C(0x20010db800000000) + number);
    store_be64(ip + 8, 1);
    *ret_port = 40000;
}

static void assert_spread(make_client make, uint16_t workers)
{
    unsigned count[64] = {0};
    for (unsigned i = 0; i < CLIENTS; i++) {
        uint8_t ip[16] = {0};
        uint16_t port;
        make(i, ip, &port);
        uint16_t home = client_home(ip, port, workers);
        assert_true(home < workers);
        count[home]++;
    }
    for (unsigned worker = 0; worker < workers; worker++) {
        assert_true(count[worker] > CLIENTS / workers / 2);
        assert_true(count[worker] < CLIENTS / workers * 2);
    }
}

static void clients_are_spread_over_all_workers(void **state)
{
    static const make_client kinds[] = {ports_of_one_nat, hosts_of_one_ipv4_network,
                                        hosts_of_one_ipv6_network, networks_of_ipv6};
    (void)state;
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        for (uint16_t workers = 1; workers <= 64; workers++)
            assert_spread(kinds[i], workers);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_are_spread_over_all_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
