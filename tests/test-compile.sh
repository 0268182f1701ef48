#!/bin/bash -
# The public header compiles alone, as C99, as newer C, and as C++.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e

warnings="-Wall -Wextra -Wpedantic -Wshadow -Wundef -Werror"
compilers=$CC
! command -v clang >/dev/null || compilers+=" clang"

for compiler in $compilers; do
    for std in c99 gnu99 c11 c2x; do
        echo "$compiler -std=$std"
        # shellcheck disable=SC2086
        $compiler -std=$std $warnings -Wstrict-prototypes -Wc++-compat \
            -I"$top_srcdir/lib" -c -o "$tmp/c.o" "$srcdir/compile-header.c"
    done
done

for compiler in g++ clang++; do
    command -v $compiler >/dev/null || continue
    for std in c++98 c++11 c++17; do
        echo "$compiler -std=$std"
        # shellcheck disable=SC2086
        $compiler -std=$std $warnings \
            -I"$top_srcdir/lib" -c -o "$tmp/cpp.o" "$srcdir/compile-header.cpp"
        # C++ names would be mangled: the declarations must be extern "C".
        nm "$tmp/cpp.o" | grep -q 'U vhdkit_size$' ||
            fail "$compiler: vhdkit_size is not extern \"C\""
    done
done
