"""Data of all kinds as a Dataset: paths, arrays, and whatever can be iterated, one sample in memory at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Optional, Union

import numpy as np

from ._native import Dataset, Model, Preprocess, TensorSpec
from .errors import InvalidDataError

# A path, an array (samples first), arrays by input name, an iterable of samples, or a function that returns one.
Data = Union[
    str, "os.PathLike[str]", np.ndarray[Any, Any], Mapping[str, Any], Iterable[Any], Callable[[], Iterable[Any]], Dataset
]
_Item = tuple[list[tuple[str, np.ndarray[Any, Any]]], Optional[int]]


def as_array(value: Any) -> np.ndarray[Any, Any]:
    """A numpy array of what torch, TensorFlow, Keras or plain Python calls a tensor; a view where that is possible."""
    if isinstance(value, np.ndarray):
        return value
    detach = getattr(value, "detach", None)  # torch
    if callable(detach):
        value = detach().cpu()
    to_numpy = getattr(value, "numpy", None)
    return np.asarray(to_numpy() if callable(to_numpy) else value)


def _numeric(array: np.ndarray[Any, Any], what: str) -> np.ndarray[Any, Any]:
    if array.dtype.kind not in "fiub":
        raise InvalidDataError(f"{what}: an array of type {array.dtype} holds no numbers that a model takes")
    if array.dtype.byteorder not in "=|":
        array = array.astype(array.dtype.newbyteorder("="))
    # Not ascontiguousarray, which makes a scalar one-dimensional.
    return np.asarray(array, order="C")


class Items:
    """Turns what a loader yields into samples: inputs by name or place, and a label where there is one."""

    def __init__(self, model: Model, signature: str) -> None:
        self._specs: Sequence[TensorSpec] = model.signature(signature).inputs
        self._names = {name for spec in self._specs for name in (spec.name, spec.signature_name) if name}
        self.count = 0

    def split(self, item: Any) -> Iterator[_Item]:
        """One sample, or those of a batch."""
        what = f"sample {self.count}"
        inputs, labels = self._inputs_and_labels(item, what)
        arrays = [(name, _numeric(as_array(value), what)) for name, value in inputs]
        batch = self._batch(arrays)
        label_array = None if labels is None else as_array(labels)
        if batch is None:
            self.count += 1
            yield arrays, None if label_array is None else self._label(label_array, what)
            return
        if label_array is not None and len(label_array) != batch:
            raise InvalidDataError(f"{what}: a batch of {batch} samples has {len(label_array)} labels")
        for row in range(batch):
            self.count += 1
            label = None if label_array is None else self._label(label_array[row], what)
            yield [(name, array[row : row + 1]) for name, array in arrays], label

    def _inputs_and_labels(self, item: Any, what: str) -> tuple[list[tuple[str, Any]], Any]:
        if isinstance(item, Mapping):
            return self._named(item, what), None
        if isinstance(item, (list, tuple)):
            expected = len(self._specs)
            if len(item) == expected:
                return [("", value) for value in item], None
            if len(item) == 2:  # (inputs, labels)
                return self._inputs_and_labels(item[0], what)[0], item[1]
            raise InvalidDataError(
                f"{what} has {len(item)} arrays, and the model takes {expected}: "
                + ", ".join(f"'{spec.label}'" for spec in self._specs)
            )
        if len(self._specs) != 1:
            raise InvalidDataError(
                f"{what} is one array, and the model takes {len(self._specs)} inputs: give a list in this order, or a dict, of "
                + ", ".join(f"'{spec.label}'" for spec in self._specs)
            )
        return [("", item)], None

    def _named(self, item: Mapping[str, Any], what: str) -> list[tuple[str, Any]]:
        unknown = [name for name in item if name not in self._names]
        missing = [s.label for s in self._specs if s.name not in item and s.signature_name not in item]
        if unknown or missing:
            raise InvalidDataError(
                f"{what} has {sorted(item)}, and the inputs of the model are {[spec.label for spec in self._specs]}"
            )
        return list(item.items())

    def _batch(self, arrays: list[tuple[str, np.ndarray[Any, Any]]]) -> int | None:
        """The number of samples, where the arrays are a batch of several and the model takes one at a time."""
        sizes = set()
        for place, (name, array) in enumerate(arrays):
            spec = next((s for s in self._specs if name and name in (s.name, s.signature_name)), self._specs[place])
            if not spec.shape or array.ndim != len(spec.shape) or spec.shape[0] not in (1, -1):
                return None
            sizes.add(array.shape[0])
        size = sizes.pop() if len(sizes) == 1 else 1
        return size if size > 1 else None

    @staticmethod
    def _label(array: np.ndarray[Any, Any], what: str) -> int:
        array = np.asarray(array).reshape(-1)
        if array.size > 1:  # one-hot
            return int(np.argmax(array))
        if array.size == 0 or array.dtype.kind not in "iub":
            raise InvalidDataError(f"{what}: a label is a class number, not {array.dtype} of size {array.size}")
        return int(array[0])


def _stream(iterable: Iterable[Any], items: Items) -> Callable[[], _Item | None]:
    def samples() -> Iterator[_Item]:
        for item in iterable:
            yield from items.split(item)

    iterator = samples()
    return lambda: next(iterator, None)


def _indexable(loader: Any) -> Iterable[Any]:
    """Iterates over what has a length and items but no iterator of its own, as Keras datasets do."""
    return (loader[i] for i in range(len(loader)))


def _rows(arrays: Mapping[str, np.ndarray[Any, Any]]) -> tuple[int, Callable[[int], _Item]]:
    lengths = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise InvalidDataError(f"arrays hold one sample a row, and as many each; here are {lengths}")
    return next(iter(lengths.values())), lambda i: ([(name, array[i]) for name, array in arrays.items()], None)


def dataset(
    data: Data,
    model: Model | None = None,
    *,
    signature: str = "",
    preprocess: Preprocess | None = None,
    sample_rate: int = 0,
    skip_nonfinite: bool = False,
) -> Dataset:
    """A Dataset of any data.

    data: a path (folders of pictures, sounds or arrays, .npz, .npy: what the command line takes); a numpy array, samples first;
      a dict of such arrays by input name; an iterable of samples, or a function that returns one. A sample is an array, a list of
      arrays in the order of the inputs, a dict by name, or a pair (inputs, label); batches of torch and Keras loaders are taken
      apart. Iterables are read once, as they are used: nothing is kept.
    model: whose inputs samples of an iterable are for.
    """
    if isinstance(data, Dataset):
        return data
    if isinstance(data, (str, os.PathLike)):
        return Dataset.open(os.fspath(data), preprocess, sample_rate, skip_nonfinite)
    if isinstance(data, np.ndarray) or (isinstance(data, Mapping) and data):
        arrays = {"": data} if isinstance(data, np.ndarray) else {name: as_array(value) for name, value in data.items()}
        arrays = {name: _numeric(array, f"array '{name}'") for name, array in arrays.items()}
        count, read = _rows(arrays)
        return Dataset.from_callback(count, read, preprocess, skip_nonfinite)
    if model is None:
        raise InvalidDataError("samples of an iterable need a model to say what they are for: pass model=")
    iterable: Any = data() if callable(data) and not hasattr(data, "__iter__") and not hasattr(data, "__getitem__") else data
    if not hasattr(iterable, "__iter__"):
        if not (hasattr(iterable, "__getitem__") and hasattr(iterable, "__len__")):
            raise InvalidDataError(f"{type(iterable).__name__} is no data: give a path, an array, or something to iterate over")
        iterable = _indexable(iterable)
    return Dataset.from_stream(_stream(iterable, Items(model, signature)), preprocess, skip_nonfinite)
