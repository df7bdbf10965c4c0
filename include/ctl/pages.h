// SPDX-License-Identifier: BSD-3-Clause
// Lists that are longer than an answer: one question a page, each from where the last one ended.
#pragma once

#include "ctl/connection.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

// Rows of a page at most. The relay ends it earlier, where it does not fit into an answer.
#define PAGES_ROWS 100

struct pages {
    struct connection *connection;
    int timeout_ms; // for each page
    struct question question; // without place and limit
    const char *name;         // of the rows in an answer
    const char *key;          // what their own names are
    uint32_t left;            // rows that are still wanted
    bool ended;
    char next[QUESTION_LEN_MAX + 1]; // where the next page begins; empty: at the beginning
};

// limit: of rows in all.
void pages_init(struct pages *pages, struct connection *connection, int timeout_ms, const struct question *question,
                const char *name, const char *key, uint32_t limit);

// The rows of the next page, an array and a new reference; NULL when there are no more, or no more are wanted.
enum ctl_status pages_read(struct pages *pages, json_t **ret_rows, struct problem *problem);

// Whether the list goes on behind what was read.
bool pages_have_more(const struct pages *pages);
