# SPDX-License-Identifier: MIT
"""variants.py - small models of every variant of timm's VisionTransformer: logits, and losses of
steps in which everything is trained, equal those of tests/golden/vit_variants (float64)."""
from e2e import *

FOLDER = os.path.join(GOLDEN, "vit_variants")
NAMES = sorted(f[:-len(".safetensors")] for f in os.listdir(FOLDER))
CLASSES, LR, MOMENTUM = 3, 0.05, 0.9

# Parameters of the backbone without its heads, counted in timm 1.0.22.
PRESETS = {
    "deit_tiny_patch16_224": 5524416,
    "deit_small_patch16_224": 21665664,
    "deit_base_patch16_224": 85798656,
    "deit_base_patch16_384": 86090496,
    "deit_tiny_distilled_patch16_224": 5524800,
    "deit_small_distilled_patch16_224": 21666432,
    "deit_base_distilled_patch16_224": 85800192,
    "deit3_small_patch16_224": 21674496,
    "deit3_base_patch16_224": 85816320,
    "deit3_large_patch16_224": 303349760,
    "vit_small_patch14_dinov2": 22056192,
    "vit_base_patch14_dinov2": 86579712,
    "vit_large_patch14_dinov2": 304367616,
    "vit_small_patch14_reg4_dinov2": 22057344,
    "vit_base_patch14_reg4_dinov2": 86582016,
    "vit_large_patch14_reg4_dinov2": 304370688,
    "vit_base_patch16_clip_224": 85799424,
    "vit_base_patch32_clip_224": 87456000,
    "vit_large_patch14_clip_224": 303179776,
    "vit_base_patch16_clip_quickgelu_224": 85799424,
    "vit_base_patch32_clip_quickgelu_224": 87456000,
    "vit_large_patch14_clip_quickgelu_224": 303179776,
    "vit_small_patch8_224": 21670272,
}


def golden(name):
    """(config text, weights as read, images, logits, losses) of a file."""
    raw = read(os.path.join(FOLDER, name + ".safetensors"))
    n = struct.unpack_from("<Q", raw)[0]
    header = json.loads(raw[8:8 + n])
    config, tensors = header.pop("__metadata__")["config"], {}
    for key, t in header.items():
        a, b = t["data_offsets"]
        tensors[key] = (t["dtype"], t["shape"], raw[8 + n + a:8 + n + b])
    images = tensors.pop("golden.images")
    doubles = [struct.unpack("<%dd" % (len(t[2]) // 8), t[2])
               for t in (tensors.pop("golden.logits"), tensors.pop("golden.losses"))]
    return config, tensors, images, doubles[0], doubles[1]


def setup(name):
    """The model, its weights and a data folder of its pictures; logits and losses."""
    config, tensors, images, logits, losses = golden(name)
    write("m.yaml", config)
    save_tensors("w.safetensors", tensors)
    count_, size = images[1][0], images[1][1] * images[1][2] * 3
    lines = ""
    for i in range(count_):
        png("data/%d.png" % i, rgb=images[2][i * size:(i + 1) * size])
        lines += "%d.png %d\n" % (i, i % CLASSES)
    write("data/train800val200.txt", lines)
    write("data/test.txt", lines)
    return logits, losses


def logits_of(name, backend):
    logits, _ = setup(name)
    rows = sctrun("predict", "--backend", backend, "--model", "m.yaml", "--weights",
                  "w.safetensors", "--image", "data", "--json", "--num-classes", 7).jsonl
    rows = [r for r in rows if r["file"].endswith(".png")]
    n = len(logits) // len(rows)
    for i, r in enumerate(sorted(rows, key=lambda r: r["file"])):
        want = logits[i * n:(i + 1) * n]
        worst = max(abs(a - b) for a, b in zip(r["logits"], want))
        # f32 sums of some hundred terms against f64; logits are of unit scale
        check(worst < 2e-5, name, backend, "picture", i, "off by", worst)


def losses_of(name, backend):
    _, losses = setup(name)
    sctrun("train", "--backend", backend, "--model", "m.yaml", "--weights", "w.safetensors",
           "--data", "data", "--strategy", "full", "--optimizer", "sgd", "--momentum", MOMENTUM,
           "--lr", LR, "--weight-decay", 0, "--lr-schedule", "constant", "--warmup-epochs", 0,
           "--head-init", "zeros", "--num-classes", CLASSES, "--shuffle", "off", "--batch-size", 6,
           "--epochs", len(losses), "--eval-interval", 0, "--output", "o")
    for want, step in zip(losses, log("o")[0]):
        close(step["loss"], want, rel=1e-5, what="%s, %s, step %d" % (name, backend, step["step"]))


for _name in NAMES:
    for _backend in ("ref", "cpu", "opencl"):
        for _fn in (logits_of, losses_of):
            def case(name=_name, backend=_backend, fn=_fn):
                if backend == "opencl" and not opencl():
                    raise Skipped("no OpenCL device")
                fn(name, backend)
            case.__name__ = "%s_%s_%s" % (_name, _backend, _fn.__name__)
            test(case)


def resized(config, weights, how):
    """pos_embed of an exported model, three times as large as its weights."""
    write("wide.yaml", config.replace("image_size: 32", "image_size: 96"))
    save_tensors("given.safetensors", weights)
    shutil.rmtree("out", ignore_errors=True)
    sctrun("export", "--model", "wide.yaml", "--weights", "given.safetensors", "--interp", how,
           "--format", "timm", "--output", "out")
    return load_tensors("out/model.safetensors")["pos_embed"][1:]


@test
def positions_of_every_prefix():
    """Tokens in front of the patches keep their positions; those of the patches become the same as in
    a model with a class token alone, which tests/golden/test_interp.c compares with the libraries."""
    plain, weights = golden("clip")[:2]
    cases = {"distilled": 2, "registers_embedded": 3, "registers": 0}
    equal({n: golden(n)[1]["pos_embed"][1][1] - 16 for n in cases}, cases)
    dim = weights["pos_embed"][1][2]
    for name, prefix in cases.items():
        config, own = golden(name)[:2]
        kind, _, given = own["pos_embed"]
        kept, grid = given[:4 * dim * prefix], given[4 * dim * prefix:]
        for how in ("timm", "timm-0.6", "hf", "ms"):
            shape, found = resized(config, own, how)
            equal(shape, [1, prefix + 144, dim], name)
            equal(floats(found[:dim * prefix]), kept, name + ": positions in front")
            class_alone = dict(weights, pos_embed=(kind, [1, 17, dim], bytes(4 * dim) + grid))
            equal(found[dim * prefix:], resized(plain, class_alone, how)[1][dim:], name + " " + how)


@test
def parameters_of_presets():
    for name, backbone in PRESETS.items():
        r = sctrun("train", "--model", name, "--weights", "random", "--data", "task:sprites_color",
                   "--strategy", "linear", "--dry-run", "--json").json
        equal(r["all"] - r["head"], backbone, name)


main()
