"""TFLiteConverter: the page's snippets with only the import line changed give the command line's bytes; misuse has its say."""

import json
import os
import subprocess

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

import fewbits
import fewbits as tf  # the only line of the snippets that differs from the page
from conftest import IMAGE, KERAS_QUANTIZED
from fewbits.errors import InvalidArgumentError, InvalidDataError, UnsupportedError

CLI = os.environ.get("FEWBITS_CLI", os.path.join(os.path.dirname(__file__), "../../build/release/fewbits"))
SAMPLES = 20


def cli(tmp_path, model, *flags):
    out = tmp_path / "cli.tflite"
    subprocess.run([CLI, "quantize", model, "-o", str(out), "--quiet", *flags], check=True)
    return out.read_bytes()


@pytest.fixture(scope="module")
def data(tmp_path_factory, pictures):
    """The samples as the command line takes them."""
    path = tmp_path_factory.mktemp("data") / "calibration.npy"
    np.save(path, pictures[0][:SAMPLES])
    return str(path)


@pytest.fixture()
def representative_dataset(pictures):
    def generator():
        for image in pictures[0][:SAMPLES]:
            yield [image[np.newaxis].astype(np.float32)]

    return generator


def runs_in_litert(content):
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
    interpreter.invoke()
    return interpreter


def test_dynamic_range(classifier, tmp_path):
    converter = tf.lite.TFLiteConverter.from_tflite(classifier)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    tflite_quant_model = converter.convert()
    assert tflite_quant_model == cli(tmp_path, classifier, "--mode", "weights")
    runs_in_litert(tflite_quant_model)


def test_int4_weights(classifier, tmp_path):
    made = fewbits.quantize(classifier, "weights", weight_type="int4", block_size=64)
    small = fewbits.load(made).to_bytes()
    assert small == cli(tmp_path, classifier, "--mode", "weights", "--weight-type", "int4", "--block-size", "64")
    runs_in_litert(small)
    reasons = {decision.type: decision.reason for decision in made.decisions if decision.treatment == "hybrid"}
    assert reasons["CONV_2D"] == "only FULLY_CONNECTED has int4 weights: its own are int8"
    with pytest.raises(InvalidArgumentError, match="multiple of 32"):
        fewbits.quantize(classifier, "weights", weight_type="int4", block_size=20)
    with pytest.raises(InvalidArgumentError, match="int8 or int4"):
        fewbits.quantize(classifier, "weights", weight_type="int16")


@pytest.mark.parametrize("option", [tf.lite.Optimize.OPTIMIZE_FOR_SIZE, tf.lite.Optimize.OPTIMIZE_FOR_LATENCY])
def test_older_options_mean_the_default(option, classifier, tmp_path):
    converter = tf.lite.TFLiteConverter.from_tflite(classifier)
    converter.optimizations = [option]
    assert converter.convert() == cli(tmp_path, classifier, "--mode", "weights")


def test_float_fallback(classifier, tmp_path, data, representative_dataset):
    converter = tf.lite.TFLiteConverter.from_tflite(classifier)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative_dataset
    tflite_quant_model = converter.convert()
    assert tflite_quant_model == cli(tmp_path, classifier, "--mode", "int8", "--calibrate", data)
    assert runs_in_litert(tflite_quant_model).get_input_details()[0]["dtype"] is np.float32


@pytest.mark.parametrize("kind", [tf.int8, tf.uint8, np.int8, "int8", np.dtype("uint8"), tf.lite.uint8])
def test_integer_only(kind, classifier, tmp_path, data, representative_dataset):
    converter = tf.lite.TFLiteConverter.from_tflite(classifier)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative_dataset
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = kind
    converter.inference_output_type = kind
    tflite_quant_model = converter.convert()
    name = np.dtype(kind).name
    flags = ["--mode", "int8-only", "--calibrate", data, "--input-type", name, "--output-type", name]
    assert tflite_quant_model == cli(tmp_path, classifier, *flags)
    assert runs_in_litert(tflite_quant_model).get_input_details()[0]["dtype"] is np.dtype(kind).type


def test_integer_only_keeps_float_ends_as_the_page_has_it(classifier, representative_dataset):
    converter = tf.lite.TFLiteConverter.from_tflite(classifier)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative_dataset
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    assert runs_in_litert(converter.convert()).get_input_details()[0]["dtype"] is np.float32


@pytest.mark.parametrize("kind", [tf.float16, tf.lite.constants.FLOAT16, np.float16])
def test_float16(kind, classifier, tmp_path):
    converter = tf.lite.TFLiteConverter.from_tflite(classifier)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [kind]
    tflite_quant_model = converter.convert()
    assert tflite_quant_model == cli(tmp_path, classifier, "--mode", "float16")
    runs_in_litert(tflite_quant_model)


@pytest.mark.parametrize("fallback", [False, True])
def test_16x8(fallback, classifier, tmp_path, data, representative_dataset):
    converter = tf.lite.TFLiteConverter.from_tflite(classifier)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative_dataset
    ops = [tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
    converter.target_spec.supported_ops = ops + [tf.lite.OpsSet.TFLITE_BUILTINS] * fallback
    tflite_quant_model = converter.convert()
    assert tflite_quant_model == cli(tmp_path, classifier, "--mode", "int16x8", "--calibrate", data)
    runs_in_litert(tflite_quant_model)


def test_without_optimizations_the_model_stays(classifier):
    content = tf.lite.TFLiteConverter.from_tflite(open(classifier, "rb").read()).convert()
    a, b = runs_in_litert(content), runs_in_litert(open(classifier, "rb").read())
    out = a.get_output_details()[0]["index"], b.get_output_details()[0]["index"]
    np.testing.assert_array_equal(a.get_tensor(out[0]), b.get_tensor(out[1]))


def test_samples_by_name_give_the_same(classifier, pictures, representative_dataset):
    def named():
        for image in pictures[0][:SAMPLES]:
            yield {"input_1": image[np.newaxis]}

    def made(source):
        converter = tf.lite.TFLiteConverter.from_tflite(classifier)
        converter.optimizations = {tf.lite.Optimize.DEFAULT}
        converter.representative_dataset = source
        return converter.convert()

    assert made(named) == made(representative_dataset) == made(tf.lite.RepresentativeDataset(representative_dataset))


def test_samples_with_a_signature_give_the_same(classifier, pictures):
    model, arrays = classifier, pictures[0][:4, np.newaxis]

    def made(source):
        converter = tf.lite.TFLiteConverter.from_tflite(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = source
        return converter.convert()

    plain = made(lambda: ([array] for array in arrays))
    assert made(lambda: (("serving_default", {"input_1": array}) for array in arrays)) == plain
    with pytest.raises(ValueError, match="signature"):
        made(lambda: iter([("decode", {"input_1": arrays[0]})]))
    with pytest.raises(InvalidDataError, match="sample 1 .*no signature"):
        made(lambda: iter([("serving_default", {"input_1": arrays[0]}), [arrays[0]]]))


def test_a_converter_converts_twice(classifier, representative_dataset):
    converter = tf.lite.TFLiteConverter.from_tflite(classifier)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    weights = converter.convert()
    assert converter.convert() == weights
    converter.representative_dataset = representative_dataset
    integers = converter.convert()
    assert integers == converter.convert() != weights
    assert {decision.treatment for decision in converter.result.decisions} == {"integer"}


def quantizing(model, source, **attributes):
    converter = tf.lite.TFLiteConverter.from_tflite(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = source
    for name, value in attributes.items():
        setattr(converter, name, value)
    return converter


def raising():
    yield [np.zeros(IMAGE, np.float32)]
    raise ZeroDivisionError("from the generator")


def with_nan():
    yield [np.zeros(IMAGE, np.float32)]
    array = np.zeros(IMAGE, np.float32)
    array[0, 5, 5, 0] = np.nan
    yield [array]


BAD_DATA = {
    "raises": (raising, ZeroDivisionError, "from the generator"),
    "nothing": (lambda: iter(()), InvalidDataError, "yields no sample"),
    "NaN": (with_nan, InvalidDataError, "sample 1.*nan"),
    "float64": (lambda: iter([[np.zeros(IMAGE)]]), InvalidDataError, "takes float32.*astype"),
    "uint8": (lambda: iter([[np.zeros(IMAGE, np.uint8)]]), InvalidDataError, "takes float32.*uint8"),
    "shape": (lambda: iter([[np.zeros([1, 16, 16, 1], np.float32)]]), InvalidDataError, "has shape .*64.*16"),
    "too many": (lambda: iter([[np.zeros(IMAGE, np.float32)] * 2]), InvalidDataError, "2 arrays.*takes 1"),
    "none": (lambda: iter([[]]), InvalidDataError, "0 arrays"),
    "unknown name": (lambda: iter([{"x": np.zeros(IMAGE, np.float32)}]), InvalidDataError, "'input_1'"),
    "bare array": (lambda: iter([np.zeros(IMAGE, np.float32)]), InvalidDataError, "yield a list"),
    "not a function": ([[np.zeros(IMAGE, np.float32)]], InvalidArgumentError, "function"),
    "a used generator": (raising(), InvalidArgumentError, "give the function itself"),
}


@pytest.mark.parametrize("what", BAD_DATA)
def test_bad_data_says_what_to_do(what, classifier, representative_dataset):
    source, kind, message = BAD_DATA[what]
    converter = quantizing(classifier, source)
    with pytest.raises(kind, match=f"(?s){message}"):
        converter.convert()
    converter.representative_dataset = representative_dataset  # and the converter survives
    assert converter.convert()


BAD_OPTIONS = {
    "integer ends without integers": (
        dict(representative_dataset=None, inference_input_type=np.int8),
        ValueError,
        "representative",
    ),
    "int8 without data": (
        dict(representative_dataset=None, target_spec=tf.lite.TargetSpec(supported_ops=[tf.lite.OpsSet.TFLITE_BUILTINS_INT8])),
        ValueError,
        "representative_dataset",
    ),
    "optimization as text": (dict(optimizations=["DEFAULT"]), ValueError, "no Optimize"),
    "sparsity": (dict(optimizations=[tf.lite.Optimize.EXPERIMENTAL_SPARSITY]), UnsupportedError, "sparse"),
    "ops as text": (dict(target_spec=tf.lite.TargetSpec(supported_ops=["int8"])), ValueError, "no OpsSet"),
    "stablehlo": (
        dict(target_spec=tf.lite.TargetSpec(supported_ops=[tf.lite.OpsSet.EXPERIMENTAL_STABLEHLO_OPS])),
        UnsupportedError,
        "StableHLO",
    ),
    "bfloat16": (dict(target_spec=tf.lite.TargetSpec(supported_types=["int4"])), Exception, "int4"),
    "float64 ends": (dict(inference_input_type=np.float64), ValueError, "float64"),
    "no type": (dict(inference_input_type="integer"), ValueError, "no type"),
    "select ops": (
        dict(target_spec=tf.lite.TargetSpec(experimental_select_user_tf_ops=["MyOp"])),
        UnsupportedError,
        "TensorFlow's own",
    ),
}


@pytest.mark.parametrize("what", BAD_OPTIONS)
def test_bad_options_say_what_to_do(what, classifier, representative_dataset):
    attributes, kind, message = BAD_OPTIONS[what]
    with pytest.raises(kind, match=message):
        quantizing(classifier, representative_dataset, **attributes).convert()


@pytest.mark.parametrize(
    "name, value",
    [
        ("experimental_new_converter", False),
        ("unfold_batchmatmul", True),
        ("inference_type", np.uint8),
        ("_experimental_variable_quantization", True),
        ("dump_graphviz_dir", "/tmp"),
    ],
)
def test_what_is_not_here_raises_with_the_reason(name, value, classifier):
    converter = tf.lite.TFLiteConverter.from_tflite(classifier)
    with pytest.raises(UnsupportedError, match=name):
        setattr(converter, name, value)
    setattr(converter, name, getattr(converter, name))  # the default may be said


def test_misspelt_attributes_are_not_swallowed(classifier):
    converter = tf.lite.TFLiteConverter.from_tflite(classifier)
    with pytest.raises(AttributeError, match="did you mean 'optimizations'"):
        converter.optimisations = [tf.lite.Optimize.DEFAULT]


def test_tensorflows_own_objects_are_refused_with_the_way_out():
    for action in (
        lambda: tf.lite.TFLiteConverter.from_concrete_functions([]),
        lambda: tf.lite.TFLiteConverter.experimental_from_jax([], []),
        lambda: tf.lite.experimental.load_delegate("libedgetpu.so"),
    ):
        with pytest.raises(UnsupportedError):
            action()


def test_what_is_quantized_already_is_refused():
    with pytest.raises(UnsupportedError, match="is quantized already"):
        fewbits.quantize(KERAS_QUANTIZED, "int8-only", np.zeros(IMAGE, np.float32))


def test_offenders_are_data(classifier, pictures):
    # Excluded operators cannot be integers: int8-only lists them.
    with pytest.raises(UnsupportedError) as caught:
        fewbits.quantize(classifier, "int8-only", pictures[0][:2], exclude=["SOFTMAX"])
    assert [offender.type for offender in caught.value.offenders] == ["SOFTMAX"]
    assert caught.value.offenders[0].reason and caught.value.code == "unsupported"


def test_debugger_has_the_columns(classifier, representative_dataset, tmp_path):
    import csv

    converter = quantizing(classifier, representative_dataset)
    options = tf.lite.experimental.QuantizationDebugOptions(
        layer_debug_metrics={"l1": lambda diffs: np.mean(np.abs(diffs))},
        model_debug_metrics={"agree": lambda a, b: float(np.argmax(a[0]) == np.argmax(b[0]))},
        layer_direct_compare_metrics={"worst": lambda f, q, scale, zero: np.max(np.abs((q.astype(np.int32) - zero) * scale - f))},
    )
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter, debug_dataset=representative_dataset, debug_options=options
    )
    debugger.run()
    with open(tmp_path / "layers.csv", "w") as file:
        debugger.layer_statistics_dump(file)
    rows = list(csv.DictReader(open(tmp_path / "layers.csv")))
    metrics = "num_elements stddev mean_error max_abs_error mean_squared_error l1 worst"
    assert list(rows[0]) == f"op_name tensor_idx {metrics} scale zero_point tensor_name".split()
    assert len(rows) >= 14 and {"CONV_2D", "ADD", "SOFTMAX"} <= {row["op_name"] for row in rows}
    for row in rows:
        assert float(row["max_abs_error"]) == pytest.approx(float(row["worst"]), rel=1e-4)
        assert 0 < float(row["stddev"]) <= float(row["max_abs_error"]) * 1.001
    assert debugger.model_statistics["agree"] >= 0.9
    debugger.options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=["SOFTMAX"])
    debugger.run()
    assert len(debugger.layer_statistics) == len(rows) - 1


def test_the_command_line_speaks_of_the_same_decisions(classifier, tmp_path, data, pictures):
    out = subprocess.run(
        [CLI, "quantize", classifier, "-o", str(tmp_path / "x.tflite"), "--mode", "int8", "--calibrate", data, "--json"],
        check=True,
        capture_output=True,
    )
    told = json.loads(out.stdout)["decisions"]
    mine = fewbits.quantize(classifier, "int8", pictures[0][:SAMPLES]).decisions
    assert [(d["type"], d["treatment"], d["output"]) for d in told] == [(d.type, d.treatment, d.output) for d in mine]
