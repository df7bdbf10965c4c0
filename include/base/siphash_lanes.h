// SPDX-License-Identifier: BSD-3-Clause
// SipHash-2-4 of many short inputs side by side, in the lanes of vectors where the CPU has long ones: one alone is a
// chain of steps that wait for each other.
#pragma once

#include "base/siphash.h"

#include <stddef.h>
#include <stdint.h>

// Of count inputs of 8 + 7 bytes that begin alike: what siphash_end() returns for state, no words and each of lasts.
void siphash_end_all(const struct siphash_state *state, const uint64_t *lasts, size_t count, uint64_t *ret_hashes);
