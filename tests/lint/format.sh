#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Code, as against the headers with their wider comments, is as clang-format leaves it.
set -euo pipefail
cd "$1"
command -v clang-format >/dev/null || exit 77 # skipped, as meson counts
git ls-files -z 'src/*.c' 'tests/*.c' 'bench/*.c' | xargs -0 --no-run-if-empty clang-format --dry-run -Werror
