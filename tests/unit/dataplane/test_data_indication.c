// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/data_indication.h"

#include "rig.h"

static struct token_stream tokens;
static const uint8_t peer_v4[4] = {192, 0, 2, 200};
static const uint8_t peer_v6[16] = {0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};

static int set_up(void **state)
{
    (void)state;
    token_stream_init(&tokens);
    return 0;
}

static void a_head_and_its_data_make_a_whole_message(void **state)
{
    (void)state;
    for (unsigned family = 0; family < 2; family++) {
        for (size_t len = 0; len < 40; len++) {
            uint8_t message[DATA_INDICATION_HEAD_MAX_LEN + 44] = {0};
            struct data_seen seen;
            size_t head_len =
                data_indication_head(&tokens, family == 0 ? IP_FAMILY_V4 : IP_FAMILY_V6,
                                     family == 0 ? peer_v4 : peer_v6, 50000, len, message);
            assert_int_equal(head_len, family == 0 ? 36 : 48);
            memset(message + head_len, 0x5A, len);
            message_read_data(message, head_len + (len + 3) / 4 * 4, &seen);
            assert_string_equal(seen.peer,
                                family == 0 ? "192.0.2.200:50000" : "[2001:db8::9]:50000");
            assert_int_equal(seen.len, len);
            assert_ptr_equal(seen.data, message + head_len);
        }
    }
}

static void an_icmp_report_is_a_whole_message(void **state)
{
    (void)state;
    uint8_t message[DATA_INDICATION_HEAD_MAX_LEN];
    struct data_seen seen;
    size_t len = data_indication_icmp(&tokens, IP_FAMILY_V6, peer_v6, 7, 2, 0, 1280, message);
    message_read_data(message, len, &seen);
    assert_string_equal(seen.peer, "[2001:db8::9]:7");
    assert_null(seen.data);
    assert_true(seen.has_icmp);
    assert_int_equal(seen.icmp_type, 2);
    assert_int_equal(seen.icmp_code, 0);
    assert_int_equal(seen.icmp_data, 1280);
}

static void no_two_transactions_are_the_same(void **state)
{
    (void)state;
    uint8_t last[12] = {0};
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t message[DATA_INDICATION_HEAD_MAX_LEN];
        (void)data_indication_head(&tokens, IP_FAMILY_V4, peer_v4, 1, 0, message);
        assert_memory_not_equal(message + 8, last, 12);
        memcpy(last, message + 8, 12);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_and_its_data_make_a_whole_message),
        cmocka_unit_test(an_icmp_report_is_a_whole_message),
        cmocka_unit_test(no_two_transactions_are_the_same),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
