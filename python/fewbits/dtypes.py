"""tf.dtypes, as far as programs that quantize use it: numpy's types, and cast()."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import bool_ as bool
from numpy import float16, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64

from ._data import as_array

__all__ = [
    "as_dtype",
    "bool",
    "cast",
    "float16",
    "float32",
    "float64",
    "int16",
    "int32",
    "int64",
    "int8",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
]


def as_dtype(type_value: Any) -> np.dtype[Any]:
    """numpy's dtype of a type's name, a numpy type or TensorFlow's."""
    name = getattr(type_value, "name", None)
    return np.dtype(name if isinstance(name, str) else type_value)


def cast(x: Any, dtype: Any, name: str | None = None) -> np.ndarray[Any, Any]:
    """x as an array of another type; x itself where it has that type. Fractions are cut off, as TensorFlow does."""
    return as_array(x).astype(as_dtype(dtype), copy=False)
