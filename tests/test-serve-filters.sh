#!/bin/bash -
# Filters that should make no difference make none: random requests over two
# connections through each, and the image is sound and right afterwards.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python

cd "$tmp"
base_image base.vhd 9M
sha256sum <base.vhd >base.sum

# through FILTER... [-- PARAMETER...]
through ()
{
    local filters=() params=()
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        filters+=("--filter=$1")
        shift
    done
    [ $# -eq 0 ] || params=("${@:2}")
    nbdkit --dump-plugin "${filters[@]}" null >/dev/null 2>&1 ||
        { echo "no such filter: ${filters[*]}"; return; }
    rm -f child.vhd
    child_image child.vhd base.vhd
    start_nbdkit server "${filters[@]}" vhd file=child.vhd "${params[@]}"
    load "$(uri server)" $trim --connections 2 --ops 150 --save model ||
        fail "through ${filters[*]} ${params[*]}"
    stop_nbdkit server
    serve -r vhd child.vhd --run 'nbdcopy "$uri" out.raw'
    cmp model out.raw ||
        fail "other data after ${filters[*]} ${params[*]}"
    check_clean child.vhd
}

# What trim leaves differs between filters; but under the cache filter it
# leaves what the cache holds, until that is forgotten.
trim=--any-trim
through blocksize -- minblock=4096 maxdata=8192
through cacheextents
through fua -- fuamode=force
through fua -- fuamode=emulate
through log -- logfile=log
through multi-conn -- multi-conn-mode=auto
through noextents
through noparallel
through nozero
through rate -- rate=1G
through readahead
through retry
through stats -- statsfile=stats
through stats readahead log -- statsfile=stats logfile=log
trim=--no-trim
through cache
through cache -- cache=writethrough
[ -s stats ] && [ -s log ] || fail 'the stats or log filter saw nothing'
sha256sum <base.vhd | cmp - base.sum || fail 'the parent was changed'
