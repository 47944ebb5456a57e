// test_schema.c - section >>schema: what schemas of programs and checkpoints may not have.
#include "inside.h"
#include "tables.h"

#include <math.h>

static void test_arguments(void) {
    static const char *const twice[] = {"TCP", "UDP", "TCP"}, *const bad[] = {"TCP", "\xff"};
    static const char *const hole[] = {"TCP", NULL};
    const pktseq_field wrong[] = {
        {NULL, PKTSEQ_NUMBER, 0, 0, 0, NULL, 0},
        {"", PKTSEQ_NUMBER, 0, 0, 0, NULL, 0},
        {"\xff", PKTSEQ_NUMBER, 0, 0, 0, NULL, 0},
        {"length", (pktseq_kind)(PKTSEQ_LOG_SINCE_PREVIOUS + 1), 0, 0, 0, NULL, 0},
        {"length", (pktseq_kind)77, 0, 0, 0, NULL, 0},
        {"length", PKTSEQ_ZSCORE, 0, 0, -1, NULL, 0},
        {"length", PKTSEQ_ZSCORE, 0, HUGE_VAL, 1, NULL, 0},
        {"length", PKTSEQ_ZSCORE, 0, 0, HUGE_VAL, NULL, 0},
        {"length", PKTSEQ_ZSCORE, 0, HUGE_VAL - HUGE_VAL, 1, NULL, 0},
        {"protocol", PKTSEQ_ONEHOT, 0, 0, 0, NULL, 3},
        {"protocol", PKTSEQ_ONEHOT, 0, 0, 0, twice, 3},
        {"protocol", PKTSEQ_ONEHOT, 0, 0, 0, bad, 2},
        {"protocol", PKTSEQ_ONEHOT, 0, 0, 0, hole, 2},
    };
    static const pktseq_field both[] = {{"length", PKTSEQ_NUMBER, 0, 0, 0, NULL, 0},
                                        {"length", PKTSEQ_ONEHOT, 0, 0, 0, NULL, 0}};
    const char *csv = H R;
    pktseq_schema schema = small;
    pktseq_table table;
#define BAD_ARGUMENT(call) \
    do { \
        memset(&table, 0xaa, sizeof table); \
        CHECK((call) == PKTSEQ_ERROR_ARGUMENT); \
        CHECK(err.status == PKTSEQ_ERROR_ARGUMENT && err.text[0] && err.line == 0); \
        CHECK(all_zero(&table)); \
        pktseq_table_free(&table); \
        err.text[0] = 0; \
    } while (0)
#define PARSE(schema) pktseq_table_parse(&table, csv, strlen(csv), schema, NULL, &err)
    write_file(csv, strlen(csv));
    BAD_ARGUMENT(PARSE(NULL));
    BAD_ARGUMENT(pktseq_table_read(&table, path, NULL, NULL, &err));
    BAD_ARGUMENT(pktseq_table_read(&table, NULL, &small, NULL, &err));
    BAD_ARGUMENT(pktseq_table_parse(&table, NULL, 1, &small, NULL, &err));
    CHECK(pktseq_table_parse(NULL, csv, strlen(csv), &small, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_table_read(NULL, path, &small, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    schema.field_count = 0;
    BAD_ARGUMENT(PARSE(&schema));
    schema.field_count = 4;
    schema.field = NULL;
    BAD_ARGUMENT(PARSE(&schema));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        schema.field = &wrong[i];
        schema.field_count = 1;
        BAD_ARGUMENT(PARSE(&schema));
    }
    schema.field = both;
    schema.field_count = 2;
    BAD_ARGUMENT(PARSE(&schema));
    schema = small;
    for (const char *p = "\"\n\r"; *p; ++p) {
        schema.separator = *p;
        BAD_ARGUMENT(PARSE(&schema));
    }
    // NULL of no bytes is an empty file.
    CHECK(pktseq_table_parse(&table, NULL, 0, &small, NULL, &err) == PKTSEQ_ERROR_DATA);
    CHECK(all_zero(&table));
    pktseq_table_free(NULL);
}

// A schema of a program's own with too many categories is refused by name, before any reading.
static void test_many_categories(void) {
    enum { MOST = 4096 };
    static char name[MOST + 1][8];
    static const char *category[MOST + 1];
    pktseq_field field = field_of("protocol", PKTSEQ_ONEHOT);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_table table;
    pktseq_codec codec;
    for (int i = 0; i <= MOST; ++i) {
        sprintf(name[i], "P%d", i);
        category[i] = name[i];
    }
    field.category = category;
    field.category_count = MOST + 1;
    CHECK(parse_text(&table, "position,protocol\n0,P4095\n1,P4096\n", &schema, &err) ==
          PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "protocol") && says(&err, "4097") && says(&err, "4096"), "%s", err.text);
    field.category_count = MOST;
    CHECK_THAT(parse_text(&table, "position,protocol\n0,P4095\n1,P4096\n", &schema, &err) == 0,
               "%s", err.text);
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
    for (int i = 0; i < 4; ++i) {
        field[1] = field_of("gap", PKTSEQ_ZSCORE);
        memset(i < 2 ? (void *)&field[1].kind : (void *)&field[1].role, i % 2 ? 0xff : 0x7f,
               sizeof field[1].kind);
        CHECK(parse_text(&table, "position,length,gap\n0,1,2\n", &schema, &err) ==
              PKTSEQ_ERROR_ARGUMENT);
        CHECK_THAT(says(&err, "\"gap\" has an unknown"), "%s", err.text);
    }
}

// Two fields of one column: its cells must suit both, whichever comes first.
static void test_stricter(void) {
    pktseq_field field[2] = {field_of("src_port", PKTSEQ_NUMBER), field_of("", PKTSEQ_PORT)};
    pktseq_schema schema = schema_of(field, 2);
    pktseq_table table;
    for (int turn = 0; turn < 2; ++turn) {
        field[turn] = field_of("src_port", PKTSEQ_NUMBER);
        field[1 - turn] = field_of("src_port", PKTSEQ_PORT);
        CHECK(parse_text(&table, "position,src_port\n0,80\n1,80.5\n", &schema, &err) ==
              PKTSEQ_ERROR_DATA);
        CHECK_THAT(says(&err, "80.5") && says(&err, "port") && err.line == 3, "%s", err.text);
        CHECK_THAT(parse_text(&table, "position,src_port\n0,80\n1,81\n", &schema, &err) == 0, "%s",
                   err.text);
        CHECK(table.column_count == 1 && pktseq_column_number(&table.column[0], 1) == 81);
        pktseq_table_free(&table);
    }
}

int main(int argc, char **argv) {
    name_path(argc, argv, "build/test_schema");
    test_arguments();
    test_many_categories();
    test_unknown_members();
    test_stricter();
    remove(path);
    return check_end("test_schema");
}
