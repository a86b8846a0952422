# SPDX-License-Identifier: MIT
"""swin.py - the program with Swin models: tiny ones of tests/golden/swin, and the presets."""
from e2e import *

BACKENDS = ("ref", "cpu", "opencl")
LAYERS = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (3, 0)]  # (stage, block)
OPTIONS = {"linear": [], "full": [], "lora": ["--set", "r=2"], "sct": ["--set", "k=1/3"]}

# Parameters of the backbone without its head, counted in timm 1.0.22.
PRESETS = {
    "swin_tiny_patch4_window7_224": 27519354,
    "swin_small_patch4_window7_224": 48837258,
    "swin_base_patch4_window7_224": 86743224,
    "swin_base_patch4_window12_384": 86878584,
    "swin_large_patch4_window7_224": 194995476,
    "swin_large_patch4_window12_384": 195198516,
}


def run(output, strategy, *args, **kw):
    given = [a for a in OPTIONS[strategy] if not any("=" in str(b) for b in args)]
    return train(output, "--model", "swin.yaml", *given, *args, strategy=strategy,
                 weights="swin.safetensors", **kw)


def swin_golden(variant):
    """(rows of logits, pictures as bytes) of the first six pictures."""
    t = load_tensors(GOLDEN + "/swin/forward.safetensors")
    side = SWIN_VARIANTS[variant][0]
    logits, raw = t["logits/" + variant][2], t.get("images/" + variant, t["images"])[2]
    rows = [logits[i * SWIN_CLASSES:(i + 1) * SWIN_CLASSES] for i in range(6)]
    size = 3 * side * side
    return rows, [bytes(raw[i * size:(i + 1) * size]) for i in range(6)]


def needs(backend):
    if backend == "opencl" and not opencl():
        raise Skipped("no OpenCL device")


@test
def parameters_of_presets():
    for name, backbone in PRESETS.items():
        r = sctrun("train", "--model", name, "--weights", "random", "--data", "task:sprites_color",
                   "--strategy", "linear", "--dry-run", "--json").json
        equal(r["all"] - r["head"], backbone, name)


@test
def recipe_of_sct():
    """The depths of Swin-B, narrow: 11 of 24 blocks get 96 channels, whatever the width."""
    contains(sctrun("recipe", "show", "sct_swin_base").out,
             "model: \"swin_base_patch4_window7_224\"\n")
    vtab(n_train=6, n_test=3)
    swin(dim=24, depths="[2, 2, 18, 2]", weights=False)
    r = sctrun("train", "--recipe", "sct_swin_base/svhn", "--model", "swin.yaml", "--weights", "random", "--data",
               "data", "--epochs", 1, "--batch-size", 6, "--output", "o", "--json").json
    equal(r["trainable"], 11 * (96 * 96 + 96) + 3 * (192 + 1))
    equal({n for n in tensors("o") if n.endswith("index")},
          {"sct.layers.%d.blocks.%d.index" % b
           for b in [(2, i) for i in range(9, 18)] + [(3, 0), (3, 1)]})


@test
def logits_of_the_program():
    """What predict prints is what timm computes in float64 (forward.safetensors)."""
    for variant in SWIN_VARIANTS:
        swin(variant)
        want, pictures = swin_golden(variant)
        side = SWIN_VARIANTS[variant][0]
        for i, rgb in enumerate(pictures):
            png("p/%d.png" % i, side, side, rgb)
        rows = sctrun("predict", "--model", "swin.yaml", "--weights", "swin.safetensors",
                      "--image", "p", "--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5", "--num-classes",
                      SWIN_CLASSES, "--json").jsonl
        equal(len(rows), len(pictures))
        for r, w in zip(sorted(rows, key=lambda r: r["file"]), want):
            worst = max(abs(a - b) for a, b in zip(r["logits"], w))
            # f32 sums of some hundred terms against f64
            check(worst <= 1e-5 * max(1.0, max(map(abs, w))), variant, r["file"], worst)
        shutil.rmtree("p")


def every_strategy(backend):
    """Trains: names of the tensors, a falling loss; eval repeats the log, predict eval."""
    needs(backend)
    swin()
    vtab()
    weights = load_tensors("swin.safetensors")
    blocks = ["layers.%d.blocks.%d." % b for b in LAYERS]
    own = {"linear": set(), "full": {n for n in weights if not n.startswith("head.")},
           "lora": {"base_model.model.%sattn.qkv.lora_%s.weight" % (b, h)
                    for b in blocks for h in "AB"},
           "sct": {"sct.%s%s" % (b, w) for b in blocks for w in ("weight", "bias", "index")}}
    for s in OPTIONS:
        run(s, s, "--backend", backend, "--epochs", 4, "--lr", "0.01", "--warmup-epochs", 0,
            "--eval-interval", 2)
        head = "base_model.model.head.fc." if s == "lora" else "head.fc."
        equal(set(tensors(s)), own[s] | {head + "weight", head + "bias"}, s)
        steps, evals = log(s)
        first, last = (sum(l["loss"] for l in steps[k:k + 3]) for k in (0, 9))
        check(last < first, s, "did not learn:", first, last)
        r = sctrun("eval", "--backend", backend, "--adapter", s + "/last", "--data", "data",
                   "--json").json
        equal("%.9g" % r["loss"], "%.9g" % evals[-1]["eval_loss"], s)
        right = sum(p["class"] == i % 3 for i, p in enumerate(
            sorted(predict(s + "/last", "data/images/test", "--backend", backend),
                   key=lambda p: p["file"])))
        close(100 * right / 12, r["top1"], 1e-6, what=s)
        shutil.rmtree(s)


def same_bits(backend):
    """Neither threads nor micro-batches nor recomputation change a bit of a run. opencl has one
    slot, whose sums depend on the micro-batch."""
    needs(backend)
    swin()
    vtab()
    ways = [["--checkpoint", "block"], ["--threads", 1]]
    if backend != "opencl":
        ways += [["--micro-batch", 1], ["--threads", 2, "--micro-batch", 2, "--checkpoint",
                                        "block"]]
    for s in ("sct", "lora", "full"):
        args = ["--backend", backend, "--drop-path", "0.3", "--max-steps", 4]
        run("plain", s, *args)
        for i, way in enumerate(ways):
            run("way%d" % i, s, *args, *way)
            equal(adapter_bytes("way%d" % i) == adapter_bytes("plain"), True, "%s %s" % (s, way))
            equal(losses("way%d" % i), losses("plain"), "%s %s" % (s, way))
            shutil.rmtree("way%d" % i)
        shutil.rmtree("plain")


for _backend in BACKENDS:
    for _fn in (every_strategy, same_bits):
        def case(backend=_backend, fn=_fn):
            fn(backend)
        case.__name__ = "%s_%s" % (_fn.__name__, _backend)
        test(case)


@test
def preset_trains():
    """Swin-T with pictures of 224 pixels, a step of every strategy; counts as in its formulas."""
    vtab(n_train=4, n_test=2)
    width, depth = (96, 192, 384, 768), (2, 2, 6, 2)
    head = 3 * 769
    added = {"linear": 0, "full": PRESETS["swin_tiny_patch4_window7_224"],
             "lora": sum(n * 2 * 2 * (c + c) for c, n in zip(width, depth)),
             "sct": sum(n * ((c // 3) ** 2 + c // 3) for c, n in zip(width, depth))}
    for s, n in added.items():
        r = sctrun("train", "--model", "swin_tiny_patch4_window7_224", "--weights", "random",
                   "--data", "data", "--strategy", s, *OPTIONS[s], "--batch-size", 4,
                   "--max-steps", 1, "--output", s, "--json", timeout=300).json
        equal(r["trainable"], n + head, s)
        equal(len(losses(s)), 1)
        check(0.5 < losses(s)[0] < 2, s, "loss of three classes", losses(s)[0])


@test
def image_sizes():
    """Grids of 20, 10, 5, 3 with windows of 7: padded everywhere, and merging pads as well."""
    vtab()
    swin(image_size=40, window=7, weights=False)
    train("o", "--model", "swin.yaml", "--set", "k=1/3", strategy="sct", weights="random")
    equal(sctrun("eval", "--adapter", "o/last", "--weights", "random", "--data", "data",
                 "--json").json["images"], 12)
    text = read("o/last/adapter_config.json").decode()
    contains(text, '"image_size": 40', '"window": 7', '"depths": ', '"arch": "swin"')


@test
def refused():
    vtab()
    for parts, keys in ((["image_size 33 is not a multiple of patch_size 2"], {"image_size": 33}),
                        (["patches a side"], {"image_size": 14}),
                        (["heads that divide the width"], {"heads": "[1, 5, 3, 4]"}),
                        (["window"], {"window": 0}),
                        (["depths"], {"depths": "[2, 2]"}),
                        (["more windows of 4"], {"image_size": 34, "window": 4,
                                                 "depths": "[2, 2, 2, 2]"}),
                        (["mlp_ratio"], {"mlp_ratio": 0.01}),
                        (["pool"], {"pool": "token"})):
        swin(weights=False, **keys)
        fails(USAGE, parts, "train", "--model", "swin.yaml", "--weights", "random", "--data",
              "data", "--strategy", "linear", "--dry-run")
    swin()
    write("wrong.yaml", read("swin.yaml").decode().replace("window: 5", "window: 4"))
    fails(FILE, ["window is 5", "relative_position_bias_table", "[81][1]",
                 "says 4; --interp timm or ms resizes it"], "train", "--model", "wrong.yaml", "--weights",
          "swin.safetensors", "--data", "data", "--strategy", "linear", "--dry-run")
    # a table that was cut to its map
    write("large.yaml", read("swin.yaml").decode().replace("image_size: %d" % SIDE, "image_size: 64"))
    fails(FILE, ["relative_position_bias_table: expected [81]", "; --interp timm or ms resizes it"],
          "train", "--model", "large.yaml", "--weights", "swin.safetensors", "--data", "data", "--strategy",
          "linear", "--dry-run")
    run_ = ["train", "--model", "swin.yaml", "--weights", "swin.safetensors", "--data", "data"]
    fails(USAGE, ["stage[7]"], *run_, "--strategy", "sct", "--set",
          "sites=stage[7].block[*].attn.res", "--dry-run")
    fails(USAGE, ["k: "], *run_, "--strategy", "sct", "--set", "k=12", "--dry-run")


@test
def resizing():
    """Pictures of any shape become the model's, in every way."""
    swin()
    png("wide.png", 50, 30)
    png("right.png")
    args = ["--model", "swin.yaml", "--weights", "swin.safetensors"]
    plain = None
    for way in ("squash-bicubic", "squash-bilinear", "crop-bicubic", "crop-bilinear"):
        out = way
        sctrun("dump", "--site", "input", "--image", "wide.png", "--resize", way, "--output", out,
               *args)
        equal(read_npy(out + "/input.npy")[0], (1, 3, SIDE, SIDE))
        one = sctrun("predict", "--image", "right.png", "--resize", way, "--crop-pct", 1, "--json",
                     *args).jsonl[0]["logits"]
        plain = plain or one
        equal(one, plain, way)


@test
def sites_of_every_block():
    swin()
    png("p.png")
    sctrun("dump", "--site", "**", "--image", "p.png", "--output", "d", "--model", "swin.yaml",
           "--weights", "swin.safetensors")
    found = {f[:-len(".npy")] for f in os.listdir("d")}
    for s, b in LAYERS:
        for role in ("attn.in", "attn.qkv", "attn.proj", "attn.out", "attn.res", "mlp.in",
                     "mlp.fc1", "mlp.fc2", "mlp.out", "out"):
            name = "stage[%d].block[%d].%s" % (s, b, role)
            check(name in found, name, "is not among", sorted(found))
            grid, width = 16 >> s, 6 << s
            tokens = grid * grid
            if role == "attn.qkv" and s < 2:  # as qkv sees them: padded to windows of 5
                tokens = (-(-grid // 5) * 5) ** 2
            wide = {"attn.qkv": 3, "mlp.fc1": 2}.get(role, 1) * width
            equal(read_npy("d/%s.npy" % name)[0], (1, tokens, wide), name)
    for name in ("embed.patches", "stage[1].down.in", "embed.out", "norm.out", "pooled", "head", "logits", "stage[1].down",
                 "stage[2].down", "stage[3].down", "input"):
        check(name in found, name, "is not among", sorted(found))


main()
