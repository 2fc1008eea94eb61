"""Recurrent layers as Keras 2 saves them (PyPI's tf-keras), whose SavedModels hold functions for cuDNN beside the loops, and its .h5
files: the loops equal Keras 2, and so do the sequence operators in a first run.

    FEWBITS=build/release/fewbits python -m pytest tests/savedmodel/test_keras2.py      with a Python that has TensorFlow and LiteRT
"""

import os
import pathlib
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np  # noqa: E402
import pytest  # noqa: E402
from ai_edge_litert.interpreter import Interpreter  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
from packages import fetch  # noqa: E402

sys.path.append(str(fetch("tf-keras==2.21.0", ["tf_keras/"])))
import tf_keras as keras  # noqa: E402

FEWBITS = os.environ.get("FEWBITS", "fewbits")
TOLERANCE = 1e-5  # of the output's range
SHAPE = (2, 7, 5)
L = keras.layers
LSTM, RNN = "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"


def noisy(layer, *arguments, **named):
    return layer(*arguments, bias_initializer=keras.initializers.RandomNormal(seed=3), **named)


# The layers, and the sequence operator that each becomes where they are asked for.
LAYERS = {
    "lstm": (lambda x: noisy(L.LSTM, 6, return_sequences=True)(x), LSTM),
    "lstm_last": (lambda x: noisy(L.LSTM, 6)(x), LSTM),
    "lstm_relu": (lambda x: L.LSTM(6, activation="relu")(x), LSTM),  # cuDNN has no such
    "lstm_states": (lambda x: L.LSTM(6, return_state=True)(x)[1:], None),
    "lstm_unrolled": (lambda x: L.LSTM(6, unroll=True)(x), None),
    "lstm_masked": (lambda x: L.LSTM(6)(L.Masking()(x)), None),
    "lstm_both_ways": (lambda x: L.Bidirectional(noisy(L.LSTM, 6, return_sequences=True))(x), LSTM),
    "cells": (lambda x: L.RNN([L.LSTMCell(4), L.LSTMCell(3)], return_sequences=True)(x), None),
    "gru": (lambda x: noisy(L.GRU, 6, return_sequences=True)(x), None),
    "gru_reset_before": (lambda x: L.GRU(6, reset_after=False)(x), None),
    "gru_backwards": (lambda x: L.GRU(5, go_backwards=True, return_sequences=True)(x), None),
    "rnn": (lambda x: noisy(L.SimpleRNN, 6)(x), RNN),
    "each_step": (lambda x: L.TimeDistributed(L.Dense(3))(L.LSTM(6, return_sequences=True)(x)), LSTM),
}


@pytest.fixture(scope="module", params=LAYERS)
def saved(request, tmp_path_factory):
    """(folder with model/ and model.h5, input, outputs, sequence operator)."""
    folder = tmp_path_factory.mktemp(request.param)
    build, operator = LAYERS[request.param]
    keras.utils.set_random_seed(5)
    entry = keras.Input(SHAPE[1:], name="x")
    model = keras.Model(entry, build(entry))
    model.save(folder / "model", save_format="tf")
    model.save(folder / "model.h5")
    x = np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32)
    outputs = model(x)
    return folder, x, [np.asarray(y) for y in (outputs if isinstance(outputs, (list, tuple)) else [outputs])], operator


@pytest.mark.parametrize("fused", [False, True], ids=["loops", "operators"])
@pytest.mark.parametrize("kind", ["model", "model.h5"])
def test_recurrent_layer(saved, kind, fused, tmp_path):
    folder, x, wanted, operator = saved
    target = tmp_path / "model.tflite"
    flags = ["--shape", "x=" + ",".join(map(str, SHAPE)), *(["--fuse-recurrent"] if fused else [])]
    done = subprocess.run([FEWBITS, "convert", folder / kind, "-o", target, *flags], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    interpreter = Interpreter(str(target))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    got = [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
    assert len(got) == len(wanted)
    for y in wanted:  # SavedModels order outputs by their names
        nearest = min(np.abs(a - y).max() for a in got if a.shape == y.shape)
        assert nearest <= TOLERANCE * np.ptp(y)
    kinds = {op["op_name"] for op in interpreter._get_ops_details()}
    assert (operator in kinds) == (fused and operator is not None)
