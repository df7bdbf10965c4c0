// SPDX-License-Identifier: BSD-3-Clause
// The command line, by getopt_long.
#include "control/options.h"

#include <getopt.h>

#define USAGE                                                                                      \
    "usage: turnpike [-c FILE] [--check-config] [--stats]\n"                                       \
    "\n"                                                                                           \
    "A TURN and STUN relay.\n"                                                                     \
    "\n"                                                                                           \
    "  -c, --config FILE   configuration, " OPTIONS_DEFAULT_PATH " unless said\n"                  \
    "      --check-config  check the configuration and exit: 0 when it is good, 1 when not\n"      \
    "      --stats         print live figures every second\n"                                      \
    "  -h, --help          print this and exit\n"                                                  \
    "  -V, --version       print the version and exit\n"                                           \
    "\n"                                                                                           \
    "SIGINT and SIGTERM stop it in order; SIGHUP has it reload its configuration.\n"               \
    "More: turnpike(8), turnpike.conf(5)\n"

enum { OPTION_CHECK_CONFIG = 256, OPTION_STATS };

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"check-config", no_argument, NULL, OPTION_CHECK_CONFIG},
    {"stats", no_argument, NULL, OPTION_STATS},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {},
};

static enum options_verdict refuse(FILE *errors, const char *problem, const char *what)
{
    fprintf(errors, "turnpike: %s%s; 'turnpike --help' says what there is\n", problem, what);
    return OPTIONS_WRONG;
}

static bool is_known(int option)
{
    for (const struct option *known = long_options; known->name; known++) {
        if (known->val == option)
            return true;
    }
    return false;
}

// getopt leaves the letter of an unknown short option, nothing of an unknown long one, and the
// value of a known one that was given an argument. A short one may be in the middle of a word.
static enum options_verdict refuse_option(FILE *errors, const char *word)
{
    const char letter[] = {'-', (char)optopt, '\0'};

    if (optopt == 0)
        return refuse(errors, "unknown option ", word);
    if (is_known(optopt))
        return refuse(errors, "an option without a value was given one: ", word);
    return refuse(errors, "unknown option ", letter);
}

enum options_verdict options_parse(int argc, char **argv, FILE *output, FILE *errors,
                                   struct options *ret_options)
{
    struct options options = {.config_path = OPTIONS_DEFAULT_PATH};
    int option;

    optind = 0; // start anew, whoever called it before
    while ((option = getopt_long(argc, argv, ":c:hV", long_options, NULL)) != -1) {
        switch (option) {
        case 'c':
            options.config_path = optarg;
            break;
        case OPTION_CHECK_CONFIG:
            options.check_config = true;
            break;
        case OPTION_STATS:
            options.stats = true;
            break;
        case 'h':
            fputs(USAGE, output);
            return OPTIONS_DONE;
        case 'V':
            fputs("turnpike " TURNPIKE_VERSION "\n", output);
            return OPTIONS_DONE;
        case ':':
            return refuse(errors, "a value is missing for ", argv[optind - 1]);
        default:
            return refuse_option(errors, argv[optind - 1]);
        }
    }
    if (optind < argc)
        return refuse(errors, "unexpected argument ", argv[optind]);
    *ret_options = options;
    return OPTIONS_RUN;
}
