#!/bin/bash -
# "make install" puts everything in its place, a program finds the library with
# pkg-config, and "make uninstall" leaves no file behind.  Runs after all other
# tests: installing relinks programs in the build tree.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
requires make --version
requires pkg-config --version
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR
# What is installed is to be used, not what lies in the build tree.
unset LD_LIBRARY_PATH VHD_PLUGIN
PATH=${PATH#"$top_builddir/tests/wrap:$top_builddir/tools/.libs:$top_builddir/tools:"}

root=$tmp/root
make -C "$top_builddir" install DESTDIR="$root" >"$tmp/install.log" 2>&1

variable ()
{
    make -s -C "$top_builddir/$1" --eval="print: ; @echo \$($2)" print
}
libdir=$root$(variable lib libdir)
includedir=$root$(variable lib includedir)
bindir=$root$(variable tools bindir)
plugindir=$root$(variable plugin plugindir)
man1dir=$root$(variable tools man1dir)
bashcompdir=$root$(variable tools bashcompdir)
docdir=$root$(variable docs docdir)

for file in "$includedir/vhdkit.h" \
            "$libdir/libvhdkit.so.0" \
            "$libdir/pkgconfig/vhdkit.pc" \
            "$bindir/vhdkit" \
            "$plugindir/nbdkit-vhd-plugin.so" \
            "$bashcompdir/vhdkit" \
            "$docdir/errors.md"; do
    [ -s "$file" ] || fail "not installed: $file"
done
[ "$(find "$includedir" -type f | wc -l)" -eq 1 ] ||
    fail "more than the one header is installed"
if command -v pod2man >/dev/null; then
    for pod in "$top_srcdir"/tools/*.pod "$top_srcdir"/plugin/*.pod; do
        page=${pod##*/}
        [ -s "$man1dir/${page%.pod}.1" ] || fail "no manual: ${page%.pod}.1"
    done
fi
bash -n "$bashcompdir/vhdkit"

case $SANITIZE in
    '') ;;
    *) exit 0 ;;                # the rest is for programs as they are shipped
esac

# Nothing installed may look for anything in the build tree.
for file in "$bindir/vhdkit" "$plugindir/nbdkit-vhd-plugin.so" \
            "$libdir/libvhdkit.so.0"; do
    ! readelf -d "$file" | grep -E 'R(UN)?PATH.*'"$top_builddir" ||
        fail "$file has the build tree in its path"
done

export PKG_CONFIG_PATH=$libdir/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
assert_equal "$(pkg-config --modversion vhdkit)" \
             "$(sed -n 's/^VERSION = //p' "$top_builddir/Makefile")" "version"
for program in "$srcdir"/install-*.c; do
    name=${program##*/install-}
    # shellcheck disable=SC2046
    $CC -std=c99 -Wall -Wextra -Werror -D_POSIX_C_SOURCE=200809L \
        -o "$tmp/${name%.c}" "$program" $(pkg-config --cflags --libs vhdkit)
done
export LD_LIBRARY_PATH=$libdir
"$tmp/client" "$tmp/client.vhd" >"$tmp/client.out"
assert_grep '^vhdkit [0-9]' "$tmp/client.out"

"$bindir/vhdkit" info "$tmp/client.vhd" >"$tmp/info.out"

# One call of each group of the interface; the rules themselves are in
# unit/test-create-*.c.
source "$srcdir/create.sh"
answers 'ok 4194304' "$tmp/create" "$tmp/a.vhd" maximum_size=4194304
answers 'ok 4194304' "$tmp/create" "$tmp/b.vhd" parent_path="$tmp/a.vhd" async=1
answers 'ok 4194304' "$tmp/create" "$tmp/c.vhd" source_path="$tmp/b.vhd" flags=1
answers 'EXISTS 50 ' "$tmp/create" "$tmp/a.vhd" maximum_size=4194304
answers 'SIZE_TOO_SMALL 57 ' "$tmp/create" "$tmp/d.vhd" maximum_size=512
answers ok "$tmp/vs2005" dynamic "$tmp/new/d.vhd" 20 $STRICT
answers ok "$tmp/vs2005" diff e.vhd "$tmp/new/d.vhd" $STRICT
answers 'call SIZE_TOO_SMALL a0040684 ' "$tmp/vs2005" fixed "$tmp/f.vhd" 2

# A task that is watched, and one that is cancelled, because the server of its
# source accepts and never says a word.
if grep -q '^#define HAVE_LIBNBD 1' "$top_builddir/config.h" &&
   command -v python3 >/dev/null; then
    python3 - "$tmp/mute.sock" <<'PYTHON' &
import os, socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1] + '.bound')
s.listen()
os.rename(sys.argv[1] + '.bound', sys.argv[1])
time.sleep(600)
PYTHON
    mute=$!
    cleanup_fn kill $mute
    wait_for test -S "$tmp/mute.sock"
    "$tmp/task" "$tmp/task.vhd" "nbd+unix:///?socket=$tmp/mute.sock" \
        >"$tmp/task.out"
    assert_equal "$(cat "$tmp/task.out")" $'done 100 OK\ncancelled 1 CANCELLED'
    "$bindir/vhdkit" check -q "$tmp/task.vhd"
    [ ! -e "$tmp/task.vhd.other" ] || fail "a cancelled task leaves a file"
fi

mv "$tmp/a.vhd" "$tmp/new"
"$tmp/info" "$tmp/b.vhd" >"$tmp/info.out"
assert_grep "^tried .*/a.vhd$" "$tmp/info.out"
"$tmp/info" "$tmp/b.vhd" parent "$tmp/new/a.vhd"
"$tmp/info" "$tmp/b.vhd" >"$tmp/info.out"
assert_grep "^size 4194304 blocks 2097152$" "$tmp/info.out"
assert_grep "^subtype 4$" "$tmp/info.out"
assert_grep "^vs 2$" "$tmp/info.out"
assert_grep "^parent .*/new/a.vhd$" "$tmp/info.out"
if command -v nbdkit >/dev/null; then
    nbdkit --dump-plugin "$plugindir/nbdkit-vhd-plugin.so" >"$tmp/dump.out"
    assert_grep '^name=vhd$' "$tmp/dump.out"
fi

unset LD_LIBRARY_PATH
make -C "$top_builddir" uninstall DESTDIR="$root" >"$tmp/uninstall.log" 2>&1
left=$(find "$root" ! -type d)
[ -z "$left" ] || fail "left behind: $left"
