#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/image_ops/pillow.txt: checksums of Pillow's operations on generated pictures.

    python3 tools/golden/make_image_ops.py tests/golden/image_ops/pillow.txt

Pillow 9 to 13 give the same file.
"""
import sys
import zlib

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from make_resize import noise

FILL = (124, 116, 104)
SIZES = [(1, 1), (2, 3), (17, 9), (40, 31), (64, 48)]
FILTERS = {1: Image.Resampling.BILINEAR, 3: Image.Resampling.BICUBIC}


def affine(image, m, b):
    return image.transform(image.size, Image.Transform.AFFINE, m, resample=FILTERS[b],
                           fillcolor=FILL)


def hue(image, shift):
    h, s, v = image.convert("HSV").split()
    h = Image.fromarray((np.array(h).astype(int) + shift).astype("uint8"))
    return Image.merge("HSV", (h, s, v)).convert("RGB")


def table(image, fn):
    return image.point([fn(v) for v in range(256)] * 3)


def enhance(kind):
    return lambda i, a, b: kind(i).enhance(a)


OPS = {
    "autocontrast": ([0], lambda i, a, b: ImageOps.autocontrast(i)),
    "equalize": ([0], lambda i, a, b: ImageOps.equalize(i)),
    "invert": ([0], lambda i, a, b: ImageOps.invert(i)),
    "hflip": ([0], lambda i, a, b: ImageOps.mirror(i)),
    "posterize": ([1, 4, 7], lambda i, a, b: ImageOps.posterize(i, a)),
    "solarize": ([0, 26, 200, 256], lambda i, a, b: ImageOps.solarize(i, a)),
    "solarize_add": ([0, 99, 128],
                     lambda i, a, b: table(i, lambda v: min(255, v + a) if v < 128 else v)),
    "color": ([0, 0.1, 0.7, 1, 1.81, 3], enhance(ImageEnhance.Color)),
    "contrast": ([0, 0.1, 0.7, 1, 1.81, 3], enhance(ImageEnhance.Contrast)),
    "brightness": ([0, 0.1, 0.7, 1, 1.81, 3], enhance(ImageEnhance.Brightness)),
    "sharpness": ([0, 0.1, 0.7, 1, 1.81, 3], enhance(ImageEnhance.Sharpness)),
    "hue": ([0, 1, 100, 255], lambda i, a, b: hue(i, a)),
}
MAPS = {
    "rotate": ([-30, -7.3, 0, 0.01, 27], lambda i, a, b: i.rotate(a, FILTERS[b], fillcolor=FILL)),
    "shear_x": ([-0.3, 0.123], lambda i, a, b: affine(i, (1, a, 0, 0, 1, 0), b)),
    "shear_y": ([-0.3, 0.123], lambda i, a, b: affine(i, (1, 0, 0, a, 1, 0), b)),
    "translate_x": ([-0.45, 0.21], lambda i, a, b: affine(i, (1, 0, a * i.size[0], 0, 1, 0), b)),
    "translate_y": ([-0.45, 0.21], lambda i, a, b: affine(i, (1, 0, 0, 0, 1, a * i.size[1]), b)),
}


def cases():
    for name, (values, fn) in OPS.items():
        yield from ((name, a, 0, fn) for a in values)
    for name, (values, fn) in MAPS.items():
        yield from ((name, a, b, fn) for a in values for b in FILTERS)


def main():
    lines = ["# operation, its number, its filter, w h, whether the noise is narrowed to 30 + v / 2,",
             "# CRC-32 of the result; see make_image_ops.py"]
    for at, (w, h) in enumerate(SIZES):
        for narrow in (0, 1):
            raw = noise(w, h, at)
            raw = bytes(30 + v // 2 for v in raw) if narrow else raw
            image = Image.frombytes("RGB", (w, h), raw)
            for name, a, b, fn in cases():
                crc = zlib.crc32(fn(image, a, b).tobytes())
                lines.append(f"{name} {a!r} {b} {w} {h} {narrow} {crc:08x}")
    with open(sys.argv[1], "w", encoding="ascii") as f:
        f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
