// SPDX-License-Identifier: BSD-3-Clause
// What is in an answer: {"<command>": body}. Whoever answers is not trusted to answer well.
#pragma once

#include "ctl/problem.h"
#include "ctl/question.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

// The body, a new reference, with what its texts have as %XX put back. CTL_REFUSED with the relay's own words when it
// is an error; CTL_GARBLED when it is no answer to this question.
enum ctl_status answer_read(const char *text, size_t len, const struct question *question, json_t **ret_body,
                            struct problem *problem);

// A member that is a number, of at least 0; false when there is none of that name.
bool answer_number(const json_t *body, const char *name, uint64_t *ret_number);

// A member that is text, or otherwise.
const char *answer_text(const json_t *body, const char *name, const char *otherwise);

// The objects of the member of that name as an array (a new reference): DPDK can nest no array in an object, so there
// a list is an object of objects, whose names become the members key of those that have none. NULL when there is no
// list.
json_t *answer_rows(const json_t *body, const char *name, const char *key);
