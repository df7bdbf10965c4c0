// SPDX-License-Identifier: BSD-3-Clause
// turn/session_id.h.
#include "turn/session_id.h"

#include "turn_fixture.h"

static void is_sixteen_digits_and_read_as_it_was_written(void **state)
{
    static const uint64_t ids[] = {0, 1, 0x0000000100000000, 0x0123456789abcdef, UINT64_MAX};
    char text[SESSION_ID_TEXT_LEN];
    uint64_t read;

    (void)state;
    for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        assert_int_equal(strlen(session_id_format(ids[i], text)), 16);
        assert_true(session_id_parse(text, &read));
        assert_true(read == ids[i]);
    }
    assert_string_equal(session_id_format(session_id_make(0x12, 0xab), text), "00000012000000ab");
    assert_int_equal(session_id_allocation(session_id_make(0x12, 0xab)), 0xab);
    assert_true(session_id_parse("00000012000000AB", &read));
    assert_true(read == session_id_make(0x12, 0xab));
}

static void nothing_else_is_read_as_one(void **state)
{
    static const char *const texts[] = {
        "",
        "1",
        "000000120000000",
        "00000012000000ab0",
        "0x000012000000ab",
        " 0000012000000ab",
        "00000012000000a ",
        "00000012000000ag",
        "+0000012000000ab",
        "00000012-00000ab",
        "00000012000000a\xc3\xa9",
    };
    uint64_t read = 7;

    (void)state;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_false(session_id_parse(texts[i], &read));
    assert_true(read == 7);
}

static uint64_t session_of(struct fixture *fixture, uint32_t allocation)
{
    struct turn_allocation_view view;

    assert_true(turn_server_view(fixture->server, allocation, &view));
    return view.session_id;
}

static void an_allocation_is_found_by_it_while_it_lives(void **state)
{
    struct fixture *fixture = *state;
    struct client first = client_make(1000), second = client_make(1001);
    uint32_t found = UINT32_MAX;

    assert_int_equal(client_allocate(fixture, &first), 0);
    uint32_t first_id = fixture->output.started_id;
    assert_int_equal(client_allocate(fixture, &second), 0);
    uint64_t session = session_of(fixture, first_id);
    assert_true(session < session_of(fixture, fixture->output.started_id));
    assert_true(turn_server_find_session(fixture->server, session, &found));
    assert_int_equal(found, first_id);
    assert_int_equal(client_refresh(fixture, &first, 0), 0);
    assert_false(turn_server_find_session(fixture->server, session, &found));
    assert_false(turn_server_find_session(fixture->server, UINT64_MAX, &found));
}

static void the_next_one_of_the_same_id_is_another_session(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    uint64_t sessions[3];
    uint32_t ids[3], found;

    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(client_allocate(fixture, &client), 0);
        ids[i] = fixture->output.started_id;
        sessions[i] = session_of(fixture, ids[i]);
        assert_int_equal(session_id_allocation(sessions[i]), ids[i]);
        if (i < 2) {
            assert_int_equal(client_refresh(fixture, &client, 0), 0);
            fixture_acknowledge(fixture);
        }
    }
    assert_int_equal(ids[0], ids[2]);
    assert_true(sessions[0] < sessions[1] && sessions[1] < sessions[2]);
    assert_false(turn_server_find_session(fixture->server, sessions[0], &found));
    assert_true(turn_server_find_session(fixture->server, sessions[2], &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_sixteen_digits_and_read_as_it_was_written),
        cmocka_unit_test(nothing_else_is_read_as_one),
        cmocka_unit_test_setup_teardown(an_allocation_is_found_by_it_while_it_lives, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(the_next_one_of_the_same_id_is_another_session,
                                        fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
