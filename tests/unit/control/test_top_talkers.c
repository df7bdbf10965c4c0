// SPDX-License-Identifier: BSD-3-Clause
// Claims about who has most traffic, and since when.
#include "control/top_talkers.h"

#include "answer_text.h"
#include "session_fakes.h"

#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct plane plane = {.config.allocations = FAKE_IDS};
static const struct questions_config config = {.sources.plane = &plane, .traffic = fake_traffic};
static struct question question = {.config = &config};

// "id:bits_per_second:packets_per_second " for each.
static const char *ask(const char *parameters)
{
    static char text[2048];
    struct telemetry_entry entry;
    size_t offset = 0, len = 0;

    fakes_ask(&question, parameters, top_talkers_keys, top_talkers, top_talkers_step);
    text[0] = '\0';
    while (telemetry_answer_next(&question.answer, &offset, &entry)) {
        if (entry.kind == TELEMETRY_ENTRY_OPEN && strcmp(entry.name, "allocations") != 0)
            len += (size_t)sprintf(text + len, "%lu", strtoul(entry.name + 8, NULL, 16));
        else if (strcmp(entry.name, "bits_per_second") == 0)
            len += (size_t)sprintf(text + len, ":%" PRIu64, entry.number);
        else if (strcmp(entry.name, "packets_per_second") == 0)
            len += (size_t)sprintf(text + len, ":%" PRIu64 " ", entry.number);
    }
    return text;
}

static int set_up(void **state)
{
    (void)state;
    fakes_set_up(50);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    top_talkers_done(&question);
    return question.top.looks != NULL;
}

static void add(uint32_t id, uint64_t packets, uint64_t bytes)
{
    fakes[id].traffic.to_peer_packets += packets;
    fakes[id].traffic.to_client_bytes += bytes;
}

static void the_loudest_come_first_and_the_silent_not_at_all(void **state)
{
    (void)state;
    ask("");
    add(7, 10, 1000);
    add(3, 20, 3000);
    add(49, 1, 2000);
    fake_now_ms += 1000;
    assert_string_equal(ask(""), "3:24000:20 49:16000:1 7:8000:10 ");
}

static void peers_over_tcp_count_by_their_bytes(void **state)
{
    const char *text;

    (void)state;
    fakes[7].is_tcp = true;
    ask("");
    fakes[7].traffic.to_peer_bytes += 1000;
    fake_now_ms += 1000;
    ask("");
    text = answer_text(&question.answer);
    assert_non_null(strstr(text, "bits_per_second=8000;"));
    assert_null(strstr(text, "packets_per_second"));
}

static void counts_from_the_last_question(void **state)
{
    (void)state;
    add(7, 10, 1000000);
    ask("");
    add(7, 10, 1000);
    fake_now_ms += 2000;
    assert_string_equal(ask(""), "7:4000:5 ");
    fake_now_ms += 2000;
    assert_string_equal(ask(""), "");
}

static void the_first_time_it_counts_from_the_beginning_of_each(void **state)
{
    (void)state;
    add(7, 10, 1000); // in the ten seconds since it began
    assert_string_equal(ask(""), "7:800:1 ");
}

// Two of them, each once a second: both see spans of a second and more.
static void viewers_do_not_shorten_each_others_span(void **state)
{
    (void)state;
    ask("");
    fake_now_ms += 1000;
    ask("");
    for (unsigned i = 0; i < 4; i++) {
        add(7, 30, 3000);
        fake_now_ms += 300; // the other one, who sees this and what the first one saw
        assert_string_equal(ask(""), i == 0 ? "7:18461:23 " : "7:80000:100 ");
        add(7, 70, 7000);
        fake_now_ms += 700;
        assert_string_equal(ask(""), "7:80000:100 ");
    }
}

static void a_new_allocation_of_an_old_id_begins_anew(void **state)
{
    (void)state;
    add(7, 10, 1000000);
    ask("");
    question.top.looks[7].session_id = session_id_make(6, 7);
    fakes[7].traffic = (struct allocation_traffic){.to_peer_bytes = 1000};
    assert_string_equal(ask(""), "7:800:0 ");
}

static void no_more_are_said_than_were_asked_for(void **state)
{
    (void)state;
    ask("");
    for (uint32_t id = 0; id < 50; id++)
        add(id, 1, 1000 + 1000 * ((id * 7) % 50));
    fake_now_ms += 1000;
    assert_string_equal(ask("limit=3"), "7:400000:1 14:392000:1 21:384000:1 ");
    ask("limit=41");
    assert_non_null(strstr(answer_text(&question.answer), "error=limit"));
}

// Which do not fit, the least come last.
static void as_many_as_a_reply_can_hold_are_said(void **state)
{
    (void)state;
    ask("");
    for (uint32_t id = 0; id < 50; id++)
        add(id, 1, 1000 + id);
    fake_now_ms += 1000;
    assert_non_null(strstr(ask("limit=40"), "49:"));
    assert_false(question.answer.state.is_cut);
    assert_true(question.answer.state.json_len > TELEMETRY_ANSWER_JSON_LEN / 2);
}

#define TEST(claim) cmocka_unit_test_setup_teardown(claim, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_loudest_come_first_and_the_silent_not_at_all),
        TEST(peers_over_tcp_count_by_their_bytes),
        TEST(counts_from_the_last_question),
        TEST(the_first_time_it_counts_from_the_beginning_of_each),
        TEST(viewers_do_not_shorten_each_others_span),
        TEST(a_new_allocation_of_an_old_id_begins_anew),
        TEST(no_more_are_said_than_were_asked_for),
        TEST(as_many_as_a_reply_can_hold_are_said),
    };

    return cmocka_run_group_tests_name("control/top_talkers", tests, NULL, NULL);
}
