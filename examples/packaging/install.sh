#!/bin/sh
# install.sh - copies what `make install` has built to where it belongs; the Makefile says where.
set -eu
library=$1
here=examples/packaging
root=$DESTDIR$PREFIX
lib=$DESTDIR$LIBDIR
man=$DESTDIR$MANDIR
completions=$root/share/bash-completion/completions

put() { # mode, file, target
    mkdir -p "$(dirname "$3")"
    cp "$2" "$3.new" && chmod "$1" "$3.new" && mv -f "$3.new" "$3"
    echo "  $3"
}

fill() { # template, target
    sed "s|@PREFIX@|$PREFIX|; s|@LIBDIR@|$LIBDIR|; s|@VERSION@|$VERSION|; s|@OPENMP@|$OPENMP|; s| *$||" \
        "$1" >"$BUILD/filled"
    put 644 "$BUILD/filled" "$2"
}

sh $here/man.sh "$BUILD/man"
for program in train detect sequences; do
    put 755 $program "$root/bin/$PROGRAM_PREFIX$program"
    put 644 "$BUILD/man/$program.1" "$man/man1/$PROGRAM_PREFIX$program.1"
done
put 644 "$BUILD/man/pktseq.3" "$man/man3/pktseq.3"
put 644 pktseq.h "$root/include/pktseq.h"
put 755 "$BUILD/$library" "$lib/$library"
ln -sf "$library" "$lib/libpktseq.so"
fill $here/pktseq.pc.in "$lib/pkgconfig/pktseq.pc"
fill $here/pktseq-shared.pc.in "$lib/pkgconfig/pktseq-shared.pc"
put 644 $here/pktseq-config.cmake "$lib/cmake/pktseq/pktseq-config.cmake"
fill $here/pktseq-config-version.cmake.in "$lib/cmake/pktseq/pktseq-config-version.cmake"
sh $here/completion.sh "$PROGRAM_PREFIX" >"$BUILD/completion"
put 644 "$BUILD/completion" "$completions/${PROGRAM_PREFIX}train"
for program in detect sequences; do
    ln -sf "${PROGRAM_PREFIX}train" "$completions/$PROGRAM_PREFIX$program"
done
