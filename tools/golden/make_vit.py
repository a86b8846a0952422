#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/vit: what PyTorch and timm compute for the tiny ViT of tiny_vit.py.

    model.safetensors      weights in timm's names; tensors of a variant behind "@variant/"
    forward.safetensors    images, logits of every variant, values at sites
    cases.json             strategies, their options, hyper-parameters
    <strategy>.safetensors start values, gradients, losses of ten AdamW steps, final values
    select.safetensors     SCT's sums and selected channels, of every mode and way to select

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
import sct_modules as sct
import spt_modules as spt
import tiny_vit as tiny
import tuned
from tuned import draw

STEPS, WD = 10, 1e-4
LABELS = torch.tensor([3, 0, 4, 1, 2, 0])
PARTNERS = torch.tensor([1, 0, 2, 4, 3, 1])
MIX, MIX_VALID, SMOOTHING = 0.7, 5, 0.1
SELECT_SEED = 7
BLOCKS = [(f"stage[0].block[{i}]", f"blocks.{i}") for i in range(tiny.DEPTH)]
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
    blocks = [f"blocks.{i}" for i in range(tiny.DEPTH)]
    out = {}
    if strategy in tuned.BASE:
        out = {k: w[k] for k in tuned.trained(strategy, options, w, blocks)}
    for i in range(tiny.DEPTH):
        if strategy in ("adapter", "adaptformer"):
            out |= tuned.bottleneck_start(rng, strategy, options, blocks[i], tiny.DIM)
        if strategy in ("sct", "ict"):
            out |= sct.start(draw, rng, f"blocks.{i}", index, options, tiny.DIM)
    if strategy in modules.STRATEGIES:
        net = tiny.build()
        net.load_state_dict(w)
        started = modules.STRATEGIES[strategy][0](net, options, rng)
        out |= {k: w.get(k, v) for k, v in started.items()}
    return out | head(rng)


def head(rng):
    return {"head.weight": draw(rng, (tiny.CLASSES, tiny.DIM), 0.2),
            "head.bias": draw(rng, (tiny.CLASSES,), 0.1)}


def gradients(net, loss):
    names = list(net.own)
    found = torch.autograd.grad(loss, [net.own[n] for n in names])
    return dict(zip(names, map(tiny.f32, found)))


def weight_decay(strategy):
    return spt.DECAY if strategy == "spt" else WD


def train(net, x, lr, smoothing, strategy=None):
    """Losses before each of STEPS steps. The strategy matters for spt alone."""
    groups = [{"params": [p]} if strategy != "spt" or spt.decays(n) else
              {"params": [p], "weight_decay": 0.0} for n, p in net.own.items()]
    opt = torch.optim.AdamW(groups, lr=lr, weight_decay=weight_decay(strategy), foreach=False)
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
    for s in (SMOOTHING,) if strategy in tuned.BASE else (0.0, SMOOTHING):
        loss = F.cross_entropy(net(x), LABELS, label_smoothing=s)
        key = "grad_smooth" if s else "grad"
        out |= {f"{key}/{k}": v for k, v in gradients(net, loss).items()}
    if strategy == "linear":
        loss = mixed_loss(net, x)
        out["loss_mix"] = loss.reshape(1)
        out |= {f"grad_mix/{k}": v for k, v in gradients(net, loss).items()}
    out["loss"] = train(net, x, lr, smoothing, strategy)
    single = fresh(torch.float32)
    x32 = tiny.pixels(u8[:tiny.BATCH], torch.float32)
    out["loss_f32"] = train(single, x32, lr, smoothing, strategy)
    out |= {f"final/{k}": tiny.f32(sample(p)) for k, p in net.own.items()}
    tiny.save(f"{folder}/{name}.safetensors", out)
    gap = (out["loss_f32"] - out["loss"]).abs() / out["loss"]
    print(f"{name}: loss {out['loss'][0]:.4f} -> {out['loss'][-1]:.4f}, "
          f"f32 off by {gap.max():.1e}")
    text = {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in options.items()}
    return {"name": name, "strategy": strategy, "options": text, "lr": lr,
            "weight_decay": weight_decay(strategy), "smoothing": smoothing}


# ---- SCT's selection, in one go per block instead of streamed ----


def add_scores(out, mode, i, h, owners, part, dim, words):
    """Sums and choices of one module, number i of its mode; part: its columns of h."""
    prefix = "" if mode == "attn" else f"{mode}/"
    norms, aware, agnostic = sct.scores(h, owners)
    rows = torch.zeros(tiny.CLASSES, h.shape[-1], dtype=torch.float64)
    for c, n in norms.items():
        rows[c] = n * n
    for name, score in (("class_aware", aware), ("class_agnostic", agnostic), ("lowest", -aware)):
        for word, k in words.items():
            out[f"{prefix}{name}/{word}/{i}"] = sct.top(score[part:part + dim], k) + part
    return rows


def add_random(out, i, path, stem, dim, words):
    for word, k in words.items():
        out[f"random/{word}/{i}"] = sct.top(sct.drawn(SELECT_SEED, path, stem, dim), k, 0)
        out[f"all/{word}/{i}"] = torch.arange(dim).int()


def add_mode(out, mode, seen, owners, blocks, width):
    """All modules of a mode. blocks: (path, stem) of every block; width(b): of its stream."""
    i = reading = 0
    for b, (path, stem) in enumerate(blocks):
        dim, watched = width(b), None
        words = {"1": 1, "5": min(5, dim), "1/3": dim // 3, "1/1": dim}
        for word, place in sct.MODES[mode]:
            h = seen[place][b]
            part = 2 * dim if word == ".v" else 0
            rows = add_scores(out, mode, i, h, owners, part, dim, words)
            if place != watched:
                out[f"{'' if mode == 'attn' else mode + '/'}sumsq/{reading}"] = rows
                reading, watched = reading + 1, place
            if mode == "attn":
                add_random(out, i, f"{path}.attn.res", f"sct.{stem}", dim, words)
            i += 1


def index_of(out, mode, word, blocks, last=0):
    """What the golden strategies use: the class-aware lists, of the last blocks (0: all). word:
    K in all blocks, or a list with one a block."""
    prefix, i, index = "" if mode == "attn" else f"{mode}/", 0, {}
    for b, (_, stem) in enumerate(blocks):
        for end, _ in sct.MODES[mode]:
            if not last or b >= len(blocks) - last:
                k = word if isinstance(word, str) else word[b]
                index[f"sct.{stem}{end}.index"] = out[f"{prefix}class_aware/{k}/{i}"]
            i += 1
    return index


def select(folder, w, u8):
    loud = w["cls_token"].clone()
    loud[0, 0, tiny.CLS_CHANNEL] = tiny.CLS_VALUE
    model, seen, whole = tiny.build().double(), {}, {}
    model.load_state_dict({**w, "cls_token": loud})
    for block in model.blocks:
        sct.watch(block, seen, tiny.ALL, 1)
        sct.watch(block, whole, tiny.ALL, 0)
    with torch.no_grad():
        model(tiny.pixels(u8, torch.float64))
    out = {"cls_token": loud}
    for mode in sct.MODES:
        add_mode(out, mode, seen, tiny.OWNERS, BLOCKS, lambda b: tiny.DIM)
    for i in range(tiny.DEPTH):
        for word in ("5", "1/3"):
            assert not torch.equal(out[f"class_aware/{word}/{i}"],
                                   out[f"class_agnostic/{word}/{i}"]), "the scores must disagree"
        with_cls = whole["attn.res"][i].reshape(-1, tiny.DIM).norm(dim=0)
        assert with_cls.argmax() == tiny.CLS_CHANNEL
        assert tiny.CLS_CHANNEL not in out[f"class_aware/5/{i}"]
    tiny.save(f"{folder}/select.safetensors", out)
    return out


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    w, u8 = tiny.weights(), tiny.images()
    forward(folder, u8, w)
    chosen = select(folder, w, u8)
    cases = []
    for name, strategy, options, lr, smoothing in (
            ("linear", "linear", {}, 5e-3, 0.0),
            ("sct", "sct", {"k": 5, "scale": 0.5, "scaleonx": False}, 5e-3, 0.0),
            ("sct_scaleonx", "sct", {"k": 5, "scale": 0.5, "scaleonx": True}, 5e-3, 0.1),
            ("sct_mlp", "sct", {"mode": "mlp", "k": 5, "scale": 0.5}, 5e-3, 0.0),
            ("sct_qkv", "sct", {"mode": "qkv", "k": "1/3", "scale": 0.5}, 5e-3, 0.0),
            ("sct_both", "sct", {"mode": "both", "k": 5, "scale": 0.5, "scaleonx": True}, 5e-3, 0.1),
            ("sct_form_b", "sct", {"form": "b", "k": "1/3", "scale": 0.5, "last": 2}, 5e-3, 0.0),
            ("ict", "ict", {"k": 5, "scale": 0.4}, 5e-3, 0.0),
            ("ict_wide", "ict", {"module": "wide", "k": 5}, 5e-3, 0.0),
            ("ict_wide_qkv", "ict", {"module": "wide", "mode": "qkv", "k": 5}, 5e-3, 0.1),
            ("lora", "lora", {"r": 2, "alpha": 4, "targets": "q,v"}, 5e-3, 0.0),
            ("lora_shared", "lora", {"r": 2, "alpha": 3, "targets": "qkv"}, 5e-3, 0.1),
            ("lora_patterns", "lora",
             {"r": 4, "alpha": 3, "targets": "q,k,v,proj,fc1,fc2", "rslora": True,
              "rank_pattern": "fc1=9,blocks[0:2].attn.*=1",
              "alpha_pattern": "blocks[2].mlp.fc2=6,proj=2"}, 5e-3, 0.0),
            ("lora_dora", "lora", {"r": 2, "alpha": 4, "targets": "q,v", "dora": True}, 5e-3, 0.0),
            ("lora_dora_all", "lora",
             {"r": 1, "alpha": 1.5, "targets": "qkv,proj,fc1,fc2", "dora": True, "rslora": True,
              "rank_pattern": "blocks[1].attn.*=4"}, 5e-3, 0.1),
            ("full", "full", {}, 1e-3, 0.1),
            ("ssf", "ssf", {}, 5e-3, 0.1),
            ("vpt_deep", "vpt", {"mode": "deep", "n": 3}, 5e-3, 0.0),
            ("vpt_shallow", "vpt", {"mode": "shallow", "n": 2}, 5e-3, 0.1),
            ("fact_tt", "fact", {"form": "tt", "rank": 3, "scale": 2.0, "dropout": 0}, 5e-3, 0.0),
            ("fact_tk", "fact", {"form": "tk", "rank": 3, "scale": 0.5, "dropout": 0}, 5e-3, 0.1),
            ("bitfit", "bitfit", {}, 5e-3, 0.0),
            ("layernorm", "layernorm", {}, 5e-3, 0.1),
            ("partial", "partial", {"blocks": 1}, 1e-3, 0.0),
            ("adapter_pfeiffer", "adapter", {"form": "pfeiffer", "r": 3}, 5e-3, 0.0),
            ("adapter_houlsby", "adapter", {"form": "houlsby", "r": 2, "scale": 0.5}, 5e-3, 0.0),
            ("adapter_noah", "adapter", {"form": "noah", "r": 3, "dropout": 0}, 5e-3, 0.1),
            ("adaptformer", "adaptformer",
             {"form": "original", "r": 3, "scale": 0.1, "dropout": 0}, 5e-3, 0.0),
            ("adaptformer_petl", "adaptformer",
             {"form": "petl", "r": 2, "scale": 0.5, "dropout": 0}, 5e-3, 0.0),
            ("adaptformer_sct", "adaptformer",
             {"form": "sct", "r": 3, "scale": 1.0, "dropout": 0}, 5e-3, 0.1),
            ("repadapter", "repadapter",
             {"form": "both", "r": 4, "groups": 2, "scale": 0.5, "dropout": 0}, 5e-3, 0.0),
            ("repadapter_attn", "repadapter",
             {"form": "attn", "r": 3, "groups": 1, "scale": 1.0, "dropout": 0}, 5e-3, 0.1),
            ("convpass", "convpass",
             {"form": "both", "h": 3, "scale": 0.5, "dropout": 0, "drop_path": 0}, 5e-3, 0.0),
            ("convpass_attn", "convpass",
             {"form": "attn", "h": 9, "scale": 1.0, "dropout": 0, "drop_path": 0}, 5e-3, 0.1),
            ("spt_lora", "spt", {"type": "lora", "r": 2, "dropout": 0, "drop_path": 0,
                                 "norms": "trained"}, 5e-3, 0.0),
            ("spt_adapter", "spt", {"type": "adapter", "r": 3, "dropout": 0, "drop_path": 0},
             5e-3, 0.1)):
        idx = spt.remembered(tiny.build(), options) if strategy == "spt" else {}
        if strategy in ("sct", "ict"):
            idx = index_of(chosen, options.get("mode", "attn"), str(options["k"]), BLOCKS,
                           options.get("last", 0))
        cases.append(strategy_file(folder, name, strategy, options, idx, lr, smoothing, u8, w))
    with open(f"{folder}/cases.json", "w") as f:
        json.dump({"steps": STEPS, "sample": SAMPLE, "mix": MIX, "mix_valid": MIX_VALID,
                   "smooth": SMOOTHING, "cases": cases}, f, indent=2)
        f.write("\n")


if __name__ == "__main__":
    main()
