#!/bin/bash -
# SIGKILL at any moment of a conversion: what is left, if anything, is not
# taken for an image, or has the right content.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
copy=$top_builddir/tests/copy-image
requires_file "$copy"
cd "$tmp"

head -c 24M /dev/urandom >half.raw
truncate -s 48M half.raw
sum=$(sha256sum <half.raw)
"$copy" dynamic raw:half.raw source.vhd

# kill_after MICROSECONDS COMMAND...
kill_after ()
{
    local us=$1
    shift
    "$@" 2>/dev/null &
    sleep "$(printf '0.%06d' "$us")"
    kill -9 $! 2>/dev/null || :
    wait $! 2>/dev/null || :
}

complete=0
for round in {1..40}; do
    for source in raw:half.raw source.vhd; do
        for type in dynamic fixed; do
            rm -f new.vhd
            kill_after $((RANDOM * 4 % 100000)) "$copy" $type $source new.vhd
            [ -e new.vhd ] || continue
            # As a file has its name only when it is complete, it must be.
            vhdkit check new.vhd >check.log 2>&1 ||
                { cat check.log; fail "$type of $source, round $round"; }
            complete=$((complete + 1))
        done
    done
done
echo "$complete of 160 were complete"
leftovers=$(find . -type f ! -name '*.raw' ! -name '*.vhd' ! -name '*.log')
[ -z "$leftovers" ] || fail "left behind: $leftovers"
[ "$(sha256sum <half.raw)" = "$sum" ] || fail 'the source was changed'
