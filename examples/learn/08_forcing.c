// 8. What it is fed: its own output, or the truth.
//
// Free running, the decoder is fed its own last output, right or wrong. With teacher forcing it is
// fed the true packet instead while it learns: each step is then a task of its own, which is easier
// and learned sooner, and no gradient flows through what was fed. But in use nobody forces it, and
// it has never learned to go on after a mistake of its own.
//
//     cc -std=c99 -O2 examples/learn/08_forcing.c -lm -o lesson && ./lesson
//
// It prints
//     share forced 0.0: error 0.000, expected < 0.010
//         tested free running 0.000036, tested forced 0.000058
//     share forced 0.5: error 0.001, expected < 0.010
//         tested free running 0.000019, tested forced 0.000020
//     share forced 1.0: error 0.000, expected < 0.010
//         tested free running 0.005691, tested forced 0.000069
// PREDICT, THEN RUN. 8a: let every data packet have size 1 again, as in lesson 7 (`= (k - t) / 6.0`
//     becomes `= 1`). Which row is best now, and why does forcing do no harm?
#include <math.h>
#include <stdio.h>
#include <string.h>
#pragma STDC FP_CONTRACT OFF

// D features; H numbers of memory; N packets up to the request, which asks for 1 to KINDS packets;
// S, the most steps.
enum { D = 4, H = 16, N = 3, KINDS = 6, S = N + KINDS + 2 };
enum { R, Z, NEW };  // the gates
// The weights of a GRU: of each gate and each unit of memory one weight for each feature (w_ih,
// from the input) and for each unit of memory (w_hh, from the hidden state), and what is added (b).
typedef struct { double w_ih[3][H][D], w_hh[3][H][H], b_ih[3][H], b_hh[3][H]; } gru;
typedef struct { gru enc, dec; double out_w[D][H], out_b[D]; } net;
enum { COUNT = sizeof(net) / sizeof(double) };

static net weights, gradient;  // gradient: d loss / d weight, of each weight
static double *weight = (double *)&weights, *derivative = (double *)&gradient;  // as one array
static double packet[S][D], x[S][D];  // the conversation; what goes in at step s
static double h[S + 1][H];            // the memory: h[s] before step s, h[s + 1] after it
static double r[S][H], z[S][H], n[S][H], q[S][H], out[S][D];
static double dh[S + 1][H], dx[S][D], dout[S][D];  // d loss / d h, x, out
static int steps, forced;

// hello, hello, "send me k", k packets of data, goodbye, goodbye. A packet is four numbers: does it
// come from the client, is it a hello, is it a goodbye, its size: here, how many are yet to come.
static void conversation(int k) {
    double first[N][D] = {{1, 1, 0, 0}, {0, 1, 0, 0}, {1, 0, 0, k / 6.0}};
    memset(packet, 0, sizeof packet);
    memcpy(packet, first, sizeof first);
    for (int t = 0; t < k; ++t) packet[N + t][3] = (k - t) / 6.0;
    packet[N + k][0] = packet[N + k][2] = packet[N + k + 1][2] = 1;
    steps = N + k + 2;
}

// e^v as (e^(v/1024))^1024, the inner one by its series: the same digits on every machine.
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
// A bend that the decoder's input goes through: of what is below 0, a hundredth is left.
static double leaky(double v) { return v > 0 ? v : 0.01 * v; }

static double dot(double sum, const double *a, const double *b, int count) {  // sum + a . b
    for (int i = 0; i < count; ++i) sum += a[i] * b[i];
    return sum;
}
static void add(double *to, double d, const double *a, int count) {  // to += d * a
    for (int i = 0; i < count; ++i) to[i] += d * a[i];
}

// One step: each unit of the next memory, from the packet and the whole memory. q: what the memory
// says to n. r: how much of q goes into n. z: how much of the old memory stays.
static void gru_forward(const gru *w, int s) {
    for (int j = 0; j < H; ++j) {
        double a[3], b[3];  // what the packet says to each gate, and what the memory says
        for (int k = 0; k < 3; ++k) {
            a[k] = dot(w->b_ih[k][j], w->w_ih[k][j], x[s], D);
            b[k] = dot(w->b_hh[k][j], w->w_hh[k][j], h[s], H);
        }
        r[s][j] = sigmoid(a[R] + b[R]);
        z[s][j] = sigmoid(a[Z] + b[Z]);
        q[s][j] = b[NEW];
        n[s][j] = tangent(a[NEW] + r[s][j] * q[s][j]);
        h[s + 1][j] = (1 - z[s][j]) * n[s][j] + z[s][j] * h[s][j];
    }
}

// The mirror of it: from dh[s + 1] to dh[s], dx[s] and the weights' gradients, as in lesson 6.
static void gru_backward(const gru *w, gru *g, int s) {
    for (int j = 0; j < H; ++j) {
        double dh2 = dh[s + 1][j], dz = dh2 * (h[s][j] - n[s][j]), dn = dh2 * (1 - z[s][j]);
        double an = dn * (1 - n[s][j] * n[s][j]), dr = an * q[s][j], dq = an * r[s][j];
        double az = dz * z[s][j] * (1 - z[s][j]), ar = dr * r[s][j] * (1 - r[s][j]);
        double gi[3] = {ar, az, an}, gh[3] = {ar, az, dq};
        dh[s][j] += dh2 * z[s][j];
        for (int k = 0; k < 3; ++k) {
            g->b_ih[k][j] += gi[k];
            g->b_hh[k][j] += gh[k];
            add(g->w_ih[k][j], gi[k], x[s], D);
            add(g->w_hh[k][j], gh[k], h[s], H);
            add(dx[s], gi[k], w->w_ih[k][j], D);
            add(dh[s], gh[k], w->w_hh[k][j], H);
        }
    }
}

// A conversation through both networks. The loss of each answer is the mean of its squared errors.
static double forward(void) {
    double loss = 0;
    for (int s = 0; s < steps; ++s) {
        const double *token = s == N || forced ? packet[s - 1] : out[s - 1];
        for (int i = 0; i < D; ++i) x[s][i] = s < N ? packet[s][i] : leaky(token[i]);
        gru_forward(s < N ? &weights.enc : &weights.dec, s);
        for (int o = 0; s >= N && o < D; ++o) {
            out[s][o] = dot(weights.out_b[o], weights.out_w[o], h[s + 1], H);
            dout[s][o] = 2 * (out[s][o] - packet[s][o]) / D;  // for the way back
            loss += (out[s][o] - packet[s][o]) * (out[s][o] - packet[s][o]) / D;
        }
    }
    return loss;
}

// And back, from the last step to the first. h was used twice, by out and by the next step: +=.
static void backward(void) {
    memset(&gradient, 0, sizeof gradient);
    memset(dh, 0, sizeof dh);
    memset(dx, 0, sizeof dx);
    for (int s = steps; s-- > 0;) {
        for (int o = 0; s >= N && o < D; ++o) {
            gradient.out_b[o] += dout[s][o];
            add(gradient.out_w[o], dout[s][o], h[s + 1], H);
            add(dh[s + 1], dout[s][o], weights.out_w[o], H);
        }
        gru_backward(s < N ? &weights.enc : &weights.dec, s < N ? &gradient.enc : &gradient.dec, s);
        for (int o = 0; s > N && !forced && o < D; ++o)
            dout[s - 1][o] += dx[s][o] * (x[s][o] > 0 ? 1 : 0.01);
    }
}

// A random number from 0 to 1, another one each time; seed is what it goes on from.
static double draw_number(unsigned long long *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(*seed >> 40) / (1 << 24);
}

// 20,000 conversations, of which some share is forced. Returns that share as it was in fact.
static double train(double share) {
    unsigned long long seed = 1;
    int forced_ones = 0;
    for (int i = 0; i < COUNT; ++i) weight[i] = (2 * draw_number(&seed) - 1) / 4;
    for (int i = 1; i <= 20000; ++i) {
        forced = 0;
        // YOUR LINES: draw a number; the conversation is forced if it lies below the share
        forced = draw_number(&seed) < share;
        // UP TO HERE
        forced_ones += forced;
        conversation(1 + i % KINDS);
        forward();
        backward();
        add(weight, -0.1, derivative, COUNT);
    }
    return forced_ones / 20000.0;
}

// The mean loss of a conversation of each kind.
static double test(int feed_truth) {
    double loss = 0;
    forced = feed_truth;
    for (int k = 1; k <= KINDS; ++k) {
        conversation(k);
        loss += forward() / (steps - N) / KINDS;
    }
    return loss;
}

int main(void) {
    for (int half = 0; half <= 2; ++half) {
        double error = fabs(train(half / 2.0) - half / 2.0);
        printf("share forced %.1f: %serror %.3f, expected < 0.010\n", half / 2.0,
               error < 0.01 ? "" : "a new number for each conversation? ", error);
        printf("    tested free running %.6f, tested forced %.6f\n", test(0), test(1));
    }
    return 0;
}
