// SPDX-License-Identifier: BSD-3-Clause
// What it costs that packets land on a worker that does not own them, as where a NIC cannot steer
// by port. See --help.
#include "../eal.h"
#include "../figure.h"
#include "../option_table.h"
#include "../rest.h"
#include "../results_file.h"
#include "pair.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define REPETITIONS_MAX 1000
#define PAYLOAD_LEN     160
#define TRIES_A_SAMPLE  100   // with two threads, in which neither CPU may be shared for a moment
#define RING_LEN        32768 // of a worker that another interrupts: nothing is to be lost

struct options {
    struct option_list cases; // into cases[]
    struct option_list allocations;
    struct option_list threads;
    uint32_t wrong_percent;
    uint32_t repeat;
    uint32_t buffers;
    const char *json;
};

struct sample {
    double right; // cycles of a worker, a packet
    double wrong;
    double ratio;
    double crossing; // cycles more, a packet, when nothing is done but to hand over
    double floor;    // the ratio with no more than those
};

enum sample_figure {
    FIGURE_RIGHT,
    FIGURE_WRONG,
    FIGURE_RATIO,
    FIGURE_CROSSING,
    FIGURE_FLOOR,
    FIGURE_COUNT,
};

static const struct {
    const char *name; // in JSON
    size_t at;        // in struct sample
    int decimals;
} figure_members[FIGURE_COUNT] = {
    [FIGURE_RIGHT] = {"right_cycles", offsetof(struct sample, right), 1},
    [FIGURE_WRONG] = {"wrong_cycles", offsetof(struct sample, wrong), 1},
    [FIGURE_RATIO] = {"ratio", offsetof(struct sample, ratio), 2},
    [FIGURE_CROSSING] = {"crossing_cycles", offsetof(struct sample, crossing), 1},
    [FIGURE_FLOOR] = {"floor_ratio", offsetof(struct sample, floor), 2},
};

struct bench {
    struct options options;
    struct traffic traffic;
    struct pair pair;
    struct results_file results;
};

struct handoff_case {
    const char *name;
    const char *what;
    const char *scenario;
    bool clients_are_right;
};

static const struct handoff_case cases[] = {
    {"peer-to-channel", "peers' packets: the port says who the owner is", "peer-to-channel", false},
    {"mixed", "half of them from clients, which land right, half from peers", "mixed", true},
    {"mixed-all", "the same, and the clients' land wrong as well", "mixed", false},
    {"channel-to-peer", "clients' packets: a table says who the owner is", "channel-to-peer",
     false},
};

#define CASE_COUNT (sizeof(cases) / sizeof(cases[0]))

// Options.

static void help(void *options)
{
    (void)options;
    puts("usage: handoff [OPTION...]\n"
         "\n"
         "What it costs two workers that packets land on the one that does not own them, and are\n"
         "handed over: TSC cycles of a worker, a packet, against the same when all land right;\n"
         "and the floor, had they crossed over with nothing else done to them.\n"
         "Every packet that leaves is checked; a wrong one ends the run.\n"
         "\n"
         "  --case NAME,...       cases of the list below (all)\n"
         "  --allocations N,...   allocations of one channel each, of both workers (10k,1M)\n"
         "  --wrong PERCENT       flows that land wrong, always (50)\n"
         "  --threads N,...       1: the workers poll in turn, on one CPU; 2: beside each other\n"
         "                        (both, where there are two CPUs)\n"
         "  --repeat N            repetitions, of which the median is taken (15)\n"
         "  --buffers N           packet buffers that are cycled through (16384)\n"
         "  --quick               small: 1k allocations, 2048 buffers, 3 repetitions\n"
         "  --json FILE           the figures, for programs\n"
         "  --help\n"
         "\n"
         "cases:");
    for (unsigned i = 0; i < CASE_COUNT; i++)
        printf("  %-16s %s\n", cases[i].name, cases[i].what);
    puts("\n"
         "A client's packets land where its allocation was made, unless that worker had no port\n"
         "left, or the NIC has begun to spread differently; a peer's packets land anywhere.");
    exit(EXIT_SUCCESS);
}

static const char *case_name(unsigned number)
{
    return number < CASE_COUNT ? cases[number].name : NULL;
}

static void set_quick(void *argument)
{
    struct options *options = argument;
    options->allocations = (struct option_list){{1000}, 1};
    options->buffers = 2048;
    options->repeat = 3;
}

#define AT(member) offsetof(struct options, member)

static void options_read(int argc, char **argv, struct options *ret_options)
{
    const struct option_row rows[] = {
        {"case", OPTION_WORDS, AT(cases), .word = case_name},
        {"allocations", OPTION_NUMBERS, AT(allocations), .min = 1, .max = subject_flows_max()},
        {"wrong", OPTION_NUMBER, AT(wrong_percent), .min = 0, .max = 100},
        {"threads", OPTION_NUMBERS, AT(threads), .min = PAIR_ALTERNATING, .max = PAIR_BESIDE},
        {"repeat", OPTION_NUMBER, AT(repeat), .min = 1, .max = REPETITIONS_MAX},
        {"buffers", OPTION_NUMBER, AT(buffers), .min = 64, .max = RING_LEN - 1},
        {"quick", OPTION_ACTION, .act = set_quick},
        {"json", OPTION_TEXT, .at = AT(json)},
        {"help", OPTION_ACTION, .act = help},
    };
    *ret_options = (struct options){
        .allocations = {{10000, 1000000}, 2},
        .threads = {{PAIR_ALTERNATING, PAIR_BESIDE}, pair_can_be_beside() ? 2 : 1},
        .wrong_percent = 50,
        .repeat = 15,
        .buffers = 16384,
    };
    for (unsigned i = 0; i < CASE_COUNT; i++)
        option_list_add(&ret_options->cases, i);
    option_table_read(rows, sizeof(rows) / sizeof(rows[0]), argc, argv, ret_options);
}

// Measuring.

static void no_progress(void)
{
}

typedef double pair_way(struct pair *pair, enum pair_threads threads,
                        const struct pair_landing *landing, bool *rested);

// What is to be taken in one go, for so long both CPUs are at rest sometimes.
static double take_part(struct bench *bench, struct patience *patience, pair_way *way,
                        enum pair_threads threads, const struct pair_landing *landing,
                        bool *all_rested)
{
    double cycles;
    bool rested;
    do {
        rested = true;
        cycles = way(&bench->pair, threads, landing, &rested);
    } while (patience_retry(patience, rested));
    *all_rested &= rested;
    return cycles;
}

static bool take_sample(struct bench *bench, struct patience *patience, enum pair_threads threads,
                        const struct handoff_case *handoff_case, struct sample *ret_sample)
{
    const struct pair_landing none = {.wrong_percent = 0};
    const struct pair_landing landing = {bench->options.wrong_percent,
                                         handoff_case->clients_are_right};
    bool rested = true;
    ret_sample->right = take_part(bench, patience, pair_run, threads, &none, &rested);
    ret_sample->wrong = take_part(bench, patience, pair_run, threads, &landing, &rested);
    ret_sample->ratio = ret_sample->wrong / ret_sample->right;
    double swapped = take_part(bench, patience, pair_cross, threads, &none, &rested);
    ret_sample->crossing =
        take_part(bench, patience, pair_cross, threads, &landing, &rested) - swapped;
    ret_sample->floor = (ret_sample->right + ret_sample->crossing) / ret_sample->right;
    return rested;
}

static void report_head(const struct bench *bench)
{
    printf("TSC %.2f GHz; cycles of a worker, a packet, when all land right and when %u %% land "
           "wrong: "
           "median (least-most) of %u\n",
           (double)rte_get_tsc_hz() / 1e9, bench->options.wrong_percent, bench->options.repeat);
    printf("%-16s %7s %7s  %-20s %-20s %-17s %-17s\n", "case", "alloc.", "threads", "right",
           "wrong", "ratio", "floor");
    fflush(stdout);
}

static void report_json(struct bench *bench, enum pair_threads threads, const char *name,
                        const struct figure *figures, const struct patience *patience)
{
    FILE *file = results_next(&bench->results);
    if (file == NULL)
        return;
    fprintf(file, "{\"case\": \"%s\", \"allocations\": %u, \"threads\": %u, ", name,
            bench->traffic.flow_count, (unsigned)threads);
    for (unsigned i = 0; i < FIGURE_COUNT; i++)
        figure_json(file, figure_members[i].name, &figures[i]);
    fprintf(file, "\"samples_discarded\": %u, \"slow_samples\": %u}", patience->discarded,
            patience->slow);
}

static void report(struct bench *bench, enum pair_threads threads, const char *name,
                   const struct sample *samples, const struct patience *patience)
{
    char texts[FIGURE_COUNT][64];
    struct figure figures[FIGURE_COUNT];
    for (unsigned i = 0; i < FIGURE_COUNT; i++) {
        figures[i] = figure_of(samples, sizeof(*samples), patience->kept, figure_members[i].at);
        figure_text(&figures[i], figure_members[i].decimals, texts[i]);
    }
    printf("%-16s %7u %7u  %-20s %-20s %-17s %-17s%s\n", name, bench->traffic.flow_count,
           (unsigned)threads, texts[FIGURE_RIGHT], texts[FIGURE_WRONG], texts[FIGURE_RATIO],
           texts[FIGURE_FLOOR], patience->slow > 0 ? "  slow machine" : "");
    fflush(stdout);
    report_json(bench, threads, name, figures, patience);
}

static void run(struct bench *bench, enum pair_threads threads,
                const struct handoff_case *handoff_case)
{
    static struct sample samples[REPETITIONS_MAX];
    struct patience patience;
    patience_init(&patience, bench->options.repeat, TRIES_A_SAMPLE);
    while (patience.kept < patience.wanted)
        patience_keep(&patience, take_sample(bench, &patience, threads, handoff_case,
                                             &samples[patience.kept]));
    report(bench, threads, handoff_case->name, samples, &patience);
}

static void run_case(struct bench *bench, const struct handoff_case *handoff_case,
                     uint32_t allocations)
{
    struct subject subject;
    struct subject_config config = {
        .scenario = scenario_named(handoff_case->scenario),
        .flow_count = allocations,
        .worker_count = PAIR_WORKERS,
        .handoff_ring_len = RING_LEN,
        .wrong_percent = bench->options.wrong_percent,
        .pool = bench->traffic.pool,
        .progress = no_progress,
    };
    subject_create(&config, &subject);
    bench->pair.subject = &subject;
    traffic_begin(&bench->traffic, config.scenario, allocations, PAYLOAD_LEN, TRAFFIC_UNIFORM);
    pair_warm_up(&bench->pair);
    for (unsigned i = 0; i < bench->options.threads.count; i++)
        run(bench, (enum pair_threads)bench->options.threads.values[i], handoff_case);
    subject_destroy(&subject);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    options_read(argc, argv, &bench.options);
    eal_begin(false);
    traffic_create(&bench.traffic, bench.options.buffers);
    pair_init(&bench.pair, &bench.traffic);
    results_open(&bench.results, bench.options.json, (double)rte_get_tsc_hz());
    results_member(&bench.results, "repeat", "%u", bench.options.repeat);
    results_member(&bench.results, "wrong_percent", "%u", bench.options.wrong_percent);
    results_list(&bench.results, "results");
    report_head(&bench);
    for (unsigned i = 0; i < bench.options.cases.count; i++) {
        const struct handoff_case *handoff_case = &cases[bench.options.cases.values[i]];
        for (unsigned size = 0; size < bench.options.allocations.count; size++)
            run_case(&bench, handoff_case, bench.options.allocations.values[size]);
    }
    results_close(&bench.results);
    pair_done(&bench.pair);
    traffic_destroy(&bench.traffic);
    return rte_eal_cleanup() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
