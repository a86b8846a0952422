# SPDX-License-Identifier: MIT
"""containers.py - weights from files other than safetensors: the same logits, the right refusals."""
import zipfile

from e2e import *

PREDICT = ["predict", "--model", "tiny.yaml", "--image", "data/images/test", "--json"]


def setup():
    model()
    base()
    vtab(n_train=0, n_test=3)
    return base_tensors()


def npy_bytes(shape, data, fortran=False):
    head = "{'descr': '<f4', 'fortran_order': %s, 'shape': %s, }" % (fortran, tuple(shape))
    head += " " * (-(len(head) + 11) % 64) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode() + data


def save_npz(path, tensors, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as z:
        for name, (_, shape, data) in tensors.items():
            z.writestr(name + ".npy", npy_bytes(shape, data))
    return path


def shards(folder, tensors, n=2):
    names = list(tensors)
    files = ["model-%05d-of-%05d.safetensors" % (i + 1, n) for i in range(n)]
    weight_map = {name: files[i % n] for i, name in enumerate(names)}
    for f in files:
        save_tensors(folder + "/" + f, {k: tensors[k] for k in names if weight_map[k] == f})
    write(folder + "/model.safetensors.index.json", json.dumps({"weight_map": weight_map}))
    return weight_map


@test
def same_logits():
    t = setup()
    want = sctrun(*PREDICT, "--weights", "base.safetensors").out
    shards("sharded", t)
    os.mkdir("one")
    for path in (save_npz("stored.npz", t), save_npz("packed.npz", t, zipfile.ZIP_DEFLATED),
                 "sharded/model.safetensors.index.json", "sharded",
                 save_npz("one/any_name.npz", t) and "one"):
        equal(sctrun(*PREDICT, "--weights", path).out, want, path)


@test
def fine_tunes():
    """The base is the same whatever it came from: its hash is, so the adapter fits."""
    t = setup()
    vtab()
    save_npz("base.npz", t)
    train("a", weights="base.npz")
    r = [sctrun("eval", "--adapter", "a/last", "--weights", w, "--data", "data", "--json").json
         for w in ("base.npz", "base.safetensors")]
    equal(r[0]["loss"], r[1]["loss"])


@test
def inspects():
    t = setup()
    save_npz("stored.npz", {"x/kernel": t["norm.bias"]})
    r = sctrun("inspect", "stored.npz", "--json", code=FILE).json  # no base, but it is shown
    equal((r["container"], r["file"], r["notes"]), ("npz", "stored.npz", []))
    equal(r["tensors"], [{"name": "x/kernel", "dtype": "F32", "shape": [48]}])
    shards("sharded", t)
    r = sctrun("inspect", "sharded", "--json").json
    equal((r["container"], r["tensors_count"]), ("safetensors index", len(t)))
    equal(r["file"], "sharded/model.safetensors.index.json")
    contains(sctrun("inspect", "stored.npz", code=FILE).out, "stored.npz: npz, 1 tensors, 48 elements")


@test
def refuses():
    t = setup()

    def bad(path, *parts):
        fails(FILE, list(parts), *PREDICT, "--weights", path)

    weight_map = shards("sharded", t)
    first = weight_map["cls_token"]
    os.rename("sharded/" + first, "sharded/away")
    bad("sharded", first, "cannot open")
    write("sharded/model.safetensors.index.json",
          json.dumps({"weight_map": {"cls_token": "../base.safetensors"}}))
    bad("sharded", "'../base.safetensors'", "without a path")
    save_npz("a.npz", t)
    raw = bytearray(read("a.npz"))
    raw[raw.index(t["norm.bias"][2])] ^= 1
    write("a.npz", bytes(raw), binary=True)
    bad("a.npz", "member 'norm.bias.npy'", "checksum")
    write("cut.npz", bytes(raw[:len(raw) // 2]), binary=True)
    bad("cut.npz", "cut.npz: zip directory", "download")
    os.mkdir("many")
    save_npz("many/a.npz", t)
    save_npz("many/b.npz", t)
    bad("many", "2 weight files, 'a.npz' and 'b.npz'")
    write("page.pth", "<!DOCTYPE html><html>")
    bad("page.pth", "a web page")


main()
