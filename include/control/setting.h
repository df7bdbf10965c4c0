// SPDX-License-Identifier: BSD-3-Clause
// One configuration setting as a row of a table: what it may be, and where it is stored. Reading,
// checking and documenting go by the table.
#pragma once

#include "base/port_slice.h"

#include <libconfig.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum setting_type {
    SETTING_NUMBER,   // uint32_t, min..max
    SETTING_LARGE_NUMBER, // uint64_t, min..max
    SETTING_BOOLEAN,  // bool
    SETTING_CHOICE,   // uint32_t, index into choices
    SETTING_TEXT,     // char *, of min..max bytes
    SETTING_ADDRESS,  // struct ip_address; empty text: family NONE
    SETTING_HEX,      // struct setting_bytes, of max bytes; empty text: none
    SETTING_CPUS,     // struct setting_cpus
    SETTING_TEXTS,    // struct setting_list of char *
    SETTING_ADDRESSES, // struct setting_list of struct ip_address; at most max
    SETTING_PREFIXES, // struct setting_list of struct ip_prefix
    SETTING_GROUP,    // a struct, described by fields
    SETTING_GROUPS,   // struct setting_list of structs, described by fields; at most max
};

#define SETTING_BYTES_MAX 32

struct setting_bytes {
    uint8_t bytes[SETTING_BYTES_MAX];
    uint8_t len;
};

struct setting_cpus {
    uint16_t count;
    uint16_t cpus[PORT_SLICE_COUNT];
};

struct setting_list {
    void *items;
    uint32_t count;
};

struct setting {
    const char *name; // NULL ends a table
    enum setting_type type;
    size_t offset;             // in its struct
    const char *default_value; // as a configuration file says it; "": none; NULL: it must be given
    uint64_t min, max;
    const char *unit;           // NULL: none
    const char *const *choices; // ended by NULL
    const struct setting *fields;
    size_t item_len; // SETTING_GROUPS
    bool secret;     // its value is never printed
    const char *help;
};

// Where errors go, as "file:line: setting: what is wrong; what is allowed".
struct setting_report {
    FILE *stream;
    const char *path;      // of the configuration file
    const char *text;      // of that file, borrowed; NULL: not known
    const char *directory; // that included files are named from; NULL: there are none
    unsigned error_count;
    char *names; // of the settings at fault, a line break before each
};

void setting_report_done(struct setting_report *report);
// Whether an error was reported of a setting whose name starts so.
bool setting_report_has(const struct setting_report *report, const char *prefix);

// where: the setting at fault, or the group that lacks it; NULL: the file as a whole.
void setting_error(struct setting_report *report, const config_setting_t *where, const char *name,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

// Read a group into base, which is all zeros: defaults first, then what the group has. Every error
// is reported. prefix: the name of the group and a dot, or "".
void setting_read_group(const struct setting *fields, const config_setting_t *group,
                        const char *prefix, void *base, struct setting_report *report);

// Free what was read into base; secrets are overwritten first.
void setting_done_group(const struct setting *fields, void *base);

// What a setting is and may be, for people: "integer", "1..64". A buffer of SETTING_TEXT_LEN bytes;
// return text.
#define SETTING_TEXT_LEN 256
const char *setting_format_type(const struct setting *setting, char *text);
const char *setting_format_range(const struct setting *setting, char *text);

// Call visit for every row, those of groups after their group, with the full name: "listen.port".
void setting_walk(const struct setting *fields,
                  void (*visit)(const struct setting *setting, const char *name, void *context),
                  void *context);
