# SPDX-License-Identifier: MIT
"""calibrate.py - sctrun calibrate: scores and choices are those of training, overlaps are what they say,
results can be compared, the picture is a picture."""
import xml.etree.ElementTree as ET

from e2e import *

KEPT = {"SCTRUN_CACHE_DIR": "cache"}
SVG = "{http://www.w3.org/2000/svg}"


def setup():
    model()
    base()
    vtab(n_train=9, n_test=3)


def calibrate(*args, data="data", k="k=8", strategy="sct", env=None, **kw):
    return sctrun("calibrate", "--model", "tiny.yaml", "--weights", "base.safetensors", "--data", data,
                  "--strategy", strategy, *(("--set", k) if k else ()), *args, env=env, **kw)


def overlap(a, b):
    return len(set(a) & set(b)) / min(len(a), len(b))


def jaccard(a, b):
    return len(set(a) & set(b)) / len(set(a) | set(b))


@test
def scores():
    """The mean over classes of the norm over images and patch tokens, from values that dump writes."""
    setup()
    r = calibrate("--json").json
    equal((r["strategy"], r["images"], r["classes"], r["measured"], r["from_cache"]), ("sct", 9, 3, 2, 0))
    lines = [l.split() for l in read("data/train800val200.txt").decode().splitlines()]
    total = [[[0.0] * 48 for _ in range(3)] for _ in range(2)]
    for name, label in lines:
        sctrun("dump", "--site", "**.attn.res", "--image", "data/" + name, "--model", "tiny.yaml",
               "--weights", "base.safetensors", "--output", "d" + label + name[-8:-4])
        for b in range(2):
            shape, v = read_npy("d%s%s/stage[0].block[%d].attn.res.npy" % (label, name[-8:-4], b))
            for i in range(48, len(v)):  # the class token is not counted
                total[b][int(label)][i % 48] += v[i] ** 2
    for b, l in enumerate(r["lists"]):
        want = [sum(total[b][c][d] ** 0.5 for c in range(3)) / 3 for d in range(48)]
        for d in range(48):
            close(l["scores"][d], want[d], 1e-5, 0, "block %d channel %d" % (b, d))
        equal((l["name"], l["where"]), ("sct.blocks.%d" % b, "stage[0].block[%d].attn.res" % b))
        equal((l["kind"], l["of"], l["units"]), ("channels", 48, 48))
        order = sorted(range(48), key=lambda d: (-l["scores"][d], d))
        equal(l["chosen"], sorted(order[:8]))
    for w, l in zip(r["watched"], r["lists"]):
        equal((w["what"], w["where"], w["rows"], w["columns"]), ("values", l["where"], 3, 48))
    # the model is as in evaluation: nothing is dropped
    equal(calibrate("--json", "--drop-path", "0.5").json["lists"], r["lists"])


@test
def as_training():
    """The choice is that of train, whose readings calibrate leaves behind; and the other way round."""
    setup()
    first = calibrate("--json", env=KEPT)
    contains(first.err, "calibrating sct on 9 images")
    r = train("run", "--batch-size", 64, strategy="sct", env=KEPT)
    contains(r.err, "readings from cache: 2 of 2")
    again = calibrate("--json", env=KEPT)
    contains(again.err, "readings from cache: 2 of 2")
    check("calibrating" not in again.err and again.json["from_cache"] == 2, again.json)
    equal(again.json["lists"], first.json["lists"])
    for l in first.json["lists"]:
        equal(l["chosen"], list(tensors("run")[l["name"] + ".index"][2]))
    text = calibrate(env=KEPT).out
    contains(text, "sct on tiny: 9 images of data/", "sct.blocks.1 ", "overlap, |A and B| / K")
    for l in first.json["lists"]:
        contains(text, "\n%s: %s\n" % (l["name"], " ".join(map(str, l["chosen"]))))


@test
def overlaps():
    """Between layers, of every mode, also where several lists share a reading."""
    setup()
    for mode, names, where in (
            ("qkv", ["sct.blocks.%d.%s" % (b, p) for b in (0, 1) for p in "qv"], "attn.qkv"),
            ("both", ["sct.blocks.%d.%s" % (b, p) for b in (0, 1) for p in ("attn", "mlp")], None)):
        r = calibrate("--json", "--set", "mode=" + mode).json
        equal([l["name"] for l in r["lists"]], names)
        for i, a in enumerate(r["lists"]):
            for k, b in enumerate(r["lists"]):
                close(r["overlap"][i][k], overlap(a["chosen"], b["chosen"]), 1e-12)
                close(r["jaccard"][i][k], jaccard(a["chosen"], b["chosen"]), 1e-12)
            if mode == "qkv":  # of its part of the layer
                part = range(*((0, 48), (96, 144))[i % 2])
            else:
                part = range(48)
            order = sorted(part, key=lambda d: (-a["scores"][d], d))
            equal(a["chosen"], sorted(order[:8]), a["name"])
    # of widths that differ nothing is said
    swin()
    r = sctrun("calibrate", "--model", "swin.yaml", "--weights", "swin.safetensors", "--data", "data",
               "--set", "k=1/3", "--json").json
    of = [l["of"] for l in r["lists"]]
    equal(of, [6, 6, 12, 12, 24, 48])
    for i, row in enumerate(r["overlap"]):
        equal([v is None for v in row], [of[i] != o for o in of])


@test
def without_scores():
    """random measures nothing; what looks at nothing and chooses nothing is refused."""
    setup()
    r = calibrate("--json", "--set", "select=random").json
    equal(([l["scores"] for l in r["lists"]], r["watched"], r["measured"]), ([None, None], [], 0))
    check("calibrating" not in calibrate("--set", "select=random").err)
    fails(USAGE, ["strategy lora", "chooses nothing"], "calibrate", "--model", "tiny.yaml", "--weights",
          "base.safetensors", "--data", "data", "--strategy", "lora")
    fails(USAGE, ["--dry-run"], "calibrate", "--dry-run", "--data", "data")
    train("run", strategy="sct")
    fails(USAGE, ["run/last", "--adapter"], "calibrate", "--adapter", "run/last", "--data", "data")


@test
def compared():
    """Results of several tasks: list by list, and the mean."""
    setup()
    vtab("other", n_train=9, n_test=3)
    for i in range(9):
        png("other/images/train800val200/%06d.png" % i, rgb=picture(50 + i, i * i % 4))
    files = []
    for name, args in (("a", {}), ("b", {"data": "other"}), ("c", {"k": "k=12"})):
        files.append(write(name + ".json", calibrate("--json", **args).out))
    lists = [[l["chosen"] for l in json.loads(read(f))["lists"]] for f in files]
    r = sctrun("calibrate", *files, "--json").json
    equal((r["files"], [l["name"] for l in r["lists"]]), (files, ["sct.blocks.0", "sct.blocks.1"]))
    for i in range(3):
        for k in range(3):
            one = [(overlap(lists[i][l], lists[k][l]), jaccard(lists[i][l], lists[k][l])) for l in (0, 1)]
            for l in (0, 1):
                close(r["lists"][l]["overlap"][i][k], one[l][0], 1e-12)
                close(r["lists"][l]["jaccard"][i][k], one[l][1], 1e-12)
            close(r["overlap"][i][k], sum(o for o, _ in one) / 2, 1e-12)
            close(r["jaccard"][i][k], sum(j for _, j in one) / 2, 1e-12)
    check(any(lists[0][l] != lists[1][l] for l in (0, 1)), "the tasks choose alike")
    text = sctrun("calibrate", *files).out.splitlines()
    equal(text[:4], ["0 a.json", "1 b.json", "2 c.json", "overlap |A and B| / K, Jaccard"])
    contains(text[-1], "mean ", "%4.2f/%4.2f" % (r["overlap"][0][1], r["jaccard"][0][1]))


@test
def parameters():
    """Of a strategy that scores gradients: what of every parameter is trained, which is what train saves;
    between two tasks, how much of it is the same."""
    setup()
    vtab("other", n_train=9, n_test=3)
    for i in range(9):
        png("other/images/train800val200/%06d.png" % i, rgb=picture(50 + i, i * i % 4))
    files, names = [], []
    for data, budget in (("data", "0.006"), ("other", "0.003")):
        spt = ["--set", "budget=" + budget, "--set", "step=0.0001", "--batch-size", 8]
        r = calibrate("--json", *spt, data=data, k=None, strategy="spt")
        files.append(write(data + ".json", r.out))
        names.append([t for p in r.json["parameters"] for t in p["tensors"]])
        train("run-" + data, *spt, "--max-steps", 1, data=data, strategy="spt")
        saved = tensors("run-" + data)
        want = {n for n in saved if "head." not in n and "plan." not in n and n != "cls_token"
                and not n.endswith(".index")}
        equal(set(names[-1]), want)
        for p in r.json["parameters"]:
            equal(p["trained"], sum(count(saved[t][1]) for t in p["tensors"]), p)
            equal(p["whole"], p["where"] in p["tensors"], p)
        watched = {w["where"]: w["sum_of_squares"] for w in r.json["watched"]}
        equal({p["where"]: p["score"] for p in r.json["parameters"]}, watched)
    text = calibrate(*spt, k=None, strategy="spt").out
    line = next(l for l in text.splitlines() if l.startswith("blocks.0.attn.proj.weight "))
    contains(line, " 2304 ", "lora_A.weight")
    r = sctrun("calibrate", *files, "--json").json["tensors"]
    close(r["overlap"][0][1], overlap(*names), 1e-12)
    close(r["jaccard"][0][1], jaccard(*names), 1e-12)
    check(r["jaccard"][0][1] < 1 and r["jaccard"][1][1] == 1, r)
    contains(sctrun("calibrate", *files).out.splitlines()[-1], "trained tensors", "/%4.2f" % r["jaccard"][0][1])
    for bad in (3, [3], [{"tensors": 3}], [{"tensors": [3]}], [{}]):
        write("bad.json", json.dumps({**json.loads(read(files[0])), "parameters": bad}))
        fails(FILE, ["bad.json"], "calibrate", files[0], "bad.json")


@test
def bad_results():
    setup()
    good = json.loads(calibrate("--json").out)
    write("good.json", json.dumps(good))
    fails(USAGE, ["good.json", "two or more"], "calibrate", "good.json")
    fails(USAGE, ["--picture"], "calibrate", "good.json", "good.json", "--picture", "x.svg")
    fails(FILE, ["nosuch.json"], "calibrate", "good.json", "nosuch.json")
    chosen = good["lists"][0]["chosen"]
    for what, edit in (("lists", {"lists": 3}), ("objects at lists", {"lists": [3]}), ("name", {"lists": [{}]}),
                       ("of", {"lists": [{"name": "x", "of": 0, "chosen": []}]}),
                       ("chosen of list x", {"lists": [{"name": "x", "of": 4, "chosen": [4]}]}),
                       ("entry 1", {"lists": [{"name": "x", "of": 4, "chosen": [2, 2]}]}),
                       ("entry 0", {"lists": [{"name": "x", "of": 4, "chosen": ["2"]}]})):
        write("bad.json", json.dumps({**good, **edit}))
        fails(FILE, ["bad.json", what], "calibrate", "good.json", "bad.json")
    write("bad.json", "[" * 5000)
    fails(FILE, ["bad.json"], "calibrate", "good.json", "bad.json")
    write("none.json", json.dumps({"lists": [{"name": "sct.blocks.0", "of": 47, "chosen": []}]}))
    fails(USAGE, ["good.json", "no list in common"], "calibrate", "good.json", "none.json")
    equal(chosen, good["lists"][0]["chosen"])


@option("picture")
def drawn():
    """Well-formed, self-contained; a strip under the chosen ones; a cell for every pair."""
    setup()
    r = calibrate("--json", "--picture", "p.svg").json
    root = ET.fromstring(read("p.svg"))
    equal(root.tag, SVG + "svg")
    check(b"href" not in read("p.svg") and b"url(" not in read("p.svg"), "it is not self-contained")
    width, height = float(root.get("width")), float(root.get("height"))
    rects = root.findall(SVG + "rect")
    by = lambda c: [{k: float(e.get(k)) for k in ("x", "y", "width", "height")} for e in rects
                    if e.get("class") == c]
    for b in by("score") + by("chosen") + by("overlap"):
        check(0 <= b["x"] and b["x"] + b["width"] <= width and b["y"] + b["height"] <= height, b)
    bars = sorted({b["y"] for b in by("score")})
    equal(len(bars), 2)
    for y in bars:
        row = [b for b in by("score") if b["y"] == y]
        total = sum(b["width"] for b in row)
        close(total, 720, 1e-4)
        # the largest scores are chosen: one strip, from the left
        strip = [b for b in by("chosen") if abs(b["y"] - y - row[0]["height"]) < 1e-6]
        equal((len(strip), strip[0]["x"]), (1, min(b["x"] for b in row)))
        close(strip[0]["width"], 720 * 8 / 48, 1e-4)
    equal(len(by("overlap")), 4)
    words = [e.text for e in root.findall(SVG + "text")]
    contains(words, "sct.blocks.0", "8 of 48", "chosen", "%.2f" % r["overlap"][0][1])
    # the other end: the strip is at the right
    calibrate("--json", "--picture", "low.svg", "--set", "select=lowest")
    low = [e for e in ET.fromstring(read("low.svg")).findall(SVG + "rect") if e.get("class") == "chosen"]
    check(all(float(e.get("x")) > 600 for e in low) and low)
    # names are text, whatever is in them
    shutil.copytree("data", "a<&>b")
    calibrate("--json", "--picture", "odd.svg", data="a<&>b")
    contains(ET.fromstring(read("odd.svg")).find(SVG + "title").text, "a<&>b")
    fails(FAIL, ["no/such"], "calibrate", "--model", "tiny.yaml", "--weights", "base.safetensors", "--data",
          "data", "--set", "k=8", "--picture", "no/such/p.svg")
    calibrate("--picture", "random.svg", "--set", "select=random")
    equal(len([e for e in ET.fromstring(read("random.svg")).findall(SVG + "rect")
               if e.get("fill") == "#e4e4e4"]), 2)


main()
