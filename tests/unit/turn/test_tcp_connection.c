// SPDX-License-Identifier: BSD-3-Clause
// The table of connections to peers.
#include "turn/tcp_connection.h"

#include "turn_fixture.h"

#define CAPACITY 6
#define LIMIT    4

struct tables {
    struct tcp_connection_table connections;
    struct allocation allocations[2];
    uint32_t next_id; // what the random source says, over and over
    uint32_t repeats;
};

// Each value twice: what is taken already has to be drawn again.
static void fill_repeating(void *context, void *bytes, size_t len)
{
    struct tables *tables = context;
    uint32_t id = tables->next_id + tables->repeats++ / 2;
    assert_int_equal(len, sizeof(id));
    memcpy(bytes, &id, sizeof(id));
}

static int setup(void **state)
{
    static const struct siphash_key key = {{1, 2}};
    struct tables *tables = test_calloc(1, sizeof(*tables));
    assert_int_equal(tcp_connection_table_init(&tables->connections, CAPACITY, LIMIT, &key), 0);
    for (uint32_t i = 0; i < 2; i++)
        tables->allocations[i] =
            (struct allocation){.id = i, .is_tcp = 1, .tcp_connections = INDEX_NONE};
    *state = tables;
    return 0;
}

static int teardown(void **state)
{
    struct tables *tables = *state;
    tcp_connection_table_done(&tables->connections);
    test_free(tables);
    return 0;
}

static struct transport_address peer_at(uint16_t port)
{
    return (struct transport_address){.ip = ip("8.8.8.8"), .port = port};
}

static uint32_t create(struct tables *tables, unsigned allocation, uint16_t port)
{
    const struct random_source random = {.fill = fill_repeating, .context = tables};
    struct transport_address peer = peer_at(port);
    return tcp_connection_create(&tables->connections, &tables->allocations[allocation], &peer,
                                 &random);
}

static bool has_room(const struct tables *tables, unsigned allocation)
{
    return tcp_connection_table_has_room(&tables->connections, &tables->allocations[allocation]);
}

static void ids_are_random_and_of_one_each(void **state)
{
    struct tables *tables = *state;
    tables->next_id = 70;
    uint32_t first = create(tables, 0, 1);
    uint32_t second = create(tables, 0, 2);
    assert_int_equal(tables->connections.at[first].id, 70);
    assert_int_equal(tables->connections.at[second].id, 71);
    assert_int_equal(tcp_connection_find(&tables->connections, 70), first);
    assert_int_equal(tcp_connection_find(&tables->connections, 71), second);
    assert_int_equal(tcp_connection_find(&tables->connections, 72), INDEX_NONE);
    tcp_connection_destroy(&tables->connections, &tables->allocations[0], first);
    assert_int_equal(tcp_connection_find(&tables->connections, 70), INDEX_NONE);
}

static void a_peer_is_found_in_its_own_allocation(void **state)
{
    struct tables *tables = *state;
    struct transport_address peer = peer_at(1);
    uint32_t connection = create(tables, 0, 1);
    assert_int_equal(tcp_connection_find_peer(&tables->connections, &tables->allocations[0], &peer),
                     connection);
    assert_int_equal(tcp_connection_find_peer(&tables->connections, &tables->allocations[1], &peer),
                     INDEX_NONE);
}

static void any_member_leaves_the_others_in_the_list(void **state)
{
    struct tables *tables = *state;
    for (unsigned gone = 0; gone < 3; gone++) {
        uint32_t connections[3];
        for (uint16_t i = 0; i < 3; i++)
            connections[i] = create(tables, 0, i + 1);
        tcp_connection_destroy(&tables->connections, &tables->allocations[0], connections[gone]);
        assert_false(tcp_connection_is_live(&tables->connections, connections[gone]));
        for (uint16_t i = 0; i < 3; i++) {
            struct transport_address peer = peer_at(i + 1);
            assert_int_equal(
                tcp_connection_find_peer(&tables->connections, &tables->allocations[0], &peer),
                i == gone ? INDEX_NONE : connections[i]);
        }
        for (unsigned i = 0; i < 3; i++) {
            if (i != gone)
                tcp_connection_destroy(&tables->connections, &tables->allocations[0],
                                       connections[i]);
        }
        assert_int_equal(tables->allocations[0].tcp_connections, INDEX_NONE);
        assert_int_equal(tables->allocations[0].tcp_connection_count, 0);
        assert_int_equal(index_pool_used(&tables->connections.pool), 0);
    }
}

static void room_is_the_allocations_and_the_tables(void **state)
{
    struct tables *tables = *state;
    for (uint16_t i = 0; i < LIMIT; i++) {
        assert_true(has_room(tables, 0));
        create(tables, 0, i);
    }
    assert_false(has_room(tables, 0));
    for (uint16_t i = 0; i < CAPACITY - LIMIT; i++) {
        assert_true(has_room(tables, 1));
        create(tables, 1, i);
    }
    assert_false(has_room(tables, 1));
}

static void a_client_is_found_while_it_is_bound(void **state)
{
    struct tables *tables = *state;
    struct five_tuple client = client_make_tcp(1000).five_tuple;
    struct five_tuple tls = client;
    uint32_t connection = create(tables, 0, 1);
    tls.transport = FIVE_TUPLE_TLS;
    assert_int_equal(tcp_connection_find_client(&tables->connections, &client), INDEX_NONE);
    tcp_connection_bind(&tables->connections, connection, &client);
    assert_int_equal(tcp_connection_find_client(&tables->connections, &client), connection);
    assert_int_equal(tcp_connection_find_client(&tables->connections, &tls), INDEX_NONE);
    tcp_connection_destroy(&tables->connections, &tables->allocations[0], connection);
    assert_int_equal(tcp_connection_find_client(&tables->connections, &client), INDEX_NONE);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(ids_are_random_and_of_one_each),
        CASE(a_peer_is_found_in_its_own_allocation),
        CASE(any_member_leaves_the_others_in_the_list),
        CASE(room_is_the_allocations_and_the_tables),
        CASE(a_client_is_found_while_it_is_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
