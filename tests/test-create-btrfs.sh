#!/bin/bash -
# Creating on btrfs, with and without compression.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/create.sh"
set -e
requires mkfs.btrfs --version
command -v chattr >/dev/null || skip 'no chattr here'
build_client create
build_client vs2005
size=maximum_size=4194304
cd "$tmp"

refused ()
{
    answers 'HOST_LIMITATION c03a001a ' ./create "$1/a.vhd" $size
    answers 'HOST_LIMITATION c03a001a ' ./create "$1/a.vhd" $size \
            host_flags=$ALLOW_ENCRYPTED
    answers 'call HOST_LIMITATION 80020009 ' ./vs2005 dynamic "$PWD/$1/a.vhd" 4
    [ -z "$(find "$1" -name '*.vhd')" ] || fail "a file was left in $1"
    answers 'ok ' ./create "$1/a.vhd" $size host_flags=$ALLOW_COMPRESSED
    rm "$1/a.vhd"
}
accepted ()
{
    answers 'ok ' ./create "$1/a.vhd" $size
    rm "$1/a.vhd"
}

# B-032: on a real btrfs: a folder with chattr +c, and mounts that compress,
# which no flag of a file shows
mount_image plain mkfs.btrfs
accepted plain
mkdir plain/c
chattr +c plain/c
refused plain/c
# In a folder that is missing yet, too.
answers 'call HOST_LIMITATION 80020009 ' ./vs2005 dynamic "$PWD/plain/c/d/a.vhd" 4
[ ! -e plain/c/d ] || fail "the folder was left"

for option in compress=zstd:1 compress-force=lzo compress; do
    mount_image "$option" mkfs.btrfs -o "$option"
    refused "$option"
    # A subvolume has a device number of its own.
    if btrfs subvolume create "$option/sub" >sub.log 2>&1; then
        refused "$option/sub"
    fi
    # Files that are not copied on write cannot be compressed.
    mkdir "$option/nocow"
    chattr +C "$option/nocow"
    accepted "$option/nocow"
done
mkdir compress=zstd:1/m compress-force=lzo/m
if chattr +m compress=zstd:1/m; then
    accepted compress=zstd:1/m
    chattr +m compress-force=lzo/m
    refused compress-force=lzo/m
fi
mount -o remount,compress=none compress=zstd:1
accepted compress=zstd:1
