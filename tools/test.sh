#!/usr/bin/env bash
# Sets up a bare Debian 12 and runs the checks that CI runs, about half an hour on 2 cores from nothing.
#
#   tools/test.sh [STEP]...      the steps of CI (setup style gcc conformance models asan), or those named; others: clang tsan fuzz arm
set -euo pipefail
cd "$(dirname "$0")/.."
export FEWBITS_PYTHON="$PWD/.venv/bin/python"
jobs=$(nproc)

say() { printf '\n== %s (%s)\n' "$*" "$(date +%T)"; }
build() { cmake --preset "$1" -DFEWBITS_PYTHON="$FEWBITS_PYTHON" >/dev/null && cmake --build --preset "$1" -j "$jobs"; }

step_setup() { bash tools/setup.sh test; }
step_style() {
  python3 tools/check_layers.py
  git ls-files '*.cc' '*.h' '*.c' | xargs clang-format-19 --dry-run --Werror
}
step_gcc() {
  build release
  python3 tools/check_symbols.py build/release
  ctest --preset release -j "$jobs"
}
step_conformance() {
  [ -f build/conformance/manifest.json ] || "$FEWBITS_PYTHON" tests/conformance/generate.py build/conformance
  build/release/tests/conformance_runner build/conformance --quiet
  for isa in baseline avx2 avx512; do
    FEWBITS_ISA=$isa build/release/tests/conformance_runner build/conformance --quiet
    FEWBITS_ISA=$isa build/release/tests/kernels_test --gtest_brief=1
  done
  build/release/tests/conformance_runner build/conformance --quiet --threads 2
}
step_models() { "$FEWBITS_PYTHON" -m pytest -q tests/models; }
step_clang() { build clang; ctest --preset clang -j "$jobs"; }
step_asan() {
  build asan
  # cli_test interrupts commands after fractions of a second: it runs on the release build, which is quick enough for that.
  ctest --preset asan -j "$jobs" -E cli_test
  build/asan/tests/conformance_runner build/conformance --quiet
}
step_tsan() {
  cmake --preset tsan -DFEWBITS_PYTHON="$FEWBITS_PYTHON" >/dev/null
  cmake --build --preset tsan -j "$jobs" --target base_test runtime_test kernels_test conformance_runner
  for test in base_test runtime_test kernels_test; do build/tsan/tests/$test --gtest_brief=1; done
  build/tsan/tests/conformance_runner build/conformance --quiet --threads 2 --family conv --family fully_connected --family pool
}
step_fuzz() {
  build fuzz
  "$FEWBITS_PYTHON" fuzz/seeds.py build/fuzz/seeds build/conformance
  local running=0
  for target in tflite run npy npz image audio statistics; do
    (cd build/fuzz && mkdir -p "corpus/$target" && "fuzz/fuzz_$target" "corpus/$target" "seeds/$target" -max_total_time=60 -rss_limit_mb=4096 \
      -timeout=20 -print_final_stats=1 >"fuzz_$target.log" 2>&1 || { tail -40 "fuzz_$target.log"; exit 1; }) &
    running=$((running + 1))
    if [ "$running" -ge "$jobs" ]; then wait -n; running=$((running - 1)); fi
  done
  while [ "$running" -gt 0 ]; do wait -n; running=$((running - 1)); done
  grep -h 'number_of_executed_units' build/fuzz/fuzz_*.log
}
step_arm() {
  build aarch64
  ctest --preset aarch64 -j "$jobs"
}

steps=("$@")
[ ${#steps[@]} -gt 0 ] || steps=(setup style gcc conformance models asan)
for step in "${steps[@]}"; do
  say "$step"
  "step_$step"
done
say "all good"
