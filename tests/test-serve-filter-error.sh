#!/bin/bash -
# Errors on the way to a client harm nobody: a client that tries again gets
# everything done, and the image is sound.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python

cd "$tmp"
base_image base.vhd 4M
child_image child.vhd base.vhd
start_nbdkit server --filter=error vhd file=child.vhd \
    error-rate=20% error=EIO
load "$(uri server)" --retry --connections 2 --ops 200 --save model
stop_nbdkit server
serve -r vhd child.vhd --run 'nbdcopy "$uri" out.raw'
cmp model out.raw || fail 'other data after reopening'
check_clean child.vhd
