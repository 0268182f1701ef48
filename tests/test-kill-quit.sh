#!/bin/bash -
# A server that ends while clients are connected commits what they wrote, in
# dir= mode too: nobody has flushed, and nobody has disconnected.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python

cd "$tmp"
mkdir dir
for how in file=a.vhd dir=dir; do
    [ $how = file=a.vhd ] || have_openat2 || { echo 'no openat2'; continue; }
    image=a.vhd
    [ $how = file=a.vhd ] || image=dir/a.vhd
    vhdkit create $image 24M
    start_nbdkit server vhd $how commit-interval=0
    python3 - "$(uri server a.vhd)" "$(pid_of server)" <<'END'
import nbd, os, signal, sys, time
one, two = nbd.NBD(), nbd.NBD()
for h in one, two:
    h.connect_uri(sys.argv[1])
one.pwrite(b'one' * 1000, 3000)
two.pwrite(b'two' * 1000, 15 << 20)
os.kill(int(sys.argv[2]), signal.SIGTERM)
time.sleep(0.5)
END
    wait "$(pid_of server)" || fail "nbdkit ended with status $?"
    unset 'nbdkit_pids[server]'
    check_clean $image
    serve -r vhd $image --run "nbdsh -u \"\$uri\" -c '
assert h.pread(3000, 3000) == b\"one\" * 1000
assert h.pread(3000, 15 << 20) == b\"two\" * 1000
'"
done
