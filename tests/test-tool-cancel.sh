#!/bin/bash -
# vhdkit create, stopped by a signal, says so and leaves no file.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
requires strace -o /dev/null -e inject=linkat:delay_enter=1 true
cd "$tmp"

# LeakSanitizer does not work in a traced process.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

# The file gets its name late enough for the signal to come first.
strace -f -o trace -e trace=linkat,rt_sigprocmask \
       -e inject=linkat:delay_enter=3000000 \
       vhdkit create -t fixed new.vhd 16M 2>err &
strace=$!
for ((i = 0; i < 600; i++)); do
    if grep -q 'SIG_BLOCK, .*INT.*TERM' trace 2>/dev/null; then break; fi
    sleep 0.05
done
kill -TERM "$(awk '/SIG_BLOCK, .*INT.*TERM/ { print $1; exit }' trace)"
status=0
wait $strace || status=$?
assert_equal $status 3 status
assert_grep '^vhdkit: create: new.vhd: cancelled$' err
[ ! -e new.vhd ] || fail "a file is left"
