"""LSTM, GRU and RNN nodes: written out, as loops, and as TFLite's sequence operators, which keep their state, against ONNX Runtime."""

import pathlib
import sys

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from onnx import TensorProto, helper

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import support  # noqa: E402
from test_graphs import save  # noqa: E402

FLOAT, INT32 = TensorProto.FLOAT, TensorProto.INT32
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
SIZE, HIDDEN, LENGTHS = 5, 6, "lengths"
FUSED = {"LSTM": "UNIDIRECTIONAL_SEQUENCE_LSTM", "RNN": "UNIDIRECTIONAL_SEQUENCE_RNN"}


def network(path, op, shape, outputs=("y", "h"), lengths=False, directions=1, **attributes):
    rng = np.random.default_rng(3)
    rows = GATES[op] * HIDDEN
    weights = {"w": (directions, rows, SIZE), "r": (directions, rows, HIDDEN), "b": (directions, 2 * rows)}
    constants = {name: rng.uniform(-0.6, 0.6, size).astype(np.float32) for name, size in weights.items()}
    inputs = [("x", FLOAT, [*shape, SIZE])] + ([(LENGTHS, INT32, [shape[1]])] if lengths else [])
    node = helper.make_node(op, ["x", "w", "r", "b", *([LENGTHS] if lengths else [])], list(outputs), hidden_size=HIDDEN, **attributes)
    return save(path / "model.onnx", [node], inputs, [(name, FLOAT, None) for name in outputs if name], constants)


def sequence(steps, batch, seed=0):
    return np.random.default_rng(seed).standard_normal((steps, batch, SIZE)).astype(np.float32)


def run(interpreter, feeds):
    details = {detail["name"]: detail for detail in interpreter.get_input_details()}
    for name, value in feeds.items():
        if tuple(details[name]["shape"]) != value.shape:
            interpreter.resize_tensor_input(details[name]["index"], value.shape)
    interpreter.allocate_tensors()
    for name, value in feeds.items():
        interpreter.set_tensor(details[name]["index"], value)
    interpreter.invoke()
    return {detail["name"]: interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()}


def furthest(got, wanted):
    return max(support.distance(got[name], wanted[name]) for name in wanted)


DIRECTIONS = [("forward", 1), ("reverse", 1), ("bidirectional", 2)]


@pytest.mark.parametrize("direction, directions", DIRECTIONS)
@pytest.mark.parametrize("op", GATES)
def test_open_sizes_are_a_loop(tmp_path, op, direction, directions):
    source = network(tmp_path, op, ("steps", "batch"), directions=directions, direction=direction)
    target = support.convert(source, tmp_path / "model.tflite")
    assert support.operators(target).count("WHILE") == directions
    interpreter = Interpreter(str(target))
    for steps, batch in ((7, 2), (7, 2), (3, 1)):
        feeds = {"x": sequence(steps, batch, steps)}
        assert furthest(run(interpreter, feeds), support.onnxruntime_outputs(source, feeds)) <= support.TOLERANCE


@pytest.mark.parametrize("direction, directions", DIRECTIONS)
@pytest.mark.parametrize("op", GATES)
def test_sequences_of_different_lengths(tmp_path, op, direction, directions):
    source = network(tmp_path, op, (6, 3), lengths=True, directions=directions, direction=direction)
    interpreter = Interpreter(str(support.convert(source, tmp_path / "model.tflite")))
    for lengths in ([6, 2, 4], [1, 6, 6]):
        feeds = {"x": sequence(6, 3), LENGTHS: np.int32(lengths)}
        assert furthest(run(interpreter, feeds), support.onnxruntime_outputs(source, feeds)) <= support.TOLERANCE


@pytest.mark.parametrize("op", GATES)
def test_a_known_number_of_steps_is_written_out_and_begins_at_zero(tmp_path, op):
    source = network(tmp_path, op, (4, 2))
    target = support.convert(source, tmp_path / "model.tflite")
    assert not {"WHILE", *FUSED.values()} & set(support.operators(target))
    interpreter, feeds = Interpreter(str(target)), {"x": sequence(4, 2)}
    wanted = support.onnxruntime_outputs(source, feeds)
    for _ in range(2):
        assert furthest(run(interpreter, feeds), wanted) <= support.TOLERANCE


@pytest.mark.parametrize("outputs", [("y", "h"), ("y",), ("", "h")])
@pytest.mark.parametrize("direction, directions", DIRECTIONS)
@pytest.mark.parametrize("op", FUSED)
def test_sequence_operators_where_they_are_asked_for(tmp_path, op, direction, directions, outputs):
    source = network(tmp_path, op, (4, 2), outputs, directions=directions, direction=direction)
    target = support.convert(source, tmp_path / "model.tflite", "--fuse-recurrent")
    assert support.operators(target).count(FUSED[op]) == directions
    interpreter, feeds = Interpreter(str(target)), {"x": sequence(4, 2)}
    wanted = support.onnxruntime_outputs(source, feeds)
    assert furthest(run(interpreter, feeds), wanted) <= support.TOLERANCE
    # They go on where the last run ended, unless they are told otherwise: why nobody gets them unasked.
    details = interpreter.get_input_details()[0]["index"]
    interpreter.set_tensor(details, feeds["x"])
    interpreter.invoke()
    second = {detail["name"]: interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()}
    assert furthest(second, wanted) > 1e-3
    interpreter.reset_all_variables()
    interpreter.set_tensor(details, feeds["x"])
    interpreter.invoke()
    third = {detail["name"]: interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()}
    assert furthest(third, wanted) <= support.TOLERANCE


@pytest.mark.parametrize("op, outputs, arguments", [
    ("GRU", ("y", "h"), {}),
    ("LSTM", ("y", "h", "c"), {}),  # the cell state is not among the operator's results
    ("LSTM", ("y",), {"activations": ["HardSigmoid", "Tanh", "Tanh"]}),
    ("LSTM", ("y",), {"activations": ["Sigmoid", "Tanh", "Relu"]}),
    ("LSTM", ("y",), {"clip": 0.5}),
    ("RNN", ("y",), {"activations": ["Elu"]}),
])
def test_what_sequence_operators_cannot_say_stays_a_loop(tmp_path, op, outputs, arguments):
    source = network(tmp_path, op, (4, 2), outputs, **arguments)
    target = support.convert(source, tmp_path / "model.tflite", "--fuse-recurrent")
    assert "WHILE" in support.operators(target)
    interpreter, feeds = Interpreter(str(target)), {"x": sequence(4, 2)}
    wanted = support.onnxruntime_outputs(source, feeds)
    for _ in range(2):
        assert furthest(run(interpreter, feeds), wanted) <= support.TOLERANCE
