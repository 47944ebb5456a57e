// cc -O2 -fopenmp tests/bench/bench.c -lm -o bench && ./bench
// Times pktseq through its public functions. One line of name=value for each timed run.
//
// Work is counted in packet-steps: one packet through one GRU, so a sequence of N input and T
// target packets has N + T. Its operations: 6 H (D + H) for the gates, and 2 H O for each target's
// output; three times that in training, where every product has two more in the backward pass. With
// the reference's D = O = 25, H = 256 this is 1.32 million in training and 0.44 in scoring.

#define _XOPEN_SOURCE 600
#define PKTSEQ_IMPLEMENTATION
#include "../../pktseq.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

static const char usage[] =
    "bench export csv=FILE out=DATA   the encoded features, for the modes below and for peers\n"
    "bench load csv=FILE              read, fit, encode\n"
    "bench train data=DATA [batch=1] [threads=1] [seconds=0.5] [sequences=1024] [order=file]\n"
    "            [iterations=0] [hidden=256] [sorted=0]\n"
    "            sequences=0 are all; file: the first ones, in whole passes, until the seconds\n"
    "            are over; random: drawn as the reference does, and the packet-steps are then\n"
    "            an estimate; iterations: so many instead of seconds; sorted=1: batches are cut\n"
    "            from sequences sorted by length\n"
    "bench score data=DATA [threads=1] [seconds=0.5] [sequences=0] [most=20]\n"
    "            most: if all would take more seconds, as many as take so long\n"
    "bench recommended pcap=FILE [threads=1] [seconds=0.5] [out=DATA]\n"
    "            the iterations of `train --recommended` on this file; out: instead of that, what\n"
    "            is trained on, dense, for peer_torch.py\n"
    "bench live model=MODEL pcap=FILE [seconds=0.5]\n"
    "            packets of a capture, decoded, tracked, encoded and scored one at a time on one\n"
    "            core, again and again; microseconds of CPU time for each, the best pass\n"
    "bench grow length|hidden|batch [batch=1] [threads=1] [seconds=0.3] [most=1024]\n"
    "bench grow rows FILE.csv ...           from small to large\n"
    "bench until TEXT COMMAND ...           seconds until a line of its output contains the text\n";

static void fail(const char *text) {
    fprintf(stderr, "bench: %s\n", text);
    exit(1);
}

// The most memory that this process ever held, in MB.
static double peak_memory(void) {
    struct rusage usage_now;
    getrusage(RUSAGE_SELF, &usage_now);
#ifdef __APPLE__
    return (double)usage_now.ru_maxrss / 1e6;
#else
    return (double)usage_now.ru_maxrss * 1024 / 1e6;
#endif
}

// ---- arguments: name=value ----------------------------------------------------------------------

static int argument_count;
static char **arguments;

static const char *text_option(const char *name, const char *otherwise) {
    size_t n = strlen(name);
    for (int i = 2; i < argument_count; ++i)
        if (strncmp(arguments[i], name, n) == 0 && arguments[i][n] == '=')
            return arguments[i] + n + 1;
    return otherwise;
}

static double number_option(const char *name, double otherwise) {
    const char *text = text_option(name, NULL);
    char *end;
    double number;
    if (!text) return otherwise;
    number = strtod(text, &end);
    if (end == text || *end || number < 0) fail("an option is not a number from 0");
    return number;
}

static size_t size_option(const char *name, size_t otherwise) {
    return (size_t)number_option(name, (double)otherwise);
}

// ---- data ---------------------------------------------------------------------------------------

// Encoded packets: what export writes is the three sizes and start as 64-bit, then x as float.
typedef struct packets {
    uint64_t rows, sequences, features;
    size_t *start;  // (sequences + 1)
    float *x;       // (rows, features)
} packets;

static void *memory(size_t count, size_t size) {
    void *p = malloc(count * size);
    if (!p) fail("out of memory");
    return p;
}

// The first sequences of them; 0 = all.
static packets packets_read(const char *path, size_t sequences) {
    packets p;
    uint64_t *start;
    FILE *file = fopen(path, "rb");
    if (!file || fread(&p, sizeof p.rows, 3, file) != 3) fail("cannot read data=");
    start = (uint64_t *)memory(p.sequences + 1, sizeof *start);
    p.start = (size_t *)memory(p.sequences + 1, sizeof *p.start);
    if (fread(start, sizeof *start, p.sequences + 1, file) != p.sequences + 1)
        fail("data= is cut short");
    if (sequences && sequences < p.sequences) p.sequences = sequences;
    p.rows = start[p.sequences];
    p.x = (float *)memory(p.rows * p.features, sizeof *p.x);
    if (fread(p.x, sizeof *p.x, p.rows * p.features, file) != p.rows * p.features)
        fail("data= is cut short");
    fclose(file);
    for (uint64_t i = 0; i <= p.sequences; ++i) p.start[i] = (size_t)start[i];
    free(start);
    return p;
}

// Sequences of one length with features as the reference has them: two numbers, and a good quarter
// of the rest are ones.
static packets packets_make(size_t sequences, size_t length) {
    packets p;
    uint64_t state = 88172645463325252u;
    p.rows = sequences * length;
    p.sequences = sequences;
    p.features = 25;
    p.start = (size_t *)memory(sequences + 1, sizeof *p.start);
    p.x = (float *)memory(p.rows * p.features, sizeof *p.x);
    for (size_t i = 0; i <= sequences; ++i) p.start[i] = i * length;
    for (size_t i = 0; i < p.rows * p.features; ++i) {
        double u;
        state ^= state << 13;  // Marsaglia 2003, "Xorshift RNGs"
        state ^= state >> 7;
        state ^= state << 17;
        u = (double)(state >> 11) / 9007199254740992.0;
        p.x[i] = i % p.features < 2 ? (float)(3.4 * u - 1.7) : u < 0.27 ? 1.0f : 0.0f;
    }
    return p;
}

static const packets *sorting;

static int by_length(const void *a, const void *b) {
    uint64_t i = *(const uint64_t *)a, j = *(const uint64_t *)b;
    uint64_t m = sorting->start[i + 1] - sorting->start[i];
    uint64_t n = sorting->start[j + 1] - sorting->start[j];
    return m != n ? (m < n) - (m > n) : (i > j) - (i < j);
}

// The same sequences, long ones first: batches cut from them have sequences of like length, and the
// first batch, which is not timed, touches all the memory that the others will use.
static void packets_sort(packets *p) {
    uint64_t *order = (uint64_t *)memory((size_t)p->sequences, sizeof *order);
    packets sorted = *p;
    uint64_t row = 0;
    sorted.start = (size_t *)memory((size_t)p->sequences + 1, sizeof *sorted.start);
    sorted.x = (float *)memory((size_t)(p->rows * p->features), sizeof *sorted.x);
    for (uint64_t i = 0; i < p->sequences; ++i) order[i] = i;
    sorting = p;
    qsort(order, (size_t)p->sequences, sizeof *order, by_length);
    for (uint64_t i = 0; i < p->sequences; ++i) {
        uint64_t from = p->start[order[i]], length = p->start[order[i] + 1] - from;
        sorted.start[i] = (size_t)row;
        memcpy(sorted.x + row * p->features, p->x + from * p->features,
               (size_t)(length * p->features) * sizeof *p->x);
        row += length;
    }
    sorted.start[p->sequences] = (size_t)row;
    free(order);
    free(p->start);
    free(p->x);
    *p = sorted;
}

static void packets_free(packets *p) {
    free(p->start);
    free(p->x);
}

// The first of the sequences, as the reference cuts them: three packets, and the rest.
static pktseq_dataset wrap(const packets *p, size_t sequences) {
    pktseq_dataset dataset;
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_error err;
    if (pktseq_dataset_wrap(&dataset, p->x, (size_t)p->features, p->x, (size_t)p->features,
                            p->start, sequences, &options, NULL, &err))
        fail(err.text);
    return dataset;
}

static pktseq_model new_model(const pktseq_dataset *dataset, size_t hidden) {
    pktseq_config config = pktseq_config_default(dataset);
    pktseq_model model;
    pktseq_error err;
    config.hidden = hidden;
    if (pktseq_model_init(&model, &config, 1, NULL, &err)) fail(err.text);
    return model;
}

static double packet_steps(const pktseq_dataset *d) {
    double steps = 0;
    for (size_t i = 0; i < d->pairs; ++i) steps += (double)d->length[i];
    return steps;
}

// Operations of one forward pass over a dataset.
static double forward_operations(const pktseq_dataset *d, size_t hidden) {
    double H = (double)hidden, steps = packet_steps(d);
    double targets = steps - (double)d->pairs * (double)d->options.inputs;
    return steps * 6 * H * ((double)d->in + H) + targets * 2 * H * (double)d->out;
}

// ---- load, export -------------------------------------------------------------------------------

typedef struct loaded {
    pktseq_table table;
    pktseq_codec codec;
    pktseq_dataset dataset;
    double read, fit, encode;  // seconds
} loaded;

static void load(loaded *l, const char *path) {
    pktseq_schema schema = pktseq_schema_reference();
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_error err;
    double t0 = now(), t1, t2;
    if (pktseq_table_read(&l->table, path, &schema, NULL, &err)) fail(err.text);
    t1 = now();
    if (pktseq_codec_fit(&l->codec, &l->table, &schema, NULL, &err)) fail(err.text);
    t2 = now();
    if (pktseq_dataset_init(&l->dataset, &l->codec, &l->table, &options, NULL, &err))
        fail(err.text);
    l->read = t1 - t0;
    l->fit = t2 - t1;
    l->encode = now() - t2;
}

static void unload(loaded *l) {
    pktseq_dataset_free(&l->dataset);
    pktseq_codec_free(&l->codec);
    pktseq_table_free(&l->table);
}

static void run_load(const char *path) {
    loaded l;
    double seconds, bytes;
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) fail("cannot read the CSV file");
    bytes = (double)ftell(file);
    fclose(file);
    load(&l, path);
    seconds = l.read + l.fit + l.encode;
    printf("work=load rows=%lu pairs=%lu features=%lu megabytes=%.1f read_s=%.4f fit_s=%.4f "
           "encode_s=%.4f seconds=%.4f rows_per_s=%.0f megabytes_per_s=%.1f peak_mb=%.1f\n",
           (unsigned long)l.table.rows, (unsigned long)l.dataset.pairs,
           (unsigned long)l.dataset.in, bytes / 1e6, l.read, l.fit, l.encode, seconds,
           (double)l.table.rows / seconds, bytes / 1e6 / seconds, peak_memory());
    fflush(stdout);
    unload(&l);
}

static void run_export(const char *csv, const char *out) {
    loaded l;
    FILE *file = fopen(out, "wb");
    uint64_t size[3];
    int good;
    load(&l, csv);
    size[0] = l.table.rows;
    size[1] = l.table.sequences;
    size[2] = l.dataset.in;
    good = file && fwrite(size, sizeof size, 1, file) == 1;
    for (size_t i = 0; i <= l.table.sequences && good; ++i) {
        uint64_t start = l.table.start[i];
        good = fwrite(&start, sizeof start, 1, file) == 1;
    }
    good = good && fwrite(l.dataset.x, sizeof(float) * l.dataset.in, l.table.rows, file) ==
                       l.table.rows;
    if (!good || fclose(file)) fail("cannot write out=");
    printf("work=export rows=%lu sequences=%lu features=%lu\n", (unsigned long)size[0],
           (unsigned long)size[1], (unsigned long)size[2]);
    unload(&l);
}

// ---- train --------------------------------------------------------------------------------------

// Starts its watch after a warm-up of one pass or a tenth of a second; stops the training when a
// whole number of passes has taken the seconds, or after the iterations asked for.
typedef struct watch {
    double seconds;
    size_t pass, iterations;  // iterations of a pass; asked for, 0 = by time
    double begun, started;
    size_t first, done;       // iterations before the watch was started, and since
    double elapsed;
} watch;

static int watch_iteration(void *user_data, const pktseq_progress *progress) {
    watch *w = (watch *)user_data;
    double t = now();
    if (w->first == 0) {
        if (progress->iteration < w->pass && t - w->begun < 0.1) return 0;
        w->first = progress->iteration;
        w->started = now();
        return 0;
    }
    w->done = progress->iteration - w->first;
    w->elapsed = t - w->started;
    if (w->iterations) return w->done >= w->iterations;
    return w->done % w->pass == 0 && w->elapsed >= w->seconds;
}

typedef struct training_run {
    size_t batch, hidden, iterations;
    int threads;
    double seconds;
    pktseq_order order;
} training_run;

// Prints speed, and in front of it what varies.
static void run_train(const packets *p, const training_run *run, const char *what) {
    pktseq_dataset dataset;
    pktseq_model model;
    pktseq_training training;
    pktseq_train_config config = pktseq_train_config_default();
    pktseq_error err;
    watch w;
    double passes, steps, rate;
    size_t sequences = (size_t)p->sequences;
    if (run->batch == 0 || run->batch > sequences) fail("batch= is not between 1 and sequences=");
    if (run->order == PKTSEQ_ORDER_FILE) sequences -= sequences % run->batch;
    dataset = wrap(p, sequences);
    if (dataset.pairs != sequences) fail("a sequence is too short");
    model = new_model(&dataset, run->hidden);

    memset(&w, 0, sizeof w);
    w.seconds = run->seconds;
    w.iterations = run->iterations;
    w.pass = run->order == PKTSEQ_ORDER_FILE ? sequences / run->batch : 1;
    config.iterations = (size_t)1 << 30;
    config.batch = run->batch;
    config.order = run->order;
    config.threads = run->threads;
    config.milestone_count = 0;
    config.progress = watch_iteration;
    config.user_data = &w;
    memset(&training, 0, sizeof training);
    w.begun = now();
    if (pktseq_train(&model, &dataset, &config, &training, &err) != PKTSEQ_STOPPED) fail(err.text);

    passes = (double)w.done * (double)run->batch / (double)sequences;
    steps = passes * packet_steps(&dataset);
    rate = steps / w.elapsed;
    printf("%s batch=%lu threads=%d hidden=%lu order=%s sequences=%lu mean_length=%.3f "
           "iterations=%lu seconds=%.4f iterations_per_s=%.2f packet_steps_per_s=%.0f "
           "ns_per_packet_step=%.1f gflops=%.3f peak_mb=%.1f\n",
           what, (unsigned long)run->batch, run->threads, (unsigned long)run->hidden,
           run->order == PKTSEQ_ORDER_FILE ? "file" : "random", (unsigned long)sequences,
           packet_steps(&dataset) / (double)sequences, (unsigned long)w.done, w.elapsed,
           (double)w.done / w.elapsed, rate, 1e9 / rate,
           3e-9 * passes * forward_operations(&dataset, run->hidden) / w.elapsed, peak_memory());
    fflush(stdout);
    pktseq_training_free(&training);
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
}

// ---- score --------------------------------------------------------------------------------------

// Seconds that it takes to score a dataset once with the reference's measure.
static double score_once(const pktseq_dataset *dataset, const pktseq_model *model, int threads) {
    pktseq_detector detector;
    pktseq_error err;
    double *score = (double *)memory(dataset->pairs, sizeof *score), t, sum = 0;
    if (pktseq_detector_init(&detector, model, 0, NULL, NULL, &err)) fail(err.text);
    t = now();
    if (pktseq_detector_score_all(&detector, model, dataset, threads, score, &err)) fail(err.text);
    t = now() - t;
    for (size_t i = 0; i < dataset->pairs; ++i) sum += score[i];
    if (!(sum > 0)) fail("the scores are not above 0");
    pktseq_detector_free(&detector);
    free(score);
    return t;
}

static void run_score(const packets *p, int threads, double seconds, double most) {
    pktseq_dataset dataset;
    pktseq_model model;
    double elapsed = 0, rate, all;
    size_t sequences = (size_t)p->sequences, times = 0, probe = 512;
    if (probe > sequences) probe = sequences;
    dataset = wrap(p, probe);  // a warm-up that also tells how many fit into the time
    model = new_model(&dataset, 256);
    score_once(&dataset, &model, threads);
    all = score_once(&dataset, &model, threads) * (double)sequences / (double)probe;
    pktseq_dataset_free(&dataset);
    if (all > most) sequences = (size_t)((double)sequences * most / all) + 1;

    dataset = wrap(p, sequences);
    do {
        elapsed += score_once(&dataset, &model, threads);
        ++times;
    } while (elapsed < seconds);
    rate = (double)times / elapsed;
    printf("work=score threads=%d sequences=%lu times=%lu seconds=%.4f sequences_per_s=%.0f "
           "packet_steps_per_s=%.0f gflops=%.3f peak_mb=%.1f\n",
           threads, (unsigned long)dataset.pairs, (unsigned long)times, elapsed,
           rate * (double)dataset.pairs, rate * packet_steps(&dataset),
           1e-9 * rate * forward_operations(&dataset, 256), peak_memory());
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
}

// ---- grow: one size changes, all others stay ----------------------------------------------------

static void grow_one(const char *name, size_t value, size_t length, training_run *run) {
    packets p = packets_make(run->batch > 16 ? run->batch : 16, length);
    char what[64];
    snprintf(what, sizeof what, "grow=%s value=%lu length=%lu", name, (unsigned long)value,
             (unsigned long)length);
    run_train(&p, run, what);
    packets_free(&p);
}

static void run_grow(const char *name, training_run run, size_t most) {
    static const size_t length[] = {8, 16, 32, 64, 128, 256, 320};
    run.order = PKTSEQ_ORDER_FILE;
    if (strcmp(name, "length") == 0) {
        for (size_t i = 0; i < sizeof length / sizeof *length && length[i] <= most; ++i)
            grow_one(name, length[i], length[i], &run);
    } else if (strcmp(name, "hidden") == 0) {
        for (run.hidden = 32; run.hidden <= most && run.hidden <= 1024; run.hidden *= 2)
            grow_one(name, run.hidden, 10, &run);
    } else if (strcmp(name, "batch") == 0) {
        for (run.batch = 1; run.batch <= most && run.batch <= 1024; run.batch *= 2)
            grow_one(name, run.batch, 10, &run);
    } else {
        fail("grow length, hidden, batch or rows");
    }
}

// ---- live ---------------------------------------------------------------------------------------

// A file in memory, read from its beginning.
typedef struct memory_file {
    pktseq_buffer data;
    size_t at;
} memory_file;

static size_t memory_read(void *user_data, void *to, size_t size, int *failed) {
    memory_file *file = (memory_file *)user_data;
    size_t rest = file->data.size - file->at;
    (void)failed;
    if (size > rest) size = rest;
    memcpy(to, file->data.data + file->at, size);
    file->at += size;
    return size;
}

static void count_alarm(void *user_data, const pktseq_alarm *alarm) {
    *(size_t *)user_data += !alarm->repeated;
}

// Watches a capture as often as it takes. CPU time: another program's share of the core is not
// ours.
static void run_live(const char *model, const char *pcap, double seconds) {
    static pktseq_guard_options options;
    memory_file file;
    pktseq_guard guard;
    pktseq_error err;
    double best = 0, all = 0;
    size_t pushed = 0, alarms = 0, sequences = 0;
    options.alarm_fn = count_alarm;
    options.user_data = &alarms;
    if (pktseq_file_read(&file.data, pcap, NULL, NULL, &err)) fail(err.text);
    for (int pass = 0; pass < 3 || all < seconds; ++pass) {
        pktseq_capture capture;
        pktseq_packet packet;
        clock_t t;
        double took;
        file.at = pushed = alarms = 0;
        if (pktseq_guard_load(&guard, model, &options, &err) ||
            pktseq_capture_init(&capture, memory_read, &file, NULL, &err))
            fail(err.text);
        t = clock();
        while (!pktseq_capture_next(&capture, &packet, &err) &&
               !pktseq_guard_watch(&guard, &packet, &err))
            ++pushed;
        pktseq_guard_tick(&guard, 1e300);
        took = (double)(clock() - t) / CLOCKS_PER_SEC;
        if (err.status != PKTSEQ_END || pushed == 0) fail(err.text);
        sequences = (size_t)guard.watcher.sequences;
        pktseq_capture_free(&capture);
        pktseq_guard_free(&guard);
        all += took;
        if (pass == 0 || took < best) best = took;
    }
    pktseq_buffer_free(&file.data);
    printf("work=live packets=%lu sequences=%lu alarms=%lu us_per_packet=%.2f packets_per_s=%.0f "
           "memory_mb=%.0f\n", (unsigned long)pushed, (unsigned long)sequences,
           (unsigned long)alarms, 1e6 * best / (double)pushed, (double)pushed / best,
           peak_memory());
}

// ---- recommended: what `train --recommended` trains on a file -----------------------------------

// Writes what PyTorch needs of the pairs that are trained on: rows, sequences, features, groups;
// kind, first and count of each group; start; then the targets of each pair as float.
static void write_targets(const char *out, const pktseq_codec *codec, const pktseq_table *table,
                          const pktseq_dataset *d) {
    uint64_t size[4] = {0, d->trained, d->out, d->packing.groups}, row = 0;
    FILE *file = fopen(out, "wb");
    float *x = (float *)memory(d->longest * d->out, sizeof *x);
    pktseq_error err;
    if (!file) fail("cannot write out=");
    if (d->in != d->out) fail("a feature is no target");
    for (size_t i = 0; i < d->trained; ++i) size[0] += d->length[i];
    fwrite(size, sizeof size, 1, file);
    for (size_t g = 0; g < d->packing.groups; ++g) {
        const pktseq_group *of = &d->packing.group[g];
        uint64_t group[3] = {(uint64_t)of->kind, of->first, of->count};
        fwrite(group, sizeof group, 1, file);
    }
    fwrite(&row, sizeof row, 1, file);
    for (size_t i = 0; i < d->trained; ++i) {
        row += d->length[i];
        fwrite(&row, sizeof row, 1, file);
    }
    for (size_t i = 0; i < d->trained; ++i) {
        if (pktseq_codec_encode(codec, table, d->first_row[i], d->length[i], PKTSEQ_FORM_DENSE, x,
                                NULL, &err))
            fail(err.text);
        fwrite(x, sizeof *x, d->length[i] * d->out, file);
    }
    if (ferror(file) || fclose(file)) fail("cannot write out=");
    free(x);
}

static void run_recommended(const char *path, const char *out, int threads, double seconds) {
    pktseq_recipe recipe;
    pktseq_table table;
    pktseq_codec codec;
    pktseq_dataset dataset;
    pktseq_model model;
    pktseq_training training;
    pktseq_error err;
    watch w;
    double steps = 0;
    if (pktseq_recipe_recommended(&recipe, NULL, &err) ||
        pktseq_table_read(&table, path, &recipe.schema, NULL, &err) ||
        pktseq_recipe_prepare(&recipe, &table, NULL, NULL, &codec, &dataset, &model, NULL, &err))
        fail(err.text);
    for (size_t i = 0; i < dataset.trained; ++i) steps += (double)dataset.length[i];
    if (*out) {
        write_targets(out, &codec, &table, &dataset);
    } else {
        memset(&w, 0, sizeof w);
        w.seconds = seconds;
        w.pass = 1;
        recipe.train.iterations = (size_t)1 << 30;
        recipe.train.threads = threads;
        recipe.train.milestone_count = 0;
        recipe.train.progress = watch_iteration;
        recipe.train.user_data = &w;
        memset(&training, 0, sizeof training);
        w.begun = now();
        if (pktseq_train(&model, &dataset, &recipe.train, &training, &err) != PKTSEQ_STOPPED)
            fail(err.text);
        steps *= (double)w.done * (double)recipe.train.batch / (double)dataset.trained;
        pktseq_training_free(&training);
        printf("work=recommended batch=%lu threads=%d features=%lu iterations=%lu seconds=%.4f "
               "packet_steps_per_s=%.0f peak_mb=%.1f\n", (unsigned long)recipe.train.batch, threads,
               (unsigned long)dataset.out, (unsigned long)w.done, w.elapsed, steps / w.elapsed,
               peak_memory());
    }
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
    pktseq_codec_free(&codec);
    pktseq_table_free(&table);
}

// ---- until --------------------------------------------------------------------------------------

// Starts a command, waits for a line, ends the command.
static void run_until(const char *text, char **command) {
    int ends[2];
    double t = now();
    char line[4096];
    FILE *file;
    int found = 0;
    pid_t child;
    if (pipe(ends)) fail("no pipe");
    child = fork();
    if (child < 0) fail("no process");
    if (child == 0) {
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        execvp(command[0], command);
        _exit(127);
    }
    close(ends[1]);
    file = fdopen(ends[0], "r");
    while (!found && file && fgets(line, sizeof line, file)) found = strstr(line, text) != NULL;
    t = now() - t;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    if (!found) fail("the command ended without that text");
    printf("work=until seconds=%.4f\n", t);
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    const char *order;
    training_run run;
    packets p;
    argument_count = argc;
    arguments = argv;
    if (strcmp(mode, "until") == 0 && argc > 3) return run_until(argv[2], argv + 3), 0;
    if (strcmp(mode, "load") == 0) return run_load(text_option("csv", "")), 0;
    if (strcmp(mode, "export") == 0)
        return run_export(text_option("csv", ""), text_option("out", "")), 0;
    if (strcmp(mode, "grow") == 0 && argc > 3 && strcmp(argv[2], "rows") == 0) {
        for (int i = 3; i < argc; ++i) run_load(argv[i]);
        return 0;
    }

    if (strcmp(mode, "live") == 0)
        return run_live(text_option("model", "run/model.safetensors"),
                        text_option("pcap", "examples/data/mixed.pcap"),
                        number_option("seconds", 0.5)), 0;

    if (strcmp(mode, "recommended") == 0)
        return run_recommended(text_option("pcap", "examples/data/normal.pcap"),
                               text_option("out", ""), (int)size_option("threads", 1),
                               number_option("seconds", 0.5)), 0;

    memset(&run, 0, sizeof run);
    run.batch = size_option("batch", 1);
    run.hidden = size_option("hidden", 256);
    run.iterations = size_option("iterations", 0);
    run.threads = (int)size_option("threads", 1);
    run.seconds = number_option("seconds", 0.5);
    order = text_option("order", "file");
    run.order = strcmp(order, "random") == 0 ? PKTSEQ_ORDER_RANDOM : PKTSEQ_ORDER_FILE;
    if (strcmp(mode, "grow") == 0 && argc > 2) {
        run.seconds = number_option("seconds", 0.3);
        return run_grow(argv[2], run, size_option("most", 1024)), 0;
    }
    if (strcmp(mode, "train") == 0) {
        p = packets_read(text_option("data", ""), size_option("sequences", 1024));
        if (size_option("sorted", 0)) packets_sort(&p);
        run_train(&p, &run, "work=train");
    } else if (strcmp(mode, "score") == 0) {
        p = packets_read(text_option("data", ""), size_option("sequences", 0));
        run_score(&p, run.threads, run.seconds, number_option("most", 20));
    } else {
        fputs(usage, stderr);
        return 2;
    }
    packets_free(&p);
    return 0;
}
