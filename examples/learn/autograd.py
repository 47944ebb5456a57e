#!/usr/bin/env python3
"""The gradients of lesson 7 and of pktseq.h beside those that PyTorch finds by itself.

    python3 examples/learn/autograd.py        needs python3-torch and a C compiler

Same weights, same conversation ("send me 4"), all in double. For each step: the length of the
gradient that arrives at the state h in PyTorch (h.grad), and how far the two others are from it in
any unit. For each matrix: how far its gradient is. The last digits differ between machines:

step              |dh|   lesson 7   pktseq.h
encoder 0     0.080144    4.9e-15    2.8e-17
encoder 1     0.129014    7.9e-15    2.8e-17
encoder 2     0.228352    1.6e-14    5.6e-17
decoder 0     0.421915    1.3e-14    5.6e-17
decoder 1     0.369267    1.4e-14    5.6e-17
decoder 2     0.320991    9.2e-15    5.6e-17
decoder 3     0.290697    1.2e-14    5.6e-17
decoder 4     0.459166    4.6e-15    5.6e-17
decoder 5     0.290302    3.6e-15    1.4e-17
gradient       largest
encoder W_ih  0.067533    9.6e-15    1.4e-17
encoder W_hh  0.009870    1.6e-15    2.6e-18
encoder b_ih  0.094976    1.3e-14    1.4e-17
encoder b_hh  0.049152    5.8e-15    6.9e-18
decoder W_ih  0.122750    9.8e-15    1.4e-17
decoder W_hh  0.037286    1.0e-14    1.0e-17
decoder b_ih  0.393947    1.7e-14    5.6e-17
decoder b_hh  0.205923    1.0e-14    2.8e-17
out W         0.231317    1.1e-13    8.3e-17
out b         1.421362    5.8e-14    5.6e-17
PASS: off by at most 1.1e-13 in lesson 7 (allowed 2.5e-13), 8.3e-17 in pktseq.h (allowed 2.5e-16)
"""
import os, subprocess, sys, tempfile

try:
    import torch
except ImportError:
    print("SKIPPED: this python3 has no torch (Debian: apt-get install python3-torch, then "
          "/usr/bin/python3); nothing was compared")
    sys.exit(0)

HERE = os.path.dirname(os.path.abspath(__file__))
D, H, N, ASKED = 4, 16, 3, 4
S = N + ASKED + 2
# Twice what was measured. The lesson has an e^x of its own: its digits are the same everywhere.
LIMITS = {"lesson 7": 2.5e-13, "pktseq.h": 2.5e-16}

# Lesson 7 as it stands, with another main: prints the weights, then gradient and dh of each step
# as the lesson has them, then as the header has them: gradient by backward, dh by >>plain.
PROGRAM = """
#define PKTSEQ_REAL double
#define PKTSEQ_IMPLEMENTATION
#include "%s/../../pktseq.h"
#define main lesson
#include "%s/07_seq2seq.c"
#undef main
static void print(const double *v, int n) { for (int i = 0; i < n; ++i) printf("%%.17g\\n", v[i]); }
int main(void) {
    unsigned long long seed = 1;
    pktseq_config config = pktseq_config_default(NULL);
    pktseq_model model;
    pktseq_work work;
    pktseq_plain plain;
    pktseq_pair pair = {packet[0], packet[N - 1], packet[N], N, %d, NULL};
    for (int i = 0; i < COUNT; ++i) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        weight[i] = ((double)(seed >> 40) / (1 << 23) - 1) / 4;
    }
    conversation(%d);
    forward();
    backward();
    config.in = config.out = D;
    config.hidden = H;
    config.inputs = N;
    config.start = PKTSEQ_START_INPUT;
    if (pktseq_model_init(&model, &config, 1, NULL, NULL) || model.parameters != COUNT ||
        pktseq_work_init(&work, &config, 1, KINDS + 2, 1, NULL, NULL)) return 1;
    memcpy(model.block, weight, sizeof weights);
    if (pktseq_forward(&model, &work, &pair, 1, NULL) || pktseq_backward(&model, &work) ||
        pktseq_plain_init(&plain, &model, &pair, 0, NULL, NULL)) return 1;
    print(weight, COUNT);
    print(derivative, COUNT);
    for (int s = 0; s < steps; ++s) print(dh[s + 1], H);
    print(work.grad_block, COUNT);
    for (int s = 0; s < steps; ++s) print(plain.dh + (s + 1) * H, H);
    return 0;
}
""" % (HERE, HERE, ASKED + 2, ASKED)

SHAPES = [("encoder W_ih", (3 * H, D)), ("encoder W_hh", (3 * H, H)), ("encoder b_ih", (3 * H,)),
          ("encoder b_hh", (3 * H,)), ("decoder W_ih", (3 * H, D)), ("decoder W_hh", (3 * H, H)),
          ("decoder b_ih", (3 * H,)), ("decoder b_hh", (3 * H,)), ("out W", (D, H)),
          ("out b", (D,))]


def run_c():
    """What PROGRAM prints: weights, and (gradient, dh) of the lesson and of the header."""
    with tempfile.TemporaryDirectory() as folder:
        source, program = os.path.join(folder, "both.c"), os.path.join(folder, "both")
        with open(source, "w") as file:
            file.write(PROGRAM)
        compiler = os.environ.get("CC", "cc").split()
        subprocess.run(compiler + ["-std=c99", "-O1", "-o", program, source, "-lm"], check=True)
        text = subprocess.run([program], check=True, stdout=subprocess.PIPE).stdout.split()
    numbers = torch.tensor([float(word) for word in text], dtype=torch.float64)
    count = sum(torch.Size(shape).numel() for name, shape in SHAPES)
    weights, *parts = numbers.split([count, count, S * H, count, S * H])
    return weights, [(parts[k], parts[k + 1].reshape(S, H)) for k in (0, 2)]


def tensors(numbers):
    """Cuts one long vector into the ten tensors."""
    parts = numbers.split([torch.Size(shape).numel() for name, shape in SHAPES])
    return [part.reshape(shape) for part, (name, shape) in zip(parts, SHAPES)]


def gru(x, h, w_ih, w_hh, b_ih, b_hh):
    """One GRU step; torch.nn.GRU does the same but does not let us see the states' gradients."""
    a, b = w_ih @ x + b_ih, w_hh @ h + b_hh
    r, z = torch.sigmoid(a[:H] + b[:H]), torch.sigmoid(a[H:2 * H] + b[H:2 * H])
    n = torch.tanh(a[2 * H:] + r * b[2 * H:])
    return (1 - z) * n + z * h


def run_torch(weights):
    """The gradient of the loss with respect to each tensor and to each state."""
    w = [t.clone().requires_grad_() for t in tensors(weights)]
    x = torch.tensor([[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, ASKED / 6]], dtype=torch.float64)
    y = torch.zeros(ASKED + 2, D, dtype=torch.float64)
    y[:ASKED, 3] = 1
    y[ASKED, 0] = y[ASKED, 2] = y[ASKED + 1, 2] = 1
    h, states, loss, token = torch.zeros(H, dtype=torch.float64), [], 0, x[-1]
    for s in range(S):
        h = gru(x[s], h, *w[:4]) if s < N else gru(
            torch.nn.functional.leaky_relu(token, 0.01), h, *w[4:8])
        h.retain_grad()
        states.append(h)
        if s >= N:
            token = w[8] @ h + w[9]
            loss = loss + ((token - y[s - N]) ** 2).mean()
    loss.backward()
    return [t.grad for t in w], torch.stack([h.grad for h in states])


def main():
    weights, ours = run_c()
    grads, dh = run_torch(weights)
    worst = [0.0, 0.0]

    def line(name, what, off):
        for k in (0, 1):
            worst[k] = max(worst[k], off[k])
        print(f"{name:14}{what:8.6f}{off[0]:11.1e}{off[1]:11.1e}")

    print(f"{'step':14}{'|dh|':>8}{'lesson 7':>11}{'pktseq.h':>11}")
    for s in range(S):
        off = [(part[1][s] - dh[s]).abs().max().item() for part in ours]
        line(f"encoder {s}" if s < N else f"decoder {s - N}", dh[s].norm().item(), off)
    print(f"{'gradient':14}{'largest':>8}")
    for i, (name, shape) in enumerate(SHAPES):
        off = [(tensors(part[0])[i] - grads[i]).abs().max().item() for part in ours]
        line(name, grads[i].abs().max().item(), off)
    good = all(off < limit for off, limit in zip(worst, LIMITS.values()))
    print(("PASS" if good else "FAIL") + ": off by at most " + ", ".join(
        f"{off:.1e} in {name} (allowed {limit})"
        for off, (name, limit) in zip(worst, LIMITS.items())))
    return not good


if __name__ == "__main__":
    sys.exit(main())
