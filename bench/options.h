// SPDX-License-Identifier: BSD-3-Clause
// The command line of bench/forward.
#pragma once

#include "option_list.h"
#include "scenario.h"
#include "traffic.h"

#include <stdbool.h>
#include <stdint.h>

struct bench_options {
    struct option_list cases; // indices of scenarios
    struct option_list allocations;
    struct option_list draws; // enum traffic_draw
    struct option_list payloads;
    struct option_list bursts;
    uint32_t repeat;
    uint32_t buffers;
    bool hugepages;
    const char *json; // NULL: none
};

const char *option_draw_name(enum traffic_draw draw);

// --help, and what is wrong, end the process.
void options_parse(int argc, char **argv, struct bench_options *ret_options);
