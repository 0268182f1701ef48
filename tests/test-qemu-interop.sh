#!/bin/bash -
# vhdkit: qemu's images through us, our images through qemu
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
source $srcdir/images/python.sh
requires_plugin
requires_python_nbd
requires qemu-img --version
requires qemu-io --version

# How qemu opens an image with the size that the footer says: for most
# creators it computes another one.
vpc ()
{
    echo "driver=vpc,force_size_calc=current_size,file.driver=file,file.filename=$1"
}

# same FILE: qemu and we see the same disk, and we find nothing wrong.
same ()
{
    local image=$1
    nbdkit -U - -r vhd file=$image --run \
        'qemu-img compare --image-opts "'"$(vpc $image)"'" \
             driver=nbd,server.type=unix,server.path=$unixsocket' \
        >$tmp/compare.log 2>&1 ||
        fail "$(cat $tmp/compare.log): ${image##*/}"
    # qemu-img has no check of its own for this format.
    vhdkit check $image >$tmp/check.log 2>&1 ||
        fail "vhdkit check ${image##*/}"
}

# holds FILE RAW: we serve the bytes of the raw file.
holds ()
{
    nbdkit -U - -r vhd file=$1 --run "nbdcopy \"\$uri\" $tmp/out.raw"
    cmp $tmp/out.raw $2 || fail "${1##*/} does not hold ${2##*/}"
}

# write_both FILE RAW: the same writes to the image, by us, and to the file.
write_both ()
{
    "$python" - $1 $2 <<'PYTHON'
import random, sys, client
image, raw = sys.argv[1:]
rng = random.Random(image)
with client.Server('file=' + image) as s, open(raw, 'r+b') as f:
    h = s.connect()
    size = h.get_size()
    for n in range(80):
        length = min(size, rng.choice((1, 512, 700, 4096, 70000, 3000000)))
        offset = size - length if n == 7 else rng.randrange(size - length + 1)
        data = rng.randbytes(length)
        h.pwrite(data, offset)
        f.seek(offset)
        f.write(data)
        if n % 20 == 19:
            h.flush()
    h.shutdown()
PYTHON
}

# A disk with data, zeros, and an end inside a block and inside a track.
raw=$tmp/source.raw
"$python" -c 'import random, sys
r = random.Random(1)
with open(sys.argv[1], "wb") as f:
    for at in 0, 3 << 20, 6 << 20:
        f.seek(at)
        f.write(r.randbytes(700000))
    f.truncate((9 << 20) + 5 * 512)' $raw

# 1. By qemu, read and written by us.
for options in subformat=dynamic subformat=fixed \
               subformat=dynamic,force_size=on subformat=fixed,force_size=on
do
    image=$tmp/qemu-$options.vhd
    # qemu's options end at a comma.
    image=${image//,/-}
    qemu-img convert -q -f raw -O vpc -o $options $raw $image
    qemu-img convert -q -O raw --image-opts "$(vpc $image)" $tmp/model.raw
    holds $image $tmp/model.raw
    same $image
    write_both $image $tmp/model.raw
    holds $image $tmp/model.raw
    same $image
    # And qemu goes on where we stopped.
    qemu-io -c 'write -q -P 0x5a 1M 64k' -c 'write -q -P 0x5b 4200k 3k' \
        --image-opts "$(vpc $image)"
    qemu-img convert -q -O raw --image-opts "$(vpc $image)" $tmp/model.raw
    holds $image $tmp/model.raw
    same $image
done

# 2. Empty ones of many sizes: created by qemu, written first by us.
for size in 512 100k 3M 4M 5000K 33M 127G 2040G; do
    for force in off on; do
        image=$tmp/empty-$size-$force.vhd
        qemu-img create -q -f vpc -o force_size=$force $image $size
        "$python" -c 'import client, sys
with client.Server ("file=" + sys.argv[1]) as s:
    h = s.connect ()
    h.pwrite (b"x" * 512, h.get_size () - 512)
    h.pwrite (b"yz", 7)
    h.flush ()' $image
        same $image
        rm $image
    done
done

# 3. By us, written by us and read by qemu, then written by qemu.
for type in dynamic fixed; do
    for block in 512K 2M; do
        image=$tmp/ours-$type-$block.vhd
        if [ $type = fixed ]; then
            [ $block = 2M ] || continue
            vhdkit create --type fixed $image 9439744 >/dev/null
        else
            vhdkit create --type dynamic --block-size $block $image 9439744 \
                >/dev/null
        fi
        rm -f $tmp/model.raw
        truncate -s 9439744 $tmp/model.raw
        same $image
        write_both $image $tmp/model.raw
        holds $image $tmp/model.raw
        same $image
        qemu-img convert -q -O raw --image-opts "$(vpc $image)" $tmp/qemu.raw
        cmp $tmp/qemu.raw $tmp/model.raw
        # The size that qemu takes when nobody tells it.
        assert_equal "$(qemu-img info --output=json -f vpc $image |
            sed -n 's/^    "virtual-size": \([0-9]*\),*$/\1/p')" 9439744 \
            "size in qemu of ${image##*/}"
        qemu-io -c 'write -q -P 0x5c 2M 100k' --image-opts "$(vpc $image)"
        qemu-img convert -q -O raw --image-opts "$(vpc $image)" \
            $tmp/model.raw
        holds $image $tmp/model.raw
        write_both $image $tmp/model.raw
        holds $image $tmp/model.raw
        same $image
    done
done
