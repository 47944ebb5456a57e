// test_step.c - sections >>gru, >>batch, >>forward and >>backward, and one step of SGD: against
// PyTorch's numbers, against the plain network, and against their own contract.
//
// cc -O2 -fopenmp tests/test_step.c -o build/test_step -lm && ./build/test_step
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "net.h"

// The score of a pair from what the last forward put out.
static double rmse_of_outputs(const net *n, size_t pair) {
    double score = 0;
    for (size_t t = 0; t < n->pair[pair].targets; ++t) {
        const real *out = pktseq_work_output(&n->work, pair, t);
        double sum = 0;
        for (size_t o = 0; o < n->O; ++o) {
            double e = (double)out[o] - (double)n->pair[pair].target[t * n->O + o];
            sum += e * e;
        }
        score += sqrt(sum / (double)n->O);
    }
    return score / (double)n->pair[pair].targets;
}

// ---- >>fixtures: PyTorch's numbers ------------------------------------------------------------

// Three steps from a fixture's net, the first one compared in all numbers, which PyTorch has
// computed in float64 and in float32.
static void test_fixture(const char *name, double *worst) {
    static const char *const precision[] = {"f64", "f32"};
    double loss[4], rmse, score = 0, *after = NULL;
    fixture f[2];
    result r;
    net n;
    for (int k = 0; k < 2; ++k) {
        char file[100];
        snprintf(file, sizeof file, "%s_%s", name, precision[k]);
        f[k] = fixture_read(file, is_double() && k == 0 ? 1e-10 : 1e-5);
        CHECK(strncmp(fixture_value(f[k].text, "dtype"), precision[k], 3) == 0);
    }
    fixture_net(&f[0], &n, 2);
    fixture_given(&f[0], &n);
    r = result_fast(&n);
    rmse = rmse_of_outputs(&n, 0);
    for (int k = 1; k < 4; ++k) {
        CHECK(pktseq_sgd_step(&n.model, &n.work, fixture_number(f[0].text, "lr")) == PKTSEQ_OK);
        if (k == 1) after = widened(n.model.block, n.model.parameters);
        net_gradient(&n);
        loss[k] = n.work.loss;
    }
    for (int k = 0; k < 2; ++k) {
        fixture_result(&f[k], &n, &r);
        CHECK(fixture_block(&f[k], &n, "after.", after) == PKTSEQ_TENSOR_COUNT);
        fixture_line(&f[k], "rmse", rmse);
        fixture_line(&f[k], "loss1", loss[1]);
        fixture_line(&f[k], "loss2", loss[2]);
        fixture_line(&f[k], "loss3", loss[3]);
        worst[k] = fmax(worst[k], f[k].worst);
        free(f[k].text);
    }
    if (!n.teacher[0]) CHECK(pktseq_score(&n.model, &n.work, &n.pair[0], &score) == PKTSEQ_OK);
    if (!n.teacher[0]) CHECK(fabs(score - rmse_of_outputs(&n, 0)) <= 1e-14 * score);
    free(after);
    result_free(&r);
    net_free(&n);
}

static void test_fixtures(void) {
    double worst[2] = {0, 0};
    for (size_t i = 0; i < sizeof mse_fixture / sizeof *mse_fixture; ++i)
        test_fixture(mse_fixture[i], worst);
    printf("  PyTorch: largest deviation %.1e from float64, %.1e from float32\n", worst[0],
           worst[1]);
}

// ---- >>plain: every combination of options against the plain network ----------------------------

enum { TEACHER_NONE, TEACHER_ALL, TEACHER_MIXED };

// Losses, outputs, the encoder's states and gradients of one combination.
static void test_option(size_t D, size_t O, size_t H, size_t N, const size_t *T, size_t count,
                        unsigned first, unsigned teacher, double *worst) {
    double off[2];
    result fast, plain;
    net n;
    net_make(&n, D, O, H, N, T, count, first, 1, 1000 * H + 100 * N + 10 * D + count);
    for (size_t i = 0; i < count; ++i)
        n.teacher[i] = teacher == TEACHER_ALL || (teacher == TEACHER_MIXED && i % 2 == 0);
    fast = result_fast(&n);
    plain = result_plain(&n);
    result_compare(&n, &fast, &plain, off);
    CHECK_THAT(off[0] <= (is_double() ? 4e-15 : 7e-7) && off[1] <= (is_double() ? 2e-14 : 2e-5),
               "D %d O %d H %d N %d B %d first %u teacher %u: off by %.2e, gradients by %.2e",
               (int)D, (int)O, (int)H, (int)N, (int)count, first, teacher, off[0], off[1]);
    for (int k = 0; k < 2; ++k) worst[k] = fmax(worst[k], off[k]);
    result_free(&fast);
    result_free(&plain);
    net_free(&n);
}

static void test_options(void) {
    static const size_t shape[][2] = {{3, 3}, {4, 2}, {2, 4}}, inputs[] = {0, 1, 3};
    static const size_t hidden[] = {1, 2, 5, 17, 70}, batch[3] = {2, 3, 1}, single[2] = {1, 4};
    double worst[2] = {0, 0};
    for (size_t h = 0; h < 5; ++h)
        for (size_t s = 0; s < 3; ++s)
            for (size_t k = 0; k < 3; ++k)
                for (unsigned first = FIRST_TARGET; first <= FIRST_NONE; ++first)
                    for (unsigned teacher = TEACHER_NONE; teacher <= TEACHER_MIXED; ++teacher) {
                        size_t D = shape[s][0], O = shape[s][1], H = hidden[h], N = inputs[k];
                        test_option(D, O, H, N, batch, 3, first, teacher, worst);
                        if (teacher == TEACHER_MIXED) continue;
                        test_option(D, O, H, N, single, 1, first, teacher, worst);
                        test_option(D, O, H, N, single + 1, 1, first, teacher, worst);
                    }
    printf("  plain network: off by %.1e, gradients by %.1e\n", worst[0], worst[1]);
}

// ---- >>packed: many categories, several threads -------------------------------------------------

enum { WIDE = 90, FIELDS = 4, LONG = 40, PAIRS = 6 };

// A number, a flag, a class of 8 and one of 80: few enough groups that packed tokens stay packed
// where all sequences are forced, and enough packets for threads. Packed batches on one thread and
// on three are compared with the plain network, which is given dense pairs.
static void test_packed(int nll, unsigned teacher, double *worst) {
    static const pktseq_group group[FIELDS] = {{PKTSEQ_GROUP_NUMBER, 0, 1},
                                               {PKTSEQ_GROUP_FLAG, 1, 1},
                                               {PKTSEQ_GROUP_CLASS, 2, 8},
                                               {PKTSEQ_GROUP_CLASS, 10, 80}};
    static const size_t group_field[FIELDS] = {0, 1, 2, 3};
    static real row[PAIRS][2 + LONG][FIELDS], dense[PAIRS][2 + LONG][WIDE];
    static const pktseq_packing packing = {WIDE, FIELDS, group, FIELDS, group, group_field};
    uint64_t seed = 6;
    result plain, fast;
    double off[2];
    net n;
    memset(&n, 0, sizeof n);
    memset(dense, 0, sizeof dense);
    n.config.in = n.config.out = n.D = n.O = WIDE;
    n.config.hidden = n.H = 70;
    n.config.inputs = n.N = 2;
    n.config.group = group;
    n.config.groups = FIELDS;
    n.config.loss = nll ? PKTSEQ_LOSS_NLL : PKTSEQ_LOSS_MSE;
    n.count = PAIRS;
    CHECK(!pktseq_model_init(&n.model, &n.config, 6, NULL, NULL));
    for (size_t i = 0; i < PAIRS; ++i) {
        for (size_t s = 0; s < 2 + LONG; ++s) {
            real *packed = row[i][s], *x = dense[i][s];
            packed[0] = x[0] = (real)draw(&seed);
            packed[1] = x[1] = draw(&seed) > 0;
            for (size_t g = 2; g < FIELDS; ++g) {  // now and then a class that nobody knows
                double v = (draw(&seed) + 0.5) * (double)(group[g].count + 1) - 1;
                packed[g] = (real)floor(v);
                if (v >= 0) x[group[g].first + (size_t)v] = 1;
            }
        }
        n.teacher[i] = teacher == TEACHER_ALL || (teacher == TEACHER_MIXED && i % 2);
        n.pair[i].inputs = 2;
        n.pair[i].targets = LONG - i;
        n.pair[i].input = dense[i][0];
        n.pair[i].first = i ? dense[i][1] : NULL;
        n.pair[i].target = dense[i][2];
    }
    plain = result_plain(&n);
    for (size_t i = 0; i < PAIRS; ++i) {
        n.pair[i].packing = &packing;
        n.pair[i].packed_input = row[i][0];
        n.pair[i].packed_first = i ? row[i][1] : NULL;
        n.pair[i].packed_target = row[i][2];
        n.pair[i].input = n.pair[i].first = n.pair[i].target = NULL;
    }
    for (int threads = 1; threads <= 3; threads += 2) {
        pktseq_group lent[FIELDS];  // a config's groups are borrowed for the call only
        pktseq_config config = n.model.config;
        memcpy(lent, group, sizeof lent);
        config.group = lent;
        CHECK(!pktseq_work_init(&n.work, &config, PAIRS, LONG, threads, NULL, NULL));
        memset(lent, 0x55, sizeof lent);
        fast = result_fast(&n);
        result_compare(&n, &fast, &plain, off);
        CHECK_THAT(off[0] <= (is_double() ? 4e-15 : 7e-7) && off[1] <= (is_double() ? 2e-14 : 2e-5),
                   "nll %d teacher %u threads %d: off by %.2e, gradients by %.2e", nll, teacher,
                   threads, off[0], off[1]);
        for (int k = 0; k < 2; ++k) worst[k] = fmax(worst[k], off[k]);
        result_free(&fast);
        pktseq_work_free(&n.work);
    }
    result_free(&plain);
    pktseq_model_free(&n.model);
}

static void test_packings(void) {
    double worst[2] = {0, 0};
    for (int nll = 0; nll < 2; ++nll)
        for (unsigned teacher = TEACHER_NONE; teacher <= TEACHER_MIXED; ++teacher)
            test_packed(nll, teacher, worst);
    printf("  packed, on threads: off by %.1e, gradients by %.1e\n", worst[0], worst[1]);
}

// ---- >>batch: a batch is its sequences, in any order, on any number of threads ----------------

// All outputs and the loss of the caller's pair a of one forward and b of another: the same bits?
static int same_outputs(const net *n, size_t a, const net *m, size_t b) {
    int same = n->pair[a].targets == m->pair[b].targets &&
               n->work.sequence_loss[a] == m->work.sequence_loss[b] &&
               same_bits(pktseq_work_encoded(&n->work, a), pktseq_work_encoded(&m->work, b), n->H);
    for (size_t t = 0; same && t < n->pair[a].targets; ++t)
        same = same_bits(pktseq_work_output(&n->work, a, t), pktseq_work_output(&m->work, b, t),
                         n->O);
    return same;
}

static void test_batch(size_t H) {
    static const size_t T[6] = {3, 9, 1, 9, 5, 2};
    static const size_t moved[6] = {4, 2, 5, 1, 0, 3};
    net n, one;
    double *mean, largest = 0, worst = 0;
    net_make(&n, 7, 6, H, 3, T, 6, FIRST_TARGET, 2, 11);
    n.teacher[1] = n.teacher[4] = 1;
    net_gradient(&n);
    mean = (double *)calloc(n.model.parameters, sizeof *mean);
    for (size_t i = 0; i < 6; ++i) {  // alone, in the memory of a net with room for one
        net_make(&one, 7, 6, H, 3, T + i, 1, FIRST_TARGET, 1, 11);
        one.pair[0] = n.pair[i];
        one.teacher[0] = n.teacher[i];
        net_gradient(&one);
        CHECK_THAT(same_outputs(&one, 0, &n, i), "pair %d alone has other outputs", (int)i);
        CHECK(one.work.loss == n.work.sequence_loss[i]);
        CHECK(one.work.report == one.work.loss / (double)T[i]);
        for (size_t k = 0; k < n.model.parameters; ++k)
            mean[k] += (double)one.work.grad_block[k] / 6;
        net_free(&one);
    }
    for (size_t k = 0; k < n.model.parameters; ++k) {
        double d = fabs((double)n.work.grad_block[k] - mean[k]);
        if (!(d <= worst)) worst = d;
        if (fabs(mean[k]) > largest) largest = fabs(mean[k]);
    }
    CHECK_THAT(worst <= largest * (is_double() ? 1e-14 : 2e-6), "H %d: %.2e of %.2e", (int)H, worst,
               largest);
    net_make(&one, 7, 6, H, 3, T, 6, FIRST_TARGET, 1, 11);
    for (size_t i = 0; i < 6; ++i) {
        one.pair[i] = n.pair[moved[i]];
        one.teacher[i] = n.teacher[moved[i]];
    }
    CHECK(net_forward(&one) == PKTSEQ_OK);
    for (size_t i = 0; i < 6; ++i)
        CHECK_THAT(same_outputs(&one, i, &n, moved[i]), "pair %d moved has other outputs", (int)i);
    net_free(&one);
    free(mean);
    net_free(&n);
}

static void test_threads(void) {
    static const size_t T[5] = {4, 9, 1, 6, 9};
    static const int threads[] = {1, 2, 3, 5, 0};
    for (size_t count = 1; count <= 5; count += 4) {
        net first, n;
        for (size_t k = 0; k < 5; ++k) {
            net *at = k ? &n : &first;
            net_make(at, 25, 25, 256, 3, T, count, FIRST_TARGET, threads[k], 5);
            at->teacher[0] = count > 1;
            for (int step = 0; step < 3; ++step) {
                net_gradient(at);
                CHECK(pktseq_sgd_step(&at->model, &at->work, 0.03) == PKTSEQ_OK);
            }
            CHECK(net_forward(at) == PKTSEQ_OK);
            if (k == 0) continue;
            for (size_t i = 0; i < count; ++i) CHECK(same_outputs(&first, i, &n, i));
            CHECK_THAT(same_bits(first.work.grad_block, n.work.grad_block, n.work.parameters) &&
                           same_bits(first.model.block, n.model.block, n.model.parameters) &&
                           first.work.loss == n.work.loss && first.work.report == n.work.report,
                       "%d threads change the result", threads[k]);
            net_free(&n);
        }
        net_free(&first);
    }
}

// ---- >>contract: what each verb promises and refuses ------------------------------------------

static void test_gradients_add_up(void) {
    static const size_t T[2] = {2, 5};
    net n;
    real *once, *weights;
    net_make(&n, 3, 3, 6, 3, T, 2, FIRST_TARGET, 1, 8);
    weights = copy_of(n.model.block, n.model.parameters);
    for (size_t i = 0; i < n.work.parameters; ++i) CHECK(n.work.grad_block[i] == 0);
    CHECK(net_forward(&n) == PKTSEQ_OK);
    for (size_t i = 0; i < n.work.parameters; ++i) CHECK(n.work.grad_block[i] == 0);
    CHECK(pktseq_backward(&n.model, &n.work) == PKTSEQ_OK);
    once = copy_of(n.work.grad_block, n.work.parameters);
    CHECK(net_forward(&n) == PKTSEQ_OK);
    CHECK(pktseq_backward(&n.model, &n.work) == PKTSEQ_OK);
    for (size_t i = 0; i < n.work.parameters; ++i) {
        double d = fabs((double)n.work.grad_block[i] - 2 * (double)once[i]);
        CHECK_THAT(d <= (is_double() ? 1e-14 : 1e-5), "gradient %d: %g and %g", (int)i,
                   (double)n.work.grad_block[i], (double)once[i]);
        CHECK(once[i] != 0);  // no parameter is without influence here
    }
    CHECK(pktseq_zero_grad(&n.work) == PKTSEQ_OK);
    for (size_t i = 0; i < n.work.parameters; ++i) CHECK(n.work.grad_block[i] == 0);
    net_gradient(&n);
    CHECK(same_bits(once, n.work.grad_block, n.work.parameters));
    CHECK(same_bits(weights, n.model.block, n.model.parameters));  // forward and backward only read
    // A power of two, so that the product is exact and only the difference is rounded.
    CHECK(pktseq_sgd_step(&n.model, &n.work, 0.0625) == PKTSEQ_OK);
    for (size_t i = 0; i < n.work.parameters; ++i)
        CHECK(n.model.block[i] == (real)(weights[i] - (real)0.0625 * once[i]));
    CHECK(same_bits(once, n.work.grad_block, n.work.parameters));
    memcpy(n.model.block, weights, n.model.parameters * sizeof *weights);
    CHECK(pktseq_sgd_step(&n.model, &n.work, 0.1) == PKTSEQ_OK);
    for (size_t i = 0; i < n.work.parameters; ++i) {
        double want = (double)weights[i] - 0.1 * (double)once[i];
        CHECK(fabs((double)n.model.block[i] - want) <= (is_double() ? 1e-15 : 5e-7));
    }
    CHECK(pktseq_sgd_step(&n.model, &n.work, 0) == PKTSEQ_OK);
    free(once);
    free(weights);
    net_free(&n);
}

// After each refusal the same forward must give the same bits again.
static void refused(net *n, const real *outs, pktseq_status got, pktseq_status want, int line) {
    CHECK_THAT(got == want, "line %d: %d, not %d", line, (int)got, (int)want);
    CHECK(net_forward(n) == PKTSEQ_OK);
    for (size_t t = 0; t < 3; ++t)
        CHECK(same_bits(pktseq_work_output(&n->work, 1, t), outs + t * n->O, n->O));
    CHECK(pktseq_backward(&n->model, &n->work) == PKTSEQ_OK);
}

#define REFUSED(call, want) refused(&n, outs, call, want, __LINE__)

static void test_refusals(void) {
    static const size_t T[3] = {2, 3, 1};
    unsigned char teacher[3] = {0, 0, 1};
    real outs[9];
    net n, other;
    pktseq_pair pair[4];
    net_make(&n, 4, 3, 6, 2, T, 3, FIRST_TARGET, 1, 21);
    CHECK(pktseq_work_output(&n.work, 0, 0) == NULL);  // no forward yet
    CHECK(pktseq_work_encoded(&n.work, 0) == NULL);
    CHECK(pktseq_backward(&n.model, &n.work) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(net_forward(&n) == PKTSEQ_OK);
    for (size_t t = 0; t < 3; ++t)
        memcpy(outs + t * 3, pktseq_work_output(&n.work, 1, t), 3 * sizeof *outs);
    for (size_t p = 0; p < 4; ++p)
        for (size_t t = 0; t < 4; ++t)
            CHECK((pktseq_work_output(&n.work, p, t) != NULL) == (p < 3 && t < T[p]));
    CHECK(pktseq_work_encoded(&n.work, 2) && !pktseq_work_encoded(&n.work, 3));
    CHECK(!pktseq_work_output(NULL, 0, 0) && !pktseq_work_encoded(NULL, 0));
    CHECK(pktseq_work_output(&n.work, (size_t)-1, 0) == NULL);
    CHECK(pktseq_work_output(&n.work, 0, (size_t)-1) == NULL);

    CHECK(pktseq_backward(&n.model, &n.work) == PKTSEQ_OK);
    CHECK(pktseq_backward(&n.model, &n.work) == PKTSEQ_ERROR_ARGUMENT);  // used up
    CHECK(pktseq_backward(NULL, &n.work) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_backward(&n.model, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_zero_grad(NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_sgd_step(NULL, &n.work, 1) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_sgd_step(&n.model, NULL, 1) == PKTSEQ_ERROR_ARGUMENT);
    REFUSED(pktseq_forward(NULL, &n.work, n.pair, 3, NULL), PKTSEQ_ERROR_ARGUMENT);
    REFUSED(pktseq_forward(&n.model, NULL, n.pair, 3, NULL), PKTSEQ_ERROR_ARGUMENT);
    REFUSED(pktseq_forward(&n.model, &n.work, NULL, 3, NULL), PKTSEQ_ERROR_ARGUMENT);
    REFUSED(pktseq_forward(&n.model, &n.work, n.pair, 0, NULL), PKTSEQ_ERROR_ARGUMENT);

    for (size_t i = 0; i < 4; ++i) pair[i] = n.pair[i % 3];
    REFUSED(pktseq_forward(&n.model, &n.work, pair, 4, NULL), PKTSEQ_ERROR_MISMATCH);
    pair[0].targets = 4;  // one more than work has room for
    REFUSED(pktseq_forward(&n.model, &n.work, pair, 3, NULL), PKTSEQ_ERROR_MISMATCH);
    pair[0] = n.pair[0];
    pair[2].targets = 0;
    REFUSED(pktseq_forward(&n.model, &n.work, pair, 3, NULL), PKTSEQ_ERROR_ARGUMENT);
    pair[2] = n.pair[2];
    pair[1].inputs = 1;
    REFUSED(pktseq_forward(&n.model, &n.work, pair, 3, NULL), PKTSEQ_ERROR_MISMATCH);
    pair[1] = n.pair[1];
    pair[1].input = NULL;
    REFUSED(pktseq_forward(&n.model, &n.work, pair, 3, NULL), PKTSEQ_ERROR_ARGUMENT);
    pair[1] = n.pair[1];
    pair[2].target = NULL;
    REFUSED(pktseq_forward(&n.model, &n.work, pair, 3, teacher), PKTSEQ_ERROR_ARGUMENT);

    // Without one of the targets there are outputs, but no loss and nothing to go back from.
    CHECK(pktseq_forward(&n.model, &n.work, pair, 3, NULL) == PKTSEQ_OK);
    CHECK(!(n.work.loss > 0) && pktseq_backward(&n.model, &n.work) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(same_bits(pktseq_work_output(&n.work, 1, 2), outs + 6, 3));
    CHECK(pktseq_backward(&n.model, &n.work) == PKTSEQ_ERROR_ARGUMENT);
    teacher[0] = 1, teacher[2] = 0;  // forcing another one, which has a target, is fine
    CHECK(pktseq_forward(&n.model, &n.work, pair, 3, teacher) == PKTSEQ_OK);

    for (int k = 0; k < 4; ++k) {
        net_make(&other, k == 0 ? 5 : 4, k == 1 ? 4 : 3, k == 2 ? 7 : 6, k == 3 ? 1 : 2, T, 3,
                 FIRST_TARGET, 1, 21);
        REFUSED(pktseq_forward(&other.model, &n.work, n.pair, 3, NULL), PKTSEQ_ERROR_MISMATCH);
        CHECK(net_forward(&n) == PKTSEQ_OK);
        if (k < 3) {
            CHECK(pktseq_backward(&other.model, &n.work) == PKTSEQ_ERROR_MISMATCH);
            CHECK(pktseq_sgd_step(&other.model, &n.work, 0.5) == PKTSEQ_ERROR_MISMATCH);
        }
        net_free(&other);
    }
    net_free(&n);
}

// Two configs of 23 + 18 parameters each, of other shapes: counting parameters does not tell them
// apart, and the tensors of one read as the other's end beyond the block.
static void test_equal_parameter_count(void) {
    static const size_t T = 2;
    net a, b;
    net_make(&a, 6, 1, 1, 1, &T, 1, FIRST_TARGET, 1, 1);
    net_make(&b, 1, 4, 1, 1, &T, 1, FIRST_TARGET, 1, 1);
    CHECK(a.model.parameters == b.model.parameters);
    CHECK(net_forward(&b) == PKTSEQ_OK);
    CHECK(pktseq_forward(&a.model, &b.work, b.pair, 1, NULL) == PKTSEQ_ERROR_MISMATCH);
    CHECK(pktseq_sgd_step(&a.model, &b.work, 0.5) == PKTSEQ_ERROR_MISMATCH);
    CHECK(pktseq_backward(&a.model, &b.work) == PKTSEQ_ERROR_MISMATCH);
    net_free(&a);
    net_free(&b);
}

// ---- >>sizes: wide networks, many outputs ------------------------------------------------------

// A wide network, and more outputs than are summed up in one go.
static void test_sizes(void) {
    static const size_t T[2] = {3, 2};
    double worst[2] = {0, 0};
    for (size_t count = 1; count <= 2; ++count) {
        test_option(2, 2, 700, 3, T, count, FIRST_TARGET, TEACHER_NONE, worst);
        test_option(2, 130, 2, 2, T, count, FIRST_TARGET, TEACHER_ALL, worst);
        test_option(130, 130, 65, 2, T, count, FIRST_INPUT, TEACHER_NONE, worst);
    }
}

int main(void) {
    test_fixtures();
    test_options();
    test_batch(5);
    test_batch(256);
    test_threads();
    test_gradients_add_up();
    test_refusals();
    test_equal_parameter_count();
    test_sizes();
    test_packings();
    return check_end("test_step");
}
