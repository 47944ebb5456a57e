// page.c - the header in a page: learn.html runs this program, compiled to WebAssembly by page.sh.
//
// The conversations of the lessons, one step of training a call, and everything that the network
// holds while it learns, which the plain network tells. page_check.c has the gradient check.
#define PKTSEQ_NO_STDIO
#define PKTSEQ_STATIC
#include "../../pktseq.h"
#include "page.h"

enum { BATCH = 1 };

static pktseq_real input[N * D], target[MOST_T * D];
static pktseq_model model;
static pktseq_work work;
static pktseq_real *shown;  // (N + MOST_T) rows of what look() has run: r z n q (4, H), h (H), dh
                            // (H), what goes in (D) and what comes out (D)
static int wait;            // empty packets between the request and its answer
static int falling;         // sizes of the answer: 0 all 1, 1 they count down, as in lesson 8
static unsigned done;       // steps of training

// Makes "send me `asked` packets" and the answer of `sent` packets, after `wait` empty ones.
static pktseq_pair conversation(int asked, int sent) {
    static const pktseq_real hello[(N - 1) * D] = {1, 1, 0, 0, 0, 1, 0, 0};
    pktseq_pair pair = {input, input + (N - 1) * D, target, N, (size_t)(wait + sent + 2), NULL};
    pktseq_real *last = target + (wait + sent) * D;
    memset(input, 0, sizeof input);
    memset(target, 0, sizeof target);
    memcpy(input, hello, sizeof hello);
    input[(N - 1) * D] = 1;
    input[(N - 1) * D + 3] = (pktseq_real)asked / KINDS;
    for (int t = 0; t < sent; ++t)
        target[(wait + t) * D + 3] = falling ? (pktseq_real)(sent - t) / KINDS : 1;
    last[0] = last[2] = last[D + 2] = 1;
    return pair;
}

// Begins anew: `hidden` units, `pause` empty packets before each answer, whose sizes count down or
// not. The first weights are those of the lessons. Returns 0, or a pktseq_status.
int EXPORT(start)(int hidden, int pause, int down) {
    pktseq_config config = pktseq_config_default(NULL);
    uint64_t seed = 1;
    int status;
    config.in = config.out = D;
    config.hidden = (size_t)hidden;
    config.inputs = N;
    config.start = PKTSEQ_START_INPUT;
    pktseq_model_free(&model);
    pktseq_work_free(&work);
    free(shown);
    shown = (pktseq_real *)calloc(N + MOST_T, (6 * (size_t)hidden + 2 * D) * sizeof *shown);
    status = shown ? pktseq_model_init(&model, &config, 1, NULL, NULL) : PKTSEQ_ERROR_MEMORY;
    if (!status) status = pktseq_work_init(&work, &config, BATCH, MOST_T, 1, NULL, NULL);
    for (size_t i = 0; !status && i < model.parameters; ++i) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        model.block[i] = (pktseq_real)(((double)(seed >> 40) / (1 << 23) - 1) / 4);
    }
    wait = pause;
    falling = down;
    done = 0;
    return status;
}

// Is the answer of step `i` fed the true packets? Never, in every other round, or always.
static unsigned char forced_at(unsigned i, int forcing) {
    return forcing == 2 || (forcing == 1 && i / KINDS % 2);
}

// Trains so many steps, one conversation each. clip 0: no clipping.
void EXPORT(train)(int steps, double rate, double clip, int forcing) {
    for (int i = 0; i < steps; ++i) {
        unsigned char teacher = forced_at(++done, forcing);
        int asked = 1 + (int)(done % KINDS);
        pktseq_pair pair = conversation(asked, asked);
        pktseq_zero_grad(&work);
        pktseq_forward(&model, &work, &pair, 1, &teacher);
        pktseq_backward(&model, &work);
        if (clip > 0) pktseq_clip_grad_norm(&work, clip, NULL);
        pktseq_sgd_step(&model, &work, rate);
    }
}

// The mean loss of all conversations, free running or forced, without learning from them.
double EXPORT(evaluate)(int forced) {
    unsigned char teacher = (unsigned char)forced;
    double loss = 0;
    for (int asked = 1; asked <= KINDS; ++asked) {
        pktseq_pair pair = conversation(asked, asked);
        pktseq_forward(&model, &work, &pair, 1, &teacher);
        loss += work.report / KINDS;
    }
    return loss;
}

// Copies `count` numbers of the plain network; returns where the next ones go.
static pktseq_real *show(pktseq_real *to, const double *from, size_t count) {
    for (size_t i = 0; i < count; ++i) to[i] = (pktseq_real)from[i];
    return to + count;
}

// Runs one conversation forward and back, so that the functions below can show it. Returns its
// number of steps, or 0 without memory.
int EXPORT(look)(int asked, int sent, int forced) {
    pktseq_pair pair = conversation(asked, sent);
    size_t H = model.config.hidden, steps;
    pktseq_real *to = shown;
    pktseq_plain plain;
    if (pktseq_plain_init(&plain, &model, &pair, forced, NULL, NULL)) return 0;
    steps = plain.steps;
    for (size_t s = 0; s < steps; ++s) {
        to = show(to, plain.gate + s * 4 * H, 4 * H);
        to = show(to, plain.h + (s + 1) * H, H);
        to = show(to, plain.dh + (s + 1) * H, H);
        to = show(to, plain.x + s * D, D);
        to = show(to, plain.out + s * D, D);
    }
    pktseq_plain_free(&plain);
    return (int)steps;
}

// Step s of what look() has run: where r z n q (4, H), the state (H), the gradient that arrives
// at it (H), what goes in (4), what comes out (4) and what should (4) lie; 0 where there is none.
const pktseq_real *EXPORT(gates_at)(int s) {
    return shown + (size_t)s * (6 * model.config.hidden + 2 * D);
}
const pktseq_real *EXPORT(state_at)(int s) { return gates_at(s) + 4 * model.config.hidden; }
const pktseq_real *EXPORT(dh_at)(int s) { return gates_at(s) + 5 * model.config.hidden; }
const pktseq_real *EXPORT(in_at)(int s) { return gates_at(s) + 6 * model.config.hidden; }
const pktseq_real *EXPORT(out_at)(int s) { return s < N ? NULL : in_at(s) + D; }
const pktseq_real *EXPORT(truth_at)(int s) { return s < N ? NULL : target + (s - N) * D; }

// The weights, their number, and how many steps they have been trained: to be kept and put back.
pktseq_real *EXPORT(weights)(void) { return model.block; }
int EXPORT(parameters)(void) { return (int)model.parameters; }
int EXPORT(hidden)(void) { return (int)model.config.hidden; }
int EXPORT(trained)(void) { return (int)done; }
void EXPORT(trained_is)(int steps) { done = (unsigned)steps; }

// 64-bit FNV-1a over the bytes of the weights, in two halves: what 10_same_bits prints.
unsigned EXPORT(hash)(int high) {
    const unsigned char *byte = (const unsigned char *)model.block;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < model.parameters * sizeof *model.block; ++i)
        hash = (hash ^ byte[i]) * 0x100000001b3u;
    return (unsigned)(high ? hash >> 32 : hash);
}
