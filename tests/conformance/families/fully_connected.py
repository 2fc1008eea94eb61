"""FULLY_CONNECTED: batches of several ranks, keep_num_dims, no bias, int4 weights, hybrid symmetric and asymmetric."""

import numpy as np

from builder import Blocks, T, const, opt, value
from case import FLOAT, rng_for, single_op
from sparse import sparse_dense_cases
from products import SCHEMES, activation_input, bias, output, weight
from values import ACTIVATIONS, floats, integers

VERSIONS = {
    "float32": 1,
    "hybrid_per_tensor": 3,
    "int8": 4,
    "int8_per_tensor": 4,
    "uint8": 4,
    "int16": 7,
    "int16_bias32": 11,
    "int8_int4": 10,
    "hybrid": 12,
    "hybrid_int4": 12,
}


def dense(
    scheme_name,
    shape,
    units,
    activation="none",
    with_bias=True,
    keep=False,
    asymmetric=None,
    extreme=False,
    absent=False,
    live_weights=False,
):
    """One FULLY_CONNECTED case; the last dimension of `shape` is reduced."""
    scheme = SCHEMES[scheme_name]
    parts = (
        "x".join(map(str, shape)),
        f"n{units}",
        activation,
        "" if with_bias else "nobias",
        "keep" if keep else "",
        {None: "", True: "asym", False: "sym"}[asymmetric],
        "zpend" if extreme else "",
        "absent" if absent else "",
        "live" if live_weights else "",
    )
    rng = rng_for("fully_connected", scheme_name, parts)
    depth = shape[-1]
    x = activation_input(rng, scheme, shape, extreme)
    w = weight(rng, scheme, (units, depth), 0)
    operands = [x, w]
    if with_bias:
        operands.append(bias(rng, scheme, x, w, units, depth))
    elif absent:
        operands.append(None)
    if live_weights:
        w.value, w.const = w.const, None
    options = opt(
        "FullyConnected",
        fusedActivationFunction=ACTIVATIONS[activation],
        keepNumDims=keep,
        asymmetricQuantizeInputs=bool(asymmetric),
        quantizedBiasType=2 if scheme_name == "int16_bias32" else 0,
    )
    version = max(VERSIONS[scheme_name], 5 if keep else 1, 6 if not with_bias else 1, 9 if asymmetric else 1)
    return single_op(
        "FULLY_CONNECTED",
        scheme_name,
        parts,
        operands,
        [output(rng, scheme, x, w, depth)],
        options,
        version,
        scheme.tolerance,
    )


def blockwise(shape, units, block, bias_too=True, keep=False, asymmetric=True, wide=False):
    """int4 weights in blocks. No activation: LiteRT's kernel leaves it out (and XNNPACK, which does not, rounds the scales)."""
    parts = ("x".join(map(str, shape)), f"n{units}", f"b{block}", "" if bias_too else "nobias", "keep" if keep else "")
    parts += ("" if asymmetric else "sym", "wide" if wide else "")
    rng = rng_for("fully_connected", "blockwise", parts)
    depth = shape[-1]
    scales = rng.uniform(0.002, 0.2, (units, depth // block)).astype(np.float16)
    weights = integers(rng, (units, depth), "int8", -8 if wide else -7, 7)
    operands = [value(floats(rng, shape, 1.0)), T("int4", (units, depth), Blocks(block, scales), const=weights)]
    if bias_too:
        operands.append(const(rng.normal(0, 3, units).astype(np.float32)))
    options = opt("FullyConnected", keepNumDims=keep, asymmetricQuantizeInputs=asymmetric)
    outputs = [T("float32")]
    return single_op("FULLY_CONNECTED", "hybrid_int4_blockwise", parts, operands, outputs, options, 12, FLOAT)


def blockwise_cases():
    for shape, units, block in (
        ((1, 32), 5, 32),
        ((3, 64), 10, 32),
        ((1, 256), 33, 64),
        ((7, 256), 16, 128),
        ((2, 512), 40, 256),
        ((17, 384), 70, 32),
        ((40, 96), 24, 96),
        ((130, 160), 20, 32),
        ((5, 1536), 12, 64),
    ):
        yield blockwise(shape, units, block)
    yield blockwise((4, 64), 9, 32, bias_too=False)
    yield blockwise((2, 3, 64), 9, 32, keep=True)
    yield blockwise((2, 3, 64), 9, 32)
    yield blockwise((4, 64), 9, 32, asymmetric=False)
    yield blockwise((9, 96), 17, 32, wide=True)


def cases():
    yield from blockwise_cases()
    for name in VERSIONS:
        flags = (True, False) if name.startswith("hybrid") else (None,)
        for asymmetric in flags:
            for shape, units in (
                ((1, 1), 1),
                ((1, 8), 5),
                ((3, 17), 9),
                ((4, 32), 16),
                ((1, 128), 33),
                ((13, 7), 3),
                ((2, 65), 64),
                ((1, 300), 10),
                ((7, 64), 100),
                ((32, 100), 31),
                ((9,), 4),
            ):
                yield dense(name, shape, units, asymmetric=asymmetric)
            for shape, units in (((2, 3, 12), 7), ((1, 2, 3, 10), 6), ((2, 1, 5), 4)):
                yield dense(name, shape, units, keep=True, asymmetric=asymmetric)
                yield dense(name, shape, units, keep=False, asymmetric=asymmetric)
            for activation in ("relu", "relu6", "relu_n1_to_1"):
                yield dense(name, (5, 24), 11, activation, asymmetric=asymmetric)
                yield dense(name, (1, 40), 6, activation, with_bias=False, asymmetric=asymmetric)
            yield dense(name, (6, 20), 8, with_bias=False, asymmetric=asymmetric)
            yield dense(name, (6, 20), 8, with_bias=False, absent=True, asymmetric=asymmetric)
            yield dense(name, (3, 15), 8, live_weights=True, asymmetric=asymmetric)
        if name in ("int8", "uint8", "int8_per_tensor"):
            yield dense(name, (3, 17), 9, extreme=True)
            yield dense(name, (1, 128), 33, "relu", extreme=True)
    # The batch is split by the weights' depth, not by the last dimension.
    rng = rng_for("fully_connected", "flatten")
    for shape, depth in (((2, 3, 4), 12), ((4, 6), 8), ((2, 2, 2, 2), 4)):
        w = weight(rng, SCHEMES["float32"], (5, depth), 0)
        yield single_op(
            "FULLY_CONNECTED",
            "float32",
            ("flatten", "x".join(map(str, shape)), f"k{depth}"),
            [value(floats(rng, shape)), w, None],
            [output(rng, SCHEMES["float32"], w, w, depth)],
            opt("FullyConnected"),
            6,
        )
    zeros = value(np.zeros((2, 16), np.float32))
    for name in ("hybrid", "hybrid_per_tensor"):
        w = weight(rng, SCHEMES[name], (5, 16), 0)
        yield single_op(
            "FULLY_CONNECTED",
            name,
            ("zeros",),
            [zeros, w, None],
            [output(rng, SCHEMES[name], zeros, w, 16)],
            opt("FullyConnected"),
            VERSIONS[name],
        )
    yield from sparse_dense_cases()
