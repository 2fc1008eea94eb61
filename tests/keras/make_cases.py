"""Builds the models of layer_cases.py with Keras, saves each as .keras and .h5, and what Keras computes of it.

    python make_cases.py OUT_DIR
"""
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras  # noqa: E402
import layer_cases  # noqa: E402
import numpy as np  # noqa: E402


def main():
    out = pathlib.Path(sys.argv[1])
    for name, build, shapes in layer_cases.cases():
        keras.utils.set_random_seed(11)
        keras.backend.clear_session()
        rng = np.random.default_rng(11)
        inputs = [keras.Input(shape, name=f"in{i}") for i, shape in enumerate(shapes)]
        model = keras.Model(inputs, build(*inputs))
        data = [rng.standard_normal((2, *shape)).astype(np.float32) for shape in shapes]
        outputs = model(data if len(data) > 1 else data[0], training=False)
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        model.save(folder / "model.keras")
        model.save(folder / "model.h5")
        arrays = {f"in{i}": array for i, array in enumerate(data)}
        arrays.update({f"out{i}": np.asarray(array) for i, array in enumerate(outputs)})
        np.savez(folder / "expected.npz", **arrays)
    (out / "done").touch()


if __name__ == "__main__":
    main()
