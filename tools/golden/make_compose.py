#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes compose.json and compose_*.safetensors of tests/golden/vit: strategies composed on the tiny
ViT, as make_vit.py writes them alone. Those that change one layer's output are hooks of that layer,
which PyTorch calls in the order in which they were registered.

    python3 tools/golden/make_compose.py tests/golden/vit     (torch 2.13, timm 1.0.22)
"""
import json
import sys

import numpy as np
import torch
import torch.nn.functional as F

import make_vit as vit
import sct_modules as sct
import tiny_vit as tiny
from tuned import draw


def lora_start(options, index, rng):
    shapes = {"A": ((options["r"], tiny.DIM), 0.2), "B": ((tiny.DIM, options["r"]), 0.3)}
    return {f"blocks.{i}.attn.qkv.{p}.lora_{half}.weight": draw(rng, *shapes[half])
            for i in range(tiny.DEPTH) for p in "qv" for half in "AB"}


def lora_attach(net, own, options, index):
    def hook(stem):
        def forward(module, args, y):
            y = y.clone()
            for p, first in (("q", 0), ("v", 2 * tiny.DIM)):
                a, b = (own[f"{stem}.{p}.lora_{half}.weight"] for half in "AB")
                y[..., first:first + tiny.DIM] += options["alpha"] / options["r"] * F.linear(
                    F.linear(args[0], a), b)
            return y
        return forward

    for i, block in enumerate(net.blocks):
        block.attn.qkv.register_forward_hook(hook(f"blocks.{i}.attn.qkv"))


def sct_start(options, index, rng):
    out = {}
    for i in range(tiny.DEPTH):
        out |= sct.start(draw, rng, f"blocks.{i}", index, options, tiny.DIM)
    return out


def sct_attach(net, own, options, index):
    for i, block in enumerate(net.blocks):
        modules = sct.Modules(f"blocks.{i}", own, index, options, tiny.DIM)
        if options.get("mode") == "qkv":
            block.attn.qkv.register_forward_hook(
                lambda module, args, y, modules=modules: modules.apply(
                    modules.apply(y, ".q", 0, False), ".v", 2 * tiny.DIM, False))
        else:
            modules.insert(block, block.attn)


STRATEGIES = {"lora": (lora_start, lora_attach), "sct": (sct_start, sct_attach)}


class Composed(torch.nn.Module):
    def __init__(self, parts, start, index, dtype):
        super().__init__()
        self.vit = tiny.build().to(dtype)
        self.vit.load_state_dict(tiny.weights())
        self.vit.requires_grad_(False)
        self.own = {}
        for name, value in start.items():
            if name in self.vit.state_dict():
                p = self.vit.get_parameter(name)
                p.data.copy_(value)
                p.requires_grad_(True)
            else:
                p = torch.nn.Parameter(value.to(dtype, copy=True))
            self.own[name] = p
        for strategy, options in parts:
            STRATEGIES[strategy][1](self.vit, self.own, options, index)

    def forward(self, x):
        return self.vit(x)


def case(folder, name, parts, index, lr, smoothing, u8, w):
    rng = np.random.Generator(np.random.PCG64(99))
    start = {}
    for strategy, options in sorted(parts, key=lambda p: p[0]):  # the same values in any order
        start |= STRATEGIES[strategy][0](options, index, rng)
    start |= vit.head(rng)
    x = tiny.pixels(u8[:tiny.BATCH], torch.float64)
    net = Composed(parts, start, index, torch.float64)
    out = {f"start/{k}": v for k, v in (start | index).items()}
    out["logits"] = net(x)
    loss = F.cross_entropy(net(x), vit.LABELS, label_smoothing=vit.SMOOTHING)
    out |= {f"grad_smooth/{k}": v for k, v in vit.gradients(net, loss).items()}
    out["loss"] = vit.train(net, x, lr, smoothing)
    single = Composed(parts, start, index, torch.float32)
    out["loss_f32"] = vit.train(single, tiny.pixels(u8[:tiny.BATCH], torch.float32), lr, smoothing)
    out |= {f"final/{k}": tiny.f32(vit.sample(p)) for k, p in net.own.items()}
    tiny.save(f"{folder}/{name}.safetensors", out)
    print(f"{name}: loss {out['loss'][0]:.4f} -> {out['loss'][-1]:.4f}")
    return {"name": name, "strategy": [s for s, _ in parts],
            "options": {s: {k: str(v) for k, v in o.items()} for s, o in parts}, "lr": lr,
            "weight_decay": vit.WD, "smoothing": smoothing}, out["logits"]


def main():
    folder = sys.argv[1]
    w, u8 = tiny.weights(), tiny.images()
    with torch.no_grad():
        seen, model = {}, tiny.build().double()
        model.load_state_dict(w)
        for block in model.blocks:
            sct.watch(block, seen, tiny.ALL, 1)
        model(tiny.pixels(u8, torch.float64))
    chosen = {}
    for mode in ("attn", "qkv"):
        vit.add_mode(chosen, mode, seen, tiny.OWNERS, vit.BLOCKS, lambda b: tiny.DIM)
    lora = ("lora", {"r": 2, "alpha": 4, "targets": "q,v"})
    attn = ("sct", {"k": 5, "scale": 0.5})
    qkv = ("sct", {"mode": "qkv", "k": 5})
    cases, logits = [], {}
    for name, parts, lr, smoothing in (("compose_lora_sct", [lora, attn], 5e-3, 0.1),
                                       ("compose_lora_sct_qkv", [lora, qkv], 5e-3, 0.0),
                                       ("compose_sct_qkv_lora", [qkv, lora], 5e-3, 0.0)):
        mode = dict(parts)["sct"].get("mode", "attn")
        index = vit.index_of(chosen, mode, "5", vit.BLOCKS)
        row, logits[name] = case(folder, name, parts, index, lr, smoothing, u8, w)
        cases.append(row)
    gap = (logits["compose_lora_sct_qkv"] - logits["compose_sct_qkv_lora"]).abs().max()
    assert gap > 1e-2, "the order must show"
    with open(f"{folder}/compose.json", "w") as f:
        json.dump({"cases": cases}, f, indent=2)
        f.write("\n")


if __name__ == "__main__":
    main()
