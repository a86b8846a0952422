#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# embed.py - turns kernel sources into one C file, so that the module needs no file at run time.
# usage: embed.py OUT.c SOURCE... [--digest FILE...]
# Files after --digest are not embedded; they only enter the digest, which names the whole set of
# kernels and rows: a self-test verdict of another set does not count.
import hashlib
import os
import sys


def c_array(index, data):
    """One byte a number: string literals of this length are beyond what C11 promises."""
    lines = [f"static const char text_{index}[] = {{"]
    codes = [str(byte) for byte in data] + ["0"]
    for i in range(0, len(codes), 20):
        lines.append("    " + ", ".join(codes[i:i + 20]) + ",")
    lines.append("};")
    return "\n".join(lines)


def main(argv):
    if len(argv) < 3:
        sys.exit("usage: embed.py OUT.c SOURCE... [--digest FILE...]")
    out, rest = argv[1], argv[2:]
    cut = rest.index("--digest") if "--digest" in rest else len(rest)
    sources, extra = rest[:cut], rest[cut + 1:]
    digest = hashlib.sha256()
    arrays, rows = [], []
    for index, path in enumerate(sources):
        with open(path, "rb") as file:
            data = file.read()
        if any(byte > 126 for byte in data):
            sys.exit(f"{path}: kernel sources are plain ASCII")
        name = os.path.basename(path)
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
        arrays.append(c_array(index, data))
        rows.append(f'    {{"{name}", text_{index}}},')
    for path in extra:
        with open(path, "rb") as file:
            data = file.read()
        digest.update(f"{os.path.basename(path)}\0{len(data)}\0".encode() + data)
    with open(out, "w", encoding="ascii") as file:
        file.write("/* made by embed.py; do not edit */\n")
        file.write('#include "backends/opencl/cl_internal.h"\n\n')
        file.write("\n".join(arrays))
        file.write("\n\nconst struct cl_source cl_sources[] = {\n" + "\n".join(rows) + "\n};\n")
        file.write("const size_t cl_sources_count = sizeof cl_sources / sizeof cl_sources[0];\n")
        file.write(f'const char cl_sources_digest[] = "{digest.hexdigest()}";\n')


main(sys.argv)
