"""TRANSPOSE_CONV with and without bias, constant and live output shapes; CONV_3D and CONV_3D_TRANSPOSE."""

import numpy as np

from builder import T, const, opt, value
from case import rng_for, single_op
from products import SCHEMES, activation_input, bias, output, weight
from values import ACTIVATIONS, floats

VERSIONS = {
    "float32": 1,
    "uint8": 1,
    "int8": 2,
    "int8_per_tensor": 2,
    "int16": 2,
    "int16_bias32": 5,
    "hybrid": 1,
    "int8_int4": 2,
}
# (batch, height, width, channels) of the input, kernel, filters
SHAPES = [
    ((1, 1, 1, 1), (1, 1), 1),
    ((1, 3, 4, 2), (3, 3), 3),
    ((2, 4, 3, 5), (2, 2), 4),
    ((1, 5, 5, 8), (4, 4), 7),
    ((1, 3, 3, 17), (3, 3), 16),
    ((1, 2, 7, 3), (1, 5), 2),
    ((1, 4, 4, 32), (3, 3), 33),
]


def output_size(size, kernel, stride, padding):
    return size * stride if padding == "same" else (size - 1) * stride + kernel


def transpose_conv(
    scheme_name,
    shape,
    kernel,
    filters,
    stride=(1, 1),
    padding="same",
    activation="none",
    with_bias=False,
    live=False,
    extreme=False,
):
    """One TRANSPOSE_CONV case."""
    scheme = SCHEMES[scheme_name]
    parts = (
        "x".join(map(str, shape)),
        f"k{kernel[0]}x{kernel[1]}x{filters}",
        f"s{stride[0]}x{stride[1]}",
        padding,
        activation,
        "bias" if with_bias else "",
        "live" if live else "",
        "zpend" if extreme else "",
    )
    rng = rng_for("transpose_conv", scheme_name, parts)
    sizes = [output_size(n, k, s, padding) for n, k, s in zip(shape[1:3], kernel, stride)]
    size = np.asarray([shape[0], *sizes, filters], np.int32)
    # On average each output gathers this many products.
    depth = max(1, kernel[0] * kernel[1] // (stride[0] * stride[1])) * shape[3]
    x = activation_input(rng, scheme, shape, extreme)
    w = weight(rng, scheme, (filters, *kernel, shape[3]), 0)
    operands = [value(size) if live else const(size), w, x]
    if with_bias:
        operands.append(bias(rng, scheme, x, w, filters, depth))
    options = opt(
        "TransposeConv",
        padding=["same", "valid"].index(padding),
        strideH=stride[0],
        strideW=stride[1],
        fusedActivationFunction=ACTIVATIONS[activation],
        quantizedBiasType=2 if scheme_name == "int16_bias32" else 0,
    )
    version = max(VERSIONS[scheme_name], 3 if with_bias else 1, 4 if activation != "none" else 1)
    return single_op(
        "TRANSPOSE_CONV",
        scheme_name,
        parts,
        operands,
        [output(rng, scheme, x, w, depth)],
        options,
        version,
        scheme.tolerance,
        dynamic=live,
    )


def transposed():
    for name in VERSIONS:
        for shape, kernel, filters in SHAPES:
            for stride in ((1, 1), (2, 2), (1, 2), (3, 3)):
                for padding in ("same", "valid"):
                    yield transpose_conv(name, shape, kernel, filters, stride, padding, with_bias=stride != (1, 2))
        for activation in ("relu", "relu6", "relu_n1_to_1"):
            yield transpose_conv(name, *SHAPES[1], (2, 2), activation=activation, with_bias=True)
        yield transpose_conv(name, *SHAPES[2], (2, 2), live=True)
        if name in ("int8", "uint8"):
            yield transpose_conv(name, *SHAPES[1], (2, 2), with_bias=True, extreme=True)


def conv_3d(op, shape, kernel, filters, stride, dilation, padding, activation="none", with_bias=True):
    """One case of a three-dimensional convolution (depth, height, width) or of its transpose."""
    parts = (
        "x".join(map(str, shape)),
        "k" + "x".join(map(str, kernel)),
        f"n{filters}",
        "s" + "x".join(map(str, stride)),
        "d" + "x".join(map(str, dilation)),
        padding,
        activation,
        "" if with_bias else "nobias",
    )
    rng = rng_for(op, parts)
    x = value(floats(rng, shape, 1.0))
    fields = dict(
        padding=["same", "valid"].index(padding),
        strideD=stride[0],
        strideH=stride[1],
        strideW=stride[2],
        dilationDFactor=dilation[0],
        dilationHFactor=dilation[1],
        dilationWFactor=dilation[2],
        fusedActivationFunction=ACTIVATIONS[activation],
    )
    tail = (shape[4], filters) if op == "CONV_3D" else (filters, shape[4])
    w = const(rng.normal(0, 0.3, (*kernel, *tail)).astype(np.float32))
    operands = [x, w]
    if op == "CONV_3D_TRANSPOSE":
        sizes = [
            output_size(n, (k - 1) * d + 1, s, padding) for n, k, s, d in zip(shape[1:4], kernel, stride, dilation)
        ]
        operands = [const(np.asarray([shape[0], *sizes, filters], np.int32)), w, x]
    if with_bias:
        operands.append(const(floats(rng, (filters,))))
    return single_op(op, "float32", parts, operands, [T("float32")], opt("Conv3D", **fields))


def cases():
    yield from transposed()
    for op in ("CONV_3D", "CONV_3D_TRANSPOSE"):
        for shape, kernel, filters in (
            ((1, 2, 3, 4, 2), (1, 1, 1), 3),
            ((1, 4, 5, 4, 3), (2, 3, 2), 4),
            ((2, 3, 4, 5, 2), (3, 3, 3), 5),
            ((1, 5, 5, 5, 9), (3, 3, 3), 8),
        ):
            for stride, dilation in (
                ((1, 1, 1), (1, 1, 1)),
                ((2, 2, 2), (1, 1, 1)),
                ((1, 2, 1), (1, 1, 1)),
                ((1, 1, 1), (1, 2, 2)),
            ):
                for padding in ("same", "valid"):
                    if padding == "valid" and any((k - 1) * d >= n for k, d, n in zip(kernel, dilation, shape[1:4])):
                        continue
                    yield conv_3d(op, shape, kernel, filters, stride, dilation, padding)
            yield conv_3d(op, shape, kernel, filters, (1, 1, 1), (1, 1, 1), "same", "relu", with_bias=False)
