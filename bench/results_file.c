// SPDX-License-Identifier: BSD-3-Clause
// A line for each result, so that people can read it as well.
#include "results_file.h"

#include "fail.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

void results_open(struct results_file *file, const char *path, double tsc_hz)
{
    *file = (struct results_file){.path = path};
    if (path == NULL)
        return;
    file->stream = fopen(path, "w");
    if (file->stream == NULL)
        fail("%s: %s", path, strerror(errno));
    fprintf(file->stream, "{\"tsc_hz\": %.0f", tsc_hz);
}

void results_member(struct results_file *file, const char *name, const char *format, ...)
{
    if (file->path == NULL)
        return;
    va_list arguments;
    va_start(arguments, format);
    fprintf(file->stream, ", \"%s\": ", name);
    vfprintf(file->stream, format, arguments);
    va_end(arguments);
}

static void end_list(struct results_file *file)
{
    if (file->has_list)
        fputs("\n]", file->stream);
    file->has_list = false;
}

void results_list(struct results_file *file, const char *name)
{
    if (file->path == NULL)
        return;
    end_list(file);
    results_member(file, name, "[");
    file->has_list = true;
    file->has_results = false;
}

FILE *results_next(struct results_file *file)
{
    if (file->path == NULL)
        return NULL;
    fputs(file->has_results ? ",\n" : "\n", file->stream);
    file->has_results = true;
    return file->stream;
}

void results_close(struct results_file *file)
{
    if (file->path == NULL)
        return;
    end_list(file);
    fputs("}\n", file->stream);
    bool is_written = !ferror(file->stream);
    if (fclose(file->stream) != 0 || !is_written)
        fail("%s: not all could be written", file->path);
}
