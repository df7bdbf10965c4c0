// SPDX-License-Identifier: BSD-3-Clause
// The command line of bench/forward.
#include "options.h"

#include "dataplane/worker_state.h"
#include "measure.h"
#include "subject.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help_head[] =
    "usage: forward [OPTION...]\n"
    "\n"
    "What relaying a packet costs one worker, in TSC cycles: the relay's own code, fed from\n"
    "prepared buffers, without I/O. Every packet that leaves is checked; a wrong one ends the "
    "run.\n"
    "\n"
    "  --case NAME,...       cases, or all (the default), of the list below\n"
    "  --allocations N,...   allocations of one channel each (1,1k,10k,100k,1M,4M)\n"
    "  --draw KIND,...       flows drawn over the whole table: uniform, zipf (uniform)\n"
    "  --payload BYTES,...   a multiple of 4 up to 1400 (160)\n"
    "  --burst N,...         frames received at once, up to 64 (64)\n"
    "  --repeat N            repetitions, of which the median is taken (15)\n"
    "  --buffers N           packet buffers that are cycled through (32768)\n"
    "  --hugepages           buffers and tables in reserved huge pages, not in transparent ones\n"
    "  --quick               small: 1k allocations, 2048 buffers, 3 repetitions\n"
    "  --json FILE           the figures, for programs\n"
    "  --help\n"
    "\n"
    "cases:\n";

static const char help_tail[] =
    "\n"
    "Timed: one poll after the other until all buffers have gone through: reading the clock, the\n"
    "(empty) command ring, receiving, classification with IP header verification, both lookups,\n"
    "permission checks, bandwidth policing, rewriting, checksums, counters of the worker and of\n"
    "each allocation, the transmit call. The port writes into the mbuf what a driver would, and\n"
    "leaves the packet's bytes alone. Not timed: a driver's rings, writing and checking packets,\n"
    "freeing buffers.\n"
    "\n"
    "Buffers come in random order, and are so many that a packet's bytes are in no cache near the\n"
    "core when it arrives. Flows have had packets both ways before the first sample. Before each\n"
    "sample, through the same port and over the same buffers: macswap, the floor, a loop that\n"
    "swaps MAC addresses as testpmd's engine of that name; and for IPv4 l3fwd, which looks up the\n"
    "5-tuple of the same flows in DPDK's rte_hash (CRC32, in bulk), writes MAC addresses and\n"
    "takes a hop off, as DPDK's example of that name does by exact match. A sample is thrown away\n"
    "and taken anew when this thread was interrupted by another, or when an arithmetic loop\n"
    "before or after it ran slow.\n";

static const char *const draw_names[TRAFFIC_DRAW_COUNT] = {"uniform", "zipf"};

const char *option_draw_name(enum traffic_draw draw)
{
    return draw_names[draw];
}

static void help(void)
{
    fputs(help_head, stdout);
    for (unsigned i = 0; i < scenario_count; i++)
        printf("  %-21s %s\n", scenarios[i].name, scenarios[i].what);
    fputs(help_tail, stdout);
    exit(EXIT_SUCCESS);
}

static void list_cases(struct option_list *list, char *text)
{
    list->count = 0;
    for (char *word = strtok(text, ","); word != NULL; word = strtok(NULL, ",")) {
        unsigned before = list->count;
        for (unsigned i = 0; i < scenario_count; i++) {
            if (strcmp(word, "all") == 0 || strcmp(word, scenarios[i].name) == 0)
                option_list_add(list, i);
        }
        if (list->count == before)
            option_refuse("no case '%s'", word);
    }
}

static void list_draws(struct option_list *list, char *text)
{
    list->count = 0;
    for (char *word = strtok(text, ","); word != NULL; word = strtok(NULL, ",")) {
        unsigned before = list->count;
        for (unsigned draw = 0; draw < TRAFFIC_DRAW_COUNT; draw++) {
            if (strcmp(word, draw_names[draw]) == 0)
                option_list_add(list, draw);
        }
        if (list->count == before)
            option_refuse("no draw '%s'", word);
    }
}

static void list_payloads(struct option_list *list, char *text)
{
    option_list_read(list, text, 4, TRAFFIC_PAYLOAD_MAX_LEN);
    for (unsigned i = 0; i < list->count; i++) {
        if (list->values[i] % 4 != 0)
            option_refuse("payload %u is no multiple of 4", list->values[i]);
    }
}

static void set_quick(struct bench_options *options)
{
    options->allocations = (struct option_list){{1000}, 1};
    options->buffers = 2048;
    options->repeat = 3;
}

static void set_defaults(struct bench_options *options)
{
    memset(options, 0, sizeof(*options));
    for (unsigned i = 0; i < scenario_count; i++)
        option_list_add(&options->cases, i);
    options->allocations = (struct option_list){{1, 1000, 10000, 100000, 1000000, 4000000}, 6};
    options->draws = (struct option_list){{TRAFFIC_UNIFORM}, 1};
    options->payloads = (struct option_list){{160}, 1};
    options->bursts = (struct option_list){{WORKER_BURST}, 1};
    options->repeat = 15;
    options->buffers = 32768;
}

enum option_id {
    OPTION_CASE = 1,
    OPTION_ALLOCATIONS,
    OPTION_DRAW,
    OPTION_PAYLOAD,
    OPTION_BURST,
    OPTION_REPEAT,
    OPTION_BUFFERS,
    OPTION_HUGEPAGES,
    OPTION_QUICK,
    OPTION_JSON,
    OPTION_HELP,
};

static const struct option long_options[] = {
    {"case", required_argument, NULL, OPTION_CASE},
    {"allocations", required_argument, NULL, OPTION_ALLOCATIONS},
    {"draw", required_argument, NULL, OPTION_DRAW},
    {"payload", required_argument, NULL, OPTION_PAYLOAD},
    {"burst", required_argument, NULL, OPTION_BURST},
    {"repeat", required_argument, NULL, OPTION_REPEAT},
    {"buffers", required_argument, NULL, OPTION_BUFFERS},
    {"hugepages", no_argument, NULL, OPTION_HUGEPAGES},
    {"quick", no_argument, NULL, OPTION_QUICK},
    {"json", required_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static void set(struct bench_options *options, enum option_id id)
{
    switch (id) {
    case OPTION_CASE:
        list_cases(&options->cases, optarg);
        break;
    case OPTION_ALLOCATIONS:
        option_list_read(&options->allocations, optarg, 1, subject_flows_max());
        break;
    case OPTION_DRAW:
        list_draws(&options->draws, optarg);
        break;
    case OPTION_PAYLOAD:
        list_payloads(&options->payloads, optarg);
        break;
    case OPTION_BURST:
        option_list_read(&options->bursts, optarg, 1, WORKER_BURST);
        break;
    case OPTION_REPEAT:
        options->repeat = option_number(optarg, 1, REPETITIONS_MAX);
        break;
    case OPTION_BUFFERS:
        options->buffers = option_number(optarg, 64, 1000000);
        break;
    case OPTION_HUGEPAGES:
        options->hugepages = true;
        break;
    case OPTION_QUICK:
        set_quick(options);
        break;
    case OPTION_JSON:
        options->json = optarg;
        break;
    case OPTION_HELP:
        help();
        break;
    default:
        option_refuse("bad option");
    }
}

void options_parse(int argc, char **argv, struct bench_options *ret_options)
{
    int id;
    set_defaults(ret_options);
    opterr = 0;
    while ((id = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (id == '?')
            option_refuse("%s: no such option, or its value is missing", argv[optind - 1]);
        set(ret_options, (enum option_id)id);
    }
    if (optind < argc)
        option_refuse("'%s' is no option", argv[optind]);
    if (ret_options->cases.count == 0 || ret_options->allocations.count == 0 ||
        ret_options->draws.count == 0 || ret_options->payloads.count == 0 ||
        ret_options->bursts.count == 0)
        option_refuse("an empty list");
}
