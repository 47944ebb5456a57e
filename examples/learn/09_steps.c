// 9. Steps: how far, how often, how many at once.
//
// The gradient says which way is down, not how far: a small rate is slow, a large one jumps across
// the valley until nothing is a number any more, unless the gradient is clipped. A batch goes down
// the mean gradient of some conversations, momentum keeps most of the speed it has. What counts in
// the end is the loss on a conversation that was never learned from: it was held out.
//
//     cc -std=c99 -O2 examples/learn/09_steps.c -lm -o lesson && ./lesson
//
// It prints
//     momentum: error 0.0e+00, expected < 1e-07
//     rate momentum clip batch held-out wait gates   loss
//     0.01      0.0 0.00     1        0    0   yes   0.0019220
//     0.10      0.0 0.00     1        0    0   yes   0.0000413
//     0.30      0.0 0.00     1        0    0   yes   0.0000042
//     0.50      0.0 0.00     1        0    0   yes   not a number
//     1.00      0.0 0.50     1        0    0   yes   0.0000171
//     0.01      0.9 0.00     1        0    0   yes   0.0000114
//     0.30      0.0 0.00     5        0    0   yes   0.0000810
//     0.10      0.0 0.00     1        3    0   yes   0.0000146, on k = 3 0.0001859
//     0.10      0.0 0.50     1        0   10   yes   0.0005237
//     0.10      0.0 0.50     1        0   10    no   0.0221027
// and draws lesson.svg: how the losses of the last two fell, 20,000 conversations wide.
// PREDICT, THEN RUN. 9a: rate 0.3 with momentum 0.9? 9b: rate 1 clipped to 0.05 instead of 0.5?
//     9c: find a row that is better than 0.0000042.
#include <math.h>
#include <stdio.h>
#include <string.h>
#pragma STDC FP_CONTRACT OFF
// D features; H numbers of memory; N packets up to the request, which asks for 1 to KINDS packets;
// S, the most steps.
enum { D = 4, H = 16, N = 3, KINDS = 6, S = 32 };
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
static int steps;

// A way to train; limit: what gradients are clipped to, if above 0; plain: without gates.
typedef struct { double rate, momentum, limit; int batch, held_out, wait, plain; } way;
static const way ways[] = {
    {0.01, 0, 0, 1, 0, 0, 0}, {0.1, 0, 0, 1, 0, 0, 0},     {0.3, 0, 0, 1, 0, 0, 0},
    {0.5, 0, 0, 1, 0, 0, 0},  {1, 0, 0.5, 1, 0, 0, 0},     {0.01, 0.9, 0, 1, 0, 0, 0},
    {0.3, 0, 0, 5, 0, 0, 0},  {0.1, 0, 0, 1, 3, 0, 0},     {0.1, 0, 0.5, 1, 0, 10, 0},
    {0.1, 0, 0.5, 1, 0, 10, 1},
};
static way how;
static double velocity[COUNT], history[10];  // history: the mean loss of every 2,000 conversations

// hello, hello, "send me k", k packets of data, goodbye, goodbye. A packet is four numbers: does it
// come from the client, is it a hello, is it a goodbye, its size. It may have to wait in between.
static void conversation(int k) {
    double first[N][D] = {{1, 1, 0, 0}, {0, 1, 0, 0}, {1, 0, 0, k / 6.0}};
    memset(packet, 0, sizeof packet);
    memcpy(packet, first, sizeof first);
    for (int t = 0; t < k; ++t) packet[N + how.wait + t][3] = 1;
    steps = N + how.wait + k + 2;
    packet[steps - 2][0] = packet[steps - 2][2] = packet[steps - 1][2] = 1;
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
        r[s][j] = how.plain ? 1 : sigmoid(a[R] + b[R]);  // plain: no gates
        z[s][j] = how.plain ? 0 : sigmoid(a[Z] + b[Z]);
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
        const double *token = s == N ? packet[N - 1] : out[s - 1];
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
    memset(dh, 0, sizeof dh);
    memset(dx, 0, sizeof dx);
    for (int s = steps; s-- > 0;) {
        for (int o = 0; s >= N && o < D; ++o) {
            gradient.out_b[o] += dout[s][o];
            add(gradient.out_w[o], dout[s][o], h[s + 1], H);
            add(dh[s + 1], dout[s][o], weights.out_w[o], H);
        }
        gru_backward(s < N ? &weights.enc : &weights.dec, s < N ? &gradient.enc : &gradient.dec, s);
        for (int o = 0; s > N && o < D; ++o) dout[s - 1][o] += dx[s][o] * (x[s][o] > 0 ? 1 : 0.01);
    }
}

// Down the gradient: the speed is what is left of the old one, plus the slope.
static void step_down(double *w, double *v, const double *slope, int count) {
    for (int i = 0; i < count; ++i) {
        // YOUR LINES: v[i] from how.momentum, then w[i] from how.rate
        v[i] = how.momentum * v[i] + slope[i];
        w[i] -= how.rate * v[i];
        // UP TO HERE
    }
}

// Trains a network anew with 20,000 conversations.
static void train(void) {
    unsigned long long seed = 1;
    memset(velocity, 0, sizeof velocity);
    memset(history, 0, sizeof history);
    for (int i = 0; i < COUNT; ++i) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        weight[i] = ((double)(seed >> 40) / (1 << 23) - 1) / 4;
    }
    for (int i = 1; i <= 20000; ++i) {
        int k = 1 + i % KINDS;
        conversation(k == how.held_out ? k + 1 : k);
        history[(i - 1) / 2000] += forward() / (steps - N) / 2000;
        backward();  // adds to the gradient of the batch
        if (i % how.batch != 0) continue;
        double length = sqrt(dot(0, derivative, derivative, COUNT)) / how.batch;
        double scale = how.limit > 0 && length > how.limit ? how.limit / length : 1;
        for (int w = 0; w < COUNT; ++w) derivative[w] *= scale / how.batch;
        step_down(weight, velocity, derivative, COUNT);
        memset(&gradient, 0, sizeof gradient);
    }
}

// How the loss fell, on a log scale.
static void draw(FILE *f, const char *color, const char *name) {
    fprintf(f, "<path fill='none' stroke='%s' stroke-width='2' d='M", color);
    for (int t = 0; t < 10; ++t) fprintf(f, " %d,%.1f", 60 + 36 * t, 20 - 50 * log10(history[t]));
    fprintf(f, "'/>\n<text x='400' y='%.1f' fill='%s'>%s</text>\n", 20 - 50 * log10(history[9]),
            color, name);
}

int main(void) {
    FILE *f = fopen("lesson.svg", "w");
    double w = 0, v = 0, slope = 1, error;
    if (!f) return 1;
    how = ways[5];
    for (int i = 0; i < 2; ++i) step_down(&w, &v, &slope, 1);
    error = fabs(w + 0.01 * (1 + 1.9));
    printf("momentum: %serror %.1e, expected < 1e-07\n", error < 1e-7 ? "" : "old speed? ", error);
    fprintf(f, "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 480 240' fill='#808080' "
               "font-family='sans-serif' font-size='13'>\n"
               "<text x='60' y='235'>2,000</text>\n"
               "<text x='340' y='235'>20,000 conversations</text>\n");
    for (int e = -4; e <= 0; ++e)
        fprintf(f, "<path stroke='#808080' stroke-opacity='.3' d='M60,%d h324'/>\n"
                   "<text x='15' y='%d'>1e%+d</text>\n", 20 - 50 * e, 24 - 50 * e, e);
    printf("rate momentum clip batch held-out wait gates   loss\n");
    for (size_t i = 0; i < sizeof ways / sizeof *ways; ++i) {
        how = ways[i];
        train();
        printf("%4.2f %8.1f %4.2f %5d %8d %4d %5s   ", how.rate, how.momentum, how.limit, how.batch,
               how.held_out, how.wait, how.plain ? "no" : "yes");
        printf(history[9] < 1e300 ? "%.7f" : "not a number", history[9]);
        conversation(3);
        if (how.held_out) printf(", on k = 3 %.7f", forward() / (steps - N));
        printf("\n");
        if (how.wait) draw(f, how.plain ? "#e8710a" : "#4c8dff", how.plain ? "no gates" : "GRU");
    }
    fprintf(f, "</svg>\n");
    return fclose(f);
}
