#!/bin/bash -
# Includes point down: see tests/layers.  The plugin and the command use the
# public header and nothing else of lib/.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e

mapfile -t layers < <(grep -v '^#' "$srcdir/layers")

# level_of FILE (relative to lib/): sets level, -1 if it is in no layer.
level_of ()
{
    local layer
    for level in "${!layers[@]}"; do
        layer=${layers[level]}
        case $layer in
            *-) [[ $1 != "$layer"* ]] || return 0 ;;
            *) [[ $1 != "$layer" && $1 != "$layer"/* ]] || return 0 ;;
        esac
    done
    level=-1
}

# includes_of FILE: the names it includes with "".
includes_of ()
{
    sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"([^"]+)".*/\1/p' "$1"
}

bad=0
complain ()
{
    echo "$*"
    bad=$((bad + 1))
}

cd "$top_srcdir/lib"
count=0
while IFS= read -r file; do
    level_of "$file"
    mine=$level
    [ "$mine" -ge 0 ] || complain "lib/$file is in no layer of tests/layers"
    for header in $(includes_of "$file"); do
        count=$((count + 1))
        if [ ! -e "$header" ]; then
            complain "lib/$file includes $header: not a path relative to lib/"
            continue
        fi
        level_of "$header"
        [ "$level" -le "$mine" ] ||
            complain "lib/$file includes $header, which is above it"
    done
done < <(find . -name '*.[ch]' -printf '%P\n' | sort)
[ $count -gt 20 ] || fail "only $count includes seen: the test is blind"

cd "$top_srcdir"
for file in plugin/*.[ch] tools/*.[ch]; do
    for header in $(includes_of "$file"); do
        [ "$header" = vhdkit.h ] || [ ! -e "lib/$header" ] ||
            complain "$file includes $header: only vhdkit.h is public"
        case $header in
            ../*) complain "$file includes $header: not through a path" ;;
        esac
    done
done

[ -z "$(includes_of lib/vhdkit.h)" ] ||
    complain "lib/vhdkit.h includes another header of the tree"

[ $bad -eq 0 ] || fail "$bad includes or files are out of place"
