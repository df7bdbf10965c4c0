// SPDX-License-Identifier: BSD-3-Clause
// Claims about the order and the time in which events are taken up. The server, the forwarder, next
// hops, rings and the clock are fakes; a test ends the loop as people do, with a signal.
#include "control/loop.h"

#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#define LOG_LEN 4096

// What happened, a word each.
static char story[LOG_LEN];

static struct {
    struct punt punts[4096];
    unsigned punt_first, punt_count;
    unsigned refusals; // how often the rings are full
    unsigned discards;
    unsigned readiness_questions;
    uint64_t now_ms;
    uint64_t expiry_ms;
    unsigned expiries;
    unsigned expire_more;
    unsigned walk_steps;
    unsigned more_walks; // before the end of one ends the loop
    bool lacks_room;
    bool routes_changed;
    bool routes_change_again; // while they are walked
    unsigned walk_ms;         // it takes
    uint64_t walk_began_ms[2];
    unsigned reroutes;
    bool stop_after_insisting; // once what has changed was told
    bool insisted;
    bool interface_gone;
    bool rang; // the doorbell was armed before it rang
    int news_fd;
    uint16_t closed[2]; // port of a client whose connection has ended, by thread
    unsigned reloads;
    unsigned unready_reloads; // the workers are not done with the last one
    bool policy_changes;
    unsigned reload_ms;   // it takes
    unsigned revocations; // steps that are left
    unsigned ends;        // steps
    unsigned refuse_after_reload;
    unsigned hangups_by_reload;
    unsigned stop_after_reloads;
    unsigned tick_ms; // the clock goes on by itself
    unsigned seconds;
    unsigned stop_after_s;
    bool sessions_are_wanted;
    unsigned reopened;
    unsigned looks_until_ended; // at what is left after a signal
} fake;

static void tell(const char *word)
{
    size_t len = strlen(story);

    snprintf(story + len, sizeof(story) - len, "%s ", word);
}

static void end(void)
{
    raise(SIGTERM);
}

uint64_t clock_monotonic_ms(void)
{
    return fake.now_ms += fake.tick_ms;
}

uint64_t clock_wall_s(void)
{
    return 1000000;
}

void turn_server_receive(struct turn_server *server, const struct turn_time *now,
                         const struct turn_packet *packet, struct turn_output *output)
{
    char word[32];

    (void)server;
    assert_int_equal(now->wall_s, 1000000);
    assert_int_equal(now->monotonic_ms, fake.now_ms);
    output->command_count = 0;
    output->request_method = 0;
    snprintf(word, sizeof(word), "message%zu/%u", packet->bytes.len, packet->worker);
    tell(word);
}

bool turn_server_expire(struct turn_server *server, const struct turn_time *now,
                        struct turn_output *output)
{
    (void)server;
    (void)now;
    output->command_count = 0;
    fake.expiries++;
    if (fake.expire_more > 0) {
        fake.expire_more--;
        return true;
    }
    fake.expiry_ms = UINT64_MAX;
    end();
    return false;
}

uint64_t turn_server_next_expiry_ms(const struct turn_server *server)
{
    (void)server;
    return fake.expiry_ms;
}

void turn_server_removed(struct turn_server *server, const struct turn_time *now,
                         uint32_t allocation, const struct turn_relayed_address *relay)
{
    char word[32];

    (void)server;
    (void)now;
    snprintf(word, sizeof(word), relay ? "removed%u:%u" : "removed%u", allocation,
             relay ? relay->port : 0);
    tell(word);
}

bool turn_server_walk(const struct turn_server *server, uint64_t *cursor,
                      struct turn_output *output)
{
    (void)server;
    output->command_count = 0;
    assert_int_equal(*cursor, fake.walk_steps);
    (*cursor)++;
    fake.walk_steps++;
    return fake.walk_steps < 3;
}

bool turn_server_view(const struct turn_server *server, uint32_t allocation,
                      struct turn_allocation_view *ret_view)
{
    (void)server;
    (void)allocation;
    (void)ret_view;
    return false;
}

bool turn_server_user(const struct turn_server *server, uint32_t user,
                      struct turn_user_view *ret_view)
{
    (void)server;
    (void)user;
    (void)ret_view;
    return false;
}

const char *quota_refusal_name(enum quota_refusal refusal)
{
    (void)refusal;
    return "";
}

void forwarder_flush(struct forwarder *forwarder)
{
    (void)forwarder;
    if (fake.stop_after_insisting && fake.insisted)
        end();
}

bool forwarder_is_ready(struct forwarder *forwarder)
{
    (void)forwarder;
    fake.readiness_questions++;
    if (fake.refusals == 0)
        return true;
    fake.refusals--;
    tell("full");
    return false;
}

void forwarder_carry_out(struct forwarder *forwarder, const struct turn_output *output,
                         const struct punt *punt)
{
    (void)forwarder;
    (void)output;
    if (punt)
        tell("answered");
}

void tcp_relay_carry_out(struct tcp_relay *relay, const struct turn_output *output,
                         const struct client_key *gone)
{
    char word[32];

    (void)output;
    assert_ptr_equal(relay, &fake);
    snprintf(word, sizeof(word), gone ? "tcp-but%u" : "tcp", gone ? gone->address.port : 0);
    tell(word);
}

void forwarder_reinstall(struct forwarder *forwarder, const struct turn_output *output)
{
    (void)forwarder;
    (void)output;
}

void forwarder_five_tuple(const struct forwarder *forwarder, const struct punt *punt,
                          struct five_tuple *ret_tuple)
{
    (void)forwarder;
    (void)punt;
    memset(ret_tuple, 0, sizeof(*ret_tuple));
}

struct span punt_bytes(const struct punt *punt)
{
    return (struct span){.len = punt->message.message_len};
}

void punt_discard(const struct punt *punt)
{
    assert_int_equal(punt->kind, PUNT_MESSAGE);
    fake.discards++;
}

unsigned plane_punt_receive(struct plane *plane, uint16_t worker, struct punt *ret_punts,
                            unsigned max)
{
    unsigned count = 0;

    (void)plane;
    while (count < max && fake.punt_first < fake.punt_count &&
           fake.punts[fake.punt_first].worker == worker)
        ret_punts[count++] = fake.punts[fake.punt_first++];
    return count;
}

bool plane_doorbell_arm(struct plane *plane)
{
    (void)plane;
    tell("armed");
    if (fake.punt_first < fake.punt_count)
        return false;
    if (fake.rang || fake.stop_after_s > 0 || fake.expiry_ms != UINT64_MAX || fake.routes_changed)
        return true;
    end();
    return true;
}

void forwarder_client_tuple(const struct forwarder *forwarder, const struct client_key *client,
                            struct five_tuple *ret_tuple)
{
    (void)forwarder;
    *ret_tuple = (struct five_tuple){.client = client->address};
}

void turn_server_disconnected(struct turn_server *server, const struct turn_time *now,
                              const struct five_tuple *five_tuple, struct turn_output *output)
{
    char word[32];

    (void)server;
    (void)now;
    output->command_count = 0;
    snprintf(word, sizeof(word), "gone%u", five_tuple->client.port);
    tell(word);
}

bool stream_news_receive(struct plane *plane_, uint16_t thread, struct stream_news *ret_news)
{
    (void)plane_;
    if (fake.closed[thread] == 0)
        return false;
    *ret_news = (struct stream_news){.client.address.port = fake.closed[thread]};
    fake.closed[thread] = 0;
    return true;
}

int next_hops_fd(const struct next_hops *hops)
{
    (void)hops;
    return fake.news_fd;
}

bool next_hops_interface_is_gone(const struct next_hops *hops)
{
    (void)hops;
    return fake.interface_gone;
}

bool next_hops_receive(struct next_hops *hops)
{
    uint64_t value;
    bool changed = fake.routes_changed;

    (void)hops;
    assert_int_equal(read(fake.news_fd, &value, sizeof(value)), sizeof(value));
    tell("news");
    fake.routes_changed = false;
    return changed;
}

void next_hops_begin_walk(struct next_hops *hops, bool reroute)
{
    (void)hops;
    tell(reroute ? "reroute" : "sweep");
    if (reroute && fake.reroutes < 2)
        fake.walk_began_ms[fake.reroutes++] = fake.now_ms;
    fake.now_ms += fake.walk_ms;
    fake.walk_steps = 0;
    fake.lacks_room = false;
}

void next_hops_end_walk(struct next_hops *hops)
{
    (void)hops;
    const uint64_t once = 1;

    tell("walked");
    if (fake.routes_change_again) {
        fake.routes_change_again = false;
        fake.routes_changed = true;
        assert_int_equal(write(fake.news_fd, &once, sizeof(once)), sizeof(once));
    }
    if (fake.more_walks == 0)
        end();
    else
        fake.more_walks--;
}

bool next_hops_lack_room(const struct next_hops *hops)
{
    (void)hops;
    return fake.lacks_room;
}

void next_hops_insist(struct next_hops *hops)
{
    (void)hops;
    fake.insisted = true;
}

void next_hops_refresh(struct next_hops *hops)
{
    (void)hops;
}

static void every_second(void *context)
{
    (void)context;
    if (++fake.seconds == fake.stop_after_s)
        end();
}

bool reload_is_ready(const struct reload *reload)
{
    (void)reload;
    if (fake.unready_reloads == 0)
        return true;
    fake.unready_reloads--;
    tell("unready");
    return false;
}

bool reload_run(struct reload *reload)
{
    assert_ptr_equal(reload, (struct reload *)&fake);
    tell("reload");
    fake.now_ms += fake.reload_ms;
    fake.reloads++;
    fake.refusals = fake.refuse_after_reload;
    for (unsigned i = 0; i < fake.hangups_by_reload; i++)
        raise(SIGHUP);
    if (fake.reloads == fake.stop_after_reloads)
        end();
    return fake.policy_changes;
}

bool turn_server_revoke(struct turn_server *server, uint64_t *cursor, struct turn_output *output)
{
    char word[32];

    (void)server;
    output->command_count = 0;
    snprintf(word, sizeof(word), "revoke%u", (unsigned)(*cursor)++);
    tell(word);
    if (fake.revocations > 0 && --fake.revocations > 0)
        return true;
    end();
    return false;
}

bool turn_server_end_allocations(struct turn_server *server, uint64_t *cursor,
                                 struct turn_output *output)
{
    char word[32];

    (void)server;
    output->command_count = 0;
    snprintf(word, sizeof(word), "end%u", (unsigned)(*cursor)++);
    tell(word);
    if (--fake.ends > 0)
        return true;
    end();
    return false;
}

void turn_server_usage(const struct turn_server *server, struct turn_usage *ret_usage)
{
    (void)server;
    tell("look");
    *ret_usage = (struct turn_usage){0};
    if (fake.looks_until_ended > 0)
        ret_usage->pending_removals = fake.looks_until_ended--;
}

void session_log_started(const struct turn_allocation_view *view)
{
    (void)view;
}

void session_log_carried(struct session_log *log, uint32_t allocation,
                         const struct allocation_traffic *traffic)
{
    char word[32];

    assert_ptr_equal(log, &fake);
    snprintf(word, sizeof(word), "carried%u/%u", allocation, (unsigned)traffic->to_peer_bytes);
    tell(word);
}

bool session_log_is_wanted(const struct session_log *log)
{
    assert_ptr_equal(log, &fake);
    return fake.sessions_are_wanted;
}

void session_log_reopen(struct session_log *log)
{
    assert_ptr_equal(log, &fake);
    fake.reopened++;
}

static struct plane plane;
static struct loop *loop;
static const struct loop_config with_sessions = {.plane = &plane,
                                                 .every_second = every_second,
                                                 .sessions = (struct session_log *)&fake,
                                                 .reload = (struct reload *)&fake};
static const struct loop_config config = {
    .plane = &plane, .every_second = every_second, .reload = (struct reload *)&fake};

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    memset(&plane, 0, sizeof(plane));
    story[0] = '\0';
    fake.now_ms = 5000;
    fake.expiry_ms = UINT64_MAX;
    fake.news_fd = eventfd(0, EFD_NONBLOCK);
    plane.config.worker_count = 2;
    plane.doorbell.fd = eventfd(0, EFD_NONBLOCK);
    loop_hold_signals();
    return loop_create(&config, &loop);
}

static int tear_down(void **state)
{
    (void)state;
    loop_destroy(loop);
    close(fake.news_fd);
    close(plane.doorbell.fd);
    return 0;
}

static void punt(uint16_t kind, uint16_t worker, uint16_t value)
{
    struct punt *made = &fake.punts[fake.punt_count++];

    *made = (struct punt){.kind = kind, .worker = worker};
    if (kind == PUNT_MESSAGE) {
        made->message.message_len = value;
    } else {
        made->allocation = value;
        made->removed.relay = RELAY_NONE;
    }
}

static void punts_are_taken_up_in_the_order_of_their_ring(void **state)
{
    (void)state;
    punt(PUNT_MESSAGE, 0, 20);
    punt(PUNT_REMOVED, 0, 7);
    punt(PUNT_MESSAGE, 0, 28);
    loop_run(loop);
    assert_string_equal(story, "message20/0 answered removed7 message28/0 answered armed ");
}

static void a_removed_relay_is_no_removed_allocation(void **state)
{
    (void)state;
    punt(PUNT_REMOVED, 1, 7);
    fake.punts[0].removed.relay = 2;
    fake.punts[0].removed.port = 50000;
    loop_run(loop);
    assert_string_equal(story, "removed7:50000 armed ");
}

// The same address may have sent the message, from a new connection.
static void the_end_of_a_connection_comes_before_what_was_fetched_behind_it(void **state)
{
    (void)state;
    plane.config.stream_thread_count = 2;
    fake.closed[0] = 1000;
    fake.closed[1] = 1001;
    punt(PUNT_MESSAGE, 0, 20);
    loop_run(loop);
    assert_string_equal(story, "gone1000 gone1001 message20/0 answered armed ");
}

static void the_end_of_a_connection_waits_for_room_and_is_not_lost(void **state)
{
    (void)state;
    plane.config.stream_thread_count = 1;
    fake.closed[0] = 1000;
    fake.refusals = 2;
    punt(PUNT_MESSAGE, 0, 20);
    loop_run(loop);
    assert_string_equal(story, "full full gone1000 message20/0 answered armed ");
}

static void commands_about_tcp_come_before_the_answer_and_spare_who_is_gone(void **state)
{
    const struct loop_config with_tcp = {.plane = &plane, .tcp_relay = (struct tcp_relay *)&fake};

    loop_destroy(loop);
    assert_int_equal(loop_create(&with_tcp, &loop), 0);
    (void)state;
    plane.config.stream_thread_count = 1;
    fake.closed[0] = 1000;
    punt(PUNT_MESSAGE, 0, 20);
    loop_run(loop);
    assert_string_equal(story, "gone1000 tcp-but1000 message20/0 tcp answered armed ");
}

static void a_hangup_reloads_and_ends_nothing(void **state)
{
    (void)state;
    fake.rang = true;
    fake.stop_after_s = 1;
    raise(SIGHUP);
    loop_run(loop);
    assert_int_equal(fake.reloads, 1);
    assert_int_equal(fake.seconds, 1);
}

static void a_reload_can_be_had_without_a_signal(void **state)
{
    (void)state;
    fake.rang = true;
    fake.stop_after_s = 1;
    loop_reload(loop);
    loop_run(loop);
    assert_int_equal(fake.reloads, 1);
}

static void a_reload_waits_for_the_workers_and_for_room(void **state)
{
    (void)state;
    fake.rang = true;
    fake.policy_changes = true;
    fake.unready_reloads = 2;
    raise(SIGHUP);
    loop_run(loop);
    assert_string_equal(story, "armed unready unready reload revoke0 ");
}

static void what_a_new_policy_denies_goes_some_at_a_time(void **state)
{
    (void)state;
    fake.rang = true;
    fake.policy_changes = true;
    fake.revocations = 3;
    raise(SIGHUP);
    loop_run(loop);
    assert_string_equal(story, "armed reload revoke0 revoke1 revoke2 ");
}

static void a_revocation_waits_for_room(void **state)
{
    (void)state;
    fake.rang = true;
    fake.policy_changes = true;
    fake.refuse_after_reload = 2;
    raise(SIGHUP);
    loop_run(loop);
    assert_string_equal(story, "armed reload full full revoke0 ");
}

static void allocations_are_ended_some_at_a_time_and_with_room(void **state)
{
    (void)state;
    fake.rang = true;
    fake.ends = 3;
    fake.refusals = 1;
    loop_end_allocations(loop);
    loop_run(loop);
    // Only the order of these counts.
    assert_non_null(strstr(story, "full "));
    assert_non_null(strstr(story, "end0 end1 end2 "));
}

static void start_with_sessions(void)
{
    loop_destroy(loop);
    assert_int_equal(loop_create(&with_sessions, &loop), 0);
}

static void the_session_log_is_told_what_an_allocation_has_carried(void **state)
{
    (void)state;
    start_with_sessions();
    punt(PUNT_REMOVED, 0, 7);
    fake.punts[0].removed.traffic.to_peer_bytes = 55;
    punt(PUNT_REMOVED, 0, 8);
    fake.punts[1].removed.relay = 2;
    fake.punts[1].removed.port = 50000;
    loop_run(loop);
    assert_string_equal(story, "carried7/55 removed7 removed8:50000 armed ");
}

static void a_signal_ends_allocations_first_where_their_ends_are_logged(void **state)
{
    (void)state;
    start_with_sessions();
    fake.sessions_are_wanted = true;
    fake.rang = true;
    fake.ends = 100000; // the looks end the loop
    fake.looks_until_ended = 2;
    raise(SIGTERM);
    assert_int_equal(loop_run(loop), 0);
    assert_non_null(strstr(story, "end0 end1 "));
    assert_int_equal(fake.looks_until_ended, 0);
}

static void reports_that_do_not_come_are_not_waited_for_long(void **state)
{
    (void)state;
    start_with_sessions();
    fake.sessions_are_wanted = true;
    fake.rang = true;
    fake.ends = 100000;
    fake.looks_until_ended = 100000;
    fake.tick_ms = 400;
    raise(SIGTERM);
    assert_int_equal(loop_run(loop), 0);
    assert_in_range(100000 - fake.looks_until_ended, 1, 6);
}

// Even where the reload has to wait, or is not good.
static void a_hangup_has_the_session_log_opened_anew(void **state)
{
    (void)state;
    start_with_sessions();
    fake.rang = true;
    fake.stop_after_reloads = 1;
    raise(SIGHUP);
    loop_run(loop);
    assert_int_equal(fake.reopened, 1);
}

// Nobody takes them up here.
static void signals_that_are_about_drains_end_nothing(void **state)
{
    (void)state;
    fake.rang = true;
    fake.stop_after_s = 1;
    raise(SIGUSR1);
    raise(SIGUSR2);
    loop_run(loop);
    assert_int_equal(fake.seconds, 1);
}

static void stop_in_a_second(void *context)
{
    (void)context;
    fake.seconds++;
    loop_stop(loop);
}

static void it_ends_without_a_signal_too(void **state)
{
    const struct loop_config stopping = {.plane = &plane, .every_second = stop_in_a_second};

    (void)state;
    loop_destroy(loop);
    assert_int_equal(loop_create(&stopping, &loop), 0);
    fake.rang = true;
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(fake.seconds, 1);
}

// However many come while one is at work, one more serves them, and later: of the time four parts
// are left to others.
static void a_storm_of_hangups_is_bounded(void **state)
{
    uint64_t started_ms;

    (void)state;
    fake.rang = true;
    fake.tick_ms = 5;
    fake.reload_ms = 10;
    fake.hangups_by_reload = 5;
    fake.stop_after_reloads = 4;
    started_ms = fake.now_ms;
    raise(SIGHUP);
    loop_run(loop);
    assert_int_equal(fake.reloads, 4);
    assert_true(fake.now_ms - started_ms >= 4 * 10 + 3 * 40);
}

static void an_event_waits_for_room_and_is_not_lost(void **state)
{
    (void)state;
    fake.refusals = 2;
    punt(PUNT_MESSAGE, 0, 20);
    loop_run(loop);
    assert_string_equal(story, "full full message20/0 answered armed ");
}

static void what_waits_for_room_at_the_end_is_given_back(void **state)
{
    (void)state;
    fake.refusals = UINT_MAX;
    fake.stop_after_s = 1;
    punt(PUNT_MESSAGE, 0, 20);
    punt(PUNT_REMOVED, 0, 1);
    punt(PUNT_MESSAGE, 0, 20);
    loop_run(loop);
    assert_int_equal(fake.discards, 0);
    loop_destroy(loop);
    assert_int_equal(fake.discards, 2);
    loop_hold_signals();
    assert_int_equal(loop_create(&config, &loop), 0);
}

static void many_punts_are_taken_up_in_turns(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2000; i++)
        punt(PUNT_MESSAGE, i / 1000, 20);
    loop_run(loop);
    assert_int_equal(fake.punt_first, 2000);
    assert_int_equal(fake.readiness_questions, 2000);
}

// A turn may end within what was taken from a ring at once.
static void what_a_turn_leaves_is_taken_up_in_the_next(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1025; i++)
        punt(PUNT_MESSAGE, i > 0, 20);
    loop_run(loop);
    assert_int_equal(fake.readiness_questions, 1025);
    assert_int_equal(fake.discards, 0);
}

static void the_doorbell_wakes_the_loop(void **state)
{
    const uint64_t once = 1;

    (void)state;
    fake.rang = true;
    assert_int_equal(write(plane.doorbell.fd, &once, sizeof(once)), sizeof(once));
    fake.stop_after_s = 1;
    loop_run(loop);
    // At the start, and when it rang.
    assert_string_equal(story, "armed armed ");
}

static void expiry_is_on_time_and_goes_on_until_all_is_done(void **state)
{
    (void)state;
    fake.expiry_ms = 5010;
    fake.expire_more = 2;
    loop_run(loop);
    assert_int_equal(fake.expiries, 3);
}

static void expiry_waits_for_room(void **state)
{
    (void)state;
    fake.expiry_ms = 0; // overdue
    fake.refusals = 3;
    loop_run(loop);
    assert_int_equal(fake.expiries, 1);
    assert_int_equal(fake.refusals, 0);
}

static void changed_routes_start_a_walk_over_everything(void **state)
{
    const uint64_t once = 1;

    (void)state;
    fake.routes_changed = true;
    fake.rang = true; // the end of the walk ends the loop
    assert_int_equal(write(fake.news_fd, &once, sizeof(once)), sizeof(once));
    loop_run(loop);
    assert_non_null(strstr(story, "news reroute "));
    assert_non_null(strstr(story, "walked "));
    assert_int_equal(fake.walk_steps, 3);
}

// A tenth of the time, however often they do.
static void routes_that_change_again_are_asked_for_after_a_rest(void **state)
{
    const uint64_t once = 1;

    (void)state;
    fake.routes_changed = true;
    fake.routes_change_again = true;
    fake.rang = true;
    fake.more_walks = 1;
    fake.walk_ms = 10;
    fake.tick_ms = 20;
    assert_int_equal(write(fake.news_fd, &once, sizeof(once)), sizeof(once));
    loop_run(loop);
    assert_int_equal(fake.reroutes, 2);
    assert_in_range(fake.walk_began_ms[1] - fake.walk_began_ms[0], 100, 1000);
}

static void neighbours_that_do_not_answer_are_asked_again(void **state)
{
    (void)state;
    fake.rang = true;
    fake.stop_after_insisting = true;
    loop_run(loop);
    assert_int_equal(fake.seconds, 0);
}

static void a_relay_whose_interface_has_gone_ends(void **state)
{
    const uint64_t once = 1;

    (void)state;
    fake.interface_gone = true;
    fake.rang = true; // nothing else ends the loop
    assert_int_equal(write(fake.news_fd, &once, sizeof(once)), sizeof(once));
    assert_int_equal(loop_run(loop), -ENODEV);
}

static void what_is_out_of_use_is_looked_for_although_nothing_was_removed(void **state)
{
    (void)state;
    fake.rang = true; // the end of the walk ends the loop
    fake.now_ms += 60000;
    loop_run(loop);
    assert_non_null(strstr(story, "sweep walked "));
}

static void a_lack_of_room_is_made_good(void **state)
{
    (void)state;
    fake.rang = true;
    fake.lacks_room = true;
    fake.more_walks = 1;
    fake.now_ms += 10000;
    loop_run(loop);
    assert_non_null(strstr(story, "sweep walked reroute walked "));
}

static void a_reader_that_is_gone_does_not_end_the_relay(void **state)
{
    (void)state;
    raise(SIGPIPE);
    loop_run(loop);
}

static void signals_that_come_early_are_heard_late(void **state)
{
    (void)state;
    raise(SIGINT);
    fake.rang = true; // nothing else ends the loop
    assert_int_equal(loop_run(loop), 0);
}

static void a_hangup_that_is_ignored_stays_so(void **state)
{
    (void)state;
    loop_destroy(loop);
    signal(SIGHUP, SIG_IGN);
    assert_int_equal(loop_create(&config, &loop), 0);
    raise(SIGHUP);
    fake.rang = true; // the end of the walk ends the loop
    fake.now_ms += 60000;
    loop_run(loop);
    assert_non_null(strstr(story, "sweep walked "));
    assert_int_equal(fake.reloads, 0);
    signal(SIGHUP, SIG_DFL);
}

static void a_reader_that_has_gone_does_no_harm(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(write(ends[1], "figures", 7), -1);
    close(ends[1]);
}

int main(void)
{
#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_LOOP(punts_are_taken_up_in_the_order_of_their_ring),
        WITH_LOOP(a_removed_relay_is_no_removed_allocation),
        WITH_LOOP(the_end_of_a_connection_comes_before_what_was_fetched_behind_it),
        WITH_LOOP(the_end_of_a_connection_waits_for_room_and_is_not_lost),
        WITH_LOOP(commands_about_tcp_come_before_the_answer_and_spare_who_is_gone),
        WITH_LOOP(a_hangup_reloads_and_ends_nothing),
        WITH_LOOP(a_reload_can_be_had_without_a_signal),
        WITH_LOOP(a_reload_waits_for_the_workers_and_for_room),
        WITH_LOOP(what_a_new_policy_denies_goes_some_at_a_time),
        WITH_LOOP(a_revocation_waits_for_room),
        WITH_LOOP(allocations_are_ended_some_at_a_time_and_with_room),
        WITH_LOOP(the_session_log_is_told_what_an_allocation_has_carried),
        WITH_LOOP(a_signal_ends_allocations_first_where_their_ends_are_logged),
        WITH_LOOP(reports_that_do_not_come_are_not_waited_for_long),
        WITH_LOOP(a_hangup_has_the_session_log_opened_anew),
        WITH_LOOP(signals_that_are_about_drains_end_nothing),
        WITH_LOOP(it_ends_without_a_signal_too),
        WITH_LOOP(a_storm_of_hangups_is_bounded),
        WITH_LOOP(an_event_waits_for_room_and_is_not_lost),
        WITH_LOOP(what_waits_for_room_at_the_end_is_given_back),
        WITH_LOOP(many_punts_are_taken_up_in_turns),
        WITH_LOOP(what_a_turn_leaves_is_taken_up_in_the_next),
        WITH_LOOP(the_doorbell_wakes_the_loop),
        WITH_LOOP(expiry_is_on_time_and_goes_on_until_all_is_done),
        WITH_LOOP(expiry_waits_for_room),
        WITH_LOOP(changed_routes_start_a_walk_over_everything),
        WITH_LOOP(routes_that_change_again_are_asked_for_after_a_rest),
        WITH_LOOP(neighbours_that_do_not_answer_are_asked_again),
        WITH_LOOP(a_relay_whose_interface_has_gone_ends),
        WITH_LOOP(what_is_out_of_use_is_looked_for_although_nothing_was_removed),
        WITH_LOOP(a_lack_of_room_is_made_good),
        WITH_LOOP(a_reader_that_is_gone_does_not_end_the_relay),
        WITH_LOOP(signals_that_come_early_are_heard_late),
        WITH_LOOP(a_hangup_that_is_ignored_stays_so),
        WITH_LOOP(a_reader_that_has_gone_does_no_harm),
    };

    // Whoever runs the tests may have had it ignored, as nohup does; and the loop respects that.
    signal(SIGHUP, SIG_DFL);
    return cmocka_run_group_tests_name("control/loop", tests, NULL, NULL);
}
