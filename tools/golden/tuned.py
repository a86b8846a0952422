# SPDX-License-Identifier: MIT
"""Strategies of the golden tests that look the same in ViT and Swin: which tensors of the base are
trained.
"""
import numpy as np
import torch

# strategies whose trainables are the base's own
BASE = ("full", "bitfit", "layernorm", "partial")


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
