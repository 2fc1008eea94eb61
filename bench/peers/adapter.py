"""What the peers' adapters share: one fresh process loads a model, runs it on given inputs, writes its outputs, and prints its times."""

import json
import statistics
import sys
import time

import numpy as np


def main(load):
    """load(model, threads) gives feed(arrays), run() and outputs()."""
    model, threads, inputs, outputs, runs, warmup = sys.argv[1:7]
    feed, run, results = load(model, int(threads))
    with np.load(inputs) as arrays:
        feed([arrays[name] for name in arrays.files])
    for _ in range(1 + int(warmup)):
        run()
    np.savez(outputs, *results())
    times, cpu = [], time.process_time_ns()
    for _ in range(int(runs)):
        start = time.perf_counter_ns()
        run()
        times.append((time.perf_counter_ns() - start) / 1e6)
    cpu = (time.process_time_ns() - cpu) / 1e6 / len(times)
    print(json.dumps({"median_ms": statistics.median(times), "min_ms": min(times), "cpu_ms": cpu}))
