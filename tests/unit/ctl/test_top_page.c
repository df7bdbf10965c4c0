// SPDX-License-Identifier: BSD-3-Clause
// Claims about how top looks at 80x24, and smaller and larger.
#include "ctl/top_page.h"

#include "support.h"

static struct top_sample sample;
static struct top_rates rates;
static struct top_choice choice;
static struct page page;
static struct top_look look;

static int make_look(void **state)
{
    (void)state;
    memset(&rates, 0, sizeof(rates));
    memset(&sample, 0, sizeof(sample));
    sample.status_ms = 1;
    sample.status = (struct top_status){.pid = 7,
                                        .uptime_s = 3723,
                                        .allocations = 2,
                                        .allocations_max = 100,
                                        .permissions = 3,
                                        .channels = 4,
                                        .users = 5,
                                        .version = "0.1.0",
                                        .device = "eth0",
                                        .state = "running"};
    sample.worker_count = 2;
    sample.workers[0] = (struct top_worker){.worker = 0, .cpu = 2, .allocations = 2};
    sample.workers[1] = (struct top_worker){.worker = 1, .cpu = 3};
    rates.all = rates.workers[0] = (struct top_flow){true, true, 1500, 2e6, 1600, 3e6, 12, 95};
    sample.drop_count = 2;
    sample.drops[0] = (struct top_drop){"not_ours", 1000};
    sample.drops[1] = (struct top_drop){"no_permission", 77};
    rates.drops[1] = 12;
    sample.allocation_count = 2;
    sample.allocations[0] = (struct top_allocation){
        .session = "0000000100000001", .user = "alice", .client = "192.0.2.1:5", .age_s = 9};
    sample.allocations[1] = (struct top_allocation){
        .session = "0000000200000002", .user = "bob", .client = "192.0.2.2:5", .age_s = 5};
    rates.allocations[0] = (struct top_allocation_flow){true, 1, 5000, 1, 1000};
    rates.allocations[1] = (struct top_allocation_flow){true, 1, 1000, 1, 9000};
    choice = (struct top_choice){.interval_s = 1};
    look = (struct top_look){&sample, &rates, NULL, 1700000000};
    return 0;
}

// A row as it is seen, without what is blank at its end. Until the next call.
static const char *row(unsigned number)
{
    static char text[512];
    size_t end;

    memset(text, ' ', sizeof(text));
    for (unsigned i = 0; i < page.span_count; i++) {
        const struct page_span *span = &page.spans[i];

        if (span->row == number)
            memcpy(text + span->column, span->text, strlen(span->text));
    }
    for (end = sizeof(text) - 1; end > 0 && text[end - 1] == ' '; end--)
        ;
    text[end] = '\0';
    return text;
}

static void draw(unsigned rows, unsigned columns)
{
    page_clear(&page, rows, columns);
    top_page_draw(&look, &choice, &page);
    for (unsigned i = 0; i < page.span_count; i++) {
        assert_true(page.spans[i].row < rows);
        assert_true(page.spans[i].column + strlen(page.spans[i].text) <= columns);
    }
}

static enum page_style style_of(const char *text)
{
    for (unsigned i = 0; i < page.span_count; i++) {
        if (strstr(page.spans[i].text, text))
            return page.spans[i].style;
    }
    fail_msg("there is no '%s'", text);
    return PAGE_PLAIN;
}

static void fits_eighty_columns_and_twenty_four_rows(void **state)
{
    static const char *const rows[] = {
        " turnpike 0.1.0  eth0  running  up 1 h 02 m                            22:13:20",
        " allocations 2 of 100  permissions 3  channels 4  users 5",
        " in 1.50 kpps 2.00 Mbit/s  out 1.60 kpps 3.00 Mbit/s  dropped 12 pps",
        "",
        "WORKER  CPU  ALLOCS   IN PPS  IN BIT/S  OUT PPS OUT BIT/S DROPS/S  BUSY",
        "     0    2       2   1.50 k    2.00 M   1.60 k    3.00 M      12  95 % |||||||",
        "     1    3       0        -         -        -         -       -     -",
        "",
        "DROPPED                          EACH S       IN ALL",
        "no_permission                        12           77",
        "not_ours                              0         1000",
        "",
        "SESSION          USER           CLIENT                     TO PEER    TO CLIENT",
        "0000000200000002 bob            192.0.2.2:5            1.00 kbit/s  9.00 kbit/s",
        "0000000100000001 alice          192.0.2.1:5            5.00 kbit/s  1.00 kbit/s",
    };

    (void)state;
    draw(24, 80);
    for (unsigned i = 0; i < COUNT_OF(rows); i++)
        assert_string_equal(row(i), rows[i]);
    assert_string_equal(row(23), " q quit  h help  p pause  s sort: traffic  +/- every 1 s");
    assert_int_equal(style_of("95 %"), PAGE_ALARM);
    assert_int_equal(style_of("no_permission"), PAGE_WARNING);
    assert_int_equal(style_of("not_ours"), PAGE_PLAIN);
}

static void peers_over_tcp_have_a_line_of_their_own(void **state)
{
    (void)state;
    sample.status.relays_tcp = true;
    sample.status.tcp_allocations = 2;
    sample.status.tcp_connections = 5;
    draw(24, 80);
    assert_string_equal(row(3), " TCP allocations 2  connections 5");
    rates.tcp = (struct top_tcp_flow){true, 1e6, 2e6};
    draw(24, 80);
    assert_string_equal(
        row(3), " TCP allocations 2  connections 5  to peer 1.00 Mbit/s, client 2.00 Mbit/s");
    assert_string_equal(row(4), "");
    assert_non_null(strstr(row(5), "WORKER"));
    choice.paused = true;
    draw(24, 80);
    assert_string_equal(row(4), " paused: p goes on");
    look.problem = "the relay has gone away";
    draw(24, 80);
    assert_int_equal(style_of("TCP allocations"), PAGE_FAINT);
    look.sample = NULL;
    draw(24, 80);
    assert_string_equal(row(3), " the relay has gone away");
}

static void says_how_peers_are_reached(void **state)
{
    (void)state;
    strcpy(sample.allocations[0].peers, "tcp");
    sample.allocations[0].connections = 12;
    strcpy(sample.allocations[1].peers, "udp");
    draw(30, 130);
    assert_non_null(strstr(row(12), "PEERS"));
    assert_non_null(strstr(row(13), "udp"));
    assert_non_null(strstr(row(14), "tcp 12"));
}

static void orders_allocations_as_chosen(void **state)
{
    static const char *const first[TOP_SORT_COUNT] = {[TOP_SORT_TRAFFIC] = "bob",
                                                      [TOP_SORT_TO_PEER] = "alice",
                                                      [TOP_SORT_TO_CLIENT] = "bob",
                                                      [TOP_SORT_AGE] = "alice",
                                                      [TOP_SORT_USER] = "alice"};

    (void)state;
    for (unsigned sort = 0; sort < TOP_SORT_COUNT; sort++) {
        choice.sort = (enum top_sort)sort;
        choice.reversed = false;
        draw(24, 80);
        assert_non_null(strstr(row(13), first[sort]));
        choice.reversed = true;
        draw(24, 80);
        assert_null(strstr(row(13), first[sort]));
    }
}

static void scrolls_and_keeps_a_row_in_sight(void **state)
{
    (void)state;
    choice.first = 1;
    draw(24, 80);
    assert_non_null(strstr(row(13), "alice"));
    choice.first = 1000;
    draw(24, 80);
    assert_int_equal(choice.first, 1);
    sample.allocation_count = 0;
    draw(24, 80);
    assert_int_equal(choice.first, 0);
}

static void shows_more_columns_where_there_is_room(void **state)
{
    (void)state;
    draw(30, 130);
    assert_non_null(strstr(row(12), "AGE"));
    assert_non_null(strstr(row(12), "RELAYED"));
    draw(24, 60);
    assert_null(strstr(row(12), "TO CLIENT"));
}

static void fits_any_size_and_says_when_there_is_too_little(void **state)
{
    (void)state;
    sample.worker_count = TOP_WORKERS_MAX;
    sample.drop_count = TOP_DROPS_MAX;
    sample.allocation_count = TOP_ALLOCATIONS_MAX;
    for (unsigned rows = 1; rows < 120; rows++) {
        sample.status.relays_tcp = true;
        draw(rows, 3 * rows + 10);
        sample.status.relays_tcp = false;
        draw(rows, 3 * rows + 10);
    }
    draw(24, 39);
    assert_string_equal(row(0), "too small: 40 by 10");
    draw(9, 80);
    assert_string_equal(row(0), "too small: 40 by 10");
    draw(24, 80);
    assert_string_equal(row(9), " and 60 more, which a higher terminal shows");
}

static void says_what_is_wrong_and_fades_what_is_old(void **state)
{
    (void)state;
    look.problem = "the relay has gone away";
    choice.paused = true;
    draw(24, 80);
    assert_string_equal(row(3), " the relay has gone away");
    assert_int_equal(style_of("the relay has gone away"), PAGE_ALARM);
    assert_int_equal(style_of("alice"), PAGE_FAINT);
    assert_int_equal(style_of("95 %"), PAGE_FAINT);
    look.problem = NULL;
    draw(24, 80);
    assert_string_equal(row(3), " paused: p goes on");
}

static void says_that_the_relay_is_draining(void **state)
{
    (void)state;
    strcpy(sample.status.state, "draining");
    draw(24, 80);
    assert_string_equal(row(3), " draining: no new allocations are taken");
}

static void shows_a_stuck_worker_as_such(void **state)
{
    (void)state;
    sample.workers[1].is_stuck = true;
    draw(24, 80);
    assert_non_null(strstr(row(6), "stuck"));
    assert_int_equal(style_of("stuck"), PAGE_ALARM);
}

static void waits_for_the_second_look(void **state)
{
    (void)state;
    memset(&rates, 0, sizeof(rates));
    draw(24, 80);
    assert_string_equal(row(2), " rates come with the second look");
    look.sample = NULL;
    look.problem = "the relay does not answer";
    draw(24, 80);
    assert_string_equal(
        row(0), " turnpike                                                              22:13:20");
    assert_string_equal(row(3), " the relay does not answer");
    assert_string_equal(row(4), "");
}

static void explains_its_keys(void **state)
{
    (void)state;
    choice.helps = true;
    draw(24, 80);
    assert_string_equal(row(3), " q            quit");
    draw(10, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(fits_eighty_columns_and_twenty_four_rows, make_look),
        cmocka_unit_test_setup(peers_over_tcp_have_a_line_of_their_own, make_look),
        cmocka_unit_test_setup(says_how_peers_are_reached, make_look),
        cmocka_unit_test_setup(orders_allocations_as_chosen, make_look),
        cmocka_unit_test_setup(scrolls_and_keeps_a_row_in_sight, make_look),
        cmocka_unit_test_setup(shows_more_columns_where_there_is_room, make_look),
        cmocka_unit_test_setup(fits_any_size_and_says_when_there_is_too_little, make_look),
        cmocka_unit_test_setup(says_what_is_wrong_and_fades_what_is_old, make_look),
        cmocka_unit_test_setup(says_that_the_relay_is_draining, make_look),
        cmocka_unit_test_setup(shows_a_stuck_worker_as_such, make_look),
        cmocka_unit_test_setup(waits_for_the_second_look, make_look),
        cmocka_unit_test_setup(explains_its_keys, make_look),
    };

    return cmocka_run_group_tests_name("ctl/top_page", tests, NULL, NULL);
}
