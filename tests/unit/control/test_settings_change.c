// SPDX-License-Identifier: BSD-3-Clause
// Claims about what a reload takes: every setting has its word, every difference is seen, and what
// is taken leaves the rest as it was.
#include "control/settings_change.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BASE                                                                                       \
    "interface = \"eth0\";\nrealm = \"example.org\";\nusers = ({name = \"alice\"; password = "     \
    "\"secret\";});\n"

static void load(const char *text, struct settings *ret_settings)
{
    char path[] = "/tmp/turnpike-test-XXXXXX";
    int fd = mkstemp(path), error;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    error = settings_load(path, stderr, ret_settings);
    unlink(path);
    assert_int_equal(error, 0);
}

static void expect_word(const struct setting *setting, const char *name, void *context)
{
    unsigned *missing = context;

    // A group has none of its own: each of its members has.
    if (setting->type == SETTING_GROUP || settings_reload_of(name) != SETTINGS_NAMELESS)
        return;
    print_error("nobody has said whether a reload takes %s\n", name);
    (*missing)++;
}

static void every_setting_says_whether_a_reload_takes_it(void **state)
{
    unsigned missing = 0;

    (void)state;
    setting_walk(settings_table, expect_word, &missing);
    assert_int_equal(missing, 0);
}

struct search {
    const char *name;
    unsigned found;
};

static void compare(const struct setting *setting, const char *name, void *context)
{
    struct search *search = context;

    (void)setting;
    search->found += strcmp(name, search->name) == 0;
}

// The word on a setting that is gone, or that has another name now, goes with it.
static void there_is_one_word_on_what_is_a_setting_and_none_else(void **state)
{
    (void)state;
    for (unsigned i = 0; settings_reload_name(i); i++) {
        struct search search = {.name = settings_reload_name(i)};

        setting_walk(settings_table, compare, &search);
        if (search.found != 1)
            fail_msg("%s is no setting", search.name);
        for (unsigned other = 0; other < i; other++)
            assert_string_not_equal(settings_reload_name(other), search.name);
    }
    assert_non_null(settings_reload_name(0));
}

static void what_is_no_setting_has_no_word(void **state)
{
    (void)state;
    assert_int_equal(settings_reload_of("realms"), SETTINGS_NAMELESS);
    assert_int_equal(settings_reload_of("real"), SETTINGS_NAMELESS);
    assert_int_equal(settings_reload_of(""), SETTINGS_NAMELESS);
    assert_int_equal(settings_reload_of("users.password"), SETTINGS_LIVE);
    assert_int_equal(settings_reload_of("listen.port"), SETTINGS_AT_START);
}

static void tell(const char *name, enum settings_effect effect, void *context)
{
    static const char *const words[] = {
        [SETTINGS_TAKEN] = "taken", [SETTINGS_TAKEN_IN_PART] = "in part", [SETTINGS_LEFT] = "left"};
    char *story = context;

    sprintf(story + strlen(story), "%s %s; ", name, words[effect]);
}

// What changes from one text to the other, in the words above.
static void assert_change(const char *from, const char *to, const char *expected)
{
    struct settings in_force, read;
    struct settings_bounds bounds;
    char story[1024] = "";

    load(from, &in_force);
    load(to, &read);
    settings_bounds_take(&in_force, &bounds);
    settings_change_walk(&bounds, &in_force, &read, tell, story);
    assert_string_equal(story, expected);
    settings_done(&in_force);
    settings_done(&read);
}

static void the_same_file_changes_nothing(void **state)
{
    const char *all = BASE "listen = ({address = \"192.0.2.1\";}); relay = ({address = "
                           "\"192.0.2.1\";}); workers = 2; cpus = \"1,2\"; allow_peer = "
                           "[\"10.0.0.0/8\"]; static_auth_secrets = [\"north\"]; log = {level = "
                           "\"debug\";}; certificates = ({certificate = \"/a\";});";

    (void)state;
    assert_change(BASE, BASE, "");
    assert_change(all, all, "");
}

static void every_kind_of_difference_is_seen(void **state)
{
    (void)state;
    assert_change(BASE, BASE "software = \"other\";", "software taken; ");
    assert_change(BASE, BASE "userhash = true;", "userhash taken; ");
    assert_change(BASE, BASE "total_max_bps = 1;", "total_max_bps taken; ");
    assert_change(BASE "total_max_bps = 8589934592L;", BASE "total_max_bps = 4294967296L;",
                  "total_max_bps taken; ");
    assert_change(BASE "max_bps = 5;", BASE "max_bps = 5; bps_capacity = 4294967296L;",
                  "bps_capacity taken; ");
    assert_change(BASE, BASE "user_quota = 7;", "user_quota taken; ");
    assert_change(BASE, BASE "log = {level = \"debug\";};", "log.level taken; ");
    assert_change(BASE, BASE "log = {format = \"json\";};", "log.format left; ");
    assert_change(BASE, BASE "external_address = \"192.0.2.1\";", "external_address left; ");
    assert_change(BASE, BASE "metrics_listen = [\"127.0.0.1\", \"192.0.2.1\"];",
                  "metrics_listen left; ");
    assert_change(BASE, BASE "cpus = \"1\";", "cpus left; ");
    assert_change(BASE, BASE "capture = true;", "capture left; ");
    assert_change(BASE "cpus = \"1\";", BASE "cpus = \"2\";", "cpus left; ");
    assert_change(BASE, BASE "allow_peer = [\"10.0.0.0/8\"];", "allow_peer taken; ");
    assert_change(BASE "deny_peer = [\"8.0.0.0/8\"];", BASE "deny_peer = [\"8.0.0.0/9\"];",
                  "deny_peer taken; ");
    assert_change(BASE "static_auth_secrets = [\"north\"];",
                  BASE "static_auth_secrets = [\"south\"];", "static_auth_secrets taken; ");
    assert_change(BASE "listen = ({address = \"192.0.2.1\";});",
                  BASE "listen = ({address = \"192.0.2.1\"; port = 3479;});", "listen left; ");
}

static void a_user_differs_by_name_password_and_keys(void **state)
{
    const char *user = "interface = \"eth0\"; realm = \"r\"; users = ({name = \"a\"; key_md5 = "
                       "\"00112233445566778899aabbccddeeff\";});";

    (void)state;
    assert_change(user,
                  "interface = \"eth0\"; realm = \"r\"; users = ({name = \"a\"; key_md5 = "
                  "\"00112233445566778899aabbccddeefe\";});",
                  "users taken; ");
    assert_change(
        user, "interface = \"eth0\"; realm = \"r\"; users = ({name = \"a\"; password = \"x\";});",
        "users taken; ");
    assert_change(user,
                  "interface = \"eth0\"; realm = \"r\"; users = ({name = \"b\"; key_md5 = "
                  "\"00112233445566778899aabbccddeeff\";});",
                  "users taken; ");
}

static void quotas_are_taken_up_to_those_of_the_start(void **state)
{
    (void)state;
    assert_change(BASE "total_quota = 100;", BASE "total_quota = 50;", "total_quota taken; ");
    assert_change(BASE "total_quota = 100;", BASE "total_quota = 101;", "total_quota in part; ");
    assert_change(BASE "max_lifetime = 1000;", BASE "max_lifetime = 4000; default_lifetime = 3000;",
                  "default_lifetime in part; max_lifetime in part; ");
}

static void what_was_not_there_at_the_start_is_left(void **state)
{
    (void)state;
    assert_change(BASE, BASE "max_bps = 1000;", "max_bps left; ");
    assert_change(BASE "max_bps = 1000;", BASE, "max_bps taken; ");
    assert_change(BASE, BASE "user_max_bps = 1000;", "user_max_bps left; ");
    assert_change(BASE "user_max_bps = 1000;", BASE "user_max_bps = 2000;", "user_max_bps taken; ");
    assert_change(BASE, BASE "certificates = ({certificate = \"/a\";});", "certificates left; ");
    assert_change(BASE "certificates = ({certificate = \"/a\";});",
                  BASE "certificates = ({certificate = \"/b\";});", "certificates taken; ");
}

static void what_is_taken_changes_places_and_the_rest_stays(void **state)
{
    struct settings in_force, read;
    struct settings_bounds bounds;
    const void *interface;

    (void)state;
    load(BASE "total_quota = 100; max_bps = 5; allow_peer = [\"10.0.0.0/8\"];", &in_force);
    load("interface = \"eth1\"; realm = \"example.net\"; users = ({name = \"bob\"; password = "
         "\"b\";}, "
         "{name = \"eve\"; password = \"e\";}); total_quota = 1000; max_bps = 7; min_port = 50000;",
         &read);
    interface = in_force.interface;
    settings_bounds_take(&in_force, &bounds);
    settings_change_apply(&bounds, &in_force, &read);
    assert_ptr_equal(in_force.interface, interface);
    assert_string_equal(in_force.realm, "example.net");
    assert_int_equal(in_force.users.count, 2);
    assert_string_equal(((struct settings_user *)in_force.users.items)[1].name, "eve");
    assert_int_equal(in_force.allow_peer.count, 0);
    assert_int_equal(in_force.total_quota, 100);
    assert_int_equal(in_force.max_bps, 7);
    assert_int_equal(in_force.min_port, 49152);
    assert_string_equal(read.realm, "example.org");
    assert_string_equal(read.interface, "eth1");
    assert_int_equal(read.users.count, 1);
    settings_done(&read);
    settings_done(&in_force);
}

// The bounds are those of the start, whatever came between.
static void a_limit_that_was_lowered_can_be_raised_again(void **state)
{
    struct settings in_force, lower, higher;
    struct settings_bounds bounds;
    char story[256] = "";

    (void)state;
    load(BASE "total_quota = 100; max_bps = 5;", &in_force);
    load(BASE "total_quota = 10;", &lower);
    load(BASE "total_quota = 100; max_bps = 6;", &higher);
    settings_bounds_take(&in_force, &bounds);
    settings_change_apply(&bounds, &in_force, &lower);
    assert_int_equal(in_force.total_quota, 10);
    assert_int_equal(in_force.max_bps, 0);
    settings_change_walk(&bounds, &in_force, &higher, tell, story);
    assert_string_equal(story, "total_quota taken; max_bps taken; ");
    settings_change_apply(&bounds, &in_force, &higher);
    assert_int_equal(in_force.total_quota, 100);
    assert_int_equal(in_force.max_bps, 6);
    settings_done(&higher);
    settings_done(&lower);
    settings_done(&in_force);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setting_says_whether_a_reload_takes_it),
        cmocka_unit_test(there_is_one_word_on_what_is_a_setting_and_none_else),
        cmocka_unit_test(what_is_no_setting_has_no_word),
        cmocka_unit_test(the_same_file_changes_nothing),
        cmocka_unit_test(every_kind_of_difference_is_seen),
        cmocka_unit_test(a_user_differs_by_name_password_and_keys),
        cmocka_unit_test(quotas_are_taken_up_to_those_of_the_start),
        cmocka_unit_test(what_was_not_there_at_the_start_is_left),
        cmocka_unit_test(what_is_taken_changes_places_and_the_rest_stays),
        cmocka_unit_test(a_limit_that_was_lowered_can_be_raised_again),
    };

    return cmocka_run_group_tests_name("control/settings_change", tests, NULL, NULL);
}
