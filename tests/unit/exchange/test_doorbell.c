// SPDX-License-Identifier: BSD-3-Clause
#include "exchange/doorbell.h"

#include <poll.h>
#include <rte_ring.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct doorbell doorbell;
    struct rte_ring *rings[2];
};

static struct rte_ring *ring_make(void)
{
    void *memory = NULL;
    struct rte_ring *ring;
    assert_int_equal(posix_memalign(&memory, 128, (size_t)rte_ring_get_memsize(8)), 0);
    ring = memory;
    assert_int_equal(rte_ring_init(ring, "test", 8, RING_F_SP_ENQ | RING_F_SC_DEQ), 0);
    return ring;
}

static int set_up(void **state)
{
    struct fixture *fixture = aligned_alloc(64, sizeof(*fixture));
    assert_int_equal(doorbell_init(&fixture->doorbell), 0);
    fixture->rings[0] = ring_make();
    fixture->rings[1] = ring_make();
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    doorbell_done(&fixture->doorbell);
    doorbell_done(&fixture->doorbell); // twice does no harm
    free(fixture->rings[0]);
    free(fixture->rings[1]);
    free(fixture);
    return 0;
}

static bool is_rung(const struct fixture *fixture)
{
    struct pollfd wait = {.fd = fixture->doorbell.fd, .events = POLLIN};
    return poll(&wait, 1, 0) == 1;
}

static void rings_once_for_a_thread_that_waits(void **state)
{
    struct fixture *fixture = *state;
    assert_true(doorbell_arm(&fixture->doorbell, fixture->rings, 2));
    assert_false(is_rung(fixture));
    doorbell_ring(&fixture->doorbell);
    doorbell_ring(&fixture->doorbell);
    assert_true(is_rung(fixture));
    assert_true(doorbell_arm(&fixture->doorbell, fixture->rings, 2)); // takes what was rung
    assert_false(is_rung(fixture));
}

static void rings_for_nobody_who_is_at_work(void **state)
{
    struct fixture *fixture = *state;
    doorbell_ring(&fixture->doorbell);
    assert_false(is_rung(fixture));
}

static void nobody_waits_while_any_ring_has_something(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < 2; i++) {
        void *element = fixture;
        assert_int_equal(rte_ring_sp_enqueue(fixture->rings[i], element), 0);
        assert_false(doorbell_arm(&fixture->doorbell, fixture->rings, 2));
        doorbell_ring(&fixture->doorbell);
        assert_false(is_rung(fixture));
        assert_int_equal(rte_ring_sc_dequeue(fixture->rings[i], &element), 0);
    }
    assert_true(doorbell_arm(&fixture->doorbell, fixture->rings, 2));
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CLAIM(rings_once_for_a_thread_that_waits),
        CLAIM(rings_for_nobody_who_is_at_work),
        CLAIM(nobody_waits_while_any_ring_has_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
