# SPDX-License-Identifier: MIT
"""preprocess_torch.py - the presets of evaluation give the very floats of torchvision, timm and
transformers. Needs SCTRUN_TORCH_PYTHON, a Python with these and Pillow; pictures are made, those of
SCTRUN_ASSETS are added."""
import glob

from e2e import *

PYTHON = os.environ.get("SCTRUN_TORCH_PYTHON", "")
ASSETS = os.environ.get("SCTRUN_ASSETS", "")
S = 96

WRITER = """
import json, sys
import numpy as np, PIL, torch
from PIL import Image
from torchvision import transforms as T
from torchvision.transforms import InterpolationMode as I
from timm.data import create_transform
from transformers import ViTImageProcessor
S, folder, files = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
imagenet = (.485, .456, .406), (.229, .224, .225)
half = (.5,) * 3, (.5,) * 3
def tensor(*steps, stats=imagenet):
    return T.Compose([*steps, T.ToTensor()] + ([T.Normalize(*stats)] if stats else []))
squash = lambda size, how: T.Resize((size, size), interpolation=how)
short, large = lambda size, how: T.Resize(size, interpolation=how), int(S / 0.875)
crop = T.CenterCrop(S)
hf = ViTImageProcessor(size={"height": S, "width": S}, resample=2, image_mean=[.5] * 3,
                       image_std=[.5] * 3, backend="pil") if hasattr(ViTImageProcessor, "backend") \\
    else ViTImageProcessor(size={"height": S, "width": S})
presets = {
    "vtab-imagenet": tensor(squash(S, I.BICUBIC)),
    "vtab-half": tensor(squash(S, I.BICUBIC), stats=half),
    "none": tensor(squash(S, I.BICUBIC), stats=None),
    "timm-eval": create_transform((3, S, S), is_training=False, interpolation="bicubic",
                                  mean=(.4, .5, .6), std=(.3, .2, .1), crop_pct=0.9),
    "swin-eval": tensor(short(large, I.BICUBIC), crop),
    "vpt-fgvc": tensor(short(large, I.BILINEAR), crop),
    "spt-fgvc": tensor(squash(large, I.BICUBIC), crop),
    "hf-vit": lambda i: torch.from_numpy(np.asarray(hf(i, return_tensors="np")["pixel_values"][0])),
}
from transformers import AutoImageProcessor
for name, fn in presets.items():
    v = np.stack([np.asarray(fn(Image.open(f).convert("RGB")), "<f4") for f in files])
    np.save(folder + "/" + name + ".npy", v)
print(json.dumps({"pillow": PIL.__version__, "presets": list(presets),
                  "hf": type(hf).__name__}))
"""


@test
def same_floats():
    if not PYTHON:
        raise Skipped("SCTRUN_TORCH_PYTHON is not set")
    probe = subprocess.run([PYTHON, "-c", "import torchvision, timm, transformers"],
                           capture_output=True)
    if probe.returncode:
        raise Skipped("SCTRUN_TORCH_PYTHON lacks torchvision, timm or transformers")
    model(image_size=S, patch_size=32, mean="[0.4, 0.5, 0.6]", std="[0.3, 0.2, 0.1]")
    base(image_size=S, patch_size=32)
    files = []
    r = random.Random(1)
    for i, (w, h) in enumerate(((S, S), (130, 97), (97, 300), (300, 97), (33, 28), (108, 109),
                                (500, 375), (375, 500))):
        noise = bytes(r.randrange(256) for _ in range(w * h * 3))
        files.append(png("pictures/%d.png" % i, w, h, noise))
    files += sorted(glob.glob(os.path.join(os.path.abspath(ASSETS), "data/*/images/test/*.jpg")))[
        :200:10] if ASSETS else []
    p = subprocess.run([PYTHON, "-c", WRITER, str(S), ".", *files], capture_output=True, timeout=300 * PATIENCE)
    check(p.returncode == 0, p.stderr.decode()[-3000:])
    about = json.loads(p.stdout.decode().splitlines()[-1])
    version = tuple(int(v) for v in about["pillow"].split(".")[:2])
    order = "horizontal" if version < (12, 2) else "pillow-12.2" if version < (13, 0) else "pillow-13"
    one = 3 * S * S
    for preset in about["presets"]:
        want = read_npy(preset + ".npy")[1]
        off = 0
        for i, f in enumerate(files):
            folder = "%s-%d" % (preset, i)
            sctrun("dump", "--site", "input", "--image", f, "--model", "tiny.yaml", "--weights",
                   "base.safetensors", "--output", folder, "--preprocess", preset, "--pass-order",
                   order)
            found = read_npy(folder + "/input.npy")[1]
            off += sum(a != b for a, b in zip(found, want[i * one:(i + 1) * one]))
        print("%s: %d of %d floats differ" % (preset, off, len(want)))
        equal(off, 0, preset)


main()
