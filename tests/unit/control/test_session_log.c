// SPDX-License-Identifier: BSD-3-Clause
// control/session_log.h, with a file in a directory of the test's own.
#include "control/session_log.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 10000

static char directory[] = "/tmp/test_session_log.XXXXXX";
static char path[64], moved_path[64], realm[] = "example.org";
static struct settings settings;
static struct turn_allocation_view view;
static const struct allocation_traffic traffic = {1, 20, 300, 4000};

int clock_gettime(clockid_t id, struct timespec *time)
{
    // The real one is for those who wait.
    *time = (struct timespec){.tv_sec = 1795248000, .tv_nsec = 500000000};
    if (id != CLOCK_REALTIME)
        return timespec_get(time, TIME_UTC) == TIME_UTC ? 0 : -1;
    return 0;
}

uint64_t clock_monotonic_ms(void)
{
    return 100000;
}

static int make_directory(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/sessions", directory);
    snprintf(moved_path, sizeof(moved_path), "%s/sessions.1", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

static struct transport_address address(const char *text)
{
    struct transport_address parsed;

    assert_int_equal(transport_address_parse(text, &parsed), 0);
    return parsed;
}

static int set_up(void **state)
{
    (void)state;
    settings = (struct settings){
        .realm = realm,
        .session_log = {.to = SESSION_LOG_TO_FILE, .file = path, .format = LOG_FORMAT_JSON},
    };
    view = (struct turn_allocation_view){
        .session_id = 0x1200000003,
        .id = 3,
        .five_tuple = {.client = address("192.0.2.1:1000"),
                       .server = address("203.0.113.1:3478"),
                       .transport = FIVE_TUPLE_DTLS},
        .username = "alice",
        .relayed_v4 = address("203.0.113.1:50000"),
        .started_ms = 98000,
    };
    unlink(path);
    log_set_level(LOG_LEVEL_ERROR);
    return 0;
}

static struct session_log *make(void)
{
    const struct session_log_config config = {&settings, 16};
    struct session_log *log;

    assert_int_equal(session_log_create(&config, &log), 0);
    assert_int_equal(session_log_start(log), 0);
    return log;
}

static const char *read_file(const char *name)
{
    static char text[4096];
    FILE *file = fopen(name, "r");

    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    unlink(name);
    return text;
}

static void the_line_says_all_there_is_to_say(void **state)
{
    struct session_log *log = make();

    (void)state;
    assert_true(session_log_is_wanted(log));
    session_log_ended(log, &view, TURN_END_EXPIRED);
    view.username = "somebody else"; // it was borrowed
    session_log_carried(log, 3, &traffic);
    session_log_destroy(log, WAIT_MS);
    assert_string_equal(
        read_file(path),
        "{\"time\":\"2026-11-21T08:00:00.500Z\",\"level\":\"info\",\"event\":\"session_ended\","
        "\"session\":\"0000001200000003\",\"user\":\"alice\",\"realm\":\"example.org\","
        "\"client\":\"192.0.2.1:1000\",\"server\":\"203.0.113.1:3478\",\"transport\":\"dtls\","
        "\"peers\":\"udp\",\"relayed\":\"203.0.113.1:50000\","
        "\"started\":\"2026-11-21T07:59:58.500Z\",\"duration_s\":2.0,\"reason\":\"expired\","
        "\"to_peer_packets\":1,\"to_peer_bytes\":20,\"to_client_packets\":300,"
        "\"to_client_bytes\":4000}\n");
}

static void a_text_line_says_the_same(void **state)
{
    struct session_log *log;

    (void)state;
    settings.session_log.format = LOG_FORMAT_TEXT;
    view.relayed_v6 = address("[2001:db8::1]:50001");
    view.username = "a\nb";
    log = make();
    session_log_ended(log, &view, TURN_END_KILLED);
    session_log_carried(log, 3, &traffic);
    session_log_destroy(log, WAIT_MS);
    assert_string_equal(read_file(path),
                        "2026-11-21T08:00:00.500Z info session_ended session=0000001200000003 "
                        "user=\"a\\nb\" realm=example.org client=192.0.2.1:1000 "
                        "server=203.0.113.1:3478 transport=dtls peers=udp "
                        "relayed=203.0.113.1:50000 relayed_v6=[2001:db8::1]:50001 "
                        "started=2026-11-21T07:59:58.500Z duration_s=2.0 reason=killed "
                        "to_peer_packets=1 to_peer_bytes=20 to_client_packets=300 "
                        "to_client_bytes=4000\n");
}

static void a_tcp_allocation_has_connections_and_no_packets(void **state)
{
    const struct session_log_tcp_traffic carried = {2, 30, 40};
    struct session_log *log = make();
    struct session_record *record;
    const char *line;

    (void)state;
    view.is_tcp = true;
    assert_null(session_log_take(log, 3)); // it lives
    session_log_ended(log, &view, TURN_END_DISCONNECTED);
    record = session_log_take(log, 3);
    assert_non_null(record);
    assert_null(session_log_take(log, 3));
    session_log_ended(log, &view, TURN_END_DELETED); // the next one of that id
    session_log_carried_tcp(log, record, &carried);
    free(session_log_take(log, 3));
    session_log_destroy(log, WAIT_MS);
    line = read_file(path);
    assert_non_null(strstr(line, "\"peers\":\"tcp\""));
    assert_non_null(strstr(line, "\"reason\":\"disconnected\",\"tcp_connections\":2,"
                                 "\"to_peer_bytes\":30,\"to_client_bytes\":40}\n"));
}

static void what_nobody_reports_on_is_lost_and_counted(void **state)
{
    struct session_log *log = make();

    (void)state;
    session_log_carried(log, 5, &traffic); // which has not ended, as far as we know
    session_log_ended(log, &view, TURN_END_SHUT_DOWN);
    assert_int_equal(session_log_lost_count(log), 0);
    session_log_destroy(log, WAIT_MS);
    assert_string_equal(read_file(path), "");
}

static void a_full_disk_is_counted(void **state)
{
    static char full[] = "/dev/full";
    struct session_log *log;

    (void)state;
    settings.session_log.file = full;
    log = make();
    for (unsigned i = 0; i < 3; i++) {
        session_log_ended(log, &view, TURN_END_EXPIRED);
        session_log_carried(log, 3, &traffic);
    }
    for (unsigned i = 0; i < 10000 && session_log_lost_count(log) < 3; i++)
        usleep(1000);
    assert_int_equal(session_log_lost_count(log), 3);
    session_log_destroy(log, WAIT_MS);
}

static void a_file_that_was_moved_is_made_anew(void **state)
{
    struct session_log *log = make();

    (void)state;
    assert_int_equal(rename(path, moved_path), 0);
    session_log_reopen(log);
    for (unsigned i = 0; i < 10000 && access(path, F_OK) < 0; i++)
        usleep(1000);
    session_log_ended(log, &view, TURN_END_EXPIRED);
    session_log_carried(log, 3, &traffic);
    session_log_destroy(log, WAIT_MS);
    assert_string_equal(read_file(moved_path), "");
    assert_non_null(strstr(read_file(path), "session_ended"));
}

static void without_one_nothing_is_kept(void **state)
{
    struct session_log *log;

    (void)state;
    settings.session_log.to = SESSION_LOG_TO_NONE;
    log = make();
    assert_false(session_log_is_wanted(log));
    session_log_ended(log, &view, TURN_END_EXPIRED);
    assert_null(session_log_take(log, 3));
    // But for whoever looks closely.
    log_set_subsystem_level(LOG_SESSIONS, LOG_LEVEL_DEBUG);
    session_log_ended(log, &view, TURN_END_EXPIRED);
    free(session_log_take(log, 3));
    session_log_destroy(log, WAIT_MS);
    assert_int_equal(access(path, F_OK), -1);
}

static void a_file_that_cannot_be_made_is_an_error(void **state)
{
    static char nowhere[] = "/nowhere/at/all";
    const struct session_log_config config = {&settings, 16};
    struct session_log *log;

    (void)state;
    settings.session_log.file = nowhere;
    assert_int_equal(session_log_create(&config, &log), -ENOENT);
}

#define CASE(test) cmocka_unit_test_setup(test, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_line_says_all_there_is_to_say),
        CASE(a_text_line_says_the_same),
        CASE(a_tcp_allocation_has_connections_and_no_packets),
        CASE(what_nobody_reports_on_is_lost_and_counted),
        CASE(a_full_disk_is_counted),
        CASE(a_file_that_was_moved_is_made_anew),
        CASE(without_one_nothing_is_kept),
        CASE(a_file_that_cannot_be_made_is_an_error),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
