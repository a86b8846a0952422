# SPDX-License-Identifier: MIT
"""sdk.py - plugins check on our own strategies, what it says of bad files, new-strategy."""
import os

from e2e import *

STRATEGIES = os.path.join(os.path.dirname(os.path.dirname(SCTRUN)), "plugins")
OPTIONS = {"sct": ["k=6"], "ict": ["k=6"], "adapter": ["r=3"], "adaptformer": ["r=3"],
           "lora": ["r=2"], "fact": ["rank=2"], "vpt": ["n=2"]}


def checked(name, *args, code=OK):
    sets = [x for o in OPTIONS.get(name, []) for x in ("--set", o)]
    return sctrun("plugins", "check", "%s/%s.so" % (STRATEGIES, name), *sets, *args, code=code)


@test
def own_strategies():
    """Those that look at data, add modules, train the base."""
    for name in ("sct", "lora", "bitfit", "adaptformer"):
        r = checked(name)
        contains(r.out, "17 passed, 0 failed, 0 skipped")


@test
def refusals():
    """What refuses one architecture by name passes with the other; as JSON, too."""
    r = checked("vpt", "--json")
    equal((r.json["failed"], r.json["skipped"], r.json["passed"]), (0, 1, 9))
    said = [k for k in r.json["checks"] if k["verdict"] == "skip"]
    equal([(k["model"], k["check"]) for k in said], [("swin", "builds on a model")])
    contains(said[0]["found"], "refused", "Swin")


@test
def bad_files():
    write("text.so", "no module")
    r = fails(PLUGIN, ["text.so", "1 of 1 checks failed"], "plugins", "check", "text.so")
    contains(r.out, "FAIL table and options", "cannot be loaded")
    fails(USAGE, ["none.so", "no such file"], "plugins", "check", "none.so")
    fails(USAGE, ["check FILE"], "plugins", "check")
    fails(USAGE, ["check FILE", "chek"], "plugins", "chek", "x.so")
    fails(USAGE, ["none.so", "no such file"], "backends", "check", "none.so")
    fails(USAGE, ["nonsense"], "backends", "nonsense")
    contains(sctrun("backends").out, "ref", "reference kernels")
    fails(PLUGIN, ["checks failed"], "plugins", "check", STRATEGIES + "/sct.so", "--set", "k=1000")


@test
def new_strategy():
    """A folder that is not there yet, a name that can be one in C; nothing half-written."""
    contains(sctrun("new-strategy", "my_gate2", "--output", "there").out, "my_gate2.c")
    equal(sorted(os.listdir("there")), ["README.md", "meson.build", "my_gate2.c"])
    contains(read("there/my_gate2.c").decode(), '.name = "my_gate2"', "struct my_gate2")
    check(b"example" not in read("there/my_gate2.c"))
    for name in ("", "My", "2x", "a-b", "a" * 48, "../x"):
        fails(USAGE, ["no name of a strategy"], "new-strategy", name)
    fails(USAGE, ["expected a name"], "new-strategy")
    fails(USAGE, ["there"], "new-strategy", "other", "--output", "there")
    no_leftovers("there")


main()
