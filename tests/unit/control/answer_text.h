// SPDX-License-Identifier: BSD-3-Clause
// An answer as text to compare with: "name=value;" and "name={...}".
#pragma once

#include "platform/telemetry_answer.h"

#include <inttypes.h>
#include <stdio.h>

static inline const char *answer_text(const struct telemetry_answer *answer)
{
    static char text[4 * TELEMETRY_ANSWER_JSON_LEN];
    size_t offset = 0, len = 0;
    struct telemetry_entry entry;

    text[0] = '\0';
    while (telemetry_answer_next(answer, &offset, &entry)) {
        char *end = text + len;
        size_t room = sizeof(text) - len;

        if (entry.kind == TELEMETRY_ENTRY_NUMBER)
            len += (size_t)snprintf(end, room, "%s=%" PRIu64 ";", entry.name, entry.number);
        else if (entry.kind == TELEMETRY_ENTRY_TEXT)
            len += (size_t)snprintf(end, room, "%s=%s;", entry.name, entry.text);
        else
            len += (size_t)snprintf(end, room, "%s%s", entry.name,
                                    entry.kind == TELEMETRY_ENTRY_OPEN ? "={" : "}");
    }
    return text;
}
