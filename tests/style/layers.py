#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# layers.py - who may include whom. One line a folder; a file that needs more is named with the
# header it needs, so that an exception stays one exception. usage: layers.py SOURCE_ROOT
import os
import re
import sys

# Public headers (<sctrun/..>, "include") and a folder's own headers are allowed to everybody
# but those below whose row says otherwise.
CORE = ['core/' + x for x in ('base ir ops grad fuse plan exec peft model data io checkpoint plug '
                              'report export settings pretrained graphs tune adapter train').split()]


def core(names):
    return ['core/' + x for x in names.split()]


MAY = {
    'include': [],
    'plugins': [],
    'kernels': [],
    'kernels/ref': ['kernels'],
    'kernels/cpu': ['kernels'],
    'kernels/opencl': [],
    'backends/ref': ['kernels', 'kernels/ref'],
    'backends/cpu': ['kernels', 'kernels/ref', 'kernels/cpu'],
    'backends/opencl': ['kernels'],
    'core/base': [],
    'core/ir': core('base'),
    'core/plug': core('base'),
    'core/io': core('base'),
    'core/report': core('base'),
    'core/checkpoint': core('base io'),
    'core/ops': core('base ir'),
    'core/grad': core('base ir'),
    'core/fuse': core('base ir'),
    'core/model': core('base ir'),
    'core/plan': core('base ir fuse'),
    'core/exec': core('base ir plan plug'),
    'core/data': core('base io plug'),
    'core/peft': core('base ir io checkpoint plug'),
    'core/export': core('base ir io checkpoint model data'),
    'core/settings': core('base io checkpoint plug model data peft exec'),
    'core/pretrained': core('base io checkpoint plug model data'),
    'core/graphs': core('base ir grad peft'),
    'core/tune': core('base io checkpoint plug model data peft plan exec settings graphs'),
    'core/adapter': core('base ir io checkpoint model data peft exec pretrained graphs tune'),
    'core/train': CORE,
    'core/ablate': core('base io data plug report settings tune adapter train'),
    'tools': None,  # anything
    'tests': None,
}
# The reference backend is built into the library; the table of ops names every op's inference
# and gradient; the random numbers of the host are those of
# the kernels, from one header.
EXTRA = {
    'core/plug/module.c': ['backends/ref/ref_backend.h'],
    'core/ir/op_table.c': ['core/ops/vjp.h'],
    'core/ir/init.c': ['kernels/philox.h'],
    'core/data/draw.c': ['kernels/philox.h'],
    'core/data/order.c': ['kernels/philox.h'],
    'core/data/scene.c': ['kernels/philox.h'],
}
# What a layer may take from outside the project, where that is part of the design.
SYSTEM = {
    'plugins': r'^(math|string|stdlib|stdio|stdint|stddef|stdbool|float|limits|ctype)\.h$',
    'kernels/ref': r'^(math|string|stdint|stddef|float|limits)\.h$',
}
# A library is used in one place only.
OWNER = {
    'yaml.h': ['core/io'], 'jansson.h': ['core/io'], 'jpeglib.h': ['core/data'],
    'jerror.h': ['core/data'], 'png.h': ['core/data'], 'webp/decode.h': ['core/data'],
    'dlfcn.h': ['core/plug', 'backends/opencl'], 'CL/cl.h': ['backends/opencl'],
    'zip.h': ['core/checkpoint'], 'zlib.h': ['core/checkpoint'], 'onnx.pb-c.h': ['core/export'],
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(["<])([^">]+)[">]', re.M)


def unit(path):
    parts = path.split('/')
    if parts[0] in ('core', 'backends', 'kernels') and len(parts) > 2:
        return '/'.join(parts[:2])
    return parts[0]


def check_project(root, path, name, errors):
    """One include of a header of ours, as #include "core/base/mem.h"."""
    if not os.path.isfile(os.path.join(root, name)):
        errors.append('%s: "%s" is not a path from the repository root' % (path, name))
        return
    me, it = unit(path), unit(name)
    if me not in MAY:
        errors.append('%s: its folder has no line in tests/style/layers.py' % path)
    elif MAY[me] is not None and it != me and it not in MAY[me] and name not in EXTRA.get(path, []):
        errors.append('%s: %s may not include "%s"' % (path, me, name))


def check_file(root, path, errors, used):
    with open(os.path.join(root, path), encoding='utf-8') as f:
        text = f.read()
    me = unit(path)
    for kind, name in INCLUDE.findall(text):
        used.add((path, name))
        if kind == '"':
            check_project(root, path, name, errors)
        elif not name.startswith('sctrun/'):
            if me in SYSTEM and not re.match(SYSTEM[me], name):
                errors.append('%s: %s may not include <%s>' % (path, me, name))
            if name in OWNER and me not in OWNER[name] + ['tests', 'tools']:
                errors.append('%s: <%s> belongs to %s' % (path, name, ', '.join(OWNER[name])))


def main(root):
    errors, used, n = [], set(), 0
    for top in sorted({u.split('/')[0] for u in MAY}):
        for folder, _, files in os.walk(os.path.join(root, top)):
            for name in sorted(files):
                if name.endswith(('.c', '.h', '.def')):
                    path = os.path.relpath(os.path.join(folder, name), root)
                    check_file(root, path, errors, used)
                    n += 1
    for path, names in EXTRA.items():
        errors += ['%s: no longer includes %s: remove its exception' % (path, h)
                   for h in names if (path, h) not in used]
    for line in errors:
        print(line)
    print('%d files, %d includes against the table' % (n, len(errors)))
    return 1 if errors or not n else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
