#!/bin/bash -
# SIGKILL of the server under three clients that write and flush, two hundred
# times: nothing that was flushed is ever lost, and "vhdkit check" finds no
# damage.  VHDKIT_KILL_ROUNDS=N makes it longer or shorter.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python

rounds=${VHDKIT_KILL_ROUNDS:-200}
cd "$tmp"
base_image base.vhd 5M
serve -r vhd base.vhd --run 'nbdcopy "$uri" base.raw'
sha256sum <base.vhd >base.sum
child_image middle.vhd base.vhd
child_image child.vhd middle.vhd
vhdkit create --block-size 512K dynamic.vhd 8M

kill_loop ()
{
    timeout 600 python3 "$clients/kill.py" "$@"
}
kill_loop dynamic.vhd --rounds $((rounds / 2)) --unit 524288 -- commit-interval=1
kill_loop child.vhd --rounds $(((rounds + 1) / 2)) --original base.raw
sha256sum <base.vhd | cmp - base.sum || fail 'the base was changed'
