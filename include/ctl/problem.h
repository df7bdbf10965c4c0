// SPDX-License-Identifier: BSD-3-Clause
// Why something was not done: what to say to the operator, and with which status to end.
#pragma once

// docs/turnpike-ctl.8 lists them, and scripts rely on them.
enum ctl_status {
    CTL_DONE = 0,
    CTL_REFUSED = 1,     // the relay refused, or the operator said no
    CTL_USAGE = 2,       // the command line is wrong
    CTL_UNREACHABLE = 3, // no relay answers
    CTL_GARBLED = 4,     // what answers is no relay of this version
};

#define PROBLEM_TEXT_LEN 512

struct problem {
    enum ctl_status status;
    char text[PROBLEM_TEXT_LEN];
};

// Returns status. What is too long for the text is cut off.
enum ctl_status problem_set(struct problem *problem, enum ctl_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
