#!/bin/bash -
# What vhdkit.h declares is what libvhdkit exports; the plugin exports what
# nbdkit looks for and nothing else.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
requires nm --version

# One declaration per line, in whatever way it was broken into lines.
$CC -E -P "$top_srcdir/lib/vhdkit.h" | tr '\n' ' ' | tr ';' '\n' |
    sed -nE 's/^ *extern [^(]*\b(vhdkit_[a-z0-9_]+) *(\(.*)?$/\1/p' |
    sort -u >"$tmp/declared"
[ "$(wc -l <"$tmp/declared")" -ge 20 ] || fail "no declarations seen"

# A function without extern would be missed above.
grep -oE '\bvhdkit_[a-z0-9_]+ \(' "$top_srcdir/lib/vhdkit.h" |
    sed 's/ (//' | sort -u >"$tmp/mentioned"
diff "$tmp/mentioned" "$tmp/declared" ||
    fail "vhdkit.h: each function is declared with extern, and only those"

library=$top_builddir/lib/.libs/libvhdkit.so
# (A is the name of a version node.)
nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' |
    sed 's/@.*//' | sort -u >"$tmp/exported"
diff "$tmp/declared" "$tmp/exported" ||
    fail "< declared but not exported, > exported but not declared"

# Each has a version, so that later versions can live beside it.
! nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' |
    grep -v '@@VHDKIT_' || fail "these have no version"

nm -D --defined-only "$PLUGIN" | awk '$2 != "A" { print $3 }' |
    sed 's/@.*//' | sort -u >"$tmp/plugin"
! grep -vE '^(plugin_init|vhd_debug_[a-z]+)$' "$tmp/plugin" ||
    fail "the plugin exports these without need"
grep -qx plugin_init "$tmp/plugin" || fail "the plugin has no plugin_init"
