"""SVDF: float, hybrid and integer, over several runs, because its memory moves."""

import numpy as np

from builder import Q, T, const, opt, value
from case import FLOAT, PRODUCT, rng_for, single_op
from values import ACTIVATIONS, floats, integers

FORMS = [
    (1, 3, 4, 1, 5, True),
    (2, 5, 6, 2, 8, True),
    (3, 17, 4, 1, 10, False),
    (1, 32, 8, 4, 3, True),
]  # batch, in, units, rank, memory, bias


def feeds(rng, count, make):
    return [[make()] for _ in range(count)]


def svdf_float(form, hybrid="", activation="none", asymmetric=False):
    """One float or hybrid SVDF: the hybrid one keeps its two weights in int8 (or uint8's signed successor)."""
    batch, depth, units, rank, memory, with_bias = form
    parts = ("x".join(map(str, form[:5])), activation, "asym" if asymmetric else "", "" if with_bias else "nobias")
    rng = rng_for("svdf", hybrid, parts)
    filters = units * rank

    def weights(shape):
        if not hybrid:
            return const(rng.normal(0, 0.5, shape).astype(np.float32))
        return T("int8", shape, Q(float(rng.uniform(0.005, 0.02))), const=integers(rng, shape, "int8", -127, 127))

    operands = [
        value(floats(rng, (batch, depth), 1.0)),
        weights((filters, depth)),
        weights((filters, memory)),
        const(floats(rng, (units,))) if with_bias else None,
        T("float32", (batch, memory * filters), variable=True),
    ]
    runs = feeds(rng, 4, lambda: floats(rng, (batch, depth), 1.0))
    return single_op(
        "SVDF",
        hybrid or "float32",
        parts,
        operands,
        [T("float32")],
        opt("SVDF", rank=rank, fusedActivationFunction=ACTIVATIONS[activation], asymmetricQuantizeInputs=asymmetric),
        4 if asymmetric else 2 if hybrid else 1,
        FLOAT,
        runs,
    )


def svdf_int8(form):
    """One integer SVDF: int8 features, int16 time weights and memory, int32 bias; the kernel wants RELU."""
    batch, depth, units, rank, memory, with_bias = form
    parts = ("x".join(map(str, form[:5])),)
    rng = rng_for("svdf", parts)
    filters = units * rank
    x_q, feature_q, time_q = Q(0.03, -5), Q(0.008), Q(2.0**-9)
    state_q = Q(float(np.float32(0.03 * 74 * 0.008 * 73 * np.sqrt(depth) * 4 / 32767)))
    limit = 511
    spread = 0.03 * 74 * 0.008 * 73 * np.sqrt(depth * memory * rank) * float(time_q.scales[0]) * limit * 0.577
    bias_q = Q(float(np.float32(state_q.scale * time_q.scale)))
    bias = np.round(rng.normal(0, spread / 3, units) / bias_q.scale).astype(np.int32)
    operands = [
        T("int8", (batch, depth), x_q, value=integers(rng, (batch, depth), "int8")),
        T("int8", (filters, depth), feature_q, const=integers(rng, (filters, depth), "int8", -127, 127)),
        T("int16", (filters, memory), time_q, const=integers(rng, (filters, memory), "int16", -limit, limit)),
        T("int32", (units,), bias_q, const=bias) if with_bias else None,
        T("int16", (batch, memory * filters), state_q, variable=True),
    ]
    out = T("int8", q=Q(float(np.float32(spread * 5 / 255)), -128))
    runs = feeds(rng, 4, lambda: integers(rng, (batch, depth), "int8"))
    return single_op(
        "SVDF",
        "int8",
        parts,
        operands,
        [out],
        opt("SVDF", rank=rank, fusedActivationFunction=ACTIVATIONS["relu"]),
        3,
        PRODUCT,
        runs,
    )


def cases():
    for form in FORMS:
        for activation in ("none", "relu"):
            yield svdf_float(form, activation=activation)
            for asymmetric in (False, True):
                yield svdf_float(form, "hybrid_per_tensor", activation, asymmetric)
        yield svdf_int8(form)
