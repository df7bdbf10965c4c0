// SPDX-License-Identifier: BSD-3-Clause
// Rows of text under titles, each column as wide as it has to be.
#pragma once

#include <stdio.h>

struct table;

// titles: count of them, of static storage. NULL without memory.
struct table *table_create(const char *const *titles, unsigned count);
void table_destroy(struct table *table);

// As many cells as there are titles; they are made fit for a terminal. A column in which a cell was ever a number's
// is aligned on the right.
void table_add_text(struct table *table, const char *text);
void table_add_number(struct table *table, const char *text);

// Whole rows.
void table_print(const struct table *table, FILE *file);
