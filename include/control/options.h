// SPDX-License-Identifier: BSD-3-Clause
// The command line.
#pragma once

#include <stdbool.h>
#include <stdio.h>

#define OPTIONS_DEFAULT_PATH TURNPIKE_SYSCONFDIR "/turnpike.conf"

struct options {
    const char *config_path;
    bool check_config;
    bool stats;
};

enum options_verdict {
    OPTIONS_RUN,
    OPTIONS_DONE,  // --help or --version: was printed to output
    OPTIONS_WRONG, // was said on errors
};

enum options_verdict options_parse(int argc, char **argv, FILE *output, FILE *errors,
                                   struct options *ret_options);
