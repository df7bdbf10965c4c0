// SPDX-License-Identifier: BSD-3-Clause
// Keys as pagers and top(1) have them.
#include "ctl/top_choice.h"

enum {
    PAGE_ROWS = 10,
    INTERVAL_S_MAX = 60,
};

const char *top_sort_name(enum top_sort sort)
{
    static const char *const names[] = {[TOP_SORT_TRAFFIC] = "traffic",
                                        [TOP_SORT_TO_PEER] = "to peer",
                                        [TOP_SORT_TO_CLIENT] = "to client",
                                        [TOP_SORT_AGE] = "age",
                                        [TOP_SORT_USER] = "user"};

    return names[sort];
}

static void scroll(struct top_choice *choice, int rows)
{
    if (rows < 0 && choice->first < (unsigned)-rows)
        choice->first = 0;
    else
        choice->first += (unsigned)rows;
}

// The keys of the list; whatever orders it anew begins with its first.
static void take_list_key(struct top_choice *choice, int key)
{
    switch (key) {
    case 's':
        choice->sort = (choice->sort + 1) % TOP_SORT_COUNT;
        choice->first = 0;
        break;
    case 'r':
        choice->reversed = !choice->reversed;
        choice->first = 0;
        break;
    case 'k':
    case TOP_KEY_UP:
        scroll(choice, -1);
        break;
    case 'j':
    case TOP_KEY_DOWN:
        scroll(choice, 1);
        break;
    case TOP_KEY_PAGE_UP:
        scroll(choice, -PAGE_ROWS);
        break;
    case TOP_KEY_PAGE_DOWN:
        scroll(choice, PAGE_ROWS);
        break;
    case 'g':
    case TOP_KEY_HOME:
        choice->first = 0;
        break;
    }
}

void top_choice_take_key(struct top_choice *choice, int key)
{
    if (key == 'q') {
        choice->quits = true;
    } else if (choice->helps) {
        choice->helps = false; // any key leads back
    } else if (key == 'h' || key == '?') {
        choice->helps = true;
    } else if (key == 'p' || key == ' ') {
        choice->paused = !choice->paused;
    } else if (key == '+') {
        choice->interval_s += choice->interval_s < INTERVAL_S_MAX;
    } else if (key == '-') {
        choice->interval_s -= choice->interval_s > 1;
    } else {
        take_list_key(choice, key);
    }
}
