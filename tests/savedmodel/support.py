"""TensorFlow's answer for a SavedModel, and LiteRT's for a .tflite."""

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def tensorflow_outputs(path, batch=1, signature="serving_default", feeds=None):
    """(inputs by key, outputs by key), of seeded noise unless given. Through the graph: TensorFlow's object loader fails on optimizer
    slots."""
    import tensorflow as tf

    v1 = tf.compat.v1
    rng = np.random.default_rng(0)
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        definition = v1.saved_model.loader.load(session, ["serve"], str(path)).signature_def[signature]
        given, feeds = feeds, {}
        for key, info in definition.inputs.items():
            if given is not None:
                feeds[key] = given[key]
                continue
            shape = [batch if dim.size < 0 else dim.size for dim in info.tensor_shape.dim]
            dtype = tf.as_dtype(info.dtype).as_numpy_dtype
            values = rng.integers(0, 100, shape) if np.issubdtype(dtype, np.integer) else rng.standard_normal(shape)
            feeds[key] = values.astype(dtype)
        outputs = session.run({key: info.name for key, info in definition.outputs.items()},
                              {definition.inputs[key].name: value for key, value in feeds.items()})
    return feeds, outputs


def nudged(feeds):
    """The same with every real number one unit in its last place lower, and higher."""
    for towards in (-np.inf, np.inf):
        yield {key: np.nextafter(x, x.dtype.type(towards)) if x.dtype.kind == "f" else x for key, x in feeds.items()}


def litert_outputs(path, feeds):
    """Outputs by their signature names; feeds by key, or a list in order."""
    interpreter = Interpreter(str(path))
    (signature,) = interpreter.get_signature_list().items()
    runner = interpreter.get_signature_runner(signature[0])
    if not isinstance(feeds, dict):
        feeds = dict(zip(signature[1]["inputs"], feeds))
    return runner(**feeds)


def operators(path):
    interpreter = Interpreter(str(path))
    return [op["op_name"] for op in interpreter._get_ops_details() if op["op_name"] != "DELEGATE"]


def distance(got, wanted):
    """The largest difference as a part of the range of what is wanted."""
    assert got.shape == wanted.shape
    return float(np.abs(got.astype(np.float64) - wanted).max()) / max(float(wanted.max() - wanted.min()), 1e-30)


def decibels(got, wanted):
    """How far the signal is above the error."""
    wanted = wanted.astype(np.float64)
    return float(10 * np.log10((wanted**2).sum() / max(((got.astype(np.float64) - wanted) ** 2).sum(), 1e-30)))
