// SPDX-License-Identifier: BSD-3-Clause
// Cells stand in one array, row by row; widths grow with them.
#include "ctl/table.h"

#include "ctl/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// A username of RFC 8489 has at most 508 bytes, each of which may take four columns.
#define CELL_LEN_MAX 2048

struct column {
    const char *title;
    unsigned width;
    bool is_number;
};

struct table {
    char **cells;
    size_t cell_count, cell_room;
    unsigned column_count;
    struct column columns[];
};

struct table *table_create(const char *const *titles, unsigned count)
{
    struct table *table = calloc(1, sizeof(*table) + count * sizeof(table->columns[0]));

    if (!table)
        return NULL;
    table->column_count = count;
    for (unsigned i = 0; i < count; i++)
        table->columns[i] = (struct column){titles[i], text_width(titles[i]), false};
    return table;
}

void table_destroy(struct table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table);
}

static void add_cell(struct table *table, const char *text, bool is_number)
{
    struct column *column = &table->columns[table->cell_count % table->column_count];
    char clean[CELL_LEN_MAX];
    unsigned width;

    if (table->cell_count == table->cell_room) {
        size_t room = table->cell_room > 0 ? 2 * table->cell_room : 64;
        char **cells = reallocarray(table->cells, room, sizeof(*cells));

        if (!cells)
            abort();
        table->cells = cells;
        table->cell_room = room;
    }
    text_clean(text, clean, sizeof(clean));
    table->cells[table->cell_count] = strdup(clean);
    if (!table->cells[table->cell_count])
        abort();
    table->cell_count++;
    width = text_width(clean);
    if (width > column->width)
        column->width = width;
    column->is_number |= is_number;
}

void table_add_text(struct table *table, const char *text)
{
    add_cell(table, text, false);
}

void table_add_number(struct table *table, const char *text)
{
    add_cell(table, text, true);
}

static void print_cell(const struct table *table, unsigned index, const char *text, FILE *file)
{
    const struct column *column = &table->columns[index];
    int padding = (int)(column->width - text_width(text));
    bool is_last = index + 1 == table->column_count;

    if (column->is_number)
        fprintf(file, "%*s%s", padding, "", text);
    else
        fprintf(file, "%s%*s", text, is_last ? 0 : padding, "");
    fputs(is_last ? "\n" : "  ", file);
}

void table_print(const struct table *table, FILE *file)
{
    for (unsigned i = 0; i < table->column_count; i++)
        print_cell(table, i, table->columns[i].title, file);
    for (size_t i = 0; i + table->column_count <= table->cell_count; i += table->column_count) {
        for (unsigned j = 0; j < table->column_count; j++)
            print_cell(table, j, table->cells[i + j], file);
    }
}
