#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make_stats.py - paired t-tests by scipy, Holm's correction by hand, for tests/unit/stats_test.c.

usage: make_stats.py > tests/golden/stats.json     (needs numpy and scipy)
"""
import json
import random

import numpy
import scipy.special
import scipy.stats


def paired(a, b):
    t, p = scipy.stats.ttest_rel(a, b)
    d = numpy.array(a) - numpy.array(b)
    return {"a": a, "b": b, "mean": float(numpy.mean(d)), "deviation": float(numpy.std(d, ddof=1)),
            "t": float(t), "p": float(p)}


def holm(p):
    """Holm 1979: the k-th smallest of m times m - k + 1, never falling, at most 1."""
    order, most, out = sorted(range(len(p)), key=lambda i: p[i]), 0.0, [0.0] * len(p)
    for k, i in enumerate(order):
        most = max(most, min(1.0, p[i] * (len(p) - k)))
        out[i] = most
    return out


def main():
    r = random.Random(7)
    pairs = []
    for n in (2, 3, 5, 9, 57, 200):
        for shift in (0.0, 0.4, 3.0):
            a = [round(r.gauss(70, 8), 3) for _ in range(n)]
            b = [round(x + r.gauss(shift, 1.0), 3) for x in a]
            pairs.append(paired(a, b))
    beta = [{"a": a, "b": b, "x": x, "value": float(scipy.special.betainc(a, b, x))}
            for a in (0.5, 1.0, 4.5, 90.0) for b in (0.5, 2.0) for x in (1e-6, 0.1, 0.5, 0.93, 1 - 1e-9)]
    student = [{"t": t, "df": df, "p": float(2 * scipy.stats.t.sf(abs(t), df))}
               for t in (0.0, 0.3, -2.0, 9.0, 60.0) for df in (1, 2, 7, 40, 1000)]
    families = []
    for n in (1, 2, 5, 12):
        p = [round(r.random() ** 3, 6) for _ in range(n)]
        p[-1] = p[0]  # equal ones
        families.append({"p": p, "holm": holm(p)})
    print(json.dumps({"scipy": scipy.__version__, "pairs": pairs, "beta": beta, "student": student,
                      "families": families}, indent=0))


main()
