// SPDX-License-Identifier: BSD-3-Clause
// The command line, by getopt_long: options may stand before and behind the command.
#include "ctl/command_line.h"

#include "ctl/quantity.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTION_SOCKET = 1 << 0,
    OPTION_JSON = 1 << 1,
    OPTION_ALL = 1 << 2,
    OPTION_YES = 1 << 3,
    OPTION_USER = 1 << 4,
    OPTION_CLIENT = 1 << 5,
    OPTION_PEER = 1 << 6,
    OPTION_RELAY = 1 << 7,
    OPTION_TO = 1 << 8,
    OPTION_LIMIT = 1 << 9,
    OPTION_DEADLINE = 1 << 10,
    OPTION_INTERVAL = 1 << 11,
    OPTION_HELP = 1 << 12,
    OPTION_VERSION = 1 << 13,
    FILTERS = OPTION_USER | OPTION_CLIENT | OPTION_PEER | OPTION_RELAY,
    PAGES = OPTION_LIMIT | OPTION_ALL,
    ALWAYS = OPTION_SOCKET | OPTION_JSON | OPTION_HELP | OPTION_VERSION,
};

enum {
    LIMIT_MAX = 1000000,
    INTERVAL_S_MAX = 60,
};

struct command {
    const char *name;
    const char *arguments; // as help has them; NULL: none
    const char *help;
    int options;
    uint8_t arguments_min, arguments_max;
};

static const struct command commands[] = {
    [VERB_STATUS] = {.name = "status", .help = "what runs, since when, and how much is in use"},
    [VERB_WORKERS] = {.name = "workers", .help = "each worker: packets, bytes, drops, how busy"},
    [VERB_PORTS] = {.name = "ports", .help = "network devices and their counters"},
    [VERB_DROPS] = {.name = "drops", .help = "packets dropped, by reason"},
    [VERB_ALLOCATIONS] = {.name = "allocations",
                          .help = "allocations, a page of them",
                          .options = FILTERS | PAGES},
    [VERB_SHOW] = {.name = "show",
                   .arguments = "ID",
                   .help = "one allocation, whole",
                   .arguments_min = 1,
                   .arguments_max = 1},
    [VERB_KILL] = {.name = "kill",
                   .arguments = "ID | --user NAME",
                   .help = "end an allocation, or all of a user",
                   .options = OPTION_USER | OPTION_YES,
                   .arguments_max = 1},
    [VERB_USERS] = {.name = "users", .help = "who has allocations", .options = PAGES},
    [VERB_QUOTAS] = {.name = "quotas", .help = "limits, and how much of them is in use"},
    [VERB_TALKERS] = {.name = "talkers",
                      .help = "allocations with the most traffic just now",
                      .options = OPTION_LIMIT},
    [VERB_LOG] = {.name = "log",
                  .arguments = "[SUBSYSTEM LEVEL]",
                  .help = "what is logged, or change it",
                  .arguments_max = 2},
    [VERB_DRAIN] = {.name = "drain",
                    .help = "take no new allocations, and end after the last",
                    .options = OPTION_DEADLINE | OPTION_TO},
    [VERB_UNDRAIN] = {.name = "undrain", .help = "take new allocations again"},
    [VERB_RELOAD] = {.name = "reload", .help = "read the configuration anew"},
    [VERB_TOP] = {.name = "top", .help = "a live view of all this", .options = OPTION_INTERVAL},
};

static const struct option long_options[] = {
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"json", no_argument, NULL, OPTION_JSON},
    {"all", no_argument, NULL, OPTION_ALL},
    {"yes", no_argument, NULL, OPTION_YES},
    {"user", required_argument, NULL, OPTION_USER},
    {"client", required_argument, NULL, OPTION_CLIENT},
    {"peer", required_argument, NULL, OPTION_PEER},
    {"relay", required_argument, NULL, OPTION_RELAY},
    {"to", required_argument, NULL, OPTION_TO},
    {"limit", required_argument, NULL, OPTION_LIMIT},
    {"deadline", required_argument, NULL, OPTION_DEADLINE},
    {"interval", required_argument, NULL, OPTION_INTERVAL},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {},
};

#define OPTIONS_HELP                                                                               \
    "\n"                                                                                           \
    "  -s, --socket PATH         the relay's telemetry socket, unless said\n"                      \
    "                            " CTL_DEFAULT_SOCKET "\n"                                         \
    "  -j, --json                the relay's answer as JSON\n"                                     \
    "  -u, --user NAME           allocations: of this user; kill: all of this user\n"              \
    "      --client ADDRESS      allocations: of clients there\n"                                  \
    "      --peer ADDRESS        allocations: with a permission for this peer\n"                   \
    "      --relay ADDRESS       allocations: with this relayed address\n"                         \
    "  -n, --limit NUMBER        allocations, users, talkers: no more of them\n"                   \
    "  -a, --all                 allocations, users: all there are, page by page\n"                \
    "  -y, --yes                 kill: do not ask\n"                                               \
    "      --deadline TIME       drain: end by then at the latest: 90s, 10m, 1h30m;\n"             \
    "                            0: without one\n"                                                 \
    "      --to ADDRESS          drain: send new clients there\n"                                  \
    "  -i, --interval SECONDS    top: between two looks, 1 unless said\n"                          \
    "  -h, --help                print this and exit\n"                                            \
    "  -V, --version             print the version and exit\n"                                     \
    "\n"                                                                                           \
    "Ends with 0 when it was done, 1 when the relay refused, 2 when the command line\n"            \
    "is wrong, 3 when no relay answers, 4 when an answer makes no sense.\n"                        \
    "More: turnpike-ctl(8)\n"

static void print_help(FILE *output)
{
    fputs("usage: turnpike-ctl [OPTION...] COMMAND\n"
          "\n"
          "Sees what a running turnpike does, and has it do something else.\n"
          "\n",
          output);
    for (unsigned i = 0; i < VERB_COUNT; i++) {
        char synopsis[64];

        snprintf(synopsis, sizeof(synopsis), "%s %s", commands[i].name,
                 commands[i].arguments ? commands[i].arguments : "");
        fprintf(output, "  %-24s  %s\n", synopsis, commands[i].help);
    }
    fputs(OPTIONS_HELP, output);
}

static enum command_line_verdict refuse(FILE *errors, const char *problem, const char *what)
{
    fprintf(errors, "turnpike-ctl: %s%s; 'turnpike-ctl --help' says what there is\n", problem,
            what);
    return COMMAND_LINE_WRONG;
}

static enum command_line_verdict refuse_value(FILE *errors, const char *option, const char *value,
                                              const char *allowed)
{
    fprintf(errors, "turnpike-ctl: --%s: '%s' is not allowed; allowed: %s\n", option, value,
            allowed);
    return COMMAND_LINE_WRONG;
}

static bool parse_number(const char *text, uint32_t max, uint32_t *ret_number)
{
    char *end;
    unsigned long number;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    number = strtoul(text, &end, 10);
    if (errno || *end || number < 1 || number > max)
        return false;
    *ret_number = (uint32_t)number;
    return true;
}

static enum command_line_verdict take_value(int option, const char *value, FILE *errors,
                                            struct command_line *line)
{
    switch (option) {
    case OPTION_SOCKET:
        line->socket = value;
        break;
    case OPTION_USER:
        line->user = value;
        break;
    case OPTION_CLIENT:
        line->client = value;
        break;
    case OPTION_PEER:
        line->peer = value;
        break;
    case OPTION_RELAY:
        line->relay = value;
        break;
    case OPTION_TO:
        line->to = value;
        break;
    case OPTION_LIMIT:
        if (!parse_number(value, LIMIT_MAX, &line->limit))
            return refuse_value(errors, "limit", value, "1 to 1000000");
        break;
    case OPTION_INTERVAL:
        if (!parse_number(value, INTERVAL_S_MAX, &line->interval_s))
            return refuse_value(errors, "interval", value, "1 to 60 seconds");
        break;
    case OPTION_DEADLINE:
        if (quantity_parse_seconds(value, &line->deadline_s))
            return refuse_value(errors, "deadline", value,
                                "a time, as 90s, 10m, 1h30m or 2d; 0: without one");
        line->has_deadline = true;
        break;
    case OPTION_JSON:
        line->json = true;
        break;
    case OPTION_ALL:
        line->all = true;
        break;
    case OPTION_YES:
        line->yes = true;
        break;
    }
    return COMMAND_LINE_RUN;
}

// Of short options the long one that they stand for.
static int option_of_letter(int letter)
{
    static const struct {
        char letter;
        int option;
    } letters[] = {{'s', OPTION_SOCKET},   {'j', OPTION_JSON}, {'u', OPTION_USER},
                   {'n', OPTION_LIMIT},    {'a', OPTION_ALL},  {'y', OPTION_YES},
                   {'i', OPTION_INTERVAL}, {'h', OPTION_HELP}, {'V', OPTION_VERSION}};

    for (unsigned i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
        if (letter == letters[i].letter)
            return letters[i].option;
    }
    return letter;
}

static const char *option_name(int option)
{
    const struct option *known = long_options;

    while (known->val != option)
        known++;
    return known->name;
}

static enum command_line_verdict find_verb(const char *name, FILE *errors, enum verb *ret_verb)
{
    for (unsigned i = 0; i < VERB_COUNT; i++) {
        if (strcmp(name, commands[i].name) == 0) {
            *ret_verb = (enum verb)i;
            return COMMAND_LINE_RUN;
        }
    }
    return refuse(errors, "there is no command ", name);
}

static enum command_line_verdict check_options(const struct command *command, int given,
                                               FILE *errors)
{
    int wrong = given & ~(command->options | ALWAYS);

    if (wrong == 0)
        return COMMAND_LINE_RUN;
    fprintf(errors, "turnpike-ctl: %s takes no --%s; 'turnpike-ctl --help' says what there is\n",
            command->name, option_name(wrong & -wrong));
    return COMMAND_LINE_WRONG;
}

// What goes together, and what does not.
static enum command_line_verdict check_together(const struct command_line *line, int given,
                                                int argument_count, FILE *errors)
{
    if (line->verb == VERB_KILL && (argument_count > 0) == (line->user != NULL))
        return refuse(errors, "kill takes either an ID or --user NAME", "");
    if (line->verb == VERB_LOG && argument_count == 1)
        return refuse(errors, "a level is missing for ", line->arguments[0]);
    if (line->verb == VERB_TOP && line->json)
        return refuse(errors, "top is for people, and takes no --json", "");
    if ((given & PAGES) == PAGES)
        return refuse(errors, "--all and --limit do not go together", "");
    return COMMAND_LINE_RUN;
}

static enum command_line_verdict take_arguments(int argc, char **argv, int given, FILE *errors,
                                                struct command_line *line)
{
    enum command_line_verdict verdict;
    const struct command *command;
    int count = argc - optind - 1;

    if (count < 0)
        return refuse(errors, "a command is missing", "");
    verdict = find_verb(argv[optind], errors, &line->verb);
    if (verdict != COMMAND_LINE_RUN)
        return verdict;
    command = &commands[line->verb];
    if (count > command->arguments_max)
        return refuse(errors, "unexpected argument ", argv[optind + 1 + command->arguments_max]);
    if (count < command->arguments_min)
        return refuse(errors, "an ID is missing for ", command->name);
    for (int i = 0; i < count; i++)
        line->arguments[i] = argv[optind + 1 + i];
    verdict = check_options(command, given, errors);
    return verdict == COMMAND_LINE_RUN ? check_together(line, given, count, errors) : verdict;
}

enum command_line_verdict command_line_parse(int argc, char **argv, FILE *output, FILE *errors,
                                             struct command_line *ret_line)
{
    struct command_line line = {.socket = CTL_DEFAULT_SOCKET};
    enum command_line_verdict verdict = COMMAND_LINE_RUN;
    int given = 0, option;

    optind = 0; // start anew, whoever called it before
    while ((option = getopt_long(argc, argv, ":s:ju:n:ayi:hV", long_options, NULL)) != -1) {
        if (option == ':')
            return refuse(errors, "a value is missing for ", argv[optind - 1]);
        if (option == '?')
            return refuse(errors, "there is no such option: ", argv[optind - 1]);
        option = option_of_letter(option);
        given |= option;
        if (option == OPTION_HELP) {
            print_help(output);
            return COMMAND_LINE_DONE;
        }
        if (option == OPTION_VERSION) {
            fputs("turnpike-ctl " TURNPIKE_VERSION "\n", output);
            return COMMAND_LINE_DONE;
        }
        verdict = take_value(option, optarg, errors, &line);
        if (verdict != COMMAND_LINE_RUN)
            return verdict;
    }
    verdict = take_arguments(argc, argv, given, errors, &line);
    if (verdict == COMMAND_LINE_RUN)
        *ret_line = line;
    return verdict;
}
