#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/io/containers: the same small tensors in every container that weights come in, and files
that must be refused.

    python3 tools/golden/make_containers.py tests/io/containers tests/fuzz/corpus
                                                                    (torch 2.13, numpy 2.4)
The keys of legacy streams are addresses, so those files differ from run to run.
"""
import argparse
import collections
import io
import json
import os
import pickle
import sys
import zipfile

import numpy as np
import torch
from safetensors.torch import save_file


def tensors():
    """Every element type that is read, a scalar, an empty one; values that rounding would show."""
    g = torch.Generator().manual_seed(7)
    t = collections.OrderedDict()
    t["blocks.0.attn.qkv.weight"] = torch.randn(6, 4, generator=g)
    t["blocks.0.attn.qkv.bias"] = torch.randn(6, generator=g)
    t["pos_embed"] = torch.randn(1, 3, 4, generator=g)
    t["head.weight"] = torch.randn(5, 4, generator=g)
    t["patch.kernel"] = torch.randn(2, 3, 2, 2, generator=g)
    t["scale"] = torch.tensor(0.1)
    t["empty"] = torch.zeros(0, 3)
    t["half"] = torch.randn(7, generator=g).half()
    t["brain"] = torch.randn(3, 3, generator=g).bfloat16()
    t["double"] = torch.randn(5, generator=g, dtype=torch.float64)
    t["long"] = torch.tensor([[1, -2], [2 ** 31 - 1, -2 ** 31]])
    t["int"] = torch.tensor([3, -4], dtype=torch.int32)
    t["short"] = torch.tensor([300, -300], dtype=torch.int16)
    t["char"] = torch.tensor([127, -128], dtype=torch.int8)
    t["byte"] = torch.tensor([0, 255], dtype=torch.uint8)
    t["bool"] = torch.tensor([True, False, True])
    return t


def strided(t):
    """The same values: one tensor is a transposed view, two are windows of one storage."""
    v = collections.OrderedDict(t)
    v["head.weight"] = t["head.weight"].t().contiguous().t()
    v["patch.kernel"] = t["patch.kernel"].permute(2, 3, 1, 0).contiguous().permute(3, 2, 0, 1)
    both = torch.cat([torch.zeros(3), t["blocks.0.attn.qkv.bias"], t["pos_embed"].flatten()])
    v["blocks.0.attn.qkv.bias"] = both[3:9]
    v["pos_embed"] = both[9:].view(1, 3, 4)
    return v


def arrays(t):
    """NumPy has no bfloat16: two bytes of nothing in particular, as JAX writes it."""
    a = {k: v.view(torch.int16).numpy().view("V2") if v.dtype == torch.bfloat16 else v.numpy()
         for k, v in t.items()}
    a["head.weight"] = np.asfortranarray(a["head.weight"])
    return a


def npz(path, members, compress=False):
    """members: name -> bytes, with fixed dates so that the file is always the same."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as z:
        for name, data in members.items():
            z.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data,
                       compress_type=z.compression)


def npy(array, version=None, **kw):
    b = io.BytesIO()
    np.lib.format.write_array(b, array, version=version, **kw)
    return b.getvalue()


def wrapped(t):
    """What training scripts save: wrappers, arguments, numbers, an optimiser's state."""
    state = collections.OrderedDict(("module." + k, v) for k, v in t.items())
    state["module.head.weight"] = torch.nn.Parameter(t["head.weight"])
    state._metadata = collections.OrderedDict({"": {"version": 1}})
    return {
        "state_dict": state, "epoch": 12, "arch": "vit_tiny", "best_acc1": 81.25, "done": True,
        "args": argparse.Namespace(lr=0.1, data="x"), "metric": np.float64(0.5),
        "optimizer": {"state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.ones(2)}},
                      "param_groups": [{"lr": 0.1, "params": [0]}]},
        "shape": torch.Size([1, 2]), (1, 2): "a key that is a tuple",
    }


class Odd:
    def __init__(self):
        self.weight = torch.ones(2)


def sharded(folder, t):
    os.makedirs(folder, exist_ok=True)
    names, shards = list(t), ["model-0000%d-of-00002.safetensors" % i for i in (1, 2)]
    weight_map = {n: shards[i % 2] for i, n in enumerate(names)}
    for s in shards:
        save_file({n: t[n] for n in names if weight_map[n] == s}, os.path.join(folder, s),
                  {"format": "pt"})
    size = sum(v.numel() * v.element_size() for v in t.values())
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as f:
        json.dump({"metadata": {"total_size": size}, "weight_map": weight_map}, f, indent=1)
        f.write("\n")


def patched_zip(source, target, change, compress=False):
    """A copy with change(name, bytes) -> bytes applied to the members."""
    with zipfile.ZipFile(source) as z:
        npz(target, {i.filename: change(i.filename, z.read(i)) for i in z.infolist()}, compress)


def main(folder):
    os.makedirs(folder, exist_ok=True)
    at = lambda name: os.path.join(folder, name)  # noqa: E731
    t = tensors()
    save_file(t, at("same.safetensors"), {"format": "pt"})
    sharded(at("sharded"), t)
    a = arrays(t)
    members = {k + ".npy": npy(v) for k, v in a.items()}
    np.savez(at("same.npz"), **a)
    npz(at("deflated.npz"), members, compress=True)
    versions = dict(members)
    versions["pos_embed.npy"] = npy(a["pos_embed"], (2, 0))
    versions["scale.npy"] = npy(a["scale"], (3, 0))
    npz(at("versions.npz"), {"notes.txt": b"not an array", **versions})
    torch.save(strided(t), at("zip.pth"))
    patched_zip(at("zip.pth"), at("rezipped.pth"), lambda name, data: data, compress=True)
    torch.save(strided(t), at("legacy.pth"), _use_new_zipfile_serialization=False)
    torch.save(strided(t), at("protocol4.pth"), pickle_protocol=4)
    torch.save(strided(t), at("legacy4.pth"), pickle_protocol=4,
               _use_new_zipfile_serialization=False)
    torch.serialization.set_crc32_options(False)
    torch.save(strided(t), at("no_crc.pth"))
    torch.serialization.set_crc32_options(True)
    torch.save(wrapped(t), at("wrapped.pth"))
    torch.save(wrapped(t), at("wrapped_legacy.pth"), _use_new_zipfile_serialization=False)
    torch.save({"u16": torch.tensor([1, 65535], dtype=torch.uint16),
                "f8": torch.ones(3).to(torch.float8_e4m3fn), "w": torch.ones(2)},
               at("v3.pth"))
    # what must be refused
    os.makedirs(at("refused"), exist_ok=True)
    at = lambda name: os.path.join(folder, "refused", name)  # noqa: E731
    npz(at("big_endian.npz"), {"w.npy": npy(np.arange(3, dtype=">f4"))})
    npz(at("objects.npz"), {"w.npy": npy(np.array([{}, None]), allow_pickle=True)})
    npz(at("structure.npz"), {"w.npy": npy(np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")]))})
    npz(at("strings.npz"), {"w.npy": npy(np.array(["a", "bc"]))})
    npz(at("plain.zip"), {"readme.txt": b"hello"})
    np.save(at("single.npy"), np.zeros(3, dtype="f4"))
    torch.save(Odd(), at("object.pth"))
    torch.save({"weights": Odd()}, at("no_tensors.pth"))
    torch.save(torch.ones(2), at("tensor.pth"))
    torch.save({"q": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)},
               at("quantized.pth"))
    torch.save({"w": torch.ones(2, dtype=torch.complex64).conj()}, at("conjugated.pth"))
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), at("script.pt"))
    torch.save({"w": torch.ones(2)}, at("little.pth"))
    patched_zip(at("little.pth"), at("big_endian.pth"),
                lambda name, data: b"big" if name.endswith("byteorder") else data)
    os.remove(at("little.pth"))
    with open(at("plain.pkl"), "wb") as f:
        pickle.dump({"w": [1, 2, 3]}, f, protocol=2)


def put(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def saved(obj, **kw):
    b = io.BytesIO()
    torch.save(obj, b, **kw)
    return b.getvalue()


def corpus(folder):
    """Beginnings for the fuzzers: few bytes, every feature. Torch archives have no checksums, so
    that a changed pickle gets as far as the machine that reads it."""
    at = lambda *name: os.path.join(folder, *name)  # noqa: E731
    w, f16 = torch.arange(6.).view(2, 3), torch.ones(2).half()
    shared = torch.arange(4.)
    objects = {
        "views": {"a": w.t(), "b": shared[1:], "c": shared[:2]},
        "wrapped": {"state_dict": collections.OrderedDict({"module.w": f16}), "epoch": 1,
                    "args": argparse.Namespace(lr=0.5), "list": [torch.nn.Parameter(f16), None]},
    }
    torch.serialization.set_crc32_options(False)
    for name, obj in objects.items():
        put(at("torch_zip", name), saved(obj))
        put(at("torch_legacy", name), saved(obj, _use_new_zipfile_serialization=False))
        put(at("torch_legacy", name + "4"),
            saved(obj, _use_new_zipfile_serialization=False, pickle_protocol=4))
    put(at("torch_zip", "v3"), saved({"u": torch.tensor([1], dtype=torch.uint16)}))
    torch.serialization.set_crc32_options(True)
    put(at("torch_zip", "checksums"), saved({"w": f16}))
    for protocol in (2, 4, 5):
        put(at("pickle", "protocol%d" % protocol), pickle.dumps(
            {"a": (1, -2, 300, 1 << 80, 2.5), "b": [None, True, {3}, frozenset([4])], 3: b"xy",
             "long": "x" * 300, "o": collections.OrderedDict(z=argparse.Namespace(q=1))},
            protocol))
    with zipfile.ZipFile(io.BytesIO(saved({"w": w}))) as z:
        put(at("pickle", "tensor"), z.read("archive/data.pkl"))
    put(at("npy", "f4"), npy(np.zeros((2, 3), "<f4"))[:128])
    put(at("npy", "fortran2"), npy(np.asfortranarray(np.zeros((2, 3), "<f2")), (2, 0)))
    put(at("npy", "scalar"), npy(np.array(True)))
    put(at("npy", "short"), b"\x93NUMPY\1\0\x3a\0{\"shape\":(4L,5L),'descr':'|V2',"
        b"'fortran_order':False, }  \n")
    arrays_ = {"a.npy": npy(np.ones((2, 2), "<f4")), "b/c.npy": npy(np.ones(3, "<i8")),
               "note": b"x"}
    for name, compress in (("stored", False), ("deflated", True)):
        npz("npz.tmp", arrays_, compress)
        with open("npz.tmp", "rb") as f:
            put(at("npz", name), f.read())
    os.remove("npz.tmp")
    put(at("index", "two"), b'{"metadata": {"total_size": 8, "format": "pt"}, "weight_map": '
        b'{"a": "model-1.safetensors", "b": "model-2.safetensors"}}\n')
    put(at("index", "path"), b'{"weight_map": {"a": "../model.safetensors"}}')
    put(at("index", "kind"), b' {"weight_map": {"a": [1, {}]}, "x": "\\u00e4"}')


if __name__ == "__main__":
    main(sys.argv[1])
    corpus(sys.argv[2])
