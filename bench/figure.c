// SPDX-License-Identifier: BSD-3-Clause
// Median, least and most, and how they are written.
#include "figure.h"

#include "fail.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

struct figure figure_of(const void *samples, size_t sample_len, uint32_t count, size_t member)
{
    double *values = calloc(count, sizeof(*values));
    if (values == NULL)
        fail("out of memory");
    for (uint32_t i = 0; i < count; i++)
        values[i] = *(const double *)((const uint8_t *)samples + i * sample_len + member);
    qsort(values, count, sizeof(values[0]), compare);
    struct figure figure = {(values[(count - 1) / 2] + values[count / 2]) / 2, values[0],
                            values[count - 1]};
    free(values);
    return figure;
}

const char *figure_text(const struct figure *figure, int decimals, char text[64])
{
    snprintf(text, 64, "%.*f (%.*f-%.*f)", decimals, figure->median, decimals, figure->min,
             decimals, figure->max);
    return text;
}

void figure_json(FILE *file, const char *name, const struct figure *figure)
{
    fprintf(file, "\"%s\": {\"median\": %.6g, \"min\": %.6g, \"max\": %.6g}, ", name,
            figure->median, figure->min, figure->max);
}
