# SPDX-License-Identifier: MIT
"""ablate.py - grids of runs: what a cell computes, what cells share, what survives a kill, what a
search may look at, and what the tables say."""
import csv
import glob
import io
import signal
import time

from e2e import *

HEAD = """name: g
base: {model: tiny.yaml, weights: base.safetensors, epochs: %d, batch_size: 8, threads: 1%s}
"""


def grid(text, name="g.yaml", base="", epochs=2):
    return write(name, HEAD % (epochs, base and ", " + base) + text)


def lists(path, train=16, val=8, test=12, classes=2, flip=False):
    """A folder with all four lists of VTAB-1k; flip: the test list has the labels exchanged."""
    n = {"train800": train, "val200": val, "test": test}
    lines = {}
    for k, split in enumerate(n):
        lines[split] = ""
        for i in range(n[split]):
            name = "images/%s/%d.png" % (split, i)
            png("%s/%s" % (path, name), rgb=picture(i + 100 * k, i % classes))
            label = classes - 1 - i % classes if flip and split == "test" else i % classes
            lines[split] += "%s %d\n" % (name, label)
    lines["train800val200"] = lines["train800"] + lines["val200"]
    for split, text in lines.items():
        write("%s/%s.txt" % (path, split), text)
    write(path + "/classes.txt", "".join("c%d\n" % c for c in range(classes)))
    return path


def setup():
    model()
    base()
    lists("one")
    lists("two", classes=3)


def ablate(*args, out="out", **kw):
    return sctrun("ablate", *args, "--output", out, **kw)


def cells(out="out"):
    """id -> result."""
    return {os.path.basename(p)[:-5]: json.loads(read(p))
            for p in glob.glob(out + "/cells/*.json")}


def find(out="out", **want):
    found = [c for c in cells(out).values() if all(c[k] == v for k, v in want.items())]
    check(len(found) == 1, "expected one cell with", want, "found", len(found))
    return found[0]


def table(out="out"):
    return json.loads(read(out + "/table.json"))


TWO = """tasks: [one, two]
strategies:
  - {strategy: linear, lr: 1e-2}
  - {strategy: lora, lr: 1e-2, options: {r: 2, targets: "q,v"}}
seeds: [0, 1]
baseline: linear
"""


@test
def cells_are_runs():
    """A cell of a grid is the run of `train` with its settings, bit for bit, alone or not."""
    setup()
    ablate(grid(TWO))
    ablate(grid(TWO + "share: off\n", "h.yaml"), out="alone")
    for row, flags in (("linear", []), ("lora", ["--set", "r=2", "--set", "targets=q,v"])):
        for task in ("one", "two"):
            for seed in (0, 1):
                r = train("%s-%s-%d" % (row, task, seed), "--epochs", 2, "--lr", "1e-2", "--seed",
                          seed, "--json", *flags, strategy=row, data=task).json
                shared, alone = (find(o, row=row, task=task, seed=seed) for o in ("out", "alone"))
                for cell in (shared, alone):
                    equal(cell["test"], {k: r["last"][k] for k in cell["test"]}, (row, task, seed))
                    equal([cell[k] for k in ("trainable", "head", "all", "steps")],
                          [r[k] for k in ("trainable", "head", "all", "steps")])
                equal(shared["curves"], alone["curves"])
                equal(shared["id"], alone["id"])
                mean = sum(losses("%s-%s-%d" % (row, task, seed))) / r["steps"]
                curve = shared["curves"]["train_loss"]
                close(sum(curve) / len(curve), mean, rel=1e-6)
                check(shared["args"].count("\n") > 50 and "lr: 0.01" in shared["args"])


@test
def cells_share():
    setup()
    ablate(grid(TWO))
    ablate(grid(TWO + "share: off\n", "h.yaml"), out="alone")
    images = {"one": 24 + 12, "two": 24 + 12}
    order = [("linear", 0), ("lora", 0), ("linear", 1), ("lora", 1)]
    for task in images:
        made = [find(row=r, task=task, seed=s)["made"] for r, s in order]
        equal([m["images"] for m in made], [images[task], 0, 0, 0], task)
        # the base stays packed; what is a strategy's own does not
        check(task == "two" or made[0]["packs"] > 0, made)
        equal([m["packs"] for m in made[2:]], [0, 0])
        check(all(m["uploads"] > 0 for m in made), made)
        # linear probing of the second seed starts from what the first one's frozen part made
        equal([m["features"] for m in made], [24, 0, 0, 0])
        alone = [find("alone", row=r, task=task, seed=s)["made"] for r, s in order]
        equal([m["images"] for m in alone], [images[task]] * 4)
        equal([m["features"] for m in alone], [24, 0, 24, 0])
        equal(alone[0], alone[2])
        check(alone[3]["uploads"] > made[3]["uploads"] and alone[3]["packs"] > 0, alone, made)


@test
def cells_share_readings():
    """Without a cache folder, too: what one cell has measured the others read, as long as that is the same."""
    setup()
    text = """tasks: [one]
strategies: [{strategy: sct, options: {k: 8}, grid: {options.scale: [0.5, 2]}}]
seeds: [0, 1]
"""
    ablate(grid(text))
    made = lambda out: sorted(c["made"]["readings"] for c in cells(out).values())
    equal(made("out"), [0, 0, 0, 2])
    check(os.listdir("out/readings"), "no readings are kept")
    ablate(grid(text + "share: off\n", "h.yaml"), out="alone")
    equal(made("alone"), [2, 2, 2, 2])
    same = lambda out: sorted((c["row"], c["seed"], c["test"]["loss"]) for c in cells(out).values())
    equal(same("out"), same("alone"))


@test
def tables_agree():
    setup()
    r = ablate(grid(TWO), "--json").json
    equal(r, table())
    equal([x["strategy"] for x in r["rows"]], ["linear", "lora"])
    linear, lora = r["rows"]
    for row in (linear, lora):
        for t in row["tasks"]:
            got = [find(row=row["strategy"], task=t["name"], seed=s)["test"]["top1"] for s in (0, 1)]
            close(t["mean"], sum(got) / 2)
            close(t["deviation"], abs(got[0] - got[1]) / 2 ** 0.5, absolute=1e-9)
        close(row["mean_of_columns"]["mean"], sum(t["mean"] for t in row["tasks"]) / 2)
    equal(lora["versus"]["pairs"], 4)
    close(lora["versus"]["difference"],
          lora["mean_of_columns"]["mean"] - linear["mean_of_columns"]["mean"], absolute=1e-9)
    check("mean_of_group_means" not in lora and "best_on_test" not in json.dumps(r))
    rows = list(csv.DictReader(io.StringIO(read("out/table.csv").decode())))
    equal([(x["strategy"], x["kind"], x["name"]) for x in rows[:3]],
          [("linear", "task", "one"), ("linear", "task", "two"),
           ("linear", "headline", "mean of columns")])
    close(float(rows[0]["mean"]), linear["tasks"][0]["mean"])
    equal(float(rows[-1]["parameters"]), float(lora["parameters"]))
    text = read("out/table.md").decode()
    contains(text, "| strategy |", "mean of 2 tasks", "vs linear", "%.2f ±" % lora["tasks"][0]["mean"])
    check("best" not in text, text)
    page = read("out/report.html").decode()
    contains(page, "Accuracy over parameters", "Accuracy by task", "training loss", "</html>")
    check("http" not in page and "<script" not in page and page.count("<svg") == page.count("</svg>"))
    # measures: of this process and this cell
    for c in cells().values():
        check(0 < c["train_seconds"] <= c["seconds"] < 60, c["seconds"])
        check(1 << 20 < c["peak_bytes"] < 1 << 30 and 1 << 12 < c["device_bytes"] < 1 << 28)


@test
def groups_are_labelled():
    setup()
    r = ablate(grid("""tasks:
  - {data: one, group: easy}
  - {data: two, group: easy}
  - {data: one, name: third, lr: 0, group: "hard | <b>"}
strategies: [linear]
"""), "--json").json["rows"][0]
    a, b, c = (t["mean"] for t in r["tasks"])
    equal([(g["name"], g["mean"]) for g in r["groups"]], [("easy", (a + b) / 2), ("hard | <b>", c)])
    close(r["mean_of_group_means"]["mean"], ((a + b) / 2 + c) / 2)
    close(r["mean_of_columns"]["mean"], (a + b + c) / 3)
    contains(read("out/table.md").decode(), "mean easy (2)", "mean of 2 group means",
             "mean of 3 tasks", "hard \\| &lt;b>")
    # the nineteen tasks bring their own groups
    lists("vtab/eurosat", classes=3)
    lists("vtab/kitti")
    r = ablate(grid("tasks: [vtab/eurosat, vtab/kitti]\nstrategies: [linear]\n"), "--json",
               out="v").json["rows"][0]
    equal([g["name"] for g in r["groups"]], ["specialized", "structured"])


def descendants(pid):
    out = []
    for path in glob.glob("/proc/%d/task/*/children" % pid):
        try:
            out += [int(p) for p in read(path).decode().split()]
        except OSError:
            pass
    return out


def start(*args, out="out"):
    argv = [SCTRUN, "ablate", *[str(a) for a in args], "--output", out]
    return subprocess.Popen(argv, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait(what, seconds=60):
    end = time.time() + seconds
    while not what():
        check(time.time() < end, "nothing happened")
        time.sleep(0.01)


LONG = """tasks: [one]
strategies: [linear, bitfit]
seeds: [0, 1, 2]
"""


@test
def killed_and_continued():
    setup()
    g = grid(LONG, base="feature_bytes: 0", epochs=60)
    p = start(g)
    wait(lambda: len(glob.glob("out/cells/*.json")) >= 2)
    child = descendants(p.pid)
    equal(len(child), 1)
    p.kill()
    p.communicate()
    wait(lambda: not os.path.exists("/proc/%d" % child[0]) or "Z" in
         read("/proc/%d/stat" % child[0]).decode().split(")")[-1])
    time.sleep(0.1)
    before = {p: (os.stat(p).st_mtime_ns, read(p)) for p in glob.glob("out/cells/*.json")}
    check(2 <= len(before) < 6, len(before))
    r = ablate(g)
    equal(len(cells()), 6)
    equal({p: (os.stat(p).st_mtime_ns, read(p)) for p in before}, before)
    equal(r.err.count("test top1"), 6 - len(before))
    # and again: nothing is left to do
    r = ablate(g)
    check("cell " not in r.err, r.err)
    equal({os.path.basename(f) for f in glob.glob("out/*")},
          {"cells", "table.md", "table.csv", "table.json", "report.html"})
    # a cell that was ended did not become another one
    ablate(g, out="whole")
    equal({k: c["test"] for k, c in cells("whole").items()},
          {k: c["test"] for k, c in cells().items()})


@test
def interrupted():
    setup()
    g = grid(LONG, base="feature_bytes: 0", epochs=3000)
    p = start(g)
    wait(lambda: descendants(p.pid))
    child = descendants(p.pid)[0]
    time.sleep(0.5)
    p.terminate()
    _, err = p.communicate(timeout=60 * PATIENCE)
    equal(p.returncode, 143, err)
    check(not os.path.exists("/proc/%d" % child), "the worker is still there")
    equal(cells(), {})
    check(not os.path.exists("out/table.md"))


@test
def failing_cells():
    """A failure is a line of the table; the other cells are as without it."""
    setup()
    text = """tasks: [one]
strategies:
  - {strategy: linear, lr: 1e-2}
  - {strategy: full, label: "div<e>rges", lr: 1000, weight_decay: 1000}
  - {strategy: bitfit, lr: 1e-2}
  - {strategy: sct, options: {k: 4000}}
baseline: linear
"""
    g = grid(text, base="optimizer: sgd")
    r = ablate(g)
    bad = find(row="div<e>rges", seed=0)
    equal((bad["status"], bad["code"]), ("failed", NONFINITE))
    contains(bad["message"], "not finite")
    equal(find(row="bitfit", seed=0)["status"], "ok")
    other = find(row="sct", seed=0)
    equal(other["status"], "failed")
    contains(r.out, "## Failed cells", "div&lt;e>rges, one, seed 0 | 6 |", "not finite",
             "sct, one, seed 0 | %d |" % other["code"], "4000")
    contains(r.err, "failed (6)")
    contains(read("out/report.html").decode(), "div&lt;e&gt;rges")
    t = table()["rows"]
    equal([x["failed"] for x in t], [0, 1, 0, 1])
    equal(t[1]["tasks"][0]["mean"], None)
    # failures are tried again, what is done is not
    r = ablate(g)
    equal((r.err.count("failed (6)"), r.err.count("test top1")), (1, 0))


@test
def a_crash_costs_one_cell():
    setup()
    g = grid(LONG, base="feature_bytes: 0", epochs=200)
    p = start(g, "--threads", 2)
    wait(lambda: len(glob.glob("out/cells/*.json")) == 1)
    child = descendants(p.pid)[0]
    os.kill(child, signal.SIGKILL)
    wait(lambda: len(glob.glob("out/cells/*.json")) >= 2)
    # the rest is short work
    out, err = p.communicate(timeout=90 * PATIENCE)
    equal(p.returncode, 0, err)
    status = sorted(c["status"] for c in cells().values())
    equal(status, ["failed"] + ["ok"] * 5)
    bad = [c for c in cells().values() if c["status"] == "failed"][0]
    equal(bad["code"], 137)
    contains(bad["message"], "signal 9")
    contains(out.decode(), "signal 9")
    ablate(g, "--threads", 2)
    equal({c["status"] for c in cells().values()}, {"ok"})


@test
def shards_and_collect():
    setup()
    g = grid(TWO)
    ablate(g, out="whole")
    seen = []
    for i in (1, 2, 3):
        r = ablate(g, "--shard", "%d/3" % i)
        equal(r.out, "")
        seen.append(set(cells()) - set().union(*seen) if seen else set(cells()))
        check(not os.path.exists("out/table.json"))
    equal([len(s) for s in seen], [3, 3, 2])
    ablate(g, "--shard=1/3", out="part")
    r = ablate(g, "--collect", out="part")
    contains(r.out, "5 of 8 cells have not been run")
    equal(len(cells("part")), 3)
    ablate(g, "--collect")

    def figures(out):
        return [(x["strategy"], x["tasks"], x["mean_of_columns"], x.get("versus"))
                for x in table(out)["rows"]]
    equal(figures("out"), figures("whole"))
    for bad in ("0/3", "4/3", "1", "a/b", "1/3x", "-1/3"):
        fails(USAGE, ["--shard", "I/N"], "ablate", g, "--shard", bad)
    fails(USAGE, ["--shard"], "ablate", g, "--shard")
    fails(USAGE, ["--collect"], "ablate", g, "--collect", "--shard", "1/2")
    fails(USAGE, ["nowhere", "no results"], "ablate", g, "--collect", "--output", "nowhere")
    check(not os.path.exists("nowhere"))
    # a folder of somebody else's is left alone
    write("mine/letter.txt", "dear")
    fails(USAGE, ["mine"], "ablate", g, "--output", "mine")
    equal(os.listdir("mine"), ["letter.txt"])


SEARCH = """tasks: [one]
strategies:
  - {strategy: linear, search: {lr: [1e-6, 3e-2]}}
  - {strategy: lora, search: {lr: [1e-6, 1e-2], options.r: [1, 2]}}
seeds: [0, 1]
"""


@test
def a_search_does_not_see_the_test_list():
    setup()
    g = grid(SEARCH)
    # there is no test list at all: a search has all that it reads
    os.rename("one/test.txt", "test.txt")
    shutil.rmtree("one/images/test")
    r = ablate(g)
    searched = {k: c for k, c in cells().items() if c["stage"] == "search"}
    equal(len(searched), 2 + 4)
    for c in searched.values():
        equal((c["status"], c["val"]["images"], c["curves"]["evaluated_on"]), ("ok", 8, "val"))
        check("test" not in c and "protocol: tune" in c["args"])
    reported = [c for c in cells().values() if c["stage"] == "report"]
    equal({(c["status"], c["code"]) for c in reported}, {("failed", DATA)})
    contains(r.out, "test.txt")
    # the test list comes, with its labels exchanged: what was chosen stays
    chosen = [[t["chosen"] for t in x["tasks"]] for x in table()["rows"]]
    lists("one", flip=True)
    r = ablate(g)
    equal(r.err.count("validation"), 0)
    equal(r.err.count("test top1"), 4)
    equal({k: c for k, c in cells().items() if c["stage"] == "search"}, searched)
    for x, before in zip(table()["rows"], chosen):
        equal([t["chosen"] for t in x["tasks"]], before)
        of = {c["searched"]: c["val_top1"] for c in table()["cells"]
              if c["strategy"] == x["strategy"] and c["stage"] == "search"}
        equal(of[before[0]], max(of.values()))
        check(before[0].startswith("lr=3e-2") or before[0].startswith("lr=1e-2"), of)
        for s in (0, 1):
            c = find(row=x["strategy"], seed=s, stage="report")
            check("protocol: trainval" in c["args"] and c["test"]["images"] == 12)
            equal(c["steps"], 2 * 3)  # train800val200: 24 images in batches of 8
        check(x["tasks"][0]["mean"] < 50, "labels are exchanged", x)
    contains(read("out/table.md").decode(), "Chosen on the validation list", before[0],
             "chosen on the validation list")


@test
def a_search_needs_two_lists():
    setup()
    folders("f", test="val")
    r = ablate(grid("tasks: [f]\nstrategies: [{strategy: linear, search: {lr: [1, 2]}}]\n"))
    contains(r.out, "searched on and reported on", "test list")
    equal({c["status"] for c in cells().values()}, {"failed"})
    folders("f", test="test")
    ablate(grid("tasks: [f]\nstrategies: [{strategy: linear, search: {lr: [1, 2]}}]\n"))
    equal({c["status"] for c in cells().values()}, {"ok"})
    for where in ("{data: one, test_list: val200.txt}", "{data: one, train_list: train800.txt}"):
        fails(USAGE, ["no validation list"], "ablate", grid(
            "tasks: [%s]\nstrategies: [{strategy: linear, search: {lr: [1, 2]}}]\n" % where))
    fails(USAGE, ["no validation list"], "ablate", grid(SEARCH), "--test-list", "val200.txt")


@test
def searches_in_shards():
    """A search and what is retrained by it are one part's."""
    setup()
    g = grid(SEARCH)
    ablate(g, "--shard", "2/2")
    equal({c["row"] for c in cells().values()}, {"lora"})
    equal(sum(c["stage"] == "report" for c in cells().values()), 2)
    ablate(g, "--shard", "1/2")
    r = ablate(g, "--collect", "--json").json
    equal([x["ok"] for x in r["rows"]], [2, 2])


@test
def last_epoch_and_best_on_test():
    setup()
    lists("one", flip=True)  # the more it learns, the worse it is
    text = "tasks: [one]\nstrategies: [{strategy: full, lr: 5e-5}]\nseeds: [0, 1, 2]\n"
    g = grid(text, base="eval_interval: 1", epochs=8)
    ablate(g)
    all_ = list(cells().values())
    for c in all_:
        e = c["curves"]["evaluations"]
        equal([x["epoch"] for x in e], list(range(1, 9)))
        equal(e[-1]["top1"], c["test"]["top1"])
    best = [max(x["top1"] for x in c["curves"]["evaluations"]) for c in all_]
    last = [c["test"]["top1"] for c in all_]
    check(sum(best) > sum(last), "the best epoch should not be the last", best, last)
    close(table()["rows"][0]["tasks"][0]["mean"], sum(last) / 3)
    check("best" not in read("out/table.md").decode() + read("out/table.json").decode() +
          read("out/table.csv").decode())
    # asked for: a table of its own, under its name; the cells are not run again
    write(g, read(g).decode() + "best_on_test: on\n")
    r = ablate(g)
    check("cell " not in r.err, r.err)
    t = table()["rows"][0]["tasks"][0]
    close(t["mean"], sum(last) / 3)
    close(t["best_on_test"]["mean"], sum(best) / 3)
    contains(read("out/table.md").decode(), "## best_on_test", "no estimate of accuracy")
    contains(read("out/table.csv").decode(), "full,best_on_test,one,")
    write(g, read(g).decode().replace("eval_interval: 1", "eval_interval: 0"))
    fails(USAGE, ["best_on_test", "eval_interval"], "ablate", g)


@test
def few_shots():
    setup()
    write("t.yaml", "label: shape\nimage_size: 32\nshapes: disc square star\ntrain: 24\nval: 6\n"
                    "test: 9\nseed: 5\n")
    g = grid("""tasks: ["task:./t.yaml"]
strategies: [linear, lora]
few_shot: {shots: [1, 2, 4]}
seeds: [0, 1]
""", base="options: {}")
    r = ablate(g, "--json").json
    for shots in (1, 2, 4):
        for seed in (0, 1):
            c = find(row="linear", task="t, %d shot%s" % (shots, "s" * (shots > 1)), seed=seed)
            equal(c["steps"], 2 * -(-3 * shots // 8))
            contains(c["args"], "shots: %d\n" % shots, "shot_seed: %d\n" % seed)
    equal([g["name"] for g in r["rows"][0]["groups"]], ["1 shot", "2 shots", "4 shots"])
    contains(read("out/report.html").decode(), "Few-shot: mean over tasks", "images a class")
    # draws are other images, and each class has its share
    args = ["train", "--model", "tiny.yaml", "--weights", "base.safetensors", "--data",
            "task:./t.yaml", "--strategy", "linear", "--epochs", 1, "--shuffle", "off", "--lr", 0, "--batch-size", 12]
    for draw in (0, 1):
        sctrun(*args, "--shots", 4, "--shot-seed", draw, "--output", "d%d" % draw)
    sctrun(*args, "--train-list", "trainval", "--max-steps", 2, "--output", "all")
    # without shuffling, draw d is the d-th dozen
    equal([losses("d%d" % d)[0] for d in (0, 1)], losses("all"))
    fails(USAGE, ["--shots 4", "draw 2", "has 30"], *args, "--shots", 4, "--shot-seed", 2)
    r = ablate(grid("tasks: ['task:./t.yaml']\nstrategies: [linear]\nfew_shot: {shots: [11]}\n"),
               out="many")
    contains(r.out, "images 0 to 32", "which has 30")


@test
def domains():
    """What a target set says is what `eval` says of the adapter."""
    setup()
    lists("far", classes=2, flip=True)
    write("far/classes.txt", "c1\nc0\n")  # numbered the other way round
    lists("odd", classes=3)
    write("odd/classes.txt", "red\ngreen\nblue\n")
    write("map.txt", "red\t0\ngreen\t1\n")
    text = """tasks: [one]
strategies: [{strategy: linear, lr: 1e-2}, {strategy: lora, lr: 1e-2}]
seeds: [0, 1]
save: on
domains:
  - {name: far away, data: far}
  - {data: odd, class_map: map.txt, unknown_classes: skip}
  - {name: few, data: far, test_limit: 5}
"""
    g = grid(text)
    r = ablate(g, "--json").json
    for c in cells().values():
        equal([(d["name"], d["images"]) for d in c["domains"]],
              [("far away", 12), ("odd", 8), ("few", 5)])
        run = ["eval", "--adapter", "out/runs/%s/last" % c["id"], "--json", "--batch-size", 8]
        equal(sctrun(*run, "--data", "one").json["top1"], c["test"]["top1"])
        equal(sctrun(*run, "--data", "far").json["top1"], c["domains"][0]["top1"])
        odd = sctrun(*run, "--data", "odd", "--class-map", "map.txt", "--unknown-classes", "skip")
        equal(odd.json["top1"], c["domains"][1]["top1"])
    for x in r["rows"]:
        equal([t["name"] for t in x["targets"]], ["far away", "odd", "few"])
        got = [find(row=x["strategy"], seed=s)["domains"][0]["top1"] for s in (0, 1)]
        close(x["targets"][0]["mean"], sum(got) / 2)
    md = read("out/table.md").decode()
    contains(md, "## Target sets", "| source (test list) |", "| far away |", "| odd |")
    # a target's pictures are decoded once
    made = [find(row=row, seed=s)["made"]["images"] for s in (0, 1) for row in ("linear", "lora")]
    equal(made[1:], [0, 0, 0])
    equal(made[0], 24 + 12 + 12 + 8 + 5)
    # unshared, the same
    ablate(grid(text + "share: off\n", "h.yaml"), out="alone")
    equal({k: c["domains"] for k, c in cells("alone").items()},
          {k: c["domains"] for k, c in cells().items()})
    # a class that nobody knows fails the cell, and says so
    r = ablate(grid("tasks: [one]\nstrategies: [linear]\ndomains: [{data: odd}]\n"), out="bad")
    contains(r.out, "target set odd", "red", "class-map")


@test
def rules_are_settings():
    """Factors for parameters, in the grid or as a flag, act and make another cell."""
    setup()
    g = grid("""tasks: [one]
strategies:
  - {strategy: linear, lr: 1e-2}
  - {strategy: linear, label: still, lr: 1e-2, groups: [{params: "head.*", lr_mult: 0}]}
""")
    ablate(g)
    plain, still = find(row="linear"), find(row="still")
    check(plain["id"] != still["id"] and plain["test"] != still["test"],
          "groups of a row are in its result", plain["test"], still["test"])
    check("lr_mult: 0" in still["args"] and "groups" not in plain["args"], still["args"])
    ablate(g, "--group", "head.* lr=0")
    check(len(cells()) == 3, "a flag that changes the result runs the cell again", list(cells()))
    check(len(set(c["test"]["loss"] for c in cells().values())) == 2, "the rule acts")


@test
def strategies_compose():
    setup()
    g = grid("""tasks: [one]
strategies:
  - {strategy: [lora, sct], lr: 1e-2, options: {lora: {r: 2}}, grid: {options.k: [2, 4]}}
  - {strategy: [lora, lora], options: {lora2: {targets: fc1}}, grid: {options.lora2.r: [1, 2]}}
""")
    r = ablate(g, "--json").json
    check([row["strategy"] for row in table()["rows"]] ==
          ["lora+sct k=2", "lora+sct k=4", "lora+lora lora2.r=1", "lora+lora lora2.r=2"], r)
    sctrun("train", "--model", "tiny.yaml", "--weights", "base.safetensors", "--data", "one",
           "--epochs", 2, "--batch-size", 8, "--threads", 1, "--strategy", "lora", "--strategy",
           "sct", "--lr", 1e-2, "--set", "lora.r=2", "--set", "k=2", "--output", "single")
    last = [json.loads(line) for line in read("single/log.jsonl").splitlines()
            if b"eval" in line][-1]
    cell = find(row="lora+sct k=2")["test"]
    check(abs(last["eval_loss"] - cell["loss"]) < 1e-6, last, cell)
    for bad in ("[]", "[lora, [sct]]"):
        fails(USAGE, ["expected the name"], "ablate",
              grid("tasks: [one]\nstrategies: [{strategy: %s}]\n" % bad), "--output", "bad")
        check(not os.path.exists("bad"), "nothing is written")


@test
def names_are_text():
    """Names of rows, tasks and targets are text everywhere, whatever they look like."""
    setup()
    evil = "<script>alert(1)</script>\\\"'|&amp;"
    write("g.yaml", HEAD % (2, "") + """about: "<img src=x onerror=alert(2)>"
tasks: [{name: "%s", data: one}]
strategies: [{strategy: linear, label: "%s"}, {strategy: bitfit, label: "=1+1,\\"x\\""}]
""" % (evil, evil))
    ablate("g.yaml")
    page = read("out/report.html").decode()
    check("<script" not in page and "<img" not in page, "a name became a tag")
    contains(page, "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;|&amp;amp;", "&lt;img src")
    md = read("out/table.md").decode()
    check("<script" not in md and "<img" not in md)
    rows = list(csv.DictReader(io.StringIO(read("out/table.csv").decode())))
    equal(rows[0]["strategy"], "<script>alert(1)</script>\"'|&amp;")
    equal(rows[-1]["strategy"], "=1+1,\"x\"")
    equal(table()["rows"][0]["strategy"], rows[0]["strategy"])


@test
def grid_axes():
    setup()
    g = grid("""tasks: [one, {data: two, lr: 3e-3, smoothing: 0.1}]
strategies:
  - {strategy: lora, label: L, grid: {options.r: [1, 2], lr: [1e-3, 2e-3]}, options: {alpha: 4}}
  - {strategy: linear, lr: 5e-3}
grid: {weight_decay: [0, 0.1]}
""")
    r = ablate(g, "--dry-run")
    equal(len(r.out.splitlines()), 2 * (8 + 2))
    check(not os.path.exists("out"))
    contains(r.out, "L weight_decay=0 r=1 lr=1e-3, one, seed 0", "linear weight_decay=0.1, two")
    ablate(g)
    c = find(row="L weight_decay=0.1 r=2 lr=2e-3", task="two")
    contains(c["args"], "weight_decay: 0.1\n", "r: 2\n", "lr: 0.002\n", "alpha: 4\n")
    contains(find(row="linear weight_decay=0", task="two")["args"], "lr: 0.005\n",
             "smoothing: 0.1\n")
    contains(ablate(g, "--dry-run").out, "done")
    # flags hold everywhere, and may not say what the grid varies
    ablate(g, "--epochs", 1, out="short")
    equal(find("short", row="linear weight_decay=0", task="one")["steps"], 3)
    for flag, value in (("--lr", 1), ("--weight-decay", 1), ("--seed", 1), ("--data", "one"),
                        ("--strategy", "sct"), ("--protocol", "tune")):
        fails(USAGE, ["g.yaml, which says it itself"], "ablate", g, flag, value)
    fails(USAGE, ["adapter"], "ablate", g, "--adapter", "x")
    write("c.yaml", "lr: 1\n")
    fails(USAGE, ["-c c.yaml", "base"], "ablate", g, "-c", "c.yaml")
    fails(USAGE, ["--set"], "ablate", grid("tasks: [one]\nstrategies: [linear]\n"), "--set", "r=1")


@test
def data_from_the_command_line():
    """A task that says no data takes --data; its cells are those of a grid that says them itself."""
    setup()
    open_ = grid("tasks: [{name: pictures}, {name: smooth, smoothing: 0.1}]\nstrategies: [linear]\n",
                 "open.yaml")
    ablate(open_, "--data", "two", out="open")
    ablate(grid("tasks: [two]\nstrategies: [linear]\n"), out="said")
    want = find("said", task="two")
    equal(find("open", task="pictures")["id"], want["id"])
    equal(find("open", task="pictures")["test"], want["test"])
    check(find("open", task="smooth")["id"] != want["id"])
    both = grid("tasks: [{name: pictures}, {data: one}]\nstrategies: [linear]\n", "both.yaml")
    fails(USAGE, ["--data", "both.yaml, which says it itself"], "ablate", both, "--data", "two")
    fails(USAGE, ["pictures", "no data", "--data"], "ablate", open_)
    write("bare.yaml", "name: bare\ntasks: [one]\nstrategies: [linear]\n")
    fails(USAGE, ["bare.yaml", "no model", "--weights"], "ablate", "bare.yaml")
    check(not os.path.exists("runs"))


@test
def one_cell_for_equal_settings():
    setup()
    r = ablate(grid("""tasks: [one]
strategies:
  - {strategy: lora, label: a, options: {r: 2}}
  - {strategy: lora, label: b, grid: {options.r: [2, 4]}}
"""), "--json").json
    equal(len(cells()), 2)
    a, b2, b4 = r["rows"]
    equal(a["tasks"][0]["mean"], b2["tasks"][0]["mean"])
    equal([x["id"] for x in r["cells"]][0], [x["id"] for x in r["cells"]][1])


BAD = [
    ("", ["no tasks"]),
    ("tasks: [one]\n", ["no strategies"]),
    ("tasks: []\nstrategies: [linear]\n", ["no tasks"]),
    ("task: [one]\nstrategies: [linear]\n", ["task", "did you mean 'tasks'"]),
    ("tasks: [one]\nstrategies: [linear]\nseed: [1]\n", ["seed", "did you mean 'seeds'"]),
    ("tasks: [one, one]\nstrategies: [linear]\n", ["two tasks one"]),
    ("tasks: [{name: x, data: one, lrr: 1}]\nstrategies: [linear]\n", ["lrr", "lr"]),
    ("tasks: [[one]]\nstrategies: [linear]\n", ["data of a task"]),
    ("tasks: [{group: g}]\nstrategies: [linear]\n", ["needs data"]),
    ("tasks: one\nstrategies: [linear]\n", ["tasks", "a list"]),
    ("tasks: [one]\nstrategies: [linear, linear]\n", ["two rows \"linear\""]),
    ("tasks: [one]\nstrategies: [{label: x}]\n", ["strategy"]),
    ("tasks: [one]\nstrategies: [{strategy: lora, options: {rank: 2}}]\n", ["rank"]),
    ("tasks: [one]\nstrategies: [{strategy: lora, options: {r: two}}]\n", ["r", "two"]),
    ("tasks: [one]\nstrategies: [linear]\ngrid: {options.r: [1, 2]}\n", ["r"]),
    ("tasks: [one]\nstrategies: [linear]\ngrid: {lr: 3}\n", ["list of values for lr"]),
    ("tasks: [one]\nstrategies: [linear]\ngrid: {lr: []}\n", ["list of values for lr"]),
    ("tasks: [one]\nstrategies: [linear]\ngrid: {lr: [[1]]}\n", ["single value"]),
    ("tasks: [one]\nstrategies: [linear]\ngrid: {lr: [1, 1]}\n", ["lr has the value 1 twice"]),
    ("tasks: [one]\nstrategies: [linear]\ngrid: {lr: [fast]}\n", ["lr", "fast"]),
    ("tasks: [one]\nstrategies: [linear]\ngrid: {lrate: [1]}\n", ["lrate"]),
    ("tasks: [one]\nstrategies: [linear]\ngrid: {lr: [1]}\nsearch: {lr: [2]}\n", ["both in grid"]),
    ("tasks: [one]\nstrategies: [linear]\ngrid: {seed: [1, 2]}\n", ["seed", "seeds"]),
    ("tasks: [one]\nstrategies: [linear]\nsearch: {protocol: [tune]}\n", ["protocol", "validation"]),
    ("tasks: [one]\nstrategies: [{strategy: linear, output: x}]\n", ["output", "--output"]),
    ("tasks: [one]\nstrategies: [linear]\nseeds: []\n", ["seeds"]),
    ("tasks: [one]\nstrategies: [linear]\nseeds: [0, 0]\n", ["seeds has the value 0 twice"]),
    ("tasks: [one]\nstrategies: [linear]\nseeds: [-1]\n", ["-1"]),
    ("tasks: [one]\nstrategies: [linear]\nbaseline: liner\n", ["liner", "did you mean \"linear\""]),
    ("tasks: [one]\nstrategies: [linear]\nfew_shot: {}\n", ["shots"]),
    ("tasks: [one]\nstrategies: [linear]\nfew_shot: {shot: [1]}\n", ["did you mean 'shots'"]),
    ("tasks: [one]\nstrategies: [linear]\nfew_shot: {shots: [0]}\n", ["0"]),
    ("tasks: [one]\nstrategies: [linear]\ndomains: [one]\n", ["name", "class_map"]),
    ("tasks: [one]\nstrategies: [linear]\ndomains: [{name: x}]\n", ["data"]),
    ("tasks: [one]\nstrategies: [linear]\ndomains: [{data: a}, {data: b/a}]\n", ["two target sets a"]),
    ("tasks: [one]\nstrategies: [linear]\ndomains: [{data: a, lr: 1}]\n", ["lr"]),
    ("tasks: [one]\nstrategies: [linear]\nbest_on_test: maybe\n", ["maybe"]),
    ("tasks: [one]\nstrategies: [linear]\nname: ../up\n", ["part of a path"]),
    ("tasks: [one]\nstrategies: [{strategy: lora, grid: {%s}}]\n" % ", ".join(
        "options.r%d: [1]" % i for i in range(17)), ["more than 16 keys"]),
    ("tasks: [one]\nstrategies: [{strategy: lora, grid: {%s}}]\n" % ", ".join(
        "%s: [%s]" % (k, ", ".join(map(str, range(1, 40)))) for k in
        ("epochs", "batch_size", "max_steps")), ["more than 4096 combinations"]),
    ("tasks: &a [one]\nstrategies: [linear]\n", ["anchor"]),
    ("tasks: [one\nstrategies: [linear]\n", ["g.yaml:"]),
]


@test
def bad_grids():
    """Each is refused before anything runs, with file and line, and leaves nothing."""
    setup()
    for text, parts in BAD:
        text = text if "name: ../" in text else "name: g\n" + text
        write("g.yaml", "base: {model: tiny.yaml, weights: base.safetensors}\n" + text)
        r = fails(USAGE, parts, "ablate", "g.yaml")
        contains(r.err, "g.yaml")
    write("g.yaml", "base: [1]\ntasks: [one]\nstrategies: [linear]\n")
    fails(USAGE, ["base", "a mapping"], "ablate", "g.yaml")
    fails(PLUGIN, ["lineer", "linear"], "ablate", grid("tasks: [one]\nstrategies: [lineer]\n"))
    fails(USAGE, ["no grid nothing", "configs/grids"], "ablate", "nothing")
    fails(USAGE, ["there.yaml"], "ablate", "there.yaml")
    fails(USAGE, ["one grid"], "ablate")
    fails(USAGE, ["one grid"], "ablate", "g.yaml", "h.yaml")
    check(not os.path.exists("runs"))


@test
def bad_results():
    """A file among the results that is none is named, not believed."""
    setup()
    g = grid("tasks: [one]\nstrategies: [linear]\n")
    ablate(g)
    path = glob.glob("out/cells/*.json")[0]
    good = json.loads(read(path))
    for change in ({"format": 2}, {"id": "0" * 16}, {"status": "fine"}, {"test": None},
                   {"trainable": -1}, {"test": {"top1": "high"}}, {"curves": []}):
        write(path, json.dumps({**good, **change}))
        fails(DATA, [os.path.basename(path), "delete it"], "ablate", g, "--output", "out")
    for text in ("", "{", "[]", "null", "\0\1"):
        write(path, text)
        fails(DATA, [os.path.basename(path)], "ablate", g, "--output", "out", "--collect")
    os.remove(path)
    ablate(g)
    equal({k: c["test"] for k, c in cells().items()}, {good["id"]: good["test"]})


@test
def help_has_its_flags():
    for args in (["help", "ablate"], ["ablate", "--help"], ["ablate", "-h"]):
        contains(sctrun(*args).out, "--shard I/N", "--collect", "--weight-decay")
    check("--shard" not in sctrun("help", "train").out)


@test
def shipped_grids_are_whole():
    """Every grid that ships can be read, and all its cells have settings; `strategies` names all that
    ship, and takes base and pictures from the command line."""
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "configs", "grids")
    names = sorted(os.path.splitext(f)[0] for f in os.listdir(here))
    check(len(names) >= 4, names)
    for name in names:
        own = ["--model", "sprite_vit", "--data", "task:sprites_red"] if name == "strategies" else []
        r = sctrun("ablate", name, "--dry-run", *own)
        check(len(r.out.splitlines()) >= 10, name, r.out)
        if name == "strategies":
            listed = {line.split()[-4].rstrip(",") for line in r.out.splitlines()}
            equal(sorted(listed), sorted(f[:-5] for f in os.listdir(here + "/../strategies")))


main()
