// test_optimizer.c - section >>optimizer: clipping, SGD and momentum, against PyTorch's numbers
// and against their own contract.
//
// cc -O2 -fopenmp tests/test_optimizer.c -o build/test_optimizer -lm && ./build/test_optimizer
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "net.h"

// Five steps of torch.optim.SGD with momentum after torch.nn.utils.clip_grad_norm_.
static void test_momentum(const char *name) {
    fixture f = fixture_read(name, is_double() ? 1e-10 : 1e-5);
    double clip = fixture_number(f.text, "clip"), norm, *block[2];
    real *velocity;
    int clipped = 0;
    net n;
    fixture_net(&f, &n, 2);
    velocity = (real *)calloc(n.model.parameters, sizeof *velocity);
    for (int k = 0; k < 5; ++k) {
        char key[20];
        net_gradient(&n);
        snprintf(key, sizeof key, "loss%d", k);
        fixture_line(&f, key, n.work.loss);
        norm = -1;
        CHECK(pktseq_clip_grad_norm(&n.work, clip, &norm) == PKTSEQ_OK);
        snprintf(key, sizeof key, "norm%d", k);
        fixture_line(&f, key, norm);
        clipped += norm > clip;
        CHECK(pktseq_momentum_step(&n.model, &n.work, fixture_number(f.text, "lr"), 0.9,
                                   velocity) == PKTSEQ_OK);
    }
    CHECK(clipped > 0 && clipped < 5);  // both ways are taken
    block[0] = widened(n.model.block, n.model.parameters);
    block[1] = widened(velocity, n.model.parameters);
    CHECK(fixture_block(&f, &n, "after.", block[0]) == PKTSEQ_TENSOR_COUNT);
    CHECK(fixture_block(&f, &n, "velocity.", block[1]) == PKTSEQ_TENSOR_COUNT);
    printf("  PyTorch, %s: largest deviation %.1e\n", name, f.worst);
    for (int k = 0; k < 2; ++k) free(block[k]);
    free(velocity);
    free(f.text);
    net_free(&n);
}

// Limits, refusals, and steps that are the same step.
static void test_step_contract(void) {
    static const size_t T[] = {4, 2};
    net n;
    real *velocity, *before, *plain;
    double norm = 7, sum = 0;
    size_t bytes;
    pktseq_model other, empty;
    pktseq_work nothing;
    pktseq_config config;
    memset(&empty, 0, sizeof empty);
    memset(&nothing, 0, sizeof nothing);
    net_nll(&n, 3, PKTSEQ_START_INPUT, 0, T, 2, 21);
    bytes = n.model.parameters * sizeof *velocity;
    velocity = (real *)calloc(1, bytes);
    before = (real *)malloc(bytes);
    plain = (real *)malloc(bytes);
    net_gradient(&n);

    // a limit that is not reached changes no bit, and norm may be NULL
    memcpy(before, n.work.grad_block, bytes);
    CHECK(pktseq_clip_grad_norm(&n.work, 1e9, &norm) == PKTSEQ_OK);
    CHECK(memcmp(before, n.work.grad_block, bytes) == 0);
    for (size_t i = 0; i < n.model.parameters; ++i) sum += (double)before[i] * (double)before[i];
    CHECK(fabs(norm - sqrt(sum)) < 1e-14 * norm);
    CHECK(pktseq_clip_grad_norm(&n.work, 0.5, NULL) == PKTSEQ_OK);
    for (size_t i = 0; i < n.model.parameters; ++i)
        CHECK(fabs((double)n.work.grad_block[i] - (double)before[i] * 0.5 / (norm + 1e-6)) < 1e-7);
    CHECK(pktseq_clip_grad_norm(&n.work, 1, &norm) == PKTSEQ_OK);
    CHECK_THAT(fabs(norm - 0.5) < 1e-5, "%g", norm);
    norm = 7;
    memcpy(before, n.work.grad_block, bytes);
    CHECK(pktseq_clip_grad_norm(NULL, 1, &norm) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_clip_grad_norm(&nothing, 1, &norm) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_clip_grad_norm(&n.work, 0, &norm) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_clip_grad_norm(&n.work, -1, &norm) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_clip_grad_norm(&n.work, sqrt(-1.0), &norm) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(norm == 7 && memcmp(before, n.work.grad_block, bytes) == 0);
    n.work.grad_block[4] = before[4] = (real)HUGE_VAL;
    CHECK(pktseq_clip_grad_norm(&n.work, 1e-3, &norm) == PKTSEQ_ERROR_DIVERGED);
    CHECK(memcmp(before, n.work.grad_block, bytes) == 0);

    // the first step with momentum is a step without; momentum 0 always is
    net_gradient(&n);
    memcpy(before, n.model.block, bytes);
    CHECK(pktseq_sgd_step(&n.model, &n.work, 0.1) == PKTSEQ_OK);
    memcpy(plain, n.model.block, bytes);
    memcpy(n.model.block, before, bytes);
    CHECK(pktseq_momentum_step(&n.model, &n.work, 0.1, 0.9, velocity) == PKTSEQ_OK);
    CHECK(memcmp(plain, n.model.block, bytes) == 0);
    CHECK(memcmp(velocity, n.work.grad_block, bytes) == 0);
    memcpy(n.model.block, before, bytes);
    CHECK(pktseq_momentum_step(&n.model, &n.work, 0.1, 0, velocity) == PKTSEQ_OK);
    CHECK(memcmp(plain, n.model.block, bytes) == 0);

    config = n.model.config;
    ++config.hidden;
    CHECK(pktseq_model_init(&other, &config, 1, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_momentum_step(&other, &n.work, 0.1, 0.9, velocity) == PKTSEQ_ERROR_MISMATCH);
    CHECK(pktseq_momentum_step(NULL, &n.work, 0.1, 0.9, velocity) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_momentum_step(&empty, &n.work, 0.1, 0.9, velocity) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_momentum_step(&n.model, NULL, 0.1, 0.9, velocity) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_momentum_step(&n.model, &nothing, 0.1, 0.9, velocity) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_momentum_step(&n.model, &n.work, 0.1, 0.9, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(memcmp(plain, n.model.block, bytes) == 0);
    CHECK(memcmp(velocity, n.work.grad_block, bytes) == 0);
    pktseq_model_free(&other);
    free(velocity);
    free(before);
    free(plain);
    net_free(&n);
}

int main(void) {
    test_momentum("nll_momentum_free");
    test_momentum("nll_momentum_forced");
    test_step_contract();
    return check_end("test_optimizer");
}
