#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/vit/peft_*: adapters of the tiny ViT, saved by PEFT.

peft_lora holds the start values of lora.safetensors: the pairs of q and v as one wider pair of the
fused qkv, which is the same function; peft_lora_dora_all those of that case, DoRA with a rank of its
own in one block. The script checks that PEFT's model computes the golden logits.

    python3 tools/golden/make_peft_lora.py tests/golden/vit     (peft 0.21.2; after make_vit.py)
"""
import os
import sys

import peft
import torch
from safetensors.torch import load_file

import tiny_vit as tiny

R, ALPHA = 2, 4


def widen(own, i):
    """A' = [A_q; A_v], B' = rows of q and v in columns of their own."""
    stem = f"blocks.{i}.attn.qkv."
    a = torch.cat([own[f"{stem}{p}.lora_A.weight"] for p in "qv"])
    b = torch.zeros(3 * tiny.DIM, 2 * R)
    b[:tiny.DIM, :R] = own[f"{stem}q.lora_B.weight"]
    b[2 * tiny.DIM:, R:] = own[f"{stem}v.lora_B.weight"]
    return a, b


def save(folder, case, config, fill):
    """An adapter of peft with the values of <case>.safetensors; fill(own, block number, block)."""
    golden = load_file(f"{folder}/{case}.safetensors")
    own = {k.removeprefix("start/"): v for k, v in golden.items() if k.startswith("start/")}
    base = tiny.build()
    base.load_state_dict(tiny.weights())
    net = peft.get_peft_model(base, peft.LoraConfig(modules_to_save=["head"], **config))
    with torch.no_grad():
        for i, block in enumerate(base.blocks):
            fill(own, i, block)
        base.head.modules_to_save["default"].weight.copy_(own["head.weight"])
        base.head.modules_to_save["default"].bias.copy_(own["head.bias"])
    out = f"{folder}/peft_{case}"
    net.save_pretrained(out)
    os.remove(f"{out}/README.md")
    os.chmod(f"{out}/adapter_model.safetensors", 0o644)

    back = tiny.build()
    back.load_state_dict(tiny.weights())
    net = peft.PeftModel.from_pretrained(back, out).double()
    logits = net(tiny.pixels(tiny.images()[:tiny.BATCH], torch.float64))
    assert (logits - golden["logits"]).abs().max() < 1e-12, "PEFT computes something else"


def fill_wide(own, i, block):
    a, b = widen(own, i)
    block.attn.qkv.lora_A["default"].weight.copy_(a)
    block.attn.qkv.lora_B["default"].weight.copy_(b)


def fill_dora(own, i, block):
    for name, layer in (("attn.qkv", block.attn.qkv), ("attn.proj", block.attn.proj),
                        ("mlp.fc1", block.mlp.fc1), ("mlp.fc2", block.mlp.fc2)):
        stem = f"blocks.{i}.{name}.lora_"
        layer.lora_A["default"].weight.copy_(own[stem + "A.weight"])
        layer.lora_B["default"].weight.copy_(own[stem + "B.weight"])
        layer.lora_magnitude_vector["default"].weight.copy_(own[stem + "magnitude_vector"])


def main():
    folder = sys.argv[1]
    save(folder, "lora", {"r": 2 * R, "lora_alpha": 2 * ALPHA, "target_modules": ["qkv"]},
         fill_wide)
    save(folder, "lora_dora_all",
         {"r": 1, "lora_alpha": 1.5, "target_modules": ["qkv", "attn.proj", "fc1", "fc2"],
          "use_dora": True, "use_rslora": True,
          "rank_pattern": {f"blocks\\.(1)\\.attn\\.{n}": 4 for n in ("qkv", "proj")}}, fill_dora)


if __name__ == "__main__":
    main()
