// SPDX-License-Identifier: BSD-3-Clause
// Claims about pages of text.
#include "ctl/page.h"

#include "support.h"

static struct page page;

static int clear(void **state)
{
    (void)state;
    page_clear(&page, 5, 20);
    return 0;
}

static void puts_text_on_either_side_of_its_place(void **state)
{
    (void)state;
    page_put(&page, 1, 2, 8, PAGE_GOOD, "left");
    page_put_right(&page, 4, 2, 8, PAGE_PLAIN, "right");
    assert_int_equal(page.span_count, 2);
    assert_string_equal(page.spans[0].text, "left");
    assert_int_equal(page.spans[0].row, 1);
    assert_int_equal(page.spans[0].column, 2);
    assert_int_equal(page.spans[0].style, PAGE_GOOD);
    assert_int_equal(page.spans[1].column, 5);
}

static void cuts_off_what_does_not_fit(void **state)
{
    (void)state;
    page_put(&page, 0, 0, 8, PAGE_PLAIN, "a longer text");
    assert_string_equal(page.spans[0].text, "a long..");
    page_put(&page, 0, 16, 8, PAGE_PLAIN, "abcde");
    assert_string_equal(page.spans[1].text, "ab..");
    page_put(&page, 0, 18, 8, PAGE_PLAIN, "abcde");
    assert_string_equal(page.spans[2].text, "ab");
    page_put_right(&page, 0, 0, 4, PAGE_PLAIN, "12345");
    assert_string_equal(page.spans[3].text, "12..");
    assert_int_equal(page.spans[3].column, 0);
}

static void leaves_out_what_is_outside(void **state)
{
    (void)state;
    page_put(&page, 5, 0, 8, PAGE_PLAIN, "below");
    page_put(&page, 0, 20, 8, PAGE_PLAIN, "beside");
    page_fill(&page, 5, PAGE_BAR);
    assert_int_equal(page.span_count, 0);
}

static void fills_a_row_of_any_width(void **state)
{
    size_t columns = 0;

    (void)state;
    page_clear(&page, 1, 1000);
    page_fill(&page, 0, PAGE_BAR);
    for (unsigned i = 0; i < page.span_count; i++)
        columns += strlen(page.spans[i].text);
    assert_int_equal(columns, 1000);
}

static void takes_no_more_than_it_has_room_for(void **state)
{
    char large[2 * PAGE_SPAN_LEN];

    (void)state;
    page_clear(&page, 1, 2 * PAGE_SPAN_LEN);
    memset(large, 'a', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    page_put(&page, 0, 0, sizeof(large), PAGE_PLAIN, large);
    assert_int_equal(strlen(page.spans[0].text), PAGE_SPAN_LEN - 1);
    assert_string_equal(page.spans[0].text + PAGE_SPAN_LEN - 3, "..");
    for (unsigned i = 0; i < PAGE_SPANS_MAX + 10; i++)
        page_put(&page, 0, 0, 1, PAGE_PLAIN, "x");
    assert_int_equal(page.span_count, PAGE_SPANS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(puts_text_on_either_side_of_its_place, clear),
        cmocka_unit_test_setup(cuts_off_what_does_not_fit, clear),
        cmocka_unit_test_setup(leaves_out_what_is_outside, clear),
        cmocka_unit_test_setup(fills_a_row_of_any_width, clear),
        cmocka_unit_test_setup(takes_no_more_than_it_has_room_for, clear),
    };

    return cmocka_run_group_tests_name("ctl/page", tests, NULL, NULL);
}
