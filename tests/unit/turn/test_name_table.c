// SPDX-License-Identifier: BSD-3-Clause
// turn/name_table.h.
#include "turn/name_table.h"

#include "turn_fixture.h"

static const struct siphash_key key = {{1, 2}};

static void keeps_one_name_once(void **state)
{
    (void)state;
    struct name_table table;
    assert_int_equal(name_table_init(&table, 2, &key), 0);
    uint32_t alice = name_table_take(&table, text_span("alice"));
    assert_int_equal(name_table_take(&table, text_span("alice")), alice);
    assert_int_equal(name_table_find(&table, text_span("alice")), alice);
    assert_string_equal(name_table_text(&table, alice), "alice");
    assert_int_equal(name_table_find(&table, text_span("alic")), INDEX_NONE);
    assert_int_equal(name_table_find(&table, text_span("alicf")), INDEX_NONE);
    name_table_done(&table);
}

static void a_name_is_gone_with_its_last_reference(void **state)
{
    (void)state;
    struct name_table table;
    assert_int_equal(name_table_init(&table, 2, &key), 0);
    uint32_t alice = name_table_take(&table, text_span("alice"));
    name_table_take(&table, text_span("alice"));
    name_table_give(&table, alice);
    assert_int_equal(name_table_find(&table, text_span("alice")), alice);
    name_table_give(&table, alice);
    assert_int_equal(name_table_find(&table, text_span("alice")), INDEX_NONE);
    name_table_done(&table);
}

static void a_full_table_refuses_new_names_only(void **state)
{
    (void)state;
    struct name_table table;
    assert_int_equal(name_table_init(&table, 2, &key), 0);
    uint32_t alice = name_table_take(&table, text_span("alice"));
    name_table_take(&table, text_span("bob"));
    assert_int_equal(name_table_take(&table, text_span("carol")), INDEX_NONE);
    assert_int_equal(name_table_take(&table, text_span("alice")), alice);
    name_table_give(&table, alice);
    name_table_give(&table, alice);
    assert_int_not_equal(name_table_take(&table, text_span("carol")), INDEX_NONE);
    name_table_done(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_one_name_once),
        cmocka_unit_test(a_name_is_gone_with_its_last_reference),
        cmocka_unit_test(a_full_table_refuses_new_names_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
