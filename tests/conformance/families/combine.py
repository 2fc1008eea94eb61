"""Several tensors in or out: CONCATENATION, PACK, UNPACK, SPLIT, SPLIT_V, ADD_N, SELECT, SELECT_V2."""

import numpy as np

from builder import T, const, opt
from case import rng_for, single_op
from values import ACTIVATIONS, copies, numeric_value, random_q, shape_name

MOVED = ("float32", "int8", "uint8", "int16", "int32", "int64", "bool", "float16", "uint32")


def concatenations():
    forms = [
        ((3,), 0, (2, 3)),
        ((2, 3), 1, (1, 4, 2)),
        ((2, 3), 0, (1, 1)),
        ((1, 3, 4, 5), 3, (5, 3)),
        ((1, 3, 4, 5), -1, (1, 2, 3, 4, 5)),
        ((1, 3, 4, 5), 1, (2, 3)),
        ((2, 2, 3, 2), 2, (3, 1)),
        ((2, 1, 2, 3, 2), 3, (2, 4)),
        ((4, 5), 0, (4,)),
    ]
    for dtype in MOVED:
        for shape, axis, sizes in forms:
            rng = rng_for("concatenation", dtype, shape, axis, sizes)
            q = random_q(rng, dtype) if dtype in ("int8", "uint8", "int16") else None
            specs = []
            for size in sizes:
                part = list(shape)
                part[axis] = size
                specs.append(numeric_value(rng, dtype, part, q))
            parts = (shape_name(shape), f"axis{axis}", "_".join(map(str, sizes)))
            version = {"int8": 2, "int16": 3, "uint32": 4}.get(dtype, 1)
            yield single_op(
                "CONCATENATION", dtype, parts, specs, [T(dtype, q=q)], opt("Concatenation", axis=axis), version
            )
    # uint8 and int8 with unequal parameters: the kernel rescales (uint8) or refuses (int8).
    for dtype in ("uint8", "int8"):
        for trial in range(4):
            rng = rng_for("concatenation", dtype, "rescale", trial)
            specs = [numeric_value(rng, dtype, (3, n)) for n in (2, 4, 3)]
            q = random_q(rng, dtype, max(float(s.q.scales[0]) for s in specs) * 1.1)
            yield single_op(
                "CONCATENATION", dtype, ("rescale", trial), specs, [T(dtype, q=q)], opt("Concatenation", axis=1)
            )
    for activation in ("relu", "relu6"):
        rng = rng_for("concatenation", activation)
        specs = [numeric_value(rng, "float32", (3, n)) for n in (2, 4)]
        yield single_op(
            "CONCATENATION",
            "float32",
            (activation,),
            specs,
            [T("float32")],
            opt("Concatenation", axis=1, fusedActivationFunction=ACTIVATIONS[activation]),
        )
    rng = rng_for("concatenation", "const")
    specs = [numeric_value(rng, "float32", (2, 3)), const(rng.normal(size=(2, 2)).astype(np.float32))]
    yield single_op("CONCATENATION", "float32", ("const",), specs, [T("float32")], opt("Concatenation", axis=1))


def packs():
    for dtype in MOVED:
        for shape, axis, count in (
            ((), 0, 3),
            ((4,), 0, 2),
            ((4,), 1, 3),
            ((2, 3), -1, 2),
            ((2, 3, 4), 1, 4),
            ((2, 3, 2, 2), 4, 2),
            ((3,), -2, 1),
        ):
            rng = rng_for("pack", dtype, shape, axis, count)
            q = random_q(rng, dtype) if dtype in ("int8", "uint8", "int16") else None
            specs = [numeric_value(rng, dtype, shape, q) for _ in range(count)]
            yield single_op(
                "PACK",
                dtype,
                (shape_name(shape), f"axis{axis}", f"n{count}"),
                specs,
                [T(dtype, q=q)],
                opt("Pack", valuesCount=count, axis=axis),
                {"int8": 2, "int16": 3}.get(dtype, 1),
            )
        for shape, axis in (
            ((3,), 0),
            ((4, 3), 0),
            ((4, 3), 1),
            ((2, 3, 4), -1),
            ((2, 3, 4), 1),
            ((2, 2, 3, 2), -3),
            ((1, 5), 0),
        ):
            x, q = copies(rng_for("unpack", dtype, shape, axis), dtype, shape)
            yield single_op(
                "UNPACK",
                dtype,
                (shape_name(shape), f"axis{axis}"),
                [x],
                [T(dtype, q=q) for _ in range(shape[axis])],
                opt("Unpack", num=shape[axis], axis=axis),
                {"int8": 2, "bool": 3, "int16": 4}.get(dtype, 1),
            )


def splits():
    for dtype in MOVED:
        for shape, axis, count in (
            ((6,), 0, 3),
            ((4, 6), 1, 2),
            ((4, 6), 0, 4),
            ((2, 4, 3, 9), -1, 3),
            ((2, 4, 3, 5), 1, 2),
            ((2, 3, 2, 4, 2), 3, 4),
            ((3, 5), 1, 1),
        ):
            x, q = copies(rng_for("split", dtype, shape, axis), dtype, shape)
            yield single_op(
                "SPLIT",
                dtype,
                (shape_name(shape), f"axis{axis}", f"n{count}"),
                [const(np.int32(axis)), x],
                [T(dtype, q=q) for _ in range(count)],
                opt("Split", numSplits=count),
                {"int8": 2, "int16": 4}.get(dtype, 1),
            )
        for shape, axis, sizes in (
            ((6,), 0, (1, 2, 3)),
            ((4, 7), 1, (3, -1)),
            ((5, 2), 0, (1, 0, 4)),
            ((2, 4, 3, 9), -1, (5, 4)),
            ((2, 4, 3, 5), 1, (1, 3)),
            ((2, 3, 2, 4, 2), 3, (2, 1, 1)),
        ):
            for index in ("int32", "int64"):
                x, q = copies(rng_for("split_v", dtype, shape, axis, sizes), dtype, shape)
                yield single_op(
                    "SPLIT_V",
                    dtype,
                    (shape_name(shape), f"axis{axis}", "_".join(map(str, sizes)), index),
                    [x, const(np.asarray(sizes, index)), const(np.int32(axis))],
                    [T(dtype, q=q) for _ in sizes],
                    opt("SplitV", numSplits=len(sizes)),
                    {"int8": 2}.get(dtype, 1),
                )


def sums():
    for dtype in ("float32", "int32"):
        for shape, count in (((5,), 2), ((3, 4), 3), ((2, 3, 4, 5), 5), ((1,), 1), ((17, 9), 9)):
            rng = rng_for("add_n", dtype, shape, count)
            specs = [numeric_value(rng, dtype, shape) for _ in range(count)]
            yield single_op("ADD_N", dtype, (shape_name(shape), f"n{count}"), specs, [T(dtype)], opt("AddN"))


def selects():
    for dtype in MOVED:
        for condition, shape in (
            ((5,), (5,)),
            ((2, 3), (2, 3)),
            ((4,), (4, 3)),
            ((3,), (3, 2, 4)),
            ((2, 3, 2, 2), (2, 3, 2, 2)),
            ((), (2, 3)),
        ):
            rng = rng_for("select", dtype, condition, shape)
            q = random_q(rng, dtype) if dtype in ("int8", "uint8", "int16") else None
            specs = [
                numeric_value(rng, "bool", condition),
                numeric_value(rng, dtype, shape, q),
                numeric_value(rng, dtype, shape, q),
            ]
            yield single_op(
                "SELECT",
                dtype,
                (shape_name(condition), shape_name(shape)),
                specs,
                [T(dtype, q=q)],
                opt("Select"),
                {"int8": 2, "int16": 3, "uint32": 4}.get(dtype, 1),
            )
        for shapes in (
            ((5,), (5,), (5,)),
            ((2, 1), (2, 3), (3,)),
            ((), (2, 3), (2, 3)),
            ((2, 3), (), (1, 3)),
            ((1, 4, 1, 3), (2, 1, 5, 1), (3,)),
            ((2, 3, 1), (1,), (1, 3, 4)),
            ((2, 1, 2, 1, 3), (2, 2, 1, 2, 3), (3,)),
            ((3, 1, 5, 1, 1), (1,), (1, 2, 1, 2, 2)),
        ):
            rng = rng_for("select_v2", dtype, shapes)
            q = random_q(rng, dtype) if dtype in ("int8", "uint8", "int16") else None
            specs = [numeric_value(rng, "bool", shapes[0])] + [numeric_value(rng, dtype, s, q) for s in shapes[1:]]
            yield single_op(
                "SELECT_V2",
                dtype,
                [shape_name(s) for s in shapes],
                specs,
                [T(dtype, q=q)],
                opt("SelectV2"),
                {"uint32": 2}.get(dtype, 1),
            )


def cases():
    yield from concatenations()
    yield from packs()
    yield from splits()
    yield from sums()
    yield from selects()
