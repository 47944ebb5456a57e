// 7. Two networks: one reads, one answers.
//
// Sequence to sequence (seq2seq): an encoder GRU reads the first three packets into its memory h,
// and a decoder GRU starts from that memory and says, packet after packet, what comes next. The
// decoder is fed its own last output, so a mistake comes back as input. Blame goes the same way:
// an output's derivative is that of its own error plus what the next step made of it as its input.
//
//     cc -std=c99 -O2 examples/learn/07_seq2seq.c -lm -o lesson && ./lesson
//
// It prints
//     gradient: error 2.9e-08, expected < 1e-07
//      2,000 conversations: loss 0.073679489
//      4,000 conversations: loss 0.005253863
//     20,000 conversations: loss 0.000041299
//     send me 2: sizes  1.00  0.99 -0.02 -0.01
//     send me 4: sizes  1.00  0.99  1.01  1.00 -0.01 -0.01
//     send me 6: sizes  1.00  1.01  1.00  0.99  1.00  0.99 -0.01 -0.00
// and draws lesson.svg: how much each step is to blame before training.
//
// PREDICT, THEN RUN. 7a: what is the loss with 2, 4, 8 or 32 units of memory (H) instead of 16?
//     7b: the request no longer says how many: 0.5 instead of k / 6.0. What does it answer then?
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
static int steps;

// hello, hello, "send me k", k packets of data, goodbye, goodbye. A packet is four numbers: does it
// come from the client, is it a hello, is it a goodbye, its size.
static void conversation(int k) {
    double first[N][D] = {{1, 1, 0, 0}, {0, 1, 0, 0}, {1, 0, 0, k / 6.0}};
    memset(packet, 0, sizeof packet);
    memcpy(packet, first, sizeof first);
    for (int t = 0; t < k; ++t) packet[N + t][3] = 1;
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

// A conversation through both networks. What the decoder is fed is called its token: at its first
// step the request, then its own last output, through leaky(). The loss of each answer is
// the mean of its squared errors.
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
        // YOUR LINES: if s > N, out[s - 1] went through leaky() into x[s]: add that to dout[s - 1]
        for (int o = 0; s > N && o < D; ++o) dout[s - 1][o] += dx[s][o] * (x[s][o] > 0 ? 1 : 0.01);
        // UP TO HERE
    }
}

// The gradient beside (loss(w + e) - loss(w - e)) / 2e: length of the difference / its length.
static void check(const char *hint) {
    double difference = 0, length = 0;
    forward();
    backward();
    for (int i = 0; i < COUNT; ++i) {
        double kept = weight[i], numeric = 0;
        for (int side = -1; side <= 1; side += 2) {
            weight[i] = kept + side * 1e-5;
            numeric += side * forward() / 2e-5;
        }
        weight[i] = kept;
        difference += (numeric - derivative[i]) * (numeric - derivative[i]);
        length += numeric * numeric;
    }
    difference = sqrt(difference / length);
    printf("gradient: %serror %.1e, expected < 1e-07\n", difference < 1e-7 ? "" : hint, difference);
}

// Goes down the gradients of conversations, one after the other; returns their mean loss.
static double train(int conversations) {
    static int done;
    double loss = 0;
    for (int i = 0; i < conversations; ++i) {
        conversation(1 + ++done % KINDS);
        loss += forward() / (steps - N) / conversations;
        backward();
        add(weight, -0.1, derivative, COUNT);
    }
    return loss;
}

// A bar for each step: the length of the gradient that arrives there.
static int draw(void) {
    FILE *f = fopen("lesson.svg", "w");
    if (!f) return 0;
    fprintf(f, "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 380 160' fill='#808080' "
               "font-family='sans-serif' font-size='13'>\n"
               "<text x='10' y='155'>encoder</text>\n<text x='130' y='155'>decoder</text>\n");
    for (int s = 0; s < steps; ++s) {
        double height = 250 * sqrt(dot(0, dh[s + 1], dh[s + 1], H));
        fprintf(f, "<rect x='%d' y='%.1f' width='30' height='%.1f' fill='%s'/>\n", 10 + 40 * s,
                140 - height, height, s < N ? "#2e9e5b" : "#4c8dff");
    }
    fprintf(f, "</svg>\n");
    return fclose(f) == 0;
}

int main(void) {
    unsigned long long seed = 1;
    for (int i = 0; i < COUNT; ++i) {  // small, and all different
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        weight[i] = ((double)(seed >> 40) / (1 << 23) - 1) / 4;
    }
    conversation(4);
    check("a part of dout[s - 1] is missing? ");
    if (!draw()) return 1;
    printf(" 2,000 conversations: loss %.9f\n", train(2000));
    printf(" 4,000 conversations: loss %.9f\n", train(2000));
    train(14000);
    printf("20,000 conversations: loss %.9f\n", train(2000));
    for (int k = 2; k <= KINDS; k += 2) {
        conversation(k);
        forward();
        printf("send me %d: sizes", k);
        for (int s = N; s < steps; ++s) printf(" %5.2f", out[s][3]);
        printf("\n");
    }
    return 0;
}
