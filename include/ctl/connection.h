// SPDX-License-Identifier: BSD-3-Clause
// A connection to DPDK's telemetry socket: SOCK_SEQPACKET, a greeting, then one answer a question. Nothing here waits
// but what is given a time to wait.
#pragma once

#include "ctl/problem.h"
#include "ctl/question.h"

#include <stdbool.h>
#include <stddef.h>

struct connection;

// Connects, for which a relay that many ask may take some time, 0: it may not. The greeting comes later, and is taken
// by connection_receive().
enum ctl_status connection_open(const char *path, int timeout_ms, struct connection **ret_connection,
                                struct problem *problem);

// NULL is none.
void connection_close(struct connection *connection);

// To be polled for input.
int connection_descriptor(const struct connection *connection);

// Whether it was greeted: only then may a question be sent.
bool connection_is_greeted(const struct connection *connection);

// Sends one question; its answer has to be taken before the next.
enum ctl_status connection_send(struct connection *connection, const struct question *question,
                                struct problem *problem);

// Takes what is there. *ret_text is NULL when it was the greeting, or when there was nothing; else the answer, which
// ends with a NUL behind its len bytes and stays until the next call.
enum ctl_status connection_receive(struct connection *connection, const char **ret_text, size_t *ret_len,
                                   struct problem *problem);

// Sends a question and waits for its answer, and for the greeting before it.
enum ctl_status connection_ask(struct connection *connection, const struct question *question, int timeout_ms,
                               const char **ret_text, size_t *ret_len, struct problem *problem);
