#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/image_ops/randaugment.txt and mix.txt: what timm's RandAugment operations do at
given magnitudes, and its mixup and cutmix with given shares. Needs timm (1.0.22 was used).

    python3 tools/golden/make_randaugment.py tests/golden/image_ops
"""
import os
import sys
import zlib

import numpy as np
from PIL import Image
from timm.data import auto_augment as aa
from timm.data import mixup

from make_resize import noise

FILL = (124, 116, 104)
FILTERS = {1: Image.Resampling.BILINEAR, 3: Image.Resampling.BICUBIC}


def operation(name, image, m, negate, kind):
    aa._randomly_negate = lambda v: -v if negate else v
    args = aa.LEVEL_TO_ARG[name](m, {}) if aa.LEVEL_TO_ARG[name] else ()
    if name == "PosterizeIncreasing" and args[0] == 0:
        return Image.new("RGB", image.size)  # Pillow before 13; 13 raises
    return aa.NAME_TO_OP[name](image, *args, fillcolor=FILL, resample=FILTERS[kind])


def randaugment():
    yield "# operation, magnitude, negate, filter, w h, CRC-32 of the result; see make_randaugment.py"
    names = aa._RAND_INCREASING_TRANSFORMS
    assert len(names) == 15, names
    for at, (w, h) in enumerate([(40, 31), (24, 48)]):
        raw = bytes(30 + v // 2 for v in noise(w, h, at)) if at else noise(w, h, at)
        image = Image.frombytes("RGB", (w, h), raw)
        for op, name in enumerate(names):
            for m in (0.0, 0.3, 2.5, 4.999, 7.77, 9.0, 9.43, 10.0):
                for negate in (0, 1):
                    for kind in FILTERS:
                        crc = zlib.crc32(operation(name, image, m, negate, kind).tobytes())
                        yield f"{op} {m!r} {negate} {kind} {w} {h} {crc:08x}"


def mix():
    yield "# side, lam, whether a box is cut, box x0 y0 x1 y1, CRC-32 of both; see make_randaugment.py"
    for at, (side, lam, box) in enumerate([
            (16, 0.37, None), (16, 0.5, None), (31, 0.999, None), (16, 1e-3, None),
            (16, 0.3, (3, 0, 9, 16)), (16, 0.3, (0, 0, 16, 16)), (31, 0.3, (30, 2, 31, 3))]):
        raw = np.frombuffer(noise(side, 2 * side, at), "uint8").reshape(2, side, side, 3)
        batch = [(np.ascontiguousarray(x.transpose(2, 0, 1)), i) for i, x in enumerate(raw)]
        m = mixup.FastCollateMixup(num_classes=2)
        m._params_per_batch = lambda: (lam, box is not None)
        if box:
            x0, y0, x1, y1 = box
            mixup.cutmix_bbox_and_lam = lambda *a, **k: ((y0, y1, x0, x1), lam)
        out = np.zeros((2, 3, side, side), "uint8")
        import torch
        out = torch.from_numpy(out)
        m._mix_batch_collate(out, batch)
        both = out.numpy().transpose(0, 2, 3, 1).tobytes()
        numbers = " ".join(map(str, box or (0, 0, 0, 0)))
        yield f"{side} {lam!r} {int(box is not None)} {numbers} {zlib.crc32(both):08x}"


def main():
    for name, lines in (("randaugment.txt", randaugment()), ("mix.txt", mix())):
        with open(os.path.join(sys.argv[1], name), "w", encoding="ascii") as f:
            f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
