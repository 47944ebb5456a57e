// test_hostile.c - of no single section: files that want to do harm, and callers that make every
// mistake.
//
// CSV that is huge, odd or comes in drips; every function called with NULL, zeroed and freed
// objects. Whatever is refused must say in one sentence what was found, leave nothing behind, and
// ask for no more memory than a few times the bytes that are there. (For checkpoints: test_load.c.)
#define _POSIX_C_SOURCE 200809L
#include "inside.h"
#include "hostile.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <time.h>
#include <unistd.h>

// ---- csv: tables from memory and from drips

typedef struct drip {
    const unsigned char *data;
    size_t size, at, step;
} drip;

static size_t drip_read(void *user_data, void *to, size_t size, int *failed) {
    drip *d = (drip *)user_data;
    size_t n = d->size - d->at;
    (void)failed;
    if (n > d->step) n = d->step;
    if (n > size) n = size;
    if (n) memcpy(to, d->data + d->at, n);
    d->at += n;
    return n;
}

static int same_array(const void *a, const void *b, size_t count, size_t size) {
    return !a == !b && (!a || !count || !memcmp(a, b, count * size));
}

static int same_table(const pktseq_table *a, const pktseq_table *b) {
    int same = a->rows == b->rows && a->sequences == b->sequences &&
               a->position_gaps == b->position_gaps && a->column_count == b->column_count &&
               !memcmp(&a->counts, &b->counts, sizeof a->counts) &&
               same_array(a->start, b->start, a->start ? a->sequences + 1 : 0, sizeof *a->start) &&
               same_array(a->source_row, b->source_row, a->rows, sizeof *a->source_row);
    for (size_t i = 0; same && i < a->column_count; ++i) {
        const pktseq_column *c = &a->column[i], *d = &b->column[i];
        same = !strcmp(c->name, d->name) && c->name_count == d->name_count &&
               c->type == d->type &&
               same_array(c->cell, d->cell, a->rows, pktseqi_cell_bytes(c->type));
        for (size_t k = 0; same && k < c->name_count; ++k)
            same = !strcmp(c->names[k], d->names[k]);
    }
    return same;
}

static size_t tables_taken, tables_refused;
static double most_per_csv_byte;
static const char *most_csv = "";

// One thread's window and what the reader keeps for itself, whatever the file. A file that is
// nothing but columns pays for where each cell lies, and for moving that when there are more.
static const double CSV_TABLE = 1 << 20, CSV_PER_BYTE = 20, CSV_PER_CELL = 44;

static pktseq_status parse_whole(pktseq_table *table, const void *data, size_t size,
                                 const pktseq_schema *schema, const pktseq_allocator *a,
                                 pktseq_error *err) {
    void *exact = malloc(size ? size : 1);
    pktseq_status status;
    if (!exact) exit(3);
    if (size) memcpy(exact, data, size);
    memset(table, 0x5a, sizeof *table);
    memset(err, 0x5a, sizeof *err);
    status = pktseq_table_parse(table, exact, size, schema, a, err);
    free(exact);
    return status;
}

// The same table or the same error, however the text come; cheap, and nothing left.
static pktseq_status check_csv(const char *what, const void *data, size_t size,
                               const pktseq_schema *schema, int columns) {
    static const size_t step[] = {1, 7, SIZE_MAX};
    const double most = columns ? CSV_PER_CELL : CSV_PER_BYTE;
    const clock_t begin = clock();
    pktseq_table first, table;
    pktseq_error err, e;
    meter m;
    pktseq_allocator a = metered(&m);
    pktseq_status status = parse_whole(&first, data, size, schema, &a, &err);
    double per_byte = ((double)m.peak - CSV_TABLE) / (double)(size + 1);
    double seconds = check_seconds(begin);
    CHECK_THAT(seconds < 5 + 1e-6 * (double)size, "%s took %.2f s", what, seconds);
    if (per_byte > most_per_csv_byte) most_per_csv_byte = per_byte, most_csv = what;
    CHECK_THAT(per_byte <= most, "%s: %lu bytes asked for %lu", what, (ulong_t)m.peak,
               (ulong_t)size);
    CHECK_THAT(status == err.status && (status == PKTSEQ_OK || status == PKTSEQ_ERROR_DATA),
               "%s: status %d, %s", what, (int)status, err.text);
    CHECK_THAT(status ? is_sentence(&err) : !err.text[0], "%s: \"%s\"", what, err.text);
    CHECK_THAT(!status || (is_zero(&first, sizeof first) && m.blocks == 0), "%s: %lu blocks left",
               what, (ulong_t)m.blocks);
    if (status) ++tables_refused;
    else ++tables_taken;
    for (size_t i = 0; i < COUNT(step); ++i) {
        drip d;
        meter n;
        pktseq_allocator b = metered(&n);
        d.data = (const unsigned char *)data;
        d.size = size;
        d.at = 0;
        d.step = step[i];
        if (size > 1000000 && step[i] == 7) continue;
        if (size > 1000000 && step[i] == 1) d.step = 4093;
        memset(&table, 0x5a, sizeof table);
        memset(&e, 0x5a, sizeof e);
        pktseq_table_stream(&table, drip_read, &d, schema, &b, &e);
        CHECK_THAT(e.status == status && e.line == err.line && !strcmp(e.text, err.text),
                   "%s, %lu at a time: \"%s\", at once \"%s\"", what, (ulong_t)d.step, e.text,
                   err.text);
        CHECK_THAT(status || e.status || same_table(&first, &table), "%s, %lu at a time", what,
                   (ulong_t)d.step);
        per_byte = ((double)n.peak - CSV_TABLE) / (double)(size + 1);
        CHECK_THAT(per_byte <= most, "%s: a stream asked for %lu bytes", what,
                   (ulong_t)n.peak);
        pktseq_table_free(&table);
        CHECK_THAT(n.blocks == 0, "%s: %lu blocks left", what, (ulong_t)n.blocks);
    }
    pktseq_table_free(&first);
    CHECK_THAT(m.blocks == 0, "%s: %lu blocks left", what, (ulong_t)m.blocks);
    return status;
}

static pktseq_schema small_schema(void) {
    static const pktseq_field field[] = {FIELD("length", NUMBER, BOTH),
                                         FIELD("protocol", ONEHOT, BOTH),
                                         FIELD("src_port", PORT, BOTH), FIELD("syn", FLAG, BOTH)};
    return schema_of(field, COUNT(field));
}

#define HEAD "position,length,protocol,src_port,syn\n"
#define ROW "0,60,TCP,80,1\n"

// What may be right or wrong; that is the business of test_table. Here it must be the same.
static void test_odd_csv(void) {
    static const struct {
        const char *text;
        size_t size;
    } list[] = {
#define TEXT(text) {text, sizeof(text) - 1}
        TEXT(""), TEXT("\n"), TEXT("\r"), TEXT("\r\n\r\n"), TEXT("\xef\xbb\xbf"), TEXT("\xef\xbb"),
        TEXT("\xff\xfe"), TEXT("\xff\xfe" "p\0o\0"), TEXT("\0p\0o"), TEXT("p\0o\0s\0"), TEXT("\0"),
        TEXT(HEAD), TEXT("position,length,protocol,src_port,syn"), TEXT(HEAD "\n\n\n"),
        TEXT(HEAD ROW), TEXT(HEAD "0,60,TCP,80,1"), TEXT("\xef\xbb\xbf" HEAD ROW),
        TEXT("position,length,protocol,src_port,syn\r0,60,TCP,80,1\r"),
        TEXT("position,length,protocol,src_port,syn\r\n0,60,TCP,80,1\r\n"),
        TEXT("position,length,protocol,src_port,syn\n\r0,60,TCP,80,1\n\r"),
        TEXT(HEAD "0,60,\"TCP,80,1\n"), TEXT(HEAD "0,60,\"TCP\",80,\"1"), TEXT(HEAD "\""),
        TEXT("\"position,length\n"), TEXT(HEAD "0,60,\"T\"P,80,1\n"),
        TEXT(HEAD "0,60,T\"C\"P,80,1\n"),
        TEXT(HEAD "0,60,TCP\",80,1\n"), TEXT(HEAD "0,60,\"\"\"\",80,1\n"),
        TEXT(HEAD "0,60,\"\"TCP\"\",80,1\n"), TEXT(HEAD "0,60,\"a\r\nb\",80,1\r\n"),
        TEXT(HEAD "0,60,T\0P,80,1\n"), TEXT(HEAD ROW "\0"), TEXT("\0" HEAD ROW),
        TEXT(HEAD "0,60,TCP,80\n"), TEXT(HEAD "0,60,TCP,80,1,\n"), TEXT(HEAD "0\n"),
        TEXT(HEAD ROW ",,,,\n"), TEXT(HEAD ",\n"), TEXT(HEAD ROW "1,60,TCP,80,1,2,3\n" ROW),
        TEXT(HEAD "0,1e400,TCP,80,1\n"), TEXT(HEAD "0,-1e400,TCP,80,1\n"),
        TEXT(HEAD "0,1e-400,TCP,80,1\n"), TEXT(HEAD "0,nan,TCP,80,1\n"),
        TEXT(HEAD "0,-nan,TCP,80,1\n"), TEXT(HEAD "0,inf,TCP,80,1\n"),
        TEXT(HEAD "0,0x10,TCP,80,1\n"), TEXT(HEAD "0,\"1,5\",TCP,80,1\n"),
        TEXT(HEAD "0,-0,TCP,-0,-0\n"), TEXT(HEAD "-0,60,TCP,80,1\n"),
        TEXT(HEAD "0, 60,TCP,80,1\n"), TEXT(HEAD "0,60 ,TCP,80,1\n"), TEXT(HEAD " 0,60,TCP,80,1\n"),
        TEXT(HEAD "0,60,TCP,80, 1\n"), TEXT(HEAD "0,1e+,TCP,80,1\n"), TEXT(HEAD "0,.,TCP,80,1\n"),
        TEXT(HEAD "0,1_000,TCP,80,1\n"), TEXT(HEAD "0,60,TCP,8e1,1\n"),
        TEXT(HEAD "0,60,TCP,99999999999999999999,1\n"), TEXT(HEAD "0,60,\xed\xa0\x80,80,1\n"),
        TEXT(HEAD "0,60,\xff,80,1\n"), TEXT(HEAD "0,60,\x1b[31m,80,x\x1b[31m\n"),
        TEXT(HEAD "0,60,TCP,80,%s%n\n"),
        TEXT("position;length;protocol;src_port;syn\n0;1,5;T;8;1\n"),
        TEXT("position\tlength\tprotocol\tsrc_port\tsyn\n0\t60\tT\t8\t1\n"),
        TEXT("position,length,length,protocol,src_port,syn\n0,1,2,T,8,1\n"),
        TEXT("position,protocol,src_port,syn\n0,T,8,1\n"),
        // rows that claim huge positions
        TEXT(HEAD ROW "9007199254740991,60,TCP,80,1\n"),
        TEXT(HEAD ROW "9007199254740992,60,T,8,1\n"),
        TEXT(HEAD ROW "18446744073709551615,60,TCP,80,1\n"), TEXT(HEAD ROW "1e15,60,TCP,80,1\n"),
        TEXT(HEAD ROW "1e300,60,TCP,80,1\n"), TEXT(HEAD ROW "4294967296,60,T,8,1\n1,60,T,8,1\n"),
        TEXT(HEAD "4294967296,60,TCP,80,1\n"), TEXT(HEAD ROW "-9007199254740991,60,TCP,80,1\n")};
    pktseq_schema schema = small_schema();
    for (size_t i = 0; i < COUNT(list); ++i) {
        char what[40];
        snprintf(what, sizeof what, "odd file %lu", (ulong_t)i);
        check_csv(what, list[i].text, list[i].size, &schema, 0);
    }
    // Every byte of a small file replaced by those that mean something.
    {
        static const char file[] = "\"position\",length,protocol,src_port,syn,\"x\"\r\n"
                                   "0,6e1,\"T\"\"C\",80,Set,\r\n\r\n"
                                   "1,-0.5,U,65535,Not set,\"\n\"\n";
        static const char other[] = "\"\n\r,;\t0-e. \0\xff\xc3\xef";
        for (size_t i = 0; i < sizeof file - 1; ++i)
            for (size_t k = 0; k < sizeof other - 1; ++k) {
                char copy[sizeof file];
                memcpy(copy, file, sizeof file);
                copy[i] = other[k];
                check_csv("a byte replaced", copy, sizeof file - 1, &schema, 0);
            }
    }
}

// The first bytes of a file; the caller frees.
static text read_some(const char *path, size_t most) {
    text b = no_text();
    FILE *file = fopen(path, "rb");
    char *some = (char *)malloc(most);
    if (!some) exit(3);
    if (file) {
        put_bytes(&b, some, fread(some, 1, most, file));
        fclose(file);
    }
    free(some);
    return b;
}

static const char *const data_file[] = {
    "examples/data/normal_seqs.csv", "examples/data/mixed_seqs.csv",
    "examples/data/normal_export.csv", "examples/data/mixed_export.csv"};

static void test_recordings(void) {
    for (size_t i = 0; i < COUNT(data_file); ++i) {
        text b = read_some(data_file[i], 12000);
        CHECK_THAT(b.size == 12000, "%s is missing", data_file[i]);
        for (size_t cut = 0; cut < 26 && b.size == 12000; ++cut)
            for (int s = 0; s < 3; ++s) {
                pktseq_schema schema = s == 0   ? pktseq_schema_default()
                                       : s == 1 ? pktseq_schema_reference()
                                                : pktseq_schema_recommended(1);
                schema.constant_is_zero = 1;
                check_csv(data_file[i], b.data, 12000 - cut * (cut < 20 ? 1 : 400), &schema, 0);
            }
        free(b.data);
    }
}

// What asks for more than there is, and what takes long.
static void test_large_csv(void) {
    static const struct {
        const char *what, *before, *piece;
        size_t count;
        const char *after;
        int taken, columns;
    } list[] = {
        {"a cell of 10 MB that nobody needs", "x," HEAD, "y", 10000000, ",0,60,TCP,80,1\n", 1, 0},
        {"a quoted cell of 2 MB", "x," HEAD "\"", "y\n\"\"", 500000, "\",0,60,TCP,80,1\n", 1, 0},
        {"a text of 10 MB", HEAD "0,60,", "z", 10000000, ",80,1\n", 1, 0},
        {"a quoted text of 2 MB", HEAD "0,60,\"", "\"\"", 1000000, "\",80,1\n", 1, 0},
        {"a quote that is never closed", HEAD "0,60,\"", "z", 2000000, "", 0, 0},
        {"a name of 2 MB", "", "n", 2000000, "," HEAD ",0,60,TCP,80,1\n", 1, 0},
        {"a number of 2 MB", HEAD "0,", "9", 2000000, ",TCP,80,1\n", 0, 0},
        {"a small number of 2 MB", HEAD "0,0.", "0", 2000000, "1,TCP,80,1\n", 1, 0},
        {"a fraction of 2 MB", HEAD "0,0.", "3", 2000000, ",TCP,80,1\n", 1, 0},
        {"an exponent of 2 MB", HEAD "0,1e", "9", 2000000, ",TCP,80,1\n", 0, 0},
        {"a position of 2 MB", HEAD ROW, "9", 2000000, ",60,TCP,80,1\n", 0, 0},
        {"10 MB of empty lines", HEAD, "\n", 10000000, ROW, 1, 0},
        {"2 MB of empty lines before the header", "", "\n", 2000000, HEAD ROW, 1, 0},
        {"100,000 columns, one row", "", "c,", 100000, HEAD, 0, 1},
        {"a row of 500,000 commas", HEAD, ",", 500000, "\n", 0, 1},
        {"a header of 500,000 commas", "position,length,protocol,src_port,syn", ",", 500000,
         "\n" ROW, 0, 1},
        {"short rows", HEAD, "0,1,T,8,1\n", 200000, "", 1, 0},
        {"empty lines, then a row of 2 MB", HEAD, "\n", 262000, "0,60,\"", 1, 0}};
    pktseq_schema schema = small_schema();
    for (size_t i = 0; i < COUNT(list); ++i) {
        text b = no_text();
        pktseq_status status;
        put(&b, list[i].before);
        put_many(&b, list[i].piece, list[i].count);
        put(&b, list[i].after);
        if (i == COUNT(list) - 1) {
            put_many(&b, "z", 2000000);
            put(&b, "\",80,1\n");
        }
        status = check_csv(list[i].what, b.data, b.size, &schema, list[i].columns);
        CHECK_THAT((status == PKTSEQ_OK) == list[i].taken, "%s: status %d", list[i].what,
                   (int)status);
        free(b.data);
    }
    // 100,000 columns and many rows, each of another text, which is there twice.
    {
        text b = no_text();
        for (int row = 0; row < 4; ++row) {
            char text[80];
            put_many(&b, row ? "," : "c,", 100000);
            snprintf(text, sizeof text, "%d,60,protocol %d,80,1\n", row - 1, row / 2);
            put(&b, row ? text : HEAD);
        }
        check_csv("100,000 columns", b.data, b.size, &schema, 1);
        b.size = 0;
        put(&b, HEAD);
        for (int row = 0; row < 8000; ++row) {
            char text[80];
            snprintf(text, sizeof text, "0,1,%x,8,1\n", (unsigned)row / 2);
            put(&b, text);
        }
        check_csv("many texts", b.data, b.size, &schema, 0);
        free(b.data);
    }
}

// A locale must not change a bit: not of what is read, and not of what is written.
static void test_locales(void) {
    static const char *const name[] = {"de_DE.UTF-8", "tr_TR.UTF-8"};
    static const char *const number[] = {"1.5", "-0.1", "1e-3", "123456.789", "1,5", "1e400",
                                         "1.5e", "\xc4\xb0", "INF", "i"};
    text b = read_some(data_file[0], 12000);
    pktseq_schema small = small_schema(), schema = pktseq_schema_default();
    while (b.size && b.data[b.size - 1] != '\n') --b.size;
    for (size_t k = 0; k < COUNT(name); ++k) {
        pktseq_table table[2];
        pktseq_error err[2];
        parts w[2];
        int good;
        if (!setlocale(LC_ALL, name[k])) {
            printf("SKIPPED: locale %s is not installed, nothing was read and written in it\n",
                   name[k]);
            continue;
        }
        CHECK(localeconv()->decimal_point[0] == ',');
        for (int in = 0; in < 2; ++in) {
            setlocale(LC_ALL, in ? name[k] : "C");
            pktseq_table_parse(&table[in], b.data, b.size, &schema, NULL, &err[in]);
        }
        CHECK_THAT(!err[0].status && !err[1].status && same_table(&table[0], &table[1]), "%s: %s",
                   name[k], err[1].text);
        for (int in = 0; in < 2; ++in) pktseq_table_free(&table[in]);
        for (size_t i = 0; i < COUNT(number); ++i) {
            char text[100];
            snprintf(text, sizeof text, "position;length;protocol;src_port;syn\n0;%s;T;8;1\n",
                     number[i]);
            for (int in = 0; in < 2; ++in) {
                setlocale(LC_ALL, in ? name[k] : "C");
                pktseq_table_parse(&table[in], text, strlen(text), &small, NULL, &err[in]);
            }
            CHECK_THAT(err[0].status == err[1].status && !strcmp(err[0].text, err[1].text) &&
                           (err[0].status || same_table(&table[0], &table[1])), "%s in %s: %s",
                       number[i], name[k], err[1].text);
            for (int in = 0; in < 2; ++in) pktseq_table_free(&table[in]);
        }
        for (int in = 0; in < 2; ++in) {
            setlocale(LC_ALL, in ? name[k] : "C");
            good = world_make(&w[in], NULL);
            CHECK(good);
        }
        CHECK_THAT(w[0].file.size == w[1].file.size &&
                       !memcmp(w[0].file.data, w[1].file.data, w[0].file.size), "%s: another file",
                   name[k]);
        for (int in = 0; in < 2; ++in) {
            parts loaded;
            setlocale(LC_ALL, in ? name[k] : "C");
            CHECK_THAT(!parts_load(&loaded, w[!in].file.data, w[!in].file.size, NULL, &err[0]) &&
                           !memcmp(loaded.model.block, w[0].model.block,
                                   loaded.model.parameters * sizeof(real)), "%s: %s", name[k],
                       err[0].text);
            parts_free(&loaded);
        }
        for (int in = 0; in < 2; ++in) parts_free(&w[in]);
    }
    setlocale(LC_ALL, "C");
    free(b.data);
}

// ---- misuse: every function with every argument wrong

// What each letter of a list of arguments stands for; capitals are outputs, which begin as garbage.
// Behind it: ? = may be NULL, 0 = may be a zeroed (so also a freed) object.
enum { MOST_ARGUMENTS = 10, ROOM = 4096 };

typedef struct scene {
    parts w;
    meter memory;
    pktseq_allocator allocator;
    plan how;
    pktseq_rule rule;
    pktseq_config model;
    pktseq_files files;
    pktseq_pair pair;
    pktseq_error err;
    pktseq_table capture;      // filled by hand, to be cut
    pktseq_column column[3];
    double time[6];
    uint32_t address[2][6];
    double values[8];
    pktseq_real reals[64];
    unsigned char marks[8];
    size_t start[3], unknown[8];
    drip source;
    pktseq_packet packet;
    pktseq_tracker tracker;
    pktseq_value value[8];
    // outputs, in room for any of them
    union {
        char bytes[ROOM];
        double align;
    } out[MOST_ARGUMENTS];
} scene;

typedef struct call {
    const char *name, *arguments;
    pktseq_status (*make)(scene *s, void **a);
} call;

static void *memory_open(const char *path, int write, void *user_data) {
    drip *d = (drip *)user_data;
    (void)write;
    d->at = 0;
    return path[0] ? d : NULL;
}

static size_t memory_write(void *file, const void *from, size_t size) {
    (void)file;
    (void)from;
    return size;
}

static int memory_close(void *file, int sync) {
    (void)sync;
    return file != NULL;
}

static int memory_replace(const char *from, const char *to, void *user_data) {
    (void)user_data;
    return from && to;
}

static void memory_remove(const char *path, void *user_data) {
    (void)path;
    (void)user_data;
}

// Files of this test's own: a checkpoint, a table, and one that is written over.
static char path[3][64];

static int scene_make(scene *s) {
    static const char *const name[] = {"timestamp", "src_ip", "dst_ip"};
    static char *ip[] = {(char *)(size_t)"10.0.0.1", (char *)(size_t)"10.0.0.2"};
    memset(s, 0, sizeof *s);
    s->allocator = metered(&s->memory);
    if (!world_make(&s->w, &s->allocator)) return 0;
    s->how = world_plan(NULL);
    s->how.dataset.inputs = 1;
    s->how.train.iterations = 8;
    s->rule = pktseq_rule_default();
    s->model = pktseq_config_default(&s->w.dataset);
    s->model.hidden = 2;
    s->files.open_fn = memory_open;
    s->files.read_fn = drip_read;
    s->files.write_fn = memory_write;
    s->files.close_fn = memory_close;
    s->files.replace_fn = memory_replace;
    s->files.remove_fn = memory_remove;
    s->files.user_data = &s->source;
    s->pair = pktseq_dataset_pair(&s->w.dataset, 1);
    for (size_t i = 0; i < 6; ++i) {
        s->time[i] = (double)i / 4;
        s->address[i % 2][i] = 1;
    }
    for (size_t i = 0; i < 3; ++i) {
        s->column[i].name = (char *)(size_t)name[i];
        s->column[i].cell = i ? (void *)s->address[i - 1] : (void *)s->time;
        if (i) s->column[i].type = PKTSEQ_CELL_U32;
        if (i) s->column[i].names = ip;
        if (i) s->column[i].name_count = 2;
    }
    s->capture.rows = 6;
    s->capture.column = s->column;
    s->capture.column_count = 3;
    for (size_t i = 0; i < 8; ++i) {
        s->values[i] = (double)(i * 5 % 8);
        s->marks[i] = i % 3 == 0;
    }
    s->start[1] = 3;
    s->start[2] = 6;
    s->source.data = (const unsigned char *)world_csv;
    s->source.size = strlen(world_csv);
    s->source.step = 11;
    s->packet.protocol = "TCP";
    if (pktseq_tracker_init(&s->tracker, &s->rule, &s->allocator, NULL)) return 0;
    memset(s->out, 0x5a, sizeof s->out);
    return 1;
}

static void scene_free(scene *s) {
    free(s->capture.start);
    free(s->capture.source_row);
    pktseq_tracker_free(&s->tracker);
    parts_free(&s->w);
    CHECK_THAT(s->memory.blocks == 0, "%lu blocks left", (ulong_t)s->memory.blocks);
}

// The good argument for a letter.
static void *argument_of(scene *s, char letter, size_t place) {
    switch (letter) {
    case 't': return &s->w.table;
    case 'c': return &s->w.codec;
    case 'd': return &s->w.dataset;
    case 'm': return &s->w.model;
    case 'r': return &s->w.training;
    case 'k': return &s->w.detector;
    case 'w': return &s->w.work;
    case 's': return &s->w.stream;
    case 'b': return &s->w.file;
    case 'h': return &s->how.schema;
    case 'l': return &s->rule;
    case 'o': return &s->how.dataset;
    case 'g': return &s->how.train;
    case 'q': return &s->model;
    case 'f': return &s->how.detector;
    case 'F': return &s->files;
    case 'p': return &s->pair;
    case 'a': return &s->allocator;
    case 'e': return &s->err;
    case 'u': return &s->capture;
    case 'x': return s->reals;
    case 'v': return s->values;
    case 'y': return s->marks;
    case 'i': return s->start;
    case 'n': return s->unknown;
    case 'j': return (void *)(size_t)world_csv;
    case 'z': return (void *)(size_t)"v";
    case 'Q': return path[0];
    case 'S': return path[1];
    case 'L': return path[2];
    case 'D': return &s->source;
    case '1': return &s->packet;
    case '2': return &s->tracker;
    default: return s->out[place].bytes;
    }
}

// Bytes of the object for a letter, where a zeroed one can be given; else 0.
static size_t object_size(char letter) {
    switch (letter) {
    case 't': return sizeof(pktseq_table);
    case 'c': return sizeof(pktseq_codec);
    case 'd': return sizeof(pktseq_dataset);
    case 'm': return sizeof(pktseq_model);
    case 'r': return sizeof(pktseq_training);
    case 'k': return sizeof(pktseq_detector);
    case 'w': return sizeof(pktseq_work);
    case 's': return sizeof(pktseq_stream);
    case 'b': return sizeof(pktseq_buffer);
    case 'h': return sizeof(pktseq_schema);
    case 'l': return sizeof(pktseq_rule);
    case 'o': return sizeof(pktseq_dataset_options);
    case 'g': return sizeof(pktseq_train_config);
    case 'q': return sizeof(pktseq_config);
    case 'f': return sizeof(pktseq_detector_options);
    case 'p': return sizeof(pktseq_pair);
    case 'u': return sizeof(pktseq_table);
    case '1': return sizeof(pktseq_packet);
    case '2': return sizeof(pktseq_tracker);
    case 'a': return sizeof(pktseq_allocator);
    default: return 0;
    }
}

// The functions, by what they take. C(name, arguments, call): the call sees s and a.
#define A(i, type) ((type *)a[i])
#define IN(i, type) ((const type *)a[i])
#define ERR(i) ((pktseq_error *)a[i])
#define ALLOC(i) ((const pktseq_allocator *)a[i])
#define REALS(i) ((pktseq_real *)a[i])
#define IF(pointer) ((pointer) ? PKTSEQ_OK : PKTSEQ_ERROR_ARGUMENT)
#define CALLS(C) \
    C(check_header, "z", IF(!pktseq_check_header(a[0] ? PKTSEQ_VERSION : NULL, \
      sizeof(pktseq_real), PKTSEQ_STRUCT_SIZES))) \
    C(table_parse, "Tjha?0e?", pktseq_table_parse(A(0, pktseq_table), a[1], strlen(world_csv), \
      IN(2, pktseq_schema), ALLOC(3), ERR(4))) \
    C(table_stream, "TDha?0e?", pktseq_table_stream(A(0, pktseq_table), a[1] ? drip_read : NULL, \
      a[1], IN(2, pktseq_schema), ALLOC(3), ERR(4))) \
    C(table_track, "ulh?e?", pktseq_table_track(A(0, pktseq_table), IN(1, pktseq_rule), \
      IN(2, pktseq_schema), ERR(3))) \
    C(tracker_init, "3la?0e?", pktseq_tracker_init(A(0, pktseq_tracker), IN(1, pktseq_rule), \
      ALLOC(2), ERR(3))) \
    C(tracker_push, "21O", pktseq_tracker_push(A(0, pktseq_tracker), IN(1, pktseq_packet), \
      A(2, pktseq_tracked))) \
    C(token_text, "zO", pktseq_token_text(0, IN(0, char), A(1, char), 20)) \
    C(table_column, "tz", IF(pktseq_table_column(IN(0, pktseq_table), IN(1, char)))) \
    C(table_select, "tye?", pktseq_table_select(A(0, pktseq_table), IN(1, unsigned char), \
      ERR(2))) \
    C(table_drop_attacks, "te?", pktseq_table_drop_attacks(A(0, pktseq_table), ERR(1))) \
    C(label_is_normal, "z?", (pktseq_status)(0 * pktseq_label_is_normal(IN(0, char)))) \
    C(time_text, "O", IF(pktseq_time_text(1.7e9, A(0, char)))) \
    C(codec_fit, "Ctha?0e?", pktseq_codec_fit(A(0, pktseq_codec), IN(1, pktseq_table), \
      IN(2, pktseq_schema), ALLOC(3), ERR(4))) \
    C(codec_encode, "ctxn?e?", pktseq_codec_encode(IN(0, pktseq_codec), IN(1, pktseq_table), 0, 2, \
                                                   PKTSEQ_FORM_DENSE, REALS(2), A(3, size_t), \
                                                   ERR(4))) \
    C(dataset_dense, "dx?x?", pktseq_dataset_dense(IN(0, pktseq_dataset), 0, REALS(1), \
      REALS(2))) \
    C(codec_decode, "cxV", pktseq_codec_decode(IN(0, pktseq_codec), REALS(1), \
      A(2, pktseq_value))) \
    C(codec_decode_output, "cxV", pktseq_codec_decode_output(IN(0, pktseq_codec), REALS(1), \
      A(2, pktseq_value))) \
    C(codec_schema, "c", IF(pktseq_codec_schema(IN(0, pktseq_codec)).field)) \
    C(codec_same, "cce?", pktseq_codec_same(IN(0, pktseq_codec), IN(1, pktseq_codec), ERR(2))) \
    C(codec_extend, "Ccth0a?0e?", pktseq_codec_extend(A(0, pktseq_codec), IN(1, pktseq_codec), \
      IN(2, pktseq_table), IN(3, pktseq_schema), 1, ALLOC(4), ERR(5))) \
    C(codec_feature_name, "cN", pktseq_codec_feature_name(IN(0, pktseq_codec), 1, A(1, char), \
      20)) \
    C(dataset_init, "Ecto0a?0e?", pktseq_dataset_init(A(0, pktseq_dataset), IN(1, pktseq_codec), \
      IN(2, pktseq_table), IN(3, pktseq_dataset_options), ALLOC(4), ERR(5))) \
    C(dataset_wrap, "Exxio0a?0e?", pktseq_dataset_wrap(A(0, pktseq_dataset), REALS(1), 2, \
      REALS(2), 2, IN(3, size_t), 2, IN(4, pktseq_dataset_options), ALLOC(5), ERR(6))) \
    C(dataset_pair, "d", IF(pktseq_dataset_pair(IN(0, pktseq_dataset), 0).target)) \
    C(config_default, "d", IF(pktseq_config_default(IN(0, pktseq_dataset)).in)) \
    C(model_init, "Mqa?0e?", pktseq_model_init(A(0, pktseq_model), IN(1, pktseq_config), 1, \
      ALLOC(2), ERR(3))) \
    C(model_tensor, "mH", pktseq_model_tensor(IN(0, pktseq_model), 9, A(1, pktseq_tensor))) \
    C(work_init, "Wqa?0e?", pktseq_work_init(A(0, pktseq_work), IN(1, pktseq_config), 2, 3, 1, \
      ALLOC(2), ERR(3))) \
    C(work_output, "w", IF(pktseq_work_output(IN(0, pktseq_work), 0, 0))) \
    C(work_encoded, "w", IF(pktseq_work_encoded(IN(0, pktseq_work), 0))) \
    C(forward, "mwpy?", pktseq_forward(IN(0, pktseq_model), A(1, pktseq_work), \
      IN(2, pktseq_pair), 1, IN(3, unsigned char))) \
    C(backward, "mw", pktseq_backward(IN(0, pktseq_model), A(1, pktseq_work))) \
    C(zero_grad, "w", pktseq_zero_grad(A(0, pktseq_work))) \
    C(clip_grad_norm, "wv?", pktseq_clip_grad_norm(A(0, pktseq_work), 1, A(1, double))) \
    C(sgd_step, "mw", pktseq_sgd_step(A(0, pktseq_model), IN(1, pktseq_work), 0.1)) \
    C(momentum_step, "mwX", pktseq_momentum_step(A(0, pktseq_model), IN(1, pktseq_work), 0.1, \
      0.5, (memset(s->out[2].bytes, 0, ROOM), REALS(2)))) \
    C(plain_init, "4mpa?0e?", pktseq_plain_init(A(0, pktseq_plain), IN(1, pktseq_model), \
      IN(2, pktseq_pair), 0, ALLOC(3), ERR(4))) \
    C(train, "mdgr0e?", pktseq_train(A(0, pktseq_model), IN(1, pktseq_dataset), \
      IN(2, pktseq_train_config), A(3, pktseq_training), ERR(4))) \
    C(rollout, "mwpX", pktseq_rollout(IN(0, pktseq_model), A(1, pktseq_work), \
      IN(2, pktseq_pair), 3, REALS(3))) \
    C(score, "mwpv", pktseq_score(IN(0, pktseq_model), A(1, pktseq_work), IN(2, pktseq_pair), \
      A(3, double))) \
    C(detector_threshold, "kv", pktseq_detector_threshold(IN(0, pktseq_detector), 1, 0.01, \
      A(1, double), NULL, NULL)) \
    C(detector_rate, "kv", pktseq_detector_rate(IN(0, pktseq_detector), 1, A(1, double))) \
    C(detector_options_recommended, "c0v", IF(pktseq_detector_options_recommended( \
      IN(0, pktseq_codec), A(1, double)).weight)) \
    C(detector_init, "Kmf?0a?0e?", pktseq_detector_init(A(0, pktseq_detector), \
      IN(1, pktseq_model), 2, IN(2, pktseq_detector_options), ALLOC(3), ERR(4))) \
    C(detector_fit, "kmde?", pktseq_detector_fit(A(0, pktseq_detector), IN(1, pktseq_model), \
      IN(2, pktseq_dataset), 1, ERR(3))) \
    C(detector_score, "kmwpv", pktseq_detector_score(IN(0, pktseq_detector), \
      IN(1, pktseq_model), A(2, pktseq_work), IN(3, pktseq_pair), 1, A(4, double))) \
    C(detector_score_all, "kmdve?", pktseq_detector_score_all(IN(0, pktseq_detector), \
      IN(1, pktseq_model), IN(2, pktseq_dataset), 1, A(3, double), ERR(4))) \
    C(detector_explain, "kmwpYv", pktseq_detector_explain(IN(0, pktseq_detector), \
      IN(1, pktseq_model), A(2, pktseq_work), IN(3, pktseq_pair), A(4, double), A(5, double))) \
    C(detector_reasons, "kcwpYvv", pktseq_detector_reasons(IN(0, pktseq_detector), \
      IN(1, pktseq_codec), IN(2, pktseq_work), IN(3, pktseq_pair), IN(4, double), 0, 1, \
      A(5, pktseq_reason), A(6, size_t))) \
    C(stream_init, "Zmka?0e?", pktseq_stream_init(A(0, pktseq_stream), IN(1, pktseq_model), \
      IN(2, pktseq_detector), ALLOC(3), ERR(4))) \
    C(stream_push, "sxxx", pktseq_stream_push(A(0, pktseq_stream), REALS(1), REALS(2), REALS(3))) \
    C(stream_score, "sv", pktseq_stream_score(IN(0, pktseq_stream), A(1, double))) \
    C(quantile, "vGa?0e?", pktseq_quantile(IN(0, double), 8, 0.5, A(1, double), ALLOC(2), \
      ERR(3))) \
    C(evaluate, "vyOa?0e?", pktseq_evaluate(IN(0, double), IN(1, unsigned char), 8, \
      A(2, pktseq_evaluation), ALLOC(3), ERR(4))) \
    C(save_mem, "Bmc?0r?0k?0a?0e?", pktseq_save_mem(IN(1, pktseq_model), IN(2, pktseq_codec), \
      IN(3, pktseq_training), IN(4, pktseq_detector), A(0, pktseq_buffer), ALLOC(5), ERR(6))) \
    C(load_mem, "bMC?R?K?a?0e?", pktseq_load_mem(A(1, pktseq_model), A(2, pktseq_codec), \
                                                 A(3, pktseq_training), A(4, pktseq_detector), \
                                                 a[0] ? IN(0, pktseq_buffer)->data : NULL, \
                                                 a[0] ? IN(0, pktseq_buffer)->size : 10, ALLOC(5), \
                                                 ERR(6))) \
    C(file_write, "LjF?e?", pktseq_file_write(IN(0, char), a[1], 10, IN(2, pktseq_files), \
      ERR(3))) \
    C(file_read, "BQF?a?0e?", pktseq_file_read(A(0, pktseq_buffer), IN(1, char), \
      IN(2, pktseq_files), ALLOC(3), ERR(4))) \
    C(table_read, "TSha?0e?", pktseq_table_read(A(0, pktseq_table), IN(1, char), \
      IN(2, pktseq_schema), ALLOC(3), ERR(4))) \
    C(save, "Lmc?0r?0k?0e?", pktseq_save(IN(1, pktseq_model), IN(2, pktseq_codec), \
                                         IN(3, pktseq_training), IN(4, pktseq_detector), \
                                         IN(0, char), ERR(5))) \
    C(load, "QMC?R?K?a?0e?", pktseq_load(A(1, pktseq_model), A(2, pktseq_codec), \
                                         A(3, pktseq_training), A(4, pktseq_detector), \
                                         IN(0, char), ALLOC(5), ERR(6)))

#define C(name, arguments, call) \
    static pktseq_status call_##name(scene *s, void **a) { \
        (void)s; \
        return call; \
    }
CALLS(C)
#undef C

static const call calls[] = {
#define C(name, arguments, call) {"pktseq_" #name, arguments, call_##name},
    CALLS(C)
#undef C
};

// What needs no argument, or cannot fail: see test_free_and_plain.
static const char *const plain_calls[] = {
    "pktseq_version", "pktseq_status_text", "pktseq_build_info", "pktseq_buffer_free",
    "pktseq_column_number", "pktseq_column_text",
    "pktseq_rule_default", "pktseq_rule_connection", "pktseq_tracker_tick", "pktseq_tracker_free",
    "pktseq_watcher_init", "pktseq_watcher_push", "pktseq_watcher_tick", "pktseq_watcher_free",
    "pktseq_schema_default", "pktseq_schema_reference", "pktseq_schema_recommended",
    "pktseq_table_free", "pktseq_codec_free",
    "pktseq_dataset_options_default", "pktseq_dataset_free",
    "pktseq_model_free", "pktseq_work_free", "pktseq_plain_free", "pktseq_train_config_default",
    "pktseq_training_free", "pktseq_detector_free",
    "pktseq_stream_reset", "pktseq_stream_free",
    "pktseq_address_text", "pktseq_capture_magic",
    "pktseq_model_grow",  // see test_model
    "pktseq_recipe_default", "pktseq_recipe_recommended", "pktseq_recipe_iterations",
    // see test_short
    "pktseq_table_describe", "pktseq_recipe_from_model", "pktseq_recipe_prepare",
    "pktseq_recipe_calibrate",
    "pktseq_guard_learn", "pktseq_guard_save", "pktseq_guard_load", "pktseq_guard_score",
    "pktseq_guard_watch", "pktseq_guard_tick", "pktseq_guard_free",  // see test_short, too
    "pktseq_guard_dataset",
    "pktseq_capture_free",
    "pktseq_packet_decode", "pktseq_capture_init", "pktseq_capture_next",  // see test_capture
    "pktseq_drift_add", "pktseq_drift_unknown", "pktseq_drift_verdict",  // see test_fit
    "pktseq_table_naming"};  // NULL as any table: see test_faults

// No function may be forgotten: the header tells what there is.
static void test_lists(void) {
    text b = read_some("pktseq.h", 200000);
    char *p = b.data, *end = strstr(p, "Stop here if"), *line;
    size_t functions = 0;
    CHECK_THAT(end, "pktseq.h is not here");
    if (end) *end = 0;
    while ((line = strstr(p, "\nPKTSEQ_DEF ")) != NULL) {
        char *open = strchr(line, '('), *name = open;
        size_t found = 0;
        if (!open) break;
        while (name > line && strchr("_0123456789abcdefghijklmnopqrstuvwxyz", name[-1])) --name;
        *open = 0;
        for (size_t i = 0; i < COUNT(calls); ++i) found += !strcmp(calls[i].name, name);
        for (size_t i = 0; i < COUNT(plain_calls); ++i) found += !strcmp(plain_calls[i], name);
        CHECK_THAT(found == 1, "%s is called by no test here", name);
        ++functions;
        p = open + 1;
    }
    CHECK_THAT(functions == COUNT(calls) + COUNT(plain_calls), "%lu functions",
               (ulong_t)functions);
    free(b.data);
}

static void free_object(char letter, void *p) {
    switch (letter) {
    case 't': case 'T': pktseq_table_free((pktseq_table *)p); break;
    case 'c': case 'C': pktseq_codec_free((pktseq_codec *)p); break;
    case 'd': case 'E': pktseq_dataset_free((pktseq_dataset *)p); break;
    case 'm': case 'M': pktseq_model_free((pktseq_model *)p); break;
    case 'r': case 'R': pktseq_training_free((pktseq_training *)p); break;
    case 'k': case 'K': pktseq_detector_free((pktseq_detector *)p); break;
    case 'w': case 'W': pktseq_work_free((pktseq_work *)p); break;
    case 's': case 'Z': pktseq_stream_free((pktseq_stream *)p); break;
    case 'b': case 'B': pktseq_buffer_free((pktseq_buffer *)p); break;
    case '3': pktseq_tracker_free((pktseq_tracker *)p); break;
    case '4': pktseq_plain_free((pktseq_plain *)p); break;
    default: break;
    }
}

enum { GOOD, NOTHING, ZEROED, FREED, WAYS };
static const char *const way_name[] = {"good", "NULL", "zeroed", "freed"};

// Calls with argument `which` spoilt in a way, and `also` NULL (or no other). 99: not to be done.
static int try_call(const call *c, size_t which, int way, size_t also) {
    static scene s;
    static union {
        char bytes[ROOM];
        double align;
    } zero;
    void *a[MOST_ARGUMENTS];
    char letter[MOST_ARGUMENTS];
    size_t count = 0, at = 0;
    int optional = 0, zero_is_good = 0, also_optional = 1, status, e = -1;
    char target = 0;
    for (const char *p = c->arguments; *p; ++p)
        if (*p == '?') {
            if (count - 1 == which) optional = 1;
        } else if (*p == '0') {
            if (count - 1 == which) zero_is_good = 1;
        } else {
            if (count == also) also_optional = p[1] == '?';
            letter[count++] = *p;
        }
    if (which < count) target = letter[which];
    if (also < count && also == which) return 99;
    if ((way == ZEROED || way == FREED) && !object_size(target)) return 99;
    if (way == FREED && !strchr("tcdmrkwsb", target)) return 99;
    if (!scene_make(&s)) return 99;
    for (at = 0; at < count; ++at) {
        a[at] = argument_of(&s, letter[at], at);
        if (letter[at] == 'e') e = (int)at;
    }
    memset(&s.err, 0x5a, sizeof s.err);
    memset(&zero, 0, sizeof zero);
    if (way == NOTHING) a[which] = NULL;
    if (way == ZEROED) a[which] = zero.bytes;
    if (way == FREED) {
        if (target == 'm' || target == 'k') pktseq_stream_free(&s.w.stream);  // borrows them
        free_object(target, a[which]);
        CHECK_THAT(is_zero(a[which], object_size(target)), "%s: not all is zero", c->name);
    }
    if (also < count) a[also] = NULL;
    status = (int)c->make(&s, a);
    if (way == GOOD || (way == NOTHING && optional) || (way >= ZEROED && zero_is_good))
        CHECK_THAT(status == (also_optional ? PKTSEQ_OK : PKTSEQ_ERROR_ARGUMENT) ||
                       (also < count && status == PKTSEQ_ERROR_ARGUMENT),
                   "%s, argument %d %s: status %d, \"%.200s\"", c->name, (int)which + 1,
                   way_name[way], status, e >= 0 && a[e] ? s.err.text : "");
    else
        CHECK_THAT(way == NOTHING ? status == PKTSEQ_ERROR_ARGUMENT
                                  : status > PKTSEQ_STOPPED && status <= PKTSEQ_ERROR_DIVERGED,
                   "%s, argument %d %s: status %d", c->name, (int)which + 1, way_name[way],
                   status);
    if (e >= 0 && a[e])
        CHECK_THAT((int)s.err.status == status && (status ? is_sentence(&s.err) : !s.err.text[0]),
                   "%s, argument %d %s: status %d, err says %d, \"%.200s\"", c->name,
                   (int)which + 1, way_name[way], status, (int)s.err.status, s.err.text);
    for (at = 0; at < count; ++at)  // outputs may be freed whatever happened
        if (a[at] && (a[at] == s.out[at].bytes || a[at] == zero.bytes))
            free_object(letter[at], a[at]);
    scene_free(&s);
    return status;
}

// Forwards, then backwards: no answer may depend on what was called before.
static void test_misuse(void) {
    static signed char answer[COUNT(calls)][MOST_ARGUMENTS][WAYS];
    size_t number = 0, other = 0;
    parts w;
    if (!world_make(&w, NULL)) return;
    for (int i = 0; i < 3; ++i)
        snprintf(path[i], sizeof path[i], "build/test_hostile_%lu.%d", (ulong_t)getpid(), i);
    CHECK(!pktseq_file_write(path[0], w.file.data, w.file.size, NULL, NULL));
    CHECK(!pktseq_file_write(path[1], world_csv, strlen(world_csv), NULL, NULL));
    parts_free(&w);
    for (int back = 0; back < 2; ++back)
        for (size_t k = 0; k < COUNT(calls) * MOST_ARGUMENTS * WAYS; ++k) {
            size_t n = back ? COUNT(calls) * MOST_ARGUMENTS * WAYS - 1 - k : k;
            size_t c = n / (MOST_ARGUMENTS * WAYS), i = n / WAYS % MOST_ARGUMENTS, way = n % WAYS;
            size_t count = 0;
            int status;
            for (const char *p = calls[c].arguments; *p; ++p) count += *p != '?' && *p != '0';
            if (i >= count || (way == GOOD && i > 0)) continue;
            status = try_call(&calls[c], i, (int)way, MOST_ARGUMENTS);
            if (status == 99) continue;
            ++number;
            if (!back) answer[c][i][way] = (signed char)status;
            other += answer[c][i][way] != status;
        }
    CHECK_THAT(other == 0, "%lu answers depend on the order", (ulong_t)other);
    // Two arguments NULL at a time.
    for (size_t c = 0; c < COUNT(calls); ++c)
        for (size_t i = 0; i < MOST_ARGUMENTS; ++i)
            for (size_t also = 0; also < i; ++also) {
                size_t count = 0;
                for (const char *p = calls[c].arguments; *p; ++p) count += *p != '?' && *p != '0';
                if (i < count) number += try_call(&calls[c], i, NOTHING, also) != 99;
            }
    printf("misuse: %lu functions, %lu calls\n", (ulong_t)COUNT(calls), (ulong_t)number);
    for (int i = 0; i < 3; ++i) remove(path[i]);
}

// What cannot fail takes NULL, zeroed and freed objects, and any value of an enum.
static void test_free_and_plain(void) {
    static const char objects[] = "tcdmrkwsb";
    union {
        char bytes[ROOM];
        double align;
    } zero;
    memset(&zero, 0, sizeof zero);
    for (const char *p = objects; *p; ++p) {
        free_object(*p, NULL);
        free_object(*p, zero.bytes);
        free_object(*p, zero.bytes);
    }
    CHECK(pktseq_column_number(NULL, 0) == 0 && !pktseq_column_text(NULL, 0));
    pktseq_tracker_tick(NULL, 0);
    pktseq_tracker_free(NULL);
    pktseq_watcher_tick(NULL, 0);
    pktseq_watcher_tick((pktseq_watcher *)(void *)zero.bytes, 0);
    CHECK(pktseq_watcher_init(NULL, NULL, NULL, NULL, NULL, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_watcher_push(NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_watcher_push((pktseq_watcher *)(void *)zero.bytes, NULL) == PKTSEQ_ERROR_ARGUMENT);
    pktseq_watcher_free(NULL);
    pktseq_guard_tick(NULL, 0);
    pktseq_guard_tick((pktseq_guard *)(void *)zero.bytes, 0);
    pktseq_guard_free(NULL);
    pktseq_guard_free((pktseq_guard *)(void *)zero.bytes);
    CHECK(pktseq_guard_learn(NULL, NULL, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_guard_save(NULL, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_guard_load(NULL, NULL, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_guard_score(NULL, NULL, NULL, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_guard_watch(NULL, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_guard_dataset(NULL, NULL, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_rule_connection().kind == PKTSEQ_RULE_CONNECTION);
    pktseq_stream_reset(NULL);
    pktseq_stream_reset((pktseq_stream *)(void *)zero.bytes);
    CHECK(is_zero(&zero, sizeof zero));
    CHECK(pktseq_version()[0] && pktseq_build_info()[0]);
    for (int i = 0; i < 16; ++i) CHECK(pktseq_status_text((pktseq_status)i)[0]);
    CHECK(pktseq_rule_default().min_length && pktseq_schema_default().field &&
          pktseq_schema_reference().field && pktseq_schema_recommended(-1).field);
    CHECK(pktseq_dataset_options_default().inputs &&
          pktseq_train_config_default().iterations);
}

#define OUT(n, type) ((type *)(void *)s->out[n].bytes)
#define FAILS(call) \
    do { \
        pktseq_status status = (call); \
        CHECK_THAT(status > PKTSEQ_STOPPED && status <= PKTSEQ_ERROR_DIVERGED, "status %d", \
                   (int)status); \
    } while (0)

// Rows, features and pairs beyond what is there.
static void test_codec_sizes(scene *s) {
    const size_t all = SIZE_MAX, rows = s->w.table.rows;
    const size_t features = s->w.codec.features + s->w.codec.contexts;
    const size_t row[][2] = {{0, all}, {all, 1}, {all, 2}, {2, all}, {2, all - 1}, {rows, 1}};
    char name[8];
    pktseq_pair pair;
    FAILS(pktseq_table_parse(OUT(0, pktseq_table), NULL, 0, &s->how.schema, NULL, NULL));
    for (size_t k = 0; k < sizeof row / sizeof *row; ++k)
        for (int form = PKTSEQ_FORM_DENSE; form <= PKTSEQ_FORM_CONTEXT; ++form)
            FAILS(pktseq_codec_encode(&s->w.codec, &s->w.table, row[k][0], row[k][1],
                                      (pktseq_form)form, s->reals, NULL, NULL));
    FAILS(pktseq_codec_feature_name(&s->w.codec, 0, name, 0));
    FAILS(pktseq_codec_feature_name(&s->w.codec, all, name, sizeof name));
    FAILS(pktseq_codec_feature_name(&s->w.codec, features, name, sizeof name));
    for (size_t i = 0; i < s->w.codec.features; ++i) {
        memset(name, 0x5a, sizeof name);
        CHECK(!pktseq_codec_feature_name(&s->w.codec, i, name, 1) && !name[0] &&
              name[1] == 0x5a);
    }
    for (int kind = 0; kind < 5; ++kind)
        FAILS(pktseq_dataset_wrap(OUT(1, pktseq_dataset), s->reals,
                                  kind == 0 ? 0 : kind == 3 ? all : 2, s->reals,
                                  kind == 1 ? 0 : kind == 4 ? all / 2 : 2, s->start,
                                  kind == 2 ? 0 : 2, kind < 3 ? &s->how.dataset : NULL, NULL,
                                  NULL));
    pair = pktseq_dataset_pair(&s->w.dataset, all);
    CHECK(is_zero(&pair, sizeof pair));
    pair = pktseq_dataset_pair(&s->w.dataset, s->w.dataset.pairs);
    CHECK(is_zero(&pair, sizeof pair));
}

// Networks of no size, or of one that cannot be counted.
static void test_model_sizes(scene *s) {
    const size_t all = SIZE_MAX;
    pktseq_config config;
    pktseq_tensor tensor;
    for (int kind = 0; kind < 9; ++kind) {
        config = s->model;
        config.groups = 0;
        config.group = NULL;
        if (kind / 3 == 0) config.in = kind == 0 ? 0 : kind == 1 ? all : all / 6;
        if (kind / 3 == 1) config.out = kind == 3 ? 0 : kind == 4 ? all : all / 2 + 1;
        if (kind / 3 == 2) config.hidden = kind == 6 ? 0 : kind == 7 ? all : all / 3 + 1;
        FAILS(pktseq_model_init(OUT(2, pktseq_model), &config, 1, NULL, NULL));
        CHECK(is_zero(OUT(2, pktseq_model), sizeof(pktseq_model)));
        FAILS(pktseq_work_init(OUT(3, pktseq_work), &config, 1, 1, 1, NULL, NULL));
        CHECK(is_zero(OUT(3, pktseq_work), sizeof(pktseq_work)));
    }
    config = s->model;
    config.inputs = all;
    FAILS(pktseq_work_init(OUT(3, pktseq_work), &config, 1, 1, 1, NULL, NULL));
    config.inputs = all / 2;
    FAILS(pktseq_work_init(OUT(3, pktseq_work), &config, 2, all / 2 + 2, 1, NULL, NULL));
    FAILS(pktseq_work_init(OUT(3, pktseq_work), &s->model, 0, 1, 1, NULL, NULL));
    FAILS(pktseq_work_init(OUT(3, pktseq_work), &s->model, 1, 0, 1, NULL, NULL));
    FAILS(pktseq_work_init(OUT(3, pktseq_work), &s->model, all, 1, 1, NULL, NULL));
    FAILS(pktseq_work_init(OUT(3, pktseq_work), &s->model, 1, all, 1, NULL, NULL));
    FAILS(pktseq_work_init(OUT(3, pktseq_work), &s->model, all / 2, all / 2, 1, NULL, NULL));
    FAILS(pktseq_work_init(OUT(3, pktseq_work), &s->model, 1, 1, -1, NULL, NULL));
    FAILS(pktseq_model_tensor(&s->w.model, PKTSEQ_TENSOR_COUNT, &tensor));
    FAILS(pktseq_model_tensor(&s->w.model, all, &tensor));
    CHECK(!pktseq_work_output(&s->w.work, all, 0) && !pktseq_work_output(&s->w.work, 0, all) &&
          !pktseq_work_output(&s->w.work, 1, 0) && !pktseq_work_encoded(&s->w.work, all) &&
          !pktseq_work_encoded(&s->w.work, 1));
}

// Numbers of pairs, packets, scores and shares that are not there.
static void test_counts(scene *s) {
    const size_t all = SIZE_MAX;
    FAILS(pktseq_forward(&s->w.model, &s->w.work, &s->pair, 0, NULL));
    FAILS(pktseq_forward(&s->w.model, &s->w.work, &s->pair, all, NULL));
    for (int kind = 0; kind < 4; ++kind) {
        static const double bad[] = {0, -1, (double)NAN, -(double)INFINITY};
        FAILS(pktseq_clip_grad_norm(&s->w.work, bad[kind], s->values));
        if (kind) FAILS(pktseq_quantile(s->values, 8, bad[kind], s->values, NULL, NULL));
    }
    FAILS(pktseq_rollout(&s->w.model, &s->w.work, &s->pair, 0, s->reals));
    FAILS(pktseq_rollout(&s->w.model, &s->w.work, &s->pair, all, s->reals));
    FAILS(pktseq_rollout(&s->w.model, &s->w.work, &s->pair, 9, s->reals));
    FAILS(pktseq_detector_init(OUT(4, pktseq_detector), &s->w.model, all, &s->how.detector, NULL,
                               NULL));
    FAILS(pktseq_detector_init(OUT(4, pktseq_detector), &s->w.model, all / 2 + 1, &s->how.detector,
                               NULL,
                               NULL));
    FAILS(pktseq_detector_score(&s->w.detector, &s->w.model, &s->w.work, &s->pair, 0, s->values));
    FAILS(pktseq_detector_score(&s->w.detector, &s->w.model, &s->w.work, &s->pair, all, s->values));
    FAILS(pktseq_quantile(s->values, 0, 0.5, s->values, NULL, NULL));
    FAILS(pktseq_quantile(s->values, 8, 1.5, s->values, NULL, NULL));
    FAILS(pktseq_evaluate(s->values, s->marks, 0, OUT(5, pktseq_evaluation), NULL, NULL));
    FAILS(pktseq_load_mem(OUT(2, pktseq_model), NULL, NULL, NULL, NULL, 0, NULL, NULL));
    FAILS(pktseq_file_write("", world_csv, 1, NULL, NULL));
    FAILS(pktseq_file_read(OUT(6, pktseq_buffer), "", NULL, NULL, NULL));
}

// A backward twice, or one after a forward that failed or had no target.
static void test_backward_twice(scene *s) {
    pktseq_pair pair = s->pair;
    CHECK(!pktseq_backward(&s->w.model, &s->w.work));
    FAILS(pktseq_backward(&s->w.model, &s->w.work));
    pair.target = NULL;
    CHECK(!pktseq_forward(&s->w.model, &s->w.work, &pair, 1, NULL));
    FAILS(pktseq_backward(&s->w.model, &s->w.work));
    FAILS(pktseq_score(&s->w.model, &s->w.work, &pair, s->values));
    FAILS(pktseq_detector_score(&s->w.detector, &s->w.model, &s->w.work, &pair, 1, s->values));
    pair.targets = 0;
    FAILS(pktseq_forward(&s->w.model, &s->w.work, &pair, 1, NULL));
    pair.targets = SIZE_MAX;
    FAILS(pktseq_forward(&s->w.model, &s->w.work, &pair, 1, NULL));
}

// What a stream borrows is gone.
static void test_stream_alone(scene *s) {
    pktseq_model_free(&s->w.model);
    FAILS(pktseq_stream_push(&s->w.stream, s->reals, s->reals, s->reals));
    FAILS(pktseq_stream_score(&s->w.stream, s->values));
    pktseq_stream_reset(&s->w.stream);
    pktseq_detector_free(&s->w.detector);
    FAILS(pktseq_stream_push(&s->w.stream, s->reals, s->reals, s->reals));
    FAILS(pktseq_stream_score(&s->w.stream, s->values));
}
#undef FAILS
#undef OUT

// Numbers that are far too large or too small, in every place that takes one; then calls in the
// wrong order.
static void test_sizes(void) {
    static scene s;
    if (!scene_make(&s)) return;
    test_codec_sizes(&s);
    test_model_sizes(&s);
    test_counts(&s);
    test_backward_twice(&s);
    test_stream_alone(&s);
    scene_free(&s);
}

// ---- numbers that cannot be, and objects that do not belong together, each alone a good one

#define ARGUMENT(call) CHECK((call) == PKTSEQ_ERROR_ARGUMENT)
#define MISMATCH(call) CHECK((call) == PKTSEQ_ERROR_MISMATCH)
static const double not_shares[] = {-1, 1.5, (double)NAN, (double)INFINITY};

static void test_drift_values(scene *s) {
    const double *bad = not_shares;
    pktseq_detector detector;
    pktseq_verdict verdict;
    pktseq_drift drift;
    double rate = 0;
    memset(&drift, 0, sizeof drift);
    ARGUMENT(pktseq_drift_add(NULL, &s->w.detector, 1, 0, 4, 0));
    ARGUMENT(pktseq_drift_add(&drift, NULL, 1, 0, 4, 0));
    for (int i = 2; i < 4; ++i) ARGUMENT(pktseq_drift_add(&drift, &s->w.detector, bad[i], 0, 4, 0));
    for (int i = 0; i < 4; ++i)  // 1.5 unknown of 1 packet
        ARGUMENT(pktseq_drift_add(&drift, &s->w.detector, 1, 0, 1, bad[i]));
    ARGUMENT(pktseq_drift_add(&drift, &s->w.detector, 1, 0, (double)INFINITY, 0));
    pktseq_drift_unknown(NULL, 6, 1, 2);
    ARGUMENT(pktseq_drift_verdict(NULL, &s->w.detector, 0.01, &verdict));
    ARGUMENT(pktseq_drift_verdict(&drift, NULL, 0.01, &verdict));
    ARGUMENT(pktseq_drift_verdict(&drift, &s->w.detector, 0.01, NULL));
    for (int i = 1; i < 4; ++i) ARGUMENT(pktseq_drift_verdict(&drift, &s->w.detector, bad[i],
                                                             &verdict));
    detector = s->w.detector;
    detector.sequences = 0;
    MISMATCH(pktseq_drift_verdict(&drift, &detector, 0.01, &verdict));
    CHECK(is_zero(&drift, sizeof drift));
    CHECK(!pktseq_drift_verdict(&drift, &s->w.detector, 0.01, &verdict) && !verdict.judged &&
          !verdict.drifted && !verdict.name[0]);
    ARGUMENT(pktseq_detector_rate(&s->w.detector, (double)INFINITY, &rate));
    ARGUMENT(pktseq_detector_rate(&s->w.detector, -1, &rate));
}

static void test_watcher_values(scene *s) {
    static const char *const packets_have[] = {"length", "syn", "protocol", "src_port",
                                               "dst_port"};
    const char *had[COUNT(packets_have)];
    const double *bad = not_shares;
    pktseq_detector detector;
    pktseq_codec codec;
    pktseq_model model;
    pktseq_watcher watcher;
    pktseq_watcher_options options;
#define WATCH(m, c, d) pktseq_watcher_init(&watcher, m, c, d, &options, &s->allocator, &s->err)
    memset(&options, 0, sizeof options);
    memset(&model, 0, sizeof model);
    memset(&codec, 0, sizeof codec);
    memset(&detector, 0, sizeof detector);
    CHECK(s->w.codec.field_count == COUNT(had));
    MISMATCH(WATCH(&s->w.model, &s->w.codec, &s->w.detector));
    CHECK_THAT(strstr(s->err.text, "\"v\""), "%s", s->err.text);  // what no packet has
    for (size_t f = 0; f < COUNT(had); ++f) {
        had[f] = s->w.codec.field[f].column;
        s->w.codec.field[f].column = packets_have[f];
    }
    CHECK_THAT(!WATCH(&s->w.model, &s->w.codec, &s->w.detector), "%s", s->err.text);
    pktseq_watcher_free(&watcher);
    ARGUMENT(WATCH(NULL, &s->w.codec, &s->w.detector));
    ARGUMENT(WATCH(&model, &s->w.codec, &s->w.detector));
    ARGUMENT(WATCH(&s->w.model, NULL, &s->w.detector));
    ARGUMENT(WATCH(&s->w.model, &codec, &s->w.detector));
    ARGUMENT(WATCH(&s->w.model, &s->w.codec, NULL));
    ARGUMENT(WATCH(&s->w.model, &s->w.codec, &detector));
    for (int i = 0; i < 4; ++i) {
        options.false_positive_rate = bad[i];
        ARGUMENT(WATCH(&s->w.model, &s->w.codec, &s->w.detector));
        options.false_positive_rate = 0;
        options.adapt = bad[i];
        if (i != 1) ARGUMENT(WATCH(&s->w.model, &s->w.codec, &s->w.detector));
        options.adapt = 0;
    }
    options.threshold = (double)NAN;
    ARGUMENT(WATCH(&s->w.model, &s->w.codec, &s->w.detector));
    options.threshold = 0;
    codec = s->w.codec;  // another model's
    codec.contexts -= 1;
    MISMATCH(WATCH(&s->w.model, &codec, &s->w.detector));
    codec.contexts += 1;
    codec.groups -= 1;
    MISMATCH(WATCH(&s->w.model, &codec, &s->w.detector));
    detector = s->w.detector;
    detector.sequences = 0;
    options.false_positive_rate = 0.01;
    MISMATCH(WATCH(&s->w.model, &s->w.codec, &detector));
    for (size_t f = 0; f < COUNT(had); ++f) s->w.codec.field[f].column = had[f];
#undef WATCH
}

static void test_share_values(scene *s) {
    pktseq_tracker tracker;
    pktseq_codec codec;
    pktseq_dataset dataset;
    pktseq_rule rule;
    for (int kind = 0; kind < 2; ++kind) {  // no rule is fitted that could not be saved
        pktseq_schema schema = s->how.schema;
        rule = kind ? pktseq_rule_connection() : pktseq_rule_default();
        rule.max_length = kind ? 0xffffffffu : SIZE_MAX;
        schema.rule = rule;
        ARGUMENT(pktseq_tracker_init(&tracker, &rule, &s->allocator, NULL));
        ARGUMENT(pktseq_codec_fit(&codec, &s->w.table, &schema, &s->allocator, NULL));
    }
    for (int i = 0; i < 3; ++i) {
        pktseq_schema schema = s->how.schema;
        schema.hold_out = not_shares[i];
        ARGUMENT(pktseq_codec_fit(&codec, &s->w.table, &schema, &s->allocator, NULL));
        s->how.dataset.hold_out = not_shares[i];
        ARGUMENT(pktseq_dataset_init(&dataset, &s->w.codec, &s->w.table, &s->how.dataset,
                                     &s->allocator, NULL));
    }
}

static void test_recipe_values(scene *s) {
    pktseq_detector detector;
    pktseq_dataset dataset;
    pktseq_codec codec;
    pktseq_model model;
    pktseq_recipe recipe;
    CHECK(!pktseq_recipe_recommended(&recipe, NULL, NULL));
    ARGUMENT(pktseq_recipe_prepare(&recipe, &s->w.table, NULL, NULL, NULL, &dataset, &model,
                                   &s->allocator, NULL));
    ARGUMENT(pktseq_recipe_prepare(&recipe, &s->w.table, NULL, NULL, &codec, NULL, &model,
                                   &s->allocator, NULL));
    ARGUMENT(pktseq_recipe_prepare(&recipe, &s->w.table, NULL, NULL, &codec, &dataset, NULL,
                                   &s->allocator, NULL));
    memset(&model, 0, sizeof model);
    memset(&codec, 0, sizeof codec);
    ARGUMENT(pktseq_recipe_calibrate(&recipe, &s->w.model, &codec, &s->w.dataset, &detector, NULL));
    for (recipe.epochs = 1e13; recipe.epochs < 1e300; recipe.epochs *= 1e20)
        CHECK(pktseq_recipe_iterations(&recipe, &s->w.dataset) >= 4000000000u);
    recipe.train.batch = 0;
    CHECK(pktseq_recipe_iterations(&recipe, &s->w.dataset) == 0);
    ARGUMENT(pktseq_recipe_from_model(&recipe, &model, &s->w.codec, NULL, NULL, NULL));
    ARGUMENT(pktseq_recipe_from_model(&recipe, &s->w.model, &codec, NULL, NULL, NULL));
    CHECK(is_zero(&recipe, sizeof recipe));
}
#undef ARGUMENT
#undef MISMATCH

static void test_values(void) {
    static scene s;
    if (!scene_make(&s)) return;
    test_drift_values(&s);
    test_watcher_values(&s);
    test_share_values(&s);
    test_recipe_values(&s);
    scene_free(&s);
}

int main(void) {
    one_thread(1);
    test_odd_csv();
    test_recordings();
    test_large_csv();
    test_locales();
    test_lists();
    test_misuse();
    test_free_and_plain();
    test_sizes();
    test_values();
    printf("%lu tables taken and %lu refused, at most %.1f bytes asked for per byte (%s)\n",
           (ulong_t)tables_taken, (ulong_t)tables_refused, most_per_csv_byte, most_csv);
    return check_end("test_hostile");
}
