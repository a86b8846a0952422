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
                       capture_output=True, timeout=60)
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


main()
