#!/bin/bash -
# vhdkit serve: the command line of nbdkit that it makes, and that it works.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
cd "$tmp"
vhdkit create disk.vhd 4M
mkdir images
vhdkit create images/one.vhd 4M

# line EXPECTED ARGS...: what --dry-run shows; PLUGIN is the plugin.
line ()
{
    local expected=$1 found
    shift
    found=$(VHD_PLUGIN=PLUGIN vhdkit serve --dry-run "$@")
    assert_equal "$found" "$expected" "serve --dry-run $*"
}

line "nbdkit -f -i 127.0.0.1 PLUGIN file=$tmp/disk.vhd" disk.vhd
line "nbdkit -f -i 127.0.0.1 PLUGIN file=$tmp/disk.vhd" "$tmp/disk.vhd"
line "nbdkit -f -i 127.0.0.1 PLUGIN dir=$tmp/images" images
line "nbdkit -f -i 127.0.0.1 -r --port=99 --threads=3 PLUGIN file=$tmp/disk.vhd" \
     -r -p 99 -t 3 disk.vhd
line "nbdkit -f -i 127.0.0.1 --port=65535 PLUGIN file=$tmp/disk.vhd" \
     -p 65535 disk.vhd
line "nbdkit -f -i 127.0.0.1 --port=nbd PLUGIN file=$tmp/disk.vhd" \
     -p nbd disk.vhd
line "nbdkit -f --unix=$tmp/s PLUGIN file=$tmp/disk.vhd" disk.vhd -k s
line "nbdkit -f -i 127.0.0.1 PLUGIN file=$tmp/disk.vhd parent=$tmp/p parent=raw:$tmp/r search=$tmp/images mode=ro commit-interval=7" \
     --parent p --parent raw:r --search images --mode=ro \
     --commit-interval 7 disk.vhd
line "nbdkit -f -i 127.0.0.1 PLUGIN file=$tmp/disk.vhd --filter=cow -v a=b" \
     disk.vhd -- --filter=cow -v a=b
# Without VHD_PLUGIN it is the installed one.
assert_equal "$(unset VHD_PLUGIN; vhdkit serve --dry-run disk.vhd)" \
             "nbdkit -f -i 127.0.0.1 vhd file=$tmp/disk.vhd"

# Any name, quoted so that a shell reads it as it was.
for name in 'a b' "it's" $'new\nline' '$HOME' 'a=b' '-dash' $'\xff\e"\\'; do
    cp disk.vhd "./$name"
    shown=$(VHD_PLUGIN=PLUGIN vhdkit serve --dry-run "./$name")
    assert_equal "$(wc -l <<<"$shown")" 1 "lines for $(printf %q "$name")"
    eval "set -- $shown"
    assert_equal "$6" "file=$tmp/./$name" "the name after a shell"
    rm "./$name"
done

# What does not fit.
status=0
vhdkit serve -p 1 -k s disk.vhd 2>err || status=$?
assert_equal $status 2 "status of two places to listen"
for port in 65536 99999 '' 18446744073709562426; do
    status=0
    vhdkit serve --dry-run -p "$port" disk.vhd >out 2>err || status=$?
    assert_equal $status 2 "status of port '$port'"
done
status=0
vhdkit serve 2>err -- disk.vhd || status=$?
assert_equal $status 2 "status of an image after --"
assert_fails env PATH=/nonexistent "$(command -v vhdkit)" serve disk.vhd
assert_grep '^vhdkit: serve: nbdkit: ' stderr

# It serves.
requires_plugin
requires nbdinfo --version
requires qemu-io --version
assert_equal "$(vhdkit serve -k "$tmp/s1" disk.vhd -- \
                       --run 'nbdinfo --size "$uri"')" 4194304 size
! have_openat2 ||
    assert_equal "$(vhdkit serve -r -k s2 images -- \
        --run 'nbdinfo --size "nbd+unix:///one.vhd?socket=$unixsocket"')" \
        4194304 "size of an image of a directory"

# In the foreground, until SIGTERM, and then what was written is there.
vhdkit serve -k "$tmp/s3" disk.vhd -- -P "$tmp/pid" &
server=$!
stop_server ()
{
    kill -9 $server 2>/dev/null || :
}
cleanup_fn stop_server
wait_for test -s pid
assert_equal "$(cat pid)" $server "the process"
qemu-io -f raw -c 'write -P 120 1M 512' "nbd+unix:///?socket=$tmp/s3" >out
kill $server
wait $server
start_nbdkit reader -r vhd disk.vhd
qemu-io -r -f raw -c 'read -P 120 1M 512' "$(uri reader)" >out
stop_nbdkit reader
if grep -i 'verification failed' out; then fail "the write is lost"; fi
vhdkit check -q disk.vhd
