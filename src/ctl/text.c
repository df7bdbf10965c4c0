// SPDX-License-Identifier: BSD-3-Clause
// What is shown as it is, is what the locale calls printable.
#include "ctl/text.h"

#include <stdio.h>
#include <string.h>
#include <wchar.h>

// Its columns, and how many bytes it has; 0 bytes when it may not be shown.
static unsigned character_width(const char *text, size_t *ret_len)
{
    mbstate_t state = {};
    wchar_t character;
    size_t len = mbrtowc(&character, text, strlen(text), &state);
    int width = len > 0 && len < (size_t)-2 ? wcwidth(character) : -1;

    *ret_len = width >= 0 ? len : 0;
    return width >= 0 ? (unsigned)width : 0;
}

const char *text_clean(const char *from, char *text, size_t len)
{
    size_t used = 0;

    while (*from) {
        char escaped[sizeof("\\x00")];
        const char *piece = from;
        size_t piece_len;

        character_width(from, &piece_len);
        from += piece_len > 0 ? piece_len : 1;
        if (piece_len == 0) {
            piece_len =
                (size_t)snprintf(escaped, sizeof(escaped), "\\x%02x", (unsigned char)*piece);
            piece = escaped;
        }
        if (piece_len >= len - used)
            break;
        memcpy(text + used, piece, piece_len);
        used += piece_len;
    }
    text[used] = '\0';
    return text;
}

unsigned text_width(const char *text)
{
    unsigned columns = 0;

    while (*text) {
        size_t len;

        columns += character_width(text, &len);
        text += len > 0 ? len : 1;
    }
    return columns;
}

size_t text_fit(const char *text, unsigned columns)
{
    const char *end = text;

    while (*end) {
        size_t len;
        unsigned width = character_width(end, &len);

        if (width > columns)
            break;
        columns -= width;
        end += len > 0 ? len : 1;
    }
    return (size_t)(end - text);
}
