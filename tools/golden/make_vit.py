#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/vit: what PyTorch and timm compute for the tiny ViT of tiny_vit.py.

    model.safetensors      weights in timm's names; tensors of a variant behind "@variant/"
    forward.safetensors    images, logits of every variant, values at sites
    cases.json             strategies, their options, hyper-parameters
    <strategy>.safetensors start values, gradients, losses of ten AdamW steps, final values
    select.safetensors     SCT's sums and selected channels, class-aware and class-agnostic

    python3 tools/golden/make_vit.py tests/golden/vit     (torch 2.13, timm 1.0.22)
"""
import json
import math
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
from timm.data.mixup import mixup_target
from timm.loss import SoftTargetCrossEntropy

import modules
import tiny_vit as tiny
from modules import draw

STEPS, WD = 10, 1e-4
LABELS = torch.tensor([3, 0, 4, 1, 2, 0])
PARTNERS = torch.tensor([1, 0, 2, 4, 3, 1])
MIX, MIX_VALID, SMOOTHING = 0.7, 5, 0.1
SAMPLE = 256  # elements kept of a large tensor's final values


def variants(w):
    """name -> (model, tensors that differ from the class-token model)."""
    renamed = {k: v for k, v in w.items() if not k.startswith("norm.")}
    renamed |= {f"fc_norm.{k}": w[f"norm.{k}"].clone() for k in ("weight", "bias")}
    bare = {k: v for k, v in w.items() if k != "cls_token"}
    bare["pos_embed"] = w["pos_embed"][:, 1:].clone()
    out = {}
    for name, model, state in (
            ("token", tiny.build(), w),
            ("avg_fc_norm", tiny.build("avg"), renamed),
            ("avg_norm", tiny.build("avg", fc_norm=False), w),
            ("gap", tiny.build("avg", fc_norm=False, class_token=False), bare)):
        model.load_state_dict(state)
        out[name] = (model.double().eval(),
                     {k: v for k, v in state.items() if k not in w or v is not w[k]})
    return out


def sites(model, x):
    """Values at a few sites of the class-token model, first two images."""
    seen, hooks = {}, []

    def keep(name, module, of_input=False):
        def hook(_, args, out):
            seen[name] = tiny.f32(args[0] if of_input else out)[:2].clone()
        hooks.append(module.register_forward_hook(hook))

    keep("embed.out", model.blocks[0], of_input=True)
    keep("stage[0].block[0].attn.qkv", model.blocks[0].attn.qkv)
    keep("stage[0].block[1].attn.out", model.blocks[1].attn)
    keep("stage[0].block[1].attn.res", model.blocks[1].norm2, of_input=True)
    keep("stage[0].block[1].mlp.fc1", model.blocks[1].mlp.fc1)
    keep("stage[0].block[2].out", model.blocks[2])
    keep("pooled", model.head, of_input=True)
    model(x)
    for h in hooks:
        h.remove()
    return seen


def forward(folder, u8, w):
    x = tiny.pixels(u8[:tiny.BATCH], torch.float64)
    out = {"images": u8, "labels": LABELS.int(), "partners": PARTNERS.int(),
           "owners": torch.tensor(tiny.OWNERS).int()}
    extra = {}
    for name, (model, diff) in variants(w).items():
        out[f"logits/{name}"] = model(x)
        extra.update({f"@{name}/{k}": v for k, v in diff.items()})
        if name == "token":
            out.update({f"site/{k}": v for k, v in sites(model, x).items()})
    tiny.save(f"{folder}/model.safetensors", {**w, **extra})
    tiny.save(f"{folder}/forward.safetensors", out)


# ---- strategies ----


def start_values(strategy, options, index, w):
    """Nothing starts at zero, so that every gradient is alive."""
    rng = np.random.Generator(np.random.PCG64(99))
    out = {k: v for k, v in w.items() if strategy == "full" and not k.startswith("head.")}
    for i in range(tiny.DEPTH):
        if strategy == "sct":
            k = len(index[f"sct.blocks.{i}.index"])
            out[f"sct.blocks.{i}.weight"] = draw(rng, (k, k), 0.2)
            out[f"sct.blocks.{i}.bias"] = draw(rng, (k,), 0.1)
        if strategy == "lora":
            for p in "qv":
                stem = f"blocks.{i}.attn.qkv.{p}.lora_"
                out[stem + "A.weight"] = draw(rng, (options["r"], tiny.DIM), 0.2)
                out[stem + "B.weight"] = draw(rng, (tiny.DIM, options["r"]), 0.3)
    if strategy in modules.STRATEGIES:
        out |= modules.STRATEGIES[strategy][0](tiny.build(), options, rng)
    return out | head(rng)


def head(rng):
    return {"head.weight": draw(rng, (tiny.CLASSES, tiny.DIM), 0.2),
            "head.bias": draw(rng, (tiny.CLASSES,), 0.1)}


def gradients(net, loss):
    names = list(net.own)
    found = torch.autograd.grad(loss, [net.own[n] for n in names])
    return dict(zip(names, map(tiny.f32, found)))


def train(net, x, lr, smoothing):
    """Losses before each of STEPS steps."""
    opt = torch.optim.AdamW(list(net.own.values()), lr=lr, weight_decay=WD, foreach=False)
    losses = []
    for _ in range(STEPS):
        opt.zero_grad()
        loss = F.cross_entropy(net(x), LABELS, label_smoothing=smoothing)
        loss.backward()
        losses.append(loss.item())
        opt.step()
    return torch.tensor(losses, dtype=torch.float64)


def sample(x):
    return x.flatten()[::math.ceil(x.numel() / SAMPLE)]


def mixed_loss(net, x):
    """timm's mixup target, and a batch whose last sample is missing."""
    target = mixup_target_pair(LABELS, PARTNERS).double()
    return SoftTargetCrossEntropy()(net(x[:MIX_VALID]), target[:MIX_VALID])


def mixup_target_pair(a, b):
    """mixup_target pairs a batch with its flip: ask for it of [a, flipped b]."""
    both = torch.cat([a, b.flip(0)])
    return mixup_target(both, tiny.CLASSES, MIX, SMOOTHING)[:len(a)]


def strategy_file(folder, name, strategy, options, index, lr, smoothing, u8, w):
    start = start_values(strategy, options, index, w)
    x = tiny.pixels(u8[:tiny.BATCH], torch.float64)

    def fresh(dtype):
        return tiny.Tuned(strategy, options, start, index, dtype)

    net = fresh(torch.float64)
    out = {f"start/{k}": v for k, v in start.items() if k not in w or k.startswith("head.")}
    out |= {f"start/{k}": v for k, v in index.items()}
    out["logits"] = net(x)
    # the gradients of everything are large: once is enough
    for s in (SMOOTHING,) if strategy == "full" else (0.0, SMOOTHING):
        loss = F.cross_entropy(net(x), LABELS, label_smoothing=s)
        key = "grad_smooth" if s else "grad"
        out |= {f"{key}/{k}": v for k, v in gradients(net, loss).items()}
    if strategy == "linear":
        loss = mixed_loss(net, x)
        out["loss_mix"] = loss.reshape(1)
        out |= {f"grad_mix/{k}": v for k, v in gradients(net, loss).items()}
    out["loss"] = train(net, x, lr, smoothing)
    single = fresh(torch.float32)
    out["loss_f32"] = train(single, tiny.pixels(u8[:tiny.BATCH], torch.float32), lr, smoothing)
    out |= {f"final/{k}": tiny.f32(sample(p)) for k, p in net.own.items()}
    tiny.save(f"{folder}/{name}.safetensors", out)
    gap = (out["loss_f32"] - out["loss"]).abs() / out["loss"]
    print(f"{name}: loss {out['loss'][0]:.4f} -> {out['loss'][-1]:.4f}, "
          f"f32 off by {gap.max():.1e}")
    text = {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in options.items()}
    return {"name": name, "strategy": strategy, "options": text, "lr": lr, "weight_decay": WD,
            "smoothing": smoothing}


# ---- SCT's selection, in one go per block instead of streamed ----


def features(w, u8):
    """Inputs of norm2 of every block, [ALL][tokens][DIM]."""
    model = tiny.build().double()
    model.load_state_dict(w)
    seen = []
    for block in model.blocks:
        block.norm2.register_forward_hook(lambda _, args, out: seen.append(args[0]))
    with torch.no_grad():
        model(tiny.pixels(u8, torch.float64))
    return seen


def top(score, k):
    """k largest, ascending; refuses a score that rounding could turn over."""
    order = torch.argsort(score, descending=True, stable=True)
    gap = (score[order[k - 1]] - score[order[k]]) / score[order[k]]
    assert gap > 1e-3, f"channels too close: {gap:.1e}"
    return torch.sort(order[:k]).values.int()


def select(folder, w, u8):
    owners = torch.tensor(tiny.OWNERS)
    loud = w["cls_token"].clone()
    loud[0, 0, tiny.CLS_CHANNEL] = tiny.CLS_VALUE
    out = {"cls_token": loud}
    for i, h in enumerate(features({**w, "cls_token": loud}, u8)):
        patches = h[:, 1:]
        norms = {c: patches[owners == c].reshape(-1, tiny.DIM).norm(dim=0)
                 for c in sorted(set(tiny.OWNERS))}
        aware = sum(norms.values()) / len(norms)
        agnostic = patches.reshape(-1, tiny.DIM).norm(dim=0)
        rows = torch.zeros(tiny.CLASSES, tiny.DIM, dtype=torch.float64)
        for c, n in norms.items():
            rows[c] = n * n
        out[f"sumsq/{i}"] = rows
        for k, word in ((5, "5"), (tiny.DIM // 3, "1/3")):
            a, g = top(aware, k), top(agnostic, k)
            out[f"class_aware/{word}/{i}"], out[f"class_agnostic/{word}/{i}"] = a, g
            assert not torch.equal(a, g), "the two scores must disagree"
        with_cls = h.reshape(-1, tiny.DIM).norm(dim=0)
        assert with_cls.argmax() == tiny.CLS_CHANNEL
        assert tiny.CLS_CHANNEL not in out[f"class_aware/5/{i}"]
    tiny.save(f"{folder}/select.safetensors", out)
    return {f"sct.blocks.{i}.index": out[f"class_aware/5/{i}"] for i in range(tiny.DEPTH)}


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    w, u8 = tiny.weights(), tiny.images()
    forward(folder, u8, w)
    index = select(folder, w, u8)
    cases = []
    for name, strategy, options, idx, lr, smoothing in (
            ("linear", "linear", {}, {}, 5e-3, 0.0),
            ("sct", "sct", {"k": 5, "scale": 0.5, "scaleonx": False}, index, 5e-3, 0.0),
            ("sct_scaleonx", "sct", {"k": 5, "scale": 0.5, "scaleonx": True}, index, 5e-3, 0.1),
            ("lora", "lora", {"r": 2, "alpha": 4, "targets": "q,v"}, {}, 5e-3, 0.0),
            ("full", "full", {}, {}, 1e-3, 0.1),
            ("ssf", "ssf", {}, {}, 5e-3, 0.1),
            ("vpt_deep", "vpt", {"mode": "deep", "n": 3}, {}, 5e-3, 0.0),
            ("vpt_shallow", "vpt", {"mode": "shallow", "n": 2}, {}, 5e-3, 0.1),
            ("fact_tt", "fact", {"form": "tt", "rank": 3, "scale": 2.0, "dropout": 0}, {}, 5e-3,
             0.0),
            ("fact_tk", "fact", {"form": "tk", "rank": 3, "scale": 0.5, "dropout": 0}, {}, 5e-3,
             0.1)):
        cases.append(strategy_file(folder, name, strategy, options, idx, lr, smoothing, u8, w))
    with open(f"{folder}/cases.json", "w") as f:
        json.dump({"steps": STEPS, "sample": SAMPLE, "mix": MIX, "mix_valid": MIX_VALID,
                   "smooth": SMOOTHING, "cases": cases}, f, indent=2)
        f.write("\n")


if __name__ == "__main__":
    main()
