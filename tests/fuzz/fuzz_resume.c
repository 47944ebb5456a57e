// fuzz_resume.c - a checkpoint of any bytes goes on with its training, on data that it is told are
// its own: one iteration, then one more, with and without another checkpoint in between.
#include "fuzz.h"

enum { RESUME_MOST = 4096, RESUME_SEQUENCES = 4 };

// Trains up to iteration `until`. The data's fingerprint is the caller's, as if they were the same.
static pktseq_status resume_go_on(fuzz_loaded *l, const pktseq_dataset *dataset, size_t until) {
    pktseq_train_config config = l->training.config;
    pktseq_error err;
    pktseq_status status;
    config.iterations = until;
    config.threads = 1;
    if (config.batch > 3) config.batch = 3;
    status = pktseq_train(&l->model, dataset, &config, &l->training, &err);
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
    size_t begun = l->training.iteration;
    uint64_t hash = resume_hash(&l->model, dataset);
    pktseq_buffer buffer;
    pktseq_status status, status2;
    fuzz_loaded other;
    if (begun == 0) {  // only weights: a run of its own begins
        l->training.config = pktseq_train_config_default();
        l->training.config.momentum = 0.5;
        l->training.config.clip = 0.25;
        l->training.config.order = PKTSEQ_ORDER_SHUFFLED;
        l->training.config.loss_interval = 2;
    } else if (l->training.data_hash != hash) {
        FUZZ(resume_go_on(l, dataset, begun + 1) == PKTSEQ_ERROR_MISMATCH);
        FUZZ(l->training.iteration == begun);
        l->training.data_hash = hash;
    }
    status = resume_go_on(l, dataset, begun + 1);
    FUZZ(status == PKTSEQ_OK || status == PKTSEQ_ERROR_DIVERGED || begun + 1 > UINT32_MAX);
    if (status == PKTSEQ_ERROR_ARGUMENT) return;
    FUZZ(l->training.iteration == begun + (status == PKTSEQ_OK));
    for (size_t i = 0; i < l->model.parameters; ++i)
        FUZZ_THAT(fuzz_finite((double)l->model.block[i]), "weight %lu", (unsigned long)i);
    if (status || fuzz_save(l, &buffer, m)) return;  // a sum of losses may be no longer finite
    fuzz_load(&other, buffer.data, buffer.size, m);
    FUZZ_THAT(other.status == PKTSEQ_OK, "%s", other.err.text);
    pktseq_buffer_free(&buffer);
    if (other.status == PKTSEQ_OK) {
        FUZZ(fuzz_same_training(&l->training, &other.training));
        status = resume_go_on(l, dataset, begun + 2);
        status2 = resume_go_on(&other, dataset, begun + 2);
        FUZZ_THAT(status == status2, "%d and %d", (int)status, (int)status2);
        FUZZ(l->training.iteration == other.training.iteration);
        FUZZ(fuzz_same(l->model.block, other.model.block,
                       l->model.parameters * sizeof *l->model.block));
        FUZZ(l->training.losses == other.training.losses);
        FUZZ(fuzz_same(l->training.loss, other.training.loss,
                       l->training.losses * sizeof *l->training.loss));
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
    unsigned char *file;
    size_t bytes, start[RESUME_SEQUENCES + 1], rows, wide;
    if (size > 100000) return 0;
    file = fuzz_repaired(data, size, &bytes);
    fuzz_memory_init(&memory, 0);
    fuzz_load(&l, file, bytes, &memory);
    free(file);
    wide = l.model.config.in + l.model.config.out;
    if (l.status == PKTSEQ_OK && l.model.config.inputs <= 8 && wide <= RESUME_MOST / 64) {
        options.inputs = l.model.config.inputs;
        options.start = l.model.config.start;
        start[0] = 0;
        for (size_t s = 0; s < RESUME_SEQUENCES; ++s) start[s + 1] = start[s] + options.inputs + s;
        rows = start[RESUME_SEQUENCES];
        x = (pktseq_real *)calloc(rows * wide + 1, sizeof *x);
        if (!x) exit(3);
        for (size_t i = 0; i < rows * wide; ++i)
            x[i] = (pktseq_real)(i * 7 % 5 == 0) - (pktseq_real)(i * 13 % 11) / 16;
        if (options.inputs > 0) {  // else the first sequence has no packets
            FUZZ_THAT(!pktseq_dataset_wrap(&dataset, x, l.model.config.in,
                                           x + rows * l.model.config.in, l.model.config.out, start,
                                           RESUME_SEQUENCES, &options, &memory.allocator, &err),
                      "%s", err.text);
        } else {
            FUZZ_THAT(!pktseq_dataset_wrap(&dataset, x, l.model.config.in,
                                           x + rows * l.model.config.in, l.model.config.out,
                                           start + 1, RESUME_SEQUENCES - 1, &options,
                                           &memory.allocator, &err),
                      "%s", err.text);
        }
        resume_check(&l, &dataset, &memory);
        pktseq_dataset_free(&dataset);
        free(x);
    }
    fuzz_unload(&l);
    FUZZ(memory.live == 0);
    return 0;
}
