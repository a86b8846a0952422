#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Adds to tests/golden/vit ten AdamW steps of the tiny ViT of tiny_vit.py with layer-wise
learning rates, factors of groups, no decay of vectors, and timm's moving averages.

    optim.json             strategies, hyper-parameters, rules
    optim_*.safetensors    start values of the head and of what the strategy adds, losses,
                           samples of final values and of the averages

    python3 tools/golden/make_optim.py tests/golden/vit     (torch 2.13, timm 1.0.22)
"""
import json
import math
import re
import sys

import torch
import torch.nn.functional as F
from timm.optim import param_groups_layer_decay
from timm.utils import ModelEmaV2, ModelEmaV3

import make_vit
import tiny_vit as tiny

LR, WD, DECAY, EMA, EMA_WARM = 0.01, 0.1, 0.75, 0.9, 0.6
SAMPLE = 64  # elements kept of a large tensor
# pattern, the same as a regular expression, factors; the last that matches counts
RULES = [("blocks.1.**,**.blocks.1.**", r"(.*\.)?blocks\.1\..*", 0.25, 3.0),
         ("**.bias", r".*\.bias", 1.5, None),
         ("head.*", r"head\..*", 2.0, 0.5)]
CASES = {"optim_full": ("full", {}), "optim_adapter": ("adapter", {"form": "houlsby", "r": 2})}


def layer_factors(net):
    """timm's, by name; what a strategy adds goes with its block."""
    net.vit.requires_grad_(True)
    names = {id(p): n for n, p in net.vit.named_parameters()}
    groups = param_groups_layer_decay(net.vit, layer_decay=DECAY)
    factor = {names[id(p)]: g["lr_scale"] for g in groups for p in g["params"]}
    for name in net.own:
        block = re.search(r"blocks\.(\d+)\.", name)
        if name not in factor:
            factor[name] = factor[f"blocks.{block[1]}.norm1.weight"]
    return factor


def groups(net):
    factor = layer_factors(net)
    out = []
    for name, p in net.own.items():
        lr = wd = 1.0
        for _, regex, by_lr, by_wd in RULES:
            if re.fullmatch(regex, name):
                lr = by_lr if by_lr is not None else lr
                wd = by_wd if by_wd is not None else wd
        if p.ndim <= 1 or name in net.vit.no_weight_decay():
            wd = 0.0
        out.append({"params": [p], "lr": LR * factor[name] * lr, "weight_decay": WD * wd})
    return out


def sample(x):
    return x.flatten()[::math.ceil(x.numel() / SAMPLE)]


def train(net, x):
    """Losses, and the averages of timm's two classes."""
    held = torch.nn.Module()
    held.own = torch.nn.ParameterList(net.own.values())
    plain, warm = ModelEmaV2(held, EMA), ModelEmaV3(held, EMA_WARM, use_warmup=True)
    opt = torch.optim.AdamW(groups(net), foreach=False)
    losses = []
    for step in range(make_vit.STEPS):
        opt.zero_grad()
        loss = F.cross_entropy(net(x), make_vit.LABELS)
        loss.backward()
        losses.append(loss.item())
        opt.step()
        plain.update(held)
        warm.update(held, step=step + 1)
    return torch.tensor(losses, dtype=torch.float64), plain.module.own, warm.module.own


def main(folder):
    u8, w = tiny.images(), tiny.weights()
    rows = []
    for name, (strategy, options) in CASES.items():
        start = make_vit.start_values(strategy, options, {}, w)
        out = {f"start/{k}": v for k, v in start.items() if k not in w or k.startswith("head.")}
        for key, dtype in (("loss", torch.float64), ("loss_f32", torch.float32)):
            net = tiny.Tuned(strategy, options, start, {}, dtype)
            out[key], plain, warm = train(net, tiny.pixels(u8[:tiny.BATCH], dtype))
            if key == "loss":
                values = {"final": net.own.values(), "ema": plain, "ema_warmup": warm}
                for kind, tensors in values.items():
                    out |= {f"{kind}/{k}": tiny.f32(sample(p))
                            for k, p in zip(net.own, tensors)}
        tiny.save(f"{folder}/{name}.safetensors", out)
        print(f"{name}: loss {out['loss'][0]:.4f} -> {out['loss'][-1]:.4f}")
        text = {k: str(v) for k, v in options.items()}
        rows.append({"name": name, "strategy": strategy, "options": text, "lr": LR,
                     "weight_decay": WD, "smoothing": 0.0})
    rules = [" ".join([p] + [f"{k}={v}" for k, v in (("lr", lr), ("wd", wd)) if v is not None])
             for p, _, lr, wd in RULES]
    with open(f"{folder}/optim.json", "w") as f:
        json.dump({"steps": make_vit.STEPS, "sample": SAMPLE, "layer_decay": DECAY,
                   "ema": EMA, "ema_warmup": EMA_WARM, "groups": rules, "cases": rows}, f,
                  indent=2)
        f.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
