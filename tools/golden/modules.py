# SPDX-License-Identifier: MIT
"""Strategies in PyTorch, written from their definitions, for the tiny ViT and the tiny Swin.

A strategy is a pair of functions: start(net, options, rng) draws its tensors, name -> float32;
attach(net, own, options) makes the timm model use them. Nothing starts at zero, so that every
gradient is alive.
"""
import numpy as np
import torch

import lora_modules


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


# ---- FacT: W += scale * V S U, here with the dense update ----

FACT_ATTENTION = ("q", "k", "v", "proj")


def fact_start(net, options, rng):
    r, dim, parts = options["rank"], net.embed_dim, 4
    out = {"fact.u.weight": draw(rng, (r, dim), 0.2), "fact.v.weight": draw(rng, (dim, r), 0.3)}
    if options["form"] == "tk":
        cores = len(net.blocks) * (len(FACT_ATTENTION) + 2 * parts)
        return out | {"fact.core": draw(rng, (r, r, r), 0.6), "fact.p": draw(rng, (cores, r), 0.6)}
    for i in range(len(net.blocks)):
        for name, rows, columns in [(n, 1, 1) for n in FACT_ATTENTION] + [
                ("fc1", parts, 1), ("fc2", 1, parts)]:
            out[f"fact.blocks.{i}.{name}.weight"] = draw(rng, (rows * r, columns * r), 0.6)
    return out


def fact_cores(own, options, i):
    """The twelve [r][r] cores of block i: q, k, v, proj, four of fc1, four of fc2."""
    if options["form"] == "tk":
        return torch.einsum("vuc,kc->kvu", own["fact.core"], own["fact.p"][12 * i:12 * i + 12])
    s = {n: own[f"fact.blocks.{i}.{n}.weight"] for n in FACT_ATTENTION + ("fc1", "fc2")}
    return [s[n] for n in FACT_ATTENTION] + list(s["fc1"].chunk(4, 0)) + list(s["fc2"].chunk(4, 1))


def fact_attach(net, own, options):
    def hook(i, cores, axis):
        def forward(layer, args, y):
            u, v, every = own["fact.u.weight"], own["fact.v.weight"], fact_cores(own, options, i)
            update = torch.cat([v @ every[k] @ u for k in cores], axis)
            return y + options["scale"] * torch.nn.functional.linear(args[0], update)
        return forward

    for i, block in enumerate(net.blocks):
        for layer, cores, axis in ((block.attn.qkv, (0, 1, 2), 0), (block.attn.proj, (3,), 0),
                                   (block.mlp.fc1, range(4, 8), 0),
                                   (block.mlp.fc2, range(8, 12), 1)):
            layer.register_forward_hook(hook(i, cores, axis))


STRATEGIES = {"ssf": (ssf_start, ssf_attach), "vpt": (vpt_start, vpt_attach),
              "fact": (fact_start, fact_attach),
              "lora": (lora_modules.start, lora_modules.attach)}
