"""Real ONNX models: the float .tflite against ONNX Runtime, then int8 made from the .onnx, both run by LiteRT.

    FEWBITS=build/release/fewbits python -m pytest tests/onnx      with a Python that has onnx, onnxruntime, ai-edge-litert, pillow

Models of PyPI packages are downloaded into build/models; those of shared/data are looked at where there is such a folder.
"""

import dataclasses
import pathlib
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import support  # noqa: E402


# ---- inputs that the models were made for ----


def written(width, height, lines):
    picture = Image.new("RGB", (width, height), (240, 238, 230))
    draw = ImageDraw.Draw(picture)
    step = height // len(lines)
    for i, line in enumerate(lines):
        draw.text((step // 4, i * step + step // 8), line, fill=(20, 20, 30), font=ImageFont.load_default(size=step * 2 // 3))
    return np.asarray(picture, np.float32) / 255


def channels_first(picture):
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None])


def page(width=480, height=320):
    lines = ["The quick brown fox", "jumps over 1234567890", "the lazy dog.", "fewbits converts"]
    return {"x": channels_first(written(width, height, lines) * 2 - 1)}


def line(width=320):
    return {"x": channels_first(written(width, 48, ["fewbits 2026"]) * 2 - 1)}


def small_line():
    return {"x": channels_first(written(192, 48, ["fewbits"]) * 2 - 1)}


def scene(size):
    """Smooth colours with edges: what photographs have and noise has not."""
    y, x = np.mgrid[0:size, 0:size] / size
    picture = np.stack([np.sin(7 * x + 2 * y), np.cos(5 * y * y + x), np.sin(9 * x * y)], -1) / 2 + 0.5
    picture[size // 4:size // 2, size // 3:size * 3 // 4] = (0.9, 0.2, 0.1)
    return picture.astype(np.float32)


def photograph(size, name):
    folder = support.packages.SHARED / "sets" / "imagenet_500"
    picture = np.asarray(Image.open(sorted(folder.glob("*.jpg"))[3]).convert("RGB").resize((size, size)), np.float32) / 255
    if name == "input":  # normalised as EfficientNet-Lite0 was trained
        picture = (picture - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
    return {name: channels_first(picture.astype(np.float32))}


def tones():
    t = np.arange(43844) / 22050
    return {"serving_default_input_2:0": (0.3 * np.sin(2 * np.pi * 440 * t) * (t % 0.5 < 0.3) + 0.2 * np.sin(2 * np.pi * 660 * t))
            .astype(np.float32)[None, :, None]}


def digit():
    return {"Input3": (255 * (1 - written(28, 28, ["7"])).mean(-1)).astype(np.float32)[None, None]}


def noise(shapes):
    rng = np.random.default_rng(5)
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def spectrum():
    rng = np.random.default_rng(3)
    return {"input_2": np.abs(rng.standard_normal((1, 1, 257))).astype(np.float32),
            "input_3": (0.1 * rng.standard_normal((1, 2, 128, 2))).astype(np.float32)}


def frame():
    rng = np.random.default_rng(3)
    return {"input_4": (0.1 * rng.standard_normal((1, 1, 512))).astype(np.float32),
            "input_5": (0.1 * rng.standard_normal((1, 2, 128, 2))).astype(np.float32)}


@dataclasses.dataclass(frozen=True)
class Model:
    name: str
    source: tuple  # (package, member), or (None, file of shared/data/models)
    feeds: object
    int8: float  # the least that int8's answers are above their error, in decibels
    arguments: tuple = ()
    transposes: int = 2  # in the float model, at the borders that stay channels-first or between attention heads

    def path(self):
        package, member = self.source
        return support.packages.fetch(package, [member]) / member if package else support.packages.SHARED / "models" / member


OCR, QONNX = "rapidocr-onnxruntime==1.4.4", "qonnx==1.0.0"
ALL = [
    Model("basic_pitch", ("basic-pitch==0.4.0", "basic_pitch/saved_models/icassp_2022/nmp.onnx"), tones, 7, transposes=18),
    Model("ocr_detection", (OCR, "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx"), page, 8, ("--shape", "x=1,3,320,480")),
    Model("ocr_recognition", (OCR, "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx"), line, 8, ("--shape", "x=1,3,48,320"),
          transposes=9),
    Model("ocr_direction", (OCR, "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx"), small_line, 20,
          ("--shape", "x=1,3,48,192")),
    Model("super_resolution", (QONNX, "qonnx/data/onnx/bsd300x3-espcn/nn_resize/float_model.onnx"),
          lambda: {"onnx::Relu_0": channels_first(scene(128))}, 25),
    Model("super_resolution_subpixel", (QONNX, "qonnx/data/onnx/bsd300x3-espcn/subpixel/float_model.onnx"),
          lambda: {"input": channels_first(scene(4))}, 25),
    Model("mnist", (QONNX, "qonnx/data/onnx/mnist-conv/model.onnx"), digit, 30),
    Model("attention", (QONNX, "qonnx/data/onnx/matmul_update/sdp.onnx"), lambda: noise({f"onnx::Reshape_{i}": (64, 1, 128) for i in range(3)}), 20,
          transposes=4),
]
SHARED = [
    Model("fastestdet", (None, "fastestdet.onnx"), lambda: photograph(352, "input.1"), 12),
    Model("efficientnet_lite0", (None, "efficientnet_lite0/model.onnx"), lambda: photograph(224, "input"), 15),
    Model("dtln_1", (None, "dtln/model_1.onnx"), spectrum, 12),
    Model("dtln_2", (None, "dtln/model_2.onnx"), frame, 20),
]
if support.packages.SHARED.exists():  # then each of them must be there
    ALL += SHARED


def allowed(model, feeds, wanted):
    """1e-5 of the range. Where ONNX Runtime's own answer moves further than an eighth of that when the input moves by one unit in its
    last place, or when its graph optimizations are off, eight times as far as it moves: hundreds of layers round once each."""
    limits = {}
    others = [support.onnxruntime_outputs(model.path(), feeds, optimized=False)]
    for towards in (-np.inf, np.inf):
        nudged = {name: np.nextafter(array, np.float32(towards)) for name, array in feeds.items()}
        others.append(support.onnxruntime_outputs(model.path(), nudged))
    for name in wanted:
        limits[name] = max(support.TOLERANCE, 8 * max(support.distance(other[name], wanted[name]) for other in others))
    return limits


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.name)
def test_float_model_equals_onnxruntime(model, tmp_path):
    feeds = model.feeds()
    wanted = support.onnxruntime_outputs(model.path(), feeds)
    target = support.convert(model.path(), tmp_path / "model.tflite", *model.arguments)
    got = support.litert_outputs(target, feeds)
    assert set(got) == set(wanted)
    limits = allowed(model, feeds, wanted)
    for name in wanted:
        assert support.distance(got[name], wanted[name]) <= limits[name], name
    assert support.operators(target).count("TRANSPOSE") <= model.transposes


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.name)
def test_int8_model_runs_in_litert(model, tmp_path):
    feeds = model.feeds()
    np.savez(tmp_path / "samples.npz", **{name: array[None] if array.shape[0] != 1 else array for name, array in feeds.items()})
    target = tmp_path / "int8.tflite"
    done = support.run("quantize", model.path(), "-o", target, "--mode", "int8", "--keep-layout", "--calibrate", tmp_path / "samples.npz",
                       *model.arguments)
    assert done.returncode == 0, done.stderr
    wanted = support.onnxruntime_outputs(model.path(), feeds)
    got = support.litert_outputs(target, feeds)
    for name in wanted:
        assert support.decibels(got[name], wanted[name]) >= model.int8, name


def test_formats_of_one_model_agree(tmp_path):
    """basic-pitch's .onnx, SavedModel and .tflite are one network."""
    folder = "basic_pitch/saved_models/icassp_2022/nmp"
    root = support.packages.fetch("basic-pitch==0.4.0", [folder + ".onnx", folder + ".tflite", folder + "/"])
    (audio,) = tones().values()
    answers = []
    for source in (folder + ".onnx", folder + ".tflite", folder):
        target = tmp_path / "model.tflite"
        done = support.run("convert", root / source, "-o", target, "--keep-layout")
        assert done.returncode == 0, done.stderr
        from ai_edge_litert.interpreter import Interpreter
        interpreter = Interpreter(str(target))
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], audio)
        interpreter.invoke()
        arrays = [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
        answers.append(sorted(arrays, key=lambda array: (array.shape, float(array.sum()))))
    for others in answers[1:]:
        for got, wanted in zip(others, answers[0], strict=True):
            assert support.distance(got, wanted) <= support.TOLERANCE


@pytest.mark.parametrize("width", [200, 320, 480])
@pytest.mark.parametrize("shape", ["1,3,48,-1", "-1,3,48,-1"])
def test_recognition_takes_any_width(shape, width, tmp_path):
    from ai_edge_litert.interpreter import Interpreter
    model = next(model for model in ALL if model.name == "ocr_recognition")
    target = support.convert(model.path(), tmp_path / "model.tflite", "--shape", f"x={shape}")
    feeds = line(width)
    wanted = support.onnxruntime_outputs(model.path(), feeds)
    interpreter = Interpreter(str(target))
    index = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(index, feeds["x"].shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(index, feeds["x"])
    interpreter.invoke()
    got = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert support.distance(got, wanted[next(iter(wanted))]) <= allowed(model, feeds, wanted)[next(iter(wanted))]
