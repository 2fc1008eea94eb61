"""Programs in the form of public examples for tf.lite.Interpreter, run with both interpreters: everything they see must be alike.

Each takes the Interpreter class, as if its import line were changed, and is watched: every call's answer is kept, and the two
lists are compared, details, types and shapes exactly, numbers as far as LiteRT's own kernels agree.
"""

import collections
import pathlib
import subprocess
import wave

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter as Theirs
from ai_edge_litert.interpreter import OpResolverType
from PIL import Image

from conftest import KERAS_QUANTIZED, PHOTOS, PITCH, fetch
from fewbits.lite import Interpreter as Ours
from real_models import SHARED
from ssd_model import make_ssd
from test_interpreter import QUANTIZED_STEPS, same


def by_reference_kernels(**arguments):
    """Their interpreter. Its two sets of kernels round integers in different ways; ours is that of the reference."""
    return Theirs(experimental_op_resolver_type=OpResolverType.BUILTIN_REF, **arguments)


WATCHED = ("get_input_details", "get_output_details", "get_tensor", "get_signature_list", "get_tensor_details", "invoke")
WAKE = "pyopen_wakeword/models/"
MICRO = "pymicro_wakeword/models/"
ASTRONAUT = fetch("scikit-image==0.26.0", ["skimage/data/astronaut.png"]) / "skimage/data/astronaut.png"


def watched(base, log):
    """`base` with its answers written down."""

    class Interpreter:
        def __init__(self, *arguments, **keywords):
            self._real = base(*arguments, **keywords)

        def __getattr__(self, name):
            method = getattr(self._real, name)
            if name not in WATCHED:
                return method

            def call(*arguments, **keywords):
                answer = method(*arguments, **keywords)
                log.append((name, answer))
                return answer

            return call

    return Interpreter


def check_alike(a, b, steps, relative):
    """steps: of integers; relative: of real numbers, to the tensor's largest or to 1."""
    assert type(a) is type(b)
    if isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            check_alike(x, y, steps, relative)
    elif isinstance(a, dict):
        assert same(a, b), (a, b)
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype and a.shape == b.shape
        if np.issubdtype(a.dtype, np.integer):
            assert np.max(np.abs(a.astype(int) - b.astype(int)), initial=0) <= steps
        else:
            assert np.all(np.abs(a - b) <= relative * max(1.0, float(np.max(np.abs(b), initial=0))))
    else:
        assert a == b


def side_by_side(program, *arguments, steps=0, relative=1e-4):
    """What the program says with our interpreter, after it said the same with theirs."""
    logs, answers = [], []
    for base in (Ours, by_reference_kernels):
        log = []
        answers.append(program(watched(base, log), *arguments))
        logs.append(log)
    assert [name for name, _ in logs[0]] == [name for name, _ in logs[1]] and len(logs[0]) > 3
    for (name, mine), (_, theirs) in zip(*logs):
        check_alike(mine, theirs, steps, relative)
    return answers[0]


# ---- classification: label_image ----


def label_image(Interpreter, model_file, image, labels, input_mean=127.5, input_std=127.5, num_threads=None):
    interpreter = Interpreter(model_path=model_file, num_threads=num_threads)
    interpreter.allocate_tensors()

    input_details = interpreter.get_input_details()
    output_details = interpreter.get_output_details()

    # check the type of the input tensor
    floating_model = input_details[0]["dtype"] == np.float32

    # NxHxWxC, H:1, W:2
    height = input_details[0]["shape"][1]
    width = input_details[0]["shape"][2]
    img = Image.open(image).convert("L" if input_details[0]["shape"][3] == 1 else "RGB").resize((width, height))

    # add N dim
    input_data = np.expand_dims(img, axis=0)
    if input_data.ndim == 3:
        input_data = np.expand_dims(input_data, axis=-1)
    if floating_model:
        input_data = (np.float32(input_data) - input_mean) / input_std
    elif input_details[0]["dtype"] == np.int8:
        input_data = (input_data.astype(np.int16) - 128).astype(np.int8)

    interpreter.set_tensor(input_details[0]["index"], np.ascontiguousarray(input_data))
    interpreter.invoke()

    output_data = interpreter.get_tensor(output_details[0]["index"])
    results = np.squeeze(output_data)
    top_k = results.argsort()[-5:][::-1]
    lines = []
    for i in top_k:
        scale, zero_point = output_details[0]["quantization"]
        score = float(results[i]) if scale == 0 else scale * (int(results[i]) - zero_point)
        lines.append(f"{score:08.6f}: {labels[i]}")
    return lines


EMOTIONS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]


def shared_models(*names):
    """Those of shared/data, where there is one."""
    return [path for path in (SHARED / "models" / f"{name}.tflite" for name in names) if path.exists()]


OF_IMAGENET = shared_models("mobilenet_v1_025_qat_uint8", "mobilenet_v2_int8", "mobilenet_v1_025_float")


@pytest.mark.parametrize(
    "model", ["classifier", "integer_classifier", KERAS_QUANTIZED, *OF_IMAGENET], ids=lambda model: pathlib.Path(model).stem
)
def test_label_image(model, request):
    path = request.getfixturevalue(model) if "classifier" in str(model) else str(model)
    labels = EMOTIONS if model not in OF_IMAGENET else [str(number) for number in range(1001)]
    # Where weights alone are int8, LiteRT's activations go through 8 bits on the fly, too, and ours may not: alike as a whole.
    relative = 0.1 if model == KERAS_QUANTIZED else 1e-4
    for photo in sorted(PHOTOS.glob("imagenet_*"))[:10] + [ASTRONAUT]:
        lines = side_by_side(
            label_image, path, str(photo), labels, steps=QUANTIZED_STEPS.get(pathlib.Path(model).stem, 0), relative=relative
        )
        assert len(lines) == 5 and 0 < float(lines[0].split(":")[0]) <= 1


# ---- detection ----


def detect_objects(Interpreter, model, image, labels, threshold=0.5):
    interpreter = Interpreter(**({"model_content": model} if isinstance(model, bytes) else {"model_path": model}))
    interpreter.allocate_tensors()
    input_details = interpreter.get_input_details()
    output_details = interpreter.get_output_details()
    _, input_height, input_width, _ = input_details[0]["shape"]
    picture = Image.open(image).convert("RGB")
    resized = np.asarray(picture.resize((input_width, input_height)))
    if input_details[0]["dtype"] == np.float32:
        resized = resized.astype(np.float32) / 127.5 - 1

    # set_input_tensor, by the view
    tensor_index = input_details[0]["index"]
    input_tensor = interpreter.tensor(tensor_index)()[0]
    input_tensor[:, :] = resized
    del input_tensor
    interpreter.invoke()

    def get_output_tensor(index):
        return np.squeeze(interpreter.get_tensor(output_details[index]["index"]))

    boxes, classes, scores = get_output_tensor(0), get_output_tensor(1), get_output_tensor(2)
    count = int(get_output_tensor(3))
    results = []
    for i in range(count):
        if scores[i] >= threshold:
            ymin, xmin, ymax, xmax = boxes[i]
            box = [int(xmin * picture.width), int(ymin * picture.height), int(xmax * picture.width), int(ymax * picture.height)]
            results.append({"bounding_box": box, "class": labels[int(classes[i])], "score": float(scores[i])})
    return results


def same_things(mine, theirs):
    """How many of the things there are here, too, within twelve pixels."""
    return sum(
        any(a["class"] == b["class"] and np.max(np.abs(np.subtract(a["bounding_box"], b["bounding_box"]))) < 12 for a in mine)
        for b in theirs
    )


@pytest.mark.parametrize(
    "model", ["made", *shared_models("ssd_mobilenet_v1_qat_uint8")], ids=lambda model: pathlib.Path(model).stem
)
def test_object_detection_on_photographs(model):
    """What counts is what the program says: a step of the integers inside may put another box among the ten at the end."""
    labels = [str(number) for number in range(91)]
    photos = [ASTRONAUT, *sorted((SHARED / "sets/coco_64").glob("*.jpg"))[:8]]
    agree = total = 0
    for photo in photos:
        mine, theirs = (
            detect_objects(base, make_ssd() if model == "made" else str(model), str(photo), labels) for base in (Ours, Theirs)
        )
        assert all(a.keys() == b.keys() for a, b in zip(mine, theirs))
        total += len(theirs)
        agree += same_things(mine, theirs)
    assert total > 0 and agree >= 0.9 * total


def test_object_detection():
    # Behind the number of things that the last output tells, LiteRT leaves what the memory held: there, types and shapes count.
    results = side_by_side(detect_objects, make_ssd(), str(ASTRONAUT), ["face"], relative=np.inf)
    theirs = detect_objects(Theirs, make_ssd(), str(ASTRONAUT), ["face"])
    assert results[0]["bounding_box"] == theirs[0]["bounding_box"] and results[0]["score"] == pytest.approx(
        theirs[0]["score"], abs=1e-4
    )
    assert len(results) == len(theirs) == 1 and results[0]["class"] == "face" and results[0]["score"] > 0.8
    left, top, right, bottom = results[0]["bounding_box"]
    assert 160 < left < 190 and 60 < top < 90 and 260 < right < 290 and 160 < bottom < 195  # Eileen Collins' face


# ---- audio ----


def say(text, path):
    """Speech by espeak-ng, at 16 kHz with quiet around it."""
    subprocess.run(["espeak-ng", "-v", "en-us", "-s", "140", "-w", str(path), text], check=True)
    with wave.open(str(path)) as file:
        samples, rate = np.frombuffer(file.readframes(file.getnframes()), np.int16), file.getframerate()
    sound = np.interp(np.arange(0, len(samples), rate / 16000), np.arange(len(samples)), samples)
    return np.concatenate([np.zeros(24000), sound, np.zeros(16000)]).astype(np.int16)


def wake_word(Interpreter, folder, word, x):
    """As openWakeWord has it: three interpreters, resized to what there is."""
    melspec_model = Interpreter(model_path=str(folder / "melspectrogram.tflite"), num_threads=1)
    embedding_model = Interpreter(model_path=str(folder / "embedding_model.tflite"), num_threads=1)
    model = Interpreter(model_path=str(folder / f"{word}.tflite"), num_threads=1)

    # melspectrogram
    melspec_input_index = melspec_model.get_input_details()[0]["index"]
    melspec_output_index = melspec_model.get_output_details()[0]["index"]
    melspec_model.resize_tensor_input(melspec_input_index, [1, len(x)], strict=True)  # initial
    melspec_model.allocate_tensors()
    melspec_model.set_tensor(melspec_input_index, x.astype(np.float32)[None,])
    melspec_model.invoke()
    spec = np.squeeze(melspec_model.get_tensor(melspec_output_index)) / 10 + 2

    # embeddings, all windows in one batch
    windows = [spec[i : i + 76] for i in range(0, spec.shape[0], 8) if spec[i : i + 76].shape[0] == 76]
    batch = np.expand_dims(np.array(windows), axis=-1).astype(np.float32)
    embedding_input_index = embedding_model.get_input_details()[0]["index"]
    embedding_output_index = embedding_model.get_output_details()[0]["index"]
    embedding_model.resize_tensor_input(embedding_input_index, [batch.shape[0], 76, 32, 1], strict=True)
    embedding_model.allocate_tensors()
    embedding_model.set_tensor(embedding_input_index, batch)
    embedding_model.invoke()
    embedding = embedding_model.get_tensor(embedding_output_index).squeeze()

    model.allocate_tensors()
    input_details, output_details = model.get_input_details(), model.get_output_details()
    frames = input_details[0]["shape"][1]
    predictions = []
    for i in range(len(embedding) - frames + 1):
        model.set_tensor(input_details[0]["index"], embedding[None, i : i + frames].astype(np.float32))
        model.invoke()
        predictions.append(model.get_tensor(output_details[0]["index"])[0][0])
    return max(predictions)


def test_wake_word(tmp_path):
    names = ["melspectrogram", "embedding_model", "hey_jarvis", "alexa"]
    folder = fetch("pyopen-wakeword==1.1.0", [f"{WAKE}{name}.tflite" for name in names]) / WAKE
    scores = {
        (text, word): side_by_side(wake_word, folder, word, say(text, tmp_path / "said.wav"), relative=1e-3)
        for text in ("hey jarvis", "alexa")
        for word in ("hey_jarvis", "alexa")
    }
    assert all((score > 0.5) == (text.replace(" ", "_") == word) for (text, word), score in scores.items())


def stream(Interpreter, path, features):
    """As microWakeWord has it: an int8 model that keeps its state, fed three frames at a time; a sliding window's mean counts."""
    interpreter = Interpreter(model_path=path)
    interpreter.allocate_tensors()
    input_details, output_details = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    data_type, (scale, zero_point) = input_details["dtype"], input_details["quantization"]
    stride = input_details["shape"][1]
    probabilities = collections.deque(maxlen=5)
    means = []
    for start in range(0, len(features) - stride + 1, stride):
        quantized = np.round(features[start : start + stride] / scale + zero_point)
        interpreter.set_tensor(input_details["index"], np.clip(quantized, -128, 127).astype(data_type)[None])
        interpreter.invoke()
        output = interpreter.get_tensor(output_details["index"])[0][0]
        probabilities.append(float(output - output_details["quantization"][1]) * output_details["quantization"][0])
        means.append(sum(probabilities) / len(probabilities))
    return means


def test_a_stream_keeps_its_state():
    folder = fetch("pymicro-wakeword==2.5.0", [MICRO + "okay_nabu.tflite"]) / MICRO
    random = np.random.default_rng(0)
    features = np.abs(np.cumsum(random.normal(0, 1, (60, 40)), axis=0))  # loudness by band, as time goes by
    means = side_by_side(stream, str(folder / "okay_nabu.tflite"), features.astype(np.float32))
    assert len(means) == 20


def transcribe(Interpreter, path, sound):
    """By the signature, as audio examples do."""
    interpreter = Interpreter(path)
    signatures = interpreter.get_signature_list()
    runner = interpreter.get_signature_runner(next(iter(signatures)))
    details = runner.get_input_details()
    name = next(iter(details))
    answers = runner(**{name: sound[None, : details[name]["shape"][1], None]})
    interpreter.get_output_details(), interpreter.get_input_details(), interpreter.get_tensor_details()
    return {key: (value.shape, value.dtype, float(value.max())) for key, value in answers.items()}


def test_transcription():
    time = np.arange(43844) / 22050
    chord = sum(np.sin(2 * np.pi * pitch * time) for pitch in (220.0, 277.18, 329.63)).astype(np.float32) / 3
    answers = [transcribe(base, PITCH, chord) for base in (Ours, Theirs)]
    assert answers[0].keys() == answers[1].keys() and len(answers[0]) == 3
    for key in answers[0]:
        assert answers[0][key][:2] == answers[1][key][:2] and answers[0][key][2] == pytest.approx(answers[1][key][2], abs=1e-3)


# ---- what such programs get wrong ----

MISTAKES = {
    "not normalised, float64": lambda i, x: i.set_tensor(x["index"], np.zeros(x["shape"]) / 255.0),
    "pixels for floats": lambda i, x: i.set_tensor(x["index"], np.zeros(x["shape"], np.uint8)),
    "no batch": lambda i, x: i.set_tensor(x["index"], np.zeros(x["shape"][1:], np.float32)),
    "channels first": lambda i, x: i.set_tensor(x["index"], np.zeros(x["shape"][[0, 3, 1, 2]], np.float32)),
    "another size": lambda i, x: i.set_tensor(x["index"], np.zeros([1, 300, 300, 3], np.float32)),
    "a picture object": lambda i, x: i.set_tensor(x["index"], Image.new("RGB", (256, 256))),
    "no such output": lambda i, x: i.get_tensor(10_000),
    "an input by its name": lambda i, x: i.set_tensor(x["name"], np.zeros(x["shape"], np.float32)),
    "a view across a run": lambda i, x: (i.tensor(x["index"])(), [view := i.tensor(x["index"])(), i.invoke()]),
    "resized and not allocated": lambda i, x: (i.resize_tensor_input(x["index"], [2, *x["shape"][1:]]), i.invoke()),
    "a signature that is not there": lambda i, x: i.get_signature_runner("serving_default"),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_mistakes_raise_the_same(what):
    model = make_ssd()
    kinds = []
    for base in (Ours, Theirs):
        interpreter = base(model_content=model)
        interpreter.allocate_tensors()
        with pytest.raises((ValueError, TypeError, RuntimeError)) as raised:
            MISTAKES[what](interpreter, interpreter.get_input_details()[0])
        kinds.append(next(kind for kind in (ValueError, TypeError, RuntimeError) if isinstance(raised.value, kind)))
        assert str(raised.value)
    assert kinds[0] is kinds[1]


def test_a_model_that_is_not_there():
    for base in (Ours, Theirs):
        with pytest.raises(ValueError):
            label_image(base, str(pathlib.Path("no/model.tflite")), str(ASTRONAUT), EMOTIONS)
