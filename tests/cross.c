// cross.c - the program that cross.sh builds for two machines, whose files each must read.
//
//     cross save FILE [THREADS]    trains for a moment, saves, prints a line of hashes
//     cross check FILE [THREADS]   loads; saving that again must give the file's bytes; prints the
//                                  line that `save` printed where the file was made
//     cross hash [THREADS]         trains and prints
//     cross refuse                 NaN and infinity get in nowhere, even under -ffast-math, which
//                                  lets a compiler believe that there are none
//
// The line: FNV-1a over the bits of the weights, of the scores, and of the weights after training
// has gone on. Packets are made of whole numbers and no field needs a logarithm, so nothing depends
// on the C library's functions but fma and sqrt, which are exact or else wrong.
#define PKTSEQ_IMPLEMENTATION
#include "../pktseq.h"
#include "check.h"
#include "parts.h"

enum { SEQUENCES = 60, ITERATIONS = 50, MORE = 20 };

static uint64_t state = 5;

static unsigned below(unsigned n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % n;
}

// ---- >>text: the packets, as CSV ----------------------------------------------------------------

static char text[200000];

static size_t packets_write(void) {
    static const char *const protocol[] = {"TCP", "HTTP", "SMTP", "SSHv2"};
    size_t size = 0;
    unsigned clock = 0;
    size += (size_t)sprintf(text, "position,timestamp,protocol,length,src_port,dst_port,res,ns,cwr,"
                                  "ecn,urg,ack,push,reset,syn,fin\n");
    for (unsigned s = 0; s < SEQUENCES; ++s) {
        unsigned packets = 4 + below(12);
        unsigned client = 1024 + below(60000);  // one draw a statement: C has no order within one
        for (unsigned p = 0; p < packets; ++p) {
            const char *name = protocol[below(4)];
            unsigned length = 54 + below(1460);
            unsigned flags = below(256);
            clock += 1 + below(900000);
            size += (size_t)sprintf(text + size, "%u,%u.%06u,%s,%u,%u,%u", p, clock / 1000000,
                                    clock % 1000000, name, length, p % 2 ? 80 : client,
                                    p % 2 ? client : 80);
            for (int f = 0; f < 10; ++f)
                size += (size_t)sprintf(text + size, ",%u", f < 2 ? 0 : flags >> (f - 2) & 1);
            text[size++] = '\n';
            CHECK(size < sizeof text - 200);
        }
    }
    return size;
}

// ---- >>scene: what is trained, and what it is worth ---------------------------------------------

static pktseq_train_config run_for(size_t iterations, int threads) {
    pktseq_train_config config = run_of(iterations, 12, 0.05, 0.5, 1);
    config.teacher_forcing = 0.25;
    config.order = PKTSEQ_ORDER_SHUFFLED;
    config.loss_interval = 7;
    config.threads = threads;
    return config;
}

// The packets, and a model if there is none yet.
static int scene_make(parts *s, int with_model, int threads) {
    plan how = plan_of(pktseq_schema_default(), 136, 11);  // units: no whole number of vectors,
    pktseq_status status;                                  // and enough for threads
    pktseq_error err;
    memset(s, 0, sizeof *s);
    how.schema.constant_is_zero = 1;
    how.train = run_for(ITERATIONS, threads);
    how.detector.measure = PKTSEQ_MEASURE_RMS;
    how.detector.one_step_ahead = 1;
    how.detector.by_length = 1;
    status = with_model ? parts_make(s, &how, text, packets_write(), &err)
                        : parts_parse(s, &how, text, packets_write(), &err);
    CHECK_THAT(!status, "%s", err.text);
    return !status;
}

// Over the bits as the file would have them, little-endian: of a real, or of a double.
static uint64_t hash_bits(uint64_t hash, uint64_t word, int bytes) {
    for (int i = 0; i < bytes; ++i) hash = (hash ^ (word >> (8 * i) & 255)) * 0x100000001b3u;
    return hash;
}

static uint64_t hash_doubles(uint64_t hash, const double *value, size_t n) {
    for (size_t i = 0; i < n; ++i) {
        uint64_t word;
        memcpy(&word, &value[i], sizeof word);
        hash = hash_bits(hash, word, 8);
    }
    return hash;
}

static uint64_t hash_of(const pktseq_model *model) {
    uint64_t hash = PKTSEQI_FNV_START;
    for (size_t i = 0; i < model->parameters; ++i) {
        double value = (double)model->block[i];  // exact
        hash = hash_doubles(hash, &value, 1);
    }
    return hash;
}

// Prints the line; training goes on for a while.
static void scene_print(parts *s, int threads) {
    static double score[SEQUENCES];
    pktseq_train_config config = run_for(ITERATIONS + MORE, threads);
    pktseq_error err;
    uint64_t scores = PKTSEQI_FNV_START;
    CHECK(s->dataset.pairs == SEQUENCES);
    if (pktseq_detector_score_all(&s->detector, &s->model, &s->dataset, threads, score, &err)) {
        CHECK_THAT(0, "%s", err.text);
        return;
    }
    scores = hash_doubles(scores, score, SEQUENCES);
    scores = hash_doubles(scores, &s->detector.threshold, 1);
    scores = hash_doubles(scores, s->training.loss, s->training.losses);
    printf("%016llx %016llx ", (unsigned long long)hash_of(&s->model), (unsigned long long)scores);
    CHECK_THAT(pktseq_train(&s->model, &s->dataset, &config, &s->training, &err) == 0, "%s",
               err.text);
    printf("%016llx\n", (unsigned long long)hash_of(&s->model));
}

// ---- >>commands ---------------------------------------------------------------------------------

static void save(const char *path, int threads) {
    parts s;
    pktseq_error err;
    if (scene_make(&s, 1, threads)) {
        CHECK_THAT(pktseq_save(&s.model, &s.codec, &s.training, &s.detector, path, &err) == 0, "%s",
                   err.text);
        scene_print(&s, threads);
    }
    parts_free(&s);
}

static void check(const char *path, int threads) {
    parts s, here;
    pktseq_error err;
    memset(&s, 0, sizeof s);
    memset(&err, 0, sizeof err);
    if (!scene_make(&here, 0, threads) || pktseq_file_read(&here.file, path, NULL, NULL, &err) ||
        parts_open(&s, path, NULL, &err) || parts_save(&s, NULL, &err)) {
        CHECK_THAT(0, "%s", err.text);
    } else {
        CHECK_THAT(here.file.size == s.file.size &&
                       memcmp(here.file.data, s.file.data, s.file.size) == 0,
                   "%s: saved again it has other bytes", path);
        s.dataset = here.dataset;
        memset(&here.dataset, 0, sizeof here.dataset);
        scene_print(&s, threads);
    }
    parts_free(&s);
    parts_free(&here);
}

#ifdef _WIN32
// A path in UTF-8 names what Windows knows by its wide name, whatever the code page.
static void utf8_path(void) {
    static const char path[] = "caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac.bin";
    static const wchar_t wide[] = {'c', 'a', 'f', 0xe9, ' ', 0x65e5, 0x672c, '.', 'b', 'i', 'n', 0};
    for (int i = 0; i < 2; ++i) {  // the second one replaces the first
        pktseq_buffer read;
        pktseq_error err;
        FILE *file;
        CHECK_THAT(!pktseq_file_write(path, i ? "two" : "one", 3, NULL, &err), "%s", err.text);
        file = _wfopen(wide, L"rb");
        CHECK(file != NULL);
        if (file) fclose(file);
        CHECK_THAT(!pktseq_file_read(&read, path, NULL, NULL, &err), "%s", err.text);
        CHECK(read.size == 3 && memcmp(read.data, i ? "two" : "one", 3) == 0);
        pktseq_buffer_free(&read);
    }
    CHECK(_wremove(wide) == 0);
}
#endif

// ---- >>refuse: numbers that are none, made of bits -------------------------------------------

// Puts right the checksum of a file that was changed: FNV-1a over all but its own 16 digits.
static void checksum_mend(pktseq_buffer *file) {
    static const char key[] = "\"pktseq.checksum\":\"";
    unsigned char *digits = NULL;
    uint64_t hash;
    for (size_t i = 0; i + sizeof key + 16 < file->size && !digits; ++i)
        if (memcmp(file->data + i, key, sizeof key - 1) == 0)
            digits = file->data + i + sizeof key - 1;
    CHECK(digits != NULL);
    if (!digits) return;
    hash = pktseqi_checksum(file->data, file->size, (size_t)(digits - file->data));
    for (int i = 0; i < 16; ++i)
        digits[i] = (unsigned char)"0123456789abcdef"[hash >> (60 - 4 * i) & 15];
}

// Sets a real of the machine to these top 16 bits of a float or double.
static void put_top(pktseq_real *x, unsigned as_float, unsigned as_double) {
    uint32_t small = (uint32_t)as_float << 16;
    uint64_t large = (uint64_t)as_double << 48;
    if (sizeof *x == sizeof small) memcpy(x, &small, sizeof *x);
    else memcpy(x, &large, sizeof *x);
}

static void refuse(parts *s) {
    static const unsigned as_float[] = {0x7fc0, 0x7f80, 0xff80, 0x3f80};  // NaN, +-infinity, 1
    static const unsigned as_double[] = {0x7ff8, 0x7ff0, 0xfff0, 0x3ff0};
    static const char *const cell[] = {"nan", "inf", "1e309", "1"};
    pktseq_schema schema = pktseq_schema_default();
    pktseq_error err;
    schema.constant_is_zero = 1;
    for (int i = 0; i < 4; ++i) {  // the last is fine
        pktseq_status want = i < 3 ? PKTSEQ_ERROR_DATA : PKTSEQ_OK;
        pktseq_buffer file;
        pktseq_model model;
        pktseq_table table;
        pktseq_real kept = s->model.block[5];
        size_t at;
        CHECK(pktseq_save_mem(&s->model, &s->codec, NULL, NULL, &file, NULL, &err) == PKTSEQ_OK);
        at = file.size - sizeof kept;  // the last weight, as a little-endian number
        for (size_t k = 0; k < 2; ++k)
            file.data[at + sizeof kept - 1 - k] =
                (unsigned char)((sizeof kept == 4 ? as_float[i] : as_double[i]) >> (8 - 8 * k));
        checksum_mend(&file);
        CHECK_THAT(pktseq_load_mem(&model, NULL, NULL, NULL, file.data, file.size, NULL, &err) ==
                       want, "a file with %s: %s", cell[i], err.text);
        pktseq_model_free(&model);
        pktseq_buffer_free(&file);

        put_top(&s->model.block[5], as_float[i], as_double[i]);
        CHECK_THAT(pktseq_save_mem(&s->model, &s->codec, NULL, NULL, &file, NULL, &err) == want,
                   "weights with %s", cell[i]);
        pktseq_buffer_free(&file);
        s->model.block[5] = kept;

        sprintf(text, "position,timestamp,protocol,length,src_port,dst_port,res,ns,cwr,ecn,urg,ack,"
                      "push,reset,syn,fin\n0,%s,TCP,60,80,80,0,0,0,0,0,0,0,0,0,0\n", cell[i]);
        CHECK_THAT(pktseq_table_parse(&table, text, strlen(text), &schema, NULL, &err) == want,
                   "a cell \"%s\"", cell[i]);
        pktseq_table_free(&table);
    }
    printf("refused\n");
}

int main(int argc, char **argv) {
    const char *command = argc > 1 ? argv[1] : "";
    int with_file = strcmp(command, "save") == 0 || strcmp(command, "check") == 0;
    int threads = argc > 2 + with_file ? atoi(argv[2 + with_file]) : 1;
    parts s;
    if ((!with_file && strcmp(command, "hash") != 0 && strcmp(command, "refuse") != 0) ||
        argc < 2 + with_file) {
        fprintf(stderr, "usage: cross save FILE | check FILE | hash  [THREADS] | refuse\n");
        return 2;
    }
    if (strcmp(command, "save") == 0) {
        save(argv[2], threads);
#ifdef _WIN32
        utf8_path();
#endif
    } else if (strcmp(command, "check") == 0) {
        check(argv[2], threads);
    } else {
        if (scene_make(&s, 1, threads)) {
            if (strcmp(command, "refuse") == 0) refuse(&s);
            else scene_print(&s, threads);
        }
        parts_free(&s);
    }
    return check_failed != 0;
}
