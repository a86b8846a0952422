# SPDX-License-Identifier: MIT
"""lora_torch.py - folders of lora and Hugging Face peft: what is written here peft loads around timm
and around transformers, what peft saves is read here, and both compute the same logits. A Python with
peft is named by SCTRUN_TORCH_PYTHON; transformers 4 or 5 decides which names it takes from a folder, and
SCTRUN_TRANSFORMERS5 names a folder with version 5 where that Python has 4."""
from e2e import *

PYTHON = os.environ.get("SCTRUN_TORCH_PYTHON", "")

# argv: what, base folder of timm, base folder of transformers, then triples of library, folder, and
# for what = save the JSON of a LoraConfig or IA3Config.
CODE = """
import json, sys, warnings
warnings.simplefilter("ignore")
import numpy as np, peft, timm, torch
from safetensors.torch import load_file
from transformers import AutoModelForImageClassification

what, timm_base, hf_base = sys.argv[1:4]
x = torch.from_numpy(np.load("input.npy"))
def plain(library):
    if library == "timm":
        return timm.create_model("local-dir:" + timm_base, pretrained=True)
    return AutoModelForImageClassification.from_pretrained(hf_base)
def logits(net):
    with torch.no_grad():
        y = net.eval()(x)
    return [float(v) for v in (y if torch.is_tensor(y) else y.logits)[0]]
out = []
for library, folder, config in zip(*[iter(sys.argv[4:])] * 3):
    torch.manual_seed(len(out))
    if what == "save":
        c = json.loads(config)
        kind = getattr(peft, c.pop("kind"))
        net = peft.get_peft_model(plain(library), kind(**c))
        with torch.no_grad():
            for n, p in net.named_parameters():
                if p.requires_grad and "lora_magnitude" not in n:
                    p.add_(0.3 * torch.randn_like(p))
                elif p.requires_grad:
                    p.mul_(1 + 0.2 * torch.randn_like(p))
        net.save_pretrained(folder)
    else:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            net = peft.PeftModel.from_pretrained(plain(library), folder)
        assert not [w for w in said if "missing" in str(w.message)], folder
        # every tensor of the folder is in the model, but those of the other version's names
        have = set(peft.get_peft_model_state_dict(net))
        left = set(load_file(folder + "/adapter_model.safetensors")) - have
        assert not have - set(load_file(folder + "/adapter_model.safetensors")), folder
        assert library == "hf" or not left, left
    out.append(logits(net))
print(json.dumps(out))
"""


def python(*args, env=None):
    p = subprocess.run([PYTHON, "-W", "ignore", "-c", CODE, *args], capture_output=True,
                       timeout=400 * PATIENCE, env=env)
    check(p.returncode == 0, p.stderr.decode()[-3000:])
    return json.loads(p.stdout.decode().strip().splitlines()[-1])


def needs():
    if not PYTHON:
        raise Skipped("SCTRUN_TORCH_PYTHON is not set")
    if subprocess.run([PYTHON, "-c", "import peft, timm, transformers"], capture_output=True).returncode:
        raise Skipped(PYTHON + " has no peft, timm and transformers")


def is_new():
    """Whether the Python itself has version 5."""
    return subprocess.run([PYTHON, "-c", "import importlib.metadata as m; "
                           "raise SystemExit(m.version('transformers')[0] < '5')"]).returncode == 0


def setup():
    """Bases for sctrun, timm and transformers; their eps differ and are not what is tested: all
    have 1e-6 (timm's), which is written into the JSON of transformers."""
    model()
    base(classes=3)
    vtab()
    for form in ("timm", "hf4"):
        sctrun("export", *BASE, "--format", form, "--output", form)
    c = json.loads(read("hf4/config.json"))
    equal(c["layer_norm_eps"], 1e-6)
    picture_of(SIDE, BASE)


def picture_of(side, args):
    """p.png, and what a model makes of it for its first layer."""
    png("p.png", side, side, picture(3, 2, side, side))
    sctrun("dump", "--site", "input", "--image", "p.png", "--output", "dump", *args)
    shutil.move("dump/input.npy", "input.npy")


BASE = ["--model", "tiny.yaml", "--weights", "base.safetensors"]


def compare(theirs, ours, what):
    for p, q in zip(theirs, ours):
        close(p, q, 1e-4, 1e-5, what)


def ours(folder, weights="base.safetensors"):
    return sctrun("predict", "--adapter", folder, "--weights", weights, "--image", "p.png",
                  "--json").jsonl[0]["logits"]


def loads_ours(env=None):
    """Folders in both names, with everything lora can do."""
    setup()
    cases = {"plain": ["targets=q,v"], "shared": ["targets=qkv,proj", "init=gaussian"],
             "all": ["targets=q,k,v,proj,fc1,fc2", "rank_pattern=blocks[1].mlp.*=3",
                     "alpha_pattern=proj=2,blocks[0].mlp.fc2=5", "rslora=on"],
             "fc2": ["targets=fc2", "rank_pattern=blocks[1].mlp.fc2=5"],
             "dora": ["targets=q,v,fc2", "dora=on", "dropout=0.1", "rank_pattern=fc2=4"],
             "dora_shared": ["targets=qkv,fc1", "dora=on", "rslora=on"]}
    asked, want = [], []
    for name, options in cases.items():
        train(name, "--epochs", 3, "--lr", "0.05", "--eval-interval", 0,
              *[x for o in options + ["r=2"] for x in ("--set", o)], strategy="lora")
        sctrun("convert", name + "/last", "--to", "peft-hf", "--output", name + "-hf", *BASE[2:])
        asked += ["timm", name + "/last", "", "hf", name + "-hf", ""]
        want += [(name + form, ours(name + "/last")) for form in (" timm", " hf")]
    for theirs, (what, mine) in zip(python("load", "timm", "hf4", *asked, env=env), want):
        compare(theirs, mine, what)


def are_pefts(new, env=None):
    """What peft saves is converted, and computes the same; LoRA written again is peft's, bit for bit."""
    setup()
    q, v = ("q_proj", "v_proj") if new else ("query", "value")
    fc1 = "mlp.fc1" if new else "intermediate.dense"
    lora = lambda **c: json.dumps({"kind": "LoraConfig", **c})
    ia3 = lambda **c: json.dumps({"kind": "IA3Config", **c})
    cases = [
        ("timm", lora(r=4, target_modules=["qkv"], modules_to_save=["head"])),
        ("timm", lora(r=4, lora_alpha=6, target_modules=".*(qkv|fc1)", use_dora=True,
                      modules_to_save=["head"])),
        ("timm", lora(r=2, target_modules=["attn.proj", "fc1", "fc2"], use_rslora=True,
                      rank_pattern={"fc1": 3, "blocks\\.[1-9]\\.mlp\\.fc2": 5},
                      alpha_pattern={"blocks.0.attn.proj": 1})),
        ("hf", lora(r=3, lora_alpha=9, target_modules=[q, v], modules_to_save=["classifier"])),
        ("hf", lora(r=3, target_modules=[q], use_dora=True, lora_dropout=0.1,
                    init_lora_weights="gaussian", modules_to_save=["classifier"])),
        ("timm", ia3(target_modules=["qkv", "fc1"], feedforward_modules=[], modules_to_save=["head"])),
        ("hf", ia3(target_modules=[q, v, fc1], feedforward_modules=[])),
    ]
    asked = []
    for i, (library, config) in enumerate(cases):
        asked += [library, "p%d" % i, config]
    saved = python("save", "timm", "hf4", *asked, env=env)
    for i, (library, config) in enumerate(cases):
        sctrun("convert", "p%d" % i, "--to", "sctrun", "--output", "o%d" % i, *BASE)
        compare(saved[i], ours("o%d" % i), config)
        if library == "timm" and "LoraConfig" in config:
            a, b = (load_tensors(f + "%d/adapter_model.safetensors" % i) for f in "po")
            for n in a:
                equal(b[n], a[n], n)


def swin_both_ways(new, env=None):
    """LoRA of a Swin in the names of transformers: what is written here peft loads, and the reverse."""
    args = ["--model", "swin.yaml", "--weights", "swin.safetensors"]
    swin(window=2)  # transformers wants one that divides the maps of all stages: 16, 8, 4 and 2
    save_tensors("swin.safetensors", {
        n: (kind, [9, shape[1]], floats(values[:9 * shape[1]])) if n.endswith("bias_table") else
        (kind, shape, floats(values)) for n, (kind, shape, values) in
        load_tensors("swin.safetensors").items()})
    vtab(classes=SWIN_CLASSES)
    sctrun("export", *args, "--format", "hf4", "--output", "hf4")
    picture_of(SWIN_VARIANTS["base"][0], args)
    train("run", "--epochs", 3, "--lr", "0.05", "--eval-interval", 0, "--set", "r=2", "--set",
          "targets=q,v,proj,fc2", "--set", "rank_pattern=layers[1].blocks[*].mlp.fc2=3",
          "--model", "swin.yaml", strategy="lora", weights="swin.safetensors")
    sctrun("convert", "run/last", "--to", "peft-hf", "--output", "out", "--weights", "swin.safetensors")
    loaded = python("load", "", "hf4", "hf", "out", "", env=env)
    compare(loaded[0], ours("run/last", "swin.safetensors"), "loaded by peft")
    q, v = ("q_proj", "v_proj") if new else ("query", "value")
    fc2 = "mlp.fc2" if new else ".*blocks.*[0-9].output.dense"
    config = {"kind": "LoraConfig", "r": 3, "lora_alpha": 9, "modules_to_save": ["classifier"],
              "target_modules": "(.*(%s|%s)|.*%s)" % (q, v, fc2)}
    saved = python("save", "", "hf4", "hf", "theirs", json.dumps(config), env=env)
    sctrun("convert", "theirs", "--to", "sctrun", "--output", "own", *args)
    compare(saved[0], ours("own", "swin.safetensors"), "saved by peft")


@test
def peft_loads_ours():
    needs()
    loads_ours()


@test
def peft_loads_ours_with_transformers_5():
    needs()
    loads_ours(transformers5(PYTHON))


@test
def ours_are_pefts():
    needs()
    are_pefts(is_new())


@test
def ours_are_pefts_with_transformers_5():
    needs()
    are_pefts(True, transformers5(PYTHON))


@test
def swin_in_transformers():
    needs()
    swin_both_ways(is_new())


@test
def swin_in_transformers_5():
    needs()
    swin_both_ways(True, transformers5(PYTHON))


main()
