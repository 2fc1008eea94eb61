"""DEPTHWISE_CONV_2D: multipliers 1 to 4, paddings, strides, dilations, fused activations."""

from builder import opt
from case import OTHER_ROUNDING, rng_for, single_op
from products import SCHEMES, activation_input, bias, output, weight
from values import ACTIVATIONS

VERSIONS = {
    "float32": 1,
    "uint8": 1,
    "int8": 3,
    "int8_per_tensor": 3,
    "int16": 5,
    "hybrid": 6,
    "int8_int4": 7,
    "hybrid_int4": 7,
}
# (batch, height, width, channels), (kernel height, width), multiplier
SHAPES = [
    ((1, 1, 1, 1), (1, 1), 1),
    ((1, 5, 7, 3), (3, 3), 1),
    ((2, 6, 5, 4), (3, 3), 2),
    ((1, 7, 7, 5), (3, 2), 3),
    ((1, 8, 8, 2), (5, 5), 4),
    ((1, 9, 11, 1), (3, 3), 8),
    ((1, 10, 9, 17), (3, 3), 1),
    ((1, 7, 8, 64), (3, 3), 1),
    ((1, 8, 7, 33), (5, 5), 1),
    ((3, 4, 5, 8), (1, 1), 1),
    ((1, 9, 9, 6), (7, 7), 1),
    ((1, 1, 13, 16), (1, 4), 1),
]
STEPS = [((1, 1), (1, 1)), ((2, 2), (1, 1)), ((1, 1), (2, 2)), ((3, 3), (1, 1)), ((1, 1), (1, 3))]


def depthwise(
    scheme_name,
    shape,
    kernel,
    multiplier,
    stride=(1, 1),
    dilation=(1, 1),
    padding="same",
    activation="none",
    with_bias=True,
    extreme=False,
):
    """One DEPTHWISE_CONV_2D case."""
    scheme = SCHEMES[scheme_name]
    parts = (
        "x".join(map(str, shape)),
        f"k{kernel[0]}x{kernel[1]}",
        f"m{multiplier}",
        f"s{stride[0]}x{stride[1]}",
        f"d{dilation[0]}x{dilation[1]}",
        padding,
        activation,
        "" if with_bias else "nobias",
        "zpend" if extreme else "",
    )
    rng = rng_for("depthwise", scheme_name, parts)
    depth, channels = kernel[0] * kernel[1], shape[3] * multiplier
    x = activation_input(rng, scheme, shape, extreme)
    w = weight(rng, scheme, (1, *kernel, channels), 3)
    operands = [x, w] + ([bias(rng, scheme, x, w, channels, depth)] if with_bias else [])
    options = opt(
        "DepthwiseConv2D",
        padding=["same", "valid"].index(padding),
        strideH=stride[0],
        strideW=stride[1],
        depthMultiplier=multiplier,
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
        fusedActivationFunction=ACTIVATIONS[activation],
    )
    version = max(VERSIONS[scheme_name], 2 if dilation != (1, 1) else 1)
    return single_op(
        "DEPTHWISE_CONV_2D",
        scheme_name,
        parts,
        operands,
        [output(rng, scheme, x, w, depth)],
        options,
        version,
        OTHER_ROUNDING if scheme_name == "int8_int4" else scheme.tolerance,
    )


def cases():
    for name in VERSIONS:
        for shape, kernel, multiplier in SHAPES:
            for stride, dilation in STEPS:
                for padding in ("same", "valid"):
                    if padding == "valid" and any((k - 1) * d >= n for k, d, n in zip(kernel, dilation, shape[1:3])):
                        continue
                    if name not in ("float32", "int8") and (stride, dilation) not in STEPS[:3]:
                        continue
                    if stride != (1, 1) and kernel == (1, 1):
                        continue
                    yield depthwise(name, shape, kernel, multiplier, stride, dilation, padding)
        for activation in ("relu", "relu6", "relu_n1_to_1"):
            yield depthwise(name, *SHAPES[6], activation=activation)
            yield depthwise(name, *SHAPES[2], (2, 2), padding="valid", activation=activation)
        for shape in (
            (SHAPES[1], SHAPES[3], SHAPES[7]) if name != "int8_int4" else ()
        ):  # LiteRT crashes without that bias
            yield depthwise(name, *shape, with_bias=False)
        if name in ("int8", "uint8", "int8_per_tensor"):
            for shape in SHAPES[1:8]:
                yield depthwise(name, *shape, extreme=True)
