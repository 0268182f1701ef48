#!/bin/bash -
# A chain whose files were moved: the message says where the parent was looked
# for and what to do, and doing so serves the data.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python

cd "$tmp"
mkdir vm bases
vhdkit create bases/base.vhd 8M
nbdkit -U - vhd bases/base.vhd \
    --run 'nbdsh -u "$uri" -c "h.pwrite(b\"x\" * 512, 4096)"'
vhdkit create --parent bases/base.vhd vm/child.vhd
expected=$(sha256_of_image bases/base.vhd)
assert_equal "$(sha256_of_image vm/child.vhd)" "$expected" 'where it was made'

# To another folder: neither the relative nor the absolute path is right now.
mkdir elsewhere
mv bases/base.vhd elsewhere/base.vhd
assert_fails nbdkit -U - -r vhd vm/child.vhd --run true
assert_grep "$tmp/bases/base.vhd .W2ru.: no such file" stderr
assert_grep "$tmp/vm/base.vhd .name.: no such file" stderr
assert_grep 'parent=FILE.*search=DIRECTORY' stderr
for key in parent=elsewhere/base.vhd search=elsewhere; do
    assert_equal "$(sha256_of_image vm/child.vhd $key)" "$expected" "$key"
done

# Beside the child, in capitals, as it came from Windows.
mv elsewhere/base.vhd vm/BASE.VHD
assert_equal "$(sha256_of_image vm/child.vhd)" "$expected" 'beside the child'

# Another disk of that name is not taken, unless one insists.
mv vm/BASE.VHD elsewhere/renamed.vhd
vhdkit create bases/base.vhd 8M
assert_fails nbdkit -U - -r vhd vm/child.vhd --run true
assert_grep 'it has another id' stderr
vhdkit create empty.vhd 8M
assert_equal "$(sha256_of_image vm/child.vhd ignore-parent-id=true)" \
    "$(sha256_of_image empty.vhd)" 'another id'

# The parent as a raw file.
nbdkit -U - -r vhd elsewhere/renamed.vhd --run 'nbdcopy "$uri" base.img'
assert_fails nbdkit -U - -r vhd vm/child.vhd parent=base.img --run true
assert_grep 'say raw:FILE' stderr
assert_equal "$(sha256_of_image vm/child.vhd parent=raw:base.img)" \
    "$expected" 'raw parent'
