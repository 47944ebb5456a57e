// test_gaps.c - what the other tests never reach: the seldom branches that coverage.sh lists, in
// the order of the header's sections. Each test says what a user would see if it failed.
//
// cc -O2 -fopenmp tests/test_gaps.c -o build/test_gaps -lm && ./build/test_gaps
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "check.h"

#include <float.h>
#include <math.h>

typedef pktseq_real real;

// A schema of a few fields.
static pktseq_schema schema_of(const pktseq_field *field, size_t count) {
    pktseq_schema schema;
    memset(&schema, 0, sizeof schema);
    schema.field = field;
    schema.field_count = count;
    schema.constant_is_zero = 1;
    return schema;
}

static pktseq_field field_of(const char *column, pktseq_kind kind) {
    pktseq_field field;
    memset(&field, 0, sizeof field);
    field.column = column;
    field.kind = kind;
    return field;
}

static pktseq_status parse(pktseq_table *table, const char *text, const pktseq_schema *schema,
                           pktseq_error *err) {
    return pktseq_table_parse(table, text, strlen(text), schema, NULL, err);
}

static int says(const pktseq_error *err, const char *words) {
    return strstr(err->text, words) != NULL;
}

// ---- >>memory -----------------------------------------------------------------------------------

// A program shows what it is made of, and what went wrong, in words.
static void test_words(void) {
    const char *info = pktseq_build_info();
    CHECK(strcmp(pktseq_version(), PKTSEQ_VERSION) == 0);
    CHECK(PKTSEQ_CHECK_HEADER() == PKTSEQ_OK);
    CHECK(pktseq_check_header("0.0.1", sizeof(real), PKTSEQ_STRUCT_SIZES) ==
          PKTSEQ_ERROR_MISMATCH);
    CHECK(pktseq_check_header(PKTSEQ_VERSION, 12 - sizeof(real), PKTSEQ_STRUCT_SIZES) ==
          PKTSEQ_ERROR_MISMATCH);
    CHECK(pktseq_check_header(PKTSEQ_VERSION, sizeof(real), PKTSEQ_STRUCT_SIZES + 8) ==
          PKTSEQ_ERROR_MISMATCH);
    CHECK(pktseq_check_header(NULL, sizeof(real), PKTSEQ_STRUCT_SIZES) == PKTSEQ_ERROR_MISMATCH);
    for (int a = 0; a <= (int)PKTSEQ_ERROR_DIVERGED + 1; ++a) {
        const char *words = pktseq_status_text((pktseq_status)a);
        CHECK(words && words[0]);
        for (int b = 0; b < a; ++b)  // each status has words of its own
            CHECK(strcmp(words, pktseq_status_text((pktseq_status)b)) != 0);
    }
    CHECK(strcmp(pktseq_status_text(PKTSEQ_ERROR_MEMORY), "out of memory") == 0);
    CHECK_THAT(strstr(info, PKTSEQ_VERSION), "%s", info);
    CHECK_THAT(strstr(info, sizeof(real) == 4 ? "float" : "double"), "%s", info);
    CHECK_THAT(strstr(info, "plain C") || strstr(info, "AVX") || strstr(info, "FMA") ||
                   strstr(info, "NEON"), "%s", info);
#ifdef _OPENMP
    CHECK_THAT(strstr(info, "OpenMP") && !strstr(info, "no OpenMP"), "%s", info);
#endif
}

// An arena has no free_fn: nothing may be called, and nothing of the C library's freed.
typedef struct arena {
    double memory[1 << 16];
    size_t used;
} arena;

static void *arena_alloc(size_t size, void *user_data) {
    arena *a = (arena *)user_data;
    size_t at = a->used, count = (size + 63) / 64 * 8;
    if (count > sizeof a->memory / sizeof *a->memory - at) return NULL;
    a->used += count;
    return a->memory + at;
}

static void test_arena(void) {
    static arena a;
    pktseq_allocator allocator;
    pktseq_field field = field_of("length", PKTSEQ_ZSCORE);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_table table;
    pktseq_codec codec;
    pktseq_error err;
    const char *csv = "position,length\n0,60\n1,70\n2,80\n";
    memset(&allocator, 0, sizeof allocator);
    allocator.alloc_fn = arena_alloc;
    allocator.user_data = &a;
    CHECK_THAT(pktseq_table_parse(&table, csv, strlen(csv), &schema, &allocator, &err) == 0, "%s",
               err.text);
    CHECK_THAT(pktseq_codec_fit(&codec, &table, &schema, &allocator, &err) == 0, "%s", err.text);
    CHECK(a.used > 0 && codec.field[0].mean == 70 && fabs(codec.field[0].sd - 10) < 1e-12);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
    CHECK(!table.column && !codec.field);
}

// ---- >>table ------------------------------------------------------------------------------------

// A schema of a program's own with too many categories is refused by name, before any reading.
static void test_many_categories(void) {
    enum { MOST = 4096 };
    static char name[MOST + 1][8];
    static const char *category[MOST + 1];
    pktseq_field field = field_of("protocol", PKTSEQ_ONEHOT);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_table table;
    pktseq_codec codec;
    pktseq_error err;
    for (int i = 0; i <= MOST; ++i) {
        sprintf(name[i], "P%d", i);
        category[i] = name[i];
    }
    field.category = category;
    field.category_count = MOST + 1;
    CHECK(parse(&table, "position,protocol\n0,P4095\n1,P4096\n", &schema, &err) ==
          PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "protocol") && says(&err, "4097") && says(&err, "4096"), "%s", err.text);
    field.category_count = MOST;
    CHECK_THAT(parse(&table, "position,protocol\n0,P4095\n1,P4096\n", &schema, &err) == 0, "%s",
               err.text);
    CHECK_THAT(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == 0, "%s", err.text);
    CHECK(codec.features == MOST);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
}

// Values that are no member of their enum, as an older or newer program might pass.
static void test_unknown_members(void) {
    pktseq_field field[2] = {field_of("length", PKTSEQ_ZSCORE), field_of("gap", PKTSEQ_ZSCORE)};
    pktseq_schema schema = schema_of(field, 2);
    pktseq_table table;
    pktseq_error err;
    for (int i = 0; i < 4; ++i) {
        field[1] = field_of("gap", PKTSEQ_ZSCORE);
        memset(i < 2 ? (void *)&field[1].kind : (void *)&field[1].role, i % 2 ? 0xff : 0x7f,
               sizeof field[1].kind);
        CHECK(parse(&table, "position,length,gap\n0,1,2\n", &schema, &err) ==
              PKTSEQ_ERROR_ARGUMENT);
        CHECK_THAT(says(&err, "\"gap\" has an unknown"), "%s", err.text);
    }
}

// Two fields of one column: its cells must suit both, whichever comes first.
static void test_stricter(void) {
    pktseq_field field[2] = {field_of("src_port", PKTSEQ_NUMBER), field_of("", PKTSEQ_PORT)};
    pktseq_schema schema = schema_of(field, 2);
    pktseq_table table;
    pktseq_error err;
    for (int turn = 0; turn < 2; ++turn) {
        field[turn] = field_of("src_port", PKTSEQ_NUMBER);
        field[1 - turn] = field_of("src_port", PKTSEQ_PORT);
        CHECK(parse(&table, "position,src_port\n0,80\n1,80.5\n", &schema, &err) ==
              PKTSEQ_ERROR_DATA);
        CHECK_THAT(says(&err, "80.5") && says(&err, "port") && err.line == 3, "%s", err.text);
        CHECK_THAT(parse(&table, "position,src_port\n0,80\n1,81\n", &schema, &err) == 0, "%s",
                   err.text);
        CHECK(table.column_count == 1 && table.column[0].number[1] == 81);
        pktseq_table_free(&table);
    }
}

// Names that differ only far from their end are different protocols.
static void test_same_ends(void) {
    pktseq_field field = field_of("protocol", PKTSEQ_ONEHOT);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_table table;
    pktseq_error err;
    char csv[8000];
    const pktseq_column *column;
    size_t at = (size_t)sprintf(csv, "position,protocol\n");
    for (int i = 0; i < 300; ++i)
        at += (size_t)sprintf(csv + at, "%d,%c-protocol\n", i, "ABBA"[i % 4]);
    CHECK_THAT(parse(&table, csv, &schema, &err) == 0, "%s", err.text);
    column = pktseq_table_column(&table, "protocol");
    CHECK(column && column->name_count == 2);
    for (size_t i = 0; column && i < table.rows; ++i)
        CHECK(column->names[column->text[i]][0] == "ABBA"[i % 4]);
    pktseq_table_free(&table);
}

// tcp.flags with a capital X, and tcp.flags.res that is none of its numbers.
static void test_flag_words(void) {
    pktseq_field field = field_of("syn", PKTSEQ_FLAG);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_table table;
    pktseq_error err;
    const char *const bad[] = {"2.5", "-1", "8"};
    char csv[300];
    schema.rule = pktseq_rule_default();
    CHECK_THAT(parse(&table, "frame.time_relative,ip.src,ip.dst,tcp.flags\n0,a,b,0X0002\n"
                             "1,b,a,0x10\n2,a,b,2\n3,b,a,0X12\n", &schema, &err) == 0,
               "%s", err.text);
    for (size_t i = 0; i < table.rows; ++i)
        CHECK(pktseq_table_column(&table, "syn")->number[i] == (i != 1));
    pktseq_table_free(&table);
    field = field_of("res", PKTSEQ_FLAG);
    for (int i = 0; i < 3; ++i) {
        sprintf(csv, "frame.time_relative,ip.src,ip.dst,tcp.flags.res\n0,a,b,0\n1,b,a,7\n"
                     "2,a,b,1\n3,b,a,%s\n", bad[i]);
        CHECK(parse(&table, csv, &schema, &err) == PKTSEQ_ERROR_DATA);
        CHECK_THAT(says(&err, "res") && says(&err, bad[i]) && err.line == 5, "%s", err.text);
    }
}

// An IPv6 address in the last column of a capture is found.
static void test_last_column(void) {
    pktseq_field field = field_of("length", PKTSEQ_ZSCORE);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_table table;
    pktseq_error err;
    const pktseq_column *src;
    schema.rule = pktseq_rule_default();
    CHECK_THAT(parse(&table, "frame.time_relative,ip.src,ip.dst,frame.len,other,ipv6.dst,ipv6.src\n"
                             "0,,,60,x,::2,::1\n1,a,b,61,x,,\n2,,,62,x,::1,::2\n3,b,a,63,x,,\n",
                     &schema, &err) == 0, "%s", err.text);
    src = pktseq_table_column(&table, "src_ip");
    CHECK(src && src->text && strcmp(src->names[src->text[0]], "::1") == 0);
    CHECK(src && src->text && strcmp(src->names[src->text[2]], "::2") == 0);
    CHECK(src && src->text && strcmp(src->names[src->text[3]], "b") == 0);
    pktseq_table_free(&table);
}

// Separators that may stand in a number: what is between them is a number all the same.
static void test_odd_separators(void) {
    pktseq_field field = field_of("length", PKTSEQ_ZSCORE);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_table table;
    pktseq_error err;
    schema.separator = '-';
    CHECK_THAT(parse(&table, "position-length\n0-60\n1-61.5\n0-7e1\n", &schema, &err) == 0, "%s",
               err.text);
    CHECK(table.rows == 3 && table.sequences == 2 && table.column[0].number[0] == 60 &&
          table.column[0].number[1] == 61.5 && table.column[0].number[2] == 70);
    pktseq_table_free(&table);
    schema.separator = '.';
    CHECK_THAT(parse(&table, "position.length\n0.60\n1.61\n", &schema, &err) == 0, "%s", err.text);
    CHECK(table.rows == 2 && table.column[0].number[0] == 60 && table.column[0].number[1] == 61);
    pktseq_table_free(&table);
}

// What is missing is said as what the user asked for: a field, or something a field is made of.
static void test_missing(void) {
    pktseq_field field[2] = {field_of("src_port", PKTSEQ_PORT),
                             field_of("same_connection", PKTSEQ_FLAG)};
    pktseq_schema schema = schema_of(field, 2);
    pktseq_table table;
    pktseq_error err;
    CHECK(parse(&table, "position,src_ip,dst_ip,dst_port\n0,a,b,80\n", &schema, &err) ==
          PKTSEQ_ERROR_DATA);
    CHECK_THAT(says(&err, "\"src_port\" is missing; found 4 columns"), "%s", err.text);
    CHECK(parse(&table, "position,src_ip,dst_ip,src_port\n0,a,b,80\n", &schema, &err) ==
          PKTSEQ_ERROR_DATA);
    CHECK_THAT(says(&err, "\"dst_port\" is missing, of which features are made"), "%s", err.text);
    schema.rule = pktseq_rule_default();
    CHECK(parse(&table, "timestamp,dst_ip,src_port,dst_port\n0,a,80,80\n", &schema, &err) ==
          PKTSEQ_ERROR_DATA);
    CHECK_THAT(says(&err, "\"src_ip\" is missing, without which"), "%s", err.text);
}

// ---- >>derive -----------------------------------------------------------------------------------

// A table filled by hand, whose dst_ip is a number: direction needs src_ip alone.
static void test_direction_alone(void) {
    char src_name[] = "src_ip", dst_name[] = "dst_ip", a[] = "a", b[] = "b";
    char *names[] = {a, b};
    uint32_t text[] = {0, 1, 0, 1};
    double number[] = {1, 2, 3, 4};
    size_t start[] = {0, 2, 4};
    pktseq_column column[2];
    pktseq_table table;
    pktseq_field field = field_of("direction", PKTSEQ_FLAG);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_error err;
    memset(column, 0, sizeof column);
    memset(&table, 0, sizeof table);
    column[0].name = src_name;
    column[0].text = text;
    column[0].names = names;
    column[0].name_count = 2;
    column[1].name = dst_name;
    column[1].number = number;
    table.rows = 4;
    table.sequences = 2;
    table.start = start;
    table.column = column;
    table.column_count = 2;
    {   // the added column makes a new array; the old one is not the table's to free
        pktseq_table copy = table;
        copy.column = (pktseq_column *)malloc(sizeof column);
        memcpy(copy.column, column, sizeof column);
        CHECK_THAT(pktseq_table_derive(&copy, &schema, &err) == PKTSEQ_OK, "%s", err.text);
        CHECK(copy.column_count == 3);
        for (size_t i = 0; i < 4 && copy.column_count == 3; ++i)
            CHECK(copy.column[2].number[i] == (i % 2 == 0));
        if (copy.column_count == 3) {
            free(copy.column[2].name);
            free(copy.column[2].number);
        }
        free(copy.column);
    }
}

// ---- >>codec ------------------------------------------------------------------------------------

// A table filled by hand with more different texts than a one-hot can have, and with none at all.
static void test_learned_names(void) {
    enum { MANY = 4097 };
    static char text[MANY][8];
    static char *names[MANY];
    static uint32_t index[MANY];
    char column_name[] = "protocol";
    size_t start[] = {0, MANY};
    pktseq_column column;
    pktseq_table table;
    pktseq_codec codec;
    pktseq_field field = field_of("protocol", PKTSEQ_ONEHOT);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_error err;
    for (uint32_t i = 0; i < MANY; ++i) {
        sprintf(text[i], "P%u", (unsigned)i);
        names[i] = text[i];
        index[i] = i;
    }
    memset(&column, 0, sizeof column);
    memset(&table, 0, sizeof table);
    column.name = column_name;
    column.text = index;
    column.names = names;
    column.name_count = MANY;
    table.rows = MANY;
    table.sequences = 1;
    table.start = start;
    table.column = &column;
    table.column_count = 1;
    CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_ERROR_DATA);
    CHECK_THAT(says(&err, "protocol") && says(&err, "4097"), "%s", err.text);
    index[MANY - 1] = 0;  // the last name no longer occurs
    CHECK_THAT(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_OK, "%s", err.text);
    CHECK(codec.features == 4096);
    pktseq_codec_free(&codec);
    column.name_count = 0;
    CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "not among its names"), "%s", err.text);
    pktseq_codec_free(&codec);
}

// A value that fits double, but not float, is refused instead of becoming infinite.
static void test_too_large(void) {
    pktseq_field field = field_of("length", PKTSEQ_NUMBER);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_table table;
    pktseq_codec codec;
    pktseq_error err;
    real x[2];
    pktseq_status status;
    CHECK(parse(&table, "position,length\n0,1\n1,1e300\n", &schema, &err) == PKTSEQ_OK);
    CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_OK);
    status = pktseq_codec_encode(&codec, &table, 0, 2, x, NULL, &err);
    if (sizeof(real) == 4) {
        CHECK(status == PKTSEQ_ERROR_DATA);
        CHECK_THAT(says(&err, "length"), "%s", err.text);
    } else {
        CHECK(status == PKTSEQ_OK && (double)x[1] > (double)FLT_MAX);
    }
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
}

// ---- >>model ------------------------------------------------------------------------------------

// A config made by hand: what is senseless is refused in words.
static void test_configs(void) {
    pktseq_config config = pktseq_config_default(NULL), other;
    pktseq_model model;
    pktseq_work work;
    pktseq_error err;
    CHECK(config.hidden == 256 && config.in == 0 && config.out == 0 && config.inputs == 0);
    config.in = config.out = 2;
    config.hidden = 3;
    other = config;
    memset(&other.start, 7, sizeof other.start);  // C++ knows no cast to what is no member
    CHECK(pktseq_model_init(&model, other, 1, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "start"), "%s", err.text);
#if SIZE_MAX > UINT32_MAX
    other = config;
    other.inputs = (size_t)UINT32_MAX + 1;
    CHECK(pktseq_model_init(&model, other, 1, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "inputs"), "%s", err.text);
#endif
    CHECK(pktseq_work_init(&work, config, 1, 1, 1025, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_work_init(&work, config, 1, 1, -1, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_work_init(&work, config, 1, 1, 1024, NULL, &err) == PKTSEQ_OK);
    pktseq_work_free(&work);
}

// ---- >>backward ---------------------------------------------------------------------------------

// A wide network and a single sequence, which takes a way of its own through the hidden units: its
// gradient is that of a batch of two times the same sequence.
static void test_wide(void) {
    enum { UNITS = 700, LONG = 3 };
    real x[LONG * 2], y[LONG * 2];
    pktseq_config config = pktseq_config_default(NULL);
    pktseq_model model;
    pktseq_work one, two;
    pktseq_pair pair[2];
    double worst = 0, largest = 0;
    config.in = config.out = 2;
    config.hidden = UNITS;
    config.inputs = LONG;
    for (size_t i = 0; i < LONG * 2; ++i) {
        x[i] = (real)sin(3.0 * (double)i);
        y[i] = (real)cos(5.0 * (double)i);
    }
    memset(pair, 0, sizeof pair);
    pair[0].input = x;
    pair[0].inputs = LONG;
    pair[0].target = pair[0].first = y;
    pair[0].targets = LONG;
    pair[1] = pair[0];
    CHECK(pktseq_model_init(&model, config, 4, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_work_init(&one, config, 1, LONG, 1, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_work_init(&two, config, 2, LONG, 1, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_zero_grad(&one) == PKTSEQ_OK && pktseq_zero_grad(&two) == PKTSEQ_OK);
    CHECK(pktseq_forward(&model, &one, pair, 1, NULL) == PKTSEQ_OK);
    CHECK(pktseq_forward(&model, &two, pair, 2, NULL) == PKTSEQ_OK);
    CHECK(pktseq_backward(&model, &one) == PKTSEQ_OK);
    CHECK(pktseq_backward(&model, &two) == PKTSEQ_OK);
    for (size_t i = 0; i < model.parameters; ++i) {
        double a = (double)one.grad_block[i], b = (double)two.grad_block[i];
        worst = fabs(a - b) > worst ? fabs(a - b) : worst;
        largest = fabs(a) > largest ? fabs(a) : largest;
    }
    CHECK_THAT(largest > 1e-3 && worst < 1e-5 * largest, "%g of %g", worst, largest);
    pktseq_work_free(&one);
    pktseq_work_free(&two);
    pktseq_model_free(&model);
}

// ---- >>train ------------------------------------------------------------------------------------

enum { ROWS = 12, WIDE = 2 };

// Twelve packets in three sequences, all `value`.
static void flat_dataset(pktseq_dataset *dataset, real *x, double value) {
    static const size_t start[] = {0, 4, 8, 12};
    pktseq_dataset_options options = pktseq_dataset_options_default();
    for (size_t i = 0; i < ROWS * WIDE; ++i) x[i] = (real)value;
    CHECK(pktseq_dataset_wrap(dataset, x, WIDE, x, WIDE, start, 3, &options, NULL, NULL) == 0);
}

static void flat_model(pktseq_model *model, const pktseq_dataset *dataset) {
    pktseq_config config = pktseq_config_default(dataset);
    config.hidden = 5;
    CHECK(pktseq_model_init(model, config, 3, NULL, NULL) == PKTSEQ_OK);
}

// Numbers that a checkpoint could not hold are refused before the training, not after it.
static void test_train_limits(void) {
    real x[ROWS * WIDE];
    pktseq_dataset dataset;
    pktseq_model model;
    pktseq_training training;
    pktseq_train_config config = pktseq_train_config_default(), bad;
    pktseq_error err;
    flat_dataset(&dataset, x, 1);
    flat_model(&model, &dataset);
    memset(&training, 0, sizeof training);
    for (int i = 0; i < 7; ++i) {
        bad = config;
        if (i == 0) bad.order = (pktseq_order)3;
        if (i == 1) memset(&bad.order, 0xff, sizeof bad.order);
        if (i == 2) bad.batch = (size_t)UINT32_MAX;
        if (i == 3) bad.milestone[2] = bad.milestone[1];
        if (i == 4) bad.momentum = 1;
        if (i == 5) bad.threads = 1025;
        if (i == 6) bad.teacher_forcing = 1.5;
        CHECK_THAT(pktseq_train(&model, &dataset, &bad, &training, &err) ==
                       PKTSEQ_ERROR_ARGUMENT && err.text[0], "%d: %s", i, err.text);
#if SIZE_MAX > UINT32_MAX
        if (i > 2) continue;
        bad = config;
        if (i == 0) bad.iterations = (size_t)UINT32_MAX + 1;
        if (i == 1) bad.report_every = (size_t)UINT32_MAX + 1;
        if (i == 2) bad.point_every = (size_t)UINT32_MAX + 1;
        CHECK_THAT(pktseq_train(&model, &dataset, &bad, &training, &err) ==
                       PKTSEQ_ERROR_ARGUMENT && err.text[0], "%d: %s", i, err.text);
#endif
    }
    CHECK(training.iteration == 0 && !training.point);
    pktseq_training_free(&training);
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
}

// The loss is still finite, but the norm of its gradient is not: clipping, too, tells the user that
// training diverged, and leaves the weights as they were, instead of making all of them 0 or NaN.
static void test_gradient_overflow(void) {
    static const size_t start[] = {0, 4, 8, 12};
    real x[ROWS * WIDE], y[ROWS];
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_dataset dataset;
    pktseq_model model, before;
    pktseq_training training;
    pktseq_train_config config = pktseq_train_config_default();
    pktseq_error err;
    pktseq_status status;
    memset(x, 0, sizeof x);
    for (size_t i = 0; i < ROWS; ++i)
        y[i] = i % 4 < 3 ? (real)0 : (real)(sizeof(real) == 4 ? 3e38 : 1.2e154);
    options.start = PKTSEQ_START_INPUT;
    CHECK(pktseq_dataset_wrap(&dataset, x, WIDE, y, 1, start, 3, &options, NULL, NULL) == 0);
    flat_model(&model, &dataset);
    flat_model(&before, &dataset);
    memset(&training, 0, sizeof training);
    config.iterations = 1;  // a second one would see it by its loss
    config.clip = 1;
    status = pktseq_train(&model, &dataset, &config, &training, &err);
    CHECK_THAT(status == PKTSEQ_ERROR_DIVERGED && err.text[0], "%d %s", (int)status, err.text);
    CHECK(memcmp(model.block, before.block, model.parameters * sizeof(real)) == 0);
    CHECK(training.iteration == 0);
    pktseq_training_free(&training);
    pktseq_model_free(&before);
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
}

// A model that is spoilt after `when` iterations, and the loss points it had until then.
typedef struct spoiler {
    pktseq_model *model;
    size_t when;
    double point[1100];
} spoiler;

static int spoil(void *user_data, const pktseq_progress *progress) {
    spoiler *s = (spoiler *)user_data;
    s->point[progress->iteration - 1] = progress->training->point[progress->iteration - 1];
    if (progress->iteration == s->when)
        for (size_t i = 0; i < s->model->parameters; ++i)
            s->model->block[i] = (real)(i % 2 ? HUGE_VAL : -HUGE_VAL);
    return 0;
}

// A run that diverges, whenever it does, keeps its loss history: also when the history has just
// been moved to more room, which is made for 1024 points at first.
static void test_history_of_diverged(void) {
    real x[ROWS * WIDE];
    pktseq_dataset dataset;
    flat_dataset(&dataset, x, 1);
    for (size_t when = 1; when < 1100; when += when < 1010 ? 509 : 1) {
        static spoiler s;
        pktseq_model model;
        pktseq_training training;
        pktseq_train_config config = pktseq_train_config_default();
        pktseq_status status;
        size_t finite = 0;
        memset(&training, 0, sizeof training);
        memset(&s, 0, sizeof s);
        flat_model(&model, &dataset);
        s.model = &model;
        s.when = when;
        config.iterations = 1100;
        config.point_every = 1;
        config.threads = 1;
        config.progress = spoil;
        config.user_data = &s;
        status = pktseq_train(&model, &dataset, &config, &training, NULL);
        CHECK_THAT(status == PKTSEQ_ERROR_DIVERGED && training.points == when, "%d, %lu of %lu",
                   (int)status, (unsigned long)training.points, (unsigned long)when);
        CHECK(memcmp(training.point, s.point, training.points * sizeof *s.point) == 0);
        for (size_t i = 0; i < model.parameters; ++i)
            finite += fabs((double)model.block[i]) < 1e9;
        CHECK(finite == model.parameters);
        pktseq_training_free(&training);
        pktseq_model_free(&model);
    }
    pktseq_dataset_free(&dataset);
}

// The same packets with another end of a sequence, or other targets, are other data: a run does
// not go on with them as if nothing had happened.
static void test_other_data(void) {
    // The second differs from the first in a length alone: one packet is no sequence to learn from.
    const size_t start[3][5] = {{0, 4, 8, 12, 12}, {0, 4, 7, 8, 12}, {0, 4, 9, 12, 12}};
    real x[ROWS * WIDE], y[ROWS * WIDE];
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_model model;
    pktseq_training training;
    pktseq_train_config config = pktseq_train_config_default();
    memset(&training, 0, sizeof training);
    memset(&model, 0, sizeof model);
    options.inputs = 1;
    for (size_t i = 0; i < ROWS * WIDE; ++i) x[i] = y[i] = (real)(0.1 * (double)i);
    config.threads = 1;
    for (size_t round = 0; round < 5; ++round) {
        pktseq_dataset dataset;
        y[ROWS * WIDE - 1] = round == 3 ? (real)9 : x[ROWS * WIDE - 1];
        CHECK(pktseq_dataset_wrap(&dataset, x, WIDE, y, WIDE, start[round % 3 * (round < 3)],
                                  round == 1 ? 4 : 3, &options, NULL, NULL) == PKTSEQ_OK);
        if (round == 0) flat_model(&model, &dataset);
        config.iterations = round + 1;
        CHECK_THAT(pktseq_train(&model, &dataset, &config, &training, NULL) ==
                       (round == 0 || round == 4 ? PKTSEQ_OK : PKTSEQ_ERROR_MISMATCH),
                   "round %lu", (unsigned long)round);
        pktseq_dataset_free(&dataset);
    }
    pktseq_training_free(&training);
    pktseq_model_free(&model);
}

// ---- >>detect -----------------------------------------------------------------------------------

// A forecast that is always right: all errors, scores and parts are 0, and none is not a number.
static void test_perfect(void) {
    real x[ROWS * WIDE];
    const pktseq_measure measure[] = {PKTSEQ_MEASURE_RMS, PKTSEQ_MEASURE_WEIGHTED};
    pktseq_dataset dataset;
    pktseq_model model;
    pktseq_error err;
    flat_dataset(&dataset, x, 0);
    flat_model(&model, &dataset);
    memset(model.block, 0, model.parameters * sizeof *model.block);
    for (int m = 0; m < 2; ++m) {
        for (int by_length = 0; by_length < 2; ++by_length) {
            pktseq_detector_options options = pktseq_detector_options_default();
            pktseq_detector detector;
            pktseq_work work;
            pktseq_pair pair = pktseq_dataset_pair(&dataset, 0);
            double score[3] = {9, 9, 9}, part[8], sum = 0;
            options.measure = measure[m];
            options.by_length = by_length;
            CHECK(pktseq_detector_init(&detector, &model, 0, &options, NULL, &err) == PKTSEQ_OK);
            CHECK_THAT(pktseq_detector_fit(&detector, &model, &dataset, 1, &err) == PKTSEQ_OK,
                       "%s", err.text);
            CHECK(detector.threshold == 0 && detector.threshold_low == 0 &&
                  detector.threshold_high == 0 && detector.sequences == 3);
            CHECK(detector.error[0] > 0);  // it divides
            CHECK(pktseq_detector_score_all(&detector, &model, &dataset, 1, score, &err) == 0);
            CHECK(score[0] == 0 && score[1] == 0 && score[2] == 0);
            CHECK(pktseq_work_init(&work, model.config, 1, 8, 1, NULL, NULL) == PKTSEQ_OK);
            CHECK(pktseq_detector_explain(&detector, &model, &work, &pair, part, score) == 0);
            for (size_t i = 0; i < pair.targets * detector.groups; ++i) sum += fabs(part[i]);
            CHECK(sum == 0 && score[0] == 0);  // 0 / 0 would be seen here
            pktseq_work_free(&work);
            pktseq_detector_free(&detector);
        }
    }
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
}

// One packet to learn a context from: nothing is divided by n - 1 = 0, and that packet itself is
// as normal as can be.
static void test_one_context(void) {
    pktseq_field field[2] = {field_of("length", PKTSEQ_NUMBER), field_of("gap", PKTSEQ_NUMBER)};
    pktseq_schema schema = schema_of(field, 2);
    pktseq_table table;
    pktseq_codec codec;
    pktseq_dataset dataset;
    pktseq_dataset_options wanted = pktseq_dataset_options_default();
    pktseq_detector_options options = pktseq_detector_options_default();
    pktseq_detector detector;
    pktseq_model model;
    pktseq_work work;
    pktseq_pair pair;
    pktseq_error err;
    double part[4] = {1, 1, 1, 1}, score = -1;
    field[1].role = PKTSEQ_ROLE_CONTEXT;
    CHECK_THAT(parse(&table, "position,length,gap\n0,1,5\n1,1,6\n2,1,7\n3,2,8\n", &schema, &err) ==
                   0, "%s", err.text);
    CHECK_THAT(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == 0, "%s", err.text);
    CHECK_THAT(pktseq_dataset_init(&dataset, &codec, &table, &wanted, NULL, &err) == 0, "%s",
               err.text);
    flat_model(&model, &dataset);
    options.context = 0.5;
    CHECK(pktseq_detector_init(&detector, &model, 1, &options, NULL, &err) == PKTSEQ_OK);
    CHECK_THAT(pktseq_detector_fit(&detector, &model, &dataset, 1, &err) == PKTSEQ_OK, "%s",
               err.text);
    CHECK(detector.mean[0] == 8 && fabs(detector.precision[0] - 25) < 1e-9);
    CHECK(pktseq_work_init(&work, model.config, 1, 1, 1, NULL, NULL) == PKTSEQ_OK);
    pair = pktseq_dataset_pair(&dataset, 0);
    CHECK(pktseq_detector_explain(&detector, &model, &work, &pair, part, &score) == PKTSEQ_OK);
    CHECK(part[1] == 0 && part[0] > 0 && fabs(part[0] - score) < 1e-12);
    pktseq_work_free(&work);
    pktseq_detector_free(&detector);
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
}

// A sequence of more packets than a batch of scoring otherwise has: it is one all the same.
static void test_long_sequence(void) {
    enum { MANY = 2500 };
    static real x[MANY];
    const size_t start[] = {0, MANY};
    pktseq_dataset_options wanted = pktseq_dataset_options_default();
    pktseq_detector_options options = pktseq_detector_options_default();
    pktseq_dataset dataset;
    pktseq_model model;
    pktseq_detector detector;
    pktseq_work work;
    pktseq_pair pair;
    double all = -1, alone = -2;
    for (size_t i = 0; i < MANY; ++i) x[i] = (real)sin(0.01 * (double)i);
    CHECK(pktseq_dataset_wrap(&dataset, x, 1, x, 1, start, 1, &wanted, NULL, NULL) == PKTSEQ_OK);
    flat_model(&model, &dataset);
    CHECK(pktseq_detector_init(&detector, &model, 0, &options, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_detector_score_all(&detector, &model, &dataset, 1, &all, NULL) == PKTSEQ_OK);
    CHECK(pktseq_work_init(&work, model.config, 1, MANY, 1, NULL, NULL) == PKTSEQ_OK);
    pair = pktseq_dataset_pair(&dataset, 0);
    CHECK(pktseq_detector_score(&detector, &model, &work, &pair, 1, &alone) == PKTSEQ_OK);
    CHECK_THAT(all > 0 && all >= alone && all <= alone, "%g, %g", all, alone);
    pktseq_work_free(&work);
    pktseq_detector_free(&detector);
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
}

// ---- >>checkpoint -------------------------------------------------------------------------------

// An empty codec and a training that has not begun are none: the file is the same as without.
static void test_empty_parts(void) {
    real x[ROWS * WIDE];
    pktseq_dataset dataset;
    pktseq_model model, again;
    pktseq_codec codec, no_codec;
    pktseq_training training, no_training;
    pktseq_buffer plain, empty;
    pktseq_error err;
    flat_dataset(&dataset, x, 1);
    flat_model(&model, &dataset);
    memset(&codec, 0, sizeof codec);
    memset(&training, 0, sizeof training);
    CHECK(pktseq_save_mem(&plain, &model, NULL, NULL, NULL, NULL, &err) == PKTSEQ_OK);
    CHECK_THAT(pktseq_save_mem(&empty, &model, &codec, &training, NULL, NULL, &err) == PKTSEQ_OK,
               "%s", err.text);
    CHECK(plain.size == empty.size && memcmp(plain.data, empty.data, plain.size) == 0);
    CHECK_THAT(pktseq_load_mem(empty.data, empty.size, &again, &no_codec, &no_training, NULL, NULL,
                               &err) == PKTSEQ_OK, "%s", err.text);
    CHECK(no_codec.field_count == 0 && no_training.iteration == 0);
    CHECK(again.parameters == model.parameters &&
          memcmp(again.block, model.block, model.parameters * sizeof(real)) == 0);
    pktseq_buffer_free(&plain);
    pktseq_buffer_free(&empty);
    pktseq_model_free(&again);
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
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
    CHECK(parse(&table, "position,length,ack,syn\n0,60,0,1\n1,61,1,0\n", &schema, &err) == 0);
    CHECK_THAT(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == 0, "%s", err.text);
    config.in = 3;
    config.out = 3;
    config.hidden = 2;
    CHECK(pktseq_model_init(&model, config, 1, NULL, &err) == PKTSEQ_OK);
    CHECK(pktseq_save_mem(&buffer, &model, &codec, NULL, NULL, NULL, &err) ==
          PKTSEQ_ERROR_MISMATCH);
    CHECK(!buffer.data && err.text[0]);
    pktseq_model_free(&model);
    config.out = 2;
    CHECK(pktseq_model_init(&model, config, 1, NULL, &err) == PKTSEQ_OK);
    CHECK_THAT(pktseq_save_mem(&buffer, &model, &codec, NULL, NULL, NULL, &err) == PKTSEQ_OK, "%s",
               err.text);
    pktseq_buffer_free(&buffer);
    pktseq_model_free(&model);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
}

// ---- >>plot -------------------------------------------------------------------------------------

// The picture as a C string in `text`.
static pktseq_status draw(char *text, size_t size, const double *point, size_t count, size_t every,
                          const char *title, pktseq_error *err) {
    pktseq_buffer buffer;
    pktseq_status status = pktseq_loss_svg_mem(&buffer, point, count, every, title, NULL, err);
    text[0] = 0;
    if (status == PKTSEQ_OK && buffer.size < size) {
        memcpy(text, buffer.data, buffer.size);
        text[buffer.size] = 0;
    }
    pktseq_buffer_free(&buffer);
    return status;
}

// Titles; losses below zero, as a likelihood's may be; a curve that is flat there; a curve of tiny
// steps far from zero.
static void test_plots(void) {
    static char text[20000];
    const double falling[] = {3, 1, -2, -4}, flat[] = {-5, -5, -5}, tiny[] = {1e6, 1e6 + 1e-5};
    pktseq_error err;
    CHECK(draw(text, sizeof text, falling, 4, 100, NULL, &err) == PKTSEQ_OK);
    CHECK(strstr(text, ">Training loss<") && strstr(text, ">-4<") && strstr(text, ">-2<") &&
          strstr(text, ">0<") && strstr(text, ">2<") && !strstr(text, ">-0<"));
    // A mark below each number of the x axis, and the axis itself.
    CHECK(strstr(text, "<path class=\"axis\" d=\"M84.0 416v5\"/>") &&
          strstr(text, "<path class=\"axis\" d=\"M936.0 416v5\"/>") &&
          strstr(text, "<path class=\"axis\" d=\"M84 416H936\"/>"));
    CHECK(draw(text, sizeof text, falling, 4, 100, "a \xff", &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "UTF-8") && !text[0], "%s", err.text);
    CHECK(draw(text, sizeof text, falling, 4, 100, "caf\xc3\xa9 <1>", &err) == PKTSEQ_OK);
    CHECK(strstr(text, ">caf\xc3\xa9 &lt;1&gt;<"));
    CHECK(draw(text, sizeof text, flat, 3, 100, "", &err) == PKTSEQ_OK);
    // the curve lies between the two ends of its axis, -6 and -4
    CHECK(strstr(text, ">-6.0<") && strstr(text, ">-4.0<") && strstr(text, "cy=\"246.0\""));
    CHECK(draw(text, sizeof text, tiny, 2, 100, "", &err) == PKTSEQ_OK);
    CHECK(strstr(text, "000000000000e-6<") && !strstr(text, "nan") && !strstr(text, "inf"));
    CHECK(draw(text, sizeof text, falling, 4, 0, "", &err) == PKTSEQ_OK);
    CHECK(strstr(text, "</svg>") && !strstr(text, "nan") && !strstr(text, "inf"));
}

int main(void) {
    test_words();
    test_arena();
    test_many_categories();
    test_unknown_members();
    test_stricter();
    test_same_ends();
    test_flag_words();
    test_last_column();
    test_odd_separators();
    test_missing();
    test_direction_alone();
    test_learned_names();
    test_too_large();
    test_configs();
    test_wide();
    test_train_limits();
    test_gradient_overflow();
    test_history_of_diverged();
    test_other_data();
    test_perfect();
    test_one_context();
    test_long_sequence();
    test_empty_parts();
    test_other_targets();
    test_plots();
    return check_end("test_gaps");
}
