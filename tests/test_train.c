// test_train.c - section >>train: which pairs an iteration takes, what is reported when, and
// that a run which was stopped anywhere continues bit for bit.
//
// cc -O2 -fopenmp tests/test_train.c -o build/test_train -lm && ./build/test_train
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "scene.h"

#include <math.h>

// ---- >>problem: seven pairs, and a record of what training says ---------------------------------

enum { D = 3, O = 2, N = 2, PAIRS = 7, SEQUENCES = 8, ROWS = 37, MOST = 1200 };

// Lengths 5 4 6 2 4 7 4 5: the fourth has no target and is no pair.
static const size_t start[SEQUENCES + 1] = {0, 5, 9, 15, 17, 21, 28, 32, 37};
static real data_x[ROWS * D], data_y[ROWS * O];
static pktseq_dataset dataset;

// A drift and a wave with some noise: something to learn, and no two pairs alike.
static void make_dataset(void) {
    pktseq_dataset_options options = pktseq_dataset_options_default();
    uint64_t s = 9;
    options.inputs = N;
    for (size_t i = 0; i < ROWS * D; ++i) {
        s = s * 6364136223846793005u + 1442695040888963407u;
        data_x[i] = (real)(sin((double)i * 0.7) + ((double)(s >> 40) / 16777216.0 - 0.5) * 0.4);
    }
    for (size_t i = 0; i < ROWS * O; ++i) data_y[i] = data_x[i / O * D + i % O];
    CHECK(pktseq_dataset_wrap(&dataset, data_x, D, data_y, O, start, SEQUENCES, &options, NULL,
                              NULL) == PKTSEQ_OK);
    CHECK(dataset.pairs == PAIRS && dataset.skipped == 1 && dataset.longest == 5);
}

typedef struct record {
    size_t n;  // iterations seen
    double loss[MOST], mean[MOST];
    int events[MOST], milestone[MOST];
    size_t stop_at;       // 0 = never
    pktseq_buffer saved;  // the checkpoint made when stopping
    const pktseq_model *model;
    const pktseq_training *training;
    int wrong;            // what a progress must not be
} record;

static record *record_new(void) { return (record *)calloc(1, sizeof(record)); }

static void record_free(record *r) {
    pktseq_buffer_free(&r->saved);
    free(r);
}

static int on_progress(void *user_data, const pktseq_progress *p) {
    record *r = (record *)user_data;
    size_t i = p->iteration - 1;
    r->wrong += i >= MOST || p->model != r->model || p->training != r->training ||
                p->training->iteration != p->iteration || p->iteration > p->iterations ||
                (r->n > 0 && p->iteration != r->n + 1);
    if (i >= MOST) return 1;
    r->n = p->iteration;
    r->loss[i] = p->loss;
    r->mean[i] = p->mean_loss;
    r->events[i] = p->events;
    r->milestone[i] = p->milestone;
    if (p->iteration != r->stop_at) return 0;
    r->wrong += pktseq_save_mem(p->model, NULL, p->training, NULL, &r->saved, NULL, NULL) !=
                PKTSEQ_OK;
    return 1;
}

static pktseq_model model_new(size_t hidden, const pktseq_allocator *allocator) {
    pktseq_config config = pktseq_config_default(&dataset);
    pktseq_model model;
    config.hidden = hidden;
    CHECK(pktseq_model_init(&model, &config, 4, allocator, NULL) == PKTSEQ_OK);
    return model;
}

// A short run in the order of the file; the tests change what they are about.
static pktseq_train_config config_of(size_t iterations, pktseq_order order) {
    pktseq_train_config config = pktseq_train_config_default();
    config.iterations = iterations;
    config.learning_rate = 0.05;
    config.order = order;
    config.report_interval = 5;
    config.loss_interval = 4;
    config.threads = 1;
    return config;
}

static pktseq_status train(pktseq_model *model, pktseq_train_config config,
                           pktseq_training *training, record *r) {
    pktseq_error err;
    pktseq_status status;
    memset(&err, 0x55, sizeof err);
    r->model = model;
    r->training = training;
    config.progress = on_progress;
    config.user_data = r;
    status = pktseq_train(model, &dataset, &config, training, &err);
    CHECK(err.status == status && (err.text[0] == 0) == (status == PKTSEQ_OK));
    CHECK(r->wrong == 0);
    return status;
}

// A new model trained for a while; says what happened.
static record *train_new(pktseq_train_config config) {
    record *r = record_new();
    pktseq_model model = model_new(5, NULL);
    pktseq_training training;
    memset(&training, 0, sizeof training);
    CHECK(train(&model, config, &training, r) == PKTSEQ_OK);
    CHECK(r->n == config.iterations && training.iteration == config.iterations);
    pktseq_training_free(&training);
    pktseq_model_free(&model);
    return r;
}

static int same_weights(const pktseq_model *a, const pktseq_model *b) {
    return memcmp(a->block, b->block, a->parameters * sizeof *a->block) == 0;
}

static int all_finite(const real *w, size_t n) {
    for (size_t i = 0; i < n; ++i)
        if (!((double)w[i] - (double)w[i] == 0)) return 0;
    return 1;
}

// ---- >>loop -------------------------------------------------------------------------------------

static void test_defaults(void) {
    static const unsigned char percents[] = {20, 40, 55, 70, 85, 100};
    pktseq_train_config c = pktseq_train_config_default();
    CHECK(c.iterations == 100000 && c.batch == 1 && c.learning_rate == 1e-4);
    CHECK(c.teacher_forcing == 0 && c.order == PKTSEQ_ORDER_RANDOM && c.seed == 1);
    CHECK(c.report_interval == 100 && c.loss_interval == 100 && c.milestone_count == 6);
    CHECK(memcmp(c.milestone, percents, sizeof percents) == 0);
    CHECK(c.threads == 0 && !c.progress && !c.user_data);
    CHECK(c.momentum == 0 && c.clip == 0);
}

static void test_loss_falls(void) {
    for (int order = PKTSEQ_ORDER_RANDOM; order <= PKTSEQ_ORDER_FILE; ++order) {
        pktseq_train_config config = config_of(1120, (pktseq_order)order);
        record *r;
        double first = 0, last = 0;
        config.learning_rate = 0.03;
        r = train_new(config);
        for (size_t i = 0; i < 70; ++i) first += r->loss[i], last += r->loss[1050 + i];
        CHECK_THAT(last < 0.6 * first, "order %d: %g to %g", order, first / 70, last / 70);
        record_free(r);
    }
}

// Pairs 0 1 2 ... and again from 0, by the verbs: the same bits.
static void test_order_file(size_t batch) {
    pktseq_train_config config = config_of(20, PKTSEQ_ORDER_FILE);
    pktseq_model model = model_new(5, NULL), own = model_new(5, NULL);
    pktseq_training training;
    pktseq_work work;
    record *r = record_new();
    size_t next = 0;
    memset(&training, 0, sizeof training);
    config.batch = batch;
    CHECK(train(&model, config, &training, r) == PKTSEQ_OK);
    CHECK(pktseq_work_init(&work, &own.config, batch, 5, 1, NULL, NULL) == PKTSEQ_OK);
    for (size_t k = 0; k < 20; ++k) {
        pktseq_pair pair[9];
        for (size_t b = 0; b < batch; ++b) pair[b] = pktseq_dataset_pair(&dataset, next++ % PAIRS);
        CHECK(pktseq_forward(&own, &work, pair, batch, NULL) == PKTSEQ_OK);
        CHECK(pktseq_zero_grad(&work) == PKTSEQ_OK);
        CHECK(pktseq_backward(&own, &work) == PKTSEQ_OK);
        CHECK(pktseq_sgd_step(&own, &work, config.learning_rate) == PKTSEQ_OK);
        CHECK_THAT(r->loss[k] == work.report, "iteration %d: %.17g, not %.17g", (int)k + 1,
                   r->loss[k], work.report);
    }
    CHECK_THAT(same_weights(&model, &own), "batch %d", (int)batch);
    pktseq_work_free(&work);
    pktseq_model_free(&own);
    pktseq_model_free(&model);
    pktseq_training_free(&training);
    record_free(r);
}

// ---- >>draws: with a learning rate of 0, a loss tells which pair it is of -----------------------

static double pair_loss[PAIRS][2];  // reported loss: free running, teacher-forced

static void make_pair_losses(void) {
    pktseq_model model = model_new(5, NULL);
    pktseq_work work;
    CHECK(pktseq_work_init(&work, &model.config, 1, 5, 1, NULL, NULL) == PKTSEQ_OK);
    for (size_t i = 0; i < PAIRS; ++i)
        for (unsigned char forced = 0; forced < 2; ++forced) {
            pktseq_pair pair = pktseq_dataset_pair(&dataset, i);
            CHECK(pktseq_forward(&model, &work, &pair, 1, &forced) == PKTSEQ_OK);
            pair_loss[i][forced] = work.report;
        }
    pktseq_work_free(&work);
    pktseq_model_free(&model);
    for (size_t i = 0; i < 2 * PAIRS; ++i)
        for (size_t j = 0; j < i; ++j)
            CHECK(fabs(pair_loss[i / 2][i % 2] - pair_loss[j / 2][j % 2]) > 1e-6);
}

// The pair of a loss, and whether it was forced; PAIRS if it is none.
static size_t pair_of(double loss, int *forced) {
    for (size_t i = 0; i < PAIRS; ++i)
        for (int f = 0; f < 2; ++f)
            if (loss == pair_loss[i][f]) return *forced = f, i;
    CHECK_THAT(0, "%.17g is no pair's loss", loss);
    return *forced = 0, PAIRS;
}

// Finds the batch of three, in no order, that has this loss, and counts its pairs.
static void count_three(double loss, size_t *count) {
    size_t found = 0, best[3] = {0, 0, 0};
    for (size_t i = 0; i < PAIRS; ++i)
        for (size_t j = i; j < PAIRS; ++j)
            for (size_t k = j; k < PAIRS; ++k) {
                double mean = (pair_loss[i][0] + pair_loss[j][0] + pair_loss[k][0]) / 3;
                if (fabs(mean - loss) > 1e-12) continue;
                ++found;
                best[0] = i, best[1] = j, best[2] = k;
            }
    CHECK_THAT(found == 1, "%d batches have the loss %.17g", (int)found, loss);
    for (size_t b = 0; b < 3; ++b) ++count[best[b]];
}

static pktseq_train_config draw_config(size_t iterations, pktseq_order order) {
    pktseq_train_config config = config_of(iterations, order);
    config.learning_rate = 0;
    return config;
}

static void test_order_shuffled(void) {
    pktseq_train_config config = draw_config(20 * PAIRS, PKTSEQ_ORDER_SHUFFLED);
    size_t order[20][PAIRS], alike = 0, count[PAIRS] = {0}, first_at[PAIRS] = {0};
    int forced;
    record *r = train_new(config);
    for (size_t e = 0; e < 20; ++e) {
        size_t seen[PAIRS + 1] = {0};
        for (size_t i = 0; i < PAIRS; ++i) {
            order[e][i] = pair_of(r->loss[e * PAIRS + i], &forced);
            ++seen[order[e][i]];
        }
        for (size_t i = 0; i < PAIRS; ++i)
            CHECK_THAT(seen[i] == 1, "epoch %d has pair %d %d times", (int)e, (int)i, (int)seen[i]);
        for (size_t f = 0; f < e; ++f) alike += memcmp(order[e], order[f], sizeof *order) == 0;
        ++first_at[order[e][0] % PAIRS];
    }
    CHECK_THAT(alike <= 2, "%d of 190 pairs of epochs have one order", (int)alike);
    for (size_t i = 0; i < PAIRS; ++i) CHECK(first_at[i] < 10);  // 3 of 20 expected
    record_free(r);
    // Batches of 3 do not end where epochs of 7 do. At any time the pairs' counts differ by one.
    config.iterations = 7 * PAIRS;
    config.batch = 3;
    r = train_new(config);
    for (size_t k = 0; k < config.iterations; ++k) {
        size_t full = 3 * (k + 1) / PAIRS;
        count_three(r->loss[k], count);
        for (size_t i = 0; i < PAIRS; ++i)
            CHECK_THAT(count[i] == full || count[i] == full + 1, "batch %d: pair %d came %d times",
                       (int)k, (int)i, (int)count[i]);
    }
    record_free(r);
}

static void test_order_random(void) {
    pktseq_train_config config = draw_config(1190, PKTSEQ_ORDER_RANDOM);
    size_t count[PAIRS + 1] = {0}, again = 0, epochs = 0, before = PAIRS;
    int forced;
    record *r = train_new(config);
    for (size_t k = 0; k < config.iterations; k += PAIRS) {
        unsigned seen = 0;
        for (size_t i = k; i < k + PAIRS; ++i) {
            size_t pair = pair_of(r->loss[i], &forced);
            ++count[pair];
            again += pair == before;
            seen |= 1u << pair;
            before = pair;
        }
        epochs += seen == (1u << PAIRS) - 1;
    }
    for (size_t i = 0; i < PAIRS; ++i)  // 170 expected, standard deviation 12
        CHECK_THAT(count[i] > 120 && count[i] < 220, "pair %d came %d times", (int)i,
                   (int)count[i]);
    CHECK_THAT(again > 120 && again < 220, "the pair before came again %d times", (int)again);
    CHECK_THAT(epochs < 10, "%d of 170 are epochs", (int)epochs);  // 7! / 7^7: one expected
    record_free(r);
    config.batch = 3;
    config.iterations = 100;
    r = train_new(config);
    memset(count, 0, sizeof count);
    again = 0;
    for (size_t k = 0; k < config.iterations; ++k) {
        size_t one[PAIRS] = {0};
        count_three(r->loss[k], one);
        for (size_t i = 0; i < PAIRS; ++i) count[i] += one[i], again += one[i] > 1;
    }
    for (size_t i = 0; i < PAIRS; ++i) CHECK(count[i] > 20 && count[i] < 70);  // 43 expected
    CHECK(again > 15 && again < 65);  // 1 - 6*5/49: 39 expected
    record_free(r);
}

static void test_teacher_forcing(void) {
    static const double ratio[] = {0, 1, 0.5, 0.125};
    for (size_t k = 0; k < 4; ++k) {
        pktseq_train_config config = draw_config(1190, PKTSEQ_ORDER_FILE);
        size_t all = 0, pair, changes = 0;
        int forced, before = 0;
        double share, expected = 1190 * 2 * ratio[k] * (1 - ratio[k]);
        record *r;
        config.teacher_forcing = ratio[k];
        r = train_new(config);
        for (size_t i = 0; i < config.iterations; ++i) {
            pair = pair_of(r->loss[i], &forced);
            CHECK(pair == i % PAIRS);
            all += (size_t)forced;
            changes += i > 0 && forced != before;
            before = forced;
        }
        share = (double)all / 1190;
        CHECK_THAT(fabs(share - ratio[k]) <= 4 * sqrt(ratio[k] * (1 - ratio[k]) / 1190),
                   "%g are forced, not %g", share, ratio[k]);
        CHECK_THAT(fabs((double)changes - expected) < 70, "%d changes", (int)changes);
        record_free(r);
    }
    {  // in a batch, each sequence for itself
        pktseq_train_config config = draw_config(700, PKTSEQ_ORDER_FILE);
        size_t mask[8] = {0};
        record *r;
        config.batch = 3;
        config.teacher_forcing = 0.5;
        r = train_new(config);
        for (size_t i = 0; i < 700; ++i) {
            size_t found = 0;
            for (size_t m = 0; m < 8; ++m) {
                double mean = (pair_loss[3 * i % PAIRS][m & 1] +
                               pair_loss[(3 * i + 1) % PAIRS][m >> 1 & 1] +
                               pair_loss[(3 * i + 2) % PAIRS][m >> 2]) / 3;
                if (fabs(mean - r->loss[i]) > 1e-12) continue;
                ++found;
                ++mask[m];
            }
            CHECK(found == 1);
        }
        for (size_t m = 0; m < 8; ++m)  // 87 expected, standard deviation 9
            CHECK_THAT(mask[m] > 50 && mask[m] < 130, "mask %d came %d times", (int)m,
                       (int)mask[m]);
        record_free(r);
    }
}

static void test_seed(void) {
    for (int order = PKTSEQ_ORDER_RANDOM; order <= PKTSEQ_ORDER_FILE; ++order) {
        pktseq_train_config config = draw_config(70, (pktseq_order)order);
        record *a = train_new(config), *b = train_new(config), *c;
        config.seed = 2;
        c = train_new(config);
        CHECK(memcmp(a->loss, b->loss, sizeof a->loss) == 0);
        CHECK((memcmp(a->loss, c->loss, sizeof a->loss) == 0) == (order == PKTSEQ_ORDER_FILE));
        record_free(a);
        record_free(b);
        record_free(c);
    }
    {
        pktseq_train_config config = draw_config(70, PKTSEQ_ORDER_FILE);
        record *a, *b;
        config.teacher_forcing = 0.5;
        a = train_new(config);
        config.seed = 2;
        b = train_new(config);
        CHECK(memcmp(a->loss, b->loss, sizeof a->loss) != 0);
        record_free(a);
        record_free(b);
    }
}

// Threads share the sequences of a batch.
static void test_threads(void) {
    static const struct { size_t batch, hidden; double momentum; } kind[] = {
        {8, 64, 0}, {40, 64, 0}, {40, 130, 0.9}};
    pktseq_train_config config = config_of(12, PKTSEQ_ORDER_SHUFFLED);
    pktseq_training training;
    config.teacher_forcing = 0.5;
    for (size_t k = 0; k < sizeof kind / sizeof *kind; ++k) {
        pktseq_model first = model_new(kind[k].hidden, NULL);
        config.batch = kind[k].batch;
        config.momentum = kind[k].momentum;
        config.clip = kind[k].momentum > 0 ? 0.01 : 0;  // the norm of eight chunks of parameters
        for (int threads = 0; threads <= 5; ++threads) {
            pktseq_model model = model_new(kind[k].hidden, NULL);
            record *r = record_new();
            // More threads than cores take seconds, most of which they wait.
            int wide = threads > 3 && k > 0 && !check_slow();
            memset(&training, 0, sizeof training);
            config.threads = wide ? 3 : threads == 4 ? 7 : threads;
            CHECK(train(&model, config, &training, r) == PKTSEQ_OK);
            if (threads == 0) memcpy(first.block, model.block, model.parameters * sizeof(real));
            CHECK_THAT(same_weights(&first, &model), "kind %d, %d threads", (int)k,
                       config.threads);
            pktseq_training_free(&training);
            pktseq_model_free(&model);
            record_free(r);
        }
        pktseq_model_free(&first);
    }
}

// ---- >>events -----------------------------------------------------------------------------------

// What has to be said at iteration `done`, each rule by itself.
static void check_events(const record *r, const pktseq_train_config *c, size_t done) {
    int want = 0, milestone = 0, got = r->events[done - 1];
    if (c->report_interval && done % c->report_interval == 0) want += PKTSEQ_EVENT_REPORT;
    if (c->loss_interval && done % c->loss_interval == 0) want += PKTSEQ_EVENT_LOSS;
    for (size_t i = 0; i < c->milestone_count; ++i) {
        // the first iteration with which so many percent are done
        size_t at = (c->milestone[i] * c->iterations + 99) / 100;
        if (done == at) milestone = c->milestone[i];
    }
    if (milestone) want += PKTSEQ_EVENT_MILESTONE;
    if (done == c->iterations) want += PKTSEQ_EVENT_END;
    CHECK_THAT(got == want, "%d of %d: events %d, not %d", (int)done, (int)c->iterations, got,
               want);
    if (milestone)
        CHECK_THAT(r->milestone[done - 1] == milestone, "%d of %d: milestone %d, not %d", (int)done,
                   (int)c->iterations, r->milestone[done - 1], milestone);
}

static void test_events(void) {
    static const size_t iterations[] = {1, 2, 3, 4, 7, 33, 50, 99, 100, 101, 200, 333};
    static const unsigned char notebook[] = {40, 80, 100};
    for (size_t k = 0; k < sizeof iterations / sizeof *iterations; ++k)
        for (int list = 0; list < 4; ++list) {
            pktseq_train_config config = config_of(iterations[k], PKTSEQ_ORDER_FILE);
            record *r;
            if (list == 1) {
                memcpy(config.milestone, notebook, sizeof notebook);
                config.milestone_count = 3;
                config.report_interval = 0;
            }
            if (list == 2) {
                for (int i = 0; i < 100; ++i) config.milestone[i] = (unsigned char)(i + 1);
                config.milestone_count = 100;
                config.report_interval = config.loss_interval = 1;
            }
            if (list == 3) config.milestone_count = config.loss_interval = 0;
            r = train_new(config);
            for (size_t i = 1; i <= iterations[k]; ++i) check_events(r, &config, i);
            record_free(r);
        }
}

static int near(double a, double b) { return fabs(a - b) <= 1e-14 * fabs(b); }

static void test_means(void) {
    static const size_t report[] = {5, 0, 1, 50}, point[] = {4, 7, 0, 1};
    for (size_t k = 0; k < 4; ++k) {
        pktseq_train_config config = config_of(40, PKTSEQ_ORDER_RANDOM);
        pktseq_model model = model_new(5, NULL);
        pktseq_training training;
        record *r = record_new();
        double since = 0, sum = 0;
        size_t count = 0, points = 0;
        memset(&training, 0, sizeof training);
        config.report_interval = report[k];
        config.loss_interval = point[k];
        CHECK(train(&model, config, &training, r) == PKTSEQ_OK);
        for (size_t i = 0; i < 40; ++i) {
            since += r->loss[i];
            ++count;
            CHECK_THAT(near(r->mean[i], since / (double)count), "report every %d, iteration %d: "
                       "%.17g, not %.17g", (int)report[k], (int)i + 1, r->mean[i],
                       since / (double)count);
            if (report[k] && (i + 1) % report[k] == 0) since = 0, count = 0;
            sum += r->loss[i];
            if (!point[k] || (i + 1) % point[k]) continue;
            CHECK(points < training.losses);
            if (points < training.losses)
                CHECK(near(training.loss[points], sum / (double)point[k]));
            ++points;
            sum = 0;
        }
        CHECK(training.losses == points);
        CHECK(training.config.iterations == 40 && training.config.seed == config.seed &&
              training.config.loss_interval == point[k] && training.config.order == config.order);
        CHECK(!training.config.progress && !training.config.user_data);
        pktseq_training_free(&training);
        CHECK(!training.loss && training.iteration == 0);
        pktseq_training_free(&training);
        pktseq_training_free(NULL);
        pktseq_model_free(&model);
        record_free(r);
    }
}

// ---- >>resume -----------------------------------------------------------------------------------

static int same_training(const pktseq_training *a, const pktseq_training *b) {
    int same = a->iteration == b->iteration && a->report_sum == b->report_sum &&
               a->report_count == b->report_count && a->loss_sum == b->loss_sum &&
               a->loss_sum_count == b->loss_sum_count && a->losses == b->losses &&
               a->data_hash == b->data_hash && a->parameters == b->parameters &&
               !a->velocity == !b->velocity && a->drop_last == b->drop_last;
    for (size_t i = 0; same && i < a->losses; ++i) same = a->loss[i] == b->loss[i];
    return same && (!a->velocity || memcmp(a->velocity, b->velocity,
                                           a->parameters * sizeof *a->velocity) == 0);
}

// Goes on from `cut` and compares with the run that was never cut.
static void check_rest(pktseq_model *model, pktseq_training *training, pktseq_train_config config,
                       const pktseq_model *full_model, const pktseq_training *full_training,
                       const record *full, size_t cut, const char *how) {
    record *r = record_new();
    CHECK(train(model, config, training, r) == PKTSEQ_OK);
    CHECK_THAT(same_weights(model, full_model), "order %d cut at %d, %s: other weights",
               (int)config.order, (int)cut, how);
    CHECK_THAT(same_training(training, full_training), "order %d cut at %d, %s: other history",
               (int)config.order, (int)cut, how);
    for (size_t i = cut; i < config.iterations; ++i)
        CHECK_THAT(r->loss[i] == full->loss[i] && r->mean[i] == full->mean[i] &&
                       r->events[i] == full->events[i] && r->milestone[i] == full->milestone[i],
                   "order %d cut at %d, %s: iteration %d differs", (int)config.order, (int)cut, how,
                   (int)i + 1);
    CHECK(r->n == (cut < config.iterations ? config.iterations : 0));
    record_free(r);
    pktseq_training_free(training);
    pktseq_model_free(model);
}

static void test_resume_at(pktseq_train_config config, size_t cut, const pktseq_model *full_model,
                           const pktseq_training *full_training, const record *full) {
    pktseq_model model = model_new(5, NULL), loaded;
    pktseq_training training, loaded_training;
    pktseq_buffer after;
    record *r = record_new();
    memset(&training, 0, sizeof training);
    r->stop_at = cut;
    CHECK(train(&model, config, &training, r) == PKTSEQ_STOPPED);
    CHECK(r->n == cut && training.iteration == cut);
    CHECK(memcmp(r->loss, full->loss, cut * sizeof *r->loss) == 0);
    // What the callback could save is what is there afterwards.
    CHECK(pktseq_save_mem(&model, NULL, &training, NULL, &after, NULL, NULL) == PKTSEQ_OK);
    CHECK(after.size == r->saved.size && memcmp(after.data, r->saved.data, after.size) == 0);
    CHECK(pktseq_load_mem(&loaded, NULL, &loaded_training, NULL, after.data, after.size, NULL,
                          NULL) == PKTSEQ_OK);
    CHECK(same_weights(&loaded, &model) && same_training(&loaded_training, &training));
    CHECK(loaded_training.config.seed == config.seed);
    CHECK(loaded_training.config.momentum == config.momentum);
    CHECK(loaded_training.config.clip == config.clip);
    CHECK((loaded_training.velocity != NULL) == (config.momentum > 0));
    CHECK(loaded_training.parameters == (config.momentum > 0 ? model.parameters : 0));
    pktseq_buffer_free(&after);
    check_rest(&model, &training, config, full_model, full_training, full, cut, "stopped");
    // A program that is started again has only what the file says, also about the run's config.
    config = loaded_training.config;
    config.threads = 1;
    check_rest(&loaded, &loaded_training, config, full_model, full_training, full, cut, "loaded");

    // Not stopped, but ended and then extended: the events of the end differ, the rest does not.
    model = model_new(5, NULL);
    memset(&training, 0, sizeof training);
    config.iterations = cut;
    r->stop_at = r->n = 0;
    CHECK(train(&model, config, &training, r) == PKTSEQ_OK);
    config.iterations = full->n;
    check_rest(&model, &training, config, full_model, full_training, full, cut, "extended");
    record_free(r);
}

static void test_resume(double momentum, double clip) {
    for (int order = PKTSEQ_ORDER_RANDOM; order <= PKTSEQ_ORDER_FILE; ++order)
        for (size_t batch = 1; batch <= 3; batch += 2) {
            pktseq_train_config config = config_of(23, (pktseq_order)order);
            pktseq_model model = model_new(5, NULL);
            pktseq_training training;
            record *full = record_new();
            memset(&training, 0, sizeof training);
            config.batch = batch;
            config.teacher_forcing = 0.5;
            config.momentum = momentum;
            config.clip = clip;
            config.seed = 0x8000000000000001u;  // more than a double or a signed number holds
            CHECK(train(&model, config, &training, full) == PKTSEQ_OK);
            CHECK(training.losses == 5 && training.loss_sum_count == 3 &&
                  training.report_count == 3);
            for (size_t cut = 1; cut <= 23; ++cut)
                test_resume_at(config, cut, &model, &training, full);
            pktseq_training_free(&training);
            pktseq_model_free(&model);
            record_free(full);
        }
}

// With momentum and a limit, by the verbs: the same bits.
static void test_momentum_by_verbs(size_t hidden, double momentum, double clip) {
    pktseq_train_config config = config_of(20, PKTSEQ_ORDER_FILE);
    pktseq_model model = model_new(hidden, NULL), own = model_new(hidden, NULL);
    real *velocity = (real *)calloc(own.parameters, sizeof *velocity);
    pktseq_training training;
    pktseq_work work;
    record *r = record_new();
    size_t clipped = 0;
    double norm;
    memset(&training, 0, sizeof training);
    config.momentum = momentum;
    config.clip = clip;
    CHECK(train(&model, config, &training, r) == PKTSEQ_OK);
    CHECK(training.config.momentum == momentum && training.config.clip == clip);
    CHECK((training.velocity != NULL) == (momentum > 0));
    CHECK(pktseq_work_init(&work, &own.config, 1, dataset.longest, 1, NULL, NULL) == PKTSEQ_OK);
    for (size_t k = 0; k < 20; ++k) {
        pktseq_pair pair = pktseq_dataset_pair(&dataset, k % dataset.pairs);
        CHECK(pktseq_forward(&own, &work, &pair, 1, NULL) == PKTSEQ_OK);
        CHECK_THAT(r->loss[k] == work.report, "iteration %d", (int)k + 1);
        CHECK(pktseq_zero_grad(&work) == PKTSEQ_OK);
        CHECK(pktseq_backward(&own, &work) == PKTSEQ_OK);
        if (clip > 0) {
            CHECK(pktseq_clip_grad_norm(&work, clip, &norm) == PKTSEQ_OK);
            clipped += norm > clip;
        }
        CHECK(pktseq_momentum_step(&own, &work, config.learning_rate, momentum, velocity) ==
              PKTSEQ_OK);
    }
    CHECK_THAT(clip == 0 || (clipped > 0 && clipped < 20), "%d clipped", (int)clipped);
    CHECK(same_weights(&model, &own));
    CHECK(!training.velocity || memcmp(training.velocity, velocity,
                                       own.parameters * sizeof *velocity) == 0);
    free(velocity);
    pktseq_work_free(&work);
    pktseq_model_free(&own);
    pktseq_model_free(&model);
    pktseq_training_free(&training);
    record_free(r);
}

// Without input packets there is no encoder, and training's own steps leave the parameters alone
// that only an encoder has: 20,400 of the 40,722 with 80 units, more than one task's.
static void test_momentum_without_encoder(void) {
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_dataset whole = dataset;
    options.inputs = 0;
    CHECK(pktseq_dataset_wrap(&dataset, data_x, D, data_y, O, start, SEQUENCES, &options, NULL,
                              NULL) == PKTSEQ_OK);
    test_momentum_by_verbs(80, 0.9, 2);
    pktseq_dataset_free(&dataset);
    dataset = whole;
}

// Momentum begun later starts from zeros; ended, the velocity remains but adds nothing.
static void test_momentum_changes(void) {
    for (int off = 0; off < 2; ++off) {
        pktseq_train_config config = config_of(9, PKTSEQ_ORDER_FILE);
        pktseq_model model = model_new(5, NULL), own;
        pktseq_training training;
        pktseq_buffer saved;
        pktseq_work work;
        record *r = record_new();
        real *velocity = (real *)calloc(model.parameters, sizeof *velocity);
        memset(&training, 0, sizeof training);
        config.momentum = off ? 0.9 : 0;
        CHECK(train(&model, config, &training, r) == PKTSEQ_OK);
        CHECK(pktseq_save_mem(&model, NULL, &training, NULL, &saved, NULL, NULL) == PKTSEQ_OK);
        CHECK(pktseq_load_mem(&own, NULL, NULL, NULL, saved.data, saved.size, NULL, NULL) ==
              PKTSEQ_OK);
        config.momentum = off ? 0 : 0.9;
        config.iterations = 16;
        CHECK(train(&model, config, &training, r) == PKTSEQ_OK);
        CHECK(training.velocity && training.parameters == model.parameters);
        CHECK(pktseq_work_init(&work, &own.config, 1, 5, 1, NULL, NULL) == PKTSEQ_OK);
        for (size_t k = 9; k < 16; ++k) {
            pktseq_pair pair = pktseq_dataset_pair(&dataset, k % PAIRS);
            CHECK(pktseq_forward(&own, &work, &pair, 1, NULL) == PKTSEQ_OK);
            CHECK(pktseq_zero_grad(&work) == PKTSEQ_OK);
            CHECK(pktseq_backward(&own, &work) == PKTSEQ_OK);
            CHECK(pktseq_momentum_step(&own, &work, config.learning_rate, config.momentum,
                                       velocity) == PKTSEQ_OK);
        }
        CHECK_THAT(same_weights(&model, &own), "momentum switched %s", off ? "off" : "on");
        // A velocity that is there is saved, and loads again, also with momentum 0.
        pktseq_buffer_free(&saved);
        pktseq_model_free(&own);
        CHECK(pktseq_save_mem(&model, NULL, &training, NULL, &saved, NULL, NULL) == PKTSEQ_OK);
        {
            pktseq_training loaded;
            CHECK(pktseq_load_mem(&own, NULL, &loaded, NULL, saved.data, saved.size, NULL, NULL) ==
                  PKTSEQ_OK);
            CHECK(same_training(&loaded, &training));
            pktseq_training_free(&loaded);
        }
        free(velocity);
        pktseq_buffer_free(&saved);
        pktseq_work_free(&work);
        pktseq_model_free(&own);
        pktseq_model_free(&model);
        pktseq_training_free(&training);
        record_free(r);
    }
}

// Is a point the mean of `every` losses in a row? The first after a change may be of more or fewer.
static int is_mean(double point, const double *loss, size_t n, size_t every, int any) {
    for (size_t from = 0; from < n; ++from) {
        double sum = 0;
        for (size_t k = 1; from + k <= n; ++k) {
            sum += loss[from + k - 1];
            if ((any || k == every) && fabs(sum / (double)k - point) < 1e-13) return 1;
        }
    }
    return 0;
}

// What is saved can be loaded, and has come as far.
static void check_loadable(const pktseq_model *model, const pktseq_training *training, int k) {
    parts p;
    pktseq_buffer saved;
    pktseq_error err;
    CHECK(pktseq_save_mem(model, NULL, training, NULL, &saved, NULL, NULL) == PKTSEQ_OK);
    CHECK_THAT(parts_load(&p, saved.data, saved.size, NULL, &err) == PKTSEQ_OK, "%d: %s", k,
               err.text);
    CHECK(p.training.iteration == training->iteration);
    pktseq_buffer_free(&saved);
    parts_free(&p);
}

// A run that goes on with other intervals: there are points, and what is saved can be loaded.
static void test_other_intervals(void) {
    static const struct { size_t first, then; } interval[] = {{0, 5}, {10, 5}, {10, 4}, {5, 10},
                                                              {10, 0}};
    for (size_t k = 0; k < sizeof interval / sizeof *interval; ++k) {
        pktseq_train_config config = config_of(19, PKTSEQ_ORDER_FILE);
        pktseq_model model = model_new(5, NULL);
        pktseq_training training;
        size_t before;
        record *r = record_new();
        memset(&training, 0, sizeof training);
        config.loss_interval = interval[k].first;
        CHECK(train(&model, config, &training, r) == PKTSEQ_OK);
        before = training.losses;
        config.iterations = 59;
        config.loss_interval = interval[k].then;
        CHECK(train(&model, config, &training, r) == PKTSEQ_OK);
        if (interval[k].then)
            CHECK_THAT(training.losses >= before + 40 / interval[k].then - 1,
                       "every %d, then every %d: %d points in 40 iterations",
                       (int)interval[k].first, (int)interval[k].then,
                       (int)(training.losses - before));
        for (size_t i = before; i < training.losses; ++i)
            CHECK_THAT(is_mean(training.loss[i], r->loss, 59, interval[k].then, i == before),
                       "every %d, then every %d: point %d is %g", (int)interval[k].first,
                       (int)interval[k].then, (int)i, training.loss[i]);
        check_loadable(&model, &training, (int)interval[k].then);
        pktseq_training_free(&training);
        pktseq_model_free(&model);
        record_free(r);
    }
}

// Fewer iterations than are done: nothing to do, and what is saved can be loaded.
static void test_fewer_iterations(void) {
    pktseq_train_config config = config_of(9, PKTSEQ_ORDER_RANDOM);
    pktseq_model model = model_new(5, NULL), copy = model_new(5, NULL);
    pktseq_training training;
    record *r = record_new();
    memset(&training, 0, sizeof training);
    config.iterations = 0;
    CHECK(train(&model, config, &training, r) == PKTSEQ_OK);
    CHECK(r->n == 0 && training.iteration == 0 && training.losses == 0);
    CHECK(same_weights(&model, &copy));
    config.iterations = 9;
    CHECK(train(&model, config, &training, r) == PKTSEQ_OK);
    memcpy(copy.block, model.block, model.parameters * sizeof *model.block);
    for (size_t k = 9; k >= 5; k -= 4) {
        config.iterations = k;
        r->n = 0;
        CHECK(train(&model, config, &training, r) == PKTSEQ_OK);
        CHECK(r->n == 0 && training.iteration == 9 && same_weights(&model, &copy));
        check_loadable(&model, &training, (int)k);
    }
    pktseq_training_free(&training);
    pktseq_model_free(&model);
    pktseq_model_free(&copy);
    record_free(r);
}

// ---- >>refusals ---------------------------------------------------------------------------------

static void test_mismatch(void) {
    pktseq_train_config config = config_of(6, PKTSEQ_ORDER_RANDOM);
    pktseq_model model = model_new(5, NULL), copy = model_new(5, NULL), other;
    pktseq_config other_config;
    pktseq_training training, kept;
    pktseq_dataset fewer;
    pktseq_error err;
    record *r = record_new();
    memset(&training, 0, sizeof training);
    CHECK(train(&model, config, &training, r) == PKTSEQ_OK);
    memcpy(copy.block, model.block, model.parameters * sizeof *model.block);
    kept = training;
    config.iterations = 12;
    // a number of x, one of y, fewer sequences, another start, fewer that are trained on
    for (int k = 0; k < 5; ++k) {
        real *number = k == 0 ? &data_x[ROWS * D - 1] : &data_y[0], was = *number;
        pktseq_dataset_options options = dataset.options;
        if (k < 2) *number = (real)((double)was * 1.001);
        if (k == 3) options.start = PKTSEQ_START_INPUT;
        CHECK(pktseq_dataset_wrap(&fewer, data_x, D, data_y, O, start, SEQUENCES - (k == 2),
                                  &options, NULL, NULL) == PKTSEQ_OK);
        if (k == 4) fewer.trained = PAIRS - 1;
        CHECK_THAT(pktseq_train(&model, &fewer, &config, &training, &err) == PKTSEQ_ERROR_MISMATCH,
                   "other data %d are taken", k);
        CHECK(err.status == PKTSEQ_ERROR_MISMATCH && err.text[0]);
        CHECK(same_weights(&model, &copy) && same_training(&training, &kept));
        *number = was;
        pktseq_dataset_free(&fewer);
    }
    for (int k = 0; k < 3; ++k) {
        other_config = model.config;
        if (k == 0) other_config.in = D + 1;
        if (k == 1) other_config.out = O + 1;
        other_config.groups = 0;
        if (k == 2) other_config.inputs = N + 1;
        CHECK(pktseq_model_init(&other, &other_config, 1, NULL, NULL) == PKTSEQ_OK);
        CHECK(pktseq_train(&other, &dataset, &config, &training, &err) == PKTSEQ_ERROR_MISMATCH);
        CHECK(same_training(&training, &kept));
        pktseq_model_free(&other);
    }
    CHECK(train(&model, config, &training, r) == PKTSEQ_OK);  // and the right data still go on
    CHECK(training.iteration == 12);
    pktseq_training_free(&training);
    pktseq_model_free(&model);
    pktseq_model_free(&copy);
    record_free(r);
}

static void test_bad_config(void) {
    pktseq_model model = model_new(5, NULL), copy = model_new(5, NULL), empty_model;
    pktseq_train_config good = config_of(3, PKTSEQ_ORDER_RANDOM);
    pktseq_training training, zero;
    pktseq_dataset empty;
    memset(&zero, 0, sizeof zero);
    memset(&training, 0, sizeof training);
    memset(&empty, 0, sizeof empty);
    memset(&empty_model, 0, sizeof empty_model);
    for (int k = 0; k < 18; ++k) {
        pktseq_train_config c = good;
        pktseq_error err;
        double nan = sqrt(-1.0), infinite = HUGE_VAL;
        switch (k) {
        case 0: c.learning_rate = nan; break;
        case 1: c.learning_rate = infinite; break;
        case 2: c.learning_rate = -infinite; break;
        case 3: c.learning_rate = -1e-9; break;
        case 4: c.batch = 0; break;
        case 5: c.teacher_forcing = 2; break;
        case 6: c.teacher_forcing = -0.001; break;
        case 7: c.teacher_forcing = nan; break;
        case 8: c.teacher_forcing = 1.0000001; break;
        case 9: c.order = (pktseq_order)3; break;
        case 10: c.threads = -1; break;
        case 11: c.milestone[c.milestone_count - 1] = 101; break;
        case 12: c.milestone[1] = c.milestone[0]; break;
        case 13: c.milestone[1] = 10; break;
        case 14: c.milestone_count = 101; break;
        case 15: c.milestone_count = (size_t)-1; break;
        case 16: c.milestone[0] = 0; break;
        case 17: c.teacher_forcing = infinite; break;
        }
        CHECK_THAT(pktseq_train(&model, &dataset, &c, &training, &err) == PKTSEQ_ERROR_ARGUMENT,
                   "bad config %d is taken", k);
        CHECK(err.status == PKTSEQ_ERROR_ARGUMENT && err.text[0]);
        CHECK(same_weights(&model, &copy));
        CHECK(memcmp(&training, &zero, sizeof zero) == 0);
    }
    CHECK(pktseq_train(NULL, &dataset, &good, &training, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_train(&model, NULL, &good, &training, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_train(&model, &dataset, NULL, &training, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_train(&model, &dataset, &good, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_train(&model, &empty, &good, &training, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_train(&empty_model, &dataset, &good, &training, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(same_weights(&model, &copy) && memcmp(&training, &zero, sizeof zero) == 0);
    CHECK(pktseq_train(&model, &dataset, &good, &training, NULL) == PKTSEQ_OK);  // no callback
    pktseq_training_free(&training);
    pktseq_model_free(&model);
    pktseq_model_free(&copy);
}

// ---- >>diverged ---------------------------------------------------------------------------------

// Keeps the weights of the last loss point or milestone at which all was finite.
typedef struct keeper {
    real block[400], velocity[400];
    size_t iteration, points, loss_sum_count, calls;
} keeper;

static int on_point(void *user_data, const pktseq_progress *p) {
    keeper *k = (keeper *)user_data;
    ++k->calls;
    if (!(p->events & ~PKTSEQ_EVENT_REPORT)) return 0;
    if (!all_finite(p->model->block, p->model->parameters)) return 0;
    if (!all_finite(p->training->velocity, p->training->parameters)) return 0;
    memcpy(k->block, p->model->block, p->model->parameters * sizeof *k->block);
    if (p->training->velocity)
        memcpy(k->velocity, p->training->velocity, p->model->parameters * sizeof *k->velocity);
    k->iteration = p->iteration;
    k->points = p->training->losses;
    k->loss_sum_count = p->training->loss_sum_count;
    return 0;
}

// kind 0: a rate of a million; 1: enormous numbers; 2: a NaN; loss_interval 0: back to the start
static void test_diverged(int kind, size_t loss_interval, size_t milestones, double momentum) {
    pktseq_train_config config = config_of(1000, PKTSEQ_ORDER_FILE);
    pktseq_model model = model_new(5, NULL);
    pktseq_training training;
    pktseq_error err;
    keeper kept;
    real was = data_y[ROWS * O - 1];
    pktseq_status status;
    memset(&training, 0, sizeof training);
    memset(&kept, 0, sizeof kept);
    CHECK(model.parameters <= 400);
    memcpy(kept.block, model.block, model.parameters * sizeof *kept.block);
    config.momentum = momentum;
    config.loss_interval = loss_interval;
    config.learning_rate = kind == 0 ? 1e6 : kind == 1 ? 0.5 : 0.05;
    config.milestone_count = milestones;
    for (size_t i = 0; i < milestones; ++i) config.milestone[i] = (unsigned char)(i + 1);
    config.iterations = milestones ? 500 : 1000;  // a milestone every 5
    config.progress = on_point;
    config.user_data = &kept;
    if (kind == 1) data_y[ROWS * O - 1] = (real)(sizeof(real) == sizeof(double) ? 1e300 : 1e30);
    if (kind == 2) data_y[ROWS * O - 1] = (real)sqrt(-1.0);
    status = pktseq_train(&model, &dataset, &config, &training, &err);
    CHECK_THAT(status == PKTSEQ_ERROR_DIVERGED, "kind %d, points every %d: %d after %d", kind,
               (int)loss_interval, (int)status, (int)training.iteration);
    CHECK(err.status == status && err.text[0]);
    CHECK_THAT(kept.calls > 0, "kind %d diverges at once", kind);
    CHECK(all_finite(model.block, model.parameters));
    CHECK_THAT(training.iteration == kept.iteration, "kind %d, points every %d: at iteration %d, "
               "the last good state was at %d", kind, (int)loss_interval, (int)training.iteration,
               (int)kept.iteration);
    CHECK(training.losses == kept.points);
    CHECK(training.loss_sum_count == kept.loss_sum_count);
    CHECK(memcmp(model.block, kept.block, model.parameters * sizeof *kept.block) == 0);
    CHECK((training.velocity != NULL) == (momentum > 0));
    CHECK(!training.velocity || memcmp(training.velocity, kept.velocity,
                                       model.parameters * sizeof *kept.velocity) == 0);
    for (size_t i = 0; i < training.losses; ++i) CHECK(training.loss[i] - training.loss[i] == 0);
    data_y[ROWS * O - 1] = was;
    pktseq_training_free(&training);
    pktseq_model_free(&model);
}

// Weights that are no numbers at the start.
static void test_diverged_at_start(void) {
    pktseq_train_config config = config_of(10, PKTSEQ_ORDER_FILE);
    pktseq_model model = model_new(5, NULL);
    pktseq_training training;
    memset(&training, 0, sizeof training);
    model.block[3] = (real)HUGE_VAL;
    CHECK(pktseq_train(&model, &dataset, &config, &training, NULL) == PKTSEQ_ERROR_DIVERGED);
    CHECK(training.iteration == 0 && training.losses == 0);
    pktseq_training_free(&training);
    pktseq_model_free(&model);
    // a velocity that is none
    model = model_new(5, NULL);
    memset(&training, 0, sizeof training);
    config.momentum = 0.5;
    config.iterations = 3;
    CHECK(pktseq_train(&model, &dataset, &config, &training, NULL) == PKTSEQ_OK);
    training.velocity[7] = (real)HUGE_VAL;
    config.iterations = 10;
    CHECK(pktseq_train(&model, &dataset, &config, &training, NULL) == PKTSEQ_ERROR_DIVERGED);
    CHECK(training.iteration == 3 && all_finite(model.block, model.parameters));
    pktseq_training_free(&training);
    pktseq_model_free(&model);
}

static void test_bad_momentum(void) {
    const double nan = sqrt(-1.0);
    const double momentum[] = {-0.1, 1, 1.5, nan, HUGE_VAL}, clip[] = {-0.1, nan, HUGE_VAL};
    pktseq_train_config config = config_of(5, PKTSEQ_ORDER_FILE);
    pktseq_model model = model_new(5, NULL), other = model_new(6, NULL);
    pktseq_training training;
    pktseq_error err;
    memset(&training, 0, sizeof training);
    for (size_t i = 0; i < sizeof momentum / sizeof *momentum; ++i) {
        config.momentum = momentum[i];
        CHECK_THAT(pktseq_train(&model, &dataset, &config, &training, &err) ==
                       PKTSEQ_ERROR_ARGUMENT && err.text[0], "momentum %g", momentum[i]);
    }
    config.momentum = 0.5;
    for (size_t i = 0; i < sizeof clip / sizeof *clip; ++i) {
        config.clip = clip[i];
        CHECK_THAT(pktseq_train(&model, &dataset, &config, &training, &err) ==
                       PKTSEQ_ERROR_ARGUMENT && err.text[0], "clip %g", clip[i]);
    }
    CHECK(training.iteration == 0 && !training.velocity);
    config.clip = 0;
    CHECK(pktseq_train(&model, &dataset, &config, &training, NULL) == PKTSEQ_OK);
    config.iterations = 10;  // going on with the velocity of another model
    CHECK(pktseq_train(&other, &dataset, &config, &training, &err) == PKTSEQ_ERROR_MISMATCH);
    CHECK_THAT(strstr(err.text, "parameters"), "%s", err.text);
    CHECK(training.iteration == 5 && training.parameters == model.parameters);
    pktseq_training_free(&training);
    pktseq_model_free(&model);
    pktseq_model_free(&other);
}

// ---- >>memory -----------------------------------------------------------------------------------

// Every allocation fails once, also the one that lets the loss history grow in the middle of a run;
// then the same call again must end where an undisturbed run ends.
static void test_no_memory(double momentum) {
    pktseq_train_config config = config_of(1100, PKTSEQ_ORDER_SHUFFLED);
    pktseq_model full = model_new(5, NULL);
    pktseq_training full_training;
    record *r = record_new();
    size_t fail_at, stopped_midway = 0;
    config.teacher_forcing = 0.5;
    config.momentum = momentum;
    config.loss_interval = 1;
    memset(&full_training, 0, sizeof full_training);
    CHECK(train(&full, config, &full_training, r) == PKTSEQ_OK);
    for (fail_at = 0;; ++fail_at) {
        counter m;
        pktseq_allocator a = counted(&m);
        pktseq_model model = model_new(5, &a);
        pktseq_training training;
        pktseq_status status;
        memset(&training, 0, sizeof training);
        m.fail_at = m.allocations + fail_at + 1;
        r->n = 0;
        status = train(&model, config, &training, r);
        CHECK(status == PKTSEQ_OK || status == PKTSEQ_ERROR_MEMORY);
        CHECK(training.iteration == r->n);
        CHECK(m.live == 2u + (training.loss != NULL) +  // weights, groups, history, velocity
                            (training.velocity != NULL));
        stopped_midway += status && training.iteration > 0;
        if (status) CHECK(train(&model, config, &training, r) == PKTSEQ_OK);
        CHECK_THAT(same_weights(&model, &full) && same_training(&training, &full_training),
                   "after a failure of allocation %d", (int)fail_at);
        pktseq_training_free(&training);
        pktseq_model_free(&model);
        CHECK(m.live == 0);
        if (status == PKTSEQ_OK) break;
    }
    // Where it failed before the first iteration, nothing was trained: any model may begin.
    for (size_t k = 0; k < fail_at - stopped_midway; ++k) {
        counter m;
        pktseq_allocator a = counted(&m);
        pktseq_model model, other = model_new(7, NULL);
        pktseq_training training;
        model = model_new(5, &a);
        memset(&training, 0, sizeof training);
        m.fail_at = m.allocations + k + 1;
        r->n = 0;
        CHECK(train(&model, config, &training, r) == PKTSEQ_ERROR_MEMORY && !training.iteration);
        CHECK(train(&other, config, &training, r) == PKTSEQ_OK);
        pktseq_training_free(&training);
        pktseq_model_free(&model);
        pktseq_model_free(&other);
        CHECK(m.live == 0);
    }
    CHECK(fail_at >= 3);
    printf("  %d allocations made to fail, %d in the middle of a run\n", (int)fail_at,
           (int)stopped_midway);
    pktseq_training_free(&full_training);
    pktseq_model_free(&full);
    record_free(r);
}

// Going on with the config that training itself holds must not lose the callback.
static int count_call(void *user_data, const pktseq_progress *p) {
    (void)p;
    ++*(size_t *)user_data;
    return 0;
}

static void test_own_config(void) {
    pktseq_model model = model_new(5, NULL);
    pktseq_training training;
    size_t calls = 0;
    memset(&training, 0, sizeof training);
    training.config = config_of(5, PKTSEQ_ORDER_FILE);
    training.config.progress = count_call;
    training.config.user_data = &calls;
    CHECK(pktseq_train(&model, &dataset, &training.config, &training, NULL) == PKTSEQ_OK);
    CHECK_THAT(calls == 5, "%d calls", (int)calls);
    pktseq_training_free(&training);
    pktseq_model_free(&model);
}

// What could be saved but not loaded is refused before training begins.
static void test_bounds(void) {
    pktseq_model model = model_new(5, NULL);
    pktseq_training training;
    pktseq_train_config config = config_of(5, PKTSEQ_ORDER_FILE);
    memset(&training, 0, sizeof training);
    config.report_interval = (size_t)-1;
    CHECK(sizeof(size_t) == 4 || pktseq_train(&model, &dataset, &config, &training, NULL) ==
                                     PKTSEQ_ERROR_ARGUMENT);
    config.report_interval = 0;
    config.threads = 1025;
    CHECK(pktseq_train(&model, &dataset, &config, &training, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(training.iteration == 0 && training.losses == 0);
    pktseq_model_free(&model);
}

// ---- >>edges: limits, overflow, what a callback may do -----------------------------------------

// Numbers that a checkpoint could not hold are refused before the training, not after it.
static void test_train_limits(void) {
    real x[FLAT_ROWS * FLAT_WIDE];
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
        if (i == 2) CHECK_THAT(says(&err, "a batch beyond 2^31"), "%s", err.text);
#if SIZE_MAX > UINT32_MAX
        if (i > 2) continue;
        bad = config;
        if (i == 0) bad.iterations = (size_t)UINT32_MAX + 1;
        if (i == 1) bad.report_interval = (size_t)UINT32_MAX + 1;
        if (i == 2) bad.loss_interval = (size_t)UINT32_MAX + 1;
        CHECK_THAT(pktseq_train(&model, &dataset, &bad, &training, &err) ==
                       PKTSEQ_ERROR_ARGUMENT && err.text[0], "%d: %s", i, err.text);
#endif
    }
    CHECK(training.iteration == 0 && !training.loss);
    pktseq_training_free(&training);
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
}

// The loss is still finite, but the norm of its gradient is not: clipping, too, tells the user that
// training diverged, and leaves the weights as they were, instead of making all of them 0 or NaN.
static void test_gradient_overflow(void) {
    static const size_t start[] = {0, 4, 8, 12};
    real x[FLAT_ROWS * FLAT_WIDE], y[FLAT_ROWS];
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_dataset dataset;
    pktseq_model model, before;
    pktseq_training training;
    pktseq_train_config config = pktseq_train_config_default();
    pktseq_error err;
    pktseq_status status;
    memset(x, 0, sizeof x);
    for (size_t i = 0; i < FLAT_ROWS; ++i)
        y[i] = i % 4 < 3 ? (real)0 : (real)(sizeof(real) == 4 ? 3e38 : 1.2e154);
    options.start = PKTSEQ_START_INPUT;
    CHECK(pktseq_dataset_wrap(&dataset, x, FLAT_WIDE, y, 1, start, 3, &options, NULL, NULL) == 0);
    flat_model(&model, &dataset);
    flat_model(&before, &dataset);
    memset(&training, 0, sizeof training);
    config.iterations = 1;  // a second one would see it by its loss
    config.clip = 1;
    status = pktseq_train(&model, &dataset, &config, &training, &err);
    CHECK_THAT(status == PKTSEQ_ERROR_DIVERGED &&
                   says(&err, "the gradient is no longer finite at iteration 1; "),
               "%d %s", (int)status, err.text);
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
    s->point[progress->iteration - 1] = progress->training->loss[progress->iteration - 1];
    if (progress->iteration == s->when)
        for (size_t i = 0; i < s->model->parameters; ++i)
            s->model->block[i] = (real)(i % 2 ? HUGE_VAL : -HUGE_VAL);
    return 0;
}

// A run that diverges, whenever it does, keeps its loss history: also when the history has just
// been moved to more room, which is made for 1024 points at first.
static void test_history_of_diverged(void) {
    real x[FLAT_ROWS * FLAT_WIDE];
    pktseq_dataset dataset;
    flat_dataset(&dataset, x, 1);
    for (size_t when = 1; when < 1100; when += when < 1010 ? 509 : 1) {
        static spoiler s;
        pktseq_model model;
        pktseq_training training;
        pktseq_train_config config = pktseq_train_config_default();
        pktseq_status status;
        pktseq_error err;
        char text[80];
        size_t finite = 0;
        memset(&training, 0, sizeof training);
        memset(&s, 0, sizeof s);
        flat_model(&model, &dataset);
        s.model = &model;
        s.when = when;
        config.iterations = 1100;
        config.loss_interval = 1;
        config.threads = 1;
        config.progress = spoil;
        config.user_data = &s;
        status = pktseq_train(&model, &dataset, &config, &training, &err);
        snprintf(text, sizeof text, "the loss is no longer finite at iteration %d; ",
                 (int)when + 1);
        CHECK_THAT(says(&err, text), "%s", err.text);
        CHECK_THAT(status == PKTSEQ_ERROR_DIVERGED && training.losses == when, "%d, %lu of %lu",
                   (int)status, (unsigned long)training.losses, (unsigned long)when);
        CHECK(memcmp(training.loss, s.point, training.losses * sizeof *s.point) == 0);
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
    real x[FLAT_ROWS * FLAT_WIDE];
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
    CHECK_THAT(loss > 0 && loss < 1e9 &&
                   says(&err, "the weights are no longer finite at iteration 1; "),
               "%g: %s", loss, err.text);
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
    real x[FLAT_ROWS * FLAT_WIDE];
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
    pktseq_train_config config = run_of(1, 1, 1e-3, 0, 0);
    pktseq_model same;
    pktseq_pair pair;
    parts p;
    double worst = 0, moved = 0;
    for (size_t i = 0; i < LONG; ++i) x[i] = (real)(i < 70 ? sin(0.1 * (double)i) : 1.5);
    p = wrapped_parts(x, 1, start, 1);
    flat_model(&same, &p.dataset);
    CHECK(pktseq_train(&p.model, &p.dataset, &config, &p.training, NULL) == PKTSEQ_OK);
    CHECK(pktseq_work_init(&p.work, &same.config, 1, LONG, 1, NULL, NULL) == PKTSEQ_OK);
    pair = pktseq_dataset_pair(&p.dataset, 0);
    CHECK(pktseq_forward(&same, &p.work, &pair, 1, NULL) == PKTSEQ_OK);
    CHECK(pktseq_backward(&same, &p.work) == PKTSEQ_OK);
    for (size_t i = 0; i < same.parameters; ++i) {
        double step = 1e-3 * (double)p.work.grad_block[i];
        double difference = fabs((double)p.model.block[i] - ((double)same.block[i] - step));
        worst = difference > worst ? difference : worst;
        moved = fabs(step) > moved ? fabs(step) : moved;
    }
    CHECK_THAT(moved > 0.1 && worst < 1e-6 * moved, "%g of %g", worst, moved);
    pktseq_model_free(&same);
    parts_free(&p);
}

// So few weights that not every thread gets some to move: clipped steps are the same to the bit as
// those of one thread.
static void test_idle_threads(void) {
    real x[FLAT_ROWS * FLAT_WIDE];
    static const size_t start[] = {0, 4, 8, 12};
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_dataset dataset;
    pktseq_model model[2];
    for (size_t i = 0; i < FLAT_ROWS * FLAT_WIDE; ++i) x[i] = (real)sin(0.7 * (double)i);
    CHECK(pktseq_dataset_wrap(&dataset, x, FLAT_WIDE, x, FLAT_WIDE, start, 3, &options, NULL,
                              NULL) == PKTSEQ_OK);
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

// The same packets with another end of a sequence, or other targets, are other data: a run does
// not go on with them as if nothing had happened.
static void test_other_data(void) {
    // The second differs from the first in a length alone: one packet is no sequence to learn from.
    const size_t start[3][5] = {{0, 4, 8, 12, 12}, {0, 4, 7, 8, 12}, {0, 4, 9, 12, 12}};
    real x[FLAT_ROWS * FLAT_WIDE], y[FLAT_ROWS * FLAT_WIDE];
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_model model;
    pktseq_training training;
    pktseq_train_config config = pktseq_train_config_default();
    memset(&training, 0, sizeof training);
    memset(&model, 0, sizeof model);
    options.inputs = 1;
    for (size_t i = 0; i < FLAT_ROWS * FLAT_WIDE; ++i) x[i] = y[i] = (real)(0.1 * (double)i);
    config.threads = 1;
    for (size_t round = 0; round < 5; ++round) {
        pktseq_dataset dataset;
        y[FLAT_ROWS * FLAT_WIDE - 1] = round == 3 ? (real)9 : x[FLAT_ROWS * FLAT_WIDE - 1];
        CHECK(pktseq_dataset_wrap(&dataset, x, FLAT_WIDE, y, FLAT_WIDE,
                                  start[round % 3 * (round < 3)], round == 1 ? 4 : 3, &options,
                                  NULL, NULL) == PKTSEQ_OK);
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

int main(void) {
    make_dataset();
    make_pair_losses();
    test_defaults();
    test_loss_falls();
    test_order_file(1);
    test_order_file(3);
    test_order_file(9);
    test_order_shuffled();
    test_order_random();
    test_teacher_forcing();
    test_seed();
    test_threads();
    test_events();
    test_means();
    test_resume(0, 0);
    test_resume(0.9, 2);
    test_resume(0, 2);
    test_momentum_by_verbs(5, 0.9, 0);
    test_momentum_by_verbs(5, 0, 2);
    test_momentum_by_verbs(5, 0.7, 2);
    test_momentum_without_encoder();
    test_momentum_changes();
    test_other_intervals();
    test_fewer_iterations();
    test_mismatch();
    test_bad_config();
    test_bad_momentum();
    for (int kind = 0; kind < 3; ++kind) {
        for (int with = 0; with < 2; ++with) {
            test_diverged(kind, 2, 0, with * 0.9);
            test_diverged(kind, 1, 0, with * 0.9);
            test_diverged(kind, 0, 0, with * 0.9);
            test_diverged(kind, 4, 100, with * 0.9);
        }
    }
    test_diverged_at_start();
    test_no_memory(0);
    test_no_memory(0.9);
    test_own_config();
    test_bounds();
    test_train_limits();
    test_gradient_overflow();
    test_history_of_diverged();
    test_stopped_diverged();
    test_meddling();
    test_long_rest();
    test_idle_threads();
    test_other_data();
    pktseq_dataset_free(&dataset);
    return check_end("test_train");
}
