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

now_ms ()
{
    echo $(($(date +%s%N) / 1000000))
}

# interrupt SIGNAL SECONDS LIMIT_MS ARGS...: start, wait, stop.  Sets $status.
interrupt ()
{
    local signal=$1 seconds=$2 limit=$3 pid begun
    shift 3
    vhdkit create "$@" >out 2>err &
    pid=$!
    sleep "$seconds"
    begun=$(now_ms)
    kill -"$signal" $pid 2>/dev/null || :
    status=0
    wait $pid || status=$?
    took=$(($(now_ms) - begun))
    [ $took -lt "$limit" ] || fail "SIG$signal took $took ms: create $*"
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
# A copy that would take minutes: each signal, in each type.  The command is
# sanitized or the machine is busy: a second is much, but not minutes.
slow=(--filter=delay pattern 4G rdelay=500ms)
for signal in INT TERM HUP; do
    for type in '-t fixed --sparse' '-t dynamic'; do
        new_source "${slow[@]}"
        interrupt $signal 1 2000 $type -S "$from" folder/new.vhd
        assert_equal $status 3 "status after SIG$signal"
        assert_grep '^vhdkit: create: folder/new.vhd: cancelled$' err
        [ ! -s out ] || fail "it has an answer"
        nothing_left
    done
done

# Folders that were made for it go, too.
new_source "${slow[@]}"
interrupt INT 1 2000 --parents -S "$from" folder/a/b/new.vhd
assert_equal $status 3
nothing_left

# At random moments: either it is whole, or there is nothing.
for i in $(seq 25); do
    rm -f folder/new.vhd
    new_source --filter=rate pattern 24M rate=400M burstiness=0.05
    interrupt INT 0.$((RANDOM % 6))$((RANDOM % 10)) 5000 \
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
import socket, time
s = socket.socket(socket.AF_UNIX)
s.bind('mute.sock')
s.listen()
time.sleep(60)
PYTHON
mute=$!
cleanup_fn kill $mute
for ((i = 0; i < 200; i++)); do [ ! -S mute.sock ] || break; sleep 0.05; done
mute_uri="nbd+unix:///?socket=$tmp/mute.sock"
for signal in INT TERM; do
    interrupt $signal 1 2000 --progress=json -S "$mute_uri" folder/a/new.vhd
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
interrupt INT 1 2000 --profile azure -S "$mute_uri" folder/a/new.vhd
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
