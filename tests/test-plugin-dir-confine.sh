#!/bin/bash -
# With dir= nothing outside of the directory is opened: not by a client's
# export name, not through a symbolic link, not as the parent that an image
# names.  Directories given with search= are allowed.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_openat2
requires_nbd_python

mkdir "$tmp/outside" "$tmp/dir" "$tmp/dir/sub" "$tmp/library"
cd "$tmp"
vhdkit create outside/secret.vhd 4M
serve vhd outside/secret.vhd \
    --run "nbdsh -u \"\$uri\" -c 'h.pwrite(b\"secret\", 0)'"
vhdkit create dir/base.vhd 4M
vhdkit create library/library.vhd 4M
child_image dir/sub/child.vhd dir/base.vhd
child_image dir/thief.vhd outside/secret.vhd
child_image dir/reader.vhd library/library.vhd
ln -s ../outside/secret.vhd dir/link.vhd
ln -s "$tmp/outside/secret.vhd" dir/absolute.vhd
ln -s ../outside dir/away
ln -s base.vhd dir/inside.vhd
# A parent inside that is a link to the outside.
child_image dir/sly.vhd outside/secret.vhd
ln -s ../outside/secret.vhd dir/secret.vhd

start_nbdkit server vhd dir=dir
for name in ../outside/secret.vhd sub/../../outside/secret.vhd \
            "$tmp/outside/secret.vhd" /outside/secret.vhd \
            .. . sub sub/ ./base.vhd sub//child.vhd \
            link.vhd absolute.vhd away/secret.vhd \
            thief.vhd sly.vhd reader.vhd 'base.vhd%0Ax' 'base.vhd%1Bx'; do
    assert_fails nbdinfo --size "$(uri server "$name")"
done
if grep -q $'\033' "$tmp/server.log"; then
    fail 'a client can write escape sequences into the log'
fi
for name in base.vhd inside.vhd sub/child.vhd; do
    assert_equal "$(nbdinfo --size "$(uri server $name)")" 4194304
done
# They are images all the same, so they are listed; not the links.
nbdinfo --list "$(uri server)" >list 2>&1 || :
stop_nbdkit server

start_nbdkit server vhd dir=dir search=library
assert_equal "$(nbdinfo --size "$(uri server reader.vhd)")" 4194304
assert_fails nbdinfo --size "$(uri server thief.vhd)"
stop_nbdkit server

# Named by the operator, an image may have its parents anywhere.
serve vhd dir/thief.vhd \
    --run "nbdsh -u \"\$uri\" -c 'assert h.pread(6, 0) == b\"secret\"'"
