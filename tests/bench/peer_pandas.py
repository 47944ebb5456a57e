#!/usr/bin/env python3
"""Times reading and encoding a CSV file of packets with pandas.

    python3 peer_pandas.py csv=week.csv [variant=notebook|lean]

notebook   as the reference does: all columns read, z-scores, dummies of protocol and port classes
lean       the same features: only the columns needed, small types, one array of float32

Neither cuts the rows into sequences, which in the reference is a Python loop over all of them and
takes far longer than this.
"""
import resource
import sys
import time
import warnings

import numpy as np
import pandas as pd

FLAGS = ["res", "ns", "cwr", "ecn", "urg", "ack", "push", "reset", "syn", "fin"]
PROTOCOLS = ["TCP", "TELNET", "SMTP", "HTTP", "SSHv1", "IRC", "POP"]


def notebook(path):
    table = pd.read_csv(path, delimiter=",", header=0)
    read = time.perf_counter()
    table = table.filter(items=["position", "timestamp", "protocol", "length", "src_port",
                                "dst_port"] + FLAGS)
    for port in ("src_port", "dst_port"):
        kind = port + "_type"
        table[kind] = ""
        table[kind][table[port] < 1024] = "well_known"
        table[kind][table[port] > 49151] = "dynamic"
        table[kind][table[kind] == ""] = "registered"
    table = table.drop(["src_port", "dst_port"], axis=1)
    for name in ("timestamp", "length"):
        table[name] = (table[name] - table[name].mean()) / table[name].std()
    for name in ("protocol", "src_port_type", "dst_port_type"):
        dummies = pd.get_dummies(table[name])
        for category in dummies.columns:
            table["%s-%s" % (name, category)] = dummies[category]
        table.drop(name, axis=1, inplace=True)
    table["src_port_type-dynamic"] = 0
    table["dst_port_type-dynamic"] = 0
    table.dropna(inplace=True, axis=1)
    return read, table.shape[0], table.shape[1] - 1


def lean(path):
    types = {"position": np.int32, "timestamp": np.float64, "protocol": "category",
             "length": np.int32, "src_port": np.int32, "dst_port": np.int32}
    types.update((flag, np.int8) for flag in FLAGS)
    table = pd.read_csv(path, usecols=list(types), dtype=types)
    read = time.perf_counter()
    x = np.zeros((len(table), 25), np.float32)
    for i, name in enumerate(("timestamp", "length")):
        value = table[name].to_numpy(np.float64)
        x[:, i] = (value - value.mean()) / value.std(ddof=1)
    x[:, 2:12] = table[FLAGS].to_numpy()
    code = table["protocol"].cat.codes.to_numpy()
    column = np.array([PROTOCOLS.index(c) for c in table["protocol"].cat.categories])
    x[np.arange(len(table)), 12 + column[code]] = 1
    for first, name in ((19, "src_port"), (22, "dst_port")):
        port = table[name].to_numpy()
        x[:, first] = port < 1024
        x[:, first + 1] = (port >= 1024) & (port <= 49151)
    return read, x.shape[0], x.shape[1]


def main():
    option = dict(csv="", variant="notebook")
    option.update(a.split("=", 1) for a in sys.argv[1:])
    warnings.filterwarnings("ignore")
    begin = time.perf_counter()
    read, rows, features = {"notebook": notebook, "lean": lean}[option["variant"]](option["csv"])
    end = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak *= 1 if sys.platform == "darwin" else 1024
    print("work=load variant=%s rows=%d features=%d read_s=%.4f encode_s=%.4f seconds=%.4f "
          "peak_mb=%.1f" % (option["variant"], rows, features, read - begin, end - read,
                            end - begin, peak / 1e6))


main()
