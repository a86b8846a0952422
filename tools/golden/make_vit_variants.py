#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/vit_variants: what timm computes, in float64, for a small model of every
variant of its VisionTransformer that sctrun builds. One safetensors file a variant:

    weights in timm's names       f32
    golden.images                 u8 [6][32][32][3]
    golden.logits                 [6][7], the file's own head
    golden.losses                 of five steps of SGD (lr 0.05, momentum 0.9) on everything, from
                                  heads of 3 classes that start at zero; image i has label i mod 3
    metadata "config"             the model as sctrun's YAML

    python3 tools/golden/make_vit_variants.py tests/golden/vit_variants   (torch 2.13, timm 1.0.22)
"""
import os
import sys
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from timm.layers import LayerNorm
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer

SIZE = dict(img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=2, mlp_ratio=2.)
YAML = dict(arch='vit', image_size=32, patch_size=8, dim=24, depth=2, heads=2, mlp_ratio=2,
            classes=7, crop_pct=1)
IMAGES, CLASSES, STEPS, LR, MOMENTUM = 6, 3, 5, 0.05, 0.9
VARIANTS = {
    'registers': (VisionTransformer, dict(reg_tokens=4, no_embed_class=True, init_values=1e-5),
                  dict(reg_tokens=4, no_embed_class='true', layer_scale='true')),
    'registers_embedded': (VisionTransformer, dict(reg_tokens=2), dict(reg_tokens=2)),
    'clip': (VisionTransformer, dict(pre_norm=True, norm_layer=partial(LayerNorm, eps=1e-5)),
             dict(pre_norm='true', no_patch_bias='true', eps='1e-5')),
    'layer_scale': (VisionTransformer, dict(init_values=1e-5, no_embed_class=True),
                    dict(layer_scale='true', no_embed_class='true')),
    'qk_norm': (VisionTransformer, dict(qk_norm=True, qkv_bias=False),
                dict(qk_norm='true', no_qkv_bias='true')),
    'distilled': (VisionTransformerDistilled, dict(), dict(distilled='true')),
    'registers_avg': (VisionTransformer,
                      dict(reg_tokens=1, class_token=False, global_pool='avg'),
                      dict(reg_tokens=1, class_token='false', pool='avg', fc_norm='true')),
    'clip_quick': (VisionTransformer, dict(pre_norm=True, act_layer='quick_gelu',
                                           norm_layer=partial(LayerNorm, eps=1e-5)),
                   dict(pre_norm='true', no_patch_bias='true', gelu='quick', eps='1e-5')),
}


def build(cls, options, classes):
    return cls(**SIZE, **options, num_classes=classes)


def draw(model, rng):
    """Weights that leave no part of the model at its start: f32 values."""
    state = {}
    for name, p in model.named_parameters():
        scale = 'norm' in name and name.endswith('weight') or 'gamma' in name
        x = rng.standard_normal(tuple(p.shape)) * 0.2 + (1.0 if scale else 0.0)
        state[name] = torch.from_numpy(x.astype(np.float32))
    return state


def pixels(u8):
    return (u8.permute(0, 3, 1, 2).double() / 255 - 0.5) / 0.5


def losses(cls, options, state, x, labels):
    model = build(cls, options, CLASSES).double()
    heads = {k: torch.zeros_like(v) for k, v in model.state_dict().items()
             if k.startswith('head')}
    model.load_state_dict({**{k: v for k, v in state.items() if not k.startswith('head')}, **heads})
    model.train()
    opt = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)
    out = []
    for _ in range(STEPS):
        opt.zero_grad()
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        out.append(loss.item())
        opt.step()
    return torch.tensor(out, dtype=torch.float64)


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    rng = np.random.Generator(np.random.PCG64(7))
    u8 = torch.from_numpy(rng.integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8))
    labels = torch.arange(IMAGES) % CLASSES
    for name, (cls, options, keys) in VARIANTS.items():
        model = build(cls, options, YAML['classes'])
        state = draw(model, rng)
        model.load_state_dict(state)
        with torch.no_grad():
            logits = model.double().eval()(pixels(u8))
        out = losses(cls, options, state, pixels(u8), labels)
        config = ''.join('%s: %s\n' % kv for kv in {**YAML, **keys}.items())
        save_file({**state, 'golden.images': u8, 'golden.logits': logits, 'golden.losses': out},
                  os.path.join(folder, name + '.safetensors'), metadata={'config': config})
        print('%s: %d parameters, losses %.4f -> %.4f' % (
            name, sum(v.numel() for v in state.values()), out[0], out[-1]))


if __name__ == '__main__':
    main()
