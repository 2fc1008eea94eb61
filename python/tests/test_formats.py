"""The from_... functions on real models of other formats: the command line's bytes, and the original's answers in LiteRT."""

import os
import subprocess

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

import fewbits as tf
from conftest import model_path
from fewbits.errors import FewbitsError, InvalidArgumentError
from test_converter import CLI


def converted_by_the_command_line(tmp_path, source):
    out = tmp_path / "cli.tflite"
    subprocess.run([CLI, "convert", source, "-o", str(out), "--quiet"], check=True)
    return out.read_bytes()


def answer(content, inputs):
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    for detail, array in zip(interpreter.get_input_details(), inputs):
        interpreter.set_tensor(detail["index"], array)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_saved_model_gives_the_answers_of_the_original(tmp_path):
    source = model_path("efficientnet_lite0/saved_model")
    content = tf.lite.TFLiteConverter.from_saved_model(source).convert()
    assert content == converted_by_the_command_line(tmp_path, source)
    image = np.random.default_rng(0).uniform(-1, 1, [1, 224, 224, 3]).astype(np.float32)
    with open(model_path("efficientnet_lite0/float.tflite"), "rb") as file:  # TensorFlow's own conversion
        expected = answer(file.read(), [image])
    np.testing.assert_allclose(answer(content, [image]), expected, rtol=1e-3, atol=1e-4)


def test_onnx(tmp_path):
    source = model_path("efficientnet_lite0/model.onnx")
    content = tf.lite.TFLiteConverter.from_onnx(source).convert()
    assert content == converted_by_the_command_line(tmp_path, source)
    image = np.random.default_rng(0).uniform(-1, 1, [1, 224, 224, 3]).astype(np.float32)
    with open(model_path("efficientnet_lite0/float.tflite"), "rb") as file:
        expected = answer(file.read(), [image])
    np.testing.assert_allclose(answer(content, [image]), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["resnet8", "vww"])
def test_keras_file(name, tmp_path):
    source = model_path(f"mlperf_tiny/{name}.h5")
    content = tf.lite.TFLiteConverter.from_keras_file(source).convert()
    assert content == converted_by_the_command_line(tmp_path, source)
    with open(model_path(f"mlperf_tiny/{name}_float.tflite"), "rb") as file:  # TensorFlow's own conversion
        theirs = file.read()
    detail = Interpreter(model_content=theirs).get_input_details()[0]
    array = np.random.default_rng(0).uniform(0, 1, detail["shape"]).astype(np.float32)
    np.testing.assert_allclose(answer(content, [array]), answer(theirs, [array]), rtol=1e-3, atol=1e-4)


def test_a_live_keras_model_saves_itself():
    """Nothing of Keras is imported; what its own save() raises comes through, and nothing stays behind."""

    class Model:
        name = "mine"
        saved = None

        def save(self, path):
            Model.saved = path
            raise MemoryError("from Keras")

    with pytest.raises(MemoryError, match="from Keras"):
        tf.lite.TFLiteConverter.from_keras_model(Model())
    assert Model.saved.endswith("mine.keras") and not os.path.exists(os.path.dirname(Model.saved))


def test_the_pages_snippet_on_a_saved_model(tmp_path):
    saved_model_dir = model_path("mlperf_tiny/kws_saved_model")
    samples = np.random.default_rng(0).uniform(-1, 1, [8, 49, 10, 1]).astype(np.float32)

    def representative_dataset():
        for data in samples:
            yield [data[np.newaxis]]

    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model_dir)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative_dataset
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8  # or tf.uint8
    converter.inference_output_type = tf.int8  # or tf.uint8
    tflite_quant_model = converter.convert()

    float_model = tmp_path / "float.tflite"
    float_model.write_bytes(converted_by_the_command_line(tmp_path, saved_model_dir))
    np.save(tmp_path / "samples.npy", samples)
    out = tmp_path / "int8.tflite"
    flags = ["--mode", "int8-only", "--calibrate", str(tmp_path / "samples.npy"), "--quiet"]
    subprocess.run([CLI, "quantize", str(float_model), "-o", str(out), *flags], check=True)
    assert tflite_quant_model == out.read_bytes()
    assert answer(tflite_quant_model, [np.zeros([1, 49, 10, 1], np.int8)]).dtype == np.int8


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "odd.bin").write_bytes(b"nothing that anybody reads")
    for make in (tf.lite.TFLiteConverter.from_onnx, tf.lite.TFLiteConverter.from_saved_model, tf.lite.TFLiteConverter.from_keras_file):
        with pytest.raises(FewbitsError, match="odd.bin"):
            make(str(tmp_path / "odd.bin"))
        with pytest.raises(FewbitsError, match="nope"):
            make("/nope")
    with pytest.raises(InvalidArgumentError, match="Keras model"):
        tf.lite.TFLiteConverter.from_keras_model("model.h5")
