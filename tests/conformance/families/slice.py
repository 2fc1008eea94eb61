"""Parts and borders: SLICE, STRIDED_SLICE, DYNAMIC_UPDATE_SLICE, PAD, PADV2, MIRROR_PAD."""

import numpy as np

from builder import T, const, opt, value
from case import rng_for, single_op
from values import copies, integers, numeric_value, shape_name

MOVED = ("float32", "int8", "uint8", "int16", "int32", "int64", "bool", "float16")
STRIDED = ("float32", "int8", "uint8", "int16", "int32", "int64", "bool", "float16", "uint32")


def text(values):
    return "_".join(map(str, values))


def slices():
    forms = [
        ((7,), (2,), (3,)),
        ((4, 5), (1, 0), (2, -1)),
        ((4, 5), (0, 2), (-1, 3)),
        ((3, 4, 5), (1, 1, 2), (2, 3, -1)),
        ((2, 3, 4, 5), (0, 1, 2, 3), (2, 2, 1, 2)),
        ((2, 2, 3, 2, 4), (1, 0, 1, 0, 2), (-1, 2, 2, 1, 2)),
        ((1, 9, 9, 13), (0, 3, 2, 5), (1, 4, 5, 7)),
        ((3, 4), (0, 0), (3, 4)),
        ((3, 4), (3, 1), (0, 2)),
    ]
    for dtype in MOVED:
        for shape, begin, size in forms:
            for index in ("int32", "int64") if dtype in ("float32", "int8") else ("int32",):
                for live in (False, True):
                    x, q = copies(rng_for("slice", dtype, shape, begin), dtype, shape)
                    wrap = value if live else const
                    yield single_op(
                        "SLICE",
                        dtype,
                        (shape_name(shape), "b" + text(begin), "n" + text(size), index, "live" if live else ""),
                        [x, wrap(np.asarray(begin, index)), wrap(np.asarray(size, index))],
                        [T(dtype, q=q)],
                        None,
                        5 if len(shape) > 4 else 1,
                        dynamic=live,
                    )


def strided(dtype, shape, begin, end, strides, label="", live=False, offset=False, **masks):
    """One STRIDED_SLICE; masks by their schema names."""
    parts = (
        shape_name(shape),
        "b" + text(begin),
        "e" + text(end),
        "s" + text(strides),
        "_".join(f"{k.removesuffix('Mask')}{v}" for k, v in masks.items() if v),
        "offset" if offset else "",
        label,
        "live" if live else "",
    )
    x, q = copies(rng_for("strided_slice", dtype, shape, parts), dtype, shape)
    wrap = value if live else const
    operands = [x] + [wrap(np.asarray(v, np.int32)) for v in (begin, end, strides)]
    version = max(
        {"int8": 2, "bool": 3, "uint8": 2, "int16": 2, "uint32": 8}.get(dtype, 1),
        4 if len(shape) > 4 else 1,
        6 if masks.get("ellipsisMask") or masks.get("newAxisMask") else 1,
        8 if offset else 1,
    )
    return single_op(
        "STRIDED_SLICE",
        dtype,
        parts,
        operands,
        [T(dtype, q=q)],
        opt("StridedSlice", offset=offset, **masks),
        version,
        dynamic=live,
    )


def strided_slices():
    for dtype in STRIDED:
        yield strided(dtype, (10,), (2,), (9,), (3,))
        yield strided(dtype, (10,), (-2,), (-9,), (-2,))
        yield strided(dtype, (10,), (-100,), (100,), (4,))
        yield strided(dtype, (5, 6), (1, 2), (4, 6), (1, 2), live=True)
        yield strided(dtype, (5, 6), (0, 4), (5, 1), (2, -1))
        yield strided(dtype, (5, 6), (3, 1), (4, 5), (1, 1), shrinkAxisMask=1)
        yield strided(dtype, (5, 6), (-1, 1), (0, 5), (1, 1), shrinkAxisMask=1)
        yield strided(dtype, (4, 5, 6), (1, 9, 2), (3, 9, 5), (1, 1, 1), beginMask=2, endMask=2)
        yield strided(dtype, (4, 5, 6), (1, 2, 3), (3, 4, 5), (1, 1, 1), newAxisMask=2)
        yield strided(dtype, (2, 3, 4, 5), (1, 0, 2), (2, 0, 4), (1, 1, 1), ellipsisMask=2)
        yield strided(
            dtype,
            (2, 3, 4, 5),
            (0, 0, 0, 1),
            (0, 0, 0, 3),
            (1, 1, 1, 2),
            beginMask=1,
            endMask=1,
            ellipsisMask=2,
            newAxisMask=4,
        )
        yield strided(dtype, (2, 3, 2, 3, 4), (0, 1, 0, 0, 1), (2, 3, 1, 3, 4), (1, 1, 1, 2, 2))
        yield strided(dtype, (2, 3, 2, 3, 4), (1, 1, 0, 2, 1), (2, 3, 1, 0, 4), (1, 1, 1, -1, 2), shrinkAxisMask=5)
        yield strided(dtype, (6, 7), (1, 2), (3, 4), (1, 1), offset=True)
        yield strided(dtype, (3, 3), (2, 0), (2, 3), (1, 1), label="empty")
    # Every single mask bit, on random slices of every rank.
    for rank in range(1, 6):
        for trial in range(24):
            rng = rng_for("strided", rank, trial)
            shape = tuple(int(n) for n in rng.integers(1, 7, rank))
            spec = int(rng.integers(1, rank + 1))
            strides = rng.choice([1, 1, 2, 3, -1, -2], spec)
            begin = [int(rng.integers(-n - 1, n + 1)) for n in shape[:spec]]
            end = [int(rng.integers(-n - 1, n + 2)) for n in shape[:spec]]
            masks = {k: int(rng.integers(0, 1 << spec)) for k in ("beginMask", "endMask")}
            masks["shrinkAxisMask"] = int(rng.integers(0, 1 << spec)) if trial % 3 == 0 else 0
            for i in range(spec):
                if masks["shrinkAxisMask"] >> i & 1:
                    begin[i], strides[i] = int(rng.integers(-shape[i], shape[i])), 1
                    end[i] = begin[i] + 1
            for key in ("newAxisMask", "ellipsisMask"):
                if trial % 4 == 3 and rank < 5:
                    bit = 1 << int(rng.integers(0, spec))
                    masks[key] = bit if not any(masks.get(k, 0) & bit for k in ("newAxisMask", "shrinkAxisMask")) else 0
            yield strided("float32", shape, begin, end, [int(s) for s in strides], f"r{trial}", **masks)


def dynamic_update_slices():
    for dtype in ("float32", "int8", "int32", "int64", "bool", "float16", "int16", "uint8"):
        for index in ("int32", "int64"):
            for shape, update, start in (
                ((7,), (3,), (2,)),
                ((4, 5), (2, 2), (1, 3)),
                ((4, 5), (2, 3), (9, -4)),
                ((2, 3, 4), (1, 3, 2), (1, 0, 1)),
                ((2, 3, 4, 2), (2, 1, 1, 2), (0, 2, 3, 0)),
                ((3, 3), (3, 3), (0, 0)),
            ):
                rng = rng_for("dynamic_update_slice", dtype, index, shape, start)
                x, q = copies(rng, dtype, shape)
                u = numeric_value(rng, dtype, update, q)
                yield single_op(
                    "DYNAMIC_UPDATE_SLICE",
                    dtype,
                    (shape_name(shape), shape_name(update), "at" + text(start), index),
                    [x, u, value(np.asarray(start, index))],
                    [T(dtype, q=q)],
                    None,
                    3 if index == "int64" or dtype in ("float16", "int16") else 1,
                )


PADS = [
    ((5,), ((2, 3),)),
    ((2, 3), ((1, 0), (0, 2))),
    ((2, 3, 2), ((0, 0), (1, 2), (3, 1))),
    ((1, 4, 5, 3), ((0, 0), (1, 1), (2, 1), (0, 0))),
    ((2, 2, 3, 2), ((1, 1), (0, 2), (1, 0), (2, 1))),
    ((2, 1, 3, 2, 2), ((0, 1), (1, 0), (0, 0), (1, 2), (1, 1))),
    ((2, 3), ((0, 0), (0, 0))),
]


def pads():
    for dtype in ("float32", "int8", "uint8", "int16", "int32", "int64", "bool", "float16"):
        for shape, padding in PADS:
            for index in ("int32", "int64") if dtype in ("float32", "int8") else ("int32",):
                for live in (False, True):
                    if live and index == "int64":
                        continue
                    x, q = copies(rng_for("pad", dtype, shape), dtype, shape)
                    amounts = np.asarray(padding, index)
                    version = max({"int8": 2, "int16": 4}.get(dtype, 1), 3 if len(shape) > 4 else 1)
                    yield single_op(
                        "PAD",
                        dtype,
                        (shape_name(shape), text(amounts.ravel()), index, "live" if live else ""),
                        [x, value(amounts) if live else const(amounts)],
                        [T(dtype, q=q)],
                        None,
                        version,
                        dynamic=live,
                    )
            rng = rng_for("padv2", dtype, shape)
            x, q = copies(rng, dtype, shape)
            fill = integers(rng, (1,), dtype) if q is not None else numeric_value(rng, dtype, (1,)).value
            yield single_op(
                "PADV2",
                dtype,
                (shape_name(shape), text(np.ravel(padding))),
                [x, const(np.asarray(padding, np.int32)), const(fill.reshape(()), q=q)],
                [T(dtype, q=q)],
                None,
                2 if q is not None else 1,
            )


def mirror_pads():
    for dtype in ("float32", "int8", "uint8", "int16", "int32", "int64", "bool"):
        for shape, padding in (
            ((5,), ((2, 3),)),
            ((3, 4), ((2, 1), (0, 3))),
            ((2, 3, 4), ((1, 1), (2, 0), (1, 3))),
            ((1, 5, 4, 3), ((0, 0), (2, 2), (1, 1), (0, 0))),
            ((2, 2, 3, 2), ((1, 0), (1, 1), (0, 2), (0, 0))),
        ):
            for mode in ("reflect", "symmetric"):
                for index in ("int32", "int64") if dtype in ("float32", "int8") else ("int32",):
                    x, q = copies(rng_for("mirror_pad", dtype, shape), dtype, shape)
                    amounts = np.asarray(padding, index)
                    yield single_op(
                        "MIRROR_PAD",
                        dtype,
                        (shape_name(shape), text(amounts.ravel()), mode, index),
                        [x, const(amounts)],
                        [T(dtype, q=q)],
                        opt("MirrorPad", mode=["reflect", "symmetric"].index(mode)),
                        {"int8": 2, "int16": 3}.get(dtype, 1),
                    )


def cases():
    yield from slices()
    yield from strided_slices()
    yield from dynamic_update_slices()
    yield from pads()
    yield from mirror_pads()
