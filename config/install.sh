#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# meson install: the reference configuration, for the administrator alone; one that is there already stays as it is.
set -eu

directory=${DESTDIR:-}$1
mkdir -p "$directory"
[ -e "$directory/turnpike.conf" ] || install -m 600 "$(dirname "$0")/turnpike.conf" "$directory/turnpike.conf"
