// SPDX-License-Identifier: BSD-3-Clause
// Questions over DPDK's telemetry socket, for the control thread. DPDK serves each client in a
// thread of its own; theirs wait while the control thread answers, one question after the other,
// when it gets to it.
#pragma once

#include "platform/telemetry_answer.h"

#include <stdbool.h>
#include <stdint.h>

// Who got no answer for so long is told so.
#define TELEMETRY_TIMEOUT_MS 1000

#define TELEMETRY_COMMAND_LEN  56   // with the NUL; DPDK's
#define TELEMETRY_QUESTION_LEN 1023 // as DPDK reads it; longer ones are refused

struct telemetry_command {
    const char *name; // "/turnpike/status"; NULL ends a table
    const char *help;
};

struct telemetry_question {
    char command[TELEMETRY_COMMAND_LEN];
    char parameters[TELEMETRY_QUESTION_LEN + 1]; // what is behind the first comma
    uint64_t asked_ms;                           // monotonic
};

// Once in a process. From here on there may be questions; *ret_fd is readable then. 0 or -errno.
int telemetry_open(const struct telemetry_command *commands, int *ret_fd);
// Whoever waits is told that the relay stops, and so are all to come.
void telemetry_close(void);

// The control thread only. False: nobody asks. Otherwise the question is to be answered.
bool telemetry_take(struct telemetry_question *ret_question);
// Does anybody wait for the answer still?
bool telemetry_is_awaited(void);
void telemetry_reply(const struct telemetry_answer *answer);
