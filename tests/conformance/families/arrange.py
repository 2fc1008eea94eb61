"""Reorderings: TRANSPOSE, REVERSE_V2, REVERSE_SEQUENCE, space to batch and to depth and back, matrix diagonals."""

import numpy as np

from builder import T, const, opt, value
from case import rng_for, single_op
from values import copies, numeric_value, shape_name

MOVED = ("float32", "int8", "uint8", "int16", "int32", "int64", "bool", "float16")


def transposes():
    forms = [
        ((5,), (0,)),
        ((3, 4), (1, 0)),
        ((2, 3, 4), (2, 0, 1)),
        ((2, 3, 4), (0, 2, 1)),
        ((2, 3, 4, 5), (0, 3, 1, 2)),
        ((2, 3, 4, 5), (0, 2, 3, 1)),
        ((1, 3, 1, 5), (2, 3, 0, 1)),
        ((2, 3, 4, 5), (3, 2, 1, 0)),
        ((33, 17), (1, 0)),
        ((2, 3, 2, 4, 3), (4, 2, 0, 1, 3)),
        ((2, 1, 3, 2, 2, 3), (5, 3, 1, 0, 4, 2)),
        ((2, 3, 2, 2, 1, 2), (0, 1, 3, 2, 5, 4)),
        ((2, 3, 4), (0, 1, 2)),
        ((2, 2, 3), (-1, 0, 1)),
    ]
    for dtype in MOVED:
        for shape, permutation in forms:
            for live in (False, True):
                x, q = copies(rng_for("transpose", dtype, shape, permutation), dtype, shape)
                order = np.asarray(permutation, np.int32)
                version = max(
                    {"int8": 2, "int16": 5, "bool": 3}.get(dtype, 1),
                    4 if len(shape) > 4 else 1,
                    6 if len(shape) > 5 else 1,
                )
                yield single_op(
                    "TRANSPOSE",
                    dtype,
                    (shape_name(shape), "p" + "_".join(map(str, permutation)), "live" if live else ""),
                    [x, value(order) if live else const(order)],
                    [T(dtype, q=q)],
                    None,
                    version,
                    dynamic=live,
                )


def reversals():
    for dtype in MOVED:
        for shape, axes in (
            ((6,), (0,)),
            ((3, 4), (1,)),
            ((2, 3, 4), (0,)),
            ((2, 3, 4), (-1,)),
            ((2, 3, 4), (1, 2)),
            ((2, 3, 4, 5), (0, 1, 2, 3)),
            ((2, 3, 4, 5), (2,)),
            ((2, 3, 2, 2, 3), (1, 2)),
        ):
            x, q = copies(rng_for("reverse", dtype, shape, axes), dtype, shape)
            yield single_op(
                "REVERSE_V2",
                dtype,
                (shape_name(shape), "axis" + "_".join(map(str, axes))),
                [x, const(np.asarray(axes, np.int32))],
                [T(dtype, q=q)],
                None,
                {"bool": 2, "int8": 3}.get(dtype, 1),
            )
        for shape, seq, batch in (
            ((3, 5), 1, 0),
            ((4, 3), 0, 1),
            ((2, 4, 3), 1, 0),
            ((2, 3, 4, 2), 2, 0),
            ((2, 3, 4, 2), 1, 3),
        ):
            for index in ("int32", "int64"):
                rng = rng_for("reverse_sequence", dtype, shape, seq, batch, index)
                x, q = copies(rng, dtype, shape)
                lengths = rng.integers(1, shape[seq] + 1, shape[batch]).astype(index)
                yield single_op(
                    "REVERSE_SEQUENCE",
                    dtype,
                    (shape_name(shape), f"seq{seq}", f"batch{batch}", index),
                    [x, value(lengths)],
                    [T(dtype, q=q)],
                    opt("ReverseSequence", seqDim=seq, batchDim=batch),
                )


def spaces():
    version = {"int8": 2, "int16": 4}
    for dtype in ("float32", "int8", "uint8", "int16", "int32", "int64"):
        for shape, block, pads in (
            ((1, 4, 4, 2), (2, 2), ((0, 0), (0, 0))),
            ((2, 3, 5, 1), (2, 3), ((0, 1), (1, 0))),
            ((1, 6, 4, 3), (3, 1), ((0, 0), (0, 0))),
            ((2, 6, 3), (2,), ((1, 1),)),
            ((1, 5, 7, 4), (3, 4), ((1, 0), (0, 1))),
            ((1, 8), (2,), ((0, 0),)),
        ):
            for live in (False, True):
                x, q = copies(rng_for("space_to_batch", dtype, shape, block), dtype, shape)
                wrap = value if live else const
                yield single_op(
                    "SPACE_TO_BATCH_ND",
                    dtype,
                    (shape_name(shape), "b" + shape_name(block), "live" if live else ""),
                    [x, wrap(np.asarray(block, np.int32)), wrap(np.asarray(pads, np.int32))],
                    [T(dtype, q=q)],
                    None,
                    version.get(dtype, 3 if len(shape) == 3 else 1),
                    dynamic=live,
                )
        for shape, block, crops in (
            ((4, 2, 2, 3), (2, 2), ((0, 0), (0, 0))),
            ((12, 2, 2, 1), (2, 3), ((0, 1), (1, 0))),
            ((3, 2, 4, 2), (3, 1), ((1, 1), (0, 2))),
            ((4, 4, 3), (2,), ((1, 0),)),
            ((2, 3, 3, 2), (1, 2), ((1, 0), (1, 1))),
        ):
            for live in (False, True):
                x, q = copies(rng_for("batch_to_space", dtype, shape, block), dtype, shape)
                wrap = value if live else const
                yield single_op(
                    "BATCH_TO_SPACE_ND",
                    dtype,
                    (shape_name(shape), "b" + shape_name(block), "live" if live else ""),
                    [x, wrap(np.asarray(block, np.int32)), wrap(np.asarray(crops, np.int32))],
                    [T(dtype, q=q)],
                    None,
                    version.get(dtype, 3 if len(shape) == 3 else 1),
                    dynamic=live,
                )
        for shape, size in (
            ((1, 4, 4, 1), 2),
            ((2, 6, 3, 5), 3),
            ((1, 2, 4, 3), 2),
            ((3, 4, 8, 2), 4),
            ((1, 3, 3, 2), 1),
        ):
            x, q = copies(rng_for("space_to_depth", dtype, shape, size), dtype, shape)
            yield single_op(
                "SPACE_TO_DEPTH",
                dtype,
                (shape_name(shape), f"b{size}"),
                [x],
                [T(dtype, q=q)],
                opt("SpaceToDepth", blockSize=size),
                {"int8": 2}.get(dtype, 1),
            )
        for shape, size in (
            ((1, 2, 2, 4), 2),
            ((2, 2, 1, 45), 3),
            ((1, 1, 2, 12), 2),
            ((3, 1, 2, 32), 4),
            ((1, 3, 3, 2), 1),
        ):
            x, q = copies(rng_for("depth_to_space", dtype, shape, size), dtype, shape)
            yield single_op(
                "DEPTH_TO_SPACE",
                dtype,
                (shape_name(shape), f"b{size}"),
                [x],
                [T(dtype, q=q)],
                opt("DepthToSpace", blockSize=size),
                {"int8": 2}.get(dtype, 1),
            )


def diagonals():
    for dtype in ("float32", "int8", "uint8", "int16", "int32", "int64"):
        for shape in ((3,), (2, 4), (2, 3, 2), (1, 1), (2, 1, 3, 2)):
            x, q = copies(rng_for("matrix_diag", dtype, shape), dtype, shape)
            yield single_op("MATRIX_DIAG", dtype, (shape_name(shape),), [x], [T(dtype, q=q)], opt("MatrixDiag"))
        for shape in ((3, 3), (2, 4), (4, 2), (2, 3, 4), (2, 2, 3, 3), (1, 1)):
            rng = rng_for("matrix_set_diag", dtype, shape)
            x, q = copies(rng, dtype, shape)
            diagonal = numeric_value(rng, dtype, (*shape[:-2], min(shape[-2:])), q)
            yield single_op(
                "MATRIX_SET_DIAG", dtype, (shape_name(shape),), [x, diagonal], [T(dtype, q=q)], opt("MatrixSetDiag")
            )


def cases():
    yield from transposes()
    yield from reversals()
    yield from spaces()
    yield from diagonals()
