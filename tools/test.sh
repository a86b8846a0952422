#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# test.sh - every check of the project; the last line is "N passed, N failed, N skipped".
#
#   tools/test.sh          build, all tests, style checks, the core under sanitizers
#   tools/test.sh --all    also all tests under the sanitizers, the OpenCL backend on PoCL under them,
#                          threads under TSan, a clang build, allocation sweeps, fuzzing for
#                          SCTRUN_FUZZ_SECONDS (60) a target, all commands of the documentation,
#                          long runs on real images
#
# SCTRUN_ASSETS names a folder with real weights and images, SCTRUN_TORCH_PYTHON a Python with
# PyTorch, SCTRUN_TRANSFORMERS5 a folder with transformers 5 for it where it has version 4 (pip install
# --target FOLDER 'transformers>=5'); without them the tests that want them skip. SCTRUN_TEST_PATIENCE (1)
# multiplies the time that every test may take, for a machine that is slow or busy with other work. A
# step that cannot be built is a failure, and the next step still runs.
set -u
cd "$(dirname "$0")/.." || exit 2

all=
case ${1-} in
'') ;;
--all) all=1 ;;
*)
  echo "usage: tools/test.sh [--all]" >&2
  exit 2
  ;;
esac

tools/setup.sh ${all:+--all} || exit 2

patience=${SCTRUN_TEST_PATIENCE:-1}
results=$(mktemp)
output=$(mktemp)
trap 'rm -f "$results" "$output"' EXIT

pass() { # pass GROUP NAME
  printf 'PASS\t1\t%s\t%s\t\n' "$1" "$2" >>"$results"
}
fail() { # fail GROUP NAME REASON; the output of the step is shown
  printf 'FAIL\t1\t%s\t%s\t%s\n' "$1" "$2" "$3" >>"$results"
  echo "  FAILED: $2: $3"
  grep -E 'error|Error|ERROR|FAILED|warning: .*Werror|undefined reference' "$output" | head -n 40 |
    sed 's/^/    | /'
  tail -n 15 "$output" | sed 's/^/    | /'
}
skip() { # skip GROUP NAME REASON
  printf 'SKIP\t1\t%s\t%s\t%s\n' "$1" "$2" "$3" >>"$results"
}

build() { # build NAME DIR MESON-ARGUMENTS...: 0 when everything is built
  local name=$1 dir=$2
  shift 2
  echo "== $name"
  if [ ! -f "$dir/build.ninja" ] && ! meson setup "$dir" "$@" >"$output" 2>&1; then
    rm -rf "$dir"
    fail build "$name" "meson setup failed"
    return 1
  fi
  if ! ninja -C "$dir" >"$output" 2>&1; then
    fail build "$name" "the build failed"
    return 1
  fi
  local warnings
  warnings=$(grep -c 'warning:' "$output")
  [ "$warnings" -eq 0 ] || echo "  $warnings compiler warnings"
  pass build "$name"
}

tests() { # tests DIR LABEL SLOWER MESON-TEST-ARGUMENTS...: runs them, counts them
  local dir=$1 label=$2 slower=$3 rc
  shift 3
  rm -f "$dir/meson-logs/testlog.json"
  SCTRUN_TEST_PATIENCE=$((slower * patience)) \
    meson test -C "$dir" --no-rebuild --timeout-multiplier $((slower * patience)) "$@" >"$output" 2>&1
  rc=$?
  if [ ! -s "$dir/meson-logs/testlog.json" ]; then
    fail "${label}run" "meson test $*" "no test ran (exit status $rc)"
    return
  fi
  python3 tools/testlog.py convert "$dir/meson-logs/testlog.json" "$label" "$results" ||
    fail "${label}run" "meson test $*" "its log holds no test"
}

# Suite "long" holds what takes minutes: --all only.
if build "release build" build; then
  tests build '' 2 --no-suite long
fi

export ASAN_OPTIONS=${ASAN_OPTIONS-detect_leaks=1:allocator_may_return_null=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS-halt_on_error=1:print_stacktrace=1}
# The OpenCL backend has a build of its own below; -O1 keeps the traces readable.
if build "address and undefined-behaviour sanitizers" build-asan \
  -Db_sanitize=address,undefined -Doptimization=1 -Dopencl=disabled; then
  if [ -n "$all" ]; then # the program's own tests too, which start it some thousand times
    tests build-asan 'asan ' 10 --no-suite long --no-suite style
  else
    tests build-asan 'asan ' 5 --no-suite long --suite unit --suite plan --suite plugin --suite io \
      --suite grad --suite fuzz
  fi
fi

fuzz_all() { # as many targets at a time as there are processors
  local seconds=${SCTRUN_FUZZ_SECONDS:-60} work target name
  work=$(mktemp -d)
  for target in build-fuzz/tests/fuzz/fuzz_*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    name=${target##*/fuzz_}
    mkdir "$work/$name" # inputs found, and after a finding the one that breaks the target
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
    "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
      -artifact_prefix="$work/$name/" "$work/$name" "tests/fuzz/corpus/$name" \
      >"$work/$name.log" 2>&1 && touch "$work/$name.passed" &
  done
  wait
  for target in "$work"/*.log; do
    name=$(basename "$target" .log)
    if [ -f "$work/$name.passed" ]; then
      pass fuzz "$name for $seconds s"
      rm -rf "${work:?}/$name"
    else
      cp "$target" "$output"
      fail fuzz "$name" "an input that breaks it lies in $work/$name"
    fi
  done
}

if [ -n "$all" ]; then
  if [ -f build-asan/build.ninja ]; then # leaks after a failed allocation are found here only
    tests build-asan 'asan long ' 5 'every allocation failure'
  fi
  # The host's side of the OpenCL backend. LeakSanitizer dies in the thread-local storage of PoCL's
  # threads, so it does not look there; what PoCL's compiler leaks is not ours.
  if ls /etc/OpenCL/vendors/*pocl*.icd >/dev/null 2>&1; then
    if build "address and undefined-behaviour sanitizers, OpenCL" build-asan-opencl \
      -Db_sanitize=address,undefined -Doptimization=1 -Dopencl=enabled; then
      LSAN_OPTIONS=use_tls=0:print_suppressions=0:suppressions=$PWD/tests/pocl.supp \
        tests build-asan-opencl 'asan ' 10 'two layer opencl' 'plan opencl' 'readings opencl' \
        'opencl cpu' 'opencl self-tests cpu' 'opencl linear by CLBlast' 'opencl linear_dx by CLBlast'
    fi
  else
    skip build "OpenCL under sanitizers" "PoCL is not installed"
  fi
  if build "thread sanitizer" build-tsan -Db_sanitize=thread -Doptimization=1 \
    -Dopencl=disabled; then
    export TSAN_OPTIONS=${TSAN_OPTIONS-halt_on_error=1:allocator_may_return_null=1}
    tests build-tsan 'tsan ' 10 --suite threads
    tests build-tsan 'tsan ' 10 data-loader data-loader_train
  fi
  if command -v clang >/dev/null 2>&1; then
    if CC=clang build "clang, warnings are errors" build-clang --werror; then
      tests build-clang 'clang ' 2 --no-suite long --no-suite style
    fi
    if CC=clang build "libFuzzer" build-fuzz -Dfuzzing=true -Db_sanitize=address,undefined \
      -Db_lundef=false -Doptimization=1 -Dopencl=disabled -Dc_args=-fsanitize=fuzzer-no-link; then
      fuzz_all
    fi
  else
    skip build "clang, libFuzzer" "clang is not installed"
  fi
  if [ -f build/build.ninja ] && meson test -C build --list 2>/dev/null | grep -q long; then
    tests build 'long ' 10 --suite long
  fi
fi

echo
python3 tools/testlog.py report "$results"
