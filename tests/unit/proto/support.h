// SPDX-License-Identifier: BSD-3-Clause
// What the tests of proto share: cmocka, spans of literals, messages parsed or built in one line.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "proto/builder.h"
#include "proto/message.h"

static const uint8_t test_transaction_id[STUN_TRANSACTION_ID_LEN] = {1, 2, 3, 4,  5,  6,
                                                                     7, 8, 9, 10, 11, 12};

#define SPAN(array) ((struct span){(array), sizeof(array)})

static inline struct span span_of(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

static inline struct stun_message parse_valid(struct span bytes)
{
    struct stun_message message;

    assert_int_equal(stun_message_parse(bytes, &message), STUN_VALID);
    return message;
}

static inline struct stun_message parse_built(const struct stun_builder *builder)
{
    size_t len = stun_builder_finish(builder);

    assert_int_not_equal(len, 0);
    return parse_valid((struct span){builder->buffer, len});
}

static inline void assert_span_equal(struct span actual, const void *expected, size_t len)
{
    assert_int_equal(actual.len, len);
    assert_memory_equal(actual.data, expected, len);
}
