"""TensorFlow operators one by one, saved as SavedModels: converted, run by LiteRT, against TensorFlow."""
import os
import pathlib
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np  # noqa: E402
import pytest  # noqa: E402

import tensorflow as tf  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import support  # noqa: E402

FEWBITS = os.environ.get("FEWBITS", "fewbits")
RNG = np.random.default_rng(0)
SHAPE = (1, 4, 5, 6)


def weights(*shape):
    return tf.constant(RNG.standard_normal(shape).astype(np.float32))


TENSOR, FILTER, BACK = weights(6, 3, 4), weights(3, 3, 6, 2), weights(3, 3, 2, 6)
ROWS = [[0, 1], [0, 2]]
OPEN = {  # with an open batch
    "if_taken": lambda x: tf.cond(tf.reduce_sum(x) > -1e9, lambda: x * 2, lambda: x - 1),
    "if_not_taken": lambda x: tf.cond(tf.reduce_sum(x) < -1e9, lambda: x * 2, lambda: x - 1),
    "while": lambda x: tf.while_loop(lambda i, a: i < 5, lambda i, a: (i + 1, a * 1.1 + tf.cast(i, tf.float32)), [0, x])[1],
    "einsum_dense": lambda x: tf.einsum("bchw,wnd->bchnd", x, TENSOR),
    "einsum_batch": lambda x: tf.einsum("bchw,bcvw->bchv", x, x + 1),
    "einsum_reduce": lambda x: tf.einsum("bchw->bwc", x),
    "einsum_ellipsis": lambda x: tf.einsum("...hw,...vw->...hv", x, x),
    "div_no_nan": lambda x: tf.math.divide_no_nan(x, tf.nn.relu(x)),
    "where": lambda x: tf.where(x > 0, x, -x),
    "top_k": lambda x: tf.math.top_k(x, 3)[0],
    "top_k_indices": lambda x: tf.math.top_k(x, 3)[1],
    "argmax": lambda x: tf.argmax(x, 1),
    "slice_shrinks": lambda x: x[:, 1:, ::2, -1],
    "slice_new_axis": lambda x: x[:, tf.newaxis, 1:3, ..., ::-1],
    "slice_ellipsis": lambda x: x[..., 0],
    "reverse": lambda x: tf.reverse(x, [1, 3]),
    "roll": lambda x: tf.roll(x, [1, -2], [2, 3]),
    "gather": lambda x: tf.gather(x, [2, 0], axis=2),
    "one_hot": lambda x: tf.one_hot(tf.cast(tf.abs(x) * 3, tf.int32), 5),
    "cumsum": lambda x: tf.cumsum(x, 2, exclusive=True, reverse=True),
    "softplus": lambda x: tf.nn.softplus(x),
    "selu": lambda x: tf.nn.selu(x),
    "erf": lambda x: tf.math.erf(x),
    "erfc": lambda x: tf.math.erfc(x),
    "gelu": lambda x: tf.nn.gelu(x),
    "gelu_tanh": lambda x: tf.nn.gelu(x, approximate=True),
    "lrn": lambda x: tf.nn.lrn(x),
    "log1p": lambda x: tf.math.log1p(tf.abs(x)),
    "expm1": lambda x: tf.math.expm1(x),
    "softsign": lambda x: tf.nn.softsign(x),
    "leaky_relu": lambda x: tf.nn.leaky_relu(x),
    "floormod": lambda x: tf.math.floormod(x, 0.7),
    "truncatemod": lambda x: tf.truncatemod(tf.cast(x * 10, tf.int32), 3),
    "pow": lambda x: tf.abs(x) ** 1.7,
    "l2_normalize": lambda x: tf.math.l2_normalize(x, -1),
    "conv_explicit": lambda x: tf.nn.conv2d(x, FILTER, 1, [[0, 0], [1, 2], [0, 1], [0, 0]]),
    "conv_dilated": lambda x: tf.nn.atrous_conv2d(x, FILTER, 2, "SAME"),
    "max_pool": lambda x: tf.nn.max_pool2d(x, 3, 2, "SAME"),
    "resize": lambda x: tf.image.resize(x, [9, 11]),
    "depth_to_space": lambda x: tf.nn.depth_to_space(tf.concat([x, x], -1), 2),
    "space_to_depth": lambda x: tf.nn.space_to_depth(x[:, :, :4], 2),
    "pad": lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 0], [0, 1]], constant_values=2.0),
    "mirror_pad": lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 0], [0, 1]], "REFLECT"),
    "unstack": lambda x: tf.stack(tf.unstack(x, axis=1)[::-1], 0),
    "split": lambda x: tf.concat(tf.split(x, [1, 2, 3], 3)[::-1], 3),
    "tile": lambda x: tf.tile(x, [1, 2, 1, 1]),
    "broadcast_to": lambda x: tf.broadcast_to(x[:, :1], tf.shape(x)),
    "reshape": lambda x: tf.reshape(x, [tf.shape(x)[0], -1]),
    "flatten": lambda x: tf.reshape(x, [-1]),
    "moments": lambda x: tf.nn.moments(x, [1, 2])[1],
    "std": lambda x: tf.math.reduce_std(x, 1),
    "prod": lambda x: tf.reduce_prod(x, 3),
    "any": lambda x: tf.reduce_any(x > 1, 2),
    "matmul": lambda x: tf.matmul(x, x, transpose_b=True),
    "range": lambda x: x + tf.cast(tf.range(6), tf.float32),
    "linspace": lambda x: x + tf.linspace(0.0, 1.0, 6),
    "clip": lambda x: tf.clip_by_value(x, -0.5, 0.5),
    "logsumexp": lambda x: tf.reduce_logsumexp(x, -1),
    "is_nan": lambda x: tf.math.is_nan(x),
    "ones_like": lambda x: x + tf.ones_like(x),
    "diag": lambda x: tf.linalg.diag(x),
}
FIXED = {  # with every size known
    "conv_transpose": lambda x: tf.nn.conv2d_transpose(x, BACK, [1, 8, 10, 2], 2, "SAME"),
    "gather_nd": lambda x: tf.gather_nd(x, ROWS),
    "scatter_update": lambda x: tf.tensor_scatter_nd_update(x, ROWS, tf.ones((2, 5, 6))),
    "scatter_add": lambda x: tf.tensor_scatter_nd_add(x, ROWS, tf.ones((2, 5, 6))),
    "segment_sum": lambda x: tf.math.segment_sum(x[0], [0, 0, 1, 1]),
}


@pytest.mark.parametrize("name", [*OPEN, *FIXED])
def test_operator_equals_tensorflow(tmp_path, name):
    module = tf.Module()
    shape = (None, *SHAPE[1:]) if name in OPEN else SHAPE
    function = tf.autograph.experimental.do_not_convert({**OPEN, **FIXED}[name])
    module.f = tf.function(function, input_signature=[tf.TensorSpec(shape, tf.float32, name="x")])
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=module.f)
    result = subprocess.run([FEWBITS, "convert", tmp_path / "model", "-o", tmp_path / "model.tflite"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    x = RNG.standard_normal(SHAPE).astype(np.float32)
    want = np.asarray(module.f(tf.constant(x)))
    (got,) = support.litert_outputs(tmp_path / "model.tflite", {"x": x}).values()
    assert got.shape == want.shape and got.dtype == want.dtype
    if want.dtype == np.float32:
        assert np.abs(got - want).max() <= 1e-5 * max(float(want.max() - want.min()), 1.0)
    else:
        assert np.array_equal(got, want)


def converted(tmp_path, function, shape):
    module = tf.Module()
    module.f = tf.function(tf.autograph.experimental.do_not_convert(function), input_signature=[tf.TensorSpec(shape, tf.float32, name="x")])
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=module.f)
    result = subprocess.run([FEWBITS, "convert", tmp_path / "model", "-o", tmp_path / "model.tflite"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return module.f


@pytest.mark.parametrize("data_format, shape", [("NCHW", (2, 3, 4, 5)), ("NCDHW", (2, 3, 2, 4, 5)), ("NDHWC", (2, 2, 4, 5, 3))])
def test_batch_norms_of_every_layout(tmp_path, data_format, shape):
    """TensorFlow has no kernel for the first two on a CPU: by the formula."""
    scale, offset, mean = (RNG.uniform(0.5, 1.5, 3).astype(np.float32) for _ in range(3))
    variance = RNG.uniform(0.5, 1.5, 3).astype(np.float32)
    converted(tmp_path, lambda x: tf.raw_ops.FusedBatchNormV3(x=x, scale=scale, offset=offset, mean=mean, variance=variance, epsilon=0.01,
                                                              data_format=data_format, is_training=False).y, shape)
    x = RNG.standard_normal(shape).astype(np.float32)
    across = [1] * len(shape)
    across[1 if data_format.startswith("NC") else -1] = 3
    over = lambda v: v.astype(np.float64).reshape(across)  # noqa: E731
    want = (x - over(mean)) / np.sqrt(over(variance) + 0.01) * over(scale) + over(offset)
    (got,) = support.litert_outputs(tmp_path / "model.tflite", {"x": x}).values()
    assert support.distance(got, want) <= 1e-5


@pytest.mark.parametrize("condition", [tf.float32, tf.int32, tf.int64, tf.bool])
@pytest.mark.parametrize("taken", [True, False])
def test_conditions_that_are_numbers(tmp_path, condition, taken):
    """If takes any number as its condition: zero is false."""
    shape = [2, 3]
    branches = [tf.function(branch, input_signature=[tf.TensorSpec(shape, tf.float32)]).get_concrete_function()
                for branch in (lambda x: x * 2, lambda x: x - 1)]

    def function(x):
        largest = tf.reduce_max(x)
        number = tf.cast(largest > 100 if not taken else largest < 100, tf.float32) * 0.5
        cond = number if condition == tf.float32 else tf.cast(number * 4, condition)
        return tf.raw_ops.StatelessIf(cond=cond, input=[x], Tout=[tf.float32], then_branch=branches[0], else_branch=branches[1],
                                      output_shapes=[shape])[0]

    made = converted(tmp_path, function, shape)
    x = RNG.standard_normal(shape).astype(np.float32)
    (got,) = support.litert_outputs(tmp_path / "model.tflite", {"x": x}).values()
    assert np.array_equal(got, np.asarray(made(tf.constant(x))))
    assert np.array_equal(got, x * 2 if taken else x - 1)
