"""A conformance case: a model, what it is fed, and how far a runtime's answer may be from the oracle's."""

import dataclasses
import re
import zlib

import numpy as np

from builder import Model, T

FLOAT = {"kind": "float", "rel_range": 1e-5}
EXACT = {"kind": "int", "max_diff": 0, "why": "LiteRT's reference formula is followed exactly"}
PRODUCT = {
    "kind": "int",
    "max_diff": 1,
    "share": 0.001,
    "why": "products round twice as LiteRT's do, with the 24 bits of float32 instead of 31",
}
OTHER_ROUNDING = {
    "kind": "int",
    "max_diff": 1,
    "why": "LiteRT rounds these products otherwise than the rest: op.h says how",
}
FIXED_POINT = {
    "kind": "int",
    "max_diff": 1,
    "why": "LiteRT's reference (fixed point) and optimized (table or float) " "kernels differ by one unit here",
}


@dataclasses.dataclass
class Case:
    """One model with its inputs. runs[k][i] is the array fed to input i in run k."""

    name: str
    op: str
    dtype: str
    model: Model
    runs: list
    tolerance: dict
    resize: dict = dataclasses.field(default_factory=dict)  # model input -> shape, set before the tensors are allocated
    dynamic: bool = False  # output shapes depend on values or on the resize: they are written as unknown


def rng_for(*key):
    """A generator seeded by the case's own name, so that adding a case changes no other."""
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def case_name(op, dtype, *parts):
    text = "_".join([op.lower(), dtype, *[str(p) for p in parts if str(p)]])
    return re.sub(r"[^A-Za-z0-9_.-]+", "", text.replace(" ", "").replace("(", "").replace(")", "").replace(",", "x"))


def default_tolerance(outputs):
    return FLOAT if any(t.type in ("float32", "float16", "float64", "complex64") for t in outputs) else EXACT


def single_op(
    op,
    dtype,
    parts,
    inputs,
    outputs,
    options=None,
    version=1,
    tolerance=None,
    runs=None,
    resize=None,
    dynamic=False,
    intermediates=(),
    custom=b"",
):
    """A case of one operator. `parts` name it; `runs` overrides the values held by the input specs."""
    model = Model()
    indices = model.main.op(op, inputs, outputs, options, version, intermediates, custom)
    model.main.outputs(indices)
    fed = [np.asarray(t.value) for t in inputs if isinstance(t, T) and t.value is not None]
    return Case(
        case_name(op, dtype, *parts),
        op,
        dtype,
        model,
        runs or [fed],
        tolerance or default_tolerance(outputs),
        resize or {},
        dynamic or bool(resize),
    )
