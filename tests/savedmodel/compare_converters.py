"""The same SavedModels through fewbits and TensorFlow's converter: operators, seconds, peak memory. Prints a Markdown table.

    compare_converters.py FEWBITS NAME=SAVED_MODEL...
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import support

CONVERTER = """
import os, sys
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
import tensorflow as tf
open(sys.argv[2], 'wb').write(tf.lite.TFLiteConverter.from_saved_model(sys.argv[1]).convert())
"""


def measured(arguments):
    """(succeeded, seconds, peak MB) of a command."""
    begin = time.time()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode == 0, time.time() - begin, usage.ru_maxrss / 1024


def main():
    fewbits = sys.argv[1]
    print("| model | operators: fewbits | TensorFlow | seconds: fewbits | TensorFlow | peak MB: fewbits | TensorFlow |")
    print("|---|---|---|---|---|---|---|")
    for argument in sys.argv[2:]:
        name, source = argument.split("=", 1)
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = pathlib.Path(folder) / "ours.tflite", pathlib.Path(folder) / "theirs.tflite"
            cells = [[], [], []]
            for command, target in (([fewbits, "convert", source, "-o", str(ours)], ours),
                                    ([sys.executable, "-c", CONVERTER, source, str(theirs)], theirs)):
                good, seconds, peak = measured(command)
                try:
                    count = str(len(support.operators(target))) if good else "fails"
                except Exception:  # a file that LiteRT refuses
                    count = "not loadable"
                for column, cell in zip(cells, (count, f"{seconds:.2f}", f"{peak:.0f}")):
                    column.append(cell)
            print("| " + " | ".join([name, *cells[0], *cells[1], *cells[2]]) + " |", flush=True)


if __name__ == "__main__":
    main()
