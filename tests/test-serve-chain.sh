#!/bin/bash -
# A chain of 16 images of mixed kinds serves what the layers hold, and only the
# first file changes when it is written.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python

cd "$tmp"
vhdkit create --type fixed 0.vhd 9M
for i in {1..16}; do
    [ $i -ne 5 ] && size=() || size=(--block-size 512K)
    vhdkit create "${size[@]}" --parent $((i - 1)).vhd $i.vhd
    start_nbdkit server vhd file=$i.vhd
    [ $i -eq 1 ] || args=(--model model)
    load "$(uri server)" --ops 60 --seed $i "${args[@]}" --save new
    stop_nbdkit server
    mv new model
    [ $i -ne 15 ] || state_of {0..15}.vhd >before
done
state_of {0..15}.vhd | diff before - || fail 'a parent was changed'
check_clean {0..16}.vhd
