// SPDX-License-Identifier: BSD-3-Clause
// What a fuzz target is made of: the entry that libFuzzer and replay.c call, and a check that stops
// at a wrong result.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

// Returns 0; aborts when a property does not hold.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Unlike assert, never compiled out.
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)
