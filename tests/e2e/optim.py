# SPDX-License-Identifier: MIT
"""optim.py - groups of parameters, layer-wise learning rates, what decays, moving averages.

That the numbers are PyTorch's and timm's is shown by tests/golden/test_optim.c; here every option
is seen from outside, and the factors of whole models are timm's (tests/golden/layer_decay.json).
"""
import json
import os

from e2e import *

SGD = ["--optimizer", "sgd", "--momentum", 0, "--weight-decay", 0, "--lr-schedule", "constant",
       "--shuffle", "off", "--lr", "0.1"]
SWIN = {"arch": "swin", "image_size": 32, "patch_size": 2, "dim": 12, "depths": "[1, 2, 3, 1]",
        "heads": "[1, 2, 3, 4]", "window": 4}


def setup(**data):
    model()
    base()
    return vtab(**data)


def groups(*args, config="tiny.yaml", strategy="full"):
    """name -> (lr_mult, wd_mult, lr, weight_decay) of a dry run."""
    rows = sctrun("train", "--model", config, "--weights", "random", "--data",
                  "task:sprites_shape", "--strategy", strategy, "--dry-run", "--json",
                  *args).json["groups"]
    out = {}
    for row in rows:
        equal(len(set(row["params"]) & set(out)), 0)
        check(row["parameters"] >= len(row["params"]))
        out.update({n: tuple(row[k] for k in ("lr_mult", "wd_mult", "lr", "weight_decay"))
                    for n in row["params"]})
    equal(len({v[:2] for v in out.values()}), len(rows))
    return out


def moved(run, start, which="last"):
    """name -> largest step of a trained tensor."""
    a, b = tensors(run, which), tensors(start)
    return {n: max(abs(x - y) for x, y in zip(a[n][2], b[n][2])) for n in a}


@option("group")
def group():
    """Factors reach the steps; the last rule that has a factor counts, over flags and files."""
    setup()
    full = {"strategy": "full"}
    train("start", "--lr", 0, "--max-steps", 1, **full)
    train("plain", *SGD, "--max-steps", 1, **full)
    train("half", *SGD, "--max-steps", 1, "--group", "blocks.1.** lr=0.5", "--group=head.* lr=0",
          **full)
    plain, half = moved("plain", "start"), moved("half", "start")
    check(min(plain[n] for n in plain if n.startswith("head")) > 1e-4, plain)
    for n in plain:
        by = 0.5 if n.startswith("blocks.1.") else 0.0 if n.startswith("head.") else 1.0
        close(half[n], by * plain[n], 1e-3, 1e-7, n)
    # decay: AdamW's is -lr wd w
    adam = ["--lr", "0.01", "--lr-schedule", "constant", "--shuffle", "off", "--max-steps", 1]
    train("w0", *adam, "--weight-decay", 0)
    train("w2", *adam, "--weight-decay", "0.5", "--group", "head.weight wd=2")
    start = tensors("start")["head.weight"][2]
    for a, b, w in zip(tensors("w2")["head.weight"][2], tensors("w0")["head.weight"][2], start):
        close(a - b, -0.01 * 0.5 * 2 * w, 1e-2, 1e-7, "decay")
    # sources: the strategy's rules, the file's, the flags'; the last one wins, per factor
    write("c.yaml", "groups:\n  - {params: '**', lr_mult: 0.5, wd_mult: 3}\n"
                    "  - {params: blocks.0.**, lr_mult: 0.25}\n")
    g = groups("-c", "c.yaml", "--group", "**.bias,cls_token lr=2")
    equal(g["blocks.0.attn.qkv.weight"][:2], (0.25, 3))
    equal(g["blocks.0.attn.qkv.bias"][:2], (2, 3))
    equal(g["cls_token"][:2], (2, 3))
    equal(g["norm.weight"][:2], (0.5, 3))
    close(g["norm.weight"][2], 0.5 * 1e-4, 1e-6)  # configs/strategies/full.yaml has lr 1e-4
    contains(sctrun("train", "--model", "tiny.yaml", "--weights", "random", "--data",
                    "task:sprites_shape", "--strategy", "full", "--dry-run", "-c", "c.yaml").out,
             "optimiser groups", "lr", "weight decay", "2.5e-05", "blocks.0.norm1.weight")
    train("a", *SGD, "--max-steps", 1, "-c", "c.yaml", "--group", "**.bias lr=2", **full)
    text = read("a/args.yaml").decode()
    contains(text, 'groups:\n  - {params: "**", lr_mult: 0.5, wd_mult: 3}\n'
                   '  - {params: "blocks.0.**", lr_mult: 0.25}\n'
                   '  - {params: "**.bias", lr_mult: 2}\n')
    sctrun("train", "-c", "a/args.yaml", "--output", "b")
    equal(adapter_bytes("b"), adapter_bytes("a"))
    equal(read("b/args.yaml").decode().replace("output: b\n", "output: a\n"), text)


@test
def nothing_moves():
    """Warned about where no learning rate is left."""
    setup()
    args = ["train", "--data", "data", "--model", "tiny.yaml", "--weights", "base.safetensors", "--strategy",
            "linear", "--max-steps", 1]
    word = "all that is trained has the learning rate 0"
    for i, (rules, warned) in enumerate(((["** lr=0"], True), (["head.weight lr=0", "head.bias lr=0"], True),
                                         (["head.weight lr=0"], False), (["** lr=0", "head.bias lr=1"], False))):
        r = sctrun(*args, "--output", "o%d" % i, *[x for g in rules for x in ("--group", g)])
        equal(word in r.err, warned, rules)
    contains(sctrun(*args, "--output", "o", "--lr", 0).err, word)


@test
def bad_groups():
    setup()
    args = ["train", "--data", "data", "--model", "tiny.yaml", "--weights", "base.safetensors",
            "--strategy", "full", "--output", "o"]
    for rule, words in (
            ("blocks.*.atn.qkv.weight lr=1", ["matches no trained parameter", "near are",
                                              "attn.qkv.weight"]),
            ("blocks.0.** ", ["neither"]), ("lr=1", ["'PATTERN lr=X wd=Y'"]),
            ("head.* lr=-1", ["factor", "-1"]), ("head.* lr=x", ["factor", "x"]),
            ("head.* lr=nan", ["factor"]), ("head.* lr=1 lr=2", ["lr=2"]),
            ("head.* nrm.* lr=1", ["nrm.*"]), ("head..weight lr=1", ["pattern", "empty word"]),
            ("head.* eps=1", ["eps=1"])):
        fails(USAGE, ["--group"] + words, *args, "--group", rule)
    fails(USAGE, ["--group needs"], *args, "--group")
    fails(USAGE, ["frozen parameters only", "blocks.0.attn.qkv.weight", "head.weight"], "train",
          "--data", "data", "--model", "tiny.yaml", "--weights", "base.safetensors", "--strategy",
          "linear", "--output", "o", "--group", "blocks.*.attn.qkv.weight lr=1")
    for text, words in (("groups: 3\n", ["groups"]), ("groups: [a]\n", ["params: PATTERN"]),
                        ("groups:\n  - {params: head.*, lr: 2}\n", ["unknown key 'lr'"]),
                        ("groups:\n  - {lr_mult: 2}\n", ["params"]),
                        ("groups:\n  - {params: hed.*, lr_mult: 2}\n", ["c.yaml:2", "near are"])):
        write("c.yaml", text)
        fails(USAGE, ["c.yaml"] + words, *args, "-c", "c.yaml")
    check(not os.path.exists("o"))


@test
def groups_of_recipes():
    """A recipe may have rules; show prints them, and what it prints gives the same run."""
    setup()
    write("r.yaml", "recipe: {about: a, source: b, weights: c, expect: d}\nlr: 0.25\n"
                    "groups:\n  - {params: head.*, lr_mult: 0.5}\n"
                    "tasks:\n  t:\n    groups:\n      - {params: head.bias, lr_mult: 3}\n")
    run = lambda *a: groups(*a, strategy="linear")
    g = run("--recipe", "r.yaml:t")
    equal((g["head.weight"][0], g["head.bias"][0], g["head.bias"][2]), (0.5, 3, 0.75))
    write("shown.yaml", sctrun("recipe", "show", "r.yaml:t").out)
    equal(run("-c", "shown.yaml"), g)


@option("layer_decay", "weight_decay_on")
def timm_factors():
    """Every parameter of six kinds of model has timm's factor and decays as timm's does; what a
    strategy adds has that of its block."""
    golden = json.loads(read(GOLDEN + "/layer_decay.json"))
    args = ["--layer-decay", golden["decay"], "--weight-decay-on", "matrices"]
    for name, m in golden["models"].items():
        if name == "swin":
            write("m.yaml", yaml_text(SWIN))
        else:
            model("m.yaml", depth=3, **m["keys"])
        found = groups(*args, config="m.yaml")
        equal(sorted(found), sorted(m["factors"]), name)
        for n, (factor, decays) in m["factors"].items():
            equal(found[n][1], decays, name + " " + n)
            close(found[n][0], factor, 1e-6, 0, name + " " + n)
    model("m.yaml", depth=3)
    check(all(v[:2] == (1, 1) for v in groups(config="m.yaml").values()))
    own = lambda s, *a: {n: v[0] for n, v in groups(*args[:2], *a, config="m.yaml",
                                                    strategy=s).items()}
    d = golden["decay"]
    for strategy, extra in (("adapter", []), ("lora", []), ("ssf", []), ("sct", ["--set", "k=4"])):
        for n, factor in own(strategy, *extra).items():
            block = [int(w) for w in n.split(".") if w.isdigit()]
            layer = block[0] + 1 if block else 0 if "patch_embed" in n else 3 if \
                n.startswith("norm") else 4
            close(factor, d ** (4 - layer), 1e-6, 0, strategy + " " + n)
    # prompts stand at the output of what is before their block; shared factors belong to no block
    vpt = own("vpt")
    for b in range(3):
        close(vpt["vpt.blocks.%d.prompts" % b], d ** (4 - b), 1e-6)
    fact = own("fact")
    equal((fact["fact.u.weight"], fact["fact.v.weight"]), (1, 1))
    close(fact["fact.blocks.2.q.weight"], d, 1e-6)
    write("m.yaml", yaml_text(SWIN))
    close(own("adapter")["adapter.layers.2.blocks.1.mlp.up.weight"], d ** 3, 1e-6)


@test
def layer_decay_trains():
    """The factor is in the steps, and a --group multiplies on top of it."""
    setup()
    full = {"strategy": "full"}
    train("start", "--lr", 0, "--max-steps", 1, **full)
    train("plain", *SGD, "--max-steps", 1, **full)
    train("decay", *SGD, "--max-steps", 1, "--layer-decay", "0.5", "--group", "blocks.0.** lr=3",
          **full)
    plain, decay = moved("plain", "start"), moved("decay", "start")
    for n, by in (("head.weight", 1), ("blocks.1.mlp.fc1.weight", 0.5), ("norm.bias", 0.5),
                  ("blocks.0.mlp.fc1.weight", 0.75), ("pos_embed", 0.125),
                  ("patch_embed.proj.weight", 0.125)):
        close(decay[n], by * plain[n], 1e-3, 1e-7, n)
    # matrices only: vectors and the class token keep their size when nothing else moves them
    adam = ["--lr", "0.01", "--lr-schedule", "constant", "--shuffle", "off", "--max-steps", 1]
    for on in ("all", "matrices"):
        train(on, *adam, "--weight-decay", 1, "--weight-decay-on", on, **full)
    train("none", *adam, "--weight-decay", 0, **full)
    a, b, c = tensors("all"), tensors("matrices"), tensors("none")
    for n in a:
        vector = len(a[n][1]) < 2 or n in ("cls_token", "pos_embed")
        equal(b[n], c[n] if vector else a[n], n)
        check(a[n] != c[n] or n == "head.bias", n)  # which starts at 0


@option("ema", "ema_warmup")
def ema():
    """By hand from runs of one, two and three steps; both evaluations are in every output."""
    setup()
    args = [*SGD, "--epochs", 3, "--ema", "0.75"]
    train("start", "--lr", 0, "--max-steps", 1)
    steps = [tensors("start")]
    for k in (1, 2, 3):
        train("s%d" % k, *SGD, "--max-steps", k)
        steps.append(tensors("s%d" % k))
    for warm, weights in (([], (0.25,) * 3),
                          (["--ema-warmup"], [max(0.25, (1 + t) ** (-2 / 3)) for t in range(3)])):
        name = "e%d" % len(warm)
        train(name, *args, *warm, "--max-steps", 3)
        found = load_tensors(name + "/ema/last/adapter_model.safetensors")
        for n in ("head.weight", "head.bias"):
            want = steps[0][n][2]
            for w, now in zip(weights, steps[1:]):
                want = [e + w * (x - e) for e, x in zip(want, now[n][2])]
            for a, b in zip(found[n][2], want):
                close(a, b, 1e-5, 1e-7, n)
        equal(adapter_bytes(name), adapter_bytes("s3"), "the weights are as without an average")
    r = train("o", *args, "--json", "--eval-interval", 1)
    e = r.json["ema"]
    for which in ("best", "last"):
        own = sctrun("eval", "--adapter", "o/ema/" + which, "--data", "data", "--json").json
        close(own["loss"], e[which]["loss"], 1e-6)
        equal(own["top1"], e[which]["top1"])
    check(e["last"]["loss"] != r.json["last"]["loss"])
    rows = log("o")[1]
    equal([x["ema_loss"] for x in rows][-1:], [float("%.9g" % e["last"]["loss"])])
    lines = read("o/summary.csv").decode().splitlines()
    equal(lines[0], "epoch,train_loss,eval_loss,eval_top1,eval_top5,lr,ema_loss,ema_top1,ema_top5")
    equal([len(l.split(",")) for l in lines], [9] * 4)
    best = max(range(3), key=lambda k: (rows[k]["ema_top1"], -k))
    equal((e["best"]["epoch"], e["best"]["top1"]), (best + 1, rows[best]["ema_top1"]))
    contains(train("p", *args).out, "\nlast top1 = ", "\nema best top1 = ", "\nema last top1 = ")
    check("ema" not in train("q", *SGD, "--json").json and not os.path.exists("q/ema"))
    equal(read("q/summary.csv").decode().splitlines()[0],
          "epoch,train_loss,eval_loss,eval_top1,eval_top5,lr")
    fails(USAGE, ["--ema-warmup", "--ema 0.9998"], "train", "--data", "data", "--model",
          "tiny.yaml", "--weights", "base.safetensors", "--strategy", "linear", "--ema-warmup",
          "--output", "x")
    fails(USAGE, ["--ema", "1"], "train", "--data", "data", "--model", "tiny.yaml", "--weights",
          "base.safetensors", "--strategy", "linear", "--ema", 1, "--output", "x")
    check(not os.path.exists("x"))


@test
def ema_goes_on():
    """--adapter starts weights and average at the adapter, so an average may be what is trained."""
    setup()
    train("a", *SGD, "--ema", "0.5", strategy="lora")
    train("b", "--adapter", "a/ema/last", "--lr", 0, "--ema", "0.5", "--max-steps", 2,
          strategy="lora")
    equal(adapter_bytes("b"), adapter_bytes("a/ema"))
    equal(adapter_bytes("b/ema"), adapter_bytes("a/ema"))


@test
def ema_of_features():
    """Averages are evaluated on the features of a frozen part as on pictures."""
    setup()
    args = [*SGD, "--epochs", 3, "--ema", "0.9", "--eval-interval", 1]
    train("kept", *args)
    train("not", *args, "--feature-bytes", 0)
    for part in ("", "/ema"):
        equal(adapter_bytes("kept" + part), adapter_bytes("not" + part))
    equal(log("kept")[1], log("not")[1])


@test
def ema_memory():
    """The average is counted as optimiser state, its evaluation as evaluation."""
    model()
    dry = lambda *a: sctrun("train", "--model", "tiny.yaml", "--weights", "random", "--data",
                            "task:sprites_shape", "--strategy", "full", "--dry-run", "--json",
                            *a).json["memory"]
    plain, ema = dry(), dry("--ema", "0.9")
    close(ema["optimizer"], 1.5 * plain["optimizer"], 0.02)
    equal(ema["trainable"], plain["trainable"])
    check(ema["evaluation"] > 1.5 * plain["evaluation"], plain, ema)
    check(ema["total"] > plain["total"])


@test
def same_bits():
    """Threads and micro-batches change no bit of weights and averages."""
    setup()
    args = ["--lr", "0.01", "--epochs", 2, "--ema", "0.9", "--ema-warmup", "--layer-decay", "0.7",
            "--weight-decay-on", "matrices", "--weight-decay", "0.1", "--group",
            "blocks.0.** lr=0.5 wd=2"]
    runs = ([1, 0], [3, 0], [2, 1], [2, 4])
    for k, (threads, micro) in enumerate(runs):
        train("r%d" % k, *args, "--threads", threads, "--micro-batch", micro, strategy="full")
        for part in ("r%d", "r%d/ema"):
            equal(adapter_bytes(part % k), adapter_bytes(part % 0), runs[k])


@test
def on_opencl():
    if not opencl():
        raise Skipped("no OpenCL device")
    setup()
    args = ["--lr", "0.01", "--ema", "0.6", "--ema-warmup", "--layer-decay", "0.7"]
    for b in ("ref", "opencl"):
        train(b, *args, "--backend", b, strategy="lora")
    for which in ("last", "ema/last"):
        a, b = tensors("ref", which), tensors("opencl", which)
        for n in a:
            for x, y in zip(a[n][2], b[n][2]):
                close(x, y, 1e-3, 1e-5, n)


main()
