// SPDX-License-Identifier: BSD-3-Clause
// What relaying a packet costs a worker: every case at every table size, payload and burst that was
// asked for. See --help.
#include "dataplane/worker_state.h"
#include "eal.h"
#include "fail.h"
#include "l3fwd.h"
#include "measure.h"
#include "options.h"
#include "port.h"
#include "report.h"
#include "rest.h"
#include "subject.h"
#include "traffic.h"

#include <rte_eal.h>
#include <stdlib.h>

struct bench {
    struct bench_options options;
    struct traffic traffic;
    struct port port;
    struct rest rest;
    struct result *results;
    unsigned result_count;
};

static unsigned payload_choices(const struct bench_options *options,
                                const struct scenario *scenario)
{
    return scenario->has_payload ? options->payloads.count : 1;
}

static unsigned count_results(const struct bench_options *options)
{
    unsigned count = 0;
    for (unsigned i = 0; i < options->cases.count; i++)
        count += payload_choices(options, &scenarios[options->cases.values[i]]);
    return count * options->allocations.count * options->draws.count * options->bursts.count;
}

static void run(struct bench *bench, const struct stand *stand, const struct result *question)
{
    struct result *result = &bench->results[bench->result_count++];
    struct repetitions repetitions = {bench->options.repeat, question->burst, progress_tick};
    *result = *question;
    result->table_len = stand->subject->table_len;
    result->has_l3fwd = stand->l3fwd != NULL;
    progress_next();
    traffic_begin(stand->traffic, result->scenario, result->allocations, result->payload_len,
                  result->draw);
    uint64_t warm = measure_warm_up(stand, &repetitions);
    measure(stand, &repetitions, &result->measurement);
    result->measurement.checked += warm;
    report_result(result);
}

static void run_stand(struct bench *bench, const struct stand *stand)
{
    const struct bench_options *options = &bench->options;
    const struct scenario *scenario = stand->subject->scenario;
    struct result result = {.scenario = scenario, .allocations = stand->subject->flow_count};
    for (unsigned draw = 0; draw < options->draws.count; draw++) {
        for (unsigned payload = 0; payload < payload_choices(options, scenario); payload++) {
            for (unsigned burst = 0; burst < options->bursts.count; burst++) {
                result.draw = (enum traffic_draw)options->draws.values[draw];
                result.payload_len = scenario->has_payload ? options->payloads.values[payload] : 0;
                result.burst = options->bursts.values[burst];
                run(bench, stand, &result);
            }
        }
    }
}

// All that is to be known of one table.
static void run_table(struct bench *bench, const struct scenario *scenario, uint32_t allocations)
{
    struct subject subject;
    struct l3fwd l3fwd;
    struct stand stand = {&subject, NULL, &bench->traffic, &bench->port, &bench->rest};
    progress_table(scenario, allocations);
    struct subject_config config = {
        .scenario = scenario,
        .flow_count = allocations,
        .worker_count = 1,
        .pool = bench->traffic.pool,
        .progress = progress_tick,
    };
    subject_create(&config, &subject);
    if (l3fwd_can(scenario)) {
        l3fwd_create(&l3fwd, scenario, allocations, progress_tick);
        stand.l3fwd = &l3fwd;
    }
    run_stand(bench, &stand);
    if (stand.l3fwd != NULL)
        l3fwd_destroy(&l3fwd);
    subject_destroy(&subject);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    options_parse(argc, argv, &bench.options);
    eal_begin(bench.options.hugepages);
    traffic_create(&bench.traffic, bench.options.buffers);
    port_open(&bench.port, PORT_ID, bench.options.buffers);
    rest_init(&bench.rest);
    unsigned total = count_results(&bench.options);
    bench.results = calloc(total, sizeof(*bench.results));
    if (bench.results == NULL)
        fail("out of memory");
    progress_begin(total);
    report_begin(&bench.options);
    for (unsigned i = 0; i < bench.options.cases.count; i++) {
        for (unsigned size = 0; size < bench.options.allocations.count; size++)
            run_table(&bench, &scenarios[bench.options.cases.values[i]],
                      bench.options.allocations.values[size]);
    }
    report_json(&bench.options, bench.results, bench.result_count);
    port_close(&bench.port);
    traffic_destroy(&bench.traffic);
    free(bench.results);
    return rte_eal_cleanup() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
