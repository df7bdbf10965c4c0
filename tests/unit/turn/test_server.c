// SPDX-License-Identifier: BSD-3-Clause
// turn/server.h: what is common to all methods, and what comes from elsewhere than a request.
#include "turn_fixture.h"

#include <errno.h>

static void answers_binding_without_credentials(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct request request;
    struct transport_address mapped;
    request_begin(fixture, &request, STUN_METHOD_BINDING);
    struct turn_packet packet = {
        .five_tuple = client.five_tuple,
        .bytes = {.data = request.buffer, .len = stun_builder_finish(&request.builder)},
    };
    turn_server_receive(fixture->server, &fixture->now, &packet, &fixture->output);
    assert_int_equal(stun_message_parse((struct span){.data = fixture->output.response,
                                                      .len = fixture->output.response_len},
                                        &fixture->response),
                     STUN_VALID);
    assert_int_equal(fixture->response.message_class, STUN_CLASS_SUCCESS);
    assert_int_equal(
        stun_message_xor_address(&fixture->response, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &mapped),
        STUN_VALUE_OK);
    assert_true(transport_address_equal(&mapped, &client.five_tuple.client));
    assert_int_equal(fixture->output.request_method, STUN_METHOD_BINDING);
}

static void answers_nothing_that_is_no_request(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        enum stun_class message_class;
        uint16_t method;
    } silent[] = {
        {STUN_CLASS_SUCCESS, STUN_METHOD_ALLOCATE},
        {STUN_CLASS_ERROR, STUN_METHOD_REFRESH},
        {STUN_CLASS_INDICATION, STUN_METHOD_SEND},
        {STUN_CLASS_INDICATION, STUN_METHOD_BINDING},
        {STUN_CLASS_REQUEST, STUN_METHOD_DATA},
        {STUN_CLASS_REQUEST, STUN_METHOD_CONNECTION_ATTEMPT},
    };
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        struct request request;
        stun_builder_init(&request.builder, request.buffer, sizeof(request.buffer),
                          silent[i].message_class, silent[i].method,
                          (const uint8_t *)"transaction!");
        struct turn_packet packet = {
            .five_tuple = client_make(1000).five_tuple,
            .bytes = {.data = request.buffer, .len = stun_builder_finish(&request.builder)},
        };
        turn_server_receive(fixture->server, &fixture->now, &packet, &fixture->output);
        assert_int_equal(fixture->output.response_len, 0);
        assert_int_equal(fixture->output.command_count, 0);
    }
    struct turn_packet noise = {.five_tuple = client_make(1000).five_tuple,
                                .bytes = text_span("noise")};
    turn_server_receive(fixture->server, &fixture->now, &noise, &fixture->output);
    assert_int_equal(fixture->output.response_len, 0);
}

static void steering_follows_a_client_whose_queue_moved(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_allocate(fixture, &client), 0);
    uint32_t id = fixture->output.commands[0].allocation;
    uint16_t port = fixture->output.commands[0].allocation_info.relayed_v4.port;
    client.worker = 1;
    assert_int_equal(client_refresh(fixture, &client, 600), 0);
    assert_int_equal(fixture->output.command_count, 1);
    const struct turn_command *command = &fixture->output.commands[0];
    assert_int_equal(command->kind, TURN_COMMAND_INSTALL_ALLOCATION);
    assert_int_equal(command->allocation, id);
    assert_int_equal(command->worker, 0);
    assert_int_equal(command->allocation_info.received_by, 1);
    assert_int_equal(command->allocation_info.relayed_v4.port, port);
    assert_int_equal(client_refresh(fixture, &client, 600), 0);
    assert_int_equal(fixture->output.command_count, 0);
    // Also when the request itself is refused, but not for somebody else's.
    client.worker = 0;
    assert_int_equal(client_permit(fixture, &client, "10.0.0.1"), 403);
    assert_int_equal(fixture->output.command_count, 1);
    struct client intruder = client;
    intruder.username = "bob";
    intruder.password = "builder";
    intruder.worker = 1;
    assert_int_equal(client_refresh(fixture, &intruder, 600), 441);
    assert_int_equal(fixture->output.command_count, 0);
}

static void a_disconnected_client_loses_its_allocation(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    client.five_tuple.transport = FIVE_TUPLE_TCP;
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:5000"), 0);
    struct client udp = client_make(1000);
    turn_server_disconnected(fixture->server, &fixture->now, &udp.five_tuple, &fixture->output);
    assert_int_equal(fixture->output.command_count, 0);
    turn_server_disconnected(fixture->server, &fixture->now, &client.five_tuple, &fixture->output);
    assert_int_equal(fixture->output.command_count, 1);
    assert_int_equal(fixture->output.commands[0].kind, TURN_COMMAND_REMOVE_ALLOCATION);
    fixture_acknowledge(fixture);
    assert_all_released(fixture);
}

static void an_unrefreshed_allocation_expires_to_the_second_with_all_it_has(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    fixture->now.monotonic_ms += 250;
    uint64_t start_ms = fixture->now.monotonic_ms;
    assert_int_equal(client_allocate(fixture, &client), 0);
    fixture_advance_ms(fixture, 500 * 1000);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:5000"), 0);
    uint64_t due_ms = turn_server_next_expiry_ms(fixture->server);
    assert_in_range(due_ms, start_ms + 600000, start_ms + 600999);
    fixture->now.monotonic_ms = due_ms - 1;
    assert_false(turn_server_expire(fixture->server, &fixture->now, &fixture->output));
    assert_int_equal(fixture->output.command_count, 0);
    fixture->now.monotonic_ms = due_ms;
    assert_false(turn_server_expire(fixture->server, &fixture->now, &fixture->output));
    assert_int_equal(fixture->output.command_count, 1); // permission and channel go with it
    assert_int_equal(fixture->output.commands[0].kind, TURN_COMMAND_REMOVE_ALLOCATION);
    fixture_acknowledge(fixture);
    assert_all_released(fixture);
}

static void expiry_goes_on_where_the_output_was_full(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    unsigned calls = 0;
    unsigned commands = 0;
    bool more = true;
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_refresh(fixture, &client, 3600), 0);
    for (unsigned request_count = 0; request_count < 2; request_count++) {
        struct request request;
        request_begin(fixture, &request, STUN_METHOD_CREATE_PERMISSION);
        for (unsigned i = 0; i < 100; i++) {
            struct transport_address peer = {.ip = ip("8.8.8.8")};
            peer.ip.bytes[2] = (uint8_t)request_count;
            peer.ip.bytes[3] = (uint8_t)i;
            stun_add_xor_address(&request.builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer);
        }
        assert_int_equal(client_send(fixture, &client, &request), 0);
    }
    fixture->now.monotonic_ms += 300 * 1000;
    for (; more; calls++) {
        more = turn_server_expire(fixture->server, &fixture->now, &fixture->output);
        commands += fixture->output.command_count;
    }
    assert_int_equal(commands, 200);
    assert_int_equal(calls, 2);
    assert_int_equal(fixture_usage(fixture).permissions, 0);
}

static void acknowledgements_that_nobody_awaits_change_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    assert_int_equal(client_allocate_dual(fixture, &client), 0);
    struct turn_command installed = fixture->output.commands[0];
    struct turn_usage before = fixture_usage(fixture);
    struct turn_relayed_address v4 = installed.allocation_info.relayed_v4;
    turn_server_removed(fixture->server, &fixture->now, installed.allocation, NULL);
    turn_server_removed(fixture->server, &fixture->now, installed.allocation, &v4);
    turn_server_removed(fixture->server, &fixture->now, 99, NULL);
    turn_server_removed(fixture->server, &fixture->now, 50000000, NULL);
    turn_server_removed(fixture->server, &fixture->now, UINT32_MAX, NULL);
    struct turn_usage after = fixture_usage(fixture);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(client_refresh(fixture, &client, 0), 0);
    turn_server_removed(fixture->server, &fixture->now, installed.allocation, NULL);
    turn_server_removed(fixture->server, &fixture->now, installed.allocation, NULL);
    assert_all_released(fixture);
}

static void new_nonce_keys_make_old_nonces_stale(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct stateless_policy renewed = fixture->config.stateless;
    renewed.nonce.current = (struct nonce_key){.mac = {{3, 4}}, .id = 2};
    renewed.nonce.previous = renewed.nonce.current;
    turn_server_set_stateless(fixture->server, &renewed);
    assert_int_equal(client_allocate(fixture, &client), 438);
    fixture->config.stateless = renewed;
    assert_int_equal(client_allocate(fixture, &client), 0);
}

static void a_stricter_peer_policy_revokes_what_it_denies(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct peer_policy *stricter;
    struct ip_prefix deny = prefix("8.8.8.0/24");
    uint64_t cursor = 0;
    unsigned count = 0;
    bool more = true;
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.8.8:5000"), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4001, "8.8.4.4:5000"), 0);
    assert_int_equal(peer_policy_create(NULL, 0, &deny, 1, &stricter), 0);
    turn_server_set_access(fixture->server, fixture->credentials, stricter);
    while (more) {
        more = turn_server_revoke(fixture->server, &cursor, &fixture->output);
        for (unsigned i = 0; i < fixture->output.command_count; i++, count++) {
            assert_int_equal(fixture->output.commands[i].kind, count == 0
                                                                   ? TURN_COMMAND_REMOVE_PERMISSION
                                                                   : TURN_COMMAND_REMOVE_CHANNEL);
        }
    }
    assert_int_equal(count, 2);
    assert_int_equal(fixture_usage(fixture).permissions, 1);
    assert_int_equal(fixture_usage(fixture).channels, 1);
    assert_int_equal(client_permit(fixture, &client, "8.8.8.8"), 403);
    assert_int_equal(client_permit(fixture, &client, "8.8.4.4"), 0);
    peer_policy_destroy(stricter);
}

// The relay's ports have become fewer: a channel to one that is none any more goes, while the
// permission, which has no port, stays.
static void a_channel_is_revoked_by_its_port(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct ip_address relay = ip("203.0.113.1");
    struct peer_policy *fewer;
    uint64_t cursor = 0;
    assert_int_equal(peer_policy_add_relay(fixture->policy, &relay, 49152, 65535), 0);
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "203.0.113.1:50000"), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4001, "203.0.113.1:60000"), 0);
    assert_int_equal(peer_policy_create(NULL, 0, NULL, 0, &fewer), 0);
    assert_int_equal(peer_policy_add_relay(fewer, &relay, 60000, 65535), 0);
    turn_server_set_access(fixture->server, fixture->credentials, fewer);
    assert_false(turn_server_revoke(fixture->server, &cursor, &fixture->output));
    assert_int_equal(fixture->output.command_count, 1);
    assert_int_equal(fixture->output.commands[0].kind, TURN_COMMAND_REMOVE_CHANNEL);
    assert_int_equal(fixture->output.commands[0].channel.number, 0x4000);
    peer_policy_destroy(fewer);
}

static void new_limits_hold_for_what_is_new(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct client second = client_make(1001);
    struct client third = client_make(1002);
    struct turn_limits limits = fixture->config.limits;
    assert_int_equal(client_allocate(fixture, &client), 0);
    assert_int_equal(client_allocate(fixture, &second), 0);
    assert_int_equal(client_permit(fixture, &client, "8.8.8.8"), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.4.4:5000"), 0);

    // Below what there is: that stays, and is refreshed.
    limits.allocations_per_user = 1;
    limits.permissions_per_allocation = 1;
    limits.channels_per_allocation = 1;
    turn_server_set_limits(fixture->server, &limits);
    assert_int_equal(client_allocate(fixture, &third), 486);
    assert_int_equal(client_permit(fixture, &client, "8.8.8.8"), 0);
    assert_int_equal(client_permit(fixture, &client, "8.8.8.9"), 508);
    assert_int_equal(client_bind(fixture, &client, 0x4000, "8.8.4.4:5000"), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4001, "8.8.4.4:5001"), 508);
    limits = fixture->config.limits;
    limits.allocations = 2;
    turn_server_set_limits(fixture->server, &limits);
    assert_int_equal(turn_server_allocations_max(fixture->server), 2);
    assert_int_equal(client_allocate(fixture, &third), 486);
    limits.allocations = 1;
    turn_server_set_limits(fixture->server, &limits);
    assert_int_equal(client_refresh(fixture, &client, 600), 0);
    assert_int_equal(client_permit(fixture, &client, "8.8.8.9"), 0);
    assert_int_equal(client_bind(fixture, &client, 0x4001, "8.8.4.4:5001"), 0);
    limits.allocations = UINT32_MAX;
    turn_server_set_limits(fixture->server, &limits);
    limits.max_bps = 1000;
    limits.bps_capacity = 2999;
    turn_server_set_limits(fixture->server, &limits);
    assert_int_equal(turn_server_allocations_max(fixture->server), 2);
    assert_int_equal(client_allocate(fixture, &third), 486);
    limits.bps_capacity = 3000;
    turn_server_set_limits(fixture->server, &limits);
    assert_int_equal(client_allocate(fixture, &third), 0);
}

static void there_are_never_more_than_at_the_creation(void **state)
{
    struct fixture fixture;
    struct client client = client_make(1000);
    struct client second = client_make(1001);
    struct turn_limits limits;
    (void)state;
    fixture_init(&fixture);
    fixture.config.limits.allocations = 1;
    fixture_start(&fixture);
    limits = fixture.config.limits;
    limits.allocations = 1000;
    turn_server_set_limits(fixture.server, &limits);
    assert_int_equal(client_allocate(&fixture, &client), 0);
    assert_int_equal(client_allocate(&fixture, &second), 486);
    fixture_done(&fixture);
}

static void new_lifetimes_hold_from_the_next_refresh_on(void **state)
{
    struct fixture *fixture = *state;
    struct client client = client_make(1000);
    struct turn_limits limits = fixture->config.limits;
    assert_int_equal(client_allocate(fixture, &client), 0);
    limits.default_lifetime_s = 60;
    limits.max_lifetime_s = 120;
    turn_server_set_limits(fixture->server, &limits);
    assert_int_equal(client_refresh(fixture, &client, 10), 0);
    assert_int_equal(response_lifetime_s(fixture), 60);
    assert_int_equal(client_refresh(fixture, &client, 3600), 0);
    assert_int_equal(response_lifetime_s(fixture), 120);
    fixture_advance_ms(fixture, 121 * 1000);
    assert_all_released(fixture);
}

static void refuses_a_configuration_that_cannot_serve(void **state)
{
    struct fixture *fixture = *state;
    struct turn_server *server;
    struct turn_config config;

#define REFUSED(change)                                                                            \
    do {                                                                                           \
        config = fixture->config;                                                                  \
        change;                                                                                    \
        assert_int_equal(turn_server_create(&config, &server), -EINVAL);                           \
    } while (0)

    REFUSED(config.worker_count = 0);
    REFUSED(config.allow_tcp_relay = true); // and nobody to listen
    REFUSED(config.limits.tcp_connections_per_allocation = 65536);
    REFUSED(config.limits.tcp_connections = 1u << 30);
    REFUSED(config.worker_count = 65);
    REFUSED(config.relay_count = 0);
    REFUSED(config.relay_count = TURN_RELAYS_MAX + 1);
    REFUSED(config.limits.allocations = 0);
    REFUSED(config.limits.default_lifetime_s = 0);
    REFUSED(config.limits.max_lifetime_s = 599);
    REFUSED(config.relays[0].min_port = 0);
    REFUSED(config.relays[0].max_port = 49151);
    REFUSED(config.relays[0].advertised = ip("2001:db8::2"));
    REFUSED(config.relays[0].local.family = IP_FAMILY_NONE);
    REFUSED(config.relays[1] = config.relays[0]);
    REFUSED(config.relays[1] = config.relays[0]; config.relays[1].local = ip("203.0.113.2"));
    REFUSED(config.relays[1] = config.relays[0]; config.relays[1].advertised = ip("203.0.113.2"));
    REFUSED(config.relays[0].min_port = 65535); // the other worker has none
    REFUSED(config.limits.permissions_per_worker = UINT32_MAX);
#undef REFUSED
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(answers_binding_without_credentials),
        CASE(answers_nothing_that_is_no_request),
        CASE(steering_follows_a_client_whose_queue_moved),
        CASE(a_disconnected_client_loses_its_allocation),
        CASE(an_unrefreshed_allocation_expires_to_the_second_with_all_it_has),
        CASE(expiry_goes_on_where_the_output_was_full),
        CASE(acknowledgements_that_nobody_awaits_change_nothing),
        CASE(new_nonce_keys_make_old_nonces_stale),
        CASE(a_stricter_peer_policy_revokes_what_it_denies),
        CASE(a_channel_is_revoked_by_its_port),
        CASE(new_limits_hold_for_what_is_new),
        cmocka_unit_test(there_are_never_more_than_at_the_creation),
        CASE(new_lifetimes_hold_from_the_next_refresh_on),
        CASE(refuses_a_configuration_that_cannot_serve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
