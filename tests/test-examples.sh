#!/bin/bash -
# The examples in the manuals and in README.md that are marked for it work when
# typed one after the other.  README.md here says how to mark them.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python
requires nbdinfo --version
requires nbdcopy --version
requires nbdsh --version
requires qemu-img --version

bad=0
cd "$top_srcdir"
for file in README.md tools/*.pod plugin/*.pod; do
    python3 "$srcdir/examples.py" "$file" >"$tmp/script"
    # The pages that people read first must have some.
    case $file in
        README.md | plugin/* | tools/vhdkit.pod)
            [ -s "$tmp/script" ] ||
                { echo "$file: no example is marked"; bad=1; } ;;
    esac
    [ -s "$tmp/script" ] || continue
    mkdir "$tmp/folder"
    if ! (cd "$tmp/folder" && bash -eu -o pipefail "$tmp/script" </dev/null) \
         >"$tmp/output" 2>&1; then
        echo "$file: an example fails:"
        cat "$tmp/output"
        bad=1
    fi
    rm -rf "$tmp/folder"
done
[ $bad -eq 0 ] || fail "examples do not work as written"
