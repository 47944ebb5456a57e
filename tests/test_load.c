// test_load.c - sections >>json and >>load: checkpoints that must be refused.
//
// The mistakes that safetensors readers were published with, everything else that a header can be,
// metadata that contradict themselves, and every byte of a file damaged in every way. Whatever is
// refused must say in one sentence what was found, leave nothing behind, and ask for no more memory
// than a few times the bytes that are there.
#include "inside.h"
#include "hostile.h"

#include <math.h>
#include <time.h>

// ---- files being put together

typedef text bytes;

static void put_little(bytes *b, uint64_t value, size_t size) {
    for (; size; --size, value >>= 8) {
        unsigned char c = (unsigned char)value;
        put_bytes(b, &c, 1);
    }
}

static size_t header_end(const void *file) {
    const unsigned char *data = (const unsigned char *)file;
    size_t length = 0;
    for (int i = 7; i >= 0; --i) length = (length << 8) | data[i];
    return 8 + length;
}

// Makes the header's length and the checksum right again, as a clever forger would.
static void seal(bytes *b, size_t length) {
    static const char key[] = "\"pktseq.checksum\":\"";
    const unsigned char *at = find(b->data, 8 + length, key);
    size_t place;
    uint64_t hash = UINT64_C(14695981039346656037), value = length;
    for (size_t i = 0; i < 8; ++i, value >>= 8) b->data[i] = (char)(unsigned char)value;
    if (!at) return;
    place = (size_t)(at - (const unsigned char *)b->data) + sizeof key - 1;
    for (size_t i = 0; i < b->size; ++i)
        if (i < place || i >= place + 16)
            hash = (hash ^ (unsigned char)b->data[i]) * UINT64_C(1099511628211);
    for (size_t i = 0; i < 16; ++i)
        b->data[place + i] = "0123456789abcdef"[(hash >> (60 - 4 * i)) & 15];
}

// A good file with one piece of its header replaced and its length and checksum mended.
static bytes edited(const pktseq_buffer *file, const char *from, const bytes *to) {
    const size_t end = header_end(file->data), cut = strlen(from);
    const unsigned char *at = find(file->data, end, from);
    bytes b = no_text();
    CHECK_THAT(at, "the header has no %s", from);
    if (!at) at = file->data + end - cut;
    put_bytes(&b, file->data, (size_t)(at - file->data));
    put_bytes(&b, to->data, to->size);
    put_bytes(&b, at + cut, (size_t)(file->data + file->size - at) - cut);
    seal(&b, end - 8 - cut + to->size);
    return b;
}

// ---- foreign: a small checkpoint of another program, to be bent

// D = O = H = 1: ten tensors, 26 numbers, in the order of PKTSEQ_TENSORS.
static const struct {
    const char *name, *shape;
    int begin, end;  // numbers
} plain[10] = {{"encoder.gru.weight_ih_l0", "[3,1]", 0, 3},
               {"encoder.gru.weight_hh_l0", "[3,1]", 3, 6},
               {"encoder.gru.bias_ih_l0", "[3]", 6, 9},
               {"encoder.gru.bias_hh_l0", "[3]", 9, 12},
               {"decoder.gru.weight_ih_l0", "[3,1]", 12, 15},
               {"decoder.gru.weight_hh_l0", "[3,1]", 15, 18},
               {"decoder.gru.bias_ih_l0", "[3]", 18, 21},
               {"decoder.gru.bias_hh_l0", "[3]", 21, 24},
               {"decoder.out.weight", "[1,1]", 24, 25},
               {"decoder.out.bias", "[1]", 25, 26}};

// What differs from a good file; NULL: nothing.
typedef struct bent {
    size_t tensor;  // whose parts are replaced
    const char *name, *dtype, *shape, *offsets, *entry;
    const char *before, *after, *whole;  // whole: the header, and nothing else
    size_t body;                         // bytes of numbers; 0 = the 104 of a good file
} bent;

static bytes bent_file(const bent *x) {
    bytes h = no_text(), b = no_text();
    if (x->whole) {
        put(&h, x->whole);
    } else {
        put(&h, "{");
        if (x->before) put(&h, x->before);
        for (size_t i = 0; i < 10; ++i) {
            const bent *y = i == x->tensor ? x : NULL;
            char text[64];
            put(&h, i ? ",\"" : "\"");
            put(&h, y && y->name ? y->name : plain[i].name);
            put(&h, "\":");
            if (y && y->entry) {
                put(&h, y->entry);
                continue;
            }
            put(&h, "{\"dtype\":");
            put(&h, y && y->dtype ? y->dtype : "\"F32\"");
            put(&h, ",\"shape\":");
            put(&h, y && y->shape ? y->shape : plain[i].shape);
            put(&h, ",\"data_offsets\":");
            snprintf(text, sizeof text, "[%d,%d]", 4 * plain[i].begin, 4 * plain[i].end);
            put(&h, y && y->offsets ? y->offsets : text);
            put(&h, "}");
        }
        if (x->after) put(&h, x->after);
        put(&h, "}");
    }
    put_little(&b, h.size, 8);
    put_bytes(&b, h.data, h.size);
    for (size_t i = 0; i < (x->body ? x->body : 104) / 4; ++i)
        put_little(&b, i % 3 ? 0x3f000000u : 0xbe800000u, 4);  // 0.5 and -0.25
    free(h.data);
    return b;
}

// ---- loading: a file that must be refused

typedef struct loaded {
    pktseq_status status;
    pktseq_error err;
    parts p;
    meter memory;
} loaded;

static double most_per_byte;       // the largest peak in bytes per byte of a file
static size_t files_refused;

// From a block of exactly the file's size.
static void load(loaded *l, const void *data, size_t size) {
    pktseq_allocator a = metered(&l->memory);
    void *exact = malloc(size ? size : 1);
    if (!exact) exit(3);
    if (size) memcpy(exact, data, size);
    memset(&l->err, 0x5a, sizeof l->err);
    l->status = parts_load(&l->p, exact, size, &a, &l->err);
    free(exact);
}

static int unload(loaded *l) {
    parts_free(&l->p);
    return l->memory.blocks == 0 && l->memory.bytes == 0;
}

// Metadata has a table of 1024 entries, 32 bytes each; a small file may ask for that, too.
static const double TABLE = 40000, PER_BYTE = 10;

static int is_cheap(const loaded *l, size_t size) {
    double per_byte = ((double)l->memory.peak - TABLE) / (double)(size + 1);
    if (per_byte > most_per_byte) most_per_byte = per_byte;
    return per_byte <= PER_BYTE;
}

static int is_refused(loaded *l, const void *data, size_t size) {
    int good;
    load(l, data, size);
    good = (l->status == PKTSEQ_ERROR_DATA || l->status == PKTSEQ_ERROR_MISMATCH) &&
           l->err.status == l->status && l->err.line == 0 && is_sentence(&l->err) &&
           l->memory.blocks == 0 &&
           is_zero(&l->p, sizeof l->p) && is_cheap(l, size);
    ++files_refused;
    return unload(l) && good;
}

// `say`: what the sentence must name, or NULL.
static void check_refused(const char *what, const void *data, size_t size, const char *say) {
    loaded l;
    int good = is_refused(&l, data, size);
    CHECK_THAT(good, "%s: status %d, peak %lu of %lu bytes, %lu blocks left, \"%s\"", what,
               (int)l.status, (ulong_t)l.memory.peak, (ulong_t)size, (ulong_t)l.memory.blocks,
               l.err.text);
    CHECK_THAT(!say || strstr(l.err.text, say), "%s: \"%s\" does not name %s", what, l.err.text,
               say);
}

static void check_bent(const char *what, const bent *x, const char *say) {
    bytes b = bent_file(x);
    check_refused(what, b.data, b.size, say);
    free(b.data);
}

// Checks a list of texts, each in the place of one member of an otherwise good file.
#define CHECK_EACH(list, member) \
    for (size_t i = 0; i < COUNT(list); ++i) { \
        bent x; \
        memset(&x, 0, sizeof x); \
        x.member = list[i]; \
        check_bent(list[i], &x, NULL); \
    }

// ---- published: seven mistakes of other readers

// The good file is good: what is refused below is refused for what was bent.
static void test_good_file_is_taken(void) {
    bent x;
    bytes b;
    loaded l;
    memset(&x, 0, sizeof x);
    b = bent_file(&x);
    load(&l, b.data, b.size);
    CHECK_THAT(l.status == PKTSEQ_OK && l.p.model.parameters == 26 && is_cheap(&l, b.size), "%s",
               l.err.text);
    CHECK(unload(&l));
    free(b.data);
}

// 8 + length, length + 1 (for a final 0), length + what is there: each wraps for some length, in 64
// bits or in 32.
static void test_header_length_plus_a_constant_wraps(void) {
    static const uint64_t high[] = {0, UINT64_C(1) << 32, UINT64_C(1) << 63,
                                    UINT64_C(0xffffffff00000000)};
    bent x;
    bytes b;
    uint64_t length;
    memset(&x, 0, sizeof x);
    b = bent_file(&x);
    length = header_end(b.data) - 8;
    for (size_t h = 0; h < COUNT(high); ++h)
        for (uint64_t constant = 0; constant < 20; ++constant)
            for (int back = 0; back < 2; ++back) {
                uint64_t bad = back ? (uint64_t)0 - constant : constant + length;
                uint64_t lie = h ? (bad & 0xffffffffu) | high[h] : bad;
                if (lie == length) continue;
                for (size_t i = 0; i < 8; ++i) b.data[i] = (unsigned char)(lie >> (8 * i));
                check_refused("header length", b.data, b.size,
                              lie > 100000000 ? "length" : lie > b.size - 8 ? "missing" : NULL);
            }
    free(b.data);
}

static void test_negative_or_reversed_offsets(void) {
    static const char *const list[][2] = {
        {"[-12,0]", "\"-\""}, {"[0,-12]", "\"-\""}, {"[-0,12]", "\"-\""}, {"[12,0]", "offsets"},
        {"[4,3]", "offsets"}, {"[100,88]", "offsets"}, {"[9007199254740991,0]", "offsets"},
        {"[9007199254740991,11]", "offsets"}, {"[18446744073709551604,0]", "2^53"},
        {"[0,18446744073709551604]", "2^53"}, {"[9007199254740980,9007199254740992]", "2^53"}};
    for (size_t tensor = 0; tensor < 10; tensor += 9)
        for (size_t i = 0; i < COUNT(list); ++i) {
            bent x;
            memset(&x, 0, sizeof x);
            x.tensor = tensor;
            x.offsets = list[i][0];
            check_bent(list[i][0], &x, list[i][1]);
        }
}

// All ten shapes agree with each other; only the products do not fit. The offsets are those that a
// reader which multiplies in 64 (or 32) bits would expect.
static void test_shape_product_that_wraps(void) {
    static const struct {
        uint64_t d, o, h;
        int wraps;  // some product of two sizes, or of a size and bytes, is small in 64 bits
    } list[] = {
        {1, UINT64_C(274177), UINT64_C(67280421310721), 1},        // O * H = 2^64 + 1
        {1, UINT64_C(1) << 32, UINT64_C(1) << 32, 1},              // O * H = 2^64
        {UINT64_C(1) << 32, 1, UINT64_C(1) << 32, 1},              // 3 * H * D = 3 * 2^64
        {1, 1, UINT64_C(1) << 31, 1},                              // 3 * H * H * 4 = 3 * 2^64
        {1, 1, UINT64_C(1) << 32, 1},                              // 3 * H * H = 3 * 2^64
        {1, UINT64_C(1) << 52, UINT64_C(1) << 12, 1},              // O * H = 2^64
        {1, UINT64_C(1) << 50, UINT64_C(1) << 12, 1},              // O * H * 4 = 2^64
        {1, 641, 6700417, 0},                                      // O * H = 2^32 + 1
        {1, 65536, 65536, 0},                                      // O * H = 2^32
        {UINT64_C(9007199254740991), UINT64_C(9007199254740991), UINT64_C(9007199254740991), 0}};
    for (size_t i = 0; i < COUNT(list); ++i)
        for (int narrow = 0; narrow < 2; ++narrow) {
            uint64_t d = list[i].d, o = list[i].o, h = list[i].h, at = 0, small = 0;
            uint64_t rows[10], cols[10];
            bytes header = no_text(), b = no_text();
            char what[80];
            for (size_t t = 0; t < 10; ++t) {
                rows[t] = t < 8 ? 3 * h : o;
                cols[t] = t == 0 ? d : t == 1 || t == 5 || t == 8 ? h : t == 4 ? o : 0;
            }
            put(&header, "{");
            for (size_t t = 0; t < 10; ++t) {
                uint64_t size = rows[t] * (cols[t] ? cols[t] : 1) * 4, end;
                char text[200];
                if (narrow) size &= 0xffffffffu;
                small += cols[t] && size < 1024 && rows[t] > 2048;
                end = size < 1024 ? at + size : at;  // the large ones take no room at all
                snprintf(text, sizeof text, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%.0f",
                         t ? "," : "", plain[t].name, (double)(rows[t] % (UINT64_C(1) << 53)));
                put(&header, text);
                snprintf(text, sizeof text, ",%.0f", (double)cols[t]);
                if (cols[t]) put(&header, text);
                snprintf(text, sizeof text, "],\"data_offsets\":[%d,%d]}", (int)at, (int)end);
                put(&header, text);
                at = end;
            }
            put(&header, "}");
            put_little(&b, header.size, 8);
            put_bytes(&b, header.data, header.size);
            put_many(&b, "\x3f\x3f\x3f\x3f", (size_t)at / 4 + 64);
            b.size -= 256;
            snprintf(what, sizeof what, "D %.0f, O %.0f, H %.0f", (double)d, (double)o, (double)h);
            CHECK_THAT(small || !list[i].wraps, "%s: nothing wraps", what);
            check_refused(what, b.data, b.size, NULL);
            free(header.data);
            free(b.data);
        }
}

static void test_unknown_dtype_that_skips_validation(void) {
    static const char *const dtype[] = {
        "\"F99\"", "\"F16\"", "\"BF16\"", "\"BOOL\"", "\"I64\"", "\"U8\"", "\"F8_E4M3\"",
        "\"C64\"", "\"f32\"", "\"F32\\n\"", "\"\"", "\"F32F32\"", "\"\xc3\xa9\"",
        "\"%s%n\""};
    static const char *const shape[] = {NULL, "[]", "[0]", "[9007199254740991,9007199254740991]",
                                        "[1000000000]"};
    static const char *const offsets[] = {NULL, "[0,0]", "[0,9007199254740991]", "[12,0]"};
    for (size_t i = 0; i < COUNT(dtype); ++i)
        for (size_t k = 0; k < COUNT(shape); ++k)
            for (size_t o = 0; o < COUNT(offsets); ++o) {
                bent x;
                char named[16];
                memset(&x, 0, sizeof x);
                x.dtype = dtype[i];
                x.shape = shape[k];
                x.offsets = offsets[o];
                snprintf(named, sizeof named, "%s", dtype[i]);
                if (strchr(named, '\\') || dtype[i][1] & 0x80) named[3] = 0;
                check_bent(dtype[i], &x, k == 1 ? NULL : dtype[i][1] & 0x80 ? "dtype" : named);
            }
}

// The shape says one size, the offsets another, larger or smaller, and the file is as long as
// either would have it.
static void test_buffer_sized_from_shape_but_filled_from_offsets(void) {
    static const struct {
        size_t tensor;
        const char *shape, *offsets;
        size_t body;
        const char *say;
    } list[] = {{9, "[1]", "[100,108]", 108, "tensor"},
                {9, "[1]", "[100,4196]", 4196, "tensor"},
                {9, "[1]", "[100,101]", 104, "tensor"},
                {9, "[1]", "[100,100]", 104, "tensor"},
                {9, "[1024]", "[100,104]", 104, "tensor"},
                {9, "[1]", "[100,102]", 104, "tensor"},
                {9, "[2]", "[100,108]", 108, "tensor"},
                {8, "[1,1024]", "[96,100]", 104, "tensor"},
                {0, "[3,1]", "[0,8]", 104, "tensor"},
                {0, "[3,1]", "[0,24]", 104, "tensor"},
                {0, "[3,2]", "[0,12]", 104, "tensor"},
                {0, "[3,1000000]", "[0,12]", 104, NULL},
                {1, "[3000000,1000000]", "[12,24]", 104, NULL}};
    for (size_t i = 0; i < COUNT(list); ++i) {
        bent x;
        memset(&x, 0, sizeof x);
        x.tensor = list[i].tensor;
        x.shape = list[i].shape;
        x.offsets = list[i].offsets;
        x.body = list[i].body;
        check_bent(list[i].offsets, &x, list[i].say);
    }
}

static void test_offsets_past_the_end_of_the_file(void) {
    bent x;
    bytes b;
    memset(&x, 0, sizeof x);
    b = bent_file(&x);
    for (size_t missing = 1; missing <= 104; ++missing) {
        char say[40];
        snprintf(say, sizeof say, " %lu byte%s missing", (ulong_t)missing, missing == 1 ? "" : "s");
        check_refused("cut off", b.data, b.size - missing, say);
    }
    free(b.data);
    x.tensor = 9;
    for (int far = 0; far < 4; ++far) {
        static const char *const offsets[] = {"[104,108]", "[4294967296,4294967300]",
                                              "[9007199254740987,9007199254740991]",
                                              "[1000000,1000004]"};
        x.offsets = offsets[far];
        check_bent(offsets[far], &x, "offset");
    }
}

static void test_data_offsets_with_fewer_than_two_entries(void) {
    static const char *const list[] = {"[]", "[0]", "[12]", "[ ]", "[,]", "[,12]", "[0,]", "0",
                                       "null", "\"\"", "{}", "[null,12]", "[0,12,24]", "[[0,12]]",
                                       "[\"0\",12]", "[0 12]", "[0,12"};
    for (size_t i = 0; i < COUNT(list); ++i) {
        bent x;
        memset(&x, 0, sizeof x);
        x.offsets = list[i];
        check_bent(list[i], &x, "expected");
    }
}

// ---- json: everything else that a header can be

static void test_headers(void) {
#define META(text) "\"__metadata__\":" text ","
    static const struct {
        const char *what;
        bent x;
        const char *say;
    } list[] = {
        // the same thing twice
        {"a key twice", {10, 0, 0, 0, 0, 0, META("{\"a\":\"\",\"a\":\"\"}"), 0, 0, 0}, "\"a\""},
        {"twice, one escaped",
         {10, 0, 0, 0, 0, 0, META("{\"a\":\"\",\"\\u0061\":\"\"}"), 0, 0, 0}, "\"a\" twice"},
        {"twice, both escaped",
         {10, 0, 0, 0, 0, 0, META("{\"\\u006a\":\"\",\"\\u006A\":\"\"}"), 0, 0, 0},
         "\"j\" twice"},
        {"twice, a slash",
         {10, 0, 0, 0, 0, 0, META("{\"a/\":\"\",\"a\\/\":\"\"}"), 0, 0, 0}, "\"a/\" twice"},
        {"a tensor twice", {1, "encoder.gru.weight_ih_l0", 0, 0, 0, 0, 0, 0, 0, 0}, "twice"},
        {"a tensor twice, escaped",
         {1, "encoder.gru.weight_\\u0069h_l0", 0, 0, 0, 0, 0, 0, 0, 0}, "twice"},
        // integers
        {"1e3", {0, 0, 0, "[3e0,1]", 0, 0, 0, 0, 0, 0}, "\"e\""},
        {"3E0", {0, 0, 0, "[3E0,1]", 0, 0, 0, 0, 0, 0}, "\"E\""},
        {"-0", {0, 0, 0, "[3,-0]", 0, 0, 0, 0, 0, 0}, "\"-\""},
        {"-0 as an offset", {0, 0, 0, 0, "[-0,12]", 0, 0, 0, 0, 0}, "\"-\""},
        {"1.0", {0, 0, 0, "[3,1.0]", 0, 0, 0, 0, 0, 0}, "\".\""},
        {"NaN", {0, 0, 0, "[NaN,1]", 0, 0, 0, 0, 0, 0}, "\"N\""},
        {"Infinity", {0, 0, 0, 0, "[0,Infinity]", 0, 0, 0, 0, 0}, "\"I\""},
        {"2^53", {0, 0, 0, "[9007199254740992,1]", 0, 0, 0, 0, 0, 0}, "2^53"},
        // sizes of nothing
        {"no D", {0, 0, 0, "[3,0]", "[0,0]", 0, 0, 0, 0, 0}, "0"},
        {"no H", {1, 0, 0, "[0,0]", "[12,12]", 0, 0, 0, 0, 0}, "0"},
        {"no O", {8, 0, 0, "[0,1]", "[96,96]", 0, 0, 0, 0, 0}, "0"},
        {"no rank", {9, 0, 0, "[]", 0, 0, 0, 0, 0, 0}, "expected"},
        // names and strings
        {"NUL in a name", {0, "encoder.gru.weight_ih_l0\\u0000", 0, 0, 0, 0, 0, 0, 0, 0}, "escape"},
        {"NUL in a key", {10, 0, 0, 0, 0, 0, META("{\"a\\u0000b\":\"\"}"), 0, 0, 0}, "escape"},
        {"two first halves",
         {10, 0, 0, 0, 0, 0, META("{\"\\ud83d\\ud83d\":\"\"}"), 0, 0, 0}, "escape"},
        {"a name with an escape at the end of all", {10, 0, 0, 0, 0, 0, 0, 0, "{\"\\ud83d", 0},
         "ends at byte"},
        {"half an escape at the end of all", {10, 0, 0, 0, 0, 0, 0, 0, "{\"\\u00", 0}, "escape"},
        {"a backslash at the end of all", {10, 0, 0, 0, 0, 0, 0, 0, "{\"\\", 0}, "escape"},
        {"a name without end", {10, 0, 0, 0, 0, 0, 0, 0, "{\"encoder", 0}, "ends at byte"},
        {"a terminal's escape", {0, "\\u001b[31mred", 0, 0, 0, 0, 0, 0, 0, 0}, "[31mred"},
        {"a line end in a name", {0, "two\\nlines", 0, 0, 0, 0, 0, 0, 0, 0}, "two"},
        // values of the metadata that are no strings
        {"a number", {10, 0, 0, 0, 0, 0, META("{\"a\":1}"), 0, 0, 0}, "\"1\""},
        {"null", {10, 0, 0, 0, 0, 0, META("{\"a\":null}"), 0, 0, 0}, "\"n\""},
        {"true", {10, 0, 0, 0, 0, 0, META("{\"a\":true}"), 0, 0, 0}, "\"t\""},
        {"an array", {10, 0, 0, 0, 0, 0, META("{\"a\":[\"\"]}"), 0, 0, 0}, "\"[\""},
        {"an object", {10, 0, 0, 0, 0, 0, META("{\"a\":{}}"), 0, 0, 0}, "\"{\""},
        {"no object at all", {10, 0, 0, 0, 0, 0, META("null"), 0, 0, 0}, "\"n\""},
        // the whole
        {"an array", {10, 0, 0, 0, 0, 0, 0, 0, "[]", 0}, "\"[\""},
        {"a string", {10, 0, 0, 0, 0, 0, 0, 0, "\"{}\"", 0}, "'{'"},
        {"a number", {10, 0, 0, 0, 0, 0, 0, 0, "42", 0}, "\"4\""},
        {"null", {10, 0, 0, 0, 0, 0, 0, 0, "null", 0}, "\"n\""},
        {"nothing", {10, 0, 0, 0, 0, 0, 0, 0, "", 0}, "ends at byte 8"},
        {"a brace", {10, 0, 0, 0, 0, 0, 0, 0, "{", 0}, "ends at byte 9"},
        {"an empty object", {10, 0, 0, 0, 0, 0, 0, 0, "{}", 0}, "missing"},
        {"two objects", {10, 0, 0, 0, 0, 0, 0, "}{", 0, 0}, "\"{\""},
        {"two objects with a blank", {10, 0, 0, 0, 0, 0, 0, "} {", 0, 0}, "\"{\""},
        // places
        {"a hole", {9, 0, 0, 0, "[104,108]", 0, 0, 0, 0, 108}, "offset 100"},
        {"an overlap", {9, 0, 0, 0, "[96,100]", 0, 0, 0, 0, 0}, "offset 100"},
        {"all in one place", {1, 0, 0, 0, "[0,12]", 0, 0, 0, 0, 0}, "offset"},
        {"one byte off", {9, 0, 0, 0, "[101,105]", 0, 0, 0, 0, 108}, "offset 100"},
        {"trailing bytes", {10, 0, 0, 0, 0, 0, 0, 0, 0, 108}, "4 bytes"},
        {"many trailing bytes", {10, 0, 0, 0, 0, 0, 0, 0, 0, 100104}, "100000 bytes"}};
    for (size_t i = 0; i < COUNT(list); ++i) check_bent(list[i].what, &list[i].x, list[i].say);
#undef META
}

// Lengths 0, 1, and exactly to the end of the file, where no number is left.
static void test_header_length(void) {
    bent x;
    bytes b;
    memset(&x, 0, sizeof x);
    b = bent_file(&x);
    check_refused("nothing behind the header", b.data, header_end(b.data), " 104 bytes");
    for (size_t length = 0; length < 3; ++length) {
        size_t lie = length < 2 ? length : b.size - 8;
        for (size_t i = 0; i < 8; ++i) b.data[i] = (char)(i < 4 ? lie >> (8 * i) : 0);
        check_refused("length", b.data, b.size, length ? NULL : "ends at byte 8");
    }
    free(b.data);
}

// A byte that no text can show is found all the same.
static void test_nul_byte(void) {
    bent x;
    bytes b;
    memset(&x, 0, sizeof x);
    b = bent_file(&x);
    for (size_t i = 8; i < 12; ++i) {
        loaded l;
        char was = b.data[i];
        b.data[i] = 0;
        CHECK(is_refused(&l, b.data, b.size));
        CHECK_THAT(says(&l.err, "a NUL byte"), "%s", l.err.text);
        b.data[i] = was;
    }
    free(b.data);
}

// Entries of the first tensor, [3,1] of 12 bytes, with something wrong in them.
static void test_entries(void) {
    static const char *const dtype[] = {"\"F32 \"", "\"F32\\u0000\"", "\"F\"", "\"I32\"", "32",
                                        "null", "[\"F32\"]", "true", "{}", "F32"};
    // The last four have a product, in numbers or in bytes, that is the right one modulo 2^64.
    static const char *const shape[] = {
        "[3]", "[1,3]", "[3,1,1]", "[0]", "[-3,1]", "[3,-1]", "[3.0,1]", "[03,1]", "[+3,1]",
        "[-0,1]", "[3,1", "[3 1]", "[3,1,]", "[,3,1]", "[\"3\",1]", "[null,1]", "[[3],1]", "3",
        "\"3,1\"", "{}", "[2,1]", "[6,1]", "[3,2]", "[0x3,1]", "[99999999999999999999999,1]",
        "[9223372036854775808,2]", "[4294967296,4294967296]", "[12297829382473034411,9]",
        "[18446744073709551619,1]", "[36893488147419103235,1]", "[13835058055282163715,1]",
        "[6917529027641081859,1]"};
    static const char *const offsets[] = {
        "[00,12]", "[0.0,12]", "[0,12.0]", "[0,12e0]", "[0,1e3]", "[0,\"12\"]", "[0,null]",
        "[0,12,]", "[0,18446744073709551628]", "[0,18446744073709551640]",
        "[18446744073709551592,0]", "[0,99999999999999999999999999]", "[0,1000000000000]",
        "[1,12]", "[0,0]", "[4,12]", "[12,12]"};
    static const char *const entry[] = {
        "{\"shape\":[3,1],\"data_offsets\":[0,12]}",
        "{\"dtype\":\"F32\",\"data_offsets\":[0,12]}",
        "{\"dtype\":\"F32\",\"shape\":[3,1]}",
        "{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[3,1],\"data_offsets\":[0,12]}",
        "{\"dtype\":\"F32\",\"shape\":[3,1],\"shape\":[3,1],\"data_offsets\":[0,12]}",
        "{\"dtype\":\"F32\",\"shape\":[3,1],\"data_offsets\":[0,12],\"data_offsets\":[0,12]}",
        "{\"dtype\":\"F32\",\"shape\":[3,1],\"data_offsets\":[0,12],\"dat\\u0061_offsets\":[0,12]}",
        "{\"dtype\":\"F32\",\"shape\":[3,1],\"data_offsets\":[0,12],\"x\":[0,12]}",
        "{\"dtype\":\"F32\",\"shape\":[3,1],\"data_offsets\":[0,12],}",
        "{\"dtype\":\"F32\" \"shape\":[3,1],\"data_offsets\":[0,12]}",
        "{\"dtype\":\"F32\",,\"shape\":[3,1],\"data_offsets\":[0,12]}",
        "{\"dtype\" \"F32\",\"shape\":[3,1],\"data_offsets\":[0,12]}",
        "{dtype:\"F32\",\"shape\":[3,1],\"data_offsets\":[0,12]}",
        "{'dtype':'F32','shape':[3,1],'data_offsets':[0,12]}",
        "[\"F32\",[3,1],[0,12]]", "null", "\"F32\"", "12", "{}", ""};
    CHECK_EACH(dtype, dtype)
    CHECK_EACH(shape, shape)
    CHECK_EACH(offsets, offsets)
    CHECK_EACH(entry, entry)
}

// Headers with something wrong before the first entry, after the last one, or in a name.
static void test_around_entries(void) {
    static const char *const before[] = {
        "\"__metadata__\":[],", "\"__metadata__\":\"pt\",", "\"__metadata__\":{\"n\"},",
        "\"__metadata__\":{\"n\":},", "\"__metadata__\":{\"n\":\"x\",},",
        "\"__metadata__\":{n:\"x\"},", "\"__metadata__\":{'n':'x'},", "\"__metadata__\",",
        "\"__metadata__\":{},\"__metadata__\":{},",
        "\"__metadata__\":{},\"__m\\u0065tadata__\":{},",
        "\"__metadata__\":{\"pktseq.format\":\"2\"},",
        "\"__metadata__\":{\"pktseq.checksum\":\"0000000000000000\"},",
        "// a comment\n", "/* a comment */", ",", "1,", "\"x\":1,", "\"x\":null,", "\"x\":[],",
        "1:{},", "null:{},", "encoder.gru.weight_ih_l0:{},", "'encoder.gru.weight_ih_l0':{},",
        "\"x\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},"};
    static const char *const after[] = {
        ",", "}", ",\"x\":1", ",\"x\":{}", ",\"x\"", " \"x\"", ",\"__metadata__\":{\"a\":1}",
        ",\"x\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[104,104]}",
        ",\"decoder.out.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[100,104]}",
        ",\"decoder.out.bi\\u0061s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[100,104]}",
        // after the header's last brace
        "},", "}x", "}\"\"", "}\xef\xbb\xbf", "}1", "}]"};
    static const char *const name[] = {
        "", "encoder.gru.weight_ih_l0 ", "Encoder.gru.weight_ih_l0", "encoder.gru.weight_ih_l",
        "encoder.gru.weight_ih_l00", "encoder.gru.weight_ih_l0\\u0000x", "__metadata__",
        "encoder\\.gru.weight_ih_l0", "gru.weight_ih_l0"};
    CHECK_EACH(before, before)
    CHECK_EACH(after, after)
    CHECK_EACH(name, name)
}

// Strings that are none, as a value and as a key of the metadata and as a name. A value that is not
// ours is not decoded, so halves of surrogate pairs may stand there.
static void test_strings(void) {
    static const char *const piece[] = {
        "\\", "\\x41", "\\u", "\\u1", "\\u12", "\\u123", "\\u123g", "\\U00000041", "\\u 123",
        "\\u+123", "\\u-123", "\\'", "\\0", "\\a", "\\v", "\\\n", "\\ud800", "\\udbff", "\\udc00",
        "\\udfff", "\\ud800x", "\\ud800\\n", "\\ud800\\u0041", "\\ud800\\ud800", "\\udc00\\ud800",
        "\x01", "\x1f", "\t", "\n", "\r", "\x80", "\xbf", "\xc0\xaf", "\xc1\xbf", "\xc3", "\xc3(",
        "\xe2\x82", "\xe2\x82(", "\xe0\x80\xaf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
        "\xf0\x9f\x98", "\xf0\x80\x80\xaf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff"};
    static const char *const frame[] = {"\"__metadata__\":{\"n\":\"a%sz\"},",
                                        "\"__metadata__\":{\"a%sz\":\"n\"},", "\"a%sz\":{},"};
    for (size_t i = 0; i < COUNT(piece); ++i)
        for (size_t k = strncmp(piece[i], "\\ud", 3) == 0; k < COUNT(frame); ++k) {
            char before[64], what[64];
            bent x;
            memset(&x, 0, sizeof x);
            snprintf(before, sizeof before, frame[k], piece[i]);
            snprintf(what, sizeof what, "string %lu, frame %lu", (ulong_t)i, (ulong_t)k);
            x.before = before;
            check_bent(what, &x, NULL);
        }
}

// Files that are no checkpoint at all, and something before the first brace: readers that skip
// blanks or a byte-order mark differ from those that do not.
static void test_no_checkpoint(void) {
    static const unsigned char zero[1000] = {0};
    static const char *const first[] = {" ", "\n", "\xef\xbb\xbf", "{"};
    bent x;
    bytes good;
    check_refused("an empty file", zero, 0, "0 bytes");
    check_refused("seven bytes", "\1\0\0\0\0\0\0", 7, "7 bytes");
    check_refused("zeros", zero, sizeof zero, "ends at byte 8");
    check_refused("text", "position,timestamp,length\n0,1,2\n", 32, "not a safetensors file");
    memset(&x, 0, sizeof x);
    good = bent_file(&x);
    for (size_t i = 0; i < COUNT(first); ++i) {
        bytes b = no_text();
        put_little(&b, header_end(good.data) - 8 + strlen(first[i]), 8);
        put(&b, first[i]);
        put_bytes(&b, good.data + 8, good.size - 8);
        check_refused("something before the brace", b.data, b.size, NULL);
        free(b.data);
    }
    free(good.data);
}

// So many different names that comparing each with each would take hours.
static void test_many_names(void) {
    bytes names = no_text();
    bent x;
    clock_t begin;
    put(&names, "\"__metadata__\":{\"a\":\"\"");
    for (int i = 0; i < 300000; ++i) {
        char piece[32];
        snprintf(piece, sizeof piece, ",\"%d\":\"\"", i);
        put(&names, piece);
    }
    put(&names, "},");
    memset(&x, 0, sizeof x);
    x.before = names.data;
    begin = clock();
    check_bent("300,000 names", &x, "at most 1024");
    CHECK_THAT(check_seconds(begin) < 2, "300,000 names took %.1f s", check_seconds(begin));
    free(names.data);
}

// What makes a reader slow, or its stack or its memory run out.
static void test_heavy_headers(void) {
    static const char *const nest[] = {"[", "{\"a\":", "[[],{\"\":"};
    static const char *const frame[] = {"\"x\":", "\"__metadata__\":", "\"__metadata__\":{\"n\":",
                                        "\"encoder.gru.weight_ih_l0\":",
                                        "\"encoder.gru.weight_ih_l0\":{\"shape\":",
                                        "\"encoder.gru.weight_ih_l0\":{\"dtype\":"};
    static const char *const number[] = {"9", "1", "0", "0.", "1e", "-"};
    bytes b, text;
    bent x;
    loaded l;
    clock_t begin;
    memset(&x, 0, sizeof x);
    for (size_t i = 0; i < COUNT(nest); ++i)
        for (size_t k = 0; k < COUNT(frame); ++k) {
            text = no_text();
            put(&text, "{");
            put(&text, frame[k]);
            put_many(&text, nest[i], 100000);
            x.whole = text.data;
            check_bent(frame[k], &x, NULL);
            free(text.data);
        }
    x.whole = NULL;
    for (size_t i = 0; i < COUNT(number); ++i)  // 400 digits, and 1,000,000
        for (size_t digits = 400; digits <= 1000000; digits *= 2500) {
            text = no_text();
            put(&text, "[");
            put(&text, number[i]);
            put_many(&text, i ? "0" : "9", digits);
            put(&text, ",1]");
            x.shape = text.data;
            check_bent(number[i], &x, "header, byte");
            free(text.data);
        }

    // 10 MB of blanks: wherever JSON allows them they are taken, in front of all they are refused.
    for (size_t place = 0; place < 4; ++place) {
        double seconds;
        memset(&x, 0, sizeof x);
        text = no_text();
        if (place == 1) put(&text, "[3,");
        put_many(&text, place == 2 ? "          " : " \t\n\r \t\n\r  ", 1000000);
        if (place == 1) put(&text, "1]");
        if (place == 0) x.before = text.data;
        if (place == 1) x.shape = text.data;
        if (place == 2) x.after = text.data;
        b = bent_file(&x);
        if (place == 3) {
            bytes shifted = no_text();
            put_little(&shifted, header_end(b.data) - 8 + text.size, 8);
            put_bytes(&shifted, text.data, text.size);
            put_bytes(&shifted, b.data + 8, b.size - 8);
            free(b.data);
            b = shifted;
        }
        begin = clock();
        load(&l, b.data, b.size);
        seconds = check_seconds(begin);
        CHECK_THAT(l.status == (place == 3 ? PKTSEQ_ERROR_DATA : PKTSEQ_OK), "10 MB of blanks, "
                   "place %d: %s", (int)place, l.err.text);
        CHECK_THAT(seconds < 1, "10 MB of blanks took %.2f s", seconds);
        CHECK_THAT(is_cheap(&l, b.size), "peak %lu", (ulong_t)l.memory.peak);
        CHECK(unload(&l));
        free(text.data);
        free(b.data);
    }
}

// ---- metadata: what contradicts itself, or the rest of the file

static void check_edited(const pktseq_buffer *file, const char *from, const bytes *to,
                         const char *say) {
    bytes b = edited(file, from, to);
    check_refused(from, b.data, b.size, say);
    free(b.data);
}

static const char groups[] = "groups 3;outputs 1;group flag;outputs 1;group class;outputs 3;";

// A piece of the metadata replaced by so many others that a careless reader is slow or needs much
// memory: refused at once, and cheaply.
static void test_much_metadata(const pktseq_buffer *file) {
    // What is replaced, the piece that comes instead, how often, and what follows.
    static const struct {
        const char *from, *before, *piece, *after;
        const char *say;
    } many[] = {
        {"fields 5;", "", ";", "", "pktseq.codec"},
        {"fields 5;", "fields ", "5", ";", "pktseq.codec"},
        {"fields 5;", "fields 8000;", "column x;", "", NULL},
        {"fields 5;", "fields 8000;", "kind number;column x;role context;", "", "pktseq.codec"},
        {"fields 5;", "", "fields 5;", "", "pktseq.codec"},
        {"column k;", "column k", ",k", ";", "pktseq.codec"},
        {"categories 2", "categories ", "0,", "2", "pktseq.codec"},
        {"categories 2", "categories 2", ",", "", "pktseq.codec"},
        {"losses 2", "losses ", ",", "", "pktseq.training"},
        {"losses 2", "losses ", "0,", "2", "pktseq.training"},
        {"milestones 20", "milestones ", "1,", "20", "pktseq.training"},
        {"iterations 6", "iterations ", "9", "", "pktseq.training"},
        {"iterations 6", "iterations 0.", "0", "", "pktseq.training"},
        {"learning_rate 0", "learning_rate 1e", "9", "", "pktseq.training"},
        {groups, "groups 3;", "outputs 1;", "", "pktseq.model"},
        {groups, "groups 1;group class;outputs ", "9", ";", "pktseq.model"},
        {groups, groups, ";", "", "pktseq.model"},
        {"contexts 2;", "contexts ", "2", ";", "pktseq.detector"},
        {"precision 0", "precision ", "0,", "0", "pktseq.detector"},
        {"weight 1", "weight 1", ",1", "", "pktseq.detector"},
        {"inputs 2;", "inputs ", "2", ";", "pktseq.model"},
        {"inputs 2;", "inputs 2;start ", "target", ";", "pktseq.model"},
        {"\"pktseq.checksum\":\"", "\"pktseq.checksum\":\"", "0", "", "pktseq.checksum"},
        {"\"format\":\"pt", "\"format\":\"", "pt", "", "\"format\""}};
    bytes to, b;
    loaded l;
    clock_t begin;
    double seconds;
    for (size_t i = 0; i < COUNT(many); ++i)
        for (size_t count = 400; count <= 100000; count *= 250) {
            int refused;
            to = no_text();
            put(&to, many[i].before);
            put_many(&to, many[i].piece, count);
            put(&to, many[i].after);
            b = edited(file, many[i].from, &to);
            begin = clock();
            refused = is_refused(&l, b.data, b.size);
            seconds = check_seconds(begin);
            CHECK_THAT(refused, "%s%s... (%lu): status %d, peak %lu of %lu bytes, \"%s\"",
                       many[i].before, many[i].piece, (ulong_t)count, (int)l.status,
                       (ulong_t)l.memory.peak, (ulong_t)b.size, l.err.text);
            CHECK_THAT(!many[i].say || strstr(l.err.text, many[i].say), "%s%s...: %s",
                       many[i].before, many[i].piece, l.err.text);
            CHECK_THAT(seconds < 2, "%s%s... took %.2f s", many[i].before, many[i].piece, seconds);
            free(b.data);
            free(to.data);
        }
}

// Metadata that contradict themselves, or the tensors.
static void test_metadata(const pktseq_buffer *file) {
    static const struct {
        const char *from, *to, *say;
    } list[] = {
        // sizes against the tensors
        {groups, "groups 4;outputs 1;group flag;outputs 1;group class;outputs 3;outputs 1;",
         "pktseq.model"},
        {groups, "groups 2;outputs 1;group flag;outputs 1;", "pktseq.model"},
        {groups, "groups 3;outputs 1;group flag;outputs 1;group class;outputs 2;", "pktseq.model"},
        {groups, "groups 3;outputs 1;group flag;outputs 1;group class;outputs 4294967299;",
         "pktseq.model"},
        {groups, "groups 2;group class;outputs 4;group flag;outputs 1;", NULL},
        {groups, "groups 2;outputs 2;group class;outputs 3;", "pktseq.model"},
        {"fields 5;", "fields 6;kind flag;column q;", "codec"},
        {"column f;", "column f;role input;", "codec"},
        {"kind flag;column f", "kind port;column f", "codec"},
        {"column d;role context", "column d;role input", "pktseq.codec"},
        {"contexts 2;", "contexts 1;", "pktseq.detector"},
        {"contexts 2;", "contexts 4096;", "pktseq.detector"},
        {"measure surprisal", "measure rms2", "pktseq.detector"},
        // training against itself
        {"\"iteration 6", "\"iteration 7",
         "\"pktseq.training\": the training's iteration is 7, expected at most config.iterations,"},
        {"report_count 2", "report_count 7", "report_count is 7, expected at most its iteration,"},
        // the checksum
        {"\"pktseq.checksum\"", "\"pktseq.checksun\"", "pktseq.checksum"},
        {"\"pktseq.checksum\":\"", "\"pktseq.checksum\":\"00", "pktseq.checksum"},
        {"\"pktseq.format\"", "\"pktseq.former\"", "pktseq.format"},
        {"\"pktseq.version\"", "\"pktseq.persion\"", "pktseq.version"}};
    bytes to = no_text(), b;
    put(&to, groups);
    b = edited(file, groups, &to);  // edited by nothing it is still what it was
    CHECK(b.size == file->size && !memcmp(b.data, file->data, b.size));
    free(b.data);
    free(to.data);
    for (size_t i = 0; i < COUNT(list); ++i) {
        to = no_text();
        put(&to, list[i].to);
        check_edited(file, list[i].from, &to, list[i].say);
        free(to.data);
    }
}

// A checksum that is well written and wrong, of capitals, or too short.
static void test_checksum(const pktseq_buffer *file) {
    static const char key[] = "\"pktseq.checksum\":\"";
    size_t end = header_end(file->data);
    const unsigned char *at = find(file->data, end, key);
    CHECK(at != NULL);
    for (int kind = 0; at && kind < 3; ++kind) {
        size_t place = (size_t)(at - file->data) + sizeof key - 1;
        bytes b = no_text();
        put_bytes(&b, file->data, file->size);
        if (kind == 0) b.data[place + 15] ^= 1;
        if (kind == 1) memset(b.data + place, 'A', 16);
        if (kind == 2) {
            memmove(b.data + place, b.data + place + 1, b.size - place - 1);
            --b.size;
            for (size_t i = 0; i < 8; ++i)
                b.data[i] = (unsigned char)((uint64_t)(end - 9) >> (8 * i));
        }
        check_refused("checksum", b.data, b.size, "checksum");
        free(b.data);
    }
}

// ---- damage: one byte wrong, gone or too many

static struct {
    size_t cut, bits, bytes, gone, more, taken;
} damage;
static size_t sparse = 1;  // only every so many bytes: see main

// Refused; or taken, and then to the bit what the good file says.
static int is_harmless(const unsigned char *data, size_t size, const pktseq_buffer *good,
                       loaded *l) {
    pktseq_buffer again;
    int same = 0;
    load(l, data, size);
    if (l->status == PKTSEQ_OK) {
        ++damage.taken;
        if (!pktseq_save_mem(&l->p.model, l->p.codec.field ? &l->p.codec : NULL,
                             l->p.training.iteration ? &l->p.training : NULL,
                             l->p.detector.memory ? &l->p.detector : NULL, &again, NULL, NULL)) {
            same = again.size == good->size && !memcmp(again.data, good->data, good->size);
            pktseq_buffer_free(&again);
        }
        return unload(l) && same;
    }
    same = (l->status == PKTSEQ_ERROR_DATA || l->status == PKTSEQ_ERROR_MISMATCH) &&
           is_sentence(&l->err) && is_zero(&l->p, sizeof l->p) && is_cheap(l, size);
    ++files_refused;
    return unload(l) && same;
}

static void count_harm(size_t *tried, const char *how, size_t at, const unsigned char *data,
                       size_t size, const pktseq_buffer *good) {
    loaded l;
    ++*tried;
    if (!is_harmless(data, size, good, &l))
        CHECK_THAT(0, "%s at byte %lu: status %d, \"%s\"", how, (ulong_t)at, (int)l.status,
                   l.err.text);
}

// `file` is what is damaged, `good` what it would be if saved again. Without a checksum only the
// header can be checked: whatever the numbers are, they are numbers.
static void test_damage(const bytes *file, const pktseq_buffer *good, int sum, size_t step) {
    const size_t size = file->size, end = header_end(file->data), stop = sum ? size : end;
    unsigned char *copy = (unsigned char *)malloc(size + 1);
    const size_t failed = check_failed;
    loaded l;
    if (!copy) exit(3);
    memcpy(copy, file->data, size);
    CHECK_THAT(is_harmless(copy, size, good, &l) && l.status == PKTSEQ_OK, "undamaged: %s",
               l.err.text);
    for (size_t keep = 0; keep < size; keep += sparse) {
        char say[40];
        size_t missing = keep < end ? end - keep : size - keep;
        snprintf(say, sizeof say, " %lu byte%s missing", (ulong_t)missing, missing == 1 ? "" : "s");
        count_harm(&damage.cut, "cut", keep, copy, keep, good);
        load(&l, copy, keep);
        CHECK_THAT(keep < 8 || strstr(l.err.text, say), "cut to %lu: \"%s\" does not say%s",
                   (ulong_t)keep, l.err.text, say);
        CHECK(unload(&l));
    }
    for (size_t i = 0; i < stop; i += sparse) {
        const unsigned char was = copy[i];
        for (int bit = 0; bit < 8; ++bit) {
            copy[i] = (unsigned char)(was ^ (1 << bit));
            count_harm(&damage.bits, "a bit", i, copy, size, good);
        }
        // All 255 others in the header (with a step of 1), an odd choice elsewhere.
        for (size_t c = i % (i < end ? step : 13); c < 256; c += i < end ? step : 13) {
            copy[i] = (unsigned char)c;
            if (c != was) count_harm(&damage.bytes, "a byte", i, copy, size, good);
        }
        copy[i] = was;
    }
    for (size_t i = 0; i < stop; i += sparse) {
        memcpy(copy, file->data, i);
        memcpy(copy + i, file->data + i + 1, size - i - 1);
        count_harm(&damage.gone, "a byte gone", i, copy, size - 1, good);
    }
    for (size_t i = 0; i <= stop; i += sparse) {
        static const unsigned char more[] = "\0\"\\ {}[],:0129eEn-+.\t\n\x01\x7f\x80\xff";
        memcpy(copy, file->data, i);
        memcpy(copy + i + 1, file->data + i, size - i);
        for (size_t k = 0; k < sizeof more; ++k) {
            copy[i] = k < sizeof more - 1 ? more[k] : i < size ? file->data[i] : 'x';
            count_harm(&damage.more, "a byte more", i, copy, size + 1, good);
        }
    }
    CHECK(check_failed == failed);
    free(copy);
}

static void test_all_damage(void) {
    parts w;
    bent x;
    bytes b = no_text();
    pktseq_buffer again;
    loaded l;
    clock_t begin = clock();
    if (!world_make(&w, NULL)) return;
    put_bytes(&b, w.file.data, w.file.size);
    test_damage(&b, &w.file, 1, 11);
    free(b.data);
    pktseq_buffer_free(&w.file);
    // Weights alone, where every other byte fits into the time.
    CHECK(!pktseq_save_mem(&w.model, NULL, NULL, NULL, &w.file, NULL, NULL));
    b = no_text();
    put_bytes(&b, w.file.data, w.file.size);
    test_damage(&b, &w.file, 1, 1);
    free(b.data);
    parts_free(&w);
    // Another program's, without a checksum: what its header says must still be all or nothing.
    memset(&x, 0, sizeof x);
    b = bent_file(&x);
    load(&l, b.data, b.size);
    CHECK(l.status == PKTSEQ_OK &&
          !pktseq_save_mem(&l.p.model, NULL, NULL, NULL, &again, NULL, NULL));
    CHECK(unload(&l));
    test_damage(&b, &again, 0, 1);
    pktseq_buffer_free(&again);
    free(b.data);
    printf("damage: %lu cut, %lu bits, %lu bytes, %lu deleted, %lu inserted; %lu taken, all the "
           "same to the bit; %.1f s\n", (ulong_t)damage.cut, (ulong_t)damage.bits,
           (ulong_t)damage.bytes, (ulong_t)damage.gone, (ulong_t)damage.more,
           (ulong_t)damage.taken, check_seconds(begin));
    CHECK(damage.taken > 2);  // nothing else proves that an undamaged file is taken
}

int main(int argc, char **argv) {
    parts w;
    if (argc > 1 && atoi(argv[1]) > 1) sparse = (size_t)atoi(argv[1]);
    one_thread(1);
    test_good_file_is_taken();
    test_header_length_plus_a_constant_wraps();
    test_negative_or_reversed_offsets();
    test_shape_product_that_wraps();
    test_unknown_dtype_that_skips_validation();
    test_buffer_sized_from_shape_but_filled_from_offsets();
    test_offsets_past_the_end_of_the_file();
    test_data_offsets_with_fewer_than_two_entries();
    test_headers();
    test_header_length();
    test_nul_byte();
    test_entries();
    test_around_entries();
    test_strings();
    test_no_checkpoint();
    test_many_names();
    test_heavy_headers();
    if (world_make(&w, NULL)) {
        test_much_metadata(&w.file);
        test_metadata(&w.file);
        test_checksum(&w.file);
    }
    parts_free(&w);
    test_all_damage();
    printf("%lu checkpoints refused, at most %.1f bytes asked for per byte\n",
           (ulong_t)files_refused, most_per_byte);
    return check_end("test_load");
}
