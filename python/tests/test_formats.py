"""The from_... functions on real models of other formats: the command line's bytes, and the original's answers in LiteRT."""

import os
import subprocess

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

import fewbits as tf
from conftest import KERAS_FILE, KERAS_QUANTIZED, PITCH, PITCH_ONNX, SAVED_MODEL
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


def chord():
    time = np.arange(43844) / 22050
    return sum(0.2 * np.sin(2 * np.pi * tone * time) for tone in (262, 330, 392)).astype(np.float32).reshape(1, -1, 1)


def pitches(content):
    """contour, note and onset, by their last dimension and order of names: converters name outputs in their own ways."""
    interpreter = Interpreter(model_content=content)
    runner = interpreter.get_signature_runner()
    return runner(**{next(iter(runner.get_input_details())): chord()})


def test_saved_model_gives_the_answers_of_the_original(tmp_path):
    content = tf.lite.TFLiteConverter.from_saved_model(SAVED_MODEL).convert()
    assert content == converted_by_the_command_line(tmp_path, SAVED_MODEL)
    mine, theirs = pitches(content), pitches(open(PITCH, "rb").read())  # theirs: TensorFlow's own conversion
    assert mine.keys() == theirs.keys()
    for name in theirs:
        np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-3, atol=1e-3)


def test_onnx(tmp_path):
    content = tf.lite.TFLiteConverter.from_onnx(PITCH_ONNX).convert()
    assert content == converted_by_the_command_line(tmp_path, PITCH_ONNX)
    mine, theirs = pitches(content), pitches(open(PITCH, "rb").read())
    for name, wanted in theirs.items():
        assert min(np.abs(answer - wanted).max() for answer in mine.values() if answer.shape == wanted.shape) < 1e-2, name


def test_keras_file(tmp_path, pictures):
    content = tf.lite.TFLiteConverter.from_keras_file(KERAS_FILE).convert()
    assert content == converted_by_the_command_line(tmp_path, KERAS_FILE)
    theirs = open(KERAS_QUANTIZED, "rb").read()  # TensorFlow's conversion, weights in int8
    for image in pictures[0][:10]:
        np.testing.assert_allclose(answer(content, [image[np.newaxis]]), answer(theirs, [image[np.newaxis]]), atol=0.05)


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


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "odd.bin").write_bytes(b"nothing that anybody reads")
    for make in (
        tf.lite.TFLiteConverter.from_onnx,
        tf.lite.TFLiteConverter.from_saved_model,
        tf.lite.TFLiteConverter.from_keras_file,
    ):
        with pytest.raises(FewbitsError, match="odd.bin"):
            make(str(tmp_path / "odd.bin"))
        with pytest.raises(FewbitsError, match="nope"):
            make("/nope")
    with pytest.raises(InvalidArgumentError, match="Keras model"):
        tf.lite.TFLiteConverter.from_keras_model("model.h5")
