# SPDX-License-Identifier: MIT
"""compose.py - several strategies in one run: whose options are whose, in which order they act, that they
share calibration, what the folder holds, what is refused."""
import re

from e2e import *


def setup(**data):
    model()
    base()
    return vtab(**data)


def refused(parts, strategies, *options, code=USAGE, args=()):
    names = [x for s in strategies for x in ("--strategy", s)]
    fails(code, parts, "train", "--model", "tiny.yaml", "--weights", "base.safetensors", "--data", "data",
          "--output", "out", *names, *sets(options), *args)
    check(not os.path.exists("out"))


@test
def learns_in_both_backbones():
    """The tensors are those of each alone; the adapter gives back what was logged, reads itself
    again, and says what it is."""
    setup()
    swin()
    for run, extra in (("vit", {}), ("swin", {"weights": "swin.safetensors"})):
        args = ["--epochs", 4, "--lr", "0.02", "--warmup-epochs", 0, "--json",
                *(["--model", "swin.yaml"] if extra else [])]
        own = {"lora": "r=2", "sct": "k=4"}
        r = composed(run, ["lora", "sct", "bitfit"], *["%s.%s" % o for o in own.items()], args=args,
                     **extra)
        equal(r.json["strategy"], "lora+sct+bitfit")
        found = tensors(run)
        alone = {}
        for i, s in enumerate(("lora", "sct", "bitfit")):
            train(run + s, *args, "--epochs", 1, "--max-steps", 1, *sets([own[s]] if s in own else []),
                  strategy=s, **extra)
            alone[s] = set(tensors(run + s))
        lora = {n for p in adapter_parts(run) if p["name"] == "lora" for n in p["tensors"]}
        equal(len(lora), 2 * 2 * (6 if extra else 2))  # two pairs a block
        equal(set(found), alone["sct"] | alone["bitfit"] | lora)
        equal(r.json["trainable"], sum(count(t[1]) for n, t in found.items() if "index" not in n))
        steps, evals = log(run)
        check(sum(l["loss"] for l in steps[-3:]) < sum(l["loss"] for l in steps[:3]), run)
        again = sctrun("eval", *adapters(run), "--data", "data", "--json").json
        equal("%.9g" % again["loss"], "%.9g" % evals[-1]["eval_loss"], run)
        right = sum(p["class"] == i % 3 for i, p in enumerate(
            sorted(predict(run + "/last", "data/images/test"), key=lambda p: p["file"])))
        close(100 * right / 12, again["top1"], 1e-6)
        contains(sctrun("inspect", run + "/last").out, "LORA+SCT+BITFIT", "strategy lora, %d tensors:"
                 % len(lora), "r=2", "strategy bitfit, 0 tensors:")
    equal(adapter_config("vit")["sctrun"]["format_version"], 2)


@test
def alone_as_ever():
    """Of one strategy the folder has no trace of compositions."""
    setup()
    for s in ("lora", "sct"):
        train(s, "--max-steps", 1, strategy=s)
        own = adapter_config(s)["sctrun"]
        equal((own["format_version"], own["strategy"], "strategies" in own), (1, s, False))
        write(s + ".yaml", "strategy: [%s]\n" % s)
        composed(s + "2", [], args=["--max-steps", 1, "-c", s + ".yaml", *(sets(["sct.k=8"]) if s == "sct"
                                                                           else [])])
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            equal(read("%s2/last/%s" % (s, name)), read("%s/last/%s" % (s, name)), name)
    check(all(n.startswith("base_model.model.") for n in tensors("lora")))


@test
def same_bits():
    """Neither threads nor recomputation change a bit."""
    setup()
    for strategies, options in ((["lora", "sct"], ["sct.k=8", "lora.dropout=0.2"]),
                                (["ssf", "lora"], []), (["vpt", "adapter", "bitfit"], ["n=3"])):
        composed("a", strategies, *options, args=FEW_STEPS + ["--threads", 1])
        composed("b", strategies, *options, args=FEW_STEPS + ["--threads", 3, "--checkpoint", "block"])
        equal(adapter_bytes("a"), adapter_bytes("b"), strategies)
        shutil.rmtree("a")
        shutil.rmtree("b")


@test
def more_tokens():
    """What splits or skips tokens does so with those of prompts, too, that come before or after it."""
    setup()
    for i, order in enumerate((["fact", "vpt"], ["vpt", "fact"], ["convpass", "vpt"],
                               ["adaptformer", "vpt"], ["vpt", "sct"])):
        run = "t%d" % i
        composed(run, order, "vpt.n=3", *(["sct.k=8"] if "sct" in order else []))
        equal("%.9g" % evaluated(run), "%.9g" % log(run)[1][-1]["eval_loss"], order)
    model("normed.yaml", qk_norm="on")
    train("q", *FEW_STEPS, "--model", "normed.yaml", "--set", "n=3", strategy="vpt", weights="random")
    equal(adapter_config("q")["sctrun"]["strategy"], "vpt")


@test
def order():
    """At the same site the later one reads what the earlier one made; at different sites, one behind
    the other, no order is another's."""
    setup()
    for mode, same in (("qkv", False), ("attn", True)):
        options = ["sct.k=8", "sct.mode=" + mode, "lora.r=2"]
        composed(mode + "1", ["lora", "sct"], *options)
        composed(mode + "2", ["sct", "lora"], *options)
        equal([p["name"] for p in adapter_parts(mode + "2")], ["sct", "lora"])
        equal(losses(mode + "1") == losses(mode + "2"), same, mode)
        equal(tensors(mode + "1") == tensors(mode + "2"), same, mode)


@test
def options():
    """STRATEGY.KEY says whose; KEY alone is enough where only one has it; YAML says it in mappings;
    each has its own file's, and what else the files say is the first one's."""
    setup()
    composed("a", ["lora", "adapter", "sct"], "lora.r=3", "adapter.r=2", "k=5", args=["--max-steps", 1])
    equal([p["options"] for p in adapter_parts("a")],
          [{"r": "3", "alpha": "8", "targets": "q,v"}, {"form": "pfeiffer", "r": "2"},
           {"k": "5", "scale": "0.5"}])
    equal(tensors("a")["adapter.blocks.0.mlp.down.weight"][1], [2, 48])
    equal(tensors("a")["blocks.0.attn.qkv.q.lora_A.weight"][1], [3, 48])
    args = read("a/args.yaml").decode()
    contains(args, "strategy: [lora, adapter, sct]\n", "lr: 0.002\n", "  adapter:\n    form: pfeiffer\n",
             "  lora:\n    r: 3\n")
    composed("b", ["sct", "lora"], "k=5", args=["--max-steps", 1])
    contains(read("b/args.yaml").decode(), "lr: 0.005\n")
    # what was effective, read again
    sctrun("train", "-c", "a/args.yaml", "--output", "again")
    equal(adapter_bytes("again"), adapter_bytes("a"))
    write("c.yaml", "strategy: [lora, adapter, sct]\noptions:\n  k: 5\n  lora: {r: 3}\n"
                    "  adapter:\n    r: 2\n")
    composed("c", [], args=["--max-steps", 1, "-c", "c.yaml"])
    equal(adapter_bytes("c"), adapter_bytes("a"))
    composed("d", [], "lora.r=4", args=["--max-steps", 1, "-c", "c.yaml"])
    equal(tensors("d")["blocks.0.attn.qkv.q.lora_A.weight"][1], [4, 48])
    train("e", "--max-steps", 1, "--set", "lora.r=3", strategy="lora")  # of one alone as well
    equal(adapter_config("e")["sctrun"]["options"]["r"], "3")

    both = ["lora", "adapter"]
    refused(["--set", "strategies lora, adapter have an option r", "lora.r or adapter.r"], both, "r=3")
    refused(["'colour'", "none of the strategies lora, adapter"], both, "colour=red")
    refused(["'targts'", "did you mean 'targets'"], both, "targts=q")
    refused(["option k is for sct", "lora, adapter"], both, "sct.k=3")
    refused(["unknown option 'form' of strategy lora"], both, "lora.form=noah")
    refused(["--set lora.r: ", "from 1 to 4096", "'0'"], both, "lora.r=0")
    write("bad.yaml", "options:\n  r: 3\n")
    refused(["bad.yaml:2:6", "lora.r or adapter.r"], both, args=["-c", "bad.yaml"])
    write("bad.yaml", "options:\n  lora: {r: {a: 3}}\n")
    refused(["bad.yaml:2:13", "plain value for option r"], both, args=["-c", "bad.yaml"])
    write("bad.yaml", "strategy: [lora, [sct]]\n")
    refused(["bad.yaml:1:18", "expected text"], [], args=["-c", "bad.yaml"])
    write("bad.yaml", "strategy: {lora: sct}\n")
    refused(["bad.yaml:1:11", "expected a single value"], [], args=["-c", "bad.yaml"])
    refused(["\"magic\""], ["lora", "magic"], code=PLUGIN)
    write("bad.yaml", "strategy: null\n")
    refused(["strategy: expected a name"], [], args=["-c", "bad.yaml"])
    composed("f", ["linear", "lora"], args=["--max-steps", 1])  # one of them without options
    contains(read("f/args.yaml").decode(), "  linear: {}\n")
    sctrun("train", "-c", "f/args.yaml", "--output", "f2")
    equal(adapter_bytes("f2"), adapter_bytes("f"))


@test
def calibration_is_shared():
    """One run over the data for all, and each chooses as if it were alone; a measurement that two
    ask for is one."""
    setup()
    for name, ict in (("mlp", ["mode=mlp", "k=6"]), ("both", ["mode=both", "k=6"])):
        r = composed(name, ["sct", "lora", "ict"], "sct.k=8", *["ict." + o for o in ict])
        equal(re.findall("calibrating .*", r.err), ["calibrating sct, ict on 24 images"])
        train(name + "sct", "--max-steps", 1, strategy="sct")
        train(name + "ict", "--max-steps", 1, *sets(ict), strategy="ict")
        lists = {n: t for n, t in tensors(name).items() if n.endswith("index")}
        equal(lists, {n: t for s in ("sct", "ict") for n, t in tensors(name + s).items() if n in lists})
        equal(len(lists), 4 if name == "mlp" else 6)
    r = composed("none", ["lora", "linear"])
    check("calibrating" not in r.err, r.err)
    dry = composed("dry", ["sct", "ict"], "sct.k=8", "ict.k=8", "ict.mode=mlp",
                   args=["--dry-run", "--json"]).json
    equal(dry["strategy"], "sct+ict")
    check(dry["memory"]["calibration"] > 0)


@test
def a_strategy_twice():
    """Allowed where their parameters have different names, each with its options; else refused."""
    setup()
    composed("a", ["lora", "lora"], "lora2.targets=fc1", "lora2.r=2", "lora.r=3")
    equal([(p["name"], p["strategy"], p["options"]["r"]) for p in adapter_parts("a")],
          [("lora", "lora", "3"), ("lora2", "lora", "2")])
    equal(tensors("a")["blocks.1.mlp.fc1.lora_A.weight"][1], [2, 48])
    equal("%.9g" % evaluated("a"), "%.9g" % log("a")[1][-1]["eval_loss"])
    contains(read("a/args.yaml").decode(), "  lora2:\n    r: 2\n")
    refused(["lora2: ", "blocks.0.attn.qkv.q.lora_A.weight", "exists already", "of strategy lora"],
            ["lora", "lora"])
    refused(["strategy ict", "sct.blocks.0.index", "exists already", "of strategy sct"], ["sct", "ict"],
            "sct.k=8", "ict.k=8")
    refused(["sct2: ", "sct.blocks.0.index", "exists already", "of strategy sct"], ["sct", "sct"],
            "sct.k=8", "sct2.k=4")
    refused(["ssf2: ", "exists already", "of strategy ssf"], ["ssf", "ssf"])
    refused(["lora.r or lora2.r"], ["lora", "lora"], "r=2")
    refused(["strategy vpt", "has prompts already"], ["vpt", "vpt"], "vpt.n=2", "vpt2.n=3")
    for bypass in ("adaptformer", "convpass"):
        refused(["strategy " + bypass, "stage[0].block[1]", "takes them away"], ["vpt", bypass], "n=2",
                code=DEVICE)
    # dropout of the second has its own numbers, that of the first those it has alone
    drop = lambda name, *o: composed(name, ["lora", "lora"], "lora.targets=q", "lora2.targets=k", *o)
    drop("d0", "lora.dropout=0.5", "lora2.dropout=0.5")
    drop("d1", "lora.dropout=0.5")
    train("d2", *FEW_STEPS, *sets(["targets=q,k", "dropout=0.5"]), strategy="lora")
    check(losses("d0") != losses("d1"), "the second one's dropout has no effect")
    check(losses("d0") != losses("d2"), "both draw the same numbers")
    equal(losses("d0")[0], losses("d2")[0])  # pairs start at zero


@test
def entries_of_what_is_trained():
    """Single entries of a parameter that another strategy trains as a whole are trained with it, in either
    order: what spt adds to them stays 0, is counted as nothing, and is in the folder."""
    setup()
    entries = ["budget=0.004", "step=0.0002", "max=0.006", "structured=unstructured", "vectors=off"]
    for i, other in enumerate(("full", "partial", "bitfit", "layernorm")):
        run, turned = "u%d" % i, "v%d" % i
        options = ["spt." + o for o in (*entries, "norms=trained")]
        # settings are those of the first one's file, and spt's has stochastic depth
        still = [*FEW_STEPS, "--drop-path", 0]
        r = composed(run, [other, "spt"], *options, args=still + ["--json"])
        composed(turned, ["spt", other], *options, args=still)
        equal(losses(run), losses(turned), other)
        found = tensors(run)
        held = {n for n, (_, _, v) in found.items() if n.endswith(".delta") and not any(v)}
        base_of = lambda n: re.sub(r"\.[qkv]\.", ".qkv.", n[len("spt."):-len(".delta")])
        equal(held, {n for n in found if n.endswith(".delta") and base_of(n) in found}, other)
        check(held, other)
        equal(r.json["trainable"], sum(count(t[1]) for n, t in found.items()
                                       if not n.endswith("index") and "spt.plan" not in n and n not in held))
        for name in (run, turned):
            equal("%.9g" % evaluated(name), "%.9g" % log(name)[1][-1]["eval_loss"], name)
        check(sctrun("merge", run + "/last", "--output", run + "-merged", "--json").json["relative"] < 1e-5)
    # of two folders each has its value
    train("b", *FEW_STEPS, strategy="bitfit")
    train("s", *FEW_STEPS, *sets(entries), strategy="spt")
    sctrun("train", *adapters("b", "s"), "--data", "data", "--lr", 0, "--max-steps", 1, "--output", "bs")
    deltas = {n: t for n, t in tensors("s").items() if n.endswith(".bias.delta")}
    equal({n: t for n, t in tensors("bs").items() if n in deltas}, deltas)
    check(any(any(v) for _, _, v in deltas.values()))


@test
def dora_among_others():
    """DoRA computes its layer anew, and loses nothing that others did to that layer: neither its output,
    behind which ssf and another lora stand, nor its weight, of which spt trains elements. What is merged
    computes the same."""
    setup()
    train("ssf", *FEW_STEPS, strategy="ssf")
    composed("a", ["ssf", "lora"], "lora.dora=on", "lora.r=2")
    close(losses("a")[0], losses("ssf")[0], 1e-5)
    equal("%.9g" % evaluated("a"), "%.9g" % log("a")[1][-1]["eval_loss"])
    composed("p", ["lora", "lora"], "lora.targets=q", "lora2.targets=v", "lora2.dora=on")
    start = {n: t for n, t in tensors("p").items() if "qkv.q.lora_B" in n}
    check(start and all(any(t[2]) for t in start.values()), "the first pair is not trained")
    # at the start deltas and pairs change nothing, and they are trained whoever comes first
    parts = ["lora", "spt"]
    options = ["lora.dora=on", "lora.r=2", "spt.budget=0.012"]
    still = [*FEW_STEPS, "--drop-path", 0]  # spt's own is not
    composed("l", parts, *options, args=still)
    composed("s", parts[::-1], *options, args=still)
    for one, other in zip(losses("l"), losses("s")):
        close(one, other, 1e-4)
    for name, strategies, more in (
            ("m1", ["lora", "ssf"], []), ("m2", ["ssf", "lora"], []),
            ("m3", ["repadapter", "lora"], ["lora.dropout=0.1"]),
            ("m4", ["lora", "lora"], ["lora2.targets=k,fc1", "lora2.dropout=0.1"]),
            ("m5", parts[::-1], ["spt.budget=0.012"]), ("m6", parts, ["spt.budget=0.012"])):
        composed(name, strategies, "lora.dora=on", "lora.targets=q,v,fc2", "lora.r=2", *more,
                 args=[*FEW_STEPS, "--lr", "0.02"])
        check(sctrun("merge", name + "/last", "--output", name + "-merged", "--json").json["relative"] < 1e-5,
              name)
    check(sctrun("merge", "p/last", "--output", "p-merged", "--json").json["relative"] < 1e-5)


@test
def defaults_of_an_adapter():
    """train --adapter takes rate, epochs, ... from the file of the adapter's strategy; what is said
    wins."""
    setup()
    composed("c", ["adapter", "sct"], "k=8", args=["--max-steps", 1])
    for s, lr in (("lora", "0.002"), ("linear", "0.01"), ("full", "0.0001"), ("c", "0.002")):
        if s != "c":
            train(s, "--max-steps", 1, strategy=s)
        for name, args, want in (("1", [], lr), ("2", ["--lr", "0.03"], "0.03"),
                                 ("3", ["-c", "other.yaml"], "0.07")):
            write("other.yaml", "strategy: sct\nlr: 0.07\n")
            sctrun("train", *adapters(s), "--data", "data", "--max-steps", 1, *args, "--output", s + name)
            text = read(s + name + "/args.yaml").decode()
            contains(text, "\nlr: %s\n" % want,
                     "\nstrategy: %s\n" % ("[adapter, sct]" if s == "c" else s))


@test
def the_demo_and_recipes():
    """The demo's file of the first strategy decides; a recipe may compose."""
    setup()
    sctrun("train", "--strategy", "lora", "--strategy", "sct", "--max-steps", 1, "--test-limit", 1,
           "--output", "demo")
    contains(read("demo/args.yaml").decode(), "\nlr: 0.01\n", "  sct:\n    mode: attn\n    k: 32\n")
    write("r.yaml", "recipe: {about: a, source: b, weights: c, expect: d}\nstrategy: [lora, sct]\n"
                    "options:\n  k: 4\n  lora: {r: 2}\ntasks:\n"
                    "  one: {options: {lora: {alpha: 4}}}\n")
    composed("r", [], args=["--max-steps", 1, "--recipe", "r.yaml:one"])
    equal([p["options"] for p in adapter_parts("r")], [{"r": "2", "alpha": "4", "targets": "q,v"},
                                               {"k": "4", "scale": "0.5"}])
    write("s.yaml", sctrun("recipe", "show", "r.yaml:one").out)
    composed("s", [], args=["--max-steps", 1, "-c", "s.yaml"])
    equal(adapter_bytes("s"), adapter_bytes("r"))


@test
def folded_and_continued():
    """sct's form on disk holds inside a composition, and a continued run starts where one ended."""
    setup()
    composed("a", ["lora", "sct"], "k=8", "form=fold")
    composed("b", ["lora", "sct"], "k=8", "form=a")
    equal([p.get("to_disk") for p in adapter_parts("a")], [False, True])
    name = "sct.blocks.1.weight"
    for x, y in zip(tensors("a")[name][2], tensors("b")[name][2]):
        close(x, f32(0.5 * y), 1e-6)
    close(evaluated("a"), evaluated("b"), 1e-5)
    sctrun("train", *adapters("b"), "--data", "data", "--lr", 0, "--max-steps", 1, "--output", "still")
    equal(adapter_bytes("still"), adapter_bytes("b"))
    equal(adapter_config("still"), adapter_config("b"))
    sctrun("train", *adapters("a"), "--data", "data", "--lr", 0, "--max-steps", 1, "--output", "folded")
    equal(adapter_bytes("folded"), adapter_bytes("a"))


# ---- damage ----

@test
def damaged_compositions():
    setup()
    composed("c", ["lora", "sct"], "k=8", args=["--max-steps", 1])

    def bad(name, texts, edit=None, drop=None, add=None):
        shutil.copytree("c/last", name)
        c = adapter_config("c")
        if edit:
            edit(c["sctrun"], c["sctrun"]["strategies"])
            write(name + "/adapter_config.json", json.dumps(c))
        if drop or add:
            t = {n: (k, s, floats(v) if k == "F32" else struct.pack("<%di" % len(v), *v))
                 for n, (k, s, v) in load_tensors(name + "/adapter_model.safetensors").items()}
            t.pop(drop, None)
            t.update(add or {})
            save_tensors(name + "/adapter_model.safetensors", t)
        fails(FILE, texts, "eval", "--adapter", name, "--data", "data")

    path = "sctrun.strategies"
    bad("e1", [path], lambda own, s: own.pop("strategies"))
    bad("e2", [path, "names none"], lambda own, s: s.clear())
    bad("e3", [path + "[1]", "expected an object"], lambda own, s: s.__setitem__(1, 3))
    for i, key in enumerate(("name", "strategy", "options", "tensors")):
        bad("k%d" % i, ["%s[0].%s" % (path, key)], lambda own, s: s[0].pop(key))
    bad("e4", [path + "[1].options.k"], lambda own, s: s[1]["options"].update(k=8))
    bad("e5", [path + "[1].tensors", "named twice"],
        lambda own, s: s[1]["tensors"].append(s[0]["tensors"][0]))
    bad("e6", ["nothing.weight is missing", path + "[0].tensors"],
        lambda own, s: s[0]["tensors"].append("nothing.weight"))
    bad("e7", [path + "[1].to_disk"], lambda own, s: s[1].update(to_disk="yes"))
    bad("e8", ["sct.blocks.1.bias is missing"], lambda own, s: s[1]["tensors"].pop())
    bad("e9", ["lora_A.weight", "has no place"],
        lambda own, s: s[0]["options"].update(targets="v"))
    bad("t1", ["sct.blocks.0.weight is missing"], drop="sct.blocks.0.weight")
    bad("t2", ["head.bias is missing"], drop="head.bias")
    bad("t3", ["blocks.9.x has no place"], add={"blocks.9.x": ("F32", (1,), floats([0]))})
    bad("t4", ["lora_A.weight", "[8][48]", "[8][40]"], add={
        "blocks.0.attn.qkv.q.lora_A.weight": ("F32", (8, 40), floats([0] * 320))})


main()
