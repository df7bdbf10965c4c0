// SPDX-License-Identifier: BSD-3-Clause
// Claims about what is answered to whom, and what is said when addresses cannot be had. The HTTP
// server and the page are fakes.
#include "control/monitor.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/drain.h"
#include "control/http_access.h"
#include "control/http_server.h"
#include "control/watchdog.h"

#include <errno.h>
#include <event2/buffer.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct http_server_config http;
static unsigned listening;
static int listen_error; // for addresses of IPv6
static uint64_t now_ms;
static uint64_t now_us;
static bool wants_token;
static struct metrics_pages pages_said;
static char logged[1024];

int http_server_create(const struct http_server_config *config, struct http_server **ret_server)
{
    http = *config;
    listening = 0;
    *ret_server = (struct http_server *)&http;
    return 0;
}

void http_server_destroy(struct http_server *server)
{
    assert_ptr_equal(server, &http);
    http = (struct http_server_config){};
}

int http_server_listen(struct http_server *server, const struct transport_address *address)
{
    assert_ptr_equal(server, &http);
    assert_int_equal(address->port, 9641);
    if (address->ip.family == IP_FAMILY_V6 && listen_error)
        return listen_error;
    listening++;
    return 0;
}

uint64_t clock_monotonic_ms(void)
{
    return now_ms;
}

// A page takes some time.
uint64_t clock_monotonic_us(void)
{
    return now_us += 7;
}

bool http_access_allows(const struct http_access *access, const char *authorization)
{
    (void)access;
    return !wants_token || (authorization && strcmp(authorization, "Bearer good") == 0);
}

void log_message(enum log_level level, const char *event, const char *format, ...)
{
    va_list arguments;

    assert_int_equal(level, LOG_LEVEL_ERROR);
    assert_string_equal(event, "metrics_listen");
    va_start(arguments, format);
    vsnprintf(logged, sizeof(logged), format, arguments);
    va_end(arguments);
}

void metrics_write(const struct metrics_sources *sources, const struct metric_page *page)
{
    assert_non_null(sources->plane);
    pages_said = *sources->pages;
    evbuffer_add_printf(page->text, "the page %d", page->format);
}

static unsigned stuck; // a bit for each worker
static bool is_late;
static bool has_room;

bool watchdog_worker_is_stuck(const struct watchdog *watchdog, uint16_t worker)
{
    (void)watchdog;
    return stuck & 1u << worker;
}

unsigned watchdog_stuck_count(const struct watchdog *watchdog)
{
    (void)watchdog;
    return (unsigned)__builtin_popcount(stuck);
}

bool watchdog_is_late(const struct watchdog *watchdog, uint64_t time_ms)
{
    (void)watchdog;
    assert_int_equal(time_ms, now_ms);
    return is_late;
}

bool turn_server_has_room(const struct turn_server *server)
{
    (void)server;
    return has_room;
}

static bool is_draining;

void drain_get_view(const struct drain *drain, struct drain_view *ret_view)
{
    (void)drain;
    *ret_view = (struct drain_view){.is_draining = is_draining};
}

const char *drain_format(const struct drain_view *view, char *text)
{
    assert_true(view->is_draining);
    return strcpy(text, "draining: of some kind");
}

static struct plane plane = {.config.worker_count = 3};

static int create(const char *second, struct monitor **ret_monitor)
{
    struct ip_address addresses[2] = {{.family = IP_FAMILY_V4, .bytes = {127, 0, 0, 1}}};
    const struct setting_list list = {addresses, 2};
    const struct monitor_config config = {
        .addresses = &list, .port = 9641, .sources = {.plane = &plane}};

    logged[0] = '\0';
    assert_int_equal(ip_address_parse(second, &addresses[1]), 0);
    return monitor_create(&config, ret_monitor);
}

static int set_up(void **state)
{
    struct monitor *monitor;

    now_ms = 1000000;
    listen_error = 0;
    stuck = 0;
    is_late = false;
    has_room = true;
    is_draining = false;
    if (create("::1", &monitor) < 0)
        return -1;
    *state = monitor;
    return 0;
}

static int tear_down(void **state)
{
    monitor_destroy(*state);
    return http.answer ? -1 : 0;
}

// What is answered, and the status.
static unsigned ask_with(const struct http_question *question, char ret_text[256],
                         struct http_answer *ret_answer)
{
    struct evbuffer *body = evbuffer_new();
    int len;

    http.answer(http.context, question, body, ret_answer);
    len = evbuffer_remove(body, ret_text, 255);
    assert_true(len >= 0);
    ret_text[len] = '\0';
    evbuffer_free(body);
    return ret_answer->status;
}

static unsigned ask(const char *path, const char *accept, char ret_text[256],
                    struct http_answer *ret_answer)
{
    const struct http_question question = {.path = path, .accept = accept};

    return ask_with(&question, ret_text, ret_answer);
}

static void metrics_are_for_those_with_a_token(void **state)
{
    const struct http_question good = {.path = "/metrics", .authorization = "Bearer good"};
    const struct http_question bad = {.path = "/metrics", .authorization = "Bearer bad"};
    struct http_answer answer;
    char text[256];

    (void)state;
    wants_token = true;
    assert_int_equal(ask("/metrics", NULL, text, &answer), 401);
    assert_string_equal(answer.authenticate, "Bearer realm=\"metrics\"");
    assert_int_equal(ask_with(&bad, text, &answer), 401);
    assert_string_equal(answer.authenticate, "Bearer realm=\"metrics\", error=\"invalid_token\"");
    assert_null(strstr(text, "the page"));
    assert_int_equal(ask_with(&good, text, &answer), 200);
    assert_string_equal(text, "the page 0");
    assert_null(answer.authenticate);
    // Health is no secret.
    assert_int_equal(ask("/healthz", NULL, text, &answer), 200);
    assert_int_equal(ask("/readyz", NULL, text, &answer), 200);
    wants_token = false;
}

// Nor do they keep others from them.
static void what_became_of_pages_is_counted(void **state)
{
    const struct http_question bad = {.path = "/metrics", .authorization = "Bearer bad"};
    struct http_answer answer;
    char text[256];

    (void)state;
    wants_token = true;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(ask_with(&bad, text, &answer), 401);
    wants_token = false;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(ask("/metrics", NULL, text, &answer), 200);
    assert_int_equal(pages_said.refused_token, 100);
    assert_int_equal(pages_said.served, 3);
    assert_int_equal(pages_said.time_us, 14); // without the one under way
    while (ask("/metrics", NULL, text, &answer) == 200)
        ;
    now_ms += 50;
    assert_int_equal(ask("/metrics", NULL, text, &answer), 200);
    assert_int_equal(pages_said.refused_pace, 1);
}

static void metrics_come_in_the_form_that_is_asked_for(void **state)
{
    struct http_answer answer;
    char text[256];

    (void)state;
    assert_int_equal(listening, 2);
    assert_int_equal(ask("/metrics", NULL, text, &answer), 200);
    assert_string_equal(text, "the page 0");
    assert_string_equal(answer.content_type, metric_format_type(METRIC_FORMAT_TEXT));
    assert_int_equal(ask("/metrics", "application/openmetrics-text", text, &answer), 200);
    assert_string_equal(text, "the page 1");
    assert_string_equal(answer.content_type, metric_format_type(METRIC_FORMAT_OPENMETRICS));
}

static void other_paths_are_told_what_there_is(void **state)
{
    static const char *const paths[] = {"/", "", "/metrics/", "/Metrics", "/metrics2", "//metrics"};
    struct http_answer answer;
    char text[256];

    (void)state;
    for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(ask(paths[i], NULL, text, &answer), 404);
        assert_non_null(strstr(text, "/metrics"));
    }
}

static void who_is_stuck_is_unhealthy(void **state)
{
    struct http_answer answer;
    char text[256];

    (void)state;
    assert_int_equal(ask("/healthz", NULL, text, &answer), 200);
    assert_string_equal(text, "healthy\n");
    stuck = 1u << 0 | 1u << 2;
    assert_int_equal(ask("/healthz", NULL, text, &answer), 503);
    assert_string_equal(text, "worker 0 is stuck\nworker 2 is stuck\n");
    assert_int_equal(ask("/readyz", NULL, text, &answer), 503);
    stuck = 0;
    is_late = true;
    assert_int_equal(ask("/healthz", NULL, text, &answer), 503);
    assert_string_equal(text, "the control thread was stuck\n");
}

static void who_has_no_room_is_healthy_and_not_ready(void **state)
{
    struct http_answer answer;
    char text[256];

    (void)state;
    assert_int_equal(ask("/readyz", NULL, text, &answer), 200);
    assert_string_equal(text, "ready\n");
    has_room = false;
    assert_int_equal(ask("/readyz", NULL, text, &answer), 503);
    assert_string_equal(text, "no room for another allocation\n");
    assert_int_equal(ask("/healthz", NULL, text, &answer), 200);
}

static void who_drains_is_healthy_and_not_ready_and_says_why(void **state)
{
    struct http_answer answer;
    char text[256];

    (void)state;
    is_draining = true;
    assert_int_equal(ask("/readyz", NULL, text, &answer), 503);
    assert_string_equal(text, "draining: of some kind\n");
    assert_int_equal(ask("/healthz", NULL, text, &answer), 200);
    has_room = false;
    assert_int_equal(ask("/readyz", NULL, text, &answer), 503);
    assert_string_equal(text, "draining: of some kind\nno room for another allocation\n");
    has_room = true;
    is_draining = false;
    assert_int_equal(ask("/readyz", NULL, text, &answer), 200);
}

// Probes come in whatever number a machine has of them.
static void health_is_not_counted_out(void **state)
{
    struct http_answer answer;
    char text[256];

    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(ask("/healthz", NULL, text, &answer), 200);
}

static void pages_are_counted_out(void **state)
{
    struct http_answer answer;
    char text[256];
    unsigned pages = 0;

    (void)state;
    while (ask("/metrics", NULL, text, &answer) == 200)
        pages++;
    assert_int_equal(pages, 40);
    assert_int_equal(answer.status, 429);
    assert_string_equal(answer.retry_after, "1");
    now_ms += 1000;
    for (pages = 0; ask("/metrics", NULL, text, &answer) == 200;)
        pages++;
    assert_int_equal(pages, 20);
    now_ms += 1000000;
    for (pages = 0; ask("/metrics", NULL, text, &answer) == 200;)
        pages++;
    assert_int_equal(pages, 40);
}

static void a_machine_without_ipv6_does_without_its_loopback(void **state)
{
    struct monitor *monitor;

    (void)state;
    listen_error = -EADDRNOTAVAIL;
    assert_int_equal(create("::1", &monitor), 0);
    assert_int_equal(listening, 1);
    monitor_destroy(monitor);
    listen_error = -EAFNOSUPPORT;
    assert_int_equal(create("::1", &monitor), 0);
    monitor_destroy(monitor);
    assert_string_equal(logged, "");
    assert_int_equal(create("2001:db8::1", &monitor), -EAFNOSUPPORT);
}

static void an_error_says_the_address_and_what_to_do(void **state)
{
    struct monitor *monitor = NULL;

    (void)state;
    listen_error = -EADDRINUSE;
    assert_int_equal(create("::1", &monitor), -EADDRINUSE);
    assert_string_equal(logged, "cannot listen on [::1]:9641: Address already in use; another "
                                "program has it: set metrics_port to another port, or "
                                "metrics_listen = [] to serve no metrics");
    listen_error = -EADDRNOTAVAIL;
    assert_int_equal(create("2001:db8::1", &monitor), -EADDRNOTAVAIL);
    assert_non_null(strstr(logged, "no interface has that address: set metrics_listen to one"));
    listen_error = -EACCES;
    assert_int_equal(create("2001:db8::1", &monitor), -EACCES);
    assert_non_null(strstr(logged, "CAP_NET_BIND_SERVICE"));
    assert_null(monitor);
    assert_null(http.answer);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(metrics_come_in_the_form_that_is_asked_for),
        CASE(metrics_are_for_those_with_a_token),
        CASE(what_became_of_pages_is_counted),
        CASE(other_paths_are_told_what_there_is),
        CASE(who_is_stuck_is_unhealthy),
        CASE(who_has_no_room_is_healthy_and_not_ready),
        CASE(who_drains_is_healthy_and_not_ready_and_says_why),
        CASE(health_is_not_counted_out),
        CASE(pages_are_counted_out),
        cmocka_unit_test(a_machine_without_ipv6_does_without_its_loopback),
        cmocka_unit_test(an_error_says_the_address_and_what_to_do),
    };

    return cmocka_run_group_tests_name("control/monitor", tests, NULL, NULL);
}
