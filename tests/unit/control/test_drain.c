// SPDX-License-Identifier: BSD-3-Clause
// Claims about when a drain begins and ends, and what is told of it. The TURN server, the clock and
// the log are fakes.
#include "control/drain.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <event2/event.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct {
    uint64_t now_ms;
    struct turn_usage usage;
    bool is_draining;
    struct turn_alternates alternates;
    unsigned endings;
    unsigned stops;
    char log[2048];
} fake;

uint64_t clock_monotonic_ms(void)
{
    return fake.now_ms;
}

uint64_t clock_wall_s(void)
{
    return 1800000000;
}

void turn_server_usage(const struct turn_server *server, struct turn_usage *ret_usage)
{
    assert_ptr_equal(server, &fake);
    *ret_usage = fake.usage;
}

void turn_server_drain(struct turn_server *server, const struct turn_alternates *alternates)
{
    assert_ptr_equal(server, &fake);
    fake.is_draining = true;
    fake.alternates = *alternates;
}

void turn_server_undrain(struct turn_server *server)
{
    assert_ptr_equal(server, &fake);
    fake.is_draining = false;
}

void log_message(enum log_level level, const char *event, const char *format, ...)
{
    size_t len = strlen(fake.log);
    va_list arguments;

    (void)level;
    len += (size_t)snprintf(fake.log + len, sizeof(fake.log) - len, "%s: ", event);
    va_start(arguments, format);
    len += (size_t)vsnprintf(fake.log + len, sizeof(fake.log) - len, format, arguments);
    va_end(arguments);
    snprintf(fake.log + len, sizeof(fake.log) - len, "\n");
}

static void end_allocations(void *context)
{
    assert_ptr_equal(context, &fake);
    fake.endings++;
}

static void stop(void *context)
{
    assert_ptr_equal(context, &fake);
    fake.stops++;
}

static struct event_base *base;
static struct drain *drain;
static struct settings settings;
static struct settings_alternate alternates[2];

static int set_up(void **state)
{
    struct drain_config config = {
        .server = (struct turn_server *)&fake,
        .settings = &settings,
        .end_allocations = end_allocations,
        .stop = stop,
        .context = &fake,
    };
    (void)state;
    memset(&fake, 0, sizeof(fake));
    fake.now_ms = 1000000;
    fake.usage.allocations = 3;
    alternates[0] =
        (struct settings_alternate){{.family = IP_FAMILY_V4, .bytes = {192, 0, 2, 9}}, 0};
    alternates[1] = (struct settings_alternate){
        {.family = IP_FAMILY_V6, .bytes = {0x20, 0x01, 0x0D, 0xB8, [15] = 9}}, 3479};
    settings = (struct settings){.drain_to = {alternates, 2}, .drain_domain = ""};
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    base = event_base_new();
    config.base = base;
    return base ? drain_create(&config, &drain) : -1;
}

static int tear_down(void **state)
{
    (void)state;
    drain_destroy(drain);
    event_base_free(base);
    return 0;
}

// The next thing that happens: a signal, or the look that it takes now and then.
static void go_on(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        assert_int_equal(fake.stops, 0); // or nothing would happen any more
        assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
    }
}

static void pass_s(unsigned seconds)
{
    fake.now_ms += seconds * 1000;
    go_on(1);
}

static struct drain_view view(void)
{
    struct drain_view found;

    drain_get_view(drain, &found);
    return found;
}

static void a_signal_begins_what_the_settings_say(void **state)
{
    char text[TRANSPORT_ADDRESS_TEXT_LEN];

    (void)state;
    assert_false(view().is_draining);
    settings.drain_deadline_s = 600;
    settings.drain_domain = "turn.example.net";
    raise(SIGUSR1);
    go_on(1);
    assert_true(fake.is_draining);
    assert_string_equal(transport_address_format(&fake.alternates.v4, text), "192.0.2.9:0");
    assert_string_equal(transport_address_format(&fake.alternates.v6, text), "[2001:db8::9]:3479");
    assert_string_equal(fake.alternates.domain, "turn.example.net");
    assert_true(view().is_draining && view().has_deadline);
    assert_int_equal(view().left_s, 600);
    assert_int_equal(view().deadline_wall_s, 1800000600);
    assert_string_equal(
        fake.log,
        "draining: new clients are sent to 192.0.2.9 and [2001:db8::9]:3479; live calls go on\n"
        "draining: 3 allocations are left, for 600 s at most\n");
    assert_int_equal(fake.stops, 0);
}

static void another_signal_undoes_it(void **state)
{
    (void)state;
    raise(SIGUSR1);
    go_on(1);
    raise(SIGUSR2);
    go_on(1);
    assert_false(fake.is_draining);
    assert_false(view().is_draining);
    assert_non_null(strstr(fake.log, "undrained: new clients are served again\n"));
    raise(SIGUSR2);
    go_on(1);
    assert_non_null(strstr(fake.log, "nothing is undone: the relay does not drain\n"));
    assert_int_equal(drain_end(drain), -EALREADY);
    // Nobody looks any more.
    fake.usage.allocations = 0;
    assert_int_equal(event_base_loop(base, EVLOOP_NONBLOCK), 0);
    assert_int_equal(fake.stops, 0);
}

static void signals_that_nobody_takes_up_end_nothing(void **state)
{
    (void)state;
    tear_down(NULL);
    raise(SIGUSR1);
    raise(SIGUSR2);
    assert_int_equal(set_up(NULL), 0);
}

// Seen twice: what was sent last has left then.
static void it_stops_with_the_last_allocation_once_the_workers_are_done(void **state)
{
    (void)state;
    assert_int_equal(drain_begin(drain, 0, NULL), 0);
    go_on(2);
    fake.usage.allocations = 0;
    fake.usage.pending_removals = 1;
    go_on(2);
    assert_int_equal(fake.stops, 0);
    fake.usage.pending_removals = 0;
    go_on(1);
    assert_int_equal(fake.stops, 0);
    go_on(1);
    assert_int_equal(fake.stops, 1);
    assert_int_equal(fake.endings, 0);
    assert_non_null(strstr(fake.log, "drained: no allocation is left"));
}

static void an_allocation_between_two_looks_counts(void **state)
{
    (void)state;
    fake.usage.allocations = 0;
    assert_int_equal(drain_begin(drain, 0, NULL), 0);
    go_on(1);
    fake.usage.allocations = 1; // of a token
    go_on(1);
    fake.usage.allocations = 0;
    go_on(1);
    assert_int_equal(fake.stops, 0);
    go_on(1);
    assert_int_equal(fake.stops, 1);
}

static void at_the_deadline_what_is_left_is_ended(void **state)
{
    char text[DRAIN_TEXT_LEN];
    struct drain_view seen;

    (void)state;
    assert_int_equal(drain_begin(drain, 10, NULL), 0);
    pass_s(9);
    assert_int_equal(fake.endings, 0);
    assert_int_equal(view().left_s, 1);
    pass_s(1);
    assert_int_equal(fake.endings, 1);
    assert_int_equal(fake.stops, 0);
    assert_non_null(strstr(fake.log, "drain_deadline: 3 allocations are left at the deadline"));
    seen = view();
    assert_true(seen.is_ending && seen.is_draining && !seen.has_deadline);
    assert_string_equal(drain_format(&seen, text), "draining: 3 allocations are left, and ended");
    // It cannot be undone, nor begun anew.
    assert_int_equal(drain_end(drain), -EBUSY);
    assert_int_equal(drain_begin(drain, 0, NULL), -EBUSY);
    assert_true(fake.is_draining);
    fake.usage.allocations = 0;
    go_on(2);
    assert_int_equal(fake.endings, 1);
    assert_int_equal(fake.stops, 1);
}

static void a_worker_that_reports_nothing_is_not_waited_for_long(void **state)
{
    (void)state;
    assert_int_equal(drain_begin(drain, 10, NULL), 0);
    pass_s(10);
    fake.usage.allocations = 0;
    fake.usage.pending_removals = 3;
    pass_s(DRAIN_GRACE_MS / 1000 - 1);
    assert_int_equal(fake.stops, 0);
    pass_s(1);
    assert_int_equal(fake.stops, 1);
    assert_non_null(strstr(fake.log, "workers have not reported"));
}

static void workers_that_go_on_reporting_are_waited_for(void **state)
{
    (void)state;
    assert_int_equal(drain_begin(drain, 10, NULL), 0);
    pass_s(10);
    fake.usage.allocations = 0;
    for (unsigned left = 30; left > 0; left--) {
        fake.usage.pending_removals = left;
        pass_s(DRAIN_GRACE_MS / 1000 - 1);
    }
    assert_int_equal(fake.stops, 0);
    fake.usage.pending_removals = 0;
    go_on(2);
    assert_int_equal(fake.stops, 1);
    assert_non_null(strstr(fake.log, "drained: no allocation is left"));
}

static void another_drain_takes_the_place_of_the_first(void **state)
{
    struct turn_alternates other = {};
    char text[TRANSPORT_ADDRESS_TEXT_LEN];

    (void)state;
    assert_int_equal(drain_add_alternate("198.51.100.7:3478", &other), 0);
    assert_int_equal(drain_begin(drain, 10, NULL), 0);
    pass_s(5);
    assert_int_equal(drain_begin(drain, 20, &other), 0);
    assert_string_equal(transport_address_format(&fake.alternates.v4, text), "198.51.100.7:3478");
    assert_int_equal(fake.alternates.v6.ip.family, IP_FAMILY_NONE);
    assert_int_equal(view().left_s, 20);
    pass_s(10);
    assert_int_equal(fake.endings, 0);
    assert_int_equal(drain_begin(drain, 0, &other), 0);
    assert_false(view().has_deadline);
    assert_int_equal(view().deadline_wall_s, 0);
    pass_s(1000);
    assert_int_equal(fake.endings, 0);
}

static void a_drain_begins_with_the_settings_of_its_time(void **state)
{
    (void)state;
    assert_int_equal(drain_begin(drain, DRAIN_DEADLINE_OF_SETTINGS, NULL), 0);
    assert_false(view().has_deadline);
    settings.drain_deadline_s = 7;
    settings.drain_to.count = 0;
    assert_false(view().has_deadline);
    assert_int_equal(fake.alternates.v4.ip.family, IP_FAMILY_V4);
    assert_int_equal(drain_begin(drain, DRAIN_DEADLINE_OF_SETTINGS, NULL), 0);
    assert_int_equal(view().left_s, 7);
    assert_int_equal(fake.alternates.v4.ip.family, IP_FAMILY_NONE);
    assert_non_null(strstr(fake.log, "new clients are refused, for drain_to names no other relay"));
}

static void progress_is_told_now_and_then(void **state)
{
    unsigned lines = 0;

    (void)state;
    assert_int_equal(drain_begin(drain, 0, NULL), 0);
    for (unsigned i = 0; i < 10; i++) {
        fake.usage.allocations = i == 9 ? 1 : 12 - i;
        pass_s(10);
    }
    for (const char *at = fake.log; (at = strstr(at, " left\n")); at++)
        lines++;
    assert_int_equal(lines, 1 + 3);
    assert_non_null(strstr(fake.log, "draining: 10 allocations are left\n"));
    pass_s(20);
    assert_non_null(strstr(fake.log, "draining: 1 allocation is left\n"));
}

static void the_longest_text_fits(void **state)
{
    const struct drain_view longest = {
        .is_draining = true, .has_deadline = true, .left_s = UINT32_MAX, .allocations = UINT32_MAX};
    char text[DRAIN_TEXT_LEN];

    (void)state;
    assert_string_equal(drain_format(&longest, text),
                        "draining: 4294967295 allocations are left, for 4294967295 s at most");
}

static void alternates_are_read_with_a_port_and_without(void **state)
{
    static const char *const bad[] = {"",
                                      "192.0.2",
                                      "192.0.2.1:",
                                      "192.0.2.1:70000",
                                      "[2001:db8::1]",
                                      "relay.example.org",
                                      "2001:db8::1]:3478",
                                      "192.0.2.1 "};
    struct turn_alternates read = {};
    char text[TRANSPORT_ADDRESS_TEXT_LEN];

    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(drain_add_alternate(bad[i], &read), -EINVAL);
    assert_int_equal(drain_add_alternate("192.0.2.1", &read), 0);
    assert_int_equal(drain_add_alternate("192.0.2.2:80", &read), -EEXIST);
    assert_int_equal(drain_add_alternate("[2001:db8::1]:5349", &read), 0);
    assert_int_equal(drain_add_alternate("2001:db8::1", &read), -EEXIST);
    assert_string_equal(transport_address_format(&read.v4, text), "192.0.2.1:0");
    assert_string_equal(transport_address_format(&read.v6, text), "[2001:db8::1]:5349");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_signal_begins_what_the_settings_say),
        CASE(another_signal_undoes_it),
        CASE(signals_that_nobody_takes_up_end_nothing),
        CASE(it_stops_with_the_last_allocation_once_the_workers_are_done),
        CASE(an_allocation_between_two_looks_counts),
        CASE(at_the_deadline_what_is_left_is_ended),
        CASE(a_worker_that_reports_nothing_is_not_waited_for_long),
        CASE(workers_that_go_on_reporting_are_waited_for),
        CASE(another_drain_takes_the_place_of_the_first),
        CASE(a_drain_begins_with_the_settings_of_its_time),
        CASE(progress_is_told_now_and_then),
        CASE(the_longest_text_fits),
        CASE(alternates_are_read_with_a_port_and_without),
    };

    return cmocka_run_group_tests_name("control/drain", tests, NULL, NULL);
}
