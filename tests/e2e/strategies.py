# SPDX-License-Identifier: MIT
"""strategies.py - bitfit, layernorm, partial: which tensors a run trains, in a
ViT and in a Swin, that it learns, that the adapter gives back what was logged, what each option does,
what is refused."""
import re

from e2e import *

VIT = ["blocks.0", "blocks.1"]
SWIN = ["layers.%d.blocks.%d" % b for b in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (3, 0)]]


def part(pattern):
    """Those of the base whose whole name fits."""
    return lambda names, blocks: {n for n in names if re.fullmatch(pattern, n)}


# (strategy, settings) -> tensors beside the head, of the names and blocks of a base
RUNS = [
    ("bitfit", [], part(r".*bias.*")),
    ("bitfit", ["tables=off"], part(r".*\.bias")),
    ("layernorm", [], part(r"(.*[.])?\w*norm\w*[.](weight|bias)")),
    ("partial", [], lambda names, blocks: {n for n in names if n.startswith(("norm.", blocks[-1]))}),
    ("partial", ["blocks=2"],
     lambda names, blocks: {n for n in names if n.startswith(("norm.", *blocks[-2:]))}),
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


def setup():
    model()
    base()
    vtab()


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


main()
