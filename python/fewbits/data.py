"""tf.data, as far as programs that quantize use it to feed a converter: samples of arrays, batched and counted, as numpy arrays.

`import fewbits as tf` keeps such lines as they are:

    for data in tf.data.Dataset.from_tensor_slices(images).batch(1).take(100):
        yield [tf.dtypes.cast(data, tf.float32)]

Everything is lazy and in order. Whatever else tf.data has raises an UnsupportedError. (fewbits.Dataset, of fewbits.dataset(), is
another thing: what calibrate() and the others read.)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ._data import as_array
from .errors import InvalidArgumentError, InvalidDataError, UnsupportedError

__all__ = ["AUTOTUNE", "Dataset"]

AUTOTUNE = -1


def _rows(tensors: Any) -> tuple[int, Callable[[int], Any]]:
    """How many slices along their first dimension the arrays have, and each of them: in tuples and dicts as in `tensors`."""
    if isinstance(tensors, Mapping):
        named = {name: _rows(value) for name, value in tensors.items()}
        return _same([count for count, _ in named.values()]), lambda i: {name: row(i) for name, (_, row) in named.items()}
    if isinstance(tensors, tuple):
        parts = [_rows(value) for value in tensors]
        return _same([count for count, _ in parts]), lambda i: tuple(row(i) for _, row in parts)
    array = as_array(tensors)
    if array.ndim == 0:
        raise InvalidDataError("from_tensor_slices cuts arrays along their first dimension, and a number has none")
    return len(array), lambda i: array[i]


def _same(counts: list[int]) -> int:
    if len(set(counts)) != 1:
        raise InvalidDataError(f"from_tensor_slices takes arrays with as many samples each; here are {counts}")
    return counts[0]


def _stacked(samples: list[Any]) -> Any:
    first = samples[0]
    if isinstance(first, Mapping):
        return {name: _stacked([sample[name] for sample in samples]) for name in first}
    if isinstance(first, tuple):
        return tuple(_stacked(list(part)) for part in zip(*samples))
    return np.stack([as_array(sample) for sample in samples])


def _cut(sample: Any) -> Iterator[Any]:
    count, row = _rows(sample)
    return (row(i) for i in range(count))


class Dataset:
    """Samples in order; every method gives a new Dataset and reads nothing yet. It can be iterated over again and again."""

    def __init__(self, samples: Callable[[], Iterable[Any]], length: int | None = None) -> None:
        """Use the from_... functions. samples: starts to read; length: of how many samples, None if that is not known."""
        self._samples = samples
        self._length = length

    @staticmethod
    def from_tensor_slices(tensors: Any, name: str | None = None) -> Dataset:
        """The rows of an array, or of several of one length in a tuple or a dict."""
        count, row = _rows(tensors)
        return Dataset(lambda: map(row, range(count)), count)

    @staticmethod
    def from_tensors(tensors: Any, name: str | None = None) -> Dataset:
        """One sample."""
        return Dataset(lambda: [tensors], 1)

    @staticmethod
    def from_generator(
        generator: Callable[..., Iterable[Any]], *signature: Any, args: tuple[Any, ...] = (), **kwargs: Any
    ) -> Dataset:
        """What a function yields. Types and shapes, which TensorFlow wants to be told, are those of the arrays."""
        if not callable(generator):
            raise InvalidArgumentError(f"from_generator takes a function that yields samples, not a {type(generator).__name__}")
        return Dataset(lambda: generator(*args))

    @staticmethod
    def range(*limits: int, name: str | None = None) -> Dataset:
        """Integers, as Python's range has them."""
        numbers = range(*limits)
        return Dataset(lambda: map(np.int64, numbers), len(numbers))

    def batch(self, batch_size: int, drop_remainder: bool = False, **kwargs: Any) -> Dataset:
        """So many samples as one, along a new first dimension."""
        if batch_size < 1:
            raise InvalidArgumentError(f"batch_size is {batch_size}, and 1 is the least")

        def batches() -> Iterator[Any]:
            samples = iter(self._samples())
            while part := list(itertools.islice(samples, batch_size)):
                if len(part) == batch_size or not drop_remainder:
                    yield _stacked(part)

        whole, rest = divmod(self._length or 0, batch_size)
        return Dataset(batches, None if self._length is None else whole + (rest > 0 and not drop_remainder))

    def unbatch(self, name: str | None = None) -> Dataset:
        """Batches taken apart."""
        return Dataset(lambda: itertools.chain.from_iterable(map(_cut, self._samples())))

    def take(self, count: int, name: str | None = None) -> Dataset:
        """The first so many; all of them with -1."""
        if count < 0:
            return self
        return Dataset(
            lambda: itertools.islice(self._samples(), count), None if self._length is None else min(count, self._length)
        )

    def skip(self, count: int, name: str | None = None) -> Dataset:
        """All but the first so many; none with -1."""
        left = None if self._length is None else max(0, self._length - count) if count >= 0 else 0
        return Dataset(lambda: itertools.islice(self._samples(), count, None) if count >= 0 else (), left)

    def map(self, map_func: Callable[..., Any], num_parallel_calls: int | None = None, **kwargs: Any) -> Dataset:
        """What the function makes of each sample; of a tuple, each part is an argument."""

        def one(sample: Any) -> Any:
            return map_func(*sample) if isinstance(sample, tuple) else map_func(sample)

        return Dataset(lambda: map(one, self._samples()), self._length)

    def filter(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """The samples of which the function says True."""
        return Dataset(lambda: (s for s in self._samples() if (predicate(*s) if isinstance(s, tuple) else predicate(s))))

    def prefetch(self, buffer_size: int, name: str | None = None) -> Dataset:
        """The same: samples are made when they are asked for."""
        return self

    def cache(self, filename: str = "", name: str | None = None) -> Dataset:
        """The same, made anew each time: nothing is kept."""
        return self

    def as_numpy_iterator(self) -> Iterator[Any]:
        return iter(self)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._samples())

    def __len__(self) -> int:
        if self._length is None:
            raise TypeError("The dataset length is unknown.")
        return self._length

    def __repr__(self) -> str:
        return f"<fewbits.data.Dataset of {'samples' if self._length is None else f'{self._length} samples'}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise UnsupportedError(
            f"tf.data.Dataset.{name} is not in fewbits, which has what feeds a converter: write it in Python (samples are numpy "
            "arrays), or keep TensorFlow for this part; fewbits takes its datasets, too"
        )
