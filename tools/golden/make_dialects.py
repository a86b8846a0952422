#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/dialects: one small ViT and one small Swin, each in every dialect, and the
logits that timm computes of two images.

Who writes the names: timm, transformers 4 and 5 by save_pretrained (5 reads the file of 4 and saves
it in both ways), timm 0.6.5 for old Swin. Files of Flax are written after the description in
docs/formats.md, and timm's own reader must give the same model back. Every library's logits must
equal timm's before a file is kept. Values are F16, so that files are small and exact.

    pip install --no-deps --target OLD timm==0.6.5
    pip install --no-deps --target NEW transformers==5.23.0 'huggingface_hub==2.4.0' tokenizers httpx2 httpcore2
    python3 tools/golden/make_dialects.py tests/golden/dialects OLD NEW
    (timm 1.0.22, transformers 4.57.6)
"""
import os
import shutil
import subprocess
import sys

import numpy as np
import torch
from safetensors.torch import load_file, save_file

VIT = dict(img_size=8, patch_size=4, embed_dim=8, depth=2, num_heads=2, num_classes=3)
SWIN = dict(img_size=32, patch_size=2, embed_dim=2, depths=(1, 1, 2, 1), num_heads=(1, 1, 2, 2),
            window_size=2, num_classes=3)
HF_VIT = dict(image_size=8, patch_size=4, hidden_size=8, num_hidden_layers=2,
              num_attention_heads=2, intermediate_size=32, num_labels=3, layer_norm_eps=1e-6,
              hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
HF_SWIN = dict(image_size=32, patch_size=2, embed_dim=2, depths=[1, 1, 2, 1], num_heads=[1, 1, 2, 2],
               window_size=2, num_labels=3)


def draw(model, seed):
    rng = np.random.Generator(np.random.PCG64(seed))
    out = {}
    for name, p in model.state_dict().items():
        if not p.is_floating_point():
            continue
        x = rng.standard_normal(tuple(p.shape))
        norm = "norm" in name
        x = x * (0.3 if norm or name.endswith("bias") else 0.5)
        if norm and name.endswith("weight"):
            x += 1
        out[name] = torch.from_numpy(x.astype(np.float16))
    return out


def images(side):
    rng = np.random.Generator(np.random.PCG64(side))
    return torch.from_numpy(rng.integers(0, 256, (2, side, side, 3), dtype=np.uint8))


def logits(model, x):
    model = model.double().eval()
    with torch.no_grad():
        y = model(((x.double() / 255 - 0.5) / 0.5).permute(0, 3, 1, 2))
    return y.logits if hasattr(y, "logits") else y


def agree(what, model, x, want):
    off = (logits(model, x) - want).abs().max().item()
    print("%-24s logits differ by %.1e" % (what, off))
    assert off < 1e-6, what


def split(sd, names):
    """Fused qkv as three tensors; names: of query, key and value."""
    out = {}
    for name, x in sd.items():
        if ".qkv." in name:
            for part, new in zip(x.chunk(3), names):
                out[name.replace("qkv", new)] = part.clone()
        else:
            out[name] = x
    return out


def hf_vit(sd):
    top = {"cls_token": "vit.embeddings.cls_token", "pos_embed": "vit.embeddings.position_embeddings"}
    inner = {"norm1": "layernorm_before", "norm2": "layernorm_after",
             "attn.proj": "attention.output.dense", "mlp.fc1": "intermediate.dense",
             "mlp.fc2": "output.dense", "attn.query": "attention.attention.query",
             "attn.key": "attention.attention.key", "attn.value": "attention.attention.value"}
    ends = {"patch_embed.proj": "vit.embeddings.patch_embeddings.projection",
            "norm": "vit.layernorm", "head": "classifier"}
    out = {}
    for name, x in split(sd, ("query", "key", "value")).items():
        stem, _, end = name.rpartition(".")
        if name in top:
            new = top[name]
        elif name.startswith("blocks."):
            _, i, rest = stem.split(".", 2)
            new = "vit.encoder.layer.%s.%s.%s" % (i, inner[rest], end)
        else:
            new = ends[stem] + "." + end
        out[new] = x
    return out


def old_swin(sd):
    """A stage ends with its downsample; the head is called head."""
    out = {}
    for name, x in sd.items():
        words = name.split(".")
        if "downsample" in words:
            words[1] = str(int(words[1]) - 1)
        out[".".join(words).replace("head.fc.", "head.")] = x
    return out


def hf_swin(sd):
    inner = {"norm1": "layernorm_before", "norm2": "layernorm_after",
             "attn.proj": "attention.output.dense", "mlp.fc1": "intermediate.dense",
             "mlp.fc2": "output.dense", "attn.query": "attention.self.query",
             "attn.key": "attention.self.key", "attn.value": "attention.self.value",
             "attn": "attention.self"}
    ends = {"patch_embed.proj": "swin.embeddings.patch_embeddings.projection",
            "patch_embed.norm": "swin.embeddings.norm", "norm": "swin.layernorm",
            "head": "classifier"}
    out = {}
    for name, x in split(old_swin(sd), ("query", "key", "value")).items():
        stem, _, end = name.rpartition(".")
        if ".blocks." in name:
            _, s, _, b, rest = stem.split(".", 4)
            stem = "swin.encoder.layers.%s.blocks.%s.%s" % (s, b, inner[rest])
        elif name.startswith("layers."):
            stem = "swin.encoder." + stem
        else:
            stem = ends[stem]
        out[stem + "." + end] = x
    return out


def flax(sd, heads, big_vision):
    """(in, out) kernels, heads apart, HWIO."""
    a, b, c, pos = (0, 0, 1, "") if big_vision else (1, 3, 2, "Transformer/posembed_input/")
    out = {}

    def put(name, x):
        out[name] = np.ascontiguousarray(x)
    for name, t in sd.items():
        x = t.numpy()
        stem, _, end = name.rpartition(".")
        scale = "kernel" if end == "weight" else end
        if name == "cls_token":
            put("cls", x)
        elif name == "pos_embed":
            put(pos + "pos_embedding", x)
        elif stem == "patch_embed.proj":
            put("embedding/" + scale, x.transpose(2, 3, 1, 0) if end == "weight" else x)
        elif stem == "head":
            put("head/" + scale, x.T)
        elif stem == "norm":
            put("Transformer/encoder_norm/" + ("scale" if end == "weight" else end), x)
        else:
            _, i, rest = stem.split(".", 2)
            p = "Transformer/encoderblock_%s/" % i
            if rest in ("norm1", "norm2"):
                put(p + "LayerNorm_%d/" % (0 if rest == "norm1" else c) +
                    ("scale" if end == "weight" else end), x)
            elif rest.startswith("mlp"):
                put(p + "MlpBlock_%d/Dense_%d/" % (b, int(rest[-1]) - 1) + scale, x.T)
            elif rest == "attn.proj":
                d = x.shape[0]
                put(p + "MultiHeadDotProductAttention_%d/out/" % a + scale,
                    x.reshape(d, heads, -1).transpose(1, 2, 0) if end == "weight" else x)
            else:
                for part, new in zip(np.split(x, 3), ("query", "key", "value")):
                    d = part.shape[0]
                    y = part.reshape(heads, d // heads, d).transpose(2, 0, 1) if end == "weight" \
                        else part.reshape(heads, -1)
                    put(p + "MultiHeadDotProductAttention_%d/%s/" % (a, new) + scale, y)
    return out


def scan(arrays):
    """Blocks stacked along a new first axis."""
    out, first = {}, "Transformer/encoderblock_0/"
    for name, x in arrays.items():
        if name.startswith(first):
            rest = name[len(first):]
            out["Transformer/encoderblock/" + rest] = np.stack(
                [arrays["Transformer/encoderblock_%d/%s" % (i, rest)] for i in range(VIT["depth"])])
        elif "encoderblock_" not in name:
            out[name] = x
    return out


def write_flax(folder, sd, x, want):
    from timm.models.vision_transformer import VisionTransformer, _load_weights
    plain, bv = flax(sd, VIT["num_heads"], False), flax(sd, VIT["num_heads"], True)
    files = {"flax": plain, "flax_wrapped": {"opt/target/" + k: v for k, v in plain.items()},
             "big_vision": {"params/" + k: v for k, v in bv.items()},
             "big_vision_scan": {"params/" + k: v for k, v in scan(bv).items()}}
    for name, arrays in files.items():
        path = "%s/%s.npz" % (folder, name)
        np.savez_compressed(path, **arrays) if name == "flax_wrapped" else np.savez(path, **arrays)
        model = VisionTransformer(**VIT)
        _load_weights(model, path)
        for k, v in model.state_dict().items():
            assert torch.equal(v, sd[k].float()), (name, k)
        agree(name, model, x, want)


def write_hf4(folder, config, cls, sd, x, want):
    model = cls(config)
    missing, extra = model.load_state_dict({k: v.float() for k, v in sd.items()}, strict=False)
    assert not extra and all("relative_position_index" in k for k in missing), (missing, extra)
    agree(folder + " hf4", model, x, want)
    model.half().save_pretrained(folder + "/part")
    shutil.move(folder + "/part/model.safetensors", folder + "/hf4.safetensors")


def child_v5(folder, kind):
    """transformers 5 reads what 4 wrote, and saves it with names of its own."""
    import transformers
    assert transformers.__version__.startswith("5."), transformers.__version__
    cls = {"vit": transformers.ViTForImageClassification,
           "swin": transformers.SwinForImageClassification}[kind]
    shutil.copy(folder + "/hf4.safetensors", folder + "/part/model.safetensors")
    model = cls.from_pretrained(folder + "/part", dtype=torch.float16)
    f = load_file(folder + "/forward.safetensors")
    model.save_pretrained(folder + "/part5", save_original_format=False)
    agree(folder + " hf5", model, f["images"], f["logits"].double())
    shutil.move(folder + "/part5/model.safetensors", folder + "/hf5.safetensors")


def child_old(folder):
    """timm 0.6: its names and its buffers, inside the dict that Microsoft's files have."""
    import timm
    assert timm.__version__ == "0.6.5", timm.__version__
    from timm.models.swin_transformer import SwinTransformer
    sd = old_swin(load_file(folder + "/timm.safetensors"))
    model = SwinTransformer(**SWIN)
    missing, extra = model.load_state_dict({k: v.float() for k, v in sd.items()}, strict=False)
    assert not extra and all("attn_mask" in k or "position_index" in k for k in missing)
    f = load_file(folder + "/forward.safetensors")
    agree(folder + " ms", model, f["images"], f["logits"].double())
    torch.save({"model": model.half().state_dict(), "epoch": 299}, folder + "/ms.pth")


def child(path, *args):
    subprocess.run([sys.executable, __file__, *args], check=True,
                   env=dict(os.environ, PYTHONPATH=path))


def main(out, old, new):
    from timm.models.swin_transformer import SwinTransformer
    from timm.models.vision_transformer import VisionTransformer
    from transformers import (SwinConfig, SwinForImageClassification, ViTConfig,
                              ViTForImageClassification)
    for kind, cls, args, to_hf, hf, cfg in (
            ("vit", VisionTransformer, VIT, hf_vit, ViTForImageClassification, ViTConfig(**HF_VIT)),
            ("swin", SwinTransformer, SWIN, hf_swin, SwinForImageClassification,
             SwinConfig(**HF_SWIN))):
        folder = out + "/" + kind
        os.makedirs(folder, exist_ok=True)
        sd, x = draw(cls(**args), 11), images(args["img_size"])
        model = cls(**args)
        model.load_state_dict({k: v.float() for k, v in sd.items()})
        want = logits(model, x)
        save_file(sd, folder + "/timm.safetensors")
        save_file({"images": x, "logits": want.float()}, folder + "/forward.safetensors")
        write_hf4(folder, cfg, hf, to_hf(sd), x, want)
        child(new, "v5", folder, kind)
        if kind == "vit":
            bare = {k.replace("vit.", ""): v for k, v in to_hf(sd).items()}
            save_file(bare, folder + "/hf4_bare.safetensors")
            save_file(split(sd, ("q", "k", "v")), folder + "/split.safetensors")
            ema = {"module." + k: v for k, v in sd.items()}
            other = {"_orig_mod." + k: torch.zeros_like(v) for k, v in sd.items()}
            torch.save({"epoch": 3, "state_dict": other, "state_dict_ema": ema},
                       folder + "/ema.pth")
            write_flax(folder, sd, x, want)
        else:
            child(old, "old", folder)
        for part in ("part", "part5"):
            shutil.rmtree(folder + "/" + part, ignore_errors=True)


if __name__ == "__main__":
    if sys.argv[1] == "v5":
        child_v5(*sys.argv[2:])
    elif sys.argv[1] == "old":
        child_old(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
