// fuzz_api.c - bytes as a program that calls the API: on empty and full objects, with NULL, with
// sizes that do not fit, with memory that runs out. Nothing may crash, leak, or forget its err.
#include "fuzz.h"

enum { API_SLOTS = 2, API_POOL = 8192, API_MOST = 400 };

typedef struct api_state {
    const uint8_t *data;
    size_t size, at;
    fuzz_memory memory;
    pktseq_error err;
    pktseq_table table[API_SLOTS];
    pktseq_codec codec[API_SLOTS];
    pktseq_dataset dataset[API_SLOTS];
    pktseq_model model[API_SLOTS];
    pktseq_work work[API_SLOTS];
    pktseq_training training[API_SLOTS];
    pktseq_detector detector[API_SLOTS];
    pktseq_stream stream;
    int stream_model, stream_detector;  // which it has borrowed
    int absurd;  // somebody got a size that no memory has
    pktseq_buffer buffer[API_SLOTS];
} api_state;

// Numbers for whoever reads or writes features; whoever needs more is not called.
static pktseq_real api_pool[API_POOL];
static double api_numbers[API_POOL];

static unsigned api_byte(api_state *s) { return s->at < s->size ? s->data[s->at++] : 0; }
static size_t api_below(api_state *s, size_t n) { return api_byte(s) % n; }

// Now and then something is NULL.
static int api_null(api_state *s) { return api_byte(s) >= 250; }

// A size: mostly small, sometimes 0 or absurd.
static size_t api_size(api_state *s) {
    static const size_t odd[] = {0, (size_t)-1, (size_t)-1 / 2, (size_t)1 << 20, 4097};
    unsigned b = api_byte(s);
    if (b < 240) return 1 + b % 6;
    s->absurd |= odd[b % 5] > 5000;
    return odd[b % 5];
}

static double api_double(api_state *s) {
    static const double odd[] = {0, -1, 1, 1e308, 1e-308, 0.5, -0.0, 3};
    unsigned b = api_byte(s);
    return b < 8 ? odd[b] : b == 8 ? HUGE_VAL : b == 9 ? (double)NAN : (double)b / 256;
}

// What a function with an err has returned.
static pktseq_status api_done(api_state *s, pktseq_status status) {
    fuzz_error(&s->err, status);
    FUZZ(status != PKTSEQ_ERROR_MEMORY || s->memory.fail_at || s->memory.refused || s->absurd);
    return status;
}

// Nobody may use what a stream has borrowed when that goes away.
static void api_stream_end(api_state *s) {
    pktseq_stream_free(&s->stream);
    s->stream_model = s->stream_detector = -1;
}

static void api_model_free(api_state *s, size_t i) {
    if (s->stream_model == (int)i) api_stream_end(s);
    pktseq_model_free(&s->model[i]);
}

static void api_detector_free(api_state *s, size_t i) {
    if (s->stream_detector == (int)i) api_stream_end(s);
    pktseq_detector_free(&s->detector[i]);
}

static void api_free(api_state *s, size_t i) {
    switch (api_byte(s) % 10) {
    case 0: pktseq_table_free(&s->table[i]); break;
    case 1: pktseq_codec_free(&s->codec[i]); break;
    case 2: pktseq_dataset_free(&s->dataset[i]); break;
    case 3: api_model_free(s, i); break;
    case 4: pktseq_work_free(&s->work[i]); break;
    case 5: pktseq_training_free(&s->training[i]); break;
    case 6: api_detector_free(s, i); break;
    case 7: api_stream_end(s); break;
    case 8: pktseq_buffer_free(&s->buffer[i]); break;
    default:
        pktseq_table_free(NULL);
        pktseq_codec_free(NULL);
        pktseq_dataset_free(NULL);
        pktseq_model_free(NULL);
        pktseq_work_free(NULL);
        pktseq_training_free(NULL);
        pktseq_detector_free(NULL);
        pktseq_stream_free(NULL);
        pktseq_stream_reset(NULL);
        pktseq_buffer_free(NULL);
    }
}

// A capture or a file with positions, of a few rows that the bytes choose.
static void api_table(api_state *s, size_t i) {
    pktseq_field field[FUZZ_FIELDS];
    pktseq_schema schema = fuzz_schema(api_byte(s), field);
    char text[3000];
    size_t rows = 1 + api_below(s, 24), position = api_byte(s) & 1;
    size_t used = (size_t)snprintf(text, sizeof text, "%stimestamp,src_ip,dst_ip,protocol,length,"
                                   "src_port,dst_port,res,ns,cwr,ecn,urg,ack,push,reset,syn,fin\n",
                                   position ? "position," : "");
    schema.constant_is_zero = api_byte(s) & 1;
    for (size_t row = 0; row < rows; ++row) {
        unsigned a = api_byte(s), b = api_byte(s);
        if (position) used += (size_t)snprintf(text + used, sizeof text - used, "%u,", a % 4);
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "%u.%u,%c,%c,%s,%u,%u,80,0,0,0,0,0,%u,%u,%u,0,1\n", b / 40, b,
                                 'a' + (char)(a & 1), 'b' + (char)(b & 1),
                                 a & 8 ? "TCP" : a & 16 ? "FTP" : "SMTP", a * 6, b * 250, b & 1,
                                 a >> 7, b >> 7);
    }
    pktseq_table_free(&s->table[i]);
    api_done(s, pktseq_table_parse(&s->table[i], text, used, api_null(s) ? NULL : &schema,
                                   &s->memory.allocator, &s->err));
}

static void api_table_change(api_state *s, size_t i) {
    pktseq_field field[FUZZ_FIELDS];
    pktseq_schema schema = fuzz_schema(api_byte(s), field);
    if (api_byte(s) & 1) {
        pktseq_rule rule = pktseq_rule_default();
        rule.min_length = api_size(s);
        rule.max_length = api_size(s);
        rule.window = api_double(s);
        rule.reference_names = api_byte(s) & 1;
        api_done(s, pktseq_table_track(&s->table[i], api_null(s) ? NULL : &rule, NULL, &s->err));
    } else {
        api_done(s, pktseq_table_track(&s->table[i], NULL, api_null(s) ? NULL : &schema, &s->err));
    }
}

static void api_codec(api_state *s, size_t i) {
    pktseq_field field[FUZZ_FIELDS];
    pktseq_schema schema = fuzz_schema(api_byte(s), field);
    schema.constant_is_zero = api_byte(s) & 1;
    if (api_byte(s) < 40) schema.field_count = api_size(s) % (schema.field_count + 1);
    pktseq_codec_free(&s->codec[i]);
    api_done(s, pktseq_codec_fit(&s->codec[i], api_null(s) ? NULL : &s->table[api_byte(s) & 1],
                                 &schema, &s->memory.allocator, &s->err));
}

static void api_codec_use(api_state *s, size_t i) {
    const pktseq_codec *c = &s->codec[i];
    const pktseq_table *t = &s->table[api_byte(s) & 1];
    size_t row = api_size(s), rows = api_size(s), unknown[64];
    pktseq_value value[64];
    char name[20];
    int fits = rows <= t->rows && row <= t->rows - rows;
    memset(unknown, 0, sizeof unknown);
    if (!fits || rows * (c->features + c->contexts) <= API_POOL) {
        api_done(s, pktseq_codec_encode(c, t, row, rows, PKTSEQ_FORM_DENSE, api_pool, unknown,
                                        &s->err));
        api_done(s, pktseq_codec_encode(c, t, row, rows, PKTSEQ_FORM_CONTEXT, api_pool, NULL,
                                        &s->err));
    }
    if (c->features + c->contexts <= API_POOL && c->field_count <= 64) {
        pktseq_codec_decode(c, api_pool, value);
        pktseq_codec_decode_output(c, api_pool, value);
    }
    pktseq_codec_feature_name(c, api_size(s), name, 1 + api_below(s, sizeof name));
}

static void api_dataset(api_state *s, size_t i) {
    pktseq_dataset_options options = pktseq_dataset_options_default();
    size_t start[4];
    options.inputs = api_size(s) % 9;
    options.start = (pktseq_start)api_below(s, 2);
    options.drop_last = api_byte(s) & 1;
    if (api_byte(s) < 60) options.hold_out = api_double(s);
    pktseq_dataset_free(&s->dataset[i]);
    if (api_byte(s) < 200) {
        api_done(s, pktseq_dataset_init(&s->dataset[i], &s->codec[api_byte(s) & 1],
                                        api_null(s) ? NULL : &s->table[api_byte(s) & 1], &options,
                                        &s->memory.allocator, &s->err));
    } else {
        for (size_t k = 0; k < 4; ++k) start[k] = k ? start[k - 1] + api_below(s, 12) : 0;
        api_done(s, pktseq_dataset_wrap(&s->dataset[i], api_pool, 1 + api_below(s, 8), api_pool,
                                        1 + api_below(s, 8), start, api_below(s, 4), &options,
                                        &s->memory.allocator, &s->err));
    }
}

static void api_model(api_state *s, size_t i) {
    const pktseq_dataset *d = &s->dataset[api_byte(s) & 1];
    pktseq_config config = pktseq_config_default(api_null(s) ? NULL : d);
    config.hidden = api_size(s);
    config.loss = (pktseq_loss)api_below(s, 2);
    if (api_byte(s) < 30) config.in = api_size(s);
    if (api_byte(s) < 30) config.out = api_size(s);
    if (api_byte(s) < 30) config.inputs = api_size(s);
    api_model_free(s, i);
    api_done(s, pktseq_model_init(&s->model[i], &config, api_byte(s), &s->memory.allocator,
                                  &s->err));
}

static void api_work(api_state *s, size_t i) {
    pktseq_config config = s->model[api_byte(s) & 1].config;
    size_t batch = api_size(s), targets = 4 * api_size(s);
    int threads = api_byte(s) == 255 ? -1 : 1;
    if (api_byte(s) < 20) config.inputs = api_size(s);
    pktseq_work_free(&s->work[i]);
    api_done(s, pktseq_work_init(&s->work[i], &config, batch, targets, threads,
                                 &s->memory.allocator, &s->err));
}

// A pair that lies in the pool, or one of a dataset. 0 if the pool is too small for it.
static int api_pair(api_state *s, const pktseq_model *model, pktseq_pair *pair) {
    const pktseq_config *c = &model->config;
    const pktseq_dataset *d = &s->dataset[api_byte(s) & 1];
    unsigned how = api_byte(s);
    memset(pair, 0, sizeof *pair);
    if (how < 100 && d->in == c->in && d->out == c->out) {
        *pair = pktseq_dataset_pair(d, api_below(s, 9));
        return 1;
    }
    if (c->inputs > 16 || c->in > API_POOL / 16 || c->out > API_POOL / 64) return 0;
    pair->inputs = how < 240 ? c->inputs : api_size(s);
    pair->targets = api_size(s);  // whoever has no room for so many must say so
    pair->input = how == 255 ? NULL : api_pool;
    pair->target = how & 1 ? api_pool : NULL;
    pair->first = how & 2 ? api_pool : NULL;
    pair->context = how & 4 ? api_pool : NULL;
    return 1;
}

static void api_step(api_state *s, size_t i) {
    pktseq_model *model = &s->model[api_byte(s) & 1];
    pktseq_work *work = &s->work[i];
    pktseq_pair pair[3];
    unsigned char teacher[3];
    size_t count = api_below(s, 4);
    double norm;
    pktseq_plain plain;
    for (size_t k = 0; k < 3; ++k) {
        if (!api_pair(s, model, &pair[k])) return;
        teacher[k] = (unsigned char)(api_byte(s) & 1);
    }
    if (work->targets > 64) return;
    switch (api_byte(s) % 8) {
    case 0:
    case 1: pktseq_forward(model, work, pair, count, api_null(s) ? NULL : teacher); break;
    case 2: pktseq_backward(model, work); break;
    case 3: pktseq_zero_grad(work); break;
    case 4: pktseq_clip_grad_norm(work, api_double(s), api_null(s) ? NULL : &norm); break;
    case 5: pktseq_sgd_step(model, work, api_double(s)); break;
    case 6:
        if (work->parameters <= API_POOL)
            pktseq_momentum_step(model, work, api_double(s), api_double(s), api_pool);
        break;
    default:
        if (pair[0].targets > work->targets) break;  // it asks for no room that it does not need
        if (!pktseq_plain_init(&plain, model, pair, teacher[0], &s->memory.allocator, &s->err))
            pktseq_plain_free(&plain);
    }
    (void)pktseq_work_output(work, api_size(s), api_size(s));
    (void)pktseq_work_encoded(work, api_size(s));
}

static void api_use(api_state *s, size_t i) {
    const pktseq_model *model = &s->model[api_byte(s) & 1];
    pktseq_work *work = &s->work[i];
    pktseq_detector *d = &s->detector[api_byte(s) & 1];
    pktseq_pair pair[2];
    double score[2];
    size_t steps = api_size(s);
    if (!api_pair(s, model, &pair[0]) || !api_pair(s, model, &pair[1])) return;
    if (work->targets > 64 || d->contexts > 64 || d->contexts * 64 > API_POOL) return;
    if (steps > work->targets || steps * model->config.out <= API_POOL)
        pktseq_rollout(model, work, pair, steps, api_pool);
    pktseq_score(model, work, pair, score);
    pktseq_detector_score(d, model, work, pair, 1 + (api_byte(s) & 1), score);
    if (pair[0].targets <= 64 && (d->groups + d->contexts) * 64 <= API_POOL)
        pktseq_detector_explain(d, model, work, pair, api_numbers, score);
}

static void api_train(api_state *s, size_t i) {
    pktseq_train_config config = pktseq_train_config_default();
    pktseq_training *t = &s->training[i];
    config.iterations = t->iteration + 1;
    config.batch = api_size(s);
    config.learning_rate = api_double(s);
    config.momentum = api_byte(s) & 1 ? api_double(s) : 0;
    config.clip = api_byte(s) & 1 ? api_double(s) : 0;
    config.teacher_forcing = api_double(s);
    config.order = (pktseq_order)api_below(s, 3);
    config.loss_interval = api_below(s, 3);
    config.threads = 1;
    api_done(s, pktseq_train(&s->model[api_byte(s) & 1], &s->dataset[api_byte(s) & 1],
                             api_null(s) ? NULL : &config, t, &s->err));
}

static void api_detector(api_state *s, size_t i) {
    pktseq_detector_options options;
    const pktseq_model *model = &s->model[api_byte(s) & 1];
    const pktseq_codec *codec = &s->codec[api_byte(s) & 1];
    const pktseq_dataset *dataset = &s->dataset[api_byte(s) & 1];
    memset(&options, 0, sizeof options);
    if (api_byte(s) < 60) {
        if (codec->groups <= API_POOL)
            options = pktseq_detector_options_recommended(codec, api_numbers);
        if (options.weight && codec->groups != model->config.groups) options.weight = NULL;
    } else {
        options.measure = (pktseq_measure)api_below(s, 3);
        options.one_step_ahead = api_byte(s) & 1;
        options.by_length = api_byte(s) & 1;
        options.context = api_byte(s) < 100 ? api_double(s) : 0;
        options.false_positive_rate = api_double(s);
    }
    if (api_byte(s) < 128) {
        api_detector_free(s, i);
        api_done(s, pktseq_detector_init(&s->detector[i], model, api_byte(s) < 128 ? codec->contexts
                                                                                   : api_size(s),
                                         &options, &s->memory.allocator, &s->err));
    } else {
        api_done(s, pktseq_detector_fit(&s->detector[i], model, dataset, 1, &s->err));
        if (dataset->pairs <= API_POOL)
            api_done(s, pktseq_detector_score_all(&s->detector[i], model, dataset, 1, api_numbers,
                                                  &s->err));
    }
}

static void api_stream(api_state *s, size_t i) {
    size_t model = api_byte(s) & 1;
    double score = 0;
    if (api_byte(s) < 60 || !s->stream.h) {
        api_stream_end(s);
        if (api_done(s, pktseq_stream_init(&s->stream, &s->model[model], &s->detector[i],
                                           &s->memory.allocator, &s->err)) == PKTSEQ_OK) {
            s->stream_model = (int)model;
            s->stream_detector = (int)i;
        }
    }
    for (size_t k = api_below(s, 6); k > 0; --k) {
        if (s->stream.h && (s->stream.model->config.in > API_POOL ||
                            s->stream.model->config.out > API_POOL ||
                            s->stream.detector->contexts > API_POOL))
            return;
        pktseq_stream_push(&s->stream, api_null(s) ? NULL : api_pool, api_pool,
                           api_null(s) ? NULL : api_pool);
    }
    pktseq_stream_score(&s->stream, &score);
    if (api_byte(s) < 30) pktseq_stream_reset(&s->stream);
}

static void api_file(api_state *s, size_t i) {
    pktseq_buffer *b = &s->buffer[i];
    size_t at;
    switch (api_byte(s) % 3) {
    case 0:
        pktseq_buffer_free(b);
        api_done(s, pktseq_save_mem(&s->model[api_byte(s) & 1],
                                    api_null(s) ? NULL : &s->codec[api_byte(s) & 1],
                                    api_null(s) ? NULL : &s->training[api_byte(s) & 1],
                                    api_byte(s) < 128 ? NULL : &s->detector[api_byte(s) & 1], b,
                                    &s->memory.allocator, &s->err));
        break;
    case 1:
        api_model_free(s, i);
        api_detector_free(s, i);
        pktseq_codec_free(&s->codec[i]);
        pktseq_training_free(&s->training[i]);
        api_done(s, pktseq_load_mem(&s->model[i], &s->codec[i], &s->training[i], &s->detector[i],
                                    b->data, b->size, &s->memory.allocator, &s->err));
        break;
    default:
        at = api_byte(s) * 256u + api_byte(s);
        if (at < b->size) b->data[at] = (unsigned char)api_byte(s);
    }
}

static void api_figures(api_state *s) {
    double value[6], q = 0;
    unsigned char anomalous[6];
    pktseq_evaluation e;
    size_t count = api_below(s, 7);
    for (size_t k = 0; k < 6; ++k) {
        value[k] = api_double(s);
        anomalous[k] = (unsigned char)(api_byte(s) & 1);
    }
    api_done(s, pktseq_quantile(value, count, api_double(s), &q, &s->memory.allocator, &s->err));
    api_done(s, pktseq_evaluate(value, anomalous, count, &e, &s->memory.allocator, &s->err));
    FUZZ(pktseq_status_text((pktseq_status)api_below(s, 20)) && pktseq_version());
    FUZZ(pktseq_build_info());
}

// An allocation within the next calls fails, or none does.
static void api_fail(api_state *s) {
    s->memory.calls = s->memory.refused = 0;
    s->memory.fail_at = api_byte(s) < 128 ? 1 + api_below(s, 40) : 0;
}

static void api_run(api_state *s) {
    static void (*const step[16])(api_state *, size_t) = {
        api_free,  api_table, api_table, api_table_change, api_codec, api_codec_use, api_dataset,
        api_model, api_model, api_work,  api_step,         api_use,   api_train,     api_detector,
        api_stream, api_file};
    for (int steps = 0; s->at < s->size && steps < API_MOST; ++steps) {
        unsigned op = api_byte(s);
        size_t i = op >> 7;
        if (op % 17 < 16) step[op % 17](s, i);
        else if (op & 64) api_figures(s);
        else api_fail(s);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    api_state *s;
    if (size > 4096) return 0;
    s = (api_state *)calloc(1, sizeof *s);
    if (!s) exit(3);
    s->data = data;
    s->size = size;
    s->stream_model = s->stream_detector = -1;
    fuzz_memory_init(&s->memory, 0);
    s->memory.most = (size_t)1 << 20;  // what is larger is slow to fill
    for (size_t i = 0; i < API_POOL; ++i)
        api_pool[i] = (pktseq_real)(i * 7 % 5 == 0) - (pktseq_real)(i * 13 % 11) / 16;
    memset(api_numbers, 0, sizeof api_numbers);
    api_run(s);
    s->memory.fail_at = 0;
    for (size_t i = 0; i < 2 * API_SLOTS; ++i) {
        api_model_free(s, i / 2);
        api_detector_free(s, i / 2);
        api_stream_end(s);
        pktseq_table_free(&s->table[i / 2]);
        pktseq_codec_free(&s->codec[i / 2]);
        pktseq_dataset_free(&s->dataset[i / 2]);
        pktseq_work_free(&s->work[i / 2]);
        pktseq_training_free(&s->training[i / 2]);
        pktseq_buffer_free(&s->buffer[i / 2]);
    }
    FUZZ_THAT(s->memory.live == 0, "%lu blocks left", (unsigned long)s->memory.live);
    free(s);
    return 0;
}
