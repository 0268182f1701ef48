#!/bin/bash -
# vhdkit: "make soak": random load by eight connections for minutes, every
# byte verified, servers killed and ended in between, through filters that
# change the sizes of requests, on images of many shapes.
#
#   SOAK_MINUTES    how long (10)
#   SOAK_SEED       as it was printed, to begin in the same way
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
source "$srcdir/clients.sh"
set -e
requires_plugin
requires_nbd_python

minutes=${SOAK_MINUTES:-10}
seed=${SOAK_SEED:-$RANDOM}
echo "SOAK_SEED=$seed"
RANDOM=$seed
cd "$tmp"

# one_of WORD...: $word.  Not in a subshell, which has random numbers of its
# own.
one_of ()
{
    shift $((RANDOM % $#))
    word=$1
}

# base.vhd, full of data in part, and what it holds in base.raw.
make_base ()
{
    rm -f base.vhd base.raw
    one_of 512K 2M
    vhdkit create --block-size $word base.vhd "$1"
    random_file some.raw $(($1 / 1024 * 512))
    serve vhd base.vhd --run 'nbdcopy some.raw "$uri"'
    serve -r vhd base.vhd --run 'nbdcopy "$uri" base.raw'
    sha256sum <base.vhd >base.sum
}

make_image ()
{
    # A size that ends within a block.
    local size=$(((RANDOM % 40 + 6) * 1048576 + RANDOM % 2000 * 512))
    rm -f disk.vhd middle.vhd
    original=
    case $1 in
        dynamic-512K) vhdkit create --block-size 512K disk.vhd "$size" ;;
        dynamic-2M)   vhdkit create disk.vhd "$size" ;;
        fixed)        vhdkit create --type fixed disk.vhd "$size" ;;
        child)
            make_base "$size"
            child_image disk.vhd base.vhd ;;
        grandchild)
            make_base "$size"
            child_image middle.vhd base.vhd
            child_image disk.vhd middle.vhd ;;
    esac
    case $1 in
        *child) original="--original base.raw" ;;
    esac
}

# One image for half a minute.
soak ()
{
    local unit max interval cache
    one_of 524288 2097152 4194304;  unit=$word
    one_of 2000 30000 200000;       max=$word
    one_of 1 5 0;                   interval=$word
    one_of 64M 64K;                 cache=$word
    make_image "$1"
    echo "$1, commit-interval=$interval, metadata-cache=$cache"
    timeout 600 python3 "$clients/kill.py" disk.vhd $original \
        --connections 8 --seconds 30 --life 6 --term 4 --sizes \
        --seed $((RANDOM * 32768 + RANDOM)) --unit $unit --max $max -- \
        commit-interval=$interval metadata-cache=$cache
    case $1 in
        *child) sha256sum <base.vhd | cmp - base.sum ||
                    fail 'the base was changed' ;;
    esac
}

end=$((SECONDS + minutes * 60))
images=0
while [ $SECONDS -lt $end ]; do
    for kind in dynamic-512K child dynamic-2M grandchild fixed; do
        [ $SECONDS -lt $end ] || break
        soak $kind
        images=$((images + 1))
    done
done
echo "$images images, $minutes minutes"
