#!/bin/bash -
# Multi-conn is told truly: a flush on one connection makes durable what was
# written on another.  The server is killed right after the flush.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python

cd "$tmp"
base_image base.vhd 8M
for round in 1 2 3; do
    rm -f child.vhd
    child_image child.vhd base.vhd
    start_nbdkit server vhd file=child.vhd commit-interval=0
    python3 - "$(uri server)" "$(pid_of server)" <<'END'
import nbd, os, signal, sys
def connect():
    h = nbd.NBD()
    h.connect_uri(sys.argv[1])
    return h
one, two = connect(), connect()
assert one.can_multi_conn() and two.can_multi_conn()
one.pwrite(b'one' * 1000, 3000)
one.pwrite(b'fua' * 1000, 5 << 20)
two.flush()
os.kill(int(sys.argv[2]), signal.SIGKILL)
END
    kill_nbdkit server
    vhdkit check child.vhd >check.log || [ $? -eq 3 ] || fail 'damaged'
    serve -r vhd child.vhd --run "nbdsh -u \"\$uri\" -c '
assert h.pread(3000, 3000) == b\"one\" * 1000
assert h.pread(3000, 5 << 20) == b\"fua\" * 1000
'"
done
