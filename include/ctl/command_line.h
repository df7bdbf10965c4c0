// SPDX-License-Identifier: BSD-3-Clause
// What the operator wants: one table of commands with what each takes. Help, completion and the manual are held to
// it.
#pragma once

#include "ctl/problem.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

// Where the relay's telemetry is, unless said.
#define CTL_DEFAULT_SOCKET "/run/turnpike/dpdk/rte/dpdk_telemetry.v2"

enum verb {
    VERB_STATUS,
    VERB_WORKERS,
    VERB_PORTS,
    VERB_DROPS,
    VERB_ALLOCATIONS,
    VERB_SHOW,
    VERB_KILL,
    VERB_USERS,
    VERB_QUOTAS,
    VERB_TALKERS,
    VERB_LOG,
    VERB_DRAIN,
    VERB_UNDRAIN,
    VERB_RELOAD,
    VERB_TOP,
    VERB_COUNT,
};

// What was not said is NULL, 0 or false.
struct command_line {
    enum verb verb;
    const char *socket;
    bool json;
    bool all;
    bool yes;
    const char *user;
    const char *client;
    const char *peer;
    const char *relay;
    const char *to;
    uint32_t limit;
    bool has_deadline;
    uint32_t deadline_s; // 0: there is to be none
    uint32_t interval_s;
    const char *arguments[2]; // ID; SUBSYSTEM and LEVEL
};

enum command_line_verdict {
    COMMAND_LINE_RUN,
    COMMAND_LINE_DONE,  // --help or --version: was printed to output
    COMMAND_LINE_WRONG, // was said on errors
};

// The strings are those of argv.
enum command_line_verdict command_line_parse(int argc, char **argv, FILE *output, FILE *errors,
                                             struct command_line *ret_line);
