"""Keras's recurrent layers from each format: the loops equal Keras in every run, the sequence operators in a first one.

    FEWBITS=build/release/fewbits python -m pytest tests/savedmodel      with a Python that has tensorflow, keras and LiteRT
"""
import os
import pathlib
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
from ai_edge_litert.interpreter import Interpreter  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import support  # noqa: E402

FEWBITS = os.environ.get("FEWBITS", "fewbits")
TOLERANCE = 1e-5  # of the output's range
L = keras.layers
NOISE = {"bias_initializer": "random_normal"}
LSTM, RNN, WHILE = "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN", "WHILE"
# The layers, and what they are where sequence operators are asked for.
LAYERS = {
    "lstm": (lambda x: L.LSTM(6, return_sequences=True, **NOISE)(x), [LSTM]),
    "lstm_last": (lambda x: L.LSTM(6, **NOISE)(x), [LSTM]),
    "lstm_relu": (lambda x: L.LSTM(6, activation="relu", return_sequences=True)(x), [LSTM]),
    "lstm_no_bias": (lambda x: L.LSTM(6, use_bias=False, return_sequences=True)(x), [LSTM]),
    "lstm_twice": (lambda x: L.LSTM(5)(L.LSTM(6, return_sequences=True)(x)), [LSTM, LSTM]),
    "lstm_both_ways": (lambda x: L.Bidirectional(L.LSTM(6, return_sequences=True, **NOISE))(x), [LSTM, LSTM]),
    "lstm_states": (lambda x: L.LSTM(6, return_state=True)(x)[1:], [WHILE]),
    "rnn": (lambda x: L.SimpleRNN(6, return_sequences=True, **NOISE)(x), [RNN]),
    "rnn_last_relu": (lambda x: L.SimpleRNN(6, activation="relu", **NOISE)(x), [RNN]),
    "gru": (lambda x: L.GRU(6, return_sequences=True, **NOISE)(x), [WHILE]),
}
SHAPE = (2, 7, 5)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recurrent")
    made = {}
    x = np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32)
    for name, (build, _) in LAYERS.items():
        keras.utils.set_random_seed(5)
        entry = keras.Input(SHAPE[1:], name="x")
        model = keras.Model(entry, build(entry))
        model.export(str(folder / f"{name}_saved_model"), verbose=False)
        model.save(folder / f"{name}.keras")
        model.save(folder / f"{name}.h5")
        outputs = model(x)
        made[name] = [np.asarray(y) for y in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]
    return folder, x, made


def converted(models, name, kind, target, *flags):
    source = models[0] / f"{name}{kind}"
    shape = "x=" + ",".join(map(str, SHAPE))
    done = subprocess.run([FEWBITS, "convert", source, "-o", target, "--shape", shape, *flags], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(interpreter, x):
    """How far the run's outputs are from what is wanted, in the model's order of outputs."""
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def furthest(got, wanted):
    return max(support.distance(g, w) for g, w in zip(got, wanted, strict=True))


KINDS = ["_saved_model", ".keras", ".h5"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LAYERS)
def test_every_run_equals_keras(models, tmp_path, name, kind):
    target = tmp_path / "model.tflite"
    converted(models, name, kind, target)
    interpreter = Interpreter(str(target))
    interpreter.allocate_tensors()
    for _ in range(3):
        assert furthest(run(interpreter, models[1]), models[2][name]) <= TOLERANCE


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LAYERS)
def test_sequence_operators_where_they_are_asked_for(models, tmp_path, name, kind):
    target = tmp_path / "model.tflite"
    said = converted(models, name, kind, target, "--fuse-recurrent")
    expected = LAYERS[name][1]
    assert [op for op in support.operators(target) if op in (LSTM, RNN, WHILE)] == expected
    interpreter = Interpreter(str(target))
    interpreter.allocate_tensors()
    assert furthest(run(interpreter, models[1]), models[2][name]) <= TOLERANCE
    second = furthest(run(interpreter, models[1]), models[2][name])
    if expected == [WHILE]:
        assert second <= TOLERANCE
        assert "loop stays" in said
        return
    assert second > 1e-3  # the state is the last run's: what the option's help and warning say
    assert "reset_all_variables" in said
    interpreter.reset_all_variables()
    assert furthest(run(interpreter, models[1]), models[2][name]) <= TOLERANCE


@pytest.mark.parametrize("mode", ["weights", "int8"])
def test_sequence_operators_are_quantized(models, tmp_path, mode):
    np.save(tmp_path / "0.npy", models[1][None])  # one sample, its batch included
    target = tmp_path / "model.tflite"
    shape = "x=" + ",".join(map(str, SHAPE))
    done = subprocess.run([FEWBITS, "quantize", models[0] / "lstm.keras", "-o", target, "--mode", mode, "--shape", shape,
                           "--fuse-recurrent", *(["--calibrate", tmp_path / "0.npy"] if mode == "int8" else ["--min-elements", "1"])],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert LSTM in support.operators(target)
    interpreter = Interpreter(str(target))
    interpreter.allocate_tensors()
    (got,) = run(interpreter, models[1])
    assert support.decibels(got, models[2]["lstm"][0]) >= 20
