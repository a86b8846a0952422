#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes what PyTorch says of SPT's sensitivities and how it writes a plan, for the tiny ViT.

    vit/sensitivity.safetensors   sums of squared gradients of the mean loss over batches of 4
                                  (all 14 images, and the first 8), and over single images
    spt/param_req_toy.pth         a plan in the layout of github.com/ziplab/SPT's engine.py

    python3 tools/golden/make_sensitivity.py tests/golden     (torch 2.13, timm 1.0.22)
"""
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

import tiny_vit as tiny

BATCH, SAMPLE = 4, 64


def sensitivity(model, x, labels, batch):
    """engine.py:153-155: S[p] += (dL/dp)^2 for every batch, L the mean over the batch."""
    total = {k: torch.zeros_like(p) for k, p in model.named_parameters()}
    for first in range(0, len(x), batch):
        model.zero_grad()
        F.cross_entropy(model(x[first:first + batch]), labels[first:first + batch]).backward()
        for k, p in model.named_parameters():
            total[k] += p.grad.detach() ** 2
    return total


def sample(x):
    """At most SAMPLE elements, evenly spaced."""
    return x.flatten()[::-(-x.numel() // SAMPLE)]


def sensitivities(folder):
    model = tiny.build()
    model.load_state_dict(tiny.weights())
    model = model.double().eval()
    x, labels = tiny.pixels(tiny.images(), torch.float64), torch.tensor(tiny.OWNERS)
    out = {}
    for name, n, batch in (("all", tiny.ALL, BATCH), ("two", 2 * BATCH, BATCH),
                           ("single", tiny.ALL, 1)):
        for k, v in sensitivity(model, x[:n], labels[:n], batch).items():
            out[f"{name}/{k}"] = tiny.f32(sample(v))
    tiny.save(f"{folder}/vit/sensitivity.safetensors", out)


def candidates():
    """name -> shape, as in the model with separate q, k, v."""
    for i in range(tiny.DEPTH):
        d = tiny.DIM
        for name, shape in (("norm1.weight", (d,)), ("norm1.bias", (d,)),
                            *((f"attn.{p}.{w}", (d, d)[:n]) for p in ("q", "k", "v", "proj")
                              for w, n in (("weight", 2), ("bias", 1))),
                            ("norm2.weight", (d,)), ("norm2.bias", (d,)),
                            ("mlp.fc1.weight", (4 * d, d)), ("mlp.fc1.bias", (4 * d,)),
                            ("mlp.fc2.weight", (d, 4 * d)), ("mlp.fc2.bias", (d,))):
            yield f"blocks.{i}.{name}", shape
    yield "norm.weight", (d,)
    yield "norm.bias", (d,)


def plan(folder):
    """Rank 2: a module costs 2 (in + out). The tensors say that they lay on a GPU."""
    rng = np.random.Generator(np.random.PCG64(5))
    matrices = [[0, 0, 1, 0, 0, 0], [0, 0, 1, 1, 0, 1], [0, 0, 0, 0, 1, 0]]
    ops = ["attn.q", "attn.k", "attn.v", "attn.proj", "mlp.fc1", "mlp.fc2"]
    tuned = {f"blocks.{b}.{ops[c]}.weight" for b in range(3) for c in range(6) if matrices[b][c]}
    vectors = ["blocks.0.norm1.weight", "blocks.1.attn.v.bias", "blocks.2.mlp.fc1.bias",
               "norm.bias"]
    shapes = {n: s for n, s in candidates() if n not in tuned and n not in vectors}
    counts = {n: np.prod(s) for n, s in shapes.items()}
    index = np.sort(rng.choice(sum(counts.values()), 300, replace=False))
    width = {n: sum(s) for n, s in candidates() if n in tuned}
    structured = 2 * sum(width.values()) + sum(np.prod(dict(candidates())[v]) for v in vectors)
    out = {"params": torch.tensor((structured + 300 + tiny.DIM) / 1e6),
           "structured_params": int(structured), "unstructured_params": torch.tensor(300.0),
           "tuned_matrices": matrices, "tuned_vectors": vectors,
           "unstructured_name_shapes": {n: torch.Size(s) for n, s in shapes.items()},
           "unstructured_name_shapes_int": counts,
           "unstructured_indexes": torch.from_numpy(index)}
    torch.serialization.location_tag = lambda storage: "cuda:0"
    os.makedirs(f"{folder}/spt", exist_ok=True)
    torch.save(out, f"{folder}/spt/param_req_toy.pth")


if __name__ == "__main__":
    sensitivities(sys.argv[1])
    plan(sys.argv[1])
