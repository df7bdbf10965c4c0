// SPDX-License-Identifier: BSD-3-Clause
// By way of getopt_long(), whose table is made of this one.
#include "option_table.h"

#include <assert.h>
#include <getopt.h>
#include <string.h>

static bool has_value(const struct option_row *row)
{
    return row->type != OPTION_FLAG && row->type != OPTION_ACTION;
}

static struct option_list *list_of(const struct option_row *row, void *options)
{
    bool is_list = row->type == OPTION_NUMBERS || row->type == OPTION_WORDS;
    return is_list ? (struct option_list *)((uint8_t *)options + row->at) : NULL;
}

static void read_numbers(const struct option_row *row, char *text, struct option_list *list)
{
    option_list_read(list, text, row->min, row->max);
    for (unsigned i = 0; row->multiple_of > 0 && i < list->count; i++) {
        if (list->values[i] % row->multiple_of != 0)
            option_refuse("%s %u is no multiple of %u", row->name, list->values[i],
                          row->multiple_of);
    }
}

static void read_words(const struct option_row *row, char *text, struct option_list *list)
{
    list->count = 0;
    for (char *word = strtok(text, ","); word != NULL; word = strtok(NULL, ",")) {
        unsigned before = list->count;
        bool is_all = row->takes_all && strcmp(word, "all") == 0;
        for (unsigned i = 0; row->word(i) != NULL; i++) {
            if (is_all || strcmp(word, row->word(i)) == 0)
                option_list_add(list, i);
        }
        if (list->count == before)
            option_refuse("no %s '%s'", row->name, word);
    }
}

static void set(const struct option_row *row, char *text, void *options)
{
    void *value = (uint8_t *)options + row->at;
    switch (row->type) {
    case OPTION_FLAG:
        *(bool *)value = true;
        break;
    case OPTION_NUMBER:
        *(uint32_t *)value = option_number(text, row->min, row->max);
        break;
    case OPTION_NUMBERS:
        read_numbers(row, text, value);
        break;
    case OPTION_WORDS:
        read_words(row, text, value);
        break;
    case OPTION_TEXT:
        *(const char **)value = text;
        break;
    case OPTION_ACTION:
        row->act(options);
    }
}

// getopt_long() tells of an option by its row's number.
static void make_long_options(const struct option_row *rows, unsigned count,
                              struct option long_options[OPTION_ROWS_MAX + 1])
{
    assert(count <= OPTION_ROWS_MAX);
    for (unsigned i = 0; i < count; i++)
        long_options[i] = (struct option){
            rows[i].name, has_value(&rows[i]) ? required_argument : no_argument, NULL, (int)i};
    long_options[count] = (struct option){NULL, 0, NULL, 0};
}

void option_table_read(const struct option_row *rows, unsigned count, int argc, char **argv,
                       void *options)
{
    struct option long_options[OPTION_ROWS_MAX + 1];
    int row;
    make_long_options(rows, count, long_options);
    opterr = 0;
    while ((row = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (row == '?')
            option_refuse("%s: no such option, or its value is missing", argv[optind - 1]);
        set(&rows[row], optarg, options);
    }
    if (optind < argc)
        option_refuse("'%s' is no option", argv[optind]);
    for (unsigned i = 0; i < count; i++) {
        const struct option_list *list = list_of(&rows[i], options);
        if (list != NULL && list->count == 0)
            option_refuse("an empty list");
    }
}
