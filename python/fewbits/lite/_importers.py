"""Models of other formats, as tf.lite's from_... functions name them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from .._api import convert
from .._native import Model
from ..errors import InvalidArgumentError


def saved_model(path: str | os.PathLike[str], signature_keys: Sequence[str] | None, tags: Any) -> Model:
    keys = list(signature_keys or [])
    if len(keys) > 1:
        raise InvalidArgumentError("signature_keys: give one, or none for all of them")
    return convert(path, signature=keys[0] if keys else "", tags=sorted(tags) if tags else ())


def keras_model(model: Any) -> Model:
    """Keras itself saves it; nothing of Keras is imported here."""
    save = getattr(model, "save", None)
    if not callable(save):
        raise InvalidArgumentError(f"from_keras_model takes a Keras model, not a {type(model).__name__}")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, f"{getattr(model, 'name', None) or 'model'}.keras")
        save(path)
        return Model.from_bytes(convert(path).to_bytes(), getattr(model, "name", None) or "keras model")


def keras_file(path: str | os.PathLike[str]) -> Model:
    return convert(path)


def onnx(path: str | os.PathLike[str]) -> Model:
    return convert(path)


def frozen_graph(
    path: str | os.PathLike[str],
    input_arrays: Sequence[str],
    output_arrays: Sequence[str],
    input_shapes: Mapping[str, Sequence[int]] | None,
) -> Model:
    model = convert(path, shapes=input_shapes)
    ways = model.signature()
    for wanted, found, what in ((input_arrays, ways.inputs, "inputs"), (output_arrays, ways.outputs, "outputs")):
        names = {name.split(":")[0] for spec in found for name in (spec.name, spec.signature_name) if name}
        missing = [name for name in wanted if name.split(":")[0] not in names]
        if missing:
            raise InvalidArgumentError(
                f"the graph's {what} are {sorted(names)}, and not {missing}: a graph cannot be cut at names of your choice, "
                "save it with these ends"
            )
    return model
