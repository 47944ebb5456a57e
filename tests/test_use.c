// test_use.c - section >>use: rollout and score against forward, against outputs fed back by
// hand, and at their limits.
//
// cc -O2 -fopenmp tests/test_use.c -o build/test_use -lm && ./build/test_use
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "scene.h"

#include <math.h>

enum { D = 4, O = 3, H = 9, N = 3, T = 6, AHEAD = 20 };

static real x[N * D], y[T * O];

// A model, room for two sequences of AHEAD steps, and a pair.
static void make(pktseq_model *model, pktseq_work *work, pktseq_pair *pair, size_t inputs) {
    pktseq_config config = net_of(D, O, H, inputs);
    uint64_t s = 31;
    CHECK(pktseq_model_init(model, &config, 6, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_work_init(work, &config, 2, AHEAD, 1, NULL, NULL) == PKTSEQ_OK);
    for (size_t i = 0; i < N * D + T * O; ++i) {
        s = s * 6364136223846793005u + 1442695040888963407u;
        *(i < N * D ? &x[i] : &y[i - N * D]) =
            (real)(4 * ((double)(s >> 40) / 16777216.0 - 0.5));
    }
    for (size_t i = 0; i < model->parameters; ++i) model->block[i] *= 3;  // far from linear
    memset(pair, 0, sizeof *pair);
    pair->input = inputs ? x : NULL;
    pair->inputs = inputs;
    pair->target = pair->first = y;
    pair->targets = T;
}

static int same(const real *a, const real *b, size_t n) {
    return memcmp(a, b, n * sizeof *a) == 0;
}

static void test_rollout(size_t inputs) {
    pktseq_model model;
    pktseq_work work;
    pktseq_pair pair, blind;
    real out[(AHEAD + 1) * O], again[AHEAD * O], *weights;
    const real guard = (real)-12345;
    make(&model, &work, &pair, inputs);
    weights = (real *)malloc(model.parameters * sizeof *weights);
    memcpy(weights, model.block, model.parameters * sizeof *weights);
    out[AHEAD * O] = guard;
    CHECK(pktseq_rollout(&model, &work, &pair, AHEAD, out) == PKTSEQ_OK);
    CHECK(out[AHEAD * O] == guard);
    CHECK(!(work.loss > 0) && pktseq_backward(&model, &work) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_forward(&model, &work, &pair, 1, NULL) == PKTSEQ_OK);
    for (size_t t = 0; t < T; ++t)
        CHECK_THAT(same(out + t * O, pktseq_work_output(&work, 0, t), O), "step %d", (int)t);
    for (size_t t = 1; t < AHEAD; ++t) CHECK(!same(out, out + t * O, O));  // it moves

    // Fewer steps are the beginning of more; the target is not looked at.
    for (size_t steps = 1; steps <= AHEAD; ++steps) {
        blind = pair;
        blind.target = steps % 2 ? NULL : pair.target;
        blind.targets = steps % 3 ? 0 : T;
        for (size_t i = 0; i < AHEAD * O; ++i) again[i] = guard;
        CHECK(pktseq_rollout(&model, &work, &blind, steps, again) == PKTSEQ_OK);
        CHECK_THAT(same(again, out, steps * O), "%d steps", (int)steps);
        for (size_t i = steps * O; i < AHEAD * O; ++i) CHECK(again[i] == guard);
    }

    // Feeding each output back by hand: it is forced as if it were the truth.
    for (size_t steps = 1; steps <= AHEAD; ++steps) {
        unsigned char teacher = 1;
        blind = pair;
        blind.target = out;
        blind.targets = steps;
        CHECK(pktseq_forward(&model, &work, &blind, 1, &teacher) == PKTSEQ_OK);
        CHECK_THAT(same(pktseq_work_output(&work, 0, steps - 1), out + (steps - 1) * O, O),
                   "step %d by hand", (int)steps);
        CHECK(work.loss == 0);
    }
    CHECK(same(weights, model.block, model.parameters));
    // Without a first token it begins from zeros.
    blind = pair;
    blind.first = NULL;
    CHECK(pktseq_rollout(&model, &work, &blind, 3, again) == PKTSEQ_OK);
    CHECK(!same(again, out, O));
    {
        static const real zeros[O] = {0};
        blind.first = zeros;
        CHECK(pktseq_rollout(&model, &work, &blind, 3, out) == PKTSEQ_OK);
        CHECK(same(again, out, 3 * O));
    }
    free(weights);
    pktseq_model_free(&model);
    pktseq_work_free(&work);
}

static void test_score(size_t inputs) {
    pktseq_model model;
    pktseq_work work;
    pktseq_pair pair;
    real out[T * O];
    double score, want = 0;
    make(&model, &work, &pair, inputs);
    CHECK(pktseq_rollout(&model, &work, &pair, T, out) == PKTSEQ_OK);
    for (size_t steps = 1; steps <= T; ++steps) {
        double sum = 0;
        for (size_t o = (steps - 1) * O; o < steps * O; ++o)
            sum += ((double)out[o] - (double)y[o]) * ((double)out[o] - (double)y[o]) / O;
        want += sqrt(sum);
        pair.targets = steps;
        score = -1;
        CHECK(pktseq_score(&model, &work, &pair, &score) == PKTSEQ_OK);
        CHECK_THAT(fabs(score - want / (double)steps) <= 1e-14 * score, "%.17g, not %.17g", score,
                   want / (double)steps);
    }
    // What comes out of the model itself is no anomaly, one number that is off by 3 is a known one.
    pair.target = out;
    CHECK(pktseq_score(&model, &work, &pair, &score) == PKTSEQ_OK && score == 0);
    out[T * O - 1] += 3;
    CHECK(pktseq_score(&model, &work, &pair, &score) == PKTSEQ_OK);
    CHECK_THAT(fabs(score - 3 / sqrt((double)O) / T) < 1e-6, "%g", score);
    pktseq_model_free(&model);
    pktseq_work_free(&work);
}

static void test_limits(void) {
    pktseq_model model, other;
    pktseq_work work;
    pktseq_pair pair, bad;
    pktseq_config config;
    real out[AHEAD * O], before[T * O];
    double score = 7;
    make(&model, &work, &pair, N);
    CHECK(pktseq_rollout(&model, &work, &pair, T, before) == PKTSEQ_OK);
    CHECK(pktseq_rollout(&model, &work, &pair, AHEAD + 1, out) == PKTSEQ_ERROR_MISMATCH);
    CHECK(pktseq_rollout(&model, &work, &pair, (size_t)-1, out) == PKTSEQ_ERROR_MISMATCH);
    CHECK(pktseq_rollout(&model, &work, &pair, 0, out) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_rollout(NULL, &work, &pair, 1, out) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_rollout(&model, NULL, &pair, 1, out) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_rollout(&model, &work, NULL, 1, out) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_rollout(&model, &work, &pair, 1, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_score(NULL, &work, &pair, &score) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_score(&model, NULL, &pair, &score) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_score(&model, &work, NULL, &score) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_score(&model, &work, &pair, NULL) == PKTSEQ_ERROR_ARGUMENT);
    bad = pair;
    bad.target = NULL;
    CHECK(pktseq_score(&model, &work, &bad, &score) == PKTSEQ_ERROR_ARGUMENT);
    bad = pair;
    bad.targets = 0;
    CHECK(pktseq_score(&model, &work, &bad, &score) == PKTSEQ_ERROR_ARGUMENT);
    bad.targets = AHEAD + 1;
    CHECK(pktseq_score(&model, &work, &bad, &score) == PKTSEQ_ERROR_MISMATCH);
    bad = pair;
    bad.inputs = N - 1;
    CHECK(pktseq_score(&model, &work, &bad, &score) == PKTSEQ_ERROR_MISMATCH);
    CHECK(pktseq_rollout(&model, &work, &bad, 1, out) == PKTSEQ_ERROR_MISMATCH);
    bad = pair;
    bad.input = NULL;
    CHECK(pktseq_score(&model, &work, &bad, &score) == PKTSEQ_ERROR_ARGUMENT);
    config = model.config;
    config.hidden = H + 1;
    CHECK(pktseq_model_init(&other, &config, 1, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_score(&other, &work, &pair, &score) == PKTSEQ_ERROR_MISMATCH);
    CHECK(pktseq_rollout(&other, &work, &pair, 1, out) == PKTSEQ_ERROR_MISMATCH);
    CHECK(score == 7);  // a refusal gives no number
    CHECK(pktseq_rollout(&model, &work, &pair, T, out) == PKTSEQ_OK);
    CHECK(same(before, out, T * O));
    pktseq_model_free(&other);
    pktseq_model_free(&model);
    pktseq_work_free(&work);
}

int main(void) {
    test_rollout(N);
    test_rollout(1);
    test_rollout(0);
    test_score(N);
    test_score(1);
    test_score(0);
    test_limits();
    return check_end("test_use");
}
