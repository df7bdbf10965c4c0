// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/fetch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

static sigjmp_buf before_fault;

static void leave(int number)
{
    (void)number;
    siglongjmp(before_fault, 1);
}

// What nobody may read tells a load from a prefetch, which is only a wish.
static void fetching_is_a_load(void **state)
{
    (void)state;
    void *page =
        mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    struct sigaction old, mine = {.sa_handler = leave};
    assert_int_equal(sigaction(SIGSEGV, &mine, &old), 0);
    volatile bool was_fetched = false;
    if (sigsetjmp(before_fault, 1) == 0) {
        fetch_line(page);
        was_fetched = true;
    }
    sigaction(SIGSEGV, &old, NULL);
    assert_false(was_fetched);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fetching_is_a_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
