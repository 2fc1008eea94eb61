"""Shapes: RESHAPE, SQUEEZE, EXPAND_DIMS, SHAPE, RANK, FILL, RANGE, BROADCAST_TO, BROADCAST_ARGS, TILE, ONE_HOT."""

import numpy as np

from builder import Q, T, const, opt, value
from case import rng_for, single_op
from values import copies, numeric_value, shape_name

MOVED = ("float32", "int8", "uint8", "int16", "int32", "int64", "bool", "float16")
INDEX = ("int32", "int64")


def indices_for(dtype):
    """The index types to try: both only with the main value types."""
    return INDEX if dtype in ("float32", "int8") else INDEX[:1]


def reshapes():
    forms = [
        ((2, 3, 4), (6, 4)),
        ((2, 3, 4), (-1,)),
        ((24,), (2, -1, 3)),
        ((1, 1), ()),
        ((), (1, 1, 1)),
        ((4, 1, 3), (3, 2, 2)),
        ((2, 2, 2, 2, 2), (4, -1)),
        ((3, 5), (1, 3, 1, 5, 1, 1)),
    ]
    for dtype in MOVED:
        for shape, new in forms:
            for how in ("const", "live", "options"):
                if how == "options" and not new:
                    continue
                rng = rng_for("reshape", dtype, shape, new, how)
                x, q = copies(rng, dtype, shape)
                new_shape = np.asarray(new, np.int32)
                operands = [x] + {"const": [const(new_shape)], "live": [value(new_shape)], "options": []}[how]
                options = opt("Reshape", newShape=list(new)) if how == "options" else None
                yield single_op(
                    "RESHAPE",
                    dtype,
                    (shape_name(shape), "to", shape_name(new), how),
                    operands,
                    [T(dtype, q=q)],
                    options,
                    dynamic=how == "live",
                )


def squeezes_and_expansions():
    for dtype in MOVED:
        for shape, dims in (
            ((1, 3, 1, 2), ()),
            ((1, 3, 1, 2), (0,)),
            ((1, 3, 1, 2), (-2,)),
            ((1, 1, 1), (0, 1, 2)),
            ((2, 1, 3, 1, 1), (1, -1)),
            ((4, 5), ()),
        ):
            x, q = copies(rng_for("squeeze", dtype, shape, dims), dtype, shape)
            yield single_op(
                "SQUEEZE",
                dtype,
                (shape_name(shape), "dims" + "_".join(map(str, dims))),
                [x],
                [T(dtype, q=q)],
                opt("Squeeze", squeezeDims=list(dims)),
                2 if dtype == "string" else 1,
            )
        for shape, axis in (
            ((3,), 0),
            ((3,), 1),
            ((2, 3, 4), -1),
            ((2, 3, 4), 2),
            ((), 0),
            ((2, 3), -3),
            ((1, 2, 3, 2), 4),
        ):
            for live in (False, True):
                x, q = copies(rng_for("expand", dtype, shape, axis), dtype, shape)
                axis_array = np.asarray([axis], np.int32)
                yield single_op(
                    "EXPAND_DIMS",
                    dtype,
                    (shape_name(shape), f"axis{axis}", "live" if live else ""),
                    [x, value(axis_array) if live else const(axis_array)],
                    [T(dtype, q=q)],
                    dynamic=live,
                )


def queries():
    for dtype in ("float32", "int8", "int32", "bool"):
        for shape in ((), (5,), (2, 3, 4), (1, 2, 1, 3, 1), (0, 3)):
            x = numeric_value(rng_for("query", dtype, shape), dtype, shape)
            for out in INDEX:
                yield single_op(
                    "SHAPE",
                    dtype,
                    (shape_name(shape), out),
                    [x],
                    [T(out)],
                    opt("Shape", outType={"int32": 2, "int64": 4}[out]),
                )
            yield single_op("RANK", dtype, (shape_name(shape),), [x], [T("int32")])


def fills_and_ranges():
    for dtype in ("float32", "int32", "int64", "int8", "int16", "bool", "float16"):
        for dims in ((), (7,), (2, 3, 4), (1, 2, 1, 2, 3)):
            for index in indices_for(dtype):
                for live in (False, True):
                    rng = rng_for("fill", dtype, dims, index)
                    x = numeric_value(rng, dtype, ())
                    size = np.asarray(dims, index)
                    yield single_op(
                        "FILL",
                        dtype,
                        (shape_name(dims), index, "live" if live else ""),
                        [value(size) if live else const(size), x],
                        [T(dtype, q=x.q)],
                        None,
                        {"int8": 3, "int16": 3, "float16": 4}.get(dtype, 1),
                        dynamic=live,
                    )
    for dtype in ("float32", "int32", "int64"):
        for start, limit, delta in ((0, 10, 1), (3, 18, 4), (9, -2, -3), (5, 5, 1), (-4, 4, 2)):
            for live in (False, True):
                scalars = [np.asarray(v, dtype) for v in (start, limit, delta)]
                yield single_op(
                    "RANGE",
                    dtype,
                    (start, limit, delta, "live" if live else ""),
                    [(value if live else const)(s) for s in scalars],
                    [T(dtype)],
                    None,
                    2 if dtype == "int64" else 1,
                    dynamic=live,
                )
    scalars = [np.float32(v) for v in (0.25, 3.1, 0.3)]
    yield single_op("RANGE", "float32", ("fraction",), [value(s) for s in scalars], [T("float32")], dynamic=True)


def broadcasts():
    pairs = [
        ((3,), (2, 3)),
        ((1, 3), (4, 3)),
        ((2, 1, 3), (2, 5, 3)),
        ((), (3, 2)),
        ((1, 1, 1), (2, 2, 3)),
        ((2, 1, 3, 1), (2, 4, 3, 2)),
        ((3, 1), (2, 1, 2, 3, 4)),
        ((1, 2, 1, 1, 3, 1), (2, 2, 2, 1, 3, 2)),
    ]
    for dtype in MOVED:
        for shape, target in pairs:
            for index in indices_for(dtype):
                for live in (False, True):
                    x, q = copies(rng_for("broadcast", dtype, shape, target), dtype, shape)
                    size = np.asarray(target, index)
                    yield single_op(
                        "BROADCAST_TO",
                        dtype,
                        (shape_name(shape), "to", shape_name(target), index, "live" if live else ""),
                        [x, value(size) if live else const(size)],
                        [T(dtype, q=q)],
                        None,
                        3 if dtype in ("int8", "int16") else 2,
                        dynamic=live,
                    )
    for index in INDEX:
        for left, right in (((3,), (2, 3)), ((2, 1), (1, 4)), ((5,), (5,)), ((1,), (2, 3, 4)), ((2, 1, 4), (3, 1))):
            a, b = np.asarray(left, index), np.asarray(right, index)
            name = (shape_name(left), shape_name(right))
            yield single_op("BROADCAST_ARGS", index, name, [value(a), value(b)], [T(index)])
            yield single_op("BROADCAST_ARGS", index, (*name, "const"), [value(a), const(b)], [T(index)])


def tiles_and_one_hots():
    for dtype in MOVED:
        for shape, times in (
            ((3,), (2,)),
            ((2, 3), (1, 2)),
            ((2, 3), (3, 1)),
            ((1, 2, 3), (2, 1, 2)),
            ((2, 1, 2, 2), (1, 3, 2, 2)),
            ((1, 2, 1, 2, 3), (2, 1, 3, 1, 1)),
            ((5,), (1,)),
        ):
            for index in indices_for(dtype):
                for live in (False, True):
                    x, q = copies(rng_for("tile", dtype, shape, times), dtype, shape)
                    count = np.asarray(times, index)
                    yield single_op(
                        "TILE",
                        dtype,
                        (shape_name(shape), "by", shape_name(times), index, "live" if live else ""),
                        [x, value(count) if live else const(count)],
                        [T(dtype, q=q)],
                        None,
                        2 if dtype == "bool" else 1,
                        dynamic=live,
                    )
    for dtype in ("float32", "int32", "int64", "int8", "uint8", "int16", "bool"):
        for index in INDEX:
            for shape, depth, axis in (
                ((4,), 5, -1),
                ((4,), 5, 0),
                ((2, 3), 4, 1),
                ((2, 3), 4, -1),
                ((), 3, -1),
                ((2, 2, 2), 3, 2),
            ):
                rng = rng_for("one_hot", dtype, index, shape, depth, axis)
                indices = value(rng.integers(-1, depth + 1, shape).astype(index))
                on, off = (np.asarray(v, dtype) for v in ((True, False) if dtype == "bool" else (7, 2)))
                q = Q(0.5, 0) if dtype in ("int8", "uint8", "int16") else None
                yield single_op(
                    "ONE_HOT",
                    dtype,
                    (shape_name(shape), f"d{depth}", f"axis{axis}", index),
                    [indices, const(np.int32(depth)), const(on, q=q), const(off, q=q)],
                    [T(dtype, q=q)],
                    opt("OneHot", axis=axis),
                )
        live = [
            value(np.array([0, 2, 1], np.int32)),
            value(np.int32(4)),
            value(np.asarray(1, dtype)),
            value(np.asarray(0, dtype)),
        ]
        yield single_op("ONE_HOT", dtype, ("live",), live, [T(dtype)], opt("OneHot", axis=-1), dynamic=True)


def cases():
    yield from reshapes()
    yield from squeezes_and_expansions()
    yield from queries()
    yield from fills_and_ranges()
    yield from broadcasts()
    yield from tiles_and_one_hots()
