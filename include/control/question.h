// SPDX-License-Identifier: BSD-3-Clause
// One question on its way: what those who answer it know, and fill in. Private to the rooms that
// answer.
#pragma once

#include "control/parameters.h"
#include "control/questions.h"

#include <stdbool.h>
#include <stdint.h>

struct question {
    const struct questions_config *config;
    struct parameters parameters;
    struct telemetry_answer answer;
    uint64_t asked_ms;
    uint64_t created_ms; // of the questions, monotonic
    uint64_t now_ms;     // of this step
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
