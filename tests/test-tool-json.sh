#!/bin/bash -
# Whatever a file or a parent is called: JSON is valid, and words have neither
# control characters nor bytes that are not UTF-8.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e
requires jq --version
cd "$tmp"

# sane FILE: only printable UTF-8 and newlines.
sane ()
{
    iconv -f UTF-8 -t UTF-8 "$1" >/dev/null || fail "invalid UTF-8 in $1"
    if LC_ALL=C tr -d '\n' <"$1" | LC_ALL=C grep -q '[[:cntrl:]]'; then
        cat -v "$1"
        fail "control characters in $1"
    fi
    # U+0080 to U+009F act as controls on some terminals.
    if LC_ALL=C grep -q $'\xc2[\x80-\x9f]' "$1"; then fail "C1 in $1"; fi
}

# What is said of child.vhd.
in_child ()
{
    local c

    for c in 'info --chain' chain check; do
        vhdkit $c --json child.vhd >out 2>err || [ ! -e "$1" ]
        jq -e . out >/dev/null || { cat -v out; fail "$c: invalid JSON"; }
        sane err
        vhdkit $c child.vhd >out 2>err || [ ! -e "$1" ]
        sane out
        sane err
    done
}

names=(
    $'new\nline.vhd'
    $'escape\e[31mred.vhd'
    $'bad\xff\xfeutf8.vhd'
    $'overlong\xc0\xafslash.vhd'
    $'surrogate\xed\xa0\x80.vhd'
    $'cut\xe2\x82'
    $'c1\xc2\x9b31m.vhd'
    $'quote"back\\slash.vhd'
    $'tab\tand\x7fdelete.vhd'
    'späße-磁碟-🖴.vhd'
    '-dash.vhd'
    ' blank '
    '%s%n.vhd'
    '{"a": 1}'
)
vhdkit create base.vhd 4M
for name in "${names[@]}"; do
    file=./$name
    vhdkit create --json -B base.vhd "$file" >out
    jq -e . out >/dev/null || fail "create: invalid JSON"
    for c in info 'info --chain' chain map check; do
        vhdkit $c --json "$file" >out 2>err || { cat err; fail "$c '$name'"; }
        jq -e . out >/dev/null || { cat -v out; fail "$c: invalid JSON"; }
        [ ! -s err ] || { cat -v err; fail "$c has something to say"; }
        vhdkit $c "$file" >out
        sane out
    done
    # The name comes out as it went in, where JSON can say it.
    if printf %s "$name" | iconv -f UTF-8 -t UTF-8 >/dev/null 2>&1; then
        assert_equal "$(vhdkit info --json "$file" | jq -r .filename)" "$file"
    fi
    # As a parent, present and missing, unless it cannot be recorded.
    if vhdkit create -B "$file" child.vhd 2>stderr; then
        in_child "$file"
        rm "$file"
        in_child "$file"
        rm child.vhd
    else
        sane stderr
        [ ! -e child.vhd ]
        rm "$file"
    fi
    assert_fails vhdkit map "$file" >/dev/null
    sane stderr
    assert_equal "$(wc -l <stderr)" 1 "lines of message"
done

# Texts inside an image: locators and creators full of nonsense.
python3 - <<'PYTHON'
import vhd
image = vhd.new(vhd.DIFFERENCING, 4 << 20, id=b'\1' * 16,
                parent=vhd.Footer(id=b'\2' * 16), parent_name='x.vhd',
                creator=b'\x1b]0;', creator_os=b'\xff\n"\\')
image.locators = [
    vhd.text_locator('W2ru', '.\\a\n\x1b[2J"\udc80.vhd', slot=0),
    vhd.text_locator('W2ku', 'C:\\\u009b31m\u2028.vhd', slot=1),
    vhd.Locator('MacX', b'file:///\xff\n%00.vhd', slot=2),
    vhd.Locator(0x0a1b0007, b'unknown', slot=3),
    vhd.Locator('Mac ', b'\0\1\2\3', slot=4),
]
image.save('hostile.vhd')
PYTHON
for c in info chain check; do
    vhdkit $c --json hostile.vhd >out 2>err || :
    jq -e . out >/dev/null || { cat -v out; fail "$c: invalid JSON"; }
    sane err
    vhdkit $c hostile.vhd >out 2>err || :
    sane out
    sane err
done
