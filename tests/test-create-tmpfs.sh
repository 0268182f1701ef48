#!/bin/bash -
# Creating in a file system that is small, or full.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/create.sh"
set -e
[ "$(id -u)" -eq 0 ] || skip "only root can mount"
build_client create
build_client vs2005

mkdir "$tmp/small"
mount -t tmpfs -o size=9M tmpfs "$tmp/small" || skip "cannot mount a tmpfs"
cleanup_fn umount "$tmp/small"
cleanup_fn cd /                 # before that
cd "$tmp/small"

# B-070: on a real file system: under 8 MiB free is refused before there is
# a file
answers ok "$tmp/vs2005" dynamic "$PWD/a.vhd" 100 $STRICT
rm a.vhd
head -c 2M /dev/zero >ballast
answers 'call DISK_FULL 80070070' "$tmp/vs2005" dynamic "$PWD/a.vhd" 100 $STRICT
answers 'call DISK_FULL 80070070' "$tmp/vs2005" fixed "$PWD/a.vhd" 8 $STRICT
[ ! -e a.vhd ] || fail "a.vhd is there"
answers ok "$tmp/vs2005" dynamic "$PWD/a.vhd" 100

# B-027: on a real file system: a dynamic disk larger than the space
answers 'ok 1073741824' "$tmp/create" b.vhd maximum_size=1073741824

# B-028: on a real file system: a fixed disk larger than the space is
# refused, and leaves nothing
answers 'DISK_FULL 70 ' "$tmp/create" c.vhd maximum_size=16777216 flags=1
answers 'DISK_FULL 70 ' "$tmp/create" c.vhd maximum_size=16777216 flags=1 async=1
# (all that is free, but not for the footer)
free=$(stat -f -c '%f %S' . | { read -r n s; echo $((n * s)); })
answers 'DISK_FULL 70 ' "$tmp/create" c.vhd maximum_size=$free flags=1
assert_equal "$(ls)" "$(printf 'a.vhd\nb.vhd\nballast')" files
assert_equal "$(stat -f -c '%f %S' . | { read -r n s; echo $((n * s)); })" \
             "$free" 'free space'

# Nothing at all is left: the metadata do not fit.
head -c 16M /dev/zero >>ballast 2>/dev/null || :
answers 'DISK_FULL 70 ' "$tmp/create" c.vhd maximum_size=1073741824
answers 'task DISK_FULL 80070070' "$tmp/vs2005" dynamic "$PWD/new/c.vhd" 100
[ ! -e new ] || fail "the folder was left"
