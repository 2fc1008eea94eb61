"""tf.lite.experimental.QuantizationDebugger: the same metrics and columns, from the two models' own tensors, run side by side.

tf.lite instruments the quantized model with NumericVerify operators; fewbits runs the float model beside the quantized one and
compares every tensor that both have. The quantized model may be any, and needs no debug mode.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, Any

import numpy as np

from ..errors import InvalidArgumentError, UnsupportedError
from .converter import TFLiteConverter
from .interpreter import Array, Details, Interpreter

_LAYER_METRICS: dict[str, Callable[[Array], Any]] = {
    "num_elements": lambda diffs: diffs.size,
    "stddev": np.std,
    "mean_error": np.average,
    "max_abs_error": lambda diffs: np.max(np.abs(diffs)),
    "mean_squared_error": lambda diffs: np.average(diffs**2),
}
_TWINS = ("", "_int8", "_int16", "_uint8")  # what the quantizer puts behind a name


class QuantizationDebugOptions:
    """Metrics of one's own, and what to leave in float."""

    def __init__(
        self,
        layer_debug_metrics: Mapping[str, Callable[[Array], float]] | None = None,
        model_debug_metrics: Mapping[str, Callable[[Sequence[Array], Sequence[Array]], float]] | None = None,
        layer_direct_compare_metrics: Mapping[str, Callable[[Array, Array, float, int], float]] | None = None,
        denylisted_ops: Sequence[str] | None = None,
        denylisted_nodes: Sequence[str] | None = None,
        fully_quantize: bool = False,
    ) -> None:
        given = [layer_debug_metrics, model_debug_metrics, layer_direct_compare_metrics]
        keys = [key for metrics in given if metrics is not None for key in metrics]
        if len(keys) != len(set(keys)):
            raise ValueError("Provided metrics have duplicate keys.")
        self.layer_debug_metrics = layer_debug_metrics
        self.model_debug_metrics = model_debug_metrics
        self.layer_direct_compare_metrics = layer_direct_compare_metrics
        self.denylisted_ops = denylisted_ops
        self.denylisted_nodes = denylisted_nodes
        self.fully_quantize = fully_quantize


class QuantizationDebugger:
    """Tells layer by layer how far a quantized model is from its float original.

    debugger = QuantizationDebugger(converter=converter, debug_dataset=representative_dataset)
    debugger.run()
    with open("layers.csv", "w") as file:
        debugger.layer_statistics_dump(file)
    """

    def __init__(
        self,
        quant_debug_model_path: str | None = None,
        quant_debug_model_content: bytes | None = None,
        float_model_path: str | None = None,
        float_model_content: bytes | None = None,
        debug_dataset: Callable[[], Iterable[Sequence[Array]]] | None = None,
        debug_options: QuantizationDebugOptions | None = None,
        converter: TFLiteConverter | None = None,
    ) -> None:
        self._data = debug_dataset
        self._options = debug_options or QuantizationDebugOptions()
        self.converter = converter
        self.layer_statistics: dict[str, dict[str, float]] | None = None
        self.model_statistics: dict[str, float] | None = None
        if converter is not None:
            if not converter.optimizations:
                raise ValueError("converter object must set optimizations to lite.Optimize.DEFAULT")
            if not converter.representative_dataset:
                raise ValueError("converter object must set representative_dataset")
            self.float_model: bytes = converter._model.to_bytes()
            self._calibration = converter._calibration()
            self._convert()
            return
        if not (float_model_path or float_model_content):
            raise UnsupportedError(
                "QuantizationDebugger needs the float model beside the quantized one, to compare them: pass float_model_path or "
                "float_model_content, or a converter"
            )
        self._float = _observed(float_model_path, float_model_content)
        self._quant = _observed(quant_debug_model_path, quant_debug_model_content)
        self._pair()

    @property
    def options(self) -> QuantizationDebugOptions:
        return self._options

    @options.setter
    def options(self, options: QuantizationDebugOptions) -> None:
        self._options = options
        self.layer_statistics = self.model_statistics = None
        if self.converter is not None:
            self._convert()

    def _convert(self) -> None:
        from .._api import quantize

        assert self.converter is not None
        mode = self.converter._mode()
        if mode not in ("int8", "int8-only", "int16x8"):
            raise ValueError("QuantizationDebugger is for integer quantization: set a representative_dataset")
        kind = "int8" if self._options.fully_quantize and mode == "int8" else "float32"
        self.quant_model = quantize(
            self.float_model,
            mode,
            calibration=self._calibration,
            input_type=kind,
            output_type=kind,
            per_channel=not self.converter._experimental_disable_per_channel,
            exclude=[*(self._options.denylisted_ops or ()), *(self._options.denylisted_nodes or ())],
        ).to_bytes()
        self._float = _observed(None, self.float_model)
        self._quant = _observed(None, self.quant_model)
        self._pair()

    def _pair(self) -> None:
        """Which tensors of the quantized model answer those of the float model."""
        makers = {int(out): op for op in self._quant._get_ops_details() for out in op["outputs"]}
        quant = {d["name"]: d for d in self._quant.get_tensor_details() if d["index"] in makers and d["dtype"] in _INTEGERS}
        made = {int(out) for op in self._float._get_ops_details() for out in op["outputs"]}
        self._layers: list[tuple[Details, Details, str]] = []
        for mine in self._float.get_tensor_details():
            if mine["index"] not in made or mine["dtype"] is not np.float32:
                continue
            theirs = next((quant[mine["name"] + twin] for twin in _TWINS if mine["name"] + twin in quant), None)
            if theirs is not None and len(theirs["quantization_parameters"]["scales"]) == 1:
                self._layers.append((mine, theirs, makers[theirs["index"]]["op_name"]))

    def get_nondebug_quantized_model(self) -> bytes:
        """The quantized model. It has no instruments, so that this and get_debug_quantized_model() are the same."""
        if self.converter is None:
            raise ValueError("No converter found, use this function with the converter option in the constructor.")
        return self.quant_model

    def get_debug_quantized_model(self) -> bytes:
        return self.get_nondebug_quantized_model()

    def run(self) -> None:
        """Runs both models on all samples and fills layer_statistics and model_statistics."""
        if self._data is None:
            raise InvalidArgumentError("debug_dataset is missing: a function that yields lists of arrays")
        layers: dict[str, dict[str, list[float]]] = {}
        model: dict[str, list[float]] = {}
        samples = 0
        for sample in self._data():
            for interpreter in (self._float, self._quant):
                _feed(interpreter, sample, resize=samples == 0)
                interpreter.invoke()
            samples += 1
            self._measure_layers(layers)
            for name, metric in (self._options.model_debug_metrics or {}).items():
                model.setdefault(name, []).append(metric(_outputs(self._float), _outputs(self._quant)))
        if samples == 0:
            raise InvalidArgumentError("debug_dataset yields no sample")
        self.layer_statistics = {
            name: {metric: float(np.nanmean(values)) for metric, values in of_layer.items()} for name, of_layer in layers.items()
        }
        if self._options.model_debug_metrics:
            self.model_statistics = {name: float(np.mean(values)) for name, values in model.items()}

    def _metrics(self) -> dict[str, Callable[[Array], Any]]:
        return {**_LAYER_METRICS, **(self._options.layer_debug_metrics or {})}

    def _measure_layers(self, layers: dict[str, dict[str, list[float]]]) -> None:
        direct = self._options.layer_direct_compare_metrics or {}
        for mine, theirs, _ in self._layers:
            real, stored = self._float.get_tensor(mine["index"]), self._quant.get_tensor(theirs["index"])
            if real.size != stored.size or real.size == 0:
                continue
            scale, zero = theirs["quantization"]
            diffs = (stored.astype(np.float32) - np.float32(zero)) * np.float32(scale) - real.reshape(stored.shape)
            of_layer = layers.setdefault(mine["name"], {})
            for name, metric in self._metrics().items():
                of_layer.setdefault(name, []).append(metric(diffs))
            for name, compare in direct.items():
                of_layer.setdefault(name, []).append(compare(real, stored, scale, zero))

    def layer_statistics_dump(self, file: IO[str]) -> None:
        """Writes the layers as CSV."""
        names = [*self._metrics(), *(self._options.layer_direct_compare_metrics or {})]
        writer = csv.DictWriter(file, ["op_name", "tensor_idx", *names, "scale", "zero_point", "tensor_name"])
        writer.writeheader()
        for mine, theirs, operator in self._layers:
            metrics = (self.layer_statistics or {}).get(mine["name"])
            if metrics is None:
                continue
            scale, zero = theirs["quantization"]
            about = {"op_name": operator, "tensor_idx": theirs["index"], "tensor_name": mine["name"]}
            writer.writerow({**metrics, **about, "scale": scale, "zero_point": zero})


_INTEGERS = (np.int8, np.int16, np.uint8)


def _observed(path: str | None, content: bytes | None) -> Interpreter:
    interpreter = Interpreter(model_path=path, model_content=content, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    return interpreter


def _feed(interpreter: Interpreter, sample: Sequence[Array], resize: bool) -> None:
    details = interpreter.get_input_details()
    if len(details) != len(sample):
        raise ValueError(
            f"Number of inputs provided ({len(sample)}) does not match number of inputs to the model ({len(details)})"
        )
    if resize:
        for detail, array in zip(details, sample):
            interpreter.resize_tensor_input(detail["index"], array.shape)
        interpreter.allocate_tensors()
    for detail, array in zip(details, sample):
        scale, zero = detail["quantization"]
        if array.dtype == np.float32 and detail["dtype"] in _INTEGERS and scale > 0:
            limits = np.iinfo(detail["dtype"])
            array = np.clip(np.round(array / scale) + zero, limits.min, limits.max).astype(detail["dtype"])
        interpreter.set_tensor(detail["index"], array)


def _outputs(interpreter: Interpreter) -> list[Array]:
    found = []
    for detail in interpreter.get_output_details():
        array = interpreter.get_tensor(detail["index"])
        scale, zero = detail["quantization"]
        if detail["dtype"] in _INTEGERS and scale > 0:
            array = ((array.astype(np.float32) - zero) * scale).astype(np.float32)
        found.append(array)
    return found
