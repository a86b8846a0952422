# SPDX-License-Identifier: MIT
"""readings.py - what calibration measures is kept on disk: the same bits, for the runs that may share
it and no others; files that are damaged or foreign are measured again."""
from e2e import *

KEPT = {"SCTRUN_CACHE_DIR": "cache"}


def setup():
    model()
    base()
    vtab()


def files():
    return sorted(os.listdir("cache/readings")) if os.path.isdir("cache/readings") else []


def run(output, *args, strategy="sct", env=KEPT, **kw):
    """A run of some steps; (readings from the cache, whether it calibrated)."""
    r = train(output, "--lr", "0.02", *args, strategy=strategy, env=env, **kw)
    found = [l for l in r.err.splitlines() if l.startswith("readings from cache: ")]
    return (int(found[0].split()[3]) if found else 0), "calibrating " in r.err


@option("readings_cache")
def kept():
    """Off and without a folder nothing is kept; on, the second run reads. All have the same bits."""
    setup()
    equal(run("off", "--readings-cache", "off"), (0, True))
    equal(run("nowhere", env={}), (0, True))
    check(not os.path.exists("cache"), "written although it is off")
    equal(run("fresh"), (0, True))
    equal(len(files()), TINY["depth"])
    equal(run("cached"), (2, False))
    equal(run("again", "--readings-cache", "off"), (0, True))
    for name in ("nowhere", "fresh", "cached", "again"):
        equal(adapter_bytes(name), adapter_bytes("off"), name)
        equal(losses(name), losses("off"), name)
        equal(read(name + "/last/adapter_config.json"), read("off/last/adapter_config.json"))
    one = load_tensors("cache/readings/" + files()[0])
    equal(sorted((n, t[0], t[1]) for n, t in one.items()),
          [("row_weight", "F32", [3]), ("value", "F32", [3, 48])])
    equal(one["row_weight"][2], (8.0, 8.0, 8.0))


@test
def shared():
    """Other seeds, options that only choose, other strategies, a copied folder: the same readings."""
    setup()
    equal(run("a"), (0, True))
    for name, args in (("seed", ["--seed", 5]), ("k", ["--set", "k=5"]), ("lr", ["--epochs", 2]),
                       ("lowest", ["--set", "select=lowest"])):
        equal(run(name, *args), (2, False), name)
    equal(run("ict", "--set", "k=8", strategy="ict"), (2, False))
    shutil.copytree("data", "moved")
    os.utime("moved/images/train800val200/000000.png", (1, 1))
    equal(run("copy", data="moved"), (2, False))
    equal(adapter_bytes("copy"), adapter_bytes("a"))
    # a part of what was measured, and more than was measured
    equal(run("one", "--set", "sites=stage[0].block[1].attn.res"), (1, False))
    equal(run("both", "--set", "mode=both"), (2, True))
    equal(run("plain", "--set", "mode=both", "--readings-cache", "off"), (0, True))
    equal(adapter_bytes("both"), adapter_bytes("plain"))
    equal(run("mlp", "--set", "mode=mlp"), (2, False))


@test
def not_shared():
    """Whatever changes a reading is measured anew."""
    setup()
    equal(run("a"), (0, True))
    base("other.safetensors", seed=2)
    model("eps.yaml", eps="1e-3")
    lines = read("data/train800val200.txt").decode().splitlines(True)
    write("data/order.txt", "".join(lines[::-1]))
    write("data/labels.txt", "".join(l[:-2] + "%d\n" % ((int(l[-2]) + 1) % 3) for l in lines))
    changes = {"batch": ["--batch-size", 7], "weights": ["--weights", "other.safetensors"],
               "eps": ["--model", "eps.yaml"], "crop": ["--crop-pct", "0.5", "--resize", "crop-bicubic"],
               "mean": ["--mean", "0.4,0.5,0.5"], "order": ["--train-list", "order.txt"],
               "labels": ["--train-list", "labels.txt"], "backend": ["--backend", "ref"]}
    for name, args in changes.items():
        equal(run(name, *args), (0, True), name)
        equal(run(name + "2", *args), (2, False), name)
        equal(adapter_bytes(name + "2"), adapter_bytes(name), name)
    before = len(files())
    png("data/images/train800val200/000003.png", rgb=picture(99, 1))
    equal(run("picture"), (0, True))
    equal(len(files()), before + 2)


@test
def damaged():
    """Cut off, changed, foreign, empty, a folder: named, measured again, written anew."""
    setup()
    run("a")
    names = files()
    whole = {n: read("cache/readings/" + n) for n in names}
    x, y = names
    last = whole[x][-1]
    bad = {"cut": whole[x][:-5], "empty": b"", "text": b"hello" * 40, "flipped":
           whole[x][:-1] + bytes([last ^ 1]), "other": whole[y], "long": whole[x] + b"\0",
           "length": struct.pack("<Q", 1 << 60) + whole[x][8:]}
    for name, data in bad.items():
        write("cache/readings/" + x, data, binary=True)
        r = train(name, "--lr", "0.02", strategy="sct", env=KEPT)
        contains(r.err, "warning: ", x, "measured again")
        contains(r.err, "readings from cache: 1 of 2", "calibrating sct")
        equal(adapter_bytes(name), adapter_bytes("a"), name)
        equal(read("cache/readings/" + x), whole[x], name)
    foreign = load_tensors("cache/readings/" + x)
    save_tensors("cache/readings/" + x, {n: (t[0], t[1], floats(t[2])) for n, t in foreign.items()})
    contains(train("bare", strategy="sct", env=KEPT).err, "expected a reading with its key")
    os.remove("cache/readings/" + x)
    os.mkdir("cache/readings/" + x)
    r = train("folder", "--lr", "0.02", strategy="sct", env=KEPT)
    contains(r.err, "warning: readings are not kept for other runs: ", x)
    equal(adapter_bytes("folder"), adapter_bytes("a"))
    equal([f for f in files() if not f.endswith(".safetensors")], [], "left behind")


@test
def no_folder():
    """A cache folder that cannot be made costs a warning."""
    setup()
    write("file", "x")
    r = train("a", strategy="sct", env={"SCTRUN_CACHE_DIR": "file"})
    contains(r.err, "calibrating sct", "warning: readings are not kept for other runs: ", "file")
    equal(r.err.count("not kept"), 1)


@test
def bounded():
    """Beyond 1 GiB the readings unused for the longest time go; other files stay."""
    setup()
    run("a")
    left_behind = "x.safetensors.tmp-1-0"  # of a process that was killed
    for name, age in (("old.safetensors", 1000), (left_behind, 500), ("notes.txt", 1)):
        with open("cache/readings/" + name, "wb") as f:
            f.truncate(3 << 28)
        os.utime("cache/readings/" + name, (age, age))
    for f in files():
        if len(f) > 60:
            os.utime("cache/readings/" + f, (100, 100))
    run("used")  # reading makes them the youngest
    run("b", "--batch-size", 7)
    left = files()
    check(left_behind not in left and "old.safetensors" in left and "notes.txt" in left, left)
    equal(len([f for f in left if len(f) > 60]), 4, left)


@test
def dry_run():
    """Reads and writes nothing."""
    setup()
    train("x", "--dry-run", strategy="sct", env=KEPT)
    check(not os.path.exists("cache"))


main()
