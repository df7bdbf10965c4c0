// SPDX-License-Identifier: BSD-3-Clause
// All tables of the server when every key has the same hash. Of a million keys some do, and what is
// found by one must not be what belongs to another.
#include "base/siphash.h"
#include "turn_fixture.h"

// These take the place of the real ones in this executable.
uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t len)
{
    (void)key;
    (void)bytes;
    (void)len;
    return 42;
}

void siphash_begin(const struct siphash_key *key, uint64_t first, struct siphash_state *ret_state)
{
    (void)key;
    (void)first;
    (void)ret_state;
}

uint64_t siphash_end(const struct siphash_state *state, const uint64_t *words, size_t count,
                     uint64_t last)
{
    (void)state;
    (void)words;
    return siphash(NULL, &last, count);
}

static void clients_users_and_their_keys_stay_apart(void **state)
{
    struct fixture *fixture = *state;
    struct client alice = client_make(1000);
    struct client bob = client_make(1001);
    bob.username = "bob";
    bob.password = "builder";
    for (unsigned use_userhash = 0; use_userhash < 2; use_userhash++) {
        alice.use_userhash = bob.use_userhash = use_userhash;
        assert_int_equal(client_refresh(fixture, &alice, 600), 437);
        assert_int_equal(client_allocate(fixture, &alice), 0);
        uint32_t id = fixture->output.commands[0].allocation;
        assert_int_equal(client_refresh(fixture, &bob, 600), 437);
        assert_int_equal(client_allocate(fixture, &bob), 0);
        assert_int_not_equal(fixture->output.commands[0].allocation, id);
        assert_int_equal(fixture_usage(fixture).users, 2);
        assert_int_equal(client_refresh(fixture, &alice, 0), 0);
        fixture_acknowledge(fixture);
        assert_int_equal(client_refresh(fixture, &bob, 0), 0);
        fixture_acknowledge(fixture);
    }
    // A name that another one starts with.
    char passwords[2][29];
    client_use_rest(&alice, "1700000100:carol", "new", passwords[0]);
    client_use_rest(&bob, "1700000100:caro", "new", passwords[1]);
    alice.use_userhash = bob.use_userhash = false;
    assert_int_equal(client_allocate(fixture, &alice), 0);
    assert_int_equal(client_allocate(fixture, &bob), 0);
    assert_int_equal(client_refresh(fixture, &bob, 0), 0);
    fixture_acknowledge(fixture);
    assert_int_equal(client_refresh(fixture, &alice, 0), 0);
    fixture_acknowledge(fixture);
    alice.username = "mallory";
    alice.use_userhash = false;
    assert_int_equal(client_allocate(fixture, &alice), 401);
    assert_all_released(fixture);
}

static void permissions_stay_apart(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct client other = client_make(1001);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_allocate(fixture, &other), 0);
    assert_int_equal(client_permit(fixture, &client, "8.8.8.8"), 0);
    assert_int_equal(client_permit(fixture, &client, "8.8.4.4"), 0);
    assert_int_equal(fixture->output.command_count, 1);
    assert_int_equal(client_permit(fixture, &other, "8.8.8.8"), 0);
    assert_int_equal(fixture->output.command_count, 1);
    assert_int_equal(fixture_usage(fixture).permissions, 3);
}

static void channels_stay_apart(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct client other = client_make(1001);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_allocate(fixture, &other), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:5000"), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4001, "8.8.8.8:5001"), 0);
    assert_int_equal(client_bind(fixture, &other, 0x4000, "8.8.8.8:5000"), 0);
    assert_int_equal(client_bind(fixture, &other, 0x4001, "8.8.8.8:5000"), 400);
    assert_int_equal(client_bind(fixture, &other, 0x4000, "8.8.8.8:5001"), 400);
    assert_int_equal(fixture_usage(fixture).channels, 3);
}

static void reservations_stay_apart(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct transport_address even;
    struct transport_address redeemed;
    uint8_t tokens[2][8];
    for (unsigned i = 0; i < 2; i++) {
        client = client_make((uint16_t)(1000 + i));
        assert_int_equal(client_allocate_pair(fixture, &client, tokens[i]), 0);
    }
    assert_true(response_relayed(fixture, 0, &even));
    client = client_make(1002);
    assert_int_equal(client_allocate_token(fixture, &client, (const uint8_t *)"no token"), 508);
    assert_int_equal(client_allocate_token(fixture, &client, tokens[1]), 0);
    assert_true(response_relayed(fixture, 0, &redeemed));
    assert_int_equal(redeemed.port, even.port + 1);
}

static void quotas_stay_apart(void **state)
{
    (void)state;
    struct fixture fixture;
    struct client client = client_make(1000);
    struct client other = client_make(1001);
    other.username = "bob";
    other.password = "builder";
    fixture_init(&fixture);
    fixture.config.limits.allocations_per_user = 1;
    fixture_start(&fixture);
    assert_int_equal(client_allocate(&fixture, &client), 0);
    assert_int_equal(client_allocate(&fixture, &other), 0);
    other.five_tuple.client.port = 1002;
    assert_int_equal(client_allocate(&fixture, &other), 486);
    fixture_done(&fixture);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(clients_users_and_their_keys_stay_apart),
        CASE(permissions_stay_apart),
        CASE(channels_stay_apart),
        CASE(reservations_stay_apart),
        cmocka_unit_test(quotas_stay_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
