#!/bin/bash -
# vhdkit check: exit statuses, findings in words and in JSON, the whole chain,
# and the two damages that qemu leaves.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
requires jq --version
cd "$tmp"

# Content and time of a file, if there is one.
state_of ()
{
    [ ! -e "$1" ] || { sha256sum "$1"; stat -c %y "$1"; }
}

# checked STATUS ARGS...: leaves out and err.  Nothing is written.
checked ()
{
    local expected=$1 file=${!#} found=0 before
    shift
    before=$(state_of "$file")
    vhdkit check "$@" >out 2>err || found=$?
    [ $found -eq "$expected" ] ||
        { cat out err; fail "status $found, not $expected: check $*"; }
    assert_equal "$(state_of "$file")" "$before" "the image"
}

# Sound.
vhdkit create good.vhd 8M
vhdkit create -B good.vhd child.vhd
checked 0 good.vhd
assert_grep '^No errors were found on the image.$' out
assert_grep '^0 errors, 0 leaks, ' out
assert_grep "^Image end offset: [0-9]+$" out
checked 0 child.vhd
checked 0 --data child.vhd
checked 0 -q child.vhd
[ ! -s out ] && [ ! -s err ] || fail "-q says something"
checked 0 --json child.vhd
jq -e '.filename == "child.vhd" and .format == "vhd" and .corruptions == 0 and
    .leaks == 0 and ."check-errors" == 0 and (.findings | type) == "array" and
    ."image-end-offset" > 0' out >/dev/null || { cat out; fail "JSON"; }

# Could not be checked.
checked 1 missing.vhd
checked 1 --json missing.vhd
[ ! -s out ]
head -c 4096 /dev/zero >zeros
checked 1 zeros

# Damaged: a table entry past the end of the file.
python3 - <<'PYTHON'
import struct, vhd
image = vhd.new(vhd.DYNAMIC, 8 << 20, style='qemu')
image.blocks = {0: vhd.Block(b'a'), 2: vhd.Block(b'b' * (2 << 20)), 3: vhd.Block(b'c')}
image.save('past.vhd')
with open('past.vhd', 'r+b') as f:
    f.seek(0x600 + 4)
    f.write(struct.pack('>I', 0x7fffff))
# Two entries share their space (qemu, after a failed allocation).
image.save('shared.vhd')
with open('shared.vhd', 'r+b') as f:
    f.seek(0x600 + 4)
    f.write(struct.pack('>I', image.table[0]))
# Space that no entry refers to.
image.save('leak.vhd')
with open('leak.vhd', 'r+b') as f:
    f.seek(0x600 + 8)
    f.write(b'\xff' * 4)
PYTHON
checked 2 past.vhd
assert_grep '^ERROR past.vhd: .* at offset 1540 \(0x604\): found .*, expected ' \
            out
assert_grep '^1 error, ' out
checked 2 -q past.vhd
[ ! -s out ] || fail "-q says something"
checked 2 --json past.vhd
jq -e '.corruptions == 1 and (.findings[] | select(.severity == "error") |
    .offset == 1540 and .filename == "past.vhd" and
    (.structure | length) > 0 and (.found | length) > 0 and
    (.expected | length) > 0 and (.meaning | length) > 0 and
    .code == "BAT_CORRUPT")' out >/dev/null || { cat out; fail "JSON"; }
checked 2 shared.vhd
assert_grep '^ERROR shared.vhd: ' out

checked 3 leak.vhd
assert_grep '^LEAK leak.vhd: ' out
assert_grep '1 leak \(' out
checked 3 --json leak.vhd
jq -e '.leaks == 1 and .corruptions == 0 and ."leaked-bytes" > 2000000' out \
    >/dev/null || { cat out; fail "JSON"; }

# Whole-block bitmaps over a parent with data: what qemu leaves of a child that
# it wrote to.  (Placed where qemu puts its blocks: not aligned.)
python3 - <<'PYTHON'
import vhd
parent = vhd.new(vhd.DYNAMIC, 8 << 20, style='qemu', id=b'\1' * 16)
parent.blocks = {0: vhd.Block(b'p' * (2 << 20))}
parent.save('parent.vhd')
image = vhd.new(vhd.DIFFERENCING, 8 << 20, style='qemu', id=b'\2' * 16,
                parent=parent.footer, parent_name='parent.vhd')
image.blocks = {0: vhd.Block(b'q' * 512)}
image.save('by-qemu.vhd')
PYTHON
checked 0 parent.vhd
vhdkit check by-qemu.vhd >out 2>err || :
assert_grep '^(ERROR|WARNING) by-qemu.vhd: .*bitmap' out

# The parent counts: damaged, gone, another one.
cp good.vhd kept.vhd
python3 - <<'PYTHON'
with open('good.vhd', 'r+b') as f:
    f.seek(0x600)
    f.write(b'\x00\x7f\xff\xff')
PYTHON
checked 2 child.vhd
assert_grep '^ERROR .*good.vhd: ' out
checked 0 --no-resolve child.vhd
mv good.vhd damaged.vhd
checked 2 child.vhd
assert_grep '^ERROR child.vhd: ' out
checked 0 --parent kept.vhd child.vhd
mkdir folder
mv kept.vhd folder/good.vhd
checked 0 --search folder child.vhd
