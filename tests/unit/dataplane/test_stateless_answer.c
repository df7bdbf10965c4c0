// SPDX-License-Identifier: BSD-3-Clause
#include "base/clock.h"
#include "dataplane/burst.h"
#include "dataplane/worker_state.h"
#include "proto/builder.h"
#include "proto/integrity.h"
#include "proto/message.h"
#include "rig.h"

static size_t binding(uint8_t *message)
{
    struct stun_builder builder;
    stun_builder_init(&builder, message, 256, STUN_CLASS_REQUEST, STUN_METHOD_BINDING,
                      (const uint8_t *)"transactions");
    return stun_builder_finish(&builder);
}

static size_t allocate(uint8_t *message)
{
    struct stun_builder builder;
    stun_builder_init(&builder, message, 256, STUN_CLASS_REQUEST, STUN_METHOD_ALLOCATE,
                      (const uint8_t *)"transactions");
    stun_add_requested_transport(&builder, 17);
    return stun_builder_finish(&builder);
}

// With a nonce, good or forged, and a MAC that no worker can check.
static size_t refresh(const struct rig *rig, uint8_t *message, const char *client, bool forged)
{
    uint8_t nonce[NONCE_LEN];
    struct transport_address address;
    struct integrity_key key = {.len = 16};
    assert_int_equal(transport_address_parse(client, &address), 0);
    nonce_mint(&rig->plane->config.stateless.nonce, &address,
               (uint32_t)(clock_monotonic_ms() / 1000), 1, nonce);
    if (forged)
        nonce[NONCE_LEN - 1] ^= 1;
    struct stun_builder builder;
    stun_builder_init(&builder, message, 256, STUN_CLASS_REQUEST, STUN_METHOD_REFRESH,
                      (const uint8_t *)"transactions");
    stun_add_string(&builder, STUN_ATTRIBUTE_USERNAME, "user");
    stun_add_string(&builder, STUN_ATTRIBUTE_REALM, "example.org");
    stun_add_bytes(&builder, STUN_ATTRIBUTE_NONCE, nonce, sizeof(nonce));
    stun_add_message_integrity(&builder, &key);
    return stun_builder_finish(&builder);
}

static void receive(struct rig *rig, const char *client, const uint8_t *message, size_t len)
{
    struct wire wire = {.source = client, .payload = message, .len = len, .ttl = 1};
    wire.destination = client[0] == '[' ? LISTENER_V6 : LISTENER_V4;
    rig_process_wire(rig, 0, &wire);
}

// The answer goes back to the MAC address that the request came from.
static void read_seen(const struct wire_seen *seen, const char *client,
                      struct stun_message *ret_message)
{
    static const uint8_t asker[6] = {2, 0, 0, 0, 0xAA, 0xAA};
    static const uint8_t asked[6] = {2, 0, 0, 0, 0xFF, 0};
    assert_string_equal(seen->source, client[0] == '[' ? LISTENER_V6 : LISTENER_V4);
    assert_string_equal(seen->destination, client);
    assert_memory_equal(seen->destination_mac, asker, 6);
    assert_memory_equal(seen->source_mac, asked, 6);
    assert_int_equal(seen->ttl, 64);
    struct span bytes = {seen->payload, seen->len};
    assert_int_equal(stun_message_parse(bytes, ret_message), STUN_VALID);
    assert_memory_equal(ret_message->transaction_id, "transactions", 12);
}

// The only answer.
static void read_answer(struct rig *rig, const char *client, struct stun_message *ret_message)
{
    struct wire_seen seen;
    rig_sent_wire(rig, 0, &seen);
    read_seen(&seen, client, ret_message);
}

static void assert_error(struct rig *rig, const char *client, unsigned wanted)
{
    struct stun_message answer;
    unsigned error;
    struct span reason;
    read_answer(rig, client, &answer);
    assert_int_equal(answer.message_class, STUN_CLASS_ERROR);
    assert_int_equal(stun_message_error_code(&answer, &error, &reason), STUN_VALUE_OK);
    assert_int_equal(error, wanted);
}

static void tells_the_address_that_a_binding_request_came_from(void **state)
{
    static const char *const clients[] = {CLIENT_V4, CLIENT_V6};
    for (unsigned i = 0; i < 2; i++) {
        uint8_t message[256];
        struct stun_message answer;
        struct transport_address mapped;
        char text[TRANSPORT_ADDRESS_TEXT_LEN];
        receive(*state, clients[i], message, binding(message));
        read_answer(*state, clients[i], &answer);
        assert_int_equal(answer.message_class, STUN_CLASS_SUCCESS);
        assert_int_equal(
            stun_message_xor_address(&answer, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &mapped),
            STUN_VALUE_OK);
        assert_string_equal(transport_address_format(&mapped, text), clients[i]);
    }
    assert_int_equal(rig_counter(*state, COUNTER_BINDING), 2);
}

static void challenges_who_shows_no_credentials(void **state)
{
    uint8_t message[256];
    receive(*state, CLIENT_V4, message, allocate(message));
    assert_error(*state, CLIENT_V4, 401);
    assert_int_equal(rig_counter(*state, COUNTER_UNAUTHENTICATED), 1);
}

// What comes in two buffers goes the long way.
static void the_short_way_and_the_long_way_give_the_same_answer(void **state)
{
    struct rig *rig = *state;
    static uint8_t first[RIG_FRAME_MAX], second[RIG_FRAME_MAX];
    for (unsigned i = 0; i < 64; i++) {
        uint8_t message[256];
        struct stun_builder builder;
        stun_builder_init(&builder, message, sizeof(message), STUN_CLASS_REQUEST,
                          STUN_METHOD_BINDING, (const uint8_t *)"transactions");
        if (i % 4 == 1)
            stun_add_flag(&builder, 0x4001); // 420
        if (i % 2 == 0)
            stun_add_fingerprint(&builder);
        const struct wire wire = {.source = CLIENT_V4,
                                  .destination = LISTENER_V4,
                                  .payload = message,
                                  .len = stun_builder_finish(&builder),
                                  .ttl = (uint8_t)(2 + i),
                                  .traffic_class = (uint8_t)(i * 5),
                                  .dont_fragment = i % 3 == 0};
        size_t lens[2];
        for (unsigned way = 0; way < 2; way++) {
            struct rte_mbuf *frame = rig_frame(&wire, way == 1);
            rig->transmit_commands++;
            burst_process(rig->workers[0], &frame, 1, false);
            rig_poll(rig);
            lens[way] = rig_sent(rig, 0, way == 0 ? first : second);
        }
        assert_in_range(lens[0], 42 + 32, 42 + 128);
        assert_int_equal(lens[0], lens[1]);
        assert_memory_equal(first, second, lens[0]);
    }
    assert_int_equal(rig_counter(rig, COUNTER_BINDING), 2 * 48);
    assert_int_equal(rig_counter(rig, COUNTER_UNKNOWN_ATTRIBUTE), 2 * 16);
}

static size_t request_of(unsigned i, uint8_t *message)
{
    struct stun_builder builder;
    stun_builder_init(
        &builder, message, 256, i % 5 == 4 ? STUN_CLASS_INDICATION : STUN_CLASS_REQUEST,
        i % 2 == 0 ? STUN_METHOD_BINDING : STUN_METHOD_ALLOCATE, (const uint8_t *)"transactions");
    if (i % 3 == 0)
        stun_add_fingerprint(&builder);
    return stun_builder_finish(&builder);
}

static void assert_nonce_is_of(const struct rig *rig, const char *client,
                               const struct stun_message *answer)
{
    struct transport_address address;
    struct span nonce;
    assert_int_equal(transport_address_parse(client, &address), 0);
    assert_int_equal(stun_message_string(answer, STUN_ATTRIBUTE_NONCE, &nonce), STUN_VALUE_OK);
    assert_int_equal(nonce_verify(&rig->plane->config.stateless.nonce, &address,
                                  (uint32_t)(clock_monotonic_ms() / 1000), nonce),
                     NONCE_VALID);
}

// With a FINGERPRINT who sent one, nothing who sent an indication, and a nonce of one's own. first:
// which request the burst begins with.
static void answer_a_burst(struct rig *rig, unsigned first)
{
    char client[TRANSPORT_ADDRESS_TEXT_LEN];
    for (unsigned i = first; i < first + WORKER_BURST; i++) {
        uint8_t message[256];
        struct wire wire = {.source = client, .destination = LISTENER_V4, .payload = message};
        snprintf(client, sizeof(client), "192.0.2.7:%u", 1000 + i);
        wire.len = request_of(i, message);
        wire.ttl = 64;
        rig_receive_wire(rig, 0, &wire);
    }
    rig_poll(rig);
    for (unsigned i = first; i < first + WORKER_BURST; i++) {
        static uint8_t frame[RIG_FRAME_MAX];
        struct wire_seen seen;
        struct stun_message answer;
        if (i % 5 == 4)
            continue;
        snprintf(client, sizeof(client), "192.0.2.7:%u", 1000 + i);
        wire_read(frame, rig_sent(rig, 0, frame), &seen);
        read_seen(&seen, client, &answer);
        assert_int_equal(answer.has_fingerprint, i % 3 == 0);
        assert_int_equal(answer.method, i % 2 == 0 ? STUN_METHOD_BINDING : STUN_METHOD_ALLOCATE);
        assert_int_equal(answer.message_class, i % 2 == 0 ? STUN_CLASS_SUCCESS : STUN_CLASS_ERROR);
        if (i % 2 == 1)
            assert_nonce_is_of(rig, client, &answer);
    }
    rig_sent_nothing(rig);
}

static void answers_each_of_a_burst_as_it_asked(void **state)
{
    answer_a_burst(*state, 0); // a Binding
    answer_a_burst(*state, 1); // an Allocate
}

static void challenges_a_forged_nonce_anew(void **state)
{
    uint8_t message[256];
    receive(*state, CLIENT_V4, message, refresh(*state, message, CLIENT_V4, true));
    assert_error(*state, CLIENT_V4, 438);
    assert_int_equal(rig_counter(*state, COUNTER_STALE_NONCE), 1);
}

static void challenges_a_nonce_of_another_client(void **state)
{
    uint8_t message[256];
    receive(*state, CLIENT_V4, message, refresh(*state, message, "192.0.2.7:40001", false));
    assert_error(*state, CLIENT_V4, 438);
}

static void a_new_policy_is_in_force_at_once(void **state)
{
    struct rig *rig = *state;
    uint8_t message[256];
    struct stateless_policy policy = rig->plane->config.stateless;
    size_t len = refresh(rig, message, CLIENT_V4, false);
    policy.nonce.current.mac.k[0] ^= 1;
    policy.nonce.current.id++;
    policy.nonce.previous = policy.nonce.current;
    struct command command;
    memset(&command, 0, sizeof(command));
    command.kind = COMMAND_SET_STATELESS;
    command.set_stateless.policy = &policy;
    assert_true(plane_policies_are_applied(rig->plane, 0));
    rig_command(rig, 0, &command);
    rig_poll(rig);
    assert_true(plane_policies_are_applied(rig->plane, 1));
    memset(&policy, 0, sizeof(policy)); // it was copied
    receive(rig, CLIENT_V4, message, len);
    assert_error(rig, CLIENT_V4, 438);
}

static void never_answers_responses_and_foreign_indications(void **state)
{
    struct rig *rig = *state;
    uint8_t message[256];
    static const enum stun_class classes[] = {STUN_CLASS_INDICATION, STUN_CLASS_SUCCESS,
                                              STUN_CLASS_ERROR};
    for (unsigned i = 0; i < 3; i++) {
        struct stun_builder builder;
        stun_builder_init(&builder, message, sizeof(message), classes[i], STUN_METHOD_BINDING,
                          (const uint8_t *)"transactions");
        receive(rig, CLIENT_V4, message, stun_builder_finish(&builder));
    }
    rig_sent_nothing(rig);
    assert_int_equal(rig_drops(rig, DROP_IGNORED_STUN), 3);
}

static void drops_what_is_no_stun_message(void **state)
{
    struct rig *rig = *state;
    uint8_t message[256];
    size_t len = allocate(message);
    for (size_t cut = 1; cut < len; cut++)
        receive(rig, CLIENT_V4, message, cut);
    message[4] ^= 1; // cookie
    receive(rig, CLIENT_V4, message, len);
    rig_sent_nothing(rig);
    assert_int_equal(rig_drops(rig, DROP_BAD_STUN), len);
}

static void drops_a_damaged_request(void **state)
{
    struct rig *rig = *state;
    uint8_t message[256], frame[512];
    struct wire wire = {.source = CLIENT_V4, .destination = LISTENER_V4, .payload = message};
    wire.len = binding(message);
    size_t len = wire_write(&wire, frame);
    frame[len - 1] ^= 1;
    rig_receive(rig, 0, frame, len);
    wire.source = CLIENT_V6;
    wire.destination = LISTENER_V6;
    len = wire_write(&wire, frame);
    frame[len - 1] ^= 1;
    rig_receive(rig, 0, frame, len);
    rig_poll(rig);
    rig_sent_nothing(rig);
    assert_int_equal(rig_drops(rig, DROP_BAD_CHECKSUM), 2);
}

static void believes_a_request_without_checksum(void **state)
{
    uint8_t message[256];
    struct wire_seen seen;
    struct wire wire = {
        .source = CLIENT_V4, .destination = LISTENER_V4, .payload = message, .no_checksum = true};
    wire.len = binding(message);
    rig_process_wire(*state, 0, &wire);
    rig_sent_wire(*state, 0, &seen);
    assert_int_not_equal(seen.checksum, 0);
}

static int set_up_limited(void **state)
{
    struct plane_config config;
    rig_config(&config, 1);
    config.rate_limit.answers_per_second = 1;
    config.rate_limit.burst = 3;
    *state = rig_create(&config);
    return 0;
}

static unsigned answers(struct rig *rig, const char *client, const uint8_t *message, size_t len,
                        unsigned count)
{
    static uint8_t frame[RIG_FRAME_MAX];
    unsigned answered = 0;
    for (unsigned i = 0; i < count; i++)
        receive(rig, client, message, len);
    while (rig_sent(rig, 0, frame) > 0)
        answered++;
    return answered;
}

// They get no answer, so none is taken from those who do.
static void indications_use_up_no_answers(void **state)
{
    struct rig *rig = *state;
    uint8_t message[256];
    size_t len = binding(message);
    message[1] |= 0x10; // a Binding indication
    assert_int_equal(answers(rig, "192.0.2.7:1", message, len, 5), 0);
    assert_int_equal(answers(rig, "192.0.2.7:1", message, binding(message), 5), 3);
}

static void one_prefix_gets_no_more_than_its_share(void **state)
{
    struct rig *rig = *state;
    uint8_t message[256];
    assert_int_equal(answers(rig, "192.0.2.7:1", message, binding(message), 2), 2);
    assert_int_equal(answers(rig, "192.0.2.250:1", message, allocate(message), 5), 1);
    assert_int_equal(rig_drops(rig, DROP_RATE_LIMITED), 4);
    assert_int_equal(answers(rig, "192.0.3.7:1", message, binding(message), 5), 3);
    assert_int_equal(answers(rig, "[2001:db8:c:10::7]:1", message, binding(message), 2), 2);
    assert_int_equal(answers(rig, "[2001:db8:c:1f::7]:1", message, binding(message), 2), 1);
    assert_int_equal(answers(rig, "[2001:db8:c:110::7]:1", message, binding(message), 2), 2);
}

static void forged_nonces_are_limited_and_good_ones_are_not(void **state)
{
    struct rig *rig = *state;
    uint8_t message[256];
    assert_int_equal(answers(rig, CLIENT_V4, message, refresh(rig, message, CLIENT_V4, true), 5),
                     3);
    assert_int_equal(answers(rig, CLIENT_V4, message, refresh(rig, message, CLIENT_V4, false), 5),
                     0);
    assert_int_equal(rig_counter(rig, COUNTER_PUNTED), 5);
}

static int set_up_two_listeners(void **state)
{
    struct plane_config config;
    rig_config(&config, 1);
    assert_int_equal(transport_address_parse("203.0.113.1:3479", &config.listeners[2]), 0);
    config.listener_count = 3;
    *state = rig_create(&config);
    return 0;
}

// What is found for one of a burst is not another's.
static void each_of_a_burst_is_for_its_own_listener(void **state)
{
    struct rig *rig = *state;
    static const struct {
        const char *destination;
        int listener; // negative: nobody's
    } requests[] = {
        {LISTENER_V4, RIG_LISTENER_V4}, {"203.0.113.1:3479", 2},        {"203.0.113.1:3480", -1},
        {"203.0.113.1:3479", 2},        {LISTENER_V4, RIG_LISTENER_V4}, {"203.0.113.9:3478", -1},
        {LISTENER_V4, RIG_LISTENER_V4},
    };
    uint8_t message[256];
    struct wire wire = {.source = CLIENT_V4, .payload = message};
    wire.len = refresh(rig, message, CLIENT_V4, false);
    for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        wire.destination = requests[i].destination;
        rig_receive_wire(rig, 0, &wire);
    }
    rig_poll(rig);
    for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct punt punt;
        if (requests[i].listener < 0)
            continue;
        assert_int_equal(plane_punt_receive(rig->plane, 0, &punt, 1), 1);
        assert_int_equal(punt.message.client.listener, requests[i].listener);
        punt_discard(&punt);
    }
    assert_int_equal(rig_counter(rig, COUNTER_PUNTED), 5);
}

int main(void)
{
#define TEST(test)    cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
#define LIMITED(test) cmocka_unit_test_setup_teardown(test, set_up_limited, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(tells_the_address_that_a_binding_request_came_from),
        TEST(challenges_who_shows_no_credentials),
        TEST(the_short_way_and_the_long_way_give_the_same_answer),
        TEST(answers_each_of_a_burst_as_it_asked),
        TEST(challenges_a_forged_nonce_anew),
        TEST(challenges_a_nonce_of_another_client),
        TEST(a_new_policy_is_in_force_at_once),
        TEST(never_answers_responses_and_foreign_indications),
        TEST(drops_what_is_no_stun_message),
        TEST(drops_a_damaged_request),
        TEST(believes_a_request_without_checksum),
        LIMITED(indications_use_up_no_answers),
        LIMITED(one_prefix_gets_no_more_than_its_share),
        LIMITED(forged_nonces_are_limited_and_good_ones_are_not),
        cmocka_unit_test_setup_teardown(each_of_a_burst_is_for_its_own_listener,
                                        set_up_two_listeners, rig_tear_down),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
