# SPDX-License-Identifier: MIT
"""strategy_options.py - every option of ssf, vpt, fact, repadapter and convpass does what it says, and who refuses what."""
from e2e import *


def setup(**data):
    model()
    base()
    return vtab(**data)


def losses(run):
    return [step["loss"] for step in log(run)[0]]


def few_steps(strategy, name, *options):
    """Three steps at a fixed rate; options are KEY=VALUE of the strategy."""
    train(name, "--max-steps", 3, "--lr", "0.05", "--lr-schedule", "constant", "--shuffle", "off",
          *[x for o in options for x in ("--set", o)], strategy=strategy)


@option("ssf:std")
def options_of_ssf():
    """Scales start around 1, shifts around 0, that far away; at 0 the model is the plain one."""
    setup()
    for name, std in (("zero", 0), ("far", "0.3")):
        train(name, "--lr", 0, "--max-steps", 1, "--set", "std=%s" % std, strategy="ssf")
    equal(set(tensors("zero")["blocks.0.mlp.fc1.ssf_scale"][2]), {1.0})
    equal(set(tensors("zero")["blocks.0.mlp.fc1.ssf_shift"][2]), {0.0})
    for what, mean in (("scale", 1), ("shift", 0)):
        x = tensors("far")["blocks.1.mlp.fc1.ssf_" + what][2]  # 192 of them
        close(sum(x) / len(x), mean, 0, 0.3 * 4 / len(x) ** 0.5)
        close((sum((v - mean) ** 2 for v in x) / len(x)) ** 0.5, 0.3, 0.25)
    train("plain", "--lr", 0, "--max-steps", 1)
    equal(losses("zero"), losses("plain"))
    fails(USAGE, ["std", "from 0 to 1"], "train", "--data", "data", "--model", "tiny.yaml",
          "--weights", "base.safetensors", "--strategy", "ssf", "--set", "std=2")


@option("vpt:mode", "vpt:n", "vpt:dropout")
def options_of_vpt():
    """Prompts of the first or of every block, so many, with a mask for every picture."""
    setup()
    shapes = lambda run: {n: t[1] for n, t in tensors(run).items() if n.startswith("vpt")}
    few_steps("vpt", "deep", "n=4")
    equal(shapes("deep"), {"vpt.blocks.%d.prompts" % b: [4, 48] for b in (0, 1)})
    few_steps("vpt", "shallow", "n=2", "mode=shallow")
    equal(shapes("shallow"), {"vpt.blocks.0.prompts": [2, 48]})
    few_steps("vpt", "dropped", "n=4", "dropout=0.5")
    check(losses("dropped")[0] != losses("deep")[0], "dropout has no effect")
    train("start", "--lr", 0, "--max-steps", 1, "--set", "n=100", strategy="vpt")
    x = tensors("start")["vpt.blocks.1.prompts"][2]  # uniform within sqrt(6 / (3 * 8 * 8 + 48))
    bound = (6 / 240) ** 0.5
    check(0.99 * bound < max(x) <= bound and -bound <= min(x) < -0.99 * bound, min(x), max(x))
    args = ["train", "--data", "data", "--strategy", "vpt", "--weights", "random", "--model"]
    model("bare.yaml", class_token="false", pool="avg")
    fails(DEVICE, ["vpt", "class token"], *args, "bare.yaml")
    swin(weights=False)
    fails(DEVICE, ["vpt", "Swin", "expected a ViT"], *args, "swin.yaml")


@option("fact:form", "fact:rank", "fact:scale", "fact:dropout")
def options_of_fact():
    """Cores as parameters or of one tensor; V starts at zero, so the first loss is the plain one."""
    setup()
    few_steps("fact", "tt", "rank=3", "dropout=0")
    shapes = {n: t[1] for n, t in tensors("tt").items()}
    equal((shapes["fact.u.weight"], shapes["fact.v.weight"]), ([3, 48], [48, 3]))
    equal((shapes["fact.blocks.1.fc1.weight"], shapes["fact.blocks.1.fc2.weight"]),
          ([12, 3], [3, 12]))
    few_steps("fact", "tk", "rank=3", "dropout=0", "form=tk")
    shapes = {n: t[1] for n, t in tensors("tk").items() if n.startswith("fact")}
    equal(shapes, {"fact.u.weight": [3, 48], "fact.v.weight": [48, 3], "fact.core": [3, 3, 3],
                   "fact.p": [24, 3]})
    for name, opt in (("scale", "scale=9"), ("dropout", "dropout=0.5")):
        few_steps("fact", name, "rank=3", opt, *([] if name == "dropout" else ["dropout=0"]))
        equal(losses(name)[0], losses("tt")[0], "V does not start at zero")
        check(losses(name) != losses("tt"), opt, "has no effect")
    swin(weights=False)
    fails(DEVICE, ["fact", "shared by all layers", "expected a ViT"], "train", "--data", "data",
          "--strategy", "fact", "--weights", "random", "--model", "swin.yaml")


def added(run, strategy):
    """Shapes of a strategy's tensors, without the strategy's name."""
    return {n[len(strategy) + 1:]: t[1] for n, t in tensors(run).items() if n.startswith(strategy)}


def changes(strategy, *cases):
    """Each of (name, option): losses of three steps are others than those without it, the first
    apart, since what is added starts at zero."""
    few_steps(strategy, "plain")
    for name, opt in cases:
        few_steps(strategy, name, opt)
        equal(losses(name)[0], losses("plain")[0], strategy + " does not start as the plain model")
        check(losses(name)[1:] != losses("plain")[1:], strategy, opt, "has no effect")


@option("repadapter:form", "repadapter:r", "repadapter:groups", "repadapter:scale",
        "repadapter:dropout")
def options_of_repadapter():
    """Where, how wide, in which groups; what is said by default says the same by hand."""
    setup()
    changes("repadapter", ("attn", "form=attn"), ("r", "r=4"), ("groups", "groups=4"),
            ("one", "groups=1"), ("scale", "scale=3"), ("dropout", "dropout=0"))
    few_steps("repadapter", "same", "form=both", "r=8", "groups=2", "scale=1", "dropout=0.1")
    equal(losses("same"), losses("plain"))
    stems = {"blocks.%d.%s" % (b, w) for b in (0, 1) for w in ("attn", "mlp")}
    equal({n.rsplit(".", 2)[0] for n in added("plain", "repadapter")}, stems)
    equal({n.rsplit(".", 2)[0] for n in added("attn", "repadapter")},
          {s for s in stems if s.endswith("attn")})
    equal([added(r, "repadapter")["blocks.1.attn.up.weight"] for r in ("plain", "r", "groups", "one")],
          [[2, 24, 4], [2, 24, 2], [4, 12, 2], [48, 8]])
    equal(added("r", "repadapter")["blocks.0.attn.down.weight"], [4, 48])
    args = ["train", "--data", "data", "--strategy", "repadapter", "--weights", "base.safetensors",
            "--model", "tiny.yaml"]
    fails(USAGE, ["groups", "divisor of r, 8", "3"], *args, "--set", "groups=3")
    fails(USAGE, ["groups", "48 channels", "5"], *args, "--set", "groups=5", "--set", "r=10")


@option("convpass:form", "convpass:h", "convpass:scale", "convpass:dropout", "convpass:drop_path",
        "convpass:init")
def options_of_convpass():
    """Where, how wide, how the convolution starts, what is dropped."""
    setup()
    changes("convpass", ("attn", "form=attn"), ("h", "h=5"), ("scale", "scale=3"),
            ("dropout", "dropout=0.5"), ("drop_path", "drop_path=0.9"), ("xavier", "init=xavier"))
    few_steps("convpass", "same", "form=both", "h=8", "scale=1", "dropout=0.1", "init=identity",
              "drop_path=0.1")
    equal(losses("same"), losses("plain"))
    stems = {"blocks.%d.%s" % (b, w) for b in (0, 1) for w in ("attn", "mlp")}
    equal({n.rsplit(".", 2)[0] for n in added("plain", "convpass")}, stems)
    equal({n.rsplit(".", 2)[0] for n in added("attn", "convpass")},
          {s for s in stems if s.endswith("attn")})
    shapes = added("h", "convpass")
    equal([shapes["blocks.1.mlp.%s.weight" % w] for w in ("down", "conv", "up")],
          [[5, 48], [5, 5, 3, 3], [48, 5]])
    h = 4
    for init in ("identity", "xavier"):
        train("start-" + init, "--lr", 0, "--max-steps", 1, "--set", "init=" + init, "--set",
              "h=%d" % h, strategy="convpass")
        x = tensors("start-" + init)["convpass.blocks.0.attn.conv.weight"][2]
        if init == "identity":
            equal(list(x), [float(o == i and k == 4) for o in range(h) for i in range(h)
                            for k in range(9)])
        else:  # uniform within sqrt(6 / (9 h + 9 h))
            bound = (6 / (18 * h)) ** 0.5
            check(0.9 * bound < max(x) <= bound and -bound <= min(x) < -0.9 * bound, min(x), max(x))


@test
def any_grid():
    """Convpass on a ViT without a class token, and on one with more tokens in front of the grid."""
    setup()
    model("bare.yaml", class_token="false", pool="avg")
    model("registers.yaml", reg_tokens=3, distilled="true")
    for name, tokens in (("bare.yaml", 0), ("registers.yaml", 5)):
        losses_ = []
        for scale in (0, 1):
            run = "%s-%d" % (name, scale)
            train(run, "--model", name, "--max-steps", 3, "--lr", "0.05", "--set",
                  "scale=%d" % scale, strategy="convpass", weights="random")
            losses_.append(losses(run))
        check(losses_[0] != losses_[1], name, "has no bypass")



main()
