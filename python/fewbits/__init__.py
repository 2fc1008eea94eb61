"""fewbits: quantizes, converts and runs .tflite models.

    import fewbits

    model = fewbits.load("model.tflite")
    small = fewbits.quantize(model, "int8", data="pictures/", preprocess=fewbits.Preprocess(mean=127.5, std=127.5))
    small.save("int8.tflite")
    print(fewbits.compare(model, small.model, data="pictures/"))

Programs written for TensorFlow Lite change one line: `import fewbits as tf`, and keep their tf.lite and tf.float16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# The types that tf.lite's users write as tf.float16 and the like.
from numpy import bool_ as bool
from numpy import float16, float32, float64, int8, int16, int32, int64, uint8

from . import errors
from ._api import Quantized, benchmark, calibrate, compare, convert, evaluate, load, quantize
from ._data import dataset
from ._native import (
    Accuracy,
    Benchmark,
    Calibration,
    Comparison,
    Dataset,
    Decision,
    LayerComparison,
    Model,
    OperatorTime,
    OutputComparison,
    Preprocess,
    TensorError,
    TensorSpec,
)
from ._native import version as _version
from ._report import Report
from ._runtime import Runtime
from .errors import FewbitsError

if TYPE_CHECKING:
    from . import lite

__version__ = _version()

__all__ = [
    "Accuracy",
    "Benchmark",
    "Calibration",
    "Comparison",
    "Dataset",
    "Decision",
    "FewbitsError",
    "LayerComparison",
    "Model",
    "OperatorTime",
    "OutputComparison",
    "Preprocess",
    "Quantized",
    "Report",
    "Runtime",
    "TensorError",
    "TensorSpec",
    "benchmark",
    "bool",
    "calibrate",
    "compare",
    "convert",
    "dataset",
    "errors",
    "evaluate",
    "float16",
    "float32",
    "float64",
    "int16",
    "int32",
    "int64",
    "int8",
    "lite",
    "load",
    "quantize",
    "uint8",
]


def __getattr__(name: str) -> Any:
    if name == "lite":
        import importlib

        return importlib.import_module("fewbits.lite")
    raise AttributeError(f"module 'fewbits' has no attribute '{name}'")
