#!/bin/bash -
# vhdkit create, stopped by a signal at any moment, says so, ends in time with
# status 3, and leaves nothing.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
requires nbdkit --version
requires jq --version
cd "$tmp"
mkdir folder

# Is this process no longer the shell that becomes it?
has_begun ()
{
    [ "$(cat "/proc/$1/comm")" != bash ]
}

# Has it blocked SIGINT, because it reads it from a descriptor?
takes_signals ()
{
    grep -q '^SigBlk:.*[2367abef]$' "/proc/$1/status"
}

# interrupt SIGNAL SECONDS ARGS...: start, wait, stop.  SECONDS may be "ready":
# a moment after signals are no longer the end of it; or "lines": after the
# first of its progress.  Sets $status.
interrupt ()
{
    local signal=$1 seconds=$2 pid begun
    shift 2
    rm -f out
    vhdkit create "$@" >out 2>err &
    pid=$!
    wait_for has_begun $pid
    case $seconds in
        ready) wait_for takes_signals $pid; seconds=0.7 ;;
        lines) wait_for test -s out; seconds=0 ;;
    esac
    sleep "$seconds"
    begun=$SECONDS
    kill -"$signal" $pid 2>/dev/null || :
    status=0
    wait $pid || status=$?
    # None of the sources below has an end within that time, but for those
    # that are stopped at random moments.
    [ $((SECONDS - begun)) -lt 120 ] ||
        fail "SIG$signal took $((SECONDS - begun)) seconds: create $*"
}

# new_source ARGS...: a server of its own for each client that goes away, which
# nbdkit 1.32 does not always survive.
new_source ()
{
    kill_nbdkit source
    start_nbdkit source "$@"
    from=$(uri source)
}

nothing_left ()
{
    assert_equal "$(find folder -mindepth 1)" '' 'what is left'
}

# B-085: through the command: SIGINT, SIGTERM and SIGHUP cancel, and nothing
# is left
#
# A copy that would take many minutes: each signal, in each type.
slow=(--filter=delay pattern 64G rdelay=500ms)
for signal in INT TERM HUP; do
    for type in '-t fixed --sparse' '-t dynamic'; do
        new_source "${slow[@]}"
        interrupt $signal ready $type -S "$from" folder/new.vhd
        assert_equal $status 3 "status after SIG$signal"
        assert_grep '^vhdkit: create: folder/new.vhd: cancelled$' err
        [ ! -s out ] || fail "it has an answer"
        nothing_left
    done
done

# Folders that were made for it go, too.
new_source "${slow[@]}"
interrupt INT ready --parents -S "$from" folder/a/b/new.vhd
assert_equal $status 3
nothing_left

# At random moments: either it is whole, or there is nothing.
for i in $(seq 25); do
    rm -f folder/new.vhd
    new_source --filter=rate pattern 24M rate=400M burstiness=0.05
    interrupt INT 0.$((RANDOM % 6))$((RANDOM % 10)) \
              -t dynamic -S "$from" folder/new.vhd
    case $status in
        0) vhdkit check -q folder/new.vhd
           [ ! -s err ] || assert_grep 'too late to cancel' err ;;
        3) nothing_left ;;
        *) cat err; fail "status $status" ;;
    esac
done
rm -f folder/new.vhd

# A server that never says a word: nothing is copied, and it ends all the same,
# with a last line of progress.
python3 - <<'PYTHON' &
import os, socket, time
s = socket.socket(socket.AF_UNIX)
s.bind('bound.sock')
s.listen()
os.rename('bound.sock', 'mute.sock')
time.sleep(600)
PYTHON
mute=$!
cleanup_fn kill $mute
wait_for test -S mute.sock
mute_uri="nbd+unix:///?socket=$tmp/mute.sock"
for signal in INT TERM; do
    interrupt $signal lines --progress=json -S "$mute_uri" folder/a/new.vhd
    assert_equal $status 3
    assert_grep '^vhdkit: create: folder/a/new.vhd: cancelled$' err
    assert_equal "$(jq -rs 'map([.state, .percent, .["total-bytes"]] | @tsv) |
                            unique[]' out)" $'done\t0\t0\nrunning\t0\t0'
    assert_equal "$(jq -rs '.[-1] | [.state, .result, .error] | @tsv' out)" \
                 $'done\tcancelled\tCANCELLED'
    nothing_left
done
# What Azure takes depends on the size, so it is asked for before there is a
# task.
interrupt INT ready --profile azure -S "$mute_uri" folder/a/new.vhd
assert_equal $status 3
assert_grep '^vhdkit: create: folder/a/new.vhd: cancelled$' err
nothing_left

# nohup means it.
new_source --filter=delay pattern 4M rdelay=1500ms
(trap '' HUP
 vhdkit create -S "$from" folder/new.vhd &
 pid=$!
 sleep 0.5
 kill -HUP $pid
 wait $pid)
vhdkit check -q folder/new.vhd
