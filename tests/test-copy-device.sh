#!/bin/bash -
# B-042: a block device is copied sector for sector, without asking for "raw:"
# B-043: one that is writable and mounted or open for writing is SOURCE_ONLINE,
# one that is held otherwise is SOURCE_OWNED, unless forced; sectors other
# than 512 bytes are SECTOR_SIZE
# SPDX-License-Identifier: BSD-3-Clause
# Mounts of its own: a mount namespace that another program begins meanwhile has
# ours, too, and keeps the device busy when we have unmounted it.
if [ -z "$OWN_MOUNTS" ] && unshare -m true 2>/dev/null; then
    OWN_MOUNTS=1 exec unshare -m bash "$0" "$@"
fi
source ./functions.sh
set -e
copy=$top_builddir/tests/copy-image
requires_file "$copy"
[ "$(id -u)" -eq 0 ] || skip 'needs root'
requires losetup --version
cd "$tmp"

# attach NAME FILE [losetup options]: sets the variable to the device.
attach ()
{
    local -n device=$1
    device=$(losetup --find --show "${@:3}" "$2" 2>losetup.log) ||
        skip "no loop device: $(cat losetup.log)"
    cleanup_fn losetup -d "$device"
}

head -c 20000256 /dev/urandom >disk.raw
truncate -s 30000640 disk.raw
attach loop disk.raw

# The content and nothing else.
before=$(stat -c %y disk.raw; sha256sum <disk.raw)
"$copy" fixed "$loop" fixed.vhd
cmp disk.raw <(head -c -512 fixed.vhd)
"$copy" dynamic "raw:$loop" dynamic.vhd
vhdkit check dynamic.vhd
assert_equal "$(vhdkit info --json dynamic.vhd |
    sed -n 's/.*"virtual-size": *\([0-9]*\).*/\1/p')" 30000640 size
"$copy" fixed dynamic.vhd again.vhd
cmp disk.raw <(head -c -512 again.vhd)
assert_equal "$(stat -c %y disk.raw; sha256sum <disk.raw)" "$before" 'source'

# refused CODE TYPE: and with -f it is copied.
refused ()
{
    rm -f new.vhd
    assert_fails "$copy" dynamic "$loop" new.vhd
    assert_grep "^copy-image: $1: $loop" stderr
    [ ! -e new.vhd ] || fail 'a file is left'
    "$copy" -f dynamic "$loop" new.vhd
}

# Held exclusively; open for writing; both end with the holder.
exec {fd}<>"$loop"
refused SOURCE_ONLINE
assert_grep "process $$;" stderr
exec {fd}>&-
"$copy" dynamic "$loop" free.vhd

python3 - "$loop" <<'EOF' &
import os, sys, time
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_EXCL)
open('held', 'w').close()
time.sleep(600)
EOF
holder=$!
cleanup_fn eval "kill $holder 2>/dev/null"
wait_for test -e held
refused SOURCE_OWNED
kill $holder
wait $holder || :

# A reader is no harm, nor is a writer's descriptor of a read-only device.
exec {fd}<"$loop"
rm -f free.vhd
"$copy" dynamic "$loop" free.vhd
exec {fd}<&-
exec {fd}<>"$loop"
blockdev --setro "$loop"
rm -f free.vhd
"$copy" dynamic "$loop" free.vhd
blockdev --setrw "$loop"
exec {fd}>&-

# Mounted, read-only too; a device that cannot be written has an owner only.
truncate -s 16M fs.raw
mkfs.ext4 -q fs.raw
attach loop fs.raw
mkdir mnt
mount -o ro "$loop" mnt 2>mount.log || skip "cannot mount: $(cat mount.log)"
cleanup_fn sh -c "umount '$tmp/mnt' 2>/dev/null || :"
refused SOURCE_ONLINE
assert_grep "mounted on $tmp/mnt;" stderr
blockdev --setro "$loop"
refused SOURCE_OWNED
blockdev --setrw "$loop"
umount mnt
rm -f free.vhd
"$copy" dynamic "$loop" free.vhd

# No space, where the data goes past the page cache, found out late.
attach loop fs.raw
mount "$loop" mnt
cleanup_fn sh -c "umount '$tmp/mnt' 2>/dev/null || :"
head -c 30M /dev/urandom >large.raw
for type in dynamic '-s fixed'; do
    # shellcheck disable=SC2086
    assert_fails "$copy" $type raw:large.raw mnt/new.vhd
    assert_grep '^copy-image: DISK_FULL: ' stderr
    assert_equal "$(ls mnt)" lost+found 'what is left'
done
umount mnt

# Sectors of 4096 bytes: not even by force.
truncate -s 16M large.raw
attach loop large.raw -b 4096
assert_fails "$copy" -f dynamic "$loop" large.vhd
assert_grep '^copy-image: SECTOR_SIZE: .*4096' stderr
