#!/bin/bash -
# vhdkit create waits until the image is on the disk; with --no-sync it does
# not, and the image is the same.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
requires strace -o /dev/null true
case $SANITIZE in
    '') ;;
    *) skip "sanitizers and strace want the same system call" ;;
esac
cd "$tmp"
head -c 6291456 /dev/urandom >raw
mkdir images

# syncs ARGS...: create images/new.vhd, and tell how often anything was synced.
syncs ()
{
    rm -rf images/*
    strace -f -o trace -e trace=fsync,fdatasync,sync_file_range,syncfs,sync \
        vhdkit create "$@" >out 2>&1 || { cat out; fail "create $*"; }
    [ ! -s out ] || { cat out; fail "it has something to say"; }
    grep -cE 'sync[a-z_]*\(' trace || :
}

for args in 'images/new.vhd 4M' \
            '-t fixed images/new.vhd 4M' \
            '--parents images/a/b/new.vhd 4M' \
            '-B base.vhd images/new.vhd' \
            '-S raw:raw images/new.vhd' \
            '-S raw:raw -t fixed images/new.vhd' \
            '-S raw:raw --profile azure images/new.vhd'; do
    [ -e base.vhd ] || vhdkit create --no-sync base.vhd 8M
    # The file before its footers, the file with them, and its name.
    [ "$(syncs $args)" -ge 3 ] || { cat trace; fail "not durable: $args"; }
    assert_equal "$(syncs --no-sync $args)" 0 "syncs of --no-sync $args"
    image=$(find images -name new.vhd)
    vhdkit check -q "$image" || fail "not sound: --no-sync $args"
    case $args in
        *raw:raw*)
            vhdkit create --no-sync -t fixed -S "$image" copy.vhd
            cmp -n 6291456 raw copy.vhd
            rm copy.vhd ;;
    esac
done

# A failure leaves nothing, as ever.
rm -rf images/*
status=0
vhdkit create --no-sync -B missing.vhd images/new.vhd 2>err || status=$?
assert_equal $status 1
(ulimit -f 2048; vhdkit create --no-sync -S raw:raw images/new.vhd 2>err) ||
    status=$?
assert_equal $status 1
assert_grep FILE_TOO_LARGE_FOR_FS err
assert_equal "$(find images -mindepth 1)" '' 'what is left'
