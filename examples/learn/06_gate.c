// 6. A gate: a memory that decides what it keeps.
//
// In a gated recurrent unit (GRU) two gates, r and z, see the packet x and the memory h and say how
// far they are open, 0 to 1; n is what might be remembered now. The next memory is (1 - z)*n +
// z*h: where z is near 1 the old one passes unchanged, and so, on the way back, does its gradient:
// it does not vanish. The way back is the forward code read from its last line to its first.
//
// New here, beside the gates: a packet is D numbers and the memory H, each unit of which sees all
// of both, so w * x becomes a dot product; and there is something to learn: what packet comes next.
//
//     cc -std=c99 -O2 examples/learn/06_gate.c -lm -o lesson && ./lesson
//
// It prints
//     an: error 3.1e-09, expected < 1e-07
//     dq: error 1.8e-09, expected < 1e-07
//     az: error 9.8e-10, expected < 1e-07
//     ar: error 4.6e-09, expected < 1e-07
//     dh: error 5.4e-10, expected < 1e-07
//     gradient: error 7.4e-10, expected < 1e-07
//     20,000 conversations: loss 0.000876611
//     unit 3  r     z                n      h      next size
//     step 0  0.66  0.22 ##........   1.00   0.78   0.00
//     step 1  0.84  0.95 #########.   1.00   0.79   0.00
//     step 2  0.90  0.83 ########..   1.00   0.83   1.00
//     step 3  0.81  0.62 ######....  -0.84   0.19   1.01
//     step 4  0.77  0.15 #.........  -0.97  -0.79   1.00
//     step 5  0.66  0.00 ..........  -1.00  -1.00   0.00
//     step 6  0.44  0.00 ..........   0.86   0.86   0.00
// and draws lesson.svg: z at each step (columns) of all four units (rows); full colour is 1.
//
// PREDICT, THEN RUN: break one line. 6a: forget `* r[s][j]` in dq. 6b: forget `dh2 * z[s][j]`.
//     6c: forget z*(1 - z) in az. 6d: put an where dq stands in gh. Does it still learn?
#include <math.h>
#include <stdio.h>
#include <string.h>
#pragma STDC FP_CONTRACT OFF

// D features; H numbers of memory; N packets up to the request, which asks for 1 to KINDS packets;
// S, the most steps.
enum { D = 4, H = 4, N = 3, KINDS = 6, S = N + KINDS + 2 };
enum { R, Z, NEW };  // the gates
// The weights of a GRU: of each gate and each unit of memory one weight for each feature (w_ih,
// from the input) and for each unit of memory (w_hh, from the hidden state), and what is added (b).
typedef struct { double w_ih[3][H][D], w_hh[3][H][H], b_ih[3][H], b_hh[3][H]; } gru;
typedef struct { gru cell; double out_w[D][H], out_b[D]; } net;
enum { COUNT = sizeof(net) / sizeof(double) };

static net weights, gradient;  // gradient: d loss / d weight, of each weight
static double *weight = (double *)&weights, *derivative = (double *)&gradient;  // as one array
static double packet[S][D], x[S][D];  // the conversation; what goes in at step s
static double h[S + 1][H];            // the memory: h[s] before step s, h[s + 1] after it
static double r[S][H], z[S][H], n[S][H], q[S][H], out[S][D];
static double dh[S + 1][H], dout[S][D];  // d loss / d h, out
static int first, steps;  // the first step, and the one after the last

// hello, hello, "send me k", k packets of data, goodbye, goodbye. A packet is four numbers: does it
// come from the client, is it a hello, is it a goodbye, its size.
static void conversation(int k) {
    double begin[N][D] = {{1, 1, 0, 0}, {0, 1, 0, 0}, {1, 0, 0, k / 6.0}};
    memset(packet, 0, sizeof packet);
    memcpy(packet, begin, sizeof begin);
    for (int t = 0; t < k; ++t) packet[N + t][3] = 1;
    packet[N + k][0] = packet[N + k][2] = packet[N + k + 1][2] = 1;
    steps = N + k + 1;  // the last packet only has to be guessed
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
// sigmoid, an S from 0 to 1; its derivative is sigmoid * (1 - sigmoid). tanh: 1 - tanh^2.
static double sigmoid(double v) { return 1 / (1 + e_to(-v)); }
static double tangent(double v) { return 2 * sigmoid(2 * v) - 1; }

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

// The mirror of it: from dh[s + 1] to dh[s] and the weights' gradients. an, az, ar are d loss / d
// what n's tangent and the two sigmoids were taken of, and dq is d loss / d q. h2, short for
// h[s + 1][j], has dh2; "was" quotes the line of gru_forward that is walked back.
static void gru_backward(const gru *w, gru *g, int s) {
    for (int j = 0; j < H; ++j) {
        double dh2 = dh[s + 1][j], an = 0, az = 0, ar = 0, dq = 0;
        // From h[s + 1][j] in gru_forward back to r's line; you need dz and dn, too, and something
        // is added to dh[s][j]. If stuck: DERIVATION.md, Back through one step, left column.
        // YOUR LINES: dz, dn; dh[s][j]; an, dq; az; ar
        double dz = dh2 * (h[s][j] - n[s][j]), dn = dh2 * (1 - z[s][j]);
        dh[s][j] += dh2 * z[s][j];                    // was: h2 = (1 - z)*n + z*h
        an = dn * (1 - n[s][j] * n[s][j]);            // was: n = tangent(a[NEW] + r*q)
        dq = an * r[s][j];
        az = dz * z[s][j] * (1 - z[s][j]);            // was: z = sigmoid(a[Z] + b[Z])
        ar = an * q[s][j] * r[s][j] * (1 - r[s][j]);  // was: r = sigmoid(a[R] + b[R])
        // UP TO HERE
        double gi[3] = {ar, az, an}, gh[3] = {ar, az, dq};
        for (int k = 0; k < 3; ++k) {
            g->b_ih[k][j] += gi[k];
            g->b_hh[k][j] += gh[k];
            add(g->w_ih[k][j], gi[k], x[s], D);
            add(g->w_hh[k][j], gh[k], h[s], H);
            add(dh[s], gh[k], w->w_hh[k][j], H);
        }
    }
}

// A conversation, packet by packet. From the request on, out is the guess of the next packet, a sum
// of the memory with weights; the loss of each guess is the mean of its squared errors.
static double forward(void) {
    double loss = 0;
    for (int s = first; s < steps; ++s) {
        memcpy(x[s], packet[s], sizeof x[s]);
        gru_forward(&weights.cell, s);
        for (int o = 0; s >= N - 1 && o < D; ++o) {
            out[s][o] = dot(weights.out_b[o], weights.out_w[o], h[s + 1], H);
            dout[s][o] = 2 * (out[s][o] - packet[s + 1][o]) / D;  // for the way back
            loss += (out[s][o] - packet[s + 1][o]) * (out[s][o] - packet[s + 1][o]) / D;
        }
    }
    return loss;
}

// And back, from the last step to the first. h was used twice, by out and by the next step: +=.
static void backward(void) {
    memset(&gradient, 0, sizeof gradient);
    memset(dh, 0, sizeof dh);
    for (int s = steps; s-- > first;) {
        for (int o = 0; s >= N - 1 && o < D; ++o) {
            gradient.out_b[o] += dout[s][o];
            add(gradient.out_w[o], dout[s][o], h[s + 1], H);
            add(dh[s + 1], dout[s][o], weights.out_w[o], H);
        }
        gru_backward(&weights.cell, &gradient.cell, s);
    }
}

// The derivatives of some values beside (loss(value + e) - loss(value - e)) / 2e.
static void check(const char *name, double *value, const double *slope, int count) {
    double difference = 0, length = 0;
    forward();
    backward();
    for (int i = 0; i < count; ++i) {
        double kept = value[i], numeric = 0;
        for (int side = -1; side <= 1; side += 2) {
            value[i] = kept + side * 1e-4;
            numeric += side * forward() / 2e-4;
        }
        value[i] = kept;
        difference += (numeric - slope[i]) * (numeric - slope[i]);
        length += numeric * numeric;
    }
    difference = sqrt(difference / length);
    printf("%s: %serror %.1e, expected < 1e-07\n", name,
           difference < 1e-7 ? "" : "a factor or a part is missing? ", difference);
}

// Goes down the gradients of conversations, one after the other; returns their mean loss.
static double train(int conversations) {
    static int done;
    double loss = 0;
    for (int i = 0; i < conversations; ++i) {
        conversation(1 + ++done % KINDS);
        loss += forward() / (steps - N + 1) / conversations;
        backward();
        add(weight, -0.1, derivative, COUNT);
    }
    return loss;
}

int main(void) {
    FILE *f = fopen("lesson.svg", "w");
    gru *w = &weights.cell, *g = &gradient.cell;
    unsigned long long seed = 1;
    if (!f) return 1;
    for (int i = 0; i < COUNT; ++i) {  // small, and all different
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        weight[i] = ((double)(seed >> 40) / (1 << 23) - 1) / 4;
    }
    conversation(4);
    first = N - 1, steps = N;  // one step alone, from a memory that is not zero
    for (int j = 0; j < H; ++j) h[first][j] = 0.3 * j - 0.4;
    // b_ih and b_hh are only added, so their derivatives are an, dq, az and ar themselves.
    check("an", w->b_ih[NEW], g->b_ih[NEW], H);
    check("dq", w->b_hh[NEW], g->b_hh[NEW], H);
    check("az", w->b_ih[Z], g->b_ih[Z], H);
    check("ar", w->b_ih[R], g->b_ih[R], H);
    check("dh", h[first], dh[first], H);
    first = 0;
    conversation(4);
    check("gradient", weight, derivative, COUNT);
    train(18000);
    printf("20,000 conversations: loss %.9f\n", train(2000));
    conversation(3);
    forward();
    fprintf(f, "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 350 190' fill='#4c8dff' "
               "font-family='sans-serif' font-size='13'>\n");
    printf("unit 3  r     z                n      h      next size\n");
    for (int s = 0; s < steps; ++s) {
        printf("step %d  %.2f  %.2f ", s, r[s][3], z[s][3]);
        for (int i = 0; i < 10; ++i) putchar(10 * z[s][3] > i + 0.5 ? '#' : '.');
        printf("  %5.2f  %5.2f  %5.2f\n", n[s][3], h[s + 1][3], out[s][3]);
        for (int j = 0; j < H; ++j)
            fprintf(f, "<rect x='%d' y='%d' width='39' height='39' fill-opacity='%.2f'/>\n",
                    60 + 40 * s, 5 + 40 * j, z[s][j]);
        fprintf(f, "<text x='%d' y='184' fill='#808080'>step %d</text>\n", 60 + 40 * s, s);
    }
    for (int j = 0; j < H; ++j)
        fprintf(f, "<text x='5' y='%d' fill='#808080'>unit %d</text>\n"
                   "<path stroke='#808080' stroke-opacity='.3' d='M60,%d h280'/>\n",
                30 + 40 * j, j, 44 + 40 * j);
    fprintf(f, "</svg>\n");
    return fclose(f);
}
