"""Reductions: MEAN, SUM, REDUCE_*, ARG_MAX, ARG_MIN, TOPK_V2, CUMSUM."""

import numpy as np

from builder import Q, T, const, opt, value
from case import FIXED_POINT, EXACT, rng_for, single_op
from values import RANGES, fitting_q, numeric_value, real_values, shape_name

REDUCTIONS = {
    "MEAN": ("float32", "int8", "uint8", "int16", "int32", "int64"),
    "SUM": ("float32", "int8", "uint8", "int16", "int32", "int64"),
    "REDUCE_PROD": ("float32", "int8", "int16", "int32", "int64"),
    "REDUCE_MAX": ("float32", "int8", "uint8", "int16", "int32", "int64"),
    "REDUCE_MIN": ("float32", "int8", "uint8", "int16", "int32", "int64"),
    "REDUCE_ANY": ("bool",),
    "REDUCE_ALL": ("bool",),
}
VERSIONS = {
    "MEAN": {"int8": 2, "int16": 3},
    "SUM": {"int8": 2, "uint8": 2, "int16": 2},
    "REDUCE_PROD": {"int8": 2, "int16": 2},
    "REDUCE_MAX": {"int8": 2, "int16": 3},
    "REDUCE_MIN": {"int8": 2, "int16": 3},
}
FORMS = [
    ((7,), (0,)),
    ((3, 5), (0,)),
    ((3, 5), (1,)),
    ((2, 3, 4), (1,)),
    ((2, 3, 4), (0, 2)),
    ((2, 3, 4), (-1,)),
    ((1, 7, 7, 9), (1, 2)),
    ((2, 5, 3, 4), (1, 2)),
    ((2, 5, 3, 4), (0, 1, 2, 3)),
    ((2, 3, 4, 2), (3,)),
    ((2, 3, 4), (-3, 1)),
    ((2, 3, 4), (1, 1)),
    ((2, 1, 3, 2, 2), (2, 4)),
    ((1, 1, 1, 5), (1, 2)),
    ((1, 20, 20, 3), (1, 2)),
    ((2, 3), ()),
    ((1,), (0,)),
]


def output_q(rng, op, x, axes):
    """Output parameters: those of the input where the operator prescribes it, else a range that the results fill."""
    if op in ("REDUCE_MAX", "REDUCE_MIN"):
        return x.q
    function = {"MEAN": np.mean, "SUM": np.sum, "REDUCE_PROD": np.prod}[op]
    return fitting_q(rng, x.type, function(real_values(x), axis=tuple({a % len(x.shape) for a in axes})))


def reductions():
    for op, dtypes in REDUCTIONS.items():
        for dtype in dtypes:
            for shape, axes in FORMS:
                count = int(np.prod([shape[a] for a in set(a % len(shape) for a in axes)]))
                if op == "REDUCE_PROD" and count > 40:
                    continue
                for keep in (False, True):
                    rng = rng_for(op, dtype, shape, axes, keep)
                    x = numeric_value(rng, dtype, shape, spread=1.0)
                    if op == "REDUCE_PROD" and dtype in ("int32", "int64"):
                        x.value = np.asarray(rng.integers(-2, 3, shape), dtype)
                    if op in ("REDUCE_ANY", "REDUCE_ALL"):
                        x.value = rng.random(shape) < (0.15 if op == "REDUCE_ANY" else 0.85)
                    q = output_q(rng, op, x, axes) if x.q is not None else None
                    yield single_op(
                        op,
                        dtype,
                        (shape_name(shape), "axis" + "_".join(map(str, axes)), "keep" if keep else ""),
                        [x, const(np.asarray(axes, np.int32))],
                        [T(dtype, q=q)],
                        opt("Reducer", keepDims=keep),
                        VERSIONS.get(op, {}).get(dtype, 1),
                        # The optimized kernel, which answers here (expectations.REFERENCE_BROKEN), rounds the scale once more.
                        FIXED_POINT if (op, dtype) == ("SUM", "int8") else None,
                    )
            if (op, dtype) == ("SUM", "int16"):
                continue  # the kernel writes nothing; a live axis hides that
            rng = rng_for(op, dtype, "live")
            x = numeric_value(rng, dtype, (2, 3, 4), spread=1.0)
            yield single_op(
                op,
                dtype,
                ("live",),
                [x, value(np.array([1], np.int32))],
                [T(dtype, q=x.q)],
                opt("Reducer", keepDims=False),
                VERSIONS.get(op, {}).get(dtype, 1),
                dynamic=True,
            )
            if op in ("MEAN", "SUM") and dtype in RANGES:
                for shape, axes in (((1, 7, 7, 16), (1, 2)), ((3, 5, 4, 2), (1, 2)), ((4, 9), (1,))):
                    rng = rng_for(op, dtype, "same", shape)
                    # Equally scaled values are summed as integers: their zero must be 0, and nothing may wrap.
                    q = Q(0.05, 0) if op == "SUM" else None
                    x = numeric_value(rng, dtype, shape, q)
                    if op == "SUM":
                        x.value = rng.integers(0, 3, shape).astype(dtype)
                    yield single_op(
                        op,
                        dtype,
                        (shape_name(shape), "sameq"),
                        [x, const(np.asarray(axes, np.int32))],
                        [T(dtype, q=x.q)],
                        opt("Reducer", keepDims=True),
                        VERSIONS[op].get(dtype, 1),
                    )


def arg_extremes():
    for op in ("ARG_MAX", "ARG_MIN"):
        for dtype in ("float32", "int8", "uint8", "int32", "bool", "int16"):
            for shape, axis in (
                ((9,), 0),
                ((3, 5), 0),
                ((3, 5), 1),
                ((2, 3, 4), -1),
                ((2, 3, 4), 1),
                ((2, 3, 4, 5), 3),
                ((1, 7), 0),
                ((2, 2, 3, 2, 2), 2),
                ((1, 300), 1),
            ):
                for out in ("int32", "int64"):
                    for index in ("int32", "int64"):
                        if index == "int64" and out == "int64":
                            continue
                        rng = rng_for(op, dtype, shape, axis)
                        x = numeric_value(rng, dtype, shape)
                        if dtype != "float32" and dtype != "bool":  # ties: the first one counts
                            x.value = np.asarray(rng.integers(0, 4, shape), dtype)
                        yield single_op(
                            op,
                            dtype,
                            (shape_name(shape), f"axis{axis}", out, f"by{index}" if index != "int32" else ""),
                            [x, const(np.asarray(axis, index))],
                            [T(out)],
                            opt("ArgMax" if op == "ARG_MAX" else "ArgMin", outputType={"int32": 2, "int64": 4}[out]),
                            {"int8": 2, "bool": 3}.get(dtype, 1),
                            EXACT,
                        )


def top_ks():
    for dtype in ("float32", "int8", "uint8", "int16", "int32", "int64"):
        for shape, k in (((9,), 3), ((3, 7), 7), ((2, 3, 5), 2), ((4, 1), 1), ((2, 50), 10), ((3, 4), 0)):
            for live in (False, True):
                for out in ("int32", "int16"):
                    if out == "int16" and (live or dtype not in ("float32", "int8")):
                        continue
                    rng = rng_for("topk", dtype, shape, k)
                    x = numeric_value(rng, dtype, shape)
                    if dtype != "float32":
                        x.value = np.asarray(rng.integers(0, 20, shape), dtype)
                    count = np.int32(k)
                    yield single_op(
                        "TOPK_V2",
                        dtype,
                        (shape_name(shape), f"k{k}", out if out != "int32" else "", "live" if live else ""),
                        [x, value(count) if live else const(count)],
                        [T(dtype, q=x.q), T(out)],
                        opt("TopKV2"),
                        3 if out == "int16" else 2 if dtype == "int8" else 1,
                        dynamic=live,
                    )


def cumulative_sums():
    for dtype in ("float32", "int32", "int64"):
        for shape, axis in (((7,), 0), ((3, 5), 0), ((3, 5), -1), ((2, 3, 4), 1), ((2, 3, 2, 2), 2)):
            for exclusive in (False, True):
                for reverse in (False, True):
                    x = numeric_value(rng_for("cumsum", dtype, shape, axis), dtype, shape)
                    yield single_op(
                        "CUMSUM",
                        dtype,
                        (
                            shape_name(shape),
                            f"axis{axis}",
                            "exclusive" if exclusive else "",
                            "reverse" if reverse else "",
                        ),
                        [x, const(np.int32(axis))],
                        [T(dtype)],
                        opt("Cumsum", exclusive=exclusive, reverse=reverse),
                    )


def cases():
    yield from reductions()
    yield from arg_extremes()
    yield from top_ks()
    yield from cumulative_sums()
