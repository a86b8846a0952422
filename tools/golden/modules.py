# SPDX-License-Identifier: MIT
"""Strategies in PyTorch, written from their definitions, for the tiny ViT and the tiny Swin.

A strategy is a pair of functions: start(net, options, rng) draws its tensors, name -> float32;
attach(net, own, options) makes the timm model use them. Nothing starts at zero, so that every
gradient is alive.
"""
import numpy as np
import torch


def draw(rng, shape, std, mean=0.0):
    return torch.from_numpy((mean + std * rng.standard_normal(shape)).astype(np.float32))


# ---- SSF: y = scale * x + shift behind every operation ----

SSF_ENDS = ("patch_embed.proj", "patch_embed.norm", "norm1", "attn.qkv", "attn.proj", "norm2",
            "mlp.fc1", "mlp.fc2", "downsample.norm", "norm")


def ssf_modules(net):
    """(name, module, channels) of every place; identities are no operations."""
    for name, module in net.named_modules():
        parts = name.split(".")
        if isinstance(module, torch.nn.Identity) or not any(
                parts[-len(e.split(".")):] == e.split(".") for e in SSF_ENDS):
            continue
        yield name, module, (module.normalized_shape[0] if hasattr(module, "normalized_shape")
                             else module.weight.shape[0])


def ssf_start(net, options, rng):
    out = {}
    for name, _, n in ssf_modules(net):
        out[f"{name}.ssf_scale"] = draw(rng, (n,), 0.2, 1.0)
        out[f"{name}.ssf_shift"] = draw(rng, (n,), 0.1)
    return out


def ssf_attach(net, own, options):
    def hook(scale, shift):
        def forward(module, args, y):
            if isinstance(module, torch.nn.Conv2d):  # channels come second
                return y * scale[:, None, None] + shift[:, None, None]
            return y * scale + shift
        return forward

    for name, module, _ in ssf_modules(net):
        module.register_forward_hook(hook(own[f"{name}.ssf_scale"], own[f"{name}.ssf_shift"]))


# ---- VPT: prompts behind the class token; the head reads the class token ----


def vpt_start(net, options, rng):
    blocks = len(net.blocks) if options["mode"] == "deep" else 1
    return {f"vpt.blocks.{i}.prompts": draw(rng, (options["n"], net.embed_dim), 0.5)
            for i in range(blocks)}


def vpt_attach(net, own, options):
    n = options["n"]

    def hook(prompts, present):
        def forward(module, args):
            x = args[0]
            return (torch.cat([x[:, :1], prompts.expand(len(x), -1, -1), x[:, 1 + present:]], 1),)
        return forward

    for i, block in enumerate(net.blocks):
        if f"vpt.blocks.{i}.prompts" in own:
            block.register_forward_pre_hook(hook(own[f"vpt.blocks.{i}.prompts"], n if i else 0))


STRATEGIES = {"ssf": (ssf_start, ssf_attach), "vpt": (vpt_start, vpt_attach)}
