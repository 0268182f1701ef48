#!/bin/bash -
# Every file of the tree is in a list of its Makefile.am: no test is forgotten
# by "make check", no file by "make dist".
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e

# In a tarball there is nothing to forget.
requires git -C "$top_srcdir" rev-parse --is-inside-work-tree
cd "$top_srcdir"
[ "$(git rev-parse --show-toplevel)" = "$(pwd -P)" ] || skip "not a clone"

bad=0
while IFS= read -r file; do
    [ -e "$file" ] || continue
    folder=.
    name=$file
    case $file in
        .git* | */.git* | *.in | configure.ac | Makefile.am | */Makefile.am)
            continue ;;
        docs/* | lib/* | plugin/* | tests/* | tools/*)
            folder=${file%%/*}
            name=${file#*/} ;;
    esac
    # Programs are listed by their name without .c.
    case $file in
        tests/unit/*.c | tests/fuzz/fuzz-*.c) name=${name%.c} ;;
    esac
    grep -qE "(^|[[:space:]])$name([[:space:]]|$)" "$folder/Makefile.am" || {
        echo "$file: not in $folder/Makefile.am"
        bad=1
    }
done < <(git ls-files)
[ $bad -eq 0 ] || fail "files are missing from the lists"
