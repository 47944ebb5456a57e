// test_checkpoint.c - sections >>members and >>checkpoint: every byte that is written, and files
// of ours and of other programs read again.
//
// The bytes are judged by a reader of its own ("a second reader"). Files whose checksum was mended
// after a change must be refused or taken whole; each loop over changes is one check. What must be
// refused whatever its checksum is in test_load.c.
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "scene.h"
#include "text.h"

#include <math.h>
#include <time.h>

#define REAL_SIZE sizeof(pktseq_real)
static const char *const OWN_DTYPE = sizeof(pktseq_real) == 4 ? "F32" : "F64";

// The checkpoint's tensors, written down a second time.
static const char *const NAME[10] = {
    "encoder.gru.weight_ih_l0", "encoder.gru.weight_hh_l0", "encoder.gru.bias_ih_l0",
    "encoder.gru.bias_hh_l0",   "decoder.gru.weight_ih_l0", "decoder.gru.weight_hh_l0",
    "decoder.gru.bias_ih_l0",   "decoder.gru.bias_hh_l0",   "decoder.out.weight",
    "decoder.out.bias"};

// Sizes of tensor `index`: rows, and columns or 0 for a vector.
static void shape_of(size_t index, size_t in, size_t out, size_t hidden, size_t *rows,
                     size_t *cols) {
    size_t gate = 3 * hidden;
    size_t shape[10][2];
    memset(shape, 0, sizeof shape);
    for (size_t i = 0; i < 8; ++i) shape[i][0] = gate;
    shape[0][1] = in;
    shape[4][1] = out;
    shape[1][1] = shape[5][1] = hidden;
    shape[8][0] = shape[9][0] = out;
    shape[8][1] = hidden;
    *rows = shape[index][0];
    *cols = shape[index][1];
}

// ---- bytes --------------------------------------------------------------------------------------

// A file being put together.
typedef text bytes;

static void put_little(bytes *b, uint64_t value, size_t size) {
    for (size_t i = 0; i < size; ++i) {
        unsigned char c = (unsigned char)(value >> (8 * i));
        put_bytes(b, &c, 1);
    }
}

static uint64_t get_little(const void *from, size_t size) {
    const unsigned char *p = (const unsigned char *)from;
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i) value |= (uint64_t)p[i] << (8 * i);
    return value;
}

static void put_real(bytes *b, double value, int f64) {
    float narrow = (float)value;
    uint32_t bits32;
    uint64_t bits64;
    memcpy(&bits32, &narrow, 4);
    memcpy(&bits64, &value, 8);
    put_little(b, f64 ? bits64 : bits32, f64 ? 8 : 4);
}

static double get_number(const unsigned char *p, int f64) {
    uint64_t bits64 = get_little(p, f64 ? 8 : 4);
    uint32_t bits32 = (uint32_t)bits64;
    float narrow;
    double value;
    memcpy(&value, &bits64, 8);
    memcpy(&narrow, &bits32, 4);
    return f64 ? value : (double)narrow;
}

// Where the checksum's 16 digits stand in a file, or 0.
static size_t checksum_place(const unsigned char *p, size_t size) {
    const unsigned char *at = find(p, size, "\"pktseq.checksum\"");
    if (!at) return 0;
    size_t i = (size_t)(at - p) + 17;
    while (i < size && p[i] != '"') ++i;
    return i + 17 <= size ? i + 1 : 0;
}

// Writes the checksum that a file's other bytes ask for: what a clever forger does.
static void seal(void *file, size_t size) {
    unsigned char *p = (unsigned char *)file;
    size_t place = checksum_place(p, size);
    uint64_t hash = UINT64_C(14695981039346656037);
    if (!place) return;
    for (size_t i = 0; i < size; ++i)
        if (i < place || i >= place + 16) hash = (hash ^ p[i]) * UINT64_C(1099511628211);
    for (size_t i = 0; i < 16; ++i)
        p[place + i] = (unsigned char)"0123456789abcdef"[(hash >> (60 - 4 * i)) & 15];
}

// ---- a second reader ----------------------------------------------------------------------------

// Reads JSON as far as a header of ours needs it. `bad` says that something was not as it must be.
typedef struct {
    const char *p, *end;
    int bad;
} cursor;

static int next_is(cursor *c, char expected) {
    if (c->p < c->end && *c->p == expected) return ++c->p, 1;
    return 0;
}

static void need(cursor *c, char expected) {
    if (!next_is(c, expected)) c->bad = 1;
}

static unsigned long hex4(cursor *c) {
    unsigned long value = 0;
    for (int i = 0; i < 4; ++i) {
        const char *digit = c->p < c->end ? strchr("0123456789abcdef", *c->p | 32) : NULL;
        if (!digit || !*digit) return c->bad = 1, 0;
        value = 16 * value + (unsigned long)(digit - "0123456789abcdef");
        ++c->p;
    }
    return value;
}

static void put_utf8(bytes *b, unsigned long code) {
    unsigned char u[4];
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; --i, code >>= 6) u[i] = (unsigned char)(0x80 | (code & 63));
    u[0] = (unsigned char)((n == 1 ? 0 : 0xf00 >> n) | code);
    put_bytes(b, u, n);
}

// A string, without its escapes. The caller frees out->data.
static bytes read_string(cursor *c) {
    bytes out;
    memset(&out, 0, sizeof out);
    put(&out, "");
    need(c, '"');
    while (!c->bad && !next_is(c, '"')) {
        if (c->p == c->end || (unsigned char)*c->p < 32) {
            c->bad = 1;
        } else if (!next_is(c, '\\')) {
            put_bytes(&out, c->p++, 1);
        } else if (next_is(c, 'u')) {
            unsigned long code = hex4(c);
            if (code >= 0xd800 && code < 0xdc00) {
                need(c, '\\');
                need(c, 'u');
                code = 0x10000 + ((code - 0xd800) << 10) + (hex4(c) - 0xdc00);
            }
            put_utf8(&out, code);
        } else {
            const char *from = "\"\\/bfnrt", *to = "\"\\/\b\f\n\r\t";
            const char *at = c->p < c->end ? strchr(from, *c->p) : NULL;
            if (at && *at) put_bytes(&out, to + (at - from), 1);
            else c->bad = 1;
            ++c->p;
        }
    }
    return out;
}

static size_t read_size(cursor *c) {
    size_t value = 0;
    if (c->p == c->end || *c->p < '0' || *c->p > '9') c->bad = 1;
    while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
        value = 10 * value + (size_t)(*c->p++ - '0');
    return value;
}

// [1,2]: up to two numbers. Returns how many.
static size_t read_sizes(cursor *c, size_t *value) {
    size_t count = 0;
    need(c, '[');
    do {
        if (count == 2) c->bad = 1;
        else value[count++] = read_size(c);
    } while (!c->bad && next_is(c, ','));
    need(c, ']');
    return count;
}

static cursor header_of(const unsigned char *data, size_t size) {
    cursor c;
    uint64_t length = size < 8 ? 0 : get_little(data, 8);
    c.bad = size < 8 || length > size - 8;
    c.p = (const char *)data + 8;
    c.end = c.p + (c.bad ? 0 : (size_t)length);
    return c;
}

// One entry of "__metadata__": where its value stands in the file, quotes included.
typedef struct {
    char key[64];
    bytes value;
    size_t begin, end;
} meta;

static void meta_free(meta *m, size_t count) {
    for (size_t i = 0; i < count; ++i) free(m[i].value.data);
}

// "__metadata__": {"key":"value", ...} from its opening brace on.
static size_t read_meta(cursor *c, const unsigned char *data, meta *m, size_t room) {
    size_t count = 0;
    need(c, '{');
    if (next_is(c, '}')) return 0;
    do {
        bytes key = read_string(c);
        if (count == room) c->bad = 1;
        if (c->bad) {
            free(key.data);
            break;
        }
        snprintf(m[count].key, sizeof m[count].key, "%s", (const char *)key.data);
        free(key.data);
        need(c, ':');
        m[count].begin = (size_t)((const unsigned char *)c->p - data);
        m[count].value = read_string(c);
        m[count].end = (size_t)((const unsigned char *)c->p - data);
        ++count;
    } while (!c->bad && next_is(c, ','));
    need(c, '}');
    return count;
}

// The whole file against the documentation, with nothing of the header's own code.
static void check_layout(const char *what, const unsigned char *data, size_t size,
                         const pktseq_model *model) {
    cursor c = header_of(data, size);
    const unsigned char *body = (const unsigned char *)c.end;
    size_t tensor = 0, offset = 0, objects = 0, formats = 0, foreign_keys = 0;
    int f64 = REAL_SIZE == 8;
    CHECK_THAT(!c.bad && (c.end - c.p) % 8 == 0, "%s: the header's length", what);
    CHECK_THAT(c.p < c.end && *c.p == '{', "%s: the header's first byte", what);
    need(&c, '{');
    do {
        bytes key = read_string(&c);
        need(&c, ':');
        if (!c.bad && !strcmp((const char *)key.data, "__metadata__")) {
            meta m[32];
            size_t count = read_meta(&c, data, m, 32);
            ++objects;
            for (size_t i = 0; i < count; ++i)
                if (!strcmp(m[i].key, "format"))
                    formats += !strcmp((const char *)m[i].value.data, "pt");
                else
                    foreign_keys += strncmp(m[i].key, "pktseq.", 7) != 0;
            meta_free(m, count);
        } else if (!c.bad && tensor < 10) {
            size_t rows, cols, shape[2] = {0, 0}, span[2] = {0, 0}, rank = 0, ends = 0;
            char dtype[16] = "";
            shape_of(tensor, model->config.in, model->config.out, model->config.hidden, &rows,
                     &cols);
            CHECK_THAT(!strcmp((const char *)key.data, NAME[tensor]), "%s: %s", what, key.data);
            need(&c, '{');
            do {
                bytes k = read_string(&c);
                need(&c, ':');
                if (!strcmp((const char *)k.data, "dtype")) {
                    bytes v = read_string(&c);
                    snprintf(dtype, sizeof dtype, "%s", (const char *)v.data);
                    free(v.data);
                } else if (!strcmp((const char *)k.data, "shape")) {
                    rank = read_sizes(&c, shape);
                } else if (!strcmp((const char *)k.data, "data_offsets")) {
                    ends = read_sizes(&c, span);
                } else {
                    c.bad = 1;
                }
                free(k.data);
            } while (!c.bad && next_is(&c, ','));
            need(&c, '}');
            CHECK_THAT(!strcmp(dtype, OWN_DTYPE), "%s: %s", what, dtype);
            CHECK_THAT(rank == (cols ? 2u : 1u) && shape[0] == rows && shape[1] == cols,
                       "%s: shape of %s", what, NAME[tensor]);
            CHECK_THAT(ends == 2 && span[0] == offset &&
                           span[1] == offset + rows * (cols ? cols : 1) * REAL_SIZE,
                       "%s: place of %s", what, NAME[tensor]);
            offset = span[1];
            ++tensor;
        } else {
            c.bad = 1;
        }
        free(key.data);
    } while (!c.bad && next_is(&c, ','));
    need(&c, '}');
    while (next_is(&c, ' ')) {}
    CHECK_THAT(!c.bad && c.p == c.end, "%s: the header as JSON", what);
    CHECK_THAT(tensor == 10 && objects == 1 && formats == 1 && foreign_keys == 0,
               "%s: %lu tensors, %lu metadata, %lu formats, %lu foreign keys", what,
               (unsigned long)tensor, (unsigned long)objects, (unsigned long)formats,
               (unsigned long)foreign_keys);
    CHECK_THAT(body + offset == data + size && offset == model->parameters * REAL_SIZE,
               "%s: the file's end", what);
    size_t wrong = 0;
    for (size_t i = 0; offset == model->parameters * REAL_SIZE && i < model->parameters; ++i)
        wrong += get_number(body + i * REAL_SIZE, f64) != (double)model->block[i];
    CHECK_THAT(wrong == 0, "%s: %lu numbers", what, (unsigned long)wrong);

    bytes copy;
    memset(&copy, 0, sizeof copy);
    put_bytes(&copy, data, size);
    seal(copy.data, copy.size);
    CHECK_THAT(checksum_place(data, size) && !memcmp(copy.data, data, size), "%s: checksum", what);
    free(copy.data);
}

// ---- something to save --------------------------------------------------------------------------

// Column names and categories that a careless writer gets wrong.
#define ODD_NUMBER "l\"e\\n\tg\nth"
#define ODD_TEXT "\xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80"
static const char *const ODD[] = {
    "q\"uote", "\"", "back\\slash", "\\", "\\n", "\\t", "tab\there", "new\nline", "\xc3\xa9",
    "\xf0\x9f\x98\x80", "\xe2\x80\xa8", "\x01\x1f\x7f", "a,b", "{\"x\":[1]}", "\\u0041", "50%",
    "x\r"};
#define ODD_COUNT (sizeof ODD / sizeof ODD[0])

// A cell in quotes, its own quotes doubled.
static void put_cell(bytes *b, const char *text) {
    put(b, "\"");
    for (; *text; ++text) {
        if (*text == '"') put(b, "\"");
        put_bytes(b, text, 1);
    }
    put(b, "\"");
}

static int stop_at_23(void *user_data, const pktseq_progress *progress) {
    (void)user_data;
    return progress->iteration == 23;
}

// A trained model with a codec: `hidden` units over the odd columns, or over one number (tiny).
static int subject_make(parts *s, size_t hidden, size_t inputs, pktseq_start start, int tiny) {
    static const pktseq_field field[] = {FIELD(ODD_NUMBER, ZSCORE, BOTH),
                                         FIELD(ODD_TEXT, ONEHOT, BOTH), FIELD("flag", FLAG, INPUT),
                                         FIELD("port", PORT, BOTH)};
    plan how = plan_of(schema_of(field, tiny ? 1 : 4), hidden, 7);
    pktseq_train_config *config = &how.train;
    pktseq_error err;
    bytes csv;
    memset(&csv, 0, sizeof csv);
    memset(s, 0, sizeof *s);

    put(&csv, "position,flag,port,");
    put_cell(&csv, ODD_NUMBER);
    put(&csv, ",");
    put_cell(&csv, ODD_TEXT);
    put(&csv, "\n");
    for (int row = 0; row < 60; ++row) {
        char text[64];
        snprintf(text, sizeof text, "%d,%d,%d,%d.%d,", row % 6, row % 2, row * 1100, row * 7 % 5,
                 row * 3 % 10);
        put(&csv, text);
        put_cell(&csv, ODD[(size_t)row % ODD_COUNT]);
        put(&csv, "\n");
    }
    how.schema.constant_is_zero = !tiny;
    how.dataset.inputs = inputs;
    how.dataset.start = start;
    *config = run_of(50, 2, 0.1 / 3, 0, 0);
    config->teacher_forcing = 1.0 / 3;
    config->order = PKTSEQ_ORDER_SHUFFLED;
    config->seed = UINT64_MAX - 4;
    config->report_interval = 7;
    config->loss_interval = 3;
    config->milestone_count = 3;
    config->milestone[0] = 1;
    config->milestone[1] = 50;
    config->milestone[2] = 100;
    config->progress = stop_at_23;
    int good = !parts_parse(s, &how, csv.data, csv.size, &err) &&
               parts_learn(s, &how, &err) == PKTSEQ_STOPPED;
    CHECK_THAT(good, "a subject to test with: %s", err.text);
    free(csv.data);
    return good;
}

// ---- comparisons --------------------------------------------------------------------------------

static int same_groups(const pktseq_model *a, const pktseq_model *b) {
    int same = a->config.groups == b->config.groups;
    for (size_t g = 0; same && g < a->config.groups; ++g)
        same = a->config.group[g].kind == b->config.group[g].kind &&
               a->config.group[g].first == b->config.group[g].first &&
               a->config.group[g].count == b->config.group[g].count;
    return same;
}

static int same_model(const pktseq_model *a, const pktseq_model *b) {
    return a->config.in == b->config.in && a->config.out == b->config.out &&
           a->config.hidden == b->config.hidden && a->config.inputs == b->config.inputs &&
           a->config.start == b->config.start && a->parameters == b->parameters &&
           a->config.loss == b->config.loss && same_groups(a, b) &&
           equal_bytes(a->block, b->block, a->parameters * REAL_SIZE);
}

// ---- loading ------------------------------------------------------------------------------------

// What a load leaves.
typedef struct {
    pktseq_status status;
    pktseq_error err;
    parts p;
    counter memory;
    pktseq_allocator allocator;
} loaded;

// The bytes are copied to a block of exactly their size, so that a sanitizer sees one too many.
static void load(loaded *l, const void *data, size_t size, size_t fail_at) {
    void *exact = malloc(size ? size : 1);
    if (!exact) exit(3);
    if (size) memcpy(exact, data, size);
    memset(&l->err, 0x5a, sizeof l->err);
    l->allocator = counted(&l->memory);
    l->memory.fail_at = fail_at;
    l->memory.limit = (size_t)64 << 20;
    l->status = parts_load(&l->p, exact, size, &l->allocator, &l->err);
    free(exact);
}

// Frees, twice; says whether all memory came back.
static int unload(loaded *l) {
    for (int i = 0; i < 2; ++i) parts_free(&l->p);
    return l->memory.live == 0;
}

static int is_empty(const loaded *l) {
    const parts *p = &l->p;
    return !p->model.block && !p->model.parameters && !p->codec.field && !p->codec.field_count &&
           !p->codec.first && !p->codec.target && !p->training.loss && !p->training.losses &&
           !p->training.iteration && !p->training.velocity && !p->training.parameters &&
           !p->detector.memory && !p->detector.weight;
}

// A file that must be refused, for what it says and not for want of memory.
static int refuses(const void *data, size_t size, loaded *l) {
    load(l, data, size, 0);
    int good = (l->status == PKTSEQ_ERROR_DATA || l->status == PKTSEQ_ERROR_MISMATCH) &&
               l->err.status == l->status && l->err.text[0] && is_empty(l) && !l->memory.refused;
    return unload(l) && good;
}

static void check_refused(const char *what, const void *data, size_t size) {
    loaded l;
    int good = refuses(data, size, &l);
    CHECK_THAT(good, "%s: status %d, \"%s\"", what, (int)l.status, l.err.text);
}

// A file that may be taken or not, but only whole: what was taken can be saved, and loaded again.
static int is_handled(const void *data, size_t size, loaded *l) {
    load(l, data, size, 0);
    int good = l->status == PKTSEQ_OK || l->status == PKTSEQ_ERROR_DATA ||
               l->status == PKTSEQ_ERROR_MISMATCH;
    good = good && !l->memory.refused;
    if (l->status == PKTSEQ_OK) {
        pktseq_buffer buffer;
        loaded again;
        const parts *p = &l->p;
        good = good && !pktseq_save_mem(&p->model, p->codec.field_count ? &p->codec : NULL,
                                        p->training.iteration ? &p->training : NULL, &p->detector,
                                        &buffer, NULL, NULL);
        if (good) {
            load(&again, buffer.data, buffer.size, 0);
            good = again.status == PKTSEQ_OK && same_model(&p->model, &again.p.model) &&
                   equal_codecs(&p->codec, &again.p.codec);
            good = unload(&again) && good;
            pktseq_buffer_free(&buffer);
        }
    } else {
        good = good && is_empty(l);
    }
    return unload(l) && good;
}

// ---- round trips --------------------------------------------------------------------------------

static void test_round_trip(void) {
    static const struct {
        size_t hidden, inputs;
        pktseq_start start;
        int tiny;
    } size[] = {{1, 1, PKTSEQ_START_INPUT, 1},
                {2, 0, PKTSEQ_START_TARGET, 1},
                {5, 3, PKTSEQ_START_TARGET, 0},
                {19, 5, PKTSEQ_START_INPUT, 0},
                {64, 2, PKTSEQ_START_TARGET, 0}};
    for (size_t i = 0; i < sizeof size / sizeof size[0]; ++i) {
        parts s;
        pktseq_buffer buffer, twice;
        pktseq_error err;
        loaded l;
        char what[32];
        snprintf(what, sizeof what, "H = %lu", (unsigned long)size[i].hidden);
        if (!subject_make(&s, size[i].hidden, size[i].inputs, size[i].start, size[i].tiny)) {
            parts_free(&s);
            continue;
        }
        s.model.block[0] = (pktseq_real)-0.0;
        s.model.block[1] = (pktseq_real)(REAL_SIZE == 4 ? 1.4e-45 : 4.9e-324);
        CHECK(!pktseq_save_mem(&s.model, &s.codec, &s.training, NULL, &buffer, NULL, &err));
        check_layout(what, buffer.data, buffer.size, &s.model);
        load(&l, buffer.data, buffer.size, 0);
        CHECK_THAT(l.status == PKTSEQ_OK, "%s: %s", what, l.err.text);
        if (l.status == PKTSEQ_OK) {
            parts *p = &l.p;
            CHECK_THAT(same_model(&p->model, &s.model), "%s", what);
            CHECK_THAT(equal_codecs(&p->codec, &s.codec), "%s", what);
            CHECK_THAT(equal_trainings(&s.training, &p->training), "%s", what);
            CHECK(!pktseq_save_mem(&p->model, &p->codec, &p->training, NULL, &twice, NULL, &err));
            CHECK_THAT(twice.size == buffer.size && !memcmp(twice.data, buffer.data, buffer.size),
                       "%s: saved, loaded and saved again", what);
            pktseq_buffer_free(&twice);

            // A resumed run ends where one that was never saved ends.
            pktseq_train_config config = s.training.config;
            CHECK(!pktseq_train(&s.model, &s.dataset, &config, &s.training, &err));
            CHECK(!pktseq_train(&p->model, &s.dataset, &config, &p->training, &err));
            CHECK_THAT(same_model(&p->model, &s.model) &&
                           equal_trainings(&s.training, &p->training), "%s: resumed", what);
        }
        CHECK(unload(&l));
        pktseq_buffer_free(&buffer);
        parts_free(&s);
    }
}

// Parts may be left out when saving, and not be wanted when loading.
static void test_parts(void) {
    parts s;
    if (subject_make(&s, 3, 2, PKTSEQ_START_TARGET, 0)) {
        for (int with = 0; with < 4; ++with) {
            pktseq_buffer buffer;
            pktseq_model model;
            loaded l;
            CHECK(!pktseq_save_mem(&s.model, with & 1 ? &s.codec : NULL,
                                   with & 2 ? &s.training : NULL, NULL, &buffer, NULL, NULL));
            check_layout("parts", buffer.data, buffer.size, &s.model);
            load(&l, buffer.data, buffer.size, 0);
            CHECK_THAT(l.status == PKTSEQ_OK && same_model(&l.p.model, &s.model), "parts %d: %s",
                       with, l.err.text);
            CHECK_THAT(with & 1 ? equal_codecs(&l.p.codec, &s.codec) : !l.p.codec.field_count, "%d",
                       with);
            CHECK_THAT(with & 2 ? equal_trainings(&s.training, &l.p.training)
                                : !l.p.training.iteration && !l.p.training.losses,
                       "%d", with);
            CHECK(unload(&l));
            CHECK(!pktseq_load_mem(&model, NULL, NULL, NULL, buffer.data, buffer.size, NULL, NULL));
            CHECK(same_model(&model, &s.model));
            pktseq_model_free(&model);
            pktseq_buffer_free(&buffer);
        }
    }
    parts_free(&s);
}

// ---- files of other programs --------------------------------------------------------------------

// A header to be bent: each tensor's name and entry as JSON, and what stands around them.
typedef struct {
    size_t in, out, hidden;
    int f64;
    char name[10][128];
    char entry[10][256];
    size_t order[10];    // in which they stand in the header
    const char *before;  // after the opening brace
    const char *after;   // before the closing brace
    const char *tail;    // after it
    size_t body;         // bytes of numbers
} foreign;

static void set_entry(foreign *f, size_t i, const char *dtype, const char *shape,
                      const char *offsets) {
    snprintf(f->entry[i], sizeof f->entry[i],
             "{\"dtype\":%s,\"shape\":%s,\"data_offsets\":%s}", dtype, shape, offsets);
}

// Fills every entry, the numbers lying in the order of `place`, or of NAME where that is NULL.
static foreign foreign_make(size_t in, size_t out, size_t hidden, int f64, const size_t *place) {
    foreign f;
    size_t offset = 0;
    memset(&f, 0, sizeof f);
    f.in = in;
    f.out = out;
    f.hidden = hidden;
    f.f64 = f64;
    f.before = f.after = f.tail = "";
    for (size_t k = 0; k < 10; ++k) {
        size_t i = place ? place[k] : k, rows, cols, end;
        char shape[64], offsets[64];
        shape_of(i, in, out, hidden, &rows, &cols);
        end = offset + rows * (cols ? cols : 1) * (f64 ? 8 : 4);
        snprintf(shape, sizeof shape, cols ? "[%d,%d]" : "[%d]", (int)rows, (int)cols);
        snprintf(offsets, sizeof offsets, "[%d,%d]", (int)offset, (int)end);
        snprintf(f.name[i], sizeof f.name[i], "\"%s\"", NAME[i]);
        set_entry(&f, i, f64 ? "\"F64\"" : "\"F32\"", shape, offsets);
        f.order[k] = k;
        offset = end;
    }
    f.body = offset;
    return f;
}

// Number i of the file is 0.25 * i - 3.
static bytes foreign_bytes(const foreign *f) {
    bytes b, header;
    memset(&b, 0, sizeof b);
    memset(&header, 0, sizeof header);
    put(&header, "{");
    put(&header, f->before);
    for (size_t k = 0; k < 10; ++k) {
        size_t i = f->order[k];
        if (!f->name[i][0]) continue;
        if (header.data[header.size - 1] == '}') put(&header, ",");
        put(&header, f->name[i]);
        put(&header, ":");
        put(&header, f->entry[i]);
    }
    put(&header, f->after);
    put(&header, "}");
    put(&header, f->tail);
    put_little(&b, header.size, 8);
    put_bytes(&b, header.data, header.size);
    for (size_t i = 0; i * (f->f64 ? 8 : 4) < f->body; ++i)
        put_real(&b, 0.25 * (double)i - 3, f->f64);
    free(header.data);
    return b;
}

// Loads, and finds in every tensor the numbers that stand at its place.
static void check_taken(const char *what, const foreign *f, const size_t *place) {
    bytes b = foreign_bytes(f);
    loaded l;
    load(&l, b.data, b.size, 0);
    CHECK_THAT(l.status == PKTSEQ_OK, "%s: %s", what, l.err.text);
    if (l.status == PKTSEQ_OK) {
        size_t offset = 0, wrong = 0;
        CHECK_THAT(l.p.model.config.in == f->in && l.p.model.config.out == f->out &&
                       l.p.model.config.hidden == f->hidden && !l.p.codec.field_count &&
                       !l.p.training.iteration && !l.p.training.losses,
                   "%s: sizes", what);
        for (size_t k = 0; k < 10; ++k) {
            pktseq_tensor t;
            memset(&t, 0, sizeof t);
            CHECK(!pktseq_model_tensor(&l.p.model, place ? place[k] : k, &t));
            for (size_t i = 0; i < t.rows * t.cols; ++i, ++offset)
                wrong += (double)t.data[i] != 0.25 * (double)offset - 3;
        }
        CHECK_THAT(wrong == 0, "%s: %lu numbers", what, (unsigned long)wrong);
    }
    CHECK(unload(&l));
    free(b.data);
}

static void check_foreign_refused(const char *what, const foreign *f) {
    bytes b = foreign_bytes(f);
    check_refused(what, b.data, b.size);
    free(b.data);
}

static void test_foreign(void) {
    static const size_t mixed[10] = {9, 3, 0, 7, 1, 8, 2, 6, 4, 5};
    for (int f64 = 0; f64 < 2; ++f64) {
        foreign f = foreign_make(2, 3, 4, f64, NULL);
        check_taken("plain", &f, NULL);
        f.tail = "       ";
        check_taken("padded", &f, NULL);
        f.before = "\"__metadata__\":{}";
        check_taken("empty metadata", &f, NULL);
        f.before = "\"__metadata__\":{\"format\":\"pt\",\"n\xc3\xa9\":\"\\ud83d\\ude00 "
                   "\\\"\\\\\\/\\b\\f\\n\\r\\t\xf0\x9f\x98\x80\"}";
        check_taken("metadata with every escape", &f, NULL);

        f = foreign_make(1, 5, 3, f64, mixed);
        check_taken("another order of numbers", &f, mixed);
        for (size_t i = 0; i < 10; ++i) f.order[i] = (i * 7 + 2) % 10;
        check_taken("another order of numbers and another of names", &f, mixed);

        f = foreign_make(1, 1, 1, f64, NULL);
        strcpy(f.name[0], " \t\r\n\"encoder.gru.weight_ih_l0\" \n ");
        snprintf(f.entry[0], sizeof f.entry[0],
                 " {\n \"shape\" : [ 3 ,\t1 ] , \"data_offsets\" : [ 0 , %d ] ,\r\n "
                 "\"dtype\" : \"F%d\"\n}",
                 f64 ? 24 : 12, f64 ? 64 : 32);
        check_taken("white space", &f, NULL);
        strcpy(f.name[0], "\"\\u0065ncoder.gru.weight_ih_l0\"");
        check_taken("a name with an escape", &f, NULL);
        f.before = "\"__met\\u0061data__\":{\"a\\/b\\u0063\\n\\\\\":\"\"}";
        check_taken("metadata with escapes in its names", &f, NULL);
        f.before = "\"encoder.gru.weight_ih_l\\ud83d\":{}";
        check_foreign_refused("a name with half a character", &f);
    }
}

// ---- what must be refused -----------------------------------------------------------------------

// Offsets that fit their own shape, but not each other.
static void test_bent_places(void) {
    static const struct {
        const char *what, *shape, *offsets;  // of one tensor, if it is another
        size_t tensor, more;                 // bytes behind
    } bent[] = {{"overlap and hole", "[3,1]", "[0,12]", 1, 0},
                {"numbers that belong to no tensor", NULL, NULL, 0, 4},
                {"a hole before the last tensor", "[1]", "[104,108]", 9, 4},
                // the shape says 3 numbers, the offsets 6, and the file holds all that these want
                {"more bytes than the shape", "[1]", "[100,124]", 9, 20}};
    foreign f;
    bytes b;
    for (size_t i = 0; i < sizeof bent / sizeof *bent; ++i) {
        f = foreign_make(1, 1, 1, 0, NULL);
        if (bent[i].shape)
            set_entry(&f, bent[i].tensor, "\"F32\"", bent[i].shape, bent[i].offsets);
        f.body += bent[i].more;
        check_foreign_refused(bent[i].what, &f);
    }

    // Every tensor four bytes later: a hole at the front.
    static const char *const later[10] = {
        "[4,16]", "[16,28]", "[28,40]", "[40,52]", "[52,64]",
        "[64,76]", "[76,88]", "[88,100]", "[100,104]", "[104,108]"};
    f = foreign_make(1, 1, 1, 0, NULL);
    for (size_t i = 0; i < 10; ++i)
        set_entry(&f, i, "\"F32\"", i == 8 ? "[1,1]" : i == 9 ? "[1]" : i & 2 ? "[3]" : "[3,1]",
                  later[i]);
    f.body += 4;
    check_foreign_refused("a hole at the front", &f);

    // The shapes are those of a good model, the sizes of another.
    static const struct {
        size_t tensor, rows, cols;
    } other[] = {{0, 9, 2}, {1, 6, 3}, {1, 9, 3}, {2, 9, 0}, {3, 3, 0}, {4, 6, 3},
                 {5, 6, 1}, {6, 5, 0}, {7, 12, 0}, {8, 3, 2}, {8, 2, 3}, {9, 3, 0}, {9, 1, 0}};
    for (size_t i = 0; i < sizeof other / sizeof other[0]; ++i) {
        size_t offset = 0;
        char what[64];
        f = foreign_make(2, 2, 2, 0, NULL);
        for (size_t k = 0; k < 10; ++k) {
            size_t rows, cols, end;
            char shape[64], offsets[64];
            shape_of(k, 2, 2, 2, &rows, &cols);
            if (k == other[i].tensor) {
                rows = other[i].rows;
                cols = other[i].cols;
            }
            end = offset + 4 * rows * (cols ? cols : 1);
            snprintf(shape, sizeof shape, cols ? "[%d,%d]" : "[%d]", (int)rows, (int)cols);
            snprintf(offsets, sizeof offsets, "[%d,%d]", (int)offset, (int)end);
            set_entry(&f, k, "\"F32\"", shape, offsets);
            offset = end;
        }
        f.body = offset;
        snprintf(what, sizeof what, "%s of another model (%lu)", NAME[other[i].tensor],
                 (unsigned long)i);
        check_foreign_refused(what, &f);
    }

    for (size_t i = 0; i < 10; ++i) {  // a tensor that is missing
        f = foreign_make(1, 1, 1, 0, NULL);
        f.name[i][0] = 0;
        check_foreign_refused(NAME[i], &f);
    }

    // Numbers that are none, and one that a float cannot hold.
    for (int f64 = 0; f64 < 2; ++f64)
        for (size_t i = 0; i < 26; i += 5)
            for (int k = 0; k < 4; ++k) {
                const double bad[] = {NAN, INFINITY, -INFINITY, 1e300};
                bytes number;
                if (k == 3 && (!f64 || REAL_SIZE == 8)) continue;
                f = foreign_make(1, 1, 1, f64, NULL);
                b = foreign_bytes(&f);
                memset(&number, 0, sizeof number);
                put_real(&number, bad[k], f64);
                memcpy(b.data + b.size - f.body + i * number.size, number.data, number.size);
                check_refused("a number that is none", b.data, b.size);
                free(number.data);
                free(b.data);
            }
}

// ---- damage -------------------------------------------------------------------------------------

// The same by somebody who mends the checksum. No crash, and nothing half taken.
static void test_forgery(const char *what, const unsigned char *data, size_t size) {
    static const unsigned char other[] = "\"\\ {}[],:0129eEn-+.\t\x01\x80\xff";
    size_t wrong = 0, taken = 0;
    const size_t end = 8 + (size_t)get_little(data, 8);
    loaded l, first;
    unsigned char *copy = (unsigned char *)malloc(size + 1);
    if (!copy) exit(3);
    memset(&first, 0, sizeof first);
    for (size_t i = 8; i < end; ++i)
        for (size_t k = 0; k < sizeof other + 1; ++k) {
            size_t now = size;
            memcpy(copy, data, size);
            if (k < sizeof other - 1) {
                if (data[i] == other[k]) continue;
                copy[i] = other[k];
            } else if (k == sizeof other) {  // without this byte
                memmove(copy + i, copy + i + 1, --now - i);
            } else {  // twice this byte
                memmove(copy + i + 1, copy + i, now++ - i);
            }
            for (size_t j = 0; j < 8; ++j)
                copy[j] = (unsigned char)((uint64_t)(end - 8 + now - size) >> (8 * j));
            seal(copy, now);
            if (is_handled(copy, now, &l)) taken += l.status == PKTSEQ_OK;
            else if (++wrong == 1) first = l;
        }
    CHECK_THAT(wrong == 0, "%s: %lu forged files mishandled; the first: status %d, \"%s\"",
               what, (unsigned long)wrong, (int)first.status, first.err.text);
    // Some changes, as of the blanks at the end, harm nothing: the loop does get past the checksum.
    CHECK_THAT(taken > 0, "%s: no forged file was taken", what);
    free(copy);
}

// The file with metadata `key` saying `value` (raw JSON, quotes included; NULL = entry removed).
static bytes with_meta(const void *file, size_t size, const char *key, const char *value) {
    const unsigned char *data = (const unsigned char *)file;
    cursor c = header_of(data, size);
    const unsigned char *body = (const unsigned char *)c.end;
    bytes header, b;
    meta m[32];
    memset(&header, 0, sizeof header);
    memset(&b, 0, sizeof b);
    const unsigned char *at = find(data, size, "\"__metadata__\":");
    c.p = at ? (const char *)at + 15 : c.end;
    size_t count = read_meta(&c, data, m, 32), found = 0, begin = 0;
    for (size_t i = 0; i < count; ++i)
        if (!strcmp(m[i].key, key)) {
            found = 1;
            begin = value ? m[i].begin : i ? m[i - 1].end : (size_t)(at - data) + 16;
            put_bytes(&header, data + 8, begin - 8);
            if (value) put(&header, value);
            // Without a neighbour in front the comma behind goes too.
            size_t end = m[i].end + (!value && i == 0 && count > 1);
            put_bytes(&header, data + end, (size_t)(body - data) - end);
        }
    CHECK_THAT(found && !c.bad, "the file has no %s", key);
    put_little(&b, header.size, 8);
    put_bytes(&b, header.data, header.size);
    put_bytes(&b, body, (size_t)(data + size - body));
    seal(b.data, b.size);
    free(header.data);
    meta_free(m, count);
    return b;
}

// Every value of the metadata replaced by nonsense, the checksum right.
static void test_nonsense(const char *what, const unsigned char *data, size_t size) {
    static const char *const nonsense[] = {
        "\"\"", "\"x\"", "\" \"", "\"-1\"", "\"nan\"", "\"inf\"", "\"1e999\"", "\"0x10\"",
        "\"99999999999999999999999999\"", "\"18446744073709551615\"", "\"18446744073709551616\"",
        "\"\\n\"", "\"\\t\\t\\t\\t\\t\\t\\t\\t\"", "\"\\u0000\"", "\"1\\u0000\"", "\"\\\\\"",
        "\"\\n\\n\\n\"", "\"\\ud83d\\ude00\"", "1", "null"};
    cursor c = header_of(data, size);
    const unsigned char *at = find(data, size, "\"__metadata__\":");
    meta m[32];
    if (!at) return;
    c.p = (const char *)at + 15;
    size_t count = read_meta(&c, data, m, 32), wrong = 0;
    CHECK_THAT(count > 3 && !c.bad, "%s: metadata", what);
    for (size_t i = 0; i < count; ++i)
        for (size_t k = 0; k <= sizeof nonsense / sizeof nonsense[0]; ++k) {
            loaded l;
            bytes b = with_meta(data, size, m[i].key,
                                k < sizeof nonsense / sizeof nonsense[0] ? nonsense[k] : NULL);
            if (!is_handled(b.data, b.size, &l)) {
                ++wrong;
                fprintf(stderr, "%s: %s = %s: status %d, \"%s\"\n", what, m[i].key,
                        k < sizeof nonsense / sizeof nonsense[0] ? nonsense[k] : "(none)",
                        (int)l.status, l.err.text);
            }
            free(b.data);
        }
    CHECK_THAT(wrong == 0, "%s: %lu values mishandled", what, (unsigned long)wrong);
    meta_free(m, count);
}

// The file with one piece of its header replaced, from `from` up to `until` (NULL: `from` alone),
// its length and checksum right again.
static bytes edited_until(const void *file, size_t size, const char *from, const char *until,
                          const char *to) {
    const unsigned char *data = (const unsigned char *)file;
    const size_t end = 8 + (size_t)get_little(data, 8), length = strlen(from);
    const unsigned char *at = find(data, end, from), *past = NULL;
    bytes b;
    memset(&b, 0, sizeof b);
    if (at) past = until ? find(at + length, (size_t)(data + end - at) - length, until)
                         : at + length;
    CHECK_THAT(past, "the header has no %s", at ? until : from);
    if (!past) return b;
    put_little(&b, end - 8 - (size_t)(past - at) + strlen(to), 8);
    put_bytes(&b, data + 8, (size_t)(at - data) - 8);
    put(&b, to);
    put_bytes(&b, past, (size_t)(data + size - past));
    seal(b.data, b.size);
    return b;
}

static bytes edited(const void *file, size_t size, const char *from, const char *to) {
    return edited_until(file, size, from, NULL, to);
}

// A text that stands in a file, and what comes in its place.
typedef struct edit {
    const char *from, *to;
} edit;

static void check_lies(const pktseq_buffer *file, const edit *lie, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        bytes b = edited(file->data, file->size, lie[i].from, lie[i].to);
        check_refused(lie[i].to, b.data, b.size);
        free(b.data);
    }
}

// So many categories that comparing each with each takes six seconds.
static void check_many_categories(const pktseq_buffer *file) {
    bytes categories, b = edited(file->data, file->size, "pktseq.model", "pktseq.model");
    clock_t begin;
    CHECK(b.size == file->size && !memcmp(b.data, file->data, b.size));  // edited by nothing
    free(b.data);
    memset(&categories, 0, sizeof categories);
    for (int i = 0; i < 60000; ++i) {
        char piece[32];
        snprintf(piece, sizeof piece, ",%d", i);
        put(&categories, piece);
    }
    b = edited(file->data, file->size, ",50%25", categories.data);
    begin = clock();
    check_refused("60,000 categories", b.data, b.size);
    CHECK_THAT(check_seconds(begin) < 2, "60,000 categories took %.1f s", check_seconds(begin));
    free(categories.data);
    free(b.data);
}

// Metadata that is well written and cannot be true.
static void test_lies(void) {
    static const edit lie[] = {
        // the codec against the tensors, and against itself
        {"kind flag;column flag;role input;", ""},
        {"kind flag;column flag;role input;", "kind flag;column flag;"},
        {"kind flag;column flag;role input;", "kind flag;column flag;role input"},
        {"kind flag;column flag;role input;", "kind flag;role input;column flag;"},
        {"kind flag;column flag;role input;", "kind flag;column flag;role input;;"},
        {"kind flag;column flag;role input;", "kind flag;column flag;role context;"},
        {"kind flag;column flag;role input;", "kind flag;column ;role input;"},
        {"kind flag;column flag;role input;", "kind flag;column flag,flag;role input;"},
        {"kind flag;column flag;role input;", "kind FLAG;column flag;role input;"},
        {"kind flag;column flag;role input;", "kind flag;column flag;role input;categories 1;"},
        {"kind port;column port", "kind onehot;column port"},
        {"kind port;column port", "kind number;column port"},
        {"fields 4;", "fields 5;"},
        {"fields 4;", "fields 3;"},
        {"fields 4;", ""},
        {"fields 4;", "fields 4;fields 4;"},
        {",50%25", ""},
        {",50%25", ",50%25,51"},
        {",50%25", ",a%2cb"},
        {",50%25", ",50%"},
        {",50%25", ",50%2"},
        {",50%25", ",50%2B"},
        {",50%25", ",50%00"},
        {",50%25", ",50%ff"},
        {",50%25", ",50\\\\"},
        {"column l", "column l,l"},
        {"sd 1.4", "sd -1.4"},
        {"sd 1.4", "sd 0x1.4"},
        {"sd 1.4", "sd nan1.4"},
        {"sd 1.4", "sd 1e4001.4"},
        {"mean 2.4", "mean 2,4"},
        {"mean 2.4", "mean x2.4"},
        // training
        {"\"iteration 23;", "\"iteration 0;"},
        {"\"iteration 23;", "\"iteration 51;"},
        {"\"iteration 23;", "\"iteration -1;"},
        {"\"iteration 23;", "\"iteration 2.5;"},
        {"\"iteration 23;", "\"iteration 18446744073709551615;"},
        {"\"iteration 23;", "\"iteration 1e300;"},
        {"\"iteration 23;", "\";"},
        {"\"iteration 23;", "\""},
        {"\"iteration 23;", "\"iteration 23;iteration 23;"},
        {"iterations 50;", "iterations 18446744073709551616;"},
        {"batch 2;", "batch 0;"},
        {"batch 2;", "batch 99999999999999;"},
        {"learning_rate 0", "learning_rate -0"},
        {"learning_rate 0", "learning_rate inf"},
        {"teacher_forcing 0.", "teacher_forcing 1."},
        {"report_count 2;", "report_count 24;"},
        {"loss_sum_count 2;", "loss_sum_count 24;"},
        {"report_sum ", "report_sum nan"},
        {"order shuffled", "order sorted"},
        {"seed ffff", "seed FFFF"},
        {"seed ffff", "seed fff"},
        {"seed ffff", "seed fffff"},
        {"data ", "data x"},
        {"milestones 1,50,100", "milestones 1,1,100"},
        {"milestones 1,50,100", "milestones 0,50,100"},
        {"milestones 1,50,100", "milestones 1,50,101"},
        {"milestones 1,50,100", "milestones 1,50,356"},
        {"milestones 1,50,100", "milestones 1,50,"},
        {"losses 0", "losses ,0"},
        {"losses 0", "losses nan,0"},
        {"losses 0", "losses 1e999,0"},
        {"losses 0", "loss 0"},
        {";\"},\"encoder", ";x;\"},\"encoder"},
        {";\"},\"encoder", ";;\"},\"encoder"},
        {";\"},\"encoder", "\"},\"encoder"},
        // the rest
        {"pktseq.format\":\"3", "pktseq.format\":\"4"},
        {"pktseq.format\":\"3", "pktseq.format\":\"01"},
        {"\"format\":\"pt\"", "\"format\":\"tf\""},
        {"\"inputs 1;", "\"inputs -1;"},
        {"\"inputs 1;", "\"inputs 1.5;"},
        {"\"inputs 1;", "\"inputs 1e99;"},
        {"\"inputs 1;", "\"inputs ;"},
        {"\"inputs 1;", "\"inputs 1;start Target;"}};
    parts s;
    if (subject_make(&s, 2, 1, PKTSEQ_START_TARGET, 0) && !parts_save(&s, NULL, NULL)) {
        check_lies(&s.file, lie, sizeof lie / sizeof *lie);
        check_many_categories(&s.file);
    }
    parts_free(&s);
}

// Whatever save takes, load takes: also a run that was called again with other settings.
static void test_other_settings(void) {
    static const struct {
        const char *what;
        size_t iterations, loss_interval, report_interval;
    } again[] = {{"fewer iterations than were done", 10, 3, 7},
                 {"no iterations", 0, 3, 7},
                 {"as many iterations as were done", 23, 3, 7},
                 {"points more often, but no further iteration", 23, 1, 7},
                 {"no more points", 23, 0, 7},
                 {"no more reports", 23, 3, 0},
                 {"points more often", 30, 1, 1},
                 {"no points and no reports", 30, 0, 0}};
    for (size_t i = 0; i < sizeof again / sizeof again[0]; ++i) {
        parts s;
        if (subject_make(&s, 2, 1, PKTSEQ_START_TARGET, 0)) {
            pktseq_train_config config = s.training.config;
            pktseq_buffer buffer;
            loaded l;
            config.iterations = again[i].iterations;
            config.loss_interval = again[i].loss_interval;
            config.report_interval = again[i].report_interval;
            pktseq_train(&s.model, &s.dataset, &config, &s.training, NULL);
            CHECK(!pktseq_save_mem(&s.model, &s.codec, &s.training, NULL, &buffer, NULL, NULL));
            load(&l, buffer.data, buffer.size, 0);
            CHECK_THAT(l.status == PKTSEQ_OK, "%s: %s", again[i].what, l.err.text);
            CHECK_THAT(l.status == PKTSEQ_OK && equal_trainings(&s.training, &l.p.training), "%s",
                       again[i].what);
            CHECK(unload(&l));
            pktseq_buffer_free(&buffer);
        }
        parts_free(&s);
    }
}

// ---- everything in one file ---------------------------------------------------------------------

// A model trained by likelihood with momentum, with a context and a fitted detector.
static int complete_make(parts *p) {
    static const char *const known[] = {"0", "1", "2", "3"};
    static const pktseq_field field[] = {
        FIELD("v", LOG, BOTH), FIELD("f", FLAG, BOTH),
        {"k", PKTSEQ_ONEHOT, PKTSEQ_ROLE_BOTH, 0, 0, known, 4, 0},
        FIELD("c", NUMBER, CONTEXT), FIELD("d", NUMBER, CONTEXT)};
    plan how = plan_of(schema_of(field, 5), 2, 7);
    pktseq_error err;
    pktseq_status status;
    bytes csv;
    memset(&csv, 0, sizeof csv);
    memset(p, 0, sizeof *p);
    put(&csv, "position,v,f,k,c,d\n");
    for (int row = 0; row < 120; ++row) {
        char text[80];
        snprintf(text, sizeof text, "%d,%d.%d,%d,%d,%d,%d\n", row % 6, row * 7 % 5, row * 3 % 10,
                 row % 3 == 0, row * 7 % 12, row * 5 % 11, row * 3 % 7);
        put(&csv, text);
    }
    how.dataset.inputs = 2;
    how.loss = PKTSEQ_LOSS_NLL;
    how.train = run_of(20, 1, 1e-4, 0.75, 0.5);
    how.train.loss_interval = 3;
    how.detector = surprisal_options();
    status = parts_make(p, &how, csv.data, csv.size, &err);
    CHECK_THAT(!status && p->training.velocity, "a complete file to test with: %s", err.text);
    free(csv.data);
    return !status;
}

// "optimizer.velocity" taken out of a file: its entry and its numbers.
static bytes without_velocity(const unsigned char *data, size_t size, size_t parameters) {
    char entry[200];
    const unsigned char *at = find(data, size, ",\"optimizer.velocity\"");
    bytes b;
    size_t n = 0;
    memset(&b, 0, sizeof b);
    CHECK(at != NULL);
    if (!at) return b;
    do entry[n] = (char)at[n];
    while (at[n++] != '}' && n + 1 < sizeof entry);
    entry[n] = 0;
    b = edited(data, size, entry, "");
    b.size -= parameters * REAL_SIZE;
    seal(b.data, b.size);
    return b;
}

// Everything comes back.
static void test_complete(const parts *c, const pktseq_buffer *file) {
    loaded l;
    load(&l, file->data, file->size, 0);
    CHECK_THAT(l.status == PKTSEQ_OK, "%s", l.err.text);
    CHECK(same_model(&l.p.model, &c->model) && equal_codecs(&l.p.codec, &c->codec));
    CHECK(equal_trainings(&c->training, &l.p.training) && l.p.training.velocity);
    CHECK(l.p.codec.contexts == 2 && l.p.codec.groups == 3 && l.p.model.config.groups == 3);
    CHECK(l.p.detector.memory && l.p.detector.sequences == c->detector.sequences &&
          l.p.detector.threshold == c->detector.threshold &&
          equal_bytes(l.p.detector.memory, c->detector.memory, (3 + 6 + 2 + 4) * sizeof(double)));
    CHECK(unload(&l));
}

// Whatever is saved of training and detector, and whatever is requested of them.
static void test_complete_parts(const parts *c) {
    for (int with = 0; with < 16; ++with) {
        pktseq_model model;
        pktseq_codec codec;
        pktseq_training training;
        pktseq_detector detector;
        pktseq_buffer some;
        pktseq_error err;
        int saved = with & 3, wanted = with >> 2;
        CHECK(!pktseq_save_mem(&c->model, NULL, saved & 1 ? &c->training : NULL,
                               saved & 2 ? &c->detector : NULL, &some, NULL, NULL));
        CHECK_THAT(!pktseq_load_mem(&model, &codec, wanted & 1 ? &training : NULL,
                                    wanted & 2 ? &detector : NULL, some.data, some.size, NULL,
                                    &err), "saved %d, wanted %d: %s", saved, wanted, err.text);
        if (wanted & 1) {
            CHECK((training.velocity != NULL) == (saved & 1));
            pktseq_training_free(&training);
        }
        if (wanted & 2) {
            CHECK((detector.memory != NULL) == (saved >> 1));
            pktseq_detector_free(&detector);
        }
        CHECK(!codec.field);
        pktseq_model_free(&model);
        pktseq_buffer_free(&some);
    }
}

// A velocity that is not finite, or of another model, is not saved.
static void test_velocity_not_saved(parts *c) {
    const size_t parameters = c->model.parameters;
    pktseq_real kept = c->training.velocity[parameters - 1];
    pktseq_buffer some;
    pktseq_error err;
    c->training.velocity[parameters - 1] = (pktseq_real)INFINITY;
    CHECK(pktseq_save_mem(&c->model, NULL, &c->training, NULL, &some, NULL, &err) ==
          PKTSEQ_ERROR_DATA && !some.data);
    CHECK_THAT(says(&err, "velocity"), "%s", err.text);
    c->training.velocity[parameters - 1] = kept;
    c->training.parameters = parameters - 1;
    CHECK(pktseq_save_mem(&c->model, NULL, &c->training, NULL, &some, NULL, &err) ==
          PKTSEQ_ERROR_ARGUMENT && !some.data && err.text[0]);
    c->training.parameters = parameters;
}

// A file without the velocity loads where no training is requested.
static void test_velocity_missing(const pktseq_buffer *file, size_t parameters) {
    bytes b = without_velocity(file->data, file->size, parameters);
    pktseq_model model;
    loaded l;
    load(&l, b.data, b.size, 0);
    CHECK_THAT(l.status == PKTSEQ_ERROR_DATA && says(&l.err, "optimizer.velocity") && is_empty(&l),
               "%d: %s", (int)l.status, l.err.text);
    CHECK(unload(&l));
    CHECK(!pktseq_load_mem(&model, NULL, NULL, NULL, b.data, b.size, NULL, NULL));
    pktseq_model_free(&model);
    free(b.data);
}

static void test_velocity_refused(const pktseq_buffer *file, size_t parameters) {
    static const char *const shape[] = {"[%lu,1]", "[1,%lu]", "[%lu0]", "[0%lu]", "[-%lu]"};
    char from[80], to[80];
    bytes b;
    snprintf(from, sizeof from, "velocity\":{\"dtype\":\"%s\",\"shape\":[%lu]", OWN_DTYPE,
             (unsigned long)parameters);
    for (size_t k = 0; k <= sizeof shape / sizeof *shape; ++k) {
        int n = snprintf(to, sizeof to, "velocity\":{\"dtype\":\"%s\",\"shape\":", OWN_DTYPE);
        if (k < sizeof shape / sizeof *shape)
            snprintf(to + n, sizeof to - (size_t)n, shape[k], (unsigned long)parameters);
        else
            snprintf(to + n, sizeof to - (size_t)n, "[%lu]", (unsigned long)parameters - 1);
        b = edited(file->data, file->size, from, to);
        check_refused(to, b.data, b.size);
        free(b.data);
    }
    b = edited(file->data, file->size, "optimizer.velocity", "optimizer.Velocity");
    check_refused("another name", b.data, b.size);
    free(b.data);
    b = edited(file->data, file->size, "\"shape\"", "\"shape\"");
    memset(b.data + b.size - REAL_SIZE, 0xff, REAL_SIZE);  // NaN
    seal(b.data, b.size);
    check_refused("a velocity of NaN", b.data, b.size);
    free(b.data);
}

static void test_complete_lies(const pktseq_buffer *file) {
#define GROUPS "groups 3;outputs 1;group flag;outputs 1;"
    static const edit lie[] = {
        {"loss nll;", "loss NLL;"},
        {"loss nll;", "loss ;"},
        {"loss nll;", "loss nll ;"},
        {"loss nll;", "loss mse;"},  // the detector's surprise needs nll
        {"loss nll;", "lose nll;"},
        {"pktseq.model\"", "pktseq.mode\""},
        {GROUPS "group class;outputs 4;", ""},
        {GROUPS "group class;outputs 4;", GROUPS},
        {GROUPS "group class;outputs 4;", "groups 2;outputs 1;group flag;outputs 1;"},
        {GROUPS "group class;outputs 4;", GROUPS "group class;outputs 3;"},
        {GROUPS "group class;outputs 4;", GROUPS "group class;outputs 5;"},
        {GROUPS "group class;outputs 4;", GROUPS "group class;outputs -4;"},
        {GROUPS "group class;outputs 4;", GROUPS "group class;outputs 0;"},
        {GROUPS "group class;outputs 4;", GROUPS "group class;outputs ;"},
        {GROUPS "group class;outputs 4;", GROUPS "group class;"},
        {GROUPS "group class;outputs 4;", GROUPS "outputs 4;"},
        {GROUPS "group class;outputs 4;", GROUPS "group class;outputs 18446744073709551612;"},
        {GROUPS "group class;outputs 4;", GROUPS "group class;outputs 4;outputs 1;"},
        {GROUPS "group class;outputs 4;", GROUPS "group klass;outputs 4;"},
        {GROUPS "group class;outputs 4;", GROUPS "outputs 4;group class;"},
        {GROUPS "group class;outputs 4;", "groups 2;outputs 2;group class;outputs 4;"},
        {GROUPS "group class;outputs 4;", "groups 6;outputs 1;outputs 1;outputs 1;outputs 1;"
         "outputs 1;outputs 1;"},  // other groups
        {"momentum 0.75;", "momentum 1;"},
        {"momentum 0.75;", "momentum -0.75;"},
        {"momentum 0.75;", "momentum nan;"},
        {"clip 0.5;", "clip -1;"},
        {"clip 0.5;", "clip inf;"},
        {" 0,1,2,3;", " 0,1,2,2;"},
        {" 0,1,2,3;", " 0,1,2;"},
        {" 0,1,2,3;", " 0,1,2,3,4;"},
        {" 0,1,2,3;", ";"},
        {"column c;role context", "column c;role extra"},
        {"kind number;column c", "kind port;column c"},
        {"column d;role context;", "column d;"},
        {"column d;role context", "column d;role input"},
        {"measure surprisal;", "measure mad;"},
        {"measure surprisal;", "measure ;"},
        {"measure surprisal;", "measure surprisal ;"},
        {"one_step_ahead 1;", "one_step_ahead 2;"},
        {"one_step_ahead 1;", "one_step_ahead -1;"},
        {"by_length 1;", "by_length 0.5;"},
        {"by_length 1;", "by_length x;"},
        {"contexts 2;", "contexts 1;"},
        {"contexts 2;", "contexts 3;"},
        {"contexts 2;", "contexts 0;"},
        {"contexts 2;", ""},
        {"contexts 2;", "contexts 256;"},
        {"contexts 2;", "contexts 257;"},
        {"contexts 2;", "contexts 1e300;"},
        {"sequences ", "sequences -"},
        {"sequences ", "sequences 99999999999999999999"},
        {";context 0.5;", ";context 1;"},
        {";context 0.5;", ";context -0.5;"},
        {";context 0.5;", ";context nan;"},
        {";context 0.5;", ";context 0.5,0.5;"},
        {"false_positive_rate 0.25;", "false_positive_rate 1.25;"},
        {"false_positive_rate 0.25;", "false_positive_rate -0.25;"},
        {";threshold ", ";threshold inf"},
        {";threshold_low ", ";threshold_low x"},
        {";weight 1,1", ";weight 1"},
        {";weight 1,1", ";weight 1,1,1"},
        {";weight 1,1", ";weight -1,1"},
        {";weight 1,1", ";weight nan,1"},
        {";weight 1,1", ";height 1,1"},
        {";error ", ";error -"},
        {";error ", ";error 1,"},
        {";error ", ";error x"},
        {";mean 4.9", ";mean 0,4.9"},
        {";mean 4.9", ";means 4.9"},
        {";precision ", ";precision 0,"},
        {";precision ", ";precision nan"},
        {";scale ", ";scale 1,"},
        {";scale ", ";scale x"},
        {";length_scale ", ";length_scale -"},
        {";length_scale ", ";length_scale 1,"},
        {";length_scale ", ";;length_scale "},
        {";quantile ", ";quantile 9"},  // not rising
        {";quantile ", ";quantile 0,"},
        {"tail_above ", "tail_above 9"},
        {"tail_shape -0.", "tail_shape -2."},
        {"tail_scale 0.", "tail_scale -0."},
        {"running_scale ", "running_scale 1,"},
        {"running_threshold ", "running_threshold nan"},
        {";\"},\"encoder", ";x;\"},\"encoder"},
        {";\"},\"encoder", "\"},\"encoder"}};
#undef GROUPS
    check_lies(file, lie, sizeof lie / sizeof *lie);
    test_nonsense("everything", file->data, file->size);
    test_forgery("everything", file->data, file->size);
}

// Memory that runs out at any allocation, while saving and while loading.
static void test_memory(const parts *c) {
    pktseq_status status = PKTSEQ_ERROR_MEMORY;
    pktseq_buffer buffer;
    pktseq_error err;
    size_t k;
    for (k = 0; status == PKTSEQ_ERROR_MEMORY && k < 1000; ++k) {
        counter memory;
        pktseq_allocator a = counted(&memory);
        memory.fail_at = k + 1;
        memset(&buffer, 0x5a, sizeof buffer);
        status = pktseq_save_mem(&c->model, &c->codec, &c->training, &c->detector, &buffer, &a,
                                 &err);
        CHECK_THAT(err.status == status && (status == PKTSEQ_OK) == !err.text[0], "%s", err.text);
        CHECK_THAT(status == PKTSEQ_OK || (!buffer.data && !buffer.size && memory.live == 0),
                   "saving, allocation %lu", (unsigned long)k);
        for (int i = 0; i < 2; ++i) pktseq_buffer_free(&buffer);
        CHECK_THAT(memory.live == 0, "saving, allocation %lu", (unsigned long)k);
    }
    CHECK_THAT(status == PKTSEQ_OK && k > 3, "saving: status %d", (int)status);
    CHECK(!pktseq_save_mem(&c->model, &c->codec, &c->training, &c->detector, &buffer, NULL, &err));
    status = PKTSEQ_ERROR_MEMORY;
    for (k = 0; status == PKTSEQ_ERROR_MEMORY && k < 1000; ++k) {
        loaded l;
        load(&l, buffer.data, buffer.size, k + 1);
        status = l.status;
        CHECK_THAT(status == PKTSEQ_OK || (is_empty(&l) && l.memory.live == 0 &&
                                           l.err.status == status && l.err.text[0]),
                   "loading, allocation %lu: %s", (unsigned long)k, l.err.text);
        CHECK_THAT(unload(&l), "loading, allocation %lu", (unsigned long)k);
    }
    CHECK_THAT(status == PKTSEQ_OK && k > 20, "loading: status %d", (int)status);
    pktseq_buffer_free(&buffer);
}

// The rule comes back as it was, but for its secret.
static void test_rule(void) {
    static const edit lie[] = {
        {"rule connection;", "rule connections;"}, {"rule connection;", "rule;"},
        {"tcp_only 1;", "tcp_only 2;"},        {"min_length 1;", "min_length 9;"},
        {"max_length 7;", "max_length -7;"},             {"idle 2.5;", "idle -2.5;"},
        {"idle 2.5;", "idle inf;"},            {"window 1;", "window x;"},
        {"max_pairs 6;", "max_pairs 1e300;"},  {"max_pairs 6;", "pairs 6;"},
        {"max_packets 8;", "max_packets 8;;"}, {"max_packets 8;", "max_packets 8"},
        {"max_packets 8;", "max_packets 8;x;"}, {"dissector;", "detector;"}};
    for (int which = 0; which < 6; ++which) {
        pktseq_rule rule = which & 1 ? pktseq_rule_connection() : pktseq_rule_default();
        pktseq_buffer buffer;
        parts s;
        loaded l;
        if (!subject_make(&s, 3, 1, PKTSEQ_START_INPUT, 0)) return;
        CHECK(s.codec.rule.min_length == 0);
        rule.max_length = which < 2 ? 7 : UINT32_MAX - 1;
        rule.idle = 2.5;
        rule.reference_names = which / 2 == 1;
        rule.tcp_only = which % 3 == 1;
        rule.max_connections = 5;
        rule.max_pairs = 6;
        rule.max_packets = 8;
        s.codec.rule = rule;
        s.codec.naming = (pktseq_naming)(which % 3);
        s.training.drop_last = which < 3;
        if (which > 3) memset(&s.codec.rule, 0, sizeof rule);
        CHECK(!pktseq_save_mem(&s.model, &s.codec, &s.training, NULL, &buffer, NULL, NULL));
        load(&l, buffer.data, buffer.size, 0);
        CHECK_THAT(!l.status && !memcmp(&l.p.codec.rule, &s.codec.rule, sizeof rule), "%s",
                   l.err.text);
        CHECK(l.p.codec.naming == s.codec.naming);
        CHECK(unload(&l));
        if (which == 1) check_lies(&buffer, lie, sizeof lie / sizeof *lie);
        pktseq_buffer_free(&buffer);
        parts_free(&s);
    }
}

// Files of other versions are refused with one sentence that says what to do: 1 and 2 are those of
// 0.1.0 to 0.4.0. The checksum comes first: a damaged file is not taken for another version's.
static void test_other_formats(void) {
    static const char *const format[] = {"1", "2", "4", "33", ""};
    parts s;
    if (subject_make(&s, 3, 1, PKTSEQ_START_INPUT, 0)) {
        pktseq_buffer buffer;
        loaded l;
        CHECK(!pktseq_save_mem(&s.model, &s.codec, &s.training, NULL, &buffer, NULL, NULL));
        for (size_t i = 0; i < sizeof format / sizeof *format; ++i) {
            char text[64];
            bytes b, c;
            sprintf(text, "pktseq.format\":\"%s\",\"pktseq.version\":\"0.4.0", format[i]);
            b = edited(buffer.data, buffer.size,
                       "pktseq.format\":\"3\",\"pktseq.version\":\"" PKTSEQ_VERSION, text);
            c = with_meta(b.data, b.size, "pktseq.model", NULL);
            CHECK(refuses(b.data, b.size, &l) && strstr(l.err.text, "train the model again") &&
                  strstr(l.err.text, "version \"0.4.0\"") && strlen(l.err.text) < 200);
            CHECK(refuses(c.data, c.size, &l) && strstr(l.err.text, "train the model again"));
            c.data[c.size - 1] ^= 1;
            CHECK(refuses(c.data, c.size, &l) && strstr(l.err.text, "checksum"));
            free(b.data);
            free(c.data);
        }
        pktseq_buffer_free(&buffer);
    }
    parts_free(&s);
}

// ---- what cannot be saved, or asked -------------------------------------------------------------

static void test_arguments(void) {
    parts s;
    pktseq_buffer buffer, good;
    pktseq_error err;
    pktseq_model model, none;
    memset(&none, 0, sizeof none);
    if (subject_make(&s, 2, 1, PKTSEQ_START_TARGET, 0)) {
        CHECK(!pktseq_save_mem(&s.model, &s.codec, NULL, NULL, &good, NULL, NULL));
        CHECK(pktseq_save_mem(&s.model, NULL, NULL, NULL, NULL, NULL, NULL) ==
              PKTSEQ_ERROR_ARGUMENT);
        CHECK(pktseq_save_mem(NULL, NULL, NULL, NULL, &buffer, NULL, &err) ==
              PKTSEQ_ERROR_ARGUMENT);
        CHECK(!buffer.data && err.text[0]);
        CHECK(pktseq_save_mem(&none, NULL, NULL, NULL, &buffer, NULL, &err) ==
              PKTSEQ_ERROR_ARGUMENT);
        CHECK(pktseq_load_mem(&model, NULL, NULL, NULL, NULL, 100, NULL, &err) ==
              PKTSEQ_ERROR_ARGUMENT);
        CHECK(!model.block);
        CHECK(pktseq_load_mem(NULL, NULL, NULL, NULL, good.data, good.size, NULL, &err) ==
              PKTSEQ_ERROR_ARGUMENT);
        pktseq_buffer_free(&good);
        pktseq_buffer_free(NULL);

        const double bad[] = {NAN, INFINITY, -INFINITY};
        for (size_t i = 0; i < 3; ++i) {
            pktseq_real *last = &s.model.block[s.model.parameters - 1], kept = *last;
            *last = (pktseq_real)bad[i];
            CHECK(pktseq_save_mem(&s.model, &s.codec, NULL, NULL, &buffer, NULL, &err) ==
                      PKTSEQ_ERROR_DATA && !buffer.data && err.text[0]);
            *last = kept;
        }

        // The codec's own memory, so that it may be spoilt.
        char *text = (char *)(size_t)s.codec.field[1].category[0], kept = text[0];
        text[0] = (char)0xff;
        CHECK(pktseq_save_mem(&s.model, &s.codec, NULL, NULL, &buffer, NULL, &err) ==
              PKTSEQ_ERROR_DATA &&
              !buffer.data);
        text[0] = kept;

        // A codec whose features are not the model's: a file that could not be loaded again.
        parts tiny;
        if (subject_make(&tiny, 1, 1, PKTSEQ_START_TARGET, 1))
            CHECK(pktseq_save_mem(&s.model, &tiny.codec, NULL, NULL, &buffer, NULL, &err) !=
                      PKTSEQ_OK && !buffer.data);
        parts_free(&tiny);
    }
    parts_free(&s);
}

// What the trainer says: any text of at most 511 bytes comes back as it was, none leaves no trace,
// and what is too long, or no text, is refused on both sides.
static void test_recipe(void) {
    static const char said[] = "a \"b\" \\ c\n\t\x1b d\xc3\xa9";
    parts s;
    loaded l;
    pktseq_buffer b;
    pktseq_error err;
    if (!subject_make(&s, 3, 2, PKTSEQ_START_TARGET, 0)) return;
    CHECK(!s.training.description[0] &&
          !pktseq_save_mem(&s.model, NULL, &s.training, NULL, &b, NULL, &err));
    b.data[b.size - 1] = 0;  // ends the search
    CHECK(!strstr((const char *)b.data + 8, "recipe"));
    pktseq_buffer_free(&b);
    for (int k = 0; k < 2; ++k) {
        memset(s.training.description, 'x', sizeof s.training.description - 1);
        s.training.description[sizeof s.training.description - 1] = 0;
        if (k) strcpy(s.training.description, said);
        CHECK(!pktseq_save_mem(&s.model, NULL, &s.training, NULL, &b, NULL, &err));
        load(&l, b.data, b.size, 0);
        CHECK_THAT(!l.status && equal_trainings(&s.training, &l.p.training), "%s", l.err.text);
        CHECK(unload(&l));
        if (k == 0) {
            bytes longer = edited(b.data, b.size, "recipe x", "recipe xx");
            check_refused("a recipe of 512 bytes", longer.data, longer.size);
            free(longer.data);
        }
        pktseq_buffer_free(&b);
    }
    memset(s.training.description, 'x', sizeof s.training.description);
    CHECK(pktseq_save_mem(&s.model, NULL, &s.training, NULL, &b, NULL, &err) == PKTSEQ_ERROR_DATA);
    CHECK_THAT(says(&err, "\"recipe\" has a value that cannot be saved"), "%s", err.text);
    strcpy(s.training.description, "\xff");
    CHECK(pktseq_save_mem(&s.model, NULL, &s.training, NULL, &b, NULL, &err) == PKTSEQ_ERROR_DATA);
    parts_free(&s);
}

// ---- what is not saved

// An empty codec and a training that has not begun are none: the file is the same as without.
static void test_empty_parts(void) {
    real x[FLAT_ROWS * FLAT_WIDE];
    parts p, again;
    pktseq_buffer empty;
    pktseq_error err;
    p = flat_parts(x, 1);
    CHECK(pktseq_save_mem(&p.model, NULL, NULL, NULL, &p.file, NULL, &err) == PKTSEQ_OK);
    CHECK_THAT(pktseq_save_mem(&p.model, &p.codec, &p.training, NULL, &empty, NULL, &err) ==
                   PKTSEQ_OK, "%s", err.text);
    CHECK(p.file.size == empty.size && memcmp(p.file.data, empty.data, empty.size) == 0);
    CHECK_THAT(parts_load(&again, empty.data, empty.size, NULL, &err) == PKTSEQ_OK, "%s",
               err.text);
    CHECK(again.codec.field_count == 0 && again.training.iteration == 0);
    CHECK(again.model.parameters == p.model.parameters &&
          memcmp(again.model.block, p.model.block, p.model.parameters * sizeof(real)) == 0);
    pktseq_buffer_free(&empty);
    parts_free(&again);
    parts_free(&p);
}

// A codec that does not predict what the model does is not saved with it.
static void test_other_targets(void) {
    pktseq_field field[3] = {field_of("length", PKTSEQ_ZSCORE), field_of("ack", PKTSEQ_FLAG),
                             field_of("syn", PKTSEQ_FLAG)};
    pktseq_schema schema = schema_of(field, 3);
    pktseq_table table;
    pktseq_codec codec;
    pktseq_model model;
    pktseq_config config = pktseq_config_default(NULL);
    pktseq_buffer buffer;
    pktseq_error err;
    field[2].role = PKTSEQ_ROLE_INPUT;
    CHECK(parse_text(&table, "position,length,ack,syn\n0,60,0,1\n1,61,1,0\n", &schema, &err) == 0);
    CHECK_THAT(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == 0, "%s", err.text);
    config.in = 3;
    config.out = 3;
    config.hidden = 2;
    CHECK(pktseq_model_init(&model, &config, 1, NULL, &err) == PKTSEQ_OK);
    CHECK(pktseq_save_mem(&model, &codec, NULL, NULL, &buffer, NULL, &err) ==
          PKTSEQ_ERROR_MISMATCH);
    CHECK(!buffer.data && err.text[0]);
    pktseq_model_free(&model);
    config.out = 2;
    CHECK(pktseq_model_init(&model, &config, 1, NULL, &err) == PKTSEQ_OK);
    CHECK_THAT(pktseq_save_mem(&model, &codec, NULL, NULL, &buffer, NULL, &err) == PKTSEQ_OK, "%s",
               err.text);
    pktseq_buffer_free(&buffer);
    pktseq_model_free(&model);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
}

// A training state that a program has filled itself is saved if it can be loaded. Else the message
// says which member has to be changed.
static void test_own_training(void) {
    static const char *const say[] = {
        NULL, "iteration is 150000, expected at most config.iterations, 100000",
        "report_count is 150001, expected at most its iteration, 150000",
        "loss_sum_count is 150001", "losses is 150001", "loss is NULL",
        "momentum, but no velocity", "milestones must rise", "another model's", NULL};
    static double losses[2] = {0.5, 0.25};
    real x[FLAT_ROWS * FLAT_WIDE];
    parts p = flat_parts(x, 1);
    pktseq_real *velocity = (pktseq_real *)calloc(p.model.parameters, sizeof *velocity);
    for (size_t i = 0; i < sizeof say / sizeof *say; ++i) {
        pktseq_training own;
        pktseq_error err;
        pktseq_status status;
        memset(&own, 0, sizeof own);
        own.config = pktseq_train_config_default();
        own.iteration = 150000;
        if (i != 1) own.config.iterations = own.iteration;
        own.loss = i == 5 ? NULL : losses;
        own.losses = i == 4 ? own.iteration + 1 : 2;
        own.report_count = i == 2 ? own.iteration + 1 : own.iteration;
        own.loss_sum_count = i == 3 ? own.iteration + 1 : own.iteration;
        own.config.momentum = i >= 6 ? 0.9 : 0;
        if (i > 6) own.velocity = velocity;
        if (i > 6) own.parameters = p.model.parameters - (i == 8);
        if (i == 7) own.config.milestone[1] = own.config.milestone[0];
        status = pktseq_save_mem(&p.model, NULL, &own, NULL, &p.file, NULL, &err);
        CHECK_THAT(status == (say[i] ? PKTSEQ_ERROR_ARGUMENT : PKTSEQ_OK), "%d: %s", (int)i,
                   err.text);
        if (say[i]) {
            CHECK_THAT(says(&err, say[i]) && !p.file.data, "%d: %s", (int)i, err.text);
        } else {
            loaded l;
            load(&l, p.file.data, p.file.size, 0);
            CHECK_THAT(l.status == PKTSEQ_OK && equal_trainings(&own, &l.p.training), "%d: %s",
                       (int)i, l.err.text);
            CHECK(unload(&l));
            pktseq_buffer_free(&p.file);
        }
    }
    free(velocity);
    parts_free(&p);
}

// What no file may hold is not written: sums of losses that are not finite, a config that could not
// go on, a detector with a number that is none.
static void test_not_saved(void) {
    real x[FLAT_ROWS * FLAT_WIDE];
    plan how = small_plan(NULL, 0);
    parts p = flat_parts(x, 1);
    pktseq_training bad;
    pktseq_error err;
    how.train.iterations = 2;
    CHECK(pktseq_train(&p.model, &p.dataset, &how.train, &p.training, &err) == PKTSEQ_OK);
    for (int i = 0; i < 3; ++i) {
        bad = p.training;
        if (i == 0) bad.report_sum = HUGE_VAL;
        if (i == 1) bad.loss_sum = -HUGE_VAL;
        if (i == 2) bad.config.batch = 0;
        CHECK(pktseq_save_mem(&p.model, NULL, &bad, NULL, &p.file, NULL, &err) ==
              (i < 2 ? PKTSEQ_ERROR_DATA : PKTSEQ_ERROR_ARGUMENT));
        CHECK_THAT(says(&err, i == 0 ? "\"report_sum\"" : i == 1 ? "\"loss_sum\"" : "batch") &&
                       !p.file.data, "%d: %s", i, err.text);
    }
    CHECK(!pktseq_detector_init(&p.detector, &p.model, 0, &how.detector, NULL, &err));
    p.detector.scale[0] = HUGE_VAL;
    CHECK(pktseq_save_mem(&p.model, NULL, &p.training, &p.detector, &p.file, NULL, &err) ==
          PKTSEQ_ERROR_DATA);
    CHECK_THAT(says(&err, "\"scale\" has a value that cannot be saved") && !p.file.data, "%s",
               err.text);
    p.detector.scale[0] = 1;
    CHECK_THAT(pktseq_save_mem(&p.model, NULL, &p.training, &p.detector, &p.file, NULL, &err) ==
                   PKTSEQ_OK, "%s", err.text);
    parts_free(&p);
}

// A detector and a codec for the same model, of as many features, but grouped differently: they
// are not saved together, for a reader could not tell which group a weight is for.
static void test_other_groups(void) {
    real x[FLAT_ROWS * FLAT_WIDE];
    pktseq_field field = field_of("protocol", PKTSEQ_ONEHOT);
    plan how = small_plan(&field, 1);
    parts p = flat_parts(x, 1);
    pktseq_error err;  // two numbers
    CHECK(!parse_text(&p.table, "position,protocol\n0,TCP\n1,UDP\n", &how.schema, &err));
    CHECK(!pktseq_codec_fit(&p.codec, &p.table, &how.schema, NULL, &err));  // one of two
    CHECK(!pktseq_detector_init(&p.detector, &p.model, 0, &how.detector, NULL, &err));
    CHECK(pktseq_save_mem(&p.model, &p.codec, NULL, &p.detector, &p.file, NULL, &err) ==
          PKTSEQ_ERROR_MISMATCH);
    CHECK_THAT(says(&err, "another codec's") && !p.file.data, "%s", err.text);
    CHECK_THAT(pktseq_save_mem(&p.model, NULL, NULL, &p.detector, &p.file, NULL, &err) ==
                   PKTSEQ_OK, "%s", err.text);
    parts_free(&p);
}

// A category of 34 million bytes, each three in the file: a file with so long a header could not be
// read again, so it is not written.
static void test_long_header(void) {
    enum { SIZE = 34000000 };
    char *name = (char *)malloc(SIZE + 1);
    const char *category[1];
    real x[FLAT_ROWS];
    static const size_t start[] = {0, 4, 8, 12};
    pktseq_field field = field_of("protocol", PKTSEQ_ONEHOT);
    pktseq_schema schema = schema_of(&field, 1);
    parts p;
    pktseq_error err;
    pktseq_status status;
    if (!name) return;
    memset(name, 1, SIZE);
    name[SIZE] = 0;
    category[0] = name;
    field.category = category;
    field.category_count = 1;
    for (size_t i = 0; i < FLAT_ROWS; ++i) x[i] = 1;
    p = wrapped_parts(x, 1, start, 3);
    CHECK(parse_text(&p.table, "position,protocol\n0,TCP\n", &schema, &err) == PKTSEQ_OK);
    CHECK_THAT(!pktseq_codec_fit(&p.codec, &p.table, &schema, NULL, &err), "%s", err.text);
    status = pktseq_save_mem(&p.model, &p.codec, NULL, NULL, &p.file, NULL, &err);
    CHECK(status != PKTSEQ_OK && !p.file.data && p.file.size == 0);
    if (status == PKTSEQ_ERROR_MEMORY)
        printf("  SKIPPED: there is no memory for a header of 100 MB\n");
    else
        CHECK_THAT(status == PKTSEQ_ERROR_DATA && says(&err, "expected at most 100000000"), "%s",
                   err.text);
    parts_free(&p);
    free(name);
}

// ---- small lies

// A small checkpoint with everything in it: a codec of one one-hot, training, a detector.
static pktseq_buffer small_checkpoint(void) {
    static const char csv[] = "position,protocol\n0,TCP\n1,UDP\n2,TCP\n3,UDP\n4,TCP\n";
    static const pktseq_field field[] = {FIELD("protocol", ONEHOT, BOTH)};
    plan how = plan_of(schema_of(field, 1), 2, 1);
    parts p;
    pktseq_buffer file;
    pktseq_error err;
    memset(&p, 0, sizeof p);
    how.loss = PKTSEQ_LOSS_NLL;
    how.train = run_of(1, 1, 1e-4, 0, 0);
    how.train.loss_interval = 0;
    CHECK_THAT(!parts_parse(&p, &how, csv, strlen(csv), &err) && !parts_learn(&p, &how, &err),
               "%s", err.text);
    CHECK(!pktseq_detector_init(&p.detector, &p.model, 0, &how.detector, NULL, &err));
    CHECK_THAT(parts_save(&p, NULL, &err) == PKTSEQ_OK, "%s", err.text);
    file = p.file;
    memset(&p.file, 0, sizeof p.file);
    parts_free(&p);
    return file;
}

// What is loaded lies in the memory that the caller gave, all of it, and goes back there.
static void test_whose_memory(void) {
    pktseq_buffer file = small_checkpoint();
    counter c;
    pktseq_allocator allocator = fenced(&c);
    parts p;
    pktseq_error err;
    CHECK_THAT(parts_load(&p, file.data, file.size, &allocator, &err) == PKTSEQ_OK, "%s", err.text);
    CHECK(p.model.allocator.user_data == &c && p.codec.allocator.user_data == &c);
    CHECK(p.training.allocator.user_data == &c && p.detector.allocator.user_data == &c);
    CHECK(c.live > 4);
    parts_free(&p);
    CHECK(c.live == 0);
    pktseq_buffer_free(&file);
}

// A buffer goes back to the allocator that it came from.
static void test_whose_buffer(void) {
    real x[FLAT_ROWS * FLAT_WIDE];
    parts p = flat_parts(x, 1);
    counter c;
    pktseq_allocator allocator = fenced(&c);
    pktseq_error err;
    CHECK_THAT(pktseq_save_mem(&p.model, NULL, NULL, NULL, &p.file, &allocator, &err) ==
                   PKTSEQ_OK, "%s", err.text);
    CHECK(c.live == 1 && p.file.allocator.user_data == &c && p.file.capacity >= p.file.size);
    pktseq_buffer_free(&p.file);
    CHECK(c.live == 0 && !p.file.data);
    parts_free(&p);
}

// Loads all of a file that was edited. category: the codec's first, if it could be loaded.
static pktseq_status load_edited(const pktseq_buffer *file, const char *from, const char *until,
                                 const char *to, char *category, pktseq_error *err) {
    bytes b = edited_until(file->data, file->size, from, until, to);
    parts p;
    pktseq_status status = parts_load(&p, b.data, b.size, NULL, err);
    if (status)
        CHECK(!p.model.block && !p.codec.field && !p.training.iteration && !p.detector.memory);
    else
        CHECK(p.model.block && p.codec.field && p.training.iteration == 1 && p.detector.memory);
    if (status == PKTSEQ_OK && category) strcpy(category, p.codec.field[0].category[0]);
    parts_free(&p);
    free(b.data);
    return status;
}

// Metadata that end too early, or nearly are what they should be: refused by name.
static void test_edited(void) {
    static const struct {
        const char *from, *until, *to, *key;
    } edit[] = {
        {"report_count 1;", NULL, "report_count 1", "pktseq.training"},
        {"milestones ", "\"", "milestones", "pktseq.training"},
        {",40,", "\"", ",40", "pktseq.training"},
        {"outputs 2;", NULL, "outputs 2x;", "pktseq.model"},
        {"weight ", "\"", "", "pktseq.detector"},
        {"TCP,", "\"", "TCP", "pktseq.codec"},
        {"\"dtype\"", NULL, "\"etype\"", "each once"},
    };
    pktseq_buffer file = small_checkpoint();
    pktseq_error err;
    for (size_t i = 0; i < sizeof edit / sizeof *edit; ++i) {
        CHECK_THAT(load_edited(&file, edit[i].from, edit[i].until, edit[i].to, NULL, &err) ==
                       PKTSEQ_ERROR_DATA, "%s", edit[i].from);
        CHECK_THAT(says(&err, edit[i].key), "%s: %s", edit[i].from, err.text);
    }
    CHECK_THAT(load_edited(&file, "TCP", NULL, "TCP", NULL, &err) == PKTSEQ_OK, "%s", err.text);
    pktseq_buffer_free(&file);
}

// Characters of texts as %xx: what is not written so is not taken for a text.
static void test_escapes(void) {
    static const struct {
        const char *written, *text;
    } escape[] = {
        {"%54%43P", "TCP"}, {"%25", "%"},   {"%e6%97%a5", "\xe6\x97\xa5"}, {"a b", "a b"},
        {"%e6%97", NULL},   {"%00", NULL},  {"%4", NULL},                  {"%", NULL},
        {"%4A", NULL},      {"%%", NULL},   {"\\n", NULL},                 {"\\u0041", NULL},
    };
    pktseq_buffer file = small_checkpoint();
    pktseq_error err;
    for (size_t i = 0; i < sizeof escape / sizeof *escape; ++i) {
        char category[20] = "";
        pktseq_status status = load_edited(&file, "TCP", NULL, escape[i].written, category, &err);
        CHECK_THAT(status == (escape[i].text ? PKTSEQ_OK : PKTSEQ_ERROR_DATA), "%s: %d %s",
                   escape[i].written, (int)status, err.text);
        if (escape[i].text) CHECK_THAT(strcmp(category, escape[i].text) == 0, "%s", category);
        else CHECK_THAT(says(&err, "\"pktseq.codec\": \"categories\" is"), "%s", err.text);
    }
    pktseq_buffer_free(&file);
}

// Shapes whose bytes are more than can be counted, and offsets that say there are none: refused
// for that, and not taken for a tensor without numbers.
static void test_uncountable(void) {
#if SIZE_MAX > UINT32_MAX
    const double H = 900000000, D = 1, O = 1;
    unsigned char file[3000];
    char *json = (char *)file + 8;
    int at = 0;
    pktseq_model model;
    pktseq_error err;
#define X(field, name, rows, cols) \
    at += sprintf(json + at, "%c\"%s\":{\"dtype\":\"F64\",\"shape\":[%.0f", at ? ',' : '{', name, \
                  (double)(rows)); \
    if ((cols) > 0) at += sprintf(json + at, ",%.0f", (double)(cols)); \
    at += sprintf(json + at, "],\"data_offsets\":[%.0f,%.0f]}", at < 120 ? 0 : 24 * H, 24 * H);
    PKTSEQ_TENSORS(X)
#undef X
    at += sprintf(json + at, "}");
    for (int i = 0; i < 8; ++i) file[i] = (unsigned char)((uint64_t)at >> (8 * i));
    CHECK(pktseq_load_mem(&model, NULL, NULL, NULL, file, (size_t)at + 8, NULL, &err) ==
          PKTSEQ_ERROR_DATA);
    CHECK_THAT(says(&err, "\"encoder.gru.weight_hh_l0\": its offsets do not fit"), "%s", err.text);
    CHECK(!model.block);
#endif
}

int main(void) {
    parts s;
    pktseq_buffer buffer;
    test_round_trip();
    test_recipe();
    test_parts();
    test_other_settings();
    test_lies();
    test_foreign();
    test_bent_places();
    if (complete_make(&s)) {
        CHECK(!parts_save(&s, NULL, NULL));
        test_complete(&s, &s.file);
        test_complete_parts(&s);
        test_velocity_not_saved(&s);
        test_velocity_missing(&s.file, s.model.parameters);
        test_velocity_refused(&s.file, s.model.parameters);
        test_complete_lies(&s.file);
        test_memory(&s);
    }
    parts_free(&s);
    test_rule();
    test_other_formats();
    test_arguments();
    for (int with = 0; with < 2; ++with) {
        if (subject_make(&s, (size_t)(1 + with), 1, PKTSEQ_START_TARGET, 1)) {
            const char *what = with ? "codec and training" : "only weights";
            CHECK(!pktseq_save_mem(&s.model, with ? &s.codec : NULL,
                                   with ? &s.training : NULL, NULL, &buffer, NULL, NULL));
            test_forgery(what, buffer.data, buffer.size);
            test_nonsense(what, buffer.data, buffer.size);
            pktseq_buffer_free(&buffer);
        }
        parts_free(&s);
    }
    test_empty_parts();
    test_other_targets();
    test_own_training();
    test_not_saved();
    test_other_groups();
    test_long_header();
    test_whose_memory();
    test_whose_buffer();
    test_edited();
    test_escapes();
    test_uncountable();
    return check_end("test_checkpoint");
}
