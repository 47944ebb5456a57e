// test_model.c - sections >>random, >>model and >>work: the random streams, the tensors of a
// model, its first weights and its growth, and what model_init and work_init do without memory
// or with sizes that make no sense. Of >>train, the hash of a dataset.
//
// cc -O2 -fopenmp tests/test_model.c -o build/test_model -lm && ./build/test_model
#include "inside.h"
#include "scene.h"

#include <math.h>

// ---- >>random -----------------------------------------------------------------------------------

static void test_random(void) {
    enum { DRAW = 1, TEACHER = 3 };  // streams; checkpoints rely on these numbers
    // SplitMix64 from seed 1234567, as published:
    // rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64
    static const uint64_t published[] = {6457827717110365317u, 3203168211198807973u,
                                         9817491932198370423u, 4593380528125082431u,
                                         16408922859458223821u};
    uint64_t state = 1234567, a, b;
    size_t bin[7] = {0};
    double low = 1, high = 0, sum = 0;
    for (size_t i = 0; i < 5; ++i) CHECK(pktseqi_random(&state) == published[i]);
    for (size_t i = 0; i < 70000; ++i) {
        size_t k = pktseqi_random_below(&state, 7);
        CHECK(k < 7);
        ++bin[k % 7];
    }
    for (size_t k = 0; k < 7; ++k)  // 10,000 expected, standard deviation 93
        CHECK_THAT(bin[k] > 9600 && bin[k] < 10400, "%d of 70000 are %d", (int)bin[k], (int)k);
    CHECK(pktseqi_random_below(&state, 1) == 0);
    for (size_t i = 0; i < 100000; ++i) {
        double u = pktseqi_random_unit(&state);
        low = u < low ? u : low;
        high = u > high ? u : high;
        sum += u / 100000;
        CHECK(u * 16777216.0 == floor(u * 16777216.0));  // exact in float
    }
    CHECK(low >= 0 && low < 1e-3 && high < 1 && high > 0.999);
    CHECK_THAT(fabs(sum - 0.5) < 0.005, "mean %g", sum);
    // Streams differ in each of seed, purpose and index.
    a = pktseqi_random_at(1, DRAW, 7);
    b = pktseqi_random_at(2, DRAW, 7);
    CHECK(a != b && a != pktseqi_random_at(1, TEACHER, 7));
    CHECK(a != pktseqi_random_at(1, DRAW, 8));
}

// ---- >>tensors ----------------------------------------------------------------------------------

// PyTorch's names and shapes for D = 4, O = 3, H = 5, by hand.
static const struct {
    const char *name;
    size_t rows, cols;
    int rank;
} expected[PKTSEQ_TENSOR_COUNT] = {
    {"encoder.gru.weight_ih_l0", 15, 4, 2}, {"encoder.gru.weight_hh_l0", 15, 5, 2},
    {"encoder.gru.bias_ih_l0", 15, 1, 1},   {"encoder.gru.bias_hh_l0", 15, 1, 1},
    {"decoder.gru.weight_ih_l0", 15, 3, 2}, {"decoder.gru.weight_hh_l0", 15, 5, 2},
    {"decoder.gru.bias_ih_l0", 15, 1, 1},   {"decoder.gru.bias_hh_l0", 15, 1, 1},
    {"decoder.out.weight", 3, 5, 2},        {"decoder.out.bias", 3, 1, 1}};

static void test_tensors(void) {
    pktseq_config config = net_of(4, 3, 5, 3);
    pktseq_model model, empty;
    pktseq_work work;
    pktseq_tensor tensor;
    size_t at = 0;
    memset(&empty, 0, sizeof empty);
    CHECK(pktseq_model_init(&model, &config, 1, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_work_init(&work, &config, 2, 6, 1, NULL, NULL) == PKTSEQ_OK);
    for (size_t i = 0; i < PKTSEQ_TENSOR_COUNT; ++i) {
        CHECK(pktseq_model_tensor(&model, i, &tensor) == PKTSEQ_OK);
        CHECK_THAT(strcmp(tensor.name, expected[i].name) == 0, "%s", tensor.name);
        CHECK_THAT(tensor.rows == expected[i].rows && tensor.cols == expected[i].cols &&
                       tensor.rank == expected[i].rank, "%s has another shape", tensor.name);
        CHECK_THAT(tensor.data == model.block + at, "%s is not where it should be", tensor.name);
        at += tensor.rows * tensor.cols;
    }
    CHECK(at == 333 && model.parameters == 333 && work.parameters == 333);
    at = 0;
    // The named pointers of model and gradients lie at the same places.
#define TEST_X(field, name, rows, cols) \
    CHECK(pktseq_model_tensor(&model, at, &tensor) == PKTSEQ_OK); \
    CHECK_THAT(model.tensor.field == tensor.data && \
                   work.grad.field - work.grad_block == tensor.data - model.block, #field); \
    ++at;
    PKTSEQ_TENSORS(TEST_X)
#undef TEST_X
    CHECK(at == PKTSEQ_TENSOR_COUNT);
    CHECK(model.config.groups == config.out);  // none were given: every output is a number
    config.group = model.config.group;
    config.groups = model.config.groups;
    CHECK(memcmp(&model.config, &config, sizeof config) == 0);
    CHECK(pktseq_model_tensor(&model, PKTSEQ_TENSOR_COUNT, &tensor) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_model_tensor(&model, (size_t)-1, &tensor) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_model_tensor(&model, 0, NULL) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_model_tensor(NULL, 0, &tensor) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_model_tensor(&empty, 0, &tensor) == PKTSEQ_ERROR_ARGUMENT);
    pktseq_model_free(&model);
    pktseq_work_free(&work);
}

// ---- >>weights ----------------------------------------------------------------------------------

// Uniform within +-bound? Sixteen bins, mean, and no value beyond.
static void check_uniform(const char *name, const real *w, size_t n, double bound) {
    double bin[16] = {0}, chi = 0, sum = 0, most = 0, serial = 0;
    for (size_t i = 0; i < n; ++i) {
        double u = ((double)w[i] / bound + 1) / 2;
        bin[u >= 1 ? 15 : u < 0 ? 0 : (int)(u * 16)] += 1;
        sum += u;
        if (fabs((double)w[i]) > most) most = fabs((double)w[i]);
        if (i > 0) serial += (double)w[i] * (double)w[i - 1] / (bound * bound / 3);
    }
    CHECK_THAT(most <= bound * (1 + 1e-7), "%s: %g is beyond %g", name, most, bound);
    CHECK_THAT(most > bound * (1 - 30.0 / (double)n), "%s: at most %g of %g", name, most, bound);
    for (int k = 0; k < 16; ++k) chi += (bin[k] - n / 16.0) * (bin[k] - n / 16.0) / (n / 16.0);
    CHECK_THAT(chi < 45, "%s: chi-square %g with 15 degrees of freedom", name, chi);  // p < 1e-4
    sum = (sum / (double)n - 0.5) * sqrt(12.0 * (double)n);
    CHECK_THAT(fabs(sum) < 4, "%s: mean is off by %g standard deviations", name, sum);
    CHECK_THAT(fabs(serial) < 4 * sqrt((double)n), "%s: neighbours are alike, %g", name, serial);
}

// Every weight, rounded to float, into one number: the same for float and double builds, as a draw
// has 24 bits and is scaled in double. A change here changes what a seed means.
static uint64_t weights_hash(const pktseq_model *model) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < model->parameters; ++i) {
        float w = (float)model->block[i];
        uint32_t bits;
        memcpy(&bits, &w, sizeof bits);
        hash = (hash ^ bits) * 0x100000001b3u;
    }
    return hash;
}

static void test_weights(void) {
    static const float first[] = {-0.0159776956f, -0.018131189f, -0.0165806711f, 0.0574669763f};
    pktseq_config config = net_of(25, 25, 256, 3);
    pktseq_model a, b;
    pktseq_tensor tensor;
    size_t equal = 0;
    CHECK(pktseq_model_init(&a, &config, 1, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_model_init(&b, &config, 1, NULL, NULL) == PKTSEQ_OK);
    CHECK(memcmp(a.block, b.block, a.parameters * sizeof *a.block) == 0);
    pktseq_model_free(&b);
    CHECK(pktseq_model_init(&b, &config, 2, NULL, NULL) == PKTSEQ_OK);
    for (size_t i = 0; i < a.parameters; ++i) equal += a.block[i] == b.block[i];
    CHECK_THAT(equal < 10, "%d weights are those of another seed", (int)equal);
    for (size_t i = 0; i < PKTSEQ_TENSOR_COUNT; ++i) {
        CHECK(pktseq_model_tensor(&a, i, &tensor) == PKTSEQ_OK);
        check_uniform(tensor.name, tensor.data, tensor.rows * tensor.cols, 1.0 / 16);
    }
    check_uniform("all", a.block, a.parameters, 1.0 / 16);
    for (size_t i = 0; i < sizeof first / sizeof *first; ++i)
        CHECK_THAT((float)a.block[i] == first[i], "weight %d is %.9g", (int)i, (double)a.block[i]);
    CHECK_THAT(weights_hash(&a) == 0xbf2303df34f5f2afu, "%016llx",
               (unsigned long long)weights_hash(&a));
    pktseq_model_free(&a);
    pktseq_model_free(&b);
    CHECK(pktseq_model_init(&a, lent(net_of(5, 2, 7, 0)), UINT64_MAX, NULL, NULL) == PKTSEQ_OK);
    CHECK_THAT(weights_hash(&a) == 0x3bec82d8768ab357u, "%016llx",
               (unsigned long long)weights_hash(&a));
    check_uniform("7 units", a.block, a.parameters, 1 / sqrt(7.0));
    pktseq_model_free(&a);
}

static void test_config_default(void) {
    static const real x[4 * 6] = {0}, y[2 * 6] = {0};
    static const size_t start[] = {0, 6};
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_dataset dataset;
    pktseq_config config;
    CHECK(options.inputs == 3 && options.start == PKTSEQ_START_TARGET && !options.drop_last);
    options.inputs = 2;
    options.start = PKTSEQ_START_INPUT;
    CHECK(pktseq_dataset_wrap(&dataset, x, 4, y, 2, start, 1, &options, NULL, NULL) == PKTSEQ_OK);
    config = pktseq_config_default(&dataset);
    CHECK(config.in == 4 && config.out == 2 && config.hidden == 256 && config.inputs == 2 &&
          config.start == PKTSEQ_START_INPUT);
    pktseq_dataset_free(&dataset);
}

// ---- >>failures ---------------------------------------------------------------------------------

// Every allocation of a model's and a work's init fails once: what was made so far goes back.
static void test_no_memory(void) {
    pktseq_config config = net_of(3, 2, 4, 1);
    for (int is_work = 0; is_work < 2; ++is_work) {
        pktseq_status status = PKTSEQ_ERROR_MEMORY;
        size_t failures = 0;
        while (status == PKTSEQ_ERROR_MEMORY) {
            counter m;
            pktseq_allocator a = counted(&m);
            pktseq_error err;
            parts p;
            memset(&err, 0x55, sizeof err);
            memset(&p, 0x55, sizeof p);
            m.fail_at = failures + 1;
            status = is_work ? pktseq_work_init(&p.work, &config, 2, 3, 1, &a, &err)
                             : pktseq_model_init(&p.model, &config, 1, &a, &err);
            memset(&a, 0, sizeof a);  // the struct was copied
            CHECK(err.status == status && (err.text[0] == 0) == (status == PKTSEQ_OK) && !err.line);
            CHECK(m.live == (status ? 0 : m.allocations));
            for (int twice = 0; twice < 2; ++twice) {
                if (is_work) pktseq_work_free(&p.work);
                else pktseq_model_free(&p.model);
                CHECK(m.live == 0);
                CHECK(is_work ? is_zero(&p.work, sizeof p.work)
                              : is_zero(&p.model, sizeof p.model));
            }
            failures += status != PKTSEQ_OK;
        }
        CHECK(status == PKTSEQ_OK);
        CHECK(is_work ? failures >= 1 : failures == 2);  // of a model: the block and the groups
    }
    pktseq_model_free(NULL);
    pktseq_work_free(NULL);
}

static void test_work(void) {
    pktseq_config config = net_of(3, 2, 4, 0);
    pktseq_work work;
    CHECK(pktseq_work_init(&work, &config, 2, 3, 3, NULL, NULL) == PKTSEQ_OK);
    CHECK(work.batch == 2 && work.targets == 3 && work.count == 0);
    CHECK(memcmp(&work.config, &config, sizeof config) == 0);
#ifdef _OPENMP
    CHECK(work.threads == 3);
#endif
    for (size_t i = 0; i < work.parameters; ++i) CHECK(work.grad_block[i] == 0);
    pktseq_work_free(&work);
    CHECK(pktseq_work_init(&work, &config, 1, 1, 0, NULL, NULL) == PKTSEQ_OK);
    CHECK(work.threads >= 1);
    pktseq_work_free(&work);
}

// A size that has wrapped round to a small one would be served; more than a gigabyte never is.
static pktseq_allocator scarce(counter *m) {
    pktseq_allocator a = counted(m);
    m->limit = (size_t)1 << 30;
    return a;
}

static pktseq_status try_model(size_t D, size_t O, size_t H) {
    counter m;
    pktseq_allocator a = scarce(&m);
    pktseq_error err;
    pktseq_model model;
    pktseq_status status = pktseq_model_init(&model, lent(net_of(D, O, H, 3)), 1, &a, &err);
    CHECK(err.status == status);
    pktseq_model_free(&model);
    CHECK(m.live == 0);
    return status;
}

static pktseq_status try_work(size_t D, size_t O, size_t H, size_t N, size_t B, size_t T,
                              int threads) {
    counter m;
    pktseq_allocator a = scarce(&m);
    pktseq_error err;
    pktseq_work work;
    pktseq_status status = pktseq_work_init(&work, lent(net_of(D, O, H, N)), B, T, threads, &a,
                                            &err);
    CHECK(err.status == status);
    pktseq_work_free(&work);
    CHECK(m.live == 0);
    return status;
}

// So many numbers are too many; on a machine of 32 bits the smallest of these sizes are not, alone.
static int is_refused(pktseq_status status, size_t size) {
    return status == PKTSEQ_ERROR_MEMORY || (status == PKTSEQ_OK && size < (size_t)1 << 27);
}

static void test_sizes(void) {
    // Sizes whose products wrap round to 0 or to something small in 64 or 32 bits.
    static const size_t huge[] = {
        SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2, SIZE_MAX / 2 + 1, SIZE_MAX / 3, SIZE_MAX / 3 + 1,
        SIZE_MAX / 4 + 1, SIZE_MAX / 8 + 1, SIZE_MAX / 12, SIZE_MAX / 16 + 1, SIZE_MAX / 64 + 1,
        (size_t)1 << (sizeof(size_t) * 4), ((size_t)1 << (sizeof(size_t) * 4)) + 1,
        (size_t)1 << (sizeof(size_t) * 4 + 1), (size_t)3 << (sizeof(size_t) * 4 - 1)};
    CHECK(try_model(0, 1, 1) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(try_model(1, 0, 1) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(try_model(1, 1, 0) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(try_model(1, 1, 1) == PKTSEQ_OK);
    CHECK(pktseq_model_init(NULL, lent(net_of(1, 1, 1, 3)), 1, NULL, NULL) ==
          PKTSEQ_ERROR_ARGUMENT);
    CHECK(try_work(0, 1, 1, 1, 1, 1, 1) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(try_work(1, 0, 1, 1, 1, 1, 1) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(try_work(1, 1, 0, 1, 1, 1, 1) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(try_work(1, 1, 1, 1, 0, 1, 1) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(try_work(1, 1, 1, 1, 1, 0, 1) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(try_work(1, 1, 1, 1, 1, 1, -1) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(try_work(1, 1, 1, 0, 1, 1, 1) == PKTSEQ_OK);
    CHECK(pktseq_work_init(NULL, lent(net_of(1, 1, 1, 3)), 1, 1, 1, NULL, NULL) ==
          PKTSEQ_ERROR_ARGUMENT);
    for (size_t i = 0; i < sizeof huge / sizeof *huge; ++i) {
        size_t h = huge[i];
        CHECK_THAT(is_refused(try_model(h, 1, 1), h), "in %zx", h);
        CHECK_THAT(is_refused(try_model(1, h, 1), h), "out %zx", h);
        CHECK_THAT(is_refused(try_model(1, 1, h), h), "hidden %zx", h);
        CHECK_THAT(try_model(h, h, h) == PKTSEQ_ERROR_MEMORY, "all %zx", h);
        CHECK_THAT(is_refused(try_work(h, 1, 1, 1, 1, 1, 1), h), "in %zx", h);
        CHECK_THAT(is_refused(try_work(1, h, 1, 1, 1, 1, 1), h), "out %zx", h);
        CHECK_THAT(is_refused(try_work(1, 1, h, 1, 1, 1, 1), h), "hidden %zx", h);
        CHECK_THAT(is_refused(try_work(1, 1, 1, h, 1, 1, 1), h), "inputs %zx", h);
        CHECK_THAT(is_refused(try_work(1, 1, 1, 1, h, 1, 1), h), "batch %zx", h);
        CHECK_THAT(is_refused(try_work(1, 1, 1, 1, 1, h, 1), h), "targets %zx", h);
        CHECK_THAT(try_work(2, 2, 4, 1, h, h, 1) == PKTSEQ_ERROR_MEMORY, "both %zx", h);
        CHECK_THAT(try_work(2, 2, 4, h, h, 2, 1) == PKTSEQ_ERROR_MEMORY, "both %zx", h);
    }
}

// ---- >>limits ----------------------------------------------------------------------------------

// A config made by hand: what is senseless is refused in words.
static void test_configs(void) {
    pktseq_config config = pktseq_config_default(NULL), other;
    pktseq_model model;
    pktseq_work work;
    pktseq_error err;
    CHECK(config.hidden == 256 && config.in == 0 && config.out == 0 && config.inputs == 0);
    config.in = config.out = 2;
    config.hidden = 3;
    other = config;
    memset(&other.start, 7, sizeof other.start);  // C++ knows no cast to what is no member
    CHECK(pktseq_model_init(&model, &other, 1, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "start"), "%s", err.text);
#if SIZE_MAX > UINT32_MAX
    other = config;
    other.inputs = (size_t)UINT32_MAX + 1;
    CHECK(pktseq_model_init(&model, &other, 1, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK_THAT(says(&err, "inputs"), "%s", err.text);
#endif
    CHECK(pktseq_work_init(&work, &config, 1, 1, 1025, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_work_init(&work, &config, 1, 1, -1, NULL, &err) == PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_work_init(&work, &config, 1, 1, 1024, NULL, &err) == PKTSEQ_OK);
    pktseq_work_free(&work);
}

// Groups that do not cover the outputs in order are refused.
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
    pktseq_config config = net_of(3, 5, 2, 0);
    pktseq_model model;
    pktseq_error err;
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

// ---- >>hash: which data a training belongs to --------------------------------------------------

// Checkpoints name their data by this number: whoever changes it cannot go on with old ones.
static void test_data_hash(void) {
    const size_t start[] = {0, 4, 8, 12};
    real x[FLAT_ROWS * FLAT_WIDE], y[FLAT_ROWS];
    pktseq_dataset_options options = pktseq_dataset_options_default();
    pktseq_dataset dataset;
    uint64_t hash;
    if (sizeof(real) != 4) return;
    for (size_t i = 0; i < FLAT_ROWS * FLAT_WIDE; ++i) x[i] = (real)i / 8;
    for (size_t i = 0; i < FLAT_ROWS; ++i) y[i] = (real)i / 4 - 1;
    options.inputs = 2;
    CHECK(pktseq_dataset_wrap(&dataset, x, FLAT_WIDE, y, 1, start, 3, &options, NULL, NULL) == 0);
    hash = pktseqi_dataset_hash(&dataset);
    CHECK_THAT(hash == UINT64_C(0xab03424163421dbf), "%016llx", (unsigned long long)hash);
    pktseq_dataset_free(&dataset);
}

// ---- >>grow -------------------------------------------------------------------------------------

// A codec of three fields (numbers, letters and a port's class), the letters' count growing.
static void grow_codec(pktseq_codec *codec, const char *letters) {
    static const char *const name[] = {"b", "d", "a", "c", "e"};
    static const pktseq_field field[] = {
        {"length", PKTSEQ_NUMBER, PKTSEQ_ROLE_INPUT, 0, 0, NULL, 0, 0},
        {"protocol", PKTSEQ_ONEHOT, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 0},
        {"port", PKTSEQ_PORT, PKTSEQ_ROLE_BOTH, 0, 0, NULL, 0, 0}};
    static double number[2] = {1, 2};
    static uint32_t text[2] = {0, 0};
    char *names[1];
    size_t start[2] = {0, 2};
    pktseq_column column[3];
    pktseq_table table;
    pktseq_field fields[3];
    pktseq_schema schema;
    memset(&table, 0, sizeof table);
    memset(column, 0, sizeof column);
    memset(&schema, 0, sizeof schema);
    memcpy(fields, field, sizeof field);
    fields[1].category = name;
    fields[1].category_count = strlen(letters);
    names[0] = (char *)(size_t)name[0];
    for (size_t i = 0; i < 3; ++i) {
        column[i].name = (char *)(size_t)field[i].column;
        column[i].cell = i == 1 ? (void *)text : (void *)number;
        if (i == 1) column[i].type = PKTSEQ_CELL_U32, column[i].names = names;
        if (i == 1) column[i].name_count = 1;
    }
    table.rows = 2;
    table.sequences = 1;
    table.start = start;
    table.column = column;
    table.column_count = 3;
    schema.field = fields;
    schema.field_count = 3;
    CHECK(pktseq_codec_fit(codec, &table, &schema, NULL, NULL) == PKTSEQ_OK);
}

static pktseq_config config_for(const pktseq_codec *codec) {
    pktseq_config config = net_of(codec->features, codec->targets, 7, 0);
    config.start = PKTSEQ_START_INPUT;
    config.loss = PKTSEQ_LOSS_NLL;
    config.group = codec->group;
    config.groups = codec->groups;
    return config;
}

// The losses of a sequence whose packets are the features hot[t] of the targets; the port's class
// is the first.
static double loss_of(const pktseq_model *model, const size_t *hot, size_t steps) {
    enum { MOST = 8 };
    pktseq_real x[4 * MOST], y[4 * MOST];
    size_t D = model->config.in, O = model->config.out;
    unsigned char teacher = 1;
    double loss;
    pktseq_pair pair;
    pktseq_work work;
    CHECK(steps <= 4 && O <= MOST);
    memset(x, 0, sizeof x);
    memset(y, 0, sizeof y);
    memset(&pair, 0, sizeof pair);
    for (size_t t = 0; t < steps; ++t) y[t * O + hot[t]] = y[t * O + O - 3] = 1;
    pair.target = y;
    pair.targets = steps;
    (void)D;
    CHECK(pktseq_work_init(&work, &model->config, 1, steps, 1, NULL, NULL) == PKTSEQ_OK);
    CHECK(pktseq_forward(model, &work, &pair, 1, &teacher) == PKTSEQ_OK);
    loss = work.loss;
    pktseq_work_free(&work);
    return loss;
}

// A model with two categories more: what it knew it forecasts as before, but for the share that the
// new ones take; it has the same bits where nothing is new.
static void test_grow(void) {
    static const size_t old_ones[] = {0, 2, 1, 2};
    pktseq_codec small, large, other;
    pktseq_model model, same, grown;
    pktseq_error err;
    double before, after, share;
    grow_codec(&small, "bda");
    grow_codec(&large, "bdace");
    grow_codec(&other, "b");
    CHECK(pktseq_model_init(&model, lent(config_for(&small)), 5, NULL, NULL) == PKTSEQ_OK);
    model.tensor.out_b[1] = -9;  // the rarest
    CHECK(!pktseq_model_grow(&same, lent(config_for(&small)), &model, &small, &small, NULL, &err));
    CHECK(same.parameters == model.parameters &&
          !memcmp(same.block, model.block, model.parameters * sizeof *model.block));
    pktseq_model_free(&same);
    CHECK(!pktseq_model_grow(&same, lent(config_for(&small)), &model, NULL, NULL, NULL, &err));
    CHECK(!memcmp(same.block, model.block, model.parameters * sizeof *model.block));
    pktseq_model_free(&same);
    CHECK(!pktseq_model_grow(&grown, lent(config_for(&large)), &model, &small, &large, NULL, &err));
    CHECK(grown.config.in == 9 && grown.config.out == 8 && grown.config.hidden == 7);
    CHECK(grown.tensor.out_b[3] == -9 && grown.tensor.out_b[4] == -9);
    CHECK(grown.tensor.out_b[5] == model.tensor.out_b[3]);
    for (size_t r = 0; r < 21; ++r) {  // length b d a (c e) well_known registered dynamic
        CHECK(grown.tensor.enc_w_ih[9 * r] == model.tensor.enc_w_ih[7 * r]);
        CHECK(grown.tensor.enc_w_ih[9 * r + 4] == 0 && grown.tensor.enc_w_ih[9 * r + 5] == 0);
        CHECK(grown.tensor.enc_w_ih[9 * r + 8] == model.tensor.enc_w_ih[7 * r + 6]);
        CHECK(grown.tensor.dec_w_ih[8 * r + 2] == model.tensor.dec_w_ih[6 * r + 2]);
        CHECK(grown.tensor.dec_w_ih[8 * r + 3] == 0);
        CHECK(grown.tensor.dec_w_ih[8 * r + 7] == model.tensor.dec_w_ih[6 * r + 5]);
    }
    before = loss_of(&model, old_ones, 4);
    after = loss_of(&grown, old_ones, 4);
    share = 4 * log(1 + 2 * exp(-9 + 7 / sqrt(7)) / exp(-8 / sqrt(7)));  // at the very most
    CHECK_THAT(after > before && after < before + share, "%g, then %g", before, after);
    CHECK(pktseq_model_grow(&same, lent(config_for(&small)), &grown, &large, &small, NULL, &err) ==
          PKTSEQ_ERROR_MISMATCH && !same.block);
    CHECK(pktseq_model_grow(&same, lent(config_for(&large)), &model, &other, &large, NULL, &err) ==
          PKTSEQ_ERROR_MISMATCH);
    CHECK(pktseq_model_grow(&same, lent(config_for(&small)), &model, &small, &large, NULL, &err) ==
          PKTSEQ_ERROR_MISMATCH);
    CHECK(pktseq_model_grow(&same, lent(config_for(&large)), &model, NULL, NULL, NULL, &err) ==
          PKTSEQ_ERROR_MISMATCH);
    CHECK(pktseq_model_grow(&same, lent(config_for(&large)), &model, &small, NULL, NULL, &err) ==
          PKTSEQ_ERROR_ARGUMENT && err.text[0]);
    CHECK(pktseq_model_grow(&same, lent(config_for(&large)), NULL, &small, &large, NULL, NULL) ==
          PKTSEQ_ERROR_ARGUMENT);
    CHECK(pktseq_model_grow(NULL, lent(config_for(&large)), &model, &small, &large, NULL, &err) ==
          PKTSEQ_ERROR_ARGUMENT);
    pktseq_model_free(&grown);
    CHECK(pktseq_model_grow(&same, lent(config_for(&large)), &grown, &small, &large, NULL, &err) ==
          PKTSEQ_ERROR_ARGUMENT && !same.block);
    pktseq_model_free(&model);
    pktseq_codec_free(&small);
    pktseq_codec_free(&large);
    pktseq_codec_free(&other);
}

int main(void) {
    test_random();
    test_tensors();
    test_weights();
    test_config_default();
    test_no_memory();
    test_work();
    test_sizes();
    test_configs();
    test_bad_groups();
    test_data_hash();
    test_grow();
    return check_end("test_model");
}
