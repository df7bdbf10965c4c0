// SPDX-License-Identifier: BSD-3-Clause
// Claims about the keys of top.
#include "ctl/top_choice.h"

#include "support.h"

static void press(struct top_choice *choice, const char *keys)
{
    for (; *keys; keys++)
        top_choice_take_key(choice, *keys);
}

static void quits_from_everywhere(void **state)
{
    struct top_choice choice = {.interval_s = 1};

    (void)state;
    press(&choice, "hq");
    assert_true(choice.quits);
}

static void pauses_and_goes_on(void **state)
{
    struct top_choice choice = {.interval_s = 1};

    (void)state;
    press(&choice, "p");
    assert_true(choice.paused);
    press(&choice, " ");
    assert_false(choice.paused);
}

static void leads_back_from_help_by_any_key(void **state)
{
    struct top_choice choice = {.interval_s = 1};

    (void)state;
    press(&choice, "?");
    assert_true(choice.helps);
    press(&choice, "s");
    assert_false(choice.helps);
    assert_int_equal(choice.sort, TOP_SORT_TRAFFIC);
}

static void goes_through_all_orders_and_begins_with_the_first_row(void **state)
{
    struct top_choice choice = {.interval_s = 1, .first = 5};
    unsigned names = 0;

    (void)state;
    for (unsigned i = 0; i < TOP_SORT_COUNT; i++) {
        assert_int_equal(choice.sort, i);
        names += strlen(top_sort_name(choice.sort)) > 0;
        press(&choice, "s");
        assert_int_equal(choice.first, 0);
    }
    assert_int_equal(choice.sort, TOP_SORT_TRAFFIC);
    assert_int_equal(names, TOP_SORT_COUNT);
    choice.first = 3;
    press(&choice, "r");
    assert_true(choice.reversed);
    assert_int_equal(choice.first, 0);
}

static void scrolls_but_not_above_the_first_row(void **state)
{
    static const int keys[] = {
        TOP_KEY_UP, TOP_KEY_DOWN, TOP_KEY_PAGE_DOWN, 'j', TOP_KEY_UP, TOP_KEY_PAGE_UP,
        'k',        TOP_KEY_DOWN, TOP_KEY_HOME,      'j', 'g'};
    static const unsigned firsts[] = {0, 1, 11, 12, 11, 1, 0, 1, 0, 1, 0};
    struct top_choice choice = {.interval_s = 1};

    (void)state;
    for (unsigned i = 0; i < COUNT_OF(keys); i++) {
        top_choice_take_key(&choice, keys[i]);
        assert_int_equal(choice.first, firsts[i]);
    }
}

static void looks_no_more_often_than_each_second(void **state)
{
    struct top_choice choice = {.interval_s = 1};

    (void)state;
    press(&choice, "-");
    assert_int_equal(choice.interval_s, 1);
    for (unsigned i = 0; i < 100; i++)
        press(&choice, "+");
    assert_int_equal(choice.interval_s, 60);
    press(&choice, "-");
    assert_int_equal(choice.interval_s, 59);
}

static void ignores_other_keys(void **state)
{
    struct top_choice choice = {.interval_s = 1}, before = choice;

    (void)state;
    press(&choice, "xX1\t");
    top_choice_take_key(&choice, 0);
    top_choice_take_key(&choice, 0x2000);
    assert_memory_equal(&choice, &before, sizeof(choice));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quits_from_everywhere),
        cmocka_unit_test(pauses_and_goes_on),
        cmocka_unit_test(leads_back_from_help_by_any_key),
        cmocka_unit_test(goes_through_all_orders_and_begins_with_the_first_row),
        cmocka_unit_test(scrolls_but_not_above_the_first_row),
        cmocka_unit_test(looks_no_more_often_than_each_second),
        cmocka_unit_test(ignores_other_keys),
    };

    return cmocka_run_group_tests_name("ctl/top_choice", tests, NULL, NULL);
}
