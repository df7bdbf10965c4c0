// SPDX-License-Identifier: BSD-3-Clause
// A load generator for TURN relays: plays all clients and all peers on one DPDK port.
#include "engine.h"
#include "options.h"
#include "report.h"

#include <errno.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXIT_USAGE = 2,
    EXIT_WRONG = 3,
};

static void stop(int signal_number)
{
    (void)signal_number;
    engine_stop++;
}

static void hold_signals(void)
{
    struct sigaction action = {.sa_handler = stop};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int verdict(const struct engine *engine)
{
    if (report_is_wrong(engine))
        return EXIT_WRONG;
    return report_has_failures(engine) ? EXIT_FAILURE : EXIT_SUCCESS;
}

// 0: nobody goes before anybody. DPDK's own threads stay as they are: they are waited for at both
// ends.
static int set_priority(uint32_t priority)
{
    const struct sched_param parameters = {.sched_priority = (int)priority};

    if (sched_setscheduler(0, priority > 0 ? SCHED_RR : SCHED_OTHER, &parameters) == 0)
        return 0;
    perror("load: --realtime");
    return -errno;
}

static int run_engine(struct engine *engine)
{
    uint32_t priority = engine->options->realtime;
    int error = priority > 0 ? set_priority(priority) : 0;

    if (!error)
        error = engine_run(engine);
    if (priority > 0)
        (void)set_priority(0);
    return error;
}

static int run(const struct options *options)
{
    static struct engine engine;
    int result, error = engine_open(&engine, options);

    if (error)
        return EXIT_FAILURE;
    error = run_engine(&engine);
    result = error ? EXIT_FAILURE : verdict(&engine);
    if (!error)
        report_print(&engine, stdout);
    if (!error && options->json) {
        error = report_write_json(&engine, options->json);
        if (error) {
            fprintf(stderr, "load: %s: %s\n", options->json, strerror(-error));
            result = EXIT_FAILURE;
        }
    }
    engine_close(&engine);
    return result;
}

// Where ours begin: at '--', or after all when there is none.
static int find_own_arguments(int argc, char **argv)
{
    int i = 1;

    while (i < argc && strcmp(argv[i], "--") != 0)
        i++;
    return i;
}

static bool asks_for_help(int argc, char **argv)
{
    return argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
}

int main(int argc, char **argv)
{
    bool only_help = asks_for_help(argc, argv);
    int eal_count = only_help ? 0 : find_own_arguments(argc, argv);
    static struct options options;
    int result;

    // Before the EAL touches anything.
    switch (options_parse(eal_count < argc ? argc - eal_count : 0, argv + eal_count, stdout, stderr,
                          &options)) {
    case OPTIONS_DONE:
        return EXIT_SUCCESS;
    case OPTIONS_WRONG:
        return EXIT_USAGE;
    case OPTIONS_RUN:
        break;
    }
    hold_signals();
    if (rte_eal_init(eal_count, argv) < 0) {
        fprintf(stderr, "load: DPDK does not start: %s\n", rte_strerror(rte_errno));
        return EXIT_FAILURE;
    }
    result = run(&options);
    rte_eal_cleanup();
    return result;
}
