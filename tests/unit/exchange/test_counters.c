// SPDX-License-Identifier: BSD-3-Clause
// Claims about the counters, and that docs/counters.md says what each of them counts.
#include "exchange/counters.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_snake_case(const char *name)
{
    assert_true(strlen(name) > 0);
    for (const char *c = name; *c != '\0'; c++)
        assert_true(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_');
}

static void every_counter_has_a_name_of_its_own_and_a_help(void **state)
{
    (void)state;
    const char *names[COUNTER_COUNT + DROP_COUNT];
    unsigned count = 0;
    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        assert_true(strlen(counter_help((enum counter)c)) > 0);
        names[count++] = counter_name((enum counter)c);
    }
    for (unsigned d = 0; d < DROP_COUNT; d++) {
        assert_true(strlen(drop_help((enum drop)d)) > 0);
        names[count++] = drop_name((enum drop)d);
    }
    for (unsigned i = 0; i < count; i++) {
        assert_snake_case(names[i]);
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(names[i], names[j]);
    }
    assert_string_equal(counter_name(COUNTER_RX_PACKETS), "rx_packets");
    assert_string_equal(drop_name(DROP_TX_FULL), "tx_full");
}

static void sums_every_field_over_every_block(void **state)
{
    (void)state;
    struct worker_counters blocks[3];
    memset(blocks, 0, sizeof(blocks));
    for (unsigned i = 0; i < 3; i++) {
        uint64_t weight = i == 0 ? 1 : i == 1 ? 1000 : 1000000;
        for (unsigned c = 0; c < COUNTER_COUNT; c++)
            blocks[i].counters[c] = weight * (c + 1);
        for (unsigned d = 0; d < DROP_COUNT; d++)
            blocks[i].drops[d] = weight * (d + 2);
        blocks[i].busy_polls = weight * 3;
        blocks[i].idle_polls = weight * 4;
        blocks[i].sleeps = weight * 5;
        blocks[i].busy_tsc = weight * 6;
        blocks[i].direct.buckets[COUNTERS_TIME_BUCKETS - 1] = weight * 7;
        blocks[i].handed.sum_tsc = weight * 8;
        blocks[i].bursts[COUNTERS_BURST_MAX] = weight * 9;
        blocks[i].tables[WORKER_TABLE_COUNT - 1] = weight * 10;
    }
    struct worker_counters sum;
    memset(&sum, 0xAA, sizeof(sum));
    worker_counters_sum(blocks, 3, &sum);
    for (unsigned c = 0; c < COUNTER_COUNT; c++)
        assert_int_equal(sum.counters[c], 1001001 * (c + 1));
    for (unsigned d = 0; d < DROP_COUNT; d++)
        assert_int_equal(sum.drops[d], 1001001 * (d + 2));
    assert_int_equal(sum.busy_polls, 3003003);
    assert_int_equal(sum.idle_polls, 4004004);
    assert_int_equal(sum.sleeps, 5005005);
    assert_int_equal(sum.busy_tsc, 6006006);
    assert_int_equal(sum.direct.buckets[COUNTERS_TIME_BUCKETS - 1], 7007007);
    assert_int_equal(sum.handed.sum_tsc, 8008008);
    assert_int_equal(sum.bursts[COUNTERS_BURST_MAX], 9009009);
    assert_int_equal(sum.tables[WORKER_TABLE_COUNT - 1], 10010010);
    worker_counters_sum(blocks, 0, &sum);
    assert_int_equal(sum.counters[COUNTER_RX_PACKETS], 0);
}

static void subtracts_every_field(void **state)
{
    (void)state;
    struct worker_counters before, now;
    const uint64_t *fields = (const uint64_t *)&now;
    memset(&before, 0x11, sizeof(before));
    memset(&now, 0x33, sizeof(now));
    worker_counters_subtract(&now, &before);
    for (unsigned i = 0; i <= offsetof(struct worker_counters, tables[WORKER_TABLE_COUNT - 1]) / 8;
         i++)
        assert_int_equal(fields[i], UINT64_C(0x2222222222222222));
}

static char *read_documentation(void)
{
    char *text = calloc(1, 1 << 16);
    FILE *file = fopen(SOURCE_ROOT "/docs/counters.md", "r");
    assert_non_null(text);
    assert_non_null(file);
    assert_true(fread(text, 1, (1 << 16) - 1, file) > 0);
    fclose(file);
    return text;
}

static unsigned row_is_missing(const char *text, const char *name, const char *help)
{
    char row[256];
    snprintf(row, sizeof(row), "\n| `%s` | %s |", name, help);
    if (strstr(text, row) != NULL)
        return 0;
    print_error("missing row: %s\n", row + 1);
    return 1;
}

static void the_documentation_lists_every_counter_and_drop(void **state)
{
    (void)state;
    char *text = read_documentation();
    unsigned missing = 0;
    for (unsigned c = 0; c < COUNTER_COUNT; c++)
        missing +=
            row_is_missing(text, counter_name((enum counter)c), counter_help((enum counter)c));
    for (unsigned d = 0; d < DROP_COUNT; d++)
        missing += row_is_missing(text, drop_name((enum drop)d), drop_help((enum drop)d));
    free(text);
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_counter_has_a_name_of_its_own_and_a_help),
        cmocka_unit_test(sums_every_field_over_every_block),
        cmocka_unit_test(subtracts_every_field),
        cmocka_unit_test(the_documentation_lists_every_counter_and_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
