// test_faults.c - of no single section: every allocation fails, every operation on a file fails,
// and power is lost after every one of them.
//
// A call of the library is written down once, as a function of a trial, and then run again and
// again: first undisturbed, then with its first allocation refused, its second, ... until none was
// left to refuse. A save is run over a disk in memory in the same way.
#include <stddef.h>
static void *library_malloc(size_t size);
static void library_free(void *p);
#define PKTSEQ_MALLOC(size) library_malloc(size)
#define PKTSEQ_FREE(p) library_free(p)
#ifndef PKTSEQ_NO_SIMD
#define PKTSEQ_NO_SIMD  // how fast it calculates does not matter here: compiles sooner
#endif
#define PKTSEQ_IMPLEMENTATION
#include "../pktseq.h"
#include "scene.h"
#include "text.h"

#if defined(__unix__) || defined(__APPLE__)
#include <sys/stat.h>
#include <unistd.h>
#define HAS_FOLDERS
#endif

// ---- >>memory: memory that is refused -----------------------------------------------------------

// Whatever asks, asks here: the caller's allocator and PKTSEQ_MALLOC have one count of calls.
typedef struct faults {
    int armed, for_ever;           // for_ever: all that follow fail_at get nothing either
    size_t calls, refused;         // while armed
    size_t fail_at;                // 0 = never
    size_t by_malloc, by_alloc_fn; // while armed: calls that came through either
    size_t live;                   // blocks
    size_t bad;                    // frees of what was not allocated, or is free already; sizes 0
} faults;

static faults memory;

// In front of each block, as large as any type's alignment.
typedef union mark {
    size_t number[2];
    double aligned[2];
    long double more;
} mark;

static const size_t mark_live = 0x5ca1ab1e, mark_dead = 0xdeadbea7;

static void *faulty_alloc(size_t size) {
    mark *m;
    if (size == 0) ++memory.bad;
    if (memory.armed) {
        size_t call = ++memory.calls;
        if (memory.fail_at && (call == memory.fail_at ||
                               (memory.for_ever && call > memory.fail_at))) {
            ++memory.refused;
            return NULL;
        }
    }
    m = (mark *)malloc(sizeof *m + size);
    if (!m) return NULL;
    m->number[0] = mark_live;
    m->number[1] = size;
    memset(m + 1, 0xa5, size < 4096 ? size : 4096);  // nobody may count on zeros
    ++memory.live;
    return m + 1;
}

static void faulty_free(void *p) {
    mark *m = (mark *)p - 1;
    if (!p || m->number[0] != mark_live) {
        ++memory.bad;
        return;
    }
    m->number[0] = mark_dead;
    memset(p, 0x5a, m->number[1] < 4096 ? m->number[1] : 4096);
    --memory.live;
    free(m);
}

static void *library_malloc(size_t size) {
    memory.by_malloc += (size_t)memory.armed;
    return faulty_alloc(size);
}

static void library_free(void *p) { faulty_free(p); }

static void *callers_alloc(size_t size, void *user_data) {
    faults *f = (faults *)user_data;
    f->by_alloc_fn += (size_t)f->armed;
    return faulty_alloc(size);
}

static void callers_free(void *p, void *user_data) {
    if (user_data != &memory) ++memory.bad;
    faulty_free(p);
}

static const pktseq_allocator callers = {callers_alloc, callers_free, &memory};

// ---- >>hash: what an object says, to the bit ----------------------------------------------------

static uint64_t add(uint64_t hash, const void *data, size_t size) {
    const unsigned char *p = (const unsigned char *)data;
    for (size_t i = 0; i < size; ++i) hash = (hash ^ p[i]) * 0x100000001b3u;
    return (hash ^ size) * 0x100000001b3u;
}

static uint64_t add_size(uint64_t hash, size_t value) { return add(hash, &value, sizeof value); }

static uint64_t add_text(uint64_t hash, const char *text) {
    return text ? add(hash, text, strlen(text)) : add_size(hash, 0);
}

static uint64_t table_hash(const pktseq_table *t) {
    uint64_t h = add_size(add_size(1, t->rows), t->sequences);
    if (t->start) h = add(h, t->start, (t->sequences + 1) * sizeof *t->start);
    if (t->source_row) h = add(h, t->source_row, t->rows * sizeof *t->source_row);
    h = add(add_size(h, t->position_gaps), &t->counts, sizeof t->counts);
    for (size_t c = 0; c < t->column_count; ++c) {
        const pktseq_column *column = &t->column[c];
        h = add_text(h, column->name);
        if (column->cell) h = add(h, column->cell, t->rows * pktseqi_cell_bytes(column->type));
        for (size_t i = 0; i < column->name_count; ++i) h = add_text(h, column->names[i]);
        h = add_size(h, column->name_count);
    }
    return h;
}

static uint64_t codec_hash(const pktseq_codec *c) {
    uint64_t h = add_size(add_size(add_size(2, c->features), c->contexts), c->targets);
    for (size_t f = 0; f < c->field_count; ++f) {
        const pktseq_field *field = &c->field[f];
        h = add_size(add_size(add_text(h, field->column), (size_t)field->kind),
                     (size_t)field->role);
        h = add(add(h, &field->mean, sizeof field->mean), &field->sd, sizeof field->sd);
        for (size_t i = 0; i < field->category_count; ++i) h = add_text(h, field->category[i]);
        h = add_size(add_size(h, field->category_count), c->first[f + 1]);
    }
    for (size_t g = 0; g < c->groups; ++g)
        h = add_size(add(h, &c->group[g], sizeof c->group[g]), c->group_field[g]);
    return c->target ? add(h, c->target, c->targets * sizeof *c->target) : h;
}

static uint64_t dataset_hash(const pktseq_dataset *d) {
    uint64_t h = add_size(add_size(3, d->pairs), d->longest);
    if (d->packed) h = add(h, d->packed, d->rows * d->packing.fields * sizeof *d->packed);
    if (d->x) h = add(h, d->x, d->rows * d->in * sizeof *d->x);
    if (d->y) h = add(h, d->y, d->rows * d->out * sizeof *d->y);
    if (d->c) h = add(h, d->c, d->rows * d->contexts * sizeof *d->c);
    h = add(h, d->first_row, d->pairs * sizeof *d->first_row);
    h = add(h, d->length, d->pairs * sizeof *d->length);
    if (d->unknown) h = add(h, d->unknown, d->field_count * sizeof *d->unknown);
    h = add(h, d->packing.group, d->packing.groups * sizeof *d->packing.group);
    return add_size(h, d->skipped);
}

static uint64_t model_hash(const pktseq_model *m) {
    uint64_t h = add_size(add_size(4, m->config.hidden), m->parameters);
    for (size_t g = 0; g < m->config.groups; ++g)
        h = add(h, &m->config.group[g], sizeof m->config.group[g]);
    return m->block ? add(h, m->block, m->parameters * sizeof *m->block) : h;
}

static uint64_t training_hash(const pktseq_training *t) {
    uint64_t h = add_size(add_size(5, t->iteration), t->losses);
    if (t->losses) h = add(h, t->loss, t->losses * sizeof *t->loss);
    if (t->velocity) h = add(h, t->velocity, t->parameters * sizeof *t->velocity);
    h = add(add(h, &t->report_sum, sizeof t->report_sum), &t->loss_sum, sizeof t->loss_sum);
    return add(add_size(h, t->config.iterations), &t->data_hash, sizeof t->data_hash);
}

static uint64_t detector_hash(const pktseq_detector *d) {
    uint64_t h = add_size(add_size(6, d->sequences), d->groups);
    size_t count = d->groups + d->out + d->contexts * (d->contexts + 1);
    if (d->memory) h = add(h, d->memory, count * sizeof *d->memory);
    h = add(add(h, d->scale, sizeof d->scale), d->length_scale, sizeof d->length_scale);
    h = add(add(h, &d->threshold, sizeof d->threshold), &d->threshold_low, sizeof(double));
    return add(h, &d->threshold_high, sizeof d->threshold_high);
}

// ---- >>scene: the objects that the calls work on ------------------------------------------------

#define ADDRESSES "timestamp,src_ip,dst_ip,"
#define REST "protocol,length,src_port,dst_port,res,ns,cwr,ecn,urg,ack,push,reset,syn,fin"

// Packets of some conversations, pseudo-random; every ninth is not TCP. wide: behind a column that
// nobody asks for, with a name longer than any window.
static text capture_of(unsigned rows, unsigned protocols, int wide) {
    static const char *const name[] = {"TCP", "HTTP", "SMTP/IMF", "FTP", "SSHv1", "SMTP", "IRC"};
    text t = {NULL, 0, 0};
    uint32_t x = 12345;
    for (int i = 0; wide && i < 8000; ++i) put(&t, "no window is as long as this name: ");
    put(&t, wide ? "," ADDRESSES REST "\n" : ADDRESSES REST "\n");
    for (unsigned i = 0; i < rows; ++i) {
        char row[160], protocol[24];
        unsigned who, back;
        x = x * 1664525u + 1013904223u;
        who = (x >> 24) % 3;
        back = (x >> 20) & 1;
        if (protocols > 7) sprintf(protocol, "protocol %u", (x >> 12) % protocols);
        else strcpy(protocol, name[(x >> 12) % protocols]);
        sprintf(row, "%s%u.%03u,10.0.0.%u,10.0.0.%u,%s,%u,", wide ? "," : "", i / 7,
                (i * 131) % 1000, back ? 9 : who, back ? who : 9, protocol,
                60 + (x >> 16) % 6 * 40);
        put(&t, row);
        if (i % 9 == 8) put(&t, ",,,,,,,,,,,\n");
        else {
            sprintf(row, "%u,%u,0,0,0,0,0,%u,%u,%u,%u,%u\n", back ? 80 : 49000 + who * 300,
                    back ? 49000 + who * 300 : 80, i % 5 != 0, (x >> 9) & 1, i % 17 == 3,
                    i % 5 == 0, i % 11 == 4);
            put(&t, row);
        }
    }
    return t;
}

typedef struct scene {
    text capture, many;      // CSV
    pktseq_schema schema;    // recommended, with context
    pktseq_schema plain;     // default
    pktseq_schema notebook;  // given categories
    pktseq_schema bare;      // no derived columns, but what they are made of
    pktseq_table plain_table;
    parts p;
    double weight[64];
    pktseq_field field[64];  // of schema
    char path[1100], csv_path[1100], svg_path[1100], small_path[1100];
} scene;

static scene S;

static const char *const bare_keep[] = {"src_ip", "dst_ip"};

static pktseq_config config_of(const pktseq_dataset *dataset) {
    pktseq_config config = pktseq_config_default(dataset);
    config.hidden = 3;
    config.loss = PKTSEQ_LOSS_NLL;
    return config;
}

// Long enough that the loss history has to grow in the middle.
static pktseq_train_config train_config(size_t iterations) {
    pktseq_train_config config = run_of(iterations, 2, 0.01, 0.5, 1);
    config.loss_interval = 1;
    config.order = PKTSEQ_ORDER_SHUFFLED;
    return config;
}

static pktseq_detector_options detect_options(int variant) {
    pktseq_detector_options options = pktseq_detector_options_recommended(&S.p.codec, S.weight);
    for (size_t g = 0; g < S.p.codec.groups; ++g) S.weight[g] = 1;
    if (variant) options.measure = PKTSEQ_MEASURE_RMS;
    return options;
}

static int scene_make(const char *program) {
    plan how;
    pktseq_error err;
    int good;
    memset(&S, 0, sizeof S);
    sprintf(S.path, "%.1000s.safetensors", program);
    sprintf(S.csv_path, "%.1000s.csv", program);
    sprintf(S.svg_path, "%.1000s.svg", program);
    sprintf(S.small_path, "%.1000s.small.csv", program);
    S.capture = capture_of(120, 7, 0);
    S.many = capture_of(1500, 40, 1);
    S.schema = pktseq_schema_recommended(1);
    for (size_t f = 0; f < S.schema.field_count && f < 60; ++f) {  // few packets, few equal tokens
        S.field[f + 3] = S.schema.field[f];
        if (strcmp(S.schema.field[f].column, "token") == 0) S.field[f + 3].min_count = 2;
    }
    S.field[0].column = "src_port";  // with these the rows are not packed
    S.field[1].column = "dst_port";
    S.field[2].column = "length";
    S.field[0].kind = S.field[1].kind = PKTSEQ_PORT;
    S.field[2].kind = PKTSEQ_LOG;
    S.schema.field = S.field;
    S.schema.field_count += 3;
    S.plain = S.bare = pktseq_schema_default();
    S.notebook = pktseq_schema_reference();
    S.plain.constant_is_zero = S.notebook.constant_is_zero = 1;
    S.bare.keep = bare_keep;
    S.bare.keep_count = 2;
    how = plan_of(S.schema, 3, 7);
    how.loss = PKTSEQ_LOSS_NLL;
    how.train = train_config(30);
    good = !parts_parse(&S.p, &how, S.capture.data, S.capture.size, &err) &&
           !pktseq_table_parse(&S.plain_table, S.capture.data, S.capture.size, &S.plain, NULL,
                               &err) && S.p.codec.groups < 64 && !parts_learn(&S.p, &how, &err);
    if (good) {
        how.detector = detect_options(0);
        good = !parts_fit(&S.p, &how, &err) && !parts_save(&S.p, NULL, &err);
    }
    CHECK_THAT(good, "something to test with: %s", err.text);
    return good;
}

static void scene_free(void) {
    free(S.capture.data);
    free(S.many.data);
    pktseq_table_free(&S.plain_table);
    parts_free(&S.p);
}

// All that only goes into the calls.
static uint64_t scene_hash(void) {
    uint64_t h = add(add(7, S.capture.data, S.capture.size), S.p.file.data, S.p.file.size);
    h = (h ^ table_hash(&S.p.table)) * 3 + table_hash(&S.plain_table);
    h = (h ^ codec_hash(&S.p.codec)) * 3 + dataset_hash(&S.p.dataset);
    h = (h ^ model_hash(&S.p.model)) * 3 + training_hash(&S.p.training);
    return add(h ^ detector_hash(&S.p.detector), S.weight, sizeof S.weight);
}

// ---- >>calls: each call of the API that allocates -----------------------------------------------

typedef struct trial {
    size_t fail_at;
    int for_ever;
    pktseq_error *err;     // NULL in one of the rounds
    pktseq_status status;  // of the call
    uint64_t result;       // hash of what came out
} trial;

static void arm(const trial *t) {
    memory.calls = memory.refused = memory.by_malloc = memory.by_alloc_fn = 0;
    memory.fail_at = t->fail_at;
    memory.for_ever = t->for_ever;
    memory.armed = 1;
}

static void disarm(void) { memory.armed = 0; }

// The call itself, in the midst of what is done around it.
#define TRY(call) (arm(t), t->status = (call), disarm())
// What the trial needs beforehand must be there.
#define NEED(call) CHECK((call) == PKTSEQ_OK)
// An output of a call that failed.
#define CHECK_EMPTY(out) CHECK_THAT(t->status == PKTSEQ_OK || is_zero(&(out), sizeof (out)), \
                                    "status %d", (int)t->status)

// An output that begins as garbage, called what it is.
#define GARBAGE(noun) \
    pktseq_##noun noun; \
    memset(&noun, 0xa5, sizeof noun)

#define FREE_TWICE(noun) \
    do { \
        pktseq_##noun##_free(&noun); \
        pktseq_##noun##_free(&noun); \
    } while (0)

// What the call made: nothing if it failed.
#define MADE(noun, hash) \
    do { \
        CHECK_EMPTY(noun); \
        t->result = hash; \
        FREE_TWICE(noun); \
    } while (0)

// A call that changes something, or leaves it as it was.
#define CHANGED(noun, call) \
    do { \
        uint64_t before = noun##_hash(&noun); \
        TRY(call); \
        t->result = noun##_hash(&noun); \
        CHECK((t->result == before) == (t->status != PKTSEQ_OK)); \
        FREE_TWICE(noun); \
    } while (0)

static void run_table_parse(trial *t) {
    GARBAGE(table);
    TRY(pktseq_table_parse(&table, S.capture.data, S.capture.size, &S.schema, &callers, t->err));
    MADE(table, table_hash(&table));
}

typedef struct pieces {
    const char *data;
    size_t size, at, piece;
    size_t calls, fail_at;
    size_t lie;  // what call fail_at says instead of failing
} pieces;

static size_t pieces_read(void *user_data, void *to, size_t size, int *failed) {
    pieces *p = (pieces *)user_data;
    size_t n = p->size - p->at < p->piece ? p->size - p->at : p->piece;
    if (++p->calls == p->fail_at) {
        if (p->lie) return p->lie;
        *failed = 1;
        return 0;
    }
    if (n > size) n = size;
    memcpy(to, p->data + p->at, n);
    p->at += n;
    return n;
}

// More rows and texts than any first guess, in a stream whose end nobody knows.
static void run_table_stream(trial *t) {
    pktseq_table table;
    pieces p;
    memset(&p, 0, sizeof p);
    memset(&table, 0xa5, sizeof table);
    p.data = S.many.data;
    p.size = S.many.size;
    p.piece = 5000;
    TRY(pktseq_table_stream(&table, pieces_read, &p, &S.plain, &callers, t->err));
    MADE(table, table_hash(&table));
}

static void run_table_read(trial *t) {
    GARBAGE(table);
    TRY(pktseq_table_read(&table, S.csv_path, &S.plain, &callers, t->err));
    MADE(table, table_hash(&table));
}

static void run_table_sequences(trial *t) {
    pktseq_rule rule = pktseq_rule_default();
    pktseq_table table;
    rule.reference_names = 1;
    NEED(pktseq_table_parse(&table, S.capture.data, S.capture.size, &S.bare, &callers, NULL));
    CHANGED(table, pktseq_table_track(&table, &rule, NULL, t->err));
}

static void run_table_track(trial *t) {
    pktseq_rule rule = pktseq_rule_connection();
    pktseq_table table;
    NEED(pktseq_table_parse(&table, S.capture.data, S.capture.size, &S.bare, &callers, NULL));
    CHANGED(table, pktseq_table_track(&table, &rule, &S.schema, t->err));
}

static void run_table_select(trial *t) {
    unsigned char *keep;
    pktseq_table table;
    NEED(pktseq_table_parse(&table, S.capture.data, S.capture.size, &S.bare, &callers, NULL));
    keep = (unsigned char *)calloc(table.sequences, 1);
    for (size_t i = 0; i < table.sequences; ++i) keep[i] = i % 3 > 0;
    CHANGED(table, pktseq_table_select(&table, keep, t->err));
    free(keep);
}

static void run_table_drop_attacks(trial *t) {
    pktseq_schema schema = S.bare;
    static const char *const keep[] = {"label"};
    pktseq_table table;
    uint64_t before;
    schema.keep = keep;
    schema.keep_count = 1;
    NEED(pktseq_table_parse(&table, S.capture.data, S.capture.size, &schema, &callers, NULL));
    before = table_hash(&table);
    TRY(pktseq_table_drop_attacks(&table, t->err));
    t->result = table_hash(&table);
    CHECK(t->status == PKTSEQ_OK || t->result == before);
    pktseq_table_free(&table);
}

static void run_tracker(trial *t) {
    pktseq_rule rule = pktseq_rule_connection();
    pktseq_tracker tracker;
    TRY(pktseq_tracker_init(&tracker, &rule, &callers, t->err));
    t->result = tracker.state != NULL;
    CHECK(t->result == (t->status == PKTSEQ_OK));
    FREE_TWICE(tracker);
}

static void run_watcher(trial *t) {
    pktseq_watcher watcher;
    TRY(pktseq_watcher_init(&watcher, &S.p.model, &S.p.codec, &S.p.detector, NULL, &callers,
                            t->err));
    t->result = watcher.state != NULL;
    CHECK(t->result == (t->status == PKTSEQ_OK));
    FREE_TWICE(watcher);
}

static void run_table_derive(trial *t) {
    pktseq_table table;
    NEED(pktseq_table_parse(&table, S.capture.data, S.capture.size, &S.bare, &callers, NULL));
    CHANGED(table, pktseq_table_track(&table, NULL, &S.schema, t->err));
}

static void codec_fit_on(trial *t, const pktseq_table *table, const pktseq_schema *schema) {
    GARBAGE(codec);
    TRY(pktseq_codec_fit(&codec, table, schema, &callers, t->err));
    MADE(codec, codec_hash(&codec));
}

static void run_codec_fit(trial *t) { codec_fit_on(t, &S.p.table, &S.schema); }
static void run_codec_fit_plain(trial *t) { codec_fit_on(t, &S.plain_table, &S.plain); }
static void run_codec_fit_notebook(trial *t) { codec_fit_on(t, &S.plain_table, &S.notebook); }

// The codec has yet to learn half of the tokens.
static void run_codec_extend(trial *t) {
    pktseq_schema schema = S.schema;
    pktseq_codec codec, extended;
    schema.hold_out = 0.5;
    NEED(pktseq_codec_fit(&codec, &S.p.table, &schema, NULL, NULL));
    memset(&extended, 0xa5, sizeof extended);
    TRY(pktseq_codec_extend(&extended, &codec, &S.p.table, &S.schema, 1, &callers, t->err));
    CHECK_EMPTY(extended);
    CHECK(t->status || extended.features > codec.features);
    t->result = codec_hash(&extended);
    pktseq_codec_free(&extended);
    pktseq_codec_free(&codec);
}

static void codec_encode_on(trial *t, const pktseq_table *table, const pktseq_schema *schema,
                            pktseq_form form) {
    pktseq_codec codec;
    pktseq_real *x;
    size_t unknown[64], count;
    uint64_t before;
    memset(unknown, 0, sizeof unknown);
    NEED(pktseq_codec_fit(&codec, table, schema, &callers, NULL));
    before = codec_hash(&codec);
    count = table->rows * (form == PKTSEQ_FORM_CONTEXT ? codec.contexts : codec.features);
    x = (pktseq_real *)calloc(count, sizeof *x);
    TRY(pktseq_codec_encode(&codec, table, 0, table->rows, form, x, unknown, t->err));
    CHECK(codec_hash(&codec) == before);
    t->result = add(add(8, x, count * sizeof *x), unknown, sizeof unknown);
    free(x);
    pktseq_codec_free(&codec);
}

static void run_codec_encode(trial *t) {
    codec_encode_on(t, &S.p.table, &S.schema, PKTSEQ_FORM_DENSE);
}
static void run_codec_encode_plain(trial *t) {
    codec_encode_on(t, &S.plain_table, &S.plain, PKTSEQ_FORM_DENSE);
}
static void run_codec_encode_context(trial *t) {
    codec_encode_on(t, &S.p.table, &S.schema, PKTSEQ_FORM_CONTEXT);
}
static void run_codec_encode_packed(trial *t) {
    codec_encode_on(t, &S.p.table, &S.schema, PKTSEQ_FORM_PACKED);
}

// Other features are seen than predicted, and there is a context.
static void run_dataset_init(trial *t) {
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_field field[40];
    pktseq_schema schema = S.schema;
    pktseq_codec codec;
    pktseq_dataset dataset;
    CHECK(schema.field_count < 40);
    memcpy(field, schema.field, schema.field_count * sizeof *field);
    field[0].role = PKTSEQ_ROLE_INPUT;
    schema.field = field;
    NEED(pktseq_codec_fit(&codec, &S.p.table, &schema, &callers, NULL));
    memset(&dataset, 0xa5, sizeof dataset);
    TRY(pktseq_dataset_init(&dataset, &codec, &S.p.table, &options, &callers, t->err));
    CHECK_EMPTY(dataset);
    CHECK(t->status || (dataset.y && dataset.c && dataset.x != dataset.y));
    t->result = t->status ? 0 : dataset_hash(&dataset);
    FREE_TWICE(dataset);
    pktseq_codec_free(&codec);
}

static void run_dataset_wrap(trial *t) {
    pktseq_dataset_options options = pktseq_dataset_options_default();
    GARBAGE(dataset);
    TRY(pktseq_dataset_wrap(&dataset, S.p.dataset.x, S.p.dataset.in, S.p.dataset.y, S.p.dataset.out,
                            S.p.table.start, S.p.table.sequences, &options, &callers, t->err));
    MADE(dataset, t->status ? 0 : dataset_hash(&dataset));
}

static void run_model_init(trial *t) {
    GARBAGE(model);
    TRY(pktseq_model_init(&model, lent(config_of(&S.p.dataset)), 7, &callers, t->err));
    MADE(model, model_hash(&model));
}

static void run_model_grow(trial *t) {
    GARBAGE(model);
    TRY(pktseq_model_grow(&model, lent(config_of(&S.p.dataset)), &S.p.model, &S.p.codec, &S.p.codec,
                          &callers, t->err));
    CHECK_EMPTY(model);
    t->result = model_hash(&model);
    CHECK(t->status || t->result == model_hash(&S.p.model));
    pktseq_model_free(&model);
}

static void run_plain_init(trial *t) {
    pktseq_pair pair = pktseq_dataset_pair(&S.p.dataset, 0);
    GARBAGE(plain);
    TRY(pktseq_plain_init(&plain, &S.p.model, &pair, 0, &callers, t->err));
    MADE(plain, plain.steps);
}

static void run_work_init(trial *t) {
    GARBAGE(work);
    TRY(pktseq_work_init(&work, &S.p.model.config, 2, S.p.dataset.longest, 1, &callers, t->err));
    MADE(work, work.parameters);
}

// From the beginning, and going on with a loaded state. A run that memory has cut short goes on to
// the same weights.
static void train_on(trial *t, int resumed) {
    pktseq_train_config config = train_config(1100);
    pktseq_model model;
    pktseq_training training;
    uint64_t before;
    memset(&training, 0, sizeof training);
    if (resumed) {
        NEED(pktseq_load_mem(&model, NULL, &training, NULL, S.p.file.data, S.p.file.size, &callers,
                             NULL));
    } else {
        NEED(pktseq_model_init(&model, lent(config_of(&S.p.dataset)), 7, &callers, NULL));
    }
    before = model_hash(&model);
    size_t begun = training.iteration;
    TRY(pktseq_train(&model, &S.p.dataset, &config, &training, t->err));
    CHECK_THAT((model_hash(&model) == before) == (training.iteration == begun),
               "%lu iterations", (unsigned long)training.iteration);
    CHECK(training.iteration >= begun && training.iteration <= 1100);
    if (t->status) NEED(pktseq_train(&model, &S.p.dataset, &config, &training, NULL));
    // Whatever was in the way: the end is the same.
    t->result = model_hash(&model) ^ training_hash(&training);
    FREE_TWICE(training);
    pktseq_model_free(&model);
}

static void run_train(trial *t) { train_on(t, 0); }
static void run_train_resumed(trial *t) { train_on(t, 1); }

static void run_detector_init(trial *t) {
    pktseq_detector_options options = detect_options(0);
    GARBAGE(detector);
    TRY(pktseq_detector_init(&detector, &S.p.model, S.p.codec.contexts, &options, &callers,
                             t->err));
    MADE(detector, detector_hash(&detector));
}

static void detector_fit_by(trial *t, int variant) {
    pktseq_detector_options options = detect_options(variant);
    pktseq_detector detector;
    NEED(pktseq_detector_init(&detector, &S.p.model, S.p.codec.contexts, &options, &callers, NULL));
    CHANGED(detector, pktseq_detector_fit(&detector, &S.p.model, &S.p.dataset, 2, t->err));
}

static void run_detector_fit(trial *t) { detector_fit_by(t, 0); }
static void run_detector_fit_rms(trial *t) { detector_fit_by(t, 1); }

static void run_detector_score_all(trial *t) {
    pktseq_model model;
    pktseq_detector detector;
    double *score = (double *)calloc(S.p.dataset.pairs, sizeof *score);
    uint64_t before;
    NEED(pktseq_load_mem(&model, NULL, NULL, &detector, S.p.file.data, S.p.file.size, &callers,
                         NULL));
    before = detector_hash(&detector) ^ model_hash(&model);
    TRY(pktseq_detector_score_all(&detector, &model, &S.p.dataset, 2, score, t->err));
    CHECK((detector_hash(&detector) ^ model_hash(&model)) == before);
    t->result = add(9, score, S.p.dataset.pairs * sizeof *score);
    free(score);
    pktseq_detector_free(&detector);
    pktseq_model_free(&model);
}

static void run_stream_init(trial *t) {
    GARBAGE(stream);
    TRY(pktseq_stream_init(&stream, &S.p.model, &S.p.detector, &callers, t->err));
    CHECK(t->status == PKTSEQ_OK || (!stream.h && !stream.out && stream.packets == 0));
    t->result = stream.packets;
    FREE_TWICE(stream);
}

static const double figures[] = {3, 1, 4, 1, 5, 9, 2, 6};

static void run_quantile(trial *t) {
    double q = -1;
    TRY(pktseq_quantile(figures, 8, 0.3, &q, &callers, t->err));
    t->result = add(10, &q, sizeof q);
}

static void run_evaluate(trial *t) {
    static const unsigned char odd[] = {0, 0, 1, 0, 1, 1, 0, 1};
    pktseq_evaluation e;
    memset(&e, 0, sizeof e);
    TRY(pktseq_evaluate(figures, odd, 8, &e, &callers, t->err));
    t->result = add(11, &e, sizeof e);
}

static void run_save_mem(trial *t) {
    pktseq_buffer b;
    memset(&b, 0xa5, sizeof b);
    TRY(pktseq_save_mem(&S.p.model, &S.p.codec, &S.p.training, &S.p.detector, &b, &callers,
                        t->err));
    CHECK_EMPTY(b);
    if (t->status == PKTSEQ_OK)
        CHECK(b.size == S.p.file.size && memcmp(b.data, S.p.file.data, b.size) == 0);
    t->result = b.size;
    pktseq_buffer_free(&b);
    pktseq_buffer_free(&b);
}

// What a load left in p, twice freed.
static void check_load(trial *t, parts *p) {
    CHECK(!t->status || is_zero(p, sizeof *p));
    t->result = model_hash(&p->model) ^ codec_hash(&p->codec) ^ training_hash(&p->training) ^
                detector_hash(&p->detector);
    parts_free(p);
    parts_free(p);
}

static void run_load_mem(trial *t) {
    parts p;
    TRY(parts_load(&p, S.p.file.data, S.p.file.size, &callers, t->err));
    check_load(t, &p);
}

static void run_load(trial *t) {
    parts p;
    TRY(parts_open(&p, S.path, &callers, t->err));
    check_load(t, &p);
}

static void run_file_read(trial *t) {
    pktseq_buffer b;
    memset(&b, 0xa5, sizeof b);
    TRY(pktseq_file_read(&b, S.path, NULL, &callers, t->err));
    CHECK_EMPTY(b);
    t->result = b.data ? add(13, b.data, b.size) : 0;
    pktseq_buffer_free(&b);
    pktseq_buffer_free(&b);
}

static int is_there(const char *path) {
    FILE *f = fopen(path, "rb");
    if (f) fclose(f);
    return f != NULL;
}

// Hash of a file; 0 where there is none.
static uint64_t file_hash(const char *path) {
    static char piece[4096];
    uint64_t h = 14;
    size_t got;
    FILE *f = fopen(path, "rb");
    if (!f) return 0;
    while ((got = fread(piece, 1, sizeof piece, f)) > 0) h = add(h, piece, got);
    fclose(f);
    return h;
}

static void check_file(const trial *t, const char *path, uint64_t before) {
    char temporary[1200];
    sprintf(temporary, "%s.%lu-0.tmp", path, (unsigned long)getpid());
    CHECK_THAT(!is_there(temporary), "%s is left", temporary);
    CHECK_THAT((file_hash(path) == before) == (t->status != PKTSEQ_OK), "%s, status %d", path,
               (int)t->status);
}

// Writes a text of its own over what is there.
static void spoil(const char *path) {
    FILE *f = fopen(path, "wb");
    CHECK(f && fputs("what was there before\n", f) >= 0);
    if (f) fclose(f);
}

static void run_file_write(trial *t) {
    spoil(S.svg_path);
    uint64_t before = file_hash(S.svg_path);
    TRY(pktseq_file_write(S.svg_path, "new", 3, NULL, t->err));
    check_file(t, S.svg_path, before);
    t->result = file_hash(S.svg_path);
    remove(S.svg_path);
}

static void run_save(trial *t) {
    parts p;
    NEED(parts_load(&p, S.p.file.data, S.p.file.size, &callers, NULL));
    spoil(S.svg_path);
    uint64_t before = file_hash(S.svg_path);
    TRY(pktseq_save(&p.model, &p.codec, &p.training, &p.detector, S.svg_path, t->err));
    check_file(t, S.svg_path, before);
    CHECK(t->status || file_hash(S.svg_path) == file_hash(S.path));
    t->result = file_hash(S.svg_path);
    remove(S.svg_path);
    parts_free(&p);
}

// A guard's own small file: what the recommended features need.
static pktseq_guard_options guard_options(void) {
    pktseq_guard_options options;
    memset(&options, 0, sizeof options);
    options.epochs = 0.01;
    options.threads = 1;
    options.allocator = callers;
    return options;
}

static uint64_t guard_hash(const pktseq_guard *g) {
    return model_hash(&g->model) * 3 + codec_hash(&g->codec) * 5 + detector_hash(&g->detector);
}

static void end_guard(trial *t, pktseq_guard *guard) {
    CHECK_EMPTY(*guard);
    t->result = t->status ? 0 : guard_hash(guard);
    pktseq_guard_free(guard);
}

static void run_guard_learn(trial *t) {
    pktseq_guard_options options = guard_options();
    GARBAGE(guard);
    TRY(pktseq_guard_learn(&guard, S.small_path, &options, t->err));
    end_guard(t, &guard);
    pktseq_guard_free(&guard);
}

static void recipe_on(trial *t, int again) {
    pktseq_recipe recipe;
    pktseq_table table;
    pktseq_codec codec;
    pktseq_dataset dataset;
    pktseq_model model;
    NEED(pktseq_recipe_recommended(&recipe, NULL, NULL));
    recipe.schema.field = S.schema.field;
    recipe.schema.field_count = S.schema.field_count;
    NEED(pktseq_table_parse(&table, S.capture.data, S.capture.size, &recipe.schema, &callers,
                            NULL));
    memset(&codec, 0xa5, sizeof codec);
    memset(&dataset, 0xa5, sizeof dataset);
    memset(&model, 0xa5, sizeof model);
    recipe.hidden = S.p.model.config.hidden;
    TRY(pktseq_recipe_prepare(&recipe, &table, again ? &S.p.codec : NULL, again ? &S.p.model : NULL,
                              &codec, &dataset, &model, &callers, t->err));
    CHECK_EMPTY(codec);
    CHECK_EMPTY(dataset);
    CHECK_EMPTY(model);
    t->result = t->status ? 0 : codec_hash(&codec) + dataset_hash(&dataset) + model_hash(&model);
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
}

static void run_recipe_prepare(trial *t) { recipe_on(t, 0); }
static void run_recipe_prepare_again(trial *t) { recipe_on(t, 1); }

// A detector that is made, and one that was made before.
static void calibrate_on(trial *t, int again) {
    pktseq_recipe recipe;
    pktseq_detector detector;
    pktseq_codec codec = S.p.codec;
    uint64_t before;
    codec.allocator = callers;
    memset(&detector, 0, sizeof detector);
    NEED(pktseq_recipe_recommended(&recipe, NULL, NULL));
    if (again)
        NEED(pktseq_detector_init(&detector, &S.p.model, S.p.codec.contexts, &S.p.detector.options,
                                  &callers, NULL));
    before = again ? detector_hash(&detector) : 0;
    TRY(pktseq_recipe_calibrate(&recipe, &S.p.model, &codec, &S.p.dataset, &detector, t->err));
    CHECK(!t->status || (again ? detector_hash(&detector) == before : !detector.memory));
    t->result = t->status ? 0 : detector_hash(&detector);
    pktseq_detector_free(&detector);
}

static void run_recipe_calibrate(trial *t) { calibrate_on(t, 0); }
static void run_recipe_calibrate_again(trial *t) { calibrate_on(t, 1); }

static void run_guard_load(trial *t) {
    pktseq_guard_options options = guard_options();
    GARBAGE(guard);
    TRY(pktseq_guard_load(&guard, S.path, &options, t->err));
    end_guard(t, &guard);
}

static void load_guard(pktseq_guard *guard) {
    pktseq_guard_options options = guard_options();
    NEED(pktseq_guard_load(guard, S.path, &options, NULL));
}

static void run_guard_save(trial *t) {
    pktseq_guard guard;
    uint64_t before;
    load_guard(&guard);
    spoil(S.svg_path);
    before = file_hash(S.svg_path);
    TRY(pktseq_guard_save(&guard, S.svg_path, t->err));
    check_file(t, S.svg_path, before);
    t->result = file_hash(S.svg_path);
    remove(S.svg_path);
    pktseq_guard_free(&guard);
}

static void hash_scored(void *user_data, const pktseq_scored *s) {
    uint64_t *h = (uint64_t *)user_data;
    *h = add(*h, &s->score, sizeof s->score);
}

static void run_guard_score(trial *t) {
    pktseq_guard guard;
    uint64_t h = 7;
    load_guard(&guard);
    TRY(pktseq_guard_score(&guard, S.small_path, hash_scored, &h, t->err));
    CHECK((h != 7) == (t->status == PKTSEQ_OK));  // a failure shows nothing
    t->result = h;
    pktseq_guard_free(&guard);
}

static void run_guard_dataset(trial *t) {
    pktseq_guard guard;
    pktseq_dataset dataset;
    load_guard(&guard);
    TRY(pktseq_guard_dataset(&guard, &S.p.table, &dataset, t->err));
    CHECK_EMPTY(dataset);
    t->result = t->status ? 0 : dataset_hash(&dataset);
    pktseq_dataset_free(&dataset);
    pktseq_guard_free(&guard);
}

static void run_guard_watch(trial *t) {
    pktseq_guard guard;
    pktseq_packet packet;
    memset(&packet, 0, sizeof packet);
    packet.protocol = "TCP";
    packet.transport = 6;
    packet.length = 60;
    load_guard(&guard);
    TRY(pktseq_guard_watch(&guard, &packet, t->err));
    CHECK(t->status || guard.watcher.tracker.packets == 1);
    NEED(pktseq_guard_watch(&guard, &packet, NULL));  // it goes on
    t->result = t->status ? 0 : guard.watcher.slot_size;
    pktseq_guard_free(&guard);
}

enum {
    HAS_SPARE = 1,    // can do without giving spare memory back
    USES_MALLOC = 2,  // has no allocator, or not for everything; and writes a file: OK says that
                      //   it is on the disk, so nothing may be left out
    GOES_ON = 4       // is called a second time after a failure: the result is the same
};

typedef struct call {
    const char *name;  // of the function
    void (*run)(trial *t);
    size_t least;      // allocations, at the very least
    int how;
} call;

#define CALL_AS(function, trial, least, how) {"pktseq_" #function, run_##trial, least, how}
#define CALL(function, least, how) CALL_AS(function, function, least, how)
static const call calls[] = {
    CALL(table_parse, 100, HAS_SPARE), CALL(table_stream, 50, HAS_SPARE),
    CALL(table_read, 50, HAS_SPARE), CALL_AS(table_track, table_sequences, 5, 0),
    CALL_AS(table_track, table_derive, 30, 0), CALL(table_track, 40, 0), CALL(table_select, 0, 0),
    CALL(table_drop_attacks, 0, 0), CALL_AS(tracker_init, tracker, 1, 0),
    CALL_AS(watcher_init, watcher, 4, 0), CALL(codec_fit, 30, 0),
    CALL_AS(codec_fit, codec_fit_plain, 10, 0), CALL_AS(codec_fit, codec_fit_notebook, 10, 0),
    CALL(codec_extend, 30, 0), CALL(codec_encode, 3, 0),
    CALL_AS(codec_encode, codec_encode_plain, 3, 0),
    CALL_AS(codec_encode, codec_encode_context, 1, 0),
    CALL_AS(codec_encode, codec_encode_packed, 3, 0), CALL(dataset_init, 6, 0),
    CALL(dataset_wrap, 2, 0), CALL(model_init, 2, 0), CALL(model_grow, 2, 0), CALL(work_init, 1, 0),
    CALL(plain_init, 1, 0), CALL(train, 8, GOES_ON), CALL_AS(train, train_resumed, 7, GOES_ON),
    CALL(detector_init, 1, 0), CALL(detector_fit, 7, 0),
    CALL_AS(detector_fit, detector_fit_rms, 6, 0), CALL(detector_score_all, 5, 0),
    CALL(stream_init, 1, 0), CALL(quantile, 1, 0), CALL(evaluate, 1, 0), CALL(save_mem, 4, 0),
    CALL(load_mem, 30, 0), CALL(file_write, 1, USES_MALLOC), CALL(file_read, 2, 0),
    CALL(save, 5, USES_MALLOC), CALL(load, 30, 0), CALL(recipe_prepare, 40, 0),
    CALL_AS(recipe_prepare, recipe_prepare_again, 40, 0), CALL(recipe_calibrate, 8, 0),
    CALL_AS(recipe_calibrate, recipe_calibrate_again, 8, 0), CALL(guard_learn, 100, HAS_SPARE),
    CALL(guard_load, 30, 0), CALL(guard_save, 5, USES_MALLOC), CALL(guard_score, 60, HAS_SPARE),
    CALL(guard_dataset, 6, 0), CALL(guard_watch, 8, HAS_SPARE),
};

// Rounds: only the k-th allocation fails, told to err; all from the k-th on; only the k-th, and
// nobody listens.
static size_t fail_each(const call *c) {
    static const char *const round_name[] = {"only number", "all from number", "without err"};
    trial first, t;
    pktseq_error err;
    size_t needed, failures = 0, live;
    uint64_t before = scene_hash();
    memset(&first, 0, sizeof first);
    live = memory.live;
    first.err = &err;
    c->run(&first);
    needed = memory.calls;
    CHECK_THAT(first.status == PKTSEQ_OK && err.status == PKTSEQ_OK && !err.text[0], "%s: %s",
               c->name, err.text);
    CHECK_THAT(memory.live == live, "%s leaves %ld blocks", c->name, (long)(memory.live - live));
    CHECK_THAT(needed >= c->least, "%s: %lu allocations", c->name, (unsigned long)needed);
    CHECK_THAT((memory.by_malloc > 0) == ((c->how & USES_MALLOC) != 0), "%s: %lu through malloc",
               c->name, (unsigned long)memory.by_malloc);
    for (int round = 0; round < 3; ++round) {
        for (size_t k = 1; k <= needed + 1; ++k) {
            size_t was = check_failed;
            memset(&t, 0, sizeof t);
            memset(&err, 0xa5, sizeof err);
            t.fail_at = k;
            t.for_ever = round == 1;
            t.err = round == 2 ? NULL : &err;
            c->run(&t);
            failures += t.status != PKTSEQ_OK;
            if (t.status == PKTSEQ_OK) {
                CHECK(memory.refused == 0 || (c->how & HAS_SPARE));
                CHECK(t.result == first.result);
                if (t.err) CHECK(err.status == PKTSEQ_OK && !err.text[0]);
            } else {
                CHECK(memory.refused > 0 && t.status == PKTSEQ_ERROR_MEMORY);
                if (t.err) {
                    CHECK(err.status == t.status && memchr(err.text, 0, sizeof err.text));
                    CHECK(strstr(err.text, "memory") && !strchr(err.text, '\n'));
                }
                if (c->how & GOES_ON) CHECK(t.result == first.result);
            }
            CHECK_THAT(memory.live == live, "%ld blocks left", (long)(memory.live - live));
            CHECK(memory.bad == 0);
            CHECK(scene_hash() == before);
            if (check_failed > was)
                fprintf(stderr, "  in %s, allocation: %s %lu of %lu\n", c->name,
                        round_name[round], (unsigned long)k, (unsigned long)needed);
            memory.bad = 0;
            live = memory.live;
        }
        CHECK_THAT(memory.refused == 0, "%s: the last round refused none", c->name);
    }
    return failures;
}

static void test_memory(void) {
    size_t failures = 0, count = sizeof calls / sizeof calls[0];
    pktseq_error err;
    FILE *f = fopen(S.csv_path, "wb");
    text learnable;
    CHECK(f && fwrite(S.many.data, 1, S.many.size, f) == S.many.size);
    if (f) fclose(f);
    learnable = capture_of(300, 1, 0);  // its commonest tokens are seen five times
    f = fopen(S.small_path, "wb");
    CHECK(f && fwrite(learnable.data, 1, learnable.size, f) == learnable.size);
    if (f) fclose(f);
    free(learnable.data);
    CHECK(!pktseq_save(&S.p.model, &S.p.codec, &S.p.training, &S.p.detector, S.path, &err));
    for (size_t i = 0; i < count; ++i) failures += fail_each(&calls[i]);
    printf("  %lu refused allocations in %lu calls\n", (unsigned long)failures,
           (unsigned long)count);
}

// ---- >>no-memory: calls that need none ----------------------------------------------------------

static const char *const needs_none[] = {
    "pktseq_forward", "pktseq_backward", "pktseq_zero_grad", "pktseq_clip_grad_norm",
    "pktseq_sgd_step", "pktseq_momentum_step", "pktseq_rollout",
    "pktseq_score", "pktseq_detector_score", "pktseq_detector_explain", "pktseq_stream_push",
    "pktseq_dataset_dense", "pktseq_detector_reasons",
    "pktseq_stream_score", "pktseq_stream_reset", "pktseq_codec_decode",
    "pktseq_codec_decode_output", "pktseq_codec_feature_name", "pktseq_codec_same",
    "pktseq_codec_schema", "pktseq_model_tensor",
    "pktseq_work_output", "pktseq_work_encoded", "pktseq_detector_threshold", "pktseq_time_text",
    "pktseq_table_naming", "pktseq_detector_rate",
    "pktseq_drift_add", "pktseq_drift_unknown", "pktseq_drift_verdict",
    "pktseq_label_is_normal", "pktseq_dataset_pair", "pktseq_table_column",
    "pktseq_column_number", "pktseq_column_text",
    "pktseq_version", "pktseq_check_header", "pktseq_status_text",
    "pktseq_build_info",
    "pktseq_packet_decode", "pktseq_address_text", "pktseq_capture_magic",
    "pktseq_capture_init", "pktseq_capture_next",  // both: see test_capture
    "pktseq_tracker_push", "pktseq_tracker_tick", "pktseq_token_text",
    "pktseq_watcher_push", "pktseq_watcher_tick",  // both push: see test_watch
    "pktseq_guard_tick", "pktseq_guard_free",     // see test_short
    "pktseq_recipe_default", "pktseq_recipe_recommended", "pktseq_recipe_iterations",
    "pktseq_recipe_from_model", "pktseq_table_describe",  // see test_short, too
    "pktseq_rule_default", "pktseq_rule_connection", "pktseq_schema_default",
    "pktseq_schema_reference", "pktseq_schema_recommended", "pktseq_dataset_options_default",
    "pktseq_config_default", "pktseq_train_config_default",
    "pktseq_detector_options_recommended"};

static void test_none_needed(void) {
    static pktseq_value value[64];
    static double part[1 << 16];
    pktseq_pair pair[2];
    pktseq_work work;
    pktseq_stream stream;
    pktseq_model model;
    pktseq_tensor tensor;
    pktseq_drift drift;
    pktseq_reason reason[3];
    size_t reasons;
    pktseq_verdict verdict;
    pktseq_real *velocity = (pktseq_real *)calloc(S.p.model.parameters, sizeof *velocity);
    pktseq_real *out = (pktseq_real *)calloc(8 * S.p.dataset.out, sizeof *out);
    double score[2], norm;
    char name[40];
    trial t;
    memset(&t, 0, sizeof t);
    memset(&drift, 0, sizeof drift);
    NEED(pktseq_work_init(&work, &S.p.model.config, 2, S.p.dataset.longest + 8, 1, NULL, NULL));
    NEED(pktseq_stream_init(&stream, &S.p.model, &S.p.detector, NULL, NULL));
    NEED(pktseq_load_mem(&model, NULL, NULL, NULL, S.p.file.data, S.p.file.size, NULL, NULL));
    CHECK(S.p.codec.field_count <= 64 &&
          S.p.dataset.longest * (S.p.model.config.groups + S.p.codec.contexts) <
              sizeof part / sizeof *part);
    t.fail_at = 1;
    t.for_ever = 1;
    arm(&t);
    for (size_t i = 0; i < 2; ++i) pair[i] = pktseq_dataset_pair(&S.p.dataset, i);
    CHECK(!pktseq_zero_grad(&work) && !pktseq_forward(&model, &work, pair, 2, NULL));
    CHECK(pktseq_work_output(&work, 0, 0) && pktseq_work_encoded(&work, 1));
    CHECK(!pktseq_backward(&model, &work) && !pktseq_clip_grad_norm(&work, 0.1, &norm));
    CHECK(!pktseq_sgd_step(&model, &work, 0.1));
    CHECK(!pktseq_momentum_step(&model, &work, 0.1, 0.5, velocity));
    CHECK(!pktseq_rollout(&S.p.model, &work, pair, 8, out));
    CHECK(!pktseq_score(&S.p.model, &work, pair, score));
    CHECK(!pktseq_detector_score(&S.p.detector, &S.p.model, &work, pair, 2, score));
    CHECK(!pktseq_detector_explain(&S.p.detector, &S.p.model, &work, pair, part, score));
    CHECK(!pktseq_detector_reasons(&S.p.detector, &S.p.codec, &work, pair, part, 0, 1, reason,
                                   &reasons));
    for (size_t i = 0; i < 5; ++i) {
        const pktseq_real *x = S.p.dataset.x + i * S.p.dataset.in;
        CHECK(!pktseq_stream_push(&stream, x, S.p.dataset.y + i * S.p.dataset.out,
                                  S.p.dataset.c + i * S.p.dataset.contexts));
    }
    CHECK(!pktseq_stream_score(&stream, score));
    pktseq_stream_reset(&stream);
    CHECK(!pktseq_codec_decode(&S.p.codec, S.p.dataset.x, value));
    CHECK(!pktseq_codec_decode_output(&S.p.codec, out, value));
    CHECK(!pktseq_codec_feature_name(&S.p.codec, 0, name, sizeof name));
    CHECK(!pktseq_codec_same(&S.p.codec, &S.p.codec, NULL));
    CHECK(!pktseq_detector_threshold(&S.p.detector, 0, 0.001, score, NULL, NULL));
    CHECK(!pktseq_detector_threshold(&S.p.detector, 1, 0.001, score, NULL, NULL));
    CHECK(!pktseq_detector_rate(&S.p.detector, 1, score));
    CHECK(!pktseq_drift_add(&drift, &S.p.detector, 1, 0, 1, 0));
    pktseq_drift_unknown(&drift, 17, 50000, 443);
    CHECK(!pktseq_drift_verdict(&drift, &S.p.detector, 0.01, &verdict));
    CHECK(pktseq_table_naming(NULL) == PKTSEQ_NAMING_UNKNOWN);
    CHECK(pktseq_codec_schema(&S.p.codec).field == S.p.codec.field);
    CHECK(pktseq_label_is_normal("benign") && pktseq_time_text(1.5, name) == name);
    CHECK(!pktseq_model_tensor(&S.p.model, 9, &tensor) && tensor.data);
    CHECK(pktseq_table_column(&S.p.table, "token") && pktseq_version() && pktseq_build_info());
    CHECK(!PKTSEQ_CHECK_HEADER());
    CHECK(pktseq_status_text(PKTSEQ_ERROR_MEMORY));
    CHECK(pktseq_config_default(&S.p.dataset).out == S.p.dataset.out);
    CHECK(pktseq_detector_options_recommended(&S.p.codec, S.weight).weight == S.weight);
    disarm();
    CHECK_THAT(memory.calls == 0, "%lu allocations", (unsigned long)memory.calls);
    pktseq_model_free(&model);
    pktseq_stream_free(&stream);
    pktseq_work_free(&work);
    free(velocity);
    free(out);
}

// Each function of the API is in one of the two lists, or frees.
static void test_lists(void) {
    char path[1100], line[400];
    const char *slash = strrchr(__FILE__, '/');
    size_t functions = 0;
    FILE *f;
    sprintf(path, "%.*s../pktseq.h", slash ? (int)(slash - __FILE__ + 1) : 0, __FILE__);
    f = fopen(path, "r");
    if (!f) {
        printf("  SKIPPED: %s is not there to be searched for functions\n", path);
        return;
    }
    while (fgets(line, sizeof line, f) && !strstr(line, "Stop here if you only want the API")) {
        const char *at = strncmp(line, "PKTSEQ_DEF ", 11) == 0 ? strchr(line, '(') : NULL;
        size_t size = 0, found = 0;
        if (!at) continue;
        while (at > line && at[-1] != ' ' && at[-1] != '*') --at, ++size;
        for (size_t i = 0; i < sizeof calls / sizeof calls[0]; ++i)
            found |= strlen(calls[i].name) == size && memcmp(calls[i].name, at, size) == 0;
        for (size_t i = 0; i < sizeof needs_none / sizeof needs_none[0]; ++i)
            found |= strlen(needs_none[i]) == size && memcmp(needs_none[i], at, size) == 0;
        found |= size > 5 && memcmp(at + size - 5, "_free", 5) == 0;
        CHECK_THAT(found, "%.*s is not tested here", (int)size, at);
        ++functions;
    }
    fclose(f);
    CHECK_THAT(functions > 50, "%lu functions", (unsigned long)functions);
}

// ---- >>disk: files in memory, and what a loss of power leaves of them ---------------------------

enum { ROOM = 1 << 17, FILES = 4, HANDLES = 4 };

typedef enum operation { NONE, OPEN, READ, WRITE, SYNC, CLOSE, REPLACE } operation;
typedef enum failure { FAILS, SHORT, LIES_BY_ONE, LIES_MUCH, FAILS_AFTER_SOME } failure;

// A file: what programs see of it, and what is on the disk for sure.
typedef struct entry {
    char name[40];  // "" = no such file
    unsigned char data[ROOM], safe[ROOM];
    size_t size, safe_size;
    int dirty;      // no sync since the last write: any beginning may be on the disk
} entry;

typedef struct handle {
    entry *file;
    size_t at;
    int used, write, full;
} handle;

typedef struct disk {
    entry file[FILES];
    handle open[HANDLES];
    size_t piece;            // bytes that a read or write takes at most; 0 = all
    size_t calls, fail_at;   // operations; the one that fails, 0 = none
    int for_ever;            // so do all after it
    failure how;
    operation failed;        // what it was
    size_t replaced, removed;
    size_t misuse;           // a hook was called with what it must not be called with
    void (*watch)(struct disk *d);  // power may be lost now
} disk;

static disk D;

static entry *disk_find(const char *name) {
    for (size_t i = 0; i < FILES; ++i)
        if (strcmp(D.file[i].name, name) == 0) return &D.file[i];
    return NULL;
}

// Counted, not checked: hooks are called once for each byte.
static void disk_must(int condition) { D.misuse += (size_t)!condition; }

// Does the operation at hand fail?
static int disk_fails(operation what) {
    int fails = ++D.calls == D.fail_at || (D.for_ever && D.fail_at && D.calls > D.fail_at);
    if (fails && !D.failed) D.failed = what;
    return fails;
}

static void disk_watch(void) {
    if (D.watch) D.watch(&D);
}

static void *disk_open(const char *path, int write, void *user_data) {
    entry *file = disk_find(path);
    handle *h = D.open;
    disk_must(user_data == &D && strlen(path) < sizeof file->name);
    if (disk_fails(OPEN)) return NULL;
    if (!file && !write) return NULL;
    if (!file) file = disk_find("");
    while (h < D.open + HANDLES && h->used) ++h;
    if (!file || h == D.open + HANDLES) {
        ++D.misuse;
        return NULL;
    }
    if (write) {
        strcpy(file->name, path);
        file->size = 0;  // at once; what the disk holds is anybody's guess until a sync
        file->dirty = 1;
    }
    memset(h, 0, sizeof *h);
    h->file = file;
    h->used = 1;
    h->write = write;
    disk_watch();
    return h;
}

static size_t disk_read(void *file, void *to, size_t size, int *failed) {
    handle *h = (handle *)file;
    size_t left = h->file->size - h->at;
    size_t n = D.piece && D.piece < size ? D.piece : size;
    disk_must(h->used && !h->write && size > 0 && *failed == 0);
    if (n > left) n = left;
    if (disk_fails(READ)) {
        if (D.how == LIES_BY_ONE) return size + 1;
        if (D.how == LIES_MUCH) return (size_t)-1;
        *failed = 1;
        if (D.how == FAILS) return 0;
    }
    memcpy(to, h->file->data + h->at, n);
    h->at += n;
    return n;
}

static size_t disk_write(void *file, const void *from, size_t size) {
    handle *h = (handle *)file;
    size_t n = D.piece && D.piece < size ? D.piece : size;
    disk_must(h->used && h->write && size > 0);
    if (disk_fails(WRITE)) {
        if (D.how == LIES_BY_ONE) return size + 1;
        if (D.how == LIES_MUCH) return (size_t)-1;
        if (D.how != SHORT) return 0;
        n = n / 2;
        h->full = 1;
    } else if (h->full) {
        return 0;
    }
    if (n > ROOM - h->file->size) {
        ++D.misuse;
        return 0;
    }
    memcpy(h->file->data + h->file->size, from, n);
    h->file->size += n;
    h->file->dirty = 1;
    disk_watch();
    return n;
}

static int disk_sync(handle *h) {
    disk_must(h->write);
    if (disk_fails(SYNC)) return 0;
    memcpy(h->file->safe, h->file->data, h->file->size);
    h->file->safe_size = h->file->size;
    h->file->dirty = 0;
    disk_watch();
    return 1;
}

static int disk_close(void *file, int sync) {
    handle *h = (handle *)file;
    int good = !sync || disk_sync(h);
    disk_must(h->used);
    h->used = 0;
    if (disk_fails(CLOSE)) return 0;
    disk_watch();
    return good;
}

static int disk_replace(const char *from, const char *to, void *user_data) {
    entry *a = disk_find(from), *b = disk_find(to);
    disk_must(user_data == &D && a);
    for (size_t i = 0; i < HANDLES; ++i) D.misuse += (size_t)D.open[i].used;
    if (disk_fails(REPLACE) || !a) return 0;
    if (b) b->name[0] = 0;
    strcpy(a->name, to);
    ++D.replaced;
    disk_watch();
    return 1;
}

static void disk_remove(const char *path, void *user_data) {
    entry *file = disk_find(path);
    disk_must(user_data == &D);
    ++D.removed;
    if (file) file->name[0] = 0;
    else ++D.misuse;
    disk_watch();
}

static const pktseq_files disk_files = {disk_open,    disk_read,   disk_write, disk_close,
                                        disk_replace, disk_remove, &D};

static const char target[] = "model.safetensors";

// A disk with one file, or with none.
static void disk_begin(const void *data, size_t size) {
    memset(&D, 0, sizeof D);
    if (!data) return;
    strcpy(D.file[1].name, target);
    memcpy(D.file[1].data, data, size);
    memcpy(D.file[1].safe, data, size);
    D.file[1].size = D.file[1].safe_size = size;
}

// Has the disk this file with these bytes and no other file, and is nothing open?
static int disk_is(const void *data, size_t size) {
    const entry *file = disk_find(target);
    size_t files = 0, open = 0;
    for (size_t i = 0; i < FILES; ++i) files += D.file[i].name[0] != 0;
    for (size_t i = 0; i < HANDLES; ++i) open += (size_t)D.open[i].used;
    if (open || D.misuse) return 0;
    if (!data) return files == 0;
    return files == 1 && file && file->size == size && memcmp(file->data, data, size) == 0;
}

// ---- >>save: every operation of a save fails ----------------------------------------------------

// A second checkpoint, unlike the first.
static int other_make(pktseq_buffer *other) {
    pktseq_train_config config = train_config(40);
    parts p;
    pktseq_status status = parts_load(&p, S.p.file.data, S.p.file.size, NULL, NULL);
    if (!status) status = pktseq_train(&p.model, &S.p.dataset, &config, &p.training, NULL);
    if (!status) status = parts_save(&p, NULL, NULL);
    *other = p.file;
    memset(&p.file, 0, sizeof p.file);
    parts_free(&p);
    CHECK(status == PKTSEQ_OK && S.p.file.size < ROOM && other->size < ROOM);
    return status == PKTSEQ_OK && S.p.file.size < ROOM && other->size < ROOM;
}

static void test_save(const pktseq_buffer *other) {
    static const size_t piece[] = {0, 1, 3000};
    const unsigned char *old = S.p.file.data;
    size_t old_size = S.p.file.size, tried = 0, seen[REPLACE + 1];
    pktseq_error err;
    pktseq_status status;
    memset(seen, 0, sizeof seen);
    for (size_t i = 0; i < 3; ++i) {
        for (int there = 0; there < 2; ++there) {
            // undisturbed, however few bytes are taken at a time
            size_t needed, live = memory.live;
            disk_begin(there ? old : NULL, old_size);
            D.piece = piece[i];
            status = pktseq_file_write(target, other->data, other->size, &disk_files, &err);
            CHECK_THAT(status == PKTSEQ_OK && !err.text[0], "%s", err.text);
            CHECK(disk_is(other->data, other->size) && D.replaced == 1 && D.removed == 0);
            CHECK(disk_find(target) && !disk_find(target)->dirty);
            needed = D.calls;
            CHECK(memory.live == live);
            for (int how = 0; how < 8; ++how) {
                for (size_t k = 1; k <= needed; ++k) {
                    if (piece[i] == 1 && k > 5 && k + 5 < needed && k % 997) continue;
                    disk_begin(there ? old : NULL, old_size);
                    D.piece = piece[i];
                    D.fail_at = k;
                    D.for_ever = how / 4;
                    D.how = (failure)(how % 4);
                    memset(&err, 0xa5, sizeof err);
                    status = pktseq_file_write(target, other->data, other->size, &disk_files,
                                               &err);
                    ++tried;
                    ++seen[D.failed];
                    CHECK_THAT(status == PKTSEQ_ERROR_FILE && err.status == status,
                               "operation %lu, failure %d: status %d", (unsigned long)k, how,
                               (int)status);
                    CHECK_THAT(strstr(err.text, target) && !strchr(err.text, '\n'), "%s",
                               err.text);
                    CHECK_THAT(there ? disk_is(old, old_size) : disk_is(NULL, 0),
                               "operation %lu of %lu, failure %d", (unsigned long)k,
                               (unsigned long)needed, how);
                    CHECK(D.replaced == 0 && D.removed == (D.failed != OPEN));
                    CHECK(memory.live == live);
                }
            }
        }
    }
    for (int what = OPEN; what <= REPLACE; ++what)
        CHECK_THAT((seen[what] > 0) == (what != READ), "operation %d", what);
    printf("  %lu saves with an operation that failed\n", (unsigned long)tried);

    // Nothing to write is a file, too; and without a place for a name there is none.
    disk_begin(old, old_size);
    CHECK(!pktseq_file_write(target, NULL, 0, &disk_files, &err) && disk_is("", 0));
    for (int how = 0; how < 2; ++how) {
        trial t;
        memset(&t, 0, sizeof t);
        t.fail_at = 1;
        t.for_ever = how;
        disk_begin(old, old_size);
        arm(&t);
        status = pktseq_file_write(target, other->data, other->size, &disk_files, &err);
        disarm();
        CHECK(status == PKTSEQ_ERROR_MEMORY && err.status == status && err.text[0]);
        CHECK(memory.by_malloc == 1 && memory.by_alloc_fn == 0);
        CHECK(disk_is(old, old_size) && D.calls == 0);
    }
}

// ---- >>read: every operation of a read fails ----------------------------------------------------

static void test_read(void) {
    static const size_t piece[] = {0, 1, 7, 4095, 4096, 4097};
    pktseq_buffer b;
    pktseq_error err;
    pktseq_status status;
    size_t tried = 0, needed;
    for (size_t i = 0; i < sizeof piece / sizeof piece[0]; ++i) {
        disk_begin(S.p.file.data, S.p.file.size);
        D.piece = piece[i];
        memset(&b, 0xa5, sizeof b);
        CHECK(!pktseq_file_read(&b, target, &disk_files, &callers, &err));
        CHECK(b.size == S.p.file.size && memcmp(b.data, S.p.file.data, b.size) == 0);
        CHECK(disk_is(S.p.file.data, S.p.file.size));
        pktseq_buffer_free(&b);
        needed = D.calls - 1;  // all but the last, which closes
        for (int how = 0; how < 8; ++how) {
            for (size_t k = 1; k <= needed; ++k) {
                size_t live = memory.live;
                failure fails = (failure)(how % 4 == SHORT ? FAILS_AFTER_SOME : how % 4);
                if (piece[i] < 4000 && k > 5 && k + 5 < needed && k % 499) continue;
                disk_begin(S.p.file.data, S.p.file.size);
                D.piece = piece[i];
                D.fail_at = k;
                D.for_ever = how / 4;
                D.how = fails;
                memset(&b, 0xa5, sizeof b);
                memset(&err, 0xa5, sizeof err);
                status = pktseq_file_read(&b, target, &disk_files, &callers, &err);
                ++tried;
                CHECK_THAT(status == PKTSEQ_ERROR_FILE && err.status == status,
                           "operation %lu, failure %d: status %d", (unsigned long)k, how,
                           (int)status);
                CHECK_THAT(strstr(err.text, target) && !strchr(err.text, '\n'), "%s", err.text);
                CHECK(is_zero(&b, sizeof b) && memory.live == live);
                CHECK(disk_is(S.p.file.data, S.p.file.size));
                pktseq_buffer_free(&b);
                pktseq_buffer_free(&b);
            }
        }
        // Memory that is refused: the file is closed all the same.
        for (size_t k = 1;; ++k) {
            trial t;
            memset(&t, 0, sizeof t);
            t.fail_at = k;
            disk_begin(S.p.file.data, S.p.file.size);
            D.piece = piece[i];
            memset(&b, 0xa5, sizeof b);
            arm(&t);
            status = pktseq_file_read(&b, target, &disk_files, &callers, &err);
            disarm();
            CHECK(disk_is(S.p.file.data, S.p.file.size) && memory.by_malloc == 0);
            if (status == PKTSEQ_OK) break;
            CHECK(status == PKTSEQ_ERROR_MEMORY && is_zero(&b, sizeof b) && err.text[0]);
        }
        pktseq_buffer_free(&b);
    }
    disk_begin(NULL, 0);
    memset(&b, 0xa5, sizeof b);
    CHECK(pktseq_file_read(&b, target, &disk_files, NULL, &err) == PKTSEQ_ERROR_FILE);
    CHECK(is_zero(&b, sizeof b) && strstr(err.text, target) && disk_is(NULL, 0));
    printf("  %lu reads with an operation that failed\n", (unsigned long)tried);
}

// A table from a stream that fails, or says that it has put more than there was room for.
static void test_stream(void) {
    static const size_t lie[] = {0, (size_t)-1, (size_t)-1 >> 8};
    pktseq_table table;
    pktseq_error err;
    uint64_t want = 0;
    size_t needed = 0;
    for (size_t k = 0; k <= needed; ++k) {
        for (size_t i = 0; i < sizeof lie / sizeof *lie; ++i) {
            pieces p;
            size_t live = memory.live;
            pktseq_status status;
            memset(&p, 0, sizeof p);
            p.data = S.capture.data;
            p.size = S.capture.size;
            p.piece = k ? 300 : 1;  // undisturbed, byte by byte
            p.fail_at = k;
            p.lie = lie[i];
            memset(&table, 0xa5, sizeof table);
            status = pktseq_table_stream(&table, pieces_read, &p, &S.schema, &callers, &err);
            if (k == 0) {
                CHECK_THAT(status == PKTSEQ_OK, "%s", err.text);
                want = table_hash(&table);
                CHECK(want == table_hash(&S.p.table));
                needed = S.capture.size / 300 + 2;
            } else {
                CHECK_THAT(status == PKTSEQ_ERROR_FILE && err.status == status && err.text[0],
                           "read %lu: %s", (unsigned long)k, err.text);
                CHECK(is_zero(&table, sizeof table) && memory.live == live);
            }
            pktseq_table_free(&table);
            pktseq_table_free(&table);
            CHECK(memory.live == live);
        }
    }
    CHECK(needed > 10);
}

// ---- >>power: power is lost after every operation of a save -------------------------------------

// What the disk may hold at a moment when power is lost, and how often it was what.
static struct power {
    const pktseq_buffer *old_file, *new_file;
    size_t moments, old_whole, new_whole, torn, not_there;
    int load;  // judge by loading, too
} power;

static void power_judge(const unsigned char *data, size_t size) {
    int is_old = size == power.old_file->size && memcmp(data, power.old_file->data, size) == 0;
    int is_new = size == power.new_file->size && memcmp(data, power.new_file->data, size) == 0;
    ++power.moments;
    power.old_whole += (size_t)is_old;
    power.new_whole += (size_t)is_new;
    power.torn += !is_old && !is_new;
    if (power.load) {
        parts p;
        pktseq_error err;
        pktseq_status status = parts_load(&p, data, size, NULL, &err);
        CHECK_THAT(status == PKTSEQ_OK && (is_old || is_new), "%s", err.text);
        parts_free(&p);
    }
}

static void power_lost(disk *d) {
    static const size_t tenth[] = {0, 3, 7, 10};
    const entry *file = disk_find(target);
    (void)d;
    if (!file) {
        ++power.not_there;
        return;
    }
    if (!file->dirty) {
        power_judge(file->safe, file->safe_size);
        return;
    }
    for (size_t i = 0; i < 4; ++i) power_judge(file->data, file->size / 10 * tenth[i]);
}

// Two ways to save that lose files: the disk must be able to show it.
static void careless_write(int how, const void *data, size_t size) {
    const char *path = how == 0 ? target : "model.safetensors.tmp";
    void *file = disk_open(path, 1, &D);
    size_t done = 0;
    while (done < size) done += disk_write(file, (const char *)data + done, size - done);
    disk_close(file, how == 0);  // 0: in place
    if (how == 1) disk_replace(path, target, &D);  // renamed, but never synced
    if (how == 2) {                                // removed first
        disk_remove(target, &D);
        disk_replace(path, target, &D);
    }
}

static void test_power(const pktseq_buffer *other) {
    static const size_t piece[] = {0, 1, 500};
    for (int careless = 0; careless < 3; ++careless) {
        memset(&power, 0, sizeof power);
        power.old_file = &S.p.file;
        power.new_file = other;
        disk_begin(S.p.file.data, S.p.file.size);
        D.piece = 500;
        D.watch = power_lost;
        careless_write(careless, other->data, other->size);
        CHECK_THAT(power.torn + power.not_there > 0, "careless way %d", careless);
    }
    for (size_t i = 0; i < 3; ++i) {
        for (int turn = 0; turn < 2; ++turn) {
            memset(&power, 0, sizeof power);
            power.old_file = turn ? other : &S.p.file;
            power.new_file = turn ? &S.p.file : other;
            power.load = piece[i] != 1;
            disk_begin(power.old_file->data, power.old_file->size);
            D.piece = piece[i];
            D.watch = power_lost;
            power_lost(&D);
            CHECK(!pktseq_file_write(target, power.new_file->data, power.new_file->size,
                                     &disk_files, NULL));
            power_lost(&D);
            CHECK_THAT(power.torn == 0 && power.not_there == 0, "%lu torn, %lu gone",
                       (unsigned long)power.torn, (unsigned long)power.not_there);
            CHECK(power.old_whole >= 5 && power.new_whole == 2);
            CHECK(power.moments == power.old_whole + power.new_whole);
            if (piece[i] == 1) CHECK(power.moments > power.new_file->size);
        }
    }
    // And when besides that an operation fails: it stays the old one.
    for (size_t k = 1; k < 40; ++k) {
        memset(&power, 0, sizeof power);
        power.old_file = &S.p.file;
        power.new_file = other;
        power.load = 1;
        disk_begin(S.p.file.data, S.p.file.size);
        D.piece = 4000;
        D.watch = power_lost;
        D.fail_at = k;
        if (!pktseq_file_write(target, other->data, other->size, &disk_files, NULL)) break;
        power_lost(&D);
        CHECK(power.torn == 0 && power.not_there == 0 && power.new_whole == 0);
        CHECK(power.old_whole > 0 && k < 39);
    }
}

// ---- >>real: what really fails ------------------------------------------------------------------

// shown: what the message must name.
static void check_refused(const char *path, const char *shown) {
    char temporary[1200];
    pktseq_error err;
    for (int how = 0; how < 2; ++how) {
        pktseq_status status =
            how ? pktseq_file_write(path, "a file", 6, NULL, &err)
                : pktseq_save(&S.p.model, &S.p.codec, &S.p.training, &S.p.detector, path, &err);
        CHECK_THAT(status == PKTSEQ_ERROR_FILE && err.status == status, "%s: status %d", path,
                   (int)status);
        CHECK_THAT(strstr(err.text, shown) && !strchr(err.text, '\n') &&
                       err.text[strlen(err.text) - 1] != '.', "%s", err.text);
        sprintf(temporary, "%.1100s.%lu-0.tmp", shown, (unsigned long)getpid());
        CHECK_THAT(!is_there(temporary), "%s", temporary);
    }
}

static void test_real(void) {
    char path[1200], bare[1200];
    FILE *full = fopen("/dev/full", "wb");
    if (!full) {
        printf("  SKIPPED: /dev/full is not there\n");
    } else {
        fclose(full);
        check_refused("/dev/full", "/dev/full");
        full = fopen("/dev/full", "wb");  // it is still there, and full
        CHECK(full && (fputc('x', full) == EOF || fflush(full) == EOF));
        if (full) fclose(full);
    }
    sprintf(path, "%.1000s.no_such_folder/x", S.path);
    check_refused(path, path);
#ifdef HAS_FOLDERS
    sprintf(path, "%.1000s.folder", S.path);
    CHECK(mkdir(path, 0777) == 0);
    check_refused(path, path);
    strcat(path, "/");
    sprintf(bare, "%.*s", (int)strlen(path) - 1, path);
    check_refused(path, bare);
    CHECK(remove(bare) == 0);  // a folder still, and empty
#endif
}

int main(int argc, char **argv) {
    pktseq_buffer other;
    if (scene_make(argc > 0 && argv[0][0] ? argv[0] : "build/test_faults")) {
        test_lists();
        test_memory();
        test_none_needed();
        if (other_make(&other)) {
            test_save(&other);
            test_read();
            test_power(&other);
        }
        test_stream();
        test_real();
        pktseq_buffer_free(&other);
    }
    scene_free();
    CHECK_THAT(memory.live == 0 && memory.bad == 0, "%lu blocks", (unsigned long)memory.live);
    remove(S.path);
    remove(S.csv_path);
    remove(S.small_path);
    remove(S.svg_path);
    return check_end("test_faults");
}
