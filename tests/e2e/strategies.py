# SPDX-License-Identifier: MIT
"""strategies.py - bitfit, layernorm, partial, adapter, adaptformer, repadapter, convpass: which tensors a run trains, in a
ViT and in a Swin, that it learns, that the adapter gives back what was logged, what each option does,
what is refused."""
import math
import re

from e2e import *

VIT = ["blocks.0", "blocks.1"]
SWIN = ["layers.%d.blocks.%d" % b for b in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (3, 0)]]


def halves(names, biases=True, parts=("down", "up")):
    return {"%s.%s.%s" % (n, half, w) for n in names for half in parts
            for w in (("weight", "bias") if biases else ("weight",))}


def part(pattern):
    """Those of the base whose whole name fits."""
    return lambda names, blocks: {n for n in names if re.fullmatch(pattern, n)}


def modules(strategy, *branches, **kw):
    return lambda names, blocks: halves(["%s.%s.%s" % (strategy, b, w) for b in blocks
                                         for w in branches], **kw)


# (strategy, settings) -> tensors beside the head, of the names and blocks of a base
RUNS = [
    ("bitfit", [], part(r".*bias.*")),
    ("bitfit", ["tables=off"], part(r".*\.bias")),
    ("layernorm", [], part(r"(.*[.])?\w*norm\w*[.](weight|bias)")),
    ("partial", [], lambda names, blocks: {n for n in names if n.startswith(("norm.", blocks[-1]))}),
    ("partial", ["blocks=2"],
     lambda names, blocks: {n for n in names if n.startswith(("norm.", *blocks[-2:]))}),
    ("adapter", ["r=3"], modules("adapter", "mlp")),
    ("adapter", ["r=3", "form=houlsby"], modules("adapter", "attn", "mlp")),
    ("adapter", ["r=3", "form=noah"], modules("adapter", "mlp")),
    ("adaptformer", ["r=3"], modules("adaptformer", "mlp")),
    ("adaptformer", ["r=3", "form=petl", "scale=1"], modules("adaptformer", "mlp", biases=False)),
    ("adaptformer", ["r=3", "form=sct"], lambda names, blocks: modules("adaptformer", "mlp")(
        names, blocks) | {"adaptformer.%s.mlp.norm.%s" % (b, w) for b in blocks
                          for w in ("weight", "bias")}),
    ("repadapter", ["r=4"], modules("repadapter", "attn", "mlp")),
    ("repadapter", ["r=3", "groups=1", "form=attn"], modules("repadapter", "attn")),
    ("convpass", ["h=3"], modules("convpass", "attn", "mlp", parts=("down", "conv", "up"))),
    ("convpass", ["h=9", "form=attn", "init=xavier"],
     modules("convpass", "attn", parts=("down", "conv", "up"))),
]


def settings(options):
    return [x for o in options for x in ("--set", o)]


def learns(output, strategy, options, names, blocks, expected, *args, **kw):
    """Trains: the tensors, a falling loss, the count; eval and predict repeat the log; what is not
    trained is not saved."""
    r = train(output, "--epochs", 4, "--lr", "0.02", "--warmup-epochs", 0, "--eval-interval", 2, "--json",
              *settings(options), *args, strategy=strategy, **kw)
    base_ = {n for n in names if not n.startswith("head.")}
    head = {n for n in names if n.startswith("head.")}
    found = tensors(output)
    equal(set(found), expected(base_, blocks) | head, "%s %s" % (strategy, options))
    equal(r.json["trainable"], sum(count(t[1]) for t in found.values()))
    steps, evals = log(output)
    first, last = (sum(l["loss"] for l in steps[k:k + 3]) for k in (0, 9))
    check(last < first, strategy, options, "did not learn:", first, last)
    again = sctrun("eval", "--adapter", output + "/last", "--data", "data", "--json").json
    equal("%.9g" % again["loss"], "%.9g" % evals[-1]["eval_loss"], strategy)
    right = sum(p["class"] == i % 3 for i, p in enumerate(
        sorted(predict(output + "/last", "data/images/test"), key=lambda p: p["file"])))
    close(100 * right / 12, again["top1"], 1e-6, what=strategy)


@test
def learn_in_a_vit():
    model()
    base()
    vtab()
    for i, (s, options, expected) in enumerate(RUNS):
        learns("o%d" % i, s, options, base_shapes(), VIT, expected)


@test
def learn_in_a_swin():
    swin()
    vtab()
    names = load_tensors("swin.safetensors")
    for i, (s, options, expected) in enumerate(RUNS):
        learns("o%d" % i, s, options, names, SWIN, expected, "--model", "swin.yaml",
               weights="swin.safetensors")


def still(name, strategy, *options):
    """Losses of two steps that change nothing, in the list's order."""
    train(name, "--lr", 0, "--max-steps", 2, "--shuffle", "off", *settings(options), strategy=strategy)
    return losses(name)


def moved(name, strategy, *options):
    """Losses of three steps."""
    train(name, "--lr", "0.05", "--lr-schedule", "constant", "--max-steps", 3, "--shuffle", "off",
          *settings(options), strategy=strategy)
    return losses(name)


def setup():
    model()
    base()
    vtab()


@test
def in_the_demo():
    """Every strategy that is built runs on the demo's base with nothing else said."""
    named = re.findall(r"^  (\w+) ", sctrun("plugins").out.split("backends\n")[0], re.M)
    check({"sct", "ict", "spt", "vpt"} <= set(named), named)
    ran = {s: sctrun("train", "--strategy", s, "--backend", "cpu", "--max-steps", 1, "--test-limit", 4, "--output",
                     s, "--json").json for s in named}
    for s, r in ran.items():
        equal((r["strategy"], r["last"]["images"]), (s, 4))
    budget = re.search(r"^  budget: (.*)", read("spt/args.yaml").decode(), re.M).group(1)
    close(ran["spt"]["trainable"] - ran["spt"]["head"], float(budget) * 1e6, 0.1)


@test
def same_bits():
    """Neither threads nor recomputation change a bit of a run."""
    setup()
    for s, options, _ in RUNS:
        args = ["--max-steps", 2, "--lr", "0.05", *settings(options)]
        train("a", *args, "--threads", 1, strategy=s)
        train("b", *args, "--threads", 3, "--checkpoint", "block", strategy=s)
        equal(adapter_bytes("a"), adapter_bytes("b"), s)
        shutil.rmtree("a")
        shutil.rmtree("b")


@option("bitfit:tables")
def tables_of_positions():
    swin()
    vtab()
    args = ["--model", "swin.yaml", "--max-steps", 1]
    for value, there in (("on", True), ("off", False)):
        train(value, *args, "--set", "tables=" + value, strategy="bitfit", weights="swin.safetensors")
        equal(any("table" in n for n in tensors(value)), there, value)


@option("partial:blocks")
def blocks_from_the_end():
    setup()
    for n in (1, 2):
        train(str(n), "--max-steps", 1, "--set", "blocks=%d" % n, strategy="partial")
        equal({t.split(".")[1] for t in tensors(str(n)) if t.startswith("blocks.")},
              {"0", "1"} if n == 2 else {"1"})
    fails(USAGE, ["strategy partial", "the last 3 are wanted", "has 2"], "train", "--model",
          "tiny.yaml", "--weights", "base.safetensors", "--data", "data", "--strategy", "partial",
          "--set", "blocks=3")


def starts(run, strategy, half):
    return [v for n, t in tensors(run).items() if n.startswith(strategy) and
            n.endswith(half + ".weight") for v in t[2]]


@option("adapter:init", "adaptformer:init")
def init():
    """zero starts as the plain model; a truncated normal does not, and both matrices have it."""
    setup()
    plain = still("plain", "linear")
    for s, zero, normal in (("adapter", "pfeiffer", "noah"), ("adaptformer", "petl", "sct")):
        for form, init_, same in ((zero, "form", True), (normal, "form", False),
                                  (normal, "zero", True), (zero, "trunc_normal", False)):
            run = "%s-%s-%s" % (s, form, init_)
            found = still(run, s, "form=" + form, "init=" + init_, "dropout=0", "r=16")
            equal(found == plain, same, run)
            up, down = starts(run, s, "up"), starts(run, s, "down")
            equal(not any(up), same, run)
            check(all(down), run)
            if not same:
                for values in (up, down):  # deviation of the mean square: 0.02 / sqrt(2 n)
                    close(math.sqrt(sum(v * v for v in values) / len(values)), 0.02, 0.1, what=run)
                    check(max(map(abs, values)) <= 2.0, run)


@option("adapter:last", "adaptformer:last")
def last_blocks():
    """Modules in the last blocks only, of either form; no more blocks than there are."""
    setup()
    for s, options, places in (("adapter", [], ["mlp"]), ("adapter", ["form=houlsby"], ["attn", "mlp"]),
                               ("adaptformer", [], ["mlp"])):
        moved("one", s, "last=1", *options)
        equal(sorted({".".join(n.split(".")[1:4]) for n in tensors("one") if n.startswith(s)}),
              ["blocks.1." + p for p in places])
        shutil.rmtree("one")
        fails(USAGE, ["last", "3 blocks wanted", "has 2"], "train", "--model", "tiny.yaml", "--data", "data",
              "--weights", "base.safetensors", "--strategy", s, "--set", "last=3")


@option("adapter:form", "adapter:r", "adapter:scale", "adapter:dropout")
def options_of_adapter():
    setup()
    a = moved("a", "adapter")
    equal(tensors("a")["adapter.blocks.0.mlp.down.weight"][1], [8, 48])
    for name, opts in (("houlsby", ["form=houlsby"]), ("r", ["r=2"]), ("scale", ["scale=3"]),
                       ("dropout", ["dropout=0.5"])):
        check(moved(name, "adapter", *opts) != a, opts, "has no effect")
    equal(tensors("r")["adapter.blocks.1.mlp.up.weight"][1], [48, 2])
    # what a form means, said by hand: noah has dropout 0.1 and another activation
    noah = moved("noah", "adapter", "form=noah")
    equal(moved("noah01", "adapter", "form=noah", "dropout=0.1"), noah)
    check(moved("noah0", "adapter", "form=noah", "dropout=0") != noah)
    equal(moved("zero", "adapter", "dropout=0"), a)
    check(moved("quick", "adapter", "form=noah", "dropout=0", "init=zero") != a, "same activation")
    fails(USAGE, ["form", "pfeiffer|houlsby|noah", "other"], "train", "--model", "tiny.yaml", "--data",
          "data", "--weights", "base.safetensors", "--strategy", "adapter", "--set", "form=other")


@option("adaptformer:form", "adaptformer:r", "adaptformer:scale", "adaptformer:dropout")
def options_of_adaptformer():
    setup()
    a = moved("a", "adaptformer")
    for form, r in (("original", 64), ("petl", 8), ("sct", 96)):
        moved(form, "adaptformer", "form=" + form)
        equal(tensors(form)["adaptformer.blocks.0.mlp.down.weight"][1], [r, 48])
        dropped = moved(form + "01", "adaptformer", "form=" + form, "dropout=0.1")
        equal(dropped, losses(form), "every form has dropout 0.1")
        own = "1" if form == "sct" else "0.1"
        equal(moved(form + "s", "adaptformer", "form=" + form, "scale=" + own), dropped, "scale")
    equal(losses("original"), a)
    equal(moved("64", "adaptformer", "r=64"), a)
    for name, opts in (("r", ["r=2"]), ("scale", ["scale=10"]), ("dropout", ["dropout=0"])):
        check(moved(name, "adaptformer", *opts) != a, opts, "has no effect")
    equal(tensors("r")["adaptformer.blocks.1.mlp.up.weight"][1], [48, 2])


@test
def exported_folders():
    """What is trained of the base is in the folder's weights; a bottleneck is refused by its place."""
    setup()
    for s in ("bitfit", "layernorm", "partial"):
        train(s, "--max-steps", 2, "--lr", "0.05", strategy=s)
        sctrun("export", "--adapter", s + "/last", "--weights", "base.safetensors", "--format", "timm",
               "--output", "out")
        own, plain = tensors(s), load_tensors("base.safetensors")
        for name, t in load_tensors("out/model.safetensors").items():
            equal(t[2], own.get(name, plain[name])[2], s + ": " + name)
        shutil.rmtree("out")
    for s, place in (("adapter", "block[1].mlp.out"), ("adaptformer", "block[1].out"),
                     ("convpass", "convpass.blocks.1.mlp.up")):
        train(s, "--max-steps", 1, strategy=s)
        fails(USAGE, ["strategy " + s, place, "cannot be merged"], "export", "--adapter",
              s + "/last", "--weights", "base.safetensors", "--format", "timm", "--output", "out")
        check(not os.path.exists("out"))


main()
