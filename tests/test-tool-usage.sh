#!/bin/bash -
# Every sub-command: --help, --version, what is wrong on the command line, and
# files that are no images.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e

# status EXPECTED COMMAND...: the exit status, in time, and a message that
# begins as it should on stderr and nothing on stdout.
status ()
{
    local expected=$1 found=0
    shift
    timeout 120 "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || found=$?
    [ $found -eq "$expected" ] ||
        { cat "$tmp/err"; fail "status $found, not $expected: $*"; }
    [ $found -eq 0 ] || [ ! -s "$tmp/out" ] || fail "failed, but answered: $*"
    if [ $found -ne 0 ]; then
        head -n 1 "$tmp/err" | grep -q '^vhdkit: ' ||
            fail "no message, or a strange one: $(cat "$tmp/err")"
    fi
}

vhdkit create "$tmp/good.vhd" 4M
mkdir "$tmp/directory"
mkfifo "$tmp/fifo"
: >"$tmp/empty"
head -c 5000 /dev/urandom >"$tmp/random"

for c in create info chain map check serve reparent; do
    # check has qemu-img's statuses, where 2 means a damaged image.
    usage=2
    [ $c != check ] || usage=1

    vhdkit $c --help >"$tmp/out" 2>"$tmp/err"
    assert_grep "^Usage: vhdkit $c " "$tmp/out"
    [ ! -s "$tmp/err" ]
    assert_equal "$(vhdkit $c --version)" "$(vhdkit --version)" "$c --version"

    status $usage vhdkit $c
    assert_grep "vhdkit $c --help" "$tmp/err"
    status $usage vhdkit $c --no-such-option "$tmp/good.vhd"
    assert_grep "^vhdkit: $c: .*no-such-option" "$tmp/err"
    status $usage vhdkit $c -Z "$tmp/good.vhd"
    status $usage vhdkit $c "$tmp/good.vhd" 1M extra
    assert_grep "^vhdkit: $c: .*extra" "$tmp/err"
    [ $c = serve ] || status $usage vhdkit $c --output=xml "$tmp/good.vhd"
done

# Files that are no images, and ones that cannot be read.  No hanging.
for c in info chain map check serve; do
    status 1 vhdkit $c "$tmp/missing.vhd"
    assert_grep "^vhdkit: $c: $tmp/missing.vhd: .*[Nn]o such file" "$tmp/err"
    status 1 vhdkit $c "$tmp/fifo"
    assert_grep "^vhdkit: $c: $tmp/fifo: " "$tmp/err"
    status 1 vhdkit $c "$tmp/good.vhd/below"
    status 1 vhdkit $c ''
done
for c in info chain map check; do
    status 1 vhdkit $c "$tmp/directory"
    status 1 vhdkit $c "$tmp/empty"
    status 1 vhdkit $c "$tmp/random"
    assert_grep "^vhdkit: $c: $tmp/random: .*\([A-Z_]+, 0x[0-9a-f]{8}\)$" \
                "$tmp/err"
done

if [ "$(id -u)" -eq 0 ] &&
   setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null; then
    chmod 755 "$tmp"
    cp "$tmp/good.vhd" "$tmp/secret.vhd"
    chmod 600 "$tmp/secret.vhd"
    nobody="setpriv --reuid=65534 --regid=65534 --clear-groups"
    # The build tree may be out of reach for that user.
    if $nobody vhdkit info "$tmp/good.vhd" >/dev/null 2>&1; then
        for c in info chain map check; do
            status 1 $nobody vhdkit $c "$tmp/secret.vhd"
            assert_grep "ACCESS_DENIED" "$tmp/err"
        done
    fi
fi

# The command itself.
status 2 vhdkit frobnicate
assert_grep "frobnicate" "$tmp/err"
status 2 vhdkit --frobnicate
vhdkit --help | grep -q '^  serve '
vhdkit --version | grep -qE '^vhdkit [0-9]+\.[0-9]+\.[0-9]+$'
if vhdkit >"$tmp/out" 2>"$tmp/err"; then fail "no command is no success"; fi
[ ! -s "$tmp/out" ]

# An answer that cannot be written is a failure; one nobody reads to its end
# is not the end of the world.
for c in info chain map check; do
    status 1 bash -c "vhdkit $c '$tmp/good.vhd' >/dev/full"
    assert_grep "No space left on device" "$tmp/err"
    status 1 bash -c "vhdkit $c '$tmp/good.vhd' >&-"
done
status 1 bash -c 'vhdkit --help >/dev/full'
status 1 bash -c "trap '' PIPE
    exec 3> >(exec true 3>&-); wait \$!
    vhdkit info '$tmp/good.vhd' >&3"

# Nothing is written into an image that gets a standard descriptor's number.
before=$(sha256sum <"$tmp/good.vhd")
vhdkit info "$tmp/good.vhd" <&- >&- 2>&- || :
vhdkit check "$tmp/random" <&- >&- 2>&- || :
assert_equal "$(sha256sum <"$tmp/good.vhd")" "$before" "the image"
