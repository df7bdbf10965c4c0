// SPDX-License-Identifier: BSD-3-Clause
// Claims about the settings of the relay: what contradicts what, and that config/turnpike.conf,
// docs/configuration.md and docs/turnpike.conf.5 say all of it.
#include "control/settings.h"

#include "proto/stateless.h"
#include "turn/credentials.h"

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GOOD                                                                                       \
    "interface = \"eth0\";\nrealm = \"example.org\";\nusers = ({name = \"alice\"; password = "     \
    "\"secret\";});\n"
// The line after GOOD.
#define NEXT "4"

// The path is replaced by "conf", to compare with.
static int load(const char *text, char **ret_errors, struct settings *ret_settings)
{
    char path[] = "/tmp/turnpike-test-XXXXXX";
    char *errors, *at;
    size_t len;
    FILE *stream = open_memstream(&errors, &len);
    int fd = mkstemp(path), result;

    assert_true(fd >= 0 && stream);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    result = settings_load(path, stream, ret_settings);
    unlink(path);
    fclose(stream);
    while ((at = strstr(errors, path))) {
        memcpy(at, "conf", 4);
        memmove(at + 4, at + strlen(path), strlen(at + strlen(path)) + 1);
    }
    *ret_errors = errors;
    return result;
}

static void assert_errors(const char *text, const char *expected)
{
    struct settings settings;
    char *errors;

    assert_int_equal(load(text, &errors, &settings), -EINVAL);
    assert_string_equal(errors, expected);
    free(errors);
}

static void assert_loads(const char *text, struct settings *ret_settings)
{
    char *errors;

    if (load(text, &errors, ret_settings) != 0)
        fail_msg("%s", errors);
    free(errors);
}

static void little_has_to_be_said(void **state)
{
    struct settings settings;

    (void)state;
    assert_loads(GOOD, &settings);
    assert_string_equal(settings.interface, "eth0");
    assert_int_equal(settings.workers, 1);
    assert_int_equal(settings.listen.count, 0);
    assert_int_equal(settings.users.count, 1);
    assert_int_equal(settings.nonce_lifetime_s, 600);
    settings_done(&settings);
}

static void what_must_be_said_is_asked_for(void **state)
{
    (void)state;
    assert_errors("", "conf: interface: is missing: network interface that clients and peers are "
                      "reached through\n"
                      "conf: realm: is missing: realm of the long-term credentials\n"
                      "conf: users: nobody could use the relay; there must be users, "
                      "static_auth_secrets, or both\n");
}

static void secrets_alone_are_enough(void **state)
{
    struct settings settings;

    (void)state;
    assert_loads(
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
    assert_loads("interface = \"eth0\"; realm = \"r\"; users = ({name = \"bob\"; key_md5 = "
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
        {GOOD "userhash = true;\nstatic_auth_secrets = [\"s\"];",
         "conf:" NEXT ": userhash: cannot be true with static_auth_secrets, whose users are not "
         "known in advance; "
         "allowed: false\n"},
        {GOOD
         "static_auth_secrets = [\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\", \"9\", "
         "\"10\", \"11\", \"12\", \"13\", \"14\", \"15\", \"16\", \"17\"];",
         "conf:" NEXT ": static_auth_secrets: there are 17; allowed: at most 16\n"},
        {GOOD "workers = 2; cpus = \"1-3\";",
         "conf:" NEXT
         ": cpus: names 3 CPUs, and workers is 2; allowed: one for each worker, or empty\n"},
        {GOOD "packet_buffers = 16384; workers = 2;",
         "conf:" NEXT ": packet_buffers: 16384 are too few for 2 workers; allowed: 16384 for each "
         "or more, or 0\n"},
        {GOOD "min_port = 60000; max_port = 50000;",
         "conf:" NEXT ": min_port: min_port 60000 is above max_port 50000; allowed: up to it\n"},
        {GOOD "workers = 64; min_port = 50000;\nmax_port = 50127;\n", NULL},
        {GOOD "workers = 64; min_port = 50001;\nmax_port = 50127;\n",
         "conf:" NEXT ": min_port: ports 50001..50127 have no pair of ports for each worker "
         "(workers is 64); allowed: any range of 130 ports or more\n"},
        {GOOD "min_port = 3000;",
         "conf:" NEXT ": min_port: ports 3000..65535 contain the listening "
         "port 3478 of the same address; allowed: ranges "
         "without one\n"},
        {GOOD "relay = ({address = \"192.0.2.1\"; min_port = 2000; max_port = 4000;});",
         "conf:" NEXT ": relay[0]: ports 2000..4000 contain the listening port 3478 of the same "
         "address; allowed: ranges without one\n"},
        {GOOD "listen = ({address = \"192.0.2.1\";}, {address = \"192.0.2.1\"; port = 5000;});\n"
              "relay = ({address = \"192.0.2.1\"; min_port = 5000; max_port = 5003;});",
         "conf:5: relay[0]: ports 5000..5003 contain the listening port 5000 of the same address; "
         "allowed: ranges without one\n"},
        {GOOD "listen = ({address = \"192.0.2.1\"; port = 65535;});\nmax_port = 65535;",
         "conf:5: min_port: ports 49152..65535 contain the listening port 65535 of the same "
         "address; allowed: ranges without one\n"},
        {GOOD "software = \"\\xff\";",
         "conf:" NEXT ": software: has characters that RFC 8265 forbids; allowed: UTF-8 text "
         "without controls\n"},
        {GOOD "listen = ({address = \"192.0.2.2\";});\nrelay = ({address = \"192.0.2.1\"; min_port "
              "= 2000; max_port = "
              "4000;});",
         NULL},
        {GOOD "relay = ({address = \"192.0.2.1\"; external_address = \"2001:db8::1\";});",
         "conf:" NEXT ": relay[0]: address and external_address are of different families; "
         "allowed: both IPv4 or both "
         "IPv6\n"},
        {GOOD "relay = ({address = \"192.0.2.1\";},\n{address = \"192.0.2.1\";});",
         "conf:5: relay[1]: has the address of relay[0]; allowed: each address once\n"},
        {GOOD "relay = ({address = \"192.0.2.1\";}, {address = \"192.0.2.2\"; external_address = "
              "\"203.0.113.1\";},\n"
              "{address = \"192.0.2.3\"; external_address = \"203.0.113.1\";});",
         "conf:5: relay[2]: has the external address of relay[1]; allowed: each address once\n"},
        {GOOD "external_address = \"203.0.113.1\";\nrelay = ({address = \"192.0.2.1\";});",
         "conf:" NEXT ": external_address: counts only while relay is empty; allowed: "
         "external_address within "
         "relay\n"},
        {GOOD "listen = ({address = \"192.0.2.1\";},\n{address = \"192.0.2.1\"; port = 3478;});",
         "conf:5: listen: has the same address and port twice; allowed: each once\n"},
        {GOOD "device = \"eth0\"; listen = ({address = \"192.0.2.1\";});\nrelay = ({address = "
              "\"192.0.2.1\";});",
         "conf:" NEXT ": device: \"eth0\" is no device; allowed: a PCI address such as "
         "0000:03:00.0, or a virtual device and its arguments such as net_memif0,role=server\n"},
        {GOOD "device = \"net_memif0\"; listen = ({address = \"192.0.2.1\";});",
         "conf:" NEXT ": device: leaves the addresses to listen on and to relay from open; "
         "allowed: a device together with listen and relay\n"},
        {GOOD "device = \"0000:03:00.0\"; listen = ({address = \"192.0.2.1\";});\nrelay = "
              "({address = \"192.0.2.1\";});",
         NULL},
        {GOOD "tls_ciphers = \"ECDHE+AESGCM:AES129\";",
         "conf:" NEXT ": tls_ciphers: \"ECDHE+AESGCM:AES129\" has what OpenSSL does not know, or "
         "nothing for TLS 1.2; allowed: names that 'openssl ciphers -tls1_2' knows, with colons "
         "between them\n"},
        {GOOD "default_lifetime = 600;\nmax_lifetime = 599;",
         "conf:5: max_lifetime: max_lifetime 599 is below default_lifetime 600; allowed: from it "
         "on\n"},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct settings settings;

        if (cases[i].error) {
            assert_errors(cases[i].text, cases[i].error);
            continue;
        }
        assert_loads(cases[i].text, &settings);
        settings_done(&settings);
    }
}

static void files_are_named_from_the_directory_of_the_configuration(void **state)
{
    struct settings settings;
    const struct settings_certificate *certificates;

    (void)state;
    assert_loads(GOOD "certificates = ({certificate = \"turn.pem\"; private_key = \"keys/turn\";}, "
                      "{certificate = \"/etc/turn.pem\";});",
                 &settings);
    certificates = settings.certificates.items;
    assert_string_equal(certificates[0].certificate, "/tmp/turn.pem");
    assert_string_equal(certificates[0].private_key, "/tmp/keys/turn");
    assert_string_equal(certificates[1].certificate, "/etc/turn.pem");
    assert_string_equal(certificates[1].private_key, "");
    settings_done(&settings);
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
        assert_errors(cases[i].text, cases[i].error);
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
    assert_errors(text,
                  "conf:2: realm: is too long in its normal form (NFC); allowed: 127 bytes\n");
    while (strlen(long_text) < USERNAME_MAX_LEN)
        strcat(long_text, "\xCD\x84");
    snprintf(text, sizeof(text), USERS("{name = \"%s\"; password = \"p\";}"), long_text);
    assert_errors(
        text,
        "conf:2: users[0]: the name is too long in its normal form (NFC); allowed: 508 bytes\n");
    while (strlen(long_text) < STUN_STRING_MAX_LEN - 1)
        strcat(long_text, "\xCD\x84");
    snprintf(text, sizeof(text), USERS("{name = \"a\"; password = \"%s\";}"), long_text);
    snprintf(
        expected, sizeof(expected),
        "conf:2: users[0]: the password is too long in its normal form (NFC); allowed: %d bytes\n",
        STUN_STRING_MAX_LEN);
    assert_errors(text, expected);
}

static void addresses_that_nobody_can_have_are_refused(void **state)
{
    static const char *const addresses[] = {
        "0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255",
        "::",      "::1",       "ff02::1",   "::ffff:192.0.2.1"};

    (void)state;
    for (unsigned i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        char text[512], expected[512];

        snprintf(text, sizeof(text), "%slisten = ({address = \"%s\";});", GOOD, addresses[i]);
        snprintf(expected, sizeof(expected),
                 "conf:" NEXT ": listen[0].address: \"%s\" is no address that packets can come "
                 "to; allowed: an IPv4 or IPv6 address\n",
                 addresses[i]);
        assert_errors(text, expected);
    }
    assert_errors(GOOD "external_address = \"0.0.0.0\";",
                  "conf:" NEXT ": external_address: \"0.0.0.0\" is no address that packets can "
                  "come to; allowed: an IPv4 or IPv6 address, or empty\n");
}

static void errors_of_both_kinds_are_reported_together(void **state)
{
    (void)state;
    assert_errors(GOOD "workers = 0;\nwrokers = 1;\ndefault_lifetime = 3601;\n",
                  "conf:4: workers: 0 is out of range; allowed: 1..64 threads\n"
                  "conf:5: wrokers: is no setting; did you mean workers?\n"
                  "conf:6: default_lifetime: max_lifetime 3600 is below default_lifetime 3601; "
                  "allowed: from it on\n");
}

// What contradicts a default only because a setting was refused is no second mistake.
static void a_mistake_is_reported_once(void **state)
{
    (void)state;
    assert_errors(GOOD "min_port = 5;\nexternal_address = \"203.0.113.1\";\n",
                  "conf:4: min_port: 5 is out of range; allowed: 1024..65535\n");
    assert_errors(GOOD "workers = 100;\ncpus = \"1,2\";\n",
                  "conf:4: workers: 100 is out of range; allowed: 1..64 threads\n");
    assert_errors(GOOD "default_lifetime = 100000;\nmax_lifetime = 300;\n",
                  "conf:4: default_lifetime: 100000 is out of range; allowed: 1..86400 s\n");
    assert_errors(GOOD "default_lifetime = 7200;\nmax_lifetime = 100000;\n",
                  "conf:5: max_lifetime: 100000 is out of range; allowed: 1..86400 s\n");
    assert_errors(GOOD "listen = 5000;\nmin_port = 3000;\n",
                  "conf:4: listen: is of the wrong type; allowed: list of groups (at most 16), "
                  "written ( { ... }, { ... } )\n");
}

static void an_integer_that_libconfig_would_cut_is_refused(void **state)
{
    (void)state;
    assert_errors(GOOD "total_quota = 4294967297;\n",
                  "conf:" NEXT ": total_quota: 4294967297 is out of range; allowed: 1..4194304 "
                  "allocations\n");
}

static void an_included_file_is_named(void **state)
{
    char path[] = "/tmp/turnpike-test-included-XXXXXX", text[512], expected[512];
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_true(dprintf(fd, "workers = 1;\ntotal_quota = 4294967297;\n") > 0);
    close(fd);
    snprintf(text, sizeof(text), GOOD "@include \"%s\"\n", strrchr(path, '/') + 1);
    snprintf(expected, sizeof(expected),
             "%s:2: total_quota: 4294967297 is out of range; allowed: 1..4194304 allocations\n",
             strrchr(path, '/') + 1);
    assert_errors(text, expected);
    unlink(path);
    assert_errors(GOOD "@include \"nothing\"\n",
                  "conf:" NEXT ": cannot open include file; allowed: one that is there, named from "
                  "the directory of the main file\n");
}

static void a_syntax_error_names_its_line(void **state)
{
    struct settings settings;
    char *errors;

    (void)state;
    assert_int_equal(load(GOOD "idle = ;\n", &errors, &settings), -EINVAL);
    assert_string_equal(
        errors, "conf:" NEXT ": syntax error here or before; allowed: name = value; with text in "
                "\"quotes\"\n");
    free(errors);
}

static void a_missing_file_is_named(void **state)
{
    struct settings settings;
    char *errors;
    size_t len;
    FILE *stream = open_memstream(&errors, &len);

    (void)state;
    assert_non_null(stream);
    assert_int_equal(settings_load("/nonexistent/turnpike.conf", stream, &settings), -ENOENT);
    fclose(stream);
    assert_non_null(strstr(errors, "/nonexistent/turnpike.conf: No such file or directory"));
    free(errors);
}

static void a_directory_is_no_file(void **state)
{
    struct settings settings;
    char *errors;
    size_t len;
    FILE *stream = open_memstream(&errors, &len);

    (void)state;
    assert_non_null(stream);
    assert_int_equal(settings_load("/", stream, &settings), -ENOENT);
    fclose(stream);
    assert_string_equal(errors, "/: Is a directory\n");
    free(errors);
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

static char *read_source(const char *name)
{
    char path[1024];
    char *text = calloc(1, 1 << 20);
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", SOURCE_ROOT, name);
    file = fopen(path, "r");
    assert_non_null(text);
    if (!file)
        fail_msg("cannot read %s", path);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

// What a text lacks.
struct reading {
    const char *text;
    unsigned missing;
};

static void expect_line(struct reading *reading, const char *line)
{
    char needle[1024];

    snprintf(needle, sizeof(needle), "\n%s\n", line);
    if (strstr(reading->text, needle))
        return;
    print_error("missing line: %s\n", line);
    reading->missing++;
}

static void expect_documented(const struct setting *setting, const char *name, void *context)
{
    char type[SETTING_TEXT_LEN], range[SETTING_TEXT_LEN], line[1024];
    const char *value = !setting->default_value   ? "must be set"
                        : *setting->default_value ? setting->default_value
                                                  : "none";
    bool is_value = setting->default_value && *setting->default_value;

    snprintf(line, sizeof(line), "| `%s` | %s | %s%s%s | %s | %s | %s |", name,
             setting_format_type(setting, type), is_value ? "`" : "", value, is_value ? "`" : "",
             setting->unit ? setting->unit : "", setting_format_range(setting, range),
             setting->help);
    expect_line(context, line);
}

static void the_documentation_lists_every_setting(void **state)
{
    char *text = read_source("docs/configuration.md");
    struct reading reading = {.text = text};

    (void)state;
    setting_walk(settings_table, expect_documented, &reading);
    free(text);
    assert_int_equal(reading.missing, 0);
}

static void expect_in_manual(const struct setting *setting, const char *name, void *context)
{
    char type[SETTING_TEXT_LEN], range[SETTING_TEXT_LEN], line[1024], help[SETTING_TEXT_LEN];
    const char *value = setting->default_value;

    snprintf(help, sizeof(help), "%s", setting->help);
    help[0] = (char)toupper(help[0]);
    for (char *quote = help; (quote = strchr(quote, '`'));)
        *quote = '"';
    setting_format_type(setting, type);
    type[0] = (char)toupper(type[0]);
    setting_format_range(setting, range);
    snprintf(line, sizeof(line), ".It Ic %s\n%s%s%s%s%s; %s%s.\n%s.", name, type,
             *range ? ", " : "", range, setting->unit ? " " : "",
             setting->unit ? setting->unit : "",
             !value   ? "must be set"
             : *value ? "default "
                      : "no default",
             value ? value : "", help);
    expect_line(context, line);
}

static void the_manual_page_lists_every_setting(void **state)
{
    char *text = read_source("docs/turnpike.conf.5");
    struct reading reading = {.text = text};

    (void)state;
    setting_walk(settings_table, expect_in_manual, &reading);
    free(text);
    assert_int_equal(reading.missing, 0);
}

static void expect_in_reference(const struct setting *setting, const char *name, void *context)
{
    char type[SETTING_TEXT_LEN], range[SETTING_TEXT_LEN], line[1024];
    bool has_default = setting->default_value && *setting->default_value;
    bool is_nested = strchr(name, '.') != NULL;

    setting_format_range(setting, range);
    snprintf(line, sizeof(line), "// %s: %s%s%s%s%s%s%s", name, setting_format_type(setting, type),
             *range ? ", " : "", range, setting->unit ? " " : "",
             setting->unit ? setting->unit : "", is_nested && has_default ? ", default " : "",
             is_nested && has_default ? setting->default_value : "");
    expect_line(context, line);
    if (is_nested || !has_default || setting->fields)
        return;
    snprintf(line, sizeof(line), "%s = %s;", name, setting->default_value);
    expect_line(context, line);
}

static void the_reference_configuration_has_every_setting_with_its_default(void **state)
{
    char *text = read_source("config/turnpike.conf");
    struct reading reading = {.text = text};

    (void)state;
    setting_walk(settings_table, expect_in_reference, &reading);
    free(text);
    assert_int_equal(reading.missing, 0);
}

static void the_reference_configuration_loads(void **state)
{
    char *text = read_source("config/turnpike.conf");
    struct settings settings;

    (void)state;
    assert_loads(text, &settings);
    settings_done(&settings);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(little_has_to_be_said),
        cmocka_unit_test(what_must_be_said_is_asked_for),
        cmocka_unit_test(secrets_alone_are_enough),
        cmocka_unit_test(keys_take_the_place_of_a_password),
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(files_are_named_from_the_directory_of_the_configuration),
        cmocka_unit_test(users_that_could_not_log_in_are_refused),
        cmocka_unit_test(what_normalization_makes_too_long_is_refused),
        cmocka_unit_test(addresses_that_nobody_can_have_are_refused),
        cmocka_unit_test(errors_of_both_kinds_are_reported_together),
        cmocka_unit_test(a_mistake_is_reported_once),
        cmocka_unit_test(an_integer_that_libconfig_would_cut_is_refused),
        cmocka_unit_test(an_included_file_is_named),
        cmocka_unit_test(a_syntax_error_names_its_line),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(a_directory_is_no_file),
        cmocka_unit_test(a_range_serves_workers_with_whole_pairs_only),
        cmocka_unit_test(the_documentation_lists_every_setting),
        cmocka_unit_test(the_manual_page_lists_every_setting),
        cmocka_unit_test(the_reference_configuration_has_every_setting_with_its_default),
        cmocka_unit_test(the_reference_configuration_loads),
    };

    return cmocka_run_group_tests_name("control/settings", tests, NULL, NULL);
}
