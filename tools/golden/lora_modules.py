# SPDX-License-Identifier: MIT
"""LoRA and DoRA of the golden tests, written from their formulas with dense updates:

    LoRA (arXiv 2106.09685)        W' = W + s B A          s = alpha / r, with rslora alpha / sqrt(r)
    DoRA (arXiv 2402.09353)        W' = m (W + s B A) / |W + s B A| row by row, the norm a constant

start(net, options, rng) draws name -> float32, attach(net, own, options) makes the timm model use
them. Targets: q, k and v of a fused qkv are its thirds; with DoRA a third that is none has a
magnitude too, which is not trained.
"""
import fnmatch
import math

import numpy as np
import torch
import torch.nn.functional as F

KINDS = {"qkv": "attn.qkv", "proj": "attn.proj", "fc1": "mlp.fc1", "fc2": "mlp.fc2"}


def draw(rng, shape, std, mean=0.0):
    return torch.from_numpy((mean + std * rng.standard_normal(shape)).astype(np.float32))


def fits(pattern, name):
    """An end of the name; "blocks[0:2]" are blocks.0 and blocks.1."""
    words = []
    for word in pattern.split("."):
        head, _, index = word.partition("[")
        words += [head] + ([index[:-1]] if index else [])
    have = name.split(".")[-len(words):]
    if len(have) != len(words):
        return False
    for want, word in zip(words, have):
        lo, colon, hi = want.partition(":")
        if colon and not int(lo) <= int(word) < int(hi) or \
                not colon and not fnmatch.fnmatchcase(word, want):
            return False
    return True


def value(options, key, name):
    for entry in filter(None, options.get(f"{key}_pattern", "").split(",")):
        pattern, _, number = entry.partition("=")
        if fits(pattern, name):
            return float(number)
    return float(options["r" if key == "rank" else "alpha"])


def parts(net, options):
    """(layer's name, layer, suffix of own names, first row, rows, is it a target)."""
    targets = options["targets"].split(",")
    thirds = [t for t in "qkv" if t in targets]
    for name, layer in net.named_modules():
        kind = next((k for k, end in KINDS.items() if name.endswith("." + end)), None)
        if kind is None:
            continue
        rows = layer.weight.shape[0]
        if kind in targets:
            yield name, layer, "", 0, rows, True
        elif kind == "qkv" and thirds:
            for i, t in enumerate("qkv"):
                if t in thirds or options.get("dora"):
                    yield name, layer, "." + t, i * rows // 3, rows // 3, t in thirds


def start(net, options, rng):
    out = {}
    for name, layer, part, first, rows, target in parts(net, options):
        r = int(value(options, "rank", name))
        if target:
            out[f"{name}{part}.lora_A.weight"] = draw(rng, (r, layer.weight.shape[1]), 0.2)
            out[f"{name}{part}.lora_B.weight"] = draw(rng, (rows, r), 0.3)
        if options.get("dora"):
            norm = layer.weight[first:first + rows].detach().double().norm(dim=1)
            out[f"{name}{part}.lora_magnitude_vector"] = \
                (norm * draw(rng, (rows,), 0.1, 1.0)).float()
    return out


def kept(net, options):
    """Names of what is stored and not trained."""
    return {f"{name}{part}.lora_magnitude_vector" for name, _, part, _, _, target
            in parts(net, options) if not target}


def attach(net, own, options):
    layers = {}
    for name, layer, part, first, rows, target in parts(net, options):
        layers.setdefault(name, (layer, []))[1].append((part, first, rows, target))

    def hook(name, layer, updates):
        r, alpha = value(options, "rank", name), value(options, "alpha", name)
        s = alpha / (math.sqrt(r) if options.get("rslora") else r)

        def forward(x):
            weight = list(layer.weight.split([1] * layer.weight.shape[0]))
            for part, first, rows, target in updates:
                w = layer.weight[first:first + rows]
                if target:
                    w = w + s * own[f"{name}{part}.lora_B.weight"] @ own[f"{name}{part}.lora_A.weight"]
                if options.get("dora"):
                    w = (own[f"{name}{part}.lora_magnitude_vector"] /
                         w.detach().norm(dim=1))[:, None] * w
                weight[first:first + rows] = w.split([1] * rows)
            return F.linear(x, torch.cat(weight), layer.bias)

        layer.forward = forward

    for name, (layer, updates) in layers.items():
        hook(name, layer, updates)
