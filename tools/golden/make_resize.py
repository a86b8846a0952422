#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/resize/pillow.txt: checksums of Pillow's resize for generated images.

Two single-axis resizes are one resize with a fixed pass order, so the file does not depend on the
Pillow that runs this; the running Pillow's own order is checked against its rule.

    python3 tools/golden/make_resize.py tests/golden/resize/pillow.txt
"""
import sys
import zlib

import PIL
from PIL import Image

FILTERS = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
SIZES = [  # source w, h, result w, h
    (32, 32, 224, 224), (64, 64, 224, 224), (100, 100, 224, 224), (28, 28, 224, 224),
    (9, 7, 224, 224), (375, 500, 224, 224), (500, 375, 224, 224), (300, 500, 224, 224),
    (17, 1000, 224, 224), (1000, 17, 224, 224), (3, 2000, 224, 224), (2000, 3, 224, 224),
    (224, 224, 224, 224), (224, 100, 224, 224), (100, 224, 224, 224), (1, 1, 5, 3),
    (1, 9, 4, 4), (9, 1, 4, 4), (2, 2, 1, 1), (333, 251, 1, 1), (5, 5, 4, 6), (640, 480, 7, 5),
    (640, 480, 248, 248), (640, 480, 341, 256), (1024, 768, 384, 384), (2, 300, 1, 200),
    (96, 96, 64, 64), (33, 31, 32, 32), (255, 257, 256, 256), (47, 45, 48, 16),
]
ORDERS = ["horizontal", "pillow12", "pillow13"]


def noise(w, h, seed):
    """Bytes of a 32-bit linear congruential generator, top byte of each step."""
    out = bytearray(w * h * 3)
    s = seed
    for i in range(len(out)):
        s = (s * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = s >> 24
    return bytes(out)


def vertical_first(order, w, h, ow, oh):
    if order == "pillow12":
        return h > 100 * w and oh < h
    if order == "pillow13":
        return h - oh > 0 and h - oh > 2 * (w - ow)
    return False


def resize(image, size, resample, vertical):
    w, h = image.size
    middle = (w, size[1]) if vertical else (size[0], h)
    return image.resize(middle, resample).resize(size, resample)


def running_order():
    version = tuple(int(x) for x in PIL.__version__.split(".")[:2])
    return "horizontal" if version <= (12, 1) else "pillow12" if version < (13, 0) else "pillow13"


def main():
    lines = ["# source w h, result w h, filter, order, CRC-32 of the result; see make_resize.py"]
    for i, (w, h, ow, oh) in enumerate(SIZES):
        image = Image.frombytes("RGB", (w, h), noise(w, h, i))
        for name, resample in FILTERS.items():
            native = image.resize((ow, oh), resample)
            for order in ORDERS:
                result = resize(image, (ow, oh), resample, vertical_first(order, w, h, ow, oh))
                if order == running_order() and result.tobytes() != native.tobytes():
                    sys.exit(f"Pillow {PIL.__version__} does not follow {order}: {w}x{h} {name}")
                lines.append(f"{w} {h} {ow} {oh} {name} {order} {zlib.crc32(result.tobytes()):08x}")
    with open(sys.argv[1], "w", encoding="ascii") as f:
        f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
