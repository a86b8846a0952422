# SPDX-License-Identifier: MIT
"""recipes.py - sctrun recipe, --recipe, --quirks: what the files hold, that every one of them can
be run, that quirks can be switched."""
from e2e import *

RECIPES = [r["name"] for r in sctrun("recipe", "list", "--json").json]


def settings(name, *more):
    """{key: value} of `recipe show`, options as option.KEY."""
    found, prefix = {}, ""
    for line in sctrun("recipe", "show", name, *more, "--json").json["settings"].splitlines():
        key, _, value = line.partition(":")
        prefix = "option." if key == "options" else prefix
        if value.strip():
            found[prefix + key.strip()] = value.strip().strip('"')
    return found


def shown(name, *more):
    return sctrun("recipe", "show", name, *more, "--json").json


@test
def every_recipe_says_what_it_is():
    check(len(RECIPES) >= 7, RECIPES)
    for r in sctrun("recipe", "list", "--json").json:
        for key in ("about", "source", "weights", "expect", "strategy"):
            check(len(r[key]) > 2, r["name"], "has no", key)
        contains(sctrun("recipe", "show", r["name"]).out, r["about"], r["source"], r["expect"])
    contains(sctrun("recipe", "list").out, *RECIPES)


@test
def published_table_of_sct():
    """Sums over the table of the SCT repository, and the published mean."""
    names = shown("sct_vtab")["tasks"]
    all_ = {n: settings("sct_vtab/" + n) for n in names}
    equal(len(names), 19)
    close(sum(float(s["lr"]) for s in all_.values()), 0.2724, rel=1e-9, what="learning rates")
    close(sum(float(s["weight_decay"]) for s in all_.values()), 2.5249, rel=1e-9, what="decay")
    close(sum(float(s["option.scale"]) for s in all_.values()), 7.59, rel=1e-9, what="scales")
    equal(sum(s["preprocess"] == "vtab-imagenet-aug" for s in all_.values()), 11, "augmented")
    equal(sorted(n for n, s in all_.items() if s.get("option.scaleonx") == "true"),
          ["clevr_count", "clevr_dist", "dsprites_loc", "dsprites_ori", "smallnorb_azi",
           "smallnorb_ele"], "scaleonx")
    equal(sum(float(s["smoothing"]) == 0.1 for s in all_.values()), 12, "smoothed")
    mean = sum(float(shown("sct_vtab/" + n)["expect"]) for n in names) / 19
    close(mean, 73.59, absolute=0.005, what="mean of 19")


@test
def published_tables():
    """The means over the groups of tasks that NOAH prints beside its two rows, and those of the run of
    SPT in its issue 1."""
    groups = {"lora_vtab": (79.5, 84.6, 59.8), "adapter_vtab": (79.0, 84.1, 58.5),
              "spt_vtab": (81.1, 85.4, 58.9)}
    for name, want in groups.items():
        found = [float(shown(name + "/" + t)["expect"]) for t in shown(name)["tasks"]]
        equal(len(found), 19)
        for part, mean in zip((found[:7], found[7:11], found[11:]), want):
            close(sum(part) / len(part), mean, absolute=0.051, what=name)
    # 12 (2 x 768 x 8 + 8 + 768) and a head of 100
    r = sctrun("train", "--recipe", "adapter_vtab/cifar100", "--weights", "random", "--data",
               "task:sprites_count", "--num-classes", 100, "--dry-run", "--json").json
    equal(r["trainable"] - r["head"], 156768)
    kept, off = (settings("adapter_vtab/dtd", *q) for q in ([], ["--quirks", "none"]))
    equal((kept["option.init"], off["option.init"]), ("trunc_normal", "zero"))
    kept, off = (settings("spt_vtab_moco/dtd", *q) for q in ([], ["--quirks", "none"]))
    for key, words in (("init", ("trunc_normal", "zero")), ("norms", ("counted", "trained")),
                       ("mode", ("train", "eval"))):
        equal((kept["option." + key], off["option." + key]), words)
    check("mean" not in off, off)


@test
def what_noah_ran():
    """On VTAB-1k no augmentation and no smoothing. Everywhere decay of matrices and a start that is not the plain
    model; whole batches but on fine-grained data."""
    for name in ["%s/%s" % (r, t) for r in ("lora_vtab", "adapter_vtab") for t in shown(r)["tasks"]]:
        s = settings(name)
        equal((s["preprocess"], s["drop_last"], s["weight_decay_on"], s["option.init"], s.get("smoothing", "0")),
              ("vtab-imagenet", "on", "matrices", "trunc_normal", "0"), name)
    s = settings("lora_few_shot")
    equal((s["preprocess"], s["drop_last"], s["weight_decay_on"], s["option.init"], s["smoothing"]),
          ("noah-few-shot", "on", "matrices", "trunc_normal", "0.1"))
    # the rest is SPT's, whose last batch may be partial
    s = settings("lora_fgvc/cub")
    equal((s.get("drop_last", "off"), s["weight_decay_on"], s["option.init"]), ("off", "matrices", "trunc_normal"))
    for name in ("lora_vtab/dtd", "lora_few_shot", "lora_fgvc/cub"):
        off = settings(name, "--quirks", "none")
        equal((off["option.init"], off.get("drop_last", "off"), off["mean"]), ("kaiming", "off", "0.5,0.5,0.5"))
        one = settings(name, "--quirks", "init")
        equal((one["option.init"], one["lr_schedule"]), ("trunc_normal", "cosine"))
    equal(settings("adapter_vtab/dtd", "--quirks", "init")["drop_last"], "off")


@test
def a_recipe_like_another():
    """Its settings are the other's under its own, its figures are not."""
    base, huge = settings("sct_vtab/kitti"), settings("sct_vtab_huge/kitti")
    equal({k: v for k, v in huge.items() if base.get(k) != v},
          {"model": "vit_huge_patch14_224", "option.k": "1/8"})
    equal(set(base), set(huge))
    equal(shown("sct_vtab/kitti")["expect"], "80.2")
    contains(shown("sct_vtab_huge/kitti")["expect"], "no figure")
    equal(settings("sct_vtab_huge/kitti", "--quirks", "none")["lr_schedule"], "cosine")
    head = "recipe: {about: a, source: b, weights: c, expect: d}\n"
    for text, message in (("like: sct_vtap\n", "no recipe sct_vtap"),
                          ("like: sct_vtab_huge\n", "like no other"),
                          ("like: sct_vtab/kitti\n", "no task of it"),
                          ("like: sct_vtab\ntasks: {one: {lr: 1}}\n", "those of sct_vtab")):
        write("bad.yaml", head + text)
        fails(USAGE, [message], "recipe", "show", "bad.yaml")


@test
def tasks_by_either_name():
    """The folders of VTAB-1k are cifar and oxford_iiit_pet; SCT and NOAH write cifar100 and oxford_pet. A key of the
    file itself is stronger."""
    for a, b in (("cifar", "cifar100"), ("oxford_pet", "oxford_iiit_pet")):
        for name in ("sct_vtab/", "sct_vtab_large/", "lora_vtab/"):
            one, other = shown(name + a), shown(name + b)
            equal((one["settings"], one["expect"]), (other["settings"], other["expect"]))
    head = "recipe: {about: a, source: b, weights: c, expect: d}\ntasks:\n"
    write("both.yaml", head + "  cifar: {lr: 1}\n  cifar100: {lr: 2}\n")
    equal([settings("both.yaml:" + t)["lr"] for t in ("cifar", "cifar100")], ["1", "2"])
    write("one.yaml", head + "  cifar: {lr: 3}\nquirks:\n  odd: {about: odd, tasks: [cifar], off: {lr: 4}}\n")
    equal([settings("one.yaml:cifar100", *q)["lr"] for q in ([], ["--quirks", "none"])], ["3", "4"])
    write("none.yaml", head + "  svhn: {lr: 1}\n")
    fails(USAGE, ["no task cifar"], "recipe", "show", "none.yaml:cifar")


@option("quirks")
def quirks_are_switched():
    kept, off = settings("sct_vtab/clevr_dist"), settings("sct_vtab/clevr_dist", "--quirks", "none")
    equal((kept["preprocess"], off["preprocess"]), ("vtab-imagenet-aug", "vtab-imagenet"))
    equal((kept["lr_schedule"], off["lr_schedule"]), ("timm", "cosine"))
    equal((kept["eval_interval"], off["eval_interval"]), ("10", "0"))
    check("mean" not in kept, kept)
    equal(off["mean"], "0.5,0.5,0.5")
    for name in ("sct_vtab", "sct_vtab_large", "sct_vtab_huge", "sct_swin_base"):
        equal([settings(name + "/svhn", *q)["head_init"] for q in ([], ["--quirks", "none"])],
              ["torch_linear", "normal(0, 0.02)"])
    one = settings("sct_vtab/clevr_dist", "--quirks", "drop_last")
    equal((one["drop_last"], one["lr_schedule"]), ("on", "cosine"))
    # a quirk of other tasks changes nothing
    equal(settings("sct_vtab/svhn", "--quirks", "none")["preprocess"], "vtab-imagenet-aug")
    equal(settings("sct_vtab/sun397", "--quirks", "none")["preprocess"], "vtab-imagenet-aug")
    equal(settings("sct_vtab/smallnorb_ele")["num_classes"], "18")
    equal(settings("sct_vtab/smallnorb_ele", "--quirks", "none")["num_classes"], "9")
    fails(USAGE, ["no \"best\" in this recipe"], "recipe", "show", "sct_vtab/dtd", "--quirks", "best")


def runnable(name):
    """The first task of a recipe with its model, the others with a small one; without quirks, too."""
    tasks = [name + "/" + t for t in shown(name)["tasks"]] or [name]
    swin = "swin" in name  # its sites are those of a Swin
    for i, task in enumerate(tasks):
        small = [] if i == 0 or swin else ["--model", model(), "--set", "k=1/8"][:None if "sct" in name
                                                                                 else 2]
        if small and name.startswith("spt"):
            small += ["--set", "budget=0.01"]  # what the small model can have
        for quirks in ("all", "none") if i == 0 or name == "sct_vtab" else ("none",):
            r = sctrun("train", "--recipe", task, "--quirks", quirks, "--weights", "random", "--data",
                       "task:sprites_count", "--threads", 2, "--dry-run", "--json", *small).json
            check(r["trainable"] > 0 and r["memory"]["total"] > 0, r)
            equal(r["strategy"], settings(name)["strategy"])


for _name in RECIPES:
    def _case(name=_name):
        runnable(name)
    _case.__name__ = "runnable_" + _name
    test(_case)


RECIPE = """recipe: {about: a tiny run, source: here, weights: none, expect: nothing}
model: %s
strategy: lora
lr: 3e-3
epochs: 1
batch_size: 4
drop_last: on
options: {r: 2, targets: "q,v"}
tasks:
  one: {expect: 50, lr: 7e-3, options: {r: 3}}
  two: {smoothing: 0.2}
quirks:
  odd: {about: odd, tasks: [two], off: {lr: 9e-3, options: {r: 5}}}
"""


def tiny():
    write("r.yaml", RECIPE % os.path.abspath(model("m.yaml")))
    write("task.yaml", "label: shape\nimage_size: 32\ntrain: 8\nval: 0\ntest: 8\n")


@option("recipe")
def a_run_has_its_settings():
    tiny()
    run = ["train", "--weights", "random", "--data", "task:./task.yaml", "--train-list", "train"]

    def args(folder):
        return {k.strip(): v.strip() for k, _, v in
                (line.partition(":") for line in read(folder + "/args.yaml").decode().splitlines())}

    sctrun(*run, "--recipe", "r.yaml:one", "--output", "one")
    equal((args("one")["lr"], args("one")["r"], args("one")["batch_size"]), ("0.007", "3", "4"))
    sctrun(*run, "--recipe", "r.yaml:two", "--output", "two")
    equal((args("two")["lr"], args("two")["r"], args("two")["smoothing"]), ("0.003", "2", "0.2"))
    sctrun(*run, "--recipe", "r.yaml:two", "--quirks", "none", "--output", "off")
    equal((args("off")["lr"], args("off")["r"]), ("0.009", "5"))
    # flags and -c are stronger; what was in force can be read again
    sctrun(*run, "--recipe", "r.yaml:one", "--lr", "1e-2", "--set", "r=4", "--output", "flag")
    equal((args("flag")["lr"], args("flag")["r"]), ("0.01", "4"))
    write("c.yaml", "lr: 2e-2\n")
    sctrun(*run, "--recipe", "r.yaml:one", "-c", "c.yaml", "--output", "file")
    equal((args("file")["lr"], args("file")["r"]), ("0.02", "3"))
    sctrun("train", "-c", "flag/args.yaml", "--output", "again")
    equal(read("again/last/adapter_model.safetensors"), read("flag/last/adapter_model.safetensors"))
    # what `show` prints is a configuration
    write("s.yaml", sctrun("recipe", "show", "r.yaml:one").out)
    sctrun(*run, "-c", "s.yaml", "--output", "shown")
    equal(read("shown/last/adapter_model.safetensors"), read("one/last/adapter_model.safetensors"))


@test
def bad_recipes():
    tiny()
    fails(USAGE, ["no recipe sct_vtap", "recipe list"], "recipe", "show", "sct_vtap")
    fails(USAGE, ["no task cifar101", "nearest is cifar100"], "recipe", "show", "sct_vtab/cifar101")
    fails(USAGE, ["19 tasks", "NAME/TASK"], "train", "--recipe", "sct_vtab", "--weights", "random",
          "--data", "task:sprites_color", "--dry-run")
    fails(USAGE, ["has no tasks"], "recipe", "show", "lora_few_shot/cub")
    fails(USAGE, ["recipe list"], "recipe")
    fails(USAGE, ["recipe list"], "recipe", "show")
    for text, message in (
            ("lr: 1\n", "no mapping \"recipe\""),
            ("recipe: {about: a}\n", "source"),
            (RECIPE.replace("off:", "of:") % "m.yaml", "of"),
            (RECIPE.replace("[two]", "[three]") % "m.yaml", "a task that is not there"),
            (RECIPE.replace("two: {smoothing: 0.2}", "two: 3") % "m.yaml", "mapping")):
        write("bad.yaml", text)
        fails(USAGE, ["bad.yaml:", message], "recipe", "show", "bad.yaml:two" if "tasks" in text
              else "bad.yaml")
    write("bad.yaml", RECIPE.replace("smoothing", "smoothness") % "m.yaml")
    fails(USAGE, ["smoothness", "smoothing"], "train", "--recipe", "bad.yaml:two", "--weights",
          "random", "--data", "task:./task.yaml", "--dry-run")

main()
