# SPDX-License-Identifier: MIT
"""lora_torch.py - folders of lora and Hugging Face peft: what is written here peft loads around timm
and around transformers, what peft saves is read here, and both compute the same logits. A Python with
peft is named by SCTRUN_TORCH_PYTHON; transformers 4 or 5 decides which names it takes from a folder."""
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


def python(*args):
    p = subprocess.run([PYTHON, "-W", "ignore", "-c", CODE, *args], capture_output=True, timeout=400)
    check(p.returncode == 0, p.stderr.decode()[-3000:])
    return json.loads(p.stdout.decode().strip().splitlines()[-1])


def setup():
    """Bases for sctrun, timm and transformers; their eps differ and are not what is tested: all
    have 1e-6 (timm's), which is written into the JSON of transformers."""
    if not PYTHON:
        raise Skipped("SCTRUN_TORCH_PYTHON is not set")
    if subprocess.run([PYTHON, "-c", "import peft, timm, transformers"], capture_output=True).returncode:
        raise Skipped(PYTHON + " has no peft, timm and transformers")
    model()
    base(classes=3)
    vtab()
    for form in ("timm", "hf4"):
        sctrun("export", *BASE, "--format", form, "--output", form)
    c = json.loads(read("hf4/config.json"))
    equal(c["layer_norm_eps"], 1e-6)
    png("p.png", SIDE, SIDE, picture(3, 2))
    sctrun("dump", "--site", "input", "--image", "p.png", "--output", "dump", *BASE)
    shutil.move("dump/input.npy", "input.npy")


BASE = ["--model", "tiny.yaml", "--weights", "base.safetensors"]


def compare(theirs, ours, what):
    for p, q in zip(theirs, ours):
        close(p, q, 1e-4, 1e-5, what)


def ours(folder):
    return sctrun("predict", "--adapter", folder, "--weights", "base.safetensors", "--image", "p.png",
                  "--json").jsonl[0]["logits"]


@test
def peft_loads_ours():
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
    for theirs, (what, mine) in zip(python("load", "timm", "hf4", *asked), want):
        compare(theirs, mine, what)


@test
def ours_are_pefts():
    """What peft saves is converted, and computes the same; LoRA written again is peft's, bit for bit."""
    setup()
    new = json.loads(subprocess.run([PYTHON, "-c", "import transformers; "
                                     "print(int(transformers.__version__[0] > '4'))"],
                                    capture_output=True).stdout)
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
    saved = python("save", "timm", "hf4", *asked)
    for i, (library, config) in enumerate(cases):
        sctrun("convert", "p%d" % i, "--to", "sctrun", "--output", "o%d" % i, *BASE)
        compare(saved[i], ours("o%d" % i), config)
        if library == "timm" and "LoraConfig" in config:
            a, b = (load_tensors(f + "%d/adapter_model.safetensors" % i) for f in "po")
            for n in a:
                equal(b[n], a[n], n)


main()
