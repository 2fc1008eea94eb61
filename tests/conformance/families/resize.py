"""RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR with every way of aligning pixels."""

import numpy as np

from builder import T, const, opt, value
from case import rng_for, single_op
from values import copies, shape_name

SIZES = [
    ((1, 1, 1, 1), (1, 1)),
    ((1, 2, 2, 1), (4, 4)),
    ((1, 4, 4, 3), (2, 2)),
    ((2, 3, 5, 2), (7, 4)),
    ((1, 5, 5, 3), (5, 5)),
    ((1, 7, 3, 9), (3, 13)),
    ((1, 3, 4, 17), (6, 8)),
    ((1, 2, 3, 1), (1, 1)),
    ((1, 9, 9, 2), (4, 20)),
]
MODES = {"plain": (False, False), "align": (True, False), "half": (False, True)}


def cases():
    for op, table in (("RESIZE_BILINEAR", "ResizeBilinear"), ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighbor")):
        for dtype in ("float32", "int8", "uint8", "int16"):
            for shape, size in SIZES:
                for mode, (align, half) in MODES.items():
                    for live in (False, True):
                        if live and (mode, shape) != ("half", SIZES[3][0]):
                            continue
                        x, q = copies(rng_for(op, dtype, shape, size), dtype, shape)
                        target = np.asarray(size, np.int32)
                        version = {"int8": 2, "int16": 4}.get(dtype, 3 if align or half else 1)
                        yield single_op(
                            op,
                            dtype,
                            (shape_name(shape), "to", shape_name(size), mode, "live" if live else ""),
                            [x, value(target) if live else const(target)],
                            [T(dtype, q=q)],
                            opt(table, alignCorners=align, halfPixelCenters=half),
                            version,
                            dynamic=live,
                        )
