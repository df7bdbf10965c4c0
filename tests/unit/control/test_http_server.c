// SPDX-License-Identifier: BSD-3-Clause
// Claims about the HTTP server, over the loopback interface: what it answers, and that nothing that
// comes takes more than it may.
#include "control/http_server.h"

#include "base/clock.h"
#include "control/http_access.h"
#include "tls_fixture.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define ANSWER_LEN (32 << 20) // of /large: more than sockets take

// The clock of the server, which tests turn.
static uint64_t now_ms;

uint64_t clock_monotonic_ms(void)
{
    return now_ms;
}

static SSL_CTX *context; // NULL: no TLS
static bool wants_memory;

bool http_access_has_tls(const struct http_access *access)
{
    assert_null(access);
    return context;
}

SSL *http_access_new_ssl(const struct http_access *access)
{
    assert_null(access);
    return wants_memory ? NULL : SSL_new(context);
}

static bool wants_files;
static unsigned accept_calls;

// libevent's calls, too.
int accept4(int fd, struct sockaddr *name, socklen_t *len, int flags)
{
    accept_calls++;
    if (!wants_files)
        return (int)syscall(SYS_accept4, fd, name, len, flags);
    errno = EMFILE;
    return -1;
}

struct fixture {
    struct event_base *base;
    struct http_server *server;
    struct transport_address address;
    char accept[64]; // of the last request
    char authorization[64];
    unsigned answers;
};

static void answer(void *argument, const struct http_question *question, struct evbuffer *body,
                   struct http_answer *ret_answer)
{
    struct fixture *fixture = argument;
    const char *path = question->path;

    fixture->answers++;
    snprintf(fixture->accept, sizeof(fixture->accept), "%s",
             question->accept ? question->accept : "none");
    snprintf(fixture->authorization, sizeof(fixture->authorization), "%s",
             question->authorization ? question->authorization : "none");
    *ret_answer = (struct http_answer){.status = 200, .content_type = "text/plain"};
    if (strcmp(path, "/large") == 0) {
        char *large = calloc(1, ANSWER_LEN);

        assert_non_null(large);
        evbuffer_add(body, large, ANSWER_LEN);
        free(large);
    } else if (strcmp(path, "/busy") == 0) {
        *ret_answer =
            (struct http_answer){.status = 429, .content_type = "text/plain", .retry_after = "1"};
    } else if (strcmp(path, "/secret") == 0) {
        *ret_answer = (struct http_answer){
            .status = 401, .content_type = "text/plain", .authenticate = "Bearer"};
    } else {
        evbuffer_add_printf(body, "you asked for %s", path);
    }
}

// A port that is free, as far as can be known.
static uint16_t free_port(void)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(name);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&name, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
    close(fd);
    return ntohs(name.sin_port);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const struct http_server_config config = {
        .base = event_base_new(), .answer = answer, .context = fixture};

    if (!fixture)
        return -1;
    now_ms = 1000;
    wants_memory = false;
    fixture->base = config.base;
    if (http_server_create(&config, &fixture->server) < 0)
        return -1;
    fixture->address = (struct transport_address){
        .ip = {.family = IP_FAMILY_V4, .bytes = {127, 0, 0, 1}}, .port = free_port()};
    *state = fixture;
    return http_server_listen(fixture->server, &fixture->address);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    http_server_destroy(fixture->server);
    event_base_free(fixture->base);
    free(fixture);
    return 0;
}

static int connect_to(const struct fixture *fixture)
{
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                               .sin_port = htons(fixture->address.port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    return fd;
}

// For as long as that on the real clock.
static void run_for_ms(const struct fixture *fixture, unsigned ms)
{
    const struct timeval interval = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    event_base_loopexit(fixture->base, &interval);
    event_base_dispatch(fixture->base);
}

// What comes until the server closes, as text. False: it has not closed.
static bool receive_all(const struct fixture *fixture, int fd, char *ret_text, size_t text_len)
{
    size_t len = 0;

    for (unsigned i = 0; i < 200; i++) {
        char bytes[65536];
        ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

        if (got == 0 || (got < 0 && errno == ECONNRESET)) {
            ret_text[len] = '\0';
            return true;
        }
        if (got < 0) {
            run_for_ms(fixture, 5);
            continue;
        }
        i = 0;
        for (ssize_t at = 0; at < got && len < text_len - 1; at++)
            ret_text[len++] = bytes[at];
    }
    ret_text[len] = '\0';
    return false;
}

static void ask(const struct fixture *fixture, const char *request, char ret_text[4096])
{
    int fd = connect_to(fixture);

    assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
    if (!receive_all(fixture, fd, ret_text, 4096))
        fail_msg("not closed after: %s", ret_text);
    close(fd);
}

static void answers_a_get_and_closes(void **state)
{
    struct fixture *fixture = *state;
    char text[4096];

    ask(fixture, "GET /page?name=x HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\n\r\n", text);
    assert_true(strncmp(text, "HTTP/1.1 200 OK\r\n", 17) == 0);
    assert_non_null(strstr(text, "\r\nContent-Length: 19\r\n"));
    assert_non_null(strstr(text, "\r\nContent-Type: text/plain\r\n"));
    assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
    assert_non_null(strstr(text, "\r\n\r\nyou asked for /page"));
    assert_string_equal(fixture->accept, "text/plain");
    ask(fixture, "GET / HTTP/1.0\r\n\r\n", text);
    assert_non_null(strstr(text, "you asked for /"));
    assert_string_equal(fixture->accept, "none");
    assert_string_equal(fixture->authorization, "none");
}

static void who_must_prove_something_is_told_what(void **state)
{
    const struct fixture *fixture = *state;
    char text[4096];

    ask(fixture, "GET /secret HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\r\n", text);
    assert_true(strncmp(text, "HTTP/1.1 401 ", 13) == 0);
    assert_non_null(strstr(text, "\r\nWWW-Authenticate: Bearer\r\n"));
    assert_string_equal(fixture->authorization, "Bearer x");
}

static void a_head_is_answered_without_the_content(void **state)
{
    const struct fixture *fixture = *state;
    char text[4096];

    ask(fixture, "HEAD /page HTTP/1.1\r\nHost: a\r\n\r\n", text);
    assert_true(strncmp(text, "HTTP/1.1 200 OK\r\n", 17) == 0);
    assert_non_null(strstr(text, "\r\nContent-Length: 19\r\n"));
    assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
}

static void other_methods_are_told_which_there_are(void **state)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"};
    const struct fixture *fixture = *state;

    for (unsigned i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        char request[256], text[4096];

        snprintf(request, sizeof(request),
                 "%s /page HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", methods[i]);
        ask(fixture, request, text);
        if (strncmp(text, "HTTP/1.1 405 ", 13) != 0)
            fail_msg("%s: %s", methods[i], text);
        assert_non_null(strstr(text, "\r\nAllow: GET, HEAD\r\n"));
    }
    assert_int_equal(fixture->answers, 0);
}

static void an_answer_may_say_when_to_come_again(void **state)
{
    const struct fixture *fixture = *state;
    char text[4096];

    ask(fixture, "GET /busy HTTP/1.1\r\nHost: a\r\n\r\n", text);
    assert_true(strncmp(text, "HTTP/1.1 429 ", 13) == 0);
    assert_non_null(strstr(text, "\r\nRetry-After: 1\r\n"));
}

static void garbage_is_refused(void **state)
{
    static const char *const requests[] = {
        "\r\n\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\x16\x03\x01\x02\x01\x01\x01\xfc\x03\x03\n\n",
        "BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n",
    };
    struct fixture *fixture = *state;

    for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        int fd = connect_to(fixture);
        char text[4096];

        assert_true(send(fd, requests[i], strlen(requests[i]), MSG_NOSIGNAL) > 0);
        shutdown(fd, SHUT_WR);
        assert_true(receive_all(fixture, fd, text, sizeof(text)));
        if (strstr(text, " 200 "))
            fail_msg("request %u: %s", i, text);
        close(fd);
    }
    assert_int_equal(fixture->answers, 0);
}

static void a_request_that_never_ends_is_refused(void **state)
{
    static const char *const starts[] = {
        "GET /", "GET / HTTP/1.1\r\nX: ", "POST / HTTP/1.1\r\nContent-Length: 4000000000\r\n\r\n"};
    struct fixture *fixture = *state;

    for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        int fd = connect_to(fixture);
        char filler[1024], text[4096];
        size_t sent = 0;

        memset(filler, 'a', sizeof(filler));
        assert_true(send(fd, starts[i], strlen(starts[i]), MSG_NOSIGNAL) > 0);
        for (unsigned round = 0; round < 200; round++) {
            ssize_t len = send(fd, filler, sizeof(filler), MSG_DONTWAIT | MSG_NOSIGNAL);

            if (len < 0 && errno != EAGAIN)
                break;
            sent += len > 0 ? (size_t)len : 0;
            run_for_ms(fixture, 1);
        }
        assert_in_range(sent, 1, 199 * sizeof(filler));
        receive_all(fixture, fd, text, sizeof(text));
        close(fd);
    }
    assert_int_equal(fixture->answers, 0);
}

static void a_large_answer_comes_whole(void **state)
{
    struct fixture *fixture = *state;
    static const char request[] = "GET /large HTTP/1.1\r\nHost: a\r\n\r\n";
    static char text[ANSWER_LEN + 4096];
    int fd = connect_to(fixture);
    const char *end;
    size_t len = 0;

    assert_true(send(fd, request, strlen(request), 0) > 0);
    memset(text, 1, sizeof(text));
    assert_true(receive_all(fixture, fd, text, sizeof(text)));
    end = strstr(text, "\r\n\r\n");
    assert_non_null(end);
    for (end += 4; end < text + sizeof(text) && *end == 0; end++)
        len++;
    assert_in_range(len, ANSWER_LEN, ANSWER_LEN + 1);
    close(fd);
}

static void who_does_not_read_is_cut_off(void **state)
{
    struct fixture *fixture = *state;
    static const char request[] = "GET /large HTTP/1.1\r\nHost: a\r\n\r\n";
    static char text[ANSWER_LEN + 4096];
    int fd = connect_to(fixture);

    assert_true(send(fd, request, strlen(request), 0) > 0);
    run_for_ms(fixture, 100);
    assert_int_equal(fixture->answers, 1);
    now_ms += HTTP_SERVER_AGE_MAX_MS;
    run_for_ms(fixture, 100);
    memset(text, 1, sizeof(text));
    assert_true(receive_all(fixture, fd, text, sizeof(text)));
    assert_true(strlen(text) < 4096);
    assert_int_equal(text[ANSWER_LEN - 1], 1);
    close(fd);
}

static void who_says_nothing_is_cut_off(void **state)
{
    struct fixture *fixture = *state;
    int fd = connect_to(fixture);
    char text[64];

    run_for_ms(fixture, 50);
    assert_int_equal(recv(fd, text, sizeof(text), MSG_DONTWAIT), -1);
    now_ms += HTTP_SERVER_AGE_MAX_MS - 1;
    run_for_ms(fixture, 50);
    assert_int_equal(recv(fd, text, sizeof(text), MSG_DONTWAIT), -1);
    now_ms += 1;
    assert_true(receive_all(fixture, fd, text, sizeof(text)));
    assert_string_equal(text, "");
    close(fd);
}

static unsigned count_files(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < 1024; fd++)
        count += lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF;
    return count;
}

// Who only connects does not keep out who asks.
static void a_flood_of_connections_makes_way(void **state)
{
    struct fixture *fixture = *state;
    unsigned before = count_files();
    int fds[200];
    char text[4096];

    for (unsigned i = 0; i < 200; i++) {
        fds[i] = connect_to(fixture);
        run_for_ms(fixture, 2);
        // Each has two ends.
        assert_in_range(count_files() - before - (i + 1), 0, HTTP_SERVER_CONNECTIONS_MAX);
    }
    ask(fixture, "GET /page HTTP/1.1\r\nHost: a\r\n\r\n", text);
    assert_non_null(strstr(text, "you asked for /page"));
    for (unsigned i = 0; i < 200; i++)
        close(fds[i]);
    run_for_ms(fixture, 100);
    assert_int_equal(count_files(), before);
}

// What waits to be accepted is not taken all at once.
static void a_burst_of_connections_is_taken_in_pieces(void **state)
{
    struct fixture *fixture = *state;
    unsigned before;
    int fds[30];

    for (unsigned i = 0; i < 30; i++)
        fds[i] = connect_to(fixture);
    before = count_files();
    event_base_loop(fixture->base, EVLOOP_ONCE);
    assert_int_equal(count_files() - before, 16);
    run_for_ms(fixture, 100);
    assert_int_equal(count_files() - before, 30);
    for (unsigned i = 0; i < 30; i++)
        close(fds[i]);
}

// Whoever waits then would have the thread look again at once.
static void a_want_of_file_descriptors_is_waited_out(void **state)
{
    static const char request[] = "GET /page HTTP/1.1\r\nHost: a\r\n\r\n";
    struct fixture *fixture = *state;
    int fd = connect_to(fixture);
    char text[4096];

    assert_true(send(fd, request, strlen(request), 0) > 0);
    wants_files = true;
    accept_calls = 0;
    run_for_ms(fixture, 1500);
    wants_files = false;
    assert_in_range(accept_calls, 1, 3);
    run_for_ms(fixture, 1500);
    assert_true(receive_all(fixture, fd, text, sizeof(text)));
    assert_non_null(strstr(text, "you asked for /page"));
    close(fd);
}

static void an_address_that_is_taken_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct transport_address elsewhere = {.ip = {.family = IP_FAMILY_V4, .bytes = {192, 0, 2, 1}},
                                          .port = 9};

    assert_int_equal(http_server_listen(fixture->server, &fixture->address), -EADDRINUSE);
    assert_int_equal(http_server_listen(fixture->server, &elsewhere), -EADDRNOTAVAIL);
}

static int set_up_tls(void **state)
{
    context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate_chain_file(context, tls_fixture_path("good.pem")), 1);
    assert_int_equal(
        SSL_CTX_use_PrivateKey_file(context, tls_fixture_path("good.key"), SSL_FILETYPE_PEM), 1);
    return set_up(state);
}

static int tear_down_tls(void **state)
{
    SSL_CTX_free(context);
    context = NULL;
    return tear_down(state);
}

// True: it is done, false: it failed.
static bool shake_hands(const struct fixture *fixture, SSL *ssl)
{
    for (unsigned i = 0; i < 400; i++) {
        int result = SSL_connect(ssl);

        if (result == 1)
            return true;
        if (SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ)
            return false;
        run_for_ms(fixture, 5);
    }
    return false;
}

static void ask_by_tls(const struct fixture *fixture, const char *request, char ret_text[4096])
{
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(client);
    int fd = connect_to(fixture), len = 0;

    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    assert_true(shake_hands(fixture, ssl));
    assert_int_equal(SSL_write(ssl, request, (int)strlen(request)), strlen(request));
    for (unsigned i = 0; i < 400 && len < 4095; i++) {
        int got = SSL_read(ssl, ret_text + len, 4095 - len);

        if (got > 0)
            len += got;
        else if (SSL_get_error(ssl, got) != SSL_ERROR_WANT_READ)
            break;
        else
            run_for_ms(fixture, 5);
    }
    ret_text[len] = '\0';
    SSL_free(ssl);
    SSL_CTX_free(client);
    close(fd);
}

static void tls_is_answered_in_tls(void **state)
{
    const struct fixture *fixture = *state;
    char text[4096];

    for (unsigned i = 0; i < 3; i++) {
        ask_by_tls(fixture, "GET /page HTTP/1.1\r\nHost: a\r\n\r\n", text);
        assert_true(strncmp(text, "HTTP/1.1 200 OK\r\n", 17) == 0);
        assert_non_null(strstr(text, "\r\n\r\nyou asked for /page"));
    }
}

static void assert_not_answered(struct fixture *fixture, int fd)
{
    static const char request[] = "GET /page HTTP/1.1\r\nHost: a\r\n\r\n";
    char text[4096];

    assert_true(send(fd, request, strlen(request), MSG_NOSIGNAL) > 0);
    assert_true(receive_all(fixture, fd, text, sizeof(text)));
    assert_null(strstr(text, "200"));
    assert_int_equal(fixture->answers, 0);
    close(fd);
}

// Whatever goes wrong: a token must not be asked for in the clear.
static void with_tls_nobody_is_answered_in_the_clear(void **state)
{
    struct fixture *fixture = *state;
    SSL_CTX *later = context;
    int fd = connect_to(fixture);

    assert_not_answered(fixture, connect_to(fixture));
    wants_memory = true;
    assert_not_answered(fixture, connect_to(fixture));
    wants_memory = false;
    close(fd);
    run_for_ms(fixture, 100);
    context = NULL;
    fd = connect_to(fixture);
    run_for_ms(fixture, 100);
    context = later;
    assert_not_answered(fixture, fd);
}

static void a_handshake_that_never_ends_is_cut_off(void **state)
{
    struct fixture *fixture = *state;
    static const char hello[] = "\x16\x03\x01\x02";
    int fd = connect_to(fixture);
    char text[64];

    assert_true(send(fd, hello, sizeof(hello) - 1, 0) > 0);
    run_for_ms(fixture, 50);
    assert_int_equal(recv(fd, text, sizeof(text), MSG_DONTWAIT), -1);
    now_ms += HTTP_SERVER_AGE_MAX_MS;
    assert_true(receive_all(fixture, fd, text, sizeof(text)));
    close(fd);
}

// They cost far more than connections do.
static void handshakes_are_taken_one_by_one(void **state)
{
    struct fixture *fixture = *state;
    unsigned before;
    int fds[10];
    char text[4096];

    for (unsigned i = 0; i < 10; i++)
        fds[i] = connect_to(fixture);
    before = count_files();
    event_base_loop(fixture->base, EVLOOP_ONCE);
    assert_int_equal(count_files() - before, 1);
    for (unsigned round = 2; round < 10; round++) {
        event_base_loop(fixture->base, EVLOOP_ONCE);
        assert_true(count_files() - before <= round);
    }
    ask_by_tls(fixture, "GET /page HTTP/1.1\r\nHost: a\r\n\r\n", text);
    assert_non_null(strstr(text, "you asked for /page"));
    for (unsigned i = 0; i < 10; i++)
        close(fds[i]);
}

static int set_up_files(void **state)
{
    const struct tls_fixture_certificate certificate = {.names = "DNS:metrics.example.org"};

    (void)state;
    tls_fixture_init();
    tls_fixture_write("good", &certificate);
    return 0;
}

static int tear_down_files(void **state)
{
    (void)state;
    tls_fixture_done();
    return 0;
}

static void connections_end_with_the_server(void **state)
{
    struct fixture *fixture = *state;
    const struct http_server_config config = {
        .base = fixture->base, .answer = answer, .context = fixture};
    int fd = connect_to(fixture);
    char byte;

    run_for_ms(fixture, 50);
    http_server_destroy(fixture->server);
    run_for_ms(fixture, 50);
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
    close(fd);
    assert_int_equal(http_server_create(&config, &fixture->server), 0);
}

#define CASE(test)     cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define TLS_CASE(test) cmocka_unit_test_setup_teardown(test, set_up_tls, tear_down_tls)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(answers_a_get_and_closes),
        CASE(a_head_is_answered_without_the_content),
        CASE(other_methods_are_told_which_there_are),
        CASE(an_answer_may_say_when_to_come_again),
        CASE(garbage_is_refused),
        CASE(a_request_that_never_ends_is_refused),
        CASE(a_large_answer_comes_whole),
        CASE(who_does_not_read_is_cut_off),
        CASE(who_says_nothing_is_cut_off),
        CASE(a_flood_of_connections_makes_way),
        CASE(a_burst_of_connections_is_taken_in_pieces),
        CASE(a_want_of_file_descriptors_is_waited_out),
        CASE(an_address_that_is_taken_is_an_error),
        CASE(connections_end_with_the_server),
        CASE(who_must_prove_something_is_told_what),
        TLS_CASE(tls_is_answered_in_tls),
        TLS_CASE(with_tls_nobody_is_answered_in_the_clear),
        TLS_CASE(a_handshake_that_never_ends_is_cut_off),
        TLS_CASE(handshakes_are_taken_one_by_one),
    };

    // As in the relay.
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("control/http_server", tests, set_up_files, tear_down_files);
}
