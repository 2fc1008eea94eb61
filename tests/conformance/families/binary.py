"""Elementwise operators of two operands with broadcasting: arithmetic, comparisons, logic and bits."""

import numpy as np

from builder import T, const, opt
from case import EXACT, FIXED_POINT, FLOAT, rng_for, single_op
from values import ACTIVATIONS, RANGES, numeric_value, random_q, shape_name

PAIRS = [
    ((1,), (1,)),
    ((7,), (7,)),
    ((2, 3, 4, 5), (2, 3, 4, 5)),
    ((33,), (1,)),
    ((1,), (33,)),
    ((), (5,)),
    ((4, 1), (1, 6)),
    ((3, 5), (5,)),
    ((1, 4, 5, 3), (1, 1, 1, 3)),
    ((1, 1, 1, 3), (1, 4, 5, 3)),
    ((2, 4, 3, 1), (2, 1, 3, 5)),
    ((2, 1, 3), (4, 1)),
    ((2, 3, 1, 2, 5), (2, 3, 4, 2, 5)),
    ((2, 1, 3, 1, 2), (1, 4, 1, 3, 2)),
    ((2, 1, 2, 1, 3, 1), (1, 3, 1, 2, 1, 4)),
    ((1, 9, 9, 13), (1, 9, 9, 13)),
]
# The operators whose two operands and output must share their quantization.
SAME_Q = {"MAXIMUM", "MINIMUM"}
ARITHMETIC = {
    "ADD": ("float32", "int8", "uint8", "int16", "int32", "int64", "float16", "int16_plain"),
    "SUB": ("float32", "int8", "uint8", "int16", "int32", "int64"),
    "MUL": ("float32", "int8", "uint8", "int16", "int32", "int64", "complex64", "uint32", "int16_plain"),
    "DIV": ("float32", "uint8", "int8", "int32"),
    "MAXIMUM": ("float32", "int8", "uint8", "int16", "int32", "int64"),
    "MINIMUM": ("float32", "int8", "uint8", "int16", "int32", "int64"),
    "SQUARED_DIFFERENCE": ("float32", "int8", "int32", "int16"),
    "POW": ("float32", "int32"),
    "FLOOR_DIV": ("float32", "int32", "int16_plain", "int8_plain"),
    "FLOOR_MOD": ("float32", "int32", "int64", "int16_plain", "int8_plain"),
    "ATAN2": ("float32", "float64"),
}
FUSED = {"ADD": "Add", "SUB": "Sub", "MUL": "Mul", "DIV": "Div"}
VERSIONS = {
    "ADD": {"int8": 2, "int16": 3, "int64": 4, "int16_plain": 5, "float16": 6},
    "SUB": {"int8": 2, "int16": 5, "int64": 4},
    "MUL": {"int8": 2, "int16": 4, "complex64": 6, "uint32": 7, "int64": 6, "int16_plain": 7},
    "DIV": {"uint8": 2, "int8": 2},
    "MAXIMUM": {"int8": 2, "int16": 4},
    "MINIMUM": {"int8": 2, "int16": 4},
    "SQUARED_DIFFERENCE": {"int8": 2},
    "FLOOR_DIV": {"float32": 2, "int16_plain": 3, "int8_plain": 3},
    "FLOOR_MOD": {"int16_plain": 2, "int8_plain": 2},
}
COMPARISONS = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
COMPARED = {"float32": 1, "int32": 1, "int64": 1, "uint8": 1, "int8": 2, "bool": 1, "int16_plain": 4}


def real_range(x):
    """The real values a quantized type can hold, as (low, high)."""
    low, high = RANGES[x.type]
    return (np.array([low, high]) - x.q.zero_points[0]) * np.float64(x.q.scales[0])


def output_q(rng, op, a, b):
    """An output range that the results mostly fill."""
    if op in SAME_Q:
        return a.q
    (al, ah), (bl, bh) = real_range(a), real_range(b)
    if op == "ADD":
        low, high = al + bl, ah + bh
    elif op == "SUB":
        low, high = al - bh, ah - bl
    elif op == "MUL":
        corners = [al * bl, al * bh, ah * bl, ah * bh]
        low, high = min(corners), max(corners)
    elif op == "DIV":
        low, high = al * 2 / bh, ah * 2 / bh
    else:
        low, high = 0.0, max(abs(ah - bl), abs(al - bh)) ** 2
    low, high = min(low, 0) * rng.uniform(0.4, 1.0), max(high, 0) * rng.uniform(0.4, 1.0)
    qlow, qhigh = RANGES[a.type]
    scale = max(float(np.float32((high - low) / (qhigh - qlow))), 1e-6)
    if a.type == "int16":
        return type(a.q)(float(np.float32(max(-low, high) / 32767)), 0)
    return type(a.q)(scale, int(np.clip(round(qlow - low / scale), qlow, qhigh)))


def operands(rng, op, dtype, left, right):
    """Two model inputs whose results are defined (no division by zero, no integer overflow)."""
    base = dtype.removesuffix("_plain")
    plain = base != dtype
    q = random_q(rng, base) if op in SAME_Q and base in RANGES and not plain else None
    a, b = numeric_value(rng, base, left, q), numeric_value(rng, base, right, q)
    if plain:
        a.q = b.q = None
        small = rng.integers(-100, 100, left).astype(base), rng.integers(-100, 100, right).astype(base)
        a.value, b.value = small
    if op in ("DIV", "FLOOR_DIV", "FLOOR_MOD"):
        zero = 0 if b.q is None else b.q.zero_points[0]
        b.value = np.where(b.value == zero, np.asarray(zero + 3, b.value.dtype), b.value).astype(b.value.dtype)
    if op == "POW":
        a.value = np.abs(a.value) if base == "float32" else a.value % 7
        b.value = np.clip(b.value, -4, 4) if base == "float32" else np.abs(b.value) % 5
    return a, b


def arithmetic(op, dtype, left, right, activation="none", constant=None, label="", pot=False):
    """One arithmetic case; `constant` is which operand (0 or 1) is stored in the model."""
    parts = (
        shape_name(left),
        shape_name(right),
        activation if activation != "none" else "",
        "" if constant is None else f"const{constant}",
        label,
        "pot" if pot else "",
    )
    rng = rng_for(op, dtype, parts)
    a, b = operands(rng, op, dtype, left, right)
    quantized = a.q is not None
    out = T(a.type, q=output_q(rng, op, a, b) if quantized else None)
    if pot:
        a.q, b.q, out.q = (type(a.q)(2.0**e, 0) for e in (-11, -12, -11))
    if label == "rescale":  # product of the input scales above the output's
        out.q = type(a.q)(float(np.float32(a.q.scales[0] * b.q.scales[0] * 0.7)), a.q.zero_points[0])
    if constant is not None:
        spec = (a, b)[constant]
        spec.const, spec.value = spec.value, None
    fields = {"fusedActivationFunction": ACTIVATIONS[activation]}
    if op in ("ADD", "SUB"):
        fields["potScaleInt16"] = pot
    options = opt(FUSED[op], **fields) if op in FUSED else None
    version = VERSIONS.get(op, {}).get(dtype, 1)
    if max(len(left), len(right)) > 4:
        version = max(version, {"SUB": 3, "DIV": 2, "MAXIMUM": 3, "MINIMUM": 3}.get(op, 1))
    if label == "rescale":
        version = max(version, 3)
    if pot:
        version = 3 if op == "SUB" else 1
    # A numerator of zero over a negative number makes LiteRT shift by more than 31 bits, which C++ does not define: off by one.
    tolerance = FIXED_POINT if op == "DIV" and dtype == "int8" else None
    return single_op(op, dtype, parts, [a, b], [out], options, version, tolerance)


def compare(op, dtype, left, right, same_q=False):
    """One comparison; values repeat, so that equality occurs."""
    parts = (shape_name(left), shape_name(right), "sameq" if same_q else "")
    rng = rng_for(op, dtype, parts)
    base = dtype.removesuffix("_plain")
    a, b = numeric_value(rng, base, left), numeric_value(rng, base, right)
    if base != "bool":
        low = 0 if base == "uint8" else -4
        a.value, b.value = (rng.integers(low, 5, s).astype(base) for s in (left, right))
    if dtype.endswith("_plain"):
        a.q = b.q = None
    elif a.q is not None:
        low, high = RANGES[base]
        a.value, b.value = (rng.integers(low, high, s).astype(base) for s in (left, right))
        if same_q:
            b.q = a.q
        if left == right:  # neighbours in real value: what decides is the rounding
            real = (a.value.astype(np.float64) - a.q.zero_points[0]) * a.q.scales[0]
            near = np.round(real / b.q.scales[0]) + b.q.zero_points[0] + rng.integers(-1, 2, right)
            b.value = np.clip(near, low, high).astype(base)
    version = max(COMPARED[dtype], 2 if a.q is not None else 1)
    return single_op(op, dtype, parts, [a, b], [T("bool")], None, version, EXACT)


def logical(op, left, right):
    rng = rng_for(op, left, right)
    specs = [numeric_value(rng, "bool", left), numeric_value(rng, "bool", right)]
    return single_op(op, "bool", (shape_name(left), shape_name(right)), specs, [T("bool")])


def bitwise(op, dtype, left, right):
    """BITWISE_XOR and RIGHT_SHIFT over every integer type."""
    rng = rng_for(op, dtype, left, right)
    info = np.iinfo(dtype)
    a = T(dtype, left, value=rng.integers(info.min, info.max, left, dtype, endpoint=True))
    b_values = rng.integers(info.min, info.max, right, dtype, endpoint=True)
    if op == "RIGHT_SHIFT":
        b_values = rng.integers(0, info.bits, right).astype(dtype)
    b = T(dtype, right, value=b_values)
    return single_op(op, dtype, (shape_name(left), shape_name(right)), [a, b], [T(dtype)], None, 1, EXACT)


def arithmetic_cases():
    for op, dtypes in ARITHMETIC.items():
        for dtype in dtypes:
            for left, right in PAIRS:
                if op == "ATAN2" and left != right:
                    continue  # it neither broadcasts nor refuses to
                yield arithmetic(op, dtype, left, right)
            if op == "ATAN2":
                continue
            yield arithmetic(op, dtype, (3, 4, 5), (5,), constant=1)
            yield arithmetic(op, dtype, (), (3, 7), constant=0)
            if op in FUSED:
                for activation in ("relu", "relu6", "relu_n1_to_1"):
                    if (dtype, activation) == ("uint32", "relu_n1_to_1"):
                        continue  # LiteRT casts -1 to unsigned, which C++ does not define
                    yield arithmetic(op, dtype, (3, 6, 7), (3, 6, 7), activation)
                    yield arithmetic(op, dtype, (3, 6, 7), (6, 1), activation)
    for op in ("ADD", "SUB"):
        yield arithmetic(op, "int16", (3, 6, 7), (3, 6, 7), pot=True)
        yield arithmetic(op, "int16", (3, 6, 7), (7,), pot=True)
    for dtype in ("int8", "uint8"):
        for left, right in PAIRS[2:5]:
            yield arithmetic("MUL", dtype, left, right, label="rescale")
    for op, dtypes in ARITHMETIC.items():
        for dtype in dtypes:
            if dtype in RANGES:
                for i in range(4):
                    yield arithmetic(op, dtype, (5, 13), (5, 13), label=f"scales{i}")
                    yield arithmetic(op, dtype, (5, 13), (13,), label=f"scales{i}")


def cases():
    yield from arithmetic_cases()
    for op in COMPARISONS:
        for dtype in COMPARED:
            if dtype == "bool" and op not in ("EQUAL", "NOT_EQUAL"):
                continue
            for left, right in PAIRS:
                yield compare(op, dtype, left, right)
            if dtype in RANGES:
                yield compare(op, dtype, (4, 30), (4, 30), same_q=True)
                yield compare(op, dtype, (4, 30), (1,), same_q=True)
    for op in ("LOGICAL_AND", "LOGICAL_OR"):
        for left, right in PAIRS:
            yield logical(op, left, right)
    for op in ("BITWISE_XOR", "RIGHT_SHIFT"):
        for dtype in ("int8", "int16", "int32", "uint8", "uint16", "uint32"):
            for left, right in PAIRS:
                yield bitwise(op, dtype, left, right)
    for left, right in PAIRS[:4]:
        rng = rng_for("xor", left, right)
        yield single_op(
            "BITWISE_XOR",
            "bool",
            (shape_name(left), shape_name(right)),
            [numeric_value(rng, "bool", left), numeric_value(rng, "bool", right)],
            [T("bool")],
        )
    # Special values of IEEE arithmetic.
    special = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, 1e-38, 3e38], np.float32)
    for op in ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"):
        left, right = np.meshgrid(special, special)
        keep = np.isfinite(left) | np.isfinite(right) if op != "MUL" else (left != 0) & (right != 0)
        options = opt(FUSED[op]) if op in FUSED else None
        yield single_op(
            op,
            "float32",
            ("special",),
            [T("float32", (int(keep.sum()),), value=left[keep]), const(right[keep])],
            [T("float32")],
            options,
            1,
            FLOAT,
        )
