#!/usr/bin/env python3
"""Trains the same network on the same packets with PyTorch and with pktseq, side by side.

Run from the repository root, after `make` (or simply `make torch`):
    python3 tests/compare_torch.py [--train ./train] [--iterations N] [DATA.csv]

PyTorch gets the reference notebooks' modules, encoding and training function; both start from the
same weights, which travel as a safetensors file, and take the sequences in the file's order, in
float32. Compared are the loss of every iteration and, at the end, every weight. DATA.csv must have
the seven protocols of the reference; without it a few hundred sequences are made up. The last line
is PASS or FAIL. Ends with 77 where PyTorch or pandas is missing.
"""
import argparse
import csv
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import pandas as pd
    import torch
    import torch.nn as nn
    import torch.optim as optim
except ImportError as missing:
    print("SKIPPED: this python3 has no", missing.name)
    sys.exit(77)

LOSS_TOLERANCE = 1e-5  # relative
WEIGHT_TOLERANCE = 1e-5  # absolute
CHANGE_TOLERANCE = 0.01  # of how far training has moved a tensor, so that a gradient must be right
PROTOCOLS = ["TCP", "TELNET", "SMTP", "HTTP", "SSHv1", "IRC", "POP"]
FLAGS = ["res", "ns", "cwr", "ecn", "urg", "ack", "push", "reset", "syn", "fin"]
PORT_TYPES = ["well_known", "registered", "dynamic"]
FEATURES = (["timestamp", "length"] + FLAGS + ["protocol-" + p for p in PROTOCOLS]
            + ["%s_port_type-%s" % (side, t) for side in ("src", "dst") for t in PORT_TYPES])


def make_csv(path):
    """A few hundred conversations: 4 to 320 packets, ten on average, ports of every class."""
    draw = random.Random(1999)
    time, number = 37294.0, 0
    with open(path, "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["position", "No.", "timestamp", "src_ip", "dst_ip", "protocol", "length",
                      "src_port", "dst_port"] + FLAGS)
        for sequence in range(300):
            packets = 320 if sequence == 150 else min(320, 4 + int(draw.expovariate(1 / 6)))
            protocol = PROTOCOLS[draw.randrange(7)]
            client = draw.choice([1024, 5000, 32768, 49151, 49152, 65535])
            server = draw.choice([23, 25, 80, 110, 1023, 6667])
            for position in range(packets):
                number += 1
                time += draw.expovariate(1 / 0.3)
                out.writerow(
                    [position, number, "%.6f" % time, "192.168.1.%d" % (sequence % 250),
                     "172.16.112.%d" % (sequence % 200), protocol if position > 2 else "TCP",
                     60 if position < 3 else draw.randrange(60, 1515)]
                    + ([server, client] if position % 2 else [client, server])
                    + [int(draw.random() < 0.02) for _ in range(5)]
                    + [int(position > 0), draw.randrange(2), int(draw.random() < 0.02),
                       int(position == 0), int(position == packets - 1)])


def encode_numeric_zscore(data, name):
    data[name] = (data[name] - data[name].mean()) / data[name].std()


def encode_text_dummy(data, name):
    dummies = pd.get_dummies(data[name])
    for x in dummies.columns:
        data["%s-%s" % (name, x)] = dummies[x]
    data.drop(name, axis=1, inplace=True)


def read_pairs(path):
    """The notebook's cells: 25 features, (first three packets, the rest), the last one left out."""
    data = pd.read_csv(path, delimiter=",", header=0)
    data = data.filter(items=["position", "timestamp", "protocol", "length", "src_port", "dst_port"]
                       + FLAGS)
    for side in ("src_port", "dst_port"):
        kind = side + "_type"
        data[kind] = "registered"
        data.loc[data[side] < 1024, kind] = "well_known"
        data.loc[data[side] > 49151, kind] = "dynamic"
    data = data.drop(["src_port", "dst_port"], axis=1)
    encode_numeric_zscore(data, "timestamp")
    encode_numeric_zscore(data, "length")
    encode_text_dummy(data, "protocol")
    for side in ("src_port", "dst_port"):
        encode_text_dummy(data, side + "_type")
        data[side + "_type-dynamic"] = 0
    data.dropna(inplace=True, axis=1)
    lacking = [name for name in FEATURES if name not in data.columns]
    if lacking:
        sys.exit("FAIL: %s does not give the reference's features %s" % (path, ", ".join(lacking)))
    points = np.flatnonzero(data["position"].to_numpy() == 0)
    x = torch.tensor(data[FEATURES].to_numpy(dtype=float), dtype=torch.float)
    return [(x[a:a + 3], x[a + 3:b]) for a, b in zip(points[:-1], points[1:]) if b - a > 3]


class Encoder(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.gru = nn.GRU(input_size, hidden_size)

    def forward(self, input_token, hidden_state):
        return self.gru(input_token.unsqueeze(0).unsqueeze(0), hidden_state)

    def init_hidden(self):
        return torch.zeros(1, 1, self.hidden_size)


class Decoder(nn.Module):
    def __init__(self, hidden_size, output_size):
        super().__init__()
        self.gru = nn.GRU(output_size, hidden_size)
        self.out = nn.Linear(hidden_size, output_size)
        self.relu = nn.LeakyReLU()

    def forward(self, input_token, hidden_state):
        output = self.relu(input_token.unsqueeze(0).unsqueeze(0))
        output, hidden_state = self.gru(output, hidden_state)
        return self.out(output[0]), hidden_state


def train(input_tensor, target_tensor, encoder, decoder, encoder_optimizer, decoder_optimizer,
          criterion):
    """One iteration of the notebook, whose teacher forcing ratio is 0."""
    encoder_hidden = encoder.init_hidden()
    encoder_optimizer.zero_grad()
    decoder_optimizer.zero_grad()
    loss = 0
    for ei in range(input_tensor.size(0)):
        _, encoder_hidden = encoder(input_tensor[ei], encoder_hidden)
    decoder_input = target_tensor[0]
    decoder_hidden = encoder_hidden
    for di in range(target_tensor.size(0)):
        decoder_output, decoder_hidden = decoder(decoder_input, decoder_hidden)
        decoder_input = decoder_output.squeeze()
        loss = loss + criterion(decoder_output, target_tensor[di].unsqueeze(0))
    loss.backward()
    encoder_optimizer.step()
    decoder_optimizer.step()
    return loss.item() / target_tensor.size(0)


def state_of(encoder, decoder):
    """All weights under the names of a checkpoint, in its order."""
    state = {"encoder." + k: v for k, v in encoder.state_dict().items()}
    state.update({"decoder." + k: v for k, v in decoder.state_dict().items()})
    return {k: v.detach().numpy().copy() for k, v in state.items()}


def write_safetensors(path, state):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, a in state.items():
        header[name] = {"dtype": "F32", "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for a in state.values():
            f.write(a.astype("<f4").tobytes())


def read_safetensors(path):
    with open(path, "rb") as f:
        raw = f.read()
    size, = struct.unpack("<Q", raw[:8])
    header, state = json.loads(raw[8:8 + size]), {}
    for name, entry in header.items():
        if name != "__metadata__":
            a, b = entry["data_offsets"]
            numbers = np.frombuffer(raw[8 + size + a:8 + size + b], dtype="<f4")
            state[name] = torch.tensor(numbers.reshape(entry["shape"]).copy())
    return state


def run_pktseq(binary, data, state, iterations, folder):
    """Trains with pktseq; returns its losses and its weights."""
    init, out = os.path.join(folder, "init.safetensors"), os.path.join(folder, "run")
    write_safetensors(init, state)
    subprocess.run([binary, "--notebook", "--order", "file", "--iterations", str(iterations),
                    "--init", init, "--out", out, "--print-every", "1", "--plot-every", "1",
                    "--threads", "1", "--quiet", data], check=True)
    with open(os.path.join(out, "loss.csv"), newline="") as f:
        rows = list(csv.DictReader(f))
    if [int(row["iteration"]) for row in rows] != list(range(1, iterations + 1)):
        sys.exit("FAIL: loss.csv does not hold iterations 1 to %d" % iterations)
    return ([float(row["loss"]) for row in rows],
            read_safetensors(os.path.join(out, "model.safetensors")))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", nargs="?", help="packets; made up if not given")
    parser.add_argument("--train", default="./train", help="pktseq's trainer (./train)")
    parser.add_argument("--iterations", type=int, default=200)
    args = parser.parse_args()
    if not os.access(args.train, os.X_OK):
        sys.exit("FAIL: there is no %s; `make` builds it" % args.train)
    torch.set_num_threads(1)
    torch.manual_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        data = args.data
        if not data:
            data = os.path.join(folder, "made_up.csv")
            make_csv(data)
        pairs = read_pairs(data)
        encoder, decoder = Encoder(len(FEATURES), 256), Decoder(256, len(FEATURES))
        encoder_optimizer = optim.SGD(encoder.parameters(), lr=1e-4)
        decoder_optimizer = optim.SGD(decoder.parameters(), lr=1e-4)
        criterion = nn.MSELoss()
        first = state_of(encoder, decoder)
        ours, state = run_pktseq(args.train, data, first, args.iterations, folder)
    theirs = [train(*pairs[i % len(pairs)], encoder, decoder, encoder_optimizer, decoder_optimizer,
                    criterion) for i in range(args.iterations)]

    print("PyTorch %s, %d sequences, hidden 256, learning rate 1e-4, float32"
          % (torch.__version__, len(pairs)))
    print("\niteration   PyTorch's loss   pktseq's loss   relative difference")
    off = [abs(a - b) / abs(a) for a, b in zip(theirs, ours)]
    for i in range(args.iterations):
        if (i + 1) % 20 == 0 or i == 0:
            print("%9d %16.9f %15.9f   %.1e" % (i + 1, theirs[i], ours[i], off[i]))
    print("  largest %50.1e" % max(off))

    print("\nweights                      largest change   largest difference")
    last, alike = state_of(encoder, decoder), True
    for name, a in last.items():
        b = state[name].numpy()
        d = float(np.abs(a - b).max()) if a.shape == b.shape else float("inf")
        change = float(np.abs(a - first[name]).max())
        alike = alike and d <= WEIGHT_TOLERANCE and d <= CHANGE_TOLERANCE * change
        print("%-28s %14.1e %20.1e" % (name, change, d))
    # The checkpoint is a state_dict, once the prefix is off.
    for module, prefix in ((encoder, "encoder."), (decoder, "decoder.")):
        module.load_state_dict({k[len(prefix):]: v for k, v in state.items()
                                if k.startswith(prefix)}, strict=True)
    print("model.safetensors loads with strict=True")

    good = alike and all(d <= LOSS_TOLERANCE for d in off) and set(state) == set(last)
    print("PASS" if good else "FAIL")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
