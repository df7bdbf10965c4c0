// SPDX-License-Identifier: BSD-3-Clause
// What stands behind a command: key=value, joined by commas. A value may be written with %XX for
// what could not stand there. One without a key is the first key's.
#pragma once

#include "base/address.h"
#include "platform/telemetry.h"

#include <stdbool.h>
#include <stdint.h>

#define PARAMETERS_MAX 8

struct parameters {
    const char *const *keys;            // allowed ones, ended by NULL; borrowed
    const char *values[PARAMETERS_MAX]; // of each key, NULL: not given
    char text[TELEMETRY_QUESTION_LEN + 1];
};

// False: *answer says what is wrong and which keys there are.
bool parameters_parse(const char *text, const char *const *keys, struct parameters *ret_parameters,
                      struct telemetry_answer *answer);

// One of the keys. NULL when it was not given.
const char *parameters_get(const struct parameters *parameters, const char *key);

// Each false, with an error in *answer, when what was given is not of that kind; true and untouched
// when nothing was.
bool parameters_number(const struct parameters *parameters, const char *key, uint32_t min,
                       uint32_t max, uint32_t *number, struct telemetry_answer *answer);
bool parameters_session(const struct parameters *parameters, const char *key, uint64_t *session_id,
                        struct telemetry_answer *answer);
// An IP address, with or without a port; port 0: any.
bool parameters_address(const struct parameters *parameters, const char *key,
                        struct transport_address *address, struct telemetry_answer *answer);
