// SPDX-License-Identifier: BSD-3-Clause
// Claims about lists in pages.
#include "ctl/pages.h"

#include "relay_fixture.h"
#include "support.h"

#define TIMEOUT_MS 20000

static struct problem problem;

// Reads all pages; rows in all.
static enum ctl_status read_all(struct fake_relay *relay, uint32_t limit, size_t *ret_rows,
                                bool *ret_more)
{
    struct connection *connection;
    struct question question;
    enum ctl_status status;
    struct pages pages;
    size_t count = 0;
    json_t *rows;

    fake_relay_start(relay);
    question_init(&question, "/q");
    question_add(&question, "user", "alice");
    assert_int_equal(connection_open(relay->path, TIMEOUT_MS, &connection, &problem), CTL_DONE);
    pages_init(&pages, connection, TIMEOUT_MS, &question, "users", "user", limit);
    while ((status = pages_read(&pages, &rows, &problem)) == CTL_DONE && rows) {
        count += json_array_size(rows);
        json_decref(rows);
    }
    *ret_rows = count;
    *ret_more = pages_have_more(&pages);
    connection_close(connection);
    fake_relay_stop(relay);
    return status;
}

static const struct fake_answer two_pages[] = {
    {"/q,user=alice,after=b", "{\"/q\": {\"users\": {\"c\": {}}, \"next\": 7}}", 0},
    {"/q,user=alice,after=7", "{\"/q\": {\"users\": {}}}", 0},
    {"/q,user=alice,limit", "{\"/q\": {\"users\": {\"a\": {}, \"b\": {}}, \"next\": \"b\"}}", 0},
};

static void reads_page_after_page_to_the_end(void **state)
{
    struct fake_relay relay = {.greeting = FAKE_GREETING, .answers = two_pages, .answer_count = 3};
    size_t rows;
    bool more;

    (void)state;
    assert_int_equal(read_all(&relay, UINT32_MAX, &rows, &more), CTL_DONE);
    assert_int_equal(rows, 3);
    assert_false(more);
    assert_string_equal(relay.asked[0], "/q,user=alice,limit=100");
    assert_string_equal(relay.asked[1], "/q,user=alice,after=b,limit=100");
    assert_int_equal(atomic_load(&relay.asked_count), 3);
}

static void asks_for_no_more_than_is_wanted(void **state)
{
    struct fake_relay relay = {.greeting = FAKE_GREETING, .answers = two_pages, .answer_count = 3};
    size_t rows;
    bool more;

    (void)state;
    assert_int_equal(read_all(&relay, 2, &rows, &more), CTL_DONE);
    assert_int_equal(rows, 2);
    assert_true(more);
    assert_string_equal(relay.asked[0], "/q,user=alice,limit=2");
    assert_int_equal(atomic_load(&relay.asked_count), 1);
}

static void refuses_pages_that_lead_nowhere(void **state)
{
    static const struct fake_answer answers[] = {
        {"/q", "{\"/q\": {\"users\": {\"a\": {}}, \"next\": \"a\"}}", 0}};
    struct fake_relay relay = {.greeting = FAKE_GREETING, .answers = answers, .answer_count = 1};
    size_t rows;
    bool more;

    (void)state;
    assert_int_equal(read_all(&relay, UINT32_MAX, &rows, &more), CTL_GARBLED);
    assert_string_equal(problem.text, "the relay's pages lead nowhere");
    assert_int_equal(atomic_load(&relay.asked_count), 2);
}

static void refuses_an_answer_without_the_list(void **state)
{
    static const struct fake_answer answers[] = {{"/q", "{\"/q\": {\"others\": {}}}", 0}};
    struct fake_relay relay = {.greeting = FAKE_GREETING, .answers = answers, .answer_count = 1};
    size_t rows;
    bool more;

    (void)state;
    assert_int_equal(read_all(&relay, UINT32_MAX, &rows, &more), CTL_GARBLED);
    assert_string_equal(problem.text, "there are no users in the relay's answer");
}

static void passes_on_what_the_relay_refuses(void **state)
{
    static const struct fake_answer answers[] = {{"/q", "{\"/q\": {\"error\": \"no\"}}", 0}};
    struct fake_relay relay = {.greeting = FAKE_GREETING, .answers = answers, .answer_count = 1};
    size_t rows;
    bool more;

    (void)state;
    assert_int_equal(read_all(&relay, UINT32_MAX, &rows, &more), CTL_REFUSED);
    assert_string_equal(problem.text, "no");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_page_after_page_to_the_end),
        cmocka_unit_test(asks_for_no_more_than_is_wanted),
        cmocka_unit_test(refuses_pages_that_lead_nowhere),
        cmocka_unit_test(refuses_an_answer_without_the_list),
        cmocka_unit_test(passes_on_what_the_relay_refuses),
    };

    return cmocka_run_group_tests_name("ctl/pages", tests, NULL, NULL);
}
