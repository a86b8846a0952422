# SPDX-License-Identifier: MIT
"""folders_torch.py - timm and transformers open exported folders as they are: the same pictures
give the same input and the same logits. A Python with both is named by SCTRUN_TORCH_PYTHON, a folder
with transformers 5, where that Python has version 4, by SCTRUN_TRANSFORMERS5. With SCTRUN_ASSETS a real
model goes through .pth, .npz and both namings of transformers and comes back bit for bit."""
from e2e import *

PYTHON = os.environ.get("SCTRUN_TORCH_PYTHON", "")
ASSETS = os.environ.get("SCTRUN_ASSETS", "")
HERE = os.path.dirname(os.path.abspath(__file__))
VARIANTS = os.path.join(HERE, "..", "golden", "vit_variants")
REAL = "vit_tiny_patch16_224_augreg_in21k_ft_in1k.safetensors"

# One process opens all folders: argv are triples of format, folder, picture.
OPEN = """
import json, sys
import numpy as np, torch
from PIL import Image

def with_timm(folder, picture):
    import timm
    from timm.data import create_transform, resolve_data_config
    model = timm.create_model("local-dir:" + folder, pretrained=True).eval()
    x = create_transform(**resolve_data_config({}, model=model))(picture)[None]
    return model, x, model(x)

def with_transformers(folder, picture):
    from transformers import AutoImageProcessor, AutoModelForImageClassification
    model, info = AutoModelForImageClassification.from_pretrained(folder, output_loading_info=True)
    # version 4 can do without a buffer that it writes
    wrong = {k: sorted(v) for k, v in info.items()
             if [n for n in v if "relative_position_index" not in str(n)]}
    assert not wrong, (folder, wrong)
    # Pillow's resize; the default of version 5 is torchvision's, which is off by single levels
    x = AutoImageProcessor.from_pretrained(folder, use_fast=False)(picture, return_tensors="pt")
    return model, x["pixel_values"], model.eval()(**x).logits

out = []
with torch.no_grad():
    for form, folder, picture in zip(*[iter(sys.argv[1:])] * 3):
        picture = Image.open(picture).convert("RGB")
        model, x, y = (with_timm if form == "timm" else with_transformers)(folder, picture)
        np.save(folder + ".npy", x.numpy().astype("<f4"))
        out.append([float(v) for v in y[0].float()])
print(json.dumps(out))
"""
# Without importing them, which takes seconds.
VERSIONS = """
import json
from importlib.metadata import version
print(json.dumps([version("transformers"), version("timm"), version("torch")]))
"""


def python(code, *args, env=None):
    p = subprocess.run([PYTHON, "-W", "ignore", "-c", code, *args], capture_output=True,
                       timeout=400 * PATIENCE, env=env)
    check(p.returncode == 0, p.stderr.decode()[-3000:])
    return p.stdout.decode().strip().splitlines()[-1]


def versions():
    if not PYTHON:
        raise Skipped("SCTRUN_TORCH_PYTHON is not set")
    try:
        return json.loads(python(VERSIONS))
    except Failed:
        raise Skipped(PYTHON + " has no timm and transformers")


def mine(args, image):
    sctrun("dump", "--site", "input", "--image", image, "--output", "dump", *args)
    x = read_npy("dump/input.npy")[1]
    shutil.rmtree("dump")
    return x, sctrun("predict", "--image", image, "--json", *args).jsonl[0]["logits"]


def compare(cases, env=None):
    """cases: (format, folder, picture, arguments that make sctrun compute the same)."""
    theirs = json.loads(python(OPEN, *[a for case in cases for a in case[:3]], env=env))
    for (form, folder, image, args), got in zip(cases, theirs):
        x, want = mine(args, image)
        pixels = read_npy(folder + ".npy")[1]
        # (v / 255 - mean) / std in another order of operations; a level is 1 / 127.5
        off = max(abs(a - b) for a, b in zip(pixels, x))
        check(len(pixels) == len(x) and off < 1e-5, folder, "pixels are off by", off)
        scale = max(1, *map(abs, want))
        off = max(abs(a - b) for a, b in zip(got, want))
        # f32 sums of some hundred terms in another order, through a few blocks
        check(off < 2e-5 * scale, folder, "logits are off by", off, "at scale", scale)


def export(form, folder, args, *more):
    sctrun("export", *args, *more, "--format", form, "--output", folder)
    return form, folder


def pictures(size):
    """Larger and not square, so that both resizes and the crop do something."""
    png("p%d.png" % size, 2 * size + 9, size + 24, picture(3, 2, 2 * size + 9, size + 24))
    return "p%d.png" % size


# Every function of timm that might be read here: header and sizes of a weight file (the values are
# a hole), and what its model is.
FUNCTIONS = """
import json, os, struct, timm, torch
def write(name):
    with torch.device("meta"):
        model = timm.create_model(name)
    os.makedirs("f/" + name)
    header, at = {}, 0
    for k, v in model.state_dict().items():
        header[k] = {"dtype": "F32", "shape": list(v.shape), "data_offsets": [at, at + 4 * v.numel()]}
        at += 4 * v.numel()
    text = json.dumps(header).encode()
    with open("f/%s/model.safetensors" % name, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        f.truncate(8 + len(text) + at)
    with open("f/%s/config.json" % name, "w") as f:
        json.dump({"architecture": name, "num_classes": model.num_classes}, f)
    kind = type(model).__name__
    if not kind.startswith("VisionTransformer") or kind.endswith("RelPos"):
        return kind, None
    block = model.blocks[0]
    eps = {m.eps for m in model.modules() if isinstance(m, torch.nn.LayerNorm)}
    return type(block).__name__, [block.attn.num_heads, type(block.mlp.act).__name__, max(eps or [0]),
                                  model.global_pool] if hasattr(block, "attn") else None
begin = ("vit_", "deit", "flexivit_", "swin_", "test_vit")
print(json.dumps({n: write(n) for n in timm.list_models() if n.startswith(begin)}))
"""


@test
def functions_of_timm():
    """A folder that names a function alone is that function's model, or it is refused."""
    versions()
    known = {"GELU": "erf", "GELUTanh": "tanh", "QuickGELU": "quick"}
    n = 0
    for name, (kind, told) in json.loads(python(FUNCTIONS)).items():
        r = sctrun("inspect", "f/" + name, "--json", code=None).json
        if r["error"]:
            continue
        n += 1
        if kind == "SwinTransformer":
            continue
        f = {x["key"]: x["value"] for x in r["model"]["facts"]}
        equal((kind, [int(f["heads"]), f["gelu"], float(f["eps"]), f["pool"]]),
              ("Block", [told[0], known.get(told[1]), told[2], told[3]]), name)
    check(n > 110, n)


@test
def timm_opens_them():
    versions()
    cases = []
    for name in sorted(f[:-12] for f in os.listdir(VARIANTS)):
        data = read(os.path.join(VARIANTS, name + ".safetensors"))
        n = struct.unpack_from("<Q", data)[0]
        header = json.loads(data[8:8 + n])
        write(name + ".yaml", header.pop("__metadata__")["config"])
        save_tensors(name + ".safetensors", {
            k: (t["dtype"], t["shape"], data[8 + n + t["data_offsets"][0]:
                                             8 + n + t["data_offsets"][1]])
            for k, t in header.items() if not k.startswith("golden.")})
        args = ["--model", name + ".yaml", "--weights", name + ".safetensors"]
        cases.append((*export("timm", name, args), pictures(32), args))
    for name in SWIN_VARIANTS:
        swin(name)
        args = ["--model", name + "swin.yaml", "--weights", name + "swin.safetensors"]
        shutil.move("swin.yaml", args[1])
        shutil.move("swin.safetensors", args[3])
        cases.append((*export("timm", "swin" + name, args), pictures(SWIN_VARIANTS[name][0]), args))
    for resize in ("squash-bicubic", "squash-bilinear", "crop-bicubic", "crop-bilinear"):
        base()
        model(crop_pct=0.8, gelu="tanh")
        args = ["--model", "tiny.yaml", "--weights", "base.safetensors", "--resize", resize]
        cases.append((*export("timm", resize, args), pictures(SIDE), args))
    compare(cases)


def transformers_opens(forms, env=None):
    base()
    cases = []
    for resize in ("squash-bicubic", "squash-bilinear", "crop-bicubic", "crop-bilinear"):
        for form in forms:
            model(crop_pct=0.8, eps="1e-12", gelu="tanh" if form == "hf5" else
                  "quick" if resize == "crop-bicubic" else "erf")
            shutil.copy("tiny.yaml", resize + form + ".yaml")
            args = ["--model", resize + form + ".yaml", "--weights", "base.safetensors", "--resize",
                    resize]
            cases.append((*export(form, resize + form, args), pictures(SIDE), args))
    args = ["--model", "windows.yaml", "--weights", os.path.join(HERE, "..", "golden", "dialects",
                                                                 "swin", "ms.pth")]
    write("windows.yaml", yaml_text({
        "arch": "swin", "image_size": 32, "patch_size": 2, "dim": 2, "depths": "[1, 1, 2, 1]",
        "heads": "[1, 1, 2, 2]", "window": 2}))
    for form in forms:
        cases.append((*export(form, "swin" + form, args), pictures(32), args))
    compare(cases, env)


@test
def transformers_opens_them():
    versions()
    transformers_opens(("hf4",))


@test
def transformers_5_opens_them():
    versions()
    transformers_opens(("hf4", "hf5"), transformers5(PYTHON))


def merged_for(forms, env=None):
    model()
    base()
    vtab()
    train("run", "--epochs", 3, "--lr", 0.05, "--eval-interval", 0, "--set", "r=4", "--set",
          "targets=q,v,fc2", strategy="lora")
    args = ["--adapter", "run/last", "--weights", "base.safetensors"]
    compare([(*export(form, form, args), pictures(SIDE), args) for form in forms], env)


@test
def merged():
    versions()
    merged_for(("timm", "hf4"))


@test
def merged_for_transformers_5():
    versions()
    merged_for(("hf4", "hf5"), transformers5(PYTHON))


# The real model: timm's names to a .pth as a training run leaves it, to Google's npz.
CONVERT = """
import sys
import numpy as np, torch
from safetensors.torch import load_file
sd = load_file(sys.argv[1])
torch.save({"epoch": 3, "state_dict": {"module." + k: v for k, v in sd.items()}}, "real.pth")
H, out = 3, {}
for k, v in sd.items():
    x, p = v.numpy(), k.split(".")
    end = "kernel" if p[-1] == "weight" else p[-1]
    if p[0] == "blocks":
        b = "Transformer/encoderblock_%s/" % p[1]
        if p[2].startswith("norm"):
            out[b + "LayerNorm_%d/" % (0 if p[2] == "norm1" else 2) +
                ("scale" if end == "kernel" else end)] = x
        elif p[2] == "mlp":
            out[b + "MlpBlock_3/Dense_%d/" % (int(p[3][2]) - 1) + end] = x.T
        elif p[3] == "proj":
            out[b + "MultiHeadDotProductAttention_1/out/" + end] = \\
                x.T.reshape(H, -1, x.shape[0]) if end == "kernel" else x
        else:
            for part, y in zip(("query", "key", "value"), np.split(x, 3)):
                out[b + "MultiHeadDotProductAttention_1/%s/" % part + end] = \\
                    y.T.reshape(y.shape[1], H, -1) if end == "kernel" else y.reshape(H, -1)
    elif p[0] == "norm":
        out["Transformer/encoder_norm/" + ("scale" if end == "kernel" else end)] = x
    elif p[0] == "head":
        out["head/" + end] = x.T if end == "kernel" else x
    elif p[0] == "patch_embed":
        out["embedding/" + end] = x.transpose(2, 3, 1, 0) if end == "kernel" else x
    else:
        out[{"cls_token": "cls", "pos_embed": "Transformer/posembed_input/pos_embedding"}[k]] = x
np.savez("real.npz", **{k: np.ascontiguousarray(v) for k, v in out.items()})
"""


@test
def there_and_back():
    real = os.path.join(ASSETS, "weights", REAL)
    if not ASSETS or not os.path.exists(real):
        raise Skipped("SCTRUN_ASSETS has no weights/" + REAL)
    png("p.png", 224, 224, picture(7, 3, 224, 224))

    def logits(path):
        return sctrun("predict", "--weights", path, "--image", "p.png", "--json").jsonl[0]["logits"]
    want = logits(real)
    for form in ("timm", "hf4", "hf5"):
        export(form, form, ["--weights", real])
        equal(logits(form), want, form)
    if not PYTHON:
        raise Skipped("SCTRUN_TORCH_PYTHON is not set: .pth and .npz are not made")
    python(CONVERT + "print(len(out))", real)
    for path in ("real.pth", "real.npz"):
        equal(logits(path), want, path)
        for form in ("timm", "hf4", "hf5"):
            export(form, path + form, ["--weights", path])
            equal(read(path + form + "/model.safetensors"), read(form + "/model.safetensors"))
    compare([("timm", "timm", "p.png", ["--weights", real]),
             ("hf4", "hf4", "p.png", ["--weights", real])])


main()
