"""The fewbits command line, as tests call it."""

import json
import os
import pathlib
import subprocess

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("FEWBITS_BINARY", str(ROOT / "build" / "release" / "fewbits"))


def fewbits(*arguments, check=True):
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True)
    if check and done.returncode != 0:
        raise AssertionError(f"fewbits {' '.join(map(str, arguments))} gave {done.returncode}: {done.stderr[-2000:]}")
    return done


def fewbits_json(*arguments):
    return json.loads(fewbits(*arguments, "--json").stdout)


def run(model, inputs, folder):
    """Runs a list of {name: array} and gives a list of {output name: array}."""
    answers = []
    for i, feed in enumerate(inputs):
        source, target = folder / f"in{i}.npz", folder / f"out{i}.npz"
        np.savez(source, **feed)
        fewbits("run", model, "--input", source, "-o", target)
        with np.load(target) as arrays:
            answers.append({name: arrays[name] for name in arrays.files})
    return answers


def save_samples(inputs, path):
    """Representative data: one array per input, samples first, without the batch dimension of 1."""
    np.savez(path, **{name: np.concatenate([feed[name] for feed in inputs]) for name in inputs[0]})
