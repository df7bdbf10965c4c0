// SPDX-License-Identifier: BSD-3-Clause
// One question on its way: what those who answer it know, and fill in. Private to the rooms that
// answer.
#pragma once

#include "control/parameters.h"
#include "control/questions.h"

#include <stdbool.h>
#include <stdint.h>

// Whoever asks gets what there is by then, before the time is up.
#define QUESTION_PATIENCE_MS (TELEMETRY_TIMEOUT_MS * 7 / 10)

// A walk over all allocations, or users.
struct question_walk {
    struct turn_filter filter;
    uint32_t at; // id, or place, that is looked at next
    uint32_t limit;
    uint32_t count;     // listed
    uint32_t last_id;   // of those
    uint64_t last_name; // and what it is called
};

// What an allocation had carried.
struct question_carried {
    uint64_t at_ms; // monotonic; 0: never
    uint64_t bytes;
    uint64_t packets;
};

// When it was looked at last, and before that: several may ask, and what one of them saw a moment ago is no span for
// the others.
struct question_looks {
    uint64_t session_id;
    struct question_carried last;
    struct question_carried before;
};

struct question_talker {
    uint64_t session_id;
    uint32_t id;
    uint64_t bits_per_second;
    uint64_t packets_per_second;
};

#define QUESTION_TALKERS_MAX 40

// Of top_talkers; what was carried is kept from one question to the next.
struct question_top {
    struct question_looks *looks; // by id; NULL before the first question
    struct question_talker talkers[QUESTION_TALKERS_MAX];
    uint32_t count;
};

struct question {
    const struct questions_config *config;
    struct parameters parameters;
    struct telemetry_answer answer;
    uint64_t asked_ms;
    uint64_t created_ms; // of the questions, monotonic
    uint64_t now_ms;     // of this step
    struct question_walk walk;
    struct question_top top;
};

// A command. begin answers, or says that there is more to do: then step goes on with it each turn
// of the control thread, as long as it says so.
struct question_kind {
    const char *name;
    const char *help;
    const char *const *keys;
    bool (*begin)(struct question *question);
    bool (*step)(struct question *question); // NULL: it needs none
};

// A step has had its millisecond of the control thread. Looks at the clock now and then: of rounds
// that take about as long as it takes to read it.
bool question_turn_is_over(const struct question *question, unsigned round);

// Whoever asked is not to wait any longer.
static inline bool question_is_late(const struct question *question)
{
    return question->now_ms >= question->asked_ms + QUESTION_PATIENCE_MS;
}
