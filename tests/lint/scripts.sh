#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Every shell script of the tree is as shellcheck wants it.
set -euo pipefail
cd "$1"
command -v shellcheck >/dev/null || exit 77 # skipped, as meson counts
git ls-files --cached --others --exclude-standard -z | while IFS= read -r -d '' name; do
    if [ -f "$name" ] && head -c 64 "$name" | grep -aqE '^#!.*\b(ba)?sh\b'; then
        printf '%s\0' "$name"
    fi
done | xargs -0 --no-run-if-empty shellcheck --external-sources
