"""Models of other formats."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from .._native import Model
from ..errors import UnsupportedError


def _absent(what: str) -> NoReturn:
    raise UnsupportedError(f"{what} cannot be read by this version of fewbits yet: convert it to .tflite, and use from_tflite")


def saved_model(path: str | os.PathLike[str], signature_keys: Sequence[str] | None, tags: Any) -> Model:
    _absent(f"{os.fspath(path)}: a SavedModel")


def keras_model(model: Any) -> Model:
    _absent("a Keras model")


def keras_file(path: str | os.PathLike[str]) -> Model:
    _absent(f"{os.fspath(path)}: a Keras file")


def onnx(path: str | os.PathLike[str]) -> Model:
    _absent(f"{os.fspath(path)}: an ONNX file")


def frozen_graph(
    path: str | os.PathLike[str],
    input_arrays: Sequence[str],
    output_arrays: Sequence[str],
    input_shapes: Mapping[str, Sequence[int]] | None,
) -> Model:
    _absent(f"{os.fspath(path)}: a frozen graph")
