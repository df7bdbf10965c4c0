#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# No script in Python uses a name that nobody has defined, nor defines one for nothing.
set -euo pipefail
cd "$1"
command -v pyflakes3 >/dev/null || exit 77 # skipped, as meson counts
git ls-files --cached --others --exclude-standard -z | while IFS= read -r -d '' name; do
    if [ -f "$name" ] && { [[ $name = *.py ]] || head -c 64 "$name" | grep -aqE '^#!.*python'; }; then
        printf '%s\0' "$name"
    fi
done | xargs -0 --no-run-if-empty pyflakes3
