// SPDX-License-Identifier: BSD-3-Clause
// Answers for people: a list of things as a table, one thing as names and values. What a number is, its name says.
#pragma once

#include "ctl/quantity.h"

#include <jansson.h>
#include <stdio.h>

struct view_column {
    const char *name; // in the answer
    const char *title;
};

#define VIEW_COLUMNS_MAX 16

// Ends with a column without a name.
struct view {
    struct view_column columns[VIEW_COLUMNS_MAX];
};

// The unit of a number of that name.
enum quantity view_quantity(const char *name);

// Objects as rows. A column that no object has is left out.
void view_print_rows(const struct view *view, const json_t *rows, FILE *file);

// Every member of an object, a line each; what is in it is indented.
void view_print_object(const json_t *object, FILE *file);

// The members of an object that are numbers above 0, as rows of name and number, largest first.
void view_print_numbers(const char *title, const json_t *object, FILE *file);
