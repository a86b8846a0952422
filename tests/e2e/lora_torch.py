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
    if not PYTHON:
        raise Skipped("SCTRUN_TORCH_PYTHON is not set")
    if subprocess.run([PYTHON, "-c", "import peft, timm, transformers"], capture_output=True).returncode:
        raise Skipped(PYTHON + " has no peft, timm and transformers")
    model(eps="1e-12")
    base()
    vtab()
    sctrun("export", "--model", "tiny.yaml", "--weights", "base.safetensors", "--format", "hf4",
           "--output", "hf4")
    sctrun("export", "--model", "tiny.yaml", "--weights", "base.safetensors", "--format", "timm",
           "--output", "timm") if False else None
    png("p.png", SIDE, SIDE, picture(3, 2))
    sctrun("dump", "--site", "input", "--image", "p.png", "--output", "dump", "--model", "tiny.yaml",
           "--weights", "base.safetensors")
    shutil.copy("dump/input.npy", "input.npy")


main()
