# SPDX-License-Identifier: MIT
"""merge.py - adapters merged into the weights: the logits stay, to within f32; what cannot be merged, or
not exactly, leaves nothing behind."""
from e2e import *

# strategy, its options: everything that can be merged
EXACT = [("linear", ()), ("full", ()), ("bitfit", ()), ("layernorm", ()), ("partial", ("blocks=1",)),
         ("lora", ("r=4", "alpha=12", "targets=q,v,proj,fc1,fc2")), ("ssf", ("std=0.2",)),
         ("lora", ("r=2", "dora=on", "targets=q,v,fc2")),
         ("sct", ("mode=mlp", "k=8")), ("sct", ("mode=qkv", "k=8")), ("sct", ("mode=both", "k=8")),
         ("sct", ("mode=mlp", "k=8", "scale=0.5", "scaleonx=on")), ("sct", ("mode=mlp", "k=8", "form=fold")),
         ("ict", ("mode=mlp", "k=8", "module=wide")), ("ict", ("mode=qkv", "k=8", "module=wide")),
         ("repadapter", ("r=4", "scale=2", "dropout=0")),
         ("fact", ("rank=4", "scale=2")), ("fact", ("form=tk", "rank=5", "dropout=0")),
         ("spt", ("budget=0.003", "step=0.0005", "max=0.02", "r=2", "drop_path=0"))]
# several at once, whose modules meet at the same layers, in both orders
COMPOSED = [("lora", "repadapter"), ("repadapter", "lora"), ("ssf", "lora", "repadapter"), ("sct", "lora"),
            ("lora", "sct", "ssf"), ("bitfit", "repadapter"), ("fact", "lora"), ("ssf", "fact", "repadapter")]
REFUSED = [("sct", ("k=8",), "stage[0].block[1]"), ("ict", ("k=8",), "stage[0].block[1]"),
           ("adapter", (), "stage[0].block[1]"), ("adaptformer", (), "stage[0].block[1]"),
           ("convpass", (), "blocks.1.mlp"), ("vpt", ("n=2",), ""),
           ("spt", ("type=adapter", "budget=0.004", "step=0.0005", "max=0.02", "r=2"), "stage[0].block[1]")]


def setup(arch="vit"):
    if arch == "swin":
        swin()
    else:
        model()
        base()
    vtab(n_train=12, n_test=6)


def trained(strategy, options, name="run", arch="vit"):
    """An adapter far from its start."""
    files = {"vit": ("tiny.yaml", "base.safetensors"), "swin": ("swin.yaml", "swin.safetensors")}[arch]
    train(name, "--model", files[0], "--epochs", 3, "--lr", 0.02, "--eval-interval", 0,
          *[x for o in options for x in ("--set", o)], strategy=strategy, weights=files[1])
    return name + "/last"


def logits(*args):
    return [v for r in sctrun("predict", "data/images/test", "--json", *args).jsonl for v in r["logits"]]


def distance(a, b):
    return max(abs(x - y) for x, y in zip(a, b)) / max(map(abs, b))


def merges(strategy, options, arch="vit", config="tiny.yaml"):
    adapter = trained(strategy, options, arch=arch)
    r = sctrun("merge", adapter, "--output", "out", "--json").json
    equal((r["strategy"], r["format"], r["images"]), (strategy, "timm", 16))
    what = "%s %s: %s" % (strategy, options, r)
    # two orders of summation in f32, here and in the program's own probe
    check(0 <= r["relative"] <= 1e-5, what)
    close(r["relative"], r["difference"] / r["scale"], 1e-9, 0, what)
    want, got = logits("--adapter", adapter), logits("--model", config, "--weights", "out")
    check(distance(got, want) <= 1e-5, what, distance(got, want))
    shutil.rmtree("out")
    shutil.rmtree("run")
    no_leftovers("data", "tiny.yaml", "base.safetensors", "swin.yaml", "swin.safetensors")


@test
def composed():
    setup()
    own = {"lora": ["lora.r=4", "targets=q,v,fc1,fc2"], "repadapter": ["repadapter.r=4", "repadapter.scale=2"],
           "ssf": ["std=0.2"], "sct": ["mode=both", "k=8"], "bitfit": [],
           "fact": ["fact.form=tk", "rank=4"]}
    for parts in COMPOSED:
        sets = [x for p in parts for o in own[p] for x in ("--set", o)]
        train("run", "--epochs", 3, "--lr", 0.02, "--eval-interval", 0,
              *[x for p in parts for x in ("--strategy", p)], *sets)
        r = sctrun("merge", "run/last", "--output", "out", "--json").json
        check(0 <= r["relative"] <= 1e-5, parts, r)
        want, got = logits("--adapter", "run/last"), logits("--model", "tiny.yaml", "--weights", "out")
        check(distance(got, want) <= 1e-5, parts, distance(got, want))
        shutil.rmtree("out")
        shutil.rmtree("run")


@test
def every_strategy():
    """Each is tried here, and stands in the table of the documentation."""
    listed = sctrun("plugins").out.split("strategies\n")[1].split("\nbackends")[0]
    names = {line.split()[0] for line in listed.splitlines() if line[:2] == "  " and line[2:3].strip()}
    equal({s for s, *_ in EXACT + REFUSED}, names)
    text = open(os.path.join(os.path.dirname(__file__), "../../docs/adapters.md"), encoding="utf-8").read()
    table = text.split("| strategy | merged |")[1].split("\n\n")[0]
    for name in names:
        contains(table, "`%s`" % name)


@test
def exact():
    setup()
    for strategy, options in EXACT:
        merges(strategy, options)


@test
def exact_on_swin():
    setup("swin")
    for strategy, options in (("sct", ("mode=both", "k=1/3")), ("sct", ("mode=qkv", "k=1/3")),
                              ("lora", ("r=2",)), ("ssf", ("std=0.2",))):
        merges(strategy, options, "swin", "swin.yaml")


@test
def what_is_written():
    """timm's names and shapes; only the layer behind which the modules stood has moved, and there
    only the chosen rows."""
    setup()
    adapter = trained("sct", ("mode=mlp", "k=8"))
    text = sctrun("merge", "--adapter", adapter, "--output", "out/").out
    contains(text, "out/\nlargest difference of a logit: ", "(16 generated pictures)")
    got, plain = load_tensors("out/model.safetensors"), load_tensors("base.safetensors")
    equal({n: t[1] for n, t in got.items() if "head" not in n},
          {n: t[1] for n, t in plain.items() if "head" not in n})
    moved = sorted(n for n in got if got[n][2] != plain[n][2] and "head" not in n)
    equal(moved, ["blocks.%d.mlp.fc2.%s" % (b, w) for b in (0, 1) for w in ("bias", "weight")])
    chosen = load_tensors(adapter + "/adapter_model.safetensors")["sct.blocks.1.mlp.index"][2]
    bias = [i for i in range(48) if got["blocks.1.mlp.fc2.bias"][2][i] != plain["blocks.1.mlp.fc2.bias"][2][i]]
    check(bias and set(bias) <= set(chosen), bias, chosen)
    equal(sorted(os.listdir("out")), ["config.json", "model.safetensors"])
    for name in ("hf4", "hf5"):
        equal(sctrun("merge", adapter, "--output", name, "--format", name, "--json").json["format"], name)
        check(distance(logits("--model", "tiny.yaml", "--weights", name), logits("--adapter", adapter)) <= 1e-5)


@test
def probe_of_the_data():
    """--data: the probe is the test set, or its first pictures."""
    setup()
    adapter = trained("lora", ())
    equal(sctrun("merge", adapter, "--output", "a", "--json", "--data", "data").json["images"], 6)
    contains(sctrun("merge", adapter, "--output", "b", "--data", "data", "--test-limit", 2).out,
             "(2 test pictures)")
    equal(read("a/model.safetensors"), read("b/model.safetensors"))
    write("data/images/test/000001.png", "no picture")
    fails(DATA, ["000001.png"], "merge", adapter, "--output", "c", "--data", "data")
    check(not os.path.exists("c"), "a refused merge left a folder")


@test
def refused_by_name():
    setup()
    for strategy, options, place in REFUSED:
        adapter = trained(strategy, options)
        fails(USAGE, ["strategy %s: " % strategy, place, "cannot be merged"], "merge", adapter, "--output", "out")
        os.mkdir("empty")
        fails(USAGE, ["cannot be merged"], "merge", adapter, "--output", "empty")
        equal(os.listdir("empty"), [])
        os.rmdir("empty")
        shutil.rmtree("run")
        no_leftovers("data", "tiny.yaml", "base.safetensors")


@test
def refused_when_not_exact():
    """A pair whose two ranks all but cancel: B A is small and exact in f64, x A^T B^T is neither in f32."""
    setup()
    adapter = trained("lora", ("r=2", "targets=fc1"))
    path = adapter + "/adapter_model.safetensors"
    out = {}
    for name, (kind, shape, v) in load_tensors(path).items():
        v = list(v)
        if "lora_A" in name:
            half = len(v) // 2
            v = v[:half] + [x * (1 + 1e-6 * (i % 7)) for i, x in enumerate(v[:half])]
        if "lora_B" in name:
            v = [(1e6 if i % 2 else -1e6) for i in range(len(v))]
        out[name] = (kind, shape, floats(v))
    save_tensors(path, out)
    fails(FAIL, ["strategy lora", "would change a logit by", "at most 0.0001", "Nothing was written"],
          "merge", adapter, "--output", "out")
    no_leftovers("data", "tiny.yaml", "base.safetensors", "run")


@test
def bad_words():
    setup()
    adapter = trained("linear", ())
    fails(USAGE, ["which adapter"], "merge", "--output", "out")
    fails(USAGE, ["--output"], "merge", adapter)
    fails(USAGE, ["one adapter"], "merge", adapter, "--adapter", adapter, "--output", "out")
    fails(USAGE, ["--format onnx"], "merge", adapter, "--format", "onnx", "--output", "out")
    fails(USAGE, ["--dtype"], "merge", adapter, "--dtype", "bf16", "--output", "out")
    fails(USAGE, ["run"], "merge", adapter, "--output", "run")
    fails(FILE, ["nosuch"], "merge", "nosuch", "--output", "out")
    check(not os.path.exists("out"))


main()
