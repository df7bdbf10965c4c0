// SPDX-License-Identifier: BSD-3-Clause
// See control/status_line.h.
#include "control/status_line.h"

#include "control/reload.h"
#include "control/watchdog.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const enum counter relayed_packets[] = {
    COUNTER_CHANNEL_TO_PEER,
    COUNTER_SEND_TO_PEER,
    COUNTER_PEER_TO_CHANNEL,
    COUNTER_PEER_TO_DATA,
};

static void count(struct status_line *line)
{
    line->packets = line->bytes = line->drops = 0;
    for (uint16_t worker = 0; worker < line->plane->config.worker_count; worker++) {
        const struct worker_counters *counters = &line->plane->counters[worker];

        for (size_t i = 0; i < sizeof(relayed_packets) / sizeof(relayed_packets[0]); i++)
            line->packets += counters->counters[relayed_packets[i]];
        line->bytes +=
            counters->counters[COUNTER_TO_PEER_BYTES] + counters->counters[COUNTER_TO_CLIENT_BYTES];
        for (unsigned i = 0; i < DROP_COUNT; i++)
            line->drops += counters->drops[i];
    }
}

void status_line_init(struct status_line *line, uint64_t now_ms)
{
    line->last_ms = now_ms;
    count(line);
}

// Of a second.
static uint64_t rate(uint64_t more, uint64_t passed_ms)
{
    return passed_ms > 0 ? more * 1000 / passed_ms : 0;
}

const char *status_line_write(struct status_line *line, uint64_t now_ms, char *text)
{
    const struct status_line before = *line;
    uint64_t passed_ms = now_ms - before.last_ms;
    struct turn_usage usage;
    unsigned stuck = watchdog_stuck_count(line->watchdog);
    int len;

    status_line_init(line, now_ms);
    turn_server_usage(line->server, &usage);
    len = snprintf(text, STATUS_LINE_LEN,
                   "%" PRIu32 " allocations; relays %" PRIu64 " packets/s, %" PRIu64
                   " kbit/s; drops %" PRIu64 "/s",
                   usage.allocations, rate(line->packets - before.packets, passed_ms),
                   rate((line->bytes - before.bytes) * 8 / 1000, passed_ms),
                   rate(line->drops - before.drops, passed_ms));
    if (stuck > 0)
        len += snprintf(text + len, STATUS_LINE_LEN - (size_t)len, "; %u of %u workers stuck",
                        stuck, line->plane->config.worker_count);
    if (reload_get_history(line->reload)->last_was_refused)
        snprintf(text + len, STATUS_LINE_LEN - (size_t)len, "; last reload refused, see the log");
    return text;
}
