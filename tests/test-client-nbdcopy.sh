#!/bin/bash -
# nbdcopy into images of each type and out again, over several connections.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires nbdcopy --version

cd "$tmp"
random_file in.raw 23M
# Holes: in the middle of blocks, and a whole block.
fallocate -p -o 1000000 -l 3000000 in.raw
fallocate -p -o 9M -l 5M in.raw

vhdkit create dynamic.vhd 23M
vhdkit create --block-size 512K small.vhd 23M
vhdkit create --type fixed fixed.vhd 23M
base_image base.vhd 23M
child_image child.vhd base.vhd
sha256sum <base.vhd >base.sum

for image in dynamic small fixed child; do
    serve vhd $image.vhd --run 'nbdcopy in.raw "$uri"'
    serve -r vhd $image.vhd --run 'nbdcopy "$uri" out.raw'
    cmp in.raw out.raw || fail "$image: other data comes out"
    rm out.raw
    # As one stream, too.
    assert_equal "$(sha256_of_image $image.vhd)" \
        "$(sha256sum <in.raw | cut -d' ' -f1)" "content of $image"
    check_clean $image.vhd
done
sha256sum <base.vhd | cmp - base.sum || fail 'the parent was changed'

# Straight from one image to another.
vhdkit create copy.vhd 23M
start_nbdkit from -r vhd file=child.vhd
start_nbdkit to vhd file=copy.vhd
nbdcopy "$(uri from)" "$(uri to)"
stop_nbdkit to
stop_nbdkit from
assert_equal "$(sha256_of_image copy.vhd)" "$(sha256sum <in.raw | cut -d' ' -f1)"
