#!/usr/bin/env python3
"""baselines.py NORMAL.csv TEST.csv [NAME=SCORES.csv ..] - other detectors on the same packets.

Learns from NORMAL.csv and scores the packets of TEST.csv, which has labels, with
  - an isolation forest over connections: numbers of their packets, and of their pair's last 10 s;
  - an ensemble of small autoencoders after Kitsune (Mirsky et al., NDSS 2018): damped statistics
    of each packet's source, pair and connection over five spans of time, in groups of related
    numbers, each with an autoencoder of its own, and one over their errors; the mean over the
    packets of a piece of a connection, since single packets rank worse (AUC 0.47, not 0.76).
SCORES.csv is what `detect --scores` says of TEST.csv. All are judged alike, per connection and per
pair of addresses in 10 seconds: each has its packets' highest score, and is an attack if more than
half of its packets are. Written for this comparison; needs numpy, the forest also scikit-learn.
"""
import collections
import csv
import sys

import numpy as np

try:
    from sklearn.ensemble import IsolationForest
except ImportError:
    IsolationForest = None

FLAGS = ("Urgent", "Acknowledgment", "Push", "Reset", "Syn", "Fin")
OURS = ("urg", "ack", "push", "reset", "syn", "fin")


class Packets:
    """Packets of a file, with the number of their connection, piece of it, and pair in 10 s."""

    def __init__(self, path):
        with open(path, newline="") as file:
            rows = csv.reader(file)
            at = {name: i for i, name in enumerate(next(rows))}
            export = "Source" in at
            names = (("Time", "Source", "Destination", "Length", "Source port", "Dest port") if export
                     else ("timestamp", "src_ip", "dst_ip", "length", "src_port", "dst_port"))
            use = [at[n] for n in names]
            flags = [at[n] for n in (FLAGS if export else OURS)]
            label = at.get("label")
            rows = [([r[i] for i in use], [r[i] in ("1", "Set") for i in flags],
                     r[label] if label is not None else "0") for r in rows]
        self.time = np.array([float(r[0][0]) for r in rows])
        self.length = np.array([float(r[0][3]) for r in rows])
        self.src = [r[0][1] for r in rows]
        self.dst = [r[0][2] for r in rows]
        self.ports = [(int(r[0][4]), int(r[0][5])) for r in rows]
        self.flags = np.array([r[1] for r in rows], dtype=float)
        self.attack = np.array([r[2] != "0" for r in rows])
        self.cut()

    def cut(self):
        """Connections end after 30 s without a packet; pieces of them have at most 320 packets."""
        known, self.forward = {}, np.zeros(len(self.time), bool)
        self.connection, self.piece = (np.zeros(len(self.time), int) for _ in range(2))
        windows, self.window = {}, np.zeros(len(self.time), int)
        self.pair = [min((s, d), (d, s)) for s, d in zip(self.src, self.dst)]
        count = pieces = 0
        for i, now in enumerate(self.time):
            ends = ((self.src[i], self.ports[i][0]), (self.dst[i], self.ports[i][1]))
            key = min(ends, ends[::-1])
            c = known.get(key)
            if c is None or now - c[0] > 30:
                c = known[key] = [now, count, pieces, 0, ends[0]]
                count, pieces = count + 1, pieces + 1
            if c[3] == 320:
                c[2], c[3], pieces = pieces, 0, pieces + 1
            c[0], c[3] = now, c[3] + 1
            self.connection[i], self.piece[i] = c[1], c[2]
            self.forward[i] = c[4] == ends[0]
            self.window[i] = windows.setdefault((self.pair[i], int(now // 10)), len(windows))


def context(p):
    """What passed between a packet's two addresses in the last 10 s: six counts, logarithms."""
    out, recent = np.zeros((len(p.time), 6)), collections.defaultdict(collections.deque)
    for i, now in enumerate(p.time):
        q = recent[p.pair[i]]
        q.append(i)
        while p.time[q[0]] < now - 10:
            q.popleft()
        f = p.flags[q]
        out[i] = (len(q), (f[:, 4] * (1 - f[:, 1])).sum(), f[:, 3].sum(), f[:, 5].sum(),
                  len({max(p.ports[k]) for k in q}), len({min(p.ports[k]) for k in q}))
    return np.log1p(out)


def sums(index, value):
    """Sums of value (packets, columns) over the packets of each piece."""
    out = np.zeros((index.max() + 1, value.shape[1]))
    np.add.at(out, index, value)
    return out


def pieces(p):
    """Features of each piece of a connection."""
    n = np.bincount(p.piece)[:, None]
    gap, last = np.zeros(len(p.time)), {}
    for i, piece in enumerate(p.piece):
        gap[i] = np.log1p(1e6 * max(0.0, p.time[i] - last.get(piece, p.time[i])))
        last[piece] = p.time[i]
    size = np.log1p(p.length)
    value = np.column_stack([gap, gap ** 2, size, size ** 2, p.forward, p.forward * size, p.flags,
                             np.array(p.ports) < 1024, np.array(p.ports) > 49151, context(p)])
    mean = sums(p.piece, value) / n
    mean[:, 1] -= mean[:, 0] ** 2
    mean[:, 3] -= mean[:, 2] ** 2
    return np.column_stack([np.log(n), mean])


def forest(normal, test):
    model = IsolationForest(n_estimators=200, random_state=1).fit(pieces(normal))
    return -model.score_samples(pieces(test))[test.piece]


SPANS = np.array([5, 3, 1, 0.1, 0.01])


def damped(p):
    """Weight, mean and deviation of sizes (and gaps) that fade as 2^(-span t), for each packet."""
    out = np.zeros((len(p.time), 5, 14))
    state = {}

    def update(key, now, v):
        s = state.get(key)
        if s is None:
            s = state[key] = [now, np.zeros(5), np.zeros(5), np.zeros(5)]
        fade = np.exp2(-SPANS * max(0.0, now - s[0]))
        gap, s[0] = now - s[0], now
        s[1] = s[1] * fade + 1
        s[2] = s[2] * fade + v
        s[3] = s[3] * fade + v * v
        mean = s[2] / s[1]
        return s[1], mean, np.sqrt(np.abs(s[3] / s[1] - mean * mean)), gap

    for i, now in enumerate(p.time):
        v, pair = p.length[i], (p.src[i], p.dst[i])
        a = update(("source", p.src[i]), now, v)
        b = update(("pair", pair), now, v)
        back = state.get(("pair", pair[::-1]))
        other = back[2] / np.maximum(back[1], 1e-9) if back else np.zeros(5)
        c = update(("connection", pair, p.ports[i]), now, v)
        d = update(("gap", pair), now, b[3])
        out[i] = np.column_stack(a[:3] + b[:3] + (np.hypot(b[1], other), np.abs(b[1] - other)) +
                                 c[:3] + d[:3])
    return out.reshape(len(p.time), -1)


class Autoencoder:
    """One hidden layer of three quarters of the inputs, sigmoids, inputs scaled to 0 .. 1."""

    def __init__(self, x, random):
        self.low, high = x.min(0), x.max(0)
        self.span = np.where(high > self.low, high - self.low, 1)
        d, h = x.shape[1], max(1, int(np.ceil(0.75 * x.shape[1])))
        self.w = random.uniform(-1, 1, (d, h)) / d
        self.v = random.uniform(-1, 1, (h, d)) / h
        self.b, self.c = np.zeros(h), np.zeros(d)
        for _ in range(3):
            for k in np.array_split(random.permutation(len(x)), len(x) // 32 + 1):
                self.step((x[k] - self.low) / self.span, 0.1)

    def run(self, x):
        h = 1 / (1 + np.exp(-(x @ self.w + self.b)))
        return h, 1 / (1 + np.exp(-(h @ self.v + self.c)))

    def step(self, x, rate):
        h, y = self.run(x)
        dy = (y - x) * y * (1 - y)
        dh = dy @ self.v.T * h * (1 - h)
        self.v -= rate * h.T @ dy
        self.w -= rate * x.T @ dh
        self.c -= rate * dy.sum(0)
        self.b -= rate * dh.sum(0)

    def error(self, x):
        x = (x - self.low) / self.span
        return np.sqrt(((self.run(x)[1] - x) ** 2).mean(1))


def groups_of(x, most=10):
    """Joins the features that correlate most, as long as a group has at most ten."""
    near = np.abs(np.nan_to_num(np.corrcoef(x.T)))
    group = {i: [i] for i in range(x.shape[1])}
    at = list(range(x.shape[1]))
    i, j = np.triu_indices(x.shape[1], 1)
    for k in np.argsort(-near[i, j], kind="stable"):
        a, b = at[i[k]], at[j[k]]
        if a != b and len(group[a]) + len(group[b]) <= most:
            for f in group[b]:
                at[f] = a
            group[a] += group.pop(b)
    return list(group.values())


def kitsune(normal, test):
    random = np.random.default_rng(1)
    x, y = damped(normal), damped(test)
    errors = [[], []]
    for g in groups_of(x):
        a = Autoencoder(x[:, g], random)
        errors[0].append(a.error(x[:, g]))
        errors[1].append(a.error(y[:, g]))
    last = Autoencoder(np.column_stack(errors[0]), random)
    error = last.error(np.column_stack(errors[1]))[:, None]
    return (sums(test.piece, error)[:, 0] / np.bincount(test.piece))[test.piece]


def ours(path, test):
    """Scores of sequences, by the rows of their first and last packets and their two ends."""
    score, found = np.full(len(test.time), -np.inf), collections.defaultdict(list)
    with open(path, newline="") as file:
        for r in csv.DictReader(file):
            ends = tuple(sorted(r["who"].split(" -> ")))
            found[ends].append((int(r["first_row"]), int(r["last_row"]), float(r["score"])))

    def end(address, port):
        return "[%s]:%d" % (address, port) if ":" in address else "%s:%d" % (address, port)

    for i in range(len(test.time)):
        ends = tuple(sorted((end(test.src[i], test.ports[i][0]), end(test.dst[i], test.ports[i][1]))))
        for first, past, value in found[ends]:
            if first <= i + 1 <= past:
                score[i] = value
    if np.isinf(score).any():
        sys.exit("baselines.py: %s has no score for %d packets" % (path, np.isinf(score).sum()))
    return score


def judge(name, score, test):
    line = "%-22s" % name
    for unit in (test.connection, test.window):
        best = np.full(unit.max() + 1, -np.inf)
        np.maximum.at(best, unit, score)
        bad = np.bincount(unit, test.attack) * 2 > np.bincount(unit)
        value, inverse = np.unique(best, return_inverse=True)
        good, evil = (np.bincount(inverse, x, len(value))[::-1] for x in (~bad, bad))
        fp, tp = good.cumsum(), evil.cumsum()
        auc = 1 - (evil * (fp - good / 2)).sum() / (fp[-1] * tp[-1])
        ap = (evil / tp[-1] * tp / (tp + fp)).sum()
        at = [100 * tp[fp <= share * fp[-1]].max(initial=0) / tp[-1] for share in (0.01, 0.001)]
        line += "  AUC %.3f  AP %.3f  at 1 %% %5.1f %%, 0.1 %% %5.1f %%" % (auc, ap, at[0], at[1])
    print(line, flush=True)


def main():
    normal, test = Packets(sys.argv[1]), Packets(sys.argv[2])
    for unit, what in ((test.connection, "connections"), (test.window, "pairs in 10 s")):
        bad = np.bincount(unit, test.attack) * 2 > np.bincount(unit)
        print("%d %s, %d of them attacks" % (len(bad), what, bad.sum()), end="; ")
    print("\n%-22s  %-47s  per pair in 10 s" % ("", "per connection"))
    for argument in sys.argv[3:]:
        name, path = argument.split("=", 1)
        judge(name, ours(path, test), test)
    if IsolationForest:
        judge("isolation forest", forest(normal, test), test)
    else:
        print("SKIPPED: the isolation forest, for there is no scikit-learn (python3-sklearn) here")
    judge("Kitsune-like", kitsune(normal, test), test)


main()
