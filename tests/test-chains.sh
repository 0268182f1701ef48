#!/bin/bash -
# vhdkit: random children over random parents, up to 64 deep: no wrong sector
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
source $srcdir/images/python.sh
requires_plugin
requires_python_nbd

"$python" $srcdir/test-chains.py $tmp/chains "$@"
