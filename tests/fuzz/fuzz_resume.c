// fuzz_resume.c - a checkpoint of any bytes goes on with its training, on data that it is told are
// its own: one iteration, then one more, with and without another checkpoint in between.
#include "fuzz.h"

enum { RESUME_MOST = 4096, RESUME_SEQUENCES = 4 };

// Trains up to iteration `until`. The data's fingerprint is the caller's, as if they were the same.
static pktseq_status resume_go_on(fuzz_loaded *l, const pktseq_dataset *dataset, size_t until) {
    pktseq_train_config config = l->p.training.config;
    pktseq_error err;
    pktseq_status status;
    config.iterations = until;
    config.threads = 1;
    if (config.batch > 3) config.batch = 3;
    status = pktseq_train(&l->p.model, dataset, &config, &l->p.training, &err);
    fuzz_error(&err, status);
    return status;
}

// What a training without iterations leaves of the data: their fingerprint.
static uint64_t resume_hash(const pktseq_model *model, const pktseq_dataset *dataset) {
    pktseq_train_config config = pktseq_train_config_default();
    pktseq_training training;
    pktseq_model other;
    pktseq_error err;
    uint64_t hash;
    memset(&training, 0, sizeof training);
    config.iterations = 0;
    config.threads = 1;
    FUZZ(!pktseq_model_init(&other, &model->config, 1, NULL, &err));
    FUZZ_THAT(!pktseq_train(&other, dataset, &config, &training, &err), "%s", err.text);
    hash = training.data_hash;
    pktseq_training_free(&training);
    pktseq_model_free(&other);
    return hash;
}

static void resume_check(fuzz_loaded *l, const pktseq_dataset *dataset, fuzz_memory *m) {
    size_t begun = l->p.training.iteration;
    uint64_t hash = resume_hash(&l->p.model, dataset);
    pktseq_buffer buffer;
    pktseq_status status, status2;
    fuzz_loaded other;
    if (begun == 0) {  // only weights: a run of its own begins
        l->p.training.config = pktseq_train_config_default();
        l->p.training.config.momentum = 0.5;
        l->p.training.config.clip = 0.25;
        l->p.training.config.order = PKTSEQ_ORDER_SHUFFLED;
        l->p.training.config.loss_interval = 2;
    } else if (l->p.training.data_hash != hash) {
        FUZZ(resume_go_on(l, dataset, begun + 1) == PKTSEQ_ERROR_MISMATCH);
        FUZZ(l->p.training.iteration == begun);
        l->p.training.data_hash = hash;
    }
    status = resume_go_on(l, dataset, begun + 1);
    FUZZ(status == PKTSEQ_OK || status == PKTSEQ_ERROR_DIVERGED || begun + 1 > UINT32_MAX);
    if (status == PKTSEQ_ERROR_ARGUMENT) return;
    FUZZ(l->p.training.iteration == begun + (status == PKTSEQ_OK));
    for (size_t i = 0; i < l->p.model.parameters; ++i)
        FUZZ_THAT(fuzz_finite((double)l->p.model.block[i]), "weight %lu", (unsigned long)i);
    if (status || fuzz_save(l, &buffer, m)) return;  // a sum of losses may be no longer finite
    fuzz_load(&other, buffer.data, buffer.size, m);
    FUZZ_THAT(other.status == PKTSEQ_OK, "%s", other.err.text);
    pktseq_buffer_free(&buffer);
    if (other.status == PKTSEQ_OK) {
        FUZZ(fuzz_same_training(&l->p.training, &other.p.training));
        status = resume_go_on(l, dataset, begun + 2);
        status2 = resume_go_on(&other, dataset, begun + 2);
        FUZZ_THAT(status == status2, "%d and %d", (int)status, (int)status2);
        FUZZ(l->p.training.iteration == other.p.training.iteration);
        FUZZ(equal_bytes(l->p.model.block, other.p.model.block,
                       l->p.model.parameters * sizeof *l->p.model.block));
        FUZZ(l->p.training.losses == other.p.training.losses);
        FUZZ(equal_bytes(l->p.training.loss, other.p.training.loss,
                       l->p.training.losses * sizeof *l->p.training.loss));
    }
    fuzz_unload(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_dataset dataset;
    pktseq_error err;
    pktseq_real *x;
    fuzz_memory memory;
    fuzz_loaded l;
    const pktseq_config *c;
    unsigned char *file;
    size_t bytes, start[RESUME_SEQUENCES + 1], rows, wide;
    if (size > 100000) return 0;
    file = fuzz_repaired(data, size, &bytes);
    fuzz_memory_init(&memory, 0);
    fuzz_load(&l, file, bytes, &memory);
    free(file);
    c = &l.p.model.config;
    wide = c->in + c->out;
    if (l.status == PKTSEQ_OK && c->inputs <= 8 && wide <= RESUME_MOST / 64) {
        size_t empty = c->inputs == 0;  // the first sequence has no packets then
        options.inputs = c->inputs;
        options.start = c->start;
        start[0] = 0;
        for (size_t s = 0; s < RESUME_SEQUENCES; ++s) start[s + 1] = start[s] + options.inputs + s;
        rows = start[RESUME_SEQUENCES];
        x = (pktseq_real *)calloc(rows * wide + 1, sizeof *x);
        if (!x) exit(3);
        for (size_t i = 0; i < rows * wide; ++i)
            x[i] = (pktseq_real)(i * 7 % 5 == 0) - (pktseq_real)(i * 13 % 11) / 16;
        FUZZ_THAT(!pktseq_dataset_wrap(&dataset, x, c->in, x + rows * c->in, c->out, start + empty,
                                       RESUME_SEQUENCES - empty, &options, &memory.allocator,
                                       &err), "%s", err.text);
        resume_check(&l, &dataset, &memory);
        pktseq_dataset_free(&dataset);
        free(x);
    }
    fuzz_unload(&l);
    FUZZ(memory.live == 0);
    return 0;
}
