#!/usr/bin/env python3
"""Times the same network, loss and step in PyTorch, on the sequences that ./bench times.

    ./bench export csv=week.csv out=week.bin
    python3 peer_torch.py blas
    OMP_NUM_THREADS=1 python3 peer_torch.py check
    OMP_NUM_THREADS=1 python3 peer_torch.py train data=week.bin variant=notebook [threads=1]
        [batch=1] [sequences=1024] [seconds=0.5] [sorted=0] [lr=1e-4]
    OMP_NUM_THREADS=1 python3 peer_torch.py score data=week.bin variant=loop ...

Prints one line of name=value; work is counted as there: a packet-step is one packet through one
GRU. Whole passes over the first sequences of the data are timed until the seconds are over.

train   notebook  the reference's loop: nn.GRU packet by packet, an item of the loss each iteration
        tuned     its fastest likeness one by one: the encoder in one call, the decoder compiled by
                  TorchScript, one loss, one optimiser, no item
        cell      batched: longest first, ended sequences dropped, nn.GRUCell, autograd
        script    the same with the decoder compiled by TorchScript
        byhand    no autograd: forward and backward written out, each weight's gradient one matrix
                  product over all steps, and the step folded into it
        recommended  the network, loss and step of `train --recommended` on what `./bench recommended
                  out=DATA` wrote, in batches of 32: packed sequences through nn.GRU, since all
                  inputs are known, a cross entropy for each group of classes, clipping, momentum
score   loop      one sequence at a time, packet by packet, as the notebook would
        script    batched, compiled by TorchScript
        byhand    batched, products and gates written out
sorted=1 cuts the batches from sequences sorted by length, the best bucketing there is.
"""
import resource
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

FEATURES, HIDDEN, INPUTS = 25, 256, 3
now = time.perf_counter


# ---- data ----------------------------------------------------------------------------------------

def read(path, sequences):
    """The first sequences of what `bench export` wrote: a list of arrays (packets, features)."""
    with open(path, "rb") as f:
        rows, count, features = (int(v) for v in np.fromfile(f, "<u8", 3))
        start = np.fromfile(f, "<u8", count + 1).astype(np.int64)
        assert features == FEATURES
        count = min(count, sequences) if sequences else count
        x = np.fromfile(f, "<f4", int(start[count]) * features).reshape(-1, features)
    return [x[start[i]:start[i + 1]] for i in range(count)]


class Batch:
    """Sequences longest first. Decoder step t has the rows row[t] .. row[t + 1] of y."""

    def __init__(self, sequences):
        sequences = sorted(sequences, key=len, reverse=True)
        self.count = len(sequences)
        self.x = torch.from_numpy(np.stack([s[:INPUTS] for s in sequences], axis=1))
        targets = np.array([len(s) - INPUTS for s in sequences])
        self.targets = torch.from_numpy(targets)
        self.active = [int((targets > t).sum()) for t in range(targets[0])]
        self.row = [0]
        for n in self.active:
            self.row.append(self.row[-1] + n)
        self.y = torch.from_numpy(np.concatenate(
            [np.stack([s[INPUTS + t] for s in sequences[:n]]) for t, n in enumerate(self.active)]))


# ---- the reference's loop ------------------------------------------------------------------------

class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(FEATURES, HIDDEN)

    def forward(self, token, state):
        return self.gru(token.unsqueeze(0).unsqueeze(0), state)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(FEATURES, HIDDEN)
        self.out = nn.Linear(HIDDEN, FEATURES)
        self.relu = nn.LeakyReLU()

    def forward(self, token, state):
        output, state = self.gru(self.relu(token.unsqueeze(0).unsqueeze(0)), state)
        return self.out(output[0]), state


def notebook_losses(encoder, decoder, criterion, x, y):
    state = torch.zeros(1, 1, HIDDEN)
    for packet in x:
        _, state = encoder(packet, state)
    token = y[0]
    for t in range(y.size(0)):
        output, state = decoder(token, state)
        token = output.squeeze()
        yield criterion(output, y[t].unsqueeze(0))


def notebook_trainer(lr):
    encoder, decoder, criterion = Encoder(), Decoder(), nn.MSELoss()
    optimisers = [torch.optim.SGD(m.parameters(), lr=lr) for m in (encoder, decoder)]

    def step(pair):
        x, y = pair
        for o in optimisers:
            o.zero_grad()
        loss = 0
        for part in notebook_losses(encoder, decoder, criterion, x, y):
            loss = loss + part
        loss.backward()
        for o in optimisers:
            o.step()
        return loss.item() / y.size(0)
    return step


def loop_scorer():
    encoder, decoder, criterion = Encoder(), Decoder(), nn.MSELoss()

    @torch.no_grad()
    def score(pair):
        x, y = pair
        total = 0
        for part in notebook_losses(encoder, decoder, criterion, x, y):
            total += torch.sqrt(part).item()
        return total / y.size(0)
    return score


# ---- batches, by autograd ------------------------------------------------------------------------

class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.GRU(FEATURES, HIDDEN)
        self.cell = nn.GRUCell(FEATURES, HIDDEN)
        self.out = nn.Linear(HIDDEN, FEATURES)

    def weights(self):
        return [p for m in (self.encoder, self.cell, self.out) for p in m.parameters()]

    def decoder_weights(self):
        return [p for m in (self.cell, self.out) for p in m.parameters()]


@torch.jit.script
def decode_script(first, state, active: list[int], w_ih, w_hh, b_ih, b_hh, w_out, b_out):
    outputs = []
    token = first
    for n in active:
        state = torch.gru_cell(functional.leaky_relu(token[:n], 0.01), state[:n],
                               w_ih, w_hh, b_ih, b_hh)
        token = functional.linear(state, w_out, b_out)
        outputs.append(token)
    return torch.cat(outputs)


def decode_cell(network, first, state, active):
    outputs, token = [], first
    for n in active:
        state = network.cell(functional.leaky_relu(token[:n], 0.01), state[:n])
        token = network.out(state)
        outputs.append(token)
    return torch.cat(outputs)


def forward(network, batch, script):
    _, state = network.encoder(batch.x)
    first = batch.y[:batch.count]
    if script:
        return decode_script(first, state[0], batch.active, *network.decoder_weights())
    return decode_cell(network, first, state[0], batch.active)


def autograd_trainer(lr, script, network=None):
    network = network or Network()
    optimiser = torch.optim.SGD(network.parameters(), lr=lr, foreach=True)

    def step(batch):
        optimiser.zero_grad(set_to_none=True)
        error = forward(network, batch, script) - batch.y
        loss = (error * error).sum() / (FEATURES * batch.count)
        loss.backward()
        optimiser.step()
        return loss.detach()
    return step


def mean_scores(batch, output):
    """Of each sequence: the mean over its targets of the root of the mean squared error."""
    root = (output - batch.y).square_().mean(1).sqrt_()
    total = torch.zeros(batch.count)
    for t, n in enumerate(batch.active):
        total[:n] += root[batch.row[t]:batch.row[t + 1]]
    return total / batch.targets


def script_scorer(network=None):
    network = network or Network()
    return torch.no_grad()(lambda batch: mean_scores(batch, forward(network, batch, True)))


# ---- batches, by hand ----------------------------------------------------------------------------

class Gru:
    """One GRU over rows of steps: what each step leaves lies in buffers at the step's rows.

    A row of gates is n r z q: the input's product goes into the first three, the state's into the
    last three, so that two products and no sums make r and z. The rows of the weights are put into
    that order. A row of gradients is alike: the first three are the input's, the last the state's.
    """

    def __init__(self, weights):
        w_ih, w_hh, b_ih, b_hh = (w.detach().clone().view(3, HIDDEN, -1) for w in weights)
        self.w_ih = w_ih[[2, 0, 1]].reshape(3 * HIDDEN, FEATURES)
        self.w_hh = w_hh.reshape(3 * HIDDEN, HIDDEN)
        self.bias = torch.cat([b_ih[2], b_ih[0] + b_hh[0], b_ih[1] + b_hh[1], b_hh[2]]).view(-1)
        self.room = 0

    def reserve(self, rows):
        if rows > self.room:
            self.room = rows
            self.x = torch.empty(rows, FEATURES)
            self.gate = torch.empty(rows, 4 * HIDDEN)
            self.grad = torch.empty(rows, 4 * HIDDEN)
            self.h0, self.h1 = torch.empty(rows, HIDDEN), torch.empty(rows, HIDDEN)

    def step(self, low, high, h):
        """From the inputs in x and the states h: the next states, in h1."""
        gate = self.gate[low:high]
        n, q = gate[:, :HIDDEN], gate[:, 3 * HIDDEN:]
        gate[:] = self.bias
        gate[:, :3 * HIDDEN].addmm_(self.x[low:high], self.w_ih.t())
        gate[:, HIDDEN:].addmm_(h, self.w_hh.t())
        gate[:, HIDDEN:3 * HIDDEN].sigmoid_()
        n.addcmul_(gate[:, HIDDEN:2 * HIDDEN], q).tanh_()
        return torch.lerp(n, h, gate[:, 2 * HIDDEN:3 * HIDDEN], out=self.h1[low:high])

    def factors(self, low, high):
        """What d loss / d h is to be multiplied with: all that does not wait for a gradient."""
        n, r, z, q = self.gate[low:high].view(-1, 4, HIDDEN).unbind(1)
        fn, fr, fz, fq = self.grad[low:high].view(-1, 4, HIDDEN).unbind(1)
        one = 1 - z
        torch.mul(one, torch.addcmul(torch.ones(1), n, n, value=-1), out=fn)
        torch.mul((self.h0[low:high] - n).mul_(z), one, out=fz)
        torch.mul(fn, r, out=fq)
        torch.mul(fq * q, 1 - r, out=fr)

    def back(self, low, high, dh):
        """From d loss / d h after a step to that before it."""
        grad = self.grad[low:high]
        wide = grad.view(-1, 4, HIDDEN)
        torch.mul(dh.unsqueeze(1), wide, out=wide)
        z = self.gate[low:high, 2 * HIDDEN:3 * HIDDEN]
        return torch.mul(dh, z).addmm_(grad[:, HIDDEN:], self.w_hh)

    def back_input(self, low, high):
        return self.grad[low:high, :3 * HIDDEN] @ self.w_ih

    def descend(self, rows, lr):
        grad = self.grad[:rows]
        self.w_ih.addmm_(grad[:, :3 * HIDDEN].t(), self.x[:rows], alpha=-lr)
        self.w_hh.addmm_(grad[:, HIDDEN:].t(), self.h0[:rows], alpha=-lr)
        # Of r and z there are two biases with the same gradient: their sum moves twice as far.
        step = grad.sum(0)
        step[HIDDEN:3 * HIDDEN] *= 2
        self.bias.sub_(step, alpha=lr)


class ByHand:
    def __init__(self, network):
        self.encoder = Gru(list(network.encoder.parameters()))
        self.decoder = Gru(list(network.cell.parameters()))
        self.w_out, self.b_out = (p.detach().clone() for p in network.out.parameters())

    def weights(self):
        return [w for g in (self.encoder, self.decoder) for w in (g.w_ih, g.w_hh, g.bias)] + [
            self.w_out, self.b_out]

    def decode(self, batch, t, token, low):
        """Puts the inputs of decoder step t into its rows."""
        high = low + batch.active[t]
        x = self.decoder.x[low:high]
        torch.max(token[:high - low], token[:high - low] * 0.01, out=x)  # LeakyReLU
        return high

    @torch.no_grad()
    def score(self, batch):
        """Forward only: every step in the same rows, which stay in the cache."""
        e, d, B, row = self.encoder, self.decoder, batch.count, batch.row
        e.reserve(B)
        d.reserve(B)
        h = [torch.zeros(B, HIDDEN), torch.empty(B, HIDDEN)]
        for s in range(INPUTS):
            e.x[:B] = batch.x[s]
            h[0].copy_(e.step(0, B, h[0]))
        output = torch.empty(row[-1], FEATURES)
        token = batch.y[:B]
        state = h[0]
        for t, n in enumerate(batch.active):
            self.decode(batch, t, token, 0)
            d.h1 = h[(t + 1) % 2]
            state = d.step(0, n, state[:n])
            token = torch.addmm(self.b_out, state, self.w_out.t(), out=output[row[t]:row[t + 1]])
        d.h1 = torch.empty(d.room, HIDDEN)
        return mean_scores(batch, output)

    @torch.no_grad()
    def train(self, batch, lr):
        e, d, B, row = self.encoder, self.decoder, batch.count, batch.row
        rows = row[-1]
        e.reserve(INPUTS * B)
        d.reserve(rows)
        e.x[:INPUTS * B] = batch.x.view(INPUTS * B, FEATURES)
        h = torch.zeros(B, HIDDEN)
        for s in range(INPUTS):
            low, high = s * B, (s + 1) * B
            e.h0[low:high] = h
            h = e.step(low, high, h)
        output = torch.empty(rows, FEATURES)
        token = batch.y[:B]
        for t, n in enumerate(batch.active):
            low = row[t]
            high = self.decode(batch, t, token, low)
            d.h0[low:high] = h[:n]
            h = d.step(low, high, h[:n])
            token = torch.addmm(self.b_out, h, self.w_out.t(), out=output[low:high])

        error = output - batch.y
        loss = error.square().sum() / (FEATURES * B)
        error.mul_(2 / (FEATURES * B))
        slope = torch.where(output > 0, 1.0, 0.01)
        dh = dtoken = None
        ready = rows  # rows from here on have their factors
        for t in reversed(range(len(batch.active))):
            low, high = row[t], row[t + 1]
            if low < ready:  # some steps at once: few calls, and still in the cache
                first = t
                while first and ready - row[first - 1] <= 256:
                    first -= 1
                d.factors(row[first], ready)
                ready = row[first]
            if dtoken is not None:
                k = dtoken.shape[0]
                error[low:low + k].addcmul_(dtoken, slope[low:low + k])
            g = error[low:high] @ self.w_out
            if dh is not None:
                g[:dh.shape[0]] += dh
            dh = d.back(low, high, g)
            if t:
                dtoken = d.back_input(low, high)
        e.factors(0, INPUTS * B)
        for s in reversed(range(INPUTS)):
            dh = e.back(s * B, (s + 1) * B, dh)
        self.w_out.addmm_(error.t(), d.h1[:rows], alpha=-lr)
        self.b_out.sub_(error.sum(0), alpha=lr)
        d.descend(rows, lr)
        e.descend(INPUTS * B, lr)
        return loss


# ---- the recommended recipe ----------------------------------------------------------------------

NUMBER, FLAG, CLASS = 0, 1, 2


def read_targets(path):
    """What `bench recommended out=` wrote: groups (kind, first, count) and a list of arrays."""
    with open(path, "rb") as f:
        rows, count, features, groups = (int(v) for v in np.fromfile(f, "<u8", 4))
        group = np.fromfile(f, "<u8", 3 * groups).astype(np.int64).reshape(-1, 3).tolist()
        start = np.fromfile(f, "<u8", count + 1).astype(np.int64)
        y = np.fromfile(f, "<f4", rows * features).reshape(-1, features)
    return group, [y[start[i]:start[i + 1]] for i in range(count)]


class LikelihoodBatch:
    """Packed sequences: the packets before each target, and the targets as the losses want them."""

    def __init__(self, sequences, group):
        y = [torch.from_numpy(s.copy()) for s in sequences]
        before = [functional.leaky_relu(torch.cat([torch.zeros(1, s.shape[1]), s[:-1]])) for s in y]
        pack = torch.nn.utils.rnn.pack_sequence
        self.count = len(y)
        self.x = pack(before, enforce_sorted=False)
        rows = pack(y, enforce_sorted=False).data
        self.target = []
        for kind, first, count in group:
            part = rows[:, first:first + count]
            if kind == CLASS:  # a category that the codec does not know has no 1: nothing is learned
                part = torch.where(part.sum(1) > 0, part.argmax(1), torch.tensor(-100))
            self.target.append(part.contiguous())

    def __len__(self):
        return self.x.data.shape[0]


def recommended_trainer(group, features):
    gru, out = nn.GRU(features, 64), nn.Linear(64, features)
    weights = list(gru.parameters()) + list(out.parameters())
    optimiser = torch.optim.SGD(weights, lr=0.1, momentum=0.9, foreach=True)

    def step(batch):
        optimiser.zero_grad(set_to_none=True)
        output = out(gru(batch.x)[0].data)
        loss = 0
        for (kind, first, count), target in zip(group, batch.target):
            v = output[:, first:first + count]
            if kind == NUMBER:
                loss = loss + 0.5 * (v - target).square().sum()
            elif kind == FLAG:
                loss = loss + functional.binary_cross_entropy_with_logits(v, target, reduction="sum")
            else:
                loss = loss + functional.cross_entropy(v, target, ignore_index=-100, reduction="sum")
        loss = loss / batch.count
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1)
        optimiser.step()
        return loss.detach()
    return step


def train_recommended(option):
    """Times whole passes, batches made beforehand."""
    group, sequences = read_targets(option["data"])
    work = [LikelihoodBatch(sequences[i:i + 32], group) for i in range(0, len(sequences) - 31, 32)]
    step = recommended_trainer(group, sequences[0].shape[1])
    first = step(max(work, key=len)).item()
    passes, begin = 0, now()
    while passes == 0 or now() - begin < float(option["seconds"]):
        for w in work:
            last = step(w)
        passes += 1
    seconds = now() - begin
    print("work=train variant=recommended batch=32 threads=%d passes=%d seconds=%.4f "
          "packet_steps_per_s=%.0f first_loss=%.3f last_loss=%.3f" % (
              torch.get_num_threads(), passes, seconds, passes * sum(map(len, work)) / seconds,
              first, last.item()))


# ---- all forms agree -----------------------------------------------------------------------------

def check():
    """Every form against autograd over the cell: weights after a step, and scores."""
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    batch = Batch([rng.standard_normal((n, FEATURES), np.float32) for n in (9, 4, 6, 6, 5)])
    plain = Network()
    start = {k: v.clone() for k, v in plain.state_dict().items()}
    hand = ByHand(plain)
    score = script_scorer(plain)(batch)
    worst = (hand.score(batch) - score).abs().max().item()
    loss = autograd_trainer(0.5, False, plain)(batch)
    worst = max(worst, abs(hand.train(batch, 0.5) - loss).item())
    compiled = Network()
    compiled.load_state_dict(start)
    autograd_trainer(0.5, True, compiled)(batch)
    for form, other in ((ByHand(plain).weights(), hand.weights()),
                        (plain.weights(), compiled.weights())):
        for a, b in zip(form, other):
            worst = max(worst, (a - b).abs().max().item())
    moved = max((a - b).abs().max().item() for a, b in zip(plain.state_dict().values(),
                                                           start.values()))
    print("work=check largest_difference=%.1e largest_change=%.1e" % (worst, moved))
    if worst > 1e-5 or moved < 1e-2:
        sys.exit("peer_torch: the forms do not agree")


# ---- the linear algebra beneath -----------------------------------------------------------------

def blas():
    """The library whose matrix product this PyTorch calls, by what is mapped after one."""
    torch.mm(torch.ones(64, 64), torch.ones(64, 64))
    with open("/proc/self/maps") as maps:
        mapped = maps.read()
    for mark, name in (("libmkl", "MKL"), ("openblas", "OpenBLAS"), ("libblis", "BLIS"),
                       ("libatlas", "ATLAS"), ("libblas", "reference")):
        if mark in mapped:
            return name
    return "MKL" if torch.backends.mkl.is_available() else "unknown"


def check_blas():
    """Says which it is. Debian's python3-torch alone comes with the reference one, which is ten times
    slower than any of the others: a comparison with that would be worth nothing."""
    name = blas()
    print("work=blas blas=%s" % name)
    if name == "reference":
        sys.exit("peer_torch: this PyTorch multiplies with the reference BLAS, ten times slower than "
                 "others: apt-get install libopenblas0")


# ---- timing --------------------------------------------------------------------------------------

def main():
    mode = sys.argv[1] if len(sys.argv) > 1 else ""
    option = dict(batch="1", threads="1", sequences="1024", seconds="0.5", sorted="0", lr="1e-4",
                  variant="", data="")
    option.update(a.split("=", 1) for a in sys.argv[2:])
    torch.set_num_threads(int(option["threads"]))
    if mode == "check":
        return check()
    if mode == "blas":
        return check_blas()
    if mode not in ("train", "score"):
        sys.exit(__doc__)
    if option["variant"] == "recommended":
        return train_recommended(option)
    variant, size = option["variant"], int(option["batch"])
    lr = float(option["lr"])
    torch.manual_seed(1)
    sequences = read(option["data"], int(option["sequences"]))
    sequences = sequences[:len(sequences) // size * size]
    if option["sorted"] == "1":
        sequences.sort(key=len)
    if variant in ("notebook", "loop"):
        work = [(torch.from_numpy(s[:INPUTS].copy()), torch.from_numpy(s[INPUTS:].copy()))
                for s in sequences]
    else:
        work = [Batch(sequences[i:i + size]) for i in range(0, len(sequences), size)]
    hand = ByHand(Network())
    step = {"train notebook": lambda: notebook_trainer(lr),
            "train tuned": lambda: autograd_trainer(lr, True),
            "train cell": lambda: autograd_trainer(lr, False),
            "train script": lambda: autograd_trainer(lr, True),
            "train byhand": lambda: lambda batch: hand.train(batch, lr),
            "score loop": loop_scorer,
            "score script": script_scorer,
            "score byhand": lambda: hand.score}[mode + " " + variant]()

    largest = max(work, key=lambda w: w[1].shape[0] if isinstance(w, tuple) else w.y.shape[0])
    step(largest)  # makes the buffers, and TorchScript compiles
    begin = now()
    for w in work:
        step(w)
        if now() - begin > 0.3:
            break
    passes, begin = 0, now()
    while passes == 0 or now() - begin < float(option["seconds"]):
        for w in work:
            step(w)
        passes += 1
    seconds = now() - begin
    steps = passes * sum(map(len, sequences))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak *= 1 if sys.platform == "darwin" else 1024
    print("work=%s variant=%s batch=%d threads=%d sequences=%d sorted=%s passes=%d seconds=%.4f "
          "iterations_per_s=%.2f sequences_per_s=%.1f packet_steps_per_s=%.0f peak_mb=%.1f" % (
              mode, variant, size, torch.get_num_threads(), len(sequences), option["sorted"],
              passes, seconds, passes * len(work) / seconds, passes * len(sequences) / seconds,
              steps / seconds, peak / 1e6))


main()
