"""Models and data that tests share; FEWBITS_DATA says where they lie."""

import os
import pathlib

import numpy as np
import pytest

DATA = pathlib.Path(os.environ.get("FEWBITS_DATA", "/work/shared/data"))


def model_path(name):
    path = DATA / "models" / name
    if not path.exists():
        pytest.fail(f"{path} is not there: set FEWBITS_DATA to the folder of the real models")
    return str(path)


@pytest.fixture(scope="session")
def resnet8():
    return model_path("mlperf_tiny/resnet8_float.tflite")


@pytest.fixture(scope="session")
def pictures():
    """CIFAR-10 pictures as ResNet-8 takes them, and their labels."""
    with np.load(DATA / "sets" / "cifar10_1000.npz") as file:
        arrays = {name: file[name] for name in file.files}
    labels = next(arrays[name] for name in arrays if name in ("labels", "label", "y"))
    images = next(array for array in arrays.values() if array.ndim == 4)
    return images.astype(np.float32), labels.reshape(-1).astype(np.int64)
