// SPDX-License-Identifier: BSD-3-Clause
// What whoever looks at top has chosen, by keys.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum top_sort {
    TOP_SORT_TRAFFIC, // both ways together
    TOP_SORT_TO_PEER,
    TOP_SORT_TO_CLIENT,
    TOP_SORT_AGE,
    TOP_SORT_USER,
    TOP_SORT_COUNT,
};

// Of keys that are no characters.
enum top_key {
    TOP_KEY_UP = 0x1000,
    TOP_KEY_DOWN,
    TOP_KEY_PAGE_UP,
    TOP_KEY_PAGE_DOWN,
    TOP_KEY_HOME,
};

struct top_choice {
    enum top_sort sort;
    bool reversed;
    bool paused;
    bool helps; // the page of keys is shown
    bool quits;
    unsigned first; // allocation in the list; whoever draws it bounds it
    uint32_t interval_s;
};

// A key was pressed: a character or one of enum top_key. Others are ignored.
void top_choice_take_key(struct top_choice *choice, int key);

const char *top_sort_name(enum top_sort sort);
