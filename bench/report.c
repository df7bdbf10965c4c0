// SPDX-License-Identifier: BSD-3-Clause
// Table, JSON and progress.
#include "report.h"

#include "base/clock.h"
#include "results_file.h"

#include <rte_cycles.h>
#include <stdbool.h>
#include <unistd.h>

#define SILENT_MS        2000
#define TERMINAL_EACH_MS 200
#define LOG_EACH_MS      10000

static double ns_of(double cycles)
{
    return cycles * 1e9 / (double)rte_get_tsc_hz();
}

static double mpps_of(double cycles)
{
    return 1e3 / ns_of(cycles);
}

static double bytes_an_allocation(const struct result *result)
{
    return (double)result->table_len / result->allocations;
}

// Table.

void report_begin(const struct bench_options *options)
{
    printf("TSC %.2f GHz; cycles a packet and ratios to macswap and l3fwd: median (least-most) of "
           "%u\n",
           (double)rte_get_tsc_hz() / 1e9, options->repeat);
    printf("%-16s %7s %-7s %7s %5s  %-19s %7s %-17s %6s %-17s %6s %6s %8s\n", "case", "alloc.",
           "draw", "payload", "burst", "cycles", "macswap", "ratio", "l3fwd", "ratio", "ns", "Mpps",
           "B/alloc.");
    fflush(stdout);
}

static void report_l3fwd(const struct result *result)
{
    char ratio[64];
    if (result->has_l3fwd)
        printf("%6.1f %-17s ", result->measurement.l3fwd.median,
               figure_text(&result->measurement.l3fwd_ratio, 2, ratio));
    else
        printf("%6s %-17s ", "-", "-");
}

void report_result(const struct result *result)
{
    const struct measurement *measurement = &result->measurement;
    char cycles[64], ratio[64];
    progress_end();
    printf("%-16s %7u %-7s %7u %5u  %-19s %7.1f %-17s ", result->scenario->name,
           result->allocations, option_draw_name(result->draw), result->payload_len, result->burst,
           figure_text(&measurement->cycles, 1, cycles), measurement->floor.median,
           figure_text(&measurement->ratio, 2, ratio));
    report_l3fwd(result);
    printf("%6.1f %6.1f %8.0f%s\n", ns_of(measurement->cycles.median),
           mpps_of(measurement->cycles.median), bytes_an_allocation(result),
           measurement->slow > 0 ? "  slow machine" : "");
    fflush(stdout);
}

// JSON.

static void json_result(FILE *file, const struct result *result)
{
    if (file == NULL)
        return;
    const struct measurement *measurement = &result->measurement;
    fprintf(file,
            "{\"case\": \"%s\", \"allocations\": %u, \"draw\": \"%s\", \"payload_bytes\": %u, "
            "\"burst\": %u, ",
            result->scenario->name, result->allocations, option_draw_name(result->draw),
            result->payload_len, result->burst);
    figure_json(file, "cycles", &measurement->cycles);
    figure_json(file, "floor_cycles", &measurement->floor);
    figure_json(file, "ratio", &measurement->ratio);
    if (result->has_l3fwd) {
        figure_json(file, "l3fwd_cycles", &measurement->l3fwd);
        figure_json(file, "l3fwd_ratio", &measurement->l3fwd_ratio);
    }
    fprintf(file,
            "\"ns\": %.3f, \"packets_per_second\": %.0f, \"bytes_per_allocation\": %.1f, "
            "\"packets_checked\": %ju, \"samples_discarded\": %u, \"slow_samples\": %u}",
            ns_of(measurement->cycles.median), mpps_of(measurement->cycles.median) * 1e6,
            bytes_an_allocation(result), (uintmax_t)measurement->checked, measurement->discarded,
            measurement->slow);
}

void report_json(const struct bench_options *options, const struct result *results, unsigned count)
{
    struct results_file file;
    results_open(&file, options->json, (double)rte_get_tsc_hz());
    results_member(&file, "repeat", "%u", options->repeat);
    results_member(&file, "buffers", "%u", options->buffers);
    results_list(&file, "results");
    for (unsigned i = 0; i < count; i++)
        json_result(results_next(&file), &results[i]);
    results_close(&file);
}

// Progress.

static struct {
    uint64_t start_ms;
    uint64_t said_ms;
    unsigned total;
    unsigned current;
    const struct scenario *scenario;
    uint32_t allocations;
    bool has_line; // on the terminal, to be written over
} progress;

void progress_begin(unsigned total)
{
    progress.start_ms = clock_monotonic_ms();
    progress.said_ms = progress.start_ms;
    progress.total = total;
}

void progress_table(const struct scenario *scenario, uint32_t allocations)
{
    progress.scenario = scenario;
    progress.allocations = allocations;
    progress_tick();
}

void progress_next(void)
{
    progress.current++;
    progress_tick();
}

void progress_tick(void)
{
    bool is_terminal = isatty(STDERR_FILENO);
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t pause_ms = is_terminal ? TERMINAL_EACH_MS : LOG_EACH_MS;
    if (now_ms - progress.start_ms < SILENT_MS || now_ms - progress.said_ms < pause_ms)
        return;
    progress.said_ms = now_ms;
    fprintf(stderr, "%s%ju s: case %u of %u: %s, %u allocations%s", is_terminal ? "\r\033[K" : "",
            (uintmax_t)((now_ms - progress.start_ms) / 1000), progress.current, progress.total,
            progress.scenario->name, progress.allocations, is_terminal ? "" : "\n");
    progress.has_line = is_terminal;
}

void progress_end(void)
{
    if (progress.has_line)
        fputs("\r\033[K", stderr);
    progress.has_line = false;
}
