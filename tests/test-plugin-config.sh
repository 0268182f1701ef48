#!/bin/bash -
# Parameters that make no sense are refused before the server starts, with a
# message that says what would make sense.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin

cd "$tmp"
vhdkit create a.vhd 4M
mkdir dir

# refused PATTERN ARGS...
refused ()
{
    local pattern=$1
    shift
    assert_fails serve vhd "$@" --run true
    assert_grep "$pattern" "$tmp/stderr"
}

refused 'file=IMAGE.*dir=DIRECTORY'
refused 'cannot be used together' a.vhd dir=dir
refused 'only one image' a.vhd b.vhd
refused 'needs the name' file=
refused 'No such file' dir=nowhere
refused 'not a directory' dir=a.vhd
refused 'No such file' a.vhd search=nowhere
refused 'search=DIRECTORY' dir=dir parent=a.vhd
refused 'rw or ro' a.vhd mode=scratch
refused 'rw or ro' a.vhd mode=
refused 'negative' a.vhd commit-interval=-1
refused 'too long' a.vhd commit-interval=4294967295
refused 'size' a.vhd metadata-cache=much
refused 'boolean' a.vhd lock=perhaps
refused 'boolean' a.vhd ignore-parent-id=perhaps
refused "unknown parameter 'pack'" pack=a.vhd
refused "unknown parameter 'volume'" a.vhd volume=c

# What makes sense is taken, the extremes too, and relative paths.
serve vhd file=a.vhd mode=ro parent=raw:b.raw search=dir search=. \
    ignore-parent-id=true commit-interval=0 metadata-cache=0 lock=false \
    --run 'nbdinfo --size "$uri"' >size || status=$?
# A fixed or dynamic image has no use for parents: whether it says so or not,
# it does not crash.
[ "${status:-0}" -lt 124 ] || fail "status $status"
serve vhd file=a.vhd mode=rw search=dir commit-interval=2147483647 \
    metadata-cache=0 --run 'nbdinfo --size "$uri"' >size
assert_equal "$(cat size)" 4194304

nbdkit vhd --help >help
assert_grep 'commit-interval=' help
nbdkit vhd --dump-plugin >dump
assert_grep '^max_thread_model=parallel$' dump
assert_grep '^vhd_version=[0-9.]+$' dump
assert_grep '^vhd_library=vhdkit ' dump
assert_grep '^vhd_types=fixed,dynamic,differencing$' dump
assert_grep '^magic_config_key=file$' dump
