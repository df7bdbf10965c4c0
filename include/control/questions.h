// SPDX-License-Identifier: BSD-3-Clause
// What operators ask over the control socket, answered on the control thread: one question after
// the other, and one that takes longer in steps between other events.
#pragma once

#include "control/metrics.h"

#include <stdint.h>

struct event_base;
struct questions;

struct questions_config { // borrowed
    struct event_base *base;
    struct metrics_sources sources;
    const char *device; // or interface
};

// The plane runs. Where there is no control socket nobody asks. Logs what went wrong. 0 or -errno.
int questions_create(const struct questions_config *config, struct questions **ret_questions);
// Who still waits is told that the relay stops.
void questions_destroy(struct questions *questions);
