# SPDX-License-Identifier: MIT
"""options.py - every option has an effect that is seen, and the effect is the one promised.

The last test reads the option table from the program's help: an option without a test fails it.
Options of OpenCL devices are in devices.py, those of the data's layouts in data.py, --preprocess
is in preprocess.py.
"""
import json
import math
import os
import re
import struct

from e2e import *

def setup(**data):
    model()
    base()
    return vtab(**data)


def first(output, *args, **kw):
    """Losses of a run that does not move (lr 0) in the list's order."""
    train(output, "--lr", 0, "--shuffle", "off", *args, **kw)
    return losses(output)


def dry(*args, **kw):
    return sctrun("train", "--model", "tiny.yaml", "--weights", "random", "--data",
                  "task:sprites_shape", "--strategy", "linear", "--dry-run", "--json", *args,
                  **kw).json


def head(folder):
    return tensors(folder)["head.weight"][2]


def minus(a, b):
    return [x - y for x, y in zip(a, b)]


def norm(v):
    return math.sqrt(sum(x * x for x in v))


def pixels(image, *args, values=None):
    """What the model sees of a picture, as bytes, [y][x][channel]."""
    folder = "px%d" % len(os.listdir("."))
    sctrun("dump", "--site", "input", "--image", image, "--model", "tiny.yaml", "--weights",
           "base.safetensors", "--output", folder, *args)
    v = read_npy(folder + "/input.npy")[1]
    if values:
        return v
    n = SIDE * SIDE
    return [[[round((v[c * n + y * SIDE + x] * 0.5 + 0.5) * 255) for c in range(3)]
             for x in range(SIDE)] for y in range(SIDE)]


# ---- device ----

@option("backend")
def backend():
    setup()
    for b in ("ref", "cpu"):
        r = train(b, "--max-steps", 1, "--backend", b, "--json")
        equal(r.json["backend"], b)
        check(r.err.startswith(b + ": "), r.err)
    contains(sctrun("plugins").out, "cpu.so")
    path = re.search(r"(\S+/cpu\.so)", sctrun("plugins").out).group(1)
    equal(train("path", "--max-steps", 1, "--backend", path, "--json").json["backend"], "cpu")


@option("device")
def device():
    d = [d for d in sctrun("devices", "--json").json if d["backend"] == "cpu"][0]
    model()
    for name in ("auto", "0", d["name"].split()[0].upper(), d["platform"]):
        contains(sctrun("train", "--model", "tiny.yaml", "--weights", "random", "--data",
                        "task:sprites_shape", "--strategy", "linear", "--dry-run", "--device",
                        name).err, "cpu: " + d["name"])
    args = ["train", "--model", "tiny.yaml", "--weights", "random", "--data", "task:sprites_shape",
            "--strategy", "linear", "--dry-run"]
    fails(DEVICE, ["--device nosuch", d["name"]], *args, "--device", "nosuch")
    # the backend's name in front chooses the backend, and must be the one that was given
    for name in ("cpu:0", "cpu:auto", "cpu:", "cpu:" + d["name"].split()[0].lower()):
        contains(sctrun(*args, "--device", name).err, "cpu: " + d["name"])
    ref = [x for x in sctrun("devices", "--json").json if x["backend"] == "ref"][0]
    contains(sctrun(*args, "--device", "ref:0").err, "ref: " + ref["name"])
    contains(sctrun(*args, "--device", "ref:0", "--backend", "ref").err, "ref: ")
    contains(sctrun(*args, "--device", "ref:0", env={"SCTRUN_BACKEND": "cpu"}).err, "ref: ")
    contains(sctrun(*args, env={"SCTRUN_DEVICE": "ref:0"}).err, "ref: ")
    fails(USAGE, ["--device ref:0", "backend ref", "--backend is cpu"], *args, "--device", "ref:0",
          "--backend", "cpu")
    fails(USAGE, ["--device ref:0", "--backend is cpu"], *args, "--backend", "cpu",
          env={"SCTRUN_DEVICE": "ref:0"})
    fails(DEVICE, ["of backend ref", "--device ref:1"], *args, "--device", "ref:1")
    fails(DEVICE, ["of backend cpu", "--device nosuch:0"], *args, "--device", "nosuch:0")
    write("c.yaml", "device: ref:0\n")
    contains(sctrun(*args, "-c", "c.yaml").err, "ref: ")
    for x in sctrun("devices", "--json").json:
        if x["backend"] == "opencl" and x["usable"]:
            contains(sctrun(*args, "--device", "opencl:" + x["id"]).err, "opencl: " + x["name"])
            contains(sctrun(*args, "--device", "opencl:auto").err, "opencl: ")


@option("threads")
def threads():
    model()
    for n in (1, 3):
        d = [d for d in sctrun("devices", "--json", "--threads", n).json
             if d["backend"] == "cpu"][0]
        equal(d["threads"], n)
        contains(sctrun("train", "--model", "tiny.yaml", "--weights", "random", "--data",
                        "task:sprites_shape", "--strategy", "linear", "--dry-run", "--threads",
                        n).err, "%d unit" % n)
    check(" 1 lane" in dry_text("--threads", 1) and " 3 lane" in dry_text("--threads", 3))


def dry_text(*args):
    return sctrun("train", "--model", "tiny.yaml", "--weights", "random", "--data",
                  "task:sprites_shape", "--strategy", "linear", "--dry-run", *args).out


@option("isa", "profile")
def isa_and_profile():
    """The rows that ran are listed by --profile; base keeps to plain C."""
    setup()
    flags = read("/proc/cpuinfo").decode() if os.path.exists("/proc/cpuinfo") else ""
    offered = ["base"]
    built = "/avx" in sctrun("ops").out  # a build with -Disa= has the plain kernels alone
    if not built and " avx2 " in flags:
        d = [d for d in sctrun("devices", "--isa", "avx2", "--json").json
             if d["backend"] == "cpu"][0]
        equal(d["usable"], False)
        contains(d["status"], "this build has kernels up to base")
    if built and " avx2 " in flags and " fma " in flags and \
            "avx2" in sctrun("devices", "--isa", "avx2", "--json", code=None).out:
        d = [d for d in sctrun("devices", "--isa", "avx2", "--json").json
             if d["backend"] == "cpu"][0]
        offered += ["avx2"] if d["usable"] and d["status"] == "avx2" else []
    for isa in offered:
        d = [d for d in sctrun("devices", "--isa", isa, "--json").json if d["backend"] == "cpu"]
        equal(d[0]["status"], isa)
        r = train(isa, "--max-steps", 1, "--isa", isa, "--profile")
        contains(r.err.splitlines()[0], isa)
        table = r.err[r.err.index("op  "):].splitlines()
        equal(table[0].split(), ["op", "row", "calls", "seconds", "share"])
        rows = [l.split() for l in table[1:] if "%" in l]
        check(len(rows) > 10, rows)
        equal(len({tuple(x[:2]) for x in rows}), len(rows))
        check(all("/avx512" not in x[1] for x in rows), rows)
        check(any(("/" + isa) in x[1] for x in rows), rows)
        if isa == "base":
            check(all("/avx" not in x[1] for x in rows), rows)
        close(sum(float(x[4].rstrip("%")) for x in rows), 100, 0, 2.0)
        check(all(int(x[2]) > 0 for x in rows), rows)
    check("op   " not in train("quiet", "--max-steps", 1).err)
    for a, b in zip(losses("base"), losses(offered[-1])):
        close(a, b, 1e-5)
    fails(USAGE, ["--isa", "auto|base|avx2|avx512", "avx1"], "devices", "--isa", "avx1")


# ---- model ----

@option("strategy", "model", "weights", "adapter", "data")
def sources():
    """Each names its file or thing: the wrong one is refused, the right one is in force."""
    setup()
    path = re.search(r"(\S+/linear\.so)", sctrun("plugins").out).group(1)
    equal(train("path", "--max-steps", 1, "--json", strategy=path).json["strategy"], "linear")
    model("other.yaml", depth=1)
    fails(FILE, ["base.safetensors", "depth is 2", "says 1"], "train", "--model", "other.yaml", "--weights",
          "base.safetensors", "--data", "data", "--strategy", "linear", "--output", "x")
    a = first("a", weights="random")
    b = first("b")
    check(a != b, "--weights has no effect")
    check(first("c", data=vtab("data2", classes=2)) != b, "--data has no effect")
    train("d", "--lr", "0.05", "--epochs", 2)
    sctrun("train", "--adapter", "d/last", "--data", "data", "--shuffle", "off", "--lr", 0,
           "--batch-size", 8, "--epochs", 1, "--output", "e")
    check(losses("e")[0] < b[0], "--adapter does not start from the adapter")


@option("head_init")
def head_init():
    setup()
    for x in first("z", "--head-init", "zeros"):
        close(x, math.log(3), 1e-6)
    equal(set(head("z")), {0.0})
    train("n", "--lr", 0, "--head-init", "normal(0, 3)")
    sd = math.sqrt(sum(x * x for x in head("n")) / 144)
    check(2.4 < sd < 3.6, "standard deviation", sd)
    equal(set(tensors("n")["head.bias"][2]), {0.0})
    # 48 channels go into the head
    train("t", "--lr", 0, "--head-init", "torch_linear")
    for values in (head("t"), tensors("t")["head.bias"][2]):
        check(all(0 < abs(x) < 48 ** -0.5 for x in values) and len(set(values)) == len(values), values)
    check(max(map(abs, head("t"))) > 0.95 * 48 ** -0.5)
    equal(first("again", "--adapter", "t/last"), first("same", "--head-init", "torch_linear"))
    fails(USAGE, ["nonsense", "torch_linear"], "train", "--model", "tiny.yaml", "--weights", "base.safetensors",
          "--data", "data", "--strategy", "linear", "--head-init", "nonsense", "--output", "x")
    check(not os.path.exists("x"))


@option("interp")
def interp():
    """At 48 pixels the grid is 6 x 6 instead of 4 x 4; of the four ways three are the same."""
    setup()
    model("wide.yaml", image_size=48)
    wide = ("--model", "wide.yaml", "--weights", "base.safetensors")
    fails(FILE, ["image_size is 32", "says 48", "--interp timm, timm-0.6, hf or ms"], "train", *wide,
          "--data", "data", "--strategy", "linear", "--output", "x")
    r = {how: first(how, *wide, "--interp", how) for how in ("timm", "timm-0.6", "hf", "ms")}
    check(r["timm"] != r["hf"], "the two cubics are the same")
    equal((r["timm-0.6"], r["ms"]), (r["hf"], r["hf"]))
    run = ("eval", "--adapter", "timm/last", "--data", "data", "--json")
    check(sctrun(*run).json["loss"] > 0)
    fails(FILE, ["another base"], *run, "--interp", "hf")


@option("drop_path")
def drop_path():
    """Branches are dropped while training and never when evaluating."""
    setup()
    a, b = first("a", strategy="full"), first("b", "--drop-path", "0.9", strategy="full")
    check(a != b, "no effect on training")
    equal(log("a")[1][0]["eval_loss"], log("b")[1][0]["eval_loss"])
    equal(json.loads(read("b/last/adapter_config.json"))["sctrun"]["base"]["config"]["drop_path"],
          0.9)


@option("num_classes")
def num_classes():
    setup()
    train("o", "--max-steps", 1, "--num-classes", 7)
    equal(tensors("o")["head.weight"][1], [7, 48])
    equal(len(predict("o/last", "data/images/test/000000.png")[0]["logits"]), 7)
    fails(DATA, ["3 classes", "2"], "train", "--model", "tiny.yaml", "--weights",
          "base.safetensors", "--data", "data", "--strategy", "linear", "--num-classes", 2,
          "--output", "x")
    fails(USAGE, ["--num-classes 5", "7 classes"], "eval", "--adapter", "o/last", "--data",
          "data", "--num-classes", 5)


# ---- data ----

@option("train_list", "test_list", "test_limit")
def lists():
    setup()
    lines = read("data/train800val200.txt").decode().splitlines(True)
    write("data/short.txt", "".join(lines[:9]))
    write("data/test5.txt", "".join(read("data/test.txt").decode().splitlines(True)[:5]))
    train("o", "--train-list", "short.txt", "--test-list", "test5.txt")
    equal(len(losses("o")), 2)  # nine images in batches of eight
    equal(log("o")[1][0]["images"], 5)
    write("elsewhere.txt", "".join(lines[:17]))
    train("abs", "--train-list", os.path.abspath("elsewhere.txt"))
    equal(len(losses("abs")), 3)
    equal(sctrun("eval", "--adapter", "o/last", "--data", "data", "--test-limit", 3,
                 "--json").json["images"], 3)
    train("limit", "--test-limit", 4, "--max-steps", 1)
    equal(log("limit")[1][0]["images"], 4)
    rows = predict("limit/last", "data/images/test")[:4]
    right = sum(r["class"] == i % 3 for i, r in enumerate(rows))
    close(log("limit")[1][0]["eval_top1"], 25.0 * right, 1e-9)


@option("mean", "std")
def mean_and_std():
    model()
    base()
    png("a.png")
    plain = pixels("a.png")
    v = pixels("a.png", "--mean", "0.1,0.2,0.3", "--std", "0.5,0.25,2", values=True)
    for y in (0, 7, 31):
        for x in (0, 9, 31):
            for c, (m, s) in enumerate(((.1, .5), (.2, .25), (.3, 2))):
                close(v[c * SIDE * SIDE + y * SIDE + x], (plain[y][x][c] / 255 - m) / s, 1e-5,
                      1e-6)
    for bad in ("0.5", "0.5,0.5", "1,2,3,4", "a,b,c"):
        fails(USAGE, ["--mean", bad, "three numbers"], "predict", "--model", "tiny.yaml",
              "--weights", "base.safetensors", "--image", "a.png", "--mean", bad)
    fails(USAGE, ["std"], "predict", "--model", "tiny.yaml", "--weights", "base.safetensors",
          "--image", "a.png", "--std", "0,1,1")


@option("resize", "crop_pct")
def resize():
    model()
    base()
    # left half dark, right half bright; twice as wide as high
    png("wide.png", 2 * SIDE, SIDE, lambda x, y: (40 if x < SIDE else 200,) * 3)
    crop = pixels("wide.png", "--resize", "crop-bicubic", "--crop-pct", 1)
    for row in crop:
        equal([p[0] for p in row], [40] * 16 + [200] * 16)
    bicubic = pixels("wide.png", "--resize", "squash-bicubic")[5]
    bilinear = pixels("wide.png", "--resize", "squash-bilinear")[5]
    check(min(p[0] for p in bicubic) < 40 and max(p[0] for p in bicubic) > 200,
          "bicubic overshoots at an edge", bicubic)
    check(min(p[0] for p in bilinear) == 40 and max(p[0] for p in bilinear) == 200, bilinear)
    equal(bicubic, pixels("wide.png")[5], "the default is squash-bicubic")
    # the middle half of a ramp
    png("ramp.png", SIDE, SIDE, lambda x, y: (8 * x, 8 * y, 0))
    for mode in ("crop-bicubic", "crop-bilinear"):
        p = pixels("ramp.png", "--resize", mode, "--crop-pct", "0.5")
        for j in range(SIDE):
            source = 8 + (j + 0.5) / 2 - 0.5
            close(p[3][j][0], 8 * source, 0, 1.01, mode)
            close(p[j][3][1], 8 * source, 0, 1.01, mode)
    check(pixels("wide.png", "--resize", "crop-bicubic", "--crop-pct", "0.7") !=
          pixels("wide.png", "--resize", "crop-bilinear", "--crop-pct", "0.7"))
    fails(USAGE, ["--resize", "squash-bicubic|", "stretch"], "predict", "--resize", "stretch")
    # with an adapter what is asked for replaces what it holds, the rest stays
    vtab()
    train("o", "--max-steps", 1, "--resize", "squash-bilinear", "--mean", "0.1,0.1,0.1")
    kept, given = (sctrun("predict", "--adapter", "o/last", "--image", "wide.png", "--json",
                          *extra).json["logits"]
                   for extra in ([], ["--resize", "crop-bilinear", "--crop-pct", 1]))
    same = sctrun("predict", "--adapter", "o/last", "--image", "wide.png", "--json", "--resize",
                  "squash-bilinear", "--mean", "0.1,0.1,0.1").json["logits"]
    equal(same, kept)
    check(given != kept, "--resize has no effect with --adapter")


@option("pass_order")
def pass_order():
    """Pixels are rounded between the passes, so their order shows; 12.2 looks at a picture much
    higher than wide, 13 at the rows that go."""
    model()
    base()
    r = random.Random(5)
    noise = lambda w, h: png("n.png", w, h, bytes(r.choice((0, 255)) for _ in range(w * h * 3)))
    noise(24, 96)
    a, b, c = (pixels("n.png", "--pass-order", o) for o in ("horizontal", "pillow-12.2",
                                                           "pillow-13"))
    equal(a, b)
    check(a != c, "pillow-13 does as horizontal")
    noise(5, 640)
    a, b, c = (pixels("n.png", "--pass-order", o) for o in ("horizontal", "pillow-12.2",
                                                           "pillow-13"))
    check(a != b, "pillow-12.2 does as horizontal")
    equal(b, c)


@option("shuffle")
def shuffle():
    setup()
    train("off", "--lr", 0, "--shuffle", "off", "--epochs", 2)
    equal(losses("off")[:3], losses("off")[3:])
    for i, word in enumerate((["--no-shuffle"], ["--shuffle=off"], ["--shuffle", "no"])):
        train("off%d" % i, "--lr", 0, *word, "--epochs", 2)
        equal(losses("off%d" % i), losses("off"), word)
    train("on", "--lr", 0, "--epochs", 2)
    check(losses("on")[:3] != losses("on")[3:], "epochs have the same order")
    check(losses("on")[:3] != losses("off")[:3])
    for run in ("on", "off"):
        for k in (0, 3):  # every image once in an epoch
            close(sum(losses(run)[k:k + 3]), sum(losses("off")[:3]), 1e-5)


@option("drop_last", "batch_size", "epochs", "max_steps")
def counts():
    setup(n_train=20)
    for name, args, steps, epochs in (
            ("a", ["--epochs", 2], 6, 2), ("b", ["--epochs", 2, "--drop-last"], 4, 2),
            ("c", ["--batch-size", 20], 1, 1), ("d", ["--batch-size", 7, "--epochs", 3], 9, 3),
            ("e", ["--batch-size", 50], 1, 1), ("f", ["--epochs", 3, "--max-steps", 4], 4, 2),
            ("g", ["--epochs", 1, "--max-steps", 99], 3, 1)):
        train(name, *args)
        equal(len(losses(name)), steps, name)
        equal(log(name)[0][-1]["epoch"], epochs, name)
    fails(USAGE, ["--drop-last", "20", "50"], "train", "--model", "tiny.yaml", "--weights",
          "base.safetensors", "--data", "data", "--strategy", "linear", "--drop-last",
          "--batch-size", 50, "--output", "x")
    check(not os.path.exists("x"), "a folder was left")


# ---- training ----

def logged_lr(name, *args):
    train(name, "--epochs", 5, *args)
    return [l["lr"] for l in log(name)[0]]


@option("lr", "lr_schedule", "warmup_epochs", "warmup_lr", "min_lr")
def schedules():
    """The logged rates are the formulas', step by step (3 steps an epoch, 5 epochs)."""
    setup()
    n, E, lr = 3, 5, 0.02

    def cosine(W):
        for s in range(n * E):
            e = s / n
            yield lr * min(1, (e + 1 / n) / W) if e < W else \
                lr * 0.5 * (1 + math.cos(math.pi * (e - W) / (E - W)))

    def timm(W, start, end):
        for s in range(n * E):
            t = s // n - 1
            if t < 0:
                yield start if W > 0 else lr
            elif t < W:
                yield start + t * (lr - start) / W
            else:
                yield end + (lr - end) * 0.5 * (1 + math.cos(math.pi * t / E))

    runs = {"cosine1": (["--warmup-epochs", 1], cosine(1)),
            "cosine0": (["--warmup-epochs", 0], cosine(0)),
            "cosine25": (["--warmup-epochs", "2.5", "--lr-schedule", "cosine"], cosine(2.5)),
            "constant": (["--lr-schedule", "constant"], [lr] * 15),
            "timm2": (["--lr-schedule", "timm", "--warmup-epochs", 2], timm(2, 1e-6, 1e-5)),
            "timm0": (["--lr-schedule", "timm", "--warmup-epochs", 0], timm(0, 1e-6, 1e-5)),
            "timm": (["--lr-schedule", "timm", "--warmup-epochs", 1, "--warmup-lr", "0.001",
                      "--min-lr", "0.004"], timm(1, 0.001, 0.004))}
    for name, (args, want) in runs.items():
        found = logged_lr(name, "--lr", lr, *args)
        for k, (a, b) in enumerate(zip(found, list(want))):
            close(a, b, 1e-6, 1e-12, "%s, step %d:" % (name, k))
    moved = norm(minus(head("constant"), head("timm")))
    check(moved > 1e-3, "the rate is logged and not used", moved)


SGD = ["--optimizer", "sgd", "--momentum", 0, "--weight-decay", 0, "--lr-schedule", "constant",
       "--shuffle", "off"]


@option("optimizer", "momentum", "weight_decay", "clip_grad")
def optimizers():
    """Updates by hand: SGD with momentum as PyTorch's, decoupled decay of AdamW, the clip."""
    setup()
    train("w0", "--lr", 0)
    w0 = head("w0")
    train("s1", *SGD, "--lr", "0.1", "--max-steps", 1)
    train("s2", *SGD, "--lr", "0.1", "--max-steps", 2)
    train("m2", *SGD, "--lr", "0.1", "--max-steps", 2, "--momentum", "0.9")
    step1 = minus(head("s1"), w0)
    for a, b in zip(minus(head("m2"), head("s2")), step1):
        close(a, 0.9 * b, 1e-3, 1e-7, "momentum:")
    train("half", *SGD, "--lr", "0.05", "--max-steps", 1)
    for a, b in zip(minus(head("half"), w0), step1):
        close(2 * a, b, 1e-3, 1e-7, "lr:")
    # clipping is over everything that is trained, the bias too
    everything = lambda run, zero: norm(
        [d for k in ("head.weight", "head.bias")
         for d in minus(tensors(run)[k][2], tensors(zero)[k][2])])
    whole = everything("s1", "w0") / 0.1
    for limit in (whole / 4, whole * 4):
        name = "clip%g" % limit
        train(name, *SGD, "--lr", "0.1", "--max-steps", 1, "--clip-grad", limit)
        close(everything(name, "w0") / 0.1, min(limit, whole), 1e-3, what="clipped norm:")
    # AdamW's first step is lr * g / (|g| + eps): its size is lr wherever g is not 0
    adam = ["--lr-schedule", "constant", "--lr", "0.01", "--shuffle", "off", "--max-steps", 1]
    train("a0", *adam, "--weight-decay", 0)
    for d, g in zip(minus(head("a0"), w0), step1):
        if abs(g) > 1e-5:
            close(d, math.copysign(0.01, g), 1e-2, what="adamw:")
    train("a1", *adam, "--weight-decay", "0.5")
    for d, w in zip(minus(head("a1"), head("a0")), w0):
        close(d, -0.01 * 0.5 * w, 1e-2, 1e-7, "decoupled decay:")
    # PyTorch's SGD adds the decay to the gradient: the same first step
    train("d1", *(SGD[:4] + ["--weight-decay", "0.5"] + SGD[6:]), "--lr", "0.1", "--max-steps", 1)
    for d, w in zip(minus(head("d1"), head("s1")), w0):
        close(d, -0.1 * 0.5 * w, 1e-2, 1e-7, "decay of sgd:")


@option("smoothing")
def smoothing():
    """First loss = (1 - s) CE + s mean(-log p), from the logits that predict prints."""
    setup(n_train=8)
    for s in (0, 0.25):
        found = first("s%g" % s, "--smoothing", s)[0]
        total = 0.0
        for i, p in enumerate(predict("s%g/last" % s, "data/images/train800val200")):
            m = max(p["logits"])
            lse = m + math.log(sum(math.exp(x - m) for x in p["logits"]))
            logp = [x - lse for x in p["logits"]]
            total += (1 - s) * -logp[i % 3] + s * -sum(logp) / 3
        close(found, total / 8, 1e-5)
    equal(log("s0")[1][0]["eval_loss"], log("s0.25")[1][0]["eval_loss"],
          "the evaluation is smoothed")


@option("seed")
def seed():
    setup()
    for a, s in (("a", 1), ("b", 1), ("c", 2), ("d", 4294967295)):
        train(a, "--seed", s, "--lr", 0)
    equal(head("a"), head("b"))
    equal(losses("a"), losses("b"))
    check(len({head(r) for r in "acd"}) == 3, "the head does not depend on the seed")
    check(len({tuple(losses(r)) for r in "acd"}) == 3)


@option("eval_interval", "log_interval")
def intervals():
    setup()
    for every, epochs in ((0, [5]), (1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (9, [5])):
        train("e%d" % every, "--epochs", 5, "--eval-interval", every)
        equal([e["epoch"] for e in log("e%d" % every)[1]], epochs)
        equal(len(read("e%d/summary.csv" % every).splitlines()), len(epochs) + 1)
    r = train("l", "--epochs", 5, "--log-interval", 4)
    equal([l["step"] for l in log("l")[0]], [4, 8, 12])
    equal(len(re.findall("step [0-9]+/15", r.err)), 3)


# ---- memory ----

@option("micro_batch")
def micro_batch():
    model()
    whole = ["--batch-size", 128, "--feature-bytes", 0]
    for n in (1, 2, 8):  # sixteen slots, so a lane gets an eighth part of 128 at most
        contains(dry_text("--micro-batch", n, *whole), "x %d image(s)" % n)
    a, b = (dry("--micro-batch", n, "--threads", 1, *whole)["memory"]["activations"] for n in (1, 8))
    check(b > 3 * a, "activations of one and of eight images:", a, b)


@option("checkpoint")
def checkpoint():
    model(depth=8)
    none, block = (dry("--checkpoint", c, "--micro-batch", 4, "--threads", 1, "--strategy",
                       "full")["memory"] for c in ("none", "block"))
    check(block["activations"] < 0.7 * none["activations"], none, block)
    equal(block["weights"] + block["trainable"], none["weights"] + none["trainable"])
    # auto: only when it does not fit otherwise
    fit = lambda limit: dry("--checkpoint", "auto", "--micro-batch", 4, "--threads", 1,
                            "--strategy", "full", "--memory-limit", limit)["memory"]["activations"]
    equal(fit(none["total"]), none["activations"])
    equal(fit((none["total"] + block["total"]) // 2), block["activations"])


@option("memory_limit", "dry_run")
def memory_limit():
    model()
    r = dry()
    m = r["memory"]
    equal(r["trainable"], 490)
    parts = sum(m[k] for k in ("weights", "packs", "trainable", "optimizer", "activations",
                               "accumulators", "step", "batch"))
    check(parts <= m["total"] <= parts + (1 << 20), m)
    check(m["largest"] <= m["total"])
    no_leftovers("tiny.yaml")
    dry("--memory-limit", m["device"])
    dry("--memory-limit", dry("--feature-bytes", 0)["memory"]["total"], "--feature-bytes", 0)
    args = ["train", "--model", "tiny.yaml", "--weights", "random", "--data",
            "task:sprites_shape", "--strategy", "linear"]
    for extra in (["--dry-run"], ["--output", "o"]):
        fails(NOMEM, ["frozen weights", "activations", "total", "--memory-limit"], *args, *extra,
              "--memory-limit", "100K")
        no_leftovers("tiny.yaml")
    close(dry("--memory-limit", "1.5G")["memory"]["total"], m["total"], 0.001)
    for bad in ("x", "12Q", "-5", "1e99"):
        fails(USAGE, ["--memory-limit", bad], *args, "--dry-run", "--memory-limit", bad)
    text = dry_text()
    contains(text, "memory plan on ", "frozen weights", "optimiser state", "total")


@option("cache_bytes")
def cache_bytes():
    """Decoded pictures are kept within the budget: the process grows by what they take, and
    results do not change."""
    model(image_size=128, patch_size=64, dim=16, heads=1, depth=1)
    sctrun("train", "--model", "tiny.yaml", "--weights", "random", "--data",
           "task:sprites_shape", "--strategy", "linear", "--max-steps", 1, "--test-limit", 1,
           "--output", "o")
    runs = {b: sctrun("eval", "--adapter", "o/last", "--data", "task:sprites_shape",
                      "--cache-bytes", b, "--batch-size", 16, "--json")
            for b in ("0", "24M", "512M")}
    # a thousand images of 48 KiB; what is freed before the cache fills hides a part of it
    peak = {k: r.json["peak_bytes"] for k, r in runs.items()}
    check(8 << 20 < peak["24M"] - peak["0"] < 26 << 20, peak)
    check(16 << 20 < peak["512M"] - peak["24M"] < 26 << 20, peak)
    equal(len({r.json["loss"] for r in runs.values()}), 1)
    setup()
    for budget in ("0", "10K", "1M"):  # over epochs: from the cache, in part, and not
        train("c" + budget, "--epochs", 3, "--cache-bytes", budget)
    equal(adapter_bytes("c0"), adapter_bytes("c10K"))
    equal(adapter_bytes("c0"), adapter_bytes("c1M"))


@option("feature_bytes")
def feature_bytes():
    """What the frozen part makes of the pictures is kept within the budget, training first; the
    bits of a run stay."""
    setup()
    args = ["--epochs", 3, "--eval-interval", 1]
    said = lambda r: re.findall(r"features of (\d+) (training|test) images: computed once", r.err)
    none = train("none", "--feature-bytes", "0", *args)
    both = train("both", *args)
    one = train("one", "--feature-bytes", 24 * 48 * 4, *args)
    small = train("small", "--feature-bytes", 24 * 48 * 4 - 1, *args)
    equal([said(r) for r in (none, both, one, small)],
          [[], [("24", "training"), ("12", "test")], [("24", "training")], [("12", "test")]])
    contains(small.err, "features of 24 training images would take", "--feature-bytes")
    for run in ("both", "one", "small"):
        equal(adapter_bytes(run), adapter_bytes("none"))
        equal([(e["eval"], e["top1"]) if "top1" in e else e["eval"] for e in log(run)[1]],
              [(e["eval"], e["top1"]) if "top1" in e else e["eval"] for e in log("none")[1]])
    fails(USAGE, ["--feature-bytes", "number of bytes"], "train", "--model", "tiny.yaml", "--data",
          "data", "--weights", "base.safetensors", "--feature-bytes", "many")


# ---- output ----

@option("output")
def output():
    setup()
    train("deep/down/o", "--max-steps", 1)
    check(os.path.exists("deep/down/o/last/adapter_config.json"))
    contains(train("p", "--max-steps", 1).out, "saved in p")


@option("json", "quiet")
def json_and_quiet():
    setup()
    r = train("o", "--max-steps", 1, "--quiet")
    equal(r.err, "")
    contains(r.out, "best top1")
    r = train("p", "--max-steps", 1, "--json", "--quiet")
    equal(r.err, "")
    equal(set(r.json), {"strategy", "backend", "device", "best", "last", "trainable", "head",
                        "all", "steps", "seconds", "first_step_seconds", "images_per_s",
                        "peak_bytes", "peak_device_bytes", "memory", "skipped"})
    equal(len(r.out.splitlines()), 1)
    for level, empty in (("error", True), ("warn", True), ("info", False)):
        r = train("q" + level, "--max-steps", 1, env={"SCTRUN_LOG": level})
        equal(r.err == "", empty, level)


@option("image", "site")
def image_and_site():
    setup()
    args = ["--model", "tiny.yaml", "--weights", "base.safetensors"]
    fails(USAGE, ["--image"], "predict", *args)
    fails(USAGE, ["--site needs --image"], "dump", "--site", "input", *args)
    sctrun("dump", "--site", "stage[0].block[1:].mlp.fc1", "--image", "data/images/test", *args,
           "--output", "d")
    equal(os.listdir("d"), ["stage[0].block[1].mlp.fc1.npy"])
    equal(read_npy("d/stage[0].block[1].mlp.fc1.npy")[0], (12, 17, 192))
    sctrun("dump", "--site", "**.nothing", "--image", "data/images/test", *args, code=USAGE)


# ---- where options come from ----

@test
def precedence():
    """Flags beat the environment, which beats the file, which beats the strategy's defaults."""
    setup()
    write("c.yaml", "backend: ref\nlr: 0.5\nepochs: 2\nmodel: tiny.yaml\n"
                    "weights: base.safetensors\ndata: data\nstrategy: linear\nbatch_size: 8\n")
    run = lambda n, *a, **k: sctrun("train", "-c", "c.yaml", "--json", "--output", n, *a,
                                    **k).json
    equal(run("a")["backend"], "ref")
    equal(max(l["lr"] for l in log("a")[0]), 0.5)  # linear.yaml says 0.01
    equal(run("b", env={"SCTRUN_BACKEND": "cpu"})["backend"], "cpu")
    equal(run("c", "--backend", "ref", env={"SCTRUN_BACKEND": "cpu"})["backend"], "ref")
    run("d", "--lr", "0.25")
    equal(max(l["lr"] for l in log("d")[0]), 0.25)
    train("e", "--epochs", 2)
    close(max(l["lr"] for l in log("e")[0]), 0.01, 1e-6)
    for form in (["--config", "c.yaml"], ["--config=c.yaml"], ["--lr=0.5", "-c", "c.yaml"]):
        name = "f%d" % len(os.listdir("."))
        sctrun("train", *form, "--output", name)
        equal(losses(name), losses("a"))
    fails(USAGE, ["SCTRUN_THREADS", "many"], "train", "-c", "c.yaml", "--output", "x",
          env={"SCTRUN_THREADS": "many"})
    r = train("t", "--max-steps", 1, env={"SCTRUN_THREADS": "3", "SCTRUN_DEVICE": "0"})
    contains(r.err, "3 units")


@test
def strategy_options():
    """--set beats `options:` of -c, which beats the strategy's file; each is seen in the folder."""
    setup()
    k_of = lambda run: tensors(run)["sct.blocks.0.index"][1][0]
    sctrun("train", "--model", "tiny.yaml", "--weights", "base.safetensors", "--data", "data",
           "--max-steps", 1, "--set", "k=1/8", "--output", "frac")
    equal(k_of("frac"), 6)
    write("o.yaml", "options:\n  k: 9\n  scaleonx: true\n")
    args = ["train", "--model", "tiny.yaml", "--weights", "base.safetensors", "--data", "data",
            "--max-steps", 1]
    sctrun(*args, "-c", "o.yaml", "--output", "a")
    equal(k_of("a"), 9)
    sctrun(*args, "-c", "o.yaml", "--set", "k=5", "--output", "b")
    equal(k_of("b"), 5)
    sctrun(*args, "--set=k=4", "--set", "k=3", "--output", "c")
    equal(k_of("c"), 3)
    own = json.loads(read("b/last/adapter_config.json"))["sctrun"]["options"]
    equal((own["k"], own["scaleonx"]), ("5", "true"))
    contains(read("b/args.yaml").decode(), "  k: 5\n", "  scaleonx: true\n", "  scale: 0.5\n")
    for bad in ("k", "=3"):
        fails(USAGE, ["--set", "KEY=VALUE"], *args, "--set", bad, "--output", "x")
    fails(USAGE, ["--set k", "b/last"], "train", "--adapter", "b/last", "--data", "data", "--set",
          "k=4", "--output", "x")


@option("sct:mode", "sct:k", "sct:select", "sct:scale", "sct:scaleonx", "sct:sites", "lora:r",
        "lora:alpha", "lora:dropout", "lora:targets", "full:params")
def options_of_the_strategies():
    """Each option of sct, lora and full changes what it says."""
    setup()
    fails(USAGE, ["mode", "attn", "everywhere"], "train", "--data", "data", "--model", "tiny.yaml",
          "--weights", "base.safetensors", "--set", "k=4", "--set", "mode=everywhere")
    sct = lambda n, *a: train(n, "--max-steps", 2, "--lr", "0.05", "--lr-schedule", "constant",
                              "--shuffle", "off", *[x for o in a for x in ("--set", o)],
                              strategy="sct")
    sct("a")
    for name, opt in (("scale", "scale=2"), ("onx", "scaleonx=on")):
        sct(name, opt)
        check(losses(name) != losses("a"), opt, "has no effect")
    sct("one", "sites=stage[0].block[1].attn.res")
    equal({n.split(".")[2] for n in tensors("one") if n.startswith("sct")}, {"1"})
    sct("ag", "select=class_agnostic")
    sct("aw", "select=class_aware")
    equal(tensors("aw"), tensors("a"))
    # with classes of very different size the two scores differ
    lines = read("data/train800val200.txt").decode().splitlines(True)
    write("data/uneven.txt", "".join([lines[0]] * 40 + lines[1:3]))
    for s in ("class_aware", "class_agnostic"):
        train(s, "--max-steps", 1, "--set", "select=" + s, "--train-list", "uneven.txt",
              strategy="sct")
    idx = lambda run: [tensors(run)["sct.blocks.%d.index" % b][2] for b in (0, 1)]
    check(idx("class_aware") != idx("class_agnostic"), "select has no effect", idx("class_aware"))
    lora = lambda n, *a: train(n, "--max-steps", 3, "--lr", "0.05", "--lr-schedule", "constant",
                               "--shuffle", "off", *[x for o in a for x in ("--set", o)],
                               strategy="lora")
    lora("l", "r=4")
    equal(tensors("l")["base_model.model.blocks.0.attn.qkv.lora_A.weight"][1], [8, 48])  # q and v
    for name, opt in (("alpha", "alpha=32"), ("dropout", "dropout=0.5")):
        lora(name, "r=4", opt)
        check(losses(name) != losses("l"), opt, "has no effect")
    lora("targets", "r=4", "targets=fc1")
    equal({n.split(".")[5] for n in tensors("targets") if "lora" in n}, {"fc1"})
    equal(tensors("targets")["base_model.model.blocks.0.mlp.fc1.lora_A.weight"][1], [4, 48])
    train("f", "--max-steps", 1, "--set", "params=blocks.1.**", strategy="full")
    fails(USAGE, ["strategy full", "\"head.*\" names the head alone", "strategy linear"], "train", "--data",
          "data", "--model", "tiny.yaml", "--weights", "base.safetensors", "--strategy", "full", "--set",
          "params=head.*", "--dry-run")
    own = {n.rsplit(".", 1)[0] for n in tensors("f")}
    check(all(n.startswith("blocks.1.") or n == "head" for n in own), own)


@test
def every_option_is_covered():
    text = sctrun("help", "train").out
    known = {w.replace("-", "_") for w in re.findall(r"^ +(?:-., )?--([a-z-]+)", text, re.M)}
    known -= {"config", "set"}  # precedence, strategy_options
    here = os.path.dirname(os.path.abspath(__file__))
    for script in os.listdir(here):
        if script.endswith(".py") and script != "options.py":
            covered.update(n for names in re.findall(r"^@option\((.*?)\)$",
                                                     read(here + "/" + script).decode(), re.M | re.S)
                           for n in re.findall(r'"([\w:]+)"', names))
    check(len(known) > 40, known)
    strategy = ""  # an option of a strategy is covered as strategy:option
    for line in sctrun("plugins").out.split("backends\n")[0].splitlines():
        named, flag = re.match(r"  (\w+) ", line), re.match(r" {6}--set ([a-z0-9_]+)=", line)
        strategy = named.group(1) if named else strategy
        known |= {"%s:%s" % (strategy, flag.group(1))} if flag else set()
    equal(sorted(known - covered), [], "options without a test:")
    equal(sorted(covered - known), [], "tests of options that are gone:")


main()
