#!/bin/bash -
# vhdkit create and the host: permissions, folders, names, a full disk, and what
# contradicts itself.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/create.sh"
set -e
requires jq --version
cd "$tmp"

: >out
: >err

# B-014: through the command: the umask decides on permissions, or an option
umask 027
vhdkit create a.vhd 3M
assert_equal "$(stat -c %a a.vhd)" 640
vhdkit create --mode 604 b.vhd 3M
vhdkit create --mode=0777 -t fixed c.vhd 3M
assert_equal "$(stat -c %a b.vhd)" 604
assert_equal "$(stat -c %a c.vhd)" 777
for mode in '' 8 u=rw 10000 -1 0x1ff ' 644'; do
    refused 2 '^vhdkit: create: --mode' --mode "$mode" new.vhd 3M
done
refused 2 'no user' --owner 'no such user' new.vhd 3M
refused 2 'no group' --group 'no such group' new.vhd 3M
refused 2 'owner' --owner 4294967295 new.vhd 3M
vhdkit create --owner "$(id -un)" --group "$(id -g)" d.vhd 3M
assert_equal "$(stat -c %u:%g d.vhd)" "$(id -u):$(id -g)"
if [ "$(id -u)" -eq 0 ]; then
    vhdkit create --owner 12345 --group 23456 --mode 400 e.vhd 3M
    assert_equal "$(stat -c %u:%g:%a e.vhd)" 12345:23456:400
fi
if setfacl --version >/dev/null 2>&1 && setfacl -m u:1:r a.vhd 2>/dev/null; then
    vhdkit create --acl u:1234:r,o::- f.vhd 3M
    getfacl -cn f.vhd >acl 2>/dev/null
    assert_grep '^user:1234:r--' acl
    refused 1 'INVALID_PARAMETER|INVALID_NAME' --acl nonsense new.vhd 3M
fi

# A folder that may be written and not read, as those where things are dropped.
if [ "$(id -u)" -eq 0 ] &&
   setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null; then
    chmod 755 .
    mkdir drop
    chmod 733 drop
    nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    # The build tree may be out of reach for that user.
    if "${nobody[@]}" vhdkit info c.vhd >/dev/null 2>&1; then
        "${nobody[@]}" vhdkit create drop/new.vhd 3M
        "${nobody[@]}" vhdkit create -t fixed -S drop/new.vhd drop/copy.vhd
        vhdkit check -q drop/copy.vhd
        chmod 755 drop
        if "${nobody[@]}" vhdkit create drop/other.vhd 3M 2>err; then
            fail 'made where nobody may write'
        fi
        assert_grep ACCESS_DENIED err
    fi
    rm -r drop
fi

# Folders: the last one is made if it is missing, all with --parents, and none is
# left by what fails.
vhdkit create one/new.vhd 3M
vhdkit create -t fixed -S one/new.vhd copies/new.vhd
refused 1 PATH_NOT_FOUND three/four/new.vhd 3M
refused 1 SIZE_TOO_SMALL three/new.vhd 1M
refused 1 FILE_NOT_FOUND -B missing.vhd three/new.vhd
refused 1 FILE_NOT_FOUND -S missing.vhd three/new.vhd
refused 1 'IO|FILE_NOT_FOUND' -S "nbd+unix:///?socket=$tmp/nobody.sock" three/new.vhd
vhdkit create --parents five/two/new.vhd 3M
refused 1 SIZE_TOO_SMALL --parents three/four/new.vhd 1M
refused 1 FILE_NOT_FOUND --parents -B missing.vhd three/four/new.vhd

# Names with anything in them, of images and of sources.
head -c 4194304 /dev/urandom >raw
for name in $'new\nline' $'bad\xff\xfe' '-dash' ' blank ' 'raw:x' 'nbd:x' \
            'späße-磁碟' '%s%n' '{"a": 1}' '*'; do
    cp raw "./$name"
    vhdkit create -S "raw:./$name" --progress=json "./$name.vhd" >lines
    jq -e . lines >/dev/null || fail "invalid JSON"
    vhdkit create -t fixed -S "./$name.vhd" fixed.vhd
    cmp -n 4194304 raw fixed.vhd
    rm fixed.vhd "./$name" "./$name.vhd"
done

# Asking for two things at once.
refused 2 '--parent and --source.*INVALID_PARAMETER, 0x00000057' \
        -B a.vhd -S a.vhd new.vhd
refused 2 'differencing.*INVALID_PARAMETER' -t diff -S a.vhd new.vhd
refused 2 'need --source' --search . new.vhd 3M
refused 2 'need --source' --source-parent a.vhd new.vhd 3M
refused 2 'need --source' --force-source new.vhd 3M
refused 2 'fixed' --sparse new.vhd 3M
refused 2 'fixed' --preallocate new.vhd 3M
refused 2 'either' -t fixed --sparse --preallocate new.vhd 3M

# Space: reserved, or not.
vhdkit create -t fixed g.vhd 8M
vhdkit create -t fixed --sparse h.vhd 8M
[ "$(stat -c %b h.vhd)" -lt 1024 ] || fail "--sparse takes space"
[ "$(stat -c %b g.vhd)" -ge 16384 ] || fail "no space is reserved"
vhdkit create -t fixed --preallocate i.vhd 8M

# B-028: through the command: a full file system, and nothing is left
# B-088: through the command: full in the middle of a copy
# B-027: through the command: a dynamic disk larger than its file system
if [ "$(id -u)" -eq 0 ] && mkdir small &&
   mount -t tmpfs -o size=8M tmpfs small 2>/dev/null; then
    cleanup_fn umount "$tmp/small"
    full='^vhdkit: create: small/new.vhd: .*\(DISK_FULL, 0x00000070\)$'
    refused 1 "$full" -t fixed small/new.vhd 16M
    head -c 16777216 /dev/urandom >large
    refused 1 "$full" -S raw:large small/new.vhd
    refused 1 "$full" -t fixed -S raw:large small/new.vhd
    refused 1 "$full" -t fixed --sparse -S raw:large small/new.vhd
    vhdkit create small/new.vhd 2040G
    assert_equal "$(vhdkit info --json small/new.vhd |
                        jq '."virtual-size"')" 2190433320960
fi

# B-032: through the command: a folder that compresses is refused, unless
# allowed
if [ "$(id -u)" -eq 0 ] && truncate -s 200M btrfs.img &&
   mkfs.btrfs -q btrfs.img >mkfs.log 2>&1 && mkdir btrfs &&
   mount -o loop btrfs.img btrfs 2>/dev/null; then
    cleanup_fn umount "$tmp/btrfs"
    mkdir btrfs/folder
    chattr +c btrfs/folder
    refused 1 'HOST_LIMITATION, 0xc03a001a' btrfs/folder/new.vhd 8M
    vhdkit create --allow-compressed btrfs/folder/new.vhd 8M
    refused 1 'HOST_LIMITATION, 0x80020009' --profile vs2005 \
            "$tmp/btrfs/folder/other.vhd" 8
    vhdkit create --profile vs2005 --allow-compressed \
           "$tmp/btrfs/folder/other.vhd" 8
fi

# One that encrypts.
if [ "$(id -u)" -eq 0 ] && truncate -s 200M ext4.img &&
   mkfs.ext4 -q -O encrypt ext4.img >mkfs.log 2>&1 && mkdir ext4 &&
   mount -o loop ext4.img ext4 2>/dev/null; then
    cleanup_fn umount "$tmp/ext4"
    mkdir ext4/secret
    if python3 "$srcdir/clients/fscrypt.py" ext4 ext4/secret 2>fscrypt.log; then
        secret=$tmp/ext4/secret
        refused 1 'HOST_LIMITATION, 0xc03a001a' "$secret/new.vhd" 8M
        refused 1 'HOST_LIMITATION, 0xc03a001a' --allow-compressed \
                "$secret/new.vhd" 8M
        vhdkit create --allow-encrypted "$secret/new.vhd" 8M
        refused 1 'HOST_LIMITATION, 0x80020009' --profile vs2005 \
                "$secret/other.vhd" 8
        vhdkit create --profile vs2005 --allow-encrypted "$secret/other.vhd" 8
    fi
fi
