#!/bin/bash -
# vhdkit: 2040 GiB disks, scattered and full, and 64 of them in a chain
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
source $srcdir/images/python.sh
requires_plugin
requires_python_nbd
requires truncate -s 2045G $tmp/probe
rm -f $tmp/probe

"$python" $srcdir/test-large.py $tmp/large
