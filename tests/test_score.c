// test_score.c - sections >>detector, >>score, >>reasons and >>stream: against the reference's
// scores, against the formulas in plain loops, and against their own contract.
//
// cc -O2 -fopenmp tests/test_score.c -o build/test_score -lm && ./build/test_score
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "detector.h"

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

// ---- the reference ------------------------------------------------------------------------------

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

// ---- one score, whichever function computes it --------------------------------------------------

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

// ---- reasons ------------------------------------------------------------------------------------

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

// ---- contract -----------------------------------------------------------------------------------

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

// ---- files --------------------------------------------------------------------------------------

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

int main(void) {
    test_formulas(PKTSEQ_LOSS_MSE);
    test_formulas(PKTSEQ_LOSS_NLL);
    test_caps();
    test_is_score();
    test_reference();
    test_bits();
    test_long_sequence();
    test_reasons();
    test_bad_options();
    test_refusals();
    test_recommended();
    test_orphan_stream();
    test_saved();
    return check_end("test_score");
}
