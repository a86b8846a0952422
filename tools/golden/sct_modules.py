# SPDX-License-Identifier: MIT
"""SCT and ICT in PyTorch, on the blocks of a ViT or a Swin of timm: the modules and the selection,
written from the formulas of the published code and nothing of ours."""
import torch

# where a mode's modules are: (word in the names, what is scored)
MODES = {
    "attn": (("", "attn.res"),),
    "mlp": ((".mlp", "out"),),
    "qkv": ((".q", "attn.qkv"), (".v", "attn.qkv")),
    "both": ((".attn", "attn.res"), (".mlp", "out")),
}


def start(draw, rng, stem, index, options, width):
    """Values of every module of a block that has an index list; nothing starts at zero."""
    out = {}
    for word, _ in MODES[options.get("mode", "attn")]:
        name = f"sct.{stem}{word}"
        if f"{name}.index" in index:
            k = len(index[f"{name}.index"])
            cols = width if options.get("module") == "wide" else k
            out[f"{name}.weight"] = draw(rng, (k, cols), 0.2)
            out[f"{name}.bias"] = draw(rng, (k,), 0.1)
    return out


class Modules:
    """The modules of one block; `stem` as in timm's names."""

    def __init__(self, stem, own, index, options, width):
        self.stem, self.own, self.index, self.options = f"sct.{stem}", own, index, options
        self.width = width

    def apply(self, x, word, first=0, scaled=True):
        name = self.stem + word
        idx = self.index[f"{name}.index"].long()
        g = x[..., idx]
        wide = self.options.get("module") == "wide"
        read = x[..., first:first + self.width] if wide else g
        y = torch.nn.functional.linear(read, self.own[f"{name}.weight"], self.own[f"{name}.bias"])
        s, out = self.options.get("scale", 1.0), x.clone()
        if not scaled or wide or self.options.get("form") == "b":
            out[..., idx] = g + y
        elif self.options.get("scaleonx"):
            out[..., idx] = s * g + y
        else:
            out[..., idx] = g + s * y
        return out

    def insert(self, block, attn):
        """attn: what the block's attention does to norm1's output."""
        mode = self.options.get("mode", "attn")
        if mode == "qkv":
            layer = block.attn.qkv
            linear = torch.nn.functional.linear

            def qkv(x):
                y = self.apply(linear(x, layer.weight, layer.bias), ".q", 0, False)
                return self.apply(y, ".v", 2 * self.width, False)

            layer.forward = qkv
            return

        def forward(x, **_):
            a = attn(block.norm1(x))
            h = x + (self.apply(a, ".attn") if mode == "both" else a)
            if mode == "attn":
                h = self.apply(h, "")
            y = block.mlp(block.norm2(h))
            return h + (self.apply(y, ".mlp") if mode in ("mlp", "both") else y)

        block.forward = forward


# ---- the selection, in one go per block instead of streamed ----


def watch(block, seen, images, prefix):
    """Keeps what is scored, [images][tokens][channels], of every run in the lists of `seen`.
    The rows of qkv are all that its layer sees, in a Swin also those that fill up windows."""
    def keep(key, module, of_input=False):
        def hook(_, args, out):
            v = args[0] if of_input else out
            # windows of attention belong to images one after the other
            seen.setdefault(key, []).append(v.reshape(images, -1, v.shape[-1])[:, prefix:])
        module.register_forward_hook(hook)

    keep("attn.res", block.norm2, of_input=True)
    keep("attn.qkv", block.attn.qkv)
    keep("out", block)


def top(score, k, least=1e-4):
    """k largest, ascending; refuses a score that rounding could turn over: sums of squares in
    float32 may be off by 1e-5."""
    order = torch.argsort(score, descending=True, stable=True)
    if k < len(score):
        a, b = score[order[k - 1]], score[order[k]]
        gap = (a - b) / max(abs(a), abs(b))
        assert gap > least, f"channels too close: {gap:.1e}"
    return torch.sort(order[:k]).values.int()


def scores(h, owners):
    """(sums of squares by class, class-aware, class-agnostic) of [images][tokens][channels]."""
    owners = torch.tensor(owners)
    dim = h.shape[-1]
    sums = {c: h[owners == c].reshape(-1, dim).norm(dim=0) for c in sorted(set(owners.tolist()))}
    return sums, sum(sums.values()) / len(sums), h.reshape(-1, dim).norm(dim=0)


MASK = (1 << 64) - 1


def mix(x):
    """SplitMix64's finaliser."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


def drawn(seed, path, stem, dim):
    """Score of select=random: the stream of a module is keyed by FNV-1a of its site and name."""
    key = 0xCBF29CE484222325
    for byte in path.encode() + b"\0" + stem.encode() + b"\0":
        key = (key ^ byte) * 0x100000001B3 & MASK
    gold = 0x9E3779B97F4A7C15
    at = mix((seed + gold) & MASK) ^ key
    return torch.tensor([mix((at + (d + 1) * gold) & MASK) >> 11 for d in range(dim)],
                        dtype=torch.float64)
