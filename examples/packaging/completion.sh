#!/bin/sh
# completion.sh - writes what bash needs to complete the options of train, detect and sequences, and
# the words of those that take one of several, all from what they print for --help.
prefix=${1:-}
for name in train detect sequences; do
    options=$("./$name" --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p' | tr '\n' ' ')
    words=$("./$name" --help |
        sed -n 's/^  \(--[a-z-]*\) \([a-z0-9]*|[a-z0-9|]*\).*/        \1) words="\2" ;;/p' | tr '|' ' ')
    cat <<END
_pktseq_$name() {
    local word=\${COMP_WORDS[COMP_CWORD]} words=
    case \${COMP_WORDS[COMP_CWORD - 1]} in
$words
    esac
    [[ \$word != -* ]] || words="$options"
    if [ -n "\$words" ]; then COMPREPLY=(\$(compgen -W "\$words" -- "\$word"))
    else COMPREPLY=(\$(compgen -f -- "\$word")); fi
}
complete -o filenames -F _pktseq_$name $prefix$name
END
done
