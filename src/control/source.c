// SPDX-License-Identifier: BSD-3-Clause
// Reads as much of libconfig's language as it takes to find an integer: words, strings, comments,
// marks.
#include "control/source.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int source_read(const char *path, char **ret_text)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t capacity = 0;
    ssize_t len;
    int error = 0;

    if (!file)
        return -errno;
    errno = 0;
    len = getdelim(&text, &capacity, '\0', file);
    if (len < 0 && feof(file) && text)
        text[0] = '\0'; // an empty file
    else if (len < 0)
        error = errno ? -errno : -ENOMEM;
    else if (!feof(file))
        error = -EILSEQ;
    fclose(file);
    if (error) {
        free(text);
        return error;
    }
    *ret_text = text;
    return 0;
}

void source_free(char *text)
{
    OPENSSL_cleanse(text, strlen(text));
    free(text);
}

struct token {
    const char *start;
    size_t len;
    unsigned line;
};

struct cursor {
    const char *next;
    unsigned line;
};

static void skip(struct cursor *cursor, size_t len)
{
    for (; len > 0 && *cursor->next; len--)
        cursor->line += *cursor->next++ == '\n';
}

static size_t comment_len(const char *text)
{
    const char *end;

    if (*text == '#' || strncmp(text, "//", 2) == 0)
        return strcspn(text, "\n");
    if (strncmp(text, "/*", 2) != 0)
        return 0;
    end = strstr(text + 2, "*/");
    return end ? (size_t)(end + 2 - text) : strlen(text);
}

static size_t string_len(const char *text)
{
    size_t len = 1;

    while (text[len] && text[len] != '"')
        len += text[len] == '\\' && text[len + 1] ? 2 : 1;
    return text[len] ? len + 1 : len;
}

static size_t word_len(const char *text)
{
    size_t len = 0;

    while (isalnum((unsigned char)text[len]) || (text[len] && strchr("_*+-.", text[len])))
        len++;
    return len;
}

// False at the end.
static bool take_token(struct cursor *cursor, struct token *ret_token)
{
    size_t len;

    for (;;) {
        len = strspn(cursor->next, " \t\r\n\f\v");
        if (len == 0)
            len = comment_len(cursor->next);
        if (len == 0)
            break;
        skip(cursor, len);
    }
    if (!*cursor->next)
        return false;
    len = *cursor->next == '"' ? string_len(cursor->next) : word_len(cursor->next);
    if (len == 0)
        len = 1;
    *ret_token = (struct token){cursor->next, len, cursor->line};
    skip(cursor, len);
    return true;
}

// Whether libconfig loses something of it: hexadecimal, or decimal with a sign, and an L or two for
// 64 bits.
static bool is_cut(const struct token *token)
{
    bool negative = *token->start == '-', hex;
    const char *digits = token->start + (negative || *token->start == '+');
    uint64_t value, limit;
    char *end;

    hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
    if (!isdigit((unsigned char)*digits))
        return false;
    errno = 0;
    value = strtoull(digits, &end, hex ? 16 : 10);
    limit = *end == 'L' ? INT64_MAX : INT32_MAX;
    end += strspn(end, "L");
    return end == token->start + token->len && (errno == ERANGE || value > limit + negative);
}

static bool token_is(const struct token *token, const char *text)
{
    return token->len == strlen(text) && memcmp(token->start, text, token->len) == 0;
}

bool source_has_cut_integer(const char *text, unsigned line, const char *name, char *ret_integer)
{
    struct cursor cursor = {text, 1};
    struct token token, before = {"", 0, 0}, first = {"", 0, 0};

    while (take_token(&cursor, &token)) {
        bool is_value = first.line == line && token_is(&first, name) &&
                        (token_is(&before, "=") || token_is(&before, ":"));

        if (is_value && is_cut(&token)) {
            snprintf(ret_integer, SOURCE_INTEGER_LEN, "%.*s", (int)token.len, token.start);
            return true;
        }
        first = before;
        before = token;
    }
    return false;
}
