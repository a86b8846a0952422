# SPDX-License-Identifier: MIT
"""devices.py - whose kernels run on an OpenCL device: --gemm, --assume; options of other backends."""
import os

from e2e import *


def setup():
    model()
    base()
    return vtab()


@option("gemm")
def gemm():
    fails(USAGE, ["--gemm", "auto|own|clblast", "mkl"], "devices", "--gemm", "mkl")
    if not any(d["backend"] == "opencl" and d["usable"]
               for d in sctrun("devices", "--json").json):
        raise Skipped("no usable OpenCL device")
    own = opencl_rows("--gemm", "own")
    check("clblast" not in own, own)
    equal(own, opencl_rows())
    # what lies under its name cannot be loaded, so it is as if it was not there
    write("lib/libclblast.so.1", "no library")
    plan = ["dump", "plan", "--backend", "opencl", "--gemm", "clblast", "--model", "tiny.yaml",
            "--weights", "random", "--data", "task:sprites_shape", "--strategy", "linear"]
    hidden = {"LD_LIBRARY_PATH": os.path.abspath("lib")}
    fails(DEVICE, ["--gemm clblast", "libclblast1", "--gemm own"], *plan, env=hidden)
    setup()
    fails(DEVICE, ["libclblast1"], "train", "--model", "tiny.yaml", "--weights", "base.safetensors",
          "--data", "data", "--strategy", "linear", "--output", "none", "--backend", "opencl",
          "--gemm", "clblast", env=hidden)
    check(not os.path.exists("none"), "a run that cannot begin leaves a folder")
    contains(sctrun("ops", "--gemm", "clblast", env=hidden).out, "linear/clblast")
    r = sctrun(*plan, code=None)
    if r.code == DEVICE and "libclblast1" in r.err:
        raise Skipped("libclblast is not installed; what depends on it was left out")
    equal(r.code, OK)
    contains(r.out, "linear/clblast")
    for whose in ("own", "clblast"):
        train(whose, "--backend", "opencl", "--gemm", whose, "--max-steps", 3)
        contains(read(whose + "/args.yaml").decode(), "gemm: " + whose)
    for a, b in zip(losses("own"), losses("clblast")):
        close(a, b, 1e-5)


@test
def options_of_other_backends():
    """An option that the backend does not have is said to have no effect."""
    setup()
    for args, text in ((["--gemm", "clblast"], "--gemm clblast has no effect: backend cpu"),
                       (["--assume", "gpu"], "--assume gpu has no effect: backend cpu")):
        contains(train("a" + args[1], "--max-steps", 1, "--backend", "cpu", *args).err, text)
    err = train("b", "--max-steps", 1, "--backend", "ref", "--isa", "base").err
    contains(err, "--isa base has no effect: backend ref has no such option")
    for i, args in enumerate(((), ("--isa", "base"), ("--gemm", "auto", "--assume", "auto"))):
        err = train("c%d" % i, "--max-steps", 1, "--backend", "cpu", *args).err
        check("has no effect" not in err, err)


@option("assume")
def assume():
    """Kernels of the other kind of device: other rows, the same losses; ops shows all rows."""
    fails(USAGE, ["--assume", "auto|cpu|gpu", "fpga"], "devices", "--assume", "fpga")
    if not any(d["backend"] == "opencl" and d["usable"]
               for d in sctrun("devices", "--json").json):
        raise Skipped("no usable OpenCL device")
    setup()
    for kind, row, other in (("cpu", "/wide", "/simt"), ("gpu", "/simt", "/wide")):
        d = [d for d in sctrun("devices", "--assume", kind, "--json").json
             if d["backend"] == "opencl" and d["usable"]][0]
        contains(d["status"].split(";")[0], row[1:])
        plan = opencl_rows("--assume", kind)
        check(row in plan and other not in plan, plan)
        train(kind, "--backend", "opencl", "--assume", kind, "--max-steps", 3)
    for a, b in zip(losses("cpu"), losses("gpu")):
        close(a, b, 1e-5)
    table = sctrun("ops").out
    equal(table, sctrun("ops", "--assume", "gpu", "--isa", "base").out)
    contains(table, "--isa, --gemm and --assume\nchange nothing here")


def opencl_rows(*args):
    model()
    return sctrun("dump", "plan", "--backend", "opencl", *args, "--model", "tiny.yaml",
                  "--weights", "random", "--data", "task:sprites_shape", "--strategy",
                  "linear").out


main()
