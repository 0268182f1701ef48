#!/bin/bash -
# dir=: an image whose writes could not be committed when its last client left
# stays open: the next client is told, instead of flushing what is lost with
# success.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_openat2
requires_nbd_python
requires strace -D -o /dev/null true
case $SANITIZE in
    '') ;;
    *) skip "sanitizers and strace want the same system call" ;;
esac

cd "$tmp"
mkdir dir
vhdkit create dir/a.vhd 24M
# Once in the life of an image a write syncs: that of its first block.
start_nbdkit server vhd dir=dir
nbdsh -u "$(uri server a.vhd)" -c 'h.pwrite(b"first", 0)'
stop_nbdkit server

# Every thread's first fdatasync fails.
export VHDKIT_WRAP_NBDKIT="strace -D -f -o $tmp/strace.log -e trace=fdatasync
    -e inject=fdatasync:error=EIO:when=1"
start_nbdkit server vhd dir=dir commit-interval=0
unset VHDKIT_WRAP_NBDKIT

# Nobody flushes: the server commits when the client has gone.
python3 - "$(uri server a.vhd)" <<'END'
import nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
h.pwrite(b'lost' * 1000, 3000000)
h.shutdown()
END
wait_for grep -q 'stays open' server.log
assert_grep 'a.vhd: flushing to the disk: Input/output error; .*stays open' \
            server.log

python3 - "$(uri server a.vhd)" <<'END'
import errno, nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
def refused(what, *args):
    try:
        what(*args)
    except nbd.Error as e:
        assert e.errnum == errno.EIO, e
    else:
        sys.exit('%s succeeded' % what.__name__)
refused(h.flush)
refused(h.pwrite, b'more', 0)
assert h.pread(4000, 3000000) == b'lost' * 1000
h.shutdown()
END
assert_grep 'an earlier sync failed' server.log
kill_nbdkit server

# Another server begins anew.
start_nbdkit server vhd dir=dir
nbdsh -u "$(uri server a.vhd)" -c 'h.pwrite(b"new", 9); h.flush()'
stop_nbdkit server
check_clean dir/a.vhd
