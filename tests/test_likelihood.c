// test_likelihood.c - negative log-likelihood by groups, momentum and clipping: against PyTorch's
// numbers, against finite differences, and against their own contract.
//
// cc -O2 -fopenmp tests/test_likelihood.c -o build/test_likelihood -lm && ./build/test_likelihood
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "scene.h"

#include <math.h>

enum { D = 6, O = 10, H = 4, MOST = 3 };

// What fixtures/make_nll_fixtures.py describes.
static const pktseq_group group[] = {{PKTSEQ_GROUP_NUMBER, 0, 1}, {PKTSEQ_GROUP_NUMBER, 1, 1},
                                     {PKTSEQ_GROUP_FLAG, 2, 1},   {PKTSEQ_GROUP_CLASS, 3, 4},
                                     {PKTSEQ_GROUP_CLASS, 7, 3}};
enum { GROUPS = sizeof group / sizeof *group };

static double tolerance(void) { return sizeof(real) == sizeof(double) ? 1e-10 : 1e-5; }

static double draw(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 40) / 16777216.0 - 0.5;
}

// ---- >>net --------------------------------------------------------------------------------------

typedef struct net {
    size_t count;
    pktseq_model model;
    pktseq_work work;
    pktseq_pair pair[MOST];
    unsigned char teacher[MOST];
    real *data;
} net;

static void net_make(net *n, size_t inputs, pktseq_start start, int forced, const size_t *T,
                     size_t count, uint64_t seed) {
    pktseq_config config;
    size_t numbers = 0, most = 0;
    real *p;
    memset(n, 0, sizeof *n);
    memset(&config, 0, sizeof config);
    config.in = D;
    config.out = O;
    config.hidden = H;
    config.inputs = inputs;
    config.start = start;
    config.loss = PKTSEQ_LOSS_NLL;
    config.group = group;
    config.groups = GROUPS;
    n->count = count;
    for (size_t i = 0; i < count; ++i) {
        numbers += inputs * D + O + T[i] * O;
        most = T[i] > most ? T[i] : most;
        n->teacher[i] = (unsigned char)forced;
    }
    CHECK(pktseq_model_init(&n->model, &config, 1, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_work_init(&n->work, &n->model.config, count, most, 2, NULL, NULL) == PKTSEQ_OK);
    for (size_t i = 0; i < n->model.parameters; ++i) n->model.block[i] = (real)draw(&seed);
    p = n->data = (real *)calloc(numbers, sizeof *p);
    for (size_t i = 0; i < count; ++i) {
        pktseq_pair *pair = &n->pair[i];
        pair->input = p;
        pair->inputs = inputs;
        pair->targets = T[i];
        for (size_t k = 0; k < inputs * D + O; ++k) *p++ = (real)(draw(&seed) * 4);
        pair->target = p;
        pair->first = start == PKTSEQ_START_TARGET ? p : inputs ? p - O : NULL;
        for (size_t t = 0; t < T[i]; ++t, p += O) {
            p[0] = (real)(draw(&seed) * 4);
            p[1] = (real)(draw(&seed) * 4);
            p[2] = draw(&seed) >= 0;
            p[3 + (size_t)((draw(&seed) + 0.5) * 4)] = 1;
            p[7 + (size_t)((draw(&seed) + 0.5) * 3)] = 1;
            if (i == 0 && t == 1) memset(p + 3, 0, 4 * sizeof *p);
        }
    }
}

static void net_free(net *n) {
    pktseq_model_free(&n->model);
    pktseq_work_free(&n->work);
    free(n->data);
}

static pktseq_status net_forward(net *n) {
    return pktseq_forward(&n->model, &n->work, n->pair, n->count, n->teacher);
}

static void net_gradient(net *n) {
    CHECK(net_forward(n) == PKTSEQ_OK);
    CHECK(pktseq_zero_grad(&n->work) == PKTSEQ_OK);
    CHECK(pktseq_backward(&n->model, &n->work) == PKTSEQ_OK);
}

// ---- >>fixtures: PyTorch's numbers --------------------------------------------------------------

// The fixtures' names of the tensors, in the order of PKTSEQ_TENSORS.
static const char *const short_name[PKTSEQ_TENSOR_COUNT] = {
    "enc.w_ih", "enc.w_hh", "enc.b_ih", "enc.b_hh", "dec.w_ih",
    "dec.w_hh", "dec.b_ih", "dec.b_hh", "out.w",    "out.b"};

static double worst;  // deviation so far
static const char *file;

static char *file_text(const char *name) {
    char path[120], *text = (char *)calloc(1, 1 << 18);
    FILE *f;
    snprintf(path, sizeof path, "tests/fixtures/%s.txt", name);
    f = fopen(path, "rb");
    CHECK_THAT(f && text && fread(text, 1, (1 << 18) - 1, f) > 0, "%s cannot be read", path);
    if (f) fclose(f);
    file = name;
    return text;
}

static void compare(const char *what, double got, double want, double scale) {
    double d = fabs(got - want) / (scale > 0 ? scale : 1);
    if (d > worst) worst = d;
    CHECK_THAT(d <= tolerance(), "%s %s: %.17g, PyTorch %.17g", file, what, got, want);
}

// "tensor NAME ROWS COLS" and its numbers.
static void compare_tensor(const char *text, const char *name, const real *got, size_t count) {
    char key[60], *end;
    unsigned long rows = 0, cols = 0;
    double largest = 0, *want = (double *)malloc(count * sizeof *want);
    snprintf(key, sizeof key, "tensor %s", name);
    end = (char *)fixture_value(text, key);
    rows = strtoul(end, &end, 10);
    cols = strtoul(end, &end, 10);
    CHECK_THAT(rows * cols == count, "%s %s: %lu numbers", file, name, rows * cols);
    for (size_t i = 0; i < count && rows * cols == count; ++i) {
        want[i] = strtod(end, &end);
        if (fabs(want[i]) > largest) largest = fabs(want[i]);
    }
    for (size_t i = 0; i < count && rows * cols == count; ++i)
        compare(name, (double)got[i], want[i], largest);
    free(want);
}

// The ten tensors out of a block laid out as the parameters.
static void compare_block(const char *text, const char *prefix, const net *n, const real *block) {
    for (size_t i = 0; i < PKTSEQ_TENSOR_COUNT; ++i) {
        pktseq_tensor tensor;
        char name[40];
        CHECK(pktseq_model_tensor(&n->model, i, &tensor) == PKTSEQ_OK);
        snprintf(name, sizeof name, "%s.%s", prefix, short_name[i]);
        compare_tensor(text, name, block + (tensor.data - n->model.block),
                       tensor.rows * tensor.cols);
    }
}

static net net_of(const char *text) {
    net n;
    size_t T[MOST] = {0}, count = (size_t)fixture_number(text, "pairs");
    char *end = (char *)fixture_value(text, "T");
    CHECK(count <= MOST);
    for (size_t i = 0; i < count && i < MOST; ++i) T[i] = (size_t)strtoul(end, &end, 10);
    net_make(&n, (size_t)fixture_number(text, "inputs"),
             fixture_value(text, "start")[0] == 't' ? PKTSEQ_START_TARGET : PKTSEQ_START_INPUT,
             (int)fixture_number(text, "forced"), T, count, (uint64_t)fixture_number(text, "seed"));
    return n;
}

static void test_fixture(const char *name) {
    char *text = file_text(name);
    net n = net_of(text);
    CHECK(net_forward(&n) == PKTSEQ_OK);
    compare("loss", n.work.loss, fixture_number(text, "loss"), fixture_number(text, "loss"));
    compare("report", n.work.report, fixture_number(text, "report"),
            fixture_number(text, "report"));
    for (size_t i = 0; i < n.count; ++i) {
        char key[20];
        real *outs = (real *)malloc(n.pair[i].targets * O * sizeof *outs);
        for (size_t t = 0; t < n.pair[i].targets; ++t) {
            const real *out = pktseq_work_output(&n.work, i, t);
            memcpy(outs + t * O, out, O * sizeof *outs);
            CHECK(fabs((double)(out[3] + out[4] + out[5] + out[6]) - 1) < 1e-6);
            CHECK(fabs((double)(out[7] + out[8] + out[9]) - 1) < 1e-6);
        }
        snprintf(key, sizeof key, "outs%d", (int)i);
        compare_tensor(text, key, outs, n.pair[i].targets * O);
        free(outs);
    }
    net_gradient(&n);
    compare_block(text, "grad", &n, n.work.grad_block);
    CHECK(pktseq_sgd_step(&n.model, &n.work, fixture_number(text, "lr")) == PKTSEQ_OK);
    compare_block(text, "after", &n, n.model.block);
    CHECK(net_forward(&n) == PKTSEQ_OK);
    compare("loss1", n.work.loss, fixture_number(text, "loss1"), fixture_number(text, "loss1"));
    net_free(&n);
    free(text);
}

static void test_fixtures(void) {
    static const char *const start[] = {"target", "input"}, *const how[] = {"free", "forced"};
    for (int s = 0; s < 2; ++s)
        for (int f = 0; f < 2; ++f) {
            char name[80];
            static const char *const shape[] = {"n3_t6", "n1_t6", "n0_t6", "n3_t7x4x1"};
            for (int k = 0; k < 4; ++k) {
                snprintf(name, sizeof name, "nll_%s_%s_%s", start[s], shape[k], how[f]);
                test_fixture(name);
            }
        }
    printf("  PyTorch, likelihood: largest deviation %.1e\n", worst);
}

// Five steps of torch.optim.SGD with momentum behind torch.nn.utils.clip_grad_norm_.
static void test_momentum(const char *name) {
    char *text = file_text(name);
    net n = net_of(text);
    real *velocity = (real *)calloc(n.model.parameters, sizeof *velocity);
    double clip = fixture_number(text, "clip"), norm;
    int clipped = 0;
    for (int k = 0; k < 5; ++k) {
        char key[20];
        net_gradient(&n);
        snprintf(key, sizeof key, "loss%d", k);
        compare(key, n.work.loss, fixture_number(text, key), fixture_number(text, key));
        norm = -1;
        CHECK(pktseq_clip_grad_norm(&n.work, clip, &norm) == PKTSEQ_OK);
        snprintf(key, sizeof key, "norm%d", k);
        compare(key, norm, fixture_number(text, key), fixture_number(text, key));
        clipped += norm > clip;
        CHECK(pktseq_momentum_step(&n.model, &n.work, fixture_number(text, "lr"), 0.9, velocity) ==
              PKTSEQ_OK);
    }
    CHECK(clipped > 0 && clipped < 5);  // both ways are taken
    compare_block(text, "after", &n, n.model.block);
    compare_block(text, "velocity", &n, velocity);
    net_free(&n);
    free(velocity);
    free(text);
}

// ---- >>differences ------------------------------------------------------------------------------

static void test_gradcheck(void) {
    static const size_t T[] = {7, 4, 1};
    double most = 0, d;
    for (int start = 0; start < 2; ++start)
        for (size_t inputs = 0; inputs <= 3; ++inputs)
            for (int forced = 0; forced < 3; ++forced) {  // 2: only the second of the three
                net n;
                if (inputs == 2) continue;
                net_make(&n, inputs, (pktseq_start)start, forced == 1, T, 3, 40 + inputs);
                n.teacher[1] = forced > 0;
                CHECK(pktseq_gradcheck(&n.model, &n.work, n.pair, 3, n.teacher, 1e-5, &d) ==
                      PKTSEQ_OK);
                if (d > most) most = d;
                if (sizeof(real) == sizeof(double))
                    CHECK_THAT(d < 1e-7, "N %d start %d forced %d: %g", (int)inputs, start, forced,
                               d);
                net_free(&n);
            }
    if (sizeof(real) == sizeof(double)) printf("  finite differences: %.1e\n", most);
}

// ---- >>contract ---------------------------------------------------------------------------------

// A class that is all zeros says nothing: no loss, no gradient of its outputs' weights.
static void test_unknown_class(void) {
    static const size_t T[] = {1};
    net n;
    real *y;
    double with, without = 0;
    net_make(&n, 3, PKTSEQ_START_INPUT, 0, T, 1, 8);
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
    net_make(&n, 1, PKTSEQ_START_INPUT, 1, T, 1, 8);
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
    net_make(&n, 3, PKTSEQ_START_INPUT, 0, T, 1, 3);
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

static void test_bad_groups(void) {
    static const struct {
        pktseq_group group[4];
        size_t groups;
    } bad[] = {
        {{{PKTSEQ_GROUP_CLASS, 0, 4}}, 1},                                // not to the end
        {{{PKTSEQ_GROUP_CLASS, 0, 6}}, 1},                                // beyond it
        {{{PKTSEQ_GROUP_CLASS, 1, 4}}, 1},                                // not from 0
        {{{PKTSEQ_GROUP_NUMBER, 0, 1}, {PKTSEQ_GROUP_CLASS, 2, 3}}, 2},   // a hole
        {{{PKTSEQ_GROUP_CLASS, 0, 3}, {PKTSEQ_GROUP_CLASS, 2, 3}}, 2},    // an overlap
        {{{PKTSEQ_GROUP_NUMBER, 0, 5}}, 1},                               // a wide number
        {{{PKTSEQ_GROUP_FLAG, 0, 2}, {PKTSEQ_GROUP_CLASS, 2, 3}}, 2},     // a wide flag
        {{{PKTSEQ_GROUP_CLASS, 0, 0}, {PKTSEQ_GROUP_CLASS, 0, 5}}, 2},    // an empty one
        {{{PKTSEQ_GROUP_CLASS, 0, (size_t)-1}}, 1},
        {{{(pktseq_group_kind)3, 0, 5}}, 1},
        {{{(pktseq_group_kind)-1, 0, 5}}, 1},
        {{{PKTSEQ_GROUP_CLASS, 0, 5}}, 6},                                // more than outputs
    };
    counter c;
    pktseq_allocator a = counted(&c);
    pktseq_config config;
    pktseq_model model;
    pktseq_error err;
    memset(&config, 0, sizeof config);
    config.in = 3;
    config.out = 5;
    config.hidden = 2;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        config.group = bad[i].group;
        config.groups = bad[i].groups;
        memset(&model, 0x55, sizeof model);
        CHECK_THAT(pktseq_model_init(&model, &config, 1, &a, &err) == PKTSEQ_ERROR_ARGUMENT &&
                       err.text[0], "groups %d", (int)i);
        CHECK(c.live == 0 && !model.block);
    }
    config.group = NULL;
    config.groups = 1;
    CHECK(pktseq_model_init(&model, &config, 1, &a, &err) == PKTSEQ_ERROR_ARGUMENT && c.live == 0);
    config.groups = 0;
    config.loss = (pktseq_loss)2;
    CHECK(pktseq_model_init(&model, &config, 1, &a, &err) == PKTSEQ_ERROR_ARGUMENT && c.live == 0);
    config.loss = (pktseq_loss)-1;
    CHECK(pktseq_model_init(&model, &config, 1, &a, &err) == PKTSEQ_ERROR_ARGUMENT && c.live == 0);
}

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
    net_make(&n, 3, PKTSEQ_START_INPUT, 0, T, 2, 21);
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
    config.hidden = H + 1;
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

// A batch is its sequences also by likelihood, in any order and on any number of threads.
static void test_batch(void) {
    static const size_t T[] = {2, 7, 4};
    net n;
    double alone[3];
    real outs[3][7 * O];
    net_make(&n, 3, PKTSEQ_START_INPUT, 0, T, 3, 12);
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
    test_momentum("nll_momentum_free");
    test_momentum("nll_momentum_forced");
    printf("  PyTorch, all: largest deviation %.1e\n", worst);
    test_gradcheck();
    test_unknown_class();
    test_extremes();
    test_losses_agree();
    test_bad_groups();
    test_step_contract();
    test_batch();
    return check_end("test_likelihood");
}
