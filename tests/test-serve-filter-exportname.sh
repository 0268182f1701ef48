#!/bin/bash -
# The exportname filter gives images other names, and only those.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_openat2
requires jq --version

mkdir "$tmp/dir"
cd "$tmp/dir"
vhdkit create one.vhd 4M
vhdkit create two.vhd 8M
start_nbdkit server --filter=exportname vhd dir=. default-export=two.vhd \
    exportname=one.vhd exportname=two.vhd exportname-list=explicit
assert_equal "$(nbdinfo --size "$(uri server)")" 8388608
assert_equal "$(nbdinfo --size "$(uri server one.vhd)")" 4194304
nbdinfo --list --json "$(uri server)" | jq -r '.exports[]."export-name"' |
    sort >list
printf 'one.vhd\ntwo.vhd\n' | diff - list
stop_nbdkit server

start_nbdkit server --filter=exportname vhd dir=. exportname=one.vhd \
    exportname-strict=true
assert_equal "$(nbdinfo --size "$(uri server one.vhd)")" 4194304
assert_fails nbdinfo --size "$(uri server two.vhd)"
