// SPDX-License-Identifier: BSD-3-Clause
// Claims about how answers look.
#include "ctl/view.h"

#include "support.h"

static const struct view view = {{{"user", "USER"}, {"bytes", "BYTES"}, {"absent", "ABSENT"}, {}}};

static char *printed;

static int forget(void **state)
{
    (void)state;
    free(printed);
    printed = NULL;
    return 0;
}

static const char *print_rows(const char *json)
{
    json_t *rows = json_loads(json, 0, NULL);
    size_t len;
    FILE *file = open_memstream(&printed, &len);

    assert_non_null(rows);
    view_print_rows(&view, rows, file);
    fclose(file);
    json_decref(rows);
    return printed;
}

static const char *print_object(const char *json)
{
    json_t *object = json_loads(json, 0, NULL);
    size_t len;
    FILE *file = open_memstream(&printed, &len);

    assert_non_null(object);
    view_print_object(object, file);
    fclose(file);
    json_decref(object);
    return printed;
}

static void tells_units_by_names(void **state)
{
    (void)state;
    assert_int_equal(view_quantity("uptime_seconds"), QUANTITY_SECONDS);
    assert_int_equal(view_quantity("start_time"), QUANTITY_TIME);
    assert_int_equal(view_quantity("certificate_expiry"), QUANTITY_TIME);
    assert_int_equal(view_quantity("busy_percent"), QUANTITY_PERCENT);
    assert_int_equal(view_quantity("bytes_received"), QUANTITY_BYTES);
    assert_int_equal(view_quantity("rx_packets"), QUANTITY_COUNT);
    assert_int_equal(view_quantity("pid"), QUANTITY_NUMBER);
    assert_int_equal(view_quantity("s"), QUANTITY_NUMBER);
}

static void leaves_out_columns_that_no_row_has(void **state)
{
    (void)state;
    assert_string_equal(print_rows("[{\"user\": \"alice\", \"bytes\": 1500}, {\"user\": \"bob\"}]"),
                        "USER     BYTES\n"
                        "alice  1.50 kB\n"
                        "bob          -\n");
}

static void prints_nothing_of_rows_without_known_columns(void **state)
{
    (void)state;
    assert_string_equal(print_rows("[{\"x\": 1}]"), "");
}

static void shows_an_object_whole(void **state)
{
    (void)state;
    assert_string_equal(
        print_object("{\"user\": \"alice\", \"age_seconds\": 61, \"empty\": null, \"of\": "
                     "{\"max_bps\": 5}, \"list\": [1, \"\\u001b\"]}"),
        "user   alice\n"
        "age    1 m 01 s\n"
        "empty  -\n"
        "of\n"
        "  max bps  5\n"
        "list   [1, \"\\u001B\"]\n");
}

static void shows_a_list_in_an_object_as_a_table(void **state)
{
    (void)state;
    assert_string_equal(
        print_object(
            "{\"permitted\": {\"0\": {\"peer\": \"192.0.2.1\", \"expires_seconds\": 5}, \"1\": "
            "{\"peer\": \"192.0.2.2:5\", \"channel\": \"0x4000\"}}, \"no\": {\"0\": 1}}"),
        "permitted\n"
        "PEER         EXPIRES  CHANNEL\n"
        "192.0.2.1        5 s  -\n"
        "192.0.2.2:5        -  0x4000\n"
        "no\n"
        "  0  1\n");
}

static void goes_no_deeper_than_a_relay_does(void **state)
{
    char text[20000] = "";

    (void)state;
    for (unsigned i = 0; i < 2000; i++)
        strcat(text, "{\"a\":");
    strcat(text, "1");
    for (unsigned i = 0; i < 2000; i++)
        strcat(text, "}");
    assert_true(strlen(print_object(text)) < 4000);
}

static void orders_numbers_by_size(void **state)
{
    json_t *object =
        json_loads("{\"few\": 2, \"many\": 30, \"none\": 0, \"a\": 2, \"text\": \"x\"}", 0, NULL);
    size_t len;
    FILE *file = open_memstream(&printed, &len);

    (void)state;
    view_print_numbers("REASON", object, file);
    fclose(file);
    json_decref(object);
    assert_string_equal(printed, "REASON  COUNT\n"
                                 "many       30\n"
                                 "a           2\n"
                                 "few         2\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_units_by_names),
        cmocka_unit_test_teardown(leaves_out_columns_that_no_row_has, forget),
        cmocka_unit_test_teardown(prints_nothing_of_rows_without_known_columns, forget),
        cmocka_unit_test_teardown(shows_an_object_whole, forget),
        cmocka_unit_test_teardown(shows_a_list_in_an_object_as_a_table, forget),
        cmocka_unit_test_teardown(goes_no_deeper_than_a_relay_does, forget),
        cmocka_unit_test_teardown(orders_numbers_by_size, forget),
    };

    return cmocka_run_group_tests_name("ctl/view", tests, NULL, NULL);
}
