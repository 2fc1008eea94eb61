"""Operands of the operators that multiply by weights: convolutions, fully connected and matrix products."""

import dataclasses

import numpy as np

from builder import Q, T, const
from case import FLOAT, PRODUCT
from values import RANGES, floats, integers, random_q

WEIGHT_LIMIT = {"int8": 127, "int4": 7, "int2": 1}


@dataclasses.dataclass(frozen=True)
class Scheme:
    """The types of one way to quantize a product."""

    name: str
    activation: str
    weight: str
    bias: str
    per_axis: bool = False

    @property
    def tolerance(self):
        return FLOAT if self.activation == "float32" else PRODUCT


SCHEMES = {
    s.name: s
    for s in (
        Scheme("float32", "float32", "float32", "float32"),
        Scheme("int8", "int8", "int8", "int32", per_axis=True),
        Scheme("int8_per_tensor", "int8", "int8", "int32"),
        Scheme("int8_int4", "int8", "int4", "int32", per_axis=True),
        Scheme("int16", "int16", "int8", "int64", per_axis=True),
        Scheme("int16_bias32", "int16", "int8", "int32", per_axis=True),
        Scheme("uint8", "uint8", "uint8", "int32"),
        Scheme("hybrid", "float32", "int8", "float32", per_axis=True),
        Scheme("hybrid_per_tensor", "float32", "int8", "float32"),
        Scheme("hybrid_int4", "float32", "int4", "float32", per_axis=True),
    )
}


def weight(rng, scheme, shape, axis):
    """A constant weight tensor, per-axis along `axis` if the scheme says so."""
    shape = tuple(shape)
    if scheme.weight == "float32":
        return const(rng.normal(0, 0.5, shape).astype(np.float32))
    if scheme.weight == "uint8":
        q = Q(rng.uniform(0.002, 0.02), int(rng.integers(112, 144)))
        return T("uint8", shape, q, const=integers(rng, shape, "uint8", 1))
    limit = WEIGHT_LIMIT[scheme.weight]
    base = rng.uniform(0.2, 2.0) / limit
    q = (
        Q(np.float32(base) * rng.uniform(0.3, 1.7, shape[axis]).astype(np.float32), 0, axis)
        if scheme.per_axis
        else Q(base)
    )
    return T(scheme.weight, shape, q, const=integers(rng, shape, "int8", -limit, limit))


def spread_of(x):
    """Standard deviation of the real values of a quantized (or float) tensor around zero."""
    data = np.asarray(x.value if x.value is not None else x.const, np.float64)
    if x.q is None:
        return float(np.sqrt(np.mean(data**2)) + 1e-6)
    zero = np.float64(x.q.zero_points[0])
    return float(np.sqrt(np.mean((data - zero) ** 2)) * np.mean(x.q.scales) + 1e-6)


def bias(rng, scheme, x, w, count, depth, spread=None):
    """A bias about as large as the products' sum over `depth` elements."""
    spread = spread if spread is not None else spread_of(x) * spread_of(w) * np.sqrt(depth)
    real = rng.normal(0, spread, count)
    if scheme.bias == "float32":
        return const(real.astype(np.float32))
    scales = np.float32(x.q.scales[0]) * w.q.scales
    values = np.clip(np.round(real / scales), -(2**30), 2**30).astype(scheme.bias)
    return T(scheme.bias, (count,), Q(scales if w.q.scales.size > 1 else scales[0]), const=values)


def output(rng, scheme, x, w, depth, shape=None, relu=False):
    """The output tensor: its range holds about three standard deviations of the sums, so that a few saturate."""
    if scheme.activation == "float32":
        return T("float32", shape)
    deviation = spread_of(x) * spread_of(w) * np.sqrt(depth) * 1.4
    low, high = RANGES[scheme.activation]
    scale = float(np.float32(2 * 2.5 * deviation / (high - low)))
    q = Q(scale, 0) if scheme.activation == "int16" else random_q(rng, scheme.activation, scale)
    return T(scheme.activation, shape, q)


def activation_input(rng, scheme, shape, extreme=False):
    """The model input that is multiplied."""
    shape = tuple(shape)
    if scheme.activation == "float32":
        return T("float32", shape, value=floats(rng, shape, 1.0))
    q = random_q(rng, scheme.activation, extreme=extreme)
    return T(scheme.activation, shape, q, value=integers(rng, shape, scheme.activation))
