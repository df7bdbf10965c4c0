// SPDX-License-Identifier: BSD-3-Clause
// What operators call an allocation by, in logs and in questions: 64 bits, written as 16 hex digits. The upper half is
// a number that rises with each allocation of the process, the lower one the allocation's id, so that it is found in
// one step and never meant by mistake once its id has gone to another.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SESSION_ID_TEXT_LEN 17 // with the NUL

static inline uint64_t session_id_make(uint32_t sequence, uint32_t allocation)
{
    return (uint64_t)sequence << 32 | allocation;
}

static inline uint32_t session_id_allocation(uint64_t session_id)
{
    return (uint32_t)session_id;
}

// Returns text.
char *session_id_format(uint64_t session_id, char text[SESSION_ID_TEXT_LEN]);
// Exactly 16 hex digits, of either case.
bool session_id_parse(const char *text, uint64_t *ret_session_id);
