# SPDX-License-Identifier: MIT
"""swin_torch.py - full-size Swin models with random weights give what timm computes in float64:
logits and the output of every block. LoRA of a Swin in peft. Needs SCTRUN_TORCH_PYTHON (a Python
with torch, timm, peft and safetensors)."""
from e2e import *

PYTHON = os.environ.get("SCTRUN_TORCH_PYTHON", "")
LIMIT = 1e-4  # of the largest value, or absolute below 1: f32 sums through 24 blocks

# Weights at which every part of the model matters: tables and biases far from zero.
WRITER = """
import sys
import torch, timm
from safetensors.torch import save_file
torch.manual_seed(7)
out = {}
for k, p in timm.create_model(sys.argv[1]).state_dict().items():
    x = torch.randn(p.shape)
    if "norm" in k:
        out[k] = x * 0.2 + (1.0 if k.endswith("weight") else 0.0)
    elif k.endswith("bias_table"):
        out[k] = x * 0.7
    elif k.endswith("bias"):
        out[k] = x * 0.1
    else:
        out[k] = x * 0.9 / (p[0].numel() ** 0.5)
save_file(out, "w.safetensors")
"""

READER = """
import json, sys
import numpy as np, torch, timm
from safetensors.torch import load_file
model = timm.create_model(sys.argv[1], img_size=int(sys.argv[2]))
model.load_state_dict(load_file("w.safetensors"))
model = model.double().eval()
seen = {}
for s, layer in enumerate(model.layers):
    for b, block in enumerate(layer.blocks):
        def keep(_, args, out, name="stage[%d].block[%d].out" % (s, b)):
            seen[name] = out.flatten(1, 2).numpy()
        block.register_forward_hook(keep)
with torch.no_grad():
    seen["logits"] = model(torch.from_numpy(np.load(sys.argv[3] + "/input.npy")).double()).numpy()
for name, want in seen.items():
    rows = {}
    for folder in sys.argv[3:]:
        found = np.load("%s/%s.npy" % (folder, name))
        assert found.shape == want.shape, (name, found.shape, want.shape)
        rows[folder] = [float(np.abs(found - want).max()), float(np.abs(want).max())]
    print(json.dumps([name, rows]))
"""

PEFT = """
import json
import numpy as np, torch
from peft import PeftModel
from safetensors.torch import load_file
from timm.models.swin_transformer import SwinTransformer
base = SwinTransformer(img_size=32, patch_size=2, embed_dim=6, depths=(2, 2, 1, 1),
                       num_heads=(1, 2, 3, 4), window_size=5, mlp_ratio=2.0, num_classes=3)
weights = {k: v for k, v in load_file("swin.safetensors").items() if not k.startswith("head.")}
missing, extra = base.load_state_dict(weights, strict=False)
assert sorted(missing) == ["head.fc.bias", "head.fc.weight"] and not extra, (missing, extra)
model = PeftModel.from_pretrained(base, "o/last").eval()
with torch.no_grad():
    print(json.dumps(model(torch.from_numpy(np.load("d/input.npy")))[0].tolist()))
"""


def python(script, *args):
    p = subprocess.run([PYTHON, "-c", script, *map(str, args)], capture_output=True, timeout=900 * PATIENCE)
    check(p.returncode == 0, p.stderr.decode()[-2000:])
    return [json.loads(l) for l in p.stdout.decode().splitlines()]


def needs():
    if not PYTHON:
        raise Skipped("SCTRUN_TORCH_PYTHON is not set")
    if subprocess.run([PYTHON, "-c", "import timm, peft"], capture_output=True).returncode:
        raise Skipped(PYTHON + " has no timm or no peft")


def agrees(name, blocks, backends, image=224):
    needs()
    text = read(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                             "../../configs/models", name + ".yaml")).decode()
    write("m.yaml", text.replace("image_size: 224", "image_size: %d" % image))
    python(WRITER, name)
    r = random.Random(3)
    png("p.png", image, image, bytes(r.randrange(256) for _ in range(3 * image * image)))
    folders = [b for b in backends if b != "opencl" or opencl()]
    for b in folders:
        sctrun("dump", "--backend", b, "--model", "m.yaml", "--weights", "w.safetensors",
               "--image", "p.png", "--site", "input,stage[*].block[*].out,logits", "--output", b,
               timeout=900)
    rows = python(READER, name, image, *folders)
    equal(len(rows), blocks + 1)
    for site, found in rows:
        for b, (worst, scale) in found.items():
            check(worst <= LIMIT * max(1.0, scale), name, site, b, "off by", worst, "at", scale)
    print("        %s, %d pixels: logits off by %s at %.2g" % (
        name, image, ", ".join("%s %.1e" % (b, v[0]) for b, v in rows[-1][1].items()),
        next(iter(rows[-1][1].values()))[1]))


@test
def swin_tiny():
    agrees("swin_tiny_patch4_window7_224", 12, ("ref", "cpu", "opencl"))


@test
def swin_tiny_padded():
    """Grids of 64, 32, 16 and 8: no multiple of 7, and the last stage is shifted."""
    agrees("swin_tiny_patch4_window7_224", 12, ("cpu", "opencl"), image=256)


@test
def swin_base():
    agrees("swin_base_patch4_window7_224", 24, ("cpu", "opencl"))


@test
def lora_in_peft():
    """The adapter's folder, read by peft over timm's model, gives the program's logits."""
    needs()
    swin()
    vtab()
    for targets in ("q,v", "q,k,v,proj,fc1,fc2"):
        train("o", "--model", "swin.yaml", "--set", "r=2", "--set", "alpha=6", "--set",
              "targets=" + targets, "--epochs", 3, "--lr", 0.05, "--eval-interval", 0,
              strategy="lora", weights="swin.safetensors")
        png("p.png")
        args = ["--adapter", "o/last", "--image", "p.png"]
        sctrun("dump", "--site", "input", "--output", "d", *args)
        mine = sctrun("predict", "--json", *args).jsonl[0]["logits"]
        theirs = python(PEFT)[0]
        worst = max(abs(a - b) for a, b in zip(mine, theirs))
        check(worst <= 1e-5 * max(1.0, max(map(abs, mine))), targets, mine, theirs)
        shutil.rmtree("o")
        shutil.rmtree("d")


main()
