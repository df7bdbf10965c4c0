// SPDX-License-Identifier: BSD-3-Clause
// Claims about the settings of the relay: how they are read, and that config/turnpike.conf,
// docs/configuration.md and docs/turnpike.conf.5 say all of it.
#include "control/settings.h"
#include "control/settings_change.h"

#include "settings_fixture.h"

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void little_has_to_be_said(void **state)
{
    struct settings settings;

    (void)state;
    settings_fixture_loads(SETTINGS_GOOD, &settings);
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
    settings_fixture_refuses(
        "", "conf: interface: is missing: network interface that clients and peers are "
            "reached through\n"
            "conf: realm: is missing: realm of the long-term credentials\n"
            "conf: users: nobody could use the relay; there must be users, "
            "static_auth_secrets, or both\n");
}

static void files_are_named_from_the_directory_of_the_configuration(void **state)
{
    struct settings settings;
    const struct settings_certificate *certificates;

    (void)state;
    settings_fixture_loads(
        SETTINGS_GOOD "certificates = ({certificate = \"turn.pem\"; private_key = \"keys/turn\";}, "
                      "{certificate = \"/etc/turn.pem\";});",
        &settings);
    certificates = settings.certificates.items;
    assert_string_equal(certificates[0].certificate, "/tmp/turn.pem");
    assert_string_equal(certificates[0].private_key, "/tmp/keys/turn");
    assert_string_equal(certificates[1].certificate, "/etc/turn.pem");
    assert_string_equal(certificates[1].private_key, "");
    settings_done(&settings);
}

static void addresses_that_nobody_can_have_are_refused(void **state)
{
    static const char *const addresses[] = {
        "0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255",
        "::",      "::1",       "ff02::1",   "::ffff:192.0.2.1"};

    (void)state;
    for (unsigned i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        char text[512], expected[512];

        snprintf(text, sizeof(text), "%slisten = ({address = \"%s\";});", SETTINGS_GOOD,
                 addresses[i]);
        snprintf(expected, sizeof(expected),
                 "conf:" SETTINGS_NEXT
                 ": listen[0].address: \"%s\" is no address that packets can come "
                 "to; allowed: an IPv4 or IPv6 address\n",
                 addresses[i]);
        settings_fixture_refuses(text, expected);
    }
    settings_fixture_refuses(SETTINGS_GOOD "external_address = \"0.0.0.0\";",
                             "conf:" SETTINGS_NEXT
                             ": external_address: \"0.0.0.0\" is no address that packets can "
                             "come to; allowed: an IPv4 or IPv6 address, or empty\n");
}

static void an_integer_that_libconfig_would_cut_is_refused(void **state)
{
    (void)state;
    settings_fixture_refuses(SETTINGS_GOOD "total_quota = 4294967297;\n",
                             "conf:" SETTINGS_NEXT
                             ": total_quota: 4294967297 is out of range; allowed: 1..4194304 "
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
    snprintf(text, sizeof(text), SETTINGS_GOOD "@include \"%s\"\n", strrchr(path, '/') + 1);
    snprintf(expected, sizeof(expected),
             "%s:2: total_quota: 4294967297 is out of range; allowed: 1..4194304 allocations\n",
             strrchr(path, '/') + 1);
    settings_fixture_refuses(text, expected);
    unlink(path);
    settings_fixture_refuses(SETTINGS_GOOD "@include \"nothing\"\n",
                             "conf:" SETTINGS_NEXT
                             ": cannot open include file; allowed: one that is there, named from "
                             "the directory of the main file\n");
}

static void a_syntax_error_names_its_line(void **state)
{
    struct settings settings;
    char *errors;

    (void)state;
    assert_int_equal(settings_fixture_load(SETTINGS_GOOD "idle = ;\n", &errors, &settings),
                     -EINVAL);
    assert_string_equal(errors,
                        "conf:" SETTINGS_NEXT
                        ": syntax error here or before; allowed: name = value; with text in "
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

// Members of a group have each a word of their own.
static const char *reload_word(const struct setting *setting, const char *name)
{
    return setting->type == SETTING_GROUP ? "" : settings_reload_text(settings_reload_of(name));
}

static void expect_documented(const struct setting *setting, const char *name, void *context)
{
    char type[SETTING_TEXT_LEN], range[SETTING_TEXT_LEN], line[1024];
    const char *value = !setting->default_value   ? "must be set"
                        : *setting->default_value ? setting->default_value
                                                  : "none";
    bool is_value = setting->default_value && *setting->default_value;

    snprintf(line, sizeof(line), "| `%s` | %s | %s%s%s | %s | %s | %s | %s |", name,
             setting_format_type(setting, type), is_value ? "`" : "", value, is_value ? "`" : "",
             setting->unit ? setting->unit : "", setting_format_range(setting, range),
             reload_word(setting, name), setting->help);
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
    snprintf(line, sizeof(line), ".It Ic %s\n%s%s%s%s%s; %s%s%s%s.\n%s.", name, type,
             *range ? ", " : "", range, setting->unit ? " " : "",
             setting->unit ? setting->unit : "",
             !value   ? "must be set"
             : *value ? "default "
                      : "no default",
             value ? value : "", *reload_word(setting, name) ? "; reload: " : "",
             reload_word(setting, name), help);
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
    settings_fixture_loads(text, &settings);
    settings_done(&settings);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(little_has_to_be_said),
        cmocka_unit_test(what_must_be_said_is_asked_for),
        cmocka_unit_test(files_are_named_from_the_directory_of_the_configuration),
        cmocka_unit_test(addresses_that_nobody_can_have_are_refused),
        cmocka_unit_test(an_integer_that_libconfig_would_cut_is_refused),
        cmocka_unit_test(an_included_file_is_named),
        cmocka_unit_test(a_syntax_error_names_its_line),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(a_directory_is_no_file),
        cmocka_unit_test(the_documentation_lists_every_setting),
        cmocka_unit_test(the_manual_page_lists_every_setting),
        cmocka_unit_test(the_reference_configuration_has_every_setting_with_its_default),
        cmocka_unit_test(the_reference_configuration_loads),
    };

    return cmocka_run_group_tests_name("control/settings", tests, NULL, NULL);
}
