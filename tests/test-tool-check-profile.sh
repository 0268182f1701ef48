#!/bin/bash -
# vhdkit check --profile: each rule, in words and in JSON, and the exit status.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
requires qemu-img --version
requires jq --version
cd "$tmp"

# judged STATUS PROFILE FILE [RULE=RESULT...]: these rules, and no other is
# broken or a warning.
judged ()
{
    local expected=$1 profile=$2 file=$3 found=0 r
    shift 3
    vhdkit check --json --profile "$profile" "$file" >out 2>err || found=$?
    [ $found -eq "$expected" ] ||
        { cat out err; fail "status $found, not $expected: $profile $file"; }
    jq -r '.profile.rules[] | select(.result != "ok") |
           .rule + "=" + .result' out | sort >rules
    printf '%s\n' "$@" | sort | grep . >expected || :
    diff expected rules || { cat out; fail "< expected, > found: $file"; }
    jq -e --arg p "$profile" '.profile.name == $p and
        (.profile.rules | all(.found and .expected and .reason)) and
        .profile.fit == (.profile.broken == 0)' out >/dev/null || fail JSON
    # In words, and not at all.
    found=0
    vhdkit check --profile "$profile" "$file" >words || found=$?
    assert_equal $found "$expected" "status in words"
    for r in "$@"; do
        assert_grep "^  ${r#*=} +${r%=*}: .*; expected .*: " words
    done
    if jq -e .profile.fit out >/dev/null; then
        assert_grep '^Verdict: fit for ' words
    else
        assert_grep '^Verdict: not fit for ' words
    fi
    found=0
    vhdkit check -q --profile "$profile" "$file" >words || found=$?
    assert_equal $found "$expected" "status with -q"
    [ ! -s words ] || fail "-q says something"
}

# What we make is fit for what it was made for.
vhdkit create dynamic.vhd 64M
vhdkit create -t fixed fixed.vhd 64M
vhdkit create -B dynamic.vhd child.vhd
for f in dynamic fixed child; do
    judged 0 hyperv $f.vhd
    judged 0 vs2005 $f.vhd
done
judged 0 xen dynamic.vhd
judged 0 xen child.vhd
judged 0 xen fixed.vhd type=warning
judged 0 azure fixed.vhd
judged 4 azure dynamic.vhd type=broken file-size=broken
judged 4 azure child.vhd type=broken file-size=broken

# Sizes.
vhdkit create -t fixed odd.vhd 20972032
judged 4 azure odd.vhd size=broken
judged 0 vs2005 odd.vhd size=warning
judged 0 xen odd.vhd size=warning type=warning
judged 0 hyperv odd.vhd
vhdkit create -t fixed small.vhd 3M
judged 0 azure small.vhd smallest=warning

# Blocks.
vhdkit create -b 512K blocks.vhd 64M
judged 0 hyperv blocks.vhd
judged 4 xen blocks.vhd block-size=broken
python3 - <<'PYTHON'
import vhd
image = vhd.new(vhd.DYNAMIC, 8 << 20, block_size=4 << 20, id=b'\4' * 16)
image.save('four.vhd')
PYTHON
judged 4 hyperv four.vhd block-size=broken
judged 4 vs2005 four.vhd block-size=broken

# As qemu-img makes them: for Azure the size is wrong, for the others the
# geometry of force_size.
qemu-img create -q -f vpc -o subformat=fixed qemu.vhd 64M
judged 4 azure qemu.vhd size=broken
qemu-img create -q -f vpc -o subformat=fixed,force_size=on force.vhd 64M
judged 0 azure force.vhd
judged 4 vs2005 force.vhd geometry=broken
judged 4 xen force.vhd geometry=broken type=warning

# Footers.
python3 - <<'PYTHON'
import vhd
def make(name, **change):
    image = vhd.new(vhd.DYNAMIC, 64 << 20, **change)
    image.save(name)
def patched(name, footer=None, copy=None):
    """Change fields of the footer at the end, or of its copy."""
    data = bytearray(open('dynamic.vhd', 'rb').read())
    for at, change in ((len(data) - 512, footer), (0, copy)):
        for offset, value in (change or {}).items():
            data[at + offset] = value
        data[at + 64:at + 68] = bytes(4)
        total = ~sum(data[at:at + 512]) & 0xffffffff
        data[at + 64:at + 68] = total.to_bytes(4, 'big')
    open(name, 'wb').write(data)
both = lambda name, change: patched(name, change, change)
both('features.vhd', {0x0b: 0x0a})
both('saved.vhd', {0x54: 1})
both('id.vhd', {n: 0 for n in range(0x44, 0x54)})
patched('copy.vhd', copy={0x18: 0x7f})
both('tap.vhd', dict(zip(range(0x1c, 0x24), b'tap\0\0\1\0\3')))
PYTHON
judged 4 hyperv features.vhd features=broken
judged 0 hyperv saved.vhd saved-state=warning
judged 0 xen id.vhd id=warning
judged 4 xen copy.vhd footers=broken
judged 4 xen tap.vhd batmap=broken
judged 0 hyperv tap.vhd
cp dynamic.vhd dynamic.img
judged 0 hyperv dynamic.img name=warning

# Parents.
truncate -s 64M raw
vhdkit create -B raw:raw over-raw.vhd
status=0
vhdkit check --json --profile hyperv --parent raw:raw over-raw.vhd >out ||
    status=$?
assert_equal $status 4
assert_equal "$(jq -r '.profile.rules[] | select(.result == "broken") | .rule' \
                   out)" parents
touch -d '2001-01-01' dynamic.vhd
judged 0 hyperv child.vhd parent-time=warning
mv dynamic.vhd moved.vhd
judged 2 hyperv child.vhd damage=broken parents=broken
mv moved.vhd dynamic.vhd

# Damage comes first; space that is lost does not.
cp fixed.vhd damaged.vhd
cp dynamic.vhd damaged.vhd
python3 - <<'PYTHON'
with open('damaged.vhd', 'r+b') as f:
    f.seek(0x600)
    f.write(b'\x00\x7f\xff\xff')
PYTHON
judged 2 hyperv damaged.vhd damage=broken
head -c 100000 /dev/zero >zeros
for args in 'azure zeros' 'azure missing.vhd' 'vmware dynamic.vhd'; do
    status=0
    vhdkit check --profile $args >out 2>err || status=$?
    assert_equal $status 1 "status of $args"
    [ ! -s out ]
done
