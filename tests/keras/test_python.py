"""The Python package beside the real TensorFlow and Keras: a live model, its data loaders, tensors and types.

    PYTHONPATH=build/release/python python -m pytest tests/keras/test_python.py      with a Python that has TensorFlow
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
import tensorflow

fewbits = pytest.importorskip("fewbits")

SHAPE, CLASSES, SAMPLES = (16, 16, 3), 5, 40


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.layers.Input(SHAPE),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )


@pytest.fixture(scope="module")
def samples():
    return np.random.default_rng(0).normal(size=(SAMPLES, *SHAPE)).astype(np.float32), np.arange(SAMPLES) % CLASSES


class Batches(keras.utils.PyDataset):
    def __init__(self, images, labels):
        super().__init__()
        self.images, self.labels = images, labels

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return self.images[i * 10 : (i + 1) * 10], self.labels[i * 10 : (i + 1) * 10]


def test_a_live_model_answers_as_keras_does(model, samples):
    images = samples[0]
    converter = fewbits.lite.TFLiteConverter.from_keras_model(model)
    interpreter = fewbits.lite.Interpreter(model_content=converter.convert())
    index = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(index, images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(index, images)
    interpreter.invoke()
    answer = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(answer, model.predict(images, verbose=0), atol=1e-6)


def test_loaders_give_what_arrays_give(model, samples):
    images, labels = samples
    content = fewbits.lite.TFLiteConverter.from_keras_model(model).convert()

    def ranges(data):
        return [(r.name, r.min, r.max) for r in fewbits.calibrate(content, data).ranges()]

    slices = tensorflow.data.Dataset.from_tensor_slices
    wanted = ranges(images)
    for data in (
        slices((images, labels)).batch(7),
        slices(images),
        Batches(images, labels),
        [tensorflow.constant(image[np.newaxis]) for image in images],
        tensorflow.constant(images),
    ):
        assert ranges(data) == wanted
    right = int(np.sum(model.predict(images, verbose=0).argmax(axis=-1) == labels))
    for data in (slices((images, labels)).batch(7), Batches(images, labels)):
        accuracy = fewbits.evaluate(content, data)
        assert (accuracy.samples, accuracy.top1_hits) == (SAMPLES, right)


def test_a_converter_takes_tensorflows_tensors_and_types(model, samples):
    def representative_dataset():
        for data in tensorflow.data.Dataset.from_tensor_slices((samples[0])).batch(1).take(100):
            yield [tensorflow.dtypes.cast(data, tensorflow.float32)]

    converter = fewbits.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [fewbits.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative_dataset
    converter.target_spec.supported_ops = [fewbits.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tensorflow.int8
    converter.inference_output_type = tensorflow.uint8
    interpreter = tensorflow.lite.Interpreter(model_content=converter.convert())
    assert interpreter.get_input_details()[0]["dtype"] == np.int8 and interpreter.get_output_details()[0]["dtype"] == np.uint8


def test_the_converter_has_every_attribute_of_tensorflows(model):
    theirs = tensorflow.lite.TFLiteConverter.from_keras_model(model)
    mine = fewbits.lite.TFLiteConverter.from_keras_model(model)
    state = {"saved_model_dir"}  # no options, as are those with one leading underscore that are not experimental
    names = [n for n in vars(theirs) if n not in state and (not n.startswith("_") or n.startswith("_experimental"))]
    assert len(names) > 40
    for name in names:
        assert hasattr(mine, name), name
    for name in (n for n in dir(type(theirs)) if not n.startswith("_")):
        assert callable(getattr(mine, name)), name
