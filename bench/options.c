// SPDX-License-Identifier: BSD-3-Clause
// The command line of bench/forward.
#include "options.h"

#include "dataplane/worker_state.h"
#include "measure.h"
#include "option_table.h"
#include "subject.h"

#include <stddef.h>
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
    "takes a hop off, as DPDK's example of that name does by exact match.\n"
    "\n"
    "Where a virtual CPU is one of a core's two threads, the other one takes half of the core\n"
    "when it works. So what is timed is slices of a few hundred packets, and those count before\n"
    "and after which additions ran as fast as they can on this core. A sample of which less than\n"
    "an eighth counts, or during which this thread was interrupted, is taken anew.\n";

static const char *const draw_names[TRAFFIC_DRAW_COUNT] = {"uniform", "zipf"};

const char *option_draw_name(enum traffic_draw draw)
{
    return draw_names[draw];
}

static void help(void *options)
{
    (void)options;
    fputs(help_head, stdout);
    for (unsigned i = 0; i < scenario_count; i++)
        printf("  %-21s %s\n", scenarios[i].name, scenarios[i].what);
    fputs(help_tail, stdout);
    exit(EXIT_SUCCESS);
}

static const char *case_name(unsigned number)
{
    return number < scenario_count ? scenarios[number].name : NULL;
}

static const char *draw_name(unsigned number)
{
    return number < TRAFFIC_DRAW_COUNT ? draw_names[number] : NULL;
}

static void set_quick(void *argument)
{
    struct bench_options *options = argument;
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

#define AT(member) offsetof(struct bench_options, member)

void options_parse(int argc, char **argv, struct bench_options *ret_options)
{
    const struct option_row rows[] = {
        {"case", OPTION_WORDS, AT(cases), .word = case_name, .takes_all = true},
        {"allocations", OPTION_NUMBERS, AT(allocations), .min = 1, .max = subject_flows_max()},
        {"draw", OPTION_WORDS, AT(draws), .word = draw_name},
        {"payload", OPTION_NUMBERS, AT(payloads), .min = 4, .max = TRAFFIC_PAYLOAD_MAX_LEN,
         .multiple_of = 4},
        {"burst", OPTION_NUMBERS, AT(bursts), .min = 1, .max = WORKER_BURST},
        {"repeat", OPTION_NUMBER, AT(repeat), .min = 1, .max = REPETITIONS_MAX},
        {"buffers", OPTION_NUMBER, AT(buffers), .min = 64, .max = 1000000},
        {"hugepages", OPTION_FLAG, .at = AT(hugepages)},
        {"quick", OPTION_ACTION, .act = set_quick},
        {"json", OPTION_TEXT, .at = AT(json)},
        {"help", OPTION_ACTION, .act = help},
    };
    set_defaults(ret_options);
    option_table_read(rows, sizeof(rows) / sizeof(rows[0]), argc, argv, ret_options);
}
