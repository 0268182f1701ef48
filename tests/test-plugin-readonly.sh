#!/bin/bash -
# Served read-only no file changes, neither in content nor in times: not the
# image and none of its parents.  Nor does it when a client only reads.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python

cd "$tmp"
base_image base.vhd
child_image middle.vhd base.vhd
serve vhd middle.vhd --run "nbdsh -u \"\$uri\" -c 'h.zero(9 << 20, 5)'"
child_image child.vhd middle.vhd
state_of *.vhd >before

use='nbdinfo "$uri" && nbdinfo --map "$uri" && nbdcopy "$uri" null:'
serve -r vhd child.vhd --run "$use" >out
serve vhd child.vhd mode=ro --run "$use" >out
serve --filter=cow vhd child.vhd --run "$use" >out
serve vhd child.vhd --run "$use" >out
state_of *.vhd | diff before - || fail 'a file was changed'

# A write is refused, and refused by the protocol.
for how in '-r' 'mode=ro'; do
    case $how in -*) set -- $how vhd ;; *) set -- vhd $how ;; esac
    serve "$@" child.vhd --run 'nbdsh -u "$uri" -c "
h.set_strict_mode(0)
assert h.is_read_only()
for f in (lambda: h.pwrite(b\"x\", 0), lambda: h.zero(512, 0),
          lambda: h.trim(512, 0)):
    try:
        f()
        raise SystemExit(\"a write was let through\")
    except nbd.Error:
        pass
h.flush()
"'
done
state_of *.vhd | diff before - || fail 'a file was changed'
