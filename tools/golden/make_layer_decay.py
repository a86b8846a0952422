#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/layer_decay.json: the factor of the learning rate that timm's
param_groups_layer_decay gives every parameter of small models, and which of them decay.

    python3 tools/golden/make_layer_decay.py tests/golden/layer_decay.json     (timm 1.0.22)
"""
import json
import sys

from timm.models.deit import VisionTransformerDistilled
from timm.models.swin_transformer import SwinTransformer
from timm.models.vision_transformer import VisionTransformer
from timm.optim import param_groups_layer_decay

DECAY = 0.75
VIT = dict(img_size=32, patch_size=8, embed_dim=48, depth=3, num_heads=3, num_classes=10)
# name -> (timm's model, keys of the model's YAML)
MODELS = {
    "vit": (lambda: VisionTransformer(**VIT), {}),
    "clip": (lambda: VisionTransformer(**VIT, pre_norm=True), {"pre_norm": True, "no_patch_bias": True}),
    "registers": (lambda: VisionTransformer(**VIT, reg_tokens=2, no_embed_class=True,
                                            init_values=1e-5),
                  {"reg_tokens": 2, "no_embed_class": True, "layer_scale": True}),
    "gap": (lambda: VisionTransformer(**VIT, class_token=False, global_pool="avg", fc_norm=True),
            {"class_token": False, "pool": "avg", "fc_norm": True}),
    "distilled": (lambda: VisionTransformerDistilled(**VIT), {"distilled": True}),
    "swin": (lambda: SwinTransformer(img_size=32, patch_size=2, embed_dim=12, depths=(1, 2, 3, 1),
                                     num_heads=(1, 2, 3, 4), window_size=4, num_classes=10), {}),
}


def factors(model):
    """name -> [factor, 1 if it decays]"""
    names = {id(p): n for n, p in model.named_parameters()}
    groups = param_groups_layer_decay(model, weight_decay=1.0, layer_decay=DECAY,
                                      no_weight_decay_list=model.no_weight_decay())
    return {names[id(p)]: [g["lr_scale"], int(g["weight_decay"])]
            for g in groups for p in g["params"]}


def main(path):
    out = {"decay": DECAY, "models": {}}
    for name, (make, keys) in MODELS.items():
        out["models"][name] = {"keys": keys, "factors": factors(make())}
    with open(path, "w") as f:
        f.write("{\n \"decay\": %s,\n \"models\": {\n" % json.dumps(out["decay"]))
        rows = ["  %s: {\n   \"keys\": %s,\n   \"factors\": {\n%s}}" % (
            json.dumps(n), json.dumps(m["keys"]),
            ",\n".join("    %s: %s" % (json.dumps(k), json.dumps(v))
                       for k, v in sorted(m["factors"].items())))
                for n, m in out["models"].items()]
        f.write(",\n".join(rows) + "\n }\n}\n")


if __name__ == "__main__":
    main(sys.argv[1])
