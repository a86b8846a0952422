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


def torch_pickle(tensors, keys):
    """What torch.save writes of a dict of f32 tensors: protocol 2, opcode by opcode."""
    def text(s):
        return b"X" + struct.pack("<I", len(s.encode())) + s.encode()

    def whole(*numbers):
        return b"(" + b"".join(b"J" + struct.pack("<i", n) for n in numbers) + b"t"
    out = b"\x80\x02}("
    for name, (_, shape, _) in tensors.items():
        strides = [count(shape[i + 1:]) for i in range(len(shape))]
        out += text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage")
        out += b"ctorch\nFloatStorage\n" + text(keys[name]) + text("cpu")
        out += b"J" + struct.pack("<i", count(shape)) + b"tQJ\0\0\0\0" + whole(*shape) + whole(*strides)
        out += b"\x89ccollections\nOrderedDict\n)RtR"
    return out + b"u."


def save_torch(path, tensors, top="archive/", key=str, more=(), without=()):
    """key: number of a tensor -> name of its storage; more: names of members that nobody wants."""
    keys = {name: key(i) for i, name in enumerate(tensors)}
    members = {top + "data.pkl": torch_pickle(tensors, keys)}
    members.update({top + "data/" + keys[n]: t[2] for n, t in tensors.items() if n not in without})
    members.update({name: b"x" for name in more})
    with zipfile.ZipFile(path, "w") as z:
        for name, data in members.items():
            info = zipfile.ZipInfo("x")
            info.filename = name  # as it is: the constructor would make it harmless
            z.writestr(info, data)
    return path


def everything():
    """Path, size and time of every file in the folder of the test."""
    return sorted((p, os.lstat(p).st_size, os.lstat(p).st_mtime_ns) for top, dirs, files in os.walk(".")
                  for p in [os.path.join(top, f) for f in files + dirs])


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
def hostile_members():
    """Names of members are keys, never paths: nothing is written, nothing outside is read."""
    t = setup()
    want = sctrun(*PREDICT, "--weights", "base.safetensors").out
    first = next(iter(t))
    write("outside", t[first][2], binary=True)
    absolute = os.path.abspath("outside")
    evil = ["../../up", "/up", absolute, "archive/../../up", "..", "a\\..\\up", "C:\\up", "archive/data/../up"]
    files = {"more.pth": {"more": evil}, "up.pth": {"top": "../"}, "root.pth": {"top": "/"},
             "keys.pth": {"key": lambda i: "../../" * (i % 7) + str(i)},
             "absolute.pth": {"key": lambda i: absolute if i == 0 else "/%d" % i}}
    for path, how in files.items():
        save_torch(path, t, **how)
    save_npz("evil.npz", {**t, "../norm.bias": t["norm.bias"]})
    # a storage whose bytes are in a file outside, but not in the archive
    missing = {"gone.pth": "../../outside", "far.pth": absolute, "nul.pth": "0\0/../outside"}
    for path, key in missing.items():
        save_torch(path, t, key=lambda i, key=key: key if i == 0 else str(i), without=[first])
    save_torch("same.pth", t, more=["archive/data/0\0hidden"])
    save_torch("both.pth", t, key=lambda i: "0\0%d" % i)
    before = everything()
    for path in files:
        equal(sctrun(*PREDICT, "--weights", path).out, want, path)
        equal(sctrun("inspect", path, "--json").json["container"], "torch zip")
    for path in missing:
        fails(FILE, [path, "member 'archive/data/", "is missing"], *PREDICT, "--weights", path)
    fails(FILE, ["tensor ../norm.bias is not known"], *PREDICT, "--weights", "evil.npz")
    # a zero byte in a name is a space to libzip, which may as well refuse it
    fails(FILE, ["both.pth: "], *PREDICT, "--weights", "both.pth")
    r = sctrun(*PREDICT, "--weights", "same.pth", code=None)
    check(r.out == want if r.code == OK else r.code == FILE and "same.pth: " in r.err, r.code, r.err)
    equal(everything(), before)


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
