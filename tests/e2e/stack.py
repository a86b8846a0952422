# SPDX-License-Identifier: MIT
"""stack.py - several adapters on one base: that they add up in order, whose head it is, what training
from a stack leaves, which do not go together."""
from e2e import *


def setup(**data):
    model()
    base()
    return vtab(**data)


def stack_refused(texts, *folders, code=USAGE, args=()):
    for command in (["eval", "--data", "data"], ["export", "--output", "out"],
                    ["train", "--data", "data", "--output", "out"]):
        fails(code, texts, command[0], *adapters(*folders), *command[1:], *args)
        check(not os.path.exists("out"))


def stack_of_loras():
    setup()
    for name, args in (("a", ["--seed", 1]), ("b", ["--seed", 2, *sets(["r=2", "targets=q,k,fc1"])])):
        train(name, *FEW_STEPS, *args, strategy="lora")


def weights_of(*folders):
    sctrun("export", *adapters(*folders), "--format", "timm", "--output", "out")
    found = load_tensors("out/model.safetensors")
    loss = sctrun("eval", "--weights", "out", "--model", "tiny.yaml", "--data", "data", "--json",
                  "--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5").json["loss"]
    shutil.rmtree("out")
    return found, loss


@test
def two_adapters():
    """Two LoRA of one base add up, whatever they are called; the head is the last one's."""
    stack_of_loras()
    plain, both = load_tensors("base.safetensors"), weights_of("a", "b")
    one, other = weights_of("a")[0], weights_of("b")[0]
    for name, t in both[0].items():
        if name.startswith("head"):
            equal(t, other[name])
            continue
        for x, y, a, b in zip(t[2], plain[name][2], one[name][2], other[name][2]):
            close(x, a + b - y, 0, 1e-6, name)
    r = sctrun("eval", *adapters("a", "b"), "--data", "data", "--json")
    contains(r.err, "2 adapters, lora+lora2, with the head of b/last")
    write("stack.yaml", "adapter: [a/last, b/last]\ndata: data\n")
    equal(sctrun("eval", "-c", "stack.yaml", "--json").json["loss"], r.json["loss"])
    close(r.json["loss"], both[1], 1e-4)
    check(r.json["loss"] not in (evaluated("a"), evaluated("b")))
    out = [p["class"] for p in sctrun("predict", *adapters("a", "b"), "--image", "data/images/test",
                                      "--json").jsonl]
    equal(len(out), 12)
    sctrun("export", *adapters("a", "b"), "--output", "onnx")
    check(os.path.exists("onnx/model.onnx"))


@test
def names_of_the_base():
    """The base may come from files in other names: what counts is the weights."""
    stack_of_loras()
    sctrun("export", "--weights", "base.safetensors", "--model", "tiny.yaml", "--format", "hf4",
           "--output", "hf")
    train("h", *FEW_STEPS, strategy="ssf", weights="hf")
    names = [adapter_config(run)["sctrun"]["base"]["dialect"] for run in "ah"]
    check(names[0] != names[1], names)
    sctrun("eval", *adapters("a", "h"), "--data", "data", "--weights", "base.safetensors")


@option("head_from")
def whose_head():
    stack_of_loras()
    last, first = evaluated("a", "b"), evaluated("a", "b", args=["--head-from", "a/last"])
    check(last != first)
    close(first, evaluated("b", "a"), 1e-4)  # pairs commute; the head is a's in both
    stack_refused(["--head-from", "a/last", "c/last"], "a", "b", args=["--head-from", "c/last"])
    fails(USAGE, ["--head-from", "no --adapter"], "eval", "--data", "data", "--head-from", "a/last",
          "--model", "tiny.yaml", "--weights", "base.safetensors")
    # other classes: an error, unless it was said whose are meant
    vtab("two", classes=2)
    train("c", *FEW_STEPS, data="two", strategy="sct")
    stack_refused(["a/last has 3 classes", "c/last has 2", "--head-from"], "a", "c")
    evaluated("a", "c", args=["--head-from", "a/last"])
    write("data/classes.txt", "c0\nother\nc2\n")
    train("d", *FEW_STEPS, strategy="bitfit")
    write("data/classes.txt", "c0\nc1\nc2\n")
    stack_refused(["class 1", "\"c1\" in a/last", "\"other\" in d/last"], "a", "d")


@test
def order_of_adapters():
    """A scale behind a layer acts on a pair that was there before, not on one that comes later; both
    can be merged."""
    setup()
    train("l", *FEW_STEPS, strategy="lora")
    train("s", *FEW_STEPS, strategy="ssf")
    found = {}
    for name, folders in (("ls", ("l", "s")), ("sl", ("s", "l"))):
        found[name] = evaluated(*folders, args=["--head-from", "s/last"])
        close(weights_of(*folders)[1], evaluated(*folders), 1e-4, what=name)
    check(found["ls"] != found["sl"], "the order has no effect")
    # what is merged of a composition is what was trained as one
    composed("c", ["ssf", "lora"])
    close(weights_of("c")[1], evaluated("c"), 1e-4)
    composed("k", ["lora", "sct"], "k=8")
    fails(USAGE, ["--format timm", "strategy sct of lora+sct", "block[1].attn.res", "cannot be merged"],
          "export", *adapters("k"), "--format", "timm", "--output", "out")
    check(not os.path.exists("out"))
    sctrun("export", *adapters("k"), "--output", "onnx")


@test
def a_stack_is_trained():
    """Training goes on from all of them and leaves one folder, where equal names are told apart."""
    stack_of_loras()
    composed("c", ["sct", "bitfit"], "k=8")
    stack = evaluated("a", "b", "c")
    run = lambda name, lr: sctrun("train", *adapters("a", "b", "c"), "--data", "data", "--batch-size", 8,
                                  "--max-steps", 3, "--lr", lr, "--output", name)
    run("still", 0)
    equal([p["name"] for p in adapter_parts("still")], ["lora", "lora2", "sct", "bitfit"])
    names = [n for p in adapter_parts("still") for n in p["tensors"]]
    contains(names, "blocks.0.attn.qkv.q.lora_A.weight", "lora2/blocks.0.attn.qkv.q.lora_A.weight",
             "blocks.0.mlp.fc1.lora_A.weight", "sct.blocks.0.index")
    check("lora2/blocks.0.mlp.fc1.lora_A.weight" not in names)
    equal(evaluated("still"), stack)
    # on top of each other again, and once more
    equal(evaluated("still", "a", args=["--head-from", "still/last"]) != stack, True)
    run("moved", "0.05")
    check(evaluated("moved") != stack)
    equal("%.9g" % evaluated("moved"), "%.9g" % log("moved")[1][-1]["eval_loss"])
    sctrun("train", "-c", "moved/args.yaml", "--output", "again")
    equal(adapter_bytes("again"), adapter_bytes("moved"))
    moved, still = tensors("moved"), tensors("still")
    equal({n for n in still if moved[n] == still[n]}, {n for n in still if n.endswith("index")})


@test
def adapters_that_do_not_fit():
    setup()
    train("a", *FEW_STEPS, strategy="lora")
    train("lin", *FEW_STEPS)
    train("bit", *FEW_STEPS, strategy="bitfit")
    train("norm", *FEW_STEPS, strategy="layernorm")
    stack_refused(["nothing of lin/last is applied", "head of a/last"], "lin", "a")
    evaluated("lin", "a", args=["--head-from", "lin/last"])
    stack_refused(["bit/last and norm/last both trained", "blocks.0.norm1.bias"], "bit", "norm")
    train("prompts", *FEW_STEPS, "--set", "n=2", strategy="vpt")
    stack_refused(["vpt cannot be composed with vpt"], "prompts", "prompts")
    base("other.safetensors", seed=2)
    train("other", *FEW_STEPS, strategy="sct", weights="other.safetensors")
    stack_refused(["a/last and other/last", "different weights", "other.safetensors"], "a", "other")
    model("deep.yaml", depth=1)
    base("deep.safetensors", depth=1)
    train("deep", *FEW_STEPS, "--model", "deep.yaml", strategy="sct", weights="deep.safetensors")
    stack_refused(["a/last and deep/last", "depth is 2 in the one, 1 in the other"], "a", "deep")
    swin()
    train("swin", *FEW_STEPS, "--model", "swin.yaml", strategy="ssf", weights="swin.safetensors")
    stack_refused(["a/last", "architecture vit", "swin/last"], "a", "swin")
    stack_refused(["absent", "adapter folder"], "a", "absent", code=FILE)
    for s in ("a", "bit"):  # one alone, on another architecture
        fails(FILE, [s + "/last", "another base"], "eval", *adapters(s), "--model", "swin.yaml",
              "--weights", "swin.safetensors", "--data", "data")
    fails(USAGE, ["--set r", "keeps the options"], "eval", *adapters("a"), "--data", "data", "--set",
          "r=3")
    fails(USAGE, ["is of strategy lora, not lora+sct"], "train", *adapters("a"), "--data", "data",
          "--strategy", "lora", "--strategy", "sct", "--output", "out")
    composed("c", ["lora", "sct"], "k=8")
    fails(USAGE, ["is of strategy lora+sct, not lora"], "train", *adapters("c"), "--data", "data",
          "--strategy", "lora", "--output", "out")
    sctrun("train", *adapters("c"), "--data", "data", "--strategy", "lora", "--strategy", "sct",
           "--max-steps", 1, "--output", "d")
    fails(USAGE, ["one --adapter at a time"], "inspect", *adapters("a", "c"))
    # pictures as the head's folder has them, and a word about the others
    train("crop", *FEW_STEPS, "--resize", "crop-bilinear", strategy="ssf")
    contains(sctrun("eval", *adapters("a", "crop"), "--data", "data").err,
             "pictures are prepared as crop/last was trained with")


main()
