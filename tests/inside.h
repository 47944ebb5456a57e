// inside.h - a few functions that pktseq.h does not declare, for tests of their own. A test that is
// compiled alone brings the implementation; one that is linked (PKTSEQ_LINKED) finds them in
// tests/inside.c, which is compiled once for all tests.
#ifndef INSIDE_H
#define INSIDE_H

#if !defined(PKTSEQ_LINKED) && !defined(PKTSEQ_IMPLEMENTATION)
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"

// X(name without pktseqi_, result, arguments)
#define INSIDE(X) \
    X(number_parse, int, (const char *, size_t, double *)) \
    X(number_scan, const char *, (const char *, const char *, double *)) \
    X(number_write, size_t, (char *, double)) \
    X(random, uint64_t, (uint64_t *)) \
    X(random_at, uint64_t, (uint64_t, int, uint64_t)) \
    X(random_unit, double, (uint64_t *)) \
    X(random_below, size_t, (uint64_t *, size_t)) \
    X(dataset_hash, uint64_t, (const pktseq_dataset *)) \
    X(time, double, (int64_t, uint64_t, uint64_t)) \
    X(counts_left_out, size_t, (const pktseq_table_counts *)) \
    X(cell_bytes, size_t, (pktseq_cell))

#ifdef PKTSEQ_LINKED
#define INSIDE_DECLARE(name, result, arguments) extern result(*const inside_##name) arguments;
INSIDE(INSIDE_DECLARE)
#define pktseqi_number_parse inside_number_parse
#define pktseqi_number_scan inside_number_scan
#define pktseqi_number_write inside_number_write
#define pktseqi_random inside_random
#define pktseqi_random_at inside_random_at
#define pktseqi_random_unit inside_random_unit
#define pktseqi_random_below inside_random_below
#define pktseqi_dataset_hash inside_dataset_hash
#define pktseqi_time inside_time
#define pktseqi_counts_left_out inside_counts_left_out
#define pktseqi_cell_bytes inside_cell_bytes
#endif

#endif
