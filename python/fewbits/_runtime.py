"""Runs a model: arrays in, arrays out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import _native
from ._api import ModelLike, load
from ._data import as_array
from ._native import KernelChoice, OperatorTime, TensorSpec
from .errors import InvalidArgumentError

Array = np.ndarray[Any, Any]


class Runtime:
    """A model ready to run. One thread at a time may use it; several Runtimes of one Model share its weights.

    runtime = Runtime("model.tflite", threads=2)
    scores = runtime(image)                        # one input and one output
    outputs = runtime.run({"tokens": t, "mask": m})  # by name: a dict of arrays
    runtime.input("image")[:] = frame              # in place: the array is the model's own memory, and
    scores = runtime.run(copy=False)["scores"]     # so is this one, until it is let go of and the next run writes there

    strict_fp32: float products multiply float32 and nothing else; processors with AMX else take floats as sums of three bfloat16,
    which is faster and as exact, but rounds otherwise.
    pack_cache: a file that keeps the weights as this machine's kernels take them, which the next start maps.
    """

    def __init__(
        self,
        model: ModelLike,
        *,
        threads: int = 1,
        signature: str = "",
        strict_fp32: bool = False,
        pack_cache: str | os.PathLike[str] = "",
    ) -> None:
        self._native = _native.Runtime(load(model), threads, signature, strict_fp32, os.fspath(pack_cache))
        self.inputs: list[TensorSpec] = self._native.inputs
        self.outputs: list[TensorSpec] = self._native.outputs

    def input(self, name: str) -> Array:
        """An input's own memory, as an array to fill in place, which the next run takes. A resize is refused while it lives."""
        return self._native.input_view(name)

    def run(self, inputs: Mapping[str, Any] | Sequence[Any] | Array | None = None, *, copy: bool = True) -> dict[str, Array]:
        """Runs on inputs by name, in the model's order, or on the only one; without any, on what the inputs hold.

        copy: False gives the outputs' own memory, without a copy; the next run is refused while such an array lives.
        """
        if inputs is not None:
            self._set(inputs)
        self._native.run()
        output = self._native.output if copy else self._native.output_view
        return {spec.label: output(spec.label) for spec in self.outputs}

    def _set(self, inputs: Mapping[str, Any] | Sequence[Any] | Array) -> None:
        if isinstance(inputs, Mapping):
            named = dict(inputs)
        else:
            values = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
            if len(values) != len(self.inputs):
                raise InvalidArgumentError(
                    f"the model takes {len(self.inputs)} inputs ({', '.join(s.label for s in self.inputs)}), not {len(values)}"
                )
            named = {spec.label: value for spec, value in zip(self.inputs, values)}
        for name, value in named.items():
            self._native.set_input(name, np.asarray(as_array(value), order="C"))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As run(): the output itself where there is one, else a dict."""
        if args and kwargs:
            raise InvalidArgumentError("give inputs by place or by name, not both")
        outputs = self.run(kwargs if kwargs else list(args))
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def resize_input(self, name: str, shape: Sequence[int]) -> None:
        """Gives an input another shape; its content becomes zero."""
        self._native.resize_input(name, list(shape))

    def reset_state(self) -> None:
        """Variables and resources back to their start."""
        self._native.reset_state()

    def profile(self, inputs: Mapping[str, Any] | Sequence[Any] | Array) -> list[OperatorTime]:
        """Runs once and times each operator."""
        self._native.set_profiling(True)
        try:
            self.run(inputs)
            return self._native.profile()
        finally:
            self._native.set_profiling(False)

    @property
    def kernels(self) -> list[KernelChoice]:
        """Which implementation each operator got, and why not a better one."""
        return self._native.kernels()

    @property
    def memory_bytes(self) -> int:
        """Of activations, state and workspace."""
        return self._native.memory_bytes

    def __repr__(self) -> str:
        return f"<fewbits.Runtime: {self.inputs} -> {self.outputs}>"
