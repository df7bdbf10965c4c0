// SPDX-License-Identifier: BSD-3-Clause
// Claims about tables.
#include "ctl/table.h"

#include "support.h"

static const char *const titles[] = {"NAME", "COUNT", "LAST"};

static void expect(const struct table *table, const char *expected)
{
    char *text;
    size_t len;
    FILE *file = open_memstream(&text, &len);

    table_print(table, file);
    fclose(file);
    assert_string_equal(text, expected);
    free(text);
}

static void makes_columns_as_wide_as_they_have_to_be(void **state)
{
    struct table *table = table_create(titles, 3);

    (void)state;
    table_add_text(table, "a longer name");
    table_add_number(table, "7");
    table_add_text(table, "x");
    table_add_text(table, "b");
    table_add_number(table, "12345678");
    table_add_text(table, "yz");
    expect(table, "NAME              COUNT  LAST\n"
                  "a longer name         7  x\n"
                  "b              12345678  yz\n");
    table_destroy(table);
}

static void prints_only_whole_rows_and_titles_without_any(void **state)
{
    struct table *table = table_create(titles, 3);

    (void)state;
    expect(table, "NAME  COUNT  LAST\n");
    table_add_text(table, "a");
    expect(table, "NAME  COUNT  LAST\n");
    table_destroy(table);
}

static void prints_no_escape_sequence(void **state)
{
    struct table *table = table_create(titles, 1);

    (void)state;
    table_add_text(table, "\x1b]0;title\a");
    expect(table, "NAME\n\\x1b]0;title\\x07\n");
    table_destroy(table);
}

static void has_room_for_many_rows(void **state)
{
    struct table *table = table_create(titles, 1);
    char *text;
    size_t len, lines = 0;
    FILE *file = open_memstream(&text, &len);

    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        table_add_text(table, "row");
    table_print(table, file);
    fclose(file);
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    assert_int_equal(lines, 1001);
    free(text);
    table_destroy(table);
    table_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_columns_as_wide_as_they_have_to_be),
        cmocka_unit_test(prints_only_whole_rows_and_titles_without_any),
        cmocka_unit_test(prints_no_escape_sequence),
        cmocka_unit_test(has_room_for_many_rows),
    };

    return cmocka_run_group_tests_name("ctl/table", tests, NULL, NULL);
}
