// SPDX-License-Identifier: BSD-3-Clause
// JSON by jansson, which bounds how deep it goes; how long an answer is, the connection bounds.
#include "ctl/answer.h"

#include "ctl/text.h"

#include <stdlib.h>
#include <string.h>

static int digit(char letter)
{
    return letter >= '0' && letter <= '9'   ? letter - '0'
           : letter >= 'A' && letter <= 'F' ? letter - 'A' + 10
                                            : -1;
}

// The relay writes bytes as %XX that DPDK would drop. What is no text then stays as it is.
static void decode_text(json_t *value)
{
    const char *from = json_string_value(value);
    char *text = malloc(strlen(from) + 1), *to = text;

    if (!text)
        return;
    while (*from) {
        int high = *from == '%' ? digit(from[1]) : -1;
        int low = high >= 0 ? digit(from[2]) : -1;

        if (low >= 0 && (high > 0 || low > 0)) {
            *to++ = (char)(high << 4 | low);
            from += 3;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
    json_string_set(value, text);
    free(text);
}

// jansson lets nothing be nested deeper than 2,048.
static void decode_texts(json_t *value)
{
    const char *name;
    json_t *member;
    size_t index;

    if (json_is_string(value) && strchr(json_string_value(value), '%'))
        decode_text(value);
    json_object_foreach(value, name, member)
    {
        decode_texts(member);
    }
    json_array_foreach(value, index, member)
    {
        decode_texts(member);
    }
}

// What is wrong, and what the relay would have taken.
static void repeat_refusal(const json_t *body, struct problem *problem)
{
    const char *allowed = answer_text(body, "allowed", "");
    char said[PROBLEM_TEXT_LEN], clean[PROBLEM_TEXT_LEN];

    snprintf(said, sizeof(said), "%s%s%s", answer_text(body, "error", ""),
             *allowed ? "; allowed: " : "", allowed);
    problem_set(problem, CTL_REFUSED, "%s", text_clean(said, clean, sizeof(clean)));
}

static enum ctl_status refuse_body(const json_t *body, const struct question *question,
                                   struct problem *problem)
{
    if (json_is_null(body))
        return problem_set(problem, CTL_REFUSED,
                           "the relay does not know %.*s; is it of another version?",
                           (int)question->command_len, question->text);
    if (!json_is_object(body))
        return problem_set(problem, CTL_GARBLED, "the relay's answer is no object");
    if (!json_is_string(json_object_get(body, "error")))
        return CTL_DONE;
    repeat_refusal(body, problem);
    return CTL_REFUSED;
}

enum ctl_status answer_read(const char *text, size_t len, const struct question *question,
                            json_t **ret_body, struct problem *problem)
{
    char command[QUESTION_LEN_MAX + 1];
    json_error_t error;
    json_t *root = json_loadb(text, len, 0, &error), *body;
    enum ctl_status status;

    if (!root) {
        char said[JSON_ERROR_TEXT_LENGTH];

        return problem_set(problem, CTL_GARBLED, "the relay's answer is not JSON: %s, at byte %d",
                           text_clean(error.text, said, sizeof(said)), error.position);
    }
    snprintf(command, sizeof(command), "%.*s", (int)question->command_len, question->text);
    body = json_object_get(root, command);
    decode_texts(body);
    if (body)
        status = refuse_body(body, question, problem);
    else
        status = problem_set(problem, CTL_GARBLED, "the relay's answer is not one to %s", command);
    if (status == CTL_DONE)
        *ret_body = json_incref(body);
    json_decref(root);
    return status;
}

bool answer_number(const json_t *body, const char *name, uint64_t *ret_number)
{
    const json_t *member = json_object_get(body, name);

    if (!json_is_integer(member) || json_integer_value(member) < 0)
        return false;
    *ret_number = (uint64_t)json_integer_value(member);
    return true;
}

const char *answer_text(const json_t *body, const char *name, const char *otherwise)
{
    const json_t *member = json_object_get(body, name);

    return json_is_string(member) ? json_string_value(member) : otherwise;
}

// Numbers of workers and ports are numbers; a session id, of 16 digits that may all be decimal, is
// not.
static json_t *name_value(const char *name)
{
    size_t len = strlen(name);

    if (len > 0 && len < 10 && strspn(name, "0123456789") == len)
        return json_integer(atol(name));
    return json_string(name);
}

static json_t *rows_of_object(json_t *from, const char *key)
{
    json_t *rows = json_array(), *row;
    const char *name;

    json_object_foreach(from, name, row)
    {
        if (!json_is_object(row)) {
            json_decref(rows);
            return NULL;
        }
        if (!json_object_get(row, key))
            json_object_set_new(row, key, name_value(name));
        json_array_append(rows, row);
    }
    return rows;
}

json_t *answer_rows(const json_t *body, const char *name, const char *key)
{
    json_t *from = json_object_get(body, name), *row;
    size_t index;

    if (json_is_object(from))
        return rows_of_object(from, key);
    if (!json_is_array(from))
        return NULL;
    json_array_foreach(from, index, row)
    {
        if (!json_is_object(row))
            return NULL;
    }
    return json_incref(from);
}
