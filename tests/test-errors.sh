#!/bin/bash -
# The errno column of docs/errors.md names every errno that the sources give
# to a code.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e

# "CODE ERRNO" for each set_error and error_recode with both in plain text.
find "$top_srcdir/lib" -name '*.c' -exec cat {} + | tr '\n' ' ' |
    grep -oE '(set_error|error_recode) \(VHDKIT_ERR_[A-Z_]+, +E[A-Z]+' |
    sed -E 's/.*VHDKIT_ERR_([A-Z_]+), +/\1 /' | sort -u > "$tmp/used"
[ "$(wc -l < "$tmp/used")" -gt 15 ] || fail "the test is blind"

bad=0
while read -r code errno; do
    sed -n "s/^| $code | [0-9]* | \([^|]*\) |.*/\1/p" \
        "$top_srcdir/docs/errors.md" | grep -qw "$errno" || {
        echo "docs/errors.md: $code does not name $errno"
        bad=1
    }
done < "$tmp/used"
[ $bad -eq 0 ] || fail "the errno column is not complete"
