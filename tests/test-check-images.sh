#!/bin/bash -
# Images in the manner of every program that makes them have no errors and no
# leaks; the exit status says what check found.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
requires python3 -c 'import vhd'

cd "$tmp"
python3 "$srcdir/images/generate.py" --only 'good-*' "$tmp"
# Those that need an option to be opened have it in column 8.
awk -F'\t' 'NR > 1 && $8 == "-" { print $1 }' manifest.tsv >names
assert_grep . names
while IFS= read -r name; do
    vhdkit check --data "$name" >out 2>&1 ||
        { cat out; fail "$name: status $?"; }
done <names

# status EXPECTED FILE
status ()
{
    local r=0
    vhdkit check "$2" >out 2>&1 || r=$?
    [ $r = $1 ] || { cat out; fail "$2: status $r, expected $1"; }
}
status 1 absent.vhd
status 1 manifest.tsv
vhdkit create a.vhd 8M
status 0 a.vhd
python3 -c 'import vhd; vhd.edit_entry ("a.vhd", 2, 1)'
status 2 a.vhd
# A block's worth of something between the table and the footer.
vhdkit create b.vhd 8M
python3 - <<'EOF'
data = open ('b.vhd', 'rb').read ()
with open ('b.vhd', 'wb') as f:
    f.write (data[:0x1e00] + b'x' * 0x201000 + data[-512:])
EOF
status 3 b.vhd
