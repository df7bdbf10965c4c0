// SPDX-License-Identifier: BSD-3-Clause
// Commas are what parameters are told apart by, so those in one are written otherwise.
#include "ctl/question.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void question_init(struct question *question, const char *command)
{
    question->command_len = question->len = strlen(command);
    assert(question->len <= QUESTION_LEN_MAX);
    memcpy(question->text, command, question->len + 1);
}

// False when there is no room.
static bool append(struct question *question, const char *text, size_t len)
{
    if (len > QUESTION_LEN_MAX - question->len)
        return false;
    memcpy(question->text + question->len, text, len);
    question->len += len;
    question->text[question->len] = '\0';
    return true;
}

static bool append_encoded(struct question *question, const char *value)
{
    for (; *value; value++) {
        unsigned char byte = (unsigned char)*value;
        bool is_plain = byte > ' ' && byte < 0x7f && byte != ',' && byte != '%';
        char text[sizeof("%XX")];

        snprintf(text, sizeof(text), is_plain ? "%c" : "%%%02X", byte);
        if (!append(question, text, strlen(text)))
            return false;
    }
    return true;
}

int question_add(struct question *question, const char *key, const char *value)
{
    size_t len = question->len;

    if (!*value)
        return -EINVAL;
    if (append(question, ",", 1) &&
        (!key || (append(question, key, strlen(key)) && append(question, "=", 1))) &&
        append_encoded(question, value))
        return 0;
    question->len = len;
    question->text[len] = '\0';
    return -E2BIG;
}

int question_add_number(struct question *question, const char *key, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, value);
    return question_add(question, key, text);
}
