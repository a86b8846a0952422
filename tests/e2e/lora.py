# SPDX-License-Identifier: MIT
"""lora.py - the options of lora, what of it can be merged, and its folders in other names."""
from e2e import *


def setup():
    model()
    base()
    return vtab()


def few_steps(name, *options, code=OK, steps=3):
    return train(name, "--max-steps", steps, "--lr", "0.05", "--lr-schedule", "constant",
                 "--shuffle", "off", *[x for o in options for x in ("--set", o)], strategy="lora",
                 code=code)


def step_losses(run):
    return [step["loss"] for step in log(run)[0]]


def config(run):
    return json.loads(read(run + "/last/adapter_config.json"))


def logits(*args):
    return [x["logits"] for x in sctrun("predict", "--image", "data/images/test", "--json",
                                        *args).jsonl]


def same_logits(a, b, rel=1e-4, absolute=1e-5):
    for x, y in zip(a, b):
        for p, q in zip(x, y):
            close(p, q, rel, absolute)


@option("lora:rslora")
def rslora():
    """alpha / sqrt(r): with r = 4 twice as much, which the configuration says."""
    setup()
    few_steps("plain", "r=4", "alpha=16")
    few_steps("rs", "r=4", "alpha=8", "rslora=on")
    few_steps("off", "r=4", "alpha=8")
    equal(step_losses("rs"), step_losses("plain"))
    check(step_losses("rs") != step_losses("off"), "rslora has no effect")
    c = config("rs")
    equal((c["use_rslora"], c["r"]), (True, 8))
    close(c["lora_alpha"], 8 * 2 ** 0.5, 1e-13)


@test
def large_rank():
    """More than a layer can have is trained, as in PEFT, and said once."""
    setup()
    r = train("large", *FEW_STEPS, "--set", "r=49", "--set", "targets=q,fc1", strategy="lora")
    equal(r.err.count("is larger than a layer"), 1)
    contains(r.err, "no update of 48x48 weights has a rank above 48", "blocks.0.attn.qkv.q")
    r = train("fits", *FEW_STEPS, "--set", "r=48", strategy="lora")
    check("larger than a layer" not in r.err, r.err)


@option("lora:rank_pattern", "lora:alpha_pattern")
def patterns():
    """Ranks and alphas of layers; the first entry that fits decides; what fits nothing is said."""
    setup()
    few_steps("p", "r=2", "targets=q,v,proj,fc1", "rank_pattern=blocks[0].attn.*=3,attn.*=1,fc1=5")
    t = {n.removeprefix("base_model.model."): x[1] for n, x in tensors("p").items()}
    equal([t["blocks.%d.%s.lora_A.weight" % (b, n)][0] for n in ("attn.qkv", "attn.proj", "mlp.fc1")
           for b in (0, 1)], [6, 2, 3, 1, 5, 5])
    c = config("p")
    equal((c["r"], c["lora_alpha"]), (5, 8))
    equal(c["rank_pattern"], {
        "blocks\\.(0)\\.attn\\.qkv": 6, "blocks\\.(1)\\.attn\\.qkv": 2,
        "blocks\\.(0)\\.attn\\.proj": 3, "blocks\\.(1)\\.attn\\.proj": 1})
    equal(c["alpha_pattern"], {"qkv": 16})
    few_steps("a", "targets=fc1,fc2", "alpha=4", "alpha_pattern=fc1=16")
    few_steps("same", "targets=fc1,fc2", "alpha=16", "alpha_pattern=blocks[0:2].mlp.fc2=4")
    few_steps("flat", "targets=fc1,fc2", "alpha=4")
    equal(step_losses("a"), step_losses("same"))
    check(step_losses("a") != step_losses("flat"), "alpha_pattern has no effect")
    for bad, words in (("rank_pattern=fc2=4", "fits no layer of the targets"),
                       ("rank_pattern=qkv=1.5", "a rank is an integer from 1 to 4096"),
                       ("rank_pattern=attn.q=4", "q, k and v of a layer have one rank"),
                       ("rank_pattern=blocks[0:.qkv=4", "the left side is no pattern"),
                       ("alpha_pattern=qkv", "no PATTERN=NUMBER"),
                       ("alpha_pattern=qkv=x", "the value is no number")):
        r = few_steps("bad", bad, code=USAGE)
        contains(r.err, words)
        check(not os.path.exists("bad"))


@option("lora:init")
def starts():
    """B is zero, but with trunc_normal; gaussian has deviation 1 / r, kaiming a bound."""
    setup()
    rows = {}
    for init in ("kaiming", "gaussian", "trunc_normal"):
        train(init, "--lr", 0, "--max-steps", 1, "--set", "init=" + init, "--set", "r=4", "--set",
              "targets=fc2", strategy="lora")
        t = tensors(init)
        rows[init] = [t["base_model.model.blocks.1.mlp.fc2.lora_%s.weight" % x][2] for x in "AB"]
    deviation = lambda x: (sum(v * v for v in x) / len(x)) ** 0.5
    bound = (1 / 192) ** 0.5
    check(0.98 * bound < max(rows["kaiming"][0]) <= bound)
    close(deviation(rows["gaussian"][0]), 0.25, 0.15)
    for x in rows["trunc_normal"]:
        close(deviation(x), 0.02, 0.25)
    check(not any(rows["kaiming"][1]) and not any(rows["gaussian"][1]))
    equal(config("gaussian")["init_lora_weights"], "gaussian")


@option("lora:dora", "lora:dropout")
def dora():
    """At the start the plain model; magnitudes are trained, those of k are kept; dropout drops."""
    setup()
    few_steps("d", "dora=on", "r=2")
    few_steps("l", "r=2")  # B is zero: its first loss is the plain model's
    few_steps("w", "dora=on", "r=2", "dropout=0.5")
    close(step_losses("d")[0], step_losses("l")[0], 1e-5)
    check(step_losses("d") != step_losses("l"), "dora has no effect")
    close(step_losses("w")[0], step_losses("l")[0], 1e-5)
    check(step_losses("w")[1:] != step_losses("d")[1:], "dropout has no effect")
    m = tensors("d")["base_model.model.blocks.1.attn.qkv.lora_magnitude_vector"][2]
    w = load_tensors("base.safetensors")["blocks.1.attn.qkv.weight"][2]
    norms = [sum(v * v for v in w[48 * o:48 * o + 48]) ** 0.5 for o in range(144)]
    equal(len(m), 144)
    for a, b in zip(m[48:96], norms[48:96]):
        close(a, b, 1e-6)
    check(all(abs(a - b) > 1e-4 for a, b in zip(m[:48], norms[:48])), "magnitudes are not trained")
    equal((config("d")["use_dora"], config("l")["use_dora"]), (True, False))
    for run in ("d", "w"):
        r = sctrun("eval", "--adapter", run + "/last", "--data", "data", "--json").json
        equal("%.9g" % r["loss"], "%.9g" % log(run)[1][-1]["eval_loss"])


@test
def dora_is_merged():
    """A folder of timm computes the same as the adapter, whatever the layers and the dropout."""
    setup()
    for name, options in (("parts", ["targets=q,v,fc1"]), ("whole", ["targets=qkv,proj,fc2"]),
                          ("dropped", ["targets=k,fc2", "dropout=0.2", "rslora=on"])):
        few_steps(name, "dora=on", "r=2", *options, steps=6)
        args = ["--adapter", name + "/last", "--weights", "base.safetensors"]
        sctrun("export", *args, "--format", "timm", "--output", name + "-timm")
        same_logits(logits("--weights", name + "-timm"), logits(*args))


@test
def dora_on_top_of_dora():
    """Two adapters of one layer: each adds what it makes of the base's weight, less that weight."""
    setup()
    few_steps("a", "dora=on", "r=2", "targets=q,fc2", steps=6)
    few_steps("b", "dora=on", "r=2", "targets=q,v", "dropout=0.1", steps=6)
    args = ["--adapter", "a/last", "--adapter", "b/last", "--weights", "base.safetensors"]
    sctrun("export", *args, "--format", "timm", "--output", "timm")
    both = logits(*args)
    same_logits(logits("--weights", "timm"), both)
    for alone in (args[:2], args[2:4]):
        check(logits("--weights", "base.safetensors", *alone) != both)


# ---- folders ----

HF = {"attn.qkv": ("encoder.layer.%d.attention.attention.%s", "layers.%d.attention.%s_proj"),
      "attn.proj": ("encoder.layer.%d.attention.output.dense", "layers.%d.attention.o_proj"),
      "mlp.fc1": ("encoder.layer.%d.intermediate.dense", "layers.%d.mlp.fc1"),
      "mlp.fc2": ("encoder.layer.%d.output.dense", "layers.%d.mlp.fc2")}


def convert(source, to, output, *args, weights="base.safetensors", code=OK):
    return sctrun("convert", source, "--to", to, "--output", output, "--weights", weights, *args,
                  code=code)


def foreign(source, output, change=None, tensors=None):
    """The folder as peft would have saved it: without our key."""
    shutil.copytree(source, output)
    c = json.loads(read(output + "/adapter_config.json"))
    c.pop("sctrun")
    if change:
        change(c)
    write(output + "/adapter_config.json", json.dumps(c, indent=2, sort_keys=True))
    if tensors:
        t = {n: (x[0], x[1], floats(x[2])) for n, x in
             load_tensors(output + "/adapter_model.safetensors").items()}
        tensors(t)
        save_tensors(output + "/adapter_model.safetensors", t)


def weights_of(folder):
    return read(folder + "/adapter_model.safetensors")


CASES = {"plain": ["targets=q,v"], "shared": ["targets=qkv,proj"],
         "all": ["targets=q,k,v,proj,fc1,fc2", "rank_pattern=blocks[1].mlp.*=3",
                 "alpha_pattern=proj=2", "rslora=on"],
         "dora": ["targets=q,v,fc2", "dora=on", "rank_pattern=fc2=4"],
         "dora_shared": ["targets=qkv", "dora=on", "rslora=on"]}


@option("to")
def there_and_back():
    """Names of transformers and back: the same bytes, and the same logits from either folder."""
    setup()
    for name, options in CASES.items():
        few_steps(name, "r=2", *options)
        convert(name + "/last", "peft-hf", name + "-hf")
        convert(name + "-hf", "sctrun", name + "-back")
        equal(weights_of(name + "-back"), weights_of(name + "/last"), name)
        a, b = (json.loads(read(d + "/adapter_config.json")) for d in (name + "/last", name + "-back"))
        for key in a:
            equal(b.get(key), a[key], name + ': ' + key)
        base_ = ["--weights", "base.safetensors"]
        equal(logits("--adapter", name + "-hf", *base_), logits("--adapter", name + "/last", *base_))
    c = json.loads(read("all-hf/adapter_config.json"))
    equal(c["modules_to_save"], ["classifier"])
    equal(c["auto_mapping"], {"base_model_class": "ViTForImageClassification",
                              "parent_library": "transformers.models.vit.modeling_vit"})
    equal((c["sctrun"]["names"], c["r"]), ("hf", 2))
    c = json.loads(read("plain-hf/adapter_config.json"))
    equal(sorted(c["target_modules"]), ["q_proj", "query", "v_proj", "value"])
    t = load_tensors("plain-hf/adapter_model.safetensors")
    for b in (0, 1):
        for word, short in (("query", "q"), ("value", "v")):
            names = ["base_model.model.vit." + n % (b, w) for n, w in
                     zip(HF["attn.qkv"], (word, short))]
            for x, shape in (("A", [2, 48]), ("B", [48, 2])):
                equal(t["%s.lora_%s.weight" % (names[0], x)], t["%s.lora_%s.weight" % (names[1], x)])
                equal(t["%s.lora_%s.weight" % (names[0], x)][1], shape)


@test
def among_others():
    """A composition is no folder of peft; its names are not asked for. Folders in either names are stacked
    and compared as what they hold."""
    setup()
    composed("c", ["lora", "bitfit"], "lora.dora=on", "lora.r=2")
    fails(USAGE, ["--to peft-hf", "lora+bitfit", "no form in peft"], "convert", "c/last", "--to", "peft-hf",
          "--weights", "base.safetensors", "--output", "none")
    check(not os.path.exists("none"))
    convert("c/last", "sctrun", "c2")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        equal(read("c2/" + name), read("c/last/" + name), name)
    few_steps("a", "targets=q,v")
    few_steps("b", "targets=k,fc1", "dora=on")
    convert("b/last", "peft-hf", "hf")
    # q and v are layers without a pair in transformers: their magnitudes are the norms of the base
    out = sctrun("diff", "b/last", "hf", code=1).out
    contains(out, "sctrun.names", "14 of 18 tensors are equal")
    equal(out.count("lora_magnitude_vector [48] f32 only in A"), 4)
    equal(*(logits("--adapter", "a/last", "--adapter", x, "--weights", "base.safetensors")
            for x in ("b/last", "hf")))


@test
def folders_of_others():
    """Without our key: options are told from keys and shapes; the same logits."""
    setup()
    base_ = ["--weights", "base.safetensors", "--model", "tiny.yaml"]
    for name, options in CASES.items():
        few_steps(name, "r=2", *options)
        want = logits("--adapter", name + "/last", *base_[:2])
        foreign(name + "/last", name + "-timm")
        convert(name + "/last", "peft-hf", "hf")
        foreign("hf", name + "-hf")
        shutil.rmtree("hf")
        for form in ("timm", "hf"):
            convert("%s-%s" % (name, form), "sctrun", "own", "--model", "tiny.yaml")
            same_logits(logits("--adapter", "own", *base_[:2]), want, 2e-5, 1e-6)
            if name == "dora" and form == "hf":
                o = json.loads(read("own/adapter_config.json"))["sctrun"]["options"]
                equal(o, {"targets": "q,v,fc2", "r": "2", "alpha": "8", "dora": "on",
                          "rslora": "off", "dropout": "0",
                          "rank_pattern": "blocks[0].mlp.fc2=4,blocks[1].mlp.fc2=4"})
                equal(weights_of("own"), weights_of("dora/last"))
            shutil.rmtree("own")


def uneven(output, ranks, alphas, dora=False):
    """A folder in transformers' names: {(block, "query"): r}, alphas by module; its logits are those of a
    base with the updates added."""
    t, merged, r = {}, base_tensors(), random.Random(7)
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["query", "value"],
              "rank_pattern": {}, "alpha_pattern": alphas, "modules_to_save": None, "use_dora": dora}
    for (b, module), rank in ranks.items():
        part = ["query", "key", "value"].index(module)
        name = "vit." + HF["attn.qkv"][0] % (b, module)
        A, B = ([r.uniform(-0.5, 0.5) for _ in range(48 * rank)] for _ in "AB")
        for x, shape, v in (("A", [rank, 48], A), ("B", [48, rank], B)):
            t["base_model.model.%s.lora_%s.weight" % (name, x)] = ("F32", shape, floats(v))
        if rank != 2:
            config["rank_pattern"][name[4:]] = rank
        scale = alphas.get(module, 4) / rank
        key = "blocks.%d.attn.qkv.weight" % b
        w = list(struct.unpack("<%df" % (144 * 48), merged[key][2]))
        for o in range(48):
            for i in range(48):
                w[(part * 48 + o) * 48 + i] += scale * sum(B[o * rank + k] * A[k * 48 + i] for k in range(rank))
        merged[key] = (*merged[key][:2], floats(w))
    os.makedirs(output)
    write(output + "/adapter_config.json", json.dumps(config))
    save_tensors(output + "/adapter_model.safetensors", t)
    save_tensors(output + ".safetensors", merged)


@test
def of_uneven_ranks():
    """q with another rank and alpha than v, and no pair in some blocks: the same function; the zeros stay."""
    setup()
    base_ = ["--weights", "base.safetensors", "--model", "tiny.yaml"]
    for name, ranks, alphas, said in (
            ("ranks", {(0, "query"): 2, (0, "value"): 5, (1, "query"): 2, (1, "value"): 2}, {}, "1 pairs"),
            ("alphas", {(b, m): 2 for b in (0, 1) for m in ("query", "value")}, {"value": 3}, "2 pairs"),
            ("blocks", {(1, "query"): 3, (1, "value"): 2}, {}, "2 blocks"),
            ("parts", {(0, "query"): 2, (1, "query"): 2, (1, "value"): 4}, {"query": 1}, "1 blocks")):
        uneven(name, ranks, alphas)
        contains(convert(name, "sctrun", name + "-own", "--model", "tiny.yaml").err, said, "zeros")
        want = logits("--weights", name + ".safetensors", "--model", "tiny.yaml")
        same_logits(logits("--adapter", name + "-own", *base_[:2]), want, 2e-5, 1e-5)
    zero = lambda t: [x == 0 for x in load_tensors(t + "/adapter_model.safetensors")[
        "base_model.model.blocks.0.attn.qkv.lora_A.weight"][2]]
    train("more", "--adapter", "blocks-own", "--max-steps", 3, "--lr", "0.05", strategy=None)
    check(all(zero("blocks-own")) and all(zero("more/last")), "pairs of zeros are trained")
    check(weights_of("more/last") != weights_of("blocks-own"))
    uneven("dora", {(1, "query"): 2}, {}, True)
    contains(convert("dora", "sctrun", "out", "--model", "tiny.yaml", code=FILE).err, "1 of 2 blocks", "DoRA")
    check(not os.path.exists("out"))


@test
def nothing_is_passed_over():
    """What a folder says and lora cannot do is refused by name, before anything is written."""
    setup()
    few_steps("a", "r=2", "targets=q,v")
    convert("a/last", "peft-hf", "hf")
    prefix = "base_model.model.vit.encoder.layer.1.attention.attention."
    five = "base_model.model.vit.layers.1.attention."

    def bad(words, source="a/last", change=None, tensors=None, code=FILE):
        foreign(source, "bad", change, tensors)
        r = convert("bad", "sctrun", "out", "--model", "tiny.yaml", code=code)
        contains(r.err, *words)
        check(not os.path.exists("out"))
        shutil.rmtree("bad")

    for key, value in (("bias", "all"), ("fan_in_fan_out", True), ("layers_to_transform", [0]),
                       ("lora_bias", True), ("exclude_modules", ["x"]), ("use_qalora", True),
                       ("init_lora_weights", "pissa"), ("peft_type", "LOHA")):
        bad([str(value) if key in ("bias", "init_lora_weights", "peft_type") else key],
            change=lambda c: c.update({key: value}))
    bad(["head", "tensors have one"], change=lambda c: c.update(modules_to_save=None))
    bad(["head", "tensors lack one"], tensors=lambda t: [t.pop(n) for n in list(t) if ".head." in n])
    bad(["target_modules does not name"], change=lambda c: c.update(target_modules=["fc1"]))
    bad(["has rank 3 by r", "its tensors have 4"], change=lambda c: c.update(r=3))
    bad(["norm.weight", "no place"],
        tensors=lambda t: t.update({"base_model.model.norm.weight": ("F32", [48], floats([0] * 48))}))
    bad(["lora_B", "missing"],
        tensors=lambda t: t.pop("base_model.model.blocks.1.attn.qkv.lora_B.weight"))
    bad(["same tensor for transformers 4 and 5, and differ"], "hf", tensors=lambda t: t.update(
        {five + "q_proj.lora_A.weight": ("F32", [2, 48], floats([1] * 96))}))
    bad(["query.lora_B.weight", "missing"], "hf", tensors=lambda t: [
        t.pop(prefix + "query.lora_B.weight"), t.pop(five + "q_proj.lora_B.weight")])
    bad(["key.lora_C", "no place"], "hf",
        tensors=lambda t: t.update({prefix + "key.lora_C": ("F32", [1], floats([0]))}))
    bad(["rank_pattern", "{}, ^ and $ are not understood"],
        change=lambda c: c.update(rank_pattern={"a{2}": 4}))
    fails(USAGE, ["say where to"], "convert", "a/last")
    fails(USAGE, ["say which adapter"], "convert", "--output", "out")
    train("s", "--max-steps", 1, "--set", "k=4", strategy="sct")
    r = convert("s/last", "peft-hf", "out", code=USAGE)
    contains(r.err, "strategy sct has no form in peft")
    fails(FILE, ["sctrun convert reads"], "predict", "--adapter", foreign("a/last", "f") or "f",
          "--weights", "base.safetensors", "--image", "data/images/test")


@test
def swin_there_and_back():
    """The same for a Swin, whose modules have the stage in their names."""
    swin()
    vtab()
    sctrun("train", "--model", "swin.yaml", "--weights", "swin.safetensors", "--data", "data",
           "--strategy", "lora", "--set", "r=2", "--set", "targets=q,k,fc2", "--set", "dora=on",
           "--set", "rank_pattern=layers[1].blocks[*].mlp.fc2=3", "--max-steps", 3, "--lr", "0.05",
           "--output", "s")
    convert("s/last", "peft-hf", "hf", weights="swin.safetensors")
    convert("hf", "peft-timm", "back", weights="swin.safetensors")
    equal(weights_of("back"), weights_of("s/last"))
    c = json.loads(read("hf/adapter_config.json"))
    equal(c["auto_mapping"]["base_model_class"], "SwinForImageClassification")
    check("swin.encoder.layers.0.blocks.0.output.dense" in c["target_modules"], c["target_modules"])
    t = load_tensors("hf/adapter_model.safetensors")
    for name in ("attention.self.key", "attention.k_proj"):
        check("base_model.model.swin.encoder.layers.1.blocks.0.%s.lora_A.weight" % name in t, list(t))
    foreign("hf", "theirs")
    convert("theirs", "sctrun", "own", "--model", "swin.yaml", weights="swin.safetensors")
    equal(weights_of("own"), weights_of("s/last"))


def ia3_folder(path, tensors, **keys):
    os.makedirs(path)
    write(path + "/adapter_config.json", json.dumps({"peft_type": "IA3", "feedforward_modules": [],
                                                     **keys}))
    save_tensors(path + "/adapter_model.safetensors", {
        "base_model.model." + n: ("F32", shape, floats(v)) for n, (shape, v) in tensors.items()})


@test
def ia3_is_ssf_without_shifts():
    """y (W x + b) * l: the base with rows and biases multiplied, here, computes the same."""
    setup()
    t = base_tensors()
    merged, timm, hf = dict(t), {}, {}
    for b in (0, 1):
        for layer, rows, first in (("attn.qkv", 144, 96), ("mlp.fc1", 192, 0)):
            name = "blocks.%d.%s" % (b, layer)
            l = [1.0] * first + [1 + 0.3 * ((7 * i + b) % 11 - 5) / 5 for i in range(rows - first)]
            timm[name + ".ia3_l"] = ([rows, 1], l)
            module = HF[layer][0] % ((b, "value") if first else b)
            hf["vit.%s.ia3_l" % module] = ([rows - first, 1], l[first:])
            for end, cols in (("weight", 48), ("bias", 1)):
                w = struct.unpack("<%df" % (rows * cols), t["%s.%s" % (name, end)][2])
                merged["%s.%s" % (name, end)] = (*t["%s.%s" % (name, end)][:2], floats(
                    [v * l[i // cols] for i, v in enumerate(w)]))
    save_tensors("merged.safetensors", merged)
    model_ = ["--model", "tiny.yaml", "--weights"]
    want = logits(*model_, "merged.safetensors")
    ia3_folder("timm", timm, target_modules=["qkv", "mlp.fc1"])
    ia3_folder("hf", hf, target_modules=".*(value|intermediate.dense)")
    for form in ("timm", "hf"):
        convert(form, "sctrun", form + "-own", *model_[:2])
        equal(json.loads(read(form + "-own/adapter_config.json"))["sctrun"]["strategy"], "ssf")
        same_logits(logits("--adapter", form + "-own", "--weights", "base.safetensors"), want)
    equal(weights_of("hf-own"), weights_of("timm-own"))
    for name, tensors_, keys, words in (
            ("input", {"blocks.0.mlp.fc2.ia3_l": ([1, 192], [1] * 192)}, {}, "feedforward_modules"),
            ("norm", {**timm, "norm.ia3_l": ([48, 1], [1] * 48)}, {}, "norm.ia3_l has no place"),
            ("turned", timm, {"fan_in_fan_out": True}, "fan_in_fan_out is set"),
            ("size", {"blocks.0.attn.qkv.ia3_l": ([48, 1], [1] * 48)}, {}, "expected [144] f32, found [48] f32"),
            ("other", timm, {"target_modules": ["fc1"]}, "target_modules does not name"),
            ("none", {}, {}, "there is no vector")):
        ia3_folder(name, tensors_, **{"target_modules": ["qkv", "fc1", "fc2"], **keys})
        contains(convert(name, "sctrun", "out", *model_[:2], code=FILE).err, words)
        check(not os.path.exists("out"))
    contains(convert("timm-own", "peft-timm", "out", code=USAGE).err, "no form in peft")


main()
