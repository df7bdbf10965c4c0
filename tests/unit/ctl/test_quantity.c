// SPDX-License-Identifier: BSD-3-Clause
// Claims about numbers with units.
#include "ctl/quantity.h"

#include "support.h"

#include <errno.h>
#include <math.h>

struct example {
    enum quantity kind;
    double value;
    const char *text;
};

static void check(const struct example *examples, size_t count)
{
    char text[QUANTITY_TEXT_LEN];

    for (size_t i = 0; i < count; i++)
        assert_string_equal(quantity_format(examples[i].kind, examples[i].value, text),
                            examples[i].text);
}

static void writes_three_figures_and_a_prefix(void **state)
{
    static const struct example examples[] = {
        {QUANTITY_COUNT, 0, "0"},
        {QUANTITY_COUNT, 999, "999"},
        {QUANTITY_COUNT, 999.4, "999"},
        {QUANTITY_COUNT, 999.5, "1.00 k"},
        {QUANTITY_COUNT, 1234, "1.23 k"},
        {QUANTITY_COUNT, 12345, "12.3 k"},
        {QUANTITY_COUNT, 99949, "99.9 k"},
        {QUANTITY_COUNT, 99951, "100 k"},
        {QUANTITY_COUNT, 999500, "1.00 M"},
        {QUANTITY_BYTES, 12, "12 B"},
        {QUANTITY_BYTES, 1234567890, "1.23 GB"},
        {QUANTITY_PACKET_S, 1500, "1.50 kpps"},
        {QUANTITY_BIT_S, 10e9, "10.0 Gbit/s"},
        {QUANTITY_COUNT, 9.3e18, "9.22 E"},
    };

    (void)state;
    check(examples, COUNT_OF(examples));
}

static void writes_times_and_plain_numbers(void **state)
{
    static const struct example examples[] = {
        {QUANTITY_NUMBER, 1234567, "1234567"},
        {QUANTITY_PERCENT, 12, "12 %"},
        {QUANTITY_SECONDS, 59, "59 s"},
        {QUANTITY_SECONDS, 60, "1 m 00 s"},
        {QUANTITY_SECONDS, 3599, "59 m 59 s"},
        {QUANTITY_SECONDS, 3723, "1 h 02 m"},
        {QUANTITY_SECONDS, 86400, "1 d 00 h"},
        {QUANTITY_TIME, 1700000000, "2023-11-14 22:13:20 UTC"},
        {QUANTITY_TIME, 1e17, "100000000000000000"},
    };

    (void)state;
    check(examples, COUNT_OF(examples));
}

static void bounds_what_makes_no_sense(void **state)
{
    char text[QUANTITY_TEXT_LEN];

    (void)state;
    assert_string_equal(quantity_format(QUANTITY_COUNT, -5, text), "0");
    assert_string_equal(quantity_format(QUANTITY_SECONDS, NAN, text), "0 s");
    for (int kind = QUANTITY_NUMBER; kind <= QUANTITY_PERCENT; kind++)
        assert_true(strlen(quantity_format((enum quantity)kind, INFINITY, text)) <
                    QUANTITY_TEXT_LEN);
}

static void reads_times(void **state)
{
    static const struct {
        const char *text;
        uint32_t seconds;
    } times[] = {{"0", 0},          {"90", 90},     {"90s", 90},         {"10m", 600},
                 {"1h30m", 5400},   {"2d", 172800}, {"1d1h1m1s", 90061}, {"1m5", 65},
                 {"365d", 31536000}};

    (void)state;
    for (unsigned i = 0; i < COUNT_OF(times); i++) {
        uint32_t seconds = 1;

        assert_int_equal(quantity_parse_seconds(times[i].text, &seconds), 0);
        assert_int_equal(seconds, times[i].seconds);
    }
}

static void refuses_what_is_no_time(void **state)
{
    static const char *const wrong[] = {"",     "m",    "-5",   "+5",   "10 m", "10x",
                                        "5s5s", "5m1h", "1.5h", "10m ", "1hm",  "5s1"};
    static const char *const far[] = {"366d", "99999999999999999999", "365d1s"};
    uint32_t seconds = 77;

    (void)state;
    for (unsigned i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(quantity_parse_seconds(wrong[i], &seconds), -EINVAL);
    for (unsigned i = 0; i < COUNT_OF(far); i++)
        assert_int_equal(quantity_parse_seconds(far[i], &seconds), -ERANGE);
    assert_int_equal(seconds, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_three_figures_and_a_prefix),
        cmocka_unit_test(writes_times_and_plain_numbers),
        cmocka_unit_test(bounds_what_makes_no_sense),
        cmocka_unit_test(reads_times),
        cmocka_unit_test(refuses_what_is_no_time),
    };

    return cmocka_run_group_tests_name("ctl/quantity", tests, NULL, NULL);
}
