#!/bin/bash -
# Under the cow filter a client writes and reads back, and the files stay as
# they were.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python

cd "$tmp"
base_image base.vhd 9M
child_image child.vhd base.vhd
state_of base.vhd child.vhd >before
start_nbdkit server --filter=cow vhd file=child.vhd
load "$(uri server)" --any-trim --ops 400
stop_nbdkit server
state_of base.vhd child.vhd | diff before - || fail 'a file was changed'
