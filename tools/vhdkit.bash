# Bash completion of vhdkit                               -*- shell-script -*-
# SPDX-License-Identifier: BSD-3-Clause

# What may stand in the place of an option's argument; 1 if the option has
# none.
_vhdkit_argument ()
{
    local command=$1 option=$2 cur=$3

    case $command:$option in
        create:-t | create:--type)
            COMPREPLY=($(compgen -W 'fixed dynamic diff' -- "$cur")) ;;
        create:-b | create:--block-size)
            COMPREPLY=($(compgen -W '512K 2M' -- "$cur")) ;;
        create:--profile)
            COMPREPLY=($(compgen -W 'win32 azure vs2005' -- "$cur")) ;;
        check:--profile)
            COMPREPLY=($(compgen -W 'azure hyperv vs2005 xen' -- "$cur")) ;;
        create:--owner)
            COMPREPLY=($(compgen -u -- "$cur")) ;;
        create:--group)
            COMPREPLY=($(compgen -g -- "$cur")) ;;
        create:-S | create:--source | create:--source-parent)
            _vhdkit_files -f "$cur" ;;
        serve:--mode)
            COMPREPLY=($(compgen -W 'rw ro' -- "$cur")) ;;
        *:--output)
            COMPREPLY=($(compgen -W 'human json' -- "$cur")) ;;
        *:--search)
            _vhdkit_files -d "$cur" ;;
        *:--parent | create:-B | create:--backing | serve:-k | serve:--socket)
            _vhdkit_files -f "$cur" ;;
        create:-s | create:--size | create:-u | create:--uuid | \
        create:--mode | create:--acl | create:--progress-fd | \
        map:-s | map:--start-offset | map:-l | map:--max-length | \
        serve:-p | serve:--port | serve:-t | serve:--threads | \
        serve:--commit-interval)
            ;;
        *)
            return 1 ;;
    esac
}

# Names may hold blanks: a line each.
_vhdkit_files ()
{
    local IFS=$'\n'

    compopt -o filenames
    COMPREPLY=($(compgen "$1" -- "$2"))
}

_vhdkit ()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    local command=${COMP_WORDS[1]} words
    local commands='create info chain map check serve reparent'
    local image='--json --output --force-share --no-resolve --parent --search'

    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "$commands --help --version" -- "$cur"))
        return
    fi
    case $command in
        create) words='--type --size --block-size --parent --backing
                       --raw-parent --source --source-parent --search
                       --force-source --uuid --profile --mode --owner --group
                       --acl --parents --sparse --preallocate
                       --no-sync --allow-compressed --allow-encrypted --quiet
                       --progress --progress=bar --progress=json
                       --progress=none --progress-fd --json --output' ;;
        info)   words="--chain --backing-chain $image" ;;
        chain)  words=$image ;;
        map)    words="--start-offset --max-length $image" ;;
        check)  words="--quiet --data --profile $image" ;;
        serve)  words='--read-only --port --socket --threads --parent --search
                       --mode --commit-interval --dry-run' ;;
        reparent) words='--force --json --output' ;;
        *)      return ;;
    esac
    _vhdkit_argument "$command" "$prev" "$cur" && return
    case $cur in
        -*) COMPREPLY=($(compgen -W "$words --help --version" -- "$cur")) ;;
        *)  _vhdkit_files -f "$cur" ;;
    esac
}

complete -F _vhdkit vhdkit
