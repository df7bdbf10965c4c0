// SPDX-License-Identifier: BSD-3-Clause
// Configurations written to a file and loaded.
#pragma once

#include "control/settings.h"

#define SETTINGS_GOOD                                                                              \
    "interface = \"eth0\";\nrealm = \"example.org\";\nusers = ({name = \"alice\"; password = "     \
    "\"secret\";});\n"
// The line after it.
#define SETTINGS_NEXT "4"

// As settings_load(). In the errors, which are to be freed, the path is "conf".
int settings_fixture_load(const char *text, char **ret_errors, struct settings *ret_settings);
// It has exactly these errors.
void settings_fixture_refuses(const char *text, const char *expected);
// It has none.
void settings_fixture_loads(const char *text, struct settings *ret_settings);
