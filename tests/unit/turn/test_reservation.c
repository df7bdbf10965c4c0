// SPDX-License-Identifier: BSD-3-Clause
// turn/reservation.h.
#include "turn/reservation.h"

#include "turn_fixture.h"

static const struct siphash_key key = {{1, 2}};

static void is_found_by_its_token_until_it_is_destroyed(void **state)
{
    (void)state;
    struct reservation_table table;
    uint8_t token[RESERVATION_TOKEN_LEN];
    assert_int_equal(reservation_table_init(&table, 4, &key), 0);
    struct turn_relayed_address held = {.relay = 1, .port = 50001};
    uint32_t reservation = reservation_create(&table, held, 7, &random_system);
    memcpy(token, table.at[reservation].token, sizeof(token));
    assert_int_equal(reservation_find(&table, token), reservation);
    assert_int_equal(table.at[reservation].address.relay, 1);
    assert_int_equal(table.at[reservation].address.port, 50001);
    assert_int_equal(table.at[reservation].user, 7);
    token[7] ^= 1;
    assert_int_equal(reservation_find(&table, token), INDEX_NONE);
    token[7] ^= 1;
    reservation_destroy(&table, reservation);
    assert_int_equal(reservation_find(&table, token), INDEX_NONE);
    reservation_table_done(&table);
}

// Repeats its first token once, then goes on.
static void fill_twice_the_same(void *context, void *bytes, size_t len)
{
    unsigned *calls = context;
    memset(bytes, (int)((*calls)++ / 2), len);
}

static void tokens_are_never_the_same(void **state)
{
    (void)state;
    struct reservation_table table;
    unsigned calls = 0;
    struct random_source repeating = {.fill = fill_twice_the_same, .context = &calls};
    struct turn_relayed_address held = {0};
    assert_int_equal(reservation_table_init(&table, 4, &key), 0);
    uint32_t first = reservation_create(&table, held, 0, &repeating);
    uint32_t second = reservation_create(&table, held, 0, &repeating);
    assert_int_not_equal(
        memcmp(table.at[first].token, table.at[second].token, RESERVATION_TOKEN_LEN), 0);
    reservation_table_done(&table);
}

static void is_bounded(void **state)
{
    (void)state;
    struct reservation_table table;
    struct turn_relayed_address held = {0};
    assert_int_equal(reservation_table_init(&table, 2, &key), 0);
    reservation_create(&table, held, 0, &random_system);
    assert_true(reservation_table_has_room(&table));
    uint32_t last = reservation_create(&table, held, 0, &random_system);
    assert_false(reservation_table_has_room(&table));
    reservation_destroy(&table, last);
    assert_true(reservation_table_has_room(&table));
    reservation_table_done(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_found_by_its_token_until_it_is_destroyed),
        cmocka_unit_test(tokens_are_never_the_same),
        cmocka_unit_test(is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
