# SPDX-License-Identifier: MIT
"""dialects.py - one model in every dialect: what inspect says of it, and that it is the same base."""
from e2e import *

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "dialects")
FILES = {"vit": ["timm.safetensors", "split.safetensors", "hf4.safetensors", "hf4_bare.safetensors",
                 "hf5.safetensors", "ema.pth", "flax.npz", "flax_wrapped.npz", "big_vision.npz",
                 "big_vision_scan.npz"],
         "swin": ["timm.safetensors", "ms.pth", "hf4.safetensors", "hf5.safetensors"]}


def golden(kind, name):
    return os.path.join(GOLDEN, kind, name)


def inspect(path, **kw):
    return sctrun("inspect", path, "--json", **kw).json


def facts(r):
    return {f["key"]: f["value"] for f in r["model"]["facts"]}


@test
def every_file():
    for kind, files in FILES.items():
        for name in files:
            r = inspect(golden(kind, name))
            equal((r["dialect"]["arch"], r["problems"], r["error"]), (kind, [], None), name)
            canonical = {t["canonical"] for t in r["tensors"] if "canonical" in t}
            check("patch_embed.proj.weight" in canonical, name, canonical)
            for t in r["tensors"]:
                check(("canonical" in t) != ("left_out" in t), name, t)
            equal(facts(r)["image_size"], {"vit": "8", "swin": "32"}[kind], name)
            contains(sctrun("inspect", golden(kind, name)).out, "-> patch_embed.proj.weight",
                     "dialect " + r["dialect"]["name"])


@test
def says_more():
    r = inspect(golden("vit", "ema.pth"))
    equal((r["container"], r["dialect"]["wrapper"]), ("torch zip", "state_dict_ema.module."))
    equal(r["metadata"], {"epoch": "3"})
    equal({t["left_out"] for t in r["tensors"] if t["name"].startswith("state_dict.")},
          {"another copy of the model"})
    r = inspect(golden("vit", "big_vision_scan.npz"))
    t = {t["name"]: t for t in r["tensors"]}
    q = t["params/Transformer/encoderblock/MultiHeadDotProductAttention_0/query/kernel"]
    equal((q["canonical"], q["part"], q["layout"], q["blocks"]),
          ("blocks.0.attn.qkv.weight", [0, 3], "Ldhk>(hk)d", 2))
    r = inspect(golden("swin", "ms.pth"))
    equal({t["left_out"] for t in r["tensors"] if "left_out" in t},
          {"a buffer that follows from the architecture"})


@test
def the_same_base():
    """Without --model: the shapes decide, with the file that says them. One adapter fits all."""
    vtab(n_train=8)
    args = ("--data", "data", "--strategy", "linear", "--epochs", 1, "--batch-size", 8)
    model("two.yaml", image_size=8, patch_size=4, dim=8, depth=2, heads=2)
    sctrun("train", *args, "--model", "two.yaml", "--weights", golden("vit", "timm.safetensors"),
           "--output", "a")
    want = None
    for name in FILES["vit"]:
        r = sctrun("eval", "--adapter", "a/last", "--weights", golden("vit", name), "--data", "data",
                   "--json").json
        want = want or r["loss"]
        equal(r["loss"], want, name)
    r = sctrun("train", *args, "--weights", golden("vit", "flax.npz"), "--output", "b")
    contains(r.err, "no preset is like", "vit_dim8_patch4_8")
    with open("b/last/adapter_config.json") as f:
        own = json.load(f)["sctrun"]["base"]
    equal((own["dialect"], own["config"]["heads"]), ("flax vit", 2))
    r = sctrun("train", *args, "--weights", golden("vit", "hf5.safetensors"), "--output", "c")
    contains(r.err, "supposedly with 1 heads")


@test
def the_same_swin():
    write("windows.yaml", yaml_text({
        "arch": "swin", "image_size": 32, "patch_size": 2, "dim": 2, "depths": "[1, 1, 2, 1]",
        "heads": "[1, 1, 2, 2]", "window": 2}))
    png("p.png", 32, 32, picture(1, 1, 32, 32))
    want = None
    for name in FILES["swin"]:
        for args in (["--model", "windows.yaml"], []):  # all of it can be told from the shapes
            r = sctrun("predict", *args, "--weights", golden("swin", name), "--image", "p.png",
                       "--json").jsonl[0]["logits"]
            want = want or r
            equal(r, want, name)


@test
def variants():
    """What the shapes say of every variant is what its file says of itself."""
    folder = os.path.join(GOLDEN, "..", "vit_variants")
    for name in sorted(os.listdir(folder)):
        raw = read(os.path.join(folder, name))
        n = struct.unpack_from("<Q", raw)[0]
        header = json.loads(raw[8:8 + n])
        config = dict(line.split(": ") for line in
                      header.pop("__metadata__")["config"].strip().splitlines())
        save_tensors(name, {k: (t["dtype"], t["shape"], raw[8 + n + t["data_offsets"][0]:
                                                            8 + n + t["data_offsets"][1]])
                            for k, t in header.items() if not k.startswith("golden.")})
        r = inspect(name)
        for f in r["model"]["facts"]:
            default = {"true": "true", "class_token": "true", "pool": "token", "mlp": "48",
                       "reg_tokens": "0", "classes": "7", "eps": "1e-06"}.get(f["key"], "false")
            if f["known"]:
                equal(f["value"], config.get(f["key"], default), name + " " + f["key"])


@test
def presets():
    """A file whatever its name is of the preset that its shapes are those of."""
    t = base_tensors(image_size=64, patch_size=8, dim=64, depth=6, heads=4)
    save_tensors("my_own.safetensors", t)
    equal(inspect("my_own.safetensors")["model"]["preset"], "sprite_vit")
    vtab(n_train=8)
    r = sctrun("train", "--data", "data", "--strategy", "linear", "--weights", "my_own.safetensors",
               "--max-steps", 1, "--output", "a")
    contains(r.err, "model sprite_vit, by the shapes of my_own.safetensors")
    # a name that says something else does not count
    os.rename("my_own.safetensors", "vit_tiny_patch16_224.safetensors")
    equal(inspect("vit_tiny_patch16_224.safetensors")["model"]["preset"], "sprite_vit")
    fails(FILE, ["dim is 64", "vit_tiny_patch16_224 says 192"], "predict", "--model",
          "vit_tiny_patch16_224", "--weights", "vit_tiny_patch16_224.safetensors", "--image",
          "data/images/test")


HF = (("patch_embed.proj", "embeddings.patch_embeddings.projection"), ("blocks.", "encoder.layer."),
      ("cls_token", "embeddings.cls_token"), ("pos_embed", "embeddings.position_embeddings"),
      ("attn.proj", "attention.output.dense"), ("mlp.fc1", "intermediate.dense"),
      ("mlp.fc2", "output.dense"), ("norm1", "layernorm_before"), ("norm2", "layernorm_after"))
CLIP = (("patch_embed.proj", "embeddings.patch_embedding"), ("blocks.", "encoder.layers."),
        ("attn.proj", "self_attn.out_proj"), ("norm1", "layer_norm1"), ("norm2", "layer_norm2"))


def renamed(shapes, rules, qkv, norm):
    """Shapes of a model of timm's in the names of transformers, without the head."""
    out = {}
    for name, shape in shapes.items():
        if name.startswith("head."):
            continue
        for a, b in rules:
            name = name.replace(a, b)
        if name.startswith("norm."):
            name = name.replace("norm", norm)
        parts = [name.replace("attn.qkv", q) for q in qkv] if "qkv" in name else [name]
        for part in parts:
            out[part] = (shape[0] // len(parts), *shape[1:])
    return out


def hole(path, shapes):
    """A file of those shapes whose values are zeros that take no room."""
    header, at = {}, 0
    for name, shape in shapes.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + 4 * count(shape)]}
        at += 4 * count(shape)
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        f.truncate(8 + len(text) + at)


def shapes_of(dim, heads=3):
    return base_shapes(1000, image_size=224, patch_size=16, dim=dim, depth=12, heads=heads)


QKV = ["attention.attention." + q for q in ("query", "key", "value")]


@test
def what_the_names_say():
    """eps and activation are those of the library whose names the tensors have, whatever the preset
    says; inspect and training agree."""
    small = base_shapes(10, image_size=64, patch_size=8, dim=64, depth=6, heads=4)
    hole("hf.safetensors", renamed(small, HF, QKV, "layernorm"))
    vtab(n_train=8)
    args = ["--data", "data", "--strategy", "linear", "--batch-size", 8, "--max-steps", 1]
    for name, eps in (("hf", "1e-12"), ("sprite_vit.hf", "1e-06")):  # the last says the preset
        os.rename("hf.safetensors", name + ".safetensors")
        r = inspect(name + ".safetensors")
        equal((r["model"]["preset"], facts(r)["eps"], facts(r)["gelu"]), ("sprite_vit", eps, "erf"))
        r = sctrun("train", *args, "--weights", name + ".safetensors", "--output", name)
        contains(r.err, "model sprite_vit, by the shapes of", "with eps %s, gelu erf" % eps)
        with open(name + "/last/adapter_config.json") as f:
            close(json.load(f)["sctrun"]["base"]["config"]["eps"] / float(eps), 1)
    # CLIP: QuickGELU unless the file's name says otherwise
    clip = renamed(shapes_of(768, heads=12), CLIP, ["self_attn.%s_proj" % q for q in "qkv"],
                   "post_layernorm")
    clip["embeddings.class_embedding"] = clip.pop("cls_token")[2:]
    clip["embeddings.position_embedding.weight"] = clip.pop("pos_embed")[1:]
    del clip["embeddings.patch_embedding.bias"]
    clip.update({"pre_layrnorm.weight": (768,), "pre_layrnorm.bias": (768,)})
    clip = {"vision_model." + k: v for k, v in clip.items()}
    hole("clip.safetensors", clip)
    r = inspect("clip.safetensors")
    equal((r["model"]["preset"], facts(r)["gelu"], facts(r)["eps"], r["error"]),
          ("vit_base_patch16_clip_quickgelu_224", "quick", "1e-05", None))
    equal(r["model"]["presets_too"], "vit_base_patch16_clip_224 (gelu)")
    contains(sctrun("inspect", "clip.safetensors").out, "fits too: vit_base_patch16_clip_224 (gelu)")
    os.rename("clip.safetensors", "vit_base_patch16_clip_224.laion.safetensors")
    r = inspect("vit_base_patch16_clip_224.laion.safetensors")
    equal((facts(r)["gelu"], r["model"]["presets_too"]), ("erf", None))


@test
def several_presets():
    hole("tiny.safetensors", shapes_of(192))
    args = ["train", "--data", "task:sprites_color", "--strategy", "linear", "--dry-run", "--weights"]
    r = sctrun(*args, "tiny.safetensors")
    contains(r.err, "the shapes of tiny.safetensors fit deit_tiny_patch16_224 (mean, std) too",
             "--model says which")
    os.rename("tiny.safetensors", "vit_tiny_patch16_224.safetensors")
    check("fit" not in sctrun(*args, "vit_tiny_patch16_224.safetensors").err)
    check("fit" not in sctrun(*args, "vit_tiny_patch16_224.safetensors", "--model",
                              "deit_tiny_patch16_224").err)
    # a preset's heads, where others of its width have fewer
    gap = {**shapes_of(768, heads=12), "pos_embed": (1, 196, 768)}
    del gap["cls_token"]
    hole("gap.safetensors", gap)
    equal(facts(inspect("gap.safetensors"))["heads"], "16")
    contains(sctrun(*args, "gap.safetensors").err, "gap.safetensors does not say the heads: 16, as preset "
             "vit_base_patch16_gap_224 has, supposedly not 12")


@test
def problems():
    t = base_tensors()

    def bad(name, change, *parts):
        changed = dict(t)
        change(changed)
        save_tensors(name, changed)
        r = inspect(name, code=FILE)
        contains(r["error"], name, *parts)
        fails(FILE, list(parts), "inspect", name)
        return r
    norm = t["norm.bias"]
    r = bad("gone.safetensors", lambda t: t.pop("blocks.1.norm2.bias"), "blocks.1.norm2.bias is missing")
    equal(r["problems"], ["tensor blocks.1.norm2.bias is missing"])
    r = bad("more.safetensors", lambda t: t.update({"gate.bias": norm}), "gate.bias is not known")
    equal([x["left_out"] for x in r["tensors"] if x["name"] == "gate.bias"], ["not known"])
    r = bad("pool.safetensors", lambda t: t.update({"attn_pool.latent": norm}), "attention pooling",
            "not built")
    equal(r["model"]["not_built"], ["attention pooling (attn_pool.latent)"])
    # what some blocks have all must have
    r = bad("scale.safetensors", lambda t: t.update({"blocks.0.ls1.gamma": norm}),
            "blocks.1.ls1.gamma is missing", "blocks.0.ls2.gamma is missing")
    # shapes that only building the model would tell
    short = ("F32", [40], norm[2][:160])
    r = bad("short.safetensors", lambda t: t.update({"norm.bias": short}),
            "tensor norm.bias: expected [48] f32, as in the model that the others make, found [40] f32")
    equal(len(r["problems"]), 1)
    proj = t["blocks.1.attn.proj.weight"]
    r = bad("wide.safetensors", lambda t: t.update({
        "blocks.1.attn.proj.weight": ("F32", [24, 96], proj[2]), "norm.bias": short}),
            "2 problems", "blocks.1.attn.proj.weight: expected [48][48]", "found [24][96]")
    r = bad("norms.safetensors", lambda t: t.update({"fc_norm.weight": norm, "fc_norm.bias": norm}),
            "tensor fc_norm.weight does not belong to the model")
    bad("none.safetensors", lambda t: [t.pop("norm.weight"), t.pop("norm.bias")],
        "tensor norm.weight is missing")
    # a head is not the backbone's matter: training starts another one
    save_tensors("head.safetensors", dict(t, **{"head.bias": short}))
    equal(inspect("head.safetensors")["problems"], [])
    r = bad("other.safetensors", lambda t: [t.clear(), t.update({"conv1.weight": norm})],
            "no dialect knows any")
    equal((r["dialect"], r["model"]), (None, None))


@test
def names_that_steer_a_terminal():
    """Names come from others: as text they are escaped, as JSON they are what they are."""
    evil = "a\x1b]0;x\x07\x7f\u009b2J\u202e\nname"
    shown = "a\\x1b]0;x\\x07\\x7f\\xc2\\x9b2J\\xe2\\x80\\xae\\x0aname"
    t = dict(base_tensors(), **{evil: ("F32", [1], floats([0.0]))})
    save_tensors("evil.safetensors", t, {"format": "pt", "note " + evil: evil})
    r = sctrun("inspect", "evil.safetensors", code=FILE)
    contains(r.out, "  %s " % shown, "problem: tensor %s is not known" % shown,
             "metadata note %s = %s" % (shown, shown))
    contains(r.err, "tensor a\\x1b]0;x")
    for text in (r.out, r.err):
        check(not [c for c in text if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160)], repr(text))
    # a name of another script is a name
    save_tensors("name.safetensors", dict(base_tensors(), **{"größe.重み": ("F32", [1], floats([0.0]))}))
    contains(sctrun("inspect", "name.safetensors", code=FILE).out, "größe.重み")
    names = [x["name"] for x in inspect("evil.safetensors", code=FILE)["tensors"]]
    check(evil in names, names)


@test
def adapters():
    model()
    base()
    vtab()
    train("a")
    r = inspect("a/last")
    equal((r["adapter_config"]["sctrun"]["base"]["dialect"], r["container"]),
          ("timm vit", "safetensors"))
    equal({t["name"] for t in r["tensors"]}, {"head.weight", "head.bias"})
    contains(sctrun("inspect", "a/last").out, "adapter", "base sha256")


main()
