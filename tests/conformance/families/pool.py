"""AVERAGE_POOL_2D, MAX_POOL_2D, L2_POOL_2D."""

from builder import T, opt
from case import rng_for, single_op
from values import ACTIVATIONS, numeric_value, random_q

VERSIONS = {"float32": 1, "int8": 2, "uint8": 1, "int16": 3}
# (batch, height, width, channels), window, stride
SHAPES = [
    ((1, 1, 1, 1), (1, 1), (1, 1)),
    ((1, 4, 4, 3), (2, 2), (2, 2)),
    ((1, 7, 5, 4), (3, 3), (1, 1)),
    ((2, 7, 9, 5), (3, 2), (2, 2)),
    ((1, 9, 9, 8), (3, 3), (2, 2)),
    ((3, 5, 6, 1), (2, 3), (1, 2)),
    ((1, 7, 7, 33), (7, 7), (1, 1)),
    ((1, 13, 11, 16), (5, 5), (3, 3)),
    ((1, 8, 8, 64), (2, 2), (2, 2)),
    ((1, 3, 3, 7), (5, 5), (1, 1)),
    ((1, 20, 21, 2), (13, 12), (7, 5)),
]


def pool(op, dtype, shape, window, stride, padding, activation, extreme=False):
    """One pooling case; input and output share their quantization, as the kernels want it."""
    parts = (
        "x".join(map(str, shape)),
        f"w{window[0]}x{window[1]}",
        f"s{stride[0]}x{stride[1]}",
        padding,
        activation,
        "zpend" if extreme else "",
    )
    rng = rng_for(op, dtype, parts)
    q = None if dtype == "float32" else random_q(rng, dtype, extreme=extreme)
    options = opt(
        "Pool2D",
        padding=["same", "valid"].index(padding),
        strideH=stride[0],
        strideW=stride[1],
        filterHeight=window[0],
        filterWidth=window[1],
        fusedActivationFunction=ACTIVATIONS[activation],
    )
    return single_op(op, dtype, parts, [numeric_value(rng, dtype, shape, q)], [T(dtype, q=q)], options, VERSIONS[dtype])


def cases():
    for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"):
        for dtype in ("float32",) if op == "L2_POOL_2D" else VERSIONS:
            for shape, window, stride in SHAPES:
                for padding in ("same", "valid"):
                    if padding == "valid" and (window[0] > shape[1] or window[1] > shape[2]):
                        continue
                    yield pool(op, dtype, shape, window, stride, padding, "none")
            for activation in ("relu", "relu6", "relu_n1_to_1"):
                yield pool(op, dtype, *SHAPES[3], "same", activation)
                yield pool(op, dtype, *SHAPES[4], "valid", activation)
            if dtype in ("int8", "uint8"):
                yield pool(op, dtype, *SHAPES[3], "same", "none", extreme=True)
                yield pool(op, dtype, *SHAPES[3], "same", "relu", extreme=True)
