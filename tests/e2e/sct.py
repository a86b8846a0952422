# SPDX-License-Identifier: MIT
"""sct.py - the strategies sct and ict: where their modules go, what they choose, what they store."""
from e2e import *

MODES = {"attn": ("",), "mlp": ("mlp.",), "qkv": ("q.", "v."), "both": ("attn.", "mlp.")}
STEMS = {"vit": ["blocks.0.", "blocks.1."],
         "swin": ["layers.%d.blocks.%d." % b for b in ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (3, 0))]}


def setup(arch="vit", **data):
    if arch == "swin":
        swin()
    else:
        model()
        base()
    vtab(**data)


def run(output, *options, strategy="sct", arch="vit", more=(), **kw):
    """A run with the options, some steps that move."""
    given = [x for o in options for x in ("--set", o)]
    if not any(o.startswith(("k=", "stages=")) for o in options):
        given += ["--set", "k=1/6"]
    if not any(str(m).startswith("--lr") for m in more):
        more = ("--lr", "0.02", "--warmup-epochs", 0, *more)
    return train(output, "--model", {"vit": "tiny.yaml", "swin": "swin.yaml"}[arch], *given,
                 "--eval-interval", 1, *more, strategy=strategy,
                 weights={"vit": "base.safetensors", "swin": "swin.safetensors"}[arch], **kw)


def lists(folder):
    """name -> channels of every module."""
    return {n: list(t[2]) for n, t in sorted(tensors(folder).items()) if n.endswith(".index")}


def round_trip(name):
    """A fresh process that loads what was saved sees what training saw."""
    r = sctrun("eval", "--adapter", name + "/last", "--data", "data", "--json").json
    equal("%.9g" % r["loss"], "%.9g" % log(name)[1][-1]["eval_loss"], name)


def names_and_round_trip(arch):
    setup(arch)
    for strategy, option_ in (("sct", "scale=0.5"), ("ict", "scale=0.5"), ("ict", "module=wide")):
        for mode, words in MODES.items():
            name = "%s_%s_%s" % (strategy, option_.split("=")[1].replace(".", ""), mode)
            run(name, "mode=" + mode, option_, arch=arch, strategy=strategy)
            own = {"sct.%s%s%s" % (s, w, x) for s in STEMS[arch] for w in words
                   for x in ("weight", "bias", "index")}
            equal({n for n in tensors(name) if not n.startswith("head")}, own, name)
            round_trip(name)


@test
def modes_of_vit():
    """Every mode of both strategies trains, is saved under its names and loaded again."""
    names_and_round_trip("vit")


@test
def modes_of_swin():
    names_and_round_trip("swin")


@option("sct:form")
def forms():
    """b has no scale; a with scale 1 is b; fold stores the b that equals a."""
    setup()
    still = ("--lr", 0, "--shuffle", "off")
    for name, options in (("b1", ["form=b", "scale=1"]), ("b3", ["form=b", "scale=3"]),
                          ("b3on", ["form=b", "scale=3", "scaleonx=on"]), ("a1", ["scale=1"])):
        run(name, *options, more=still)
    for name in ("b3", "b3on", "a1"):
        equal(losses(name), losses("b1"), name)
        equal(tensors(name), tensors("b1"), name)
    for on in ("off", "on"):
        for form in ("a", "fold"):
            run(form + on, "form=" + form, "scale=0.4", "scaleonx=" + on)
        equal(losses("fold" + on), losses("a" + on))
        a, b = tensors("a" + on), tensors("fold" + on)
        s = struct.unpack("f", struct.pack("f", 0.4))[0]
        for n, (_, shape, x) in a.items():
            k, y = shape[-1], b[n][2]
            for i, v in enumerate(x):
                want = v
                if n.startswith("sct.") and not n.endswith("index"):
                    diagonal = len(shape) == 2 and i % (k + 1) == 0
                    want = s * v if on == "off" else v + (s - 1) * diagonal
                close(y[i], want, 1e-6 * max(abs(want), 0.1), what="%s %d" % (n, i))
        rows = [predict(f + on + "/last", "data/images/test") for f in ("a", "fold")]
        check(len(rows[0]) == 12, rows)
        for p, q in zip(*(sorted(r, key=lambda r: r["file"]) for r in rows)):
            # sums of some fifty terms whose roundings differ
            for x, y in zip(p["logits"], q["logits"]):
                close(y, x, 0, 1e-5 * max(map(abs, p["logits"])), what=p["file"])
        check(a["sct.blocks.0.weight"] != b["sct.blocks.0.weight"], "it was not folded")
    # what was folded stays: it is not folded again when it is trained further
    sctrun("train", "--adapter", "foldoff/last", "--data", "data", "--epochs", 1, "--lr", 0,
           "--batch-size", 8, "--output", "again")
    equal(tensors("again"), tensors("foldoff"))


@option("sct:select", "sct:seed")
def selections():
    """random depends on its seed alone, which is the run's unless it has one; lowest is the other end, all is
    everything."""
    setup()
    for name, options in (("r0", []), ("r1", ["seed=1"]), ("r1again", ["seed=1"])):
        run(name, "select=random", *options)
        round_trip(name)
    equal(lists("r1"), lists("r1again"))
    check(lists("r0") != lists("r1"), lists("r0"))
    r = lists("r0")
    check(r["sct.blocks.0.index"] != r["sct.blocks.1.index"], r)
    check(all(len(set(v)) == 8 and v == sorted(v) for v in r.values()), r)
    run("r9", "select=random", more=("--seed", 9))
    check(lists("r9") != r, "the run's seed has no effect")
    run("r9own", "select=random", "seed=9")
    equal(lists("r9own"), lists("r9"))
    run("r1seed", "select=random", "seed=1", more=("--seed", 9))
    equal(lists("r1seed"), lists("r1"))
    round_trip("r9")
    sctrun("train", "--adapter", "r9/last", "--data", "data", "--lr", 0, "--max-steps", 1, "--seed", 5,
           "--output", "more")  # what was drawn stays
    equal(lists("more"), lists("r9"))
    for s in ("class_aware", "lowest", "all"):
        run(s, "select=" + s)
        round_trip(s)
    equal(lists("all"), {n: list(range(48)) for n in r})
    for n, v in lists("class_aware").items():
        check(not set(v) & set(lists("lowest")[n]), n, v)
    # it changes with the data, random does not
    vtab(path="fewer", n_train=9)
    run("other", "select=random", data="fewer")
    equal(lists("other"), r)


@option("sct:score", "ict:score")
def scores():
    """What a module acts on is scored where the published code scores another value, if it is asked for."""
    setup()
    for strategy in ("sct", "ict"):
        for mode, other in (("attn", False), ("qkv", False), ("mlp", True), ("both", True)):
            names = [strategy + mode + s for s in ("published", "own")]
            for name in names:
                run(name, "mode=" + mode, "score=" + name[len(strategy + mode):], strategy=strategy)
                round_trip(name)
            a, b = map(lists, names)
            equal([n for n in a if a[n] != b[n]], sorted(a) if other else [], strategy + mode)


@test
def options_without_effect():
    """Said by the user they are warned about; values of configs/strategies are not."""
    setup()
    word = "has no effect"
    check(word not in run("plain", "mode=qkv").err)
    check(word not in run("form", "form=b").err)
    check(word not in run("one", "mode=qkv", "scale=1", "scaleonx=off").err)
    check(word not in run("attn", "scale=0.3", "scaleonx=on").err)
    for strategy in ("sct", "ict"):
        r = run(strategy, "mode=qkv", "scale=0.3", "scaleonx=on", strategy=strategy)
        contains(r.err, "warning: scale 0.3 has no effect: mode qkv has no scale; modes attn, mlp and both have",
                 "warning: scaleonx has no effect: mode qkv")
    contains(run("b", "form=b", "scale=0.3").err, "scale 0.3 has no effect: form b has no scale; forms a and fold")
    write("c.yaml", "options:\n  mode: qkv\n  sct: {scale: 0.3}\n")
    contains(run("c", more=("-c", "c.yaml")).err, "scale 0.3 has no effect")


@option("sct:last", "sct:stages", "sct:sites")
def blocks():
    setup("swin")
    three = ["sct.layers.1.blocks.1.index", "sct.layers.2.blocks.0.index", "sct.layers.3.blocks.0.index"]
    run("last", "last=3", arch="swin")
    equal(sorted(lists("last")), three)
    run("two", "last=2", "sites=stage[:2].block[*].attn.res", arch="swin")
    equal(sorted(lists("two")), ["sct.layers.1.blocks.0.index", "sct.layers.1.blocks.1.index"])
    run("both", "last=3", "mode=both", arch="swin")
    equal(sorted(lists("both")), sorted(n.replace("index", w) for n in three
                                        for w in ("attn.index", "mlp.index")))
    run("per", "stages=2,1/4,5,1/1", arch="swin")
    equal([len(v) for v in lists("per").values()], [2, 2, 3, 3, 5, 48])
    for name in ("last", "two", "both", "per"):
        round_trip(name)


@option("ict:module", "ict:mode", "ict:k", "ict:select", "ict:scale", "ict:scaleonx", "ict:sites")
def options_of_ict():
    """ICT is a configuration of SCT: what is equal is equal to the bit; wide reads all channels."""
    setup()
    for options in ([], ["scale=0.5"], ["scale=0.5", "scaleonx=on"], ["mode=mlp"],
                    ["select=class_agnostic"], ["sites=stage[0].block[1].attn.res"], ["k=5"]):
        run("s", *options, *([] if any(o.startswith("scale=") for o in options) else ["scale=1"]))
        run("i", *options, strategy="ict")
        equal(tensors("i"), tensors("s"), options)
        equal(losses("i"), losses("s"), options)
        if options not in ([], ["select=class_agnostic"]):
            check(losses("i") != losses("plain"), options, "has no effect")
        if not options:
            shutil.copytree("i", "plain")
        shutil.rmtree("s")
        shutil.rmtree("i")
    lines = read("data/train800val200.txt").decode().splitlines(True)
    write("data/uneven.txt", "".join([lines[0]] * 40 + lines[1:3]))
    for s in ("class_aware", "class_agnostic"):
        run(s, "select=" + s, strategy="ict", more=("--train-list", "uneven.txt"))
    check(lists("class_aware") != lists("class_agnostic"), "select has no effect")
    run("w", "module=wide", strategy="ict")
    equal(tensors("w")["sct.blocks.0.weight"][1], [8, 48])
    equal(lists("w"), lists("plain"))
    contains(sctrun("plugins").out, "unverified")
    contains(read("plain/args.yaml").decode(), "strategy: ict\n", "  module: square\n")


def sites(name, *args):
    """Values of the residual streams of a picture, of every block: behind attention, behind the block."""
    args = args or ("--model", "tiny.yaml", "--weights", "base.safetensors")
    sctrun("dump", "--site", "**.attn.res,**.block[*].out", "--image", "data/images/test/000000.png",
           "--output", name, *args)
    return {f: read_npy(name + "/" + f)[1] for f in sorted(os.listdir(name)) if f.endswith(".npy")}


def edited(source, target, edit):
    """A copy of an adapter with other numbers in its tensors."""
    shutil.copytree(source + "/last", target)
    save_tensors(target + "/adapter_model.safetensors",
                 {n: (k, s, floats([edit(n, i, x) for i, x in enumerate(v)]) if k == "F32" else
                      struct.pack("<%di" % len(v), *v)) for n, (k, s, v) in tensors(source).items()})


def behind_attention(files):
    """Block 0's, the only one that no module comes before."""
    name = [f for f in files if "block[0]" in f and f.endswith("attn.res.npy")]
    equal(len(name), 1, sorted(files))
    return files[name[0]]


@test
def chosen_channels_and_no_others():
    """Behind the module the chosen channels are the formula's, the others keep every bit."""
    setup()
    plain = behind_attention(sites("plain"))
    for on in ("off", "on"):
        run(on, "scale=0.4", "scaleonx=" + on)
        found, t = behind_attention(sites(on + "_values", "--adapter", on + "/last")), tensors(on)
        index, w, b = (t["sct.blocks.0." + x][2] for x in ("index", "weight", "bias"))
        k, s = len(index), f32(0.4)
        equal(k, 8)
        for row in range(0, len(plain), 48):
            h, y = plain[row:row + 48], found[row:row + 48]
            for c in set(range(48)) - set(index):
                equal(struct.pack("f", y[c]), struct.pack("f", h[c]), "channel %d" % c)
            for i, c in enumerate(index):
                z = sum(w[i * k + j] * h[index[j]] for j in range(k)) + b[i]
                want = s * h[c] + z if on == "on" else h[c] + s * z
                close(y[c], want, 1e-5, 1e-5, what="scaleonx %s, channel %d" % (on, c))
    check(any(b), "a bias that is zero shows nothing")


@test
def zero_modules():
    """W and b zero: with the scale on the branch nothing happens, on x the chosen channels are scaled."""
    setup()
    plain = sites("plain")
    for on in ("off", "on"):
        run(on, "scale=0.5", "scaleonx=" + on)
        edited(on, on + "_zero", lambda n, i, x: 0.0 if n.startswith("sct.") else x)
        found = sites(on + "_values", "--adapter", on + "_zero")
        if on == "off":
            equal(found, plain)
            check(sites("trained", "--adapter", on + "/last") != plain, "modules without effect")
    index = set(tensors("on")["sct.blocks.0.index"][2])
    for i, (y, h) in enumerate(zip(behind_attention(found), behind_attention(plain))):
        equal(y, 0.5 * h if i % 48 in index else h, "value %d" % i)


@test
def frozen_tensors_keep_their_bits():
    """Modules and the head are all that a run trains, saves and puts into a merged model."""
    setup()
    run("o", "mode=mlp", "scale=0.5")
    start = tensors("o", "last")
    own = {"sct.blocks.%d.mlp.%s" % (b, w) for b in (0, 1) for w in ("weight", "bias", "index")}
    equal(set(start), own | {"head.weight", "head.bias"})
    sctrun("export", "--adapter", "o/last", "--weights", "base.safetensors", "--format", "timm",
           "--output", "out")
    plain, merged = (load_tensors(f) for f in ("base.safetensors", "out/model.safetensors"))
    changed = {n for n, t in merged.items() if t[2] != plain[n][2]}
    equal(changed, {"blocks.%d.mlp.fc2.%s" % (b, w) for b in (0, 1) for w in ("weight", "bias")} |
          {"head.weight", "head.bias"})


@test
def refused():
    setup()
    args = ("train", "--data", "data", "--model", "tiny.yaml", "--weights", "base.safetensors",
            "--output", "x")

    def bad(parts, *options, strategy="sct", more=()):
        fails(USAGE, parts, *args, *more, "--strategy", strategy,
              *[x for o in options for x in ("--set", o)])
    for strategy in ("sct", "ict"):
        bad(["k: 49 channels", "1 to 48"], "k=49", strategy=strategy)
        bad(["mode", "attn|mlp|qkv|both"], "mode=head", strategy=strategy)
        # a part of qkv has 48 channels, not 144
        bad(["k: 49 channels", "1 to 48", "attn.qkv"], "k=49", "mode=qkv", strategy=strategy)
        bad(["scale", "-1000 to 1000"], "scale=1001", strategy=strategy)
        bad(["scaleonx"], "scaleonx=maybe", strategy=strategy)
        bad(["mode mlp wants", "**.mlp.out", "block[0].attn.res"], "k=4", "mode=mlp",
            "sites=**.attn.res", strategy=strategy)
        bad(["mode qkv wants"], "k=4", "mode=qkv", "sites=stage[3].**", strategy=strategy)
    bad(["k: 96 channels", "1 to 48"], strategy="ict")
    bad(["module", "square|wide"], "module=tall", strategy="ict")
    bad(["scale", "module wide has no scale"], "module=wide", "k=4", "scale=2", strategy="ict")
    bad(["module wide has no scale"], "module=wide", "k=4", "scaleonx=on", strategy="ict")
    bad(["select", "class_aware|class_agnostic"], "k=4", "select=random", strategy="ict")
    bad(["select", "lowest|all"], "select=highest")
    bad(["form", "a|b|fold"], "form=c")
    bad(["seed", "whole number from 0 to"], "seed=4294967296")
    bad(["last: 3 blocks wanted, 2 match"], "k=4", "last=3")
    bad(["last"], "k=4", "last=-1")
    bad(["stages", "2 entries", "1 stage"], "stages=4,5")
    for text in ("4,", ",4", "x", "0", "3/2", "1/0", "4;5", "1/2/3", "1000001", " 4"):
        bad(["stages: \"%s\"" % text, "expected a number"], "stages=" + text)
    bad(["stages: 49 channels"], "stages=49")
    swin()
    on_swin = ("--model", "swin.yaml", "--weights", "swin.safetensors")
    args = ("train", "--data", "data", "--output", "x", *on_swin)
    bad(["stages", "1 entries", "4 stage"], "stages=4")
    bad(["stages: 7 channels", "stage[0].block[0].attn.res", "1 to 6"], "stages=7,7,7,7")
    bad(["last: 7 blocks wanted, 6 match"], "k=1", "last=7")


@test
def broken_adapters():
    """Index lists outside their part, and folders of another mode."""
    setup()
    for mode in ("attn", "qkv", "both"):
        run(mode, "mode=" + mode)

    def bad(source, name, edit, *parts):
        shutil.copytree(source + "/last", name)
        t = tensors(source)
        edit(t)
        save_tensors(name + "/adapter_model.safetensors",
                     {n: (k, s, floats(v) if k == "F32" else struct.pack("<%di" % len(v), *v))
                      for n, (k, s, v) in t.items()})
        fails(FILE, parts, "eval", "--adapter", name, "--data", "data")

    def shift(name, by):
        def edit(t):
            k, s, v = t[name]
            t[name] = (k, s, tuple(x + by for x in v))
        return edit
    bad("qkv", "q_in_k", shift("sct.blocks.0.q.index", 48), "sct.blocks.0.q.index", "below 48")
    bad("qkv", "v_in_k", shift("sct.blocks.1.v.index", -96), "sct.blocks.1.v.index", "from 96, below 144")
    bad("attn", "low", shift("sct.blocks.1.index", -48), "sct.blocks.1.index", "from 0, below 48")
    bad("both", "missing", lambda t: t.pop("sct.blocks.0.mlp.index"), "sct.blocks.0.mlp.index")
    bad("both", "left", lambda t: t.update({"sct.blocks.0.index": t["sct.blocks.0.mlp.index"]}),
        "sct.blocks.0.index")


main()
