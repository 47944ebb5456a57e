// parts.h - a model and all that belongs to it, each part made from those before it. For programs
// that check (see scene.h) and for those that do not; they include pktseq.h themselves.
#ifndef PARTS_H
#define PARTS_H

// All zero: none of them is there yet.
typedef struct parts {
    pktseq_table table;
    pktseq_codec codec;
    pktseq_dataset dataset;
    pktseq_model model;
    pktseq_work work;
    pktseq_training training;
    pktseq_detector detector;
    pktseq_stream stream;
    pktseq_buffer file;  // a checkpoint of them
} parts;

// How they are made.
typedef struct plan {
    pktseq_schema schema;
    pktseq_dataset_options dataset;
    size_t hidden;
    pktseq_loss loss;
    uint64_t seed;                     // of the first weights
    pktseq_train_config train;         // iterations 0: not trained
    pktseq_detector_options detector;
    const pktseq_allocator *allocator;
} plan;

// A run of one thread, with every other option as the header has it.
static inline pktseq_train_config run_of(size_t iterations, size_t batch, double rate,
                                         double momentum, double clip) {
    pktseq_train_config config = pktseq_train_config_default();
    config.iterations = iterations;
    config.batch = batch;
    config.learning_rate = rate;
    config.momentum = momentum;
    config.clip = clip;
    config.threads = 1;
    return config;
}

// One in twenty of the normal may be above.
static inline pktseq_detector_options options_of(pktseq_measure measure, int ahead, double context,
                                                 int by_length) {
    pktseq_detector_options options;
    memset(&options, 0, sizeof options);
    options.measure = measure;
    options.one_step_ahead = ahead;
    options.context = context;
    options.by_length = by_length;
    options.false_positive_rate = 0.05;
    return options;
}

// One step ahead, by length, half of a score the context's; one in four of the normal may be above.
static inline pktseq_detector_options surprisal_options(void) {
    pktseq_detector_options options = options_of(PKTSEQ_MEASURE_SURPRISAL, 1, 0.5, 1);
    options.false_positive_rate = 0.25;
    return options;
}

// The defaults for a schema: a model that is not trained.
static inline plan plan_of(pktseq_schema schema, size_t hidden, uint64_t seed) {
    plan how;
    memset(&how, 0, sizeof how);
    how.schema = schema;
    how.dataset = pktseq_dataset_options_default();
    how.hidden = hidden;
    how.seed = seed;
    how.train = pktseq_train_config_default();
    how.train.iterations = 0;
    how.train.threads = 1;
    return how;
}

// Codec and dataset of a table, which may be p's or not.
static inline pktseq_status parts_encode(parts *p, const plan *how, const pktseq_table *table,
                                         pktseq_error *err) {
    pktseq_status status = pktseq_codec_fit(&p->codec, table, &how->schema, how->allocator, err);
    return status ? status : pktseq_dataset_init(&p->dataset, &p->codec, table, &how->dataset,
                                                 how->allocator, err);
}

// Table, codec and dataset of a text.
static inline pktseq_status parts_parse(parts *p, const plan *how, const void *text, size_t size,
                                        pktseq_error *err) {
    pktseq_status status =
        pktseq_table_parse(&p->table, text, size, &how->schema, how->allocator, err);
    return status ? status : parts_encode(p, how, &p->table, err);
}

// A model of the dataset, trained if the plan says so.
static inline pktseq_status parts_learn(parts *p, const plan *how, pktseq_error *err) {
    pktseq_config config = pktseq_config_default(&p->dataset);
    pktseq_status status;
    config.hidden = how->hidden;
    config.loss = how->loss;
    status = pktseq_model_init(&p->model, &config, how->seed, how->allocator, err);
    if (status || how->train.iterations == 0) return status;
    return pktseq_train(&p->model, &p->dataset, &how->train, &p->training, err);
}

// A detector, fitted to the dataset.
static inline pktseq_status parts_fit(parts *p, const plan *how, pktseq_error *err) {
    pktseq_status status = pktseq_detector_init(&p->detector, &p->model, p->dataset.contexts,
                                                &how->detector, how->allocator, err);
    return status ? status : pktseq_detector_fit(&p->detector, &p->model, &p->dataset,
                                                 how->train.threads, err);
}

// All that a checkpoint holds, from a text.
static inline pktseq_status parts_make(parts *p, const plan *how, const void *text, size_t size,
                                       pktseq_error *err) {
    pktseq_status status = parts_parse(p, how, text, size, err);
    if (!status) status = parts_learn(p, how, err);
    return status ? status : parts_fit(p, how, err);
}

static inline pktseq_status parts_save(parts *p, const pktseq_allocator *allocator,
                                       pktseq_error *err) {
    return pktseq_save_mem(&p->model, &p->codec, &p->training, &p->detector, &p->file, allocator,
                           err);
}

// What loading fills is garbage before: outputs need not be prepared by the caller.
static inline void parts_spoil(parts *p) {
    memset(p, 0, sizeof *p);
    memset(&p->model, 0x5a, sizeof p->model);
    memset(&p->codec, 0x5a, sizeof p->codec);
    memset(&p->training, 0x5a, sizeof p->training);
    memset(&p->detector, 0x5a, sizeof p->detector);
}

static inline pktseq_status parts_load(parts *p, const void *data, size_t size,
                                       const pktseq_allocator *allocator, pktseq_error *err) {
    parts_spoil(p);
    return pktseq_load_mem(&p->model, &p->codec, &p->training, &p->detector, data, size, allocator,
                           err);
}

static inline pktseq_status parts_open(parts *p, const char *path,
                                       const pktseq_allocator *allocator, pktseq_error *err) {
    parts_spoil(p);
    return pktseq_load(&p->model, &p->codec, &p->training, &p->detector, path, allocator, err);
}

static inline void parts_free(parts *p) {
    pktseq_buffer_free(&p->file);
    pktseq_stream_free(&p->stream);
    pktseq_detector_free(&p->detector);
    pktseq_training_free(&p->training);
    pktseq_work_free(&p->work);
    pktseq_model_free(&p->model);
    pktseq_dataset_free(&p->dataset);
    pktseq_codec_free(&p->codec);
    pktseq_table_free(&p->table);
}

// ---- comparisons: bit by bit, of what a file can hold

static inline int equal_bytes(const void *a, const void *b, size_t size) {
    return size == 0 || memcmp(a, b, size) == 0;
}

static inline int equal_codecs(const pktseq_codec *a, const pktseq_codec *b) {
    if (a->field_count != b->field_count || a->features != b->features ||
        a->targets != b->targets || a->contexts != b->contexts || a->groups != b->groups)
        return 0;
    if (a->field_count == 0) return 1;
    if (!equal_bytes(a->first, b->first, (a->field_count + 1) * sizeof *a->first) ||
        !equal_bytes(a->target, b->target, a->targets * sizeof *a->target))
        return 0;
    for (size_t i = 0; i < a->field_count; ++i) {
        const pktseq_field *f = &a->field[i], *g = &b->field[i];
        if (strcmp(f->column, g->column) || f->kind != g->kind || f->role != g->role ||
            !equal_bytes(&f->mean, &g->mean, sizeof f->mean) ||
            !equal_bytes(&f->sd, &g->sd, sizeof f->sd) || f->category_count != g->category_count)
            return 0;
        for (size_t k = 0; k < f->category_count; ++k)
            if (strcmp(f->category[k], g->category[k])) return 0;
    }
    return 1;
}

static inline int equal_trainings(const pktseq_training *a, const pktseq_training *b) {
    const pktseq_train_config *c = &a->config, *d = &b->config;
    return c->iterations == d->iterations && c->batch == d->batch &&
           equal_bytes(&c->learning_rate, &d->learning_rate, sizeof(double)) &&
           equal_bytes(&c->teacher_forcing, &d->teacher_forcing, sizeof(double)) &&
           c->order == d->order && c->seed == d->seed && c->report_interval == d->report_interval &&
           c->loss_interval == d->loss_interval && c->milestone_count == d->milestone_count &&
           equal_bytes(c->milestone, d->milestone, c->milestone_count) && !d->progress &&
           !d->user_data && a->iteration == b->iteration &&
           equal_bytes(&a->report_sum, &b->report_sum, sizeof(double)) &&
           a->report_count == b->report_count &&
           equal_bytes(&a->loss_sum, &b->loss_sum, sizeof(double)) &&
           a->loss_sum_count == b->loss_sum_count && a->losses == b->losses &&
           equal_bytes(a->loss, b->loss, a->losses * sizeof(double)) &&
           a->data_hash == b->data_hash && c->momentum == d->momentum && c->clip == d->clip &&
           a->drop_last == b->drop_last &&
           a->parameters == b->parameters && !a->velocity == !b->velocity &&
           strcmp(a->description, b->description) == 0 &&
           equal_bytes(a->velocity, b->velocity, a->parameters * sizeof *a->velocity);
}

#endif
