#!/bin/bash -
# dir= serves every image of a directory by name, lists them with a
# description, and has a default export if there is only one.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_openat2
requires_nbd_python
requires jq --version

mkdir "$tmp/dir" "$tmp/dir/sub" "$tmp/one"
cd "$tmp/dir"
vhdkit create b.vhd 40M
vhdkit create --type fixed 'A name with blanks.VHD' 3584K
vhdkit create sub/c.vhd 8M
child_image child.avhd b.vhd
child_image VirtualPCUndo_ü.vud child.avhd

# None of these is to be listed, nor to stop the listing.
vhdkit create .hidden.vhd 4M
cp b.vhd b.vhd.bak
cp b.vhd $'new\nline.vhd'
cp b.vhd $'esc\033ape.vhd'
cp b.vhd $'no-utf8-\xff.vhd'
echo text >text.vhd
: >empty.vhd
mkfifo fifo.vhd
mkdir directory.vhd
ln -s b.vhd link.vhd
ln -s /nowhere dangling.vhd

start_nbdkit many vhd dir=.
timeout 30 nbdinfo --list --json "$(uri many)" >list
jq -r '.exports[] | ."export-name" + ": " + .description' list >found
cat >expected <<END
A name with blanks.VHD: fixed VHD, 3.5 MiB
VirtualPCUndo_ü.vud: differencing VHD, 40 MiB, parent child.avhd
b.vhd: dynamic VHD, 40 MiB
child.avhd: differencing VHD, 40 MiB, parent b.vhd
END
diff expected found

# The server sees the end of a client a moment later; until then nobody can
# write to the parents of its image, or use its image as a parent.
free ()
{
    wait_for nbdsh -u "$(uri many "$1")" -c pass
}

# Writes go to the image that is named.
size () { nbdinfo --size "$(uri many "$1")"; }
assert_equal "$(size sub/c.vhd)" 8388608
assert_equal "$(size 'A%20name%20with%20blanks.VHD')" 3670016
nbdsh -u "$(uri many VirtualPCUndo_%C3%BC.vud)" -c 'h.pwrite(b"undo", 5)'
free b.vhd
nbdsh -u "$(uri many b.vhd)" -c 'assert h.pread(4, 5) == bytes(4)'
free VirtualPCUndo_%C3%BC.vud
nbdsh -u "$(uri many VirtualPCUndo_%C3%BC.vud)" \
    -c 'assert h.pread(4, 5) == b"undo"'

# Several images: none is the default, and the server says what to do.
assert_fails nbdinfo --size "$(uri many)"
assert_grep 'name one' "$tmp/many.log"
assert_fails nbdinfo --size "$(uri many nothing.vhd)"
assert_fails nbdinfo --size "$(uri many text.vhd)"
stop_nbdkit many
check_clean VirtualPCUndo_ü.vud

# Only one: it is.
assert_fails serve vhd dir="$tmp/one" --run 'nbdinfo "$uri"'
assert_grep 'no image' "$tmp/stderr"
vhdkit create "$tmp/one/only.vhd" 12M
assert_equal "$(serve vhd dir="$tmp/one" \
                    --run 'nbdinfo --size "$uri"')" 12582912
