// SPDX-License-Identifier: BSD-3-Clause
// A benchmark's options, each a row of a table that says what it is called, what it may be and
// where it goes.
#pragma once

#include "option_list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
    OPTION_FLAG,    // bool
    OPTION_NUMBER,  // uint32_t
    OPTION_NUMBERS, // struct option_list
    OPTION_WORDS,   // struct option_list: the words' numbers
    OPTION_TEXT,    // const char *, an argument of the process
    OPTION_ACTION,  // nothing of its own: without a value, it does something
};

struct option_row {
    const char *name;
    enum option_type type;
    size_t at;                            // in the program's options, unless it is an action
    uint32_t min;                         // numbers
    uint32_t max;                         // numbers
    uint32_t multiple_of;                 // numbers; 0: of anything
    const char *(*word)(unsigned number); // words: NULL behind the last
    bool takes_all;                       // words: "all" is every one of them
    void (*act)(void *options);
};

#define OPTION_ROWS_MAX 32

// Sets what is given in options, which has the defaults. Whatever is wrong ends the process, by way
// of option_refuse(): a list that is left empty, too.
void option_table_read(const struct option_row *rows, unsigned count, int argc, char **argv,
                       void *options);
