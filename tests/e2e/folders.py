# SPDX-License-Identifier: MIT
"""folders.py - models exported as folders of timm and transformers. What those libraries would have
written is in tests/golden/dialects and vit_variants; what they make of the folders is in
folders_torch.py."""
from e2e import *

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")
DIALECTS = os.path.join(GOLDEN, "dialects", "vit")
SWIN = os.path.join(GOLDEN, "dialects", "swin")
VARIANTS = os.path.join(GOLDEN, "vit_variants")
FORMATS = ("timm", "hf4", "hf5")
WINDOWS = {"arch": "swin", "image_size": 32, "patch_size": 2, "dim": 2, "depths": "[1, 1, 2, 1]",
           "heads": "[1, 1, 2, 2]", "window": 2}
TWO = {"image_size": 8, "patch_size": 4, "dim": 8, "depth": 2, "heads": 2}
# What ViTForImageClassification.save_pretrained writes, versions 4.57 and 5.23 alike, but for
# transformers_version.
HF_SWIN = set("""architectures attention_probs_dropout_prob depths drop_path_rate dtype embed_dim
encoder_stride hidden_act hidden_dropout_prob hidden_size id2label image_size initializer_range
label2id layer_norm_eps mlp_ratio model_type num_channels num_heads num_layers out_features
out_indices patch_size qkv_bias stage_names use_absolute_embeddings window_size""".split())
HF_KEYS = set("""architectures attention_probs_dropout_prob dtype encoder_stride hidden_act
hidden_dropout_prob hidden_size id2label image_size initializer_range intermediate_size label2id
layer_norm_eps model_type num_attention_heads num_channels num_hidden_layers patch_size pooler_act
pooler_output_size qkv_bias""".split())


def raw(path):
    """name -> (dtype, shape, bytes), and the metadata."""
    data = read(path)
    n = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:8 + n])
    meta = header.pop("__metadata__", {})
    return {k: (t["dtype"], t["shape"], data[8 + n + t["data_offsets"][0]:
                                             8 + n + t["data_offsets"][1]])
            for k, t in header.items()}, meta


def logits(*args):
    png("p.png", rgb=picture(5, 1))
    return sctrun("predict", "--image", "p.png", "--json", *args).jsonl[0]["logits"]


def files(path):
    return sorted(os.listdir(path))


def variant(name):
    """Its model as m.yaml, its weights as w.safetensors."""
    tensors, meta = raw(os.path.join(VARIANTS, name + ".safetensors"))
    tensors = {k: v for k, v in tensors.items() if not k.startswith("golden.")}
    write("m.yaml", meta["config"])
    save_tensors("w.safetensors", tensors)
    return tensors


@test
def as_the_libraries_write_them():
    """The golden files are F16; exported as F16 their tensors come out as they are."""
    model("two.yaml", **TWO)
    for name in FORMATS:
        want, _ = raw(os.path.join(DIALECTS, name + ".safetensors"))
        for source in ("timm.safetensors", "flax.npz", "split.safetensors"):
            out = "%s-%s" % (name, source)
            sctrun("export", "--model", "two.yaml", "--weights", os.path.join(DIALECTS, source),
                   "--format", name, "--dtype", "f16", "--output", out)
            got, meta = raw(out + "/model.safetensors")
            equal(got, want, out)
            equal(meta, {"format": "pt"})
    write("windows.yaml", yaml_text(WINDOWS))
    for name in FORMATS:
        # version 4 of transformers also writes a buffer, which it can do without
        want = {k: v for k, v in raw(os.path.join(SWIN, name + ".safetensors"))[0].items()
                if "relative_position_index" not in k}
        for source in ("timm.safetensors", "ms.pth", "hf5.safetensors"):
            out = "swin-%s-%s" % (name, source)
            sctrun("export", "--model", "windows.yaml", "--weights", os.path.join(SWIN, source),
                   "--format", name, "--dtype", "f16", "--output", out)
            equal(raw(out + "/model.safetensors")[0], want, out)


@test
def and_back():
    """Logits of the folder are those of the file, bit for bit."""
    model("two.yaml", **TWO)
    source = os.path.join(DIALECTS, "ema.pth")
    want = logits("--model", "two.yaml", "--weights", source)
    for name in FORMATS:
        sctrun("export", "--model", "two.yaml", "--weights", source, "--format", name, "--output",
               name)
        equal(logits("--model", "two.yaml", "--weights", name), want, name)
        equal(logits("--model", "two.yaml", "--weights", name + "/model.safetensors"), want, name)
    write("windows.yaml", yaml_text(WINDOWS))
    args = ("--model", "windows.yaml", "--weights")
    want = logits(*args, os.path.join(SWIN, "ms.pth"))
    for name in FORMATS:
        sctrun("export", *args, os.path.join(SWIN, "ms.pth"), "--format", name, "--output",
               "swin" + name)
        equal(logits(*args, "swin" + name), want, name)


@option("format")
def what_is_in_a_folder():
    model("two.yaml", eps="1e-5", crop_pct=0.8, **TWO)
    args = ("export", "--model", "two.yaml", "--weights",
            os.path.join(DIALECTS, "timm.safetensors"), "--resize", "crop-bilinear")
    for name in FORMATS:
        equal(sctrun(*args, "--format", name, "--output", name).out, name + "\n")
    equal(files("timm"), ["config.json", "model.safetensors"])
    c = json.loads(read("timm/config.json"))
    equal(c["architecture"], "vit_base_patch16_clip_224")  # the one whose eps is 1e-5
    equal([c["model_args"][k] for k in ("img_size", "embed_dim", "depth", "num_heads", "pre_norm")],
          [8, 8, 2, 2, False])
    p = c["pretrained_cfg"]
    equal([p[k] for k in ("input_size", "interpolation", "crop_pct", "crop_mode", "classifier")],
          [[3, 8, 8], "bilinear", 0.8, "center", "head"])
    for name in ("hf4", "hf5"):
        equal(files(name), ["config.json", "model.safetensors", "preprocessor_config.json"])
        c = json.loads(read(name + "/config.json"))
        equal(set(c), HF_KEYS)
        equal([c[k] for k in ("hidden_size", "num_attention_heads", "layer_norm_eps", "id2label")],
              [8, 2, 1e-5, {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}])
        p = json.loads(read(name + "/preprocessor_config.json"))
        equal([p[k] for k in ("image_processor_type", "size", "crop_size", "resample")],
              ["CLIPImageProcessor", {"shortest_edge": 10}, {"height": 8, "width": 8}, 2])
    # a squash to more than the model's side, whose centre is taken
    write("steps.yaml", "normalize: half\neval:\n  - resize: {mode: squash, size: 9, filter: lanczos}\n"
          "  - center-crop\n")
    for name in FORMATS:
        sctrun(*args[:-2], "--preprocess", "steps.yaml", "--format", name, "--output", "s" + name)
    p = json.loads(read("stimm/config.json"))["pretrained_cfg"]
    equal((p["interpolation"], p["crop_mode"], int(8 / p["crop_pct"])), ("lanczos", "squash", 9))
    p = json.loads(read("shf4/preprocessor_config.json"))
    equal([p[k] for k in ("size", "crop_size", "resample")],
          [{"height": 9, "width": 9}, {"height": 8, "width": 8}, 1])
    write("two_resizes.yaml", "normalize: half\neval:\n  - resize: {mode: squash, size: 9}\n"
          "  - resize: {mode: squash}\n")
    for name in FORMATS:
        fails(USAGE, ["no name in other libraries", "resize(size=9)", "onnx"], *args[:-2],
              "--preprocess", "two_resizes.yaml", "--format", name, "--output", "no")
        check(not os.path.exists("no"), "a refused export left a folder")
    # a folder's own preprocessing is the default
    sctrun("export", "--model", "two.yaml", "--weights", "hf5", "--format", "hf4", "--output", "own")
    equal(read("own/preprocessor_config.json"), read("hf5/preprocessor_config.json"))
    sctrun("export", "--model", "two.yaml", "--weights", "hf5", "--resize", "squash-bicubic",
           "--format", "hf4", "--output", "sq")
    p = json.loads(read("sq/preprocessor_config.json"))
    equal([p[k] for k in ("image_processor_type", "size", "resample")],
          ["ViTImageProcessor", {"height": 8, "width": 8}, 3])
    write("windows.yaml", yaml_text(WINDOWS))
    for name in FORMATS:
        sctrun("export", "--model", "windows.yaml", "--weights",
               os.path.join(SWIN, "timm.safetensors"), "--format", name, "--output", "swin" + name)
    c = json.loads(read("swintimm/config.json"))
    equal([c["architecture"], c["num_features"], c["pretrained_cfg"]["classifier"]],
          ["swin_tiny_patch4_window7_224", 16, "head.fc"])
    equal(set(json.loads(read("swinhf4/config.json"))), HF_SWIN)
    # a preset's name is timm's, and says the eps
    sctrun("export", "--model", "vit_tiny_patch16_224", "--weights", "random", "--format", "timm",
           "--output", "preset", code=FILE)
    vtab()
    sctrun("train", "--model", "deit_tiny_distilled_patch16_224", "--weights", "random", "--data",
           "data", "--strategy", "linear", "--max-steps", 1, "--batch-size", 2, "--test-limit", 1,
           "--output", "run")
    sctrun("export", "--adapter", "run/last", "--weights", "random", "--format", "timm", "--output",
           "deit")
    c = json.loads(read("deit/config.json"))
    equal(c["architecture"], "deit_tiny_distilled_patch16_224")
    equal(c["pretrained_cfg"]["classifier"], ["head", "head_dist"])
    equal(c["label_names"], ["c0", "c1", "c2"])


@test
def variants():
    """timm's names are kept; transformers has none for most of them, and says which."""
    refused = {"clip": "pre_norm", "clip_quick": "pre_norm", "distilled": "distilled", "layer_scale": "no_embed_class",
               "qk_norm": "qk_norm", "registers": "reg_tokens", "registers_avg": "class_token",
               "registers_embedded": "reg_tokens"}
    equal(sorted(f[:-12] for f in os.listdir(VARIANTS)), sorted(refused))
    for name, key in refused.items():
        want = variant(name)
        args = ("export", "--model", "m.yaml", "--weights", "w.safetensors")
        sctrun(*args, "--format", "timm", "--output", name)
        equal(raw(name + "/model.safetensors")[0], want, name)
        for other in ("hf4", "hf5"):
            fails(USAGE, [key, "--format timm"], *args, "--format", other, "--output", "no")
            check(not os.path.exists("no"), "a refused export left a folder")


def trained(strategy, *args):
    model()
    base()
    vtab()
    shutil.rmtree("run-" + strategy, ignore_errors=True)
    train("run-" + strategy, "--epochs", 3, "--lr", 0.05, "--eval-interval", 0, *args,
          strategy=strategy)
    return "--adapter", "run-%s/last" % strategy, "--weights", "base.safetensors"


@test
def merged():
    for strategy, more in (("linear", ()), ("full", ()),
                           ("lora", ("--set", "r=4", "--set", "alpha=12", "--set",
                                     "targets=q,v,proj,fc1,fc2", "--set", "dropout=0.2")),
                           ("ssf", ("--set", "std=0.2")),
                           ("repadapter", ("--set", "scale=3", "--set", "dropout=0.2")),
                           ("repadapter", ("--set", "groups=1", "--set", "form=attn"))):
        args = trained(strategy, *more)
        want = logits(*args)
        for name in FORMATS:
            out = strategy + name
            shutil.rmtree(out, ignore_errors=True)
            sctrun("export", *args, "--format", name, "--output", out)
            got = logits("--model", "tiny.yaml", "--weights", out)
            if strategy in ("lora", "ssf", "repadapter"):
                # x W^T + s x A^T B^T against x (W + s B A)^T in f32: two orders of some hundred
                # terms; s (x W^T + b) + t against x (s W)^T + (s b + t): one rounding more a weight;
                # (x + s B (A x + a) + b) W^T likewise
                worst = max(abs(a - b) for a, b in zip(got, want)) / max(1, *map(abs, want))
                check(worst < 1e-5, out, worst)
                check(got != want, "merging changed no bit: was anything merged?")
            else:
                equal(got, want, out)
    moved = [n for n, (_, _, v) in raw("loratimm/model.safetensors")[0].items()
             if v != raw("base.safetensors")[0][n][2]]
    equal(sorted({n.split(".", 2)[-1] for n in moved if n.startswith("blocks")}),
          ["attn.proj.weight", "attn.qkv.weight", "mlp.fc1.weight", "mlp.fc2.weight"])
    # k has no pair: its rows of the fused weight are the base's
    d = TINY["dim"]
    a, b = (raw(f)[0]["blocks.0.attn.qkv.weight"][2] for f in ("loratimm/model.safetensors",
                                                               "base.safetensors"))
    k = slice(4 * d * d, 8 * d * d)
    check(a[k] == b[k] and a[:4 * d * d] != b[:4 * d * d] and a[8 * d * d:] != b[8 * d * d:])


@test
def in_front_of_windows():
    """What stands in front of qkv folds into it where the windows divide the grid. Where they do
    not, the rows that fill them up are added behind it, and stay zero: no qkv does that."""
    vtab()
    for variant in ("even", "base"):
        swin(variant)
        train(variant, "--model", "swin.yaml", "--epochs", 3, "--lr", 0.05, "--eval-interval", 0,
              strategy="repadapter", weights="swin.safetensors")
        args = "--adapter", variant + "/last", "--weights", "swin.safetensors"
        export = "export", *args, "--format", "timm", "--output", "out-" + variant
        if variant == "base":
            fails(USAGE, ["strategy repadapter", "attn.in", "add cannot be merged"], *export)
            continue
        sctrun(*export)
        want, got = logits(*args), logits("--model", "swin.yaml", "--weights", "out-" + variant)
        worst = max(abs(a - b) for a, b in zip(got, want)) / max(1, *map(abs, want))
        check(0 < worst < 1e-5, variant, worst)


@test
def not_merged():
    args = trained("sct")
    for name in FORMATS:
        fails(USAGE, ["--format %s, strategy sct: " % name, "stage[0].block[1]", "cannot be merged",
                        "--format onnx"], "export", *args, "--format", name, "--output", "no")
        check(not os.path.exists("no"), "a refused export left a folder")
    sctrun("export", *args, "--format", "onnx", "--output", "no")


@option("dtype")
def dtypes():
    t = base_tensors()
    model()
    save_tensors("base.safetensors", t)
    args = ("export", "--model", "tiny.yaml", "--weights", "base.safetensors", "--format", "timm")
    sctrun(*args, "--dtype", "bf16", "--output", "b")
    got, _ = raw("b/model.safetensors")
    for name, (_, shape, values) in t.items():
        kind, dim, data = got[name]
        equal((kind, dim), ("BF16", list(shape)))
        for (u,), (v,) in zip(struct.iter_unpack("<I", values), struct.iter_unpack("<H", data)):
            equal(v, (u + 0x7fff + (u >> 16 & 1)) >> 16, name)  # nearest, ties to even
    equal(json.loads(read("b/config.json"))["num_classes"], 10)
    sctrun("export", "--model", "tiny.yaml", "--weights", "b", "--format", "hf5", "--dtype", "f16",
           "--output", "h")
    equal(json.loads(read("h/config.json"))["dtype"], "float16")
    name, big = "norm.bias", floats([70000.0] * TINY["dim"])
    save_tensors("base.safetensors", {**t, name: ("F32", (TINY["dim"],), big)})
    fails(USAGE, [name, "70000", "bf16"], *args, "--dtype", "f16", "--output", "f")
    check(not os.path.exists("f"), "a refused export left a folder")
    sctrun(*args, "--dtype", "bf16", "--output", "g")
    fails(USAGE, ["--dtype", "ONNX"], "export", "--model", "tiny.yaml", "--weights",
          "base.safetensors", "--dtype", "f16", "--output", "o")


@test
def windows_that_do_not_divide():
    """transformers pads and rolls in another order."""
    swin()  # windows of 5 on maps of 16, 8, 4 and 2
    args = ("export", "--model", "swin.yaml", "--weights", "swin.safetensors", "--format")
    fails(USAGE, ["windows of 5", "stage 0", "16 x 16"], *args, "hf4", "--output", "no")
    sctrun(*args, "timm", "--output", "yes")
    equal(raw("yes/model.safetensors")[0], raw("swin.safetensors")[0])


@test
def beyond_config_json():
    """What timm's configuration cannot say."""
    base()
    for keys, parts in (({"eps": "1e-3"}, ["eps 0.001", "hf4"]),
                        ({"no_patch_bias": True}, ["no_patch_bias true", "onnx"])):
        model(**keys)
        t = base_tensors()
        if "no_patch_bias" in keys:
            del t["patch_embed.proj.bias"]
        save_tensors("base.safetensors", t)
        fails(USAGE, parts, "export", "--model", "tiny.yaml", "--weights", "base.safetensors",
              "--format", "timm", "--output", "no")
        check(not os.path.exists("no"), "a refused export left a folder")


main()
