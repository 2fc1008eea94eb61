"""How results look: a few lines of text in terminals, tables in notebooks."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._api import Quantized
    from ._native import (
        Accuracy,
        Benchmark,
        Calibration,
        Comparison,
        LayerComparison,
        Model,
        OutputComparison,
        TensorError,
        TensorSpec,
    )

_MOST_ROWS = 200


def bytes_text(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _file_name(path: str) -> str:
    return os.path.basename(path.rstrip("/"))


def decibel_text(value: float) -> str:
    if math.isnan(value):
        return "no signal"
    return "exact" if math.isinf(value) and value > 0 else f"{value:.2f} dB"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    listed = list(rows)
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in listed[:_MOST_ROWS])
    more = f"<p>and {len(listed) - _MOST_ROWS} more</p>" if len(listed) > _MOST_ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _spec(spec: TensorSpec) -> str:
    return f"{spec.label}: {spec.dtype} {list(spec.shape)}"


def model_text(model: Model) -> str:
    about = model.describe()
    operators = sum(len(graph.operators) for graph in about.subgraphs)
    ways = model.signature()
    return (
        f"<fewbits.Model {_file_name(about.path) or 'in memory'}: "
        f"{operators} operators, {bytes_text(about.constant_bytes)} of constants, "
        f"{', '.join(map(_spec, ways.inputs))} -> {', '.join(map(_spec, ways.outputs))}>"
    )


def model_html(model: Model) -> str:
    about = model.describe()
    ways = model.signature()
    types = Counter(operator.type for graph in about.subgraphs for operator in graph.operators)
    rows = [("input", s.label, s.dtype, list(s.shape)) for s in ways.inputs]
    rows += [("output", s.label, s.dtype, list(s.shape)) for s in ways.outputs]
    return (
        f"<p><b>{escape(_file_name(about.path) or 'model in memory')}</b>: {sum(types.values())} operators, "
        f"{bytes_text(about.constant_bytes)} of constants</p>"
        + _table(("", "name", "type", "shape"), rows)
        + _table(("operator", "count"), types.most_common())
    )


def _treatments(result: Quantized) -> Counter[str]:
    return Counter(decision.treatment for decision in result.decisions)


def quantized_text(result: Quantized) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in _treatments(result).most_common())
    lines = [f"<fewbits.Quantized, mode {result.mode}: {counts}>"]
    reasons = Counter((d.type, d.reason) for d in result.in_float if d.reason)
    lines += [f"  {count} {kind} in float: {reason}" for (kind, reason), count in reasons.most_common()]
    lines += [f"  warning: {warning}" for warning in result.warnings]
    return "\n".join(lines)


def quantized_html(result: Quantized) -> str:
    reasons = Counter((d.type, d.treatment, d.reason, d.help) for d in result.decisions)
    rows = [(count, *key) for key, count in reasons.most_common()]
    return f"<p>mode <b>{escape(result.mode)}</b></p>" + _table(("", "operator", "became", "why not better", "what helps"), rows)


def _error(error: TensorError) -> str:
    return f"{decibel_text(error.sqnr_db)}, worst error {error.max_abs:.4g} (largest {error.reference_max_abs:.4g})"


def error_text(error: TensorError) -> str:
    return f"<{_error(error)}>"


def output_text(output: OutputComparison) -> str:
    return f"<output {output.name}: {_error(output.error)}, agreement {_share(output.agreement)}>"


def layer_text(layer: LayerComparison) -> str:
    return f"<{layer.type} {layer.name} as {layer.dtype}: {_error(layer.error)}>"


def comparison_text(comparison: Comparison) -> str:
    lines = [f"<fewbits.Comparison over {comparison.samples} samples>"]
    lines += [f"  {output_text(output)[1:-1]}" for output in comparison.outputs]
    worst = sorted(comparison.layers, key=lambda layer: layer.error.sqnr_db)[:3]
    lines += ["  worst layers:"] if worst else []
    lines += [f"    {decibel_text(layer.error.sqnr_db)} {layer.type} {layer.name}" for layer in worst]
    return "\n".join(lines)


def comparison_html(comparison: Comparison) -> str:
    outputs = [(o.name, decibel_text(o.error.sqnr_db), f"{o.error.max_abs:.4g}", _share(o.agreement)) for o in comparison.outputs]
    html = f"<p>{comparison.samples} samples</p>" + _table(("output", "SQNR", "worst error", "agreement"), outputs)
    if comparison.layers:
        layers = [
            (layer.type, layer.dtype, decibel_text(layer.error.sqnr_db), f"{layer.error.max_abs:.4g}", layer.name)
            for layer in sorted(comparison.layers, key=lambda layer: layer.error.sqnr_db)
        ]
        html += _table(("operator", "as", "SQNR", "worst error", "tensor"), layers)
    return html


def accuracy_text(accuracy: Accuracy) -> str:
    return (
        f"<fewbits.Accuracy: top-1 {_share(accuracy.top1)}, top-5 {_share(accuracy.top5)} of {accuracy.samples} samples, "
        f"{accuracy.classes} classes>"
    )


def benchmark_text(result: Benchmark) -> str:
    return (
        f"<fewbits.Benchmark: median {result.median_ms:.3f} ms, fastest {result.min_ms:.3f} ms, 90th percentile "
        f"{result.p90_ms:.3f} ms of {result.runs} runs; {bytes_text(result.peak_bytes)} of activations>"
    )


def accuracy_html(accuracy: Accuracy) -> str:
    rows = [
        ("top-1", _share(accuracy.top1), f"{accuracy.top1_hits} of {accuracy.samples}"),
        ("top-5", _share(accuracy.top5), f"{accuracy.top5_hits} of {accuracy.samples}"),
    ]
    return _table(("", "right", "samples"), rows) + f"<p>{accuracy.classes} classes, from {escape(accuracy.output)}</p>"


def benchmark_html(result: Benchmark) -> str:
    columns = ("median", "fastest", "90th percentile", "runs", "activations")
    times = [f"{value:.3f} ms" for value in (result.median_ms, result.min_ms, result.p90_ms)]
    html = _table(columns, [(*times, result.runs, bytes_text(result.peak_bytes))])
    if result.operators:
        slowest = sorted(result.operators, key=lambda operator: -operator.nanoseconds)
        rows = [(o.type, o.name, o.kernel, f"{o.nanoseconds / 1e6:.3f} ms") for o in slowest]
        html += _table(("operator", "output", "kernel", "time"), rows)
    return html


def calibration_html(calibration: Calibration) -> str:
    rows = [
        (r.name, f"{r.min:.6g}", f"{r.max:.6g}", f"{r.average_min:.6g}", f"{r.average_max:.6g}") for r in calibration.ranges()
    ]
    return f"<p>over {calibration.samples} samples</p>" + _table(("tensor", "min", "max", "average min", "average max"), rows)
