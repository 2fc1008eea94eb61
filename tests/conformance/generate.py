#!/usr/bin/env python3
"""Writes the conformance suite: single-operator models and what LiteRT's reference kernels answer.

    generate.py OUT_DIR [--family F ...] [--list]

writes OUT_DIR/<family>/<case>.tflite, <case>.npz (in0, in1, .., out0, ..; run k > 0 of a stateful case as in0_runk),
OUT_DIR/manifest.json (one entry per case, below) and OUT_DIR/coverage.json (operator x type -> cases).

    family, name    the files' folder and stem
    op, dtype       the operator under test and its types; hybrid: float activations, int8 weights (per axis, or
                    _per_tensor); int8_int4: int8 activations, int4 weights; _plain: integers without quantization
    kernels         "reference", or "builtin" where LiteRT has no reference kernel (of that version)
    resize          {model input: shape}: set these before allocating; the file leaves those dimensions unknown
    runs            how often the model is fed in one session (default 1); variables keep their state between the runs
    tolerance       {"kind": "int", "max_diff": n}: elements differ by at most n, of all at most `share` if it is there;
                    {"kind": "float", "rel_range": r}: float elements differ by at most r * (max - min of the expected
                    output's finite elements and 0), NaN matches NaN, infinities are equal; other outputs are equal

Every expected value comes from LiteRT. A model that LiteRT does not prepare or run is dropped, counted and reported;
the exit status is 1 if an operator lost all its cases of a type that expectations.py does not list as rejected, or if
one that it lists is no longer rejected, or if an operator of the schema is neither covered nor excused.
"""

import argparse
import collections
import hashlib
import importlib
import json
import pathlib
import pkgutil
import sys
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import expectations  # noqa: E402
import families  # noqa: E402
from oracle import BUILTIN, Oracle, Rejected  # noqa: E402


def family_names():
    return sorted(m.name for m in pkgutil.iter_modules(families.__path__))


def patch_output_shapes(case, outputs):
    """Writes the shapes that the oracle found into the model, so that the file is what a converter would write."""
    graph = case.model.main.table
    for index, array in zip(graph.outputs, outputs):
        tensor = graph.tensors[index]
        if index in graph.inputs:
            continue
        tensor.hasRank = True
        tensor.shape = [1] * array.ndim if case.dynamic else list(array.shape)
        if case.dynamic and array.ndim:
            tensor.shapeSignature = [-1] * array.ndim


def evaluate(oracle, case):
    """(model bytes, outputs per run, kernels): the first run finds the outputs' shapes, the second runs the file."""
    outputs, kernels = oracle.first(
        case.model.tobytes(), case.runs, case.resize, (case.op, case.dtype) in expectations.REFERENCE_BROKEN
    )
    patch_output_shapes(case, outputs[0])
    model = case.model.tobytes()
    return model, oracle.confirm(model, case.runs, case.resize, kernels, outputs), kernels


def arrays(case, outputs):
    """The .npz members of a case."""
    members = {}
    for k, (fed, got) in enumerate(zip(case.runs, outputs, strict=True)):
        suffix = f"_run{k}" if k else ""
        members.update({f"in{i}{suffix}": np.asarray(a, order="C") for i, a in enumerate(fed)})
        members.update({f"out{i}{suffix}": np.asarray(a, order="C") for i, a in enumerate(got)})
    return members


class Writer:
    """Collects what survived and what did not."""

    def __init__(self, out_dir):
        self.out_dir = out_dir
        self.manifest = []
        self.coverage = collections.Counter()
        self.attempted = collections.Counter()
        self.dropped = collections.defaultdict(collections.Counter)
        self.dull = []
        self.optimized = set()  # (operator, type) that LiteRT has no reference kernel for, in that version
        self._digests = set()
        self._names = set()

    def duplicate(self, case):
        digest = hashlib.sha1(case.model.tobytes())
        for run in case.runs:
            for array in run:
                digest.update(np.ascontiguousarray(array).tobytes())
        seen = digest.digest() in self._digests
        self._digests.add(digest.digest())
        return seen

    def write(self, family, case, model, outputs, kernels):
        key = (family, case.name)
        if key in self._names:
            raise ValueError(f"{family}: two different cases are named {case.name}")
        self._names.add(key)
        folder = self.out_dir / family
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{case.name}.tflite").write_bytes(model)
        np.savez(folder / f"{case.name}.npz", **arrays(case, outputs))
        entry = {
            "family": family,
            "name": case.name,
            "op": case.op,
            "dtype": case.dtype,
            "tolerance": case.tolerance,
            "kernels": kernels,
        }
        if case.resize:
            entry["resize"] = {str(i): list(shape) for i, shape in case.resize.items()}
        if len(case.runs) > 1:
            entry["runs"] = len(case.runs)
        self.manifest.append(entry)
        self.coverage[case.op, case.dtype] += 1
        if kernels == BUILTIN:
            self.optimized.add((case.op, case.dtype))
        if all(a.size > 8 and np.all(np.ravel(a)[0] == a) for a in outputs[0]):
            self.dull.append(f"{family}/{case.name}")


def generate(out_dir, wanted):
    writer = Writer(out_dir)
    with Oracle() as oracle:
        for family in wanted:
            started, before = time.monotonic(), len(writer.manifest)
            for case in importlib.import_module(f"families.{family}").cases():
                if writer.duplicate(case):
                    continue
                writer.attempted[case.op, case.dtype] += 1
                try:
                    model, outputs, kernels = evaluate(oracle, case)
                except Rejected as reason:
                    writer.dropped[case.op, case.dtype][str(reason)] += 1
                    continue
                writer.write(family, case, model, outputs, kernels)
            print(
                f"{family:24} {len(writer.manifest) - before:5} cases {time.monotonic() - started:6.1f} s", flush=True
            )
    return writer


def problems(writer, complete):
    """Sentences about what should not have been dropped; `complete` is whether every family was generated."""
    found = []
    for key in writer.attempted:
        if not writer.coverage[key] and key not in expectations.REJECTED:
            found.append(f"{key[0]} {key[1]}: no case survived: {next(iter(writer.dropped[key]))}")
        if writer.coverage[key] and key in expectations.REJECTED:
            found.append(f"{key[0]} {key[1]}: listed as rejected by LiteRT, but {writer.coverage[key]} cases ran")
    if complete:
        covered = {op for op, _ in writer.coverage}
        for op in expectations.schema_operators():
            if (op in covered) == (op in expectations.NOT_COVERED):
                found.append(f"{op}: " + ("covered, yet excused" if op in covered else "not covered and not excused"))
    return found


def print_coverage(writer):
    types = sorted({dtype for _, dtype in writer.coverage})
    width = max(len(op) for op, _ in writer.coverage)
    print("\n" + " " * width + " ".join(f"{t:>{max(5, len(t))}}" for t in types))
    for op in sorted({op for op, _ in writer.coverage}):
        cells = (f"{writer.coverage[op, t] or '.':>{max(5, len(t))}}" for t in types)
        print(f"{op:{width}}" + " ".join(cells))


def print_dropped(writer):
    print("\nDropped (LiteRT does not prepare or run them):")
    for (op, dtype), reasons in sorted(writer.dropped.items()):
        kept = writer.coverage[op, dtype]
        print(f"  {op} {dtype}: {sum(reasons.values())} of {writer.attempted[op, dtype]} dropped, {kept} kept")
        for reason, count in reasons.most_common(3):
            print(f"      {count} x {reason[:150]}")
    if writer.optimized:
        listed = ", ".join(f"{op} {dtype}" for op, dtype in sorted(writer.optimized))
        print(f"\nNo reference kernel, LiteRT's optimized one answered: {listed}")
    if writer.dull:
        print(f"\n{len(writer.dull)} cases have a constant output, such as {', '.join(writer.dull[:12])}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out_dir", type=pathlib.Path, nargs="?")
    parser.add_argument("--family", action="append", choices=family_names(), help="only this family (may repeat)")
    parser.add_argument("--list", action="store_true", help="list the families and leave")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(family_names()))
        return 0
    if arguments.out_dir is None:
        parser.error("OUT_DIR is needed")
    wanted = arguments.family or family_names()
    writer = generate(arguments.out_dir, wanted)
    arguments.out_dir.mkdir(parents=True, exist_ok=True)
    (arguments.out_dir / "manifest.json").write_text(json.dumps(writer.manifest, indent=0))
    table = collections.defaultdict(dict)
    for (op, dtype), count in sorted(writer.coverage.items()):
        table[op][dtype] = count
    (arguments.out_dir / "coverage.json").write_text(json.dumps(table, indent=1))
    print_coverage(writer)
    print_dropped(writer)
    found = problems(writer, complete=arguments.family is None)
    print(f"\n{len(writer.manifest)} cases, {sum(sum(r.values()) for r in writer.dropped.values())} dropped")
    for sentence in found:
        print("PROBLEM:", sentence)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
