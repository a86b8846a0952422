# SPDX-License-Identifier: MIT
"""features.py - what the program can do: training, run folders, adapters, predictions, lists."""
import json
import math
import os
import re
import shutil
import struct

from e2e import *

STRATEGIES = ("linear", "full", "lora", "sct", "ict", "ssf", "vpt", "fact")


def setup(**data):
    model()
    base()
    return vtab(**data)


def options_of(strategy):
    return {"sct": ["--set", "k=6"], "ict": ["--set", "k=6"], "lora": ["--set", "r=2"],
            "vpt": ["--set", "n=3"],
            "fact": ["--set", "rank=2", "--set", "form=tk", "--set", "dropout=0"]}.get(strategy, [])


@test
def train_each_strategy():
    """Every strategy trains: the run folder is complete, and the loss falls."""
    setup()
    own = {"linear": {"head.weight", "head.bias"},
           "full": set(base_shapes()),
           "lora": {"base_model.model." + n for n in
                    ["head.weight", "head.bias"] +
                    ["blocks.%d.attn.qkv.lora_%s.weight" % (b, h) for b in (0, 1) for h in "AB"]},
           "sct": {"head.weight", "head.bias"} |
                  {"sct.blocks.%d.%s" % (b, x) for b in (0, 1)
                   for x in ("weight", "bias", "index")},
           "ssf": {"head.weight", "head.bias"} |
                  {"%s.ssf_%s" % (n, x) for x in ("scale", "shift")
                   for n in ["patch_embed.proj", "norm"] +
                   ["blocks.%d.%s" % (b, o) for b in (0, 1) for o in
                    ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")]},
           "vpt": {"head.weight", "head.bias"} | {"vpt.blocks.%d.prompts" % b for b in (0, 1)},
           "fact": {"head.weight", "head.bias", "fact.u.weight", "fact.v.weight", "fact.core",
                    "fact.p"}}
    own["ict"] = own["sct"]
    for s in STRATEGIES:
        r = train(s, "--epochs", 4, "--lr", "0.01", "--warmup-epochs", 0, "--eval-interval", 2,
                  "--json", *options_of(s), strategy=s)
        equal(sorted(os.listdir(s)), ["args.yaml", "best", "last", "log.jsonl", "summary.csv"])
        for which in ("best", "last"):
            equal(sorted(os.listdir(s + "/" + which)),
                  ["adapter_config.json", "adapter_model.safetensors"])
        equal(set(tensors(s)), own[s], s)
        steps, evals = log(s)
        equal([l["step"] for l in steps], list(range(1, 13)))
        equal([l["epoch"] for l in steps], [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3)
        equal(set(steps[0]), {"step", "epoch", "loss", "lr", "images_per_s"})
        equal([l["epoch"] for l in evals], [2, 4])
        equal(set(evals[0]), {"eval", "step", "epoch", "eval_loss", "eval_top1", "eval_top5",
                              "images"})
        equal([l["images"] for l in evals], [12, 12])
        first, last = (sum(l["loss"] for l in steps[k:k + 3]) for k in (0, 9))
        check(last < first, s, "did not learn:", first, last)
        rows = read(s + "/summary.csv").decode().splitlines()
        equal(rows[0], "epoch,train_loss,eval_loss,eval_top1,eval_top5,lr")
        equal([row.split(",")[0] for row in rows[1:]], ["2", "4"])
        mean = sum(l["loss"] for l in steps[9:]) / 3
        cells = [float(c) for c in rows[2].split(",")]
        close(cells[1], mean, 1e-6, what="train_loss")
        equal(cells[2:5], [evals[1][k] for k in ("eval_loss", "eval_top1", "eval_top5")])
        close(cells[5], steps[-1]["lr"], 1e-8)
        equal(r.json["strategy"], s)
        equal(r.json["steps"], 12)
        equal(r.json["last"]["top1"], evals[1]["eval_top1"])
        equal(r.json["best"]["top1"], max(e["eval_top1"] for e in evals))
        mean_count = sum(count(t[1]) for n, t in tensors(s).items() if not n.endswith("index"))
        if s != "lora":  # its folder holds q and v as one wider pair
            equal(r.json["trainable"], mean_count)


@test
def default_command_is_train():
    setup()
    r = sctrun("--model", "tiny.yaml", "--weights", "base.safetensors", "--data", "data",
               "--strategy", "linear", "--max-steps", 1)
    contains(r.out, "best top1 = ", "last top1 = ", "saved in runs/linear-1")
    contains(r.err, "trainable params: 147 || all params: ")
    sctrun("--model", "tiny.yaml", "--weights", "base.safetensors", "--data", "data",
           "--strategy", "linear", "--max-steps", 1)
    equal(sorted(os.listdir("runs")), ["linear-1", "linear-2"])


@test
def parameter_line_counts():
    """The line of peft: exact counts with thousands separators and four decimals."""
    setup(classes=3)
    r = train("o", "--max-steps", 1, strategy="full")
    n = sum(count(s) for s in base_shapes(classes=3).values())
    contains(r.err, "trainable params: {0:,} || all params: {0:,} || trainable%: 100.0000".format(n))
    r = train("p", "--max-steps", 1, "--set", "r=2", strategy="lora")
    t = 2 * 2 * 2 * (48 + 48) + 3 * 48 + 3
    contains(r.err, "trainable params: {:,} || all params: {:,} || trainable%: {:.4f}".format(
        t, n + t - 147, 100 * t / (n + t - 147)))


@test
def args_yaml_repeats_the_run():
    """args.yaml holds everything in force: read with -c it gives the same bytes."""
    setup()
    train("o", "--epochs", 2, "--lr", "0.003", "--seed", 7, "--smoothing", "0.1", strategy="sct")
    sctrun("train", "-c", "o/args.yaml", "--output", "p")
    equal(adapter_bytes("p"), adapter_bytes("o"))
    equal([l for l in read("p/args.yaml").splitlines() if not l.startswith(b"output:")],
          [l for l in read("o/args.yaml").splitlines() if not l.startswith(b"output:")])


@test
def eval_equals_the_log():
    """eval of last/ and best/ gives what training logged, to the last digit."""
    setup()
    for s in STRATEGIES:
        train(s, "--epochs", 2, "--lr", "0.01", "--eval-interval", 1, *options_of(s), strategy=s)
        evals = log(s)[1]
        for which, row in (("last", evals[-1]),
                           ("best", max(evals, key=lambda e: e["eval_top1"]))):
            r = sctrun("eval", "--adapter", s + "/" + which, "--data", "data", "--json").json
            equal(set(r), {"top1", "top5", "loss", "images", "images_per_s", "peak_bytes",
                           "skipped"})
            equal("%.9g" % r["top1"], "%.9g" % row["eval_top1"], s)
            equal("%.9g" % r["top5"], "%.9g" % row["eval_top5"], s)
            equal("%.9g" % r["loss"], "%.9g" % row["eval_loss"], s)
            equal(r["images"], 12)
    contains(sctrun("eval", "--adapter", "sct/last", "--data", "data").out, "top1 ", "top5 ",
             "loss ", "(12 images, ")


@test
def eval_of_plain_weights():
    """Weights with their own head need no adapter; accuracy is what predict says one by one."""
    model()
    base(classes=5)
    vtab()
    r = sctrun("eval", "--model", "tiny.yaml", "--weights", "base.safetensors", "--data", "data",
               "--json").json
    right, loss = 0, 0.0
    rows = [l.split() for l in read("data/test.txt").decode().splitlines()]
    found = sctrun("predict", "--model", "tiny.yaml", "--weights", "base.safetensors", "--image",
                   "data/images/test", "--json").jsonl
    equal(len(found), 12)
    for (name, label), p in zip(rows, found):
        contains(p["file"], os.path.basename(name))
        equal(len(p["logits"]), 5)
        right += p["class"] == int(label)
        m = max(p["logits"])
        loss += math.log(sum(math.exp(x - m) for x in p["logits"])) + m - p["logits"][int(label)]
    close(r["top1"], 100.0 * right / 12, 1e-9)
    close(r["loss"], loss / 12, 1e-6)
    equal(r["top5"], 100.0)


@test
def predict_json():
    setup()
    train("o", "--epochs", 2, "--lr", "0.01")
    out = sctrun("predict", "--adapter", "o/last", "--image", "data/images/test", "--json").out
    rows = sctrun("predict", "--adapter", "o/last", "--image", "data/images/test", "--json").jsonl
    equal(len(rows), 12)
    equal([os.path.basename(r["file"]) for r in rows], ["%06d.png" % i for i in range(12)])
    for r in rows:
        equal(set(r), {"file", "class", "name", "probabilities", "logits"})
        close(sum(r["probabilities"]), 1.0, 1e-6)
        best = max(range(3), key=lambda i: r["logits"][i])
        equal(r["class"], best)
        equal(r["name"], "c%d" % best)
        e = [math.exp(x - r["logits"][best]) for x in r["logits"]]
        for i in range(3):
            close(r["probabilities"][i], e[i] / sum(e), 1e-6)
            equal(f32(r["logits"][i]), float(repr(f32(r["logits"][i]))))
    # as many digits as tell one float from the next: up to nine
    digits = [len(re.sub(r"e.*|[-.]", "", d).lstrip("0")) for d in
              re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", out.split('"logits"')[1].split("]")[0])]
    check(max(digits) >= 8 and max(digits) <= 9, "digits of the logits:", digits)
    sctrun("dump", "--site", "logits", "--adapter", "o/last", "--image", "data/images/test", "--output", "d")
    equal([f32(x) for r in rows for x in r["logits"]], list(read_npy("d/logits.npy")[1]))
    one = sctrun("predict", "--adapter", "o/last", "data/images/test/000003.png").out.split("\t")
    equal(one[:3], ["data/images/test/000003.png", str(rows[3]["class"]), rows[3]["name"]])
    close(float(one[3]), max(rows[3]["probabilities"]), 0, 5.1e-5)
    equal(predict("o/last", "data/images/test/000003.png")[0]["logits"], rows[3]["logits"])
    equal([r["logits"] for r in predict("o/last", "data/images/test", "--batch-size", 5)],
          [r["logits"] for r in rows], "logits depend on the batch")


def site(path, adapter, image, *args):
    folder = "values-" + re.sub(r"\W", "_", path)
    shutil.rmtree(folder, ignore_errors=True)
    sctrun("dump", "--site", path, "--adapter", adapter, "--image", image, "--output", folder,
           *args)
    return folder


@test
def logits_of_the_folder_are_the_models():
    """predict, dump --site logits and the evaluation inside training are the same numbers."""
    setup()
    for s in STRATEGIES:
        train(s, "--epochs", 2, "--lr", "0.01", *options_of(s), strategy=s)
        folder = site("logits", s + "/last", "data/images/test")
        shape, values = read_npy(folder + "/logits.npy")
        equal(shape, (12, 3))
        rows = predict(s + "/last", "data/images/test")
        equal([f32(x) for r in rows for x in r["logits"]], list(values), s)
        loss = 0.0
        for i in range(12):
            v = values[3 * i:3 * i + 3]
            loss += math.log(sum(math.exp(x - max(v)) for x in v)) + max(v) - v[i % 3]
        close(log(s)[1][-1]["eval_loss"], loss / 12, 1e-8, what=s)


@test
def adapter_continues_exactly():
    """Plain SGD has no state: one epoch and one more from the folder are two epochs, to the bit.
    For LoRA this is also the way through the PEFT folder and back."""
    setup()
    sgd = ["--optimizer", "sgd", "--momentum", 0, "--lr-schedule", "constant", "--lr", "0.05",
           "--shuffle", "off", "--weight-decay", "1e-4", "--drop-path", 0]
    for s in STRATEGIES:
        train(s + "2", "--epochs", 2, *sgd, *options_of(s), strategy=s)
        train(s + "1", "--epochs", 1, *sgd, *options_of(s), strategy=s)
        sctrun("train", "--adapter", s + "1/last", "--data", "data", "--batch-size", 8,
               "--epochs", 1, "--output", s + "3", *sgd)
        equal(losses(s + "1") + losses(s + "3"), losses(s + "2"), s)
        equal(adapter_bytes(s + "3"), adapter_bytes(s + "2"), s)
        check(adapter_bytes(s + "1") != adapter_bytes(s + "2"), s, "did not move")
        check(losses(s + "3")[0] != losses(s + "1")[0], s, "started afresh")


@test
def saved_folder_says_everything():
    setup()
    for s in STRATEGIES:
        train(s, "--max-steps", 1, "--mean", "0.4,0.5,0.6", "--resize", "crop-bilinear",
              "--crop-pct", "0.8", *options_of(s), strategy=s)
        c = json.loads(read(s + "/last/adapter_config.json"))
        own = c["sctrun"]
        equal(c["peft_type"], s.upper())
        equal((own["format_version"], own["strategy"]), (1, s))
        equal(own["class_names"], ["c0", "c1", "c2"])
        p = own["preprocess"]
        equal(p["eval"], [{"resize": {"mode": "short", "size": 0, "crop_pct": 0,
                                      "filter": "bilinear"}}, {"center-crop": {"size": 0}}])
        equal((p["train"], p["size"], p["pass_order"]), (p["eval"], 32, "horizontal"))
        for a, b in zip(p["mean"] + p["std"] + [p["crop_pct"]], [.4, .5, .6, .5, .5, .5, .8]):
            equal(f32(a), f32(b))
        b = own["base"]
        equal((b["architecture"], b["weights"]), ("tiny", "base.safetensors"))
        check(re.fullmatch("[0-9a-f]{64}", b["sha256"]), b["sha256"])
        for k, v in {"image_size": 32, "patch_size": 8, "dim": 48, "depth": 2, "heads": 3,
                     "mlp": 192, "classes": 3, "pool": "token", "gelu": "erf"}.items():
            equal(b["config"][k], v, k)
        # the header is safetensors' own, with the metadata that transformers insists on
        raw = read(s + "/last/adapter_model.safetensors")
        header = json.loads(raw[8:8 + struct.unpack_from("<Q", raw)[0]])
        equal(header["__metadata__"]["format"], "pt")


@test
def lora_folder_is_pefts():
    """Names, shapes and keys as peft writes them; q and v separated again when it is read."""
    setup()
    train("o", "--epochs", 2, "--lr", "0.01", "--set", "r=2", "--set", "alpha=6",
          strategy="lora")
    c = json.loads(read("o/last/adapter_config.json"))
    equal((c["peft_type"], c["r"], c["lora_alpha"], c["target_modules"], c["bias"],
           c["modules_to_save"], c["task_type"]), ("LORA", 4, 12, ["qkv"], "none", ["head"], None))
    equal(c["use_dora"], False)
    check("use_rslora" in c and not c["use_rslora"])
    t = tensors("o")
    for b in (0, 1):
        name = "base_model.model.blocks.%d.attn.qkv.lora_%%s.weight" % b
        equal(t[name % "A"][1], [4, 48])
        equal(t[name % "B"][1], [144, 4])
        v = t[name % "B"][2]
        row = [v[4 * i:4 * i + 4] for i in range(144)]
        check(all(r[2:] == (0, 0) for r in row[:48]), "q rows reach into v's columns")
        check(all(r == (0, 0, 0, 0) for r in row[48:96]), "k is adapted")
        check(all(r[:2] == (0, 0) for r in row[96:]), "v rows reach into q's columns")
        check(any(r[0] for r in row[:48]) and any(r[2] for r in row[96:]), "nothing was learnt")
    # the whole list of targets, with ranks of their own
    train("p", "--max-steps", 2, "--set", "targets=q,k,v,proj,fc1,fc2", "--set", "r=2",
          strategy="lora")
    c = json.loads(read("p/last/adapter_config.json"))
    equal((c["r"], c["lora_alpha"]), (2, 8))
    equal(c["target_modules"], ["qkv", "attn.proj", "fc1", "fc2"])
    equal((c["rank_pattern"], c["alpha_pattern"]), ({"qkv": 6}, {"qkv": 24}))
    equal(tensors("p")["base_model.model.blocks.1.mlp.fc1.lora_A.weight"][1], [2, 48])
    # one pair for the fused layer
    train("w", "--epochs", 2, "--lr", "0.01", "--set", "targets=qkv,proj", "--set", "r=2",
          strategy="lora")
    c = json.loads(read("w/last/adapter_config.json"))
    equal((c["r"], c["target_modules"], c["rank_pattern"]), (2, ["qkv", "attn.proj"], {}))
    t = tensors("w")
    equal(t["base_model.model.blocks.1.attn.qkv.lora_A.weight"][1], [2, 48])
    up = t["base_model.model.blocks.1.attn.qkv.lora_B.weight"]
    equal(up[1], [144, 2])
    check(all(any(up[2][96 * part:96 * part + 96]) for part in range(3)), "q, k or v is not adapted")
    for folder in ("p", "w"):
        r = sctrun("eval", "--adapter", folder + "/last", "--data", "data", "--json").json
        equal("%.9g" % r["loss"], "%.9g" % log(folder)[1][-1]["eval_loss"])


@test
def lora_by_hand():
    """logits(adapter) = logits(base with the LoRA product added to qkv), computed here."""
    model()
    tensors_ = base_tensors()
    save_tensors("base.safetensors", tensors_)
    vtab()
    train("o", "--epochs", 3, "--lr", "0.02", "--set", "r=2", "--set", "alpha=6", strategy="lora")
    t = tensors("o")
    merged = dict(tensors_)
    for b in (0, 1):
        name = "blocks.%d.attn.qkv" % b
        A = t["base_model.model." + name + ".lora_A.weight"][2]
        B = t["base_model.model." + name + ".lora_B.weight"][2]
        w = list(struct.unpack("<%df" % (144 * 48), tensors_[name + ".weight"][2]))
        for o in range(144):
            for i in range(48):
                w[o * 48 + i] += 3.0 * sum(B[o * 4 + j] * A[j * 48 + i] for j in range(4))
        merged[name + ".weight"] = ("F32", (144, 48), floats(w))
    for k in ("weight", "bias"):
        dtype, shape, v = t["base_model.model.head." + k]
        merged["head." + k] = (dtype, shape, floats(v))
    save_tensors("merged.safetensors", merged)
    a = predict("o/last", "data/images/test")
    b = sctrun("predict", "--model", "tiny.yaml", "--weights", "merged.safetensors", "--image",
               "data/images/test", "--json").jsonl
    for x, y in zip(a, b):
        for p, q in zip(x["logits"], y["logits"]):
            close(p, q, 1e-4, 1e-5)


@test
def dump_input_is_the_normalised_picture():
    model(mean="[0.485, 0.456, 0.406]", std="[0.229, 0.224, 0.225]")
    base()
    pixel = [((3 * x + y) % 256, (5 * y) % 256, (x * y) % 256)
             for y in range(SIDE) for x in range(SIDE)]
    png("a.png", rgb=bytes(c for p in pixel for c in p))
    sctrun("dump", "--site", "input", "--image", "a.png", "--model", "tiny.yaml", "--weights",
           "base.safetensors", "--output", "d")
    equal(os.listdir("d"), ["input.npy"])
    shape, v = read_npy("d/input.npy")
    equal(shape, (1, 3, SIDE, SIDE))
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    for i, p in enumerate(pixel):
        for c in range(3):
            close(v[c * SIDE * SIDE + i], (p[c] / 255 - mean[c]) / std[c], 1e-6, 1e-6, "pixel %d" % i)


@test
def dump_sites_and_texts():
    setup()
    train("o", "--max-steps", 2, strategy="sct")
    folder = site("**.attn.res", "o/last", "data/images/test/000000.png")
    equal(sorted(os.listdir(folder)),
          ["stage[0].block[%d].attn.res.npy" % b for b in (0, 1)])
    equal(read_npy(folder + "/stage[0].block[1].attn.res.npy")[0], (1, 17, 48))
    args = ["--model", "tiny.yaml", "--weights", "base.safetensors", "--data", "data",
            "--strategy", "linear"]
    for what, words in (("graph", ["layernorm", "attention", "head.weight"]),
                        ("dot", ["digraph", "->"]), ("plan", ["attention"]),
                        ("memory", ["total"])):
        contains(sctrun("dump", what, *args).out, *words)
    plain, clipped, sgd = (sctrun("dump", "graph", *args, *extra).out for extra in
                           ([], ["--clip-grad", 1], ["--optimizer", "sgd"]))
    check("adamw" in plain and "adamw" not in sgd and "sgd" in sgd, "the optimiser of the dump")
    check(len(clipped.splitlines()) > len(plain.splitlines()), "--clip-grad is not in the dump")
    fails(USAGE, ["graph, dot, plan or memory", "nonsense"], "dump", "nonsense", *args)
    fails(USAGE, ["nosuch"], "dump", "--site", "nosuch", "--image", "data/images/test", *args)


@test
def inspect_both():
    setup()
    train("o", "--max-steps", 1, strategy="sct")
    r = sctrun("inspect", "base.safetensors", "--json").json
    equal(r["tensors_count"], len(base_shapes()))
    equal(r["elements"], sum(count(s) for s in base_shapes().values()))
    equal({t["name"]: tuple(t["shape"]) for t in r["tensors"]}, base_shapes())
    equal({t["dtype"] for t in r["tensors"]}, {"F32"})
    text = sctrun("inspect", "base.safetensors").out
    contains(text, "safetensors, %d tensors" % len(base_shapes()), "blocks.1.mlp.fc2.weight",
             "[48, 192]", "metadata format = pt")
    text = sctrun("inspect", "o/last").out
    contains(text, "adapter, peft_type SCT, base tiny", "base sha256 ", "sct.blocks.0.index",
             "I32")
    r = sctrun("inspect", "o/last", "--json").json
    equal(r["adapter_config"], json.loads(read("o/last/adapter_config.json")))
    equal(len(r["tensors"]), 8)
    equal(sctrun("inspect", "--adapter", "o/last").out, text)
    equal(sctrun("inspect", "--weights", "base.safetensors").out,
          sctrun("inspect", "base.safetensors").out)


@test
def lists():
    devices = sctrun("devices", "--json").json
    keys = {"backend", "id", "name", "platform", "vendor", "driver", "threads", "memory",
            "max_alloc", "usable", "status"}
    check(all(set(d) == keys for d in devices), devices)
    by = {d["backend"]: d for d in devices}
    check(by["ref"]["usable"] and by["cpu"]["usable"], devices)
    check(by["cpu"]["threads"] >= 1 and by["cpu"]["memory"] > 1 << 20, by["cpu"])
    contains(sctrun("devices").out, "ref 0", "cpu 0")
    rows = {l.split()[0]: l.split() for l in sctrun("ops").out.split("\n\n")[0].splitlines()}
    check({"linear", "attention", "layernorm", "gelu", "softmax_ce"} & set(rows), list(rows))
    header = rows["op"]
    equal(header[:6], ["op", "in", "grad", "fused", "ref", "cpu"])
    for name in ("linear", "attention", "layernorm"):
        check(rows[name][2] == "yes" and rows[name][4] != "-" and rows[name][5] != "-",
              rows[name])
    for name in set(rows) - {"op"}:  # every backend here has every op, fused ones too
        check("-" not in rows[name][4:] and len(rows[name]) >= len(header), rows[name])
    text = sctrun("plugins").out
    for s in STRATEGIES:
        contains(text, "  %-10s " % s)
    contains(text, "--set k=N|A/B", "--set targets=", "--set scaleonx=on|off", "backends", "(built in)")
    # what configs/strategies says is in force
    sct = " ".join(re.split(r"\n(?:  \w|backends)", text[text.index("\n  sct ") + 1:])[0].split())
    contains(sct, "a fraction of the width (96; from", "the channels with scaleonx) (0.5; from")


@test
def help_and_version():
    v = sctrun("version").out
    check(re.fullmatch(r"sctrun \d+\.\d+\.\d+\n", v), v)
    equal(sctrun("--version").out, v)
    text = sctrun("help").out
    for word in ("train", "eval", "predict", "inspect", "devices", "ops", "plugins", "dump"):
        check(re.search("^  %s +\\S" % word, text, re.M), word, "is not in the help")
    equal(sctrun("--help").out, text)
    equal(sctrun("-h").out, text)
    long = sctrun("help", "train").out
    check(long.startswith(text), "help train begins otherwise")
    for word in ("--backend", "--lr-schedule cosine|constant|timm", "[SCTRUN_BACKEND]",
                 "--set KEY=VALUE", "-c, --config FILE"):
        contains(long, word)
    check(max(len(l) for l in long.splitlines()) <= 100, "lines of the help are too long")
    equal(sctrun("train", "--help").out, long)


@test
def one_seed_one_result():
    setup()
    for s in STRATEGIES:
        for k in ("a", "b"):
            train(s + k, "--epochs", 2, "--seed", 3, "--drop-path", "0.2", *options_of(s),
                  strategy=s)
        equal(adapter_bytes(s + "a"), adapter_bytes(s + "b"), s)
        equal(read(s + "a/last/adapter_config.json"), read(s + "b/last/adapter_config.json"))
        equal(losses(s + "a"), losses(s + "b"))
        train(s + "c", "--epochs", 2, "--seed", 4, "--drop-path", "0.2", *options_of(s),
              strategy=s)
        check(adapter_bytes(s + "a") != adapter_bytes(s + "c"), s, "the seed does nothing")


@test
def same_bits_however_it_is_cut():
    """Threads, micro-batches and recomputation are matters of speed and memory alone."""
    setup(n_train=80)  # one full batch of sixteen slots with four images, and one in part
    cuts = [["--threads", 2], ["--threads", 3], ["--micro-batch", 1], ["--micro-batch", 2],
            ["--micro-batch", 4], ["--checkpoint", "block"],
            ["--checkpoint", "block", "--micro-batch", 3, "--threads", 2]]
    for backend, strategies in (("cpu", (*STRATEGIES, "repadapter", "convpass")),
                                ("ref", ("full", "sct"))):
        for s in strategies:
            name, common = backend + s, ["--backend", backend, "--epochs", 2, "--lr", "0.01",
                                         "--batch-size", 64, "--drop-path", "0.3", "--clip-grad", "0.5",
                                         *options_of(s)]
            train(name, "--threads", 1, *common, strategy=s)
            for i, cut in enumerate(cuts):
                train(name + str(i), *cut, *common, strategy=s)
                if s == "fact" and "--micro-batch" in cut:
                    # one running sum for all layers that share U and V: the order of its terms
                    # depends on how many images go through a layer at a time
                    for a, b in zip(losses(name + str(i)), losses(name)):
                        close(a, b, 1e-4)
                    continue
                equal(losses(name + str(i)), losses(name), "%s %s" % (name, cut))
                check(adapter_bytes(name + str(i)) == adapter_bytes(name), name, cut,
                      "gives other bits")


@test
def backends_agree():
    """Losses of ref and cpu are equal but for rounding."""
    setup()
    for s in (*STRATEGIES, "repadapter", "convpass"):
        for backend in ("ref", "cpu"):
            train(s + backend, "--epochs", 2, "--lr", "0.005", "--backend", backend,
                  *options_of(s), strategy=s)
        for a, b in zip(losses(s + "ref"), losses(s + "cpu")):
            close(a, b, 1e-4, what=s)


@test
def opencl_agrees_when_present():
    if not any(d["backend"] == "opencl" and d["usable"]
               for d in sctrun("devices", "--json").json):
        raise Skipped("no usable OpenCL device")
    setup()
    for backend in ("ref", "opencl"):
        train(backend, "--epochs", 1, "--lr", "0.005", "--backend", backend, strategy="sct")
    for a, b in zip(losses("ref"), losses("opencl")):
        close(a, b, 1e-3)
    contains(sctrun("eval", "--backend", "opencl", "--adapter", "ref/last", "--data", "data").out,
             "top1 ")


@test
def base_is_checked():
    """An adapter goes with one base; the head's own values are no part of it."""
    model()
    base()
    base("other.safetensors", seed=2)
    vtab()
    other_head = base_tensors()
    other_head["head.weight"] = ("F32", (10, 48), floats([0.5] * 480))
    save_tensors("head.safetensors", other_head)
    train("o", "--max-steps", 2, strategy="sct")
    r = fails(FILE, ["o/last was trained on another base", "other.safetensors", "hash"], "eval",
              "--adapter", "o/last", "--weights", "other.safetensors", "--data", "data")
    known = json.loads(read("o/last/adapter_config.json"))["sctrun"]["base"]["sha256"]
    contains(r.err, known[:16])
    sctrun("eval", "--adapter", "o/last", "--weights", "head.safetensors", "--data", "data")
    for command in (["predict", "--image", "data/images/test"],
                    ["train", "--data", "data", "--output", "p"]):
        fails(FILE, ["another base"], *command, "--adapter", "o/last", "--weights",
              "other.safetensors")
    check(not os.path.exists("p"), "a folder was left")
    shutil.move("base.safetensors", "moved.safetensors")
    fails(FILE, ["base.safetensors"], "eval", "--adapter", "o/last", "--data", "data")
    sctrun("eval", "--adapter", "o/last", "--weights", "moved.safetensors", "--data", "data")


@test
def random_base_is_found_again():
    """An adapter on random weights remembers which: the seed of a later run is another matter."""
    model()
    vtab()
    train("o", "--max-steps", 2, "--seed", 5, strategy="sct", weights="random")
    r = sctrun("eval", "--adapter", "o/last", "--data", "data", "--json").json
    equal("%.9g" % r["loss"], "%.9g" % log("o")[1][-1]["eval_loss"])
    sctrun("train", "--adapter", "o/last", "--data", "data", "--seed", 9, "--max-steps", 1,
           "--output", "p")
    r = sctrun("eval", "--adapter", "p/last", "--data", "data", "--json").json
    equal("%.9g" % r["loss"], "%.9g" % log("p")[1][-1]["eval_loss"])


@test
def demo_task_without_files():
    """A generated task and random weights need no file at all."""
    model()
    r = sctrun("train", "--model", "tiny.yaml", "--weights", "random", "--data",
               "task:sprites_shape", "--strategy", "linear", "--max-steps", 2, "--test-limit", 32,
               "--output", "o", "--json").json
    equal(r["last"]["images"], 32)
    names = json.loads(read("o/last/adapter_config.json"))["sctrun"]["class_names"]
    equal(names[:3], ["disc", "square", "triangle"])


@test
def image_folders_and_other_forms():
    model()
    base()
    folders()
    sctrun("train", "--model", "tiny.yaml", "--weights", "base.safetensors", "--data", "folders",
           "--strategy", "linear", "--epochs", 1, "--output", "o")
    equal(json.loads(read("o/last/adapter_config.json"))["sctrun"]["class_names"], ["a", "b"])
    folders("f2", test="val")
    equal(sctrun("eval", "--adapter", "o/last", "--data", "f2", "--json").json["images"], 8)


@test
def architecture_variants():
    """The keys of an architecture file reach the model and the adapter folder."""
    vtab()
    for name, keys in {"avg": {"pool": "avg"}, "fc": {"pool": "avg", "fc_norm": True},
                       "tanh": {"gelu": "tanh"}, "quick": {"gelu": "quick"}, "mlp": {"mlp": 64},
                       "ratio": {"mlp_ratio": 2}, "nocls": {"class_token": False, "pool": "avg"},
                       "eps": {"eps": "1e-3"}}.items():
        model(name + ".yaml", **keys)
        train(name, "--max-steps", 2, "--model", name + ".yaml", strategy="sct", weights="random")
        r = sctrun("eval", "--adapter", name + "/last", "--data", "data", "--json").json
        equal("%.9g" % r["loss"], "%.9g" % log(name)[1][-1]["eval_loss"], name)
    model()
    train("plain", "--max-steps", 2, strategy="sct", weights="random")
    for name in ("avg", "fc", "tanh", "quick", "mlp", "nocls", "eps"):
        check(losses(name)[0] != losses("plain")[0], name, "changes nothing")


@test
def drivers_narration_and_results_apart():
    """Results go to stdout, narration to stderr; a run without a terminal has plain lines."""
    setup()
    r = train("o", "--max-steps", 2)
    equal(r.out.splitlines()[-1], "saved in o")
    check("step" not in r.out and "\r" not in r.err and "\033" not in r.err, r.err)
    equal(len(re.findall(r"^epoch 1/1  step \d/2  loss .* images/s .* eta ", r.err, re.M)), 2)


main()
