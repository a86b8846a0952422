#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# budget.py - files and functions stay small: .c at most 600 lines, .h 250, a function 70.
# usage: budget.py SOURCE_ROOT
import os
import re
import sys

FILE = {'.c': 600, '.cl': 600, '.h': 250, '.clh': 450, '.py': 800, '.sh': 250}
FUNCTION = 70
FOLDERS = ['include', 'core', 'backends', 'kernels', 'plugins', 'tools', 'tests']
COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*', re.S)
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'')


def blank(match):
    return re.sub(r'[^\n]', ' ', match.group(0))


def functions(text):
    """(first line, lines) of every body that begins with a brace in column 0 (house style)."""
    text = STRING.sub(blank, COMMENT.sub(blank, text))
    start = None
    for number, line in enumerate(text.split('\n'), 1):
        if line.startswith('{') and start is None:
            start = number
        elif line.startswith('}') and start is not None:
            yield start, number - start + 1
            start = None


def main(root):
    errors, totals = [], {}
    for top in FOLDERS:
        for folder, _, files in os.walk(os.path.join(root, top)):
            for name in sorted(files):
                path = os.path.relpath(os.path.join(folder, name), root)
                limit = FILE.get(os.path.splitext(name)[1])
                if limit is None:
                    continue
                with open(os.path.join(root, path), encoding='utf-8') as f:
                    text = f.read()
                lines = text.count('\n')
                key = '/'.join(path.split('/')[:2]) if path.count('/') > 1 else top
                totals[key] = totals.get(key, 0) + lines
                if lines > limit:
                    errors.append('%s: %d lines, at most %d: split it' % (path, lines, limit))
                if name.endswith(('.c', '.h', '.cl', '.clh')):
                    errors += ['%s:%d: a function of %d lines, at most %d'
                               % (path, first, n, FUNCTION)
                               for first, n in functions(text) if n > FUNCTION]
    for key in sorted(totals):
        print('%7d  %s' % (totals[key], key))
    print('%7d  lines in all' % sum(totals.values()))
    for line in errors:
        print(line)
    return 1 if errors or not totals else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
