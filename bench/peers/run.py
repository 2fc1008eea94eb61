#!/usr/bin/env python3
"""Times fewbits beside other engines on the same .tflite files, in interleaved fresh processes, and writes the table.

    bench/peers/run.py FOLDER... [--modes strict,float32,float16,weights,int8,given] [--threads 1,2] [--rounds 5]
                       [--peer NAME=PYTHON]... [--write docs/performance.md]

A FOLDER holds float.tflite and is named after its network; fewbits makes the other modes of it (int8 calibrated on random input:
good for speed, not for accuracy); `strict` is the float model under --strict-fp32, which gains are counted from. A .tflite file
instead of a folder is run as it is: the mode `given`. A peer is an adapter of this folder (litert, openvino, openvino_f32) and the
interpreter that has its package.

Before anything is timed each engine's outputs are compared with LiteRT's, and a wrong one is shown as such. A round runs every engine
once, in its own process; a figure is the smallest median of the rounds, beside it how far the rounds' medians lie apart. On a machine
that is shared with others, --cpu takes the processor time of a run instead, which waiting for a core does not lengthen.
"""

import argparse
import json
import os
import pathlib
import platform
import resource
import subprocess
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FEWBITS = pathlib.Path(os.environ.get("FEWBITS", ROOT / "build" / "release" / "fewbits"))
LEAST_MS = 500  # that a round of runs takes at least
TYPES = {"float32": np.float32, "int8": np.int8, "uint8": np.uint8, "int16": np.int16, "int32": np.int32, "int64": np.int64}


def fewbits(*arguments):
    done = subprocess.run([FEWBITS, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"fewbits {arguments[0]}: {done.stderr.strip()[-400:]}")
    return done.stdout


def inputs_of(model):
    entries = json.loads(fewbits("inspect", model, "--json"))["inputs"]
    return [{**entry, "shape": [abs(size) for size in entry["shape"]]} for entry in entries]


def random_arrays(model, samples, seed):
    """One array an input, `samples` first (each of the model's own batch of 1)."""
    random = np.random.default_rng(seed)
    arrays = {}
    for entry in inputs_of(model):
        shape, dtype = [samples, *entry["shape"][1:]] if samples > 1 else entry["shape"], TYPES[entry["dtype"]]
        if dtype == np.float32:
            arrays[entry["name"]] = random.uniform(-1, 1, shape).astype(dtype)
        elif dtype in (np.int32, np.int64):
            arrays[entry["name"]] = random.integers(0, 2 if "mask" in entry["name"] else 1000, shape).astype(dtype)
        else:
            limits = np.iinfo(dtype)
            arrays[entry["name"]] = random.integers(limits.min, limits.max, shape, endpoint=True).astype(dtype)
    return arrays


def model_of(source, mode, folder):
    if mode in ("strict", "float32", "given"):
        return source
    target = folder / f"{mode}.tflite"
    extra = []
    if mode.startswith("int"):
        np.savez(folder / "samples.npz", **random_arrays(source, 4, 1))
        extra = ["--calibrate", folder / "samples.npz"]
    fewbits("quantize", source, "-o", target, "--mode", mode, "--quiet", *extra)
    return target


def cpu_ms_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (usage.ru_utime + usage.ru_stime) * 1e3


class Engine:
    """Runs a model in a fresh process: measure() gives its times, and its outputs land in self.outputs."""

    def __init__(self, name, folder, python=None):
        self.name, self.python, self.outputs = name, python, folder / f"{name}.npz"
        self.flags = []  # of fewbits

    def measure(self, model, threads, inputs, runs):
        if self.python is None:
            fewbits("run", model, "--input", inputs, "-o", self.outputs, "--threads", threads, "--quiet", *self.flags)
            before = cpu_ms_of_children()
            fewbits("bench", model, "--threads", threads, "--runs", 1, "--warmup", 0, "--json", *self.flags)
            start = cpu_ms_of_children()  # what planning and starting cost
            times = json.loads(fewbits("bench", model, "--threads", threads, "--runs", runs + 1, "--warmup", 0, "--json", *self.flags))
            times["cpu_ms"] = max(0.0, (cpu_ms_of_children() - start) - (start - before)) / runs
            return times
        env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
        if self.name.endswith("_f32"):
            env["FEWBITS_PEER_F32"] = "1"
        script = HERE / f"{self.name.removesuffix('_f32')}.py"
        command = [self.python, script, model, threads, inputs, self.outputs, runs, 5]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=env)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip().splitlines()[-1][:200] if done.stderr.strip() else "it died")
        return json.loads(done.stdout.strip().splitlines()[-1])

    def results(self):
        with np.load(self.outputs) as arrays:
            return [arrays[name] for name in arrays.files]


def difference(ours, theirs):
    """The mean distance between two engines' outputs, as a share of the outputs' spread; output order may differ."""
    worst = 0.0
    for a in ours:
        same = [b for b in theirs if b.size == a.size]
        if not same:
            return float("inf")
        flat = a.ravel().astype(np.float64)
        worst = max(worst, min(float(np.abs(flat - b.ravel()).mean() / (flat.std() + 1e-9)) for b in same))
    return worst


def outputs_of_float(source, engines, inputs):
    """What the first peer that can run it (or fewbits) makes of the float model: how coarse a mode is shows against it."""
    for engine in [*engines[1:], engines[0]]:
        try:
            engine.measure(source, 1, inputs, 1)
            return engine.results()
        except RuntimeError:
            pass
    return None


def time_model(model, threads, engines, rounds, runs, figure, folder, source=None):
    """{engine: (best figure, spread) or a reason}. source: the float model that `model` was made of."""
    inputs = folder / "inputs.npz"
    np.savez(inputs, **random_arrays(model, 1, 2))
    exact = outputs_of_float(source, engines, inputs) if source else None
    figures = {engine.name: [] for engine in engines}
    failed = {}
    for engine in engines:
        try:
            once = engine.measure(model, threads, inputs, 1)["min_ms"]
            runs = max(runs, int(LEAST_MS / max(once, 0.01))) if engine is engines[0] else runs
        except RuntimeError as error:
            failed[engine.name] = str(error)
    reference = next((e for e in engines if e.name == "litert" and e.name not in failed), engines[0])
    coarseness = difference(exact, reference.results()) if exact else 0
    for engine in engines:
        if engine.name not in failed and difference(reference.results(), engine.results()) > 0.05 + 2 * min(coarseness, 0.2):
            failed[engine.name] = "other results"
    for _ in range(rounds):
        for engine in engines:
            if engine.name not in failed:
                figures[engine.name].append(engine.measure(model, threads, inputs, runs)[figure])
    spread = lambda values: (max(values) - min(values)) / min(values)  # noqa: E731
    return {name: failed.get(name) or (min(values), spread(values)) for name, values in figures.items()}


def machine():
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    flags = next((line for line in open("/proc/cpuinfo") if line.startswith("flags")), "")
    found = [name for name in ("avx2", "avx512f", "avx512_vnni", "amx_int8") if name in flags.split()]
    return f"{cpu}, {os.cpu_count()} cores, {' '.join(found)}"


def show(figure):
    return figure if isinstance(figure, str) else f"{figure[0]:.3g} ({figure[1] * 100:.0f} %)"


def table(rows, engines):
    names = [engine.name for engine in engines]
    lines = ["| network | mode | threads | " + " | ".join(names) + " | ours / best peer | float / this, ours |",
             "|" + "---|" * (len(names) + 5)]
    floats = {}
    for network, mode, threads, figures in rows:
        if mode == "strict" or (mode == "float32" and (network, threads) not in floats):
            floats[network, threads] = figures["fewbits"]
    for network, mode, threads, figures in rows:
        ours = figures["fewbits"]
        peers = [figure[0] for name, figure in figures.items() if name != "fewbits" and not isinstance(figure, str)]
        ratio = f"{ours[0] / min(peers):.2f}" if peers and not isinstance(ours, str) else ""
        base = floats.get((network, threads))
        gain = f"{base[0] / ours[0]:.2f}" if base and not isinstance(base, str) and not isinstance(ours, str) else ""
        lines.append(f"| {network} | {mode} | {threads} | " + " | ".join(show(figures[n]) for n in names) + f" | {ratio} | {gain} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--modes", default="strict,float32,float16,weights,int8")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--write", type=pathlib.Path)
    options = parser.parse_args()
    figure = "cpu_ms" if options.cpu else "median_ms"
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        engines = [Engine("fewbits", folder), *(Engine(name, folder, python) for name, python in (p.split("=") for p in options.peer))]
        for model in options.models:
            source = model / "float.tflite" if model.is_dir() else model
            for mode in options.modes.split(",") if model.is_dir() else ["given"]:
                try:
                    made = model_of(source, mode, folder)
                except RuntimeError as error:
                    print(f"{model.name} {mode}: {error}", file=sys.stderr)
                    continue
                engines[0].flags = ["--strict-fp32"] if mode == "strict" else []
                for threads in options.threads.split(","):
                    figures = time_model(made, threads, engines, options.rounds, options.runs, figure, folder,
                                        source if mode not in ("strict", "float32") and model.is_dir() else None)
                    rows.append((model.stem, mode, threads, figures))
                    print(f"{model.stem:16} {mode:8} {threads}  " + "  ".join(f"{k} {show(v)}" for k, v in figures.items()), flush=True)
        text = table(rows, engines)
    print(text)
    if options.write:
        command = " ".join(sys.argv[1:])
        options.write.write_text(
            f"# Performance\n\nMilliseconds of one run: the {'processor time' if options.cpu else 'smallest median'} of interleaved rounds in "
            f"fresh processes, in brackets how far the rounds lie apart.\nEvery engine's outputs were compared before it was timed.\n\nMachine: {machine()}.\n"
            f"Written by `bench/peers/run.py {command}`.\n\n{text}\n")


if __name__ == "__main__":
    main()
