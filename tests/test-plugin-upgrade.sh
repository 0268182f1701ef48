#!/bin/bash -
# An image that may not be written is served read-only; when it may, later
# connections are writable, on the same disk that the first ones read.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python
requires_root
requires "${as_nobody[@]}" nbdkit --dump-plugin vhd

mkdir "$tmp/open"
cd "$tmp/open"
vhdkit create a.vhd 24M
chown -R 65534:65534 .
chmod 755 "$tmp" .
chmod 444 a.vhd

"${as_nobody[@]}" nbdkit -v -f -U server.sock -P server.pid vhd file=a.vhd \
    </dev/null >"$tmp/server.log" 2>&1 &
pid=$!
cleanup_fn kill $pid
wait_for test -s server.pid

python3 - 'nbd+unix:///?socket=server.sock' <<'END'
import nbd, os, sys
def connect():
    h = nbd.NBD()
    h.connect_uri(sys.argv[1])
    return h
first = connect()
assert first.is_read_only()
assert first.pread(5, 0) == bytes(5)
os.chmod('a.vhd', 0o644)
second = connect()
assert not second.is_read_only()
second.pwrite(b'hello', 0)
# The first stays as it is, and sees what the second writes.
assert first.is_read_only()
assert first.pread(5, 0) == b'hello'
os.chmod('a.vhd', 0o444)
# The disk is writable now, whatever happens to the file's mode.
third = connect()
third.pwrite(b'HELLO', 0)
assert first.pread(5, 0) == b'HELLO'
END
cleanup_commands=()
kill $pid
wait $pid || fail "nbdkit ended with status $?"
check_clean a.vhd
assert_grep 'read-only' "$tmp/server.log"
