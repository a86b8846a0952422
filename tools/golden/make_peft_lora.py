#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/vit/peft_lora: a LoRA adapter of the tiny ViT, saved by PEFT.

It holds the start values of lora.safetensors: the pairs of q and v as one wider pair of the
fused qkv, which is the same function; the script checks that PEFT's model computes it.

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


def main():
    folder = sys.argv[1]
    golden = load_file(f"{folder}/lora.safetensors")
    own = {k.removeprefix("start/"): v for k, v in golden.items() if k.startswith("start/")}
    base = tiny.build()
    base.load_state_dict(tiny.weights())
    net = peft.get_peft_model(base, peft.LoraConfig(
        r=2 * R, lora_alpha=2 * ALPHA, target_modules=["qkv"], modules_to_save=["head"]))
    with torch.no_grad():
        for i, block in enumerate(base.blocks):
            a, b = widen(own, i)
            block.attn.qkv.lora_A["default"].weight.copy_(a)
            block.attn.qkv.lora_B["default"].weight.copy_(b)
        base.head.modules_to_save["default"].weight.copy_(own["head.weight"])
        base.head.modules_to_save["default"].bias.copy_(own["head.bias"])
    out = f"{folder}/peft_lora"
    net.save_pretrained(out)
    os.remove(f"{out}/README.md")
    os.chmod(f"{out}/adapter_model.safetensors", 0o644)

    back = tiny.build()
    back.load_state_dict(tiny.weights())
    net = peft.PeftModel.from_pretrained(back, out).double()
    logits = net(tiny.pixels(tiny.images()[:tiny.BATCH], torch.float64))
    assert (logits - golden["logits"]).abs().max() < 1e-12, "PEFT computes something else"


if __name__ == "__main__":
    main()
