// SPDX-License-Identifier: BSD-3-Clause
// The file that --json names: an object of what was asked, and of lists of what came out.
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct results_file {
    const char *path; // NULL: nobody wants one, and nothing below does anything
    FILE *stream;
    bool has_list;
    bool has_results; // in the list
};

// What cannot be written ends the process. path is kept.
void results_open(struct results_file *file, const char *path, double tsc_hz);
// Ends the process, too, unless all of it is written.
void results_close(struct results_file *file);

// A member before the first list; its value as JSON.
void results_member(struct results_file *file, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Another list of results begins; the one before has ended.
void results_list(struct results_file *file, const char *name);
// Where the list's next result goes, an object with its braces; NULL: nowhere.
FILE *results_next(struct results_file *file);
