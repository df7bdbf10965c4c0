// SPDX-License-Identifier: BSD-3-Clause
// See control/question.h.
#include "control/question.h"

#include "base/clock.h"

#define ROUNDS_PER_LOOK 32

bool question_turn_is_over(const struct question *question, unsigned round)
{
    return round > 0 && round % ROUNDS_PER_LOOK == 0 && clock_monotonic_ms() > question->now_ms;
}
