// SPDX-License-Identifier: BSD-3-Clause
// One after the other; what is refused, or not answered any more, ends the process.
#include "held.h"

#include "../fail.h"
#include "client.h"
#include "clocks.h"

#include <stdio.h>
#include <stdlib.h>

#define PEER_PORT 9 // nobody is there

static void wait_for_line(void)
{
    int c;

    do
        c = getchar();
    while (c != '\n' && c != EOF);
}

double held_run(const struct options *options)
{
    struct client *clients = calloc(options->clients, sizeof(*clients));
    struct wires wires;
    struct client_config config = {.wires = &wires,
                                   .user = options->user,
                                   .password = options->password,
                                   .peer = {options->peer, PEER_PORT}};
    double began = clock_seconds(), seconds;

    if (!clients)
        fail("no memory");
    wires_init(&wires, options->transport, options->only_tls12, &options->relay);
    for (uint32_t i = 0; i < options->clients; i++)
        client_connect(&clients[i], i, &config);
    seconds = clock_seconds() - began;
    fprintf(stderr, "%u clients\n", options->clients);
    wait_for_line();
    for (uint32_t i = 0; i < options->clients; i++)
        client_ask_binding(&clients[i]);
    for (uint32_t i = 0; i < options->clients; i++)
        client_close(&clients[i]);
    wires_done(&wires);
    free(clients);
    return options->clients / seconds;
}
