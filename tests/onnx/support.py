"""ONNX models through ONNX Runtime, and through fewbits and LiteRT."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import packages  # noqa: E402

FEWBITS = os.environ.get("FEWBITS", str(packages.ROOT / "build" / "release" / "fewbits"))
TOLERANCE = 1e-5  # of the output's range


def run(*arguments):
    return subprocess.run([FEWBITS, *map(str, arguments)], capture_output=True, text=True)


def convert(source, target, *arguments):
    """Converts and leaves the layout, so that both sides take and give the same arrays."""
    done = run("convert", source, "-o", target, "--keep-layout", *arguments)
    assert done.returncode == 0, done.stderr
    return target


def onnxruntime_outputs(path, feeds, optimized=True):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds)))


def litert_outputs(path, feeds):
    interpreter = Interpreter(str(path))
    ((key, _),) = interpreter.get_signature_list().items()
    return interpreter.get_signature_runner(key)(**feeds)


def operators(path):
    return [op["op_name"] for op in Interpreter(str(path))._get_ops_details() if op["op_name"] != "DELEGATE"]


def distance(got, wanted):
    """The largest difference as a part of the range of what is wanted."""
    assert got.shape == wanted.shape
    if got.size == 0:
        return 0.0
    return float(np.abs(got.astype(np.float64) - wanted).max()) / max(float(wanted.max() - wanted.min()), 1e-30)


def decibels(got, wanted):
    """How far the signal is above the error."""
    wanted = wanted.astype(np.float64)
    return float(10 * np.log10((wanted**2).sum() / max(((got.astype(np.float64) - wanted) ** 2).sum(), 1e-30)))
