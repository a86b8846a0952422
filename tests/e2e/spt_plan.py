# SPDX-License-Identifier: MIT
"""spt_plan.py - how strategy spt comes to its plan: scores, selection under a budget, plan files. What a plan
trains is in spt_tuned.py."""
import math

from e2e import *

CANDIDATES = 2 * (4 * 48 * 48 + 8 * 48 * 48 + 4 * 48 + 5 * 48 + 4 * 48) + 2 * 48


def setup(**keys):
    model(**keys)
    base()
    vtab()


def spt(name, *options, args=(), code=OK, plan_out=True, still=True, **kw):
    """A run of a step whose plan is <name>.json; options are KEY=VALUE of the strategy. Rank 1, so that
    a module of the tiny model is worth it."""
    given = {"r": 1, "budget": "0.0015", "step": "0.00002", "max": "0.02", "batch": 8, "batches": 2,
             **({"plan_out": name + ".json"} if plan_out else {}),
             **dict(o.split("=") for o in options)}
    if still and "--drop-path" not in args:
        args = (*args, "--drop-path", 0)
    return train(name, "--max-steps", 1, "--test-limit", 2, "--json",
                 *[x for k, v in given.items() for x in ("--set", "%s=%s" % (k, v))], *args,
                 strategy="spt", code=code, **kw)


def plan(name):
    return json.loads(read(name + ".json"))


def entries(p):
    return sum(map(len, p["sparse"].values()))


def length(p, names):
    return sum(count(p["shapes"][n]) for n in names)


def cost(p):
    """What the parts of a plan add up to."""
    rows_cols = [p["shapes"][n] for n in p["structured"]]
    module = {"lora": lambda o, i: p["r"] * (o + i),
              "adapter": lambda o, i: 2 * p["r"] * o + p["r"] + o}[p["type"]]
    return (sum(module(*s) for s in rows_cols) + length(p, p["vectors"]) + entries(p) +
            p["class_token"])


@option("spt:budget", "spt:step", "spt:max", "spt:plan_out")
def budgets():
    """The plan adds up to what it says, and comes closer the finer the steps are."""
    setup()
    for budget in ("0.0008", "0.0015", "0.002"):
        r = spt("b" + budget, "budget=" + budget)
        p = plan("b" + budget)
        equal(p["params"], cost(p))
        equal(sum(map(count, p["shapes"].values())), CANDIDATES)
        close(p["params"], float(budget) * 1e6, 0.1)
        contains(r.err, "plan of %d parameters" % p["params"], "plan written: b%s.json" % budget)
    spt("steps", "step=0.0007")
    off = lambda name: abs(plan(name)["params"] - 1500)
    check(off("steps") > off("b0.0015"), off("steps"), off("b0.0015"))
    r = spt("coarse", "step=0.02", "max=0.02")
    contains(r.err, "warning: the plan is ", "% off the budget of 1500 parameters")
    r = spt("little", "budget=0.00001", "step=0.001", code=USAGE)
    contains(r.err, "strategy spt", "budget 1e-05 is 10 parameters", "larger budget")
    for dry in ((), ("--dry-run",)):  # before anything is measured
        r = spt("much", "budget=50", code=USAGE, args=dry)
        contains(r.err, "strategy spt", "budget 50 is 50000000 parameters",
                 "of the %d entries that may be chosen here no plan has more than" % CANDIDATES,
                 "smaller budget")
        check("calibrating" not in r.err and "larger max" not in r.err, r.err)
        # a larger max is the advice where it leads to another plan
        r = spt("few", "budget=0.0025", "max=0.00002", code=USAGE, args=dry)
        contains(r.err, "budget 0.0025 is 2500 parameters; the largest plan here has",
                 "smaller budget, or a larger max (2e-05)")
        r = spt("all", "budget=0.008", "alpha=0.1", "step=0.06", "max=0.06", code=USAGE, args=dry)
        contains(r.err, "budget 0.008 is 8000 parameters; the largest plan here has", "smaller budget")
        check("larger max" not in r.err, r.err)
    check(not os.path.exists("little.json"), "a plan was written nevertheless")
    r = spt("none", "step=0.01", "max=0.001", code=USAGE)
    contains(r.err, "steps of 0.01")


@option("spt:type", "spt:r", "spt:alpha", "spt:beta", "spt:structured", "spt:vectors", "spt:class_token")
def selection():
    """Thresholds follow from the cost of what would take the entries' place."""
    setup()
    spt("plain")
    p = plan("plain")
    check(p["structured"] and p["vectors"] and p["sparse"], p["params"])
    equal(p["class_token"], 48)
    for name, at in p["sparse"].items():  # what has more entries is something else
        shape = p["shapes"][name]
        most = sum(shape) / 10 if len(shape) == 2 else shape[0] / 5
        check(len(at) < most, name, len(at), most)
        check(at == sorted(set(at)) and 0 <= at[0] and at[-1] < count(shape), name)
    for name, opt in (("adapter", "type=adapter"), ("rank", "r=2"), ("alpha", "alpha=0.5"),
                      ("beta", "beta=1.01"), ("token", "class_token=off")):
        spt(name, opt)
        q = plan(name)
        equal(q["params"], cost(q), opt)
        check({k: q[k] for k in ("params", "structured", "vectors", "sparse")} !=
              {k: p[k] for k in ("params", "structured", "vectors", "sparse")}, opt, "has no effect")
    equal((plan("adapter")["type"], plan("rank")["r"], plan("token")["class_token"]), ("adapter", 2, 0))
    spt("coarse", "structured=structured")
    equal(plan("coarse")["sparse"], {})
    check(plan("coarse")["structured"], "no modules")
    spt("fine", "structured=unstructured")
    equal(plan("fine")["structured"], [])
    spt("entries", "structured=unstructured", "vectors=off", "class_token=off")
    q = plan("entries")
    equal((q["structured"], q["vectors"], entries(q)), ([], [], 1500))
    spt("wholes", "structured=structured", "vectors=off")
    equal((plan("wholes")["vectors"], plan("wholes")["sparse"]), ([], {}))


@option("spt:score", "spt:mode", "spt:batch", "spt:batches")
def scores():
    """The batch is the strategy's own; single images are batches of one; stochastic depth is on, or not."""
    setup()
    drop = ("--drop-path", "0.6")
    same = lambda a, b: read(a + ".json") == read(b + ".json")
    spt("a")
    spt("b", args=("--batch-size", 3, "--threads", 1))
    check(same("a", "b"), "the run's batch has a say")
    spt("large", "batch=24", "batches=1", args=("--batch-size", 4))
    spt("all", "batch=24", "batches=0")
    check(same("large", "all"), "24 images are not all of them")
    spt("one", "batch=1", "batches=16")
    spt("single", "score=sample_sq")
    check(same("one", "single"), "16 single images are 2 batches of 8")
    for other in ("large", "one"):
        check(not same("a", other), other, "scores as batches of 8 do")
    spt("few", "batches=1")
    check(not same("a", "few"), "batches has no effect")
    spt("dropped", args=drop)
    spt("eval", "mode=eval", args=drop)
    check(same("a", "eval") and not same("a", "dropped"), "mode has no effect")
    spt("own", still=False)  # 0.1 is published, and the strategy's own
    spt("published", args=("--drop-path", "0.1"))
    spt("off", "mode=eval", still=False)
    check(same("own", "published") and same("off", "a") and not same("own", "off"), "mode has no effect by default")


@option("spt:plan")
def plan_files():
    """A file takes the place of scoring, in either form; all forms and the adapter say the same."""
    setup()
    r = spt("first")
    contains(r.err, "calibrating spt on 16 images")
    r = spt("second", "plan=first.json", "plan_out=second.pth")
    check("calibrating" not in r.err, r.err)
    spt("third", "plan=second.pth", "plan_out=third.json")
    equal(read("third.json"), read("first.json"))
    for name in ("second", "third"):
        equal(adapter_bytes(name), adapter_bytes("first"), name)
    equal(read("second.pth")[:2], b"PK")
    r = spt("other", "plan=first.json", "r=2")
    contains(r.err, "first.json says %d parameters" % plan("first")["params"])
    again = sctrun("eval", "--adapter", "first/last", "--data", "data", "--test-limit", 2,
                   "--json").json
    equal("%.9g" % again["loss"], "%.9g" % log("first")[1][-1]["eval_loss"])
    spt("x", "plan=first.txt", code=USAGE)
    spt("y", "plan_out=plan.txt", code=USAGE)
    contains(spt("z", "plan=nothing.json", code=FILE).err, "nothing.json")
    contains(spt("w", "plan_out=no/where.json", code=FAIL).err, "no/where.json")
    write("bad.json", "{\"format\": \"sctrun spt plan\", \"version\": 1}")
    contains(spt("v", "plan=bad.json", code=FILE).err, "strategy spt", "bad.json", "shapes/")
    write("bad.pth", "PK\3\4" + "x" * 100)
    contains(spt("u", "plan=bad.pth", code=FILE).err, "strategy spt", "bad.pth")


@test
def plans_of_a_swin():
    """Names are whole; the published form has no room for them."""
    swin()
    vtab()
    args = dict(args=("--model", "swin.yaml"), weights="swin.safetensors")
    spt("a", "budget=0.003", "step=0.0001", **args)
    p = plan("a")
    check("layers.1.downsample.reduction.weight" in p["shapes"], list(p["shapes"])[:20])
    check(not any("table" in n for n in p["shapes"]), "tables of positions are candidates")
    equal(p["class_token"], 0)
    spt("b", "plan=a.json", **args)
    equal(read("a.json"), read("b.json"))
    r = spt("c", "plan=a.json", "plan_out=c.pth", code=DEVICE, **args)
    contains(r.err, "six matrices", ".json")
    check(not os.path.exists("c.pth"), "half a file")
    spt("d", plan_out=False, **args)
    shutil.copy("d/last/adapter_config.json", "config.json")
    contains(spt("e", "plan=config.json", code=FILE, **args).err, "config.json", "no plan")


@test
def same_bits():
    """Neither threads nor micro-batches change the plan."""
    setup()
    for name, *args in (("a", "--threads", 1), ("b", "--threads", 3), ("c", "--micro-batch", 1)):
        spt(name, args=args)
        equal(read(name + ".json"), read("a.json"), args)


@test
def dry_run():
    """Counts and memory, no scoring, no file; scoring holds a sum for every candidate."""
    setup()
    r = spt("dry", args=("--dry-run",))
    check(not os.path.exists("dry") and not os.path.exists("dry.json"), "something was written")
    close(r.json["trainable"] - 3 * 49, 1500, 0.35)
    check(r.json["memory"]["calibration"] > 2 * 4 * CANDIDATES, r.json["memory"])
    spt("first")
    p = plan("first")
    r = spt("dry", "plan=first.json", args=("--dry-run",))
    counted = sum(len(at) for n, at in p["sparse"].items() if "norm" in n)
    equal(r.json["trainable"] - 3 * 49, p["params"] - counted)


main()
