"""tf.lite.Interpreter on fewbits' runtime: the same methods, details, types and kinds of exceptions."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .. import _native
from .._native import Model, OperatorTime
from ..errors import FewbitsError, InUseError, UnsupportedError

Array = np.ndarray[Any, Any]
Details = dict[str, Any]

_NOT_ALLOCATED = "Tensor data is null. Run allocate_tensors() first"
# Types that tf.lite shows as another of numpy's, and those that numpy does not have.
_NUMPY_NAMES = {"bool": "bool_", "int4": "int8", "string": "bytes_"}


class OpResolverType(enum.Enum):
    """tf.lite's choice of kernels; fewbits has one set of its own, so that every choice means the same."""

    AUTO = 0
    BUILTIN = 1
    BUILTIN_REF = 2
    BUILTIN_WITHOUT_DEFAULT_DELEGATES = 3


def _numpy_type(name: str) -> type[np.generic]:
    found: type[np.generic] | None = getattr(np, _NUMPY_NAMES.get(name, name), None)
    if found is None:
        raise ValueError(f"numpy has no type {name}")
    return found


def _runtime_error(error: FewbitsError) -> Exception:
    """tf.lite raises RuntimeError when a model cannot be prepared or run."""
    return error if isinstance(error, RuntimeError) else RuntimeError(str(error))


class _Subgraph:
    """A subgraph's description, held as Python's lists."""

    def __init__(self, about: _native.Subgraph) -> None:
        self.inputs = about.inputs
        self.outputs = about.outputs
        self.tensors = about.tensors
        self.operators = about.operators


class Interpreter:
    """Runs a .tflite model as tf.lite.Interpreter does.

    Beyond tf.lite: profile() after set_profiling(True) tells the time of each operator. As in tf.lite, only one thread at a time
    may use an Interpreter; another one meets an exception.
    """

    def __init__(
        self,
        model_path: str | os.PathLike[str] | None = None,
        model_content: bytes | None = None,
        experimental_delegates: Sequence[Any] | None = None,
        num_threads: int | None = None,
        experimental_op_resolver_type: OpResolverType = OpResolverType.AUTO,
        experimental_preserve_all_tensors: bool = False,
        experimental_disable_delegate_clustering: bool = False,
        experimental_default_delegate_latest_features: bool = False,
        experimental_compress_quantization_zero_points: bool = False,
        experimental_disable_delegate_node_fusion: bool = False,
        experimental_force_delegate_node_profiling: bool = False,
    ) -> None:
        """The arguments about delegates concern LiteRT's own, which are not here: True changes nothing.

        experimental_preserve_all_tensors: get_tensor() gives intermediate tensors, too, at the price of a copy of each.
        """
        if experimental_delegates:
            raise UnsupportedError("experimental_delegates: fewbits runs on its own kernels and takes no delegates")
        if experimental_compress_quantization_zero_points:
            raise UnsupportedError("experimental_compress_quantization_zero_points: details always hold every zero point")
        if not isinstance(experimental_op_resolver_type, OpResolverType):
            raise ValueError(f"Unrecognized passed in op resolver type: {experimental_op_resolver_type}")
        if num_threads is not None and not isinstance(num_threads, int):
            raise ValueError("type of num_threads should be int")
        if num_threads is not None and num_threads < 1:
            raise ValueError("num_threads should >= 1")
        self._native = _native.Interpreter(
            self._load(model_path, model_content), num_threads or 1, experimental_preserve_all_tensors
        )
        self._keeps_tensors = experimental_preserve_all_tensors
        self._about = [_Subgraph(self._native.description(i)) for i in range(self._native.subgraph_count)]

    @property
    def experimental_compress_quantization_zero_points(self) -> bool:
        return False

    def _load(self, path: str | os.PathLike[str] | None, content: bytes | None) -> Model:
        if path and content:
            raise ValueError("Can't both provide `model_path` and `model_content`")
        if not path and not content:
            raise ValueError("`model_path` or `model_content` must be specified.")
        if content and not isinstance(content, (bytes, bytearray, memoryview)):
            raise TypeError(f"model_content is the bytes of a model, not {type(content).__name__}")
        self._model = Model.load(os.fspath(path)) if path else Model.from_bytes(bytes(content or b""), "model_content")
        return self._model

    # ---- preparing and running ----

    def allocate_tensors(self) -> None:
        self._allocate(0)

    def resize_tensor_input(self, input_index: int, tensor_size: Iterable[int], strict: bool = False) -> None:
        self._resize(input_index, [int(size) for size in np.array(tensor_size, dtype=np.int32)], strict, 0)

    def set_tensor(self, tensor_index: int, value: Any) -> None:
        self._set(tensor_index, value, 0)

    def invoke(self) -> None:
        self._invoke(0)

    def get_tensor(self, tensor_index: int, subgraph_index: int = 0) -> Array:
        return self._get(tensor_index, subgraph_index)

    def tensor(self, tensor_index: int) -> Callable[[], Array]:
        """A function that gives a numpy view of the tensor's memory. Hold the function, not the arrays."""
        return lambda: self._view(tensor_index)

    def reset_all_variables(self) -> None:
        self._native.reset_state()

    def set_profiling(self, on: bool) -> None:
        self._native.set_profiling(on)

    def profile(self) -> list[OperatorTime]:
        """The time of each operator in the last invoke(), if profiling was on."""
        return self._native.profile(0)

    def _allocate(self, subgraph: int) -> None:
        try:
            self._native.allocate(subgraph)
        except FewbitsError as error:
            raise _runtime_error(error) from error

    def _invoke(self, subgraph: int) -> None:
        if not self._native.allocated(subgraph):
            raise RuntimeError("Invoke called on model that is not ready. Run allocate_tensors() first")
        try:
            self._native.invoke(subgraph)
        except FewbitsError as error:
            raise _runtime_error(error) from error

    def _check_index(self, index: int, subgraph: int) -> None:
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
            raise TypeError(f"a tensor's index is an int, not {type(index).__name__}: it is details['index']")
        if not 0 <= subgraph < self._native.subgraph_count:
            raise ValueError(f"there is no subgraph {subgraph} among {self._native.subgraph_count}")
        count = len(self._about[subgraph].tensors)
        if not 0 <= index < count:
            raise ValueError(f"Invalid tensor index {index} exceeds max tensor index {count - 1}")

    def _check_input(self, index: int, subgraph: int, what: str) -> None:
        self._check_index(index, subgraph)
        about = self._about[subgraph]
        if index not in about.inputs:
            raise ValueError(f"{what}: tensor {index} ('{about.tensors[index].name}') is no input; the inputs are {about.inputs}")

    def _resize(self, index: int, shape: list[int], strict: bool, subgraph: int) -> None:
        try:
            self._check_input(index, subgraph, "resize_tensor_input")
            if strict:
                declared = self._about[subgraph].tensors[index].shape
                fixed = [i for i, size in enumerate(declared) if len(shape) == len(declared) and size not in (-1, shape[i])]
                if fixed or len(shape) != len(declared):
                    raise RuntimeError(
                        f"resize_tensor_input(strict=True) changes only sizes that the model leaves open; tensor {index} has the "
                        f"shape {declared}, not {shape}"
                    )
            self._native.resize(subgraph, int(index), shape)
        except ValueError as error:
            raise RuntimeError(str(error)) from error

    def _set(self, index: int, value: Any, subgraph: int) -> None:
        self._check_input(index, subgraph, "Cannot set tensor")
        if not self._native.allocated(subgraph):
            raise ValueError("Cannot set tensor: Tensor is unallocated. Try calling allocate_tensors() first")
        array = np.asarray(value)
        tensor = self._about[subgraph].tensors[index]
        expected = _numpy_type(tensor.dtype)
        if array.dtype != expected:
            raise ValueError(
                f"Cannot set tensor: Got value of type {array.dtype.name.upper()} but expected type {tensor.dtype.upper()} for "
                f"input {index}, name: {tensor.name}. Convert it, for example with value.astype(np.{tensor.dtype})"
            )
        shape = self._native.shape(subgraph, int(index))
        if array.ndim != len(shape):
            raise ValueError(
                f"Cannot set tensor: Dimension mismatch. Got {array.ndim} but expected {len(shape)} for input {index}."
            )
        for place, (got, wanted) in enumerate(zip(array.shape, shape)):
            if got != wanted:
                raise ValueError(
                    f"Cannot set tensor: Dimension mismatch. Got {got} but expected {wanted} for dimension {place} of input "
                    f"{index}. To change the shape, call resize_tensor_input and allocate_tensors"
                )
        self._native.set(subgraph, int(index), np.asarray(array, order="C"))

    def _get(self, index: int, subgraph: int) -> Array:
        self._check_index(index, subgraph)
        tensor = self._about[subgraph].tensors[index]
        if tensor.constant and not self._native.allocated(subgraph):
            return self._model.constant(subgraph, int(index))
        if not self._native.allocated(subgraph):
            raise ValueError(_NOT_ALLOCATED)
        found = self._native.get(subgraph, int(index))
        if found is not None:
            return found
        if not self._keeps_tensors:
            raise ValueError(
                f"tensor {index} ('{tensor.name}') is an intermediate one, whose memory others use, too: make the Interpreter "
                "with experimental_preserve_all_tensors=True"
            )
        raise ValueError(f"tensor {index} ('{tensor.name}') has no value: call invoke(), or no operator that ran makes it")

    def _view(self, index: int) -> Array:
        self._check_index(index, 0)
        if not self._native.allocated(0):
            raise ValueError(_NOT_ALLOCATED)
        found = self._native.view(0, int(index))
        if found is None:
            raise ValueError(f"tensor {index} has no memory of its own: tensor() reaches inputs, outputs and constants")
        if self._about[0].tensors[index].constant:
            found.flags.writeable = False
        return found

    # ---- what is in the model ----

    def num_subgraphs(self) -> int:
        return self._native.subgraph_count

    def get_input_details(self) -> list[Details]:
        shapes = self._native.shapes(0)
        return [self._details(index, 0, shapes) for index in self._about[0].inputs]

    def get_output_details(self) -> list[Details]:
        shapes = self._native.shapes(0)
        return [self._details(index, 0, shapes) for index in self._about[0].outputs]

    def get_tensor_details(self, subgraph_index: int = 0) -> list[Details]:
        if not 0 <= subgraph_index < self._native.subgraph_count:
            raise ValueError(
                f"subgraph_index is out of range: {subgraph_index} for the model, which has {self._native.subgraph_count} "
                "subgraphs."
            )
        shapes = self._native.shapes(subgraph_index)
        return [
            self._details(index, subgraph_index, shapes)
            for index in range(len(shapes))
            if self._about[subgraph_index].tensors[index].dtype not in ("resource", "variant")
        ]

    def _get_tensor_details(self, tensor_index: int, subgraph_index: int) -> Details:
        self._check_index(tensor_index, subgraph_index)
        return self._details(int(tensor_index), subgraph_index, self._native.shapes(subgraph_index))

    def _details(self, index: int, subgraph: int, shapes: Sequence[Sequence[int]]) -> Details:
        tensor = self._about[subgraph].tensors[index]
        shape = np.array(shapes[index], dtype=np.int32)
        dynamic = any(size < 0 for size in tensor.shape)
        scales = np.array(tensor.scale, dtype=np.float32)
        zero_points = np.array(tensor.zero_point or [0] * len(scales), dtype=np.int32)
        per_tensor = len(scales) == 1
        return {
            "name": tensor.name,
            "index": index,
            "shape": shape,
            "shape_signature": np.array(tensor.shape, dtype=np.int32) if dynamic else shape.copy(),
            "dtype": _numpy_type(tensor.dtype),
            "quantization": (float(scales[0]), int(zero_points[0])) if per_tensor else (0.0, 0),
            "quantization_parameters": {
                "scales": scales,
                "zero_points": zero_points,
                "quantized_dimension": tensor.axis,
                "block_size": 0,
            },
            "sparsity_parameters": {},
        }

    def _get_ops_details(self) -> list[Details]:
        return [self._get_op_details(index) for index in range(len(self._about[0].operators))]

    def _get_op_details(self, op_index: int) -> Details:
        about = self._about[0]
        operator = about.operators[op_index]

        def types(indices: Sequence[int]) -> list[type[np.generic]]:
            return [_numpy_type(about.tensors[i].dtype) for i in indices if i >= 0]

        return {
            "index": int(op_index),
            "op_name": operator.type,
            "inputs": np.array(operator.inputs, dtype=np.int32),
            "outputs": np.array(operator.outputs, dtype=np.int32),
            "operand_types": types(operator.inputs),
            "result_types": types(operator.outputs),
        }

    # ---- signatures ----

    def _get_full_signature_list(self) -> dict[str, dict[str, dict[str, int]]]:
        found = {}
        for signature in self._model.describe().signatures:
            about = self._about[signature.subgraph]
            ways = ((signature.inputs, about.inputs), (signature.outputs, about.outputs))
            inputs, outputs = ({s.signature_name: i for s, i in zip(specs, at) if s.signature_name} for specs, at in ways)
            found[signature.key] = {"inputs": dict(sorted(inputs.items())), "outputs": dict(sorted(outputs.items()))}
        return found

    def get_signature_list(self) -> dict[str, dict[str, list[str]]]:
        return {
            key: {"inputs": list(ways["inputs"]), "outputs": list(ways["outputs"])}
            for key, ways in self._get_full_signature_list().items()
        }

    def get_signature_runner(self, signature_key: str | None = None) -> SignatureRunner:
        if signature_key is None:
            known = self.get_signature_list()
            if len(known) != 1:
                raise ValueError(
                    f"SignatureDef signature_key is None and model has {len(known)} Signatures. None is only allowed when the "
                    "model has 1 SignatureDef"
                )
            signature_key = next(iter(known))
        return SignatureRunner(self, signature_key)

    def _safe_to_run(self) -> bool:
        """Whether no array that tensor() reached is alive."""
        return not self._native.has_views()

    def _ensure_safe(self) -> None:
        if not self._safe_to_run():
            raise RuntimeError(
                "There is at least 1 reference to internal data in the interpreter, in the form of a numpy array or slice. Hold "
                "the function that tensor() returns, and not the arrays that it makes, over calls that may move memory."
            )

    def _native_handle(self) -> int:
        raise UnsupportedError("there is no tflite::Interpreter behind this one")

    def __getattr__(self, name: str) -> Any:
        if name in ("_interpreter", "_delegates", "_custom_op_registerers", "_metrics"):
            raise AttributeError(
                f"Interpreter.{name}: there is no tflite::Interpreter behind this one, and it takes no delegates"
            )
        raise AttributeError(f"'Interpreter' object has no attribute '{name}'")


class SignatureRunner:
    """Runs one signature: runner(name=array, ...) gives a dict of arrays."""

    def __init__(self, interpreter: Interpreter | None = None, signature_key: str | None = None) -> None:
        if interpreter is None:
            raise ValueError("None interpreter provided.")
        if not signature_key:
            raise ValueError("None signature_key provided.")
        signatures = interpreter._get_full_signature_list()
        if signature_key not in signatures:
            raise ValueError(f'Invalid signature_key provided: "{signature_key}".')
        self._interpreter = interpreter
        self._inputs = signatures[signature_key]["inputs"]
        self._outputs = signatures[signature_key]["outputs"]
        self._subgraph = interpreter._model.signature(signature_key).subgraph

    def __call__(self, **kwargs: Any) -> dict[str, Array]:
        if len(kwargs) != len(self._inputs):
            raise ValueError(
                f"Invalid number of inputs provided for running a SignatureDef, expected {len(self._inputs)} vs provided "
                f"{len(kwargs)}: it takes {', '.join(self._inputs)}"
            )
        for name, value in kwargs.items():
            if name not in self._inputs:
                raise ValueError(f"Invalid Input name ({name}) for SignatureDef: it takes {', '.join(self._inputs)}")
            self._interpreter._resize(self._inputs[name], list(value.shape), False, self._subgraph)
        self._interpreter._allocate(self._subgraph)
        for name, value in kwargs.items():
            self._interpreter._set(self._inputs[name], value, self._subgraph)
        self._interpreter._invoke(self._subgraph)
        return {name: self._interpreter._get(index, self._subgraph) for name, index in self._outputs.items()}

    def get_input_details(self) -> dict[str, Details]:
        return {n: self._interpreter._get_tensor_details(i, self._subgraph) for n, i in self._inputs.items()}

    def get_output_details(self) -> dict[str, Details]:
        return {n: self._interpreter._get_tensor_details(i, self._subgraph) for n, i in self._outputs.items()}


__all__ = ["InUseError", "Interpreter", "OpResolverType", "SignatureRunner"]
