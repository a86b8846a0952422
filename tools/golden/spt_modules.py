# SPDX-License-Identifier: MIT
"""The model that SPT tunes (arXiv 2303.08566), in PyTorch, for the tiny ViT and the tiny Swin: plans
written by hand, start(net, options, rng) and attach(net, own, options) as in modules.py.

A plan names tensors with q, k and v apart, as SPT's own model has them; here and in the project they
are rows of timm's qkv. Nothing starts at zero, so that every gradient is alive.
"""
import numpy as np
import torch
import torch.nn.functional as F

# SPT's utils.py: only tensors of two dimensions and more decay, and not the class token. Large, so
# that its effect shows after ten steps.
DECAY = 0.1

# (architecture, type) -> layers with a module, whole vectors, tensor -> number of entries
PLANS = {
    ("vit", "lora"): (
        ["blocks.0.attn.v", "blocks.0.attn.proj", "blocks.1.attn.q", "blocks.1.attn.k",
         "blocks.1.attn.v", "blocks.1.mlp.fc1", "blocks.1.mlp.fc2", "blocks.2.attn.q"],
        ["blocks.0.attn.v.bias", "blocks.1.attn.q.bias", "blocks.1.attn.k.bias",
         "blocks.1.attn.v.bias", "blocks.1.mlp.fc1.bias", "blocks.2.norm1.weight", "norm.weight",
         "norm.bias"],
        {"blocks.0.norm1.bias": 2, "blocks.0.attn.q.weight": 7, "blocks.0.attn.q.bias": 3,
         "blocks.0.mlp.fc1.weight": 11, "blocks.1.norm2.weight": 3, "blocks.2.attn.k.weight": 2,
         "blocks.2.attn.v.weight": 5, "blocks.2.attn.proj.weight": 4, "blocks.2.mlp.fc2.weight": 9,
         "blocks.2.mlp.fc2.bias": 2}),
    ("vit", "adapter"): (
        ["blocks.0.attn.v", "blocks.0.attn.proj", "blocks.1.mlp.fc1", "blocks.1.mlp.fc2",
         "blocks.2.attn.q", "blocks.2.attn.v"],
        ["blocks.0.attn.v.bias", "blocks.1.mlp.fc1.bias", "norm.bias"],
        {"blocks.0.attn.q.weight": 7, "blocks.1.attn.proj.weight": 3, "blocks.2.mlp.fc1.weight": 5,
         "blocks.2.mlp.fc1.bias": 4}),
    ("swin", "lora"): (
        ["layers.0.blocks.1.attn.v", "layers.1.downsample.reduction", "layers.1.blocks.0.attn.q",
         "layers.1.blocks.0.attn.v", "layers.1.blocks.1.mlp.fc1", "layers.2.blocks.0.mlp.fc2",
         "layers.3.blocks.0.attn.proj"],
        ["layers.0.blocks.0.attn.v.bias", "layers.0.blocks.1.norm2.weight",
         "layers.1.downsample.norm.weight", "layers.2.blocks.0.attn.proj.bias", "norm.weight"],
        {"layers.0.blocks.0.attn.q.weight": 5, "layers.0.blocks.0.mlp.fc1.weight": 3,
         "layers.1.blocks.0.attn.k.weight": 4, "layers.2.downsample.reduction.weight": 8,
         "layers.2.blocks.0.mlp.fc2.bias": 2, "layers.3.blocks.0.attn.v.weight": 6,
         "layers.3.blocks.0.mlp.fc1.weight": 7}),
}


def plan(net, options):
    return PLANS["vit" if hasattr(net, "blocks") else "swin", options["type"]]


def place(net, name):
    """(parameter, its name, first row, rows) of "blocks.3.attn.v.weight"."""
    stem, _, kind = name.rpartition(".")
    module, _, last = stem.rpartition(".")
    if last in ("q", "k", "v") and module.endswith("attn"):
        full = f"{module}.qkv.{kind}"
        p = net.get_parameter(full)
        rows = p.shape[0] // 3
        return p, full, "qkv".index(last) * rows, rows
    p = net.get_parameter(name)
    return p, name, 0, p.shape[0]


def whole(net, vectors):
    """Parameters of which every part is a whole vector; vectors of the others."""
    of = {}
    for v in vectors:
        p, name, _, rows = place(net, v)
        of.setdefault(name, [p.shape[0], []])
        of[name][0] -= rows
        of[name][1].append(v)
    return [n for n, (left, _) in of.items() if left == 0], [
        v for left, names in of.values() if left for v in names]


def index(net, options):
    """Flat positions in the parameter of everything that gets a delta."""
    rng = np.random.Generator(np.random.PCG64(41))
    _, vectors, sparse = plan(net, options)
    out = {}
    for name, n in sparse.items():
        p, _, first, rows = place(net, name)
        cols = p[0].numel()
        at = np.sort(rng.choice(rows * cols, n, replace=False)) + first * cols
        out[f"spt.{name}.index"] = torch.from_numpy(at.astype(np.int32))
    for name in whole(net, vectors)[1]:
        _, _, first, rows = place(net, name)
        out[f"spt.{name}.index"] = torch.arange(first, first + rows).int()
    return out


def candidates(net):
    """All tensors that SPT scores, in the order of its model: q.weight, q.bias, k.weight, ..."""
    out = []
    for name, p in net.named_parameters():
        stem, _, kind = name.rpartition(".")
        if any(w in name for w in ("head", "cls_token", "patch_embed", "pos_embed", "bias_table")):
            continue
        if not stem.endswith("attn.qkv"):
            out.append(name)
        elif kind == "weight":
            out += [f"{stem[:-3]}{x}.{k}" for x in "qkv" for k in ("weight", "bias")]
    return out


def remembered(net, options):
    """The tensors of an adapter that are not trained: lists of entries, and the plan."""
    layers, vectors, sparse = plan(net, options)
    at, names = index(net, options), candidates(net)
    assert {f"{n}.weight" for n in layers} | set(vectors) | set(sparse) <= set(names)
    fate = [1 if n.endswith(".weight") and n[:-len(".weight")] in layers else
            2 if n in vectors else 3 if n in sparse else 0 for n in names]
    own = []
    for n in names:
        if n in sparse:
            p, _, first, _ = place(net, n)
            own.append(at[f"spt.{n}.index"] - first * p[0].numel())
    return at | {"spt.plan.fate": torch.tensor(fate).int(),
                 "spt.plan.entries": torch.tensor([sparse.get(n, 0) for n in names]).int(),
                 "spt.plan.index": torch.cat(own).int()}


def beside(layer_name, options):
    """Whether a module reads its layer's input."""
    return options["type"] == "lora" or layer_name.endswith("proj")


def start(net, options, rng):
    def draw(shape, std):
        return torch.from_numpy((std * rng.standard_normal(shape)).astype(np.float32))

    layers, vectors, _ = plan(net, options)
    out, r = {}, options["r"]
    for name in layers:
        p, _, _, rows = place(net, f"{name}.weight")
        cols = p.shape[1] if beside(name, options) else rows
        down, up = ("lora_A", "lora_B") if options["type"] == "lora" else ("down", "up")
        for half, shape in ((down, (r, cols)), (up, (rows, r))):
            out[f"spt.{name}.{half}.weight"] = draw(shape, 0.3)
            if options["type"] == "adapter":
                out[f"spt.{name}.{half}.bias"] = draw(shape[:1], 0.1)
    for name, at in index(net, options).items():
        out[name.replace(".index", ".delta")] = draw((len(at),), 0.1)
    trained = whole(net, vectors)[0] + [n for n, _ in net.named_parameters() if n == "cls_token"]
    return out | {n: net.get_parameter(n).detach().clone() for n in trained}


def module(own, name, options, x):
    get = lambda half: (own[f"spt.{name}.{half}.weight"], own.get(f"spt.{name}.{half}.bias"))
    if options["type"] == "lora":
        return F.linear(F.linear(x, *get("lora_A")), *get("lora_B"))
    return F.linear(F.gelu(F.linear(x, *get("down"))), *get("up"))


def attach(net, own, options):
    at, layers = index(net, options), plan(net, options)[0]
    deltas, modules = {}, {}
    for name in at:
        tensor = name[len("spt."):-len(".index")]
        deltas.setdefault(place(net, tensor)[1], []).append(tensor)
    for name in layers:
        full = place(net, f"{name}.weight")[1].rpartition(".")[0]
        modules.setdefault(full, []).append(name)

    def tuned(p, name):
        for tensor in deltas.get(name, []):
            d = torch.zeros_like(p).flatten()
            d = d.index_put((at[f"spt.{tensor}.index"].long(),), own[f"spt.{tensor}.delta"])
            p = p + d.view_as(p)
        return p

    def forward_of(layer, full):
        def forward(x):
            w = tuned(layer.weight, f"{full}.weight")
            b = None if layer.bias is None else tuned(layer.bias, f"{full}.bias")
            if isinstance(layer, torch.nn.LayerNorm):
                return F.layer_norm(x, layer.normalized_shape, w, b, layer.eps)
            h = F.linear(x, w, b)
            y = h.clone()
            for name in modules.get(full, []):
                _, _, first, rows = place(net, f"{name}.weight")
                z = x if beside(name, options) else h[..., first:first + rows]
                y[..., first:first + rows] += module(own, name, options, z)
            return y

        return forward

    for full in set(modules) | {n.rpartition(".")[0] for n in deltas}:
        layer = net.get_submodule(full)
        layer.forward = forward_of(layer, full)


def decays(name):
    """SPT's utils.py: matrices of modules and head."""
    return name.startswith("head") or name.endswith((
        "lora_A.weight", "lora_B.weight", "down.weight", "up.weight"))
