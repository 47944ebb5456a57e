// inside.c - pktseq.h, compiled once for all tests that are linked with it, and what inside.h
// names.
#undef PKTSEQ_LINKED
#include "inside.h"

#define INSIDE_DEFINE(name, result, arguments) \
    extern result(*const inside_##name) arguments; \
    result(*const inside_##name) arguments = pktseqi_##name;
INSIDE(INSIDE_DEFINE)
