#!/bin/bash -
# vhdkit: hostile images: no crash, no hang, no memory, no way out of dir=
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
source $srcdir/images/python.sh
requires_plugin
requires_python_nbd

"$python" $srcdir/test-hostile.py $tmp/hostile "$@"
