// 10. The same bits: in which order numbers are added.
//
// A computer rounds after each operation, so (a + b) + c is not a + (b + c), and training makes a
// large difference of a small one. This is lesson 7 in float by three rules that fix each rounding:
// a product that is added is rounded once, with its sum (fmaf); a dot product is 16 sums, added as
// a tree, which vector units do well; a sum over steps begins at zero and keeps its order. pktseq.h
// has the same rules, so the weights are its own to the last bit, after every step.
//
//     cc -std=c99 -O2 examples/learn/10_same_bits.c -lm -o lesson && ./lesson
//
// It prints
//     free running: weights 3a44888777b24d17
//         the bits of pktseq.h after 20000 steps, expected 20000
//     forced: weights fd0c0c6f0f40df5d
//         the bits of pktseq.h after 20000 steps, expected 20000
// PREDICT, THEN RUN. 10a: add the lanes from 0 to 15 instead. For how many steps are bits equal?
#define PKTSEQ_STATIC
#include "../../pktseq.h"
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#pragma STDC FP_CONTRACT OFF

enum { D = 4, H = 16, N = 3, KINDS = 6, S = N + KINDS + 2 };  // features, memory, inputs, steps
enum { R, Z, NEW, Q };  // the gates; q, what the memory says to n
typedef struct { float w_ih[3][H][D], w_hh[3][H][H], b_ih[3][H], b_hh[3][H]; } gru;
typedef struct { gru enc, dec; float out_w[D][H], out_b[D]; } net;
enum { COUNT = sizeof(net) / sizeof(float) };

static net weights, gradient;
static float *weight = (float *)&weights, *derivative = (float *)&gradient;  // (COUNT) each
static float packet[S][D], x[S][D], h[S + 1][H], gate[S][4][H], out[S][D], dout[S][D];
static int steps;
static unsigned char forced;

static void conversation(int k) {
    float first[N][D] = {{1, 1, 0, 0}, {0, 1, 0, 0}, {1, 0, 0, (float)k / 6}};
    memset(packet, 0, sizeof packet);
    memcpy(packet, first, sizeof first);
    for (int t = 0; t < k; ++t) packet[N + t][3] = 1;
    packet[N + k][0] = packet[N + k][2] = packet[N + k + 1][2] = 1;
    steps = N + k + 2;
}

// The 16 sums are called lanes: product i is added to lane i % 16.
static void lanes(float *lane, const float *a, const float *b, int count) {
    for (int i = 0; i < count; ++i) lane[i % 16] = fmaf(a[i], b[i], lane[i % 16]);
}
// Lane 8 + l is added to lane l, for l from 0 to 7; then 4 + l, 2 + l, 1 + l in the same way.
static float tree(float *lane) {
    // YOUR LINES: the sum is in lane[0] in the end
    for (int half = 8; half > 0; half /= 2)
        for (int l = 0; l < half; ++l) lane[l] += lane[l + half];
    // UP TO HERE
    return lane[0];
}

// e^v = scale * (1 + p): scale is a power of two, p comes from e^rest - 1 by its series. (Adding
// 12582912 = 1.5 * 2^23 rounds to a whole number, since a float of that size has no digits after
// the point.)
static float exp_parts(float v, float *scale) {
    float round = fmaf(v, 1.44269504088896341f, 12582912.0f), k = round - 12582912.0f;
    float rest = fmaf(k, -1.42860682030941723e-6f, fmaf(k, -0.693145751953125f, v));
    float p = fmaf(1.0f / 5040, rest, 1.0f / 720);
    uint32_t bits;
    memcpy(&bits, &round, 4);
    bits = (bits << 23) + (127u << 23);
    memcpy(scale, &bits, 4);
    p = fmaf(fmaf(fmaf(fmaf(p, rest, 1.0f / 120), rest, 1.0f / 24), rest, 1.0f / 6), rest, 0.5f);
    return fmaf(p, rest * rest, rest);
}
static float clamp(float v) { return v < -87 ? -87 : v > 88 ? 88 : v; }
static float sigmoid(float v) {
    float scale, p = exp_parts(clamp(-v), &scale);
    return 1 / (1 + fmaf(p, scale, scale));
}
static float tangent(float v) {
    float scale, p = exp_parts(clamp(v + v), &scale), less_one = fmaf(p, scale, scale - 1);
    return less_one / (less_one + 2);
}

static void gru_forward(const gru *w, int s) {
    for (int j = 0; j < H; ++j) {
        float a[4], r, z, n, q;
        for (int k = R; k <= Q; ++k) {
            float lane[16] = {0};
            if (k != Q) lanes(lane, w->w_ih[k][j], x[s], D);
            if (k != NEW) lanes(lane, w->w_hh[k == Q ? NEW : k][j], h[s], H);
            a[k] = tree(lane);
        }
        r = sigmoid(a[R] + (w->b_ih[R][j] + w->b_hh[R][j]));
        z = sigmoid(a[Z] + (w->b_ih[Z][j] + w->b_hh[Z][j]));
        q = a[Q] + w->b_hh[NEW][j];
        n = tangent(fmaf(r, q, a[NEW] + w->b_ih[NEW][j]));
        gate[s][R][j] = r, gate[s][Z][j] = z, gate[s][NEW][j] = n, gate[s][Q][j] = q;
        h[s + 1][j] = fmaf(z, h[s][j] - n, n);
    }
}

// Adds W' d of one gate (W' is W with rows and columns swapped): column i of W times d, in
// order and from zero, then to the rest.
static void add_transposed(float *to, const float *w, const float *d, int rows, int columns) {
    for (int i = 0; i < columns; ++i) {
        float sum = 0;
        for (int j = 0; j < rows; ++j) sum = fmaf(d[j], w[j * columns + i], sum);
        to[i] += sum;
    }
}

// Turns r z n q of step s into ar az an dq, and dh of h[s + 1] into dh of h[s].
static void gru_backward(const gru *w, int s, float *dh, float *dx) {
    float part[H] = {0};
    memset(dx, 0, D * sizeof *dx);
    for (int j = 0; j < H; ++j) {
        float r = gate[s][R][j], z = gate[s][Z][j], n = gate[s][NEW][j], q = gate[s][Q][j];
        float dz = dh[j] * (h[s][j] - n), an = dh[j] * (1 - z) * fmaf(-n, n, 1);
        gate[s][R][j] = an * q * fmaf(-r, r, r);
        gate[s][Z][j] = dz * fmaf(-z, z, z);
        gate[s][NEW][j] = an;
        gate[s][Q][j] = an * r;
        dh[j] *= z;
    }
    for (int k = R; k <= NEW; ++k) {
        add_transposed(part, w->w_hh[k][0], gate[s][k == NEW ? Q : k], H, H);
        add_transposed(dx, w->w_ih[k][0], gate[s][k], H, D);
    }
    for (int i = 0; i < H; ++i) dh[i] += part[i];
}

// One row of a gradient, and of the bias: over the steps, the sum of d times what went in.
static void add_row(float *to, float *bias, const float *d, int stride, const float *in, int count,
                    int length) {
    float sum = 0;
    for (int i = 0; i < count; ++i) {
        float product = 0;
        for (int s = 0; s < length; ++s)
            product = fmaf(d[s * stride], in[s * count + i], product);
        to[i] += product;
    }
    for (int s = 0; s < length; ++s) sum += d[s * stride];
    *bias += sum;
}

static void gru_gradient(gru *g, int from, int length) {
    for (int k = R; k <= NEW; ++k)
        for (int j = 0; j < H; ++j) {
            const float *gi = &gate[from][k][j], *gh = &gate[from][k == NEW ? Q : k][j];
            add_row(g->w_ih[k][j], &g->b_ih[k][j], gi, 4 * H, x[from], D, length);
            add_row(g->w_hh[k][j], &g->b_hh[k][j], gh, 4 * H, h[from], H, length);
        }
}

static void forward(void) {
    for (int s = 0; s < steps; ++s) {
        const float *token = s == N || forced ? packet[s - 1] : out[s - 1];
        for (int i = 0; i < D; ++i)
            x[s][i] = s < N ? packet[s][i] : token[i] > 0 ? token[i] : 0.01f * token[i];
        gru_forward(s < N ? &weights.enc : &weights.dec, s);
        for (int o = 0; s >= N && o < D; ++o) {
            float lane[16] = {0};
            lanes(lane, weights.out_w[o], h[s + 1], H);
            out[s][o] = tree(lane) + weights.out_b[o];
            dout[s][o] = (float)(2.0 / D) * (out[s][o] - packet[s][o]);
        }
    }
}

static void backward(void) {
    float dh[H] = {0}, dx[D];
    for (int s = steps; s-- > 0;) {
        if (s >= N) add_transposed(dh, weights.out_w[0], dout[s], D, H);
        gru_backward(s < N ? &weights.enc : &weights.dec, s, dh, dx);
        for (int o = 0; s > N && !forced && o < D; ++o)
            dout[s - 1][o] += dx[o] * (x[s][o] > 0 ? 1 : 0.01f);
    }
    memset(&gradient, 0, sizeof gradient);
    gru_gradient(&gradient.enc, 0, N);
    gru_gradient(&gradient.dec, N, steps - N);
    for (int o = 0; o < D; ++o)
        add_row(gradient.out_w[o], &gradient.out_b[o], &dout[N][o], D, h[N + 1], H, steps - N);
}

// 64-bit FNV-1a over the bytes of the weights, the lowest of each first.
static unsigned long long hash(void) {
    uint64_t value = 0xcbf29ce484222325u;
    for (int i = 0; i < 4 * COUNT; ++i) {
        uint32_t bits;
        memcpy(&bits, &weight[i / 4], 4);
        value = (value ^ (bits >> i % 4 * 8 & 255)) * 0x100000001b3u;
    }
    return value;
}

int main(void) {
    pktseq_config config = pktseq_config_default(NULL);
    pktseq_model model;
    pktseq_work work;
    config.in = config.out = D;
    config.hidden = H;
    config.inputs = N;
    config.start = PKTSEQ_START_INPUT;
    if (pktseq_model_init(&model, &config, 1, NULL, NULL) ||
        pktseq_work_init(&work, &config, 1, S, 1, NULL, NULL) || model.parameters != COUNT)
        return 1;
    for (forced = 0; forced <= 1; ++forced) {
        uint64_t seed = 1;
        int same = 0;
        for (int i = 0; i < COUNT; ++i) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            weight[i] = (float)(((double)(seed >> 40) / (1 << 23) - 1) / 4);
        }
        memcpy(model.block, weight, sizeof weights);
        for (int i = 1; i <= 20000; ++i) {
            pktseq_pair pair = {packet[0], packet[N - 1], packet[N], N, 0, NULL};
            conversation(1 + i % KINDS);
            pair.targets = (size_t)(steps - N);
            forward();
            backward();
            for (int k = 0; k < COUNT; ++k) weight[k] = fmaf(-0.1f, derivative[k], weight[k]);
            pktseq_zero_grad(&work);
            pktseq_forward(&model, &work, &pair, 1, &forced);
            pktseq_backward(&model, &work);
            pktseq_sgd_step(&model, &work, 0.1);
            if (same == i - 1 && memcmp(model.block, weight, sizeof weights) == 0) same = i;
        }
        printf("%s: weights %016llx\n", forced ? "forced" : "free running", hash());
        printf("    %sthe bits of pktseq.h after %d steps, expected 20000\n",
               same == 20000 ? "" : "another order? ", same);
    }
    pktseq_work_free(&work);
    pktseq_model_free(&model);
    return 0;
}
