"""Loop and Scan, written out and as WHILE, Fourier transforms and losses: against ONNX Runtime."""

import pathlib
import sys

import numpy as np
import pytest
from onnx import TensorProto, helper

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import support  # noqa: E402
from test_graphs import check, refused, save  # noqa: E402

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
RNG = np.random.default_rng(13)


def array(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def info(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


# ---- Loop ----


def growing_body(condition="stays"):
    """sum = sum + x * turn; gathers sum - bias. The condition stays, or asks whether the first number is below a limit."""
    nodes = [helper.make_node("Cast", ["turn"], ["t"], to=FLOAT), helper.make_node("Mul", ["x", "t"], ["step"]),
             helper.make_node("Add", ["sum_in", "step"], ["sum_out"]), helper.make_node("Sub", ["sum_out", "bias"], ["row"])]
    if condition == "stays":
        nodes.append(helper.make_node("Identity", ["go_in"], ["go_out"]))
    elif condition == "turn":
        nodes += [helper.make_node("Less", ["turn", "three"], ["go_out"])]
    else:
        nodes += [helper.make_node("ReduceMax", ["sum_out"], ["largest"], keepdims=0),
                  helper.make_node("Less", ["largest", "ten"], ["go_out"])]
    return helper.make_graph(nodes, "body", [info("turn", INT64, []), info("go_in", BOOL, []), info("sum_in", FLOAT, [2, 3])],
                             [info("go_out", BOOL, []), info("sum_out", FLOAT, [2, 3]), info("row", FLOAT, [2, 3])])


def loop(tmp_path, condition, limit_known, gathers=True):
    outputs = ["sum", "rows"] if gathers else ["sum", ""]
    body = growing_body(condition)
    if not gathers:
        del body.output[2]
        outputs.pop()
    inputs = [("x", FLOAT, [2, 3])] + ([] if limit_known else [("limit", INT64, [])])
    constants = {"start": np.zeros((2, 3), np.float32), "bias": np.float32([1, 2, 3]), "three": np.int64(3), "ten": np.float32(10),
                 "go": np.bool_(True), **({"limit": np.int64(6)} if limit_known else {})}
    return save(tmp_path / "model.onnx", [helper.make_node("Loop", ["limit", "go", "start"], outputs, body=body)], inputs,
                [(name, FLOAT, None) for name in outputs], constants)


@pytest.mark.parametrize("gathers", [True, False])
@pytest.mark.parametrize("limit_known", [True, False])
@pytest.mark.parametrize("condition", ["stays", "turn", "value"])
def test_loops(tmp_path, condition, limit_known, gathers):
    source = loop(tmp_path, condition, limit_known, gathers)
    x = np.abs(array(2, 3)) + 0.5
    runs = [{"x": x}] if limit_known else [{"x": x, "limit": np.array(n)} for n in (6, 1, 4)]
    target = check(tmp_path, source, *runs)
    written_out = limit_known and condition != "value"
    assert ("WHILE" in support.operators(target)) != written_out


def test_a_loop_in_a_loop(tmp_path):
    inner = helper.make_graph(
        [helper.make_node("Add", ["a", "x"], ["a_out"]), helper.make_node("Identity", ["c"], ["c_out"])], "inner",
        [info("i", INT64, []), info("c", BOOL, []), info("a", FLOAT, [3])], [info("c_out", BOOL, []), info("a_out", FLOAT, [3])])
    outer = helper.make_graph(
        [helper.make_node("Loop", ["n", "d", "s"], ["s_mid"], body=inner), helper.make_node("Mul", ["s_mid", "half"], ["s_out"]),
         helper.make_node("Identity", ["d"], ["d_out"])], "outer",
        [info("j", INT64, []), info("d", BOOL, []), info("s", FLOAT, [3])], [info("d_out", BOOL, []), info("s_out", FLOAT, [3])])
    source = save(tmp_path / "model.onnx", [helper.make_node("Loop", ["n", "go", "zero"], ["y"], body=outer)],
                  [("x", FLOAT, [3]), ("n", INT64, [])], [("y", FLOAT, None)],
                  {"go": np.bool_(True), "zero": np.zeros(3, np.float32), "half": np.float32(0.5)})
    check(tmp_path, source, {"x": array(3), "n": np.array(3)}, {"x": array(3), "n": np.array(0)})


def test_a_variable_that_grows_is_refused(tmp_path):
    body = helper.make_graph(
        [helper.make_node("Concat", ["s", "x"], ["s_out"], axis=0), helper.make_node("Identity", ["c"], ["c_out"])], "body",
        [info("i", INT64, []), info("c", BOOL, []), info("s", FLOAT, None)], [info("c_out", BOOL, []), info("s_out", FLOAT, None)])
    source = save(tmp_path / "model.onnx", [helper.make_node("Loop", ["n", "go", "x"], ["y"], body=body, name="the_node")],
                  [("x", FLOAT, [3]), ("n", INT64, [])], [("y", FLOAT, None)], {"go": np.bool_(True)})
    refused(source, "the_node", tmp_path)


# ---- Scan ----


def scan(tmp_path, shape, **attributes):
    """h = h * decay + a - b; gathers h."""
    body = helper.make_graph(
        [helper.make_node("Mul", ["h", "decay"], ["kept"]), helper.make_node("Sub", ["a", "b"], ["new"]),
         helper.make_node("Add", ["kept", "new"], ["h_out"]), helper.make_node("Identity", ["h_out"], ["row"])], "body",
        [info("h", FLOAT, [4]), info("a", FLOAT, [4]), info("b", FLOAT, [4])], [info("h_out", FLOAT, [4]), info("row", FLOAT, [4])])
    node = helper.make_node("Scan", ["start", "a_all", "b_all"], ["last", "rows"], body=body, num_scan_inputs=2, **attributes)
    return save(tmp_path / "model.onnx", [node], [("a_all", FLOAT, shape), ("b_all", FLOAT, shape)],
                [("last", FLOAT, None), ("rows", FLOAT, None)], {"start": np.ones(4, np.float32), "decay": np.float32([0.5, 1, 0, -1])})


@pytest.mark.parametrize("steps", [5, "steps"])
@pytest.mark.parametrize("attributes", [
    {}, {"scan_input_directions": [1, 0]}, {"scan_output_directions": [1]}, {"scan_output_axes": [1]},
    {"scan_input_axes": [1, 1], "scan_output_axes": [-1], "scan_input_directions": [1, 1], "scan_output_directions": [1]}])
def test_scans(tmp_path, steps, attributes):
    across = "scan_input_axes" in attributes
    source = scan(tmp_path, [4, steps] if across else [steps, 4], **attributes)
    size = lambda n: (4, n) if across else (n, 4)  # noqa: E731
    runs = [{"a_all": array(*size(n)), "b_all": array(*size(n))} for n in ([5] if steps == 5 else [5, 2])]
    target = check(tmp_path, source, *runs)
    assert ("WHILE" in support.operators(target)) == (steps == "steps")


# ---- Fourier transforms ----


@pytest.mark.parametrize("shape, axis, length, attributes", [
    ((2, 10, 1), 1, None, {}), ((2, 10, 2), 1, None, {}), ((2, 10, 1), 1, None, {"onesided": 1}), ((2, 10, 2), 1, None, {"inverse": 1}),
    ((2, 10, 1), 1, 7, {}), ((2, 10, 1), 1, 16, {"onesided": 1}), ((2, 6, 5, 2), 2, None, {}), ((2, 6, 5, 1), 1, None, {}),
    (("n", 8, 1), 1, None, {}), ((1, 512, 1), 1, None, {"onesided": 1})])
@pytest.mark.parametrize("opset", [17, 20])
def test_fourier_transforms(tmp_path, shape, axis, length, attributes, opset):
    inputs = ["x", "length" if length else ""] + (["axis"] if opset == 20 else [])
    attributes = dict(attributes, **({"axis": axis} if opset == 17 else {}))
    constants = {"axis": np.int64(axis), **({"length": np.int64(length)} if length else {})}
    node = helper.make_node("DFT", inputs, ["y"], **attributes)
    source = save(tmp_path / "model.onnx", [node], [("x", FLOAT, list(shape))], [("y", FLOAT, None)],
                  {name: value for name, value in constants.items() if name in inputs}, opset=opset)
    check(tmp_path, source, {"x": array(*(3 if size == "n" else size for size in shape))})


@pytest.mark.parametrize("window", [None, "constant", "computed"])
@pytest.mark.parametrize("onesided", [0, 1])
def test_short_time_transforms(tmp_path, window, onesided):
    inputs = ["x", "step", "window" if window else "", "" if window else "frame"]
    constants = {"step": np.int64(7), **({} if window else {"frame": np.int64(16)})}
    nodes = []
    if window == "computed":
        nodes, constants["size"] = [helper.make_node("HannWindow", ["size"], ["window"])], np.int64(16)
    if window == "constant":
        constants["window"] = np.hamming(16).astype(np.float32)
    nodes.append(helper.make_node("STFT", inputs, ["y"], onesided=onesided))
    source = save(tmp_path / "model.onnx", nodes, [("x", FLOAT, ["n", 60, 1])], [("y", FLOAT, None)], constants)
    check(tmp_path, source, {"x": array(2, 60, 1)})


@pytest.mark.parametrize("periodic", [0, 1])
@pytest.mark.parametrize("op", ["HannWindow", "HammingWindow", "BlackmanWindow"])
def test_windows_of_open_length(tmp_path, op, periodic):
    source = save(tmp_path / "model.onnx", [helper.make_node(op, ["n"], ["y"], periodic=periodic)], [("n", INT64, [])],
                  [("y", FLOAT, None)])
    check(tmp_path, source, {"n": np.array(16)}, {"n": np.array(5)})


# ---- volumes ----


@pytest.mark.parametrize("attributes", [
    {}, {"strides": [2, 1, 2]}, {"strides": [2, 2, 2], "pads": [1, 0, 1, 0, 1, 1]}, {"strides": [3, 2, 2], "output_padding": [2, 1, 0]},
    {"strides": [2, 2, 2], "auto_pad": "SAME_UPPER"}, {"strides": [2, 2, 2], "output_shape": [8, 9, 10]}])
@pytest.mark.parametrize("bias", [False, True])
def test_transposed_convolutions_of_volumes(tmp_path, attributes, bias):
    node = helper.make_node("ConvTranspose", ["x", "w", *(["b"] if bias else [])], ["y"], **attributes)
    source = save(tmp_path / "model.onnx", [node], [("x", FLOAT, [1, 3, 4, 5, 6])], [("y", FLOAT, None)],
                  {"w": array(3, 2, 2, 3, 3), **({"b": array(2)} if bias else {})})
    check(tmp_path, source, {"x": array(1, 3, 4, 5, 6)})
