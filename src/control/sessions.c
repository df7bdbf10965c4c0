// SPDX-License-Identifier: BSD-3-Clause
// See control/sessions.h.
#include "control/sessions.h"

#include "exchange/punt.h"
#include "turn/session_id.h"

#include <stdio.h>

#define LIMIT_DEFAULT 20
#define LIMIT_MAX     100
#define PEERS_MAX     64
// What says where to go on.
#define NEXT_LEN 32

const char *const sessions_list_keys[] = {"user",  "client", "peer", "relay",
                                          "after", "limit",  NULL};
const char *const sessions_show_keys[] = {"session", NULL};

static void add_address(struct telemetry_answer *answer, const char *name,
                        const struct transport_address *address)
{
    char text[TRANSPORT_ADDRESS_TEXT_LEN];

    telemetry_answer_text(answer, name, transport_address_format(address, text));
}

static void add_relayed(struct telemetry_answer *answer, const struct turn_allocation_view *view)
{
    bool has_v4 = view->relayed_v4.ip.family != IP_FAMILY_NONE;
    bool has_v6 = view->relayed_v6.ip.family != IP_FAMILY_NONE;

    if (has_v4 || has_v6)
        add_address(answer, "relayed", has_v4 ? &view->relayed_v4 : &view->relayed_v6);
    if (has_v4 && has_v6)
        add_address(answer, "relayed_v6", &view->relayed_v6);
}

static uint64_t seconds_until(uint64_t now_ms, uint64_t then_ms)
{
    return then_ms > now_ms ? (then_ms - now_ms) / 1000 : 0;
}

static void add_traffic(struct question *question, const struct turn_allocation_view *view)
{
    const struct questions_config *config = question->config;
    struct telemetry_answer *answer = &question->answer;
    struct allocation_traffic traffic;

    if (!config->traffic(config->context, view, &traffic))
        return;
    if (!view->is_tcp)
        telemetry_answer_number(answer, "packets_to_peer", traffic.to_peer_packets);
    telemetry_answer_number(answer, "bytes_to_peer", traffic.to_peer_bytes);
    if (!view->is_tcp)
        telemetry_answer_number(answer, "packets_to_client", traffic.to_client_packets);
    telemetry_answer_number(answer, "bytes_to_client", traffic.to_client_bytes);
}

static void add_facts(struct question *question, const struct turn_allocation_view *view)
{
    struct telemetry_answer *answer = &question->answer;

    telemetry_answer_text(answer, "user", view->username);
    add_address(answer, "client", &view->five_tuple.client);
    telemetry_answer_text(
        answer, "transport",
        five_tuple_transport_name((enum five_tuple_transport)view->five_tuple.transport));
    add_relayed(answer, view);
    telemetry_answer_text(answer, "peers", view->is_tcp ? "tcp" : "udp");
    if (!view->is_tcp)
        telemetry_answer_number(answer, "worker", view->worker);
    telemetry_answer_number(answer, "age_seconds",
                            seconds_until(view->started_ms, question->now_ms));
    telemetry_answer_number(answer, "expires_seconds",
                            seconds_until(question->now_ms, view->expires_ms));
    telemetry_answer_number(answer, "permissions", view->permissions);
    telemetry_answer_number(answer, view->is_tcp ? "connections" : "channels", view->channels);
    add_traffic(question, view);
}

void sessions_open_row(struct question *question, const struct turn_allocation_view *view)
{
    char session[SESSION_ID_TEXT_LEN];

    telemetry_answer_open(&question->answer, session_id_format(view->session_id, session));
    add_facts(question, view);
}

void sessions_close_row(struct question *question)
{
    telemetry_answer_close(&question->answer);
}

// False: it does not fit.
static bool add_row(struct question *question, const struct turn_allocation_view *view)
{
    const struct telemetry_answer_state mark = telemetry_answer_mark(&question->answer);

    sessions_open_row(question, view);
    sessions_close_row(question);
    if (telemetry_answer_has_room(&question->answer, NEXT_LEN))
        return true;
    telemetry_answer_take_back(&question->answer, &mark);
    return false;
}

static bool read_filter(struct question *question)
{
    const struct parameters *parameters = &question->parameters;
    struct turn_filter *filter = &question->walk.filter;
    struct telemetry_answer *answer = &question->answer;

    filter->user = parameters_get(parameters, "user");
    return parameters_address(parameters, "client", &filter->client, answer) &&
           parameters_address(parameters, "peer", &filter->peer, answer) &&
           parameters_address(parameters, "relay", &filter->relayed, answer);
}

// Sessions stand in the order of the allocations' ids, so that one that has gone still has its
// place.
static bool read_page(struct question *question)
{
    const struct parameters *parameters = &question->parameters;
    uint64_t after = UINT64_MAX;

    question->walk.limit = LIMIT_DEFAULT;
    if (!parameters_number(parameters, "limit", 1, LIMIT_MAX, &question->walk.limit,
                           &question->answer) ||
        !parameters_session(parameters, "after", &after, &question->answer))
        return false;
    question->walk.at = session_id_allocation(after) + 1;
    return true;
}

bool sessions_list(struct question *question)
{
    if (!read_filter(question) || !read_page(question))
        return false;
    telemetry_answer_open(&question->answer, "allocations");
    return sessions_list_step(question);
}

// next_id: the last one that was looked at.
static bool end_list(struct question *question, bool is_more, uint64_t next)
{
    char session[SESSION_ID_TEXT_LEN];

    telemetry_answer_close(&question->answer);
    if (is_more)
        telemetry_answer_text(&question->answer, "next", session_id_format(next, session));
    return false;
}

// Whether there is room for more, or the page ends with the one before.
static bool list_one(struct question *question, uint32_t id)
{
    struct question_walk *walk = &question->walk;
    struct turn_allocation_view view;

    if (walk->count == walk->limit || !turn_server_view(question->config->server, id, &view) ||
        !add_row(question, &view))
        return false;
    walk->count++;
    walk->last_name = view.session_id;
    return true;
}

bool sessions_list_step(struct question *question)
{
    const struct turn_server *server = question->config->server;
    struct question_walk *walk = &question->walk;

    for (unsigned round = 0; walk->at < turn_server_id_count(server); round++, walk->at++) {
        if (question_turn_is_over(question, round))
            return question_is_late(question)
                       ? end_list(question, true, session_id_make(0, walk->at - 1))
                       : true;
        if (turn_server_fits(server, walk->at, &walk->filter) && !list_one(question, walk->at))
            return end_list(question, true, walk->last_name);
    }
    return end_list(question, false, 0);
}

bool sessions_find(struct question *question, const char *key, uint32_t *ret_allocation)
{
    uint64_t session_id = 0;

    if (!parameters_session(&question->parameters, key, &session_id, &question->answer))
        return false;
    if (!parameters_get(&question->parameters, key)) {
        telemetry_answer_error(&question->answer, "16 hex digits", "which %s?", key);
        return false;
    }
    if (turn_server_find_session(question->config->server, session_id, ret_allocation))
        return true;
    telemetry_answer_error(&question->answer, NULL, "there is no such session: %s",
                           parameters_get(&question->parameters, key));
    return false;
}

static void add_peer(struct question *question, const struct turn_peer *peer)
{
    struct telemetry_answer *answer = &question->answer;
    char text[TRANSPORT_ADDRESS_TEXT_LEN];

    if (peer->channel == 0) {
        telemetry_answer_text(answer, "peer", ip_address_format(&peer->address.ip, text));
    } else {
        add_address(answer, "peer", &peer->address);
        snprintf(text, sizeof(text), "0x%04X", peer->channel);
        telemetry_answer_text(answer, "channel", text);
    }
    telemetry_answer_number(answer, "expires_seconds",
                            seconds_until(question->now_ms, peer->expires_ms));
}

static void add_peers(struct question *question, uint32_t id, unsigned count)
{
    struct telemetry_answer *answer = &question->answer;
    struct turn_peer peers[PEERS_MAX];
    unsigned shown = turn_server_peers(question->config->server, id, peers, PEERS_MAX);

    telemetry_answer_open(answer, "permitted");
    for (unsigned i = 0; i < shown; i++) {
        char name[12];

        snprintf(name, sizeof(name), "%u", i);
        telemetry_answer_open(answer, name);
        add_peer(question, &peers[i]);
        telemetry_answer_close(answer);
    }
    telemetry_answer_close(answer);
    if (count > shown)
        telemetry_answer_number(answer, "permitted_left_out", count - shown);
}

bool sessions_show(struct question *question)
{
    struct telemetry_answer *answer = &question->answer;
    struct turn_allocation_view view;
    char text[TRANSPORT_ADDRESS_TEXT_LEN];
    uint32_t id;

    if (!sessions_find(question, "session", &id) ||
        !turn_server_view(question->config->server, id, &view))
        return false;
    telemetry_answer_text(answer, "session", session_id_format(view.session_id, text));
    telemetry_answer_text(answer, "realm", view.realm);
    add_address(answer, "server", &view.five_tuple.server);
    add_facts(question, &view);
    add_peers(question, id, view.permissions + (view.is_tcp ? 0u : view.channels));
    return false;
}
