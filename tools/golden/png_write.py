# SPDX-License-Identifier: MIT
"""png_write.py - PNG files of every colour type, bit depth and interlacing.

Pillow writes neither Adam7 nor most of the 16-bit kinds; this writes them all, without filters.
"""
import struct
import zlib

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
         (0, 1, 1, 2))


def chunk(tag, body):
    return struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body))


def pack_row(values, depth):
    if depth == 16:
        return struct.pack(">%dH" % len(values), *values)
    out, used, byte = bytearray(), 0, 0
    for v in values:
        byte = byte << depth | v
        used += depth
        if used == 8:
            out.append(byte)
            used = byte = 0
    if used:
        out.append(byte << (8 - used))
    return bytes(out)


def png(w, h, color, depth, sample, interlaced=False, palette=None, extra=()):
    """sample(x, y, channel) -> value below 2^depth; extra: chunks before the data."""
    n = CHANNELS[color]
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    raw = b""
    for x0, y0, dx, dy in passes:
        xs = range(x0, w, dx)
        if not len(xs):
            continue
        for y in range(y0, h, dy):
            raw += b"\0" + pack_row([sample(x, y, c) for x in xs for c in range(n)], depth)
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, color, 0, 0,
                                                            int(interlaced)))
    if palette is not None:
        out += chunk(b"PLTE", bytes(c for p in palette for c in p))
    for tag, body in extra:
        out += chunk(tag, body)
    return out + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b"")
