// SPDX-License-Identifier: BSD-3-Clause
// Text from elsewhere, made fit for a terminal: names are whatever clients call themselves, escape sequences
// included.
#pragma once

#include <stddef.h>

// As much of it as the locale can show; every other byte as \xNN. Cut off where the buffer of len bytes (at least 1)
// ends, between characters. Returns text.
const char *text_clean(const char *from, char *text, size_t len);

// Columns that clean text takes on a terminal.
unsigned text_width(const char *text);

// Bytes of clean text that fit into so many columns.
size_t text_fit(const char *text, unsigned columns);
