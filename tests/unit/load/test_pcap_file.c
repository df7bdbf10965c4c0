// SPDX-License-Identifier: BSD-3-Clause
// bench/load/pcap_file.h: the bytes are those that the format asks for.
#include "pcap_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_HEADER_LEN  24
#define FRAME_HEADER_LEN 16

static uint8_t bytes[4096];

static uint32_t word(size_t offset)
{
    uint32_t value;
    memcpy(&value, bytes + offset, sizeof(value));
    return value;
}

// Writes two frames; the length of what came out, which is in bytes.
static size_t write_two(const uint8_t *first, size_t first_len, const uint8_t *second,
                        size_t second_len)
{
    char path[] = "/tmp/test_pcap_file.XXXXXX";
    int descriptor = mkstemp(path);
    struct pcap_file file;
    ssize_t len;
    assert_true(descriptor >= 0);
    assert_int_equal(pcap_file_create(&file, path), 0);
    pcap_file_write(&file, first, first_len);
    pcap_file_write(&file, second, second_len);
    assert_int_equal(pcap_file_close(&file), 0);
    len = read(descriptor, bytes, sizeof(bytes));
    close(descriptor);
    unlink(path);
    assert_true(len > 0);
    return (size_t)len;
}

static void a_file_says_that_it_holds_ethernet(void **state)
{
    (void)state;
    write_two(bytes, 1, bytes, 1);
    assert_int_equal(word(0), 0xA1B2C3D4);
    assert_int_equal(word(4), 4u << 16 | 2u); // 2.4, in the order of a little-endian machine
    assert_int_equal(word(8), 0);
    assert_int_equal(word(12), 0);
    assert_true(word(16) >= 1536);
    assert_int_equal(word(20), 1);
}

static void frames_follow_each_other_whole(void **state)
{
    (void)state;
    uint8_t first[61], second[1500];
    size_t at = FILE_HEADER_LEN;
    memset(first, 0x11, sizeof(first));
    memset(second, 0x22, sizeof(second));
    assert_int_equal(write_two(first, sizeof(first), second, sizeof(second)),
                     FILE_HEADER_LEN + 2 * FRAME_HEADER_LEN + sizeof(first) + sizeof(second));
    assert_int_equal(word(at + 8), sizeof(first));
    assert_int_equal(word(at + 12), sizeof(first));
    at += FRAME_HEADER_LEN;
    assert_memory_equal(bytes + at, first, sizeof(first));
    at += sizeof(first);
    assert_int_equal(word(at + 8), sizeof(second));
    assert_int_equal(word(at + 12), sizeof(second));
    assert_memory_equal(bytes + at + FRAME_HEADER_LEN, second, sizeof(second));
}

static void a_path_that_is_not_there_is_told(void **state)
{
    (void)state;
    struct pcap_file file;
    assert_int_equal(pcap_file_create(&file, "/nowhere/at/all"), -ENOENT);
}

static void a_full_disk_is_told(void **state)
{
    (void)state;
    static uint8_t frame[1500];
    struct pcap_file file;
    assert_int_equal(pcap_file_create(&file, "/dev/full"), 0);
    for (unsigned i = 0; i < 100; i++)
        pcap_file_write(&file, frame, sizeof(frame));
    assert_int_not_equal(pcap_file_close(&file), 0);
}

static void so_is_one_that_fills_at_the_end(void **state)
{
    (void)state;
    struct pcap_file file;
    assert_int_equal(pcap_file_create(&file, "/dev/full"), 0);
    assert_int_equal(pcap_file_close(&file), -ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_says_that_it_holds_ethernet),
        cmocka_unit_test(frames_follow_each_other_whole),
        cmocka_unit_test(a_path_that_is_not_there_is_told),
        cmocka_unit_test(a_full_disk_is_told),
        cmocka_unit_test(so_is_one_that_fills_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
