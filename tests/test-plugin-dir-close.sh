#!/bin/bash -
# With dir= an image is committed and closed with its last connection, not
# before: it can be used by others then, and the server opens it anew.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_openat2
requires_nbd_python

mkdir "$tmp/dir"
cd "$tmp/dir"
vhdkit create a.vhd 24M
vhdkit create b.vhd 24M
start_nbdkit server vhd dir=. commit-interval=0

# No flush by the client: the close has to do it.
python3 - "$(uri server a.vhd)" <<'END'
import nbd, sys
def connect():
    h = nbd.NBD()
    h.connect_uri(sys.argv[1])
    return h
one, two = connect(), connect()
one.pwrite(b'one' * 1000, 1)
one.shutdown()
assert two.pread(3000, 1) == b'one' * 1000
two.pwrite(b'two' * 1000, 10 << 20)
two.shutdown()
END

# Closing is not waited for by the client.
wait_for serve vhd a.vhd --run true
check_clean a.vhd
serve vhd a.vhd --run "nbdsh -u \"\$uri\" -c '
h.pwrite(b\"x\", 0)
assert h.pread(3000, 1) == b\"one\" * 1000
assert h.pread(3000, 10 << 20) == b\"two\" * 1000
'"

# And again through the first server, many connections coming and going.
python3 - "$(uri server a.vhd)" "$(uri server b.vhd)" <<'END'
import nbd, sys, threading
def connect(k):
    h = nbd.NBD()
    h.connect_uri(sys.argv[1 + k])
    return h
def visitor(n):
    try:
        for i in range(20):
            h = connect((n + i) % 2)
            h.pwrite(bytes([n] * 999), n * 4096 + i * 40000)
            h.shutdown()
    except nbd.Error as e:
        problems.append(e)
problems = []
threads = [threading.Thread(target=visitor, args=(n,)) for n in range(1, 7)]
[t.start() for t in threads]
[t.join() for t in threads]
assert not problems, problems
for k in (0, 1):
    h = connect(k)
    for n in range(1, 7):
        for i in range(20):
            if (n + i) % 2 == k:
                at = n * 4096 + i * 40000
                assert h.pread(999, at) == bytes([n] * 999), (n, i)
END
stop_nbdkit server
check_clean a.vhd b.vhd
