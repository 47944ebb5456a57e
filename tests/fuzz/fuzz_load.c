// fuzz_load.c - bytes as a checkpoint: what loads can be used, saved, and loaded again as it was.
//
// The first byte: bit 0 repairs length, size and checksum, so that the rest is looked at; bits 1 to
// 3 leave out codec, training, detector; bits 4 and up are an allocation that fails (0 = none).
#include "fuzz.h"

static int load_same_model(const pktseq_model *a, const pktseq_model *b) {
    const pktseq_config *c = &a->config, *d = &b->config;
    int same = c->in == d->in && c->out == d->out && c->hidden == d->hidden &&
               c->inputs == d->inputs && c->start == d->start && c->loss == d->loss &&
               a->parameters == b->parameters &&
               equal_bytes(a->block, b->block, a->parameters * sizeof *a->block);
    // Without groups, each output is a number of its own: that is what a loaded model says.
    for (size_t g = 0; same && c->groups == d->groups && g < c->groups; ++g)
        same = c->group[g].kind == d->group[g].kind && c->group[g].first == d->group[g].first &&
               c->group[g].count == d->group[g].count;
    return same && (c->groups == d->groups || !c->groups);
}

static int load_same_detector(const pktseq_detector *a, const pktseq_detector *b) {
    size_t C = a->contexts;
    if (!a->memory) return !b->memory;
    return b->memory && a->out == b->out && a->groups == b->groups && C == b->contexts &&
           a->options.measure == b->options.measure && a->sequences == b->sequences &&
           !a->options.one_step_ahead == !b->options.one_step_ahead &&
           !a->options.by_length == !b->options.by_length &&
           a->options.context == b->options.context &&
           a->options.false_positive_rate == b->options.false_positive_rate &&
           a->threshold == b->threshold && a->threshold_low == b->threshold_low &&
           a->threshold_high == b->threshold_high &&
           equal_bytes(a->weight, b->weight, a->groups * sizeof *a->weight) &&
           equal_bytes(a->error, b->error, a->out * sizeof *a->error) &&
           equal_bytes(a->mean, b->mean, C * sizeof *a->mean) &&
           equal_bytes(a->precision, b->precision, C * C * sizeof *a->precision) &&
           equal_bytes(a->scale, b->scale, sizeof a->scale) &&
           equal_bytes(a->length_scale, b->length_scale, sizeof a->length_scale);
}

// Saved and loaded again it is the same; saved once more, so are the bytes.
static void load_check_again(const fuzz_loaded *l, fuzz_memory *m) {
    pktseq_buffer first, second;
    fuzz_loaded again;
    pktseq_status status = fuzz_save(l, &first, m);
    FUZZ_THAT(status == PKTSEQ_OK, "what was loaded cannot be saved: %s",
              pktseq_status_text(status));
    if (status) return;
    fuzz_load(&again, first.data, first.size, m);
    FUZZ_THAT(again.status == PKTSEQ_OK, "%s", again.err.text);
    if (again.status == PKTSEQ_OK) {
        FUZZ(load_same_model(&l->p.model, &again.p.model));
        FUZZ(equal_codecs(&l->p.codec, &again.p.codec));
        FUZZ(fuzz_same_training(&l->p.training, &again.p.training));
        FUZZ(load_same_detector(&l->p.detector, &again.p.detector));
        if (fuzz_save(&again, &second, m) == PKTSEQ_OK)
            FUZZ(first.size == second.size && equal_bytes(first.data, second.data, first.size));
        pktseq_buffer_free(&second);
    }
    fuzz_unload(&again);
    pktseq_buffer_free(&first);
}

// Whatever was loaded scores sequences: alone, in a batch, and packet by packet, to the same bits.
static void load_check_use(const fuzz_loaded *l, fuzz_memory *m) {
    enum { T = 3, MOST = 4096 };
    const pktseq_config *c = &l->p.model.config;
    const pktseq_detector *d = &l->p.detector;
    pktseq_detector own;
    pktseq_work work;
    pktseq_stream stream;
    pktseq_pair pair[3];
    pktseq_error err;
    pktseq_real *x;
    double score[3], streamed = 0;
    size_t rows = c->inputs + T, contexts = d->memory ? d->contexts : 0;
    pktseq_status status = pktseq_work_init(&work, c, 3, T, 1, &m->allocator, &err);
    fuzz_error(&err, status);
    FUZZ_THAT(status == PKTSEQ_OK || status == PKTSEQ_ERROR_MEMORY, "%s", err.text);
    if (status || rows > 20 || rows * (c->in + c->out + contexts) > MOST) {
        pktseq_work_free(&work);
        return;
    }
    x = (pktseq_real *)calloc(rows * (c->in + c->out + contexts + 1), sizeof *x);
    if (!x) exit(3);
    for (size_t i = 0; i < rows * (c->in + c->out + contexts); ++i)
        x[i] = (pktseq_real)(i * 7 % 5 == 0) - (pktseq_real)(i * 13 % 11) / 16;
    memset(pair, 0, sizeof pair);
    for (size_t i = 0; i < 3; ++i) {
        pair[i].input = x;
        pair[i].inputs = c->inputs;
        pair[i].target = x + rows * c->in + c->inputs * c->out;
        pair[i].first = c->start == PKTSEQ_START_TARGET ? pair[i].target
                        : c->inputs                     ? pair[i].target - c->out
                                                        : NULL;
        pair[i].targets = T - i;
        pair[i].context = x + rows * (c->in + c->out) + c->inputs * contexts;
    }
    memset(&own, 0, sizeof own);
    if (!d->memory) {
        FUZZ(!pktseq_detector_init(&own, &l->p.model, 0, NULL, &m->allocator, &err));
        d = &own;
    }
    FUZZ(!pktseq_detector_score(d, &l->p.model, &work, pair, 3, score));
    for (size_t i = 0; i < 3; ++i) {
        double alone = 0;
        FUZZ(!pktseq_detector_score(d, &l->p.model, &work, &pair[i], 1, &alone));
        FUZZ_THAT(equal_bytes(&alone, &score[i], sizeof alone) || alone != alone, "%g, batch %g",
                  alone, score[i]);
    }
    FUZZ(!pktseq_stream_init(&stream, &l->p.model, d, &m->allocator, &err));
    for (size_t row = 0; row < rows; ++row)
        FUZZ(!pktseq_stream_push(&stream, x + row * c->in, x + rows * c->in + row * c->out,
                                 x + rows * (c->in + c->out) + row * contexts));
    FUZZ(!pktseq_stream_score(&stream, &streamed));
    FUZZ_THAT(equal_bytes(&streamed, &score[0], sizeof streamed) || streamed != streamed,
              "stream %g, batch %g", streamed, score[0]);
    pktseq_stream_free(&stream);
    pktseq_detector_free(&own);
    pktseq_work_free(&work);
    free(x);
}

// Some parts only: the others are not touched, and what is wanted is the same.
static void load_check_parts(const unsigned char *data, size_t size, unsigned without,
                             const fuzz_loaded *l, fuzz_memory *m) {
    fuzz_loaded part;
    pktseq_status status;
    memset(&part, 0, sizeof part);
    status = pktseq_load_mem(&part.p.model, without & 1 ? NULL : &part.p.codec,
                             without & 2 ? NULL : &part.p.training,
                             without & 4 ? NULL : &part.p.detector, data, size, &m->allocator,
                             &part.err);
    fuzz_error(&part.err, status);
    if (l->status == PKTSEQ_OK) {
        FUZZ_THAT(status == PKTSEQ_OK, "%s", part.err.text);
        FUZZ(load_same_model(&part.p.model, &l->p.model));
        FUZZ(without & 1 ? !part.p.codec.field_count : equal_codecs(&part.p.codec, &l->p.codec));
        FUZZ(without & 2 ? !part.p.training.iteration
                         : fuzz_same_training(&part.p.training, &l->p.training));
        FUZZ(without & 4 ? !part.p.detector.memory
                         : load_same_detector(&part.p.detector, &l->p.detector));
    }
    fuzz_unload(&part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_memory memory;
    fuzz_loaded l;
    unsigned char *file;
    size_t bytes = size - 1;
    if (size < 1 || size > 100000) return 0;
    file = data[0] & 1 ? fuzz_repaired(data + 1, size - 1, &bytes)
                       : fuzz_exactly(data + 1, size - 1);
    fuzz_memory_init(&memory, data[0] >> 4);
    fuzz_load(&l, file, bytes, &memory);
    FUZZ(l.status != PKTSEQ_ERROR_MEMORY || memory.refused ||
         (memory.fail_at && memory.calls >= memory.fail_at));
    FUZZ_THAT(!memory.refused, "a size was believed: %s", l.err.text);
    if (l.status) FUZZ(memory.live == 0);
    memory.fail_at = 0;
    if (l.status != PKTSEQ_ERROR_MEMORY && (data[0] & 14))
        load_check_parts(file, bytes, (data[0] >> 1) & 7u, &l, &memory);
    if (l.status == PKTSEQ_OK) {
        load_check_again(&l, &memory);
        load_check_use(&l, &memory);
    }
    fuzz_unload(&l);
    FUZZ(memory.live == 0);
    free(file);
    return 0;
}
