# SPDX-License-Identifier: MIT
"""bad_input.py - what is wrong is named, with the right exit code, and nothing half-done is left.

Exit codes: 1 runtime error, 2 usage, 3 file, 4 device, 5 memory, 6 not finite, 7 data, 8 plugin,
128 + n: stopped by signal n, saved.
"""
import json
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import time

from e2e import *

LINEAR = ["--model", "tiny.yaml", "--weights", "base.safetensors", "--data", "data", "--strategy",
          "linear", "--epochs", 1, "--batch-size", 8]


def setup(**data):
    model()
    base()
    return vtab(**data)


def refused(code, parts, *args, output="out", **kw):
    """train fails so, and leaves no folder."""
    before = set(os.listdir("."))
    given = [a for a in LINEAR if a not in ("--strategy", "linear")] if "--strategy" in args else LINEAR
    r = fails(code, parts, "train", *given, "--output", output, *args, **kw)
    equal(set(os.listdir(".")), before, "left behind by %s:" % " ".join(map(str, args)))
    return r


def edited(source, path, edit):
    """A copy of an adapter folder whose configuration went through edit(dict)."""
    shutil.copytree(source, path)
    name = path + "/adapter_config.json"
    config = json.loads(read(name))
    edit(config)
    write(name, json.dumps(config))
    return path


def retensored(source, path, edit):
    """A copy of an adapter folder whose tensors went through edit(dict name -> [dtype, shape,
    numbers])."""
    shutil.copytree(source, path)
    name = path + "/adapter_model.safetensors"
    t = {k: list(v) for k, v in load_tensors(name).items()}
    edit(t)
    save_tensors(name, {k: (d, s, struct.pack("<%d%s" % (len(v), "i" if d == "I32" else "f"), *v))
                        for k, (d, s, v) in t.items()})
    return path


# ---- the command line ----

@test
def command_line():
    setup()
    fails(USAGE, ["nosuch", "sctrun help"], "nosuch")
    for command in ("train", "eval", "predict", "dump", "inspect", "devices", "ops", "plugins"):
        fails(USAGE, ["--epohcs", "did you mean 'epochs'?"], command, "--epohcs", 3)
    refused(USAGE, ["'--batchsize'", "'batch_size'"], "--batchsize", 3)
    refused(USAGE, ["'--xyzzy'", "known: backend, "], "--xyzzy")
    # what is an option of a strategy, of the one that is named or else of any
    for args, owner, say in ((["--strategy", "sct", "--k", 8], "strategy sct;", "--set k=8"),
                             (["--k=1/8", "--strategy=ict"], "strategy ict;", "--set k=1/8"),
                             (["--strategy", "lora", "--scale-on-x", "--scaleonx"], None, None),
                             (["--strategy", "linear", "--scaleonx"], "strategy ict, sct;",
                              "--set scaleonx=VALUE"),
                             (["--strategy", "vpt", "--plan-out", "x.json"], "strategy spt;",
                              "--set plan_out=x.json")):
        if owner:
            refused(USAGE, ["unknown option '--", owner, "say " + say], *args)
        else:
            refused(USAGE, ["unknown option '--scale-on-x'", "known: "], *args)
    refused(USAGE, ["--epochs", "expected a value"], "--epochs")
    for value in ("many", "-1", "0", "1.5", "100001", "99999999999999999999", ""):
        r = refused(USAGE, ["--epochs", "a whole number from 1 to 100000", "'%s'" % value],
                    "--epochs=" + value)
    for value in ("fast", "-1", "1001", "nan", "inf", "0x1p3", "1e39", "1,5"):
        refused(USAGE, ["--lr", "a number from 0 to 1000", "'%s'" % value], "--lr", value)
    refused(USAGE, ["--optimizer", "adamw|sgd", "'adam'"], "--optimizer", "adam")
    refused(USAGE, ["--json", "on or off", "'maybe'"], "--json=maybe")
    refused(USAGE, ["\"stray\"", "sctrun help train"], "stray")
    for command in ("eval", "devices", "ops", "plugins"):
        fails(USAGE, ["\"stray\"", command], command, "stray")
    for command in ("inspect", "dump"):
        fails(USAGE, ["\"b\"", command], command, "a", "b")
    refused(USAGE, ["-c", "needs a file"], "-c")
    refused(USAGE, ["--set"], "--set")
    fails(USAGE, ["no model"], "train", "--data", "data")
    fails(USAGE, ["no weights", "--weights random"], "train", "--data", "data", "--model",
          "tiny.yaml")
    fails(USAGE, ["no data", "--data"], "train", *LINEAR[:4])
    fails(USAGE, ["inspect"], "inspect")
    fails(USAGE, ["base.safetensors", "--model"], "train", "--weights", "base.safetensors",
          "--data", "data")
    no_leftovers("tiny.yaml", "base.safetensors", "data")


@test
def output_folder_exists():
    setup()
    os.mkdir("there")
    write("there/mine", "x")
    fails(USAGE, ["there", "exists"], "train", *LINEAR, "--output", "there")
    equal(os.listdir("there"), ["mine"])
    write("file", "x")
    fails(USAGE, ["file"], "train", *LINEAR, "--output", "file")
    fails(FAIL, ["file: "], "train", *LINEAR, "--output", "file/below")
    site = ["dump", "--site", "input", "--image", "data/images/test/000000.png", *LINEAR[:4], "--output"]
    sctrun(*site, "d")
    kept = read("d/input.npy")
    fails(USAGE, ["d: expected a new or empty directory", "choose another name, or remove"],
          *site[:4], "data/images/test/000001.png", *site[5:], "d")
    equal(read("d/input.npy"), kept)
    fails(USAGE, ["file: expected a new or empty directory"], *site, "file")
    fails(FAIL, ["file: "], *site, "file/below")
    os.mkdir("empty")
    sctrun(*site, "empty")
    equal(read("file"), b"x")


@test
def configuration_files():
    setup()
    cases = {
        "unknown": ("epohcs: 3\n", ["1:", "epohcs", "epochs"]),
        "type": ("epochs: many\n", ["1:", "epochs", "whole number", "many"]),
        "second": ("# comment\nlr: 0.1\nlr_schedule: step\n", ["3:", "lr_schedule",
                                                               "cosine|constant|timm", "step"]),
        "tab": ("epochs: 3\n\tlr: 1\n", ["2:1: a tab where YAML wants spaces"]),
        "tab2": ("# \u00e9t\u00e9\r\noptions:\r\n\tk: 1\r\n", ["3:1: a tab", "indent with spaces"]),
        "tab3": ("options: {k: 1,\n  @}\n\t", ["2:3: ", "cannot start any token"]),
        "duplicate": ("epochs: 3\nlr: 1\nepochs: 4\n", ["3:", "epochs"]),
        "loop": ("lr: &a [*a]\n", ["1:"]),
        "alias": ("epochs: &a 3\nbatch_size: *a\n", []),
        "list": ("- a\n- b\n", ["1:", "expected lines 'key: value'"]),
        "nested": ("epochs: {a: 1}\n", ["1:", "epochs"]),
        "options": ("options: 3\n", ["options"]),
        "option": ("options:\n  colour: red\n", ["2:", "colour", "linear"]),
        "unclosed": ("lr: [1, 2\n", []),
        "binary": ("\x00\x01\x02", []),
        "two": ("lr: 1\n---\nlr: 2\n", ["document"]),
        "deep": ("a: " + "[" * 5000 + "]" * 5000, []),
        "null": ("epochs: null\n", ["1:", "epochs"]),
    }
    for name, (text, parts) in cases.items():
        write(name + ".yaml", text)
        refused(USAGE, [name + ".yaml"] + parts, "-c", name + ".yaml")
    write("latin.yaml", b"data: caf\xe9\n", binary=True)
    refused(USAGE, ["latin.yaml"], "-c", "latin.yaml")
    refused(USAGE, ["absent.yaml"], "-c", "absent.yaml")
    refused(USAGE, ["data"], "-c", "data")
    write("bomb.yaml", "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        "%s: &%s [%s]\n" % (b, b, ", ".join(["*" + a] * 9)) for a, b in
        zip("abcdefghij", "bcdefghijk")))
    refused(USAGE, ["bomb.yaml"], "-c", "bomb.yaml")
    write("empty.yaml", "")
    train("fine", "-c", "empty.yaml", "--max-steps", 1)
    write("crlf.yaml", "epochs: 2\r\nlr: 0.5\r\n")
    sctrun("train", *[a for a in LINEAR if a != "--epochs" and a != 1], "-c", "crlf.yaml",
           "--output", "crlf")
    equal(len(losses("crlf")), 6)


@test
def architecture_files():
    setup()
    for name, keys, parts in (
            ("heads", {"heads": 5}, ["dim 48", "heads 5"]),
            ("patch", {"patch_size": 7}, ["image_size 32", "patch_size 7"]),
            ("zero", {"dim": 0}, ["zero.yaml:", "dim"]),
            ("huge", {"depth": 100000}, ["depth"]),
            ("word", {"dim": "wide"}, ["dim", "wide"]),
            ("arch", {"arch": "resnet"}, ["arch", "vit", "resnet"]),
            ("typo", {"patchsize": 8}, ["patchsize", "patch_size"]),
            ("pool", {"pool": "max"}, ["pool", "token, avg or token_avg", "max"]),
            ("cls", {"class_token": False}, ["class_token"]),
            ("mean", {"mean": "[1, 2]"}, ["mean"]),
            ("std", {"std": "[0, 0, 0]"}, ["std"]),
            ("init", {"head_init": "wild"}, ["wild", "zeros", "torch_linear"])):
        model(name + ".yaml", **keys)
        refused(USAGE, parts, "--model", name + ".yaml")
    refused(USAGE, ["configs/models/vit_gigantic.yaml"], "--model", "vit_gigantic")
    refused(USAGE, ["absent.yaml"], "--model", "absent.yaml")


# ---- strategies, backends, plugins ----

@test
def names_of_modules():
    setup()
    refused(PLUGIN, ["strategy \"magic\"", "found:", "linear", "lora", "sct", "full"],
            "--strategy", "magic")
    refused(DEVICE, ["backend \"cuda\"", "found:", "ref", "cpu"], "--backend", "cuda")
    refused(DEVICE, ["--device nosuch", "found:"], "--device", "nosuch")
    refused(DEVICE, ["--device 7:7"], "--device", "7:7")
    refused(USAGE, ["Magic!"], "--strategy", "Magic!")
    refused(PLUGIN, ["./absent.so"], "--strategy", "./absent.so")
    write("no.so", "not a module")
    refused(PLUGIN, ["./no.so", "cannot be loaded"], "--strategy", "./no.so")
    refused(PLUGIN, ["./no.so"], "--backend", "./no.so")


@test
def strategy_options():
    setup()
    sct = lambda *a: ("--strategy", "sct") + a
    refused(USAGE, ["--set", "did you mean 'scale'?"], *sct("--set", "scael=2"))
    refused(USAGE, ["'colour'", "strategy sct", "known: mode, k"], *sct("--set", "colour=red"))
    refused(USAGE, ["k", "49", "1 to 48"], *sct("--set", "k=49"))
    for bad in ("0", "-1", "3/2", "1/0", "x", "1.5"):
        refused(USAGE, ["--set k: ", "'%s'" % bad], *sct("--set", "k=" + bad))
    refused(USAGE, ["sites", "**.nothing"], *sct("--set", "k=4", "--set", "sites=**.nothing"))
    refused(USAGE, ["class_aware|class_agnostic", "best"], *sct("--set", "select=best"))
    lora = lambda *a: ("--strategy", "lora") + a
    refused(USAGE, ["targets", "q,k,v,proj,fc1,fc2", "qq"], *lora("--set", "targets=q,qq"))
    refused(USAGE, ["targets", "one pair for all three"], *lora("--set", "targets=q,qkv"))
    refused(USAGE, ["targets"], *lora("--set", "targets="))
    refused(USAGE, ["r", "from 1 to 4096"], *lora("--set", "r=0"))
    refused(USAGE, ["dropout"], *lora("--set", "dropout=1"))
    refused(USAGE, ["params"], "--strategy", "full", "--set", "params=no.such")


PLUGIN_SOURCE = """
#include <stdint.h>
struct table { uint32_t abi, size; const void *rest[64]; };
%s const void *%s(void);
const void *%s(void) { static const struct table t = {%d, %d, {0}}; return %s; }
"""


@test
def modules_of_another_abi():
    cc = shutil.which("cc")
    if not cc:
        raise Skipped("no C compiler")
    setup()
    for kind, option in (("strategy", "--strategy"), ("backend", "--backend")):
        entry = "sct_%s_entry_v1" % kind
        for name, values, parts in (
                ("abi", (entry, entry, 99, 512, "&t"), ["ABI 99", "ABI 1", "rebuild"]),
                ("size", (entry, entry, 1, 8, "&t"), ["8 bytes", "rebuild"]),
                ("entry", ("other", "other", 1, 512, "&t"), [entry]),
                ("null", (entry, entry, 1, 512, "(const void *)0"), ["no table"])):
            so = "./%s_%s.so" % (kind, name)
            write("m.c", PLUGIN_SOURCE % (("",) + values))
            subprocess.run([cc, "-shared", "-fPIC", "-o", so, "m.c"], check=True)
            refused(PLUGIN, [so] + parts, option, so)
        if kind == "strategy":
            write("m.c", PLUGIN_SOURCE % ("", entry, entry, 1, 512, "&t"))
            subprocess.run([cc, "-shared", "-fPIC", "-o", "./hollow.so", "m.c"], check=True)
            refused(PLUGIN, ["./hollow.so"], option, "./hollow.so")
    # one that is found by name is reported by the list and does not hide the others
    os.makedirs("plug/strategies")
    shutil.copy("strategy_abi.so", "plug/strategies/older.so")
    r = sctrun("plugins", env={"SCTRUN_PLUGIN_PATH": os.path.abspath("plug")})
    contains(r.err, "older.so", "ABI 99")
    contains(r.out, "  lora ", "  sct ")
    refused(PLUGIN, ["older.so", "ABI 99"], "--strategy", "older",
            env={"SCTRUN_PLUGIN_PATH": os.path.abspath("plug")})


@test
def no_opencl_platform():
    if "opencl" not in sctrun("plugins").out.split("backends\n")[1]:
        raise Skipped("built without the opencl backend")
    setup()
    none = {"OCL_ICD_VENDORS": "/nonexistent", "OCL_ICD_FILENAMES": ""}
    refused(DEVICE, ["opencl", "no device", "driver"], "--backend", "opencl", env=none)
    os.mkdir("vendors")
    refused(DEVICE, ["opencl", "no device", "driver"], "--backend", "opencl",
            env={"OCL_ICD_VENDORS": os.path.abspath("vendors"), "OCL_ICD_FILENAMES": ""})
    os.rmdir("vendors")
    contains(sctrun("devices", env=none).out, "opencl: no device", "cpu 0")
    sctrun("train", *LINEAR, "--output", "o", env=none)


# ---- weights ----

@test
def weights():
    setup()
    good = read("base.safetensors")
    t = base_tensors()

    def variant(name, **changes):
        all_ = dict(t)
        for key, value in changes.items():
            key = key.replace("__", ".")
            if value is None:
                del all_[key]
            else:
                all_[key] = value
        return save_tensors(name + ".safetensors", all_)

    for n in (0, 4, 8, 100, len(good) // 2, len(good) - 1):
        write("cut.safetensors", good[:n], binary=True)
        refused(FILE, ["cut.safetensors"], "--weights", "cut.safetensors")
        fails(FILE, ["cut.safetensors"], "inspect", "cut.safetensors")
    write("long.safetensors", good + b"x", binary=True)
    refused(FILE, ["long.safetensors"], "--weights", "long.safetensors")
    write("text.safetensors", "this is no tensor file, whatever its name says")
    refused(FILE, ["text.safetensors"], "--weights", "text.safetensors")
    variant("shape", blocks__1__mlp__fc1__weight=("F32", (96, 48), b"\0" * 96 * 48 * 4))
    refused(FILE, ["shape.safetensors", "blocks.1.mlp.fc1.weight", "192", "96", "--model"],
            "--weights", "shape.safetensors")
    variant("missing", blocks__0__norm2__bias=None)
    refused(FILE, ["missing.safetensors", "blocks.0.norm2.bias", "missing"], "--weights",
            "missing.safetensors")
    variant("begun", blocks__2__norm1__bias=("F32", (48,), b"\0" * 192))
    refused(FILE, ["begun.safetensors", "blocks.2.norm1.weight is missing"], "--weights",
            "begun.safetensors")
    variant("extra", foo__bar=("F32", (48,), b"\0" * 192))
    refused(FILE, ["extra.safetensors: tensor foo.bar is not known", "a vit in the names of timm",
                   "remove it from the file, or rename it"], "--weights", "extra.safetensors")
    variant("ints", norm__bias=("I64", (48,), b"\0" * 384))
    refused(FILE, ["ints.safetensors", "norm.bias"], "--weights", "ints.safetensors")
    variant("dims", norm__bias=("F32", (48, 1, 1, 1, 1, 1, 1, 1, 1, 1), b"\0" * 192))
    refused(FILE, ["dims.safetensors", "norm.bias"], "--weights", "dims.safetensors")
    variant("empty", norm__bias=("F32", (0,), b""))
    refused(FILE, ["empty.safetensors", "norm.bias"], "--weights", "empty.safetensors")
    save_tensors("resnet.safetensors", {
        "conv1.weight": ("F32", (8, 3, 7, 7), b"\0" * 8 * 3 * 49 * 4),
        "layer1.0.bn1.weight": ("F32", (8,), b"\0" * 32)})
    refused(FILE, ["resnet.safetensors", "no dialect", "2 tensors", "conv1.weight",
                   "vision transformer"], "--weights", "resnet.safetensors")
    base("deep.safetensors", depth=3)
    refused(FILE, ["deep.safetensors", "depth is 3", "says 2", "--model"], "--weights", "deep.safetensors")
    save_tensors("headless.safetensors", {k: v for k, v in t.items() if "head" not in k})
    sctrun("train", *LINEAR, "--weights", "headless.safetensors", "--max-steps", 1, "--output",
           "fine")
    fails(FILE, ["headless.safetensors", "no head", "--adapter"], "eval", "--model", "tiny.yaml",
          "--weights", "headless.safetensors", "--data", "data")
    refused(FILE, ["absent.safetensors"], "--weights", "absent.safetensors")
    refused(FILE, ["data"], "--weights", "data")
    fails(FILE, ["absent"], "inspect", "absent")
    half = {}
    for k, (d, s, data) in t.items():
        v = struct.unpack("<%df" % (len(data) // 4), data)
        half[k] = ("F16", s, struct.pack("<%de" % len(v), *v))
    save_tensors("half.safetensors", half)
    sctrun("train", *LINEAR, "--weights", "half.safetensors", "--max-steps", 1, "--output",
           "half")
    sctrun("train", *LINEAR, "--max-steps", 1, "--output", "whole")
    close(losses("half")[0], losses("whole")[0], 1e-2)
    header = {"norm.bias": {"dtype": "F32", "shape": [2 ** 62, 8], "data_offsets": [0, 4]}}
    text = json.dumps(header).encode()
    write("over.safetensors", struct.pack("<Q", len(text)) + text + b"\0" * 4, binary=True)
    refused(FILE, ["over.safetensors", "norm.bias"], "--weights", "over.safetensors")
    write("head.safetensors", struct.pack("<Q", 1 << 60) + b"{}", binary=True)
    refused(FILE, ["head.safetensors"], "--weights", "head.safetensors")


# ---- data ----

def list_is(text, binary=False):
    write("data/train800val200.txt", text, binary)


@test
def lists():
    setup()
    a, b = ("images/train800val200/%06d.png" % i for i in (0, 1))
    for text, parts in (
            ("", ["train800val200.txt"]),
            ("\n\n", ["train800val200.txt"]),
            (a + " 0\n" + b + "\n", ["train800val200.txt:2"]),
            (a + " 0\n" + b + " one\n", ["train800val200.txt:2", "one"]),
            (a + " -1\n", ["train800val200.txt:1", "-1"]),
            (a + " 3\n", ["train800val200.txt", a, "label 3", "classes.txt", "3 classes"]),
            (a + " 99999999999999999999\n", ["train800val200.txt:1"]),
            (a + " 0\nimages/none.png 1\n", ["images/none.png"])):
        list_is(text)
        refused(DATA, parts)
    os.remove("data/train800val200.txt")
    refused(DATA, ["train800val200.txt", "test.txt"])
    refused(DATA, ["absent"], "--data", "absent")
    refused(DATA, ["nosuch.txt"], "--train-list", "nosuch.txt")
    list_is(a + " 0\n")
    refused(DATA, ["nosuch.txt"], "--test-list", "nosuch.txt")
    refused(USAGE, ["sprites_nothing"], "--data", "task:sprites_nothing")
    write("task.yaml", "generator: sprites\nname: x\nlabel: shape\ntrian: 5\n")
    refused(USAGE, ["task.yaml", "trian"], "--data", "task:./task.yaml")
    os.makedirs("hollow/train/a")
    os.makedirs("hollow/test/a")
    refused(DATA, ["hollow"], "--data", "hollow")
    os.mkdir("bare")
    refused(DATA, ["bare"], "--data", "bare")


@test
def lists_that_are_fine():
    """Blanks in names, CRLF, blank lines, no last newline, names that are not ASCII."""
    setup()
    a, b, c = (read("data/images/train800val200/%06d.png" % i) for i in range(3))
    write("data/images/with two  blanks.png", a, binary=True)
    write("data/images/b.png", b, binary=True)
    write("data/images/\u00e9t\u00e9 \u732b.png", c, binary=True)
    list_is("images/with two  blanks.png 0\r\n\r\n  \nimages/b.png\t1\nimages/\u00e9t\u00e9 "
            "\u732b.png 2")
    train("o", "--batch-size", 1, "--shuffle", "off", "--lr", 0)
    list_is("".join("images/train800val200/%06d.png %d\n" % (i, i) for i in range(3)))
    train("p", "--batch-size", 1, "--shuffle", "off", "--lr", 0)
    equal(losses("o"), losses("p"))
    os.makedirs("f/train/caf\u00e9 noir")
    for split in ("train", "test"):
        for name in ("caf\u00e9 noir", "z"):
            write("f/%s/%s/x y.png" % (split, name), a, binary=True)
    train("q", data="f")
    equal(json.loads(read("q/last/adapter_config.json"))["sctrun"]["class_names"],
          ["caf\u00e9 noir", "z"])


@test
def names_that_are_no_text():
    """A class folder whose name is not UTF-8 cannot be written into the adapter."""
    model()
    base()
    folders()
    for split in ("train", "test"):
        os.rename(b"folders/%s/b" % split.encode(), b"folders/%s/b\xff" % split.encode())
    refused(DATA, ["class 1", "UTF-8", "folders"], "--data", "folders")


@test
def pictures():
    setup()
    name = "images/train800val200/000003.png"
    good = read("data/" + name)
    head = lambda w, h: struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)
    bad = {"cut": good[:len(good) // 2], "tiny": good[:20], "none": b"", "text": b"hello" * 50,
           "crc": good[:60] + bytes([good[60] ^ 255]) + good[61:],
           "huge": png_bytes(1, 1, bytes(3), head(60000, 60000)),
           "vast": png_bytes(1, 1, bytes(3), head(2 ** 31 - 1, 2 ** 31 - 1)),
           "zero": png_bytes(1, 1, bytes(3), head(0, 1)),
           "jpeg": b"\xff\xd8\xff\xe0" + b"\0" * 400}
    for what, data in bad.items():
        write("data/" + name, data, binary=True)
        refused(DATA, [name], "--shuffle", "off", timeout=30)
        fails(DATA, [name], "predict", *LINEAR[:4], "--image", "data/" + name)
    os.remove("data/" + name)
    refused(DATA, [name], "--shuffle", "off")
    os.mkfifo("data/" + name)  # nobody writes into it: opening it must not wait
    refused(DATA, [name, "regular file", "special file"], "--shuffle", "off", timeout=30)
    fails(DATA, [name, "special file"], "predict", *LINEAR[:4], "--image", "data/" + name, timeout=30)
    os.remove("data/" + name)
    os.symlink("/dev/zero", "data/" + name)
    refused(DATA, [name, "special file"], "--shuffle", "off", timeout=30)
    os.remove("data/" + name)
    fails(DATA, ["data/" + name], "predict", *LINEAR[:4], "--image", "data/" + name)
    os.mkdir("nothing")
    fails(DATA, ["nothing", ".png"], "predict", *LINEAR[:4], "--image", "nothing")
    write("data/" + name, good, binary=True)
    sctrun("train", *LINEAR, "--output", "fine")


@test
def pipes_and_devices():
    """Wherever a file is named, what is none is refused at once; a pipe is not waited for."""
    setup()
    names = "pipe", "pipe.yaml", "pipe.json", "pipe.so", "pipe.csv", "pipe.safetensors", "pipe.pth", "pipe.npz"
    for n in names:
        os.mkfifo(n)
    for code, *args in ((USAGE, "-c", "pipe.yaml"), (USAGE, "--model", "pipe.yaml"),
                        (USAGE, "--recipe", "pipe.yaml"), (USAGE, "--preprocess", "pipe.yaml"),
                        (USAGE, "--data", "task:./pipe.yaml"), (DATA, "--data", "pipe.csv"),
                        (DATA, "--train-list", "pipe"), (DATA, "--train-list", "pipe.csv"),
                        (DATA, "--test-list", "pipe.json"), (DATA, "--class-map", "pipe"),
                        (DATA, "--class-map", "pipe.json"), (FILE, "--weights", "pipe.safetensors"),
                        (FILE, "--weights", "pipe.pth"), (FILE, "--weights", "pipe.npz"),
                        (PLUGIN, "--strategy", "./pipe.so"), (PLUGIN, "--backend", "./pipe.so"),
                        (None, "--strategy", "spt", "--set", "plan=pipe.json"),
                        (None, "--strategy", "spt", "--set", "plan=pipe.pth"),
                        (None, "--head-from", "pipe")):
        r = refused(code, ["pipe"], *args, timeout=30)
        check(r.code not in (0, 124), r.argv, r.err)
    for kind in ("data/train800val200.txt", "data/classes.txt"):
        kept = read(kind)
        os.remove(kind)
        os.mkfifo(kind)
        refused(DATA, [kind, "special file"], timeout=30)
        os.remove(kind)
        write(kind, kept, binary=True)
    fails(DATA, ["pipe"], "predict", *LINEAR[:4], "--image", "pipe", timeout=30)
    fails(FILE, ["pipe"], "inspect", "pipe.safetensors", timeout=30)
    fails(FILE, ["pipe.pth"], "inspect", "pipe.pth", timeout=30)
    fails(USAGE, ["pipe.yaml"], "ablate", "pipe.yaml", timeout=30)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not os.path.exists("o"):
            train("o", "--max-steps", 1)
        shutil.copytree("o/last", "a-" + name)
        os.remove("a-%s/%s" % (name, name))
        os.mkfifo("a-%s/%s" % (name, name))
        fails(FILE, [name, "special file"], "eval", "--adapter", "a-" + name, "--data", "data", timeout=30)


@test
def bad_test_picture_keeps_the_training():
    """A test picture that cannot be read stops the run after the training: what was learnt stays."""
    setup()
    write("data/images/test/000002.png", "no picture")
    fails(DATA, ["images/test/000002.png"], "train", *LINEAR, "--output", "o")
    equal(len(losses("o")), 3)
    check(not os.path.exists("o/best"))
    predict("o/last", "data/images/test/000000.png")
    equal([n for n in os.listdir("o") if "tmp" in n], [])


@test
def classes_do_not_fit():
    setup()
    train("o", "--max-steps", 1)
    vtab("five", classes=5)
    fails(DATA, ["five/test.txt", "class c3", "--unknown-classes skip"], "eval", "--adapter",
          "o/last", "--data", "five")
    os.remove("five/classes.txt")
    fails(DATA, ["five/test.txt", "labels up to 4", "3 classes"], "eval", "--adapter", "o/last",
          "--data", "five")
    base("two.safetensors", classes=2)
    fails(DATA, ["3 classes", "two.safetensors", "2"], "eval", "--model", "tiny.yaml",
          "--weights", "two.safetensors", "--data", "data")


# ---- adapters ----

@test
def adapter_folders():
    setup()
    for s in ("sct", "lora", "linear"):
        train(s, "--max-steps", 1, *(["--set", "r=2"] if s == "lora" else []), strategy=s)

    def bad(folder, *parts, code=FILE):
        fails(code, parts, "eval", "--adapter", folder, "--data", "data")
        fails(code, parts, "train", "--adapter", folder, "--data", "data", "--output", "out")
        check(not os.path.exists("out"))

    bad("absent", "absent", "adapter folder")
    bad("base.safetensors", "base.safetensors", "a file")
    bad("data", "data/adapter_config.json")
    shutil.copytree("sct/last", "noweights")
    os.remove("noweights/adapter_model.safetensors")
    bad("noweights", "noweights/adapter_model.safetensors")
    good = read("sct/last/adapter_model.safetensors")
    base("other.safetensors", seed=2)
    for s in ("sct", "lora", "linear"):
        fails(FILE, ["another base", "other.safetensors"], "eval", "--adapter", s + "/last",
              "--weights", "other.safetensors", "--data", "data")
    for n in (0, 7, 200, len(good) - 1):
        shutil.rmtree("cut", ignore_errors=True)
        shutil.copytree("sct/last", "cut")
        write("cut/adapter_model.safetensors", good[:n], binary=True)
        bad("cut", "cut/adapter_model.safetensors")
    config = read("sct/last/adapter_config.json")
    for text in (b"", b"[]", config[:200], config.replace(b"}", b"", 1),
                 config.replace(b'"dim"', b'"dim": 48, "dim"', 1), b"\xff\xfe{}", b"[" * 100000):
        shutil.rmtree("json", ignore_errors=True)
        shutil.copytree("sct/last", "json")
        write("json/adapter_config.json", text, binary=True)
        bad("json", "json/adapter_config.json")

    def key(folder, path, value, *parts):
        def edit(c):
            at = c
            for k in path[:-1]:
                at = at[k]
            if value is None:
                del at[path[-1]]
            else:
                at[path[-1]] = value
        bad(edited("sct/last", folder, edit), *parts)
    own, arch = ("sctrun",), ("sctrun", "base", "config")
    key("k1", own, None, "sctrun")
    key("k2", own + ("format_version",), 3, "format_version")
    key("k3", own + ("strategy",), None, "sctrun.strategy")
    key("k4", own + ("base", "sha256"), None, "sha256")
    key("k5", own + ("base", "sha256"), "0" * 64, "another base")
    key("k6", arch + ("dim",), "48", "sctrun.base.config.dim")
    key("k7", arch + ("dim",), 96, "patch_embed.proj.weight", "dim is 48", "says 96", "another base")
    key("k8", arch + ("depth",), 0, "depth")
    key("k9", own + ("preprocess",), None, "preprocess")
    key("k10", own + ("preprocess", "eval"), [{"stretch": {}}], "stretch")
    key("k11", own + ("preprocess", "mean"), [1, 2], "mean")
    key("k12", own + ("class_names",), ["a"], "class names")
    key("k13", own + ("options",), {"k": 8}, "options")
    key("k14", arch + ("pool",), "max", "token, avg or token_avg", "sctrun.base.config.pool", "max")
    key("k15", arch + ("gelu",), "relu", "erf, tanh or quick", "relu")
    key("k16", arch + ("arch",), "resnet", "vit", "sctrun.base.config.arch", "resnet")
    key("k17", arch + ("reg_tokens_of_later",), 4, "sctrun.base.config.reg_tokens_of_later")
    bad(edited("sct/last", "strategy", lambda c: c["sctrun"].update(strategy="magic")), "magic",
        code=PLUGIN)

    def tensor(source, name, edit, *parts):
        bad(retensored(source + "/last", name, edit), *parts)
    tensor("sct", "nohead", lambda t: t.pop("head.weight"), "head.weight")
    tensor("linear", "nohead2", lambda t: t.pop("head.bias"), "head.bias")
    tensor("lora", "nohead3", lambda t: t.pop("base_model.model.head.weight"), "head.weight")
    tensor("sct", "noindex", lambda t: t.pop("sct.blocks.1.index"), "sct.blocks.1.index")
    tensor("sct", "noweight", lambda t: t.pop("sct.blocks.1.weight"), "sct.blocks.1.weight")
    tensor("sct", "beyond", lambda t: t["sct.blocks.0.index"].__setitem__(
        2, t["sct.blocks.0.index"][2][:-1] + (48,)), "sct.blocks.0.index", "48")
    tensor("sct", "order", lambda t: t["sct.blocks.0.index"].__setitem__(
        2, t["sct.blocks.0.index"][2][::-1]), "sct.blocks.0.index", "ascending")
    tensor("sct", "short", lambda t: t.update({"sct.blocks.0.weight": ["F32", [8, 7], [0] * 56]}),
           "sct.blocks.0.weight")
    tensor("sct", "floats", lambda t: t.update({"sct.blocks.0.index": ["F32", [8], range(8)]}),
           "sct.blocks.0.index")
    tensor("sct", "extra", lambda t: t.update({"sct.blocks.2.bias": ["F32", [8], [0] * 8]}),
           "sct.blocks.2.bias")
    tensor("lora", "rank", lambda t: t.update(
        {"base_model.model.blocks.0.attn.qkv.lora_A.weight": ["F32", [3, 48], [0] * 144]}),
        "lora_A", "rank")
    tensor("lora", "together", lambda t: t.update(
        {"base_model.model.blocks.0.attn.qkv.lora_B.weight": ["F32", [144, 4], [1] * 576]}),
        "lora_B", "not zero")
    tensor("lora", "alien", lambda t: t.update({"blocks.0.x": ["F32", [1], [0]]}), "blocks.0.x")
    fails(USAGE, ["strategy sct", "lora"], "train", "--adapter", "sct/last", "--strategy", "lora",
          "--data", "data", "--output", "out")


# ---- when the machine gives out ----

def limited(size):
    """For Popen: files of at most `size` bytes, and an error instead of the signal."""
    def set_limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    return {"preexec_fn": set_limit}


@test
def disk_full():
    setup()
    full = [a if a != "linear" else "full" for a in LINEAR]
    before = set(os.listdir("."))
    fails(FAIL, ["out"], "train", *full, "--output", "out", **limited(300))
    equal(set(os.listdir(".")), before)  # not even its own arguments could be written
    r = fails(FAIL, ["out", "adapter_model.safetensors"], "train", *full, "--output", "out",
              **limited(60000))
    equal(sorted(os.listdir("out")), ["args.yaml", "log.jsonl", "summary.csv"])
    # the save before is whole when the next one fails
    train("again", "--max-steps", 1, strategy="full")
    good = adapter_bytes("again")
    r = sctrun("dump", "--site", "**", "--image", "data/images/test", *LINEAR[:4], "--output",
               "d", code=FAIL, **limited(9000))
    contains(r.err, "d/")
    equal([n for n in os.listdir("d") if os.path.getsize("d/" + n) not in
           (128 + 4 * count(read_npy("d/" + n)[0]),)], [], "half-written files:")


@test
def disk_really_full():
    """The file system itself says so: a small one of its own, which goes away with the process."""
    setup()
    os.mkdir("small")
    alone = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-U", "-r", "-m"]
    inside = lambda size, *args: subprocess.run(
        alone + ["sh", "-c", 'mount -t tmpfs -o size="$0" none small || exit 99; "$@"; code=$?; '
                 'find small -type f >found; exit $code', size] + [str(a) for a in args],
        env=environment(), capture_output=True)
    if not shutil.which("unshare") or inside("64k", "true").returncode != 0:
        raise Skipped("no file system can be mounted here")
    full = [a if a != "linear" else "full" for a in LINEAR]
    p = inside("64k", SCTRUN, "train", *full, "--output", "small/out")
    equal(p.returncode, FAIL, p.stderr.decode()[-500:])
    contains(p.stderr.decode(), "sctrun: ", "small/out", "No space left on device")
    check("adapter_model" not in read("found").decode(), "half of a file was left")
    equal(inside("8M", SCTRUN, "train", *full, "--output", "small/out").returncode, OK)
    contains(read("found").decode(), "small/out/last/adapter_model.safetensors")


@test
def stdout_is_full_or_closed():
    setup()
    if os.path.exists("/dev/full"):
        for args in (["version"], ["help", "train"], ["devices", "--json"], ["plugins"]):
            with open("/dev/full", "wb") as full:
                p = subprocess.run([SCTRUN] + args, stdout=full, stderr=subprocess.PIPE,
                                   env=environment())
            equal(p.returncode, FAIL, args)
            contains(p.stderr.decode(), "sctrun: stdout")
    shell = lambda redirect, *args: subprocess.run(
        ["sh", "-c", 'exec "$0" "$@" ' + redirect, SCTRUN] + [str(a) for a in args],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    p = shell(">&-", "version")
    equal(p.returncode, FAIL)
    p = shell(">&-", "train", *LINEAR, "--output", "o")
    equal(p.returncode, FAIL)
    equal(len(losses("o")), 3)  # nothing but its own lines in the log
    predict("o/last", "data/images/test/000000.png")
    for k, redirect in enumerate(("2>&-", "<&-", "<&- 2>&-")):
        equal(shell(redirect, "train", *LINEAR, "--output", "p%d" % k).returncode, OK, redirect)
        equal(adapter_bytes("p%d" % k), adapter_bytes("o"))
        equal(losses("p%d" % k), losses("o"))


@test
def memory_too_small():
    setup()
    r = refused(NOMEM, ["frozen weights", "activations", "total", "--micro-batch",
                        "--memory-limit"], "--memory-limit", "64K")
    refused(NOMEM, ["total"], "--memory-limit", 1)
    fails(NOMEM, ["total"], "eval", *LINEAR[:4], "--data", "data", "--memory-limit", "64K")


@test
def device_memory_too_small():
    """A device that says how little it has: PoCL with one GiB, and a plan of seven."""
    model("large.yaml", image_size=224, patch_size=16, dim=1024, depth=24, heads=16)
    small = {"POCL_MEMORY_LIMIT": "1"}
    if "units, 1024 MB," not in sctrun("devices", env=small).out:
        raise Skipped("no PoCL device")
    args = ["train", "--backend", "opencl", "--model", "large.yaml", "--weights", "random", "--data",
            "task:sprites_shape", "--strategy", "full", "--output", "out"]
    for checkpoint in ("none", "auto"):
        for extra in ([], ["--dry-run"]):
            fails(NOMEM, ["1024.00 MB allowed", "trainable", "optimiser state", "activations",
                          "total", "--micro-batch", "--checkpoint"], *args, *extra,
                  "--checkpoint", checkpoint, env=small)
    no_leftovers("large.yaml")


@test
def loss_not_finite():
    setup()
    wild = [a if a != "linear" else "full" for a in LINEAR] + [
        "--optimizer", "sgd", "--lr", 1000, "--lr-schedule", "constant", "--epochs", 50]
    r = fails(NONFINITE, ["loss of step", "not finite", "--lr", "--clip-grad"], "train", *wild,
              "--output", "o")
    step = int(re.search(r"step (\d+)", r.err[r.err.rindex("sctrun: "):]).group(1))
    lines = [json.loads(l) for l in read("o/log.jsonl").decode().splitlines()]
    equal((lines[-1]["step"], lines[-1]["loss"]), (step, None))
    check(not os.path.exists("o/last"), "a model that is not finite was saved as the last")
    nan = base_tensors()
    nan["norm.bias"] = ("F32", (48,), floats([float("nan")] * 48))
    save_tensors("nan.safetensors", nan)
    fails(NONFINITE, ["step 1"], "train", *LINEAR, "--weights", "nan.safetensors", "--output",
          "p")
    nan = base_tensors()
    nan["pos_embed"] = ("F32", (1, 17, 48), floats([float("nan")] * 17 * 48))
    save_tensors("nan2.safetensors", nan)
    refused(NONFINITE, ["score", "not finite"], "--weights", "nan2.safetensors", "--strategy",
            "sct", "--set", "k=4", output="q")


def stopped_by(sig, output, *args):
    p = subprocess.Popen([SCTRUN] + [str(a) for a in args] + ["--output", output],
                         env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for line in p.stderr:
        if b"step 5/" in line:
            break
    p.send_signal(sig)
    out, err = p.communicate(timeout=60 * PATIENCE)
    return p.returncode, out.decode(), err.decode()


@test
def interrupted():
    """SIGINT and SIGTERM end the run after the step: saved, evaluated, exit 128 + n."""
    setup()
    args = ["train", *[a if a != 1 else 100000 for a in LINEAR]]
    for sig, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        name = "o%d" % code
        found, out, err = stopped_by(sig, name, *args)
        equal(found, code, err[-500:])
        contains(out, "last top1")
        steps, evals = log(name)
        check(5 <= len(steps) < 100000)
        equal(evals[-1]["step"], steps[-1]["step"])
        r = sctrun("eval", "--adapter", name + "/last", "--data", "data", "--json").json
        equal("%.9g" % r["loss"], "%.9g" % evals[-1]["eval_loss"])
        equal(sorted(os.listdir(name)), ["args.yaml", "best", "last", "log.jsonl",
                                         "summary.csv"])


@test
def killed():
    """However a run dies, the folders it saved before are whole."""
    setup()
    p = subprocess.Popen([SCTRUN, "train", *[str(a) if a != 1 else "100000" for a in LINEAR],
                          "--eval-interval", "1", "--output", "o"], env=environment(),
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for line in p.stderr:
        if b"epoch 20/" in line:
            break
    p.kill()
    p.communicate()
    sctrun("eval", "--adapter", "o/best", "--data", "data")


main()
