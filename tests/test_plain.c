// test_plain.c - section >>plain: its losses, outputs and gradients against PyTorch's in float64
// and against finite differences, packed pairs against dense ones, and its contract.
//
// cc -O2 -fopenmp tests/test_plain.c -o build/test_plain -lm && ./build/test_plain
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "net.h"

// ---- >>fixtures: PyTorch's numbers ------------------------------------------------------------

// Weights and data are exact in float, and all else is double: so close in every build.
static double test_fixture(const char *name) {
    fixture f = fixture_read(name, 2e-13);
    double lr = fixture_number(f.text, "lr"), *after;
    result r;
    net n;
    fixture_net(&f, &n, 1);
    fixture_given(&f, &n);
    r = result_plain(&n);
    fixture_result(&f, &n, &r);
    after = widened(n.model.block, n.model.parameters);
    for (size_t i = 0; i < n.model.parameters; ++i) after[i] -= lr * r.grad[i];
    CHECK(fixture_block(&f, &n, "after.", after) == PKTSEQ_TENSOR_COUNT);
    free(after);
    free(f.text);
    result_free(&r);
    net_free(&n);
    return f.worst;
}

static void test_fixtures(void) {
    double worst = 0;
    for (size_t i = 0; i < sizeof mse_fixture / sizeof *mse_fixture; ++i) {
        char name[80];
        snprintf(name, sizeof name, "%s_f64", mse_fixture[i]);
        worst = fmax(worst, test_fixture(name));
    }
    for (size_t i = 0; i < sizeof nll_fixture / sizeof *nll_fixture; ++i)
        worst = fmax(worst, test_fixture(nll_fixture[i]));
    printf("  PyTorch: largest deviation %.1e\n", worst);
}

// ---- >>differences: (loss(w + e) - loss(w - e)) / 2e --------------------------------------------

static double loss_of(const net *n, size_t pair) {
    pktseq_plain p;
    double loss;
    CHECK(!pktseq_plain_init(&p, &n->model, &n->pair[pair], n->teacher[pair], NULL, NULL));
    loss = p.loss;
    pktseq_plain_free(&p);
    return loss;
}

// The derivative of a pair's loss by a number that it depends on, by what that has really moved.
static double difference(const net *n, size_t pair, real *at) {
    double e = is_double() ? 1e-5 : 1e-4, loss[2], moved[2];
    real kept = *at;
    for (int k = 0; k < 2; ++k) {
        *at = (real)((double)kept + (k ? e : -e));
        moved[k] = (double)*at;
        loss[k] = loss_of(n, pair);
    }
    *at = kept;
    return (loss[1] - loss[0]) / (moved[1] - moved[0]);
}

// Gradients of every parameter, and dx of every input; relative to the largest of all.
static double test_pair(net *n, size_t i) {
    pktseq_plain p;
    double worst = 0, largest, d;
    size_t N = n->N, D = n->D;
    real *x = (real *)n->pair[i].input, *first = (real *)n->pair[i].first;
    CHECK(!pktseq_plain_init(&p, &n->model, &n->pair[i], n->teacher[i], NULL, NULL));
    CHECK(p.steps == N + n->pair[i].targets && p.width == (D > n->O ? D : n->O));
    largest = largest_of(p.grad, n->model.parameters);
    for (size_t k = 0; k < n->model.parameters; ++k) {
        d = fabs(difference(n, i, &n->model.block[k]) - p.grad[k]) / largest;
        if (!(d <= worst)) worst = d;
    }
    for (size_t k = 0; k < N * D; ++k) {
        if (first && &x[k] >= first && &x[k] < first + n->O) continue;  // is a token, too
        d = fabs(difference(n, i, &x[k]) - p.dx[k / D * p.width + k % D]) / largest;
        if (!(d <= worst)) worst = d;
    }
    for (size_t o = 0; first && first != n->pair[i].target && o < n->O; ++o) {
        if (first >= x && first < x + N * D) break;  // is an input, too
        // was: token = leaky_relu(first)
        d = p.dx[N * p.width + o] * (first[o] > 0 ? 1 : 0.01);
        d = fabs(difference(n, i, &first[o]) - d) / largest;
        if (!(d <= worst)) worst = d;
    }
    pktseq_plain_free(&p);
    return worst;
}

static void test_differences(void) {
    static const size_t shape[][3] = {{3, 3, 5}, {4, 2, 1}, {2, 4, 2}}, T[3] = {2, 4, 1};
    static const size_t inputs[] = {0, 1, 3};
    double worst[2] = {0, 0};
    for (size_t s = 0; s < 3; ++s)
        for (size_t k = 0; k < 3; ++k)
            for (unsigned first = FIRST_TARGET; first <= FIRST_NONE; ++first) {
                net n;
                net_make(&n, shape[s][0], shape[s][1], shape[s][2], inputs[k], T, 3, first, 1,
                         100 * s + 10 * k + first);
                for (size_t i = 0; i < 6; ++i) {
                    n.teacher[i % 3] = i > 2;
                    worst[0] = fmax(worst[0], test_pair(&n, i % 3));
                }
                net_free(&n);
            }
    for (int start = 0; start < 2; ++start)
        for (size_t k = 0; k < 3; ++k)
            for (int forced = 0; forced < 2; ++forced) {
                net n;
                net_nll(&n, inputs[k], (pktseq_start)start, forced, T, 3, 40 + k);
                for (size_t i = 0; i < 3; ++i) worst[1] = fmax(worst[1], test_pair(&n, i));
                net_free(&n);
            }
    printf("  finite differences: squared errors %.1e, likelihood %.1e\n", worst[0], worst[1]);
    CHECK_THAT(worst[0] <= (is_double() ? 1e-8 : 1e-6), "%g", worst[0]);
    CHECK_THAT(worst[1] <= (is_double() ? 1e-8 : 1e-6), "%g", worst[1]);
}

// The check above must be able to say no: a kink between w - e and w + e, a step that is too wide.
static void test_differences_themselves(void) {
    size_t T = 3;
    pktseq_plain p;
    double loss[2], d;
    net n;
    net_make(&n, 2, 2, 4, 1, &T, 1, FIRST_TARGET, 1, 3);
    CHECK(!pktseq_plain_init(&p, &n.model, &n.pair[0], 0, NULL, NULL));
    for (int k = 0; k < 2; ++k) {
        n.model.tensor.out_b[0] += (real)(k ? 4 : -2);
        loss[k] = loss_of(&n, 0);
    }
    d = (loss[1] - loss[0]) / 4 - p.grad[n.model.tensor.out_b - n.model.block];
    CHECK_THAT(fabs(d) > 1e-3, "a step of 2 is found accurate to %g", d);
    pktseq_plain_free(&p);
    net_free(&n);
}

// ---- >>packed: the same numbers as dense --------------------------------------------------------

enum { WIDE = 10, FIELDS = 5, N = 2, LONG = 3 };

static void test_packed(void) {
    // two numbers, a flag, a class of 4 and one of 3; -1 is a class that the codec does not know
    static const real row[N + LONG][FIELDS] = {{1.5, -2, 0, 3, 1}, {-0.5, 1, 1, -1, 2},
                                               {0.25, 0, 1, 0, 0}, {1, -1, 0, 2, -1},
                                               {-2, 0.5, 1, 1, 2}};
    static const size_t group_field[FIELDS] = {0, 1, 2, 3, 4};
    real dense[N + LONG][WIDE];
    pktseq_packing packing = {WIDE, FIELDS, nll_group, FIELDS, nll_group, group_field};
    pktseq_pair pair[2];
    pktseq_config config = pktseq_config_default(NULL);
    pktseq_model model;
    memset(dense, 0, sizeof dense);
    for (size_t i = 0; i < N + LONG; ++i)
        for (size_t f = 0; f < FIELDS; ++f) {
            int hot = (int)row[i][f];
            if (f < 3) dense[i][f] = row[i][f];
            else if (hot >= 0) dense[i][nll_group[f].first + (size_t)hot] = 1;
        }
    memset(pair, 0, sizeof pair);
    pair[0].inputs = pair[1].inputs = N;
    pair[0].targets = pair[1].targets = LONG;
    pair[0].input = dense[0];
    pair[0].first = dense[N - 1];
    pair[0].target = dense[N];
    pair[1].packing = &packing;
    pair[1].packed_input = row[0];
    pair[1].packed_first = row[N - 1];
    pair[1].packed_target = row[N];
    config.in = config.out = WIDE;
    config.hidden = 3;
    config.inputs = N;
    config.group = nll_group;
    config.groups = FIELDS;
    for (int loss = 0; loss < 2; ++loss)
        for (int teacher = 0; teacher < 2; ++teacher) {
            pktseq_plain a, b;
            config.loss = (pktseq_loss)loss;
            CHECK(!pktseq_model_init(&model, &config, 6, NULL, NULL));
            CHECK(!pktseq_plain_init(&a, &model, &pair[0], teacher, NULL, NULL));
            CHECK(!pktseq_plain_init(&b, &model, &pair[1], teacher, NULL, NULL));
            CHECK(a.loss > 0 && a.loss == b.loss);
            CHECK(!memcmp(a.grad, b.grad, model.parameters * sizeof *a.grad));
            CHECK(!memcmp(a.dx, b.dx, a.steps * a.width * sizeof *a.dx));
            pktseq_plain_free(&a);
            pktseq_plain_free(&b);
            if (!loss && !teacher) {
                packing.features = WIDE + 1;
                CHECK(pktseq_plain_init(&b, &model, &pair[1], 0, NULL, NULL) ==
                      PKTSEQ_ERROR_MISMATCH);
                packing.features = WIDE;
            }
            pktseq_model_free(&model);
        }
}

// ---- >>contract ---------------------------------------------------------------------------------

static void refused(const net *n, const pktseq_pair *pair, pktseq_status want, int line) {
    counter c;
    pktseq_allocator allocator = counted(&c);
    pktseq_plain p;
    pktseq_error err;
    memset(&p, 0x55, sizeof p);
    CHECK_THAT(pktseq_plain_init(&p, &n->model, pair, 1, &allocator, &err) == want, "line %d",
               line);
    CHECK_THAT(err.status == want && err.text[0] && is_zero(&p, sizeof p) && c.live == 0,
               "line %d", line);
    pktseq_plain_free(&p);
}

static void test_contract(void) {
    size_t T = 3, live;
    counter c;
    pktseq_allocator allocator = fenced(&c);
    pktseq_plain p;
    pktseq_model empty;
    pktseq_pair pair;
    real *kept;
    net n;
    net_make(&n, 4, 3, 6, 2, &T, 1, FIRST_NONE, 1, 21);
    kept = copy_of(n.model.block, n.model.parameters);
    CHECK(!pktseq_plain_init(&p, &n.model, &n.pair[0], 0, &allocator, NULL));
    CHECK(c.allocations == 1 && c.live == 1 && same_bits(kept, n.model.block, n.model.parameters));
    for (size_t i = 0; i < 6; ++i) CHECK(!(fabs(p.h[i]) > 0));  // the first state is zeros
    for (size_t o = 0; o < 3; ++o) CHECK(!(fabs(p.y[2 * 3 + o]) > 0));  // so is no first token
    pktseq_plain_free(&p);
    CHECK(c.live == 0 && is_zero(&p, sizeof p));
    pktseq_plain_free(&p);
    pktseq_plain_free(NULL);
    c.allocations = 0;
    c.fail_at = 1;
    CHECK(pktseq_plain_init(&p, &n.model, &n.pair[0], 0, &allocator, NULL) == PKTSEQ_ERROR_MEMORY);
    live = c.live;
    CHECK(live == 0 && is_zero(&p, sizeof p));

    memset(&empty, 0, sizeof empty);
    CHECK(pktseq_plain_init(NULL, &n.model, &n.pair[0], 0, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_plain_init(&p, NULL, &n.pair[0], 0, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_plain_init(&p, &empty, &n.pair[0], 0, NULL, NULL) == PKTSEQ_ERROR_ARGUMENT);
    refused(&n, NULL, PKTSEQ_ERROR_ARGUMENT, __LINE__);
    pair = n.pair[0];
    pair.target = NULL;
    refused(&n, &pair, PKTSEQ_ERROR_ARGUMENT, __LINE__);
    pair = n.pair[0];
    pair.input = NULL;
    refused(&n, &pair, PKTSEQ_ERROR_ARGUMENT, __LINE__);
    pair = n.pair[0];
    pair.targets = 0;
    refused(&n, &pair, PKTSEQ_ERROR_ARGUMENT, __LINE__);
    pair = n.pair[0];
    pair.inputs = 1;
    refused(&n, &pair, PKTSEQ_ERROR_MISMATCH, __LINE__);
    for (size_t i = 0; i < 3; ++i) {  // sizes that do not fit size_t
        pair = n.pair[0];
        pair.targets = (size_t)-1 >> (i * 2);
        refused(&n, &pair, PKTSEQ_ERROR_MEMORY, __LINE__);
    }
    free(kept);
    net_free(&n);
}

int main(void) {
    test_fixtures();
    test_differences();
    test_differences_themselves();
    test_packed();
    test_contract();
    return check_end("test_plain");
}
