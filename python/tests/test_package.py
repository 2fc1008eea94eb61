"""fewbits proper: models, data of all kinds, runtime, comparison, accuracy, progress, interruption."""

import dataclasses
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc

import numpy as np
import pytest

import fewbits
from conftest import CLASSES, IMAGE, LANDMARKS, TWO_INPUTS
from fewbits.errors import FewbitsError, InUseError, InvalidArgumentError, InvalidDataError, InvalidModelError, NotFoundError

SAMPLES = 12


def ranges(calibration):
    return [(r.name, r.samples, r.min, r.max, r.average_min, r.average_max) for r in calibration.ranges()]


@pytest.fixture(scope="module")
def images(pictures):
    return pictures[0][:SAMPLES]


@pytest.fixture(scope="module")
def expected(classifier, images):
    return ranges(fewbits.calibrate(classifier, images))


class Loader:
    """As torch's: a length, an iterator of batches."""

    def __init__(self, images, labels, batch):
        self.images, self.labels, self.batch = images, labels, batch

    def __len__(self):
        return -(-len(self.images) // self.batch)

    def __iter__(self):
        for begin in range(0, len(self.images), self.batch):
            yield [self.images[begin : begin + self.batch], self.labels[begin : begin + self.batch]]


class KerasLike:
    """As keras.utils.PyDataset: items and a length, no iterator."""

    def __init__(self, loader):
        self.batches = list(loader)

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return tuple(self.batches[index])


class Tensor:
    """As torch.Tensor."""

    def __init__(self, array):
        self.array = array

    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return self.array


KINDS = {
    "array": lambda images, labels, tmp: images,
    "dict of arrays": lambda images, labels, tmp: {"input_1": images},
    "list of samples": lambda images, labels, tmp: [image[None] for image in images],
    "list without batch": lambda images, labels, tmp: list(images),
    "lists": lambda images, labels, tmp: [[image[None]] for image in images],
    "dicts": lambda images, labels, tmp: [{"input_1": image[None]} for image in images],
    "pairs": lambda images, labels, tmp: [(image, label) for image, label in zip(images, labels)],
    "generator": lambda images, labels, tmp: (image for image in images),
    "function": lambda images, labels, tmp: lambda: (image for image in images),
    "batches": lambda images, labels, tmp: Loader(images, labels, 5),
    "one-hot batches": lambda images, labels, tmp: Loader(images, np.eye(CLASSES)[labels], 5),
    "Keras": lambda images, labels, tmp: KerasLike(Loader(images, labels, 4)),
    "tensors": lambda images, labels, tmp: [Tensor(image) for image in images],
    "float64": lambda images, labels, tmp: images.astype(np.float64),
    "not contiguous": lambda images, labels, tmp: np.asfortranarray(images),
    "big-endian": lambda images, labels, tmp: images.astype(">f4"),
    "npy": lambda images, labels, tmp: save(tmp / "images.npy", images),
    "path": lambda images, labels, tmp: tmp / os.path.basename(save(tmp / "images.npy", images)),
    "Dataset": lambda images, labels, tmp: fewbits.dataset(images),
}


def save(path, array):
    np.save(path, array)
    return str(path)


@pytest.mark.parametrize("kind", KINDS)
def test_data_of_every_kind_measures_the_same(kind, classifier, images, pictures, expected, tmp_path):
    data = KINDS[kind](images, pictures[1][:SAMPLES], tmp_path)
    assert ranges(fewbits.calibrate(classifier, data)) == expected


def test_labels_come_through(classifier, pictures):
    images, labels = pictures[0][:40], pictures[1][:40]
    by_hand = [int(np.argmax(fewbits.Runtime(classifier)(image[None]))) for image in images]
    for data in (Loader(images, labels, 16), list(zip(images, labels)), KerasLike(Loader(images, np.eye(CLASSES)[labels], 16))):
        accuracy = fewbits.evaluate(classifier, data)
        assert accuracy.samples == 40 and accuracy.top1_hits == sum(a == b for a, b in zip(by_hand, labels))
    assert "top-1" in repr(accuracy)


def test_recipes_are_values(classifier, images, tmp_path):
    wanted = fewbits.quantize(classifier, "int8", images, exclude=["SOFTMAX"], range="average", per_channel=False)
    recipe = wanted.recipe
    assert recipe.to_dict() == {"mode": "int8", "per_channel": False, "range": "average", "exclude": ["SOFTMAX"]}
    recipe.save(tmp_path / "recipe.json")
    assert fewbits.Recipe.load(tmp_path / "recipe.json") == recipe == fewbits.Recipe.of(recipe.to_dict())
    for given in (recipe, recipe.to_dict(), json.loads((tmp_path / "recipe.json").read_text())):
        assert fewbits.quantize(classifier, given, images).to_bytes() == wanted.to_bytes()
    again = dataclasses.replace(recipe, mode="weights", min_elements=16)
    assert (
        fewbits.quantize(classifier, again).to_bytes()
        == fewbits.quantize(
            classifier, "weights", min_elements=16, per_channel=False, range="average", exclude=["SOFTMAX"]
        ).to_bytes()
    )
    for bad, message in (
        ({"mode": "int8", "exlude": []}, "no 'exlude'; did you mean 'exclude'"),
        ({"exclude": []}, "needs a 'mode'"),
        ({"mode": "int7"}, "mode"),
        ({"mode": "int8", "exclude": "SOFTMAX"}, r"write \['SOFTMAX'\]"),
    ):
        with pytest.raises(InvalidArgumentError, match=message):
            fewbits.quantize(classifier, bad, images)
    with pytest.raises(InvalidArgumentError, match="rounding: say it in the recipe"):
        fewbits.quantize(classifier, recipe, images, rounding="nearest")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(InvalidArgumentError, match="broken.json is no recipe"):
        fewbits.Recipe.load(tmp_path / "broken.json")


def test_counts_and_choices(classifier, images):
    assert fewbits.calibrate(classifier, (image for image in images), samples=5).samples == 5
    assert fewbits.calibrate(classifier, images, samples=5, seed=1).samples == 5
    with pytest.raises(InvalidArgumentError, match="stream"):
        fewbits.calibrate(classifier, (image for image in images), samples=5, seed=1)
    assert fewbits.dataset(images).size == SAMPLES and fewbits.dataset(iter(images), fewbits.load(classifier)).size is None


def test_parts_merge_to_the_whole(classifier, images, expected, tmp_path):
    whole = fewbits.calibrate(classifier, images[:5])
    whole.merge(fewbits.calibrate(classifier, images[5:]))
    assert [r[:4] for r in ranges(whole)] == [r[:4] for r in expected]
    whole.save(str(tmp_path / "ranges.json"))
    assert ranges(fewbits.Calibration.load(str(tmp_path / "ranges.json"))) == ranges(whole)


BAD = {
    "shape": (np.zeros([2, 7, 7, 1], np.float32), "has shape"),
    "strings": (np.array(["a", "b"]), "no numbers"),
    "unequal rows": ({"a": np.zeros([2, 3]), "b": np.zeros([3, 3])}, "as many"),
    "empty": (np.zeros([0, *IMAGE[1:]], np.float32), "one sample a row"),
    "no sample": (iter(()), "no sample"),
    "NaN": (np.full(IMAGE, np.nan, np.float32), "nan"),
    "not data": (3, "no data"),
    "two arrays too many": ([[np.zeros(IMAGE, np.float32)] * 3], "takes 1"),
    "names": ([{"nope": np.zeros(IMAGE, np.float32)}], "nope"),
    "complex": (np.zeros(IMAGE, np.complex64), "no numbers"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_data_raises(what, classifier):
    with pytest.raises(InvalidDataError, match=BAD[what][1]):
        fewbits.calibrate(classifier, BAD[what][0])


def test_exceptions_of_the_data_come_through(classifier):
    class Broken:
        def __iter__(self):
            yield np.zeros(IMAGE[1:], np.float32), 1
            raise OSError("disk gone")

    for call in (fewbits.calibrate, fewbits.evaluate):
        with pytest.raises(OSError, match="disk gone"):
            call(classifier, Broken())
    with pytest.raises(OSError, match="disk gone"):
        fewbits.compare(classifier, classifier, Broken())


def test_errors_are_typed_and_say_where(classifier):
    with pytest.raises(NotFoundError, match="nope.tflite"):
        fewbits.load("nope.tflite")
    with pytest.raises(InvalidModelError):
        fewbits.load(b"not a model")
    with pytest.raises(NotFoundError):
        fewbits.calibrate(classifier, "/no/data/here")
    with pytest.raises(InvalidArgumentError, match="data="):
        fewbits.quantize(classifier, "int8")
    with pytest.raises(InvalidArgumentError, match="mode"):
        fewbits.quantize(classifier, "int7", np.zeros(IMAGE, np.float32))
    with pytest.raises(InvalidArgumentError, match="bilinear"):
        fewbits.Preprocess(interpolation="nearest")
    for kind in vars(fewbits.errors).values():
        if isinstance(kind, type) and issubclass(kind, Exception):
            assert issubclass(kind, FewbitsError) and isinstance(kind("x").code, str)


def test_runtime_by_place_and_name(classifier, images):
    runtime = fewbits.Runtime(classifier, threads=2)
    one = runtime(images[:1])
    assert one.shape == (1, CLASSES) and one.dtype == np.float32
    np.testing.assert_array_equal(runtime.run({"input_1": images[:1]})["predictions"], one)
    np.testing.assert_array_equal(runtime(np.asfortranarray(images[:1])), one)
    batch = runtime(images[:3])  # the model leaves its batch open
    np.testing.assert_allclose(batch[0], one[0], rtol=1e-5, atol=1e-6)
    one[0, 0] = 5  # a copy of the caller's own
    for bad, message in (
        (images[:1].astype(np.float64), "astype"),
        (images[0], "shape"),
    ):
        with pytest.raises(InvalidArgumentError, match=message):
            runtime(bad)
    with pytest.raises(NotFoundError, match="input_1"):
        runtime.run({"x": images[:1]})
    with pytest.raises(InvalidArgumentError, match="takes 1"):
        runtime(images[:1], images[:1])
    assert any(time.kernel for time in runtime.profile(images[:1])) and runtime.kernels and runtime.memory_bytes > 0
    assert "input_1" in repr(runtime)


def test_views_spare_the_copies(classifier, images):
    runtime = fewbits.Runtime(classifier)
    first, second = runtime(images[:1]), runtime(images[1:2])
    view = runtime.input("input_1")
    assert view.shape == (1, *IMAGE[1:]) and view.flags.writeable and not view.flags.owndata
    view[:] = images[:1]
    scores = runtime.run(copy=False)["predictions"]
    np.testing.assert_array_equal(scores, first)
    assert np.shares_memory(view, runtime.input("input_1"))
    for action in (runtime.run, lambda: runtime(images[:1]), runtime.reset_state, lambda: runtime.profile(images[:1])):
        with pytest.raises(InvalidArgumentError, match="let go of the array"):
            action()
    row = scores[0]
    del scores
    with pytest.raises(InvalidArgumentError, match="run: an array"):
        runtime.run()
    del row
    view[:] = images[1:2]
    np.testing.assert_array_equal(runtime.run()["predictions"], second)
    with pytest.raises(InvalidArgumentError, match="resize_input: an array"):
        runtime(images[:3])
    del view
    assert runtime(images[:3]).shape == (3, CLASSES)
    with pytest.raises(NotFoundError, match="input_1"):
        runtime.input("x")


def test_packed_weights_are_kept_in_a_file(classifier, images, tmp_path):
    expected = fewbits.Runtime(classifier)(images[:1])
    path = tmp_path / "m.packs"
    for _ in range(2):
        assert np.array_equal(fewbits.Runtime(classifier, pack_cache=path)(images[:1]), expected)
        assert path.stat().st_size > 0
    with pytest.raises(NotFoundError, match="no_folder"):
        fewbits.Runtime(classifier, pack_cache=tmp_path / "no_folder" / "m.packs")(images[:1])


def test_views_outlive_their_runtime(classifier, images):
    runtime = fewbits.Runtime(classifier)
    wanted = runtime(images[:1])
    scores, view = runtime.run(copy=False)["predictions"], runtime.input("input_1")
    del runtime
    gc.collect()
    np.testing.assert_array_equal(scores, wanted)
    view[:] = 1
    assert view.sum() == view.size


def test_missing_inputs_are_named():
    runtime = fewbits.Runtime(TWO_INPUTS)
    with pytest.raises(InvalidArgumentError, match="not set"):
        runtime.run({runtime.inputs[0].label: np.zeros([3, 4, 5], np.float32)})


def test_a_runtime_belongs_to_one_thread():
    runtime = fewbits.Runtime(LANDMARKS)
    array = np.zeros([1, 192, 192, 3], np.float32)
    errors, start = [], threading.Barrier(3)

    def work():
        start.wait()
        for _ in range(20):
            try:
                runtime(array)
            except InUseError as error:
                errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors and runtime(array)["conv2d_20"].shape == (1, 1, 1, 1404)


def test_native_code_leaves_the_gil(classifier):
    runtime = fewbits.Runtime(classifier)
    runtime.resize_input("input_1", [200, *IMAGE[1:]])  # a run that outlasts many turns of the interpreter
    array = np.zeros([200, *IMAGE[1:]], np.float32)
    runtime(array)
    counted, stop = [0], threading.Event()

    def count():
        while not stop.is_set():
            counted[0] += 1

    thread = threading.Thread(target=count)
    thread.start()
    before = counted[0]
    runtime._native.run()
    after = counted[0]
    stop.set()
    thread.join()
    assert after > before


def test_comparison_and_quantized_are_shown(classifier, images):
    small = fewbits.quantize(classifier, "int8", images, exclude=["SOFTMAX"])
    assert [d.type for d in small.in_float] == ["SOFTMAX"] and "SOFTMAX" in repr(small)
    comparison = fewbits.compare(classifier, small, images, layers=True)
    assert comparison.samples == SAMPLES and comparison.outputs[0].error.sqnr_db > 15 and len(comparison.layers) > 10
    assert "dB" in repr(comparison)
    accuracy = fewbits.evaluate(classifier, [(image, 1) for image in images])
    time = fewbits.benchmark(classifier, runs=2, warmup=0, profile=True)
    for shown in (small, comparison, accuracy, time, small.calibration, fewbits.load(classifier)):
        html = shown._repr_html_()
        assert html.count("<table>") == html.count("</table>") > 0
    about = fewbits.load(classifier).describe()
    graph = about.subgraphs[0]
    parts = [about, graph, graph.operators[0], graph.tensors[0], about.signatures[0], fewbits.Runtime(small).kernels[0]]
    parts += [comparison.outputs[0], comparison.layers[0], comparison.layers[0].error, small.decisions[0], time.operators[0]]
    for part in parts:
        assert " object at " not in repr(part) and len(repr(part)) > 8
    assert "CONV_2D" in repr(graph.operators[0]) and "dB" in repr(comparison.layers[0])
    same = fewbits.compare(classifier, classifier, images)
    assert "exact" in repr(same)


def test_a_stream_is_compared_in_one_pass(classifier, images):
    small = fewbits.quantize(classifier, "int8", images)
    a = fewbits.compare(classifier, small, images).outputs[0]
    b = fewbits.compare(classifier, small, (image for image in images)).outputs[0]
    assert a.error.sqnr_db == b.error.sqnr_db and a.agreement == b.agreement


def test_streams_are_not_kept(classifier, images):
    """Memory does not grow with the number of samples."""
    big = [np.concatenate([images[i % SAMPLES : i % SAMPLES + 1]]) for i in range(2)]

    def stream(count):
        for i in range(count):
            yield big[i % 2] + 0

    peaks = []
    for count in (20, 400):
        gc.collect()
        tracemalloc.start()
        fewbits.calibrate(classifier, stream(count))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 10 * big[0].nbytes


def test_model_round_trip(classifier, tmp_path):
    model = fewbits.load(classifier)
    model.save(str(tmp_path / "copy.tflite"))
    assert (tmp_path / "copy.tflite").read_bytes() == model.to_bytes()
    about = model.describe()
    assert len(about.subgraphs) == 1 and about.subgraphs[0].operators[0].type == "CONV_2D"
    index = next(i for i, t in enumerate(about.subgraphs[0].tensors) if t.constant and t.dtype == "float32")
    values = model.constant(0, index)
    assert (
        list(values.shape) == about.subgraphs[0].tensors[index].file_shape
        and values.nbytes == about.subgraphs[0].tensors[index].bytes
    )
    with pytest.raises(InvalidArgumentError):
        model.constant(0, about.subgraphs[0].inputs[0])
    assert "operators" in repr(model)


def test_progress_is_told(classifier, images):
    told = []
    fewbits.calibrate(classifier, images, progress=lambda done, total: told.append((done, total)))
    assert told == [(i + 1, SAMPLES) for i in range(SAMPLES)]
    told.clear()
    fewbits.calibrate(classifier, iter(images), progress=lambda done, total: told.append((done, total)))
    assert told == [(i + 1, 0) for i in range(SAMPLES)]
    with pytest.raises(KeyError):
        fewbits.calibrate(classifier, images, progress=lambda done, total: {}["x"])
    fewbits.calibrate(classifier, images, progress=True)


def test_benchmark(classifier):
    result = fewbits.benchmark(classifier, runs=5, profile=True, shapes={"input_1": [2, *IMAGE[1:]]})
    assert result.runs == 5 and 0 < result.min_ms <= result.median_ms and result.operators and "median" in repr(result)


def interrupted(code, after):
    """Runs code in a process of its own, presses Ctrl-C `after` so many seconds, and gives what it printed then."""
    # A shell starts its background jobs with interrupts ignored, and so would their children be.
    program = f"""
import signal, itertools, numpy, fewbits
signal.signal(signal.SIGINT, signal.default_int_handler)
print("ready", flush=True)
try:
    {code}
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            time.sleep(after)
            process.send_signal(signal.SIGINT)
            return process.communicate(timeout=60)[0], process.returncode
        finally:
            process.kill()


def test_ctrl_c_stops_a_long_call(classifier):
    endless = f"fewbits.calibrate({classifier!r}, itertools.repeat(numpy.zeros({IMAGE}, numpy.float32)))"
    assert interrupted(endless, after=0.5) == ("interrupted\n", 0)


def test_ctrl_c_stops_a_benchmark():
    assert interrupted(f"fewbits.benchmark({LANDMARKS!r}, runs=1000000)", after=1) == ("interrupted\n", 0)


def test_ctrl_c_stops_a_report():
    """While it measures times, too."""
    assert interrupted(f"fewbits.Report({LANDMARKS!r}, runs=1000000)", after=1) == ("interrupted\n", 0)
    both = f"fewbits.Report({LANDMARKS!r}, {LANDMARKS!r}, numpy.zeros([1, 192, 192, 3], numpy.float32), runs=1000000)"
    assert interrupted(both, after=2) == ("interrupted\n", 0)


def test_import_brings_little():
    """What costs time at import stays out until it is used."""
    code = "import sys, fewbits; print([m for m in ('tqdm', 'csv', 'fewbits.lite', 'tensorflow', 'torch') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
