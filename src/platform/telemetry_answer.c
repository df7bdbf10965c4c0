// SPDX-License-Identifier: BSD-3-Clause
// See platform/telemetry_answer.h. An entry is its kind, its name and its value, one behind the
// other; lengths are counted as DPDK will write them.
#include "platform/telemetry_answer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// Kept free for what says that something was cut.
#define CUT_LEN 16

void telemetry_answer_reset(struct telemetry_answer *answer)
{
    answer->state = (struct telemetry_answer_state){.json_len = 2};
}

bool telemetry_answer_has_room(const struct telemetry_answer *answer, size_t len)
{
    const struct telemetry_answer_state *state = &answer->state;

    return !state->is_cut && state->json_len + len <= TELEMETRY_ANSWER_JSON_LEN - CUT_LEN &&
           state->counts[state->depth] < TELEMETRY_ANSWER_ENTRIES_MAX - 1;
}

static void append(struct telemetry_answer *answer, const void *bytes, size_t len)
{
    assert(answer->state.len + len <= sizeof(answer->bytes));
    memcpy(answer->bytes + answer->state.len, bytes, len);
    answer->state.len += len;
}

// Room for an entry with a value of that length in JSON. Otherwise the answer says that there is
// more.
static bool begin(struct telemetry_answer *answer, enum telemetry_entry_kind kind, const char *name,
                  size_t value_len)
{
    size_t name_len = strlen(name);
    bool is_first = answer->state.counts[answer->state.depth] == 0;
    size_t len = name_len + sizeof("\"\":") - 1 + value_len + !is_first;
    uint8_t kind_byte = (uint8_t)kind;

    assert(name_len < TELEMETRY_ANSWER_NAME_LEN);
    if (!telemetry_answer_has_room(answer, len)) {
        answer->state.is_cut = true;
        return false;
    }
    answer->state.json_len += len;
    answer->state.counts[answer->state.depth]++;
    append(answer, &kind_byte, sizeof(kind_byte));
    append(answer, name, name_len + 1);
    return true;
}

void telemetry_answer_number(struct telemetry_answer *answer, const char *name, uint64_t value)
{
    size_t digits = 1;

    for (uint64_t rest = value; rest >= 10; rest /= 10)
        digits++;
    if (begin(answer, TELEMETRY_ENTRY_NUMBER, name, digits))
        append(answer, &value, sizeof(value));
}

// DPDK would drop what is not ASCII.
static size_t encode(const char *value, char text[TELEMETRY_ANSWER_TEXT_LEN])
{
    static const char cut[] = "...";
    size_t len = 0;

    for (; *value != '\0'; value++) {
        unsigned char byte = (unsigned char)*value;
        size_t needed = byte < 0x20 || byte > 0x7e || byte == '%' ? 3 : 1;

        if (len + needed + sizeof(cut) > TELEMETRY_ANSWER_TEXT_LEN) {
            memcpy(text + len, cut, sizeof(cut));
            return len + sizeof(cut) - 1;
        }
        sprintf(text + len, needed == 3 ? "%%%02X" : "%c", byte);
        len += needed;
    }
    text[len] = '\0';
    return len;
}

void telemetry_answer_text(struct telemetry_answer *answer, const char *name, const char *value)
{
    char text[TELEMETRY_ANSWER_TEXT_LEN];
    size_t len = encode(value, text), json_len = len + 2;

    for (size_t i = 0; i < len; i++)
        json_len += text[i] == '"' || text[i] == '\\';
    if (begin(answer, TELEMETRY_ENTRY_TEXT, name, json_len))
        append(answer, text, len + 1);
}

// What was cut is still opened and closed, so that both match.
void telemetry_answer_open(struct telemetry_answer *answer, const char *name)
{
    bool is_begun = begin(answer, TELEMETRY_ENTRY_OPEN, name, 2);

    assert(answer->state.depth < TELEMETRY_ANSWER_DEPTH_MAX);
    answer->state.depth++;
    answer->state.counts[answer->state.depth] = is_begun ? 0 : TELEMETRY_ANSWER_ENTRIES_MAX;
}

void telemetry_answer_close(struct telemetry_answer *answer)
{
    static const uint8_t entry[] = {TELEMETRY_ENTRY_CLOSE, '\0'};

    assert(answer->state.depth > 0);
    if (answer->state.counts[answer->state.depth] < TELEMETRY_ANSWER_ENTRIES_MAX)
        append(answer, entry, sizeof(entry));
    answer->state.depth--;
}

void telemetry_answer_error(struct telemetry_answer *answer, const char *allowed,
                            const char *format, ...)
{
    char text[4 * TELEMETRY_ANSWER_TEXT_LEN];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    telemetry_answer_reset(answer);
    telemetry_answer_text(answer, "error", text);
    if (allowed)
        telemetry_answer_text(answer, "allowed", allowed);
}

bool telemetry_answer_next(const struct telemetry_answer *answer, size_t *offset,
                           struct telemetry_entry *ret_entry)
{
    const uint8_t *at = answer->bytes + *offset;
    struct telemetry_entry entry = {};

    if (*offset >= answer->state.len)
        return false;
    entry.kind = (enum telemetry_entry_kind) * at++;
    entry.name = (const char *)at;
    at += strlen(entry.name) + 1;
    if (entry.kind == TELEMETRY_ENTRY_NUMBER) {
        memcpy(&entry.number, at, sizeof(entry.number));
        at += sizeof(entry.number);
    } else if (entry.kind == TELEMETRY_ENTRY_TEXT) {
        entry.text = (const char *)at;
        at += strlen(entry.text) + 1;
    }
    *offset = (size_t)(at - answer->bytes);
    *ret_entry = entry;
    return true;
}
