#!/bin/bash -
# As a daemon the server works as in the foreground: relative paths, commits in
# the background, the end.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python

cd "$tmp"
mkdir parents
vhdkit create parents/base.vhd 24M
child_image child.vhd parents/base.vhd
mkdir elsewhere
mv parents/base.vhd elsewhere

nbdkit -U "$tmp/sock" -P "$tmp/pid" vhd child.vhd search=elsewhere \
    commit-interval=1
# Written by the daemon, after the command that started it returned.
wait_for test -s pid
pid=$(cat pid)
cleanup_fn kill -9 $pid
u="nbd+unix:///?socket=$tmp/sock"
nbdsh -u "$u" -c 'h.pwrite(b"here" * 1000, 5 << 20)'

# Nobody flushes; yet after a while the data is in the file.
in_a_copy ()
{
    cp child.vhd copy.vhd
    serve -r vhd copy.vhd parent=elsewhere/base.vhd --run "nbdsh -u \"\$uri\" -c '
assert h.pread(4000, 5 << 20) == b\"here\" * 1000'"
}
wait_for in_a_copy

nbdsh -u "$u" -c 'h.pwrite(b"more" * 1000, 15 << 20)'
kill $pid
wait_for has_ended $pid
cleanup_commands=()
serve -r vhd child.vhd search=elsewhere \
    --run "nbdsh -u \"\$uri\" -c 'assert h.pread(4000, 15 << 20) == b\"more\" * 1000'"
