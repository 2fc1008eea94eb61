"""Complex numbers: RFFT2D, COMPLEX_ABS, REAL, IMAG."""

import numpy as np

from builder import T, const, opt, value
from case import rng_for, single_op
from values import floats, numeric_value, shape_name


def cases():
    for shape, lengths in (
        ((1, 4), (1, 4)),
        ((4, 8), (4, 8)),
        ((2, 3, 16), (2, 16)),
        ((3, 5), (4, 8)),
        ((8, 8), (4, 4)),
        ((2, 1, 64), (1, 64)),
        ((16, 32), (16, 32)),
        ((2, 2, 4, 4), (4, 4)),
        ((3, 2), (2, 2)),
    ):
        for live in (False, True):
            x = value(floats(rng_for("rfft2d", shape, lengths), shape))
            length = np.asarray(lengths, np.int32)
            yield single_op(
                "RFFT2D",
                "float32",
                (shape_name(shape), "n" + shape_name(lengths), "live" if live else ""),
                [x, value(length) if live else const(length)],
                [T("complex64")],
                opt("Rfft2d"),
                dynamic=live,
            )
    for op in ("COMPLEX_ABS", "REAL", "IMAG"):
        for shape in ((1,), (7,), (2, 3, 4), ()):
            x = numeric_value(rng_for(op, shape), "complex64", shape)
            yield single_op(op, "complex64", (shape_name(shape),), [x], [T("float32")])
