// SPDX-License-Identifier: BSD-3-Clause
// bench/load/flood.h.
#include "flood.h"

#include "proto/builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct link link_of = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};

static struct flood flood;
static uint8_t frame[FLOOD_FRAME_MAX_LEN], answer[256];

static void start(enum flood_kind kind)
{
    struct flood_config config = {.kind = kind, .link = &link_of, .seed = 1};
    config.sources.first_port = 1024;
    config.sources.last_port = 65535;
    assert_int_equal(ip_prefix_parse("10.0.0.0/8", &config.sources.prefix), 0);
    assert_int_equal(transport_address_parse("192.0.2.1:3478", &config.server), 0);
    flood_init(&flood, &config);
}

static struct datagram write_one(struct stun_message *ret_request)
{
    struct datagram datagram;
    size_t len = flood_write(&flood, frame, 1000);
    assert_int_equal(frame_read(frame, len, &datagram), FRAME_UDP);
    assert_int_equal(stun_message_parse(datagram.payload, ret_request), STUN_VALID);
    assert_true(transport_address_equal(&datagram.destination, &flood.config.server));
    return datagram;
}

// An answer to the client of a request; finish_and_receive() delivers it.
static void begin(struct stun_builder *builder, const struct stun_message *request,
                  enum stun_class class)
{
    stun_builder_init(builder, answer, sizeof(answer), class, request->method,
                      request->transaction_id);
}

static bool finish_and_receive(const struct stun_builder *builder, const struct datagram *request)
{
    struct datagram datagram = {
        request->destination, request->source, {answer, stun_builder_finish(builder)}};
    struct stun_message message;
    assert_int_equal(stun_message_parse(datagram.payload, &message), STUN_VALID);
    return flood_receive(&flood, &datagram, &message, 1025);
}

static void a_binding_that_says_where_it_came_from_is_answered(void **state)
{
    (void)state;
    struct stun_message request;
    struct stun_builder builder;
    start(FLOOD_BINDING);
    struct datagram datagram = write_one(&request);
    assert_int_equal(request.method, STUN_METHOD_BINDING);
    begin(&builder, &request, STUN_CLASS_SUCCESS);
    stun_add_xor_address(&builder, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &datagram.source);
    assert_true(finish_and_receive(&builder, &datagram));
    assert_int_equal(flood.counts.answered, 1);
    assert_int_equal(histogram_quantile(&flood.ticks, 1), 25);
}

static void a_binding_that_says_something_else_is_wrong(void **state)
{
    (void)state;
    struct stun_message request;
    struct stun_builder builder;
    start(FLOOD_BINDING);
    struct datagram datagram = write_one(&request);
    begin(&builder, &request, STUN_CLASS_SUCCESS);
    stun_add_xor_address(&builder, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &datagram.destination);
    assert_true(finish_and_receive(&builder, &datagram));
    assert_int_equal(flood.counts.answered, 0);
    assert_int_equal(flood.counts.wrong, 1);
}

static void an_allocate_is_answered_by_a_challenge_alone(void **state)
{
    (void)state;
    struct stun_message request;
    struct stun_builder builder;
    start(FLOOD_ALLOCATE);
    struct datagram datagram = write_one(&request);
    assert_int_equal(request.method, STUN_METHOD_ALLOCATE);
    begin(&builder, &request, STUN_CLASS_ERROR);
    stun_add_error_code(&builder, STUN_ERROR_UNAUTHENTICATED);
    assert_true(finish_and_receive(&builder, &datagram));
    assert_int_equal(flood.counts.wrong, 1);
    stun_add_string(&builder, STUN_ATTRIBUTE_NONCE, "nonce");
    assert_true(finish_and_receive(&builder, &datagram));
    assert_int_equal(flood.counts.answered, 1);
    begin(&builder, &request, STUN_CLASS_ERROR);
    stun_add_error_code(&builder, STUN_ERROR_BAD_REQUEST);
    stun_add_string(&builder, STUN_ATTRIBUTE_NONCE, "nonce");
    assert_true(finish_and_receive(&builder, &datagram));
    assert_int_equal(flood.counts.wrong, 2);
}

static void the_answer_to_a_session_is_left_to_it(void **state)
{
    (void)state;
    struct stun_message request;
    struct stun_builder builder;
    start(FLOOD_BINDING);
    struct datagram datagram = write_one(&request);
    uint8_t id[STUN_TRANSACTION_ID_LEN] = {0, 0, 0, 5};
    request.transaction_id = id;
    begin(&builder, &request, STUN_CLASS_SUCCESS);
    assert_false(finish_and_receive(&builder, &datagram));
    assert_int_equal(flood.counts.answered + flood.counts.wrong, 0);
}

static void strangers_come_from_many_prefixes(void **state)
{
    (void)state;
    bool is_seen[256] = {false};
    unsigned count = 0;
    start(FLOOD_BINDING);
    for (unsigned i = 0; i < 200; i++) {
        struct stun_message request;
        struct datagram datagram = write_one(&request);
        assert_int_equal(datagram.source.ip.bytes[0], 10);
        count += !is_seen[datagram.source.ip.bytes[1]];
        is_seen[datagram.source.ip.bytes[1]] = true;
    }
    assert_true(count > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_binding_that_says_where_it_came_from_is_answered),
        cmocka_unit_test(a_binding_that_says_something_else_is_wrong),
        cmocka_unit_test(an_allocate_is_answered_by_a_challenge_alone),
        cmocka_unit_test(the_answer_to_a_session_is_left_to_it),
        cmocka_unit_test(strangers_come_from_many_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
