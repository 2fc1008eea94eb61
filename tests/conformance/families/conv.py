"""CONV_2D: every padding, strides, dilations, groups, fused activations. LiteRT refuses one without a bias."""

from builder import opt
from case import rng_for, single_op
from products import SCHEMES, activation_input, bias, output, weight
from values import ACTIVATIONS

VERSIONS = {
    "float32": 1,
    "hybrid_per_tensor": 2,
    "int8": 3,
    "int8_per_tensor": 3,
    "uint8": 3,
    "int16": 4,
    "hybrid": 5,
    "int8_int4": 7,
    "hybrid_int4": 7,
    "int16_bias32": 8,
}
TYPES = {"INT32": 2, "FLOAT32": 0, "INT64": 4}

# (batch, height, width, channels), (kernel height, width), output channels
SHAPES = [
    ((1, 1, 1, 1), (1, 1), 1),
    ((1, 5, 7, 3), (1, 1), 4),
    ((1, 6, 5, 8), (1, 1), 17),
    ((1, 8, 8, 3), (3, 3), 8),
    ((2, 7, 9, 5), (3, 3), 6),
    ((1, 9, 11, 4), (5, 3), 5),
    ((1, 11, 10, 2), (5, 5), 7),
    ((1, 13, 13, 3), (7, 7), 3),
    ((3, 4, 5, 1), (2, 2), 3),
    ((1, 1, 12, 6), (1, 3), 9),
    ((1, 6, 6, 33), (3, 3), 34),
    ((1, 9, 9, 16), (1, 1), 64),
]
STEPS = [
    ((1, 1), (1, 1)),
    ((2, 2), (1, 1)),
    ((1, 2), (1, 1)),
    ((3, 3), (1, 1)),
    ((1, 1), (2, 2)),
    ((1, 1), (1, 3)),
    ((2, 1), (3, 1)),
]


def conv(
    scheme_name,
    shape,
    kernel,
    filters,
    stride=(1, 1),
    dilation=(1, 1),
    padding="same",
    activation="none",
    groups=1,
    extreme=False,
    label="",
):
    """One CONV_2D case."""
    scheme = SCHEMES[scheme_name]
    parts = (
        "x".join(map(str, shape)),
        f"k{kernel[0]}x{kernel[1]}x{filters}",
        f"s{stride[0]}x{stride[1]}",
        f"d{dilation[0]}x{dilation[1]}",
        padding,
        activation,
        f"g{groups}" if groups > 1 else "",
        "zpend" if extreme else "",
        label,
    )
    rng = rng_for("conv", scheme_name, parts)
    depth = kernel[0] * kernel[1] * shape[3] // groups
    x = activation_input(rng, scheme, shape, extreme)
    w = weight(rng, scheme, (filters, *kernel, shape[3] // groups), 0)
    operands = [x, w, bias(rng, scheme, x, w, filters, depth)]
    options = opt(
        "Conv2D",
        padding=["same", "valid"].index(padding),
        strideH=stride[0],
        strideW=stride[1],
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
        fusedActivationFunction=ACTIVATIONS[activation],
        quantizedBiasType=TYPES["INT32"] if scheme_name == "int16_bias32" else TYPES["FLOAT32"],
    )
    version = max(VERSIONS[scheme_name], 6 if groups > 1 else 1)
    return single_op(
        "CONV_2D", scheme_name, parts, operands, [output(rng, scheme, x, w, depth)], options, version, scheme.tolerance
    )


def cases():
    for name in VERSIONS:
        for shape, kernel, filters in SHAPES:
            for stride, dilation in STEPS:
                for padding in ("same", "valid"):
                    if padding == "valid" and any((k - 1) * d >= n for k, d, n in zip(kernel, dilation, shape[1:3])):
                        continue
                    # The dear combinations are left to the two main types.
                    if name not in ("float32", "int8") and (stride, dilation) not in STEPS[:2] + STEPS[4:5]:
                        continue
                    yield conv(name, shape, kernel, filters, stride, dilation, padding)
        for activation in ("relu", "relu6", "relu_n1_to_1"):
            for shape, kernel, filters in (SHAPES[1], SHAPES[4]):
                yield conv(name, shape, kernel, filters, activation=activation)
                yield conv(name, shape, kernel, filters, (2, 2), padding="valid", activation=activation)
        for groups, channels, filters in ((2, 4, 6), (3, 9, 3), (4, 32, 16), (5, 5, 10)):
            for kernel in ((1, 1), (3, 3)):
                yield conv(name, (2, 6, 5, channels), kernel, filters, groups=groups)
        if name in ("int8", "uint8", "int8_per_tensor"):
            for shape, kernel, filters in SHAPES[1:5]:
                yield conv(name, shape, kernel, filters, extreme=True)
        # Wide enough for every blocking of a vectorized product, and for its tails.
        for channels, filters in ((64, 48), (65, 17), (31, 100), (128, 16)):
            yield conv(name, (1, 7, 7, channels), (1, 1), filters, label="wide")
            yield conv(name, (1, 5, 5, channels), (3, 3), filters, padding="valid", label="wide")
