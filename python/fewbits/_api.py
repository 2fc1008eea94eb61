"""The functions of the package: what the command line's commands do, on Models in memory.

Each writes out all of its keywords, though many share them: help(), editors and type checkers show these lists to users.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union

from . import _native
from ._data import Data, dataset
from ._native import Accuracy, Benchmark, Calibration, Comparison, Dataset, Decision, Model, Preprocess
from ._progress import Bar, Progress
from ._recipe import Mode, Recipe, RecipeLike
from .errors import InvalidArgumentError

ModelLike = Union[Model, "Quantized", str, "os.PathLike[str]", bytes]

_MOST_DEFAULT_THREADS = 4


def default_threads() -> int:
    """The machine's, at most 4: as on the command line."""
    return max(1, min(os.cpu_count() or 1, _MOST_DEFAULT_THREADS))


def convert(
    path: str | os.PathLike[str],
    *,
    signature: str = "",
    tags: Sequence[str] = (),
    shapes: Mapping[str, Sequence[int]] | None = None,
    keep_layout: bool = False,
    fuse_recurrent: bool = False,
) -> Model:
    """A Model of a file or folder in any format that fewbits reads, recognised by content.

    signature, tags: which ones of a SavedModel. shapes: by input name, to fix what the model leaves open; -1 keeps a size open.
    keep_layout: channels-first images stay so at inputs and outputs. fuse_recurrent: LSTM and simple RNN layers become sequence
    operators, which keep their state between runs until reset_all_variables().
    """
    sizes = {name: list(shape) for name, shape in (shapes or {}).items()}
    result = _native.convert(os.fspath(path), signature, list(tags), sizes, keep_layout, fuse_recurrent)
    for warning in result.warnings:
        warnings.warn(warning, stacklevel=2)
    return result.model


def load(model: ModelLike) -> Model:
    """A Model of a path, of any format that convert() reads, or of a .tflite file's content."""
    if isinstance(model, Model):
        return model
    if isinstance(model, Quantized):
        return model.model
    if isinstance(model, (bytes, bytearray, memoryview)):
        return Model.from_bytes(bytes(model))
    path = os.fspath(model)
    return Model.load(path) if path.endswith(".tflite") else convert(path)


class Quantized:
    """A quantized model, and what became of every operator of the float one."""

    def __init__(self, result: _native.QuantizeResult, recipe: Recipe, calibration: Calibration | None) -> None:
        self.model: Model = result.model
        self.recipe = recipe
        self.mode: Mode = recipe.mode
        self.decisions: list[Decision] = result.decisions
        self.warnings: list[str] = result.warnings
        self.calibration = calibration

    def save(self, path: str | os.PathLike[str]) -> None:
        self.model.save(os.fspath(path))

    def to_bytes(self) -> bytes:
        return self.model.to_bytes()

    @property
    def in_float(self) -> list[Decision]:
        """The operators that stayed in float, with the reason of each."""
        return [decision for decision in self.decisions if decision.treatment == "float"]

    def __repr__(self) -> str:
        from ._display import quantized_text

        return quantized_text(self)

    def _repr_html_(self) -> str:
        from ._display import quantized_html

        return quantized_html(self)


def dataset_for(
    data: Data, model: Model, signature: str, preprocess: Preprocess | None, sample_rate: int, ignore_nonfinite: bool
) -> Dataset:
    return dataset(
        data,
        model,
        signature=signature,
        preprocess=preprocess,
        sample_rate=sample_rate,
        skip_nonfinite=ignore_nonfinite,
    )


def calibrate(
    model: ModelLike,
    data: Data,
    *,
    samples: int = 0,
    seed: int | None = None,
    signature: str = "",
    preprocess: Preprocess | None = None,
    sample_rate: int = 0,
    ignore_nonfinite: bool = False,
    threads: int | None = None,
    progress: Progress = None,
) -> Calibration:
    """Measures what the model's tensors range over. `samples`: the first so many (0: all), or with `seed` as many drawn."""
    float_model = load(model)
    source = dataset_for(data, float_model, signature, preprocess, sample_rate, ignore_nonfinite)
    with Bar("calibrating", progress) as listener:
        return _native.calibrate(
            float_model, source, signature, samples, seed, threads or default_threads(), ignore_nonfinite, listener
        )


def quantize(
    model: ModelLike,
    mode: RecipeLike,
    data: Data | None = None,
    *,
    calibration: Calibration | None = None,
    input_type: str | None = None,
    output_type: str | None = None,
    per_channel: bool = True,
    min_elements: int = 1024,
    range: Literal["minmax", "average"] = "minmax",
    rounding: Literal["mean", "nearest"] = "mean",
    bias_correction: bool = True,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    weight_type: Literal["int8", "int4"] = "int8",
    block_size: int = 64,
    cut_ranges: bool = True,
    samples: int = 0,
    seed: int | None = None,
    signature: str = "",
    preprocess: Preprocess | None = None,
    sample_rate: int = 0,
    ignore_nonfinite: bool = False,
    threads: int | None = None,
    progress: Progress = None,
) -> Quantized:
    """Stores a float model in few bits.

    mode: 'weights' (int8 weights, float activations) and 'float16' need no data; 'int8' (integers, float where it must be),
      'int8-only' (integers or an UnsupportedError, whose `offenders` are the operators in the way) and 'int16x8' need `data`, or
      the `calibration` of an earlier calibrate(). Or a Recipe, or a dict, of the mode and the options up to `cut_ranges`.
    rounding: 'mean' keeps the means of filters; bias_correction: biases take back the shift that rounded weights leave.
    cut_ranges: in int8, ranges end where all readers of a tensor stop telling numbers apart.
    include, exclude: patterns of operator types or output names.
    weight_type: 'int4' in mode 'weights': the weights of FULLY_CONNECTED, `block_size` inputs under a scale (0: a channel's).
    The rest is as in calibrate() and on the command line, which gives the same bytes.
    """
    float_model = load(model)
    recipe = _recipe(
        mode,
        input_type=input_type,
        output_type=output_type,
        per_channel=per_channel,
        min_elements=min_elements,
        range=range,
        rounding=rounding,
        bias_correction=bias_correction,
        include=include,
        exclude=exclude,
        weight_type=weight_type,
        block_size=block_size,
        cut_ranges=cut_ranges,
    )
    if recipe.mode in ("int8", "int8-only", "int16x8") and calibration is None:
        if data is None:
            raise InvalidArgumentError(
                f"mode {recipe.mode} needs to know the ranges of activations: pass data=, or the calibration= of an earlier "
                "calibrate()"
            )
        calibration = calibrate(
            float_model,
            data,
            samples=samples,
            seed=seed,
            signature=signature,
            preprocess=preprocess,
            sample_rate=sample_rate,
            ignore_nonfinite=ignore_nonfinite,
            threads=threads,
            progress=progress,
        )
    result = _native.quantize(
        float_model,
        recipe.mode,
        calibration,
        recipe.input_type,
        recipe.output_type,
        recipe.per_channel,
        recipe.min_elements,
        recipe.range,
        recipe.rounding,
        recipe.bias_correction,
        list(recipe.include),
        list(recipe.exclude),
        recipe.weight_type,
        recipe.block_size,
        recipe.cut_ranges,
    )
    return Quantized(result, recipe, calibration)


def _recipe(mode: RecipeLike, **options: Any) -> Recipe:
    """Of a mode's name with options, or as it is given: options beside it would leave open which ones hold."""
    if isinstance(mode, str):
        return Recipe(mode, **options)
    recipe = Recipe.of(mode)
    plain = Recipe(recipe.mode, **options)
    if beside := [name for name in options if getattr(plain, name) != getattr(Recipe(recipe.mode), name)]:
        raise InvalidArgumentError(f"{', '.join(beside)}: say it in the recipe, or give the mode's name instead of a recipe")
    return recipe


def compare(
    reference: ModelLike,
    other: ModelLike,
    data: Data,
    *,
    layers: bool = False,
    samples: int = 0,
    seed: int | None = None,
    others: bool = False,
    signature: str = "",
    preprocess: Preprocess | None = None,
    sample_rate: int = 0,
    ignore_nonfinite: bool = False,
    threads: int | None = None,
    progress: Progress = None,
) -> Comparison:
    """How far the answers of `other` are from those of `reference`; with `layers`, of every layer, too.

    others: use the samples that `samples` and `seed` would leave out, which calibration did not see.
    """
    first = load(reference)
    source = dataset_for(data, first, signature, preprocess, sample_rate, ignore_nonfinite)
    with Bar("comparing", progress) as listener:
        return _native.compare(
            first, load(other), source, signature, samples, seed, others, threads or default_threads(), layers, listener
        )


def evaluate(
    model: ModelLike,
    data: Data,
    *,
    samples: int = 0,
    seed: int | None = None,
    others: bool = False,
    label_offset: int | None = None,
    signature: str = "",
    preprocess: Preprocess | None = None,
    sample_rate: int = 0,
    ignore_nonfinite: bool = False,
    threads: int | None = None,
    progress: Progress = None,
) -> Accuracy:
    """How often a classifier is right on labelled data."""
    classifier = load(model)
    source = dataset_for(data, classifier, signature, preprocess, sample_rate, ignore_nonfinite)
    with Bar("evaluating", progress) as listener:
        return _native.evaluate(
            classifier, source, signature, samples, seed, others, threads or default_threads(), label_offset, listener
        )


def benchmark(
    model: ModelLike,
    *,
    runs: int = 30,
    warmup: int = 3,
    profile: bool = False,
    shapes: Mapping[str, Sequence[int]] | None = None,
    signature: str = "",
    seed: int = 0,
    threads: int = 1,
    strict_fp32: bool = False,
) -> Benchmark:
    """How long the model takes on random input; with `profile`, each operator, too. strict_fp32: as Runtime has it."""
    sizes = [(name, list(shape)) for name, shape in (shapes or {}).items()]
    return _native.benchmark(load(model), signature, threads, warmup, runs, profile, seed, sizes, strict_fp32)
