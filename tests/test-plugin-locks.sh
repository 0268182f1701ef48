#!/bin/bash -
# Who writes to an image keeps all others out, qemu included; readers share
# it; a parent in use cannot be written; lock=false turns all that off.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python
requires qemu-io --version

cd "$tmp"
vhdkit create a.vhd 8M
vhdkit create base.vhd 8M
child_image child.vhd base.vhd
child_image sister.vhd base.vhd
hold='h.pwrite(b"x", 0); print(flush=True); import sys; sys.stdin.readline()'

# hold_open NAME: a client that has written and stays.
hold_open ()
{
    coproc HOLDER { exec nbdsh -u "$(uri $1)" -c "$hold"; }
    holder=$HOLDER_PID
    cleanup_fn kill $holder
    read -r -u "${HOLDER[0]}"
}
let_go ()
{
    echo >&"${HOLDER[1]}"
    wait $holder
    cleanup_commands=("${cleanup_commands[@]/kill $holder */:}")
}
qemu_write () { qemu-io -f vpc -c 'write 0 512' "$1" 2>&1; }
qemu_read () { qemu-io -r -f vpc -c 'read 0 512' "$1" 2>&1; }

start_nbdkit writer vhd file=a.vhd
# No client yet: readers are welcome.
qemu_read a.vhd >out || { cat out; fail 'qemu cannot read beside a reader'; }
hold_open writer
assert_fails serve vhd a.vhd --run true
assert_grep 'a.vhd' stderr
assert_fails serve -r vhd a.vhd --run true
if qemu_write a.vhd >out; then fail 'qemu wrote to an image in use'; fi
assert_grep 'lock' out
if qemu_read a.vhd >out; then fail 'qemu read an image that changes'; fi
# More connections to the same server are no problem.
nbdsh -u "$(uri writer)" -c 'h.pwrite(b"y", 1)'
let_go
stop_nbdkit writer

# Two read-only servers, and qemu reading.
start_nbdkit one -r vhd file=a.vhd
start_nbdkit two -r vhd file=a.vhd
assert_equal "$(nbdinfo --size "$(uri one)")" 8388608
assert_equal "$(nbdinfo --size "$(uri two)")" 8388608
qemu_read a.vhd >out || { cat out; fail 'qemu cannot read beside readers'; }
if qemu_write a.vhd >out; then fail 'qemu wrote to an image that is read'; fi

# A writer among them is refused: as a client, as the server may yet serve
# readers.
start_nbdkit three vhd file=a.vhd
assert_fails nbdinfo "$(uri three)"
assert_grep 'mode=ro' three.log
stop_nbdkit two
stop_nbdkit one
nbdsh -u "$(uri three)" -c 'h.pwrite(b"z", 2)'
stop_nbdkit three

# A parent in use: children may share it, but nobody may write to it.
start_nbdkit child vhd file=child.vhd
start_nbdkit sister vhd file=sister.vhd
hold_open child
nbdsh -u "$(uri sister)" -c 'h.pwrite(b"x", 0)'
start_nbdkit base vhd file=base.vhd
assert_fails nbdinfo "$(uri base)"
if qemu_write base.vhd >out; then fail 'qemu wrote to a parent in use'; fi
stop_nbdkit base
let_go
stop_nbdkit child
stop_nbdkit sister

# Without locks.
start_nbdkit writer vhd file=a.vhd lock=false
hold_open writer
assert_equal "$(serve -r vhd a.vhd --run 'nbdinfo --size "$uri"')" 8388608
let_go
stop_nbdkit writer
check_clean a.vhd child.vhd sister.vhd
