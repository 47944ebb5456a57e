// test_codec.c - sections >>codec, >>learn, >>encode: packets to features and back, against
// pandas and against numbers known beforehand.
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "scene.h"

#include <float.h>
#include <math.h>

// What may be lost when a feature of ordinary size is kept as pktseq_real.
#define TOLERANCE (sizeof(pktseq_real) == 4 ? 1e-6 : 1e-12)

static pktseq_error err;

static int near(double a, double b, double tolerance) { return fabs(a - b) <= tolerance; }

static size_t count_of(const pktseq_table *table, const char *column) {
    return pktseq_table_column(table, column) ? table->rows : 0;
}

static pktseq_table parse(const char *csv, const pktseq_schema *schema) {
    pktseq_table table;
    CHECK_THAT(pktseq_table_parse(&table, csv, strlen(csv), schema, NULL, &err) == PKTSEQ_OK, "%s",
               err.text);
    return table;
}

static pktseq_codec fit(const pktseq_table *table, const pktseq_schema *schema) {
    pktseq_codec codec;
    memset(&codec, 0xaa, sizeof codec);
    memset(&err, 0xaa, sizeof err);
    CHECK_THAT(pktseq_codec_fit(&codec, table, schema, NULL, &err) == PKTSEQ_OK, "%s", err.text);
    CHECK(err.status == PKTSEQ_OK && err.text[0] == 0 && err.line == 0);
    return codec;
}

// All rows encoded; each number is written, and none behind the last. To be freed.
static pktseq_real *encode(const pktseq_codec *codec, const pktseq_table *table, size_t *unknown) {
    size_t count = table->rows * codec->features;
    pktseq_real *x = (pktseq_real *)malloc((count + 1) * sizeof *x);
    if (!x) exit(1);
    for (size_t i = 0; i <= count; ++i) x[i] = -777;
    CHECK_THAT(pktseq_codec_encode(codec, table, 0, table->rows, PKTSEQ_FORM_DENSE, x, unknown,
                                   &err) == PKTSEQ_OK,
               "%s", err.text);
    for (size_t i = 0; i < count; ++i) CHECK(x[i] != -777);
    CHECK(x[count] == -777);
    return x;
}

// One column named v with the given kind, fitted and encoded: the usual short test.
typedef struct one {
    pktseq_field field;
    pktseq_schema schema;
    pktseq_table table;
    pktseq_codec codec;
    pktseq_real *x;
    size_t unknown;
} one;

static void one_begin(one *t, const char *csv, pktseq_field field) {
    t->field = field;
    memset(&t->schema, 0, sizeof t->schema);
    t->schema.field = &t->field;
    t->schema.field_count = 1;
    t->table = parse(csv, &t->schema);
    t->codec = fit(&t->table, &t->schema);
    t->unknown = 0;
    t->x = encode(&t->codec, &t->table, &t->unknown);
}

static void one_end(one *t) {
    free(t->x);
    pktseq_codec_free(&t->codec);
    pktseq_table_free(&t->table);
}

// ---- numbers

static void test_zscore(void) {
    static const double value[] = {2, 4, 4, 4, 5, 5, 7, 9};
    const char *csv = "position,v\n0,2\n1,4\n2,4\n3,4\n0,5\n1,5\n2,7\n3,9\n";
    pktseq_field field = {"v", PKTSEQ_ZSCORE, 0, 0, 0, NULL, 0};
    one t;
    // learned: n - 1 in the denominator
    one_begin(&t, csv, field);
    CHECK(t.codec.features == 1 && t.codec.targets == 1 && t.codec.field_count == 1);
    CHECK(t.codec.field[0].mean == 5 && near(t.codec.field[0].sd, sqrt(32.0 / 7), 1e-15));
    for (size_t i = 0; i < 8; ++i)
        CHECK(near((double)t.x[i], (value[i] - 5) / sqrt(32.0 / 7), TOLERANCE));
    one_end(&t);
    // a mean without a deviation is learned, too
    field.mean = 100;
    one_begin(&t, csv, field);
    CHECK(t.codec.field[0].mean == 5 && near(t.codec.field[0].sd, sqrt(32.0 / 7), 1e-15));
    one_end(&t);
    // given
    field.mean = 10;
    field.sd = 0.5;
    one_begin(&t, csv, field);
    CHECK(t.codec.field[0].mean == 10 && t.codec.field[0].sd == 0.5);
    for (size_t i = 0; i < 8; ++i) CHECK((double)t.x[i] == (value[i] - 10) / 0.5);
    one_end(&t);
    field.mean = 0;
    field.sd = 2;
    one_begin(&t, csv, field);
    CHECK(t.codec.field[0].mean == 0 && t.codec.field[0].sd == 2);
    for (size_t i = 0; i < 8; ++i) CHECK((double)t.x[i] == value[i] / 2);
    one_end(&t);
    // large timestamps lose nothing: 921024000, 921024001, ... have sd sqrt(82.5 / 9)
    field.sd = 0;
    one_begin(&t, "position,v\n0,921024000\n1,921024001\n2,921024002\n3,921024003\n4,921024004\n"
                  "5,921024005\n6,921024006\n7,921024007\n8,921024008\n9,921024009\n", field);
    CHECK(t.codec.field[0].mean == 921024004.5);
    CHECK(near(t.codec.field[0].sd, sqrt(82.5 / 9), 1e-14));
    for (size_t i = 0; i < 10; ++i)
        CHECK(near((double)t.x[i], ((double)i - 4.5) / sqrt(82.5 / 9), TOLERANCE));
    one_end(&t);
    // number: as it is
    field.kind = PKTSEQ_NUMBER;
    one_begin(&t, "position,v\n0,-3.25\n1,1e6\n0,0\n", field);
    CHECK(t.x[0] == (pktseq_real)-3.25 && t.x[1] == 1000000 && t.x[2] == 0);
    one_end(&t);
    // flag
    field.kind = PKTSEQ_FLAG;
    one_begin(&t, "position,v\n0,Set\n1,0\n2,1\n3,Not set\n4,True\n5,False\n", field);
    for (size_t i = 0; i < 6; ++i) CHECK(t.x[i] == (i % 2 ? 0 : 1));
    one_end(&t);
}

static void test_since(void) {
    static const double previous[] = {0, 0.5, 1.5, 0, 0.25, 0, 0, 100, 0.125, -1};
    static const double first[] = {0, 0.5, 2, 0, 0.25, 0, 0, 100, 100.125, 99.125};
    const char *csv = "v,position\n10,0\n10.5,1\n12,2\n20,0\n20.25,1\n30,0\n1000,0\n1100,1\n"
                      "1100.125,2\n1099.125,3\n";
    for (int kind = PKTSEQ_SINCE_PREVIOUS; kind <= PKTSEQ_SINCE_FIRST; ++kind) {
        const double *expected = kind == PKTSEQ_SINCE_FIRST ? first : previous;
        pktseq_field field = {"v", (pktseq_kind)kind, 0, 0, 1, NULL, 0};
        double mean = 0, square = 0;
        one t;
        one_begin(&t, csv, field);
        for (size_t i = 0; i < 10; ++i) CHECK((double)t.x[i] == expected[i]);
        // any part of the table is encoded as the whole is
        for (size_t row = 0; row <= 10; ++row)
            for (size_t rows = 0; rows <= 10 - row; ++rows) {
                pktseq_real x[11];
                for (size_t i = 0; i < 11; ++i) x[i] = -777;
                CHECK(pktseq_codec_encode(&t.codec, &t.table, row, rows, PKTSEQ_FORM_DENSE, x, NULL,
                                          &err) ==
                      PKTSEQ_OK);
                for (size_t i = 0; i < rows; ++i) CHECK((double)x[i] == expected[row + i]);
                CHECK(x[rows] == -777);
            }
        one_end(&t);
        field.mean = 0.25;
        field.sd = 0.5;
        one_begin(&t, csv, field);
        for (size_t i = 0; i < 10; ++i) CHECK((double)t.x[i] == (expected[i] - 0.25) / 0.5);
        one_end(&t);
        field.mean = field.sd = 0;
        for (size_t i = 0; i < 10; ++i) mean += expected[i] / 10;
        for (size_t i = 0; i < 10; ++i) square += (expected[i] - mean) * (expected[i] - mean);
        one_begin(&t, csv, field);
        CHECK(near(t.codec.field[0].mean, mean, 1e-13));
        CHECK(near(t.codec.field[0].sd, sqrt(square / 9), 1e-13));
        for (size_t i = 0; i < 10; ++i)
            CHECK(near((double)t.x[i], (expected[i] - mean) / sqrt(square / 9), TOLERANCE));
        one_end(&t);
    }
}

// A column that does not vary: an error that names it, or zeros by option.
static void test_constant(void) {
    static const struct {
        pktseq_kind kind;
        const char *csv;
        double mean;
    } list[] = {
        {PKTSEQ_ZSCORE, "position,weight\n0,7\n1,7\n0,7\n", 7},
        {PKTSEQ_ZSCORE, "position,weight\n0,0\n1,0\n", 0},
        {PKTSEQ_ZSCORE, "position,weight\n0,0.1\n1,0.1\n2,0.1\n3,0.1\n4,0.1\n5,0.1\n6,0.1\n", 0.1},
        {PKTSEQ_ZSCORE, "position,weight\n0,921024000.1\n1,921024000.1\n2,921024000.1\n",
         921024000.1},
        {PKTSEQ_ZSCORE, "position,weight\n0,5\n", 5},
        {PKTSEQ_SINCE_FIRST, "position,weight\n0,1\n0,2\n0,3\n", 0},
        {PKTSEQ_SINCE_PREVIOUS, "position,weight\n0,1\n0,2\n0,3\n", 0},
        {PKTSEQ_SINCE_PREVIOUS, "position,weight\n0,1\n1,1\n2,1\n0,5\n1,5\n", 0},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; ++i) {
        pktseq_field field[2] = {{"weight", PKTSEQ_NUMBER, 0, 0, 0, NULL, 0},
                                 {"weight", PKTSEQ_ZSCORE, 0, 0, 0, NULL, 0}};
        pktseq_schema schema = {NULL, 2, 0, 0};
        pktseq_table table;
        pktseq_codec codec;
        pktseq_value value[2];
        pktseq_real *x;
        schema.field = field;
        field[1].kind = list[i].kind;
        table = parse(list[i].csv, &schema);
        memset(&codec, 0xaa, sizeof codec);
        CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_ERROR_DATA);
        CHECK_THAT(err.status == PKTSEQ_ERROR_DATA && strstr(err.text, "\"weight\""), "%s",
                   err.text);
        CHECK(codec.field_count == 0);
        pktseq_codec_free(&codec);
        CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, NULL) == PKTSEQ_ERROR_DATA);
        pktseq_codec_free(&codec);
        schema.constant_is_zero = 1;
        codec = fit(&table, &schema);
        CHECK(codec.field[1].mean == list[i].mean && codec.field[1].sd == 0);
        x = encode(&codec, &table, NULL);
        for (size_t row = 0; row < table.rows; ++row) CHECK(x[2 * row + 1] == 0);
        CHECK(pktseq_codec_decode(&codec, x, value) == PKTSEQ_OK);
        CHECK(value[1].number == list[i].mean && value[1].text == NULL);
        free(x);
        pktseq_codec_free(&codec);
        // a deviation that is given needs no variation
        schema.constant_is_zero = 0;
        field[1].sd = 2;
        codec = fit(&table, &schema);
        CHECK(codec.field[1].sd == 2 && codec.field[1].mean == 0);
        pktseq_codec_free(&codec);
        pktseq_table_free(&table);
    }
}

// What was constant where it was learned is 0 everywhere.
static void test_constant_elsewhere(void) {
    pktseq_field field = {"v", PKTSEQ_ZSCORE, 0, 0, 0, NULL, 0};
    pktseq_schema schema = {NULL, 1, 1, 0};
    pktseq_table learned, other;
    pktseq_codec codec;
    pktseq_real *x;
    schema.field = &field;
    learned = parse("position,v\n0,3\n1,3\n", &schema);
    other = parse("position,v\n0,3\n1,4\n2,-1e9\n", &schema);
    codec = fit(&learned, &schema);
    x = encode(&codec, &other, NULL);
    CHECK(x[0] == 0 && x[1] == 0 && x[2] == 0);
    free(x);
    pktseq_codec_free(&codec);
    pktseq_table_free(&learned);
    pktseq_table_free(&other);
}

// Numbers whose spread no double can hold are no reason for NaN.
static void test_spread(void) {
    static const char *const csv[] = {
        "position,v\n0,1e308\n1,-1e308\n2,1e308\n3,1e308\n", "position,v\n0,5e-324\n1,0\n",
        "position,v\n0,1e200\n1,-1e200\n", "position,v\n0,1.7e308\n1,1.7e308\n2,1.6e308\n",
    };
    pktseq_field field = {"v", PKTSEQ_ZSCORE, 0, 0, 0, NULL, 0};
    pktseq_schema schema = {NULL, 1, 0, 0};
    schema.field = &field;
    for (size_t i = 0; i < sizeof csv / sizeof *csv; ++i) {
        pktseq_table table = parse(csv[i], &schema);
        pktseq_codec codec;
        pktseq_status status = pktseq_codec_fit(&codec, &table, &schema, NULL, &err);
        CHECK(status == PKTSEQ_ERROR_DATA ||
              (status == PKTSEQ_OK && isfinite(codec.field[0].mean) &&
               isfinite(codec.field[0].sd) && codec.field[0].sd > 0));
        CHECK_THAT(status == PKTSEQ_OK || strstr(err.text, "\"v\""), "%s", err.text);
        pktseq_codec_free(&codec);
        pktseq_table_free(&table);
    }
}

// ---- classes

static void test_ports(void) {
    static const struct {
        double port;
        int kind;
    } list[] = {{0, 0},    {1, 0},     {1023, 0},  {1024, 1},
                {1025, 1}, {49151, 1}, {49152, 2}, {65535, 2}};
    const char *csv = "position,v\n0,0\n1,1\n2,1023\n3,1024\n4,1025\n5,49151\n6,49152\n7,65535\n";
    for (int notebook = 0; notebook < 2; ++notebook) {
        pktseq_field field = {"v", PKTSEQ_PORT, 0, 0, 0, NULL, 0};
        pktseq_value value;
        one t;
        if (notebook) field.kind = PKTSEQ_PORT_REFERENCE;
        one_begin(&t, csv, field);
        CHECK(t.codec.features == 3 && t.codec.targets == 3);
        for (int i = 0; i < 8; ++i) {
            int kind = list[i].kind;
            for (int k = 0; k < 3; ++k)
                CHECK(t.x[3 * i + k] == (k == kind && !(notebook && kind == 2)));
            CHECK(pktseq_codec_decode(&t.codec, t.x + 3 * i, &value) == PKTSEQ_OK);
            if (notebook && kind == 2) kind = 0;  // no class at all: the first of equals
            CHECK(value.number == kind && value.text &&
                  strcmp(value.text, kind == 0 ? "well_known" : kind == 1 ? "registered"
                                                                          : "dynamic") == 0);
        }
        CHECK(t.unknown == 0);  // counts categories, and ports have none
        one_end(&t);
    }
}

static void test_onehot(void) {
    static const char *const learned[] = {"10", "9", "B", "Z", "a", "aa", "b", "\xc3\xa9",
                                          "\xf0\x9f\x98\x80"};
    static const char *const in_row[] = {"b", "B", "a", "\xf0\x9f\x98\x80", "Z", "\xc3\xa9", "10",
                                         "9", "b", "aa", "a"};
    const char *csv = "v,position\nb,0\nB,1\na,2\n\xf0\x9f\x98\x80,3\nZ,4\n\xc3\xa9,5\n10,6\n9,7\n"
                      "b,8\naa,9\na,10\n";
    pktseq_field field = {"v", PKTSEQ_ONEHOT, 0, 0, 0, NULL, 0};
    pktseq_value value;
    one t;
    // learned: sorted by bytes
    one_begin(&t, csv, field);
    CHECK(t.codec.features == 9 && t.codec.field[0].category_count == 9 && t.unknown == 0);
    for (size_t k = 0; k < 9; ++k) CHECK(strcmp(t.codec.field[0].category[k], learned[k]) == 0);
    for (size_t row = 0; row < 11; ++row) {
        for (size_t k = 0; k < 9; ++k)
            CHECK(t.x[9 * row + k] == (strcmp(learned[k], in_row[row]) == 0));
        CHECK(pktseq_codec_decode(&t.codec, t.x + 9 * row, &value) == PKTSEQ_OK);
        CHECK(value.text && strcmp(value.text, in_row[row]) == 0);
        CHECK(strcmp(learned[(size_t)value.number], in_row[row]) == 0);
    }
    one_end(&t);
    // listed: in the list's order; what is not listed is zeros, counted on top of what was there
    {
        char names[3][8] = {"b", "nowhere", "a"};
        const char *list[3];
        for (int i = 0; i < 3; ++i) list[i] = names[i];
        field.category = list;
        field.category_count = 3;
        one_begin(&t, csv, field);
        CHECK(t.codec.features == 3 && t.unknown == 7);
        // a codec owns its texts
        memset(names, 'x', sizeof names);
        for (int i = 0; i < 3; ++i) list[i] = NULL;
        CHECK(strcmp(t.codec.field[0].category[0], "b") == 0 &&
              strcmp(t.codec.field[0].category[1], "nowhere") == 0 &&
              strcmp(t.codec.field[0].category[2], "a") == 0);
        free(t.x);
        t.x = encode(&t.codec, &t.table, &t.unknown);
        CHECK(t.unknown == 14);
        for (size_t row = 0; row < 11; ++row) {
            CHECK(t.x[3 * row] == (strcmp(in_row[row], "b") == 0));
            CHECK(t.x[3 * row + 1] == 0);
            CHECK(t.x[3 * row + 2] == (strcmp(in_row[row], "a") == 0));
        }
        CHECK(pktseq_codec_encode(&t.codec, &t.table, 1, 3, PKTSEQ_FORM_DENSE, t.x, &t.unknown,
                                  &err) == PKTSEQ_OK);
        CHECK(t.unknown == 16);
        CHECK(pktseq_codec_encode(&t.codec, &t.table, 1, 3, PKTSEQ_FORM_DENSE, t.x, NULL,
                                  &err) == PKTSEQ_OK);
        one_end(&t);
    }
    // a learned codec on another table
    {
        pktseq_table other;
        pktseq_real *x;
        field.category = NULL;
        field.category_count = 0;
        one_begin(&t, "v,position\nUDP,0\nTCP,1\n", field);
        other = parse("v,position\nQUIC,0\nTCP,1\ntcp,2\nUDP,3\nQUIC,4\n", &t.schema);
        x = encode(&t.codec, &other, &t.unknown);
        CHECK(t.unknown == 3);
        CHECK(x[0] == 0 && x[1] == 0 && x[2] == 1 && x[3] == 0 && x[4] == 0 && x[5] == 0 &&
              x[6] == 0 && x[7] == 1 && x[8] == 0 && x[9] == 0);
        free(x);
        pktseq_table_free(&other);
        one_end(&t);
    }
}

// ---- logarithms, rare categories, context

static pktseq_field role_field(const char *column, pktseq_kind kind, pktseq_role role) {
    pktseq_field field = field_of(column, kind);
    field.role = role;
    return field;
}

static void test_log(void) {
    static const double value[] = {0, 1, 1.5, -2, 1e6, 1e6};
    static const double since[] = {0, 1, 0.5, 0, 0, 0};  // a clock that goes back counts as 0
    const char *csv = "position,v\n0,0\n1,1\n2,1.5\n3,-2\n0,1e6\n1,1e6\n";
    for (int kind = 0; kind < 2; ++kind) {
        pktseq_field field = role_field("v", kind ? PKTSEQ_LOG_SINCE_PREVIOUS : PKTSEQ_LOG, 0);
        double logs[6], mean = 0, sd = 0;
        one t;
        for (size_t i = 0; i < 6; ++i) {
            logs[i] = kind ? log(1 + 1e6 * since[i]) : value[i] > 0 ? log(1 + value[i]) : 0;
            mean += logs[i] / 6;
        }
        for (size_t i = 0; i < 6; ++i) sd += (logs[i] - mean) * (logs[i] - mean) / 5;
        sd = sqrt(sd);
        for (int given = 0; given < 2; ++given) {
            field.mean = given ? 2 : 0;
            field.sd = given ? 4 : 0;
            one_begin(&t, csv, field);
            CHECK(t.codec.features == 1 && t.codec.groups == 1);
            CHECK(t.codec.group[0].kind == PKTSEQ_GROUP_NUMBER);
            CHECK(near(t.codec.field[0].mean, given ? 2 : mean, 1e-12));
            CHECK(near(t.codec.field[0].sd, given ? 4 : sd, 1e-12));
            for (size_t i = 0; i < 6; ++i) {
                pktseq_value back;
                double z = given ? (logs[i] - 2) / 4 : (logs[i] - mean) / sd;
                double want = kind ? since[i] : value[i] > 0 ? value[i] : 0;
                CHECK_THAT(near((double)t.x[i], z, TOLERANCE), "kind %d row %d: %.17g, not %.17g",
                           kind, (int)i, (double)t.x[i], z);
                CHECK(pktseq_codec_decode(&t.codec, t.x + i, &back) == PKTSEQ_OK);
                CHECK_THAT(near(back.number, want, TOLERANCE * 20 * (1 + want)) && !back.text,
                           "%.17g, not %.17g", back.number, want);
            }
            one_end(&t);
        }
    }
}

static void test_min_count(void) {
    const char *csv = "position,v\n0,a\n1,b\n2,a\n3,c\n4,c\n5,c\n6,d\n";
    static const size_t kept[] = {4, 4, 2, 1};
    pktseq_field field = role_field("v", PKTSEQ_ONEHOT, 0);
    pktseq_schema schema;
    pktseq_table table;
    pktseq_codec codec;
    for (size_t min = 0; min < 4; ++min) {
        one t;
        field.min_count = min;
        one_begin(&t, csv, field);
        CHECK_THAT(t.codec.features == kept[min], "min_count %d: %d", (int)min,
                   (int)t.codec.features);
        CHECK(strcmp(t.codec.field[0].category[0], min == 3 ? "c" : "a") == 0);
        CHECK(t.unknown == (min < 2 ? 0 : min == 2 ? 2 : 4));
        if (min == 2) {
            CHECK(t.x[2] == 0 && t.x[3] == 0);  // b
            CHECK(t.x[0] == 1 && t.x[1] == 0 && t.x[6] == 0 && t.x[7] == 1);
        }
        one_end(&t);
    }
    memset(&schema, 0, sizeof schema);
    schema.field = &field;
    schema.field_count = 1;
    table = parse(csv, &schema);
    field.min_count = 4;
    CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_ERROR_DATA);
    CHECK_THAT(strstr(err.text, "no v occurs 4 times") && !codec.field, "%s", err.text);
    pktseq_table_free(&table);
}

static const char *const context_csv =
    "position,a,b,c,d\n0,1,x,10,0\n1,3,y,20,1\n2,5,x,30,1\n0,7,y,40,0\n1,9,x,70,1\n";
static const pktseq_field context_field[] = {
    {"b", PKTSEQ_ONEHOT, PKTSEQ_ROLE_INPUT, 0, 0, NULL, 0, 2}, FIELD("b", ONEHOT, BOTH),
    FIELD("d", FLAG, BOTH), {"a", PKTSEQ_SINCE_PREVIOUS, PKTSEQ_ROLE_CONTEXT, 0, 2, NULL, 0, 0},
    FIELD("c", ZSCORE, CONTEXT), FIELD("d", FLAG, CONTEXT)};

static void test_context(void) {
    static const char *const name[] = {"b-x", "b-y", "b-x", "b-y", "d", "a", "c", "d"};
    pktseq_schema schema = schema_of(context_field, 6);
    pktseq_table table = parse(context_csv, &schema);
    pktseq_codec codec = fit(&table, &schema);
    pktseq_real *x, c[16], part[3], y[3] = {0, 1, 1};
    pktseq_value value[6];
    size_t unknown[6] = {0};
    char text[20];
    CHECK(codec.features == 5 && codec.contexts == 3 && codec.targets == 3 && codec.groups == 2);
    CHECK(codec.group[0].kind == PKTSEQ_GROUP_CLASS && codec.group[0].first == 0 &&
          codec.group[0].count == 2 && codec.group_field[0] == 1);
    CHECK(codec.group[1].kind == PKTSEQ_GROUP_FLAG && codec.group[1].first == 2 &&
          codec.group[1].count == 1 && codec.group_field[1] == 2);
    for (size_t o = 0; o < 3; ++o) CHECK(codec.target[o] == 2 + o);
    x = encode(&codec, &table, unknown);
    for (size_t i = 0; i < 16; ++i) c[i] = -777;
    CHECK(pktseq_codec_encode(&codec, &table, 0, 5, PKTSEQ_FORM_CONTEXT, c, NULL,
                              &err) == PKTSEQ_OK);
    for (size_t row = 0; row < 5; ++row) {
        static const double since[] = {0, 1, 1, 0, 1};  // 2 / sd 2
        static const double cc[] = {10, 20, 30, 40, 70}, d[] = {0, 1, 1, 0, 1};
        CHECK(x[5 * row + 2] == (row % 2 == 0) && x[5 * row + 3] == (row % 2 == 1));
        CHECK(x[5 * row + 4] == (pktseq_real)d[row]);
        CHECK((double)c[3 * row] == since[row] && (double)c[3 * row + 2] == d[row]);
        CHECK(near((double)c[3 * row + 1], (cc[row] - 34) / sqrt(530), TOLERANCE));
    }
    CHECK(c[15] == -777);
    CHECK(pktseq_codec_encode(&codec, &table, 3, 1, PKTSEQ_FORM_CONTEXT, part, NULL,
                              &err) == PKTSEQ_OK);
    CHECK(memcmp(part, c + 9, sizeof part) == 0);
    for (int how = 0; how < 2; ++how) {
        CHECK((how ? pktseq_codec_decode_output(&codec, y, value)
                   : pktseq_codec_decode(&codec, x, value)) == PKTSEQ_OK);
        CHECK(how ? isnan(value[0].number) && !value[0].text : strcmp(value[0].text, "x") == 0);
        CHECK(value[1].number == how && value[2].number == how);
        for (size_t f = 3; f < 6; ++f) CHECK(isnan(value[f].number) && !value[f].text);
    }
    for (size_t i = 0; i < 8; ++i) {
        CHECK(pktseq_codec_feature_name(&codec, i, text, sizeof text) == PKTSEQ_OK);
        CHECK_THAT(strcmp(text, name[i]) == 0, "feature %d: %s", (int)i, text);
    }
    CHECK(pktseq_codec_feature_name(&codec, 8, text, sizeof text) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_codec_encode(NULL, &table, 0, 5, PKTSEQ_FORM_CONTEXT, c, NULL,
                              &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_codec_encode(&codec, NULL, 0, 5, PKTSEQ_FORM_CONTEXT, c, NULL,
                              &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_codec_encode(&codec, &table, 0, 5, PKTSEQ_FORM_CONTEXT, NULL, NULL,
                              &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_codec_encode(&codec, &table, 0, 6, PKTSEQ_FORM_CONTEXT, c, NULL,
                              &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_codec_encode(&codec, &table, 6, 0, PKTSEQ_FORM_CONTEXT, c, NULL,
                              &err) == PKTSEQ_ERROR_ARGUMENT);
    free(x);
    pktseq_codec_free(&codec);
    schema.field_count = 3;  // no context
    codec = fit(&table, &schema);
    CHECK(codec.contexts == 0 && codec.features == 5);
    CHECK(pktseq_codec_encode(&codec, &table, 0, 5, PKTSEQ_FORM_CONTEXT, c, NULL,
                              &err) == PKTSEQ_ERROR_ARGUMENT);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
}

static void test_bad_roles(void) {
    static const pktseq_kind classes[] = {PKTSEQ_ONEHOT, PKTSEQ_PORT, PKTSEQ_PORT_REFERENCE};
    static const pktseq_kind numbers[] = {PKTSEQ_ZSCORE, PKTSEQ_SINCE_PREVIOUS, PKTSEQ_SINCE_FIRST,
                                          PKTSEQ_NUMBER, PKTSEQ_LOG, PKTSEQ_LOG_SINCE_PREVIOUS};
    pktseq_field field[6];
    pktseq_schema schema = schema_of(context_field, 6);
    pktseq_table table = parse(context_csv, &schema);
    pktseq_codec codec;
    schema.field = field;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; ++i) {
        memcpy(field, context_field, sizeof field);
        field[4] = role_field(classes[i] == PKTSEQ_ONEHOT ? "b" : "c", classes[i],
                            PKTSEQ_ROLE_CONTEXT);
        CHECK_THAT(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_ERROR_ARGUMENT,
                   "kind %d", (int)classes[i]);
        CHECK_THAT(strstr(err.text, "not a number"), "%s", err.text);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
        memcpy(field, context_field, sizeof field);
        field[4].kind = numbers[i];
        CHECK_THAT(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_OK, "kind %d",
                   (int)numbers[i]);
        pktseq_codec_free(&codec);
    }
    for (int role = PKTSEQ_ROLE_BOTH; role <= PKTSEQ_ROLE_INPUT; ++role) {  // after the context
        memcpy(field, context_field, sizeof field);
        field[5].role = (pktseq_role)role;
        CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
        CHECK_THAT(strstr(err.text, "stands after"), "%s", err.text);
    }
    memcpy(field, context_field, sizeof field);
    field[0].role = (pktseq_role)3;
    CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    field[0].role = (pktseq_role)-1;
    CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    // nothing to be predicted; nothing but context
    memcpy(field, context_field, sizeof field);
    field[1].role = field[2].role = PKTSEQ_ROLE_INPUT;
    CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(!codec.field && err.text[0]);
    schema.field = field + 3;
    schema.field_count = 3;
    CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    pktseq_table_free(&table);
}

static void test_context_memory(void) {
    counter c;
    pktseq_allocator allocator = counted(&c);
    pktseq_schema schema = schema_of(context_field, 6);
    pktseq_table table = parse(context_csv, &schema);
    pktseq_codec codec;
    pktseq_status status = PKTSEQ_ERROR_MEMORY;
    pktseq_real x[25];
    size_t at = 0, live;
    while (status == PKTSEQ_ERROR_MEMORY && at < 100) {
        memset(&c, 0, sizeof c);
        c.fail_at = ++at;
        memset(&codec, 0xaa, sizeof codec);
        status = pktseq_codec_fit(&codec, &table, &schema, &allocator, &err);
        CHECK(err.status == status);
        CHECK_THAT(status == PKTSEQ_OK || (c.live == 0 && !codec.field), "allocation %d", (int)at);
    }
    CHECK(status == PKTSEQ_OK && at > 15);
    live = c.live;
    for (int context = 0; context < 2; ++context) {
        status = PKTSEQ_ERROR_MEMORY;
        for (at = 1; status == PKTSEQ_ERROR_MEMORY && at < 100; ++at) {
            c.fail_at = c.allocations + at;
            status = context ? pktseq_codec_encode(&codec, &table, 0, 5, PKTSEQ_FORM_CONTEXT, x,
                                                   NULL, &err)
                             : pktseq_codec_encode(&codec, &table, 0, 5, PKTSEQ_FORM_DENSE, x, NULL,
                                                   &err);
            CHECK(c.live == live && err.status == status);
        }
        CHECK(status == PKTSEQ_OK && (at > 2 || context));
    }
    pktseq_codec_free(&codec);
    CHECK(c.live == 0);
    pktseq_table_free(&table);
}

// ---- several fields

static const char *const mixed_csv =
    "position,t,v,flag,kind,port\n0,1,-5,1,x,80\n1,2,3,0,y,50000\n2,4,8,1,x,5000\n0,9,2,0,z,1\n";

static const pktseq_field mixed_field[] = {
    {"port", PKTSEQ_PORT, 1, 0, 0, NULL, 0},       {"t", PKTSEQ_SINCE_PREVIOUS, 0, 1, 2, NULL, 0},
    {"v", PKTSEQ_NUMBER, 1, 0, 0, NULL, 0},        {"kind", PKTSEQ_ONEHOT, 0, 0, 0, NULL, 0},
    {"flag", PKTSEQ_FLAG, 0, 0, 0, NULL, 0},       {"t", PKTSEQ_SINCE_FIRST, 1, 1, 2, NULL, 0},
    {"port", PKTSEQ_PORT_REFERENCE, 0, 0, 0, NULL, 0},
};
static const pktseq_schema mixed = {mixed_field, 7, 0, 0};

static void test_mixed(void) {
    static const double expected[4][13] = {
        // port  t since previous  v  kind  flag  t since first  port as in the reference
        {1, 0, 0, -0.5, -5, 1, 0, 0, 1, -0.5, 1, 0, 0},
        {0, 0, 1, 0, 3, 0, 1, 0, 0, 0, 0, 0, 0},
        {0, 1, 0, 0.5, 8, 1, 0, 0, 1, 1, 0, 1, 0},
        {1, 0, 0, -0.5, 2, 0, 0, 1, 0, -0.5, 1, 0, 0},
    };
    static const size_t first[] = {0, 3, 4, 5, 8, 9, 10, 13};
    static const size_t target[] = {3, 5, 6, 7, 8, 10, 11, 12};
    static const char *const name[] = {
        "port-well_known", "port-registered", "port-dynamic", "t", "v", "kind-x", "kind-y",
        "kind-z", "flag", "t", "port-well_known", "port-registered", "port-dynamic"};
    pktseq_table table = parse(mixed_csv, &mixed);
    pktseq_codec codec = fit(&table, &mixed);
    pktseq_real *x = encode(&codec, &table, NULL), y[8];
    pktseq_value value[7], output[7];
    char text[40];
    CHECK(codec.field_count == 7 && codec.features == 13 && codec.targets == 8);
    for (size_t i = 0; i < 8; ++i)
        CHECK(codec.first[i] == first[i] && codec.target[i] == target[i]);
    for (size_t f = 0; f < 7; ++f)
        CHECK(strcmp(codec.field[f].column, mixed_field[f].column) == 0 &&
              codec.field[f].column != mixed_field[f].column &&
              codec.field[f].kind == mixed_field[f].kind &&
              codec.field[f].role == mixed_field[f].role);
    for (size_t row = 0; row < 4; ++row) {
        const double *e = expected[row];
        for (size_t i = 0; i < 13; ++i) CHECK((double)x[13 * row + i] == e[i]);
        for (size_t o = 0; o < 8; ++o) y[o] = x[13 * row + target[o]];
        CHECK(pktseq_codec_decode(&codec, x + 13 * row, value) == PKTSEQ_OK);
        CHECK(pktseq_codec_decode_output(&codec, y, output) == PKTSEQ_OK);
        for (size_t f = 0; f < 7; ++f) {
            if (mixed_field[f].role)
                CHECK(isnan(output[f].number) && output[f].text == NULL);
            else
                CHECK(output[f].number == value[f].number && output[f].text == value[f].text);
        }
        CHECK(value[1].number == 2 * e[3] + 1 && value[2].number == e[4] &&
              value[4].number == e[8] && value[5].number == 2 * e[9] + 1);
        CHECK(value[1].text == NULL && value[2].text == NULL && value[4].text == NULL);
        CHECK(strcmp(value[3].text, e[5] ? "x" : e[6] ? "y" : "z") == 0);
    }
    for (size_t i = 0; i < 13; ++i) {
        CHECK(pktseq_codec_feature_name(&codec, i, text, sizeof text) == PKTSEQ_OK);
        CHECK_THAT(strcmp(text, name[i]) == 0, "%s", text);
        for (size_t size = 1; size < 18; ++size) {  // cut, never beyond
            memset(text, '#', sizeof text);
            CHECK(pktseq_codec_feature_name(&codec, i, text, size) == PKTSEQ_OK);
            CHECK(strlen(text) == (strlen(name[i]) < size ? strlen(name[i]) : size - 1) &&
                  strncmp(text, name[i], strlen(text)) == 0 && text[size] == '#');
        }
    }
    CHECK(pktseq_codec_feature_name(&codec, 13, text, sizeof text) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_codec_feature_name(&codec, (size_t)-1, text, sizeof text) ==
          PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_codec_feature_name(&codec, 0, text, 0) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_codec_feature_name(&codec, 0, NULL, 9) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_codec_feature_name(NULL, 0, text, 9) == PKTSEQ_ERROR_ARGUMENT);
    free(x);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
}

// What a network puts out is never quite 0 or 1.
static void test_decode(void) {
    pktseq_real y[8] = {(pktseq_real)0.25, 0, 0, 0, 0, 0, 0, 0};
    static const struct {
        double x[3], flag;
        int hot, flag_is;
    } list[] = {
        {{0.1, 0.7, 0.3}, 0.51, 1, 1}, {{-3, -2, -1}, 0.49, 2, 0}, {{0.5, 0.5, 0.5}, 7, 0, 1},
        {{0, 1, 1}, -3, 1, 0},         {{0, 0, 0}, 1e30, 0, 1},    {{1, 0, 1}, 0, 0, 0},
    };
    pktseq_table table = parse(mixed_csv, &mixed);
    pktseq_codec codec = fit(&table, &mixed);
    pktseq_value value[7];
    for (size_t i = 0; i < sizeof list / sizeof *list; ++i) {
        for (size_t k = 0; k < 3; ++k) {
            y[1 + k] = (pktseq_real)list[i].x[k];
            y[5 + k] = (pktseq_real)list[i].x[k];
        }
        y[4] = (pktseq_real)list[i].flag;
        CHECK(pktseq_codec_decode_output(&codec, y, value) == PKTSEQ_OK);
        CHECK(value[1].number == 1.5);  // 0.25 * 2 + 1
        CHECK(value[3].number == list[i].hot &&
              value[3].text == codec.field[3].category[list[i].hot]);
        CHECK(value[4].number == list[i].flag_is && value[4].text == NULL);
        CHECK(value[6].number == list[i].hot);
    }
    CHECK(pktseq_codec_decode(NULL, y, value) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_codec_decode(&codec, NULL, value) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_codec_decode(&codec, y, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_codec_decode_output(NULL, y, value) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_codec_decode_output(&codec, NULL, value) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_codec_decode_output(&codec, y, NULL) == PKTSEQ_ERROR_ARGUMENT);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
}

// ---- what cannot be

static void test_misuse(void) {
    static const pktseq_field few_field[] = {{"v", PKTSEQ_NUMBER, 0, 0, 0, NULL, 0}};
    static const pktseq_field text_field[] = {{"v", PKTSEQ_ONEHOT, 0, 0, 0, NULL, 0}};
    static const pktseq_field inputs_field[] = {{"v", PKTSEQ_NUMBER, 1, 0, 0, NULL, 0}};
    static const pktseq_schema few = {few_field, 1, 0, 0}, text = {text_field, 1, 0, 0},
                               inputs = {inputs_field, 1, 0, 0};
    pktseq_table table = parse(mixed_csv, &mixed), only_v = parse(mixed_csv, &few),
                 v_text = parse(mixed_csv, &text), empty;
    pktseq_codec codec = fit(&table, &mixed), numbers = fit(&only_v, &few),
                 texts = fit(&v_text, &text), none, failed;
    pktseq_schema bad = mixed;
    pktseq_real x[4 * 13];
    memset(&empty, 0, sizeof empty);
    memset(&none, 0, sizeof none);
#define FIT(table, schema) pktseq_codec_fit(&failed, table, schema, NULL, &err)
#define FAILS(what, call) \
    do { \
        memset(&failed, 0xaa, sizeof failed); \
        err.text[0] = 0; \
        CHECK((call) == PKTSEQ_ERROR_##what); \
        CHECK(err.status == PKTSEQ_ERROR_##what && err.text[0] && err.line == 0); \
    } while (0)
#define FIT_FAILS(what, table, schema) \
    do { \
        FAILS(what, FIT(table, schema)); \
        pktseq_codec_free(&failed); \
        CHECK(failed.field_count == 0 && !failed.field && !failed.first && !failed.target); \
    } while (0)
    FIT_FAILS(MISMATCH, &only_v, &mixed);
    CHECK_THAT(strstr(err.text, "\"port\"") != NULL, "%s", err.text);
    FIT_FAILS(MISMATCH, &v_text, &few);
    CHECK_THAT(strstr(err.text, "\"v\"") != NULL, "%s", err.text);
    FIT_FAILS(MISMATCH, &only_v, &text);
    FIT_FAILS(ARGUMENT, NULL, &mixed);
    FIT_FAILS(ARGUMENT, &table, NULL);
    bad.field_count = 0;
    FIT_FAILS(ARGUMENT, &table, &bad);
    bad.field_count = 1;
    bad.field = NULL;
    FIT_FAILS(ARGUMENT, &table, &bad);
    FIT_FAILS(ARGUMENT, &only_v, &inputs);  // nothing to predict
    FAILS(ARGUMENT, pktseq_codec_fit(NULL, &table, &mixed, NULL, &err));

    FAILS(MISMATCH, pktseq_codec_encode(&codec, &only_v, 0, 1, PKTSEQ_FORM_DENSE, x, NULL, &err));
    FAILS(MISMATCH, pktseq_codec_encode(&numbers, &v_text, 0, 1, PKTSEQ_FORM_DENSE, x, NULL, &err));
    FAILS(MISMATCH, pktseq_codec_encode(&texts, &only_v, 0, 1, PKTSEQ_FORM_DENSE, x, NULL, &err));
    FAILS(ARGUMENT, pktseq_codec_encode(NULL, &table, 0, 1, PKTSEQ_FORM_DENSE, x, NULL, &err));
    FAILS(ARGUMENT, pktseq_codec_encode(&none, &table, 0, 1, PKTSEQ_FORM_DENSE, x, NULL, &err));
    FAILS(ARGUMENT, pktseq_codec_encode(&codec, NULL, 0, 1, PKTSEQ_FORM_DENSE, x, NULL, &err));
    FAILS(ARGUMENT, pktseq_codec_encode(&codec, &table, 0, 1, PKTSEQ_FORM_DENSE, NULL, NULL, &err));
    FAILS(ARGUMENT, pktseq_codec_encode(&codec, &table, 0, 5, PKTSEQ_FORM_DENSE, x, NULL, &err));
    FAILS(ARGUMENT, pktseq_codec_encode(&codec, &table, 4, 1, PKTSEQ_FORM_DENSE, x, NULL, &err));
    FAILS(ARGUMENT, pktseq_codec_encode(&codec, &table, 5, 0, PKTSEQ_FORM_DENSE, x, NULL, &err));
    FAILS(ARGUMENT, pktseq_codec_encode(&codec, &table, (size_t)-1, 2, PKTSEQ_FORM_DENSE, x, NULL,
                                        &err));
    FAILS(ARGUMENT, pktseq_codec_encode(&codec, &table, 2, (size_t)-1, PKTSEQ_FORM_DENSE, x, NULL,
                                        &err));
    CHECK(pktseq_codec_encode(&codec, &table, 4, 0, PKTSEQ_FORM_DENSE, x, NULL, &err) == PKTSEQ_OK);
    CHECK(err.status == PKTSEQ_OK && err.text[0] == 0);
    CHECK(pktseq_codec_encode(&codec, &only_v, 0, 1, PKTSEQ_FORM_DENSE, x, NULL,
                              NULL) == PKTSEQ_ERROR_MISMATCH);
    pktseq_codec_free(NULL);
    pktseq_codec_free(&none);
    pktseq_codec_free(&codec);
    pktseq_codec_free(&codec);
    pktseq_codec_free(&numbers);
    pktseq_codec_free(&texts);
    pktseq_table_free(&table);
    pktseq_table_free(&only_v);
    pktseq_table_free(&v_text);
}

static void test_memory(void) {
    counter c;
    pktseq_allocator allocator = counted(&c);
    pktseq_table table = parse(mixed_csv, &mixed);
    pktseq_codec codec;
    pktseq_real x[4 * 13];
    size_t at, base;
    for (at = 1;; ++at) {
        pktseq_status status;
        memset(&c, 0, sizeof c);
        memset(&codec, 0xaa, sizeof codec);
        c.fail_at = at;
        status = pktseq_codec_fit(&codec, &table, &mixed, &allocator, &err);
        if (status == PKTSEQ_OK) break;
        CHECK(status == PKTSEQ_ERROR_MEMORY && err.status == status && err.text[0]);
        CHECK_THAT(c.live == 0, "allocation %d failed: %d blocks are left", (int)at, (int)c.live);
        pktseq_codec_free(&codec);
    }
    CHECK(at > 10 && c.allocations == at - 1);
    base = c.live;
    for (at = 1;; ++at) {
        pktseq_status status;
        c.fail_at = c.allocations + at;
        status = pktseq_codec_encode(&codec, &table, 0, 4, PKTSEQ_FORM_DENSE, x, NULL, &err);
        CHECK(c.live == base);
        if (status == PKTSEQ_OK) break;
        CHECK(status == PKTSEQ_ERROR_MEMORY && err.status == status && err.text[0]);
    }
    pktseq_codec_free(&codec);
    CHECK(c.live == 0);
    pktseq_table_free(&table);
}

// ---- the two schemas

static void test_schemas(void) {
    static const char *const column[] = {"timestamp", "length", "res", "ns", "cwr", "ecn", "urg",
                                         "ack", "push", "reset", "syn", "fin", "protocol",
                                         "src_port", "dst_port"};
    static const char *const protocol[] = {"TCP", "TELNET", "SMTP", "HTTP", "SSHv1", "IRC", "POP"};
    for (int notebook = 0; notebook < 2; ++notebook) {
        pktseq_schema s = notebook ? pktseq_schema_reference() : pktseq_schema_default();
        CHECK(s.field_count == 15 && !s.constant_is_zero && (!s.separator || s.separator == ','));
        for (size_t i = 0; i < 15 && s.field_count == 15; ++i) {
            const pktseq_field *f = &s.field[i];
            CHECK(strcmp(f->column, column[i]) == 0 && !f->role && f->sd == 0);
            CHECK(f->kind == (i < 2 ? PKTSEQ_ZSCORE : i < 12 ? PKTSEQ_FLAG
                              : i == 12 ? PKTSEQ_ONEHOT
                              : notebook ? PKTSEQ_PORT_REFERENCE : PKTSEQ_PORT));
            CHECK(f->category_count == (i == 12 && notebook ? 7u : 0u));
            for (size_t k = 0; k < f->category_count; ++k)
                CHECK(strcmp(f->category[k], protocol[k]) == 0);
        }
        CHECK(s.field == (notebook ? pktseq_schema_reference() : pktseq_schema_default()).field);
    }
}

// ---- pandas

// The table of tests/fixtures/NAME.csv, encoded by a schema, against NAME_expected.txt: rows in the
// file's order, as many as there are. Z-scores within the tolerance, all else exactly.
static void check_fixture(const char *name, const pktseq_schema *schema, size_t rows_expected,
                          size_t features) {
    char file_name[100], line[4000];
    size_t row = 0, names = 0, unknown[15] = {0};
    double worst = 0;
    pktseq_table table;
    pktseq_codec codec;
    pktseq_value value[15];
    pktseq_real *x;
    FILE *file;
    sprintf(file_name, "tests/fixtures/%s.csv", name);
    CHECK_THAT(pktseq_table_read(&table, file_name, schema, NULL, &err) == PKTSEQ_OK, "%s",
               err.text);
    if (!table.rows) return;
    CHECK(table.position_gaps == 0 && count_of(&table, "protocol") == table.rows);
    codec = fit(&table, schema);
    x = encode(&codec, &table, unknown);
    CHECK_THAT(codec.features == features && codec.targets == features, "%s", name);
    for (size_t f = 0; f < 15; ++f) CHECK(unknown[f] == 0);
    sprintf(file_name, "tests/fixtures/%s_expected.txt", name);
    file = fopen(file_name, "r");
    CHECK_THAT(file != NULL, "%s cannot be opened (run from the repository's root)", file_name);
    while (file && fgets(line, sizeof line, file)) {
        char word[200], *p = line;
        double number = 0;
        int used = 0;
        sscanf(line, "%199s %lf", word, &number);
        if (strcmp(word, "rows") == 0) CHECK(table.rows == (size_t)number);
        if (strcmp(word, "sequences") == 0) CHECK(table.sequences == (size_t)number);
        for (size_t f = 0; f < 2; ++f) {
            if (strncmp(word, "mean.", 5) == 0 && strcmp(word + 5, codec.field[f].column) == 0)
                CHECK(near(codec.field[f].mean, number, 1e-13 * fabs(number)));
            if (strncmp(word, "sd.", 3) == 0 && strcmp(word + 3, codec.field[f].column) == 0)
                CHECK(near(codec.field[f].sd, number, 1e-13 * fabs(number)));
        }
        if (strcmp(word, "names") == 0) {
            for (p += 6; sscanf(p, "%199s%n", word, &used) == 1; p += used) {
                char own[200] = "";
                CHECK(pktseq_codec_feature_name(&codec, names++, own, sizeof own) == PKTSEQ_OK);
                CHECK_THAT(strcmp(own, word) == 0, "%s, expected %s", own, word);
            }
            CHECK(names == features);
        }
        if (strcmp(word, "pair") == 0) {
            size_t k = (size_t)number;
            CHECK(k < table.sequences && table.start[k] == row);
        }
        if (word[0] != '-' && (word[0] < '0' || word[0] > '9')) continue;
        if (row == table.rows) {
            CHECK_THAT(0, "%s: too many rows", name);
            break;
        }
        for (size_t i = 0; i < features; ++i) {
            double expected = strtod(p, &p), got = (double)x[row * features + i];
            if (i < 2 && fabs(got - expected) > worst) worst = fabs(got - expected);
            CHECK_THAT(i < 2 ? near(got, expected, TOLERANCE) : got == expected,
                       "%s: row %d, feature %d: %.17g, expected %.17g", name, (int)row, (int)i, got,
                       expected);
        }
        CHECK(*p == '\n');
        ++row;
    }
    if (file) fclose(file);
    CHECK_THAT(row == rows_expected, "%s: %d rows", name, (int)row);
    // and back again, every row
    for (row = 0; row < table.rows; ++row) {
        CHECK(pktseq_codec_decode(&codec, x + row * features, value) == PKTSEQ_OK);
        for (size_t f = 0; f < codec.field_count; ++f) {
            const pktseq_field *field = &codec.field[f];
            const pktseq_column *column = pktseq_table_column(&table, field->column);
            if (field->kind == PKTSEQ_ONEHOT) {
                CHECK(strcmp(value[f].text, pktseq_column_text(column, row)) == 0);
            } else if (field->kind == PKTSEQ_ZSCORE) {
                CHECK(near(value[f].number, pktseq_column_number(column, row),
                           4 * TOLERANCE * (field->sd + fabs(field->mean))));
            } else if (field->kind == PKTSEQ_FLAG) {
                CHECK(value[f].number == pktseq_column_number(column, row));
            } else {
                double port = pktseq_column_number(column, row);
                int kind = port < 1024 ? 0 : port <= 49151 ? 1 : 2;
                if (field->kind == PKTSEQ_PORT_REFERENCE && kind == 2) kind = 0;
                CHECK(value[f].number == kind);
            }
        }
    }
    printf("%s: z-scores differ from pandas' by at most %.1e\n", name, worst);
    free(x);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
}

// ---- many rows: blocks, perhaps in several threads, against one field after the other

static void test_blocks(void) {
    static const char *const two[] = {"b", "d"};
    static const pktseq_field field[] = {
        FIELD("v", ZSCORE, BOTH), FIELD("v", SINCE_PREVIOUS, BOTH), FIELD("v", NUMBER, BOTH),
        FIELD("p", PORT, BOTH), FIELD("p", PORT_REFERENCE, INPUT),
        FIELD("p", LOG_SINCE_PREVIOUS, BOTH),
        {"t", PKTSEQ_ONEHOT, PKTSEQ_ROLE_BOTH, 0, 0, two, 2, 0}, FIELD("p", LOG, CONTEXT)};
    enum { ROWS = 30011, FIELDS = sizeof field / sizeof *field };
    pktseq_schema schema = {field, FIELDS, 0, 0};
    char *csv = (char *)malloc(ROWS * 40), *p = csv;
    size_t unknown[FIELDS] = {0};
    pktseq_table table;
    pktseq_codec codec;
    pktseq_real *x, *y;
    double *v;
    if (!csv) exit(1);
    p += sprintf(p, "position,v,p,t\n");
    for (unsigned i = 0; i < ROWS; ++i)
        p += sprintf(p, "%u,%u.%03u,%u,%c\n", i % 9, i * 7919u % 1009u, i % 1000,
                     i * 40503u % 65536u, 'a' + (int)(i % 5));
    table = parse(csv, &schema);
    codec = fit(&table, &schema);
    x = encode(&codec, &table, unknown);
    y = (pktseq_real *)malloc(ROWS * codec.features * sizeof *y);
    if (!y) exit(1);
    for (size_t f = 0; f + 1 < FIELDS; ++f) {
        pktseq_field both = field[f];
        pktseq_schema alone = {&both, 1, 0, 0};
        pktseq_codec one;
        size_t misses = 0, same = 0;
        both.role = PKTSEQ_ROLE_BOTH;  // what is only put in is no schema by itself
        one = fit(&table, &alone);
        CHECK(pktseq_codec_encode(&one, &table, 0, ROWS, PKTSEQ_FORM_DENSE, y, &misses,
                                  &err) == PKTSEQ_OK);
        CHECK(unknown[f] == misses && (misses > 0) == (field[f].kind == PKTSEQ_ONEHOT));
        for (size_t i = 0; i < ROWS; ++i)
            same += memcmp(x + i * codec.features + codec.first[f], y + i * one.features,
                           one.features * sizeof *x) == 0;
        CHECK_THAT(same == ROWS, "field %lu: %lu rows differ", (unsigned long)f,
                   (unsigned long)(ROWS - same));
        pktseq_codec_free(&one);
    }
    // Of several numbers that do not fit, the first field's first is named.
    CHECK(table.column[0].type == PKTSEQ_CELL_DOUBLE);
    v = (double *)table.column[0].cell;
    v[25000] = v[29000] = 1e308;
    codec.field[0].sd = codec.field[1].sd = 1e-3;
    v[100] = (double)NAN;
    CHECK(pktseq_codec_encode(&codec, &table, 0, ROWS, PKTSEQ_FORM_DENSE, x, NULL,
                              &err) == PKTSEQ_ERROR_DATA);
    CHECK_THAT(strstr(err.text, "row 101 after") != NULL, "%s", err.text);
    CHECK(pktseq_codec_encode(&codec, &table, 200, ROWS - 200, PKTSEQ_FORM_DENSE, x, NULL,
                              &err) == PKTSEQ_ERROR_DATA);
    CHECK_THAT(strstr(err.text, "row 25001 after") != NULL, "%s", err.text);
    free(y);
    free(x);
    free(csv);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
}

// ---- tables that it was not made for

// A table filled by hand with more different texts than a one-hot can have, and with none at all.
static void test_learned_names(void) {
    enum { MANY = 4097 };
    static char text[MANY][8];
    static char *names[MANY];
    static uint32_t index[MANY];
    char column_name[] = "protocol";
    size_t start[] = {0, MANY};
    pktseq_column column = text_column(column_name, index, names, MANY);
    pktseq_table table = cut_table_of(&column, 1, start, 1);
    pktseq_codec codec;
    pktseq_field field = field_of("protocol", PKTSEQ_ONEHOT);
    pktseq_schema schema = schema_of(&field, 1);
    for (uint32_t i = 0; i < MANY; ++i) {
        sprintf(text[i], "P%u", (unsigned)i);
        names[i] = text[i];
        index[i] = i;
    }
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

// Names that a table filled by hand has twice are one category: the first of that name. And a table
// of which no row is asked for needs no names.
static void test_equal_names(void) {
    char column_name[] = "protocol", first[] = "A", second[] = "A", third[] = "B";
    char *names[] = {third, first, second};
    uint32_t text[] = {1, 2, 0};
    size_t start[] = {0, 3}, unknown = 0;
    pktseq_column column = text_column(column_name, text, names, 3);
    pktseq_table table = cut_table_of(&column, 1, start, 1);
    pktseq_codec codec;
    pktseq_field field = field_of("protocol", PKTSEQ_ONEHOT);
    pktseq_schema schema = schema_of(&field, 1);
    real x[9];
    CHECK_THAT(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_OK, "%s", err.text);
    CHECK(codec.features == 3 && strcmp(codec.field[0].category[2], "B") == 0);
    CHECK_THAT(pktseq_codec_encode(&codec, &table, 0, 3, PKTSEQ_FORM_DENSE, x, &unknown,
                                   &err) == PKTSEQ_OK, "%s",
               err.text);
    for (size_t i = 0; i < 9; ++i)
        CHECK_THAT((double)x[i] == (i == 0 || i == 3 || i == 8), "feature %lu", (unsigned long)i);
    CHECK(unknown == 0);
    column.name_count = 0;
    x[0] = 7;
    CHECK_THAT(pktseq_codec_encode(&codec, &table, 0, 0, PKTSEQ_FORM_DENSE, x, &unknown,
                                   &err) == PKTSEQ_OK, "%s",
               err.text);
    CHECK(x[0] == 7 && unknown == 0);
    pktseq_codec_free(&codec);
}

// What a capture is cut by has to be of its kind; the message says which column is not.
static void test_cannot_cut(void) {
    static const char *const words[] = {
        "bad argument: the schema has column \"src_ip\" as number, so a file that has no column "
        "\"position\" cannot be cut into sequences",
        "bad argument: the schema has column \"timestamp\" as text, so a file that has no column "
        "\"position\" cannot be cut into sequences"};
    for (int as_text = 0; as_text < 2; ++as_text) {
        pktseq_field field = as_text ? field_of("timestamp", PKTSEQ_ONEHOT)
                                     : field_of("src_ip", PKTSEQ_ZSCORE);
        pktseq_schema schema = schema_of(&field, 1);
        pktseq_table table;
        schema.rule = pktseq_rule_default();
        CHECK(parse_text(&table, "timestamp,src_ip,dst_ip\n1,2,3\n2,3,2\n", &schema, &err) ==
              PKTSEQ_ERROR_ARGUMENT);
        CHECK_THAT(strcmp(err.text, words[as_text]) == 0 && err.line == 0, "%s", err.text);
    }
}

// A codec meets tables that it was not fitted to. One filled by hand whose texts or sequences are
// not what they should be is refused, not read beyond its end.
static void test_foreign_table(void) {
    char column_name[] = "protocol", name[] = "A", *names[] = {name};
    uint32_t text[] = {0, 0, 0, 100000000, 0, 0};
    size_t rising[] = {0, 2, 5, 6}, falling[] = {0, 5, 2, 6}, short_of[] = {0, 2, 4, 5};
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_field field = field_of("protocol", PKTSEQ_ONEHOT);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_column column = text_column(column_name, text, names, 1);
    pktseq_table own, table = cut_table_of(&column, 1, rising, 3);
    pktseq_codec codec;
    pktseq_dataset dataset;
    real x[12];
    CHECK(parse_text(&own, "position,protocol\n0,A\n1,B\n", &schema, &err) == PKTSEQ_OK);
    CHECK(pktseq_codec_fit(&codec, &own, &schema, NULL, &err) == PKTSEQ_OK);
    options.inputs = 0;
    CHECK(pktseq_codec_encode(&codec, &table, 0, 6, PKTSEQ_FORM_DENSE, x, NULL,
                              &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "not among its names"), "%s", err.text);
    CHECK(pktseq_codec_encode(&codec, &table, 4, 2, PKTSEQ_FORM_DENSE, x, NULL, &err) == PKTSEQ_OK);
    CHECK(pktseq_dataset_init(&dataset, &codec, &table, &options, NULL, &err) ==
          PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "not among its names"), "%s", err.text);
    text[3] = 0;
    table.start = short_of;
    CHECK(pktseq_dataset_init(&dataset, &codec, &table, &options, NULL, &err) ==
          PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "do not cover it"), "%s", err.text);
    table.start = NULL;
    CHECK(pktseq_dataset_init(&dataset, &codec, &table, &options, NULL, &err) ==
          PKTSEQ_ERROR_ARGUMENT);
    table.start = falling;
    CHECK(pktseq_dataset_init(&dataset, &codec, &table, &options, NULL, &err) ==
          PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "do not rise"), "%s", err.text);
    table.start = rising;
    CHECK(pktseq_dataset_init(&dataset, &codec, &table, &options, NULL, &err) == PKTSEQ_OK);
    CHECK(dataset.pairs == 3 && dataset.longest == 3);
    pktseq_dataset_free(&dataset);
    pktseq_codec_free(&codec);
    pktseq_table_free(&own);
}

// A value that fits double, but not float, is refused instead of becoming infinite.
static void test_too_large(void) {
    static const pktseq_field field[] = {FIELD("length", NUMBER, BOTH)};
    pktseq_schema schema = schema_of(field, 1);
    pktseq_table table = parse("position,length\n0,1\n1,1e300\n", &schema);
    pktseq_codec codec = fit(&table, &schema);
    real x[2];
    pktseq_status status =
        pktseq_codec_encode(&codec, &table, 0, 2, PKTSEQ_FORM_DENSE, x, NULL, &err);
    if (sizeof(real) == 4) {
        CHECK(status == PKTSEQ_ERROR_DATA);
        CHECK_THAT(says(&err, "length"), "%s", err.text);
    } else {
        CHECK(status == PKTSEQ_OK && (double)x[1] > (double)FLT_MAX);
    }
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
}

// ---- limits, and two codecs compared

// A schema of two fields that are to be predicted, of `wide` one-hot categories each, and
// `contexts` fields of the context; fitted to rows of their own. The status; err says why.
static pktseq_status fit_wide(size_t wide, size_t contexts) {
    static char name[4096][8];
    static const char *category[4096];
    pktseq_field *field = (pktseq_field *)calloc(contexts + 2, sizeof *field);
    pktseq_schema schema;
    pktseq_table table;
    pktseq_codec codec;
    pktseq_status status;
    for (size_t k = 0; k < wide; ++k) {
        snprintf(name[k], sizeof name[k], "c%lu", (unsigned long)k);
        category[k] = name[k];
    }
    for (size_t f = 0; f < contexts + 2; ++f) {
        field[f].column = f < 2 ? "v" : "w";
        field[f].kind = f < 2 ? PKTSEQ_ONEHOT : PKTSEQ_NUMBER;
        field[f].role = f < 2 ? PKTSEQ_ROLE_BOTH : PKTSEQ_ROLE_CONTEXT;
        field[f].category = f < 2 ? category : NULL;
        field[f].category_count = f < 2 ? wide : 0;
    }
    memset(&schema, 0, sizeof schema);
    schema.field = field;
    schema.field_count = contexts + 2;
    table = parse("position,v,w\n0,c0,1\n1,c1,2\n", &schema);
    status = pktseq_codec_fit(&codec, &table, &schema, NULL, &err);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
    free(field);
    return status;
}

static void test_limits(void) {
    CHECK_THAT(!fit_wide(4096, 0), "%s", err.text);
    CHECK_THAT(!fit_wide(2, PKTSEQ_MAX_CONTEXTS), "%s", err.text);
    CHECK(fit_wide(2, PKTSEQ_MAX_CONTEXTS + 1) == PKTSEQ_ERROR_DATA);
    CHECK_THAT(strstr(err.text, "257 of the context") && strstr(err.text, "8192 and 256"), "%s",
               err.text);
    pktseq_field three[3];
    pktseq_schema schema;
    memset(three, 0, sizeof three);
    memset(&schema, 0, sizeof schema);
    char *csv = (char *)malloc(100000), *to = csv;
    to += sprintf(to, "position,a,b,c\n");
    for (int row = 0; row < 2731; ++row) to += sprintf(to, "%d,a%d,b%d,c%d\n", row, row, row, row);
    for (int f = 0; f < 3; ++f) {
        three[f].column = f == 0 ? "a" : f == 1 ? "b" : "c";
        three[f].kind = PKTSEQ_ONEHOT;
        three[f].role = PKTSEQ_ROLE_BOTH;
        three[f].min_count = 1;
    }
    schema.field = three;
    schema.field_count = 3;
    pktseq_table table = parse(csv, &schema);
    pktseq_codec codec;
    CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_ERROR_DATA);
    CHECK_THAT(strstr(err.text, "8193 features"), "%s", err.text);
    CHECK(!codec.field && !codec.field_count);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
    free(csv);
}

// Weights mean the same for two codecs whose fields do; scale may differ.
static void test_same(void) {
    static const char *const csv[] = {
        "position,v,p\n0,1,TCP\n1,5,UDP\n", "position,v,p\n0,100,TCP\n1,900,UDP\n",
        "position,v,p\n0,1,TCP\n1,5,XYZ\n", "position,v,p\n0,1,TCP\n1,5,TCP\n"};
    pktseq_field field[2];
    pktseq_schema schema;
    pktseq_codec codec[4];
    memset(field, 0, sizeof field);
    memset(&schema, 0, sizeof schema);
    field[0].column = "v";
    field[0].kind = PKTSEQ_ZSCORE;
    field[1].column = "p";
    field[1].kind = PKTSEQ_ONEHOT;
    schema.field = field;
    schema.field_count = 2;
    for (int i = 0; i < 4; ++i) {
        pktseq_table table = parse(csv[i], &schema);
        codec[i] = fit(&table, &schema);
        pktseq_table_free(&table);
    }
    CHECK(!pktseq_codec_same(&codec[0], &codec[0], &err));
    CHECK(!pktseq_codec_same(&codec[0], &codec[1], &err) && !err.text[0]);
    CHECK(pktseq_codec_same(&codec[0], &codec[2], &err) == PKTSEQ_ERROR_MISMATCH);
    CHECK_THAT(strstr(err.text, "field 2") && strstr(err.text, "categories"), "%s", err.text);
    CHECK(pktseq_codec_same(&codec[0], &codec[3], &err) == PKTSEQ_ERROR_MISMATCH);
    CHECK_THAT(strstr(err.text, "number of categories"), "%s", err.text);
    codec[1].field[0].kind = PKTSEQ_LOG;
    CHECK(pktseq_codec_same(&codec[0], &codec[1], &err) == PKTSEQ_ERROR_MISMATCH);
    CHECK_THAT(strstr(err.text, "another kind"), "%s", err.text);
    codec[1].field[0].kind = PKTSEQ_ZSCORE;
    codec[1].field[1].role = PKTSEQ_ROLE_INPUT;
    CHECK(pktseq_codec_same(&codec[0], &codec[1], &err) == PKTSEQ_ERROR_MISMATCH);
    CHECK_THAT(strstr(err.text, "another role"), "%s", err.text);
    codec[1].field_count = 1;
    CHECK(pktseq_codec_same(&codec[0], &codec[1], &err) == PKTSEQ_ERROR_MISMATCH);
    CHECK_THAT(strstr(err.text, "2 fields, the other 1"), "%s", err.text);
    codec[1].field_count = 2;
    CHECK(pktseq_codec_same(&codec[0], NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    for (int i = 0; i < 4; ++i) pktseq_codec_free(&codec[i]);
}

// A codec of three packets, and more traffic for it.
typedef struct extension {
    pktseq_field field[4];
    pktseq_schema schema;
    pktseq_table first, second;
    pktseq_codec codec;
} extension;

static const char more_traffic[] = "position,length,protocol,src_port\n0,700,Z,9\n1,5,TCP,7\n"
                                   "1,9,B,7\n0,5,Z,50000\n1,5,C,7\n2,5,B,7\n0,5,D,7\n1,5,D,7\n";

static void extension_make(extension *e) {
    static const pktseq_field field[4] = {FIELD("length", ZSCORE, INPUT),
                                          FIELD("protocol", ONEHOT, BOTH),
                                          FIELD("length", LOG, BOTH),
                                          FIELD("src_port", PORT, BOTH)};
    memcpy(e->field, field, sizeof field);
    e->schema = schema_of(e->field, 4);
    e->first = parse("position,length,protocol,src_port\n0,1,TCP,7\n1,5,SMTP,7\n1,9,A,7\n",
                     &e->schema);
    e->second = parse(more_traffic, &e->schema);
    e->codec = fit(&e->first, &e->schema);
}

static void extension_free(extension *e) {
    pktseq_table_free(&e->first);
    pktseq_table_free(&e->second);
    pktseq_codec_free(&e->codec);
}

// Categories that occur twice follow the old ones; all else stays.
static void test_extend(void) {
    static const char *const name[] = {"A", "SMTP", "TCP", "B", "D", "Z"};
    extension e;
    pktseq_codec extended;
    pktseq_real *x;
    size_t unknown[4] = {0, 0, 0, 0};
    extension_make(&e);
    CHECK(!pktseq_codec_extend(&extended, &e.codec, &e.second, &e.schema, 2, NULL, &err) &&
          !err.text[0]);
    CHECK(e.codec.field[1].category_count == 3 && extended.field[1].category_count == 6);
    for (size_t k = 0; k < 6; ++k) CHECK(!strcmp(extended.field[1].category[k], name[k]));
    CHECK(extended.features == e.codec.features + 3 && extended.targets == e.codec.targets + 3);
    for (size_t f = 0; f < 3; f += 2)
        CHECK(extended.field[f].mean == e.codec.field[f].mean &&
              extended.field[f].sd == e.codec.field[f].sd);
    CHECK(!pktseq_codec_same(&e.codec, &e.codec, &err));
    CHECK(pktseq_codec_same(&e.codec, &extended, &err) == PKTSEQ_ERROR_MISMATCH);
    x = encode(&extended, &e.second, unknown);
    CHECK(unknown[1] == 1);                                     // C, which occurs once
    CHECK(x[1 + 5] == 1 && x[extended.features + 1 + 2] == 1);  // Z, then TCP
    free(x);
    pktseq_codec_free(&extended);
    extension_free(&e);
}

// Sequences that are held out, or left out, teach nothing; those that are repeated do.
static void test_extend_part(void) {
    static const unsigned char times[] = {0, 0, 2};
    extension e;
    pktseq_schema part;
    pktseq_codec same;
    extension_make(&e);
    // Of the second half nothing is learned, so Z occurs once; with nothing new all is the same.
    part = e.schema;
    part.hold_out = 0.67;
    CHECK(!pktseq_codec_extend(&same, &e.codec, &e.second, &part, 2, NULL, &err));
    CHECK(!pktseq_codec_same(&e.codec, &same, &err));
    pktseq_codec_free(&same);
    CHECK(!pktseq_codec_extend(&same, &e.codec, &e.first, &e.schema, 1, NULL, &err));
    CHECK(!pktseq_codec_same(&e.codec, &same, &err));
    pktseq_codec_free(&same);
    // By number of times: the last sequence alone counts, though it would be held out.
    part.repeats = times;
    CHECK(!pktseq_codec_extend(&same, &e.codec, &e.second, &part, 2, NULL, &err));
    CHECK(same.field[1].category_count == 4 && !strcmp(same.field[1].category[3], "D"));
    pktseq_codec_free(&same);
    CHECK(!pktseq_codec_fit(&same, &e.second, &part, NULL, &err));
    CHECK(same.field[1].category_count == 1 && !strcmp(same.field[1].category[0], "D"));
    CHECK(same.field[0].mean == 5 && same.field[0].sd == 0);
    pktseq_codec_free(&same);
    extension_free(&e);
}

static void test_extend_misuse(void) {
    extension e;
    pktseq_schema part;
    pktseq_table lacking;
    pktseq_codec same;
    extension_make(&e);
    CHECK(pktseq_codec_extend(NULL, &e.codec, &e.second, &e.schema, 1, NULL, &err) ==
          PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_codec_extend(&same, &e.codec, &e.second, &e.schema, 0, NULL, &err) ==
          PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_codec_extend(&same, &e.codec, &e.second, NULL, 1, NULL, &err) ==
          PKTSEQ_ERROR_ARGUMENT);
    part = e.schema;
    part.hold_out = 1;
    CHECK(pktseq_codec_extend(&same, &e.codec, &e.second, &part, 1, NULL, &err) ==
          PKTSEQ_ERROR_ARGUMENT);
    part = schema_of(e.field, 1);
    lacking = parse(more_traffic, &part);
    CHECK(pktseq_codec_extend(&same, &e.codec, &lacking, &e.schema, 1, NULL, &err) ==
          PKTSEQ_ERROR_MISMATCH);
    CHECK_THAT(strstr(err.text, "protocol") && !same.field, "%s", err.text);
    pktseq_table_free(&lacking);
    extension_free(&e);
}

// What reads files for a codec: its fields and its rule, or the default one.
static void test_schema_of_codec(void) {
    extension e;
    pktseq_schema schema;
    extension_make(&e);
    schema = pktseq_codec_schema(&e.codec);
    CHECK(schema.field == e.codec.field && schema.field_count == 4 && !schema.keep_count);
    CHECK(schema.rule.kind == PKTSEQ_RULE_REFERENCE && schema.rule.min_length == 4);
    e.codec.rule = pktseq_rule_connection();
    CHECK(pktseq_codec_schema(&e.codec).rule.kind == PKTSEQ_RULE_CONNECTION);
    CHECK(!pktseq_codec_schema(NULL).field && pktseq_codec_schema(NULL).rule.min_length == 4);
    extension_free(&e);
}

int main(void) {
    pktseq_schema notebook = pktseq_schema_reference(), standard = pktseq_schema_default();
    test_zscore();
    test_since();
    test_constant();
    test_constant_elsewhere();
    test_spread();
    test_ports();
    test_onehot();
    test_log();
    test_min_count();
    test_context();
    test_bad_roles();
    test_context_memory();
    test_mixed();
    test_blocks();
    test_decode();
    test_misuse();
    test_memory();
    test_schemas();
    check_fixture("enc_small", &notebook, 91, 25);    // the last sequence is not among the pairs
    check_fixture("enc_dynamic", &notebook, 91, 25);
    check_fixture("real_small", &standard, 298, 23);
    test_learned_names();
    test_equal_names();
    test_cannot_cut();
    test_foreign_table();
    test_too_large();
    test_limits();
    test_same();
    test_extend();
    test_extend_part();
    test_extend_misuse();
    test_schema_of_codec();
    return check_end("test_codec");
}
