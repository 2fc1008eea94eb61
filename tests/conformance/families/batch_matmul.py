"""BATCH_MATMUL: both adjoints, broadcasting batches, live and constant right-hand sides, hybrid."""

import numpy as np

from builder import Q, T, opt
from case import FLOAT, PRODUCT, rng_for, single_op
from products import SCHEMES, output
from values import floats, integers, random_q

# (batch of the left, batch of the right, rows, depth, columns)
FORMS = [
    ((), (), 1, 1, 1),
    ((), (), 3, 5, 4),
    ((2,), (2,), 4, 7, 3),
    ((3,), (), 2, 8, 5),
    ((), (2,), 5, 3, 6),
    ((2, 3), (2, 3), 3, 4, 5),
    ((2, 1), (3,), 4, 5, 2),
    ((1, 2), (3, 1), 2, 9, 7),
    ((1,), (1,), 13, 33, 17),
    ((1,), (1,), 1, 64, 32),
    ((2,), (2,), 16, 48, 31),
    ((2, 1, 2), (1, 3, 1), 2, 3, 4),
]
VERSIONS = {"float32": 1, "int8": 2, "int16": 3, "hybrid": 4, "uint8": 1}


def operand(rng, dtype, shape, symmetric=False):
    if dtype == "float32":
        return T(dtype, shape, value=floats(rng, shape, 1.0))
    q = Q(0.02) if symmetric else random_q(rng, dtype)
    return T(dtype, shape, q, value=integers(rng, shape, dtype, -127 if symmetric else None))


def matmul(dtype, form, adj_x=False, adj_y=False, constant=False, asymmetric=False, per_axis=False, out_type=None):
    """One BATCH_MATMUL case."""
    left_batch, right_batch, rows, depth, columns = form
    parts = (
        "x".join(map(str, left_batch)) or "0",
        "x".join(map(str, right_batch)) or "0",
        f"{rows}x{depth}x{columns}",
        "adjx" if adj_x else "",
        "adjy" if adj_y else "",
        "const" if constant else "",
        "asym" if asymmetric else "",
        "per_axis" if per_axis else "",
        f"to{out_type}" if out_type else "",
    )
    rng = rng_for("batch_matmul", dtype, parts)
    scheme = SCHEMES[{"hybrid": "float32"}.get(dtype, dtype)]
    right_type = "int8" if dtype == "hybrid" else dtype
    x = operand(rng, scheme.activation, left_batch + ((depth, rows) if adj_x else (rows, depth)))
    y = operand(rng, right_type, right_batch + ((columns, depth) if adj_y else (depth, columns)), dtype == "hybrid")
    if per_axis:
        axis = len(y.shape) - (2 if adj_y else 1)
        y.q = Q(rng.uniform(0.005, 0.05, columns).astype(np.float32), 0, axis)
    if constant:
        y.const, y.value = y.value, None
    out = output(rng, scheme, x, y, depth)
    if out_type:
        out = T(out_type, q=Q(float(x.q.scales[0] * y.q.scales[0])))
    return single_op(
        "BATCH_MATMUL",
        dtype,
        parts,
        [x, y],
        [out],
        opt("BatchMatMul", adjX=adj_x, adjY=adj_y, asymmetricQuantizeInputs=asymmetric),
        VERSIONS[dtype],
        FLOAT if scheme.activation == "float32" else PRODUCT,
    )


def cases():
    for dtype in ("float32", "int8", "int16", "uint8"):
        for form in FORMS:
            for adj_x, adj_y in ((False, False), (True, False), (False, True), (True, True)):
                yield matmul(dtype, form, adj_x, adj_y)
                if form[1] == () or form in (FORMS[2], FORMS[8]):
                    yield matmul(dtype, form, adj_x, adj_y, constant=True)
    for form in FORMS:
        if max(len(form[0]), len(form[1])) > 1:
            continue  # LiteRT's hybrid kernel takes the row scales of the wrong batch (src/ops/matmul/op.h)
        for adj_y in (False, True):
            for asymmetric in (False, True):
                yield matmul("hybrid", form, False, adj_y, True, asymmetric)
                yield matmul("hybrid", form, False, adj_y, True, asymmetric, per_axis=True)
        yield matmul("hybrid", form, True, False, True)
    for form in (FORMS[1], FORMS[2], FORMS[8]):
        yield matmul("int8", form, out_type="int32")
