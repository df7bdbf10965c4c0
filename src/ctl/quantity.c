// SPDX-License-Identifier: BSD-3-Clause
// Decimal prefixes throughout, as with everything that is counted on networks.
#include "ctl/quantity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum {
    MINUTE_S = 60,
    HOUR_S = 60 * MINUTE_S,
    DAY_S = 24 * HOUR_S,
    SECONDS_MAX = 365 * DAY_S,
};

// As many decimals as make three figures. What rounding would make 1000 has the next prefix.
static void format_scaled(double value, const char *unit, char *text)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P", "E"};
    unsigned prefix = 0;
    int decimals;

    while (value >= 999.5 && prefix + 1 < sizeof(prefixes) / sizeof(prefixes[0])) {
        value /= 1000;
        prefix++;
    }
    decimals = prefix == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(text, QUANTITY_TEXT_LEN, "%.*f%s%s%s", decimals, value, prefix > 0 || *unit ? " " : "",
             prefixes[prefix], unit);
}

static void format_seconds(uint64_t seconds, char *text)
{
    if (seconds < MINUTE_S)
        snprintf(text, QUANTITY_TEXT_LEN, "%" PRIu64 " s", seconds);
    else if (seconds < HOUR_S)
        snprintf(text, QUANTITY_TEXT_LEN, "%" PRIu64 " m %02" PRIu64 " s", seconds / MINUTE_S,
                 seconds % MINUTE_S);
    else if (seconds < DAY_S)
        snprintf(text, QUANTITY_TEXT_LEN, "%" PRIu64 " h %02" PRIu64 " m", seconds / HOUR_S,
                 seconds % HOUR_S / MINUTE_S);
    else
        snprintf(text, QUANTITY_TEXT_LEN, "%" PRIu64 " d %02" PRIu64 " h", seconds / DAY_S,
                 seconds % DAY_S / HOUR_S);
}

static void format_time(uint64_t seconds, char *text)
{
    time_t time = (time_t)seconds;
    struct tm fields;

    if (!gmtime_r(&time, &fields) ||
        strftime(text, QUANTITY_TEXT_LEN, "%Y-%m-%d %H:%M:%S UTC", &fields) == 0)
        snprintf(text, QUANTITY_TEXT_LEN, "%" PRIu64, seconds);
}

const char *quantity_format(enum quantity kind, double value, char *text)
{
    static const char *const units[] = {[QUANTITY_COUNT] = "",
                                        [QUANTITY_BYTES] = "B",
                                        [QUANTITY_PACKET_S] = "pps",
                                        [QUANTITY_BIT_S] = "bit/s"};

    // Nothing here is ever less than nothing, nor more than a counter holds: not even from a relay
    // that errs.
    if (!(value > 0))
        value = 0;
    else if (value > (double)INT64_MAX)
        value = (double)INT64_MAX;
    switch (kind) {
    case QUANTITY_NUMBER:
        snprintf(text, QUANTITY_TEXT_LEN, "%.0f", value);
        break;
    case QUANTITY_PERCENT:
        snprintf(text, QUANTITY_TEXT_LEN, "%.0f %%", value);
        break;
    case QUANTITY_SECONDS:
        format_seconds((uint64_t)value, text);
        break;
    case QUANTITY_TIME:
        format_time((uint64_t)value, text);
        break;
    default:
        format_scaled(value, units[kind], text);
    }
    return text;
}

static uint32_t unit_seconds(char unit)
{
    switch (unit) {
    case 'd':
        return DAY_S;
    case 'h':
        return HOUR_S;
    case 'm':
        return MINUTE_S;
    case 's':
    case '\0':
        return 1;
    default:
        return 0;
    }
}

// Digits and their unit. A number without one is of seconds, and ends the text.
static int parse_part(const char **text, uint64_t *ret_count, uint32_t *ret_unit)
{
    uint64_t count = 0;
    const char *end = *text;
    uint32_t unit;

    for (; *end >= '0' && *end <= '9'; end++) {
        count = count * 10 + (uint64_t)(*end - '0');
        if (count > SECONDS_MAX)
            return -ERANGE;
    }
    unit = unit_seconds(*end);
    if (end == *text || unit == 0)
        return -EINVAL;
    *text = *end ? end + 1 : end;
    *ret_count = count;
    *ret_unit = unit;
    return 0;
}

int quantity_parse_seconds(const char *text, uint32_t *ret_seconds)
{
    uint32_t unit = UINT32_MAX;
    uint64_t seconds = 0;

    do {
        uint32_t larger = unit;
        uint64_t count;
        int error = parse_part(&text, &count, &unit);

        if (error || unit >= larger)
            return error ? error : -EINVAL;
        seconds += count * unit;
    } while (*text);
    if (seconds > SECONDS_MAX)
        return -ERANGE;
    *ret_seconds = (uint32_t)seconds;
    return 0;
}
