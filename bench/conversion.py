#!/usr/bin/env python3
"""Seconds and peak memory of conversion, fewbits beside TensorFlow's converter in one interleaved run, and memory against sample count.

    bench/conversion.py [--shared FOLDER] [--peers PYTHON] [--rounds N] [--write docs/conversion.md]

PYTHON is an interpreter with tensorflow; without it the table has our rows only. Each figure is of a fresh process: the median of
the rounds' wall time, and the largest of their peak resident sets. TensorFlow reads EfficientNet-Lite0's SavedModel, fewbits its
float .tflite; both calibrate on the same 100 pictures, which TensorFlow gets decoded and cropped already. Needs numpy and Pillow.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from accuracy import FEWBITS, MODELS, ROOT, peer_samples, split  # noqa: E402

TENSORFLOW = """
import sys
import numpy as np
import tensorflow as tf
folder, mode, samples, target = sys.argv[1:5]
converter = tf.lite.TFLiteConverter.from_saved_model(folder)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
if mode == "float16":
    converter.target_spec.supported_types = [tf.float16]
if mode == "int8":
    array = np.load(samples)["x"]
    converter.representative_dataset = lambda: ([sample[None]] for sample in array)
open(target, "wb").write(converter.convert())
"""


# A process begins with the peak of the one that started it: this one is small.
MEASURE = """
import os, subprocess, sys, time
started = time.monotonic()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(time.monotonic() - started, usage.ru_maxrss / 1024)
sys.exit(status != 0)
"""


def measure(arguments):
    """(seconds, peak MB) of one process."""
    done = subprocess.run([sys.executable, "-S", "-c", MEASURE, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{arguments[:2]}: {done.stderr[-500:]}")
    seconds, megabytes = map(float, done.stdout.split())
    return seconds, megabytes


def rows(shared, peers, rounds, folder):
    file, data, flags, _ = MODELS["EfficientNet-Lite0"]
    source = shared / "models" / file
    calibration, _ = split(shared / "sets" / data, folder)
    samples = peer_samples(calibration, flags, 224, folder)
    commands = {}
    for mode in ("weights", "float16", "int8"):
        calibrate = ["--calibrate", calibration, *flags] if mode == "int8" else []
        commands[mode, "fewbits"] = [FEWBITS, "quantize", source, "-o", folder / "ours.tflite", "--mode", mode, *calibrate]
        if peers:
            commands[mode, "TensorFlow"] = [peers, "-c", TENSORFLOW, source.parent / "saved_model", mode, samples, folder / "theirs.tflite"]
    measured = {key: [] for key in commands}
    for _ in range(rounds):
        for key, command in commands.items():
            measured[key].append(measure(command))
    yield "| mode | converter | seconds | peak MB | TensorFlow's / ours: seconds | memory |\n|---|---|---|---|---|---|"
    result = {key: (statistics.median(s for s, _ in runs), max(m for _, m in runs)) for key, runs in measured.items()}
    for (mode, who), (seconds, memory) in result.items():
        ratio = ""
        if who == "fewbits" and peers:
            theirs = result[mode, "TensorFlow"]
            ratio = f"{theirs[0] / seconds:.1f} | {theirs[1] / memory:.1f}"
        yield f"| {mode} | {who} | {seconds:.2f} | {memory:.0f} | {ratio or ' | '} |"


def memory_rows(shared, folder):
    """Peak memory of calibrating on 50 and on 5,000 samples: of an archive, and of a folder of pictures (100 of them, named 50 times)."""
    source = shared / "models" / MODELS["EfficientNet-Lite0"][0]
    flags = MODELS["EfficientNet-Lite0"][2]
    pictures = sorted((shared / "sets" / "imagenet_500").glob("*.jpg"))[:100]
    resnet = shared / "models" / MODELS["ResNet8"][0]
    yield "| data | samples | peak MB |\n|---|---|---|"
    for count in (50, 5000):
        data = folder / f"cifar_{count}.npz"
        with np.load(shared / "sets" / "cifar10_1000.npz") as arrays:
            images = arrays["images"]
        np.savez(data, images=np.concatenate([images] * (1 + count // len(images)))[:count])
        _, memory = measure([FEWBITS, "calibrate", resnet, "--data", data, "-o", folder / "ranges.json", "--samples", count])
        yield f"| ResNet8, .npz of {data.stat().st_size / 1e6:.0f} MB | {count} | {memory:.0f} |"
    for count in (50, 5000):
        data = folder / f"pictures_{count}"
        data.mkdir()
        for index in range(count):
            (data / f"{index:05d}.jpg").symlink_to(pictures[index % len(pictures)])
        _, memory = measure([FEWBITS, "calibrate", source, "--data", data, "-o", folder / "ranges.json", "--samples", count, *flags])
        yield f"| EfficientNet-Lite0, folder of pictures | {count} | {memory:.0f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=pathlib.Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--peers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=pathlib.Path)
    arguments = parser.parse_args()
    lines = ["# What conversion costs", "",
             "Made by `bench/conversion.py`: EfficientNet-Lite0, interleaved fresh processes on one machine (int8 with 100 pictures).", ""]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for part in (rows(arguments.shared, arguments.peers, arguments.rounds, folder), ["\nMemory does not grow with the samples:\n"],
                     memory_rows(arguments.shared, folder)):
            for line in part:
                print(line, flush=True)
                lines.append(line)
    if arguments.write:
        arguments.write.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
