// SPDX-License-Identifier: BSD-3-Clause
// top's questions, one round after the other, over a connection that comes and goes with the relay. Nothing here
// waits.
#pragma once

#include "ctl/problem.h"
#include "ctl/top_sample.h"

#include <stdbool.h>
#include <stdint.h>

struct top_link;

// Connects for the first time; a relay that is not there then is an error, later it is waited for. The path stays the
// caller's.
enum ctl_status top_link_create(const char *socket, struct top_link **ret_link, struct problem *problem);
void top_link_destroy(struct top_link *link);

// To be polled for input; -1: there is no connection.
int top_link_descriptor(const struct top_link *link);

// Takes what is there, asks what is due, connects again when it is time. Between two rounds interval_ms. True: a
// round has ended, and its sample is in *sample.
bool top_link_advance(struct top_link *link, uint64_t now_ms, uint64_t interval_ms, struct top_sample *sample);

// When top_link_advance() has something to do even without input.
uint64_t top_link_next_ms(const struct top_link *link, uint64_t interval_ms);

// What is wrong; NULL: nothing.
const char *top_link_problem(const struct top_link *link);
