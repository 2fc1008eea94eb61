"""Indexing: GATHER, GATHER_ND, SCATTER_ND, embeddings, SPARSE_TO_DENSE, segments, WHERE, UNIQUE, BUCKETIZE."""

import numpy as np

from builder import Q, T, const, opt, value
from case import EXACT, rng_for, single_op
from values import copies, floats, integers, numeric_value, random_q, shape_name

MOVED = ("float32", "int8", "uint8", "int16", "int32", "int64", "bool", "float16")


def gathers():
    forms = [
        ((5,), (3,), 0, 0),
        ((4, 3), (2,), 0, 0),
        ((4, 3), (2, 2), 1, 0),
        ((2, 3, 4), (), 1, 0),
        ((2, 3, 4), (5,), -1, 0),
        ((3, 4, 2), (3, 2), 1, 1),
        ((2, 3, 4, 2), (2, 3, 5), 2, 2),
        ((2, 3, 4), (2, 2), -1, 1),
        ((7, 1), (0,), 0, 0),
        ((2, 4, 3), (2, 3, 2), 1, -2),
    ]
    for dtype in MOVED:
        for shape, indices, axis, batch in forms:
            for index in ("int32", "int64", "int16"):
                if index == "int16" and dtype != "float32":
                    continue
                rng = rng_for("gather", dtype, shape, indices, axis, batch, index)
                x, q = copies(rng, dtype, shape)
                picks = value(rng.integers(0, shape[axis], indices).astype(index))
                version = max(
                    {"int8": 2, "int16": 4, "bool": 3}.get(dtype, 1), 5 if batch else 1, 4 if index == "int16" else 1
                )
                yield single_op(
                    "GATHER",
                    dtype,
                    (shape_name(shape), shape_name(indices), f"axis{axis}", f"batch{batch}", index),
                    [x, picks],
                    [T(dtype, q=q)],
                    opt("Gather", axis=axis, batchDims=batch),
                    version,
                )
        for shape, indices in (
            ((5,), (3, 1)),
            ((4, 3), (2, 2)),
            ((4, 3), (2, 1)),
            ((2, 3, 4), (2, 3, 2)),
            ((2, 3, 4), (3,)),
            ((2, 2, 3, 2), (2, 2, 4)),
            ((2, 3, 2, 2, 2), (3, 5)),
            ((3, 2), (0, 1)),
        ):
            for index in ("int32", "int64"):
                rng = rng_for("gather_nd", dtype, shape, indices, index)
                x, q = copies(rng, dtype, shape)
                picks = np.stack([rng.integers(0, n, indices[:-1]) for n in shape[: indices[-1]]], -1).astype(index)
                yield single_op(
                    "GATHER_ND",
                    dtype,
                    (shape_name(shape), shape_name(indices), index),
                    [x, value(picks)],
                    [T(dtype, q=q)],
                    None,
                    {"int8": 2, "int16": 3}.get(dtype, 1),
                )
    rng = rng_for("gather", "table")
    table = T("int8", (9, 4), random_q(rng, "int8"), const=integers(rng, (9, 4), "int8"))
    yield single_op(
        "GATHER",
        "int8",
        ("table",),
        [value(np.array([8, 0, 3], np.int32)), table][::-1],
        [T("int8", q=table.q)],
        opt("Gather"),
        2,
    )
    packed = T("int4", (9, 4), Q(0.1), const=integers(rng, (9, 4), "int8", -8, 7))
    yield single_op(
        "GATHER",
        "int4",
        ("table",),
        [packed, value(np.array([8, 0, 3], np.int32))],
        [T("int4", q=packed.q)],
        opt("Gather"),
        7,
    )


def scatters():
    for dtype in MOVED:
        for indices, shape in (
            ((3, 1), (6,)),
            ((2, 1), (4, 3)),
            ((4, 2), (3, 3)),
            ((2, 2, 1), (5, 2)),
            ((3, 3), (2, 3, 4)),
        ):
            for index in ("int32", "int64"):
                for live in (False, True):
                    rng = rng_for("scatter_nd", dtype, indices, shape, index)
                    if index == "int64" and dtype != "float32":
                        continue
                    updates = numeric_value(rng, dtype, indices[:-1] + shape[indices[-1] :])
                    picks = np.stack([rng.integers(0, n, indices[:-1]) for n in shape[: indices[-1]]], -1).astype(index)
                    size = np.asarray(shape, index)
                    yield single_op(
                        "SCATTER_ND",
                        dtype,
                        (shape_name(indices), shape_name(shape), index, "live" if live else ""),
                        [value(picks), updates, value(size) if live else const(size)],
                        [T(dtype, q=updates.q)],
                        None,
                        1,
                        dynamic=live,
                    )
        for index in ("int32", "int64"):
            for shape, count in (((7,), 3), ((4, 5), 4), ((2, 3, 4), 5), ((5, 2), 0)):
                rng = rng_for("sparse_to_dense", dtype, index, shape)
                cells = np.sort(rng.choice(int(np.prod(shape)), count, replace=False))
                picks = np.stack(np.unravel_index(cells, shape), -1).astype(index)
                picks = picks[:, 0] if len(shape) == 1 else picks
                q = random_q(rng, dtype) if dtype in ("int8", "uint8", "int16") else None
                for kind, filled in (("each", (count,)), ("one", ())):
                    if not count:
                        continue
                    yield single_op(
                        "SPARSE_TO_DENSE",
                        dtype,
                        (shape_name(shape), f"n{count}", kind, index),
                        [
                            value(picks),
                            const(np.asarray(shape, index)),
                            numeric_value(rng, dtype, filled, q),
                            numeric_value(rng, dtype, (), q),
                        ],
                        [T(dtype, q=q)],
                        opt("SparseToDense"),
                        {"int8": 3, "uint8": 3, "int64": 2}.get(dtype, 1),
                    )


def embeddings():
    for shape, count in (((5, 3), 4), ((9, 2, 4), 3), ((3, 33), 1), ((20, 64), 7)):
        rng = rng_for("embedding_lookup", shape)
        ids = value(rng.integers(0, shape[0], count).astype(np.int32))
        table = floats(rng, shape)
        name = (shape_name(shape), f"n{count}")
        yield single_op("EMBEDDING_LOOKUP", "float32", name, [ids, const(table)], [T("float32")])
        q = Q(0.03)
        int8_table = T("int8", shape, q, const=integers(rng, shape, "int8", -127, 127))
        yield single_op("EMBEDDING_LOOKUP", "int8", name, [ids, int8_table], [T("int8", q=q)], None, 2)
        yield single_op("EMBEDDING_LOOKUP", "hybrid_per_tensor", name, [ids, int8_table], [T("float32")], None, 3)
        uint8_table = T("uint8", shape, q, const=integers(rng, shape, "uint8"))
        yield single_op("EMBEDDING_LOOKUP", "uint8", name, [ids, uint8_table], [T("uint8", q=q)])
        rows = Q(rng.uniform(0.01, 0.1, shape[0]).astype(np.float32))
        yield single_op(
            "EMBEDDING_LOOKUP",
            "hybrid",
            name,
            [ids, T("int8", shape, rows, const=int8_table.const)],
            [T("float32")],
            None,
            4,
        )
        # Rows of whole bytes: LiteRT reads a row that begins inside a byte from that byte's first element.
        even = (*shape[:-1], shape[-1] + shape[-1] % 2)
        for label, parameters in (("hybrid_int4", rows), ("hybrid_int4_per_tensor", q)):
            packed = T("int4", even, parameters, const=integers(rng, even, "int8", -7, 7))
            yield single_op("EMBEDDING_LOOKUP", label, (shape_name(even), f"n{count}"), [ids, packed], [T("float32")], None, 4)
    for combiner in range(3):
        rng = rng_for("embedding_lookup_sparse", combiner)
        operands = [
            value(np.array([1, 3, 0, 4], np.int32)),
            value(np.array([[0, 0], [0, 1], [1, 0], [2, 0]], np.int32)),
            value(np.array([3, 2], np.int32)),
            value(np.abs(floats(rng, (4,))) + np.float32(0.1)),
            value(floats(rng, (5, 3, 2))),
        ]
        yield single_op(
            "EMBEDDING_LOOKUP_SPARSE",
            "float32",
            (("sum", "mean", "sqrtn")[combiner],),
            operands,
            [T("float32")],
            opt("EmbeddingLookupSparse", combiner=combiner),
            dynamic=True,
        )
    for dtype in ("float32", "int8", "int32"):
        rng = rng_for("hashtable_lookup", dtype)
        rows = numeric_value(rng, dtype, (4, 3), Q(0.1) if dtype == "int8" else None)
        operands = [value(np.array([7, 1, 9, 30], np.int32)), value(np.array([1, 7, 12, 30], np.int32)), rows]
        yield single_op("HASHTABLE_LOOKUP", dtype, ("rows",), operands, [T(dtype, q=rows.q), T("uint8")])


def segments():
    for dtype in ("float32", "int32"):
        for shape, ids in (
            ((6,), (0, 0, 1, 1, 1, 3)),
            ((4, 3), (0, 1, 1, 2)),
            ((5, 2, 2), (0, 0, 0, 1, 2)),
            ((1, 4), (2,)),
        ):
            x, _ = copies(rng_for("segment_sum", dtype, shape), dtype, shape)
            yield single_op(
                "SEGMENT_SUM",
                dtype,
                (shape_name(shape),),
                [x, value(np.asarray(ids, np.int32))],
                [T(dtype)],
                opt("SegmentSum"),
                dynamic=True,
            )
        for op in ("SUM", "PROD", "MAX", "MIN"):
            for shape, ids, count in (
                ((6,), (2, 0, 1, 1, 2, 0), 4),
                ((4, 3), (1, 0, 1, 1), 2),
                ((5, 2, 2), (0, 2, 2, 1, 0), 3),
                ((3, 2), (0, -1, 1), 2),
            ):
                x, _ = copies(rng_for("unsorted_segment", op, dtype, shape), dtype, shape)
                yield single_op(
                    f"UNSORTED_SEGMENT_{op}",
                    dtype,
                    (shape_name(shape), f"n{count}"),
                    [x, value(np.asarray(ids, np.int32)), const(np.int32(count))],
                    [T(dtype)],
                    opt(f"UnsortedSegment{op.capitalize()}"),
                )


def searches():
    for dtype in ("bool", "float32", "int32", "int64", "int8", "uint8", "uint32"):
        for shape in ((7,), (3, 4), (2, 3, 2), (2, 2, 2, 3), (1, 2, 3, 1, 2), ()):
            rng = rng_for("where", dtype, shape)
            x = rng.integers(0, 2, shape).astype(dtype)
            q = Q(0.1, 0) if dtype in ("int8", "uint8") else None
            yield single_op(
                "WHERE", dtype, (shape_name(shape),), [value(x, q=q)], [T("int64")], None, 1, EXACT, dynamic=True
            )
        yield single_op(
            "WHERE", dtype, ("none",), [value(np.zeros((2, 3), dtype))], [T("int64")], None, 1, EXACT, dynamic=True
        )
    for dtype in ("float32", "int8", "uint8", "int16", "int32", "int64"):
        for index in ("int32", "int64"):
            for count in (1, 6, 25):
                x = rng_for("unique", dtype, count).integers(0, 5, count).astype(dtype)
                q = Q(0.1, 0) if dtype in ("int8", "uint8", "int16") else None
                yield single_op(
                    "UNIQUE",
                    dtype,
                    (f"n{count}", index),
                    [value(x, q=q)],
                    [T(dtype, q=q), T(index)],
                    opt("Unique", idxOutType={"int32": 2, "int64": 4}[index]),
                    dynamic=True,
                )
    for dtype in ("float32", "float64", "int32", "int64"):
        for boundaries in ((0.0,), (-1.0, 0.0, 1.0, 2.5), (-50.0, -3.0, 3.0, 20.0, 50.0)):
            for shape in ((9,), (2, 3, 4), ()):
                rng = rng_for("bucketize", dtype, boundaries, shape)
                x = rng.choice([*boundaries, *rng.normal(0, 20, 20)], shape).astype(dtype)
                yield single_op(
                    "BUCKETIZE",
                    dtype,
                    (f"b{len(boundaries)}", shape_name(shape)),
                    [value(x)],
                    [T("int32")],
                    opt("Bucketize", boundaries=list(boundaries)),
                    1,
                    EXACT,
                )


def cases():
    yield from gathers()
    yield from scatters()
    yield from embeddings()
    yield from segments()
    yield from searches()
