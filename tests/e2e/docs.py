# SPDX-License-Identifier: MIT
"""docs.py - every ```sh block of README.md, CONTRIBUTING.md and docs/ runs as it stands there.

    docs.py [--long] [WORD...]     --long: the blocks that take minutes; WORD: part of FILE:LINE

A block runs in a folder of its own that looks like the root of the tree, `build` included, with the
program on PATH; a command that fails ends it. What a block cannot bring along is declared in
comments straight before its fence, <!-- item; item -->:

    long                    takes minutes: only with --long
    needs WORD              one of NEEDS below; skipped by name where that is not there
    given NAME = KIND       the reader's own file or folder; KIND is one of GIVEN below
    continues               goes on in the folder of the block before
    fresh tree              in a copy of the tree that has not been built
    installed               pkg-config finds the program
    not run: WHY            never; WHY is printed

Anything else in such a comment fails, and so does a name in capitals or an ellipsis that no `given`
declares: a reader could not paste it. A ```yaml block after <!-- save NAME --> becomes a file of the
blocks that say `given NAME = saved`.
"""
import re
import time

from e2e import *

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = os.path.dirname(os.path.dirname(SCTRUN))
COMMENT = re.compile(r"<!--(.*)-->\s*$")
PLACEHOLDER = re.compile(r"(?<![\w$.{/=-])[A-Z][A-Z_]{2,}(?![\w=./])|\.\.\.|<[a-z-]+>")
FLOATS = floats([(37 * i % 101 - 50) / 1000 for i in range(8192)])


class Block:
    def __init__(self, path, line, kind, text, items, before):
        self.name, self.kind, self.text = "%s:%d" % (path, line), kind, text
        self.before, self.folder = before, None
        self.flags = {i for i in items if i in ("long", "continues", "fresh tree", "installed")}
        rest = [i for i in items if i not in self.flags]
        self.needs = [i[6:] for i in rest if i.startswith("needs ")]
        self.given = dict(re.split(r"\s*=\s*", i[6:], maxsplit=1) for i in rest
                          if i.startswith("given "))
        self.not_run = [i[9:] for i in rest if i.startswith("not run: ")]
        self.save = [i[5:] for i in rest if i.startswith("save ")]
        unknown = [i for i in rest if not re.match("needs |given .+=|not run: |save ", i)]
        check(not unknown, self.name, "unknown item in the comment:", unknown)
        check("continues" not in self.flags or before, self.name, "nothing to continue")


def blocks_of(path):
    """The fenced sh blocks of a file, and the yaml blocks that become files."""
    out, items, fence = [], [], None
    for number, line in enumerate(read(os.path.join(ROOT, path)).decode().splitlines(), 1):
        if fence:
            if line.startswith("```"):
                kind, start, text = fence
                fence = None
                if kind in ("sh", "bash") or (kind == "yaml" and items):
                    earlier = [b for b in out if b.kind != "yaml"]
                    out.append(Block(path, start, kind, "".join(text), items,
                                     earlier[-1] if earlier else None))
                items = []
            else:
                fence[2].append(line + "\n")
        elif line.startswith("```"):
            fence = (line[3:].strip(), number, [])
        elif COMMENT.match(line):
            items += [i.strip() for i in COMMENT.match(line).group(1).split(";") if i.strip()]
        else:
            items = []
    check(not fence, path, "a fence is not closed")
    return out


# ---- what a block needs ----

def has_device():
    listed = sctrun("devices", env={"HOME": os.environ.get("HOME", "/")}).out
    return re.search(r"^opencl \d", listed, re.M) is not None


def has_torch():
    return bool(os.environ.get("SCTRUN_TORCH_PYTHON"))


def has_assets():
    return bool(os.environ.get("SCTRUN_ASSETS"))


NEEDS = {
    "OpenCL": (has_device, "no OpenCL device"),
    "oclgrind": (lambda: shutil.which("oclgrind"), "oclgrind is not installed"),
    "cc": (lambda: shutil.which("cc"), "no C compiler"),
    "pkg-config": (lambda: shutil.which("pkg-config"), "pkg-config is not installed"),
    "PyTorch": (has_torch, "SCTRUN_TORCH_PYTHON is not set"),
    "assets": (has_assets, "SCTRUN_ASSETS is not set"),
}


# ---- what is the reader's own ----

def small_picture(path, seed=0, label=0):
    png(path, rgb=picture(seed, label))


def weights_file(path, preset):
    """A file of the preset's shapes; every tensor is a piece of one sequence."""
    config = read(os.path.join(ROOT, "configs", "models", preset + ".yaml")).decode()
    keys = {k: int(v) for k, v in re.findall(r"^(\w+): *(\d+)\s*$", config, re.M)}
    check({"image_size", "patch_size", "dim", "depth"} <= set(keys), preset, keys)
    save_tensors(path, {n: ("F32", s, (FLOATS * (count(s) // 8192 + 1))[:4 * count(s)])
                        for n, s in base_shapes(1000, **keys).items()})


def lists(folder, form, splits):
    """Pictures of three classes, and for each split `form(split, [(path, label)])` writes a list."""
    for split, n in splits:
        items = [("images/%s%d.png" % (split, i), i % 3) for i in range(n)]
        for i, (name, label) in enumerate(items):
            small_picture("%s/%s" % (folder, name), i, label)
        form(split, items)


def vtab_folder(folder):
    lists(folder, lambda split, items: write(
        "%s/%s.txt" % (folder, split), "".join("%s %d\n" % i for i in items)),
        [("train800val200", 4), ("train800", 3), ("val200", 3), ("test", 3)])


def few_shot_folder(folder):
    for shots in (1, 16):
        for seed in (0, 1):
            lists(folder, lambda split, items: write(
                "%s/annotations/%s" % (folder, "train_meta.list.num_shot_%d.seed_%d" % (shots, seed)
                                       if split == "train" else split + "_meta.list"),
                "".join("%s %d\n" % (p[7:], c) for p, c in items)),
                [("train", 3), ("val", 3), ("test", 3)])


def fgvc_folder(folder):
    lists(folder, lambda split, items: write("%s/%s.json" % (folder, split), json.dumps(
        {p[7:]: c for p, c in items})), [("train", 3), ("val", 3), ("test", 3)])


def class_folders(folder):
    folders(folder, names=("Bengal", "Birman", "Sphynx"), per_class=1)


def csv_list(path):
    names, rows = ("Bengal", "Birman", "Sphynx"), ["path,label,split"]
    for split, n in (("train", 3), ("test", 3)):
        for i in range(n):
            small_picture("pictures_of_csv/%s%d.png" % (split, i), i, i % 3)
            rows.append("pictures_of_csv/%s%d.png,%s,%s" % (split, i, names[i % 3], split))
    write(path, "\n".join(rows) + "\n")


def foreign_folders(folder):
    folders(folder, names=("gatto_bengala", "gatto_sphynx"), per_class=2)


def class_map(path):
    write(path, "gatto_bengala\t0\ngatto_sphynx\t2\n")


def picture_folder(folder):
    for i in range(2):
        small_picture("%s/%d.png" % (folder, i), i)


def picture_list(path):
    small_picture("listed.png", 9)
    write(path, "listed.png\n")


def strategy_source(path):
    shutil.copy(os.path.join(ROOT, "tests", "e2e", "install", "outside.c"), path)


def backend_source(name):
    shutil.copy(os.path.join(ROOT, "examples", "backend", "null.c"), name)


GIVEN = {"lists": vtab_folder, "few-shot lists": few_shot_folder, "FGVC": fgvc_folder,
         "class folders": class_folders, "CSV": csv_list, "foreign class folders": foreign_folders,
         "class map": class_map, "picture": small_picture, "pictures": picture_folder,
         "picture list": picture_list, "source of a strategy": strategy_source, "source of a backend": backend_source}


def make_given(block, saved):
    for name, kind in block.given.items():
        if kind.startswith("weights of "):
            weights_file(name, kind[len("weights of "):])
        elif kind == "saved":
            check(name in saved, block.name, "no yaml block is saved as", name)
            write(name, saved[name])
        else:
            check(kind in GIVEN, block.name, "unknown kind", repr(kind), "known:", sorted(GIVEN))
            GIVEN[kind](name)


# ---- running ----

def looks_like_the_tree(folder):
    for name in os.listdir(ROOT):
        if not name.startswith((".git", "build", "runs", ".cache")):
            os.symlink(os.path.join(ROOT, name), os.path.join(folder, name))
    os.symlink(BUILD, os.path.join(folder, "build"))


def copy_of_the_tree(folder):
    for name in os.listdir(ROOT):
        path = os.path.join(ROOT, name)
        if name.startswith((".git", "build", "runs", ".cache")):
            continue
        if os.path.isdir(path):
            shutil.copytree(path, os.path.join(folder, name),
                            ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, folder)


def installed(folder):
    """Installs below the folder; what pkg-config has to know."""
    meson = shutil.which("meson")
    if not meson:
        raise Skipped("meson is not installed")
    prefix = os.path.join(folder, "..", "installed")
    p = subprocess.run([meson, "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir",
                        os.path.abspath(prefix)], capture_output=True)
    check(p.returncode == 0, "meson install:", p.stdout.decode()[-1000:])
    pc = [d for d, _, names in os.walk(prefix) if "sctrun.pc" in names]
    return {"PKG_CONFIG_PATH": pc[0], "PKG_CONFIG_SYSROOT_DIR": os.path.abspath(prefix)}


def variables(work):
    kept = ("SCTRUN_ASSETS", "SCTRUN_TORCH_PYTHON")
    env = environment(**{k: os.path.abspath(os.environ[k]) for k in kept if os.environ.get(k)})
    env.update({"PATH": os.path.join(BUILD, "tools") + os.pathsep + env.get("PATH", ""),
                "SCTRUN_CACHE_DIR": os.path.join(work, "cache"), "PYTHONDONTWRITEBYTECODE": "1"})
    return env


def run_block(block, work, saved, timeout):
    for need in block.needs:
        check(need in NEEDS, block.name, "unknown need", repr(need), "known:", sorted(NEEDS))
        if not NEEDS[need][0]():
            raise Skipped(NEEDS[need][1])
    code = "".join(re.sub(r"(^|\s)#.*", "", l) + "\n" for l in block.text.splitlines())
    open_ = [w for w in PLACEHOLDER.findall(code) if w not in block.given]
    check(not open_, "a reader cannot paste this, nothing declares:", open_)
    if "continues" in block.flags:
        if not block.before.folder:
            raise Skipped("it continues %s, which did not run" % block.before.name)
        folder = block.before.folder
    else:
        folder = os.path.join(work, re.sub(r"\W", "_", block.name), "tree")
        os.makedirs(folder)
        (copy_of_the_tree if "fresh tree" in block.flags else looks_like_the_tree)(folder)
    os.chdir(folder)
    make_given(block, saved)
    env = variables(work)
    if "installed" in block.flags:
        env.update(installed(folder))
    start = time.monotonic()
    p = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", block.text], env=env,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=timeout * PATIENCE)
    check(p.returncode == 0, "exit code %d of\n%s\n%s" % (p.returncode, block.text,
                                                         p.stdout.decode("utf-8", "replace")[-2000:]))
    block.folder = folder
    return time.monotonic() - start


def documents():
    docs = sorted(os.listdir(os.path.join(ROOT, "docs")))
    return ["README.md", "CONTRIBUTING.md"] + ["docs/" + d for d in docs if d.endswith(".md")]


def main_of_blocks():
    long = "--long" in sys.argv[1:]
    words = [w for w in sys.argv[1:] if w != "--long"]
    all_ = [b for path in documents() for b in blocks_of(path)]
    saved = {b.save[0]: b.text for b in all_ if b.save}
    chosen = [b for b in all_ if b.kind != "yaml" and ("long" in b.flags) == long and
              (not words or any(w in b.name for w in words))]
    check(len(all_) > 10, "only", len(all_), "blocks found in", ROOT)
    work, failed, ran = tempfile.mkdtemp(prefix="sctrun-docs-"), 0, 0
    try:
        for b in chosen:
            try:
                if b.not_run:
                    raise Skipped("not run: " + b.not_run[0])
                print("ok      %s (%.1f s)" % (b.name, run_block(b, work, saved,
                                                                3000 if long else 400)))
                ran += 1
            except Skipped as e:
                print("skipped %s: %s" % (b.name, e))
            except (Failed, OSError, subprocess.TimeoutExpired) as e:
                failed += 1
                print("FAILED  %s: %s" % (b.name, str(e).replace("\n", "\n  ")))
            sys.stdout.flush()
    finally:
        os.chdir(ROOT)
        shutil.rmtree(work, ignore_errors=True)
    print("%d blocks: %d ran, %d failed, %d skipped" % (len(chosen), ran, failed,
                                                        len(chosen) - ran - failed))
    sys.exit(1 if failed else 0 if ran else 77)


main_of_blocks()
