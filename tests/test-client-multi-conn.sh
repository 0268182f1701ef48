#!/bin/bash -
# Random requests over four connections that share one image: each reads what
# it wrote, all is there afterwards, and the parents are as they were.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python

cd "$tmp"
base_image base.vhd
child_image middle.vhd base.vhd
serve vhd middle.vhd --run 'nbdsh -u "$uri" -c "
for i in range(24):
    h.pwrite(bytes([i]) * 3000, (i << 20) + 12345)"'
child_image child.vhd middle.vhd
vhdkit create --type fixed fixed.vhd 9M
vhdkit create --block-size 512K dynamic.vhd 23M
state_of base.vhd middle.vhd >before

for image in child fixed dynamic; do
    start_nbdkit server vhd file=$image.vhd
    load "$(uri server)" --connections 4 --ops 700 --save model
    load "$(uri server)" --connections 4 --ops 700 --seed 2 --model model \
        --max 100000 --save model
    stop_nbdkit server
    serve -r vhd $image.vhd --run 'nbdcopy "$uri" out.raw'
    cmp model out.raw || fail "$image: other data after reopening"
    check_clean $image.vhd
done
state_of base.vhd middle.vhd | diff before - || fail 'a parent was changed'
