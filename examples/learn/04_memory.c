// 4. Memory: one weight, used at every step.
//
// A recurrent network reads packets one after the other and carries a memory h along: here one
// number, which becomes w * h + x at each step. Written out, or unrolled, it is a chain of lines as
// in lesson 3, as long as the sequence, and the same w stands in each of them. So its derivative is
// a sum over the steps: backpropagation through time is the chain rule and +=, nothing else.
//
//     cc -std=c99 -O2 examples/learn/04_memory.c -lm -o lesson && ./lesson
//
// It prints
//     T =  1: dw  0.200000: error 4.6e-12, expected < 1e-07
//     T =  5: dw -1.370156: error 2.2e-10, expected < 1e-07
//         step 4: x 0.1  h 0.8125  next dh -0.9875  share of dw -0.8023
//         step 3: x 0.6  h 0.4250  next dh -0.4938  share of dw -0.2098
//         step 2: x 0.1  h 0.6500  next dh -0.2469  share of dw -0.1605
//         step 1: x 0.1  h 1.1000  next dh -0.1234  share of dw -0.1358
//         step 0: x 0.6  h 1.0000  next dh -0.0617  share of dw -0.0617
//     T = 20: dw -1.251102: error 2.5e-11, expected < 1e-07
// PREDICT, THEN RUN. 4a: with w = 1 instead of 0.5, which step has the largest share? 4b: put = for
//     += in backward(): for which T is the derivative right all the same?
#include <math.h>
#include <stdio.h>
#pragma STDC FP_CONTRACT OFF

enum { S = 20 };                               // the longest sequence
static double w = 0.5, dw;                     // the weight, and d loss / d w
static double x[S], h[S + 1], dh[S + 1];       // h[s]: memory before step s; dh: d loss / d h
static double share[S];                        // of each step in dw
static int steps;                              // T, the sequence's length

// One packet's size after the other; in the end h should be 1.
static double forward(void) {
    for (int s = 0; s < steps; ++s) h[s + 1] = w * h[s] + x[s];
    return (h[steps] - 1) * (h[steps] - 1);
}

static void backward(void) {
    dw = 0;
    dh[steps] = 2 * (h[steps] - 1);
    for (int s = steps; s-- > 0;) {  // from steps - 1 down to 0
        // YOUR LINES: it was h[s + 1] = w * h[s] + x[s]. Set share[s] and dh[s]; add to dw
        share[s] = dh[s + 1] * h[s];
        dh[s] = dh[s + 1] * w;
        dw += share[s];
        // UP TO HERE
    }
}

// The derivative of w beside (loss(w + e) - loss(w - e)) / 2e.
static void check(void) {
    double kept = w, e = 1e-5, up, difference, error;
    w = kept + e;
    up = forward();
    w = kept - e;
    difference = (up - forward()) / (2 * e);
    w = kept;
    error = fabs(difference - dw) / fabs(difference);
    printf("T = %2d: dw %9.6f: %serror %.1e, expected < 1e-07\n", steps, dw,
           error < 1e-7 ? "" : "a sum over all steps? ", error);
}

int main(void) {
    h[0] = 1;
    for (int s = 0; s < S; ++s) x[s] = s % 3 ? 0.1 : 0.6;
    for (steps = 1; steps <= S; steps = steps == 1 ? 5 : 4 * steps) {  // 1, 5, 20
        forward();
        backward();
        check();
        for (int s = steps; steps == 5 && s-- > 0;)
            printf("    step %d: x %.1f  h %.4f  next dh %7.4f  share of dw %7.4f\n", s, x[s], h[s],
                   dh[s + 1], share[s]);
    }
    return 0;
}
