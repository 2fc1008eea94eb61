"""fewbits: quantizes, converts and runs .tflite models.

    import fewbits

    model = fewbits.load("model.tflite")
    small = fewbits.quantize(model, "int8", data="pictures/", preprocess=fewbits.Preprocess(mean=127.5, std=127.5))
    small.save("int8.tflite")
    print(fewbits.compare(model, small.model, data="pictures/"))

Programs written for TensorFlow Lite change one line: `import fewbits as tf`, and keep their tf.lite, tf.float16,
tf.data.Dataset.from_tensor_slices and tf.dtypes.cast.
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
from ._recipe import Recipe
from ._report import Report
from ._runtime import Runtime
from .errors import FewbitsError

if TYPE_CHECKING:
    from . import data, dtypes, lite
    from .dtypes import cast

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
    "Recipe",
    "Report",
    "Runtime",
    "TensorError",
    "TensorSpec",
    "benchmark",
    "bool",
    "calibrate",
    "cast",
    "compare",
    "convert",
    "data",
    "dataset",
    "dtypes",
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


_LATER = ("data", "dtypes", "lite")  # modules that most programs do without


def __getattr__(name: str) -> Any:
    import importlib

    if name in _LATER:
        return importlib.import_module(f"fewbits.{name}")
    if name == "cast":
        return importlib.import_module("fewbits.dtypes").cast
    import difflib

    close = difflib.get_close_matches(name, __all__, 1)
    raise AttributeError(
        f"module 'fewbits' has no attribute '{name}': "
        + (f"did you mean '{close[0]}'?" if close else "of TensorFlow it has lite, data.Dataset, dtypes.cast and the types only")
    )


def __dir__() -> list[str]:
    return sorted(__all__)
