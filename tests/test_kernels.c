// test_kernels.c - sections >>kernels, >>scalar, >>vectors, >>choose and >>parallel: the kernels
// of each instruction set against the scalar ones, bit for bit; exp, sigmoid and tanh against
// C's double functions; and a few small trainings whose weights must have a published hash, on
// any machine, with any compiler, for any number of threads.
//
// cc -O2 -fopenmp tests/test_kernels.c -o build/test_kernels -lm && ./build/test_kernels
// `build/test_kernels all` looks at every float (half a minute), `build/test_kernels hash` prints
// the hashes only.
static int level = 512;  // of what the processor has, the widest vectors that may be used
static int may_use(const char *feature);
#define PKTSEQI_CPU_HAS(feature) (may_use(feature) && __builtin_cpu_supports(feature))
#define PKTSEQ_IMPLEMENTATION
#include "../pktseq.h"
#include "scene.h"

static int may_use(const char *feature) {
    return level >= (strcmp(feature, "avx512f") == 0 ? 512 : 256);
}

// What this machine and this build have besides the plain kernels; NULL ends the list.
static const pktseqi_kernels *others[3];

static void find_others(void) {
    size_t n = 0;
    (void)may_use;
    for (level = 512; level > 0; level -= 256) {
        const pktseqi_kernels *k = pktseqi_choose();
        if (k != &pktseqi_kernels_scalar && (n == 0 || others[n - 1] != k)) others[n++] = k;
    }
    level = 512;
}

static uint64_t state = 1;

static uint32_t bits32(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}

static size_t below(size_t n) { return bits32() % n; }

// Mostly small numbers; now and then a zero of either sign, a tiny one, or a large one.
static real any_number(void) {
    static const double odd[] = {0, -0.0, 1e-38, -1e-42, 1e30, -3e5};
    if (below(50) == 0) return (real)odd[below(6)];
    return (real)(((double)bits32() / 4294967296.0 - 0.5) * 2);
}

// ---- >>same: every kernel gives the plain one's bits --------------------------------------------

enum { ROOM = 1 << 16 };
static real in[3][ROOM], out[2][ROOM];

static void fill(void) {
    for (size_t i = 0; i < ROOM; ++i) {
        for (int k = 0; k < 3; ++k) in[k][i] = any_number();
        out[0][i] = out[1][i] = any_number();
    }
}

// Everything, so that a kernel that writes beside its place is found as well.
static void compare(const char *kernel, const char *name, const char *what, size_t a, size_t b,
                    size_t c) {
    CHECK_THAT(memcmp(out[0], out[1], sizeof out[0]) == 0, "%s %s %s %lu %lu %lu", kernel, name,
               what, (unsigned long)a, (unsigned long)b, (unsigned long)c);
}

static void same_matmul(const pktseqi_kernels *k) {
    for (int round = 0; round < 300; ++round) {
        size_t rows = 1 + below(round % 3 ? 9 : 40), count = 1 + below(round % 5 ? 7 : 70);
        size_t stride[2], out_stride = rows + below(5);
        pktseqi_product product[2];
        int products = (int)below(3);
        memset(product, 0, sizeof product);
        fill();
        for (int i = 0; i < 2; ++i) {
            product[i].cols = 1 + below(60);
            stride[i] = product[i].cols + below(4);
            product[i].x_stride = stride[i];
            product[i].w = in[0] + below(1000);
            product[i].x = in[1] + below(1000);
        }
        pktseqi_kernels_scalar.matmul(product, products, rows, count, out[0], out_stride);
        k->matmul(product, products, rows, count, out[1], out_stride);
        compare(k->build_info, "matmul", "rows, count, cols", rows, count, product[0].cols);
    }
}

static void same_rank_update(const pktseqi_kernels *k) {
    const real *row[PKTSEQI_PIECE];
    for (int round = 0; round < 400; ++round) {
        size_t terms = 1 + below(PKTSEQI_PIECE), slots = 1 + below(round % 2 ? 70 : 3);
        size_t cols = 1 + below(round % 3 ? 40 : 300);
        size_t as = 1 + below(70), at = 1 + below(70), out_stride = cols + below(20);
        real scale = below(2) ? 1 : any_number();
        int overwrite = (int)below(2);
        fill();
        for (size_t t = 0; t < PKTSEQI_PIECE; ++t) row[t] = in[0] + below(ROOM - 400);
        pktseqi_kernels_scalar.rank_update(in[1], as, at, row, terms, slots, cols, scale, overwrite,
                                        out[0], out_stride);
        k->rank_update(in[1], as, at, row, terms, slots, cols, scale, overwrite, out[1],
                     out_stride);
        compare(k->build_info, "rank_update", "terms, slots, cols", terms, slots, cols);
        pktseqi_kernels_scalar.column_sums(in[1], cols, terms, cols, scale, overwrite, out[0]);
        k->column_sums(in[1], cols, terms, cols, scale, overwrite, out[1]);
        compare(k->build_info, "column_sums", "terms, -, cols", terms, 0, cols);
    }
}

static void same_gates(const pktseqi_kernels *k) {
    for (int round = 0; round < 200; ++round) {
        size_t H = 1 + below(70), count = 1 + below(4);
        size_t stride = H + below(9), gate_stride = 4 * H + below(9);
        for (int back = 0; back < 2; ++back) {
            fill();
            if (round % 7 == 0) out[0][H / 2] = out[1][H / 2] = (real)sqrt(-1.0);
            for (int i = 0; i < 2; ++i) {
                const pktseqi_kernels *by = i ? k : &pktseqi_kernels_scalar;
                real *gate = out[i], *h2 = out[i] + ROOM / 2;
                if (back)
                    by->deltas(H, count, in[2], h2, stride, gate, gate_stride);
                else
                    by->gates(in[0], in[1], H, count, gate, gate_stride, in[2], h2, stride);
            }
            for (size_t i = 0; i < ROOM; ++i)  // which NaN it is does not matter
                if (out[0][i] != out[0][i] && out[1][i] != out[1][i]) out[0][i] = out[1][i] = 0;
            compare(k->build_info, back ? "deltas" : "gates", "H, count", H, count, 0);
        }
    }
}

static void same_vectors(const pktseqi_kernels *k) {
    for (size_t n = 0; n < 100; ++n) {
        real a = any_number(), b = any_number();
        fill();
        for (int i = 0; i < 2; ++i) {
            const pktseqi_kernels *by = i ? k : &pktseqi_kernels_scalar;
            by->axpy(a, in[0], out[i], n);
            by->momentum(b, a + 1, in[1], a, out[i] + 200, out[i] + 400, n);
            out[i][1200] = by->exp(out[i] + 600, n, b);
            by->sigmoid(out[i] + 800, n);
            by->scale(a, out[i] + 1000, n);
            out[i][1201] = (real)by->squares(in[1], n);
            if (n > 0) out[i][1202] = by->max(in[1], n);
        }
        compare(k->build_info, "axpy, momentum, exp, sigmoid, scale, squares or max", "n", n, 0, 0);
    }
}

// ---- >>fused: a*b + c of whole numbers, which 64 bits hold exactly ------------------------------

static int same_float(float a, float b) { return memcmp(&a, &b, sizeof a) == 0; }

static void fused(int64_t a, int64_t b, int64_t c) {
    float got = pktseqi_fmaf((float)a, (float)b, (float)c), want = (float)(a * b + c);
    CHECK_THAT(same_float(got, want) || (got == 0 && want == 0), "%ld * %ld + %ld: %.9g, not %.9g",
               (long)a, (long)b, (long)c, (double)got, (double)want);
}

static void test_fused(void) {
    const float tiny = (float)ldexp(1, -75);
    for (int i = 0; i < 200000; ++i) {
        int k = (int)below(38);
        int64_t a = (int64_t)(bits32() >> (8 + below(23))), b = (int64_t)(bits32() >> 8);
        int64_t c = (int64_t)(bits32() >> 8) << k;
        fused(below(2) ? a : -a, b, below(2) ? c : -c);
    }
    // Products close to half of c's last place: exactly half goes to the even neighbour, and the
    // least bit more or less, far below what a double holds of the sum, goes the right way.
    for (int64_t i = 12; i <= 19; ++i)
        for (int64_t j = i - 1; j <= i; ++j)
            for (int64_t more = -1; more <= 1; ++more)
                for (int64_t less = -1; less <= 1; ++less)
                    for (int64_t m = 0; m < 8; ++m) {
                        int64_t a = ((int64_t)1 << i) + more, b = ((int64_t)1 << j) + less;
                        int64_t c = (((int64_t)1 << 23) + m) << (i + j + 1);
                        fused(a, b, c);
                        fused(a, -b, c);
                        fused(-a, b, -c);
                        fused(a, b, -c);
                    }
    // Below the smallest normal number, above the largest, and what is no number.
    CHECK(same_float(pktseqi_fmaf(tiny, tiny, (float)ldexp(1, -149)), (float)ldexp(1, -148)));
    CHECK(same_float(pktseqi_fmaf(tiny, tiny, 0), 0));
    CHECK(same_float(pktseqi_fmaf(tiny, tiny * 1.5f, 0), (float)ldexp(1, -149)));
    CHECK(pktseqi_fmaf(FLT_MAX, 2, -FLT_MAX) == FLT_MAX);
    CHECK(pktseqi_fmaf(FLT_MAX, 2, 1) > FLT_MAX);
    CHECK(pktseqi_fmaf(-FLT_MAX, FLT_MAX, FLT_MAX) < -FLT_MAX);
    CHECK(isnan(pktseqi_fmaf((float)INFINITY, 0, 1)) && isnan(pktseqi_fmaf(1, 1, (float)NAN)));
    CHECK(isnan(pktseqi_fmaf((float)INFINITY, 1, -(float)INFINITY)));
    CHECK(pktseqi_fmaf(1, 1, (float)INFINITY) > FLT_MAX);
}

// ---- >>exact: exp, sigmoid and tanh against double ----------------------------------------------

// The distance of a result from the exact value, in units of the exact value's last place.
static double ulps(float result, double exact) {
    int exponent;
    frexp(exact, &exponent);
    return fabs((double)result - exact) / ldexp(1, exponent - 24);
}

static double exact_of(int function, double x) {
    if (function == 0) return exp(x);
    return function == 1 ? 1 / (1 + exp(-x)) : tanh(x);
}

// The three functions by way of the kernels that compute them.
static void values_of(const pktseqi_kernels *k, int function, real *x, size_t n) {
    if (function == 0) {
        k->exp(x, n, 0);
    } else if (function == 1) {
        k->sigmoid(x, n);
    } else {  // n of a step with one unit, of which all else is 0: n = tanh(its sum)
        real zero[3] = {0, 0, 0}, gate[4], h = 0, h2;
        for (size_t i = 0; i < n; ++i) {
            gate[0] = gate[1] = gate[3] = 0;
            gate[2] = x[i];
            k->gates(zero, zero, 1, 1, gate, 4, &h, &h2, 1);
            x[i] = gate[2];
        }
    }
}

// Every stride-th float of both signs up to the bound where the function stays the same.
static void test_exact(uint32_t stride) {
    static const char *const name[] = {"exp", "sigmoid", "tanh"};
    static const float bound[] = {87, 87, 44};
    static const double most[] = {1.3, 2.6, 2.6};
    const pktseqi_kernels *k = pktseqi_choose();
    for (int function = 0; function < 3; ++function) {
        double worst = 0;
        float at = 0;
        uint32_t last;
        memcpy(&last, &bound[function], sizeof last);
        for (int sign = 0; sign < 2; ++sign)
            for (uint32_t bits = 0; bits <= last;) {
                real x[64];
                float from[64];
                size_t n = 0;
                for (; n < 64 && bits <= last; ++n, bits += stride) {
                    memcpy(&from[n], &bits, sizeof bits);
                    if (sign) from[n] = -from[n];
                    x[n] = (real)from[n];
                }
                values_of(k, function, x, n);
                for (size_t i = 0; i < n; ++i) {
                    double error = ulps((float)x[i], exact_of(function, (double)from[i]));
                    if (error > worst) {
                        worst = error;
                        at = from[i];
                    }
                }
            }
        printf("  %s: at most %.2f ulp (at %.9g)\n", name[function], worst, (double)at);
        CHECK_THAT(worst <= most[function], "%s", name[function]);
    }
}

// ---- >>hash: the same weights everywhere --------------------------------------------------------

enum { FEATURES = 25, PACKETS = 400, SEQUENCES = 40 };

// FNV-1a over the bits of a model trained for a while. Three kinds: the reference's, a batch with
// momentum and clipping, and likelihood.
static uint64_t hash_of(int kind, int threads, size_t iterations) {
    static real x[PACKETS * FEATURES];
    size_t start[SEQUENCES + 1];
    pktseq_group group[FEATURES];
    pktseq_dataset dataset;
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_train_config config = pktseq_train_config_default();
    pktseq_config net;
    pktseq_model model;
    pktseq_training training;
    uint64_t hash = 0xcbf29ce484222325u;
    size_t groups = 0;
    state = 7;
    for (size_t i = 0; i < PACKETS * FEATURES; ++i)
        x[i] = i % FEATURES < 5 ? (real)((double)(bits32() >> 8) / 8388608.0 - 1)
                                : (real)(bits32() >> 31);
    start[0] = 0;
    for (size_t i = 1; i <= SEQUENCES; ++i) start[i] = start[i - 1] + 4 + bits32() % 12;
    CHECK(start[SEQUENCES] <= PACKETS);
    CHECK(pktseq_dataset_wrap(&dataset, x, FEATURES, x, FEATURES, start, SEQUENCES, &options, NULL,
                              NULL) == 0);
    net = pktseq_config_default(&dataset);
    net.hidden = kind == 0 ? 200 : 56;  // large enough for several threads
    config.iterations = iterations;
    config.learning_rate = 0.05;
    config.teacher_forcing = 0.3;
    config.threads = threads;
    if (kind > 0) {
        config.batch = 70;
        config.momentum = 0.9;
        config.clip = 0.5;
    }
    if (kind == 2) {
        for (size_t i = 0; i < FEATURES; i += group[groups++].count) {
            memset(&group[groups], 0, sizeof *group);
            group[groups].first = i;
            group[groups].kind = i < 5 ? PKTSEQ_GROUP_NUMBER
                                       : i < 10 ? PKTSEQ_GROUP_FLAG : PKTSEQ_GROUP_CLASS;
            group[groups].count = i < 10 ? 1 : 15;
        }
        net.loss = PKTSEQ_LOSS_NLL;
        net.group = group;
        net.groups = groups;
    }
    memset(&training, 0, sizeof training);
    CHECK(pktseq_model_init(&model, &net, 3, NULL, NULL) == 0);
    CHECK(pktseq_train(&model, &dataset, &config, &training, NULL) == 0);
    for (size_t i = 0; i < model.parameters; ++i) {
        uint32_t word;
        float value = (float)model.block[i];
        memcpy(&word, &value, sizeof word);
        for (int byte = 0; byte < 4; ++byte)
            hash = (hash ^ (word >> (8 * byte) & 255)) * 0x100000001b3u;
    }
    pktseq_training_free(&training);
    pktseq_model_free(&model);
    pktseq_dataset_free(&dataset);
    return hash;
}

// What every machine must find after so many iterations.
static const size_t iterations[3] = {300, 40, 40};
static const uint64_t published[3] = {0x7e2868cba580401cu, 0xe02ed59a9520b3d1u,
                                      0x4e352b0bdc2a995bu};

// Plain C takes 4 s for what vectors do in 0.1: it goes all the way if there is time (bits.sh does,
// too), else it must agree with them after the first iterations.
static void test_hash(void) {
    static const int threads[] = {1, 2, 3, 5, 8};
    for (int kind = 0; kind < 3 && !is_double(); ++kind) {
        uint64_t first = hash_of(kind, 1, 4);
        for (int t = 0; t < 5; ++t)
            CHECK_THAT(hash_of(kind, threads[t], iterations[kind]) == published[kind],
                       "kind %d, %d threads", kind, threads[t]);
        for (level = 256; level >= 0; level -= 256) {
            CHECK_THAT(hash_of(kind, 1, 4) == first, "kind %d, vectors up to %d", kind, level);
            if (level > 0 || check_slow())
                CHECK_THAT(hash_of(kind, 1, iterations[kind]) == published[kind],
                           "kind %d, vectors up to %d", kind, level);
        }
        level = 512;
    }
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "hash") == 0) {
        for (int kind = 0; kind < 3; ++kind)
            printf("%016llx%c", (unsigned long long)hash_of(kind, 1, iterations[kind]),
                   kind < 2 ? ' ' : '\n');
        return check_failed != 0;
    }
    find_others();
    test_fused();
    for (int i = 0; others[i]; ++i) {
        printf("  %s against plain C\n", others[i]->build_info);
        same_matmul(others[i]);
        same_rank_update(others[i]);
        same_gates(others[i]);
        same_vectors(others[i]);
    }
    if (!is_double()) test_exact(check_slow() ? 1 : 997);
    test_hash();
    return check_end("test_kernels");
}
