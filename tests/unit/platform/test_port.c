// SPDX-License-Identifier: BSD-3-Clause
// Claims about packet buffers: what fits into them, and that the kernel can take them.
#include "platform/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define PAGE_LEN 4096

static void every_usual_mtu_can_be_used_whole(void **state)
{
    static const uint16_t mtus[] = {1280, 1500, 2030, 3000, 3310};

    (void)state;
    for (unsigned i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++)
        assert_int_equal(ports_usable_mtu(mtus[i]), mtus[i]);
}

static void a_jumbo_mtu_is_used_as_far_as_buffers_go(void **state)
{
    (void)state;
    assert_in_range(ports_usable_mtu(9000), 3310, 3310);
    assert_int_equal(ports_usable_mtu(65535), ports_usable_mtu(9000));
}

static void no_buffer_is_larger_than_a_page(void **state)
{
    (void)state;
    for (unsigned mtu = 1280; mtu <= 65535; mtu += 5) {
        uint64_t len = ports_memory_len((uint16_t)mtu, 1);

        assert_in_range(len, mtu < 3310 ? mtu : 3310, PAGE_LEN);
    }
}

static void memory_grows_with_the_number_of_buffers(void **state)
{
    (void)state;
    assert_int_equal(ports_memory_len(1500, 1000), 1000 * ports_memory_len(1500, 1));
}

static void buffers_for_a_device_have_room_for_any_frame(void **state)
{
    (void)state;
    for (unsigned frame = 1280; frame <= DEVICE_MTU_MAX + 26; frame += 7) {
        uint64_t len = ports_device_memory_len((uint16_t)frame, 1);

        assert_in_range(len, frame, frame + 3072);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_usual_mtu_can_be_used_whole),
        cmocka_unit_test(a_jumbo_mtu_is_used_as_far_as_buffers_go),
        cmocka_unit_test(no_buffer_is_larger_than_a_page),
        cmocka_unit_test(buffers_for_a_device_have_room_for_any_frame),
        cmocka_unit_test(memory_grows_with_the_number_of_buffers),
    };

    return cmocka_run_group_tests_name("platform/port", tests, NULL, NULL);
}
