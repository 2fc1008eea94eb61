#!/usr/bin/env python3
"""The same SavedModels through fewbits and TensorFlow's converter: operators, seconds and peak memory, in one interleaved run.

    bench/importers.py --peers PYTHON --applications FOLDER [--models FOLDER] [--rounds 3] [--write docs/tensorflow.md]

PYTHON is an interpreter with tensorflow and ai-edge-litert. FOLDER is where tests/savedmodel/make_models.py put its networks;
--models is where shared/tools/make_models.py put its own (effdet_d0, ...). Each figure is of a fresh process: the median of the
rounds' wall time, the largest of their peak resident sets. The table goes between the marks in the file that --write names.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
FEWBITS = os.environ.get("FEWBITS", str(ROOT / "build" / "release" / "fewbits"))
BEGIN, END = "<!-- bench/importers.py -->", "<!-- end -->"

CONVERT = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf
open(sys.argv[2], "wb").write(tf.lite.TFLiteConverter.from_saved_model(sys.argv[1]).convert())
"""

# In a process of its own: LiteRT aborts on some of TensorFlow's files.
COUNT = """
import sys
from ai_edge_litert.interpreter import Interpreter
model = Interpreter(sys.argv[1])
model.allocate_tensors()
names = [op["op_name"] for op in model._get_ops_details() if op["op_name"] != "DELEGATE"]
print(len(names), names.count("TRANSPOSE"))
"""

# A process begins with the peak of the one that started it: this one is small.
MEASURE = """
import os, subprocess, sys, time
started = time.monotonic()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(status == 0, time.monotonic() - started, usage.ru_maxrss / 1024)
"""


def measure(arguments):
    """(succeeded, seconds, peak MB) of one process."""
    done = subprocess.run([sys.executable, "-S", "-c", MEASURE, *map(str, arguments)], capture_output=True, text=True, check=True)
    good, seconds, megabytes = done.stdout.split()
    return good == "True", float(seconds), float(megabytes)


def operators(peers, path):
    done = subprocess.run([peers, "-c", COUNT, str(path)], capture_output=True, text=True)
    return done.stdout.split() if done.returncode == 0 else None


def sources(applications, models):
    found = {}
    for folder in (models, applications):
        for saved in sorted(folder.glob("*/saved_model")) if folder else []:
            found[saved.parent.name] = saved
    for name, member in (("EfficientNet-Lite0, trained", "efficientnet_lite0/saved_model"), ("kws", "mlperf_tiny/kws_saved_model")):
        saved = pathlib.Path(os.environ.get("FEWBITS_SHARED", ROOT.parent / "shared")) / "data" / "models" / member
        if saved.exists():
            found[name] = saved
    return found


def row(name, source, peers, rounds, folder):
    ours, theirs = folder / "ours.tflite", folder / "theirs.tflite"
    runs = {ours: [], theirs: []}
    for _ in range(rounds):
        runs[ours].append(measure([FEWBITS, "convert", source, "-o", ours]))
        runs[theirs].append(measure([peers, "-c", CONVERT, source, theirs]))
    cells = [name, f"{ours.stat().st_size / 1e6:.1f}"]
    counts = {path: operators(peers, path) if runs[path][-1][0] else None for path in (ours, theirs)}
    for path in (ours, theirs):
        cells.append("fails" if not runs[path][-1][0] else "not loadable" if counts[path] is None else counts[path][0])
    cells.append("-" if counts[ours] is None else counts[ours][1])
    for index, spread, form in ((1, statistics.median, "{:.2f}"), (2, max, "{:.0f}")):
        values = [spread(run[index] for run in runs[path]) for path in (ours, theirs)]
        cells += [form.format(value) for value in values]
    for path in (ours, theirs):
        path.unlink(missing_ok=True)
    return "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", required=True)
    parser.add_argument("--applications", type=pathlib.Path, required=True)
    parser.add_argument("--models", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=pathlib.Path)
    flags = parser.parse_args()
    lines = ["| model | MB of .tflite | operators: fewbits | TensorFlow | TRANSPOSE | seconds: fewbits | TensorFlow | peak MB: fewbits | "
             "TensorFlow |", "|" + "---|" * 9]
    with tempfile.TemporaryDirectory() as folder:
        for name, source in sources(flags.applications, flags.models).items():
            lines.append(row(name, source, flags.peers, flags.rounds, pathlib.Path(folder)))
            print(lines[-1], flush=True)
    if flags.write:
        text = flags.write.read_text()
        begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
        flags.write.write_text(text[:begin] + "\n" + "\n".join(lines) + "\n" + text[end:])


if __name__ == "__main__":
    main()
