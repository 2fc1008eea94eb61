"""Elementwise operators of one operand: arithmetic, rounding, and every activation function."""

import numpy as np

from builder import Q, T, const, opt
from case import FIXED_POINT, rng_for, single_op
from values import RANGES, fitting_q, floats, numeric_value, random_q, real_values

SHAPES = [(1,), (), (7,), (33,), (4, 5), (2, 3, 5), (1, 7, 9, 3), (2, 1, 3, 2, 5), (1, 1, 2, 3, 2, 3), (1000,)]

# operator -> types; operators with quantized types read `FUNCTIONS` for a fitting output range.
UNARY = {
    "ABS": ("float32", "int8", "int16", "int16_plain", "int32"),
    "NEG": ("float32", "int8", "int32", "int64"),
    "EXP": ("float32", "int8", "int16"),
    "LOG": ("float32", "int8", "int16"),
    "SQRT": ("float32", "int8", "int16"),
    "RSQRT": ("float32", "int8", "int16"),
    "SQUARE": ("float32", "int8"),
    "SIN": ("float32", "int8"),
    "COS": ("float32", "int8"),
    "FLOOR": ("float32", "int8"),
    "CEIL": ("float32", "int8"),
    "ROUND": ("float32", "int8"),
    "SIGN": ("float32", "int32", "float64"),
    "LOGICAL_NOT": ("bool",),
    "ZEROS_LIKE": ("float32", "int32", "int64", "int8"),
    "RELU": ("float32", "int8", "uint8", "int16"),
    "RELU6": ("float32", "int8", "uint8", "int16"),
    "RELU_N1_TO_1": ("float32", "int8", "uint8", "int16"),
    "RELU_0_TO_1": ("float32", "int8", "uint8", "int16"),
    "LEAKY_RELU": ("float32", "int8", "uint8", "int16"),
    "ELU": ("float32", "int8"),
    "GELU": ("float32", "int8", "uint8", "int16"),
    "HARD_SWISH": ("float32", "int8", "uint8", "int16"),
    "LOGISTIC": ("float32", "int8", "uint8", "int16"),
    "TANH": ("float32", "int8", "uint8", "int16"),
}
VERSIONS = {
    "ABS": {"int8": 2, "int16": 3, "int16_plain": 4, "int32": 5},
    "EXP": {"int8": 2, "int16": 2},
    "LOG": {"int8": 2, "int16": 2},
    "SQRT": {"int8": 2, "int16": 2},
    "RSQRT": {"int8": 2, "int16": 3},
    "RELU": {"int8": 2, "uint8": 2, "int16": 3},
    "RELU6": {"int8": 2, "uint8": 2, "int16": 3},
    "LEAKY_RELU": {"int8": 2, "uint8": 2, "int16": 2},
    "LOGISTIC": {"int8": 2, "int16": 3},
    "TANH": {"int8": 2, "int16": 3},
    "SIGN": {"int32": 2},
}
POSITIVE = {"LOG", "SQRT", "RSQRT"}
FIXED_OUTPUT = {  # operators whose output parameters the kernel prescribes
    ("LOGISTIC", "int8"): Q(1 / 256, -128),
    ("LOGISTIC", "uint8"): Q(1 / 256, 0),
    ("LOGISTIC", "int16"): Q(1 / 32768, 0),
    ("TANH", "int8"): Q(1 / 128, 0),
    ("TANH", "uint8"): Q(1 / 128, 128),
    ("TANH", "int16"): Q(1 / 32768, 0),
}
FUNCTIONS = {
    "ABS": np.abs,
    "NEG": np.negative,
    "EXP": np.exp,
    "LOG": np.log,
    "SQRT": np.sqrt,
    "RSQRT": lambda x: 1 / np.sqrt(x),
    "RELU": lambda x: np.maximum(x, 0),
    "RELU6": lambda x: np.clip(x, 0, 6),
    "RELU_N1_TO_1": lambda x: np.clip(x, -1, 1),
    "RELU_0_TO_1": lambda x: np.clip(x, 0, 1),
    "LEAKY_RELU": lambda x: np.where(x < 0, 0.2 * x, x),
    "ELU": lambda x: np.where(x < 0, np.expm1(x), x),
    "GELU": lambda x: x * (x > -1),
    "HARD_SWISH": lambda x: x * (x > -3),
}
# Only the ends of these outputs are guesses; a runtime sees them in the file.
SPREAD = {"EXP": 1.5, "SIN": 5.0, "COS": 5.0, "LOGISTIC": 4.0}
FIXED_POINT_OPS = {"LOGISTIC", "TANH"}


def output_q(rng, dtype, op, x):
    """Output parameters whose range covers what the function gives for the input's values."""
    with np.errstate(all="ignore"):
        return fitting_q(rng, dtype, FUNCTIONS.get(op, lambda v: v)(real_values(x)))


def operand(rng, op, dtype, shape, scale=None):
    """A model input in the function's domain."""
    base = dtype.removesuffix("_plain")
    q = random_q(rng, base, scale) if base in RANGES and base == dtype else None
    if op in POSITIVE and q is not None:
        q = Q(q.scale, RANGES[base][0] if base != "int16" else 0)
    x = numeric_value(rng, base, shape, q, SPREAD.get(op, 3.0))
    if base != dtype:
        x.q = None
    if op in POSITIVE:
        least = x.q.zero_points[0] + 1 if x.q is not None else np.float32(1e-3)
        x.value = np.maximum(np.abs(x.value) if x.q is None or base == "int16" else x.value, least).astype(base)
        if base == "int16":
            x.value = np.where(x.value < 1, np.int16(32767), x.value)
    if op == "ROUND" and base == "float32" and x.value.size > 6:
        x.value.flat[:6] = [0.5, 1.5, -0.5, -1.5, 2.5, -2.5]
    return x


def unary(op, dtype, shape, options=None, label="", scale=None):
    """One case of an elementwise operator."""
    parts = ("x".join(map(str, shape)) or "scalar", label)
    rng = rng_for(op, dtype, parts)
    x = operand(rng, op, dtype, shape, scale)
    q = None
    if x.q is not None:
        q = FIXED_OUTPUT.get((op, dtype)) or output_q(rng, dtype, op, x)
    tolerance = FIXED_POINT if op in FIXED_POINT_OPS and x.q is not None else None
    version = VERSIONS.get(op, {}).get(dtype, 1)
    return single_op(op, dtype, parts, [x], [T(x.type, q=q)], options, version, tolerance)


def every_value(op, dtype, scale, options=None, label=""):
    """All 256 values of an 8-bit type through one operator: a table is wrong nowhere."""
    rng = rng_for("every", op, dtype, scale, label)
    low, high = RANGES[dtype]
    positive = op in POSITIVE
    q = Q(scale, low if positive else int(rng.integers(low + 60, high - 60)))
    values = np.arange(low + (1 if positive else 0), high + 1).astype(dtype)
    x = T(dtype, values.shape, q, value=values)
    out_q = FIXED_OUTPUT.get((op, dtype)) or output_q(rng, dtype, op, x)
    tolerance = FIXED_POINT if op in FIXED_POINT_OPS else None
    return single_op(
        op,
        dtype,
        ("every", f"{scale:g}", label),
        [x],
        [T(dtype, q=out_q)],
        options,
        VERSIONS.get(op, {}).get(dtype, 1),
        tolerance,
    )


def prelu(dtype, shape, alpha_shape, constant=True):
    """PRELU's slope broadcasts to the input."""
    parts = ("x".join(map(str, shape)), "a" + "x".join(map(str, alpha_shape)), "" if constant else "live")
    rng = rng_for("prelu", dtype, parts)
    x, alpha = numeric_value(rng, dtype, shape), numeric_value(rng, dtype, alpha_shape, spread=0.5)
    if constant:
        alpha.const, alpha.value = alpha.value, None
    q = None
    if x.q is not None:
        slope = np.asarray(alpha.const if constant else alpha.value, np.float64) - alpha.q.zero_points[0]
        real = real_values(x)
        q = fitting_q(rng, dtype, np.where(real < 0, real * slope * alpha.q.scales[0], real))
    return single_op("PRELU", dtype, parts, [x, alpha], [T(dtype, q=q)])


def cases():
    for op, dtypes in UNARY.items():
        variants = [("", None)]
        if op == "LEAKY_RELU":
            variants = [(f"a{a:g}", opt("LeakyRelu", alpha=a)) for a in (0.2, 0.01, 1.5, -0.5)]
        elif op == "GELU":
            variants = [(n, opt("Gelu", approximate=n == "tanh")) for n in ("tanh", "erf")]
        for dtype in dtypes:
            for label, options in variants:
                for shape in SHAPES:
                    yield unary(op, dtype, shape, options, label)
                if dtype in RANGES and dtype != "int16":
                    for scale in (0.003, 0.05, 0.13):
                        yield every_value(op, dtype, scale, options, label)
                elif dtype == "int16":
                    for scale in (0.01, 0.06, 0.2):
                        yield unary(op, dtype, (500,), options, f"{label}_{scale:g}", scale)
    # LiteRT 2.3 takes int16, too, and gives numbers that have nothing to do with the slope: neither of its kernels is one to follow.
    for dtype in ("float32", "int8", "uint8"):
        for shape, alpha in (
            ((1, 4, 5, 3), (1, 1, 3)),
            ((2, 6), (6,)),
            ((2, 3, 4), (2, 3, 4)),
            ((3, 5), (1,)),
            ((2, 4, 3, 5), (4, 1, 5)),
            ((7, 1, 2), (2,)),
        ):
            yield prelu(dtype, shape, alpha)
        yield prelu(dtype, (1, 3, 3, 4), (1, 1, 4), constant=False)
    yield from special_cases()


def special_cases():
    """Infinities, signed zeros and the ends of the functions' domains."""
    special = np.array([0.0, -0.0, 1.0, -1.0, 80.0, -80.0, 100.0, -100.0, np.inf, -np.inf, 1e-38], np.float32)
    for op in ("RELU", "RELU6", "RELU_N1_TO_1", "TANH", "LOGISTIC", "ABS", "NEG", "HARD_SWISH", "FLOOR", "CEIL"):
        keep = special if op != "HARD_SWISH" else special[np.isfinite(special)]
        yield single_op(op, "float32", ("special",), [T("float32", keep.shape, value=keep)], [T("float32")])
    rng = rng_for("pow2")
    x = floats(rng, (5, 5))
    yield single_op("SQUARE", "float32", ("const",), [const(x)], [T("float32")])
