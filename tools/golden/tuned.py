# SPDX-License-Identifier: MIT
"""Strategies of the golden tests that look the same in ViT and Swin: which tensors of the base are
trained, and bottlenecks (adapters, AdaptFormer). Written from the papers' formulas and from what the
public implementations do; `own` maps the project's names to trainables.
"""
import numpy as np
import torch
import torch.nn.functional as F

# strategies whose trainables are the base's own
BASE = ("full", "bitfit", "layernorm", "partial")
# form -> branches that get one, activation
ADAPTERS = {"pfeiffer": (("mlp",), F.gelu),
            "houlsby": (("attn", "mlp"), F.gelu),
            "noah": (("mlp",), lambda x: x * torch.sigmoid(1.702 * x))}


def trained(strategy, options, names, blocks):
    """The names that a strategy of BASE trains, the head apart; blocks: their stems in order."""
    last = blocks[-int(options["blocks"]):] if strategy == "partial" else []
    rule = {"full": lambda n: True,
            "bitfit": lambda n: "bias" in n,
            "layernorm": lambda n: "norm" in n.rpartition(".")[0].rpartition(".")[2],
            "partial": lambda n: n.startswith("norm.") or any(n.startswith(b + ".") for b in last)}
    return [n for n in names if not n.startswith("head.") and rule[strategy](n)]


def draw(rng, shape, std, mean=0.0):
    return torch.from_numpy((mean + std * rng.standard_normal(shape)).astype(np.float32))


def bottleneck_start(rng, strategy, options, stem, dim):
    """Start values of one block; nothing is zero."""
    out, r = {}, int(options["r"])
    branches = ADAPTERS[options["form"]][0] if strategy == "adapter" else ("mlp",)
    for branch in branches:
        name = f"{strategy}.{stem}.{branch}"
        if options["form"] == "sct":
            out[f"{name}.norm.weight"] = draw(rng, (dim,), 0.2, 1.0)
            out[f"{name}.norm.bias"] = draw(rng, (dim,), 0.1)
        for half, shape in (("down", (r, dim)), ("up", (dim, r))):
            out[f"{name}.{half}.weight"] = draw(rng, shape, 0.3)
            if options["form"] != "petl":
                out[f"{name}.{half}.bias"] = draw(rng, shape[:1], 0.1)
    return out


def bottleneck(own, name, act, x):
    d, u = (F.linear(x, own[f"{name}.down.weight"], own.get(f"{name}.down.bias")),
            lambda y: F.linear(y, own[f"{name}.up.weight"], own.get(f"{name}.up.bias")))
    return u(act(d))


def after(module, own, name, act, scale):
    """The module's output m becomes m + scale U(act(D(m)))."""
    plain = module.forward

    def forward(*args, **kw):
        m = plain(*args, **kw)
        return m + scale * bottleneck(own, name, act, m)

    module.forward = forward


def beside(block, attend, own, name, scale):
    """h + MLP(norm2(h)) + scale U(ReLU(D(h))), h = x + attend(block, x)."""

    def forward(x, **_):
        h = x + attend(block, x)
        z = h
        if f"{name}.norm.weight" in own:
            z = F.layer_norm(h, h.shape[-1:], own[f"{name}.norm.weight"], own[f"{name}.norm.bias"])
        return h + block.mlp(block.norm2(h)) + scale * bottleneck(own, name, F.relu, z)

    block.forward = forward


def install(block, attend, own, strategy, options, stem):
    """The modules of one block, if the strategy has any."""
    if strategy == "adapter":
        branches, act = ADAPTERS[options["form"]]
        for branch in branches:
            after(getattr(block, branch), own, f"adapter.{stem}.{branch}", act,
                  options.get("scale", 1.0))
    if strategy == "adaptformer":
        beside(block, attend, own, f"adaptformer.{stem}.mlp", options["scale"])
