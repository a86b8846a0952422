# SPDX-License-Identifier: MIT
"""diff.py - sctrun diff: configuration, tensors and index lists of two adapters; 0 equal, 1 different."""
from e2e import *

DIFFERENT = 1


def setup():
    model()
    base()
    vtab(n_train=12, n_test=6)


def run(name, *options, strategy="sct", **kw):
    train(name, "--eval-interval", 0, "--lr", "0.02", *[x for o in options for x in ("--set", o)],
          *kw.pop("more", ()), strategy=strategy, **kw)
    return name + "/last"


def diff(a, b, code=DIFFERENT):
    r = sctrun("diff", a, b, "--json", code=code)
    equal(r.err, "")
    equal(r.json["equal"], code == OK)
    return {t["name"]: t for t in r.json["tensors"]}, {k["key"]: k for k in r.json["config"]}


@test
def equal_ones():
    setup()
    a, b = run("a"), run("b")
    tensors_, keys = diff(a, b, OK)
    equal(keys, {})
    equal({t["status"] for t in tensors_.values()}, {"equal"})
    equal({(t["norm_diff"], t["relative"], t["max_abs"]) for n, t in tensors_.items() if "index" not in n},
          {(0.0, 0.0, 0.0)})
    r = sctrun("diff", a, b)
    equal((r.out, r.err), ("8 of 8 tensors are equal, 0 keys differ\n", ""))


@test
def values():
    """Norms and the largest difference, computed here once more."""
    setup()
    a, b = run("a"), run("b", more=("--seed", 4))
    found, keys = diff(a, b)
    equal(keys, {})
    name = "sct.blocks.1.weight"
    x, y = (load_tensors(d + "/adapter_model.safetensors")[name][2] for d in (a, b))
    norm = lambda v: sum(e * e for e in v) ** 0.5
    t = found[name]
    delta = [p - q for p, q in zip(x, y)]
    equal((t["status"], t["head"], t["shape_a"]), ("values", False, [8, 8]))
    for key, want in (("norm_a", norm(x)), ("norm_b", norm(y)), ("norm_diff", norm(delta)),
                      ("relative", norm(delta) / max(norm(x), norm(y))), ("max_abs", max(map(abs, delta)))):
        close(t[key], want, 1e-12, 0, key)
    equal(found["head.weight"]["head"], True)
    # the channels do not depend on the seed
    equal((found["sct.blocks.1.index"]["status"], found["sct.blocks.1.index"]["jaccard"]), ("equal", 1.0))
    r = sctrun("diff", a, b, code=DIFFERENT)
    contains(r.out, "tensors:\n", name, "[8][8]", "|A-B| ", "2 of 8 tensors are equal, 0 keys differ\n")


@test
def lists_and_shapes():
    setup()
    a, b = run("a", "k=8"), run("b", "k=12", "select=class_agnostic")
    found, keys = diff(a, b)
    equal(keys["sctrun.options.k"], {"key": "sctrun.options.k", "a": "8", "b": "12"})
    equal(keys["sctrun.options.select"]["b"], "class_agnostic")
    t = found["sct.blocks.0.index"]
    x, y = (set(load_tensors(d + "/adapter_model.safetensors")["sct.blocks.0.index"][2]) for d in (a, b))
    equal((t["status"], t["both"]), ("shape", len(x & y)))
    close(t["overlap"], len(x & y) / 8, 1e-12)
    close(t["jaccard"], len(x & y) / len(x | y), 1e-12)
    equal((found["sct.blocks.0.weight"]["shape_a"], found["sct.blocks.0.weight"]["shape_b"]), ([8, 8], [12, 12]))
    contains(sctrun("diff", a, b, code=DIFFERENT).out, "configuration: key, A, B\n", "sctrun.options.k",
             "[8] i32 in A, [12] i32 in B", "overlap ", "Jaccard ")


@test
def names():
    """Only in one, of other strategies; the head is in both."""
    setup()
    a, b = run("a"), run("l", "r=2", strategy="lora")
    found, keys = diff(a, b)
    equal(found["sct.blocks.0.weight"]["status"], "only in A")
    lora = sorted(n for n, t in found.items() if t["status"] == "only in B")
    # own form: q and v apart, without peft's prefix
    check(not any(n.startswith("base_model") for n in lora) and len(lora) == 8, lora)
    equal(found["head.bias"]["status"], "values")
    equal((keys["sctrun.strategy"]["a"], keys["r"].get("a"), keys["r"]["b"]), ("sct", None, keys["r"]["b"]))


@test
def foreign():
    """A folder of PEFT without our key: names as they are stored, on both sides."""
    setup()
    a = run("l", "r=2", strategy="lora")
    shutil.copytree(a, "peft")
    config = json.loads(read("peft/adapter_config.json"))
    del config["sctrun"]
    config["lora_alpha"] = 99
    write("peft/adapter_config.json", json.dumps(config))
    found, keys = diff(a, "peft")
    equal({t["status"] for t in found.values()}, {"equal"})
    check(all(n.startswith("base_model.model.") for n in found), sorted(found))
    equal(keys["lora_alpha"]["b"], 99)
    check(all(k.startswith("sctrun.") or k == "lora_alpha" for k in keys), sorted(keys))
    equal(diff("peft", "peft", OK)[1], {})


@test
def numbers_that_are_none():
    setup()
    a = run("a")
    shutil.copytree(a, "nan")
    t = load_tensors("nan/adapter_model.safetensors")
    kind, shape, v = t["head.bias"]
    out = {n: (k, s, floats(x) if k == "F32" else struct.pack("<%di" % len(x), *x)) for n, (k, s, x) in t.items()}
    out["head.bias"] = (kind, shape, floats([float("nan")] + list(v[1:])))
    save_tensors("nan/adapter_model.safetensors", out)
    found, _ = diff(a, "nan")
    equal((found["head.bias"]["status"], found["head.bias"]["max_abs"], found["head.bias"]["norm_b"]),
          ("values", None, None))
    diff("nan", "nan", OK)


@test
def trouble():
    setup()
    a = run("a")
    fails(USAGE, ["which two adapters"], "diff", a)
    fails(USAGE, ["no option of diff"], "diff", a, a, a)
    fails(FILE, ["nosuch"], "diff", a, "nosuch")
    shutil.copytree(a, "cut")
    write("cut/adapter_model.safetensors", adapter_bytes("a")[:-1], binary=True)
    fails(FILE, ["cut/adapter_model.safetensors"], "diff", "cut", a)
    shutil.copytree(a, "bad")
    write("bad/adapter_config.json", '{"sctrun": {"format_version": 1}}')
    fails(FILE, ["bad/adapter_config.json", "sctrun.base"], "diff", a, "bad")


main()
