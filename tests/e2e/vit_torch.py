# SPDX-License-Identifier: MIT
"""vit_torch.py - a full-size ViT-B/16 with random weights gives what timm computes in float64: logits
and the output of every block. A small ViT gives the hidden states of transformers' ViTModel. Needs
SCTRUN_TORCH_PYTHON (a Python with torch, timm, transformers and safetensors)."""
from e2e import *

PYTHON = os.environ.get("SCTRUN_TORCH_PYTHON", "")
LIMIT = 1e-4  # of the largest value, or absolute below 1: f32 sums through 12 blocks

# Weights at which every part of the model matters: norms, biases and positions far from trivial.
DRAW = """
import json, sys
import numpy as np, torch
from safetensors.torch import load_file, save_file
torch.manual_seed(7)
def draw(state):
    out = {}
    for k, p in state.items():
        x = torch.randn(p.shape)
        if "norm" in k:
            out[k] = x * 0.2 + (1.0 if k.endswith("weight") else 0.0)
        elif k.endswith("bias"):
            out[k] = x * 0.1
        elif "token" in k or "pos" in k:
            out[k] = x * 0.5
        else:
            out[k] = x * 0.9 / (p[0].numel() ** 0.5)
    return out
def report(seen, folders):
    for name, want in seen.items():
        want, rows = want.numpy(), {}
        for folder in folders:
            found = np.load("%s/%s.npy" % (folder, name))
            assert found.shape == want.shape, (name, found.shape, want.shape)
            rows[folder] = [float(np.abs(found - want).max()), float(np.abs(want).max())]
        print(json.dumps([name, rows]))
"""

WRITER = DRAW + """
import timm
save_file(draw(timm.create_model(sys.argv[1]).state_dict()), "w.safetensors")
"""

READER = DRAW + """
import timm
model = timm.create_model(sys.argv[1])
model.load_state_dict(load_file("w.safetensors"))
model = model.double().eval()
seen = {}
for b, block in enumerate(model.blocks):
    def keep(_, args, out, name="stage[0].block[%d].out" % b):
        seen[name] = out
    block.register_forward_hook(keep)
with torch.no_grad():
    seen["logits"] = model(torch.from_numpy(np.load(sys.argv[2] + "/input.npy")).double())
    report(seen, sys.argv[2:])
"""

HF_WRITER = DRAW + """
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor
config = ViTConfig(hidden_size=48, num_hidden_layers=4, num_attention_heads=3, intermediate_size=96,
                   image_size=32, patch_size=8, num_labels=5, layer_norm_eps=1e-12)
model = ViTForImageClassification(config)
model.load_state_dict(draw(model.state_dict()))
model.save_pretrained("hf")
ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained("hf")
"""

# hidden_states[i] is what block i is given. What the last block makes of it is the last of them in
# version 4 of transformers; version 5 may put the output of the norm in its place.
HF_READER = DRAW + """
from transformers import ViTForImageClassification
model = ViTForImageClassification.from_pretrained("hf").double().eval()
x = torch.from_numpy(np.load(sys.argv[1] + "/input.npy")).double()
with torch.no_grad():
    inner = model.vit(x, output_hidden_states=True)
    *states, last = inner.hidden_states
    seen = {"stage[0].block[%d].out" % (i - 1) if i else "embed.out": h for i, h in enumerate(states)}
    if not torch.equal(last, inner.last_hidden_state):
        seen["stage[0].block[%d].out" % (len(states) - 1)] = last
    seen["norm.out"] = inner.last_hidden_state
    seen["logits"] = model(x).logits
    report(seen, sys.argv[1:])
"""


def python(script, *args):
    p = subprocess.run([PYTHON, "-W", "ignore", "-c", script, *map(str, args)], capture_output=True,
                       timeout=900 * PATIENCE)
    check(p.returncode == 0, p.stderr.decode()[-2000:])
    return [json.loads(l) for l in p.stdout.decode().splitlines() if l.startswith("[")]


def needs(library):
    if not PYTHON:
        raise Skipped("SCTRUN_TORCH_PYTHON is not set")
    if subprocess.run([PYTHON, "-c", "import safetensors, " + library], capture_output=True).returncode:
        raise Skipped("%s has no %s or no safetensors" % (PYTHON, library))


def dump(backends, sites, side, *args):
    """The sites of a noisy picture from those backends that there are; the folders they lie in."""
    r = random.Random(3)
    png("p.png", side, side, bytes(r.randrange(256) for _ in range(3 * side * side)))
    folders = [b for b in backends if b != "opencl" or opencl()]
    for b in folders:
        sctrun("dump", "--backend", b, "--image", "p.png", "--site", "input," + sites, "--output", b,
               *args, timeout=900)
    return folders


def agree(rows, what):
    for site, found in rows:
        for b, (worst, scale) in found.items():
            check(worst <= LIMIT * max(1.0, scale), what, site, b, "off by", worst, "at", scale)
    print("        %s: logits off by %s at %.2g" % (
        what, ", ".join("%s %.1e" % (b, v[0]) for b, v in rows[-1][1].items()),
        next(iter(rows[-1][1].values()))[1]))


@test
def base_in_timm():
    needs("timm")
    python(WRITER, "vit_base_patch16_224")
    folders = dump(("cpu", "opencl"), "stage[0].block[*].out,logits", 224, "--model",
                   "vit_base_patch16_224", "--weights", "w.safetensors")
    rows = python(READER, "vit_base_patch16_224", *folders)
    equal([r[0] for r in rows], ["stage[0].block[%d].out" % b for b in range(12)] + ["logits"])
    agree(rows, "vit_base_patch16_224")


@test
def hidden_states_of_transformers():
    needs("transformers")
    python(HF_WRITER)
    folders = dump(("ref", "cpu", "opencl"), "embed.out,stage[0].block[*].out,norm.out,logits", 32,
                   "--weights", "hf")
    rows = python(HF_READER, *folders)
    names = ["embed.out"] + ["stage[0].block[%d].out" % b for b in range(4)] + ["norm.out", "logits"]
    check([r[0] for r in rows] in (names, names[:4] + names[5:]), [r[0] for r in rows])
    agree(rows, "transformers")


main()
