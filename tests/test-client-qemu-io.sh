#!/bin/bash -
# qemu as client: patterns written by qemu-io over NBD are there for qemu-io,
# through the NBD server and, for a dynamic image, in the file.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires qemu-io --version

cd "$tmp"
base_image base.vhd
sha256sum <base.vhd >base.sum
child_image child.vhd base.vhd
vhdkit create dynamic.vhd 24M

qemu_io ()
{
    local image=$1
    shift
    serve vhd "$image" --run "qemu-io -f raw -d unmap $* \"\$uri\"" \
        >out 2>&1 || { cat out; fail "qemu-io on $image"; }
    if grep -E 'failed|error' out; then fail "qemu-io on $image"; fi
}
for image in dynamic.vhd child.vhd; do
    qemu_io $image "-c 'write -P 1 0 1M' -c 'write -P 2 3000000 3000000' \
        -c 'write -f -P 3 1000 77' -c 'write -z 5000000 100000' \
        -c 'write -z -u 6M 2M' -c 'discard 10M 4M' -c flush \
        -c 'aio_write -P 4 16M 1M' -c 'aio_write -P 5 17M 1M' -c aio_flush"
    qemu_io $image "-c 'read -P 1 0 1000' -c 'read -P 3 1000 77' \
        -c 'read -P 1 1077 1047499' -c 'read -P 2 3000000 2000000' \
        -c 'read -P 0 5000000 100000' -c 'read -P 2 5100000 900000' \
        -c 'read -P 0 6M 2M' -c 'read -P 4 16M 1M' -c 'read -P 5 17M 1M'"
    check_clean $image
done
qemu-io -r -f vpc -c 'read -P 2 5100000 900000' -c 'read -P 5 17M 1M' \
    dynamic.vhd >out 2>&1 || { cat out; fail 'qemu reads other data'; }
if grep -E 'failed|error' out; then fail 'qemu reads other data'; fi
sha256sum <base.vhd | cmp - base.sum || fail 'the parent was changed'
