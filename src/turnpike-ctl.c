// SPDX-License-Identifier: BSD-3-Clause
// The operator's client: a command line in, a question to the relay, an answer out.
#include "ctl/command_line.h"
#include "ctl/commands.h"
#include "ctl/top.h"

#include <locale.h>

int main(int argc, char **argv)
{
    struct command_line line;

    setlocale(LC_CTYPE, "");
    switch (command_line_parse(argc, argv, stdout, stderr, &line)) {
    case COMMAND_LINE_DONE:
        return CTL_DONE;
    case COMMAND_LINE_WRONG:
        return CTL_USAGE;
    default:
        break;
    }
    if (line.verb == VERB_TOP)
        return (int)top_run(&line, stdin, stdout, stderr);
    return (int)commands_run(&line, stdin, stdout, stderr);
}
