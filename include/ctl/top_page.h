// SPDX-License-Identifier: BSD-3-Clause
// How top looks: what was sampled, what was chosen and what is wrong, as a page of any size.
#pragma once

#include "ctl/page.h"
#include "ctl/top_choice.h"
#include "ctl/top_rates.h"
#include "ctl/top_sample.h"

#include <stdint.h>

// A terminal has at least these.
#define TOP_PAGE_ROWS_MIN    10
#define TOP_PAGE_COLUMNS_MIN 40

struct top_look {
    const struct top_sample *sample; // NULL: there is none yet
    const struct top_rates *rates;
    const char *problem; // NULL: all is well
    uint64_t wall_s;     // the time of day
};

// Bounds choice->first to what there is.
void top_page_draw(const struct top_look *look, struct top_choice *choice, struct page *page);
