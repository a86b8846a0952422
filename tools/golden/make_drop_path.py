#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/drop_path.json: the rate of stochastic depth of every block of timm's models.

    python3 tools/golden/make_drop_path.py tests/golden/drop_path.json     (timm 1.0.22)
"""
import json
import sys

from timm.models.swin_transformer import SwinTransformer
from timm.models.vision_transformer import VisionTransformer

VIT = dict(img_size=32, patch_size=16, embed_dim=8, num_heads=2, num_classes=2)
SWIN = dict(img_size=64, patch_size=2, embed_dim=4, num_heads=(1, 1, 1, 1), window_size=4, num_classes=2)
# rates and depths: of Swin-T, S and B as published; one that is linear to no round numbers
VITS = [(0.1, 12), (0.3, 5), (0.2, 1)]
SWINS = [(0.2, (2, 2, 6, 2)), (0.3, (2, 2, 18, 2)), (0.5, (2, 2, 18, 2)), (0.1, (1, 3, 1, 2))]


def rate(drop):
    return getattr(drop, "drop_prob", 0.0) or 0.0  # an Identity has none


def rates(blocks):
    return [[rate(b.drop_path1), rate(b.drop_path2)] for b in blocks]


def main(path):
    cases = []
    for drop, depth in VITS:
        net = VisionTransformer(**VIT, depth=depth, drop_path_rate=drop)
        cases.append({"rate": drop, "depths": [depth], "blocks": rates(net.blocks)})
    for drop, depths in SWINS:
        net = SwinTransformer(**SWIN, depths=depths, drop_path_rate=drop)
        cases.append({"rate": drop, "depths": depths,
                      "blocks": rates(b for layer in net.layers for b in layer.blocks)})
    with open(path, "w") as f:
        f.write("{\"cases\": [\n" + ",\n".join(" " + json.dumps(c) for c in cases) + "\n]}\n")


if __name__ == "__main__":
    main(sys.argv[1])
