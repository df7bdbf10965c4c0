// SPDX-License-Identifier: BSD-3-Clause
// Claims about pages of users.
#include "control/user_list.h"

#include "answer_text.h"
#include "session_fakes.h"

#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

static const struct questions_config config = {.traffic = fake_traffic};
static struct question question = {.config = &config};

uint32_t turn_server_user_count(const struct turn_server *server)
{
    return turn_server_id_count(server);
}

bool turn_server_user(const struct turn_server *server, uint32_t place,
                      struct turn_user_view *ret_view)
{
    (void)server;
    *ret_view = (struct turn_user_view){fakes[place].user, place, place + 10};
    return fakes[place].user != NULL;
}

static unsigned list(const char *parameters)
{
    return fakes_ask(&question, parameters, user_list_keys, user_list, user_list_step);
}

static int set_up(void **state)
{
    (void)state;
    fakes_set_up(5);
    fakes[1].user = "bob";
    fakes[3].user = NULL;
    return 0;
}

static void users_stand_at_their_places(void **state)
{
    (void)state;
    list("");
    assert_string_equal(answer_text(&question.answer),
                        "users={0={user=alice;allocations=10;}1={user=bob;allocations=11;}"
                        "2={user=alice;allocations=12;}4={user=alice;allocations=14;}}");
}

static void a_page_goes_on_behind_the_one_before(void **state)
{
    (void)state;
    list("limit=2");
    assert_string_equal(answer_text(&question.answer),
                        "users={0={user=alice;allocations=10;}1={user=bob;allocations=11;}}"
                        "next=1;");
    list("limit=2,after=1");
    assert_string_equal(answer_text(&question.answer),
                        "users={2={user=alice;allocations=12;}4={user=alice;allocations=14;}}");
    list("after=4");
    assert_string_equal(answer_text(&question.answer), "users={}");
}

static void a_long_list_ends_in_time(void **state)
{
    (void)state;
    fakes_set_up(FAKE_IDS);
    memset(fakes, 0, sizeof(fakes));
    fake_clock_step = 400;
    assert_in_range(list(""), 2, 4);
    assert_non_null(strstr(answer_text(&question.answer), "next="));
}

static void refuses_what_makes_no_page(void **state)
{
    (void)state;
    list("limit=1000");
    assert_non_null(strstr(answer_text(&question.answer), "allowed=1 to 100"));
    list("after=alice");
    assert_non_null(strstr(answer_text(&question.answer), "error=after"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(users_stand_at_their_places, set_up),
        cmocka_unit_test_setup(a_page_goes_on_behind_the_one_before, set_up),
        cmocka_unit_test_setup(a_long_list_ends_in_time, set_up),
        cmocka_unit_test_setup(refuses_what_makes_no_page, set_up),
    };

    return cmocka_run_group_tests_name("control/user_list", tests, NULL, NULL);
}
