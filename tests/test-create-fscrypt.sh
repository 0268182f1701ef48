#!/bin/bash -
# Creating in an encrypted folder.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/create.sh"
set -e
requires mkfs.ext4 -V
requires python3 --version
build_client create
cd "$tmp"

mount_image ext4 'mkfs.ext4 -q -O encrypt'
mkdir ext4/secret ext4/plain
python3 "$srcdir/clients/fscrypt.py" ext4 ext4/secret 2>fscrypt.log ||
    skip "no encryption: $(tail -n 1 fscrypt.log)"

# B-032: in a real encrypted folder
size=maximum_size=4194304
answers 'ok ' ./create ext4/plain/a.vhd $size
answers 'HOST_LIMITATION c03a001a ' ./create ext4/secret/a.vhd $size
answers 'HOST_LIMITATION c03a001a ' ./create ext4/secret/a.vhd $size \
        host_flags=$ALLOW_COMPRESSED
[ -z "$(ls ext4/secret)" ] || fail "a file was left"
answers 'ok ' ./create ext4/secret/a.vhd $size host_flags=$ALLOW_ENCRYPTED
answers 'ok ' ./create ext4/secret/b.vhd $size host_flags=$ALLOW_ENCRYPTED flags=1
# Linked into place: the key is the same in the whole folder.
[ "$(stat -c %s ext4/secret/b.vhd)" -eq 4194816 ] || fail "b.vhd is short"
