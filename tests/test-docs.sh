#!/bin/bash -
# The manuals are there, are sound POD, and name the options that --help
# names, no more and no fewer.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e

bad=0
complain ()
{
    echo "$*"
    bad=$((bad + 1))
}

# options_in_help FILE: "-o" and "--option" wherever they stand as words.
options_in_help ()
{
    grep -oE '(^|[][ ,|=(/])(--[a-z][a-z0-9-]*|-[A-Za-z])\b' "$1" |
        grep -oE -- '--?[A-Za-z][a-z0-9-]*' | sort -u
}

# options_in_pod FILE: those with an =item.
options_in_pod ()
{
    sed -nE '/^=item +/{s/[A-Z]<([^<>]*)>/\1/g; s/[A-Z]<([^<>]*)>/\1/g; p}' \
        "$1" | options_in_help /dev/stdin
}

# compare COMMAND... POD
compare ()
{
    local pod=${!#}
    set -- "${@:1:$#-1}"
    "$@" --help >"$tmp/help" 2>"$tmp/stderr" || complain "$* --help fails"
    [ -s "$tmp/help" ] || complain "$* --help prints nothing on stdout"
    [ ! -s "$tmp/stderr" ] || complain "$* --help prints on stderr"
    options_in_help "$tmp/help" >"$tmp/in-help"
    options_in_pod "$pod" >"$tmp/in-pod"
    diff "$tmp/in-help" "$tmp/in-pod" ||
        complain "$*: < only in --help, > only in ${pod##*/}"
}

cd "$top_srcdir"

# Sound, and with the sections that people look for.
if [ "$PODCHECKER" != no ]; then
    "$PODCHECKER" -warnings -warnings plugin/*.pod tools/*.pod 2>"$tmp/check" ||
        complain "podchecker finds errors"
    grep -vE 'pod syntax OK' "$tmp/check" && complain "podchecker has warnings"
fi
for pod in plugin/*.pod tools/*.pod; do
    for section in NAME SYNOPSIS DESCRIPTION EXAMPLES 'SEE ALSO'; do
        grep -qE "^=head1 $section\$" "$pod" ||
            complain "$pod: no section $section"
    done
    name=${pod##*/}
    grep -qE "^${name%.pod} - " "$pod" || complain "$pod: NAME has another name"
done

# A manual for every subcommand, a subcommand for every manual.
vhdkit --help >"$tmp/vhdkit-help"
for file in tools/cmd-*.c; do
    sub=${file#tools/cmd-}
    sub=${sub%.c}
    [ -e "tools/vhdkit-$sub.pod" ] || complain "vhdkit $sub has no manual"
    grep -qE "\\b$sub\\b" "$tmp/vhdkit-help" ||
        complain "vhdkit --help does not name $sub"
    grep -qE "vhdkit-$sub" tools/vhdkit.pod ||
        complain "tools/vhdkit.pod does not name vhdkit-$sub"
    compare vhdkit "$sub" "tools/vhdkit-$sub.pod"
    vhdkit "$sub" --version | grep -q '^vhdkit ' ||
        complain "vhdkit $sub --version does not say the version"
done
for pod in tools/vhdkit-*.pod; do
    sub=${pod#tools/vhdkit-}
    [ -e "tools/cmd-${sub%.pod}.c" ] || complain "$pod describes no subcommand"
done
compare vhdkit tools/vhdkit.pod

# Links between our manuals lead somewhere.
while IFS= read -r page; do
    [ -e "tools/$page.pod" ] || [ -e "plugin/$page.pod" ] ||
        complain "a manual refers to $page(1), which is not there"
done < <(cat tools/*.pod plugin/*.pod |
             grep -oE 'L<(vhdkit[a-z-]*|nbdkit-vhd-plugin)\(1\)>' |
             sed -E 's/L<([^(]*)\(.*/\1/' | sort -u)

# The plugin: each parameter of its help has an item in its manual.
case $SANITIZE in
    *thread*) ;;
    *)
        nbdkit vhd --help >"$tmp/plugin-help"
        parameters ()
        {
            grep -oE '(^|[][ |(])[a-z][a-z-]*=' "$1" |
                grep -oE '[a-z][a-z-]*=' | sort -u
        }
        # Only what stands after the plugin's own part begins.
        sed '1,/^nbdkit vhd plugin/d' "$tmp/plugin-help" >"$tmp/plugin-part"
        [ -s "$tmp/plugin-part" ] || cp "$tmp/plugin-help" "$tmp/plugin-part"
        sed -nE '/^=item +/{s/[A-Z]<([^<>]*)>/\1/g; s/[A-Z]<([^<>]*)>/\1/g; p}' \
            plugin/nbdkit-vhd-plugin.pod >"$tmp/plugin-items"
        parameters "$tmp/plugin-part" >"$tmp/in-help"
        parameters "$tmp/plugin-items" >"$tmp/in-pod"
        diff "$tmp/in-help" "$tmp/in-pod" ||
            complain "vhd plugin: < only in --help, > only in the manual"
        ;;
esac

[ $bad -eq 0 ] || fail "$bad complaints"
