// SPDX-License-Identifier: BSD-3-Clause
// The text of a configuration file, for what libconfig does not keep of it: of an integer it keeps
// 32 bits, or 64 where an L follows, and drops the others without a word.
#pragma once

#include <stdbool.h>

// The whole file, ended by a zero; give it back with source_free, which wipes it. 0; -EILSEQ: it
// has a zero byte; another -errno: it cannot be read.
int source_read(const char *path, char **ret_text);
void source_free(char *text);

// Whether text gives the setting called name, which libconfig has found in that line, an integer
// that libconfig does not keep whole. *ret_integer is how it is written, in a buffer of
// SOURCE_INTEGER_LEN bytes, cut off where that is longer.
#define SOURCE_INTEGER_LEN 32
bool source_has_cut_integer(const char *text, unsigned line, const char *name, char *ret_integer);
