"""tf.lite by name and meaning, without TensorFlow.

`import fewbits as tf` lets a program that uses tf.lite run as it is. What tf.lite has and fewbits does not raises an error with
the reason, and is never ignored.
"""

from __future__ import annotations

from typing import Any

from numpy import float16, float32, int8, int16, int32, int64, uint8

from ..errors import UnsupportedError
from . import constants, experimental
from .converter import Optimize, OpsSet, RepresentativeDataset, TargetSpec, TFLiteConverter
from .interpreter import Interpreter, OpResolverType, SignatureRunner

__all__ = [
    "Interpreter",
    "OpResolverType",
    "OpsSet",
    "Optimize",
    "RepresentativeDataset",
    "SignatureRunner",
    "TFLiteConverter",
    "TargetSpec",
    "constants",
    "experimental",
    "float16",
    "float32",
    "int16",
    "int32",
    "int64",
    "int8",
    "uint8",
]

_ABSENT = {
    "TocoConverter": "it was removed from TensorFlow; use TFLiteConverter",
    "toco_convert": "it was removed from TensorFlow; use TFLiteConverter",
    "load_delegate": "fewbits runs on its own kernels and takes no delegates",
    "Delegate": "fewbits runs on its own kernels and takes no delegates",
    "OpHint": "it was removed from TensorFlow; LSTM and RNN layers are recognised as they are",
    "InterpreterWithCustomOps": "custom operators are kept in files and cannot be run",
}


def __getattr__(name: str) -> Any:
    if name in _ABSENT:
        raise UnsupportedError(f"tf.lite.{name} is not in fewbits: {_ABSENT[name]}")
    raise AttributeError(f"module 'fewbits.lite' has no attribute '{name}'")
