"""Models that are quantized already keep their own integers: ONNX Runtime's QDQ and QOperator forms, Brevitas's and QONNX's nodes."""

import pathlib
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import support  # noqa: E402
from test_graphs import FLOAT, array, litert, refused, save  # noqa: E402

QONNX = "qonnx==1.0.0"
RNG = np.random.default_rng(11)


class Samples(CalibrationDataReader):
    def __init__(self, feeds):
        self.feeds = iter(feeds)

    def get_next(self):
        return next(self.feeds, None)


def network(path):
    """Convolutions with padding, stride and groups, a residual sum, pools, a concatenation and a product, channels-first."""
    constants = {"w0": array(8, 3, 3, 3) / 3, "b0": array(8), "w1": array(8, 1, 3, 3) / 2, "b1": array(8), "w2": array(8, 8, 1, 1) / 2,
                 "b2": array(8), "w3": array(16, 5) / 4, "b3": array(5)}
    nodes = [helper.make_node("Conv", ["x", "w0", "b0"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
             helper.make_node("Relu", ["a"], ["a1"]),
             helper.make_node("Conv", ["a1", "w1", "b1"], ["c"], group=8, pads=[1, 1, 1, 1]), helper.make_node("Clip", ["c", "zero", "six"], ["c1"]),
             helper.make_node("Conv", ["c1", "w2", "b2"], ["d"]), helper.make_node("Add", ["d", "a1"], ["e"]),
             helper.make_node("MaxPool", ["e"], ["f"], kernel_shape=[2, 2], strides=[2, 2]),
             helper.make_node("AveragePool", ["e"], ["g"], kernel_shape=[2, 2], strides=[2, 2]),
             helper.make_node("Concat", ["f", "g"], ["h"], axis=1), helper.make_node("GlobalAveragePool", ["h"], ["i"]),
             helper.make_node("Flatten", ["i"], ["j"]), helper.make_node("Gemm", ["j", "w3", "b3"], ["y"])]
    constants |= {"zero": np.float32(0), "six": np.float32(6)}
    return save(path, nodes, [("x", FLOAT, [1, 3, 16, 16])], [("y", FLOAT, [1, 5])], constants)


@pytest.fixture(scope="module")
def quantized(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quantized")
    source = network(folder / "float.onnx")

    def make(form, per_channel, activations):
        target = folder / f"{form.name}_{per_channel}_{activations.name}.onnx"
        if not target.exists():
            quantize_static(source, target, Samples([{"x": array(1, 3, 16, 16)} for _ in range(8)]), quant_format=form,
                            per_channel=per_channel, activation_type=activations, weight_type=QuantType.QInt8)
        return target

    return make


@pytest.mark.parametrize("activations", [QuantType.QInt8, QuantType.QUInt8], ids=lambda kind: kind.name)
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator], ids=lambda form: form.name)
def test_integers_are_those_of_the_model(quantized, tmp_path, form, per_channel, activations):
    source = quantized(form, per_channel, activations)
    target = support.convert(source, tmp_path / "model.tflite")
    # Everything between the borders computes with integers; what a concatenation joins under other parameters is quantized anew.
    names = support.operators(target)
    # QLinearAveragePool has a scale of its own for its means: TFLite's pool has not, and stays between the two in float.
    own = form is QuantFormat.QOperator
    assert names[0] == "QUANTIZE" and names.count("DEQUANTIZE") == 1 + own and names.count("QUANTIZE") <= 3 + own, names
    step = max(float(numpy_helper.to_array(c).max()) for c in onnx.load(source).graph.initializer if c.name.startswith("y_scale"))
    off = []
    for _ in range(20):
        feeds = {"x": array(1, 3, 16, 16)}
        wanted, got = support.onnxruntime_outputs(source, feeds)["y"], litert(target, feeds)["y"]
        off.append(np.round((got - wanted) / step))
    # Both round sums of products, pools and sums, not always to the same side.
    assert np.abs(off).max() <= 2 and np.mean(np.abs(off) > 1) <= 0.02 and np.mean(np.abs(off) > 0) <= 0.35


def quant(path, bits, signed, narrow, scale, zero=0.0, mode="ROUND", domain="onnx.brevitas", shape=(1, 4, 5, 5)):
    node = helper.make_node("Quant", ["x", "s", "z", "b"], ["y"], domain=domain, signed=signed, narrow=narrow, rounding_mode=mode)
    return save(path, [node], [("x", FLOAT, list(shape))], [("y", FLOAT, list(shape))],
                {"s": np.float32(scale), "z": np.float32(zero), "b": np.float32(bits)}, domains=[domain])


@pytest.mark.parametrize("bits, signed, narrow, zero, mode, domain", [
    (8, 1, 0, 0, "ROUND", "onnx.brevitas"), (8, 1, 1, 0, "ROUND", "onnx.brevitas"), (8, 0, 0, 0, "ROUND", "qonnx.custom_op.general"),
    (4, 0, 0, 0, "ROUND", "onnx.brevitas"), (4, 1, 1, 0, "ROUND", "onnx.brevitas"), (3, 1, 0, 1, "ROUND", "onnx.brevitas"),
    (8, 0, 1, 3, "ROUND", "onnx.brevitas"), (2, 1, 1, 0, "FLOOR", "onnx.brevitas"), (12, 1, 0, 0, "ROUND", "onnx.brevitas"),
    (8, 1, 0, 0, "CEIL", "qonnx.custom_op.general")])
def test_quant_nodes(tmp_path, bits, signed, narrow, zero, mode, domain):
    scale = 0.37
    source = quant(tmp_path / "model.onnx", bits, signed, narrow, scale, zero, mode, domain)
    x = 20 * array(1, 4, 5, 5)
    low, high = (-(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1 - narrow)
    rounded = {"ROUND": np.round, "FLOOR": np.floor, "CEIL": np.ceil}[mode](x / np.float32(scale) + zero)
    wanted = (np.clip(rounded, low, high) - zero) * np.float32(scale)
    got = litert(support.convert(source, tmp_path / "model.tflite"), {"x": x})["y"]
    assert np.abs(got - wanted).max() <= 1e-4


def test_quant_of_channels(tmp_path):
    scale = RNG.uniform(0.1, 1, (1, 4, 1, 1)).astype(np.float32)
    x = 5 * array(1, 4, 5, 5)
    got = litert(support.convert(quant(tmp_path / "model.onnx", 4, 1, 0, scale), tmp_path / "model.tflite"), {"x": x})["y"]
    assert np.abs(got - np.clip(np.round(x / scale), -8, 7) * scale).max() <= 1e-5


def test_bipolar_and_trunc(tmp_path):
    nodes = [helper.make_node("BipolarQuant", ["x", "s"], ["a"], domain="qonnx.custom_op.general"),
             helper.make_node("Trunc", ["x", "t", "z", "before", "after"], ["b"], domain="qonnx.custom_op.general", rounding_mode="FLOOR")]
    source = save(tmp_path / "model.onnx", nodes, [("x", FLOAT, [2, 30])], [("a", FLOAT, [2, 30]), ("b", FLOAT, [2, 30])],
                  {"s": np.float32(0.7), "t": np.float32(0.25), "z": np.float32(0), "before": np.float32(10), "after": np.float32(8)},
                  domains=["qonnx.custom_op.general"])
    x = 30 * array(2, 30)
    x[0, 0] = 0
    got = litert(support.convert(source, tmp_path / "model.tflite"), {"x": x})
    assert np.abs(got["a"] - np.where(x >= 0, 0.7, -0.7)).max() <= 1e-6
    assert np.abs(got["b"] - np.floor(np.round(x / 0.25) / 4) * 0.25).max() <= 1e-5


@pytest.mark.parametrize("scale, words", [(0.0, "scales above zero"), (-1.0, "scales above zero"), (float("nan"), "scales above zero")])
def test_scales_that_are_none(tmp_path, scale, words):
    refused(quant(tmp_path / "model.onnx", 8, 1, 0, scale), words, tmp_path)


@pytest.mark.parametrize("form, input_name", [("subpixel", "input"), ("nn_resize", "onnx::Relu_0")])
def test_brevitas_models(tmp_path, form, input_name):
    """Super resolution of 4 and 8 bits, trained so: as numpy computes it, and its middle with integers."""
    member = f"qonnx/data/onnx/bsd300x3-espcn/{form}/quant_model.onnx"
    source = support.packages.fetch(QONNX, [member]) / member
    target = support.convert(source, tmp_path / "model.tflite")
    model = onnx.load(source)
    constants = {c.name: numpy_helper.to_array(c) for c in model.graph.initializer}
    # The Quant nodes as plain operators, for ONNX Runtime.
    nodes = []
    for node in model.graph.node:
        if node.op_type != "Quant":
            nodes.append(node)
            continue
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        scale, zero, bits = (constants[name] for name in node.input[1:])
        assert zero == 0
        bits = int(bits)
        low, high = (-(2 ** (bits - 1)) + attributes["narrow"], 2 ** (bits - 1) - 1) if attributes["signed"] else (0, 2**bits - 1)
        out = node.output[0]
        constants |= {out + "_l": np.float32(low), out + "_h": np.float32(high)}
        nodes += [helper.make_node("Div", [node.input[0], node.input[1]], [out + "_d"]), helper.make_node("Round", [out + "_d"], [out + "_r"]),
                  helper.make_node("Clip", [out + "_r", out + "_l", out + "_h"], [out + "_c"]),
                  helper.make_node("Mul", [out + "_c", node.input[1]], [out])]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    del model.graph.initializer[:]
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    names = set(constants)
    inputs = [value for value in model.graph.input if value.name not in names]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    onnx.save(model, tmp_path / "plain.onnx")
    shape = [dim.dim_value for dim in inputs[0].type.tensor_type.shape.dim]
    x = RNG.uniform(0, 1, shape).astype(np.float32)
    (wanted,) = support.onnxruntime_outputs(tmp_path / "plain.onnx", {inputs[0].name: x}).values()
    (got,) = support.litert_outputs(target, {inputs[0].name: x}).values()
    # A value at the middle between two steps of a grid may fall to either side.
    assert support.decibels(got, wanted) >= 35
    from ai_edge_litert.interpreter import Interpreter
    interpreter = Interpreter(str(target))
    details = {d["index"]: d for d in interpreter.get_tensor_details()}
    convolutions = [op for op in interpreter._get_ops_details() if op["op_name"] == "CONV_2D"]
    assert sum(details[op["inputs"][0]]["dtype"] == np.int8 for op in convolutions) >= len(convolutions) - 2


# ---- scales that LiteRT's kernels abort on ----

RUN = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(sys.argv[1])
interpreter.allocate_tensors()
feeds = np.load(sys.argv[2])
for detail in interpreter.get_input_details():
    interpreter.set_tensor(detail["index"], feeds[detail["name"]])
interpreter.invoke()
np.save(sys.argv[3], interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
"""


@pytest.mark.parametrize("mode, ratio", [("int8", 2.0**-22), ("int16x8", 2.0**-16)])
@pytest.mark.parametrize("op", ["Add", "Sub"])
def test_results_far_below_their_operands_stay_float(tmp_path, op, mode, ratio):
    nodes = [helper.make_node(op, ["a", "b"], ["y"])]
    source = save(tmp_path / "model.onnx", nodes, [("a", FLOAT, [1, 64]), ("b", FLOAT, [1, 64])], [("y", FLOAT, [1, 64])])
    a = np.linspace(-1, 1, 64, dtype=np.float32).reshape(1, 64)
    b = (a * np.float32(1 - ratio)) * np.float32(-1 if op == "Add" else 1)
    np.savez(tmp_path / "samples.npz", a=a[None], b=b[None])
    target = tmp_path / "model.tflite"
    made = support.run("quantize", source, "-o", target, "--mode", mode, "--calibrate", tmp_path / "samples.npz")
    assert made.returncode == 0, made.stderr
    assert "too far below" in made.stdout
    np.savez(tmp_path / "feeds.npz", a=a, b=b)
    ran = subprocess.run([sys.executable, "-c", RUN, target, tmp_path / "feeds.npz", tmp_path / "y.npy"], capture_output=True)
    assert ran.returncode == 0, ran.stderr
    assert np.array_equal(np.load(tmp_path / "y.npy"), a + b if op == "Add" else a - b)
