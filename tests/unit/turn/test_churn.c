// SPDX-License-Identifier: BSD-3-Clause
// A million allocations come and go: nothing is left behind, in the server or on the heap. The
// clients sign each of their requests once and send it again in every round, which a nonce of
// unlimited life allows; the server does all its work each time.
#include "turn_fixture.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#define CYCLES  1000000u
#define CLIENTS 2000u // at once

struct signed_request {
    uint8_t bytes[320];
    uint16_t len;
};

struct churner {
    struct five_tuple five_tuple;
    uint16_t worker;
    struct signed_request allocate;
    struct signed_request permit;
    struct signed_request bind;
};

static void sign(struct fixture *fixture, const struct client *client, struct request *request,
                 struct signed_request *ret_signed)
{
    struct span bytes = client_sign(fixture, client, request);
    assert_true(bytes.len <= sizeof(ret_signed->bytes));
    memcpy(ret_signed->bytes, bytes.data, bytes.len);
    ret_signed->len = (uint16_t)bytes.len;
}

// Every fourth is dual, every fourth reserves a port, every eighth is a REST user of its own.
static void prepare(struct fixture *fixture, struct churner *churner, unsigned index)
{
    struct client client = client_make((uint16_t)(1000 + index));
    struct transport_address peer = address(index % 4 == 0 ? "[2600::8]:5000" : "8.8.8.8:5000");
    struct request request;
    char username[64];
    char password[29];

    snprintf(username, sizeof(username), "4000000000:user%u", index);
    if (index % 8 == 1)
        client_use_rest(&client, username, "new", password);
    client.style = index % 2 ? CLIENT_SHA256 : CLIENT_MD5_SHA1;
    churner->five_tuple = client.five_tuple;
    churner->worker = index & 1;

    request_begin(fixture, &request, STUN_METHOD_ALLOCATE);
    stun_add_requested_transport(&request.builder, 17);
    if (index % 4 == 0)
        stun_add_address_family(&request.builder, STUN_ATTRIBUTE_ADDITIONAL_ADDRESS_FAMILY,
                                IP_FAMILY_V6);
    if (index % 4 == 1)
        stun_add_even_port(&request.builder, true);
    sign(fixture, &client, &request, &churner->allocate);

    request_begin(fixture, &request, STUN_METHOD_CREATE_PERMISSION);
    stun_add_xor_address(&request.builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer);
    sign(fixture, &client, &request, &churner->permit);

    peer.ip.bytes[3] ^= 1;
    request_begin(fixture, &request, STUN_METHOD_CHANNEL_BIND);
    stun_add_channel_number(&request.builder, (uint16_t)(0x4000 + index));
    stun_add_xor_address(&request.builder, STUN_ATTRIBUTE_XOR_PEER_ADDRESS, &peer);
    sign(fixture, &client, &request, &churner->bind);
}

static void send(struct fixture *fixture, const struct churner *churner,
                 const struct signed_request *request, unsigned command_count)
{
    struct turn_packet packet = {
        .five_tuple = churner->five_tuple,
        .bytes = {.data = request->bytes, .len = request->len},
        .worker = churner->worker,
    };
    turn_server_receive(fixture->server, &fixture->now, &packet, &fixture->output);
    if (fixture->output.response_len == 0 || fixture->output.response_error != 0 ||
        fixture->output.command_count != command_count)
        fail_msg("method %u: error %u", fixture->output.request_method,
                 fixture->output.response_error);
}

// All clients come; their permissions expire, then all else. Every second round half of them are
// cut off before.
static void run_round(struct fixture *fixture, const struct churner *churners, bool cut_off)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        send(fixture, &churners[i], &churners[i].allocate, 1);
        send(fixture, &churners[i], &churners[i].permit, 1);
        send(fixture, &churners[i], &churners[i].bind, 2);
    }
    struct turn_usage usage = fixture_usage(fixture);
    assert_int_equal(usage.allocations, CLIENTS);
    assert_int_equal(usage.permissions, 2 * CLIENTS);
    assert_int_equal(usage.channels, CLIENTS);
    fixture_advance_ms(fixture, 300 * 1000);
    assert_int_equal(fixture_usage(fixture).permissions, 0);
    for (unsigned i = 0; cut_off && i < CLIENTS; i += 2) {
        turn_server_disconnected(fixture->server, &fixture->now, &churners[i].five_tuple,
                                 &fixture->output);
        fixture_acknowledge(fixture);
    }
    fixture_advance_ms(fixture, 300 * 1000);
    assert_all_released(fixture);
}

static void a_million_cycles_leave_nothing_behind(void **state)
{
    (void)state;
    struct fixture fixture;
    static struct churner churners[CLIENTS];
    fixture_init(&fixture);
    fixture.config.limits.allocations = CLIENTS;
    fixture.config.limits.allocations_per_worker = CLIENTS / 2;
    fixture.config.limits.permissions_per_worker = CLIENTS;
    fixture.config.limits.channels_per_worker = CLIENTS / 2;
    fixture.config.stateless.nonce.lifetime_s = UINT32_MAX;
    fixture_start(&fixture);
    for (unsigned i = 0; i < CLIENTS; i++)
        prepare(&fixture, &churners[i], i);

    run_round(&fixture, churners, false); // what libraries keep for themselves is there after this
    struct mallinfo2 before = mallinfo2();
    for (unsigned cycle = 0; cycle < CYCLES; cycle += CLIENTS)
        run_round(&fixture, churners, cycle / CLIENTS % 2);
    struct mallinfo2 after = mallinfo2();
    assert_int_equal(after.uordblks, before.uordblks);
    fixture_done(&fixture);
}

// mallinfo counts what malloc keeps in its per-thread cache as in use. The cache can be turned off
// only from outside.
static void restart_without_malloc_cache(char **argv)
{
    static const char name[] = "GLIBC_TUNABLES";
    if (getenv(name) != NULL)
        return;
    setenv(name, "glibc.malloc.tcache_count=0", 1);
    execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    (void)argc;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_cycles_leave_nothing_behind),
    };
    restart_without_malloc_cache(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
