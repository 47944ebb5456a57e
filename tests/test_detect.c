// test_detect.c - detector, stream, quantile and evaluation: against the reference's scores,
// against the formulas computed again in plain loops, and against their own contract.
//
// cc -O2 -fopenmp tests/test_detect.c -o build/test_detect -lm && ./build/test_detect
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "scene.h"

#include <float.h>
#include <math.h>

static pktseq_error err;  // of the last call

static uint64_t next_draw(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 40;
}

static double draw(uint64_t *state) { return (double)next_draw(state) / 16777216.0 - 0.5; }

static int close_to(double a, double b, double relative) {
    return fabs(a - b) <= relative * fabs(b) || a == b;
}

static int same_double(const double *a, const double *b, size_t n) {
    return memcmp(a, b, n * sizeof *a) == 0;
}

// ---- >>scene: packets, a codec with all kinds of groups, a model --------------------------------

enum { SEQUENCES = 130, KINDS = 14, INPUT = 17, OUT = 16, GROUPS = 3, CONTEXT = 3, HIDDEN = 7 };

// A number, a flag and a class to be predicted, a number that is only seen, three of the context,
// two of which go together.
static const pktseq_field scene_field[] = {
    FIELD("v", ZSCORE, BOTH), FIELD("f", FLAG, BOTH), FIELD("k", ONEHOT, BOTH),
    FIELD("seen", NUMBER, INPUT), FIELD("c1", NUMBER, CONTEXT),
    {"c2", PKTSEQ_LOG, PKTSEQ_ROLE_CONTEXT, 0, 1, NULL, 0, 0}, FIELD("c3", NUMBER, CONTEXT)};

// Sequences of 3 to 21 packets, most of them short; returns how many bytes.
static size_t csv_make(char *csv, size_t size) {
    uint64_t s = 7;
    size_t at = (size_t)snprintf(csv, size, "position,v,f,k,seen,c1,c2,c3\n");
    for (int i = 0; i < SEQUENCES; ++i) {
        uint64_t u = next_draw(&s), n = i % 5 == 4 ? 17 + u % 5 : i % 2 ? 3 + u % 4 : 5 + u % 11;
        for (uint64_t p = 0; p < n; ++p) {
            double c = draw(&s) * 3;
            unsigned k = (unsigned)(next_draw(&s) % KINDS);
            at += (size_t)snprintf(csv + at, size - at, "%d,%.6f,%d,k%02u,%.6f,%.6f,%.6f,%.6f\n",
                                   (int)p, draw(&s) * 8, next_draw(&s) % 3 == 0, k, draw(&s), c,
                                   exp(2 + draw(&s) * 2), 2 * c + draw(&s));
        }
    }
    return at;
}

// All but training and detector; work for nine sequences.
static void scene_make(parts *s, size_t inputs, pktseq_start start, pktseq_loss loss) {
    static char csv[1 << 19];
    plan how = plan_of(schema_of(scene_field, sizeof scene_field / sizeof *scene_field), HIDDEN, 3);
    how.dataset.inputs = inputs;
    how.dataset.start = start;
    how.loss = loss;
    memset(s, 0, sizeof *s);
    CHECK_THAT(!parts_parse(s, &how, csv, csv_make(csv, sizeof csv), &err) &&
               !parts_learn(s, &how, &err), "%s", err.text);
    CHECK(s->codec.features == INPUT && s->codec.targets == OUT && s->codec.contexts == CONTEXT);
    CHECK(s->model.config.groups == GROUPS);
    for (size_t i = 0; i < s->model.parameters; ++i) s->model.block[i] *= 3;
    CHECK(pktseq_work_init(&s->work, &s->model.config, 9, s->dataset.longest, 1, NULL, NULL) ==
          PKTSEQ_OK);
}

static pktseq_detector detector_make(const parts *s, pktseq_detector_options options, int fit) {
    pktseq_detector d;
    memset(&d, 0x55, sizeof d);
    CHECK_THAT(pktseq_detector_init(&d, &s->model, CONTEXT, &options, NULL, &err) == PKTSEQ_OK,
               "%s", err.text);
    if (fit)
        CHECK_THAT(pktseq_detector_fit(&d, &s->model, &s->dataset, 2, &err) == PKTSEQ_OK, "%s",
                   err.text);
    return d;
}

static int same_detector(const pktseq_detector *a, const pktseq_detector *b) {
    return a->options.measure == b->options.measure &&
           a->options.one_step_ahead == b->options.one_step_ahead &&
           a->options.by_length == b->options.by_length &&
           same_double(&a->options.context, &b->options.context, 1) &&
           same_double(&a->options.false_positive_rate, &b->options.false_positive_rate, 1) &&
           a->out == b->out && a->groups == b->groups && a->contexts == b->contexts &&
           same_double(a->weight, b->weight, a->groups) &&
           same_double(a->error, b->error, a->out) && same_double(a->mean, b->mean, a->contexts) &&
           same_double(a->precision, b->precision, a->contexts * a->contexts) &&
           same_double(a->scale, b->scale, 2) &&
           same_double(a->length_scale, b->length_scale, 4) && a->sequences == b->sequences &&
           (a->dispersion < 1 || (same_double(&a->seconds, &b->seconds, 1) &&
                                  same_double(&a->unknown, &b->unknown, 1))) &&
           same_double(&a->threshold, &b->threshold, 1) &&
           same_double(&a->threshold_low, &b->threshold_low, 1) &&
           same_double(&a->threshold_high, &b->threshold_high, 1);
}

// A copy that owns its numbers.
static pktseq_detector detector_copy(const pktseq_detector *d) {
    pktseq_detector copy = *d;
    size_t count = d->groups + d->out + d->contexts * (d->contexts + 1);
    copy.memory = (double *)malloc(count * sizeof *copy.memory);
    memcpy(copy.memory, d->memory, count * sizeof *copy.memory);
    copy.weight = copy.memory;
    copy.error = copy.weight + d->groups;
    copy.mean = copy.error + d->out;
    copy.precision = copy.mean + d->contexts;
    return copy;
}

// ---- >>formulas: scores again, in plain loops ---------------------------------------------------

// Mean over the packets of what the network says of a pair, from the outputs of the last forward.
static double plain_network(const pktseq_detector *d, const pktseq_work *work, size_t index,
                            const pktseq_pair *pair) {
    double total = 0;
    for (size_t t = 0; t < pair->targets; ++t) {
        const real *out = pktseq_work_output(work, index, t), *y = pair->target + t * OUT;
        double sum = 0, p = 0, e[OUT];
        for (size_t o = 0; o < OUT; ++o) e[o] = (double)out[o] - (double)y[o];
        if (d->options.measure == PKTSEQ_MEASURE_SURPRISAL) {
            sum += d->weight[0] * 2 * log(1 + e[0] * e[0] / (3 * d->error[0]));
            p = y[1] == 1 ? (double)out[1] : (double)(1 - out[1]);
            sum -= d->weight[1] * log(p > 1e-6 ? p : 1e-6);
            p = 0;
            for (size_t o = 2; o < OUT; ++o)
                if (y[o] == 1) p = (double)out[o];
            total += sum - d->weight[2] * log(p > 1e-6 ? p : 1e-6);
            continue;
        }
        for (size_t o = 0; o < OUT; ++o)
            sum += d->weight[o < 2 ? o : 2] * e[o] * e[o];
        total += sqrt(sum / OUT);
    }
    return total / (double)pair->targets;
}

static double plain_context(const pktseq_detector *d, const pktseq_pair *pair) {
    double total = 0;
    for (size_t t = 0; t < pair->targets; ++t) {
        double m = 0;
        for (size_t i = 0; i < CONTEXT; ++i)
            for (size_t j = 0; j < CONTEXT; ++j)
                m += ((double)pair->context[t * CONTEXT + i] - d->mean[i]) *
                     d->precision[i * CONTEXT + j] *
                     ((double)pair->context[t * CONTEXT + j] - d->mean[j]);
        total += log(1 + m);
    }
    return total / (double)pair->targets;
}

static size_t class_of(size_t packets) {
    return packets > 16 ? 3 : packets > 8 ? 2 : packets > 4 ? 1 : 0;
}

static double plain_score(const pktseq_detector *d, const pktseq_work *work, size_t index,
                          const pktseq_pair *pair) {
    double score = plain_network(d, work, index, pair);
    if (d->options.context > 0)
        score = d->scale[0] * score + d->scale[1] * plain_context(d, pair);
    return d->options.by_length ? score / d->length_scale[class_of(pair->inputs + pair->targets)]
                                : score;
}

// Runs a pair forward with the public function.
static void plain_forward(parts *s, const pktseq_pair *pair, int forced) {
    unsigned char teacher = (unsigned char)forced;
    CHECK(pktseq_forward(&s->model, &s->work, pair, 1, &teacher) == PKTSEQ_OK);
}

static void check_scores(parts *s, const pktseq_detector *d) {
    double part[30 * (GROUPS + CONTEXT)], score, again, sum;
    for (size_t i = 0; i < s->dataset.pairs; i += 3) {
        pktseq_pair pair = pktseq_dataset_pair(&s->dataset, i);
        plain_forward(s, &pair, d->options.one_step_ahead);
        again = plain_score(d, &s->work, 0, &pair);
        CHECK(pktseq_detector_score(d, &s->model, &s->work, &pair, 1, &score) == PKTSEQ_OK);
        CHECK_THAT(close_to(score, again, 1e-9), "measure %d, pair %d: %.17g, plainly %.17g",
                   (int)d->options.measure, (int)i, score, again);
        CHECK(pair.targets <= 30);
        CHECK(pktseq_detector_explain(d, &s->model, &s->work, &pair, part, &again) == PKTSEQ_OK);
        CHECK_THAT(again == score, "explain says %.17g, not %.17g", again, score);
        sum = 0;
        for (size_t k = 0; k < pair.targets * (GROUPS + CONTEXT); ++k) {
            sum += part[k];
            if (k % (GROUPS + CONTEXT) < GROUPS) CHECK(part[k] >= 0);
            if (k % (GROUPS + CONTEXT) >= GROUPS && d->options.context == 0) CHECK(part[k] == 0);
            if (k % (GROUPS + CONTEXT) < GROUPS && d->weight[k % (GROUPS + CONTEXT)] == 0)
                CHECK(part[k] == 0);
        }
        CHECK_THAT(close_to(sum, score, 1e-9), "parts sum to %.17g, not %.17g", sum, score);
    }
}

static void test_formulas(pktseq_loss loss) {
    static const double weight[GROUPS] = {2, 0, 0.5};
    parts s;
    scene_make(&s, 3, PKTSEQ_START_INPUT, loss);
    for (int measure = 0; measure < (loss ? 2 : 1); ++measure)
        for (int k = 0; k < 32; ++k) {
            pktseq_detector_options options = options_of((pktseq_measure)measure, k & 1,
                                                         k & 2 ? 0.6 : 0, (k & 4) != 0);
            pktseq_detector d;
            options.weight = k & 8 ? weight : NULL;
            d = detector_make(&s, options, (k & 16) != 0);
            check_scores(&s, &d);
            pktseq_detector_free(&d);
        }
    parts_free(&s);
}

// An unknown class is as surprising as 10^-6, and so is a probability below that.
static void test_caps(void) {
    parts s;
    pktseq_detector d;
    pktseq_pair pair;
    real y[OUT] = {0};
    double score = 0;
    static const double weight[] = {0, 0, 1};
    pktseq_detector_options options = options_of(PKTSEQ_MEASURE_SURPRISAL, 1, 0, 0);
    scene_make(&s, 3, PKTSEQ_START_INPUT, PKTSEQ_LOSS_NLL);
    options.weight = weight;
    d = detector_make(&s, options, 0);
    pair = pktseq_dataset_pair(&s.dataset, 0);
    pair.target = y;
    pair.targets = 1;
    CHECK(pktseq_detector_score(&d, &s.model, &s.work, &pair, 1, &score) == PKTSEQ_OK);
    CHECK_THAT(close_to(score, 6 * log(10.0), 1e-12), "%.17g", score);
    y[2] = 1;
    s.model.tensor.out_b[2] = -100;
    CHECK(pktseq_detector_score(&d, &s.model, &s.work, &pair, 1, &score) == PKTSEQ_OK);
    CHECK_THAT(close_to(score, 6 * log(10.0), 1e-12), "%.17g", score);
    s.model.tensor.out_b[2] = 100;
    CHECK(pktseq_detector_score(&d, &s.model, &s.work, &pair, 1, &score) == PKTSEQ_OK);
    CHECK_THAT(fabs(score) < 1e-12, "%.17g", score);
    pktseq_detector_free(&d);
    parts_free(&s);
}

// ---- >>reference --------------------------------------------------------------------------------

// Without options the score is pktseq_score's.
static void test_is_score(void) {
    parts s;
    scene_make(&s, 3, PKTSEQ_START_TARGET, PKTSEQ_LOSS_MSE);
    {
        pktseq_detector d;
        const pktseq_detector_options *o = &d.options;
        CHECK(pktseq_detector_init(&d, &s.model, 0, NULL, NULL, NULL) == PKTSEQ_OK);
        CHECK(o->measure == PKTSEQ_MEASURE_RMS && !o->one_step_ahead && !o->weight &&
              o->context == 0 && !o->by_length && o->false_positive_rate == 0.01);
        CHECK(d.threshold == DBL_MAX && d.sequences == 0);
        CHECK(d.threshold_low == -DBL_MAX && d.threshold_high == DBL_MAX);  // nothing bounds it
        for (size_t i = 0; i < s.dataset.pairs; ++i) {
            pktseq_pair pair = pktseq_dataset_pair(&s.dataset, i);
            double a = 0, b = 1;
            CHECK(pktseq_score(&s.model, &s.work, &pair, &a) == PKTSEQ_OK);
            CHECK(pktseq_detector_score(&d, &s.model, &s.work, &pair, 1, &b) == PKTSEQ_OK);
            CHECK_THAT(a > 0 && close_to(b, a, 1e-12), "%.17g and %.17g", a, b);
        }
        pktseq_detector_free(&d);
    }
    parts_free(&s);
}

// The reference's test function on 1,000 recorded sequences, computed with PyTorch.
static void test_reference(void) {
    plan how = plan_of(pktseq_schema_reference(), 16, 1);
    parts p;
    uint64_t seed = 16;
    double *score, worst = 0;
    char line[80];
    size_t count = 0;
    FILE *f = fopen("tests/fixtures/scores_h16.txt", "r");
    CHECK(f != NULL);
    if (!f) return;
    memset(&p, 0, sizeof p);
    CHECK(!pktseq_table_read(&p.table, "examples/data/normal_seqs.csv", &how.schema, NULL, NULL));
    CHECK(!parts_encode(&p, &how, &p.table, NULL) && !parts_learn(&p, &how, NULL));
    for (size_t i = 0; i < p.model.parameters; ++i) p.model.block[i] = (real)draw(&seed);
    CHECK(!pktseq_detector_init(&p.detector, &p.model, 0, &how.detector, NULL, NULL));
    score = (double *)calloc(p.dataset.pairs + 1, sizeof *score);
    CHECK(!pktseq_detector_score_all(&p.detector, &p.model, &p.dataset, 0, score, NULL));
    while (fgets(line, sizeof line, f)) {
        double want, off;
        if (line[0] == 's') CHECK(strtol(line + 8, NULL, 10) == (long)(p.dataset.skipped != 0));
        if (line[0] < '0' || line[0] > '9' || count >= p.dataset.pairs) continue;
        want = strtod(line, NULL);
        off = fabs(score[count] - want) / want;
        if (off > worst) worst = off;
        CHECK_THAT(off < (is_double() ? 1e-11 : 1e-5), "sequence %d: %.17g, PyTorch %.17g",
                   (int)count, score[count], want);
        ++count;
    }
    CHECK_THAT(count == 1000, "%d scores", (int)count);
    printf("  reference's scores of %d sequences: largest deviation %.1e\n", (int)count, worst);
    fclose(f);
    free(score);
    parts_free(&p);
}

// ---- >>bits: one score however it is asked for --------------------------------------------------

static void check_bits(parts *s, const pktseq_detector *d) {
    static const int threads[] = {1, 2, 3, 5, 0};
    size_t pairs = s->dataset.pairs;
    double *one = (double *)malloc(pairs * sizeof *one);
    double *all = (double *)malloc(pairs * sizeof *all);
    for (size_t i = 0; i < pairs; ++i) {
        pktseq_pair pair = pktseq_dataset_pair(&s->dataset, i);
        CHECK(pktseq_detector_score(d, &s->model, &s->work, &pair, 1, &one[i]) == PKTSEQ_OK);
    }
    for (size_t k = 0; k < sizeof threads / sizeof *threads; ++k) {
        for (size_t i = 0; i < pairs; ++i) all[i] = -1;
        CHECK(pktseq_detector_score_all(d, &s->model, &s->dataset, threads[k], all, NULL) ==
              PKTSEQ_OK);
        CHECK_THAT(same_double(one, all, pairs), "%d threads", threads[k]);
    }
    for (size_t from = 0; from + 9 <= pairs; from += 9) {  // backwards, nine at once
        pktseq_pair pair[9];
        for (size_t i = 0; i < 9; ++i)
            pair[i] = pktseq_dataset_pair(&s->dataset, from + 8 - i);
        CHECK(pktseq_detector_score(d, &s->model, &s->work, pair, 9, all) == PKTSEQ_OK);
        for (size_t i = 0; i < 9; ++i) CHECK(same_double(&all[i], &one[from + 8 - i], 1));
    }
    free(one);
    free(all);
}

// Pushes a sequence; after every packet the score must be that of the pair that ends there.
static void check_stream(parts *s, const pktseq_detector *d) {
    pktseq_stream stream;
    size_t N = s->dataset.options.inputs;
    CHECK(pktseq_stream_init(&stream, &s->model, d, NULL, NULL) == PKTSEQ_OK);
    for (size_t i = 0; i < s->dataset.pairs; i += 4) {
        pktseq_pair pair = pktseq_dataset_pair(&s->dataset, i);
        size_t n = s->dataset.length[i];
        double a = -1, b = -2;
        if (i % 8 == 0) {  // a sequence that breaks off before the one that counts
            for (size_t p = 0; p < n / 2; ++p)
                CHECK(pktseq_stream_push(&stream, s->dataset.x, s->dataset.y, s->dataset.c) == 0);
            pktseq_stream_reset(&stream);
        }
        CHECK(pktseq_stream_score(&stream, &a) == PKTSEQ_ERROR_ARGUMENT && a == -1);
        for (size_t p = 0; p < n; ++p) {
            size_t row = s->dataset.first_row[i] + p;
            CHECK(pktseq_stream_push(&stream, s->dataset.x + row * INPUT,
                                     s->dataset.y + row * OUT,
                                     d->options.context > 0 ? s->dataset.c + row * CONTEXT
                                                            : NULL) == PKTSEQ_OK);
            CHECK(stream.packets == p + 1);
            if (p < N) {
                CHECK(pktseq_stream_score(&stream, &a) == PKTSEQ_ERROR_ARGUMENT && a == -1);
                continue;
            }
            pair.targets = p + 1 - N;
            CHECK(pktseq_detector_score(d, &s->model, &s->work, &pair, 1, &b) == PKTSEQ_OK);
            CHECK(pktseq_stream_score(&stream, &a) == PKTSEQ_OK);
            CHECK_THAT(same_double(&a, &b, 1), "N %d pair %d packet %d: %.17g, not %.17g", (int)N,
                       (int)i, (int)p, a, b);
            CHECK(memcmp(stream.out, pktseq_work_output(&s->work, 0, p - N), OUT * sizeof(real)) ==
                  0);
            a = -1;
        }
        pktseq_stream_reset(&stream);
    }
    pktseq_stream_free(&stream);
    pktseq_stream_free(&stream);
    pktseq_stream_free(NULL);
    pktseq_stream_reset(&stream);
    pktseq_stream_reset(NULL);
}

static void test_bits(void) {
    for (size_t N = 0; N <= 3; ++N)
        for (int k = 0; k < 8 && N != 2; ++k) {
            parts s;
            scene_make(&s, N, (pktseq_start)(k & 1), (pktseq_loss)((k >> 1) & 1));
            for (int all = 0; all < 2; ++all) {
                pktseq_measure measure = all && k & 2 ? PKTSEQ_MEASURE_SURPRISAL
                                                      : PKTSEQ_MEASURE_RMS;
                pktseq_detector d = detector_make(
                    &s, options_of(measure, k >> 2, all ? 0.5 : 0, all), 1);
                check_bits(&s, &d);
                check_stream(&s, &d);
                pktseq_detector_free(&d);
            }
            parts_free(&s);
        }
}

// ---- >>fit --------------------------------------------------------------------------------------

static int compare_scores(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// The threshold for a rate by the formulas of the manual, from all scores (n).
static double tail_threshold(const double *score, size_t n, double rate) {
    double *sorted = (double *)malloc(n * sizeof *sorted), m = 0, v = 0, c, result;
    size_t k = n / 10 < 20 ? 20 : n / 10;
    if (k > n / 2) k = n / 2;
    memcpy(sorted, score, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_scores);
    for (size_t i = n - k; i < n; ++i) m += sorted[i] - sorted[n - k - 1];
    m /= (double)k;
    for (size_t i = n - k; i < n; ++i) v += pow(sorted[i] - sorted[n - k - 1] - m, 2);
    v /= (double)(k - 1);
    c = (1 - m * m / v) / 2;
    c = c < -0.5 ? -0.5 : c > 0.3 ? 0.3 : c;
    rate *= (double)n * rate / ((double)n * rate + 1);
    result = sorted[n - k - 1] +
             m * (1 - c) / c * (pow(rate * (double)n / (double)k, -c) - 1);
    free(sorted);
    return result;
}

// What the options ask for, computed again from the dataset.
static void check_fit(parts *s, const pktseq_detector *d) {
    size_t pairs = s->dataset.pairs, packets = 0, count[5] = {0};
    double error[OUT] = {0}, mean[CONTEXT] = {0}, cov[CONTEXT][CONTEXT] = {{0}};
    double total[5] = {0}, square[5] = {0}, m[2] = {0, 0}, sd[2] = {0, 0}, quantile;
    double *score = (double *)malloc(3 * pairs * sizeof *score), n = (double)pairs;
    CHECK(d->sequences == pairs);
    for (size_t i = 0; i < pairs; ++i) {
        pktseq_pair pair = pktseq_dataset_pair(&s->dataset, i);
        plain_forward(s, &pair, d->options.one_step_ahead);
        for (size_t t = 0; t < pair.targets; ++t) {
            for (size_t o = 0; o < OUT; ++o) {
                double e = (double)pktseq_work_output(&s->work, 0, t)[o] -
                           (double)pair.target[t * OUT + o];
                error[o] += e * e;
            }
            for (size_t c = 0; c < CONTEXT; ++c) mean[c] += (double)pair.context[t * CONTEXT + c];
        }
        packets += pair.targets;
        score[pairs + 2 * i] = plain_network(d, &s->work, 0, &pair);
        score[pairs + 2 * i + 1] = plain_context(d, &pair);
        score[i] = plain_score(d, &s->work, 0, &pair);
    }
    for (size_t o = 0; o < OUT; ++o)
        CHECK_THAT(close_to(d->error[o],
                            d->options.measure && o == 0 ? error[o] / (double)packets : 1, 1e-9),
                   "error %d: %g", (int)o, d->error[o]);
    for (size_t c = 0; c < CONTEXT; ++c) mean[c] /= (double)packets;
    for (size_t i = 0; i < pairs; ++i) {
        pktseq_pair pair = pktseq_dataset_pair(&s->dataset, i);
        for (size_t t = 0; t < pair.targets; ++t)
            for (size_t a = 0; a < CONTEXT; ++a)
                for (size_t b = 0; b < CONTEXT; ++b)
                    cov[a][b] += ((double)pair.context[t * CONTEXT + a] - mean[a]) *
                                 ((double)pair.context[t * CONTEXT + b] - mean[b]) /
                                 (double)(packets - 1);
    }
    for (size_t a = 0; a < CONTEXT && d->options.context > 0; ++a) {
        CHECK_THAT(close_to(d->mean[a], mean[a], 1e-9), "mean %d", (int)a);
        for (size_t b = 0; b < CONTEXT; ++b) {
            double sum = 0;
            for (size_t c = 0; c < CONTEXT; ++c)
                sum += d->precision[a * CONTEXT + c] * (cov[c][b] + (c == b ? 0.04 : 0));
            CHECK_THAT(fabs(sum - (a == b)) < 1e-9, "precision * covariance [%d][%d] = %g", (int)a,
                       (int)b, sum);
        }
    }
    // network and context: each one's standard deviation over the sequences is brought to its share
    for (int part = 0; part < 2; ++part) {
        for (size_t i = 0; i < pairs; ++i) m[part] += score[pairs + 2 * i + (size_t)part] / n;
        for (size_t i = 0; i < pairs; ++i)
            sd[part] += pow(score[pairs + 2 * i + (size_t)part] - m[part], 2) / n;
        sd[part] = sqrt(sd[part]);
    }
    if (d->options.context > 0) {
        CHECK(close_to(d->scale[0], (1 - d->options.context) / sd[0], 1e-9));
        CHECK(close_to(d->scale[1], d->options.context / sd[1], 1e-9));
    }
    for (size_t i = 0; i < pairs; ++i) {
        size_t k = class_of(s->dataset.length[i]);
        double v = score[i] * (d->options.by_length ? d->length_scale[k] : 1);
        total[k] += v;
        square[k] += v * v;
        ++count[k];
        total[4] += v;
        square[4] += v * v;
        ++count[4];
    }
    CHECK_THAT(count[0] >= 10 && count[0] < 20 && count[1] >= 20 && count[2] >= 20 &&
                   count[3] >= 20,
               "%d %d %d %d sequences", (int)count[0], (int)count[1], (int)count[2],
               (int)count[3]);
    for (size_t k = 0; k < 4; ++k) {
        size_t from = count[k] < 20 ? 4 : k;
        double of = total[from] / (double)count[from];
        double spread = sqrt(square[from] / (double)count[from] - of * of);
        double want = d->options.by_length ? of + 2 * spread : 1;
        CHECK_THAT(close_to(d->length_scale[k], want, 1e-8), "class %d: %.17g, not %.17g", (int)k,
                   d->length_scale[k], want);
    }
    // the levels are quantiles of the very scores that score_all gives, the threshold is the tail's
    CHECK(pktseq_detector_score_all(d, &s->model, &s->dataset, 2, score, NULL) == PKTSEQ_OK);
    for (size_t k = 0; k < PKTSEQ_QUANTILES; ++k) {
        CHECK(pktseq_quantile(score, pairs, (double)k / 64, &quantile, NULL, NULL) == 0);
        CHECK_THAT(close_to(d->scores.quantile[k], quantile, 1e-15), "level %d: %.17g, not %.17g",
                   (int)k, d->scores.quantile[k], quantile);
    }
    CHECK_THAT(close_to(d->threshold, tail_threshold(score, pairs, d->options.false_positive_rate),
                        1e-9),
               "%.17g, not %.17g", d->threshold,
               tail_threshold(score, pairs, d->options.false_positive_rate));
    CHECK(d->threshold_low <= d->threshold && d->threshold <= d->threshold_high);
    CHECK(d->threshold_low < d->threshold_high);
    free(score);
}

static void test_fit(void) {
    for (int loss = 0; loss < 2; ++loss) {
        parts s;
        scene_make(&s, 3, PKTSEQ_START_INPUT, (pktseq_loss)loss);
        for (int measure = 0; measure < 1 + loss; ++measure)
            for (int k = 0; k < 8; ++k) {
                static const int threads[] = {1, 2, 3, 5};
                pktseq_detector_options options =
                    options_of((pktseq_measure)measure, k & 1, k & 2 ? 0.75 : 0, k >> 2);
                pktseq_detector d = detector_make(&s, options, 1);
                check_fit(&s, &d);
                for (int t = 0; t < 4; ++t) {  // fitted again, on any number of threads: the same
                    pktseq_detector again = detector_copy(&d);
                    pktseq_detector_free(&d);
                    d = detector_make(&s, options, 0);
                    CHECK(pktseq_detector_fit(&d, &s.model, &s.dataset, threads[t], NULL) == 0);
                    CHECK(same_detector(&d, &again));
                    CHECK(pktseq_detector_fit(&d, &s.model, &s.dataset, threads[t], NULL) == 0);
                    CHECK(same_detector(&d, &again));
                    free(again.memory);
                }
                pktseq_detector_free(&d);
            }
        parts_free(&s);
    }
}

// The edges of false_alarms, and a part that never varies.
static void test_fit_edges(void) {
    parts s;
    double *score, least, most;
    scene_make(&s, 3, PKTSEQ_START_INPUT, PKTSEQ_LOSS_MSE);
    score = (double *)malloc(s.dataset.pairs * sizeof *score);
    for (int all = 0; all < 2; ++all) {
        pktseq_detector_options options = options_of(PKTSEQ_MEASURE_RMS, 0, 0, 0);
        pktseq_detector d;
        options.false_positive_rate = all ? 1 : -1;
        d = detector_make(&s, options, 1);
        CHECK(pktseq_detector_score_all(&d, &s.model, &s.dataset, 1, score, NULL) == PKTSEQ_OK);
        least = most = score[0];
        for (size_t i = 0; i < s.dataset.pairs; ++i) {
            least = score[i] < least ? score[i] : least;
            most = score[i] > most ? score[i] : most;
        }
        CHECK(d.threshold == (all ? least : most));
        CHECK(d.threshold_low <= d.threshold && d.threshold <= d.threshold_high);
        pktseq_detector_free(&d);
    }
    for (size_t i = 0; i < s.dataset.rows * CONTEXT; ++i) ((real *)s.dataset.c)[i] = 4;
    {
        pktseq_detector d = detector_make(&s, options_of(PKTSEQ_MEASURE_RMS, 0, 0.5, 1), 1);
        CHECK(d.scale[1] == 0.5 && d.mean[0] == 4);
        CHECK_THAT(close_to(d.precision[0], 25, 1e-12), "%.17g", d.precision[0]);  // 1 / 0.2^2
        CHECK(d.precision[1] == 0);
        pktseq_detector_free(&d);
    }
    // So does the network, of a model that says 0 of packets that are all the same: what rounding
    // makes of its mean over more or fewer of them is no deviation to divide by.
    memset(s.model.block, 0, s.model.parameters * sizeof *s.model.block);
    for (size_t i = 0; i < s.dataset.rows * OUT; ++i)
        ((real *)s.dataset.y)[i] = (real)0.3;
    {
        pktseq_detector d = detector_make(&s, options_of(PKTSEQ_MEASURE_RMS, 0, 0.5, 1), 1);
        CHECK_THAT(d.scale[0] == 0.5, "%g", d.scale[0]);
        pktseq_detector_free(&d);
    }
    free(score);
    parts_free(&s);
}

// A fit that fails leaves the detector as it was, wherever it fails.
static void test_failed_fit(void) {
    counter c;
    pktseq_allocator a = counted(&c);
    pktseq_detector_options options = options_of(PKTSEQ_MEASURE_SURPRISAL, 1, 0.5, 1);
    parts s;
    pktseq_detector d, before;
    pktseq_status status = PKTSEQ_ERROR_MEMORY;
    size_t failures = 0, live;
    real kept;
    scene_make(&s, 3, PKTSEQ_START_INPUT, PKTSEQ_LOSS_NLL);
    CHECK(pktseq_detector_init(&d, &s.model, CONTEXT, &options, &a, NULL) == PKTSEQ_OK);
    CHECK(pktseq_detector_fit(&d, &s.model, &s.dataset, 1, NULL) == PKTSEQ_OK);
    d.threshold = 12345;  // so that another fit would be seen
    d.error[0] = 6;
    before = detector_copy(&d);
    live = c.live;
    for (size_t k = 1; status == PKTSEQ_ERROR_MEMORY && k < 1000; ++k) {
        c.fail_at = c.allocations + k;
        status = pktseq_detector_fit(&d, &s.model, &s.dataset, 2, &err);
        CHECK(c.live == live && err.status == status);
        if (status == PKTSEQ_OK) break;
        CHECK(status == PKTSEQ_ERROR_MEMORY && err.text[0]);
        CHECK_THAT(same_detector(&d, &before), "allocation %d", (int)k);
        ++failures;
    }
    CHECK_THAT(status == PKTSEQ_OK && failures >= 5, "%d allocations", (int)failures);
    CHECK(!same_detector(&d, &before) && d.threshold < 12345);
    printf("  fit: %d allocations made to fail\n", (int)failures);
    c.fail_at = 0;
    free(before.memory);
    before = detector_copy(&d);

    // numbers that are none: in the model (any group of it alone), in the context
    for (size_t o = 0; o < OUT; ++o) {
        kept = s.model.tensor.out_b[o];
        s.model.tensor.out_b[o] = (real)sqrt(-1.0);
        status = pktseq_detector_fit(&d, &s.model, &s.dataset, 2, &err);
        CHECK_THAT(status == PKTSEQ_ERROR_DIVERGED, "output %d: %d", (int)o, (int)status);
        CHECK(same_detector(&d, &before) && err.text[0] && c.live == live);
        s.model.tensor.out_b[o] = kept;
    }
    for (int k = 0; k < 2; ++k) {
        pktseq_pair pair = pktseq_dataset_pair(&s.dataset, 0);
        double score = 0;
        for (size_t row = 0; row < s.dataset.rows; ++row)
            ((real *)s.dataset.c)[row * CONTEXT] = (real)(k ? HUGE_VAL : sqrt(-1.0));
        status = pktseq_detector_score(&d, &s.model, &s.work, &pair, 1, &score);
        CHECK_THAT(status || score != score || score > 1e300, "%d: score %g", k, score);
    }
    CHECK(pktseq_detector_fit(&d, &s.model, &s.dataset, 2, &err) == PKTSEQ_ERROR_DIVERGED);
    CHECK(same_detector(&d, &before) && err.text[0] && c.live == live);
    pktseq_detector_free(&d);
    CHECK(c.live == 0);

    // the same for a measure that needs no errors, where only the scores tell
    options = options_of(PKTSEQ_MEASURE_RMS, 0, 0, 0);
    CHECK(pktseq_detector_init(&d, &s.model, 0, &options, &a, NULL) == PKTSEQ_OK);
    s.model.tensor.out_b[0] = (real)HUGE_VAL;
    CHECK(pktseq_detector_fit(&d, &s.model, &s.dataset, 2, &err) == PKTSEQ_ERROR_DIVERGED);
    CHECK(d.sequences == 0 && d.threshold == DBL_MAX && err.text[0]);
    pktseq_detector_free(&d);
    CHECK(c.live == 0);
    free(before.memory);
    parts_free(&s);
}

// ---- >>contract ---------------------------------------------------------------------------------

static pktseq_status try_init(const parts *s, size_t contexts, pktseq_detector_options options) {
    counter c;
    pktseq_allocator a = counted(&c);
    pktseq_detector d;
    pktseq_status status;
    memset(&d, 0x55, sizeof d);
    status = pktseq_detector_init(&d, &s->model, contexts, &options, &a, &err);
    CHECK(err.status == status && (err.text[0] == 0) == (status == PKTSEQ_OK));
    CHECK(status == PKTSEQ_OK || (!d.memory && c.live == 0));
    pktseq_detector_free(&d);
    pktseq_detector_free(&d);
    CHECK(c.live == 0);
    return status;
}

static void test_bad_options(void) {
    parts s, nll;
    pktseq_detector d;
    double weight[GROUPS] = {1, 1, 1};
    const pktseq_detector_options good = options_of(PKTSEQ_MEASURE_RMS, 0, 0.5, 0);
    const double nan = sqrt(-1.0);
    counter c;
    pktseq_allocator a = counted(&c);
    c.fail_at = 1;
    scene_make(&s, 3, PKTSEQ_START_TARGET, PKTSEQ_LOSS_MSE);
    scene_make(&nll, 3, PKTSEQ_START_TARGET, PKTSEQ_LOSS_NLL);
    CHECK(try_init(&s, CONTEXT, good) == PKTSEQ_OK);
#define BAD(scene_, contexts, place, value) \
    do { \
        pktseq_detector_options o = good; \
        o.place = value; \
        CHECK(try_init(scene_, contexts, o) == PKTSEQ_ERROR_ARGUMENT); \
    } while (0)
    BAD(&s, CONTEXT, measure, (pktseq_measure)2);
    BAD(&s, CONTEXT, measure, (pktseq_measure)-1);
    BAD(&s, CONTEXT, measure, PKTSEQ_MEASURE_SURPRISAL);
    BAD(&s, CONTEXT, context, 1);
    BAD(&s, CONTEXT, context, -0.1);
    BAD(&s, CONTEXT, context, nan);
    BAD(&s, CONTEXT, false_positive_rate, 1.1);
    BAD(&s, CONTEXT, false_positive_rate, HUGE_VAL);
    BAD(&s, CONTEXT, false_positive_rate, nan);
    BAD(&s, 0, false_positive_rate, 0.01);  // a context that counts, but is not there
    BAD(&s, 4097, false_positive_rate, 0.01);
    weight[2] = -1;
    BAD(&s, CONTEXT, weight, weight);
    weight[2] = nan;
    BAD(&s, CONTEXT, weight, weight);
    weight[2] = HUGE_VAL;
    BAD(&s, CONTEXT, weight, weight);
#undef BAD
    {
        pktseq_detector_options o = good;
        o.measure = PKTSEQ_MEASURE_SURPRISAL;
        CHECK(try_init(&nll, CONTEXT, o) == PKTSEQ_OK);
        o = good;
        o.context = 0;
        CHECK(try_init(&s, 0, o) == PKTSEQ_OK);
    }
    CHECK(pktseq_detector_init(NULL, &s.model, 3, &good, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_detector_init(&d, NULL, 3, &good, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_detector_init(&d, &s.model, 3, &good, &a, NULL) == PKTSEQ_ERROR_MEMORY);
    CHECK(!d.memory && c.live == 0);
    pktseq_detector_free(NULL);
    parts_free(&s);
    parts_free(&nll);
}

// Reasons, of a whole pair and of each of its packets: the columns whose parts add up to most, the
// packet where each was worst, and of that packet what the table says.
static void test_reasons(void) {
    parts s;
    pktseq_detector d;
    pktseq_reason reason[3];
    double part[30 * (GROUPS + CONTEXT)], score;
    size_t n = 99, negative = 0;
    scene_make(&s, 3, PKTSEQ_START_INPUT, PKTSEQ_LOSS_NLL);
    d = detector_make(&s, options_of(PKTSEQ_MEASURE_SURPRISAL, 1, 0.5, 1), 1);
    for (size_t i = 0; i < s.dataset.pairs; ++i) {
        pktseq_pair pair = pktseq_dataset_pair(&s.dataset, i);
        CHECK(!pktseq_detector_explain(&d, &s.model, &s.work, &pair, part, &score));
        for (size_t k = 0; k <= pair.targets; ++k) {  // all steps, then one after the other
            size_t first = k ? k - 1 : 0, past = k ? k : pair.targets, p;
            double sum[GROUPS + CONTEXT] = {0}, all = 0, before = 1;
            CHECK(!pktseq_detector_reasons(&d, &s.codec, &s.work, &pair, part, first, past, reason,
                                           &n));
            for (p = 0; p < GROUPS + CONTEXT; ++p) {
                for (size_t t = first; t < past; ++t) sum[p] += part[t * (GROUPS + CONTEXT) + p];
                if (sum[p] > 0) all += sum[p];
                negative += sum[p] < 0;
            }
            CHECK(n == 3);
            for (size_t r = 0; r < n; ++r) {
                size_t t = reason[r].packet - 1 - pair.inputs, row = s.dataset.first_row[i] + t + 3;
                const pktseq_column *column = pktseq_table_column(&s.table, reason[r].column);
                for (p = 0; strcmp(scene_field[p < GROUPS ? p : p + 1].column, reason[r].column);)
                    ++p;
                CHECK(close_to(reason[r].share, sum[p] / all, 1e-12) && reason[r].share <= before);
                before = reason[r].share;
                CHECK(t >= first && t < past);
                for (size_t u = first; u < past; ++u)
                    CHECK(part[u * (GROUPS + CONTEXT) + p] <= part[t * (GROUPS + CONTEXT) + p]);
                if (column->names) CHECK(!strcmp(reason[r].seen, pktseq_column_text(column, row)));
                else CHECK(fabs(atof(reason[r].seen) - pktseq_column_number(column, row)) <=
                           0.0051 * fabs(pktseq_column_number(column, row)) + 1e-5);
                CHECK((strncmp(reason[r].expected, "about ", 6) == 0) == (p >= GROUPS));
            }
            for (p = 0; p < GROUPS + CONTEXT; ++p)  // no other adds more than the last
                CHECK(sum[p] / all <= before * (1 + 1e-12) ||
                      !strcmp(reason[0].column, scene_field[p < GROUPS ? p : p + 1].column) ||
                      !strcmp(reason[1].column, scene_field[p < GROUPS ? p : p + 1].column));
        }
        CHECK(pktseq_detector_reasons(&d, &s.codec, &s.work, &pair, part, 1, 1, reason, &n) ==
              PKTSEQ_ERROR_ARGUMENT);
        CHECK(pktseq_detector_reasons(&d, &s.codec, &s.work, &pair, part, 0, pair.targets + 1,
                                      reason, &n) == PKTSEQ_ERROR_ARGUMENT);
    }
    CHECK(negative > 0);  // what lowers a score is no reason, and no share is made of it
    {
        pktseq_pair pair = pktseq_dataset_pair(&s.dataset, 0);
        // a number may be more than a size_t holds, as no class is
        for (size_t f = 0; f < s.codec.field_count; ++f) s.codec.field[f].mean = 1e20;
        CHECK(pktseq_detector_reasons(&d, &s.codec, &s.work, &pair, part, 0, 1, reason, &n) ==
              PKTSEQ_OK);
        ++s.codec.contexts;
        CHECK(pktseq_detector_reasons(&d, &s.codec, &s.work, &pair, part, 0, 1, reason, &n) ==
              PKTSEQ_ERROR_MISMATCH);
        --s.codec.contexts;
    }
    pktseq_detector_free(&d);
    parts_free(&s);
}

static void test_refusals(void) {
    parts s, other, nll;
    pktseq_detector d, none, surprisal;
    pktseq_stream stream;
    pktseq_pair pair, bad, many[10];
    pktseq_work nothing;
    pktseq_model empty, wide;
    pktseq_config config;
    pktseq_dataset no_pairs;
    counter c;
    pktseq_allocator a = counted(&c);
    double score = 7, part[30 * (GROUPS + CONTEXT)], *all;
    memset(&none, 0, sizeof none);
    memset(&nothing, 0, sizeof nothing);
    memset(&empty, 0, sizeof empty);
    memset(&no_pairs, 0, sizeof no_pairs);
    scene_make(&s, 3, PKTSEQ_START_INPUT, PKTSEQ_LOSS_MSE);
    scene_make(&other, 1, PKTSEQ_START_INPUT, PKTSEQ_LOSS_MSE);
    scene_make(&nll, 3, PKTSEQ_START_INPUT, PKTSEQ_LOSS_NLL);
    d = detector_make(&s, options_of(PKTSEQ_MEASURE_RMS, 0, 0.5, 1), 0);
    surprisal = detector_make(&nll, options_of(PKTSEQ_MEASURE_SURPRISAL, 0, 0.5, 1), 0);
    pair = pktseq_dataset_pair(&s.dataset, 0);
    all = (double *)malloc(other.dataset.pairs * sizeof *all);
#define REFUSED(status, d_, model, work, pair_) \
    do { \
        CHECK(pktseq_detector_score(d_, model, work, pair_, 1, &score) == status); \
        CHECK(pktseq_detector_explain(d_, model, work, pair_, part, &score) == status); \
        CHECK(score == 7); \
    } while (0)
    REFUSED(PKTSEQ_ERROR_ARGUMENT, NULL, &s.model, &s.work, &pair);
    REFUSED(PKTSEQ_ERROR_ARGUMENT, &none, &s.model, &s.work, &pair);
    REFUSED(PKTSEQ_ERROR_ARGUMENT, &d, NULL, &s.work, &pair);
    REFUSED(PKTSEQ_ERROR_ARGUMENT, &d, &s.model, NULL, &pair);
    REFUSED(PKTSEQ_ERROR_ARGUMENT, &d, &s.model, &nothing, &pair);
    REFUSED(PKTSEQ_ERROR_ARGUMENT, &d, &s.model, &s.work, NULL);
    REFUSED(PKTSEQ_ERROR_MISMATCH, &d, &empty, &s.work, &pair);
    REFUSED(PKTSEQ_ERROR_MISMATCH, &surprisal, &s.model, &s.work, &pair);
    REFUSED(PKTSEQ_ERROR_MISMATCH, &d, &s.model, &nll.work, &pair);
    REFUSED(PKTSEQ_ERROR_MISMATCH, &d, &other.model, &other.work, &pair);
    bad = pair;
    bad.target = NULL;
    REFUSED(PKTSEQ_ERROR_ARGUMENT, &d, &s.model, &s.work, &bad);
    bad = pair;
    bad.context = NULL;
    REFUSED(PKTSEQ_ERROR_ARGUMENT, &d, &s.model, &s.work, &bad);
    bad = pair;
    bad.targets = 0;
    REFUSED(PKTSEQ_ERROR_ARGUMENT, &d, &s.model, &s.work, &bad);
    bad.targets = 1000;
    REFUSED(PKTSEQ_ERROR_MISMATCH, &d, &s.model, &s.work, &bad);
#undef REFUSED
    CHECK(pktseq_detector_score(&d, &s.model, &s.work, &pair, 0, &score) == PKTSEQ_ERROR_ARGUMENT);
    for (size_t i = 0; i < 10; ++i) many[i] = pair;
    CHECK(pktseq_detector_score(&d, &s.model, &s.work, many, 10, part) == PKTSEQ_ERROR_MISMATCH);
    CHECK(pktseq_detector_score(&d, &s.model, &s.work, &pair, 1, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_detector_explain(&d, &s.model, &s.work, &pair, NULL, &score) ==
          PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_detector_explain(&d, &s.model, &s.work, &pair, part, NULL) ==
          PKTSEQ_ERROR_ARGUMENT);
    CHECK(score == 7);

    // fit and score_all: the same, with words
    for (int fit = 0; fit < 2; ++fit) {
#define TRY(d_, model, dataset, threads) \
    (memset(&err, 0x55, sizeof err), \
     fit ? pktseq_detector_fit(d_, model, dataset, threads, &err) \
         : pktseq_detector_score_all(d_, model, dataset, threads, all, &err))
        CHECK(TRY(NULL, &s.model, &s.dataset, 1) == PKTSEQ_ERROR_ARGUMENT && err.text[0]);
        CHECK(TRY(&none, &s.model, &s.dataset, 1) == PKTSEQ_ERROR_ARGUMENT && err.text[0]);
        CHECK(TRY(&d, NULL, &s.dataset, 1) == PKTSEQ_ERROR_ARGUMENT && err.text[0]);
        CHECK(TRY(&d, &empty, &s.dataset, 1) == PKTSEQ_ERROR_ARGUMENT && err.text[0]);
        CHECK(TRY(&d, &s.model, NULL, 1) == PKTSEQ_ERROR_ARGUMENT && err.text[0]);
        CHECK(TRY(&d, &s.model, &no_pairs, 1) == PKTSEQ_ERROR_ARGUMENT && err.text[0]);
        CHECK(TRY(&d, &s.model, &s.dataset, -1) == PKTSEQ_ERROR_ARGUMENT && err.text[0]);
        CHECK(TRY(&d, &s.model, &s.dataset, 1025) == PKTSEQ_ERROR_ARGUMENT && err.text[0]);
        CHECK(TRY(&d, &s.model, &other.dataset, 1) == PKTSEQ_ERROR_MISMATCH);
        CHECK_THAT(strstr(err.text, "model takes 3 input packets"), "%s", err.text);
        CHECK(TRY(&surprisal, &s.model, &s.dataset, 1) == PKTSEQ_ERROR_MISMATCH);
        s.dataset.contexts = 2;
        CHECK(TRY(&d, &s.model, &s.dataset, 1) == PKTSEQ_ERROR_MISMATCH);
        CHECK_THAT(strstr(err.text, "3 fields of context"), "%s", err.text);
        s.dataset.contexts = CONTEXT;
        CHECK(d.sequences == 0 && d.threshold == DBL_MAX);
#undef TRY
    }
    CHECK(pktseq_detector_score_all(&d, &s.model, &s.dataset, 1, NULL, NULL) ==
          PKTSEQ_ERROR_ARGUMENT);

    // a detector of another number of groups
    config = s.model.config;
    config.groups = 0;
    CHECK(pktseq_model_init(&wide, &config, 1, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_detector_score(&d, &wide, &s.work, &pair, 1, &score) == PKTSEQ_ERROR_MISMATCH);
    CHECK(pktseq_stream_init(&stream, &wide, &d, NULL, &err) == PKTSEQ_ERROR_MISMATCH);
    CHECK(!stream.h && err.text[0]);
    pktseq_model_free(&wide);

    CHECK(pktseq_stream_init(NULL, &s.model, &d, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_stream_init(&stream, NULL, &d, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_stream_init(&stream, &empty, &d, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_stream_init(&stream, &s.model, NULL, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_stream_init(&stream, &s.model, &none, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_stream_push(&stream, s.dataset.x, s.dataset.y, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_stream_score(&stream, &score) == PKTSEQ_ERROR_ARGUMENT);
    c.fail_at = 1;
    CHECK(pktseq_stream_init(&stream, &s.model, &d, &a, &err) == PKTSEQ_ERROR_MEMORY);
    CHECK(!stream.h && !stream.allocator.user_data && c.live == 0);
    CHECK(err.status == PKTSEQ_ERROR_MEMORY);
    CHECK(pktseq_stream_init(&stream, &s.model, &d, &a, &err) == PKTSEQ_OK && c.live == 1);
    CHECK(pktseq_stream_push(NULL, s.dataset.x, s.dataset.y, s.dataset.c) ==
          PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_stream_push(&stream, NULL, s.dataset.y, s.dataset.c) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_stream_push(&stream, s.dataset.x, NULL, s.dataset.c) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_stream_push(&stream, s.dataset.x, s.dataset.y, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(stream.packets == 0);
    for (int i = 0; i < 4; ++i)
        CHECK(pktseq_stream_push(&stream, s.dataset.x, s.dataset.y, s.dataset.c) == PKTSEQ_OK);
    CHECK(pktseq_stream_score(&stream, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_stream_score(NULL, &score) == PKTSEQ_ERROR_ARGUMENT && score == 7);
    CHECK(pktseq_stream_score(&stream, &score) == PKTSEQ_OK && score != 7);
    pktseq_stream_free(&stream);
    CHECK(c.live == 0);

    // score_all without memory
    {
        pktseq_detector_options options = options_of(PKTSEQ_MEASURE_RMS, 0, 0, 0);
        pktseq_detector tight;
        pktseq_status status = PKTSEQ_ERROR_MEMORY;
        size_t k = 0;
        c.fail_at = 0;
        CHECK(pktseq_detector_init(&tight, &s.model, 0, &options, &a, NULL) == PKTSEQ_OK);
        while (status == PKTSEQ_ERROR_MEMORY && k < 100) {
            c.fail_at = c.allocations + ++k;
            status = pktseq_detector_score_all(&tight, &s.model, &s.dataset, 2, all, &err);
            CHECK(c.live == 1 && err.status == status);
        }
        CHECK(status == PKTSEQ_OK && k > 4);
        pktseq_detector_free(&tight);
    }
    free(all);
    pktseq_detector_free(&d);
    pktseq_detector_free(&surprisal);
    parts_free(&s);
    parts_free(&other);
    parts_free(&nll);
}

static void test_recommended(void) {
    pktseq_field field[3];
    size_t group_field[3] = {0, 1, 2};
    pktseq_codec codec;
    pktseq_detector_options o;
    double weight[3] = {9, 9, 9};
    memset(field, 0, sizeof field);
    memset(&codec, 0, sizeof codec);
    field[0].column = "timestamp";
    field[1].column = "token";
    field[2].column = "length";
    codec.field = field;
    codec.groups = codec.field_count = 3;
    codec.group_field = group_field;
    o = pktseq_detector_options_recommended(&codec, weight);
    CHECK(o.measure == PKTSEQ_MEASURE_SURPRISAL && o.one_step_ahead && o.by_length);
    CHECK(o.weight == weight && weight[0] == 0 && weight[1] == 1 && weight[2] == 0);
    CHECK(o.context == 0 && o.false_positive_rate == 0);  // which means 0.01
    codec.contexts = 2;
    field[1].column = "flag";
    o = pktseq_detector_options_recommended(&codec, weight);
    CHECK(o.context == 0.65 && weight[0] == 1 && weight[1] == 1 && weight[2] == 1);
    o = pktseq_detector_options_recommended(NULL, weight);
    CHECK(!o.weight && o.context == 0);
    o = pktseq_detector_options_recommended(&codec, NULL);
    CHECK(!o.weight);
}

// ---- >>files ------------------------------------------------------------------------------------

// A saved detector is the same when it is loaded, and gives the same scores.
static void check_saved(parts *s, const pktseq_detector *d, const pktseq_codec *codec) {
    size_t bytes = s->dataset.pairs * sizeof(double);
    double *before = (double *)malloc(bytes), *after = (double *)malloc(bytes);
    pktseq_buffer buffer;
    pktseq_model model;
    pktseq_codec loaded_codec;
    pktseq_detector loaded;
    CHECK(pktseq_save_mem(&s->model, codec, NULL, d, &buffer, NULL, NULL) == PKTSEQ_OK);
    for (int with = 0; with < 2; ++with) {  // the codec may be wanted or not, and be there or not
        memset(&loaded, 0x55, sizeof loaded);
        CHECK_THAT(pktseq_load_mem(&model, with ? &loaded_codec : NULL, NULL, &loaded, buffer.data,
                                   buffer.size, NULL, &err) == PKTSEQ_OK,
                   "codec %s, %s: %s", codec ? "saved" : "not saved",
                   with ? "wanted" : "not wanted", err.text);
        if (!loaded.memory) continue;
        CHECK(same_detector(d, &loaded) && !loaded.options.weight);
        CHECK(pktseq_detector_score_all(d, &s->model, &s->dataset, 1, before, NULL) == PKTSEQ_OK);
        CHECK(pktseq_detector_score_all(&loaded, &model, &s->dataset, 2, after, NULL) == PKTSEQ_OK);
        CHECK(memcmp(before, after, bytes) == 0);
        pktseq_detector_free(&loaded);
        pktseq_model_free(&model);
        if (with) pktseq_codec_free(&loaded_codec);
    }
    pktseq_buffer_free(&buffer);
    free(before);
    free(after);
}

static void test_saved(void) {
    static const double weight[GROUPS] = {1.0 / 3, 0, 7};
    pktseq_buffer buffer;
    parts s, other;
    pktseq_detector d;
    scene_make(&s, 3, PKTSEQ_START_INPUT, PKTSEQ_LOSS_NLL);
    scene_make(&other, 3, PKTSEQ_START_INPUT, PKTSEQ_LOSS_MSE);
    for (int measure = 0; measure < 2; ++measure)
        for (int k = 0; k < 8; ++k) {
            pktseq_detector_options options =
                options_of((pktseq_measure)measure, k & 1, k & 2 ? 0.75 : 0, k >> 2);
            options.weight = weight;
            d = detector_make(&s, options, k != 3);
            d.seconds = 1e5 / 3;
            d.unknown = 1.0 / 7;
            check_saved(&s, &d, &s.codec);
            check_saved(&s, &d, NULL);
            pktseq_detector_free(&d);
        }
    // of another model, of another codec, with numbers that cannot be
    d = detector_make(&s, options_of(PKTSEQ_MEASURE_SURPRISAL, 1, 0.5, 1), 1);
    CHECK(pktseq_save_mem(&other.model, NULL, NULL, &d, &buffer, NULL, &err) ==
          PKTSEQ_ERROR_MISMATCH);
    CHECK_THAT(strstr(err.text, "detector"), "%s", err.text);
    CHECK(!buffer.data);
    s.codec.contexts = 2;
    CHECK(pktseq_save_mem(&s.model, &s.codec, NULL, &d, &buffer, NULL, &err) ==
          PKTSEQ_ERROR_MISMATCH);
    CHECK_THAT(strstr(err.text, "detector"), "%s", err.text);
    s.codec.contexts = CONTEXT;
    for (int k = 0; k < 11; ++k) {
        double *place[11], kept;
        place[0] = &d.threshold;
        place[1] = &d.threshold_low;
        place[2] = &d.threshold_high;
        place[3] = &d.weight[2];
        place[4] = &d.error[OUT - 1];
        place[5] = &d.mean[0];
        place[6] = &d.precision[8];
        place[7] = &d.scale[1];
        place[8] = &d.length_scale[3];
        place[9] = &d.options.context;
        place[10] = &d.options.false_positive_rate;
        kept = *place[k];
        *place[k] = sqrt(-1.0);
        CHECK_THAT(pktseq_save_mem(&s.model, &s.codec, NULL, &d, &buffer, NULL, &err) ==
                       PKTSEQ_ERROR_DATA && !buffer.data, "number %d", k);
        *place[k] = kept;
    }
    CHECK(pktseq_save_mem(&s.model, &s.codec, NULL, &d, &buffer, NULL, &err) == PKTSEQ_OK);
    pktseq_buffer_free(&buffer);
    pktseq_detector_free(&d);
    parts_free(&s);
    parts_free(&other);
}

// ---- >>evaluation -------------------------------------------------------------------------------

static void test_quantile(void) {
    // s = seed 12345 after 3400 draws: value = [(d() / 16777216.0 - 0.5) * 4 for _ in range(11)]
    // print(["%.17g" % numpy.quantile(value, q) for q in (0, .01, .1, .25, .5, .75, .95, .99, 1)])
    static const double value[11] = {
        -1.4523050785064697, 1.2573785781860352, -0.42682385444641113, -1.3118600845336914,
        -0.86547040939331055, -1.2700130939483643, 1.3493719100952148, 1.2243862152099609,
        0.11255979537963867, -1.5404732227325439, 0.12225723266601562};
    static const double q[9] = {0, .01, .1, .25, .5, .75, .95, .99, 1};
    static const double far[3] = {-1.7e308, 1.7e308, 1.7e308};  // their difference is infinite
    static const double want[9] = {-1.5404732227325439, -1.5316564083099364, -1.4523050785064697,
                                   -1.2909365892410278, -0.42682385444641113, 0.67332172393798828,
                                   1.303375244140625, 1.3401725769042969, 1.3493719100952148};
    double kept[11], got = 7, bad[2];
    counter c;
    pktseq_allocator a = counted(&c);
    memcpy(kept, value, sizeof kept);
    for (size_t i = 0; i < 9; ++i) {
        CHECK(pktseq_quantile(kept, 11, q[i], &got, &a, &err) == PKTSEQ_OK && err.text[0] == 0);
        CHECK_THAT(fabs(got - want[i]) < 1e-15, "q %g: %.17g, numpy %.17g", q[i], got, want[i]);
    }
    CHECK(memcmp(kept, value, sizeof kept) == 0 && c.live == 0);
    CHECK(pktseq_quantile(value, 1, 0.3, &got, NULL, NULL) == PKTSEQ_OK && got == value[0]);
    CHECK(pktseq_quantile(value, 2, 0.5, &got, NULL, NULL) == PKTSEQ_OK);
    CHECK(fabs(got - (value[0] + value[1]) / 2) < 1e-15);
    CHECK(pktseq_quantile(far, 3, 0, &got, NULL, NULL) == PKTSEQ_OK && got == far[0]);
    CHECK(pktseq_quantile(far, 3, 0.25, &got, NULL, NULL) == PKTSEQ_OK && got == 0);
    CHECK(pktseq_quantile(far, 3, 0.5, &got, NULL, NULL) == PKTSEQ_OK && got == far[1]);
    got = 7;
    CHECK(pktseq_quantile(NULL, 3, 0.5, &got, NULL, &err) == PKTSEQ_ERROR_ARGUMENT && err.text[0]);
    CHECK(pktseq_quantile(value, 0, 0.5, &got, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_quantile(value, 3, 0.5, NULL, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_quantile(value, 3, -0.01, &got, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_quantile(value, 3, 1.01, &got, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_quantile(value, 3, sqrt(-1.0), &got, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    bad[0] = 1;
    bad[1] = sqrt(-1.0);
    CHECK(pktseq_quantile(bad, 2, 0.5, &got, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    c.fail_at = c.allocations + 1;
    CHECK(pktseq_quantile(value, 3, 0.5, &got, &a, &err) == PKTSEQ_ERROR_MEMORY && c.live == 0);
    CHECK(err.status == PKTSEQ_ERROR_MEMORY && got == 7);
}

// A threshold just above the highest score that lets more than `share` of the normal through.
static double plain_tpr(const double *score, const unsigned char *anomalous, size_t n,
                        double share) {
    double best = 0, normal = 0, all = 0;
    for (size_t i = 0; i < n; ++i) anomalous[i] ? ++all : ++normal;
    for (size_t k = 0; k < n; ++k) {
        double fp = 0, tp = 0;
        for (size_t i = 0; i < n; ++i)
            if (score[i] >= score[k]) anomalous[i] ? ++tp : ++fp;
        if (fp <= share * normal && tp / all > best) best = tp / all;
    }
    return best;
}

static void check_evaluation(const double *score, const unsigned char *anomalous, size_t n,
                             double auc, double ap) {
    pktseq_evaluation e;
    double wins = 0, pairs = 0, precisions = 0, all = 0;
    memset(&e, 0x55, sizeof e);
    CHECK(pktseq_evaluate(score, anomalous, n, &e, NULL, NULL) == PKTSEQ_OK);
    for (size_t i = 0; i < n; ++i) {
        double above = 0, good = 0;
        if (!anomalous[i]) continue;
        ++all;
        for (size_t j = 0; j < n; ++j) {
            if (!anomalous[j]) {
                wins += score[i] > score[j] ? 1 : score[i] == score[j] ? 0.5 : 0;
                ++pairs;
            }
            above += score[j] >= score[i];
            good += score[j] >= score[i] && anomalous[j];
        }
        precisions += good / above;  // each anomalous one is recalled at its own score
    }
    CHECK(e.anomalous == (size_t)all && e.normal == n - (size_t)all);
    CHECK_THAT(fabs(e.auc - wins / pairs) < 1e-13, "%.17g, counted %.17g", e.auc, wins / pairs);
    CHECK_THAT(fabs(e.average_precision - precisions / all) < 1e-13, "%.17g, plainly %.17g",
               e.average_precision, precisions / all);
    CHECK(e.tpr_at_1_percent == plain_tpr(score, anomalous, n, 0.01));
    CHECK(e.tpr_at_01_percent == plain_tpr(score, anomalous, n, 0.001));
    if (auc > 0) {
        CHECK_THAT(fabs(e.auc - auc) < 1e-13, "%.17g, scikit-learn %.17g", e.auc, auc);
        CHECK_THAT(fabs(e.average_precision - ap) < 1e-13, "%.17g, scikit-learn %.17g",
                   e.average_precision, ap);
    }
}

static void test_evaluate(void) {
    // for n, levels in the list, with d() the generator of next_draw from seed 12345:
    //   label[i] = d() % 5 == 0;  score[i] = (d() % levels + (levels // 5 if label[i] else 0)) / 8
    // print("%.17g %.17g" % (roc_auc_score(label, score), average_precision_score(label, score)))
    static const struct {
        size_t n, levels;
        double auc, ap;
    } known[] = {{200, 7, 0.67531249999999998, 0.3956041428972179},
                 {500, 50, 0.6480289330922242, 0.44099867943432519},
                 {1000, 1000, 0.6684046068384254, 0.46335004135936919}};
    static double score[1000];
    static unsigned char label[1000];
    uint64_t s = 12345;
    for (size_t k = 0; k < 3; ++k) {
        for (size_t i = 0; i < known[k].n; ++i) {
            label[i] = next_draw(&s) % 5 == 0;
            score[i] = (double)(next_draw(&s) % known[k].levels +
                                (label[i] ? known[k].levels / 5 : 0)) / 8;
        }
        check_evaluation(score, label, known[k].n, known[k].auc, known[k].ap);
    }
    for (size_t n = 2; n < 40; ++n) {  // small ones, of two to four different scores
        for (size_t i = 0; i < n; ++i) {
            label[i] = i == 0 || (i > 1 && next_draw(&s) % 2);
            score[i] = (double)(next_draw(&s) % (2 + n % 3)) - 1;
        }
        check_evaluation(score, label, n, 0, 0);
    }
    {  // by hand: 4 anomalous (A), 6 normal (n), of scores  5A 4A 4n 3n 2A 2A 2n 2n 1n 0n
        static const double hand[] = {2, 5, 4, 0, 2, 4, 3, 2, 1, 2};
        static const unsigned char is[] = {1, 1, 0, 0, 0, 1, 0, 0, 0, 1};
        pktseq_evaluation e;
        CHECK(pktseq_evaluate(hand, is, 10, &e, NULL, NULL) == PKTSEQ_OK);
        CHECK(e.normal == 6 && e.anomalous == 4);
        // 6 + 5.5 + 3 + 3 of 24;  1/4 * 1 + 1/4 * 2/3 + 2/4 * 4/8
        CHECK_THAT(fabs(e.auc - 17.5 / 24) < 1e-15, "%.17g", e.auc);
        CHECK_THAT(fabs(e.average_precision - (0.25 + 1 / 6.0 + 0.25)) < 1e-15, "%.17g",
                   e.average_precision);
        CHECK(e.tpr_at_1_percent == 0.25 && e.tpr_at_01_percent == 0.25);
    }
    {  // 100 normal of scores 1 to 100: one may be above at 1 %, none at 0.1 %
        pktseq_evaluation e;
        for (size_t i = 0; i < 100; ++i) score[i] = (double)(i + 1), label[i] = 0;
        score[100] = 101, score[101] = 99.5, score[102] = 98.5, score[103] = 99;
        for (size_t i = 100; i < 104; ++i) label[i] = 1;
        CHECK(pktseq_evaluate(score, label, 104, &e, NULL, NULL) == PKTSEQ_OK);
        CHECK(e.tpr_at_1_percent == 0.5 && e.tpr_at_01_percent == 0.25);
    }
    {
        counter c;
        pktseq_allocator a = counted(&c);
        pktseq_evaluation e;
        c.fail_at = 1;
        for (int one = 0; one < 2; ++one) {
            memset(label, one, sizeof label);
            CHECK(pktseq_evaluate(score, label, 50, &e, NULL, &err) == PKTSEQ_ERROR_DATA);
            CHECK_THAT(strstr(err.text, one ? "anomalous" : "normal"), "%s", err.text);
        }
        label[0] = 0;
        CHECK(pktseq_evaluate(score, label, 50, &e, &a, &err) == PKTSEQ_ERROR_MEMORY);
        CHECK(err.status == PKTSEQ_ERROR_MEMORY && c.live == 0);
        CHECK(pktseq_evaluate(score, label, 50, &e, &a, &err) == PKTSEQ_OK && c.live == 0);
        CHECK(pktseq_evaluate(NULL, label, 50, &e, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
        CHECK(pktseq_evaluate(score, NULL, 50, &e, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
        CHECK(pktseq_evaluate(score, label, 0, &e, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
        CHECK(pktseq_evaluate(score, label, 50, NULL, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
        score[7] = sqrt(-1.0);
        CHECK(pktseq_evaluate(score, label, 50, &e, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
        CHECK(err.text[0]);
    }
}

// ---- >>edges: few sequences, perfect forecasts, odd contexts -----------------------------------

// By length: a class of 20 sequences is divided by its own mean and deviation, one of 19 by those
// of all.
static void test_few_of_a_length(void) {
    enum { SHORT = 4, LONG = 20, ALL = 40 };
    real x[ALL * LONG];
    size_t start[ALL + 1];
    plan how = small_plan(NULL, 0);
    for (size_t i = 0; i < ALL * LONG; ++i) x[i] = (real)sin(0.01 * (double)(i * i));
    for (size_t few = 19; few <= 20; ++few) {
        parts p;
        double score[ALL], sum[2] = {0, 0}, square[2] = {0, 0};
        start[0] = 0;
        for (size_t i = 0; i < ALL; ++i) start[i + 1] = start[i] + (i < few ? SHORT : LONG);
        p = wrapped_parts(x, 1, start, ALL);
        how.detector.by_length = 0;
        CHECK(parts_fit(&p, &how, NULL) == PKTSEQ_OK);
        CHECK(!pktseq_detector_score_all(&p.detector, &p.model, &p.dataset, 1, score, NULL));
        pktseq_detector_free(&p.detector);
        for (size_t i = 0; i < ALL; ++i)
            for (int all = 0; all < 2; ++all) {
                sum[all] += all || i < few ? score[i] : 0;
                square[all] += all || i < few ? score[i] * score[i] : 0;
            }
        how.detector.by_length = 1;
        CHECK(parts_fit(&p, &how, NULL) == PKTSEQ_OK);
        {
            const double *scale = p.detector.length_scale;
            int all = few < 20;
            double n = all ? ALL : 20, mean = sum[all] / n;
            double want = mean + 2 * sqrt(square[all] / n - mean * mean);
            CHECK_THAT(fabs(scale[0] / want - 1) < 1e-6, "%.17g, not %.17g", scale[0], want);
            CHECK(scale[1] == scale[2]);  // none: those of all
            CHECK((scale[0] == scale[1]) == all);
        }
        parts_free(&p);
    }
}

// A forecast that is always right: all errors, scores and parts are 0, and none is not a number.
static void test_perfect(void) {
    real x[FLAT_ROWS * FLAT_WIDE];
    plan how = small_plan(NULL, 0);
    parts p = flat_parts(x, 0);

    memset(p.model.block, 0, p.model.parameters * sizeof *p.model.block);
    for (int k = 0; k < 4; ++k) {
        pktseq_pair pair = pktseq_dataset_pair(&p.dataset, 0);
        const pktseq_detector *d = &p.detector;
        double score[3] = {9, 9, 9}, part[8], sum = 0;
        how.detector.measure = k & 1 ? PKTSEQ_MEASURE_SURPRISAL : PKTSEQ_MEASURE_RMS;
        p.model.config.loss = k & 1 ? PKTSEQ_LOSS_NLL : PKTSEQ_LOSS_MSE;
        how.detector.by_length = k >> 1;
        CHECK_THAT(parts_fit(&p, &how, &err) == PKTSEQ_OK, "%s", err.text);
        CHECK(d->threshold == 0 && d->threshold_low == -DBL_MAX && d->threshold_high == DBL_MAX &&
              d->sequences == 3);
        CHECK(d->error[0] > 0);  // it divides
        CHECK(pktseq_detector_score_all(d, &p.model, &p.dataset, 1, score, &err) == PKTSEQ_OK);
        CHECK(score[0] == 0 && score[1] == 0 && score[2] == 0);
        CHECK(pktseq_work_init(&p.work, &p.model.config, 1, 8, 1, NULL, NULL) == PKTSEQ_OK);
        CHECK(pktseq_detector_explain(d, &p.model, &p.work, &pair, part, score) == PKTSEQ_OK);
        for (size_t i = 0; i < pair.targets * d->groups; ++i) sum += fabs(part[i]);
        CHECK(sum == 0 && score[0] == 0);  // 0 / 0 would be seen here
        pktseq_work_free(&p.work);
        pktseq_detector_free(&p.detector);
    }
    parts_free(&p);
}

// A number to forecast and one of the context; half of a score is the context's.
static pktseq_status fit_context(parts *p, const char *csv, pktseq_error *err) {
    static const pktseq_field field[] = {FIELD("length", NUMBER, BOTH),
                                         FIELD("gap", NUMBER, CONTEXT)};
    plan how = small_plan(field, 2);
    memset(p, 0, sizeof *p);
    how.detector.context = 0.5;
    CHECK_THAT(!parts_parse(p, &how, csv, strlen(csv), err) && !parts_learn(p, &how, err), "%s",
               err->text);
    return parts_fit(p, &how, err);
}

// One packet to learn a context from: nothing is divided by n - 1 = 0, and that packet itself is
// as normal as can be.
static void test_one_context(void) {
    parts p;
    pktseq_pair pair;
    double part[4] = {1, 1, 1, 1}, score = -1;
    CHECK_THAT(fit_context(&p, "position,length,gap\n0,1,5\n1,1,6\n2,1,7\n3,2,8\n", &err) ==
                   PKTSEQ_OK, "%s", err.text);
    CHECK(p.detector.mean[0] == 8 && fabs(p.detector.precision[0] - 25) < 1e-9);
    CHECK(pktseq_work_init(&p.work, &p.model.config, 1, 1, 1, NULL, NULL) == PKTSEQ_OK);
    pair = pktseq_dataset_pair(&p.dataset, 0);
    CHECK(!pktseq_detector_explain(&p.detector, &p.model, &p.work, &pair, part, &score));
    CHECK(part[1] == 0 && part[0] > 0 && fabs(part[0] - score) < 1e-12);
    parts_free(&p);
}

// A context so large that its covariance is not finite: said, instead of scores that are all 0.
static void test_large_context(void) {
    parts p;
    if (sizeof(real) == 4) return;  // the square of a float fits a double
    CHECK(fit_context(&p, "position,length,gap\n0,1,5\n1,1,6\n2,1,7\n3,2,1e200\n4,1,2\n",
                      &err) == PKTSEQ_ERROR_DIVERGED);
    CHECK_THAT(says(&err, "covariance of the context has no inverse"), "%s", err.text);
    CHECK(p.detector.sequences == 0 && p.detector.precision[0] == 1);
    parts_free(&p);
}

// A sequence of more packets than a batch of scoring otherwise has: it is one all the same.
static void test_long_sequence(void) {
    enum { MANY = 2500 };
    static real x[MANY];
    const size_t start[] = {0, MANY};
    plan how = small_plan(NULL, 0);
    parts p;
    pktseq_pair pair;
    double all = -1, alone = -2;
    for (size_t i = 0; i < MANY; ++i) x[i] = (real)sin(0.01 * (double)i);
    p = wrapped_parts(x, 1, start, 1);
    CHECK(!pktseq_detector_init(&p.detector, &p.model, 0, &how.detector, NULL, NULL));
    CHECK(!pktseq_detector_score_all(&p.detector, &p.model, &p.dataset, 1, &all, NULL));
    CHECK(pktseq_work_init(&p.work, &p.model.config, 1, MANY, 1, NULL, NULL) == PKTSEQ_OK);
    pair = pktseq_dataset_pair(&p.dataset, 0);
    CHECK(!pktseq_detector_score(&p.detector, &p.model, &p.work, &pair, 1, &alone));
    CHECK_THAT(all > 0 && all >= alone && all <= alone, "%g, %g", all, alone);
    parts_free(&p);
}

// A share of the context that is asked for after the detector was made, which knows of none: no
// score is made up, and the detector stays as it was.
static void test_no_context(void) {
    real x[FLAT_ROWS * FLAT_WIDE];
    plan how = small_plan(NULL, 0);
    parts p = flat_parts(x, 1);

    for (int nll = 0; nll < 2; ++nll) {
        pktseq_detector *d = &p.detector;
        double score[3] = {7, 7, 7};
        how.detector.measure = nll ? PKTSEQ_MEASURE_SURPRISAL : PKTSEQ_MEASURE_RMS;
        p.model.config.loss = nll ? PKTSEQ_LOSS_NLL : PKTSEQ_LOSS_MSE;
        CHECK(pktseq_detector_init(d, &p.model, 0, &how.detector, NULL, &err) == PKTSEQ_OK);
        d->options.context = 0.5;
        CHECK(pktseq_detector_score_all(d, &p.model, &p.dataset, 0, score, &err) ==
              PKTSEQ_ERROR_MISMATCH);
        CHECK_THAT(says(&err, "0 fields of context; there are 2, 2 and 0"), "%s", err.text);
        CHECK(score[0] == 7 && score[1] == 7 && score[2] == 7);
        CHECK(pktseq_detector_fit(d, &p.model, &p.dataset, 0, &err) == PKTSEQ_ERROR_MISMATCH);
        CHECK(d->sequences == 0 && d->threshold == DBL_MAX && d->error[0] == 1);
        CHECK(pktseq_save_mem(&p.model, NULL, NULL, d, &p.file, NULL, &err) ==
              PKTSEQ_ERROR_MISMATCH);
        CHECK_THAT(says(&err, "another codec's") && !p.file.data, "%s", err.text);
        d->options.context = 0;
        CHECK(pktseq_detector_fit(d, &p.model, &p.dataset, 0, &err) == PKTSEQ_OK);
        CHECK(d->sequences == 3);
        pktseq_detector_free(d);
    }
    parts_free(&p);
}

// Nearly all may be alarms, of very few sequences: the range of the threshold still holds it, and
// is open where nothing bounds it.
static void test_low_threshold(void) {
    static const size_t start[] = {0, 4, 8, 12};
    real x[FLAT_ROWS];
    plan how = small_plan(NULL, 0);
    parts p;
    const pktseq_detector *d = &p.detector;
    double score[3], low;
    for (size_t i = 0; i < FLAT_ROWS; ++i) x[i] = (real)(i / 4);
    p = wrapped_parts(x, 1, start, 3);
    how.detector.false_positive_rate = 0.99;
    CHECK(parts_fit(&p, &how, NULL) == PKTSEQ_OK);
    CHECK(pktseq_detector_score_all(d, &p.model, &p.dataset, 1, score, NULL) == PKTSEQ_OK);
    low = score[0] < score[1] ? score[0] : score[1];
    low = score[2] < low ? score[2] : low;
    CHECK_THAT(d->threshold > low && d->threshold_low == -DBL_MAX &&
                   d->threshold_high >= d->threshold && d->threshold_high < DBL_MAX,
               "%.17g: %.17g in %.17g .. %.17g", low, d->threshold, d->threshold_low,
               d->threshold_high);
    parts_free(&p);
}

// Fits a detector to n sequences whose scores are those given: a flat model forecasts a constant.
static pktseq_status fit_scores(pktseq_detector *d, const double *score, size_t n, double hold_out,
                                double rate) {
    real *x = (real *)calloc(4 * n, sizeof *x);
    size_t *start = (size_t *)calloc(n + 1, sizeof *start);
    plan how = plan_of(schema_of(NULL, 0), 1, 1);
    parts p;
    pktseq_status status;
    memset(&p, 0, sizeof p);
    for (size_t i = 0; i < 4 * n; ++i) x[i] = (real)score[i / 4];
    for (size_t i = 0; i <= n; ++i) start[i] = 4 * i;
    how.dataset.hold_out = hold_out;
    CHECK(!pktseq_dataset_wrap(&p.dataset, x, 1, x, 1, start, n, &how.dataset, NULL, NULL));
    CHECK(parts_learn(&p, &how, NULL) == PKTSEQ_OK);
    memset(p.model.block, 0, p.model.parameters * sizeof *p.model.block);  // forecasts zeros
    how.detector.false_positive_rate = rate;
    status = parts_fit(&p, &how, NULL);
    *d = p.detector;
    memset(&p.detector, 0, sizeof p.detector);
    parts_free(&p);
    free(x);
    free(start);
    return status;
}

// Traffic of a known kind: its scores, and the share of them above a threshold.
typedef enum tail { EXPONENTIAL, WEIBULL, PARETO, UNIFORM, BURSTS } tail;

static double draw_score(tail kind, uint64_t *state, double level) {
    double u;
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    u = ((double)(*state >> 11) + 0.5) / 9007199254740992.0;
    if (kind == UNIFORM) return 1 + u;
    if (kind == PARETO) return pow(u, -0.2);
    if (kind == WEIBULL) return 1 + sqrt(-log(u));
    return 1 - log(u) + (kind == BURSTS ? level : 0);
}

static double share_above(tail kind, double threshold) {
    double over = threshold - 1;
    double share = kind == UNIFORM   ? 1 - over
                   : kind == PARETO  ? pow(threshold, -5)
                   : kind == WEIBULL ? exp(-over * over)
                                     : exp(-over);
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

// What is promised of a rate holds: over many samples of each kind of traffic the true rate lies
// within the printed range in at least 90 % of them (95 is promised), and where 1,000 sequences
// were there within a factor of two of what was asked for in at least 80 %. Where scores have a
// hard end, it is not higher.
static void test_rate_is_kept(void) {
    static const size_t size[] = {60, 300, 1000};
    static double score[1000];
    uint64_t state = 7;
    for (int kind = EXPONENTIAL; kind <= UNIFORM; ++kind)
        for (size_t k = 0; k < 3; ++k) {
            const size_t n = size[k];
            int within = 0, twice = 0, trials = 100;
            for (int trial = 0; trial < trials; ++trial) {
                pktseq_detector d;
                double threshold, low, high, rate;
                for (size_t i = 0; i < n; ++i) score[i] = draw_score((tail)kind, &state, 0);
                CHECK(fit_scores(&d, score, n, 0, 0.01) == PKTSEQ_OK);
                CHECK(pktseq_detector_threshold(&d, 0, 0.01, &threshold, &low, &high) == 0);
                CHECK(threshold == d.threshold && low < 0.01 && high > 0.01);
                rate = share_above((tail)kind, threshold);
                within += (rate >= low || kind == UNIFORM) && rate <= high;
                twice += rate >= 0.005 && rate <= 0.02;
                pktseq_detector_free(&d);
            }
            CHECK_THAT(within >= 90 && (n < 1000 || twice >= 80 || kind == UNIFORM),
                       "kind %d, %d sequences: within the range %d, within a factor of two %d of "
                       "%d", kind, (int)n, within, twice, trials);
        }
}

// Where parts of the file differ, the range is wider, and it says that to other rates, too.
static void test_rate_in_bursts(void) {
    static double score[1000];
    uint64_t state = 3;
    pktseq_detector even, uneven;
    double threshold, before = DBL_MAX, low[2], high[2];
    for (size_t i = 0; i < 1000; ++i) score[i] = draw_score(EXPONENTIAL, &state, 0);
    CHECK(fit_scores(&even, score, 1000, 0, 0.01) == PKTSEQ_OK);
    for (size_t i = 0; i < 1000; ++i)
        score[i] = draw_score(BURSTS, &state, i / 100 == 3 || i / 100 == 7 ? 3 : 0);
    CHECK(fit_scores(&uneven, score, 1000, 0, 0.01) == PKTSEQ_OK);
    CHECK_THAT(even.dispersion < 3 && uneven.dispersion > 10, "%g, %g", even.dispersion,
               uneven.dispersion);
    CHECK(!pktseq_detector_threshold(&even, 0, 0.01, &threshold, &low[0], &high[0]));
    CHECK(!pktseq_detector_threshold(&uneven, 0, 0.01, &threshold, &low[1], &high[1]));
    CHECK_THAT(low[1] < low[0] / 2 && high[1] > 2 * high[0], "%g..%g, %g..%g", low[0], high[0],
               low[1], high[1]);
    for (double rate = 0; rate <= 1; rate += 0.001) {  // thresholds fall as rates rise
        CHECK(!pktseq_detector_threshold(&even, 0, rate, &threshold, NULL, NULL));
        CHECK_THAT(rate == 0 || rate == 0.001 || threshold <= before, "%g: %g after %g", rate,
                   threshold, before);
        before = threshold;
    }
    before = DBL_MAX;
    CHECK(!pktseq_detector_threshold(&even, 1, 0.01, &threshold, NULL, NULL) &&
          threshold == even.running_threshold);
    for (double rate = 0.001; rate <= 1; rate += 0.001) {
        CHECK(!pktseq_detector_threshold(&even, 1, rate, &threshold, NULL, NULL) &&
              threshold <= before);
        before = threshold;
    }
    CHECK(pktseq_detector_threshold(NULL, 1, 0.01, &threshold, NULL, NULL) ==
          PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_detector_threshold(&even, 1, 0.01, NULL, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_detector_threshold(&even, 1, -1, &threshold, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_detector_threshold(NULL, 0, 0.01, &threshold, NULL, NULL) ==
          PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_detector_threshold(&even, 0, 0.01, NULL, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_detector_threshold(&even, 0, 1.01, &threshold, NULL, NULL) ==
          PKTSEQ_ERROR_ARGUMENT);
    even.dispersion = 0;  // as a checkpoint before 1.0 leaves it
    CHECK(pktseq_detector_threshold(&even, 0, 0.01, &threshold, NULL, NULL) ==
          PKTSEQ_ERROR_MISMATCH);
    pktseq_detector_free(&even);
    pktseq_detector_free(&uneven);
}

// Scores of sequences that a model was trained on are too low: they are brought to the median of
// those held out, which are the last pairs of the dataset.
static void test_rate_held_out(void) {
    static double score[1000], corrected[1000];
    uint64_t state = 5;
    pktseq_detector honest, d;
    size_t held = 0;
    for (size_t i = 0; i < 1000; ++i) score[i] = corrected[i] = draw_score(UNIFORM, &state, 0);
    CHECK(fit_scores(&honest, score, 1000, 0, 0.01) == PKTSEQ_OK);
    for (size_t i = 0; i < 1000; ++i) {
        int out = floor(((double)(i / 20) + 1) * 0.2) > floor((double)(i / 20) * 0.2);
        held += (size_t)out;
        if (!out) score[i] *= 0.5;
    }
    CHECK_THAT(held == 200, "%d held out", (int)held);
    CHECK(fit_scores(&d, score, 1000, 0.2, 0.01) == PKTSEQ_OK);
    CHECK_THAT(fabs(d.threshold / honest.threshold - 1) < 0.1, "%g, not %g", d.threshold,
               honest.threshold);
    pktseq_detector_free(&honest);
    pktseq_detector_free(&d);
}

// Adds n sequences of ten packets to a drift, their scores exponential and multiplied by `scale`.
static void drift_on(pktseq_drift *drift, const pktseq_detector *d, uint64_t *state, int n,
                     double scale, double unknown) {
    for (int i = 0; i < n; ++i) {
        double score = scale * draw_score(EXPONENTIAL, state, 0);
        CHECK(!pktseq_drift_add(drift, d, score, score > d->threshold, 10, unknown));
    }
}

// Traffic like the one that was learned from is as calibrated, a file's and live, judged as often
// as one likes; other traffic is not, and it is over when the traffic is normal again.
static void test_drift(void) {
    static double score[1000];
    uint64_t state = 11;
    pktseq_detector d;
    pktseq_drift drift, live;
    pktseq_verdict v;
    int bad = 0;
    for (size_t i = 0; i < 1000; ++i) score[i] = draw_score(EXPONENTIAL, &state, 0);
    CHECK(fit_scores(&d, score, 1000, 0, 0.01) == PKTSEQ_OK);
    d.unknown = 0.01;
    memset(&live, 0, sizeof live);
    live.window = 500;
    for (int trial = 0; trial < 200; ++trial) {
        memset(&drift, 0, sizeof drift);
        drift_on(&drift, &d, &state, 300, 1, 0.1);
        CHECK(!pktseq_drift_verdict(&drift, &d, 0.01, &v) && v.judged);
        bad += v.drifted != 0;
        drift_on(&live, &d, &state, 20, 1, 0.1);
        CHECK(!pktseq_drift_verdict(&live, &d, 0.01, &v) && v.judged == (trial >= 4));
        bad += v.drifted != 0;
    }
    CHECK_THAT(bad == 0, "%d of 400 verdicts about the same traffic", bad);
    CHECK(fabs(v.unknown - 0.01) < 1e-9 && v.above < 0.03 && v.expected == 0.01 && !*v.name);
    memset(&drift, 0, sizeof drift);
    drift_on(&drift, &d, &state, 300, 2, 0);
    CHECK(!pktseq_drift_verdict(&drift, &d, 0.01, &v));
    CHECK_THAT(v.drifted == (PKTSEQ_DRIFT_ABOVE | PKTSEQ_DRIFT_SCORES) && v.above > v.above_limit,
               "%u: %g above, distance %g", v.drifted, v.above, v.distance);
    CHECK(!pktseq_drift_verdict(&drift, &d, -1, &v) && v.drifted == PKTSEQ_DRIFT_SCORES);
    drift_on(&live, &d, &state, 100, 1, 5);
    for (int i = 0; i < 300; ++i) pktseq_drift_name(&live, i % 3 ? "UDP/443" : i % 2 ? "a" : "b");
    for (int i = 0; i < 26; ++i) pktseq_drift_name(&live, &"abcdefghijklmnopqrstuvwxyz"[i]);
    CHECK(!pktseq_drift_verdict(&live, &d, 0.01, &v));
    CHECK(v.drifted == PKTSEQ_DRIFT_UNKNOWN && strcmp(v.name, "UDP/443") == 0);
    CHECK_THAT(v.name_share > 0.5 && v.name_share <= 200 / 326.0, "%g", v.name_share);
    for (bad = 0; v.drifted && bad < 100; ++bad) {
        drift_on(&live, &d, &state, 50, 1, 0.1);
        CHECK(!pktseq_drift_verdict(&live, &d, 0.01, &v));
    }
    CHECK_THAT(bad > 12 && bad < 20, "over after %d sequences", 50 * bad);
    CHECK(pktseq_drift_add(&live, &d, NAN, 0, 1, 0) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_drift_add(&live, &d, 1, 0, 1, 2) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_drift_verdict(&live, &d, 1.5, &v) == PKTSEQ_ERROR_ARGUMENT);
    d.dispersion = 0;  // as a checkpoint before 1.0 leaves it
    CHECK(pktseq_drift_verdict(&live, &d, 0.01, &v) == PKTSEQ_ERROR_MISMATCH);
    pktseq_detector_free(&d);
}

// Scores that are all the same are no drift.
static void test_drift_of_ties(void) {
    static double score[200];
    pktseq_detector d;
    pktseq_drift drift;
    pktseq_verdict v;
    for (size_t i = 0; i < 200; ++i) score[i] = i % 4 ? 1 : 2;
    CHECK(fit_scores(&d, score, 200, 0, 0.01) == PKTSEQ_OK);
    memset(&drift, 0, sizeof drift);
    for (size_t i = 0; i < 200; ++i) CHECK(!pktseq_drift_add(&drift, &d, score[i], 0, 4, 0));
    CHECK(!pktseq_drift_verdict(&drift, &d, 0.01, &v) && v.judged && !v.drifted);
    CHECK_THAT(v.distance < 0.02, "%g", v.distance);
    pktseq_detector_free(&d);
}

// Alarms an hour are a rate: 1,000 sequences in half an hour.
static void test_alarms_per_hour(void) {
    pktseq_detector d;
    double rate = 7;
    memset(&d, 0, sizeof d);
    d.sequences = 1000;
    CHECK(pktseq_detector_rate(&d, 2, &rate) == PKTSEQ_ERROR_MISMATCH && rate == 7);
    d.seconds = 1800;
    CHECK(!pktseq_detector_rate(&d, 2, &rate) && fabs(rate - 0.001) < 1e-15);
    CHECK(!pktseq_detector_rate(&d, 1e9, &rate) && rate == 1);
    CHECK(pktseq_detector_rate(&d, -1, &rate) == PKTSEQ_ERROR_ARGUMENT);
}

// A stream whose detector has been freed says so to whoever asks it for more.
static void test_orphan_stream(void) {
    real x[FLAT_ROWS * FLAT_WIDE];
    plan how = small_plan(NULL, 0);
    parts p = flat_parts(x, 1);
    pktseq_stream stream;
    double score = 7;
    CHECK(!pktseq_detector_init(&p.detector, &p.model, 0, &how.detector, NULL, NULL));
    CHECK(pktseq_stream_init(&stream, &p.model, &p.detector, NULL, NULL) == PKTSEQ_OK);
    for (size_t i = 0; i < 4; ++i)
        CHECK(pktseq_stream_push(&stream, x + i * FLAT_WIDE, x + i * FLAT_WIDE, NULL) == PKTSEQ_OK);
    CHECK(pktseq_stream_score(&stream, &score) == PKTSEQ_OK && score > 0 && score < 7);
    pktseq_detector_free(&p.detector);
    score = 7;
    CHECK(pktseq_stream_push(&stream, x, x, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_stream_score(&stream, &score) == PKTSEQ_ERROR_ARGUMENT && score == 7);
    CHECK(stream.packets == 4);
    pktseq_stream_free(&stream);
    parts_free(&p);
}

int main(void) {
    test_formulas(PKTSEQ_LOSS_MSE);
    test_formulas(PKTSEQ_LOSS_NLL);
    test_caps();
    test_is_score();
    test_reference();
    test_bits();
    test_fit();
    test_fit_edges();
    test_failed_fit();
    test_bad_options();
    test_reasons();
    test_refusals();
    test_recommended();
    test_saved();
    test_quantile();
    test_evaluate();
    test_few_of_a_length();
    test_perfect();
    test_one_context();
    test_long_sequence();
    test_no_context();
    test_large_context();
    test_low_threshold();
    test_rate_is_kept();
    test_rate_in_bursts();
    test_rate_held_out();
    test_drift();
    test_drift_of_ties();
    test_alarms_per_hour();
    test_orphan_stream();
    return check_end("test_detect");
}
