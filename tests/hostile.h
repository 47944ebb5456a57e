// hostile.h - for tests of input that wants to do harm: an allocator that knows its peak, text in
// bulk, and a complete checkpoint of two hidden units with all that it was made from.
#ifndef HOSTILE_H
#define HOSTILE_H

#include "scene.h"
#include "text.h"

#ifdef _OPENMP
#include <omp.h>
#endif

#define COUNT(array) (sizeof(array) / sizeof *(array))
typedef unsigned long ulong_t;

// ---- an allocator that knows its peak

// The size of each block stands in front of it.
enum { NOTE = 16 };

typedef struct meter {
    size_t blocks, bytes, peak;  // peak also counts what was asked for and refused
    size_t limit;                // bytes that may be there at a time
} meter;

static inline void *meter_alloc(size_t size, void *user_data) {
    meter *m = (meter *)user_data;
    char *p;
    size_t now = size > SIZE_MAX - m->bytes ? SIZE_MAX : m->bytes + size;
    if (now > m->peak) m->peak = now;
    if (now > m->limit) return NULL;
    p = (char *)malloc(size + NOTE);
    if (!p) return NULL;
    memcpy(p, &size, sizeof size);
    m->bytes = now;
    ++m->blocks;
    return p + NOTE;
}

static inline void meter_free(void *p, void *user_data) {
    meter *m = (meter *)user_data;
    size_t size;
    if (!p) return;
    memcpy(&size, (char *)p - NOTE, sizeof size);
    m->bytes -= size;
    --m->blocks;
    free((char *)p - NOTE);
}

static inline pktseq_allocator metered(meter *m) {
    pktseq_allocator a;
    memset(m, 0, sizeof *m);
    m->limit = (size_t)1 << 30;
    a.alloc_fn = meter_alloc;
    a.free_fn = meter_free;
    a.user_data = m;
    return a;
}

static inline void one_thread(int one) {
#ifdef _OPENMP
    static int all;
    if (!all) all = omp_get_max_threads();
    omp_set_num_threads(one ? 1 : all);
#else
    (void)one;
#endif
}

// One sentence for people: not empty, no line end, nothing that a terminal would not show.
static inline int is_sentence(const pktseq_error *err) {
    const char *p = err->text;
    if (!memchr(err->text, 0, sizeof err->text) || strlen(p) < 8) return 0;
    while (*p >= 32 && *p < 127) ++p;
    return *p == 0;
}

// ---- text in bulk

// Appends `count` times a piece.
static inline void put_many(text *t, const char *piece, size_t count) {
    const size_t size = strlen(piece), from = t->size;
    if (!count) return;
    put_bytes(t, piece, size);
    for (size_t done = size; done < size * count;) {  // doubles what is there
        size_t more = done < size * count - done ? done : size * count - done;
        char *copy = (char *)malloc(more);
        if (!copy) exit(3);
        memcpy(copy, t->data + from, more);  // put_bytes may move what it copies from
        put_bytes(t, copy, more);
        free(copy);
        done += more;
    }
}

// A text that is there, and empty.
static inline text no_text(void) {
    text t = {NULL, 0, 0};
    put_bytes(&t, "", 0);
    return t;
}

// ---- a file with everything in it

static const char *const world_csv =
    "position,v,f,k,c,d\n"
    "0,1.5,1,3,4,2\n1,2.5,0,5,1,6\n2,0.5,1,2,7,1\n3,3.5,0,8,2,9\n4,1.25,1,1,3,0\n"
    "0,4.5,0,3,5,2\n1,0.5,1,5,0,3\n2,2.5,1,2,8,7\n3,1.5,0,8,1,4\n"
    "0,2.25,0,1,2,5\n1,3.5,1,3,6,1\n2,0.25,0,5,9,8\n3,2.5,1,2,4,6\n4,1.5,0,8,7,3\n"
    "0,0.75,1,1,0,2\n1,1.5,0,3,3,9\n2,4.5,1,5,6,0\n3,2.75,0,2,5,4\n";

// How it is made: two hidden units, everything trained and fitted.
static inline plan world_plan(const pktseq_allocator *a) {
    static const pktseq_field field[] = {
        FIELD("v", LOG, BOTH), FIELD("f", FLAG, BOTH),
        {"k", PKTSEQ_ONEHOT, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 4},  // 2, 3 and 5
        FIELD("c", NUMBER, CONTEXT), FIELD("d", NUMBER, CONTEXT)};
    plan how = plan_of(schema_of(field, COUNT(field)), 2, 7);
    how.dataset.inputs = 2;
    how.loss = PKTSEQ_LOSS_NLL;
    how.train = run_of(6, 2, 0.03125, 0.75, 0);
    how.train.loss_interval = 3;
    how.train.report_interval = 4;
    how.detector = surprisal_options();
    how.allocator = a;
    return how;
}

// A forward with targets has just been done, and four packets were pushed.
static inline int world_make(parts *w, const pktseq_allocator *a) {
    plan how = world_plan(a);
    pktseq_error err;
    int good;
    memset(w, 0, sizeof *w);
    good = !parts_parse(w, &how, world_csv, strlen(world_csv), &err);
    w->dataset.seconds = 60;  // the table has no timestamps
    good = good && !parts_learn(w, &how, &err) && !parts_fit(w, &how, &err) &&
           !pktseq_work_init(&w->work, &w->model.config, 4, 8, 1, a, &err) &&
           !pktseq_stream_init(&w->stream, &w->model, &w->detector, a, &err) &&
           !parts_save(w, a, &err);
    if (good) {
        pktseq_pair pair = pktseq_dataset_pair(&w->dataset, 0);
        good = !pktseq_forward(&w->model, &w->work, &pair, 1, NULL);
        for (int i = 0; good && i < 4; ++i)
            good = !pktseq_stream_push(&w->stream, w->dataset.x, w->dataset.y, w->dataset.c);
    }
    CHECK_THAT(good, "something to test with: %s", err.text);
    if (!good) parts_free(w);
    return good;
}

#endif
