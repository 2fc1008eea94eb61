"""Real SavedModels, and those that Keras exports, against TensorFlow: the float .tflite, then int8 made from it, run by LiteRT.

    FEWBITS=build/release/fewbits python -m pytest tests/savedmodel      with a Python that has tensorflow, keras and LiteRT

Models: those of FEWBITS_MODELS (a folder like shared/data/models) and of the PyPI package basic-pitch where they are there, and
keras.applications with seeded weights, kept in FEWBITS_APPLICATIONS when that is set; and the catalogue's networks that
shared/tools/make_models.py makes, kept in FEWBITS_MADE.
"""
import os
import pathlib
import shutil
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np  # noqa: E402
import pytest  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import support  # noqa: E402

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import packages  # noqa: E402

FEWBITS = os.environ.get("FEWBITS", "fewbits")
MODELS = pathlib.Path(os.environ.get("FEWBITS_MODELS", str(packages.SHARED / "models")))
TOLERANCE = 1e-5  # of the output's range
FILES = {
    "efficientnet_lite0": MODELS / "efficientnet_lite0/saved_model",
    "kws": MODELS / "mlperf_tiny/kws_saved_model",
}
MAKER = packages.SHARED.parent / "tools" / "make_models.py"


def waves():
    """A picture with edges and gradients: its last dimension is colours."""
    y, x, c = np.meshgrid(np.linspace(0, 9, 512), np.linspace(0, 7, 512), np.arange(3), indexing="ij")
    return {"input": (np.sin(y + c) * np.cos(x * y / 3 - c) + 0.3 * np.sign(np.sin(5 * x)))[None].astype(np.float32)}


def words():
    """A sentence of 70 tokens."""
    mask = (np.arange(128) < 70).astype(np.int32)[None]
    return {"input_ids": np.random.default_rng(3).integers(1000, 20000, (1, 128)).astype(np.int32) * mask, "input_mask": mask}


MADE = {"effdet_d0": waves, "minilm6": words}
# The least that int8's answers are above their error, in decibels: what TensorFlow's converter gives for the same sample. The weights
# are random.
INT8 = {"effdet_d0": 10.6, "minilm6": 21.5}
APPLICATIONS = os.environ.get("FEWBITS_APPLICATION_NAMES", "MobileNetV2 MobileNetV3Small EfficientNetB0 LSTM GRU").split()
KINDS = {"saved_model": "saved_model", "keras": "model.keras", "h5": "model.h5"}


def run(*arguments):
    return subprocess.run([FEWBITS, *map(str, arguments)], capture_output=True, text=True)


@pytest.fixture(scope="session")
def applications(tmp_path_factory):
    folder = pathlib.Path(os.environ.get("FEWBITS_APPLICATIONS") or tmp_path_factory.mktemp("applications"))
    make = pathlib.Path(__file__).parent / "make_models.py"
    subprocess.run([sys.executable, make, folder, *APPLICATIONS], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("name", FILES)
def test_saved_model_equals_tensorflow(tmp_path, name):
    source, target = FILES[name], tmp_path / "model.tflite"
    assert source.exists(), f"set FEWBITS_MODELS: there is no {source}"
    converted = run("convert", source, "-o", target)
    assert converted.returncode == 0, converted.stderr
    feeds, wanted = support.tensorflow_outputs(source)
    got = support.litert_outputs(target, feeds)
    assert set(got) == set(wanted)  # the signature's own names
    for key in wanted:
        assert support.distance(got[key], wanted[key]) <= TOLERANCE, key


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Name to (SavedModel, inputs, TensorFlow's outputs, how far those move when the inputs move by one unit in their last place)."""
    assert MAKER.exists(), f"set FEWBITS_SHARED: there is no {MAKER}"
    folder = pathlib.Path(os.environ.get("FEWBITS_MADE") or tmp_path_factory.mktemp("made"))
    missing = [name for name in MADE if not (folder / name / "saved_model" / "saved_model.pb").exists()]
    if missing:
        subprocess.run([sys.executable, MAKER, folder, *missing], check=True, capture_output=True)
    models = {}
    for name in MADE:
        source = folder / name / "saved_model"
        feeds, wanted = support.tensorflow_outputs(source, feeds=MADE[name]())
        others = [support.tensorflow_outputs(source, feeds=other)[1] for other in support.nudged(feeds)]
        models[name] = source, feeds, wanted, {key: max(support.distance(other[key], wanted[key]) for other in others) for key in wanted}
    return models


@pytest.mark.parametrize("name", MADE)
def test_made_network_equals_tensorflow(made, tmp_path, name):
    source, feeds, wanted, moved = made[name]
    target = tmp_path / "model.tflite"
    converted = run("convert", source, "-o", target)
    assert converted.returncode == 0, converted.stderr
    got = support.litert_outputs(target, feeds)
    assert set(got) == set(wanted)
    for key in wanted:  # as in test_application_equals_keras
        assert support.distance(got[key], wanted[key]) <= max(TOLERANCE, 8 * moved[key]), key


@pytest.mark.parametrize("name", MADE)
def test_made_network_in_integers(made, tmp_path, name):
    source, feeds, wanted, _ = made[name]
    target, samples = tmp_path / "int8.tflite", tmp_path / "samples.npz"
    np.savez(samples, **feeds)
    quantized = run("quantize", source, "-o", target, "--mode", "int8", "--calibrate", samples)
    assert quantized.returncode == 0, quantized.stderr
    got = support.litert_outputs(target, feeds)
    assert set(got) == set(wanted)
    for key in wanted:
        assert support.decibels(got[key], wanted[key]) >= INT8[name], key


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", APPLICATIONS)
def test_application_equals_keras(applications, tmp_path, name, kind):
    target = tmp_path / "model.tflite"
    converted = run("convert", applications / name / KINDS[kind], "-o", target)
    assert converted.returncode == 0, converted.stderr
    expected = np.load(applications / name / "expected.npz")
    (got,) = support.litert_outputs(target, [expected["input"]]).values()
    # Hundreds of layers round once each: where one rounding of the input moves Keras's own answer further than an eighth of the
    # tolerance, ours may lie eight times as far away.
    moved = max(support.distance(nudged, expected["output"]) for nudged in expected["nudged"])
    assert support.distance(got, expected["output"]) <= max(TOLERANCE, 8 * moved)


@pytest.mark.parametrize("name", ["MobileNetV2", "EfficientNetB0"])
def test_no_transpose_is_left_inside(applications, tmp_path, name):
    target = tmp_path / "model.tflite"
    assert run("convert", applications / name / "saved_model", "-o", target).returncode == 0
    assert "TRANSPOSE" not in support.operators(target)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_quantized_straight_from_the_source(applications, tmp_path, name):
    """int8 from each format, run by LiteRT. The weights are random, so the answers are compared with Keras's, not with labels."""
    data = np.load(applications / name / "expected.npz")
    samples = tmp_path / "samples"
    samples.mkdir()
    np.save(samples / "0.npy", data["input"][0])
    moved = max(support.distance(nudged, data["output"]) for nudged in data["nudged"])
    outputs = []
    for kind in KINDS:
        target = tmp_path / f"{kind}.tflite"
        made = run("quantize", applications / name / KINDS[kind], "-o", target, "--mode", "int8", "--calibrate", samples)
        assert made.returncode == 0, made.stderr
        (got,) = support.litert_outputs(target, [data["input"]]).values()
        assert np.isfinite(got).all()
        if moved < 1e-5:  # beyond that, rounding to 8 bits says nothing about the conversion
            assert support.decibels(got, data["output"]) >= 20, kind
        outputs.append(got)


# ---- what is broken ----


def damaged_copy(tmp_path, change):
    copy = tmp_path / "damaged"
    shutil.copytree(FILES["kws"], copy)
    change(copy)
    return copy


def flip(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(data)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("file, change, named", [
    ("variables/variables.data-00000-of-00001", lambda path: flip(path, 2000), "checksum"),
    ("variables/variables.data-00000-of-00001", truncate, "variables.data-00000-of-00001"),
    ("variables/variables.data-00000-of-00001", lambda path: path.unlink(), "variables.data-00000-of-00001"),
    ("variables/variables.index", lambda path: flip(path, 100), "variables.index"),
    ("variables/variables.index", truncate, "variables.index"),
    ("saved_model.pb", truncate, "saved_model.pb"),
    ("saved_model.pb", lambda path: path.write_bytes(b""), "saved_model.pb"),
])
def test_damage_is_an_error_that_names_the_file(tmp_path, file, change, named):
    source = damaged_copy(tmp_path, lambda copy: change(copy / file))
    target = tmp_path / "model.tflite"
    result = run("convert", source, "-o", target)
    assert result.returncode not in (0, -6, -11)
    assert named in result.stderr
    assert not target.exists()


def test_damaged_keras_files_are_errors(applications, tmp_path):
    for kind in ("keras", "h5"):
        data = (applications / "LSTM" / KINDS[kind]).read_bytes()
        for size in (0, 10, len(data) // 2, len(data) - 100):
            broken = tmp_path / f"broken.{kind}"
            broken.write_bytes(data[:size])
            result = run("convert", broken, "-o", tmp_path / "model.tflite")
            assert result.returncode not in (0, -6, -11), size
            assert "broken" in result.stderr
