"""Rarer operators: DILATE, REDUCE_WINDOW, and the elementwise StableHLO ones that LiteRT has kernels for."""

import numpy as np

from builder import T, const, opt
from case import EXACT, rng_for, single_op
from values import numeric_value, shape_name

REDUCTIONS = ("UNSUPPORTED", "ADD", "MUL", "MINIMUM", "MAXIMUM", "ALL", "ANY")
IDENTITY = {"ADD": 0, "MUL": 1, "MINIMUM": 120, "MAXIMUM": -120, "ALL": True, "ANY": False}


def dilations():
    for dtype in ("float32", "int8", "int32", "int64", "uint8", "int16"):
        for shape, factors in (((4,), (3,)), ((2, 3), (2, 1)), ((2, 3, 2), (1, 2, 3)), ((2, 2, 1, 3), (2, 2, 2, 2))):
            x = numeric_value(rng_for("dilate", dtype, shape), dtype, shape)
            fill = const(np.asarray(5, dtype), q=x.q)
            yield single_op(
                "DILATE",
                dtype,
                (shape_name(shape), shape_name(factors)),
                [x, const(np.asarray(factors, np.int32)), fill],
                [T(dtype, q=x.q)],
                opt("Dilate"),
            )


def windows():
    for function in REDUCTIONS[1:]:
        for dtype in (
            ("bool",) if function in ("ALL", "ANY") else ("float32", "int32", "int64", "int8", "uint8", "int16")
        ):
            for shape, window, strides, spread in (
                ((9,), (3,), (2,), (1,)),
                ((5, 6), (2, 3), (1, 2), (1, 1)),
                ((4, 7, 3), (1, 2, 2), (1, 1, 1), (1, 3, 1)),
                ((1, 6, 6, 2), (1, 3, 3, 1), (1, 2, 2, 1), (1, 1, 1, 1)),
            ):
                rng = rng_for("reduce_window", function, dtype, shape)
                x = numeric_value(rng, dtype, shape)
                if dtype not in ("float32", "bool"):
                    x.value, x.q = rng.integers(0, 3, shape).astype(dtype), None
                start = max(IDENTITY[function], 0) if dtype == "uint8" else IDENTITY[function]
                operands = [x, const(np.asarray(start, dtype))] + [
                    const(np.asarray(v, np.int64)) for v in (window, strides, spread)
                ]
                yield single_op(
                    "REDUCE_WINDOW",
                    dtype,
                    (function.lower(), shape_name(shape), "w" + shape_name(window)),
                    operands,
                    [T(dtype)],
                    opt("ReduceWindow", reduceFunction=REDUCTIONS.index(function)),
                )


def stablehlo():
    for op in ("ADD", "MULTIPLY", "MAXIMUM", "MINIMUM", "AND", "SHIFT_LEFT"):
        integer = op in ("AND", "SHIFT_LEFT")
        for dtype in ("int32", "int8", "int16") if integer else ("float32", "int32"):
            for shape in ((7,), (2, 3, 4), (1, 2, 3, 2, 2)):
                rng = rng_for("stablehlo", op, dtype, shape)
                operands = [T(dtype, shape, value=numeric_value(rng, dtype, shape).value) for _ in range(2)]
                if op == "SHIFT_LEFT":
                    operands[0].value, operands[1].value = (rng.integers(0, n, shape).astype(dtype) for n in (8, 4))
                yield single_op(
                    f"STABLEHLO_{op}",
                    dtype,
                    (shape_name(shape),),
                    operands,
                    [T(dtype)],
                    None,
                    1,
                    EXACT if integer else None,
                )


def cases():
    yield from dilations()
    yield from windows()
    yield from stablehlo()
