// test_loss.c - section >>loss: negative log-likelihood by groups, against PyTorch's numbers,
// against the plain network, and against its own contract.
//
// cc -O2 -fopenmp tests/test_loss.c -o build/test_loss -lm && ./build/test_loss
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "net.h"

enum { O = 10, H = 4 };  // of net_nll

// ---- >>fixtures: PyTorch's numbers --------------------------------------------------------------

static double tolerance(void) { return is_double() ? 1e-10 : 1e-5; }

static double worst;  // deviation so far

static void test_fixture(const char *name) {
    fixture f = fixture_read(name, tolerance());
    double *after, off[2];
    result r, plain;
    net n;
    fixture_net(&f, &n, 2);
    r = result_fast(&n);
    plain = result_plain(&n);
    fixture_result(&f, &n, &r);
    result_compare(&n, &r, &plain, off);
    CHECK_THAT(off[0] <= tolerance() && off[1] <= tolerance(), "%s: plain %g %g", name, off[0],
               off[1]);
    for (size_t i = 0; i < n.count; ++i)
        for (size_t t = 0; t < n.pair[i].targets; ++t) {
            const real *out = pktseq_work_output(&n.work, i, t);
            CHECK(fabs((double)(out[3] + out[4] + out[5] + out[6]) - 1) < 1e-6);
            CHECK(fabs((double)(out[7] + out[8] + out[9]) - 1) < 1e-6);
        }
    CHECK(pktseq_sgd_step(&n.model, &n.work, fixture_number(f.text, "lr")) == PKTSEQ_OK);
    after = widened(n.model.block, n.model.parameters);
    CHECK(fixture_block(&f, &n, "after.", after) == PKTSEQ_TENSOR_COUNT);
    CHECK(net_forward(&n) == PKTSEQ_OK);
    fixture_line(&f, "loss1", n.work.loss);
    worst = fmax(worst, f.worst);
    free(after);
    free(f.text);
    result_free(&r);
    result_free(&plain);
    net_free(&n);
}

static void test_fixtures(void) {
    for (size_t i = 0; i < sizeof nll_fixture / sizeof *nll_fixture; ++i)
        test_fixture(nll_fixture[i]);
    printf("  PyTorch, likelihood: largest deviation %.1e\n", worst);
}

// Weights that are no numbers, in any one output: the loss is none, and no finite one as if the
// packet were only improbable. Fast and plain.
static void test_not_finite(void) {
    const size_t T[] = {3, 2};
    for (size_t o = 0; o < O; ++o) {
        result plain;
        net n;
        net_nll(&n, 3, PKTSEQ_START_INPUT, 1, T, 2, 5);
        n.model.tensor.out_b[o] = (real)sqrt(-1.0);
        CHECK(net_forward(&n) == PKTSEQ_OK);
        plain = result_plain(&n);
        CHECK_THAT(isnan(n.work.loss) && isnan(plain.loss), "output %d: %g, plain %g", (int)o,
                   n.work.loss, plain.loss);
        result_free(&plain);
        net_free(&n);
    }
}

// ---- >>contract ---------------------------------------------------------------------------------

// A class that is all zeros says nothing: no loss, no gradient of its outputs' weights.
static void test_unknown_class(void) {
    static const size_t T[] = {1};
    net n;
    real *y;
    double with, without = 0;
    net_nll(&n, 3, PKTSEQ_START_INPUT, 0, T, 1, 8);
    y = (real *)n.pair[0].target;
    net_gradient(&n);
    with = n.work.loss;
    for (size_t i = 3; i < 7; ++i)
        if (y[i] == 1) without = with + log((double)pktseq_work_output(&n.work, 0, 0)[i]);
    CHECK(without > 0 && without < with);
    memset(y + 3, 0, 4 * sizeof *y);
    net_gradient(&n);
    CHECK_THAT(fabs(n.work.loss - without) < 1e-6, "%g, not %g", n.work.loss, without);
    for (size_t o = 0; o < O; ++o) {
        int silent = n.work.grad.out_b[o] == 0;
        for (size_t k = 0; k < H; ++k) silent &= n.work.grad.out_w[o * H + k] == 0;
        CHECK_THAT(silent == (o >= 3 && o < 7), "output %d", (int)o);
    }
    net_free(&n);
}

// Logits of hundreds: probabilities of 0 and 1, losses finite, and of the known size.
static void test_extremes(void) {
    static const size_t T[] = {2};
    net n;
    net_nll(&n, 1, PKTSEQ_START_INPUT, 1, T, 1, 8);
    for (size_t i = 0; i < n.model.parameters; ++i) n.model.block[i] = 0;
    for (size_t o = 0; o < O; ++o) n.model.tensor.out_b[o] = (real)(o % 2 ? 500 : -500);
    for (size_t k = 0; k < 2 * O; ++k) ((real *)n.pair[0].target)[k] = 0;
    ((real *)n.pair[0].target)[2] = 1;  // p = e^-500, taken as 1e-30
    net_gradient(&n);
    CHECK_THAT(fabs(n.work.loss - (4 * 125000.0 + 30 * log(10.0))) < 0.1, "%.10g", n.work.loss);
    for (size_t i = 0; i < n.model.parameters; ++i)
        CHECK(n.work.grad_block[i] - n.work.grad_block[i] == 0);
    net_free(&n);
}

// MSE does not look at the groups; NLL of numbers alone is O/2 times MSE.
static void test_losses_agree(void) {
    static const size_t T[] = {5};
    pktseq_model model;
    pktseq_work work;
    pktseq_config config;
    real *grad;
    double loss;
    net n;
    net_nll(&n, 3, PKTSEQ_START_INPUT, 0, T, 1, 3);
    config = n.model.config;
    config.loss = PKTSEQ_LOSS_MSE;
    CHECK(pktseq_model_init(&model, &config, 5, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_work_init(&work, &config, 1, 5, 1, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_forward(&n.model, &work, n.pair, 1, NULL) == PKTSEQ_ERROR_MISMATCH);
    CHECK(pktseq_forward(&model, &work, n.pair, 1, NULL) == PKTSEQ_OK);
    CHECK(pktseq_backward(&model, &work) == PKTSEQ_OK);
    loss = work.loss;
    grad = (real *)malloc(work.parameters * sizeof *grad);
    memcpy(grad, work.grad_block, work.parameters * sizeof *grad);
    pktseq_model_free(&model);
    pktseq_work_free(&work);
    for (int numbers = 0; numbers < 2; ++numbers) {  // without groups every output is a number
        config.loss = numbers ? PKTSEQ_LOSS_NLL : PKTSEQ_LOSS_MSE;
        config.groups = 0;
        config.group = NULL;
        CHECK(pktseq_model_init(&model, &config, 5, NULL, NULL) == PKTSEQ_OK);
        CHECK(model.config.groups == O && model.config.group[O - 1].first == O - 1 &&
              model.config.group[O - 1].kind == PKTSEQ_GROUP_NUMBER);
        CHECK(pktseq_work_init(&work, &model.config, 1, 5, 1, NULL, NULL) == PKTSEQ_OK);
        CHECK(pktseq_forward(&model, &work, n.pair, 1, NULL) == PKTSEQ_OK);
        CHECK(pktseq_backward(&model, &work) == PKTSEQ_OK);
        CHECK(fabs(work.loss - loss * (numbers ? O / 2.0 : 1)) < 1e-13 * work.loss);
        for (size_t i = 0; i < work.parameters; ++i)
            CHECK(fabs((double)work.grad_block[i] - (double)grad[i] * (numbers ? O / 2.0 : 1)) <
                  1e-4);
        pktseq_model_free(&model);
        pktseq_work_free(&work);
    }
    free(grad);
    net_free(&n);
}

// A batch is its sequences also by likelihood, in any order and on any number of threads.
static void test_batch(void) {
    static const size_t T[] = {2, 7, 4};
    net n;
    double alone[3];
    real outs[3][7 * O];
    net_nll(&n, 3, PKTSEQ_START_INPUT, 0, T, 3, 12);
    for (size_t i = 0; i < 3; ++i) {
        CHECK(pktseq_forward(&n.model, &n.work, &n.pair[i], 1, NULL) == PKTSEQ_OK);
        alone[i] = n.work.sequence_loss[0];
        for (size_t t = 0; t < T[i]; ++t)
            memcpy(outs[i] + t * O, pktseq_work_output(&n.work, 0, t), O * sizeof(real));
    }
    CHECK(net_forward(&n) == PKTSEQ_OK);
    for (size_t i = 0; i < 3; ++i) {
        CHECK(n.work.sequence_loss[i] == alone[i]);
        for (size_t t = 0; t < T[i]; ++t)
            CHECK(memcmp(outs[i] + t * O, pktseq_work_output(&n.work, i, t), O * sizeof(real)) ==
                  0);
    }
    net_free(&n);
}

int main(void) {
    test_fixtures();
    test_unknown_class();
    test_extremes();
    test_not_finite();
    test_losses_agree();
    test_batch();
    return check_end("test_loss");
}
