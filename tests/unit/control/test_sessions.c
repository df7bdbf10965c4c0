// SPDX-License-Identifier: BSD-3-Clause
// Claims about pages of allocations, and about one.
#include "control/sessions.h"

#include "answer_text.h"
#include "session_fakes.h"

#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct questions_config config = {.traffic = fake_traffic};
static struct question question = {.config = &config};

static unsigned list(const char *parameters)
{
    return fakes_ask(&question, parameters, sessions_list_keys, sessions_list, sessions_list_step);
}

static unsigned rows_of(void)
{
    struct telemetry_entry entry;
    size_t offset = 0;
    unsigned rows = 0;

    while (telemetry_answer_next(&question.answer, &offset, &entry))
        rows += entry.kind == TELEMETRY_ENTRY_OPEN && strcmp(entry.name, "allocations") != 0;
    return rows;
}

static const char *next_of(void)
{
    struct telemetry_entry entry;
    size_t offset = 0;

    while (telemetry_answer_next(&question.answer, &offset, &entry)) {
        if (strcmp(entry.name, "next") == 0)
            return entry.text;
    }
    return NULL;
}

static int set_up(void **state)
{
    (void)state;
    fakes_set_up(25);
    return 0;
}

static void a_row_says_who_and_where_and_how_much(void **state)
{
    (void)state;
    fakes[5].traffic = (struct allocation_traffic){1, 2, 3, 4};
    list("client=192.0.2.9:1005");
    assert_string_equal(answer_text(&question.answer),
                        "allocations={0000000700000005={user=alice;client=192.0.2.9:1005;"
                        "transport=udp;relayed=203.0.113.1:50005;peers=udp;worker=3;"
                        "age_seconds=10;expires_seconds=590;permissions=2;channels=1;"
                        "packets_to_peer=1;bytes_to_peer=2;packets_to_client=3;"
                        "bytes_to_client=4;}}");
}

static void peers_over_tcp_get_bytes_and_have_no_worker(void **state)
{
    (void)state;
    fakes[5].is_tcp = true;
    fakes[5].traffic = (struct allocation_traffic){.to_peer_bytes = 2, .to_client_bytes = 4};
    list("client=192.0.2.9:1005");
    assert_string_equal(answer_text(&question.answer),
                        "allocations={0000000700000005={user=alice;client=192.0.2.9:1005;"
                        "transport=udp;relayed=203.0.113.1:50005;peers=tcp;"
                        "age_seconds=10;expires_seconds=590;permissions=2;connections=1;"
                        "bytes_to_peer=2;bytes_to_client=4;}}");
}

static void a_page_ends_where_the_next_begins(void **state)
{
    char next[64] = "limit=10";
    unsigned rows[3];

    (void)state;
    for (unsigned page = 0; page < 3; page++) {
        list(next);
        rows[page] = rows_of();
        if (page < 2)
            snprintf(next, sizeof(next), "limit=10,after=%s", next_of());
    }
    assert_null(next_of());
    assert_int_equal(rows[0] * 10000 + rows[1] * 100 + rows[2], 101005);
}

static void a_page_that_ends_with_the_last_one_says_so(void **state)
{
    (void)state;
    list("limit=25");
    assert_int_equal(rows_of(), 25);
    assert_null(next_of());
    list("");
    assert_int_equal(rows_of(), 20);
    assert_string_equal(next_of(), "0000000700000013");
}

static void goes_on_behind_what_has_gone(void **state)
{
    (void)state;
    fakes[9].user = fakes[10].user = NULL;
    list("limit=100,after=0000000700000009");
    assert_int_equal(rows_of(), 14);
    assert_null(next_of());
}

static void a_page_is_as_long_as_a_reply_can_be(void **state)
{
    char parameters[64] = "limit=100";
    unsigned rows = 0, pages = 0;

    (void)state;
    fakes_set_up(FAKE_IDS);
    do {
        list(parameters);
        assert_false(question.answer.state.is_cut);
        rows += rows_of();
        pages++;
        if (next_of())
            snprintf(parameters, sizeof(parameters), "limit=100,after=%s", next_of());
    } while (next_of());
    assert_int_equal(rows, FAKE_IDS);
    assert_in_range(pages, 4, 12);
}

static void a_long_search_takes_turns_and_ends_in_time(void **state)
{
    (void)state;
    fakes_set_up(FAKE_IDS);
    fake_clock_step = 1;
    assert_in_range(list("user=bob"), 5, 20);
    assert_string_equal(answer_text(&question.answer), "allocations={}");
    fake_clock_step = 500;
    assert_in_range(list("user=bob"), 2, 3);
    assert_non_null(next_of());
}

static void refuses_what_makes_no_page(void **state)
{
    static const char *const wrong[] = {"limit=0", "limit=101", "after=7", "client=x",
                                        "peer=1",  "relay=",    "age=5"};

    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(list(wrong[i]), 1);
        assert_int_equal(strncmp(answer_text(&question.answer), "error=", 6), 0);
    }
}

static void show(const char *parameters)
{
    fakes_ask(&question, parameters, sessions_show_keys, sessions_show, NULL);
}

static void one_is_shown_with_its_peers(void **state)
{
    (void)state;
    show("0000000700000005");
    assert_non_null(strstr(answer_text(&question.answer),
                           "session=0000000700000005;realm=example.org;server=192.0.2.1:3478;"
                           "user=alice;"));
    assert_non_null(strstr(answer_text(&question.answer),
                           "permitted={0={peer=8.8.8.0;expires_seconds=1;}1={peer=8.8.8.1:53;"
                           "channel=0x4000;expires_seconds=1;}2={"));
    assert_null(strstr(answer_text(&question.answer), "left_out"));
}

static void one_that_is_not_there_is_not_shown(void **state)
{
    (void)state;
    show("0000000600000005");
    assert_string_equal(answer_text(&question.answer),
                        "error=there is no such session: 0000000600000005;");
    show("");
    assert_string_equal(answer_text(&question.answer),
                        "error=which session?;allowed=16 hex digits;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_row_says_who_and_where_and_how_much, set_up),
        cmocka_unit_test_setup(peers_over_tcp_get_bytes_and_have_no_worker, set_up),
        cmocka_unit_test_setup(a_page_ends_where_the_next_begins, set_up),
        cmocka_unit_test_setup(a_page_that_ends_with_the_last_one_says_so, set_up),
        cmocka_unit_test_setup(goes_on_behind_what_has_gone, set_up),
        cmocka_unit_test_setup(a_page_is_as_long_as_a_reply_can_be, set_up),
        cmocka_unit_test_setup(a_long_search_takes_turns_and_ends_in_time, set_up),
        cmocka_unit_test_setup(refuses_what_makes_no_page, set_up),
        cmocka_unit_test_setup(one_is_shown_with_its_peers, set_up),
        cmocka_unit_test_setup(one_that_is_not_there_is_not_shown, set_up),
    };

    return cmocka_run_group_tests_name("control/sessions", tests, NULL, NULL);
}
