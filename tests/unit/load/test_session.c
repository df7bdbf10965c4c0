// SPDX-License-Identifier: BSD-3-Clause
// bench/load/session.h, against a relay that is played here.
#include "session.h"

#include "proto/builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HZ       1000
#define FLOWS    3
#define SENT_MAX 64
#define SETUP    (1u << STEP_ALLOCATE | 1u << STEP_PERMIT | 1u << STEP_BIND)
#define REALM    "example.org"

struct sent {
    uint32_t flow;
    size_t len;
    uint8_t bytes[TRANSACTION_REQUEST_MAX_LEN];
};

static struct flows flows;
static struct sessions sessions;
static struct sent sent[SENT_MAX];
static unsigned sent_count;

static void keep(void *context, uint32_t flow, const uint8_t *bytes, size_t len)
{
    (void)context;
    assert_in_range(sent_count, 0, SENT_MAX - 1);
    sent[sent_count].flow = flow;
    sent[sent_count].len = len;
    memcpy(sent[sent_count++].bytes, bytes, len);
}

static int start(void **state)
{
    struct endpoint_range clients = {.first_port = 1, .last_port = 9};
    struct endpoint_range peers = {.first_port = 1, .last_port = 9};
    struct transport_address server;
    struct sessions_config config = {.flows = &flows,
                                     .username = "alice",
                                     .password = "wonderland",
                                     .lifetime_s = 600,
                                     .window = 2,
                                     .hz = HZ,
                                     .seed = 1,
                                     .send = keep};
    (void)state;
    sent_count = 0;
    if (ip_prefix_parse("198.18.0.0/16", &clients.prefix) < 0 ||
        ip_prefix_parse("198.19.0.0/16", &peers.prefix) < 0 ||
        transport_address_parse("192.0.2.1:3478", &server) < 0 ||
        flows_init(&flows, FLOWS, &server, &clients, &peers) < 0)
        return -1;
    return sessions_init(&sessions, &config);
}

static int end(void **state)
{
    (void)state;
    sessions_done(&sessions);
    flows_done(&flows);
    return 0;
}

static struct stun_message parse(const struct sent *request)
{
    struct stun_message message;
    assert_int_equal(stun_message_parse((struct span){request->bytes, request->len}, &message),
                     STUN_VALID);
    return message;
}

static struct integrity_key key_of(const char *password)
{
    struct integrity_key key;
    assert_int_equal(integrity_key_derive(
                         STUN_PASSWORD_ALGORITHM_MD5, (struct span){(const uint8_t *)"alice", 5},
                         (struct span){(const uint8_t *)REALM, strlen(REALM)},
                         (struct span){(const uint8_t *)password, strlen(password)}, &key),
                     0);
    return key;
}

static void deliver_to(const struct transport_address *client, struct stun_builder *builder,
                       uint64_t now)
{
    struct stun_message message;
    size_t len = stun_builder_finish(builder);
    assert_int_equal(stun_message_parse((struct span){builder->buffer, len}, &message), STUN_VALID);
    sessions_receive(&sessions, client, &message, now);
}

static void deliver(uint32_t flow, struct stun_builder *builder, uint64_t now)
{
    struct transport_address client = flow_client(&flows, flow);
    deliver_to(&client, builder, now);
}

// error 0: success, with the integrity of the password.
static void begin_answer(struct stun_builder *builder, uint8_t buffer[512], unsigned number,
                         unsigned error)
{
    struct stun_message request = parse(&sent[number]);
    stun_builder_init(builder, buffer, 512, error ? STUN_CLASS_ERROR : STUN_CLASS_SUCCESS,
                      request.method, request.transaction_id);
}

static void refuse(unsigned number, unsigned error, const char *nonce, uint64_t now)
{
    struct stun_builder builder;
    uint8_t buffer[512];
    begin_answer(&builder, buffer, number, error);
    stun_add_error_code(&builder, error);
    if (nonce) {
        stun_add_string(&builder, STUN_ATTRIBUTE_REALM, REALM);
        stun_add_string(&builder, STUN_ATTRIBUTE_NONCE, nonce);
    }
    deliver(sent[number].flow, &builder, now);
}

static void grant_with(unsigned number, const char *password, uint64_t now)
{
    struct integrity_key key = key_of(password);
    struct transport_address relayed;
    struct stun_builder builder;
    uint8_t buffer[512];
    assert_int_equal(transport_address_parse("192.0.2.1:50000", &relayed), 0);
    begin_answer(&builder, buffer, number, 0);
    if (parse(&sent[number]).method == STUN_METHOD_ALLOCATE)
        stun_add_xor_address(&builder, STUN_ATTRIBUTE_XOR_RELAYED_ADDRESS, &relayed);
    stun_add_message_integrity(&builder, &key);
    deliver(sent[number].flow, &builder, now);
}

static void grant(unsigned number, uint64_t now)
{
    grant_with(number, "wonderland", now);
}

// As a relay would answer everything, challenges included.
static void serve_all(uint64_t now)
{
    for (unsigned i = 0; i < sent_count; i++) {
        struct stun_message request = parse(&sent[i]);
        if (request.integrity_offset == 0)
            refuse(i, STUN_ERROR_UNAUTHENTICATED, "nonce", now);
        else
            grant(i, now);
        sessions_poll(&sessions, now);
    }
    sent_count = 0;
}

static void set_up_all(void)
{
    sessions_begin(&sessions, SETUP, 0, 1);
    sessions_poll(&sessions, 1);
    serve_all(2);
    assert_true(sessions_is_over(&sessions));
}

static void a_flow_learns_its_nonce_then_allocates_permits_and_binds(void **state)
{
    (void)state;
    const uint16_t methods[] = {STUN_METHOD_ALLOCATE, STUN_METHOD_ALLOCATE,
                                STUN_METHOD_CREATE_PERMISSION, STUN_METHOD_CHANNEL_BIND};
    struct integrity_key key = key_of("wonderland");
    flows.count = 1;
    sessions_begin(&sessions, SETUP, 0, 1);
    sessions_poll(&sessions, 1);
    refuse(0, STUN_ERROR_UNAUTHENTICATED, "nonce", 2);
    for (unsigned i = 1; i < 4; i++)
        grant(i, 3);
    assert_int_equal(sent_count, 4);
    for (unsigned i = 0; i < 4; i++) {
        struct stun_message request = parse(&sent[i]);
        assert_int_equal(request.method, methods[i]);
        assert_int_equal(integrity_check_sha1(&request, &key), i > 0);
    }
    assert_true(sessions_is_over(&sessions));
    assert_int_equal(sessions.round.done, 1);
    assert_int_equal(flows.table[0].state, FLOW_READY);
    assert_int_equal(flows.table[0].relayed.port, 50000);
    assert_int_equal(sessions.counts.challenged, 1);
    assert_int_equal(sessions.response_ticks.count, 4);
    flows.count = FLOWS;
}

static void the_channel_is_bound_to_the_flows_own_peer(void **state)
{
    (void)state;
    sessions_begin(&sessions, SETUP, 0, 1);
    sessions_poll(&sessions, 1);
    for (unsigned i = 0; i < sent_count; i++) {
        struct stun_message request = parse(&sent[i]);
        struct transport_address peer, expected = flow_peer(&flows, sent[i].flow);
        uint16_t channel;
        if (request.integrity_offset == 0) {
            refuse(i, STUN_ERROR_UNAUTHENTICATED, "nonce", 2);
            sessions_poll(&sessions, 2);
            continue;
        }
        if (request.method == STUN_METHOD_CHANNEL_BIND) {
            assert_int_equal(stun_message_channel_number(&request, &channel), STUN_VALUE_OK);
            assert_int_equal(channel, flow_channel(sent[i].flow));
            assert_int_equal(
                stun_message_xor_address(&request, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer),
                STUN_VALUE_OK);
            assert_true(transport_address_equal(&peer, &expected));
        }
        grant(i, 2);
        sessions_poll(&sessions, 2);
    }
    assert_int_equal(sessions.round.done, FLOWS);
}

static void no_more_flows_are_begun_than_the_window_takes(void **state)
{
    (void)state;
    sessions_begin(&sessions, SETUP, 0, 1);
    sessions_poll(&sessions, 1);
    sessions_poll(&sessions, 1);
    assert_int_equal(sent_count, 2);
    assert_false(sessions_is_over(&sessions));
}

static void a_rate_spreads_the_beginnings(void **state)
{
    (void)state;
    sessions_begin(&sessions, SETUP, 10, 1);
    sessions_poll(&sessions, 1);
    assert_int_equal(sent_count, 0);
    sessions_poll(&sessions, 101);
    assert_int_equal(sent_count, 1);
}

static void a_request_without_answer_is_sent_again_as_it_was_and_given_up_in_the_end(void **state)
{
    (void)state;
    flows.count = 1;
    sessions_begin(&sessions, SETUP, 0, 0);
    sessions_poll(&sessions, 0);
    sessions_poll(&sessions, 499);
    assert_int_equal(sent_count, 1);
    sessions_poll(&sessions, 505);
    assert_int_equal(sent_count, 2);
    assert_int_equal(sent[1].len, sent[0].len);
    assert_memory_equal(sent[1].bytes, sent[0].bytes, sent[0].len);
    for (uint64_t now = 510; now < 60000; now += 5)
        sessions_poll(&sessions, now);
    assert_int_equal(sent_count, TRANSACTION_SENDS_MAX);
    assert_true(sessions_is_over(&sessions));
    assert_int_equal(sessions.round.failed, 1);
    assert_int_equal(sessions.counts.errors[0].code, 0);
    assert_int_equal(sessions.counts.errors[0].count, 1);
    flows.count = FLOWS;
}

static void the_answer_to_the_second_of_two_has_no_time(void **state)
{
    (void)state;
    sessions_begin(&sessions, SETUP, 0, 0);
    sessions_poll(&sessions, 0);
    sessions_poll(&sessions, 505);
    refuse(0, STUN_ERROR_UNAUTHENTICATED, "nonce", 510);
    assert_int_equal(sessions.response_ticks.count, 0);
}

static void a_stale_nonce_is_replaced(void **state)
{
    (void)state;
    struct span nonce;
    set_up_all();
    sessions_begin(&sessions, 1u << STEP_REFRESH, 0, 10);
    sessions_poll(&sessions, 10);
    refuse(0, STUN_ERROR_STALE_NONCE, "fresh", 11);
    struct stun_message again = parse(&sent[2]);
    assert_int_equal(sent[2].flow, sent[0].flow);
    assert_int_equal(stun_message_string(&again, STUN_ATTRIBUTE_NONCE, &nonce), STUN_VALUE_OK);
    assert_memory_equal(nonce.data, "fresh", 5);
    assert_int_equal(sessions.counts.stale, 1);
    grant(2, 12);
    assert_int_equal(sessions.round.done, 1);
}

static void whoever_is_refused_with_credentials_fails(void **state)
{
    (void)state;
    flows.count = 1;
    sessions_begin(&sessions, SETUP, 0, 1);
    sessions_poll(&sessions, 1);
    refuse(0, STUN_ERROR_UNAUTHENTICATED, "nonce", 2);
    refuse(1, STUN_ERROR_UNAUTHENTICATED, "nonce", 3);
    assert_int_equal(sent_count, 2);
    assert_true(sessions_is_over(&sessions));
    assert_int_equal(sessions.round.failed, 1);
    assert_int_equal(sessions.counts.errors[0].code, 401);
    assert_int_equal(flows.table[0].state, FLOW_NONE);
    flows.count = FLOWS;
}

static void nonces_that_are_always_stale_end_too(void **state)
{
    (void)state;
    flows.count = 1;
    sessions_begin(&sessions, SETUP, 0, 1);
    sessions_poll(&sessions, 1);
    for (unsigned i = 0; i < 10 && i < sent_count; i++)
        refuse(i, i ? STUN_ERROR_STALE_NONCE : STUN_ERROR_UNAUTHENTICATED, "nonce", 2);
    assert_true(sessions_is_over(&sessions));
    assert_int_equal(sessions.counts.errors[0].code, 438);
    flows.count = FLOWS;
}

static void a_success_with_wrong_integrity_is_none(void **state)
{
    (void)state;
    sessions_begin(&sessions, SETUP, 0, 1);
    sessions_poll(&sessions, 1);
    refuse(0, STUN_ERROR_UNAUTHENTICATED, "nonce", 2);
    grant_with(2, "looking-glass", 3);
    assert_int_equal(sessions.counts.discarded, 1);
    assert_int_equal(flows.table[sent[2].flow].state, FLOW_NONE);
    grant(2, 4);
    assert_int_equal(flows.table[sent[2].flow].state, FLOW_ALLOCATED);
}

static void a_response_at_another_client_is_none(void **state)
{
    (void)state;
    struct transport_address other = flow_client(&flows, FLOWS - 1);
    struct stun_builder builder;
    uint8_t buffer[512];
    sessions_begin(&sessions, SETUP, 0, 1);
    sessions_poll(&sessions, 1);
    begin_answer(&builder, buffer, 0, STUN_ERROR_SERVER_ERROR);
    stun_add_error_code(&builder, STUN_ERROR_SERVER_ERROR);
    deliver_to(&other, &builder, 2);
    assert_int_equal(sessions.counts.discarded, 1);
    assert_int_equal(sessions.round.failed, 0);
}

static void deleting_asks_for_no_lifetime_and_for_what_was_allocated_alone(void **state)
{
    (void)state;
    uint32_t lifetime = 1;
    set_up_all();
    flows.table[1].state = FLOW_NONE;
    sessions_begin(&sessions, 1u << STEP_DELETE, 0, 10);
    sessions_poll(&sessions, 10);
    assert_int_equal(sent_count, 2);
    assert_int_equal(sent[0].flow, 0);
    assert_int_equal(sent[1].flow, 2);
    struct stun_message request = parse(&sent[1]);
    assert_int_equal(request.method, STUN_METHOD_REFRESH);
    assert_int_equal(stun_message_u32(&request, STUN_ATTRIBUTE_LIFETIME, &lifetime), STUN_VALUE_OK);
    assert_int_equal(lifetime, 0);
    serve_all(11);
    assert_true(sessions_is_over(&sessions));
    assert_int_equal(flows.table[0].state + flows.table[2].state, FLOW_NONE);
}

static void what_is_gone_already_counts_as_deleted(void **state)
{
    (void)state;
    struct stun_builder builder;
    uint8_t buffer[512];
    set_up_all();
    sessions_begin(&sessions, 1u << STEP_DELETE, 0, 10);
    sessions_poll(&sessions, 10);
    uint32_t flow = sent[0].flow;
    begin_answer(&builder, buffer, 0, STUN_ERROR_ALLOCATION_MISMATCH);
    stun_add_error_code(&builder, STUN_ERROR_ALLOCATION_MISMATCH);
    struct transport_address client = flow_client(&flows, flow);
    deliver_to(&client, &builder, 11);
    assert_int_equal(sessions.round.failed, 0);
    assert_int_equal(sessions.round.done, 1);
    assert_int_equal(flows.table[flow].state, FLOW_NONE);
}

static void a_round_that_is_cut_serves_what_it_has_begun_and_no_more(void **state)
{
    (void)state;
    sessions_begin(&sessions, 1u << STEP_ALLOCATE, 0, 1);
    sessions_poll(&sessions, 1);
    sessions_cut(&sessions, 2);
    assert_false(sessions_is_over(&sessions));
    serve_all(3);
    assert_true(sessions_is_over(&sessions));
    assert_int_equal(sessions.round.done, 2);
    sessions_begin(&sessions, 1u << STEP_ALLOCATE, 1, 10);
    sessions_cut(&sessions, 11);
    assert_true(sessions_is_over(&sessions));
}

static void a_round_with_nothing_to_ask_is_over_at_once(void **state)
{
    (void)state;
    sessions_begin(&sessions, 1u << STEP_DELETE, 0, 10);
    assert_true(sessions_is_over(&sessions));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_flow_learns_its_nonce_then_allocates_permits_and_binds),
        CASE(the_channel_is_bound_to_the_flows_own_peer),
        CASE(no_more_flows_are_begun_than_the_window_takes),
        CASE(a_rate_spreads_the_beginnings),
        CASE(a_request_without_answer_is_sent_again_as_it_was_and_given_up_in_the_end),
        CASE(the_answer_to_the_second_of_two_has_no_time),
        CASE(a_stale_nonce_is_replaced),
        CASE(whoever_is_refused_with_credentials_fails),
        CASE(nonces_that_are_always_stale_end_too),
        CASE(a_success_with_wrong_integrity_is_none),
        CASE(a_response_at_another_client_is_none),
        CASE(deleting_asks_for_no_lifetime_and_for_what_was_allocated_alone),
        CASE(what_is_gone_already_counts_as_deleted),
        CASE(a_round_that_is_cut_serves_what_it_has_begun_and_no_more),
        CASE(a_round_with_nothing_to_ask_is_over_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
