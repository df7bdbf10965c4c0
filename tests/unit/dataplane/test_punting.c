// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/punting.h"

#include "base/clock.h"
#include "proto/builder.h"
#include "proto/integrity.h"
#include "proto/message.h"
#include "rig.h"

#define PUNT_ROOM 15 // of the rig's punt ring

static size_t request(const struct rig *rig, uint8_t *message, const char *client,
                      enum stun_method method)
{
    uint8_t nonce[NONCE_LEN];
    struct transport_address address;
    struct integrity_key key = {.len = 16};
    assert_int_equal(transport_address_parse(client, &address), 0);
    nonce_mint(&rig->plane->config.stateless.nonce, &address,
               (uint32_t)(clock_monotonic_ms() / 1000), 1, nonce);
    struct stun_builder builder;
    stun_builder_init(&builder, message, 256, STUN_CLASS_REQUEST, (uint16_t)method,
                      (const uint8_t *)"transactions");
    stun_add_string(&builder, STUN_ATTRIBUTE_USERNAME, "user");
    stun_add_string(&builder, STUN_ATTRIBUTE_REALM, "example.org");
    stun_add_bytes(&builder, STUN_ATTRIBUTE_NONCE, nonce, sizeof(nonce));
    stun_add_message_integrity(&builder, &key);
    return stun_builder_finish(&builder);
}

static size_t receive(struct rig *rig, const char *client, enum stun_method method)
{
    uint8_t message[256];
    struct wire wire = {.source = client, .payload = message};
    wire.destination = client[0] == '[' ? LISTENER_V6 : LISTENER_V4;
    wire.len = request(rig, message, client, method);
    rig_process_wire(rig, 0, &wire);
    return wire.len;
}

static void a_request_arrives_in_its_frame_with_its_client(void **state)
{
    struct rig *rig = *state;
    static const char *const clients[] = {CLIENT_V4, CLIENT_V6};
    for (unsigned i = 0; i < 2; i++) {
        struct punt punt;
        char text[TRANSPORT_ADDRESS_TEXT_LEN];
        size_t len = receive(rig, clients[i], STUN_METHOD_ALLOCATE);
        assert_int_equal(plane_punt_receive(rig->plane, 0, &punt, 1), 1);
        assert_int_equal(punt.kind, PUNT_MESSAGE);
        assert_int_equal(punt.worker, 0);
        assert_int_equal(punt.message.client.listener, i == 0 ? RIG_LISTENER_V4 : RIG_LISTENER_V6);
        assert_string_equal(transport_address_format(&punt.message.client.address, text),
                            clients[i]);
        assert_int_equal(punt.message.message_offset, i == 0 ? 42 : 62);
        assert_int_equal(punt.message.message_len, len);
        assert_int_equal(rte_pktmbuf_pkt_len(punt.message.frame),
                         punt.message.message_offset + len);
        struct span bytes = {rte_pktmbuf_mtod_offset(punt.message.frame, const uint8_t *,
                                                     punt.message.message_offset),
                             len};
        struct stun_message message;
        assert_int_equal(stun_message_parse(bytes, &message), STUN_VALID);
        assert_int_equal(message.method, STUN_METHOD_ALLOCATE);
        rte_pktmbuf_free(punt.message.frame);
    }
    assert_int_equal(rig_counter(rig, COUNTER_PUNTED), 2);
}

// Who has an allocation keeps it before others get one.
static void allocate_goes_up_to_half_the_ring_and_the_rest_to_the_end(void **state)
{
    struct rig *rig = *state;
    for (unsigned i = 0; i < PUNT_ROOM; i++)
        receive(rig, CLIENT_V4, STUN_METHOD_ALLOCATE);
    assert_int_equal(rig_counter(rig, COUNTER_PUNTED), 8);
    assert_int_equal(rig_drops(rig, DROP_PUNT_FULL), PUNT_ROOM - 8);
    receive(rig, CLIENT_V4, STUN_METHOD_REFRESH);
    receive(rig, CLIENT_V4, STUN_METHOD_CHANNEL_BIND);
    receive(rig, CLIENT_V4, STUN_METHOD_CREATE_PERMISSION);
    assert_int_equal(rig_counter(rig, COUNTER_PUNTED), 11);
    for (unsigned i = 0; i < 10; i++)
        receive(rig, CLIENT_V4, STUN_METHOD_REFRESH);
    assert_int_equal(rig_counter(rig, COUNTER_PUNTED), PUNT_ROOM);
    assert_int_equal(rig_drops(rig, DROP_PUNT_FULL), PUNT_ROOM - 8 + 6);
    rig_sent_nothing(rig);
}

static void take_all(struct rig *rig, unsigned *ret_messages, uint32_t *ret_removed,
                     unsigned *ret_removed_count)
{
    struct punt punt;
    *ret_messages = 0;
    while (plane_punt_receive(rig->plane, 0, &punt, 1) == 1) {
        if (punt.kind == PUNT_MESSAGE) {
            (*ret_messages)++;
            rte_pktmbuf_free(punt.message.frame);
        } else {
            ret_removed[(*ret_removed_count)++] = punt.allocation;
        }
    }
}

static void reports_wait_for_room_and_are_never_lost(void **state)
{
    struct rig *rig = *state;
    static const char *const clients[] = {"192.0.2.7:1", "192.0.2.7:2", "192.0.2.7:3",
                                          "192.0.2.7:4"};
    for (uint32_t id = 0; id < 4; id++)
        rig_allocation(rig, 0, id, clients[id], (uint16_t)(50001 + id), 0);
    for (unsigned i = 0; i < PUNT_ROOM - 1; i++)
        receive(rig, CLIENT_V4, STUN_METHOD_REFRESH);
    rig_remove(rig, 0, 62); // never were
    rig_remove(rig, 0, 63);
    for (uint32_t id = 0; id < 4; id++)
        rig_remove(rig, 0, id);
    rig_poll(rig);
    // The control plane may wait for room in the other ring meanwhile: both wait for nothing.
    assert_int_equal(plane_command_room(rig->plane, 0), rig->plane->config.command_ring_len - 1);
    struct worker_usage usage;
    worker_get_usage(rig->workers[0], &usage);
    assert_int_equal(usage.allocations, 5); // not free before the control plane knows
    unsigned messages, removed_count = 0;
    uint32_t removed[8];
    take_all(rig, &messages, removed, &removed_count);
    assert_int_equal(messages, PUNT_ROOM - 1);
    assert_int_equal(removed_count, 1);
    rig_poll(rig);
    take_all(rig, &messages, removed, &removed_count);
    assert_int_equal(removed_count, 6);
    bool seen[64] = {false};
    for (unsigned i = 0; i < 6; i++) {
        assert_false(seen[removed[i]]);
        seen[removed[i]] = true;
    }
    assert_true(seen[0] && seen[1] && seen[2] && seen[3] && seen[62] && seen[63]);
    worker_get_usage(rig->workers[0], &usage);
    assert_int_equal(usage.allocations, 0);
}

// Ports and ids that are not given back run out, whoever floods us with requests.
static void requests_do_not_hold_up_reports(void **state)
{
    struct rig *rig = *state;
    struct punt punt;
    rig_allocation(rig, 0, 1, "192.0.2.7:1", 50001, 0);
    rig_allocation(rig, 0, 2, "192.0.2.7:2", 50002, 0);
    for (unsigned i = 0; i < PUNT_ROOM; i++)
        receive(rig, CLIENT_V4, STUN_METHOD_REFRESH);
    rig_remove(rig, 0, 1);
    rig_remove(rig, 0, 2);
    rig_poll(rig);
    for (unsigned i = 0; i < PUNT_ROOM; i++) {
        uint8_t message[256];
        struct wire wire = {.source = CLIENT_V4, .destination = LISTENER_V4, .payload = message};
        wire.len = request(rig, message, CLIENT_V4, STUN_METHOD_REFRESH);
        assert_int_equal(plane_punt_receive(rig->plane, 0, &punt, 1), 1);
        assert_int_equal(punt.kind, PUNT_MESSAGE);
        rte_pktmbuf_free(punt.message.frame);
        rig_process_wire(rig, 0, &wire);
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(plane_punt_receive(rig->plane, 0, &punt, 1), 1);
        assert_int_equal(punt.kind, PUNT_REMOVED);
    }
    assert_int_equal(rig_drops(rig, DROP_PUNT_FULL), 2);
}

// Room that comes up in the middle of a poll is theirs too.
static void no_request_overtakes_a_waiting_report(void **state)
{
    struct rig *rig = *state;
    struct punt punt;
    rig_allocation(rig, 0, 1, "192.0.2.7:1", 50001, 0);
    for (unsigned i = 0; i < PUNT_ROOM; i++)
        receive(rig, CLIENT_V4, STUN_METHOD_REFRESH);
    rig_remove(rig, 0, 1);
    rig_poll(rig);
    assert_int_equal(plane_punt_receive(rig->plane, 0, &punt, 1), 1);
    struct packet packet;
    memset(&packet, 0, sizeof(packet));
    packet.mbuf = punt.message.frame;
    packet.l4 = rte_pktmbuf_mtod_offset(packet.mbuf, uint8_t *, punt.message.message_offset - 8);
    rig->transmit_commands++; // one more to account for
    punt_message(rig->workers[0], &packet, &punt.message.client.address, STUN_METHOD_REFRESH,
                 punt.message.message_len);
    rig_dropped_once(rig, DROP_PUNT_FULL);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_request_arrives_in_its_frame_with_its_client),
        TEST(allocate_goes_up_to_half_the_ring_and_the_rest_to_the_end),
        TEST(reports_wait_for_room_and_are_never_lost),
        TEST(requests_do_not_hold_up_reports),
        TEST(no_request_overtakes_a_waiting_report),
    };
    return cmocka_run_group_tests(tests, rig_group_set_up, NULL);
}
