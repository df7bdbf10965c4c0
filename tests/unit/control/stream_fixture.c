// SPDX-License-Identifier: BSD-3-Clause
// A stream thread on loopback sockets, with a clock, clients and workers that the test plays.
#include "stream_fixture.h"

#include "../exchange/eal_fixture.h"
#include "../exchange/plane_fixture.h"
#include "base/clock.h"
#include "control/settings.h"
#include "control/tls_contexts.h"
#include "proto/channel_data.h"
#include "proto/stun.h"
#include "tls_fixture.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct session_log_tcp_traffic stream_fixture_told;
unsigned stream_fixture_told_count;

void session_log_carried_tcp(struct session_log *log, struct session_record *record,
                             const struct session_log_tcp_traffic *traffic)
{
    (void)log;
    (void)record;
    stream_fixture_told = *traffic;
    stream_fixture_told_count++;
}

#define POOL_LEN 511
#define HEADERS_LEN                                                                                \
    (sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr))

static struct rte_mempool *pool;
static struct tls_contexts *contexts;
static uint64_t now_ms;

uint64_t clock_monotonic_ms(void)
{
    return now_ms;
}

uint64_t clock_wall_s(void)
{
    return (uint64_t)time(NULL);
}

int stream_fixture_group_set_up(void **state)
{
    const struct tls_fixture_certificate certificate = {.names = "DNS:turn.example.org"};
    static struct settings_certificate file;
    struct settings settings = {
        .certificates = {.items = &file, .count = 1},
        .tls_min_version = TLS_VERSION_1_2,
        .tls_ciphers = (char *)"ECDHE+AESGCM",
    };

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    if (eal_start() != 0)
        return -1;
    // A message of a worker's is in one buffer.
    pool = rte_pktmbuf_pool_create("test", POOL_LEN, 0, 0, UINT16_MAX, SOCKET_ID_ANY);
    tls_fixture_init();
    tls_fixture_write("server", &certificate);
    file.certificate = (char *)(uintptr_t)tls_fixture_path("server.pem");
    file.private_key = (char *)(uintptr_t)tls_fixture_path("server.key");
    return pool && tls_contexts_create(&settings, NULL, &contexts) == 0 ? 0 : -1;
}

int stream_fixture_group_tear_down(void **state)
{
    (void)state;
    tls_contexts_destroy(contexts);
    tls_fixture_done();
    rte_mempool_free(pool);
    return 0;
}

static void add_listener(struct plane_config *config, uint8_t transport)
{
    unsigned index = config->listener_count + config->stream_listener_count++;

    config->stream_listeners[index - config->listener_count].transport = transport;
    assert_int_equal(transport_address_parse("127.0.0.1:0", &config->listeners[index]), 0);
}

int stream_fixture_set_up(void **state)
{
    struct stream_fixture *fixture = calloc(1, sizeof(*fixture));
    struct plane_config config = plane_fixture_config(2, 1, STREAM_FIXTURE_RING_LEN);

    assert_non_null(fixture);
    add_listener(&config, STREAM_TCP);
    add_listener(&config, STREAM_TLS);
    assert_int_equal(plane_create(&config, &fixture->plane), 0);
    stream_set_pool(fixture->plane, pool);
    now_ms = 1000000;
    fixture->config = (struct stream_thread_config){
        .plane = fixture->plane,
        .tls = contexts,
        .base = event_base_new(),
        .limits = stream_limits_default,
    };
    fixture->config.limits.connections = 64;
    *state = fixture;
    return 0;
}

int stream_fixture_tear_down(void **state)
{
    struct stream_fixture *fixture = *state;
    uint8_t bytes[65536];
    struct client_key client;

    if (fixture->thread)
        stream_thread_destroy(fixture->thread);
    while (stream_fixture_take(fixture, bytes, &client) > 0)
        ;
    event_base_free(fixture->config.base);
    plane_destroy(fixture->plane);
    free(fixture);
    assert_int_equal(rte_mempool_avail_count(pool), POOL_LEN);
    return 0;
}

void stream_fixture_start(struct stream_fixture *fixture)
{
    assert_int_equal(stream_thread_create(&fixture->config, &fixture->thread), 0);
    stream_thread_start(fixture->thread);
    stream_fixture_run(fixture);
}

void stream_fixture_run(struct stream_fixture *fixture)
{
    for (unsigned i = 0; i < 8; i++)
        event_base_loop(fixture->config.base, EVLOOP_NONBLOCK);
}

void stream_fixture_pass(struct stream_fixture *fixture, unsigned seconds)
{
    now_ms += 1000 * seconds;
    event_active(fixture->thread->second, EV_TIMEOUT, 0);
    stream_fixture_run(fixture);
}

int stream_fixture_connect(struct stream_fixture *fixture, unsigned listener)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), at_once = 1;
    struct sockaddr_in name;
    socklen_t name_len = sizeof(name);

    assert_int_equal(
        getsockname(fixture->thread->listeners[listener].fd, (struct sockaddr *)&name, &name_len),
        0);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, name_len), 0);
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof(at_once)), 0);
    stream_fixture_run(fixture);
    return fd;
}

struct client_key stream_fixture_client(const struct stream_fixture *fixture, unsigned listener,
                                        int fd)
{
    struct client_key client = {.listener = fixture->thread->listeners[listener].index};
    struct sockaddr_in name;
    socklen_t name_len = sizeof(name);

    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &name_len), 0);
    client.address.ip = ip_address_from_bytes(IP_FAMILY_V4, &name.sin_addr);
    client.address.port = ntohs(name.sin_port);
    return client;
}

void stream_fixture_write(struct stream_fixture *fixture, int fd, const void *bytes, size_t len)
{
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
    stream_fixture_run(fixture);
}

size_t stream_fixture_read(struct stream_fixture *fixture, int fd, void *ret_bytes, size_t size)
{
    ssize_t len;

    stream_fixture_run(fixture);
    len = recv(fd, ret_bytes, size, MSG_DONTWAIT);
    return len > 0 ? (size_t)len : 0;
}

bool stream_fixture_is_closed(struct stream_fixture *fixture, int fd)
{
    char lost[4096];
    ssize_t len;

    stream_fixture_run(fixture);
    do
        len = recv(fd, lost, sizeof(lost), MSG_DONTWAIT);
    while (len > 0);
    return len == 0 || errno != EAGAIN;
}

SSL *stream_fixture_secure(struct stream_fixture *fixture, int fd)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);

    SSL_CTX_free(context);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    SSL_set_fd(ssl, fd);
    for (unsigned i = 0; i < 16 && SSL_connect(ssl) != 1; i++)
        stream_fixture_run(fixture);
    stream_fixture_run(fixture);
    return ssl;
}

void stream_fixture_unsecure(SSL *ssl)
{
    close(SSL_get_fd(ssl));
    SSL_free(ssl);
}

static void read_client(const struct rte_mbuf *frame, struct client_key *ret_client)
{
    const uint8_t *ip =
        rte_pktmbuf_mtod_offset(frame, const uint8_t *, sizeof(struct rte_ether_hdr));

    *ret_client = (struct client_key){
        .address = {ip_address_from_bytes(IP_FAMILY_V4, ip + 12), load_be16(ip + 20)},
        .listener = (uint16_t)(frame->port - STREAM_PORT_BASE),
    };
}

size_t stream_fixture_take(struct stream_fixture *fixture, uint8_t *ret_bytes,
                           struct client_key *ret_client)
{
    for (uint16_t worker = 0; worker < fixture->plane->config.worker_count; worker++) {
        struct rte_mbuf *frame;
        size_t len;
        const void *payload;

        if (stream_from_thread(fixture->plane, worker, 0, &frame, 1) == 0)
            continue;
        len = frame->pkt_len - HEADERS_LEN;
        payload = rte_pktmbuf_read(frame, HEADERS_LEN, (uint32_t)len, ret_bytes);
        if (payload != ret_bytes)
            memcpy(ret_bytes, payload, len);
        read_client(frame, ret_client);
        rte_pktmbuf_free(frame);
        return len;
    }
    return 0;
}

// What goes to a client differs from what comes from it by who is source and who is destination.
static void turn_round(struct rte_mbuf *frame)
{
    uint8_t *ip = rte_pktmbuf_mtod_offset(frame, uint8_t *, sizeof(struct rte_ether_hdr));
    uint8_t address[4], port[2];

    memcpy(address, ip + 12, 4);
    memcpy(ip + 12, ip + 16, 4);
    memcpy(ip + 16, address, 4);
    memcpy(port, ip + 20, 2);
    memcpy(ip + 20, ip + 22, 2);
    memcpy(ip + 22, port, 2);
}

bool stream_fixture_give(struct stream_fixture *fixture, const struct client_key *client,
                         const void *bytes, size_t len)
{
    const struct span message = {bytes, len};
    struct rte_mbuf *frame;

    assert_int_equal(stream_send_message(fixture->plane, 0, 1, client, message), 0);
    assert_int_equal(stream_from_thread(fixture->plane, 1, 0, &frame, 1), 1);
    turn_round(frame);
    if (stream_to_thread(fixture->plane, 1, 0, &frame, 1) == 1)
        return true;
    rte_pktmbuf_free(frame);
    return false;
}

bool stream_fixture_hears(struct stream_fixture *fixture, struct client_key *ret_client)
{
    struct stream_news news;

    if (!stream_news_receive(fixture->plane, 0, &news))
        return false;
    *ret_client = news.client;
    return true;
}

size_t stream_fixture_stun(uint8_t *ret_bytes, uint16_t type)
{
    memset(ret_bytes, 0, STUN_HEADER_LEN);
    store_be16(ret_bytes, type);
    store_be32(ret_bytes + 4, STUN_MAGIC_COOKIE);
    return STUN_HEADER_LEN;
}

size_t stream_fixture_channel_data(uint8_t *ret_bytes, uint16_t channel, size_t payload_len)
{
    channel_data_write_header(ret_bytes, channel, (uint16_t)payload_len);
    for (size_t i = 0; i < payload_len; i++)
        ret_bytes[CHANNEL_DATA_HEADER_LEN + i] = (uint8_t)(i * 7 + i / 256);
    return CHANNEL_DATA_HEADER_LEN + payload_len;
}

const struct stream_counters *stream_fixture_counters(const struct stream_fixture *fixture)
{
    return stream_thread_counters(fixture->thread);
}

int stream_fixture_connect_tcp(struct stream_fixture *fixture, struct client_key *ret_client)
{
    int fd = stream_fixture_connect(fixture, STREAM_FIXTURE_TCP);

    *ret_client = stream_fixture_client(fixture, STREAM_FIXTURE_TCP, fd);
    return fd;
}

void stream_fixture_takes(struct stream_fixture *fixture, const struct client_key *client,
                          const void *message, size_t len)
{
    static uint8_t bytes[65536];
    struct client_key from;

    assert_int_equal(stream_fixture_take(fixture, bytes, &from), len);
    assert_memory_equal(bytes, message, len);
    assert_memory_equal(&from, client, sizeof(from));
}

void stream_fixture_takes_nothing(struct stream_fixture *fixture)
{
    static uint8_t bytes[65536];
    struct client_key from;

    assert_int_equal(stream_fixture_take(fixture, bytes, &from), 0);
}

void stream_fixture_allocate(struct stream_fixture *fixture, const struct client_key *client)
{
    uint8_t message[64];
    size_t len = stream_fixture_stun(message, 0x0103);

    assert_true(stream_fixture_give(fixture, client, message, len));
    stream_fixture_run(fixture);
}
