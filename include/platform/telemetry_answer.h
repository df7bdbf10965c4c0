// SPDX-License-Identifier: BSD-3-Clause
// What is said to a question over the control socket: names and values, and such sets within sets.
// Whoever answers fills one in, and needs not know what carries it; what fits into a reply of
// DPDK's telemetry (22.11: a dictionary of 256 entries, 16 kB of JSON) fits into it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Bytes of JSON. What frames them takes some more.
#define TELEMETRY_ANSWER_JSON_LEN    16000
#define TELEMETRY_ANSWER_ENTRIES_MAX 256 // of a set
#define TELEMETRY_ANSWER_DEPTH_MAX   4   // sets within sets
// Text with its NUL: of a value, longer ones are cut and end in "..."; of a name.
#define TELEMETRY_ANSWER_TEXT_LEN 128
#define TELEMETRY_ANSWER_NAME_LEN 64

struct telemetry_answer_state {
    size_t len;
    size_t json_len;
    unsigned depth; // of sets within the answer that are open
    unsigned counts[TELEMETRY_ANSWER_DEPTH_MAX + 1];
    bool is_cut; // something did not fit, and nothing else was taken since
};

struct telemetry_answer {
    struct telemetry_answer_state state;
    uint8_t bytes[TELEMETRY_ANSWER_JSON_LEN * 2];
};

void telemetry_answer_reset(struct telemetry_answer *answer);

// Names are literals, or of [0-9A-Za-z_]. In text, bytes that are not printable ASCII, and '%', are
// said as %XX. Each counts as an entry of the set that was opened last.
void telemetry_answer_number(struct telemetry_answer *answer, const char *name, uint64_t value);
void telemetry_answer_text(struct telemetry_answer *answer, const char *name, const char *value);
void telemetry_answer_open(struct telemetry_answer *answer, const char *name);
void telemetry_answer_close(struct telemetry_answer *answer);

// For whoever fills pages: what does not fit as a whole is taken back.
static inline struct telemetry_answer_state
telemetry_answer_mark(const struct telemetry_answer *answer)
{
    return answer->state;
}

static inline void telemetry_answer_take_back(struct telemetry_answer *answer,
                                              const struct telemetry_answer_state *mark)
{
    answer->state = *mark;
}

// Whether so many bytes of JSON are left, and nothing was cut.
bool telemetry_answer_has_room(const struct telemetry_answer *answer, size_t len);

// All that was said gives way to {"error":..., "allowed":...}; allowed NULL: there is no such list.
void telemetry_answer_error(struct telemetry_answer *answer, const char *allowed,
                            const char *format, ...) __attribute__((format(printf, 3, 4)));

// To read it: entry by entry, in order. A set's entries stand between its OPEN and its CLOSE.
enum telemetry_entry_kind {
    TELEMETRY_ENTRY_NUMBER,
    TELEMETRY_ENTRY_TEXT,
    TELEMETRY_ENTRY_OPEN,
    TELEMETRY_ENTRY_CLOSE,
};

struct telemetry_entry {
    enum telemetry_entry_kind kind;
    const char *name; // "" of a CLOSE
    uint64_t number;
    const char *text;
};

// *offset starts at 0. False: that was all.
bool telemetry_answer_next(const struct telemetry_answer *answer, size_t *offset,
                           struct telemetry_entry *ret_entry);
