#!/usr/bin/env bash
# Installs what fewbits is built and tested with, on Debian 12: packages as root, the test oracle into .venv.
#
#   tools/setup.sh [build|test|python|pages]    build: what the product needs (default); test: that, and all that the tests need;
#                                               python: that of build, and what the Python package and its tests need;
#                                               pages: that of build, and what the site needs
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-build}
packages=(g++ cmake ninja-build pkg-config flatbuffers-compiler libflatbuffers-dev libfmt-dev libxxhash-dev libexpected-dev
  libcli11-dev nlohmann-json3-dev libzip-dev libpng-dev libjpeg62-turbo-dev libsndfile1-dev
  libprotobuf-dev protobuf-compiler libleveldb-dev libsnappy-dev libhdf5-dev python3 python3-venv git)
if [ "$what" = test ]; then
  packages+=(libgtest-dev libgmock-dev libonnx-testdata clang-19 libclang-rt-19-dev clang-format-19 clang-tidy-19
    g++-aarch64-linux-gnu qemu-user-static)
fi
if [ "$what" = python ]; then
  packages+=(python3-dev chromium chromium-driver libonnx-testdata espeak-ng)
fi
if [ "$what" = pages ]; then
  packages+=(doxygen)
fi
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  sudo=$([ "$(id -u)" = 0 ] || echo sudo)
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
# The Python that the tests use; the product needs none.
if [ ! -x .venv/bin/python ]; then
  python3 -m venv .venv
fi
if [ "$what" = test ]; then
  .venv/bin/pip install --quiet --disable-pip-version-check -r tests/requirements.txt
fi
