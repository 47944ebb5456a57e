// 5. Vanish, explode, clip.
//
// On its way back through each step the gradient is multiplied by w: after 20 steps by w^20, which
// is next to nothing for w = 0.5 and a million for w = 2. What vanishes cannot be learned from;
// what explodes throws the weights far away in one step. Clipping mends the second: a gradient that
// is longer than a limit is scaled down to it. (For the first, lesson 6 has another kind of unit.)
//
//     cc -std=c99 -O2 examples/learn/05_vanish.c -lm -o lesson && ./lesson
//
// It prints
//     w 0.5: with tanh 6.99e-07, without 9.54e-07 of the gradient is left after 20 steps back
//     w 0.9: with tanh 0.0151, without 0.122 of the gradient is left after 20 steps back
//     w 1.1: with tanh 0.00222, without 6.73 of the gradient is left after 20 steps back
//     w 2.0: with tanh 2.18e-16, without 1.05e+06 of the gradient is left after 20 steps back
//     clip a long one: error 0.0e+00, expected < 1e-07
//     clip a short one: error 0.0e+00, expected < 1e-07
//     plain   step   0: loss  1.11e+07, w 1.5
//     plain   step   1: loss 7.96e+258, w -2.948e+06
//     plain   step   2: loss       inf, w 1.073e+252
//     clipped step   0: loss  1.11e+07, w 1.5
//     clipped step   1: loss  8.43e+06, w 1.49
//     clipped step   2: loss  6.42e+06, w 1.48
//     clipped step 100: loss     0.383, w 1.102
//     clipped step 200: loss     0.259, w 1.076
// and draws lesson.svg: the gradient at each step.
//
// PREDICT, THEN RUN. 5a: with tanh and w = 3, does the gradient explode? 5b: what do 200 steps
//     arrive at if the limit is 0.1 instead of 1? 5c: and without clipping, if the rate is 1e-9?
#include <math.h>
#include <stdio.h>
#pragma STDC FP_CONTRACT OFF

enum { S = 20 };
static double weight[2], gradient[2];  // w and b of h = w*h + b, and d loss / d each
static double h[S + 1], dh[S + 1];     // h[s] is the memory before step s
static int squash;                     // 1: tanh, 0: none

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
static double tangent(double v) { return 2 / (1 + e_to(-2 * v)) - 1; }

// 20 steps from h = 1; in the end h should be 1 again.
static double forward(void) {
    h[0] = 1;
    for (int s = 0; s < S; ++s) {
        double a = weight[0] * h[s] + weight[1];
        h[s + 1] = squash ? tangent(a) : a;
    }
    return (h[S] - 1) * (h[S] - 1);
}

// dh at the end is an argument: 1 to see how much of it comes back, 2 (h - 1) for the loss.
static void backward(double last) {
    gradient[0] = gradient[1] = 0;
    dh[S] = last;
    for (int s = S; s-- > 0;) {
        double da = squash ? dh[s + 1] * (1 - h[s + 1] * h[s + 1]) : dh[s + 1];
        gradient[0] += da * h[s];
        gradient[1] += da;
        dh[s] = da * weight[0];
    }
}

// Scales a gradient whose length is above the limit down to it; what is shorter stays.
static void clip(double *g, double limit) {
    // YOUR LINES: the length is the root of the sum of squares
    double length = sqrt(g[0] * g[0] + g[1] * g[1]);
    if (length > limit) {
        g[0] *= limit / length;
        g[1] *= limit / length;
    }
    // UP TO HERE
}

// Prints how large an error is and, if it is too large, what to look for.
static void check(const char *name, double error, const char *hint) {
    printf("%s: %serror %.1e, expected < 1e-07\n", name, error < 1e-7 ? "" : hint, error);
}

// Steps downhill from w = 1.5, with and without clipping.
static void train(int clipped, double rate) {
    weight[0] = 1.5;
    weight[1] = 0;
    for (int i = 0; i <= (clipped ? 200 : 2); ++i) {
        double loss = forward();
        backward(2 * (h[S] - 1));
        if (clipped) clip(gradient, 1);
        if (i < 3 || i % 100 == 0)
            printf("%s step %3d: loss %9.3g, w %.4g\n", clipped ? "clipped" : "plain  ", i, loss,
                   weight[0]);
        for (int k = 0; k < 2; ++k) weight[k] -= rate * gradient[k];
    }
}

// The gradient at each step (without tanh), on a log scale.
static void draw(FILE *f, const char *color) {
    fprintf(f, "<path fill='none' stroke='%s' stroke-width='2' d='M", color);
    for (int s = 0; s <= S; ++s) fprintf(f, " %d,%.1f", 20 + 20 * s, 150 - 20 * log10(dh[s]));
    fprintf(f, "'/>\n<text x='25' y='%.1f' fill='%s'>w %.1f</text>\n", 145 - 20 * log10(dh[0]),
            color, weight[0]);
}

int main(void) {
    static const double w[] = {0.5, 0.9, 1.1, 2};
    static const char *const color[] = {"#e8710a", "#c2479b", "#2e9e5b", "#4c8dff"};
    double long_one[2] = {30, -40}, short_one[2] = {0.3, -0.4};
    FILE *f = fopen("lesson.svg", "w");
    if (!f) return 1;
    fprintf(f, "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 480 320' fill='#808080' "
               "font-family='sans-serif' font-size='13'>\n"
               "<text x='20' y='312'>step 0</text>\n<text x='375' y='312'>step 20</text>\n");
    for (int e = -7; e <= 7; ++e)
        fprintf(f, "<path stroke='#808080' stroke-opacity='.3' d='M20,%d h400'/>\n"
                   "<text x='430' y='%d'>1e%+d</text>\n", 150 - 20 * e, 154 - 20 * e, e);
    for (int i = 0; i < 4; ++i) {
        weight[0] = w[i];
        squash = 1;
        forward();
        backward(1);
        printf("w %.1f: with tanh %.3g,", w[i], dh[0]);
        squash = 0;
        forward();
        backward(1);
        printf(" without %.3g of the gradient is left after 20 steps back\n", dh[0]);
        draw(f, color[i]);
    }
    fprintf(f, "</svg>\n");
    fclose(f);
    clip(long_one, 1);
    clip(short_one, 1);
    check("clip a long one", fabs(long_one[0] - 0.6) + fabs(long_one[1] + 0.8),
          "not scaled to the limit? ");
    check("clip a short one", fabs(short_one[0] - 0.3) + fabs(short_one[1] + 0.4),
          "it was short enough? ");
    train(0, 0.01);
    train(1, 0.01);
    return 0;
}
