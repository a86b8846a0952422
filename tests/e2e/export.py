# SPDX-License-Identifier: MIT
"""export.py - models for other programs. The structure of an ONNX file is checked with a reader of
its own; what it computes, by onnxruntime, where SCTRUN_TORCH_PYTHON names a Python that has it."""
from e2e import *

PYTHON = os.environ.get("SCTRUN_TORCH_PYTHON", "")


# ---- protobuf, as far as needed: wire types 0 (varint), 2 (bytes), 5 (32 bits) ----

def varint(raw, at):
    value = shift = 0
    while True:
        value |= (raw[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if raw[at - 1] < 128:
            return value, at


def message(raw):
    """field number -> list of its values."""
    at, out = 0, {}
    while at < len(raw):
        key, at = varint(raw, at)
        if key & 7 == 0:
            value, at = varint(raw, at)
        elif key & 7 == 2:
            n, at = varint(raw, at)
            value, at = raw[at:at + n], at + n
        else:
            equal(key & 7, 5, "wire type")
            value, at = struct.unpack_from("<f", raw, at)[0], at + 4
        out.setdefault(key >> 3, []).append(value)
    return out


def onnx(path):
    """(model, nodes, initializers by name, inputs, outputs) with their shapes."""
    m = message(read(path))
    g = message(m[7][0])
    nodes = []
    for n in map(message, g[1]):
        attrs = {a[1][0].decode(): a for a in map(message, n.get(5, []))}
        nodes.append((n[4][0].decode(), [x.decode() for x in n.get(1, [])],
                      [x.decode() for x in n[2]], attrs))
    init = {t[8][0].decode(): t for t in map(message, g[5])}
    ends = []
    for field in (11, 12):
        info = message(g[field][0])
        tensor = message(message(info[2][0])[1][0])
        dims = [message(d) for d in message(tensor[2][0])[1]]
        ends.append((info[1][0].decode(), [d[1][0] if 1 in d else d[2][0].decode()
                                           for d in dims]))
    return m, nodes, init, ends[0], ends[1]


def setup():
    model()
    base()
    vtab()
    return ["--model", "tiny.yaml", "--weights", "base.safetensors"]


def trained(strategy, *args):
    """An adapter whose added weights are far from their start."""
    sctrun("train", *setup(), "--data", "data", "--strategy", strategy, *args, "--epochs", 3,
           "--batch-size", 8, "--lr", 0.05, "--eval-interval", 0, "--output", "run")
    return ["--adapter", "run/last", "--weights", "base.safetensors"]


@test
def onnx_structure():
    args = setup()
    out = sctrun("export", *args, "--output", "out").out.strip()
    equal(out, "out/model.onnx")
    m, nodes, init, source, result = onnx(out)
    equal(m[1], [9], "IR version")
    equal(message(m[8][0])[2], [20], "opset")
    equal(source, ("pixel_values", ["batch", 3, SIDE, SIDE]))
    equal(result, ("logits", ["batch", 10]))
    known, made = {"pixel_values", ""} | set(init), set()
    for op, ins, outs, _ in nodes:
        for name in ins:
            check(name in known, op, "reads", name, "before it is made")
        for name in outs:
            check(name and name not in known, op, "makes", name, "twice")
            known.add(name)
            made.add(name)
    check("logits" in made)
    for name, t in init.items():
        size = {1: 4, 6: 4, 7: 8}[t[2][0]]
        equal(len(t[9][0]), count(t.get(1, [])) * size, name)
    weights = load_tensors("base.safetensors")
    for name, (_, shape, values) in weights.items():
        matrix = name.endswith(".weight") and len(shape) > 1
        t = init[name + "_t" if matrix else name]
        found = struct.unpack("<%df" % len(values), t[9][0])
        if matrix:  # [out][in] there, [in][out] here
            rows, columns = shape[0], count(shape[1:])
            equal(t[1], [columns, rows], name)
            values = tuple(values[r * columns + c] for c in range(columns) for r in range(rows))
        equal(found, values, name)
    ops = [op for op, *_ in nodes]
    equal(ops.count("Softmax"), TINY["depth"])
    equal(ops.count("LayerNormalization"), 2 * TINY["depth"] + 1)
    norm = next(a for op, _, _, a in nodes if op == "LayerNormalization")
    close(norm["epsilon"][2][0], 1e-6)


@test
def onnx_of_an_adapter_is_the_adapted_model():
    args = trained("sct", "--set", "k=8")
    sctrun("export", *args, "--output", "out")
    m, nodes, init, _, result = onnx("out/model.onnx")
    equal(result, ("logits", ["batch", 3]))
    adapter = load_tensors("run/last/adapter_model.safetensors")
    for name, (kind, shape, values) in adapter.items():
        if kind == "F32" and len(shape) == 1:
            equal(init[name][9][0], floats(values), name)
    meta = {p[1][0]: p[2][0] for p in map(message, m[14])}
    equal(meta[b"class_names"], b"c0\nc1\nc2")
    equal(meta[b"mean"], b"0.5 0.5 0.5")


@test
def refusals():
    args = setup()
    fails(USAGE, ["--output"], "export", *args)
    os.mkdir("full")
    write("full/file", "x")
    fails(USAGE, ["full"], "export", *args, "--output", "full")
    fails(FILE, ["nosuch"], "export", "--model", "tiny.yaml", "--weights", "nosuch", "--output",
          "o")
    check(not os.path.exists("o"))


RUN = """
import json, sys
import numpy as np, onnxruntime as ort
x = np.load("dump/input.npy")
s = ort.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
y = s.run(None, {"pixel_values": np.concatenate([x, x[:, :, ::-1]])})[0]
print(json.dumps([y.shape[0], [float(v) for v in y[0]]]))
"""


def compare(args, onnx_file="out/model.onnx", side=SIDE):
    """The same picture through sctrun and through onnxruntime, in a batch of two."""
    sctrun("export", *args, "--output", "out")
    png("p.png", side, side)
    sctrun("dump", "--site", "input", "--image", "p.png", "--output", "dump", *args)
    mine = sctrun("predict", "--image", "p.png", "--json", *args).jsonl[0]["logits"]
    p = subprocess.run([PYTHON, "-c", RUN, onnx_file], capture_output=True, timeout=100 * PATIENCE)
    check(p.returncode == 0, p.stderr.decode()[-2000:])
    batch, theirs = json.loads(p.stdout)
    equal(batch, 2)
    scale = max(1.0, max(abs(v) for v in mine))
    worst = max(abs(a - b) for a, b in zip(mine, theirs))
    # f32 rounding of another order of summation, twenty times over
    check(worst <= 1e-5 * scale, "largest difference", worst, "at scale", scale)


def runtime():
    if not PYTHON:
        raise Skipped("SCTRUN_TORCH_PYTHON is not set")
    if subprocess.run([PYTHON, "-c", "import onnxruntime"], capture_output=True).returncode:
        raise Skipped(PYTHON + " has no onnxruntime")


@test
def onnxruntime_agrees_on_the_base():
    runtime()
    compare(setup())


@test
def onnxruntime_agrees_on_variants():
    runtime()
    keys = {"pool": "avg", "class_token": False, "gelu": "tanh", "eps": "1e-5"}
    model(**keys)
    vtab()
    sctrun("train", "--model", "tiny.yaml", "--weights", "random", "--data", "data", "--strategy",
           "linear", "--epochs", 1, "--batch-size", 8, "--output", "run")
    compare(["--adapter", "run/last", "--weights", "random"])


@test
def onnxruntime_agrees_on_swin():
    """Windows that divide the grid, padded and shifted ones, an odd grid, one window in all."""
    runtime()
    for variant in SWIN_VARIANTS:
        swin(variant)
        compare(["--model", "swin.yaml", "--weights", "swin.safetensors", "--num-classes",
                 SWIN_CLASSES], side=SWIN_VARIANTS[variant][0])
        shutil.rmtree("out")
        shutil.rmtree("dump")


@test
def onnxruntime_agrees_on_a_tuned_swin():
    runtime()
    swin()
    vtab()
    for s, option_ in (("sct", "k=1/3"), ("lora", "r=2"), ("adapter", "form=noah"),
                       ("adaptformer", "form=sct"), ("bitfit", "tables=on"),
                       ("repadapter", "scale=0.5"), ("convpass", "h=3")):
        sctrun("train", "--model", "swin.yaml", "--weights", "swin.safetensors", "--data", "data",
               "--strategy", s, "--set", option_, "--epochs", 3, "--batch-size", 8, "--lr", 0.05,
               "--eval-interval", 0, "--output", s)
        compare(["--adapter", s + "/last", "--weights", "swin.safetensors"])
        shutil.rmtree("out")
        shutil.rmtree("dump")


@test
def onnxruntime_agrees_on_sct():
    runtime()
    compare(trained("sct", "--set", "k=8"))


@test
def onnxruntime_agrees_on_lora():
    runtime()
    compare(trained("lora", "--set", "r=4"))
    shutil.rmtree("out")
    shutil.rmtree("dump")
    shutil.rmtree("run", ignore_errors=True)
    compare(trained("lora", "--set", "r=4", "--set", "dora=on", "--set", "targets=q,v,fc2",
                    "--set", "dropout=0.1"))


@test
def onnxruntime_agrees_on_spt():
    """Modules, whole vectors and single entries, as a small budget chooses them."""
    runtime()
    for type in ("lora", "adapter"):
        args = trained("spt", *[x for o in ("type=" + type, "r=2", "budget=0.004", "step=0.0002",
                                            "max=0.01", "batches=2", "batch=8")
                                for x in ("--set", o)])
        kinds = {n.rsplit(".", 2)[-2 if n.endswith("weight") else -1]
                 for n in tensors("run") if n.startswith("spt.blocks")}
        half = "up" if type == "adapter" else "lora_B"
        check({half, "delta"} <= kinds, type, kinds)
        compare(args)
        for folder in ("out", "dump", "run"):
            shutil.rmtree(folder)


@test
def onnxruntime_agrees_on_bottlenecks():
    runtime()
    for s, form in (("adapter", "houlsby"), ("adapter", "noah"), ("adaptformer", "original"),
                    ("repadapter", "both"), ("convpass", "both")):
        compare(trained(s, "--set", "form=" + form))
        for folder in ("out", "dump", "run"):
            shutil.rmtree(folder)


main()
