# SPDX-License-Identifier: MIT
"""e2e.py - what the end-to-end scripts share: running the program, small inputs, file readers.

Only the standard library. A script defines functions decorated with @test and ends with main():
every test gets an empty folder of its own, and a failing one does not stop the others.
"""
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import traceback
import zlib

SCTRUN = os.path.abspath(os.environ.get("SCTRUN", "sctrun"))
OK, FAIL, USAGE, FILE, DEVICE, NOMEM, NONFINITE, DATA, PLUGIN = range(9)
# How much longer than usual everything may take: a busy machine, a build with sanitizers.
PATIENCE = int(os.environ.get("SCTRUN_TEST_PATIENCE", 1))
SIDE = 32  # of the tiny model's pictures
TINY = {"arch": "vit", "image_size": SIDE, "patch_size": 8, "dim": 48, "depth": 2, "heads": 3}

tests = []
covered = set()  # options that have a test


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def test(fn):
    tests.append(fn)
    return fn


def option(*names):
    """Marks which options a test is about."""
    covered.update(names)
    return test


def check(condition, *why):
    if not condition:
        raise Failed(" ".join(str(w) for w in why) or "a check failed")


def equal(found, expected, what=""):
    check(found == expected, what, "expected", repr(expected)[:800], "found", repr(found)[:800])


def close(found, expected, rel=1e-6, absolute=0.0, what=""):
    check(abs(found - expected) <= absolute + rel * abs(expected), what, "expected", expected,
          "found", found)


def contains(text, *parts):
    for part in parts:
        check(part in text, "expected", repr(part), "in", repr(text)[:1500])


class Result:
    def __init__(self, code, out, err, argv):
        self.code, self.out, self.err, self.argv = code, out, err, argv

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def jsonl(self):
        """Every object of a stream of objects."""
        decoder, at, all_ = json.JSONDecoder(), 0, []
        text = self.out.strip()
        while at < len(text):
            value, at = decoder.raw_decode(text, at)
            all_.append(value)
            while at < len(text) and text[at].isspace():
                at += 1
        return all_


def environment(**extra):
    """The caller's environment without the program's own variables."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("SCTRUN_")}
    env.update({"SCTRUN_CACHE_DIR": "off", "LC_ALL": "C"})
    env.update(extra)
    return env


def sctrun(*args, code=OK, env=None, timeout=100, **popen):
    """Runs the program; the exit code must be `code` (None: any), the seconds it may take `timeout`
    times PATIENCE."""
    argv = [SCTRUN] + [str(a) for a in args]
    p = subprocess.run(argv, env=environment(**(env or {})), capture_output=True,
                       timeout=timeout * PATIENCE, **popen)
    r = Result(p.returncode, p.stdout.decode("utf-8", "replace"),
               p.stderr.decode("utf-8", "replace"), argv)
    if code is not None and r.code != code:
        raise Failed("expected exit code %s, found %s: %s\nstdout: %s\nstderr: %s" %
                     (code, r.code, " ".join(argv), r.out[-1500:], r.err[-1500:]))
    return r


def fails(code, *parts_and_args, **kw):
    """fails(CODE, [texts of the message], args...): also that the message is one, of the program,
    and not the bare text of the status."""
    parts, args = parts_and_args[0], parts_and_args[1:]
    r = sctrun(*args, code=code, **kw)
    check(r.err.strip(), "a failure without a message:", r.argv)
    contains(r.err, "sctrun: ", *parts)
    return r


# ---- inputs ----

def write(path, text, binary=False):
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "wb") as f:
        f.write(text if binary else text.encode())
    return path


def read(path):
    with open(path, "rb") as f:
        return f.read()


def yaml_text(keys):
    def scalar(v):
        return {True: "true", False: "false"}.get(v, v) if isinstance(v, bool) else v
    return "".join("%s: %s\n" % (k, scalar(v)) for k, v in keys.items())


def model(path="tiny.yaml", **keys):
    """A file with the tiny architecture; keys replace or add."""
    return write(path, yaml_text({**TINY, **keys}))


def png_chunk(tag, body):
    return struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body))


def png_bytes(w, h, rgb, header=None):
    """An 8-bit RGB picture from a function (x, y) -> (r, g, b) or from bytes."""
    if callable(rgb):
        rgb = bytes(c for y in range(h) for x in range(w) for c in rgb(x, y))
    rows = b"".join(b"\0" + rgb[y * w * 3:(y + 1) * w * 3] for y in range(h))
    head = header or struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) +
            png_chunk(b"IDAT", zlib.compress(rows, 1)) + png_chunk(b"IEND", b""))


def png(path, w=SIDE, h=SIDE, rgb=lambda x, y: (x * 7 % 256, y * 7 % 256, (x * y) % 256)):
    return write(path, png_bytes(w, h, rgb), binary=True)


def picture(seed, label, w=SIDE, h=SIDE):
    """Noise around a colour that the label decides: a task that a linear head can learn."""
    r = random.Random(seed * 1000 + label)
    mean = [(60, 60, 60), (200, 60, 60), (60, 200, 60), (60, 60, 200)][label % 4]
    return bytes(max(0, min(255, m + r.randint(-50, 50))) for _ in range(w * h) for m in mean)


def vtab(path="data", n_train=24, n_test=12, classes=3, names=True):
    """A folder in VTAB-1k's form; item i has label i % classes."""
    for split, n in (("train800val200", n_train), ("test", n_test)):
        lines = []
        for i in range(n):
            name = "images/%s/%06d.png" % (split, i)
            png("%s/%s" % (path, name), rgb=picture(i + (1000 if split == "test" else 0),
                                                    i % classes))
            lines.append("%s %d\n" % (name, i % classes))
        write("%s/%s.txt" % (path, split), "".join(lines))
    if names:
        write(path + "/classes.txt", "".join("c%d\n" % c for c in range(classes)))
    return path


def folders(path="folders", names=("a", "b"), per_class=4, test="test"):
    """A folder with train/ and test/, a folder per class in each."""
    for split in ("train", test):
        for label, name in enumerate(names):
            for i in range(per_class):
                png("%s/%s/%s/%d.png" % (path, split, name, i), rgb=picture(i, label))
    return path


# ---- weights ----

def floats(values):
    return struct.pack("<%df" % len(values), *values)


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def save_tensors(path, tensors, metadata=None):
    """tensors: name -> (dtype, shape, bytes)."""
    header, at = {"__metadata__": metadata or {"format": "pt"}}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape),
                        "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return write(path, struct.pack("<Q", len(text)) + text +
                 b"".join(d for _, _, d in tensors.values()), binary=True)


def load_tensors(path):
    """name -> (dtype, shape, tuple of numbers) of a safetensors file."""
    raw = read(path)
    n = struct.unpack_from("<Q", raw)[0]
    header = json.loads(raw[8:8 + n])
    header.pop("__metadata__", None)
    out = {}
    for name, t in header.items():
        a, b = t["data_offsets"]
        kind, size = {"F64": "d8", "F32": "f4", "I32": "i4", "U8": "B1"}[t["dtype"]]
        out[name] = (t["dtype"], t["shape"], struct.unpack(
            "<%d%s" % ((b - a) // int(size), kind), raw[8 + n + a:8 + n + b]))
    return out


def base_shapes(classes=10, **keys):
    """timm's tensors of the tiny model."""
    c = {**TINY, **keys}
    d, mlp, p = c["dim"], c.get("mlp", 4 * c["dim"]), c["patch_size"]
    n = (c["image_size"] // p) ** 2 + 1
    shapes = {"cls_token": (1, 1, d), "pos_embed": (1, n, d), "patch_embed.proj.weight":
              (d, 3, p, p), "patch_embed.proj.bias": (d,)}
    for i in range(c["depth"]):
        b = "blocks.%d." % i
        shapes.update({b + "norm1.weight": (d,), b + "norm1.bias": (d,),
                       b + "attn.qkv.weight": (3 * d, d), b + "attn.qkv.bias": (3 * d,),
                       b + "attn.proj.weight": (d, d), b + "attn.proj.bias": (d,),
                       b + "norm2.weight": (d,), b + "norm2.bias": (d,),
                       b + "mlp.fc1.weight": (mlp, d), b + "mlp.fc1.bias": (mlp,),
                       b + "mlp.fc2.weight": (d, mlp), b + "mlp.fc2.bias": (d,)})
    shapes.update({"norm.weight": (d,), "norm.bias": (d,), "head.weight": (classes, d),
                   "head.bias": (classes,)})
    return shapes


def count(shape):
    n = 1
    for s in shape:
        n *= s
    return n


def base_tensors(seed=1, classes=10, **keys):
    r = random.Random(seed)
    out = {}
    for name, shape in base_shapes(classes, **keys).items():
        norm = "norm" in name and name.endswith("weight")
        values = [(1.0 if norm else 0.0) + r.uniform(-0.15, 0.15) for _ in range(count(shape))]
        out[name] = ("F32", shape, floats(values))
    return out


def base(path="base.safetensors", seed=1, classes=10, **keys):
    """A weight file for the tiny model."""
    return save_tensors(path, base_tensors(seed, classes, **keys))


# ---- a tiny Swin, with the weights of tests/golden/swin (tools/golden/tiny_swin.py) ----

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")
SWIN_VARIANTS = {"base": (32, 5), "even": (32, 4), "large": (32, 12), "odd": (30, 4)}
SWIN_CLASSES = 5


def swin(variant="base", weights=True, **keys):
    """swin.yaml, and swin.safetensors if it has weights; keys replace or add."""
    image, window = SWIN_VARIANTS[variant]
    write("swin.yaml", yaml_text({
        "arch": "swin", "image_size": image, "patch_size": 2, "dim": 6, "depths": "[2, 2, 1, 1]",
        "heads": "[1, 2, 3, 4]", "window": window, "mlp_ratio": 2, **keys}))
    if not weights:
        return
    out, own = {}, "@%s/" % variant
    for name, (kind, shape, values) in load_tensors(GOLDEN + "/swin/model.safetensors").items():
        if name.startswith(own) or (not name.startswith("@") and name not in out):
            out[name[len(own):] if name.startswith(own) else name] = (kind, shape, floats(values))
    save_tensors("swin.safetensors", out)


def read_npy(path):
    """(shape, tuple of floats) of a little-endian f4 C-order file."""
    raw = read(path)
    check(raw[:6] == b"\x93NUMPY", path, "is no .npy")
    n, at = (struct.unpack_from("<H", raw, 8)[0], 10) if raw[6] == 1 else \
        (struct.unpack_from("<I", raw, 8)[0], 12)
    head = raw[at:at + n].decode()
    contains(head, "'<f4'", "'fortran_order': False")
    shape = tuple(int(s) for s in head.split("(")[1].split(")")[0].split(",") if s.strip())
    values = struct.unpack("<%df" % count(shape), raw[at + n:])
    return shape, values


# ---- runs ----

def train(output, *args, code=OK, data="data", weights="base.safetensors", strategy="linear",
          **kw):
    """A short run of the tiny model on data, in the folder `output`."""
    given = {"--model": "tiny.yaml", "--weights": weights, "--data": data, "--strategy": strategy,
             "--epochs": 1, "--batch-size": 8, "--output": output, "--device": "auto"}
    rest = [str(a) for a in args]
    argv = [x for k, v in given.items() if k not in rest and v is not None for x in (k, v)]
    if strategy == "sct" and not any(a.startswith("k=") for a in rest):
        argv += ["--set", "k=8"]
    return sctrun("train", *argv, *rest, code=code, **kw)


def log(folder):
    """(step lines, evaluation lines) of a run."""
    lines = [json.loads(l) for l in read(folder + "/log.jsonl").decode().splitlines()]
    return [l for l in lines if "eval" not in l], [l for l in lines if "eval" in l]


def losses(folder):
    return [l["loss"] for l in log(folder)[0]]


def adapter_bytes(folder, which="last"):
    return read("%s/%s/adapter_model.safetensors" % (folder, which))


def tensors(folder, which="last"):
    return load_tensors("%s/%s/adapter_model.safetensors" % (folder, which))


def predict(adapter, image, *args, **kw):
    """The objects that predict prints."""
    return sctrun("predict", "--adapter", adapter, "--image", image, "--json", *args, **kw).jsonl


# ---- several strategies, several adapters ----

FEW_STEPS = ["--max-steps", 3, "--lr", "0.05", "--lr-schedule", "constant", "--shuffle", "off"]


def sets(options):
    return [x for o in options for x in ("--set", o)]


def composed(name, strategies, *options, args=FEW_STEPS, **kw):
    """A short run of strategies in that order; options are STRATEGY.KEY=VALUE or KEY=VALUE."""
    names = [x for s in strategies for x in ("--strategy", s)]
    return train(name, *args, *names, *sets(options), strategy=None, **kw)


def adapter_config(run, which="last"):
    return json.loads(read("%s/%s/adapter_config.json" % (run, which)))


def adapter_parts(run):
    return adapter_config(run)["sctrun"]["strategies"]


def adapters(*folders):
    return [x for f in folders for x in ("--adapter", f + "/last")]


def evaluated(*folders, args=()):
    return sctrun("eval", *adapters(*folders), "--data", "data", "--json", *args).json["loss"]


def no_leftovers(*allowed):
    """Nothing in this folder but what is allowed."""
    found = sorted(set(os.listdir(".")) - set(allowed))
    check(not found, "left behind:", found)


# ---- running ----

def opencl():
    """Whether there is a device."""
    devices = sctrun("devices", "--json", code=None)
    return devices.code == OK and '"opencl"' in devices.out


def transformers5(python):
    """The environment in which that Python imports transformers 5: as it is, or with the folder
    SCTRUN_TRANSFORMERS5 (of `pip install --target`) in front of its others."""
    code = "from importlib.metadata import version; print(version('transformers').split('.')[0])"
    folder = os.environ.get("SCTRUN_TRANSFORMERS5", "")
    path = [folder] * bool(folder) + os.environ.get("PYTHONPATH", "").split(os.pathsep)
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(p for p in path if p))
    p = subprocess.run([python, "-c", code], capture_output=True, env=env)
    major = p.stdout.decode().strip()
    if major != "5":
        raise Skipped("%s has %s, and %s" % (
            python, "transformers " + major if major else "no transformers",
            "SCTRUN_TRANSFORMERS5 does not change that" if folder else "SCTRUN_TRANSFORMERS5 is not set"))
    return env


def main():
    if len(sys.argv) > 1:
        chosen = [t for t in tests if any(a in t.__name__ for a in sys.argv[1:])]
    else:
        chosen = tests
    home, failed, skipped = os.getcwd(), 0, 0
    check(os.access(SCTRUN, os.X_OK), "SCTRUN must name the program; found", SCTRUN)
    for fn in chosen:
        folder = tempfile.mkdtemp(prefix="sctrun-e2e-")
        os.chdir(folder)
        try:
            fn()
            print("ok      %s" % fn.__name__)
        except Skipped as e:
            skipped += 1
            print("skipped %s: %s" % (fn.__name__, e))
        except Exception as e:  # a broken test fails as well
            failed += 1
            print("FAILED  %s" % fn.__name__)
            if isinstance(e, Failed):
                where = traceback.extract_tb(e.__traceback__)
                for frame in where:
                    if os.path.basename(frame.filename) != "e2e.py":
                        print("  %s:%d: %s" % (os.path.basename(frame.filename), frame.lineno,
                                               frame.line))
                print("  " + str(e).replace("\n", "\n  "))
            else:
                traceback.print_exc(file=sys.stdout)
        finally:
            os.chdir(home)
            shutil.rmtree(folder, ignore_errors=True)
        sys.stdout.flush()
    print("%d tests, %d failed, %d skipped" % (len(chosen), failed, skipped))
    if failed:
        sys.exit(1)
    sys.exit(77 if chosen and skipped == len(chosen) else 0)
