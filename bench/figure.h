// SPDX-License-Identifier: BSD-3-Clause
// What many samples come to.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct figure {
    double median;
    double min;
    double max;
};

// Of one double in each of count structures of sample_len bytes; count is at least 1.
struct figure figure_of(const void *samples, size_t sample_len, uint32_t count, size_t member);

// "median (min-max)"
const char *figure_text(const struct figure *figure, int decimals, char text[64]);
// A member of a JSON object, and a comma.
void figure_json(FILE *file, const char *name, const struct figure *figure);
