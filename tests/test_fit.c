// test_fit.c - sections >>threshold, >>fit and >>drift: against the formulas in plain loops, and
// against scores of known distributions.
//
// cc -O2 -fopenmp tests/test_fit.c -o build/test_fit -lm && ./build/test_fit
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "detector.h"

// ---- fit ----------------------------------------------------------------------------------------

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

// ---- edges: few sequences, perfect forecasts, odd contexts --------------------------------------

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
        CHECK_THAT(says(&err, "0 fields of context; found 2, 2 and 0"), "%s", err.text);
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

// ---- rates --------------------------------------------------------------------------------------

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

// ---- drift --------------------------------------------------------------------------------------

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
    for (unsigned i = 0; i < 300; ++i)  // either port may be the lower one
        pktseq_drift_unknown(&live, i % 3 ? 17 : 6, i % 3 == 1 ? 443 : 50000,
                             i % 3 == 2 ? 443 : 60000 + i % 2);
    for (unsigned i = 0; i < 26; ++i) pktseq_drift_unknown(&live, 6, 100 + i, 200);
    CHECK(!pktseq_drift_verdict(&live, &d, 0.01, &v));
    CHECK(v.drifted == PKTSEQ_DRIFT_UNKNOWN && strcmp(v.name, "UDP/443") == 0);
    CHECK_THAT(v.name_share > 0.5 && v.name_share <= 200 / 326.0, "%g", v.name_share);
    memset(&drift, 0, sizeof drift);
    pktseq_drift_unknown(&drift, 58, 0, 0);
    CHECK(!pktseq_drift_verdict(&drift, &d, 0.01, &v) && strcmp(v.name, "ICMPv6") == 0);
    pktseq_drift_unknown(NULL, 6, 1, 2);
    CHECK(!pktseq_drift_verdict(&live, &d, 0.01, &v));
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

int main(void) {
    test_fit();
    test_fit_edges();
    test_failed_fit();
    test_few_of_a_length();
    test_perfect();
    test_one_context();
    test_large_context();
    test_no_context();
    test_low_threshold();
    test_rate_is_kept();
    test_rate_in_bursts();
    test_rate_held_out();
    test_alarms_per_hour();
    test_drift();
    test_drift_of_ties();
    return check_end("test_fit");
}
