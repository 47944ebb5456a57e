// page_check.c - the header's backward pass in double, whole or with one derivative broken, against
// finite differences, for learn.html.
#define PKTSEQ_NO_STDIO
#define PKTSEQ_STATIC
#define PKTSEQ_REAL double
#include "../../pktseq.h"
#include "page.h"

// What can be broken. Each leaves out what the comment shows.
enum {
    WHOLE,
    DH_WITHOUT_Z,     // dh = dh2        * z
    AZ_WITHOUT_SLOPE, // az = dz         * z*(1 - z)
    AN_WITHOUT_SLOPE, // an = dn         * (1 - n*n)
    AR_WITHOUT_SLOPE, // ar = dr         * r*(1 - r)
    DQ_WITHOUT_R,     // dq = an         * r
    DQ_FOR_AN,        // W_ih gets dq, as W_hh does, instead of an
    NOT_FED_BACK      // dout            += what the next step made of the output
};

static double input[N * D], target[MOST_T * D];
static pktseq_model model;
static pktseq_work work;
static pktseq_pair pair;
static pktseqi_kernels kernels;  // the header's, with another way back through the gates
static unsigned char teacher;
static int broken;

// One GRU step back, as >>gru in the header says it, without the part that is broken.
static void broken_deltas(size_t H, size_t count, const double *h, double *dh, size_t h_stride,
                          double *gate, size_t gate_stride) {
    (void)count, (void)h_stride, (void)gate_stride;  // one sequence: one row
    for (size_t j = 0; j < H; ++j) {
        double r = gate[j], z = gate[H + j], n = gate[2 * H + j], q = gate[3 * H + j];
        double dz = dh[j] * (h[j] - n), dn = dh[j] * (1 - z);
        double an = broken == AN_WITHOUT_SLOPE ? dn : dn * (1 - n * n);
        double dr = an * q, dq = broken == DQ_WITHOUT_R ? an : an * r;
        gate[j] = broken == AR_WITHOUT_SLOPE ? dr : dr * r * (1 - r);
        gate[H + j] = broken == AZ_WITHOUT_SLOPE ? dz : dz * z * (1 - z);
        gate[2 * H + j] = broken == DQ_FOR_AN ? dq : an;
        gate[3 * H + j] = dq;
        if (broken != DH_WITHOUT_Z) dh[j] *= z;
    }
}

// Takes the conversation that look() has run and the page's weights, and goes forward and back with
// derivative number `what` broken. Returns 0, or a pktseq_status. check_end frees.
int EXPORT(check_begin)(int steps, int what, int forced) {
    pktseq_config config = pktseq_config_default(NULL);
    int status;
    config.in = config.out = D;
    config.hidden = (size_t)hidden();
    config.inputs = N;
    config.start = PKTSEQ_START_INPUT;
    check_end();
    status = pktseq_model_init(&model, &config, 1, NULL, NULL);
    if (!status) status = pktseq_work_init(&work, &config, 1, MOST_T, 1, NULL, NULL);
    if (status) return status;
    for (size_t i = 0; i < model.parameters; ++i) model.block[i] = weights()[i];
    for (int i = 0; i < N * D; ++i) input[i] = in_at(i / D)[i % D];
    for (int i = 0; i < (steps - N) * D; ++i) target[i] = truth_at(N)[i];
    pair.input = input;
    pair.first = input + (N - 1) * D;
    pair.target = target;
    pair.inputs = N;
    pair.targets = (size_t)(steps - N);
    teacher = (unsigned char)forced;
    broken = what;
    kernels = *work.state->kernels;
    kernels.deltas = broken_deltas;
    if (what != WHOLE) work.state->kernels = &kernels;
    status = pktseq_forward(&model, &work, &pair, 1, &teacher);
    if (what == NOT_FED_BACK)
        work.state->all_forced = 1;  // backward then takes the outputs for given
    return status ? status : (int)pktseq_backward(&model, &work);
}

// The largest difference between backward and (loss(w + e) - loss(w - e)) / 2e in tensor `index`,
// over at most 64 of its weights, relative to the tensor's largest gradient.
double EXPORT(check_tensor)(int index) {
    const double e = 1e-6;
    double largest = 1e-12, worst = 0;
    const double *grad;
    pktseq_tensor tensor;
    size_t count, stride;
    if (pktseq_model_tensor(&model, (size_t)index, &tensor)) return -1;
    count = tensor.rows * tensor.cols;
    stride = count / 64 + (count < 64);
    grad = work.grad_block + (tensor.data - model.block);
    for (size_t i = 0; i < count; ++i)
        if (fabs(grad[i]) > largest) largest = fabs(grad[i]);
    for (size_t i = 0; i < count; i += stride) {
        double kept = tensor.data[i], up, difference;
        tensor.data[i] = kept + e;
        pktseq_forward(&model, &work, &pair, 1, &teacher);
        up = work.loss;
        tensor.data[i] = kept - e;
        pktseq_forward(&model, &work, &pair, 1, &teacher);
        tensor.data[i] = kept;
        difference = fabs((up - work.loss) / (2 * e) - grad[i]);
        if (!(difference <= worst)) worst = difference;
    }
    return worst / largest;
}

// PyTorch's name of tensor `index`.
const char *EXPORT(check_name)(int index) {
    pktseq_tensor tensor;
    return pktseq_model_tensor(&model, (size_t)index, &tensor) ? "" : tensor.name;
}

void EXPORT(check_end)(void) {
    pktseq_model_free(&model);
    pktseq_work_free(&work);
}
