// The example of DERIVATION.md: 3 packets in, 2 out, one feature, one unit of memory, all numbers.
//
//     cc -std=c99 -O2 examples/learn/derivation.c -lm -o lesson && ./lesson
//
// prints the blocks of DERIVATION.md.
#include <math.h>
#include <stdio.h>
#pragma STDC FP_CONTRACT OFF

enum { N = 3, T = 2, S = N + T };
enum { R, Z, NEW };
typedef struct { double w_ih[3], w_hh[3], b_ih[3], b_hh[3]; } gru;
typedef struct { gru enc, dec; double out_w, out_b; } net;
enum { COUNT = sizeof(net) / sizeof(double) };

static net weights = {{{0.5, -0.4, 0.9}, {0.3, 0.2, -0.6}, {0, 0.1, 0}, {0, 0, 0.2}},
                      {{-0.7, 0.6, 0.8}, {0.4, -0.3, 0.5}, {0.1, 0, -0.2}, {0, 0, 0.1}}, 1.2, 0.5};
static net gradient;
static const double packet[S] = {1, 0.5, -1, 1, 0.5};
static double x[S], h[S + 1], r[S], z[S], n[S], q[S], out[S], dout[S];
static double dh2[S], dh[S + 1], dx[S], dn[S], dz[S], an[S], az[S], ar[S], dr[S], dq[S];

static double e_to(double v) {
    double term = 1, sum = 1;
    for (int i = 1; i < 12; ++i) {
        term *= v / 1024 / i;
        sum += term;
    }
    for (int i = 0; i < 10; ++i) sum *= sum;
    return sum;
}
static double sigmoid(double v) { return 1 / (1 + e_to(-v)); }
static double tangent(double v) { return 2 * sigmoid(2 * v) - 1; }
static double leaky(double v) { return v > 0 ? v : 0.01 * v; }

static double forward(void) {
    double loss = 0;
    for (int s = 0; s < S; ++s) {
        const gru *w = s < N ? &weights.enc : &weights.dec;
        x[s] = s < N ? packet[s] : leaky(s == N ? packet[N - 1] : out[s - 1]);
        r[s] = sigmoid(w->w_ih[R] * x[s] + w->b_ih[R] + w->w_hh[R] * h[s] + w->b_hh[R]);
        z[s] = sigmoid(w->w_ih[Z] * x[s] + w->b_ih[Z] + w->w_hh[Z] * h[s] + w->b_hh[Z]);
        q[s] = w->w_hh[NEW] * h[s] + w->b_hh[NEW];
        n[s] = tangent(w->w_ih[NEW] * x[s] + w->b_ih[NEW] + r[s] * q[s]);
        h[s + 1] = (1 - z[s]) * n[s] + z[s] * h[s];
        if (s < N) continue;
        out[s] = weights.out_w * h[s + 1] + weights.out_b;
        dout[s] = 2 * (out[s] - packet[s]);
        loss += (out[s] - packet[s]) * (out[s] - packet[s]);
    }
    return loss;
}

static void backward(void) {
    dh[S] = 0;  // nothing comes after the last step
    for (int s = S; s-- > 0;) {
        const gru *w = s < N ? &weights.enc : &weights.dec;
        gru *g = s < N ? &gradient.enc : &gradient.dec;
        if (s >= N) {
            gradient.out_w += dout[s] * h[s + 1];
            gradient.out_b += dout[s];
        }
        dh2[s] = dh[s + 1] + dout[s] * weights.out_w;  // dout is 0 in the encoder
        dz[s] = dh2[s] * (h[s] - n[s]);
        dn[s] = dh2[s] * (1 - z[s]);
        an[s] = dn[s] * (1 - n[s] * n[s]);
        dr[s] = an[s] * q[s];
        dq[s] = an[s] * r[s];
        az[s] = dz[s] * z[s] * (1 - z[s]);
        ar[s] = dr[s] * r[s] * (1 - r[s]);
        dh[s] = dh2[s] * z[s] + ar[s] * w->w_hh[R] + az[s] * w->w_hh[Z] + dq[s] * w->w_hh[NEW];
        dx[s] = ar[s] * w->w_ih[R] + az[s] * w->w_ih[Z] + an[s] * w->w_ih[NEW];
        for (int k = R; k <= NEW; ++k) {
            double gi = k == R ? ar[s] : k == Z ? az[s] : an[s], gh = k == NEW ? dq[s] : gi;
            g->w_ih[k] += gi * x[s];
            g->b_ih[k] += gi;
            g->w_hh[k] += gh * h[s];
            g->b_hh[k] += gh;
        }
        if (s > N) dout[s - 1] += dx[s] * (x[s] > 0 ? 1 : 0.01);
    }
}

int main(void) {
    double *weight = (double *)&weights, *derivative = (double *)&gradient, worst = 0;
    double loss = forward();
    int s = S - 1;
    printf("step      x       r       z       q       n      h2     out       y\n");
    for (int t = 0; t < S; ++t) {
        printf("%4d %7.4f %7.4f %7.4f %7.4f %7.4f %7.4f", t, x[t], r[t], z[t], q[t], n[t],
               h[t + 1]);
        if (t >= N) printf(" %7.4f %7.4f", out[t], packet[t]);
        printf("\n");
    }
    printf("loss = (%.4f - %.4f)^2 + (%.4f - %.4f)^2 = %.4f\n\n", out[3], packet[3], out[4],
           packet[4], loss);
    backward();
    printf("dout = 2 (out - y)      = 2 (%.4f - %.4f) = %.4f\n", out[s], packet[s], dout[s]);
    printf("dh2  = dout W           = %.4f * %.4f = %.4f\n", dout[s], weights.out_w, dh2[s]);
    printf("dz   = dh2 (h - n)      = %.4f (%.4f - %.4f) = %.4f\n", dh2[s], h[s], n[s], dz[s]);
    printf("dn   = dh2 (1 - z)      = %.4f (1 - %.4f) = %.4f\n", dh2[s], z[s], dn[s]);
    printf("an   = dn (1 - n n)     = %.4f (1 - %.4f^2) = %.4f\n", dn[s], n[s], an[s]);
    printf("dr   = an q             = %.4f * %.4f = %.4f\n", an[s], q[s], dr[s]);
    printf("dq   = an r             = %.4f * %.4f = %.4f\n", an[s], r[s], dq[s]);
    printf("az   = dz z (1 - z)     = %.4f * %.4f (1 - %.4f) = %.4f\n", dz[s], z[s], z[s], az[s]);
    printf("ar   = dr r (1 - r)     = %.4f * %.4f (1 - %.4f) = %.4f\n", dr[s], r[s], r[s], ar[s]);
    printf("dh   = dh2 z + W_hh' gh = %.4f * %.4f + (%.4f * %.1f + %.4f * %.1f + %.4f * %.1f)"
           " = %.4f\n", dh2[s], z[s], ar[s], weights.dec.w_hh[R], az[s], weights.dec.w_hh[Z],
           dq[s], weights.dec.w_hh[NEW], dh[s]);
    printf("dx   = W_ih' gi         = %.4f * %.1f + %.4f * %.1f + %.4f * %.1f = %.4f\n\n", ar[s],
           weights.dec.w_ih[R], az[s], weights.dec.w_ih[Z], an[s], weights.dec.w_ih[NEW], dx[s]);
    printf("step   dout     dh2      an      az      ar      dq      dh      dx\n");
    for (int t = S; t-- > 0;)
        printf("%4d %7.4f %7.4f %7.4f %7.4f %7.4f %7.4f %7.4f %7.4f\n", t, dout[t], dh2[t], an[t],
               az[t], ar[t], dq[t], dh[t], dx[t]);
    printf("dout of step 3 = 2 (out - y) + dx of step 4 = 2 (%.4f - %.4f) + %.4f = %.4f\n", out[3],
           packet[3], dx[4], dout[3]);
    printf("dh2 of step 3  = dh of step 4 + dout W      = %.4f + %.4f * %.4f = %.4f\n", dh[4],
           dout[3], weights.out_w, dh2[3]);
    printf("dW_hn, decoder = sum of dq h                = %.4f * %.4f + %.4f * %.4f = %.4f\n\n",
           dq[4], h[4], dq[3], h[3], gradient.dec.w_hh[NEW]);
    for (int i = 0; i < COUNT; ++i) {
        double kept = weight[i], numeric = 0;
        for (int side = -1; side <= 1; side += 2) {
            weight[i] = kept + side * 1e-5;
            numeric += side * forward() / 2e-5;
        }
        weight[i] = kept;
        worst = fmax(worst, fabs(numeric - derivative[i]));
    }
    printf("all %d derivatives are those by differences to %.0e\n", COUNT, worst);
    return worst < 1e-7 ? 0 : 1;
}
