"""SOFTMAX, LOG_SOFTMAX, L2_NORMALIZATION, LOCAL_RESPONSE_NORMALIZATION."""

import numpy as np

from builder import Q, T, opt
from case import FIXED_POINT, rng_for, single_op
from values import numeric_value, random_q, shape_name

SHAPES = [(5,), (1, 1), (3, 10), (1, 1000), (2, 3, 7), (1, 4, 5, 6), (2, 3, 2, 17), (13, 2), (2, 1, 2, 2, 9)]
OUTPUT_Q = {
    ("SOFTMAX", "int8"): Q(1 / 256, -128),
    ("SOFTMAX", "uint8"): Q(1 / 256, 0),
    ("SOFTMAX", "int16"): Q(1 / 32768, 0),
    ("LOG_SOFTMAX", "int8"): Q(16 / 256, 127),
    ("LOG_SOFTMAX", "uint8"): Q(16 / 256, 255),
    ("L2_NORMALIZATION", "int8"): Q(1 / 128, 0),
    ("L2_NORMALIZATION", "uint8"): Q(1 / 128, 128),
}
VERSIONS = {"int8": 2, "int16": 3}


def normalized(op, dtype, shape, options, label="", scale=None, out=None):
    """One case; the output parameters are the ones the kernels prescribe."""
    parts = (shape_name(shape), label, f"{scale:g}" if scale else "", f"to{out}" if out else "")
    rng = rng_for(op, dtype, parts)
    q = random_q(rng, dtype, scale) if dtype != "float32" else None
    out_type = out or dtype
    q_out = OUTPUT_Q.get((op, out_type))
    tolerance = FIXED_POINT if q_out is not None else None
    version = 3 if "int16" in (dtype, out_type) else VERSIONS.get(dtype, 1)
    return single_op(
        op,
        dtype,
        parts,
        [numeric_value(rng, dtype, shape, q, 3.0)],
        [T(out_type, q=q_out)],
        options,
        version,
        tolerance,
    )


def cases():
    for dtype in ("float32", "int8", "uint8", "int16"):
        for beta in (1.0, 0.5, 2.0):
            options = opt("Softmax", beta=beta)
            for shape in SHAPES if beta == 1.0 else SHAPES[2:5]:
                yield normalized("SOFTMAX", dtype, shape, options, f"beta{beta:g}")
            if dtype != "float32":
                for scale in (0.001, 0.02, 0.1, 0.5):
                    yield normalized("SOFTMAX", dtype, (4, 60), options, f"beta{beta:g}", scale)
    for shape in SHAPES:
        yield normalized("SOFTMAX", "int8", shape, opt("Softmax", beta=1.0), out="int16")
    for dtype in ("float32", "int8", "uint8"):
        for shape in SHAPES:
            yield normalized("LOG_SOFTMAX", dtype, shape, opt("LogSoftmax"))
            yield normalized("L2_NORMALIZATION", dtype, shape, opt("L2Norm"))
        if dtype != "float32":
            for scale in (0.005, 0.02, 0.1, 0.3):
                yield normalized("LOG_SOFTMAX", dtype, (4, 60), opt("LogSoftmax"), scale=scale)
                yield normalized("L2_NORMALIZATION", dtype, (4, 60), opt("L2Norm"), scale=scale)
    for shape in ((1, 1, 1, 1), (1, 3, 4, 5), (2, 2, 3, 16), (1, 2, 2, 33)):
        for radius, bias, alpha, beta in (
            (1, 1.0, 1.0, 0.5),
            (5, 1.0, 0.0001, 0.75),
            (2, 2.0, 0.5, 1.0),
            (20, 9.0, 4.0, 0.5),
        ):
            x = numeric_value(rng_for("lrn", shape, radius), "float32", shape)
            yield single_op(
                "LOCAL_RESPONSE_NORMALIZATION",
                "float32",
                (shape_name(shape), f"r{radius}", f"b{beta:g}"),
                [x],
                [T("float32")],
                opt("LocalResponseNormalization", radius=radius, bias=bias, alpha=alpha, beta=beta),
            )
    # A row of zeros has no norm.
    yield single_op(
        "L2_NORMALIZATION",
        "float32",
        ("zeros",),
        [T("float32", (2, 4), value=np.zeros((2, 4), np.float32))],
        [T("float32")],
        opt("L2Norm"),
    )
