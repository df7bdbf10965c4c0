// SPDX-License-Identifier: BSD-3-Clause
// What each option is called, and what it may be.
#include "options.h"

#include "../option_list.h"
#include "stamp.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS_MAX 16384
#define SECONDS_MAX 3600
#define WINDOW_MAX  (16u << 20)
#define CPUS_MAX    4095

static const char *const help =
    "usage: streams --relay ADDRESS:PORT --peer ADDRESS --user NAME:PASSWORD [OPTION...]\n"
    "       streams --openssl [OPTION...]\n"
    "\n"
    "TURN clients over TCP, TLS or DTLS, each with an allocation and a channel, and the peer that "
    "they all have.\n"
    "\n"
    "  --relay ADDRESS:PORT   of the relay, for the transport\n"
    "  --transport WHICH      tcp, tls or dtls (tcp)\n"
    "  --only-tls-1.2         offer no TLS 1.3\n"
    "  --peer ADDRESS         of this host, for the peer's socket\n"
    "  --user NAME:PASSWORD   long-term credentials\n"
    "  --clients N            connections at once (64)\n"
    "  --payload BYTES        of each packet (1200)\n"
    "  --direction WHICH      to-peer, to-client or both (both)\n"
    "  --duration SECONDS     that are counted (2)\n"
    "  --warm-up SECONDS      that are not, before (0.3)\n"
    "  --window BYTES         of payload on their way, a client and direction, at most (65536)\n"
    "  --connections          no media: connects, shakes hands, asks for a Binding, and begins "
    "anew\n"
    "  --hold                 no media: says when all clients are there, waits for a line of its "
    "input, and has each of\n"
    "                         them ask for a Binding\n"
    "  --openssl              no relay: what OpenSSL does alone: handshakes of a server, records "
    "of 1204 bytes\n"
    "  --relay-cpu N          to say how busy it was\n"
    "  --quiet                no line each second\n"
    "  --json FILE            the figures\n"
    "  --help\n"
    "\n"
    "The exit status is 3 when something came out wrong.\n";

static double read_seconds(const char *text)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end != '\0' || !(seconds >= 0) || seconds > SECONDS_MAX)
        option_refuse("'%s' is no number of seconds up to %d", text, SECONDS_MAX);
    return seconds;
}

static enum transport read_transport(const char *text)
{
    static const char *const names[] = {
        [TRANSPORT_TCP] = "tcp", [TRANSPORT_TLS] = "tls", [TRANSPORT_DTLS] = "dtls"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(text, names[i]) == 0)
            return (enum transport)i;
    option_refuse("'%s' is none of tcp, tls and dtls", text);
}

static void read_direction(const char *text, struct options *options)
{
    bool is_both = strcmp(text, "both") == 0;

    options->to_peer = is_both || strcmp(text, "to-peer") == 0;
    options->to_client = is_both || strcmp(text, "to-client") == 0;
    if (!options->to_peer && !options->to_client)
        option_refuse("'%s' is none of to-peer, to-client and both", text);
}

static const struct option long_options[] = {
    {"relay", required_argument, NULL, 'r'},
    {"transport", required_argument, NULL, 't'},
    {"only-tls-1.2", no_argument, NULL, '2'},
    {"peer", required_argument, NULL, 'p'},
    {"user", required_argument, NULL, 'u'},
    {"clients", required_argument, NULL, 'c'},
    {"payload", required_argument, NULL, 'b'},
    {"direction", required_argument, NULL, 'd'},
    {"duration", required_argument, NULL, 's'},
    {"warm-up", required_argument, NULL, 'w'},
    {"window", required_argument, NULL, 'W'},
    {"connections", no_argument, NULL, 'C'},
    {"hold", no_argument, NULL, 'H'},
    {"openssl", no_argument, NULL, 'O'},
    {"relay-cpu", required_argument, NULL, 'R'},
    {"quiet", no_argument, NULL, 'q'},
    {"json", required_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {},
};

static void read_option(int name, const char *value, struct options *options)
{
    switch (name) {
    case 'r':
        options->has_relay = transport_address_parse(value, &options->relay) == 0;
        break;
    case 't':
        options->transport = read_transport(value);
        break;
    case '2':
        options->only_tls12 = true;
        break;
    case 'p':
        if (ip_address_parse(value, &options->peer) < 0)
            option_refuse("'%s' is no address", value);
        break;
    case 'u':
        if (sscanf(value, "%128[^:]:%128[^\n]", options->user, options->password) != 2)
            option_refuse("'%s' is no NAME:PASSWORD", value);
        break;
    case 'c':
        options->clients = option_number(value, 1, CLIENTS_MAX);
        break;
    case 'b':
        options->payload_len = option_number(value, STAMP_LEN, STAMP_PAYLOAD_MAX);
        break;
    case 'd':
        read_direction(value, options);
        break;
    case 's':
        options->duration_s = read_seconds(value);
        break;
    case 'w':
        options->warm_up_s = read_seconds(value);
        break;
    case 'W':
        options->window_bytes = option_number(value, 1, WINDOW_MAX);
        break;
    case 'C':
        options->counts_connections = true;
        break;
    case 'H':
        options->holds_clients = true;
        break;
    case 'O':
        options->only_openssl = true;
        break;
    case 'R':
        options->relay_cpu = (int)option_number(value, 0, CPUS_MAX);
        break;
    case 'q':
        options->is_quiet = true;
        break;
    case 'j':
        options->json = value;
        break;
    case 'h':
        fputs(help, stdout);
        exit(EXIT_SUCCESS);
    default:
        exit(2);
    }
}

void options_read(int argc, char **argv, struct options *ret_options)
{
    struct options options = {.clients = 64,
                              .payload_len = 1200,
                              .to_peer = true,
                              .to_client = true,
                              .duration_s = 2,
                              .warm_up_s = 0.3,
                              .window_bytes = 65536,
                              .relay_cpu = -1};
    int name;

    while ((name = getopt_long(argc, argv, "h", long_options, NULL)) != -1)
        read_option(name, optarg, &options);
    if (optind < argc)
        option_refuse("'%s' is no option", argv[optind]);
    if (!options.only_openssl && !options.has_relay)
        option_refuse("--relay ADDRESS:PORT is missing");
    if (!options.only_openssl && !options.counts_connections &&
        (options.peer.family == IP_FAMILY_NONE || options.user[0] == '\0'))
        option_refuse("--peer and --user are missing");
    *ret_options = options;
}
