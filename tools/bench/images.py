#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Time of decoding a 500 x 375 JPEG and resizing it to 224 x 224 (bicubic), beside Pillow's, on one
core. The two take turns in one run, so the ratio is to be trusted where the times are not.

    PYTHON tools/bench/images.py build/tests/data/pixels [--rounds 30] [FILE.jpg ...]

PYTHON has Pillow and NumPy. Without files a picture of waves and noise is made.
"""
import argparse
import io
import os
import statistics
import subprocess
import tempfile
import time

import numpy as np
import PIL
from PIL import Image, features


def picture():
    """Smooth waves with a little noise: about as many bytes as a photograph."""
    y, x = np.mgrid[0:375, 0:500].astype(float)
    noise = np.random.default_rng(1).normal(0, 6, (375, 500, 3))
    waves = [np.sin(x / (17 + 9 * c)) * np.cos(y / (23 - 5 * c)) for c in range(3)]
    return Image.fromarray(np.clip(128 + 90 * np.stack(waves, 2) + noise, 0, 255).astype("uint8"))


def pillow(data, rounds):
    decode = resize = 0.0
    for _ in range(rounds):
        a = time.perf_counter()
        image = Image.open(io.BytesIO(data)).convert("RGB")
        b = time.perf_counter()
        image.resize((224, 224), Image.Resampling.BICUBIC)
        decode, resize = decode + b - a, resize + time.perf_counter() - b
    return decode / rounds, resize / rounds


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("pixels")
    p.add_argument("files", nargs="*")
    p.add_argument("--rounds", type=int, default=30, help="turns")
    p.add_argument("--inner", type=int, default=10, help="pictures a turn")
    a = p.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print("Pillow", PIL.__version__, "libjpeg-turbo", features.version_feature("libjpeg_turbo"))
    with tempfile.TemporaryDirectory() as folder:
        files = a.files
        if not files:
            files = [os.path.join(folder, "a.jpg")]
            picture().save(files[0], quality=90)
        ours = subprocess.Popen([a.pixels], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def run(path, isa):
            ours.stdin.write("time %s %d %s\n" % (path, a.inner, isa))
            ours.stdin.flush()
            return tuple(map(float, ours.stdout.readline().split()))

        for path in files:
            with open(path, "rb") as f:
                data = f.read()
            turns = [(pillow(data, a.inner), run(path, "best"), run(path, "c"))
                     for _ in range(a.rounds)]
            print("%s: %d bytes" % (os.path.basename(path), len(data)))
            for name, k in (("Pillow", 0), ("sctrun", 1), ("sctrun, portable rows", 2)):
                ms = [1e3 * statistics.median(t[k][i] for t in turns) for i in (0, 1)]
                ratio = statistics.median(sum(t[0]) / sum(t[k]) for t in turns)
                resize = statistics.median(t[0][1] / t[k][1] for t in turns)
                print("  %-22s decode %.3f ms, resize %.3f ms, both %.2f times Pillow's speed, "
                      "resize alone %.2f" % (name, *ms, ratio, resize))


if __name__ == "__main__":
    main()
