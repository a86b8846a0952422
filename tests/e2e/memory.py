# SPDX-License-Identifier: MIT
"""memory.py - what --dry-run says a run will take is what it takes, within 10 %: of the backend's
own count on every backend, of the process's measured peak on cpu.
usage: memory.py            the smallest preset, all strategies
       memory.py --presets  every preset (gigabytes, minutes)"""
from e2e import *

# meson's, for finding uses of memory that was never written: it touches all there is
os.environ.pop("MALLOC_PERTURB_", None)
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PRESETS = sorted(f[:-len(".yaml")] for f in os.listdir(os.path.join(ROOT, "configs", "models")))
WITHIN = 0.10
HOME = os.getcwd()
# Shadow, red zones and freed blocks that are kept are the sanitizer's: the process takes half as
# much again as the plan, while the backend's own count stays true.
SANITIZED = b"__asan_init" in read(SCTRUN)


def available():
    """Bytes of memory that could be had now."""
    for line in open("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def near(estimate, measured, what):
    check(abs(estimate - measured) <= WITHIN * measured, what, "estimated", estimate, "measured",
          measured, "ratio %.3f" % (estimate / measured))


def compare(backend, model_name, batch, strategy, timeout=170, weights="random"):
    # pictures enough that every buffer of the loader is used
    write("task.yaml", "label: shape\nimage_size: 64\ntrain: %d\nval: 0\ntest: %d\n" %
          (batch, 3 * batch))
    args = ["train", "--backend", backend, "--strategy", strategy, "--model", model_name,
            "--weights", weights, "--data", "task:./task.yaml", "--train-list", "train",
            "--batch-size", batch, "--epochs", 1, "--threads", 2, "--json",
            *(["--set", "k=1/8"] if strategy == "sct" else [])]  # the smallest has 64 channels
    plan = sctrun(*args, "--dry-run").json["memory"]
    if plan["process"] * 1.2 > available():
        raise Skipped("needs %d MB of memory" % (plan["process"] >> 20))
    run = sctrun(*args, "--output", "run", timeout=timeout).json
    what = "%s %s %s" % (backend, model_name, strategy)
    near(plan["device"], run["peak_device_bytes"], what + ", device:")
    equal(plan["total"], run["memory"]["total"], what + ", training plan:")
    if backend == "cpu" and not SANITIZED:
        near(plan["process"], run["peak_bytes"], what + ", process:")


def add(name, fn):
    fn.__name__ = name
    test(fn)


if "--presets" in sys.argv[1:]:
    sys.argv.remove("--presets")
    for _model in PRESETS:
        # one picture of the largest is enough: what grows with the batch is tested by the others
        _batch = 1 if "large" in _model or "huge" in _model else 4
        add("preset_" + _model, lambda m=_model, b=_batch: compare("cpu", m, b, "sct", 3000))
else:
    for _strategy in ("linear", "lora", "sct", "full"):
        add("cpu_" + _strategy, lambda s=_strategy: compare("cpu", "vit_tiny_patch16_224", 16, s))

    @test
    def weights_of_a_file():
        """Their pages are dropped once they are packed: they would be 15 % of the process."""
        assets = os.environ.get("SCTRUN_ASSETS", "")
        if not assets:
            raise Skipped("SCTRUN_ASSETS is not set")
        name = "vit_tiny_patch16_224_augreg_in21k_ft_in1k.safetensors"
        compare("cpu", "vit_tiny_patch16_224", 16, "lora",
                weights=os.path.join(HOME, assets, "weights", name))

    @test
    def opencl_():
        devices = sctrun("devices", "--json", code=None)
        if devices.code != OK or '"opencl"' not in devices.out:
            raise Skipped("no OpenCL device")
        compare("opencl", "vit_tiny_patch16_224", 8, "sct")

    @test
    def cpu_spt():
        """Scoring takes more than training with single pictures: weights, gradients, sums."""
        write("task.yaml", "label: shape\nimage_size: 64\ntrain: 16\nval: 0\ntest: 4\n")
        args = ["train", "--strategy", "spt", "--model", "vit_tiny_patch16_224", "--weights", "random",
                "--data", "task:./task.yaml", "--train-list", "train", "--batch-size", 1, "--max-steps",
                1, "--threads", 2, "--json", "--set", "batch=16", "--set", "budget=0.05", "--set",
                "step=0.001", "--checkpoint", "block"]
        plan = sctrun(*args, "--dry-run").json["memory"]
        run = sctrun(*args, "--output", "run", timeout=170).json
        check(plan["calibration"] > plan["total"] + plan["evaluation"], plan)
        near(plan["calibration"], run["peak_device_bytes"], "calibration of spt:")

    @test
    def dry_run_runs_nothing():
        r = sctrun("train", "--strategy", "sct", "--model", "vit_huge_patch14_224", "--weights",
                   "random", "--data", "task:sprites_color", "--dry-run", "--json", timeout=20)
        check(r.json["memory"]["calibration"] > 0, "calibration has no memory")
        check("calibrating" not in r.err, r.err)

main()
