# SPDX-License-Identifier: MIT
"""scripts.py - tools/*.sh on a machine where packages are missing and may not be installed.

The machine is this one with a PATH of a few commands. apt-get is not among them, so nothing can
be installed whoever runs this.
"""
import re

from e2e import *

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")


def script(name, *args, commands=(), root=TOOLS):
    """Runs a script where only these commands and a shell's own tools exist."""
    os.makedirs("bin", exist_ok=True)
    for c in ("bash", "id", "ls", "cut", "dirname", "mktemp", "rm") + tuple(commands):
        if not os.path.lexists("bin/" + c):
            os.symlink(shutil.which(c), "bin/" + c)
    p = subprocess.run([shutil.which("bash"), os.path.join(root, name)] + list(args),
                       env={"PATH": os.path.abspath("bin"), "HOME": os.getcwd()},
                       capture_output=True, timeout=60 * PATIENCE)
    shutil.rmtree("bin")
    return Result(p.returncode, p.stdout.decode(), p.stderr.decode(), [name])


@test
def what_is_missing_is_listed():
    """setup.sh, demo.sh and test.sh name every package and the command, exit 2, leave nothing."""
    for name in ("setup.sh", "demo.sh", "test.sh"):
        r = script(name)
        equal(r.code, USAGE, r.err)
        for package, what in (("build-essential", "the header stdlib.h"), ("meson", "command meson"),
                              ("ninja-build", "command ninja"), ("libyaml-dev", "yaml-0.1"),
                              ("libjansson-dev", "jansson"), ("libjpeg-dev", "libjpeg"),
                              ("libpng-dev", "libpng"), ("nettle-dev", "nettle"),
                              ("libzip-dev", "libzip"), ("zlib1g-dev", "zlib"),
                              ("libprotobuf-c-dev", "libprotobuf-c"), ("check", "library check"),
                              ("protobuf-c-compiler", "command protoc-c"),
                              ("ocl-icd-opencl-dev", "OpenCL")):
            check(re.search(r"^  %s +.*%s" % (package, what), r.err, re.M), package, "in", r.err)
        command = [l for l in r.err.splitlines() if l.startswith("  apt-get install ")]
        equal(len(command), 1, r.err)
        contains(command[0], " meson ", " libyaml-dev ", " ocl-icd-opencl-dev")
        check("chromium" not in r.err, r.err)
        no_leftovers()
    r = script("setup.sh", "--all")
    check(re.search(r"^  chromium +a browser", r.err, re.M), r.err)


@test
def every_package_of_the_build_is_looked_for():
    """What meson.build asks for is what setup.sh installs."""
    asked = set(re.findall(r"^dep_\w+ = dependency\('([\w.+-]+)'",
                           read(TOOLS + "/../meson.build").decode() +
                           read(TOOLS + "/../tests/meson.build").decode(), re.M))
    looked = set(re.findall(r"^module \w+ (\S+)", read(TOOLS + "/setup.sh").decode(), re.M))
    equal(sorted(asked - looked - {"dl", "threads"}), [], "setup.sh does not look for")


@test
def old_meson():
    """Said before the build fails on it."""
    os.mkdir("old")
    write("old/meson", "#!/bin/sh\necho 0.61.2\n")
    os.chmod("old/meson", 0o755)
    p = subprocess.run(["bash", TOOLS + "/setup.sh"], capture_output=True,
                       env={**os.environ, "PATH": os.path.abspath("old") + ":" + os.environ["PATH"]})
    equal(p.returncode, USAGE)
    contains(p.stderr.decode(), "Meson 1.0", "found 0.61.2")


@test
def usage():
    for name in ("setup.sh", "test.sh"):
        r = script(name, "--everything")
        equal(r.code, USAGE)
        contains(r.err, "usage: tools/" + name + " [--all]")


@test
def table_of_the_demo():
    """Four runs, a line each, and the seconds of all of them; the program is one that says what it did."""
    shutil.copytree(TOOLS, "tree/tools", ignore=lambda d, names: [n for n in names if n != "demo.sh"])
    write("tree/build/build.ninja", "")
    for path, text in (("tree/tools/setup.sh", ""), ("path/ninja", ""), ("tree/build/tools/sctrun", """
case " $* " in *" linear "*) s=1.5 ;; *" lora "*) s=20 ;; *" sct "*) s=3.25 ;; *" full "*) s=40.25 ;; esac
echo '{"last": {"top1": 50}, "trainable": 12, "head": 5, "seconds": '$s', "images_per_s": 9, "peak_bytes": 1048576}'
""")):
        write(path, "#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
    p = subprocess.run(["bash", "tree/tools/demo.sh", "cpu"], capture_output=True,
                       timeout=60 * PATIENCE, env={**os.environ, "PATH": os.path.abspath("path") + ":" + os.environ["PATH"]})
    equal(p.returncode, OK, p.stderr.decode())
    lines = [l.split() for l in p.stdout.decode().splitlines()]
    equal([l[-3] for l in lines if l and l[0] in ("linear", "lora", "sct", "full")],
          ["1.5", "20.0", "3.2", "40.2"], lines)
    equal(lines[-1], ["all", "four", "65.0"])


main()
