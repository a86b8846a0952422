# SPDX-License-Identifier: MIT
"""model_folders.py - a folder as --weights: config.json and preprocessor_config.json say what the
tensors do not, and nothing that they contradict."""
from e2e import *

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")
VIT = os.path.join(GOLDEN, "dialects", "vit", "timm.safetensors")
SWIN = os.path.join(GOLDEN, "dialects", "swin", "ms.pth")
VARIANTS = os.path.join(GOLDEN, "vit_variants")
TWO = {"image_size": 8, "patch_size": 4, "dim": 8, "depth": 2, "heads": 4, "eps": "1e-5",
       "crop_pct": 0.8, "gelu": "tanh", "mean": "[0.1, 0.2, 0.3]", "std": "[0.4, 0.5, 0.6]"}
WINDOWS = {"arch": "swin", "image_size": 32, "patch_size": 2, "dim": 2, "depths": "[1, 1, 2, 1]",
           "heads": "[1, 1, 2, 2]", "window": 2, "eps": "1e-5"}
FORMATS = ("timm", "hf4", "hf5")


def raw_tensors(path):
    """name -> (dtype, shape, bytes) of a safetensors file."""
    data = read(path)
    n = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:8 + n])
    header.pop("__metadata__", None)
    return {k: (t["dtype"], t["shape"], data[8 + n + t["data_offsets"][0]:
                                             8 + n + t["data_offsets"][1]])
            for k, t in header.items()}


def logits(*args):
    png("p.png", 21, 17, picture(5, 1, 21, 17))
    return sctrun("predict", "--image", "p.png", "--json", *args).jsonl[0]["logits"]


def inspect(path, **kw):
    return sctrun("inspect", path, "--json", **kw).json


def facts(r):
    return {f["key"]: (f["value"], "known" if f["known"] else "said" if f["said"] else "supposed")
            for f in r["model"]["facts"]}


def edit(folder, name="config.json", drop=(), **keys):
    """A key "a__b" is b of object a."""
    path = os.path.join(folder, name)
    tree = json.loads(read(path))
    for key, value in keys.items():
        at, *rest = key.split("__")
        (tree[at] if rest else tree)[rest[0] if rest else at] = value
    for key in drop:
        del tree[key]
    write(path, json.dumps(tree))


def export(form, out, *args, **keys):
    png("p.png", 21, 17, picture(5, 1, 21, 17))
    model("two.yaml", **dict(TWO, **keys))
    shutil.rmtree(out, ignore_errors=True)
    sctrun("export", "--model", "two.yaml", "--weights", VIT, "--format", form, "--output", out,
           *args)


@test
def a_folder_says_all():
    """Heads, eps, activation, preprocessing: the logits of a folder alone are those of the model."""
    for resize in ("crop-bicubic", "squash-bilinear"):
        for form in FORMATS:
            export(form, form, "--resize", resize)
            want = logits("--model", "two.yaml", "--weights", VIT, "--resize", resize)
            equal(logits("--weights", form), want, form)
            r = inspect(form)
            f = facts(r)
            equal((f["heads"], f["eps"], f["gelu"], f["dim"]),
                  (("4", "said"), ("1e-05", "said"), ("tanh", "said"), ("8", "known")), form)
            contains(r["folder"]["of"], "timm" if form == "timm" else "transformers vit")
            contains(sctrun("inspect", form).out, "said by " + form + "/config.json: ",
                     "preprocessing: resize")
    # the weight file alone says none of it
    f = facts(inspect("timm/model.safetensors"))
    equal(f["heads"][1], "supposed")
    # what the user says is stronger, and said to be otherwise
    r = sctrun("predict", "--model", "two.yaml", "--weights", VIT, "--image", "p.png", "--json")
    model("other.yaml", **dict(TWO, heads=2))
    r = sctrun("predict", "--model", "other.yaml", "--weights", "timm", "--image", "p.png")
    contains(r.err, "heads is 4", "model other says otherwise")


@test
def every_variant():
    """timm's arguments, one model with each of them."""
    for name in sorted(f[:-12] for f in os.listdir(VARIANTS)):
        data = read(os.path.join(VARIANTS, name + ".safetensors"))
        n = struct.unpack_from("<Q", data)[0]
        header = json.loads(data[8:8 + n])
        write("m.yaml", header.pop("__metadata__")["config"])
        save_tensors("m.safetensors", {
            k: (t["dtype"], t["shape"], data[8 + n + t["data_offsets"][0]:
                                             8 + n + t["data_offsets"][1]])
            for k, t in header.items() if not k.startswith("golden.")})
        args = ("--model", "m.yaml", "--weights", "m.safetensors", "--resize", "squash-bicubic")
        sctrun("export", *args, "--format", "timm", "--output", name)
        equal(logits("--weights", name), logits(*args), name)


@test
def swin_folders():
    write("windows.yaml", yaml_text(WINDOWS))
    args = ("--model", "windows.yaml", "--weights", SWIN, "--resize", "crop-bicubic")
    want = logits(*args)
    for form in FORMATS:
        sctrun("export", *args, "--format", form, "--output", form)
        equal(logits("--weights", form), want, form)
        equal(facts(inspect(form))["image_size"], ("32", "said"), form)
    edit("hf4", window_size=4)
    fails(FILE, ["hf4/config.json: window_size makes window 4, the weights make it 2"],
          "predict", "--weights", "hf4", "--image", "p.png")
    edit("timm", architecture="vit_base_patch16_224")
    fails(FILE, ["is of a vit", "the weights are of a swin"], "inspect", "timm")


@test
def contradictions():
    for key, value, *what in (
            ("hidden_size", 16, "dim 16", "make it 8", "patch_embed.proj.weight is [8][3][4][4]"),
            ("num_hidden_layers", 3, "depth 3", "make it 2"),
            ("image_size", 16, "image_size 16", "make it 8", "pos_embed"),
            ("patch_size", [2, 2], "patch_size 2", "make it 4"),
            ("qkv_bias", False, "no_qkv_bias true", "blocks.0.attn.qkv.bias is there"),
            ("id2label", {"0": "a", "1": "b"}, "id2label says 2 classes", "head.weight) has 3"),
            ("num_attention_heads", 0, "num_attention_heads", "from 1 to 1024"),
            ("num_attention_heads", "4", "num_attention_heads", "whole number"),
            ("hidden_act", "silu", "hidden_act \"silu\" is not built here"),
            ("layer_norm_eps", 0, "layer_norm_eps", "above 0"),
            ("layer_norm_eps", 1e-60, "layer_norm_eps", "above 0"),
            ("num_channels", 1, "another num_channels than 3"),
            ("patch_size", [4, 2], "patch_size"),
            ("model_type", "resnet", "\"resnet\" are not built here", "dinov2"),
            ("architecture", "resnet50", "architecture \"resnet50\" is not built here"),
            ("id2label", {"0": "a", "2": "b", "3": "c"}, "class 1 is missing")):
        export("hf4", "f")
        edit("f", **{key: value})
        fails(FILE, ["f/config.json", *what], "predict", "--weights", "f", "--image", "p.png")
        r = inspect("f", code=FILE)
        check(r["error"], key)
    for key, value, *what in (
            ("model_args__embed_dim", 16, "model_args.embed_dim makes dim 16"),
            ("model_args__init_values", 0.1, "layer_scale true", "ls1.gamma is not there"),
            ("model_args__block_fn", "x", "model_args.block_fn: models with it are not built"),
            ("model_args__global_pool", "map", "token, avg or token_avg"),
            ("num_classes", 7, "num_classes says 7 classes", "has 3")):
        export("timm", "f")
        edit("f", **{key: value})
        fails(FILE, ["f/config.json", *what], "predict", "--weights", "f", "--image", "p.png")
    for text in ("", "[]", "{", "{\"model_type\": 3}", "{\"a\": 1, \"a\": 2}", "[" * 100):
        write("f/config.json", text)
        fails(FILE, ["f/config.json"], "predict", "--weights", "f", "--image", "p.png")
    # of another program: left alone, and said
    write("f/config.json", "{\"model_cfg\": {}}")
    contains(sctrun("inspect", "f").out, "neither model_type nor architecture")


@test
def defaults_of_a_library():
    """A key that is absent is what the class takes."""
    export("hf4", "f")
    edit("f", drop=("layer_norm_eps", "hidden_act", "num_attention_heads"))
    f = facts(inspect("f", code=None))
    equal((f["eps"], f["gelu"], f["heads"]),
          (("1e-12", "said"), ("erf", "said"), ("12", "said")))
    export("timm", "t", eps="1e-6")
    edit("t", architecture="vit_tiny_patch16_224")
    equal(facts(inspect("t"))["eps"], ("1e-06", "said"))
    edit("t", architecture="vit_base_patch16_clip_quickgelu_224")
    tree = json.loads(read("t/config.json"))
    del tree["model_args"]["act_layer"]
    write("t/config.json", json.dumps(tree))
    equal([facts(inspect("t"))[k] for k in ("eps", "gelu")],
          [("1e-05", "said"), ("quick", "said")])


@test
def functions_of_timm():
    """What a function's name says where it is no preset; one that says nothing is not guessed at."""
    for name, heads, gelu, eps in (
            ("deit3_huge_patch14_224", "16", "erf", "1e-06"),
            ("vit_huge_patch14_clip_quickgelu_224.dfn5b", "16", "quick", "1e-05"),
            ("vit_large_patch14_clip_quickgelu_336", "16", "quick", "1e-05"),
            ("vit_giantopt_patch16_siglip_gap_256", "16", "tanh", "1e-06"),
            ("vit_so400m_patch14_siglip_gap_224", "16", "erf", "1e-06"),
            ("vit_base_patch16_siglip_gap_224", "12", "erf", "1e-06")):
        export("timm", "t")
        edit("t", architecture=name, model_args={})
        f = facts(inspect("t", code=None))
        equal([f[k] for k in ("heads", "gelu", "eps")], [(x, "said") for x in (heads, gelu, eps)], name)
        # arguments are stronger
        edit("t", model_args={"num_heads": 2, "act_layer": "gelu_tanh"})
        f = facts(inspect("t"))
        equal([f[k][0] for k in ("heads", "gelu", "eps")], ["2", "tanh", eps], name)
    export("timm", "t")
    want = logits("--model", "two.yaml", "--weights", VIT, "--resize", "squash-bilinear")
    args = json.loads(read("t/config.json"))["model_args"]
    edit("t", architecture="vit_of_tomorrow")
    sctrun("predict", "--weights", "t", "--image", "p.png")  # heads and activation are arguments
    for gone in ("num_heads", "act_layer"):
        edit("t", model_args={k: v for k, v in args.items() if k != gone})
        words = ["t/config.json: timm's architecture \"vit_of_tomorrow\" is not known here",
                 "num_heads and act_layer", "--model FILE"]
        fails(FILE, words, "predict", "--weights", "t", "--image", "p.png")
        fails(FILE, words, "inspect", "t")
        equal(logits("--model", "two.yaml", "--weights", "t", "--resize", "squash-bilinear"), want)
    # models that have other parts behind the same names
    for name, what in (("vit_base_patch16_rpn_224", "norms behind the branches"),
                       ("vit_base_patch16_rope_ape_224", "rotary"),
                       ("vit_pe_spatial_base_patch16_512", "rotary"),
                       ("vit_small_patch16_dinov3", "rotary")):
        edit("t", architecture=name, model_args=args)
        for more in ([], ["--model", "two.yaml"]):
            fails(FILE, ["\"%s\" has " % name, what, "not built here"], "predict", *more, "--weights",
                  "t", "--image", "p.png")
    write("windows.yaml", yaml_text(WINDOWS))
    sctrun("export", "--model", "windows.yaml", "--weights", SWIN, "--format", "timm", "--output", "s")
    edit("s", architecture="swin_of_tomorrow")
    sctrun("inspect", "s")
    edit("s", model_args={})
    fails(FILE, ["\"swin_of_tomorrow\"", "num_heads and window_size"], "inspect", "s")


@test
def supposed_heads():
    export("hf4", "f")
    r = sctrun("predict", "--weights", "f", "--image", "p.png")
    check("supposedly" not in r.err, r.err)
    edit("f", num_attention_heads=None)
    r = sctrun("predict", "--weights", "f", "--image", "p.png")
    contains(r.err, "f/config.json does not say the heads; supposedly 1")


@test
def preprocessing():
    export("hf4", "f")

    def steps(**keys):
        write("f/preprocessor_config.json", json.dumps(keys))
        r = inspect("f")["folder"]["preprocess"]
        return r if "error" in r else (r["eval"], r["crop_pct"], r["mean"][0], r["std"][0])
    vit = steps(image_processor_type="ViTImageProcessor", size=8)
    equal((vit[0][0]["resize"]["mode"], vit[0][0]["resize"]["filter"], len(vit[0]), vit[2]),
          ("squash", "bilinear", 1, 0.5))
    clip = steps(feature_extractor_type="CLIPFeatureExtractor", size=10, crop_size=8)
    equal((clip[0][0]["resize"]["mode"], clip[0][1], clip[1]),
          ("short", {"center-crop": clip[0][1]["center-crop"]}, 0.8))
    close(clip[2], 0.48145466)
    deit = steps(image_processor_type="DeiTImageProcessorFast", size={"height": 10, "width": 10},
                 crop_size={"height": 8, "width": 8}, do_normalize=False)
    equal((deit[0][0]["resize"]["mode"], deit[1:]), ("squash", (0.8, 0, 1)))
    for keys, what in (({"image_processor_type": "SiglipImageProcessor"}, "Siglip"),
                       ({"resample": 0}, "resample"), ({"size": {"height": 8, "width": 9}}, "size"),
                       ({"size": {"shortest_edge": 8}}, "do_center_crop"),
                       ({"size": -1}, "size"), ({"do_rescale": False}, "rescale_factor"),
                       ({"image_std": [0, 1, 1]}, "image_std"), ({"image_mean": [1]}, "image_mean"),
                       ({"do_resize": 3}, "do_resize"), ({"resample": 9}, "resample"),
                       ({"size": 4000, "crop_size": 8, "do_center_crop": True}, "crop_pct")):
        keys.setdefault("image_processor_type", "ViTImageProcessor")
        contains(steps(**keys)["error"], "f/preprocessor_config.json", what)
        fails(FILE, ["f/preprocessor_config.json", what], "predict", "--weights", "f", "--image",
              "p.png")
        # who says another one needs none of it
        sctrun("predict", "--weights", "f", "--image", "p.png", "--resize", "crop-bicubic")
    # made for other pictures: in proportion
    steps(image_processor_type="BitImageProcessor", size={"shortest_edge": 256}, crop_size=224)
    r = sctrun("predict", "--weights", "f", "--image", "p.png")
    contains(r.err, "for 224 pixels, the model takes 8: in proportion")
    export("timm", "t")
    for key, value, what in (("crop_mode", "border", "crop_mode"), ("interpolation", "x", "bicubic"),
                             ("crop_pct", 7, "crop_pct"), ("input_size", [3, 8, 9], "input_size")):
        export("timm", "t")
        edit("t", **{"pretrained_cfg__" + key: value})
        fails(FILE, ["t/config.json", what], "predict", "--weights", "t", "--image", "p.png")


@test
def folders_of_transformers():
    """What save_pretrained wrote (tools/golden/make_hub.py): told in full, labels and pictures too."""
    hub = os.path.join(GOLDEN, "hub")
    for name, eps, more in (("deit", "1e-12", {"distilled": "true"}),
                            ("deit_class", "1e-12", {"reg_tokens": "1", "distilled": "false"}),
                            ("dinov2", "1e-06", {"layer_scale": "true", "reg_tokens": "0"}),
                            ("dinov2_reg", "1e-06", {"reg_tokens": "2", "no_embed_class": "true"}),
                            ("clip", "1e-05", {"pre_norm": "true", "no_patch_bias": "true"}),
                            ("clip_quick", "1e-05", {"pre_norm": "true", "gelu": "quick"})):
        r = inspect(os.path.join(hub, name))
        f = {k: v[0] for k, v in facts(r).items()}
        equal((f["heads"], f["eps"], f["mlp"], r["error"]), ("4", eps, "24", None), name)
        equal({k: f[k] for k in more}, more, name)
        check("error" not in r["folder"]["preprocess"], name, r["folder"])
    export("hf4", "f")
    png("p.png", 21, 17, picture(5, 1, 21, 17))
    r = sctrun("predict", "--weights", os.path.join(hub, "deit"), "--image", "p.png", "--json")
    check(r.jsonl[0]["name"] in ("apple", "pear", "plum"), r.out)
    equal([facts(inspect(os.path.join(hub, n)))["gelu"] for n in ("clip", "clip_quick")],
          [("erf", "said"), ("quick", "said")])
    shutil.copytree(os.path.join(hub, "clip"), "clip")
    edit("clip", drop=["hidden_act"])
    equal(facts(inspect("clip"))["gelu"], ("quick", "said"))  # what CLIPVisionConfig takes
    # DINOv2's classifier sees the class token and the mean: its labels, a model of it, a fresh head
    r = sctrun("predict", "--weights", os.path.join(hub, "dinov2_class"), "--image", "p.png",
               "--json")
    check(r.jsonl[0]["name"] in ("apple", "pear", "plum"), r.out)
    equal(facts(inspect(os.path.join(hub, "dinov2_class")))["pool"][0], "token_avg")
    sctrun("export", "--weights", os.path.join(hub, "dinov2_class"), "--format", "onnx", "--output",
           "d.onnx")
    for form, what in (("timm", "pool: token_avg"), ("hf4", "pool")):
        fails(USAGE, [what], "export", "--weights", os.path.join(hub, "dinov2_class"), "--format",
              form, "--output", "no")
    vtab()
    for name, width in (("own", 16), ("token", 8)):
        model("token.yaml", image_size=8, patch_size=4, dim=8, depth=2, heads=4, mlp=24,
              layer_scale=True)
        keys = [] if name == "own" else ["--model", "token.yaml"]
        sctrun("train", "--weights", os.path.join(hub, "dinov2_class"), "--data", "data", "--strategy",
               "linear", "--max-steps", 1, "--batch-size", 8, "--output", name, *keys)
        equal(tensors(name)["head.weight"][1], [3, width])
        sctrun("eval", "--adapter", name + "/last", "--data", "data")
    # a head that is not built is left out, by name
    for name, width, why in (("clip_quick", 8, "the patches' mean without a norm"),):
        shutil.copytree(os.path.join(hub, name), name + "_head")
        all_ = raw_tensors(os.path.join(hub, name, "model.safetensors"))
        all_["classifier.weight"] = ("F32", [3, width], floats([0.0] * 3 * width))
        all_["classifier.bias"] = ("F32", [3], floats([0.0] * 3))
        save_tensors(name + "_head/model.safetensors", all_)
        fails(FILE, ["no head that can be used", "classifier.", why, "--adapter"], "predict",
              "--weights", name + "_head", "--image", "p.png")
    shutil.copytree(os.path.join(hub, "dinov2"), "dinov2")
    save_tensors("giant.safetensors", {
        k.replace("mlp.fc1", "mlp.weights_in").replace("mlp.fc2", "mlp.weights_out"): t
        for k, t in raw_tensors("dinov2/model.safetensors").items()})
    fails(FILE, ["giant.safetensors has SwiGLU (blocks.0.mlp.w12."], "inspect", "giant.safetensors")
    edit("dinov2", use_swiglu_ffn=True)
    fails(FILE, ["another use_swiglu_ffn than false"], "inspect", "dinov2")


@test
def labels():
    names = {"0": "apple", "1": "pear", "2": "plum"}
    for form, keys in (("hf4", {"id2label": names}), ("timm", {"label_names": list(names.values())})):
        export(form, form)
        edit(form, **keys)
        r = sctrun("predict", "--weights", form, "--image", "p.png", "--json").jsonl[0]
        equal(r["name"], names[str(r["class"])], form)
        equal(inspect(form)["folder"]["labels"], list(names.values()))
    export("hf4", "f")
    r = sctrun("predict", "--weights", "f", "--image", "p.png", "--json").jsonl[0]
    check(r.get("name") is None, r)


main()
