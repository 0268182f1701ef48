#!/bin/bash -
# What nbdinfo says of an image: size, flags, block sizes, description, map.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires nbdinfo --version
requires jq --version

cd "$tmp"
vhdkit create base.vhd 40M
child_image child.vhd base.vhd
vhdkit create --type fixed fixed.vhd 4100K

# info IMAGE FILTER [NBDKIT OPTION...]
info ()
{
    local image=$1 filter=$2
    shift 2
    serve "$@" vhd "$image" --run 'nbdinfo --json "$uri"' |
        jq -r ".exports[0] | $filter"
}
flags='[.is_read_only, .can_flush, .can_fua, .can_multi_conn, .can_trim,
        .can_zero, .can_fast_zero, .can_cache, .is_rotational] | map(tostring)
       | join(" ")'

for image in base.vhd child.vhd; do
    assert_equal "$(info $image '."export-size"')" 41943040
    assert_equal "$(info $image "$flags")" \
        'false true true true true true true true false' "flags of $image"
done
assert_equal "$(info fixed.vhd '."export-size"')" 4198400
assert_equal "$(info base.vhd .is_read_only -r)" true
assert_equal "$(info base.vhd .can_multi_conn -r)" true
assert_equal "$(info base.vhd '[.block_size_minimum, .block_size_preferred,
    .block_size_maximum] | map(tostring) | join(" ")')" '1 4096 67108864'

assert_equal "$(info base.vhd .description)" 'dynamic VHD, 40 MiB'
assert_equal "$(info fixed.vhd .description)" 'fixed VHD, 4.0 MiB'
assert_equal "$(info child.vhd .description)" \
    'differencing VHD, 40 MiB, parent base.vhd'

# Any export name gets the image.
assert_equal "$(info base.vhd '."export-size"' -e whatever)" 41943040

serve vhd child.vhd --run 'nbdinfo --list --json "$uri"' |
    jq -r '.exports | length' >count
assert_equal "$(cat count)" 1
serve vhd child.vhd --run 'nbdinfo --map "$uri"' >map
assert_grep '^ *0 +41943040 +3 +hole,zero$' map
