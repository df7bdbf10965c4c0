// SPDX-License-Identifier: BSD-3-Clause
// Claims about reading a libconfig tree by a table, made with a table of this test's own.
#include "control/setting.h"

#include "base/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct item {
    char *text;
    uint32_t number;
};

struct inner {
    bool flag;
};

struct outer {
    uint64_t large;
    uint32_t number;
    uint32_t choice;
    bool flag;
    char *text;
    char *secret;
    struct ip_address address;
    struct setting_bytes key;
    struct setting_cpus cpus;
    struct setting_list texts;
    struct setting_list addresses;
    struct setting_list prefixes;
    struct setting_list items;
    struct inner inner;
};

static const char *const choices[] = {"red", "green", NULL};

#define ITEM(member)  .offset = offsetof(struct item, member)
#define INNER(member) .offset = offsetof(struct inner, member)
#define OUTER(member) .offset = offsetof(struct outer, member)

static const struct setting item_fields[] = {
    {.name = "text", .type = SETTING_TEXT, ITEM(text), .min = 1, .max = 9, .help = "what it says"},
    {.name = "number", .type = SETTING_NUMBER, ITEM(number), .default_value = "7", .max = 9},
    {},
};

static const struct setting inner_fields[] = {
    {.name = "flag", .type = SETTING_BOOLEAN, INNER(flag), .default_value = "true"},
    {},
};

static const struct setting table[] = {
    {.name = "number",
     .type = SETTING_NUMBER,
     OUTER(number),
     .default_value = "5",
     .min = 2,
     .max = 4000000000,
     .unit = "s"},
    {.name = "large",
     .type = SETTING_LARGE_NUMBER,
     OUTER(large),
     .default_value = "9",
     .min = 8,
     .max = 1000000000000},
    {.name = "choice",
     .type = SETTING_CHOICE,
     OUTER(choice),
     .default_value = "\"green\"",
     .choices = choices},
    {.name = "flag", .type = SETTING_BOOLEAN, OUTER(flag), .default_value = "false"},
    {.name = "text",
     .type = SETTING_TEXT,
     OUTER(text),
     .default_value = "\"abc\"",
     .min = 2,
     .max = 5},
    {.name = "secret",
     .type = SETTING_TEXT,
     OUTER(secret),
     .default_value = "\"\"",
     .max = 5,
     .secret = true},
    {.name = "address", .type = SETTING_ADDRESS, OUTER(address), .default_value = "\"\""},
    {.name = "key",
     .type = SETTING_HEX,
     OUTER(key),
     .default_value = "\"\"",
     .max = 4,
     .secret = true},
    {.name = "cpus", .type = SETTING_CPUS, OUTER(cpus), .default_value = "\"\""},
    {.name = "texts",
     .type = SETTING_TEXTS,
     OUTER(texts),
     .default_value = "[]",
     .min = 1,
     .max = 5},
    {.name = "addresses",
     .type = SETTING_ADDRESSES,
     OUTER(addresses),
     .default_value = "[\"127.0.0.1\"]",
     .max = 2},
    {.name = "prefixes", .type = SETTING_PREFIXES, OUTER(prefixes), .default_value = "[]"},
    {.name = "items",
     .type = SETTING_GROUPS,
     OUTER(items),
     .default_value = "()",
     .max = 2,
     .fields = item_fields,
     .item_len = sizeof(struct item)},
    {.name = "inner",
     .type = SETTING_GROUP,
     OUTER(inner),
     .default_value = "{}",
     .fields = inner_fields},
    {},
};

struct result {
    struct outer outer;
    unsigned error_count;
    char *errors;
};

static void read_text(const char *text, struct result *ret_result)
{
    struct result result = {};
    size_t len;
    struct setting_report report = {
        .stream = open_memstream(&result.errors, &len), .path = "test.conf", .text = text};
    config_t config;

    assert_non_null(report.stream);
    config_init(&config);
    assert_true(config_read_string(&config, text));
    setting_read_group(table, config_root_setting(&config), "", &result.outer, &report);
    config_destroy(&config);
    fclose(report.stream);
    result.error_count = report.error_count;
    setting_report_done(&report);
    *ret_result = result;
}

static void done(struct result *result)
{
    setting_done_group(table, &result->outer);
    free(result->errors);
}

static void what_is_not_said_has_its_default(void **state)
{
    struct result result;

    (void)state;
    read_text("", &result);
    assert_int_equal(result.error_count, 0);
    assert_int_equal(result.outer.number, 5);
    assert_int_equal(result.outer.choice, 1);
    assert_false(result.outer.flag);
    assert_string_equal(result.outer.text, "abc");
    assert_string_equal(result.outer.secret, "");
    assert_int_equal(result.outer.address.family, IP_FAMILY_NONE);
    assert_int_equal(result.outer.key.len, 0);
    assert_int_equal(result.outer.cpus.count, 0);
    assert_int_equal(result.outer.items.count, 0);
    assert_true(result.outer.inner.flag);
    done(&result);
}

static void what_is_said_is_stored(void **state)
{
    static const uint8_t key[] = {0x00, 0xff, 0x1a, 0xB2};
    struct result result;
    const struct item *items;
    const struct ip_address *addresses;
    const struct ip_prefix *prefixes;

    (void)state;
    read_text(
        "number = 4000000000L; large = 1000000000000L; choice = \"red\"; flag = true; text = "
        "\"fives\"; secret = \"x\";\n"
        "address = \"2001:db8::1\"; key = \"00ff1aB2\"; cpus = \"4,0-2\"; texts = [\"a\", \"b\"];\n"
        "addresses = [\"::1\", \"0.0.0.0\"];\n"
        "prefixes = [\"10.0.0.0/8\"]; items = ({text = \"one\";}, {text = \"two\"; number = 0;});\n"
        "inner = {flag = false;};",
        &result);
    assert_string_equal(result.errors, "");
    assert_int_equal(result.outer.number, 4000000000);
    assert_int_equal(result.outer.large, 1000000000000);
    assert_int_equal(result.outer.choice, 0);
    assert_true(result.outer.flag);
    assert_string_equal(result.outer.text, "fives");
    assert_int_equal(result.outer.address.family, IP_FAMILY_V6);
    assert_int_equal(result.outer.key.len, 4);
    assert_memory_equal(result.outer.key.bytes, key, 4);
    assert_int_equal(result.outer.cpus.count, 4);
    assert_int_equal(result.outer.cpus.cpus[0], 4);
    assert_int_equal(result.outer.cpus.cpus[3], 2);
    assert_int_equal(result.outer.texts.count, 2);
    assert_string_equal(((char **)result.outer.texts.items)[1], "b");
    addresses = result.outer.addresses.items;
    assert_int_equal(result.outer.addresses.count, 2);
    assert_int_equal(addresses[0].family, IP_FAMILY_V6);
    assert_int_equal(addresses[1].family, IP_FAMILY_V4);
    prefixes = result.outer.prefixes.items;
    assert_int_equal(prefixes[0].length, 8);
    items = result.outer.items.items;
    assert_int_equal(result.outer.items.count, 2);
    assert_int_equal(items[0].number, 7);
    assert_string_equal(items[1].text, "two");
    assert_int_equal(items[1].number, 0);
    assert_false(result.outer.inner.flag);
    done(&result);
}

#define CPUS "CPU numbers and ranges such as \"2-5,8\", or empty\n"

static void every_error_says_where_what_and_what_is_allowed(void **state)
{
    static const struct {
        const char *text;
        const char *error;
    } cases[] = {
        {"\n\nnumber = 1;", "test.conf:3: number: 1 is out of range; allowed: 2..4000000000 s\n"},
        {"number = 4000000000;", "test.conf:1: number: 4000000000 takes more than 32 bits; "
                                 "allowed: the same with an L behind it, 4000000000L\n"},
        {"large = 7;", "test.conf:1: large: 7 is out of range; allowed: 8..1000000000000\n"},
        {"large = 1000000000001L;",
         "test.conf:1: large: 1000000000001 is out of range; allowed: 8..1000000000000\n"},
        {"large = \"8\";", "test.conf:1: large: is of the wrong type; allowed: integer "
                           "(8..1000000000000), without quotes\n"},
        {"number = -1;", "test.conf:1: number: -1 is out of range; allowed: 2..4000000000 s\n"},
        {"number = 4000000001L;",
         "test.conf:1: number: 4000000001 is out of range; allowed: 2..4000000000 s\n"},
        {"number = 4294967299;",
         "test.conf:1: number: 4294967299 is out of range; allowed: 2..4000000000 s\n"},
        {"items = ({text = \"a\"; number = 1;},\n{text = \"b\"; number = 0x100000001;});",
         "test.conf:2: items[1].number: 0x100000001 is out of range; allowed: 0..9\n"},
        {"number = 2.5;", "test.conf:1: number: is of the wrong type; allowed: integer "
                          "(2..4000000000), without quotes\n"},
        {"number = \"3\";", "test.conf:1: number: is of the wrong type; allowed: integer "
                            "(2..4000000000), without quotes\n"},
        {"choice = \"blue\";",
         "test.conf:1: choice: \"blue\" is not among the choices; allowed: \"red\", \"green\"\n"},
        {"flag = 1;", "test.conf:1: flag: is of the wrong type; allowed: boolean (true, false), "
                      "without quotes\n"},
        {"text = \"a\";", "test.conf:1: text: \"a\" is too short; allowed: 2..5 bytes\n"},
        {"text = \"sixsix\";", "test.conf:1: text: \"sixsix\" is too long; allowed: 2..5 bytes\n"},
        {"text = 1;",
         "test.conf:1: text: is of the wrong type; allowed: string (2..5 bytes), in quotes\n"},
        {"address = \"1.2.3\";", "test.conf:1: address: \"1.2.3\" is no IP address; allowed: an "
                                 "IPv4 or IPv6 address, or empty\n"},
        {"cpus = \"1-\";", "test.conf:1: cpus: \"1-\" is no list of CPUs; allowed: CPU numbers and "
                           "ranges such as \"2-5,8\", or empty\n"},
        {"cpus = \"1,,2\";", "test.conf:1: cpus: \"1,,2\" is no list of CPUs; allowed: " CPUS},
        {"cpus = \"1, 2\";", "test.conf:1: cpus: \"1, 2\" is no list of CPUs; allowed: " CPUS},
        {"cpus = \"1,\";", "test.conf:1: cpus: \"1,\" is no list of CPUs; allowed: " CPUS},
        {"cpus = \"3-1\";",
         "test.conf:1: cpus: \"3-1\" has a range that ends before it begins; allowed: " CPUS},
        {"cpus = \"1,1\";", "test.conf:1: cpus: \"1,1\" names a CPU twice; allowed: " CPUS},
        {"cpus = \"4,1-4\";", "test.conf:1: cpus: \"4,1-4\" names a CPU twice; allowed: " CPUS},
        {"cpus = \"1024\";", "test.conf:1: cpus: \"1024\" names a CPU above 1023; allowed: " CPUS},
        {"cpus = \"0-99999999999999999999\";",
         "test.conf:1: cpus: \"0-99999999999999999999\" names a CPU above 1023; allowed: " CPUS},
        {"cpus = \"0-64\";", "test.conf:1: cpus: \"0-64\" names more than 64 CPUs; allowed: " CPUS},
        {"texts = \"a\";", "test.conf:1: texts: is of the wrong type; allowed: array of strings "
                           "(each 1..5 bytes), written [\"...\", \"...\"]\n"},
        {"texts = (\"a\",\n1);", "test.conf:2: texts: is of the wrong type; allowed: array of "
                                 "strings (each 1..5 bytes), written [\"...\", \"...\"]\n"},
        {"prefixes = [\"10.0.0.1/8\"];", "test.conf:1: prefixes: \"10.0.0.1/8\" is no prefix, or "
                                         "has bits set past its length; allowed: each a prefix "
                                         "such as \"10.0.0.0/8\" or \"2001:db8::/32\"\n"},
        {"addresses = [\"::1\", \"localhost\"];",
         "test.conf:1: addresses: \"localhost\" is no IP address; allowed: each an IPv4 or IPv6 "
         "address, at most 2\n"},
        {"addresses = [\"::1\", \"::2\", \"::3\"];",
         "test.conf:1: addresses: has too many addresses; allowed: each an IPv4 or IPv6 address, "
         "at most 2\n"},
        {"items = (\n{number = 1;});", "test.conf:2: items[0].text: is missing: what it says\n"},
        {"items = ({text = \"a\";},\n{text = \"b\"; number = 10;});",
         "test.conf:2: items[1].number: 10 is out of range; allowed: 0..9\n"},
        {"items = (1);", "test.conf:1: items: is of the wrong type; allowed: list of groups (at "
                         "most 2), written ( { ... }, { ... } )\n"},
        {"items = ({text = \"a\";}, {text = \"b\";}, {text = \"c\";});",
         "test.conf:1: items: has too many groups; allowed: at most 2\n"},
        {"inner = 1;",
         "test.conf:1: inner: is of the wrong type; allowed: group, written { ... }\n"},
        {"inner = {flag = 2;};", "test.conf:1: inner.flag: is of the wrong type; allowed: boolean "
                                 "(true, false), without quotes\n"},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct result result;

        read_text(cases[i].text, &result);
        assert_string_equal(result.errors, cases[i].error);
        assert_int_equal(result.error_count, 1);
        done(&result);
    }
}

static void all_errors_are_reported(void **state)
{
    struct result result;

    (void)state;
    read_text("number = 1;\nflag = 3;\nnothing = 4;\n", &result);
    assert_int_equal(result.error_count, 3);
    assert_non_null(strstr(result.errors, "test.conf:1: number"));
    assert_non_null(strstr(result.errors, "test.conf:2: flag"));
    assert_non_null(strstr(result.errors, "test.conf:3: nothing"));
    done(&result);
}

static void a_misspelt_name_is_recognised(void **state)
{
    struct result result;

    (void)state;
    read_text("nubmer = 3;", &result);
    assert_string_equal(result.errors,
                        "test.conf:1: nubmer: is no setting; did you mean number?\n");
    done(&result);
    read_text("items = ({text = \"a\"; numbr = 3;});", &result);
    assert_string_equal(result.errors,
                        "test.conf:1: items[0].numbr: is no setting; did you mean number?\n");
    done(&result);
    read_text("nmb = 3;", &result);
    assert_null(strstr(result.errors, "did you mean"));
    done(&result);
    // Half of it is not enough.
    read_text("txet = 3;", &result);
    assert_null(strstr(result.errors, "did you mean"));
    done(&result);
    read_text("altogether = 3;", &result);
    assert_string_equal(result.errors,
                        "test.conf:1: altogether: is no setting; turnpike.conf(5) lists those "
                        "there are\n");
    done(&result);
}

static void secrets_are_never_printed(void **state)
{
    struct result result;

    (void)state;
    read_text("secret = \"hunter22\"; key = \"deadbeefXY\";", &result);
    assert_int_equal(result.error_count, 2);
    assert_null(strstr(result.errors, "hunter"));
    assert_null(strstr(result.errors, "dead"));
    done(&result);
    read_text("key = \"deadbeeX\";", &result);
    assert_string_equal(
        result.errors,
        "test.conf:1: key: is not hexadecimal; allowed: 8 hexadecimal digits, or empty\n");
    done(&result);
}

static void a_report_knows_the_settings_at_fault(void **state)
{
    FILE *null = fopen("/dev/null", "w");
    struct setting_report report = {.stream = null, .path = "test.conf"};

    (void)state;
    assert_non_null(null);
    assert_false(setting_report_has(&report, "users"));
    setting_error(&report, NULL, "users[1].key", "is wrong");
    assert_true(setting_report_has(&report, "users"));
    assert_true(setting_report_has(&report, "users[1]"));
    assert_false(setting_report_has(&report, "users[0]"));
    assert_false(setting_report_has(&report, "sers"));
    setting_report_done(&report);
    fclose(null);
}

static void count_row(const struct setting *setting, const char *name, void *context)
{
    unsigned *count = context;

    (void)setting;
    if (strcmp(name, "items.number") == 0 || strcmp(name, "inner.flag") == 0 ||
        strcmp(name, "number") == 0)
        (*count)++;
}

static void a_walk_visits_the_fields_of_groups_too(void **state)
{
    unsigned count = 0;

    (void)state;
    setting_walk(table, count_row, &count);
    assert_int_equal(count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_said_has_its_default),
        cmocka_unit_test(what_is_said_is_stored),
        cmocka_unit_test(every_error_says_where_what_and_what_is_allowed),
        cmocka_unit_test(all_errors_are_reported),
        cmocka_unit_test(a_misspelt_name_is_recognised),
        cmocka_unit_test(secrets_are_never_printed),
        cmocka_unit_test(a_report_knows_the_settings_at_fault),
        cmocka_unit_test(a_walk_visits_the_fields_of_groups_too),
    };

    return cmocka_run_group_tests_name("control/setting", tests, NULL, NULL);
}
