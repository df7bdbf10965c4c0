// SPDX-License-Identifier: BSD-3-Clause
// See control/top_talkers.h. One walk over all allocations, with the best so far in a list.
#include "control/top_talkers.h"

#include "control/sessions.h"
#include "exchange/punt.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 10
#define TALKERS_MAX   QUESTION_TALKERS_MAX
// What is nearer than this was somebody else's question: viewers ask once a second.
#define SPAN_MS_MIN 900

const char *const top_talkers_keys[] = {"limit", NULL};

static uint64_t bytes_of(const struct allocation_traffic *traffic)
{
    return traffic->to_peer_bytes + traffic->to_client_bytes;
}

static uint64_t packets_of(const struct allocation_traffic *traffic)
{
    return traffic->to_peer_packets + traffic->to_client_packets;
}

bool top_talkers(struct question *question)
{
    struct question_top *top = &question->top;

    question->walk.limit = LIMIT_DEFAULT;
    if (!parameters_number(&question->parameters, "limit", 1, TALKERS_MAX, &question->walk.limit,
                           &question->answer))
        return false;
    if (!top->looks)
        top->looks =
            calloc(question->config->sources.plane->config.allocations, sizeof(*top->looks));
    if (!top->looks) {
        telemetry_answer_error(&question->answer, NULL, "there is no memory for it");
        return false;
    }
    top->count = 0;
    return top_talkers_step(question);
}

void top_talkers_done(struct question *question)
{
    free(question->top.looks);
    question->top.looks = NULL;
}

// In its place, the most bits a second first; the last one makes room.
static void rank(struct question_top *top, uint32_t limit, const struct question_talker *talker)
{
    uint32_t place = top->count;

    while (place > 0 && top->talkers[place - 1].bits_per_second < talker->bits_per_second)
        place--;
    if (place == limit)
        return;
    if (top->count < limit)
        top->count++;
    memmove(&top->talkers[place + 1], &top->talkers[place],
            (top->count - place - 1) * sizeof(top->talkers[0]));
    top->talkers[place] = *talker;
}

// What it has carried since the last question, or since it began.
static const struct question_carried *begin_span(struct question_looks *looks,
                                                 const struct turn_allocation_view *view,
                                                 const struct question_carried *now)
{
    if (looks->last.at_ms == 0 || looks->session_id != view->session_id)
        *looks =
            (struct question_looks){.session_id = view->session_id, .last.at_ms = view->started_ms};
    if (now->at_ms < looks->last.at_ms + SPAN_MS_MIN)
        return looks->before.at_ms > 0 ? &looks->before : &looks->last;
    looks->before = looks->last;
    looks->last = *now;
    return &looks->before;
}

static void look_at(struct question *question, const struct turn_allocation_view *view)
{
    const struct questions_config *config = question->config;
    struct question_talker talker = {.session_id = view->session_id, .id = view->id};
    const struct question_carried *from;
    struct question_carried now;
    struct allocation_traffic traffic;
    uint64_t passed_ms;

    if (!config->traffic(config->context, view, &traffic))
        return;
    now = (struct question_carried){question->now_ms, bytes_of(&traffic), packets_of(&traffic)};
    from = begin_span(&question->top.looks[view->id], view, &now);
    passed_ms = now.at_ms > from->at_ms ? now.at_ms - from->at_ms : 1;
    if (now.bytes > from->bytes)
        talker.bits_per_second = (now.bytes - from->bytes) * 8000 / passed_ms;
    if (now.packets > from->packets)
        talker.packets_per_second = (now.packets - from->packets) * 1000 / passed_ms;
    if (talker.bits_per_second > 0)
        rank(&question->top, question->walk.limit, &talker);
}

static void add_talker(struct question *question, const struct question_talker *talker)
{
    const struct telemetry_answer_state mark = telemetry_answer_mark(&question->answer);
    struct turn_allocation_view view;

    if (!turn_server_view(question->config->server, talker->id, &view) ||
        view.session_id != talker->session_id)
        return;
    sessions_open_row(question, &view);
    telemetry_answer_number(&question->answer, "bits_per_second", talker->bits_per_second);
    if (!view.is_tcp)
        telemetry_answer_number(&question->answer, "packets_per_second",
                                talker->packets_per_second);
    sessions_close_row(question);
    if (question->answer.state.is_cut)
        telemetry_answer_take_back(&question->answer, &mark);
}

static bool end(struct question *question)
{
    telemetry_answer_open(&question->answer, "allocations");
    for (uint32_t i = 0; i < question->top.count; i++)
        add_talker(question, &question->top.talkers[i]);
    telemetry_answer_close(&question->answer);
    return false;
}

bool top_talkers_step(struct question *question)
{
    const struct turn_server *server = question->config->server;
    struct question_walk *walk = &question->walk;
    struct turn_allocation_view view;

    for (unsigned round = 0; walk->at < turn_server_id_count(server); round++, walk->at++) {
        if (question_turn_is_over(question, round))
            return question_is_late(question) ? end(question) : true;
        if (turn_server_view(server, walk->at, &view))
            look_at(question, &view);
    }
    return end(question);
}
