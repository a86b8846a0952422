# SPDX-License-Identifier: MIT
"""preprocess.py - presets and files of --preprocess: what the model sees, what training draws, and
what an adapter keeps of it."""
from e2e import *

SQUASH = "eval:\n  - resize\n"
PRESETS = ["hf-vit", "noah-few-shot", "none", "spt-fgvc", "swin-eval", "timm-eval", "vpt-fgvc",
           "vtab-half", "vtab-imagenet", "vtab-imagenet-aug"]
IMAGENET = [.485, .456, .406], [.229, .224, .225]
HALF = [.5] * 3, [.5] * 3
NONE = [0] * 3, [1] * 3


def setup(**data):
    model(mean="[0.4, 0.4, 0.4]", std="[0.3, 0.3, 0.3]", crop_pct=0.8)
    base()
    return vtab(**data)


def pixels(image, statistics, *args):
    """What the model sees, put back into bytes: [y][x][channel]."""
    folder = "px%d" % len(os.listdir("."))
    sctrun("dump", "--site", "input", "--image", image, "--model", "tiny.yaml", "--weights",
           "base.safetensors", "--output", folder, *args)
    v, n = read_npy(folder + "/input.npy")[1], SIDE * SIDE
    mean, std = statistics
    back = [[[(v[c * n + y * SIDE + x] * std[c] + mean[c]) * 255 for c in range(3)]
             for x in range(SIDE)] for y in range(SIDE)]
    for row in back:
        for p in row:
            for v in p:
                close(v, round(v), 0, 1e-3, "not a byte with these statistics")
    return [[[round(v) for v in p] for p in row] for row in back]


def kept(adapter):
    return json.loads(read(adapter + "/adapter_config.json"))["sctrun"]["preprocess"]


def logits(adapter, *args):
    return [r["logits"] for r in predict(adapter, "wide.png", *args)]


@option("preprocess")
def presets():
    """Mean and std, the part of the picture and the filter, of every preset."""
    setup()
    folder = os.path.dirname(os.path.abspath(__file__)) + "/../../configs/preprocess"
    equal(sorted(f[:-5] for f in os.listdir(folder)), PRESETS)
    own = [.4] * 3, [.3] * 3
    png("ramp.png", 2 * SIDE, SIDE, lambda x, y: (x * 3, y * 5, 40 if x < SIDE else 200))
    squash = ["--resize", "squash-bicubic"], ["--resize", "squash-bilinear"]
    crop = ["--resize", "crop-bicubic"], ["--resize", "crop-bilinear"]
    for name, statistics, same in (
            ("vtab-imagenet", IMAGENET, squash[0]), ("vtab-imagenet-aug", IMAGENET, squash[0]),
            ("vtab-half", HALF, squash[0]), ("none", NONE, squash[0]),
            ("hf-vit", HALF, squash[1]), ("timm-eval", own, crop[0]),  # 0.8 is the model's
            ("swin-eval", IMAGENET, crop[0] + ["--crop-pct", "0.875"]),
            ("vpt-fgvc", IMAGENET, crop[1] + ["--crop-pct", "0.875"])):
        equal(pixels("ramp.png", statistics, "--preprocess", name),
              pixels("ramp.png", own, *same), name)
    # both sides 36, then the middle 32: two of the 36 are cut at every side
    png("dots.png", 36, 36, lambda x, y: (x * 7, y * 7, 0))
    for name in ("spt-fgvc", "noah-few-shot"):
        p = pixels("dots.png", IMAGENET, "--preprocess", name)
        equal((p[0][0], p[31][31]), ([14, 14, 0], [231, 231, 0]), name)


@test
def files():
    """Each key and each value of a file is seen."""
    setup()
    own = [.4] * 3, [.3] * 3
    r = random.Random(3)
    png("n.png", 50, 90, bytes(r.choice((0, 255)) for _ in range(50 * 90 * 3)))
    seen = {}
    for i, text in enumerate((
            SQUASH, "eval:\n  - resize: {filter: box}\n", "eval:\n  - resize: {filter: bilinear}\n",
            "eval:\n  - resize: {filter: hamming}\n", "eval:\n  - resize: {filter: lanczos}\n",
            "pass_order: pillow-13\n" + SQUASH, "eval:\n  - resize: {mode: short}\n  - center-crop\n",
            "eval:\n  - resize: {mode: short, size: 44}\n  - center-crop: {size: 32}\n",
            "eval:\n  - resize: {mode: short, crop_pct: model}\n  - center-crop\n",
            "eval:\n  - resize: {size: 16}\n  - center-crop\n",
            "eval:\n  - center-crop\n", "eval:\n  - center-crop: {size: 64}\n  - resize\n")):
        write("p.yaml", text)
        p = pixels("n.png", own, "--preprocess", "p.yaml")
        check(repr(p) not in seen, "the same as", seen.get(repr(p)), text)
        seen[repr(p)] = text
    write("p.yaml", "normalize: {mean: [0.1, 0.2, 0.3], std: [1, 2, 3]}\n" + SQUASH)
    write("q.yaml", "normalize: model\n" + SQUASH)
    a = pixels("n.png", ([.1, .2, .3], [1, 2, 3]), "--preprocess", "p.yaml")
    equal(a, pixels("n.png", own, "--preprocess", "q.yaml"))
    # single options are stronger
    equal(a, pixels("n.png", ([0] * 3, [.5] * 3), "--preprocess", "p.yaml", "--mean", "0,0,0",
                    "--std", "0.5,0.5,0.5"))
    equal(pixels("n.png", own, "--preprocess", "timm-eval", "--crop-pct", "0.5"),
          pixels("n.png", own, "--resize", "crop-bicubic", "--crop-pct", "0.5"))
    equal(pixels("n.png", IMAGENET, "--preprocess", "swin-eval", "--resize", "squash-bilinear"),
          pixels("n.png", own, "--resize", "squash-bilinear"))
    equal(pixels("n.png", own, "--preprocess", "q.yaml", "--pass-order", "pillow-13"),
          pixels("n.png", own, "--pass-order", "pillow-13"))


@test
def kept_by_the_adapter():
    """eval and predict do as training did, without a word; an option shows and is said."""
    setup()
    png("wide.png", 2 * SIDE, SIDE, lambda x, y: (x * 3, y * 5, (x * y) % 256))
    train("o", "--max-steps", 1, "--preprocess", "vpt-fgvc")
    p = kept("o/last")
    equal([list(s) for s in p["eval"]], [["resize"], ["center-crop"]])
    equal(p["eval"][0]["resize"], {"mode": "short", "size": 0, "crop_pct": .875,
                                   "filter": "bilinear"})
    equal([list(s)[0] for s in p["train"]], ["resize", "random-crop", "hflip"])
    given = ("--preprocess", "vpt-fgvc")
    equal(logits("o/last"), logits("o/last", *given))
    r = sctrun("predict", "--adapter", "o/last", "--image", "wide.png")
    check("otherwise" not in r.err, r.err)
    for args in (["--preprocess", "vtab-imagenet"], ["--resize", "squash-bilinear"],
                 ["--crop-pct", "0.5"], ["--pass-order", "pillow-13"]):
        r = sctrun("predict", "--adapter", "o/last", "--image", "wide.png", *args)
        contains(r.err, "otherwise than o/last was trained with")
    check(logits("o/last") != logits("o/last", "--preprocess", "vtab-imagenet"))
    e = lambda *a: sctrun("eval", "--adapter", "o/last", "--data", "data", "--json", *a).json
    close(e()["loss"], log("o")[1][-1]["eval_loss"], 1e-6)
    # a further run goes on with the steps of the first
    sctrun("train", "--adapter", "o/last", "--data", "data", "--max-steps", 1, "--output", "o2")
    equal(kept("o2/last"), p)
    equal(read("o/args.yaml").count(b"preprocess: vpt-fgvc"), 1)
    # what the first adapters have
    config = json.loads(read("o/last/adapter_config.json"))
    old = config["sctrun"]["preprocess"]
    for key in ("eval", "train", "mix"):
        del old[key]
    old.update(resize="crop-bilinear", crop_pct=0.875)
    write("o/last/adapter_config.json", json.dumps(config))
    equal(logits("o/last"), logits("o/last", *given))


@test
def every_value_is_kept():
    """A file with no default in it comes back from the adapter as it was."""
    setup()
    text = """normalize: half
pass_order: pillow-12.2
eval:
  - resize: {mode: short, size: 40, crop_pct: 0.9, filter: lanczos}
  - center-crop: {size: 32}
train:
  - random-resized-crop: {size: 48, scale: [0.3, 0.7], ratio: [0.6, 1.7], filter: random}
  - random-crop: {size: 32, padding: 3, fill: 7}
  - hflip: {p: 0.2}
  - color-jitter: {brightness: 0.1, contrast: 0.2, saturation: 0.3, hue: 0.05}
  - randaugment: {magnitude: 7, std: 0.7, ops: 3, p: 0.6, filter: bilinear}
  - random-erasing: {p: 0.15, scale: [0.1, 0.2], ratio: [0.5, 2.5], mode: rand, count: 2}
mix: {mixup: 0.3, cutmix: 0.6, p: 0.9, switch: 0.4, per: image}
"""
    write("all.yaml", text)
    train("o", "--max-steps", 1, "--preprocess", "all.yaml")
    p = kept("o/last")
    lines = []
    for part in ("eval", "train"):
        for s in p[part]:
            (name, values), = s.items()
            lines.append("  - %s: %s" % (name, values))
    lines.append("mix: %s" % p["mix"])
    found = "\n".join(lines).replace("'", "") + "\n"
    want = "".join(l + "\n" for l in text.splitlines() if "{" in l)
    equal(found, want)
    equal((p["pass_order"], p["mean"]), ("pillow-12.2", [.5] * 3))


def run(name, text, *args):
    write(name + ".yaml", text)
    train(name, "--preprocess", name + ".yaml", "--shuffle", "off", "--epochs", 2, *args)
    return losses(name)


@test
def training_steps():
    """With a learning rate of 0 losses differ by the pictures alone: every step changes them, in
    every epoch anew; the same seed gives the same, whatever threads and cache there are."""
    setup()
    still = ["--lr", 0]
    plain = run("plain", SQUASH, *still)
    equal(plain[:3], plain[3:])
    steps = ["hflip", "random-crop: {padding: 4}", "random-resized-crop", "color-jitter: "
             "{brightness: 0.5}", "color-jitter: {hue: 0.5}", "randaugment: rand-m9-mstd0.5-inc1",
             "random-erasing: {p: 1}"]
    for i, step in enumerate(steps):
        text = SQUASH + "train:\n  - resize\n  - %s\n" % step
        a = run("s%d" % i, text, *still)
        check(a[:3] != plain[:3] and a[:3] != a[3:], step, "has no effect", a, plain)
        equal(log("s%d" % i)[1][-1]["eval_loss"], log("plain")[1][-1]["eval_loss"])
    text = SQUASH + "train:\n  - resize\n" + "".join("  - %s\n" % s for s in steps) + \
        "mix: {mixup: 0.8, cutmix: 1}\n"
    want = run("all", text, *still)
    check(want != run("seed", text, *still, "--seed", 7))
    for i, args in enumerate((["--threads", 1], ["--threads", 2, "--cache-bytes", 0],
                              ["--threads", 3, "--cache-bytes", "20K"])):
        equal(run("t%d" % i, text, *still, *args), want, args)


@test
def calibration():
    """The channels that SCT picks are those of plain pictures, whatever training draws."""
    setup()
    aug = "train:\n  - resize\n  - randaugment: rand-m10-p1-inc1\nmix: {mixup: 1}\n"
    index = {}
    for name, text in (("plain", ""), ("aug", aug), ("other", "")):
        write(name + ".yaml", ("normalize: half\n" if name == "other" else "") +
              ("eval:\n  - resize: {size: 16}\n  - center-crop\n" if name == "other" else SQUASH) +
              text)
        train(name, "--preprocess", name + ".yaml", "--max-steps", 1, strategy="sct")
        index[name] = [tensors(name)["sct.blocks.%d.index" % b][2] for b in (0, 1)]
    equal(index["aug"], index["plain"])
    check(losses("aug") != losses("plain"))
    check(index["other"] != index["plain"], "these pictures do not tell")


@test
def mixing():
    """Labels follow the pictures: a head that is trained on mixed pictures is unsure of itself.
    Evaluation is not mixed."""
    setup()
    runs = {}
    for name, text in (("none", ""), ("mixup", "mix: {mixup: 1}\n"), ("cutmix", "mix: {cutmix: 1}\n"),
                       ("both", "mix: {mixup: 1, cutmix: 1}\n"),
                       ("image", "mix: {mixup: 1, per: image}\n"),
                       ("seldom", "mix: {mixup: 1, p: 0.5}\n")):
        runs[name] = run(name, SQUASH + text, "--lr", 0)
    equal(len({repr(r) for r in runs.values()}), 6, runs)
    for switch, same in ((0, "mixup"), (1, "cutmix")):
        equal(run("switch%d" % switch, SQUASH + "mix: {mixup: 1, cutmix: 1, switch: %d}\n" % switch,
                  "--lr", 0), runs[same])
    off = run("off", SQUASH + "mix: {mixup: 1, p: 0}\n", "--lr", 0)
    equal(off, runs["none"])
    hot = ["--epochs", 20, "--lr", "0.05"]
    run("sure", SQUASH, *hot)
    run("unsure", SQUASH + "mix: {mixup: 1}\n", *hot)
    most = lambda n: sum(max(r["probabilities"]) for r in predict(n + "/last", "data/images/test"))
    check(most("unsure") < most("sure") - 0.5, most("unsure"), most("sure"))


@test
def wrong_files():
    """What is wrong, where."""
    setup()
    for text, parts in (
            ("eval:\n  - flip\n", [":2:5", "resize, center-crop", "flip"]),
            ("eval:\n  - resize: {filter: nearest}\n", [":2:22", "lanczos", "nearest"]),
            ("eval:\n  - resize: {side: 3}\n", ["p.yaml:2", "mode, size, crop_pct", "side"]),
            ("eval:\n  - resize: [3]\n", ["p.yaml:2", "a mapping"]),
            ("eval:\n  - resize: 224\n", ["p.yaml:2", "a mapping"]),
            ("eval:\n  - {resize: {}, hflip: {}}\n", ["p.yaml:2", "expected a step"]),
            ("eval: resize\n", ["p.yaml:1", "eval"]),
            ("train:\n  - resize\n", ["eval is missing"]),
            ("eval: []\n", ["eval is missing"]),
            ("eval:\n  - resize\n  - hflip\n", ["hflip cannot be one of the eval steps"]),
            ("eval:\n  - resize: {mode: short}\n", ["32 x 32 pixels at the end", "any size"]),
            ("eval:\n  - resize: {size: 16}\n", ["expected 32 x 32", "found 16 x 16"]),
            (SQUASH + "train:\n  - random-crop: {size: 31}\n", ["train steps", "31 x 31"]),
            (SQUASH + "train:\n  - mix\n  - resize\n", ["mix cannot be one of the train"]),
            (SQUASH + "mix: {mixup: -1}\n", ["mixup", "from 0 to 100, found -1"]),
            (SQUASH + "mix: {blend: 1}\n", ["mixup, cutmix", "blend"]),
            (SQUASH + "train:\n  - resize\n  - randaugment: rand-m9\n", [":5:18", "inc1"]),
            (SQUASH + "train:\n  - resize\n  - randaugment: {ops: 0}\n", [":5:", "1 to 15"]),
            (SQUASH + "train:\n  - random-resized-crop: {scale: 0.5}\n", ["two numbers"]),
            (SQUASH + "train:\n  - random-resized-crop: {scale: [0.5]}\n", ["two numbers"]),
            (SQUASH + "train:\n  - random-resized-crop: {scale: [0.9, 0.5]}\n", ["smaller"]),
            (SQUASH + "train:\n  - random-resized-crop: {scale: [[1], 0.5]}\n", ["a number"]),
            (SQUASH + "normalize: clip\n", [":3:", "imagenet, half or none"]),
            (SQUASH + "normalize: {mean: [1, 2]}\n", ["p.yaml:3", "mean"]),
            (SQUASH + "normalize: {median: [1, 2]}\n", ["p.yaml:3", "median"]),
            (SQUASH + "normalize: [0.5, 0.5]\n", ["p.yaml:3", "expected a mapping, found a list"]),
            (SQUASH + "normalize: {std: [0, 1, 1]}\n", ["std"]),
            (SQUASH + "pass_order: up\n", [":3:", "pillow-13", "up"]),
            (SQUASH + "test: []\n", ["p.yaml:3", "test"]),
            ("eval:\n" + "  - resize\n" * 17, ["at most 16 steps, found 17"])):
        write("p.yaml", text)
        fails(USAGE, parts, "predict", "--model", "tiny.yaml", "--weights", "base.safetensors",
              "--image", "data/images/test/000000.png", "--preprocess", "p.yaml")
    fails(USAGE, ["configs/preprocess/vtab.yaml"], "predict", "--model", "tiny.yaml", "--weights",
          "base.safetensors", "--image", "data/images/test/000000.png", "--preprocess", "vtab")
    png("small.png", 20, 20)
    write("crop.yaml", SQUASH + "train:\n  - random-crop\n")
    write("data/small.txt", "../small.png 0\n")
    fails(DATA, ["small.png", "random-crop", "20 x 20"], "train", "--model", "tiny.yaml",
          "--weights", "base.safetensors", "--data", "data", "--train-list", "small.txt",
          "--strategy", "linear", "--preprocess", "crop.yaml", "--output", "x")


@test
def wrong_adapters():
    setup()
    train("o", "--max-steps", 1, "--preprocess", "noah-few-shot")
    good = read("o/last/adapter_config.json").decode()

    def broken(parts, change):
        config = json.loads(good)
        change(config["sctrun"]["preprocess"])
        write("o/last/adapter_config.json", json.dumps(config))
        fails(FILE, ["adapter_config.json", *parts], "predict", "--adapter", "o/last", "--image",
              "data/images/test/000000.png")

    broken(["sctrun.preprocess.eval"], lambda p: p.update(eval=None))
    broken(["sctrun.preprocess.train", "flip"], lambda p: p["train"].append({"flip": {}}))
    broken(["one key"], lambda p: p["train"].append({}))
    broken(["one key"], lambda p: p["train"].append(3))
    broken(["too many"], lambda p: p.update(train=[{"hflip": {}}] * 17))
    broken(["squash|short"], lambda p: p["eval"][0]["resize"].update(mode="up"))
    broken(["a number or a word"], lambda p: p["eval"][0]["resize"].update(size={}))
    broken(["two numbers"], lambda p: p["train"][0]["random-resized-crop"].update(scale=1))
    broken(["two numbers"], lambda p: p["eval"][0]["resize"].update(size=[1, 2]))
    broken(["expected an object"], lambda p: p["eval"].__setitem__(0, {"resize": 4}))
    broken(["hflip cannot"], lambda p: p["eval"].append({"hflip": {}}))
    broken(["mixup"], lambda p: p["mix"].update(mixup=-3))
    broken(["smaller number"],
           lambda p: p["train"][0]["random-resized-crop"].update(scale=[0.9, 0.1]))


main()
