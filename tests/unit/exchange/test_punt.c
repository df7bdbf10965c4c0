// SPDX-License-Identifier: BSD-3-Clause
#include "eal_fixture.h"
#include "exchange/punt.h"

#include <rte_mbuf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct rte_mempool *pool;

static int create_pool(void **state)
{
    (void)state;
    pool = rte_pktmbuf_pool_create("test", 7, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    return pool == NULL;
}

static int free_pool(void **state)
{
    (void)state;
    rte_mempool_free(pool);
    return 0;
}

static struct punt make_punt(void)
{
    struct rte_mbuf *frame = rte_pktmbuf_alloc(pool);
    assert_non_null(frame);
    memcpy(rte_pktmbuf_append(frame, 12), "headersSTUN!", 12);
    return (struct punt){
        .kind = PUNT_MESSAGE,
        .message = {.frame = frame, .message_offset = 7, .message_len = 4},
    };
}

static void the_message_is_the_part_of_the_frame_that_the_punt_names(void **state)
{
    (void)state;
    struct punt punt = make_punt();
    struct span message = punt_bytes(&punt);
    assert_int_equal(message.len, 4);
    assert_memory_equal(message.data, "STUN", 4);
    punt_discard(&punt);
}

static void a_discarded_frame_is_back_in_its_pool(void **state)
{
    (void)state;
    struct punt punt = make_punt();
    assert_int_equal(rte_mempool_avail_count(pool), 6);
    punt_discard(&punt);
    assert_int_equal(rte_mempool_avail_count(pool), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_message_is_the_part_of_the_frame_that_the_punt_names),
        cmocka_unit_test(a_discarded_frame_is_back_in_its_pool),
    };
    if (eal_start() != 0)
        return 1;
    return cmocka_run_group_tests(tests, create_pool, free_pool);
}
