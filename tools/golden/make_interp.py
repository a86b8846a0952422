#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/interp.safetensors: position embeddings and bias tables, and what the
libraries that --interp names make of them.

Tensors: "<kind>/in/<from>-<to>" and "<kind>/<how>/<from>-<to>", kind positions or table, sides of
the grid. Positions have one row in front that is kept, or as many as a "+<rows>" at the end of the name
says. Every value comes from the library's own function, but for Microsoft's, whose code is one call of
torch's bicubic interpolation. transformers has classes for one row and for two, and none for others.

    pip install --no-deps --target OLD timm==0.6.5
    python3 tools/golden/make_interp.py tests/golden/interp.safetensors OLD
    (timm 1.0.22, transformers 4.57.6)
"""
import os
import subprocess
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

CHANNELS, HEADS = 2, 2
GRIDS = [(7, 12), (12, 7), (14, 24), (5, 6), (4, 1), (1, 3)]
PREFIXES, PREFIX_GRIDS = [0, 2, 5], [(4, 7), (6, 3), (2, 3)]
WINDOWS = [(7, 12), (12, 7), (4, 8), (7, 8), (8, 7), (2, 3)]


def rows(seed, n, channels):
    x = np.random.Generator(np.random.PCG64(seed)).standard_normal((n, channels))
    return torch.from_numpy(x.astype(np.float32))


def timm_old(x, to, prefix):
    """In a process of its own: this package is called timm as well."""
    from types import SimpleNamespace
    from timm.models.vision_transformer import resize_pos_embed
    new = SimpleNamespace(shape=(1, prefix + to * to, x.shape[1]))
    return resize_pos_embed(x[None], torch.zeros(new.shape), prefix, (to, to))[0]


def transformers(x, to, prefix):
    from transformers import DeiTConfig, ViTConfig
    from transformers.models.deit.modeling_deit import DeiTEmbeddings
    from transformers.models.vit.modeling_vit import ViTEmbeddings
    config, embeddings = {1: (ViTConfig, ViTEmbeddings), 2: (DeiTConfig, DeiTEmbeddings)}[prefix]
    grid = int((x.shape[0] - prefix) ** 0.5)
    e = embeddings(config(hidden_size=x.shape[1], image_size=grid * 2, patch_size=2,
                          num_attention_heads=1))
    e.position_embeddings.data = x[None]
    return e.interpolate_pos_encoding(torch.zeros(1, prefix + to * to, x.shape[1]), 2 * to, 2 * to)[0]


def positions(how, x, to, prefix):
    if how == "timm-0.6":
        return timm_old(x, to, prefix)
    if how in ("timm", "timm-flax"):
        from timm.layers import resample_abs_pos_embed
        flax = {"interpolation": "bilinear", "antialias": False} if how == "timm-flax" else {}
        return resample_abs_pos_embed(x[None], [to, to], num_prefix_tokens=prefix, **flax)[0]
    if how == "hf":
        return transformers(x, to, prefix)
    assert how == "ms"
    return torch.cat([x[:prefix], bicubic(x[prefix:], to)])


def bicubic(x, to):
    """Swin-Transformer/utils.py, load_pretrained."""
    side = int(len(x) ** 0.5)
    y = F.interpolate(x.permute(1, 0).view(1, x.shape[1], side, side), size=(to, to), mode="bicubic")
    return y.view(x.shape[1], to * to).permute(1, 0)


def table(how, x, window):
    if how == "ms":
        return bicubic(x, 2 * window - 1)
    from timm.layers import resize_rel_pos_bias_table
    return resize_rel_pos_bias_table(x, (window, window), ((2 * window - 1) ** 2, x.shape[1]))


def make(hows, tables):
    out = {}
    for how in hows:
        for a, b in GRIDS:
            x = rows(100 * a + b, 1 + a * a, CHANNELS)
            out["positions/in/%d-%d" % (a, b)] = x
            with torch.no_grad():
                out["positions/%s/%d-%d" % (how, a, b)] = positions(how, x, b, 1).contiguous().clone()
        for prefix in (2,) if how == "hf" else PREFIXES:
            for a, b in PREFIX_GRIDS:
                x = rows(100 * a + b + prefix, prefix + a * a, CHANNELS)
                name = "%d-%d+%d" % (a, b, prefix)
                out["positions/in/" + name] = x
                with torch.no_grad():
                    out["positions/%s/%s" % (how, name)] = \
                        positions(how, x, b, prefix).contiguous().clone()
    for how in tables:
        for a, b in WINDOWS:
            x = rows(100 * a + b, (2 * a - 1) ** 2, HEADS)
            sides = "%d-%d" % (2 * a - 1, 2 * b - 1)
            out["table/in/" + sides] = x
            out["table/%s/%s" % (how, sides)] = table(how, x, b).contiguous().clone()
    return out


def main(path, old):
    if old == "child":
        save_file(make(["timm-0.6"], []), path)
        return
    part = path + ".part"
    subprocess.run([sys.executable, __file__, part, "child"], check=True,
                   env=dict(os.environ, PYTHONPATH=old))
    out = load_file(part)
    os.remove(part)
    out.update(make(["timm", "timm-flax", "hf", "ms"], ["timm", "ms"]))
    save_file(out, path)


main(*sys.argv[1:])
