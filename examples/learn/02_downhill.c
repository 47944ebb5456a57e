// 2. Downhill: how one number learns.
//
// A guess is w * x: asked for x packets, the server sends about w * x kilobytes. The loss says how
// wrong the guesses are, as the mean of their squared errors, and its slope at w says which way is
// up. So go the other way, by the slope times a small rate, and again: this is gradient descent.
//
//     cc -std=c99 -O2 examples/learn/02_downhill.c -lm -o lesson && ./lesson
//
// It prints
//     slope: error 3.9e-12, expected < 1e-07
//     step       w      loss     slope
//        0  0.0000  16.95500  -22.5500
//        1  0.2255  12.25135  -19.1675
//        2  0.4172   8.85297  -16.2924
//        3  0.5801   6.39763  -13.8485
//        4  0.7186   4.62365  -11.7712
//        5  0.8363   3.34195  -10.0056
//       10  1.2074   0.66189   -4.4395
//       15  1.3720   0.13426   -1.9698
//       20  1.4451   0.03038   -0.8740
// PREDICT, THEN RUN. 2a: what if the rate is 0.14? 2b: and if it is 1.0 / 15? Why?
#include <math.h>
#include <stdio.h>
#pragma STDC FP_CONTRACT OFF

enum { PAIRS = 4, STEPS = 20 };
static const double x[PAIRS] = {1, 2, 3, 4};          // packets asked for
static const double y[PAIRS] = {1.5, 2.9, 4.6, 6.0};  // kilobytes that came
static const double rate = 0.01;

// The mean squared error of all guesses. Squared, so that too much and too little both count, and
// one large error more than many small ones.
static double loss(double w) {
    double sum = 0;
    for (int i = 0; i < PAIRS; ++i) sum += (w * x[i] - y[i]) * (w * x[i] - y[i]);
    return sum / PAIRS;
}

// Its derivative, from calculus: d (w*x - y)^2 / dw = 2 (w*x - y) * x.
static double slope(double w) {
    double sum = 0;
    for (int i = 0; i < PAIRS; ++i) sum += 2 * (w * x[i] - y[i]) * x[i];
    return sum / PAIRS;
}

// The same without calculus: a little to the right, a little to the left, rise over run. It needs
// the loss twice for each weight, so it is too slow to learn with, but it never errs by much: this
// is how every derivative in these lessons is checked.
static double slope_by_differences(double w) {
    double e = 1e-5, result = 0;
    // YOUR LINES: from loss(w + e) and loss(w - e)
    result = (loss(w + e) - loss(w - e)) / (2 * e);
    // UP TO HERE
    return result;
}

// Prints how large an error is and, if it is too large, what to look for.
static void check(const char *name, double error, const char *hint) {
    printf("%s: %serror %.1e, expected < 1e-07\n", name, error < 1e-7 ? "" : hint, error);
}

int main(void) {
    double w = 0;
    check("slope", fabs(slope_by_differences(w) - slope(w)) / fabs(slope(w)),
          "rise over a run of 2e? ");
    printf("step       w      loss     slope\n");
    for (int step = 0; step <= STEPS; ++step) {
        if (step < 5 || step % 5 == 0)
            printf("%4d %7.4f %9.5f %9.4f\n", step, w, loss(w), slope(w));
        w -= rate * slope(w);
    }
    return 0;
}
