"""tf.lite.TFLiteConverter on fewbits' quantizer: the page's options, with the page's meaning."""

from __future__ import annotations

import difflib
import enum
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from .._api import Quantized, calibrate, load, quantize
from .._data import as_array
from .._native import Calibration, Dataset, Model, Preprocess, TensorSpec
from .._progress import Progress
from .._recipe import Mode
from ..errors import InvalidArgumentError, InvalidDataError, UnsupportedError


class Optimize(enum.Enum):
    """What to optimize for. The two OPTIMIZE_FOR_ mean DEFAULT, as in tf.lite."""

    DEFAULT = "DEFAULT"
    OPTIMIZE_FOR_SIZE = "OPTIMIZE_FOR_SIZE"
    OPTIMIZE_FOR_LATENCY = "OPTIMIZE_FOR_LATENCY"
    EXPERIMENTAL_SPARSITY = "EXPERIMENTAL_SPARSITY"

    def __str__(self) -> str:
        return str(self.value)


class OpsSet(enum.Enum):
    """Which operators a device has."""

    TFLITE_BUILTINS = "TFLITE_BUILTINS"
    SELECT_TF_OPS = "SELECT_TF_OPS"
    TFLITE_BUILTINS_INT8 = "TFLITE_BUILTINS_INT8"
    EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8 = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
    EXPERIMENTAL_STABLEHLO_OPS = "EXPERIMENTAL_STABLEHLO_OPS"

    def __str__(self) -> str:
        return str(self.value)

    @staticmethod
    def get_options() -> list[str]:
        return [str(option) for option in OpsSet]


_INT16 = OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8


class RepresentativeDataset:
    """A generator function of samples."""

    def __init__(self, input_gen: Callable[[], Iterable[Any]]) -> None:
        self.input_gen = input_gen


class TargetSpec:
    """What the device can do."""

    def __init__(
        self,
        supported_ops: Iterable[OpsSet] | None = None,
        supported_types: Iterable[Any] | None = None,
        experimental_select_user_tf_ops: Iterable[str] | None = None,
        experimental_supported_backends: Iterable[str] | None = None,
    ) -> None:
        self.supported_ops: Iterable[OpsSet] = {OpsSet.TFLITE_BUILTINS} if supported_ops is None else supported_ops
        self.supported_types: Iterable[Any] = set() if supported_types is None else supported_types
        self.experimental_select_user_tf_ops = experimental_select_user_tf_ops or set()
        self.experimental_supported_backends = experimental_supported_backends


def _type_name(value: Any) -> str:
    """'int8' of numpy.int8, numpy.dtype('int8'), tf.int8, 'int8'."""
    name = getattr(value, "name", None)
    if isinstance(name, str):
        return name
    try:
        return str(np.dtype(value).name)
    except TypeError:
        raise InvalidArgumentError(f"{value!r} is no type: give numpy.int8, fewbits.lite.int8 or the like") from None


# Attributes of tf.lite's converter that are here: the value that they start with.
_OPTIONS: dict[str, Any] = {
    "optimizations": [],
    "representative_dataset": None,
    "target_spec": None,
    "inference_input_type": np.float32,
    "inference_output_type": np.float32,
    "allow_custom_ops": False,
    "exclude_conversion_metadata": False,
    "_experimental_disable_per_channel": False,
}
# Those that only have their default here, with the reason.
_FIXED: dict[str, tuple[Any, str]] = {
    "experimental_new_converter": (True, "there is one converter"),
    "experimental_new_quantizer": (True, "there is one quantizer"),
    "experimental_new_dynamic_range_quantizer": (True, "there is one quantizer"),
    "experimental_enable_resource_variables": (True, "variables of a model are kept as they are"),
    "experimental_use_stablehlo_quantizer": (False, "there is no StableHLO here"),
    "experimental_stablehlo_quantizer_config": (None, "there is no StableHLO here"),
    "unfold_batchmatmul": (False, "BATCH_MATMUL is kept: fewbits and LiteRT run it"),
    "legalize_custom_tensor_list_ops": (False, "TensorList operators are not converted"),
    "canonicalizing_inf_as_min_max_float": (True, "infinite constants are kept"),
    "serialize_debug_metadata": (False, "debug metadata is not written"),
    "experimental_lower_to_saved_model": (True, "Keras models are read from the file that Keras saves"),
    "model_origin_framework": ("UNSET", "conversion metadata is not written"),
    "_experimental_calibrate_only": (False, "use fewbits.calibrate, whose result can be saved"),
    "_experimental_sparsify_model": (False, "fewbits runs sparse weights, and does not write them"),
    "_experimental_quantization_options": (None, "there is no StableHLO here"),
    "_experimental_tf_quantization_mode": (None, "training's own quantization is not taken apart here"),
    "_experimental_qdq_conversion_mode": (
        None,
        "QDQ models of ONNX keep their integers when they are read; there is no other way",
    ),
    "_experimental_strict_qdq": (False, "QDQ models of ONNX keep their integers when they are read; there is no other way"),
    "_experimental_disable_per_channel_quantization_for_dense_layers": (
        False,
        "use _experimental_disable_per_channel, which holds for every layer, or fewbits.quantize(per_channel=False)",
    ),
    "_experimental_reduce_type_precision": (False, "types narrower than int8 are not written"),
    "_experimental_use_buffer_offset": (False, "buffers lie behind the flatbuffer where a model needs it, and only there"),
    "_experimental_allow_all_select_tf_ops": (False, "TensorFlow's own operators cannot be written"),
    "_experimental_lower_tensor_list_ops": (True, "TensorList operators of loops become tensors"),
    "_experimental_default_to_single_batch_in_tensor_list_ops": (
        False,
        "say the batch's size: fewbits.convert(path, shapes=...)",
    ),
    "_experimental_enable_dynamic_update_slice": (
        False,
        "updates of slices are written as the operators that LiteRT has for them",
    ),
    "_experimental_preserve_assert_op": (False, "assertions have no place in .tflite files"),
    "_experimental_guarantee_all_funcs_one_use": (False, "functions are always put in place"),
    "_experimental_disable_fuse_mul_and_fc": (False, "rewrites keep what a model computes, and cannot be turned off"),
    "_experimental_unfold_large_splat_constant": (False, "constants are kept"),
    "_experimental_enable_composite_direct_lowering": (True, "there is no StableHLO here"),
    "_experimental_unsafe_fuse_dynamic_shaped_broadcast": (False, "no rewrite here is unsafe"),
    "_experimental_full_integer_quantization_bias_type": (None, "biases are int32, and int64 beside int16 activations"),
    "_experimental_variable_quantization": (False, "variables are not quantized"),
    "_experimental_low_bit_qat": (False, "there is no low-bit quantization-aware training here"),
    "inference_type": (np.float32, "set target_spec.supported_ops instead"),
    "quantized_input_stats": (None, "calibration measures the inputs"),
    "default_ranges_stats": (None, "calibration measures every tensor"),
    "post_training_quantize": (False, "set optimizations instead"),
    "drop_control_dependency": (True, "control dependencies have no place in .tflite files"),
    "dump_graphviz_dir": (None, "use fewbits report, which draws the graph"),
    "dump_graphviz_video": (False, "use fewbits report, which draws the graph"),
    "conversion_summary_dir": (None, "use fewbits report, or converter.result"),
    "output_format": ("TFLITE", ".tflite is what is written; fewbits report draws graphs"),
    "reorder_across_fake_quant": (False, "training's own quantization is not taken apart here"),
    "change_concat_input_ranges": (False, "what CONCATENATION joins always shares its parameters"),
    **{
        name: (None, "there is no MLIR here")
        for name in (
            "ir_dump_dir",
            "ir_dump_func_regex",
            "ir_dump_pass_regex",
            "print_ir_before",
            "print_ir_after",
            "print_ir_module_scope",
            "elide_elementsattrs_if_larger",
            "enable_timing",
        )
    },
}


class TFLiteConverter:
    """Converts and quantizes: make one with a from_... function, set its attributes, call convert()."""

    optimizations: Iterable[Optimize]
    representative_dataset: RepresentativeDataset | Callable[[], Iterable[Any]] | None
    target_spec: TargetSpec
    inference_input_type: Any
    inference_output_type: Any
    allow_custom_ops: bool
    exclude_conversion_metadata: bool
    progress: Progress

    def __init__(self, model: Model) -> None:
        """Use the from_... functions."""
        for name, value in _OPTIONS.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "optimizations", [])
        object.__setattr__(self, "target_spec", TargetSpec())
        object.__setattr__(self, "progress", None)
        object.__setattr__(self, "_model", model)
        object.__setattr__(self, "_result", None)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OPTIONS or name == "progress":
            object.__setattr__(self, name, value)
        elif name in _FIXED:
            default, reason = _FIXED[name]
            if value is not default and value != default:
                raise UnsupportedError(f"converter.{name} = {value!r} is not in fewbits: {reason}")
        else:
            close = difflib.get_close_matches(name, [*_OPTIONS, *_FIXED], 1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise AttributeError(f"TFLiteConverter has no attribute '{name}' that fewbits knows{hint}")

    def __getattr__(self, name: str) -> Any:
        if name in _FIXED:
            return _FIXED[name][0]
        raise AttributeError(f"TFLiteConverter has no attribute '{name}'")

    # ---- where models come from ----

    @classmethod
    def from_tflite(cls, model: str | os.PathLike[str] | bytes | Model) -> TFLiteConverter:
        """Of a .tflite file's path or content. (tf.lite has no such function.)"""
        return cls(load(model))

    @classmethod
    def from_saved_model(
        cls, saved_model_dir: str | os.PathLike[str], signature_keys: Sequence[str] | None = None, tags: Any = None
    ) -> TFLiteConverter:
        from . import _importers

        return cls(_importers.saved_model(saved_model_dir, signature_keys, tags))

    @classmethod
    def from_keras_model(cls, model: Any) -> TFLiteConverter:
        """Of a live Keras model, which Keras saves to a temporary .keras file."""
        from . import _importers

        return cls(_importers.keras_model(model))

    @classmethod
    def from_keras_file(cls, model_file: str | os.PathLike[str]) -> TFLiteConverter:
        """Of a .keras or .h5 file."""
        from . import _importers

        return cls(_importers.keras_file(model_file))

    @classmethod
    def from_keras_model_file(cls, model_file: str | os.PathLike[str]) -> TFLiteConverter:
        """TensorFlow 1's name of from_keras_file."""
        return cls.from_keras_file(model_file)

    @classmethod
    def from_onnx(cls, model_file: str | os.PathLike[str]) -> TFLiteConverter:
        """Of an ONNX file. (tf.lite has no such function.)"""
        from . import _importers

        return cls(_importers.onnx(model_file))

    @classmethod
    def from_frozen_graph(
        cls,
        graph_def_file: str | os.PathLike[str],
        input_arrays: Sequence[str],
        output_arrays: Sequence[str],
        input_shapes: Mapping[str, Sequence[int]] | None = None,
    ) -> TFLiteConverter:
        """Of a GraphDef without variables."""
        from . import _importers

        return cls(_importers.frozen_graph(graph_def_file, input_arrays, output_arrays, input_shapes))

    @classmethod
    def from_concrete_functions(cls, funcs: Any, trackable_obj: Any = None) -> NoReturn:
        raise UnsupportedError(
            "from_concrete_functions needs TensorFlow's functions in memory: save them with "
            "tf.saved_model.save(obj, dir, signatures=...), and use from_saved_model(dir)"
        )

    @classmethod
    def from_session(cls, sess: Any, input_tensors: Any, output_tensors: Any) -> NoReturn:
        raise UnsupportedError(
            "from_session needs TensorFlow's session in memory: save a SavedModel and use from_saved_model(dir)"
        )

    @classmethod
    def experimental_from_jax(cls, serving_funcs: Any, inputs: Any) -> NoReturn:
        raise UnsupportedError("JAX functions are not read: save a SavedModel with jax2tf and use from_saved_model(dir)")

    # ---- converting ----

    def get_input_arrays(self) -> list[str]:
        """The names of the model's inputs, as TensorFlow 1 has it."""
        return [spec.name for spec in self._model.signature("").inputs]

    def convert(self) -> bytes:
        """The .tflite file. A converter may convert again, with other options."""
        mode = self._mode()
        calibration = self._calibration() if mode in ("int8", "int8-only", "int16x8") else None
        if mode is None:
            return self._model.to_bytes()  # type: ignore[no-any-return]
        integer = calibration is not None
        result = quantize(
            self._model,
            mode,
            calibration=calibration,
            input_type=_type_name(self.inference_input_type) if integer else None,
            output_type=_type_name(self.inference_output_type) if integer else None,
            per_channel=not self._experimental_disable_per_channel,
        )
        if mode == "int16x8" and not self._allows_float():
            self._refuse_float(result)
        object.__setattr__(self, "_result", result)
        return result.to_bytes()

    @property
    def result(self) -> Quantized | None:
        """What the last convert() did to every operator. (tf.lite has no such property.)"""
        return self._result  # type: ignore[no-any-return]

    def _ops(self) -> set[OpsSet]:
        ops = set(self.target_spec.supported_ops)
        strange = [op for op in ops if not isinstance(op, OpsSet)]
        if strange:
            raise InvalidArgumentError(f"target_spec.supported_ops holds {strange[0]!r}, which is no OpsSet of fewbits.lite")
        if OpsSet.EXPERIMENTAL_STABLEHLO_OPS in ops:
            raise UnsupportedError("target_spec.supported_ops: StableHLO operators are not written")
        return ops

    def _allows_float(self) -> bool:
        return bool(self._ops() & {OpsSet.TFLITE_BUILTINS, OpsSet.SELECT_TF_OPS})

    def _optimizes(self) -> bool:
        chosen = set(self.optimizations)
        strange = [option for option in chosen if not isinstance(option, Optimize)]
        if strange:
            raise InvalidArgumentError(f"optimizations holds {strange[0]!r}, which is no Optimize of fewbits.lite")
        if Optimize.EXPERIMENTAL_SPARSITY in chosen:
            raise UnsupportedError("Optimize.EXPERIMENTAL_SPARSITY: fewbits runs sparse weights, and does not write them")
        return bool(chosen)

    def _check_target(self) -> None:
        spec = self.target_spec
        if spec.experimental_select_user_tf_ops:
            raise UnsupportedError("target_spec.experimental_select_user_tf_ops: TensorFlow's own operators cannot be written")
        if spec.experimental_supported_backends:
            raise UnsupportedError(
                "target_spec.experimental_supported_backends: models are not checked against a GPU's operators"
            )

    def _mode(self) -> Mode | None:
        """The mode that the options mean, as tf.lite reads them; None: no quantization."""
        self._check_target()
        ops, types = self._ops(), {_type_name(t) for t in self.target_spec.supported_types}
        unknown = types - {"int8", "float16", "float32"}
        if unknown:
            raise UnsupportedError(f"target_spec.supported_types: {sorted(unknown)[0]} is none of int8, float16 and float32")
        if types == {"int8"}:
            ops = {OpsSet.TFLITE_BUILTINS_INT8}
        if ops == {OpsSet.TFLITE_BUILTINS_INT8} and types - {"int8"}:
            raise InvalidArgumentError(
                "target_spec.supported_ops asks for full integer quantization, so supported_types should be left alone or "
                "hold int8"
            )
        if OpsSet.TFLITE_BUILTINS_INT8 in ops and self.representative_dataset is None:
            raise InvalidArgumentError("For full integer quantization, a `representative_dataset` must be specified.")
        mode = self._choose(ops, types) if self._optimizes() else None
        if mode not in ("int8", "int8-only", "int16x8"):
            for name in ("inference_input_type", "inference_output_type"):
                if _type_name(getattr(self, name)) != "float32":
                    raise InvalidArgumentError(
                        f"{name} can be an integer type only for integer quantization: set optimizations = [Optimize.DEFAULT] "
                        "and a representative_dataset"
                    )
        return mode

    def _choose(self, ops: set[OpsSet], types: set[str]) -> Mode | None:
        with_float = bool(ops & {OpsSet.TFLITE_BUILTINS, OpsSet.SELECT_TF_OPS})
        if self.representative_dataset is not None and _INT16 in ops:
            return "int16x8"
        if _INT16 in ops:
            raise InvalidArgumentError("16-bit activations need a `representative_dataset`.")
        if "float16" in types and "int8" not in types:
            return "float16"
        if types and "int8" not in types:
            return None
        if self.representative_dataset is None:
            return "weights"
        return "int8" if with_float else "int8-only"

    def _refuse_float(self, result: Quantized) -> None:
        offenders = [decision for decision in result.decisions if decision.treatment != "integer"]
        if offenders:
            lines = "".join(f"\n  {d.type} '{d.output}': {d.reason}" for d in offenders)
            raise UnsupportedError(
                f"{len(offenders)} operators cannot run on int16 activations; add OpsSet.TFLITE_BUILTINS to leave them in float:"
                + lines,
                offenders,
            )

    # ---- the representative dataset ----

    def _calibration(self) -> Calibration:
        given = self.representative_dataset
        source = given.input_gen if isinstance(given, RepresentativeDataset) else given
        if not callable(source):
            raise InvalidArgumentError(
                "representative_dataset is a function that yields samples, so that it can be read again: give the function "
                f"itself, not a {type(source).__name__}"
            )
        samples = iter(source())
        first = next(samples, None)
        if first is None:
            raise InvalidDataError("representative_dataset yields no sample: there is nothing to measure ranges on")
        if _is_signed(first):
            return self._calibrate_signatures(first, samples)
        return self._calibrate_one("", first, samples)

    def _calibrate_one(self, signature: str, first: Any, rest: Iterator[Any]) -> Calibration:
        specs = self._model.signature(signature).inputs

        def items() -> Iterator[Any]:
            yield _checked(first, specs, 0)
            for number, sample in enumerate(rest, 1):
                yield _checked(sample, specs, number)

        stream = items()
        data = Dataset.from_stream(lambda: next(stream, None), _NO_PREPROCESSING, False)
        return calibrate(self._model, data, signature=signature, progress=self.progress)

    def _calibrate_signatures(self, first: Any, rest: Iterator[Any]) -> Calibration:
        """Samples of several signatures: those of each together."""
        groups: dict[str, list[Any]] = {first[0]: [first[1]]}
        for number, sample in enumerate(rest, 1):
            if not _is_signed(sample):
                raise InvalidDataError(f"sample {number} of representative_dataset has no signature, and sample 0 has")
            groups.setdefault(sample[0], []).append(sample[1])
        merged: Calibration | None = None
        for key, samples in groups.items():
            part = self._calibrate_one(key, samples[0], iter(samples[1:]))
            if merged is None:
                merged = part
            else:
                merged.merge(part)
        assert merged is not None
        return merged


_NO_PREPROCESSING: Preprocess | None = None


def _is_signed(sample: Any) -> bool:
    return isinstance(sample, tuple) and len(sample) == 2 and isinstance(sample[0], str)


def _checked(sample: Any, specs: Sequence[TensorSpec], number: int) -> tuple[list[tuple[str, Any]], None]:
    """As tf.lite does: every input, of its type."""
    where = f"sample {number} of representative_dataset"
    names = ", ".join(f"'{spec.label}'" for spec in specs)
    if isinstance(sample, Mapping):
        by_name = {name: spec for spec in specs for name in (spec.name, spec.signature_name) if name}
        unknown = [name for name in sample if name not in by_name]
        if unknown or len(sample) != len(specs):
            raise InvalidDataError(f"{where} has {sorted(sample)}, and the inputs of the model are {names}")
        pairs = [(by_name[name], name, value) for name, value in sample.items()]
    elif isinstance(sample, (list, tuple)):
        if len(sample) != len(specs):
            raise InvalidDataError(f"{where} has {len(sample)} arrays, and the model takes {len(specs)}: {names}")
        pairs = [(spec, "", value) for spec, value in zip(specs, sample)]
    else:
        raise InvalidDataError(
            f"{where} is a {type(sample).__name__}: yield a list of arrays, one an input, or a dict by input name"
        )
    arrays = []
    for spec, name, value in pairs:
        array = as_array(value)
        if array.dtype.name != spec.dtype:
            raise InvalidDataError(
                f"{where}: input '{spec.label}' takes {spec.dtype}, and the array is {array.dtype.name}: convert it, for example "
                f"with array.astype(np.{spec.dtype})"
            )
        arrays.append((name, np.asarray(array, order="C")))
    return arrays, None
