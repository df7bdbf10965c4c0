// SPDX-License-Identifier: BSD-3-Clause
// Made for 80 columns and 24 rows; a larger terminal shows more of the lists, and more columns of
// allocations.
#include "ctl/top_page.h"

#include "ctl/quantity.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    HEAD_ROWS = 4,      // one more with peers over TCP
    SPACIOUS_ROWS = 20, // from here on there is a row to spare between two tables
    BUSY_WARNING_PERCENT = 70,
    BUSY_ALARM_PERCENT = 90,
    BAR_COLUMNS_MAX = 30,
};

struct cell {
    unsigned width;
    bool is_number;
    const char *title;
};

struct drawing {
    const struct top_look *look;
    struct top_choice *choice;
    struct page *page;
    unsigned row;
};

// Where peers are reached over TCP, that has a line of its own.
static bool has_tcp(const struct drawing *drawing)
{
    return drawing->look->sample && drawing->look->sample->status.relays_tcp;
}

static unsigned notice_row(const struct drawing *drawing)
{
    return HEAD_ROWS - 1 + has_tcp(drawing);
}

static enum page_style style_of_now(const struct drawing *drawing)
{
    return drawing->look->problem ? PAGE_FAINT : PAGE_PLAIN;
}

static unsigned put_cell(struct page *page, unsigned row, unsigned column, const struct cell *cell,
                         enum page_style style, const char *text)
{
    if (cell->is_number)
        page_put_right(page, row, column, cell->width, style, text);
    else
        page_put(page, row, column, cell->width, style, text);
    return column + cell->width + 1;
}

static unsigned put_quantity(struct page *page, unsigned row, unsigned column,
                             const struct cell *cell, enum page_style style, enum quantity kind,
                             double value)
{
    char text[QUANTITY_TEXT_LEN];

    return put_cell(page, row, column, cell, style, quantity_format(kind, value, text));
}

// Returns the column behind the last.
static unsigned put_titles(struct drawing *drawing, const struct cell *cells, unsigned count)
{
    unsigned column = 0;

    page_fill(drawing->page, drawing->row, PAGE_TITLE);
    for (unsigned i = 0; i < count; i++)
        column =
            put_cell(drawing->page, drawing->row, column, &cells[i], PAGE_TITLE, cells[i].title);
    drawing->row++;
    return column;
}

static void draw_first_line(struct drawing *drawing)
{
    const struct top_sample *sample = drawing->look->sample;
    char uptime[QUANTITY_TEXT_LEN], text[PAGE_SPAN_LEN], clock[32];
    time_t now = (time_t)drawing->look->wall_s;
    struct tm fields;

    page_fill(drawing->page, 0, PAGE_BAR);
    if (sample && sample->status_ms > 0)
        snprintf(text, sizeof(text), " turnpike %s  %s  %s  up %s", sample->status.version,
                 sample->status.device, sample->status.state,
                 quantity_format(QUANTITY_SECONDS, (double)sample->status.uptime_s, uptime));
    else
        snprintf(text, sizeof(text), " turnpike");
    page_put(drawing->page, 0, 0, drawing->page->columns - 9, PAGE_BAR, text);
    gmtime_r(&now, &fields);
    strftime(clock, sizeof(clock), "%H:%M:%S", &fields);
    page_put_right(drawing->page, 0, drawing->page->columns - 9, 8, PAGE_BAR, clock);
}

static void draw_totals(struct drawing *drawing)
{
    const struct top_status *status = &drawing->look->sample->status;
    const struct top_flow *flow = &drawing->look->rates->all;
    enum page_style style = style_of_now(drawing);
    char text[PAGE_SPAN_LEN], values[5][QUANTITY_TEXT_LEN];

    snprintf(text, sizeof(text),
             " allocations %" PRIu64 " of %" PRIu64 "  permissions %" PRIu64 "  channels %" PRIu64
             "  users %" PRIu64,
             status->allocations, status->allocations_max, status->permissions, status->channels,
             status->users);
    page_put(drawing->page, 1, 0, drawing->page->columns, style, text);
    if (!flow->known) {
        page_put(drawing->page, 2, 0, drawing->page->columns, style,
                 " rates come with the second look");
        return;
    }
    snprintf(text, sizeof(text), " in %s %s  out %s %s  dropped %s",
             quantity_format(QUANTITY_PACKET_S, flow->rx_packets, values[0]),
             quantity_format(QUANTITY_BIT_S, flow->rx_bits, values[1]),
             quantity_format(QUANTITY_PACKET_S, flow->tx_packets, values[2]),
             quantity_format(QUANTITY_BIT_S, flow->tx_bits, values[3]),
             quantity_format(QUANTITY_PACKET_S, flow->dropped, values[4]));
    page_put(drawing->page, 2, 0, drawing->page->columns, style, text);
}

// These bytes are not among the workers'. With four digits each it fits 80 columns.
static void draw_tcp(struct drawing *drawing)
{
    const struct top_status *status = &drawing->look->sample->status;
    const struct top_tcp_flow *flow = &drawing->look->rates->tcp;
    char text[PAGE_SPAN_LEN], values[2][QUANTITY_TEXT_LEN];
    int len = snprintf(text, sizeof(text), " TCP allocations %" PRIu64 "  connections %" PRIu64,
                       status->tcp_allocations, status->tcp_connections);

    if (flow->known)
        snprintf(text + len, sizeof(text) - (size_t)len, "  to peer %s, client %s",
                 quantity_format(QUANTITY_BIT_S, flow->bits_to_peer, values[0]),
                 quantity_format(QUANTITY_BIT_S, flow->bits_to_client, values[1]));
    page_put(drawing->page, 3, 0, drawing->page->columns, style_of_now(drawing), text);
}

// What is not as it always is.
static void draw_notice(struct drawing *drawing)
{
    unsigned row = notice_row(drawing);
    char text[PAGE_SPAN_LEN];

    if (drawing->look->problem) {
        snprintf(text, sizeof(text), " %s", drawing->look->problem);
        page_put(drawing->page, row, 0, drawing->page->columns, PAGE_ALARM, text);
    } else if (drawing->choice->paused) {
        page_put(drawing->page, row, 0, drawing->page->columns, PAGE_WARNING, " paused: p goes on");
    } else if (drawing->look->sample &&
               strcmp(drawing->look->sample->status.state, "draining") == 0) {
        page_put(drawing->page, row, 0, drawing->page->columns, PAGE_WARNING,
                 " draining: no new allocations are taken");
    }
}

static enum page_style busy_style(const struct drawing *drawing, double percent)
{
    if (drawing->look->problem)
        return PAGE_FAINT;
    return percent >= BUSY_ALARM_PERCENT     ? PAGE_ALARM
           : percent >= BUSY_WARNING_PERCENT ? PAGE_WARNING
                                             : PAGE_GOOD;
}

// A bar as long as there is room for.
static void draw_bar(struct drawing *drawing, unsigned column, double percent)
{
    unsigned left = drawing->page->columns > column + 1 ? drawing->page->columns - column - 1 : 0;
    unsigned full;
    char bar[BAR_COLUMNS_MAX + 1];

    left = left < BAR_COLUMNS_MAX ? left : BAR_COLUMNS_MAX;
    full = (unsigned)(left * percent / 100 + 0.5);
    memset(bar, '|', full);
    memset(bar + full, '.', left - full);
    bar[left] = '\0';
    page_put(drawing->page, drawing->row, column, left, busy_style(drawing, percent), bar);
}

static void draw_busy(struct drawing *drawing, const struct cell *cell, unsigned column,
                      unsigned index)
{
    const struct top_flow *flow = &drawing->look->rates->workers[index];

    if (drawing->look->sample->workers[index].is_stuck) {
        put_cell(drawing->page, drawing->row, column, cell, PAGE_ALARM, "stuck");
        return;
    }
    if (!flow->busy_is_known) {
        put_cell(drawing->page, drawing->row, column, cell, style_of_now(drawing), "-");
        return;
    }
    column =
        put_quantity(drawing->page, drawing->row, column, cell,
                     busy_style(drawing, flow->busy_percent), QUANTITY_PERCENT, flow->busy_percent);
    draw_bar(drawing, column, flow->busy_percent);
}

static void draw_worker(struct drawing *drawing, const struct cell *cells, unsigned index)
{
    const struct top_worker *worker = &drawing->look->sample->workers[index];
    const struct top_flow *flow = &drawing->look->rates->workers[index];
    const double rates[] = {flow->rx_packets, flow->rx_bits, flow->tx_packets, flow->tx_bits,
                            flow->dropped};
    enum page_style style = style_of_now(drawing);
    unsigned column = 0, cell = 0;

    column = put_quantity(drawing->page, drawing->row, column, &cells[cell++], style,
                          QUANTITY_NUMBER, (double)worker->worker);
    column = put_quantity(drawing->page, drawing->row, column, &cells[cell++], style,
                          QUANTITY_NUMBER, (double)worker->cpu);
    column = put_quantity(drawing->page, drawing->row, column, &cells[cell++], style,
                          QUANTITY_NUMBER, (double)worker->allocations);
    for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++, cell++) {
        if (flow->known)
            column = put_quantity(drawing->page, drawing->row, column, &cells[cell], style,
                                  QUANTITY_COUNT, rates[i]);
        else
            column = put_cell(drawing->page, drawing->row, column, &cells[cell], style, "-");
    }
    draw_busy(drawing, &cells[cell], column, index);
    drawing->row++;
}

static void draw_workers(struct drawing *drawing, unsigned rows)
{
    static const struct cell cells[] = {
        {6, true, "WORKER"},    {4, true, "CPU"},      {7, true, "ALLOCS"},
        {8, true, "IN PPS"},    {9, true, "IN BIT/S"}, {8, true, "OUT PPS"},
        {9, true, "OUT BIT/S"}, {7, true, "DROPS/S"},  {5, true, "BUSY"},
    };
    unsigned count = drawing->look->sample->worker_count;
    char text[64];

    put_titles(drawing, cells, sizeof(cells) / sizeof(cells[0]));
    for (unsigned i = 0; i < count; i++) {
        if (i + 1 == rows && count > rows) {
            snprintf(text, sizeof(text), " and %u more, which a higher terminal shows", count - i);
            page_put(drawing->page, drawing->row++, 0, drawing->page->columns, PAGE_FAINT, text);
            return;
        }
        draw_worker(drawing, cells, i);
    }
}

// Places of a list, ordered by what the list is about; qsort_r's context.
struct order {
    const struct top_look *look;
    const struct top_choice *choice;
};

static int compare_numbers(double left, double right)
{
    return left > right ? -1 : left < right ? 1 : 0;
}

static int compare_drops(const void *a, const void *b, void *context)
{
    const struct order *order = context;
    unsigned left = *(const unsigned *)a, right = *(const unsigned *)b;
    const struct top_sample *sample = order->look->sample;
    int by_rate =
        compare_numbers(order->look->rates->drops[left], order->look->rates->drops[right]);

    if (by_rate != 0)
        return by_rate;
    return compare_numbers((double)sample->drops[left].count, (double)sample->drops[right].count);
}

static void draw_drops(struct drawing *drawing, unsigned rows)
{
    static const struct cell cells[] = {
        {28, false, "DROPPED"}, {10, true, "EACH S"}, {12, true, "IN ALL"}};
    const struct top_sample *sample = drawing->look->sample;
    struct order order = {drawing->look, drawing->choice};
    unsigned places[TOP_DROPS_MAX];

    for (unsigned i = 0; i < sample->drop_count; i++)
        places[i] = i;
    qsort_r(places, sample->drop_count, sizeof(places[0]), compare_drops, &order);
    put_titles(drawing, cells, sizeof(cells) / sizeof(cells[0]));
    for (unsigned i = 0; i < sample->drop_count && i < rows; i++) {
        double rate = drawing->look->rates->drops[places[i]];
        enum page_style style =
            rate > 0 && !drawing->look->problem ? PAGE_WARNING : style_of_now(drawing);
        unsigned column;

        column = put_cell(drawing->page, drawing->row, 0, &cells[0], style,
                          sample->drops[places[i]].reason);
        column = put_quantity(drawing->page, drawing->row, column, &cells[1], style, QUANTITY_COUNT,
                              rate);
        put_quantity(drawing->page, drawing->row, column, &cells[2], style, QUANTITY_NUMBER,
                     (double)sample->drops[places[i]].count);
        drawing->row++;
    }
}

static double sort_value(const struct order *order, unsigned place)
{
    const struct top_allocation_flow *flow = &order->look->rates->allocations[place];

    switch (order->choice->sort) {
    case TOP_SORT_TO_PEER:
        return flow->bits_to_peer;
    case TOP_SORT_TO_CLIENT:
        return flow->bits_to_client;
    case TOP_SORT_AGE:
        return (double)order->look->sample->allocations[place].age_s;
    default:
        return flow->bits_to_peer + flow->bits_to_client;
    }
}

static int compare_allocations(const void *a, const void *b, void *context)
{
    const struct order *order = context;
    unsigned left = *(const unsigned *)a, right = *(const unsigned *)b;
    const struct top_allocation *allocations = order->look->sample->allocations;
    int result;

    if (order->choice->sort == TOP_SORT_USER)
        result = strcmp(allocations[left].user, allocations[right].user);
    else
        result = compare_numbers(sort_value(order, left), sort_value(order, right));
    // Those that are alike stand still from one look to the next.
    if (result == 0)
        return strcmp(allocations[left].session, allocations[right].session);
    return order->choice->reversed ? -result : result;
}

enum allocation_cell {
    SESSION,
    USER,
    CLIENT,
    TO_PEER,
    TO_CLIENT,
    AGE,
    PEERS,
    RELAYED,
    ALLOCATION_CELLS
};

// What fits, from left to right.
static unsigned choose_cells(unsigned columns, struct cell cells[ALLOCATION_CELLS])
{
    static const struct cell all[] = {
        [SESSION] = {16, false, "SESSION"},    [USER] = {14, false, "USER"},
        [CLIENT] = {21, false, "CLIENT"},      [TO_PEER] = {12, true, "TO PEER"},
        [TO_CLIENT] = {12, true, "TO CLIENT"}, [AGE] = {9, true, "AGE"},
        [PEERS] = {7, false, "PEERS"},         [RELAYED] = {26, false, "RELAYED"},
    };
    unsigned used = 0, count = 0;

    while (count < ALLOCATION_CELLS && used + all[count].width <= columns) {
        cells[count] = all[count];
        used += all[count++].width + 1;
    }
    return count;
}

// Over TCP with their number: each has a connection.
static void format_peers(const struct top_allocation *allocation, char text[QUANTITY_TEXT_LEN])
{
    if (strcmp(allocation->peers, "tcp") == 0)
        snprintf(text, QUANTITY_TEXT_LEN, "tcp %" PRIu64, allocation->connections);
    else
        snprintf(text, QUANTITY_TEXT_LEN, "%s", allocation->peers);
}

static void draw_allocation(struct drawing *drawing, const struct cell *cells, unsigned count,
                            unsigned place)
{
    const struct top_allocation *allocation = &drawing->look->sample->allocations[place];
    const struct top_allocation_flow *flow = &drawing->look->rates->allocations[place];
    char texts[ALLOCATION_CELLS][QUANTITY_TEXT_LEN] = {[TO_PEER] = "-", [TO_CLIENT] = "-"};
    const char *values[ALLOCATION_CELLS] = {
        [SESSION] = allocation->session, [USER] = allocation->user,
        [CLIENT] = allocation->client,   [TO_PEER] = texts[TO_PEER],
        [TO_CLIENT] = texts[TO_CLIENT],  [AGE] = texts[AGE],
        [PEERS] = texts[PEERS],          [RELAYED] = allocation->relayed,
    };
    unsigned column = 0;

    if (flow->known) {
        quantity_format(QUANTITY_BIT_S, flow->bits_to_peer, texts[TO_PEER]);
        quantity_format(QUANTITY_BIT_S, flow->bits_to_client, texts[TO_CLIENT]);
    }
    quantity_format(QUANTITY_SECONDS, (double)allocation->age_s, texts[AGE]);
    format_peers(allocation, texts[PEERS]);
    for (unsigned i = 0; i < count; i++)
        column = put_cell(drawing->page, drawing->row, column, &cells[i], style_of_now(drawing),
                          values[i]);
    drawing->row++;
}

static void draw_allocations(struct drawing *drawing, unsigned rows)
{
    const struct top_sample *sample = drawing->look->sample;
    struct order order = {drawing->look, drawing->choice};
    struct cell cells[ALLOCATION_CELLS];
    unsigned places[TOP_ALLOCATIONS_MAX], count;

    count = choose_cells(drawing->page->columns, cells);
    for (unsigned i = 0; i < sample->allocation_count; i++)
        places[i] = i;
    qsort_r(places, sample->allocation_count, sizeof(places[0]), compare_allocations, &order);
    put_titles(drawing, cells, count);
    if (drawing->choice->first >= sample->allocation_count)
        drawing->choice->first = sample->allocation_count > 0 ? sample->allocation_count - 1 : 0;
    for (unsigned i = 0; i < rows && drawing->choice->first + i < sample->allocation_count; i++)
        draw_allocation(drawing, cells, count, places[drawing->choice->first + i]);
}

static void draw_last_line(struct drawing *drawing)
{
    unsigned row = drawing->page->rows - 1;
    char text[PAGE_SPAN_LEN];

    snprintf(text, sizeof(text), " q quit  h help  p pause  s sort: %s%s  +/- every %" PRIu32 " s",
             top_sort_name(drawing->choice->sort), drawing->choice->reversed ? ", reversed" : "",
             drawing->choice->interval_s);
    page_fill(drawing->page, row, PAGE_BAR);
    page_put(drawing->page, row, 0, drawing->page->columns, PAGE_BAR, text);
}

static void draw_help(struct drawing *drawing)
{
    static const char *const lines[] = {
        " q            quit",
        " p, space     pause, and go on",
        " s            sort allocations by something else",
        " r            the other way round",
        " up, down     through allocations; page up, page down, home",
        " + -          look less often, more often",
        " h, ?         this; any key leads back",
        "",
        " in, out      frames that workers received and transmitted",
        " busy         how much of its time a worker had packets",
        " to peer      what a client sends through its allocation",
        " to client    what it is sent",
        " peers        how they are reached; over TCP, by how many connections",
    };

    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        page_put(drawing->page, HEAD_ROWS - 1 + i, 0, drawing->page->columns, PAGE_PLAIN, lines[i]);
}

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

// Workers and drops take a part of the height each; allocations have the rest.
static void draw_lists(struct drawing *drawing)
{
    const struct top_sample *sample = drawing->look->sample;
    unsigned head_rows = notice_row(drawing) + 1;
    unsigned rows = drawing->page->rows - head_rows - 1; // all tables together, titles included
    unsigned worker_rows = rows / 3, drop_rows = rows / 5;
    unsigned gap = drawing->page->rows >= SPACIOUS_ROWS;

    drawing->row = head_rows;
    draw_workers(drawing, worker_rows > 1 ? worker_rows - 1 : 1);
    drawing->row += gap;
    if (sample->drop_count > 0 && drop_rows >= 2) {
        draw_drops(drawing, smaller(drop_rows - 1, sample->drop_count));
        drawing->row += gap;
    }
    if (drawing->row + 2 < drawing->page->rows)
        draw_allocations(drawing, drawing->page->rows - drawing->row - 2);
}

void top_page_draw(const struct top_look *look, struct top_choice *choice, struct page *page)
{
    struct drawing drawing = {look, choice, page, 0};

    if (page->rows < TOP_PAGE_ROWS_MIN || page->columns < TOP_PAGE_COLUMNS_MIN) {
        page_put(page, 0, 0, page->columns, PAGE_PLAIN, "too small: 40 by 10");
        return;
    }
    draw_first_line(&drawing);
    draw_last_line(&drawing);
    if (choice->helps) {
        draw_help(&drawing);
        return;
    }
    draw_notice(&drawing);
    if (!look->sample)
        return;
    draw_totals(&drawing);
    if (has_tcp(&drawing))
        draw_tcp(&drawing);
    draw_lists(&drawing);
}
