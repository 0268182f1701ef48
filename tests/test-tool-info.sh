#!/bin/bash -
# vhdkit info: fields, both sizes, the chain, the search for the parent.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
requires jq --version
requires qemu-img --version
cd "$tmp"

# shows FILE PATTERN: in words.
shows ()
{
    vhdkit info "$1" >out 2>err
    assert_grep "$2" out
}

# Every field has the value that was put in.
python3 - <<'PYTHON'
import vhd
image = vhd.new(vhd.DYNAMIC, 41943040, style='vbox', id=bytes(range(16)),
                timestamp=0x18000000, saved_state=1, hidden=1,
                original_size=31457280)
image.blocks = {3: vhd.Block(b'x')}
image.save('vbox.vhd')
vhd.new(vhd.DYNAMIC, 136365211648, style='vpc',
        id=bytes(range(16))).save('vpc.vhd')
vhd.new(vhd.DYNAMIC, 41943040, style='win10').save('win.vhd')
PYTHON
vhdkit info --json vbox.vhd >out
jq -e '.type == "dynamic" and .format == "vhd" and
       ."virtual-size" == 41943040 and ."geometry-size" == 41909760 and
       ."original-size" == 31457280 and
       .cylinders == 963 and .heads == 5 and .sectors == 17 and
       .id == "03020100-0504-0706-0809-0a0b0c0d0e0f" and
       .timestamp == 402653184 and .date == "2012-10-04T08:06:24Z" and
       .creator == "vbox" and ."creator-name" == "VirtualBox" and
       ."creator-version" == "4.3" and ."creator-os" == "Wi2k" and
       ."saved-state" and .hidden and (."footer-missing" | not) and
       ."block-size" == 2097152 and ."table-entries" == 20 and
       ."table-offset" == 1536 and ."header-offset" == 512 and
       ."blocks-allocated" == 1' out >/dev/null || { cat out; fail "fields"; }
assert_equal "$(jq '."file-size"' out)" "$(stat -c %s vbox.vhd)"
shows vbox.vhd '^virtual size: +40 MiB \(41943040 bytes\)$'
shows vbox.vhd '^geometry: .* 40 MiB \(41909760 bytes\)$'
shows vbox.vhd '33280 bytes less than the virtual size'
shows vbox.vhd '^saved state: +yes$'
shows vbox.vhd '^created: +2012-10-04T08:06:24Z$'
# Both sizes, and who goes by which.
shows vbox.vhd 'qemu before 10.0 would present'
shows vpc.vhd 'Virtual PC and qemu would present'
vhdkit info win.vhd >out
if grep -q 'would present' out; then fail "qemu knows creator win"; fi
# Ids in the order of bytes that their creator uses.
assert_equal "$(vhdkit info --json vpc.vhd | jq -r .id)" \
             00010203-0405-0607-0809-0a0b0c0d0e0f

# qemu's words for the same image.
qemu-img create -q -f vpc qemu.vhd 20M
vhdkit info --json qemu.vhd >ours
qemu-img info -f vpc --output=json qemu.vhd >theirs
for key in virtual-size filename actual-size; do
    assert_equal "$(jq ".\"$key\"" ours)" "$(jq ".\"$key\"" theirs)" $key
done

# The chain.
vhdkit create base.vhd 8M
vhdkit create -B base.vhd middle.vhd
vhdkit create -B middle.vhd top.vhd
vhdkit info --chain --json top.vhd >out
assert_equal "$(jq -r 'map(.filename | sub(".*/"; "")) | join(" ")' out)" \
             "top.vhd middle.vhd base.vhd"
assert_equal "$(jq -r '.[0]."backing-filename"' out)" \
             "$(jq -r '.[1].filename' out)"
assert_equal "$(vhdkit info --backing-chain top.vhd | grep -c '^image:')" 3
assert_equal "$(vhdkit info top.vhd | grep -c '^image:')" 1
vhdkit info --json top.vhd | jq -e '."parent-resolved" and
    ."parent-state" == "ok" and (."parent-locators" | length) > 0 and
    (."parent-search" | map(select(.used)) | length) == 1' >/dev/null

# The parent is gone: shown, with every path tried, and no failure.
mkdir away
mv middle.vhd away
vhdkit info top.vhd >out 2>err
assert_grep '^parent: +missing' out
assert_grep '^parent search: .*middle.vhd: no such file' out
assert_grep '^vhdkit: info: .*warning: ' err
vhdkit info --json --chain top.vhd >out 2>err
jq -e 'length == 1 and (.[0]."parent-resolved" | not) and
    .[0]."backing-filename" == null and
    (.[0]."parent-search" | length) > 0' out >/dev/null
# It is found where one says.  Its own parent is in another place then.
vhdkit info --json --search away --search . --chain top.vhd >out
assert_equal "$(jq length out)" 3
vhdkit info --json --parent away/middle.vhd --search . --chain top.vhd >out
assert_equal "$(jq length out)" 3
assert_equal "$(jq -r '.[0]."parent-search"[] | select(.used).source' out)" \
             parent=
# Another image in its place is not taken for it.
vhdkit create middle.vhd 8M
vhdkit info top.vhd >out 2>err
assert_grep '^parent: +unusable: .*id' out
# Nobody looks.
vhdkit info --no-resolve top.vhd >out 2>err
assert_grep '^parent: +not looked for' out
[ ! -s err ] || fail "a warning about what was not asked for"

# An image in use can be looked at without a lock.
requires_plugin
start_nbdkit one vhd file=base.vhd
nbdinfo --size "$(uri one)" >/dev/null
vhdkit info -U base.vhd >out
vhdkit info --force-share base.vhd >out
assert_grep '^type: +dynamic' out
