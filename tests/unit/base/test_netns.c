// SPDX-License-Identifier: BSD-3-Clause
// Claims about calls in another network namespace. Where making one is not permitted, they are
// skipped.
#include "base/netns.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

// Of the thread that asks.
static ino_t here(void)
{
    struct stat network;

    assert_int_equal(stat("/proc/thread-self/ns/net", &network), 0);
    return network.st_ino;
}

static int note_where(void *context)
{
    *(ino_t *)context = here();
    return 42;
}

static void without_one_a_call_is_made_here(void **state)
{
    ino_t where = 0;

    (void)state;
    assert_int_equal(netns_call(NULL, note_where, &where), 42);
    assert_true(where == here());
}

static void a_name_that_is_not_there_is_refused(void **state)
{
    struct netns *netns = NULL;

    (void)state;
    assert_int_equal(netns_open("no such namespace", &netns), -ENOENT);
    assert_int_equal(netns_open("/no/such/namespace", &netns), -ENOENT);
    assert_null(netns);
}

static void what_is_no_network_namespace_is_refused(void **state)
{
    struct netns *netns = NULL;

    (void)state;
    assert_int_equal(netns_open("/dev/null", &netns), -EINVAL);
    assert_null(netns);
}

// A thread with a namespace of its own, which it keeps until it is let go.
struct neighbour {
    pthread_t thread;
    pthread_barrier_t made, used;
    char path[64];
    bool is_permitted;
};

static void *live(void *context)
{
    struct neighbour *neighbour = context;

    neighbour->is_permitted = unshare(CLONE_NEWNET) == 0;
    snprintf(neighbour->path, sizeof(neighbour->path), "/proc/self/task/%d/ns/net", gettid());
    pthread_barrier_wait(&neighbour->made);
    pthread_barrier_wait(&neighbour->used);
    return NULL;
}

static int set_up(void **state)
{
    static struct neighbour neighbour;

    pthread_barrier_init(&neighbour.made, NULL, 2);
    pthread_barrier_init(&neighbour.used, NULL, 2);
    if (pthread_create(&neighbour.thread, NULL, live, &neighbour) != 0)
        return -1;
    pthread_barrier_wait(&neighbour.made);
    *state = &neighbour;
    return 0;
}

static int tear_down(void **state)
{
    struct neighbour *neighbour = *state;

    pthread_barrier_wait(&neighbour->used);
    pthread_join(neighbour->thread, NULL);
    pthread_barrier_destroy(&neighbour->made);
    pthread_barrier_destroy(&neighbour->used);
    return 0;
}

static void a_call_is_made_there_and_nothing_else(void **state)
{
    struct neighbour *neighbour = *state;
    struct stat there;
    struct netns *netns;
    ino_t where, before = here();

    if (!neighbour->is_permitted)
        skip();
    assert_int_equal(stat(neighbour->path, &there), 0);
    assert_int_equal(netns_open(neighbour->path, &netns), 0);
    for (unsigned i = 0; i < 1000; i++) {
        where = 0;
        assert_int_equal(netns_call(netns, note_where, &where), 42);
        assert_true(where == there.st_ino);
    }
    assert_true(here() == before && before != there.st_ino);
    netns_close(netns);
}

static void *call_often(void *context)
{
    ino_t where = 0, first = 0;

    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(netns_call(context, note_where, &where), 42);
        first = first ? first : where;
        assert_true(where == first);
    }
    return NULL;
}

static void several_threads_may_call(void **state)
{
    struct neighbour *neighbour = *state;
    struct netns *netns;
    pthread_t threads[4];

    if (!neighbour->is_permitted)
        skip();
    assert_int_equal(netns_open(neighbour->path, &netns), 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, netns), 0);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    netns_close(netns);
}

int main(void)
{
#define WITH_NEIGHBOUR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_one_a_call_is_made_here),
        cmocka_unit_test(a_name_that_is_not_there_is_refused),
        cmocka_unit_test(what_is_no_network_namespace_is_refused),
        WITH_NEIGHBOUR(a_call_is_made_there_and_nothing_else),
        WITH_NEIGHBOUR(several_threads_may_call),
    };

    return cmocka_run_group_tests_name("base/netns", tests, NULL, NULL);
}
