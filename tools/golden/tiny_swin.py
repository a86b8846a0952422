# SPDX-License-Identifier: MIT
"""The tiny Swin of the golden tests, on the images of the tiny ViT: 16 x 16 patches in stage 0,
so that a window of 5 is padded in stages 0 and 1, where every second block is shifted, and
shrinks to the grid in stages 2 and 3.
"""
import numpy as np
import torch
from timm.models.swin_transformer import SwinTransformer

import lora_modules
import modules
import tiny_vit
import tuned
from sct_modules import Modules

IMAGE, PATCH, DIM, CLASSES = tiny_vit.IMAGE, 2, 6, tiny_vit.CLASSES
DEPTHS, HEADS, RATIO = (2, 2, 1, 1), (1, 2, 3, 4), 2.0
# name -> (image, window)
VARIANTS = {
    "base": (IMAGE, 5),
    "even": (IMAGE, 4),    # divides all grids; shifted in stages 0 and 1
    "large": (IMAGE, 12),  # 144 tokens, padded and shifted; the whole grid from stage 1 on
    "odd": (30, 4),        # grids 15, 8, 4, 2, but timm takes windows of 4, 4, 3, 1
}


def blocks():
    return [(s, i) for s, n in enumerate(DEPTHS) for i in range(n)]


def width(s):
    return DIM << s


def build(variant="base", **other):
    image, window = VARIANTS[variant]
    return SwinTransformer(
        img_size=image, patch_size=PATCH, embed_dim=DIM, depths=DEPTHS, num_heads=HEADS,
        window_size=window, mlp_ratio=RATIO, num_classes=CLASSES, drop_path_rate=0.0, **other)


def weights(variant="base"):
    """A tensor for every parameter, none of them trivial; equal in all variants but for the
    tables of relative positions."""
    out = {}
    for name, p in build(variant).state_dict().items():
        # one stream a tensor, so that a variant's tables do not change the others
        seed = [20249] + [ord(c) for c in name]
        x = np.random.Generator(np.random.PCG64(seed)).standard_normal(tuple(p.shape))
        if "norm" in name:
            x = x * 0.2 + (1.0 if name.endswith("weight") else 0.0)
        elif name.endswith("bias"):
            x = x * 0.1
        elif name.endswith("bias_table"):
            x = x * 0.7
        else:
            x = x * (1.5 if "patch" in name else 0.9) / np.sqrt(np.prod(p.shape[1:]))
        out[name] = torch.from_numpy(x.astype(np.float32))
    return out


class Tuned(torch.nn.Module):
    """The base variant with a strategy's modules; `own` maps the project's names to trainables.
    Modules of SCT go where index lists are given."""

    def __init__(self, strategy, options, start, index, dtype):
        super().__init__()
        self.net = build().to(dtype)
        self.net.load_state_dict(weights())
        self.options, self.index, own = options, index, {}
        self.net.requires_grad_(False)
        for name, value in start.items():
            if name in self.net.state_dict():
                p = self.net.get_parameter(name)
                p.data.copy_(value)
                p.requires_grad_(True)
            else:
                p = torch.nn.Parameter(value.to(dtype, copy=True))
            own[name] = p
        fixed = lora_modules.kept(self.net, options) if strategy == "lora" else ()
        self.own = {n: p for n, p in own.items() if n not in fixed}
        for s, i in blocks():
            block, stem = self.net.layers[s].blocks[i], f"layers.{s}.blocks.{i}"
            if strategy in ("sct", "ict") and any(f"{stem}." in n for n in index):
                Modules(stem, self.own, index, options, width(s)).insert(block, block._attn)
            tuned.install(block, lambda b, x: b._attn(b.norm1(x)), self.own, strategy, options,
                          stem)
        if strategy in modules.STRATEGIES:
            modules.STRATEGIES[strategy][1](self.net, own, options)

    def forward(self, x):
        return self.net(x)
