// SPDX-License-Identifier: BSD-3-Clause
// A TURN server of a few allocations, for those who list them: of each id whether it lives, whose
// it is and what it has carried. The session id of id 5 is 700000005.
#pragma once

#include "base/clock.h"
#include "control/question.h"
#include "exchange/punt.h"
#include "turn/session_id.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FAKE_IDS 300

struct fake_allocation {
    const char *user; // NULL: there is none
    bool is_tcp;
    struct allocation_traffic traffic;
};

static struct fake_allocation fakes[FAKE_IDS];
static uint32_t fake_id_count;
static unsigned fake_peer_count = 3;
static uint64_t fake_now_ms;
static unsigned fake_clock_step; // the clock goes on by that with each look

uint64_t clock_monotonic_ms(void)
{
    return fake_now_ms += fake_clock_step;
}

uint32_t turn_server_id_count(const struct turn_server *server)
{
    (void)server;
    return fake_id_count;
}

bool turn_server_fits(const struct turn_server *server, uint32_t id,
                      const struct turn_filter *filter)
{
    (void)server;
    return fakes[id].user && (!filter->user || strcmp(filter->user, fakes[id].user) == 0) &&
           (filter->client.port == 0 || filter->client.port == 1000 + id);
}

bool turn_server_view(const struct turn_server *server, uint32_t id,
                      struct turn_allocation_view *ret_view)
{
    (void)server;
    if (id >= FAKE_IDS || !fakes[id].user)
        return false;
    *ret_view = (struct turn_allocation_view){
        .session_id = session_id_make(7, id),
        .id = id,
        .five_tuple = {.client = {{{192, 0, 2, 9}, IP_FAMILY_V4}, (uint16_t)(1000 + id)},
                       .server = {{{192, 0, 2, 1}, IP_FAMILY_V4}, 3478},
                       .transport = FIVE_TUPLE_UDP},
        .username = fakes[id].user,
        .realm = "example.org",
        .is_tcp = fakes[id].is_tcp,
        .relayed_v4 = {{{203, 0, 113, 1}, IP_FAMILY_V4}, (uint16_t)(50000 + id)},
        .started_ms = 1000,
        .expires_ms = 601000,
        .worker = 3,
        .permissions = 2,
        .channels = 1,
    };
    return true;
}

bool turn_server_find_session(const struct turn_server *server, uint64_t session_id,
                              uint32_t *ret_allocation)
{
    (void)server;
    if (session_id >> 32 != 7 || (uint32_t)session_id >= FAKE_IDS ||
        !fakes[(uint32_t)session_id].user)
        return false;
    *ret_allocation = (uint32_t)session_id;
    return true;
}

// The first is a permission, the others are channels.
unsigned turn_server_peers(const struct turn_server *server, uint32_t id,
                           struct turn_peer *ret_peers, unsigned max)
{
    (void)server;
    (void)id;
    for (unsigned i = 0; i < fake_peer_count && i < max; i++)
        ret_peers[i] = (struct turn_peer){
            .address = {{{8, 8, 8, (uint8_t)i}, IP_FAMILY_V4}, (uint16_t)(i == 0 ? 0 : 53)},
            .channel = (uint16_t)(i == 0 ? 0 : 0x4000),
            .expires_ms = 12000};
    return fake_peer_count < max ? fake_peer_count : max;
}

static bool fake_traffic(void *context, const struct turn_allocation_view *view,
                         struct allocation_traffic *ret_traffic)
{
    (void)context;
    *ret_traffic = fakes[view->id].traffic;
    return view->worker == 3;
}

// Of so many ids all are alice's.
static inline void fakes_set_up(uint32_t count)
{
    memset(fakes, 0, sizeof(fakes));
    fake_id_count = count;
    fake_now_ms = 11000;
    fake_clock_step = 0;
    for (uint32_t id = 0; id < count; id++)
        fakes[id].user = "alice";
}

// Asks, and goes on until there is an answer. Returns how many steps that took.
static inline unsigned fakes_ask(struct question *question, const char *parameters,
                                 const char *const *keys, bool (*begin)(struct question *),
                                 bool (*step)(struct question *))
{
    unsigned steps = 1;

    question->walk = (struct question_walk){};
    telemetry_answer_reset(&question->answer);
    question->asked_ms = question->now_ms = fake_now_ms;
    if (!parameters_parse(parameters, keys, &question->parameters, &question->answer) ||
        !begin(question))
        return steps;
    do {
        question->now_ms = fake_now_ms;
        steps++;
    } while (step(question));
    return steps;
}
