"""Inputs resized at run time: cases of other families with dimensions that the file leaves unknown."""

from builder import T, const, opt
from case import Case, rng_for, single_op
from families import (
    arrange,
    batch_matmul,
    binary,
    conv,
    depthwise,
    fully_connected,
    normalize,
    pool,
    reduce,
    resize,
    shape,
    unary,
)
from values import numeric_value

import numpy as np


def loosen(case, label, dimensions):
    """Rewrites a case: in the file the named dimensions of every input become 1 (unknown); a resize sets them."""
    graph = case.model.main.table
    resize = {}
    for position, index in enumerate(graph.inputs):
        tensor = graph.tensors[index]
        fed = np.shape(case.runs[0][position])
        free = [d for d in dimensions if d < len(fed)]
        if not free:
            continue
        tensor.shape = [1 if d in free else n for d, n in enumerate(fed)]
        tensor.shapeSignature = [-1 if d in free else n for d, n in enumerate(fed)]
        resize[position] = fed
    return Case(
        f"{case.name}_{label}", case.op, case.dtype, case.model, case.runs, case.tolerance, resize, dynamic=True
    )


def products():
    for name in ("float32", "int8", "uint8", "int16", "hybrid"):
        for label, dimensions in (("batch", (0,)), ("all", (0, 1, 2))):
            for stride, padding in (((1, 1), "same"), ((2, 2), "same"), ((2, 2), "valid")):
                yield loosen(conv.conv(name, *conv.SHAPES[4], stride, padding=padding), label, dimensions)
                if name in depthwise.VERSIONS:
                    yield loosen(
                        depthwise.depthwise(name, *depthwise.SHAPES[2], stride, padding=padding), label, dimensions
                    )
        yield loosen(fully_connected.dense(name, (4, 32), 16), "batch", (0,))
        yield loosen(fully_connected.dense(name, (2, 3, 12), 7, keep=True), "batch", (0, 1))
    for name in ("float32", "int8"):
        yield loosen(batch_matmul.matmul(name, batch_matmul.FORMS[2]), "batch", (0,))
        yield loosen(batch_matmul.matmul(name, batch_matmul.FORMS[2], adj_y=True), "all", (0, 1))


def others():
    for dtype in ("float32", "int8"):
        for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
            yield loosen(pool.pool(op, dtype, *pool.SHAPES[3], "same", "none"), "all", (0, 1, 2))
        for op in ("ADD", "SUB", "MUL", "MAXIMUM"):
            yield loosen(binary.arithmetic(op, dtype, (3, 4, 5), (3, 4, 5)), "batch", (0,))
            yield loosen(binary.arithmetic(op, dtype, (3, 4, 5), (5,), constant=1), "all", (0, 1))
        for op in ("RELU", "LOGISTIC", "TANH"):
            yield loosen(unary.unary(op, dtype, (4, 5)), "batch", (0,))
        yield loosen(normalize.normalized("SOFTMAX", dtype, (3, 10), opt("Softmax", beta=1.0)), "batch", (0,))
    wanted = {
        "mean_float32_2x5x3x4_axis1_2",
        "mean_int8_2x5x3x4_axis1_2_keep",
        "sum_float32_3x5_axis1",
        "reduce_max_int8_3x5_axis1",
    }
    yield from (loosen(c, "all", (0, 1)) for c in reduce.cases() if c.name in wanted)
    wanted = {
        "transpose_float32_2x3x4_p2_0_1",
        "transpose_int8_2x3x4x5_p0_3_1_2",
        "reverse_v2_float32_2x3x4_axis1_2",
        "space_to_depth_float32_2x6x3x5_b3",
        "depth_to_space_float32_1x2x2x4_b2",
        "space_to_batch_nd_float32_2x3x5x1_b2x3",
    }
    yield from (loosen(c, "all", (0, 1)) for c in arrange.cases() if c.name in wanted)
    wanted = {
        "shape_float32_2x3x4_int32",
        "expand_dims_float32_2x3x4_axis-1",
        "tile_float32_2x3_by_1x2_int32",
        "reshape_float32_2x3x4_to_-1_const",
    }
    yield from (loosen(c, "all", (0, 1)) for c in shape.cases() if c.name in wanted)
    wanted = {"resize_bilinear_float32_2x3x5x2_to_7x4_half", "resize_nearest_neighbor_int8_2x3x5x2_to_7x4_plain"}
    yield from (loosen(c, "all", (0, 1, 2)) for c in resize.cases() if c.name in wanted)


def reshapes():
    """The usual use: an unknown batch in front of a flattened rest."""
    for dtype in ("float32", "int8"):
        rng = rng_for("dynamic", "reshape", dtype)
        x = numeric_value(rng, dtype, (3, 2, 2, 5))
        yield loosen(
            single_op("RESHAPE", dtype, ("flatten",), [x, const(np.asarray([-1, 20], np.int32))], [T(dtype, q=x.q)]),
            "batch",
            (0,),
        )
        x, y = (numeric_value(rng, dtype, (2, n, 4), x.q) for n in (3, 5))
        yield loosen(
            single_op("CONCATENATION", dtype, ("inner",), [x, y], [T(dtype, q=x.q)], opt("Concatenation", axis=1)),
            "all",
            (0, 1),
        )


def cases():
    yield from products()
    yield from others()
    yield from reshapes()
