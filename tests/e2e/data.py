# SPDX-License-Identifier: MIT
"""data.py - every layout of data is found, numbered and read as docs/formats.md says.

The same pictures in another layout must train to the same bits, which is how most tests look.
"""
import json
import os
import shutil
import struct
import zlib

from e2e import *

SAME = ["--epochs", 2, "--batch-size", 8, "--lr", "0.02", "--seed", 1]


def setup(**data):
    model()
    base()
    return vtab(**data)


def run(output, data, *args, **kw):
    return train(output, *SAME, *args, data=data, **kw)


def config(folder, which="last"):
    return json.loads(read("%s/%s/adapter_config.json" % (folder, which)))["sctrun"]


def same(a, b):
    equal(losses(a), losses(b), "%s and %s" % (a, b))
    equal(last_loss(a), last_loss(b))


def items(split, data="data"):
    """[(path, label)] of a list."""
    return [(line.rsplit(" ", 1)[0], int(line.rsplit(" ", 1)[1]))
            for line in read("%s/%s.txt" % (data, split)).decode().splitlines()]


def evaluate(*args, **kw):
    """The result of eval, the loss as the log writes it."""
    r = sctrun("eval", *args, "--json", **kw).json
    r["loss"] = float("%.9g" % r["loss"])
    return r


def last_loss(folder):
    return log(folder)[1][-1]["eval_loss"]


# ---- VTAB-1k ----

@option("protocol")
def vtab_protocols():
    setup()
    lines = read("data/train800val200.txt").decode().splitlines(True)
    write("data/train800.txt", "".join(lines[:16]))
    write("data/val200.txt", "".join(lines[16:]))
    run("usual", "data")
    equal(len(losses("usual")), 6)
    equal(log("usual")[1][-1]["images"], 12)
    run("tune", "data", "--protocol", "tune")
    equal(len(losses("tune")), 4)
    equal(log("tune")[1][-1]["images"], 8)
    run("by_hand", "data", "--train-list", "train800.txt", "--test-list", "val200.txt")
    same("tune", "by_hand")
    # drawn tasks have the same two protocols
    task = ["--data", "task:sprites_shape", "--max-steps", 1, "--test-limit", 8]
    for protocol, own in (("trainval", ["trainval", "test"]), ("tune", ["train", "val"])):
        train(protocol + "a", *task, "--protocol", protocol)
        train(protocol + "b", *task, "--train-list", own[0], "--test-list", own[1])
        same(protocol + "a", protocol + "b")


@test
def vtab_tasks_are_known():
    """The head has the task's classes even if the lists do not reach them; names are aliases."""
    setup(names=False)
    os.rename("data", "smallnorb_ele")
    r = run("o", "smallnorb_ele")
    contains(r.err, "VTAB-1k's smallnorb_ele (structured)", "9 classes")
    equal(tensors("o")["head.weight"][1], [9, 48])
    equal(config("o")["data"], {"layout": "list", "folder_order": "",
                                "vtab_task": "smallnorb_ele"})
    contains(run("eighteen", "smallnorb_ele", "--num-classes", 18).err,
             "smallnorb_ele has 9 classes; the head has 18")
    os.rename("smallnorb_ele", "cifar100")
    contains(run("p", "cifar").err, "VTAB-1k's cifar (natural)", "100 classes")
    os.rename("cifar100", "patch_camelyon")
    fails(DATA, ["patch_camelyon has 2 classes", "at least 3", "another name"], "train",
          "--model", "tiny.yaml", "--weights", "base.safetensors", "--data", "patch_camelyon",
          "--strategy", "linear", "--output", "x")
    os.rename("patch_camelyon", "kitti")
    write("kitti/classes.txt", "near\nfar\nout\n")
    fails(DATA, ["kitti has 4 classes", "names of 3"], "eval", "--adapter", "o/last", "--data",
          "kitti")


# ---- few-shot ----

@option("shots", "shot_seed", "layout")
def few_shot_lists():
    setup(names=False)
    train_lines = "".join("%s %d\n" % (p.split("/", 1)[1], c) for p, c in items("train800val200"))
    test_lines = "".join("%s %d\n" % (p.split("/", 1)[1], c) for p, c in items("test"))
    for name, root in (("food-101", "images"), ("stanford_cars", "."), ("imagenet", None)):
        notes = name + "/annotations/"
        write(notes + "train_meta.list.num_shot_4.seed_1", train_lines)
        write(notes + ("val_meta.list" if name == "imagenet" else "test_meta.list"), test_lines)
        if root:
            shutil.copytree("data/images", name + "/" + root, dirs_exist_ok=True)
        else:
            shutil.copytree("data/images", name + "/train")
            shutil.copytree("data/images", name + "/val")
        run(name + "-run", name, "--shots", 4, "--shot-seed", 1)
        equal(config(name + "-run")["data"]["layout"], "few-shot")
    run("plain", "data")
    for name in ("food-101", "stanford_cars", "imagenet"):
        same("plain", name + "-run")
    base_args = ["--model", "tiny.yaml", "--weights", "base.safetensors", "--strategy", "linear"]
    fails(DATA, ["num_shot_4.seed_0", "train_meta.list.num_shot_4.seed_1"], "train", *base_args,
          "--data", "food-101", "--shots", 4)
    fails(USAGE, ["food-101", "--shots N"], "train", *base_args, "--data", "food-101")
    fails(USAGE, ["--shots 4", "layout is list"], "train", *base_args, "--data", "data",
          "--layout", "list", "--shots", 4)
    equal(evaluate("--adapter", "plain/last", "--data", "food-101")["images"], 12)


# ---- FGVC ----

@option("image_root")
def fgvc_json():
    """Ids are any numbers, sorted; the order of keys is the order of samples."""
    setup(names=False)
    ids = [-3, 20, 100]
    for name, root in (("CUB_200_2011", "images"), ("StanfordDogs", "Images"),
                       ("stanfordcars", "."), ("mine", "pictures")):
        for split, own in (("train", "train800val200"), ("test", "test"), ("val", "test")):
            write("%s/%s.json" % (name, split), json.dumps(
                {p.split("/", 1)[1]: ids[c] for p, c in items(own)}, indent=1))
        shutil.copytree("data/images", name + "/" + root, dirs_exist_ok=True)
        run(name + "-run", name, *(["--image-root", root] if name == "mine" else []))
        equal(config(name + "-run")["class_names"], ["-3", "20", "100"])
    run("plain", "data")
    for name in ("CUB_200_2011", "StanfordDogs", "stanfordcars", "mine"):
        same("plain", name + "-run")
    # a part of the training list, and a test split that lacks a class
    part = dict(list(json.loads(read("mine/train.json")).items())[:16])
    write("mine/train_0.5.json", json.dumps(part))
    run("part", "mine", "--image-root", "pictures", "--train-list", "train_0.5.json")
    equal(len(losses("part")), 4)
    test = json.loads(read("mine/test.json"))
    write("mine/test.json", json.dumps({k: v for k, v in test.items() if v != 20}))
    r = evaluate("--adapter", "mine-run/last", "--data", "mine", "--image-root", "pictures")
    equal(r["images"], 8)
    for text, words in (('{"a": 1.5}', "class id"), ('{"a": 1, "a": 2}', "duplicate"),
                        ('{"a": 1, "b": "x"}', "one kind"), ("[1]", "object"), ("{", "train.json:1"),
                        ("{}", "0 keys")):
        write("mine/train.json", text)
        fails(DATA, ["mine/train.json", words], "train", "--model", "tiny.yaml", "--weights",
              "base.safetensors", "--strategy", "linear", "--data", "mine")


# ---- class folders ----

@option("folder_order")
def folder_order():
    model()
    base()
    folders(names=("c10", "c2", "c1"))
    common = ["--model", "tiny.yaml", "--weights", "base.safetensors", "--data", "folders",
              "--strategy", "linear", "--max-steps", 1]
    for order, names in (("torchvision", ["c1", "c10", "c2"]), ("timm", ["c1", "c2", "c10"])):
        sctrun("train", *common, "--folder-order", order, "--output", order)
        equal(config(order)["class_names"], names)
        equal(config(order)["data"]["folder_order"], order)
    # nothing said: only where it does not matter
    fails(USAGE, ["class 1 is c10 in torchvision's order and c2 in timm's", "--folder-order"],
          "train", *common)
    # an adapter knows its names, so for it the order does not matter
    for order in ("torchvision", "timm"):
        a = [evaluate("--adapter", order + "/last", "--data", "folders", *extra)
             for extra in ([], ["--folder-order", "timm"], ["--folder-order", "torchvision"])]
        equal(a[0]["loss"], a[1 if order == "timm" else 2]["loss"])  # its own files in order
        close(a[1]["loss"], a[2]["loss"], 1e-6)  # summed in another order
    fails(USAGE, ["auto|torchvision|timm", "up"], "train", *common, "--folder-order", "up")


@test
def folder_without_splits():
    """A target set that is nothing but class folders can be evaluated, not trained on."""
    model()
    base()
    folders(names=("x", "y"))
    run("o", "folders")
    a = evaluate("--adapter", "o/last", "--data", "folders")
    b = evaluate("--adapter", "o/last", "--data", "folders/test")
    equal((a["loss"], a["images"]), (b["loss"], 8))
    fails(DATA, ["folders/test", "train/"], "train", "--model", "tiny.yaml", "--weights",
          "base.safetensors", "--strategy", "linear", "--data", "folders/test")
    os.makedirs("f2/train/x")
    fails(DATA, ["f2/train/x", "none"], "train", "--model", "tiny.yaml", "--weights",
          "base.safetensors", "--strategy", "linear", "--data", "f2")


# ---- CSV ----

@test
def csv_files():
    setup()
    names = ["c0", "c1", "c2"]
    rows = lambda split: items(split)
    csv = lambda split: "".join('"%s",%s\r\n' % (p, names[c]) for p, c in rows(split))
    for name, text in (("train.csv", "path,label\r\n" + csv("train800val200")),
                       ("test.csv", csv("test"))):
        write("csv/" + name, text)
    shutil.copytree("data/images", "csv/images")
    run("plain", "data")
    run("two", "csv")
    same("plain", "two")
    equal(config("two")["class_names"], names)
    # one file, with a column that says the split, tabs, other columns
    write("csv/all.tsv", "split\tnote\tclass\tfile\n" + "".join(
        "%s\t-\t%d\t%s\n" % ("test" if s == "test" else "train" if i % 2 else "val", c, p)
        for s in ("train800val200", "test") for i, (p, c) in enumerate(rows(s))))
    run("one", "csv/all.tsv")
    same("plain", "one")
    equal(config("one")["class_names"], None)
    run("tune", "csv/all.tsv", "--protocol", "tune")
    equal(log("tune")[1][-1]["images"], 12)
    equal(len(losses("tune")), 4)
    run("lists", "data", "--train-list", os.path.abspath("csv/train.csv"), "--test-list",
        os.path.abspath("csv/test.csv"))
    same("plain", "lists")
    # without a split column a single file is a test split
    equal(evaluate("--adapter", "two/last", "--data", "csv/test.csv")["loss"],
          last_loss("two"))
    fails(DATA, ["csv/test.csv", "column split"], "train", "--model", "tiny.yaml", "--weights",
          "base.safetensors", "--strategy", "linear", "--data", "csv/test.csv")
    write("csv/test.csv", csv("test").replace("c1", "c9"))
    fails(DATA, ["csv/test.csv", "class c9"], "eval", "--adapter", "two/last", "--data", "csv")


# ---- class maps ----

@option("class_map", "unknown_classes")
def class_maps():
    model()
    base()
    folders("source", names=("ant", "bee", "cow"))
    run("o", "source")
    names = config("o")["class_names"]
    equal(names, ["ant", "bee", "cow"])
    # a target set with a part of the classes, so numbered otherwise
    for label, name in ((1, "bee"), (2, "cow")):
        for i in range(4):
            png("target/%s/%d.png" % (name, i), rgb=picture(i, label))
    right = evaluate("--adapter", "o/last", "--data", "target")
    write("list/test.txt", "".join("../target/%s/%d.png %d\n" % (n, i, c)
                                   for c, n in ((1, "bee"), (2, "cow")) for i in range(4)))
    equal(evaluate("--adapter", "o/last", "--data", "list")["loss"], right["loss"])
    # other names for the same classes
    shutil.copytree("target", "foreign")
    os.rename("foreign/bee", "foreign/Biene")
    os.rename("foreign/cow", "foreign/Kuh")
    fails(DATA, ["class Biene", "--class-map", "--unknown-classes skip"], "eval", "--adapter",
          "o/last", "--data", "foreign")
    write("map.txt", "Kuh\t2\nBiene\t1\nAmeise\t0\n")
    write("map.json", json.dumps({"Kuh": 2, "Biene": 1}))
    for name in ("map.txt", "map.json"):
        equal(evaluate("--adapter", "o/last", "--data", "foreign", "--class-map", name)["loss"],
              right["loss"])
    write("big.txt", "Kuh\t3\nBiene\t1\n")
    fails(DATA, ["4 classes", "3"], "eval", "--adapter", "o/last", "--data", "foreign",
          "--class-map", "big.txt")
    write("bad.txt", "Kuh\t2\nBiene\n")
    fails(DATA, ["bad.txt:2"], "eval", "--adapter", "o/last", "--data", "foreign", "--class-map",
          "bad.txt")
    fails(DATA, ["none.txt"], "eval", "--adapter", "o/last", "--data", "foreign", "--class-map",
          "none.txt")
    # unknown classes may be left out
    shutil.copytree("foreign/Kuh", "target/emu")
    fails(DATA, ["class emu"], "eval", "--adapter", "o/last", "--data", "target")
    r = sctrun("eval", "--adapter", "o/last", "--data", "target", "--unknown-classes", "skip",
               "--json")
    equal(float("%.9g" % r.json["loss"]), right["loss"])
    contains(r.err, "target: 4 images of classes that are not known")


@test
def class_maps_are_kept():
    """An adapter that was trained with a map needs it no more."""
    model()
    base()
    folders("source", names=("n01", "n02", "n03"))
    write("map.txt", "n03\t0\nn01\t1\nn02\t2\nants\t1\n")
    run("o", "source", "--class-map", "map.txt")
    equal(config("o")["class_names"], ["n03", "n01", "n02"])
    equal(config("o")["class_map"], {"ants": 1, "n01": 1, "n02": 2, "n03": 0})
    loss = last_loss("o")
    equal(evaluate("--adapter", "o/last", "--data", "source")["loss"], loss)
    os.rename("source/test/n01", "source/test/zants")
    fails(DATA, ["class zants"], "eval", "--adapter", "o/last", "--data", "source")
    os.rename("source/test/zants", "source/test/ants")
    # the same pictures in another order of files
    close(evaluate("--adapter", "o/last", "--data", "source")["loss"], loss, 1e-6)
    # names in an order of one's own; more of them than the data has
    os.rename("source/test/ants", "source/test/n01")
    write("names.txt", "n02\nn09\nn03\nn01\n")
    run("p", "source", "--class-map", "names.txt")
    equal(config("p")["class_names"], ["n02", "n09", "n03", "n01"])
    check("class_map" not in config("p"), "a list of names is no map of numbers")
    equal(tensors("p")["head.weight"][1], [4, 48])
    equal(evaluate("--adapter", "p/last", "--data", "source")["loss"],
          last_loss("p"))
    # training goes on from the adapter with its numbers, whatever order the folders have
    sctrun("train", "--adapter", "p/last", "--data", "source", "--lr", 0, "--max-steps", 1,
           "--output", "q")
    equal(config("q")["class_names"], config("p")["class_names"])
    equal(last_loss("q"), last_loss("p"))


# ---- what cannot be read ----

def break_some(folder="data"):
    """Damages two training pictures and removes a test picture; what is left, as lists."""
    for name in ("train800val200/000003.png", "train800val200/000010.png"):
        path = "%s/images/%s" % (folder, name)
        write(path, read(path)[:100], binary=True)
    os.remove(folder + "/images/test/000004.png")
    for split, gone in (("train800val200", ("000003", "000010")), ("test", ("000004",))):
        lines = read("%s/%s.txt" % (folder, split)).decode().splitlines(True)
        write("%s/good_%s.txt" % (folder, split),
              "".join(l for l in lines if not any(g in l for g in gone)))


@option("skip_bad")
def skip_bad():
    setup()
    break_some()
    args = ["--model", "tiny.yaml", "--weights", "base.safetensors", "--strategy", "linear"]
    fails(DATA, ["000003.png"], "train", *args, "--data", "data", "--shuffle", "off",
          "--batch-size", 8, "--output", "x")
    check(not os.path.exists("x"), "a folder was left")
    run("good", "data", "--train-list", "good_train800val200.txt", "--test-list",
        "good_test.txt")
    for threads in (1, 2, 3):
        name = "t%d" % threads
        r = run(name, "data", "--skip-bad", "--threads", threads, "--json")
        same("good", name)
        check(adapter_bytes("good") == adapter_bytes(name), "other bits")
        equal(r.json["skipped"], 3)
        lines = read(name + "/skipped.txt").decode().splitlines()
        equal([l.split(":")[0].split("/")[-1] for l in lines],
              ["000003.png", "000010.png", "000004.png"])
        contains(lines[0], "data/images/train800val200/000003.png: ", "truncated")
        contains(r.err, "2 of 24 images", "1 of 12 images", "left out: data/images/test/000004")
    check(not os.path.exists("good/skipped.txt"), "a list of nothing")
    r = evaluate("--adapter", "good/last", "--data", "data", "--skip-bad")
    equal((r["images"], r["skipped"], r["loss"]), (11, 1, last_loss("good")))
    # the limit counts lines of the list
    r = evaluate("--adapter", "good/last", "--data", "data", "--skip-bad", "--test-limit", 6)
    equal((r["images"], r["skipped"]), (5, 1))
    for i in range(12):
        write("data/images/test/%06d.png" % i, "x")
    fails(DATA, ["none of its 12 images is left"], "eval", "--adapter", "good/last", "--data",
          "data", "--skip-bad")


@option("max_pixels", "deep_png")
def limits_and_deep_pictures():
    setup(n_test=3)
    run("o", "data")
    path = "data/images/test/000001.png"
    args = ["--adapter", "o/last"]
    fails(DATA, ["data/images/test/000000.png", "1023 in all", "32 x 32"], "eval", *args, "--data",
          "data", "--max-pixels", 1023)
    fails(DATA, ["1023 in all"], "predict", *args, path, "--max-pixels", 1023)
    usual = evaluate(*args, "--data", "data", "--max-pixels", 1024)
    # the same picture with 16 bits: high bytes are what Pillow takes
    raw = picture(1001, 1)
    rows = b"".join(b"\0" + bytes(b for c in raw[y * 96:y * 96 + 96] for b in (c, 77))
                    for y in range(32))
    write(path, b"\x89PNG\r\n\x1a\n" +
          png_chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 32, 16, 2, 0, 0, 0)) +
          png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b""), binary=True)
    fails(DATA, ["000001.png", "16-bit", "--deep-png pillow"], "eval", *args, "--data", "data")
    fails(DATA, ["16-bit"], "predict", *args, path)
    equal(evaluate(*args, "--data", "data", "--deep-png", "pillow")["loss"], usual["loss"])
    sctrun("predict", *args, path, "--deep-png", "pillow")


# ---- predict ----

@test
def pictures_to_predict():
    setup()
    run("o", "data")
    args = ["predict", "--adapter", "o/last", "--json"]
    folder = "data/images/test/"
    whole = sctrun(*args, "--image", "data/images/test").jsonl
    equal([r["file"] for r in whole], [folder + "%06d.png" % i for i in range(12)])
    files = lambda *words: [r["file"] for r in sctrun(*args, *words).jsonl]
    # several, in the order given, and --image before them
    equal(files(folder + "000002.png", folder + "000000.png", "--image", folder + "000001.png"),
          [folder + "00000%d.png" % i for i in (1, 2, 0)])
    # folders are searched in depth
    equal(files("data/images"),
          sorted("data/images/%s/%06d.png" % (s, i)
                 for s, n in (("test", 12), ("train800val200", 24)) for i in range(n)))
    # lists: with labels, of paths alone, CSV
    equal(files("data/test.txt"), [r["file"] for r in whole])
    write("data/some.txt", "images/test/000003.png\n\nimages/test/000001.png\n")
    write("data/some.csv", "file,label\nimages/test/000005.png,c1\n")
    equal(files("data/some.txt", "data/some.csv"),
          [folder + "00000%d.png" % i for i in (3, 1, 5)])
    # the same numbers whatever the batch
    small = sctrun(*args, "data/images/test", "--batch-size", 5).jsonl
    equal([r["logits"] for r in small], [r["logits"] for r in whole])
    # the content counts, not the name
    shutil.copy(folder + "000000.png", "odd.jpg")
    equal(sctrun(*args, "odd.jpg").json["logits"], whole[0]["logits"])
    write("bad.png", "x")
    fails(DATA, ["bad.png"], *args, folder + "000000.png", "bad.png")
    r = sctrun(*args, folder + "000000.png", "bad.png", folder + "000001.png", "--skip-bad")
    equal([x["file"][-5] for x in r.jsonl], ["0", "1"])
    contains(r.err, "left out: bad.png: ")
    fails(DATA, ["none of the 1 pictures"], *args, "bad.png", "--skip-bad")
    write("empty.txt", "\n")
    fails(DATA, ["empty.txt", "found none"], *args, "empty.txt")


main()
