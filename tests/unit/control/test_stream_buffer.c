// SPDX-License-Identifier: BSD-3-Clause
// Claims about bytes that wait.
#include "control/stream_buffer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct span span_of(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

static void assert_has(const struct stream_buffer *buffer, const char *bytes, size_t len)
{
    struct span has = stream_buffer_bytes(buffer);

    assert_int_equal(has.len, len);
    assert_memory_equal(has.data, bytes, len);
}

static void bytes_come_out_in_the_order_they_went_in(void **state)
{
    struct stream_buffer buffer = {0};

    (void)state;
    assert_int_equal(stream_buffer_append(&buffer, span_of("one"), 1), 0);
    assert_int_equal(stream_buffer_append(&buffer, span_of("two"), 2), 0);
    assert_has(&buffer, "one\0two\0\0", 9);
    stream_buffer_consume(&buffer, 4);
    assert_has(&buffer, "two\0\0", 5);
    assert_int_equal(stream_buffer_append(&buffer, span_of("three"), 0), 0);
    assert_has(&buffer, "two\0\0three", 10);
    stream_buffer_done(&buffer);
}

static void what_is_empty_has_no_memory(void **state)
{
    struct stream_buffer buffer = {0};

    (void)state;
    assert_int_equal(stream_buffer_append(&buffer, span_of(""), 0), 0);
    assert_null(buffer.memory);
    assert_int_equal(stream_buffer_append(&buffer, span_of("bytes"), 0), 0);
    stream_buffer_consume(&buffer, 2);
    assert_non_null(buffer.memory);
    stream_buffer_consume(&buffer, 3);
    assert_null(buffer.memory);
    assert_null(stream_buffer_bytes(&buffer).data);
}

static void grows_and_takes_up_what_was_consumed(void **state)
{
    struct stream_buffer buffer = {0};
    uint8_t piece[100];
    uint32_t capacity;

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        memset(piece, (int)i, sizeof(piece));
        assert_int_equal(stream_buffer_append(&buffer, (struct span){piece, sizeof(piece)}, 0), 0);
    }
    capacity = buffer.capacity;
    for (unsigned i = 20; i < 2000; i++) {
        assert_int_equal(stream_buffer_bytes(&buffer).data[0], (i - 20) % 256);
        assert_int_equal(stream_buffer_bytes(&buffer).data[1999], (i - 1) % 256);
        stream_buffer_consume(&buffer, sizeof(piece));
        memset(piece, (int)i, sizeof(piece));
        assert_int_equal(stream_buffer_append(&buffer, (struct span){piece, sizeof(piece)}, 0), 0);
    }
    assert_int_equal(buffer.capacity, capacity);
    stream_buffer_done(&buffer);
}

static void what_is_too_much_changes_nothing(void **state)
{
    struct stream_buffer buffer = {0};
    static const uint8_t nothing[1];

    (void)state;
    assert_int_equal(stream_buffer_append(&buffer, span_of("bytes"), 0), 0);
    assert_int_equal(stream_buffer_append(&buffer, (struct span){nothing, UINT32_MAX}, 0), -ENOMEM);
    assert_has(&buffer, "bytes", 5);
    stream_buffer_done(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_out_in_the_order_they_went_in),
        cmocka_unit_test(what_is_empty_has_no_memory),
        cmocka_unit_test(grows_and_takes_up_what_was_consumed),
        cmocka_unit_test(what_is_too_much_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
