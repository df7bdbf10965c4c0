// SPDX-License-Identifier: BSD-3-Clause
// Numbers on a benchmark's command line: 10k, or 1k,1M.
#pragma once

#include <stdint.h>

#define OPTION_VALUES_MAX 16

struct option_list {
    uint32_t values[OPTION_VALUES_MAX];
    unsigned count;
};

// Whatever is wrong ends the process, by way of option_refuse().
uint32_t option_number(const char *text, uint32_t min, uint32_t max);
void option_list_add(struct option_list *list, uint32_t value);
// Cuts text to pieces.
void option_list_read(struct option_list *list, char *text, uint32_t min, uint32_t max);

void option_refuse(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
