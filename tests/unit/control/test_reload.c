// SPDX-License-Identifier: BSD-3-Clause
// Claims about a reload: all of a file or nothing, said in words; and what is in force afterwards.
// The TURN server, the users and the certificates are real; the workers and the clock are fakes.
#include "control/reload.h"

#include "base/clock.h"
#include "control/http_access.h"
#include "control/log_settings.h"
#include "control/service_manager.h"
#include "platform/privileges.h"
#include "tls_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define WORKERS 2

static struct {
    uint64_t now_ms;
    uint64_t wall_s;
    struct command commands[64];
    unsigned command_count;
    int level;
    unsigned ktls_loads;
    char told[16]; // the service manager: r(eloading), R(eady)
} fake;

static struct settings settings;
static struct interface interface;
static struct plane plane;
static struct turn_state turn;
static struct tls_contexts *tls;
static struct http_access *access_to_metrics;
static struct reload *reload;

uint64_t clock_monotonic_ms(void)
{
    return fake.now_ms;
}

uint64_t clock_wall_s(void)
{
    return fake.wall_s;
}

void service_manager_reloading(void)
{
    strcat(fake.told, "r");
}

void service_manager_ready(void)
{
    strcat(fake.told, "R");
}

void privileges_load_ktls(void)
{
    fake.ktls_loads++;
}

void log_settings_apply(const struct settings_log *log)
{
    fake.level = (int)log->level;
}

int plane_command_send(struct plane *to, uint16_t worker, const struct command *command)
{
    (void)to;
    assert_int_equal(worker, fake.command_count % WORKERS); // to all, in turn
    fake.commands[fake.command_count++] = *command;
    if (command->kind == COMMAND_SET_STATELESS)
        plane_policy_applied(&plane, worker);
    return 0;
}

static int refuse_to_listen(void *context, uint32_t allocation, struct turn_relayed_address address)
{
    (void)context;
    (void)allocation;
    (void)address;
    return -1;
}

#define USERS "users = ({name = \"alice\"; password = \"wonderland\";});\n"
#define BASE                                                                                       \
    "interface = \"eth0\";\nrealm = \"example.org\";\ntotal_quota = 100;\n"                        \
    "listen = ({address = \"192.0.2.1\";});\nrelay = ({address = \"192.0.2.1\";});\n"

static const char *with_certificate(const char *text, const char *certificate, const char *key)
{
    static char whole[2048];

    snprintf(whole, sizeof(whole),
             "%scertificates = ({certificate = \"%s\"; private_key = \"%s\";});\n", text,
             certificate, key);
    return whole;
}

static void make_turn(void)
{
    const struct turn_tcp_listener listener = {.listen = refuse_to_listen};
    const struct turn_limits limits = {
        .allocations = 100,
        .allocations_per_worker = 100,
        .permissions_per_worker = 100,
        .channels_per_worker = 100,
        .permissions_per_allocation = 10,
        .channels_per_allocation = 10,
        .default_lifetime_s = 600,
        .max_lifetime_s = 3600,
    };

    plane.config.worker_count = WORKERS;
    plane.config.relay_count = 1;
    plane.config.relays[0] = (struct plane_relay){.min_port = 49152, .max_port = 65535};
    assert_int_equal(ip_address_parse("192.0.2.1", &plane.config.relays[0].local), 0);
    plane.config.relays[0].advertised = plane.config.relays[0].local;
    assert_int_equal(turn_state_make_policy(&settings, &plane.config.stateless), 0);
    assert_int_equal(
        turn_state_init(&settings, &interface, &plane.config, &limits, &listener, &turn), 0);
}

static void start(const char *text)
{
    static char path[128];
    struct reload_config config = {
        .path = path,
        .settings = &settings,
        .interface = &interface,
        .plane = &plane,
        .turn = &turn,
    };

    memset(&fake, 0, sizeof(fake));
    memset(&plane, 0, sizeof(plane));
    fake.now_ms = 1000000;
    fake.wall_s = (uint64_t)time(NULL);
    snprintf(path, sizeof(path), "%s", tls_fixture_path("turnpike.conf"));
    tls_fixture_write_text("turnpike.conf", text);
    assert_int_equal(settings_load(path, stderr, &settings), 0);
    make_turn();
    assert_int_equal(tls_contexts_create(&settings, NULL, &tls), 0);
    config.tls = tls;
    assert_int_equal(http_access_create(&settings, &access_to_metrics), 0);
    config.http_access = access_to_metrics;
    assert_int_equal(reload_create(&config, &reload), 0);
    tls_fixture_logged("", "", ""); // and is forgotten
}

static int set_up(void **state)
{
    (void)state;
    start(with_certificate(BASE USERS, "first.pem", "first.key"));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    reload_destroy(reload);
    tls_contexts_destroy(tls);
    http_access_destroy(access_to_metrics);
    turn_state_done(&turn);
    settings_done(&settings);
    return 0;
}

static int set_up_files(void **state)
{
    const struct tls_fixture_certificate certificate = {.names = "DNS:turn.example.org"};

    (void)state;
    tls_fixture_init();
    tls_fixture_write("first", &certificate);
    tls_fixture_write("second", &certificate);
    tls_fixture_write_other_key("other", TLS_FIXTURE_EC);
    return 0;
}

static int tear_down_files(void **state)
{
    (void)state;
    tls_fixture_done();
    return 0;
}

static bool run(const char *text)
{
    tls_fixture_write_text("turnpike.conf", text);
    fake.command_count = 0;
    fake.told[0] = '\0';
    return reload_run(reload);
}

static const char *good(const char *more)
{
    static char text[1024];

    snprintf(text, sizeof(text), "%s%s", BASE USERS, more);
    return with_certificate(text, "first.pem", "first.key");
}

static enum peer_verdict verdict_of(const char *peer)
{
    struct ip_address ip;

    assert_int_equal(ip_address_parse(peer, &ip), 0);
    return peer_policy_check_ip(turn.peer_policy, &ip);
}

static void all_that_can_be_wrong_changes_nothing(void **state)
{
    const struct {
        const char *text;
        const char *error;
    } wrong[] = {
        {BASE USERS "user_quota = ;\n", "turnpike.conf:7: syntax error"},
        {BASE USERS "user_quota = 5;\ntotal_quota = 50;\n", "turnpike.conf:"},
        {BASE "users = ();\n", "nobody could use the relay"},
        {BASE USERS "allow_peer = [\"10.0.0.0/8\"];\nmax_lifetime = 90000;\n",
         "turnpike.conf:8: max_lifetime: 90000 is out of range; allowed: 1..86400 s"},
        {BASE USERS "deny_peer = [\"8.8.8.8/8\"];\n",
         "deny_peer: \"8.8.8.8/8\" is no prefix, or has bits set past its length; allowed:"},
        {BASE USERS "nonsense = 1;\n", "nonsense: is no setting"},
        {"", "realm"},
    };
    const struct credentials *credentials = turn.credentials;

    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(run(wrong[i].text));
        assert_true(tls_fixture_logged("error", "configuration", wrong[i].error));
        assert_int_equal(fake.command_count, 0);
        assert_ptr_equal(turn.credentials, credentials);
        assert_int_equal(settings.allow_peer.count, 0);
    }
    assert_false(run("x"));
    assert_true(tls_fixture_logged("error", "reload_refused", "nothing has changed"));
}

static void a_bad_certificate_keeps_users_and_peers_as_they_were(void **state)
{
    const struct credentials *credentials = turn.credentials;

    (void)state;
    assert_false(run(with_certificate(
        BASE
        "users = ({name = \"bob\"; password = \"builder\";});\nallow_peer = [\"10.0.0.0/8\"];\n",
        "second.pem", "other.key")));
    assert_true(tls_fixture_logged("error", "reload_refused", "nothing has changed"));
    assert_ptr_equal(turn.credentials, credentials);
    assert_int_equal(fake.command_count, 0);
    assert_int_equal(verdict_of("10.0.0.1"), PEER_DENIED_DEFAULT);
    assert_string_equal(((struct settings_user *)settings.users.items)[0].name, "alice");
}

static void a_bad_certificate_that_nobody_would_serve_is_one_too(void **state)
{
    (void)state;
    tear_down(state);
    start(BASE USERS);
    assert_false(run(with_certificate(BASE USERS "user_quota = 5;\n", "second.pem", "other.key")));
    assert_true(tls_fixture_logged("error", "reload_refused", "nothing has changed"));
    assert_int_equal(settings.user_quota, 0);
    assert_false(run(with_certificate(BASE USERS "user_quota = 5;\n", "second.pem", "second.key")));
    assert_true(tls_fixture_logged("warning", "setting_waits",
                                   "certificates: changed; takes effect at the next start"));
    assert_int_equal(settings.user_quota, 5);
    assert_false(tls_contexts_has_certificate(tls));
}

static void tokens_are_read_anew_or_not_at_all(void **state)
{
    (void)state;
    tls_fixture_write_text("tokens", "0123456789abcdef");
    assert_false(run(good("metrics_token_file = \"tokens\";")));
    assert_true(tls_fixture_logged("info", "setting_changed", "metrics_token_file: changed"));
    assert_true(http_access_allows(access_to_metrics, "Bearer 0123456789abcdef"));
    assert_false(http_access_allows(access_to_metrics, NULL));
    tls_fixture_write_text("tokens", "short");
    assert_false(run(good("metrics_token_file = \"tokens\"; user_quota = 3;")));
    assert_true(tls_fixture_logged("error", "metrics_token", "could be guessed"));
    assert_true(http_access_allows(access_to_metrics, "Bearer 0123456789abcdef"));
    tls_fixture_write_text("tokens", "fedcba9876543210");
    assert_false(run(good("metrics_token_file = \"tokens\";")));
    assert_false(http_access_allows(access_to_metrics, "Bearer 0123456789abcdef"));
    assert_true(http_access_allows(access_to_metrics, "Bearer fedcba9876543210"));
    // A certificate that comes after them and is bad keeps them.
    tls_fixture_write_text("tokens", "another0123456789");
    assert_false(run(with_certificate(BASE USERS "metrics_token_file = \"tokens\";\n", "first.pem",
                                      "other.key")));
    assert_true(http_access_allows(access_to_metrics, "Bearer fedcba9876543210"));
    tls_fixture_logged("", "", "");
}

static void a_missing_file_changes_nothing(void **state)
{
    (void)state;
    run(good("")); // rewrites it
    remove(tls_fixture_path("turnpike.conf"));
    assert_false(reload_run(reload));
    assert_true(tls_fixture_logged("error", "configuration", "No such file or directory"));
    tls_fixture_write_text("turnpike.conf", "");
}

static void what_waits_for_a_start_is_named_and_the_rest_is_in_force(void **state)
{
    (void)state;
    assert_true(run(good("min_port = 50000;\nallow_peer = [\"10.0.0.0/8\"];\n")));
    assert_true(tls_fixture_logged("warning", "setting_waits",
                                   "min_port: changed; takes effect at the next start"));
    assert_int_equal(settings.min_port, 49152);
    assert_int_equal(verdict_of("10.0.0.1"), PEER_ALLOWED);
    // It waits still, and is said again; the rest is as it was.
    assert_false(run(good("min_port = 50000;\nallow_peer = [\"10.0.0.0/8\"];\n")));
    assert_true(
        tls_fixture_logged("info", "reloaded", "changed: 0, that wait for the next start: 1"));
}

static void a_file_that_is_as_it_was_is_said_to_be(void **state)
{
    (void)state;
    assert_false(run(good("")));
    assert_true(tls_fixture_logged("info", "reloaded", "the configuration is as it was"));
}

static void only_another_peer_policy_asks_for_revoking(void **state)
{
    (void)state;
    assert_false(run(good("user_quota = 5;\nlog = {level = \"debug\";};\n")));
    assert_int_equal(fake.level, LOG_LEVEL_DEBUG);
    assert_true(run(good("deny_peer = [\"8.8.8.0/24\"];\n")));
    assert_int_equal(fake.level, LOG_LEVEL_INFO);
    assert_int_equal(verdict_of("8.8.8.8"), PEER_DENIED_RULE);
    assert_false(run(good("deny_peer = [\"8.8.8.0/24\"];\n")));
    assert_true(run(good("")));
}

static void the_service_manager_hears_of_it_however_it_ends(void **state)
{
    (void)state;
    run(good(""));
    assert_string_equal(fake.told, "rR");
    run("x");
    assert_string_equal(fake.told, "rR");
}

static void what_became_of_reloads_is_counted(void **state)
{
    const struct reload_history *history = reload_get_history(reload);
    uint64_t started_s = fake.wall_s;

    (void)state;
    assert_int_equal(history->taken_s, started_s);
    fake.wall_s += 60;
    run("x");
    run("x");
    assert_int_equal(history->refused_count, 2);
    assert_int_equal(history->taken_s, started_s);
    assert_true(history->last_was_refused);
    run(good(""));
    assert_int_equal(history->taken_count, 1);
    assert_int_equal(history->taken_s, started_s + 60);
    assert_false(history->last_was_refused);
}

static void every_worker_is_told_of_a_new_realm(void **state)
{
    (void)state;
    run("interface = \"eth0\";\nrealm = \"example.net\";\ntotal_quota = 100;\n"
        "listen = ({address = \"192.0.2.1\";});\nrelay = ({address = \"192.0.2.1\";});\n" USERS);
    assert_int_equal(fake.command_count, WORKERS);
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(fake.commands[i].kind, COMMAND_SET_STATELESS);
        assert_string_equal(fake.commands[i].set_stateless.policy->realm, "example.net");
    }
    assert_true(reload_is_ready(reload));
}

static void workers_are_told_of_rates_only_when_they_change(void **state)
{
    (void)state;
    run(good("unauthenticated_rate = 7;\n"));
    assert_int_equal(fake.command_count, 2 * WORKERS);
    assert_int_equal(fake.commands[WORKERS].kind, COMMAND_SET_RATES);
    assert_int_equal(fake.commands[WORKERS].set_rates.answers_per_second, 7);
    assert_int_equal(fake.commands[WORKERS].set_rates.burst, 2000);
    run(good("unauthenticated_rate = 7;\n"));
    assert_int_equal(fake.command_count, WORKERS);
    run(good("unauthenticated_rate = 7;\ntotal_max_bps = 5000000000L;\n"));
    assert_int_equal(fake.command_count, 2 * WORKERS);
    assert_int_equal(fake.commands[WORKERS].kind, COMMAND_SET_RATES);
    assert_int_equal(fake.commands[WORKERS].set_rates.total_max_bps, 5000000000);
    assert_int_equal(plane.stream_limits.total_max_bps, 5000000000);
}

// Those that there were at the start: what a limit needs is made then.
static void the_module_for_ktls_is_asked_for_when_it_is_wanted_at_last(void **state)
{
    (void)state;
    assert_true(settings.ktls);
    run(good("ktls = false;\n"));
    run(good("ktls = true;\nuser_quota = \"x\";\n")); // refused
    run(good("ktls = false;\nuser_quota = 9;\n"));
    assert_int_equal(fake.ktls_loads, 0);
    run(good("ktls = true;\n"));
    assert_int_equal(fake.ktls_loads, 1);
    run(good("ktls = true;\nuser_quota = 8;\n"));
    assert_int_equal(fake.ktls_loads, 1);
}

static void nobody_asks_for_ktls_who_has_no_tls(void **state)
{
    (void)state;
    tear_down(NULL);
    start(BASE USERS "ktls = false;\n");
    run(BASE USERS "ktls = true;\n");
    assert_true(settings.ktls);
    assert_int_equal(fake.ktls_loads, 0);
}

static void streams_are_told_of_bandwidth_as_workers_are(void **state)
{
    tear_down(state);
    start(good("max_bps = 1000;\nuser_max_bps = 1000;\n"));
    run(good("max_bps = 7000;\nuser_max_bps = 8000;\ntotal_max_bps = 9000;\n"));
    assert_int_equal(fake.commands[WORKERS].set_rates.max_bps, 7000);
    assert_int_equal(plane.stream_limits.max_bps, 7000);
    assert_int_equal(plane.stream_limits.user_max_bps, 8000);
    assert_int_equal(plane.stream_limits.total_max_bps, 9000);
}

static void it_is_not_ready_before_every_worker_has_the_last_policy(void **state)
{
    (void)state;
    run(good(""));
    plane.policies_applied[1]--;
    assert_false(reload_is_ready(reload));
    plane.policies_applied[1]++;
    assert_true(reload_is_ready(reload));
}

// Nonces live on: their key is kept until all that were made with the one before it have run out.
static void a_nonce_key_serves_for_a_lifetime_and_another_one(void **state)
{
    struct nonce_policy first = plane.config.stateless.nonce, nonce;

    (void)state;
    fake.now_ms += 599999;
    run(good(""));
    nonce = fake.commands[0].set_stateless.policy->nonce;
    assert_memory_equal(&nonce.current, &first.current, sizeof(nonce.current));
    fake.now_ms += 1;
    run(good(""));
    nonce = fake.commands[0].set_stateless.policy->nonce;
    assert_memory_equal(&nonce.previous, &first.current, sizeof(nonce.previous));
    assert_memory_not_equal(&nonce.current.mac, &first.current.mac, sizeof(nonce.current.mac));
    assert_int_equal(nonce.current.id, (uint8_t)(first.current.id + 1));
    first = nonce;
    fake.now_ms += 599999;
    run(good(""));
    nonce = fake.commands[0].set_stateless.policy->nonce;
    assert_memory_equal(&nonce.previous, &first.previous, sizeof(nonce.previous));
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(all_that_can_be_wrong_changes_nothing),
        TEST(a_bad_certificate_keeps_users_and_peers_as_they_were),
        TEST(a_bad_certificate_that_nobody_would_serve_is_one_too),
        TEST(tokens_are_read_anew_or_not_at_all),
        TEST(a_missing_file_changes_nothing),
        TEST(what_waits_for_a_start_is_named_and_the_rest_is_in_force),
        TEST(a_file_that_is_as_it_was_is_said_to_be),
        TEST(only_another_peer_policy_asks_for_revoking),
        TEST(the_service_manager_hears_of_it_however_it_ends),
        TEST(what_became_of_reloads_is_counted),
        TEST(every_worker_is_told_of_a_new_realm),
        TEST(workers_are_told_of_rates_only_when_they_change),
        TEST(the_module_for_ktls_is_asked_for_when_it_is_wanted_at_last),
        TEST(nobody_asks_for_ktls_who_has_no_tls),
        TEST(streams_are_told_of_bandwidth_as_workers_are),
        TEST(it_is_not_ready_before_every_worker_has_the_last_policy),
        TEST(a_nonce_key_serves_for_a_lifetime_and_another_one),
    };

    return cmocka_run_group_tests_name("control/reload", tests, set_up_files, tear_down_files);
}
