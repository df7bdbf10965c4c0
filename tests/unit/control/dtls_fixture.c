// SPDX-License-Identifier: BSD-3-Clause
// See dtls_fixture.h.
#include "dtls_fixture.h"

#include "../exchange/eal_fixture.h"
#include "../exchange/plane_fixture.h"
#include "base/clock.h"
#include "control/dtls_bio.h"
#include "tls_fixture.h"

#include <event2/event.h>
#include <openssl/err.h>
#include <rte_mbuf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <cmocka.h>

#define POOL_LEN 1023

static struct rte_mempool *pool;
static SSL_CTX *client_context;
static BIO_METHOD *client_method;
static uint64_t time_ms = 1000000;
static struct settings_certificate certificate;

// Instead of src/base/clock.c, and of what OpenSSL looks at.
uint64_t clock_monotonic_ms(void)
{
    return time_ms;
}

uint64_t clock_wall_s(void)
{
    return (uint64_t)time(NULL);
}

int gettimeofday(struct timeval *restrict ret_now, void *restrict zone)
{
    (void)zone;
    *ret_now = (struct timeval){(time_t)(time_ms / 1000), (suseconds_t)(time_ms % 1000 * 1000)};
    return 0;
}

// Clients.

static void keep(struct fixture_datagrams *datagrams, const void *bytes, size_t len)
{
    assert_true(datagrams->count < FIXTURE_DATAGRAMS && len <= FIXTURE_DATAGRAM);
    datagrams->lens[datagrams->count] = len;
    memcpy(datagrams->bytes[datagrams->count++], bytes, len);
}

static int client_write(BIO *bio, const char *bytes, int len)
{
    struct fixture_client *client = BIO_get_data(bio);

    keep(&client->out, bytes, (size_t)len);
    return len;
}

static int client_read(BIO *bio, char *bytes, int max_len)
{
    struct fixture_client *client = BIO_get_data(bio);
    struct fixture_datagrams *in = &client->in;
    size_t len = in->lens[0];

    BIO_clear_retry_flags(bio);
    if (in->count == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    assert_true(len <= (size_t)max_len);
    memcpy(bytes, in->bytes[0], len);
    in->count--;
    memmove(in->lens, in->lens + 1, in->count * sizeof(in->lens[0]));
    memmove(in->bytes, in->bytes + 1, in->count * sizeof(in->bytes[0]));
    return (int)len;
}

static long client_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static int client_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static void make_client_method(void)
{
    client_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "client");
    assert_non_null(client_method);
    BIO_meth_set_write(client_method, client_write);
    BIO_meth_set_read(client_method, client_read);
    BIO_meth_set_ctrl(client_method, client_control);
    BIO_meth_set_create(client_method, client_create);
}

struct fixture_client *fixture_client(const char *address, const char *server)
{
    struct fixture_client *client = calloc(1, sizeof(*client));
    BIO *bio = BIO_new(client_method);

    assert_non_null(client);
    assert_int_equal(transport_address_parse(address, &client->address), 0);
    assert_int_equal(transport_address_parse(server, &client->server), 0);
    memcpy(client->macs,
           "client"
           "server",
           sizeof(client->macs));
    client->ssl = SSL_new(client_context);
    assert_non_null(client->ssl);
    SSL_set_options(client->ssl, SSL_OP_NO_QUERY_MTU);
    SSL_set_mtu(client->ssl, 1400);
    BIO_set_data(bio, client);
    SSL_set_bio(client->ssl, bio, bio);
    SSL_set_connect_state(client->ssl);
    return client;
}

void fixture_client_free(struct fixture_client *client)
{
    SSL_free(client->ssl);
    free(client);
}

bool fixture_client_handshake(struct fixture_client *client)
{
    bool is_over = SSL_do_handshake(client->ssl) == 1;

    ERR_clear_error();
    return is_over;
}

void fixture_client_say(struct fixture_client *client, const void *message, size_t len)
{
    assert_int_equal(SSL_write(client->ssl, message, (int)len), (int)len);
}

size_t fixture_client_hear(struct fixture_client *client, uint8_t message[FIXTURE_DATAGRAM])
{
    int len = SSL_read(client->ssl, message, FIXTURE_DATAGRAM);

    ERR_clear_error();
    return len > 0 ? (size_t)len : 0;
}

void fixture_client_retransmit(struct fixture_client *client)
{
    assert_int_equal(DTLSv1_handle_timeout(client->ssl), 1);
}

// The server.

static void add_listener(struct plane_config *config, const char *address, uint8_t transport,
                         uint8_t thread)
{
    unsigned index = plane_listener_total(config);

    config->stream_listeners[config->stream_listener_count++] =
        (struct plane_stream_listener){transport, thread};
    assert_int_equal(transport_address_parse(address, &config->listeners[index]), 0);
}

static struct plane *make_plane(void)
{
    struct plane_config config = plane_fixture_config(FIXTURE_WORKERS, 2, FIXTURE_RING_LEN);
    struct plane *plane;

    config.dtls = true;
    add_listener(&config, FIXTURE_V4, STREAM_TLS, 1);
    add_listener(&config, FIXTURE_V4, STREAM_DTLS, 0);
    add_listener(&config, FIXTURE_V4, STREAM_DTLS, 1);
    add_listener(&config, FIXTURE_OTHER_V4, STREAM_DTLS, 1);
    add_listener(&config, FIXTURE_V6, STREAM_DTLS, 1);
    assert_int_equal(plane_create(&config, &plane), 0);
    stream_set_pool(plane, pool);
    return plane;
}

static struct settings make_settings(const char *name)
{
    struct settings settings = {.certificates = {&certificate, 1}};
    char path[32];

    free(certificate.certificate);
    free(certificate.private_key);
    snprintf(path, sizeof(path), "%s.pem", name);
    certificate.certificate = strdup(tls_fixture_path(path));
    snprintf(path, sizeof(path), "%s.key", name);
    certificate.private_key = strdup(tls_fixture_path(path));
    settings.tls_ciphers = "ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20";
    return settings;
}

void fixture_use_certificate(struct fixture *fixture, const char *name)
{
    struct settings settings = make_settings(name);

    assert_int_equal(tls_contexts_reread(fixture->tls, &settings), 0);
}

struct fixture *fixture_create(const struct dtls_server_config *what)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct dtls_server_config config = *what;
    struct settings settings = make_settings("first");

    assert_non_null(fixture);
    fixture->plane = make_plane();
    fixture->base = event_base_new();
    assert_non_null(fixture->base);
    assert_int_equal(tls_contexts_create(&settings, &dtls_server_cookies, &fixture->tls), 0);
    config.plane = fixture->plane;
    config.tls = fixture->tls;
    config.base = fixture->base;
    config.thread = 1;
    assert_int_equal(dtls_server_create(&config, &fixture->server), 0);
    fixture->counters = dtls_server_counters(fixture->server);
    return fixture;
}

void fixture_destroy(struct fixture *fixture)
{
    struct fixture_message message;

    dtls_server_destroy(fixture->server);
    fixture_lose(fixture);
    while (fixture_message(fixture, &message))
        ;
    tls_contexts_destroy(fixture->tls);
    event_base_free(fixture->base);
    plane_destroy(fixture->plane);
    assert_int_equal(rte_mempool_avail_count(pool), POOL_LEN);
    free(fixture);
}

static int keep_event(const struct event_base *base, const struct event *event, void *ret_event)
{
    (void)base;
    *(const struct event **)ret_event = event;
    return 0;
}

// The clock of libevent is the machine's: what waits for it need not wait.
void fixture_pass_ms(struct fixture *fixture, uint64_t ms)
{
    struct event *timer = NULL;

    time_ms += ms;
    event_base_foreach_event(fixture->base, keep_event, &timer);
    if (timer)
        event_active(timer, EV_TIMEOUT, 0);
    event_base_loop(fixture->base, EVLOOP_NONBLOCK);
}

void fixture_deliver_one(struct fixture *fixture, const struct fixture_client *client,
                         const void *bytes, size_t len)
{
    struct stream_packet packet = {
        .client = client->address,
        .server = client->server,
        .payload = {bytes, len},
        .is_datagram = true,
    };

    memcpy(packet.hop.macs, client->macs, sizeof(packet.hop.macs));
    dtls_server_receive(fixture->server, &packet, client->worker);
    dtls_server_flush(fixture->server);
}

void fixture_deliver(struct fixture *fixture, struct fixture_client *client)
{
    for (unsigned i = 0; i < client->out.count; i++)
        fixture_deliver_one(fixture, client, client->out.bytes[i], client->out.lens[i]);
    client->out.count = 0;
}

// What is left in a ring of one kind when the other kind was taken out of it waits here.
struct waiting {
    unsigned count;
    struct rte_mbuf *frames[FIXTURE_RING_LEN];
};

static struct waiting messages[FIXTURE_WORKERS];

// The next frame for the wire, messages before it are put by. NULL: none.
static struct rte_mbuf *next_for_wire(struct fixture *fixture, uint16_t worker)
{
    struct rte_mbuf *frame;

    while (stream_from_thread(fixture->plane, worker, 1, &frame, 1) == 1) {
        if (!stream_port_is_inner(frame->port))
            return frame;
        assert_true(messages[worker].count < FIXTURE_RING_LEN);
        messages[worker].frames[messages[worker].count++] = frame;
    }
    return NULL;
}

// False: it is for somebody else.
static bool read_wire(const struct rte_mbuf *frame, struct fixture_client *client)
{
    const uint8_t *ethernet = rte_pktmbuf_mtod(frame, const uint8_t *);
    bool is_v4 = client->address.ip.family == IP_FAMILY_V4;
    size_t ip_len = is_v4 ? 20 : 40, address_len = is_v4 ? 4 : 16;
    const uint8_t *udp = ethernet + 14 + ip_len;
    uint8_t payload[FIXTURE_DATAGRAM];

    if (load_be16(ethernet + 12) != (is_v4 ? 0x0800 : 0x86DD) ||
        memcmp(udp - address_len, client->address.ip.bytes, address_len) != 0 ||
        load_be16(udp + 2) != client->address.port)
        return false;
    assert_memory_equal(udp - 2 * address_len, client->server.ip.bytes, address_len);
    assert_int_equal(load_be16(udp), client->server.port);
    assert_int_equal(frame->pkt_len, 14 + ip_len + load_be16(udp + 4));
    memcpy(client->seen_macs, ethernet, sizeof(client->seen_macs));
    client->seen_mtu = (uint16_t)frame->hash.usr;
    keep(&client->in,
         rte_pktmbuf_read(frame, 14 + (uint32_t)ip_len + 8, load_be16(udp + 4) - 8u, payload),
         load_be16(udp + 4) - 8u);
    return true;
}

void fixture_collect(struct fixture *fixture, struct fixture_client *client)
{
    struct rte_mbuf *frame;

    for (uint16_t worker = 0; worker < FIXTURE_WORKERS; worker++) {
        while ((frame = next_for_wire(fixture, worker))) {
            if (read_wire(frame, client))
                client->seen_worker = worker;
            else
                fixture->sent_elsewhere++;
            stream_packet_free(frame);
        }
    }
}

unsigned fixture_lose(struct fixture *fixture)
{
    struct rte_mbuf *frame;
    unsigned count = 0;

    for (uint16_t worker = 0; worker < FIXTURE_WORKERS; worker++) {
        while ((frame = next_for_wire(fixture, worker))) {
            stream_packet_free(frame);
            count++;
        }
    }
    return count;
}

static struct rte_mbuf *next_message(struct fixture *fixture, uint16_t worker)
{
    struct waiting *waiting = &messages[worker];
    struct rte_mbuf *frame;

    if (waiting->count > 0) {
        frame = waiting->frames[0];
        memmove(waiting->frames, waiting->frames + 1, --waiting->count * sizeof(frame));
        return frame;
    }
    if (stream_from_thread(fixture->plane, worker, 1, &frame, 1) == 0)
        return NULL;
    assert_true(stream_port_is_inner(frame->port));
    return frame;
}

static void read_message(const struct rte_mbuf *frame, struct fixture_message *ret_message)
{
    const uint8_t *ethernet = rte_pktmbuf_mtod(frame, const uint8_t *);
    bool is_v4 = load_be16(ethernet + 12) == 0x0800;
    const uint8_t *udp = ethernet + 14 + (is_v4 ? 20 : 40);
    struct client_key *client = &ret_message->client;

    client->listener = (uint16_t)(frame->port - STREAM_PORT_BASE);
    client->address.ip =
        ip_address_from_bytes(is_v4 ? IP_FAMILY_V4 : IP_FAMILY_V6, udp - 2 * (is_v4 ? 4 : 16));
    client->address.port = load_be16(udp);
    ret_message->len = load_be16(udp + 4) - 8u;
    assert_true(frame->nb_segs == 1 && ret_message->len <= FIXTURE_DATAGRAM);
    memcpy(ret_message->bytes, udp + 8, ret_message->len);
}

bool fixture_message(struct fixture *fixture, struct fixture_message *ret_message)
{
    for (uint16_t worker = 0; worker < FIXTURE_WORKERS; worker++) {
        struct rte_mbuf *frame = next_message(fixture, worker);

        if (!frame)
            continue;
        ret_message->worker = worker;
        read_message(frame, ret_message);
        stream_packet_free(frame);
        return true;
    }
    return false;
}

bool fixture_shake_hands(struct fixture *fixture, struct fixture_client *client)
{
    bool is_over = false;

    for (unsigned i = 0; i < 10; i++) {
        is_over = fixture_client_handshake(client);
        if (client->out.count == 0)
            break;
        fixture_deliver(fixture, client);
        fixture_collect(fixture, client);
    }
    return is_over;
}

// Longer than a datagram.
static void write_long_certificate(void)
{
    char names[2048] = "DNS:long.example";

    for (unsigned i = 0; strlen(names) < sizeof(names) - 40; i++)
        snprintf(names + strlen(names), 40, ",DNS:%u.long.example", 100000 + i);
    tls_fixture_write("long", &(struct tls_fixture_certificate){.names = names});
}

int fixture_group_set_up(void **state)
{
    (void)state;
    if (eal_start() != 0)
        return -1;
    pool =
        rte_pktmbuf_pool_create("test", POOL_LEN, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    if (!pool)
        return -1;
    tls_fixture_init();
    tls_fixture_write("first", &(struct tls_fixture_certificate){.names = "DNS:first.example"});
    tls_fixture_write("second", &(struct tls_fixture_certificate){.names = "DNS:second.example"});
    write_long_certificate();
    make_client_method();
    client_context = SSL_CTX_new(DTLS_client_method());
    return client_context ? 0 : -1;
}

int fixture_group_tear_down(void **state)
{
    (void)state;
    free(certificate.certificate);
    free(certificate.private_key);
    SSL_CTX_free(client_context);
    BIO_meth_free(client_method);
    tls_fixture_done();
    rte_mempool_free(pool);
    return 0;
}
