// SPDX-License-Identifier: BSD-3-Clause
// Commas go before every member but the first.
#include "json.h"

#include <inttypes.h>

static void begin_member(struct json *json, const char *name)
{
    if (json->depth == 0)
        return;
    fprintf(json->stream, "%s\n%*s\"%s\": ", json->has_members ? "," : "", (int)json->depth * 2, "",
            name);
    json->has_members = true;
}

void json_begin(struct json *json, const char *name)
{
    begin_member(json, name);
    fputc('{', json->stream);
    json->depth++;
    json->has_members = false;
}

void json_end(struct json *json)
{
    json->depth--;
    if (json->has_members)
        fprintf(json->stream, "\n%*s", (int)json->depth * 2, "");
    fputc('}', json->stream);
    // Whatever holds it has it.
    json->has_members = true;
    if (json->depth == 0)
        fputc('\n', json->stream);
}

void json_count(struct json *json, const char *name, uint64_t value)
{
    begin_member(json, name);
    fprintf(json->stream, "%" PRIu64, value);
}

void json_number(struct json *json, const char *name, double value)
{
    begin_member(json, name);
    fprintf(json->stream, "%.9g", value);
}

void json_text(struct json *json, const char *name, const char *text)
{
    begin_member(json, name);
    fputc('"', json->stream);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(json->stream, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            fprintf(json->stream, "\\u%04x", (unsigned char)*text);
        else
            fputc(*text, json->stream);
    }
    fputc('"', json->stream);
}
