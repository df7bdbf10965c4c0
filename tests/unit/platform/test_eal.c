// SPDX-License-Identifier: BSD-3-Clause
// Claims about which CPU the control thread and each worker run on.
#include "platform/eal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct cpu_list four = {.count = 4, .cpus = {0, 1, 2, 3}};
static const struct cpu_list one = {.count = 1, .cpus = {5}};

static void assert_lcores(const struct eal_config *config, const struct cpu_list *allowed,
                          const char *expected)
{
    char text[LCORE_MAP_TEXT_LEN];

    assert_string_equal(eal_format_lcores(config, allowed, text), expected);
}

static void workers_get_the_last_cpus_and_control_the_rest(void **state)
{
    const struct eal_config config = {.worker_count = 2};
    const struct eal_config three_workers = {.worker_count = 3};

    (void)state;
    assert_lcores(&config, &four, "0@(0,1),1@2,2@3");
    assert_lcores(&three_workers, &four, "0@(0),1@1,2@2,3@3");
}

static void workers_share_when_cpus_are_few(void **state)
{
    const struct eal_config two_workers = {.worker_count = 2};
    const struct eal_config four_workers = {.worker_count = 4};

    (void)state;
    assert_lcores(&two_workers, &one, "0@(5),1@5,2@5");
    assert_lcores(&four_workers, &four, "0@(0,1,2,3),1@0,2@1,3@2,4@3");
}

static void workers_run_where_the_configuration_says(void **state)
{
    const struct eal_config config = {.worker_count = 2, .cpu_count = 2, .cpus = {3, 0}};

    (void)state;
    assert_lcores(&config, &four, "0@(1,2),1@3,2@0");
}

static void workers_have_near_cpus_first(void **state)
{
    const struct cpu_list two_near = {
        .count = 5, .cpus = {0, 2, 4, 6, 8}, .is_far = {true, false, false, true, true}};
    const struct cpu_list none_near = {.count = 3, .cpus = {0, 1, 2}, .is_far = {true, true, true}};
    const struct eal_config one_worker = {.worker_count = 1};
    const struct eal_config two_workers = {.worker_count = 2};
    const struct eal_config three_workers = {.worker_count = 3};
    const struct eal_config told = {.worker_count = 1, .cpu_count = 1, .cpus = {8}};

    (void)state;
    assert_lcores(&one_worker, &two_near, "0@(0,2,6,8),1@4");
    assert_lcores(&two_workers, &two_near, "0@(0,6,8),1@2,2@4");
    assert_lcores(&three_workers, &two_near, "0@(0,6),1@8,2@2,3@4");
    assert_lcores(&two_workers, &none_near, "0@(0),1@1,2@2");
    assert_lcores(&told, &two_near, "0@(0,2,4,6),1@8");
}

static void shares_its_cpu_with_the_control_thread_where_none_is_left_for_it(void **state)
{
    const struct eal_config one_worker = {.worker_count = 1};
    const struct eal_config three_workers = {.worker_count = 3};
    const struct eal_config four_workers = {.worker_count = 4};

    (void)state;
    assert_true(eal_shares_cpu(&one_worker, &one, 0));
    assert_false(eal_shares_cpu(&one_worker, &four, 0));
    assert_false(eal_shares_cpu(&three_workers, &four, 2));
    assert_true(eal_shares_cpu(&four_workers, &four, 2));
}

static void shares_its_cpu_with_another_worker_of_that_cpu(void **state)
{
    const struct eal_config config = {.worker_count = 3, .cpu_count = 3, .cpus = {3, 0, 3}};

    (void)state;
    assert_true(eal_shares_cpu(&config, &four, 0));
    assert_false(eal_shares_cpu(&config, &four, 1));
    assert_true(eal_shares_cpu(&config, &four, 2));
}

static void cpus_are_listed_as_the_setting_has_them(void **state)
{
    static const struct cpu_list none = {}, mixed = {.count = 6, .cpus = {0, 2, 3, 4, 8, 1023}};
    struct cpu_list every_other = {.count = 512};
    char text[CPU_LIST_TEXT_LEN];

    (void)state;
    assert_string_equal(eal_format_cpus(&four, text), "0-3");
    assert_string_equal(eal_format_cpus(&one, text), "5");
    assert_string_equal(eal_format_cpus(&none, text), "");
    assert_string_equal(eal_format_cpus(&mixed, text), "0,2-4,8,1023");
    for (uint16_t i = 0; i < 512; i++)
        every_other.cpus[i] = 2 * i;
    assert_true(strlen(eal_format_cpus(&every_other, text)) < CPU_LIST_TEXT_LEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_get_the_last_cpus_and_control_the_rest),
        cmocka_unit_test(workers_share_when_cpus_are_few),
        cmocka_unit_test(workers_run_where_the_configuration_says),
        cmocka_unit_test(workers_have_near_cpus_first),
        cmocka_unit_test(shares_its_cpu_with_the_control_thread_where_none_is_left_for_it),
        cmocka_unit_test(shares_its_cpu_with_another_worker_of_that_cpu),
        cmocka_unit_test(cpus_are_listed_as_the_setting_has_them),
    };

    return cmocka_run_group_tests_name("platform/eal", tests, NULL, NULL);
}
