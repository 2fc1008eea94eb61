#!/usr/bin/env python3
"""Writes the starting corpus of every fuzz target: small valid files for it to break.

    fuzz/seeds.py OUT_FOLDER CONFORMANCE_FOLDER
"""

import io
import json
import pathlib
import sys
import wave

import numpy as np
from PIL import Image

ONNX_NODES = pathlib.Path("/usr/share/libonnx-testdata/data/node")


def main():
    out, cases = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])

    def seed(target, name, data):
        (out / target).mkdir(parents=True, exist_ok=True)
        (out / target / name).write_bytes(data)

    # The smallest model of each operator and type: every options table and shape rule is within reach of a few flips.
    smallest = {}
    for entry in json.loads((cases / "manifest.json").read_text()):
        path = cases / entry["family"] / f"{entry['name']}.tflite"
        key = entry["op"], entry["dtype"]
        if key not in smallest or path.stat().st_size < smallest[key].stat().st_size:
            smallest[key] = path
    for path in smallest.values():
        if path.stat().st_size < 4096:
            seed("tflite", path.name, path.read_bytes())
            seed("run", path.name, path.read_bytes())

    rng = np.random.default_rng(1)
    for dtype in ("<f4", ">i2", "|u1", "<c8", "|b1"):
        array = rng.integers(0, 2, (2, 3)).astype(dtype)
        buffer = io.BytesIO()
        np.save(buffer, np.asfortranarray(array) if dtype == "<f4" else array)
        seed("npy", f"{dtype[1:]}.npy", buffer.getvalue())
    for name, save in (("stored", np.savez), ("deflated", np.savez_compressed)):
        buffer = io.BytesIO()
        save(buffer, a=np.arange(6, dtype=np.float32), labels=np.arange(3))
        seed("npz", f"{name}.npz", buffer.getvalue())
    picture = Image.fromarray(rng.integers(0, 256, (9, 7, 3), dtype=np.uint8))
    for kind in ("PNG", "JPEG"):
        for mode in ("RGB", "L", "RGBA" if kind == "PNG" else "CMYK"):
            buffer = io.BytesIO()
            picture.convert(mode).save(buffer, kind)
            seed("image", f"{mode}.{kind.lower()}", buffer.getvalue())
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(2), sound.setsampwidth(2), sound.setframerate(8000)
        sound.writeframes(rng.integers(-999, 999, 64, dtype=np.int16).tobytes())
    seed("audio", "tone.wav", buffer.getvalue())
    keras_layers = [{"class_name": name, "name": name, "config": config} for name, config in [
        ("InputLayer", {"batch_shape": [None, 8, 8, 3]}), ("ZeroPadding2D", {"padding": [[0, 1], [2, 3]]}),
        ("MaxPooling2D", {"pool_size": [2, 2], "strides": None, "padding": "same"}), ("ReLU", {"max_value": 6.0}),
        ("Reshape", {"target_shape": [-1, 3]}), ("Permute", {"dims": [2, 1]}), ("Activation", {"activation": "gelu"}),
        ("GlobalAveragePooling1D", {})]]
    seed("keras", "sequential.json", json.dumps({"class_name": "Sequential", "config": {"layers": keras_layers}}).encode())
    functional = [dict(layer, inbound_nodes=[[[before["name"], 0, 0, {}]]] if before else [])
                  for before, layer in zip([None, *keras_layers], keras_layers)]
    seed("keras", "functional.json", json.dumps({"class_name": "Functional", "config": {
        "layers": functional, "input_layers": [["InputLayer", 0, 0]],
        "output_layers": [["GlobalAveragePooling1D", 0, 0]]}}).encode())
    # ONNX's own tests (Debian's libonnx-testdata): a graph or more of every operator.
    for path in sorted(ONNX_NODES.glob("*/model.onnx")):
        if path.stat().st_size < 4096:
            seed("onnx", path.parent.name + ".onnx", path.read_bytes())
    seed("statistics", "one.json", json.dumps({
        "format": "fewbits-statistics", "version": 1, "model": "00", "samples": 2,
        "preprocess": {"resize_short": 0, "crop": 0, "fit": "crop", "interpolation": "bilinear", "channel_order": "rgb",
                       "layout": "nhwc", "scale": 1.0, "mean": [], "std": []},
        "tensors": [{"graph": 0, "value": 3, "name": "x", "samples": 2, "min": -1.0, "max": 2.0, "first": [-1.0, 2.0],
                     "rest": [-0.1, 0.2]}]}).encode())


if __name__ == "__main__":
    main()
