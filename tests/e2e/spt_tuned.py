# SPDX-License-Identifier: MIT
"""spt_tuned.py - what strategy spt trains, from plans written by hand: which tensors in a ViT and in a
Swin, where it starts, its dropout and drop path, that nothing else moves, that its weights merge."""
import math
import re

from e2e import *

D, MLP = TINY["dim"], 4 * TINY["dim"]
# What a plan says; entries are flat positions in the tensor.
MODULES = ["blocks.0.attn.v", "blocks.0.attn.proj", "blocks.1.attn.q", "blocks.1.attn.v",
           "blocks.1.mlp.fc1", "blocks.1.mlp.fc2"]
VECTORS = ["blocks.0.attn.v.bias", "blocks.0.norm2.weight", "blocks.1.attn.q.bias",
           "blocks.1.attn.k.bias", "blocks.1.attn.v.bias", "blocks.1.mlp.fc1.bias", "norm.bias"]
SPARSE = {"blocks.0.attn.q.weight": [0, 5, D + 1, D * D - 1], "blocks.0.attn.q.bias": [3, 9],
          "blocks.0.mlp.fc1.weight": [7, 4 * D + 2], "blocks.0.mlp.fc2.bias": [1],
          "blocks.1.norm1.weight": [2, 11]}


def candidates(shapes):
    """Shapes of what may be in a plan: q, k and v apart, without head, tokens and embeddings."""
    out = {}
    for name, shape in shapes.items():
        if any(w in name for w in ("head", "cls_token", "pos_embed", "patch_embed", "bias_table")):
            continue
        for part in "qkv" if ".qkv." in name else [""]:
            rows = shape[0] // 3 if part else shape[0]
            out[name.replace(".qkv.", ".%s." % part)] = [rows, *shape[1:]]
    return out


def plan(path="plan.json", modules=MODULES, vectors=VECTORS, sparse=SPARSE, shapes=None, r=3,
         type="lora", token=D):
    of = candidates(shapes or base_shapes())
    cost = {"lora": lambda out, in_: r * (out + in_), "adapter": lambda out, _: 2 * r * out + r + out}
    total = (sum(cost[type](*of[m + ".weight"]) for m in modules) + sum(of[v][0] for v in vectors) +
             sum(map(len, sparse.values())) + token)
    write(path, json.dumps({
        "format": "sctrun spt plan", "version": 1, "type": type, "r": r, "params": total,
        "class_token": token, "structured": [m + ".weight" for m in modules], "vectors": vectors,
        "shapes": of, "sparse": sparse}))
    return total


def setup():
    model()
    base()
    vtab()


def spt(name, *options, **kw):
    """Three steps that move what is trained; options are KEY=VALUE of the strategy."""
    given = {"plan": "plan.json", "r": 3, **dict(o.split("=") for o in options)}
    args = [x for k, v in given.items() for x in ("--set", "%s=%s" % (k, v))]
    return train(name, "--max-steps", 3, "--lr", "0.05", "--lr-schedule", "constant", "--shuffle",
                 "off", "--json", *args, *kw.pop("args", ()), strategy="spt", **kw)


def halves(modules, type):
    words = ["lora_A.weight", "lora_B.weight"] if type == "lora" else [
        "down.weight", "down.bias", "up.weight", "up.bias"]
    return {"spt.%s.%s" % (m, w) for m in modules for w in words}


def listed(names):
    return {"spt.%s.%s" % (n, w) for n in names for w in ("index", "delta")}


@option("spt:type", "spt:r", "spt:norms", "spt:class_token")
def what_is_trained():
    """The tensors of the adapter and their number; the host says as many."""
    setup()
    entries = set(SPARSE) - {"blocks.1.norm1.weight"}
    # of a fused bias one part is a list of its elements, all three are the bias itself
    whole = {"blocks.0.norm2.weight", "blocks.1.attn.qkv.bias", "blocks.1.mlp.fc1.bias", "norm.bias"}
    common = whole | listed(entries | {"blocks.0.attn.v.bias"}) | {"head.weight", "head.bias"}
    for type in ("lora", "adapter"):
        total = plan(type=type)
        for options, more, n in (
                (["type=" + type], {"cls_token"}, total - 2),
                (["type=" + type, "norms=trained"], {"cls_token"} | listed(["blocks.1.norm1.weight"]),
                 total),
                (["type=" + type, "class_token=off"], set(), total - 2 - D)):
            r = spt("run", *options)
            found = {k: t for k, t in tensors("run").items() if not k.startswith("spt.plan.")}
            equal(set(found), common | more | halves(MODULES, type), options)
            equal(r.json["trainable"] - 3 * (D + 1), n, options)
            shutil.rmtree("run")
    plan(r=5)
    spt("five", "r=5")
    equal(tensors("five")["spt.blocks.1.mlp.fc1.lora_A.weight"][1], [5, D])
    equal(tensors("five")["spt.blocks.1.mlp.fc1.lora_B.weight"][1], [MLP, 5])
    # an adapter lives in the width of what its layer gives
    plan(type="adapter")
    spt("adapter", "type=adapter")
    equal(tensors("adapter")["spt.blocks.1.mlp.fc1.down.weight"][1], [3, MLP])
    equal(tensors("adapter")["spt.blocks.0.attn.v.up.weight"][1], [D, 3])
    # its biases are there where vectors may be trained, as the released code has it
    biases = {n for n in tensors("adapter") if n.startswith("spt.") and n.endswith((".down.bias", ".up.bias"))}
    equal(len(biases), 2 * len(MODULES))
    r = spt("bare", "type=adapter", "vectors=off")
    equal(set(tensors("bare")), set(tensors("adapter")) - biases)
    equal(r.json["trainable"], spt("adapter2", "type=adapter").json["trainable"] -
          sum(count(tensors("adapter")[n][1]) for n in biases))
    equal("%.9g" % evaluated("bare"), "%.9g" % log("bare")[1][-1]["eval_loss"])


@test
def read_again():
    """What was saved gives the losses that were logged."""
    setup()
    for type in ("lora", "adapter"):
        plan(type=type)
        spt(type, "type=" + type, args=["--eval-interval", 1])
        again = sctrun("eval", "--adapter", type + "/last", "--data", "data", "--json").json
        equal("%.9g" % again["loss"], "%.9g" % log(type)[1][-1]["eval_loss"], type)


@test
def learns():
    setup()
    for type in ("lora", "adapter"):
        plan(type=type)
        train(type, "--epochs", 4, "--lr", "0.01", "--warmup-epochs", 0, "--set", "plan=plan.json",
              "--set", "r=3", "--set", "type=" + type, strategy="spt")
        seen = losses(type)
        check(sum(seen[-3:]) < sum(seen[:3]), type, "did not learn:", seen)


@test
def in_a_swin():
    """Names with stages, the layer of patch merging, no class token."""
    swin()
    vtab()
    shapes = {n: t[1] for n, t in load_tensors("swin.safetensors").items()}
    modules = ["layers.0.blocks.1.attn.v", "layers.1.downsample.reduction",
               "layers.2.blocks.0.mlp.fc1", "layers.3.blocks.0.attn.proj"]
    vectors = ["layers.0.blocks.0.attn.k.bias", "layers.1.downsample.norm.weight"]
    sparse = {"layers.2.downsample.reduction.weight": [0, 7, 100],
              "layers.0.blocks.0.attn.q.weight": [1, 2]}
    for type in ("lora", "adapter"):
        total = plan(modules=modules, vectors=vectors, sparse=sparse, shapes=shapes, token=0,
                     type=type)
        r = spt(type, "type=" + type, args=["--model", "swin.yaml"], weights="swin.safetensors")
        found = {k: t for k, t in tensors(type).items() if not k.startswith("spt.plan.")}
        head = {"head.fc.weight", "head.fc.bias"}
        equal(set(found), halves(modules, type) | listed([*sparse, vectors[0]]) | {vectors[1]} | head)
        equal(r.json["trainable"] - sum(count(found[n][1]) for n in head), total, type)


@option("spt:init")
def start():
    """zero is the plain model whatever is dropped; trunc_normal is not, all halves have it."""
    setup()
    train("plain", "--lr", 0, "--max-steps", 1, "--shuffle", "off")
    for type in ("lora", "adapter"):
        plan(r=16, type=type)
        for init, same in (("zero", True), ("trunc_normal", False)):
            run = "%s-%s" % (type, init)
            train(run, "--lr", 0, "--max-steps", 1, "--shuffle", "off", "--drop-path", 0, "--set",
                  "plan=plan.json", "--set", "r=16", "--set", "type=" + type, "--set", "init=" + init,
                  strategy="spt")
            equal(losses(run) == losses("plain"), same, run)
            own = {n: t[2] for n, t in tensors(run).items() if n.startswith("spt.blocks")}
            for half in (("lora_A", "lora_B") if type == "lora" else ("down", "up")):
                x = [v for n, t in own.items() if n.endswith(half + ".weight") for v in t]
                if same:
                    equal(any(x), half in ("lora_A", "down"), run + half)
                else:  # deviation of the mean square: 0.02 / sqrt(2 n)
                    close(math.sqrt(sum(v * v for v in x) / len(x)), 0.02, 0.1, what=run + half)
            zeros = [n for n in own if n.endswith((".delta", ".bias"))]
            check(zeros and not any(v for n in zeros for v in own[n]), run, "biases and deltas")


@option("spt:dropout", "spt:drop_path")
def noise():
    """Both act; the module of attn.proj has no dropout; q, k and v of a LoRA drop the same."""
    setup()
    for type in ("lora", "adapter"):
        runs = {}
        for modules in (["blocks.1.attn.v"], ["blocks.1.attn.proj"], ["blocks.1.mlp.fc1"]):
            plan(modules=modules, vectors=[], sparse={}, type=type)
            for name, options in (("still", ["dropout=0", "drop_path=0"]),
                                  ("dropped", ["dropout=0.5", "drop_path=0"]),
                                  ("skipped", ["dropout=0", "drop_path=0.5"]),
                                  ("default", []), ("default01", ["dropout=0.1", "drop_path=0.1"])):
                spt("run", "type=" + type, "init=trunc_normal", *options)
                runs[name] = losses("run")
                shutil.rmtree("run")
            what = "%s %s" % (type, modules)
            equal(runs["default"], runs["default01"], what)
            equal(runs["dropped"] == runs["still"], modules == ["blocks.1.attn.proj"], what)
            check(runs["skipped"] != runs["still"], what)
        plan(modules=["blocks.1.attn." + p for p in "qkv"], vectors=[], sparse={}, type=type)
        spt("qkv", "type=" + type)
        graph = sctrun("dump", "graph", "--adapter", "qkv/last", "--weights", "base.safetensors",
                       "--data", "data", "--drop-path", 0).out
        shutil.rmtree("qkv")  # forward and backward
        equal(len(re.findall(r"= dropout\b", graph)), 2 if type == "lora" else 6, graph)
        equal(len(re.findall(r"= droppath\b", graph)), 6, graph)


@test
def same_bits():
    """Threads, micro-batches and recomputation change no bit."""
    setup()
    for type in ("lora", "adapter"):
        plan(type=type)
        for name, args in (("a", ["--threads", 1]), ("b", ["--threads", 3]),
                           ("c", ["--threads", 2, "--micro-batch", 3]),
                           ("d", ["--threads", 2, "--checkpoint", "block"])):
            spt(name, "type=" + type, "norms=trained", args=args)
        for name in "bcd":
            equal(adapter_bytes(name), adapter_bytes("a"), type + name)
            shutil.rmtree(name)
        shutil.rmtree("a")


def logits(*args):
    png("p.png", rgb=picture(5, 1))
    return sctrun("predict", "--image", "p.png", "--json", *args).jsonl[0]["logits"]


def moved(name):
    """(tensor, position) of everything in a timm folder that is not the base's."""
    old, new = load_tensors("base.safetensors"), load_tensors(name + "/model.safetensors")
    equal(set(old), set(new))
    return {(n, i) for n in old if not n.startswith("head.")
            for i, (a, b) in enumerate(zip(old[n][2], new[n][2])) if a != b}


def rows(name, first, n, cols):
    return {(name, i) for i in range(first * cols, (first + n) * cols)}


@test
def merged():
    """Modules of a LoRA, entries, vectors and the class token become weights; the rest are the
    base's bits."""
    setup()
    plan()
    spt("run", "norms=trained")
    want = logits("--adapter", "run/last", "--weights", "base.safetensors")
    for name in ("timm", "hf4", "hf5"):
        sctrun("export", "--adapter", "run/last", "--weights", "base.safetensors", "--format", name,
               "--output", name)
        got = logits("--model", "tiny.yaml", "--weights", name)
        worst = max(abs(a - b) for a, b in zip(got, want)) / max(1, *map(abs, want))
        check(worst < 1e-5, name, worst)
    may = (rows("blocks.0.attn.qkv.weight", 2 * D, D, D) | rows("blocks.0.attn.proj.weight", 0, D, D) |
           rows("blocks.1.attn.qkv.weight", 0, D, D) | rows("blocks.1.attn.qkv.weight", 2 * D, D, D) |
           rows("blocks.1.mlp.fc1.weight", 0, MLP, D) | rows("blocks.1.mlp.fc2.weight", 0, D, MLP) |
           rows("blocks.0.attn.qkv.bias", 2 * D, D, 1) | rows("blocks.1.attn.qkv.bias", 0, 3 * D, 1) |
           rows("blocks.0.norm2.weight", 0, D, 1) | rows("blocks.1.mlp.fc1.bias", 0, MLP, 1) |
           rows("norm.bias", 0, D, 1) | rows("cls_token", 0, D, 1))
    for n, at in SPARSE.items():
        may |= {(re.sub(r"attn\.[qkv]\.", "attn.qkv.", n), i) for i in at}
    found = moved("timm")
    check(found <= may, sorted(found - may)[:9], "belong to nothing that is trained")
    # all of it moved: but for the keys' bias, which softmax does not see, and a rounding here and there
    check(len(may - found) <= D + len(may) // 100, len(may), len(found))
    only = {x for n, at in SPARSE.items() for x in [(re.sub(r"attn\.[qkv]\.", "attn.qkv.", n), i)
                                                    for i in at]}
    check(only <= found, sorted(only - found))


@test
def not_merged():
    """An adapter is no linear map: refused by name and place, and an ONNX file has it."""
    setup()
    plan(type="adapter")
    spt("run", "type=adapter")
    args = ("export", "--adapter", "run/last", "--weights", "base.safetensors")
    for name in ("timm", "hf4", "hf5"):
        fails(USAGE, ["--format %s, strategy spt" % name, "cannot be merged", "--format onnx"], *args,
              "--format", name, "--output", "no")
        check(not os.path.exists("no"), "a refused export left a folder")
    sctrun(*args, "--format", "onnx", "--output", "model")


@test
def memory_of_entries():
    """Entries of every matrix of a ViT-B/16: their sums are kept, not those of 85 million weights, so
    there is room for a copy a slot."""
    vtab()
    r = sctrun("train", "--model", "vit_base_patch16_224", "--weights", "random", "--data", "data",
               "--strategy", "spt", "--set", "structured=unstructured", "--batch-size", 64, "--backend",
               "cpu", "--dry-run")
    out = r.out + r.err
    trained, megabytes, slots = (float(re.search(p, out).group(1).replace(",", "")) for p in (
        r"trainable params: ([\d,]+)", r"accumulators +([\d.]+) MB", r"(\d+) slot"))
    check(300e3 < trained < 500e3, out)
    equal(slots, 16)
    # those of vectors are whole: 82,944 biases, 38,400 of norms
    check(megabytes < 16 * 4 * (trained + 121344) / 1e6, out)


@test
def another_model():
    """A plan that does not fit the model is refused."""
    setup()
    plan(shapes=base_shapes(depth=1), modules=[], vectors=[], sparse={})
    fails(FILE, ["plan.json"], "train", "--model", "tiny.yaml", "--weights", "base.safetensors",
          "--data", "data", "--strategy", "spt", "--set", "plan=plan.json", "--output", "no")
    check(not os.path.exists("no"))


main()
