#!/bin/bash -
# Copying from an NBD server: the content, holes that are not read, servers
# that are slow, picky, wrong, or gone.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
requires nbdkit --version
requires nbdcopy --version
requires python3 --version
copy=$top_builddir/tests/copy-image
requires_file "$copy"
cd "$tmp"
random=(size=64M seed=1 percent=40 runlength=200000 random-content=true)

# The content of an image must be that of the server.
same_content ()
{
    vhdkit check "$2"
    nbdkit -U - -r "$PLUGIN" file="$2" --run 'nbdcopy "$uri" -' |
        cmp - <(nbdcopy "$1" -)
}

start_nbdkit good sparse-random "${random[@]}"
"$copy" dynamic "$(uri good)" dynamic.vhd 2>err.log || {
    grep -q NOT_SUPPORTED err.log && skip 'built without libnbd'
    fail "$(cat err.log)"
}
"$copy" fixed "$(uri good)" fixed.vhd

case $SANITIZE in
    *thread*) ;;
    *) same_content "$(uri good)" dynamic.vhd
       same_content "$(uri good)" fixed.vhd ;;
esac

# An export that is not made of whole sectors; without extents; on one
# connection; in blocks of 64 KiB only.
start_nbdkit odd pattern size=5000001
"$copy" dynamic "$(uri odd)" odd.vhd
start_nbdkit plain --filter=noextents sparse-random "${random[@]}"
"$copy" dynamic "$(uri plain)" plain.vhd
start_nbdkit single --filter=multi-conn sparse-random "${random[@]}" \
    multi-conn-mode=disable
"$copy" dynamic "$(uri single)" single.vhd
start_nbdkit blocks --filter=blocksize-policy sparse-random "${random[@]}" \
    blocksize-minimum=64K blocksize-preferred=64K blocksize-maximum=128K \
    blocksize-error-policy=error
"$copy" dynamic "$(uri blocks)" blocks.vhd
for name in plain single blocks; do
    # The id and the time are in the footers and nowhere else.
    assert_equal "$(stat -c %s $name.vhd)" "$(stat -c %s dynamic.vhd)" \
        "size of $name.vhd"
    cmp <(tail -c +513 $name.vhd | head -c -512) \
        <(tail -c +513 dynamic.vhd | head -c -512)
done

# Holes are not read: 2 TB of them take no time.
start_nbdkit huge --filter=log data '@0x10000000000 "x" * 512' size=2000G \
    logfile=huge.requests
timeout 60 "$copy" dynamic "$(uri huge)" huge.vhd
count=$(grep -c ' Read ' huge.requests)
[ "$count" -le 2 ] || fail "$count reads of one sector among holes"

# Errors of the server, at once and after some time.
start_nbdkit wrong --filter=error sparse-random "${random[@]}" \
    error-pread=EIO error-pread-rate=10%
assert_fails "$copy" dynamic "$(uri wrong)" wrong.vhd
assert_grep 'IO: .*reading' stderr
[ ! -e wrong.vhd ] || fail 'a file is left'
assert_fails "$copy" dynamic "nbd+unix:///?socket=$tmp/none.sock" none.vhd
assert_grep 'none.sock' stderr
assert_fails "$copy" dynamic "$(uri good nothing-there)x" none.vhd
[ ! -e none.vhd ] || fail 'a file is left'

start_nbdkit dying --filter=log --filter=delay sparse-random "${random[@]}" \
    delay-read=60 logfile=dying.requests
"$copy" dynamic "$(uri dying)" dying.vhd 2>dying.err &
pid=$!
wait_for grep -q ' Read ' dying.requests
kill_nbdkit dying
! wait $pid || fail 'the server died and the copy succeeded'
assert_grep 'IO: ' dying.err
[ ! -e dying.vhd ] || fail 'a file is left'

# One that says "done" and has left out half is not believed; and what the
# server lacks is no error of ours: ENOSPC there is not a full disk here.
half_answers ()
{
    # shellcheck disable=SC2016
    assert_fails python3 "$srcdir/clients/half-answers.py" 5000000 "$1" \
        sh -c '"$0" dynamic "$uri" half.vhd' "$copy"
    assert_grep "IO: .*reading: $2" stderr
    [ ! -e half.vhd ] || fail 'a file is left'
}
half_answers 0 'asked for .*, the server says that it succeeded and sent'
half_answers 28 'No space'
half_answers 108 'Cannot send after'

# A cancel does not wait for the server, which would take 10 seconds, or 150 ms
# again and again.  A machine that is busy may be slow once, but not always.
cancel_ms ()
{
    local status=0
    start_nbdkit slow --filter=delay sparse-random "${random[@]}" "$1"
    "$copy" -c 300 dynamic "$(uri slow)" slow.vhd >slow.ms 2>slow.err ||
        status=$?
    cat slow.ms slow.err
    assert_equal $status 3 "status after a cancel with $1"
    [ ! -e slow.vhd ] || fail 'a file is left'
    # It may have died of clients that go away (1.32 can).
    kill_nbdkit slow
    ms=$(cat slow.ms)
}
for delay in delay-read=10 delay-extents=10 delay-read=150ms; do
    for tries in {1..20}; do
        cancel_ms $delay
        [ "$ms" -ge 100 ] || continue 2
    done
    fail "$delay: each of $tries cancels took 100 ms or more"
done
