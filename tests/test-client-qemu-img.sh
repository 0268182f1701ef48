#!/bin/bash -
# qemu-img converts from and to our exports, and agrees on the content of the
# file where it can read it (dynamic and fixed).
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires qemu-img --version

cd "$tmp"
random_file in.raw 23M
fallocate -p -o 5M -l 4M in.raw
vhdkit create dynamic.vhd 23M
vhdkit create --type fixed fixed.vhd 23M
base_image base.vhd 23M
child_image child.vhd base.vhd

for image in dynamic fixed child; do
    serve vhd $image.vhd \
        --run 'qemu-img convert -n -f raw -O raw in.raw "$uri"'
    serve -r vhd $image.vhd \
        --run 'qemu-img compare -f raw -F raw in.raw "$uri"' >out ||
        { cat out; fail "$image: other content"; }
    serve -r vhd $image.vhd \
        --run 'qemu-img convert -f raw -O qcow2 "$uri" out.qcow2'
    qemu-img compare -f raw -F qcow2 in.raw out.qcow2 >out ||
        { cat out; fail "$image: other content comes out"; }
    rm out.qcow2
    check_clean $image.vhd
done
for image in dynamic fixed; do
    qemu-img compare -f raw -F vpc in.raw $image.vhd >out ||
        { cat out; fail "qemu reads other content in $image.vhd"; }
done
