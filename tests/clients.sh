# vhdkit: what the tests of the plugin with real clients share.  Begin one with
#
#     source ./functions.sh
#     source "$srcdir/clients.sh"
#     set -e
#     requires_plugin
#
# SPDX-License-Identifier: BSD-3-Clause

clients=$srcdir/clients

# requires_nbd_python: a python3 that knows libnbd; nbdsh uses the same.  A
# python3 of the user's own often comes before the system's, which does.
requires_nbd_python ()
{
    local p
    python3 -c 'import nbd' 2>/dev/null && return
    for p in /usr/bin/python3 /usr/local/bin/python3; do
        if "$p" -c 'import nbd' 2>/dev/null; then
            mkdir -p "$tmp/bin"
            ln -sf "$p" "$tmp/bin/python3"
            export PATH=$tmp/bin:$PATH
            return
        fi
    done
    skip "no python3 with libnbd"
}

requires_root ()
{
    [ "$(id -u)" = 0 ] || skip "this test must be run as root"
}

# Unix permissions mean nothing to root: "${as_nobody[@]}" COMMAND...
as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)

# serve ARGS... --run COMMAND: nbdkit on a socket of its own for as long as the
# command runs.  nbdkit alone does not wait until the server has ended: it may
# still hold locks, and commit.  A sanitizer's run time, preloaded for nbdkit,
# is nothing for clients: qemu does not end with it.
serve ()
{
    local args=() status=0 previous= a
    for a in "$@"; do
        [ "$previous" != --run ] || a="unset LD_PRELOAD; $a"
        args+=("$a")
        previous=$a
    done
    rm -f "$tmp/serve.pid"
    nbdkit -U - -P "$tmp/serve.pid" "${args[@]}" || status=$?
    if [ -s "$tmp/serve.pid" ]; then
        wait_for has_ended "$(cat "$tmp/serve.pid")"
    fi
    return $status
}

#----------------------------------------------------------------------
# Images

# random_file FILE SIZE: cheap, and no two 4096 bytes of it are the same.
random_file ()
{
    rm -f "$1"
    truncate -s "$2" "$1"
    python3 - "$1" <<'END'
import os, random, sys
with open(sys.argv[1], 'r+b') as f:
    n = os.fstat(f.fileno()).st_size
    f.write(random.Random(n).randbytes(n))
END
}

# base_image FILE [SIZE]: a dynamic image that is full of data.
base_image ()
{
    local size=${2:-24M}
    vhdkit create "$1" "$size"
    random_file "$tmp/base.raw" "$size"
    serve vhd file="$1" --run "nbdcopy '$tmp/base.raw' \"\$uri\""
    rm "$tmp/base.raw"
}

# child_image FILE PARENT
child_image ()
{
    vhdkit create --parent "$2" "$1"
}

# check_clean FILE...: "vhdkit check" has nothing to say of errors and leaks.
check_clean ()
{
    local f status
    for f in "$@"; do
        status=0
        vhdkit check "$f" >"$tmp/check.out" 2>&1 || status=$?
        [ $status -eq 0 ] || {
            cat "$tmp/check.out"
            fail "vhdkit check ${f##*/} ended with status $status"
        }
    done
}

# state_of FILE...: content and times, to compare before and after.  The look
# itself must not change them.  (The space it takes may change by itself: some
# file systems allocate ahead of a writer, and take that back later.)
state_of ()
{
    local f
    for f in "$@"; do
        echo "$f $(stat -c '%s %x %y %z' "$f")" \
             "$(dd if="$f" iflag=noatime bs=1M status=none | sha256sum)"
    done
}

#----------------------------------------------------------------------
# Load

# load URI [OPTIONS]: random requests, each read compared with what was
# written before.  See clients/load.py.
load ()
{
    timeout 500 python3 "$clients/load.py" "$@"
}
