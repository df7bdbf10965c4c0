#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Manual pages are clean mdoc.
# usage: manual.sh ROOT
set -eu

command -v mandoc >/dev/null || {
    echo "mandoc is not installed"
    exit 77
}
mandoc -T lint -W warning "$1"/docs/*.[58]
