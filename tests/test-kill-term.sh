#!/bin/bash -
# SIGTERM in the middle of writes: the server commits and ends; the image is
# clean, and all that was answered is there.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python

cd "$tmp"
base_image base.vhd 9M
serve -r vhd base.vhd --run 'nbdcopy "$uri" base.raw'
child_image child.vhd base.vhd
: >journal
for round in 1 2 3 4 5; do
    start_nbdkit server vhd file=child.vhd commit-interval=0
    python3 "$clients/stamp.py" write "$(uri server)" journal $round &
    writer=$!
    sleep 0.$((RANDOM % 5 + 3))
    stop_nbdkit server
    wait $writer || fail 'the writer failed'
    # All that was answered counts as flushed.
    printf 'f\nF\n' >>journal
    check_clean child.vhd
    serve -r vhd child.vhd \
        --run "python3 '$clients/stamp.py' verify \"\$uri\" journal base.raw"
done
