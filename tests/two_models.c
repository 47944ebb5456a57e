// two_models.c - what the header says about threads: different objects from different threads, and
// one model, dataset, table or codec that many threads only read. For sanitize.sh, under TSan.
//
// Two threads read CSV, fit codecs, train and score at the same time; then both score with the same
// model. Every bit must be what one thread finds alone. Needs POSIX threads.
//
//     cc -O2 -fopenmp -pthread tests/two_models.c -o build/two_models -lm && build/two_models
#define PKTSEQ_IMPLEMENTATION
#include "../pktseq.h"
#include "check.h"
#include "parts.h"

#include <pthread.h>

enum { SEQUENCES = 40, TEXT = 60000 };

// What one thread does: its own seed, loss and number of OpenMP's threads, and what came out.
typedef struct job {
    unsigned seed;
    pktseq_loss loss;
    int threads;
    const parts *shared;       // to score with and to encode, beside the other thread; or NULL
    pktseq_status status;
    char text[512];            // of the error
    parts p;
    double score[SEQUENCES];
    double shared_score[SEQUENCES];
    uint64_t shared_features;  // hash of what the shared table was encoded to
} job;

// ---- >>alone: the work of one thread ------------------------------------------------------------

static unsigned draw(uint64_t *state, unsigned n) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*state >> 33) % n;
}

static size_t packets_write(char *text, unsigned seed) {
    static const char *const protocol[] = {"TCP", "HTTP", "SMTP"};
    uint64_t state = seed;
    unsigned clock = 0;
    size_t size = (size_t)sprintf(text, "position,timestamp,protocol,length,src_port,dst_port,res,"
                                        "ns,cwr,ecn,urg,ack,push,reset,syn,fin\n");
    for (unsigned s = 0; s < SEQUENCES; ++s) {
        unsigned packets = 5 + draw(&state, 9);
        for (unsigned p = 0; p < packets; ++p) {
            const char *name = protocol[draw(&state, 3)];
            unsigned length = 54 + draw(&state, 1400);
            unsigned flags = draw(&state, 8);
            clock += 1 + draw(&state, 5000);
            size += (size_t)sprintf(text + size,
                                    "%u,%u.%04u,%s,%u,%u,80,0,0,0,0,0,1,%u,0,%u,%u\n", p,
                                    clock / 10000, clock % 10000, name, length, 2000 + s, flags & 1,
                                    flags >> 1 & 1, flags >> 2);
        }
    }
    return size;
}

static pktseq_status job_try(job *j, char *text, pktseq_error *err) {
    plan how = plan_of(pktseq_schema_default(), 136, j->seed);  // enough units for threads
    pktseq_status status;
    how.schema.constant_is_zero = 1;
    how.loss = j->loss;
    how.train = run_of(30, 8, 0.01, 0.5, 1);
    how.train.loss_interval = 5;
    how.train.teacher_forcing = 0.5;
    how.train.seed = j->seed;
    how.train.threads = j->threads;
    how.detector.one_step_ahead = 1;
    how.detector.by_length = 1;
    if (j->loss == PKTSEQ_LOSS_NLL) how.detector.measure = PKTSEQ_MEASURE_SURPRISAL;
    status = parts_make(&j->p, &how, text, packets_write(text, j->seed), err);
    if (!status)
        status = pktseq_detector_score_all(&j->p.detector, &j->p.model, &j->p.dataset, j->threads,
                                           j->score, err);
    return status ? status : parts_save(&j->p, NULL, err);
}

// What many threads may do with the same objects, which they only read.
static pktseq_status job_share(job *j, pktseq_error *err) {
    pktseq_schema schema = pktseq_schema_default();
    pktseq_work work;
    pktseq_codec codec;
    pktseq_real *x;
    pktseq_status status;
    schema.constant_is_zero = 1;
    status = pktseq_work_init(&work, &j->shared->model.config, 1, j->shared->dataset.longest,
                              j->threads, NULL, err);
    for (size_t i = 0; i < j->shared->dataset.pairs && status == PKTSEQ_OK; ++i) {
        pktseq_pair pair = pktseq_dataset_pair(&j->shared->dataset, i);
        status = pktseq_score(&j->shared->model, &work, &pair, &j->shared_score[i]);
    }
    pktseq_work_free(&work);
    if (status) return status;
    status = pktseq_codec_fit(&codec, &j->shared->table, &schema, NULL, err);
    if (status) return status;
    x = (pktseq_real *)malloc(j->shared->table.rows * codec.features * sizeof *x);
    status = !x ? PKTSEQ_ERROR_MEMORY
                : pktseq_codec_encode(&codec, &j->shared->table, 0, j->shared->table.rows,
                                      PKTSEQ_FORM_DENSE, x, NULL, err);
    if (status == PKTSEQ_OK) {
        size_t size = j->shared->table.rows * codec.features * sizeof *x;
        j->shared_features = pktseqi_fnv(PKTSEQI_FNV_START, x, size);
    }
    free(x);
    pktseq_codec_free(&codec);
    return status;
}

static void *job_run(void *user) {
    job *j = (job *)user;
    pktseq_error err;
    char *text = (char *)malloc(TEXT);
    memset(&err, 0, sizeof err);
    j->status = PKTSEQ_ERROR_MEMORY;
    if (text) j->status = j->shared ? job_share(j, &err) : job_try(j, text, &err);
    memcpy(j->text, err.text, sizeof j->text);
    free(text);
    return NULL;
}

// ---- >>together: two at once, against one after the other ---------------------------------------

static void run_both(job *j) {
    pthread_t thread[2];
    for (int i = 0; i < 2; ++i) {
        int failed = pthread_create(&thread[i], NULL, job_run, &j[i]);
        CHECK(!failed);
        if (failed) exit(check_end("two_models"));
    }
    for (int i = 0; i < 2; ++i) CHECK(pthread_join(thread[i], NULL) == 0);
}

static int same_bytes(const pktseq_buffer *a, const pktseq_buffer *b) {
    return a->size == b->size && a->size > 0 && memcmp(a->data, b->data, a->size) == 0;
}

static void test_own(int threads) {
    static job alone[2], both[2];  // much for a stack
    memset(alone, 0, sizeof alone);
    memset(both, 0, sizeof both);
    for (int i = 0; i < 2; ++i) {
        alone[i].seed = 3 + (unsigned)i;
        alone[i].loss = i ? PKTSEQ_LOSS_NLL : PKTSEQ_LOSS_MSE;
        alone[i].threads = threads;
        both[i] = alone[i];
        alone[i].threads = 1;
        job_run(&alone[i]);
        CHECK_THAT(alone[i].status == PKTSEQ_OK, "%s", alone[i].text);
    }
    run_both(both);
    for (int i = 0; i < 2; ++i) {
        CHECK_THAT(both[i].status == PKTSEQ_OK, "%s", both[i].text);
        CHECK_THAT(same_bytes(&alone[i].p.file, &both[i].p.file), "model %d, %d threads", i,
                   threads);
        CHECK(memcmp(alone[i].score, both[i].score, sizeof alone[i].score) == 0);
    }
    CHECK(memcmp(alone[0].score, alone[1].score, sizeof alone[0].score) != 0);

    // One model, one dataset, one table for two threads.
    if (alone[0].status == PKTSEQ_OK) {
        static job reader[3];
        memset(reader, 0, sizeof reader);
        for (int i = 0; i < 3; ++i) {
            reader[i].threads = i < 2 ? threads : 1;
            reader[i].shared = &alone[0].p;
        }
        job_run(&reader[2]);
        CHECK_THAT(reader[2].status == PKTSEQ_OK, "%s", reader[2].text);
        run_both(reader);
        for (int i = 0; i < 2; ++i) {
            CHECK_THAT(reader[i].status == PKTSEQ_OK, "%s", reader[i].text);
            CHECK(memcmp(reader[i].shared_score, reader[2].shared_score,
                         sizeof reader[i].shared_score) == 0);
            CHECK(reader[i].shared_features == reader[2].shared_features);
        }
        CHECK(reader[2].shared_score[0] > 0);
    }
    for (int i = 0; i < 2; ++i) {
        parts_free(&alone[i].p);
        parts_free(&both[i].p);
    }
}

int main(void) {
    test_own(1);
    test_own(2);
    test_own(3);
    return check_end("two_models");
}
