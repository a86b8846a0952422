#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/hub: a folder as save_pretrained leaves it for each class of transformers
whose names the dialect table has beside ViT and Swin, with random weights (F16, small and exact),
the same weights as version 5 names them, and logits of two images.

DINOv2 and CLIP have no head in their plain classes, and CLIP's classifier, which sees an unnormalised
mean, is not built here, so theirs is a matrix of this script behind the class token of the last norm.

    pip install --no-deps --target NEW transformers==5.23.0 'huggingface_hub==2.4.0' tokenizers httpx2 httpcore2
    python3 tools/golden/make_hub.py tests/golden/hub NEW
    (transformers 4.57.6)
"""
import os
import shutil
import subprocess
import sys

import numpy as np
import torch
from safetensors.torch import load_file, save_file

SIZE = dict(image_size=8, patch_size=4, hidden_size=8, num_hidden_layers=2, num_attention_heads=4)
MLP = dict(SIZE, intermediate_size=24)
LABELS = dict(num_labels=3, id2label={0: "apple", 1: "pear", 2: "plum"})


def models():
    import transformers as t
    return {
        "deit": lambda: t.DeiTForImageClassificationWithTeacher(t.DeiTConfig(**MLP, **LABELS)),
        "deit_class": lambda: t.DeiTForImageClassification(t.DeiTConfig(**MLP, **LABELS)),
        "dinov2": lambda: t.Dinov2Model(t.Dinov2Config(**SIZE, mlp_ratio=3)),
        "dinov2_reg": lambda: t.Dinov2WithRegistersModel(t.Dinov2WithRegistersConfig(
            **SIZE, mlp_ratio=3, num_register_tokens=2)),
        "clip": lambda: t.CLIPVisionModel(t.CLIPVisionConfig(**MLP, hidden_act="gelu")),
        "clip_quick": lambda: t.CLIPVisionModel(t.CLIPVisionConfig(**MLP)),
        "dinov2_class": lambda: t.Dinov2ForImageClassification(t.Dinov2Config(
            **SIZE, mlp_ratio=3, **LABELS)),
    }


def processors():
    import transformers as t
    bit = dict(size={"shortest_edge": 10}, crop_size={"height": 8, "width": 8})
    return {
        "deit": t.DeiTImageProcessor(size={"height": 10, "width": 10}, crop_size=bit["crop_size"]),
        "deit_class": t.ViTImageProcessor(size={"height": 8, "width": 8}),
        "dinov2": t.BitImageProcessor(**bit), "dinov2_reg": t.BitImageProcessor(**bit, resample=2),
        "clip": t.CLIPImageProcessor(**bit), "clip_quick": t.CLIPImageProcessor(**bit),
        "dinov2_class": t.BitImageProcessor(**bit),
    }


def draw(model):
    rng = np.random.Generator(np.random.PCG64(17))
    out = {}
    for name, p in model.state_dict().items():
        if not p.is_floating_point():
            continue
        one = ("norm" in name and name.endswith("weight")) or "lambda" in name
        x = rng.standard_normal(tuple(p.shape)) * (0.3 if one or name.endswith("bias") else 0.5)
        out[name] = torch.from_numpy((x + one).astype(np.float16)).float()
    model.load_state_dict(out, strict=False)
    return model.eval()


def logits(model, f):
    with torch.no_grad():
        y = model.double()(((f["images"].double() / 255 - 0.5) / 0.5).permute(0, 3, 1, 2))
    if "head.weight" not in f:
        return y.logits
    # DINOv2's pooler is the class token of the last norm, CLIP's too
    return y.pooler_output @ f["head.weight"].double().T + f["head.bias"].double()


def child_v5(out):
    """transformers 5 reads the folders, computes the same, and saves in names of its own."""
    import transformers
    assert transformers.__version__.startswith("5."), transformers.__version__
    for name, make in models().items():
        folder = "%s/%s" % (out, name)
        model = type(make()).from_pretrained(folder).eval()
        f = load_file(folder + "/golden/forward.safetensors")
        off = (logits(model, f) - f["logits"].double()).abs().max().item()
        print("%-12s version 5 differs by %.1e" % (name, off))
        assert off < 1e-5
        model.half().save_pretrained(folder + "/five", save_original_format=False)
        shutil.move(folder + "/five/model.safetensors", folder + "/golden/hf5.safetensors")
        shutil.rmtree(folder + "/five")


def main(out, new):
    rng = np.random.Generator(np.random.PCG64(8))
    for name, make in models().items():
        folder = "%s/%s" % (out, name)
        os.makedirs(folder + "/golden", exist_ok=True)
        model = draw(make())
        f = {"images": torch.from_numpy(rng.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8))}
        if not name.startswith("deit") and name != "dinov2_class":
            f["head.weight"] = torch.from_numpy(rng.standard_normal((3, 8)).astype(np.float32))
            f["head.bias"] = torch.from_numpy(rng.standard_normal(3).astype(np.float32))
        f["logits"] = logits(model, f).float()
        save_file(f, folder + "/golden/forward.safetensors")
        model.half().save_pretrained(folder)
        processors()[name].save_pretrained(folder)
    subprocess.run([sys.executable, __file__, "v5", out], check=True,
                   env=dict(os.environ, PYTHONPATH=new))


if __name__ == "__main__":
    child_v5(sys.argv[2]) if sys.argv[1] == "v5" else main(*sys.argv[1:])
