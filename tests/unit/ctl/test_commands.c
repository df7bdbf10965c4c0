// SPDX-License-Identifier: BSD-3-Clause
// Claims about commands: what they ask, and what they print.
#include "ctl/commands.h"

#include "relay_fixture.h"
#include "support.h"

static char *output, *errors;

static int forget(void **state)
{
    (void)state;
    free(output);
    free(errors);
    output = errors = NULL;
    return 0;
}

static enum ctl_status run(struct fake_relay *relay, struct command_line line)
{
    size_t len;
    FILE *output_file, *errors_file, *input = fopen("/dev/null", "r");
    enum ctl_status status;

    forget(NULL);
    output_file = open_memstream(&output, &len);
    errors_file = open_memstream(&errors, &len);
    relay->greeting = FAKE_GREETING;
    fake_relay_start(relay);
    line.socket = relay->path;
    status = commands_run(&line, input, output_file, errors_file);
    fake_relay_stop(relay);
    fclose(input);
    fclose(output_file);
    fclose(errors_file);
    return status;
}

// With this one packet as the answer to everything.
static enum ctl_status run_with(const char *packet, struct command_line line,
                                struct fake_relay *ret_relay)
{
    const struct fake_answer answers[] = {{"/", packet, 0}};

    *ret_relay = (struct fake_relay){.answers = answers, .answer_count = 1};
    return run(ret_relay, line);
}

static void shows_the_status(void **state)
{
    static const char packet[] =
        "{\"/turnpike/status\": {\"state\": \"running\", \"uptime_seconds\": 61}}";
    struct fake_relay relay;

    (void)state;
    assert_int_equal(run_with(packet, (struct command_line){.verb = VERB_STATUS}, &relay),
                     CTL_DONE);
    assert_string_equal(output, "state   running\nuptime  1 m 01 s\n");
    assert_string_equal(relay.asked[0], "/turnpike/status");
}

static void repeats_an_answer_as_json(void **state)
{
    static const char packet[] = "{\"/turnpike/drops\": {\"drops\": {\"not_ours\": 5}}}";
    struct fake_relay relay;

    (void)state;
    assert_int_equal(
        run_with(packet, (struct command_line){.verb = VERB_DROPS, .json = true}, &relay),
        CTL_DONE);
    assert_string_equal(output, "{\n  \"drops\": {\n    \"not_ours\": 5\n  }\n}\n");
}

static void shows_lists_as_tables(void **state)
{
    static const char workers[] =
        "{\"/turnpike/workers\": {\"workers\": {\"0\": {\"cpu\": 2, "
        "\"packets_received\": 1500, \"busy_cycles\": 30, \"idle_cycles\": 70}}}}";
    static const char drops[] = "{\"/turnpike/drops\": {\"drops\": {\"not_ours\": 1500}}}";
    struct fake_relay relay;

    (void)state;
    assert_int_equal(run_with(workers, (struct command_line){.verb = VERB_WORKERS}, &relay),
                     CTL_DONE);
    assert_string_equal(output, "WORKER  CPU  RX PACKETS  BUSY\n     0    2      1.50 k  30 %\n");
    assert_int_equal(run_with(drops, (struct command_line){.verb = VERB_DROPS}, &relay), CTL_DONE);
    assert_string_equal(output, "REASON    COUNT\nnot_ours   1500\n");
}

static void shows_ports_and_what_is_used_of_them(void **state)
{
    static const char packet[] =
        "{\"/turnpike/ports\": {\"ports\": {\"0\": {\"name\": \"net_x\", \"link\": \"up\"}},"
        " \"uses\": {\"rss\": {\"found\": \"ipv4\", \"used\": \"no\", \"why\": \"one worker\"},"
        " \"mac\": {\"found\": \"02:00\"}}}}";
    static const char old[] = "{\"/turnpike/ports\": {\"ports\": {\"0\": {\"name\": \"net_x\"}}}}";
    struct fake_relay relay;

    (void)state;
    assert_int_equal(run_with(packet, (struct command_line){.verb = VERB_PORTS}, &relay), CTL_DONE);
    assert_string_equal(output, "PORT  NAME   LINK\n   0  net_x  up\n\n"
                                "ITEM  FOUND  USED  WHY\nrss   ipv4   no    one worker\n"
                                "mac   02:00  -     -\n");
    assert_int_equal(run_with(old, (struct command_line){.verb = VERB_PORTS}, &relay), CTL_DONE);
    assert_string_equal(output, "PORT  NAME\n   0  net_x\n");
}

static void refuses_an_answer_without_the_list(void **state)
{
    static const struct {
        enum verb verb;
        const char *packet;
    } wrong[] = {
        {VERB_WORKERS, "{\"/turnpike/workers\": {\"workers\": 5}}"},
        {VERB_PORTS, "{\"/turnpike/ports\": {}}"},
        {VERB_DROPS, "{\"/turnpike/drops\": {\"drops\": []}}"},
        {VERB_ALLOCATIONS, "{\"/turnpike/allocations\": {\"allocations\": {\"a\": 1}}}"},
    };
    struct fake_relay relay;

    (void)state;
    for (unsigned i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(
            run_with(wrong[i].packet, (struct command_line){.verb = wrong[i].verb}, &relay),
            CTL_GARBLED);
        assert_string_equal(output, "");
        assert_non_null(strstr(errors, "in the relay's answer\n"));
    }
}

static void asks_with_all_filters(void **state)
{
    static const char packet[] = "{\"/turnpike/allocations\": {\"allocations\": {}}}";
    struct command_line line = {.verb = VERB_ALLOCATIONS,
                                .user = "a,b",
                                .client = "192.0.2.1",
                                .peer = "2001:db8::1",
                                .relay = "[2001:db8::1]:7"};
    struct fake_relay relay;

    (void)state;
    assert_int_equal(run_with(packet, line, &relay), CTL_DONE);
    assert_string_equal(relay.asked[0],
                        "/turnpike/allocations,user=a%2Cb,client=192.0.2.1,peer=2001:db8::1,"
                        "relay=[2001:db8::1]:7,limit=20");
    assert_string_equal(output, "no allocations\n");
}

static const struct fake_answer two_pages[] = {
    {"/turnpike/allocations,user=alice,after=0000000a00000001",
     "{\"/turnpike/allocations\": {\"allocations\": {\"0000000b00000002\": {\"user\": "
     "\"alice\"}}}}",
     0},
    {"/turnpike/allocations,user=alice",
     "{\"/turnpike/allocations\": {\"allocations\": {\"0000000a00000001\": {\"user\": \"alice\"}}, "
     "\"next\": "
     "\"0000000a00000001\"}}",
     0},
    {"/turnpike/kill", "{\"/turnpike/kill\": {\"killed\": 2}}", 0},
};

static void says_that_there_is_more_and_shows_all_when_told(void **state)
{
    struct fake_relay relay = {.answers = two_pages, .answer_count = COUNT_OF(two_pages)};
    struct command_line line = {.verb = VERB_ALLOCATIONS, .user = "alice", .limit = 1};

    (void)state;
    assert_int_equal(run(&relay, line), CTL_DONE);
    assert_string_equal(output, "SESSION           USER\n0000000a00000001  alice\nthere are more: "
                                "--all shows them, --limit some\n");
    line.limit = 0;
    line.all = line.json = true;
    assert_int_equal(run(&relay, line), CTL_DONE);
    assert_string_equal(output, "[\n  {\"user\": \"alice\", \"session\": \"0000000a00000001\"},\n"
                                "  {\"user\": \"alice\", \"session\": \"0000000b00000002\"}\n]\n");
}

static void asks_before_it_ends_several_and_needs_yes_where_it_cannot(void **state)
{
    struct fake_relay relay = {.answers = two_pages, .answer_count = COUNT_OF(two_pages)};
    struct command_line line = {.verb = VERB_KILL, .user = "alice"};

    (void)state;
    assert_int_equal(run(&relay, line), CTL_USAGE);
    assert_string_equal(errors,
                        "turnpike-ctl: alice has 2 allocations: say --yes to end them all\n");
    assert_int_equal(atomic_load(&relay.asked_count), 2);
    line.yes = true;
    assert_int_equal(run(&relay, line), CTL_DONE);
    assert_string_equal(relay.asked[0], "/turnpike/kill,user=alice");
    assert_string_equal(output, "2 ended\n");
}

static void ends_one_session_without_a_question(void **state)
{
    struct command_line line = {.verb = VERB_KILL, .arguments = {"0000000100000002"}};
    struct fake_relay relay;

    (void)state;
    assert_int_equal(run_with("{\"/turnpike/kill\": {\"killed\": 1}}", line, &relay), CTL_DONE);
    assert_string_equal(relay.asked[0], "/turnpike/kill,session=0000000100000002");
}

static void asks_again_while_there_are_more_to_end(void **state)
{
    struct command_line line = {.verb = VERB_KILL, .user = "alice", .yes = true, .json = true};
    struct fake_relay relay;

    (void)state;
    // One that never comes to an end, and ends none.
    assert_int_equal(run_with("{\"/turnpike/kill\": {\"killed\": 0, \"more\": 1}}", line, &relay),
                     CTL_DONE);
    assert_int_equal(atomic_load(&relay.asked_count), 1);
    assert_string_equal(output, "{\"killed\": 0}\n");
}

static void gives_orders_with_what_was_said(void **state)
{
    static const struct {
        const char *packet;
        struct command_line line;
        const char *asked;
    } orders[] = {
        {"{\"/turnpike/drain\": {}}",
         {.verb = VERB_DRAIN, .has_deadline = true, .deadline_s = 600, .to = "192.0.2.7"},
         "/turnpike/drain,deadline=600,to=192.0.2.7"},
        {"{\"/turnpike/drain\": {}}", {.verb = VERB_DRAIN}, "/turnpike/drain"},
        {"{\"/turnpike/undrain\": {}}", {.verb = VERB_UNDRAIN}, "/turnpike/undrain"},
        {"{\"/turnpike/reload\": {}}", {.verb = VERB_RELOAD}, "/turnpike/reload"},
        {"{\"/turnpike/quotas\": {}}", {.verb = VERB_QUOTAS}, "/turnpike/quotas"},
        {"{\"/turnpike/users\": {\"users\": {}}}",
         {.verb = VERB_USERS},
         "/turnpike/users,limit=20"},
        {"{\"/turnpike/top\": {\"allocations\": {}}}",
         {.verb = VERB_TALKERS, .limit = 5},
         "/turnpike/top,limit=5"},
        {"{\"/turnpike/log\": {}}", {.verb = VERB_LOG}, "/turnpike/log"},
        {"{\"/turnpike/log\": {}}",
         {.verb = VERB_LOG, .arguments = {"turn", "debug"}},
         "/turnpike/log,turn=debug"},
        {"{\"/turnpike/allocation\": {}}",
         {.verb = VERB_SHOW, .arguments = {"1a"}},
         "/turnpike/allocation,1a"},
    };
    struct fake_relay relay;

    (void)state;
    for (unsigned i = 0; i < COUNT_OF(orders); i++) {
        assert_int_equal(run_with(orders[i].packet, orders[i].line, &relay), CTL_DONE);
        assert_string_equal(relay.asked[0], orders[i].asked);
        assert_string_equal(errors, "");
    }
}

static void says_what_the_relay_refuses(void **state)
{
    static const char packet[] = "{\"/turnpike/allocation\": {\"error\": \"no such session\"}}";
    struct command_line line = {.verb = VERB_SHOW, .arguments = {"1a"}};
    struct fake_relay relay;

    (void)state;
    assert_int_equal(run_with(packet, line, &relay), CTL_REFUSED);
    assert_string_equal(errors, "turnpike-ctl: no such session\n");
    assert_string_equal(output, "");
}

static void asks_nothing_with_an_argument_of_nothing(void **state)
{
    struct command_line line = {.verb = VERB_ALLOCATIONS, .user = ""};
    struct fake_relay relay;

    (void)state;
    assert_int_equal(run_with("{}", line, &relay), CTL_USAGE);
    assert_int_equal(atomic_load(&relay.asked_count), 0);
}

static void says_when_there_is_no_relay(void **state)
{
    struct command_line line = {.verb = VERB_STATUS, .socket = "/nonexistent/socket"};
    size_t len;
    FILE *errors_file = open_memstream(&errors, &len);

    (void)state;
    assert_int_equal(commands_run(&line, stdin, stdout, errors_file), CTL_UNREACHABLE);
    fclose(errors_file);
    assert_non_null(
        strstr(errors, "turnpike-ctl: /nonexistent/socket: no such socket; is the relay running?"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(shows_the_status, forget),
        cmocka_unit_test_teardown(repeats_an_answer_as_json, forget),
        cmocka_unit_test_teardown(shows_lists_as_tables, forget),
        cmocka_unit_test_teardown(shows_ports_and_what_is_used_of_them, forget),
        cmocka_unit_test_teardown(refuses_an_answer_without_the_list, forget),
        cmocka_unit_test_teardown(asks_with_all_filters, forget),
        cmocka_unit_test_teardown(says_that_there_is_more_and_shows_all_when_told, forget),
        cmocka_unit_test_teardown(asks_before_it_ends_several_and_needs_yes_where_it_cannot,
                                  forget),
        cmocka_unit_test_teardown(ends_one_session_without_a_question, forget),
        cmocka_unit_test_teardown(asks_again_while_there_are_more_to_end, forget),
        cmocka_unit_test_teardown(gives_orders_with_what_was_said, forget),
        cmocka_unit_test_teardown(says_what_the_relay_refuses, forget),
        cmocka_unit_test_teardown(asks_nothing_with_an_argument_of_nothing, forget),
        cmocka_unit_test_teardown(says_when_there_is_no_relay, forget),
    };

    return cmocka_run_group_tests_name("ctl/commands", tests, NULL, NULL);
}
