#!/usr/bin/env python3
"""The same SavedModels through fewbits and TensorFlow's converter: operators, seconds and peak memory, in one interleaved run. Then the
memory of fewbits alone, from every format.

    bench/importers.py --peers PYTHON --applications FOLDER [--models FOLDER] [--onnx FILE ...] [--rounds 3] [--only memory]
                       [--write docs/tensorflow.md]

PYTHON is an interpreter with tensorflow and ai-edge-litert. FOLDER is where tests/savedmodel/make_models.py put its networks;
--models is where shared/tools/make_models.py put its own (effdet_d0, ...). Each figure is of a fresh process: the median of the
rounds' wall time, the largest of their peak resident sets (needs Debian's package time). The tables go between the marks in the file that --write names.
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
MARKS = {"peers": "<!-- bench/importers.py -->", "memory": "<!-- bench/importers.py: memory -->"}
END = "<!-- end -->"
FORMS = {"SavedModel": "saved_model", ".keras": "model.keras", ".h5": "model.h5"}

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


def against_peers(flags, folder):
    yield ("| model | MB of .tflite | operators: fewbits | TensorFlow | TRANSPOSE | seconds: fewbits | TensorFlow | peak MB: fewbits | "
           "TensorFlow |")
    yield "|" + "---|" * 9
    for name, source in sources(flags.applications, flags.models).items():
        yield row(name, source, flags.peers, flags.rounds, folder)


def memory_row(name, form, source, rounds, idle, folder):
    target = folder / "ours.tflite"
    runs = [measure([FEWBITS, "convert", source, "-o", target]) for _ in range(rounds)]
    if not runs[-1][0]:
        return f"| {name} | {form} | - | fails | - | - |"
    size, peak = target.stat().st_size / 1e6, max(run[2] for run in runs) * 1.048576
    if size < 1:
        return None  # the program itself
    return f"| {name} | {form} | {size:.1f} | {peak:.0f} | {peak / size:.2f} | {(peak - idle) / size:.2f} |"


def memory(flags, folder):
    """Peak memory as a part of the .tflite's size, as it is and without what the program takes to say its version."""
    # Python is larger: Debian's time(1) is not.
    command = ["/usr/bin/time", "-f", "%M", FEWBITS, "--version"]
    idle = max(int(subprocess.run(command, capture_output=True, text=True, check=True).stderr) for _ in range(flags.rounds)) * 1024 / 1e6
    yield f"| model | from | MB of .tflite | peak MB | peak / model | peak less {idle:.0f} MB / model |"
    yield "|" + "---|" * 6
    for models in (flags.applications, flags.models):
        for model in sorted(models.iterdir()) if models else []:
            for form, member in FORMS.items():
                if (model / member).exists():
                    yield memory_row(model.name, form, model / member, flags.rounds, idle, folder)
    for path in flags.onnx:
        yield memory_row(path.stem if path.stem != "model" else path.parent.name, "ONNX", path, flags.rounds, idle, folder)


TABLES = {"peers": against_peers, "memory": memory}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", required=True)
    parser.add_argument("--applications", type=pathlib.Path, required=True)
    parser.add_argument("--models", type=pathlib.Path)
    parser.add_argument("--onnx", type=pathlib.Path, nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=list(TABLES))
    parser.add_argument("--write", type=pathlib.Path)
    flags = parser.parse_args()
    for kind in [flags.only] if flags.only else TABLES:
        lines = []
        with tempfile.TemporaryDirectory() as folder:
            for line in filter(None, TABLES[kind](flags, pathlib.Path(folder))):
                lines.append(line)
                print(line, flush=True)
        if flags.write:
            text = flags.write.read_text()
            begin = text.index(MARKS[kind]) + len(MARKS[kind])
            end = text.index(END, begin)
            flags.write.write_text(text[:begin] + "\n" + "\n".join(lines) + "\n" + text[end:])


if __name__ == "__main__":
    main()
