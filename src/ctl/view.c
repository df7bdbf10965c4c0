// SPDX-License-Identifier: BSD-3-Clause
// A relay of a newer version says more than is known here: whatever it says is shown.
#include "ctl/view.h"

#include "ctl/table.h"
#include "ctl/text.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_LEN_MAX 2048
// Deeper than a relay nests anything; what is, is shown as JSON.
#define INDENT_MAX 16

static bool ends_with(const char *name, const char *end)
{
    size_t len = strlen(name), end_len = strlen(end);

    return len >= end_len && strcmp(name + len - end_len, end) == 0;
}

enum quantity view_quantity(const char *name)
{
    static const struct {
        const char *part;
        bool at_the_end;
        enum quantity quantity;
    } kinds[] = {
        {"_seconds", true, QUANTITY_SECONDS},
        {"_time", true, QUANTITY_TIME},
        {"_expiry", true, QUANTITY_TIME},
        {"_percent", true, QUANTITY_PERCENT},
        {"bits_per_second", false, QUANTITY_BIT_S},
        {"packets_per_second", false, QUANTITY_PACKET_S},
        {"bytes", false, QUANTITY_BYTES},
        {"packets", false, QUANTITY_COUNT},
        {"dropped", false, QUANTITY_COUNT},
        {"errors", false, QUANTITY_COUNT},
    };

    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].at_the_end ? ends_with(name, kinds[i].part)
                                : strstr(name, kinds[i].part) != NULL)
            return kinds[i].quantity;
    }
    return QUANTITY_NUMBER;
}

// What is neither number nor text, as JSON.
static void format_value(const char *name, const json_t *value, char text[VALUE_LEN_MAX])
{
    size_t len;

    if (!value || json_is_null(value)) {
        strcpy(text, "-");
    } else if (json_is_string(value)) {
        text_clean(json_string_value(value), text, VALUE_LEN_MAX);
    } else if (json_is_number(value)) {
        quantity_format(view_quantity(name), json_number_value(value), text);
    } else {
        len = json_dumpb(value, text, VALUE_LEN_MAX - 1, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
        text[len < VALUE_LEN_MAX ? len : VALUE_LEN_MAX - 1] = '\0';
    }
}

static bool rows_have(const json_t *rows, const char *name)
{
    json_t *row;
    size_t index;

    json_array_foreach(rows, index, row)
    {
        if (json_object_get(row, name))
            return true;
    }
    return false;
}

static void add_row(struct table *table, const struct view_column *const *columns, unsigned count,
                    const json_t *row)
{
    for (unsigned i = 0; i < count; i++) {
        const json_t *value = json_object_get(row, columns[i]->name);
        char text[VALUE_LEN_MAX];

        format_value(columns[i]->name, value, text);
        if (json_is_number(value))
            table_add_number(table, text);
        else
            table_add_text(table, text);
    }
}

void view_print_rows(const struct view *view, const json_t *rows, FILE *file)
{
    const struct view_column *columns[VIEW_COLUMNS_MAX];
    const char *titles[VIEW_COLUMNS_MAX];
    struct table *table;
    unsigned count = 0;
    json_t *row;
    size_t index;

    for (const struct view_column *column = view->columns; column->name; column++) {
        if (!rows_have(rows, column->name))
            continue;
        titles[count] = column->title;
        columns[count++] = column;
    }
    table = count > 0 ? table_create(titles, count) : NULL;
    if (!table)
        return;
    json_array_foreach(rows, index, row)
    {
        add_row(table, columns, count, row);
    }
    table_print(table, file);
    table_destroy(table);
}

// "uptime_seconds" is "uptime" where its value says the unit.
static void format_name(const char *name, char text[VALUE_LEN_MAX])
{
    static const char *const units[] = {"_seconds", "_percent"};

    text_clean(name, text, VALUE_LEN_MAX);
    for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (ends_with(text, units[i]))
            text[strlen(text) - strlen(units[i])] = '\0';
    }
    for (char *letter = text; *letter; letter++) {
        if (*letter == '_')
            *letter = ' ';
    }
}

// Names that count from 0 stand for the places of a list.
static bool is_list(const json_t *value)
{
    const char *name;
    json_t *member;

    if (json_object_size(value) == 0)
        return false;
    json_object_foreach((json_t *)value, name, member)
    {
        if (!json_is_object(member) || strspn(name, "0123456789") != strlen(name))
            return false;
    }
    return true;
}

static bool has_column(const struct view *view, const char *name)
{
    const struct view_column *column = view->columns;

    while (column->name && strcmp(column->name, name) != 0)
        column++;
    return column->name != NULL;
}

// With a column for each member that any of them has.
static void print_list(json_t *list, FILE *file)
{
    char titles[VIEW_COLUMNS_MAX][VALUE_LEN_MAX];
    struct view view = {};
    unsigned count = 0;
    const char *name, *member_name;
    json_t *member, *value, *rows = json_array();

    json_object_foreach(list, name, member)
    {
        json_array_append(rows, member);
        json_object_foreach(member, member_name, value)
        {
            if (count + 1 == VIEW_COLUMNS_MAX || has_column(&view, member_name))
                continue;
            format_name(member_name, titles[count]);
            for (char *letter = titles[count]; *letter; letter++)
                *letter = (char)toupper((unsigned char)*letter);
            view.columns[count] = (struct view_column){member_name, titles[count]};
            count++;
        }
    }
    view_print_rows(&view, rows, file);
    json_decref(rows);
}

static unsigned widest_name(const json_t *object)
{
    const char *name;
    unsigned widest = 0;
    json_t *value;

    json_object_foreach((json_t *)object, name, value)
    {
        char text[VALUE_LEN_MAX];

        format_name(name, text);
        if (!json_is_object(value) && text_width(text) > widest)
            widest = text_width(text);
    }
    return widest;
}

static void print_members(const json_t *object, int indent, FILE *file)
{
    int width = (int)widest_name(object);
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)object, name, value)
    {
        char shown[VALUE_LEN_MAX], text[VALUE_LEN_MAX];
        int padding;

        format_name(name, shown);
        fprintf(file, "%*s%s", indent, "", shown);
        if (json_is_object(value) && indent < INDENT_MAX) {
            fputs("\n", file);
            if (is_list(value))
                print_list(value, file);
            else
                print_members(value, indent + 2, file);
            continue;
        }
        format_value(name, value, text);
        padding = width - (int)text_width(shown);
        fprintf(file, "%*s  %s\n", padding > 0 ? padding : 0, "", text);
    }
}

void view_print_object(const json_t *object, FILE *file)
{
    print_members(object, 0, file);
}

struct entry {
    const char *name;
    json_int_t number;
};

static int compare_entries(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;

    if (left->number != right->number)
        return left->number > right->number ? -1 : 1;
    return strcmp(left->name, right->name);
}

void view_print_numbers(const char *title, const json_t *object, FILE *file)
{
    const char *const titles[] = {title, "COUNT"};
    struct entry *entries = calloc(json_object_size(object) + 1, sizeof(*entries));
    struct table *table = table_create(titles, 2);
    unsigned count = 0;
    const char *name;
    json_t *value;

    if (!entries || !table)
        abort();
    json_object_foreach((json_t *)object, name, value)
    {
        if (json_integer_value(value) > 0)
            entries[count++] = (struct entry){name, json_integer_value(value)};
    }
    qsort(entries, count, sizeof(*entries), compare_entries);
    for (unsigned i = 0; i < count; i++) {
        char text[QUANTITY_TEXT_LEN];

        table_add_text(table, entries[i].name);
        snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, entries[i].number);
        table_add_number(table, text);
    }
    table_print(table, file);
    table_destroy(table);
    free(entries);
}
