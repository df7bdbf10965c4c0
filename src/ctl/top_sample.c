// SPDX-License-Identifier: BSD-3-Clause
// Texts are made fit for a terminal here, once.
#include "ctl/top_sample.h"

#include "ctl/answer.h"
#include "ctl/text.h"

// A number that is not said is 0.
static uint64_t number(const json_t *body, const char *name)
{
    uint64_t value = 0;

    answer_number(body, name, &value);
    return value;
}

static void take_text(const json_t *body, const char *name, char *text, size_t len)
{
    text_clean(answer_text(body, name, ""), text, len);
}

void top_sample_take_status(struct top_sample *sample, const json_t *body, uint64_t now_ms)
{
    struct top_status *status = &sample->status;

    sample->status_ms = now_ms;
    status->pid = number(body, "pid");
    status->uptime_s = number(body, "uptime_seconds");
    status->allocations = number(body, "allocations");
    status->allocations_max = number(body, "allocations_max");
    status->permissions = number(body, "permissions");
    status->channels = number(body, "channels");
    status->users = number(body, "users");
    status->tcp_allocations = 0;
    status->relays_tcp = answer_number(body, "tcp_allocations", &status->tcp_allocations);
    status->tcp_connections = number(body, "tcp_connections");
    status->tcp_bytes_to_peer = number(body, "tcp_bytes_to_peer");
    status->tcp_bytes_to_client = number(body, "tcp_bytes_to_client");
    take_text(body, "version", status->version, sizeof(status->version));
    take_text(body, "device", status->device, sizeof(status->device));
    take_text(body, "state", status->state, sizeof(status->state));
}

void top_sample_take_workers(struct top_sample *sample, const json_t *body, uint64_t now_ms)
{
    json_t *rows = answer_rows(body, "workers", "worker"), *row;
    size_t index;

    sample->workers_ms = now_ms;
    sample->worker_count = 0;
    json_array_foreach(rows, index, row)
    {
        struct top_worker *worker = &sample->workers[sample->worker_count];

        if (sample->worker_count == TOP_WORKERS_MAX)
            break;
        *worker = (struct top_worker){
            .worker = number(row, "worker"),
            .cpu = number(row, "cpu"),
            .allocations = number(row, "allocations"),
            .rx_packets = number(row, "packets_received"),
            .rx_bytes = number(row, "bytes_received"),
            .tx_packets = number(row, "packets_transmitted"),
            .tx_bytes = number(row, "bytes_transmitted"),
            .dropped = number(row, "dropped"),
            .busy_cycles = number(row, "busy_cycles"),
            .idle_cycles = number(row, "idle_cycles"),
            .is_stuck = number(row, "stuck") > 0,
        };
        sample->worker_count++;
    }
    json_decref(rows);
}

void top_sample_take_drops(struct top_sample *sample, const json_t *body, uint64_t now_ms)
{
    const char *reason;
    json_t *value;

    sample->drops_ms = now_ms;
    sample->drop_count = 0;
    json_object_foreach(json_object_get(body, "drops"), reason, value)
    {
        struct top_drop *drop = &sample->drops[sample->drop_count];

        if (sample->drop_count == TOP_DROPS_MAX)
            break;
        if (!json_is_integer(value) || json_integer_value(value) < 0)
            continue;
        text_clean(reason, drop->reason, sizeof(drop->reason));
        drop->count = (uint64_t)json_integer_value(value);
        sample->drop_count++;
    }
}

void top_sample_take_allocations(struct top_sample *sample, const json_t *body, uint64_t now_ms)
{
    json_t *rows = answer_rows(body, "allocations", "session"), *row;
    size_t index;

    sample->allocations_ms = now_ms;
    sample->allocation_count = 0;
    json_array_foreach(rows, index, row)
    {
        struct top_allocation *allocation = &sample->allocations[sample->allocation_count];

        if (sample->allocation_count == TOP_ALLOCATIONS_MAX)
            break;
        take_text(row, "session", allocation->session, sizeof(allocation->session));
        take_text(row, "user", allocation->user, sizeof(allocation->user));
        take_text(row, "client", allocation->client, sizeof(allocation->client));
        take_text(row, "relayed", allocation->relayed, sizeof(allocation->relayed));
        take_text(row, "peers", allocation->peers, sizeof(allocation->peers));
        allocation->connections = number(row, "connections");
        allocation->age_s = number(row, "age_seconds");
        allocation->packets_to_peer = number(row, "packets_to_peer");
        allocation->bytes_to_peer = number(row, "bytes_to_peer");
        allocation->packets_to_client = number(row, "packets_to_client");
        allocation->bytes_to_client = number(row, "bytes_to_client");
        sample->allocation_count++;
    }
    json_decref(rows);
}
