# SPDX-License-Identifier: MIT
"""lora.py - the options of lora, what of it can be merged, and its folders in other names."""
from e2e import *


def setup():
    model()
    base()
    return vtab()


def few_steps(name, *options, code=OK, steps=3):
    return train(name, "--max-steps", steps, "--lr", "0.05", "--lr-schedule", "constant",
                 "--shuffle", "off", *[x for o in options for x in ("--set", o)], strategy="lora",
                 code=code)


def step_losses(run):
    return [step["loss"] for step in log(run)[0]]


def config(run):
    return json.loads(read(run + "/last/adapter_config.json"))


def logits(*args):
    return [x["logits"] for x in sctrun("predict", "--image", "data/images/test", "--json",
                                        *args).jsonl]


def same_logits(a, b, rel=1e-4, absolute=1e-5):
    for x, y in zip(a, b):
        for p, q in zip(x, y):
            close(p, q, rel, absolute)


@option("lora:rslora")
def rslora():
    """alpha / sqrt(r): with r = 4 twice as much, which the configuration says."""
    setup()
    few_steps("plain", "r=4", "alpha=16")
    few_steps("rs", "r=4", "alpha=8", "rslora=on")
    few_steps("off", "r=4", "alpha=8")
    equal(step_losses("rs"), step_losses("plain"))
    check(step_losses("rs") != step_losses("off"), "rslora has no effect")
    c = config("rs")
    equal((c["use_rslora"], c["r"]), (True, 8))
    close(c["lora_alpha"], 8 * 2 ** 0.5, 1e-13)


@option("lora:rank_pattern", "lora:alpha_pattern")
def patterns():
    """Ranks and alphas of layers; the first entry that fits decides; what fits nothing is said."""
    setup()
    few_steps("p", "r=2", "targets=q,v,proj,fc1", "rank_pattern=blocks[0].attn.*=3,attn.*=1,fc1=5")
    t = {n.removeprefix("base_model.model."): x[1] for n, x in tensors("p").items()}
    equal([t["blocks.%d.%s.lora_A.weight" % (b, n)][0] for n in ("attn.qkv", "attn.proj", "mlp.fc1")
           for b in (0, 1)], [6, 2, 3, 1, 5, 5])
    c = config("p")
    equal((c["r"], c["lora_alpha"]), (5, 8))
    equal(c["rank_pattern"], {
        "blocks\\.(0)\\.attn\\.qkv": 6, "blocks\\.(1)\\.attn\\.qkv": 2,
        "blocks\\.(0)\\.attn\\.proj": 3, "blocks\\.(1)\\.attn\\.proj": 1})
    equal(c["alpha_pattern"], {"qkv": 16})
    few_steps("a", "targets=fc1,fc2", "alpha=4", "alpha_pattern=fc1=16")
    few_steps("same", "targets=fc1,fc2", "alpha=16", "alpha_pattern=blocks[0:2].mlp.fc2=4")
    few_steps("flat", "targets=fc1,fc2", "alpha=4")
    equal(step_losses("a"), step_losses("same"))
    check(step_losses("a") != step_losses("flat"), "alpha_pattern has no effect")
    for bad, words in (("rank_pattern=fc2=4", "fits no layer of the targets"),
                       ("rank_pattern=qkv=1.5", "a rank is an integer from 1 to 4096"),
                       ("rank_pattern=attn.q=4", "q, k and v of a layer have one rank"),
                       ("rank_pattern=blocks[0:.qkv=4", "the left side is no pattern"),
                       ("alpha_pattern=qkv", "no PATTERN=NUMBER"),
                       ("alpha_pattern=qkv=x", "the value is no number")):
        r = few_steps("bad", bad, code=USAGE)
        contains(r.err, words)
        check(not os.path.exists("bad"))


@option("lora:init")
def starts():
    """B is zero, but with trunc_normal; gaussian has deviation 1 / r, kaiming a bound."""
    setup()
    rows = {}
    for init in ("kaiming", "gaussian", "trunc_normal"):
        train(init, "--lr", 0, "--max-steps", 1, "--set", "init=" + init, "--set", "r=4", "--set",
              "targets=fc2", strategy="lora")
        t = tensors(init)
        rows[init] = [t["base_model.model.blocks.1.mlp.fc2.lora_%s.weight" % x][2] for x in "AB"]
    deviation = lambda x: (sum(v * v for v in x) / len(x)) ** 0.5
    bound = (1 / 192) ** 0.5
    check(0.98 * bound < max(rows["kaiming"][0]) <= bound)
    close(deviation(rows["gaussian"][0]), 0.25, 0.15)
    for x in rows["trunc_normal"]:
        close(deviation(x), 0.02, 0.25)
    check(not any(rows["kaiming"][1]) and not any(rows["gaussian"][1]))
    equal(config("gaussian")["init_lora_weights"], "gaussian")


@option("lora:dora", "lora:dropout")
def dora():
    """At the start the plain model; magnitudes are trained, those of k are kept; dropout drops."""
    setup()
    few_steps("d", "dora=on", "r=2")
    few_steps("l", "r=2")  # B is zero: its first loss is the plain model's
    few_steps("w", "dora=on", "r=2", "dropout=0.5")
    close(step_losses("d")[0], step_losses("l")[0], 1e-5)
    check(step_losses("d") != step_losses("l"), "dora has no effect")
    close(step_losses("w")[0], step_losses("l")[0], 1e-5)
    check(step_losses("w")[1:] != step_losses("d")[1:], "dropout has no effect")
    m = tensors("d")["base_model.model.blocks.1.attn.qkv.lora_magnitude_vector"][2]
    w = load_tensors("base.safetensors")["blocks.1.attn.qkv.weight"][2]
    norms = [sum(v * v for v in w[48 * o:48 * o + 48]) ** 0.5 for o in range(144)]
    equal(len(m), 144)
    for a, b in zip(m[48:96], norms[48:96]):
        close(a, b, 1e-6)
    check(all(abs(a - b) > 1e-4 for a, b in zip(m[:48], norms[:48])), "magnitudes are not trained")
    equal((config("d")["use_dora"], config("l")["use_dora"]), (True, False))
    for run in ("d", "w"):
        r = sctrun("eval", "--adapter", run + "/last", "--data", "data", "--json").json
        equal("%.9g" % r["loss"], "%.9g" % log(run)[1][-1]["eval_loss"])


@test
def dora_is_merged():
    """A folder of timm computes the same as the adapter, whatever the layers and the dropout."""
    setup()
    for name, options in (("parts", ["targets=q,v,fc1"]), ("whole", ["targets=qkv,proj,fc2"]),
                          ("dropped", ["targets=k,fc2", "dropout=0.2", "rslora=on"])):
        few_steps(name, "dora=on", "r=2", *options, steps=6)
        args = ["--adapter", name + "/last", "--weights", "base.safetensors"]
        sctrun("export", *args, "--format", "timm", "--output", name + "-timm")
        same_logits(logits("--weights", name + "-timm"), logits(*args))


main()
