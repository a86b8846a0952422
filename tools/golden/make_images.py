#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/images: small JPEG, PNG and WebP files of every kind, and Pillow's decoding.

images.txt holds a line a file:

    file plain w h CRC-32       of convert('RGB')
    file webp w h CRC-32        the same, where the build has libwebp
    file deep w h CRC-32        16 bits a channel: refused by default, so with --deep-png pillow
    file refused WORDS          of the message

Needs Pillow, NumPy and, for sampling factors that Pillow cannot write, libturbojpeg.

    python3 tools/golden/make_images.py tests/golden/images
"""
import ctypes
import ctypes.util
import os
import sys
import zlib

import numpy as np
from PIL import Image, ImageDraw

from png_write import DEPTHS, png

W, H = 37, 29


def picture():
    """Smooth colours with hard edges: what chroma upsampling and the IDCT disagree about."""
    image = Image.new("RGB", (W, H))
    for y in range(H):
        for x in range(W):
            image.putpixel((x, y), (x * 255 // W, y * 255 // H, (x * 7 + y * 13) % 256))
    draw = ImageDraw.Draw(image)
    draw.ellipse((5, 4, 20, 21), fill=(250, 20, 30))
    draw.rectangle((18, 12, 33, 25), fill=(10, 60, 240))
    draw.line((0, 28, 36, 0), fill=(255, 255, 255))
    return image


class Folder:
    """The files written so far and what the reader must make of each."""

    def __init__(self, path):
        self.path, self.kinds = path, {}
        os.makedirs(path, exist_ok=True)

    def full(self, name):
        return os.path.join(self.path, name)

    def bytes(self, name, data, kind="plain"):
        with open(self.full(name), "wb") as f:
            f.write(data)
        self.kinds[name] = kind

    def save(self, name, image, kind="plain", **options):
        image.save(self.full(name), **options)
        self.kinds[name] = kind

    def damage(self, name, source, change, words):
        with open(self.full(source), "rb") as f:
            self.bytes(name, bytes(change(bytearray(f.read()))), "refused " + words)

    def index(self):
        with open(self.full("images.txt"), "w", encoding="ascii") as f:
            f.write("# see tools/golden/make_images.py\n")
            for name, kind in self.kinds.items():
                if not kind.startswith("refused"):
                    rgb = Image.open(self.full(name)).convert("RGB")
                    kind += f" {rgb.width} {rgb.height} {zlib.crc32(rgb.tobytes()):08x}"
                f.write(f"{name} {kind}\n")


def turbo(pixels, kind, sampling, quality=80, progressive=False):
    """pixels: uint8 [h][w][c] -> JPEG; libturbojpeg writes what it is given as CMYK as YCCK."""
    lib = ctypes.CDLL(ctypes.util.find_library("turbojpeg"))
    lib.tjInitCompress.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(lib.tjInitCompress())
    pixels = np.ascontiguousarray(pixels)
    out, size = ctypes.c_void_p(), ctypes.c_ulong()
    rc = lib.tjCompress2(handle, pixels.ctypes.data_as(ctypes.c_void_p), pixels.shape[1], 0,
                         pixels.shape[0], {"RGB": 0, "CMYK": 11}[kind], ctypes.byref(out),
                         ctypes.byref(size),
                         {"444": 0, "422": 1, "420": 2, "440": 4, "411": 5}[sampling], quality,
                         16384 if progressive else 0)
    if rc != 0:
        raise SystemExit("libturbojpeg does not write %s %s" % (kind, sampling))
    return ctypes.string_at(out, size.value)


def jpegs(f, image):
    for s, sampling in enumerate(("444", "422", "420")):
        f.save(f"{sampling}.jpg", image, quality=75, subsampling=s)
        f.save(f"{sampling}p.jpg", image, quality=90, subsampling=s, progressive=True)
    f.save("rgb.jpg", image, quality=80, keep_rgb=True)
    f.save("gray.jpg", image.convert("L"), quality=75)
    f.save("grayp.jpg", image.convert("L"), quality=75, progressive=True)
    f.save("cmyk.jpg", image.convert("CMYK"), quality=75)
    f.save("restart.jpg", image, quality=75, restart_marker_blocks=2)
    exif = Image.Exif()
    exif[274] = 6  # to be turned by 90 degrees, which Image.open does not do
    f.save("turned.jpg", image, quality=75, exif=exif)
    rgb = np.asarray(image)
    noise = np.random.default_rng(7).integers(0, 256, rgb.shape[:2] + (4,), np.uint8)
    cmyk = (np.asarray(image.convert("CMYK")).astype(int) * 3 // 4 + noise // 4).astype(np.uint8)
    for sampling in ("440", "411"):
        for mode in ("", "p"):
            f.bytes(f"{sampling}{mode}.jpg", turbo(rgb, "RGB", sampling, progressive=bool(mode)))
    for sampling in ("444", "420", "440", "411"):
        f.bytes(f"ycck{sampling}.jpg", turbo(255 - cmyk, "CMYK", sampling))
    f.bytes("one.jpg", turbo(rgb[:1, :1], "RGB", "420"))
    f.bytes("jpeg_as.png", turbo(rgb, "RGB", "420"))  # content decides, not the name


def pngs(f, image):
    f.save("rgb.png", image)
    f.save("rgb_t.png", image, transparency=(250, 20, 30))
    f.save("gray.png", image.convert("L"))
    f.save("gray_t.png", image.convert("L"), transparency=90)
    f.save("bit.png", image.convert("1"))
    for mode in ("LA", "RGBA"):
        other = image.convert(mode)
        other.putalpha(image.convert("L"))
        f.save(mode.lower() + ".png", other)
    for bits in (1, 2, 4, 8):
        f.save(f"palette{bits}.png", image.quantize(2**bits), bits=bits)
    f.save("palette_t.png", image.quantize(16), bits=4, transparency=3)
    for color, depths in DEPTHS.items():
        for depth in depths:
            palette = None
            if color == 3:
                palette = [((i * 37) % 256, (i * 91 + 5) % 256, 255 - i) for i in range(2**depth)]

            def sample(x, y, c, top=2**depth):
                # at 16 bits the top rows stay below 256, where Pillow's gray does not saturate
                v = (x * 7919 + y * 104729 + c * 31337 + x * y * 17) % top
                return v % 256 if top > 256 and y < 5 else v

            for interlaced in (False, True):
                name = f"c{color}d{depth}{'i' if interlaced else ''}.png"
                f.bytes(name, png(13, 11, color, depth, sample, interlaced, palette),
                        "deep" if depth == 16 else "plain")
    grey = lambda x, y, c: (x + y) % 16
    f.bytes("short_palette.png", png(9, 7, 3, 4, grey, palette=[(250, 1, 2 + i) for i in range(5)]))  # 11 missing
    f.bytes("palette_alpha.png", png(9, 7, 3, 4, grey, palette=[(9 * i, 255 - i, i) for i in
                                                               range(16)],
                                     extra=[(b"tRNS", bytes(range(0, 160, 10)))]))
    f.bytes("gamma.png", png(9, 7, 2, 8, lambda x, y, c: x * 20 + y + c,
                             extra=[(b"gAMA", (22000).to_bytes(4, "big"))]))
    f.bytes("deep_t.png", png(9, 7, 0, 16, lambda x, y, c: x * 40 + y,
                              extra=[(b"tRNS", (80).to_bytes(2, "big"))]), "deep")


def webps(f, image):
    alpha = image.convert("RGBA")
    alpha.putalpha(image.convert("L"))
    for q in (20, 75, 100):
        f.save(f"lossy{q}.webp", image, "webp", quality=q)
    f.save("lossless.webp", image, "webp", lossless=True)
    f.save("lossy_alpha.webp", alpha, "webp", quality=60)
    f.save("lossless_alpha.webp", alpha, "webp", lossless=True, exact=True)
    f.save("odd.webp", image.crop((0, 0, 7, 5)), "webp", quality=75)
    f.save("moving.webp", image, "refused WebP", save_all=True,
           append_images=[image.rotate(180)], duration=100)


def damaged(f):
    def flip(data):
        data[len(data) // 2] ^= 1
        return data

    half = lambda d: d[: len(d) // 2]
    f.damage("cut.jpg", "420.jpg", half, "truncated")
    f.damage("cut_eoi.jpg", "420.jpg", lambda d: d[:-2], "truncated")
    f.damage("cut_p.jpg", "420p.jpg", half, "truncated")
    f.damage("cut_head.jpg", "420.jpg", lambda d: d[:60], "truncated")
    f.damage("cut.png", "rgb.png", half, "truncated")
    f.damage("cut_head.png", "rgb.png", lambda d: d[:20], "truncated")
    f.damage("crc.png", "rgb.png", flip, "IDAT")
    f.damage("cut.webp", "lossy75.webp", half, "WebP")
    f.damage("cut_lossless.webp", "lossless.webp", half, "WebP")
    f.damage("cut_head.webp", "lossy75.webp", lambda d: d[:14], "WebP")


def main():
    f = Folder(sys.argv[1])
    image = picture()
    jpegs(f, image)
    pngs(f, image)
    webps(f, image)
    damaged(f)
    f.index()


if __name__ == "__main__":
    main()
