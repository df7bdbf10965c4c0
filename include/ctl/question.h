// SPDX-License-Identifier: BSD-3-Clause
// A question on the telemetry socket: a command, and parameters after commas. One packet each.
#pragma once

#include <stddef.h>
#include <stdint.h>

// DPDK reads no more of one.
#define QUESTION_LEN_MAX 1023

struct question {
    size_t command_len; // what is before the first comma
    size_t len;
    char text[QUESTION_LEN_MAX + 1];
};

// command: "/turnpike/..." of static length, short.
void question_init(struct question *question, const char *command);

// ",key=value", or ",value" where key is NULL; what may not stand there, a comma above all, becomes %XX. -EINVAL when
// the value is empty, -E2BIG when it is too long; the question is as it was then.
int question_add(struct question *question, const char *key, const char *value);
int question_add_number(struct question *question, const char *key, uint64_t value);
