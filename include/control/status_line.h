// SPDX-License-Identifier: BSD-3-Clause
// How the relay is, in one line for people: what 'systemctl status' shows.
#pragma once

#include "exchange/plane.h"
#include "turn/server.h"

#define STATUS_LINE_LEN 160

struct reload;
struct watchdog;

struct status_line {
    const struct plane *plane; // all borrowed
    const struct turn_server *server;
    const struct watchdog *watchdog;
    const struct reload *reload;
    uint64_t last_ms;
    uint64_t packets; // relayed until then
    uint64_t bytes;
    uint64_t drops;
};

// What counts from now on; the pointers are the caller's to set.
void status_line_init(struct status_line *line, uint64_t now_ms);

// Allocations, what was relayed and dropped since it was called before, and what is wrong. Returns text, of
// STATUS_LINE_LEN bytes.
const char *status_line_write(struct status_line *line, uint64_t now_ms, char *text);
