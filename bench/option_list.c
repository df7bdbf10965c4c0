// SPDX-License-Identifier: BSD-3-Clause
// Reading numbers, and refusing what is none.
#include "option_list.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void option_refuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "; see --help\n");
    va_end(arguments);
    exit(2);
}

// 10k, 4M.
uint32_t option_number(const char *text, uint32_t min, uint32_t max)
{
    char *end;
    unsigned long long number = strtoull(text, &end, 10);
    bool is_read = end != text && *text != '-';
    if (*end == 'k' && number <= max)
        number *= 1000, end++;
    else if (*end == 'M' && number <= max)
        number *= 1000000, end++;
    if (!is_read || *end != '\0' || number < min || number > max)
        option_refuse("'%s' is no number from %u to %u", text, min, max);
    return (uint32_t)number;
}

void option_list_add(struct option_list *list, uint32_t value)
{
    if (list->count == OPTION_VALUES_MAX)
        option_refuse("more than %d values", OPTION_VALUES_MAX);
    list->values[list->count++] = value;
}

void option_list_read(struct option_list *list, char *text, uint32_t min, uint32_t max)
{
    list->count = 0;
    for (char *word = strtok(text, ","); word != NULL; word = strtok(NULL, ","))
        option_list_add(list, option_number(word, min, max));
}
