# SPDX-License-Identifier: MIT
"""containers_torch.py - real weights, written by PyTorch and NumPy into every container, give the
same logits to the last digit. Needs SCTRUN_ASSETS (weights and pictures) and SCTRUN_TORCH_PYTHON
(a Python with torch, numpy and safetensors)."""
from e2e import *

ASSETS = os.environ.get("SCTRUN_ASSETS", "")
PYTHON = os.environ.get("SCTRUN_TORCH_PYTHON", "")
STEM = "vit_tiny_patch16_224_augreg_in21k_ft_in1k"

WRITER = """
import json, os, sys
import numpy as np, torch
from safetensors.torch import load_file, save_file
t, stem = load_file(sys.argv[1]), sys.argv[2]
for name, kw in (("zip", {}), ("protocol4", {"pickle_protocol": 4}),
                 ("legacy", {"_use_new_zipfile_serialization": False})):
    torch.save(t, "%s.%s.pth" % (stem, name), **kw)
# transposed in memory, all in one storage
flat = torch.cat([v.flatten() for v in t.values()])
at, views = 0, {}
for k, v in t.items():
    views[k] = flat[at:at + v.numel()].view(v.shape)
    at += v.numel()
views["head.weight"] = t["head.weight"].t().contiguous().t()
torch.save(views, stem + ".views.pth")
np.savez(stem + ".npz", **{k: v.numpy() for k, v in t.items()})
np.savez_compressed(stem + ".deflated.npz", **{k: np.asfortranarray(v.numpy()) for k, v in
                                               t.items()})
os.mkdir(stem)
files = ["model-%05d-of-00003.safetensors" % (i + 1) for i in range(3)]
where = {k: files[i % 3] for i, k in enumerate(t)}
for f in files:
    save_file({k: v for k, v in t.items() if where[k] == f}, os.path.join(stem, f))
json.dump({"metadata": {}, "weight_map": where},
          open(os.path.join(stem, "model.safetensors.index.json"), "w"))
"""


@test
def same_logits():
    if not ASSETS:
        raise Skipped("SCTRUN_ASSETS is not set")
    if not PYTHON:
        raise Skipped("SCTRUN_TORCH_PYTHON is not set")
    weights = os.path.join(os.path.abspath(ASSETS), "weights", STEM + ".safetensors")
    if not os.path.exists(weights):
        raise Skipped(weights + " is not there")
    p = subprocess.run([PYTHON, "-c", WRITER, weights, STEM], capture_output=True, timeout=300 * PATIENCE)
    check(p.returncode == 0, p.stderr.decode()[-2000:])
    os.mkdir("pictures")
    for i in range(4):
        png("pictures/%d.png" % i, 224, 224, picture(i, i, 224, 224))
    predict = ["predict", "--model", "vit_tiny_patch16_224", "--image", "pictures", "--json"]
    want = sctrun(*predict, "--weights", weights)
    equal([len(r["logits"]) for r in want.jsonl], [1000] * 4)
    for name in (".zip.pth", ".protocol4.pth", ".legacy.pth", ".views.pth", ".npz",
                 ".deflated.npz", ""):
        equal(sctrun(*predict, "--weights", STEM + name).out, want.out, STEM + name)
    for name, kind in ((".zip.pth", "torch zip"), (".legacy.pth", "torch legacy"), (".npz", "npz"),
                       ("", "safetensors index")):
        r = sctrun("inspect", STEM + name, "--json").json
        equal((r["container"], r["elements"]), (kind, 5717416))


main()
