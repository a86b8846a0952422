#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# setup.sh - installs what the build and the tests need and is not there yet (Debian, Ubuntu).
#
#   tools/setup.sh [--all]     --all: also what `tools/test.sh --all` needs
#
# Does nothing on a machine that has it all. Without root or apt-get it lists what is missing and
# exits 2, having changed nothing.
set -eu

all=
case ${1-} in
'') ;;
--all) all=1 ;;
*)
  echo "usage: tools/setup.sh [--all]" >&2
  exit 2
  ;;
esac

need=()  # packages without which nothing works
want=()  # packages without which tests skip
report=()

missing() { # missing need|want PACKAGE WHAT
  local -n list=$1
  list+=("$2")
  report+=("$(printf '  %-24s %s' "$2" "$3")")
}
tool() { # tool need|want COMMAND PACKAGE
  command -v "$2" >/dev/null 2>&1 || missing "$1" "$3" "the command $2"
}
module() { # module need|want PKG-CONFIG-NAME PACKAGE
  command -v pkg-config >/dev/null 2>&1 && pkg-config --exists "$2" ||
    missing "$1" "$3" "the library $2 with its headers"
}
header() { # header need|want HEADER PACKAGE
  command -v cc >/dev/null 2>&1 && printf '#include <%s>\n' "$2" | cc -E - >/dev/null 2>&1 ||
    missing "$1" "$3" "the header $2"
}

runtime() { # runtime want CLANG: the run-time libraries of its sanitizers and of libFuzzer
  local dir
  dir=$(mktemp -d)
  echo 'int LLVMFuzzerTestOneInput(const char *p, long n) { return p && n ? 0 : 0; }' >"$dir/f.c"
  "$2" -fsanitize=fuzzer,address,undefined "$dir/f.c" -o "$dir/f" >/dev/null 2>&1 ||
    missing "$1" "libclang-rt-$("$2" -dumpversion | cut -d. -f1)-dev" "libFuzzer for $2"
  rm -rf "$dir"
}

browser() { # browser want PACKAGE: any that tests/e2e/browser.py knows
  local name
  for name in chromium chromium-browser google-chrome-stable google-chrome chrome; do
    command -v "$name" >/dev/null 2>&1 && return
  done
  missing "$1" "$2" "a browser for the HTML report of a grid"
}

# A compiler alone is no use without the C library's headers.
header need stdlib.h build-essential
tool need meson meson
if command -v meson >/dev/null 2>&1 && [ "$(meson --version | cut -d. -f1)" -lt 1 ]; then
  echo "setup: Meson 1.0 or later is needed, found $(meson --version): Debian 12 and Ubuntu 24.04" \
    "have one, or install it with pip" >&2
  exit 2
fi
tool need ninja ninja-build
tool need pkg-config pkg-config
tool need python3 python3
module need yaml-0.1 libyaml-dev
module need jansson libjansson-dev
module need libjpeg libjpeg-dev
module need libpng libpng-dev
module need nettle nettle-dev
module need libzip libzip-dev
module need zlib zlib1g-dev
module need libprotobuf-c libprotobuf-c-dev
tool need protoc-c protobuf-c-compiler
module need check check
# WebP images are decoded where this is.
module want libwebp libwebp-dev
# The OpenCL backend is built where these are; a CPU is an OpenCL device through PoCL.
module want OpenCL ocl-icd-opencl-dev
header want CL/cl.h opencl-headers
if ! ls /etc/OpenCL/vendors/*pocl*.icd >/dev/null 2>&1; then
  missing want pocl-opencl-icd "an OpenCL driver that runs on the CPU"
fi
tool want oclgrind oclgrind
if [ -n "$all" ]; then
  tool want clang clang
  tool want clang-format-14 clang-format-14
  browser want chromium # Ubuntu has no such package: the test is skipped there
  # opened at run time, where it is asked for
  python3 -c 'import ctypes; ctypes.CDLL("libclblast.so.1")' >/dev/null 2>&1 ||
    missing want libclblast1 "the library CLBlast"
  if command -v clang >/dev/null 2>&1; then
    runtime want clang
  fi
fi

if [ ${#need[@]} -eq 0 ] && [ ${#want[@]} -eq 0 ]; then
  exit 0
fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "setup: missing on this machine:" >&2
  printf '%s\n' "${report[@]}" >&2
  if [ ${#need[@]} -eq 0 ]; then
    echo "setup: none of it is required; what needs it is left out or skipped" >&2
    exit 0
  fi
  echo "setup: install it, on Debian or Ubuntu as root with:" >&2
  echo "  apt-get install ${need[*]} ${want[*]-}" >&2
  exit 2
fi

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() { # install PACKAGES...: what apt-get says is shown if it fails
  apt-get install -qy --no-install-recommends "$@" >"$log" 2>&1 || {
    grep -E '^E: ' "$log" >&2 || tail -n 5 "$log" >&2
    return 1
  }
}
echo "setup: installing ${need[*]-} ${want[*]-}"
apt-get update -q >"$log" 2>&1 || echo "setup: apt-get update failed, trying with old lists" >&2
if [ ${#need[@]} -gt 0 ] && ! install "${need[@]}"; then
  echo "setup: apt-get could not install: ${need[*]}" >&2
  exit 2
fi
if [ -n "$all" ] && ! command -v clang >/dev/null 2>&1; then
  install clang || true # its version names the package of its run-time libraries
  if command -v clang >/dev/null 2>&1; then
    runtime want clang
  fi
fi
for package in "${want[@]}"; do
  install "$package" ||
    echo "setup: $package cannot be installed here; what needs it is left out or skipped" >&2
done
