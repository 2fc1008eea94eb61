"""Type changes: QUANTIZE, DEQUANTIZE, FAKE_QUANT, CAST, BITCAST, DENSIFY."""

import numpy as np

from builder import Q, T, opt
from case import rng_for, single_op
from values import RANGES, floats, integers, numeric_value, random_q, shape_name
from sparse import densify_cases

SHAPES = [(1,), (), (3, 7), (2, 3, 4, 5), (1, 33), (2, 1, 3, 2, 2)]
NUMBERS = (
    "float32",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "bool",
    "float16",
    "float64",
    "complex64",
)


# About how many steps of its scale a requantized value of each type spans.
STEPS = {"int8": 256, "uint8": 256, "int16": 65536, "int32": 8000}


def on_ties(rng, shape, q, low, high):
    """Real values of which many fall halfway between two quantized ones, and some outside the range."""
    steps = rng.integers(2 * (low - 6), 2 * (high + 6), shape) / 2 - q.zero_points[0]
    x = (steps * np.float32(q.scales[0])).astype(np.float32)
    return np.where(rng.random(shape) < 0.5, x, x + floats(rng, shape, float(q.scales[0]))).astype(np.float32)


def quantizations():
    for dtype in RANGES:
        for shape in SHAPES:
            for label in ("", "pow2"):
                rng = rng_for("quantize", dtype, shape, label)
                q = random_q(rng, dtype, 2.0**-5 if label else None)
                x = T("float32", shape, value=on_ties(rng, shape, q, *RANGES[dtype]))
                yield single_op(
                    "QUANTIZE",
                    "float32",
                    ("to", dtype, shape_name(shape), label),
                    [x],
                    [T(dtype, q=q)],
                    opt("Quantize"),
                    2 if dtype == "int16" else 1,
                )
        for axis, shape in ((0, (3, 4)), (3, (1, 2, 3, 5)), (1, (2, 3, 2))):
            rng = rng_for("quantize", dtype, "axis", axis)
            zero_points = (
                0 if dtype == "int16" else rng.integers(RANGES[dtype][0] + 60, RANGES[dtype][1] - 60, shape[axis])
            )
            q = Q(rng.uniform(0.01, 0.1, shape[axis]).astype(np.float32), zero_points, axis)
            yield single_op(
                "QUANTIZE",
                "float32",
                ("to", dtype, "per_axis", axis),
                [T("float32", shape, value=floats(rng, shape))],
                [T(dtype, q=q)],
                opt("Quantize"),
                3,
            )
    for source in ("int8", "uint8", "int16", "int32"):
        for target in ("int8", "uint8", "int16", "int32"):
            for shape in ((300,), (2, 3, 5)):
                for label in ("same", "finer", "coarser"):
                    rng = rng_for("requantize", source, target, shape, label)
                    x = requantized_input(rng, source, shape)
                    factor = {"same": 1.0, "finer": rng.uniform(0.3, 0.9), "coarser": rng.uniform(1.1, 3)}[label]
                    scale = float(x.q.scales[0]) * factor
                    scale *= STEPS[source] / STEPS[target]
                    q = target_q(rng, x, target, scale, label == "same")
                    yield single_op(
                        "QUANTIZE",
                        source,
                        ("to", target, shape_name(shape), label),
                        [x],
                        [T(target, q=q)],
                        opt("Quantize"),
                        2 if "int16" in (source, target) else 1,
                    )


def requantized_input(rng, source, shape):
    if source == "int32":
        return T(
            "int32",
            shape,
            Q(float(np.float32(rng.uniform(0.0005, 0.002)))),
            value=rng.integers(-4000, 4000, shape).astype(np.int32),
        )
    return numeric_value(rng, source, shape)


def target_q(rng, x, target, scale, same):
    """Parameters of a requantized output; `same` between 8-bit types moves the zero point as flipping the sign does."""
    scale = float(np.float32(scale))
    if target in ("int16", "int32"):
        return Q(scale, 0)
    low, high = RANGES[target]
    return Q(
        scale,
        (
            int(x.q.zero_points[0]) + low - RANGES[x.type][0]
            if same and x.type in ("int8", "uint8")
            else int(rng.integers(low + 60, high - 60))
        ),
    )


def dequantizations():
    for dtype, version in (
        ("int8", 2),
        ("uint8", 1),
        ("int16", 3),
        ("float16", 3),
        ("int4", 6),
        ("int2", 7),
        ("uint4", 8),
        ("int32", 2),
    ):
        for shape in SHAPES:
            for constant in (False, True):
                if not constant and dtype in ("int4", "int2", "uint4"):
                    continue
                rng = rng_for("dequantize", dtype, shape, constant)
                x = dequantized_input(rng, dtype, shape)
                if constant:
                    x.const, x.value = x.value, None
                yield single_op(
                    "DEQUANTIZE",
                    dtype,
                    (shape_name(shape), "const" if constant else ""),
                    [x],
                    [T("float32")],
                    opt("Dequantize"),
                    version,
                )
    for dtype, limit, version in (
        ("int8", 127, 5),
        ("int4", 7, 6),
        ("int2", 1, 7),
        ("uint8", 255, 5),
        ("int16", 32767, 5),
    ):
        for axis, shape in ((0, (3, 5)), (3, (1, 2, 3, 4)), (1, (2, 3, 2)), (0, (7,))):
            rng = rng_for("dequantize", dtype, "axis", axis, shape)
            low = 0 if dtype == "uint8" else -limit
            store = "int8" if dtype in ("int4", "int2") else dtype
            q = Q(rng.uniform(0.01, 0.1, shape[axis]).astype(np.float32), 0, axis)
            x = T(dtype, shape, q, const=integers(rng, shape, store, low, limit))
            yield single_op(
                "DEQUANTIZE",
                dtype,
                ("per_axis", axis, shape_name(shape)),
                [x],
                [T("float32")],
                opt("Dequantize"),
                version,
            )


def dequantized_input(rng, dtype, shape):
    if dtype in ("int4", "int2"):
        limit = {"int4": 7, "int2": 1}[dtype]
        return T(dtype, shape, Q(0.25), value=integers(rng, shape, "int8", -limit - 1, limit))
    if dtype == "int32":
        return T(dtype, shape, Q(0.001), value=rng.integers(-9000, 9000, shape).astype(np.int32))
    return numeric_value(rng, dtype if dtype != "uint4" else "uint8", shape)


def fake_quantizations():
    for bits in (2, 4, 8, 16):
        for narrow in (False, True):
            for low, high in ((-1.0, 1.0), (0.0, 6.0), (-3.3, 7.1), (-5.0, -0.0)):
                rng = rng_for("fake_quant", bits, narrow, low, high)
                x = T("float32", (6, 9), value=rng.uniform(low - 1, high + 1, (6, 9)).astype(np.float32))
                yield single_op(
                    "FAKE_QUANT",
                    "float32",
                    (f"b{bits}", f"{low:g}", f"{high:g}", "narrow" if narrow else ""),
                    [x],
                    [T("float32")],
                    opt("FakeQuant", min=low, max=high, numBits=bits, narrowRange=narrow),
                    2 if narrow else 1,
                )


def casts():
    codes = {
        "float32": 0,
        "float16": 1,
        "int32": 2,
        "uint8": 3,
        "int64": 4,
        "bool": 6,
        "int16": 7,
        "complex64": 8,
        "int8": 9,
        "float64": 10,
        "uint32": 15,
        "uint16": 16,
    }
    for source in NUMBERS:
        for target in NUMBERS:
            if source == target or source == "complex64" and target not in ("float32",):
                continue
            for shape in ((40,), (2, 3, 4)):
                rng = rng_for("cast", source, target, shape)
                # A negative or large float has no unsigned integer: C++ leaves that undefined.
                low = 0 if target.startswith("u") or source.startswith("u") else -100
                x = rng.uniform(low, 100, shape)
                x = (rng.random(shape) < 0.5) if source == "bool" else x.astype(source)
                yield single_op(
                    "CAST",
                    source,
                    ("to", target, shape_name(shape)),
                    [T(source, shape, value=x)],
                    [T(target)],
                    opt("Cast", inDataType=codes[source], outDataType=codes[target]),
                    cast_version(source, target),
                )
    wide = np.array([-129, -128, 127, 128, 255, 256, 65535, 70000, -70000, 2**31 - 1], np.int32)
    for target in ("int8", "uint8", "int16", "int64", "float32"):
        yield single_op(
            "CAST",
            "int32",
            ("wrap", target),
            [T("int32", wide.shape, value=wide)],
            [T(target)],
            opt("Cast", inDataType=2, outDataType=codes[target]),
            cast_version("int32", target),
        )


def cast_version(source, target):
    types = {source, target}
    if types & {"float64", "float16"}:
        return 5 if "float64" in types else 6
    return 4 if "uint32" in types else 3 if "int8" in types or "uint16" in types else 1


def bitcasts():
    widths = {"float32": 4, "int32": 4, "uint32": 4, "int16": 2, "uint16": 2, "int8": 1, "uint8": 1, "int64": 8}
    for source, wide in widths.items():
        for target, narrow in widths.items():
            if source == target or source.startswith("float") and target.startswith("float"):
                continue
            shape = (3, 2) if narrow <= wide else (3, 2, narrow // wide)
            rng = rng_for("bitcast", source, target)
            x = rng.integers(0, 100, shape).astype(source) if source != "float32" else floats(rng, shape)
            yield single_op("BITCAST", source, ("to", target), [T(source, shape, value=x)], [T(target)], opt("Bitcast"))


def cases():
    yield from quantizations()
    yield from dequantizations()
    yield from fake_quantizations()
    yield from casts()
    yield from bitcasts()
    yield from densify_cases()
