// SPDX-License-Identifier: BSD-3-Clause
// Spans in the order in which they are drawn.
#include "ctl/page.h"

#include "ctl/text.h"

#include <stdio.h>
#include <string.h>

void page_clear(struct page *page, unsigned rows, unsigned columns)
{
    page->rows = rows;
    page->columns = columns;
    page->span_count = 0;
}

static struct page_span *add_span(struct page *page, unsigned row, unsigned column,
                                  enum page_style style)
{
    struct page_span *span = &page->spans[page->span_count];

    if (row >= page->rows || column >= page->columns || page->span_count == PAGE_SPANS_MAX)
        return NULL;
    page->span_count++;
    span->row = row;
    span->column = column;
    span->style = style;
    return span;
}

// Returns the columns that it takes.
static unsigned copy_cut(const char *text, unsigned width, char ret_text[PAGE_SPAN_LEN])
{
    bool is_cut = text_width(text) > width || strlen(text) >= PAGE_SPAN_LEN;
    size_t len = text_fit(text, is_cut && width > 2 ? width - 2 : width);

    if (len > PAGE_SPAN_LEN - sizeof(".."))
        len = PAGE_SPAN_LEN - sizeof("..");
    snprintf(ret_text, PAGE_SPAN_LEN, "%.*s%s", (int)len, text, is_cut && width > 2 ? ".." : "");
    return text_width(ret_text);
}

static void put(struct page *page, unsigned row, unsigned column, unsigned width,
                enum page_style style, const char *text, bool right)
{
    struct page_span *span = add_span(page, row, column, style);
    unsigned used;

    if (!span)
        return;
    if (width > page->columns - column)
        width = page->columns - column;
    used = copy_cut(text, width, span->text);
    if (right)
        span->column += width - used;
}

void page_put(struct page *page, unsigned row, unsigned column, unsigned width,
              enum page_style style, const char *text)
{
    put(page, row, column, width, style, text, false);
}

void page_put_right(struct page *page, unsigned row, unsigned column, unsigned width,
                    enum page_style style, const char *text)
{
    put(page, row, column, width, style, text, true);
}

void page_fill(struct page *page, unsigned row, enum page_style style)
{
    for (unsigned column = 0; column < page->columns; column += PAGE_SPAN_LEN - 1) {
        struct page_span *span = add_span(page, row, column, style);
        unsigned left = page->columns - column;

        if (!span)
            return;
        snprintf(span->text, sizeof(span->text), "%*s",
                 (int)(left < PAGE_SPAN_LEN ? left : PAGE_SPAN_LEN - 1), "");
    }
}
