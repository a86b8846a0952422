#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# abi.py - the layout of the module ABIs only grows at the end.
#   abi.py PROGRAM GOLDEN            the program's output must equal the golden file
#   abi.py --update PROGRAM GOLDEN   writes it, unless something other than an addition changed
import subprocess
import sys


def sections(text):
    out, name = {}, None
    for line in text.splitlines():
        if line.startswith('['):
            name = line
            out[name] = []
        elif name:
            out[name].append(line)
    return out


def compare(old, new):
    """(changes that break modules, additions)"""
    broken, added = [], []
    for name, lines in old.items():
        if name not in new:
            broken.append('%s is gone' % name)
            continue
        for i, line in enumerate(lines):
            now = new[name][i] if i < len(new[name]) else 'nothing'
            if now != line:
                broken.append('%s: was "%s", is "%s"' % (name, line, now))
        added += ['%s: %s' % (name, line) for line in new[name][len(lines):]]
    for name in new:
        if name not in old:
            added.append('%s and its %d lines' % (name, len(new[name])))
    return broken, added


def main(argv):
    update = argv[1:2] == ['--update']
    program, golden = argv[2:] if update else argv[1:]
    run = subprocess.run([program], stdout=subprocess.PIPE, encoding='utf-8')
    if run.returncode:
        print(run.stdout.splitlines()[-1])
        return run.returncode
    try:
        with open(golden, encoding='utf-8') as f:
            old = f.read()
    except FileNotFoundError:
        old = ''
    broken, added = compare(sections(old), sections(run.stdout))
    for line in broken:
        print('breaks modules that exist: ' + line)
    if broken:
        print('ABI structs and tables grow at the end; another layout is another ABI version')
        return 1
    for line in added:
        print('added: ' + line)
    if added and not update:
        print('take it into the golden file: tests/style/abi.py --update %s %s' % (program, golden))
        return 1
    if added:
        with open(golden, 'w', encoding='utf-8') as f:
            f.write(run.stdout)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv))
