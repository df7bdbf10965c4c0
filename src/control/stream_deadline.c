// SPDX-License-Identifier: BSD-3-Clause
// The soonest of what a phase and the things that wait allow.
#include "control/stream_deadline.h"

#include "control/stream_output.h"

static uint32_t sooner(uint32_t one_s, uint32_t other_s, bool is_meant)
{
    return is_meant && other_s < one_s ? other_s : one_s;
}

static bool waits_for_rest(const struct stream_connection *connection)
{
    return connection->in.len > 0 && !connection->is_blocked && !connection->is_binding;
}

static uint32_t idle_deadline_s(const struct stream_thread *thread,
                                const struct stream_connection *connection)
{
    const struct stream_limits *limits = &thread->limits;

    return connection->heard_s + (connection->has_allocation ? limits->idle_s : limits->quiet_s);
}

uint32_t stream_deadline_s(const struct stream_thread *thread,
                           const struct stream_connection *connection)
{
    const struct stream_limits *limits = &thread->limits;
    uint32_t due_s;

    if (connection->phase == STREAM_PHASE_PROXY)
        return connection->since_s + limits->proxy_s;
    if (connection->phase == STREAM_PHASE_HANDSHAKE)
        return connection->since_s + limits->handshake_s;
    due_s = idle_deadline_s(thread, connection);
    due_s = sooner(due_s, connection->frame_s + limits->frame_s, waits_for_rest(connection));
    due_s = sooner(due_s, connection->bound_s + limits->frame_s, connection->is_binding);
    return sooner(due_s, connection->stuck_s + limits->stuck_s, stream_output_len(connection) > 0);
}

uint64_t *stream_deadline_counter(struct stream_thread *thread,
                                  const struct stream_connection *connection)
{
    struct stream_counters *counters = &thread->counters;

    if (connection->phase != STREAM_PHASE_OPEN)
        return &counters->handshake_timeouts;
    if (stream_output_len(connection) > 0 &&
        stream_deadline_s(thread, connection) == connection->stuck_s + thread->limits.stuck_s)
        return &counters->stuck;
    return idle_deadline_s(thread, connection) <= thread->now_s ? &counters->idle_timeouts
                                                                : &counters->frame_timeouts;
}
