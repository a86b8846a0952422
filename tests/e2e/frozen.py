# SPDX-License-Identifier: MIT
"""frozen.py - features of a frozen part: when there are any, and that no bit of a run changes."""
import re

from e2e import *


def setup(**keys):
    model(depth=4, **keys)
    base(depth=4)
    vtab()


def both(name, *args, backend="cpu", strategy="linear", **kw):
    """Two runs of two epochs, without and with features; what the second said of them."""
    args = ["--epochs", 2, "--eval-interval", 1, "--backend", backend, *args]
    train(name + "-0", "--feature-bytes", "0", *args, strategy=strategy, **kw)
    r = train(name + "-1", *args, strategy=strategy, **kw)
    equal(adapter_bytes(name + "-0"), adapter_bytes(name + "-1"), name)
    equal(losses(name + "-0"), losses(name + "-1"), name)
    return re.findall(r"features of (\d+) (training|test) images: computed once, (\S+) MB", r.err)


@test
def strategies():
    """The frozen part is all but the head, the blocks before the first that is changed, or not
    worth keeping."""
    setup()
    kept = [("24", "training"), ("12", "test")]
    for strategy, args, want in (
            ("linear", [], kept), ("partial", ["blocks=1"], kept), ("partial", ["blocks=4"], []),
            ("sct", ["k=6", "last=2"], kept), ("sct", ["k=6"], kept),  # attention of block 0 of 4
            ("lora", ["r=2"], []), ("full", [], []), ("bitfit", [], []),
            ("adapter", ["r=2", "dropout=0"], kept), ("vpt", ["n=2"], [])):
        sets = [x for a in args for x in ("--set", a)]
        found = both("-".join([strategy] + args), *sets, strategy=strategy)
        equal([f[:2] for f in found], want, strategy)


@test
def backends_threads():
    """The same bits on every backend, for any threads and micro-batch."""
    setup()
    args = ["--set", "blocks=1"]
    for backend in ("ref", "cpu", "opencl"):
        if backend == "opencl" and not opencl():
            continue
        check(both("b-" + backend, *args, backend=backend, strategy="partial"))
    for i, more in enumerate((["--threads", 1], ["--threads", 3], ["--micro-batch", 2],
                              ["--checkpoint", "block"])):
        check(both("t%d" % i, *args, *more, strategy="partial"))
        equal(adapter_bytes("t%d-1" % i), adapter_bytes("b-cpu-0"))


@test
def last_batch_and_limits():
    """Partial batches, dropped ones, an order that is not shuffled, few steps, few test images."""
    setup()
    vtab(n_train=21, n_test=13)
    for i, more in enumerate((["--drop-last", "on"], ["--drop-last", "off"],
                              ["--shuffle", "off"], ["--max-steps", 4],
                              ["--test-limit", 5], ["--batch-size", 64])):
        check(both("l%d" % i, *more), more)


@test
def read_once():
    """What is read once is not kept: one epoch, one evaluation."""
    setup()
    said = lambda r: re.findall(r"features of (\d+) (training|test)", r.err)
    equal(said(train("once", "--epochs", 1)), [])
    equal(said(train("twice", "--epochs", 2)), [("24", "training")])
    equal(said(train("evals", "--epochs", 2, "--eval-interval", 1)),
          [("24", "training"), ("12", "test")])
    equal(said(train("steps", "--epochs", 9, "--max-steps", 3)), [])


@test
def drawn_anew():
    """Training pictures that change from epoch to epoch are not kept. Stochastic depth ends the
    frozen part of training: behind block 0, whose rate is 0; not that of evaluation."""
    setup()
    steps = ["--preprocess", "vtab-imagenet-aug"]
    equal([f[1] for f in both("flip", "--preprocess", "vtab-imagenet-aug")], ["test"])
    train_mb, test_mb = [float(f[2]) for f in both("depth", "--drop-path", "0.5")]
    check(train_mb > test_mb, train_mb, test_mb)  # tokens, not one vector


@test
def swin_too():
    """Stages of a Swin before the first that is changed."""
    swin()
    vtab(classes=SWIN_CLASSES, n_train=12, n_test=6)
    for strategy, args in (("linear", []), ("sct", ["--set", "k=3", "--set", "last=1"])):
        check(both("w" + strategy, "--model", "swin.yaml", *args, weights="swin.safetensors",
                   strategy=strategy), strategy)


@test
def plan():
    """--dry-run counts the bytes, and computes nothing."""
    setup()
    args = ["train", "--dry-run", "--json", "--model", "tiny.yaml", "--weights",
            "base.safetensors", "--data", "data", "--strategy", "linear", "--epochs", 2,
            "--eval-interval", 1]
    m = sctrun(*args)
    equal(m.json["memory"]["features"], (24 + 12) * 48 * 4)
    check("computed once" not in m.err, m.err)
    equal(sctrun(*args, "--feature-bytes", 0).json["memory"]["features"], 0)


@test
def unreadable():
    """A picture that cannot be read is named, and nothing is left behind."""
    setup()
    write("data/images/train800val200/000007.png", "no picture")
    fails(DATA, ["000007.png"], "train", "--epochs", 2, "--model", "tiny.yaml", "--weights",
          "base.safetensors", "--data", "data", "--strategy", "linear", "--output", "o")
    check(not os.path.exists("o"))


main()
