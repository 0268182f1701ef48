#!/bin/bash -
# With slow reads and writes, and requests of several connections in flight
# at once, no write is lost.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python

cd "$tmp"
base_image base.vhd 4M
child_image child.vhd base.vhd
start_nbdkit server --filter=delay vhd file=child.vhd rdelay=2ms wdelay=3ms
load "$(uri server)" --connections 4 --ops 150 --save model
stop_nbdkit server
serve -r vhd child.vhd --run 'nbdcopy "$uri" out.raw'
cmp model out.raw || fail 'other data after reopening'
check_clean child.vhd
