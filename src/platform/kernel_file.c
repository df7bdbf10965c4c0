// SPDX-License-Identifier: BSD-3-Clause
// See platform/kernel_file.h. What it is about may be gone at any time, between opening and reading
// too.
#include "platform/kernel_file.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int kernel_file_read(char *ret_line, size_t len, const char *format, ...)
{
    char path[PATH_MAX], line[1024];
    va_list arguments;
    int path_len, error = 0;
    FILE *file;

    va_start(arguments, format);
    path_len = vsnprintf(path, sizeof(path), format, arguments);
    va_end(arguments);
    if (path_len >= (int)sizeof(path))
        return -ENAMETOOLONG;
    file = fopen(path, "re");
    if (!file)
        return -errno;
    if (!fgets(line, sizeof(line), file))
        error = ferror(file) ? -errno : -ENODATA;
    fclose(file);
    if (!error)
        snprintf(ret_line, len, "%.*s", (int)strcspn(line, "\n"), line);
    return error;
}
