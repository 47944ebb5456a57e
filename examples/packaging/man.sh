#!/bin/sh
# man.sh - generates manual pages: train(1), detect(1) and sequences(1) from the output of --help,
# pktseq(3) from the manual at the top of pktseq.h.
#
#     sh examples/packaging/man.sh DIR      writes DIR/train.1 .. DIR/pktseq.3; run at the top, after make
set -eu
dir=$1
version=$(awk '/^#define PKTSEQ_VERSION "/ { gsub(/"/, "", $3); print $3 }' pktseq.h)
mkdir -p "$dir"

# In a program's help the first line is its synopsis, options are in two columns, the rest is prose.
for name in train detect sequences; do
    "./$name" --help | awk -v name=$name -v version="$version" '
        function escape(s) {
            gsub(/\\/, "\\e", s)
            gsub(/-/, "\\-", s)
            sub(/^[.\047]/, "\\\\\\&&", s)
            return s
        }
        NR == 1 {
            use = $0
            next
        }
        !named && /[^ ]/ {
            named = 1
            about = $0
            sub(/[.,] .*|\.$| \(.*/, "", about)
            about = tolower(substr(about, 1, 1)) substr(about, 2)
            printf ".TH %s 1 \"\" \"pktseq %s\" \"pktseq\"\n.SH NAME\n%s \\- %s\n", toupper(name),
                   version, name, escape(about)
            sub(/^[^ ]* /, "", use)
            printf ".SH SYNOPSIS\n.B %s\n%s\n.SH DESCRIPTION\n", name, escape(use)
        }
        /^$/ {
            if (named) blank = 1
            next
        }
        /^  --?[a-z]/ {
            if (!options++) print ".SH OPTIONS"
            text = substr($0, 3)
            at = match(text, /  +/)
            what = at ? substr(text, 1, at - 1) : text
            printf ".TP\n.B %s\n", escape(what)
            if (at) print escape(substr(text, at + RLENGTH))
            blank = 0
            listed = 1
            next
        }
        /^   / && listed {
            sub(/^ +/, "")
            print escape($0)
            next
        }
        {
            if (listed) print ".SH NOTES"
            else if (blank) print ".PP"
            listed = blank = 0
            print escape($0)
        }
        END { printf ".SH SEE ALSO\n.BR train (1),\n.BR detect (1),\n.BR sequences (1),\n.BR pktseq (3)\n" }
    ' >"$dir/$name.1"
done

# The header's first comment, verbatim, and the names of the functions.
{
    cat <<END
.TH PKTSEQ 3 "" "pktseq $version" "pktseq"
.SH NAME
pktseq \\- $(sed -n '1s/^[^-]* - //p' pktseq.h | sed 's/-/\\-/g')
.SH SYNOPSIS
.nf
#define PKTSEQ_IMPLEMENTATION
#include <pktseq.h>

cc program.c \$(pkg\\-config \\-\\-cflags \\-\\-libs pktseq)
cc program.c \$(pkg\\-config \\-\\-cflags \\-\\-libs pktseq\\-shared)
.fi
.SH DESCRIPTION
The manual of pktseq.h. With the shared library no file defines PKTSEQ_IMPLEMENTATION.
.PP
.nf
END
    awk 'NR > 2 { if (/^\*\//) exit; print }' pktseq.h | sed 's/\\/\\e/g; s/-/\\-/g; s/^\([.'"'"']\)/\\\&\1/'
    printf '.fi\n.SH FUNCTIONS\n.nf\n'
    sed -n 's/^PKTSEQ_DEF .*[ *]\(pktseq_[a-z0-9_]*\)(.*/\1/p' pktseq.h | sort -u
    printf '.fi\n.SH SEE ALSO\n.BR train (1),\n.BR detect (1),\n.BR sequences (1)\n'
} >"$dir/pktseq.3"
