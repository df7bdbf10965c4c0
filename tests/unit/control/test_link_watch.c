// SPDX-License-Identifier: BSD-3-Clause
// Claims about a twin that follows its device's link. Device and twin are fakes.
#include "control/link_watch.h"

#include "base/log.h"
#include "platform/port_counters.h"
#include "platform/twins.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct {
    bool is_up[PORT_DEVICES_MAX];
    bool is_silent;
    char story[128]; // of the twins and the log
} fake;

static const struct ports ports = {
    .count = 1, .device_count = 2, .devices = {{.name = "net_a"}, {.name = "net_b"}}};
static struct twins twins = {.at = {(struct twin *)&fake.is_up[0], (struct twin *)&fake.is_up[1]}};

static void tell(const char *word)
{
    size_t len = strlen(fake.story);

    snprintf(fake.story + len, sizeof(fake.story) - len, "%s ", word);
}

bool ports_get_link(const struct ports *asked, unsigned index, struct port_link *ret_link)
{
    assert_ptr_equal(asked, &ports);
    assert_true(index < twins.count);
    if (fake.is_silent)
        return false;
    *ret_link = (struct port_link){.is_up = fake.is_up[index]};
    return true;
}

void twin_set_carrier(const struct twin *twin, bool is_up)
{
    assert_true(twin == twins.at[0] || twin == twins.at[1]);
    tell(twin == twins.at[0] ? "first" : "second");
    tell(is_up ? "on" : "off");
}

void log_message(enum log_level level, const char *event, const char *format, ...)
{
    (void)level;
    (void)format;
    tell(event);
}

struct fixture {
    struct event_base *base;
    struct link_watch *watch;
};

static void start(struct fixture *fixture)
{
    const struct link_watch_config config = {fixture->base, &ports, &twins};

    assert_int_equal(link_watch_create(&config, &fixture->watch), 0);
}

static int set_up(void **state)
{
    static struct fixture fixture;

    memset(&fake, 0, sizeof(fake));
    fake.is_up[0] = true;
    fake.is_up[1] = true;
    twins.count = 1;
    fixture = (struct fixture){.base = event_base_new()};
    *state = &fixture;
    return fixture.base ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    link_watch_destroy(fixture->watch);
    event_base_free(fixture->base);
    return 0;
}

static void a_twin_has_its_carrier_from_the_start(void **state)
{
    start(*state);
    assert_string_equal(fake.story, "");
}

static void a_twin_of_a_device_without_a_link_has_no_carrier(void **state)
{
    fake.is_up[0] = false;
    start(*state);
    assert_string_equal(fake.story, "first off link_down ");
}

static void each_change_is_carried_over_once(void **state)
{
    struct fixture *fixture = *state;

    start(fixture);
    for (unsigned i = 0; i < 6; i++) {
        fake.is_up[0] = i >= 3;
        link_watch_look(fixture->watch);
    }
    assert_string_equal(fake.story, "first off link_down first on link_up ");
}

static void a_device_that_does_not_say_has_a_link(void **state)
{
    struct fixture *fixture = *state;

    fake.is_silent = true;
    start(fixture);
    link_watch_look(fixture->watch);
    assert_string_equal(fake.story, "");
}

static void each_of_two_twins_follows_its_own_device(void **state)
{
    struct fixture *fixture = *state;

    twins.count = 2;
    fake.is_up[1] = false;
    start(fixture);
    assert_string_equal(fake.story, "second off link_down ");
    fake.story[0] = '\0';
    fake.is_up[0] = false;
    fake.is_up[1] = true;
    link_watch_look(fixture->watch);
    assert_string_equal(fake.story, "first off link_down second on link_up ");
}

static void it_looks_by_itself(void **state)
{
    struct fixture *fixture = *state;

    start(fixture);
    fake.is_up[0] = false;
    event_base_loop(fixture->base, EVLOOP_ONCE);
    assert_string_equal(fake.story, "first off link_down ");
}

int main(void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(a_twin_has_its_carrier_from_the_start),
        WITH_FIXTURE(a_twin_of_a_device_without_a_link_has_no_carrier),
        WITH_FIXTURE(each_change_is_carried_over_once),
        WITH_FIXTURE(a_device_that_does_not_say_has_a_link),
        WITH_FIXTURE(each_of_two_twins_follows_its_own_device),
        WITH_FIXTURE(it_looks_by_itself),
    };

    return cmocka_run_group_tests_name("control/link_watch", tests, NULL, NULL);
}
