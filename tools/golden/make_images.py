#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/images: small JPEG and PNG files of every kind, and Pillow's decoding of them.

images.txt holds lines "file w h CRC-32 of convert('RGB')", or "file refused words of the message".

    python3 tools/golden/make_images.py tests/golden/images
"""
import os
import sys
import zlib

from PIL import Image, ImageDraw

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


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    image = picture()
    names, refused = [], []

    def save(name, im, **options):
        im.save(os.path.join(folder, name), **options)
        names.append(name)

    for s, sampling in enumerate(("444", "422", "420")):
        save(f"{sampling}.jpg", image, quality=75, subsampling=s)
        save(f"{sampling}p.jpg", image, quality=90, subsampling=s, progressive=True)
    save("rgb.jpg", image, quality=80, keep_rgb=True)
    save("gray.jpg", image.convert("L"), quality=75)
    save("cmyk.jpg", image.convert("CMYK"), quality=75)
    save("rgb.png", image)
    save("rgb_t.png", image, transparency=(250, 20, 30))
    save("gray.png", image.convert("L"))
    save("gray_t.png", image.convert("L"), transparency=90)
    save("bit.png", image.convert("1"))
    for mode in ("LA", "RGBA"):
        other = image.convert(mode)
        other.putalpha(image.convert("L"))
        save(mode.lower() + ".png", other)
    for bits in (1, 2, 4, 8):
        save(f"palette{bits}.png", image.quantize(2**bits), bits=bits)
    save("palette_t.png", image.quantize(16), bits=4, transparency=3)

    def damage(name, source, change, words):
        with open(os.path.join(folder, source), "rb") as f:
            data = bytearray(f.read())
        with open(os.path.join(folder, name), "wb") as f:
            f.write(change(data))
        refused.append((name, words))

    def flip(data):
        data[len(data) // 2] ^= 1
        return data

    save("deep.png", Image.new("I;16", (W, H), 700))
    names.remove("deep.png")
    refused.append(("deep.png", "16-bit"))
    damage("cut.jpg", "420.jpg", lambda d: d[: len(d) // 2], "truncated")
    damage("cut_eoi.jpg", "420.jpg", lambda d: d[:-2], "truncated")
    damage("cut_p.jpg", "420p.jpg", lambda d: d[: len(d) // 2], "truncated")
    damage("cut_head.jpg", "420.jpg", lambda d: d[:60], "truncated")
    damage("cut.png", "rgb.png", lambda d: d[: len(d) // 2], "truncated")
    damage("cut_head.png", "rgb.png", lambda d: d[:20], "truncated")
    damage("crc.png", "rgb.png", flip, "IDAT")

    with open(os.path.join(folder, "images.txt"), "w", encoding="ascii") as f:
        f.write("# see tools/golden/make_images.py\n")
        for name in names:
            rgb = Image.open(os.path.join(folder, name)).convert("RGB")
            f.write(f"{name} {rgb.width} {rgb.height} {zlib.crc32(rgb.tobytes()):08x}\n")
        for name, words in refused:
            f.write(f"{name} refused {words}\n")


if __name__ == "__main__":
    main()
