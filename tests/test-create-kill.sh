#!/bin/bash -
# SIGKILL at random moments of a creation by the command: what is left is
# nothing, or a whole image.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
cd "$tmp"

# B-033: killed at random moments, through the command
vhdkit create base.vhd 2040G
whole=0
for i in $(seq 60); do
    case $((i % 3)) in
        0) args=(a.vhd 2040G) ;;
        1) args=(--type fixed a.vhd 64M) ;;
        2) args=(--parent base.vhd a.vhd) ;;
    esac
    rm -f a.vhd
    vhdkit create "${args[@]}" &
    sleep 0.0$((RANDOM % 3))$((RANDOM % 10))
    kill -9 $! 2>/dev/null || :
    wait $! 2>/dev/null || :
    # No other file either.
    assert_equal "$(find . -name '*.vhd' ! -name base.vhd ! -name a.vhd)" '' \
                 'files left'
    if [ -e a.vhd ]; then
        vhdkit check -q a.vhd || fail "a damaged image was left"
        whole=$((whole + 1))
    fi
done
echo "$whole of 60 were whole"
