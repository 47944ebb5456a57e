// test_gaps.c - what the other tests never reach: the seldom branches that coverage.sh lists, in
// the order of the header's sections. Each test says what a user would see if it failed.
//
// cc -O2 -fopenmp tests/test_gaps.c -o build/test_gaps -lm && ./build/test_gaps
#define _POSIX_C_SOURCE 200809L
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "check.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#if defined(__unix__) || defined(__APPLE__)
#define UNIX
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

typedef pktseq_real real;

// Files that the tests make begin with this.
static char base[1000];

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
#if defined(__x86_64__) && defined(__GNUC__) && !defined(PKTSEQ_NO_SIMD)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        const char *best = sizeof(real) != 4                   ? "FMA"
                           : __builtin_cpu_supports("avx512f") ? "AVX-512"
                                                               : "AVX2";
        CHECK_THAT(strstr(info, best), "%s, not %s", info, best);
    }
#endif
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

// Many empty lines, more than are looked at in one go, whatever their ends: none is counted twice,
// not even where "\r\n" is torn apart. Else the line that an error names would be another.
static void test_empty_lines(void) {
    enum { MANY = 400000 };
    static char csv[2 * MANY + 100];
    static const char *const end[] = {"\r", "\r\n", "\n", "\r\n"};
    pktseq_field field = field_of("length", PKTSEQ_ZSCORE);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_table table;
    pktseq_error err;
    for (int i = 0; i < 4; ++i) {
        size_t at = (size_t)sprintf(csv, "position,length\n0,%s\n", i == 3 ? "61" : "6"), bad;
        for (int k = 0; k < MANY; ++k) at += (size_t)sprintf(csv + at, "%s", end[i]);
        bad = at + 2;
        at += (size_t)sprintf(csv + at, "1,7%s", end[i]);
        CHECK_THAT(pktseq_table_parse(&table, csv, at, &schema, NULL, &err) == PKTSEQ_OK, "%s",
                   err.text);
        CHECK(table.rows == 2 && table.sequences == 1 && table.column[0].number[1] == 7);
        pktseq_table_free(&table);
        csv[bad] = 'x';
        CHECK(pktseq_table_parse(&table, csv, at, &schema, NULL, &err) == PKTSEQ_ERROR_DATA);
        CHECK_THAT(says(&err, "length") && err.line == MANY + 3, "%d: line %lu: %s", i,
                   (unsigned long)err.line, err.text);
    }
}

// count_alloc and count_free, with a few bytes behind each block that nobody may write to.
enum { FENCE = 32 };

static void *fenced_alloc(size_t size, void *user_data) {
    char *p = (char *)count_alloc(size + 2 * FENCE, user_data);
    if (!p) return NULL;
    memcpy(p, &size, sizeof size);
    memset(p + FENCE + size, 0xa5, FENCE);
    return p + FENCE;
}

static void fenced_free(void *p, void *user_data) {
    char *block = (char *)p - FENCE;
    size_t size, whole = 0;
    memcpy(&size, block, sizeof size);
    for (size_t i = 0; i < FENCE; ++i) whole += (unsigned char)block[FENCE + size + i] == 0xa5;
    CHECK_THAT(whole == FENCE, "written behind a block of %lu bytes", (unsigned long)size);
    count_free(block, user_data);
}

static pktseq_allocator fenced(counter *c) {
    pktseq_allocator allocator;
    allocator.alloc_fn = fenced_alloc;
    allocator.free_fn = fenced_free;
    allocator.user_data = c;
    return allocator;
}

// A table that is read again and again, with one block of memory refused: the first,
// then the second, until there is none left to refuse. No table before, and nothing lost.
static pktseq_table parse_short_of_memory(const char *csv, const pktseq_schema *schema,
                                          counter *c) {
    pktseq_allocator allocator = fenced(c);
    pktseq_status status = PKTSEQ_ERROR_MEMORY;
    pktseq_table table;
    pktseq_error err;
    size_t k = 0;
    while (status == PKTSEQ_ERROR_MEMORY && k < 1000) {
        memset(c, 0, sizeof *c);
        c->fail_at = ++k;
        status = pktseq_table_parse(&table, csv, strlen(csv), schema, &allocator, &err);
        CHECK_THAT(err.status == status, "%lu: %s", (unsigned long)k, err.text);
        if (status == PKTSEQ_OK) break;
        CHECK(c->live == 0 && !table.column && says(&err, "out of memory"));
        pktseq_table_free(&table);
        CHECK(c->live == 0);
    }
    CHECK_THAT(status == PKTSEQ_OK && k > 10, "%lu allocations", (unsigned long)k);
    return table;
}

// A row of many cells needs memory of its own, which may be refused like any other.
static void test_wide_row_memory(void) {
    pktseq_field field = field_of("length", PKTSEQ_ZSCORE);
    pktseq_schema schema = schema_of(&field, 1);
    char csv[400] = "position";
    pktseq_table table;
    counter c;
    for (int i = 0; i < 40; ++i) sprintf(csv + strlen(csv), ",c%d", i);
    strcat(csv, ",length\n0");
    for (int i = 0; i < 40; ++i) strcat(csv, ",1");
    strcat(csv, ",60\n");
    table = parse_short_of_memory(csv, &schema, &c);
    CHECK(table.rows == 1 && table.column[0].number[0] == 60);
    pktseq_table_free(&table);
    CHECK(c.live == 0);
}

// A text from which no more than is asked for is taken.
typedef struct source {
    const char *text;
    size_t size;
} source;

static size_t take(void *user_data, void *to, size_t size, int *failed) {
    source *from = (source *)user_data;
    if (size > from->size) size = from->size;
    memcpy(to, from->text, size);
    from->text += size;
    from->size -= size;
    *failed = 0;
    return size;
}

// A capture whose last packet is not TCP, and whose others are as many as there happens to be room
// for: what says where the rows came from is still right, and nothing is written behind its end.
static void test_last_not_tcp(void) {
    enum { MOST = 1024 };
    static char csv[MOST * 24];
    pktseq_field field[2] = {field_of("length", PKTSEQ_ZSCORE), field_of("dst_port", PKTSEQ_PORT)};
    pktseq_schema schema = schema_of(field, 2);
    schema.rule = pktseq_rule_default();
    for (int rows = MOST - 1; rows <= MOST + 1; ++rows) {
        pktseq_table table;
        pktseq_allocator allocator;
        pktseq_error err;
        source from;
        counter c = {0, 0, 0};
        size_t at = (size_t)sprintf(csv, "timestamp,src_ip,dst_ip,length,dst_port\n");
        for (int i = 0; i < rows; ++i)
            at += (size_t)sprintf(csv + at, "0.%04d,a,b,%d,80\n", i, i % 50);
        at += (size_t)sprintf(csv + at, "0.9,a,b,60,\n");
        from.text = csv;
        from.size = at;
        allocator = fenced(&c);
        CHECK_THAT(pktseq_table_stream(&table, take, &from, &schema, &allocator, &err) ==
                       PKTSEQ_OK, "%s", err.text);
        CHECK(table.rows == (size_t)rows && table.cut.not_tcp == 1 && table.source_row != NULL &&
              table.cut.packets == (size_t)rows + 1);
        for (size_t i = 0; table.source_row && i < table.rows; ++i)
            CHECK(table.source_row[i] == i);
        pktseq_table_free(&table);
        CHECK(c.live == 0);
    }
}

// Memory that runs out at any moment while such a capture is read: no table, and nothing lost.
static void test_last_not_tcp_memory(void) {
    static const char csv[] = "timestamp,src_ip,dst_ip,length,dst_port\n0,a,b,60,80\n1,b,a,61,80\n"
                              "2,a,b,62,80\n3,b,a,63,80\n4,b,a,64,\n";
    pktseq_field field[2] = {field_of("length", PKTSEQ_ZSCORE), field_of("dst_port", PKTSEQ_PORT)};
    pktseq_schema schema = schema_of(field, 2);
    pktseq_table table;
    counter c;
    schema.rule = pktseq_rule_default();
    table = parse_short_of_memory(csv, &schema, &c);
    CHECK(table.rows == 4 && table.source_row && table.source_row[3] == 3);
    pktseq_table_free(&table);
    CHECK(c.live == 0);
}

// Why a file cannot be opened is said, if the caller's own file system tells it by errno.
static void *closed_door(const char *path, int write, void *user_data) {
    (void)path;
    (void)write;
    errno = *(const int *)user_data;
    return NULL;
}

static void test_not_opened(void) {
    int reason = 0;
    pktseq_files files;
    pktseq_buffer buffer;
    pktseq_error err;
    memset(&files, 0, sizeof files);
    files.open_fn = closed_door;
    files.user_data = &reason;
    CHECK(pktseq_file_read(&buffer, "a.csv", &files, NULL, &err) == PKTSEQ_ERROR_FILE);
    CHECK_THAT(strcmp(err.text, "a.csv: cannot be opened") == 0, "%s", err.text);
#ifdef EACCES
    reason = EACCES;
    CHECK(pktseq_file_read(&buffer, "a.csv", &files, NULL, &err) == PKTSEQ_ERROR_FILE);
    CHECK_THAT(strcmp(err.text, "a.csv: cannot be opened: permission denied") == 0, "%s", err.text);
#endif
    CHECK(!buffer.data);
}

#ifdef UNIX
// A table from a pipe that has a name: it has no size that could be asked for beforehand.
static void test_pipe(void) {
    static const char csv[] = "position,length\n0,60\n1,70\n0,80\n";
    pktseq_field field = field_of("length", PKTSEQ_ZSCORE);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_table table;
    pktseq_error err;
    char path[40];
    int end[2];
    if (pipe(end) != 0) return;
    sprintf(path, "/dev/fd/%d", end[0]);
    if (access(path, R_OK) != 0) {
        printf("  SKIPPED: %s is not there\n", path);
    } else {
        CHECK(write(end[1], csv, sizeof csv - 1) == (ssize_t)sizeof csv - 1);
        close(end[1]);
        end[1] = -1;
        CHECK_THAT(pktseq_table_read(&table, path, &schema, NULL, &err) == PKTSEQ_OK, "%s",
                   err.text);
        CHECK(table.rows == 3 && table.sequences == 2 && table.column[0].number[2] == 80);
        pktseq_table_free(&table);
    }
    close(end[0]);
    if (end[1] >= 0) close(end[1]);
}

// A folder is no file, whatever it says about its size: some name one, some have no end.
static void test_folders(void) {
    static const char *const folder[] = {".", "/", "/proc", "/dev/shm", "/tmp"};
    pktseq_schema schema = pktseq_schema_default();
    pktseq_table table;
    pktseq_error err;
    for (size_t i = 0; i < sizeof folder / sizeof *folder; ++i) {
        CHECK(pktseq_table_read(&table, folder[i], &schema, NULL, &err) == PKTSEQ_ERROR_FILE);
        CHECK_THAT(strncmp(err.text, folder[i], strlen(folder[i])) == 0 &&
                       (says(&err, ": reading failed") || says(&err, ": cannot be opened")), "%s",
                   err.text);
        CHECK(!table.column && table.rows == 0);
    }
}

// Does this process have no more rights than anybody else? Root gives its own away, and takes them
// back with rights_back.
static int without_rights(void) {
    return geteuid() != 0 || seteuid(65534) == 0;
}

static void rights_back(void) {
    if (geteuid() != getuid()) CHECK(seteuid(getuid()) == 0);
}

// A file of somebody else's: the user reads that it is there, but not for him.
static void test_forbidden(void) {
    pktseq_schema schema = pktseq_schema_default();
    pktseq_table table;
    pktseq_buffer buffer;
    pktseq_error err;
    char path[1100];
    FILE *file;
    sprintf(path, "%s.forbidden", base);
    remove(path);
    file = fopen(path, "wb");
    CHECK(file != NULL);
    if (!file) return;
    fclose(file);
    CHECK(chmod(path, 0) == 0);
    if (without_rights()) {
        CHECK(pktseq_table_read(&table, path, &schema, NULL, &err) == PKTSEQ_ERROR_FILE);
        CHECK_THAT(says(&err, ".forbidden: cannot be opened: permission denied"), "%s", err.text);
        CHECK(!table.column);
        CHECK(pktseq_file_read(&buffer, path, NULL, NULL, &err) == PKTSEQ_ERROR_FILE);
        CHECK_THAT(says(&err, ".forbidden: cannot be opened: permission denied"), "%s", err.text);
        CHECK(!buffer.data);
    } else {
        printf("  SKIPPED: root keeps its rights here\n");
    }
    rights_back();
    remove(path);
}
#endif

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

// ---- >>sequences --------------------------------------------------------------------------------

// A table filled by hand in which something was forgotten, or is there twice, is refused in words.
static void test_forgotten(void) {
    char time[] = "timestamp", source_name[] = "src_ip", target[] = "dst_ip", a[] = "a";
    char *names[] = {a};
    uint32_t text[] = {0, 0, 0, 0};
    double number[] = {1, 2, 3, 4};
    size_t start[] = {0, 4};
    pktseq_column column[3];
    pktseq_table table;
    pktseq_rule rule = pktseq_rule_default();
    pktseq_field field = field_of("timestamp", PKTSEQ_NUMBER);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_codec codec;
    pktseq_error err;
    memset(column, 0, sizeof column);
    memset(&table, 0, sizeof table);
    column[0].name = time;
    column[0].number = number;
    column[1].name = source_name;
    column[2].name = target;
    column[1].text = column[2].text = text;
    column[1].names = column[2].names = names;
    column[1].name_count = column[2].name_count = 1;
    table.rows = 4;
    table.column = column;
    table.column_count = 3;
    column[2].names = NULL;  // texts, but not which ones
    CHECK(pktseq_table_sequences(&table, &rule, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "neither numbers nor texts"), "%s", err.text);
    column[2].number = number;  // it cannot be both
    CHECK(pktseq_table_sequences(&table, &rule, &err) == PKTSEQ_ERROR_MISMATCH);
    CHECK_THAT(says(&err, "\"dst_ip\" is not text"), "%s", err.text);
    CHECK(!table.start && table.sequences == 0 && table.rows == 4);
    table.start = start;  // as if it had been cut before, but where are the columns?
    table.sequences = 1;
    table.column = NULL;
    table.column_count = 0;
    CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "the table is empty"), "%s", err.text);
    CHECK(pktseq_table_derive(&table, &schema, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "the table is empty"), "%s", err.text);
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

// Names that a table filled by hand has twice are one category: the first of that name. And a table
// of which no row is asked for needs no names.
static void test_equal_names(void) {
    char column_name[] = "protocol", first[] = "A", second[] = "A", third[] = "B";
    char *names[] = {third, first, second};
    uint32_t text[] = {1, 2, 0};
    size_t start[] = {0, 3}, unknown = 0;
    pktseq_column column;
    pktseq_table table;
    pktseq_codec codec;
    pktseq_field field = field_of("protocol", PKTSEQ_ONEHOT);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_error err;
    real x[9];
    memset(&column, 0, sizeof column);
    memset(&table, 0, sizeof table);
    column.name = column_name;
    column.text = text;
    column.names = names;
    column.name_count = 3;
    table.rows = 3;
    table.sequences = 1;
    table.start = start;
    table.column = &column;
    table.column_count = 1;
    CHECK_THAT(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_OK, "%s", err.text);
    CHECK(codec.features == 3 && strcmp(codec.field[0].category[2], "B") == 0);
    CHECK_THAT(pktseq_codec_encode(&codec, &table, 0, 3, x, &unknown, &err) == PKTSEQ_OK, "%s",
               err.text);
    for (size_t i = 0; i < 9; ++i)
        CHECK_THAT((double)x[i] == (i == 0 || i == 3 || i == 8), "feature %lu", (unsigned long)i);
    CHECK(unknown == 0);
    column.name_count = 0;
    x[0] = 7;
    CHECK_THAT(pktseq_codec_encode(&codec, &table, 0, 0, x, &unknown, &err) == PKTSEQ_OK, "%s",
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
        pktseq_error err;
        schema.rule = pktseq_rule_default();
        CHECK(parse(&table, "timestamp,src_ip,dst_ip\n1,2,3\n2,3,2\n", &schema, &err) ==
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
    pktseq_column column;
    pktseq_table own, table;
    pktseq_codec codec;
    pktseq_dataset dataset;
    pktseq_error err;
    real x[12];
    memset(&column, 0, sizeof column);
    memset(&table, 0, sizeof table);
    CHECK(parse(&own, "position,protocol\n0,A\n1,B\n", &schema, &err) == PKTSEQ_OK);
    CHECK(pktseq_codec_fit(&codec, &own, &schema, NULL, &err) == PKTSEQ_OK);
    column.name = column_name;
    column.text = text;
    column.names = names;
    column.name_count = 1;
    table.rows = 6;
    table.sequences = 3;
    table.start = rising;
    table.column = &column;
    table.column_count = 1;
    options.inputs = 0;
    CHECK(pktseq_codec_encode(&codec, &table, 0, 6, x, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "not among its names"), "%s", err.text);
    CHECK(pktseq_codec_encode(&codec, &table, 4, 2, x, NULL, &err) == PKTSEQ_OK);
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

// More outputs than are summed up in one go: the gradient is the one that the loss says.
static void test_many_outputs(void) {
    enum { OUT = 130, LONG = 2 };
    real x[4], y[LONG * OUT];
    pktseq_config config = pktseq_config_default(NULL);
    pktseq_model model;
    pktseq_work work;
    pktseq_pair pair;
    const unsigned char forced = 1;  // else the bend of LeakyReLU is in the way of large steps
    double worst = -1;
    config.in = config.hidden = 2;
    config.out = OUT;
    config.inputs = 2;
    for (size_t i = 0; i < 4; ++i) x[i] = (real)sin(3.0 * (double)i);
    for (size_t i = 0; i < LONG * OUT; ++i) y[i] = (real)(i % OUT < 64 ? 0.1 : 0.002 * (double)i);
    memset(&pair, 0, sizeof pair);
    pair.input = x;
    pair.inputs = 2;
    pair.target = pair.first = y;
    pair.targets = LONG;
    CHECK(pktseq_model_init(&model, config, 4, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_work_init(&work, config, 1, LONG, 1, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_gradcheck(&model, &work, &pair, 1, &forced, sizeof(real) == 4 ? 3e-2 : 1e-5,
                           &worst) == PKTSEQ_OK);
    CHECK_THAT(worst >= 0 && worst < (sizeof(real) == 4 ? 1e-2 : 1e-6), "%g", worst);
    pktseq_work_free(&work);
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

// Stopped by the callback right after a step that was too large: the loss was still finite, but
// the weights are not, and the user gets those of before.
static int stop(void *user_data, const pktseq_progress *progress) {
    *(double *)user_data = progress->loss;
    return 1;
}

static void test_stopped_diverged(void) {
    real x[ROWS * WIDE];
    pktseq_dataset dataset;
    pktseq_model model, before;
    pktseq_training training;
    pktseq_train_config config = pktseq_train_config_default();
    pktseq_error err;
    double loss = -1;
    flat_dataset(&dataset, x, 100);
    flat_model(&model, &dataset);
    flat_model(&before, &dataset);
    memset(&training, 0, sizeof training);
    config.iterations = 1000;
    config.learning_rate = sizeof(real) == 4 ? 3e38 : 1e308;
    config.threads = 1;
    config.progress = stop;
    config.user_data = &loss;
    CHECK(pktseq_train(&model, &dataset, &config, &training, &err) == PKTSEQ_ERROR_DIVERGED);
    CHECK_THAT(loss > 0 && loss < 1e9 && says(&err, "no longer finite"), "%g: %s", loss, err.text);
    CHECK(training.iteration == 0);
    CHECK(memcmp(model.block, before.block, model.parameters * sizeof(real)) == 0);
    config.learning_rate = 1e-4;
    CHECK(pktseq_train(&model, &dataset, &config, &training, &err) == PKTSEQ_STOPPED);
    CHECK(training.iteration == 1);
    CHECK(memcmp(model.block, before.block, model.parameters * sizeof(real)) != 0);
    pktseq_training_free(&training);
    pktseq_model_free(&model);
    pktseq_model_free(&before);
    pktseq_dataset_free(&dataset);
}

// A callback that changes the model's config, as one may of a loaded model, but not now: training
// ends and says why, instead of reading other packets than there are.
static int meddle(void *user_data, const pktseq_progress *progress) {
    if (progress->iteration == 2) ++((pktseq_model *)user_data)->config.inputs;
    return 0;
}

static void test_meddling(void) {
    real x[ROWS * WIDE];
    pktseq_dataset dataset;
    pktseq_model model;
    pktseq_training training;
    pktseq_train_config config = pktseq_train_config_default();
    pktseq_error err;
    flat_dataset(&dataset, x, 1);
    flat_model(&model, &dataset);
    memset(&training, 0, sizeof training);
    config.iterations = 5;
    config.threads = 1;
    config.progress = meddle;
    config.user_data = &model;
    CHECK(pktseq_train(&model, &dataset, &config, &training, &err) == PKTSEQ_ERROR_MISMATCH);
    CHECK_THAT(says(&err, "forward: "), "%s", err.text);
    CHECK(training.iteration == 2);
    --model.config.inputs;
    config.progress = NULL;
    CHECK(pktseq_train(&model, &dataset, &config, &training, &err) == PKTSEQ_OK);
    CHECK(training.iteration == 5);
    pktseq_training_free(&training);
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
}

// A short beginning and a long rest, more than is taken into the weights in one pass: an iteration
// is forward, backward and a step down the gradient all the same.
static void test_long_rest(void) {
    enum { LONG = 140 };
    static const size_t start[] = {0, LONG};
    real x[LONG];
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_dataset dataset;
    pktseq_model model, same;
    pktseq_training training;
    pktseq_train_config config = pktseq_train_config_default();
    pktseq_work work;
    pktseq_pair pair;
    double worst = 0, moved = 0;
    for (size_t i = 0; i < LONG; ++i) x[i] = (real)(i < 70 ? sin(0.1 * (double)i) : 1.5);
    CHECK(pktseq_dataset_wrap(&dataset, x, 1, x, 1, start, 1, &options, NULL, NULL) == PKTSEQ_OK);
    flat_model(&model, &dataset);
    flat_model(&same, &dataset);
    memset(&training, 0, sizeof training);
    config.iterations = 1;
    config.learning_rate = 1e-3;
    config.threads = 1;
    CHECK(pktseq_train(&model, &dataset, &config, &training, NULL) == PKTSEQ_OK);
    CHECK(pktseq_work_init(&work, same.config, 1, LONG, 1, NULL, NULL) == PKTSEQ_OK);
    pair = pktseq_dataset_pair(&dataset, 0);
    CHECK(pktseq_forward(&same, &work, &pair, 1, NULL) == PKTSEQ_OK);
    CHECK(pktseq_backward(&same, &work) == PKTSEQ_OK);
    for (size_t i = 0; i < same.parameters; ++i) {
        double step = 1e-3 * (double)work.grad_block[i];
        double difference = fabs((double)model.block[i] - ((double)same.block[i] - step));
        worst = difference > worst ? difference : worst;
        moved = fabs(step) > moved ? fabs(step) : moved;
    }
    CHECK_THAT(moved > 0.1 && worst < 1e-6 * moved, "%g of %g", worst, moved);
    pktseq_work_free(&work);
    pktseq_training_free(&training);
    pktseq_model_free(&same);
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
}

// So few weights that not every thread gets some to move: clipped steps are the same to the bit as
// those of one thread.
static void test_idle_threads(void) {
    real x[ROWS * WIDE];
    static const size_t start[] = {0, 4, 8, 12};
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_dataset dataset;
    pktseq_model model[2];
    for (size_t i = 0; i < ROWS * WIDE; ++i) x[i] = (real)sin(0.7 * (double)i);
    CHECK(pktseq_dataset_wrap(&dataset, x, WIDE, x, WIDE, start, 3, &options, NULL, NULL) == 0);
    for (int m = 0; m < 2; ++m) {
        pktseq_train_config config = pktseq_train_config_default();
        pktseq_training training;
        memset(&training, 0, sizeof training);
        flat_model(&model[m], &dataset);
        config.iterations = 5;
        config.batch = 1000;  // enough for threads to be worth it
        config.learning_rate = 0.1;
        config.clip = 0.01;
        config.threads = m ? 3 : 1;
        CHECK(pktseq_train(&model[m], &dataset, &config, &training, NULL) == PKTSEQ_OK);
        pktseq_training_free(&training);
    }
    CHECK(memcmp(model[0].block, model[1].block, model[0].parameters * sizeof(real)) == 0);
    pktseq_model_free(&model[0]);
    flat_model(&model[0], &dataset);
    CHECK(memcmp(model[0].block, model[1].block, model[0].parameters * sizeof(real)) != 0);
    pktseq_model_free(&model[0]);
    pktseq_model_free(&model[1]);
    pktseq_dataset_free(&dataset);
}

#ifndef PKTSEQ_LINKED
// Checkpoints name their data by this number: whoever changes it cannot go on with old ones.
static void test_data_hash(void) {
    const size_t start[] = {0, 4, 8, 12};
    real x[ROWS * WIDE], y[ROWS];
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_dataset dataset;
    uint64_t hash;
    if (sizeof(real) != 4) return;
    for (size_t i = 0; i < ROWS * WIDE; ++i) x[i] = (real)i / 8;
    for (size_t i = 0; i < ROWS; ++i) y[i] = (real)i / 4 - 1;
    options.inputs = 2;
    CHECK(pktseq_dataset_wrap(&dataset, x, WIDE, y, 1, start, 3, &options, NULL, NULL) == 0);
    hash = pktseqi_dataset_hash(&dataset);
    CHECK_THAT(hash == UINT64_C(0xb0e779e75a09e216), "%016llx", (unsigned long long)hash);
    pktseq_dataset_free(&dataset);
}
#endif

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

// By length: a class of 20 sequences is divided by its own mean and deviation, one of 19 by those
// of all.
static void test_few_of_a_length(void) {
    enum { SHORT = 4, LONG = 20, ALL = 40 };
    real x[ALL * LONG];
    size_t start[ALL + 1];
    pktseq_dataset_options wanted = pktseq_dataset_options_default();
    pktseq_detector_options options = pktseq_detector_options_default();
    for (size_t i = 0; i < ALL * LONG; ++i) x[i] = (real)sin(0.01 * (double)(i * i));
    for (size_t few = 19; few <= 20; ++few) {
        pktseq_dataset dataset;
        pktseq_model model;
        pktseq_detector d;
        double score[ALL], sum[2] = {0, 0}, square[2] = {0, 0};
        start[0] = 0;
        for (size_t i = 0; i < ALL; ++i) start[i + 1] = start[i] + (i < few ? SHORT : LONG);
        CHECK(pktseq_dataset_wrap(&dataset, x, 1, x, 1, start, ALL, &wanted, NULL, NULL) == 0);
        flat_model(&model, &dataset);
        options.by_length = 0;
        CHECK(pktseq_detector_init(&d, &model, 0, &options, NULL, NULL) == PKTSEQ_OK);
        CHECK(pktseq_detector_fit(&d, &model, &dataset, 1, NULL) == PKTSEQ_OK);
        CHECK(pktseq_detector_score_all(&d, &model, &dataset, 1, score, NULL) == PKTSEQ_OK);
        pktseq_detector_free(&d);
        for (size_t i = 0; i < ALL; ++i)
            for (int all = 0; all < 2; ++all) {
                sum[all] += all || i < few ? score[i] : 0;
                square[all] += all || i < few ? score[i] * score[i] : 0;
            }
        options.by_length = 1;
        CHECK(pktseq_detector_init(&d, &model, 0, &options, NULL, NULL) == PKTSEQ_OK);
        CHECK(pktseq_detector_fit(&d, &model, &dataset, 1, NULL) == PKTSEQ_OK);
        {
            int all = few < 20;
            double n = all ? ALL : 20, mean = sum[all] / n;
            double scale = mean + 2 * sqrt(square[all] / n - mean * mean);
            CHECK_THAT(fabs(d.length_scale[0] / scale - 1) < 1e-6, "%.17g, not %.17g",
                       d.length_scale[0], scale);
            CHECK(d.length_scale[1] == d.length_scale[2]);  // none: those of all
            CHECK((d.length_scale[0] == d.length_scale[1]) == all);
        }
        pktseq_detector_free(&d);
        pktseq_model_free(&model);
        pktseq_dataset_free(&dataset);
    }
}

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
                  detector.threshold_high == DBL_MAX && detector.sequences == 3);
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

// A share of the context that is asked for after the detector was made, which knows of none: no
// score is made up, and the detector stays as it was.
static void test_no_context(void) {
    real x[ROWS * WIDE];
    const pktseq_measure measure[] = {PKTSEQ_MEASURE_RMS, PKTSEQ_MEASURE_WEIGHTED};
    pktseq_dataset dataset;
    pktseq_model model;
    pktseq_error err;
    flat_dataset(&dataset, x, 1);
    flat_model(&model, &dataset);
    for (int m = 0; m < 2; ++m) {
        pktseq_detector_options options = pktseq_detector_options_default();
        pktseq_detector detector;
        pktseq_buffer buffer;
        double score[3] = {7, 7, 7};
        options.measure = measure[m];
        CHECK(pktseq_detector_init(&detector, &model, 0, &options, NULL, &err) == PKTSEQ_OK);
        detector.options.context = 0.5;
        CHECK(pktseq_detector_score_all(&detector, &model, &dataset, 0, score, &err) ==
              PKTSEQ_ERROR_MISMATCH);
        CHECK_THAT(says(&err, "do not fit the model and the detector"), "%s", err.text);
        CHECK(score[0] == 7 && score[1] == 7 && score[2] == 7);
        CHECK(pktseq_detector_fit(&detector, &model, &dataset, 0, &err) ==
              (m ? PKTSEQ_ERROR_ARGUMENT : PKTSEQ_ERROR_MISMATCH));
        CHECK_THAT(says(&err, m ? "forward: " : "do not fit the model"), "%s", err.text);
        CHECK(detector.sequences == 0 && detector.threshold == DBL_MAX && detector.error[0] == 1);
        CHECK(pktseq_save_mem(&buffer, &model, NULL, NULL, &detector, NULL, &err) ==
              PKTSEQ_ERROR_DATA);
        CHECK_THAT(says(&err, "a number of the detector cannot be") && !buffer.data, "%s",
                   err.text);
        detector.options.context = 0;
        CHECK(pktseq_detector_fit(&detector, &model, &dataset, 0, &err) == PKTSEQ_OK);
        CHECK(detector.sequences == 3);
        pktseq_detector_free(&detector);
    }
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
}

// A context so large that its covariance is not finite: said, instead of scores that are all 0.
static void test_large_context(void) {
    pktseq_field field[2] = {field_of("length", PKTSEQ_NUMBER), field_of("gap", PKTSEQ_NUMBER)};
    pktseq_schema schema = schema_of(field, 2);
    pktseq_table table;
    pktseq_codec codec;
    pktseq_dataset dataset;
    pktseq_dataset_options wanted = pktseq_dataset_options_default();
    pktseq_detector_options options = pktseq_detector_options_default();
    pktseq_detector detector;
    pktseq_model model;
    pktseq_error err;
    if (sizeof(real) == 4) return;  // the square of a float fits a double
    field[1].role = PKTSEQ_ROLE_CONTEXT;
    CHECK(parse(&table, "position,length,gap\n0,1,5\n1,1,6\n2,1,7\n3,2,1e200\n4,1,2\n", &schema,
                &err) == 0);
    CHECK_THAT(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == 0, "%s", err.text);
    CHECK_THAT(pktseq_dataset_init(&dataset, &codec, &table, &wanted, NULL, &err) == 0, "%s",
               err.text);
    flat_model(&model, &dataset);
    options.context = 0.5;
    CHECK(pktseq_detector_init(&detector, &model, 1, &options, NULL, &err) == PKTSEQ_OK);
    CHECK(pktseq_detector_fit(&detector, &model, &dataset, 1, &err) == PKTSEQ_ERROR_DIVERGED);
    CHECK_THAT(says(&err, "covariance of the context has no inverse"), "%s", err.text);
    CHECK(detector.sequences == 0 && detector.precision[0] == 1);
    pktseq_detector_free(&detector);
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
}

// Nearly all may be alarms, of very few sequences: the range of the threshold still holds it, and
// is open where nothing bounds it.
static void test_low_threshold(void) {
    static const size_t start[] = {0, 4, 8, 12};
    real x[ROWS];
    pktseq_dataset_options wanted = pktseq_dataset_options_default();
    pktseq_detector_options options = pktseq_detector_options_default();
    pktseq_dataset dataset;
    pktseq_model model;
    pktseq_detector d;
    double score[3], low;
    for (size_t i = 0; i < ROWS; ++i) x[i] = (real)(i / 4);
    CHECK(pktseq_dataset_wrap(&dataset, x, 1, x, 1, start, 3, &wanted, NULL, NULL) == PKTSEQ_OK);
    flat_model(&model, &dataset);
    options.false_alarms = 0.99;
    CHECK(pktseq_detector_init(&d, &model, 0, &options, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_detector_fit(&d, &model, &dataset, 1, NULL) == PKTSEQ_OK);
    CHECK(pktseq_detector_score_all(&d, &model, &dataset, 1, score, NULL) == PKTSEQ_OK);
    low = score[0] < score[1] ? score[0] : score[1];
    low = score[2] < low ? score[2] : low;
    CHECK_THAT(d.threshold > low && d.threshold_low == -DBL_MAX &&
                   d.threshold_high >= d.threshold && d.threshold_high < DBL_MAX,
               "%.17g: %.17g in %.17g .. %.17g", low, d.threshold, d.threshold_low,
               d.threshold_high);
    pktseq_detector_free(&d);
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
}

static int compare_scores(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// The ranks that bound the threshold, as whole fractions say: of n scores, A lie above it. few: how
// many numbers from 0 on A reaches with a chance of 2.5 % at most; many: the least that it does not
// exceed with one of 97.5 %.
static void test_threshold_range(void) {
    static const struct { size_t n; double share; size_t few, many; } want[] = {
        {1, 0.01, 0, 0},  {2, 0.01, 0, 0},   {2, 0.25, 0, 2},   {20, 0.01, 0, 1},
        {60, 0.1, 2, 11}, {100, 0.01, 0, 3}, {300, 0.01, 0, 7}, {400, 0.01, 1, 8},
        {300, 0.5, 133, 167}, {2, 0.99, 2, 2}, {3, 0, 0, 0}, {3, 1, 3, 3}};
    static real x[4 * 400];
    static size_t start[401];
    static double score[400];
    pktseq_dataset_options wanted = pktseq_dataset_options_default();
    for (size_t i = 0; i < 4 * 400; ++i) x[i] = (real)(i / 4) / 100;
    for (size_t i = 0; i <= 400; ++i) start[i] = 4 * i;
    for (size_t i = 0; i < sizeof want / sizeof *want; ++i) {
        const size_t n = want[i].n, few = want[i].few, many = want[i].many;
        pktseq_detector_options options = pktseq_detector_options_default();
        pktseq_dataset dataset;
        pktseq_model model;
        pktseq_detector d;
        double low, high;
        CHECK(pktseq_dataset_wrap(&dataset, x, 1, x, 1, start, n, &wanted, NULL, NULL) == 0);
        flat_model(&model, &dataset);
        options.false_alarms = want[i].share;
        CHECK(pktseq_detector_init(&d, &model, 0, &options, NULL, NULL) == PKTSEQ_OK);
        CHECK(pktseq_detector_fit(&d, &model, &dataset, 1, NULL) == PKTSEQ_OK);
        CHECK(pktseq_detector_score_all(&d, &model, &dataset, 1, score, NULL) == PKTSEQ_OK);
        qsort(score, n, sizeof *score, compare_scores);
        low = many < n ? score[n - 1 - many] : -DBL_MAX;
        high = few > 0 ? score[n - few] : DBL_MAX;
        if (low > d.threshold) low = d.threshold;
        if (high < d.threshold) high = d.threshold;
        CHECK_THAT(d.threshold_low == low && d.threshold_high == high,
                   "%lu sequences, %g: %.9g to %.9g, expected %.9g to %.9g", (unsigned long)n,
                   want[i].share, d.threshold_low, d.threshold_high, low, high);
        pktseq_detector_free(&d);
        pktseq_model_free(&model);
        pktseq_dataset_free(&dataset);
    }
}

// A stream whose detector has been freed says so to whoever asks it for more.
static void test_orphan_stream(void) {
    real x[ROWS * WIDE];
    pktseq_detector_options options = pktseq_detector_options_default();
    pktseq_dataset dataset;
    pktseq_model model;
    pktseq_detector detector;
    pktseq_stream stream;
    double score = 7;
    flat_dataset(&dataset, x, 1);
    flat_model(&model, &dataset);
    CHECK(pktseq_detector_init(&detector, &model, 0, &options, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_stream_init(&stream, &model, &detector, NULL, NULL) == PKTSEQ_OK);
    for (size_t i = 0; i < 4; ++i)
        CHECK(pktseq_stream_push(&stream, x + i * WIDE, x + i * WIDE, NULL) == PKTSEQ_OK);
    CHECK(pktseq_stream_score(&stream, &score) == PKTSEQ_OK && score > 0 && score < 7);
    pktseq_detector_free(&detector);
    score = 7;
    CHECK(pktseq_stream_push(&stream, x, x, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_stream_score(&stream, &score) == PKTSEQ_ERROR_ARGUMENT && score == 7);
    CHECK(stream.packets == 4);
    pktseq_stream_free(&stream);
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

// What no file may hold is not written: sums of losses that are not finite, a config that could not
// go on, a detector with a number that is none.
static void test_not_saved(void) {
    real x[ROWS * WIDE];
    pktseq_detector_options options = pktseq_detector_options_default();
    pktseq_dataset dataset;
    pktseq_model model;
    pktseq_training training, bad;
    pktseq_train_config config = pktseq_train_config_default();
    pktseq_detector detector;
    pktseq_buffer buffer;
    pktseq_error err;
    flat_dataset(&dataset, x, 1);
    flat_model(&model, &dataset);
    memset(&training, 0, sizeof training);
    config.iterations = 2;
    CHECK(pktseq_train(&model, &dataset, &config, &training, &err) == PKTSEQ_OK);
    for (int i = 0; i < 3; ++i) {
        bad = training;
        if (i == 0) bad.report_sum = HUGE_VAL;
        if (i == 1) bad.point_sum = -HUGE_VAL;
        if (i == 2) bad.config.batch = 0;
        CHECK(pktseq_save_mem(&buffer, &model, NULL, &bad, NULL, NULL, &err) ==
              (i < 2 ? PKTSEQ_ERROR_DATA : PKTSEQ_ERROR_ARGUMENT));
        CHECK_THAT(says(&err, i < 2 ? "a loss or velocity is not finite" : "batch") &&
                       !buffer.data, "%d: %s", i, err.text);
    }
    CHECK(pktseq_detector_init(&detector, &model, 0, &options, NULL, &err) == PKTSEQ_OK);
    detector.scale[0] = HUGE_VAL;
    CHECK(pktseq_save_mem(&buffer, &model, NULL, &training, &detector, NULL, &err) ==
          PKTSEQ_ERROR_DATA);
    CHECK_THAT(says(&err, "a number of the detector cannot be") && !buffer.data, "%s", err.text);
    detector.scale[0] = 1;
    CHECK_THAT(pktseq_save_mem(&buffer, &model, NULL, &training, &detector, NULL, &err) ==
                   PKTSEQ_OK, "%s", err.text);
    pktseq_buffer_free(&buffer);
    pktseq_detector_free(&detector);
    pktseq_training_free(&training);
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
}

// A detector and a codec for the same model, of as many features, but grouped differently: they
// are not saved together, for a reader could not tell which group a weight is for.
static void test_other_groups(void) {
    real x[ROWS * WIDE];
    pktseq_field field = field_of("protocol", PKTSEQ_ONEHOT);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_detector_options options = pktseq_detector_options_default();
    pktseq_table table;
    pktseq_codec codec;
    pktseq_dataset dataset;
    pktseq_model model;
    pktseq_detector detector;
    pktseq_buffer buffer;
    pktseq_error err;
    flat_dataset(&dataset, x, 1);
    flat_model(&model, &dataset);  // two numbers
    CHECK(parse(&table, "position,protocol\n0,TCP\n1,UDP\n", &schema, &err) == PKTSEQ_OK);
    CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_OK);  // one of two
    CHECK(pktseq_detector_init(&detector, &model, 0, &options, NULL, &err) == PKTSEQ_OK);
    CHECK(pktseq_save_mem(&buffer, &model, &codec, NULL, &detector, NULL, &err) ==
          PKTSEQ_ERROR_MISMATCH);
    CHECK_THAT(says(&err, "another codec's") && !buffer.data, "%s", err.text);
    CHECK_THAT(pktseq_save_mem(&buffer, &model, NULL, NULL, &detector, NULL, &err) == PKTSEQ_OK,
               "%s", err.text);
    pktseq_buffer_free(&buffer);
    pktseq_detector_free(&detector);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
}

// A category of 17 million bytes, each six in JSON: a file with so long a header could not be read
// again, so it is not written.
static void test_long_header(void) {
    enum { SIZE = 17000000 };
    char *name = (char *)malloc(SIZE + 1);
    const char *category[1];
    real x[ROWS];
    static const size_t start[] = {0, 4, 8, 12};
    pktseq_dataset_options wanted = pktseq_dataset_options_default();
    pktseq_field field = field_of("protocol", PKTSEQ_ONEHOT);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_table table;
    pktseq_codec codec;
    pktseq_dataset dataset;
    pktseq_model model;
    pktseq_buffer buffer;
    pktseq_error err;
    pktseq_status status;
    if (!name) return;
    memset(name, 1, SIZE);
    name[SIZE] = 0;
    category[0] = name;
    field.category = category;
    field.category_count = 1;
    for (size_t i = 0; i < ROWS; ++i) x[i] = 1;
    CHECK(pktseq_dataset_wrap(&dataset, x, 1, x, 1, start, 3, &wanted, NULL, NULL) == PKTSEQ_OK);
    flat_model(&model, &dataset);
    CHECK(parse(&table, "position,protocol\n0,TCP\n", &schema, &err) == PKTSEQ_OK);
    CHECK_THAT(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_OK, "%s", err.text);
    status = pktseq_save_mem(&buffer, &model, &codec, NULL, NULL, NULL, &err);
    CHECK(status != PKTSEQ_OK && !buffer.data && buffer.size == 0);
    if (status == PKTSEQ_ERROR_MEMORY)
        printf("  SKIPPED: there is no memory for a header of 100 MB\n");
    else
        CHECK_THAT(status == PKTSEQ_ERROR_DATA && says(&err, "expected at most 100000000"), "%s",
                   err.text);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
    free(name);
}

// ---- >>load -------------------------------------------------------------------------------------

// A small checkpoint with everything in it: a codec of one one-hot, training, a detector.
static pktseq_buffer small_checkpoint(void) {
    pktseq_field field = field_of("protocol", PKTSEQ_ONEHOT);
    pktseq_schema schema = schema_of(&field, 1);
    pktseq_dataset_options wanted = pktseq_dataset_options_default();
    pktseq_detector_options options = pktseq_detector_options_default();
    pktseq_train_config train = pktseq_train_config_default();
    pktseq_config config;
    pktseq_table table;
    pktseq_codec codec;
    pktseq_dataset dataset;
    pktseq_model model;
    pktseq_training training;
    pktseq_detector detector;
    pktseq_buffer buffer;
    pktseq_error err;
    memset(&training, 0, sizeof training);
    CHECK(parse(&table, "position,protocol\n0,TCP\n1,UDP\n2,TCP\n3,UDP\n4,TCP\n", &schema, &err) ==
          PKTSEQ_OK);
    CHECK(pktseq_codec_fit(&codec, &table, &schema, NULL, &err) == PKTSEQ_OK);
    CHECK(pktseq_dataset_init(&dataset, &codec, &table, &wanted, NULL, &err) == PKTSEQ_OK);
    config = pktseq_config_default(&dataset);
    config.hidden = 2;
    config.loss = PKTSEQ_LOSS_NLL;
    CHECK(pktseq_model_init(&model, config, 1, NULL, &err) == PKTSEQ_OK);
    train.iterations = 1;
    train.point_every = 0;
    CHECK(pktseq_train(&model, &dataset, &train, &training, &err) == PKTSEQ_OK);
    CHECK(pktseq_detector_init(&detector, &model, 0, &options, NULL, &err) == PKTSEQ_OK);
    CHECK_THAT(pktseq_save_mem(&buffer, &model, &codec, &training, &detector, NULL, &err) ==
                   PKTSEQ_OK, "%s", err.text);
    pktseq_detector_free(&detector);
    pktseq_training_free(&training);
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
    return buffer;
}

// What is loaded lies in the memory that the caller gave, all of it, and goes back there.
static void test_whose_memory(void) {
    pktseq_buffer file = small_checkpoint();
    counter c = {0, 0, 0};
    pktseq_allocator allocator = fenced(&c);
    pktseq_model model;
    pktseq_codec codec;
    pktseq_training training;
    pktseq_detector detector;
    pktseq_error err;
    CHECK_THAT(pktseq_load_mem(file.data, file.size, &model, &codec, &training, &detector,
                               &allocator, &err) == PKTSEQ_OK, "%s", err.text);
    CHECK(model.allocator.user_data == &c && codec.allocator.user_data == &c);
    CHECK(training.allocator.user_data == &c && detector.allocator.user_data == &c);
    CHECK(c.live > 4);
    pktseq_detector_free(&detector);
    pktseq_training_free(&training);
    pktseq_codec_free(&codec);
    pktseq_model_free(&model);
    CHECK(c.live == 0);
    pktseq_buffer_free(&file);
}

// A buffer goes back to the allocator that it came from.
static void test_whose_buffer(void) {
    const double falling[] = {3, 2, 1};
    pktseq_buffer file = small_checkpoint(), buffer;
    counter c = {0, 0, 0};
    pktseq_allocator allocator = fenced(&c);
    pktseq_model model;
    pktseq_error err;
    char path[1100];
    snprintf(path, sizeof path, "%s.buffer", base);
    CHECK_THAT(pktseq_file_write(path, file.data, file.size, NULL, &err) == 0, "%s", err.text);
    for (int kind = 0; kind < 3; ++kind) {
        pktseq_status status =
            kind == 0   ? pktseq_file_read(&buffer, path, NULL, &allocator, &err)
            : kind == 1 ? pktseq_loss_svg_mem(&buffer, falling, 3, 1, "", &allocator, &err)
                        : pktseq_load_mem(file.data, file.size, &model, NULL, NULL, NULL, NULL,
                                          &err);
        if (kind == 2 && status == PKTSEQ_OK) {
            status = pktseq_save_mem(&buffer, &model, NULL, NULL, NULL, &allocator, &err);
            pktseq_model_free(&model);
        }
        CHECK_THAT(status == PKTSEQ_OK, "%s", err.text);
        CHECK(c.live == 1 && buffer.allocator.user_data == &c && buffer.capacity >= buffer.size);
        pktseq_buffer_free(&buffer);
        CHECK(c.live == 0 && !buffer.data);
    }
    // pktseq_save has no allocator of its own: it takes the model's.
    CHECK(pktseq_load_mem(file.data, file.size, &model, NULL, NULL, NULL, &allocator, &err) == 0);
    c.allocations = 0;
    CHECK_THAT(pktseq_save(path, &model, NULL, NULL, NULL, &err) == PKTSEQ_OK, "%s", err.text);
    CHECK(c.allocations > 0);
    pktseq_model_free(&model);
    CHECK(c.live == 0);
    remove(path);
    pktseq_buffer_free(&file);
}

// Where a text stands in the first `size` bytes, or NULL.
static const unsigned char *find(const unsigned char *p, size_t size, const char *text) {
    size_t length = strlen(text);
    for (size_t i = 0; i + length <= size; ++i)
        if (memcmp(p + i, text, length) == 0) return p + i;
    return NULL;
}

static void put_length(unsigned char *to, size_t length) {
    for (size_t i = 0; i < 8; ++i) to[i] = (unsigned char)((uint64_t)length >> (8 * i));
}

// Loads all of a file in which the text `from`, and all up to `until` if there is one, is replaced
// by `to`, as somebody would do it who also mends length and checksum. category: the codec's
// first, if it could be loaded.
static pktseq_status load_edited(const pktseq_buffer *file, const char *from, const char *until,
                                 const char *to, char *category, pktseq_error *err) {
    static const char key[] = "\"pktseq.checksum\":\"";
    size_t end = 8, cut = strlen(from), size, place;
    const unsigned char *at, *past;
    unsigned char *data = (unsigned char *)malloc(file->size + strlen(to));
    uint64_t hash = UINT64_C(14695981039346656037);
    pktseq_model model;
    pktseq_codec codec;
    pktseq_training training;
    pktseq_detector detector;
    pktseq_status status;
    if (!data) exit(3);
    for (size_t i = 0; i < 4; ++i) end += (size_t)file->data[i] << (8 * i);
    at = find(file->data, end, from);
    CHECK_THAT(at != NULL, "the header has no %s", from);
    if (!at) exit(3);
    past = until ? find(at + cut, (size_t)(file->data + end - at) - cut, until) : at + cut;
    if (!past) exit(3);
    size = (size_t)(at - file->data);
    memcpy(data, file->data, size);
    memcpy(data + size, to, strlen(to));
    memcpy(data + size + strlen(to), past, (size_t)(file->data + file->size - past));
    size = file->size - (size_t)(past - at) + strlen(to);
    put_length(data, end - 8 - (size_t)(past - at) + strlen(to));
    place = (size_t)(find(data, size, key) - data) + sizeof key - 1;
    for (size_t i = 0; i < size; ++i)
        if (i < place || i >= place + 16) hash = (hash ^ data[i]) * UINT64_C(1099511628211);
    for (size_t i = 0; i < 16; ++i)
        data[place + i] = (unsigned char)"0123456789abcdef"[(hash >> (60 - 4 * i)) & 15];
    status = pktseq_load_mem(data, size, &model, &codec, &training, &detector, NULL, err);
    if (status)
        CHECK(!model.block && !codec.field && !training.iteration && !detector.memory);
    else
        CHECK(model.block && codec.field && training.iteration == 1 && detector.memory);
    if (status == PKTSEQ_OK && category) strcpy(category, codec.field[0].category[0]);
    pktseq_detector_free(&detector);
    pktseq_training_free(&training);
    pktseq_codec_free(&codec);
    pktseq_model_free(&model);
    free(data);
    return status;
}

// Metadata that end too early, or nearly are what they should be: refused by name.
static void test_edited(void) {
    static const struct {
        const char *from, *until, *to, *key;
    } edit[] = {
        {"points\\n\"", NULL, "points\"", "pktseq.training"},
        {"milestones ", "\"", "", "pktseq.training"},
        {" 40 ", "\"", " 40", "pktseq.training"},
        {"\"class2\"", NULL, "\"class2e0\"", "pktseq.groups"},
        {"weight ", "\"", "", "pktseq.detector"},
        {"TCP\\t", "\"", "TCP", "pktseq.codec"},
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

// Letters as JSON escapes them: those around the halves of surrogate pairs are what they are, and
// two halves that do not belong together are none.
static void test_escapes(void) {
    static const struct {
        const char *json, *utf8;
    } escape[] = {
        {"\\ud7ff", "\xed\x9f\xbf"},          {"\\ue000", "\xee\x80\x80"},
        {"\\ufffd", "\xef\xbf\xbd"},          {"\\ud800\\udc00", "\xf0\x90\x80\x80"},
        {"\\udbff\\udfff", "\xf4\x8f\xbf\xbf"}, {"\\ud800\\udbff", NULL},
        {"\\ud800\\ue000", NULL},              {"\\udc00", NULL},
        {"\\udfff", NULL},
    };
    pktseq_buffer file = small_checkpoint();
    pktseq_error err;
    for (size_t i = 0; i < sizeof escape / sizeof *escape; ++i) {
        char category[20] = "";
        pktseq_status status = load_edited(&file, "TCP", NULL, escape[i].json, category, &err);
        CHECK_THAT(status == (escape[i].utf8 ? PKTSEQ_OK : PKTSEQ_ERROR_DATA), "%s: %d %s",
                   escape[i].json, (int)status, err.text);
        if (escape[i].utf8) CHECK_THAT(strcmp(category, escape[i].utf8) == 0, "%s", escape[i].json);
        else CHECK_THAT(says(&err, "a valid escape"), "%s: %s", escape[i].json, err.text);
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
    put_length(file, (size_t)at);
    CHECK(pktseq_load_mem(file, (size_t)at + 8, &model, NULL, NULL, NULL, NULL, &err) ==
          PKTSEQ_ERROR_DATA);
    CHECK_THAT(says(&err, "\"encoder.gru.weight_hh_l0\": its offsets do not fit"), "%s", err.text);
    CHECK(!model.block);
#endif
}

// ---- >>files ------------------------------------------------------------------------------------

#ifdef UNIX
// Into a folder that one may write to, but not look into: the file is there, and all is well,
// although the folder itself cannot be told to go to the disk.
static void test_unreadable_folder(void) {
    char folder[1100], path[1200];
    pktseq_buffer buffer;
    pktseq_error err;
    FILE *file;
    sprintf(folder, "%s.folder", base);
    sprintf(path, "%s/file", folder);
    remove(path);  // what a test that was cut short has left
    rmdir(folder);
    CHECK(mkdir(folder, 0700) == 0 && chmod(folder, 0333) == 0);
    file = without_rights() ? fopen(path, "wb") : NULL;
    if (file) {
        fclose(file);
        CHECK(open(folder, O_RDONLY) < 0);
        for (int i = 0; i < 2; ++i) {
            CHECK_THAT(pktseq_file_write(path, "what it is", 10, NULL, &err) == PKTSEQ_OK, "%s",
                       err.text);
            CHECK_THAT(pktseq_file_read(&buffer, path, NULL, NULL, &err) == PKTSEQ_OK, "%s",
                       err.text);
            CHECK(buffer.size == 10 && memcmp(buffer.data, "what it is", 10) == 0);
            pktseq_buffer_free(&buffer);
            CHECK(remove(path) == 0);  // the second time there is none before
        }
    } else {
        printf("  SKIPPED: %s is out of reach for anybody but root\n", folder);
    }
    rights_back();
    CHECK(rmdir(folder) == 0);
}

// /dev/fd/N, and so /dev/stdout, may lead to a pipe or a regular file: they are written to, for
// nothing can be put in their place in /dev.
static void test_device(void) {
    static const char *const text[] = {"first, the long one", "second"};
    char path[1100], device[40], got[40];
    int end[2];
    pktseq_buffer buffer;
    pktseq_error err;
    int descriptor;
    sprintf(path, "%s.device", base);
    descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(descriptor >= 0);
    sprintf(device, "/dev/fd/%d", descriptor);
    if (access(device, W_OK) != 0) {
        printf("  SKIPPED: %s is not there\n", device);
    } else {
        for (int i = 0; i < 2; ++i) {
            CHECK(lseek(descriptor, 0, SEEK_SET) == 0 && ftruncate(descriptor, 0) == 0);
            CHECK_THAT(pktseq_file_write(device, text[i], strlen(text[i]), NULL, &err) ==
                           PKTSEQ_OK, "%s", err.text);
            CHECK_THAT(pktseq_file_read(&buffer, path, NULL, NULL, &err) == PKTSEQ_OK, "%s",
                       err.text);
            CHECK(buffer.size == strlen(text[i]) &&
                  memcmp(buffer.data, text[i], buffer.size) == 0);
            pktseq_buffer_free(&buffer);
        }
    }
    close(descriptor);
    remove(path);
    if (pipe(end) != 0) return;
    sprintf(device, "/dev/fd/%d", end[1]);
    if (access(device, W_OK) == 0) {
        CHECK_THAT(pktseq_file_write(device, text[1], strlen(text[1]), NULL, &err) == PKTSEQ_OK,
                   "%s", err.text);
        close(end[1]);
        end[1] = -1;  // else a pipe without anything in it would have to be waited for
        CHECK(read(end[0], got, sizeof got) == (ssize_t)strlen(text[1]) &&
              memcmp(got, text[1], strlen(text[1])) == 0);
    }
    close(end[0]);
    if (end[1] >= 0) close(end[1]);
}
#endif

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
    const double five[] = {5, 0};
    pktseq_error err;
    CHECK(draw(text, sizeof text, falling, 4, 100, NULL, &err) == PKTSEQ_OK);
    CHECK(strstr(text, ">Training loss<") && strstr(text, ">-4<") && strstr(text, ">-2<") &&
          strstr(text, ">0<") && strstr(text, ">2<") && !strstr(text, ">-0<"));
    // A mark below each number of the x axis, and the axis itself.
    CHECK(strstr(text, "<path class=\"axis\" d=\"M84.0 416v5\"/>") &&
          strstr(text, "<path class=\"axis\" d=\"M936.0 416v5\"/>") &&
          strstr(text, "<path class=\"axis\" d=\"M84 416H936\"/>"));
    CHECK(draw(text, sizeof text, five, 2, 100, NULL, &err) == PKTSEQ_OK);
    CHECK(strstr(text, ">1<") && strstr(text, ">3<"));  // five steps of 1, not three of 2
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

int main(int argc, char **argv) {
    sprintf(base, "%.900s", argc > 0 && argv[0][0] ? argv[0] : "build/test_gaps");
    test_words();
    test_arena();
    test_many_categories();
    test_unknown_members();
    test_stricter();
    test_same_ends();
    test_flag_words();
    test_last_column();
    test_empty_lines();
    test_last_not_tcp();
    test_last_not_tcp_memory();
    test_wide_row_memory();
    test_not_opened();
#ifdef UNIX
    test_pipe();
    test_folders();
    test_forbidden();
#endif
    test_odd_separators();
    test_missing();
    test_forgotten();
    test_direction_alone();
    test_learned_names();
    test_equal_names();
    test_cannot_cut();
    test_foreign_table();
    test_too_large();
    test_configs();
    test_wide();
    test_many_outputs();
    test_train_limits();
    test_gradient_overflow();
    test_history_of_diverged();
    test_stopped_diverged();
    test_meddling();
    test_long_rest();
    test_idle_threads();
#ifndef PKTSEQ_LINKED
    test_data_hash();
#endif
    test_other_data();
    test_few_of_a_length();
    test_perfect();
    test_one_context();
    test_long_sequence();
    test_no_context();
    test_large_context();
    test_low_threshold();
    test_threshold_range();
    test_orphan_stream();
    test_empty_parts();
    test_other_targets();
    test_not_saved();
    test_other_groups();
    test_long_header();
    test_whose_memory();
    test_whose_buffer();
    test_edited();
    test_escapes();
    test_uncountable();
#ifdef UNIX
    test_unreadable_folder();
    test_device();
#endif
    test_plots();
    return check_end("test_gaps");
}
