# SPDX-License-Identifier: MIT
"""Strategies in PyTorch, written from their definitions, for the tiny ViT and the tiny Swin.

A strategy is a pair of functions: start(net, options, rng) draws its tensors, name -> float32;
attach(net, own, options) makes the timm model use them. Nothing starts at zero, so that every
gradient is alive.
"""
import numpy as np
import torch

import lora_modules
import spt_modules as spt


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


# ---- what reads the output of a block's norms ----


def places(net, options):
    """(stem, block, branch, channels) of every branch that has a module."""
    branches = ("attn",) if options["form"] == "attn" else ("attn", "mlp")
    for name, module in net.named_modules():
        if hasattr(module, "norm1") and hasattr(module, "mlp"):
            yield from ((name, module, b, module.norm1.normalized_shape[0]) for b in branches)


def norm_of(block, branch):
    return block.norm1 if branch == "attn" else block.norm2


# ---- RepAdapter: x + scale B(A(x)) behind the norm, B in groups (a convolution of width 1) ----


def repadapter_start(net, options, rng):
    out, r, g = {}, options["r"], options["groups"]
    for stem, _, branch, dim in places(net, options):
        name = f"repadapter.{stem}.{branch}"
        up = (dim, r) if g == 1 else (g, dim // g, r // g)
        out |= {f"{name}.down.weight": draw(rng, (r, dim), 0.2),
                f"{name}.down.bias": draw(rng, (r,), 0.1),
                f"{name}.up.weight": draw(rng, up, 0.3),
                f"{name}.up.bias": draw(rng, (dim,), 0.1)}
    return out


def repadapter_attach(net, own, options):
    def hook(name):
        def forward(module, args, x):
            p = {k: own[f"{name}.{k}"] for k in ("down.weight", "down.bias", "up.weight", "up.bias")}
            rows = x.reshape(-1, x.shape[-1], 1)
            y = torch.nn.functional.conv1d(rows, p["down.weight"][:, :, None], p["down.bias"])
            y = torch.nn.functional.conv1d(y, p["up.weight"].reshape(x.shape[-1], -1, 1),
                                           p["up.bias"], groups=options["groups"])
            return x + options["scale"] * y.reshape(x.shape)
        return forward

    for stem, block, branch, _ in places(net, options):
        norm_of(block, branch).register_forward_hook(hook(f"repadapter.{stem}.{branch}"))


# ---- Convpass: beside the branch, scale U(q(conv(q(D(x))))), a class token convolved alone ----


def convpass_start(net, options, rng):
    out, h = {}, options["h"]
    for stem, _, branch, dim in places(net, options):
        for part, shape, std in (("down", (h, dim), 0.3), ("conv", (h, h, 3, 3), 0.3),
                                 ("up", (dim, h), 0.3)):
            out[f"convpass.{stem}.{branch}.{part}.weight"] = draw(rng, shape, std)
            out[f"convpass.{stem}.{branch}.{part}.bias"] = draw(rng, shape[:1], 0.1)
    return out


def convpass_bypass(own, name, prefix, x):
    """x [B][N][C]; prefix tokens of them stand in front of a square grid."""
    linear, p = torch.nn.functional.linear, lambda k: (own[f"{name}.{k}.weight"], own[f"{name}.{k}.bias"])
    act = lambda y: y * torch.sigmoid(1.702 * y)
    y = act(linear(x, *p("down")))
    parts = [y[:, i:i + 1] for i in range(prefix)] + [y[:, prefix:]]
    out = []
    for tokens in parts:
        side = round(tokens.shape[1] ** 0.5)
        grid = tokens.transpose(1, 2).unflatten(2, (side, side))
        out.append(torch.nn.functional.conv2d(grid, *p("conv"), padding=1).flatten(2).transpose(1, 2))
    return linear(act(torch.cat(out, 1)), *p("up"))


def convpass_attach(net, own, options):
    prefix = getattr(net, "num_prefix_tokens", 0)

    def beside(branch, name):
        """branch reads what the norm gives, in Swin's attention as [B][h][w][C]."""
        def forward(x, *args, **kw):
            tokens = x.flatten(1, -2) if x.ndim == 4 else x
            y = convpass_bypass(own, name, prefix, tokens)
            return branch(x, *args, **kw) + options["scale"] * y.reshape(x.shape)
        return forward

    for stem, block, branch, _ in places(net, options):
        owner, word = (block, "_attn") if branch == "attn" and hasattr(block, "_attn") else (
            getattr(block, branch), "forward")
        setattr(owner, word, beside(getattr(owner, word), f"convpass.{stem}.{branch}"))


STRATEGIES = {"ssf": (ssf_start, ssf_attach), "vpt": (vpt_start, vpt_attach),
              "fact": (fact_start, fact_attach),
              "repadapter": (repadapter_start, repadapter_attach),
              "convpass": (convpass_start, convpass_attach), "spt": (spt.start, spt.attach),
              "lora": (lora_modules.start, lora_modules.attach)}
