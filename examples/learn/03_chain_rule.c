// 3. The chain rule, read backwards.
//
// A network is computed in small steps, a line of code each, and each has a small derivative of its
// own. Start at the loss and walk the lines backwards. Where a line says y = f(x), the loss's
// derivative by y is known already; times f'(x) it is the one by x. Where a value was used twice,
// two such derivatives arrive and are added: that is why it says += and not =.
//
//     cc -std=c99 -O2 examples/learn/03_chain_rule.c -lm -o lesson && ./lesson
//
// It prints
//     loss 0.777585
//     dv  0.009934, by differences  0.009934: error 2.7e-10, expected < 1e-07
//     du -0.165561, by differences -0.165561: error 1.2e-11, expected < 1e-07
//     dw -1.021314, by differences -1.021314: error 6.4e-10, expected < 1e-07
//     db -2.042628, by differences -2.042628: error 3.2e-09, expected < 1e-07
//     loss 0.000000 after 100 steps downhill
// PREDICT, THEN RUN. 3a: put = for the first += in backward(): which derivatives become wrong, all
//     of them or some? 3b: the same for the second.
#include <math.h>
#include <stdio.h>
#pragma STDC FP_CONTRACT OFF

static double w = 0.8, b = -0.3, u = 1.2, v = -0.7;  // the weights
static double x = 0.5, size = 1, end = 0;            // what is seen, and what should be said
static double a, h, p, q;                            // what lies between
static double dw, db, du, dv, da, dh, dp, dq;        // d loss / d each of these

// e^t as (e^(t/1024))^1024, the inner one by its series: the same digits on every machine.
static double e_to(double t) {
    double term = 1, sum = 1;
    for (int i = 1; i < 12; ++i) {
        term *= t / 1024 / i;
        sum += term;
    }
    for (int i = 0; i < 10; ++i) sum *= sum;
    return sum;
}
// tanh, an S from -1 to 1; its derivative is 1 - tanh^2. A network needs such a bend between its
// products: without it u * (w*x + b) would be just another straight line in x.
static double tangent(double t) { return 2 / (1 + e_to(-2 * t)) - 1; }

// Two guesses about the next packet: p, its size, and q, is it the last? q also looks at p.
static double forward(void) {
    a = w * x + b;
    h = tangent(a);
    p = u * h;
    q = v * h + p;
    return (p - size) * (p - size) + (q - end) * (q - end);
}

// The lines of forward() from the last to the first: "was" quotes the line that is walked back.
// dp is d loss / d p, and so on.
static void backward(void) {
    dq = 2 * (q - end);      // was: loss = (p - size)^2 + (q - end)^2
    dp = 2 * (p - size);
    dp += dq;                // was: q = v*h + p      the second use of p
    dv = dq * h;
    dh = dq * v;
    // YOUR LINES: was p = u*h; was h = tangent(a); was a = w*x + b. h has been used twice.
    dh += dp * u;
    du = dp * h;
    da = dh * (1 - h * h);
    dw = da * x;
    db = da;
    // UP TO HERE
}

// A weight's derivative beside (loss(weight + e) - loss(weight - e)) / 2e.
static void check(const char *name, double *weight, double derivative) {
    double kept = *weight, e = 1e-5, up, difference, error;
    *weight = kept + e;
    up = forward();
    *weight = kept - e;
    difference = (up - forward()) / (2 * e);
    *weight = kept;
    error = fabs(difference - derivative) / fabs(difference);
    printf("d%s %9.6f, by differences %9.6f: %serror %.1e, expected < 1e-07\n", name, derivative,
           difference, error < 1e-7 ? "" : "a factor or a += is missing? ", error);
}

int main(void) {
    printf("loss %.6f\n", forward());
    backward();
    check("v", &v, dv);
    check("u", &u, du);
    check("w", &w, dw);
    check("b", &b, db);
    for (int i = 0; i < 100; ++i) {
        forward();
        backward();
        v -= 0.1 * dv;
        u -= 0.1 * du;
        w -= 0.1 * dw;
        b -= 0.1 * db;
    }
    printf("loss %.6f after 100 steps downhill\n", forward());
    return 0;
}
