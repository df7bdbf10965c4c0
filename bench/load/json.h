// SPDX-License-Identifier: BSD-3-Clause
// Writes one JSON object after the other part of it, indented (RFC 8259).
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
    FILE *stream;
    unsigned depth;
    bool has_members; // at the present depth
};

// The outermost object has no name. Names need no escapes.
void json_begin(struct json *json, const char *name);
void json_end(struct json *json);
void json_count(struct json *json, const char *name, uint64_t value);
void json_number(struct json *json, const char *name, double value);
void json_text(struct json *json, const char *name, const char *text);
