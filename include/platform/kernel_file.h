// SPDX-License-Identifier: BSD-3-Clause
// A file of /proc or /sys that says what it has to say in its first line.
#pragma once

#include <stddef.h>

// Reads that line, without its newline; what does not fit into len bytes is left out. format: of
// the path. Any thread that may block. 0 or -errno; -ENODATA: there is no line.
int kernel_file_read(char *ret_line, size_t len, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
