"""LiteRT as the oracle: its reference kernels, and its default path (XNNPACK). Runs in a child process, because it aborts the
process on some models that it does not like.

    oracle.py MODEL IN.npz OUT.npz reference|default      IN holds NAME@RUN arrays; OUT gets the same, by output name
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np


def interpreter(path, reference=True):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # The reference set lacks a few operator versions that the optimized one has.
    kinds = [OpResolverType.BUILTIN_REF, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES] if reference else [OpResolverType.AUTO]
    for kind in kinds:
        try:
            made = Interpreter(model_path=str(path), experimental_op_resolver_type=kind, num_threads=1)
        except ValueError as error:
            if "Didn't find op" not in str(error) or kind is kinds[-1]:
                raise
            continue
        made.allocate_tensors()
        return made


def run_here(path, inputs, reference=True):
    made = interpreter(path, reference)
    names = {d["index"]: d["name"] for d in made.get_output_details()}
    if made.get_signature_list():
        names.update({d["index"]: n for n, d in made.get_signature_runner().get_output_details().items()})
    answers = []
    for feed in inputs:
        made.reset_all_variables()
        for detail in made.get_input_details():
            made.set_tensor(detail["index"], feed[detail["name"]])
        made.invoke()
        answers.append({names[d["index"]]: np.array(made.get_tensor(d["index"])) for d in made.get_output_details()})
    return answers


def _save(path, runs):
    np.savez(path, **{f"{name}@{k}": array for k, run in enumerate(runs) for name, array in run.items()})


def _load(path):
    runs = {}
    with np.load(path) as arrays:
        for key in arrays.files:
            name, k = key.rsplit("@", 1)
            runs.setdefault(int(k), {})[name] = arrays[key]
    return [runs[k] for k in sorted(runs)]


def run(path, inputs, reference=True):
    """Runs a list of {input tensor's name: array} one after the other from the same start.

    Gives a list of {output name: array}; the names are those of the model's signature where it has one."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder) / "in.npz", pathlib.Path(folder) / "out.npz"
        _save(source, inputs)
        done = subprocess.run([sys.executable, __file__, str(path), str(source), str(target), "reference" if reference else "default"],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"LiteRT failed on {path} with {done.returncode}: {done.stderr[-1500:]}")
        return _load(target)


if __name__ == "__main__":
    _save(sys.argv[3], run_here(sys.argv[1], _load(sys.argv[2]), sys.argv[4] == "reference"))
