# SPDX-License-Identifier: MIT
"""The tiny ViT of the golden tests: its weights, its images, the strategies in PyTorch.

Everything is drawn by numpy's PCG64 and computed by one thread without vendor kernels, so the
files come out the same on every x86-64 machine. Values are computed in float64 and stored as
float32 unless a test needs more.
"""
import os

os.environ["ATEN_CPU_CAPABILITY"] = "default"
os.environ["MKL_CBWR"] = "COMPATIBLE"

import numpy as np
import timm
import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer

import lora_modules
import modules
import tuned
from sct_modules import Modules

torch.manual_seed(0)
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
torch.backends.mkldnn.enabled = False
timm.layers.set_fused_attn(False)

IMAGE, PATCH, DIM, DEPTH, HEADS, CLASSES = 32, 8, 24, 3, 3, 5
BATCH, ALL = 6, 14
# whose images are whose, for the selection: unbalanced, and nobody has class 3
OWNERS = [0] * 9 + [1, 1, 2, 4, 4]
CLS_CHANNEL, CLS_VALUE = 7, 60.0


def build(pool="token", fc_norm=None, class_token=True):
    return VisionTransformer(
        img_size=IMAGE, patch_size=PATCH, embed_dim=DIM, depth=DEPTH, num_heads=HEADS,
        num_classes=CLASSES, global_pool=pool, fc_norm=fc_norm, class_token=class_token)


def weights():
    """A tensor for every parameter, none of them trivial: name -> float32."""
    rng = np.random.Generator(np.random.PCG64(20248))
    out = {}
    for name, p in build().state_dict().items():
        x = rng.standard_normal(tuple(p.shape))
        if "norm" in name:
            x = x * 0.2 + (1.0 if name.endswith("weight") else 0.0)
        elif name.endswith("bias"):
            x = x * 0.1
        elif name in ("cls_token", "pos_embed"):
            x = x * 0.3
        else:
            x = x * (1.5 if "patch" in name else 0.7) / np.sqrt(np.prod(p.shape[1:]))
        out[name] = torch.from_numpy(x.astype(np.float32))
    return out


def images():
    """u8 [ALL][H][W][3]: waves whose colour, direction and frequency belong to the owner."""
    rng = np.random.Generator(np.random.PCG64(7))
    y, x = np.mgrid[0:IMAGE, 0:IMAGE] / IMAGE
    out = np.zeros((ALL, IMAGE, IMAGE, 3), np.uint8)
    for i, c in enumerate(OWNERS):
        wave = np.sin(2 * np.pi * ((c + 1) * x * (c % 2 + 1) + (5 - c) * y + rng.random()))
        colour = np.array([c == 0 or c == 4, c == 1 or c == 2, c > 1], float) * 2 - 1
        level = 127.5 + 70 * wave[..., None] * colour + 25 * colour
        level += 30 * rng.standard_normal(level.shape)
        out[i] = np.clip(np.rint(level), 0, 255)
    return torch.from_numpy(out)


def pixels(u8, dtype):
    """What ToTensor and Normalize(0.5, 0.5) give: each step rounded to float32."""
    x = u8.permute(0, 3, 1, 2).to(torch.float32) / 255
    return ((x - 0.5) / 0.5).to(dtype)


class Tuned(torch.nn.Module):
    """The tiny ViT with a strategy's modules; `own` maps the project's names to trainables."""

    def __init__(self, strategy, options, start, index, dtype):
        super().__init__()
        self.vit = build().to(dtype)
        self.vit.load_state_dict(weights())
        self.strategy, self.options, self.index = strategy, options, index
        self.vit.requires_grad_(False)
        own = {}
        fixed = lora_modules.kept(self.vit, options) if strategy == "lora" else ()
        for name, value in start.items():
            if name in self.vit.state_dict():
                p = self.vit.get_parameter(name)
                p.data.copy_(value)
                p.requires_grad_(True)
            else:
                p = torch.nn.Parameter(value.to(dtype, copy=True))
            own[name] = p
        self.own = {n: p for n, p in own.items() if n not in fixed}
        for i, block in enumerate(self.vit.blocks):
            if strategy in ("sct", "ict") and any(f".{i}." in n for n in index):
                Modules(f"blocks.{i}", own, index, options, DIM).insert(block, block.attn)
            tuned.install(block, lambda b, x: b.attn(b.norm1(x)), own, strategy, options,
                          f"blocks.{i}")
        if strategy in modules.STRATEGIES:
            modules.STRATEGIES[strategy][1](self.vit, own, options)

    def forward(self, x):
        return self.vit(x)


def save(path, tensors):
    """One metadata key: the library writes several in random order."""
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, path, {"format": "pt"})
    os.chmod(path, 0o644)


def f32(x):
    return x.detach().to(torch.float32)
