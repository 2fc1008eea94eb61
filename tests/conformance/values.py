"""Random values and quantization parameters."""

import numpy as np

from builder import Q, T

RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}
ACTIVATIONS = {"none": 0, "relu": 1, "relu_n1_to_1": 2, "relu6": 3, "tanh": 4}


def floats(rng, shape, spread=2.0):
    """Normal values with exact zeros and a few large ones among them."""
    x = rng.normal(0, spread, shape).astype(np.float32)
    mask = rng.random(shape)
    return np.where(mask < 0.03, np.float32(0), np.where(mask > 0.97, x * np.float32(4), x)).astype(np.float32)


def integers(rng, shape, dtype, low=None, high=None):
    """Uniform over the whole type (or [low, high]); the extremes occur whenever there is room for them."""
    low = RANGES[dtype][0] if low is None else low
    high = RANGES[dtype][1] if high is None else high
    x = rng.integers(low, high, shape, endpoint=True).astype(dtype)
    if x.size > 3:
        x.flat[rng.integers(x.size)] = low
        x.flat[rng.integers(x.size)] = high
    return x


def random_q(rng, dtype, scale=None, extreme=False):
    """Per-tensor parameters; int16 is symmetric; `extreme` puts the zero point at an end of the range."""
    scale = float(np.float32(scale if scale is not None else rng.uniform(0.005, 0.08)))
    low, high = RANGES[dtype]
    if dtype == "int16":
        return Q(scale / 128, 0)
    return Q(scale, int(rng.choice([low, high]) if extreme else rng.integers(low // 2 + high // 4, high // 2)))


def quantized_value(rng, dtype, shape, q=None):
    """A model input of a quantized type."""
    return T(dtype, tuple(shape), q if q is not None else random_q(rng, dtype), value=integers(rng, shape, dtype))


def numeric_value(rng, dtype, shape, q=None, spread=2.0):
    """A model input of any type; quantized ones get parameters."""
    if dtype == "float32":
        return T(dtype, tuple(shape), value=floats(rng, shape, spread))
    if dtype == "float16":
        return T(dtype, tuple(shape), value=floats(rng, shape, spread).astype(np.float16))
    if dtype == "bool":
        return T(dtype, tuple(shape), value=rng.random(shape) < 0.5)
    if dtype == "complex64":
        return T(dtype, tuple(shape), value=(floats(rng, shape) + 1j * floats(rng, shape)).astype(np.complex64))
    if dtype in RANGES:
        return quantized_value(rng, dtype, shape, q)
    low = 0 if np.dtype(dtype).kind == "u" else -100
    return T(dtype, tuple(shape), value=rng.integers(low, 100, shape).astype(dtype))


def copies(rng, dtype, shape):
    """An input and the parameters that an operator which only moves values must give its output."""
    x = numeric_value(rng, dtype, shape)
    return x, x.q


def shape_name(shape):
    return "x".join(map(str, shape)) or "scalar"


def real_values(x):
    """The real values of a quantized tensor's data."""
    return (np.asarray(x.value, np.float64) - x.q.zero_points[0]) * x.q.scales[0]


def fitting_q(rng, dtype, results):
    """Output parameters whose range about covers real results: now and then one of them saturates."""
    results = np.ravel(results)[np.isfinite(np.ravel(results))]
    low, high = (min(results.min(), 0.0), max(results.max(), 1e-3)) if results.size else (0.0, 1.0)
    low, high = low * rng.uniform(0.7, 1.1), high * rng.uniform(0.7, 1.1)
    qlow, qhigh = RANGES[dtype]
    if dtype == "int16":
        return Q(float(np.float32(max(-low, high) / 32767)), 0)
    scale = float(np.float32((high - low) / (qhigh - qlow)))
    return Q(scale, int(np.clip(round(qlow - low / scale), qlow, qhigh)))
