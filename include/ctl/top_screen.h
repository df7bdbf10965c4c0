// SPDX-License-Identifier: BSD-3-Clause
// Pages on the terminal, and its keys, by ncurses.
#pragma once

#include "ctl/page.h"
#include "ctl/problem.h"

#include <stdio.h>

struct top_screen;

// terminal: the type of the terminal, NULL for none. The screen belongs to it until top_screen_close().
enum ctl_status top_screen_open(const char *terminal, FILE *output, FILE *input, struct top_screen **ret_screen,
                                struct problem *problem);
// The terminal is as it was. NULL is none.
void top_screen_close(struct top_screen *screen);

// The page is as large as the terminal is now, and empty.
void top_screen_prepare(struct top_screen *screen, struct page *page);
void top_screen_show(struct top_screen *screen, const struct page *page);

// The next key that was pressed, a character or one of enum top_key; -1 when there is none. What is no key for top is
// 0.
int top_screen_take_key(struct top_screen *screen);
