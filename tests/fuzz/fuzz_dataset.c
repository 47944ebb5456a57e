// fuzz_dataset.c - CSV to table, codec, dataset; what was encoded is decoded to what it was.
//
// The first byte chooses the schema (2 bits), the number of input packets (2), the first token (1),
// whether the codec goes through a checkpoint (1), and whether an allocation fails (the highest).
#include "fuzz.h"

// What a number field says of a row, from the manual's list of kinds.
static double dataset_said(const pktseq_field *f, const pktseq_column *c, size_t row,
                           size_t first) {
    double v = pktseq_column_number(c, row);
    double since = row == first ? 0 : v - pktseq_column_number(c, row - 1);
    switch (f->kind) {
    case PKTSEQ_SINCE_PREVIOUS: return since;
    case PKTSEQ_SINCE_FIRST: return v - pktseq_column_number(c, first);
    case PKTSEQ_LOG: return v > 0 ? log(1 + v) : 0;
    case PKTSEQ_LOG_SINCE_PREVIOUS: return since > 0 ? log(1 + 1e6 * since) : 0;
    default: return v;
    }
}

// One field of one row. Returns 1 if its text was not among the categories.
static int dataset_check_cell(const pktseq_field *f, const pktseq_column *c, size_t row,
                              size_t first, const pktseq_real *x, pktseq_value value) {
    double said = !c->names ? dataset_said(f, c, row, first) : 0;
    double back = value.number, step = sizeof *x == 4 ? (double)FLT_EPSILON : DBL_EPSILON, slack;
    size_t k = 0;
    switch (f->kind) {
    case PKTSEQ_ONEHOT:
        while (k < f->category_count && strcmp(f->category[k], pktseq_column_text(c, row))) ++k;
        for (size_t i = 0; i < f->category_count; ++i) FUZZ((double)x[i] == (i == k));
        if (k == f->category_count) return 1;
        FUZZ(value.text && !strcmp(value.text, pktseq_column_text(c, row)) && back == (double)k);
        return 0;
    case PKTSEQ_PORT:
    case PKTSEQ_PORT_REFERENCE:
        k = said < 1024 ? 0 : said <= 49151 ? 1 : 2;
        if (f->kind == PKTSEQ_PORT_REFERENCE && k == 2) {
            FUZZ(x[0] == 0 && x[1] == 0 && x[2] == 0);
            return 1;
        }
        for (size_t i = 0; i < 3; ++i) FUZZ((double)x[i] == (i == k));
        FUZZ(back == (double)k && value.text);
        return 0;
    case PKTSEQ_FLAG:
        FUZZ_THAT(back == said && (double)x[0] == said, "%s: %g from %g", f->column, back, said);
        return 0;
    case PKTSEQ_NUMBER:
        slack = step * fabs(said) + 1e-44;
        break;
    default:
        if (f->kind == PKTSEQ_LOG) back = log(1 + back);
        if (f->kind == PKTSEQ_LOG_SINCE_PREVIOUS) back = log(1 + 1e6 * back);
        slack = 4 * step * f->sd * fabs((double)x[0]) +
                4 * DBL_EPSILON * (2 + fabs(f->mean) + fabs(said)) + 1e-37 * f->sd;
        if (!fuzz_finite(back) && fuzz_finite(said)) slack = fabs(said) > 700 ? HUGE_VAL : 0;
    }
    FUZZ_THAT(fabs(back - said) <= slack || (back != back && slack > DBL_MAX),
              "%s (kind %d): %.17g decoded as %.17g", f->column, (int)f->kind, said, back);
    return 0;
}

static void dataset_check(const pktseq_dataset *d, const pktseq_codec *codec,
                          const pktseq_table *t) {
    pktseq_value *value = (pktseq_value *)calloc(codec->field_count, sizeof *value);
    size_t *unknown = (size_t *)calloc(codec->field_count, sizeof *unknown);
    size_t s = 0;
    if (!value || !unknown) exit(3);
    for (size_t row = 0; row < t->rows; ++row) {
        const pktseq_real *x = d->x + row * d->in;
        if (s + 1 < t->sequences && t->start[s + 1] == row) ++s;
        FUZZ(pktseq_codec_decode(codec, x, value) == PKTSEQ_OK);
        for (size_t f = 0; f < codec->field_count; ++f) {
            const pktseq_field *field = &codec->field[f];
            const pktseq_column *c = pktseq_table_column(t, field->column);
            if (field->role == PKTSEQ_ROLE_CONTEXT)
                FUZZ(value[f].number != value[f].number && !value[f].text);
            else
                unknown[f] += (size_t)dataset_check_cell(field, c, row, t->start[s],
                                                         x + codec->first[f], value[f]);
        }
        // The target features are those at codec->target, and decode to the same.
        for (size_t o = 0; o < d->out; ++o)
            FUZZ(equal_bytes(d->y + row * d->out + o, x + codec->target[o], sizeof *x));
        if (row < 8) {
            pktseq_value *other = (pktseq_value *)calloc(codec->field_count, sizeof *other);
            if (!other) exit(3);
            FUZZ(pktseq_codec_decode_output(codec, d->y + row * d->out, other) == PKTSEQ_OK);
            for (size_t f = 0; f < codec->field_count; ++f)
                if (codec->field[f].role == PKTSEQ_ROLE_BOTH)
                    FUZZ(equal_bytes(&other[f].number, &value[f].number, sizeof(double)) &&
                         other[f].text == value[f].text);
                else
                    FUZZ(other[f].number != other[f].number && !other[f].text);
            free(other);
        }
    }
    for (size_t f = 0; f < codec->field_count; ++f)
        if (codec->field[f].kind == PKTSEQ_ONEHOT)
            FUZZ_THAT(unknown[f] == d->unknown[f], "%s: %lu unknown, counted %lu",
                      codec->field[f].column, (unsigned long)unknown[f],
                      (unsigned long)d->unknown[f]);
    free(value);
    free(unknown);
}

// Shows a dataset with dense rows: as it is, or with those that its packed ones stand for. The rows
// are in one block, x and then y, which is returned: NULL where nothing had to be made.
static pktseq_real *dataset_dense(pktseq_dataset *show, const pktseq_dataset *d) {
    pktseq_real *rows;
    *show = *d;
    if (!d->packed) return NULL;
    rows = (pktseq_real *)malloc(d->rows * (d->in + d->out) * sizeof *rows);
    if (!rows) exit(3);
    for (size_t row = 0; row < d->rows; ++row)
        FUZZ(!pktseq_dataset_dense(d, row, rows + row * d->in,
                                   rows + d->rows * d->in + row * d->out));
    show->x = rows;
    show->y = rows + d->rows * d->in;
    return rows;
}

// Pairs lie where their sequences lie.
static void dataset_check_pairs(const pktseq_dataset *d, const pktseq_table *t) {
    size_t pair = 0, longest = 0, skipped = 0, N = d->options.inputs;
    for (size_t s = 0; s < t->sequences; ++s) {
        size_t rows = t->start[s + 1] - t->start[s];
        pktseq_pair p;
        if (rows <= N) {
            ++skipped;
            continue;
        }
        FUZZ(pair < d->pairs && d->first_row[pair] == t->start[s] && d->length[pair] == rows);
        p = pktseq_dataset_pair(d, pair++);
        FUZZ(p.inputs == N && p.targets == rows - N);
        if (d->packed) {
            FUZZ(!p.input && !p.target && p.packing == &d->packing);
            FUZZ(p.packed_input == d->packed + t->start[s] * d->packing.fields);
        } else {
            FUZZ(p.input == d->x + t->start[s] * d->in);
            FUZZ(p.target == d->y + (t->start[s] + N) * d->out);
            if (d->options.start == PKTSEQ_START_TARGET) FUZZ(p.first == p.target);
            else FUZZ(p.first == (N ? p.target - d->out : NULL));
        }
        if (rows - N > longest) longest = rows - N;
    }
    FUZZ(pair == d->pairs && longest == d->longest && skipped == d->skipped);
    FUZZ(!pktseq_dataset_pair(d, pair).target && !pktseq_dataset_pair(d, (size_t)-1).target);
}

// Any run of rows is encoded as all of them are.
static void dataset_check_parts(const pktseq_dataset *d, const pktseq_codec *codec,
                                const pktseq_table *t) {
    pktseq_real *x = (pktseq_real *)malloc(t->rows * (d->in + d->contexts) * sizeof *x);
    size_t from = t->rows / 3, rows = t->rows - from - t->rows / 4;
    pktseq_error err;
    if (!x) exit(3);
    FUZZ(!pktseq_codec_encode(codec, t, from, rows, PKTSEQ_FORM_DENSE, x, NULL, &err));
    FUZZ(equal_bytes(x, d->x + from * d->in, rows * d->in * sizeof *x));
    if (d->contexts) {
        FUZZ(!pktseq_codec_encode(codec, t, from, rows, PKTSEQ_FORM_CONTEXT, x, NULL, &err));
        FUZZ(equal_bytes(x, d->c + from * d->contexts, rows * d->contexts * sizeof *x));
    }
    FUZZ(pktseq_codec_encode(codec, t, t->rows, 1, PKTSEQ_FORM_DENSE, x, NULL,
                             &err) == PKTSEQ_ERROR_ARGUMENT);
    FUZZ(pktseq_codec_encode(codec, t, 1, (size_t)-1, PKTSEQ_FORM_DENSE, x, NULL,
                             &err) == PKTSEQ_ERROR_ARGUMENT);
    free(x);
}

static void dataset_check_names(const pktseq_codec *codec) {
    char name[600];
    for (size_t k = 0; k < codec->features + codec->contexts; ++k) {
        size_t room = 1 + k * 37 % 50;
        memset(name, 0x5a, sizeof name);
        FUZZ(!pktseq_codec_feature_name(codec, k, name, room));
        FUZZ(memchr(name, 0, room) && name[room] == 0x5a);
    }
    FUZZ(pktseq_codec_feature_name(codec, codec->features + codec->contexts, name, 9));
}

// A codec that went through a checkpoint encodes to the same bits.
static void dataset_check_saved(const pktseq_dataset *d, const pktseq_codec *codec,
                                const pktseq_table *t, fuzz_memory *m) {
    pktseq_config config = pktseq_config_default(d);
    pktseq_model model;
    pktseq_buffer buffer;
    fuzz_loaded l;
    pktseq_real *x = (pktseq_real *)malloc(t->rows * d->in * sizeof *x);
    pktseq_error err;
    if (!x) exit(3);
    config.hidden = 1;
    FUZZ(!pktseq_model_init(&model, &config, 1, &m->allocator, &err));
    FUZZ_THAT(!pktseq_save_mem(&model, codec, NULL, NULL, &buffer, &m->allocator, &err), "%s",
              err.text);
    fuzz_load(&l, buffer.data, buffer.size, m);
    FUZZ_THAT(l.status == PKTSEQ_OK, "%s", l.err.text);
    if (l.status == PKTSEQ_OK) {
        FUZZ(!pktseq_codec_encode(&l.p.codec, t, 0, t->rows, PKTSEQ_FORM_DENSE, x, NULL, &err));
        FUZZ(equal_bytes(x, d->x, t->rows * d->in * sizeof *x));
    }
    fuzz_unload(&l);
    pktseq_buffer_free(&buffer);
    pktseq_model_free(&model);
    free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    pktseq_field field[FUZZ_FIELDS];
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_table table;
    pktseq_codec codec;
    pktseq_dataset dataset;
    pktseq_error err;
    pktseq_status status;
    pktseq_schema schema;
    fuzz_memory memory;
    uint8_t *exact;
    if (size < 1 || size > 20000) return 0;
    schema = fuzz_schema(data[0] & 3, field);
    schema.constant_is_zero = 1;
    options.inputs = (data[0] >> 2) & 3;
    options.start = data[0] & 16 ? PKTSEQ_START_INPUT : PKTSEQ_START_TARGET;
    exact = fuzz_exactly(data + 1, size - 1);
    fuzz_memory_init(&memory, 0);
    memset(&codec, 0, sizeof codec);
    memset(&dataset, 0, sizeof dataset);
    status = pktseq_table_parse(&table, exact, size - 1, &schema, &memory.allocator, &err);
    free(exact);
    if (status == PKTSEQ_OK) {
        memory.calls = 0;
        memory.fail_at = data[0] & 128 ? 1 + size % 40 : 0;
        status = pktseq_codec_fit(&codec, &table, &schema, &memory.allocator, &err);
        fuzz_error(&err, status);
        FUZZ_THAT(status == PKTSEQ_OK || status == PKTSEQ_ERROR_DATA || memory.fail_at, "%s",
                  err.text);
        if (status) FUZZ(!codec.field_count && !codec.field && !codec.first && !codec.target);
    }
    if (status == PKTSEQ_OK) {
        status = pktseq_dataset_init(&dataset, &codec, &table, &options, &memory.allocator, &err);
        fuzz_error(&err, status);
        FUZZ_THAT(status == PKTSEQ_OK || status == PKTSEQ_ERROR_DATA || memory.fail_at, "%s",
                  err.text);
        if (status) FUZZ(!dataset.x && !dataset.pairs && !dataset.packed && !dataset.first_row);
    }
    memory.fail_at = 0;
    if (status == PKTSEQ_OK) {
        FUZZ(dataset.in == codec.features && dataset.out == codec.targets);
        FUZZ(dataset.rows == table.rows && dataset.contexts == codec.contexts);
        pktseq_dataset dense;
        pktseq_real *rows = dataset_dense(&dense, &dataset);
        dataset_check(&dense, &codec, &table);
        dataset_check_pairs(&dataset, &table);
        dataset_check_parts(&dense, &codec, &table);
        dataset_check_names(&codec);
        if (data[0] & 32) dataset_check_saved(&dense, &codec, &table, &memory);
        free(rows);
    }
    for (int i = 0; i < 2; ++i) {
        pktseq_dataset_free(&dataset);
        pktseq_codec_free(&codec);
        pktseq_table_free(&table);
    }
    FUZZ(memory.live == 0);
    return 0;
}
