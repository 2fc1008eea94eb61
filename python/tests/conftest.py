"""Models and data that tests share: the folder shared/data beside the repository, or where FEWBITS_SHARED says."""

import os
import pathlib

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLACES = [ROOT.parent / "shared", ROOT.parent.parent / "shared"]  # the second: of a worktree
DATA = pathlib.Path(os.environ.get("FEWBITS_SHARED") or next((p for p in PLACES if p.exists()), PLACES[0])) / "data"


def model_path(name):
    path = DATA / "models" / name
    if not path.exists():
        pytest.fail(f"{path} is not there: set FEWBITS_SHARED to the folder whose data/ holds the real models")
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
