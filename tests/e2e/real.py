# SPDX-License-Identifier: MIT
"""real.py - real weights and pictures, from the folder that SCTRUN_ASSETS names; skipped without.

The bounds are far below what a linear probe of these features reaches on a thousand images, and
far above chance: they tell a right pipeline (names, preprocessing, pooling) from a wrong one.
"""
import os

from e2e import *

ASSETS = os.environ.get("SCTRUN_ASSETS", "")
VIT = os.path.join(ASSETS, "weights", "vit_tiny_patch16_224_augreg_in21k_ft_in1k.safetensors")


def needs(*paths):
    if not ASSETS:
        raise Skipped("SCTRUN_ASSETS is not set")
    for path in paths:
        if not os.path.exists(path):
            raise Skipped(path + " is not there")


def subset(name, n_train, n_test):
    """A list of the first images of a data set; its folder and the two lists."""
    folder = os.path.join(os.path.abspath(ASSETS), "data", name)
    needs(VIT, folder)
    for source, target, n in (("train800val200.txt", "train.txt", n_train),
                              ("test.txt", "test.txt", n_test)):
        lines = read(os.path.join(folder, source)).decode().splitlines(True)
        write(target, "".join(lines[:n]))
    return ["--data", folder, "--train-list", os.path.abspath("train.txt"), "--test-list",
            os.path.abspath("test.txt")]


@test
def inspect_real_weights():
    needs(VIT)
    r = sctrun("inspect", VIT, "--json").json
    equal(r["elements"], 5717416)
    equal({t["name"]: t["shape"] for t in r["tensors"]}["blocks.11.mlp.fc2.weight"], [192, 768])


@test
def parameter_counts():
    """Of ViT-Ti/16 with ten classes: the base without its head is 5,524,416 parameters."""
    data = subset("cifar10", 64, 8)
    for strategy, extra, trainable, added in (
            ("linear", [], 1930, 0), ("sct", ["--set", "k=24"], 1930 + 12 * (24 * 24 + 24), None),
            ("lora", ["--set", "r=8"], 1930 + 12 * 2 * (8 * 192 * 2), None),
            ("full", [], 5524416 + 1930, None)):
        r = sctrun("train", "--weights", VIT, *data, "--strategy", strategy, *extra, "--dry-run",
                   "--json")
        equal(r.json["trainable"], trainable, strategy)
        equal(r.json["head"], 1930)
        total = 5524416 + (trainable if strategy != "full" else 1930)
        equal(r.json["all"], total, strategy)
        contains(r.err, "trainable params: {:,} || all params: {:,} || ".format(trainable, total))


@test
def linear_probe_of_cifar10():
    data = subset("cifar10", 160, 64)
    sctrun("train", "--weights", VIT, *data, "--strategy", "linear", "--epochs", 3,
           "--batch-size", 32, "--lr", "0.01", "--output", "o", timeout=170)
    top1 = log("o")[1][-1]["eval_top1"]
    check(top1 > 50, "top1 after three epochs is", top1)
    r = sctrun("eval", "--adapter", "o/last", *data, "--json").json
    equal("%.9g" % r["loss"], "%.9g" % log("o")[1][-1]["eval_loss"])


@test
def sct_learns_eurosat():
    data = subset("eurosat", 64, 48)
    sctrun("train", "--weights", VIT, *data, "--strategy", "sct", "--set", "k=24", "--epochs", 3,
           "--batch-size", 32, "--lr", "0.01", "--output", "o", timeout=170)
    steps, evals = log("o")
    check(steps[-1]["loss"] < 0.7 * steps[0]["loss"], [s["loss"] for s in steps])
    check(evals[-1]["eval_top1"] > 35, evals)


@test
def own_head_knows_pictures():
    """The checkpoint's own head, 1000 classes: airliners, cars and dogs of CIFAR-10 land in a few
    classes of ImageNet each, and not in the same."""
    folder = subset("cifar10", 8, 40)[1]
    os.mkdir("pictures")
    labels = []
    for i, line in enumerate(read("test.txt").decode().splitlines()):
        name, label = line.rsplit(" ", 1)
        labels.append(label)
        os.symlink(os.path.join(folder, name),
                   "pictures/%02d%s" % (i, os.path.splitext(name)[1]))
    found = {}
    rows = sctrun("predict", "--weights", VIT, "--image", "pictures", "--json").jsonl
    equal(len(rows), 40)
    for label, r in zip(labels, rows):
        equal(len(r["logits"]), 1000)
        close(sum(r["probabilities"]), 1, 1e-5)
        found.setdefault(label, []).append(r["class"])
    # ImageNet: 0-397 animals, 398-999 things; CIFAR-10: 2 to 7 are animals
    right = sum((c < 398) == (2 <= int(l) <= 7) for l, cs in found.items() for c in cs)
    check(right >= 32, "%d of 40 on the right side of animal and thing" % right, found)


main()
