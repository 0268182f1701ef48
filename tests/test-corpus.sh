#!/bin/bash -
# vhdkit: real images by other programs: read exactly, written to rightly
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
source $srcdir/images/python.sh
requires_corpus
requires_plugin
requires_python_nbd
requires qemu-img --version

"$python" $srcdir/test-corpus.py "$VHDKIT_CORPUS" $tmp/corpus
