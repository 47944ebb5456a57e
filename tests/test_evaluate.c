// test_evaluate.c - section >>evaluate: quantiles against numpy, rankings against scikit-learn
// and plain loops.
//
// cc -O2 -fopenmp tests/test_evaluate.c -o build/test_evaluate -lm && ./build/test_evaluate
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "scene.h"

#include <math.h>

static pktseq_error err;  // of the last call

static uint64_t next_draw(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 40;
}

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
    CHECK(e.tpr_at_0_1_percent == plain_tpr(score, anomalous, n, 0.001));
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
        CHECK(e.tpr_at_1_percent == 0.25 && e.tpr_at_0_1_percent == 0.25);
    }
    {  // 100 normal of scores 1 to 100: one may be above at 1 %, none at 0.1 %
        pktseq_evaluation e;
        for (size_t i = 0; i < 100; ++i) score[i] = (double)(i + 1), label[i] = 0;
        score[100] = 101, score[101] = 99.5, score[102] = 98.5, score[103] = 99;
        for (size_t i = 100; i < 104; ++i) label[i] = 1;
        CHECK(pktseq_evaluate(score, label, 104, &e, NULL, NULL) == PKTSEQ_OK);
        CHECK(e.tpr_at_1_percent == 0.5 && e.tpr_at_0_1_percent == 0.25);
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

int main(void) {
    test_quantile();
    test_evaluate();
    return check_end("test_evaluate");
}
