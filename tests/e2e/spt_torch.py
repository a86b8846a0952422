# SPDX-License-Identifier: MIT
"""spt_torch.py - plans of spt in the form of param_req_*.pth: what PyTorch reads of ours has the types and
the properties of the published files, and ours is read again when PyTorch has written it. Needs
SCTRUN_TORCH_PYTHON (a Python with torch and numpy)."""
from e2e import *

PYTHON = os.environ.get("SCTRUN_TORCH_PYTHON", "")

# What ziplab/SPT's engine.py puts there (plugins/spt_published.c), asked of a file.
READER = """
import sys
import numpy as np, torch
d = torch.load("plan.pth", map_location="cpu", weights_only=False)
shapes, counts = d["unstructured_name_shapes"], d["unstructured_name_shapes_int"]
index, vectors, rows = d["unstructured_indexes"], d["tuned_vectors"], d["tuned_matrices"]
assert type(d) is dict and set(d) == {
    "params", "structured_params", "unstructured_params", "tuned_matrices", "tuned_vectors",
    "unstructured_name_shapes", "unstructured_name_shapes_int", "unstructured_indexes"}, list(d)
for k in ("params", "unstructured_params"):
    assert d[k].dtype == torch.float32 and d[k].shape == (), k
assert type(d["structured_params"]) is int
assert index.dtype == torch.int64 and index.dim() == 1
assert len(rows) == 2 and all(len(r) == 6 and all(type(v) is int and v in (0, 1) for v in r) for r in rows)
assert all(type(v) is str for v in vectors)
assert all(type(s) is torch.Size for s in shapes.values())
assert all(type(c) is np.int64 for c in counts.values()) and list(counts) == list(shapes)
assert all(c == s.numel() for c, s in zip(counts.values(), shapes.values()))
assert len(index) == d["unstructured_params"] and (index[1:] > index[:-1]).all()
assert 0 <= index[0] and index[-1] < sum(counts.values())
total = d["structured_params"] + len(index) + 48
assert abs(d["params"].item() * 1e6 - total) < 1, (d["params"], total)
assert sum(map(sum, rows)) + len(vectors) + len(shapes) == 34
# again, as PyTorch writes it today and as it did for the published files
torch.save(d, "again.pth")
torch.serialization.location_tag = lambda storage: "cuda:0"
torch.save(d, "gpu.pth", pickle_protocol=4)
print(total)
"""


@test
def there_and_back():
    if not PYTHON:
        raise Skipped("SCTRUN_TORCH_PYTHON is not set")
    model()
    base()
    vtab()
    run = lambda name, *options: train(name, "--max-steps", 1, "--test-limit", 2, "--json", *[
        x for o in ("r=1", "budget=0.0015", "step=0.00002", "max=0.02", "batch=8", *options)
        for x in ("--set", o)], strategy="spt")
    run("a", "plan_out=plan.pth")
    r = subprocess.run([PYTHON, "-c", READER], capture_output=True, text=True, timeout=300 * PATIENCE)
    check(r.returncode == 0, r.stderr)
    run("b", "plan=plan.pth", "plan_out=plan.json")
    equal(int(r.stdout), json.loads(read("plan.json"))["params"])
    for name in ("again", "gpu"):
        run(name, "plan=%s.pth" % name, "plan_out=%s.json" % name)
        equal(read(name + ".json"), read("plan.json"), name)


main()
