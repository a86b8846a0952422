# SPDX-License-Identifier: MIT
"""goldens.py - the scripts of tools/golden still run, and write what is committed. Bytes are equal, but for
floats of safetensors, which may differ by 5e-7 of their tensor's largest (f32 sums in another order), for
lists of names in JSON that a library keeps as sets, and for files that hold addresses, whose size counts.

SCTRUN_TORCH_PYTHON names a Python with the versions that the scripts name in their heads."""
from e2e import *

PYTHON = os.environ.get("SCTRUN_TORCH_PYTHON", "")
ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
SCRIPTS = os.path.join(ROOT, "tools/golden")
TOLERANCE = 5e-7

# script: where it writes, in the tree; what it reads of an earlier script's
RUN = {
    "make_compose.py": (["tests/golden/vit"], []),
    "make_containers.py": (["tests/io/containers", "tests/fuzz/corpus"], []),
    "make_drop_path.py": (["tests/golden/drop_path.json"], []),
    "make_image_ops.py": (["tests/golden/image_ops/pillow.txt"], []),
    "make_layer_decay.py": (["tests/golden/layer_decay.json"], []),
    "make_lr.py": (["tests/golden/lr.json"], []),
    "make_optim.py": (["tests/golden/vit"], []),
    "make_peft_lora.py": (["tests/golden/vit"], ["tests/golden/vit/lora.safetensors",
                                                 "tests/golden/vit/lora_dora_all.safetensors"]),
    "make_randaugment.py": (["tests/golden/image_ops"], []),
    "make_resize.py": (["tests/golden/resize/pillow.txt"], []),
    "make_sensitivity.py": (["tests/golden"], []),
    "make_swin.py": (["tests/golden/swin"], []),
    "make_vit.py": (["tests/golden/vit"], []),
    "make_vit_variants.py": (["tests/golden/vit_variants"], []),
}
LEFT_OUT = {
    "make_dialects.py": "needs folders with timm 0.6.5 and transformers 5",
    "make_hub.py": "needs a folder with transformers 5",
    "make_images.py": "needs libturbojpeg",
    "make_interp.py": "needs a folder with timm 0.6.5",
    "make_stats.py": "needs scipy",
}
# Keys of legacy streams and names in TorchScript are addresses.
ADDRESSES = ["tests/io/containers/" + n for n in ("legacy.pth", "legacy4.pth", "wrapped_legacy.pth",
                                                  "refused/script.pt")]
ADDRESSES += ["tests/fuzz/corpus/torch_legacy/" + n for n in ("views", "views4", "wrapped", "wrapped4")]


def sorted_names(v):
    """JSON with its lists of words in order."""
    if isinstance(v, dict):
        return {k: sorted_names(x) for k, x in v.items()}
    if isinstance(v, list) and all(isinstance(x, str) for x in v):
        return sorted(v)
    return [sorted_names(x) for x in v] if isinstance(v, list) else v


def metadata(raw):
    return json.loads(raw[8:8 + struct.unpack_from("<Q", raw)[0]]).get("__metadata__")


def same_tensors(path, found, committed):
    equal(metadata(read(found)), metadata(read(committed)), path)
    got, want = load_tensors(found), load_tensors(committed)
    equal({n: t[:2] for n, t in got.items()}, {n: t[:2] for n, t in want.items()}, path)
    for name, (kind, _, v) in want.items():
        if kind[0] != "F":
            equal(got[name][2], v, path + " " + name)
            continue
        most = max((abs(x) for x in v), default=0)
        off = max((abs(x - y) for x, y in zip(got[name][2], v)), default=0)
        check(off <= TOLERANCE * most, path, name, "is off by", off, "of", most)


def same(path):
    """The file here and the one of that path in the tree."""
    committed = os.path.join(ROOT, path)
    check(os.path.exists(committed), path, "is not in the tree")
    if read(path) == read(committed):
        return
    if path in ADDRESSES:
        equal(os.path.getsize(path), os.path.getsize(committed), path)
    elif path.endswith(".json"):
        equal(sorted_names(json.loads(read(path))), sorted_names(json.loads(read(committed))), path)
    else:
        check(path.endswith(".safetensors"), path, "differs from the committed file")
        same_tensors(path, path, committed)


def files():
    return [os.path.relpath(os.path.join(folder, n)) for folder, _, names in os.walk("tests") for n in names]


def runs(script):
    outputs, inputs = RUN[script]
    if not PYTHON:
        raise Skipped("SCTRUN_TORCH_PYTHON is not set")
    needs = "peft, timm" if "peft" in script else "timm"
    if subprocess.run([PYTHON, "-c", "import " + needs], capture_output=True).returncode:
        raise Skipped(PYTHON + " has no " + needs)
    for path in outputs + inputs + ["tests/golden/vit/"]:
        os.makedirs(os.path.dirname(path) if "." in os.path.basename(path) else path, exist_ok=True)
    for path in inputs:
        shutil.copy(os.path.join(ROOT, path), path)
    p = subprocess.run([PYTHON, "-B", os.path.join(SCRIPTS, script), *outputs], capture_output=True,
                       timeout=900 * PATIENCE, env={**os.environ, "OMP_NUM_THREADS": "1"})
    check(p.returncode == 0, script, p.stderr.decode()[-3000:])
    written = set(files()) - set(inputs)
    check(written, script, "wrote nothing")
    for path in sorted(written):
        same(path)


def left_out(script):
    raise Skipped(LEFT_OUT[script])


def named(script, what):
    def fn():
        what(script)
    fn.__name__ = script[:-3]
    test(fn)


@test
def every_script():
    """Each is run here, or left out for a reason."""
    equal(sorted(n for n in os.listdir(SCRIPTS) if n.startswith("make_")), sorted([*RUN, *LEFT_OUT]))


for s in sorted(RUN):
    named(s, runs)
for s in sorted(LEFT_OUT):
    named(s, left_out)
main()
