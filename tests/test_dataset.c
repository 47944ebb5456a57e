// test_dataset.c - section >>dataset: sequences cut into pairs: which rows, which pointers, and
// which are left out.
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "scene.h"

#include <math.h>

static pktseq_error err;

static int pair_is_zero(pktseq_pair pair) {
    return !pair.input && !pair.first && !pair.target && pair.inputs == 0 && pair.targets == 0;
}

// What is left after a failure holds nothing, and may be freed.
static void check_empty(pktseq_dataset *dataset) {
    CHECK(dataset->pairs == 0 && !dataset->packed && !dataset->c && !dataset->first_row &&
          !dataset->length && !dataset->unknown && !dataset->x && !dataset->y);
    CHECK(pair_is_zero(pktseq_dataset_pair(dataset, 0)));
    pktseq_dataset_free(dataset);
    pktseq_dataset_free(dataset);
    CHECK(is_zero(dataset, sizeof *dataset));
}

// ---- views over features of the caller

enum { ROWS = 21, IN = 3, OUT = 2 };

// Sequences of 4, 1, 3, 0, 5, 2, 6 packets.
static const size_t start[] = {0, 4, 5, 8, 8, 13, 15, 21};
static const size_t sequences = 7;
static pktseq_real x[ROWS * IN], y[ROWS * OUT];

static pktseq_dataset wrap(pktseq_dataset_options options, const pktseq_real *targets, size_t out) {
    pktseq_dataset d;
    memset(&d, 0xaa, sizeof d);
    memset(&err, 0xaa, sizeof err);
    CHECK_THAT(pktseq_dataset_wrap(&d, x, IN, targets, out, start, sequences, &options, NULL,
                                   &err) == PKTSEQ_OK, "%s", err.text);
    CHECK(err.status == PKTSEQ_OK && err.text[0] == 0 && err.line == 0);
    return d;
}

static void test_pairs(void) {
    static const struct {
        size_t inputs;
        int drop_last;
        size_t pairs, skipped, longest, sequence[7];  // the sequences that become pairs
    } list[] = {
        {3, 0, 3, 4, 3, {0, 4, 6}},     {3, 1, 2, 4, 2, {0, 4}},
        {1, 0, 5, 2, 5, {0, 2, 4, 5, 6}}, {1, 1, 4, 2, 4, {0, 2, 4, 5}},
        {0, 0, 6, 1, 6, {0, 1, 2, 4, 5, 6}}, {0, 1, 5, 1, 5, {0, 1, 2, 4, 5}},
        {4, 0, 2, 5, 2, {4, 6}},        {4, 1, 1, 5, 1, {4}},
        {5, 0, 1, 6, 1, {6}},           {2, 0, 4, 3, 4, {0, 2, 4, 6}},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; ++i)
        for (int how = 0; how < 4; ++how) {
            pktseq_start begin = how & 1 ? PKTSEQ_START_INPUT : PKTSEQ_START_TARGET;
            const pktseq_real *targets = how & 2 ? x : y;
            size_t out = how & 2 ? IN : OUT, n = list[i].inputs;
            pktseq_dataset_options options = pktseq_dataset_options_default();
            pktseq_dataset d;
            options.inputs = n;
            options.start = begin;
            options.drop_last = list[i].drop_last;
            d = wrap(options, targets, out);
            CHECK(d.in == IN && d.out == out && d.rows == ROWS && d.x == x && d.y == targets);
            CHECK(d.options.inputs == n && d.options.start == begin &&
                  d.options.drop_last == list[i].drop_last);
            CHECK(d.borrowed);
            CHECK_THAT(d.pairs == list[i].pairs && d.skipped == list[i].skipped &&
                       d.longest == list[i].longest, "N = %d: %d pairs, %d skipped, longest %d",
                       (int)n, (int)d.pairs, (int)d.skipped, (int)d.longest);
            for (size_t k = 0; k < list[i].pairs && k < d.pairs; ++k) {
                size_t s = list[i].sequence[k], row = start[s], length = start[s + 1] - row;
                pktseq_pair pair = pktseq_dataset_pair(&d, k);
                CHECK(d.first_row[k] == row && d.length[k] == length);
                CHECK(pair.inputs == n && pair.targets == length - n);
                CHECK(n == 0 || pair.input == x + row * IN);
                CHECK(pair.target == targets + (row + n) * out);
                if (begin == PKTSEQ_START_TARGET)
                    CHECK(pair.first == pair.target);
                else if (n > 0)
                    CHECK(pair.first == targets + (row + n - 1) * out);
                else
                    CHECK(pair.first == NULL);
            }
            CHECK(pair_is_zero(pktseq_dataset_pair(&d, list[i].pairs)));
            CHECK(pair_is_zero(pktseq_dataset_pair(&d, list[i].pairs + 1)));
            CHECK(pair_is_zero(pktseq_dataset_pair(&d, (size_t)-1)));
            pktseq_dataset_free(&d);
            CHECK(is_zero(&d, sizeof d));
            pktseq_dataset_free(&d);
        }
    CHECK(pair_is_zero(pktseq_dataset_pair(NULL, 0)));
    pktseq_dataset_free(NULL);
    // what was borrowed is unchanged
    for (size_t i = 0; i < ROWS * IN; ++i) CHECK(x[i] == (pktseq_real)i);
    for (size_t i = 0; i < ROWS * OUT; ++i) CHECK(y[i] == (pktseq_real)(1000 + i));
}

static void test_options(void) {
    pktseq_dataset_options o = pktseq_dataset_options_default();
    CHECK(o.inputs == 3 && o.start == PKTSEQ_START_TARGET && o.drop_last == 0);
}

static void test_wrap_misuse(void) {
    static const size_t falling[] = {0, 5, 4, 9};
    pktseq_dataset_options options = pktseq_dataset_options_default(), wrong = options;
    pktseq_dataset d;
#define WRAP_FAILS(what, x, in, y, out, start, count, options) \
    do { \
        memset(&d, 0xaa, sizeof d); \
        memset(&err, 0, sizeof err); \
        CHECK(pktseq_dataset_wrap(&d, x, in, y, out, start, count, options, NULL, &err) == \
              PKTSEQ_ERROR_##what); \
        CHECK(err.status == PKTSEQ_ERROR_##what && err.text[0] && err.line == 0); \
        check_empty(&d); \
        CHECK(pktseq_dataset_wrap(&d, x, in, y, out, start, count, options, NULL, NULL) == \
              PKTSEQ_ERROR_##what); \
        pktseq_dataset_free(&d); \
    } while (0)
    WRAP_FAILS(ARGUMENT, NULL, IN, y, OUT, start, sequences, &options);
    WRAP_FAILS(ARGUMENT, x, IN, NULL, OUT, start, sequences, &options);
    WRAP_FAILS(ARGUMENT, x, 0, y, OUT, start, sequences, &options);
    WRAP_FAILS(ARGUMENT, x, IN, y, 0, start, sequences, &options);
    WRAP_FAILS(ARGUMENT, x, IN, y, OUT, NULL, sequences, &options);
    WRAP_FAILS(ARGUMENT, x, IN, y, OUT, start, 0, &options);
    WRAP_FAILS(ARGUMENT, x, IN, y, OUT, start, sequences, NULL);
    WRAP_FAILS(ARGUMENT, x, IN, y, OUT, falling, 3, &options);
    wrong.start = (pktseq_start)2;
    WRAP_FAILS(ARGUMENT, x, IN, y, OUT, start, sequences, &wrong);
    wrong.start = (pktseq_start)77;
    WRAP_FAILS(ARGUMENT, x, IN, y, OUT, start, sequences, &wrong);
    CHECK(pktseq_dataset_wrap(NULL, x, IN, y, OUT, start, sequences, &options, NULL, &err) ==
          PKTSEQ_ERROR_ARGUMENT);
    // nothing long enough
    options.inputs = 6;
    WRAP_FAILS(DATA, x, IN, y, OUT, start, sequences, &options);
    options.inputs = (size_t)-1;
    WRAP_FAILS(DATA, x, IN, y, OUT, start, sequences, &options);
    options.inputs = 5;
    options.drop_last = 1;  // the only one that is long enough
    WRAP_FAILS(DATA, x, IN, y, OUT, start, sequences, &options);
    options.inputs = 0;
    WRAP_FAILS(DATA, x, IN, y, OUT, start, 1, &options);  // the only one there is
    options.drop_last = 0;
    WRAP_FAILS(DATA, x, IN, y, OUT, start + 3, 1, &options);  // no packet
}

// ---- a table, encoded

static const char *const names[] = {"TCP", "UDP"};
static const pktseq_field field[] = {
    {"v", PKTSEQ_NUMBER, 0, 0, 0, NULL, 0},      {"kind", PKTSEQ_ONEHOT, 0, 0, 0, names, 2},
    {"flag", PKTSEQ_FLAG, 0, 0, 0, NULL, 0},     {"other", PKTSEQ_ONEHOT, 0, 0, 0, NULL, 0},
    {"port", PKTSEQ_PORT, 0, 0, 0, NULL, 0},
};
static const char *const csv =
    "position,v,kind,flag,other,port\n0,1,TCP,1,a,80\n1,2,UDP,0,b,2000\n2,3,ICMP,1,a,50000\n"
    "3,4,TCP,0,b,1\n0,5,ARP,1,a,80\n0,6,UDP,0,a,80\n1,7,ARP,1,a,80\n0,8,TCP,0,b,60000\n"
    "1,9,UDP,1,a,5000\n2,10,TCP,0,b,80\n3,11,ARP,1,a,0\n4,12,UDP,0,b,1\n";

// The same table learned with and without fields that are only seen.
static void test_table(void) {
    static const double v_kind_flag[12][4] = {
        {1, 1, 0, 1}, {2, 0, 1, 0}, {3, 0, 0, 1},  {4, 1, 0, 0},  {5, 0, 0, 1},  {6, 0, 1, 0},
        {7, 0, 0, 1}, {8, 1, 0, 0}, {9, 0, 1, 1}, {10, 1, 0, 0}, {11, 0, 0, 1}, {12, 0, 1, 0}};
    static const int is_b[] = {0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1};
    static const int port[] = {0, 1, 2, 0, 0, 0, 0, 2, 1, 0, 0, 0};
    static const size_t target[] = {0, 3, 6, 7, 8};  // v, flag, port
    for (int how = 0; how < 4; ++how) {
        int some_inputs = how & 1;
        pktseq_field copy[5];
        pktseq_schema schema = {NULL, 5, 0, 0};
        pktseq_dataset_options options = pktseq_dataset_options_default();
        pktseq_table table;
        pktseq_codec codec;
        pktseq_dataset d;
        pktseq_pair pair;
        memcpy(copy, field, sizeof copy);
        schema.field = copy;
        copy[1].role = copy[3].role = some_inputs ? PKTSEQ_ROLE_INPUT : PKTSEQ_ROLE_BOTH;
        options.start = how & 2 ? PKTSEQ_START_INPUT : PKTSEQ_START_TARGET;
        CHECK_THAT(pktseq_table_parse(&table, csv, strlen(csv), &schema, NULL, &err) == PKTSEQ_OK,
                   "%s", err.text);
        CHECK_THAT(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_OK, "%s",
                   err.text);
        memset(&d, 0xaa, sizeof d);
        memset(&err, 0xaa, sizeof err);
        CHECK_THAT(pktseq_dataset_init(&d, &codec, &table, &options, NULL, &err) == PKTSEQ_OK,
                   "%s", err.text);
        CHECK(err.status == PKTSEQ_OK && err.text[0] == 0 && err.line == 0);
        // neither is needed afterwards
        pktseq_codec_free(&codec);
        pktseq_table_free(&table);
        CHECK(d.in == 9 && d.out == (some_inputs ? 5u : 9u) && d.rows == 12);
        CHECK(d.pairs == 2 && d.skipped == 2 && d.longest == 2);
        CHECK(!d.borrowed && d.x && (d.y != d.x) == some_inputs);
        CHECK(d.field_count == 5);
        for (size_t f = 0; f < 5; ++f) CHECK(d.unknown[f] == (f == 1 ? 4u : 0u));
        for (size_t row = 0; row < 12; ++row) {
            const pktseq_real *a = d.x + 9 * row, *b = d.y + d.out * row;
            for (size_t i = 0; i < 4; ++i) CHECK((double)a[i] == v_kind_flag[row][i]);
            CHECK(a[4] == !is_b[row] && a[5] == is_b[row]);
            for (int k = 0; k < 3; ++k) CHECK(a[6 + k] == (port[row] == k));
            for (size_t o = 0; o < 5 && some_inputs; ++o) CHECK(b[o] == a[target[o]]);
        }
        for (size_t k = 0; k < 2; ++k) {
            size_t row = k ? 7 : 0;
            pair = pktseq_dataset_pair(&d, k);
            CHECK(d.first_row[k] == row && d.length[k] == (k ? 5u : 4u));
            CHECK(pair.inputs == 3 && pair.targets == (k ? 2u : 1u));
            CHECK(pair.input == d.x + 9 * row && pair.target == d.y + d.out * (row + 3));
            CHECK(pair.first == (how & 2 ? d.y + d.out * (row + 2) : pair.target));
        }
        CHECK(pair_is_zero(pktseq_dataset_pair(&d, 2)));
        pktseq_dataset_free(&d);
        CHECK(is_zero(&d, sizeof d));
    }
}

static void test_table_misuse(void) {
    pktseq_schema schema = {NULL, 5, 0, 0}, few = {NULL, 1, 0, 0};
    pktseq_dataset_options options = pktseq_dataset_options_default(), wrong = options;
    pktseq_table table, only_v, no_table;
    pktseq_codec codec, no_codec;
    pktseq_dataset d;
    schema.field = few.field = field;
    memset(&no_codec, 0, sizeof no_codec);
    memset(&no_table, 0, sizeof no_table);
    CHECK(pktseq_table_parse(&table, csv, strlen(csv), &schema, NULL, &err) == PKTSEQ_OK);
    CHECK(pktseq_table_parse(&only_v, csv, strlen(csv), &few, NULL, &err) == PKTSEQ_OK);
    CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_OK);
#define INIT_FAILS(what, codec, table, options) \
    do { \
        memset(&d, 0xaa, sizeof d); \
        memset(&err, 0, sizeof err); \
        CHECK(pktseq_dataset_init(&d, codec, table, options, NULL, &err) == PKTSEQ_ERROR_##what); \
        CHECK(err.status == PKTSEQ_ERROR_##what && err.text[0] && err.line == 0); \
        check_empty(&d); \
        CHECK(pktseq_dataset_init(&d, codec, table, options, NULL, NULL) == PKTSEQ_ERROR_##what); \
        pktseq_dataset_free(&d); \
    } while (0)
    INIT_FAILS(ARGUMENT, NULL, &table, &options);
    INIT_FAILS(ARGUMENT, &no_codec, &table, &options);
    INIT_FAILS(ARGUMENT, &codec, NULL, &options);
    INIT_FAILS(ARGUMENT, &codec, &no_table, &options);
    INIT_FAILS(ARGUMENT, &codec, &table, NULL);
    wrong.start = (pktseq_start)2;
    INIT_FAILS(ARGUMENT, &codec, &table, &wrong);
    CHECK(pktseq_dataset_init(NULL, &codec, &table, &options, NULL, &err) ==
          PKTSEQ_ERROR_ARGUMENT);
    INIT_FAILS(MISMATCH, &codec, &only_v, &options);
    CHECK(pktseq_dataset_init(&d, &codec, &only_v, &options, NULL, &err) ==
          PKTSEQ_ERROR_MISMATCH);
    CHECK_THAT(strstr(err.text, "\"kind\"") != NULL, "%s", err.text);
    options.inputs = 5;
    INIT_FAILS(DATA, &codec, &table, &options);
    options.inputs = 4;
    options.drop_last = 1;
    INIT_FAILS(DATA, &codec, &table, &options);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
    pktseq_table_free(&only_v);
}

// ---- memory that runs out

static void test_memory(void) {
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_field copy[5];
    pktseq_schema schema = {NULL, 5, 0, 0};
    pktseq_table table;
    pktseq_codec codec;
    pktseq_dataset d;
    counter c, own;
    pktseq_allocator allocator = counted(&c), codecs = counted(&own);
    schema.field = copy;
    memcpy(copy, field, sizeof copy);
    copy[4].role = PKTSEQ_ROLE_INPUT;
    CHECK(pktseq_table_parse(&table, csv, strlen(csv), &schema, NULL, &err) == PKTSEQ_OK);
    CHECK(pktseq_codec_fit(&codec, &table, &schema, &codecs, &err) == PKTSEQ_OK);
    for (int wrapped = 0; wrapped < 2; ++wrapped) {
        size_t at;
        for (at = 1;; ++at) {
            pktseq_status status;
            memset(&c, 0, sizeof c);
            memset(&d, 0xaa, sizeof d);
            c.fail_at = at;
            status = wrapped ? pktseq_dataset_wrap(&d, x, IN, y, OUT, start, sequences, &options,
                                                   &allocator, &err)
                             : pktseq_dataset_init(&d, &codec, &table, &options, &allocator, &err);
            if (status == PKTSEQ_OK) break;
            CHECK(status == PKTSEQ_ERROR_MEMORY && err.status == status && err.text[0]);
            CHECK_THAT(c.live == 0, "allocation %d failed: %d are left", (int)at, (int)c.live);
            check_empty(&d);
        }
        CHECK(at > 2 && c.allocations == at - 1);
        pktseq_dataset_free(&d);
        CHECK(c.live == 0);
    }
    // Encoding may use the codec's allocator; that may fail, too.
    {
        size_t base = own.live, at;
        for (at = 1;; ++at) {
            pktseq_status status;
            memset(&c, 0, sizeof c);
            own.fail_at = own.allocations + at;
            status = pktseq_dataset_init(&d, &codec, &table, &options, &allocator, &err);
            CHECK(own.live == base);
            if (status == PKTSEQ_OK) break;
            CHECK(status == PKTSEQ_ERROR_MEMORY && c.live == 0);
            check_empty(&d);
        }
        pktseq_dataset_free(&d);
    }
    pktseq_codec_free(&codec);
    CHECK(own.live == 0);
    pktseq_table_free(&table);
}

// y may be x only where both have as many features; a table filled by hand is looked at first.
static void test_misuse(void) {
    static const size_t start[] = {0, 5, 10};
    static pktseq_real x[10 * 4];
    static double number[10] = {1, 2, 3};
    char name[] = "length";
    pktseq_field field = field_of("length", PKTSEQ_ZSCORE);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_dataset dataset;
    pktseq_column column = number_column(name, number);
    pktseq_table table = table_of(&column, 1, 10);
    pktseq_codec codec;
    size_t rows[] = {0, 5, 10};
    CHECK(pktseq_dataset_wrap(&dataset, x, 4, x, 8, start, 2, &options, NULL, NULL) ==
          PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    table.start = rows;
    table.sequences = 2;
    CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_codec_encode(&codec, &table, 4, 3, PKTSEQ_FORM_DENSE, x, NULL, NULL) == PKTSEQ_OK);
    table.start = NULL;
    CHECK(pktseq_codec_encode(&codec, &table, 4, 3, PKTSEQ_FORM_DENSE, x, NULL,
                              NULL) == PKTSEQ_ERROR_ARGUMENT);
    pktseq_codec_free(&codec);
    table.start = rows;
    rows[1] = 0;
    CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    rows[1] = 5;
    column.name = NULL;
    CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
}

// ---- context

static const pktseq_field context_field[] = {FIELD("v", NUMBER, INPUT), FIELD("flag", FLAG, BOTH),
                                             FIELD("v", NUMBER, CONTEXT),
                                             FIELD("port", NUMBER, CONTEXT)};

static void test_context(void) {
    static const double port[] = {80, 2000, 50000, 1, 80, 80, 80, 60000, 5000, 80, 0, 1};
    counter c;
    pktseq_allocator allocator = counted(&c);
    pktseq_schema schema;
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_table table;
    pktseq_codec codec;
    pktseq_dataset d;
    const pktseq_group *group;
    pktseq_pair pair;
    pktseq_status status = PKTSEQ_ERROR_MEMORY;
    size_t at = 0;
    memset(&schema, 0, sizeof schema);
    schema.field = context_field;
    schema.field_count = 4;
    CHECK(pktseq_table_parse(&table, csv, strlen(csv), &schema, NULL, &err) == PKTSEQ_OK);
    CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_OK);
    while (status == PKTSEQ_ERROR_MEMORY && at < 100) {
        memset(&c, 0, sizeof c);
        c.fail_at = ++at;
        memset(&d, 0xaa, sizeof d);
        status = pktseq_dataset_init(&d, &codec, &table, &options, &allocator, &err);
        CHECK(err.status == status);
        if (status == PKTSEQ_OK) break;
        CHECK_THAT(c.live == 0 && !d.c && !d.packing.group,
                   "allocation %d", (int)at);
        check_empty(&d);
    }
    CHECK(status == PKTSEQ_OK && at > 6);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
    CHECK(d.in == 2 && d.out == 1 && d.contexts == 2 && d.c && d.packing.groups == 1);
    group = d.packing.group;
    CHECK(group->kind == PKTSEQ_GROUP_FLAG && group->first == 0 && group->count == 1);
    for (size_t row = 0; row < 12; ++row)
        CHECK((double)d.c[2 * row] == (double)row + 1 && (double)d.c[2 * row + 1] == port[row]);
    for (size_t k = 0; k < 2; ++k) {
        pair = pktseq_dataset_pair(&d, k);
        CHECK(pair.context == d.c + 2 * (d.first_row[k] + 3));  // of the target packets
    }
    CHECK(!pktseq_dataset_pair(&d, 2).context);
    {
        pktseq_config config = pktseq_config_default(&d);
        CHECK(config.group == group && config.groups == 1 && config.loss == PKTSEQ_LOSS_MSE);
    }
    pktseq_dataset_free(&d);
    CHECK(c.live == 0 && is_zero(&d, sizeof d));
}

// ---- packed rows

// A table of so many categories that its packets are packed, some of them unknown to the codec.
enum { MANY = 120, PACKED_ROWS = 700 };
static const pktseq_field many_field[] = {
    FIELD("v", ZSCORE, BOTH), {"kind", PKTSEQ_ONEHOT, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 4},
    FIELD("seen", ONEHOT, INPUT), FIELD("flag", FLAG, BOTH), FIELD("port", PORT, BOTH)};

static void many_table(pktseq_table *table, pktseq_codec *codec, int inputs_only) {
    static char text[64 * PACKED_ROWS];
    static pktseq_field copy[5];
    pktseq_schema schema = {NULL, 5, 0, 0};
    size_t n = (size_t)sprintf(text, "position,v,kind,seen,flag,port\n");
    unsigned r = 1;
    for (size_t row = 0, left = 0, position = 0; row < PACKED_ROWS; ++row, ++position) {
        r = r * 1103515245u + 12345u;
        if (left-- == 0) left = 3 + (r >> 16) % 9, position = 0;
        n += (size_t)sprintf(text + n, "%u,%d,k%u,s%u,%u,%u\n", (unsigned)position,
                             (int)(r >> 20) % 7 - 3, (r >> 12) % MANY, (r >> 9) % 5, (r >> 25) & 1,
                             (r >> 8) % 65536);
    }
    memcpy(copy, many_field, sizeof copy);
    if (!inputs_only) copy[2].role = PKTSEQ_ROLE_BOTH;
    schema.field = copy;
    CHECK_THAT(!pktseq_table_parse(table, text, n, &schema, NULL, &err), "%s", err.text);
    CHECK_THAT(!pktseq_codec_fit(codec, table, &schema, NULL, &err), "%s", err.text);
}

// Trains on packed rows and on the same rows dense, and scores with both: the same bits.
static void packed_as_dense(const pktseq_dataset *packed, const pktseq_dataset *dense, int how) {
    const pktseq_dataset *data[2];
    pktseq_config config = pktseq_config_default(packed);
    pktseq_detector_options options;
    pktseq_model model[2];
    double *score[2], alone;
    data[0] = packed;
    data[1] = dense;
    config.hidden = how & 1 ? 20 : 70;
    config.loss = how & 2 ? PKTSEQ_LOSS_NLL : PKTSEQ_LOSS_MSE;
    memset(&options, 0, sizeof options);
    options.measure = how & 2 ? PKTSEQ_MEASURE_SURPRISAL : PKTSEQ_MEASURE_RMS;
    options.one_step_ahead = how & 1;
    for (int k = 0; k < 2; ++k) {
        pktseq_train_config train = pktseq_train_config_default();
        pktseq_training training;
        pktseq_detector detector;
        pktseq_stream stream;
        pktseq_pair pair = pktseq_dataset_pair(data[k], 1);
        size_t row = data[k]->first_row[1];
        memset(&training, 0, sizeof training);
        train.iterations = 4;
        train.batch = how & 4 ? 1 : 36;
        train.learning_rate = 0.01;
        train.momentum = how & 8 ? 0.9 : 0;
        train.clip = how & 16 ? 0.5 : 0;
        train.teacher_forcing = how & 32 ? 0.5 : 1;
        train.threads = k ? 1 : 3;  // so this compares numbers of threads, too
        CHECK(!pktseq_model_init(&model[k], &config, 7, NULL, &err));
        CHECK_THAT(!pktseq_train(&model[k], data[k], &train, &training, &err), "%s", err.text);
        CHECK(!pktseq_detector_init(&detector, &model[k], 0, &options, NULL, &err));
        CHECK(!pktseq_detector_fit(&detector, &model[k], data[k], 2, &err));
        score[k] = (double *)calloc(packed->pairs, sizeof *score[k]);
        CHECK(!pktseq_detector_score_all(&detector, &model[k], data[k], 2, score[k], &err));
        CHECK(!pktseq_stream_init(&stream, &model[k], &detector, NULL, &err));
        for (size_t i = 0; i < pair.inputs + pair.targets; ++i, ++row)
            CHECK(!pktseq_stream_push(&stream, dense->x + row * dense->in,
                                      dense->y + row * dense->out, NULL));
        CHECK(!pktseq_stream_score(&stream, &alone));
        CHECK(memcmp(&alone, &score[k][1], sizeof alone) == 0);
        pktseq_stream_free(&stream);
        pktseq_detector_free(&detector);
        pktseq_training_free(&training);
    }
    CHECK_THAT(memcmp(model[0].block, model[1].block, model[0].parameters * sizeof(pktseq_real)) ==
                   0, "weights, way %d", how);
    CHECK_THAT(memcmp(score[0], score[1], packed->pairs * sizeof(double)) == 0, "scores, way %d",
               how);
    for (int k = 0; k < 2; ++k) {
        free(score[k]);
        pktseq_model_free(&model[k]);
    }
}

static void test_packed(void) {
    for (int how = 0; how < 64; ++how) {
        pktseq_dataset_options options = pktseq_dataset_options_default();
        pktseq_table table;
        pktseq_codec codec;
        pktseq_dataset packed, dense;
        pktseq_real *in, *out, *all;
        size_t unknown[5] = {0, 0, 0, 0, 0};
        options.inputs = how % 3 ? (size_t)how % 3 : 0;
        options.start = how & 8 ? PKTSEQ_START_INPUT : PKTSEQ_START_TARGET;
        many_table(&table, &codec, how % 5 == 0);
        CHECK_THAT(!pktseq_dataset_init(&packed, &codec, &table, &options, NULL, &err), "%s",
                   err.text);
        CHECK(packed.packed && !packed.x && !packed.y && packed.packing.fields == 5);
        CHECK(packed.packing.features == codec.features && packed.unknown[1] > 0);
        in = (pktseq_real *)calloc(packed.rows * packed.in, sizeof *in);
        all = (pktseq_real *)calloc(packed.rows * packed.in, sizeof *all);
        out = (pktseq_real *)calloc(packed.rows * packed.out, sizeof *out);
        CHECK(!pktseq_codec_encode(&codec, &table, 0, table.rows, PKTSEQ_FORM_DENSE, all, unknown,
                                   &err));
        CHECK(memcmp(unknown, packed.unknown, sizeof unknown) == 0);
        for (size_t row = 0; row < packed.rows; ++row) {
            CHECK(!pktseq_dataset_dense(&packed, row, in + row * packed.in,
                                        out + row * packed.out));
            for (size_t o = 0; o < packed.out; ++o)
                CHECK(out[row * packed.out + o] == in[row * packed.in + codec.target[o]]);
        }
        CHECK(memcmp(in, all, packed.rows * packed.in * sizeof *in) == 0);
        CHECK(pktseq_dataset_dense(&packed, packed.rows, in, out) == PKTSEQ_ERROR_ARGUMENT);
        CHECK(!pktseq_dataset_wrap(&dense, in, packed.in, out, packed.out, table.start,
                                   table.sequences, &options, NULL, &err));
        packed_as_dense(&packed, &dense, how);
        pktseq_dataset_free(&packed);
        pktseq_dataset_free(&dense);
        pktseq_codec_free(&codec);
        pktseq_table_free(&table);
        free(in);
        free(all);
        free(out);
    }
}

// Sequences that count never, once and several times: those that count several times are trained
// on, be they held out or not.
static void test_times(void) {
    enum { SEQUENCES = 10 };
    static const unsigned char times[SEQUENCES] = {1, 0, 3, 1, 1, 1, 1, 1, 2, 0};
    pktseq_real x[2 * SEQUENCES];
    size_t start[SEQUENCES + 1], seen[SEQUENCES] = {0}, held[SEQUENCES] = {0};
    pktseq_dataset_options o = pktseq_dataset_options_default();
    pktseq_dataset d;
    pktseq_error err;
    CHECK(o.repeats == NULL);
    for (size_t i = 0; i < 2 * SEQUENCES; ++i) x[i] = (pktseq_real)i;
    for (size_t s = 0; s <= SEQUENCES; ++s) start[s] = 2 * s;
    o.inputs = 0;
    o.start = PKTSEQ_START_INPUT;
    o.hold_out = 0.5;
    o.repeats = times;
    CHECK(!pktseq_dataset_wrap(&d, x, 1, x, 1, start, SEQUENCES, &o, NULL, &err));
    CHECK(d.pairs == 11 && d.options.repeats == NULL && d.trained > 5 && d.trained < 11);
    for (size_t i = 0; i < d.pairs; ++i) {
        pktseq_pair pair = pktseq_dataset_pair(&d, i);
        size_t s = d.first_row[i] / 2;
        CHECK(pair.targets == 2 && pair.target[0] == (pktseq_real)(2 * s));
        ++seen[s];
        held[s] += i >= d.trained;
    }
    for (size_t s = 0; s < SEQUENCES; ++s)
        CHECK(seen[s] == times[s] && (times[s] == 1 ? held[s] == s % 2 : held[s] == 0));
    pktseq_dataset_free(&d);
    memset(seen, 0, sizeof seen);
    o.repeats = (const unsigned char *)seen;  // all zeros
    CHECK(pktseq_dataset_wrap(&d, x, 1, x, 1, start, SEQUENCES, &o, NULL, &err) ==
          PKTSEQ_ERROR_DATA && !d.first_row);
}

int main(void) {
    for (size_t i = 0; i < ROWS * IN; ++i) x[i] = (pktseq_real)i;
    for (size_t i = 0; i < ROWS * OUT; ++i) y[i] = (pktseq_real)(1000 + i);
    test_options();
    test_pairs();
    test_wrap_misuse();
    test_table();
    test_table_misuse();
    test_memory();
    test_misuse();
    test_context();
    test_packed();
    test_times();
    return check_end("test_dataset");
}
