# SPDX-License-Identifier: MIT
"""pillow.py - decoding, resampling and image operations equal Pillow's, byte for byte.

Needs SCTRUN_TORCH_PYTHON, a Python with Pillow and NumPy, which runs this file again; the
pictures of SCTRUN_ASSETS/data are compared too when they are there. SCTRUN_PIXELS is the program of
pixels.c. What is compared is counted and printed; a single byte that differs fails.
"""
import glob
import io
import os
import random
import subprocess
import sys
import tempfile

SKIP = 77
FILTERS = ["box", "bilinear", "hamming", "bicubic", "lanczos"]


class Pixels:
    """The program of pixels.c, and what came of comparing with it."""

    def __init__(self):
        self.p = subprocess.Popen([os.environ["SCTRUN_PIXELS"]], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        self.pictures = self.bytes = 0
        self.differing = []

    def run(self, line, pixels=b""):
        self.p.stdin.write(line.encode() + b"\n" + pixels)
        self.p.stdin.flush()
        head = self.p.stdout.readline()
        if not head:
            sys.exit("pixels ended at: " + line)
        w, h = map(int, head.split())
        return (w, h), self.p.stdout.read(w * h * 3)

    def compare(self, line, image, want):
        """image: the operand, or None; want: Pillow's result, an RGB image."""
        size, got = self.run(line, image.tobytes() if image else b"")
        other = want.tobytes()
        self.pictures += 1
        self.bytes += len(other)
        if size != want.size or got != other:
            n = sum(a != b for a, b in zip(got, other)) if size == want.size else -1
            self.differing.append("%s: %d of %d bytes" % (line, n, len(other)))

    def done(self, what):
        print("%s: %d results, %d bytes, %d results differ" % (what, self.pictures, self.bytes,
                                                              len(self.differing)))
        for line in self.differing[:20]:
            print("    " + line)
        bad = bool(self.differing)
        self.pictures = self.bytes = 0
        self.differing = []
        return bad


def make(r, w, h, np, Image):
    """A picture of waves, blocks and noise: smooth and rough parts."""
    y, x = np.mgrid[0:h, 0:w].astype(float)
    a = np.zeros((h, w, 3))
    for c in range(3):
        fx, fy = r.uniform(0.02, 0.7), r.uniform(0.02, 0.7)
        a[..., c] = 128 + 127 * np.sin(fx * x + r.uniform(0, 6)) * np.cos(fy * y + c)
    rough = np.random.default_rng(r.randrange(1 << 30)).integers(0, 256, (h, w, 3))
    at = r.randrange(4)
    if at == 1:
        a = rough
    elif at == 2:
        a = np.where((x // 8 + y // 8)[..., None] % 2 == 0, a, rough)
    elif at == 3:
        a = a * r.uniform(0.1, 0.8) + r.uniform(0, 50)
    return Image.fromarray(np.clip(a, 0, 255).astype("uint8"))


def order_of(PIL):
    version = tuple(int(v) for v in PIL.__version__.split(".")[:2])
    return "horizontal" if version < (12, 2) else "pillow-12.2" if version < (13, 0) else \
        "pillow-13"


def side(r):
    return r.choice([1, 2, 3, 7, 17, 32, 64, 97, 224, 333, 500, 640])


def files(p, r, np, Image, folder):
    """Files of every mode and subsampling, decoded and then resized."""
    kinds = [("jpg", m, dict(quality=q, subsampling=s, progressive=g))
             for m in ("RGB", "L") for q in (20, 75, 95) for s in (0, 1, 2) for g in (False, True)]
    kinds += [("jpg", "CMYK", dict(quality=q)) for q in (50, 90)]
    kinds += [("png", m, {}) for m in ("RGB", "L", "P", "1", "LA", "RGBA")]
    for n in range(6):
        for ext, mode, options in kinds:
            w, h = max(side(r), 2), max(side(r), 2)
            image = make(r, w, h, np, Image)
            image = image.quantize(50) if mode == "P" else image.convert(mode)
            path = os.path.join(folder, "a%d.%s" % (n, ext))
            image.save(path, **options)
            yield path


def compare_files(p, paths, PIL, Image, r):
    order = order_of(PIL)
    for i, path in enumerate(paths):
        with Image.open(path) as f:
            image = f.convert("RGB")
        p.compare("decode " + path, None, image)
        size = (224, 224) if i % 2 else (side(r), side(r))
        for name in FILTERS:
            line = "resize %s %s %d %d %d %d" % ((name, order) + size + image.size)
            p.compare(line, image, image.resize(size, getattr(Image.Resampling, name.upper())))


def operations(r, Image):
    """(name, argument, filter, the same of Pillow) for every operation."""
    from PIL import ImageEnhance, ImageOps
    import numpy as np
    fill = (124, 116, 104)
    f = r.choice([0, 1, r.uniform(0, 1), r.uniform(1, 2), r.uniform(0.1, 1.9), 3.7])
    bits, limit, add = r.randrange(1, 9), r.randrange(257), r.randrange(129)
    kind = r.choice([1, 3])
    how = Image.Resampling.BILINEAR if kind == 1 else Image.Resampling.BICUBIC
    shear, degrees = r.uniform(-0.4, 0.4), r.choice([0.0, r.uniform(-45, 45)])

    def move(*m):
        return lambda i: i.transform(i.size, Image.Transform.AFFINE, m, resample=how,
                                     fillcolor=fill)

    def hue(image):
        h, s, v = image.convert("HSV").split()
        h = Image.fromarray((np.array(h).astype(int) + bits * 23).astype("uint8"))
        return Image.merge("HSV", (h, s, v)).convert("RGB")

    def table(fn):
        return lambda i: i.point([fn(v) for v in range(256)] * 3)

    yield "autocontrast", 0, 0, ImageOps.autocontrast
    yield "equalize", 0, 0, ImageOps.equalize
    yield "invert", 0, 0, ImageOps.invert
    yield "posterize", bits, 0, lambda i: ImageOps.posterize(i, bits)
    yield "solarize", limit, 0, lambda i: ImageOps.solarize(i, limit)
    yield "solarize_add", add, 0, table(lambda v: min(255, v + add) if v < 128 else v)
    for name in ("Color", "Contrast", "Brightness", "Sharpness"):
        yield name.lower(), f, 0, lambda i, n=name: getattr(ImageEnhance, n)(i).enhance(f)
    yield "hue", bits * 23, 0, hue
    yield "hflip", 0, 0, ImageOps.mirror
    yield "rotate", degrees, kind, lambda i: i.rotate(degrees, resample=how, fillcolor=fill)
    yield "shear_x", shear, kind, move(1, shear, 0, 0, 1, 0)
    yield "shear_y", shear, kind, move(1, 0, 0, shear, 1, 0)
    yield "translate_x", shear, kind, lambda i: move(1, 0, shear * i.size[0], 0, 1, 0)(i)
    yield "translate_y", shear, kind, lambda i: move(1, 0, 0, 0, 1, shear * i.size[1])(i)


def compare_operations(p, pictures, Image, r):
    for image in pictures:
        for name, a, b, fn in operations(r, Image):
            p.compare("op %s %r %d %d %d" % ((name, a, b) + image.size), image, fn(image))


def every_color(p, np, Image):
    """All 2^24 colours through the hue."""
    v = np.arange(4096 * 4096, dtype="uint32")
    image = Image.fromarray(np.stack([v >> 16, v >> 8 & 255, v & 255], 1).astype("uint8")
                            .reshape(4096, 4096, 3))
    p.compare("op hue 0 0 4096 4096", image, image.convert("HSV").convert("RGB"))


def compare():
    import numpy as np
    import PIL
    from PIL import Image
    r, p, bad = random.Random(20), Pixels(), False
    print("Pillow", PIL.__version__, "pass order", order_of(PIL))
    with tempfile.TemporaryDirectory() as folder:
        compare_files(p, files(p, r, np, Image, folder), PIL, Image, r)
    bad |= p.done("generated files, decoded and resized with five filters")
    assets = os.environ.get("SCTRUN_ASSETS")
    real = sorted(glob.glob(os.path.join(assets or "", "data/**/*.jpg"), recursive=True))
    r.shuffle(real)
    if assets:
        compare_files(p, real[:100], PIL, Image, r)
        bad |= p.done("pictures of SCTRUN_ASSETS, decoded and resized with five filters")
    compare_operations(p, (make(r, side(r), side(r), np, Image) for _ in range(100)), Image, r)
    bad |= p.done("operations on generated pictures")
    if assets:
        compare_operations(p, (Image.open(f).convert("RGB") for f in real[100:150]), Image, r)
        bad |= p.done("operations on pictures of SCTRUN_ASSETS")
    every_color(p, np, Image)
    bad |= p.done("all colours through HSV")
    return bad


def main():
    python = os.environ.get("SCTRUN_TORCH_PYTHON")
    if "run" in sys.argv:
        sys.exit(1 if compare() else 0)
    if not python:
        print("skipped: SCTRUN_TORCH_PYTHON is not set")
        sys.exit(SKIP)
    if subprocess.run([python, "-c", "import PIL, numpy"], stderr=subprocess.DEVNULL).returncode:
        print("skipped: SCTRUN_TORCH_PYTHON has no Pillow or no NumPy")
        sys.exit(SKIP)
    sys.exit(subprocess.run([python, os.path.abspath(__file__), "run"]).returncode)


if __name__ == "__main__":
    main()
