#!/bin/bash -
# docs/windows-map.md says what the tests say, and its names and numbers are
# those of the library.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
requires python3 --version

python3 "$srcdir/behaviours" --check || fail "the page and the tests differ"
