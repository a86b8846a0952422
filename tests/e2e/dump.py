# SPDX-License-Identifier: MIT
"""dump.py - the plan after each of its passes."""
import re

from e2e import *


@option("after")
def after():
    """Each pass leaves its mark on the plan; a pass that does not exist is refused with the list."""
    model("tiny.yaml")
    def plan(*args):
        return sctrun("dump", "plan", "--model", "tiny.yaml", "--weights", "random", "--data",
                      "task:sprites_shape", "--strategy", "linear", "--checkpoint", "block",
                      *args).out
    passes = ("prune", "sort", "infer", "verify", "segment", "fuse", "recompute", "shape", "choose",
              "pack", "live", "inplace", "place", "bind")
    seen = {p: plan("--after", p) for p in passes}
    ops = lambda p: len(re.findall(r"^ *%.* = ", seen[p], re.M))
    equal({ops(p) for p in passes[:4]}, {ops("segment")})
    for p in passes[:4]:
        contains(seen[p], "graph b=1 ")
        check("segment " not in seen[p])
    for p in passes[4:]:
        contains(seen[p], "segment setup\n", "segment prologue\n", "segment body\n", "segment epilogue\n")
    known = set()  # in order: what a node reads was there before
    for line in seen["sort"].splitlines()[1:]:
        left, _, right = line.partition(" = ")
        check(set(re.findall(r"%\d+", right)) <= known or line.startswith(("input", "const", "state")), line)
        known |= set(re.findall(r"%\d+", left))
    check("linear_gelu(" not in seen["segment"] and "linear_gelu(" in seen["fuse"])
    check("[1][17][48]" in seen["recompute"] and "[1][17][48]" not in seen["shape"])
    check("[cpu/" not in seen["shape"] and "[-]" in seen["shape"] and "[-]" not in seen["choose"])
    check("= pack(" not in seen["choose"] and "= pack(" in seen["pack"])
    live = re.compile(r"@lane\+0=?\[\d+\.\.\d+\]")
    check(not live.search(seen["pack"]) and live.search(seen["live"]))
    check("@lane+0" in seen["inplace"] and len(set(re.findall(r"@lane\+\d+", seen["place"]))) > 3)
    check("\nvalues\n" not in seen["inplace"])
    placed(seen["place"])
    check("\nbuffers " not in seen["place"])
    bound(seen["bind"])
    equal(seen["bind"], plan())
    fails(USAGE, ["no pass \"arena\"", ", ".join(passes)], "dump", "plan", "--model", "tiny.yaml", "--weights",
          "random", "--data", "task:sprites_shape", "--strategy", "linear", "--after", "arena")


def placed(text):
    """Every value that a node makes has its storage listed, and none overlaps another in use."""
    table = text[text.index("\nvalues\n"):]
    for v in set(re.findall(r"(%\d+):", text)):
        contains(table, "\n  %s " % v)
    rows = [tuple(map(int, r)) for r in re.findall(
        r"%(\d+) lane slab (\d+) \+(\d+), (\d+) bytes, \[(\d+)\.\.(\d+)\]", table)]
    check(len(rows) > 10)
    for v, slab, off, size, first, last in rows:
        for w, slab2, off2, size2, first2, last2 in rows:
            if v < w and slab == slab2 and first <= last2 and first2 <= last:
                check(off + size <= off2 or off2 + size2 <= off, "%%%d and %%%d overlap" % (v, w))
    contains(table, " const a buffer of its own, ", " bytes, always  ; head.weight\n", " batch slab 0 +0, ",
             " x 16 slots, always\n", " in the storage of %")


def bound(text):
    """The buffers of the program, numbered without a gap, and what each segment runs."""
    table = text[text.index("\nbuffers "):]
    n = int(re.match(r"\nbuffers (\d+)\n", table).group(1))
    equal([int(i) for i in re.findall(r"^  (\d+) (?:lane|step|batch|slots|const|persist) ", table, re.M)],
          list(range(n)))
    contains(table, "  ; optim.m.head.weight\n", " lane slab 0, ", "program of ", "  epilogue: ")
    kernels = re.search(r"  body: (\d+) kernels", table).group(1)
    body = text[text.index("segment body\n"):text.index("segment epilogue\n")]
    equal(int(kernels), len([l for l in body.splitlines() if " = " in l and "[view]" not in l]))


main()
