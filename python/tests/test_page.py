"""The quantization page's snippets, as they stand there but for the import line, on real SavedModels without TensorFlow.

What they make is what the command line makes, byte for byte, and LiteRT runs it.
"""

import os
import subprocess

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from conftest import PHOTOS, ROOT, SAVED_MODEL
from fewbits.errors import UnsupportedError
from packages import SHARED

CLI = os.environ.get("FEWBITS_CLI", str(ROOT / "build/release/fewbits"))
EFFICIENTNET = SHARED / "models/efficientnet_lite0/saved_model"

IMPORT = "import fewbits as tf  # import tensorflow as tf"
CONVERTER = "converter = tf.lite.TFLiteConverter.from_saved_model(saved_model_dir)"
OPTIMIZE = "converter.optimizations = [tf.lite.Optimize.DEFAULT]"
DATASET = "converter.representative_dataset = representative_dataset"
CONVERT = "tflite_quant_model = converter.convert()"
SIXTEEN = "tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
INTEGER_ONLY = """converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = tf.int8  # or tf.uint8
converter.inference_output_type = tf.int8  # or tf.uint8"""

# By name: the lines, and the flags of `fewbits quantize`.
SNIPPETS = {
    "dynamic range": ([OPTIMIZE], ["--mode", "weights"]),
    "float fallback": ([OPTIMIZE, DATASET], ["--mode", "int8"]),
    "integer only": (
        [OPTIMIZE, DATASET, INTEGER_ONLY],
        ["--mode", "int8-only", "--input-type", "int8", "--output-type", "int8"],
    ),
    "float16": ([OPTIMIZE, "converter.target_spec.supported_types = [tf.float16]"], ["--mode", "float16"]),
    "16x8": ([DATASET, OPTIMIZE, f"converter.target_spec.supported_ops = [{SIXTEEN}]"], ["--mode", "int16x8"]),
    "16x8, float fallback": (
        [DATASET, OPTIMIZE, f"converter.target_spec.supported_ops = [{SIXTEEN},\ntf.lite.OpsSet.TFLITE_BUILTINS]"],
        ["--mode", "int16x8"],
    ),
}
# Of samples: as a list, by name, with the signature.
DATASETS = {
    "list": """
def representative_dataset():
  for data in tf.data.Dataset.from_tensor_slices((images)).batch(1).take(100):
    yield [tf.dtypes.cast(data, tf.float32)]
""",
    "dict": """
def representative_dataset():
  for data in dataset:
    yield {
      "image": data,
    }
""",
    "signature": """
def representative_dataset():
  for data in encode_signature_dataset:
    yield (
      "encode", {
        "image": data,
      }
    )
""",
}


def chords():
    """As the transcriber of basic-pitch takes them: 43,844 numbers, two seconds."""
    time = np.arange(43844) / 22050
    tones = ((220, 277), (262, 330, 392), (147, 440))
    return np.stack([sum(0.2 * np.sin(2 * np.pi * tone * time) for tone in chord) for chord in tones])[..., np.newaxis]


def photographs():
    files = sorted(PHOTOS.glob("imagenet_*"))[:8]
    pictures = [np.asarray(Image.open(file).convert("RGB").resize((224, 224)), np.float64) for file in files]
    return (np.stack(pictures) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]


MODELS = {"basic_pitch": (SAVED_MODEL, chords)}
if EFFICIENTNET.exists():
    MODELS["efficientnet_lite0"] = (str(EFFICIENTNET), photographs)
SIGNATURES = {"basic_pitch": ("serving_default", "input_2"), "efficientnet_lite0": ("serving_default", "input")}


def run_snippet(name, model, kind="list"):
    saved_model_dir, samples = MODELS[model]
    images = samples()
    key, input_name = SIGNATURES[model]
    dataset = [image[np.newaxis].astype(np.float32) for image in images]
    names = {
        "np": np,
        "images": images,
        "saved_model_dir": saved_model_dir,
        "dataset": dataset,
        "encode_signature_dataset": dataset,
    }
    functions = DATASETS[kind].replace('"image"', repr(input_name)).replace('"encode"', repr(key))
    exec("\n".join([IMPORT, functions, CONVERTER, *SNIPPETS[name][0], CONVERT]), names)
    return names["tflite_quant_model"]


def by_the_command_line(name, model, folder):
    saved_model_dir, samples = MODELS[model]
    flags = list(SNIPPETS[name][1])
    if DATASET in SNIPPETS[name][0]:
        np.save(folder / "samples.npy", samples().astype(np.float32))
        flags += ["--calibrate", str(folder / "samples.npy")]
    subprocess.run([CLI, "quantize", saved_model_dir, "-o", str(folder / "cli.tflite"), "--quiet", *flags], check=True)
    return (folder / "cli.tflite").read_bytes()


def runs_in_litert(content, sample):
    interpreter = Interpreter(model_content=content)
    detail = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(detail["index"], sample.shape)
    interpreter.allocate_tensors()
    scale, zero_point = detail["quantization"]
    if scale:
        sample = np.clip(np.round(sample / scale) + zero_point, -128, 127)
    interpreter.set_tensor(detail["index"], sample.astype(detail["dtype"]))
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


# basic-pitch has operators without integer kernels, and both pages' "only" say so.
STAYS_IN_FLOAT = {("integer only", "basic_pitch"), ("16x8", "basic_pitch")}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", SNIPPETS)
def test_snippet(name, model, tmp_path):
    if (name, model) in STAYS_IN_FLOAT:
        with pytest.raises(UnsupportedError) as caught:
            run_snippet(name, model)
        offenders = caught.value.offenders
        assert {"POW", "DIV"} <= {offender.type for offender in offenders} and all(offender.reason for offender in offenders)
        return
    content = run_snippet(name, model)
    assert content == by_the_command_line(name, model, tmp_path)
    sample = MODELS[model][1]()[:1]
    answer = runs_in_litert(content, sample)
    assert answer.size > 10 and len(np.unique(answer)) > 5


@pytest.mark.parametrize("model", MODELS)
def test_samples_by_name_and_signature_give_the_same(model):
    same = {run_snippet("float fallback", model, kind) for kind in DATASETS}
    assert len(same) == 1
