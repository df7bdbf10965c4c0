// SPDX-License-Identifier: BSD-3-Clause
// What the relay's table costs against DPDK's: cycles from a key to its entry, bytes of memory a
// key. See --help.
#include "../eal.h"
#include "../fail.h"
#include "../figure.h"
#include "../option_table.h"
#include "../rest.h"
#include "../results_file.h"
#include "../slices.h"
#include "contender.h"
#include "contest.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define KEYS_MAX        16000000
#define REPETITIONS_MAX 1000
#define TRIES_A_SAMPLE  10
#define SLICE_KEYS      1024

static const struct contender *const contenders[] = {&contender_flow_table, &contender_rte_hash_crc,
                                                     &contender_rte_hash_keyed, &contender_array};

#define CONTENDER_COUNT (sizeof(contenders) / sizeof(contenders[0]))

// Questions of one kind to one table.
struct course {
    const struct contender *contender;
    void *table;
    bool are_there; // the keys
    struct patience patience;
    double samples[REPETITIONS_MAX]; // cycles a key
};

struct options {
    struct option_list keys;
    uint32_t repeat;
    const char *json;
};

struct bench {
    struct options options;
    struct rest rest;
    struct course courses[2 * CONTENDER_COUNT];
    struct results_file results;
};

// Options.

static void help(void *options)
{
    (void)options;
    puts("usage: tables [OPTION...]\n"
         "\n"
         "What finding the entries of a burst costs, in TSC cycles a key: the relay's table\n"
         "against DPDK's. Every entry found is checked; a wrong one ends the run.\n"
         "\n"
         "  --keys N,...   keys in the table (1k,10k,100k,1M,4M)\n"
         "  --repeat N     repetitions, of which the median is taken (15)\n"
         "  --quick        small: 1k keys, 3 repetitions\n"
         "  --json FILE    the figures, for programs\n"
         "  --help\n"
         "\n"
         "tables:");
    for (unsigned i = 0; i < CONTENDER_COUNT; i++)
        printf("  %-14s %s\n", contenders[i]->name, contenders[i]->what);
    puts(
        "\n"
        "Timed: bursts of 64 keys (a client's address and port, a listener, a channel; rte_hash\n"
        "has them in 16 bytes with IPv4, in 32 with IPv6), each led to its entry, a cache line\n"
        "elsewhere, which is fetched and read: there the relay's table compares the key. hit:\n"
        "entries drawn over the whole table, any as likely as any other; miss: keys that are not\n"
        "in it. Tables stand in transparent huge pages, take turns, and have had other keys right\n"
        "before each sample. Every table has a place for certain for each of its keys: rte_hash\n"
        "is at most 80 % full.\n"
        "B/key: the table and the keys, wherever they stand, without the rest of the entries.");
    exit(EXIT_SUCCESS);
}

static void set_quick(void *argument)
{
    struct options *options = argument;
    options->keys = (struct option_list){{1000}, 1};
    options->repeat = 3;
}

#define AT(member) offsetof(struct options, member)

static void options_read(int argc, char **argv, struct options *ret_options)
{
    static const struct option_row rows[] = {
        {"keys", OPTION_NUMBERS, AT(keys), .min = 1, .max = KEYS_MAX},
        {"repeat", OPTION_NUMBER, AT(repeat), .min = 1, .max = REPETITIONS_MAX},
        {"quick", OPTION_ACTION, .act = set_quick},
        {"json", OPTION_TEXT, .at = AT(json)},
        {"help", OPTION_ACTION, .act = help},
    };
    *ret_options =
        (struct options){.keys = {{1000, 10000, 100000, 1000000, 4000000}, 5}, .repeat = 15};
    option_table_read(rows, sizeof(rows) / sizeof(rows[0]), argc, argv, ret_options);
}

// Measuring.

static void find_all(const struct course *course, const struct contest *contest, uint32_t *numbers,
                     struct slices *slices)
{
    for (unsigned i = 0; i < CONTEST_KEYS; i += SLICE_KEYS) {
        slice_begin(slices);
        for (unsigned key = i; key < i + SLICE_KEYS; key += CONTEST_BURST)
            course->contender->find(course->table, contest->keys + key, CONTEST_BURST,
                                    numbers + key);
        slice_end(slices, SLICE_KEYS);
    }
}

static void check(const struct course *course, const struct contest *contest,
                  const uint32_t *numbers)
{
    for (unsigned i = 0; i < CONTEST_KEYS; i++) {
        if (numbers[i] != contest->numbers[i])
            fail("%s: key %u led to entry %u", course->contender->name, contest->numbers[i],
                 numbers[i]);
    }
}

// Cycles a key, of keys drawn anew. Clears *rested when the machine was slow meanwhile.
static double time_one(const struct course *course, struct contest *contest, struct rest *rest,
                       bool *rested)
{
    static uint32_t numbers[CONTEST_KEYS];
    struct slices slices;
    contest_draw(contest, course->are_there);
    slices_begin(&slices, rest);
    find_all(course, contest, numbers, &slices);
    check(course, contest, numbers);
    return slices_end(&slices, rested);
}

// Whether there are more to take.
static bool take_sample(struct bench *bench, struct course *course, struct contest *contest)
{
    if (course->patience.kept == course->patience.wanted)
        return false;
    bool rested = true;
    (void)time_one(course, contest, &bench->rest, &rested); // others have had the caches
    rested = true;
    course->samples[course->patience.kept] = time_one(course, contest, &bench->rest, &rested);
    patience_keep(&course->patience, rested);
    return true;
}

static void run_courses(struct bench *bench, struct contest *contest)
{
    for (bool has_more = true; has_more;) {
        has_more = false;
        for (unsigned i = 0; i < 2 * CONTENDER_COUNT; i++)
            has_more |= take_sample(bench, &bench->courses[i], contest);
    }
}

// Reporting.

static void report_head(const struct bench *bench)
{
    printf("TSC %.2f GHz; cycles a key: median (least-most) of %u\n",
           (double)rte_get_tsc_hz() / 1e9, bench->options.repeat);
    printf("%-14s %6s %8s  %-19s %-19s %6s\n", "table", "family", "keys", "hit", "miss", "B/key");
    fflush(stdout);
}

static void report_json(struct bench *bench, const struct contest *contest,
                        const struct course *courses, const struct figure *hit,
                        const struct figure *miss, double bytes)
{
    FILE *file = results_next(&bench->results);
    if (file == NULL)
        return;
    fprintf(file, "{\"table\": \"%s\", \"family\": %u, \"keys\": %u, ", courses->contender->name,
            contest->family == IP_FAMILY_V4 ? 4 : 6, contest->entry_count);
    figure_json(file, "hit_cycles", hit);
    figure_json(file, "miss_cycles", miss);
    fprintf(file, "\"bytes_per_key\": %.1f, \"samples_discarded\": %u, \"slow_samples\": %u}",
            bytes, courses[0].patience.discarded + courses[1].patience.discarded,
            courses[0].patience.slow + courses[1].patience.slow);
}

// courses: of hits and of misses.
static void report(struct bench *bench, const struct contest *contest, const struct course *courses)
{
    char hit_text[64], miss_text[64];
    uint32_t count = bench->options.repeat;
    struct figure hit = figure_of(courses[0].samples, sizeof(double), count, 0);
    struct figure miss = figure_of(courses[1].samples, sizeof(double), count, 0);
    double bytes = (double)courses->contender->len(courses->table) / contest->entry_count;
    printf("%-14s %6u %8u  %-19s %-19s %6.1f%s\n", courses->contender->name,
           contest->family == IP_FAMILY_V4 ? 4 : 6, contest->entry_count,
           figure_text(&hit, 1, hit_text), figure_text(&miss, 1, miss_text), bytes,
           courses[0].patience.slow + courses[1].patience.slow > 0 ? "  slow machine" : "");
    fflush(stdout);
    report_json(bench, contest, courses, &hit, &miss, bytes);
}

static void run_contest(struct bench *bench, uint8_t family, uint32_t key_count)
{
    struct contest contest;
    contest_init(&contest, family, key_count);
    for (unsigned i = 0; i < CONTENDER_COUNT; i++) {
        void *table = contenders[i]->create(&contest);
        for (unsigned miss = 0; miss < 2; miss++) {
            struct course *course = &bench->courses[2 * i + miss];
            course->contender = contenders[i];
            course->table = table;
            course->are_there = miss == 0;
            patience_init(&course->patience, bench->options.repeat, TRIES_A_SAMPLE);
        }
    }
    run_courses(bench, &contest);
    for (unsigned i = 0; i < CONTENDER_COUNT; i++) {
        report(bench, &contest, &bench->courses[2 * i]);
        contenders[i]->destroy(bench->courses[2 * i].table);
    }
    contest_done(&contest);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    options_read(argc, argv, &bench.options);
    eal_begin(false);
    rest_init(&bench.rest);
    results_open(&bench.results, bench.options.json, (double)rte_get_tsc_hz());
    results_member(&bench.results, "repeat", "%u", bench.options.repeat);
    results_member(&bench.results, "burst", "%u", CONTEST_BURST);
    results_list(&bench.results, "results");
    report_head(&bench);
    for (unsigned i = 0; i < bench.options.keys.count; i++) {
        run_contest(&bench, IP_FAMILY_V4, bench.options.keys.values[i]);
        run_contest(&bench, IP_FAMILY_V6, bench.options.keys.values[i]);
    }
    results_close(&bench.results);
    return rte_eal_cleanup() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
