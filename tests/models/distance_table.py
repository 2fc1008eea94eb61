"""How far our runtime and LiteRT's XNNPACK path are from LiteRT's reference kernels, on real models and the same inputs.

    python tests/models/distance_table.py [OUT.md]      (the folder shared/data beside the repository; OUT is docs/distances.md)

Float models, and what fewbits writes of them in float16 mode: largest difference over the output's range. Models that integers run
in (other people's, and ours in the other modes): mean and largest difference in units of the output's last place; for float
outputs of such models, in units of 1/256 of the output's range. An operator that stays in float before integers (mnist_lstm's LSTM in
int16x8) sums in another order than LiteRT's, and a step here and there follows from its last bits.
"""

import pathlib
import sys
import tempfile

import numpy as np

import oracle
import product
import real_models

SMALL = 1_000_000  # bytes of a model


def differences(answers, reference, unit):
    """(mean, largest) over all outputs and inputs; unit: what each output's difference is divided by, by name."""
    every = [np.abs(a[n].astype(np.float64) - r[n]).ravel() / unit[n] for a, r in zip(answers, reference) for n in r]
    every = np.concatenate([e for e in every if e.size])
    return np.nanmean(every), np.nanmax(every)


def row(name, path, inputs, folder, relative):
    reference = oracle.run(path, inputs)
    unit = {}
    for output in reference[0]:
        values = np.concatenate([r[output].astype(np.float64).ravel() for r in reference])
        span = max(values.max(initial=0), 0) - min(values.min(initial=0), 0) or 1
        unit[output] = span if relative else span / 256 if reference[0][output].dtype == np.float32 else 1
    ours = differences(product.run(path, inputs, folder), reference, unit)
    theirs = differences(oracle.run(path, inputs, reference=False), reference, unit)
    kind = "{:.1e}" if relative else "{:.4f}"
    return f"| {name} | " + " | ".join(kind.format(x) for x in (*ours, *theirs)) + " |"


def feeds(path, count):
    details = oracle.interpreter(path).get_input_details()
    return real_models.pictures_as_inputs(details, count) or real_models.make_inputs(details, 2, 4)


def rows(folder):
    head = "| model | ours: mean | worst | XNNPACK: mean | worst |\n|---|---|---|---|---|"
    yield "\n## Float models: difference over the output's range\n\n" + head
    for model in real_models.float_models():
        inputs = real_models.make_inputs(oracle.interpreter(model.path).get_input_details(), 1, 2)
        yield row(model.name, model.path, inputs, folder, True)
    yield "\n## Other people's integer models: difference in units of the last place\n\n" + head
    for model in real_models.integer_models():
        yield row(model.name, model.path, feeds(model.path, 24), folder, False)
    yield "\n## What fewbits writes: difference in units of the last place, or in 1/256 of a float output's range\n\n" + head
    for model in real_models.float_models():
        # Where one byte that falls the other way is most of a small model's distance, more inputs even it out.
        count = 64 if model.path.stat().st_size < SMALL else 4
        inputs = real_models.make_inputs(oracle.interpreter(model.path).get_input_details(), 3, max(count, 8))
        data, target = folder / "data.npz", folder / "out.tflite"
        product.save_samples(inputs[:8], data)
        for mode in ("weights", "float16", "int8", "int16x8"):
            calibrate = [] if mode in ("weights", "float16") else ["--calibrate", data]
            product.fewbits("quantize", model.path, "-o", target, "--mode", mode, *calibrate)
            yield row(f"{model.name}, {mode}", target, inputs[:count], folder, False)


def main():
    target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else product.ROOT / "docs" / "distances.md"
    about = __doc__.strip().split("\n\n")
    lines = ["# Distances from LiteRT's reference kernels", "", about[0], "Made by `tests/models/distance_table.py`.", "", about[-1]]
    with tempfile.TemporaryDirectory() as folder:
        for line in rows(pathlib.Path(folder)):
            print(line, flush=True)
            lines.append(line)
    target.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
