// test_step.c - forward, backward and one step of SGD: against PyTorch's numbers, against a second
// implementation in plain loops, against finite differences, and against their own contract.
//
// cc -O2 -fopenmp tests/test_step.c -o build/test_step -lm && ./build/test_step
#ifndef PKTSEQ_LINKED
#define PKTSEQ_IMPLEMENTATION
#endif
#include "../pktseq.h"
#include "scene.h"

#include <math.h>

enum { MOST = 8 };  // sequences in a batch here

// The generator that fixtures/make_fixtures.py describes: exact in float, in [-0.5, 0.5).
static double draw(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 40) / 16777216.0 - 0.5;
}

static void draw_all(uint64_t *state, real *to, size_t n, double scale) {
    for (size_t i = 0; i < n; ++i) to[i] = (real)(draw(state) * scale);
}

static int same_bits(const real *a, const real *b, size_t n) {
    return memcmp(a, b, n * sizeof *a) == 0;
}

static real *copy_of(const real *from, size_t n) {
    real *to = (real *)malloc(n * sizeof *to);
    memcpy(to, from, n * sizeof *to);
    return to;
}

// ---- >>net: a model, its work and a batch -----------------------------------------------------

typedef struct net {
    size_t D, O, H, N, count;
    pktseq_config config;
    pktseq_model model;
    pktseq_work work;
    pktseq_pair pair[MOST];
    unsigned char teacher[MOST];
    real *data;
} net;

// Where the first tokens come from.
enum { FIRST_TARGET, FIRST_INPUT, FIRST_NONE };

// Weights, then x (N, D) and y (T, O) of each pair, all from the one stream.
static void net_make(net *n, size_t D, size_t O, size_t H, size_t N, const size_t *T, size_t count,
                     unsigned first, int threads, uint64_t seed) {
    size_t most = 1, numbers = 0;
    real *p;
    memset(n, 0, sizeof *n);
    n->config.in = n->D = D;
    n->config.out = n->O = O;
    n->config.hidden = n->H = H;
    n->config.inputs = n->N = N;
    n->config.start = first == FIRST_TARGET ? PKTSEQ_START_TARGET : PKTSEQ_START_INPUT;
    n->count = count;
    for (size_t i = 0; i < count; ++i) {
        most = T[i] > most ? T[i] : most;
        numbers += N * D + T[i] * O;
    }
    CHECK(pktseq_model_init(&n->model, &n->config, 1, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_work_init(&n->work, &n->config, count, most, threads, NULL, NULL) == PKTSEQ_OK);
    draw_all(&seed, n->model.block, n->model.parameters, H < 64 ? 1 : 0.125);
    n->data = (real *)malloc((numbers + O) * sizeof *n->data);
    p = n->data + O;  // the first O numbers are the first token of pairs without input packets
    draw_all(&seed, p, numbers, 4);
    for (size_t o = 0; o < O; ++o) n->data[o] = p[numbers - 1 - o];
    for (size_t i = 0; i < count; ++i) {
        pktseq_pair *pair = &n->pair[i];
        pair->input = p;
        pair->target = p + N * D;
        pair->inputs = N;
        pair->targets = T[i];
        p += N * D + T[i] * O;
        if (first == FIRST_TARGET) pair->first = pair->target;
        if (first == FIRST_INPUT)  // the first O numbers of the last input packet, if it has them
            pair->first = N && D >= O ? pair->input + (N - 1) * D : n->data;
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

// Forward and backward from zero gradients.
static void net_gradient(net *n) {
    CHECK(net_forward(n) == PKTSEQ_OK);
    CHECK(pktseq_zero_grad(&n->work) == PKTSEQ_OK);
    CHECK(pktseq_backward(&n->model, &n->work) == PKTSEQ_OK);
}

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

static const char *const fixture_name[] = {
    "s_h5_i4_o3_t1_target0_free",       "s_h5_i4_o3_t1_target0_forced",
    "s_h5_i4_o3_t1_last_free",          "s_h5_i4_o3_t1_last_forced",
    "s_h5_i4_o3_t7_target0_free",       "s_h5_i4_o3_t7_target0_forced",
    "s_h5_i4_o3_t7_last_free",          "s_h5_i4_o3_t7_last_forced",
    "s_h5_i4_o3_t40_target0_free",      "s_h5_i4_o3_t40_target0_forced",
    "s_h5_i4_o3_t40_last_free",         "s_h5_i4_o3_t40_last_forced",
    "s_h5_i4_o3_t7x4x1_target0_free",   "s_h5_i4_o3_t7x4x1_target0_forced",
    "s_h5_i3_o3_t7_last_free",          "s_h5_i3_o3_t7_last_forced",
    "s_h19_i25_o25_t7_target0_free",    "s_h19_i25_o25_t7_target0_forced",
    "l_h256_i25_o25_t1_target0_free",   "l_h256_i25_o25_t1_target0_forced",
    "l_h256_i25_o25_t1_last_free",      "l_h256_i25_o25_t1_last_forced",
    "l_h256_i25_o25_t7_target0_free",   "l_h256_i25_o25_t7_target0_forced",
    "l_h256_i25_o25_t7_last_free",      "l_h256_i25_o25_t7_last_forced",
    "l_h256_i25_o25_t40_target0_free",  "l_h256_i25_o25_t40_target0_forced",
    "l_h256_i25_o25_t40_last_free",     "l_h256_i25_o25_t40_last_forced",
    "l_h256_i25_o25_t317_target0_free", "l_h256_i25_o25_t317_target0_forced",
    "l_h256_i25_o25_t317_last_free",    "l_h256_i25_o25_t317_last_forced",
    "l_h256_i25_o25_t9x7x7x2x1_target0_free", "l_h256_i25_o25_t9x7x7x2x1_target0_forced"};

// The fixtures' names of the tensors, in the order of PKTSEQ_TENSORS.
static const char *const short_name[PKTSEQ_TENSOR_COUNT] = {
    "enc.w_ih", "enc.w_hh", "enc.b_ih", "enc.b_hh", "dec.w_ih",
    "dec.w_hh", "dec.b_ih", "dec.b_hh", "out.w",    "out.b"};

// The net of a fixture and what it came to.
typedef struct outcome {
    net net;
    real *weights, *grad, *after;  // (parameters) at first; of the first step; after it
    real *henc, *outs;             // (H), (T, O) of the first pair
    double loss[4], rmse;
    double tolerance, worst;
    const char *file;
} outcome;

static char *file_text(const char *path) {
    FILE *file = fopen(path, "rb");
    char *text = (char *)calloc(1, 1 << 20);
    size_t got = file ? fread(text, 1, (1 << 20) - 1, file) : 0;
    if (file) fclose(file);
    if (got) return text;
    free(text);
    return NULL;
}

// One number against PyTorch's, relative to the largest of its kind.
static void compare(outcome *c, const char *what, double got, double want, double scale) {
    double d = fabs(got - want) / scale;
    if (d > c->worst) c->worst = d;
    CHECK_THAT(d <= c->tolerance, "%s %s: %.17g, PyTorch %.17g", c->file, what, got, want);
}

// The numbers that a fixture calls `name`; NULL if there are none.
static const real *numbers_called(const outcome *c, const char *name, size_t *count) {
    const real *block = c->weights;
    unsigned k;
    if (strcmp(name, "henc") == 0) return *count = c->net.H, c->henc;
    if (strcmp(name, "outs") == 0) return *count = c->net.pair[0].targets * c->net.O, c->outs;
    if (sscanf(name, "x%u", &k) == 1 && k < c->net.count)
        return *count = c->net.N * c->net.D, c->net.pair[k].input;
    if (sscanf(name, "y%u", &k) == 1 && k < c->net.count)
        return *count = c->net.pair[k].targets * c->net.O, c->net.pair[k].target;
    if (strncmp(name, "grad.", 5) == 0) block = c->grad, name += 5;
    if (strncmp(name, "after.", 6) == 0) block = c->after, name += 6;
    for (size_t i = 0; i < PKTSEQ_TENSOR_COUNT; ++i) {
        pktseq_tensor tensor;
        if (strcmp(name, short_name[i]) != 0) continue;
        CHECK(pktseq_model_tensor(&c->net.model, i, &tensor) == PKTSEQ_OK);
        *count = tensor.rows * tensor.cols;
        return block + (tensor.data - c->net.model.block);
    }
    return NULL;
}

// "tensor NAME ROWS COLS" and the numbers. Weights and data must be what the generator gave.
static void compare_tensor(outcome *c, const char *line) {
    char name[40];
    unsigned long rows, cols;
    size_t count = 0;
    const real *got = NULL;
    double largest = 0, *want;
    char *end;
    if (sscanf(line, "tensor %39s %lu %lu", name, &rows, &cols) == 3)
        got = numbers_called(c, name, &count);
    CHECK_THAT(got && count == rows * cols, "%s: %.40s", c->file, line);
    if (!got || count != rows * cols) return;
    want = (double *)malloc(count * sizeof *want);
    end = (char *)strchr(line, '\n');
    for (size_t i = 0; i < count; ++i) {
        want[i] = strtod(end, &end);
        if (fabs(want[i]) > largest) largest = fabs(want[i]);
    }
    for (size_t i = 0; i < count; ++i) {
        if (strchr("gaoh", name[0]) && strncmp(name, "out.", 4) != 0)
            compare(c, name, (double)got[i], want[i], largest);
        else
            CHECK_THAT((double)got[i] == want[i], "%s %s: %.17g is not %.17g", c->file, name,
                       (double)got[i], want[i]);
    }
    free(want);
}

// "stat NAME l2 sum maxabs", and the "pick NAME INDEX VALUE" lines that follow.
static void compare_stat(outcome *c, const char *line) {
    char name[40], other[40];
    size_t count = 0, picks = 0;
    unsigned long index;
    double l2, sum, most, value, is_l2 = 0, is_sum = 0, is_most = 0;
    const real *got = NULL;
    if (sscanf(line, "stat %39s %lf %lf %lf", name, &l2, &sum, &most) == 4)
        got = numbers_called(c, name, &count);
    CHECK_THAT(got != NULL, "%s: %.40s", c->file, line);
    if (!got) return;
    for (size_t i = 0; i < count; ++i) {
        is_l2 += (double)got[i] * (double)got[i];
        is_sum += (double)got[i];
        if (fabs((double)got[i]) > is_most) is_most = fabs((double)got[i]);
    }
    compare(c, name, sqrt(is_l2), l2, l2);
    compare(c, name, is_sum, sum, l2 > fabs(sum) ? l2 : fabs(sum));
    compare(c, name, is_most, most, most);
    while ((line = strchr(line, '\n')) != NULL &&
           sscanf(++line, "pick %39s %lu %lf", other, &index, &value) == 3) {
        CHECK_THAT(strcmp(name, other) == 0 && index < count, "%s: %.40s", c->file, line);
        if (index < count) compare(c, name, (double)got[index], value, most);
        ++picks;
    }
    CHECK_THAT(picks > 0, "%s: no picks of %s", c->file, name);
}

// Builds the net that a fixture is about, and lets it take three steps.
static void outcome_make(outcome *c, const char *text) {
    net *n = &c->net;
    size_t T[MOST], count = (size_t)fixture_number(text, "pairs");
    double lr = fixture_number(text, "lr");
    int threads;
    char *end = (char *)fixture_value(text, "T");
    for (size_t i = 0; i < count && i < MOST; ++i) T[i] = (size_t)strtoul(end, &end, 10);
    // Two threads wait for each other at each step, which takes long if others want the cores.
    threads = T[0] > 9 && !check_slow() ? 1 : 2;
    net_make(n, (size_t)fixture_number(text, "in"), (size_t)fixture_number(text, "out"),
             (size_t)fixture_number(text, "hidden"), 3, T, count,
             fixture_value(text, "start")[0] == 't' ? FIRST_TARGET : FIRST_INPUT, threads,
             (uint64_t)fixture_number(text, "seed"));
    memset(n->teacher, (int)fixture_number(text, "forced"), sizeof n->teacher);
    c->weights = copy_of(n->model.block, n->model.parameters);
    for (int k = 0; k < 4; ++k) {
        CHECK(net_forward(n) == PKTSEQ_OK);
        c->loss[k] = n->work.loss;
        if (k == 3) break;
        CHECK(pktseq_zero_grad(&n->work) == PKTSEQ_OK);
        CHECK(pktseq_backward(&n->model, &n->work) == PKTSEQ_OK);
        if (k == 0) {
            c->rmse = rmse_of_outputs(n, 0);
            c->henc = copy_of(pktseq_work_encoded(&n->work, 0), n->H);
            c->outs = (real *)malloc(T[0] * n->O * sizeof *c->outs);
            for (size_t t = 0; t < T[0]; ++t)
                memcpy(c->outs + t * n->O, pktseq_work_output(&n->work, 0, t),
                       n->O * sizeof *c->outs);
            c->grad = copy_of(n->work.grad_block, n->work.parameters);
        }
        CHECK(pktseq_sgd_step(&n->model, &n->work, lr) == PKTSEQ_OK);
        if (k == 0) c->after = copy_of(n->model.block, n->model.parameters);
    }
    memcpy(n->model.block, c->weights, n->model.parameters * sizeof *c->weights);
    if (!n->teacher[0]) {
        double score = 0;
        CHECK(pktseq_score(&n->model, &n->work, &n->pair[0], &score) == PKTSEQ_OK);
        CHECK(fabs(score - c->rmse) <= 1e-14 * score);
        c->rmse = score;
    }
}

static void outcome_free(outcome *c) {
    net_free(&c->net);
    free(c->weights);
    free(c->grad);
    free(c->after);
    free(c->henc);
    free(c->outs);
}

// Compares with the float64 or the float32 file; returns the largest deviation.
static double compare_file(outcome *c, const char *name, const char *precision, const char *text) {
    const char *line;
    int tensors = 0;
    c->worst = 0;
    c->tolerance = is_double() && strcmp(precision, "f64") == 0 ? 1e-10 : 1e-5;
    CHECK(strncmp(fixture_value(text, "dtype"), precision, 3) == 0);
    compare(c, "loss", c->loss[0], fixture_number(text, "loss"), fixture_number(text, "loss"));
    compare(c, "loss1", c->loss[1], fixture_number(text, "loss1"), fixture_number(text, "loss1"));
    compare(c, "loss2", c->loss[2], fixture_number(text, "loss2"), fixture_number(text, "loss2"));
    compare(c, "loss3", c->loss[3], fixture_number(text, "loss3"), fixture_number(text, "loss3"));
    compare(c, "rmse", c->rmse, fixture_number(text, "rmse"), fixture_number(text, "rmse"));
    for (line = text; (line = strchr(line, '\n')) != NULL && *++line;) {
        if (strncmp(line, "tensor ", 7) == 0) ++tensors, compare_tensor(c, line);
        if (strncmp(line, "stat ", 5) == 0) ++tensors, compare_stat(c, line);
    }
    // grad, after, henc and outs in every file; weights and data in the small float64 ones
    CHECK(tensors == 22 + (name[0] == 's' && strcmp(precision, "f64") == 0
                               ? 10 + 2 * (int)c->net.count : 0));
    return c->worst;
}

static void test_fixtures(void) {
    static const char *const precision[] = {"f64", "f32"};
    double worst[2] = {0, 0};
    for (size_t i = 0; i < sizeof fixture_name / sizeof *fixture_name; ++i) {
        outcome c;
        memset(&c, 0, sizeof c);
        for (int k = 0; k < 2; ++k) {
            char path[120], *text;
            double d;
            sprintf(path, "tests/fixtures/%s_%s.txt", fixture_name[i], precision[k]);
            text = file_text(path);
            CHECK_THAT(text != NULL, "%s cannot be read", path);
            if (!text) continue;
            c.file = path + strlen("tests/fixtures/");
            if (!c.weights) outcome_make(&c, text);  // the same for both files
            d = compare_file(&c, fixture_name[i], precision[k], text);
            if (d > worst[k]) worst[k] = d;
            free(text);
        }
        outcome_free(&c);
    }
    printf("  PyTorch: largest deviation %.1e from float64, %.1e from float32\n", worst[0],
           worst[1]);
}

// ---- >>naive: the network again, in plain loops and in double ---------------------------------

static double sigmoid(double v) { return 1 / (1 + exp(-v)); }

// One GRU step; w are its four tensors, one behind the other.
static void naive_gru(const double *w, size_t D, size_t H, const double *x, double *h) {
    const double *wi = w, *wh = wi + 3 * H * D, *bi = wh + 3 * H * H, *bh = bi + 3 * H;
    double a[3 * 32], q[3 * 32];
    for (size_t i = 0; i < 3 * H; ++i) {
        a[i] = bi[i];
        q[i] = bh[i];
        for (size_t d = 0; d < D; ++d) a[i] += wi[i * D + d] * x[d];
        for (size_t j = 0; j < H; ++j) q[i] += wh[i * H + j] * h[j];
    }
    for (size_t i = 0; i < H; ++i) {
        double r = sigmoid(a[i] + q[i]), z = sigmoid(a[H + i] + q[H + i]);
        h[i] = (1 - z) * tanh(a[2 * H + i] + r * q[2 * H + i]) + z * h[i];
    }
}

// The loss of one sequence; fills henc (H) and outs (T, O) unless NULL.
static double naive_loss(const net *n, const double *w, size_t p, double *henc, double *outs) {
    const pktseq_pair *pair = &n->pair[p];
    size_t D = n->D, O = n->O, H = n->H;
    const double *decoder = w + 3 * H * (D + H + 2), *out_w = decoder + 3 * H * (O + H + 2);
    double h[32] = {0}, x[32] = {0}, out[32] = {0}, loss = 0;
    for (size_t s = 0; s < n->N; ++s) {
        for (size_t d = 0; d < D; ++d) x[d] = (double)pair->input[s * D + d];
        naive_gru(w, D, H, x, h);
    }
    if (henc) memcpy(henc, h, H * sizeof *h);
    for (size_t o = 0; o < O; ++o) out[o] = pair->first ? (double)pair->first[o] : 0;
    for (size_t t = 0; t < pair->targets; ++t) {
        for (size_t o = 0; o < O; ++o) {
            x[o] = t && n->teacher[p] ? (double)pair->target[(t - 1) * O + o] : out[o];
            if (x[o] < 0) x[o] *= 0.01;
        }
        naive_gru(decoder, O, H, x, h);
        for (size_t o = 0; o < O; ++o) {
            double e;
            out[o] = out_w[O * H + o];
            for (size_t j = 0; j < H; ++j) out[o] += out_w[o * H + j] * h[j];
            e = out[o] - (double)pair->target[t * O + o];
            loss += e * e / (double)O;
        }
        if (outs) memcpy(outs + t * O, out, O * sizeof *out);
    }
    return loss;
}

static double naive_batch_loss(const net *n, const double *w) {
    double loss = 0;
    for (size_t p = 0; p < n->count; ++p) loss += naive_loss(n, w, p, NULL, NULL);
    return loss / (double)n->count;
}

// Everything that a forward gives, against the plain loops.
static double compare_forward(net *n, const double *w) {
    double henc[32], outs[32 * 8], worst = 0, loss = 0, report = 0, d;
    for (size_t p = 0; p < n->count; ++p) {
        double one = naive_loss(n, w, p, henc, outs), T = (double)n->pair[p].targets;
        const real *h = pktseq_work_encoded(&n->work, p);
        loss += one / (double)n->count;
        report += one / T / (double)n->count;
        d = fabs(n->work.sequence_loss[p] - one) / one;
        worst = d > worst ? d : worst;
        for (size_t i = 0; i < n->H; ++i) {
            d = fabs((double)h[i] - henc[i]);
            worst = d > worst ? d : worst;
        }
        for (size_t t = 0; t < n->pair[p].targets; ++t)
            for (size_t o = 0; o < n->O; ++o) {
                d = fabs((double)pktseq_work_output(&n->work, p, t)[o] - outs[t * n->O + o]);
                worst = d > worst ? d : worst;
            }
    }
    d = fabs(n->work.loss - loss) / loss;
    worst = d > worst ? d : worst;
    d = fabs(n->work.report - report) / report;
    return d > worst ? d : worst;
}

// Every parameter's gradient against (loss(w + e) - loss(w - e)) / 2e of the plain loops, relative
// to the largest of its tensor. The loss is rounded to some 1e-16 of itself, so that much divided
// by e is noise; it is all there is where a tensor has next to no influence.
static double compare_gradient(net *n, double *w) {
    double worst = 0, noise = 5e-11 * n->work.loss, e = 1e-5;
    for (size_t k = 0; k < PKTSEQ_TENSOR_COUNT; ++k) {
        pktseq_tensor tensor;
        double largest = 1e-12, difference = 0;
        CHECK(pktseq_model_tensor(&n->model, k, &tensor) == PKTSEQ_OK);
        for (size_t i = 0; i < tensor.rows * tensor.cols; ++i) {
            size_t at = (size_t)(tensor.data - n->model.block) + i;
            double kept = w[at], grad = (double)n->work.grad_block[at], up, down, d;
            w[at] = kept + e;
            up = naive_batch_loss(n, w);
            w[at] = kept - e;
            down = naive_batch_loss(n, w);
            w[at] = kept;
            d = fabs((up - down) / (2 * e) - grad);
            if (!(d <= difference)) difference = d;
            if (fabs(grad) > largest) largest = fabs(grad);
        }
        difference = difference > noise ? difference - noise : difference == difference ? 0 : 1;
        if (difference / largest > worst) worst = difference / largest;
    }
    return worst;
}

// The smallest of the tensors' largest gradients, leaving out those without any influence.
static double smallest_gradient(const net *n) {
    double smallest = 1e300;
    for (size_t k = 0; k < PKTSEQ_TENSOR_COUNT; ++k) {
        pktseq_tensor tensor;
        double largest = 0;
        CHECK(pktseq_model_tensor(&n->model, k, &tensor) == PKTSEQ_OK);
        for (size_t i = 0; i < tensor.rows * tensor.cols; ++i) {
            double grad = fabs((double)n->work.grad_block[tensor.data - n->model.block + (int)i]);
            if (grad > largest) largest = grad;
        }
        if (largest > 0 && largest < smallest) smallest = largest;
    }
    return smallest;
}

enum { TEACHER_NONE, TEACHER_ALL, TEACHER_MIXED };

// One combination of options: forward, gradient, and in double the library's own check as well.
static void test_option(size_t D, size_t O, size_t H, size_t N, const size_t *T, size_t count,
                        unsigned first, unsigned teacher, double *worst) {
    net n;
    double *w, d, library = 0;
    real *kept;
    net_make(&n, D, O, H, N, T, count, first, 1, 1000 * H + 100 * N + 10 * D + count);
    for (size_t i = 0; i < count; ++i)
        n.teacher[i] = teacher == TEACHER_ALL || (teacher == TEACHER_MIXED && i % 2 == 0);
    w = (double *)malloc(n.model.parameters * sizeof *w);
    for (size_t i = 0; i < n.model.parameters; ++i) w[i] = (double)n.model.block[i];
    net_gradient(&n);
    d = compare_forward(&n, w);
    CHECK_THAT(d <= (is_double() ? 1e-13 : 2e-5), "D %d O %d H %d N %d B %d first %u teacher %u: "
               "forward is off by %.2e", (int)D, (int)O, (int)H, (int)N, (int)count, first,
               teacher, d);
    worst[0] = d > worst[0] ? d : worst[0];
    d = compare_gradient(&n, w);
    CHECK_THAT(d <= (is_double() ? 1e-8 : 4e-5), "D %d O %d H %d N %d B %d first %u teacher %u: "
               "gradient is off by %.2e", (int)D, (int)O, (int)H, (int)N, (int)count, first,
               teacher, d);
    worst[1] = d > worst[1] ? d : worst[1];
    if (is_double() && count > 1) {
        kept = copy_of(n.model.block, n.model.parameters);
        CHECK(pktseq_gradcheck(&n.model, &n.work, n.pair, count, n.teacher, 1e-5, &library) ==
              PKTSEQ_OK);
        d = 5e-11 * n.work.loss / smallest_gradient(&n);  // noise, as above
        CHECK_THAT(library <= 1e-8 + d, "gradcheck says %.2e, of which noise %.2e", library, d);
        CHECK(same_bits(kept, n.model.block, n.model.parameters));
        worst[2] = library > worst[2] ? library : worst[2];
        free(kept);
    }
    free(w);
    net_free(&n);
}

// ---- >>inside: states, gates and the gradient that arrives at a step ---------------------------

// One GRU step as above, which also tells r, z, n and q.
static void naive_gates(const double *w, size_t D, size_t H, const double *x, const double *h,
                        double *gate) {
    const double *wi = w, *wh = wi + 3 * H * D, *bi = wh + 3 * H * H, *bh = bi + 3 * H;
    for (size_t i = 0; i < H; ++i) {
        double a[3], q[3];
        for (size_t k = 0; k < 3; ++k) {
            a[k] = bi[k * H + i];
            q[k] = bh[k * H + i];
            for (size_t d = 0; d < D; ++d) a[k] += wi[(k * H + i) * D + d] * x[d];
            for (size_t j = 0; j < H; ++j) q[k] += wh[(k * H + i) * H + j] * h[j];
        }
        gate[i] = sigmoid(a[0] + q[0]);
        gate[H + i] = sigmoid(a[1] + q[1]);
        gate[2 * H + i] = tanh(a[2] + gate[i] * q[2]);
        gate[3 * H + i] = q[2];
    }
}

// The loss of pair p when after step `at` unit j of the state is moved by e. Fills states (S, H)
// and gates (S, 4H) unless NULL.
static double naive_moved(const net *n, const double *w, size_t p, size_t at, size_t j, double e,
                          double *states, double *gates) {
    const pktseq_pair *pair = &n->pair[p];
    size_t D = n->D, O = n->O, H = n->H, N = n->N;
    const double *decoder = w + 3 * H * (D + H + 2), *out_w = decoder + 3 * H * (O + H + 2);
    double h[32] = {0}, x[32] = {0}, out[32] = {0}, loss = 0;
    for (size_t o = 0; o < O; ++o) out[o] = pair->first ? (double)pair->first[o] : 0;
    for (size_t s = 0; s < N + pair->targets; ++s) {
        for (size_t d = 0; s < N && d < D; ++d) x[d] = (double)pair->input[s * D + d];
        for (size_t o = 0; s >= N && o < O; ++o) {
            x[o] = s > N && n->teacher[p] ? (double)pair->target[(s - N - 1) * O + o] : out[o];
            if (x[o] < 0) x[o] *= 0.01;
        }
        if (gates) naive_gates(s < N ? w : decoder, s < N ? D : O, H, x, h, gates + s * 4 * H);
        naive_gru(s < N ? w : decoder, s < N ? D : O, H, x, h);
        if (s == at) h[j] += e;
        if (states) memcpy(states + s * H, h, H * sizeof *h);
        for (size_t o = 0; s >= N && o < O; ++o) {
            double error;
            out[o] = out_w[O * H + o];
            for (size_t k = 0; k < H; ++k) out[o] += out_w[o * H + k] * h[k];
            error = out[o] - (double)pair->target[(s - N) * O + o];
            loss += error * error / (double)O;
        }
    }
    return loss;
}

// A network whose backward is traced, and its weights in double.
static void traced_make(net *n, double **w, real **dh, size_t H, size_t N, unsigned teacher,
                        int threads) {
    static const size_t T[3] = {2, 4, 3};
    size_t numbers = (N + 4) * 3 * H;
    net_make(n, 4, 3, H, N, T, 3, FIRST_INPUT, threads, 77 + H);
    for (size_t i = 0; i < 3; ++i)
        n->teacher[i] = teacher == TEACHER_ALL || (teacher == TEACHER_MIXED && i % 2 == 0);
    *w = (double *)malloc(n->model.parameters * sizeof **w);
    for (size_t i = 0; i < n->model.parameters; ++i) (*w)[i] = (double)n->model.block[i];
    *dh = (real *)malloc(numbers * sizeof **dh);
    CHECK(pktseq_work_trace(&n->work, *dh, numbers - 1) == PKTSEQ_ERROR_MISMATCH);
    CHECK(pktseq_work_trace(&n->work, *dh, numbers) == PKTSEQ_OK);
}

static double further(double worst, double got, double want, double scale) {
    double d = fabs(got - want) / scale;
    return d > worst || d != d ? d : worst;
}

// States and gates against the plain loops; dh of each step against finite differences: the loss
// when the state of that step alone is moved.
static void test_inside(size_t H, size_t N, unsigned teacher, double *worst) {
    double *w, states[7 * 32], gates[7 * 4 * 32], e = 1e-5;
    real *dh;
    net n;
    traced_make(&n, &w, &dh, H, N, teacher, 1);
    CHECK(net_forward(&n) == PKTSEQ_OK);
    for (size_t p = 0; p < 3; ++p) {
        naive_moved(&n, w, p, 99, 0, 0, states, gates);
        for (size_t s = 0; s < N + n.pair[p].targets; ++s) {
            const real *h = pktseq_work_state(&n.work, p, s), *g = pktseq_work_gates(&n.work, p, s);
            CHECK(h && g && !pktseq_work_dh(&n.work, p, s));
            for (size_t i = 0; h && i < H; ++i)
                worst[0] = further(worst[0], (double)h[i], states[s * H + i], 1);
            for (size_t i = 0; g && i < 4 * H; ++i)
                worst[0] = further(worst[0], (double)g[i], gates[s * 4 * H + i], 1);
        }
        if (N) CHECK(pktseq_work_state(&n.work, p, N - 1) == pktseq_work_encoded(&n.work, p));
    }
    CHECK(pktseq_backward(&n.model, &n.work) == PKTSEQ_OK);
    for (size_t p = 0; p < 3; ++p)
        for (size_t s = 0; s < N + n.pair[p].targets; ++s) {
            const real *d = pktseq_work_dh(&n.work, p, s);
            CHECK(d && pktseq_work_state(&n.work, p, s) && !pktseq_work_gates(&n.work, p, s));
            for (size_t j = 0; d && j < H; ++j) {
                double up = naive_moved(&n, w, p, s, j, e, NULL, NULL);
                double down = naive_moved(&n, w, p, s, j, -e, NULL, NULL);
                worst[1] = further(worst[1], (double)d[j], (up - down) / (2 * e) / 3, 1);
            }
        }
    free(w);
    free(dh);
    net_free(&n);
}

// Tracing changes no bit, any number of threads traces the same bits, and each view ends when it
// should.
static void test_trace(void) {
    net n, m;
    double *w[2];
    real *dh[2];
    size_t numbers = (2 + 4) * 3 * 300, written = 0;
    traced_make(&n, &w[0], &dh[0], 300, 2, TEACHER_MIXED, 1);
    traced_make(&m, &w[1], &dh[1], 300, 2, TEACHER_MIXED, 3);
    CHECK(!pktseq_work_state(&n.work, 0, 0) && !pktseq_work_gates(&n.work, 0, 0));
    net_gradient(&n);
    net_gradient(&m);
    for (size_t p = 0; p < 4; ++p)
        for (size_t s = 0; s < 8; ++s) {
            const real *d = pktseq_work_dh(&n.work, p, s), *other = pktseq_work_dh(&m.work, p, s);
            int there = p < 3 && s < 2 + n.pair[p].targets;
            CHECK((d != NULL) == there && (other != NULL) == there);
            CHECK((pktseq_work_state(&n.work, p, s) != NULL) == there);
            if (d && other) CHECK(same_bits(d, other, 300));
        }
    CHECK(!pktseq_work_dh(&n.work, 0, (size_t)-1) && !pktseq_work_dh(&n.work, (size_t)-1, 0));
    CHECK(!pktseq_work_dh(NULL, 0, 0) && !pktseq_work_gates(NULL, 0, 0));
    CHECK(!pktseq_work_state(NULL, 0, 0));
    CHECK(pktseq_work_trace(&m.work, NULL, 0) == PKTSEQ_OK);
    memset(dh[1], 0, numbers * sizeof **dh);
    net_gradient(&m);
    CHECK(!pktseq_work_dh(&m.work, 0, 0));
    CHECK(same_bits(n.work.grad_block, m.work.grad_block, n.model.parameters));
    for (size_t i = 0; i < numbers; ++i) written += dh[1][i] != 0;
    CHECK(written == 0);
    CHECK(pktseq_work_trace(NULL, dh[0], numbers) == PKTSEQ_ERROR_ARGUMENT);
    for (int i = 0; i < 2; ++i) free(w[i]), free(dh[i]);
    net_free(&n);
    CHECK(pktseq_work_trace(&n.work, NULL, 0) == PKTSEQ_ERROR_ARGUMENT);
    net_free(&m);
}

static void test_insides(void) {
    static const size_t hidden[] = {1, 5, 17}, inputs[] = {0, 1, 3};
    double worst[2] = {0, 0};
    for (size_t h = 0; h < 3; ++h)
        for (size_t k = 0; k < 3; ++k)
            for (unsigned teacher = TEACHER_NONE; teacher <= TEACHER_MIXED; ++teacher)
                test_inside(hidden[h], inputs[k], teacher, worst);
    printf("  inside: states and gates within %.1e, dh within %.1e of finite differences\n",
           worst[0], worst[1]);
    CHECK_THAT(worst[0] <= (is_double() ? 2e-15 : 4e-7), "off by %.2e", worst[0]);
    CHECK_THAT(worst[1] <= (is_double() ? 2e-10 : 4e-7), "off by %.2e", worst[1]);
    test_trace();
}

static void test_options(void) {
    static const size_t shape[][2] = {{3, 3}, {4, 2}, {2, 4}}, inputs[] = {0, 1, 3};
    static const size_t hidden[] = {1, 2, 5, 17}, batch[3] = {2, 3, 1}, single[2] = {1, 4};
    double worst[3] = {0, 0, 0};
    for (size_t h = 0; h < 4; ++h)
        for (size_t s = 0; s < 3; ++s)
            for (size_t k = 0; k < 3; ++k)
                for (unsigned first = FIRST_TARGET; first <= FIRST_NONE; ++first)
                    for (unsigned teacher = TEACHER_NONE; teacher <= TEACHER_MIXED; ++teacher) {
                        size_t D = shape[s][0], O = shape[s][1], H = hidden[h], N = inputs[k];
                        // Many units take time; a ninth has every pair of options all the same.
                        int skip = (first + teacher + s) % 3 || (first + 2 * teacher + k) % 3;
                        if (H == 17 && skip) continue;
                        test_option(D, O, H, N, batch, 3, first, teacher, worst);
                        if (H == 17 || (H == 5 && skip) || teacher == TEACHER_MIXED) continue;
                        test_option(D, O, H, N, single, 1, first, teacher, worst);
                        test_option(D, O, H, N, single + 1, 1, first, teacher, worst);
                    }
    printf("  plain loops: forward within %.1e, gradient within %.1e of finite differences\n",
           worst[0], worst[1]);
    if (is_double()) printf("  pktseq_gradcheck: at most %.1e\n", worst[2]);
}

// gradcheck must be able to say no: a kink between w - e and w + e makes the two differ.
static void test_gradcheck_itself(void) {
    size_t T = 3;
    double worst = 0;
    net n;
    net_make(&n, 2, 2, 4, 1, &T, 1, FIRST_TARGET, 1, 3);
    CHECK(pktseq_gradcheck(&n.model, &n.work, n.pair, 1, NULL, 2.0, &worst) == PKTSEQ_OK);
    CHECK_THAT(worst > 1e-3, "a step of 2 is found accurate to %g", worst);
    CHECK(pktseq_gradcheck(&n.model, &n.work, n.pair, 1, NULL, 0, &worst) ==
          PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_gradcheck(&n.model, &n.work, n.pair, 1, NULL, 1e-5, NULL) ==
          PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_gradcheck(NULL, &n.work, n.pair, 1, NULL, 1e-5, &worst) == PKTSEQ_ERROR_ARGUMENT);
    n.pair[0].target = NULL;
    CHECK(pktseq_gradcheck(&n.model, &n.work, n.pair, 1, NULL, 1e-5, &worst) ==
          PKTSEQ_ERROR_ARGUMENT);
    net_free(&n);
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

// A weight that is not a number must not pass for a perfect gradient.
static void test_gradcheck_nan(void) {
    static const size_t T = 2;
    net n;
    double worst = 0;
    net_make(&n, 2, 2, 2, 1, &T, 1, FIRST_TARGET, 1, 1);
    n.model.block[3] = (pktseq_real)sqrt(-1.0);
    CHECK(pktseq_gradcheck(&n.model, &n.work, n.pair, 1, NULL, 1e-4, &worst) ==
          PKTSEQ_ERROR_DIVERGED);
    CHECK(worst > 1e300);
    net_free(&n);
}

// ---- >>sizes: wide networks, many outputs ------------------------------------------------------

// A wide network and a single sequence, which takes a way of its own through the hidden units: its
// gradient is that of a batch of two times the same sequence.
static void test_wide(void) {
    enum { UNITS = 700, LONG = 3 };
    real x[LONG * 2], y[LONG * 2];
    pktseq_config config = pktseq_config_default(NULL);
    pktseq_model model;
    pktseq_work one, two;
    pktseq_pair pair[2];
    double worst = 0, largest = 0;
    config.in = config.out = 2;
    config.hidden = UNITS;
    config.inputs = LONG;
    for (size_t i = 0; i < LONG * 2; ++i) {
        x[i] = (real)sin(3.0 * (double)i);
        y[i] = (real)cos(5.0 * (double)i);
    }
    memset(pair, 0, sizeof pair);
    pair[0].input = x;
    pair[0].inputs = LONG;
    pair[0].target = pair[0].first = y;
    pair[0].targets = LONG;
    pair[1] = pair[0];
    CHECK(pktseq_model_init(&model, &config, 4, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_work_init(&one, &config, 1, LONG, 1, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_work_init(&two, &config, 2, LONG, 1, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_zero_grad(&one) == PKTSEQ_OK && pktseq_zero_grad(&two) == PKTSEQ_OK);
    CHECK(pktseq_forward(&model, &one, pair, 1, NULL) == PKTSEQ_OK);
    CHECK(pktseq_forward(&model, &two, pair, 2, NULL) == PKTSEQ_OK);
    CHECK(pktseq_backward(&model, &one) == PKTSEQ_OK);
    CHECK(pktseq_backward(&model, &two) == PKTSEQ_OK);
    for (size_t i = 0; i < model.parameters; ++i) {
        double a = (double)one.grad_block[i], b = (double)two.grad_block[i];
        worst = fabs(a - b) > worst ? fabs(a - b) : worst;
        largest = fabs(a) > largest ? fabs(a) : largest;
    }
    CHECK_THAT(largest > 1e-3 && worst < 1e-5 * largest, "%g of %g", worst, largest);
    pktseq_work_free(&one);
    pktseq_work_free(&two);
    pktseq_model_free(&model);
}

// More outputs than are summed up in one go: the gradient is the one that the loss says.
static void test_many_outputs(void) {
    enum { OUT = 130, LONG = 2 };
    real x[4], y[LONG * OUT];
    pktseq_config config = pktseq_config_default(NULL);
    pktseq_model model;
    pktseq_work work;
    pktseq_pair pair;
    const unsigned char forced = 1;  // else the bend of LeakyReLU is in the way of large steps
    double worst = -1;
    config.in = config.hidden = 2;
    config.out = OUT;
    config.inputs = 2;
    for (size_t i = 0; i < 4; ++i) x[i] = (real)sin(3.0 * (double)i);
    for (size_t i = 0; i < LONG * OUT; ++i) y[i] = (real)(i % OUT < 64 ? 0.1 : 0.002 * (double)i);
    memset(&pair, 0, sizeof pair);
    pair.input = x;
    pair.inputs = 2;
    pair.target = pair.first = y;
    pair.targets = LONG;
    CHECK(pktseq_model_init(&model, &config, 4, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_work_init(&work, &config, 1, LONG, 1, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_gradcheck(&model, &work, &pair, 1, &forced, sizeof(real) == 4 ? 3e-2 : 1e-5,
                           &worst) == PKTSEQ_OK);
    CHECK_THAT(worst >= 0 && worst < (sizeof(real) == 4 ? 1e-2 : 1e-6), "%g", worst);
    pktseq_work_free(&work);
    pktseq_model_free(&model);
}

int main(void) {
    test_fixtures();
    test_options();
    test_insides();
    test_gradcheck_itself();
    test_batch(5);
    test_batch(256);
    test_threads();
    test_gradients_add_up();
    test_refusals();
    test_equal_parameter_count();
    test_gradcheck_nan();
    test_wide();
    test_many_outputs();
    return check_end("test_step");
}
