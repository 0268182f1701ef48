#!/bin/bash -
# vhdkit chain: a line for each layer, and how its parent was found.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
requires jq --version
cd "$tmp"

vhdkit create -t fixed base.vhd 4M
vhdkit create -B base.vhd middle.vhd
vhdkit create -B middle.vhd top.vhd

vhdkit chain top.vhd >out
assert_equal "$(wc -l <out)" 4 lines
assert_grep '^Depth +Type +Virtual size' out
assert_grep '^0 +differencing +4 MiB .* ok \(W2ru\) +.*top.vhd$' out
assert_grep '^2 +fixed +4 MiB .* none +.*base.vhd$' out
id=$(vhdkit info --json middle.vhd | jq -r .id)
assert_grep "^1 .* $id " out

vhdkit chain --json top.vhd >out
jq -e 'map(.depth) == [0, 1, 2] and
       map(.type) == ["differencing", "differencing", "fixed"] and
       map(."parent-state") == ["ok", "ok", "none"] and
       .[0]."parent-source" == "W2ru" and .[0]."parent-id" == .[1].id' \
    out >/dev/null || { cat out; fail "JSON"; }

# A raw base, named by hand.
truncate -s 4M raw
vhdkit create -B raw --raw-parent over-raw.vhd
vhdkit chain --parent raw:raw over-raw.vhd >out
assert_grep '^1 +raw +4 MiB ' out

# 64 layers.
previous=base.vhd
for ((i = 1; i < 64; i++)); do
    vhdkit create -B $previous layer$i.vhd
    previous=layer$i.vhd
done
assert_equal "$(vhdkit chain --json layer63.vhd | jq length)" 64

# Broken: what there is, with the reason; the status is still 0.
cp middle.vhd kept.vhd
vhdkit create other.vhd 4M
mv other.vhd middle.vhd
vhdkit chain top.vhd >out 2>err
assert_grep '^0 .* unusable: .*id' out
assert_equal "$(wc -l <out)" 2 lines
assert_grep '^vhdkit: chain: .*warning: ' err
vhdkit chain --json top.vhd 2>/dev/null |
    jq -e 'length == 1 and .[0]."parent-state" == "unusable" and
           (.[0]."parent-outcome" | length) > 0' >/dev/null
vhdkit chain --parent kept.vhd top.vhd >out
assert_grep '^0 .* ok \(parent=\)' out
vhdkit chain --no-resolve top.vhd >out
assert_grep '^0 .* not looked for' out

# A cycle ends.
python3 - <<'PYTHON'
import vhd
a, b = bytes([1]) * 16, bytes([2]) * 16
for name, own, parent, of in (('a', a, b, 'b.vhd'), ('b', b, a, 'a.vhd')):
    image = vhd.new(vhd.DIFFERENCING, 4 << 20, id=own,
                    parent=vhd.Footer(id=parent), parent_name=of)
    image.save(name + '.vhd')
PYTHON
status=0
timeout 20 vhdkit chain a.vhd >out 2>err || status=$?
[ $status -le 1 ] || fail "status $status for a cycle"
cat out err >both
assert_grep 'cycle|chain' both
