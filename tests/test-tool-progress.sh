#!/bin/bash -
# The progress of vhdkit create: lines of JSON for programs, a bar for people on
# a terminal, nothing for others.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
requires nbdkit --version
requires jq --version
cd "$tmp"

# well_formed FILE RESULT: a line is an object; percent and bytes never fall; the
# last line, and only that, is of a task that is done and cannot be cancelled.
# It is the only one if the task was done when it was first looked at.
well_formed ()
{
    python3 - "$1" "$2" <<'PYTHON'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
assert lines
keys = ("id kind description state percent cancelable result error code errno "
        "message done-bytes total-bytes bytes-per-second seconds-left seconds")
last = None
for n in lines:
    assert set(n) == set(keys.split()), n
    assert 0 <= n["percent"] <= 100, n
    assert n["kind"] == "create" and n["description"], n
    assert n["cancelable"] is (n["state"] == "running"), n
    if last:
        assert n["id"] == last["id"] and n["percent"] >= last["percent"], n
        assert n["done-bytes"] >= last["done-bytes"], n
        assert n["seconds"] >= last["seconds"], n
        assert last["state"] == "running" and last["percent"] < 100, last
        assert last["result"] is None and last["error"] is None, last
    last = n
assert last["state"] == "done" and last["result"] == sys.argv[2], last
if last["result"] == "success":
    assert last["percent"] == 100 and last["error"] is None, last
    assert last["code"] is None and last["message"] is None, last
else:
    assert last["error"] and last["message"] and last["errno"], last
PYTHON
}

# A server that a client may leave at any moment, which nbdkit 1.32 does not
# always survive: the next one gets one of its own.
new_source ()
{
    kill_nbdkit source
    start_nbdkit source "$@"
    from=$(uri source)
}
some_seconds=(--filter=rate pattern 24M rate=80M burstiness=0.1)

new_source "${some_seconds[@]}"

# B-081: through the command: the percentage never falls, and ends at 100
#
# On stdout, followed by the answer.
vhdkit create --progress=json -S "$from" a.vhd >lines 2>err
[ ! -s err ] || { cat err; fail "it has something to say"; }
well_formed lines success
[ "$(wc -l <lines)" -ge 4 ] || fail "few lines"
vhdkit create -q --progress=json --json -t fixed b.vhd 8M >lines
assert_equal "$(jq -r 'select(.state == "done") | .percent' lines)" 100
assert_equal "$(jq -rs '.[-1].filename' lines)" b.vhd

# On a descriptor of its own.
vhdkit create --progress-fd 5 -S "$from" c.vhd 5>lines >out
[ ! -s out ]
well_formed lines success

# A failure is in the last line as well as in the message.
cat >small.sh <<'SCRIPT'
ulimit -f 4096
vhdkit create --progress=json -S raw:pattern d.vhd
SCRIPT
nbdkit -U - pattern 24M --run 'nbdcopy "$uri" pattern'
status=0
bash small.sh >lines 2>err || status=$?
assert_equal $status 1
assert_grep 'FILE_TOO_LARGE_FOR_FS, 0x000000df' err
well_formed lines disk-related-error
assert_equal "$(jq -r 'select(.state == "done") | .error + .code' lines)" \
             FILE_TOO_LARGE_FOR_FS0x000000df
[ ! -e d.vhd ]

# Cancelled, long before the end.
new_source --filter=delay pattern 64G rdelay=500ms
rm lines
vhdkit create --progress=json -S "$from" e.vhd >lines 2>err &
pid=$!
wait_for test -s lines
kill -INT $pid
status=0
wait $pid || status=$?
assert_equal $status 3
well_formed lines cancelled

# What is refused at once is no task.
status=0
vhdkit create --progress=json f.vhd 1M >lines 2>err || status=$?
assert_equal $status 1
[ ! -s lines ]

# Whoever reads slowly, or goes away, does not stop the work.
new_source "${some_seconds[@]}"
vhdkit create --progress=json -S "$from" g.vhd 2>err | head -n 1 >lines
jq -e . lines >/dev/null
vhdkit check -q g.vhd
(set +o pipefail; vhdkit create --progress=json h.vhd 4M | sleep 1)
vhdkit check -q h.vhd

# What cannot be written: the message says why.  On stdout it is a failure, on
# a descriptor of its own a warning.
status=0
vhdkit create --progress=json i.vhd 4M 2>err >/dev/full || status=$?
assert_equal $status 1
assert_grep '^vhdkit: writing to standard output: No space left on device$' err
rm i.vhd
vhdkit create --progress-fd 5 i.vhd 4M 2>err 5>/dev/full
assert_grep 'warning: the progress could not be written: No space left' err
rm i.vhd

# Wrong.
for args in --progress=xml --progress-fd=77 --progress-fd=x --progress-fd=-1; do
    status=0
    vhdkit create $args i.vhd 4M 2>err || status=$?
    assert_equal $status 2 "status of $args"
    [ ! -e i.vhd ]
done

# No terminal, no bar.
for args in '' --progress --progress=bar --progress=auto --progress=none -q; do
    rm -f i.vhd
    vhdkit create $args i.vhd 4M >out 2>&1
    [ ! -s out ] || fail "a bar without a terminal: $args"
done

# On a terminal: after a second, with rate and time left, and gone at the end.
requires script --version
start_nbdkit slow --filter=rate pattern 24M rate=64M burstiness=0.1
export from_slow
from_slow=$(uri slow)
on_terminal ()
{
    script -qec "stty cols 70; $1" /dev/null </dev/null | tr '\r' '\n' >bar
}
on_terminal 'vhdkit create -S "$from_slow" j.vhd'
assert_grep '^ *[0-9]+% \[#*-*\] .* of 24 MiB, .*/s, [0-9]+:[0-9]+ left' bar
awk 'length > 70 { exit 1 }' bar || fail "a line does not fit"
vhdkit check -q j.vhd
for args in -q --progress=none; do
    rm j.vhd
    on_terminal "vhdkit create $args -S \"\$from_slow\" j.vhd"
    if grep -q % bar; then fail "a bar in spite of $args"; fi
done
# A machine that is busy may take a second for nothing once, but not always.
for tries in {1..20}; do
    rm j.vhd
    on_terminal 'vhdkit create --no-sync j.vhd 4M'
    grep -q % bar || break
    [ $tries -lt 20 ] || fail "a bar for nothing"
done
