# make shared && python3 examples/pktseq.py examples/data/normal_seqs.csv examples/data/mixed_seqs.csv
"""pktseq from Python: learn, score and watch through ctypes, on numpy's arrays without a copy. The
layout of the structs is parsed from pktseq.h.

    data = read("normal.csv")                     # packets as rows of features: data.x, data.start
    model = learn(data, hidden=64, iterations=2000)
    model.fit(data)                               # learns normal scores: model.threshold
    alarms = model.score(other) > model.threshold
    watch = model.watch()
    for row in packets:                           # one packet at a time
        score = watch.push(row)                   # None for the input packets
"""
import ctypes as c
import os
import re
import sys
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
OPAQUE = 4096  # bytes to reserve after the last field that can be parsed; larger than any struct


def find(what, *places):
    for place in filter(None, places):
        if os.path.exists(place):
            return place
    raise OSError("no %s in %s" % (what, ", ".join(filter(None, places))))


LIB = c.CDLL(find("library", os.environ.get("PKTSEQ_LIBRARY"), HERE + "/../build/libpktseq.so",
                  HERE + "/../../lib/libpktseq.so", "/usr/local/lib/libpktseq.so"))
HEADER = open(find("header", os.environ.get("PKTSEQ_HEADER"), HERE + "/../pktseq.h",
                   HERE + "/../../include/pktseq.h", "/usr/local/include/pktseq.h")).read()
PLAIN = {"size_t": c.c_size_t, "int": c.c_int, "double": c.c_double, "char": c.c_char,
         "unsigned char": c.c_ubyte, "uint64_t": c.c_uint64, "uint32_t": c.c_uint32,
         "pktseq_real": c.c_float}


def struct(name):
    """Returns a struct as pktseq.h declares it, up to the first field that needs a C compiler."""
    if name in PLAIN:
        return PLAIN[name]
    if re.search(r"^\} %s;" % name, HEADER, re.M) and "typedef enum %s {" % name in HEADER:
        return PLAIN.setdefault(name, c.c_int)
    body = re.search(r"^typedef struct %s \{\n(.*?)^\} %s;" % (name, name), HEADER, re.M | re.S)
    if not body or "#" in re.sub(r"//.*", "", body.group(1)):
        return None
    fields = []
    for text in re.sub(r"//.*|\bconst\b", "", body.group(1)).split(";"):
        call = re.match(r"\s*[\w *]+\(\*(\w+)\)\s*\(", text)
        words = re.match(r"\s*((?:unsigned |struct )?\w+)\s+(.*)", text, re.S)
        if call:
            fields.append((call.group(1), c.c_void_p))
        for one in words.group(2).split(",") if words and not call else []:
            stars, field, size = re.match(r"\s*([* ]*)(\w+)(?:\[(\w+)\])?", one).groups()
            if size and not size.isdigit():
                size = re.search(r"(?:#define %s|\b%s =) (\d+)" % (size, size), HEADER).group(1)
            kind = c.c_void_p if "*" in stars else struct(words.group(1))
            if kind is None:
                fields.append(("opaque", c.c_ubyte * OPAQUE))
                return PLAIN.setdefault(name, type(name, (c.Structure,), {"_fields_": fields}))
            fields.append((field, kind * int(size) if size else kind))
    return PLAIN.setdefault(name, type(name, (c.Structure,), {"_fields_": fields}))


def value(function, *arguments):
    """Calls a function that returns a struct, such as the defaults of options."""
    kind = re.search(r"^PKTSEQ_DEF (\w+) %s\(" % function, HEADER, re.M).group(1)
    call = getattr(LIB, function)
    call.restype = struct(kind)
    return call(*arguments)


def must(function, *arguments, err=True):
    """Calls a function that returns a status; raises pktseq's message if it is not OK."""
    error = struct("pktseq_error")()
    status = getattr(LIB, function)(*arguments, *([c.byref(error)] if err else []))
    if status:
        raise ValueError(error.text.decode() or "%s: status %d" % (function, status))


class Owner:
    """Owns structs that the library fills, and has it free them."""
    def new(self, name):
        made = struct(name)()
        self.__dict__.setdefault("owned", []).append((name, made))
        return made

    def __del__(self):
        for name, made in reversed(self.__dict__.get("owned", [])):
            getattr(LIB, name + "_free")(c.byref(made))


def array(address, shape, kind, keep):
    """Returns a view of C memory that keeps `keep` alive."""
    memory = ((kind * int(np.prod(shape))) if address else kind * 0).from_address(address or id(keep))
    memory.keep = keep
    return np.frombuffer(memory, kind).reshape(shape)


class Data(Owner):
    """Packets x (rows, D) float32 in sequences: sequence i has the rows start[i] .. start[i+1]-1.
    inputs: the first packets of each that are read but not predicted."""
    def __init__(self, x=None, start=None, inputs=0, table=None, codec=None):
        options = value("pktseq_dataset_options_default")
        options.inputs, options.start = inputs, 1  # PKTSEQ_START_INPUT: an honest forecast
        self.dataset, self.codec = self.new("pktseq_dataset"), codec
        if table is not None:
            must("pktseq_dataset_init", c.byref(self.dataset), c.byref(codec.codec),
                 c.byref(table), c.byref(options), None)
            rows, features = self.dataset.rows, getattr(self.dataset, "in")
            if self.dataset.x:
                self.x = array(self.dataset.x, (rows, features), c.c_float, self)
                return
            self.x = np.empty((rows, features), np.float32)  # the library has packed rows
            for row in range(rows):
                must("pktseq_dataset_dense", c.byref(self.dataset), c.c_size_t(row),
                     c.c_void_p(self.x.ctypes.data + row * features * 4), None, err=False)
            return
        if x.dtype != np.float32 or not x.flags.c_contiguous or x.ndim != 2:
            raise ValueError("expected a C-contiguous float32 array (rows, features)")
        self.x, self.start = x, np.ascontiguousarray(start, c.c_size_t)
        if len(self.start) < 2 or self.start[-1] > len(x):
            raise ValueError("start: expected the first row of each sequence, and the number of rows")
        must("pktseq_dataset_wrap", c.byref(self.dataset), c.c_void_p(x.ctypes.data),
             c.c_size_t(x.shape[1]), c.c_void_p(x.ctypes.data), c.c_size_t(x.shape[1]),
             c.c_void_p(self.start.ctypes.data), c.c_size_t(len(self.start) - 1),
             c.byref(options), None)

    def __len__(self):
        return self.dataset.pairs


class Codec(Owner):
    def __init__(self):
        self.codec = self.new("pktseq_codec")


def read(path, codec=None, inputs=0):
    """Reads a CSV file as Data, encoded by `codec` (Data.codec, Model.codec) or by a new one."""
    owner, schema = Owner(), value("pktseq_schema_recommended", c.c_int(1))
    table = owner.new("pktseq_table")
    must("pktseq_table_read", c.byref(table), os.fsencode(path), c.byref(schema), None)
    if codec is None:
        codec = Codec()
        must("pktseq_codec_fit", c.byref(codec.codec), c.byref(table), c.byref(schema), None)
    return Data(table=table, codec=codec, inputs=inputs)


class Model(Owner):
    def __init__(self, codec=None):
        self.model, self.codec = self.new("pktseq_model"), codec
        self.training, self.detector = self.new("pktseq_training"), self.new("pktseq_detector")

    @property
    def threshold(self):
        return self.detector.threshold

    @property
    def weights(self):
        return array(self.model.block, (self.model.parameters,), c.c_float, self)

    @property
    def losses(self):
        return array(self.training.loss, (self.training.losses,), c.c_double, self).copy()

    def fit(self, data, **settings):
        """Learns the scores of normal traffic; settings: fields of pktseq_detector_options."""
        if self.codec:
            weight = (c.c_double * 4096)()
            options = value("pktseq_detector_options_recommended", c.byref(self.codec.codec), weight)
        else:
            options = struct("pktseq_detector_options")()
            options.one_step_ahead = 1
        for name, setting in settings.items():
            setattr(options, name, setting)
        LIB.pktseq_detector_free(c.byref(self.detector))
        must("pktseq_detector_init", c.byref(self.detector), c.byref(self.model),
             c.c_size_t(data.dataset.contexts), c.byref(options), None)
        must("pktseq_detector_fit", c.byref(self.detector), c.byref(self.model),
             c.byref(data.dataset), c.c_int(0))
        return self

    def score(self, data):
        out = np.empty(len(data))
        must("pktseq_detector_score_all", c.byref(self.detector), c.byref(self.model),
             c.byref(data.dataset), c.c_int(0), c.c_void_p(out.ctypes.data))
        return out

    def watch(self):
        return Watch(self)

    def save(self, path):
        must("pktseq_save", c.byref(self.model),
             c.byref(self.codec.codec) if self.codec else None, c.byref(self.training),
             c.byref(self.detector) if self.detector.memory else None, os.fsencode(path))


def learn(data, hidden=64, iterations=2000, seed=1, progress=None, **settings):
    """Trains a model as train --recommended does; settings: any field of pktseq_train_config.
    progress(iteration, loss) may return True to stop."""
    made, config = Model(data.codec), value("pktseq_config_default", c.byref(data.dataset))
    config.hidden, config.loss = hidden, 1 if data.codec else 0  # PKTSEQ_LOSS_NLL, _MSE
    must("pktseq_model_init", c.byref(made.model), c.byref(config), c.c_uint64(seed), None)
    train = value("pktseq_train_config_default")
    train.iterations, train.batch, train.learning_rate = iterations, 32, 0.1
    train.momentum, train.clip, train.teacher_forcing, train.order = 0.9, 1, 1, 1
    for name, setting in settings.items():
        setattr(train, name, setting)
    callback = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(struct("pktseq_progress")))(
        lambda _, p: bool(progress(p.contents.iteration, p.contents.loss)))
    train.progress = c.cast(callback, c.c_void_p) if progress else None
    try:
        must("pktseq_train", c.byref(made.model), c.byref(data.dataset), c.byref(train),
             c.byref(made.training))
    except ValueError:
        if not progress or not made.training.iteration:
            raise
    return made


def load(path):
    codec = Codec()
    made = Model(codec)
    must("pktseq_load", c.byref(made.model), c.byref(codec.codec), c.byref(made.training),
         c.byref(made.detector), os.fsencode(path), None)
    made.codec = codec if codec.codec.field_count else None
    return made


class Watch(Owner):
    """Scores one sequence, packet by packet."""
    def __init__(self, model):
        self.model, self.stream = model, self.new("pktseq_stream")
        must("pktseq_stream_init", c.byref(self.stream), c.byref(model.model),
             c.byref(model.detector), None)

    def push(self, x, context=None):
        x = np.ascontiguousarray(x, np.float32)
        config = self.model.model.config
        if not x.size == getattr(config, "in") == config.out:
            raise ValueError("%d features, expected %d, all of them to be predicted" %
                             (x.size, config.out))
        seen = None if context is None else np.ascontiguousarray(context, np.float32)
        must("pktseq_stream_push", c.byref(self.stream), c.c_void_p(x.ctypes.data),
             c.c_void_p(x.ctypes.data), c.c_void_p(seen.ctypes.data) if context is not None else None,
             err=False)
        score = c.c_double()
        return None if LIB.pktseq_stream_score(c.byref(self.stream), c.byref(score)) else score.value

    def reset(self):
        LIB.pktseq_stream_reset(c.byref(self.stream))


if __name__ == "__main__":
    normal = read(sys.argv[1])
    made = learn(normal, iterations=1000, progress=lambda i, loss: i % 250 == 0 and
                 print("iteration %4d   loss %.3f" % (i, loss))).fit(normal)
    score = made.score(read(sys.argv[2], made.codec))
    print("%d of %d sequences lie above %.3f" % ((score > made.threshold).sum(), len(score),
                                                made.threshold))
