#!/bin/bash -
# SIGKILL at any moment: the image opens, "vhdkit check" finds no damage, and
# what was flushed is there, round after round on the same image.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python

cd "$tmp"
base_image base.vhd 9M
serve -r vhd base.vhd --run 'nbdcopy "$uri" base.raw'
sha256sum <base.vhd >base.sum

for image in child dynamic; do
    if [ $image = child ]; then
        child_image child.vhd base.vhd
        original=base.raw
    else
        vhdkit create --block-size 512K dynamic.vhd 20M
        original=
    fi
    : >journal
    for round in {1..6}; do
        start_nbdkit server vhd file=$image.vhd commit-interval=$((round % 2))
        python3 "$clients/stamp.py" write "$(uri server)" journal $round &
        writer=$!
        sleep 0.$((RANDOM % 5 + 2))
        kill_nbdkit server
        wait $writer || fail 'the writer failed'
        # Blocks that no table entry leads to yet are lost space: 3.
        status=0
        vhdkit check $image.vhd >check.log 2>&1 || status=$?
        [ $status -eq 0 ] || [ $status -eq 3 ] ||
            { cat check.log; fail "round $round: check says $status"; }
        serve -r vhd $image.vhd --run \
            "python3 '$clients/stamp.py' verify \"\$uri\" journal $original"
    done
done
sha256sum <base.vhd | cmp - base.sum || fail 'the parent was changed'
