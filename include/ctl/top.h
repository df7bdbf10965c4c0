// SPDX-License-Identifier: BSD-3-Clause
// The live view: looks, draws, and takes keys until it is told to quit.
#pragma once

#include "ctl/command_line.h"

#include <stdio.h>

enum ctl_status top_run(const struct command_line *line, FILE *input, FILE *output, FILE *errors);
