// SPDX-License-Identifier: BSD-3-Clause
// Claims about the line that people read of a running service. What it tells of are fakes.
#include "control/status_line.h"

#include "control/reload.h"
#include "control/watchdog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct {
    uint32_t allocations;
    unsigned stuck;
    struct reload_history history;
} fake;

static struct worker_counters counters[2];
static struct plane plane = {.config.worker_count = 2, .counters = counters};
static struct status_line line = {.plane = &plane};
static char text[STATUS_LINE_LEN];

void turn_server_usage(const struct turn_server *server, struct turn_usage *ret_usage)
{
    (void)server;
    *ret_usage = (struct turn_usage){.allocations = fake.allocations};
}

unsigned watchdog_stuck_count(const struct watchdog *watchdog)
{
    (void)watchdog;
    return fake.stuck;
}

const struct reload_history *reload_get_history(const struct reload *reload)
{
    (void)reload;
    return &fake.history;
}

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    memset(counters, 0, sizeof(counters));
    counters[0].counters[COUNTER_CHANNEL_TO_PEER] = 1000; // before
    status_line_init(&line, 5000);
    return 0;
}

static void all_that_is_relayed_counts_and_only_since_the_line_before(void **state)
{
    (void)state;
    fake.allocations = 12;
    counters[0].counters[COUNTER_CHANNEL_TO_PEER] += 10;
    counters[0].counters[COUNTER_SEND_TO_PEER] += 100;
    counters[1].counters[COUNTER_PEER_TO_CHANNEL] += 1000;
    counters[1].counters[COUNTER_PEER_TO_DATA] += 10000;
    counters[0].counters[COUNTER_TO_PEER_BYTES] += 20000;
    counters[1].counters[COUNTER_TO_CLIENT_BYTES] += 30000;
    counters[1].drops[DROP_NOT_OURS] += 6;
    counters[0].drops[DROP_TX_FULL] += 8;
    assert_string_equal(status_line_write(&line, 7000, text),
                        "12 allocations; relays 5555 packets/s, 200 kbit/s; drops 7/s");
    assert_string_equal(status_line_write(&line, 8000, text),
                        "12 allocations; relays 0 packets/s, 0 kbit/s; drops 0/s");
    status_line_write(&line, 8000, text); // and no division by zero
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    fake.stuck = 1;
    assert_string_equal(
        status_line_write(&line, 6000, text),
        "0 allocations; relays 0 packets/s, 0 kbit/s; drops 0/s; 1 of 2 workers stuck");
    fake.stuck = 0;
    fake.history.last_was_refused = true;
    assert_string_equal(status_line_write(&line, 7000, text),
                        "0 allocations; relays 0 packets/s, 0 kbit/s; drops 0/s; last reload "
                        "refused, see the log");
}

static void the_longest_fits(void **state)
{
    (void)state;
    fake.allocations = UINT32_MAX;
    fake.stuck = 2;
    fake.history.last_was_refused = true;
    counters[0].counters[COUNTER_SEND_TO_PEER] = 99000000000;
    counters[0].counters[COUNTER_TO_PEER_BYTES] = 99000000000000;
    counters[0].drops[DROP_TX_FULL] = 99000000000;
    status_line_write(&line, 6000, text);
    assert_string_equal(text + strlen(text) - 8, " the log");
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup(test, set_up)
    const struct CMUnitTest tests[] = {
        CASE(all_that_is_relayed_counts_and_only_since_the_line_before),
        CASE(what_is_wrong_is_said),
        CASE(the_longest_fits),
    };

    return cmocka_run_group_tests_name("control/status_line", tests, NULL, NULL);
}
