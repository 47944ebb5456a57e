// text.h - what tests make CSV of and show tables with: text that grows, and random numbers.
#ifndef TEXT_H
#define TEXT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Text that grows, always with a 0 at its end. Starts as {NULL, 0, 0}; data is to be freed.
typedef struct text {
    char *data;
    size_t size, capacity;
} text;

static inline void put_bytes(text *t, const void *bytes, size_t size) {
    if (t->size + size + 1 > t->capacity) {
        t->capacity = 2 * (t->size + size) + 100;
        t->data = (char *)realloc(t->data, t->capacity);
        if (!t->data) exit(1);
    }
    memcpy(t->data + t->size, bytes, size);
    t->size += size;
    t->data[t->size] = 0;
}

static inline void put(text *t, const char *s) { put_bytes(t, s, strlen(s)); }

// Adds a number in digits that read back exactly, so that tables can be compared as text.
static inline void put_number(text *t, double value) {
    char s[40];
    sprintf(s, "%.17g", value);
    put(t, s);
}

static uint32_t random_state = 2463534242u;

// Returns one of 0 .. n - 1: the same numbers on every machine, so that a failure can be looked at.
static inline unsigned random_below(unsigned n) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % n;
}

#endif
