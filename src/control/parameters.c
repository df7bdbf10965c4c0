// SPDX-License-Identifier: BSD-3-Clause
// See control/parameters.h.
#include "control/parameters.h"

#include "turn/session_id.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void list_keys(const char *const *keys, char *text, size_t text_len)
{
    size_t len = 0;

    text[0] = '\0';
    for (unsigned i = 0; keys[i] && len < text_len; i++)
        len += (size_t)snprintf(text + len, text_len - len, "%s%s=", i > 0 ? ", " : "", keys[i]);
}

static bool refuse(const struct parameters *parameters, struct telemetry_answer *answer,
                   const char *what, const char *which)
{
    char allowed[TELEMETRY_ANSWER_TEXT_LEN];

    list_keys(parameters->keys, allowed, sizeof(allowed));
    telemetry_answer_error(answer, *allowed ? allowed : "nothing", "%s: %s", what, which);
    return false;
}

static int find_key(const char *const *keys, const char *key)
{
    for (int i = 0; keys[i]; i++) {
        if (strcmp(keys[i], key) == 0)
            return i;
    }
    return -1;
}

static int digit_value(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = digit != '\0' ? strchr(digits, digit | (digit >= 'A' ? 0x20 : 0)) : NULL;

    return found ? (int)(found - digits) : -1;
}

// In place. False: no two digits behind a %, or a NUL.
static bool decode(char *text)
{
    char *end = text;

    for (; *text != '\0'; text++, end++) {
        int high, low;

        *end = *text;
        if (*text != '%')
            continue;
        high = digit_value(text[1]);
        low = high < 0 ? -1 : digit_value(text[2]);
        if (low < 0 || (high == 0 && low == 0))
            return false;
        *end = (char)(high << 4 | low);
        text += 2;
    }
    *end = '\0';
    return true;
}

static bool take(struct parameters *parameters, char *item, struct telemetry_answer *answer)
{
    char *value = strchr(item, '=');
    int key = 0;

    if (value) {
        *value++ = '\0';
        key = find_key(parameters->keys, item);
    } else {
        value = item;
    }
    if (key < 0 || !parameters->keys[key])
        return refuse(parameters, answer, "unknown parameter", item);
    if (parameters->values[key])
        return refuse(parameters, answer, "given twice", parameters->keys[key]);
    if (*value == '\0' || !decode(value))
        return refuse(parameters, answer, "empty, or % without two digits", parameters->keys[key]);
    parameters->values[key] = value;
    return true;
}

bool parameters_parse(const char *text, const char *const *keys, struct parameters *ret_parameters,
                      struct telemetry_answer *answer)
{
    char *rest = ret_parameters->text, *item;

    assert(strlen(text) < sizeof(ret_parameters->text));
    ret_parameters->keys = keys;
    memset(ret_parameters->values, 0, sizeof(ret_parameters->values));
    strcpy(ret_parameters->text, text);
    if (*text == '\0')
        return true;
    while ((item = strsep(&rest, ","))) {
        if (!take(ret_parameters, item, answer))
            return false;
    }
    return true;
}

const char *parameters_get(const struct parameters *parameters, const char *key)
{
    int at = find_key(parameters->keys, key);

    assert(at >= 0 && at < PARAMETERS_MAX);
    return parameters->values[at];
}

bool parameters_number(const struct parameters *parameters, const char *key, uint32_t min,
                       uint32_t max, uint32_t *number, struct telemetry_answer *answer)
{
    const char *text = parameters_get(parameters, key);
    char allowed[32], *end;
    unsigned long value;

    if (!text)
        return true;
    value = *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;
    if (*text < '0' || *text > '9' || *end != '\0' || value < min || value > max) {
        snprintf(allowed, sizeof(allowed), "%u to %u", min, max);
        telemetry_answer_error(answer, allowed, "%s: no such number: %s", key, text);
        return false;
    }
    *number = (uint32_t)value;
    return true;
}

bool parameters_session(const struct parameters *parameters, const char *key, uint64_t *session_id,
                        struct telemetry_answer *answer)
{
    const char *text = parameters_get(parameters, key);

    if (!text || session_id_parse(text, session_id))
        return true;
    telemetry_answer_error(answer, "16 hex digits", "%s: not a session: %s", key, text);
    return false;
}

bool parameters_address(const struct parameters *parameters, const char *key,
                        struct transport_address *address, struct telemetry_answer *answer)
{
    const char *text = parameters_get(parameters, key);
    struct transport_address found = {};

    if (!text)
        return true;
    if (ip_address_parse(text, &found.ip) < 0 && transport_address_parse(text, &found) < 0) {
        telemetry_answer_error(answer, "ADDRESS, IPV4:PORT or [IPV6]:PORT",
                               "%s: not an address: %s", key, text);
        return false;
    }
    *address = found;
    return true;
}
