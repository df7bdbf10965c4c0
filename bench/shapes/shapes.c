// SPDX-License-Identifier: BSD-3-Clause
// What it costs a worker that packets come tagged, with IPv6, or in fragments, as the internet
// makes them. See --help.
#include "../eal.h"
#include "../figure.h"
#include "../option_table.h"
#include "../rest.h"
#include "../results_file.h"
#include "../subject.h"
#include "edge.h"
#include "stage.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define FIGURES_MAX    6
#define TRIES_A_SAMPLE 10
#define CASE_LEN       96
#define BUFFERS_MAX    4096 // with those of fragments, what the EAL has memory for

struct options {
    struct option_list kinds; // into kinds[]
    uint32_t allocations;
    uint32_t repeat;
    uint32_t buffers;
    const char *json;
};

struct bench {
    struct options options;
    struct traffic traffic;
    struct port port;
    struct rest rest;
    struct stage stage;
    struct subject subject;
    enum ip_family family;
    struct results_file results;
};

struct sample {
    double figures[FIGURES_MAX];
};

struct shape {
    enum edge_tag tag;
    unsigned pieces;
    enum pieces_order order;
    bool is_full;
    uint16_t fragment_len;
};

struct figure_name {
    const char *name; // in JSON
    int decimals;
};

// Of one kind the same is asked.
struct kind {
    const char *name; // the list in JSON
    const char *what;
    uint32_t payload_len;
    bool (*take)(struct bench *bench, const struct shape *shape, struct sample *ret_sample);
    void (*describe)(const struct shape *shape, char ret_text[CASE_LEN]); // members of JSON
    struct figure_name figures[FIGURES_MAX];
    const struct shape *shapes;
    unsigned shape_count;
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

// Tags.

static const struct shape headers[] = {
    {.tag = EDGE_UNTAGGED}, {.tag = EDGE_BY_SOFTWARE}, {.tag = EDGE_BY_DEVICE}};

enum header_figure {
    HEADER_CYCLES,
    HEADER_UNTAGGED,
    HEADER_RATIO,
    HEADER_FLOOR,
    HEADER_FLOOR_RATIO,
    HEADER_CLASSIFY,
};

static bool take_header(struct bench *bench, const struct shape *shape, struct sample *ret_sample)
{
    struct stage *stage = &bench->stage;
    double *figures = ret_sample->figures;
    bool rested = true;
    // macswap knows nothing of payloads, which a tag had moved.
    figures[HEADER_FLOOR] = measure_floor(&stage->stand, STAGE_BURST, &rested);
    figures[HEADER_UNTAGGED] = stage_whole(stage, &rested);
    edge_join(&bench->port, &bench->traffic, shape->tag, bench->subject.plane->counters);
    figures[HEADER_CYCLES] = stage_whole(stage, &rested);
    figures[HEADER_CLASSIFY] = stage_classify(stage, &rested);
    edge_leave(&bench->port, &bench->traffic);
    figures[HEADER_RATIO] = figures[HEADER_CYCLES] / figures[HEADER_UNTAGGED];
    figures[HEADER_FLOOR_RATIO] = figures[HEADER_CYCLES] / figures[HEADER_FLOOR];
    return rested;
}

static void describe_header(const struct shape *shape, char ret_text[CASE_LEN])
{
    static const char *const names[EDGE_TAG_COUNT] = {"none", "software", "device"};
    snprintf(ret_text, CASE_LEN, "\"tag\": \"%s\"", names[shape->tag]);
}

// Fragments.

static const struct shape fragments[] = {
    {.pieces = 2, .order = PIECES_IN_ORDER},
    {.pieces = 2, .order = PIECES_REVERSED},
    {.pieces = 2, .order = PIECES_IN_TURN},
    {.pieces = 2, .order = PIECES_IN_ORDER, .is_full = true},
    {.pieces = 4, .order = PIECES_IN_ORDER},
    {.pieces = 8, .order = PIECES_IN_ORDER},
    {.pieces = 8, .order = PIECES_REVERSED},
    {.pieces = 8, .order = PIECES_IN_ORDER, .is_full = true},
};

enum fragment_figure {
    FRAGMENT_DATAGRAM,
    FRAGMENT_EACH,
    FRAGMENT_WHOLE,
    FRAGMENT_RATIO,
};

static bool take_fragments(struct bench *bench, const struct shape *shape,
                           struct sample *ret_sample)
{
    double *figures = ret_sample->figures;
    bool rested = true;
    figures[FRAGMENT_WHOLE] = stage_whole(&bench->stage, &rested);
    figures[FRAGMENT_DATAGRAM] =
        stage_pieces(&bench->stage, shape->pieces, shape->order, shape->is_full, &rested);
    figures[FRAGMENT_EACH] = figures[FRAGMENT_DATAGRAM] / shape->pieces;
    figures[FRAGMENT_RATIO] = figures[FRAGMENT_DATAGRAM] / figures[FRAGMENT_WHOLE];
    return rested;
}

static void describe_fragments(const struct shape *shape, char ret_text[CASE_LEN])
{
    static const char *const orders[PIECES_ORDER_COUNT] = {"in order", "reversed", "in turn"};
    snprintf(ret_text, CASE_LEN, "\"fragments\": %u, \"order\": \"%s\", \"table\": \"%s\"",
             shape->pieces, orders[shape->order], shape->is_full ? "full" : "empty");
}

// Floods.

static const struct shape floods[] = {
    {.fragment_len = 8}, {.fragment_len = 640}, {.fragment_len = 1200}};

static bool take_flood(struct bench *bench, const struct shape *shape, struct sample *ret_sample)
{
    bool rested = true;
    ret_sample->figures[0] = stage_flood(&bench->stage, shape->fragment_len, &rested);
    return rested;
}

static void describe_flood(const struct shape *shape, char ret_text[CASE_LEN])
{
    snprintf(ret_text, CASE_LEN, "\"fragment_bytes\": %u", shape->fragment_len);
}

static const struct kind kinds[] = {
    {"headers",
     "packets with IPv4 and IPv6, on no VLAN, on one with tags in frames, and on one whose tags\n"
     "            the device takes off and puts on",
     160,
     take_header,
     describe_header,
     {{"cycles", 1},
      {"untagged_cycles", 1},
      {"ratio", 2},
      {"floor_cycles", 1},
      {"floor_ratio", 2},
      {"classify_cycles", 1}},
     headers,
     COUNT_OF(headers)},
    {"fragments",
     "datagrams of 1200 bytes in 2 to 8 fragments, against the same whole",
     1200,
     take_fragments,
     describe_fragments,
     {{"datagram_cycles", 0}, {"fragment_cycles", 0}, {"whole_cycles", 0}, {"ratio", 2}},
     fragments,
     COUNT_OF(fragments)},
    {"floods",
     "fragments of datagrams that are never completed",
     1200,
     take_flood,
     describe_flood,
     {{"cycles", 1}},
     floods,
     COUNT_OF(floods)},
};

// Options.

static void help(void *options)
{
    (void)options;
    puts(
        "usage: shapes [OPTION...]\n"
        "\n"
        "What it costs a worker that packets come as the internet makes them: TSC cycles, of both\n"
        "directions mixed. Every packet that leaves is checked, and every drop; a wrong one ends\n"
        "the run.\n"
        "\n"
        "  --kind NAME,...    of the list below (all)\n"
        "  --allocations N    of one channel each (10k)\n"
        "  --repeat N         repetitions, of which the median is taken (15)\n"
        "  --buffers N        packets that are cycled through, 64 to 4096 (4096)\n"
        "  --quick            small: 1k allocations, 1024 packets, 3 repetitions\n"
        "  --json FILE        the figures, for programs\n"
        "  --help\n"
        "\n"
        "kinds:");
    for (unsigned i = 0; i < COUNT_OF(kinds); i++)
        printf("  %-9s %s\n", kinds[i].name, kinds[i].what);
    puts(
        "\n"
        "Timed: as in forward, and what the VLAN's hooks do around a burst. classify is receiving\n"
        "and the classifier alone, which sees all that does not go the worker's short way.\n"
        "The table of datagrams under way is full when 15 of 16 places are taken by strangers':\n"
        "what comes then takes the place of the oldest. So it is in a flood.");
    exit(EXIT_SUCCESS);
}

static const char *kind_name(unsigned number)
{
    return number < COUNT_OF(kinds) ? kinds[number].name : NULL;
}

static void set_quick(void *argument)
{
    struct options *options = argument;
    options->allocations = 1000;
    options->buffers = 1024;
    options->repeat = 3;
}

#define AT(member) offsetof(struct options, member)

static void options_read(int argc, char **argv, struct options *ret_options)
{
    const struct option_row rows[] = {
        {"kind", OPTION_WORDS, AT(kinds), .word = kind_name},
        {"allocations", OPTION_NUMBER, AT(allocations), .min = 1, .max = subject_flows_max()},
        {"repeat", OPTION_NUMBER, AT(repeat), .min = 1, .max = REPETITIONS_MAX},
        {"buffers", OPTION_NUMBER, AT(buffers), .min = STAGE_BURST, .max = BUFFERS_MAX},
        {"quick", OPTION_ACTION, .act = set_quick},
        {"json", OPTION_TEXT, .at = AT(json)},
        {"help", OPTION_ACTION, .act = help},
    };
    *ret_options = (struct options){.allocations = 10000, .repeat = 15, .buffers = BUFFERS_MAX};
    for (unsigned i = 0; i < COUNT_OF(kinds); i++)
        option_list_add(&ret_options->kinds, i);
    option_table_read(rows, COUNT_OF(rows), argc, argv, ret_options);
}

// Reporting.

static unsigned figure_count(const struct kind *kind)
{
    unsigned count = 0;
    while (count < FIGURES_MAX && kind->figures[count].name != NULL)
        count++;
    return count;
}

static void report_head(const struct bench *bench, const struct kind *kind)
{
    printf("%s: %s\n%-8s", kind->name, kind->what, "");
    for (unsigned i = 0; i < figure_count(kind); i++)
        printf(" %-22s", kind->figures[i].name);
    printf(" median (least-most) of %u\n", bench->options.repeat);
    fflush(stdout);
}

static void report_json(struct bench *bench, const struct kind *kind, const char *description,
                        const struct figure *figures, const struct patience *patience)
{
    FILE *file = results_next(&bench->results);
    if (file == NULL)
        return;
    fprintf(file, "{\"family\": %u, \"payload_bytes\": %u, %s, ", (unsigned)bench->family,
            kind->payload_len, description);
    for (unsigned i = 0; i < figure_count(kind); i++)
        figure_json(file, kind->figures[i].name, &figures[i]);
    fprintf(file, "\"samples_discarded\": %u, \"slow_samples\": %u}", patience->discarded,
            patience->slow);
}

static void report(struct bench *bench, const struct kind *kind, const struct shape *shape,
                   const struct sample *samples, const struct patience *patience)
{
    char description[CASE_LEN], text[64];
    struct figure figures[FIGURES_MAX];
    kind->describe(shape, description);
    printf("IPv%u    ", (unsigned)bench->family);
    for (unsigned i = 0; i < figure_count(kind); i++) {
        figures[i] =
            figure_of(samples, sizeof(*samples), patience->kept, i * sizeof(samples->figures[0]));
        printf(" %-22s", figure_text(&figures[i], kind->figures[i].decimals, text));
    }
    printf(" %s%s\n", description, patience->slow > 0 ? "  slow machine" : "");
    fflush(stdout);
    report_json(bench, kind, description, figures, patience);
}

// Measuring.

static void no_progress(void)
{
}

static void run(struct bench *bench, const struct kind *kind, const struct shape *shape)
{
    static struct sample samples[REPETITIONS_MAX];
    struct patience patience;
    patience_init(&patience, bench->options.repeat, TRIES_A_SAMPLE);
    while (patience.kept < patience.wanted)
        patience_keep(&patience, kind->take(bench, shape, &samples[patience.kept]));
    report(bench, kind, shape, samples, &patience);
}

static void run_family(struct bench *bench, const struct kind *kind, enum ip_family family)
{
    const struct repetitions repetitions = {bench->options.repeat, STAGE_BURST, no_progress};
    struct subject_config config = {
        .scenario = scenario_named(family == IP_FAMILY_V4 ? "mixed" : "mixed-v6"),
        .flow_count = bench->options.allocations,
        .worker_count = 1,
        .pool = bench->traffic.pool,
        .progress = no_progress,
    };
    bench->family = family;
    subject_create(&config, &bench->subject);
    traffic_begin(&bench->traffic, config.scenario, config.flow_count, kind->payload_len,
                  TRAFFIC_UNIFORM);
    measure_warm_up(&bench->stage.stand, &repetitions);
    for (unsigned i = 0; i < kind->shape_count; i++)
        run(bench, kind, &kind->shapes[i]);
    subject_destroy(&bench->subject);
}

static void run_kind(struct bench *bench, const struct kind *kind)
{
    report_head(bench, kind);
    results_list(&bench->results, kind->name);
    run_family(bench, kind, IP_FAMILY_V4);
    run_family(bench, kind, IP_FAMILY_V6);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    options_read(argc, argv, &bench.options);
    eal_begin(false);
    traffic_create(&bench.traffic, bench.options.buffers);
    edge_open(&bench.port, &bench.traffic, bench.options.buffers);
    rest_init(&bench.rest);
    const struct stand stand = {&bench.subject, NULL, &bench.traffic, &bench.port, &bench.rest};
    stage_init(&bench.stage, &stand);
    results_open(&bench.results, bench.options.json, (double)rte_get_tsc_hz());
    results_member(&bench.results, "repeat", "%u", bench.options.repeat);
    results_member(&bench.results, "allocations", "%u", bench.options.allocations);
    printf("TSC %.2f GHz\n", (double)rte_get_tsc_hz() / 1e9);
    for (unsigned i = 0; i < bench.options.kinds.count; i++)
        run_kind(&bench, &kinds[bench.options.kinds.values[i]]);
    results_close(&bench.results);
    stage_done(&bench.stage);
    port_close(&bench.port);
    traffic_destroy(&bench.traffic);
    return rte_eal_cleanup() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
