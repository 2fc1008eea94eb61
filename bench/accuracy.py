#!/usr/bin/env python3
"""What each mode costs in accuracy: calibrated on some samples, scored on the others, peers on the same files beside us.

    bench/accuracy.py [--shared FOLDER] [--peers PYTHON] [--write docs/accuracy.md]

PYTHON is an interpreter with litert-quantizer and ai-edge-litert; without it the table has our rows only. All files are scored by
fewbits, whose answers tests/models holds to LiteRT's. Needs numpy and Pillow.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[1]
FEWBITS = ROOT / "build" / "release" / "fewbits"
IMAGENET = ["--resize", "256", "--crop", "224", "--interpolation", "bicubic"]
MODELS = {
    "EfficientNet-Lite0": ("efficientnet_lite0/float.tflite", "imagenet_500",
                           IMAGENET + ["--scale", str(1 / 255), "--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225"], None),
    "MobileNetV1-0.25": ("mobilenet_v1_025_float.tflite", "imagenet_500", IMAGENET + ["--mean", "127.5", "--std", "127.5"],
                         "mobilenet_v1_025_qat_uint8.tflite"),
    "VWW": ("mlperf_tiny/vww_float.tflite", "imagenet_500", ["--resize", "96", "--crop", "96", "--scale", str(1 / 255)],
            "mlperf_tiny/vww_int8.tflite"),
    "ResNet8": ("mlperf_tiny/resnet8_float.tflite", "cifar10_1000.npz", [], "mlperf_tiny/resnet8_int8.tflite"),
    "Wake word": ("mlperf_tiny/wakeword.h5", "wakeword_45.npz", [], "mlperf_tiny/wakeword_int8.tflite"),
}
CALIBRATION_SAMPLES = 100
MODES = ["weights", "float16", "int8", "int16x8"]
PEER_KINDS = ["weights", "int8", "int8-minmax"]


def fewbits(*arguments):
    done = subprocess.run([str(FEWBITS), *map(str, arguments), "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"fewbits {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def split(source, folder):
    """Every fifth sample, or fewer where that makes more than 100, to calibrate on, the others to score on: two folders or two archives."""
    if source.is_dir():
        files = sorted(p for p in source.iterdir() if p.suffix in (".jpg", ".png"))
        chosen = set(files[::max(5, len(files) // CALIBRATION_SAMPLES)][:CALIBRATION_SAMPLES])
        for name, keep in (("calibrate", chosen), ("score", set(files) - chosen)):
            (folder / name).mkdir()
            for file in keep:
                (folder / name / file.name).symlink_to(file)
        return folder / "calibrate", folder / "score"
    with np.load(source) as arrays:
        count = len(arrays["labels"])
        chosen = np.arange(0, count, max(5, count // CALIBRATION_SAMPLES))[:CALIBRATION_SAMPLES]
        rest = np.setdiff1d(np.arange(count), chosen)
        for name, indices in (("calibrate", chosen), ("score", rest)):
            np.savez(folder / f"{name}.npz", **{k: arrays[k][indices] for k in arrays.files if arrays[k].ndim})
    return folder / "calibrate.npz", folder / "score.npz"


def peer_samples(data, flags, size, folder):
    """The calibration samples as one float array, prepared as fewbits prepares them (Pillow's resize), for the peers."""
    options = dict(zip(flags[::2], flags[1::2]))
    scale = float(options.get("--scale", 1))
    mean, std = (np.array([float(x) for x in options.get(k, d).split(",")], np.float32) for k, d in (("--mean", "0"), ("--std", "1")))
    if data.is_dir():
        pixels = []
        for path in sorted(data.iterdir()):
            picture = Image.open(path).convert("RGB")
            factor = int(options["--resize"]) / min(picture.size)
            method = Image.BICUBIC if options.get("--interpolation") == "bicubic" else Image.BILINEAR
            picture = picture.resize([int(side * factor) for side in picture.size], method)
            left, top = (picture.width - size) // 2, (picture.height - size) // 2
            pixels.append(np.asarray(picture.crop((left, top, left + size, top + size))))
    else:
        with np.load(data) as arrays:
            pixels = arrays[next(name for name in arrays.files if name != "labels")]
    np.savez(folder / "peer.npz", x=((np.stack(pixels).astype(np.float32) * scale - mean) / std).astype(np.float32))
    return folder / "peer.npz"


def score(model, float_model, data, flags, labels):
    """top-1 where there are labels, agreement and SQNR against float, and the file's size."""
    output = fewbits("compare", float_model, model, "--data", data, *flags)["outputs"][0]
    top1 = f"{fewbits('eval', model, '--data', data, *flags)['top1']:.3f}" if labels else ""
    sqnr = "exact" if output.get("exact") else f"{output['mean_sqnr_db']:.2f}"
    return f"{top1} | {output['agreement']:.3f} | {sqnr} | {pathlib.Path(model).stat().st_size / 1e6:.3f}"


def table(name, shared, peers, folder):
    file, data, flags, official = MODELS[name]
    source = shared / "models" / file
    if source.suffix != ".tflite":
        fewbits("convert", source, "-o", folder / "float.tflite")
        source = folder / "float.tflite"
    labels = name != "VWW"  # its pictures carry no person label here
    calibration, scored = split(shared / "sets" / data, folder)
    yield f"\n## {name}\n\n| | top-1 | agreement | SQNR dB | MB |\n|---|---|---|---|---|"
    yield f"| float32 | {score(source, source, scored, flags, labels)} |"
    for mode in MODES:
        target = folder / f"{mode}.tflite"
        calibrate = [] if mode in ("weights", "float16") else ["--calibrate", calibration, *flags]
        fewbits("quantize", source, "-o", target, "--mode", mode, *calibrate)
        yield f"| **fewbits {mode}** | {score(target, source, scored, flags, labels)} |"
    for kind in PEER_KINDS if peers else []:
        target = folder / f"peer_{kind}.tflite"
        samples = peer_samples(calibration, flags, int(dict(zip(flags[::2], flags[1::2])).get("--crop", 0)), folder)
        done = subprocess.run([peers, str(ROOT / "bench" / "peer_quantize.py"), kind, str(source), str(target), str(samples)],
                              capture_output=True, text=True)
        if done.returncode != 0:
            yield f"| LiteRT Quantizer {kind} | fails: {done.stderr.strip().splitlines()[-1][:90]} | | | |"
            continue
        yield f"| LiteRT Quantizer {kind} | {score(target, source, scored, flags, labels)} |"
    if official:
        yield f"| the official integer file | {score(shared / 'models' / official, source, scored, flags, labels)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=pathlib.Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--peers")
    parser.add_argument("--write", type=pathlib.Path)
    arguments = parser.parse_args()
    lines = ["# What each mode costs", "",
             "Made by `bench/accuracy.py`: calibrated on every fifth sample (at most 100), scored on all others. Agreement is how often the",
             "largest output is the float model's; SQNR is the mean of the samples' own. The pictures of VWW carry no person",
             "label here, so its top-1 is left out of account."]
    for name in MODELS:
        with tempfile.TemporaryDirectory() as folder:
            for line in table(name, arguments.shared, arguments.peers, pathlib.Path(folder)):
                print(line, flush=True)
                lines.append(line)
    if arguments.write:
        arguments.write.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
