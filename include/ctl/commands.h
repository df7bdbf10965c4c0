// SPDX-License-Identifier: BSD-3-Clause
// Every command but top: asks the relay, and prints what it says.
#pragma once

#include "ctl/command_line.h"

#include <stdio.h>

// input: where a question to the operator is answered. Problems are said on errors.
enum ctl_status commands_run(const struct command_line *line, FILE *input, FILE *output, FILE *errors);
