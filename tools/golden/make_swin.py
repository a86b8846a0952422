#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/swin: what PyTorch and timm compute for the tiny Swin of tiny_swin.py.

The files are those of make_vit.py: model, forward, cases.json, one a strategy, select.

    python3 tools/golden/make_swin.py tests/golden/swin     (torch 2.13, timm 1.0.22)
"""
import json
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

import make_vit as common
import modules
import sct_modules as sct
import spt_modules as spt
import tiny_swin as tiny
import tuned
from make_vit import LABELS, SMOOTHING, STEPS, draw
from tiny_vit import ALL, BATCH, OWNERS, f32, images, pixels, save

# SCT's placement: the second block of stage 1, all of stages 2 and 3
SITES = "stage[1].block[1:].attn.res,stage[2:].block[*].attn.res"
BLOCKS = [(f"stage[{s}].block[{i}]", f"layers.{s}.blocks.{i}") for s, i in tiny.blocks()]


def pictures(variant, u8):
    side = tiny.VARIANTS[variant][0]
    return u8[:, :side, :side].contiguous()


def sites(model, x):
    """Values of every block and of the ends, first two images."""
    seen, hooks = {}, []

    def keep(name, module, of_input=False):
        def hook(_, args, out):
            v = f32(args[0] if of_input else out)[:2]
            seen[name] = v.reshape(2, -1, v.shape[-1]).clone()
        hooks.append(module.register_forward_hook(hook))

    keep("embed.out", model.patch_embed)
    for s, i in tiny.blocks():
        block = model.layers[s].blocks[i]
        keep(f"stage[{s}].block[{i}].out", block)
    keep("stage[0].block[1].attn.res", model.layers[0].blocks[1].norm2, of_input=True)
    for s in (1, 2, 3):
        keep(f"stage[{s}].down", model.layers[s].downsample)
    keep("norm.out", model.norm)
    model(x)
    for h in hooks:
        h.remove()
    return seen


def forward(folder, u8):
    base = tiny.weights()
    out = {"images": u8, "labels": LABELS.int(), "partners": common.PARTNERS.int(),
           "owners": torch.tensor(OWNERS).int()}
    extra = {}
    for name in tiny.VARIANTS:
        w = tiny.weights(name)
        model = tiny.build(name)
        model.load_state_dict(w)
        model = model.double().eval()
        own = pictures(name, u8[:BATCH])
        x = pixels(own, torch.float64)
        out[f"logits/{name}"] = model(x)
        if own.shape != u8[:BATCH].shape:
            out[f"images/{name}"] = own
        if name != "base":
            extra.update({f"@{name}/{k}": v for k, v in w.items()
                          if base[k].shape != v.shape or not torch.equal(base[k], v)})
        else:
            out.update({f"site/{k}": v for k, v in sites(model, x).items()})
    save(f"{folder}/model.safetensors", {**base, **extra})
    save(f"{folder}/forward.safetensors", out)


# ---- strategies ----


def start_values(strategy, options, index, w):
    """Nothing starts at zero, so that every gradient is alive."""
    rng = np.random.Generator(np.random.PCG64(99))
    out = {}
    if strategy in tuned.BASE:
        blocks = [f"layers.{s}.blocks.{i}" for s, i in tiny.blocks()]
        out = {k: w[k] for k in tuned.trained(strategy, options, w, blocks)}
    for s, i in tiny.blocks():
        stem, dim = f"layers.{s}.blocks.{i}", tiny.width(s)
        if strategy in ("adapter", "adaptformer"):
            out |= tuned.bottleneck_start(rng, strategy, options, stem, dim)
        if strategy in ("sct", "ict"):
            out |= sct.start(draw, rng, stem, index, options, dim)
    if strategy in modules.STRATEGIES:
        net = tiny.build()
        net.load_state_dict(w)
        started = modules.STRATEGIES[strategy][0](net, options, rng)
        out |= {k: w.get(k, v) for k, v in started.items()}
    last = tiny.width(3)
    return out | {"head.fc.weight": draw(rng, (tiny.CLASSES, last), 0.2),
                  "head.fc.bias": draw(rng, (tiny.CLASSES,), 0.1)}


def strategy_file(folder, name, strategy, options, index, lr, smoothing, u8):
    w = tiny.weights()
    start = start_values(strategy, options, index, w)

    def fresh(dtype):
        return tiny.Tuned(strategy, options, start, index, dtype), pixels(u8[:BATCH], dtype)

    net, x = fresh(torch.float64)
    out = {f"start/{k}": v for k, v in start.items() if k not in w or k.startswith("head.")}
    out |= {f"start/{k}": v for k, v in index.items()}
    out["logits"] = net(x)
    loss = F.cross_entropy(net(x), LABELS, label_smoothing=SMOOTHING)
    out |= {f"grad_smooth/{k}": v for k, v in common.gradients(net, loss).items()}
    out["loss"] = common.train(net, x, lr, smoothing, strategy)
    single, x32 = fresh(torch.float32)
    out["loss_f32"] = common.train(single, x32, lr, smoothing, strategy)
    out |= {f"final/{k}": f32(common.sample(p)) for k, p in net.own.items()}
    save(f"{folder}/{name}.safetensors", out)
    gap = (out["loss_f32"] - out["loss"]).abs() / out["loss"]
    print(f"{name}: loss {out['loss'][0]:.4f} -> {out['loss'][-1]:.4f}, "
          f"f32 off by {gap.max():.1e}")
    text = {k: str(v) for k, v in options.items()}
    return {"name": name, "strategy": strategy, "options": text, "lr": lr,
            "weight_decay": common.weight_decay(strategy), "smoothing": smoothing}


# ---- SCT's selection ----


def select(folder, u8):
    """Of all blocks; there is no class token, so every token counts."""
    model, seen = tiny.build(), {}
    model.load_state_dict(tiny.weights())
    model = model.double()
    for s, i in tiny.blocks():
        sct.watch(model.layers[s].blocks[i], seen, ALL, 0)
    with torch.no_grad():
        model(pixels(u8, torch.float64))
    out = {}
    for mode in sct.MODES:
        common.add_mode(out, mode, seen, OWNERS, BLOCKS, lambda b: tiny.width(tiny.blocks()[b][0]))
    save(f"{folder}/select.safetensors", out)
    return out


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    u8 = images()
    assert len(u8) == ALL
    forward(folder, u8)
    chosen = select(folder, u8)
    cases = []
    for name, strategy, options, word, last, smoothing in (
            ("sct", "sct", {"k": "1/3", "scale": 0.5, "sites": SITES}, "1/3", 3, 0.0),
            ("sct_mlp", "sct", {"mode": "mlp", "stages": "1/3,5,1/3,5", "scale": 0.5},
             ["1/3", "1/3", "5", "5", "1/3", "5"], 0, 0.0),
            ("sct_qkv", "sct", {"mode": "qkv", "k": "1/3"}, "1/3", 0, 0.1),
            ("sct_both", "sct", {"mode": "both", "k": "1/3", "scale": 0.5, "last": 4}, "1/3", 4, 0.0),
            ("ict", "ict", {"k": 5, "scale": 0.4}, "5", 0, 0.0),
            ("ict_wide", "ict", {"module": "wide", "k": "1/3"}, "1/3", 0, 0.1),
            ("lora", "lora", {"r": 2, "alpha": 4, "targets": "q,v"}, "", 0, 0.0),
            ("lora_dora", "lora",
             {"r": 1, "alpha": 2, "targets": "q,v,fc2", "dora": True,
              "rank_pattern": "layers[1].blocks[1].*.fc2=4"}, "", 0, 0.0),
            ("full", "full", {}, "", 0, 0.1),
            ("ssf", "ssf", {}, "", 0, 0.1),
            ("bitfit", "bitfit", {}, "", 0, 0.0),
            ("layernorm", "layernorm", {}, "", 0, 0.1),
            ("partial", "partial", {"blocks": 2}, "", 0, 0.0),
            ("adapter_houlsby", "adapter", {"form": "houlsby", "r": 2, "scale": 0.5}, "", 0, 0.0),
            ("adapter_noah", "adapter", {"form": "noah", "r": 3, "dropout": 0}, "", 0, 0.1),
            ("adaptformer", "adaptformer",
             {"form": "original", "r": 3, "scale": 0.1, "dropout": 0}, "", 0, 0.0),
            ("adaptformer_sct", "adaptformer",
             {"form": "sct", "r": 3, "scale": 1.0, "dropout": 0}, "", 0, 0.1),
            ("repadapter", "repadapter",
             {"form": "both", "r": 4, "groups": 2, "scale": 0.5, "dropout": 0}, "", 0, 0.0),
            ("convpass", "convpass",
             {"form": "both", "h": 3, "scale": 0.5, "dropout": 0, "drop_path": 0}, "", 0, 0.1),
            ("spt_lora", "spt", {"type": "lora", "r": 2, "dropout": 0, "drop_path": 0}, "", 0,
             0.1)):
        index = spt.remembered(tiny.build(), options) if strategy == "spt" else {}
        if strategy in ("sct", "ict"):
            index = common.index_of(chosen, options.get("mode", "attn"), word, BLOCKS, last)
        lr = 1e-3 if strategy in ("full", "partial") else 5e-3
        cases.append(strategy_file(folder, name, strategy, options, index, lr, smoothing, u8))
    with open(f"{folder}/cases.json", "w") as f:
        json.dump({"steps": STEPS, "sample": common.SAMPLE, "mix": common.MIX,
                   "mix_valid": common.MIX_VALID, "smooth": SMOOTHING, "cases": cases}, f,
                  indent=2)
        f.write("\n")


if __name__ == "__main__":
    main()
