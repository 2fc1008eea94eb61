"""What the tests of the command line share. ctest sets FEWBITS (the program) and FEWBITS_TEST_MODELS (what make_test_models wrote)."""

import json
import os
import pathlib
import subprocess

FEWBITS = os.environ["FEWBITS"]
MODELS = pathlib.Path(os.environ["FEWBITS_TEST_MODELS"])
CLASSIFIER = str(MODELS / "classifier.tflite")
ADDER = str(MODELS / "adder.tflite")
UNKNOWN = str(MODELS / "unknown.tflite")
PICTURES = str(MODELS / "pictures.npz")


def run(*args, code=0):
    """Runs fewbits and checks its exit code; gives what it printed."""
    done = subprocess.run([FEWBITS, *map(str, args)], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def run_json(*args, code=0):
    return json.loads(run(*args, "--json", code=code).stdout)
