// SPDX-License-Identifier: BSD-3-Clause
// Claims about settings that contradict each other, or that nobody could use.
#include "control/settings_check.h"

#include "proto/stateless.h"
#include "settings_fixture.h"
#include "turn/credentials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void secrets_alone_are_enough(void **state)
{
    struct settings settings;

    (void)state;
    settings_fixture_loads(
        "interface = \"eth0\"; realm = \"r\"; static_auth_secrets = [\"north\", \"south\"];",
        &settings);
    assert_int_equal(settings.static_auth_secrets.count, 2);
    settings_done(&settings);
}

static void keys_take_the_place_of_a_password(void **state)
{
    struct settings settings;
    const struct settings_user *users;

    (void)state;
    settings_fixture_loads(
        "interface = \"eth0\"; realm = \"r\"; users = ({name = \"bob\"; key_md5 = "
        "\"000102030405060708090a0b0c0d0e0f\";});",
        &settings);
    users = settings.users.items;
    assert_int_equal(users[0].key_md5.len, 16);
    assert_int_equal(users[0].key_sha256.len, 0);
    settings_done(&settings);
}

static void contradictions_are_refused(void **state)
{
    static const struct {
        const char *text;
        const char *error;
    } cases[] = {
        {SETTINGS_GOOD "userhash = true;\nstatic_auth_secrets = [\"s\"];",
         "conf:" SETTINGS_NEXT
         ": userhash: cannot be true with static_auth_secrets, whose users are not "
         "known in advance; "
         "allowed: false\n"},
        {SETTINGS_GOOD
         "static_auth_secrets = [\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\", \"9\", "
         "\"10\", \"11\", \"12\", \"13\", \"14\", \"15\", \"16\", \"17\"];",
         "conf:" SETTINGS_NEXT ": static_auth_secrets: there are 17; allowed: at most 16\n"},
        {SETTINGS_GOOD "workers = 2; cpus = \"1-3\";",
         "conf:" SETTINGS_NEXT
         ": cpus: names 3 CPUs, and workers is 2; allowed: one for each worker, or empty\n"},
        {SETTINGS_GOOD "packet_buffers = 16384; workers = 2;",
         "conf:" SETTINGS_NEXT
         ": packet_buffers: 16384 are too few for 2 workers; allowed: 16384 for each "
         "or more, or 0\n"},
        {SETTINGS_GOOD "capture = true; hugepages = \"auto\";", NULL},
        {SETTINGS_GOOD "hugepages = \"off\";\ncapture = true;",
         "conf:5: capture: tools can join only memory in hugepages; allowed: capture together with "
         "hugepages = \"on\" or \"auto\"\n"},
        {SETTINGS_GOOD "min_port = 60000; max_port = 50000;",
         "conf:" SETTINGS_NEXT
         ": min_port: min_port 60000 is above max_port 50000; allowed: up to it\n"},
        {SETTINGS_GOOD "workers = 64; min_port = 50000;\nmax_port = 50127;\n", NULL},
        {SETTINGS_GOOD "workers = 64; min_port = 50001;\nmax_port = 50127;\n",
         "conf:" SETTINGS_NEXT
         ": min_port: ports 50001..50127 have no pair of ports for each worker "
         "(workers is 64); allowed: any range of 130 ports or more\n"},
        {SETTINGS_GOOD "min_port = 3000;",
         "conf:" SETTINGS_NEXT ": min_port: ports 3000..65535 contain the listening "
         "port 3478 of the same address; allowed: ranges "
         "without one\n"},
        {SETTINGS_GOOD "relay = ({address = \"192.0.2.1\"; min_port = 2000; max_port = 4000;});",
         "conf:" SETTINGS_NEXT
         ": relay[0]: ports 2000..4000 contain the listening port 3478 of the same "
         "address; allowed: ranges without one\n"},
        {SETTINGS_GOOD
         "listen = ({address = \"192.0.2.1\";}, {address = \"192.0.2.1\"; port = 5000;});\n"
         "relay = ({address = \"192.0.2.1\"; min_port = 5000; max_port = 5003;});",
         "conf:5: relay[0]: ports 5000..5003 contain the listening port 5000 of the same address; "
         "allowed: ranges without one\n"},
        {SETTINGS_GOOD "listen = ({address = \"192.0.2.1\"; port = 65535;});\nmax_port = 65535;",
         "conf:5: min_port: ports 49152..65535 contain the listening port 65535 of the same "
         "address; allowed: ranges without one\n"},
        {SETTINGS_GOOD "software = \"\\xff\";",
         "conf:" SETTINGS_NEXT
         ": software: has characters that RFC 8265 forbids; allowed: UTF-8 text "
         "without controls\n"},
        {SETTINGS_GOOD
         "listen = ({address = \"192.0.2.2\";});\nrelay = ({address = \"192.0.2.1\"; min_port "
         "= 2000; max_port = "
         "4000;});",
         NULL},
        {SETTINGS_GOOD "relay = ({address = \"192.0.2.1\"; external_address = \"2001:db8::1\";});",
         "conf:" SETTINGS_NEXT
         ": relay[0]: address and external_address are of different families; "
         "allowed: both IPv4 or both "
         "IPv6\n"},
        {SETTINGS_GOOD "relay = ({address = \"192.0.2.1\";},\n{address = \"192.0.2.1\";});",
         "conf:5: relay[1]: has the address of relay[0]; allowed: each address once\n"},
        {SETTINGS_GOOD
         "relay = ({address = \"192.0.2.1\";}, {address = \"192.0.2.2\"; external_address = "
         "\"203.0.113.1\";},\n"
         "{address = \"192.0.2.3\"; external_address = \"203.0.113.1\";});",
         "conf:5: relay[2]: has the external address of relay[1]; allowed: each address once\n"},
        {SETTINGS_GOOD "external_address = \"203.0.113.1\";\nrelay = ({address = \"192.0.2.1\";});",
         "conf:" SETTINGS_NEXT ": external_address: counts only while relay is empty; allowed: "
         "external_address within "
         "relay\n"},
        {SETTINGS_GOOD
         "listen = ({address = \"192.0.2.1\";},\n{address = \"192.0.2.1\"; port = 3478;});",
         "conf:5: listen: has the same address and port twice; allowed: each once\n"},
        {SETTINGS_GOOD
         "device = \"eth0\"; listen = ({address = \"192.0.2.1\";});\nrelay = ({address = "
         "\"192.0.2.1\";});",
         "conf:" SETTINGS_NEXT ": device: \"eth0\" is no device; allowed: a PCI address such as "
         "0000:03:00.0, or a virtual device and its arguments such as net_memif0,role=server\n"},
        {SETTINGS_GOOD "mtu = 9000;",
         "conf:" SETTINGS_NEXT
         ": mtu: is of a device, and there is none: an interface is set up by "
         "'ip link'; allowed: 0\n"},
        {SETTINGS_GOOD "interface_netns = \"outside\";",
         "conf:" SETTINGS_NEXT
         ": interface_netns: is of a device's twin, and there is no device: an interface is shared "
         "where it is; allowed: \"\"\n"},
        {SETTINGS_GOOD "interface_netns = \"outside\"; device = \"net_memif0\"; listen = "
                       "({address = \"192.0.2.1\";});relay = ({address = \"192.0.2.1\";});",
         NULL},
        {SETTINGS_GOOD "flow_isolation = true;",
         "conf:" SETTINGS_NEXT ": flow_isolation: is of a device, and there is none; allowed: "
         "flow_isolation together with device\n"},
        {SETTINGS_GOOD "flow_isolation = true; device = \"0000:03:00.0\";", NULL},
        {SETTINGS_GOOD "flow_isolation = true; device = \"0000:03:00.0\"; interface_netns = \"o\";",
         "conf:" SETTINGS_NEXT
         ": interface_netns: is of a device's twin, and there is none with flow_isolation: an "
         "interface is shared where it is; allowed: \"\"\n"},
        {SETTINGS_GOOD
         "mtu = 1279; device = \"net_memif0\"; listen = ({address = \"192.0.2.1\";});relay = "
         "({address = \"192.0.2.1\";});",
         "conf:" SETTINGS_NEXT ": mtu: 1279 is too little for IPv6; allowed: 1280 or more, or 0\n"},
        {SETTINGS_GOOD
         "mtu = 9001; device = \"net_memif0\"; listen = ({address = \"192.0.2.1\";});relay = "
         "({address = \"192.0.2.1\";});",
         NULL},
        {SETTINGS_GOOD "vlan = 7;",
         "conf:" SETTINGS_NEXT ": vlan: is of a device, and there is none: for an interface 'ip "
         "link' makes one of type vlan; allowed: 0\n"},
        {SETTINGS_GOOD
         "vlan = 4094; device = \"net_memif0\"; listen = ({address = \"192.0.2.1\";});relay = "
         "({address = \"192.0.2.1\";});",
         NULL},
        {SETTINGS_GOOD "device = \"net_memif0\"; listen = ({address = \"192.0.2.1\";}); relay = "
                       "({address = \"192.0.2.1\";}); relay_device = \"net_memif1\"; "
                       "relay_interface = \"core0\"; relay_mtu = 9000; relay_vlan = 7;",
         NULL},
        {SETTINGS_GOOD "relay_device = \"net_memif1\"; relay_interface = \"core0\";",
         "conf:" SETTINGS_NEXT ": relay_device: is a second device, and there is no first; "
         "allowed: one beside device, or \"\"\n"},
        {SETTINGS_GOOD "device = \"net_memif0\"; listen = ({address = \"192.0.2.1\";}); relay = "
                       "({address = \"192.0.2.1\";}); relay_device = \"net_memif1\";",
         "conf:" SETTINGS_NEXT
         ": relay_device: has no twin; allowed: a device together with relay_interface\n"},
        {SETTINGS_GOOD
         "device = \"net_memif0\"; listen = ({address = \"192.0.2.1\";}); relay = ({address = "
         "\"192.0.2.1\";}); relay_device = \"net_memif0,id=7\"; relay_interface = \"core0\";",
         "conf:" SETTINGS_NEXT
         ": relay_device: \"net_memif0,id=7\" is device; allowed: another one\n"},
        {SETTINGS_GOOD
         "device = \"0000:03:00.0\"; listen = ({address = \"192.0.2.1\";}); relay = ({address = "
         "\"192.0.2.1\";}); relay_device = \"03:00.0\"; relay_interface = \"core0\";",
         "conf:" SETTINGS_NEXT ": relay_device: \"03:00.0\" is device; allowed: another one\n"},
        {SETTINGS_GOOD
         "device = \"net_memif0\"; listen = ({address = \"192.0.2.1\";}); relay = ({address = "
         "\"192.0.2.1\";}); relay_device = \"eth1\"; relay_interface = \"core0\";",
         "conf:" SETTINGS_NEXT
         ": relay_device: \"eth1\" is no device; allowed: a PCI address such as 0000:03:00.0, or a "
         "virtual device and its arguments such as net_memif0,role=server\n"},
        {SETTINGS_GOOD
         "device = \"net_memif0\"; listen = ({address = \"192.0.2.1\";}); relay = ({address = "
         "\"192.0.2.1\";}); relay_device = \"net_memif1\"; relay_interface = \"eth0\";",
         "conf:" SETTINGS_NEXT
         ": relay_interface: \"eth0\" is the interface of device; allowed: another name\n"},
        {SETTINGS_GOOD "device = \"net_memif0\"; listen = ({address = \"192.0.2.1\";}); relay = "
                       "({address = \"192.0.2.1\";}); relay_interface = \"core0\";",
         "conf:" SETTINGS_NEXT
         ": relay_interface: is of relay_device, and there is none; allowed: \"\"\n"},
        {SETTINGS_GOOD "device = \"net_memif0\"; listen = ({address = \"192.0.2.1\";}); relay = "
                       "({address = \"192.0.2.1\";}); relay_mtu = 9000;",
         "conf:" SETTINGS_NEXT ": relay_mtu: is of relay_device, and there is none; allowed: 0\n"},
        {SETTINGS_GOOD "device = \"net_memif0\"; listen = ({address = \"192.0.2.1\";}); relay = "
                       "({address = \"192.0.2.1\";}); relay_vlan = 7;",
         "conf:" SETTINGS_NEXT ": relay_vlan: is of relay_device, and there is none; allowed: 0\n"},
        {SETTINGS_GOOD "device = \"net_memif0\"; listen = ({address = \"192.0.2.1\";}); relay = "
                       "({address = \"192.0.2.1\";}); relay_mtu = 1279; relay_device = "
                       "\"net_memif1\"; relay_interface = \"core0\";",
         "conf:" SETTINGS_NEXT
         ": relay_mtu: 1279 is too little for IPv6; allowed: 1280 or more, or 0\n"},
        {SETTINGS_GOOD "device = \"net_memif0\"; listen = ({address = \"192.0.2.1\";});",
         "conf:" SETTINGS_NEXT
         ": device: leaves the addresses to listen on and to relay from open; "
         "allowed: a device together with listen and relay\n"},
        {SETTINGS_GOOD "device = \"0000:03:00.0\"; listen = ({address = \"192.0.2.1\";});\nrelay = "
                       "({address = \"192.0.2.1\";});",
         NULL},
        {SETTINGS_GOOD "tls_ciphers = \"ECDHE+AESGCM:AES129\";",
         "conf:" SETTINGS_NEXT
         ": tls_ciphers: \"ECDHE+AESGCM:AES129\" has what OpenSSL does not know, or "
         "nothing for TLS 1.2; allowed: names that 'openssl ciphers -tls1_2' knows, with colons "
         "between them\n"},
        {SETTINGS_GOOD "bps_capacity = 1000;",
         "conf:4: bps_capacity: is made of what max_bps promises to each allocation, and that is "
         "0; allowed: bps_capacity together with max_bps\n"},
        {SETTINGS_GOOD "bps_capacity = 1000;\nmax_bps = 1001;",
         "conf:4: bps_capacity: 1000 is below max_bps 1001; allowed: from it on, or 0\n"},
        {SETTINGS_GOOD "metrics_key = \"key.pem\";",
         "conf:" SETTINGS_NEXT
         ": metrics_key: is the key of nothing; allowed: with metrics_certificate\n"},
        {SETTINGS_GOOD "default_lifetime = 600;\nmax_lifetime = 599;",
         "conf:5: max_lifetime: max_lifetime 599 is below default_lifetime 600; allowed: from it "
         "on\n"},
        {SETTINGS_GOOD "drain_to = ({address = \"192.0.2.1\"; port = 3478;},\n"
                       "{address = \"2001:db8::1\";}); drain_domain = \"turn-2.example.org\";",
         NULL},
        {SETTINGS_GOOD "drain_to = ({address = \"192.0.2.1\";},\n{address = \"192.0.2.2\";});",
         "conf:5: drain_to: has two addresses of one family; allowed: one IPv4 and one IPv6 "
         "address\n"},
        {SETTINGS_GOOD "listen = ({address = \"192.0.2.1\";}); drain_to = ({address = "
                       "\"192.0.2.1\"; port = 3479;});",
         NULL},
        {SETTINGS_GOOD
         "listen = ({address = \"192.0.2.1\";});\ndrain_to = ({address = \"192.0.2.1\";});",
         "conf:5: drain_to: names this relay itself; allowed: another one\n"},
        {SETTINGS_GOOD "listen = ({address = \"192.0.2.1\";});\ndrain_to = ({address = "
                       "\"192.0.2.1\"; port = 3478;});",
         "conf:5: drain_to: names this relay itself; allowed: another one\n"},
        {SETTINGS_GOOD "drain_domain = \"turn example org\";",
         "conf:" SETTINGS_NEXT ": drain_domain: \"turn example org\" is no DNS name; allowed: "
         "letters, digits, hyphens and dots, as in turn.example.org\n"},
        {SETTINGS_GOOD "drain_domain = \"turn..org\";",
         "conf:" SETTINGS_NEXT ": drain_domain: \"turn..org\" is no DNS name; allowed: "
         "letters, digits, hyphens and dots, as in turn.example.org\n"},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct settings settings;

        if (cases[i].error) {
            settings_fixture_refuses(cases[i].text, cases[i].error);
            continue;
        }
        settings_fixture_loads(cases[i].text, &settings);
        settings_done(&settings);
    }
}

#define USERS(text) "interface = \"eth0\"; realm = \"r\";\nusers = (" text ");"

static void users_that_could_not_log_in_are_refused(void **state)
{
    static const struct {
        const char *text;
        const char *error;
    } cases[] = {
        {USERS("{name = \"a\";}"),
         "conf:2: users[0]: has neither a password nor a key; allowed: either\n"},
        {USERS("{name = \"a\"; password = \"p\"; key_md5 = \"000102030405060708090a0b0c0d0e0f\";}"),
         "conf:2: users[0]: has a password and a key; allowed: either\n"},
        {USERS("{name = \"a\"; key_md5 = \"00\";}"),
         "conf:2: users[0].key_md5: is of the wrong length; allowed: 32 hexadecimal digits, or "
         "empty\n"},
        {USERS("{name = \"a\\x07\"; password = \"p\";}"),
         "conf:2: users[0]: the name has characters that RFC 8265 forbids; allowed: UTF-8 text "
         "without controls\n"},
        {USERS("{name = \"a\"; password = \"p\\x07\";}"),
         "conf:2: users[0]: the password has characters that RFC 8265 forbids; allowed: UTF-8 text "
         "without controls\n"},
        {USERS("{name = \"a\"; password = \"p\";}, {name = \"b\"; password = \"p\";},\n{name = "
               "\"a\"; password = \"q\";}"),
         "conf:3: users: \"a\" is there twice; allowed: each name once\n"},
        {USERS("{password = \"p\";}"), "conf:2: users[0].name: is missing: username\n"},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        settings_fixture_refuses(cases[i].text, cases[i].error);
}

// U+0344 is two code points in NFC.
static void what_normalization_makes_too_long_is_refused(void **state)
{
    char text[1024], long_text[STUN_STRING_MAX_LEN + 1] = "", expected[512];

    (void)state;
    while (strlen(long_text) < STATELESS_TEXT_MAX_LEN - 1)
        strcat(long_text, "\xCD\x84");
    snprintf(text, sizeof(text),
             "interface = \"eth0\"; users = ({name = \"a\"; password = \"p\";});\nrealm = \"%s\";",
             long_text);
    settings_fixture_refuses(
        text, "conf:2: realm: is too long in its normal form (NFC); allowed: 127 bytes\n");
    while (strlen(long_text) < USERNAME_MAX_LEN)
        strcat(long_text, "\xCD\x84");
    snprintf(text, sizeof(text), USERS("{name = \"%s\"; password = \"p\";}"), long_text);
    settings_fixture_refuses(
        text,
        "conf:2: users[0]: the name is too long in its normal form (NFC); allowed: 508 bytes\n");
    while (strlen(long_text) < STUN_STRING_MAX_LEN - 1)
        strcat(long_text, "\xCD\x84");
    snprintf(text, sizeof(text), USERS("{name = \"a\"; password = \"%s\";}"), long_text);
    snprintf(
        expected, sizeof(expected),
        "conf:2: users[0]: the password is too long in its normal form (NFC); allowed: %d bytes\n",
        STUN_STRING_MAX_LEN);
    settings_fixture_refuses(text, expected);
}

static void errors_of_both_kinds_are_reported_together(void **state)
{
    (void)state;
    settings_fixture_refuses(
        SETTINGS_GOOD "workers = 0;\nwrokers = 1;\ndefault_lifetime = 3601;\n",
        "conf:4: workers: 0 is out of range; allowed: 1..64 threads\n"
        "conf:5: wrokers: is no setting; did you mean workers?\n"
        "conf:6: default_lifetime: max_lifetime 3600 is below default_lifetime 3601; "
        "allowed: from it on\n");
}

// What contradicts a default only because a setting was refused is no second mistake.
static void a_mistake_is_reported_once(void **state)
{
    (void)state;
    settings_fixture_refuses(SETTINGS_GOOD "min_port = 5;\nexternal_address = \"203.0.113.1\";\n",
                             "conf:4: min_port: 5 is out of range; allowed: 1024..65535\n");
    settings_fixture_refuses(SETTINGS_GOOD "workers = 100;\ncpus = \"1,2\";\n",
                             "conf:4: workers: 100 is out of range; allowed: 1..64 threads\n");
    settings_fixture_refuses(
        SETTINGS_GOOD "default_lifetime = 100000;\nmax_lifetime = 300;\n",
        "conf:4: default_lifetime: 100000 is out of range; allowed: 1..86400 s\n");
    settings_fixture_refuses(SETTINGS_GOOD "default_lifetime = 7200;\nmax_lifetime = 100000;\n",
                             "conf:5: max_lifetime: 100000 is out of range; allowed: 1..86400 s\n");
    settings_fixture_refuses(
        SETTINGS_GOOD "listen = 5000;\nmin_port = 3000;\n",
        "conf:4: listen: is of the wrong type; allowed: list of groups (at most 16), "
        "written ( { ... }, { ... } )\n");
}

static void a_range_serves_workers_with_whole_pairs_only(void **state)
{
    (void)state;
    assert_true(settings_range_serves_workers(50000, 50001, 1));
    assert_false(settings_range_serves_workers(50001, 50002, 1));
    assert_false(settings_range_serves_workers(50000, 50000, 1));
    assert_false(settings_range_serves_workers(50000, 50001, 2));
    for (uint32_t workers = 1; workers <= 64; workers++) {
        assert_true(settings_range_serves_workers(50001, 50130, workers));
        assert_true(settings_range_serves_workers(1024, 65535, workers));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_alone_are_enough),
        cmocka_unit_test(keys_take_the_place_of_a_password),
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(users_that_could_not_log_in_are_refused),
        cmocka_unit_test(what_normalization_makes_too_long_is_refused),
        cmocka_unit_test(errors_of_both_kinds_are_reported_together),
        cmocka_unit_test(a_mistake_is_reported_once),
        cmocka_unit_test(a_range_serves_workers_with_whole_pairs_only),
    };

    return cmocka_run_group_tests_name("control/settings_check", tests, NULL, NULL);
}
