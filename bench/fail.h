// SPDX-License-Identifier: BSD-3-Clause
// A benchmark whose figures are not to be trusted gives none.
#pragma once

// Say what is wrong and end the process with failure.
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
