#!/bin/bash -
# What vhdkit create makes is a disk of exactly the size asked for to qemu-img
# and 7-Zip, and holds what qemu writes to it.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
requires qemu-img --version
requires qemu-io --version
requires jq --version

cd "$tmp"

# size_in_qemu FILE [OPTIONS]
size_in_qemu ()
{
    qemu-img info --output=json --image-opts \
        "driver=vpc,file.filename=$1${2:+,$2}" | jq '."virtual-size"'
}

# None of these is a whole number of cylinders.
for size in 3145728 5243392 41943040 1073741824 136365211648 2190433320960; do
    vhdkit create dynamic.vhd $size
    for how in '' force_size_calc=current_size; do
        assert_equal "$(size_in_qemu dynamic.vhd $how)" $size "dynamic $how"
    done
    rm dynamic.vhd
done
for size in 3145728 5243392; do
    vhdkit create --type fixed fixed.vhd $size
    assert_equal "$(size_in_qemu fixed.vhd)" $size "fixed"
    rm fixed.vhd
done

# Content: qemu writes, we read; 7-Zip agrees.
for options in '--type fixed' '--block-size 512K' '--block-size 2M'; do
    vhdkit create $options a.vhd 9437696
    qemu-io -f vpc -c 'write -P 1 0 2621440' -c 'write -P 2 4194304 1048576' \
        -c 'write -P 3 9437184 512' a.vhd >qemu.log
    vhdkit check a.vhd
    qemu-img convert -f vpc -O raw a.vhd a.raw
    nbdkit -U - -r vhd a.vhd --run 'nbdcopy "$uri" ours.raw'
    cmp a.raw ours.raw
    if 7z i >7z.log 2>&1; then
        7z x -tvhd -oout a.vhd >7z.log
        cmp a.raw out/*
        rm -r out
    fi
    rm a.vhd a.raw ours.raw
done
