# vhdkit: what shell tests of creation share.  Source it after functions.sh.
# SPDX-License-Identifier: BSD-3-Clause

# build_client NAME: tests/install-NAME.c, which are programs over vhdkit.h
# that test-install.sh builds against the installed library, with the library
# of the build tree: $tmp/NAME.
build_client ()
{
    # shellcheck disable=SC2086
    $CC $SANITIZE -o "$tmp/$1" -I"$top_srcdir/lib" "$srcdir/install-$1.c" \
        -L"$top_builddir/lib/.libs" -lvhdkit
}

# answers EXPECTED COMMAND...: its output begins so.
answers ()
{
    local expected=$1 found
    shift
    found=$("$@") || :
    case $found in
        "$expected"*) ;;
        *) fail "found '$found', expected '$expected...' from: $*" ;;
    esac
}

# refused STATUS PATTERN ARGS...: by vhdkit create, in this folder, and nothing
# is made; $tmp/out and $tmp/err exist already.
refused ()
{
    local expected=$1 pattern=$2 found=0 before
    shift 2
    before=$(find . | sort)
    vhdkit create "$@" >"$tmp/out" 2>"$tmp/err" || found=$?
    assert_equal $found "$expected" "status of create $*"
    assert_grep "$pattern" "$tmp/err"
    [ ! -s "$tmp/out" ] || fail "refused, but answered: $*"
    assert_equal "$(find . | sort)" "$before" "files after create $*"
}

# mount_image FOLDER MKFS OPTIONS...: a file system of 200 MiB on a loop
# device; skips where there is none.  OPTIONS are for mount.
mount_image ()
{
    local folder=$1 mkfs=$2
    shift 2
    [ "$(id -u)" -eq 0 ] || skip "only root can mount"
    truncate -s 200M "$folder.img"
    $mkfs "$folder.img" >"$tmp/mkfs.log" 2>&1 || skip "no $mkfs here"
    mkdir -p "$folder"
    mount -o loop "$@" "$folder.img" "$folder" 2>"$tmp/mount.log" ||
        skip "cannot mount: $(cat "$tmp/mount.log")"
    cleanup_fn umount "$(realpath "$folder")"
    cleanup_fn cd /             # before that
}

# Host flags.
ALLOW_COMPRESSED=1
ALLOW_ENCRYPTED=2
STRICT=0x80
