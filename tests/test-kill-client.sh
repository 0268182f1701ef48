#!/bin/bash -
# Clients that vanish in the middle of requests leave a server that serves the
# others, and an image that is sound.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python

cd "$tmp"
base_image base.vhd 9M
child_image child.vhd base.vhd
: >journal
aborted=
served ()
{
    assert_equal "$(nbdinfo --size "$(uri server)")" 9437184
}
start_nbdkit server vhd file=child.vhd
for round in 1 2 3 4 5; do
    python3 "$clients/stamp.py" write "$(uri server)" journal $round &
    writer=$!
    sleep 0.$((RANDOM % 4 + 3))
    kill -9 $writer
    wait $writer || :
    # Unless nbdkit itself aborts, soon or late.  Then another must find the
    # image sound.
    (served) || {
        nbdkit_aborted server || fail 'the server serves nobody'
        aborted=yes
        kill_nbdkit server
        : >server.log
        start_nbdkit server vhd file=child.vhd
        served
    }
done
pid=$(pid_of server)
unset 'nbdkit_pids[server]'
kill $pid 2>/dev/null || :
status=0
wait $pid || status=$?
if [ $status -ne 0 ]; then
    nbdkit_aborted server || fail "nbdkit ended with status $status"
    aborted=yes
fi
# After an abort, blocks that no table entry leads to yet are lost space: 3.
status=0
vhdkit check child.vhd >check.log 2>&1 || status=$?
[ $status -eq 0 ] || [ "$aborted-$status" = yes-3 ] ||
    { cat check.log; fail "check says $status"; }
