// SPDX-License-Identifier: BSD-3-Clause
// A screen's worth of text with styles, apart from any terminal.
#pragma once

#include <stdbool.h>

enum page_style {
    PAGE_PLAIN,
    PAGE_BAR,   // the first and last line
    PAGE_TITLE, // of a table
    PAGE_GOOD,
    PAGE_WARNING,
    PAGE_ALARM,
    PAGE_FAINT, // not of now
    PAGE_STYLES,
};

#define PAGE_SPAN_LEN  256
#define PAGE_SPANS_MAX 2048

struct page_span {
    unsigned row, column;
    enum page_style style;
    char text[PAGE_SPAN_LEN];
};

struct page {
    unsigned rows, columns;
    unsigned span_count;
    struct page_span spans[PAGE_SPANS_MAX];
};

void page_clear(struct page *page, unsigned rows, unsigned columns);

// Text, fit for a terminal, from a column on, in at most width columns: left-aligned, or right-aligned. What does not
// fit is cut off, and ends in two dots; what is outside of the page is not there.
void page_put(struct page *page, unsigned row, unsigned column, unsigned width, enum page_style style,
              const char *text);
void page_put_right(struct page *page, unsigned row, unsigned column, unsigned width, enum page_style style,
                    const char *text);

// A row filled with a style, to be written over.
void page_fill(struct page *page, unsigned row, enum page_style style);
