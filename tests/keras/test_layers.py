"""Every layer class and argument of layer_cases.py: converted from .keras and .h5, run by LiteRT with an open batch, against Keras.

    FEWBITS=build/release/fewbits python -m pytest tests/keras        with a Python that has keras, tensorflow and LiteRT
"""
import os
import pathlib
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np  # noqa: E402
import pytest  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import layer_cases  # noqa: E402

FEWBITS = os.environ.get("FEWBITS", "fewbits")
NAMES = [case[0] for case in layer_cases.cases()]
TOLERANCE = 1e-5  # of the output's range


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    folder = pathlib.Path(os.environ.get("FEWBITS_KERAS_CASES") or tmp_path_factory.mktemp("keras"))
    if not (folder / "done").exists():
        make = pathlib.Path(__file__).parent / "make_cases.py"
        subprocess.run([sys.executable, make, folder], check=True, capture_output=True)
    return folder


def test_names_are_unique():
    assert len(NAMES) == len(set(NAMES))


@pytest.mark.parametrize("kind", ["keras", "h5"])
@pytest.mark.parametrize("name", NAMES)
def test_layer_equals_keras(models, tmp_path, name, kind):
    from ai_edge_litert.interpreter import Interpreter

    target = tmp_path / "model.tflite"
    subprocess.run([FEWBITS, "convert", models / name / f"model.{kind}", "-o", target], check=True, capture_output=True)
    expected = np.load(models / name / "expected.npz")
    interpreter = Interpreter(str(target))
    inputs = {detail["name"]: detail["index"] for detail in interpreter.get_input_details()}
    for key in inputs:
        interpreter.resize_tensor_input(inputs[key], expected[key].shape)
    interpreter.allocate_tensors()
    for key, index in inputs.items():
        interpreter.set_tensor(index, expected[key])
    interpreter.invoke()
    details = interpreter.get_output_details()
    wanted = [expected[key] for key in expected.files if key.startswith("out")]
    assert len(details) == len(wanted)
    for detail, want in zip(details, wanted):
        got = interpreter.get_tensor(detail["index"])
        assert got.shape == want.shape
        scale = max(float(want.max() - want.min()), 1e-6)
        assert np.abs(got - want).max() <= TOLERANCE * scale


@pytest.mark.parametrize("kind", ["keras", "h5"])
@pytest.mark.parametrize("name", ["BatchNormalization", "Dropout", "GaussianNoise"])
def test_a_call_for_training_is_refused(tmp_path, name, kind):
    """What training=True computes is random or of the batch: not what the layer is converted to."""
    import keras

    layer = {"BatchNormalization": keras.layers.BatchNormalization, "Dropout": lambda: keras.layers.Dropout(0.5),
             "GaussianNoise": lambda: keras.layers.GaussianNoise(0.5)}[name]()
    x = keras.Input((4,), name="x")
    keras.Model(x, layer(keras.layers.Dense(3)(x), training=True)).save(tmp_path / f"model.{kind}")
    done = subprocess.run([FEWBITS, "convert", tmp_path / f"model.{kind}", "-o", tmp_path / "model.tflite"], capture_output=True, text=True)
    assert done.returncode not in (0, -6, -11), done
    assert layer.name in done.stderr and "training=True" in done.stderr
    assert not (tmp_path / "model.tflite").exists()
