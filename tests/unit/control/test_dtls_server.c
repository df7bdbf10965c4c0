// SPDX-License-Identifier: BSD-3-Clause
// Claims about clients of DTLS: how they get in, what they are given, how they end, and what those
// get who are none. The clients are OpenSSL's.
#include "control/dtls_server.h"

#include "dtls_fixture.h"

#include "control/dtls_hello.h"
#include "exchange/client_home.h"

#include <malloc.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define CLIENT_V4 "198.51.100.7:40000"
#define CLIENT_V6 "[2001:db8:1::7]:40000"

static int set_up(void **state)
{
    *state = fixture_create(&(struct dtls_server_config){
        .handshakes_max = 4, .per_source = 8, .quiet_s = 60, .idle_s = 600});
    return 0;
}

static int tear_down(void **state)
{
    fixture_destroy(*state);
    return 0;
}

static struct client_key key_of(const struct fixture_client *client)
{
    return (struct client_key){
        .address = client->address,
        .listener =
            client->server.ip.family == IP_FAMILY_V4 ? FIXTURE_LISTENER_V4 : FIXTURE_LISTENER_V6,
    };
}

static struct fixture_client *connect_client(struct fixture *fixture, const char *address,
                                             const char *server)
{
    struct fixture_client *client = fixture_client(address, server);

    assert_true(fixture_shake_hands(fixture, client));
    return client;
}

static void send_to(struct fixture *fixture, struct fixture_client *client, const void *message,
                    size_t len)
{
    const struct client_key key = key_of(client);

    dtls_server_send(fixture->server, &key, (struct span){message, len}, &(struct stream_hop){});
    fixture_collect(fixture, client);
}

static void say(struct fixture *fixture, struct fixture_client *client, const char *text)
{
    fixture_client_say(client, text, strlen(text));
    fixture_deliver(fixture, client);
}

static void assert_hears(struct fixture_client *client, const char *text)
{
    uint8_t message[FIXTURE_DATAGRAM];

    assert_int_equal(fixture_client_hear(client, message), strlen(text));
    assert_memory_equal(message, text, strlen(text));
}

static void assert_hears_nothing(struct fixture_client *client)
{
    uint8_t message[FIXTURE_DATAGRAM];

    assert_int_equal(fixture_client_hear(client, message), 0);
}

static void assert_message(struct fixture *fixture, const struct fixture_client *client,
                           const char *text)
{
    const struct client_key key = key_of(client);
    struct fixture_message message;

    assert_true(fixture_message(fixture, &message));
    assert_memory_equal(&message.client, &key, sizeof(key));
    assert_int_equal(message.worker,
                     client_home(key.address.ip.bytes, key.address.port, FIXTURE_WORKERS));
    assert_int_equal(message.len, strlen(text));
    assert_memory_equal(message.bytes, text, message.len);
}

static void assert_no_message(struct fixture *fixture)
{
    struct fixture_message message;

    assert_false(fixture_message(fixture, &message));
}

static void assert_serves(struct fixture *fixture, struct fixture_client *client)
{
    say(fixture, client, "up");
    assert_message(fixture, client, "up");
    send_to(fixture, client, "down", 4);
    assert_hears(client, "down");
}

static void assert_news(struct fixture *fixture, const struct fixture_client *client)
{
    const struct client_key key = key_of(client);
    struct stream_news news;

    assert_true(stream_news_receive(fixture->plane, 1, &news));
    assert_memory_equal(&news.client, &key, sizeof(key));
}

static void assert_no_news(struct fixture *fixture)
{
    struct stream_news news;

    assert_false(stream_news_receive(fixture->plane, 1, &news));
}

static void assert_is_told_to_close(struct fixture *fixture, struct fixture_client *client)
{
    fixture_collect(fixture, client);
    assert_hears_nothing(client);
    assert_int_equal(SSL_get_shutdown(client->ssl), SSL_RECEIVED_SHUTDOWN);
}

// The first of what it says.
static void say_hello(struct fixture *fixture, struct fixture_client *client)
{
    assert_false(fixture_client_handshake(client));
    fixture_deliver(fixture, client);
    fixture_collect(fixture, client);
}

// Up to the server's first flight, which it gets.
static void begin_handshake(struct fixture *fixture, struct fixture_client *client)
{
    say_hello(fixture, client);
    say_hello(fixture, client);
}

static void a_client_is_served_once_it_has_shown_a_cookie(void **state)
{
    struct fixture *fixture = *state;
    const char *const addresses[][2] = {{CLIENT_V4, FIXTURE_V4}, {CLIENT_V6, FIXTURE_V6}};

    for (unsigned i = 0; i < 2; i++) {
        struct fixture_client *client = fixture_client(addresses[i][0], addresses[i][1]);
        size_t hello_len;

        assert_false(fixture_client_handshake(client));
        hello_len = client->out.lens[0];
        fixture_deliver(fixture, client);
        assert_int_equal(fixture->counters->associations, i);
        fixture_collect(fixture, client);
        assert_int_equal(client->in.count, 1);
        assert_true(client->in.lens[0] < hello_len);
        assert_true(fixture_shake_hands(fixture, client));
        assert_int_equal(fixture->counters->hellos, 2 * i + 2);
        assert_int_equal(fixture->counters->verify_requests, i + 1);
        assert_int_equal(fixture->counters->handshakes, i + 1);
        assert_int_equal(fixture->counters->associations, i + 1);
        assert_int_equal(fixture->counters->half_open, 0);
        assert_serves(fixture, client);
        assert_no_news(fixture);
        fixture_client_free(client);
    }
}

static void each_message_is_a_record_and_a_datagram(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = connect_client(fixture, CLIENT_V4, FIXTURE_V4);

    for (unsigned i = 0; i < 3; i++)
        fixture_client_say(client, "message", 5 + i);
    assert_int_equal(client->out.count, 3);
    fixture_deliver(fixture, client);
    assert_message(fixture, client, "messa");
    assert_message(fixture, client, "messag");
    assert_message(fixture, client, "message");
    for (unsigned i = 0; i < 3; i++)
        send_to(fixture, client, "message", 5 + i);
    assert_int_equal(client->in.count, 3);
    assert_hears(client, "messa");
    assert_hears(client, "messag");
    assert_hears(client, "message");
    assert_int_equal(fixture->counters->records_in, 3);
    assert_int_equal(fixture->counters->records_out, 3);
    fixture_client_free(client);
}

static void records_may_share_a_datagram(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = connect_client(fixture, CLIENT_V4, FIXTURE_V4);
    struct fixture_datagrams *out = &client->out;
    uint8_t both[FIXTURE_DATAGRAM];

    fixture_client_say(client, "one", 3);
    fixture_client_say(client, "two", 3);
    memcpy(both, out->bytes[0], out->lens[0]);
    memcpy(both + out->lens[0], out->bytes[1], out->lens[1]);
    fixture_deliver_one(fixture, client, both, out->lens[0] + out->lens[1]);
    assert_message(fixture, client, "one");
    assert_message(fixture, client, "two");
    fixture_client_free(client);
}

// Where a ClientHello without a session has its cookie.
#define COOKIE_OFFSET (13 + 12 + 2 + 32 + 1 + 1)

static void a_forged_cookie_is_answered_as_none(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned i = 0; i < DTLS_COOKIE_LEN; i++) {
        struct fixture_client *client = fixture_client(CLIENT_V4, FIXTURE_V4);

        say_hello(fixture, client);
        assert_false(fixture_client_handshake(client));
        assert_int_equal(client->out.bytes[0][COOKIE_OFFSET - 1], DTLS_COOKIE_LEN);
        client->out.bytes[0][COOKIE_OFFSET + i] ^= 1;
        fixture_deliver(fixture, client);
        assert_int_equal(fixture_lose(fixture), 1);
        assert_int_equal(fixture->counters->verify_requests, 2 * i + 2);
        assert_int_equal(fixture->counters->associations, 0);
        fixture_client_free(client);
    }
}

static void a_cookie_is_good_for_its_address_alone(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = fixture_client(CLIENT_V4, FIXTURE_V4);
    const struct fixture_client right = *client;

    say_hello(fixture, client);
    assert_false(fixture_client_handshake(client));
    client->address.port++;
    fixture_deliver_one(fixture, client, client->out.bytes[0], client->out.lens[0]);
    client->address = right.address;
    client->address.ip.bytes[3]++;
    fixture_deliver_one(fixture, client, client->out.bytes[0], client->out.lens[0]);
    client->address = right.address;
    assert_int_equal(transport_address_parse(FIXTURE_OTHER_V4, &client->server), 0);
    fixture_deliver_one(fixture, client, client->out.bytes[0], client->out.lens[0]);
    assert_int_equal(fixture->counters->associations, 0);
    client->server = right.server;
    fixture_deliver_one(fixture, client, client->out.bytes[0], client->out.lens[0]);
    assert_int_equal(fixture->counters->associations, 1);
    fixture_client_free(client);
}

static void a_cookie_is_good_for_a_while(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = fixture_client(CLIENT_V4, FIXTURE_V4);
    unsigned at;

    say_hello(fixture, client);
    fixture_pass_ms(fixture, DTLS_COOKIE_LIFETIME_MS);
    assert_false(fixture_client_handshake(client));
    // Before it, what the client believes lost.
    at = client->out.count - 1;
    fixture_deliver_one(fixture, client, client->out.bytes[at], client->out.lens[at]);
    assert_int_equal(fixture->counters->associations, 1);
    fixture_pass_ms(fixture, DTLS_COOKIE_LIFETIME_MS);
    assert_int_equal(fixture->counters->associations, 0);
    fixture_deliver_one(fixture, client, client->out.bytes[at], client->out.lens[at]);
    assert_int_equal(fixture->counters->associations, 0);
    assert_int_equal(fixture->counters->verify_requests, 2);
    fixture_client_free(client);
}

static void a_flood_of_hellos_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = fixture_client(CLIENT_V4, FIXTURE_V4);
    size_t before = 0;

    assert_false(fixture_client_handshake(client));
    for (unsigned i = 0; i < 100000; i++) {
        client->address.port = (uint16_t)i;
        client->address.ip.bytes[3] = (uint8_t)(i >> 16);
        fixture_deliver_one(fixture, client, client->out.bytes[0], client->out.lens[0]);
        assert_int_equal(fixture_lose(fixture), 1);
        if (i == 0)
            before = mallinfo2().uordblks;
    }
    // The allocator's own doings are some bytes; one for each hello would be more.
    assert_true(mallinfo2().uordblks < before + 10000);
    assert_int_equal(fixture->counters->verify_requests, 100000);
    assert_int_equal(fixture->counters->associations, 0);
    fixture_client_free(client);
}

static void strangers_get_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = connect_client(fixture, CLIENT_V4, FIXTURE_V4);
    struct fixture_client *stranger = fixture_client("203.0.113.5:1", FIXTURE_V4);
    const uint8_t alert[] = {21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40};
    uint8_t hello[100] = {22, 0xFE, 0xFF, [12] = 87, [13] = 1, [16] = 75, [24] = 75};

    fixture_deliver_one(fixture, stranger, alert, sizeof(alert));
    fixture_deliver_one(fixture, stranger, hello, 0);
    fixture_deliver_one(fixture, stranger, hello, 30);
    // A ClientHello with nothing good in it.
    memset(hello + 25, 0xFF, sizeof(hello) - 25);
    fixture_deliver_one(fixture, stranger, hello, sizeof(hello));
    fixture_client_say(client, "not yours", 9);
    fixture_deliver_one(fixture, stranger, client->out.bytes[0], client->out.lens[0]);
    assert_int_equal(fixture->counters->dropped_unknown, 5);
    assert_int_equal(fixture->counters->associations, 1);
    assert_int_equal(fixture_lose(fixture), 0);
    assert_no_message(fixture);
    send_to(fixture, stranger, "hello", 5);
    assert_int_equal(fixture->counters->dropped_no_client, 1);
    fixture_client_free(stranger);
    fixture_client_free(client);
}

static void what_is_sent_elsewhere_is_no_clients(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = fixture_client(CLIENT_V4, "192.0.2.1:5350");

    assert_false(fixture_client_handshake(client));
    fixture_deliver(fixture, client);
    assert_int_equal(fixture->counters->dropped_no_listener, 1);
    assert_int_equal(fixture_lose(fixture), 0);
    fixture_client_free(client);
}

static void a_lost_flight_is_sent_again(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = fixture_client(CLIENT_V4, FIXTURE_V4);

    say_hello(fixture, client);
    assert_false(fixture_client_handshake(client));
    fixture_deliver(fixture, client);
    assert_true(fixture_lose(fixture) > 0);
    fixture_pass_ms(fixture, 900);
    assert_int_equal(fixture_lose(fixture), 0);
    fixture_pass_ms(fixture, 100);
    assert_true(fixture_lose(fixture) > 0);
    fixture_pass_ms(fixture, 1900);
    assert_int_equal(fixture_lose(fixture), 0);
    fixture_pass_ms(fixture, 100);
    fixture_collect(fixture, client);
    assert_true(fixture_shake_hands(fixture, client));
    assert_serves(fixture, client);
    fixture_client_free(client);
}

static void a_clients_lost_flight_is_welcome_later(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = fixture_client(CLIENT_V4, FIXTURE_V4);

    begin_handshake(fixture, client);
    assert_false(fixture_client_handshake(client));
    // Its key comes, what follows is lost.
    client->out.count = 1;
    fixture_deliver(fixture, client);
    fixture_lose(fixture);
    fixture_pass_ms(fixture, 1000);
    fixture_lose(fixture);
    fixture_client_retransmit(client);
    fixture_deliver(fixture, client);
    fixture_collect(fixture, client);
    assert_true(fixture_client_handshake(client));
    assert_serves(fixture, client);
    fixture_client_free(client);
}

static void a_lost_last_flight_is_sent_again_when_asked_for(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = fixture_client(CLIENT_V4, FIXTURE_V4);

    begin_handshake(fixture, client);
    assert_false(fixture_client_handshake(client));
    fixture_deliver(fixture, client);
    assert_true(fixture_lose(fixture) > 0);
    assert_int_equal(fixture->counters->handshakes, 1);
    fixture_pass_ms(fixture, 1000);
    assert_int_equal(fixture_lose(fixture), 0);
    fixture_client_retransmit(client);
    fixture_deliver(fixture, client);
    fixture_collect(fixture, client);
    assert_true(fixture_client_handshake(client));
    assert_int_equal(fixture->counters->handshakes, 1);
    assert_serves(fixture, client);
    fixture_client_free(client);
}

static void a_handshake_that_takes_too_long_is_given_up(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = fixture_client(CLIENT_V4, FIXTURE_V4);

    begin_handshake(fixture, client);
    fixture_pass_ms(fixture, 29999);
    assert_int_equal(fixture->counters->half_open, 1);
    fixture_pass_ms(fixture, 1);
    assert_int_equal(fixture->counters->half_open, 0);
    assert_int_equal(fixture->counters->timeouts, 1);
    assert_no_news(fixture);
    fixture_client_free(client);
}

static void the_oldest_handshake_gives_way(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *clients[5];

    for (unsigned i = 0; i < 5; i++) {
        char address[32];

        snprintf(address, sizeof(address), "198.51.100.7:%u", 40000 + i);
        clients[i] = fixture_client(address, FIXTURE_V4);
        begin_handshake(fixture, clients[i]);
    }
    assert_int_equal(fixture->counters->half_open, 4);
    assert_int_equal(fixture->counters->failures, 1);
    assert_false(fixture_shake_hands(fixture, clients[0]));
    for (unsigned i = 1; i < 5; i++)
        assert_true(fixture_shake_hands(fixture, clients[i]));
    for (unsigned i = 0; i < 5; i++)
        fixture_client_free(clients[i]);
}

// An answer with nothing in it.
static void give_allocation(struct fixture *fixture, struct fixture_client *client)
{
    static const uint8_t success[20] = {1, 3, 0, 0, 0x21, 0x12, 0xA4, 0x42};
    uint8_t heard[FIXTURE_DATAGRAM];

    send_to(fixture, client, success, sizeof(success));
    assert_int_equal(fixture_client_hear(client, heard), sizeof(success));
}

static void who_has_an_allocation_makes_room_for_no_one(void **state)
{
    struct fixture *fixture = fixture_create(&(struct dtls_server_config){.associations_max = 1});
    struct fixture_client *first, *second, *third = fixture_client(CLIENT_V4, FIXTURE_V4);

    (void)state;
    first = connect_client(fixture, "198.51.100.7:40001", FIXTURE_V4);
    assert_int_equal(fixture->sent_elsewhere, 0);
    second = connect_client(fixture, "198.51.100.7:40002", FIXTURE_V4);
    assert_int_equal(fixture->sent_elsewhere, 1);
    assert_news(fixture, first);
    give_allocation(fixture, second);
    assert_false(fixture_shake_hands(fixture, third));
    assert_int_equal(fixture->counters->dropped_full, 1);
    assert_serves(fixture, second);
    fixture_client_free(first);
    fixture_client_free(second);
    fixture_client_free(third);
    fixture_destroy(fixture);
}

static void who_has_an_allocation_may_say_nothing_for_longer(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = connect_client(fixture, CLIENT_V4, FIXTURE_V4);

    give_allocation(fixture, client);
    fixture_pass_ms(fixture, 599000);
    assert_int_equal(fixture->counters->associations, 1);
    fixture_pass_ms(fixture, 1000);
    assert_int_equal(fixture->counters->associations, 0);
    assert_is_told_to_close(fixture, client);
    assert_news(fixture, client);
    fixture_client_free(client);
}

static void a_source_has_no_more_than_its_share(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *clients[10];

    for (unsigned i = 0; i < 10; i++) {
        char address[32];

        snprintf(address, sizeof(address), "198.51.100.%u:%u", i < 9 ? 7 : 8, 40000 + i);
        clients[i] = fixture_client(address, FIXTURE_V4);
        assert_int_equal(fixture_shake_hands(fixture, clients[i]), i != 8);
    }
    assert_int_equal(fixture->counters->dropped_full, 1);
    for (unsigned i = 0; i < 10; i++)
        fixture_client_free(clients[i]);
}

static void a_client_may_close(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = connect_client(fixture, CLIENT_V4, FIXTURE_V4);

    SSL_shutdown(client->ssl);
    fixture_deliver(fixture, client);
    assert_int_equal(fixture->counters->associations, 0);
    assert_news(fixture, client);
    assert_no_news(fixture);
    fixture_collect(fixture, client);
    assert_int_equal(SSL_shutdown(client->ssl), 1);
    fixture_client_free(client);
}

static void the_control_plane_may_close(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = connect_client(fixture, CLIENT_V4, FIXTURE_V4);
    const struct client_key key = key_of(client);

    dtls_server_close(fixture->server, &key);
    dtls_server_close(fixture->server, &key);
    assert_int_equal(fixture->counters->associations, 0);
    assert_is_told_to_close(fixture, client);
    assert_news(fixture, client);
    assert_no_news(fixture);
    fixture_client_free(client);
}

static void at_the_end_all_are_told(void **state)
{
    struct fixture *fixture = fixture_create(&(struct dtls_server_config){});
    struct fixture_client *client = connect_client(fixture, CLIENT_V4, FIXTURE_V4);
    struct fixture_client *other = fixture_client("198.51.100.7:40001", FIXTURE_V4);

    (void)state;
    begin_handshake(fixture, other);
    dtls_server_destroy(fixture->server);
    assert_is_told_to_close(fixture, client);
    assert_no_news(fixture);
    assert_int_equal(dtls_server_create(&(struct dtls_server_config){.plane = fixture->plane,
                                                                     .tls = fixture->tls,
                                                                     .base = fixture->base},
                                        &fixture->server),
                     0);
    fixture_client_free(client);
    fixture_client_free(other);
    fixture_destroy(fixture);
}

static void who_says_nothing_is_closed(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = connect_client(fixture, CLIENT_V4, FIXTURE_V4);

    fixture_pass_ms(fixture, 59000);
    send_to(fixture, client, "down", 4);
    assert_hears(client, "down");
    fixture_pass_ms(fixture, 59000);
    say(fixture, client, "up");
    assert_message(fixture, client, "up");
    fixture_pass_ms(fixture, 59000);
    assert_int_equal(fixture->counters->associations, 1);
    fixture_pass_ms(fixture, 1000);
    assert_int_equal(fixture->counters->associations, 0);
    assert_int_equal(fixture->counters->idle, 1);
    assert_is_told_to_close(fixture, client);
    assert_news(fixture, client);
    fixture_client_free(client);
}

static void a_client_that_began_anew_takes_its_place_in_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *old = connect_client(fixture, CLIENT_V4, FIXTURE_V4);
    struct fixture_client *new = fixture_client(CLIENT_V4, FIXTURE_V4);

    begin_handshake(fixture, new);
    assert_int_equal(fixture->counters->associations, 2);
    assert_serves(fixture, old);
    assert_no_news(fixture);
    assert_true(fixture_shake_hands(fixture, new));
    assert_int_equal(fixture->counters->replacements, 1);
    assert_int_equal(fixture->counters->associations, 1);
    assert_news(fixture, old);
    assert_no_news(fixture);
    assert_serves(fixture, new);
    say(fixture, old, "from the grave");
    assert_no_message(fixture);
    assert_serves(fixture, new);
    fixture_client_free(old);
    fixture_client_free(new);
}

static void who_ends_no_handshake_takes_no_place(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = connect_client(fixture, CLIENT_V4, FIXTURE_V4);
    struct fixture_client *other = fixture_client(CLIENT_V4, FIXTURE_V4);

    begin_handshake(fixture, other);
    fixture_pass_ms(fixture, 30000);
    assert_int_equal(fixture->counters->timeouts, 1);
    fixture_lose(fixture);
    assert_serves(fixture, client);
    assert_no_news(fixture);
    fixture_client_free(other);
    fixture_client_free(client);
}

static void who_starts_again_in_a_handshake_is_served(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *first = fixture_client(CLIENT_V4, FIXTURE_V4);
    struct fixture_client *second = fixture_client(CLIENT_V4, FIXTURE_V4);

    begin_handshake(fixture, first);
    say_hello(fixture, second);
    assert_int_equal(fixture->counters->failures, 0);
    assert_true(fixture_shake_hands(fixture, second));
    assert_int_equal(fixture->counters->failures, 1);
    assert_int_equal(fixture->counters->associations, 1);
    assert_serves(fixture, second);
    fixture_client_free(first);
    fixture_client_free(second);
}

static void plain_alerts_end_nothing_that_lives(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = connect_client(fixture, CLIENT_V4, FIXTURE_V4);
    uint8_t alert[] = {21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40};

    for (uint8_t epoch = 0; epoch < 3; epoch++) {
        alert[4] = epoch;
        alert[10] = 0x7F;
        fixture_deliver_one(fixture, client, alert, sizeof(alert));
    }
    assert_int_equal(fixture->counters->dropped_refused, 3);
    assert_serves(fixture, client);
    fixture_client_free(client);
}

// A stranger sends each kind of record in each epoch, of all lengths about that of a nonce and a
// tag.
static void strangers_end_nothing_that_lives_with_a(struct fixture *fixture, const char *cipher)
{
    struct fixture_client *client = fixture_client(CLIENT_V4, FIXTURE_V4);
    uint8_t record[13 + 40] = {0, 0xFE, 0xFD};
    unsigned sent = 0;

    assert_int_equal(SSL_set_cipher_list(client->ssl, cipher), 1);
    assert_true(fixture_shake_hands(fixture, client));
    assert_string_equal(SSL_get_cipher(client->ssl), cipher);
    for (record[4] = 0; record[4] < 3; record[4]++) {
        for (record[0] = 20; record[0] <= 23; record[0]++) {
            for (record[12] = 0; record[12] <= 40; record[12]++) {
                record[10] = (uint8_t)(0x10 + sent++ % 64); // not seen before
                fixture_deliver_one(fixture, client, record, 13u + record[12]);
            }
        }
    }
    assert_int_equal(fixture->counters->dropped_refused, sent);
    assert_serves(fixture, client);
    say(fixture, client, "1"); // the shortest that says something
    assert_message(fixture, client, "1");
    fixture_client_free(client);
}

static void short_records_end_no_session_of_aes_gcm(void **state)
{
    strangers_end_nothing_that_lives_with_a(*state, "ECDHE-ECDSA-AES128-GCM-SHA256");
}

static void short_records_end_no_session_of_chacha20(void **state)
{
    strangers_end_nothing_that_lives_with_a(*state, "ECDHE-ECDSA-CHACHA20-POLY1305");
}

static void short_records_that_come_early_end_no_handshake(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = fixture_client(CLIENT_V4, FIXTURE_V4);
    const uint8_t alert[] = {21, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40};

    begin_handshake(fixture, client);
    fixture_deliver_one(fixture, client, alert, sizeof(alert));
    assert_int_equal(fixture->counters->dropped_refused, 1);
    assert_true(fixture_shake_hands(fixture, client));
    assert_serves(fixture, client);
    fixture_client_free(client);
}

// The beginning of a handshake message that says how long it is.
static void deliver_piece(struct fixture *fixture, const struct fixture_client *client,
                          uint8_t number)
{
    uint8_t piece[13 + 12 + 1] = {22, 0xFE, 0xFD};

    piece[10] = number; // of the record
    piece[12] = sizeof(piece) - 13;
    store_be32(piece + 13, 11u << 24 | 100000); // Certificate
    piece[18] = number;                         // of the message
    piece[24] = 1;
    fixture_deliver_one(fixture, client, piece, sizeof(piece));
}

static void pieces_of_long_messages_take_little_memory(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = fixture_client(CLIENT_V4, FIXTURE_V4);
    size_t before;

    begin_handshake(fixture, client);
    before = mallinfo2().uordblks + mallinfo2().hblkhd;
    for (uint8_t i = 3; i < 13; i++)
        deliver_piece(fixture, client, i);
    assert_true(mallinfo2().uordblks + mallinfo2().hblkhd < before + 200000);
    fixture_client_free(client);
}

static size_t heap_in_use(void)
{
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

// OpenSSL's, some 17 kB a way.
static void buffers_are_given_back_behind_a_burst(void **state)
{
    enum { CLIENTS = 200 };
    struct fixture *fixture = *state;
    struct fixture_client *clients[CLIENTS];
    size_t before, largest = 0;

    for (unsigned i = 0; i < CLIENTS; i++) {
        char address[32];

        snprintf(address, sizeof(address), "198.51.100.%u:40000", 1 + i);
        clients[i] = connect_client(fixture, address, FIXTURE_V4);
    }
    dtls_server_flush(fixture->server);
    before = heap_in_use();
    for (unsigned i = 0; i < 2 * CLIENTS; i++) {
        send_to(fixture, clients[i % CLIENTS], "down", 4);
        largest = heap_in_use() > largest ? heap_in_use() : largest;
    }
    assert_in_range(largest, before, before + 130 * 40000);
    dtls_server_flush(fixture->server);
    assert_in_range(heap_in_use(), 0, before + 16000);
    for (unsigned i = 0; i < CLIENTS; i++)
        fixture_client_free(clients[i]);
}

static void a_hello_that_comes_twice_begins_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = fixture_client(CLIENT_V4, FIXTURE_V4);
    struct fixture_datagrams hello;

    say_hello(fixture, client);
    assert_false(fixture_client_handshake(client));
    hello = client->out;
    fixture_deliver(fixture, client);
    fixture_deliver_one(fixture, client, hello.bytes[0], hello.lens[0]);
    assert_int_equal(fixture->counters->associations, 1);
    fixture_collect(fixture, client);
    assert_true(fixture_shake_hands(fixture, client));
    fixture_deliver_one(fixture, client, hello.bytes[0], hello.lens[0]);
    assert_int_equal(fixture->counters->associations, 1);
    assert_int_equal(fixture_lose(fixture), 0);
    assert_serves(fixture, client);
    fixture_client_free(client);
}

static void what_was_damaged_or_came_twice_is_passed_over(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = connect_client(fixture, CLIENT_V4, FIXTURE_V4);
    struct fixture_datagrams *out = &client->out;

    fixture_client_say(client, "message", 7);
    for (unsigned i = 0; i < out->lens[0]; i++) {
        out->bytes[0][i] ^= 0x40;
        fixture_deliver_one(fixture, client, out->bytes[0], out->lens[0]);
        out->bytes[0][i] ^= 0x40;
    }
    for (unsigned len = 0; len < out->lens[0]; len++)
        fixture_deliver_one(fixture, client, out->bytes[0], len);
    assert_no_message(fixture);
    assert_int_equal(fixture->counters->dropped_refused, 2 * out->lens[0]);
    fixture_deliver_one(fixture, client, out->bytes[0], out->lens[0]);
    fixture_deliver_one(fixture, client, out->bytes[0], out->lens[0]);
    out->count = 0;
    assert_message(fixture, client, "message");
    assert_no_message(fixture);
    assert_serves(fixture, client);
    fixture_client_free(client);
}

static void answers_go_where_the_last_good_record_came_from(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = connect_client(fixture, CLIENT_V4, FIXTURE_V4);

    assert_memory_equal(client->seen_macs,
                        "client"
                        "server",
                        12);
    assert_int_equal(client->seen_worker, 0);
    memcpy(client->macs,
           "CLIENT"
           "SERVER",
           12);
    client->worker = 1;
    fixture_client_say(client, "forged", 6);
    client->out.bytes[0][client->out.lens[0] - 1] ^= 1;
    fixture_deliver(fixture, client);
    send_to(fixture, client, "down", 4);
    assert_hears(client, "down");
    assert_memory_equal(client->seen_macs,
                        "client"
                        "server",
                        12);
    assert_int_equal(client->seen_worker, 0);
    say(fixture, client, "good");
    assert_message(fixture, client, "good");
    send_to(fixture, client, "down", 4);
    assert_hears(client, "down");
    assert_memory_equal(client->seen_macs,
                        "CLIENT"
                        "SERVER",
                        12);
    assert_int_equal(client->seen_worker, 1);
    fixture_client_free(client);
}

static void a_message_is_no_longer_than_a_record(void **state)
{
    struct fixture *fixture = *state;
    const char *const addresses[][2] = {{CLIENT_V4, FIXTURE_V4}, {CLIENT_V6, FIXTURE_V6}};
    static const uint8_t message[16385];

    for (unsigned i = 0; i < 2; i++) {
        struct fixture_client *client = connect_client(fixture, addresses[i][0], addresses[i][1]);
        uint8_t heard[FIXTURE_DATAGRAM];

        send_to(fixture, client, message, 16384);
        assert_int_equal(client->in.lens[0], 16384 + STREAM_DTLS_RECORD_LEN);
        assert_int_equal(fixture_client_hear(client, heard), 16384);
        send_to(fixture, client, message, 16385);
        assert_int_equal(client->in.count, 0);
        assert_int_equal(fixture->counters->dropped_too_long, i + 1);
        assert_serves(fixture, client);
        fixture_client_free(client);
    }
}

static void what_is_relayed_goes_as_routes_say_and_the_rest_as_it_came(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = connect_client(fixture, CLIENT_V4, FIXTURE_V4);
    const struct client_key key = key_of(client);
    const struct stream_hop hop = {.macs = "gatewayours", .mtu = 1400};

    assert_int_equal(client->seen_mtu, DTLS_SERVER_MTU);
    dtls_server_send(fixture->server, &key, (struct span){(const uint8_t *)"data", 4}, &hop);
    fixture_collect(fixture, client);
    assert_hears(client, "data");
    assert_memory_equal(client->seen_macs, hop.macs, 12);
    assert_int_equal(client->seen_mtu, 1400);
    send_to(fixture, client, "answer", 6);
    assert_hears(client, "answer");
    assert_memory_equal(client->seen_macs, client->macs, 12);
    assert_int_equal(client->seen_mtu, DTLS_SERVER_MTU);
    fixture_client_free(client);
}

static void flights_are_cut_up_by_dtls_and_not_by_ip(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = fixture_client(CLIENT_V6, FIXTURE_V6);

    fixture_use_certificate(fixture, "long");
    begin_handshake(fixture, client);
    assert_true(client->in.count > 1);
    for (unsigned i = 0; i < client->in.count; i++)
        assert_true(client->in.lens[i] <= 1280 - 48);
    assert_true(fixture_shake_hands(fixture, client));
    assert_serves(fixture, client);
    fixture_client_free(client);
}

static void any_part_of_a_long_flight_may_be_lost(void **state)
{
    struct fixture *fixture = *state;
    unsigned parts = 2;

    fixture_use_certificate(fixture, "long");
    for (unsigned lost = 0; lost < parts; lost++) {
        struct fixture_client *client = fixture_client(CLIENT_V6, FIXTURE_V6);
        struct fixture_datagrams *in = &client->in;

        begin_handshake(fixture, client);
        parts = in->count;
        assert_true(parts > 1);
        in->count--;
        memmove(in->lens + lost, in->lens + lost + 1, (in->count - lost) * sizeof(in->lens[0]));
        memmove(in->bytes + lost, in->bytes + lost + 1, (in->count - lost) * sizeof(in->bytes[0]));
        assert_false(fixture_shake_hands(fixture, client));
        fixture_pass_ms(fixture, 1000);
        fixture_collect(fixture, client);
        assert_true(in->count >= parts);
        assert_true(fixture_shake_hands(fixture, client));
        assert_serves(fixture, client);
        fixture_client_free(client);
    }
}

static void the_control_plane_hears_of_every_end(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = connect_client(fixture, CLIENT_V4, FIXTURE_V4);
    struct fixture_client *again;
    const struct stream_news filler = {.client = {.listener = 99}};
    const struct client_key key = key_of(client);
    struct stream_news news;

    for (unsigned i = 0; i < FIXTURE_NEWS_LEN; i++)
        stream_news_send(fixture->plane, 1, &filler);
    while (stream_news_send(fixture->plane, 1, &filler) == 0)
        ;
    dtls_server_close(fixture->server, &key);
    fixture_lose(fixture);
    // Its next association has nothing to say until the end of the one before is known.
    again = connect_client(fixture, CLIENT_V4, FIXTURE_V4);
    say(fixture, again, "too soon");
    assert_no_message(fixture);
    assert_int_equal(fixture->counters->dropped_no_room, 1);
    while (stream_news_receive(fixture->plane, 1, &news))
        assert_int_equal(news.client.listener, 99);
    fixture_pass_ms(fixture, 100);
    assert_news(fixture, client);
    assert_no_news(fixture);
    assert_serves(fixture, again);
    fixture_client_free(client);
    fixture_client_free(again);
}

static void a_full_ring_costs_messages_and_no_more(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = connect_client(fixture, CLIENT_V4, FIXTURE_V4);
    uint64_t sent = 0;

    while (fixture->counters->dropped_no_room == 0) {
        say(fixture, client, "up");
        sent++;
    }
    assert_int_equal(sent, FIXTURE_RING_LEN);
    for (unsigned i = 1; i < sent; i++)
        assert_message(fixture, client, "up");
    assert_serves(fixture, client);
    fixture_client_free(client);
}

static void records_of_the_next_epoch_are_kept_within_bounds(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = fixture_client(CLIENT_V4, FIXTURE_V4);
    uint8_t early[13 + 25] = {23, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 0, 0, 25};

    begin_handshake(fixture, client);
    for (unsigned i = 0; i < 17; i++) {
        early[10] = (uint8_t)i;
        fixture_deliver_one(fixture, client, early, sizeof(early));
    }
    assert_int_equal(fixture->counters->dropped_early, 1);
    fixture_client_free(client);
}

static void alpn_of_turn_is_chosen(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = fixture_client(CLIENT_V4, FIXTURE_V4);
    static const unsigned char offered[] = "\x08http/1.1\x09stun.turn";
    const unsigned char *chosen;
    unsigned len;

    SSL_set_alpn_protos(client->ssl, offered, sizeof(offered) - 1);
    assert_true(fixture_shake_hands(fixture, client));
    SSL_get0_alpn_selected(client->ssl, &chosen, &len);
    assert_int_equal(len, 9);
    assert_memory_equal(chosen, "stun.turn", 9);
    fixture_client_free(client);
}

static void refuses(struct fixture *fixture, struct fixture_client *client)
{
    uint64_t failures = fixture->counters->failures;

    assert_false(fixture_shake_hands(fixture, client));
    assert_int_equal(fixture->counters->associations, 0);
    assert_int_equal(fixture->counters->failures, failures + 1);
    assert_int_equal(SSL_get_shutdown(client->ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
    fixture_client_free(client);
}

static void other_protocols_and_versions_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *client = fixture_client(CLIENT_V4, FIXTURE_V4);
    static const unsigned char http[] = "\x08http/1.1";

    SSL_set_alpn_protos(client->ssl, http, sizeof(http) - 1);
    refuses(fixture, client);
    client = fixture_client(CLIENT_V4, FIXTURE_V4);
    SSL_set_security_level(client->ssl, 0);
    SSL_set_min_proto_version(client->ssl, DTLS1_VERSION);
    SSL_set_max_proto_version(client->ssl, DTLS1_VERSION);
    refuses(fixture, client);
    assert_no_news(fixture);
}

static void those_that_begin_later_get_the_new_certificate(void **state)
{
    struct fixture *fixture = *state;
    struct fixture_client *old = connect_client(fixture, CLIENT_V4, FIXTURE_V4), *new;
    X509 *old_certificate = SSL_get1_peer_certificate(old->ssl), *new_certificate;

    fixture_use_certificate(fixture, "second");
    new = connect_client(fixture, "198.51.100.7:40001", FIXTURE_V4);
    new_certificate = SSL_get1_peer_certificate(new->ssl);
    assert_int_equal(X509_check_host(old_certificate, "first.example", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(new_certificate, "second.example", 0, 0, NULL), 1);
    assert_serves(fixture, old);
    assert_serves(fixture, new);
    X509_free(old_certificate);
    X509_free(new_certificate);
    fixture_client_free(old);
    fixture_client_free(new);
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CLAIM(a_client_is_served_once_it_has_shown_a_cookie),
        CLAIM(each_message_is_a_record_and_a_datagram),
        CLAIM(records_may_share_a_datagram),
        CLAIM(a_forged_cookie_is_answered_as_none),
        CLAIM(a_cookie_is_good_for_its_address_alone),
        CLAIM(a_cookie_is_good_for_a_while),
        CLAIM(a_flood_of_hellos_leaves_nothing),
        CLAIM(strangers_get_nothing),
        CLAIM(what_is_sent_elsewhere_is_no_clients),
        CLAIM(a_lost_flight_is_sent_again),
        CLAIM(a_clients_lost_flight_is_welcome_later),
        CLAIM(a_lost_last_flight_is_sent_again_when_asked_for),
        CLAIM(a_handshake_that_takes_too_long_is_given_up),
        CLAIM(the_oldest_handshake_gives_way),
        cmocka_unit_test(who_has_an_allocation_makes_room_for_no_one),
        CLAIM(who_has_an_allocation_may_say_nothing_for_longer),
        CLAIM(a_source_has_no_more_than_its_share),
        CLAIM(a_client_may_close),
        CLAIM(the_control_plane_may_close),
        cmocka_unit_test(at_the_end_all_are_told),
        CLAIM(who_says_nothing_is_closed),
        CLAIM(a_client_that_began_anew_takes_its_place_in_the_end),
        CLAIM(who_ends_no_handshake_takes_no_place),
        CLAIM(a_hello_that_comes_twice_begins_nothing),
        CLAIM(what_was_damaged_or_came_twice_is_passed_over),
        CLAIM(answers_go_where_the_last_good_record_came_from),
        CLAIM(a_message_is_no_longer_than_a_record),
        CLAIM(what_is_relayed_goes_as_routes_say_and_the_rest_as_it_came),
        CLAIM(flights_are_cut_up_by_dtls_and_not_by_ip),
        CLAIM(any_part_of_a_long_flight_may_be_lost),
        CLAIM(who_starts_again_in_a_handshake_is_served),
        CLAIM(plain_alerts_end_nothing_that_lives),
        CLAIM(short_records_end_no_session_of_aes_gcm),
        CLAIM(short_records_end_no_session_of_chacha20),
        CLAIM(short_records_that_come_early_end_no_handshake),
        CLAIM(pieces_of_long_messages_take_little_memory),
        CLAIM(buffers_are_given_back_behind_a_burst),
        CLAIM(the_control_plane_hears_of_every_end),
        CLAIM(a_full_ring_costs_messages_and_no_more),
        CLAIM(records_of_the_next_epoch_are_kept_within_bounds),
        CLAIM(alpn_of_turn_is_chosen),
        CLAIM(other_protocols_and_versions_are_refused),
        CLAIM(those_that_begin_later_get_the_new_certificate),
    };
    return cmocka_run_group_tests(tests, fixture_group_set_up, fixture_group_tear_down);
}
