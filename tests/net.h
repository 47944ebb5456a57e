// net.h - a network with a batch of pairs, what it computes (fast or plain) in double, and
// PyTorch's numbers for the same, which fixtures/make_fixtures.py and make_nll_fixtures.py have
// written.
#ifndef NET_H
#define NET_H

#include "scene.h"

#include <math.h>

enum { MOST = 8 };  // sequences in a batch here

// The generator that fixtures/make_fixtures.py describes: exact in float, in [-0.5, 0.5).
static inline double draw(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 40) / 16777216.0 - 0.5;
}

static inline void draw_all(uint64_t *state, real *to, size_t n, double scale) {
    for (size_t i = 0; i < n; ++i) to[i] = (real)(draw(state) * scale);
}

static inline int same_bits(const real *a, const real *b, size_t n) {
    return memcmp(a, b, n * sizeof *a) == 0;
}

static inline real *copy_of(const real *from, size_t n) {
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

// What both kinds of nets have: model, work, and memory for what the pairs show.
static inline real *net_begin(net *n, const size_t *T, size_t count, int threads, size_t spare) {
    size_t most = 1, numbers = spare;
    n->D = n->config.in;
    n->O = n->config.out;
    n->H = n->config.hidden;
    n->N = n->config.inputs;
    n->count = count;
    for (size_t i = 0; i < count; ++i) {
        most = T[i] > most ? T[i] : most;
        numbers += n->N * n->D + (T[i] + 1) * n->O;
        n->pair[i].inputs = n->N;
        n->pair[i].targets = T[i];
    }
    CHECK(pktseq_model_init(&n->model, &n->config, 1, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_work_init(&n->work, &n->model.config, count, most, threads, NULL, NULL) ==
          PKTSEQ_OK);
    return n->data = (real *)calloc(numbers, sizeof *n->data);
}

// Weights, then x (N, D) and y (T, O) of each pair, all from the one stream.
static inline void net_make(net *n, size_t D, size_t O, size_t H, size_t N, const size_t *T,
                            size_t count, unsigned first, int threads, uint64_t seed) {
    size_t numbers = 0;
    real *p;
    memset(n, 0, sizeof *n);
    n->config = net_of(D, O, H, N);
    n->config.start = first == FIRST_TARGET ? PKTSEQ_START_TARGET : PKTSEQ_START_INPUT;
    // the first O numbers are the first token of pairs without input packets
    p = net_begin(n, T, count, threads, O) + O;
    for (size_t i = 0; i < count; ++i) numbers += N * D + T[i] * O;
    draw_all(&seed, n->model.block, n->model.parameters, H < 64 ? 1 : 0.125);
    draw_all(&seed, p, numbers, 4);
    for (size_t o = 0; o < O; ++o) n->data[o] = p[numbers - 1 - o];
    for (size_t i = 0; i < count; ++i) {
        pktseq_pair *pair = &n->pair[i];
        pair->input = p;
        pair->target = p + N * D;
        p += N * D + T[i] * O;
        if (first == FIRST_TARGET) pair->first = pair->target;
        if (first == FIRST_INPUT)  // the first O numbers of the last input packet, if it has them
            pair->first = N && D >= O ? pair->input + (N - 1) * D : n->data;
    }
}

// What make_nll_fixtures.py describes: a likelihood of two numbers, a flag and two classes.
static const pktseq_group nll_group[] = {{PKTSEQ_GROUP_NUMBER, 0, 1}, {PKTSEQ_GROUP_NUMBER, 1, 1},
                                         {PKTSEQ_GROUP_FLAG, 2, 1},   {PKTSEQ_GROUP_CLASS, 3, 4},
                                         {PKTSEQ_GROUP_CLASS, 7, 3}};

static inline void net_nll(net *n, size_t inputs, pktseq_start start, int forced, const size_t *T,
                           size_t count, uint64_t seed) {
    real *p;
    memset(n, 0, sizeof *n);
    n->config = net_of(6, 10, 4, inputs);
    n->config.start = start;
    n->config.loss = PKTSEQ_LOSS_NLL;
    n->config.group = nll_group;
    n->config.groups = sizeof nll_group / sizeof *nll_group;
    p = net_begin(n, T, count, 2, 0);
    memset(n->teacher, forced, sizeof n->teacher);
    draw_all(&seed, n->model.block, n->model.parameters, 1);
    for (size_t i = 0; i < count; ++i) {
        pktseq_pair *pair = &n->pair[i];
        pair->input = p;
        draw_all(&seed, p, inputs * n->D + n->O, 4);
        pair->target = p += inputs * n->D + n->O;
        pair->first = start == PKTSEQ_START_TARGET ? p : inputs ? p - n->O : NULL;
        for (size_t t = 0; t < T[i]; ++t, p += n->O) {
            draw_all(&seed, p, 2, 4);
            p[2] = draw(&seed) >= 0;
            p[3 + (size_t)((draw(&seed) + 0.5) * 4)] = 1;
            p[7 + (size_t)((draw(&seed) + 0.5) * 3)] = 1;
            if (i == 0 && t == 1) memset(p + 3, 0, 4 * sizeof *p);  // a class that is not known
        }
    }
}

static inline void net_free(net *n) {
    pktseq_model_free(&n->model);
    pktseq_work_free(&n->work);
    free(n->data);
}

static inline pktseq_status net_forward(net *n) {
    return pktseq_forward(&n->model, &n->work, n->pair, n->count, n->teacher);
}

// Forward and backward from zero gradients.
static inline void net_gradient(net *n) {
    CHECK(net_forward(n) == PKTSEQ_OK);
    CHECK(pktseq_zero_grad(&n->work) == PKTSEQ_OK);
    CHECK(pktseq_backward(&n->model, &n->work) == PKTSEQ_OK);
}

// ---- >>result: what a net computes, in double ---------------------------------------------------

typedef struct result {
    double loss, report;
    double *grad;                     // (parameters)
    double *encoded[MOST];            // (H) of each pair
    double *out[MOST];                // (T, O)
} result;

static inline double *widened(const real *from, size_t n) {
    double *to = (double *)malloc(n * sizeof *to);
    for (size_t i = 0; i < n; ++i) to[i] = (double)from[i];
    return to;
}

// By forward and backward.
static inline result result_fast(net *n) {
    result r;
    memset(&r, 0, sizeof r);
    net_gradient(n);
    r.loss = n->work.loss;
    r.report = n->work.report;
    r.grad = widened(n->work.grad_block, n->work.parameters);
    for (size_t i = 0; i < n->count; ++i) {
        size_t T = n->pair[i].targets;
        r.encoded[i] = widened(pktseq_work_encoded(&n->work, i), n->H);
        r.out[i] = (double *)malloc(T * n->O * sizeof *r.out[i]);
        for (size_t k = 0; k < T * n->O; ++k)
            r.out[i][k] = (double)pktseq_work_output(&n->work, i, k / n->O)[k % n->O];
    }
    return r;
}

// By the plain network, one pair after the other.
static inline result result_plain(const net *n) {
    result r;
    size_t P = n->model.parameters;
    memset(&r, 0, sizeof r);
    r.grad = (double *)calloc(P, sizeof *r.grad);
    for (size_t i = 0; i < n->count; ++i) {
        pktseq_plain p;
        size_t T = n->pair[i].targets;
        CHECK(!pktseq_plain_init(&p, &n->model, &n->pair[i], n->teacher[i], NULL, NULL));
        r.loss += p.loss / (double)n->count;
        r.report += p.loss / (double)T / (double)n->count;
        for (size_t k = 0; k < P; ++k) r.grad[k] += p.grad[k] / (double)n->count;
        r.encoded[i] = (double *)malloc(n->H * sizeof *r.encoded[i]);
        memcpy(r.encoded[i], p.h + n->N * n->H, n->H * sizeof *r.encoded[i]);
        r.out[i] = (double *)malloc(T * n->O * sizeof *r.out[i]);
        memcpy(r.out[i], p.out + n->N * n->O, T * n->O * sizeof *r.out[i]);
        pktseq_plain_free(&p);
    }
    return r;
}

static inline void result_free(result *r) {
    for (size_t i = 0; i < MOST; ++i) free(r->encoded[i]), free(r->out[i]);
    free(r->grad);
}

static inline double largest_of(const double *v, size_t n) {
    double largest = 0;
    for (size_t i = 0; i < n; ++i) largest = fabs(v[i]) > largest ? fabs(v[i]) : largest;
    return largest;
}

// The largest |a - b|; NaN counts as infinite.
static inline double farthest(const double *a, const double *b, size_t n) {
    double worst = 0;
    for (size_t i = 0; i < n; ++i)
        if (!(fabs(a[i] - b[i]) <= worst)) worst = a[i] - b[i] != a[i] - b[i] ? HUGE_VAL
                                                                            : fabs(a[i] - b[i]);
    return worst;
}

// How far the fast result is from the plain one: worst[0] of states, outputs and losses, worst[1]
// of gradients, relative to the largest of their tensor. A tensor that has next to no influence
// counts as if its largest were 1e-6 of all gradients' largest.
static inline void result_compare(const net *n, const result *a, const result *b, double *worst) {
    double floor_of = 1e-6 * largest_of(b->grad, n->model.parameters);
    worst[0] = fabs(a->loss - b->loss) / b->loss;
    worst[0] = fmax(worst[0], fabs(a->report - b->report) / b->report);
    worst[1] = 0;
    for (size_t i = 0; i < n->count; ++i) {
        worst[0] = fmax(worst[0], farthest(a->encoded[i], b->encoded[i], n->H));
        worst[0] = fmax(worst[0], farthest(a->out[i], b->out[i], n->pair[i].targets * n->O));
    }
    for (size_t k = 0; k < PKTSEQ_TENSOR_COUNT; ++k) {
        pktseq_tensor t;
        size_t at, count;
        CHECK(pktseq_model_tensor(&n->model, k, &t) == PKTSEQ_OK);
        at = (size_t)(t.data - n->model.block);
        count = t.rows * t.cols;
        if (!(largest_of(b->grad + at, count) > 0) && !(largest_of(a->grad + at, count) > 0))
            continue;
        worst[1] = fmax(worst[1], farthest(a->grad + at, b->grad + at, count) /
                                      fmax(largest_of(b->grad + at, count), floor_of));
    }
}

// ---- >>fixture: PyTorch's numbers --------------------------------------------------------------

// The fixtures' names of the tensors, in the order of PKTSEQ_TENSORS.
static const char *const short_name[PKTSEQ_TENSOR_COUNT] = {
    "enc.w_ih", "enc.w_hh", "enc.b_ih", "enc.b_hh", "dec.w_ih",
    "dec.w_hh", "dec.b_ih", "dec.b_hh", "out.w",    "out.b"};

typedef struct fixture {
    char name[120], *text;
    double tolerance, worst;
} fixture;

// Reads tests/fixtures/NAME.txt; text is NULL if it cannot be.
static inline fixture fixture_read(const char *name, double tolerance) {
    fixture f;
    char path[160];
    FILE *file;
    size_t got = 0;
    memset(&f, 0, sizeof f);
    snprintf(f.name, sizeof f.name, "%s", name);
    snprintf(path, sizeof path, "tests/fixtures/%s.txt", name);
    f.tolerance = tolerance;
    f.text = (char *)calloc(1, 1 << 20);
    file = fopen(path, "rb");
    if (file) got = fread(f.text, 1, (1 << 20) - 1, file), fclose(file);
    CHECK_THAT(got > 0, "%s cannot be read", path);
    return f;
}

static inline size_t fixture_lengths(const fixture *f, size_t *T) {
    size_t count = (size_t)fixture_number(f->text, "pairs");
    char *end = (char *)fixture_value(f->text, "T");
    CHECK(count <= MOST);
    for (size_t i = 0; i < count && i < MOST; ++i) T[i] = (size_t)strtoul(end, &end, 10);
    return count;
}

// The net that a fixture is about.
static inline void fixture_net(const fixture *f, net *n, int threads) {
    size_t T[MOST] = {0}, count = fixture_lengths(f, T);
    int target = fixture_value(f->text, "start")[0] == 't';
    int forced = (int)fixture_number(f->text, "forced");
    uint64_t seed = (uint64_t)fixture_number(f->text, "seed");
    if (strncmp(f->name, "nll", 3) == 0) {
        net_nll(n, (size_t)fixture_number(f->text, "inputs"),
                target ? PKTSEQ_START_TARGET : PKTSEQ_START_INPUT, forced, T, count, seed);
        return;
    }
    net_make(n, (size_t)fixture_number(f->text, "in"), (size_t)fixture_number(f->text, "out"),
             (size_t)fixture_number(f->text, "hidden"), 3, T, count,
             target ? FIRST_TARGET : FIRST_INPUT, threads, seed);
    memset(n->teacher, forced, sizeof n->teacher);
}

// One number against PyTorch's, relative to the largest of its kind.
static inline void fixture_compare(fixture *f, const char *what, double got, double want,
                                   double scale) {
    double d = fabs(got - want) / (scale > 0 ? scale : 1);
    if (!(d <= f->worst)) f->worst = d;
    CHECK_THAT(d <= f->tolerance, "%s %s: %.17g, PyTorch %.17g", f->name, what, got, want);
}

// A number with a line of its own.
static inline void fixture_line(fixture *f, const char *key, double got) {
    double want = fixture_number(f->text, key);
    fixture_compare(f, key, got, want, fabs(want));
}

// "NAME ROWS COLS" and the numbers.
static inline void fixture_tensor(fixture *f, const char *name, char *at, const double *got,
                                  size_t count) {
    double *want = (double *)malloc(count * sizeof *want), largest;
    size_t rows = strtoul(at, &at, 10), cols = strtoul(at, &at, 10);
    CHECK_THAT(rows * cols == count, "%s %s: %d numbers", f->name, name, (int)(rows * cols));
    for (size_t i = 0; i < count; ++i) want[i] = strtod(at, &at);
    largest = largest_of(want, count);
    for (size_t i = 0; i < count; ++i) fixture_compare(f, name, got[i], want[i], largest);
    free(want);
}

// "NAME l2 sum maxabs", and the "pick NAME INDEX VALUE" lines that follow: of a large one.
static inline void fixture_stat(fixture *f, const char *name, char *at, const double *got,
                                size_t count) {
    double l2 = strtod(at, &at), sum = strtod(at, &at), most = strtod(at, &at), value;
    double is_l2 = 0, is_sum = 0;
    char other[40];
    unsigned long index;
    int picks = 0;
    for (size_t i = 0; i < count; ++i) {
        is_l2 += got[i] * got[i];
        is_sum += got[i];
    }
    fixture_compare(f, name, sqrt(is_l2), l2, l2);
    fixture_compare(f, name, is_sum, sum, l2 > fabs(sum) ? l2 : fabs(sum));
    fixture_compare(f, name, largest_of(got, count), most, most);
    for (; sscanf(at, " pick %39s %lu %lf", other, &index, &value) == 3; ++picks) {
        CHECK_THAT(strcmp(name, other) == 0 && index < count, "%s %s: pick", f->name, name);
        if (index < count) fixture_compare(f, name, got[index], value, most);
        at = strchr(at + 1, '\n');
    }
    CHECK_THAT(picks > 0, "%s: no picks of %s", f->name, name);
}

// The numbers that a fixture calls `name`; 0 if it has none.
static inline int fixture_numbers(fixture *f, const char *name, const double *got, size_t count) {
    static const char *const kind[] = {"tensor", "stat"};
    for (int k = 0; k < 2; ++k) {
        char key[60], *at;
        snprintf(key, sizeof key, "\n%s %s ", kind[k], name);
        at = strstr(f->text, key);
        if (!at) continue;
        (k ? fixture_stat : fixture_tensor)(f, name, at + strlen(key), got, count);
        return 1;
    }
    return 0;
}

// The ten tensors of a block that is laid out as the parameters; returns how many there were.
static inline int fixture_block(fixture *f, const net *n, const char *prefix, const double *block) {
    int found = 0;
    for (size_t i = 0; i < PKTSEQ_TENSOR_COUNT; ++i) {
        pktseq_tensor t;
        char name[40];
        CHECK(pktseq_model_tensor(&n->model, i, &t) == PKTSEQ_OK);
        snprintf(name, sizeof name, "%s%s", prefix, short_name[i]);
        found += fixture_numbers(f, name, block + (t.data - n->model.block), t.rows * t.cols);
    }
    return found;
}

// Losses, outputs, the encoder's state and gradients.
static inline void fixture_result(fixture *f, const net *n, const result *r) {
    int nll = strncmp(f->name, "nll", 3) == 0;
    fixture_line(f, "loss", r->loss);
    if (nll) fixture_line(f, "report", r->report);
    for (size_t i = 0; i < (nll ? n->count : 1); ++i) {
        char name[20] = "outs";
        if (nll) snprintf(name, sizeof name, "outs%d", (int)i);
        CHECK_THAT(fixture_numbers(f, name, r->out[i], n->pair[i].targets * n->O), "%s", name);
    }
    if (!nll) CHECK(fixture_numbers(f, "henc", r->encoded[0], n->H));
    CHECK(fixture_block(f, n, "grad.", r->grad) == PKTSEQ_TENSOR_COUNT);
}

// Weights and data, where the fixture has them: they must be what the generator gave, exactly.
static inline void fixture_given(fixture *f, const net *n) {
    double *weights = widened(n->model.block, n->model.parameters), tolerance = f->tolerance;
    f->tolerance = 0;
    if (fixture_block(f, n, "", weights) == PKTSEQ_TENSOR_COUNT)
        for (size_t i = 0; i < n->count; ++i)
            for (int y = 0; y < 2; ++y) {
                const pktseq_pair *p = &n->pair[i];
                size_t count = y ? p->targets * n->O : p->inputs * n->D;
                double *data = widened(y ? p->target : p->input, count);
                char name[20];
                snprintf(name, sizeof name, "%c%d", y ? 'y' : 'x', (int)i);
                CHECK_THAT(fixture_numbers(f, name, data, count), "%s %s", f->name, name);
                free(data);
            }
    f->tolerance = tolerance;
    free(weights);
}

static const char *const mse_fixture[] = {
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

static const char *const nll_fixture[] = {
    "nll_target_n3_t6_free",      "nll_target_n3_t6_forced",     "nll_target_n1_t6_free",
    "nll_target_n1_t6_forced",    "nll_target_n0_t6_free",       "nll_target_n0_t6_forced",
    "nll_target_n3_t7x4x1_free",  "nll_target_n3_t7x4x1_forced", "nll_input_n3_t6_free",
    "nll_input_n3_t6_forced",     "nll_input_n1_t6_free",        "nll_input_n1_t6_forced",
    "nll_input_n0_t6_free",       "nll_input_n0_t6_forced",      "nll_input_n3_t7x4x1_free",
    "nll_input_n3_t7x4x1_forced"};

#endif
